//! The weight gradient as a reduction of its own, in two ways: a matrix product of the output gradient with patches of
//! the input, both packed pixel by pixel, and dot products of rows where they lie, for few channels.
//!
//! Both cut the outputs of all batch entries into boxes, and the boxes into a number of parts that depends on the
//! problem alone. A part's sums go to shared memory, from where they are added up in order: the same bits on any number
//! of threads.

pub(crate) mod dots;
pub(crate) mod patches;

use super::gather::Source;
use super::{Call, Second};
use crate::element::Element;
use crate::problem::{Boundary, MAX_RANK, Problem};
use crate::simd::{self, Line, TileMut};
use crate::view::{MAX_AXES, Strided, ViewMut};

/// Parts, that is results beside one another in shared memory, at the most.
const PARTS: usize = 16;

/// Bytes that all the parts may take together.
const PARTS_BYTES: usize = 64 << 20;

/// The outputs of a problem in boxes, and these in parts.
#[derive(Clone, Debug)]
struct Boxes {
    rank: usize,
    output: [usize; MAX_RANK],
    extent: [usize; MAX_RANK],
    counts: [usize; MAX_RANK],
    /// Boxes of the whole batch.
    total: usize,
    parts: usize,
}

/// One box: the batch entry, where it begins, and its extents.
struct OutputBox {
    n: usize,
    start: [usize; MAX_RANK],
    count: [usize; MAX_RANK],
}

impl Boxes {
    /// `items` is the number of work items that one part is divided in.
    fn new(problem: &Problem, extent: &[usize], items: usize) -> Self {
        let rank = problem.rank();
        let output: [usize; MAX_RANK] = std::array::from_fn(|a| problem.axes.get(a).map_or(1, |x| x.output));
        let extent: [usize; MAX_RANK] = std::array::from_fn(|a| extent.get(a).copied().unwrap_or(1).min(output[a]));
        let counts: [usize; MAX_RANK] = std::array::from_fn(|a| output[a].div_ceil(extent[a]));
        let total = counts.iter().fold(problem.batch, |n, &c| n.saturating_mul(c));
        let result = problem.kernel_shape().iter().fold(problem.dtype.size(), |n, &k| n.saturating_mul(k));
        let wanted = PARTS.div_ceil(items.max(1)).min(PARTS_BYTES / result.max(1));
        Self { rank, output, extent, counts, total, parts: wanted.clamp(1, total.max(1)) }
    }

    /// The boxes of one part.
    fn part(&self, part: usize) -> std::ops::Range<usize> {
        let each = self.total.div_ceil(self.parts);
        (part * each).min(self.total)..((part + 1) * each).min(self.total)
    }

    fn get(&self, mut index: usize) -> OutputBox {
        let (mut start, mut count) = ([0; MAX_RANK], [1; MAX_RANK]);
        for a in (0..self.rank).rev() {
            start[a] = index % self.counts[a] * self.extent[a];
            index /= self.counts[a];
            count[a] = self.extent[a].min(self.output[a] - start[a]);
        }
        OutputBox { n: index, start, count }
    }
}

/// Runs `work` on every (part, block of `outer` output channels, block of `inner` input channels), each with all `taps`, and
/// adds the parts up where the result belongs. What is written are tiles of (part, output channel, input channel and
/// tap).
fn in_parts<T: Element>(
    problem: &Problem,
    boxes: &Boxes,
    call: Call<'_, '_, T>,
    [outer, inner, taps]: [usize; 3],
    work: impl Fn(&Source<'_, T>, &Source<'_, T>, TileMut<'_, T>, &mut [Line]) + Sync,
) {
    let Second::Plain(gradient) = call.second else { return };
    let input = Source { view: call.first, boundary: problem.boundary };
    let gradient = Source { view: gradient, boundary: Boundary::Zero };
    let (mut out, each) = (call.out, problem.in_channels / problem.groups);
    let dense = out.at == Strided::dense(out.shape(), Default::default());
    let tiled = [1, outer, inner * taps];
    if dense && boxes.parts == 1 {
        // The only part is the result.
        out.at = Strided::dense(&[1, problem.out_channels, each * taps], Default::default());
        return call.workers.tiles(out, &tiled, |tile, scratch| work(&input, &gradient, tile, scratch));
    }
    let elements = out.at.elements();
    let mut shared = call.shared;
    let parts = simd::split::<T>(&mut shared, boxes.parts * elements);
    let at = Strided::dense(&[boxes.parts, problem.out_channels, each * taps], Default::default());
    call.workers.tiles(ViewMut { data: &mut *parts, at }, &tiled, |tile, scratch| {
        work(&input, &gradient, tile, scratch);
    });
    if dense {
        // One long row for each output channel, part added to part.
        out.at = Strided::dense(&[problem.out_channels, each * taps], Default::default());
        let parts = &*parts;
        return call.workers.tiles(out, &[1, usize::MAX], |mut tile, _| {
            let (from, length) = (tile.start()[0] * each * taps, each * taps);
            let row = tile.row(&[0, 0], length);
            row.copy_from_slice(&parts[from..from + length]);
            for part in 1..boxes.parts {
                let more = &parts[part * elements + from..][..length];
                row.iter_mut().zip(more).for_each(|(sum, &more)| *sum += more);
            }
        });
    }
    let axes = out.shape().len();
    let last = out.shape()[axes - 1];
    let at = Strided::dense(out.shape(), Default::default());
    let mut tile = [1; MAX_AXES];
    tile[axes - 1] = usize::MAX;
    let parts = &*parts;
    call.workers.tiles(out, &tile[..axes], |mut tile, _| {
        let mut start = [0; MAX_AXES];
        start[..axes].copy_from_slice(tile.start());
        let from = at.element(&start[..axes]);
        tile.write_with(&[0; MAX_AXES][..axes], last, |i| {
            (1..boxes.parts).fold(parts[from + i], |sum, p| sum + parts[p * elements + from + i])
        });
    });
}
