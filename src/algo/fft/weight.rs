//! Weight gradients: the correlation of two fields, its spectra summed over tiles and batch before one inverse
//! transform.

use num_complex::Complex;

use super::geometry::Geometry;
use super::{DEFINITION, lanes, take};
use crate::algo::gather::{Source, Span};
use crate::algo::{Call, Execute, Needs, Second};
use crate::element::{Element, Scalar, sealed};
use crate::problem::{Boundary, MAX_RANK, Problem};
use crate::reference::Terms;
use crate::simd::{Line, TileMut, Workers};
use crate::transform::Transform;
use crate::view::{MAX_AXES, Strided, View, ViewMut, advance};

/// Bytes of the sums of one item of work.
const HELD: usize = 1 << 20;

/// Items below which the sum over batch and tiles is cut into chunks.
const ITEMS: usize = 8;

/// How the work is divided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Division {
    /// Output and input channels of one item: divisors of those of a group.
    pub(super) outputs: usize,
    pub(super) inputs: usize,
    /// Parts of the sum over batch and tiles, added in order.
    pub(super) chunks: usize,
    /// Pairs of tiles in all.
    pub(super) pairs: usize,
}

impl Division {
    pub(super) fn new(geometry: &Geometry, lanes: usize, size: usize) -> Self {
        let divisor =
            |n: usize, most: usize| (1..=n.min(most.max(1))).rev().find(|d| n.is_multiple_of(*d)).unwrap_or(1);
        let room = HELD / geometry.block.saturating_mul(size).max(1);
        let side = room.max(1).isqrt();
        let mut inputs = divisor(geometry.group_in, side);
        let mut outputs = divisor(geometry.group_out, room / inputs);
        let mut items = (geometry.kernels() / inputs / outputs).max(1);
        while items < ITEMS && inputs * outputs > 4 {
            let larger = if outputs >= inputs { &mut outputs } else { &mut inputs };
            *larger = divisor(*larger, *larger / 2);
            items = (geometry.kernels() / inputs / outputs).max(1);
        }
        let tiles = geometry.axes().iter().fold(geometry.batch, |n, a| n.saturating_mul(a.tiles()));
        let pairs = tiles.div_ceil(lanes);
        let chunks = if items < ITEMS { (ITEMS / items).min(pairs).max(1) } else { 1 };
        Self { outputs, inputs, chunks, pairs }
    }

    pub(super) fn needs(&self, geometry: &Geometry, scratch: usize, complex: usize) -> Needs {
        let block = |count: usize| count.saturating_mul(complex).div_ceil(Line::BYTES);
        let sums = geometry.kernels().saturating_mul(self.chunks).saturating_mul(geometry.block);
        let shared = if self.chunks > 1 { block(sums) } else { 0 };
        let held = self.inputs * self.outputs + self.inputs + 1;
        let worker = block(held.saturating_mul(geometry.block)).saturating_add(block(scratch)).saturating_add(4);
        Needs { packed: 0, shared, worker: worker.max(DEFINITION) }
    }
}

#[derive(Debug)]
pub(super) struct Weight<R> {
    problem: Problem,
    geometry: Geometry,
    transform: Transform<R>,
}

impl<R: Element<Real = R> + sealed::Real> Weight<R> {
    pub(super) fn new(problem: &Problem, transform: &[usize]) -> Result<Self, String> {
        let geometry = Geometry::new(problem, transform)?;
        Ok(Self { problem: problem.clone(), geometry, transform: Transform::new(transform) })
    }

    fn division<T: Element<Real = R>>(&self) -> Division {
        Division::new(&self.geometry, lanes::<T>(), size_of::<Complex<R>>())
    }
}

impl<T: Element> Execute<T> for Weight<T::Real> {
    fn needs(&self) -> Needs {
        self.division::<T>().needs(&self.geometry, self.transform.scratch(), size_of::<Complex<T::Real>>())
    }

    fn takes_non_finite(&self) -> bool {
        false
    }

    fn pack(&self, _: View<'_, T>, _: &mut [Line], _: &mut Workers<'_>) {}

    fn run(&self, call: Call<'_, '_, T>) {
        let Second::Plain(gradient) = call.second else { return };
        let (g, d) = (&self.geometry, self.division::<T>());
        let run = Run {
            weight: self,
            terms: Terms::new(&self.problem, call.first, gradient),
            input: Source { view: call.first, boundary: g.boundary },
            gradient: Source { view: gradient, boundary: Boundary::Zero },
        };
        let mut tile = [1; MAX_AXES];
        (tile[0], tile[1]) = (d.outputs, d.inputs);
        tile[2..2 + g.rank].copy_from_slice(&g.kernel_shape()[..g.rank]);
        let tile = &tile[..2 + g.rank];
        if d.chunks == 1 {
            call.workers.tiles(call.out, tile, |mut out, mut scratch| {
                let blocks = out.shape()[0] * out.shape()[1];
                let sums: &mut [Complex<T::Real>] = take(&mut scratch, blocks * g.block);
                let (first, second) = (out.start()[0], out.start()[1]);
                run.accumulate(first, second, out.shape()[1], 0..d.pairs, sums, scratch);
                let rest = take(&mut scratch, self.transform.scratch());
                for (i, sum) in sums.chunks_exact_mut(g.block).enumerate() {
                    let pair = [i / out.shape()[1], i % out.shape()[1]];
                    run.finish(&mut out, pair, sum, rest);
                }
            });
            return;
        }
        let mut shared = call.shared;
        let parts: &mut [Complex<T::Real>] = take(&mut shared, g.kernels() * d.chunks * g.block);
        let outputs = g.groups * g.group_out;
        let at = Strided::dense(&[d.chunks, outputs, g.group_in, g.block], Default::default());
        let partial = ViewMut { data: &mut *parts, at };
        call.workers.tiles(partial, &[1, d.outputs, d.inputs, g.block], |mut part, mut scratch| {
            let [chunk, first, second, _] = *part.start() else { return };
            let inputs = part.shape()[2];
            let sums: &mut [Complex<T::Real>] = take(&mut scratch, part.shape()[1] * inputs * g.block);
            let pairs = d.pairs * chunk / d.chunks..d.pairs * (chunk + 1) / d.chunks;
            run.accumulate(first, second, inputs, pairs, sums, scratch);
            for (i, sum) in sums.chunks_exact(g.block).enumerate() {
                part.write(&[0, i / inputs, i % inputs, 0], sum);
            }
        });
        let parts = &*parts;
        call.workers.tiles(call.out, tile, |mut out, mut scratch| {
            let sum: &mut [Complex<T::Real>] = take(&mut scratch, g.block);
            let rest = take(&mut scratch, self.transform.scratch());
            for i in 0..out.shape()[0] * out.shape()[1] {
                let pair = [i / out.shape()[1], i % out.shape()[1]];
                let kernel = (out.start()[0] + pair[0]) * g.group_in + out.start()[1] + pair[1];
                sum.copy_from_slice(&parts[kernel * g.block..][..g.block]);
                for chunk in 1..d.chunks {
                    let more = &parts[(chunk * g.kernels() + kernel) * g.block..][..g.block];
                    sum.iter_mut().zip(more).for_each(|(s, m)| *s = *s + *m);
                }
                run.finish(&mut out, pair, sum, rest);
            }
        });
    }
}

/// What all the work of one run looks at.
struct Run<'a, T: Element> {
    weight: &'a Weight<T::Real>,
    terms: Terms<'a, T>,
    input: Source<'a, T>,
    gradient: Source<'a, T>,
}

impl<T: Element> Run<'_, T> {
    /// Sums up, over some pairs of tiles, the products of spectra of the output channels from `first` and of `inputs`
    /// input channels from `second` on.
    fn accumulate(
        &self,
        first: usize,
        second: usize,
        inputs: usize,
        pairs: std::ops::Range<usize>,
        sums: &mut [Complex<T::Real>],
        mut scratch: &mut [Line],
    ) {
        let g = &self.weight.geometry;
        let spectra: &mut [Complex<T::Real>] = take(&mut scratch, inputs * g.block);
        let other: &mut [Complex<T::Real>] = take(&mut scratch, g.block);
        let rest: &mut [Complex<T::Real>] = take(&mut scratch, self.weight.transform.scratch());
        let group = first / g.group_out;
        sums.fill(Complex::default());
        for pair in pairs {
            for (c, block) in spectra.chunks_exact_mut(g.block).enumerate() {
                self.gather(pair, group * g.group_in + second + c, block, true);
                self.weight.transform.forward(block, rest);
            }
            for (o, sums) in sums.chunks_exact_mut(inputs * g.block).enumerate() {
                self.gather(pair, first + o, other, false);
                self.weight.transform.forward(other, rest);
                for (sum, spectrum) in sums.chunks_exact_mut(g.block).zip(spectra.chunks_exact(g.block)) {
                    for ((s, x), y) in sum.iter_mut().zip(spectrum).zip(&*other) {
                        s.re = s.re + x.re * y.re + x.im * y.im;
                        s.im = s.im + x.im * y.re - x.re * y.im;
                    }
                }
            }
        }
    }

    /// Copies one channel's pair of tiles to a block: windows of the input, or what of the output gradient meets them.
    fn gather(&self, pair: usize, channel: usize, block: &mut [Complex<T::Real>], input: bool) {
        let (g, lanes) = (&self.weight.geometry, lanes::<T>());
        let per_entry: usize = g.axes().iter().map(|a| a.tiles()).product();
        let missing = (pair + 1) * lanes > per_entry * g.batch;
        if !input || missing {
            block.fill(Complex::default());
        }
        let block: &mut [T] = bytemuck::cast_slice_mut(block);
        for lane in 0..lanes {
            let tile = pair * lanes + lane;
            let n = tile / per_entry;
            if n >= g.batch {
                return;
            }
            let mut rest = tile % per_entry;
            let mut spans = [Span::default(); MAX_RANK];
            for (a, axis) in g.axes().iter().enumerate().rev() {
                let start = rest % axis.tiles() * axis.tile;
                rest /= axis.tiles();
                let step = g.step(a) * lanes;
                spans[a] = if input {
                    Span { pitch: step, ..axis.window(start).0 }
                } else {
                    let count = axis.tile.min(axis.results - start);
                    Span { start: start as isize, step: 1, count, pitch: axis.every * step }
                };
            }
            let source = if input { &self.input } else { &self.gradient };
            source.gather((n, channel), &spans[..g.rank], &mut block[lane..], |v| v);
        }
    }

    /// Transforms the sum of one pair of channels back and writes its taps.
    fn finish(
        &self,
        out: &mut TileMut<'_, T>,
        pair: [usize; 2],
        sum: &mut [Complex<T::Real>],
        rest: &mut [Complex<T::Real>],
    ) {
        let g = &self.weight.geometry;
        self.weight.transform.inverse(sum, rest);
        let scale = <T::Real as Scalar>::from_f64(1.0 / g.block as f64);
        let shape = &g.kernel_shape()[..g.rank];
        let last = g.rank - 1;
        let mut index = [0; MAX_AXES];
        (index[0], index[1]) = (pair[0], pair[1]);
        let value = |from: usize| {
            let v = sum[from];
            let v = T::from_parts(v.re * scale, v.im * scale);
            if g.conjugate { v } else { v.conj() }
        };
        let mut global = [0; MAX_AXES];
        for _ in 0..shape[..last].iter().product() {
            for a in 0..2 {
                global[a] = out.start()[a] + index[a];
            }
            global[2..2 + g.rank].copy_from_slice(&index[2..2 + g.rank]);
            let from = g.axes()[..last].iter().zip(&index[2..]).fold(0, |at, (a, &i)| at * a.size + a.offset(i));
            let at = |i: usize| from * g.axes[last].size + g.axes[last].offset(i);
            out.write_with(&index[..2 + g.rank], shape[last], |i| {
                let y = value(at(i));
                // What is not finite, or has only overflowed on the way here, the definition tells.
                if y.is_finite() {
                    return y;
                }
                let mut global = global;
                global[1 + g.rank] = i;
                self.terms.sum(&global[..2 + g.rank])
            });
            advance(&mut index[2..2 + last], &shape[..last]);
        }
    }
}
