//! The layers.

mod activation;
mod conv;
mod conv_transpose;
mod dense;
mod epilogue;
mod flatten;
mod options;
mod passes;
mod pool;
mod window;

pub use activation::Activation;
pub use conv::{Conv, Conv1d, Conv2d, Conv3d};
pub use conv_transpose::{ConvTranspose, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
pub use dense::Dense;
pub use flatten::Flatten;
pub use options::{ConvOptions, Extents};
pub use pool::{AvgPool, AvgPool1d, AvgPool2d, AvgPool3d, MaxPool, MaxPool1d, MaxPool2d, MaxPool3d};
