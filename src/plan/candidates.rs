//! The planner's list of algorithms: how each is designed, costed and built.

use std::sync::Arc;

use super::explain::Candidate;
use super::recipe::{Algorithm, Recipe};
use num_complex::Complex;

use crate::algo::direct::{self, Direct};
use crate::algo::{Definition, Estimate, Execute};
use crate::element::{DType, Element};
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::simd::Line;

/// Evaluates `$body` with `$t` standing for the problem's element type.
macro_rules! of_dtype {
    ($problem:expr, $t:ident => $body:expr) => {
        match $problem.dtype {
            DType::F32 => {
                type $t = f32;
                $body
            }
            DType::F64 => {
                type $t = f64;
                $body
            }
            DType::C32 => {
                type $t = Complex<f32>;
                $body
            }
            DType::C64 => {
                type $t = Complex<f64>;
                $body
            }
        }
    };
}

/// The best design of `algorithm` for `problem`, or a candidate without recipe that says why it has none.
pub(super) fn design(problem: &Problem, algorithm: Algorithm) -> Candidate {
    let designed: Result<(Recipe, Estimate), String> = match algorithm {
        Algorithm::Reference => Ok((Recipe::Reference, Definition::estimate(problem))),
        Algorithm::Direct => direct::design(problem)
            .and_then(|tile| Ok((direct_estimate(problem, &tile)?, tile)))
            .map(|(estimate, tile)| (Recipe::Direct { tile }, estimate)),
        Algorithm::Auto => Err("it stands for all the others".into()),
        _ => Err("not there yet".into()),
    };
    match designed {
        Ok((recipe, estimate)) => candidate(problem, recipe, estimate),
        Err(reason) => Candidate {
            algorithm,
            dtype: problem.dtype,
            recipe: None,
            predicted: f64::INFINITY,
            measured: None,
            workspace_bytes: 0,
            error_bound: f64::INFINITY,
            why_not: Some(reason),
        },
    }
}

/// The candidate that computes `problem` by `recipe`.
pub(super) fn with_recipe(problem: &Problem, recipe: &Recipe) -> Result<Candidate> {
    let estimate: Result<Estimate, String> = match recipe {
        Recipe::Reference => Ok(Definition::estimate(problem)),
        Recipe::Direct { tile } => direct_estimate(problem, tile),
        _ => Err("not there yet".into()),
    };
    let estimate = estimate.map_err(|reason| Error::unsupported(recipe.algorithm().name(), reason))?;
    Ok(candidate(problem, recipe.clone(), estimate))
}

fn candidate(problem: &Problem, recipe: Recipe, estimate: Estimate) -> Candidate {
    let needs = estimate.needs;
    Candidate {
        algorithm: recipe.algorithm(),
        dtype: problem.dtype,
        recipe: Some(recipe),
        predicted: estimate.seconds,
        measured: None,
        workspace_bytes: (needs.packed + needs.shared + needs.worker.max(1)).saturating_mul(Line::BYTES),
        error_bound: estimate.error,
        why_not: None,
    }
}

/// The algorithm that `recipe` names, ready to run.
pub(super) fn build<T: Element>(problem: &Problem, recipe: &Recipe) -> Result<Arc<dyn Execute<T>>> {
    match recipe {
        Recipe::Reference => Ok(Arc::new(Definition::new(problem))),
        Recipe::Direct { tile } => match Direct::new::<T>(problem, tile) {
            Ok(direct) => Ok(Arc::new(direct)),
            Err(reason) => Err(Error::unsupported("direct", reason)),
        },
        _ => Err(Error::unsupported(recipe.algorithm().name(), "not there yet")),
    }
}

fn direct_estimate(problem: &Problem, tile: &[usize]) -> Result<Estimate, String> {
    of_dtype!(problem, T => Direct::estimate::<T>(problem, tile))
}
