//! Trainings as a whole: what they learn, that they repeat every bit, and that they can be interrupted anywhere.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use faltung::ndarray::{Array4, ArrayD, ArrayViewMutD};
use faltung::nn::data::{Arrays, Dataset, Mnist, Targets};
use faltung::nn::{
    Activation::Relu, Adam, Batch, Callback, Conv2d, CrossEntropy, CsvLog, Curves, Dense, Dropout, Epoch, Flatten,
    Flow, MaxPool2d, MeanSquaredError, Network, Optimizer, Outline, Schedule, Sequential, Sgd, Stopping, Trainer,
};
use faltung::{Error, Result};

/// Pictures of bars, upright or level, and which of them they are.
fn bars(count: usize) -> Arrays<f32> {
    let pictures = Array4::from_shape_fn((count, 1, 8, 8), |(n, _, i, j)| {
        let along = if n % 2 == 0 { i } else { j };
        let noise = ((n * 31 + i * 7 + j * 13) % 17) as f32 / 40.0;
        if along == n / 2 % 8 { 1.0 + noise } else { noise }
    });
    Arrays::new(pictures.into_dyn(), Targets::Classes((0..count).map(|n| n % 2).collect())).expect("as many of each")
}

/// A network with all that could differ from run to run: dropout draws, pooling, several threads' sums.
fn network(seed: u64) -> Network<f32> {
    Sequential::new()
        .layer(Conv2d::new(1, 8, 3).padding(1))
        .layer(Relu)
        .layer(MaxPool2d::new(2))
        .layer(Flatten)
        .layer(Dropout::new(0.25))
        .layer(Dense::new(128, 16))
        .layer(Relu)
        .layer(Dense::new(16, 2))
        .build(seed)
        .expect("a network")
}

fn trainer<'a>(epochs: usize) -> Trainer<'a, f32> {
    let optimizer = Optimizer::new(Adam::new(3e-3)).schedule(Schedule::cosine(200).warm_up(5));
    Trainer::new(network(3), optimizer, CrossEntropy::new()).epochs(epochs).batch(12).seed(5)
}

/// Every bit that a network has learnt.
fn bits(network: &mut Network<f32>) -> Vec<u32> {
    let mut bits = Vec::new();
    network
        .parameters(&mut |_, p| {
            bits.extend(p.value.iter().map(|v| v.to_bits()));
            Ok(())
        })
        .expect("parameters");
    bits
}

/// Interrupts a training in the middle of things: after so many batches, or when so many epochs have been judged.
enum Interrupt {
    Batch(usize),
    Epoch(usize),
}

impl Interrupt {
    fn count(left: &mut usize) -> Result<()> {
        *left = left.checked_sub(1).ok_or_else(|| Error::Other { doing: "a test".into(), source: "stop".into() })?;
        Ok(())
    }
}

impl Callback<f32> for Interrupt {
    fn batch(&mut self, _: &Batch) -> Result<()> {
        if let Self::Batch(left) = self { Self::count(left) } else { Ok(()) }
    }

    fn epoch(&mut self, _: &Epoch, _: &mut Network<f32>) -> Result<Flow> {
        if let Self::Epoch(left) = self {
            Self::count(left)?;
        }
        Ok(Flow::Continue)
    }
}

#[test]
fn a_network_learns_and_the_same_seed_learns_the_same() {
    let data = bars(100);
    let run = || {
        let mut trainer = trainer(20);
        trainer.fit(&data, None).expect("a training");
        let accuracy = trainer.evaluate(&data).expect("metrics").accuracy().expect("classes");
        (accuracy, bits(trainer.network()))
    };
    let (accuracy, first) = run();
    assert!(accuracy > 0.95, "{accuracy}");
    assert_eq!(first, run().1);
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let many = rayon::ThreadPoolBuilder::new().num_threads(5).build().expect("a pool");
    assert_eq!(first, alone.install(run).1, "one thread");
    assert_eq!(first, many.install(run).1, "five threads");
}

#[test]
fn a_last_batch_that_is_smaller_is_left_out_if_asked() {
    struct Count(std::rc::Rc<std::cell::RefCell<Vec<usize>>>, Option<usize>);
    impl Callback<f32> for Count {
        fn started(&mut self, outline: &Outline) -> Result<()> {
            self.1 = Some(outline.batches);
            Ok(())
        }
        fn batch(&mut self, batch: &Batch) -> Result<()> {
            assert!(self.1.is_some_and(|batches| batch.number <= batches));
            self.0.borrow_mut().push(batch.samples);
            Ok(())
        }
    }
    // 25 pictures in batches of 12, and 5, which are fewer than a batch.
    for (pictures, drop, expected) in
        [(25, false, &[12, 12, 1][..]), (25, true, &[12, 12]), (24, true, &[12, 12]), (5, true, &[5])]
    {
        let samples = std::rc::Rc::default();
        let mut trainer = trainer(1).drop_last(drop).callback(Count(std::rc::Rc::clone(&samples), None));
        trainer.fit(&bars(pictures), None).expect("a training");
        assert_eq!(*samples.borrow(), expected, "{pictures} {drop}");
    }
}

#[test]
fn an_interrupted_training_ends_with_the_same_bits() {
    let data = bars(100); // nine batches an epoch, the last of four
    let validation = bars(30);
    let mut whole = trainer(4);
    let expected = whole.fit(&data, Some(&validation)).expect("a training").to_vec();
    let expected_bits = bits(whole.network());
    let folder = tempfile::tempdir().expect("a folder");
    let batches = [0, 1, 7, 8, 9, 10, 17, 26, 35].map(|after| (Interrupt::Batch(after), after));
    // The last checkpoint is then that of the epoch's last batch.
    let epochs = [0, 2, 3].map(|after| (Interrupt::Epoch(after), 9 * (after + 1)));
    for (i, (interrupt, after)) in batches.into_iter().chain(epochs).enumerate() {
        let path = folder.path().join(format!("{i}.safetensors"));
        let mut broken = trainer(4).checkpoint(&path, Some(1)).callback(interrupt);
        broken.fit(&data, Some(&validation)).expect_err("interrupted");
        let mut resumed = trainer(4).checkpoint(&path, Some(3));
        if path.exists() {
            resumed.resume(&path).expect("a checkpoint");
        } else {
            assert_eq!(after, 0);
        }
        let history = resumed.fit(&data, Some(&validation)).expect("the rest").to_vec();
        assert_eq!(bits(resumed.network()), expected_bits, "after {after} batches");
        for (found, expected) in history.iter().zip(&expected) {
            assert_eq!((&found.training, &found.validation), (&expected.training, &expected.validation));
        }
        assert_eq!(history.len(), expected.len());
    }
}

#[test]
fn checkpoints_of_other_trainings_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.safetensors");
    trainer(1).checkpoint(&path, None).fit(&bars(24), None).expect("a training");
    assert!(trainer(2).resume(&path).is_ok());
    let refused = |trainer: &mut Trainer<'_, f32>| trainer.resume(&path).expect_err("refused").to_string();
    assert!(refused(&mut trainer(2).batch(7)).contains("batch 12"));
    assert!(refused(&mut trainer(2).seed(6)).contains("seed 5"));
    let sgd = || Optimizer::new(Sgd::new(0.1));
    assert!(refused(&mut Trainer::new(network(3), sgd(), CrossEntropy::new()).batch(12).seed(5)).contains("Adam"));
    let other = Sequential::new().layer(Dense::new(4, 2)).build(1).expect("a network");
    let optimizer = Optimizer::new(Adam::new(3e-3)).schedule(Schedule::cosine(200).warm_up(5));
    let mut other = Trainer::new(other, optimizer, CrossEntropy::new()).batch(12).seed(5);
    let before = bits(other.network());
    refused(&mut other);
    assert_eq!(bits(other.network()), before, "a refusal changes nothing");

    // A checkpoint is a file of weights too; weights are no checkpoint.
    network(9).load(&path).expect("its weights");
    let weights = folder.path().join("weights.safetensors");
    network(9).save(&weights).expect("written");
    assert!(trainer(2).resume(&weights).expect_err("refused").to_string().contains("weights alone"));
    let bytes = std::fs::read(&path).expect("a file");
    for cut in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&weights, &bytes[..cut]).expect("written");
        assert!(trainer(2).resume(&weights).is_err(), "cut at {cut}");
    }
}

#[test]
fn training_stops_early_and_keeps_the_best() {
    let data = bars(60);
    let mut early = trainer(50).stopping(Stopping { patience: Some(3), keep_best: true });
    let history = early.fit(&data, Some(&data)).expect("a training").to_vec();
    assert!(history.len() < 50, "{} epochs", history.len());
    let accuracy = |epoch: &Epoch| epoch.validation.as_ref().and_then(|m| m.accuracy()).expect("classes");
    let best = history.iter().map(accuracy).fold(0.0, f64::max);
    assert_eq!(accuracy(&history[history.len() - 4]), best, "three epochs without a better one");
    assert_eq!(early.evaluate(&data).expect("metrics").accuracy(), Some(best));
}

#[test]
fn the_log_and_the_curves_hold_every_epoch() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, curves) = (folder.path().join("log.csv"), folder.path().join("curves.svg"));
    let data = bars(24);
    let mut told = trainer(3).callback(CsvLog::new(&log)).callback(Curves::new(&curves));
    told.fit(&data, Some(&data)).expect("a training");
    let text = std::fs::read_to_string(&log).expect("a log");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!((rows.len(), rows[0].len()), (4, 7));
    assert!(rows.iter().skip(1).enumerate().all(|(i, row)| row[0] == (i + 1).to_string()));
    let validation = told.history()[1].validation.as_ref().expect("it was asked for").loss();
    assert_eq!(rows[2][4].parse::<f64>().expect("a number"), validation);
    let picture = std::fs::read_to_string(&curves).expect("curves");
    assert!(picture.starts_with("<svg") && picture.contains("accuracy in %") && picture.contains("validation"));
}

#[test]
fn values_are_learnt_as_well_as_classes() {
    let x = ArrayD::from_shape_fn(vec![64, 1], |i| i[0] as f64 / 32.0 - 1.0);
    let line = Arrays::new(x.clone(), Targets::Values(x.mapv(|v| 3.0 * v - 1.0))).expect("as many of each");
    let network = Sequential::<f64>::new().layer(Dense::new(1, 1)).build(1).expect("a network");
    let mut trainer = Trainer::new(network, Optimizer::new(Sgd::new(0.2)), MeanSquaredError).epochs(60).batch(10);
    trainer.fit(&line, None).expect("a training");
    let found = trainer.evaluate(&line).expect("metrics");
    assert!(found.loss() < 1e-9 && found.accuracy().is_none(), "{}", found.loss());
}

#[test]
fn a_loss_that_is_no_number_ends_the_training_with_a_word() {
    let network = network(1);
    let mut wild = Trainer::new(network, Optimizer::new(Sgd::new(1e30)), CrossEntropy::new()).epochs(5).batch(10);
    let error = wild.fit(&bars(40), None).expect_err("it cannot go well").to_string();
    assert!(error.contains("loss") && error.contains("epoch 1"), "{error}");
}

/// A data set that cannot read one of its samples.
struct Broken(Arrays<f32>);

impl Dataset<f32> for Broken {
    fn sample_shape(&self) -> &[usize] {
        self.0.sample_shape()
    }

    fn targets(&self) -> &Targets<f32> {
        self.0.targets()
    }

    fn read(&self, index: usize, draw: Option<u64>, sample: ArrayViewMutD<'_, f32>) -> Result<()> {
        if index == 17 { Err(Error::Overflow { what: "sample 17".into() }) } else { self.0.read(index, draw, sample) }
    }
}

#[test]
fn bad_data_and_bad_settings_are_refused() {
    let error = trainer(1).fit(&Broken(bars(24)), None).expect_err("sample 17").to_string();
    assert!(error.contains("sample 17"), "{error}");
    assert!(trainer(1).fit(&bars(0), None).is_err());
    assert!(trainer(1).batch(0).fit(&bars(4), None).is_err());
    let wrong = Arrays::new(ArrayD::from_elem(vec![4, 1, 12, 12], 0.0f32), Targets::Classes(vec![0; 4])).expect("data");
    assert!(trainer(1).fit(&wrong, None).is_err());
    let classes = Arrays::new(ArrayD::from_elem(vec![4, 1, 8, 8], 0.0f32), Targets::Classes(vec![7; 4])).expect("data");
    assert!(trainer(1).fit(&classes, None).is_err());
}

/// What a callback is told.
#[derive(Default)]
struct Told(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl Callback<f32> for Told {
    fn started(&mut self, outline: &Outline) -> Result<()> {
        self.0.lock().expect("no panics").push(format!("{} x {}", outline.epochs, outline.batches));
        Ok(())
    }

    fn batch(&mut self, batch: &Batch) -> Result<()> {
        self.0.lock().expect("no panics").push(format!("{}.{} {}", batch.epoch, batch.number, batch.samples));
        Ok(())
    }

    fn finished(&mut self, history: &[Epoch]) -> Result<()> {
        self.0.lock().expect("no panics").push(format!("{} done", history.len()));
        Ok(())
    }
}

#[test]
fn callbacks_hear_of_everything_in_order() {
    let told = Told::default();
    let heard = told.0.clone();
    trainer(2).callback(told).fit(&bars(20), None).expect("a training");
    let heard = heard.lock().expect("no panics");
    assert_eq!(*heard, ["2 x 2", "1.1 12", "1.2 8", "2.1 12", "2.2 8", "2 done"]);
}

fn digits() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/digits")
}

#[test]
fn the_digits_that_are_shipped_are_learnt() {
    let digits: Mnist<f32> = Mnist::open(digits()).expect("they are part of the repository");
    let network = faltung::nn::models::mnist().build(1).expect("a network");
    let mut trainer = Trainer::new(network, Optimizer::new(Adam::new(1e-3)), CrossEntropy::new()).epochs(10).batch(32);
    trainer.fit(&digits.train, None).expect("a training");
    let accuracy = trainer.evaluate(&digits.test).expect("metrics").accuracy().expect("classes");
    assert!(accuracy > 0.86, "{accuracy}");
}

#[test]
fn an_epoch_of_mnist_where_it_is_there() {
    let Some(folder) = std::env::var_os("FALTUNG_DATA") else {
        println!("FALTUNG_DATA is not set: no MNIST to learn");
        return;
    };
    let mnist: Mnist<f32> = Mnist::open(Path::new(&folder).join("mnist")).expect("MNIST");
    let network = faltung::nn::models::mnist().build(1).expect("a network");
    let mut trainer = Trainer::new(network, Optimizer::new(Adam::new(1e-3)), CrossEntropy::new());
    trainer.fit(&mnist.train, None).expect("a training");
    let accuracy = trainer.evaluate(&mnist.test).expect("metrics").accuracy().expect("classes");
    assert!(accuracy > 0.97, "{accuracy}");
}

/// Runs the example to its end, or kills it after a while; whether it came to its end.
fn example(folder: &Path, name: &str, resume: bool, patience: Option<Duration>) -> Option<bool> {
    let built = std::env::current_exe().ok()?.parent()?.parent()?.join("examples/train_mnist");
    let mut command = Command::new(built);
    let path = |ending: &str| folder.join(format!("{name}{ending}"));
    command.arg("--data").arg(digits()).args(["--epochs", "3", "--batch", "16"]);
    command.arg("--checkpoint").arg(path(".run")).args(["--between", "5"]);
    command.arg("--report").arg(path("")).arg("--save").arg(path(".weights"));
    if resume {
        command.arg("--resume");
    }
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            assert!(status.success(), "the example failed");
            return Some(true);
        }
        if patience.is_some_and(|patience| started.elapsed() > patience) {
            child.kill().expect("killed"); // SIGKILL: nothing can be tidied up
            child.wait().expect("gone");
            return Some(false);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_killed_training_resumes_to_the_same_bits() {
    let folder = tempfile::tempdir().expect("a folder");
    let started = Instant::now();
    let Some(_) = example(folder.path(), "whole", false, None) else {
        println!("the example train_mnist is not built: nothing to kill");
        return;
    };
    let length = started.elapsed();
    let weights = |name: &str| {
        let mut network = faltung::nn::models::mnist().build(0).expect("a network");
        network.load(folder.path().join(format!("{name}.weights"))).expect("weights");
        bits(&mut network)
    };
    let (expected, mut kills) = (weights("whole"), 0);
    for run in 0..3u32 {
        let name = format!("killed{run}");
        let mut patience = length * (run + 1) / 5;
        while example(folder.path(), &name, true, Some(patience)) != Some(true) {
            kills += 1;
            // The start takes its time too: each life is longer than the last, so that the training ends.
            patience += length / 5;
        }
        assert!(weights(&name) == expected, "run {run}");
    }
    assert!(kills > 0, "no run was killed");
}
