//! The planner's list of algorithms: how each is designed, costed and built.

use std::sync::Arc;

use super::explain::Candidate;
use super::recipe::{Algorithm, Recipe};
use crate::algo::{Definition, Estimate, Execute, fft};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::problem::{Pass, Problem};
use crate::simd::Line;

/// The best design of `algorithm` for `problem`, or a candidate without recipe that says why it has none.
pub(super) fn design(problem: &Problem, algorithm: Algorithm) -> Candidate {
    let designed: Result<(Recipe, Estimate), String> = match algorithm {
        Algorithm::Reference => Ok((Recipe::Reference, Definition::estimate(problem))),
        Algorithm::Fft => fft::design(problem)
            .and_then(|transform| Ok((fft::estimate(problem, &transform)?, transform)))
            .map(|(estimate, transform)| (Recipe::Fft { transform }, estimate)),
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
        Recipe::Fft { transform } => fft::estimate(problem, transform),
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
        // Until the gradient is folded back from an extended input.
        Recipe::Fft { .. } if problem.pass == Pass::InputGradient && problem.boundary.reads_data() => {
            Ok(Arc::new(Definition::new(problem)))
        }
        Recipe::Fft { transform } => {
            fft::build(problem, transform).map_err(|reason| Error::unsupported(Algorithm::Fft.name(), reason))
        }
        _ => Err(Error::unsupported(recipe.algorithm().name(), "not there yet")),
    }
}
