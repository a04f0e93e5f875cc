//! Forward passes and input gradients.

use std::fmt::Debug;

use num_complex::Complex;

use super::geometry::Geometry;
use super::outliers::{Levels, exponent, is_outlier, power};
use super::{DEFINITION, lanes, multiply_add, take};
use crate::algo::gather::{Source, Span};
use crate::algo::{Call, Execute, Needs, Second};
use crate::element::{Element, Scalar, sealed};
use crate::problem::{MAX_RANK, Problem};
use crate::reference::Terms;
use crate::simd::{self, Line, TileMut, Workers};
use crate::transform::Transform;
use crate::view::{MAX_AXES, Strided, View, ViewMut, advance};

/// Pairs of tiles that one item of work transforms, at the most: each kernel's spectrum is read once for them all.
const PAIRS: usize = 4;

/// Bytes of spectra that an item holds beyond one pair of tiles.
const HELD: usize = 1 << 20;

/// Frequencies that are multiplied at a time, so that the kernel's stay near.
const FREQUENCIES: usize = 512;

/// Samples further from 1 than this power of two, or than their partner by as much, are scaled.
const FAR: i32 = 16;

/// How the work is divided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Division {
    /// Batch entries, and tiles along each axis, of one item.
    pub(super) batch: usize,
    pub(super) tiles: [usize; MAX_RANK],
    /// Pairs of tiles, the last of them perhaps half empty.
    pub(super) pairs: usize,
    /// Result channels of one item: a divisor of those of a group.
    pub(super) channels: usize,
    /// Outliers that are remembered in an item.
    pub(super) outliers: usize,
}

impl Division {
    /// `size` bytes an element of the transform, two lanes for real elements.
    pub(super) fn new(geometry: &Geometry, lanes: usize, size: usize) -> Self {
        let (results, sources) = geometry.channels();
        let bytes = geometry.block.saturating_mul(sources).saturating_mul(size).max(1);
        let most = if results > 1 { (HELD / bytes).clamp(1, PAIRS) } else { 1 };
        let target = lanes * (1 << most.ilog2());
        let (mut tiles, mut batch, mut count) = ([1; MAX_RANK], 1, 1);
        while count < target {
            let left = |a: &usize| geometry.axes[*a].tiles().div_ceil(tiles[*a]);
            let axis = (0..geometry.rank).max_by_key(left).filter(|a| left(a) > 1);
            match axis {
                Some(a) => tiles[a] *= 2,
                None if batch < geometry.batch => batch *= 2,
                None => break,
            }
            count *= 2;
        }
        let mut items = geometry.batch.div_ceil(batch).saturating_mul(geometry.groups);
        for (axis, n) in geometry.axes().iter().zip(tiles) {
            items = items.saturating_mul(axis.tiles().div_ceil(n));
        }
        let mut channels = results;
        // Few items starve threads; sharing out channels repeats the forward transforms.
        while items.saturating_mul(results / channels) < 8 && channels > sources.max(1) {
            let smaller = (1..=channels / 2).rev().find(|n| results.is_multiple_of(*n));
            match smaller {
                Some(n) => channels = n,
                None => break,
            }
        }
        let outliers = (geometry.block / 16).clamp(4, 4096) * sources.min(64);
        Self { batch, tiles, pairs: count.div_ceil(lanes), channels, outliers }
    }

    pub(super) fn needs(&self, geometry: &Geometry, scratch: usize, element: usize, complex: usize) -> Needs {
        let (_, sources) = geometry.channels();
        let block = |count: usize, bytes: usize| count.saturating_mul(bytes).div_ceil(Line::BYTES);
        let spectra = geometry.kernels().saturating_mul(geometry.block);
        let channels = geometry.channels().0 * geometry.groups;
        let packed = block(channels, complex / 2)
            .saturating_add(block(geometry.kernels().saturating_mul(geometry.taps()), element))
            .saturating_add(block(spectra, complex));
        let held = self.pairs.saturating_mul(sources).saturating_mul(geometry.block);
        let sums = self.pairs.saturating_mul(geometry.block);
        let worker = block(held, complex)
            .saturating_add(block(sums, complex))
            .saturating_add(block(scratch, complex))
            .saturating_add(block(self.outliers, element))
            .saturating_add(block(self.outliers, 8))
            .saturating_add(block(2 * self.pairs, 8));
        Needs { packed, shared: 0, worker: worker.max(DEFINITION) }
    }
}

#[derive(Debug)]
pub(super) struct Forward<R> {
    problem: Problem,
    /// How the plain kernel lies among the packed ones.
    kernel: Strided,
    geometry: Geometry,
    transform: Transform<R>,
}

/// A kernel made ready.
#[derive(Clone, Copy)]
struct Packed<'a, T, R> {
    /// The power of two by which each result channel's spectra are too small.
    exponents: &'a [R],
    plain: &'a [T],
    spectra: &'a [Complex<R>],
}

/// What becomes of one tile.
#[derive(Clone, Copy)]
struct Tile {
    n: usize,
    /// The first result, and how many, on each axis.
    start: [usize; MAX_RANK],
    counts: [usize; MAX_RANK],
}

/// What the samples of a tile went through.
#[derive(Clone, Copy, PartialEq)]
#[repr(i32)]
enum State {
    Plain,
    /// All that went through the transform is zero.
    Silent,
    /// Too much is not finite.
    Hopeless,
}

const STATES: [State; 3] = [State::Plain, State::Silent, State::Hopeless];

impl<R: Element<Real = R> + sealed::Real> Forward<R> {
    /// The geometry has been checked by the estimate.
    pub(super) fn new(problem: &Problem, transform: &[usize]) -> Result<Self, String> {
        let geometry = Geometry::new(problem, transform)?;
        let kernel = Strided::dense(&problem.kernel_shape(), Default::default());
        Ok(Self { problem: problem.clone(), kernel, geometry, transform: Transform::new(transform) })
    }

    fn division<T: Element<Real = R>>(&self) -> Division {
        Division::new(&self.geometry, lanes::<T>(), size_of::<Complex<R>>())
    }

    fn packed<'a, T: Element<Real = R>>(&self, lines: &'a [Line]) -> Packed<'a, T, R> {
        let g = &self.geometry;
        let (channels, elements) = (g.channels().0 * g.groups, g.kernels() * g.taps());
        let (head, rest) = lines.split_at(Line::holding::<R>(channels));
        let (plain, spectra) = rest.split_at(Line::holding::<T>(elements));
        Packed {
            exponents: &simd::elements(head)[..channels],
            plain: &simd::elements(plain)[..elements],
            spectra: &simd::elements(spectra)[..g.kernels() * g.block],
        }
    }

    /// Binary exponents of the result channels' kernels that are far from 1, others 0.
    fn exponents<T: Element<Real = R>>(&self, plain: &[T], exponents: &mut [R]) {
        let (g, taps) = (&self.geometry, self.geometry.taps());
        let sources = g.channels().1;
        for (channel, e) in exponents.iter_mut().enumerate() {
            let mut levels = Levels::<R>::silent();
            for c in 0..sources {
                let kernel = &plain[g.kernel(channel, c) * taps..][..taps];
                levels.add(bytemuck::cast_slice(kernel), 1);
            }
            let found = exponent(levels.loudest[0]);
            *e = <R as Scalar>::from_f64(if found.abs() > FAR { found as f64 } else { 0.0 });
        }
    }
}

impl<T: Element> Execute<T> for Forward<T::Real> {
    fn needs(&self) -> Needs {
        let division = self.division::<T>();
        division.needs(&self.geometry, self.transform.scratch(), size_of::<T>(), size_of::<Complex<T::Real>>())
    }

    fn takes_non_finite(&self) -> bool {
        false
    }

    fn pack(&self, kernel: View<'_, T>, mut packed: &mut [Line], workers: &mut Workers<'_>) {
        let g = &self.geometry;
        let taps = g.taps();
        let exponents: &mut [T::Real] = take(&mut packed, g.channels().0 * g.groups);
        let plain: &mut [T] = take(&mut packed, g.kernels() * taps);
        let spectra: &mut [Complex<T::Real>] = take(&mut packed, g.kernels() * g.block);
        kernel.copy_to(plain);
        self.exponents(plain, exponents);
        let (plain, exponents) = (&*plain, &*exponents);
        let out = ViewMut { data: spectra, at: Strided::dense(&[g.kernels(), g.block], Default::default()) };
        let scale = 1.0 / g.block as f64;
        let sources = g.channels().1;
        workers.tiles(out, &[1, g.block], |mut tile, mut scratch| {
            let index = tile.start()[0];
            let block: &mut [Complex<T::Real>] = take(&mut scratch, g.block);
            let rest = take(&mut scratch, self.transform.scratch());
            block.fill(Complex::default());
            let channel = match g.pass {
                crate::problem::Pass::InputGradient => {
                    index / g.group_in / g.group_out * g.group_in + index % g.group_in
                }
                _ => index / sources,
            };
            let factors = power::<T::Real>(-(exponents[channel].to_f64().0 as i32));
            let shape = g.kernel_shape();
            let mut at = [0; MAX_RANK];
            for &w in &plain[index * taps..][..taps] {
                let mut place = 0;
                for (a, axis) in g.axes().iter().enumerate() {
                    let e = axis.offset(at[a]);
                    place = place * axis.size + if e == 0 { 0 } else { axis.size - e };
                }
                let (re, im) = if g.conjugate { w.conj() } else { w }.parts();
                let [f1, f2] = factors;
                block[place] = Complex::new(re * f1 * f2, im * f1 * f2);
                advance(&mut at[..g.rank], &shape[..g.rank]);
            }
            self.transform.forward(block, rest);
            let scale = <T::Real as Scalar>::from_f64(scale);
            tile.write_with(&[0, 0], g.block, |i| Complex::new(block[i].re * scale, block[i].im * scale));
        });
    }

    fn run(&self, call: Call<'_, '_, T>) {
        let (g, d) = (&self.geometry, self.division::<T>());
        let packed = self.packed::<T>(call.second.packed());
        let kernel = View { data: packed.plain, at: self.kernel };
        let terms = Terms::new(&self.problem, call.first, kernel);
        let source = Source { view: call.first, boundary: g.boundary };
        let mut tile = [1; MAX_AXES];
        (tile[0], tile[1]) = (d.batch, d.channels);
        for (a, axis) in g.axes().iter().enumerate() {
            tile[2 + a] = axis.tile.saturating_mul(d.tiles[a]);
        }
        debug_assert!(matches!(call.second, Second::Packed(_)));
        call.workers.tiles(call.out, &tile[..2 + g.rank], |out, scratch| {
            Item { forward: self, division: &d, packed, terms: &terms, source }.work(out, scratch);
        });
    }
}

/// What the work on one box of the result looks at.
struct Item<'a, T: Element> {
    forward: &'a Forward<T::Real>,
    division: &'a Division,
    packed: Packed<'a, T, T::Real>,
    terms: &'a Terms<'a, T>,
    source: Source<'a, T>,
}

impl<T: Element> Item<'_, T> {
    fn work(&self, mut out: TileMut<'_, T>, mut scratch: &mut [Line]) {
        let (g, d, lanes) = (&self.forward.geometry, self.division, lanes::<T>());
        let sources = g.channels().1;
        let spectra: &mut [Complex<T::Real>] = take(&mut scratch, d.pairs * sources * g.block);
        let sums: &mut [Complex<T::Real>] = take(&mut scratch, d.pairs * g.block);
        let rest: &mut [Complex<T::Real>] = take(&mut scratch, self.forward.transform.scratch());
        let values: &mut [T] = take(&mut scratch, d.outliers);
        let places: &mut [u64] = take(&mut scratch, d.outliers);
        let states: &mut [[i32; 2]] = take(&mut scratch, d.pairs * 2);
        let count = self.tiles(&out);
        let pairs = count.div_ceil(lanes);
        let mut found = 0;
        for p in 0..pairs {
            let spectra = &mut spectra[p * sources * g.block..][..sources * g.block];
            self.gather(&out, p, spectra, &mut sums[..g.block]);
            let states = &mut states[p * lanes..][..lanes];
            found += self.clean(p, spectra, states, &mut values[found..], &mut places[found..]);
            for block in spectra.chunks_exact_mut(g.block) {
                if states.iter().any(|s| STATES[s[0] as usize] == State::Plain) {
                    self.forward.transform.forward(block, rest);
                }
            }
        }
        let first = out.start()[1];
        for r in 0..out.shape()[1] {
            let sums = &mut sums[..pairs * g.block];
            self.multiply(first + r, &spectra[..pairs * sources * g.block], sums);
            for p in 0..pairs {
                let sum = &mut sums[p * g.block..][..g.block];
                let states = &states[p * lanes..][..lanes];
                if states.iter().any(|s| STATES[s[0] as usize] == State::Plain) {
                    self.forward.transform.inverse(sum, rest);
                }
                for lane in (0..lanes).filter(|lane| p * lanes + lane < count) {
                    let here = |place: u64| place as usize / (sources * g.block) == p * lanes + lane;
                    let outliers = values[..found].iter().zip(&places[..found]).filter(|(_, place)| here(**place));
                    self.write(&mut out, r, p * lanes + lane, states[lane], sum, outliers);
                }
            }
        }
    }

    /// Tiles in the box `out`.
    fn tiles(&self, out: &TileMut<'_, T>) -> usize {
        let g = &self.forward.geometry;
        let axes = g.axes().iter().zip(&out.shape()[2..]);
        out.shape()[0] * axes.map(|(axis, &n)| n.div_ceil(axis.tile)).product::<usize>()
    }

    /// The tile numbered `index` in the box `out`.
    fn tile(&self, out: &TileMut<'_, T>, index: usize) -> Tile {
        let g = &self.forward.geometry;
        let mut tile = Tile { n: 0, start: [0; MAX_RANK], counts: [1; MAX_RANK] };
        let mut rest = index;
        for (a, axis) in g.axes().iter().enumerate().rev() {
            let extent = out.shape()[2 + a];
            let number = extent.div_ceil(axis.tile);
            tile.start[a] = rest % number * axis.tile;
            tile.counts[a] = axis.tile.min(extent - tile.start[a]);
            rest /= number;
        }
        tile.n = rest;
        tile
    }

    /// Copies the windows of one pair of tiles, all their source channels, to blocks. `apart` has room for one block.
    fn gather(
        &self,
        out: &TileMut<'_, T>,
        pair: usize,
        blocks: &mut [Complex<T::Real>],
        apart: &mut [Complex<T::Real>],
    ) {
        let (g, lanes) = (&self.forward.geometry, lanes::<T>());
        let (results, sources) = g.channels();
        let group = out.start()[1] / results;
        let count = self.tiles(out);
        let sparse = g.axes().iter().any(|a| a.up > 1) || (pair + 1) * lanes > count;
        // Two whole tiles are copied row by row and then interleaved, which is faster than to interleave while copying.
        let interleave = lanes == 2 && !sparse;
        if sparse {
            blocks.fill(Complex::default());
        }
        let mut windows = [([Span::default(); MAX_RANK], 0, 0); 2];
        for lane in (0..lanes).filter(|lane| pair * lanes + lane < count) {
            let tile = self.tile(out, pair * lanes + lane);
            let (spans, to, n) = &mut windows[lane];
            (*to, *n) = (if interleave { lane * g.block } else { lane }, tile.n);
            for (a, axis) in g.axes().iter().enumerate() {
                let (span, skip) = axis.window(out.start()[2 + a] + tile.start[a]);
                let step = g.step(a) * if interleave { 1 } else { lanes };
                spans[a] = Span { pitch: span.pitch * step, ..span };
                *to += skip.min(axis.size - 1) * step;
            }
        }
        let apart: &mut [T] = bytemuck::cast_slice_mut(apart);
        for (c, block) in blocks.chunks_exact_mut(g.block).enumerate() {
            let block: &mut [T] = bytemuck::cast_slice_mut(block);
            for lane in (0..lanes).filter(|lane| pair * lanes + lane < count) {
                let (spans, to, n) = &windows[lane];
                let channel = (out.start()[0] + n, group * sources + c);
                let to = if interleave { &mut apart[*to..] } else { &mut block[*to..] };
                self.source.gather(channel, &spans[..g.rank], to, |v| v);
            }
            if interleave {
                let (first, second) = apart.split_at(g.block);
                for ((pair, &a), &b) in block.chunks_exact_mut(2).zip(first).zip(second) {
                    (pair[0], pair[1]) = (a, b);
                }
            }
        }
    }

    /// Takes outliers out of a pair of tiles and scales what is far from 1. Tells how many outliers there are.
    fn clean(
        &self,
        pair: usize,
        blocks: &mut [Complex<T::Real>],
        states: &mut [[i32; 2]],
        values: &mut [T],
        places: &mut [u64],
    ) -> usize {
        let (g, lanes) = (&self.forward.geometry, lanes::<T>());
        let levels = |blocks: &[Complex<T::Real>]| {
            let mut levels = Levels::silent();
            for block in blocks.chunks_exact(g.block) {
                levels.add(bytemuck::cast_slice(block), lanes);
            }
            levels
        };
        let (before, total) = (levels(blocks), blocks.len());
        let samples: &mut [T] = bytemuck::cast_slice_mut(blocks);
        let (mut found, mut hopeless) = (0, [false; 2]);
        for lane in 0..lanes {
            let Some(mut limit) = before.threshold(lane) else { continue };
            let room = values.len() - found;
            let loud = |samples: &[T], limit| {
                let tile = samples[lane..].iter().step_by(lanes);
                tile.filter(|v| is_outlier(**v, limit)).take(room + 1).count()
            };
            let infinity = <T::Real as Scalar>::from_f64(f64::INFINITY);
            // Where many are loud, loud is what they are: only the loudest of them are taken out.
            while limit < infinity && loud(samples, limit) > room.min(self.cap()) {
                limit = limit * <T::Real as Scalar>::from_f64(1024.0);
            }
            if loud(samples, limit) > room {
                hopeless[lane] = true;
                samples[lane..].iter_mut().step_by(lanes).for_each(|v| *v = T::default());
                continue;
            }
            for (i, v) in samples[lane..].iter_mut().step_by(lanes).enumerate() {
                if is_outlier(*v, limit) {
                    (values[found], places[found]) = (*v, ((pair * lanes + lane) * total + i) as u64);
                    *v = T::default();
                    found += 1;
                }
            }
        }
        let after = if found > 0 || hopeless != [false; 2] { levels(blocks) } else { before };
        let exponents: [i32; 2] = std::array::from_fn(|lane| exponent(after.loudest[lane]));
        let zero = <T::Real as Default>::default();
        let silent: [bool; 2] = std::array::from_fn(|lane| after.loudest[lane] == zero);
        let apart = lanes == 2 && !silent[0] && !silent[1] && (exponents[0] - exponents[1]).abs() > FAR / 2;
        let far = (0..lanes).any(|lane| exponents[lane].abs() > FAR) || apart;
        for lane in 0..lanes {
            let state = match (hopeless[lane], silent[lane]) {
                (true, _) => State::Hopeless,
                (_, true) => State::Silent,
                _ => State::Plain,
            };
            states[lane] = [state as i32, if far { exponents[lane] } else { 0 }];
        }
        if far {
            let factors: [[T::Real; 2]; 2] = std::array::from_fn(|lane| power(-exponents[lane]));
            let parts: &mut [T::Real] = bytemuck::cast_slice_mut(blocks);
            for pair in parts.chunks_exact_mut(2) {
                pair[0] = pair[0] * factors[0][0] * factors[0][1];
                let [f1, f2] = factors[lanes - 1];
                pair[1] = pair[1] * f1 * f2;
            }
        }
        found
    }

    /// Loud samples of a tile, beyond which summing them apart would cost more than the transforms.
    fn cap(&self) -> usize {
        let g = &self.forward.geometry;
        (g.block.saturating_mul(64) / g.taps()).clamp(4, g.block / 16 + 4)
    }

    /// Sums up the products of spectra over the source channels of one result channel.
    fn multiply(&self, channel: usize, spectra: &[Complex<T::Real>], sums: &mut [Complex<T::Real>]) {
        let g = &self.forward.geometry;
        let sources = g.channels().1;
        for start in (0..g.block).step_by(FREQUENCIES) {
            let range = start..(start + FREQUENCIES).min(g.block);
            for sum in sums.chunks_exact_mut(g.block) {
                sum[range.clone()].fill(Complex::default());
            }
            for c in 0..sources {
                let kernel = &self.packed.spectra[g.kernel(channel, c) * g.block..][range.clone()];
                for (p, sum) in sums.chunks_exact_mut(g.block).enumerate() {
                    let spectrum = &spectra[(p * sources + c) * g.block..][range.clone()];
                    multiply_add(&mut sum[range.clone()], spectrum, kernel);
                }
            }
        }
    }

    /// Writes one tile of channel `r` of the box from the sums.
    fn write<'b>(
        &self,
        out: &mut TileMut<'_, T>,
        r: usize,
        number: usize,
        [state, exponent]: [i32; 2],
        sum: &mut [Complex<T::Real>],
        outliers: impl Iterator<Item = (&'b T, &'b u64)>,
    ) {
        let (g, lanes) = (&self.forward.geometry, lanes::<T>());
        let lane = number % lanes;
        let tile = self.tile(out, number);
        let channel = out.start()[1] + r;
        let sum: &mut [T] = bytemuck::cast_slice_mut(sum);
        let mut scale = exponent + self.packed.exponents[channel].to_f64().0 as i32;
        let times = |v: T, [f1, f2]: [T::Real; 2]| {
            let (re, im) = v.parts();
            T::from_parts(re * f1 * f2, im * f1 * f2)
        };
        let mut outliers = outliers.peekable();
        let silent = STATES[state as usize] == State::Silent;
        if outliers.peek().is_some() || silent {
            let factors = power(scale);
            let tile = sum[lane..].iter_mut().step_by(lanes);
            tile.for_each(|v| *v = if silent { T::default() } else { times(*v, factors) });
            scale = 0;
        }
        for (&x, &place) in outliers {
            let at = place as usize % (g.channels().1 * g.block);
            self.add_outlier(sum, lane, channel, at / g.block, at % g.block, x);
        }
        let shape = &tile.counts[..g.rank];
        let last = g.rank - 1;
        let axis = g.axes[last];
        let mut index = [0; MAX_AXES];
        let mut o = [0; MAX_RANK];
        for _ in 0..shape[..last].iter().product() {
            (index[0], index[1]) = (tile.n, r);
            let mut from = 0;
            for a in 0..g.rank {
                index[2 + a] = tile.start[a] + o[a];
                from = from * g.axes[a].size + o[a] * g.axes[a].every;
            }
            let row = &sum[from * lanes + lane..];
            let index = &mut index[..2 + g.rank];
            if STATES[state as usize] == State::Hopeless {
                let mut global = [0; MAX_AXES];
                for a in 0..2 + g.rank {
                    global[a] = index[a] + out.start()[a];
                }
                for _ in 0..shape[last] {
                    out.write(index, &[self.terms.sum(&global[..2 + g.rank])]);
                    global[1 + g.rank] += 1;
                    index[1 + g.rank] += 1;
                }
            } else {
                let step = axis.every * lanes;
                if scale == 0 && lanes == 2 && axis.every == 1 {
                    // Whole pairs, so that no bound is checked in the loop.
                    let row = &sum.as_chunks::<2>().0[from..][..shape[last]];
                    if lane == 0 {
                        out.write_with(index, row.len(), |i| row[i][0]);
                    } else {
                        out.write_with(index, row.len(), |i| row[i][1]);
                    }
                } else if scale == 0 {
                    out.write_with(index, shape[last], |i| row[i * step]);
                } else {
                    let factors = power(scale);
                    out.write_with(index, shape[last], |i| times(row[i * step], factors));
                }
            }
            advance(&mut o[..last], &shape[..last]);
        }
    }

    /// Adds the products of one sample, at `place` of its tile, to the dense results.
    fn add_outlier(&self, sum: &mut [T], lane: usize, channel: usize, source: usize, place: usize, x: T) {
        let (g, lanes) = (&self.forward.geometry, lanes::<T>());
        let taps = g.taps();
        let shape = g.kernel_shape();
        let mut index = [0; MAX_RANK];
        let mut rest = place;
        for a in (0..g.rank).rev() {
            index[a] = rest % g.axes[a].size;
            rest /= g.axes[a].size;
        }
        let mut tap = [0; MAX_RANK];
        for &w in &self.packed.plain[g.kernel(channel, source) * taps..][..taps] {
            let mut to = Some(0);
            for (a, axis) in g.axes().iter().enumerate() {
                let q = index[a].checked_sub(axis.offset(tap[a])).filter(|&q| q + axis.span <= axis.size);
                to = to.zip(q).map(|(to, q)| to * axis.size + q);
            }
            if let Some(to) = to {
                sum[to * lanes + lane] += if g.conjugate { w.conj() } else { w } * x;
            }
            advance(&mut tap[..g.rank], &shape[..g.rank]);
        }
    }
}
