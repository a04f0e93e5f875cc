//! Pictures through filters: the crate [`image`](::image)'s pictures and plain frames.

mod filter;
mod picture;
mod planned;
mod planes;
mod sample;

pub use ::image;

pub use filter::{Alpha, Depth, ImageFilter};
pub use planned::{FrameWorkspace, PlannedImageFilter};
pub use picture::{Picture, Reader, read, write};
pub use planes::{buffer, frame, from_planes, image_from_planes, image_to_planes, to_planes};
pub use sample::{Real, Sample};
