//! Trains a network on MNIST's handwritten digits:
//!
//! ```sh
//! cargo run --release --example train_mnist                                   # from the cache, or downloaded
//! cargo run --release --example train_mnist -- --data mnist/ --epochs 5 --save mnist.safetensors
//! cargo run --release --example train_mnist -- --data data/digits             # the few that are shipped
//! cargo run --release --example train_mnist -- --checkpoint run.safetensors --resume
//! ```
//!
//! Nine tenths of the training pictures are learnt from, the others tell how it goes; the test pictures are looked at
//! once, at the end.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use faltung::nn::data::{Dataset, Mnist, Subset};
use faltung::nn::{
    Adam, CrossEntropy, CsvLog, Curves, Float, Metrics, Optimizer, ProgressBar, Sequential, Trainer, models,
};

/// Trains a network on MNIST's handwritten digits.
#[derive(Parser)]
struct Arguments {
    /// The folder of the four IDX files; else the cache folder, else they are downloaded.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The network.
    #[arg(long, value_enum, default_value = "mnist")]
    model: Model,
    /// How often all pictures are learnt from.
    #[arg(long, default_value_t = 5)]
    epochs: usize,
    /// Pictures a batch.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Adam's learning rate.
    #[arg(long, default_value_t = 1e-3)]
    rate: f64,
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

#[derive(Clone, Copy, ValueEnum)]
enum Model {
    /// Conv 32 3x3, max pool 2, dense 128, dense 10.
    Mnist,
    /// LeNet-5.
    Lenet5,
}

impl Model {
    fn design<T: Float>(self) -> Sequential<T> {
        match self {
            Self::Mnist => models::mnist(),
            Self::Lenet5 => models::lenet5(),
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("train_mnist: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if let Some(threads) = arguments.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    }
    let mnist: Mnist<f32> = Mnist::find(arguments.data.as_deref())?;
    let all = mnist.train.len();
    let training = Subset::new(&mnist.train, (0..all * 9 / 10).collect())?;
    let validation = Subset::new(&mnist.train, (all * 9 / 10..all).collect())?;

    let network = arguments.model.design().build(arguments.seed)?;
    let (log, curves) = (arguments.report.with_extension("csv"), arguments.report.with_extension("svg"));
    let mut trainer = Trainer::new(network, Optimizer::new(Adam::new(arguments.rate)), CrossEntropy::new())
        .epochs(arguments.epochs)
        .batch(arguments.batch)
        .seed(arguments.seed)
        .callback(ProgressBar::new())
        .callback(CsvLog::new(&log))
        .callback(Curves::new(&curves));
    if let Some(path) = &arguments.checkpoint {
        trainer = trainer.checkpoint(path, Some(arguments.between));
        if arguments.resume && path.exists() {
            trainer.resume(path)?;
        }
    }
    trainer.fit(&training, Some(&validation))?;

    let test = trainer.evaluate(&mnist.test)?;
    println!("{} test pictures: loss {:.4}, {}", test.samples(), test.loss(), accuracy(&test));
    if let Some(confusion) = test.confusion() {
        println!("truth by row, guess by column:\n{confusion:4}");
    }
    if let Some(path) = &arguments.save {
        trainer.network().save(path)?;
        println!("weights: {}", path.display());
    }
    println!("log: {}, curves: {}", log.display(), curves.display());
    Ok(())
}

fn accuracy(metrics: &Metrics) -> String {
    let (correct, share) = (metrics.correct().unwrap_or(0), metrics.accuracy().unwrap_or(f64::NAN));
    format!("{correct} right ({:.2}%)", 100.0 * share)
}
