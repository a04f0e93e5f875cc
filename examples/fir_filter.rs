//! Filters a sound and draws what the filter does: its gain, phase and delay, and the sound's spectrum before and after.
//!
//! ```sh
//! cargo run --release --example fir_filter low.wav                                    # the shipped sound below 1 kHz
//! cargo run --release --example fir_filter voice.wav -i SOUND.wav -t bandpass -c 300,3400 --taps 801
//! cargo run --release --example fir_filter clean.wav -i SOUND.wav -t bandstop -c 48,52 --ripple 60 --width 4
//! ```
//!
//! The filter has linear phase and its delay is taken away, so that the sound stays where it was. The picture, an SVG
//! file, lies beside the sound unless `--picture` says otherwise.

use std::error::Error;
use std::f64::consts::PI;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use faltung::audio::Audio;
use faltung::filter::fir::{Fir, FirDesign, Frequencies, PreparedFir, Window, freqz, group_delay};
use faltung::ndarray::{Array1, Array2, Axis, s};
use indicatif::{ProgressBar, ProgressStyle};
use plotters::prelude::*;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Filters a WAV file by a finite impulse response, and draws the filter.
#[derive(Parser)]
struct Arguments {
    /// The filtered sound.
    output: PathBuf,
    /// The sound; `data/tabla.wav` unless given.
    #[arg(short, long)]
    input: Option<PathBuf>,
    /// What passes.
    #[arg(short = 't', long = "type", value_enum, default_value_t = Kind::Lowpass)]
    kind: Kind,
    /// The edges in Hz: one for low- and high-pass, two for the others.
    #[arg(short, long, value_delimiter = ',', default_value = "1000")]
    cutoff: Vec<f64>,
    /// Number of taps.
    #[arg(short = 'n', long, default_value_t = 401, conflicts_with = "ripple")]
    taps: usize,
    /// Ripple in dB, in place of a number of taps: a Kaiser window.
    #[arg(long, requires = "width")]
    ripple: Option<f64>,
    /// Width of the transitions in Hz, with a ripple.
    #[arg(long, requires = "ripple")]
    width: Option<f64>,
    /// The window: hamming, blackman, kaiser:8.6, …
    #[arg(short, long, default_value = "hamming", conflicts_with = "ripple")]
    window: Window,
    /// The picture, an SVG file; beside the filtered sound unless given.
    #[arg(short, long)]
    picture: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Lowpass,
    Highpass,
    Bandpass,
    Bandstop,
}

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    let shipped = || Path::new(env!("CARGO_MANIFEST_DIR")).join("data/tabla.wav");
    let input = arguments.input.clone().unwrap_or_else(shipped);
    let sound = Audio::read(&input)?;
    let rate = f64::from(sound.rate());
    let filter = design(&arguments, rate)?;
    println!(
        "{}: {} channel(s), {:.2} s at {rate} Hz\nfilter: {} taps, a delay of {:.2} ms, taken away",
        input.display(),
        sound.channels(),
        sound.seconds(),
        filter.taps().len(),
        filter.delay().unwrap_or(0.0) / rate * 1e3,
    );
    let filtered = Audio::new(apply(&filter, sound.samples())?, sound.rate())?;
    let clipped = filtered.write(&arguments.output, sound.format())?;
    println!("wrote {}, {clipped} sample(s) clipped", arguments.output.display());
    let picture = arguments.picture.unwrap_or_else(|| arguments.output.with_extension("svg"));
    draw(&picture, &filter, rate, [&spectrum(sound.samples())?, &spectrum(filtered.samples())?])?;
    println!("wrote {}", picture.display());
    Ok(())
}

fn design(arguments: &Arguments, rate: f64) -> Outcome<Fir> {
    let design = match (arguments.ripple, arguments.width) {
        (Some(ripple), Some(width)) => FirDesign::kaiser(ripple, width),
        _ => FirDesign::new(arguments.taps).window(arguments.window),
    };
    let design = design.fs(rate);
    let wrong = |n: &str| format!("{n} cutoff(s) for this type, given {:?}", arguments.cutoff);
    Ok(match (arguments.kind, &arguments.cutoff[..]) {
        (Kind::Lowpass, &[cutoff]) => design.lowpass(cutoff)?,
        (Kind::Highpass, &[cutoff]) => design.highpass(cutoff)?,
        (Kind::Bandpass, &[low, high]) => design.bandpass(low, high)?,
        (Kind::Bandstop, &[low, high]) => design.bandstop(low, high)?,
        (Kind::Lowpass | Kind::Highpass, _) => return Err(wrong("one").into()),
        (Kind::Bandpass | Kind::Bandstop, _) => return Err(wrong("two").into()),
    })
}

/// Filters block by block, each with what the filter reads beside it, so that long sounds show how far it is.
fn apply(filter: &Fir, sound: &Array2<f32>) -> Outcome<Array2<f32>> {
    const BLOCK: usize = 1 << 20;
    let prepared: PreparedFir<f32> = filter.prepare()?;
    let (n, reach) = (sound.ncols(), filter.taps().len());
    let mut filtered = Array2::zeros(sound.raw_dim());
    let bar = progress("filtering", n.div_ceil(BLOCK));
    for start in (0..n).step_by(BLOCK) {
        let end = (start + BLOCK).min(n);
        let (from, to) = (start.saturating_sub(reach), (end + reach).min(n));
        let block = prepared.apply(&sound.slice(s![.., from..to]), Axis(1))?;
        filtered.slice_mut(s![.., start..end]).assign(&block.slice(s![.., start - from..end - from]));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(filtered)
}

/// A bar, hidden where there is little to do.
fn progress(what: &'static str, steps: usize) -> ProgressBar {
    if steps < 4 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent} %, {eta} left");
    ProgressBar::new(steps as u64).with_message(what).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Points of a spectrum, up to the Nyquist frequency.
const POINTS: usize = 2048;

/// The mean power of each frequency, in dB of a full-scale sine: Welch's method, with Hann windows that overlap by half.
fn spectrum(sound: &Array2<f32>) -> Outcome<Array1<f64>> {
    let window = Window::Hann.periodic(2 * POINTS)?;
    let scale = 2.0 / window.sum();
    let starts: Vec<usize> = (0..sound.ncols()).step_by(POINTS).collect();
    let bar = progress("spectrum", starts.len() / 64);
    let mut power = Array1::<f64>::zeros(POINTS);
    for (i, &start) in starts.iter().enumerate() {
        for channel in sound.rows() {
            let part: Vec<f64> =
                channel.iter().skip(start).zip(&window).map(|(&v, w)| f64::from(v) * w * scale).collect();
            let (_, response) = freqz(&part, Frequencies::Half(POINTS), None)?;
            power.zip_mut_with(&response, |sum, v| *sum += v.norm_sqr());
        }
        if i % 64 == 63 {
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(power.mapv(|p| 10.0 * (p / (starts.len() * sound.nrows()) as f64).max(1e-20).log10()))
}

fn draw(path: &Path, filter: &Fir, rate: f64, spectra: [&Array1<f64>; 2]) -> Outcome<()> {
    let (blue, red, grey) = (RGBColor(31, 90, 160), RGBColor(200, 60, 40), RGBColor(120, 120, 120));
    let taps = filter.taps().to_vec();
    let audible = 20.0..rate / 2.0;
    // Evenly along the logarithmic axis.
    let hz: Vec<f64> =
        (0..2000).map(|i| audible.start * (audible.end / audible.start).powf(f64::from(i) / 1999.0)).collect();
    let (_, response) = freqz(&taps, &hz[..], Some(rate))?;
    let (_, delay) = group_delay(&taps, &hz[..], Some(rate))?;
    let line = |y: &dyn Fn(usize) -> f64| -> Vec<(f64, f64)> { (0..hz.len()).map(|i| (hz[i], y(i))).collect() };

    let root = SVGBackend::new(path, (900, 1200)).into_drawing_area();
    root.fill(&WHITE)?;
    let panels = root.split_evenly((4, 1));

    let mut chart = chart_of(&panels[0], "Gain", "dB", audible.clone(), -120.0..10.0)?;
    let gain = line(&|i| (20.0 * response[i].norm().max(1e-12).log10()).max(-120.0));
    chart.draw_series(LineSeries::new(gain, blue.stroke_width(2)))?;

    let mut chart = chart_of(&panels[1], "Phase, the delay taken away", "degrees", audible.clone(), -100.0..280.0)?;
    let middle = filter.delay().unwrap_or(0.0);
    let phase = line(&|i| {
        let turned = response[i] * faltung::Complex::from_polar(1.0, 2.0 * PI * hz[i] / rate * middle);
        // Half a turn is one line, not two.
        (turned.arg().to_degrees() + 90.0).rem_euclid(360.0) - 90.0
    });
    chart.draw_series(LineSeries::new(phase, red.stroke_width(1)))?;

    let milliseconds = line(&|i| delay[i] / rate * 1e3);
    let most = milliseconds.iter().fold(1e-3f64, |a, d| a.max(d.1)); // passes over NaN
    let mut chart = chart_of(&panels[2], "Group delay", "ms", audible.clone(), 0.0..1.5 * most)?;
    let finite = milliseconds.into_iter().filter(|d| d.1.is_finite());
    chart.draw_series(LineSeries::new(finite, red.stroke_width(2)))?;

    let loudest = spectra[0].iter().chain(spectra[1]).fold(-100.0f64, |a, &v| a.max(v));
    let mut chart = chart_of(&panels[3], "The sound's spectrum", "dB", audible, loudest - 110.0..loudest + 10.0)?;
    for (spectrum, colour, name) in [(spectra[0], grey, "before"), (spectra[1], blue, "after")] {
        let points =
            spectrum.iter().enumerate().map(|(k, &v)| (rate / 2.0 * k as f64 / POINTS as f64, v.max(loudest - 110.0)));
        let audible = points.filter(|(f, _)| *f >= 20.0);
        chart.draw_series(LineSeries::new(audible, colour.stroke_width(1)))?.label(name).legend(key(colour));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerLeft)
        .background_style(WHITE.mix(0.8))
        .label_font(("sans-serif", 14))
        .draw()?;
    Ok(root.present()?)
}

/// A line in a legend.
fn key(colour: RGBColor) -> impl Fn((i32, i32)) -> PathElement<(i32, i32)> {
    move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2))
}

type Panel<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Chart<'a, 'b> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<LogCoord<f64>, plotters::coord::types::RangedCoordf64>>;

/// A chart over frequencies.
fn chart_of<'a, 'b>(
    panel: &'a Panel<'b>,
    title: &str,
    unit: &str,
    x: Range<f64>,
    y: Range<f64>,
) -> Outcome<Chart<'a, 'b>> {
    let mut chart = ChartBuilder::on(panel)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(x.log_scale(), y)?;
    let hertz = |f: &f64| if *f < 1000.0 { format!("{f}") } else { format!("{}k", f / 1000.0) };
    let mut mesh = chart.configure_mesh();
    mesh.x_desc("Hz").y_desc(unit).x_label_formatter(&hertz).label_style(("sans-serif", 14));
    mesh.light_line_style(RGBColor(235, 235, 235)).bold_line_style(RGBColor(215, 215, 215)).draw()?;
    Ok(chart)
}
