//! The planner: designs every algorithm's recipe for a problem, and chooses.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::explain::{Candidate, Explanation};
use super::measure::Bench;
use super::memory::Memory;
use super::recipe::{Algorithm, Recipe};
use super::{Built, Plan, Threads, candidates};
use crate::algo::Costs;
use crate::element::{DType, Element};
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
    costs: Costs,
    pub(super) memory: Mutex<Memory>,
}

/// The error bound that `Auto` accepts unless told otherwise, in units of the element type's epsilon; see
/// [`Plan::error_bound`].
const TOLERANCE: f64 = 8192.0;

/// What is predicted to take so many times as long as the best is not measured.
const LEFT_OUT: f64 = 10.0;

/// How many times as long as the fastest's a prediction may be that is as good as it: predictions are no finer. Of what
/// does not take long the seconds count that nobody would notice.
const ALIKE: f64 = 1.05;
const UNNOTICED: f64 = 1e-7;

/// The highest rank of a kernel that is looked for, and the share of the chosen algorithm's time below which its passes
/// are worth that.
const HIGHEST: usize = 2;
const WORTH: f64 = 0.9;

impl Planner {
    /// A planner that chooses freely.
    ///
    /// ```
    /// use faltung::{Algorithm, Planner, Problem};
    /// let problem: Problem = "64x64*3x3:same".parse()?;
    /// assert_ne!(Planner::new().recipe(&problem)?.algorithm(), Algorithm::Auto); // the one that it chose
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Only this algorithm; [`Algorithm::Auto`], all of them, unless set.
    ///
    /// ```
    /// use faltung::{Algorithm, Planner, Problem};
    /// let problem: Problem = "64x64*3x3:same".parse()?;
    /// let planner = Planner::new().algorithm(Algorithm::Im2col);
    /// assert_eq!(planner.recipe(&problem)?.algorithm(), Algorithm::Im2col);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self.forget()
    }

    /// The threads that plans run on; [`Threads::Pool`] unless set.
    ///
    /// ```
    /// use faltung::{Planner, Problem, Threads, Workspace};
    /// let plan = Planner::new().threads(Threads::Serial).plan::<f32>(&"3*2:valid".parse()?)?;
    /// let mut y = [0.0; 2];
    /// plan.run(&[1.0, 4.0, 9.0], &[1.0, -1.0], &mut y, &mut Workspace::new())?;
    /// assert_eq!(y, [3.0, 5.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
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
    /// element type: 1e-3 in single, 2e-12 in double precision. The FFT and Winograd's algorithm, in tiles of any size,
    /// mostly stay a hundred times below; a lower one makes the planner take Winograd's smaller tiles.
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

    /// Predictions by these costs, such as those that `convbench calibrate` has measured, in place of the built-in ones.
    ///
    /// ```
    /// use faltung::{Costs, Planner, Problem};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("costs");
    /// # std::fs::write(&path, Costs::default().to_string())?;
    /// let costs: Costs = std::fs::read_to_string(&path)?.parse()?; // of `convbench calibrate --output`
    /// let planner = Planner::new().with_costs(costs);
    /// planner.recipe(&"1000*31:same".parse()?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_costs(mut self, costs: Costs) -> Self {
        self.costs = costs;
        self.forget()
    }

    /// The costs that predictions are made of.
    ///
    /// ```
    /// use faltung::{Costs, Planner};
    /// assert_eq!(Planner::new().costs(), &Costs::default());
    /// ```
    pub fn costs(&self) -> &Costs {
        &self.costs
    }

    fn forget(mut self) -> Self {
        self.memory = Mutex::default();
        self
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How `problem` will be computed.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the algorithm that was asked for cannot serve the problem, [`Error::NoCandidate`]
    /// where none meets the bounds.
    ///
    /// ```
    /// use faltung::{Planner, Problem};
    /// let problem: Problem = "64x64*3x3:same".parse()?;
    /// let recipe = Planner::new().recipe(&problem)?;
    /// assert_eq!(recipe.to_string().parse::<faltung::Recipe>()?, recipe);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn recipe(&self, problem: &Problem) -> Result<Recipe> {
        Ok(self.weighed(problem)?.chosen().recipe.clone().unwrap_or(Recipe::Reference))
    }

    /// A plan for arrays of `T`. What was planned lately is at hand still, and costs next to nothing.
    ///
    /// # Errors
    /// As [`recipe`](Self::recipe), and [`Error::Argument`] where the problem's element type is not `T`.
    ///
    /// ```
    /// use faltung::{Planner, Problem, Workspace};
    /// let problem: Problem = "3*2:full".parse()?;
    /// let plan = Planner::new().plan::<f32>(&problem)?;
    /// let mut y = [0.0; 4];
    /// plan.run(&[1.0, 2.0, 3.0], &[10.0, 1.0], &mut y, &mut Workspace::new())?;
    /// assert_eq!(y, [10.0, 21.0, 32.0, 3.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn plan<T: Element>(&self, problem: &Problem) -> Result<Plan<T>> {
        check_element::<T>(problem)?;
        let known = self.memory().built(problem);
        let built = match known {
            Some(built) => built,
            None => {
                let explanation = self.weighed(problem)?;
                let passes = self.passes(&explanation);
                let built = Arc::new(Built::new(explanation, passes)?);
                self.memory().remember_built(problem, built.clone());
                built
            }
        };
        Ok(Plan { built, threads: self.threads })
    }

    /// What is known beforehand of a recipe of the caller's: its predicted time, its workspace and its error bound.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the recipe cannot serve the problem.
    ///
    /// ```
    /// use faltung::{Planner, Problem, Recipe};
    /// let problem: Problem = "1000*31:full".parse()?;
    /// let [short, long] = [64, 512].map(|n| Planner::new().predict(&problem, &Recipe::Fft { transform: vec![n] }));
    /// assert!(short?.workspace_bytes < long?.workspace_bytes);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn predict(&self, problem: &Problem, recipe: &Recipe) -> Result<Candidate> {
        candidates::with_recipe(&self.costs, problem, recipe)
    }

    /// A plan that computes by a recipe of the caller's: one that another planner chose, or a test wants.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the recipe cannot serve the problem, [`Error::Argument`] as for
    /// [`plan`](Self::plan).
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
        let given = self.predict(problem, recipe)?;
        let others = Algorithm::ALL.into_iter().filter(|&algorithm| algorithm != recipe.algorithm()).map(|algorithm| {
            let mut other = candidates::design(&self.costs, problem, algorithm, self.bound(problem.dtype));
            other.why_not.get_or_insert_with(|| format!("{recipe} was asked for"));
            other
        });
        let explanation = explanation(problem, std::iter::once(given).chain(others).collect());
        Ok(Plan { built: Arc::new(Built::new(Arc::new(explanation), None)?), threads: self.threads })
    }

    /// Every algorithm with its cost, workspace and error, the one chosen, and why not each other.
    ///
    /// # Errors
    /// As [`recipe`](Self::recipe).
    ///
    /// ```
    /// use faltung::{Planner, Problem};
    /// let problem: Problem = "64x64*3x3:same".parse()?;
    /// let planner = Planner::new();
    /// let explanation = planner.explain(&problem)?;
    /// assert_eq!(explanation.chosen().recipe, Some(planner.recipe(&problem)?));
    /// println!("{explanation}");
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn explain(&self, problem: &Problem) -> Result<Explanation> {
        Ok((*self.weighed(problem)?).clone())
    }

    /// Measures the algorithms on the machine as it is, chooses the fastest and remembers the choice: plans of this
    /// problem by this planner compute by it from then on.
    ///
    /// Data, results and workspace are the planner's own, and as large as the problem says. An algorithm that is
    /// predicted to take ten times as long as the best is left out; one whose result does not agree with the
    /// definition on a sample of it is never chosen. Runs use the threads that plans would use from here. A measured
    /// choice, unlike a predicted one, may be another the next time; the [recipe](Recipe) tells it, and
    /// [`plan_with`](Self::plan_with) repeats it.
    ///
    /// # Errors
    /// As [`plan`](Self::plan); [`Error::Other`] where the problem's arrays do not fit in memory.
    ///
    /// ```
    /// use faltung::{Planner, Problem};
    /// let problem: Problem = "1000*31:same".parse()?;
    /// let planner = Planner::new();
    /// let explanation = planner.measure::<f32>(&problem)?;
    /// assert!(explanation.chosen().measured.is_some());
    /// assert_eq!(planner.plan::<f32>(&problem)?.explain(), &explanation);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn measure<T: Element>(&self, problem: &Problem) -> Result<Explanation> {
        check_element::<T>(problem)?;
        let mut candidates = self.judged(problem)?;
        let bench = Bench::<T>::new(problem)?;
        let best = (candidates[0].predicted, candidates[0].algorithm);
        for c in candidates.iter_mut().filter(|c| c.why_not.is_none()) {
            if c.predicted > LEFT_OUT * best.0 {
                let times = c.predicted / best.0;
                c.why_not = Some(format!("not measured: {times:.1} times the predicted time of {}", best.1));
                continue;
            }
            let alone = Arc::new(explanation(problem, vec![c.clone()]));
            match bench.measure(&Plan { built: Arc::new(Built::new(alone, None)?), threads: self.threads })? {
                Ok(seconds) => c.measured = Some(seconds),
                Err(reason) => c.why_not = Some(reason),
            }
        }
        let time = |c: &Candidate| c.measured.unwrap_or(f64::INFINITY);
        let Some(fastest) = (0..candidates.len())
            .filter(|&i| candidates[i].why_not.is_none())
            .min_by(|&a, &b| time(&candidates[a]).total_cmp(&time(&candidates[b])))
        else {
            return Err(self.nothing(&candidates));
        };
        candidates[..=fastest].rotate_right(1);
        let explanation = Arc::new(explanation(problem, candidates));
        let built = Arc::new(Built::<T>::new(explanation.clone(), self.passes(&explanation))?);
        let mut memory = self.memory();
        memory.remember(problem, explanation.clone());
        memory.remember_built(problem, built);
        Ok((*explanation).clone())
    }

    /// The error bound that is accepted.
    fn bound(&self, dtype: DType) -> f64 {
        self.tolerance.unwrap_or(TOLERANCE * dtype.epsilon())
    }

    /// The candidate with the reason that this planner's bounds give against it, if any.
    fn judge(&self, mut candidate: Candidate) -> Candidate {
        let tolerance = self.bound(candidate.dtype);
        if candidate.why_not.is_some() {
            return candidate;
        }
        if self.algorithm != Algorithm::Auto && self.algorithm != candidate.algorithm {
            candidate.why_not = Some(format!("{} was asked for", self.algorithm));
        } else if self.max_workspace.is_some_and(|most| candidate.workspace_bytes > most) {
            candidate.why_not = Some(format!("its workspace exceeds {} bytes", self.max_workspace.unwrap_or(0)));
        } else if (self.tolerance.is_some() || self.algorithm == Algorithm::Auto)
            // A tolerance that is NaN is met by nothing.
            && candidate.error_bound.partial_cmp(&tolerance).is_none_or(Ordering::is_gt)
        {
            candidate.why_not = Some(format!("its error bound exceeds {tolerance:.1e}"));
        }
        candidate
    }

    /// What takes the place of the chosen algorithm where a kernel turns out to be of low rank: for the highest rank at
    /// which it is the faster.
    fn passes(&self, explanation: &Explanation) -> Option<Candidate> {
        let chosen = explanation.chosen();
        if self.algorithm != Algorithm::Auto || chosen.algorithm == Algorithm::Separable {
            return None;
        }
        let worth = |c: &Candidate| c.predicted < WORTH * chosen.measured.unwrap_or(chosen.predicted);
        let ranks = (1..=HIGHEST).rev().filter_map(|rank| candidates::of_rank(&self.costs, &explanation.problem, rank));
        ranks.map(|candidate| self.judge(candidate)).find(|c| c.why_not.is_none() && worth(c))
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

    /// Every algorithm's design: those that meet this planner's bounds first, without a reason against them, then by
    /// predicted time.
    fn judged(&self, problem: &Problem) -> Result<Vec<Candidate>> {
        let tolerance = self.bound(problem.dtype);
        let mut candidates: Vec<Candidate> = Algorithm::ALL
            .iter()
            .map(|&algorithm| self.judge(candidates::design(&self.costs, problem, algorithm, tolerance)))
            .collect();
        candidates.sort_by(order);
        if candidates[0].why_not.is_some() {
            return Err(self.nothing(&candidates));
        }
        Ok(candidates)
    }

    /// What is remembered of `problem`, or weighed now.
    fn weighed(&self, problem: &Problem) -> Result<Arc<Explanation>> {
        let known = self.memory().explanation(problem);
        if let Some(known) = known {
            return Ok(known);
        }
        let mut candidates = self.judged(problem)?;
        prefer_accurate(&mut candidates);
        let explanation = Arc::new(explanation(problem, candidates));
        self.memory().remember(problem, explanation.clone());
        Ok(explanation)
    }
}

/// By prediction, those with a reason against them last.
fn order(a: &Candidate, b: &Candidate) -> Ordering {
    a.why_not.is_some().cmp(&b.why_not.is_some()).then(a.predicted.total_cmp(&b.predicted))
}

/// Moves the most accurate of those that are as fast as the first, as far as predictions tell, to the first place: a sum
/// that is rounded less is worth more than a difference that may not be one.
fn prefer_accurate(candidates: &mut [Candidate]) {
    let Some(best) = candidates.first() else { return };
    let (enough, bound) = ((ALIKE * best.predicted).max(best.predicted + UNNOTICED), best.error_bound);
    let alike = candidates.iter().take_while(|c| c.why_not.is_none() && c.predicted <= enough);
    let least = alike.enumerate().min_by(|(_, a), (_, b)| a.error_bound.total_cmp(&b.error_bound));
    let Some((i, accurate)) = least.filter(|(_, c)| c.error_bound < bound) else { return };
    let name = accurate.algorithm;
    candidates[0].why_not = Some(format!("hardly faster than {name}, which is more accurate"));
    candidates[..=i].rotate_right(1);
}

/// The first candidate is chosen; those without a reason against them are told how much slower they are.
fn explanation(problem: &Problem, mut candidates: Vec<Candidate>) -> Explanation {
    if let Some((best, others)) = candidates.split_first_mut() {
        for c in others.iter_mut().filter(|c| c.why_not.is_none()) {
            c.why_not = Some(match (c.measured, best.measured) {
                (Some(time), Some(least)) => {
                    format!("{:.1} times the measured time of {}", time / least, best.algorithm)
                }
                _ => format!("{:.1} times the predicted time of {}", c.predicted / best.predicted, best.algorithm),
            });
        }
    }
    Explanation { problem: problem.clone(), candidates }
}

fn check_element<T: Element>(problem: &Problem) -> Result<()> {
    if problem.dtype != T::DTYPE {
        let expected = format!("a plan for {}, the problem's element type (see Problem::with_dtype)", problem.dtype);
        return Err(Error::argument("T", expected, T::DTYPE));
    }
    Ok(())
}
