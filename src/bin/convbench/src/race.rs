//! `convbench` alone: the race of the algorithms on real data.

use std::f64::consts::PI;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use faltung::{Boundary, Element, Error, Mode, Problem};

use crate::bench::{Call, Choice, Settings, bench};
use crate::data::{self, Data};
use crate::failure::Failure;
use crate::machine::{self, Clock, Constants, Machine};
use crate::sample::{Kind, Operands, Random, Run, number};
use crate::table;

/// The file with the room's response.
const ROOM: &str = "room.wav";

/// What `convbench` takes without a command.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// A folder with a sound, *.wav, a room's response, room.wav, and a photograph, *.png, instead of the one shipped
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    constants: Constants,
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
    let costs = args.constants.read()?;
    let settings = Settings {
        threads: args.machine.threads(),
        budget: args.machine.budget(0.4),
        call: Call::Reused,
        check: true,
        clock: Clock::Wall,
        costs: &costs,
    };
    let begun = Instant::now();
    machine::pool(settings.threads)?.install(|| {
        let mut out = anstream::stdout();
        let heats = heats(&folder)?;
        let progress = machine::progress(Some(heats.len()));
        writeln!(
            out,
            "The algorithms of faltung on {} thread{}. Times are medians of one call from plain arrays, the kernel packed\n\
             or transformed within it; errors are the largest of a sample against double precision, relative to the\n\
             result's root mean square; * is what auto chooses, green the fastest.\n",
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
    let sound_file = data::find(folder, "wav", |name| name != ROOM)?;
    let sound = input(sound_file, "a sound", data::sound, &[1, 480_000])?;
    let room = input(data::find(folder, "wav", |name| name == ROOM)?, "a room", data::sound, &[1, 48_000])?;
    let photo_file = data::find(folder, "png", |_| true)?;
    let photo = input(photo_file, "a photograph", data::photograph, &[3, 512, 512])?;
    let build = || -> Result<Vec<Heat>, Error> {
        let mut heats = vec![
            signal(format!("{} in {}", sound.name, room.name), &sound, room.elements())?,
            signal(format!("{} through a low-pass of 127 taps", sound.name), &sound, lowpass(127, 0.1))?,
            image(format!("{} sharpened by 3x3", photo.name), &photo, SHARPEN.to_vec())?,
            image(format!("{} blurred by 31x31", photo.name), &photo, gaussian(31, 5.0))?,
            first_layer(format!("ResNet-50, the first layer on {}", photo.name), &photo)?,
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

/// Samples of the folder's, or noise in their place.
struct Input {
    /// What they are, for a title.
    name: String,
    data: Data,
}

impl Input {
    fn elements(&self) -> Vec<f32> {
        self.data.samples.clone()
    }
}

/// The data in `file`, or noise of the given shape where there is none.
fn input(
    file: Option<PathBuf>,
    what: &str,
    read: fn(&Path) -> Result<Data, Failure>,
    shape: &[usize],
) -> Result<Input, Failure> {
    let Some(file) = file else {
        let mut random = Random::new(5);
        let samples = (0..shape.iter().product()).map(|_| random.normal().0 as f32).collect();
        return Ok(Input { name: format!("noise (instead of {what})"), data: Data { samples, shape: shape.to_vec() } });
    };
    let name = file.file_name().map_or_else(|| what.into(), |name| name.to_string_lossy().into_owned());
    Ok(Input { name, data: read(&file)? })
}

fn signal(title: String, sound: &Input, kernel: Vec<f32>) -> Result<Heat, Error> {
    let problem = Problem::field(&sound.data.shape[1..], &[kernel.len()]).build()?;
    Ok(Heat { title, problem, operands: Operands { first: Run::of(&sound.elements())?, second: Run::of(&kernel)? } })
}

/// The image's planes as a batch, filtered by the same square kernel.
fn image(title: String, photo: &Input, kernel: Vec<f32>) -> Result<Heat, Error> {
    let (shape, side) = (&photo.data.shape, kernel.len().isqrt());
    let problem = Problem::field(&shape[1..], &[side, side])
        .batch(shape[0])
        .mode(Mode::Same)
        .boundary(Boundary::Mirror)
        .build()?;
    Ok(Heat { title, problem, operands: Operands { first: Run::of(&photo.elements())?, second: Run::of(&kernel)? } })
}

/// 7x7 with stride 2 from three colours, which in a grey image are alike, to 64 channels, with random weights: those of
/// a network at its beginning.
fn first_layer(title: String, photo: &Input) -> Result<Heat, Error> {
    let shape = &photo.data.shape;
    let problem = Problem::layer(1, 3, 64, &shape[1..], &[7, 7]).stride(&[2]).padding(&[(3, 3)]).build()?;
    let second = Operands::random(&problem, Kind::Normal)?.second;
    let first: Vec<f32> = photo.elements().into_iter().cycle().take(problem.input_shape().iter().product()).collect();
    Ok(Heat { title, problem, operands: Operands { first: Run::of(&first)?, second } })
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
