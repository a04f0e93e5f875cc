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
}
