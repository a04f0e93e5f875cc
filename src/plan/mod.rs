//! From a problem to a run: the planner chooses a recipe, the plan keeps what the recipe needs.

mod candidates;
mod explain;
mod measure;
mod memory;
mod planner;
mod prepared;
mod recipe;
mod threads;
mod workspace;

use std::fmt;
use std::sync::Arc;

pub use explain::{Candidate, Explanation};
pub use planner::Planner;
pub use prepared::Prepared;
pub use recipe::{Algorithm, Recipe};
pub use threads::Threads;
pub use workspace::Workspace;

pub use crate::algo::Costs;
use crate::algo::{Call, Definition, Execute, Needs, Second, separable};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::problem::{Pass, Problem};
use crate::simd::{self, Line, Workers};
use crate::view::{Strided, View, ViewMut};

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
    built: Arc<Built<T>>,
    threads: Threads,
}

/// What all plans of one problem by one recipe share.
struct Built<T> {
    problem: Problem,
    explanation: Arc<Explanation>,
    /// How the operands and the result lie as dense arrays.
    dense: [Strided; 3],
    engine: Engine<T>,
    /// What runs in the engine's place where the second operand is not finite and the engine cannot take that.
    definition: Option<Engine<T>>,
    /// What runs in the engine's place where the kernel is of low rank, if that pays.
    passes: Option<Passes<T>>,
}

/// An algorithm for kernels of low rank.
struct Passes<T> {
    engine: Engine<T>,
    candidate: Candidate,
    rank: usize,
    /// Lines that finding out takes.
    room: usize,
}

/// Which of a plan's engines serves a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Chosen,
    Definition,
    Passes,
}

/// An algorithm made ready, with what is asked of it at every run.
struct Engine<T> {
    execute: Arc<dyn Execute<T>>,
    needs: Needs,
    /// Predicted, of one run on one thread.
    seconds: f64,
}

impl<T: Element> Engine<T> {
    fn new(execute: Arc<dyn Execute<T>>, seconds: f64) -> Self {
        let needs = execute.needs();
        Self { needs: Needs { worker: needs.worker.max(1), ..needs }, execute, seconds }
    }

    fn workers(&self, threads: Threads) -> usize {
        if self.seconds < WORTH_SHARING { 1 } else { threads.count() }
    }

    fn bytes(&self, threads: Threads) -> usize {
        let Needs { packed, shared, worker } = self.needs;
        worker.saturating_mul(self.workers(threads)).saturating_add(packed + shared).saturating_mul(Line::BYTES)
    }
}

impl<T: Element> Built<T> {
    /// What `explanation` has chosen, made ready.
    fn new(explanation: Arc<Explanation>, passes: Option<Candidate>) -> Result<Self> {
        let (problem, chosen) = (explanation.problem.clone(), explanation.chosen());
        let execute = candidates::build(&problem, chosen.recipe.as_ref().unwrap_or(&Recipe::Reference))?;
        let engine = Engine::new(execute, chosen.predicted);
        let definition = (!engine.execute.takes_non_finite()).then(|| {
            Engine::new(Arc::new(Definition::new(&problem)), Definition::estimate(&Costs::default(), &problem).seconds)
        });
        let passes = passes.map(|candidate| {
            let recipe = candidate.recipe.as_ref().unwrap_or(&Recipe::Reference);
            let engine = Engine::new(candidates::build(&problem, recipe)?, candidate.predicted);
            let rank = if let Recipe::Separable { rank, .. } = recipe { *rank } else { 1 };
            Ok::<_, Error>(Passes { engine, rank, room: separable::room(&problem, rank), candidate })
        });
        let passes = passes.transpose()?;
        let ([a, b, c], [la, lb, lc]) = (problem.operands(), problem.layouts());
        let dense = [Strided::dense(&a, la), Strided::dense(&b, lb), Strided::dense(&c, lc)];
        Ok(Self { problem, explanation, dense, engine, definition, passes })
    }

    fn names(&self) -> [&'static str; 3] {
        match self.problem.pass {
            Pass::Forward => ["input", "kernel", "the result"],
            Pass::InputGradient => ["output gradient", "kernel", "the result"],
            Pass::WeightGradient => ["input", "output gradient", "the result"],
        }
    }

    /// Which engine is for a kernel.
    fn which(&self, kernel: View<'_, T>, workspace: &mut Workspace) -> Which {
        if self.definition.is_some() && !simd::all_finite(kernel) {
            return Which::Definition;
        }
        match &self.passes {
            Some(Passes { rank, room, .. })
                if separable::has_rank(&self.problem, kernel, *rank, workspace.lines(*room)) =>
            {
                Which::Passes
            }
            _ => Which::Chosen,
        }
    }

    fn engine(&self, which: Which) -> &Engine<T> {
        match which {
            Which::Chosen => &self.engine,
            Which::Definition => self.definition.as_ref().unwrap_or(&self.engine),
            Which::Passes => self.passes.as_ref().map_or(&self.engine, |passes| &passes.engine),
        }
    }

    /// Refuses a shape that is not that of operand (or result) `which`.
    fn check(&self, which: usize, shape: &[usize]) -> Result<()> {
        let expected = self.dense[which].shape();
        if expected == shape { Ok(()) } else { Err(Error::shape(self.names()[which], expected, shape)) }
    }

    fn operand<'a>(&self, which: usize, data: &'a [T]) -> Result<View<'a, T>> {
        View::laid(self.names()[which], data, self.dense[which])
    }

    fn result<'a>(&self, data: &'a mut [T]) -> Result<ViewMut<'a, T>> {
        ViewMut::laid(self.names()[2], data, self.dense[2])
    }
}

impl<T> Clone for Plan<T> {
    fn clone(&self) -> Self {
        Self { built: self.built.clone(), threads: self.threads }
    }
}

impl<T> fmt::Debug for Plan<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("problem", &self.built.problem.to_string())
            .field("recipe", &self.built.explanation.chosen().recipe)
            .finish_non_exhaustive()
    }
}

impl<T: Element> Plan<T> {
    /// The problem.
    ///
    /// ```
    /// use faltung::{Planner, Problem};
    /// let problem: Problem = "64x64*3x3:same".parse()?;
    /// assert_eq!(Planner::new().plan::<f32>(&problem)?.problem(), &problem);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn problem(&self) -> &Problem {
        &self.built.problem
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
        self.candidate().recipe.as_ref().unwrap_or(&Recipe::Reference)
    }

    /// What the planner knew of this plan's recipe when it chose it.
    ///
    /// ```
    /// use faltung::{Planner, Problem};
    /// let problem: Problem = "64x64*3x3:same".parse()?;
    /// let plan = Planner::new().plan::<f32>(&problem)?;
    /// assert_eq!(plan.candidate().recipe.as_ref(), Some(plan.recipe()));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn candidate(&self) -> &Candidate {
        self.built.explanation.chosen()
    }

    /// Every algorithm with its cost, workspace and error, the one that this plan computes by, and why not each other.
    ///
    /// ```
    /// use faltung::{Planner, Problem};
    /// let problem: Problem = "64x64*3x3:same".parse()?;
    /// let plan = Planner::new().plan::<f32>(&problem)?;
    /// assert_eq!(plan.explain().chosen(), plan.candidate());
    /// println!("{}", plan.explain());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn explain(&self) -> &Explanation {
        &self.built.explanation
    }

    /// The largest error that is to be expected of an element of the result, as a multiple of the largest magnitude
    /// in the first operand times the 2-norm of those elements of the second that enter the sum.
    ///
    /// For an output channel that is `max|x| · ‖w‖₂` over the channel's kernel, whether or not all of its taps fall on
    /// data. What a boundary puts outside the data is part of the first operand: under
    /// [`Constant(v)`](crate::Boundary::Constant) `max|x|` is at least `|v|`. An element that enters the sum several
    /// times counts in the norm as often: where the boundary reads the data again, an element of an input gradient may
    /// take a tap with `m` outputs, and the norm is then at most `√m` times that of the taps.
    ///
    /// The bound is a probabilistic one: it supposes that rounding errors are independent, as they are for data without
    /// structure. For a running sum it is then ten standard deviations or more, which one element in 10²⁰ exceeds; for
    /// the other algorithms it is above any error that `convbench errors` finds in thousands of random problems, mostly
    /// ten to thirty times. Where products do not cancel, as in a box filter of a bright picture, a sum grows beyond the
    /// scale above, and its errors with it: they stay within the bound times the sum of the products' magnitudes.
    ///
    /// ```
    /// use faltung::{Planner, Problem, Workspace};
    /// let problem: Problem = "1000*31:same".parse()?;
    /// let plan = Planner::new().plan::<f32>(&problem)?;
    /// let (x, w, mut y) = (vec![0.1; 1000], vec![0.7; 31], vec![0.0; 1000]);
    /// plan.run(&x, &w, &mut y, &mut Workspace::new())?;
    /// let scale = f64::from(0.1f32) * f64::from(0.7f32) * 31f64.sqrt(); // max|x| · ‖w‖₂
    /// let exact = 31.0 * f64::from(0.1f32) * f64::from(0.7f32);
    /// assert!((f64::from(y[500]) - exact).abs() <= plan.error_bound() * scale);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn error_bound(&self) -> f64 {
        let passes = self.built.passes.as_ref().map_or(0.0, |passes| passes.candidate.error_bound);
        self.candidate().error_bound.max(passes)
    }

    /// Bytes of workspace that suffice for every run with as many threads as would run from here, whatever the data: a
    /// second operand that is not finite may take another way than others.
    ///
    /// ```
    /// use faltung::{Planner, Problem, Workspace};
    /// let problem: Problem = "1000*31:same".parse()?;
    /// let plan = Planner::new().plan::<f32>(&problem)?;
    /// let mut workspace = Workspace::with_bytes(plan.workspace_bytes());
    /// let (had, mut y) = (workspace.bytes(), vec![0.0; 1000]);
    /// plan.run(&[1.0; 1000], &[f32::INFINITY; 31], &mut y, &mut workspace)?;
    /// assert_eq!(workspace.bytes(), had);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn workspace_bytes(&self) -> usize {
        let built = &*self.built;
        let passes = built.passes.as_ref();
        let engines = [Some(&built.engine), built.definition.as_ref(), passes.map(|passes| &passes.engine)];
        let most = engines.into_iter().flatten().map(|engine| engine.bytes(self.threads)).max().unwrap_or(0);
        most.max(passes.map_or(0, |passes| passes.room * Line::BYTES))
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
        let built = &*self.built;
        self.run_views(built.operand(0, first)?, built.operand(1, second)?, built.result(result)?, workspace)
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
        let built = &*self.built;
        for (which, shape) in [first.shape(), second.shape(), result.shape()].into_iter().enumerate() {
            built.check(which, shape)?;
        }
        if result.at.elements() == 0 {
            return Ok(());
        }
        if built.problem.pass != Pass::WeightGradient {
            let engine = built.engine(built.which(second, workspace));
            self.call(engine, first, second, result, workspace);
            return Ok(());
        }
        // What is not finite in an output gradient leaves a trace in the result, which is far smaller.
        let ViewMut { data, at } = result;
        self.call(&built.engine, first, second, ViewMut { data: &mut *data, at }, workspace);
        if let Some(definition) = &built.definition
            && !simd::all_finite(View { data: &*data, at })
            && !simd::all_finite(second)
        {
            self.call(definition, first, second, ViewMut { data, at }, workspace);
        }
        Ok(())
    }

    /// Runs an engine on operands whose shapes are the problem's.
    fn call(
        &self,
        engine: &Engine<T>,
        first: View<'_, T>,
        second: View<'_, T>,
        result: ViewMut<'_, T>,
        workspace: &mut Workspace,
    ) {
        let plain = self.built.problem.pass == Pass::WeightGradient || engine.execute.packs_within();
        let needs = if plain { Needs { packed: 0, ..engine.needs } } else { engine.needs };
        let mut borrowed = Borrowed::new(needs, engine.workers(self.threads), workspace);
        let (packed, shared, mut workers) = borrowed.parts();
        let second = if plain {
            Second::Plain(second)
        } else {
            engine.execute.pack(second, packed, &mut workers);
            Second::Packed(packed)
        };
        engine.execute.run(Call { first, second, out: result, shared, workers: &mut workers });
    }

    /// Packs or transforms the kernel once, for many runs with it.
    ///
    /// # Errors
    /// [`Error::Shape`] where the kernel's length is not the problem's; [`Error::Argument`] for a weight gradient,
    /// whose second operand is no kernel.
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
        self.prepare_view(self.built.operand(1, kernel)?)
    }

    /// As [`prepare`](Self::prepare), from a kernel of any strides.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    ///
    /// ```
    /// use faltung::{Planner, Problem, View, Workspace};
    /// let problem: Problem = "4*3:same".parse()?;
    /// let reversed = View::new(&[3.0, 2.0, 1.0], &[1, 1, 3], &[3, 3, -1], 2)?;
    /// let prepared = Planner::new().plan::<f32>(&problem)?.prepare_view(reversed)?;
    /// let mut y = [0.0; 4];
    /// prepared.run(&[0.0, 1.0, 0.0, 0.0], &mut y, &mut Workspace::new())?;
    /// assert_eq!(y, [1.0, 2.0, 3.0, 0.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn prepare_view(&self, kernel: View<'_, T>) -> Result<Prepared<T>> {
        let built = &*self.built;
        if built.problem.pass == Pass::WeightGradient {
            return Err(Error::argument("pass", "a pass whose second operand is the kernel", built.problem.pass));
        }
        built.check(1, kernel.shape())?;
        let mut scratch = Workspace::new();
        let which = built.which(kernel, &mut scratch);
        let engine = built.engine(which);
        let mut packed = simd::zeros(engine.needs.packed);
        let needs = Needs { worker: engine.needs.worker, ..Needs::default() };
        let mut borrowed = Borrowed::new(needs, engine.workers(self.threads), &mut scratch);
        let (_, _, mut workers) = borrowed.parts();
        engine.execute.pack(kernel, &mut packed, &mut workers);
        let explanation = match (&built.passes, which) {
            (Some(passes), Which::Passes) => Arc::new(built.explanation.of_kernel(&passes.candidate, None)),
            (Some(passes), Which::Chosen) => {
                let rank = separable::rank_of(&built.problem, kernel);
                Arc::new(built.explanation.of_kernel(&passes.candidate, Some(rank)))
            }
            _ => built.explanation.clone(),
        };
        Ok(Prepared { plan: self.clone(), which, explanation, packed: packed.into() })
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
        let lines = workspace.lines(needs.packed + needs.shared + needs.worker * count);
        Self { lines, needs, count }
    }

    fn parts(&mut self) -> (&mut [Line], &mut [Line], Workers<'_>) {
        let (packed, rest) = self.lines.split_at_mut(self.needs.packed);
        let (shared, scratch) = rest.split_at_mut(self.needs.shared);
        (packed, shared, Workers::new(scratch, self.needs.worker, self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An algorithm that computes zeros, for want of infinities and NaN, which it does not take.
    #[derive(Debug)]
    struct Zeros;

    impl Execute<f32> for Zeros {
        fn needs(&self) -> Needs {
            Needs { packed: 1, shared: 1, worker: 1 }
        }

        fn takes_non_finite(&self) -> bool {
            false
        }

        fn pack(&self, _: View<'_, f32>, packed: &mut [Line], _: &mut Workers<'_>) {
            assert_eq!(packed.len(), 1);
        }

        fn run(&self, call: Call<'_, '_, f32>) {
            assert_eq!((call.second.packed().len(), call.shared.len()), (1, 1));
            call.out.data.fill(0.0);
        }
    }

    fn zeros(problem: &str) -> Plan<f32> {
        let problem = problem.parse().expect("a problem");
        let planner = Planner::new().algorithm(Algorithm::Reference);
        let explanation = Arc::new(planner.explain(&problem).expect("the definition"));
        let mut built = Built::<f32>::new(explanation, None).expect("the definition");
        let definition = std::mem::replace(&mut built.engine, Engine::new(Arc::new(Zeros), 1e-6));
        built.definition = Some(definition);
        Plan { built: Arc::new(built), threads: Threads::Serial }
    }

    #[test]
    fn a_run_allocates_nothing() {
        let plan = zeros("g2mb2ic4ih5iw6oc6kh3");
        let (x, w, mut y) = (vec![1.0; 240], vec![1.0; 108], vec![1.0; 144]);
        let prepared = plan.prepare(&w).expect("a kernel");
        let mut workspace = Workspace::with_bytes(plan.workspace_bytes());
        let strides = [72isize, 12, 4, 1];
        let info = allocation_counter::measure(|| {
            plan.run(&x, &w, &mut y, &mut workspace).expect("a run");
            prepared.run(&x, &mut y, &mut workspace).expect("a run");
            let first = View::new(&x, &[2, 4, 5, 6], &[120, 30, 6, 1], 0).expect("a view");
            let result = ViewMut::new(&mut y, &[2, 6, 3, 4], &strides, 0).expect("a view");
            prepared.run_views(first, result, &mut workspace).expect("a run");
        });
        assert_eq!(info.count_total, 0);
        assert_eq!(y, [0.0; 144]);
    }

    #[test]
    fn a_kernel_that_is_not_finite_is_left_to_the_definition() {
        let plan = zeros("300*200:valid");
        let (x, mut w, mut y) = (vec![1.0; 300], vec![1.0; 200], vec![0.0; 101]);
        w[3] = f32::INFINITY;
        let mut workspace = Workspace::with_bytes(plan.workspace_bytes());
        let bytes = workspace.bytes();
        assert!(bytes >= 200 * size_of::<f32>());
        plan.run(&x, &w, &mut y, &mut workspace).expect("a run");
        assert_eq!(y, [f32::INFINITY; 101]);
        y.fill(0.0);
        plan.prepare(&w).expect("a kernel").run(&x, &mut y, &mut workspace).expect("a run");
        assert_eq!(y, [f32::INFINITY; 101]);
        assert_eq!(workspace.bytes(), bytes);
    }
}
