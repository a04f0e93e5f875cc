//! Weight gradients: the correlation of two fields, its spectra summed over tiles and batch before one inverse
//! transform.

use super::blocks::{Fill, Window};
use super::geometry::Geometry;
use super::{DEFINITION, take};
use crate::algo::gather::{Source, Span};
use crate::algo::{Call, Execute, Needs, Second};
use crate::element::{Element, Scalar, sealed};
use crate::problem::{Boundary, MAX_RANK, Problem};
use crate::reference::Terms;
use crate::simd::{Isa, Line, TileMut, Workers};
use crate::transform::{Last, Product, Samples, Transform, What};
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
    /// Tiles in all.
    pub(super) count: usize,
}

impl Division {
    /// `bytes` bytes a part of an element.
    pub(super) fn new(geometry: &Geometry, bytes: usize) -> Self {
        let divisor =
            |n: usize, most: usize| (1..=n.min(most.max(1))).rev().find(|d| n.is_multiple_of(*d)).unwrap_or(1);
        let room = HELD / geometry.block().saturating_mul(bytes).max(1);
        let side = room.max(1).isqrt();
        let mut inputs = divisor(geometry.group_in, side);
        let mut outputs = divisor(geometry.group_out, room / inputs);
        let mut items = (geometry.kernels() / inputs / outputs).max(1);
        while items < ITEMS && inputs * outputs > 4 {
            let larger = if outputs >= inputs { &mut outputs } else { &mut inputs };
            *larger = divisor(*larger, *larger / 2);
            items = (geometry.kernels() / inputs / outputs).max(1);
        }
        let count = geometry.axes().iter().fold(geometry.batch, |n, a| n.saturating_mul(a.tiles()));
        let chunks = if items < ITEMS { (ITEMS / items).min(count).max(1) } else { 1 };
        Self { outputs, inputs, chunks, count }
    }

    /// `part` bytes a part of an element.
    pub(super) fn needs(&self, geometry: &Geometry, part: usize) -> Needs {
        let lines = |count: usize| count.saturating_mul(part).div_ceil(Line::BYTES);
        let sums = geometry.kernels().saturating_mul(self.chunks).saturating_mul(geometry.block());
        let shared = if self.chunks > 1 { lines(sums) } else { 0 };
        let held = self.inputs * self.outputs + self.inputs + 1;
        let worker = lines(held.saturating_mul(geometry.block())).saturating_add(4);
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
        let geometry = Geometry::new(problem, transform, Last::Transformed)?;
        let transform = Transform::new(Isa::detect(), geometry.layout.clone())?;
        Ok(Self { problem: problem.clone(), geometry, transform })
    }

    fn division(&self) -> Division {
        Division::new(&self.geometry, size_of::<R>())
    }
}

impl<T: Element> Execute<T> for Weight<T::Real> {
    fn needs(&self) -> Needs {
        self.division().needs(&self.geometry, size_of::<T::Real>())
    }

    fn takes_non_finite(&self) -> bool {
        false
    }

    fn pack(&self, _: View<'_, T>, _: &mut [Line], _: &mut Workers<'_>) {}

    fn run(&self, call: Call<'_, '_, T>) {
        let Second::Plain(gradient) = call.second else { return };
        let (g, d) = (&self.geometry, self.division());
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
                let sums: &mut [T::Real] = take(&mut scratch, blocks * g.block());
                let (first, second) = (out.start()[0], out.start()[1]);
                run.accumulate(first, second, out.shape()[1], 0..d.count, sums, scratch);
                for (i, sum) in sums.chunks_exact_mut(g.block()).enumerate() {
                    let pair = [i / out.shape()[1], i % out.shape()[1]];
                    run.finish(&mut out, pair, sum);
                }
            });
            return;
        }
        let mut shared = call.shared;
        let parts: &mut [T::Real] = take(&mut shared, g.kernels() * d.chunks * g.block());
        let outputs = g.groups * g.group_out;
        let at = Strided::dense(&[d.chunks, outputs, g.group_in, g.block()], Default::default());
        let partial = ViewMut { data: &mut *parts, at };
        call.workers.tiles(partial, &[1, d.outputs, d.inputs, g.block()], |mut part, mut scratch| {
            let [chunk, first, second, _] = *part.start() else { return };
            let inputs = part.shape()[2];
            let sums: &mut [T::Real] = take(&mut scratch, part.shape()[1] * inputs * g.block());
            let tiles = d.count * chunk / d.chunks..d.count * (chunk + 1) / d.chunks;
            run.accumulate(first, second, inputs, tiles, sums, scratch);
            for (i, sum) in sums.chunks_exact(g.block()).enumerate() {
                part.write(&[0, i / inputs, i % inputs, 0], sum);
            }
        });
        let parts = &*parts;
        call.workers.tiles(call.out, tile, |mut out, mut scratch| {
            let sum: &mut [T::Real] = take(&mut scratch, g.block());
            for i in 0..out.shape()[0] * out.shape()[1] {
                let pair = [i / out.shape()[1], i % out.shape()[1]];
                let kernel = (out.start()[0] + pair[0]) * g.group_in + out.start()[1] + pair[1];
                sum.copy_from_slice(&parts[kernel * g.block()..][..g.block()]);
                for chunk in 1..d.chunks {
                    let more = &parts[(chunk * g.kernels() + kernel) * g.block()..][..g.block()];
                    sum.iter_mut().zip(more).for_each(|(s, m)| *s += *m);
                }
                run.finish(&mut out, pair, sum);
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
    /// Sums up, over some tiles, the products of spectra of the output channels from `first` and of `inputs`
    /// input channels from `second` on.
    fn accumulate(
        &self,
        first: usize,
        second: usize,
        inputs: usize,
        tiles: std::ops::Range<usize>,
        sums: &mut [T::Real],
        mut scratch: &mut [Line],
    ) {
        let g = &self.weight.geometry;
        let spectra: &mut [T::Real] = take(&mut scratch, inputs * g.block());
        let other: &mut [T::Real] = take(&mut scratch, g.block());
        let group = first / g.group_out;
        let transform = &self.weight.transform;
        for (t, tile) in tiles.enumerate() {
            for (c, block) in spectra.chunks_exact_mut(g.block()).enumerate() {
                self.spectrum(tile, group * g.group_in + second + c, block, true);
            }
            for (o, sums) in sums.chunks_exact_mut(inputs * g.block()).enumerate() {
                self.spectrum(tile, first + o, other, false);
                for (sum, spectrum) in sums.chunks_exact_mut(g.block()).zip(spectra.chunks_exact(g.block())) {
                    let how = Product { conjugate: true, add: t > 0 };
                    transform.multiply(0..g.layout.plane(), sum, [spectrum, other], how);
                }
            }
        }
    }

    /// The spectrum of one channel's tile: of a window of the input, or of what of the output gradient meets it.
    fn spectrum(&self, tile: usize, channel: usize, block: &mut [T::Real], input: bool) {
        let g = &self.weight.geometry;
        let mut rest = tile;
        let mut windows = [Window::default(); MAX_RANK];
        for (a, axis) in g.axes().iter().enumerate().rev() {
            let start = rest % axis.tiles() * axis.tile;
            rest /= axis.tiles();
            let count = axis.tile.min(axis.results - start);
            windows[a] = if input {
                axis.window(start, count)
            } else {
                Window { span: Span { start: start as isize, step: 1, count, pitch: axis.every }, at: 0 }
            };
        }
        let (source, transform) = (if input { self.input } else { self.gradient }, &self.weight.transform);
        let fill = Fill::new(source, (rest, channel), &windows[..g.rank], &g.layout);
        g.layout.bands(block, None, |band, planes| {
            fill.band(&band, planes);
        });
        transform.apply(block, What::Forward, None);
    }

    /// Transforms the sum of one pair of channels back and writes its taps.
    fn finish(&self, out: &mut TileMut<'_, T>, pair: [usize; 2], sum: &mut [T::Real]) {
        let g = &self.weight.geometry;
        let transform = &self.weight.transform;
        transform.apply(sum, What::Inverse, None);
        let scale = <T::Real as Scalar>::from_f64(transform.scale());
        let complex = g.layout.samples() == Samples::Complex;
        let shape = &g.kernel_shape()[..g.rank];
        let last = g.rank - 1;
        let mut index = [0; MAX_AXES];
        (index[0], index[1]) = (pair[0], pair[1]);
        let value = |place: usize| {
            let im = if complex { sum[place + g.layout.plane()] } else { <T::Real as Default>::default() };
            let v = T::from_parts(sum[place] * scale, im * scale);
            if g.conjugate { v } else { v.conj() }
        };
        let mut global = [0; MAX_AXES];
        for _ in 0..shape[..last].iter().product() {
            for a in 0..2 {
                global[a] = out.start()[a] + index[a];
            }
            global[2..2 + g.rank].copy_from_slice(&index[2..2 + g.rank]);
            let offset = |a: usize, i: usize| g.axes[a].offset(i);
            let row: usize = (0..last).map(|a| g.layout.place(a, offset(a, index[2 + a]))).sum();
            let at = |i: usize| row + g.layout.place(last, offset(last, i));
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
