//! Dense layers and their gradients.

use ndarray::{Array, Array2, ArrayRef, ArrayRef1, ArrayRef2, Dimension};

use super::{expect, run, slice, standard};
use crate::error::{Error, Result};
use crate::nn::layers::epilogue::finish;
use crate::nn::{Dense, Float};
use crate::problem::{Pass, Problem};

/// The problem of rows of numbers and a weight (outputs, inputs).
fn problem(shape: &[usize], inputs: usize, outputs: usize) -> Result<Problem> {
    match shape {
        [_, .., given] if *given == inputs => Dense::new(inputs, outputs).problem(shape),
        _ => Err(Error::argument("x", format!("(batch, …, {inputs})"), format!("shape {shape:?}"))),
    }
}

/// The shape with another last extent.
fn with_last(shape: &[usize], last: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    if let Some(extent) = shape.last_mut() {
        *extent = last;
    }
    shape
}

/// `x wᵀ + bias` along the last axis: `x` (batch, …, inputs), `w` (outputs, inputs).
///
/// ```
/// use faltung::ndarray::{arr2, aview1};
/// use faltung::nn::functional::dense;
/// let y = dense(&arr2(&[[1.0f32, 2.0]]), &arr2(&[[3.0, 4.0], [5.0, 6.0]]), Some(&aview1(&[0.5, 0.0])))?;
/// assert_eq!(y, arr2(&[[11.5, 17.0]]));
/// # Ok::<(), faltung::Error>(())
/// ```
///
/// # Errors
/// [`Error`] where the shapes do not fit.
pub fn dense<T: Float, D: Dimension>(
    x: &ArrayRef<T, D>,
    w: &ArrayRef2<T>,
    bias: Option<&ArrayRef1<T>>,
) -> Result<Array<T, D>> {
    let (outputs, inputs) = w.dim();
    let problem = problem(x.shape(), inputs, outputs)?;
    let mut y = run(&problem, Pass::Forward, (x, w), &with_last(x.shape(), outputs))?;
    if let Some(bias) = bias {
        expect("bias", &[outputs], bias.shape())?;
        finish(slice("result", y.as_slice_mut())?, standard(bias).as_slice(), outputs, 1, None);
    }
    Ok(y)
}

/// The gradient of [`dense`] by its input, from that by its output.
///
/// ```
/// use faltung::ndarray::arr2;
/// use faltung::nn::functional::dense_input_gradient;
/// let dx = dense_input_gradient(&arr2(&[[3.0f32, 4.0], [5.0, 6.0]]), &arr2(&[[1.0, 1.0]]))?;
/// assert_eq!(dx, arr2(&[[8.0, 10.0]]));
/// # Ok::<(), faltung::Error>(())
/// ```
///
/// # Errors
/// [`Error`] where the shapes do not fit.
pub fn dense_input_gradient<T: Float, D: Dimension>(w: &ArrayRef2<T>, dy: &ArrayRef<T, D>) -> Result<Array<T, D>> {
    let (outputs, inputs) = w.dim();
    let input = with_last(dy.shape(), inputs);
    expect("dy", &with_last(dy.shape(), outputs), dy.shape())?;
    run(&problem(&input, inputs, outputs)?, Pass::InputGradient, (dy, w), &input)
}

/// The gradient of [`dense`] by its weight, from that by its output.
///
/// ```
/// use faltung::ndarray::arr2;
/// use faltung::nn::functional::dense_weight_gradient;
/// let dw = dense_weight_gradient(&arr2(&[[1.0f32, 2.0]]), &arr2(&[[3.0, 4.0]]))?;
/// assert_eq!(dw, arr2(&[[3.0, 6.0], [4.0, 8.0]]));
/// # Ok::<(), faltung::Error>(())
/// ```
///
/// # Errors
/// [`Error`] where the shapes do not fit.
pub fn dense_weight_gradient<T: Float, D: Dimension>(x: &ArrayRef<T, D>, dy: &ArrayRef<T, D>) -> Result<Array2<T>> {
    let (Some(&inputs), Some(&outputs)) = (x.shape().last(), dy.shape().last()) else {
        return Err(Error::argument("x", "(batch, …, inputs)", "no axes"));
    };
    expect("dy", &with_last(x.shape(), outputs), dy.shape())?;
    run(&problem(x.shape(), inputs, outputs)?, Pass::WeightGradient, (x, dy), &[outputs, inputs])
}
