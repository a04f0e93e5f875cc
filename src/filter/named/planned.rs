//! Named filters planned for one shape, and the runs of them.

use std::fmt;

use ndarray::{Array, ArrayRef, ArrayView, Dimension, Zip};

use super::operator::{Combination, Linear, Operator, Pass, Taps};
use super::reach;
use crate::element::{Element, Scalar};
use crate::error::{Error, Result};
use crate::filter::arrays::{self, with_workspace};
use crate::filter::geometry::Geometry;
use crate::filter::plan::{Filter, Options};
use crate::filter::settings::Settings;
use crate::plan::{Candidate, Workspace};
use crate::problem::{Boundary, Mode};
use crate::simd::{self, Line};
use crate::view::MAX_AXES;

/// The largest dense kernel that is considered in place of passes.
const DENSE_TAPS: usize = 1 << 10;

/// The bytes a second that adding one array to another is taken to go through: what main memory gives one core.
const SWEEP: f64 = 8e9;

/// A named filter made ready for arrays of one shape: every pass planned, its taps packed. It is immutable and shared
/// freely among threads.
///
/// `T` is the element type and `D` the dimension of data and result. Planned by [`Design::plan`](super::Design::plan)
/// and [`Operator::plan`].
///
/// ```
/// use faltung::filter::named::{Design, GradientMagnitude};
/// use faltung::ndarray::Array3;
/// use faltung::{Boundary, Workspace};
///
/// let frame = Array3::<f32>::from_shape_fn((60, 80, 3), |(i, _, _)| i as f32);
/// let edges = GradientMagnitude::sobel().plan(frame.raw_dim(), &[0, 1], Boundary::Mirror)?;
/// let (mut y, mut workspace) = (Array3::zeros(edges.dim()), Workspace::new());
/// for _ in 0..3 {
///     edges.apply_into(&frame, &mut y, &mut workspace)?; // allocates in the first round only
///     assert_eq!(y[[30, 40, 1]], 8.0);
/// }
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone)]
pub struct NamedFilter<T, D> {
    parts: Vec<Sum<T, D>>,
    combination: Combination,
    dim: D,
}

/// A sum of chains of filters.
type Sum<T, D> = Vec<Chain<T, D>>;
type Chain<T, D> = Vec<Filter<T, D>>;

impl<T, D: fmt::Debug> fmt::Debug for NamedFilter<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedFilter")
            .field("dim", &self.dim)
            .field("parts", &self.parts)
            .field("combination", &self.combination)
            .finish()
    }
}

impl Operator {
    /// Plans the filter for arrays of one shape, along so many of their axes as it was [made for](Self::axes).
    ///
    /// # Errors
    /// [`Error::Argument`] for an empty array, more than eight axes, and axes that are not that many, repeated or not
    /// the array's; for taps that are not finite in the element type; and the planner's own.
    ///
    /// ```
    /// use faltung::Boundary;
    /// use faltung::filter::named::{Design, Laplace};
    /// use faltung::ndarray::array;
    ///
    /// let x = array![[0.0, 1.0, 4.0, 9.0]];
    /// let y = Laplace::new().operator(1)?.plan(x.raw_dim(), &[1], Boundary::Nearest)?.apply(&x)?;
    /// assert_eq!(y, array![[1.0, 2.0, 2.0, -5.0]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn plan<T: Element, D: Dimension>(
        &self,
        shape: D,
        axes: &[usize],
        boundary: Boundary,
    ) -> Result<NamedFilter<T, D>> {
        let extents = shape.slice();
        if extents.is_empty() || extents.len() > MAX_AXES {
            return Err(Error::argument("x", format!("an array of 1 to {MAX_AXES} axes"), extents.len()));
        }
        if let Some(axis) = extents.iter().position(|&n| n == 0) {
            return Err(Error::argument("x", format!("at least 1 sample on axis {axis}"), 0));
        }
        let known = |(i, a): (usize, &usize)| *a < extents.len() && !axes[..i].contains(a);
        if axes.len() != self.axes || !axes.iter().enumerate().all(known) {
            let expected = format!("{} different axes of the {} that x has", self.axes, extents.len());
            return Err(Error::argument("axes", expected, format!("{axes:?}")));
        }
        if let Combination::Unsharp { amount, .. } = self.combination
            && !Scalar::is_finite(T::from_f64(amount))
        {
            return Err(Error::argument("amount", format!("a finite number in {}", T::DTYPE), amount));
        }
        let parts =
            self.parts.iter().map(|linear| self.plan_sum(linear, &shape, axes, boundary)).collect::<Result<_>>()?;
        Ok(NamedFilter { parts, combination: self.combination, dim: shape })
    }

    /// Pass by pass, or as one dense kernel where that is predicted to be faster and no less accurate: its running sum is
    /// as long as the product of the passes'.
    fn plan_sum<T: Element, D: Dimension>(
        &self,
        linear: &Linear,
        shape: &D,
        axes: &[usize],
        boundary: Boundary,
    ) -> Result<Sum<T, D>> {
        let plan = |pass: &Pass| {
            let along: Vec<usize> = pass.axes.iter().filter_map(|&a| axes.get(a).copied()).collect();
            plan_pass(&pass.kernel, shape, &along, boundary)
        };
        let passes: Sum<T, D> = linear.iter().map(|term| term.iter().map(plan).collect()).collect::<Result<_>>()?;
        let Some(kernel) = self.worth_a_dense_kernel(linear, boundary) else { return Ok(passes) };
        let dense: Filter<T, D> = plan_pass(&kernel, shape, axes, boundary)?;
        let bytes = shape.size() as f64 * size_of::<T>() as f64;
        let sweeps = 3.0 * (passes.len() - 1) as f64 * bytes / SWEEP;
        let sum = |of: fn(&Candidate) -> f64| passes.iter().flatten().map(|filter| of(filter.plan().candidate())).sum();
        let (seconds, error): (f64, f64) = (sum(|c| c.predicted), sum(|c| c.error_bound));
        let one = dense.plan().candidate();
        let better = one.predicted < seconds + sweeps && one.error_bound <= error;
        Ok(if better { vec![vec![dense]] } else { passes })
    }

    /// The dense kernel of a sum that has several passes and the same result with it, boundary included.
    fn worth_a_dense_kernel(&self, linear: &Linear, boundary: Boundary) -> Option<Taps> {
        // Around what a pass makes of a constant, that constant does not lie.
        let alike = match boundary {
            Boundary::Constant(value) => value == 0.0,
            _ => true,
        };
        let once = |term: &[Pass]| {
            let mut axes: Vec<usize> = term.iter().flat_map(|pass| pass.axes.iter().copied()).collect();
            axes.sort_unstable();
            axes.windows(2).all(|pair| pair[0] != pair[1])
        };
        let taps = |term: &Vec<Pass>| term.iter().map(|pass| pass.kernel.taps.len() as f64).product::<f64>();
        let worth = linear.iter().map(Vec::len).sum::<usize>() > 1
            && alike
            && linear.iter().all(|term| once(term) && taps(term) <= DENSE_TAPS as f64);
        if !worth {
            return None;
        }
        let kernel = self.sum_of(linear).ok()?;
        (kernel.taps.len() <= DENSE_TAPS).then_some(kernel)
    }
}

fn plan_pass<T: Element, D: Dimension>(
    kernel: &Taps,
    shape: &D,
    axes: &[usize],
    boundary: Boundary,
) -> Result<Filter<T, D>> {
    let extents: Vec<usize> = axes.iter().filter_map(|&axis| shape.slice().get(axis).copied()).collect();
    let kernel = reach::within(kernel, &extents, boundary);
    let mut taps = kernel.taps.mapv(T::from_f64);
    if (kernel.taps.sum() - 1.0).abs() <= 1e-9 {
        // Rounding must not change what the taps sum to, or repeated blurs would darken or brighten a picture.
        let left = kernel.taps.iter().zip(&taps).map(|(tap, rounded)| tap - rounded.to_f64().0).sum();
        taps[kernel.anchor.as_slice()] += T::from_f64(left);
    }
    if !taps.iter().all(|&tap| Scalar::is_finite(tap)) {
        return Err(Error::argument("filter", format!("taps that are finite in {}", T::DTYPE), "larger ones"));
    }
    let settings = Settings {
        axes: Some(axes.to_vec()),
        anchor: kernel.anchor.clone(),
        boundary: Some(boundary),
        ..Settings::of(Mode::Same, true)
    };
    let geometry = Geometry::new(shape.slice(), taps.shape(), &settings, T::DTYPE)?;
    Filter::new(geometry, Options::default(), &taps, shape.clone())
}

impl<T: Element, D: Dimension> NamedFilter<T, D> {
    /// Filters an array.
    ///
    /// # Errors
    /// [`Error::Shape`] where the array's shape is not the one that was planned for.
    ///
    /// ```
    /// use faltung::Boundary;
    /// use faltung::filter::named::{BoxBlur, Design};
    /// use faltung::ndarray::{Ix1, array};
    ///
    /// let mean = BoxBlur::new(3).plan(Ix1(4), &[0], Boundary::Wrap)?;
    /// assert_eq!(mean.apply(&array![3.0, 0.0, 0.0, 6.0])?, array![3.0, 1.0, 2.0, 3.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply(&self, x: &ArrayRef<T, D>) -> Result<Array<T, D>> {
        self.check("x", x)?;
        let mut y = Vec::new();
        y.try_reserve_exact(self.dim.size()).map_err(|e| Error::other("making room for the result", e))?;
        y.resize(self.dim.size(), T::default());
        let mut y = Array::from_shape_vec(self.dim.clone(), y).map_err(|e| Error::other("laying out the result", e))?;
        with_workspace(|workspace| self.apply_into(x, &mut y, workspace))?;
        Ok(y)
    }

    /// Filters an array into another, which may lie in memory in any way. Between passes the data lie in the workspace;
    /// where that is large enough, and the arrays without gaps, nothing is allocated.
    ///
    /// # Errors
    /// [`Error::Shape`] where an array's shape is not the one that was planned for.
    ///
    /// ```
    /// use faltung::filter::named::{Derivative, Design};
    /// use faltung::ndarray::{Array1, Ix1, array};
    /// use faltung::{Boundary, Workspace};
    ///
    /// let slope = Derivative::sobel(0).plan(Ix1(4), &[0], Boundary::Nearest)?;
    /// let (mut y, mut workspace) = (Array1::zeros(4), Workspace::new());
    /// slope.apply_into(&array![0.0, 1.0, 4.0, 9.0], &mut y, &mut workspace)?;
    /// assert_eq!(y, array![1.0, 4.0, 8.0, 5.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply_into(&self, x: &ArrayRef<T, D>, y: &mut ArrayRef<T, D>, workspace: &mut Workspace) -> Result<()> {
        self.check("x", x)?;
        self.check("y", y)?;
        let size = self.dim.size();
        let [results, between] = [self.results(), self.between()].map(|count| size.saturating_mul(count));
        let mut copies = workspace.take_copies(Line::holding::<T>(results) + Line::holding::<T>(between));
        let mut room = copies.as_mut_slice();
        let (results, between) = (simd::split::<T>(&mut room, results), simd::split::<T>(&mut room, between));
        let done = self.run(x, y, results, between, workspace);
        workspace.put_copies(copies);
        done
    }

    fn run(
        &self,
        x: &ArrayRef<T, D>,
        y: &mut ArrayRef<T, D>,
        results: &mut [T],
        between: &mut [T],
        workspace: &mut Workspace,
    ) -> Result<()> {
        let Some((first, rest)) = self.parts.split_first() else { return Ok(()) };
        run_sum(first, x, y, between, workspace)?;
        for (part, result) in rest.iter().zip(results.chunks_exact_mut(self.dim.size())) {
            run_sum(part, x, &mut arrays::dense_mut(self.dim.clone(), result)?, between, workspace)?;
        }
        match self.combination {
            Combination::Alone => {}
            Combination::Magnitude if rest.is_empty() => y.mapv_inplace(|value| T::from_f64(square(value).sqrt())),
            Combination::Magnitude => {
                for result in results.chunks_exact_mut(self.dim.size()) {
                    let result = arrays::dense_mut(self.dim.clone(), result)?;
                    sweep(y, result.view(), |y, x| *y = T::from_f64((square(*y) + square(x)).sqrt()));
                }
            }
            Combination::Unsharp { amount, threshold } => unsharp(y, x, amount, threshold),
        }
        Ok(())
    }

    /// The shape of data and result.
    ///
    /// ```
    /// # use faltung::{Boundary, filter::named::{Design, Laplace}, ndarray::Ix1};
    /// assert_eq!(Laplace::new().plan::<f32, _>(Ix1(4), &[0], Boundary::Zero)?.dim(), Ix1(4));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn dim(&self) -> D {
        self.dim.clone()
    }

    /// The planned filters in the order in which they run: what [`Filter::explain`] says of each.
    ///
    /// ```
    /// # use faltung::{Boundary, filter::named::{Design, Gaussian}, ndarray::Ix2};
    /// let blur = Gaussian::new(5.0).plan::<f32, _>(Ix2(400, 400), &[0, 1], Boundary::Mirror)?;
    /// for pass in blur.passes() {
    ///     println!("{}", pass.explain());
    /// }
    /// assert_eq!(blur.passes().count(), 2);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn passes(&self) -> impl Iterator<Item = &Filter<T, D>> {
        self.parts.iter().flatten().flatten()
    }

    fn check(&self, name: &'static str, array: &ArrayRef<T, D>) -> Result<()> {
        if array.shape() == self.dim.slice() {
            Ok(())
        } else {
            Err(Error::shape(name, self.dim.slice(), array.shape()))
        }
    }

    /// Arrays that hold the results of parts, the first part's apart.
    fn results(&self) -> usize {
        self.parts.len().saturating_sub(1)
    }

    /// Arrays that lie between the passes of a chain, and hold its result where it is added to another.
    fn between(&self) -> usize {
        let of = |sum: &Sum<T, D>| usize::from(sum.len() > 1) + usize::from(sum.iter().any(|chain| chain.len() > 1));
        self.parts.iter().map(of).max().unwrap_or(0)
    }
}

/// Writes a sum of chains; `between` has room for as many arrays as it needs.
fn run_sum<T: Element, D: Dimension>(
    sum: &Sum<T, D>,
    x: &ArrayRef<T, D>,
    y: &mut ArrayRef<T, D>,
    between: &mut [T],
    workspace: &mut Workspace,
) -> Result<()> {
    let Some((first, rest)) = sum.split_first() else {
        y.fill(T::default());
        return Ok(());
    };
    if rest.is_empty() {
        return run_chain(first, x, y, between, workspace);
    }
    let (summand, passing) = between.split_at_mut(x.len());
    let mut summand = arrays::dense_mut(x.raw_dim(), summand)?;
    run_chain(first, x, y, passing, workspace)?;
    for chain in rest {
        run_chain(chain, x, &mut summand, passing, workspace)?;
        sweep(y, summand.view(), |y, x| *y += x);
    }
    Ok(())
}

/// Runs one filter after the other, forth and back between `y` and another array so that the last one writes `y`.
fn run_chain<T: Element, D: Dimension>(
    chain: &Chain<T, D>,
    x: &ArrayRef<T, D>,
    y: &mut ArrayRef<T, D>,
    between: &mut [T],
    workspace: &mut Workspace,
) -> Result<()> {
    match chain.as_slice() {
        [] => y.assign(x),
        [only] => only.apply_into(x, y, workspace)?,
        many => {
            let mut other = arrays::dense_mut(x.raw_dim(), &mut between[..x.len()])?;
            for (i, filter) in many.iter().enumerate() {
                match (i, (many.len() - 1 - i) % 2) {
                    (0, 0) => filter.apply_into(x, y, workspace)?,
                    (0, _) => filter.apply_into(x, &mut other, workspace)?,
                    (_, 0) => filter.apply_into(&other, y, workspace)?,
                    _ => filter.apply_into(y, &mut other, workspace)?,
                }
            }
        }
    }
    Ok(())
}

/// The square of a number's modulus, in double precision, where no square of an `f32` overflows.
fn square<T: Element>(value: T) -> f64 {
    let (re, im) = value.to_f64();
    re * re + im * im
}

/// Puts back, `amount` times, what the blur `y` of `x` took away, where that is more than the threshold.
fn unsharp<T: Element, D: Dimension>(y: &mut ArrayRef<T, D>, x: &ArrayRef<T, D>, amount: f64, threshold: f64) {
    let (factor, least) = (T::from_f64(amount), threshold * threshold);
    if threshold == 0.0 {
        return sweep(y, x.view(), |y, x| *y = x + factor * (x - *y));
    }
    sweep(y, x.view(), |y, x| {
        *y = if square(x - *y) > least { x + factor * (x - *y) } else { x };
    });
}

/// The samples that a thread goes through at a time.
const CHUNK: usize = 1 << 14;

/// Goes through two arrays of one shape.
fn sweep<T: Element, D: Dimension>(
    y: &mut ArrayRef<T, D>,
    x: ArrayView<'_, T, D>,
    each: impl Fn(&mut T, T) + Copy + Sync + Send,
) {
    let run = |(y, x): (&mut [T], &[T])| y.iter_mut().zip(x).for_each(|(y, &x)| each(y, x));
    match (y.as_slice_mut(), x.as_slice()) {
        #[cfg(feature = "parallel")]
        (Some(y), Some(x)) if y.len() > CHUNK => {
            use rayon::prelude::*;
            y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(run);
        }
        (Some(y), Some(x)) => y.chunks_mut(CHUNK).zip(x.chunks(CHUNK)).for_each(run),
        _ => Zip::from(y).and(x).for_each(|y, &x| each(y, x)),
    }
}
