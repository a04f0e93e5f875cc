//! The choice of tiles, and what they cost.

use std::sync::Arc;

use super::forward::Forward;
use super::geometry::Axis;
use super::weight::Weight;
use crate::algo::{Estimate, Execute};
use crate::element::Element;
use crate::problem::{Pass, Problem};

/// The algorithm ready to run with these tiles.
pub(crate) fn build<T: Element>(problem: &Problem, tile: &[usize]) -> Result<Arc<dyn Execute<T>>, String> {
    Ok(match problem.pass {
        Pass::WeightGradient => Arc::new(Weight::new::<T>(problem, tile)?),
        _ => Arc::new(Forward::new::<T>(problem, tile)?),
    })
}

/// The tiles of the design that is predicted to be the fastest with an error bound of at most `tolerance`, or of the one
/// with the smallest.
pub(crate) fn design<T: Element>(problem: &Problem, tolerance: f64) -> Result<Vec<usize>, String> {
    let choices = [4, 2, 6].map(|m| vec![m; problem.rank()]);
    let mut best: Option<(bool, f64, Vec<usize>)> = None;
    let mut reason = String::new();
    for tile in choices {
        let estimate = match estimate::<T>(problem, &tile) {
            Ok(estimate) => estimate,
            Err(why) => {
                reason = why;
                continue;
            }
        };
        let exceeds = estimate.error > tolerance;
        let cost = if exceeds { estimate.error } else { estimate.seconds };
        if best.as_ref().is_none_or(|b| (exceeds, cost) < (b.0, b.1)) {
            best = Some((exceeds, cost, tile));
        }
    }
    best.map(|b| b.2).ok_or(reason)
}

/// What this design costs and takes, or why it does not fit the problem.
pub(crate) fn estimate<T: Element>(problem: &Problem, tile: &[usize]) -> Result<Estimate, String> {
    let (seconds, needs, terms) = match problem.pass {
        Pass::WeightGradient => {
            let this = Weight::new::<T>(problem, tile)?;
            (this.seconds::<T>(), Execute::<T>::needs(&this), this.terms())
        }
        _ => {
            let this = Forward::new::<T>(problem, tile)?;
            (this.seconds::<T>(), Execute::<T>::needs(&this), this.terms())
        }
    };
    let sizes = problem.axes.iter().zip(tile).map(|(axis, &m)| m + axis.kernel - 1);
    Ok(Estimate { seconds, needs, error: error(sizes, terms, problem.dtype.epsilon()) })
}

/// The error bound. Every axis of `size` points makes the rounding errors of the sums in between so much larger than
/// those of the definition; measured on normal and on uniform numbers, they stay below a third of this.
fn error(sizes: impl Iterator<Item = usize>, terms: usize, epsilon: f64) -> f64 {
    let growth = |size| match size {
        4 => 1.8,
        6 => 4.0,
        _ => 11.0,
    };
    epsilon * (2.0 + 0.4 * (terms as f64).sqrt()) * sizes.map(growth).product::<f64>()
}

/// Seconds a floating-point operation of the products, single precision in 16 lanes.
pub(super) const FLOP: f64 = 5e-12;
/// Seconds an element that is transformed in the plane, there or back, by the points of an axis: 4, 6 or 8; and one that
/// is gathered or written.
const TRANSFORM: [f64; 3] = [0.055e-9, 0.095e-9, 0.2e-9];
pub(super) const GATHER: f64 = 0.12e-9;
/// Terms of a sum that cost as much as its beginning and its end.
pub(super) const ENDS: f64 = 4.0;
/// Seconds an element of a kernel that is read, and a byte of its values that comes from further away than the second
/// cache.
pub(super) const READ: f64 = 0.25e-9;
pub(super) const FETCH: f64 = 1.0 / 50e9;
/// Bytes of those that are near.
pub(super) const NEAR: f64 = 800e3;
/// Seconds an element that is transformed along these axes.
pub(super) fn transform(axes: &[Axis]) -> f64 {
    axes.iter().map(|axis| TRANSFORM[(axis.size() / 2 - 2).min(2)] / 2.0).sum()
}

/// Seconds for each register of channels of a block, axis by axis.
pub(super) const BLOCK: f64 = 0.15e-6;
