//! WAV files, by hound.

use std::io::{Read, Seek, Write};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use ndarray::{Array2, ArrayView2};

use super::format::WavFormat;
use super::riff::Chunks;
use super::sound::{Audio, reserve};
use crate::error::{Error, Result};

/// Bytes of the longest header that is written, which the file's length counts too.
const HEADER: u64 = 68;

pub(super) fn read(reader: impl Read) -> Result<Audio> {
    let chunks = Chunks::read(reader)?;
    let refused = |e: hound::Error| Error::other(format!("reading a WAV file ({})", chunks.describe()), e);
    let mut wav = WavReader::new(chunks.file()).map_err(refused)?;
    let (spec, frames) = (wav.spec(), wav.duration() as usize);
    let format = WavFormat::of(spec).ok_or_else(|| {
        Error::argument("WAV file", "integers of 8, 16, 24 or 32 bits or numbers of 32", chunks.describe())
    })?;
    let channels = usize::from(spec.channels);
    let mut samples = reserve(channels, frames)?;
    // Hound gives frame by frame; channel by channel they are kept.
    let places = (0..frames).flat_map(|frame| (0..channels).map(move |channel| channel * frames + frame));
    match spec.sample_format {
        SampleFormat::Float => {
            for (place, sample) in places.zip(wav.samples::<f32>()) {
                samples[place] = sample.map_err(refused)?;
            }
        }
        SampleFormat::Int => {
            let scale = (1.0 / format.full_scale()) as f32;
            for (place, sample) in places.zip(wav.samples::<i32>()) {
                samples[place] = sample.map_err(refused)? as f32 * scale;
            }
        }
    }
    let samples = Array2::from_shape_vec((channels, frames), samples)
        .map_err(|e| Error::other("laying out the channels of a WAV file", e))?;
    Audio::with_format(samples, spec.sample_rate, format)
}

/// Writes, and counts the samples that were clipped.
pub(super) fn write(
    samples: ArrayView2<'_, f32>,
    rate: u32,
    format: WavFormat,
    writer: impl Write + Seek,
) -> Result<usize> {
    let failed = |e| Error::other("writing a WAV file", e);
    let spec = spec(samples.dim(), rate, format)?;
    let mut wav = WavWriter::new(writer, spec).map_err(failed)?;
    let mut clipped = 0;
    if format == WavFormat::Float32 {
        for &sample in samples.t() {
            wav.write_sample(sample).map_err(failed)?;
        }
    } else {
        let full = format.full_scale();
        for ((frame, channel), &sample) in samples.t().indexed_iter() {
            let given = f64::from(sample);
            if given.is_nan() {
                let at = format!("NaN in frame {frame} of channel {channel}");
                return Err(Error::argument("samples", "numbers, for a format of integers", at));
            }
            let wanted = (given * full).round_ties_even();
            let kept = wanted.clamp(-full, full - 1.0);
            clipped += usize::from(kept != wanted);
            wav.write_sample(kept as i32).map_err(failed)?;
        }
    }
    wav.finalize().map_err(failed)?;
    Ok(clipped)
}

/// Hound's description of a file, whose header fields all hold what they must.
fn spec((channels, frames): (usize, usize), rate: u32, format: WavFormat) -> Result<WavSpec> {
    let sample = u64::from(format.bits() / 8);
    let block = (channels as u64).saturating_mul(sample);
    let limit = |what, expected: u64, given| Err(Error::argument(what, format!("at most {expected} in WAV"), given));
    if block > u16::MAX.into() {
        return limit("channels", u64::from(u16::MAX) / sample, channels as u64);
    }
    if block.saturating_mul(rate.into()) > u32::MAX.into() {
        return limit("rate", u64::from(u32::MAX) / block, rate.into());
    }
    let longest = u64::from(u32::MAX) - HEADER;
    if block.saturating_mul(frames as u64) > longest {
        return limit("frames", longest / block, frames as u64);
    }
    Ok(WavSpec {
        channels: channels as u16,
        sample_rate: rate,
        bits_per_sample: format.bits(),
        sample_format: format.sample_format(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_a_header_cannot_hold_are_refused() {
        for format in WavFormat::ALL {
            let block = 2 * u64::from(format.bits() / 8);
            let longest = ((u64::from(u32::MAX) - HEADER) / block) as usize;
            assert!(spec((2, longest), 8000, format).is_ok());
            for frames in [longest + 1, usize::MAX] {
                let text = spec((2, frames), 8000, format).expect_err("too long").to_string();
                assert!(text.starts_with("frames") && text.contains(&longest.to_string()), "{text}");
            }
        }
    }
}
