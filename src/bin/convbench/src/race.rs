//! `convbench` alone: the race of the algorithms on real data.

use std::f64::consts::PI;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use faltung::{Boundary, Element, Error, Mode, Problem};

use crate::bench::{Call, Choice, Settings, bench};
use crate::data::{self, Data};
use crate::failure::Failure;
use crate::machine::{self, Machine};
use crate::sample::{Kind, Operands, Random, number};
use crate::table;

/// What `convbench` takes without a command.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The folder with sound.wav, room.wav and photo.png, instead of the one that the source tree ships
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    machine: Machine,
}

/// One problem of the race, with its data.
struct Heat {
    title: String,
    problem: Problem,
    operands: Operands<f32>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let folder = match &args.data {
        Some(folder) if !folder.is_dir() => {
            return Err(Failure::Usage(format!("there is no folder {}", folder.display())));
        }
        Some(folder) => folder.clone(),
        None => data::shipped(),
    };
    let settings =
        Settings { threads: args.machine.threads(), budget: args.machine.budget(0.4), call: Call::Reused, check: true };
    let begun = Instant::now();
    machine::pool(settings.threads)?.install(|| {
        let mut out = anstream::stdout();
        let heats = heats(&folder)?;
        let progress = machine::progress(Some(heats.len()));
        writeln!(
            out,
            "The algorithms of faltung on {} thread{}. Times are medians of one call from plain arrays, the kernel packed or\n\
             transformed within it; errors are the largest of a sample against double precision, relative to the result's\n\
             root mean square; * is what auto chooses, green the fastest.\n",
            settings.threads,
            if settings.threads == 1 { "" } else { "s" },
        )?;
        let mut failed = false;
        for Heat { title, problem, operands } in heats {
            let note = |what: &str| progress.set_message(format!("{title}: {what}"));
            let report = bench(&problem, &[Choice::All], || Ok(operands), settings, &note);
            progress.inc(1);
            progress.suspend(|| -> Result<(), Failure> {
                writeln!(out, "{}\n  {}", table::heading(&title, &problem), table::paint(table::DIM, &problem))?;
                match report {
                    Ok(report) => table::write(&mut out, &problem, &report)?,
                    Err(error) => {
                        failed = true;
                        writeln!(out, "  {}", table::paint(table::BAD, error))?;
                    }
                }
                writeln!(out)?;
                Ok(out.flush()?)
            })?;
        }
        progress.finish_and_clear();
        writeln!(out, "{:.0} s. `convbench run PROBLEM` times a problem of yours; `convbench --help` tells more.",
            begun.elapsed().as_secs_f64())?;
        out.flush()?;
        if failed { Err(Failure::Reported) } else { Ok(()) }
    })
}

/// The programme: filters on the sound and the photograph, then layers of networks.
fn heats(folder: &Path) -> Result<Vec<Heat>, Failure> {
    let sound = or_noise(data::sound(&folder.join("sound.wav"))?, "sound.wav", &[1, 480_000]);
    let room = or_noise(data::sound(&folder.join("room.wav"))?, "room.wav", &[1, 48_000]);
    let photo = or_noise(data::photograph(&folder.join("photo.png"))?, "photo.png", &[3, 768, 1024]);
    let build = || -> Result<Vec<Heat>, Error> {
        let mut heats = vec![
            signal("A sound in a room", &sound, &room.elements(), &room.remark)?,
            signal("A sound through a low-pass of 127 taps", &sound, &lowpass(127, 0.1), "")?,
            image("A photograph, sharpened", &photo, &SHARPEN)?,
            image("A photograph, blurred by a Gaussian", &photo, &gaussian(31, 5.0))?,
            first_layer("ResNet's first layer on a photograph", &photo)?,
        ];
        for (title, text) in [
            ("ResNet-50, a 3x3 layer of 64 channels", "mb1ic64ih56oc64kh3ph1"),
            ("ResNet-50, its input gradient, batch 4", "bwd_d:mb4ic64ih56oc64kh3ph1"),
            ("ResNet-50, its weight gradient, batch 4", "bwd_w:mb4ic64ih56oc64kh3ph1"),
            ("ConvNeXt, a depthwise 7x7 layer", "mb1g96ic96ih56oc96kh7ph3"),
        ] {
            let problem: Problem = text.parse()?;
            let operands = Operands::random(&problem, Kind::Normal)?;
            heats.push(Heat { title: title.into(), problem, operands });
        }
        Ok(heats)
    };
    build().map_err(|error| Failure::Usage(error.to_string()))
}

/// Samples, with a remark where they are not what they should be.
struct Input {
    data: Data,
    remark: String,
}

impl Input {
    fn elements(&self) -> Vec<f32> {
        self.data.elements()
    }
}

/// The data, or noise of the given shape that says so.
fn or_noise(data: Option<Data>, file: &str, shape: &[usize]) -> Input {
    match data {
        Some(data) => Input { data, remark: String::new() },
        None => {
            let mut random = Random::new(5);
            let samples = (0..shape.iter().product()).map(|_| random.normal().0 as f32).collect();
            let remark = format!(" (noise, as there is no {file})");
            Input { data: Data { samples, shape: shape.to_vec() }, remark }
        }
    }
}

fn signal(title: &str, sound: &Input, kernel: &[f32], remark: &str) -> Result<Heat, Error> {
    let problem = Problem::field(&sound.data.shape[1..], &[kernel.len()]).build()?;
    let operands = Operands { first: sound.elements(), second: kernel.to_vec() };
    Ok(Heat { title: format!("{title}{}{remark}", sound.remark), problem, operands })
}

/// The three planes as a batch, filtered by the same square kernel.
fn image(title: &str, photo: &Input, kernel: &[f32]) -> Result<Heat, Error> {
    let (shape, side) = (&photo.data.shape, kernel.len().isqrt());
    let problem = Problem::field(&shape[1..], &[side, side])
        .batch(shape[0])
        .mode(Mode::Same)
        .boundary(Boundary::Mirror)
        .build()?;
    let operands = Operands { first: photo.elements(), second: kernel.to_vec() };
    Ok(Heat { title: format!("{title}{}", photo.remark), problem, operands })
}

/// 7x7 with stride 2 from three colours to 64 channels, with random weights: those of a network at its beginning.
fn first_layer(title: &str, photo: &Input) -> Result<Heat, Error> {
    let shape = &photo.data.shape;
    let problem = Problem::layer(1, shape[0], 64, &shape[1..], &[7, 7]).stride(&[2]).padding(&[(3, 3)]).build()?;
    let weights = Operands::random(&problem, Kind::Normal)?.second;
    let operands = Operands { first: photo.elements(), second: weights };
    Ok(Heat { title: format!("{title}{}", photo.remark), problem, operands })
}

/// A Laplacian taken off the image: edges stand out.
const SHARPEN: [f32; 9] = [0.0, -1.0, 0.0, -1.0, 5.0, -1.0, 0.0, -1.0, 0.0];

/// A square Gaussian kernel of odd `side` and sum 1.
fn gaussian<T: Element>(side: usize, sigma: f64) -> Vec<T> {
    let middle = (side / 2) as f64;
    let line: Vec<f64> = (0..side).map(|i| (-0.5 * ((i as f64 - middle) / sigma).powi(2)).exp()).collect();
    let sum: f64 = line.iter().sum();
    line.iter().flat_map(|a| line.iter().map(move |b| number(a * b / (sum * sum), 0.0))).collect()
}

/// A low-pass of odd length: a sinc up to `cutoff`, in cycles a sample, under a Hann window, its sum 1.
fn lowpass<T: Element>(taps: usize, cutoff: f64) -> Vec<T> {
    let middle = (taps / 2) as f64;
    let tap = |i: usize| {
        let t = i as f64 - middle;
        let sinc = if t == 0.0 { 2.0 * cutoff } else { (2.0 * PI * cutoff * t).sin() / (PI * t) };
        sinc * (0.5 + 0.5 * (PI * t / (middle + 1.0)).cos())
    };
    let sum: f64 = (0..taps).map(tap).sum();
    (0..taps).map(|i| number(tap(i) / sum, 0.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_symmetric_and_sum_to_one() {
        for kernel in [gaussian::<f64>(31, 5.0), lowpass(127, 0.1)] {
            assert!((kernel.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!(kernel.iter().zip(kernel.iter().rev()).all(|(a, b)| (a - b).abs() < 1e-15));
        }
    }
}
