//! The direct sum with one output channel a group: filtered fields, and layers by depth.
//!
//! Here nothing but the rows of the result can share a load of the source, so the taps go to the leaf as columns; see
//! [`Sliding`]. Contiguous rows are read where they lie. Under a boundary of zeros the leaf leaves out what is not there;
//! under another one, results whose windows lie inside the data are computed so, if there are enough of them to be worth
//! the strips that are left at the edges. For these, and for all that is strided or whose rows would displace one another
//! in the first cache, a block is gathered.

mod windows;

use windows::{FEW, FOLDED, Lying, Windows, each_column, fold, loads};

use super::block::BlockAxis;
use super::cost::{Costs, Estimate, multiply_adds, running_sum_error};
use super::direct::{self, check_tile};
use super::gather::Source;
use super::lower::{Lowered, Phase, tiles};
use super::{Call, Execute, Needs};
use crate::element::Element;
use crate::problem::{Boundary, MAX_RANK, Pass, Problem};
use crate::simd::{self, Ahead, Caches, Column, Isa, Line, Plane, Planes, Sliding, TileMut, Workers};
use crate::view::{MAX_AXES, View, ViewMut, advance};

/// Results that a work item has at the least, where there are channels enough.
const RESULTS: usize = 1 << 15;

/// Weights that are packed at once.
const PACKED: usize = 2048;

/// Work items that there are at the least, for threads to share.
const ITEMS: usize = 8;

/// Rows that are computed at a time where the result is not contiguous.
const ROWS: usize = 8;

/// How much longer the multiply-adds of a row of one register or two take: fewer of them are under way at once.
const NARROW: f64 = 1.13;

/// Elements of the blocks of as many channels as are gathered and computed at once.
const BATCH: usize = 4096;

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
    ahead: Ahead<'a, T>,
}

impl<'a, T> Samples<'a, T> {
    /// A line of samples that are all there.
    fn all(source: &'a [T], channel: usize, columns: &'a [Column]) -> Self {
        let (outer, ahead) = ([0; MAX_RANK], Ahead::nothing());
        Self { source, channel, outer, pitch: 0, inside: None, steps: [1, 1], first: [0, 0], columns, ahead }
    }

    /// Their sums by some weights, into planes that are not streamed.
    fn call(self, weights: &'a [T], out: Planes<'a, T>) -> Sliding<'a, T> {
        let Self { source, channel, outer: _, pitch, inside, steps, first, columns, ahead } = self;
        let (down, stream) = (false, false);
        Sliding { source, channel, pitch, inside, steps, first, columns, weights, down, out, stream, ahead }
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

/// Results a tile, an axis.
pub(crate) fn design<T: Element>(problem: &Problem) -> Result<Vec<usize>, String> {
    let (mut tile, lowered) = (direct::design(problem)?, Lowered::new(problem)?);
    let Some(phase) = lowered.phases.first() else { return Ok(tile) };
    if let [rows, last] = &phase[..]
        && lowered.boundary != Boundary::Zero
        && let made = Windows::new::<T>(phase, &[rows.count, last.count], lowered.inner, None, 0)?
        && made.lies::<T>(phase, [row_of(problem, &lowered); 2], false, last.count)
    {
        // Nothing is gathered but strips beside the ends of rows: the fewer tiles, the fewer of these.
        let items = |high: usize| rows.count.div_ceil(high) * problem.batch * lowered.groups;
        let mut high = (Caches::detect().second / size_of::<T>() / last.count.max(1)).clamp(1, rows.count.max(1));
        while high * last.count > 2 * RESULTS && items(high) < ITEMS {
            high = high.div_ceil(2);
        }
        return Ok(vec![high, last.count]);
    }
    if let [.., rows, _] = &phase[..]
        && let [.., high, wide] = &mut tile[..]
        && let Some(block) = BlockAxis::of(rows)
    {
        // Few rows of many results would be gathered with as many around them.
        while *high < (8 * block.extra).min(rows.count) && *wide >= 1024 {
            *wide = wide.div_ceil(2);
            *high = (2 * *high).min(rows.count);
        }
    }
    Ok(tile)
}

/// Samples of a row of the source.
fn row_of(problem: &Problem, lowered: &Lowered) -> usize {
    problem.axes.last().map_or(1, |a| if lowered.transposed { a.output } else { a.input })
}

impl Slide {
    pub(crate) fn new<T: Element>(problem: &Problem, tile: &[usize]) -> Result<Self, String> {
        check_tile(problem, tile)?;
        let mut lowered = Lowered::new(problem)?;
        let isa = Isa::detect();
        lowered.phases.iter_mut().for_each(|phase| fold(phase, T::lanes(isa)));
        let mut phases = Vec::new();
        let zeros = lowered.boundary == Boundary::Zero;
        let extents = problem.axes.iter().map(|a| if lowered.transposed { a.output } else { a.input });
        let extents: Vec<usize> = extents.collect();
        let (mut packed, mut block, mut width, mut columns) = (0usize, 0usize, 0, 0);
        for phase in &lowered.phases {
            let made = Windows::new::<T>(phase, tile, lowered.inner, zeros.then_some(&extents[..]), packed)?;
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
            let folded = !made.folded.is_empty() && width >= FOLDED * lanes;
            let (columns, rows) = match folded {
                true => (&made.folded, FOLDED),
                false => (&made.columns, if rows < 4 { 1 } else { 4 }),
            };
            let loads = loads(columns, rows);
            let narrow = if width <= 2 * lanes { NARROW } else { 1.0 };
            let sums = (made.terms as f64 * narrow * costs.slide_fma * multiply_adds::<T>())
                .max(loads * made.step as f64 * costs.slide_load);
            let in_place =
                made.lies::<T>(phase, [row_of(problem, lowered); 2], lowered.boundary == Boundary::Zero, width);
            let gathered =
                if in_place { 0.0 } else { made.block.seconds_to_gather::<T>(costs, &made.unit, lowered.inner) };
            seconds += items * (filled * (registers * (sums + costs.slide_end) + gathered) + costs.slide_tile);
            // A line that is folded takes three calls, for its ends are not; a volume one for each of its planes.
            // What an item takes includes the first.
            let planes = made.tile[..rank.saturating_sub(2)].iter().product::<usize>() as f64;
            let calls = filled * planes * if folded { 3.0 } else { 1.0 };
            let call = costs.call() + made.columns.len() as f64 * costs.slide_column;
            seconds += items / this.channels as f64 * (costs.item - costs.call() + calls * call);
        }
        Ok(Estimate { seconds, needs: this.needs, error: running_sum_error(problem) })
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
            let Ok(out) = ViewMut::new(&mut packed[made.packed..], &[lowered.groups * terms], &[1], 0) else { return };
            // Each tap of all groups of a tile at once: there are many groups, of few taps each.
            workers.tiles(out, &[(PACKED / terms + 1) * terms], |mut tile, _| {
                let (group, count) = (tile.start()[0] / terms, tile.shape()[0]);
                let apart = if lowered.transposed { lowered.inner } else { 1 };
                let first = kernel.at.channel(group * apart, 0);
                let step = kernel.at.channel((group + 1) * apart, 0) - first;
                let (weights, mut term) = (tile.row(&[0], count), 0);
                for c in 0..lowered.inner {
                    let channel = first + c as isize * inner_stride;
                    each_column(phase, &made.runs, |taps, run| {
                        let at = taps.iter().enumerate().filter(|&(a, _)| rows != Some(a));
                        let at = channel + at.map(|(a, t)| kernel.at.step(a, t.index)).sum::<isize>();
                        for &t in &run.taps {
                            let mut at = at + rows.map_or(0, |a| kernel.at.step(a, t));
                            for weight in weights[term..].iter_mut().step_by(terms) {
                                let w = kernel.data[at as usize];
                                *weight = if lowered.conjugate { w.conj() } else { w };
                                at += step;
                            }
                            term += 1;
                        }
                    });
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
            ahead: self.next(tile, part, [&start[..rank], &extent[..rank]]),
        };
        self.planes(tile, part, samples, rows);
    }

    /// What is gathered after a part whose samples begin at `start` and are so many: those of the channels behind its own, or
    /// of the next tile.
    fn next(&self, tile: &TileMut<'_, T>, part: &Part, [start, extent]: [&[usize]; 2]) -> Ahead<'_, T> {
        let Self { made, source, phase, .. } = self;
        let (inner, rank) = (self.slide.lowered.inner, phase.len());
        let (mut first, mut from) = ([tile.start()[0], tile.start()[1] + part.channel + part.count], [0; MAX_RANK]);
        from[..rank].copy_from_slice(start);
        if part.channel + part.count >= tile.shape()[1] {
            let Some(next) = tile.next() else { return Ahead::nothing() };
            first.copy_from_slice(&next[..2]);
            from[..rank].copy_from_slice(&next[2..]);
            from[rank - 1] *= made.step;
        }
        let channels = (first[0], first[1] * inner, part.count * inner);
        made.block.ahead(source, &made.unit, channels, [&from[..rank], extent])
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
            ahead: Ahead::nothing(),
        };
        self.planes(tile, part, samples, rows);
    }

    /// Computes a part, one plane of its last two axes after the other.
    fn planes(&self, tile: &mut TileMut<'_, T>, part: &Part, samples: Samples<'_, T>, rows: &mut [T]) {
        let Samples { source, channel, outer: pitches, inside, steps, first: at, .. } = samples;
        let (rank, isa, terms, stream) = (self.phase.len(), self.slide.isa, self.made.terms, self.slide.stream);
        let down = self.made.down;
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
            let folded = Samples { pitch: lanes, columns: &self.made.folded, ..samples };
            T::slide(isa, Sliding { stream, ..folded.call(weights, out) });
            let mut rest = *part;
            rest.low[0] += whole * lanes;
            if rest.low[0] < rest.high[0] {
                let source = &source[whole * lanes..];
                self.planes(tile, &rest, Samples { source, ahead: Ahead::nothing(), ..samples }, rows);
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
                T::slide(isa, Sliding { down, stream, ..Samples { source, ..samples }.call(weights, out) });
            } else {
                for (c, y) in (0..part.count).flat_map(|c| (0..height).step_by(ROWS).map(move |y| (c, y))) {
                    let some = ROWS.min(height - y);
                    let (source, weights) = (&source[c * channel..], &weights[c * terms..][..terms]);
                    let samples = Samples { source, first: [at[0] + y * steps[0], at[1]], ..samples };
                    let out = Plane::of(rows, width, some, width).into();
                    T::slide(isa, Sliding { down, ..samples.call(weights, out) });
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
