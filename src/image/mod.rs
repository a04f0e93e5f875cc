//! Pictures through filters: the crate [`image`]'s pictures and plain frames.
//!
//! | call | for |
//! |---|---|
//! | [`ImageFilter`] | a kernel or a [named filter](crate::filter::named), with boundary, depth and alpha as asked |
//! | [`PlannedImageFilter`] | many pictures of one size, or the frames of a film, without allocation |
//! | [`read`], [`write()`], [`Picture`] | files, with their colour profile and orientation, in bounded memory |
//! | [`to_planes`], [`from_planes`] and their like | pixels to planes of `f32` or `f64` and back |
//!
//! ```
//! use faltung::image::{self, ImageFilter};
//! use faltung::filter::named::Named;
//!
//! let picture = image::read(concat!(env!("CARGO_MANIFEST_DIR"), "/data/camera.png"))?;
//! let sharpen: Named = "unsharp:sigma=2,amount=1.5".parse()?;
//! let sharp = ImageFilter::named(&sharpen)?.apply_picture(&picture)?;
//! image::write(std::env::temp_dir().join("faltung-sharp.png"), &sharp)?;
//! # std::fs::remove_file(std::env::temp_dir().join("faltung-sharp.png")).expect("a file");
//! # Ok::<(), faltung::Error>(())
//! ```
//!
//! A **frame** is an array of height x width x channels, as OpenCV, NumPy and video decoders have it; **planes** are
//! channels x height x width. Samples are `u8`, `u16`, `i16`, `f32` or `f64`; every other number is in their units, the
//! levels of the picture. Filters run on the numbers as they are, which in most pictures are not proportional to light
//! (sRGB): so do OpenCV, Pillow and SciPy. The crate whose pictures these are is re-exported as
//! [`image`].

mod filter;
mod picture;
mod planes;
mod planned;
mod sample;
mod strips;

pub use ::image;

pub use filter::{Alpha, Depth, ImageFilter};
pub use picture::{Picture, Reader, read, write};
pub use planes::{buffer, frame, from_planes, image_from_planes, image_to_planes, to_planes};
pub use planned::{FrameWorkspace, PlannedImageFilter};
pub use sample::{Real, Sample};
