//! The choice of tiles, and what they cost.

use std::sync::Arc;

use super::forward::Forward;
use super::geometry::Axis;
use super::weight::Weight;
use crate::algo::{Costs, Estimate, Execute};
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
pub(crate) fn design<T: Element>(costs: &Costs, problem: &Problem, tolerance: f64) -> Result<Vec<usize>, String> {
    let choices = [4, 2, 6].map(|m| vec![m; problem.rank()]);
    let mut best: Option<(bool, f64, Vec<usize>)> = None;
    let mut reason = String::new();
    for tile in choices {
        let estimate = match estimate::<T>(costs, problem, &tile) {
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
pub(crate) fn estimate<T: Element>(costs: &Costs, problem: &Problem, tile: &[usize]) -> Result<Estimate, String> {
    let (seconds, needs, terms) = match problem.pass {
        Pass::WeightGradient => {
            let this = Weight::new::<T>(problem, tile)?;
            (this.seconds::<T>(costs), Execute::<T>::needs(&this), this.terms())
        }
        _ => {
            let this = Forward::new::<T>(problem, tile)?;
            (this.seconds::<T>(costs), Execute::<T>::needs(&this), this.terms())
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

/// Seconds a register that is transformed along these axes, there or back.
pub(super) fn transform(costs: &Costs, axes: &[Axis]) -> f64 {
    let of = |axis: &Axis| match axis.size() {
        4 => costs.winograd_transform_4,
        6 => costs.winograd_transform_6,
        _ => costs.winograd_transform_8,
    };
    axes.iter().map(of).sum()
}
