//! The one-line calls: all axes, SciPy's sizes and boundary.

use ndarray::{Array, ArrayRef, Axis, Dimension};

use super::derivative::{Derivative, GradientMagnitude, Laplace};
use super::design::Design;
use super::gaussian::Gaussian;
use super::sharpen::Unsharp;
use super::smooth::BoxBlur;
use crate::element::Element;
use crate::error::Result;

/// A Gaussian blur along all axes, as `scipy.ndimage.gaussian_filter(x, sigma)`. See [`Gaussian`] for all else.
///
/// # Errors
/// [`Error::Argument`](crate::Error::Argument) for an empty array and a sigma that is negative, not finite or enormous.
///
/// ```
/// use faltung::filter::named::gaussian;
/// use faltung::ndarray::Array2;
///
/// let y = gaussian(&Array2::<f64>::ones((20, 30)), 2.0)?;
/// assert!(y.iter().all(|v| (v - 1.0).abs() < 1e-14));
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn gaussian<T: Element, D: Dimension>(x: &ArrayRef<T, D>, sigma: f64) -> Result<Array<T, D>> {
    Gaussian::new(sigma).apply(x)
}

/// The mean over a box of `size` samples along all axes, as `scipy.ndimage.uniform_filter(x, size)`. See [`BoxBlur`].
///
/// # Errors
/// [`Error::Argument`](crate::Error::Argument) for an empty array and a size of 0 or enormous.
///
/// ```
/// use faltung::filter::named::box_blur;
/// use faltung::ndarray::array;
/// assert_eq!(box_blur(&array![3.0, 6.0, 0.0], 3)?, array![4.0, 3.0, 2.0]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn box_blur<T: Element, D: Dimension>(x: &ArrayRef<T, D>, size: usize) -> Result<Array<T, D>> {
    BoxBlur::new(size).apply(x)
}

/// Sobel's derivative along an axis, smoothed along all others, as `scipy.ndimage.sobel(x, axis)`. See [`Derivative`].
///
/// # Errors
/// [`Error::Argument`](crate::Error::Argument) for an empty array and an axis that it has not.
///
/// ```
/// use faltung::filter::named::sobel;
/// use faltung::ndarray::{Array2, Axis};
/// let ramp = Array2::from_shape_fn((5, 5), |(i, _)| i as f32);
/// assert_eq!(sobel(&ramp, Axis(0))?[[2, 2]], 8.0);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn sobel<T: Element, D: Dimension>(x: &ArrayRef<T, D>, axis: Axis) -> Result<Array<T, D>> {
    Derivative::sobel(axis.index()).apply(x)
}

/// Prewitt's derivative along an axis, as `scipy.ndimage.prewitt(x, axis)`. See [`Derivative`].
///
/// # Errors
/// As [`sobel`].
///
/// ```
/// use faltung::filter::named::prewitt;
/// use faltung::ndarray::{Array2, Axis};
/// let ramp = Array2::from_shape_fn((5, 5), |(i, _)| i as f32);
/// assert_eq!(prewitt(&ramp, Axis(0))?[[2, 2]], 6.0);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn prewitt<T: Element, D: Dimension>(x: &ArrayRef<T, D>, axis: Axis) -> Result<Array<T, D>> {
    Derivative::prewitt(axis.index()).apply(x)
}

/// Scharr's derivative along an axis, the kernel of `cv2.Scharr`. See [`Derivative`].
///
/// # Errors
/// As [`sobel`].
///
/// ```
/// use faltung::filter::named::scharr;
/// use faltung::ndarray::{Array2, Axis};
/// let ramp = Array2::from_shape_fn((5, 5), |(i, _)| i as f32);
/// assert_eq!(scharr(&ramp, Axis(0))?[[2, 2]], 32.0);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn scharr<T: Element, D: Dimension>(x: &ArrayRef<T, D>, axis: Axis) -> Result<Array<T, D>> {
    Derivative::scharr(axis.index()).apply(x)
}

/// The length of the gradient by Sobel's derivatives along all axes. See [`GradientMagnitude`].
///
/// # Errors
/// [`Error::Argument`](crate::Error::Argument) for an empty array.
///
/// ```
/// use faltung::filter::named::sobel_magnitude;
/// use faltung::ndarray::Array2;
/// let slope = Array2::from_shape_fn((5, 5), |(i, j)| (3 * i + 4 * j) as f32);
/// assert_eq!(sobel_magnitude(&slope)?[[2, 2]], 40.0);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn sobel_magnitude<T: Element, D: Dimension>(x: &ArrayRef<T, D>) -> Result<Array<T, D>> {
    GradientMagnitude::sobel().apply(x)
}

/// The Laplacian along all axes, as `scipy.ndimage.laplace(x)`. See [`Laplace`].
///
/// # Errors
/// [`Error::Argument`](crate::Error::Argument) for an empty array.
///
/// ```
/// use faltung::filter::named::laplace;
/// use faltung::ndarray::array;
/// assert_eq!(laplace(&array![0.0, 1.0, 4.0, 9.0])?, array![1.0, 2.0, 2.0, -5.0]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn laplace<T: Element, D: Dimension>(x: &ArrayRef<T, D>) -> Result<Array<T, D>> {
    Laplace::new().apply(x)
}

/// The Laplacian of a Gaussian blur, as `scipy.ndimage.gaussian_laplace(x, sigma)`. See [`Laplace`].
///
/// # Errors
/// [`Error::Argument`](crate::Error::Argument) for an empty array and a sigma that is not above 0, not finite or
/// enormous.
///
/// ```
/// use faltung::filter::named::gaussian_laplace;
/// use faltung::ndarray::Array1;
/// let parabola = Array1::from_iter((0..40).map(|i| f64::from((i - 20) * (i - 20))));
/// assert!((gaussian_laplace(&parabola, 2.0)?[20] - 2.0).abs() < 0.05);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn gaussian_laplace<T: Element, D: Dimension>(x: &ArrayRef<T, D>, sigma: f64) -> Result<Array<T, D>> {
    Laplace::gaussian(Gaussian::new(sigma)).apply(x)
}

/// The length of the gradient of a Gaussian blur, as `scipy.ndimage.gaussian_gradient_magnitude(x, sigma)`. See
/// [`GradientMagnitude`].
///
/// # Errors
/// As [`gaussian_laplace`].
///
/// ```
/// use faltung::filter::named::gaussian_gradient_magnitude;
/// use faltung::ndarray::Array2;
/// let slope = Array2::from_shape_fn((40, 40), |(i, j)| (3 * i + 4 * j) as f64);
/// assert!((gaussian_gradient_magnitude(&slope, 2.0)?[[20, 20]] - 5.0).abs() < 0.01);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn gaussian_gradient_magnitude<T: Element, D: Dimension>(x: &ArrayRef<T, D>, sigma: f64) -> Result<Array<T, D>> {
    GradientMagnitude::gaussian(Gaussian::new(sigma)).apply(x)
}

/// Sharpens: adds `amount` times what a Gaussian blur takes away, as `skimage.filters.unsharp_mask` without its
/// clipping. See [`Unsharp`].
///
/// # Errors
/// As [`gaussian`], and for an amount that is not finite.
///
/// ```
/// use faltung::filter::named::unsharp;
/// use faltung::ndarray::array;
/// let y = unsharp(&array![0.0, 0.0, 1.0, 1.0], 1.0, 1.0)?;
/// assert!(y[1] < 0.0 && y[2] > 1.0);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn unsharp<T: Element, D: Dimension>(x: &ArrayRef<T, D>, sigma: f64, amount: f64) -> Result<Array<T, D>> {
    Unsharp::new(sigma, amount).apply(x)
}
