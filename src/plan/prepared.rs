//! Plans with their kernel made ready.

use std::fmt;
use std::sync::Arc;

use super::{Borrowed, Explanation, Plan, Which, Workspace};
use crate::algo::{Call, Needs, Second};
use crate::element::Element;
use crate::error::Result;
use crate::simd::Line;
use crate::view::{View, ViewMut};

/// A plan with its kernel packed or transformed already: `'static`, cheap to clone. See [`Plan::prepare`].
#[derive(Clone)]
pub struct Prepared<T> {
    pub(super) plan: Plan<T>,
    /// What the kernel was packed for.
    pub(super) which: Which,
    pub(super) explanation: Arc<Explanation>,
    pub(super) packed: Arc<[Line]>,
}

impl<T> fmt::Debug for Prepared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("plan", &self.plan).field("bytes", &(self.packed.len() * Line::BYTES)).finish()
    }
}

impl<T: Element> Prepared<T> {
    /// The plan that this was prepared from.
    ///
    /// ```
    /// use faltung::{Planner, Problem};
    /// let problem: Problem = "4*3:same".parse()?;
    /// let prepared = Planner::new().plan::<f32>(&problem)?.prepare(&[1.0, 2.0, 3.0])?;
    /// assert_eq!(prepared.plan().problem(), &problem);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn plan(&self) -> &Plan<T> {
        &self.plan
    }

    /// As [`Plan::explain`], of this kernel: one of low rank, such as a Gaussian, is split into passes along the axes
    /// where that is the faster, and any other kernel is told the rank that keeps it from that.
    ///
    /// ```
    /// use faltung::{Algorithm, Planner, Problem};
    /// let problem: Problem = "512x512*15x15:same".parse()?;
    /// let plan = Planner::new().plan::<f32>(&problem)?;
    /// let bell: Vec<f32> = (-7..=7).map(|i| (-0.04 * (i * i) as f32).exp()).collect();
    /// let gaussian: Vec<f32> = bell.iter().flat_map(|a| bell.iter().map(move |b| a * b)).collect();
    /// let prepared = plan.prepare(&gaussian)?;
    /// assert_eq!(prepared.explain().chosen().algorithm, Algorithm::Separable);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn explain(&self) -> &Explanation {
        &self.explanation
    }

    /// Bytes of the packed kernel.
    ///
    /// ```
    /// use faltung::{Planner, Problem};
    /// let problem: Problem = "4*3:same".parse()?;
    /// let prepared = Planner::new().plan::<f32>(&problem)?.prepare(&[1.0, 2.0, 3.0])?;
    /// assert!(prepared.bytes() >= 3 * size_of::<f32>());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn bytes(&self) -> usize {
        self.packed.len() * Line::BYTES
    }

    /// Computes the result from a dense array in the problem's layout.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) where a slice's length is not the problem's.
    ///
    /// ```
    /// use faltung::{Planner, Problem, Workspace};
    /// let problem: Problem = "3*2:valid".parse()?;
    /// let difference = Planner::new().plan::<f32>(&problem)?.prepare(&[1.0, -1.0])?;
    /// let (mut y, mut workspace) = ([0.0; 2], Workspace::new());
    /// for start in [1.0, 2.0] {
    ///     difference.run(&[start, 4.0, 9.0], &mut y, &mut workspace)?;
    ///     assert_eq!(y, [4.0 - start, 5.0]);
    /// }
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn run(&self, first: &[T], result: &mut [T], workspace: &mut Workspace) -> Result<()> {
        let built = &*self.plan.built;
        self.run_views(built.operand(0, first)?, built.result(result)?, workspace)
    }

    /// As [`run`](Self::run), from and to arrays of any strides.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) where a view's shape is not the problem's.
    ///
    /// ```
    /// use faltung::{Planner, Problem, View, ViewMut, Workspace};
    /// let problem: Problem = "3*2:valid".parse()?;
    /// let difference = Planner::new().plan::<f32>(&problem)?.prepare(&[1.0, -1.0])?;
    /// // Every second sample, and the result backwards.
    /// let (x, mut y) = ([1.0, 0.0, 4.0, 0.0, 9.0], [0.0; 2]);
    /// let result = ViewMut::new(&mut y, &[1, 1, 2], &[2, 2, -1], 1)?;
    /// difference.run_views(View::new(&x, &[1, 1, 3], &[5, 5, 2], 0)?, result, &mut Workspace::new())?;
    /// assert_eq!(y, [5.0, 3.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn run_views(&self, first: View<'_, T>, result: ViewMut<'_, T>, workspace: &mut Workspace) -> Result<()> {
        let (plan, built) = (&self.plan, &*self.plan.built);
        built.check(0, first.shape())?;
        built.check(2, result.shape())?;
        if result.at.elements() == 0 {
            return Ok(());
        }
        let engine = built.engine(self.which);
        let needs = Needs { packed: 0, ..engine.needs };
        let mut borrowed = Borrowed::new(needs, engine.workers(plan.threads), workspace);
        let (_, shared, mut workers) = borrowed.parts();
        let second = Second::Packed(&self.packed);
        engine.execute.run(Call { first, second, out: result, shared, workers: &mut workers });
        Ok(())
    }
}
