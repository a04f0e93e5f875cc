//! Trains a small network on spoken digits, those of the Free Spoken Digit Dataset:
//!
//! ```sh
//! git clone https://github.com/Jakobovski/free-spoken-digit-dataset
//! cargo run --release --example train_speech -- --data free-spoken-digit-dataset/recordings
//! ```
//!
//! Test recordings are those with an index below 5, as the data set's authors have it: 300 of 3000. A tenth of the
//! others tells how it goes; the test recordings are looked at once, at the end. The network sees log-mel spectrograms
//! of a second, which are moved in time and masked as they are learnt from.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use faltung::audio::{Level, LogMel, Stft};
use faltung::nn::data::{Arrays, Augmented, Dataset, Deal, SpecMask, Spectra, TimeShift, WavFolder};
use faltung::nn::{AdamW, CrossEntropy, Optimizer, Schedule, Trainer, models};

use common::{Report, metadata, told, use_threads};

mod common;

/// Trains a small network on spoken digits.
#[derive(Parser)]
struct Arguments {
    /// The folder of the recordings, {digit}_{speaker}_{index}.wav.
    #[arg(long)]
    data: PathBuf,
    /// How often all recordings are learnt from.
    #[arg(long, default_value_t = 24)]
    epochs: usize,
    /// Recordings a batch.
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// AdamW's largest learning rate, of one cycle.
    #[arg(long, default_value_t = 3e-3)]
    rate: f64,
    /// The most that recordings are moved in time, in frames of 16 ms.
    #[arg(long, default_value_t = 6)]
    shift: usize,
    /// The most that a mask hides, in frames and in bands.
    #[arg(long, default_value_t = 4)]
    mask: usize,
    /// The seed of weights, order and augmentation.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads; as many as there are cores unless set.
    #[arg(long)]
    threads: Option<usize>,
    /// Where to write the weights, as safetensors.
    #[arg(long)]
    save: Option<PathBuf>,
    /// Where the log (.csv) and the curves (.svg) go: a path without its ending.
    #[arg(long, default_value = "train_speech")]
    report: PathBuf,
}

/// Samples a second, and of a recording: what is longer is cut.
const RATE: u32 = 8000;
/// The power that is told from none.
const FLOOR: f64 = 1e-7;

fn main() -> ExitCode {
    common::end("train_speech", run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    use_threads(arguments.threads)?;
    let (test, train) =
        WavFolder::named(&arguments.data)?.partition(|recording| recording.index.is_some_and(|index| index < 5));
    let classes = train.names().to_vec();
    let (train, test) = (spectrograms(&train)?, spectrograms(&test)?);
    let (mean, deviation) = (mean(&train), deviation(&train));
    let (train, test) = (normal(&train, mean, deviation)?, normal(&test, mean, deviation)?);
    println!(
        "{} recordings to learn from, {} to be judged by; {:?} each",
        train.len(),
        test.len(),
        train.sample_shape()
    );

    let parts = Deal::stratified(arguments.seed).split(&train, 0.1)?;
    let silence = (10.0 * FLOOR.log10() - mean) / deviation;
    let masks = SpecMask::new().frequency(2, arguments.mask).time(2, arguments.mask).value(0.0);
    let training = Augmented::new(&parts.train)
        .then(TimeShift::new(arguments.shift).outside(silence))?
        .then(masks)?
        .seed(arguments.seed);

    let network = models::speech_cnn(classes.len()).build(arguments.seed)?;
    let steps = arguments.epochs * training.len().div_ceil(arguments.batch.max(1));
    let optimizer = Optimizer::new(AdamW::new(arguments.rate).weight_decay(0.05))
        .decay_matrices_only()
        .schedule(Schedule::one_cycle(steps as u64));
    let report = Report::new(&arguments.report);
    let trainer = Trainer::new(network, optimizer, CrossEntropy::new())
        .epochs(arguments.epochs)
        .batch(arguments.batch)
        .seed(arguments.seed);
    let mut trainer = report.of(trainer);
    trainer.fit(&training, Some(&parts.test))?;

    let metrics = trainer.evaluate(&test)?;
    println!("{} test recordings: {}", metrics.samples(), told(&metrics));
    if let Some(confusion) = metrics.confusion() {
        println!("truth by row, guess by column:\n{confusion:4}");
    }
    if let Some(path) = &arguments.save {
        let texts = [
            ("model", "speech_cnn".to_string()),
            ("classes", classes.join("\n")),
            // What a recording must go through before the network sees it.
            ("rate", RATE.to_string()),
            ("floor", FLOOR.to_string()),
            ("mean", mean.to_string()),
            ("deviation", deviation.to_string()),
        ];
        trainer.network().save_with(path, &metadata(texts))?;
        println!("weights: {}", path.display());
    }
    println!("{report}");
    Ok(())
}

/// The recordings as decibels of 64 bands in frames of 32 ms every 16 ms.
fn spectrograms(recordings: &WavFolder) -> Result<Arrays<f32>, Box<dyn Error>> {
    let sounds = recordings.read::<f32>(RATE, RATE as usize)?;
    let stft = Stft::new(512).window_length(256).hop(128);
    let mel = LogMel::new(RATE).stft(stft).bands(64).level(Level::Decibels { floor: FLOOR }).prepare()?;
    Ok(Arrays::collect(&Spectra::new(sounds, mel)?)?)
}

/// The mean of all levels.
fn mean(data: &Arrays<f32>) -> f64 {
    data.samples().iter().map(|&level| f64::from(level)).sum::<f64>() / data.samples().len().max(1) as f64
}

/// The deviation of all levels.
fn deviation(data: &Arrays<f32>) -> f64 {
    let mean = mean(data);
    let squares = data.samples().iter().map(|&level| (f64::from(level) - mean).powi(2)).sum::<f64>();
    (squares / data.samples().len().max(1) as f64).sqrt()
}

/// Levels less their mean and by their deviation.
fn normal(data: &Arrays<f32>, mean: f64, deviation: f64) -> faltung::Result<Arrays<f32>> {
    let levels = data.samples().mapv(|level| ((f64::from(level) - mean) / deviation) as f32);
    Arrays::new(levels, data.targets().clone())
}
