//! Plays the shipped sound in the shipped room: the sound convolved with the room's impulse response, as a WAV file:
//!
//! ```sh
//! cargo run --release --example reverberate hall.wav [SOUND.wav RESPONSE.wav]
//! ```

use std::path::{Path, PathBuf};

use faltung::ndarray::Array1;
use faltung::{Convolution, Mode};
use hound::{SampleFormat, WavReader, WavWriter};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let target = arguments.next().ok_or("usage: reverberate OUT.wav [SOUND.wav RESPONSE.wav]")?;
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let mut source = |shipped: &str| arguments.next().map_or_else(|| data.join(shipped), PathBuf::from);
    let (sound, rate) = read(&source("tabla.wav"))?;
    let (response, other) = read(&source("room.wav"))?;
    if rate != other {
        return Err(format!("the sound has {rate} samples a second, the response {other}").into());
    }

    let room = Convolution::new(&response).mode(Mode::Full).plan(sound.len())?;
    println!("{}", room.explain());
    let wet = room.apply(&sound)?;

    let peak = wet.iter().fold(f32::MIN_POSITIVE, |peak, v| peak.max(v.abs()));
    let format =
        hound::WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut writer = WavWriter::create(target, format)?;
    for v in wet {
        writer.write_sample((v / peak * 0.9 * f32::from(i16::MAX)).round() as i16)?;
    }
    Ok(writer.finalize()?)
}

/// The first channel in -1 … 1, and the samples a second.
fn read(path: &Path) -> Result<(Array1<f32>, u32), Box<dyn std::error::Error>> {
    let mut reader = WavReader::open(path)?;
    let spec = reader.spec();
    let channels = usize::from(spec.channels);
    let samples: Result<Vec<f32>, hound::Error> = match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().step_by(channels).collect(),
        SampleFormat::Int => {
            let full = 2f32.powi(i32::from(spec.bits_per_sample) - 1);
            reader.samples::<i32>().step_by(channels).map(|s| s.map(|v| v as f32 / full)).collect()
        }
    };
    Ok((samples?.into(), spec.sample_rate))
}
