//! Which samples the windows of a phase meet: in a block, where they lie, and along a line.

use crate::algo::block::Block;
use crate::algo::gather::Source;
use crate::algo::lower::{Phase, Tap};
use crate::element::Element;
use crate::problem::{Boundary, MAX_RANK};
use crate::simd::{Caches, Column, Isa, Line};
use crate::view::advance;

/// Results a row inside the data from which on it is worth the strips that are left at its ends.
pub(super) const WIDE: usize = 96;

/// Bytes of a way of the first cache: rows at a multiple of it from one another displace one another.
const WAY: usize = 4096;

/// Bytes of a row that a block of results reads.
const READ: usize = 320;

/// Taps from which on a plane is worth being gathered, and the multiply-adds at its edges for each result of a row.
const MANY: usize = 16;
const GATHER: usize = 7;

/// Columns of taps beyond which a block's gathering does not count.
pub(super) const FEW: usize = 1024;

/// Registers from which on a line is seen as rows of one each: the leaf's block of them.
pub(super) const FOLDED: usize = 7;

/// Taps of consecutive rows of the source.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) offset: isize,
    /// Their kernel elements along the axis.
    pub(super) taps: Vec<usize>,
}

/// What one phase has made of it.
#[derive(Debug)]
pub(super) struct Windows {
    /// The phase with every sample of a row for what the leaf steps over itself.
    pub(super) unit: Phase,
    /// Samples of a block's row from one result to the next.
    pub(super) step: usize,
    /// Results a tile, an axis.
    pub(super) tile: Vec<usize>,
    pub(super) block: Block,
    pub(super) runs: Vec<Run>,
    /// Rows of the source that four rows of results meet of the longest run, before it has been cut.
    met: usize,
    /// The columns of taps in a block, for one channel after the other.
    pub(super) columns: Vec<Column>,
    /// The columns of a line that is seen as rows of a register each, where that is worth it.
    pub(super) folded: Vec<Column>,
    /// Channels that are summed over.
    pub(super) inner: usize,
    /// Taps of them all.
    pub(super) terms: usize,
    /// Where the phase's packed weights begin.
    pub(super) packed: usize,
    /// Whether the leaf goes down the planes; see [`Sliding`](crate::simd::Sliding). It adds up in another order: this
    /// follows from the problem alone, lest the bits depend on how the source lies.
    pub(super) down: bool,
}

/// The source where it lies, for one phase.
pub(super) struct Lying<'a> {
    /// The results, an axis, that are computed from there, and those whose windows are inside the data.
    pub(super) served: [(usize, usize); MAX_RANK],
    pub(super) inside: [(usize, usize); MAX_RANK],
    /// The smallest offset of a tap, an axis.
    pub(super) low: [isize; MAX_RANK],
    pub(super) columns: &'a [Column],
}

/// The runs of the last axis but one, sorted by residue as their samples are; of a line, one that stands for the rows
/// that it does not have.
pub(super) fn runs(phase: &Phase) -> Vec<Run> {
    let Some(axis) = phase.len().checked_sub(2).map(|a| &phase[a]) else {
        return vec![Run { offset: 0, taps: vec![0] }];
    };
    let step = axis.step as isize;
    let mut taps = axis.taps.clone();
    taps.sort_by_key(|t| (t.offset.rem_euclid(step), t.offset));
    let mut runs: Vec<Run> = Vec::new();
    for tap in taps {
        match runs.last_mut() {
            Some(run) if run.offset + run.taps.len() as isize * step == tap.offset => run.taps.push(tap.index),
            _ => runs.push(Run { offset: tap.offset, taps: vec![tap.index] }),
        }
    }
    runs
}

/// Whether a register is a cache line.
fn is_line<T: Element>() -> bool {
    T::lanes(Isa::detect()) * T::DTYPE.size() == Line::BYTES
}

/// Runs of no more taps than a leaf [keeps](Column::TAPS), as alike as can be; longer ones than two of them are left.
fn cut(runs: &[Run], phase: &Phase) -> Vec<Run> {
    let step = phase.len().checked_sub(2).map_or(1, |a| phase[a].step as isize);
    let mut all = Vec::new();
    for run in runs {
        let count = run.taps.len();
        let parts = if count > 2 * Column::TAPS { 1 } else { count.div_ceil(Column::TAPS).max(1) };
        let mut first = 0;
        for left in (1..=parts).rev() {
            let taps = (count - first).div_ceil(left);
            let offset = run.offset + first as isize * step;
            all.push(Run { offset, taps: run.taps[first..first + taps].to_vec() });
            first += taps;
        }
    }
    all
}

/// Every column of one channel, as its first tap on each axis and its run.
pub(super) fn each_column(phase: &Phase, runs: &[Run], mut visit: impl FnMut(&[Tap], &Run)) {
    let rank = phase.len();
    let rows = rank.checked_sub(2);
    let counts: [usize; MAX_RANK] = std::array::from_fn(|a| match phase.get(a) {
        Some(_) if rows == Some(a) => runs.len(),
        Some(axis) => axis.taps.len(),
        None => 1,
    });
    let (mut index, mut taps) = ([0; MAX_RANK], [Tap { index: 0, offset: 0 }; MAX_RANK]);
    for _ in 0..counts.iter().product() {
        let run = &runs[rows.map_or(0, |a| index[a])];
        for a in 0..rank {
            let first = Tap { index: run.taps[0], offset: run.offset };
            taps[a] = if rows == Some(a) { first } else { phase[a].taps[index[a]] };
        }
        visit(&taps[..rank], run);
        advance(&mut index[..rank], &counts[..rank]);
    }
}

/// Puts the taps of a line in the order in which it is summed as rows of a register each.
pub(super) fn fold(phase: &mut Phase, lanes: usize) {
    if let [line] = &mut phase[..]
        && line.step == 1
        && let Some(low) = line.taps.iter().map(|tap| tap.offset).min()
    {
        line.taps.sort_by_key(|tap| ((tap.offset - low) as usize % lanes, tap.offset));
    }
}

/// The columns of a line whose taps are [ordered so](fold): of those that lie a register from one another, which results a
/// register from one another share. None where there are few such taps.
pub(super) fn folded(phase: &Phase, lanes: usize) -> Vec<Column> {
    let [line] = &phase[..] else { return Vec::new() };
    let low = line.taps.iter().map(|tap| tap.offset).min().unwrap_or(0);
    let mut columns: Vec<Column> = Vec::new();
    for tap in &line.taps {
        let at = tap.offset - low;
        match columns.last_mut() {
            Some(last) if last.place + (last.height * lanes) as isize == at => last.height += 1,
            _ => columns.push(Column::of(at as usize, 1)),
        }
    }
    let worth = line.step == 1 && 4.0 * loads(&columns, FOLDED) < 3.0 * line.taps.len() as f64;
    if worth { columns } else { Vec::new() }
}

/// Loads for each register of results in a block of so many rows of them.
pub(super) fn loads(columns: &[Column], rows: usize) -> f64 {
    columns.iter().map(|column| (column.height + rows - 1) as f64 / rows as f64).sum()
}

/// Whether the planes of a phase are narrow, have zeros around them and are tiles by themselves, so that the leaf goes down
/// them.
fn goes_down<T: Element>(phase: &Phase, tile: &[usize], columns: &[Column], extents: &[usize]) -> bool {
    let ([.., rows, last], [.., tall, wide], [.., high, across]) = (&phase[..], tile, extents) else { return false };
    let [height, span] = [rows, last].map(|axis| {
        let offsets = axis.taps.iter().map(|tap| tap.offset);
        offsets.clone().min().zip(offsets.max()).map_or([0, 0], |(low, high)| [low, high])
    });
    let isa = Isa::detect();
    let (lanes, whole) = (T::lanes(isa), [*tall, *wide] == [rows.count, last.count]);
    // Of the rows that are met, few belong to no result.
    let met = (height[1] + rows.count as isize).min(*high as isize) - height[0].max(0);
    // Registers between the first and the last of a row are inside.
    let between = (last.count.div_ceil(lanes) as isize - 1) * lanes as isize;
    let inside = lanes as isize + span[0] >= 0 && between + span[1] <= *across as isize;
    whole
        && [rows.step, last.step] == [1, 1]
        && 4 * met <= 5 * rows.count as isize
        && (last.count <= 2 * lanes || inside)
        && T::goes_down(isa, last.count, columns)
}

impl Windows {
    /// `extents` are those of the source, if zeros are around it.
    pub(super) fn new<T: Element>(
        phase: &Phase,
        tile: &[usize],
        inner: usize,
        extents: Option<&[usize]>,
        packed: usize,
    ) -> Result<Self, String> {
        let lanes = T::lanes(Isa::detect());
        let tile: Vec<usize> = phase.iter().zip(tile).map(|(a, &n)| n.min(a.count)).collect();
        let (mut unit, mut extent, mut step) = (phase.clone(), tile.clone(), 1);
        if let (Some(axis), Some(last)) = (unit.last_mut(), extent.last_mut())
            && axis.step == 2
        {
            step = std::mem::replace(&mut axis.step, 1);
            *last = (*last - 1) * step + 1;
            axis.count = axis.count.saturating_sub(1) * step + 1;
        }
        let (block, runs) = (Block::new(&unit, &extent, inner)?, runs(phase));
        let (one_run, met) = (runs.len() == 1, runs.iter().map(|run| run.taps.len()).max().unwrap_or(1) + 3);
        let runs = cut(&runs, phase);
        let mut columns = Vec::new();
        each_column(phase, &runs, |taps, run| {
            columns.push(Column::of(block.place(&unit, taps.iter().map(|t| t.offset)), run.taps.len()));
        });
        let terms = inner * columns.iter().map(|c| c.height).sum::<usize>();
        let one = columns.len();
        for i in one..one * inner {
            columns.push(Column { place: columns[i - one].place + block.channel as isize, ..columns[i - one] });
        }
        let folded = if inner == 1 { folded(phase, lanes) } else { Vec::new() };
        let down = one_run && extents.is_some_and(|extents| goes_down::<T>(phase, &tile, &columns, extents));
        Ok(Self { unit, step, tile, block, runs, met, columns, folded, inner, terms, packed, down })
    }
}

impl Windows {
    /// Whether rows so far apart can be read where they are: the leaf steps over them itself, and the first cache holds
    /// those that a block of results meets.
    fn reads_rows<T: Element>(&self, phase: &Phase, pitch: usize) -> bool {
        let bytes = pitch * T::DTYPE.size() * phase.len().checked_sub(2).map_or(1, |a| phase[a].step);
        // Places in a way that they begin at.
        let apart = (WAY >> bytes.trailing_zeros().min(WAY.trailing_zeros())).min(WAY / READ);
        // A few that are lost come back from the second cache sooner than a block is gathered, if a register is a line.
        let ways = Caches::detect().first / WAY + if is_line::<T>() { 2 } else { 0 };
        self.columns.len() <= FEW && phase[phase.len() - 1].step == self.step && self.met.div_ceil(apart) <= ways
    }

    /// Whether many results of rows of so many samples meet what lies outside them: in a block they meet nothing but
    /// samples, and a line of it can be folded whole.
    fn edges_prevail(&self, phase: &Phase, extent: usize) -> bool {
        let last = &phase[phase.len() - 1];
        let offsets = last.taps.iter().map(|tap| tap.offset);
        let span = offsets.clone().max().zip(offsets.min()).map_or(0, |(high, low)| (high - low) as usize);
        let inside = extent.saturating_sub(span).div_ceil(last.step);
        // The rows of a plane are far less work to gather.
        let [part, of] = if phase.len() > 1 { [3, 4] } else { [7, 8] };
        of * inside < part * last.count
    }

    /// Whether the blocks at the edges of a plane, whose registers are cut, take longer than to gather the plane: a few of the
    /// taps' multiply-adds for each of its samples. Where a register is a line, the machine cuts it at no cost.
    fn edges_cost_more<T: Element>(&self, phase: &Phase) -> bool {
        let (lanes, taps) = (T::lanes(Isa::detect()), self.terms / self.inner);
        // Results of a row in the two blocks at its ends.
        let edges = 4 * lanes;
        let worth = taps >= MANY && edges * taps >= GATHER * phase[phase.len() - 1].count;
        phase.len() == 2 && self.step == 1 && !is_line::<T>() && worth
    }

    /// Whether rows of so many samples, a pitch apart, are worth being read where they are: around them are `zeros`, or
    /// `wide` results of a row do not meet what else is there.
    pub(super) fn lies<T: Element>(&self, phase: &Phase, row: [usize; 2], zeros: bool, wide: usize) -> bool {
        let [extent, pitch] = row;
        self.reads_rows::<T>(phase, pitch)
            && match zeros {
                true if self.down => true,
                // One register or two would be cut at both ends; of every second sample, four would have to be gathered.
                true => {
                    let registers = if self.step == 1 { 2 } else { 1 };
                    phase[phase.len() - 1].count > registers * T::lanes(Isa::detect())
                        && !self.edges_prevail(phase, extent)
                        && !self.edges_cost_more::<T>(phase)
                }
                false => wide >= WIDE,
            }
    }

    /// The source where it lies, and how its columns do, if it can be read there. `columns` has room for them.
    pub(super) fn lying<'a, T: Element>(
        &self,
        phase: &Phase,
        source: &Source<'_, T>,
        columns: &'a mut [Column],
    ) -> Option<Lying<'a>> {
        let rank = phase.len();
        let (shape, strides) = (&source.view.shape()[2..], source.view.at.strides());
        let (channel, outer) = (usize::try_from(strides[1]).ok()?, rank.saturating_sub(2));
        let pitch = usize::try_from(if rank > 1 { strides[rank] } else { 0 }).ok()?;
        if strides[rank + 1] != 1 {
            return None;
        }
        let (mut inside, mut low) = ([(0, 1); MAX_RANK], [0; MAX_RANK]);
        for (a, axis) in phase.iter().enumerate() {
            usize::try_from(strides[2 + a]).ok()?;
            let step = axis.step as isize;
            low[a] = axis.taps.iter().map(|t| t.offset).min()?;
            let high = axis.taps.iter().map(|t| t.offset).max()?;
            let first = (step - 1 - low[a]).div_euclid(step).max(0) as usize;
            let behind = ((shape[a] as isize - 1 - high).div_euclid(step) + 1).max(0) as usize;
            inside[a] = (first.min(axis.count), behind.clamp(first.min(axis.count), axis.count));
        }
        let mut served = inside;
        let (lanes, count, (first, behind)) = (T::lanes(Isa::detect()), phase[rank - 1].count, inside[rank - 1]);
        let zeros = source.boundary == Boundary::Zero;
        if zeros {
            (outer..rank).for_each(|a| served[a] = (0, phase[a].count));
        } else {
            // Whole registers, which the strips beside them begin and end with too.
            let first = if first == 0 { 0 } else { first.next_multiple_of(lanes) };
            let whole = behind.saturating_sub(first) / lanes * lanes;
            served[rank - 1] = (first, if behind < count { first + whole } else { behind.max(first) });
        }
        let wide = served[rank - 1].1 - served[rank - 1].0;
        if !self.lies::<T>(phase, [shape[rank - 1], pitch], zeros, wide) {
            return None;
        }
        let mut next = columns.iter_mut();
        for c in 0..self.inner {
            each_column(phase, &self.runs, |taps, run| {
                let plane: isize = (0..outer).map(|a| (taps[a].offset - low[a]) * strides[2 + a]).sum();
                let at = [run.offset, taps[rank - 1].offset];
                let place = (c * channel) as isize + plane + at[0] * pitch as isize + at[1];
                if let Some(column) = next.next() {
                    *column = Column { place, at, height: run.taps.len() };
                }
            });
        }
        let count = self.columns.len();
        Some(Lying { served, inside, low, columns: &columns[..count] })
    }
}
