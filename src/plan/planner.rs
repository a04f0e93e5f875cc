//! The planner: designs every algorithm's recipe for a problem, and chooses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::explain::{Candidate, Explanation};
use super::recipe::{Algorithm, Recipe};
use super::{Plan, Threads, candidates};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::problem::Problem;

/// Chooses how problems are computed, and remembers what it chose.
///
/// ```
/// use faltung::{Algorithm, Planner, Problem};
///
/// let planner = Planner::new();
/// let short: Problem = "1000*5:full".parse()?;
/// let long: Problem = "1000000*20000:full".parse()?;
/// assert_ne!(planner.recipe(&short)?.algorithm(), Algorithm::Fft);
/// assert_eq!(planner.recipe(&long)?.algorithm(), Algorithm::Fft);
///
/// // An algorithm asked for by name either runs or says what it lacks.
/// let direct = Planner::new().algorithm(Algorithm::Direct).recipe(&long)?;
/// assert_eq!(direct.algorithm(), Algorithm::Direct);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Planner {
    algorithm: Algorithm,
    threads: Threads,
    max_workspace: Option<usize>,
    tolerance: Option<f64>,
    cache: Mutex<HashMap<Problem, Candidate>>,
}

/// Problems that a planner remembers before it forgets them all.
const CACHE: usize = 4096;

/// The error bound that `Auto` accepts unless told otherwise, in units of the element type's epsilon; see
/// [`Plan::error_bound`].
const TOLERANCE: f64 = 8192.0;

impl Planner {
    /// A planner that chooses freely.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only this algorithm; [`Algorithm::Auto`], all of them, unless set.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self.forget()
    }

    /// The threads that plans run on; [`Threads::Pool`] unless set.
    pub fn threads(mut self, threads: Threads) -> Self {
        self.threads = threads;
        self
    }

    /// Only recipes that need no more bytes of workspace than this on one thread.
    ///
    /// ```
    /// use faltung::{Planner, Problem};
    /// let problem: Problem = "1000000*20000:full".parse()?;
    /// let plan = Planner::new().max_workspace(16 << 20).plan::<f32>(&problem)?;
    /// assert!(plan.candidate().workspace_bytes <= 16 << 20);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn max_workspace(mut self, bytes: usize) -> Self {
        self.max_workspace = Some(bytes);
        self.forget()
    }

    /// Only recipes whose [error bound](Plan::error_bound) is at most this. Unless set, 8192 times the epsilon of the
    /// element type: 1e-3 in single, 2e-12 in double precision.
    ///
    /// ```
    /// use faltung::{Error, Planner, Problem};
    /// let problem: Problem = "1000*5:full".parse()?;
    /// let none = Planner::new().tolerance(1e-30).recipe(&problem);
    /// assert!(matches!(none, Err(Error::NoCandidate { .. })));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn tolerance(mut self, bound: f64) -> Self {
        self.tolerance = Some(bound);
        self.forget()
    }

    fn forget(mut self) -> Self {
        self.cache.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        self
    }

    /// How `problem` will be computed.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the algorithm that was asked for cannot serve the problem, [`Error::NoCandidate`]
    /// where none meets the bounds.
    pub fn recipe(&self, problem: &Problem) -> Result<Recipe> {
        Ok(self.candidate(problem)?.recipe.unwrap_or(Recipe::Reference))
    }

    /// A plan for arrays of `T`.
    ///
    /// # Errors
    /// As [`recipe`](Self::recipe), and [`Error::Argument`] where the problem's element type is not `T`.
    pub fn plan<T: Element>(&self, problem: &Problem) -> Result<Plan<T>> {
        check_element::<T>(problem)?;
        self.build(problem.clone(), self.candidate(problem)?)
    }

    /// A plan that computes by a recipe of the caller's: one that another planner chose, or a test wants.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the recipe cannot serve the problem, [`Error::Argument`] as for [`plan`](Self::plan).
    ///
    /// ```
    /// use faltung::{Planner, Problem, Recipe};
    /// let problem: Problem = "1000*31:full".parse()?;
    /// let plan = Planner::new().plan_with::<f32>(&problem, &Recipe::Fft { transform: vec![128] })?;
    /// assert_eq!(plan.recipe().to_string(), "fft:128");
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn plan_with<T: Element>(&self, problem: &Problem, recipe: &Recipe) -> Result<Plan<T>> {
        check_element::<T>(problem)?;
        self.build(problem.clone(), candidates::with_recipe(problem, recipe)?)
    }

    fn build<T: Element>(&self, problem: Problem, candidate: Candidate) -> Result<Plan<T>> {
        let execute = candidates::build(&problem, candidate.recipe.as_ref().unwrap_or(&Recipe::Reference))?;
        Ok(Plan { problem: Arc::new(problem), candidate, execute, threads: self.threads })
    }

    /// Every algorithm with its cost, workspace and error, the one chosen, and why not each other.
    ///
    /// # Errors
    /// As [`recipe`](Self::recipe).
    pub fn explain(&self, problem: &Problem) -> Result<Explanation> {
        let mut candidates: Vec<Candidate> =
            Algorithm::ALL.iter().map(|&algorithm| self.judge(candidates::design(problem, algorithm))).collect();
        let rank = |c: &Candidate| (c.why_not.is_some(), c.predicted);
        candidates.sort_by(|a, b| rank(a).partial_cmp(&rank(b)).unwrap_or(std::cmp::Ordering::Equal));
        let best = candidates[0].clone();
        if best.why_not.is_some() {
            return Err(self.nothing(&candidates));
        }
        for c in candidates.iter_mut().skip(1).filter(|c| c.why_not.is_none()) {
            c.why_not =
                Some(format!("{:.1} times the predicted time of {}", c.predicted / best.predicted, best.algorithm));
        }
        Ok(Explanation { problem: problem.clone(), candidates })
    }

    /// The candidate with the reason that this planner's bounds give against it, if any.
    fn judge(&self, mut candidate: Candidate) -> Candidate {
        let tolerance = self.tolerance.unwrap_or(TOLERANCE * candidate.dtype.epsilon());
        if candidate.why_not.is_some() {
            return candidate;
        }
        if self.algorithm != Algorithm::Auto && self.algorithm != candidate.algorithm {
            candidate.why_not = Some(format!("{} was asked for", self.algorithm));
        } else if self.max_workspace.is_some_and(|most| candidate.workspace_bytes > most) {
            candidate.why_not = Some(format!("its workspace exceeds {} bytes", self.max_workspace.unwrap_or(0)));
        } else if (self.tolerance.is_some() || self.algorithm == Algorithm::Auto)
            // A tolerance that is NaN is met by nothing.
            && candidate.error_bound.partial_cmp(&tolerance).is_none_or(std::cmp::Ordering::is_gt)
        {
            candidate.why_not = Some(format!("its error bound exceeds {tolerance:.1e}"));
        }
        candidate
    }

    fn nothing(&self, candidates: &[Candidate]) -> Error {
        let asked = candidates.iter().find(|c| c.algorithm == self.algorithm);
        match asked {
            Some(c) if c.recipe.is_none() => {
                Error::unsupported(c.algorithm.name(), c.why_not.clone().unwrap_or_default())
            }
            _ => {
                let reasons: Vec<_> = asked
                    .map_or(candidates, std::slice::from_ref)
                    .iter()
                    .map(|c| format!("{}: {}", c.algorithm, c.why_not.as_deref().unwrap_or_default()))
                    .collect();
                Error::NoCandidate { reason: reasons.join("; ") }
            }
        }
    }

    fn candidate(&self, problem: &Problem) -> Result<Candidate> {
        let cache = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = cache().get(problem) {
            return Ok(known.clone());
        }
        let chosen = self.explain(problem)?.chosen().clone();
        let mut cache = cache();
        if cache.len() >= CACHE {
            cache.clear();
        }
        cache.insert(problem.clone(), chosen.clone());
        Ok(chosen)
    }
}

fn check_element<T: Element>(problem: &Problem) -> Result<()> {
    if problem.dtype != T::DTYPE {
        let expected = format!("a plan for {}, the problem's element type (see Problem::with_dtype)", problem.dtype);
        return Err(Error::argument("T", expected, T::DTYPE));
    }
    Ok(())
}
