//! The layers' functions by themselves, on arrays of any strides: for passes of one's own, without a network.
//!
//! ```
//! use faltung::ndarray::{Array1, Array4};
//! use faltung::nn::{Activation, ConvOptions, functional as f};
//!
//! let (x, w, b) = (Array4::<f32>::ones((1, 3, 8, 8)), Array4::ones((16, 3, 3, 3)), Array1::from_elem(16, 0.5));
//! let options = ConvOptions::new().stride(2).padding(1);
//! let y = f::conv2d(&x, &w, Some(&b), &options)?;
//! let z = f::activation(&y, Activation::Relu);
//! assert_eq!(z[[0, 0, 1, 1]], 27.5);
//!
//! let dy = f::activation_gradient(&y, &Array4::ones(y.raw_dim()), Activation::Relu)?;
//! let dw = f::conv2d_weight_gradient(&x, w.dim(), &dy, &options)?;
//! assert_eq!(dw.shape(), w.shape());
//! # Ok::<(), faltung::Error>(())
//! ```

mod conv;
mod dense;
mod pointwise;
mod pool;

pub use conv::*;
pub use dense::{dense, dense_input_gradient, dense_weight_gradient};
pub use pointwise::{activation, activation_gradient, log_softmax, log_softmax_gradient, softmax, softmax_gradient};
pub use pool::{avg_pool, avg_pool_gradient, max_pool, max_pool_gradient};

use ndarray::{Array, ArrayRef, CowArray, Dimension};

use super::Float;
use super::layer::{dense as slice, volume};
use crate::error::{Error, Result};
use crate::plan::{Planner, Workspace};
use crate::problem::{Pass, Problem};

/// An array of zeros, or an error where the memory cannot be had.
fn zeros<T: Float, D: Dimension>(shape: &[usize]) -> Result<Array<T, D>> {
    let mut dim = D::zeros(shape.len());
    if dim.ndim() != shape.len() {
        return Err(Error::argument("input", format!("{} axes", dim.ndim()), shape.len()));
    }
    dim.slice_mut().copy_from_slice(shape);
    let count = shape.iter().try_fold(1usize, |count, &extent| count.checked_mul(extent));
    let count = count.ok_or_else(|| Error::overflow(format!("the result's size {shape:?}")))?;
    let mut data = Vec::new();
    data.try_reserve_exact(count).map_err(|e| Error::other("allocating a result", e))?;
    data.resize(count, T::ZERO);
    Array::from_shape_vec(dim, data).map_err(|e| Error::other("shaping a result", e))
}

/// The array itself where its elements lie in the order of its axes, else a copy.
fn standard<T: Float, D: Dimension>(array: &ArrayRef<T, D>) -> CowArray<'_, T, D> {
    array.as_standard_layout()
}

/// Refuses an array of another shape.
fn expect(name: &'static str, expected: &[usize], given: &[usize]) -> Result<()> {
    if expected == given { Ok(()) } else { Err(Error::shape(name, expected, given)) }
}

/// Runs a pass of a problem on two arrays, whose shapes have been checked; the result has the shape said.
fn run<T: Float, A: Dimension, B: Dimension, D: Dimension>(
    problem: &Problem,
    pass: Pass,
    (first, second): (&ArrayRef<T, A>, &ArrayRef<T, B>),
    shape: &[usize],
) -> Result<Array<T, D>> {
    let problem = problem.with_pass(pass).with_dtype(T::DTYPE)?;
    let mut result = zeros(shape)?;
    if volume(shape) == 0 {
        return Ok(result);
    }
    let (first, second) = (standard(first), standard(second));
    let first = slice("the first array", first.as_slice())?;
    let second = slice("the second array", second.as_slice())?;
    let to = slice("result", result.as_slice_mut())?;
    Planner::new().plan(&problem)?.run(first, second, to, &mut Workspace::new())?;
    Ok(result)
}
