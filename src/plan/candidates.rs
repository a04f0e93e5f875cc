//! The planner's list of algorithms: how each is designed, costed and built.

use std::any::Any;
use std::sync::Arc;

use super::explain::Candidate;
use super::recipe::{Algorithm, Recipe};
use num_complex::Complex;

use crate::algo::dense::{self, Dense, is_dense};
use crate::algo::direct::{self, Direct};
use crate::algo::fft::Last;
use crate::algo::im2col::{self, Im2col};
use crate::algo::separable::{self, Separable};
use crate::algo::slide::{self, Slide};
use crate::algo::weight::dots::{self, WeightDots};
use crate::algo::weight::patches::{self, WeightPatches};
use crate::algo::{Costs, Definition, Estimate, Execute, Needs, fft, fold, winograd};
use crate::element::{DType, Element};
use crate::error::{Error, Result};
use crate::problem::{Pass, Problem};
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

/// The best design of `algorithm` for `problem`, or a candidate without recipe that says why it has none. What has a
/// choice of accuracy keeps to an error bound of `tolerance` where it can.
pub(super) fn design(costs: &Costs, problem: &Problem, algorithm: Algorithm, tolerance: f64) -> Candidate {
    let designed = match fold::extended(problem) {
        Some(wide) if algorithm != Algorithm::Reference => recipe(costs, &wide, algorithm, tolerance),
        _ => recipe(costs, problem, algorithm, tolerance),
    };
    let designed = designed.and_then(|recipe| Ok((predict(costs, problem, &recipe)?, recipe)));
    match designed {
        Ok((estimate, recipe)) => candidate(problem, recipe, estimate),
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

/// Passes for kernels of a rank that is not that of every kernel of the problem.
pub(super) fn of_rank(costs: &Costs, problem: &Problem, rank: usize) -> Option<Candidate> {
    if problem.pass == Pass::WeightGradient {
        return None;
    }
    let wide = fold::extended(problem);
    let tile = separable::design(wide.as_ref().unwrap_or(problem), rank).ok()?;
    with_recipe(costs, problem, &Recipe::Separable { tile, rank }).ok()
}

/// The candidate that computes `problem` by `recipe`.
pub(super) fn with_recipe(costs: &Costs, problem: &Problem, recipe: &Recipe) -> Result<Candidate> {
    let estimated = predict(costs, problem, recipe);
    let estimate = estimated.map_err(|reason| Error::unsupported(recipe.algorithm().name(), reason))?;
    Ok(candidate(problem, recipe.clone(), estimate))
}

fn predict(costs: &Costs, problem: &Problem, recipe: &Recipe) -> Result<Estimate, String> {
    let estimate = match fold::extended(problem) {
        Some(wide) if *recipe != Recipe::Reference => fold::estimate(costs, &wide, estimate(costs, &wide, recipe)?),
        _ => estimate(costs, problem, recipe)?,
    };
    Ok(Estimate { seconds: estimate.seconds + costs.traffic(problem), ..estimate })
}

fn candidate(problem: &Problem, recipe: Recipe, estimate: Estimate) -> Candidate {
    let Needs { packed, shared, worker } = estimate.needs;
    let lines = packed.saturating_add(shared).saturating_add(worker.max(1));
    Candidate {
        algorithm: recipe.algorithm(),
        dtype: problem.dtype,
        recipe: Some(recipe),
        predicted: estimate.seconds,
        measured: None,
        workspace_bytes: lines.saturating_mul(Line::BYTES),
        error_bound: estimate.error,
        why_not: None,
    }
}

/// The algorithm that `recipe` names, ready to run.
pub(super) fn build<T: Element>(problem: &Problem, recipe: &Recipe) -> Result<Arc<dyn Execute<T>>> {
    let built = of_own_type(problem, recipe)?
        .downcast()
        .map_err(|_| Error::argument("T", problem.dtype.to_string(), T::DTYPE))?;
    Ok(*built)
}

/// As [`build`], for the problem's own element type. Since it is not generic, the algorithms are compiled once, in this
/// crate, and not anew in every crate that makes plans.
#[inline(never)]
fn of_own_type(problem: &Problem, recipe: &Recipe) -> Result<Box<dyn Any>> {
    of_dtype!(problem, T => Ok(Box::new(ready::<T>(problem, recipe)?)))
}

fn ready<T: Element>(problem: &Problem, recipe: &Recipe) -> Result<Arc<dyn Execute<T>>> {
    let built = match fold::extended(problem) {
        Some(wide) if *recipe != Recipe::Reference => {
            execute(&wide, recipe).map(|inner| Arc::new(fold::Fold::new(problem, &wide, inner)) as Arc<dyn Execute<T>>)
        }
        _ => execute(problem, recipe),
    };
    built.map_err(|reason| Error::unsupported(recipe.algorithm().name(), reason))
}

// The list: an algorithm has a line in each of the three functions below. The problem of each is one that needs no
// folding.

fn recipe(costs: &Costs, problem: &Problem, algorithm: Algorithm, tolerance: f64) -> Result<Recipe, String> {
    let weights = problem.pass == Pass::WeightGradient;
    Ok(match algorithm {
        Algorithm::Auto => return Err("it stands for all the others".into()),
        Algorithm::Reference => Recipe::Reference,
        Algorithm::Direct if weights => Recipe::Direct { tile: dots::design(problem) },
        Algorithm::Direct if slide::serves(problem) => {
            Recipe::Direct { tile: of_dtype!(problem, T => slide::design::<T>(problem))? }
        }
        Algorithm::Direct => Recipe::Direct { tile: direct::design(problem)? },
        Algorithm::Im2col if is_dense(problem) => Recipe::Im2col { block: dense::design(problem) },
        Algorithm::Im2col if weights => Recipe::Im2col { block: patches::design(problem) },
        Algorithm::Im2col => Recipe::Im2col { block: im2col::design(problem)? },
        Algorithm::Fft => Recipe::Fft { transform: fft::design(costs, problem, Last::Transformed)? },
        Algorithm::Mixed => Recipe::Mixed { tile: fft::design(costs, problem, Last::Summed)? },
        Algorithm::Winograd => {
            Recipe::Winograd { tile: of_dtype!(problem, T => winograd::design::<T>(costs, problem, tolerance))? }
        }
        Algorithm::Separable if weights => return Err("it has no kernel to split".into()),
        Algorithm::Separable => {
            let rank = separable::full_rank(problem)?;
            Recipe::Separable { tile: separable::design(problem, rank)?, rank }
        }
    })
}

fn estimate(costs: &Costs, problem: &Problem, recipe: &Recipe) -> Result<Estimate, String> {
    let weights = problem.pass == Pass::WeightGradient;
    of_dtype!(problem, T => match recipe {
        Recipe::Reference => Ok(Definition::estimate(costs, problem)),
        Recipe::Direct { tile } if weights => WeightDots::estimate::<T>(costs, problem, tile),
        Recipe::Direct { tile } if slide::serves(problem) => Slide::estimate::<T>(costs, problem, tile),
        Recipe::Direct { tile } => Direct::estimate::<T>(costs, problem, tile),
        Recipe::Im2col { block } if is_dense(problem) => Dense::estimate::<T>(costs, problem, *block),
        Recipe::Im2col { block } if weights => WeightPatches::estimate::<T>(costs, problem, *block),
        Recipe::Im2col { block } => Im2col::estimate::<T>(costs, problem, *block),
        Recipe::Fft { transform } => fft::estimate(costs, problem, transform, Last::Transformed),
        Recipe::Mixed { tile } => fft::estimate(costs, problem, tile, Last::Summed),
        Recipe::Winograd { tile } => winograd::estimate::<T>(costs, problem, tile),
        Recipe::Separable { .. } if weights => Err("it has no kernel to split".into()),
        Recipe::Separable { tile, rank } => Separable::estimate::<T>(costs, problem, tile, *rank),
    })
}

fn execute<T: Element>(problem: &Problem, recipe: &Recipe) -> Result<Arc<dyn Execute<T>>, String> {
    let weights = problem.pass == Pass::WeightGradient;
    Ok(match recipe {
        Recipe::Reference => Arc::new(Definition::new(problem)),
        Recipe::Direct { tile } if weights => Arc::new(WeightDots::new::<T>(problem, tile)?),
        Recipe::Direct { tile } if slide::serves(problem) => Arc::new(Slide::new::<T>(problem, tile)?),
        Recipe::Direct { tile } => Arc::new(Direct::new::<T>(problem, tile)?),
        Recipe::Im2col { block } if is_dense(problem) => Arc::new(Dense::new::<T>(problem, *block)?),
        Recipe::Im2col { block } if weights => Arc::new(WeightPatches::new::<T>(problem, *block)?),
        Recipe::Im2col { block } => Arc::new(Im2col::new::<T>(problem, *block)?),
        Recipe::Fft { transform } => fft::build::<T>(problem, transform, Last::Transformed)?,
        Recipe::Mixed { tile } => fft::build::<T>(problem, tile, Last::Summed)?,
        Recipe::Winograd { tile } => winograd::build::<T>(problem, tile)?,
        Recipe::Separable { .. } if weights => return Err("it has no kernel to split".into()),
        Recipe::Separable { tile, rank } => Arc::new(Separable::new::<T>(problem, tile, *rank)?),
    })
}
