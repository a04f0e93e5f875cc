//! Fourier transforms of blocks of any rank, made for convolution: their frequencies are in no particular order.
//!
//! Along the first axis a block is cut into slabs. Between the columns of that axis, forth and back, each slab is
//! transformed along its own axes, multiplied and transformed back while it is near. Strips of columns and slabs are what
//! the threads of a [`Crew`] share.

mod layout;
mod shares;

use std::ops::Range;

use crate::element::{Element, Scalar, sealed};
use crate::simd::fourier::{Columns, Ends, Levels, Products, Rows, Sums};
use crate::simd::{Isa, Workers};

pub(crate) use crate::simd::fourier::{Planes, What};
pub(crate) use layout::{Last, Layout, Samples, good_size, unit};
pub(crate) use shares::Crew;
use shares::{cut, strips};

/// Sums along the last axis.
#[derive(Debug)]
struct Taps {
    /// Numbers of a row that are results.
    results: usize,
    count: usize,
    step: usize,
    /// Where the rows of a kernel begin, and its slabs.
    starts: Vec<usize>,
    pitch: usize,
}

/// The forward and the inverse transform of a block, neither of them normalised.
pub(crate) struct Transform<R> {
    isa: Isa,
    layout: Layout,
    /// Of the axes that are transformed.
    levels: Vec<Levels<R>>,
    /// Of rows, if they are.
    ends: Option<Ends<R>>,
    taps: Option<Taps>,
    starts: Vec<usize>,
    /// Of a long single row, the first levels in several depths, for threads to share it in pieces.
    heads: Vec<Levels<R>>,
}

impl<R> std::fmt::Debug for Transform<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Transform").field(&self.layout.extents()).finish()
    }
}

impl<R: Element<Real = R> + sealed::Real> Transform<R> {
    pub(crate) fn new(isa: Isa, layout: Layout) -> Result<Self, String> {
        let number = <R as Scalar>::from_f64;
        let last = layout.rank - 1;
        let mut levels = Vec::with_capacity(layout.rank);
        let mut turns = Vec::new();
        for a in 0..layout.transformed() {
            let rows = layout.numbers[a] / if a == last { R::lanes(isa) } else { 1 };
            let root = if a == 0 && layout.samples == Samples::Real { 0.25 } else { 0.0 };
            let (level, rest) = Levels::new(rows, root, number).ok_or("a prime factor above 7")?;
            levels.push(level);
            turns = rest;
        }
        let ends = (layout.last == Last::Transformed).then(|| Ends::new(isa, &turns, number));
        let starts = layout.starts();
        let heads = match levels.as_slice() {
            [row] if layout.row() >= LONG => PIECES.into_iter().filter_map(|n| row.first(row.blocks(n))).collect(),
            _ => Vec::new(),
        };
        Ok(Self { isa, layout, levels, ends, taps: None, starts, heads })
    }

    /// That of a layout whose last axis is summed along, with taps `step` apart, by kernels that lie so.
    pub(crate) fn with_taps(self, kernel: &Layout, step: usize) -> Self {
        let count = kernel.row();
        let results = self.layout.row() - (count - 1) * step;
        let taps = Taps { results, count, step, starts: kernel.starts(), pitch: kernel.pitches[0] };
        Self { taps: Some(taps), ..self }
    }

    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    /// Where the rows of a plane begin.
    pub(crate) fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// What the inverse of the forward transform must be multiplied by.
    pub(crate) fn scale(&self) -> f64 {
        1.0 / self.layout.numbers[..self.layout.transformed()].iter().map(|&n| n as f64).product::<f64>()
    }

    /// All rows, or the part of one, of a band that has `count` numbers of the first axis.
    pub(crate) fn numbers<'a>(&'a self, count: usize, planes: [&'a [R]; 2]) -> impl Iterator<Item = &'a [R]> {
        let (layout, starts) = (&self.layout, &self.starts);
        let (starts, n) = match layout.rank {
            1 => (&starts[..1], count),
            _ => (&starts[..starts.len() / layout.numbers[0] * count], layout.row()),
        };
        planes.into_iter().flat_map(move |plane| starts.iter().map(move |&start| &plane[start..][..n]))
    }

    /// The halves of a spectrum, as a product wants them.
    pub(crate) fn factor<'a>(&self, spectrum: &'a [R]) -> What<'a, R> {
        What::Product(spectrum.split_at(spectrum.len() / 2).into())
    }

    /// Transforms a block, or back, or there, times a factor, and back in place with fewer ways to memory.
    pub(crate) fn apply(&self, block: &mut [R], what: What<'_, R>, crew: Crew<'_, '_>) {
        let layout = &self.layout;
        let mut crew = crew.filter(|workers| workers.count() > 1);
        if let (Some(workers), false) = (crew.as_deref_mut(), self.heads.is_empty()) {
            return self.pieces(block, what, workers);
        }
        if !layout.parted {
            return self.sections(planes(block), 0, what);
        }
        let first_axis = |block: &mut [R], back: bool, crew: Crew<'_, '_>| {
            let width = match &self.taps {
                _ if layout.last == Last::Transformed => layout.slab[1],
                Some(taps) if back => layout.columns(0, taps.results),
                _ => layout.columns(0, layout.row()),
            };
            let shape = [layout.numbers[0], width, layout.pitches[0]];
            let levels = &self.levels[0];
            strips(block, shape, crew, |planes| R::columns(self.isa, Columns { planes, levels, back }));
        };
        if !matches!(what, What::Inverse) {
            first_axis(block, false, crew.as_deref_mut());
        }
        let (pitch, rows) = (layout.pitches[0], self.starts.len() / layout.numbers[0]);
        // Rows are cut into bands by who transforms them.
        let band = if rows == 1 && crew.is_none() { layout.numbers[0] } else { layout.band::<R>() };
        cut(block, [layout.numbers[0] * pitch, band * pitch], crew.as_deref_mut(), |start, mut planes| {
            let slabs = planes.re.len() / pitch;
            let apart = self.taps.as_ref().map_or(pitch, |taps| taps.pitch);
            let what = |slab: usize| what.from((start / pitch + slab) * apart);
            if rows == 1 {
                return self.rows(planes, &self.starts[..slabs], what(0));
            }
            for slab in 0..slabs {
                self.sections(planes.from(slab * pitch), 1, what(slab));
            }
        });
        if !matches!(what, What::Forward) {
            first_axis(block, true, crew);
        }
    }

    /// A long row in pieces, each of which is transformed by one thread once the first levels have cut them.
    fn pieces(&self, block: &mut [R], what: What<'_, R>, workers: &mut Workers<'_>) {
        let enough = |head: &&Levels<R>| head.rows() >= 2 * workers.count();
        let Some(head) = self.heads.iter().find(enough).or(self.heads.last()) else { return };
        let (n, count) = (self.layout.row(), head.rows());
        let piece = n / count;
        let columns = |block: &mut [R], back: bool, workers: &mut Workers<'_>| {
            strips(block, [count, piece, piece], Some(workers), |planes| {
                R::columns(self.isa, Columns { planes, levels: head, back });
            });
        };
        if !matches!(what, What::Inverse) {
            columns(block, false, workers);
        }
        let (levels, Some(ends)) = (&self.levels[0], &self.ends) else { return };
        cut(block, [n, piece], Some(&mut *workers), |start, planes| {
            let (piece, what) = ([start / piece, count], what.from(start));
            R::rows(self.isa, Rows { planes, levels, ends, starts: &[0], room: 0, piece, what });
        });
        if !matches!(what, What::Forward) {
            columns(block, true, workers);
        }
    }

    /// A slab or block along its axes from the `first` on: columns, then rows.
    fn sections(&self, mut planes: Planes<'_, R>, first: usize, what: What<'_, R>) {
        let (layout, last) = (&self.layout, self.layout.rank - 1);
        let starts = &self.starts[..layout.numbers[first..last].iter().product()];
        if !matches!(what, What::Inverse) {
            (first..last).for_each(|axis| self.columns(axis, first, &mut planes, starts, false));
        }
        self.rows(planes.from(0), starts, what);
        if !matches!(what, What::Forward) {
            (first..last).rev().for_each(|axis| self.columns(axis, first, &mut planes, starts, true));
        }
    }

    fn rows(&self, planes: Planes<'_, R>, starts: &[usize], what: What<'_, R>) {
        if let Some(ends) = &self.ends {
            let levels = &self.levels[self.layout.rank - 1];
            let room = self.layout.slab[0];
            R::rows(self.isa, Rows { planes, levels, ends, starts, room, piece: [0, 1], what });
        } else if let (Some(taps), What::Product(factor)) = (&self.taps, what) {
            let Taps { results, count, step, .. } = *taps;
            let from = &taps.starts[..starts.len()];
            R::sums(self.isa, Sums { planes, starts, results, taps: factor, from, count, step });
        }
    }

    fn columns(&self, axis: usize, first: usize, planes: &mut Planes<'_, R>, starts: &[usize], back: bool) {
        let layout = &self.layout;
        let (rows, levels) = (layout.numbers[axis], &self.levels[axis]);
        if rows == 1 {
            return;
        }
        let shape = [rows, layout.columns(axis, layout.row()), layout.pitches[axis]];
        let outer = layout.numbers[first..axis].iter().product::<usize>();
        for &start in starts.iter().step_by(starts.len() / outer) {
            R::columns(self.isa, Columns { planes: planes.from(start).rows(shape), levels, back });
        }
    }

    /// Adds up some of the products of spectra: `sum += first · second`, of `second` the conjugate if asked for; or, if
    /// nothing is to be added to, `sum = first · second`. The range is one of a plane's numbers.
    pub(crate) fn multiply(&self, range: Range<usize>, sum: &mut [R], [first, second]: [&[R]; 2], how: Product) {
        let half = self.layout.plane();
        let (re, im) = sum.split_at_mut(half);
        let call = Products {
            sum: Planes { re: &mut re[range.clone()], im: &mut im[range.clone()] },
            first: [&first[range.clone()], &first[half..][range.clone()]],
            second: [&second[range.clone()], &second[half..][range.clone()]],
            conjugate: how.conjugate,
            add: how.add,
        };
        R::products(self.isa, call);
    }
}

/// How spectra are multiplied.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Product {
    /// Whether it is by the conjugate of the second.
    pub(crate) conjugate: bool,
    /// Whether it is added to what is there.
    pub(crate) add: bool,
}

/// Both planes of a block.
pub(crate) fn planes<R>(block: &mut [R]) -> Planes<'_, R> {
    let (re, im) = block.split_at_mut(block.len() / 2);
    Planes { re, im }
}

/// Numbers of a row from which on threads may share it, and the pieces they cut it into.
const LONG: usize = 1 << 14;
const PIECES: [usize; 3] = [4, 16, 64];

#[cfg(test)]
mod tests {
    use super::*;

    /// Convolves two sparse blocks by transforms and by the definition.
    fn check<R: Element<Real = R> + sealed::Real>(isa: Isa, extents: &[usize], samples: Samples) {
        let layout = Layout::new(extents, Last::Transformed, samples, size_of::<R>()).expect("a layout");
        let transform = Transform::<R>::new(isa, layout.clone()).expect("a transform");
        let count: usize = extents.iter().product();
        let parts = if samples == Samples::Real { 1 } else { 2 };
        let place = |index: &[usize]| index.iter().enumerate().map(|(a, &i)| layout.place(a, i)).sum::<usize>();
        // A dense block of small numbers, and another of five.
        let number = |i: usize, seed: usize| ((i * 7919 + seed * 104_729) % 17) as f64 - 8.0;
        let dense = |i: usize| [number(i, 1), if parts == 2 { number(i, 2) } else { 0.0 }];
        let sparse: Vec<(usize, [f64; 2])> = (0..5)
            .map(|k| (k * count / 5 + k % 3, [number(k, 3), if parts == 2 { number(k, 4) } else { 0.0 }]))
            .collect();
        let at = |flat: usize| {
            let mut index = vec![0; extents.len()];
            let mut rest = flat;
            for a in (0..extents.len()).rev() {
                index[a] = rest % extents[a];
                rest /= extents[a];
            }
            index
        };
        let fill = |values: &mut dyn FnMut(usize) -> [f64; 2]| {
            let mut block = vec![<R as Scalar>::from_f64(f64::NAN); layout.block()];
            for flat in 0..count {
                let (index, value) = (at(flat), values(flat));
                let place = place(&index);
                assert_eq!(&layout.index(place)[..extents.len()], index);
                block[place] = <R as Scalar>::from_f64(value[0]);
                if parts == 2 {
                    block[place + layout.plane()] = <R as Scalar>::from_f64(value[1]);
                }
            }
            block
        };
        let mut first = fill(&mut |i| dense(i));
        let mut second =
            fill(&mut |i| sparse.iter().find(|(place, _)| *place == i).map_or([0.0; 2], |(_, value)| *value));
        let mut fused = first.clone();
        for block in [&mut first, &mut second] {
            transform.apply(block, What::Forward, None);
        }
        transform.apply(&mut fused, transform.factor(&second), None);
        let mut sum = vec![<R as Scalar>::from_f64(f64::NAN); layout.block()];
        for add in [false, true] {
            let how = Product { conjugate: false, add };
            transform.multiply(0..layout.plane(), &mut sum, [&first, &second], how);
        }
        transform.apply(&mut sum, What::Inverse, None);
        let mut to = vec![0; extents.len()];
        for _ in 0..count {
            let mut expected = [0.0; 2];
            for (place, w) in &sparse {
                let (mut from, tap) = (vec![0; extents.len()], at(*place));
                let mut sign = 2.0;
                for a in 0..extents.len() {
                    from[a] = (to[a] + extents[a] - tap[a]) % extents[a];
                    if a == 0 && to[a] < tap[a] && samples == Samples::Real {
                        sign = -sign;
                    }
                }
                let x = dense(from.iter().zip(extents).fold(0, |flat, (i, n)| flat * n + i));
                expected[0] += sign * (x[0] * w[0] - x[1] * w[1]);
                expected[1] += sign * (x[0] * w[1] + x[1] * w[0]);
            }
            let place = place(&to);
            let tolerance = 1e4 * R::DTYPE.epsilon();
            // The sum holds the product twice.
            for (block, times) in [(&sum, 1.0), (&fused, 2.0)] {
                let given = [block[place], block[if parts == 2 { place + layout.plane() } else { place }]]
                    .map(|x| x.to_f64().0 * transform.scale() * times);
                for part in 0..parts {
                    assert!(
                        (given[part] - expected[part]).abs() < tolerance,
                        "{isa:?} {extents:?} {samples:?} at {to:?}: {given:?}, expected {expected:?}"
                    );
                }
            }
            crate::view::advance(&mut to, extents);
        }
    }

    #[test]
    fn products_of_spectra_are_convolutions() {
        let shapes: &[&[usize]] = &[
            &[32],
            &[64],
            &[96],
            &[160],
            &[224],
            &[256],
            &[512],
            &[1024],
            &[2048],
            &[4096 * 3],
            &[32768],
            &[81920],
            &[6, 16],
            &[10, 48],
            &[14, 64],
            &[16, 32],
            &[20, 80],
            &[2, 64],
            &[2, 3, 32],
            &[6, 5, 48],
            &[8, 8, 64],
            &[2, 2, 3, 32],
            &[800, 16],
            &[2400, 64],
        ];
        for isa in Isa::all() {
            for extents in shapes {
                for samples in [Samples::Real, Samples::Complex] {
                    check::<f32>(isa, extents, samples);
                    check::<f64>(isa, extents, samples);
                }
            }
        }
    }
}
