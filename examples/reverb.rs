//! Plays a sound in a room: the sound convolved with the room's impulse response, as a WAV file.
//!
//! ```sh
//! cargo run --release --example reverb hall.wav                          # the shipped tabla in the shipped room
//! cargo run --release --example reverb SOUND.wav RESPONSE.wav hall.wav   # any sound in any room
//! cargo run --release --example reverb -- --help
//! ```

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use faltung::audio::{Audio, Reverb, WavFormat};
use indicatif::{ProgressBar, ProgressStyle};
use plotters::prelude::*;

/// Plays a sound in the room of an impulse response.
#[derive(Parser)]
#[command(override_usage = "reverb [OPTIONS] [SOUND.wav RESPONSE.wav] OUT.wav")]
struct Options {
    /// The result, and before it a sound and a response: data/tabla.wav and data/room.wav unless given
    #[arg(num_args = 1..=3, required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The factor of the sound itself
    #[arg(long, default_value_t = 0.3, allow_negative_numbers = true)]
    dry: f64,
    /// The factor of the sound in the room
    #[arg(long, default_value_t = 0.7, allow_negative_numbers = true)]
    wet: f64,
    /// Seconds by which the room answers late
    #[arg(long, default_value_t = 0.0)]
    predelay: f64,
    /// Ends with the sound, not with the room
    #[arg(long)]
    no_tail: bool,
    /// Scales the result to this peak
    #[arg(long, value_name = "PEAK")]
    normalize: Option<f64>,
    /// Resamples a response of another rate to the sound's
    #[arg(long)]
    resample: bool,
    /// pcm8, pcm16, pcm24, pcm32 or float; the sound's own unless given
    #[arg(long)]
    format: Option<WavFormat>,
    /// Draws the sound and the result
    #[arg(long, value_name = "OUT.svg")]
    picture: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reverb: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let (sound, response, target) = match &*options.files {
        [target] => (data.join("tabla.wav"), data.join("room.wav"), target),
        [sound, response, target] => (sound.clone(), response.clone(), target),
        _ => return Err("either OUT.wav or SOUND.wav RESPONSE.wav OUT.wav".into()),
    };
    let (sound, response) = (read("sound", &sound)?, read("response", &response)?);

    let mut reverb = Reverb::new(&response)
        .dry(options.dry)
        .wet(options.wet)
        .predelay(options.predelay)
        .tail(!options.no_tail)
        .resample(options.resample);
    if let Some(peak) = options.normalize {
        reverb = reverb.normalize(peak);
    }
    let start = Instant::now();
    let room = reverb.prepare(sound.channels(), sound.rate())?;
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template("{wide_bar} {percent} %, {eta} left")?);
    let heard = room.apply_with(&sound, |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let seconds = start.elapsed().as_secs_f64();

    let format = options.format.unwrap_or(sound.format());
    let clipped = heard.write(target, format)?;
    describe("result", target, &heard);
    println!("{seconds:.3} s, {:.0} times faster than real time", heard.seconds() / seconds);
    println!("peak {:.4}, {clipped} of {} samples clipped to {format}", heard.peak(), heard.samples().len());
    if clipped > 0 {
        println!("(--normalize 0.9 clips none)");
    }
    if let Some(picture) = &options.picture {
        draw(picture, [("the sound", &sound), ("in the room", &heard)])?;
    }
    Ok(())
}

fn read(what: &str, path: &Path) -> faltung::Result<Audio> {
    let audio = Audio::read(path)?;
    describe(what, path, &audio);
    Ok(audio)
}

fn describe(what: &str, path: &Path, audio: &Audio) {
    let (channels, rate, seconds) = (audio.channels(), audio.rate(), audio.seconds());
    println!("{what:8} {}: {channels} channels, {seconds:.2} s at {rate} Hz", path.display());
}

/// Every channel of every sound on the same axis of time: the least and the greatest sample of each column.
fn draw(path: &Path, sounds: [(&str, &Audio); 2]) -> Result<(), Box<dyn Error>> {
    const COLUMNS: usize = 1000;
    let area = SVGBackend::new(path, (1100, 500)).into_drawing_area();
    area.fill(&WHITE)?;
    let longest = sounds.iter().map(|(_, sound)| sound.seconds()).fold(0.0, f64::max);
    for (part, (name, sound)) in area.split_evenly((sounds.len(), 1)).iter().zip(sounds) {
        let peak = sound.peak().max(f32::MIN_POSITIVE);
        let mut chart = ChartBuilder::on(part)
            .caption(format!("{name}, peak {peak:.2}"), ("sans-serif", 18))
            .margin(10)
            .x_label_area_size(30)
            .y_label_area_size(50)
            .build_cartesian_2d(0.0..longest, -peak..peak)?;
        chart.configure_mesh().disable_mesh().x_desc("seconds").y_labels(5).draw()?;
        let width = (longest * f64::from(sound.rate()) / COLUMNS as f64).max(1.0);
        for (number, channel) in sound.samples().outer_iter().enumerate() {
            let colour = Palette99::pick(number).mix(0.6);
            chart.draw_series((0..COLUMNS).filter_map(|column| {
                let at = |column: usize| ((column as f64 * width) as usize).min(channel.len());
                let (from, to) = (at(column), at(column + 1));
                let samples = || (from..to).map(|i| channel[i]);
                let (low, high) = (samples().reduce(f32::min)?, samples().reduce(f32::max)?);
                let seconds = |frame: usize| frame as f64 / f64::from(sound.rate());
                Some(Rectangle::new([(seconds(from), low), (seconds(to), high)], colour.filled()))
            }))?;
        }
    }
    area.present()?;
    Ok(())
}
