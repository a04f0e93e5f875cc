//! The reference cases of fields, through the array interface: every algorithm, every element type, workspaces that
//! hold NaN.

use faltung::ndarray::{Array, ArrayD, Axis, Dimension, IxDyn};
use faltung::{Algorithm, Boundary, Complex, Convolution, Element, Error, Mode, Workspace};
use safetensors::SafeTensors;
use serde_json::Value;

struct Case {
    name: String,
    correlate: bool,
    complex: bool,
    mode: Mode,
    boundary: Boundary,
    x: ArrayD<Complex<f64>>,
    k: ArrayD<Complex<f64>>,
    y: ArrayD<Complex<f64>>,
}

fn cases() -> Vec<Case> {
    let bytes = include_bytes!("cases/field.safetensors");
    let (_, metadata) = SafeTensors::read_metadata(bytes).expect("a header");
    let list = &metadata.metadata().as_ref().expect("metadata")["cases"];
    let list: Vec<Value> = serde_json::from_str(list).expect("a list of cases");
    let file = SafeTensors::deserialize(bytes).expect("a safetensors file");
    let text = |case: &Value, key: &str| case[key].as_str().expect("a text").to_owned();
    list.iter()
        .map(|case| {
            let (name, complex) = (text(case, "name"), case["complex"] == true);
            let tensor = |part: &str| {
                let tensor = file.tensor(&format!("{name}/{part}")).expect("the tensor");
                let values: Vec<f64> =
                    tensor.data().as_chunks().0.iter().map(|&b: &[u8; 8]| f64::from_le_bytes(b)).collect();
                let (shape, values) = match complex {
                    true => (
                        &tensor.shape()[..tensor.shape().len() - 1],
                        values.chunks_exact(2).map(|p| Complex::new(p[0], p[1])).collect(),
                    ),
                    false => (tensor.shape(), values.iter().map(|&v| Complex::new(v, 0.0)).collect()),
                };
                ArrayD::from_shape_vec(IxDyn(shape), values).expect("as many values as the shape says")
            };
            Case {
                correlate: case["op"] == "correlate",
                complex,
                mode: match text(case, "mode").as_str() {
                    "full" => Mode::Full,
                    "same" => Mode::Same,
                    _ => Mode::Valid,
                },
                boundary: match text(case, "boundary").as_str() {
                    "symmetric" => Boundary::Symmetric,
                    "mirror" => Boundary::Mirror,
                    "nearest" => Boundary::Nearest,
                    "wrap" => Boundary::Wrap,
                    _ => Boundary::Zero,
                },
                x: tensor("x"),
                k: tensor("k"),
                y: tensor("y"),
                name,
            }
        })
        .collect()
}

fn to<T: Element<Real = R>, R: Element<Real = R>>(a: &ArrayD<Complex<f64>>) -> ArrayD<T> {
    a.map(|v| T::from_parts(R::from_f64(v.re), R::from_f64(v.im)))
}

fn largest<D: Dimension>(a: &Array<Complex<f64>, D>) -> f64 {
    a.iter().map(|v| v.norm()).fold(0.0, f64::max)
}

impl Case {
    fn convolution<'a, T: Element>(&self, k: &'a ArrayD<T>) -> Convolution<'a, T, IxDyn> {
        let convolution = Convolution::new(k).mode(self.mode).boundary(self.boundary);
        if self.correlate { convolution.correlate() } else { convolution }
    }

    /// Runs every algorithm that can serve, and gives how many could.
    fn check<T: Element<Real = R>, R: Element<Real = R>>(&self, epsilon: f64, relative: Option<f64>) -> usize {
        let (x, k) = (to::<T, R>(&self.x), to::<T, R>(&self.k));
        let mut served = 0;
        for algorithm in Algorithm::ALL.into_iter().chain([Algorithm::Auto]) {
            let about = || format!("case {}, {} in {}, {:?}", self.name, algorithm, T::DTYPE, self.mode);
            let filter = match self.convolution(&k).algorithm(algorithm).plan(x.raw_dim()) {
                Err(Error::Unsupported { .. }) => continue,
                planned => planned.unwrap_or_else(|e| panic!("{}: {e}", about())),
            };
            served += 1;
            let mut workspace = Workspace::with_bytes(filter.workspace_bytes());
            workspace.poison();
            let mut y = ArrayD::from_elem(filter.output_dim(), T::from_f64(f64::NAN));
            filter.apply_into(&x, &mut y, &mut workspace).unwrap_or_else(|e| panic!("{}: {e}", about()));
            assert_eq!(y.shape(), self.y.shape(), "{}", about());

            let rounded = matches!(
                filter.explain().chosen().algorithm,
                Algorithm::Fft | Algorithm::Winograd | Algorithm::Separable | Algorithm::Mixed
            );
            let bound = if rounded {
                // Data and kernel may have changed places, and the inputs were rounded once.
                let norm = |a: &ArrayD<Complex<f64>>| a.iter().map(|v| v.norm_sqr()).sum::<f64>().sqrt();
                let scale = (largest(&self.x) * norm(&self.k)).max(largest(&self.k) * norm(&self.x));
                filter.plan().error_bound() * scale + epsilon * largest(&self.y)
            } else {
                let terms = self.k.len().max(4) as f64;
                relative.unwrap_or(terms * epsilon) * largest(&self.y)
            };
            let ours = y.map(|v| Complex::new(v.to_f64().0, v.to_f64().1));
            let worst = largest(&(&ours - &self.y));
            assert!(worst <= bound, "{}: error {worst:e} above {bound:e}", about());
        }
        served
    }
}

#[test]
fn every_algorithm_gives_the_reference_cases() {
    let cases = cases();
    assert_eq!(cases.len(), 239);
    for case in &cases {
        let mut served = case.check::<Complex<f32>, f32>(f32::EPSILON as f64, None);
        served += case.check::<Complex<f64>, f64>(f64::EPSILON, Some(1e-10));
        if !case.complex {
            served += case.check::<f32, f32>(f32::EPSILON as f64, None);
            served += case.check::<f64, f64>(f64::EPSILON, Some(1e-10));
        }
        // The reference and the automatic choice at the least.
        assert!(served >= if case.complex { 4 } else { 8 });
    }
}

#[test]
fn the_one_line_calls_give_the_reference_cases() {
    for case in cases().iter().filter(|c| c.boundary == Boundary::Zero) {
        let y = match case.correlate {
            true => faltung::correlate(&case.x, &case.k, case.mode),
            false => faltung::convolve(&case.x, &case.k, case.mode),
        };
        let y = y.unwrap_or_else(|e| panic!("case {}: {e}", case.name));
        assert!(largest(&(&y - &case.y)) <= 1e-10 * largest(&case.y), "case {}", case.name);
    }
}

/// The same numbers in other places of memory.
fn disguises(a: &ArrayD<f64>) -> Vec<ArrayD<f64>> {
    let mut reversed = a.clone();
    (0..a.ndim()).for_each(|i| reversed.invert_axis(Axis(i)));
    let mut backwards = reversed.as_standard_layout().into_owned();
    (0..a.ndim()).for_each(|i| backwards.invert_axis(Axis(i)));
    let transposed = a.t().as_standard_layout().into_owned().reversed_axes();
    let mut gaps = ArrayD::from_elem(a.shape().iter().map(|n| 2 * n).collect::<Vec<_>>(), f64::NAN);
    let mut inside = gaps.view_mut();
    for i in 0..a.ndim() {
        inside.slice_axis_inplace(Axis(i), faltung::ndarray::Slice::new(0, None, 2));
    }
    inside.assign(a);
    for i in 0..a.ndim() {
        gaps.slice_axis_inplace(Axis(i), faltung::ndarray::Slice::new(0, None, 2));
    }
    vec![a.clone(), backwards, transposed, gaps]
}

#[test]
fn strides_do_not_change_a_bit() {
    for case in cases().iter().filter(|c| !c.complex) {
        let (x, k) = (case.x.map(|v| v.re), case.k.map(|v| v.re));
        for algorithm in Algorithm::ALL {
            let plan = |k: &ArrayD<f64>| case.convolution(k).algorithm(algorithm).plan(x.raw_dim());
            let Ok(filter) = plan(&k) else { continue };
            let expected = filter.apply(&x).expect("a result");
            let mut workspace = Workspace::new();
            for kernel in disguises(&k) {
                let filter = plan(&kernel).expect("a plan, as for the other kernel");
                for data in disguises(&x) {
                    assert_eq!(data, x);
                    for mut y in disguises(&expected) {
                        y.fill(f64::NAN);
                        workspace.poison();
                        filter.apply_into(&data, &mut y, &mut workspace).expect("a result");
                        assert_eq!(y, expected, "case {}, {algorithm}", case.name);
                    }
                }
            }
        }
    }
}
