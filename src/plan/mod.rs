//! From a problem to a run: the planner chooses a recipe, the plan keeps what the recipe needs.

mod candidates;
mod explain;
mod planner;
mod recipe;
mod threads;
mod workspace;

use std::fmt;
use std::sync::Arc;

pub use explain::{Candidate, Explanation};
pub use planner::Planner;
pub use recipe::{Algorithm, Recipe};
pub use threads::Threads;
pub use workspace::Workspace;

use crate::algo::{Call, Definition, Execute, Needs, Second};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::problem::{Pass, Problem};
use crate::simd::{self, Line, Workers};
use crate::view::{View, ViewMut};

/// Below this prediction, in seconds, a run stays on the calling thread: waking others would cost more than it saves.
const WORTH_SHARING: f64 = 20e-6;

/// A problem made ready to run: immutable, shared freely among threads, cheap to clone.
///
/// Which operands a run takes follows from the problem's [`Pass`]:
///
/// | pass | first | second | result |
/// |---|---|---|---|
/// | `Forward` | input | kernel | output |
/// | `InputGradient` | output gradient | kernel | input gradient |
/// | `WeightGradient` | input | output gradient | kernel gradient |
///
/// Their shapes are those of [`Problem::operands`].
pub struct Plan<T> {
    problem: Arc<Problem>,
    candidate: Candidate,
    execute: Arc<dyn Execute<T>>,
    threads: Threads,
}

impl<T> Clone for Plan<T> {
    fn clone(&self) -> Self {
        Self {
            problem: self.problem.clone(),
            candidate: self.candidate.clone(),
            execute: self.execute.clone(),
            threads: self.threads,
        }
    }
}

impl<T> fmt::Debug for Plan<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("problem", &self.problem.to_string())
            .field("recipe", &self.candidate.recipe)
            .finish_non_exhaustive()
    }
}

impl<T: Element> Plan<T> {
    /// The problem.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// How it is computed.
    ///
    /// ```
    /// use faltung::{Algorithm, Planner, Problem};
    /// let problem: Problem = "64x64*3x3:same".parse()?;
    /// let plan = Planner::new().algorithm(Algorithm::Direct).plan::<f32>(&problem)?;
    /// assert_eq!(plan.recipe().algorithm(), Algorithm::Direct);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn recipe(&self) -> &Recipe {
        self.candidate.recipe.as_ref().unwrap_or(&Recipe::Reference)
    }

    /// The prediction by which this plan's recipe was chosen.
    pub fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// The largest error that is to be expected of an element of the result, as a multiple of the largest magnitude in the first operand times the
    /// 2-norm of those elements of the second that enter the sum.
    ///
    /// For an output channel that is `max|x| · ‖w‖₂` over the channel's kernel. The bound is a probabilistic one: it
    /// supposes that rounding errors are independent, as they are for data without structure.
    pub fn error_bound(&self) -> f64 {
        self.candidate.error_bound
    }

    /// Bytes of workspace that a run borrows with as many threads as would run from here.
    pub fn workspace_bytes(&self) -> usize {
        let needs = self.execute.needs();
        (needs.packed + needs.shared + needs.worker.max(1) * self.workers()) * Line::BYTES
    }

    /// The same plan for other threads.
    ///
    /// ```
    /// use faltung::{Planner, Problem, Threads};
    /// let problem: Problem = "1000000*31:same".parse()?;
    /// let plan = Planner::new().plan::<f32>(&problem)?;
    /// let alone = plan.with_threads(Threads::Serial);
    /// assert!(alone.workspace_bytes() <= plan.workspace_bytes());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn with_threads(&self, threads: Threads) -> Self {
        Self { threads, ..self.clone() }
    }

    fn workers(&self) -> usize {
        if self.candidate.predicted < WORTH_SHARING { 1 } else { self.threads.count() }
    }

    /// Computes the result from dense arrays in the problem's layout.
    ///
    /// # Errors
    /// [`Error::Shape`] where a slice's length is not the problem's.
    ///
    /// ```
    /// use faltung::{Planner, Problem, Workspace};
    /// let problem: Problem = "ih2ic1oc1kh2".parse()?;
    /// let plan = Planner::new().plan::<f32>(&problem)?;
    /// let mut y = [0.0];
    /// plan.run(&[1.0, 2.0, 3.0, 4.0], &[0.0, 1.0, 1.0, 0.0], &mut y, &mut Workspace::new())?;
    /// assert_eq!(y, [5.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn run(&self, first: &[T], second: &[T], result: &mut [T], workspace: &mut Workspace) -> Result<()> {
        let ([a, b, c], [la, lb, lc]) = (self.problem.operands(), self.problem.layouts());
        self.run_views(
            View::of_operand(self.names()[0], first, &a, la)?,
            View::of_operand(self.names()[1], second, &b, lb)?,
            ViewMut::of_result(result, &c, lc)?,
            workspace,
        )
    }

    /// Computes the result from and to arrays of any strides, their axes (batch, channels, spatial …) or, of kernels,
    /// (output channels, input channels a group, taps …).
    ///
    /// # Errors
    /// [`Error::Shape`] where a view's shape is not the problem's.
    ///
    /// ```
    /// use faltung::{Planner, Problem, View, ViewMut, Workspace};
    /// let problem: Problem = "3*2:valid".parse()?;
    /// let plan = Planner::new().plan::<f64>(&problem.with_dtype(faltung::DType::F64)?)?;
    /// let (x, w, mut y) = ([3.0, 2.0, 1.0], [10.0, 1.0], [0.0; 2]);
    /// // The input runs backwards through memory: 1, 2, 3.
    /// let reversed = View::new(&x, &[1, 1, 3], &[3, 3, -1], 2)?;
    /// let kernel = View::dense(&w, &[1, 1, 2])?;
    /// plan.run_views(reversed, kernel, ViewMut::new(&mut y, &[1, 1, 2], &[2, 2, 1], 0)?, &mut Workspace::new())?;
    /// assert_eq!(y, [21.0, 32.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn run_views(
        &self,
        first: View<'_, T>,
        second: View<'_, T>,
        result: ViewMut<'_, T>,
        workspace: &mut Workspace,
    ) -> Result<()> {
        let [a, b, c] = self.problem.operands();
        for (name, expected, given) in [
            (self.names()[0], &a, first.shape()),
            (self.names()[1], &b, second.shape()),
            ("the result", &c, result.shape()),
        ] {
            if expected != given {
                return Err(Error::shape(name, expected, given));
            }
        }
        if result.at.elements() == 0 {
            return Ok(());
        }
        let definition: Definition;
        let execute: &dyn Execute<T> = if self.execute.takes_non_finite() || simd::all_finite(second) {
            &*self.execute
        } else {
            definition = Definition::new(&self.problem);
            &definition
        };
        let mut borrowed = Borrowed::new(execute.needs(), self.workers(), workspace);
        let (packed, shared, mut workers) = borrowed.parts();
        let second = if self.problem.pass == Pass::WeightGradient {
            Second::Plain(second)
        } else {
            execute.pack(second, packed, &mut workers);
            Second::Packed(packed)
        };
        execute.run(Call { first, second, out: result, shared, workers: &mut workers });
        Ok(())
    }

    /// Packs or transforms the kernel once, for many runs with it.
    ///
    /// # Errors
    /// [`Error::Shape`] where the kernel's length is not the problem's; [`Error::Argument`] for a weight gradient, whose
    /// second operand is no kernel.
    ///
    /// ```
    /// use faltung::{Planner, Problem, Workspace};
    /// let problem: Problem = "4*3:same".parse()?;
    /// let prepared = Planner::new().plan::<f32>(&problem)?.prepare(&[1.0, 2.0, 3.0])?;
    /// let mut y = [0.0; 4];
    /// prepared.run(&[0.0, 1.0, 0.0, 0.0], &mut y, &mut Workspace::new())?;
    /// assert_eq!(y, [1.0, 2.0, 3.0, 0.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn prepare(&self, kernel: &[T]) -> Result<Prepared<T>> {
        let [_, shape, _] = self.problem.operands();
        self.prepare_view(View::of_operand("kernel", kernel, &shape, Default::default())?)
    }

    /// As [`prepare`](Self::prepare), from a kernel of any strides.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn prepare_view(&self, kernel: View<'_, T>) -> Result<Prepared<T>> {
        let [_, shape, _] = self.problem.operands();
        if self.problem.pass == Pass::WeightGradient {
            return Err(Error::argument("pass", "a pass whose second operand is the kernel", self.problem.pass));
        }
        if shape != kernel.shape() {
            return Err(Error::shape("kernel", &shape, kernel.shape()));
        }
        let mut plan = self.clone();
        if !plan.execute.takes_non_finite() && !simd::all_finite(kernel) {
            plan.execute = Arc::new(Definition::new(&self.problem));
        }
        let needs = plan.execute.needs();
        let mut packed = vec![Line::ZERO; needs.packed];
        let mut scratch = Workspace::new();
        let count = plan.workers();
        let mut workers = Workers::new(scratch.lines(needs.worker.max(1) * count), needs.worker.max(1), count);
        plan.execute.pack(kernel, &mut packed, &mut workers);
        Ok(Prepared { plan, packed: packed.into() })
    }

    fn names(&self) -> [&'static str; 2] {
        match self.problem.pass {
            Pass::Forward => ["input", "kernel"],
            Pass::InputGradient => ["output gradient", "kernel"],
            Pass::WeightGradient => ["input", "output gradient"],
        }
    }
}

/// A plan with its kernel packed or transformed already: `'static`, cheap to clone.
#[derive(Clone)]
pub struct Prepared<T> {
    plan: Plan<T>,
    packed: Arc<[Line]>,
}

impl<T> fmt::Debug for Prepared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("plan", &self.plan).field("bytes", &(self.packed.len() * Line::BYTES)).finish()
    }
}

impl<T: Element> Prepared<T> {
    /// The plan that this was prepared from.
    pub fn plan(&self) -> &Plan<T> {
        &self.plan
    }

    /// Bytes of the packed kernel.
    pub fn bytes(&self) -> usize {
        self.packed.len() * Line::BYTES
    }

    /// Computes the result from a dense array in the problem's layout. See [`Plan::prepare`].
    ///
    /// # Errors
    /// [`Error::Shape`] where a slice's length is not the problem's.
    pub fn run(&self, first: &[T], result: &mut [T], workspace: &mut Workspace) -> Result<()> {
        let plan = &self.plan;
        let ([a, _, c], [la, _, lc]) = (plan.problem.operands(), plan.problem.layouts());
        self.run_views(
            View::of_operand(plan.names()[0], first, &a, la)?,
            ViewMut::of_result(result, &c, lc)?,
            workspace,
        )
    }

    /// As [`run`](Self::run), from and to arrays of any strides.
    ///
    /// # Errors
    /// [`Error::Shape`] where a view's shape is not the problem's.
    pub fn run_views(&self, first: View<'_, T>, result: ViewMut<'_, T>, workspace: &mut Workspace) -> Result<()> {
        let plan = &self.plan;
        let [a, _, c] = plan.problem.operands();
        for (name, expected, given) in [(plan.names()[0], &a, first.shape()), ("the result", &c, result.shape())] {
            if expected != given {
                return Err(Error::shape(name, expected, given));
            }
        }
        if result.at.elements() == 0 {
            return Ok(());
        }
        let needs = Needs { packed: 0, ..plan.execute.needs() };
        let mut borrowed = Borrowed::new(needs, plan.workers(), workspace);
        let (_, shared, mut workers) = borrowed.parts();
        let second = Second::Packed(&self.packed);
        plan.execute.run(Call { first, second, out: result, shared, workers: &mut workers });
        Ok(())
    }
}

/// A workspace divided as one run needs it.
struct Borrowed<'a> {
    lines: &'a mut [Line],
    needs: Needs,
    count: usize,
}

impl<'a> Borrowed<'a> {
    fn new(needs: Needs, count: usize, workspace: &'a mut Workspace) -> Self {
        let needs = Needs { worker: needs.worker.max(1), ..needs };
        let lines = workspace.lines(needs.packed + needs.shared + needs.worker * count);
        Self { lines, needs, count }
    }

    fn parts(&mut self) -> (&mut [Line], &mut [Line], Workers<'_>) {
        let (packed, rest) = self.lines.split_at_mut(self.needs.packed);
        let (shared, scratch) = rest.split_at_mut(self.needs.shared);
        (packed, shared, Workers::new(scratch, self.needs.worker, self.count))
    }
}
