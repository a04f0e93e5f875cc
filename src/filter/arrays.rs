//! Arrays as slices: what `ndarray` hands out without copying, and the copy where it cannot.

use std::cell::Cell;

use ndarray::{Array, ArrayRef, ArrayViewMut, Axis, Dimension, Slice};

use crate::element::Element;
use crate::error::{Error, Result};
use crate::plan::Workspace;
use crate::view::MAX_AXES;

/// The strides of an array's axes, aligned with those of the result; absent axes have stride 0.
pub(super) type Strides = [isize; MAX_AXES];

/// An array's elements in memory, and where among them the first one and all others lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a, T> {
    pub(super) data: &'a [T],
    pub(super) strides: Strides,
    pub(super) offset: usize,
}

/// As [`Part`], to write.
#[derive(Debug)]
pub(super) struct PartMut<'a, T> {
    pub(super) data: &'a mut [T],
    pub(super) strides: Strides,
    pub(super) offset: usize,
}

/// Strides and offset of an array without gaps, whose slice in memory order begins at its lowest address. Axes of
/// extent 1 get stride 0, whatever `ndarray` noted for them.
fn places(shape: &[usize], strides: &[isize]) -> (Strides, usize) {
    let mut out = [0; MAX_AXES];
    let mut offset = 0;
    for (a, (&n, &s)) in shape.iter().zip(strides).enumerate() {
        if n > 1 {
            out[a] = s;
            offset += if s < 0 { (n - 1) * s.unsigned_abs() } else { 0 };
        }
    }
    (out, offset)
}

/// The strides of a dense array in C order.
pub(super) fn standard(shape: &[usize]) -> Strides {
    let mut strides = [0; MAX_AXES];
    let mut step = 1;
    for (a, &n) in shape.iter().enumerate().rev() {
        if n > 1 {
            strides[a] = step as isize;
            step *= n;
        }
    }
    strides
}

/// The array where it lies, if its elements leave no gaps: in any order of the axes, either direction, and repeated
/// along axes of stride 0.
pub(super) fn in_place<T, D: Dimension>(array: &ArrayRef<T, D>) -> Option<Part<'_, T>> {
    let mut view = array.view();
    for (a, (&n, &s)) in array.shape().iter().zip(array.strides()).enumerate() {
        if n > 1 && s == 0 {
            view.slice_axis_inplace(Axis(a), Slice::from(0..1));
        }
    }
    let (strides, offset) = places(view.shape(), view.strides());
    Some(Part { data: view.to_slice_memory_order()?, strides, offset })
}

/// Where the elements of an array that can be written in place lie.
pub(super) fn strides_to_write<T, D: Dimension>(array: &ArrayRef<T, D>) -> Option<(Strides, usize)> {
    array.as_slice_memory_order()?;
    Some(places(array.shape(), array.strides()))
}

/// Copies an array to a dense slice in C order.
pub(super) fn copy<'a, T: Element, D: Dimension>(array: &ArrayRef<T, D>, room: &'a mut [T]) -> Result<Part<'a, T>> {
    dense_mut(array.raw_dim(), room)?.assign(array);
    Ok(Part { data: room, strides: standard(array.shape()), offset: 0 })
}

/// A dense array over a slice.
pub(super) fn dense_mut<T, D: Dimension>(dim: D, room: &mut [T]) -> Result<ArrayViewMut<'_, T, D>> {
    ArrayViewMut::from_shape(dim, room).map_err(|e| Error::other("laying an array over the workspace", e))
}

/// The dimension of a shape whose length is the dimension's.
pub(super) fn dimension<D: Dimension>(shape: &[usize]) -> D {
    let mut dim = D::zeros(shape.len());
    dim.slice_mut().copy_from_slice(shape);
    dim
}

/// An array of zeros, or an error where the memory cannot be had.
pub(super) fn zeros<T: Element, D: Dimension>(name: &'static str, dim: D) -> Result<Array<T, D>> {
    let len = dim.slice().iter().try_fold(1usize, |n, &m| n.checked_mul(m));
    let len = len.ok_or_else(|| Error::overflow(format!("{name}'s size {:?}", dim.slice())))?;
    let mut data = Vec::new();
    data.try_reserve_exact(len).map_err(|e| Error::other(format!("allocating {name}, {:?}", dim.slice()), e))?;
    data.resize(len, T::default());
    Array::from_shape_vec(dim, data).map_err(|e| Error::other(format!("laying out {name}"), e))
}

/// Refuses an axis that an array does not have, and empty arrays.
pub(super) fn check_axis<T, D: Dimension>(x: &ArrayRef<T, D>, axis: Axis) -> Result<()> {
    if axis.index() >= x.ndim() {
        return Err(Error::argument("axis", format!("one of the {} axes of x", x.ndim()), axis.index()));
    }
    match x.shape().iter().position(|&n| n == 0) {
        Some(empty) => Err(Error::argument("x", format!("at least 1 sample on axis {empty}"), 0)),
        None => Ok(()),
    }
}

/// The most memory, in bytes, that a thread keeps for its next one-line call.
const KEEP: usize = 64 << 20;

thread_local! {
    static SPARE: Cell<Option<Workspace>> = const { Cell::new(None) };
}

/// Runs with the calling thread's spare workspace. A call from within, as work stealing can bring about, gets a fresh
/// one.
pub(super) fn with_workspace<R>(run: impl FnOnce(&mut Workspace) -> R) -> R {
    let mut workspace = SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default();
    let result = run(&mut workspace);
    if workspace.bytes() <= KEEP {
        // The thread may be ending, its spare gone already; then the workspace goes too.
        let _ = SPARE.try_with(|spare| spare.set(Some(workspace)));
    }
    result
}
