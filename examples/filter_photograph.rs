//! Finds the edges of the shipped photograph, or of another picture, and writes them as a PNG:
//!
//! ```sh
//! cargo run --release --example filter_photograph edges.png [PICTURE.png]
//! ```
//!
//! The picture is smoothed with a binomial kernel, the derivatives along both axes are taken by Sobel's kernels, and
//! the gradient's magnitude is written, white where it is largest.

use std::path::Path;

use faltung::ndarray::{Array2, Zip, array};
use faltung::{Boundary, Convolution, Mode};
use image::GrayImage;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let target = arguments.next().ok_or("usage: filter_photograph OUT.png [PICTURE.png]")?;
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/camera.png");
    let source = arguments.next().map_or(shipped, Into::into);

    let picture = image::open(source)?.into_luma8();
    let (width, height) = picture.dimensions();
    let shape = (height as usize, width as usize);
    let grey = Array2::from_shape_vec(shape, picture.iter().map(|&v| f32::from(v) / 255.0).collect())?;

    let filter = |picture: &Array2<f32>, kernel: &Array2<f32>| {
        let filter = Convolution::new(kernel).mode(Mode::Same).boundary(Boundary::Nearest).plan(shape)?;
        filter.apply(picture)
    };
    let binomial = [1.0, 4.0, 6.0, 4.0, 1.0];
    let smooth = filter(&grey, &Array2::from_shape_fn((5, 5), |(i, j)| binomial[i] * binomial[j] / 256.0))?;
    let sobel = array![[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]];
    let across = filter(&smooth, &sobel)?;
    let down = filter(&smooth, &sobel.t().to_owned())?;
    let edges = Zip::from(&across).and(&down).map_collect(|&a: &f32, &b| a.hypot(b));

    let most = edges.iter().fold(f32::MIN_POSITIVE, |most, &v| most.max(v));
    let bytes = edges.iter().map(|v| (v / most * 255.0).round() as u8).collect();
    GrayImage::from_raw(width, height, bytes).ok_or("the picture has another size")?.save(target)?;
    Ok(())
}
