//! Weight gradients: the taps are the results, of tiles of samples and tiles of the output gradient.
//!
//! `w[k] = Σ_tiles Σ_o g[o] · x[o + k]` is a correlation with as many results as the kernel has taps, whose weights are a
//! tile of the output gradient. The sum over all tiles is taken between the transforms, as a matrix product for each
//! point, and the way back comes once at the end.

use super::axes::{self, Frequencies, RANK};
use super::design::transform;
use super::forward::{extent, tiles_of_block};
use super::geometry::{self, Ahead, Axis, Block, Blocks, Dims, Extent, stage};
use super::kernels::odd_step;
use crate::algo::cost::{Costs, multiply_adds, near};
use crate::algo::gather::Source;
use crate::algo::{Call, Execute, Needs, Second};
use crate::element::Element;
use crate::problem::{Boundary, Problem};
use crate::reference::Terms;
use crate::simd::{self, Isa, Line, Map, Outer, Workers};
use crate::view::{MAX_AXES, Strided, View, ViewMut, advance};

/// Bytes of one item's sums.
const SUMS: usize = 1 << 20;

/// Bytes of samples and gradients that are transformed before their products are added up, where one item's sums are
/// not all.
const ROUND: usize = 24 << 20;

/// Items of work that there are to be, and bytes that the parts of their sums may take.
const ITEMS: usize = 12;
const PARTS: usize = 64 << 20;

/// Winograd's algorithm for the weight gradient of one problem.
#[derive(Debug)]
pub(crate) struct Weight {
    problem: Problem,
    axes: Vec<Axis>,
    isa: Isa,
    lanes: usize,
    /// Output and input channels of a group.
    channels: [usize; 2],
    /// Those of one item's sums: divisors.
    pub(super) each: [usize; 2],
    frequencies: usize,
    taps: usize,
    blocks: Blocks,
    /// Ranges of blocks whose sums are added up at the end.
    pub(super) parts: usize,
    /// Blocks that are transformed before their products are added up, a point at a time; if 0, an item holds the sums
    /// of all points and goes through its blocks one by one.
    round: usize,
    needs: Needs,
}

/// What the work of one run looks at.
struct Run<'a, T: Element> {
    weight: &'a Weight,
    input: Source<'a, T>,
    gradient: Source<'a, T>,
}

/// The largest divisor of `n` that is a multiple of `unit`, if there is one, and at most `most`.
fn divisor(n: usize, unit: usize, most: usize) -> usize {
    let most = most.clamp(1, n);
    let of = |unit: usize| (1..=most / unit).rev().map(|d| d * unit).find(|&d| n.is_multiple_of(d));
    of(unit).or_else(|| of(1)).unwrap_or(n)
}

impl Weight {
    pub(crate) fn new<T: Element>(problem: &Problem, tile: &[usize]) -> Result<Self, String> {
        let (_, axes) = geometry::axes(problem, tile)?;
        let isa = Isa::detect();
        let lanes = T::lanes(isa);
        let channels = [problem.out_channels / problem.groups, problem.in_channels / problem.groups];
        if channels.iter().any(|&n| n == 0 || n > 1 << 16) {
            return Err("it has up to 65536 channels".into());
        }
        let frequencies: usize = axes.iter().map(Axis::size).product();
        let taps: usize = axes.iter().map(|a| a.taps.len()).product();
        let all = geometry::all_tiles(problem, &axes);
        if all.count() == 0 {
            return Err("it has nothing to sum".into());
        }
        let bytes = |elements: usize| elements.saturating_mul(size_of::<T>());
        let room = SUMS / bytes(frequencies);
        // A square of channels, about; whole panels of those of the input.
        let inputs = divisor(channels[1], lanes, (room / channels[0].min(64)).max(lanes));
        let outputs = divisor(channels[0], 8, room / inputs);
        let each = [outputs, inputs];
        let padded: usize = channels.iter().map(|n| n.next_multiple_of(lanes)).sum();
        let one = bytes(frequencies * padded);
        let by_point = each != channels && problem.groups == 1;
        let each = if by_point { channels } else { each };
        let blocks = Blocks { all, each: extent(all, tiles_of_block(all, frequencies)) };
        let one = one.saturating_mul(blocks.each.count()).max(1);
        let round = if by_point { (ROUND / one).clamp(1, blocks.count()) } else { 0 };
        let items = if by_point { ITEMS } else { problem.groups * (channels[0] / each[0]) * (channels[1] / each[1]) };
        let results = problem.kernel_shape().iter().product::<usize>();
        let parts = ITEMS.div_ceil(items).min(blocks.count()).min(PARTS / bytes(results).max(1)).max(1);
        let problem = problem.clone();
        let mut this = Self {
            problem,
            axes,
            isa,
            lanes,
            channels,
            each,
            frequencies,
            taps,
            blocks,
            parts,
            round,
            needs: Needs::default(),
        };
        this.needs = this.memory::<T>(results);
        Ok(this)
    }

    /// Terms of the sums between the transforms.
    pub(super) fn terms(&self) -> usize {
        self.blocks.all.count()
    }

    /// Predicted, of a run on one thread.
    pub(super) fn seconds<T: Element>(&self, costs: &Costs) -> f64 {
        let Self { blocks, lanes, channels, each, .. } = self;
        let (tiles, frequencies) = (blocks.all.count() as f64, self.frequencies as f64);
        // Registers of channels.
        let [outputs, inputs] = channels.map(|n| n.div_ceil(*lanes) as f64);
        let count = (blocks.count() * blocks.each.batch) as f64;
        let [staged, given] =
            [self.samples(blocks.each), self.gradients(blocks.each)].map(|d| d.positions() as f64 * count);
        let sums = frequencies * channels[0] as f64 * inputs;
        // Blocks are transformed again for every item of the other side.
        let [m, n] = [channels[1] / each[1], channels[0] / each[0]].map(|n| n as f64);
        let repeated = outputs * m + inputs * n;
        let calls = count * repeated + channels[0] as f64 * inputs * self.parts as f64;
        let far = sums * (lanes * size_of::<T>()) as f64;
        let held = frequencies * (each[0] * each[1] * size_of::<T>()) as f64;
        let again = if self.round > 0 {
            blocks.count().div_ceil(self.round) as f64 + 1.0
        } else if near(held) {
            0.0
        } else {
            blocks.count() as f64
        };
        costs.run
            + self.problem.groups as f64
                * (tiles * sums * costs.winograd_weight_fma * multiply_adds::<T>()
                    + (tiles * frequencies * repeated + sums * self.parts as f64 * 2.0) * transform(costs, &self.axes)
                    + (given * outputs * m + staged * inputs * n) * costs.winograd_copy
                    + 2.0 * far * again * costs.fetch
                    + calls * costs.winograd_block)
    }

    fn memory<T: Element>(&self, results: usize) -> Needs {
        let lines = Line::holding::<T>;
        let block = self.blocks.each;
        let held = lines(self.side_len(block, 0)) + lines(self.side_len(block, 1));
        let sums = lines(self.sums_step().saturating_mul(self.frequencies));
        let by_point = self.round > 0;
        let staged = lines(self.samples(block).positions().max(self.gradients(block).positions()) * self.lanes);
        let row = lines(self.taps * self.pitch(1));
        let worker = if by_point { 0 } else { held.saturating_add(sums) }
            + 2 * staged.max(row)
            + lines(self.between(block) * self.lanes);
        let shared = if by_point { held.saturating_mul(self.round).saturating_add(sums) } else { 0 };
        Needs { packed: 0, shared: shared.saturating_add(lines(results.saturating_mul(self.parts))), worker }
    }

    fn samples(&self, block: Extent) -> Dims {
        Dims::new(&self.axes, &block.tiles, |_| Map::Data)
    }

    fn gradients(&self, block: Extent) -> Dims {
        Dims::new(&self.axes, &block.tiles, |axis| Map::Kernel(axis.tile))
    }

    /// The way back: a register of input channels after the other, as if they were tiles of the last axis.
    fn results(&self) -> Dims {
        let mut tiles = [1; RANK];
        tiles[self.axes.len() - 1] = self.pitch(1) / self.lanes;
        Dims::new(&self.axes, &tiles, |axis| Map::Result(axis.taps.len()))
    }

    fn between(&self, block: Extent) -> usize {
        [self.samples(block), self.gradients(block), self.results()]
            .iter()
            .map(|dims| axes::scratch(dims.as_slice()))
            .max()
            .unwrap_or(0)
    }

    /// Elements from one tile of an item's values to the next, of gradients (0) or samples (1).
    fn pitch(&self, side: usize) -> usize {
        self.each[side].next_multiple_of(self.lanes)
    }

    /// Elements from one frequency of a block's values for an item to the next.
    fn step(&self, block: Extent, side: usize) -> usize {
        odd_step(block.count().saturating_mul(self.pitch(side)), self.lanes)
    }

    /// Elements of a block's values for an item.
    fn side_len(&self, block: Extent, side: usize) -> usize {
        self.step(block, side).saturating_mul(self.frequencies)
    }

    /// Elements from one frequency of an item's sums to the next.
    fn sums_step(&self) -> usize {
        odd_step(self.each[0] * self.each[1].next_multiple_of(self.lanes), self.lanes)
    }

    /// The blocks of one part.
    fn part(&self, part: usize) -> std::ops::Range<usize> {
        let total = self.blocks.count();
        total * part / self.parts..total * (part + 1) / self.parts
    }

    /// Where each tap, in the order of the samples, lies in the kernel, and in what [`results`](Self::results) gives.
    fn places(&self, mut tap: usize) -> [usize; 2] {
        let (mut places, mut pitches) = ([0; 2], [1; 2]);
        for (axis, dim) in self.axes.iter().zip(self.results().as_slice()).rev() {
            let r = axis.taps.len();
            places = [places[0] + axis.taps[tap % r] * pitches[0], places[1] + tap % r * pitches[1]];
            pitches = [pitches[0] * r, pitches[1] * dim.positions];
            tap /= r;
        }
        places
    }
}

impl<T: Element> Execute<T> for Weight {
    fn needs(&self) -> Needs {
        self.needs
    }

    fn takes_non_finite(&self) -> bool {
        false
    }

    fn pack(&self, _: View<'_, T>, _: &mut [Line], _: &mut Workers<'_>) {}

    fn run(&self, call: Call<'_, '_, T>) {
        let Second::Plain(gradient) = call.second else { return };
        let Call { first, out, mut shared, workers, .. } = call;
        let terms = Terms::new(&self.problem, first, gradient);
        let run = Run {
            weight: self,
            input: Source { view: first, boundary: self.problem.boundary },
            gradient: Source { view: gradient, boundary: Boundary::Zero },
        };
        let inputs = self.channels[1];
        let [outputs, row] = [self.problem.out_channels, inputs * self.taps];
        let parts = simd::split::<T>(&mut shared, self.parts * outputs * row);
        let at = Strided::dense(&[self.parts, outputs, row], Default::default());
        if self.round > 0 {
            let sums = run.by_point(shared, workers);
            workers.tiles(ViewMut { data: &mut *parts, at }, &[1, 1, row], |mut tile, scratch| {
                let output = tile.start()[1];
                self.finish(sums, output, tile.row(&[0; 3], row), scratch);
            });
        } else {
            let tile = [1, self.each[0], self.each[1] * self.taps];
            workers.tiles(ViewMut { data: &mut *parts, at }, &tile, |mut tile, mut scratch| {
                let [part, output, from] = *tile.start() else { return };
                let from = [output, output / self.channels[0] * inputs + from / self.taps];
                let sums = simd::split::<T>(&mut scratch, self.sums_step() * self.frequencies);
                let blocks = self.part(part);
                for index in blocks.clone() {
                    run.block(index, from, sums, [index > blocks.start, index + 1 == blocks.end], scratch);
                }
                for k in 0..self.each[0] {
                    self.finish(sums, k, tile.row(&[0, k, 0], self.each[1] * self.taps), scratch);
                }
            });
        }
        self.add_up(parts, &terms, out, workers);
    }
}

impl<T: Element> Run<'_, T> {
    /// The sums of all channels, point by point.
    fn by_point<'s>(&self, mut shared: &'s mut [Line], workers: &mut Workers<'_>) -> &'s [T] {
        let w = self.weight;
        let (frequencies, step) = (w.frequencies, w.sums_step());
        let sums = simd::split::<T>(&mut shared, frequencies * step);
        let lengths = [0, 1].map(|side| w.side_len(w.blocks.each, side));
        let values = lengths.map(|length| simd::split::<T>(&mut shared, w.round * length));
        for first in (0..w.blocks.count()).step_by(w.round) {
            let count = w.round.min(w.blocks.count() - first);
            for side in [0, 1] {
                let (length, data) = (lengths[side], &mut values[side][..count * lengths[side]]);
                let at = Strided::dense(&[count, length], Default::default());
                workers.tiles(ViewMut { data, at }, &[1, length], |mut tile, scratch| {
                    let block = w.blocks.get(first + tile.start()[0]);
                    self.transform(side, &block, 0, tile.row(&[0; 2], length), scratch);
                });
            }
            let values = values.each_ref().map(|values| &**values);
            let at = Strided::dense(&[frequencies, step], Default::default());
            workers.tiles(ViewMut { data: &mut *sums, at }, &[1, step], |mut tile, _| {
                let f = tile.start()[0];
                let sums = tile.row(&[0; 2], step);
                for i in 0..count {
                    let block = w.blocks.get(first + i);
                    let of = |side: usize, i: usize, f: usize| {
                        &values[side][i * lengths[side] + f * w.step(block.extent, side)..]
                    };
                    // What comes next: the next block, or the first of the next point.
                    let (next, point) = if i + 1 < count { (i + 1, f) } else { (0, f + 1) };
                    if point < frequencies {
                        let length = |side: usize| block.extent.count() * w.pitch(side);
                        for side in [0, 1] {
                            simd::prefetch(&of(side, next, point)[..length(side)]);
                        }
                    }
                    w.accumulate(&block, [of(0, i, f), of(1, i, f)], sums, first + i > 0);
                }
            });
        }
        sums
    }

    /// Adds a block to the sums of the output and input channels from `first` on; the `last` has none behind it.
    fn block(&self, index: usize, first: [usize; 2], sums: &mut [T], [add, last]: [bool; 2], mut scratch: &mut [Line]) {
        let w = self.weight;
        let block = w.blocks.get(index);
        let [gradients, samples] = [0, 1].map(|side| simd::split::<T>(&mut scratch, w.side_len(block.extent, side)));
        self.transform(0, &block, first[0], gradients, scratch);
        self.transform(1, &block, first[1], samples, scratch);
        let [step, from, to] = [w.sums_step(), w.step(block.extent, 0), w.step(block.extent, 1)];
        let mut next = if last { None } else { Some([0, 1].map(|side| self.ahead(side, index + 1, first[side]))) };
        for f in 0..w.frequencies {
            w.accumulate(&block, [&gradients[f * from..], &samples[f * to..]], &mut sums[f * step..], add);
            for next in next.iter_mut().flatten() {
                next.advance(f + 1, w.frequencies);
            }
        }
    }

    /// What a block of gradients (0) or samples (1) will read, of an item's channels from `from` on.
    fn ahead(&self, side: usize, index: usize, from: usize) -> Ahead<'_, T> {
        let block = self.weight.blocks.get(index);
        let (source, dims, start) = self.place(side, &block);
        let (first, counts) = ([block.entry, from], [block.extent.batch, self.weight.each[side]]);
        Ahead::new(*source, dims.as_slice(), &start[..self.weight.axes.len()], first, counts)
    }

    /// The gradients (0) or samples (1), their axes in a block, and where it begins.
    fn place(&self, side: usize, block: &Block) -> (&Source<'_, T>, Dims, [isize; RANK]) {
        let (source, dims) = match side {
            0 => (&self.gradient, self.weight.gradients(block.extent)),
            _ => (&self.input, self.weight.samples(block.extent)),
        };
        let start = std::array::from_fn(|a| match self.weight.axes.get(a) {
            Some(axis) => (block.start[a] * axis.tile) as isize + if side == 0 { 0 } else { axis.offset },
            None => 0,
        });
        (source, dims, start)
    }

    /// The values at the points of a block of gradients (0) or samples (1), of an item's channels from `from` on.
    fn transform(&self, side: usize, block: &Block, from: usize, out: &mut [T], mut scratch: &mut [Line]) {
        let Weight { axes, isa, lanes, each, .. } = self.weight;
        let (source, dims, start) = self.place(side, block);
        let length = dims.positions() * lanes;
        let staged = simd::split::<T>(&mut scratch, length);
        let rows = simd::split::<T>(&mut scratch, length);
        let between = simd::split::<T>(&mut scratch, axes::scratch(dims.as_slice()) * lanes);
        let at = Frequencies { step: self.weight.step(block.extent, side), tile: self.weight.pitch(side) };
        let tiles = block.extent.count() / block.extent.batch;
        let conjugate = self.weight.problem.conjugate == (side == 0);
        for n in 0..block.extent.batch {
            for channel in (0..each[side]).step_by(*lanes) {
                let place = (block.entry + n, from + channel, (*lanes).min(each[side] - channel));
                let map = |v: T| if conjugate { v.conj() } else { v };
                stage(*isa, source, place, dims.as_slice(), &start[..axes.len()], map, staged, rows);
                axes::forth(*isa, dims.as_slice(), staged, &mut out[n * tiles * at.tile + channel..], at, between);
            }
        }
    }
}

impl Weight {
    /// Adds the products of a block's tiles at one point to the sums of an item.
    fn accumulate<T: Element>(&self, block: &Block, [gradients, samples]: [&[T]; 2], sums: &mut [T], add: bool) {
        T::outer(
            self.isa,
            Outer {
                rows: self.each[0],
                columns: self.pitch(1),
                terms: block.extent.count(),
                weights: gradients,
                steps: [1, self.pitch(0)],
                source: samples,
                pitch: self.pitch(1),
                out: sums,
                out_pitch: self.pitch(1),
                add,
            },
        );
    }

    /// Takes the sums of an item's output channel `output` back to taps, input channel by input channel.
    fn finish<T: Element>(&self, sums: &[T], output: usize, out: &mut [T], mut scratch: &mut [Line]) {
        let Self { isa, lanes, taps, .. } = *self;
        let dims = self.results();
        let dims = dims.as_slice();
        let results = simd::split::<T>(&mut scratch, taps * self.pitch(1));
        let between = simd::split::<T>(&mut scratch, axes::scratch(dims) * lanes);
        let at = Frequencies { step: self.sums_step(), tile: lanes };
        axes::back(isa, dims, &sums[output * self.pitch(1)..], at, results, between);
        let last = dims[dims.len() - 1].step;
        for tap in 0..taps {
            let [to, from] = self.places(tap);
            for (i, channels) in out.chunks_mut(lanes * taps).enumerate() {
                let results = &results[(from + i * last) * lanes..][..lanes];
                channels[to..].iter_mut().step_by(taps).zip(results).for_each(|(y, &x)| *y = x);
            }
        }
    }

    /// Adds the parts up, in order, where the result belongs.
    fn add_up<T: Element>(
        &self,
        parts: &[T],
        terms: &Terms<'_, T>,
        mut out: ViewMut<'_, T>,
        workers: &mut Workers<'_>,
    ) {
        let row = self.channels[1] * self.taps;
        let each = self.problem.out_channels * row;
        let (mut shape, rank) = ([1; MAX_AXES], out.shape().len());
        shape[..rank].copy_from_slice(out.shape());
        // Elements that are written at once: all of an output channel where they lie one behind the other.
        let dense = out.at == Strided::dense(out.shape(), Default::default());
        let (axes, last) = if dense { (2, row) } else { (rank, shape[rank - 1]) };
        if dense {
            out.at = Strided::dense(&[self.problem.out_channels, row], Default::default());
        }
        let mut tile = [usize::MAX; MAX_AXES];
        tile[0] = 1;
        workers.tiles(out, &tile[..axes], |mut tile, _| {
            let output = tile.start()[0];
            let mut index = [0; MAX_AXES];
            for from in (0..row).step_by(last) {
                let own = &parts[output * row + from..][..last];
                tile.write_with(&index[..axes], last, |i| {
                    let at = output * row + from + i;
                    let y = (1..self.parts).fold(own[i], |sum, p| sum + parts[p * each + at]);
                    // What is not finite, or has only overflowed on the way here, the definition tells.
                    if y.is_finite() {
                        return y;
                    }
                    let (mut element, mut rest) = ([0; MAX_AXES], from + i);
                    for a in (1..rank).rev() {
                        (element[a], rest) = (rest % shape[a], rest / shape[a]);
                    }
                    element[0] = output;
                    terms.sum(&element[..rank])
                });
                advance(&mut index[1..axes - 1], &shape[1..axes - 1]);
            }
        });
    }
}
