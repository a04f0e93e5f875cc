//! What becomes of the tiles of forward passes and input gradients.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::blocks::{Each, Fill, Window};
use super::forward::{Division, Forward, Packed};
use super::outliers::{FAR, exponent, power, threshold};
use super::take;
use crate::algo::gather::Source;
use crate::element::{Element, Scalar, sealed};
use crate::problem::MAX_RANK;
use crate::reference::Terms;
use crate::simd::{Far, Levels, Line, Rows, TileMut, Workers};
use crate::transform::{Crew, Product, Samples, What};
use crate::view::{MAX_AXES, ViewMut, advance};

/// Frequencies that are multiplied at a time, so that the kernel's stay near.
const FREQUENCIES: usize = 512;

/// Results that are written together where threads share them.
const WRITTEN: usize = 64 << 10;

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

/// What became of samples that are no outliers: whether there are any but zeros, and the power of two that all are scaled
/// down by if they are far from 1.
fn scaled<R: Element<Real = R> + sealed::Real>(levels: &Levels<R>, blocks: &mut [R]) -> [i32; 2] {
    let silent = levels.loudest == <R as Default>::default();
    let exponent = exponent(levels.loudest);
    let exponent = if exponent.abs() > FAR && !silent { exponent } else { 0 };
    if exponent != 0 {
        let [f1, f2] = power::<R>(-exponent);
        blocks.iter_mut().for_each(|x| *x = *x * f1 * f2);
    }
    [if silent { State::Silent } else { State::Plain } as i32, exponent]
}

/// What the work on one box of the result looks at.
#[derive(Clone, Copy)]
pub(super) struct Item<'a, T: Element> {
    pub(super) forward: &'a Forward<T::Real>,
    pub(super) division: &'a Division,
    pub(super) packed: Packed<'a, T, T::Real>,
    pub(super) terms: &'a Terms<'a, T>,
    pub(super) source: Source<'a, T>,
}

/// Memory for the outliers that an item has, and what they are so far.
struct Outliers<'a, T> {
    values: &'a mut [T],
    /// Where in the item's blocks.
    places: &'a mut [u64],
    found: usize,
}

impl<'a, T: Element> Outliers<'a, T> {
    fn new(scratch: &mut &'a mut [Line], most: usize) -> Self {
        Self { values: take(scratch, most), places: take(scratch, most), found: 0 }
    }

    /// Those that lie in these places.
    fn within(&self, places: Range<usize>) -> impl Iterator<Item = (T, usize)> {
        let all = self.values[..self.found].iter().zip(&self.places[..self.found]);
        all.map(|(&x, &place)| (x, place as usize)).filter(move |(_, place)| places.contains(place))
    }
}

impl<T: Element> Item<'_, T> {
    /// The tiles of one box of the result, by one thread.
    pub(super) fn work(&self, mut out: TileMut<'_, T>, mut scratch: &mut [Line]) {
        let (g, d, transform) = (&self.forward.geometry, self.division, &self.forward.transform);
        let (sources, block) = (g.channels().1, g.block());
        let spectra: &mut [T::Real] = take(&mut scratch, d.count * sources * block);
        // One channel by one kernel is transformed in place.
        let alone = g.channels() == (1, 1);
        let sums: &mut [T::Real] = take(&mut scratch, if alone { 0 } else { d.count * block });
        let mut outliers = Outliers::new(&mut scratch, d.outliers);
        let states: &mut [[i32; 2]] = take(&mut scratch, d.count);
        let (count, first) = (self.tiles(&out), out.start()[1]);
        let plain = |[state, _]: [i32; 2]| STATES[state as usize] == State::Plain;
        for p in 0..count {
            let spectra = &mut spectra[p * sources * block..][..sources * block];
            let tile = self.tile(&out, p);
            let start: [usize; MAX_RANK] =
                std::array::from_fn(|a| if a < g.rank { out.start()[2 + a] + tile.start[a] } else { 0 });
            let channel = [out.start()[0] + tile.n, first / g.channels().0 * sources];
            states[p] = self.load(channel, (&start, &tile.counts), spectra, p * sources * block, &mut outliers, None);
            if plain(states[p]) {
                let what = if alone { self.factor(first) } else { What::Forward };
                spectra.chunks_exact_mut(block).for_each(|block| transform.apply(block, what, None));
            }
        }
        for r in 0..out.shape()[1] {
            if !alone {
                self.multiply(first + r, &spectra[..count * sources * block], &mut sums[..count * block]);
            }
            let sums = if alone { &mut *spectra } else { &mut *sums };
            for p in 0..count {
                let sum = &mut sums[p * block..][..block];
                if plain(states[p]) && !alone {
                    transform.apply(sum, What::Inverse, None);
                }
                let places = p * sources * block..(p + 1) * sources * block;
                self.write(&mut out, r, p, states[p], sum, outliers.within(places));
            }
        }
    }

    /// All results, a tile after the other, the passes over each shared among the threads.
    pub(super) fn share(
        &self,
        mut out: ViewMut<'_, T>,
        tile: &[usize],
        mut shared: &mut [Line],
        workers: &mut Workers<'_>,
    ) {
        let (g, d, transform) = (&self.forward.geometry, self.division, &self.forward.transform);
        let block: &mut [T::Real] = take(&mut shared, g.block());
        let axes = 2 + g.rank;
        let (mut counts, mut whole) = ([1; MAX_AXES], [1; MAX_AXES]);
        whole[..axes].copy_from_slice(out.shape());
        (0..axes).for_each(|a| counts[a] = whole[a].div_ceil(tile[a].max(1)));
        let mut number = [0; MAX_AXES];
        for _ in 0..counts[..axes].iter().product() {
            let start: [usize; MAX_AXES] = std::array::from_fn(|a| tile.get(a).map_or(0, |n| number[a] * n));
            let shape: [usize; MAX_AXES] =
                std::array::from_fn(|a| tile.get(a).map_or(1, |n| *n.min(&(whole[a] - start[a]))));
            advance(&mut number[..axes], &counts[..axes]);
            let mut outliers = Outliers::new(&mut &mut *shared, d.outliers);
            let spatial = |of: &[usize; MAX_AXES]| std::array::from_fn(|a| if a < g.rank { of[2 + a] } else { 1 });
            let (from, extents) = (spatial(&start), spatial(&shape));
            let crew = Some(&mut *workers);
            let state = self.load([start[0], start[1]], (&from, &extents), block, 0, &mut outliers, crew);
            if STATES[state[0] as usize] == State::Plain {
                transform.apply(block, self.factor(start[1]), Some(&mut *workers));
            }
            let scale = self.settle(start[1], state, block, outliers.within(0..g.block()));
            let mut band = shape;
            band[2] = band[2].min(WRITTEN.div_ceil(extents[1..].iter().product()));
            let (block, hopeless) = (&*block, STATES[state[0] as usize] == State::Hopeless);
            workers.tiles(out.part(&start[..axes], &shape[..axes]), &band[..axes], |mut out, _| {
                let first = spatial(&std::array::from_fn(|a| out.start().get(a).copied().unwrap_or(0)));
                let counts = spatial(&std::array::from_fn(|a| out.shape().get(a).copied().unwrap_or(1)));
                if hopeless {
                    return self.define(&mut out, [0; MAX_AXES], &counts, start);
                }
                self.write_rows(&mut out, [0; MAX_AXES], &counts, first, block, scale);
            });
        }
    }

    /// The spectrum of the kernel of a result channel that has one only, to multiply by.
    fn factor(&self, channel: usize) -> What<'_, T::Real> {
        let (g, transform) = (&self.forward.geometry, &self.forward.transform);
        transform.factor(&self.packed.spectra[g.kernel(channel, 0) * g.kernel_block()..][..g.kernel_block()])
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

    /// Fills blocks with the windows of a tile, all source channels from a batch entry's `channel` on. The tile is told by
    /// its first results and how many there are on each axis. Outliers, whose places count from `before`, are taken out,
    /// and what is far from 1 is scaled.
    fn load(
        &self,
        channel: [usize; 2],
        tile: (&[usize; MAX_RANK], &[usize; MAX_RANK]),
        blocks: &mut [T::Real],
        before: usize,
        outliers: &mut Outliers<'_, T>,
        mut crew: Crew<'_, '_>,
    ) -> [i32; 2] {
        let (g, transform) = (&self.forward.geometry, &self.forward.transform);
        let mut windows = [Window::default(); MAX_RANK];
        for (a, axis) in g.axes().iter().enumerate() {
            windows[a] = axis.window(tile.0[a], tile.1[a]);
        }
        let levels = Mutex::new(Levels::none());
        for (c, block) in blocks.chunks_exact_mut(g.block()).enumerate() {
            let fill = Fill::new(self.source, (channel[0], channel[1] + c), &windows[..g.rank], &g.layout);
            g.layout.bands(block, crew.as_deref_mut(), |band, mut planes| {
                let found = fill
                    .band(&band, planes.from(0))
                    .unwrap_or_else(|| Levels::of(transform.numbers(band.len(), [&*planes.re, &*planes.im])));
                let mut all = levels.lock().unwrap_or_else(PoisonError::into_inner);
                *all = all.and(found);
            });
        }
        self.clean(levels.into_inner().unwrap_or_else(PoisonError::into_inner), blocks, before, outliers)
    }

    /// Takes outliers out of a tile and scales what is far from 1.
    fn clean(
        &self,
        before: Levels<T::Real>,
        blocks: &mut [T::Real],
        place: usize,
        outliers: &mut Outliers<'_, T>,
    ) -> [i32; 2] {
        let (g, transform) = (&self.forward.geometry, &self.forward.transform);
        let Some(mut limit) = threshold(&before) else { return scaled(&before, blocks) };
        let samples = Each { layout: &g.layout, starts: transform.starts() };
        let room = outliers.values.len() - outliers.found;
        let infinity = <T::Real as Scalar>::from_f64(f64::INFINITY);
        // Where many are loud, loud is what they are: only the loudest of them are taken out.
        while limit < infinity && samples.loud::<T>(blocks, limit).take(room + 1).count() > room.min(self.cap()) {
            limit = limit * <T::Real as Scalar>::from_f64(1024.0);
        }
        let mut found = outliers.found;
        for at in samples.loud::<T>(blocks, limit).take(room + 1) {
            if found == outliers.values.len() {
                return [State::Hopeless as i32, 0];
            }
            (outliers.values[found], outliers.places[found]) = (samples.read(blocks, at), at as u64);
            found += 1;
        }
        for at in &mut outliers.places[outliers.found..found] {
            samples.clear::<T>(blocks, *at as usize);
            *at += place as u64;
        }
        let any = found > outliers.found;
        outliers.found = found;
        if !any {
            return scaled(&before, blocks);
        }
        let rows = blocks.chunks_exact(g.block()).flat_map(|block| {
            let (re, im) = block.split_at(block.len() / 2);
            let n = g.layout.row();
            [re, im]
                .into_iter()
                .flat_map(move |plane| transform.starts().iter().map(move |&start| &plane[start..][..n]))
        });
        scaled(&Levels::of(rows), blocks)
    }

    /// Loud samples of a tile, beyond which summing them apart would cost more than the transforms.
    fn cap(&self) -> usize {
        let g = &self.forward.geometry;
        // A product costs some forty times what a sample of a tile does.
        (g.samples() / 4 / g.taps()).max(16)
    }

    /// Sums up the products of spectra over the source channels of one result channel.
    fn multiply(&self, channel: usize, spectra: &[T::Real], sums: &mut [T::Real]) {
        let (g, transform) = (&self.forward.geometry, &self.forward.transform);
        let (sources, block, plane) = (g.channels().1, g.block(), g.layout.plane());
        for start in (0..plane).step_by(FREQUENCIES) {
            let range = start..(start + FREQUENCIES).min(plane);
            for c in 0..sources {
                let kernel = &self.packed.spectra[g.kernel(channel, c) * block..][..block];
                for (p, sum) in sums.chunks_exact_mut(block).take(spectra.len() / sources / block).enumerate() {
                    let spectrum = &spectra[(p * sources + c) * block..][..block];
                    let how = Product { add: c > 0, conjugate: false };
                    transform.multiply(range.clone(), sum, [spectrum, kernel], how);
                }
            }
        }
    }

    /// Writes one tile of channel `r` of the box from the sums.
    fn write(
        &self,
        out: &mut TileMut<'_, T>,
        r: usize,
        number: usize,
        state: [i32; 2],
        sum: &mut [T::Real],
        outliers: impl Iterator<Item = (T, usize)>,
    ) {
        let (tile, channel) = (self.tile(out, number), out.start()[1] + r);
        let mut at = [0; MAX_AXES];
        (at[0], at[1]) = (tile.n, r);
        at[2..].copy_from_slice(&tile.start);
        if STATES[state[0] as usize] == State::Hopeless {
            return self.define(out, at, &tile.counts, [0; MAX_AXES]);
        }
        let scale = self.settle(channel, state, sum, outliers);
        self.write_rows(out, at, &tile.counts, [0; MAX_RANK], sum, scale);
    }

    /// Makes sums what they would be without outliers and silence. Tells the power of two by which they are too small.
    fn settle(
        &self,
        channel: usize,
        [state, exponent]: [i32; 2],
        sum: &mut [T::Real],
        outliers: impl Iterator<Item = (T, usize)>,
    ) -> i32 {
        let g = &self.forward.geometry;
        let scale = exponent + self.packed.exponents[channel].to_f64().0 as i32;
        let mut outliers = outliers.peekable();
        if STATES[state as usize] == State::Silent {
            sum.fill(Default::default());
        } else if outliers.peek().is_some() {
            let [f1, f2] = power::<T::Real>(scale);
            sum.iter_mut().for_each(|x| *x = *x * f1 * f2);
        } else {
            return scale;
        }
        for (x, place) in outliers {
            let at = place % (g.channels().1 * g.block());
            self.add_outlier(sum, channel, at / g.block(), at % g.block(), x);
        }
        0
    }

    /// Computes results of the box from `at` on, so many on each axis, by the definition; the box lies at `origin`.
    fn define(
        &self,
        out: &mut TileMut<'_, T>,
        at: [usize; MAX_AXES],
        counts: &[usize; MAX_RANK],
        origin: [usize; MAX_AXES],
    ) {
        let axes = 2 + self.forward.geometry.rank;
        let mut o = [0; MAX_RANK];
        for _ in 0..counts[..axes - 2].iter().product() {
            let mut index = at;
            (2..axes).for_each(|a| index[a] += o[a - 2]);
            let global: [usize; MAX_AXES] =
                std::array::from_fn(|a| if a < axes { index[a] + out.start()[a] + origin[a] } else { 0 });
            out.write(&index[..axes], &[self.terms.sum(&global[..axes])]);
            advance(&mut o[..axes - 2], &counts[..axes - 2]);
        }
    }

    /// Writes results to the box from `at` on, so many on each axis, from the block, where they begin with result `first`.
    fn write_rows(
        &self,
        out: &mut TileMut<'_, T>,
        at: [usize; MAX_AXES],
        counts: &[usize; MAX_RANK],
        first: [usize; MAX_RANK],
        block: &[T::Real],
        scale: i32,
    ) {
        let g = &self.forward.geometry;
        if g.layout.samples() == Samples::Complex {
            return self.write_part(out, at, counts, first, block, scale);
        }
        for half in g.layout.halves() {
            let [low, high] = [half.start, half.end].map(|place| place.div_ceil(g.axes[0].every));
            let (low, high) = (low.max(first[0]), high.min(first[0] + counts[0]));
            if low < high {
                let (mut at, mut counts, mut from) = (at, *counts, first);
                at[2] += low - first[0];
                (counts[0], from[0]) = (high - low, low);
                self.write_part(out, at, &counts, from, block, scale);
            }
        }
    }

    /// As [`write_rows`](Self::write_rows), of results that lie at equal distances on each axis.
    fn write_part(
        &self,
        out: &mut TileMut<'_, T>,
        at: [usize; MAX_AXES],
        counts: &[usize; MAX_RANK],
        first: [usize; MAX_RANK],
        block: &[T::Real],
        scale: i32,
    ) {
        let g = &self.forward.geometry;
        let last = g.rank - 1;
        let complex = g.layout.samples() == Samples::Complex;
        let begin: usize = (0..g.rank).map(|a| g.layout.place(a, first[a] * g.axes[a].every)).sum();
        let pitch = |a: usize| g.axes[a].every * g.layout.pitch(a);
        // Rows of real results side by side are written together.
        let together = last > 0 && !complex && scale == 0 && g.axes[last].every == 1;
        let outer = if together { last - 1 } else { last };
        let [f1, f2] = power::<T::Real>(scale);
        let times = |re: T::Real, im: T::Real| T::from_parts(re * f1 * f2, im * f1 * f2);
        let zero = <T::Real as Default>::default();
        let mut o = [0; MAX_RANK];
        for _ in 0..counts[..outer].iter().product() {
            let (mut index, mut row) = (at, begin);
            for a in 0..outer {
                index[2 + a] += o[a];
                row += o[a] * pitch(a);
            }
            advance(&mut o[..outer], &counts[..outer]);
            let (index, re) = (&mut index[..2 + g.rank], &block[row..]);
            if together {
                let rows = [counts[outer], counts[last]];
                self.write_together(out, index, rows, bytemuck::cast_slice(re), pitch(outer));
            } else if complex {
                let im = &block[row + g.layout.plane()..];
                out.write_with(index, counts[last], |i| times(re[i * pitch(last)], im[i * pitch(last)]));
            } else if pitch(last) == 1 && scale == 0 {
                // Real elements are their real parts.
                out.write(index, bytemuck::cast_slice(&re[..counts[last]]));
            } else {
                out.write_with(index, counts[last], |i| times(re[i * pitch(last)], zero));
            }
        }
    }

    /// Writes rows that lie `pitch` apart, to `index` and below it.
    fn write_together(
        &self,
        out: &mut TileMut<'_, T>,
        index: &mut [usize],
        [rows, count]: [usize; 2],
        source: &[T],
        pitch: usize,
    ) {
        if let Some((out, apart)) = out.apart(index, rows, count) {
            let call = Rows { source, steps: [0, pitch, 1], out: out.into(), apart, far: Far::Output };
            return T::copy_rows(self.forward.transform.isa(), call);
        }
        let axis = index.len() - 2;
        for row in source.chunks(pitch).take(rows) {
            out.write(index, &row[..count]);
            index[axis] += 1;
        }
    }

    /// Adds the products of one sample, at `place` of its block, to the dense results.
    fn add_outlier(&self, sum: &mut [T::Real], channel: usize, source: usize, place: usize, x: T) {
        let g = &self.forward.geometry;
        let taps = g.taps();
        let shape = g.kernel_shape();
        let index = g.layout.index(place);
        let mut tap = [0; MAX_RANK];
        for &w in &self.packed.plain[g.kernel(channel, source) * taps..][..taps] {
            let mut place = Some(0);
            for (a, axis) in g.axes().iter().enumerate() {
                let q = index[a].checked_sub(axis.offset(tap[a])).filter(|&q| q <= (axis.tile - 1) * axis.every);
                place = place.zip(q).map(|(place, q)| place + g.layout.place(a, q));
            }
            if let Some(place) = place {
                let (re, im) = (if g.conjugate { w.conj() } else { w } * x).parts();
                sum[place] += re;
                if g.layout.samples() == Samples::Complex {
                    sum[place + g.layout.plane()] += im;
                }
            }
            advance(&mut tap[..g.rank], &shape[..g.rank]);
        }
    }
}
