//! The convolution theorem: overlap-save in tiles of any size, up to the whole field, along all axes at once.
//!
//! Forward passes and input gradients are both sliding sums over a dense axis, `y[q] = Σ_k w[k] · u[q + e(k)]`; what
//! stride and dilation do is in the geometry of the axes. The two halves of a real tile along its first axis are the real
//! and the imaginary parts of a complex one of half the size, modulo `X^n - i`; see [`fourier`](crate::simd::fourier).
//!
//! Where the last axis is [summed along](Last::Summed), tiles are transformed along the others, and a row of each is
//! correlated with the row of the kernel's transform at the same frequency.

mod blocks;
mod design;
mod forward;
mod geometry;
mod item;
mod outliers;
#[cfg(all(test, feature = "parallel"))]
mod tests;
mod weight;

use std::sync::Arc;

pub(crate) use crate::transform::Last;
pub(crate) use design::{design, estimate};

use super::Execute;
use crate::element::Element;
use crate::problem::{Pass, Problem};
use crate::simd::{self, Line};

/// The algorithm ready to run with these transform sizes; where the last axis is summed along, results of a tile there.
pub(crate) fn build<T: Element>(
    problem: &Problem,
    transform: &[usize],
    last: Last,
) -> Result<Arc<dyn Execute<T>>, String> {
    design::fits(problem, transform, last)?;
    Ok(match problem.pass {
        Pass::WeightGradient => Arc::new(weight::Weight::<T::Real>::new(problem, transform)?),
        _ => Arc::new(forward::Forward::<T::Real>::new(problem, transform, last)?),
    })
}

/// Splits room for `count` elements off the front, each part in lines of its own.
fn take<'a, T: bytemuck::Pod>(lines: &mut &'a mut [Line], count: usize) -> &'a mut [T] {
    simd::split(lines, count)
}

/// Lines that each worker has at the least: operands that are not finite are left to the definition, which must make do
/// with the same workspace.
const DEFINITION: usize = 16;
