//! Learning: losses, optimisers and whole trainings against PyTorch in double precision.

use std::path::Path;

use faltung::ndarray::{Array1, ArrayD, Axis, IxDyn, array};
use faltung::nn::data::Targets;
use faltung::nn::{
    Activation::Relu, Adam, AdamW, BinaryCrossEntropy, Built, Clip, Conv2d, CrossEntropy, Dense, Flatten, Float, Layer,
    Loss, MaxPool2d, MeanSquaredError, Network, Optimizer, Parameter, RmsProp, Schedule, Sequential, Sgd,
};
use faltung::{Error, Result};
use safetensors::SafeTensors;
use serde_json::Value;

struct Cases {
    bytes: Vec<u8>,
    list: Vec<Value>,
}

impl Cases {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/nn.safetensors");
        let bytes = std::fs::read(path).expect("the cases are part of the repository");
        let (_, metadata) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let list = metadata.metadata().as_ref().expect("it has metadata")["cases"].clone();
        Self { list: serde_json::from_str(&list).expect("a list of cases"), bytes }
    }

    fn of(&self, op: &str, least: usize) -> Vec<(&Value, String)> {
        let found: Vec<_> = self
            .list
            .iter()
            .filter(|case| case["op"] == op)
            .map(|case| (case, case["name"].as_str().expect("a name").to_owned()))
            .collect();
        assert!(found.len() >= least, "{op}: {} cases", found.len());
        found
    }

    fn array<T: Float>(&self, case: &str, key: &str) -> ArrayD<T> {
        let file = SafeTensors::deserialize(&self.bytes).expect("a safetensors file");
        let tensor = file.tensor(&format!("{case}/{key}")).expect("the case has this tensor");
        let bytes = tensor.data().chunks_exact(8);
        let values = bytes.map(|b| T::from_f64(f64::from_le_bytes(b.try_into().expect("eight bytes")))).collect();
        ArrayD::from_shape_vec(IxDyn(tensor.shape()), values).expect("as many as the shape says")
    }

    fn classes(&self, case: &str, key: &str) -> Vec<usize> {
        let file = SafeTensors::deserialize(&self.bytes).expect("a safetensors file");
        let tensor = file.tensor(&format!("{case}/{key}")).expect("the case has this tensor");
        let bytes = tensor.data().chunks_exact(8);
        bytes.map(|b| i64::from_le_bytes(b.try_into().expect("eight bytes")) as usize).collect()
    }
}

/// The largest difference, relative to the largest value expected.
fn distance<T: Float>(found: &ArrayD<T>, expected: &ArrayD<T>) -> f64 {
    assert_eq!(found.shape(), expected.shape());
    let largest = expected.iter().map(|v| v.as_f64().abs()).fold(f64::MIN_POSITIVE, f64::max);
    let difference = found.iter().zip(expected).map(|(a, b)| (a.as_f64() - b.as_f64()).abs());
    difference.fold(0.0, |most, d| if d <= most { most } else { d }) / largest
}

#[test]
fn cross_entropy_is_pytorchs() {
    let cases = Cases::read();
    for (_, name) in cases.of("cross_entropy", 2) {
        let x = cases.array::<f64>(&name, "x");
        let targets = Targets::Classes(cases.classes(&name, "target"));
        let mut gradient = ArrayD::from_elem(x.raw_dim(), f64::NAN);
        let loss = CrossEntropy::new().evaluate(x.view(), &targets, Some(gradient.view_mut())).expect("a loss");
        let expected = cases.array::<f64>(&name, "loss")[[0]];
        assert!((loss - expected).abs() <= 1e-12 * expected.max(1.0), "{name}: {loss} for {expected}");
        let off = distance(&gradient, &cases.array(&name, "gx"));
        assert!(off < 1e-12, "{name}: {off:e}");
    }
}

/// The gradient of a loss against differences of the loss.
fn check_gradient(loss: &dyn Loss<f64>, y: &ArrayD<f64>, targets: &Targets<f64>) {
    let mut gradient = ArrayD::from_elem(y.raw_dim(), f64::NAN);
    loss.evaluate(y.view(), targets, Some(gradient.view_mut())).expect("a loss");
    for i in 0..y.len() {
        let at = |step: f64| {
            let mut moved = y.clone();
            moved.as_slice_mut().expect("standard layout")[i] += step;
            loss.evaluate(moved.view(), targets, None).expect("a loss")
        };
        let expected = (at(1e-6) - at(-1e-6)) / 2e-6;
        let found = gradient.as_slice().expect("standard layout")[i];
        assert!((found - expected).abs() < 1e-8, "component {i}: {found} for {expected}");
    }
}

#[test]
fn losses_have_the_gradients_that_they_say() {
    let y = array![[0.3, -1.2, 2.0], [0.0, 0.7, -0.4]].into_dyn();
    let soft = array![[0.2, 0.5, 0.3], [0.0, 1.0, 0.0]].into_dyn();
    let smooth = CrossEntropy::new().label_smoothing(0.1).expect("a share");
    check_gradient(&CrossEntropy::new(), &y, &Targets::Classes(vec![2, 0]));
    check_gradient(&smooth, &y, &Targets::Classes(vec![2, 0]));
    check_gradient(&smooth, &y, &Targets::Values(soft.clone()));
    check_gradient(&MeanSquaredError, &y, &Targets::Values(soft.clone()));
    check_gradient(&BinaryCrossEntropy, &y, &Targets::Values(soft));
}

#[test]
fn label_smoothing_is_a_mixture_of_targets() {
    let y = array![[0.3, -1.2, 2.0, 0.1]].into_dyn();
    let smooth = CrossEntropy::new().label_smoothing(0.2).expect("a share");
    let mixed = Targets::Values(array![[0.05, 0.05, 0.85, 0.05]].into_dyn());
    let a = smooth.evaluate(y.view(), &Targets::Classes(vec![2]), None).expect("a loss");
    let b = CrossEntropy::new().evaluate(y.view(), &mixed, None).expect("a loss");
    assert!((a - b).abs() < 1e-14, "{a} for {b}");
}

#[test]
fn losses_refuse_what_does_not_fit() {
    let y = array![[0.3, -1.2], [0.1, 0.2]].into_dyn();
    let loss = |t: &Targets<f64>| CrossEntropy::new().evaluate(y.view(), t, None);
    assert!(loss(&Targets::Classes(vec![0])).is_err());
    assert!(loss(&Targets::Classes(vec![0, 2])).is_err());
    assert!(loss(&Targets::Values(array![[0.5], [0.5]].into_dyn())).is_err());
    let mut small = ArrayD::zeros(vec![2]);
    let targets = Targets::Classes(vec![0, 1]);
    assert!(CrossEntropy::new().evaluate(y.view(), &targets, Some(small.view_mut())).is_err());
    assert!(MeanSquaredError.evaluate(y.view(), &targets, None).is_err());
    assert!(CrossEntropy::new().label_smoothing(1.5).is_err());
    assert!(CrossEntropy::new().label_smoothing(f64::NAN).is_err());
    let nan = array![[f64::NAN, 0.0]].into_dyn();
    assert!(CrossEntropy::new().evaluate(nan.view(), &Targets::Classes(vec![1]), None).expect("a loss").is_nan());
}

/// A network that is its parameter: what an optimiser makes of gradients given.
struct Bare(Parameter<f64>);

impl Layer<f64> for Bare {
    fn output_shape(&self, _: &[usize]) -> Result<Vec<usize>> {
        Ok(vec![1, self.0.value.len()])
    }

    fn forward(
        &mut self,
        _: faltung::ndarray::ArrayViewD<'_, f64>,
        mut y: faltung::ndarray::ArrayViewMutD<'_, f64>,
        _: &mut faltung::nn::Context<f64>,
    ) -> Result<()> {
        y.as_slice_mut().expect("standard layout").copy_from_slice(self.0.values()?);
        Ok(())
    }

    fn backward(&mut self, pass: faltung::nn::Backward<'_, f64>, _: &mut faltung::nn::Context<f64>) -> Result<()> {
        let dy = pass.dy.as_slice().expect("standard layout");
        self.0.slices_mut()?.1.copy_from_slice(dy);
        Ok(())
    }

    fn visit(&mut self, visitor: &mut faltung::nn::Visitor<'_, f64>) -> Result<()> {
        visitor.parameter("w", &mut self.0)
    }
}

fn bare(start: ArrayD<f64>) -> Network<f64> {
    Sequential::new().layer(Built(Bare(Parameter::new(start)))).build(0).expect("a network")
}

/// A step on a gradient, and the weights behind it.
fn follow(network: &mut Network<f64>, optimizer: &mut Optimizer<f64>, gradient: Array1<f64>) -> ArrayD<f64> {
    network.train(ArrayD::zeros(vec![1, 1]).view()).expect("an output");
    network.backward(gradient.insert_axis(Axis(0)).into_dyn().view_mut()).expect("gradients");
    optimizer.step(network).expect("a step");
    let mut value = None;
    let mut each = |_: &str, p: &mut Parameter<f64>| {
        value = Some(p.value.clone());
        Ok(())
    };
    network.parameters(&mut each).expect("parameters");
    value.expect("one parameter")
}

#[test]
fn optimisers_are_pytorchs() {
    let cases = Cases::read();
    for (case, name) in cases.of("optimizer", 5) {
        let optimizer = match case["kind"].as_str().expect("a kind") {
            "sgd" => Optimizer::new(Sgd::new(0.1)),
            "sgd_momentum" => Optimizer::new(Sgd::new(0.1).momentum(0.9).nesterov(true).weight_decay(1e-3)),
            "adam" => Optimizer::new(Adam::new(0.01)),
            "adamw" => Optimizer::new(AdamW::new(0.01).weight_decay(0.1)),
            "rmsprop" => Optimizer::new(RmsProp::new(0.01)),
            kind => panic!("no optimiser {kind}"),
        };
        let mut optimizer = optimizer;
        let mut network = bare(cases.array(&name, "start"));
        let (gradients, trajectory) = (cases.array::<f64>(&name, "grads"), cases.array::<f64>(&name, "trajectory"));
        for (gradient, expected) in gradients.outer_iter().zip(trajectory.outer_iter()) {
            let gradient = gradient.to_owned().into_dimensionality().expect("one axis");
            let off = distance(&follow(&mut network, &mut optimizer, gradient), &expected.to_owned());
            assert!(off < 1e-12, "{}: {off:e}", case["kind"]);
        }
        assert_eq!(optimizer.steps(), 5);
    }
}

#[test]
fn gradients_are_clipped_by_their_norm_or_their_values() {
    let step = |clip: Clip, gradient: Array1<f64>| {
        let mut optimizer = Optimizer::new(Sgd::new(1.0)).clip(clip);
        follow(&mut bare(ArrayD::zeros(vec![2])), &mut optimizer, gradient)
    };
    let off = distance(&step(Clip::Norm(1.0), array![3.0, -4.0]), &array![-0.6, 0.8].into_dyn());
    assert!(off < 1e-15);
    assert_eq!(step(Clip::Norm(10.0), array![3.0, -4.0]), array![-3.0, 4.0].into_dyn());
    assert_eq!(step(Clip::Value(3.5), array![3.0, -4.0]), array![-3.0, 3.5].into_dyn());
    assert!(step(Clip::Value(3.5), array![f64::NAN, 0.0])[[0]].is_nan());
}

#[test]
fn frozen_parameters_stay_and_decay_spares_vectors() {
    let mut network = bare(array![1.0, 2.0].into_dyn());
    let mut optimizer = Optimizer::new(Sgd::new(0.5).weight_decay(1.0)).decay_matrices_only();
    assert_eq!(follow(&mut network, &mut optimizer, array![0.0, 0.0]), array![1.0, 2.0].into_dyn());
    network.freeze("0.w").expect("it is there");
    assert_eq!(follow(&mut network, &mut optimizer, array![1.0, 1.0]), array![1.0, 2.0].into_dyn());
    network.unfreeze("").expect("all of them");
    assert_eq!(follow(&mut network, &mut optimizer, array![1.0, 1.0]), array![0.5, 1.5].into_dyn());
}

#[test]
fn schedules_pass_through_the_points_of_their_definitions() {
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} for {b}");
    let cosine = Schedule::cosine_to(100, 0.1);
    near(cosine.factor(0), 1.0);
    near(cosine.factor(50), 0.55);
    near(cosine.factor(100), 0.1);
    near(cosine.factor(1000), 0.1);
    // PyTorch: OneCycleLR(max_lr=1, total_steps=10), which peaks at step 2.
    let cycle = Schedule::one_cycle(10);
    let expected = [0.04, 0.52, 1.0, 0.9504846320134737, 0.8117456539497631, 0.6112620219362893, 0.38874197806371075];
    for (step, expected) in expected.into_iter().enumerate() {
        assert!((cycle.factor(step as u64) - expected).abs() < 1e-12, "step {step}: {}", cycle.factor(step as u64));
    }
    near(cycle.factor(9), 4e-6);
    near(Schedule::constant().warm_up(4).factor(0), 0.25);
    near(Schedule::step(10, 0.5).factor(29), 0.25);
    near(Schedule::cosine(0).factor(0), 1.0);
}

/// Loads a parameter of the seed's network.
fn load<T: Float>(network: &mut Network<T>, cases: &Cases, case: &str) {
    let mut loaded = 0;
    let mut each = |path: &str, parameter: &mut Parameter<T>| -> Result<()> {
        parameter.value = cases.array(case, &format!("init.{path}"));
        loaded += 1;
        Ok::<(), Error>(())
    };
    network.parameters(&mut each).expect("parameters");
    assert_eq!(loaded, 6);
}

fn trajectory<T: Float>(tolerance: f64) {
    let cases = Cases::read();
    let (_, name) = &cases.of("train_seed_network", 1)[0];
    let design = Sequential::<T>::new().layer(Conv2d::new(1, 32, 3)).layer(Relu).layer(MaxPool2d::new(2));
    let design = design.layer(Flatten).layer(Dense::new(5408, 16)).layer(Relu).layer(Dense::new(16, 10));
    let mut network = design.build(1).expect("a network");
    load(&mut network, &cases, name);
    let (mut optimizer, loss) = (Optimizer::new(Adam::new(1e-3)), CrossEntropy::new());
    let (x, targets) = (cases.array::<T>(name, "x"), cases.classes(name, "target"));
    let losses = cases.array::<f64>(name, "losses");
    let mut gradient = ArrayD::from_elem(vec![8, 10], T::from_f64(f64::NAN));
    for (step, (x, targets)) in x.outer_iter().zip(targets.chunks(8)).enumerate() {
        let targets = Targets::Classes(targets.to_vec());
        let logits = network.train(x).expect("logits");
        let found = loss.evaluate(logits, &targets, Some(gradient.view_mut())).expect("a loss");
        let off = (found - losses[[step]]).abs();
        assert!(off < tolerance, "step {step}: {found} for {}", losses[[step]]);
        network.backward(gradient.view_mut()).expect("gradients");
        optimizer.step(&mut network).expect("a step");
    }
    let mut compared = 0;
    network
        .parameters(&mut |path, parameter| {
            if path == "0.weight" || path == "6.weight" {
                let off = distance(&parameter.value, &cases.array(name, &format!("final.{path}")));
                assert!(off < tolerance, "{path}: {off:e}");
                compared += 1;
            }
            Ok(())
        })
        .expect("parameters");
    assert_eq!(compared, 2);
    let logits = network.forward(x.index_axis(Axis(0), 0)).expect("logits");
    let off = distance(&logits, &cases.array(name, "logits"));
    assert!(off < tolerance, "logits: {off:e}");
}

#[test]
fn ten_steps_of_the_mnist_network_are_pytorchs() {
    trajectory::<f64>(1e-9);
    trajectory::<f32>(2e-4);
}
