//! What the planner weighed, and why it chose as it did.

use std::fmt;

use super::recipe::{Algorithm, Recipe};
use crate::element::DType;
use crate::problem::Problem;

/// One algorithm as the planner saw it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Candidate {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The problem's element type.
    pub dtype: DType,
    /// How it would compute the problem; `None` where it cannot.
    pub recipe: Option<Recipe>,
    /// The predicted time of one call on one thread, in seconds.
    pub predicted: f64,
    /// The measured time, in seconds, where it was measured; see [`Planner::measure`](crate::Planner::measure).
    pub measured: Option<f64>,
    /// Bytes of workspace for one thread, the packed kernel included.
    pub workspace_bytes: usize,
    /// The error bound; see [`Plan::error_bound`](crate::Plan::error_bound).
    pub error_bound: f64,
    /// Why it was not chosen; `None` for the one that was.
    pub why_not: Option<String>,
}

/// Every algorithm with its predicted cost, workspace and error, the one chosen, and why not each other.
///
/// ```
/// use faltung::{Planner, Problem};
/// let problem: Problem = "1048576*4096:full".parse()?;
/// let explanation = Planner::new().explain(&problem)?;
/// assert_eq!(explanation.candidates.iter().filter(|c| c.why_not.is_none()).count(), 1);
/// println!("{explanation}");
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The problem.
    pub problem: Problem,
    /// The algorithms, the chosen one first, then by predicted time.
    pub candidates: Vec<Candidate>,
}

impl Explanation {
    /// The candidate that was chosen.
    ///
    /// ```
    /// use faltung::{Planner, Problem};
    /// let problem: Problem = "64x64*3x3:same".parse()?;
    /// let explanation = Planner::new().explain(&problem)?;
    /// assert!(explanation.chosen().why_not.is_none());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn chosen(&self) -> &Candidate {
        self.candidates.iter().find(|c| c.why_not.is_none()).unwrap_or(&self.candidates[0])
    }

    /// The same of a kernel that is known: `passes` over its products take the chosen algorithm's place, if `rank` is not
    /// told, or do not, since it is too high.
    pub(super) fn of_kernel(&self, passes: &Candidate, rank: Option<usize>) -> Self {
        let mut candidates = self.candidates.clone();
        candidates.retain(|c| c.algorithm != passes.algorithm);
        let mut passes = passes.clone();
        match rank {
            Some(rank) => {
                passes.why_not = Some(format!("its kernel has rank {rank}"));
                candidates.insert(1.min(candidates.len()), passes);
            }
            None => {
                if let Some(before) = candidates.iter_mut().find(|c| c.why_not.is_none()) {
                    let times = before.predicted / passes.predicted;
                    before.why_not = Some(format!("{times:.1} times the predicted time of {}", passes.algorithm));
                }
                candidates.insert(0, passes);
            }
        }
        Self { problem: self.problem.clone(), candidates }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  ({:.3} GFLOP in the direct sum)", self.problem, self.problem.flops() * 1e-9)?;
        for c in &self.candidates {
            let mark = if c.why_not.is_none() { '*' } else { ' ' };
            let name = c.recipe.as_ref().map_or_else(|| c.algorithm.to_string(), Recipe::to_string);
            write!(f, "{mark} {name:24}")?;
            if c.recipe.is_some() {
                write!(f, " {:>10} predicted", Seconds(c.predicted).to_string())?;
                if let Some(t) = c.measured {
                    write!(f, " {:>10} measured", Seconds(t).to_string())?;
                }
                write!(f, "  {:>10} workspace  error {:.1e}", Bytes(c.workspace_bytes).to_string(), c.error_bound)?;
            }
            match &c.why_not {
                None => writeln!(f, "  chosen")?,
                Some(why) => writeln!(f, "  {why}")?,
            }
        }
        Ok(())
    }
}

struct Seconds(f64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            t if t < 1e-3 => write!(f, "{:.1} µs", t * 1e6),
            t if t < 1.0 => write!(f, "{:.2} ms", t * 1e3),
            t => write!(f, "{t:.2} s"),
        }
    }
}

struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 as f64 {
            n if n < 1e4 => write!(f, "{n} B"),
            n if n < 1e7 => write!(f, "{:.0} KiB", n / 1024.0),
            n => write!(f, "{:.0} MiB", n / 1024.0 / 1024.0),
        }
    }
}
