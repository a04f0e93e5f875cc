//! The reference cases of CNN layers: what PyTorch computes in double precision, in all passes and layouts.

mod common;

use std::path::Path;

use common::*;
use faltung::{Algorithm, DType, Element, Layout, Pass, Problem};
use safetensors::SafeTensors;
use serde_json::Value;

struct Cases {
    bytes: Vec<u8>,
    list: Vec<Value>,
}

fn cases() -> Cases {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/layer.safetensors");
    let bytes = std::fs::read(path).expect("the cases are part of the repository");
    let (_, metadata) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
    let list = metadata.metadata().as_ref().expect("it has metadata")["cases"].clone();
    let list: Vec<Value> = serde_json::from_str(&list).expect("a list of cases");
    assert_eq!(list.len(), 21);
    Cases { bytes, list }
}

struct Layer {
    name: String,
    problem: Problem,
    x: Vec<f64>,
    w: Vec<f64>,
    y: Vec<f64>,
    gy: Vec<f64>,
    gx: Vec<f64>,
    gw: Vec<f64>,
}

fn layers() -> Vec<Layer> {
    let cases = cases();
    let file = SafeTensors::deserialize(&cases.bytes).expect("a safetensors file");
    let layer = |case: &Value| {
        let name = case["name"].as_str().expect("a name").to_string();
        let tensor = |key: &str| {
            let t = file.tensor(&format!("{name}/{key}")).expect("the case has this tensor");
            let values = t.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight bytes")));
            (t.shape().to_vec(), values.collect::<Vec<f64>>())
        };
        let list = |key: &str| -> Vec<usize> {
            let values = case[key].as_array().expect("a list");
            values.iter().map(|v| v.as_u64().expect("a number") as usize).collect()
        };
        let ((xs, x), (ws, w), (ys, y), (_, b)) = (tensor("x"), tensor("w"), tensor("y"), tensor("b"));
        let padding: Vec<_> = list("padding").iter().map(|&p| (p as isize, p as isize)).collect();
        let problem = Problem::layer(xs[0], xs[1], ws[0], &xs[2..], &ws[2..])
            .groups(case["groups"].as_u64().expect("a number") as usize)
            .stride(&list("stride"))
            .dilation(&list("dilation"))
            .padding(&padding)
            .dtype(DType::F64)
            .build()
            .expect("a valid layer");
        assert_eq!(problem.output_shape(), ys, "case {name}");
        let spatial: usize = ys[2..].iter().product();
        let y = y.iter().enumerate().map(|(i, v)| v - b[i / spatial % ys[1]]).collect();
        Layer { problem, x, w, y, gy: tensor("gy").1, gx: tensor("gx").1, gw: tensor("gw").1, name }
    };
    cases.list.iter().map(layer).collect()
}

/// The case in `T` and `layout`, its expected values those of the file.
fn case<T: Element>(layer: &Layer, pass: Pass, layout: Layout) -> Case<T> {
    let problem = layer.problem.with_pass(pass).with_layout(layout).with_dtype(T::DTYPE).expect("it fits");
    let operands = match pass {
        Pass::Forward => [&layer.x, &layer.w, &layer.y],
        Pass::InputGradient => [&layer.gy, &layer.w, &layer.gx],
        Pass::WeightGradient => [&layer.x, &layer.gy, &layer.gw],
    };
    let shapes = problem.operands();
    let to = layouts(&problem);
    let array = |i: usize| -> Vec<T> {
        let values: Vec<T> = operands[i].iter().map(|&v| T::from_f64(v)).collect();
        relayout(&values, &shapes[i], Layout::ChannelsFirst, to[i])
    };
    let (first, second, expected) = (array(0), array(1), array(2));
    let scale = scales(&problem, &first, &second);
    let slack = vec![0.0; expected.len()];
    Case { problem, first, second, expected, scale, slack }
}

fn check<T: Element>(battery: &mut Battery, layer: &Layer, pass: Pass, layout: Layout, random: &mut Random) {
    let mut case = case::<T>(layer, pass, layout);
    let largest = case.expected.iter().map(|&v| magnitude(v)).fold(0.0, f64::max);
    let epsilon = T::DTYPE.epsilon();
    let sum = if T::DTYPE == DType::F64 { 1e-10 } else { case.problem.terms().max(4) as f64 * epsilon };
    for algorithm in algorithms() {
        // Rounding the data costs half an epsilon of each factor, and rounding the expected value half of its own.
        case.slack = match is_exact(algorithm) {
            true => vec![sum * largest; case.expected.len()],
            false => case.scale.iter().map(|s| s * epsilon + largest * epsilon).collect(),
        };
        battery.planned(algorithm, &case, |plan| {
            let outcome = match algorithm {
                // The definition has no packing of its own, and time adds up.
                Algorithm::Reference => run_dirty(plan, &case).and_then(|got| compare("plain", plan, &case, &got)),
                _ => dense(plan, &case).and_then(|()| strided(plan, &case, random)),
            };
            outcome.map_err(|e| format!("{}: {e}", layer.name))
        });
    }
}

#[test]
fn layers_are_as_pytorch_computes_them() {
    battery(|b| {
        let mut random = Random::new(1);
        for layer in &layers() {
            for pass in Pass::ALL {
                for layout in LAYOUTS {
                    check::<f32>(b, layer, pass, layout, &mut random);
                    check::<f64>(b, layer, pass, layout, &mut random);
                }
            }
        }
    });
}
