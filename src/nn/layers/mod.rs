//! The layers.

mod activation;
mod adaptive_pool;
mod batch_norm;
mod blocks;
pub(super) mod conv;
mod conv_pairs;
mod conv_pool;
pub(super) mod conv_transpose;
pub(super) mod dense;
mod dropout;
mod embedding;
pub(super) mod epilogue;
mod flatten;
mod global_pool;
mod layer_norm;
mod moments;
mod norm;
mod options;
mod passes;
mod pool;
pub(super) mod window;

pub use activation::Activation;
pub use adaptive_pool::{AdaptiveAvgPool, AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d};
pub use batch_norm::BatchNorm;
pub use blocks::{Parallel, Residual, depthwise_separable};
pub use conv::{Conv, Conv1d, Conv2d, Conv3d};
pub use conv_transpose::{ConvTranspose, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
pub use dense::Dense;
pub use dropout::{Dropout, Dropout2d, SpatialDropout};
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use global_pool::{GlobalAvgPool, GlobalMaxPool};
pub use layer_norm::LayerNorm;
pub use options::{ConvOptions, Extents};
pub use pool::{AvgPool, AvgPool1d, AvgPool2d, AvgPool3d, MaxPool, MaxPool1d, MaxPool2d, MaxPool3d};
pub use window::Window;
