//! What the pictures are computed from.

use std::path::{Path, PathBuf};

use faltung::ndarray::{Array1, Array2};

use crate::plot::Done;

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

/// The photograph, 512 x 512 grey values from 0 to 1.
pub fn camera() -> Done<Array2<f32>> {
    let picture = image::open(shipped("camera.png"))?.into_luma8();
    let shape = (picture.height() as usize, picture.width() as usize);
    Ok(Array2::from_shape_vec(shape, picture.iter().map(|&v| f32::from(v) / 255.0).collect())?)
}

/// A shipped sound of 16-bit samples, from -1 to 1, and its samples a second.
pub fn sound(name: &str) -> Done<(Array1<f32>, f64)> {
    let mut reader = hound::WavReader::open(shipped(name))?;
    let samples: Result<Array1<f32>, _> = reader.samples::<i16>().map(|s| s.map(|v| f32::from(v) / 32768.0)).collect();
    Ok((samples?, f64::from(reader.spec().sample_rate)))
}

/// Numbers without structure, of mean 0 and variance 1 (sums of four uniform ones, of SplitMix64).
pub struct Noise(pub u64);

impl Iterator for Noise {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        let sum: f64 = (0..4).map(|_| self.uniform()).sum();
        // The variance of a uniform number is 1/12.
        Some((sum - 2.0) * 3f64.sqrt())
    }
}

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}
