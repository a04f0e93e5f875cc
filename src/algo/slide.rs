//! The direct sum with one output channel a group: filtered fields, and layers by depth.
//!
//! Here nothing but the rows of the result can share a load of the source, so the taps go to the leaf as columns; see
//! [`Sliding`]. Results whose windows lie inside the data read it where it lies, if it is wide enough to be worth the
//! strips that are left at its edges; for these, and for all that is narrow or strided, a block is gathered.

use super::block::Block;
use super::cost::{Costs, Estimate, multiply_adds, running_sum_error};
use super::direct::check_tile;
use super::gather::Source;
use super::lower::{Lowered, Phase, Tap, tiles};
use super::{Call, Execute, Needs};
use crate::element::Element;
use crate::problem::{MAX_RANK, Pass, Problem};
use crate::simd::{self, Column, Isa, Line, Plane, Sliding, TileMut, Workers};
use crate::view::{MAX_AXES, View, ViewMut, advance};

/// Results that a work item has at the least, where there are channels enough.
const RESULTS: usize = 1 << 15;

/// Results a row inside the data from which on it is read where it lies.
const WIDE: usize = 384;

/// Rows of the source that a row's window may span to be read where it lies: more would displace one another in the
/// first cache, whose ways they share where the distance from row to row is a power of two.
const SPAN: usize = 8;

/// Columns of taps beyond which a block's gathering does not count.
const FEW: usize = 1024;

/// Rows that are computed at a time where the result is not contiguous.
const ROWS: usize = 8;

/// How much longer the multiply-adds of a row of one register or two take: fewer of them are under way at once.
const NARROW: f64 = 1.13;

/// Elements of the blocks of as many channels as are gathered and computed at once.
const BATCH: usize = 4096;

/// Taps of consecutive rows of the source.
#[derive(Debug)]
struct Run {
    offset: isize,
    /// Their kernel elements along the axis.
    taps: Vec<usize>,
}

/// What one phase has made of it.
#[derive(Debug)]
struct Windows {
    /// The phase with every sample of a row for what the leaf steps over itself.
    unit: Phase,
    /// Samples of a block's row from one result to the next.
    step: usize,
    /// Results a tile, an axis.
    tile: Vec<usize>,
    block: Block,
    runs: Vec<Run>,
    /// The columns of taps in a block, for one channel after the other.
    columns: Vec<Column>,
    /// Channels that are summed over.
    inner: usize,
    /// Taps of them all.
    terms: usize,
    /// Where the phase's packed weights begin.
    packed: usize,
}

/// The direct sum for one problem with one output channel a group: forward pass or input gradient.
#[derive(Debug)]
pub(crate) struct Slide {
    lowered: Lowered,
    isa: Isa,
    channels: usize,
    /// Channels of them whose blocks are gathered and computed at once.
    batch: usize,
    phases: Vec<Windows>,
    needs: Needs,
}

/// The source where it lies, for one phase.
struct Lying<'a> {
    /// The results, an axis, whose windows are inside the data.
    inside: [(usize, usize); MAX_RANK],
    /// From one result's samples to the next one's.
    pitches: [usize; MAX_RANK],
    /// The smallest offset of a tap, an axis.
    low: [isize; MAX_RANK],
    columns: &'a [Column],
}

/// Whether the results of `problem` have one channel a group.
pub(crate) fn serves(problem: &Problem) -> bool {
    match problem.pass {
        Pass::Forward => problem.out_channels == problem.groups,
        Pass::InputGradient => problem.in_channels == problem.groups,
        Pass::WeightGradient => false,
    }
}

/// The runs of the last axis but one, sorted by residue as their samples are; of a line, one that stands for the rows
/// that it does not have.
fn runs(phase: &Phase) -> Vec<Run> {
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

/// Every column of one channel, as its first tap on each axis and its run.
fn each_column(phase: &Phase, runs: &[Run], mut visit: impl FnMut(&[Tap], &Run)) {
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

impl Windows {
    fn new(phase: &Phase, tile: &[usize], inner: usize, packed: usize) -> Result<Self, String> {
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
        let mut columns = Vec::new();
        each_column(phase, &runs, |taps, run| {
            columns.push([block.place(&unit, taps.iter().map(|t| t.offset)), run.taps.len()]);
        });
        let terms = inner * columns.iter().map(|c| c[1]).sum::<usize>();
        let one = columns.len();
        for i in one..one * inner {
            columns.push([columns[i - one][0] + block.channel, columns[i - one][1]]);
        }
        Ok(Self { unit, step, tile, block, runs, columns, inner, terms, packed })
    }
}

impl Slide {
    pub(crate) fn new<T: Element>(problem: &Problem, tile: &[usize]) -> Result<Self, String> {
        check_tile(problem, tile)?;
        let lowered = Lowered::new(problem)?;
        let isa = Isa::detect();
        let mut phases = Vec::new();
        let (mut packed, mut block, mut width, mut columns) = (0usize, 0usize, 0, 0);
        for phase in &lowered.phases {
            let made = Windows::new(phase, tile, lowered.inner, packed)?;
            packed = packed.saturating_add(lowered.groups.saturating_mul(made.terms).next_multiple_of(64));
            block = block.max(made.block.channel * lowered.inner);
            width = made.tile.iter().copied().last().unwrap_or(1).max(width);
            if made.columns.len() <= FEW {
                columns = made.columns.len().max(columns);
            }
            phases.push(made);
        }
        let results = |made: &Windows| made.tile.iter().product::<usize>().max(1);
        let few = phases.first().map_or(1, |made| RESULTS / results(made));
        let tiles = lowered.phases.first().zip(phases.first()).map_or(1, |(phase, made)| {
            phase.iter().zip(&made.tile).map(|(a, &n)| a.count.div_ceil(n)).product::<usize>()
        });
        // Enough items for many threads come first.
        let share = (tiles.saturating_mul(problem.batch).saturating_mul(lowered.groups) / 16).max(1);
        let channels = few.min(share).clamp(1, lowered.groups);
        let batch = if lowered.inner == 1 { (BATCH / block.max(1)).clamp(1, channels) } else { 1 };
        let needs = Needs {
            packed: Line::holding::<T>(packed),
            shared: Line::holding::<Column>(columns),
            worker: Line::holding::<T>(block.saturating_mul(batch).saturating_add(2 * T::lanes(isa)))
                + Line::holding::<T>(ROWS.saturating_mul(width)),
        };
        Ok(Self { isa, channels, batch, lowered, phases, needs })
    }

    pub(crate) fn estimate<T: Element>(costs: &Costs, problem: &Problem, tile: &[usize]) -> Result<Estimate, String> {
        let this = Self::new::<T>(problem, tile)?;
        let lowered = &this.lowered;
        let weights = problem.kernel_shape().iter().map(|&n| n as f64).product::<f64>();
        let (mut seconds, lanes) = (costs.run + weights * costs.pack_apart, T::lanes(this.isa));
        for (phase, made) in lowered.phases.iter().zip(&this.phases) {
            let (tiles, filled) = tiles(phase, &made.tile);
            let items = tiles * (problem.batch * lowered.groups) as f64;
            let (rank, results) = (phase.len(), made.tile.iter().product::<usize>() as f64);
            let width = made.tile[rank - 1];
            let rows = if rank > 1 { made.tile[rank - 2] } else { 1 };
            let registers = results / width as f64 * width.div_ceil(lanes) as f64;
            let loads: f64 = made
                .columns
                .iter()
                .map(|&[_, height]| if rows < 4 { height as f64 } else { (height + 3) as f64 / 4.0 })
                .sum();
            let narrow = if width <= 2 * lanes { NARROW } else { 1.0 };
            let sums = (made.terms as f64 * narrow * costs.slide_fma * multiply_adds::<T>())
                .max(loads * made.step as f64 * costs.slide_load);
            let in_place = phase[rank - 1].step == 1 && width >= WIDE && made.span(phase) <= SPAN;
            let gathered =
                if in_place { 0.0 } else { made.block.seconds_to_gather::<T>(costs, &made.unit, lowered.inner) };
            seconds += items * (filled * (registers * (sums + costs.slide_end) + gathered) + costs.slide_tile);
            seconds += items / this.channels as f64 * costs.item;
        }
        Ok(Estimate { seconds, needs: this.needs, error: running_sum_error(problem.terms(), problem.dtype.epsilon()) })
    }
}

impl Windows {
    /// Rows of the source that the windows of a row of results span.
    fn span(&self, phase: &Phase) -> usize {
        phase.len().checked_sub(2).map_or(1, |a| 1 + self.block.axes[a].extra)
    }

    /// The source where it lies, and how its columns do, if it can be read there. `columns` has room for them.
    fn lying<'a, T: Element>(
        &self,
        phase: &Phase,
        source: &Source<'_, T>,
        columns: &'a mut [Column],
    ) -> Option<Lying<'a>> {
        let rank = phase.len();
        let (shape, strides) = (&source.view.shape()[2..], source.view.at.strides());
        if strides[rank + 1] != 1 || phase[rank - 1].step != 1 || self.columns.len() > FEW || self.span(phase) > SPAN {
            return None;
        }
        let mut inside = [(0, 1); MAX_RANK];
        let (mut pitches, mut low) = ([0; MAX_RANK], [0; MAX_RANK]);
        for (a, axis) in phase.iter().enumerate() {
            let stride = usize::try_from(strides[2 + a]).ok()?;
            let step = axis.step as isize;
            low[a] = axis.taps.iter().map(|t| t.offset).min()?;
            let high = axis.taps.iter().map(|t| t.offset).max()?;
            let first = (step - 1 - low[a]).div_euclid(step).max(0) as usize;
            let behind = ((shape[a] as isize - 1 - high).div_euclid(step) + 1).max(0) as usize;
            inside[a] = (first, behind);
            pitches[a] = stride.checked_mul(axis.step)?;
        }
        let (first, behind) = inside[rank - 1];
        if behind < first + WIDE {
            return None;
        }
        let channel = usize::try_from(strides[1]).ok()?;
        let mut next = columns.iter_mut();
        for c in 0..self.inner {
            each_column(phase, &self.runs, |taps, run| {
                let place: isize = taps.iter().enumerate().map(|(a, t)| (t.offset - low[a]) * strides[2 + a]).sum();
                if let Some(column) = next.next() {
                    *column = [c * channel + place as usize, run.taps.len()];
                }
            });
        }
        let count = self.columns.len();
        Some(Lying { inside, pitches, low, columns: &columns[..count] })
    }
}

impl<T: Element> Execute<T> for Slide {
    fn needs(&self) -> Needs {
        self.needs
    }

    fn takes_non_finite(&self) -> bool {
        // A tap outside the data would be multiplied with a zero.
        false
    }

    fn pack(&self, kernel: View<'_, T>, packed: &mut [Line], workers: &mut Workers<'_>) {
        let packed: &mut [T] = simd::elements_mut(packed);
        let lowered = &self.lowered;
        let inner_stride = kernel.at.strides()[usize::from(!lowered.transposed)];
        for (phase, made) in lowered.phases.iter().zip(&self.phases) {
            let (rows, terms) = (phase.len().checked_sub(2), made.terms);
            let shape = [lowered.groups, terms];
            let Ok(out) = ViewMut::new(&mut packed[made.packed..], &shape, &[terms as isize, 1], 0) else { return };
            workers.tiles(out, &[RESULTS / terms + 1, terms], |mut tile, _| {
                for i in 0..tile.shape()[0] {
                    let group = tile.start()[0] + i;
                    let first = if lowered.transposed { group * lowered.inner } else { group };
                    let mut weights = tile.row(&[i, 0], terms).iter_mut();
                    for c in 0..lowered.inner {
                        let channel = kernel.at.channel(first, 0) + c as isize * inner_stride;
                        each_column(phase, &made.runs, |taps, run| {
                            let at = taps.iter().enumerate().filter(|&(a, _)| rows != Some(a));
                            let at = channel + at.map(|(a, t)| kernel.at.step(a, t.index)).sum::<isize>();
                            for (&t, weight) in run.taps.iter().zip(&mut weights) {
                                let w = kernel.data[(at + rows.map_or(0, |a| kernel.at.step(a, t))) as usize];
                                *weight = if lowered.conjugate { w.conj() } else { w };
                            }
                        });
                    }
                }
            });
        }
    }

    fn run(&self, mut call: Call<'_, '_, T>) {
        if !self.lowered.complete {
            super::zero(&mut call);
        }
        let source = Source { view: call.first, boundary: self.lowered.boundary };
        let packed: &[T] = simd::elements(call.second.packed());
        for (phase, made) in self.lowered.phases.iter().zip(&self.phases) {
            let out = call.out.every(phase.iter().map(|a| (a.first, a.every, a.count)));
            let mut tile = [1; MAX_AXES];
            tile[1] = self.channels;
            tile[2..2 + phase.len()].copy_from_slice(&made.tile);
            let lying = made.lying(phase, &source, simd::elements_mut(call.shared));
            let weights = &packed[made.packed..];
            call.workers.tiles(out, &tile[..2 + phase.len()], |tile, scratch| {
                let work = Work { slide: self, phase, made, source, lying: lying.as_ref(), weights };
                work.tile(tile, scratch);
            });
        }
    }
}

/// One run of one phase.
struct Work<'a, T> {
    slide: &'a Slide,
    phase: &'a Phase,
    made: &'a Windows,
    source: Source<'a, T>,
    lying: Option<&'a Lying<'a>>,
    weights: &'a [T],
}

/// Some of a tile's results: those of some channels from `low` to `high` on each axis.
#[derive(Clone, Copy)]
struct Part {
    channel: usize,
    /// Channels from that one on.
    count: usize,
    low: [usize; MAX_RANK],
    high: [usize; MAX_RANK],
}

impl<T: Element> Work<'_, T> {
    fn tile(&self, mut tile: TileMut<'_, T>, mut scratch: &mut [Line]) {
        let Self { slide, made, .. } = self;
        let rank = self.phase.len();
        let inner = slide.lowered.inner;
        let block = simd::split::<T>(&mut scratch, made.block.channel * inner * slide.batch + 2 * T::lanes(slide.isa));
        let rows = simd::split::<T>(&mut scratch, ROWS * made.tile[rank - 1]);
        let mut whole = Part { channel: 0, count: 1, low: [0; MAX_RANK], high: [1; MAX_RANK] };
        for a in 0..rank {
            whole.low[a] = tile.start()[2 + a];
            whole.high[a] = whole.low[a] + tile.shape()[2 + a];
        }
        let channels = tile.shape()[1];
        let Some(lying) = self.lying else {
            // The same places lie outside the data for every channel.
            let again = channels > slide.batch && self.source.lies_in_rows();
            if again {
                block.fill(self.source.outside());
            }
            for channel in (0..channels).step_by(slide.batch) {
                (whole.channel, whole.count) = (channel, slide.batch.min(channels - channel));
                self.gathered(&mut tile, &whole, block, rows, again);
            }
            return;
        };
        for channel in 0..channels {
            whole.channel = channel;
            let mut left = whole;
            for a in 0..rank {
                let low = lying.inside[a].0.clamp(left.low[a], left.high[a]);
                let high = lying.inside[a].1.clamp(low, left.high[a]);
                for (from, to) in [(left.low[a], low), (high, left.high[a])] {
                    let mut strip = left;
                    (strip.low[a], strip.high[a]) = (from, to);
                    self.gathered(&mut tile, &strip, block, rows, false);
                }
                (left.low[a], left.high[a]) = (low, high);
            }
            // A load of a narrower part might go on behind the data.
            if left.low[rank - 1] + T::lanes(slide.isa) <= left.high[rank - 1] {
                self.in_place(&mut tile, &left, lying, rows);
            } else {
                self.gathered(&mut tile, &left, block, rows, false);
            }
        }
    }

    /// Computes a part from a block that is gathered for it, `again` where one of the same part has been.
    fn gathered(&self, tile: &mut TileMut<'_, T>, part: &Part, block: &mut [T], rows: &mut [T], again: bool) {
        let Self { slide, made, source, .. } = self;
        let (rank, inner) = (self.phase.len(), slide.lowered.inner);
        if (0..rank).any(|a| part.low[a] >= part.high[a]) {
            return;
        }
        let count: [usize; MAX_RANK] = std::array::from_fn(|a| part.high[a] - part.low[a]);
        let (n, group) = (tile.start()[0], tile.start()[1] + part.channel);
        let at = (n, group * inner, part.count * inner);
        let (mut start, mut extent) = (part.low, count);
        (start[rank - 1], extent[rank - 1]) = (start[rank - 1] * made.step, (extent[rank - 1] - 1) * made.step + 1);
        let place = [&start[..rank], &extent[..rank]];
        made.block.gather(slide.isa, source, &made.unit, at, place, block, again);
        let pitches: [usize; MAX_RANK] = std::array::from_fn(|a| made.block.axes.get(a).map_or(0, |b| b.pitch));
        let next = self.next(tile, part);
        self.planes(tile, part, (block, made.block.channel * inner, next), &pitches, &made.columns, rows);
    }

    /// The samples of the channels behind a part's, if it has whole channels that lie one behind the other.
    fn next(&self, tile: &TileMut<'_, T>, part: &Part) -> &[T] {
        let (view, count) = (&self.source.view, part.count * self.slide.lowered.inner);
        let whole =
            self.phase.iter().zip(part.low.iter().zip(&part.high)).all(|(a, (&low, &high))| high - low == a.count);
        let each = view.shape()[2..].iter().product::<usize>();
        if !whole || view.at.strides()[1] != each as isize {
            return &[];
        }
        let first = (tile.start()[1] + part.channel) * self.slide.lowered.inner;
        let from = view.at.channel(tile.start()[0], first) as usize + count * each;
        view.data.get(from..from + count * each).unwrap_or_default()
    }

    /// Computes a part whose windows lie inside the data.
    fn in_place(&self, tile: &mut TileMut<'_, T>, part: &Part, lying: &Lying<'_>, rows: &mut [T]) {
        let (rank, view) = (self.phase.len(), &self.source.view);
        if (0..rank).any(|a| part.low[a] >= part.high[a]) {
            return;
        }
        let group = tile.start()[1] + part.channel;
        let mut at = view.at.channel(tile.start()[0], group * self.slide.lowered.inner);
        for a in 0..rank {
            let position = (part.low[a] * self.phase[a].step) as isize + lying.low[a];
            at += view.at.step(a, position as usize);
        }
        self.planes(tile, part, (&view.data[at as usize..], 0, &[]), &lying.pitches, lying.columns, rows);
    }

    /// Computes a part, one plane of its last two axes after the other. A channel's samples lie `channel` behind the last
    /// one's.
    fn planes(
        &self,
        tile: &mut TileMut<'_, T>,
        part: &Part,
        (source, channel, ahead): (&[T], usize, &[T]),
        pitches: &[usize; MAX_RANK],
        columns: &[Column],
        rows: &mut [T],
    ) {
        let (rank, isa, terms, step) = (self.phase.len(), self.slide.isa, self.made.terms, self.made.step);
        let group = tile.start()[1] + part.channel;
        let weights = &self.weights[group * terms..(group + part.count) * terms];
        let count: [usize; MAX_RANK] = std::array::from_fn(|a| part.high[a] - part.low[a]);
        let outer = rank.saturating_sub(2);
        let width = count[rank - 1];
        let (height, pitch) = if rank > 1 { (count[rank - 2], pitches[rank - 2]) } else { (1, 0) };
        let mut index = [0; MAX_AXES];
        index[1] = part.channel;
        let mut first = [0; MAX_RANK];
        for a in 0..rank {
            first[a] = part.low[a] - tile.start()[2 + a];
            index[2 + a] = first[a];
        }
        let mut plane = [0; MAX_RANK];
        for _ in 0..count[..outer].iter().product() {
            let mut base = 0;
            for a in 0..outer {
                index[2 + a] = first[a] + plane[a];
                base += plane[a] * pitches[a];
            }
            let source = &source[base..];
            let shape = [part.count, height, width];
            if let Some(out) = tile.planes(&index[..2 + rank], shape) {
                T::slide(isa, Sliding { source, channel, pitch, step, columns, weights, out, ahead });
            } else {
                for (c, y) in (0..part.count).flat_map(|c| (0..height).step_by(ROWS).map(move |y| (c, y))) {
                    let some = ROWS.min(height - y);
                    let (source, weights) = (&source[c * channel + y * pitch..], &weights[c * terms..][..terms]);
                    let out = Plane::of(rows, width, some, width).into();
                    T::slide(isa, Sliding { source, channel, pitch, step, columns, weights, out, ahead });
                    let mut at = index;
                    at[1] += c;
                    for (i, row) in rows.chunks_exact(width).take(some).enumerate() {
                        if rank > 1 {
                            at[rank] = index[rank] + y + i;
                        }
                        tile.write(&at[..2 + rank], row);
                    }
                }
            }
            advance(&mut plane[..outer], &count[..outer]);
        }
    }
}
