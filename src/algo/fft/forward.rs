//! Forward passes and input gradients.

use super::blocks::{self, Each, Window};
use super::geometry::Geometry;
use super::outliers::{exponent, power, threshold};
use super::{DEFINITION, take};
use crate::algo::gather::Source;
use crate::algo::{Call, Execute, Needs, Second};
use crate::element::{Element, Scalar, sealed};
use crate::problem::{MAX_RANK, Problem};
use crate::reference::Terms;
use crate::simd::{self, Isa, Line, TileMut, Workers};
use crate::transform::{Product, Samples, Transform};
use crate::view::{MAX_AXES, Strided, View, ViewMut, advance};

/// Tiles that one item of work transforms, at the most: each kernel's spectrum is read once for them all.
const TILES: usize = 8;

/// Bytes of spectra that an item holds beyond one tile.
const HELD: usize = 1 << 20;

/// Frequencies that are multiplied at a time, so that the kernel's stay near.
const FREQUENCIES: usize = 512;

/// Rows that are asked for before they are written.
const AHEAD: usize = 4;

/// Samples further from 1 than this power of two are scaled.
const FAR: i32 = 16;

/// How the work is divided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Division {
    /// Batch entries, and tiles along each axis, of one item.
    pub(super) batch: usize,
    pub(super) tiles: [usize; MAX_RANK],
    /// Tiles of one item in all.
    pub(super) count: usize,
    /// Result channels of one item: a divisor of those of a group.
    pub(super) channels: usize,
    /// Outliers that are remembered in an item.
    pub(super) outliers: usize,
}

impl Division {
    /// `bytes` bytes a part of an element.
    pub(super) fn new(geometry: &Geometry, bytes: usize) -> Self {
        let (results, sources) = geometry.channels();
        let bytes = geometry.block().saturating_mul(sources).saturating_mul(bytes).max(1);
        let most = if results > 1 { (HELD / bytes).clamp(1, TILES) } else { 1 };
        let target = 1 << most.ilog2();
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
        let outliers = (geometry.samples() / 16).clamp(4, 4096) * sources.min(64);
        Self { batch, tiles, count, channels, outliers }
    }

    /// `element` bytes an element, `part` a part of it.
    pub(super) fn needs(&self, geometry: &Geometry, element: usize, part: usize) -> Needs {
        let (_, sources) = geometry.channels();
        let lines = |count: usize, bytes: usize| count.saturating_mul(bytes).div_ceil(Line::BYTES);
        let spectra = geometry.kernels().saturating_mul(geometry.block());
        let channels = geometry.channels().0 * geometry.groups;
        let packed = lines(channels, part)
            .saturating_add(lines(geometry.kernels().saturating_mul(geometry.taps()), element))
            .saturating_add(lines(spectra, part));
        let sums = self.count.saturating_mul(geometry.block());
        let worker = lines(sums.saturating_mul(sources), part)
            .saturating_add(if geometry.channels() == (1, 1) { 0 } else { lines(sums, part) })
            .saturating_add(lines(self.outliers, element))
            .saturating_add(lines(self.outliers, 8))
            .saturating_add(lines(self.count, 8));
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
    spectra: &'a [R],
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
        let transform = Transform::new(Isa::detect(), geometry.layout.clone())?;
        Ok(Self { problem: problem.clone(), kernel, geometry, transform })
    }

    fn division(&self) -> Division {
        Division::new(&self.geometry, size_of::<R>())
    }

    fn packed<'a, T: Element<Real = R>>(&self, lines: &'a [Line]) -> Packed<'a, T, R> {
        let g = &self.geometry;
        let (channels, elements) = (g.channels().0 * g.groups, g.kernels() * g.taps());
        let (head, rest) = lines.split_at(Line::holding::<R>(channels));
        let (plain, spectra) = rest.split_at(Line::holding::<T>(elements));
        Packed {
            exponents: &simd::elements(head)[..channels],
            plain: &simd::elements(plain)[..elements],
            spectra: &simd::elements(spectra)[..g.kernels() * g.block()],
        }
    }

    /// Binary exponents of the result channels' kernels that are far from 1, others 0.
    fn exponents<T: Element<Real = R>>(&self, plain: &[T], exponents: &mut [R]) {
        let (g, taps) = (&self.geometry, self.geometry.taps());
        let sources = g.channels().1;
        for (channel, e) in exponents.iter_mut().enumerate() {
            let kernels = (0..sources).map(|c| bytemuck::cast_slice(&plain[g.kernel(channel, c) * taps..][..taps]));
            let found = exponent(simd::levels::<R>(Isa::detect(), kernels).loudest);
            *e = <R as Scalar>::from_f64(if found.abs() > FAR { found as f64 } else { 0.0 });
        }
    }
}

impl<T: Element> Execute<T> for Forward<T::Real> {
    fn needs(&self) -> Needs {
        self.division().needs(&self.geometry, size_of::<T>(), size_of::<T::Real>())
    }

    fn takes_non_finite(&self) -> bool {
        false
    }

    fn pack(&self, kernel: View<'_, T>, mut packed: &mut [Line], workers: &mut Workers<'_>) {
        let g = &self.geometry;
        let taps = g.taps();
        let exponents: &mut [T::Real] = take(&mut packed, g.channels().0 * g.groups);
        let plain: &mut [T] = take(&mut packed, g.kernels() * taps);
        let spectra: &mut [T::Real] = take(&mut packed, g.kernels() * g.block());
        kernel.copy_to(plain);
        self.exponents(plain, exponents);
        let (plain, exponents) = (&*plain, &*exponents);
        let out = ViewMut { data: spectra, at: Strided::dense(&[g.kernels(), g.block()], Default::default()) };
        let scale = <T::Real as Scalar>::from_f64(self.transform.scale());
        let sources = g.channels().1;
        workers.tiles(out, &[1, g.block()], |mut tile, _| {
            let index = tile.start()[0];
            let block = tile.row(&[0, 0], g.block());
            block.fill(Default::default());
            let channel = match g.pass {
                crate::problem::Pass::InputGradient => {
                    index / g.group_in / g.group_out * g.group_in + index % g.group_in
                }
                _ => index / sources,
            };
            let [f1, f2] = power::<T::Real>(-(exponents[channel].to_f64().0 as i32));
            let shape = g.kernel_shape();
            let last = g.rank - 1;
            // Taps go backwards from the beginning, and so behind the end.
            let wrapped = |a: usize, i: usize| match g.axes[a].offset(i) {
                0 => 0,
                e => g.axes[a].size - e,
            };
            let mut at = [0; MAX_RANK];
            for taps in plain[index * taps..][..taps].chunks_exact(shape[last]) {
                let row = (0..last).map(|a| wrapped(a, at[a]) * g.layout.pitch(a)).sum();
                advance(&mut at[..last], &shape[..last]);
                blocks::backwards(&g.axes[last], taps, &g.layout, row, block, |w, imaginary| {
                    let (re, im) = if g.conjugate { w.conj() } else { w }.parts();
                    (if imaginary { im } else { re }) * f1 * f2 * scale
                });
            }
            self.transform.forward(block);
        });
    }

    fn run(&self, call: Call<'_, '_, T>) {
        let (g, d) = (&self.geometry, self.division());
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
        let (g, d) = (&self.forward.geometry, self.division);
        let (sources, block) = (g.channels().1, g.block());
        let spectra: &mut [T::Real] = take(&mut scratch, d.count * sources * block);
        // One channel by one kernel is transformed in place.
        let alone = g.channels() == (1, 1);
        let sums: &mut [T::Real] = take(&mut scratch, if alone { 0 } else { d.count * block });
        let values: &mut [T] = take(&mut scratch, d.outliers);
        let places: &mut [u64] = take(&mut scratch, d.outliers);
        let states: &mut [[i32; 2]] = take(&mut scratch, d.count);
        let (count, first) = (self.tiles(&out), out.start()[1]);
        let plain = |[state, _]: [i32; 2]| STATES[state as usize] == State::Plain;
        let mut found = 0;
        for p in 0..count {
            let spectra = &mut spectra[p * sources * block..][..sources * block];
            self.gather(&out, p, spectra);
            found += self.clean(p, spectra, &mut states[p], &mut values[found..], &mut places[found..]);
            if plain(states[p]) && alone {
                let kernel = g.kernel(first, 0) * block;
                self.forward.transform.convolve(spectra, &self.packed.spectra[kernel..][..block]);
            } else if plain(states[p]) {
                spectra.chunks_exact_mut(block).for_each(|block| self.forward.transform.forward(block));
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
                    self.forward.transform.inverse(sum);
                }
                let outliers = values[..found].iter().zip(&places[..found]);
                let here = outliers.filter(|(_, place)| **place as usize / (sources * block) == p);
                self.write(&mut out, r, p, states[p], sum, here);
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

    /// Copies the windows of one tile, all its source channels, to blocks.
    fn gather(&self, out: &TileMut<'_, T>, number: usize, blocks: &mut [T::Real]) {
        let g = &self.forward.geometry;
        let (results, sources) = g.channels();
        let group = out.start()[1] / results;
        let tile = self.tile(out, number);
        let mut windows = [Window::default(); MAX_RANK];
        for (a, axis) in g.axes().iter().enumerate() {
            windows[a] = axis.window(out.start()[2 + a] + tile.start[a], tile.counts[a]);
        }
        for (c, block) in blocks.chunks_exact_mut(g.block()).enumerate() {
            let channel = (out.start()[0] + tile.n, group * sources + c);
            blocks::gather(&self.source, channel, &windows[..g.rank], &g.layout, block);
        }
    }

    /// Takes outliers out of a tile and scales what is far from 1. Tells how many outliers there are.
    fn clean(
        &self,
        number: usize,
        blocks: &mut [T::Real],
        state: &mut [i32; 2],
        values: &mut [T],
        places: &mut [u64],
    ) -> usize {
        let (g, transform) = (&self.forward.geometry, &self.forward.transform);
        let levels = |blocks: &[T::Real]| {
            let blocks = blocks.chunks_exact(g.block());
            simd::levels(transform.isa(), blocks.flat_map(|block| g.layout.rows(transform.starts(), block).flatten()))
        };
        let before = levels(blocks);
        let (mut found, mut hopeless) = (0, false);
        if let Some(mut limit) = threshold(&before) {
            let samples = Each { layout: &g.layout, starts: transform.starts() };
            let room = values.len();
            let infinity = <T::Real as Scalar>::from_f64(f64::INFINITY);
            // Where many are loud, loud is what they are: only the loudest of them are taken out.
            while limit < infinity && samples.loud::<T>(blocks, limit).take(room + 1).count() > room.min(self.cap()) {
                limit = limit * <T::Real as Scalar>::from_f64(1024.0);
            }
            for at in samples.loud::<T>(blocks, limit).take(room + 1) {
                hopeless = found == room;
                if !hopeless {
                    (values[found], places[found]) = (samples.read(blocks, at), at as u64);
                    found += 1;
                }
            }
            if hopeless {
                *state = [State::Hopeless as i32, 0];
                return 0;
            }
            for place in &mut places[..found] {
                samples.clear::<T>(blocks, *place as usize);
                *place += (number * blocks.len()) as u64;
            }
        }
        let after = if found > 0 { levels(blocks) } else { before };
        let exponent = exponent(after.loudest);
        let silent = after.loudest == <T::Real as Default>::default();
        let exponent = if exponent.abs() > FAR && !silent { exponent } else { 0 };
        *state = [if silent { State::Silent } else { State::Plain } as i32, exponent];
        if exponent != 0 {
            let [f1, f2] = power::<T::Real>(-exponent);
            blocks.iter_mut().for_each(|x| *x = *x * f1 * f2);
        }
        found
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
    fn write<'b>(
        &self,
        out: &mut TileMut<'_, T>,
        r: usize,
        number: usize,
        [state, exponent]: [i32; 2],
        sum: &mut [T::Real],
        outliers: impl Iterator<Item = (&'b T, &'b u64)>,
    ) {
        let g = &self.forward.geometry;
        let tile = self.tile(out, number);
        let channel = out.start()[1] + r;
        let mut scale = exponent + self.packed.exponents[channel].to_f64().0 as i32;
        let mut outliers = outliers.peekable();
        let silent = STATES[state as usize] == State::Silent;
        if silent {
            sum.fill(Default::default());
        } else if outliers.peek().is_some() {
            let [f1, f2] = power::<T::Real>(scale);
            sum.iter_mut().for_each(|x| *x = *x * f1 * f2);
        }
        if silent || outliers.peek().is_some() {
            scale = 0;
        }
        for (&x, &place) in outliers {
            let at = place as usize % (g.channels().1 * g.block());
            self.add_outlier(sum, channel, at / g.block(), at % g.block(), x);
        }
        let shape = &tile.counts[..g.rank];
        let last = g.rank - 1;
        let mut index = [0; MAX_AXES];
        let mut o = [0; MAX_RANK];
        for _ in 0..shape[..last].iter().product() {
            (index[0], index[1]) = (tile.n, r);
            let mut row = 0;
            for a in 0..g.rank {
                index[2 + a] = tile.start[a] + o[a];
                if a < last {
                    row += o[a] * g.axes[a].every * g.layout.pitch(a);
                }
            }
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
                // Rows lie too far apart for the machine to see what comes next.
                if last > 0 && o[last - 1] + AHEAD < shape[last - 1] {
                    index[1 + last] += AHEAD;
                    out.prefetch(index, shape[last]);
                    index[1 + last] -= AHEAD;
                }
                self.write_row(out, index, shape[last], &sum[row..], scale);
            }
            advance(&mut o[..last], &shape[..last]);
        }
    }

    /// Writes `count` results along the last axis from `index` on; their row of sums begins with `row`.
    fn write_row(&self, out: &mut TileMut<'_, T>, index: &mut [usize], count: usize, row: &[T::Real], scale: i32) {
        let g = &self.forward.geometry;
        let (every, plane, half) = (g.axes[g.rank - 1].every, g.layout.plane(), g.layout.row());
        let [f1, f2] = power::<T::Real>(scale);
        let times = |re: T::Real, im: T::Real| T::from_parts(re * f1 * f2, im * f1 * f2);
        if g.layout.samples() == Samples::Complex {
            return out.write_with(index, count, |i| times(row[i * every], row[plane + i * every]));
        }
        let first = half.div_ceil(every).min(count);
        let zero = <T::Real as Default>::default();
        for (from, to, at) in [(0, first, 0), (first, count, plane + (first * every).saturating_sub(half))] {
            if from == to {
                continue;
            }
            let plane = &row[at..];
            if every == 1 && scale == 0 {
                // Real elements are their real parts.
                out.write(index, bytemuck::cast_slice(&plane[..to - from]));
            } else {
                out.write_with(index, to - from, |i| times(plane[i * every], zero));
            }
            index[1 + g.rank] += to - from;
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
            let (mut row, mut column) = (Some(0), 0);
            for (a, axis) in g.axes().iter().enumerate() {
                let q = index[a].checked_sub(axis.offset(tap[a])).filter(|&q| q <= (axis.tile - 1) * axis.every);
                row = row.zip(q).map(|(row, q)| if a + 1 < g.rank { row + q * g.layout.pitch(a) } else { row });
                column = q.unwrap_or(0);
            }
            if let Some(row) = row {
                let place = g.layout.place(row, column);
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
