//! Trains a network on MNIST's handwritten digits:
//!
//! ```sh
//! cargo run --release --example train_mnist                                   # from the cache, or downloaded
//! cargo run --release --example train_mnist -- --data mnist/ --epochs 5 --save mnist.safetensors
//! cargo run --release --example train_mnist -- --data data/digits             # the few that are shipped
//! cargo run --release --example train_mnist -- --model best                   # some ten minutes on two cores
//! cargo run --release --example train_mnist -- --checkpoint run.safetensors --resume
//! ```
//!
//! Nine tenths of the training pictures are learnt from, the others tell how it goes; the test pictures are looked at
//! once, at the end.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use faltung::nn::data::{Augmented, Dataset, Mnist, Subset, Warp};
use faltung::nn::models::{self, Model};
use faltung::nn::{Adam, AdamW, CrossEntropy, Float, Optimizer, Schedule, Sequential, Stopping, Trainer};

use common::{Report, metadata, told, use_threads};

mod common;

/// Trains a network on MNIST's handwritten digits.
#[derive(Parser)]
struct Arguments {
    /// The folder of the four IDX files; else the cache folder, else they are downloaded.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The network.
    #[arg(long, value_enum, default_value = "mnist")]
    model: Choice,
    /// How often all pictures are learnt from; 5, of LeNet-5 10, of the best network 14 unless set.
    #[arg(long)]
    epochs: Option<usize>,
    /// Pictures a batch.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// The learning rate; 0.001, at the peak of LeNet-5's cycle 0.003 and of the best network's 0.004 unless set.
    #[arg(long)]
    rate: Option<f64>,
    /// The seed of weights and order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads; as many as there are cores unless set.
    #[arg(long)]
    threads: Option<usize>,
    /// Where to write the weights, as safetensors.
    #[arg(long)]
    save: Option<PathBuf>,
    /// Where to keep the training's state.
    #[arg(long)]
    checkpoint: Option<PathBuf>,
    /// Batches between two checkpoints.
    #[arg(long, default_value_t = 100)]
    between: usize,
    /// Go on from the checkpoint, where there is one.
    #[arg(long, requires = "checkpoint")]
    resume: bool,
    /// Where the log (.csv) and the curves (.svg) go: a path without its ending.
    #[arg(long, default_value = "train_mnist")]
    report: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// Conv 32 3x3, max pool 2, dense 128, dense 10; Adam.
    Mnist,
    /// LeNet-5; Adam, one cycle of the learning rate.
    Lenet5,
    /// Six convolutions with batch norm, on pictures that are shifted, turned and bent anew each epoch; AdamW, one
    /// cycle of the learning rate.
    Best,
}

impl Choice {
    fn design<T: Float>(self) -> Sequential<T> {
        match self {
            Self::Mnist => models::mnist(),
            Self::Lenet5 => models::lenet5(),
            Self::Best => models::mnist_deep(),
        }
    }

    /// The network's name in the library.
    fn name(self) -> &'static str {
        match self {
            Self::Mnist => Model::Mnist.name(),
            Self::Lenet5 => Model::LeNet5.name(),
            Self::Best => Model::MnistDeep.name(),
        }
    }

    /// Epochs and learning rate, unless they are set.
    fn settings(self) -> (usize, f64) {
        match self {
            Self::Mnist => (5, 1e-3),
            Self::Lenet5 => (10, 3e-3),
            Self::Best => (14, 4e-3),
        }
    }

    fn optimizer<T: Float>(self, rate: f64, steps: u64) -> Optimizer<T> {
        match self {
            Self::Best => Optimizer::new(AdamW::new(rate).weight_decay(0.02))
                .schedule(Schedule::one_cycle(steps))
                .decay_matrices_only(),
            Self::Lenet5 => Optimizer::new(Adam::new(rate)).schedule(Schedule::one_cycle(steps)),
            Self::Mnist => Optimizer::new(Adam::new(rate)),
        }
    }
}

fn main() -> ExitCode {
    common::end("train_mnist", run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    use_threads(arguments.threads)?;
    let mnist: Mnist<f32> = Mnist::find(arguments.data.as_deref())?;
    let all = mnist.train.len();
    let training = Subset::new(&mnist.train, (0..all * 9 / 10).collect())?;
    let validation = Subset::new(&mnist.train, (all * 9 / 10..all).collect())?;

    let (epochs, rate) = arguments.model.settings();
    let (epochs, rate) = (arguments.epochs.unwrap_or(epochs), arguments.rate.unwrap_or(rate));
    let steps = epochs * training.len().div_ceil(arguments.batch.max(1));
    let report = Report::new(&arguments.report);
    let network = arguments.model.design().build(arguments.seed)?;
    let optimizer = arguments.model.optimizer(rate, steps as u64);
    let trainer = Trainer::new(network, optimizer, CrossEntropy::new())
        .epochs(epochs)
        .batch(arguments.batch)
        .seed(arguments.seed)
        .stopping(Stopping { patience: None, keep_best: arguments.model == Choice::Best });
    let mut trainer = report.of(trainer);
    if let Some(path) = &arguments.checkpoint {
        trainer = trainer.checkpoint(path, Some(arguments.between));
        if arguments.resume && path.exists() {
            trainer.resume(path)?;
        }
    }
    if arguments.model == Choice::Best {
        let warp = Warp::new().shift(2.0).rotate(10.0).scale(0.9, 1.1).shear(5.0);
        trainer.fit(&Augmented::new(training).then(warp)?, Some(&validation))?;
    } else {
        trainer.fit(&training, Some(&validation))?;
    }

    let test = trainer.evaluate(&mnist.test)?;
    println!("{} test pictures: {}", test.samples(), told(&test));
    if let Some(confusion) = test.confusion() {
        println!("truth by row, guess by column:\n{confusion:4}");
    }
    if let Some(path) = &arguments.save {
        let texts = [("model", arguments.model.name().to_string()), ("classes", mnist.train.names().join("\n"))];
        trainer.network().save_with(path, &metadata(texts))?;
        println!("weights: {}", path.display());
    }
    println!("{report}");
    Ok(())
}
