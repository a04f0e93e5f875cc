//! The real inputs of the race: a sound, the response of a room, a photograph.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

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

/// The first file of the folder by name that ends so and is wanted.
pub(crate) fn find(folder: &Path, extension: &str, wanted: fn(&str) -> bool) -> Result<Option<PathBuf>, Failure> {
    if !folder.exists() {
        return Ok(None);
    }
    let bad = |error| Failure::Usage(format!("cannot read the folder {}: {error}", folder.display()));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(bad)? {
        let path = entry.map_err(bad)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.extension().is_some_and(|e| e == extension) && wanted(&name) {
            found.push(path);
        }
    }
    Ok(found.into_iter().min())
}

/// The first channel of a WAV file, in -1 … 1.
pub(crate) fn sound(path: &Path) -> Result<Data, Failure> {
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
    Ok(Data { shape: vec![1, samples.len()], samples })
}

/// The planes of an image, in 0 … 1: one of a grey one, else red, green and blue.
pub(crate) fn photograph(path: &Path) -> Result<Data, Failure> {
    let image = image::open(path)
        .map_err(|error| Failure::Usage(format!("cannot read the image {}: {error}", path.display())))?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let (planes, bytes) =
        if image.color().has_color() { (3, image.into_rgb8().into_raw()) } else { (1, image.into_luma8().into_raw()) };
    let plane = |c: usize| bytes.iter().skip(c).step_by(planes).map(|&v| f32::from(v) / 255.0);
    Ok(Data { samples: (0..planes).flat_map(plane).collect(), shape: vec![planes, height, width] })
}
