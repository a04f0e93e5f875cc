//! The tiles of a problem.

use super::axes::{Dim, RANK};
use crate::algo::gather::{Source, Span, dense_pitches};
use crate::algo::lower::Lowered;
use crate::element::Element;
use crate::problem::{MAX_RANK, Pass, Problem};
use crate::simd::{Interleave, Isa, Map};

/// One axis: results in tiles, taps in the order of the samples that they read.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// Results of a tile.
    pub(super) tile: usize,
    /// The kernel's index of each tap.
    pub(super) taps: Vec<usize>,
    /// Where the first tap's sample for result 0 lies.
    pub(super) offset: isize,
    pub(super) results: usize,
}

impl Axis {
    /// Points of the transforms.
    pub(super) fn size(&self) -> usize {
        self.tile + self.taps.len() - 1
    }

    pub(super) fn tiles(&self) -> usize {
        self.results.div_ceil(self.tile)
    }
}

/// The axes of a forward pass or an input gradient; of a weight gradient those of the forward pass, whose results are
/// the output gradient.
pub(super) fn axes(problem: &Problem, tile: &[usize]) -> Result<(Lowered, Vec<Axis>), String> {
    if problem.rank() > RANK {
        return Err(format!("it has tiles of up to {RANK} axes"));
    }
    if problem.axes.iter().any(|a| a.stride != 1 || a.dilation != 1) {
        return Err("its strides and dilations are 1".into());
    }
    if problem.axes.iter().any(|a| !matches!(a.kernel, 3 | 5)) {
        return Err("its kernels are 3 or 5 long on every axis".into());
    }
    let fits = |(a, &m): (&crate::problem::SpatialAxis, &usize)| m > 1 && matches!(m + a.kernel - 1, 4 | 6 | 8);
    if tile.len() != problem.rank() || !problem.axes.iter().zip(tile).all(fits) {
        return Err(format!(
            "its tiles have 2, 4 or 6 results an axis, and at most 4 for kernels of 5; given {tile:?}"
        ));
    }
    let forward = match problem.pass {
        Pass::WeightGradient => &Problem { pass: Pass::Forward, ..problem.clone() },
        _ => problem,
    };
    let lowered = Lowered::new(forward)?;
    let Some(phase) = lowered.phases.first() else { return Err("it has no taps".into()) };
    let axes = phase.iter().zip(tile).map(|(axis, &tile)| {
        let mut taps = axis.taps.clone();
        taps.sort_by_key(|t| t.offset);
        Axis { tile, offset: taps[0].offset, taps: taps.iter().map(|t| t.index).collect(), results: axis.count }
    });
    let axes = axes.collect();
    Ok((lowered, axes))
}

/// How many tiles are worked on at a time: batch entries, and tiles an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) batch: usize,
    pub(super) tiles: [usize; RANK],
}

impl Extent {
    pub(super) fn count(&self) -> usize {
        self.batch * self.tiles.iter().product::<usize>()
    }
}

/// Some tiles: where they begin, and how many there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// The first batch entry, and the first tile on each axis.
    pub(super) entry: usize,
    pub(super) start: [usize; RANK],
    pub(super) extent: Extent,
}

/// All tiles of a problem, in blocks.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    pub(super) all: Extent,
    pub(super) each: Extent,
}

impl Blocks {
    fn counts(&self) -> [usize; RANK + 1] {
        let of = |a: usize| self.all.tiles[a].div_ceil(self.each.tiles[a]);
        [self.all.batch.div_ceil(self.each.batch), of(0), of(1), of(2)]
    }

    pub(super) fn count(&self) -> usize {
        self.counts().iter().product()
    }

    /// The block behind `block`, in C order.
    pub(super) fn next(&self, block: &Block) -> Option<Block> {
        let counts = self.counts();
        let index = (0..RANK).fold(block.entry / self.each.batch, |index, a| {
            index * counts[a + 1] + block.start[a] / self.each.tiles[a]
        });
        (index + 1 < self.count()).then(|| self.get(index + 1))
    }

    /// The block numbered `index` in C order.
    pub(super) fn get(&self, mut index: usize) -> Block {
        let counts = self.counts();
        let mut at = [0; RANK + 1];
        for a in (0..=RANK).rev() {
            at[a] = index % counts[a];
            index /= counts[a];
        }
        let start: [usize; RANK] = std::array::from_fn(|a| at[a + 1] * self.each.tiles[a]);
        let entry = at[0] * self.each.batch;
        let tiles = std::array::from_fn(|a| self.each.tiles[a].min(self.all.tiles[a] - start[a]));
        Block { entry, start, extent: Extent { batch: self.each.batch.min(self.all.batch - entry), tiles } }
    }
}

/// The tiles of all axes, those that are missing being one.
pub(super) fn all_tiles(problem: &Problem, axes: &[Axis]) -> Extent {
    Extent { batch: problem.batch, tiles: std::array::from_fn(|a| axes.get(a).map_or(1, Axis::tiles)) }
}

fn dim(axis: &Axis, tiles: usize, map: Map) -> Dim {
    let (step, more) = match map {
        Map::Data => (axis.tile, axis.taps.len() - 1),
        Map::Kernel(n) | Map::Result(n) => (n, 0),
    };
    Dim { map, size: axis.size(), tiles, step, positions: tiles * step + more }
}

/// The axes of so many tiles in the way of a map.
#[derive(Clone, Copy)]
pub(super) struct Dims {
    dims: [Dim; RANK],
    rank: usize,
}

impl Dims {
    pub(super) fn new(axes: &[Axis], tiles: &[usize], map: impl Fn(&Axis) -> Map) -> Self {
        let missing = Dim { map: Map::Data, size: 1, tiles: 1, step: 1, positions: 1 };
        let dims = std::array::from_fn(|a| axes.get(a).map_or(missing, |axis| dim(axis, tiles[a], map(axis))));
        Self { dims, rank: axes.len() }
    }

    pub(super) fn as_slice(&self) -> &[Dim] {
        &self.dims[..self.rank]
    }

    pub(super) fn positions(&self) -> usize {
        self.as_slice().iter().map(|d| d.positions).product()
    }
}

/// The spans of the positions of `dims` from `start` on.
fn spans(dims: &[Dim], start: &[isize]) -> [Span; MAX_RANK] {
    let extents: [usize; RANK] = std::array::from_fn(|a| dims.get(a).map_or(1, |d| d.positions));
    let pitches = dense_pitches(&extents[..dims.len()]);
    std::array::from_fn(|a| match dims.get(a) {
        Some(d) => Span { start: start[a], step: 1, count: d.positions, pitch: pitches[a] },
        None => Span::default(),
    })
}

/// What will be staged next, brought near bit by bit while something else is computed.
pub(super) struct Ahead<'a, T> {
    source: Source<'a, T>,
    spans: [Span; MAX_RANK],
    rank: usize,
    /// The first batch entry and channel, and how many there are.
    first: [usize; 2],
    counts: [usize; 2],
    done: usize,
}

impl<'a, T: Element> Ahead<'a, T> {
    pub(super) fn new(
        source: Source<'a, T>,
        dims: &[Dim],
        start: &[isize],
        first: [usize; 2],
        counts: [usize; 2],
    ) -> Self {
        Self { source, spans: spans(dims, start), rank: dims.len(), first, counts, done: 0 }
    }

    /// Goes on to `part` of `parts`.
    pub(super) fn advance(&mut self, part: usize, parts: usize) {
        let end = self.counts[0] * self.counts[1] * part / parts;
        for i in self.done..end {
            let from = (self.first[0] + i / self.counts[1], self.first[1] + i % self.counts[1]);
            self.source.prefetch(from, &self.spans[..self.rank]);
        }
        self.done = end;
    }
}

/// Whether the channels of a pixel lie one behind the other, to be copied as they are.
fn plain_pixels<T: Element>(source: &Source<'_, T>) -> bool {
    let strides = source.view.at.strides();
    source.outside_is_constant()
        && !T::DTYPE.is_complex()
        && strides[1] == 1
        && source.view.shape()[1] > 1
        && strides.iter().all(|&s| s >= 0)
}

/// Copies up to a register of channels from `channel` on, at the positions of `dims` from `start` on, to `out`, channel
/// by channel within each position. Channels that are missing are zero.
pub(super) fn stage<T: Element>(
    isa: Isa,
    source: &Source<'_, T>,
    (entry, channel, present): (usize, usize, usize),
    dims: &[Dim],
    start: &[isize],
    map: impl Fn(T) -> T + Copy,
    out: &mut [T],
    rows: &mut [T],
) {
    let lanes = T::lanes(isa);
    let rank = dims.len();
    let spans = &spans(dims, start)[..rank];
    let positions: usize = dims.iter().map(|d| d.positions).product();
    let view = &source.view;
    let inside =
        (0..rank).all(|a| spans[a].start >= 0 && spans[a].start as usize + spans[a].count <= view.shape()[2 + a]);
    let plain = source.outside_is_constant()
        && !T::DTYPE.is_complex()
        && view.at.strides()[1 + rank] == 1
        && view.at.strides().iter().all(|&s| s >= 0);
    let out = &mut out[..positions * lanes];
    if plain_pixels(source) {
        if !inside || present < lanes {
            out.fill(source.outside());
        }
        // A pixel is a row of channels, and a row of pixels an axis more.
        return source.copy_pixels(isa, (entry, channel, present), spans, lanes, out);
    }
    for (c, row) in rows.chunks_exact_mut(positions).take(present).enumerate() {
        if plain {
            if !inside {
                row.fill(source.outside());
            }
            let pitch = row.len();
            source.copy_inside(isa, (entry, channel + c, 1), spans, (row, pitch));
        } else {
            source.gather((entry, channel + c), spans, row, map);
        }
    }
    let source = &rows[..present * positions];
    T::interleave(isa, Interleave { source, stride: positions, rows: present, columns: positions, out, pitch: lanes });
}
