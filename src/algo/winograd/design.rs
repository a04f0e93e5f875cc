//! The choice of tiles, and what they cost.

use std::sync::Arc;

use super::forward::Forward;
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
    let needs = match problem.pass {
        Pass::WeightGradient => Execute::<T>::needs(&Weight::new::<T>(problem, tile)?),
        _ => Execute::<T>::needs(&Forward::new::<T>(problem, tile)?),
    };
    Ok(Estimate {
        seconds: problem.flops() * 3e-12,
        needs,
        error: 100.0 * problem.dtype.epsilon(),
    })
}
