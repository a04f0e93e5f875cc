//! Trains Kim's network for sentences, its word vectors from random ones (CNN-rand):
//!
//! ```sh
//! cargo run --release --example train_text -- --data trec/                # kinds of questions, TREC
//! cargo run --release --example train_text -- --data rt-polaritydata/     # movie reviews: the first of ten folds
//! cargo run --release --example train_text -- --data rt-polaritydata/ --folds 10 # all of them
//! cargo run --release --example train_text -- --data trec/ --save trec.safetensors
//! ```
//!
//! A tenth of the training sentences says which epoch was best, whose weights are kept; the test sentences are looked
//! at once, at the end. The vocabulary is that of the training sentences alone. `--save` writes it into the same file
//! as the weights, with the names of the classes.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use faltung::ndarray::{Array2, ArrayViewMutD};
use faltung::nn::data::{Arrays, Augment, Augmented, Dataset, Deal, Draws, Sentences, Targets, Trec, TrecLabels};
use faltung::nn::models::TextCnn;
use faltung::nn::{AdamW, CrossEntropy, Metrics, Optimizer, Stopping, Trainer};
use faltung::text::{Batcher, PADDING, Split, Tokenizer, UNKNOWN, Vocabulary};

use common::{Report, metadata, told, use_threads};

mod common;

/// Trains Kim's network for sentences.
#[derive(Parser)]
struct Arguments {
    /// The folder of TREC (train_5500.label, TREC_10.label) or of the movie reviews (rt-polarity.neg, rt-polarity.pos).
    #[arg(long)]
    data: PathBuf,
    /// Of the movie reviews, how many of ten folds to train for.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=10))]
    folds: u8,
    /// How often all sentences are learnt from.
    #[arg(long, default_value_t = 8)]
    epochs: usize,
    /// Sentences a batch.
    #[arg(long, default_value_t = 50)]
    batch: usize,
    /// AdamW's learning rate.
    #[arg(long, default_value_t = 1e-3)]
    rate: f64,
    /// AdamW's weight decay, of matrices.
    #[arg(long, default_value_t = 0.3)]
    decay: f64,
    /// How probably a map is dropped before the last layer.
    #[arg(long, default_value_t = 0.5)]
    dropout: f64,
    /// How probably a training word is taken for an unknown one, whose vector would not be learnt otherwise.
    #[arg(long, default_value_t = 0.05)]
    word_dropout: f64,
    /// Whether words that differ in capital letters differ, as the paper has it for TREC.
    #[arg(long)]
    cased: bool,
    /// Numbers of a word's vector.
    #[arg(long, default_value_t = 300)]
    dimension: usize,
    /// Maps of each width.
    #[arg(long, default_value_t = 100)]
    maps: usize,
    /// The seed of weights, order and folds.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads; as many as there are cores unless set.
    #[arg(long)]
    threads: Option<usize>,
    /// Where to write the weights (of the first fold) and the vocabulary, as safetensors.
    #[arg(long)]
    save: Option<PathBuf>,
    /// Where the log (.csv) and the curves (.svg) go: a path without its ending.
    #[arg(long, default_value = "train_text")]
    report: PathBuf,
}

fn main() -> ExitCode {
    common::end("train_text", run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    use_threads(arguments.threads)?;
    if arguments.data.join("rt-polarity.neg").exists() {
        return reviews(arguments);
    }
    let trec = Trec::open(&arguments.data, TrecLabels::Coarse)?;
    let metrics = train(arguments, &trec.train, &trec.test, &arguments.report, arguments.save.as_deref())?;
    println!("{} test questions: {}", metrics.samples(), told(&metrics));
    if let Some(confusion) = metrics.confusion() {
        println!("truth by row, guess by column, {}:\n{confusion:4}", trec.train.names().join(" "));
    }
    Ok(())
}

/// Ten-fold cross-validation, as the paper has it for data without test sentences.
fn reviews(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let all = Sentences::movie_reviews(&arguments.data)?;
    // The folds are dealt out before there are ids: each has a vocabulary of its own.
    let places = Arrays::new(Array2::<f32>::zeros((all.len(), 1)).into_dyn(), Targets::Classes(all.labels().to_vec()))?;
    let mut shares = Vec::new();
    for (number, fold) in Deal::stratified(arguments.seed).folds(&places, 10)?.iter().enumerate() {
        if number == usize::from(arguments.folds) {
            break;
        }
        let (train_part, test_part) = (all.select(fold.train.indices())?, all.select(fold.test.indices())?);
        let report = match arguments.folds {
            1 => arguments.report.clone(),
            _ => arguments.report.with_file_name(format!("{}-{}", name(&arguments.report), number + 1)),
        };
        let save = arguments.save.as_deref().filter(|_| number == 0);
        let metrics = train(arguments, &train_part, &test_part, &report, save)?;
        println!("fold {}, {} test sentences: {}", number + 1, metrics.samples(), told(&metrics));
        shares.push(metrics.accuracy().unwrap_or(f64::NAN));
    }
    let count = shares.len() as f64;
    let mean = shares.iter().sum::<f64>() / count;
    let deviation = (shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / count).sqrt();
    println!("{count} of 10 folds: {:.2}% right, deviation {:.2}", 100.0 * mean, 100.0 * deviation);
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Trains a network on sentences, and judges it by others.
fn train(
    arguments: &Arguments,
    sentences: &Sentences,
    test: &Sentences,
    report: &Path,
    save: Option<&Path>,
) -> Result<Metrics, Box<dyn Error>> {
    let tokenizer = Tokenizer::new().split(Split::Kim).lowercase(!arguments.cased);
    let vocabulary = sentences.vocabulary(&tokenizer, Vocabulary::builder())?;
    let tokens = sentences.longest(&tokenizer);
    let batcher = Batcher::new().length(tokens);
    let encode = |part: &Sentences| part.encode::<f32>(&tokenizer, &vocabulary, &batcher);
    let (data, test) = (encode(sentences)?, encode(test)?);
    println!("{} sentences of {tokens} tokens or fewer, {} words", data.len(), vocabulary.len());
    let parts = Deal::stratified(arguments.seed).split(&data, 0.1)?;
    let training = Augmented::new(&parts.train).then(WordDropout(arguments.word_dropout))?.seed(arguments.seed);

    let network = TextCnn::new(vocabulary.len())
        .dimension(arguments.dimension)
        .maps(arguments.maps)
        .dropout(arguments.dropout)
        .design(data.names().len())
        .build(arguments.seed)?;
    let optimizer = Optimizer::new(AdamW::new(arguments.rate).weight_decay(arguments.decay)).decay_matrices_only();
    let report = Report::new(report);
    let trainer = Trainer::new(network, optimizer, CrossEntropy::new())
        .epochs(arguments.epochs)
        .batch(arguments.batch)
        .seed(arguments.seed)
        .stopping(Stopping { patience: Some(3), keep_best: true });
    let mut trainer = report.of(trainer);
    trainer.fit(&training, Some(&parts.test))?;
    let metrics = trainer.evaluate(&test)?;
    println!("{report}");
    if let Some(path) = save {
        let mut words = Vec::new();
        vocabulary.write(&mut words)?;
        let texts = [
            ("model", "text_cnn".to_string()),
            ("dimension", arguments.dimension.to_string()),
            ("maps", arguments.maps.to_string()),
            ("tokens", tokens.to_string()),
            ("tokenizer", "kim".to_string()),
            ("cased", arguments.cased.to_string()),
            ("classes", data.names().join("\n")),
            ("vocabulary", String::from_utf8(words)?),
        ];
        trainer.network().save_with(path, &metadata(texts))?;
        println!("weights and vocabulary: {}", path.display());
    }
    Ok(metrics)
}

/// Takes some words, drawn anew each epoch, for unknown ones.
struct WordDropout(f64);

impl Augment<f32> for WordDropout {
    fn apply(&self, mut sentence: ArrayViewMutD<'_, f32>, draws: &mut Draws) -> faltung::Result<()> {
        for id in &mut sentence {
            if *id != PADDING as f32 && draws.chance(self.0) {
                *id = UNKNOWN as f32;
            }
        }
        Ok(())
    }
}
