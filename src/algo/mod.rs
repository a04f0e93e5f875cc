//! The algorithms, a file or folder each, behind one trait.

mod block;
mod cost;
mod definition;
pub(crate) mod dense;
pub(crate) mod direct;
pub(crate) mod fft;
pub(crate) mod fold;
mod gather;
pub(crate) mod im2col;
mod lower;
mod panels;
pub(crate) mod separable;
pub(crate) mod slide;
pub(crate) mod weight;
pub(crate) mod winograd;

use std::fmt::Debug;

pub use cost::Costs;
pub(crate) use cost::Estimate;
pub(crate) use definition::Definition;

use crate::element::Element;
use crate::simd::{Line, Workers};
use crate::view::{MAX_AXES, View, ViewMut};

/// What a run needs beside its arrays, in cache lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// For the packed kernel.
    pub(crate) packed: usize,
    /// For the run as a whole.
    pub(crate) shared: usize,
    /// For each thread; at least one.
    pub(crate) worker: usize,
}

/// The second operand of a run.
#[derive(Clone, Copy)]
pub(crate) enum Second<'a, T> {
    /// The kernel, as [`Execute::pack`] left it.
    Packed(&'a [Line]),
    /// The output gradient of a weight gradient, or the kernel of an algorithm that
    /// [packs within](Execute::packs_within).
    Plain(View<'a, T>),
}

impl<'a, T> Second<'a, T> {
    pub(crate) fn packed(self) -> &'a [Line] {
        match self {
            Self::Packed(lines) => lines,
            Self::Plain(_) => &[],
        }
    }
}

/// One run: operands, result, and memory that holds anything.
pub(crate) struct Call<'a, 'w, T> {
    pub(crate) first: View<'a, T>,
    pub(crate) second: Second<'a, T>,
    pub(crate) out: ViewMut<'a, T>,
    pub(crate) shared: &'a mut [Line],
    pub(crate) workers: &'a mut Workers<'w>,
}

/// An algorithm made ready for one problem. Shapes have been checked by the caller.
pub(crate) trait Execute<T: Element>: Send + Sync + Debug {
    /// The memory that a run borrows.
    fn needs(&self) -> Needs;

    /// Whether the second operand may hold infinities and NaN and the NaN rule still be kept.
    fn takes_non_finite(&self) -> bool;

    /// Whether a run packs the kernel itself, where it is used, if it is given as it is: as [`Second::Plain`].
    fn packs_within(&self) -> bool {
        false
    }

    /// Packs or transforms the kernel; `packed` has the length that [`needs`](Self::needs) says and holds anything. Not
    /// called for weight gradients.
    fn pack(&self, kernel: View<'_, T>, packed: &mut [Line], workers: &mut Workers<'_>);

    /// Computes every element of the result.
    fn run(&self, call: Call<'_, '_, T>);
}

/// Sets every result to zero.
pub(crate) fn zero<T: Element>(call: &mut Call<'_, '_, T>) {
    let mut tile = [1; MAX_AXES];
    let axes = call.out.shape().len();
    tile[2..axes].copy_from_slice(&call.out.shape()[2..]);
    call.workers.tiles(call.out.reborrow(), &tile[..axes], |mut tile, _| tile.fill(T::default()));
}
