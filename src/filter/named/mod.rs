//! The filters that have a name, on arrays of any rank: smoothing, derivatives, sharpening.
//!
//! Every linear one is a small sum of products of one-dimensional kernels, an [`Operator`]; the planner runs it pass by
//! pass along the axes, or as one dense kernel where that is predicted to be faster. Gradient magnitudes and unsharp
//! masks combine linear filters sample by sample.
//!
//! | type | filters | whose sizes and names |
//! |---|---|---|
//! | [`Gaussian`] | Gaussians and their derivatives of any order | SciPy; OpenCV's sizes on request |
//! | [`BoxBlur`], [`ExtendedBox`] | means over a box, of a fractional radius too; repeated ones in place of a Gaussian | SciPy, OpenCV; Pillow |
//! | [`Derivative`], [`GradientMagnitude`] | Sobel, Prewitt, Scharr, Gaussian derivatives | SciPy, OpenCV |
//! | [`Laplace`], [`DifferenceOfGaussians`] | Laplacians and their approximation | SciPy, OpenCV; scikit-image |
//! | [`Unsharp`], [`Stencil`] | sharpening; the 3 x 3 and 5 x 5 kernels of `PIL.ImageFilter` | scikit-image, Pillow |
//! | [`Gabor`] | oriented ripples | OpenCV |
//! | [`Named`] | any of these, by name: `"gaussian:sigma=2"` | |
//!
//! All of them are a [`Design`], which applies them in one line, along chosen axes, or plans them for many arrays of
//! one shape:
//!
//! ```
//! use faltung::Boundary;
//! use faltung::filter::named::{Design, Gaussian};
//! use faltung::ndarray::Array3;
//!
//! let frame = Array3::<f32>::ones((120, 160, 3)); // height, width, channels
//! let blur = Gaussian::new(1.5).plan(frame.raw_dim(), &[0, 1], Boundary::Mirror)?;
//! let y = blur.apply(&frame)?;
//! assert!((y[[60, 80, 2]] - 1.0).abs() < 1e-6);
//! # Ok::<(), faltung::Error>(())
//! ```
//!
//! **Kernels are correlated**, as SciPy, OpenCV and Pillow do: `y[o] = Σ_t h[t] · x[o + t - anchor]`. An impulse
//! returns the kernel point-reflected; all smoothing kernels that are centred are their own reflection.
//!
//! **Boundaries.** SciPy's `reflect` is [`Boundary::Symmetric`](crate::Boundary::Symmetric), its `mirror`
//! [`Boundary::Mirror`](crate::Boundary::Mirror), its `constant` [`Boundary::Constant`](crate::Boundary::Constant).
//! Each pass is extended by the boundary anew, as in SciPy. That is the same as to extend the data, except for a
//! constant that is not zero: it then lies around the intermediate results too.

mod calls;
mod derivative;
mod design;
mod extent;
mod gabor;
mod gaussian;
mod kernels;
mod notation;
mod operator;
mod parameters;
mod planned;
mod reach;
mod sharpen;
mod smooth;
mod stencil;

pub use calls::{
    box_blur, gaussian, gaussian_gradient_magnitude, gaussian_laplace, laplace, prewitt, scharr, sobel,
    sobel_magnitude, unsharp,
};
pub use derivative::{Derivative, GradientMagnitude, Laplace};
pub use design::Design;
pub use gabor::Gabor;
pub use gaussian::{DifferenceOfGaussians, Gaussian};
pub use notation::Named;
pub use operator::{Operator, Taps};
pub use planned::NamedFilter;
pub use sharpen::Unsharp;
pub use smooth::{BoxBlur, ExtendedBox};
pub use stencil::Stencil;
