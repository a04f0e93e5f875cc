//! Layers and blocks held to what PyTorch computes: both passes, gradients of all parameters, running statistics, in
//! both precisions, and their functional forms; and the rules of their own that no table tells.

use std::collections::BTreeMap;
use std::path::Path;

use faltung::ndarray::{Array1, Array2, ArrayD, Ix1, Ix2, IxDyn, Zip, array};
use faltung::nn::functional as f;
use faltung::nn::{
    Activation, AdaptiveAvgPool, AvgPool, BatchNorm, Conv, Conv1d, Conv2d, ConvOptions, ConvTranspose, Dense, Design,
    Dropout, Embedding, Extents, Flatten, Float, GlobalAvgPool, GlobalMaxPool, Item, LayerNorm, MaxPool, MaxPool2d,
    Network, Parallel, Residual, Sequential, SpatialDropout,
};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// A file of cases: their list, and their arrays by `case/name`.
struct Cases {
    list: Vec<Value>,
    arrays: BTreeMap<String, ArrayD<f64>>,
}

impl Cases {
    fn read(file: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(file);
        let bytes = std::fs::read(path).expect("the cases are part of the repository");
        let (_, metadata) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let list = metadata.metadata().as_ref().expect("it has metadata")["cases"].clone();
        let tensors = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let arrays = tensors.tensors().into_iter().filter(|(_, t)| t.dtype() == Dtype::F64).map(|(name, tensor)| {
            let values = tensor.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight bytes")));
            let array = ArrayD::from_shape_vec(IxDyn(tensor.shape()), values.collect()).expect("a shape that fits");
            (name, array)
        });
        Self { list: serde_json::from_str(&list).expect("a list of cases"), arrays: arrays.collect() }
    }

    fn get(&self, case: &Value, name: &str) -> Option<&ArrayD<f64>> {
        self.arrays.get(&format!("{}/{name}", case["name"].as_str().expect("a name")))
    }

    fn array(&self, case: &Value, name: &str) -> &ArrayD<f64> {
        self.get(case, name).unwrap_or_else(|| panic!("{case} has no {name}"))
    }

    /// The arrays of a case whose names begin so, by the rest of their names.
    fn named<'a>(&'a self, case: &Value, kind: &str) -> impl Iterator<Item = (&'a str, &'a ArrayD<f64>)> {
        let prefix = format!("{}/{kind}.", case["name"].as_str().expect("a name"));
        self.arrays.iter().filter_map(move |(name, array)| Some((name.strip_prefix(&prefix)?, array)))
    }
}

fn extents(value: &Value) -> Extents {
    match value.as_array() {
        Some(list) => list.iter().map(|v| v.as_u64().expect("a number") as usize).collect::<Vec<_>>()[..].into(),
        None => (value.as_u64().unwrap_or(1) as usize).into(),
    }
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap_or(1) as usize
}

fn convert<T: Float>(array: &ArrayD<f64>) -> ArrayD<T> {
    array.mapv(T::from_f64)
}

/// 1e-9 of the largest number in double precision; in single, what the sums of such layers may lose.
fn close<T: Float>(what: &str, given: &ArrayD<T>, expected: &ArrayD<f64>) {
    assert_eq!(given.shape(), expected.shape(), "{what}");
    let largest = expected.iter().fold(0.1, |most: f64, v| most.max(v.abs()));
    let tolerance = largest * if size_of::<T>() == 8 { 1e-9 } else { 3e-5 };
    Zip::from(given).and(expected).for_each(|&a, &b| {
        let off = (Float::as_f64(a) - b).abs();
        assert!(off <= tolerance, "{what} in {}: {a:?}, expected {b}", std::any::type_name::<T>());
    });
}

type Arrays<'a> = Vec<(String, &'a ArrayD<f64>)>;

/// Arrays that a network has before a pass, and what comes of it.
#[derive(Default)]
struct Expected<'a> {
    before: Arrays<'a>,
    gradients: Arrays<'a>,
    after: Arrays<'a>,
}

fn run<T: Float>(what: &str, mut network: Network<T>, cases: &Cases, case: &Value, expected: &Expected<'_>) {
    let mut found = 0;
    let mut set = |path: &str, array: &mut ArrayD<T>| {
        if let Some((_, value)) = expected.before.iter().find(|(name, _)| name == path) {
            assert_eq!(array.shape(), value.shape(), "{what}, {path}");
            array.assign(&convert(value));
            found += 1;
        }
        Ok(())
    };
    let visited = network.visit(&mut |path, item| match item {
        Item::Parameter(parameter) => set(path, &mut parameter.value),
        Item::Buffer(buffer) => set(path, buffer),
        _ => Ok(()),
    });
    visited.expect("nothing is refused");
    assert_eq!(found, expected.before.len(), "{what}: names as in PyTorch");
    let (x, mut dy) = (convert::<T>(cases.array(case, "x")), convert::<T>(cases.array(case, "gy")));
    close(what, &network.train(x.view()).expect(what).to_owned(), cases.array(case, "y"));
    match cases.get(case, "gx") {
        Some(gx) => close(&format!("{what}, gx"), &network.backward_to_input(dy.view_mut()).expect(what), gx),
        None => {
            assert!(network.backward_to_input(dy.clone().view_mut()).is_err(), "{what}: no gradient by words");
            network.backward(dy.view_mut()).expect(what);
        }
    }
    let mut checked = 0;
    let visited = network.visit(&mut |path, item| {
        let find = |list: &Arrays<'_>| list.iter().find(|(name, _)| name == path).map(|&(_, array)| array.clone());
        let (given, value) = match item {
            Item::Parameter(parameter) => (parameter.gradient.clone(), find(&expected.gradients)),
            Item::Buffer(buffer) => (buffer.clone(), find(&expected.after)),
            Item::Count(count) => (ArrayD::from_elem(IxDyn(&[]), T::from_f64(*count as f64)), find(&expected.after)),
            _ => return Ok(()),
        };
        if let Some(value) = value {
            close(&format!("{what}, {path}"), &given, &value);
            checked += 1;
        }
        Ok(())
    });
    visited.expect("nothing is refused");
    assert_eq!(checked, expected.gradients.len() + expected.after.len(), "{what}: all gradients and statistics");
}

fn one<T: Float>(design: impl Design<T> + 'static) -> Sequential<T> {
    Sequential::new().named("", design)
}

fn max_pool<T: Float, const N: usize>(case: &Value) -> Sequential<T> {
    let pool = MaxPool::<N>::new(extents(&case["kernel"])).stride(extents(&case["stride"]));
    one(pool.padding(extents(&case["padding"])))
}

fn avg_pool<T: Float, const N: usize>(case: &Value, include: bool) -> Sequential<T> {
    let pool = AvgPool::<N>::new(extents(&case["kernel"])).stride(extents(&case["stride"]));
    one(pool.padding(extents(&case["padding"])).count_include_padding(include))
}

fn options(case: &Value) -> ConvOptions {
    let padding = if case["padding"].is_null() { 0.into() } else { extents(&case["padding"]) };
    let groups = number(&case["groups"]);
    ConvOptions::new()
        .stride(extents(&case["stride"]))
        .dilation(extents(&case["dilation"]))
        .padding(padding)
        .groups(groups)
}

fn transposed<T: Float, const N: usize>(case: &Value) -> Sequential<T> {
    let more = if case["output_padding"].is_null() { 0.into() } else { extents(&case["output_padding"]) };
    let (inputs, outputs) = (number(&case["channels"][0]), number(&case["channels"][1]));
    let layer = ConvTranspose::<N>::new(inputs, outputs, extents(&case["kernel"]));
    one(layer.options(options(case)).output_padding(more))
}

fn block<T: Float>(inputs: usize, outputs: usize, stride: usize) -> Sequential<T> {
    let body = Sequential::new()
        .named("conv1", Conv2d::new(inputs, outputs, 3).stride(stride).padding(1).without_bias())
        .named("bn1", BatchNorm::new(outputs))
        .named("relu", Activation::Relu)
        .named("conv2", Conv2d::new(outputs, outputs, 3).padding(1).without_bias())
        .named("bn2", BatchNorm::new(outputs));
    let mut block = Residual::new(body);
    if stride != 1 || inputs != outputs {
        let project = Conv2d::new(inputs, outputs, 1).stride(stride).without_bias();
        block = block.shortcut("downsample", Sequential::new().layer(project).layer(BatchNorm::new(outputs)));
    }
    one(block).named("", Activation::Relu)
}

fn inception<T: Float>() -> Sequential<T> {
    let pool = MaxPool2d::new(3).stride(1).padding(1);
    let b = Sequential::new().layer(Conv2d::new(3, 4, 3).padding(1)).layer(BatchNorm::new(4)).layer(Activation::Relu);
    one(Parallel::new()
        .named("a", Sequential::new().layer(Conv2d::new(3, 2, 1)).layer(Activation::Relu))
        .named("b", b)
        .named("c", one(pool))
        .named("d", Sequential::new()))
}

/// Chooses the rank of a layer at run time.
macro_rules! by_rank {
    ($rank:expr, $name:ident $arguments:tt) => {
        match $rank {
            1 => $name::<T, 1> $arguments,
            2 => $name::<T, 2> $arguments,
            _ => $name::<T, 3> $arguments,
        }
    };
}

fn adaptive<T: Float, const N: usize>(output: Extents) -> Sequential<T> {
    one(AdaptiveAvgPool::<N>::new(output))
}

fn layer_of<T: Float>(cases: &Cases, case: &Value) -> Sequential<T> {
    let channels = || cases.array(case, "x").shape()[1];
    let rank = case["rank"].as_u64().unwrap_or(0);
    match case["op"].as_str().expect("an operation") {
        "transposed" => by_rank!(rank, transposed(case)),
        "embedding" => one(Embedding::new(11, 5).padding(2)),
        "words" => Sequential::new().named("embedding", Embedding::new(11, 5).padding(2).channels_first()),
        "adaptive" => by_rank!(case["output"].as_array().expect("extents").len(), adaptive(extents(&case["output"]))),
        "global_average" => one(GlobalAvgPool),
        "global_max" => one(GlobalMaxPool),
        "max" => by_rank!(rank, max_pool(case)),
        "average" => by_rank!(rank, avg_pool(case, case["include"] == true)),
        "batch_norm" => one(BatchNorm::new(channels())),
        "batch_norm_relu" => Sequential::new().layer(BatchNorm::new(channels())).layer(Activation::Relu),
        "layer_norm" => one(LayerNorm::new(extents(&case["shape"]))),
        "block" => block(number(&case["channels"][0]), number(&case["channels"][1]), number(&case["stride"])),
        "inception" => inception(),
        other => panic!("an operation without a layer: {other}"),
    }
}

#[test]
fn layers_and_blocks_are_as_pytorch_computes_them() {
    let cases = Cases::read("nn_layers.safetensors");
    assert!(cases.list.len() > 35);
    for case in &cases.list {
        let own = |kind: &str| cases.named(case, kind).map(|(name, array)| (name.to_owned(), array)).collect();
        let expected = Expected { before: own("p"), gradients: own("g"), after: own("b") };
        let what = case.to_string();
        run::<f64>(&what, layer_of(&cases, case).build(1).expect(&what), &cases, case, &expected);
        run::<f32>(&what, layer_of(&cases, case).build(1).expect(&what), &cases, case, &expected);
    }
}

/// A layer of the shared cases, and its arrays.
fn shared<'a, T: Float>(cases: &'a Cases, case: &Value) -> Option<(Sequential<T>, Expected<'a>)> {
    let named = |pairs: &[(&str, &str)]| -> Arrays<'a> {
        pairs.iter().map(|(path, key)| ((*path).to_owned(), cases.array(case, key))).collect()
    };
    let mut expected = Expected::default();
    let design = match case["op"].as_str().expect("an operation") {
        "max_pool2d" => max_pool::<T, 2>(case),
        "avg_pool2d" => avg_pool::<T, 2>(case, case["count_include_pad"] == true),
        "relu" => one(Activation::Relu),
        "gelu" => one(Activation::Gelu),
        "silu" => one(Activation::Silu),
        "sigmoid" => one(Activation::Sigmoid),
        "tanh" => one(Activation::Tanh),
        "leaky_relu" => one(Activation::LeakyRelu(case["slope"].as_f64().expect("a slope"))),
        "dense" => {
            expected.before = named(&[("weight", "w"), ("bias", "b")]);
            one(Dense::new(7, 5))
        }
        "batch_norm_train" => {
            expected.before = named(&[("weight", "gamma"), ("bias", "beta")]);
            expected.after = named(&[("running_mean", "running_mean"), ("running_var", "running_var")]);
            one(BatchNorm::new(4))
        }
        "batch_norm_eval" => {
            let statistics = [("running_mean", "mean"), ("running_var", "var")];
            expected.before = named(&[&[("weight", "gamma"), ("bias", "beta")][..], &statistics].concat());
            // A frozen one leaves its statistics alone.
            expected.after = named(&statistics);
            one(BatchNorm::new(4))
        }
        "layer_norm" => {
            expected.before = named(&[("weight", "gamma"), ("bias", "beta")]);
            one(LayerNorm::new(6))
        }
        _ => return None,
    };
    Some((design, expected))
}

fn shared_in<T: Float>() -> usize {
    let cases = Cases::read("nn.safetensors");
    let mut count = 0;
    for case in &cases.list {
        let Some((design, expected)) = shared::<T>(&cases, case) else { continue };
        let what = case.to_string();
        let mut network = design.build(1).expect(&what);
        if case["op"] == "batch_norm_eval" {
            network.freeze("").expect("it has parameters");
        }
        run(&what, network, &cases, case, &expected);
        count += 1;
    }
    count
}

#[test]
fn the_shared_cases_hold() {
    assert_eq!((shared_in::<f64>(), shared_in::<f32>()), (18, 18));
}

fn conv<T: Float, const N: usize>(cases: &Cases, case: &Value) -> Sequential<T> {
    let (x, w) = (cases.array(case, "x"), cases.array(case, "w"));
    one(Conv::<N>::new(x.shape()[1], w.shape()[0], &w.shape()[2..]).options(options(case)))
}

fn convolutions_in<T: Float>() {
    let cases = Cases::read("layer.safetensors");
    assert_eq!(cases.list.len(), 21);
    for case in &cases.list {
        let arrays = |keys: [&str; 2]| -> Arrays<'_> {
            let array = |(path, key): (&str, &str)| (path.to_owned(), cases.array(case, key));
            [("weight", keys[0]), ("bias", keys[1])].map(array).into()
        };
        let expected = Expected { before: arrays(["w", "b"]), gradients: arrays(["gw", "gb"]), after: Vec::new() };
        let what = case.to_string();
        let rank = cases.array(case, "x").ndim() - 2;
        run::<T>(&what, by_rank!(rank, conv(&cases, case)).build(1).expect(&what), &cases, case, &expected);
    }
}

#[test]
fn convolution_layers_are_as_pytorch_computes_them() {
    convolutions_in::<f64>();
    convolutions_in::<f32>();
}

/// Arrays in an order of memory that is not the standard one.
fn shuffled(array: &ArrayD<f64>) -> ArrayD<f64> {
    let mut order: Vec<usize> = (0..array.ndim()).collect();
    order.rotate_left(1);
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(place, &axis)| back[axis] = place);
    array.view().permuted_axes(order).as_standard_layout().into_owned().permuted_axes(back)
}

#[test]
fn functional_forms_are_the_layers() {
    let cases = Cases::read("layer.safetensors");
    for case in &cases.list {
        let (what, options) = (case.to_string(), options(case));
        let array = |key: &str| shuffled(cases.array(case, key));
        let b: Array1<f64> = array("b").into_dimensionality::<Ix1>().expect("one axis");
        macro_rules! check {
            ($ix:ident, $conv:ident, $input:ident, $weight:ident) => {{
                let fixed = |key| array(key).into_dimensionality::<faltung::ndarray::$ix>().expect("a fitting rank");
                let (x, w, dy) = (fixed("x"), fixed("w"), fixed("gy"));
                close(&what, &f::$conv(&x, &w, Some(&b), &options).expect(&what).into_dyn(), cases.array(case, "y"));
                let gx = f::$input(x.dim(), &w, &dy, &options).expect(&what).into_dyn();
                close(&what, &gx, cases.array(case, "gx"));
                let gw = f::$weight(&x, w.dim(), &dy, &options).expect(&what).into_dyn();
                close(&what, &gw, cases.array(case, "gw"));
                close(&what, &f::bias_gradient(&dy).into_dyn(), cases.array(case, "gb"));
                assert!(f::$input(dy.dim(), &w, &dy, &options).is_err() || dy.dim() == x.dim(), "{what}");
                let bias = Array1::zeros(b.len() + 1);
                assert!(f::$conv(&x, &w, Some(&bias), &options).is_err(), "{what}");
                assert!(f::$weight(&x, w.dim(), &x, &options).is_err() || dy.dim() == x.dim(), "{what}");
            }};
        }
        match array("x").ndim() {
            3 => check!(Ix3, conv1d, conv1d_input_gradient, conv1d_weight_gradient),
            4 => check!(Ix4, conv2d, conv2d_input_gradient, conv2d_weight_gradient),
            _ => check!(Ix5, conv3d, conv3d_input_gradient, conv3d_weight_gradient),
        }
    }
    let cases = Cases::read("nn.safetensors");
    let case = cases.list.iter().find(|case| case["op"] == "dense").expect("a dense layer");
    let two = |key| shuffled(cases.array(case, key)).into_dimensionality::<Ix2>().expect("two axes");
    let (x, w, dy): (Array2<f64>, _, _) = (two("x"), two("w"), two("gy"));
    let b: Array1<f64> = cases.array(case, "b").clone().into_dimensionality::<Ix1>().expect("one axis");
    close("dense", &f::dense(&x, &w, Some(&b)).expect("dense").into_dyn(), cases.array(case, "y"));
    close("dense, gx", &f::dense_input_gradient(&w, &dy).expect("dense").into_dyn(), cases.array(case, "gx"));
    assert_eq!(f::dense_weight_gradient(&x, &dy).expect("dense").dim(), w.dim());
    assert!(f::dense(&x, &two("gy"), None).is_err());
    let case = cases.list.iter().find(|case| case["op"] == "max_pool2d").expect("a pooling");
    let pool = MaxPool2d::new(extents(&case["kernel"])).stride(extents(&case["stride"]));
    let (x, dy) = (shuffled(cases.array(case, "x")), shuffled(cases.array(case, "gy")));
    close("max pool", &f::max_pool(&x, &pool).expect("pooled"), cases.array(case, "y"));
    close("max pool, gx", &f::max_pool_gradient(&x, &dy, &pool).expect("pooled"), cases.array(case, "gx"));
    let transposed = Cases::read("nn_layers.safetensors");
    let case = transposed.list.iter().find(|case| case["name"] == "transposed2").expect("a transposed convolution");
    let four =
        |key| transposed.array(case, key).clone().into_dimensionality::<faltung::ndarray::Ix4>().expect("rank 2");
    let b = transposed.array(case, "p.bias").clone().into_dimensionality::<Ix1>().expect("one axis");
    let y = f::conv_transpose2d(&four("x"), &four("p.weight"), Some(&b), &options(case), 1).expect("transposed");
    close("transposed", &y.into_dyn(), transposed.array(case, "y"));
}

fn build<T: Float>(design: impl Design<T> + 'static) -> Network<T> {
    one(design).build(1).expect("a design that makes sense")
}

#[test]
fn a_large_mean_costs_batch_norm_no_digits() {
    // Deviations that f32 holds exactly beside the mean.
    let x =
        ArrayD::from_shape_fn(IxDyn(&[4, 1, 40, 50]), |i| 65536.0 + ((i[0] + 3 * i[2] + 7 * i[3]) % 16) as f32 / 8.0);
    let exact = build::<f64>(BatchNorm::new(1)).train(x.mapv(f64::from).view()).expect("a pass").to_owned();
    close(
        "batch norm of large numbers",
        &build::<f32>(BatchNorm::new(1)).train(x.view()).expect("a pass").to_owned(),
        &exact,
    );
    let rows = x.into_shape_with_order(IxDyn(&[160, 50])).expect("rows");
    let exact = build::<f64>(LayerNorm::new(50)).train(rows.mapv(f64::from).view()).expect("a pass").to_owned();
    close(
        "layer norm of large numbers",
        &build::<f32>(LayerNorm::new(50)).train(rows.view()).expect("a pass").to_owned(),
        &exact,
    );
}

#[test]
fn evaluation_takes_what_training_has_seen() {
    let mut network = build::<f64>(BatchNorm::new(1).momentum(1.0).epsilon(0.0));
    network.train(array![[1.0], [3.0]].into_dyn().view()).expect("a pass");
    // Mean 2, unbiased variance 2.
    let y = network.forward(array![[2.0], [2.0 + 8f64.sqrt()]].into_dyn().view()).expect("a pass");
    assert!((y[[0, 0]], (y[[1, 0]] - 2.0).abs() < 1e-12) == (0.0, true), "{y}");
    assert!(network.train(array![[1.0]].into_dyn().view()).is_err(), "one number has no variance");
    let before = network.forward(array![[1.0]].into_dyn().view()).expect("a pass");
    network.freeze("").expect("parameters");
    assert_eq!(network.train(array![[1.0]].into_dyn().view()).expect("frozen, it may be one").to_owned(), before);
}

#[test]
fn dropout_drops_with_its_probability_and_alike_in_both_passes() {
    let ones = ArrayD::<f64>::ones(vec![7, 11, 60, 50]);
    for p in [0.0, 0.1, 0.5, 0.9, 1.0] {
        let designs = [build(Dropout::new(p)), build(SpatialDropout::new(p))];
        for (whole, mut network) in designs.into_iter().enumerate() {
            let y = network.train(ones.view()).expect("a pass").to_owned();
            let dropped = y.iter().filter(|&&y| y == 0.0).count() as f64 / y.len() as f64;
            let (count, scale) = if whole == 1 { (77.0, 1.0 / (1.0 - p)) } else { (y.len() as f64, 1.0 / (1.0 - p)) };
            assert!((dropped - p).abs() <= 4.0 * (p * (1.0 - p) / count).sqrt(), "{p}: {dropped}");
            assert!(y.iter().all(|&y| y == 0.0 || y == scale));
            assert_eq!(network.backward_to_input(ones.clone().view_mut()).expect("a pass"), y);
            let again = network.train(ones.view()).expect("a pass").to_owned();
            assert!((again != y) == (p > 0.0 && p < 1.0), "each pass draws anew");
            assert_eq!(network.forward(ones.view()).expect("a pass"), ones);
        }
    }
    // Neighbours, and the same place of neighbouring blocks, have nothing to do with each other.
    let y = build(Dropout::new(0.5)).train(ArrayD::<f32>::ones(vec![1 << 18]).view()).expect("a pass").to_owned();
    for step in [1, 2, 64, 1 << 14] {
        let alike = (step..y.len()).filter(|&i| (y[[i]] == 0.0) == (y[[i - step]] == 0.0)).count();
        let share = alike as f64 / (y.len() - step) as f64;
        assert!((share - 0.5).abs() < 0.005, "{step}: {share}");
    }
}

#[test]
fn not_a_number_stays_where_it_belongs() {
    let nan = f64::NAN;
    let x = array![[[1.0, nan, 3.0, 4.0]]].into_dyn();
    let y = build(MaxPool::<1>::new(2)).forward(x.view()).expect("a pass");
    assert!(y[[0, 0, 0]].is_nan() && y[[0, 0, 1]] == 4.0);
    let y = build(MaxPool::<1>::new(3).stride(1)).forward(x.view()).expect("a pass");
    assert!(y.iter().all(|y| y.is_nan()));
    for design in [one(GlobalMaxPool), one(GlobalAvgPool)] {
        assert!(design.build(1).expect("pooling").forward(x.view()).expect("a pass")[[0, 0]].is_nan());
    }
    let y =
        build(BatchNorm::new(2)).train(array![[nan, 1.0], [1.0, 2.0]].into_dyn().view()).expect("a pass").to_owned();
    assert!(y[[0, 0]].is_nan() && y[[0, 1]].is_finite() && y[[1, 1]].is_finite());
    let mut network = Sequential::new().layer(BatchNorm::new(1)).layer(Activation::Relu).build(1).expect("a network");
    assert!(network.train(array![[nan], [1.0]].into_dyn().view()).expect("a pass").iter().all(|y| y.is_nan()));
    let s = f::softmax(&array![1.0, nan], faltung::ndarray::Axis(0)).expect("an axis");
    assert!(s.iter().all(|s| s.is_nan()));
}

#[test]
fn words_outside_the_vocabulary_are_refused() {
    let mut network = build::<f32>(Embedding::new(5, 2));
    for bad in [-1.0, 5.0, 1.5, f32::NAN, f32::INFINITY, 1e30] {
        let error = network.forward(array![[0.0, bad]].into_dyn().view()).expect_err("no word");
        assert!(error.to_string().contains("at place 1"), "{error}");
    }
    assert!(network.forward(array![[4.0, 0.0]].into_dyn().view()).is_ok());
}

#[test]
fn what_makes_no_sense_is_an_error() {
    fn fails(what: &str, design: impl Design<f32> + 'static) {
        let Err(error) = one(design).build(1) else { panic!("{what} is built") };
        assert!(error.to_string().contains(what), "{what}: {error}");
    }
    fails("channels", BatchNorm::new(0));
    fails("epsilon", BatchNorm::new(1).epsilon(f64::NAN));
    fails("epsilon", LayerNorm::new(3).epsilon(-1.0));
    fails("momentum", BatchNorm::new(1).momentum(1.5));
    fails("shape", LayerNorm::new([3, 0]));
    fails("probability", Dropout::new(f64::NAN));
    fails("probability", SpatialDropout::new(1.1));
    fails("vocabulary", Embedding::new(0, 3));
    fails("vocabulary", Embedding::new(1 << 25, 3));
    fails("dimension", Embedding::new(3, 0));
    fails("padding", Embedding::new(3, 3).padding(3));
    fails("output", AdaptiveAvgPool::<2>::new([1, 0]));
    fails("output", AdaptiveAvgPool::<2>::new([1, 1, 1]));
    fails("branches", Parallel::new());
    fails("groups", Conv2d::new(4, 4, 3).groups(0));
    fails("weights' size", Embedding::new(1 << 24, usize::MAX >> 20));

    fn refuses(what: &str, design: Sequential<f32>, shape: &[usize]) {
        let network = design.build(1).expect("a design that makes sense");
        assert!(network.output_shape(shape).is_err(), "{what} takes {shape:?}");
    }
    refuses("batch norm", one(BatchNorm::new(3)), &[2, 4, 5]);
    refuses("batch norm", one(BatchNorm::new(3)), &[3]);
    refuses("layer norm", one(LayerNorm::new([3, 4])), &[2, 4]);
    refuses("layer norm", one(LayerNorm::new([3, 4])), &[3, 4]);
    refuses("pooling", one(MaxPool2d::new(2)), &[1, 1, 0, 4]);
    refuses("adaptive pooling", one(AdaptiveAvgPool::<2>::new(2)), &[1, 1, 0, 4]);
    refuses("adaptive pooling", one(AdaptiveAvgPool::<2>::new(2)), &[1, 1, 4]);
    refuses("global pooling", one(GlobalAvgPool), &[1, 2, 0]);
    refuses("spatial dropout", one(SpatialDropout::new(0.5)), &[4]);
    refuses("a residual block", one(Residual::new(one(Dense::new(3, 4)))), &[2, 3]);
    refuses("branches", one(Parallel::new().branch(one(GlobalAvgPool)).branch(Sequential::new())), &[2, 3, 4]);
    refuses(
        "branches",
        one(Parallel::new().branch(one(Conv1d::new(3, 4, 2))).branch(one(Conv1d::new(3, 4, 3)))),
        &[2, 3, 4],
    );
    refuses("embedding", one(Embedding::new(5, 1 << 20)), &[1 << 40, 1 << 10]);
}

#[test]
fn an_empty_batch_is_a_batch() {
    let convolutions = block::<f32>(3, 4, 2).layer(GlobalAvgPool).layer(Dense::new(4, 2));
    let words = one::<f32>(Embedding::new(5, 3).channels_first()).layer(BatchNorm::new(3)).layer(Dropout::new(0.5));
    let rows = one::<f32>(Flatten).layer(LayerNorm::new(6)).layer(Activation::Gelu).layer(SpatialDropout::new(0.1));
    for (design, shape, words) in
        [(convolutions, vec![0, 3, 6, 6], false), (words, vec![0, 7], true), (rows, vec![0, 6], false)]
    {
        let mut network = design.build(1).expect("a network");
        let x = ArrayD::<f32>::zeros(IxDyn(&shape));
        let y = network.train(x.view()).expect("a pass").to_owned();
        assert_eq!(y.shape()[0], 0);
        match words {
            true => network.backward(y.clone().view_mut()).expect("a pass"),
            false => assert_eq!(network.backward_to_input(y.clone().view_mut()).expect("a pass").shape(), shape),
        }
        let zero = network.parameters(&mut |name, p| {
            assert!(p.gradient.iter().all(|&g| g == 0.0), "{name}");
            Ok(())
        });
        zero.expect("nothing is refused");
    }
}
