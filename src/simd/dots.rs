//! The dot products.
//!
//! Of rows of several gradients with rows of one source, at several offsets,
//!
//! ```text
//! out[c][i] += Σ_r Σ_j gradient[c · channel + r · pitch + j] · source[offsets[i] + r · source_pitch + j]     j < width
//! ```
//!
//! lane by lane: the sums stay in as many lanes as a register has, so that rows and blocks without number are added up
//! before the lanes are. A tile of gradients and offsets is kept in registers; the rest of a row is a register that is
//! loaded in part, so that nothing beyond the rows is touched. Rows of a source that is read where it lies may end before
//! the sums do: then zeros take the places of samples before them and behind.

use super::memory::prefetch_line;
use super::product::Offsets;
use super::vector::Vector;

/// The arguments of some dot products; see the [module](self).
pub struct Dots<'a, T> {
    pub(crate) gradient: &'a [T],
    /// Gradients, and from one to the next.
    pub(crate) channels: usize,
    pub(crate) channel: usize,
    pub(crate) source: &'a [T],
    /// Where the source's rows may be left, the samples of one, and the one with which a sum at offset 0 begins.
    pub(crate) ends: Option<(usize, isize)>,
    pub(crate) offsets: &'a Offsets,
    /// Rows, and from one to the next in a gradient and in the source.
    pub(crate) rows: usize,
    pub(crate) pitches: [usize; 2],
    /// Elements of a row, at least one.
    pub(crate) width: usize,
    /// A register's lanes for each gradient and offset, added to.
    pub(crate) out: &'a mut [T],
}

impl<T> Dots<'_, T> {
    /// Everything that the loops take on trust.
    pub(super) fn check(&self, lanes: usize) {
        let Self { channels, channel, rows, pitches, width, .. } = *self;
        assert!(channels > 0 && rows > 0 && width > 0, "something to sum");
        let last = |count: usize, step: usize| (count - 1).saturating_mul(step);
        let [end, source_end] = pitches.map(|pitch| last(rows, pitch));
        let end = last(channels, channel).saturating_add(end).saturating_add(width);
        assert!(end <= self.gradient.len(), "the gradients hold their rows");
        let reach = match self.ends {
            Some((inside, first)) => {
                let most = isize::MAX as usize >> 8;
                assert!(
                    first.unsigned_abs().max(width).max(self.offsets.largest()) <= most,
                    "places that can be added to"
                );
                inside
            }
            None => self.offsets.largest().saturating_add(width),
        };
        assert!(reach.saturating_add(source_end) <= self.source.len(), "the source reaches as far as the offsets");
        assert!(self.out.len() == channels * self.offsets.len() * lanes, "lanes for each gradient and offset");
    }
}

/// # Safety
/// The call has been [checked](Dots::check), and the machine has `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn dots<V: Vector>(call: Dots<'_, V::Lane>) {
    // Evenly: nine offsets are five and four, not six and three.
    let cut = |total: usize, most: usize, part: usize| {
        let parts = total.div_ceil(most);
        [total * part / parts, total * (part + 1) / parts]
    };
    // Gradients of a tile where there are as many.
    let tile = if V::MANY && V::REAL { 7 } else { 3 };
    // With few registers a tile soon comes back to its gradients, which are to be in the first cache then.
    let row = tile * call.width.div_ceil(V::LANES) * size_of::<V>();
    let group = if V::MANY { call.rows } else { NEAR.div_ceil(row) };
    for first in (0..call.rows).step_by(group) {
        let rows = [first, (first + group).min(call.rows)];
        for part in 0..call.channels.div_ceil(tile) {
            let [channel, end] = cut(call.channels, tile, part);
            let gradients = end - channel;
            let most = match gradients {
                1 if V::REAL => 9,
                5.. => 3,
                3 if !V::MANY => 3,
                _ if !V::REAL => 3,
                _ if V::MANY => 6,
                _ => 4,
            };
            for part in 0..call.offsets.len().div_ceil(most) {
                let [offset, end] = cut(call.offsets.len(), most, part);
                let (at, count) = (Place { channel, offset, rows }, end - offset);
                // SAFETY: as many gradients and offsets are left.
                unsafe {
                    match gradients {
                        7 if V::MANY && V::REAL => few_dots::<V, 7>(&call, at, count),
                        6 if V::MANY && V::REAL => few_dots::<V, 6>(&call, at, count),
                        5 if V::MANY && V::REAL => few_dots::<V, 5>(&call, at, count),
                        4 if V::MANY && V::REAL => many_dots::<V, 4>(&call, at, count),
                        3 => many_dots::<V, 3>(&call, at, count),
                        2 => many_dots::<V, 2>(&call, at, count),
                        _ => match count {
                            9 if V::REAL => some_dots::<V, 1, 9>(&call, at),
                            8 if V::REAL => some_dots::<V, 1, 8>(&call, at),
                            7 if V::REAL => some_dots::<V, 1, 7>(&call, at),
                            _ => many_dots::<V, 1>(&call, at, count),
                        },
                    }
                }
            }
        }
    }
}

/// Bytes of the gradients of a tile that the first cache keeps beside the source's rows.
const NEAR: usize = 12 << 10;

/// What a tile of dot products begins with, and its rows.
#[derive(Clone, Copy)]
struct Place {
    channel: usize,
    offset: usize,
    rows: [usize; 2],
}

/// As [`many_dots`], at most three offsets.
///
/// # Safety
/// As [`dots`]; there are as many.
#[inline(always)]
unsafe fn few_dots<V: Vector, const M: usize>(call: &Dots<'_, V::Lane>, at: Place, offsets: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match offsets {
            3 => some_dots::<V, M, 3>(call, at),
            2 => some_dots::<V, M, 2>(call, at),
            _ => some_dots::<V, M, 1>(call, at),
        }
    }
}

/// The dot products of `M` gradients, at most four, at as many offsets as they are taken with, from those `at` which it is
/// on.
///
/// # Safety
/// As [`dots`]; there are as many.
#[inline(always)]
unsafe fn many_dots<V: Vector, const M: usize>(call: &Dots<'_, V::Lane>, at: Place, offsets: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match offsets {
            6 if V::REAL && (V::MANY || const { M == 1 }) => some_dots::<V, M, 6>(call, at),
            5 if V::REAL && (V::MANY || const { M == 1 }) => some_dots::<V, M, 5>(call, at),
            4 if V::REAL && (V::MANY || const { M < 3 }) => some_dots::<V, M, 4>(call, at),
            _ => few_dots::<V, M>(call, at, offsets),
        }
    }
}

/// Bytes that a gradient is asked for before it is met: a row that ends is no stream to the machine.
const AHEAD: usize = 8192;

/// The dot products of `M` gradients at `N` offsets, from those `at` which it is on.
///
/// # Safety
/// As [`dots`]; there are as many.
#[inline(always)]
unsafe fn some_dots<V: Vector, const M: usize, const N: usize>(call: &Dots<'_, V::Lane>, at: Place) {
    let Place { channel, offset, rows: [top, bottom] } = at;
    let l = V::LANES as isize;
    let (inside, first) = call.ends.map_or((isize::MAX, 0), |(inside, first)| (inside as isize, first));
    let width = call.width as isize;
    // The registers of a row that are there whole, in the gradients and in the source at all offsets.
    let [mut low, mut high] = [0, width / l];
    if call.ends.is_some() {
        low = ((l - 1 - first).max(0) / l).min(high);
        high = ((inside - first - call.offsets.largest() as isize).max(0) / l).clamp(low, high);
    }
    // SAFETY: `check` has seen that the rows of all gradients lie within theirs, that the same rows from the largest
    // offset on lie within the source, or all that is inside it, and that there are lanes for each gradient and offset, which nothing else
    // borrows.
    unsafe {
        let mut gradients = [call.gradient.as_ptr(); M];
        let mut sources = [call.source.as_ptr(); N];
        let out = call.out.as_ptr().cast_mut().add((channel * call.offsets.len() + offset) * V::LANES);
        let pitch = call.offsets.len() * V::LANES;
        let mut sums = [[V::zero(); N]; M];
        for m in 0..M {
            gradients[m] = gradients[m].add((channel + m) * call.channel);
            for n in 0..N {
                sums[m][n] = V::load(out.add(m * pitch + n * V::LANES));
            }
        }
        for n in 0..N {
            sources[n] = sources[n].wrapping_add(call.offsets.as_slice()[offset + n]);
        }
        for row in top..bottom {
            let [from, source] = [row * call.pitches[0], row * call.pitches[1]];
            // A macro, since closures are not compiled for the instruction set for certain.
            macro_rules! add {
                ($at:expr, |$from:ident| $gradient:expr, |$n:ident| $samples:expr) => {
                    let mut weights = [V::zero().weights(); M];
                    for m in 0..M {
                        let $from = gradients[m].add(from + $at as usize);
                        weights[m] = $gradient.weights();
                    }
                    prefetch_line(gradients[M - 1].wrapping_add(from + $at as usize).cast::<u8>().wrapping_add(AHEAD));
                    for $n in 0..N {
                        let x: V = $samples;
                        for m in 0..M {
                            sums[m][$n] = x.mul_add(weights[m], sums[m][$n]);
                        }
                    }
                };
            }
            for j in low..high {
                let source = source as isize + j * l + first;
                add!(j * l, |from| V::load(from), |n| V::load(sources[n].wrapping_offset(source)));
            }
            // What lies before them and behind, in a loop of its own.
            for j in (0..low).chain(high..(width + l - 1) / l) {
                let at = j * l;
                let source = source as isize + at + first;
                let count = (width - at).min(l);
                add!(at, |from| V::load_first(from, count as usize), |n| {
                    // The first lane's sample of the row.
                    let place = at + first + call.offsets.as_slice()[offset + n] as isize;
                    let before = (-place).clamp(0, count);
                    let end = (inside - place).min(count).max(before);
                    V::load_range(sources[n].wrapping_offset(source), before as usize, end as usize)
                });
            }
        }
        for m in 0..M {
            for n in 0..N {
                sums[m][n].store(out.add(m * pitch + n * V::LANES));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use num_complex::Complex;

    use super::super::Isa;
    use super::super::guarded::End;
    use super::*;
    use crate::element::Element;

    fn number<T: Element>(i: usize) -> T {
        T::from_f64((i * 37 % 11) as f64 - 5.0)
    }

    /// Gradients and source end with the last element of the last row; with `edges`, sums begin before the rows of the
    /// source and end behind them.
    fn dots_agree<T: Element>(isa: Isa, (end, edges): (End, bool), channels: usize, offsets: usize, width: usize) {
        let (rows, lanes) = (3, T::lanes(isa));
        let offsets = Offsets::new((0..offsets).map(|i| i * 5 % 7).collect());
        let pitches = [width, width + 2];
        let channel = rows * pitches[0] + 1;
        let gradient = end.guard((0..channels * channel - 1).map(number).collect::<Vec<T>>());
        let ends = edges.then_some(((width + offsets.largest()).saturating_sub(5).max(1), -3));
        let row = ends.map_or(offsets.largest() + width, |(inside, _)| inside);
        let reach = row + (rows - 1) * pitches[1];
        let source = end.guard((0..reach).map(|i| number(i + 3)).collect::<Vec<T>>());
        let before: Vec<T> = (0..channels * offsets.len() * lanes).map(|i| number(i + 5)).collect();
        let mut out = end.guard(&before);
        T::dots(
            isa,
            Dots {
                gradient: &gradient,
                channels,
                channel,
                source: &source,
                ends,
                offsets: &offsets,
                rows,
                pitches,
                width,
                out: &mut out,
            },
        );
        let total = |sums: &[T]| sums.iter().fold(T::default(), |sum, &part| sum + part);
        for (i, sums) in out.chunks(lanes).enumerate() {
            let (c, offset) = (i / offsets.len(), offsets.as_slice()[i % offsets.len()]);
            let mut expected = total(&before[i * lanes..][..lanes]);
            for (r, j) in (0..rows).flat_map(|r| (0..width).map(move |j| (r, j))) {
                let gradient = gradient[c * channel + r * pitches[0] + j];
                expected += match ends {
                    None => gradient * source[offset + r * pitches[1] + j],
                    Some((inside, first)) => match usize::try_from((offset + j) as isize + first) {
                        Ok(at) if at < inside => gradient * source[r * pitches[1] + at],
                        _ => continue,
                    },
                };
            }
            let count = offsets.len();
            assert_eq!(total(sums), expected, "{isa:?} {channels} gradients, {count} offsets, {width} wide: {c}, {i}");
        }
    }

    #[test]
    fn every_tile_of_dots_agrees_with_the_sum_written_out() {
        let ends = [(End::First, false), (End::Last, false), (End::First, true), (End::Last, true)];
        for (isa, end) in Isa::all().into_iter().flat_map(|isa| ends.map(|end| (isa, end))) {
            for width in (1..=35).chain([63, 64, 65]) {
                for channels in 1..=9 {
                    for offsets in [1, 2, 5, 6, 9, 13] {
                        dots_agree::<f32>(isa, end, channels, offsets, width);
                    }
                }
                for (channels, offsets) in [(1, 7), (1, 8), (2, 3), (3, 4), (4, 6), (5, 9), (7, 10)] {
                    dots_agree::<f64>(isa, end, channels, offsets, width);
                    dots_agree::<Complex<f32>>(isa, end, channels, offsets, width);
                    dots_agree::<Complex<f64>>(isa, end, channels, offsets, width);
                }
            }
        }
    }
}
