//! Filters: a convolution planned for one shape, and the runs of it.

use std::fmt;
use std::sync::LazyLock;

use ndarray::{Array, ArrayRef, Dimension};

use super::arrays::{self, Part, PartMut, with_workspace};
use super::geometry::Geometry;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::plan::{Algorithm, Explanation, Plan, Planner, Prepared, Threads, Workspace};
use crate::problem::Problem;
use crate::simd::{self, Line};
use crate::view::{MAX_AXES, View, ViewMut};

/// What the planner is told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    pub(super) algorithm: Algorithm,
    pub(super) threads: Threads,
    pub(super) max_workspace: Option<usize>,
    pub(super) tolerance: Option<f64>,
}

/// The planner of all calls that bound nothing.
static PLANNER: LazyLock<Planner> = LazyLock::new(Planner::new);

impl Options {
    fn own(&self) -> Option<Planner> {
        if self.algorithm == Algorithm::Auto && self.max_workspace.is_none() && self.tolerance.is_none() {
            return None;
        }
        let mut planner = Planner::new().algorithm(self.algorithm);
        if let Some(bytes) = self.max_workspace {
            planner = planner.max_workspace(bytes);
        }
        if let Some(bound) = self.tolerance {
            planner = planner.tolerance(bound);
        }
        Some(planner)
    }

    pub(super) fn plan<T: Element>(&self, problem: &Problem) -> Result<Plan<T>> {
        let plan = match self.own() {
            Some(planner) => planner.plan(problem)?,
            None => PLANNER.plan(problem)?,
        };
        Ok(plan.with_threads(self.threads))
    }
}

/// The kernel of a run.
#[derive(Clone, Copy)]
pub(super) enum Kernel<'a, T> {
    /// One for each problem that has another.
    Prepared(&'a [Prepared<T>]),
    /// As it lies in memory.
    Plain(&'a Plan<T>, Part<'a, T>),
}

/// Runs on arrays of any strides. A kernel that is not prepared must lie as [`lay_kernel`] has it.
///
/// # Errors
/// [`Error::Shape`] where an array's shape is not the geometry's.
pub(super) fn run<T: Element, D: Dimension, E: Dimension>(
    geometry: &Geometry,
    x: &ArrayRef<T, D>,
    kernel: Kernel<'_, T>,
    y: &mut ArrayRef<T, E>,
    workspace: &mut Workspace,
) -> Result<()> {
    for (name, expected, given) in [("x", &geometry.input, x.shape()), ("y", &geometry.output, y.shape())] {
        if expected != given {
            return Err(Error::shape(name, expected, given));
        }
    }
    let in_place = arrays::in_place(x).filter(|part| geometry.input_strides(&part.strides).is_some());
    let target = arrays::strides_to_write(y).filter(|(strides, _)| geometry.output_strides(strides).is_some());
    let (x_len, y_len) = (if in_place.is_some() { 0 } else { x.len() }, if target.is_some() { 0 } else { y.len() });
    let mut copies = workspace.take_copies(Line::holding::<T>(x_len) + Line::holding::<T>(y_len));
    let mut room = copies.as_mut_slice();
    let (x_room, y_room) = (simd::split::<T>(&mut room, x_len), simd::split::<T>(&mut room, y_len));
    let done = (|| {
        let x = match in_place {
            Some(part) => part,
            None => arrays::copy(x, x_room)?,
        };
        match target {
            Some((strides, offset)) => {
                let Some(data) = y.view_mut().into_slice_memory_order() else {
                    return Err(Error::argument("y", "an array without gaps", "one with"));
                };
                run_parts(geometry, x, kernel, PartMut { data, strides, offset }, workspace)
            }
            None => {
                let strides = arrays::standard(y.shape());
                run_parts(geometry, x, kernel, PartMut { data: y_room, strides, offset: 0 }, workspace)?;
                y.assign(&arrays::dense_mut(y.raw_dim(), y_room)?);
                Ok(())
            }
        }
    })();
    workspace.put_copies(copies);
    done
}

/// Runs on arrays whose axes merge as the geometry has it.
fn run_parts<T: Element>(
    geometry: &Geometry,
    x: Part<'_, T>,
    kernel: Kernel<'_, T>,
    y: PartMut<'_, T>,
    workspace: &mut Workspace,
) -> Result<()> {
    let unmerged = || Error::argument("x", "strides whose axes merge", "others");
    let x_strides = geometry.input_strides(&x.strides).ok_or_else(unmerged)?;
    let y_strides = geometry.output_strides(&y.strides).ok_or_else(unmerged)?;
    let h_own = match kernel {
        Kernel::Prepared(_) => [0; MAX_AXES],
        Kernel::Plain(_, h) => h.strides,
    };
    let [first, second, result] = &geometry.operands;
    let axes = first.len();
    for run in 0..geometry.runs() {
        let [dx, dh, dy, number] = geometry.at(run, &x.strides, &h_own, &y.strides);
        let moved = |offset: usize, step: isize| (offset as isize + step) as usize;
        let out = ViewMut::new(y.data, result, &y_strides[..axes], moved(y.offset, dy))?;
        match kernel {
            Kernel::Prepared(all) => {
                let x = View::new(x.data, first, &x_strides[..axes], moved(x.offset, dx))?;
                all[number as usize].run_views(x, out, workspace)?;
            }
            Kernel::Plain(plan, h) if geometry.swapped => {
                let (strides, offset) = geometry.as_input(&h.strides, h.offset);
                let h = View::new(h.data, first, &strides[..axes], offset)?;
                plan.run_views(h, View::new(x.data, second, &x_strides[..axes], x.offset)?, out, workspace)?;
            }
            Kernel::Plain(plan, h) => {
                let strides = geometry.kernel_strides(&h.strides).ok_or_else(unmerged)?;
                let x = View::new(x.data, first, &x_strides[..axes], moved(x.offset, dx))?;
                let h = View::new(h.data, second, &strides[..axes], moved(h.offset, dh))?;
                plan.run_views(x, h, out, workspace)?;
            }
        }
    }
    Ok(())
}

/// A kernel where it lies, or a dense copy of it in `room` where the geometry cannot use that.
pub(super) fn lay_kernel<'a, T: Element, K: Dimension>(
    geometry: &Geometry,
    h: &'a ArrayRef<T, K>,
    room: &'a mut Vec<T>,
) -> Part<'a, T> {
    let in_place = arrays::in_place(h).filter(|part| geometry.kernel_strides(&part.strides).is_some());
    match in_place {
        Some(part) if !geometry.conjugated => part,
        _ => {
            *room = dense_kernel(geometry, h);
            Part { data: room, strides: arrays::standard(h.shape()), offset: 0 }
        }
    }
}

fn dense_kernel<T: Element, K: Dimension>(geometry: &Geometry, h: &ArrayRef<T, K>) -> Vec<T> {
    h.iter().map(|&v| if geometry.conjugated { v.conj() } else { v }).collect()
}

/// A convolution made ready for arrays of one shape: kernel packed or transformed, immutable, shared freely among
/// threads.
///
/// `T` is the element type, `D` the dimension of the data and `E` that of the result. Planned by
/// [`Convolution::plan`](crate::Convolution::plan).
///
/// ```
/// use faltung::ndarray::{Array2, arr2};
/// use faltung::{Boundary, Convolution, Mode, Workspace};
///
/// let blur = arr2(&[[0.0625, 0.125, 0.0625], [0.125, 0.25, 0.125], [0.0625, 0.125, 0.0625f32]]);
/// let filter = Convolution::new(&blur).mode(Mode::Same).boundary(Boundary::Mirror).plan((480, 640))?;
///
/// let (mut y, mut workspace) = (Array2::zeros(filter.output_dim()), Workspace::new());
/// for frame in 0..3 {
///     let x = Array2::from_elem((480, 640), frame as f32);
///     filter.apply_into(&x, &mut y, &mut workspace)?; // allocates in the first round only
///     assert_eq!(y[[0, 0]], frame as f32);
/// }
/// println!("{}", filter.explain());
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone)]
pub struct Filter<T, D, E = D> {
    geometry: Geometry,
    plan: Plan<T>,
    kernels: Kernels<T>,
    input: D,
    output: E,
}

/// What a filter keeps of its kernel.
#[derive(Clone)]
enum Kernels<T> {
    Prepared(Vec<Prepared<T>>),
    /// In the data's place: dense, in C order.
    Swapped(Vec<T>),
}

impl<T, D: fmt::Debug, E: fmt::Debug> fmt::Debug for Filter<T, D, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter")
            .field("input", &self.input)
            .field("output", &self.output)
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

impl<T: Element, D: Dimension, E: Dimension> Filter<T, D, E> {
    pub(super) fn new<K: Dimension>(
        geometry: Geometry,
        options: Options,
        h: &ArrayRef<T, K>,
        input: D,
    ) -> Result<Self> {
        let plan = options.plan::<T>(&geometry.problem)?;
        let kernels = if geometry.swapped {
            Kernels::Swapped(dense_kernel(&geometry, h))
        } else {
            let mut room = Vec::new();
            let part = lay_kernel(&geometry, h, &mut room);
            let [_, shape, _] = &geometry.operands;
            let strides = geometry.kernel_strides(&part.strides).unwrap_or(part.strides);
            let mut prepared: Vec<Option<Prepared<T>>> = vec![None; geometry.prepared()];
            for run in 0..geometry.runs() {
                let [_, step, _, number] = geometry.at(run, &[0; MAX_AXES], &part.strides, &[0; MAX_AXES]);
                let place = &mut prepared[number as usize];
                if place.is_none() {
                    let offset = (part.offset as isize + step) as usize;
                    let view = View::new(part.data, shape, &strides[..shape.len()], offset)?;
                    *place = Some(plan.prepare_view(view)?);
                }
            }
            Kernels::Prepared(prepared.into_iter().flatten().collect())
        };
        let output = arrays::dimension(&geometry.output);
        Ok(Self { geometry, plan, kernels, input, output })
    }

    /// Filters an array.
    ///
    /// # Errors
    /// [`Error::Shape`] where the array's shape is not the one that was planned for.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::{Convolution, Mode};
    ///
    /// let filter = Convolution::new(&array![1.0, -1.0]).mode(Mode::Valid).plan(4)?;
    /// assert_eq!(filter.apply(&array![1.0, 4.0, 9.0, 16.0])?, array![3.0, 5.0, 7.0]);
    /// assert!(filter.apply(&array![1.0, 4.0]).is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply(&self, x: &ArrayRef<T, D>) -> Result<Array<T, E>> {
        if x.shape() != self.geometry.input {
            return Err(Error::shape("x", &self.geometry.input, x.shape()));
        }
        let mut y = Array::from_elem(self.output.clone(), T::default());
        with_workspace(|workspace| self.apply_into(x, &mut y, workspace))?;
        Ok(y)
    }

    /// Filters an array into another, which may lie in memory in any way. With a workspace that is large enough nothing
    /// is allocated.
    ///
    /// # Errors
    /// [`Error::Shape`] where an array's shape is not the one that was planned for.
    ///
    /// ```
    /// use faltung::ndarray::{Array1, array, s};
    /// use faltung::{Convolution, Mode, Workspace};
    ///
    /// let filter = Convolution::new(&array![1.0, 1.0]).mode(Mode::Causal).plan(3)?;
    /// let mut y = Array1::zeros(6);
    /// filter.apply_into(&array![1.0, 2.0, 3.0], &mut y.slice_mut(s![..;2]), &mut Workspace::new())?;
    /// assert_eq!(y, array![1.0, 0.0, 3.0, 0.0, 5.0, 0.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply_into(&self, x: &ArrayRef<T, D>, y: &mut ArrayRef<T, E>, workspace: &mut Workspace) -> Result<()> {
        let kernel = match &self.kernels {
            Kernels::Prepared(all) => Kernel::Prepared(all),
            Kernels::Swapped(dense) => {
                let strides = arrays::standard(&self.geometry.kernel);
                Kernel::Plain(&self.plan, Part { data: dense, strides, offset: 0 })
            }
        };
        run(&self.geometry, x, kernel, y, workspace)
    }

    /// The shape of the data.
    ///
    /// ```
    /// # use faltung::{Convolution, ndarray::array};
    /// let filter = Convolution::new(&array![1.0, -1.0]).plan(4)?;
    /// assert_eq!(filter.input_dim(), faltung::ndarray::Ix1(4));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn input_dim(&self) -> D {
        self.input.clone()
    }

    /// The shape of the result.
    ///
    /// ```
    /// # use faltung::{Convolution, ndarray::array};
    /// let filter = Convolution::new(&array![1.0, -1.0]).plan(4)?;
    /// assert_eq!(filter.output_dim(), faltung::ndarray::Ix1(5));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn output_dim(&self) -> E {
        self.output.clone()
    }

    /// How it is computed: the plan of the one problem that it runs, once or, where batch axes do not fit in one,
    /// repeatedly.
    ///
    /// Where the kernel is longer than the data on every axis, and nothing lies outside the data, the two are
    /// exchanged: convolution commutes, and then has fewer products.
    ///
    /// ```
    /// # use faltung::{Algorithm, Convolution, ndarray::array};
    /// let filter = Convolution::new(&array![1.0, -1.0]).algorithm(Algorithm::Reference).plan(4)?;
    /// assert_eq!(filter.plan().recipe().algorithm(), Algorithm::Reference);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn plan(&self) -> &Plan<T> {
        &self.plan
    }

    /// Every algorithm with its cost, workspace and error, the one chosen for the kernel, of several the first, and why not
    /// each other.
    ///
    /// ```
    /// # use faltung::{Convolution, ndarray::array};
    /// let filter = Convolution::new(&array![1.0, -1.0]).plan(4)?;
    /// let explanation = filter.explain();
    /// assert!(explanation.chosen().why_not.is_none());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn explain(&self) -> &Explanation {
        match &self.kernels {
            Kernels::Prepared(all) if !all.is_empty() => all[0].explain(),
            _ => self.plan.explain(),
        }
    }

    /// Bytes of workspace that a run borrows, with as many threads as would run from here, for arrays that are used
    /// where they lie. Copies of others are held by the workspace too.
    ///
    /// ```
    /// # use faltung::{Convolution, Workspace, ndarray::array};
    /// let filter = Convolution::new(&array![1.0, -1.0]).plan(4)?;
    /// let workspace = Workspace::with_bytes(filter.workspace_bytes());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn workspace_bytes(&self) -> usize {
        self.plan.workspace_bytes()
    }
}
