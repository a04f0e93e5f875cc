//! Named filters: the answers of SciPy, OpenCV, Pillow and scikit-image, properties, and input that must be refused.

use std::collections::BTreeMap;

use faltung::filter::named::*;
use faltung::ndarray::{Array, Array1, Array2, Array3, ArrayD, Axis, Dimension, Ix1, Ix2, IxDyn, array, s};
use faltung::{Boundary, Complex, Element, Error, Workspace};
use proptest::prelude::*;
use safetensors::SafeTensors;

const BOUNDARIES: [Boundary; 6] =
    [Boundary::Zero, Boundary::Constant(2.5), Boundary::Symmetric, Boundary::Mirror, Boundary::Nearest, Boundary::Wrap];

fn boundary(text: &str) -> Boundary {
    let known = BOUNDARIES.into_iter().find(|boundary| boundary.to_string() == text);
    known.unwrap_or_else(|| panic!("a boundary that is not known: {text}"))
}

fn named(text: &str) -> Named {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// Numbers in [-1, 1) without a pattern.
fn noise<T: Element, D: Dimension>(shape: D, seed: u64) -> Array<T, D> {
    let mut state = seed;
    Array::from_shape_simple_fn(shape, || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        T::from_f64((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
    })
}

fn largest<D: Dimension>(x: &Array<f64, D>) -> f64 {
    x.iter().fold(0.0, |most: f64, v| most.max(v.abs()))
}

fn apart<D: Dimension>(x: &Array<f64, D>, y: &Array<f64, D>) -> f64 {
    x.iter()
        .zip(y)
        .fold(0.0, |most: f64, (a, b)| if (a - b).is_nan() { f64::INFINITY } else { most.max((a - b).abs()) })
}

struct Case {
    library: String,
    filter: String,
    boundary: Boundary,
    axes: Vec<usize>,
    kind: String,
    x: ArrayD<f64>,
    y: ArrayD<f64>,
}

fn cases() -> Vec<Case> {
    let bytes = include_bytes!("cases/named.safetensors");
    let (_, metadata) = SafeTensors::read_metadata(bytes).expect("a header");
    let list = metadata.metadata().as_ref().expect("metadata")["cases"].clone();
    let file = SafeTensors::deserialize(bytes).expect("a safetensors file");
    let numbers = |name: &str| -> Vec<f64> {
        let data = file.tensor(name).expect("the tensor").data();
        match name {
            "u8" => data.iter().map(|&v| f64::from(v)).collect(),
            "f32" => data.as_chunks().0.iter().map(|&b: &[u8; 4]| f64::from(f32::from_le_bytes(b))).collect(),
            _ => data.as_chunks().0.iter().map(|&b: &[u8; 8]| f64::from_le_bytes(b)).collect(),
        }
    };
    let mut results: BTreeMap<&str, _> = ["f64", "f32", "u8"].map(|kind| (kind, numbers(kind).into_iter())).into();
    list.lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let name = format!("x{}", words[3]);
            let shape = file.tensor(&name).expect("the tensor").shape().to_vec();
            let x = ArrayD::from_shape_vec(IxDyn(&shape), numbers(&name)).expect("the shape's numbers");
            let result = results.get_mut(words[4]).expect("a type");
            Case {
                library: words[0].into(),
                filter: words[1].into(),
                boundary: boundary(words[2]),
                axes: words[5].split(',').map(|a| a.parse().expect("an axis")).collect(),
                kind: words[4].into(),
                y: ArrayD::from_shape_vec(IxDyn(&shape), result.take(x.len()).collect()).expect("the shape's numbers"),
                x,
            }
        })
        .collect()
}

/// The worst difference of each library's cases, by the measure given; prints them all.
fn worst(library: &str, measure: impl Fn(&Case, &ArrayD<f64>) -> f64) -> f64 {
    let mut worst: BTreeMap<String, f64> = BTreeMap::new();
    let mut count = 0;
    for case in cases().iter().filter(|case| case.library == library) {
        let filter = named(&case.filter);
        let y = filter.apply_along(&case.x, &case.axes, case.boundary);
        let y = y.unwrap_or_else(|e| panic!("{} {:?}: {e}", case.filter, case.x.shape()));
        let most = worst.entry(filter.name().to_owned()).or_default();
        *most = most.max(measure(case, &y));
        count += 1;
    }
    println!("{library}: {count} cases; {worst:?}");
    assert!(count > 0);
    worst.into_values().fold(0.0, f64::max)
}

fn relative(case: &Case, y: &ArrayD<f64>) -> f64 {
    apart(&case.y, y) / largest(&case.y).max(1e-3)
}

#[test]
fn scipy() {
    assert!(worst("scipy", |case, y| apart(&case.y, y) / largest(&case.y).max(1.0)) < 1e-10);
}

#[test]
fn opencv() {
    assert!(worst("opencv", relative) < 1e-6);
    assert!(worst("opencv", |case, y| if case.kind == "f64" { relative(case, y) } else { 0.0 }) < 1e-12);
}

#[test]
fn scikit_image() {
    assert!(worst("scikit-image", relative) < 1e-12);
}

#[test]
fn pillow_but_for_its_rounding() {
    // Kernels are rounded once; Pillow copies the samples that its kernel does not fit around. Boxes are rounded after
    // each pass: twice for a box, six times for a Gaussian.
    let difference = |case: &Case, y: &ArrayD<f64>| {
        let filter = named(&case.filter);
        let operator = filter.operator(2).expect("a filter");
        let ready = y.mapv(|v| (v + operator.offset()).clamp(0.0, 255.0));
        let edge = if let Named::Stencil(_) = filter { 2 } else { 0 };
        let inside = |a: &ArrayD<f64>| a.slice_each_axis(|axis| (edge..axis.len - edge).into()).to_owned();
        apart(&inside(&case.y), &inside(&ready))
    };
    let of = |names: &[&str]| {
        worst("pillow", |case, y| if names.contains(&named(&case.filter).name()) { difference(case, y) } else { 0.0 })
    };
    let stencils: Vec<&str> =
        Named::all().filter(|filter| matches!(filter, Named::Stencil(_))).map(|filter| filter.name()).collect();
    assert!(of(&stencils) <= 0.5 + 1e-3);
    assert!(of(&["extended_box"]) <= 1.0);
    assert!(of(&["extended_box_gaussian"]) <= 3.0);
    // A threshold tells apart what rounding has moved across it, so only the mean is near there.
    let mean = |case: &Case, y: &ArrayD<f64>| (y.mapv(|v| v.clamp(0.0, 255.0)) - &case.y).mapv(f64::abs).mean();
    let masks = |case: &Case, y: &ArrayD<f64>| match case.filter.as_str() {
        "pillow_unsharp" => difference(case, y) / 5.5,
        "pillow_unsharp:radius=1,amount=0.8,threshold=9" => mean(case, y).expect("samples"),
        _ => 0.0,
    };
    assert!(worst("pillow", masks) <= 1.0);
}

/// Filters of every kind, those of two axes only included, with more than one set of parameters.
fn all_and_more() -> Vec<Named> {
    let more = [
        "gaussian:sigma=2.3",
        "gaussian:sigma=0.7x1.6",
        "gaussian:sigma=0",
        "gaussian:sigma=1.5,order=1x2",
        "gaussian:taps=7",
        "box:size=4x5",
        "box:size=3,origin=1",
        "extended_box:radius=1.7,passes=2",
        "sobel:order=1x2,ksize=5",
        "scharr:axis=1",
        "laplace:ksize=5",
        "unsharp:sigma=2,amount=1.5",
        "gabor:sigma=2,angle=30,wavelength=5,aspect=0.7,phase=40",
    ];
    Named::all().chain(more.into_iter().map(named)).collect()
}

#[test]
fn constants_stay_and_vanish() {
    fn stays<T: Element>(most: f64) -> f64 {
        let mut worst: f64 = 0.0;
        for filter in all_and_more() {
            let operator = filter.operator(2).expect("a filter");
            assert!(operator.is_normalised() != operator.is_derivative() || filter.name() == "gabor", "{filter}");
            for (value, boundary) in [0.1, -3.0, 255.0, 1e6].into_iter().flat_map(|v| BOUNDARIES.map(|b| (v, b))) {
                let boundary = match boundary {
                    Boundary::Zero => continue,
                    Boundary::Constant(_) if operator.is_normalised() => {
                        Boundary::Constant(T::from_f64(value).to_f64().0)
                    }
                    Boundary::Constant(_) => continue,
                    other => other,
                };
                let x = Array2::from_elem((19, 33), T::from_f64(value));
                let expected = if operator.is_normalised() { x[[0, 0]].to_f64().0 } else { 0.0 };
                let y = filter.apply_along(&x, &[0, 1], boundary).expect("a result");
                let error = y.iter().fold(0.0, |most: f64, v| most.max((v.to_f64().0 - expected).abs()));
                let error = error / value.abs() / T::DTYPE.epsilon();
                if operator.is_normalised() {
                    worst = worst.max(error);
                    assert!(error <= most, "{filter} with {boundary}: {error} units in the last place");
                } else if operator.is_derivative() {
                    let size: f64 = if operator.is_linear() {
                        operator.kernel().expect("a kernel").taps.iter().map(|tap| tap.abs()).sum()
                    } else {
                        32.0
                    };
                    // What the cut-off of a Gaussian leaves, and rounding.
                    let left = operator.gain().abs() / T::DTYPE.epsilon();
                    assert!(error <= 1.01 * left + most * size, "{filter} with {boundary}: {error} against {size}");
                }
            }
        }
        worst
    }
    println!("constants move by up to {} epsilon in f32, {} in f64", stays::<f32>(8.0), stays::<f64>(8.0));
}

#[test]
fn an_impulse_returns_the_kernel_reflected() {
    for filter in all_and_more() {
        let operator = filter.operator(2).expect("a filter");
        let Ok(kernel) = operator.kernel() else {
            assert!(!operator.is_linear());
            continue;
        };
        for boundary in BOUNDARIES.into_iter().filter(|b| *b != Boundary::Constant(2.5)) {
            let (m, n) = (kernel.taps.shape()[0], kernel.taps.shape()[1]);
            let mut x = Array2::<f64>::zeros((2 * m + 40, 2 * n + 40));
            let middle = [m + 20, n + 20];
            x[middle] = 1.0;
            let y = filter.apply_along(&x, &[0, 1], boundary).expect("a result");
            let mut expected = x.clone();
            expected.fill(0.0);
            for ((i, j), tap) in kernel.taps.view().into_dimensionality::<Ix2>().expect("two axes").indexed_iter() {
                expected[[middle[0] + kernel.anchor[0] - i, middle[1] + kernel.anchor[1] - j]] = *tap;
            }
            let error = apart(&y, &expected);
            assert!(error <= 4e-16 * largest(&expected).max(1.0), "{filter} with {boundary}: {error}");
        }
    }
}

#[test]
fn symmetries() {
    let x: Array2<f64> = noise(Ix2(23, 31), 7);
    let turned = |a: &Array2<f64>| a.slice(s![..;-1, ..;-1]).to_owned();
    for boundary in BOUNDARIES {
        let apply = |text: &str, x: &Array2<f64>| named(text).apply_along(x, &[0, 1], boundary).expect("a result");
        for (text, transposed, sign) in [
            ("gaussian:sigma=1.2x2.4", "gaussian:sigma=2.4x1.2", 1.0),
            ("gaussian:sigma=2,order=1x0", "gaussian:sigma=2,order=0x1", -1.0),
            ("sobel:axis=0", "sobel:axis=1", -1.0),
            ("scharr:axis=0", "scharr:axis=1", -1.0),
            ("sobel:order=2x1,ksize=5", "sobel:order=1x2,ksize=5", -1.0),
            ("sobel_magnitude", "sobel_magnitude", 1.0),
            ("gaussian_laplace:sigma=1.5", "gaussian_laplace:sigma=1.5", 1.0),
            ("unsharp:sigma=1,threshold=0.3", "unsharp:sigma=1,threshold=0.3", 1.0),
            ("sharpen", "sharpen", 1.0),
        ] {
            if (sign < 0.0 || text.contains("magnitude")) && boundary == Boundary::Constant(2.5) {
                continue; // Around a derivative the constant keeps its sign.
            }
            let y = apply(text, &x);
            let scale = largest(&y);
            let other = apply(transposed, &x.t().to_owned()).t().to_owned();
            // Where a constant lies around each pass, the passes do not commute.
            if boundary != Boundary::Constant(2.5) {
                assert!(apart(&y, &other) < 1e-14 * scale, "{text} transposed, {boundary}");
            }
            assert!(
                apart(&turned(&y), &(apply(text, &turned(&x)) * sign)) < 1e-14 * scale,
                "{text} turned, {boundary}"
            );
        }
    }
}

#[test]
fn variances_of_gaussians_add_up() {
    let x: Array1<f64> = noise(Ix1(200), 3);
    let blur = |x: &Array1<f64>, sigma| {
        Gaussian::new(sigma).truncate(9.0).apply_along(x, &[0], Boundary::Wrap).expect("a result")
    };
    assert!(apart(&blur(&blur(&x, 1.5), 2.0), &blur(&x, 2.5)) < 1e-9);
    // Boxes of the same variance come near.
    let boxes = ExtendedBox::gaussian(2.5).apply_along(&x, &[0], Boundary::Wrap).expect("a result");
    let error = apart(&boxes, &blur(&x, 2.5));
    assert!(error > 1e-6 && error < 0.05 * largest(&x), "{error}");
}

#[test]
fn any_layout_and_any_element_type() {
    let x: Array3<f64> = noise(IxDyn(&[12, 17, 3]), 5).into_dimensionality().expect("three axes");
    for filter in all_and_more() {
        let y = filter.apply_along(&x, &[0, 1], Boundary::Mirror).expect("a result");
        let scale = largest(&y).max(1.0);
        for channel in 0..3 {
            let alone = filter.apply_along(&x.slice(s![.., .., channel]), &[0, 1], Boundary::Mirror).expect("a result");
            assert!(apart(&y.slice(s![.., .., channel]).to_owned(), &alone) < 1e-14 * scale, "{filter}");
        }
        let planes = x.clone().permuted_axes([2, 0, 1]);
        let of_planes = filter.apply_along(&planes, &[1, 2], Boundary::Mirror).expect("a result");
        assert!(apart(&of_planes.permuted_axes([1, 2, 0]), &y) < 1e-14 * scale, "{filter}");

        let single = filter.apply_along(&x.mapv(|v| v as f32), &[0, 1], Boundary::Mirror).expect("a result");
        assert!(apart(&single.mapv(f64::from), &y) < 2e-6 * scale, "{filter}");

        // Into every second sample, out of every second sample.
        let mut spread = Array3::from_elem((24, 34, 3), f64::NAN);
        spread.slice_mut(s![..;2, ..;2, ..]).assign(&x);
        let mut target = Array3::zeros((24, 17, 6));
        let planned = filter.plan(x.raw_dim(), &[0, 1], Boundary::Mirror).expect("a plan");
        let mut workspace = Workspace::new();
        let mut every_second = target.slice_mut(s![..;2, .., ..;2]);
        for _ in 0..2 {
            planned.apply_into(&spread.slice(s![..;2, ..;2, ..]), &mut every_second, &mut workspace).expect("a run");
            workspace.poison();
        }
        assert!(apart(&every_second.to_owned(), &y) < 1e-14 * scale, "{filter}");

        if filter.operator(2).expect("a filter").is_linear() {
            let complex = x.mapv(|v| Complex::new(v, 2.0 * v * v));
            let of_complex = filter.apply_along(&complex, &[0, 1], Boundary::Mirror).expect("a result");
            let imaginary = filter.apply_along(&x.mapv(|v| 2.0 * v * v), &[0, 1], Boundary::Mirror).expect("a result");
            assert!(apart(&of_complex.mapv(|v| v.re), &y) < 1e-14 * scale, "{filter}");
            assert!(apart(&of_complex.mapv(|v| v.im), &imaginary) < 1e-13 * scale, "{filter}");
        }
    }
    let turning = array![Complex::new(0.0f32, 1.0), Complex::new(3.0, 4.0), Complex::new(0.0, 1.0)];
    assert_eq!(sobel_magnitude(&turning).expect("a result")[2], Complex::new(18f32.sqrt(), 0.0));
}

#[test]
fn a_dense_kernel_is_the_passes() {
    // Large enough for any choice; the reference are the passes, one call each.
    let x: Array2<f64> = noise(Ix2(150, 170), 11);
    for boundary in BOUNDARIES {
        let line = |x: &Array2<f64>, axis, text| named(text).apply_along(x, &[axis], boundary).expect("a result");
        let slope = line(&x, 0, "sobel");
        let smooth =
            Operator::dense(Taps { taps: array![1.0, 2.0, 1.0].into_dyn(), anchor: vec![1] }).expect("a kernel");
        let expected = smooth.plan(x.raw_dim(), &[1], boundary).expect("a plan").apply(&slope).expect("a result");
        let y = named("sobel").apply_along(&x, &[0, 1], boundary).expect("a result");
        assert!(apart(&y, &expected) < 1e-13, "{boundary}");
        let sum = line(&x, 0, "laplace") + line(&x, 1, "laplace");
        assert!(
            apart(&named("laplace").apply_along(&x, &[0, 1], boundary).expect("a result"), &sum) < 1e-13,
            "{boundary}"
        );
    }
}

#[test]
fn a_second_run_allocates_nothing() {
    let serial = one_thread();
    let x: Array2<f32> = noise(Ix2(60, 50), 1);
    let mut y = Array2::zeros((60, 50));
    for filter in all_and_more() {
        let planned = filter.plan(x.raw_dim(), &[0, 1], Boundary::Mirror).expect("a plan");
        let mut workspace = Workspace::new();
        serial.install(|| {
            planned.apply_into(&x, &mut y, &mut workspace).expect("a run");
            let info = allocation_counter::measure(|| planned.apply_into(&x, &mut y, &mut workspace).expect("a run"));
            assert_eq!(info.count_total, 0, "{filter}");
        });
    }
}

fn one_thread() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread")
}

#[test]
fn names_are_written_as_they_are_read() {
    let mut names = Vec::new();
    for filter in all_and_more() {
        assert_eq!(named(&filter.to_string()), filter);
        assert!(!filter.description().is_empty());
        names.push(filter.name());
    }
    assert!(names.len() > 25 && names.contains(&"unsharp"));
    for text in [
        "gaussian:sigma=1e-7x2.5,order=0x1,radius=3x4",
        "gaussian:sigma=2,size=opencv8",
        "gaussian:taps=9x3",
        "sobel:order=1x1,ksize=7",
        "pillow_unsharp:radius=2,amount=1.5,threshold=3",
        "gaussian_gradient_magnitude:sigma=2,truncate=3",
    ] {
        assert_eq!(named(text).to_string(), text);
    }
    assert_eq!(named(" box : size = 5 ").to_string(), "box:size=5");
    for case in cases() {
        assert_eq!(named(&named(&case.filter).to_string()), named(&case.filter));
    }
    for (text, reason) in [
        ("", "no filter of that name"),
        ("gausian:sigma=2", "gaussian"),
        ("gaussian:sgima=2", "sigma, order"),
        ("gaussian:sigma=two", "a number"),
        ("gaussian:sigma=2,sigma=3", "twice"),
        ("gaussian:sigma", "key=value"),
        ("gaussian:sigma=1,taps=3", "either"),
        ("gaussian:radius=1,truncate=3", "one of"),
        ("gaussian:size=huge", "opencv"),
        ("sobel:axis=-1", "a number"),
        ("sobel:axis=1,order=1", "either"),
        ("sharpen:sigma=1", "none"),
    ] {
        match text.parse::<Named>() {
            Err(error @ Error::Parse { .. }) => assert!(error.to_string().contains(reason), "{text}: {error}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn bad_input_is_refused() {
    let x = Array2::<f32>::ones((4, 5));
    for text in [
        "gaussian:sigma=-1",
        "gaussian:sigma=nan",
        "gaussian:sigma=inf",
        "gaussian:sigma=1e12",
        "gaussian:sigma=1e300",
        "gaussian:sigma=1x2x3",
        "gaussian:sigma=2,truncate=nan",
        "gaussian:sigma=2,truncate=-1",
        "gaussian:sigma=2,truncate=1e300",
        "gaussian:sigma=2,radius=18446744073709551615",
        "gaussian:sigma=2,radius=99999999",
        "gaussian:sigma=2,order=1000000000000",
        "gaussian:sigma=0,order=1",
        "gaussian:sigma=1e-9,radius=2,order=64",
        "gaussian:sigma=-1,size=opencv",
        "gaussian:sigma=1e300,size=opencv",
        "gaussian:taps=0",
        "gaussian:taps=4",
        "gaussian:taps=18446744073709551615",
        "box:size=0",
        "box:size=18446744073709551615",
        "box:size=3,origin=2",
        "box:size=3,origin=-9223372036854775808",
        "extended_box:radius=-1",
        "extended_box:radius=1e300",
        "extended_box:passes=0",
        "extended_box:passes=1000000000",
        "extended_box:radius=1e6,passes=64",
        "extended_box_gaussian:sigma=nan",
        "extended_box_gaussian:sigma=1e200",
        "sobel:axis=2",
        "sobel:ksize=4",
        "sobel:ksize=33",
        "sobel:ksize=18446744073709551615",
        "sobel:order=3",
        "sobel:order=1x1x1",
        "scharr:axis=18446744073709551615",
        "laplace:ksize=0",
        "gaussian_laplace:sigma=0",
        "gaussian_gradient_magnitude:sigma=-2",
        "difference_of_gaussians:low=2,high=1",
        "unsharp:amount=inf",
        "unsharp:amount=1e39",
        "unsharp:threshold=-1",
        "unsharp:threshold=nan",
        "gabor:sigma=0",
        "gabor:sigma=1e9",
        "gabor:wavelength=0",
        "gabor:aspect=1e-300",
        "gabor:angle=inf",
    ] {
        match named(text).apply(&x) {
            Err(Error::Argument { .. }) => {}
            other => panic!("{text}: {other:?}"),
        }
    }
    let blur = named("gaussian");
    for axes in [&[][..], &[2], &[0, 0], &[0, 1, 1], &[usize::MAX]] {
        assert!(matches!(blur.apply_along(&x, axes, Boundary::Mirror), Err(Error::Argument { .. })), "{axes:?}");
    }
    for axes in [0, 9, usize::MAX] {
        for filter in Named::all() {
            assert!(matches!(filter.operator(axes), Err(Error::Argument { .. })), "{filter}: {axes} axes");
        }
    }
    assert!(matches!(named("sharpen").apply(&Array1::<f32>::ones(5)), Err(Error::Argument { .. })));
    assert!(matches!(sobel(&x, Axis(2)), Err(Error::Argument { .. })));
    for filter in Named::all() {
        assert!(matches!(filter.apply(&Array2::<f32>::zeros((0, 5))), Err(Error::Argument { .. })), "{filter}");
        assert!(matches!(filter.apply(&ArrayD::<f32>::zeros(IxDyn(&[]))), Err(Error::Argument { .. })), "{filter}");
    }
    assert!(matches!(gaussian(&Array2::<f32>::zeros((5, 0)), 0.0), Err(Error::Argument { .. })));
    let planned = blur.plan::<f32, _>(Ix2(4, 5), &[0, 1], Boundary::Wrap).expect("a plan");
    assert!(matches!(planned.apply(&Array2::ones((5, 4))), Err(Error::Shape { .. })));
    let y = &mut Array2::zeros((4, 4));
    assert!(matches!(planned.apply_into(&x, y, &mut Workspace::new()), Err(Error::Shape { .. })));
    for taps in [array![[f64::NAN]].into_dyn(), ArrayD::zeros(IxDyn(&[0, 3])), ArrayD::zeros(IxDyn(&[]))] {
        let anchor = vec![0; taps.ndim()];
        assert!(matches!(Operator::dense(Taps { taps, anchor }), Err(Error::Argument { .. })));
    }
    for anchor in [vec![3], vec![0, 0], vec![]] {
        let taps = Array1::ones(3).into_dyn();
        assert!(matches!(Operator::dense(Taps { taps, anchor }), Err(Error::Argument { .. })));
    }
    // What is no error: nothing to do, one sample, and a kernel far longer than the data.
    let mean = gaussian(&array![0.0, 2.0, 4.0], 4e5).expect("a result");
    assert!(apart(&mean, &array![2.0, 2.0, 2.0]) < 1e-6);
    assert_eq!(gaussian(&x, 0.0).expect("the data"), x);
    assert!(apart(&gaussian(&array![7.0], 3.0).expect("the sample"), &array![7.0]) < 1e-13);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn linear_filters_are_linear(
        which in 0usize..60, seed in 0u64..1000, (m, n) in (1usize..20, 1usize..20), a in -3.0f64..3.0, edge in 0usize..6,
    ) {
        let all = all_and_more();
        let filter = &all[which % all.len()];
        let boundary = BOUNDARIES[edge];
        prop_assume!(filter.operator(2).expect("a filter").is_linear() && boundary != Boundary::Constant(2.5));
        let (x, y): (Array2<f64>, Array2<f64>) = (noise(Ix2(m, n), seed), noise(Ix2(m, n), seed + 1000));
        let apply = |x: &Array2<f64>| filter.apply_along(x, &[0, 1], boundary).expect("a result");
        let (sum, parts) = (apply(&(&x * a + &y)), apply(&x) * a + apply(&y));
        prop_assert!(apart(&sum, &parts) < 1e-12 * largest(&parts).max(1.0), "{} with {}", filter, boundary);
    }
}
