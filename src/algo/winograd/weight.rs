//! Weight gradients: the taps are the results, of tiles of samples and tiles of the output gradient.
//!
//! `w[k] = Σ_tiles Σ_o g[o] · x[o + k]` is a correlation with as many results as the kernel has taps, whose weights are a
//! tile of the output gradient. The sum over all tiles is taken between the transforms, as a matrix product for each
//! point, and the way back comes once at the end.

use super::axes::{self, Frequencies, RANK};
use super::design::{BLOCK, FETCH, FLOP, GATHER, NEAR, TRANSFORM};
use super::forward::{extent, tiles_of_block};
use super::geometry::{self, Axis, Block, Blocks, Dims, Extent, stage};
use super::kernels::odd_step;
use crate::algo::direct::slower;
use crate::algo::gather::Source;
use crate::algo::{Call, Execute, Needs, Second};
use crate::element::Element;
use crate::problem::{Boundary, Problem};
use crate::reference::Terms;
use crate::simd::{self, Isa, Line, Map, Outer, Workers};
use crate::view::{MAX_AXES, Strided, View, ViewMut, advance};

/// Bytes of one item's sums.
const SUMS: usize = 1 << 20;

/// Bytes of all samples and gradients that are not too many to be transformed before the first sum.
const MOST: usize = 64 << 20;

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
    /// Whether all tiles are transformed before the first sum.
    pub(super) first: bool,
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
        let cut = each != channels;
        let first = cut && problem.groups == 1 && one.saturating_mul(all.count()) <= MOST;
        let blocks = Blocks { all, each: extent(all, tiles_of_block(all, frequencies)) };
        let items = problem.groups * (channels[0] / each[0]) * (channels[1] / each[1]);
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
            first,
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
    pub(super) fn seconds<T: Element>(&self) -> f64 {
        let Self { blocks, lanes, channels, each, .. } = self;
        let slower = slower::<T>(self.isa);
        let (tiles, frequencies) = (blocks.all.count() as f64, self.frequencies as f64);
        let [outputs, inputs] = channels.map(|n| n.next_multiple_of(*lanes) as f64);
        let positions: f64 = self.axes.iter().map(|a| (a.results + a.taps.len()) as f64).product();
        let sums = frequencies * channels[0] as f64 * inputs;
        // Blocks are transformed again for every item of the other side.
        let [m, n] = if self.first { [1, 1] } else { [channels[1] / each[1], channels[0] / each[0]] };
        let repeated = outputs * m as f64 + inputs * n as f64;
        let calls = blocks.count() as f64 * blocks.each.batch as f64 * repeated / *lanes as f64;
        let far = sums * size_of::<T>() as f64;
        let held = frequencies * (each[0] * each[1] * size_of::<T>()) as f64;
        let again = if held < NEAR { 0.0 } else { blocks.count() as f64 };
        self.problem.groups as f64
            * (slower
                * (2.0 * tiles * sums * FLOP
                    + tiles * frequencies * repeated * TRANSFORM
                    + positions * blocks.all.batch as f64 * repeated * GATHER
                    + sums * self.parts as f64 * 2.0 * TRANSFORM)
                + 2.0 * far * again * FETCH
                + calls * BLOCK
                + channels[0] as f64 * inputs / *lanes as f64 * BLOCK * self.parts as f64)
            + 2e-6
    }

    fn memory<T: Element>(&self, results: usize) -> Needs {
        let lines = Line::holding::<T>;
        let block = self.blocks.each;
        let held = lines(self.side_len(block, 0) * self.items(0) + self.side_len(block, 1) * self.items(1));
        let staged = lines(self.samples(block).positions().max(self.gradients(block).positions()) * self.lanes);
        let worker = lines(self.side_len(block, 0)) + lines(self.side_len(block, 1))
            + 2 * staged
            + lines(self.between(block) * self.lanes)
            + lines(self.sums_step() * self.frequencies)
            + lines(self.taps * self.lanes)
            + lines(self.taps * self.each[1]);
        let shared = if self.first { held.saturating_mul(self.blocks.count()) } else { 0 };
        Needs { packed: 0, shared: shared.saturating_add(lines(results.saturating_mul(self.parts))), worker }
    }

    fn samples(&self, block: Extent) -> Dims {
        Dims::new(&self.axes, &block.tiles, |_| Map::Data)
    }

    fn gradients(&self, block: Extent) -> Dims {
        Dims::new(&self.axes, &block.tiles, |axis| Map::Kernel(axis.tile))
    }

    fn results(&self) -> Dims {
        Dims::new(&self.axes, &[1; RANK], |axis| Map::Result(axis.taps.len()))
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

    /// Items along one side, of a group.
    fn items(&self, side: usize) -> usize {
        self.channels[side] / self.each[side]
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

    /// Where each tap, in the order of the samples, lies in the kernel.
    fn place(&self, mut tap: usize) -> usize {
        let (mut place, mut pitch) = (0, 1);
        for axis in self.axes.iter().rev() {
            let r = axis.taps.len();
            place += axis.taps[tap % r] * pitch;
            (tap, pitch) = (tap / r, pitch * r);
        }
        place
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
        let Call { first, mut out, mut shared, workers, .. } = call;
        let terms = Terms::new(&self.problem, first, gradient);
        let run = Run {
            weight: self,
            input: Source { view: first, boundary: self.problem.boundary },
            gradient: Source { view: gradient, boundary: Boundary::Zero },
        };
        let inputs = self.channels[1];
        let [outputs, row] = [self.problem.out_channels, inputs * self.taps];
        let parts = simd::split::<T>(&mut shared, self.parts * outputs * row);
        let each = self.blocks.each;
        // All values, of gradients and of samples: for every block, for every item.
        let values = [0, 1].map(|side| {
            if !self.first {
                return &[][..];
            }
            let (length, items) = (self.side_len(each, side), self.items(side));
            let values = simd::split::<T>(&mut shared, self.blocks.count() * items * length);
            let at = Strided::dense(&[self.blocks.count(), items, length], Default::default());
            workers.tiles(ViewMut { data: &mut *values, at }, &[1, 1, length], |mut tile, scratch| {
                let (block, item) = (self.blocks.get(tile.start()[0]), tile.start()[1]);
                run.transform(side, &block, item * self.each[side], tile.row(&[0; 3], length), scratch);
            });
            &*values
        });
        let at = Strided::dense(&[self.parts, outputs, row], Default::default());
        let tile = [1, self.each[0], self.each[1] * self.taps];
        workers.tiles(ViewMut { data: &mut *parts, at }, &tile, |mut tile, mut scratch| {
            let [part, output, from] = *tile.start() else { return };
            let group = output / self.channels[0];
            let input = from / self.taps;
            let sums = simd::split::<T>(&mut scratch, self.sums_step() * self.frequencies);
            for (i, index) in self.part(part).enumerate() {
                let block = self.blocks.get(index);
                let from = [output, group * inputs + input];
                if self.first {
                    let of = |side: usize| {
                        let (length, items) = (self.side_len(each, side), self.items(side));
                        &values[side][(index * items + from[side] / self.each[side]) * length..][..length]
                    };
                    self.accumulate(&block, [of(0), of(1)], sums, i > 0);
                } else {
                    let mut scratch = &mut *scratch;
                    let room = [0, 1].map(|side| simd::split::<T>(&mut scratch, self.side_len(block.extent, side)));
                    let [gradients, samples] = room;
                    run.transform(0, &block, from[0], gradients, scratch);
                    run.transform(1, &block, from[1], samples, scratch);
                    self.accumulate(&block, [gradients, samples], sums, i > 0);
                }
            }
            self.finish(sums, scratch, |k, row| tile.write(&[0, k, 0], row));
        });
        self.add_up(parts, &terms, &mut out, workers);
    }
}

impl<T: Element> Run<'_, T> {
    /// The values at the points of a block of gradients (0) or samples (1), of an item's channels from `from` on.
    fn transform(&self, side: usize, block: &Block, from: usize, out: &mut [T], mut scratch: &mut [Line]) {
        let Weight { axes, isa, lanes, each, .. } = self.weight;
        let (source, dims) = match side {
            0 => (&self.gradient, self.weight.gradients(block.extent)),
            _ => (&self.input, self.weight.samples(block.extent)),
        };
        let length = dims.positions() * lanes;
        let staged = simd::split::<T>(&mut scratch, length);
        let rows = simd::split::<T>(&mut scratch, length);
        let between = simd::split::<T>(&mut scratch, axes::scratch(dims.as_slice()) * lanes);
        let start: [isize; RANK] = std::array::from_fn(|a| match axes.get(a) {
            Some(axis) => (block.start[a] * axis.tile) as isize + if side == 0 { 0 } else { axis.offset },
            None => 0,
        });
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
    /// Adds the products of a block's tiles to the sums of an item.
    fn accumulate<T: Element>(&self, block: &Block, [gradients, samples]: [&[T]; 2], sums: &mut [T], add: bool) {
        let [step, from, to] = [self.sums_step(), self.step(block.extent, 0), self.step(block.extent, 1)];
        for f in 0..self.frequencies {
            T::outer(
                self.isa,
                Outer {
                    rows: self.each[0],
                    columns: self.pitch(1),
                    terms: block.extent.count(),
                    weights: &gradients[f * from..],
                    steps: [1, self.pitch(0)],
                    source: &samples[f * to..],
                    pitch: self.pitch(1),
                    out: &mut sums[f * step..][..step],
                    out_pitch: self.pitch(1),
                    add,
                },
            );
        }
    }

    /// Takes the sums of an item back to taps, and gives out those of every output channel, input channel by input
    /// channel.
    fn finish<T: Element>(&self, sums: &[T], mut scratch: &mut [Line], mut give: impl FnMut(usize, &[T])) {
        let Self { isa, lanes, taps, each: [outputs, inputs], .. } = *self;
        let padded = inputs.next_multiple_of(lanes);
        let dims = self.results();
        let results = simd::split::<T>(&mut scratch, taps * lanes);
        let between = simd::split::<T>(&mut scratch, axes::scratch(dims.as_slice()) * lanes);
        let row = simd::split::<T>(&mut scratch, inputs * taps);
        let at = Frequencies { step: self.sums_step(), tile: 0 };
        for k in 0..outputs {
            for (i, channels) in row.chunks_mut(lanes * taps).enumerate() {
                axes::back(isa, dims.as_slice(), &sums[k * padded + i * lanes..], at, results, between);
                for (t, results) in results.chunks_exact(lanes).enumerate() {
                    let to = channels[self.place(t)..].iter_mut().step_by(taps);
                    to.zip(results).for_each(|(y, &x)| *y = x);
                }
            }
            give(k, row);
        }
    }

    /// Adds the parts up, in order, where the result belongs.
    fn add_up<T: Element>(
        &self,
        parts: &[T],
        terms: &Terms<'_, T>,
        out: &mut ViewMut<'_, T>,
        workers: &mut Workers<'_>,
    ) {
        let axes = out.shape().len();
        let mut shape = [1; MAX_AXES];
        shape[..axes].copy_from_slice(out.shape());
        let row = self.channels[1] * self.taps;
        let each = self.problem.out_channels * row;
        let last = shape[axes - 1];
        let mut tile = shape;
        tile[0] = 1;
        workers.tiles(out.reborrow(), &tile[..axes], |mut tile, _| {
            let output = tile.start()[0];
            let mut index = [0; MAX_AXES];
            for from in (0..row).step_by(last) {
                let from = output * row + from;
                let sum = |i: usize| (1..self.parts).fold(parts[from + i], |sum, p| sum + parts[p * each + from + i]);
                tile.write_with(&index[..axes], last, |i| {
                    let y = sum(i);
                    // What is not finite, or has only overflowed on the way here, the definition tells.
                    if y.is_finite() {
                        return y;
                    }
                    let mut index = index;
                    (index[0], index[axes - 1]) = (output, i);
                    terms.sum(&index[..axes])
                });
                advance(&mut index[1..axes - 1], &shape[1..axes - 1]);
            }
        });
    }
}
