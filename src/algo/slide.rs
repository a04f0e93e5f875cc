//! The direct sum with one output channel a group: filtered fields, and layers by depth.
//!
//! Here nothing but the rows of the result can share a load of the source, so the taps go to the leaf as columns; see
//! [`Sliding`]. Contiguous rows are read where they lie. Under a boundary of zeros the leaf leaves out what is not there;
//! under another one, results whose windows lie inside the data are computed so, if there are enough of them to be worth
//! the strips that are left at the edges. For these, and for all that is strided or whose rows would displace one another
//! in the first cache, a block is gathered.

use super::block::Block;
use super::cost::{Costs, Estimate, multiply_adds, running_sum_error};
use super::direct::check_tile;
use super::gather::Source;
use super::lower::{Lowered, Phase, Tap, tiles};
use super::{Call, Execute, Needs};
use crate::element::Element;
use crate::problem::{Boundary, MAX_RANK, Pass, Problem};
use crate::simd::{self, Caches, Column, Isa, Line, Plane, Sliding, TileMut, Workers};
use crate::view::{MAX_AXES, View, ViewMut, advance};

/// Results that a work item has at the least, where there are channels enough.
const RESULTS: usize = 1 << 15;

/// Results a row inside the data from which on it is worth the strips that are left at its ends.
const WIDE: usize = 384;

/// Bytes of a way of the first cache: rows at a multiple of it from one another displace one another.
const WAY: usize = 4096;

/// Bytes of a row that a block of results reads.
const READ: usize = 320;

/// Columns of taps beyond which a block's gathering does not count.
const FEW: usize = 1024;

/// Registers from which on a line is seen as rows of one each: the leaf's block of them.
const FOLDED: usize = 7;

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
    /// The columns of a line that is seen as rows of a register each, where that is worth it.
    folded: Vec<Column>,
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
    /// Whether the results outgrow the caches.
    stream: bool,
    needs: Needs,
}

/// The source where it lies, for one phase.
struct Lying<'a> {
    /// The results, an axis, that are computed from there, and those whose windows are inside the data.
    served: [(usize, usize); MAX_RANK],
    inside: [(usize, usize); MAX_RANK],
    /// The smallest offset of a tap, an axis.
    low: [isize; MAX_RANK],
    columns: &'a [Column],
}

/// Where the samples of a part are.
#[derive(Clone, Copy)]
struct Samples<'a, T> {
    source: &'a [T],
    channel: usize,
    /// From one position of the results to the next on the axes before the last two.
    outer: [usize; MAX_RANK],
    /// As in [`Sliding`], for the first plane.
    pitch: usize,
    inside: Option<[usize; 2]>,
    steps: [usize; 2],
    first: [usize; 2],
    columns: &'a [Column],
    ahead: &'a [T],
}

impl<'a, T> Samples<'a, T> {
    /// A line of samples that are all there.
    fn all(source: &'a [T], channel: usize, columns: &'a [Column]) -> Self {
        let outer = [0; MAX_RANK];
        Self { source, channel, outer, pitch: 0, inside: None, steps: [1, 1], first: [0, 0], columns, ahead: &[] }
    }
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

/// Puts the taps of a line in the order in which it is summed as rows of a register each.
fn fold(phase: &mut Phase, lanes: usize) {
    if let [line] = &mut phase[..]
        && line.step == 1
        && let Some(low) = line.taps.iter().map(|tap| tap.offset).min()
    {
        line.taps.sort_by_key(|tap| ((tap.offset - low) as usize % lanes, tap.offset));
    }
}

/// The columns of a line whose taps are [ordered so](fold): of those that lie a register from one another, which results a
/// register from one another share. None where there are few such taps.
fn folded(phase: &Phase, lanes: usize) -> Vec<Column> {
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
fn loads(columns: &[Column], rows: usize) -> f64 {
    columns.iter().map(|column| (column.height + rows - 1) as f64 / rows as f64).sum()
}

impl Windows {
    fn new(phase: &Phase, tile: &[usize], inner: usize, lanes: usize, packed: usize) -> Result<Self, String> {
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
            columns.push(Column::of(block.place(&unit, taps.iter().map(|t| t.offset)), run.taps.len()));
        });
        let terms = inner * columns.iter().map(|c| c.height).sum::<usize>();
        let one = columns.len();
        for i in one..one * inner {
            columns.push(Column { place: columns[i - one].place + block.channel as isize, ..columns[i - one] });
        }
        let folded = if inner == 1 { folded(phase, lanes) } else { Vec::new() };
        Ok(Self { unit, step, tile, block, runs, columns, folded, inner, terms, packed })
    }
}

impl Slide {
    pub(crate) fn new<T: Element>(problem: &Problem, tile: &[usize]) -> Result<Self, String> {
        check_tile(problem, tile)?;
        let mut lowered = Lowered::new(problem)?;
        let isa = Isa::detect();
        lowered.phases.iter_mut().for_each(|phase| fold(phase, T::lanes(isa)));
        let mut phases = Vec::new();
        let (mut packed, mut block, mut width, mut columns) = (0usize, 0usize, 0, 0);
        for phase in &lowered.phases {
            let made = Windows::new(phase, tile, lowered.inner, T::lanes(isa), packed)?;
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
        let gradient = problem.pass == Pass::InputGradient;
        let shape = if gradient { problem.input_shape() } else { problem.output_shape() };
        let bytes = shape.iter().map(|&n| n as f64).product::<f64>() * size_of::<T>() as f64;
        let stream = bytes >= Caches::detect().last as f64 / 2.0;
        Ok(Self { isa, channels, batch, lowered, phases, stream, needs })
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
            let (columns, rows) = match made.folded.is_empty() || width < FOLDED * lanes {
                true => (&made.columns, if rows < 4 { 1 } else { 4 }),
                false => (&made.folded, FOLDED),
            };
            let loads = loads(columns, rows);
            let narrow = if width <= 2 * lanes { NARROW } else { 1.0 };
            let sums = (made.terms as f64 * narrow * costs.slide_fma * multiply_adds::<T>())
                .max(loads * made.step as f64 * costs.slide_load);
            let source = problem.axes.last().map_or(1, |a| if lowered.transposed { a.output } else { a.input });
            let in_place = (lowered.boundary == Boundary::Zero || width >= WIDE) && made.reads_rows::<T>(phase, source);
            let gathered =
                if in_place { 0.0 } else { made.block.seconds_to_gather::<T>(costs, &made.unit, lowered.inner) };
            seconds += items * (filled * (registers * (sums + costs.slide_end) + gathered) + costs.slide_tile);
            seconds += items / this.channels as f64 * costs.item;
        }
        Ok(Estimate { seconds, needs: this.needs, error: running_sum_error(problem.terms(), problem.dtype.epsilon()) })
    }
}

impl Windows {
    /// Whether rows so far apart can be read where they are: the leaf steps over them itself, and the first cache holds
    /// those that a block of results meets.
    fn reads_rows<T: Element>(&self, phase: &Phase, pitch: usize) -> bool {
        let met = self.runs.iter().map(|run| run.taps.len()).max().unwrap_or(1) + 3;
        let bytes = pitch * T::DTYPE.size() * phase.len().checked_sub(2).map_or(1, |a| phase[a].step);
        // Places in a way that they begin at.
        let apart = (WAY >> bytes.trailing_zeros().min(WAY.trailing_zeros())).min(WAY / READ);
        let ways = Caches::detect().first / WAY;
        self.columns.len() <= FEW && phase[phase.len() - 1].step == self.step && met.div_ceil(apart) <= ways
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
        let (channel, outer) = (usize::try_from(strides[1]).ok()?, rank.saturating_sub(2));
        let pitch = usize::try_from(if rank > 1 { strides[rank] } else { 0 }).ok()?;
        if strides[rank + 1] != 1 || !self.reads_rows::<T>(phase, pitch) {
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
        if source.boundary == Boundary::Zero {
            (outer..rank).for_each(|a| served[a] = (0, phase[a].count));
            // One register is cut at both ends.
            if count <= lanes {
                return None;
            }
        } else {
            // Whole registers, which the strips beside them begin and end with too.
            let first = if first == 0 { 0 } else { first.next_multiple_of(lanes) };
            let whole = behind.saturating_sub(first) / lanes * lanes;
            served[rank - 1] = (first, if behind < count { first + whole } else { behind });
            if whole < WIDE {
                return None;
            }
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
        if (0..rank).all(|a| lying.served[a].0 <= whole.low[a] && whole.high[a] <= lying.served[a].1) {
            whole.count = channels;
            return self.in_place(&mut tile, &whole, lying, rows);
        }
        for channel in 0..channels {
            whole.channel = channel;
            let mut left = whole;
            for a in 0..rank {
                let low = lying.served[a].0.clamp(left.low[a], left.high[a]);
                let high = lying.served[a].1.clamp(low, left.high[a]);
                for (from, to) in [(left.low[a], low), (high, left.high[a])] {
                    let mut strip = left;
                    (strip.low[a], strip.high[a]) = (from, to);
                    self.gathered(&mut tile, &strip, block, rows, false);
                }
                (left.low[a], left.high[a]) = (low, high);
            }
            self.in_place(&mut tile, &left, lying, rows);
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
        let samples = Samples {
            source: block,
            channel: made.block.channel * inner,
            outer: pitches,
            pitch: rank.checked_sub(2).map_or(0, |a| pitches[a]),
            inside: None,
            steps: [1, made.step],
            first: [0, 0],
            columns: &made.columns,
            ahead: self.next(tile, part),
        };
        self.planes(tile, part, samples, rows);
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

    /// Computes a part from the data where they lie.
    fn in_place(&self, tile: &mut TileMut<'_, T>, part: &Part, lying: &Lying<'_>, rows: &mut [T]) {
        let (rank, view, phase) = (self.phase.len(), &self.source.view, self.phase);
        if (0..rank).any(|a| part.low[a] >= part.high[a]) {
            return;
        }
        let group = tile.start()[1] + part.channel;
        let mut at = view.at.channel(tile.start()[0], group * self.slide.lowered.inner);
        let channel = view.at.strides()[1] as usize * self.slide.lowered.inner;
        let outer = rank.saturating_sub(2);
        let (from, to) = lying.inside[0];
        let (from, to) = (from.clamp(part.low[0], part.high[0]), to.clamp(part.low[0], part.high[0]));
        let lanes = T::lanes(self.slide.isa);
        let to = from + (to - from) / lanes * lanes;
        if !self.made.folded.is_empty() && from + FOLDED * lanes <= to {
            let mut ends = [*part, *part];
            (ends[0].high[0], ends[1].low[0]) = (from, to);
            let mut middle = *part;
            (middle.low[0], middle.high[0]) = (from, to);
            let first = (at + from as isize + lying.low[0]) as usize;
            let samples = Samples::all(&view.data[first..], channel, &self.made.columns);
            self.planes(tile, &middle, samples, rows);
            for end in ends {
                let narrow = Lying { inside: [(0, 0); MAX_RANK], ..*lying };
                self.in_place(tile, &end, &narrow, rows);
            }
            return;
        }
        for a in 0..outer {
            let position = (part.low[a] * phase[a].step) as isize + lying.low[a];
            at += view.at.step(a, position as usize);
        }
        let (shape, last) = (&view.shape()[2..], rank - 1);
        let row = |a: usize| (shape[a], view.at.strides()[2 + a] as usize, phase[a].step, part.low[a] * phase[a].step);
        let (high, pitch, step, first) = if rank > 1 { row(outer) } else { (1, 0, 1, 0) };
        let samples = Samples {
            source: &view.data[at as usize..],
            channel,
            outer: std::array::from_fn(|a| if a < outer { view.at.step(a, phase[a].step) as usize } else { 0 }),
            pitch,
            inside: Some([high, shape[last]]),
            steps: [step, phase[last].step],
            first: [first, part.low[last] * phase[last].step],
            columns: lying.columns,
            ahead: &[],
        };
        self.planes(tile, part, samples, rows);
    }

    /// Computes a part, one plane of its last two axes after the other.
    fn planes(&self, tile: &mut TileMut<'_, T>, part: &Part, samples: Samples<'_, T>, rows: &mut [T]) {
        let Samples { source, channel, outer: pitches, pitch, inside, steps, first: at, columns, ahead } = samples;
        let (rank, isa, terms, stream) = (self.phase.len(), self.slide.isa, self.made.terms, self.slide.stream);
        let group = tile.start()[1] + part.channel;
        let weights = &self.weights[group * terms..(group + part.count) * terms];
        let count: [usize; MAX_RANK] = std::array::from_fn(|a| part.high[a] - part.low[a]);
        let outer = rank.saturating_sub(2);
        let width = count[rank - 1];
        let (height, lanes) = (if rank > 1 { count[rank - 2] } else { 1 }, T::lanes(isa));
        let mut index = [0; MAX_AXES];
        index[1] = part.channel;
        let mut first = [0; MAX_RANK];
        for a in 0..rank {
            first[a] = part.low[a] - tile.start()[2 + a];
            index[2 + a] = first[a];
        }
        let whole = width / lanes;
        if !self.made.folded.is_empty()
            && inside.is_none()
            && whole >= FOLDED
            && let Some(out) = tile.planes(&index[..2 + rank], [part.count, 1, whole * lanes])
            && let Some(out) = out.folded(lanes)
        {
            let columns = &self.made.folded;
            let first = at;
            T::slide(
                isa,
                Sliding { source, channel, pitch: lanes, inside, steps, first, columns, weights, out, stream, ahead },
            );
            let mut rest = *part;
            rest.low[0] += whole * lanes;
            if rest.low[0] < rest.high[0] {
                let source = &source[whole * lanes..];
                self.planes(tile, &rest, Samples { source, ahead: &[], ..samples }, rows);
            }
            return;
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
                let first = at;
                T::slide(
                    isa,
                    Sliding { source, channel, pitch, inside, steps, first, columns, weights, out, stream, ahead },
                );
            } else {
                for (c, y) in (0..part.count).flat_map(|c| (0..height).step_by(ROWS).map(move |y| (c, y))) {
                    let some = ROWS.min(height - y);
                    let (source, weights) = (&source[c * channel..], &weights[c * terms..][..terms]);
                    let (first, out) = ([at[0] + y * steps[0], at[1]], Plane::of(rows, width, some, width).into());
                    let call =
                        Sliding { source, channel, pitch, inside, steps, first, columns, weights, out, stream, ahead };
                    T::slide(isa, Sliding { stream: false, ..call });
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
