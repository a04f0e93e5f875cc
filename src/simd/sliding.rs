//! The sum over windows that slide down an image: one output channel, its neighbours being the rows.
//!
//! ```text
//! out[y][x] = Σ_columns Σ_{k < height} weight[k] · source[offset + (y + k) · pitch + x]
//! ```
//!
//! The taps come as columns: those of consecutive rows of the kernel that share everything else. A block of `M` rows by
//! `N` registers of results stays in registers over the whole sum. Going down a column, each row of the source is
//! loaded once and multiplied into all rows of the block that it meets, so that a load serves up to `M` multiply-adds
//! in place of one: what bounds a sum with one output channel is the loads, most of which split cache lines.
//!
//! No column is padded to the height of another: a zero weight times an infinite sample would be NaN.
//!
//! Rows and columns that do not fill a block are computed by one that is shifted back over results that are there
//! already; each result's sum has the same order in every block, so they are written again with the same bits.

use num_complex::Complex;

use super::Isa;
use super::memory::{Line, prefetch_line};
use super::tiles::{Plane, Planes};
use super::vector::Vector;

/// Where a column of taps finds the samples of the first result, and its height.
pub(crate) type Column = [usize; 2];

/// The arguments of a sum over sliding windows; see the [module](self).
pub struct Sliding<'a, T> {
    /// Register loads may go on behind the last column of a block: it reaches one register far at least, and of every
    /// second sample, one sample further.
    pub(crate) source: &'a [T],
    /// From one channel of the source to the next.
    pub(crate) channel: usize,
    /// From one row of the source to the next.
    pub(crate) pitch: usize,
    /// From one result's samples to the next one's along a row: 1 or 2.
    pub(crate) step: usize,
    pub(crate) columns: &'a [Column],
    /// The weights of one column after the other, for one channel after the other.
    pub(crate) weights: &'a [T],
    /// A plane for each channel.
    pub(crate) out: Planes<'a, T>,
    /// What will be read after this call, and is asked for meanwhile.
    pub(crate) ahead: &'a [T],
}

/// The leaves for sliding windows of an element type.
pub trait Slide: Copy + 'static {
    /// Computes a sum over sliding windows. Panics where a slice is too short for what the call says.
    fn slide(isa: Isa, call: Sliding<'_, Self>);
}

macro_rules! slides {
    ($($t:ty: $avx512:ident, $avx2:ident, $lanes:expr;)*) => {$(
        impl Slide for $t {
            fn slide(isa: Isa, call: Sliding<'_, Self>) {
                call.check(<$t as super::Kernels>::lanes(isa));
                dispatch!(isa, call, Sliding<$t> => slide, $avx512, $avx2, $lanes; 32, 16)
            }
        }
    )*};
}
slides! {
    f32: F32, F32, 4;
    f64: F64, F64, 2;
    Complex<f32>: C32, C32, 2;
    Complex<f64>: C64, C64, 1;
}

impl<T> Sliding<'_, T> {
    /// Everything that the loops take on trust.
    fn check(&self, lanes: usize) {
        let ([rows, width], channels) = (self.out.shape(), self.out.count);
        assert!(channels > 0 && rows > 0 && width > 0, "there are results");
        let reach = (rows - 1).saturating_mul(self.pitch).saturating_add(width.max(lanes).saturating_mul(self.step));
        assert!(matches!(self.step, 1 | 2), "a step of 1 or 2");
        let reach = (channels - 1).saturating_mul(self.channel).saturating_add(reach);
        let mut weights = 0usize;
        for &[offset, height] in self.columns {
            assert!(height > 0, "a column has taps");
            weights += height;
            let end = (height - 1).saturating_mul(self.pitch).saturating_add(offset).saturating_add(reach);
            assert!(end <= self.source.len(), "the source reaches as far as the columns");
        }
        assert!(weights * channels == self.weights.len(), "a weight for each tap");
    }
}

/// All channels on a machine with `REGISTERS` registers.
///
/// # Safety
/// The call has been [checked](Sliding::check), and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn slide<V: Vector, const REGISTERS: usize>(call: Sliding<'_, V::Lane>) {
    let (taps, [rows, _]) = (call.weights.len() / call.out.count, call.out.shape());
    let four_rows = size_of_val(call.ahead).div_ceil(call.out.count * rows.div_ceil(4)).next_multiple_of(Line::BYTES);
    for channel in 0..call.out.count {
        // SAFETY: `check` has seen that every channel has its weights and its samples.
        unsafe {
            let one = Channel {
                source: call.source.as_ptr().add(channel * call.channel),
                pitch: call.pitch,
                columns: call.columns,
                weights: call.weights.as_ptr().add(channel * taps),
                out: call.out.plane(channel),
                ahead: call.ahead.as_ptr().cast::<u8>().wrapping_add(channel * rows.div_ceil(4) * four_rows),
                four_rows,
            };
            match call.step {
                1 => each_block::<V, REGISTERS, 1>(&one),
                _ => each_block::<V, REGISTERS, 2>(&one),
            }
        }
    }
}

/// One channel of a call.
struct Channel<'a, T> {
    source: *const T,
    pitch: usize,
    columns: &'a [Column],
    weights: *const T,
    out: Plane<'a, T>,
    /// What is asked for meanwhile, and how many bytes of it with every four rows.
    ahead: *const u8,
    four_rows: usize,
}

/// All blocks of a channel.
///
/// # Safety
/// As [`slide`].
#[inline(always)]
unsafe fn each_block<V: Vector, const REGISTERS: usize, const STEP: usize>(call: &Channel<'_, V::Lane>) {
    let (rows, width, l) = (call.out.rows, call.out.width, V::LANES);
    // SAFETY: every block lies within the plane, or is narrower than a register and told so.
    unsafe {
        if rows < 4 {
            for y in 0..rows {
                line::<V, STEP>(call, y);
            }
            return;
        }
        let mut tail = 0;
        for y in (0..rows).step_by(4) {
            let ahead = call.ahead.wrapping_add(y / 4 * call.four_rows);
            (0..call.four_rows).step_by(Line::BYTES).for_each(|at| prefetch_line(ahead.wrapping_add(at)));
            let y = y.min(rows - 4);
            let mut x = 0;
            if REGISTERS == 32 {
                while x + 4 * l <= width {
                    block::<V, 4, 4, STEP>(call, y, x, 4 * l);
                    x += 4 * l;
                }
                if width - x > 2 * l && width >= 4 * l {
                    block::<V, 4, 4, STEP>(call, y, width - 4 * l, 4 * l);
                    x = width;
                }
            }
            while x + 2 * l <= width {
                block::<V, 4, 2, STEP>(call, y, x, 2 * l);
                x += 2 * l;
            }
            if width - x > l && width >= 2 * l {
                block::<V, 4, 2, STEP>(call, y, width - 2 * l, 2 * l);
                x = width;
            }
            tail = x;
        }
        // One register of columns: as many rows as it takes to hide a multiply-add's latency.
        while tail < width {
            let x = if tail + l <= width { tail } else { width.saturating_sub(l) };
            let count = l.min(width - x);
            if rows >= 8 {
                for y in (0..rows).step_by(8) {
                    block::<V, 8, 1, STEP>(call, y.min(rows - 8), x, count);
                }
            } else {
                for y in (0..rows).step_by(4) {
                    block::<V, 4, 1, STEP>(call, y.min(rows - 4), x, count);
                }
            }
            tail += l;
        }
    }
}

/// One row.
///
/// # Safety
/// As [`slide`]; there is such a row.
#[inline(always)]
unsafe fn line<V: Vector, const STEP: usize>(call: &Channel<'_, V::Lane>, y: usize) {
    let (width, l) = (call.out.width, V::LANES);
    let mut x = 0;
    // SAFETY: every block lies within the row, or is narrower than a register and told so.
    unsafe {
        while x < width {
            let left = width - x;
            if width >= 8 * l && left > l {
                block::<V, 1, 8, STEP>(call, y, x.min(width - 8 * l), 8 * l);
                x += 8 * l;
            } else if width >= 2 * l && left > l {
                block::<V, 1, 2, STEP>(call, y, x.min(width - 2 * l), 2 * l);
                x += 2 * l;
            } else {
                block::<V, 1, 1, STEP>(call, y, x.min(width.saturating_sub(l)), l.min(width));
                x += l;
            }
        }
    }
}

/// The block of `M` rows and `N` registers from (`y`, `x`) on, of which `count` columns are results.
///
/// # Safety
/// As [`slide`]; the rows lie within the plane and so do the `count` columns, which are `N` registers, or fewer in a
/// plane narrower than one, where `x` is 0 and `N` is 1.
#[inline(always)]
unsafe fn block<V: Vector, const M: usize, const N: usize, const STEP: usize>(
    call: &Channel<'_, V::Lane>,
    y: usize,
    x: usize,
    count: usize,
) {
    let pitch = call.pitch;
    // SAFETY: `check` has seen that for every column, all its rows from the plane's first to its last and a register's
    // width at least lie within the source, and that there are as many weights as taps.
    unsafe {
        let source = call.source.add(y * pitch + x * STEP);
        let mut weights = call.weights;
        let mut sums = [[V::zero(); N]; M];
        for &[offset, height] in call.columns {
            let from = source.add(offset);
            match height {
                1 => short::<V, M, N, STEP, 1>(from, pitch, weights, &mut sums),
                2 => short::<V, M, N, STEP, 2>(from, pitch, weights, &mut sums),
                3 => short::<V, M, N, STEP, 3>(from, pitch, weights, &mut sums),
                // Below its number of rows, a block never meets them all at once.
                4 if M > 5 => short::<V, M, N, STEP, 4>(from, pitch, weights, &mut sums),
                5 if M > 6 => short::<V, M, N, STEP, 5>(from, pitch, weights, &mut sums),
                6 if M > 7 => short::<V, M, N, STEP, 6>(from, pitch, weights, &mut sums),
                _ => tall::<V, M, N, STEP>(from, pitch, weights, height, &mut sums),
            }
            weights = weights.add(height);
        }
        for m in 0..M {
            let to = call.out.row(y + m).add(x);
            if count == N * V::LANES {
                for n in 0..N {
                    sums[m][n].store(to.add(n * V::LANES));
                }
            } else {
                sums[m][0].store_first(to, count);
            }
        }
    }
}

/// A column of `H` taps.
///
/// # Safety
/// `H + M - 1` rows of `STEP` times `N` registers are there to read, and `H` weights.
#[inline(always)]
unsafe fn short<V: Vector, const M: usize, const N: usize, const STEP: usize, const H: usize>(
    mut from: *const V::Lane,
    pitch: usize,
    weights: *const V::Lane,
    sums: &mut [[V; N]; M],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut taps = [V::splat(*weights); H];
        for k in 1..H {
            taps[k] = V::splat(*weights.add(k));
        }
        for r in 0..H + M - 1 {
            let samples = row::<V, N, STEP>(from);
            for m in 0..M {
                if m <= r && r - m < H {
                    for n in 0..N {
                        sums[m][n] = samples[n].mul_add(taps[r - m], sums[m][n]);
                    }
                }
            }
            from = from.wrapping_add(pitch);
        }
    }
}

/// A column of `M - 1` taps or more: at first a row of the source meets the upper rows of the block only, then all, at
/// last the lower ones.
///
/// # Safety
/// `height + M - 1` rows of `STEP` times `N` registers are there to read, and `height` weights.
#[inline(always)]
unsafe fn tall<V: Vector, const M: usize, const N: usize, const STEP: usize>(
    mut from: *const V::Lane,
    pitch: usize,
    weights: *const V::Lane,
    height: usize,
    sums: &mut [[V; N]; M],
) {
    // SAFETY: the caller's promise; row `r` of the source meets row `m` of the block by weight `r - m`.
    unsafe {
        for r in 0..M - 1 {
            let samples = row::<V, N, STEP>(from);
            for m in 0..M {
                if m <= r {
                    meet(&samples, *weights.add(r - m), &mut sums[m]);
                }
            }
            from = from.wrapping_add(pitch);
        }
        for r in M - 1..height {
            let samples = row::<V, N, STEP>(from);
            for m in 0..M {
                meet(&samples, *weights.add(r - m), &mut sums[m]);
            }
            from = from.wrapping_add(pitch);
        }
        for r in 0..M - 1 {
            let samples = row::<V, N, STEP>(from);
            for m in 0..M {
                if m > r {
                    meet(&samples, *weights.add(height + r - m), &mut sums[m]);
                }
            }
            from = from.wrapping_add(pitch);
        }
    }
}

/// # Safety
/// `STEP` times `N` registers are there to read.
#[inline(always)]
unsafe fn row<V: Vector, const N: usize, const STEP: usize>(from: *const V::Lane) -> [V; N] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut samples = [V::zero(); N];
        for n in 0..N {
            let from = from.add(n * STEP * V::LANES);
            samples[n] = V::load(from);
            if STEP == 2 {
                samples[n] = samples[n].every_second(V::load(from.add(V::LANES)));
            }
        }
        samples
    }
}

/// # Safety
/// The machine has `V`'s instruction set.
#[inline(always)]
unsafe fn meet<V: Vector, const N: usize>(samples: &[V; N], weight: V::Lane, sums: &mut [V; N]) {
    // SAFETY: the caller's promise.
    unsafe {
        let weight = V::splat(weight);
        for n in 0..N {
            sums[n] = samples[n].mul_add(weight, sums[n]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::guarded::End;
    use super::*;

    /// Small integers, whose sums are exact in any order.
    fn integers<T>(count: usize, of: impl Fn(f64) -> T) -> Vec<T> {
        (0..count).map(|i| of((i * 37 % 11) as f64 - 5.0)).collect()
    }

    fn agrees<T: crate::Element>(rows: usize, width: usize, heights: &[usize]) {
        for (isa, end) in Isa::all().into_iter().flat_map(|isa| End::BOTH.map(|end| (isa, end))) {
            let lanes = T::lanes(isa);
            let tallest = heights.iter().copied().max().unwrap_or(1);
            // Two channels, of the second other samples and other weights, and every sample or every second.
            for step in [1, 2] {
                let pitch = step * width.max(lanes) + heights.len() + 1;
                let (channel, taps) = ((rows + tallest) * pitch, heights.iter().sum::<usize>());
                let columns: Vec<Column> = heights.iter().enumerate().map(|(i, &h)| [i, h]).collect();
                // No more than a call asks for, but for what lies between the channels.
                let reach = columns.iter().map(|&[offset, height]| offset + (height - 1) * pitch).max().unwrap_or(0);
                let reach = reach + (rows - 1) * pitch + step * width.max(lanes);
                let source = end.guard(integers(channel + reach, T::from_f64));
                let weights = end.guard(integers(2 * taps, T::from_f64));
                let mark = T::from_f64(1e6);
                let (out_pitch, plane) = (width + 3, rows * (width + 3) + 1);
                let mut out = end.guard(vec![mark; plane + (rows - 1) * out_pitch + width]);
                let planes = Planes::of(&mut out, [2, rows, width], [plane, out_pitch]);
                let call = Sliding {
                    source: &source,
                    channel,
                    pitch,
                    step,
                    columns: &columns,
                    weights: &weights,
                    out: planes,
                    ahead: &[],
                };
                T::slide(isa, call);
                for (i, &result) in out.iter().enumerate() {
                    let (c, y, x) = (i / plane, i % plane / out_pitch, i % plane % out_pitch);
                    let mut sum = T::default();
                    let mut taps = weights[c * taps..].iter();
                    for &[offset, height] in &columns {
                        for (k, &w) in taps.by_ref().take(height).enumerate() {
                            sum += w * source
                                [c * channel + offset + (y.min(rows - 1) + k) * pitch + x.min(width - 1) * step];
                        }
                    }
                    let expected = if y < rows && x < width { sum } else { mark };
                    assert_eq!(result, expected, "{isa:?} {rows}x{width} by {step} {heights:?} at {c}, {y}, {x}");
                }
            }
        }
    }

    #[test]
    fn every_tail_agrees_with_the_sum_written_out() {
        for rows in (1..=9).chain([11, 16, 17]) {
            for width in (1..=40).chain([63, 64, 65, 79, 95, 127, 129, 150]) {
                agrees::<f32>(rows, width, &[3, 3, 3]);
            }
            for width in (1..=20).chain([31, 33, 65]) {
                agrees::<f64>(rows, width, &[2, 1]);
                agrees::<Complex<f32>>(rows, width, &[4, 3]);
                agrees::<Complex<f64>>(rows, width, &[1, 5]);
            }
        }
    }

    #[test]
    fn every_height_agrees_with_the_sum_written_out() {
        for height in 1..=12 {
            for (rows, width) in [(1, 3), (4, 70), (5, 33), (8, 14), (13, 16), (9, 7)] {
                agrees::<f32>(rows, width, &[height, 1, height]);
                agrees::<f64>(rows, width, &[height]);
            }
        }
    }

    #[test]
    fn an_infinite_sample_meets_no_tap_that_is_not_there() {
        let mut source = vec![1.0f32; 12 * 40];
        source[..40].fill(f32::INFINITY);
        for isa in Isa::all() {
            let mut out = vec![0.0; 4 * 16];
            // The results' windows begin in the second row.
            let columns = [[40, 3], [80, 1]];
            let out_plane = Plane::of(&mut out, 16, 4, 16).into();
            T::slide(
                isa,
                Sliding {
                    source: &source,
                    channel: 0,
                    pitch: 40,
                    step: 1,
                    ahead: &[],
                    columns: &columns,
                    weights: &[1.0; 4],
                    out: out_plane,
                },
            );
            assert_eq!(out, [4.0; 64], "{isa:?}");
        }
        type T = f32;
    }

    #[test]
    #[should_panic(expected = "the source reaches as far as the columns")]
    fn a_short_source_is_refused() {
        let mut out = vec![0.0f32; 64];
        let plane = Plane::of(&mut out, 16, 4, 16).into();
        f32::slide(
            Isa::detect(),
            Sliding {
                source: &[0.0; 70],
                channel: 0,
                pitch: 16,
                step: 1,
                columns: &[[0, 2]],
                weights: &[1.0; 2],
                out: plane,
                ahead: &[],
            },
        );
    }
}
