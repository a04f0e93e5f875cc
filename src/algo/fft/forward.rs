//! Forward passes and input gradients.

use super::geometry::Geometry;
use super::item::Item;
use super::outliers::{FAR, exponent, power};
use super::{DEFINITION, blocks, take};
use crate::algo::gather::Source;
use crate::algo::{Call, Execute, Needs, Second};
use crate::element::{Element, Scalar, sealed};
use crate::problem::{MAX_RANK, Pass, Problem};
use crate::reference::Terms;
use crate::simd::{self, Caches, Isa, Levels, Line, Workers};
use crate::transform::{Crew, Last, Samples, Transform, What};
use crate::view::{MAX_AXES, Strided, View, ViewMut, advance};

/// Tiles that one item of work transforms, at the most: each kernel's spectrum is read once for them all.
const TILES: usize = 8;

/// Bytes of spectra that an item holds beyond one tile.
const HELD: usize = 1 << 20;

/// Bytes of a block from which on threads may share the passes over it.
const SHARED: usize = 512 << 10;

/// Blocks below which they do, if blocks are larger than the second cache.
const FEW: usize = 4;

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
    /// Whether the threads share the passes over a tile, and not the tiles.
    shared: bool,
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
        let few = items == 1 || items < FEW && bytes > Caches::detect().second;
        let shared = geometry.channels() == (1, 1) && few && bytes >= SHARED;
        Self { batch, tiles, count, channels, outliers, shared }
    }

    /// `element` bytes an element, `part` a part of it.
    pub(super) fn needs(&self, geometry: &Geometry, element: usize, part: usize) -> Needs {
        let (_, sources) = geometry.channels();
        let lines = |count: usize, bytes: usize| count.saturating_mul(bytes).div_ceil(Line::BYTES);
        let spectra = geometry.kernels().saturating_mul(geometry.kernel_block());
        let channels = geometry.channels().0 * geometry.groups;
        let packed = lines(channels, part)
            .saturating_add(lines(geometry.kernels().saturating_mul(geometry.taps()), element))
            .saturating_add(lines(spectra, part));
        let sums = self.count.saturating_mul(geometry.block());
        let item = lines(sums.saturating_mul(sources), part)
            .saturating_add(if geometry.channels() == (1, 1) { 0 } else { lines(sums, part) })
            .saturating_add(lines(self.outliers, element))
            .saturating_add(lines(self.outliers, 8))
            .saturating_add(lines(self.count, 8));
        let [shared, worker] = if self.shared { [item, 0] } else { [0, item] };
        Needs { packed, shared, worker: worker.max(DEFINITION) }
    }
}

#[derive(Debug)]
pub(super) struct Forward<R> {
    problem: Problem,
    /// How the plain kernel lies among the packed ones.
    kernel: Strided,
    pub(super) geometry: Geometry,
    pub(super) transform: Transform<R>,
    /// That of kernels, if it is another one.
    kernel_transform: Option<Transform<R>>,
}

/// A kernel made ready.
#[derive(Clone, Copy)]
pub(super) struct Packed<'a, T, R> {
    /// The power of two by which each result channel's spectra are too small.
    pub(super) exponents: &'a [R],
    pub(super) plain: &'a [T],
    pub(super) spectra: &'a [R],
}

impl<R: Element<Real = R> + sealed::Real> Forward<R> {
    /// The geometry has been checked by the estimate.
    pub(super) fn new(problem: &Problem, transform: &[usize], last: Last) -> Result<Self, String> {
        let geometry = Geometry::new(problem, transform, last)?;
        let kernel = Strided::dense(&problem.kernel_shape(), Default::default());
        let isa = Isa::detect();
        let mut transform = Transform::new(isa, geometry.layout.clone())?;
        let mut kernel_transform = None;
        if last == Last::Summed {
            transform = transform.with_taps(&geometry.kernel_layout, geometry.axes[geometry.rank - 1].dilation);
            kernel_transform = Some(Transform::new(isa, geometry.kernel_layout.clone())?);
        }
        Ok(Self { problem: problem.clone(), kernel, geometry, transform, kernel_transform })
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
            spectra: &simd::elements(spectra)[..g.kernels() * g.kernel_block()],
        }
    }

    /// The spectrum of kernel `index`.
    fn transform_kernel<T: Element<Real = R>>(
        &self,
        index: usize,
        plain: &[T],
        exponents: &[R],
        block: &mut [R],
        mut crew: Crew<'_, '_>,
    ) {
        let (g, transform) = (&self.geometry, self.kernel_transform.as_ref().unwrap_or(&self.transform));
        let layout = &g.kernel_layout;
        let (taps, shape, last) = (g.taps(), g.kernel_shape(), g.rank - 1);
        let channel = match g.pass {
            Pass::InputGradient => index / g.group_in / g.group_out * g.group_in + index % g.group_in,
            _ => index / g.channels().1,
        };
        let [f1, f2] = power::<R>(-(exponents[channel].to_f64().0 as i32));
        let scale = <R as Scalar>::from_f64(transform.scale());
        // Taps go backwards from the beginning, and so behind the end; what wraps around there changes its sign.
        let real = layout.samples() == Samples::Real;
        let number = |part: usize, wrapped: bool| {
            move |w: T| {
                let (re, im) = if g.conjugate { w.conj() } else { w }.parts();
                let number = (if part == 1 && !real { im } else { re }) * f1 * f2 * scale;
                if wrapped && real { -number } else { number }
            }
        };
        let wrapped = |a: usize, i: usize| match g.axes[a].offset(i) {
            0 => 0,
            e => g.axes[a].size - e,
        };
        let plain = &plain[index * taps..][..taps];
        layout.bands(block, crew.as_deref_mut(), |band, planes| {
            for ((half, plane), part) in layout.halves().into_iter().zip([planes.re, planes.im]).zip(0..) {
                plane.fill(Default::default());
                let places = half.start + band.start..half.start + band.end;
                if last == 0 {
                    blocks::backwards(&g.axes[0], plain, places, plane, [number(part, false), number(part, true)]);
                    continue;
                }
                for (i, place) in places.enumerate() {
                    let Some(tap) = g.axes[0].tap(place) else { continue };
                    let (slab, number) = (&mut plane[i * layout.pitch(0)..], number(part, place > 0));
                    let mut at = [0; MAX_RANK];
                    for taps in plain[tap * (taps / shape[0])..][..taps / shape[0]].chunks_exact(shape[last]) {
                        let row = (1..last).map(|a| wrapped(a, at[a]) * layout.pitch(a)).sum::<usize>();
                        advance(&mut at[1..last], &shape[1..last]);
                        let (axis, row) = (&g.axes[last], &mut slab[row..]);
                        if g.last == Last::Summed {
                            taps.iter().enumerate().for_each(|(i, &w)| row[axis.offset(i) / axis.dilation] = number(w));
                        } else {
                            blocks::backwards(axis, taps, 0..layout.row(), row, [number, number]);
                        }
                    }
                }
            }
        });
        transform.apply(block, What::Forward, crew);
    }

    /// Binary exponents of the result channels' kernels that are far from 1, others 0.
    fn exponents<T: Element<Real = R>>(&self, plain: &[T], exponents: &mut [R]) {
        let (g, taps) = (&self.geometry, self.geometry.taps());
        let sources = g.channels().1;
        for (channel, e) in exponents.iter_mut().enumerate() {
            let kernels = (0..sources).map(|c| bytemuck::cast_slice(&plain[g.kernel(channel, c) * taps..][..taps]));
            let found = exponent(Levels::<R>::of(kernels).loudest);
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
        let spectra: &mut [T::Real] = take(&mut packed, g.kernels() * g.kernel_block());
        kernel.copy_to(plain);
        self.exponents(plain, exponents);
        let (plain, exponents) = (&*plain, &*exponents);
        let block = g.kernel_block();
        if g.kernels() < FEW && block * size_of::<T::Real>() >= SHARED {
            for (index, block) in spectra.chunks_exact_mut(block).enumerate() {
                self.transform_kernel(index, plain, exponents, block, Some(&mut *workers));
            }
            return;
        }
        let out = ViewMut { data: spectra, at: Strided::dense(&[g.kernels(), block], Default::default()) };
        workers.tiles(out, &[1, block], |mut tile, _| {
            let index = tile.start()[0];
            self.transform_kernel(index, plain, exponents, tile.row(&[0, 0], block), None);
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
        let item = Item { forward: self, division: &d, packed, terms: &terms, source };
        if d.shared {
            return item.share(call.out, &tile[..2 + g.rank], call.shared, call.workers);
        }
        call.workers.tiles(call.out, &tile[..2 + g.rank], |out, scratch| item.work(out, scratch));
    }
}
