//! What happens along the axes: the maps that make tiles of samples, of weights and of results, one axis after the other.
//!
//! All arrays here hold registers of channels. Data go in as positions and come out as frequencies, one for each
//! combination of points; the results take the same way back.

use crate::element::Element;
use crate::simd::{Isa, Map, Pass};

/// The most axes.
pub(super) const RANK: usize = 3;

/// One axis of a block of tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dim {
    pub(super) map: Map,
    /// Points, and so frequencies along this axis.
    pub(super) size: usize,
    pub(super) tiles: usize,
    /// Positions from one tile to the next, and of all of them.
    pub(super) step: usize,
    pub(super) positions: usize,
}

/// Where tiles in the frequencies lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frequencies {
    /// From one frequency to the next.
    pub(super) step: usize,
    /// From one tile to the next.
    pub(super) tile: usize,
}

/// The positions of the axes behind `axis`.
fn rest(dims: &[Dim], axis: usize) -> usize {
    dims[axis + 1..].iter().map(|d| d.positions).product()
}

/// Registers of scratch that both ways need.
pub(super) fn scratch(dims: &[Dim]) -> usize {
    let mut lead = 1;
    (0..dims.len() - 1)
        .map(|a| {
            lead *= dims[a].size;
            lead * rest(dims, a)
        })
        .sum()
}

/// Maps positions to frequencies.
pub(super) fn forth<T: Element>(
    isa: Isa,
    dims: &[Dim],
    source: &[T],
    out: &mut [T],
    at: Frequencies,
    scratch: &mut [T],
) {
    Way { isa, dims, at, lanes: T::lanes(isa) }.forth(0, 1, 0, source, out, scratch);
}

/// Maps frequencies to positions. False where one of them is not finite.
pub(super) fn back<T: Element>(
    isa: Isa,
    dims: &[Dim],
    source: &[T],
    at: Frequencies,
    out: &mut [T],
    scratch: &mut [T],
) -> bool {
    let mut finite = true;
    Way { isa, dims, at, lanes: T::lanes(isa) }.back(0, 1, 0, source, out, scratch, &mut finite);
    finite
}

struct Way<'a> {
    isa: Isa,
    dims: &'a [Dim],
    at: Frequencies,
    lanes: usize,
}

impl Way<'_> {
    /// The axes from `axis` on, for `lead` frequencies of those before; `tile` counts the tiles of those.
    fn forth<T: Element>(&self, axis: usize, lead: usize, tile: usize, source: &[T], out: &mut [T], scratch: &mut [T]) {
        let Dim { map, size, tiles, step, positions } = self.dims[axis];
        let l = self.lanes;
        if axis + 1 == self.dims.len() {
            let at = self.at;
            let lines = [[1, 0, 0], [lead, positions * l, size * at.step], [tiles, step * l, at.tile]];
            let out = &mut out[tile * tiles * at.tile..];
            return T::pass(self.isa, Pass { map, size, source, out, steps: [l, at.step], lines, finite: None });
        }
        let rest = rest(self.dims, axis);
        let (own, scratch) = scratch.split_at_mut(lead * size * rest * l);
        for t in 0..tiles {
            let lines = [[1, 0, 0], [lead, positions * rest * l, size * rest * l], [rest, l, l]];
            let source = &source[t * step * rest * l..];
            T::pass(self.isa, Pass { map, size, source, out: own, steps: [rest * l; 2], lines, finite: None });
            self.forth(axis + 1, lead * size, tile * tiles + t, own, out, scratch);
        }
    }

    fn back<T: Element>(
        &self,
        axis: usize,
        lead: usize,
        tile: usize,
        source: &[T],
        out: &mut [T],
        scratch: &mut [T],
        finite: &mut bool,
    ) {
        let Dim { map, size, tiles, step, positions } = self.dims[axis];
        let l = self.lanes;
        let mut look = (axis == 0).then_some(finite);
        if axis + 1 == self.dims.len() {
            let at = self.at;
            let lines = [[1, 0, 0], [lead, size * at.step, positions * l], [tiles, at.tile, step * l]];
            let source = &source[tile * tiles * at.tile..];
            return T::pass(self.isa, Pass { map, size, source, out, steps: [at.step, l], lines, finite: look });
        }
        let rest = rest(self.dims, axis);
        let (own, scratch) = scratch.split_at_mut(lead * size * rest * l);
        for t in 0..tiles {
            self.back(axis + 1, lead * size, tile * tiles + t, source, own, scratch, &mut true);
            let lines = [[1, 0, 0], [lead, size * rest * l, positions * rest * l], [rest, l, l]];
            let out = &mut out[t * step * rest * l..];
            let finite = look.as_deref_mut();
            T::pass(self.isa, Pass { map, size, source: own, out, steps: [rest * l; 2], lines, finite });
        }
    }
}
