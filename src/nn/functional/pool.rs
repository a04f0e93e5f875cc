//! Pooling and its gradients.

use ndarray::{Array, ArrayRef, Dimension};

use super::{expect, standard, zeros};
use crate::error::Result;
use crate::nn::{AvgPool, Backward, Context, Design, Float, MaxPool, Random};

/// What a layer without parameters makes of an input.
fn forward<T: Float, D: Dimension>(design: impl Design<T>, x: &ArrayRef<T, D>) -> Result<Array<T, D>> {
    let mut layer = Box::new(design).build(&mut Random::new(0))?;
    let mut y = zeros::<T, D>(&layer.output_shape(x.shape())?)?;
    layer.forward(standard(x).view().into_dyn(), y.view_mut().into_dyn(), &mut Context::new(0))?;
    Ok(y)
}

/// The gradient by the input of a layer without parameters.
fn gradient<T: Float, D: Dimension>(
    design: impl Design<T>,
    x: &ArrayRef<T, D>,
    dy: &ArrayRef<T, D>,
) -> Result<Array<T, D>> {
    let mut layer = Box::new(design).build(&mut Random::new(0))?;
    let shape = layer.output_shape(x.shape())?;
    expect("dy", &shape, dy.shape())?;
    let (x, mut dy, context) = (standard(x), standard(dy).into_owned(), &mut Context::new(0));
    let (mut y, mut dx) = (zeros::<T, D>(&shape)?, zeros::<T, D>(x.shape())?);
    layer.forward(x.view().into_dyn(), y.view_mut().into_dyn(), context)?;
    let (x, y, dx_view) = (x.view().into_dyn(), y.view().into_dyn(), dx.view_mut().into_dyn());
    layer.backward(Backward { x, y, dy: dy.view_mut().into_dyn(), dx: Some(dx_view) }, context)?;
    Ok(dx)
}

/// The largest sample of each window of an input (batch, channels, spatial …).
///
/// ```
/// use faltung::ndarray::arr3;
/// use faltung::nn::{MaxPool1d, functional::max_pool};
/// assert_eq!(max_pool(&arr3(&[[[1.0f32, 2.0, 4.0, 3.0]]]), &MaxPool1d::new(2))?, arr3(&[[[2.0, 4.0]]]));
/// # Ok::<(), faltung::Error>(())
/// ```
///
/// # Errors
/// [`Error`](crate::Error) where the input has not the pooling's number of axes, or a window does not fit.
pub fn max_pool<T: Float, D: Dimension, const N: usize>(x: &ArrayRef<T, D>, pool: &MaxPool<N>) -> Result<Array<T, D>> {
    forward(pool.clone(), x)
}

/// The gradient of [`max_pool`] by its input, from that by its output.
///
/// ```
/// use faltung::ndarray::arr3;
/// use faltung::nn::{MaxPool1d, functional::max_pool_gradient};
/// let (x, dy) = (arr3(&[[[1.0f32, 2.0, 4.0, 3.0]]]), arr3(&[[[5.0, 6.0]]]));
/// assert_eq!(max_pool_gradient(&x, &dy, &MaxPool1d::new(2))?, arr3(&[[[0.0, 5.0, 6.0, 0.0]]]));
/// # Ok::<(), faltung::Error>(())
/// ```
///
/// # Errors
/// As [`max_pool`], and where `dy` has not its result's shape.
pub fn max_pool_gradient<T: Float, D: Dimension, const N: usize>(
    x: &ArrayRef<T, D>,
    dy: &ArrayRef<T, D>,
    pool: &MaxPool<N>,
) -> Result<Array<T, D>> {
    gradient(pool.clone(), x, dy)
}

/// The average of each window of an input (batch, channels, spatial …).
///
/// ```
/// use faltung::ndarray::arr3;
/// use faltung::nn::{AvgPool1d, functional::avg_pool};
/// assert_eq!(avg_pool(&arr3(&[[[1.0f32, 2.0, 4.0, 3.0]]]), &AvgPool1d::new(2))?, arr3(&[[[1.5, 3.5]]]));
/// # Ok::<(), faltung::Error>(())
/// ```
///
/// # Errors
/// [`Error`](crate::Error) where the input has not the pooling's number of axes, or a window does not fit.
pub fn avg_pool<T: Float, D: Dimension, const N: usize>(x: &ArrayRef<T, D>, pool: &AvgPool<N>) -> Result<Array<T, D>> {
    forward(pool.clone(), x)
}

/// The gradient of [`avg_pool`] by its input, from that by its output.
///
/// ```
/// use faltung::ndarray::arr3;
/// use faltung::nn::{AvgPool1d, functional::avg_pool_gradient};
/// let (x, dy) = (arr3(&[[[1.0f32, 2.0, 4.0, 3.0]]]), arr3(&[[[5.0, 6.0]]]));
/// assert_eq!(avg_pool_gradient(&x, &dy, &AvgPool1d::new(2))?, arr3(&[[[2.5, 2.5, 3.0, 3.0]]]));
/// # Ok::<(), faltung::Error>(())
/// ```
///
/// # Errors
/// As [`avg_pool`], and where `dy` has not its result's shape.
pub fn avg_pool_gradient<T: Float, D: Dimension, const N: usize>(
    x: &ArrayRef<T, D>,
    dy: &ArrayRef<T, D>,
    pool: &AvgPool<N>,
) -> Result<Array<T, D>> {
    gradient(pool.clone(), x, dy)
}
