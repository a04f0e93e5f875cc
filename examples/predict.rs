//! Says what a network makes of a picture of a digit, a sentence or a spoken digit, with weights that `train_mnist`,
//! `train_text` or `train_speech` have saved:
//!
//! ```sh
//! cargo run --release --example predict -- mnist.safetensors digit.png
//! cargo run --release --example predict -- trec.safetensors "Who wrote the Lord of the Rings ?"
//! cargo run --release --example predict -- digits.safetensors seven.wav
//! ```
//!
//! Pictures may have any size, and dark ink on bright paper or the reverse: the digit is fitted into 20 x 20 pixels and
//! centred by its weight in 28 x 28, as MNIST's were.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use faltung::audio::{Audio, Level, LogMel, Stft};
use faltung::image::image::imageops::{FilterType, resize};
use faltung::image::image::{GrayImage, Luma};
use faltung::ndarray::{Array1, ArrayD, Axis};
use faltung::nn::functional::softmax;
use faltung::nn::models::{Model, TextCnn};
use faltung::nn::{Network, Sequential, read_metadata};
use faltung::text::{Batcher, Split, Tokenizer, Vocabulary};

/// Says what a network makes of a picture of a digit, a sentence or a spoken digit.
#[derive(Parser)]
struct Arguments {
    /// The weights, as the training examples save them.
    weights: PathBuf,
    /// Pictures, sentences or WAV files, whichever the network was trained on.
    #[arg(required = true)]
    inputs: Vec<String>,
    /// Classes to tell, the most probable first.
    #[arg(long, default_value_t = 3)]
    top: usize,
}

type Done<T = ()> = Result<T, Box<dyn Error>>;

/// How inputs become arrays for a network, without the batch's axis.
type Reading = Box<dyn Fn(&str) -> Done<ArrayD<f32>>>;

/// A trained network, and how inputs come to it.
struct Trained {
    network: Network<f32>,
    classes: Vec<String>,
    read: Reading,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("predict: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Done {
    let mut trained = Trained::open(&arguments.weights)?;
    for input in &arguments.inputs {
        let sample = (trained.read)(input).map_err(|e| format!("{input}: {e}"))?;
        let logits = trained.network.forward(sample.insert_axis(Axis(0)).view())?;
        let probabilities = softmax(&logits, Axis(1))?;
        let mut ranked: Vec<_> = probabilities.iter().zip(&trained.classes).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(a.0));
        let told: Vec<_> =
            ranked.iter().take(arguments.top).map(|(p, class)| format!("{class} {:.1}%", 100.0 * *p)).collect();
        println!("{input}: {}", told.join(", "));
    }
    Ok(())
}

/// A text beside the weights.
fn text<'a>(texts: &'a BTreeMap<String, String>, key: &str) -> Done<&'a str> {
    let missing = || format!("the weights do not say their {key}: were they saved by a training example?");
    Ok(texts.get(key).ok_or_else(missing)?)
}

fn number<T: std::str::FromStr>(texts: &BTreeMap<String, String>, key: &str) -> Done<T> {
    let given = text(texts, key)?;
    Ok(given.parse().map_err(|_| format!("{key}: expected a number, given {given}"))?)
}

impl Trained {
    fn open(weights: &Path) -> Done<Self> {
        let texts = read_metadata(weights)?;
        let classes: Vec<String> = text(&texts, "classes")?.lines().map(str::to_owned).collect();
        let (design, read): (Sequential<f32>, Reading) = match text(&texts, "model")? {
            "text_cnn" => {
                let vocabulary = Vocabulary::read(text(&texts, "vocabulary")?.as_bytes())?;
                let design = TextCnn::new(vocabulary.len())
                    .dimension(number(&texts, "dimension")?)
                    .maps(number(&texts, "maps")?)
                    .design(classes.len());
                (design, Box::new(sentences(vocabulary, number(&texts, "tokens")?)))
            }
            "speech_cnn" => (Model::SpeechCnn.design(classes.len()), Box::new(sounds(&texts)?)),
            name => {
                let model: Model = name.parse()?;
                (model.design(classes.len()), Box::new(digit))
            }
        };
        let mut network = design.build(0)?;
        network.load(weights)?;
        Ok(Self { network, classes, read })
    }
}

/// Sentences as ids, cut at what the network has seen at the most.
fn sentences(vocabulary: Vocabulary, tokens: usize) -> impl Fn(&str) -> Done<ArrayD<f32>> {
    let (tokenizer, batcher) = (Tokenizer::new().split(Split::Kim), Batcher::new().length(tokens).truncate(tokens));
    move |sentence| {
        let ids = vocabulary.encode(tokenizer.tokens(sentence));
        let batch = batcher.batch(&[ids])?;
        Ok(batch.ids().index_axis(Axis(0), 0).mapv(|id| id as f32).into_dyn())
    }
}

/// Recordings as spectrograms, through what the training's went through.
fn sounds(texts: &BTreeMap<String, String>) -> Done<impl Fn(&str) -> Done<ArrayD<f32>> + use<>> {
    let (rate, floor): (u32, f64) = (number(texts, "rate")?, number(texts, "floor")?);
    let (mean, deviation): (f64, f64) = (number(texts, "mean")?, number(texts, "deviation")?);
    let stft = Stft::new(512).window_length(256).hop(128);
    let mel = LogMel::new(rate).stft(stft).bands(64).level(Level::Decibels { floor }).prepare()?;
    Ok(move |path: &str| {
        let sound = Audio::read(path)?.mono().resampled(rate)?;
        let mut second = Array1::zeros(rate as usize);
        second.iter_mut().zip(sound.samples()).for_each(|(to, &sample)| *to = sample);
        let levels = mel.apply(&second)?.mapv(|level| ((f64::from(level) - mean) / deviation) as f32);
        Ok(levels.insert_axis(Axis(0)).into_dyn())
    })
}

/// Pixels of MNIST's pictures, and of the box that their digits fit in.
const SIDE: u32 = 28;
const INK: u32 = 20;

/// A picture of a digit as MNIST's are: bright on black, 20 pixels high or wide, its centre of mass in the middle.
fn digit(path: &str) -> Done<ArrayD<f32>> {
    let mut grey = faltung::image::read(path)?.image.to_luma8();
    let (width, height) = grey.dimensions();
    let border =
        (0..width).flat_map(|x| [(x, 0), (x, height - 1)]).chain((0..height).flat_map(|y| [(0, y), (width - 1, y)]));
    let border: Vec<u64> = border.map(|(x, y)| u64::from(grey.get_pixel(x, y).0[0])).collect();
    if border.iter().sum::<u64>() > 128 * border.len() as u64 {
        grey.pixels_mut().for_each(|pixel| pixel.0[0] = 255 - pixel.0[0]);
    }
    // What is hardly brighter than black is paper.
    let ink = |x: u32, y: u32| grey.get_pixel(x, y).0[0] > 40;
    let columns: Vec<u32> = (0..width).filter(|&x| (0..height).any(|y| ink(x, y))).collect();
    let rows: Vec<u32> = (0..height).filter(|&y| (0..width).any(|x| ink(x, y))).collect();
    let (Some(&left), Some(&right), Some(&top), Some(&bottom)) =
        (columns.first(), columns.last(), rows.first(), rows.last())
    else {
        return Err("no ink on it".into());
    };
    let (w, h) = (right - left + 1, bottom - top + 1);
    let cut = faltung::image::image::imageops::crop_imm(&grey, left, top, w, h).to_image();
    let scaled = |extent: u32| (extent * INK).div_ceil(w.max(h)).clamp(1, INK);
    let small = resize(&cut, scaled(w), scaled(h), FilterType::Triangle);
    let mass = |along: fn(u32, u32) -> u32| {
        let of = |(x, y, pixel): (u32, u32, &Luma<u8>)| (f64::from(along(x, y)), f64::from(pixel.0[0]));
        let (sum, total) = small.enumerate_pixels().map(of).fold((0.0, 0.0), |(s, t), (at, v)| (s + at * v, t + v));
        sum / f64::max(total, 1.0)
    };
    let place = |centre: f64| (f64::from(SIDE) / 2.0 - 0.5 - centre).round() as i64;
    let mut picture = GrayImage::new(SIDE, SIDE);
    faltung::image::image::imageops::overlay(&mut picture, &small, place(mass(|x, _| x)), place(mass(|_, y| y)));
    let values = picture.into_raw().into_iter().map(|v| f32::from(v) / 255.0).collect();
    Ok(ArrayD::from_shape_vec(vec![1, SIDE as usize, SIDE as usize], values)?)
}
