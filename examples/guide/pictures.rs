//! What is best shown as grey values: the photograph, a volume, and feature maps.

use std::path::Path;

use faltung::ndarray::{Array1, Array2, Array3, Axis, Zip, array, s};
use faltung::{Boundary, Convolution, Mode};
use image::GrayImage;

use crate::data::{Noise, camera};
use crate::plot::Done;

/// White pixels between the tiles of a picture.
const GAP: usize = 8;

/// Writes tiles of one shape side by side; black is 0, white 1.
fn tiles(path: &Path, tiles: &[Array2<f32>]) -> Done {
    let Some((height, width)) = tiles.first().map(Array2::dim) else { return Err("no tile".into()) };
    let pitch = width + GAP;
    let mut picture = Array2::from_elem((height, tiles.len() * pitch - GAP), 255u8);
    for (i, tile) in tiles.iter().enumerate() {
        let mut place = picture.slice_mut(s![.., i * pitch..i * pitch + width]);
        Zip::from(&mut place).and(tile).for_each(|to, v| *to = (v.clamp(0.0, 1.0) * 255.0).round() as u8);
    }
    let (height, width) = picture.dim();
    let picture = GrayImage::from_raw(width as u32, height as u32, picture.into_raw_vec_and_offset().0);
    Ok(picture.ok_or("the tiles have other sizes")?.save(path)?)
}

fn filtered(x: &Array2<f32>, kernel: &Array2<f32>) -> faltung::Result<Array2<f32>> {
    Convolution::new(kernel).mode(Mode::Same).boundary(Boundary::Mirror).plan(x.raw_dim())?.apply(x)
}

/// The kernel 1, 4, 6, 4, 1 along both axes, with sum 1.
fn binomial() -> Array2<f32> {
    let taps = [1.0, 4.0, 6.0, 4.0, 1.0];
    Array2::from_shape_fn((5, 5), |(i, j)| taps[i] * taps[j] / 256.0)
}

/// The photographer's head and camera.
fn portrait() -> Done<Array2<f32>> {
    Ok(camera()?.slice(s![50..290, 130..370]).to_owned())
}

/// The derivatives along the rows and along the columns.
fn sobel(x: &Array2<f32>) -> faltung::Result<[Array2<f32>; 2]> {
    let across = array![[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]];
    Ok([filtered(x, &across)?, filtered(x, &across.t().to_owned())?])
}

/// The photograph, smoothed, sharpened, and its edges.
pub fn images(path: &Path) -> Done {
    let x = portrait()?;
    let mut smooth = x.clone();
    for _ in 0..4 {
        smooth = filtered(&smooth, &binomial())?;
    }
    let sharpen = array![[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]];
    let sharp = filtered(&x, &sharpen)?;
    let [across, down] = sobel(&x)?;
    let edges = Zip::from(&across).and(&down).map_collect(|&a: &f32, &b| a.hypot(b) / 3.0);
    tiles(path, &[x, smooth, sharp, edges])
}

/// A noisy ball: one slice of it, smoothed in the slice alone, smoothed in all three axes, and its surface.
pub fn volume(path: &Path) -> Done {
    const SIZE: usize = 48;
    let mut noise = Noise(11);
    let ball = Array3::from_shape_fn((SIZE, SIZE, SIZE), |(i, j, k)| {
        let radius = [i, j, k].map(|n| (n as f32 - 23.5).powi(2)).iter().sum::<f32>().sqrt();
        let inside = if radius < 16.0 { 0.7 } else { 0.3 };
        inside + 0.2 * noise.next().unwrap_or(0.0) as f32
    });
    let taps = array![1.0f32, 4.0, 6.0, 4.0, 1.0] / 16.0;
    let along = |x: &Array3<f32>, axes: &[usize], h: &Array1<f32>| -> faltung::Result<Array3<f32>> {
        axes.iter().try_fold(x.clone(), |x, &axis| {
            let filter = Convolution::new(h).axes(&[axis]).mode(Mode::Same).boundary(Boundary::Nearest);
            filter.plan(x.raw_dim())?.apply(&x)
        })
    };
    let flat = along(&ball, &[1, 2], &taps)?;
    let solid = along(&ball, &[0, 1, 2], &taps)?;
    let smoother = along(&solid, &[0, 1, 2], &taps)?;
    let mut steepness = Array3::<f32>::zeros(solid.raw_dim());
    for axis in 0..3 {
        let slope = along(&smoother, &[axis], &array![0.5, 0.0, -0.5])?;
        Zip::from(&mut steepness).and(&slope).for_each(|sum, v| *sum += v * v);
    }
    let steepness = steepness.mapv(|v| v.sqrt() * 9.0);
    let slices = [&ball, &flat, &solid, &steepness].map(|volume| {
        let slice = volume.index_axis(Axis(0), SIZE / 2);
        Array2::from_shape_fn((4 * SIZE, 4 * SIZE), |(i, j)| slice[[i / 4, j / 4]])
    });
    tiles(path, &slices)
}

/// A feature map of the photograph: the response, after ReLU, after pooling by 4 (shown as large).
pub fn features(path: &Path) -> Done {
    let x = portrait()?;
    let [across, _] = sobel(&x)?;
    let kept = across.mapv(|v| v.max(0.0));
    let pooled: Vec<f32> = kept.exact_chunks((4, 4)).into_iter().map(|c| c.fold(0.0f32, |a, &b| a.max(b))).collect();
    let pooled = Array2::from_shape_vec((kept.nrows() / 4, kept.ncols() / 4), pooled)?;
    let large = Array2::from_shape_fn(kept.raw_dim(), |(i, j)| pooled[[i / 4, j / 4]]);
    tiles(path, &[x, across.mapv(|v| 0.5 + v / 5.0), kept.mapv(|v| v / 2.5), large.mapv(|v| v / 2.5)])
}
