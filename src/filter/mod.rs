//! Filters for `ndarray` arrays: signals, images and volumes of any rank, strides and memory order.
//!
//! | call | for |
//! |---|---|
//! | [`convolve`], [`correlate`], and their `_into` forms | one array, one kernel of the same rank |
//! | [`convolve_axis`], [`convolve_axes`] and their like | a one-dimensional kernel along chosen axes |
//! | [`convolve_batch`], [`correlate_batch`] | leading axes that broadcast as NumPy's do |
//! | [`gaussian`], [`sobel`], [`box_blur`] and their like | the filters that have a name ([`named`]) |
//! | [`convolve_exact`], [`correlate_exact`] | integers, exactly |
//! | [`Convolution`], and the [`Filter`] that it plans | every option, and many runs with one kernel |
//! | [`Convention`] | the choices of SciPy, NumPy, MATLAB, OpenCV and PyTorch |
//!
//! The front end only converts: every call becomes a [`Problem`](crate::Problem) that the planner computes as any
//! other.
//!
//! **Memory.** An array whose elements lie in memory without gaps, in any order of its axes and in either direction, is
//! used where it lies, and so is one that repeats itself along an axis (a broadcast view). Any other is copied first,
//! or written from a copy.
//!
//! **Empty arrays** have no convolution here: an extent of 0, in the data, the kernel or the batch, is an
//! [`Error::Argument`](crate::Error::Argument).

mod arrays;
mod calls;
mod convention;
mod convolution;
mod exact;
pub mod fir;
mod geometry;
mod integer;
pub mod named;
mod plan;
pub mod resample;
mod settings;

pub use calls::{
    convolve, convolve_axes, convolve_axis, convolve_batch, convolve_into, correlate, correlate_axes, correlate_axis,
    correlate_batch, correlate_into,
};
pub use convention::Convention;
pub use convolution::Convolution;
pub use exact::{convolve_exact, correlate_exact};
pub use integer::Integer;
pub use named::{
    Design, Named, NamedFilter, box_blur, gaussian, gaussian_gradient_magnitude, gaussian_laplace, laplace, prewitt,
    scharr, sobel, sobel_magnitude, unsharp,
};
pub use plan::Filter;
