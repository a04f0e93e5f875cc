//! The real inputs of the race: a sound, the response of a room, a photograph.

use std::path::{Path, PathBuf};

use faltung::Element;

use crate::failure::Failure;
use crate::sample::number;

/// The shipped folder, where the program was built.
pub(crate) fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../data")
}

/// Samples of a sound or an image.
pub(crate) struct Data {
    /// Channels behind one another.
    pub(crate) samples: Vec<f32>,
    /// (channels, spatial …)
    pub(crate) shape: Vec<usize>,
}

impl Data {
    /// The samples as elements.
    pub(crate) fn elements<T: Element>(&self) -> Vec<T> {
        self.samples.iter().map(|&v| number(v.into(), 0.0)).collect()
    }
}

/// The first channel of a WAV file, in -1 … 1; `None` where there is no such file.
pub(crate) fn sound(path: &Path) -> Result<Option<Data>, Failure> {
    if !path.exists() {
        return Ok(None);
    }
    let bad = |error: hound::Error| Failure::Usage(format!("cannot read the sound {}: {error}", path.display()));
    let mut reader = hound::WavReader::open(path).map_err(bad)?;
    let spec = reader.spec();
    let channels = usize::from(spec.channels.max(1));
    let samples: Result<Vec<f32>, _> = match spec.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().step_by(channels).collect(),
        hound::SampleFormat::Int => {
            let full = 2f32.powi(i32::from(spec.bits_per_sample) - 1);
            reader.samples::<i32>().step_by(channels).map(|s| s.map(|v| v as f32 / full)).collect()
        }
    };
    let samples = samples.map_err(bad)?;
    if samples.is_empty() {
        return Err(Failure::Usage(format!("the sound {} is empty", path.display())));
    }
    Ok(Some(Data { shape: vec![1, samples.len()], samples }))
}

/// An image's red, green and blue planes, in 0 … 1; `None` where there is no such file.
pub(crate) fn photograph(path: &Path) -> Result<Option<Data>, Failure> {
    if !path.exists() {
        return Ok(None);
    }
    let image = image::open(path)
        .map_err(|error| Failure::Usage(format!("cannot read the image {}: {error}", path.display())))?
        .to_rgb8();
    let (width, height) = (image.width() as usize, image.height() as usize);
    let bytes = image.into_raw();
    let plane = |c: usize| bytes.iter().skip(c).step_by(3).map(|&v| f32::from(v) / 255.0);
    Ok(Some(Data { samples: (0..3).flat_map(plane).collect(), shape: vec![3, height, width] }))
}
