//! The backward pass of every layer and block, held to differences of the forward pass; and what all layers have in
//! common: the same bits on any number of threads, shapes that are refused, and empty batches.

use faltung::Result;
use faltung::ndarray::{ArrayD, IxDyn};
use faltung::nn::{
    Activation, AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, AvgPool3d, BatchNorm, Conv1d, Conv2d, Conv3d, ConvOptions,
    ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, Dense, Dropout, Embedding, Flatten, Float, GlobalAvgPool,
    GlobalMaxPool, Item, LayerNorm, MaxPool1d, MaxPool2d, MaxPool3d, Network, Parallel, Random, Residual, Sequential,
    SpatialDropout, depthwise_separable,
};
use faltung::nn::{AdaptiveAvgPool1d, AdaptiveAvgPool3d};

fn one<T: Float>(design: impl faltung::nn::Design<T> + 'static) -> Sequential<T> {
    Sequential::new().layer(design)
}

fn normal<T: Float>(shape: &[usize], random: &mut Random) -> ArrayD<T> {
    ArrayD::from_shape_simple_fn(IxDyn(shape), || T::from_f64(random.normal()))
}

/// The tests' loss, sum of `weights` times output, whatever is drawn at random being drawn as from `draws`.
fn loss(network: &mut Network<f64>, x: &ArrayD<f64>, weights: &ArrayD<f64>, draws: &Random) -> f64 {
    *network.context().random() = draws.clone();
    (&network.train(x.view()).expect("a forward pass") * weights).sum()
}

/// Adds to one weight.
fn nudge(network: &mut Network<f64>, path: &str, index: usize, by: f64) {
    let visited = network.parameters(&mut |name, parameter| {
        if name == path {
            parameter.value.as_slice_mut().expect("standard layout")[index] += by;
        }
        Ok(())
    });
    visited.expect("nothing is refused");
}

fn gradients(network: &mut Network<f64>) -> Vec<(String, ArrayD<f64>)> {
    let mut all = Vec::new();
    let visited = network.parameters(&mut |name, p| {
        all.push((name.to_owned(), p.gradient.clone()));
        Ok(())
    });
    visited.expect("nothing is refused");
    all
}

const STEP: f64 = 1e-5;
/// Each array is tried at so many places at the most.
const PLACES: usize = 40;

fn agree(what: &str, index: usize, slope: f64, gradient: f64) {
    let off = (slope - gradient).abs();
    assert!(off <= 2e-7 * (1.0 + slope.abs()), "{what} at {index}: {gradient}, by differences {slope}");
}

fn places(count: usize) -> impl Iterator<Item = usize> {
    (0..count).step_by(count.div_ceil(PLACES).max(1))
}

/// Checks all gradients of a network.
fn check_built(name: &str, network: &mut Network<f64>, shape: &[usize]) {
    let mut random = Random::new(3);
    let x = normal::<f64>(shape, &mut random);
    check_at(name, network, x, true, false);
}

fn check_at(name: &str, network: &mut Network<f64>, mut x: ArrayD<f64>, with_input: bool, padding: bool) {
    let mut random = Random::new(4);
    // Weights that begin at 1 and biases at 0 hide mistakes.
    let stirred = network.parameters(&mut |_, parameter| {
        parameter.value.mapv_inplace(|value| value + 0.3 * random.normal());
        Ok(())
    });
    stirred.expect("nothing is refused");
    let output = network.output_shape(x.shape()).unwrap_or_else(|e| panic!("{name}: {e}"));
    let weights = normal::<f64>(&output, &mut random);
    let draws = Random::new(5);
    loss(network, &x, &weights, &draws);
    // Nothing of an earlier pass may be left in the result.
    let poisoned = network.parameters(&mut |_, parameter| {
        parameter.gradient.fill(f64::NAN);
        Ok(())
    });
    poisoned.expect("nothing is refused");
    network.backward(weights.clone().view_mut()).unwrap_or_else(|e| panic!("{name}: {e}"));
    let learnt = gradients(network);
    if with_input {
        loss(network, &x, &weights, &draws);
        let dx = network.backward_to_input(weights.clone().view_mut()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(gradients(network), learnt, "{name}: with the input's gradient and without");
        for i in places(x.len()) {
            let mut at = |by: f64| {
                let slice = x.as_slice_mut().expect("standard layout");
                let value = slice[i];
                slice[i] += by;
                let l = loss(network, &x, &weights, &draws);
                x.as_slice_mut().expect("standard layout")[i] = value;
                l
            };
            let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            agree(&format!("{name}, input"), i, slope, dx.as_slice().expect("standard layout")[i]);
        }
    }
    for (path, gradient) in learnt {
        for i in places(gradient.len()) {
            // The vector of the padding counts, but is not trained.
            if padding && path == "0.weight" && i < gradient.shape()[1] {
                assert_eq!(gradient.as_slice().expect("standard layout")[i], 0.0, "{name}");
                continue;
            }
            nudge(network, &path, i, STEP);
            let above = loss(network, &x, &weights, &draws);
            nudge(network, &path, i, -2.0 * STEP);
            let below = loss(network, &x, &weights, &draws);
            nudge(network, &path, i, STEP);
            let slope = (above - below) / (2.0 * STEP);
            agree(&format!("{name}, {path}"), i, slope, gradient.as_slice().expect("standard layout")[i]);
        }
    }
}

fn check(name: &str, design: Sequential<f64>, shape: &[usize]) {
    check_built(name, &mut design.build(1).unwrap_or_else(|e| panic!("{name}: {e}")), shape);
}

fn residual<T: Float>(inputs: usize, outputs: usize, stride: usize) -> Sequential<T> {
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
    Sequential::new().named("", block).named("", Activation::Relu)
}

/// Every layer and block, each with an input that it takes, none of a round size.
fn every_layer<T: Float>() -> Vec<(&'static str, Sequential<T>, Vec<usize>)> {
    let strided = ConvOptions::new().stride(2).padding([1, 2]).dilation([2, 1]).groups(2);
    let inception = Parallel::new()
        .branch(one(Conv2d::new(3, 2, 1)).layer(Activation::Relu))
        .named("wide", one(Conv2d::new(3, 4, 3).padding(1)).layer(BatchNorm::new(4)))
        .branch(one(MaxPool2d::new(3).stride(1).padding(1)))
        .branch(Sequential::new());
    let words = |width| one(Conv1d::new(3, 4, width)).layer(Activation::Relu).layer(GlobalMaxPool);
    vec![
        ("conv 1d", one(Conv1d::new(3, 4, 3).padding(1)), vec![2, 3, 9]),
        ("conv 2d", one(Conv2d::new(4, 6, [3, 2]).options(strided)), vec![2, 4, 9, 7]),
        ("conv 3d", one(Conv3d::new(2, 3, 2).without_bias()), vec![1, 2, 4, 3, 5]),
        ("conv and relu", one(Conv2d::new(2, 3, 3).same()).layer(Activation::Relu), vec![3, 2, 5, 7]),
        ("transposed 1d", one(ConvTranspose1d::new(3, 4, 3).stride(2).output_padding(1)), vec![2, 3, 5]),
        ("transposed 2d", one(ConvTranspose2d::new(4, 6, 3).stride(2).padding(1).groups(2)), vec![2, 4, 5, 3]),
        ("transposed 3d", one(ConvTranspose3d::new(2, 3, 2)).layer(Activation::Tanh), vec![1, 2, 3, 2, 3]),
        ("dense", one(Dense::new(7, 5)), vec![3, 7]),
        ("dense on rows", one(Dense::new(7, 5)).layer(Activation::Sigmoid), vec![3, 2, 7]),
        ("relu", one(Activation::Relu), vec![3, 7]),
        ("leaky relu", one(Activation::LeakyRelu(0.2)), vec![3, 7]),
        ("gelu", one(Activation::Gelu), vec![3, 7]),
        ("silu", one(Activation::Silu), vec![3, 7]),
        ("sigmoid", one(Activation::Sigmoid), vec![3, 7]),
        ("tanh", one(Activation::Tanh), vec![3, 7]),
        ("max pool 1d", one(MaxPool1d::new(3).padding(1)), vec![2, 3, 10]),
        ("max pool 2d", one(MaxPool2d::new(2)), vec![2, 3, 7, 5]),
        ("max pool 3 by 2", one(MaxPool2d::new(3).stride(2).padding(1)), vec![2, 3, 9, 8]),
        ("max pool 3 by 1", one(MaxPool2d::new(3).stride(1).padding(1)), vec![2, 2, 5, 8]),
        ("max pool 3d", one(MaxPool3d::new([1, 2, 2])), vec![2, 1, 3, 5, 4]),
        ("max pool 3d by 2", one(MaxPool3d::new(3).stride([1, 2, 2]).padding(1)), vec![1, 2, 4, 5, 6]),
        ("avg pool 1d", one(AvgPool1d::new(2).stride(3)), vec![2, 3, 10]),
        ("avg pool 2d", one(AvgPool2d::new(3).stride(2).padding(1)), vec![2, 3, 7, 5]),
        ("avg pool 2", one(AvgPool2d::new(2)), vec![2, 3, 7, 5]),
        (
            "avg pool of samples",
            one(AvgPool2d::new(3).stride(1).padding(1).count_include_padding(false)),
            vec![1, 2, 4, 5],
        ),
        ("avg pool 3d", one(AvgPool3d::new(2)), vec![1, 2, 4, 5, 6]),
        ("adaptive 1d", one(AdaptiveAvgPool1d::new(3)), vec![2, 3, 10]),
        ("adaptive 2d", one(AdaptiveAvgPool2d::new([3, 4])), vec![2, 3, 7, 3]),
        ("adaptive 3d", one(AdaptiveAvgPool3d::new(2)), vec![1, 2, 5, 2, 3]),
        ("global average", one(GlobalAvgPool), vec![2, 3, 7, 5]),
        ("global max", one(GlobalMaxPool), vec![2, 3, 37]),
        ("batch norm", one(BatchNorm::new(3)), vec![2, 3, 4, 5]),
        ("batch norm and relu", one(BatchNorm::new(3)).layer(Activation::Relu), vec![2, 3, 4, 5]),
        ("batch norm of features", one(BatchNorm::new(70)).layer(Activation::Relu), vec![5, 70]),
        ("batch norm of signals", one(BatchNorm::new(2).without_affine()), vec![3, 2, 33]),
        ("batch norm of volumes", one(BatchNorm::new(2)), vec![2, 2, 3, 2, 3]),
        ("layer norm", one(LayerNorm::new(70)), vec![3, 2, 70]),
        ("layer norm of two axes", one(LayerNorm::new([3, 5]).without_affine()), vec![4, 3, 5]),
        ("dropout", one(Dropout::new(0.4)).layer(Dense::new(9, 2)), vec![5, 9]),
        ("spatial dropout", one(SpatialDropout::new(0.4)), vec![2, 5, 3, 3]),
        ("flatten", one(Flatten).layer(Dense::new(12, 2)), vec![2, 3, 4]),
        ("residual", one(residual(3, 3, 1)).layer(residual(3, 4, 2)), vec![2, 3, 5, 6]),
        ("identity", one(Residual::new(Sequential::new())), vec![2, 3]),
        ("residual of tanh", one(Residual::new(one(Dense::new(4, 4)).layer(Activation::Tanh))), vec![2, 4]),
        ("inception", one(Conv2d::new(2, 3, 1)).layer(inception), vec![2, 2, 5, 4]),
        ("text", one(Parallel::new().branch(words(2)).branch(words(3))).layer(Dense::new(8, 2)), vec![3, 3, 7]),
        ("separable", depthwise_separable(3, 5, 2), vec![2, 3, 7, 6]),
    ]
}

#[test]
fn gradients_are_the_slopes() {
    for (name, design, shape) in every_layer() {
        check(name, design, &shape);
    }
}

#[test]
fn an_embedding_learns_from_its_words() {
    let ids = ArrayD::from_shape_vec(IxDyn(&[2, 4]), vec![3.0, 0.0, 6.0, 3.0, 1.0, 5.0, 5.0, 5.0]).expect("a shape");
    for padding in [false, true] {
        let words = || if padding { Embedding::new(7, 3).padding(0) } else { Embedding::new(7, 3) };
        let last = one(words()).layer(Dense::new(3, 2));
        check_at("embedding", &mut last.build(1).expect("a network"), ids.clone(), false, padding);
        let first = one(words().channels_first()).layer(Conv1d::new(3, 2, 2));
        check_at("embedding, channels first", &mut first.build(1).expect("a network"), ids.clone(), false, padding);
    }
}

/// Output, input gradient and gradients of a training pass, then the output of evaluation, as bits.
fn bits(design: Sequential<f32>, shape: &[usize]) -> Result<Vec<u32>> {
    let mut network = design.build(1)?;
    let mut random = Random::new(2);
    let x = normal::<f32>(shape, &mut random);
    let mut all = network.train(x.view())?.to_owned();
    let dx = network.backward_to_input(normal(all.shape(), &mut random).view_mut())?;
    let mut bits: Vec<u32> = all.iter().chain(&dx).map(|v| v.to_bits()).collect();
    network.visit(&mut |_, item| {
        match item {
            Item::Parameter(p) => bits.extend(p.gradient.iter().map(|v| v.to_bits())),
            Item::Buffer(b) => bits.extend(b.iter().map(|v| v.to_bits())),
            _ => {}
        }
        Ok(())
    })?;
    all = network.forward(x.view())?;
    bits.extend(all.iter().map(|v| v.to_bits()));
    Ok(bits)
}

fn on<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool").install(work)
}

#[test]
fn threads_change_no_bit() {
    for i in 0..every_layer::<f32>().len() {
        let run = || {
            let (name, design, mut shape) = every_layer::<f32>().swap_remove(i);
            shape[0] = 67;
            (name, bits(design, &shape).unwrap_or_else(|e| panic!("{name}: {e}")))
        };
        let ((name, alone), (_, shared)) = (on(1, run), on(4, run));
        assert!(alone == shared, "{name}");
    }
}
