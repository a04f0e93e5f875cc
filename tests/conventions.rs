//! The conventions against what the libraries themselves answer; `cases/conventions.py` wrote the table.

use faltung::ndarray::{ArrayD, IxDyn};
use faltung::{Boundary, Complex, Convention, Convolution, Mode};
use serde_json::Value;

fn numbers(value: &Value) -> Vec<i64> {
    value.as_array().expect("an array").iter().map(|v| v.as_i64().expect("an integer")).collect()
}

fn sizes(value: &Value) -> Vec<usize> {
    numbers(value).into_iter().map(|v| v as usize).collect()
}

/// Real arrays as complex ones without an imaginary part.
fn array(value: &Value, complex: bool) -> ArrayD<Complex<f64>> {
    let (shape, values) = (sizes(&value["shape"]), numbers(&value["values"]));
    let values = match complex {
        true => values.chunks_exact(2).map(|p| Complex::new(p[0] as f64, p[1] as f64)).collect(),
        false => values.iter().map(|&v| Complex::new(v as f64, 0.0)).collect(),
    };
    ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many values as the shape says")
}

#[test]
fn every_convention_gives_what_its_library_gives() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("cases/conventions.json")).expect("the table");
    assert!(cases.len() > 700);
    for case in &cases {
        let complex = case["complex"] == true;
        let [x, h, y] = ["x", "h", "y"].map(|name| array(&case[name], complex));
        let mut convolution = Convolution::new(&h).convention(match case["convention"].as_str() {
            Some("numpy") => Convention::NumPy,
            Some("scipy") => Convention::Scipy,
            Some("ndimage") => Convention::ScipyNdimage,
            Some("opencv") => Convention::OpenCv,
            Some("pytorch") => Convention::PyTorch,
            Some("matlab") => Convention::Matlab,
            other => panic!("{other:?}"),
        });
        if case["op"] == "correlate" {
            convolution = convolution.correlate();
        }
        if let Some(mode) = case["mode"].as_str() {
            convolution = convolution.mode(match mode {
                "full" => Mode::Full,
                "same" => Mode::Same,
                _ => Mode::Valid,
            });
        }
        if let Some(boundary) = case["boundary"].as_str() {
            convolution = convolution.boundary(match boundary {
                "zero" => Boundary::Zero,
                "symmetric" => Boundary::Symmetric,
                "mirror" => Boundary::Mirror,
                "nearest" => Boundary::Nearest,
                "wrap" => Boundary::Wrap,
                other => panic!("{other}"),
            });
        }
        for (name, value) in case.as_object().expect("an object") {
            convolution = match name.as_str() {
                "stride" => convolution.stride(&sizes(value)),
                "dilation" => convolution.dilation(&sizes(value)),
                "anchor" => convolution.anchor(&sizes(value)),
                "padding" => {
                    let pairs = value.as_array().expect("an array").iter().map(numbers);
                    convolution.padding(&pairs.map(|p| (p[0] as isize, p[1] as isize)).collect::<Vec<_>>())
                }
                _ => convolution,
            };
        }
        let filter = convolution.plan(x.raw_dim()).unwrap_or_else(|e| panic!("{case}: {e}"));
        let ours = filter.apply(&x).unwrap_or_else(|e| panic!("{case}: {e}"));
        assert_eq!(ours.shape(), y.shape(), "{case}");
        // Small integers: a transform's rounding stays far below one half, and every other sum is exact.
        let worst = ours.iter().zip(&y).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
        assert!(worst < 1e-9, "{worst}: {case}\n{ours:?}");
    }
}
