//! Max pooling of two by two samples, and its way back.
//!
//! A register of windows is two registers of each of two rows, taken apart into left and right samples; which of a
//! window's four is the largest is kept in a byte. On the way back a gradient goes to the sample chosen: two registers
//! for each of the two rows, put together from left and right.
//!
//! Rows are short, so that their last registers go beyond them as long as there is room: what is written there is
//! written again, since rows follow one another.

mod choosing;

pub(in crate::simd) use choosing::Choosing;

use super::Isa;
use super::leaves::Kernels;
use super::pooled::{self, PooledGradient, PooledSums};
use super::vector::Vector;

/// Planes one behind the other, and the windows of two by two in each.
#[derive(Clone, Copy, Debug)]
pub struct PairWindows {
    /// Samples of a plane, and from one row to the next.
    pub(crate) plane: usize,
    pub(crate) pitch: usize,
    /// Rows of windows, and windows of a row; at least one of both.
    pub(crate) count: [usize; 2],
}

/// The arguments of a choice: the largest sample of each window, the first of several, NaN before numbers; and its place
/// in the window, row by row.
pub struct Choose<'a, T> {
    pub(crate) windows: PairWindows,
    pub(crate) source: &'a [T],
    pub(crate) out: &'a mut [T],
    pub(crate) choices: &'a mut [u8],
}

/// The arguments of the way back: each window's gradient where its choice was, zero in all other samples.
pub struct Unchoose<'a, T> {
    pub(crate) windows: PairWindows,
    pub(crate) gradient: &'a [T],
    pub(crate) choices: &'a [u8],
    pub(crate) out: &'a mut [T],
}

/// Element types of which the larger can be chosen.
pub trait Pairs: Kernels {
    /// Chooses. Panics where a slice has not the length that the windows say.
    fn choose(isa: Isa, call: Choose<'_, Self>);
    /// Goes back. Panics where a slice has not the length that the windows say.
    fn unchoose(isa: Isa, call: Unchoose<'_, Self>);
    /// Convolves and chooses. Panics where a slice has not the length that the windows say.
    fn pooled_sums(isa: Isa, call: PooledSums<'_, Self>);
    /// Adds the weights' gradient. Panics where a slice has not the length that the windows say.
    fn pooled_gradient(isa: Isa, call: PooledGradient<'_, Self>);
}

macro_rules! pairs {
    ($($t:ident: $avx512:ident, $avx2:ident, $lanes:expr;)*) => {$(
        impl Pairs for $t {
            fn choose(isa: Isa, call: Choose<'_, Self>) {
                call.windows.check(call.source.len(), [call.out.len(), call.choices.len()]);
                dispatch!(isa, call, Choose<$t> => choose, $avx512, $avx2, $lanes)
            }

            fn unchoose(isa: Isa, call: Unchoose<'_, Self>) {
                call.windows.check(call.out.len(), [call.gradient.len(), call.choices.len()]);
                dispatch!(isa, call, Unchoose<$t> => unchoose, $avx512, $avx2, $lanes)
            }

            fn pooled_sums(isa: Isa, call: PooledSums<'_, Self>) {
                let windows = [call.out.len(), call.choices.len()];
                call.windows.check($t::lanes(isa), call.source.len(), call.weights.len(), windows);
                dispatch!(isa, call, PooledSums<$t> => pooled::sums, $avx512, $avx2, $lanes)
            }

            fn pooled_gradient(isa: Isa, call: PooledGradient<'_, Self>) {
                let (lanes, windows) = ($t::lanes(isa), [call.gradient.len(), call.choices.len()]);
                assert!(call.lanes.len().is_multiple_of(lanes), "a register of lanes for each weight");
                call.windows.check(lanes, call.source.len(), call.lanes.len() / lanes, windows);
                dispatch!(isa, call, PooledGradient<$t> => pooled::gradient, $avx512, $avx2, $lanes)
            }
        }
    )*};
}
pairs! {
    f32: F32, F32, 4;
    f64: F64, F64, 2;
}

impl PairWindows {
    /// Everything that the loops take on trust.
    fn check(&self, samples: usize, windows: [usize; 2]) {
        let Self { plane, pitch, count: [high, wide] } = *self;
        assert!(high > 0 && wide > 0 && 2 * wide <= pitch, "rows hold their windows");
        assert!((2 * high - 1) * pitch + 2 * wide <= plane, "planes hold their rows");
        let planes = samples / plane;
        assert!(samples == planes * plane && windows == [planes * high * wide; 2], "as many planes of each");
    }
}

/// # Safety
/// The call has been [checked](PairWindows::check), and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn choose<V: Choosing>(call: Choose<'_, V::Lane>) {
    let Choose { windows: PairWindows { plane, pitch, count: [high, wide] }, source, out, choices } = call;
    for plane_index in 0..source.len() / plane {
        for line in 0..high {
            let (row, above) = (plane_index * high + line, plane_index * plane + 2 * line * pitch);
            for first in (0..wide).step_by(V::LANES) {
                let (at, count) = (row * wide + first, V::LANES.min(wide - first));
                // SAFETY: `check` has seen that the source holds the rows of all windows, and that there is a result
                // and a choice for each; more than `count` are written only where there are more behind them.
                unsafe {
                    let (a, b) = pairs_at::<V>(source, above + 2 * first, count);
                    let (c, d) = pairs_at::<V>(source, above + pitch + 2 * first, count);
                    let (most, places) = largest([a, b, c, d]);
                    let room = V::LANES.min(out.len() - at);
                    if room == V::LANES {
                        most.store(out.as_mut_ptr().add(at));
                    } else {
                        most.store_first(out.as_mut_ptr().add(at), room);
                    }
                    V::store_places(places, choices.as_mut_ptr().add(at), room);
                }
            }
        }
    }
}

/// The largest of a window's samples, row by row, with its place: the first of several, NaN before numbers.
///
/// # Safety
/// The machine has `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn largest<V: Choosing>([a, b, c, d]: [V; 4]) -> (V, V::Places) {
    // SAFETY: the caller's promise.
    unsafe {
        let ((upper, above), (under, below)) = (a.larger(b), c.larger(d));
        let (most, lower) = upper.larger(under);
        (most, V::places(above, below, lower))
    }
}

/// The left and the right samples of `count` pairs, at most a register of each, from an element on; anything in the
/// other lanes.
///
/// # Safety
/// There are so many, and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn pairs_at<V: Choosing>(source: &[V::Lane], at: usize, count: usize) -> (V, V) {
    let samples = 2 * count;
    // SAFETY: the caller's promise; more are read only where there are more behind them.
    unsafe {
        let from = source.as_ptr().add(at);
        if source.len() - at >= 2 * V::LANES {
            return V::load(from).unzip(V::load(from.add(V::LANES)));
        }
        let rest = samples.saturating_sub(V::LANES);
        let high = if rest > 0 { V::load_first(from.add(V::LANES), rest) } else { V::zero() };
        V::load_first(from, samples.min(V::LANES)).unzip(high)
    }
}

/// # Safety
/// The call has been [checked](PairWindows::check), and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn unchoose<V: Choosing>(call: Unchoose<'_, V::Lane>) {
    let Unchoose { windows: PairWindows { plane, pitch, count: [high, wide] }, gradient, choices, out } = call;
    for start in (0..out.len()).step_by(plane) {
        for line in 0..high {
            let (row, upper) = (start / plane * high + line, start + 2 * line * pitch);
            for first in (0..wide).step_by(V::LANES) {
                let (at, count) = (row * wide + first, V::LANES.min(wide - first));
                // SAFETY: `check` has seen that there is a gradient and a choice for each window, and that the planes
                // hold the rows of all windows.
                unsafe {
                    let given = gradient.as_ptr().add(at);
                    let given = if count == V::LANES { V::load(given) } else { V::load_first(given, count) };
                    let places = V::load_places(choices.as_ptr().add(at), V::LANES.min(choices.len() - at));
                    let above = given.chosen(places, 0).zip(given.chosen(places, 1));
                    let below = given.chosen(places, 2).zip(given.chosen(places, 3));
                    // What lies behind the upper row is written next, unless its beginning has been.
                    put_pairs(above, &mut out[upper + 2 * first..], count, first == 0);
                    put_pairs(below, &mut out[upper + pitch + 2 * first..], count, true);
                }
            }
            if pitch > 2 * wide {
                for begin in [upper, upper + pitch] {
                    let end = (start + plane).min(begin + pitch);
                    out[begin + 2 * wide..end].fill(V::Lane::default());
                }
            }
        }
        if plane > 2 * high * pitch {
            out[start + 2 * high * pitch..start + plane].fill(V::Lane::default());
        }
    }
}

/// Writes `count` pairs, and zeros behind them if there is room and they may be written.
///
/// # Safety
/// The slice holds the pairs, and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn put_pairs<V: Vector>((low, high): (V, V), to: &mut [V::Lane], count: usize, beyond: bool) {
    let (whole, to) = (to.len() >= 2 * V::LANES && (beyond || count == V::LANES), to.as_mut_ptr());
    // SAFETY: the caller's promise, and the length just seen.
    unsafe {
        if whole {
            low.store(to);
            high.store(to.add(V::LANES));
            return;
        }
        let samples = 2 * count;
        low.store_first(to, samples.min(V::LANES));
        if samples > V::LANES {
            high.store_first(to.add(V::LANES), samples - V::LANES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place of the first of the largest, NaN before numbers, by the definition.
    fn best(values: [f64; 4]) -> usize {
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let nan = values.iter().position(|v| v.is_nan());
        nan.or(values.iter().position(|&v| v == most)).expect("four values")
    }

    fn agree<T: Pairs + Default + PartialEq + std::fmt::Debug + Into<f64>>(isa: Isa, number: impl Fn(f64) -> T) {
        let widths = (1..=20).chain([31, 32, 33, 40]);
        for (high, wide, odd) in widths.flat_map(|wide| [(1, wide, [0, 0]), (3, wide, [1, 0]), (2, wide, [2, 1])]) {
            let (pitch, rows, planes) = (2 * wide + odd[0], 2 * high + odd[1], 3);
            let windows = PairWindows { plane: pitch * rows, pitch, count: [high, wide] };
            // Many equal values, and some that are none.
            let value = |i: usize| if i % 53 == 11 { f64::NAN } else { ((i * 7919) % 101 % 4) as f64 - 2.0 };
            let source: Vec<T> = (0..planes * windows.plane).map(|i| number(value(i))).collect();
            let count = planes * high * wide;
            let (mut out, mut choices) = (vec![number(77.0); count], vec![9; count]);
            T::choose(isa, Choose { windows, source: &source, out: &mut out, choices: &mut choices });
            let gradient: Vec<T> = (0..count).map(|i| number(i as f64 + 1.0)).collect();
            let (mut back, mut expected) = (vec![number(77.0); source.len()], vec![T::default(); source.len()]);
            for (i, (y, &choice)) in out.iter().zip(&choices).enumerate() {
                let (plane, line, column) = (i / (high * wide), i / wide % high, i % wide);
                let at = |place: usize| plane * windows.plane + (2 * line + place / 2) * pitch + 2 * column + place % 2;
                let place = best([0, 1, 2, 3].map(|place| value(at(place))));
                assert_eq!(usize::from(choice), place, "{isa:?} {high}x{wide}+{odd:?}: choice {i}");
                let (y, wanted): (f64, f64) = ((*y).into(), value(at(place)));
                assert!(y == wanted || y.is_nan() && wanted.is_nan(), "{isa:?} {high}x{wide}+{odd:?}: {i} is {y}");
                expected[at(place)] = gradient[i];
            }
            T::unchoose(isa, Unchoose { windows, gradient: &gradient, choices: &choices, out: &mut back });
            assert_eq!(back, expected, "{isa:?} {high}x{wide}+{odd:?}");
        }
    }

    #[test]
    fn the_first_of_the_largest_is_chosen_and_found_again() {
        for isa in Isa::all() {
            agree::<f32>(isa, |v| v as f32);
            agree::<f64>(isa, |v| v);
        }
    }

    #[test]
    #[should_panic(expected = "as many planes of each")]
    fn a_short_result_is_refused() {
        let windows = PairWindows { plane: 4, pitch: 2, count: [1, 1] };
        let call = Choose { windows, source: &[0.0f32; 8], out: &mut [0.0; 1], choices: &mut [0; 2] };
        f32::choose(Isa::Portable, call);
    }
}
