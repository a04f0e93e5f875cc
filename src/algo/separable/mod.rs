//! Kernels of low rank: sums of products of vectors, one an axis, each of which is applied in one pass an axis.
//!
//! A tile's samples are gathered with all that the kernel reaches beyond it, whatever the boundary: within the block
//! every pass is a plain sum, and the passes give what the kernel as a whole does. The sliding leaf goes down each axis
//! in turn; the last pass sums over the products as well, as if they were channels. What is not finite the definition
//! tells.

mod split;

use super::block::Block;
use super::cost::{Costs, Estimate, multiply_adds};
use super::gather::Source;
use super::lower::{Lowered, Phase, tiles};
use super::{Call, Execute, Needs};
use crate::element::Element;
use crate::problem::{MAX_RANK, Problem};
use crate::reference::Terms;
use crate::simd::{self, Ahead, Caches, Column, Isa, Line, Plane, Planes, Sliding, TileMut, Workers};
use crate::view::{MAX_AXES, Strided, View, advance};
use split::{LONGEST, Products, left_after, split};

/// How far a sum of products may be from the kernel, in units of its elements' rounding errors and its 2-norm.
const NEAR: f64 = 2.0;
/// The same of double precision, in which the products are computed themselves.
const NEAR_DOUBLE: f64 = 16.0;

/// Products of a kernel whose rank is not known, at the most: the samples between the passes are held of them all.
const RANK: usize = 32;

/// Rows that are computed at a time where the result is not contiguous or is looked through.
const ROWS: usize = 8;

/// Taps of a kernel, at the most: more would take long to split.
const TAPS: usize = 1 << 15;

/// The extents of a problem's kernels, of which it has as many as its rank.
fn extents(problem: &Problem) -> [usize; MAX_RANK] {
    std::array::from_fn(|a| problem.axes.get(a).map_or(1, |axis| axis.kernel))
}

/// How near to a kernel of this norm its products must come.
fn budget(problem: &Problem, norm: f64) -> f64 {
    norm * problem.dtype.epsilon() * near(problem)
}

fn near(problem: &Problem) -> f64 {
    if problem.dtype.epsilon() > 1e-10 { NEAR } else { NEAR_DOUBLE }
}

/// Copies one group's kernel, and tells its 2-norm.
fn kernel_of<T: Element>(kernel: View<'_, T>, group: usize, out: &mut [f64]) -> f64 {
    let (at, shape) = (kernel.at.channel(group, 0), &kernel.shape()[2..]);
    let mut index = [0; MAX_RANK];
    let mut squares = 0.0;
    for x in out {
        let place = at + (0..shape.len()).map(|a| kernel.at.step(a, index[a])).sum::<isize>();
        *x = kernel.data[place as usize].to_f64().0;
        squares += *x * *x;
        advance(&mut index[..shape.len()], shape);
    }
    squares.sqrt()
}

/// Lines of memory that [`has_rank`] needs.
pub(crate) fn room(problem: &Problem, rank: usize) -> usize {
    let extents = &extents(problem)[..problem.rank()];
    let taps: usize = extents.iter().product();
    Line::holding::<f64>(taps + split::room(extents) + rank * extents.iter().sum::<usize>())
}

/// Whether every one of a problem's kernels is a sum of so many products.
pub(crate) fn has_rank<T: Element>(problem: &Problem, kernel: View<'_, T>, rank: usize, room: &mut [Line]) -> bool {
    let extents = &extents(problem)[..problem.rank()];
    let (taps, width) = (extents.iter().product(), extents.iter().sum());
    let (copy, room) = simd::elements_mut::<f64>(room).split_at_mut(taps);
    let (out, room) = room.split_at_mut(rank * width);
    (0..problem.groups).all(|group| {
        let norm = kernel_of(kernel, group, copy);
        split(copy, extents, budget(problem, norm), room, Products { out: &mut *out, width, offset: 0 }).is_some()
    })
}

/// The largest rank of a problem's kernels as matrices, their first axis of several taps against the others.
pub(crate) fn rank_of<T: Element>(problem: &Problem, kernel: View<'_, T>) -> usize {
    let extents = &extents(problem)[..problem.rank()];
    let mut copy = vec![0.0; extents.iter().product()];
    let first = extents.iter().copied().find(|&n| n > 1).unwrap_or(1);
    let (n, mut rank) = (copy.len() / first, 0);
    for group in 0..problem.groups {
        let norm = kernel_of(kernel, group, &mut copy);
        rank = left_after(&mut copy, n, first.min(n), 4.0 * budget(problem, norm)).0.max(rank);
    }
    rank
}

/// The rank that every kernel of a problem has at the most.
pub(crate) fn full_rank(problem: &Problem) -> Result<usize, String> {
    match split::most(&extents(problem)[..problem.rank()]) {
        rank if rank > RANK => Err(format!("a kernel of its size may be a sum of {rank} products")),
        rank => Ok(rank),
    }
}

/// Results a tile, an axis.
pub(crate) fn design(problem: &Problem, rank: usize) -> Result<Vec<usize>, String> {
    let phase = phase(problem)?.1;
    let mut tile: Vec<usize> = phase.iter().map(|a| a.count).collect();
    let reach: Vec<usize> = phase.iter().map(reach).collect();
    // The block and what is between the passes stay in the second cache.
    let most = Caches::detect().second / 2 / (1 + rank) / problem.dtype.size();
    let last = tile.len() - 1;
    loop {
        let block: f64 = tile.iter().zip(&reach).map(|(&n, &more)| (n + more) as f64).product();
        // Cut where the least is gathered twice, but long rows last.
        let spare = |a: usize| tile[a] as f64 / (reach[a] + 1) as f64 / if a == last { 16.0 } else { 1.0 };
        let longest = (0..=last).max_by(|&a, &b| spare(a).total_cmp(&spare(b))).unwrap_or(last);
        if block <= most as f64 || tile[longest] <= 16 {
            return Ok(tile);
        }
        tile[longest] = tile[longest].div_ceil(2);
    }
}

/// Samples beyond a tile's results that one axis' taps reach.
fn reach(axis: &super::lower::PhaseAxis) -> usize {
    let offsets = || axis.taps.iter().map(|t| t.offset);
    offsets().max().zip(offsets().min()).map_or(0, |(high, low)| (high - low) as usize)
}

/// The problem as sums with one channel, in one phase, or why it is none.
fn phase(problem: &Problem) -> Result<(Lowered, Phase), String> {
    let extents = &extents(problem)[..problem.rank()];
    if problem.dtype.is_complex() {
        return Err("it splits real kernels only".into());
    }
    if extents.iter().filter(|&&n| n > 1).count() < 2 {
        return Err("its kernel is a line already".into());
    }
    if extents.iter().any(|&n| n > LONGEST) || extents.iter().product::<usize>() > TAPS {
        return Err(format!("its kernel has more than {LONGEST} taps along an axis, or {TAPS} in all"));
    }
    if problem.axes.iter().any(|a| a.stride > 1) {
        return Err("it has a stride".into());
    }
    if problem.in_channels != problem.groups || problem.out_channels != problem.groups {
        return Err("its channels are summed over".into());
    }
    let mut lowered = Lowered::new(problem)?;
    match lowered.phases.pop() {
        Some(phase) if lowered.phases.is_empty() => Ok((lowered, phase)),
        _ => Err("it has nothing to sum".into()),
    }
}

/// Passes over kernels of low rank, for one problem: forward pass or input gradient.
#[derive(Debug)]
pub(crate) struct Separable {
    problem: Problem,
    lowered: Lowered,
    phase: Phase,
    block: Block,
    isa: Isa,
    /// Products of a kernel, at the most, and the numbers of one.
    rank: usize,
    width: usize,
    /// The axes of several taps.
    axes: Vec<usize>,
    /// The columns of each of them: where in a block its taps are, and how many follow one another from row to row. Of the
    /// last one, those of all products.
    columns: Vec<Vec<Column>>,
    /// Elements from one product's samples to the next.
    length: usize,
    /// How the plain kernel lies among what is packed.
    kernel: Strided,
    needs: Needs,
}

/// A kernel made ready.
#[derive(Clone, Copy)]
struct Packed<'a, T> {
    /// Products of each group's kernel.
    counts: &'a [u64],
    plain: View<'a, T>,
    /// For each group the products' vectors along the last axis of several taps, then those along the others, in the
    /// order of the block's samples.
    products: &'a [T],
}

/// What stands in the place of a count where a kernel is not the sum of as many products as there is room for.
const MORE: u64 = u64::MAX;

impl Separable {
    pub(crate) fn new<T: Element>(problem: &Problem, tile: &[usize], rank: usize) -> Result<Self, String> {
        super::direct::check_tile(problem, tile)?;
        let (lowered, phase) = phase(problem)?;
        let extents = &extents(problem)[..problem.rank()];
        let rank = rank.clamp(1, split::most(extents));
        let block = Block::new(&phase, tile, 1)?;
        let isa = Isa::detect();
        let axes: Vec<usize> = (0..extents.len()).filter(|&a| extents[a] > 1).collect();
        let last = axes.len() - 1;
        let columns = axes.iter().enumerate().map(|(i, &a)| {
            // The rows of the last pass are those of the result's planes, of the others the axis' own.
            let rows = if i < last { a } else { extents.len() - 2 };
            let dilation = problem.axes[a].dilation;
            match rows == a && dilation == 1 {
                true => vec![Column::of(0, extents[a])],
                false => (0..extents[a]).map(|t| Column::of(t * dilation * block.axes[a].pitch, 1)).collect(),
            }
        });
        let mut columns: Vec<Vec<Column>> = columns.collect();
        // Loads may go on behind the last sample.
        let length = (block.channel + 2 * T::lanes(isa)).next_multiple_of(Line::BYTES / T::DTYPE.size());
        let one = columns[last].len();
        for i in one..one * rank {
            let column = columns[last][i - one];
            columns[last].push(Column { place: column.place + length as isize, ..column });
        }
        let (groups, width) = (problem.groups, extents.iter().sum::<usize>());
        let taps = extents.iter().product::<usize>();
        let lines = Line::holding::<T>;
        let between = rank * if axes.len() > 2 { 2 } else { 1 };
        let needs = Needs {
            packed: Line::holding::<u64>(groups)
                + lines(groups * taps)
                + lines(groups * rank * width)
                + room(problem, rank),
            shared: 0,
            worker: lines((1 + between) * length) + lines(ROWS * block.tile[extents.len() - 1]),
        };
        let kernel = Strided::dense(&problem.kernel_shape(), Default::default());
        Ok(Self {
            problem: problem.clone(),
            lowered,
            phase,
            block,
            isa,
            rank,
            width,
            axes,
            columns,
            length,
            kernel,
            needs,
        })
    }

    pub(crate) fn estimate<T: Element>(
        costs: &Costs,
        problem: &Problem,
        tile: &[usize],
        rank: usize,
    ) -> Result<Estimate, String> {
        let this = Self::new::<T>(problem, tile, rank)?;
        let (tiles, filled) = tiles(&this.phase, &this.block.tile);
        let items = tiles * (problem.batch * problem.groups) as f64;
        let rank = this.rank as f64;
        let mut extent: Vec<usize> = this.phase.iter().zip(&this.block.tile).map(|(a, &n)| n + reach(a)).collect();
        let mut passes = this.block.seconds_to_gather::<T>(costs, &this.phase, 1);
        for (i, &a) in this.axes.iter().enumerate() {
            extent[a] = this.block.tile[a];
            let last = i + 1 == this.axes.len();
            let rows = if last { extent.len() - 2 } else { a };
            let loads: usize = this.columns[i]
                .iter()
                .map(|c| if extent[rows] < 4 { c.height } else { (c.height + 3).div_ceil(4) })
                .sum();
            let loads = loads as f64 / if last { rank } else { 1.0 };
            let taps = problem.axes[a].kernel as f64;
            let sums = (taps * costs.slide_fma * multiply_adds::<T>()).max(loads * costs.slide_load);
            let row = *extent.last().unwrap_or(&1);
            let registers =
                extent.iter().product::<usize>() as f64 / row as f64 * row.div_ceil(T::lanes(this.isa)) as f64;
            // A call for each plane.
            let planes =
                extent.iter().product::<usize>() / row / if rows + 1 == extent.len() { 1 } else { extent[rows] };
            let calls = planes as f64 * if last { 1.0 } else { rank };
            passes +=
                registers * (rank * sums + costs.slide_end * if last { 1.0 } else { rank }) + calls * costs.call();
        }
        let taps: usize = problem.axes.iter().map(|a| a.kernel).product();
        // Looked at, split, and split again where it is packed.
        let packing = (problem.groups * taps) as f64 * (2.0 + rank) * 4.0 * costs.pack_apart;
        let lengths: f64 = problem.axes.iter().map(|a| (a.kernel as f64).sqrt()).sum();
        let error = problem.dtype.epsilon() * (4.0 + 2.0 * lengths + near(problem)) * rank.sqrt();
        Ok(Estimate { seconds: costs.run + items * (filled * passes + costs.item) + packing, needs: this.needs, error })
    }

    fn packed<'a, T: Element>(&self, lines: &'a [Line]) -> Packed<'a, T> {
        let elements = self.kernel.elements();
        let (counts, lines) = lines.split_at(Line::holding::<u64>(self.problem.groups));
        let (plain, products) = lines.split_at(Line::holding::<T>(elements));
        let plain = View { data: &simd::elements(plain)[..elements], at: self.kernel };
        Packed { counts: simd::elements(counts), plain, products: simd::elements(products) }
    }
}

impl<T: Element> Execute<T> for Separable {
    fn needs(&self) -> Needs {
        self.needs
    }

    fn takes_non_finite(&self) -> bool {
        false
    }

    fn pack(&self, kernel: View<'_, T>, mut packed: &mut [Line], _: &mut Workers<'_>) {
        let Self { problem, rank, width, .. } = self;
        let extents = &extents(problem)[..problem.rank()];
        let taps: usize = extents.iter().product();
        let counts = simd::split::<u64>(&mut packed, problem.groups);
        kernel.copy_to(simd::split::<T>(&mut packed, self.kernel.elements()));
        let products = simd::split::<T>(&mut packed, problem.groups * rank * width);
        let (copy, room) = simd::elements_mut::<f64>(packed).split_at_mut(taps);
        let (out, room) = room.split_at_mut(rank * width);
        for (group, products) in products.chunks_exact_mut(rank * width).enumerate() {
            let norm = kernel_of(kernel, group, copy);
            let found = split(
                copy,
                extents,
                budget(problem, norm),
                room,
                Products { out: &mut *out, width: *width, offset: 0 },
            );
            counts[group] = found.map_or(MORE, |count| count as u64);
            for product in out.chunks_exact_mut(*width).take(found.unwrap_or(0)) {
                self.balance(product, extents);
            }
            for r in 0..found.unwrap_or(0) {
                let mut from = r * width;
                for (a, &extent) in extents.iter().enumerate() {
                    // From the order of the kernel to that of the samples.
                    let axis = &self.phase[a];
                    let low = axis.taps.iter().map(|t| t.offset).min().unwrap_or(0);
                    let dilation = (reach(axis) / extent.max(2).saturating_sub(1)).max(1);
                    let to = &mut products[self.vector(a, r)..][..extent];
                    for tap in &axis.taps {
                        to[(tap.offset - low) as usize / dilation] = T::from_f64(out[from + tap.index]);
                    }
                    from += extent;
                }
            }
        }
    }

    fn run(&self, call: Call<'_, '_, T>) {
        let packed = self.packed::<T>(call.second.packed());
        let run = Run {
            separable: self,
            source: Source { view: call.first, boundary: self.lowered.boundary },
            terms: Terms::new(&self.problem, call.first, packed.plain),
            packed,
        };
        let rank = self.phase.len();
        let mut tile = [1; MAX_AXES];
        tile[2..2 + rank].copy_from_slice(&self.block.tile);
        call.workers.tiles(call.out, &tile[..2 + rank], |tile, scratch| run.tile(tile, scratch));
    }
}

impl Separable {
    /// Where, among a group's products, the vector of one of them along an axis is.
    fn vector(&self, axis: usize, product: usize) -> usize {
        let extents = || self.problem.axes.iter().map(|a| a.kernel);
        let last = self.axes[self.axes.len() - 1];
        let long = self.problem.axes[last].kernel;
        if axis == last {
            return product * long;
        }
        let before: usize = extents().enumerate().filter(|&(a, _)| a < axis && a != last).map(|(_, n)| n).sum();
        self.rank * long + product * (self.width - long) + before
    }

    /// Scales the vectors of a product, which stays the same, so that no sum between the passes is larger than the
    /// samples: by powers of two, which change no digit. Axes of one tap have no pass: their elements go to the last.
    fn balance(&self, product: &mut [f64], extents: &[usize]) {
        let Some((&last, others)) = self.axes.split_last() else { return };
        let begin = |a: usize| extents[..a].iter().sum::<usize>();
        let mut scale = 1.0;
        for a in (0..extents.len()).filter(|&a| a != last) {
            let vector = &mut product[begin(a)..][..extents[a]];
            let factor = if others.contains(&a) {
                let sum: f64 = vector.iter().map(|x| x.abs()).sum();
                if sum > 0.0 && sum.is_finite() { sum.log2().ceil().exp2() } else { 1.0 }
            } else {
                vector[0]
            };
            if others.contains(&a) {
                vector.iter_mut().for_each(|x| *x /= factor);
            }
            scale *= factor;
        }
        product[begin(last)..][..extents[last]].iter_mut().for_each(|x| *x *= scale);
    }
}

/// What all the work of one run looks at.
struct Run<'a, T: Element> {
    separable: &'a Separable,
    source: Source<'a, T>,
    terms: Terms<'a, T>,
    packed: Packed<'a, T>,
}

impl<T: Element> Run<'_, T> {
    fn tile(&self, mut tile: TileMut<'_, T>, mut scratch: &mut [Line]) {
        let Separable { block, isa, rank, width, axes, phase, length, .. } = self.separable;
        let spatial = phase.len();
        let (n, group) = (tile.start()[0], tile.start()[1]);
        let (mut start, mut count) = ([0; MAX_RANK], [1; MAX_RANK]);
        start[..spatial].copy_from_slice(&tile.start()[2..]);
        count[..spatial].copy_from_slice(&tile.shape()[2..]);
        let buffers = simd::split::<T>(&mut scratch, length * (1 + rank * if axes.len() > 2 { 2 } else { 1 }));
        let rows = simd::split::<T>(&mut scratch, ROWS * block.tile[spatial - 1]);
        let (samples, between) = buffers.split_at_mut(*length);
        let (mut here, mut there) = between.split_at_mut(length * rank);
        if self.packed.counts[group] == MORE {
            return self.last(&mut tile, None, rows);
        }
        let products = self.packed.counts[group] as usize;
        let vectors = &self.packed.products[group * rank * width..][..rank * width];
        if count[..spatial] != block.tile {
            // What lies in gaps is looked at too.
            samples.fill(T::default());
        }
        block.gather(*isa, &self.source, phase, (n, group, 1), [&start[..spatial], &count[..spatial]], samples, false);
        let flat = Strided::dense(&[block.channel], Default::default());
        let finite = simd::all_finite(View { data: &samples[..block.channel], at: flat });
        for r in 0..products {
            self.pass(0, samples, &mut here[r * length..][..*length], (vectors, r), &count);
        }
        for i in 1..axes.len() - 1 {
            for r in 0..products {
                self.pass(i, &here[r * length..][..*length], &mut there[r * length..][..*length], (vectors, r), &count);
            }
            std::mem::swap(&mut here, &mut there);
        }
        let taps = self.separable.problem.axes[axes[axes.len() - 1]].kernel;
        self.last(&mut tile, Some((here, &vectors[..products * taps], finite)), rows);
    }

    /// The pass along the axis numbered `i` of those of several taps, of one of a kernel's products: from the samples that
    /// the axes behind it have still to reach, to as many.
    fn pass(
        &self,
        i: usize,
        source: &[T],
        out: &mut [T],
        (vectors, product): (&[T], usize),
        count: &[usize; MAX_RANK],
    ) {
        let this = self.separable;
        let axis = this.axes[i];
        let weights = &vectors[this.vector(axis, product)..][..this.problem.axes[axis].kernel];
        let pitches: [usize; MAX_RANK] = std::array::from_fn(|a| this.block.axes.get(a).map_or(0, |b| b.pitch));
        // Behind the axis everything is one row, from the first sample to the last.
        let behind = axis + 1..this.phase.len();
        let width = behind.map(|b| (count[b] + this.block.axes[b].extra - 1) * pitches[b]).sum::<usize>() + 1;
        let mut index = [0; MAX_RANK];
        for _ in 0..count[..axis].iter().product() {
            let base: usize = (0..axis).map(|a| index[a] * pitches[a]).sum();
            let out = Plane::of(&mut out[base..], pitches[axis], count[axis], width).into();
            let call = Sliding {
                source: &source[base..],
                channel: 0,
                pitch: pitches[axis],
                inside: None,
                steps: [1, 1],
                first: [0, 0],
                columns: &this.columns[i],
                weights,
                down: false,
                out,
                stream: false,
                ahead: Ahead::nothing(),
            };
            T::slide(this.isa, call);
            advance(&mut index[..axis], &count[..axis]);
        }
    }

    /// The last pass, over the products too, to the results; `None` leaves all to the definition. With the samples come
    /// the weights, and whether all are finite.
    fn last(&self, tile: &mut TileMut<'_, T>, source: Option<(&[T], &[T], bool)>, rows: &mut [T]) {
        let this = self.separable;
        let spatial = this.phase.len();
        let mut count = [1; MAX_RANK];
        count[..spatial].copy_from_slice(&tile.shape()[2..]);
        let mut start = [0; MAX_AXES];
        start[..2 + spatial].copy_from_slice(tile.start());
        let (outer, height, width) = (spatial - 2, count[spatial - 2], count[spatial - 1]);
        let columns = &this.columns[this.axes.len() - 1];
        let pitch = this.block.axes[spatial - 2].pitch;
        let mut index = [0; MAX_AXES];
        for _ in 0..count[..outer].iter().product() {
            let base: usize = (0..outer).map(|a| index[2 + a] * this.block.axes[a].pitch).sum();
            let slide = |from: usize, out: Planes<'_, T>| {
                let Some((source, weights, _)) = source else { return };
                let taps = this.problem.axes[this.axes[this.axes.len() - 1]].kernel;
                let columns = &columns[..columns.len() / this.rank * (weights.len() / taps)];
                let source = &source[base + from..];
                T::slide(
                    this.isa,
                    Sliding {
                        source,
                        channel: 0,
                        pitch,
                        inside: None,
                        steps: [1, 1],
                        first: [0, 0],
                        columns,
                        weights,
                        down: false,
                        out,
                        stream: false,
                        ahead: Ahead::nothing(),
                    },
                );
            };
            let finite = source.is_some_and(|(_, _, finite)| finite);
            let planes = if finite { tile.planes(&index[..2 + spatial], [1, height, width]) } else { None };
            if let Some(out) = planes {
                slide(0, out);
                advance(&mut index[2..2 + outer], &count[..outer]);
                continue;
            }
            for y in (0..height).step_by(ROWS) {
                let some = ROWS.min(height - y);
                let rows = &mut rows[..some * width];
                rows.fill(T::from_f64(f64::NAN));
                slide(y * pitch, Plane::of(&mut *rows, width, some, width).into());
                for (i, row) in rows.chunks_exact(width).enumerate() {
                    let mut at = index;
                    at[spatial] = y + i;
                    tile.write_with(&at[..2 + spatial], width, |x| {
                        if row[x].is_finite() {
                            return row[x];
                        }
                        let mut global: [usize; MAX_AXES] = std::array::from_fn(|a| start[a] + at[a]);
                        global[1 + spatial] += x;
                        self.terms.sum(&global[..2 + spatial])
                    });
                }
            }
            advance(&mut index[2..2 + outer], &count[..outer]);
        }
    }
}
