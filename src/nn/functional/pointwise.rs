//! Functions of one number, and of numbers along an axis.

use ndarray::{Array, ArrayRef, Axis, Dimension, Zip};

use super::{expect, standard};
use crate::error::{Error, Result};
use crate::nn::layers::window::larger;
use crate::nn::{Activation, Float};

/// A function of each number.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::nn::{Activation, functional::activation};
/// assert_eq!(activation(&array![-1.0f32, 2.0], Activation::Relu), array![0.0, 2.0]);
/// ```
pub fn activation<T: Float, D: Dimension>(x: &ArrayRef<T, D>, function: Activation) -> Array<T, D> {
    x.mapv(|x| function.value(x))
}

/// The gradient of [`activation`] by its input, from that by its output.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::nn::{Activation, functional::activation_gradient};
/// let dx = activation_gradient(&array![-1.0f32, 2.0], &array![3.0, 4.0], Activation::Relu)?;
/// assert_eq!(dx, array![0.0, 4.0]);
/// # Ok::<(), faltung::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] where the two differ.
pub fn activation_gradient<T: Float, D: Dimension>(
    x: &ArrayRef<T, D>,
    dy: &ArrayRef<T, D>,
    function: Activation,
) -> Result<Array<T, D>> {
    expect("dy", x.shape(), dy.shape())?;
    Ok(Zip::from(x).and(dy).map_collect(|&x, &dy| function.gradient(x, function.value(x), dy)))
}

fn check<T, D: Dimension>(x: &ArrayRef<T, D>, axis: Axis) -> Result<()> {
    if axis.index() < x.ndim() {
        return Ok(());
    }
    Err(Error::argument("axis", format!("one of the {} axes of x", x.ndim()), axis.index()))
}

/// What an array's lanes along an axis become.
fn along<T: Float, D: Dimension>(
    x: &ArrayRef<T, D>,
    axis: Axis,
    of: impl Fn(ndarray::ArrayViewMut1<'_, T>),
) -> Result<Array<T, D>> {
    check(x, axis)?;
    let mut y = standard(x).into_owned();
    y.lanes_mut(axis).into_iter().for_each(of);
    Ok(y)
}

/// `exp(x)` by the sum of it along an axis; no number is too large.
///
/// ```
/// use faltung::ndarray::{Axis, array};
/// use faltung::nn::functional::softmax;
/// assert_eq!(softmax(&array![[1000.0f32, 1000.0], [0.0, -1000.0]], Axis(1))?, array![[0.5, 0.5], [1.0, 0.0]]);
/// # Ok::<(), faltung::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] where there is no such axis.
pub fn softmax<T: Float, D: Dimension>(x: &ArrayRef<T, D>, axis: Axis) -> Result<Array<T, D>> {
    along(x, axis, |mut lane| {
        let most = lane.iter().fold(T::NEG_INFINITY, |most, &x| larger(most, x));
        lane.mapv_inplace(|x| (x - most).exp());
        let sum: T = lane.iter().copied().sum();
        lane.mapv_inplace(|x| x / sum);
    })
}

/// The logarithm of [`softmax`], precise where that is 0.
///
/// ```
/// use faltung::ndarray::{Axis, array};
/// use faltung::nn::functional::log_softmax;
/// assert_eq!(log_softmax(&array![0.0f32, -1000.0], Axis(0))?, array![0.0, -1000.0]);
/// # Ok::<(), faltung::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] where there is no such axis.
pub fn log_softmax<T: Float, D: Dimension>(x: &ArrayRef<T, D>, axis: Axis) -> Result<Array<T, D>> {
    along(x, axis, |mut lane| {
        let most = lane.iter().fold(T::NEG_INFINITY, |most, &x| larger(most, x));
        let log: T = lane.iter().map(|&x| (x - most).exp()).sum::<T>().ln();
        lane.mapv_inplace(|x| x - most - log);
    })
}

/// What the lanes of two arrays of one shape become.
fn along_both<T: Float, D: Dimension>(
    y: &ArrayRef<T, D>,
    dy: &ArrayRef<T, D>,
    axis: Axis,
    of: impl Fn(ndarray::ArrayView1<'_, T>, ndarray::ArrayViewMut1<'_, T>),
) -> Result<Array<T, D>> {
    check(y, axis)?;
    expect("dy", y.shape(), dy.shape())?;
    let mut dx = standard(dy).into_owned();
    Zip::from(y.lanes(axis)).and(dx.lanes_mut(axis)).for_each(of);
    Ok(dx)
}

/// The gradient of [`softmax`] by its input, from its output `y` and the gradient by that.
///
/// ```
/// use faltung::ndarray::{Axis, array};
/// use faltung::nn::functional::softmax_gradient;
/// assert_eq!(softmax_gradient(&array![0.5f32, 0.5], &array![1.0, 0.0], Axis(0))?, array![0.25, -0.25]);
/// # Ok::<(), faltung::Error>(())
/// ```
///
/// # Errors
/// [`Error`] where there is no such axis, or the shapes differ.
pub fn softmax_gradient<T: Float, D: Dimension>(
    y: &ArrayRef<T, D>,
    dy: &ArrayRef<T, D>,
    axis: Axis,
) -> Result<Array<T, D>> {
    along_both(y, dy, axis, |y, mut dx| {
        let mean: T = y.iter().zip(&dx).map(|(&y, &dy)| y * dy).sum();
        dx.zip_mut_with(&y, |dx, &y| *dx = y * (*dx - mean));
    })
}

/// The gradient of [`log_softmax`] by its input, from its output `y` and the gradient by that.
///
/// ```
/// use faltung::ndarray::{Axis, array};
/// use faltung::nn::functional::log_softmax_gradient;
/// let y = array![0.5f64.ln(), 0.5f64.ln()];
/// assert_eq!(log_softmax_gradient(&y, &array![1.0, 0.0], Axis(0))?, array![0.5, -0.5]);
/// # Ok::<(), faltung::Error>(())
/// ```
///
/// # Errors
/// [`Error`] where there is no such axis, or the shapes differ.
pub fn log_softmax_gradient<T: Float, D: Dimension>(
    y: &ArrayRef<T, D>,
    dy: &ArrayRef<T, D>,
    axis: Axis,
) -> Result<Array<T, D>> {
    along_both(y, dy, axis, |y, mut dx| {
        let sum: T = dx.iter().copied().sum();
        dx.zip_mut_with(&y, |dx, &y| *dx -= y.exp() * sum);
    })
}
