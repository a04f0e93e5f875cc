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

mod call;
mod edge;
mod narrow;

pub use call::{Column, Sliding};

use num_complex::Complex;

use edge::Edge;
use narrow::Narrow;

use super::Isa;
use super::ahead::{Ahead, Asking};
use super::memory::{Line, prefetch_line};
use super::tiles::Plane;
use super::vector::Vector;
use super::vector::portable::Lanes;
#[cfg(target_arch = "x86_64")]
use super::vector::{avx2, avx512};

/// The leaves for sliding windows of an element type.
pub trait Slide: Copy + 'static {
    /// Computes a sum over sliding windows. Panics where a slice is too short for what the call says.
    fn slide(isa: Isa, call: Sliding<'_, Self>);
    /// Whether planes of so many results a row can be computed [down](Sliding::down) the rows of the source.
    fn goes_down(isa: Isa, width: usize, columns: &[Column]) -> bool;
}

macro_rules! slides {
    ($($t:ty: $avx512:ident, $avx2:ident, $lanes:expr;)*) => {$(
        impl Slide for $t {
            fn slide(isa: Isa, call: Sliding<'_, Self>) {
                call.check(<$t as super::Kernels>::lanes(isa));
                dispatch!(isa, call, Sliding<$t> => slide, $avx512, $avx2, $lanes)
            }

            fn goes_down(isa: Isa, width: usize, columns: &[Column]) -> bool {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => narrow::registers::<avx512::$avx512>(width, columns).is_some(),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => narrow::registers::<avx2::$avx2>(width, columns).is_some(),
                    Isa::Portable => narrow::registers::<Lanes<$t, $lanes>>(width, columns).is_some(),
                }
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

/// Bytes of rows from which on they are written past the caches wherever their lines begin.
const WIDE: usize = 1024;

/// All channels.
///
/// # Safety
/// The call has been [checked](Sliding::check), and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn slide<V: Vector>(call: Sliding<'_, V::Lane>) {
    let (mut low, mut high) = ([isize::MAX; 2], [isize::MIN; 2]);
    for &Column { at, height, .. } in call.columns {
        let last = [at[0] + ((height - 1) * call.steps[0]) as isize, at[1]];
        (low, high) = ([0, 1].map(|i| low[i].min(at[i])), [0, 1].map(|i| high[i].max(last[i])));
    }
    let channels = Channels { call, low, high };
    // SAFETY: the caller's promise.
    unsafe {
        if V::NATIVE
            && V::REAL
            && channels.call.down
            && channels.call.steps[1] == 1
            && let Some(narrow) = Narrow::of::<V>(&channels.get::<V>(0))
        {
            return narrow_channels::<V>(&narrow, &channels);
        }
        for channel in 0..channels.call.out.count {
            match channels.call.steps[1] {
                1 => each_block::<V, 1>(&channels.get::<V>(channel)),
                _ => each_block::<V, 2>(&channels.get::<V>(channel)),
            }
        }
    }
}

/// The channels of a call.
struct Channels<'a, T> {
    call: Sliding<'a, T>,
    /// The first and the last sample that the first result meets, on each axis.
    low: [isize; 2],
    high: [isize; 2],
}

impl<T: Copy> Channels<'_, T> {
    /// One of them.
    ///
    /// # Safety
    /// The call has been [checked](Sliding::check), and has such a channel.
    #[inline(always)]
    unsafe fn get<V: Vector<Lane = T>>(&self, channel: usize) -> Channel<'_, T> {
        let Self { call, low, high } = self;
        let ([_, width], taps) = (call.out.shape(), call.weights.len() / call.out.count);
        // Of narrower rows, too many lines would be written past the caches in part, and then again.
        let bytes = width * size_of::<T>();
        let (wide, whole) = (bytes >= WIDE, bytes.is_multiple_of(Line::BYTES));
        // SAFETY: `check` has seen that every channel has its weights and its samples.
        unsafe {
            let out = call.out.plane(channel);
            Channel {
                source: call.source.as_ptr().add(channel * call.channel),
                pitch: call.pitch * call.steps[0],
                step: call.steps[0] as isize,
                row: call.pitch as isize,
                inside: call.inside.map(|inside| inside.map(|n| n as isize)),
                columns: call.columns,
                first: call.first.map(|at| at as isize),
                low: *low,
                high: *high,
                weights: call.weights.as_ptr().add(channel * taps),
                lead: match call.stream {
                    // Of wide rows, a line of each in turn would be written, which memory is slow at.
                    true if wide && !V::LINE => None,
                    true => out.lead::<V>().filter(|&lead| wide || lead == 0 && whole),
                    false => None,
                },
                out,
                ahead: call.ahead.part(channel, call.out.count),
            }
        }
    }
}

/// The channels of [narrow] planes: as many columns' weights stay in registers as there is room for.
///
/// # Safety
/// As [`slide`], for a step of 1; `narrow` has been made of the first of them.
#[inline(always)]
unsafe fn narrow_channels<V: Vector>(narrow: &Narrow, all: &Channels<'_, V::Lane>) {
    let enough = all.call.columns.len() >= 3;
    // SAFETY: the caller's promise.
    unsafe {
        match (narrow.height, narrow.registers) {
            (3, 1) if enough => narrow.channels::<V, 3, 1, 3>(all),
            (3, 2) if !V::MANY && enough => narrow.channels::<V, 3, 2, 2>(all),
            (3, 2) if enough => narrow.channels::<V, 3, 2, 3>(all),
            (3, 3) if V::MANY && enough => narrow.channels::<V, 3, 3, 3>(all),
            (3, 4) if V::MANY && enough => narrow.channels::<V, 3, 4, 3>(all),
            (5, 1) if V::MANY && enough => narrow.channels::<V, 5, 1, 3>(all),
            (7, 1) if V::MANY && enough => narrow.channels::<V, 7, 1, 3>(all),
            (3, 1) => narrow.channels::<V, 3, 1, 0>(all),
            (3, 2) => narrow.channels::<V, 3, 2, 0>(all),
            (3, 3) => narrow.channels::<V, 3, 3, 0>(all),
            (3, 4) if V::MANY => narrow.channels::<V, 3, 4, 0>(all),
            (5, 1) => narrow.channels::<V, 5, 1, 0>(all),
            (5, 2) => narrow.channels::<V, 5, 2, 0>(all),
            (5, 3) if V::MANY => narrow.channels::<V, 5, 3, 0>(all),
            (5, 4) if V::MANY => narrow.channels::<V, 5, 4, 0>(all),
            (7, 2) if V::MANY => narrow.channels::<V, 7, 2, 0>(all),
            (7, 3) if V::MANY => narrow.channels::<V, 7, 3, 0>(all),
            (7, 4) if V::MANY => narrow.channels::<V, 7, 4, 0>(all),
            _ => narrow.channels::<V, 7, 1, 0>(all),
        }
    }
}

/// One channel of a call.
struct Channel<'a, T> {
    source: *const T,
    /// From the samples of one row of results to those of the next, and in rows.
    pitch: usize,
    step: isize,
    /// From one row of the source to the next.
    row: isize,
    inside: Option<[isize; 2]>,
    first: [isize; 2],
    columns: &'a [Column],
    /// The first and the last sample that the first result meets, on each axis.
    low: [isize; 2],
    high: [isize; 2],
    weights: *const T,
    out: Plane<'a, T>,
    /// Results of a row before its first whole cache line, if whole lines are streamed.
    lead: Option<usize>,
    /// What is asked for meanwhile.
    ahead: Ahead<'a, T>,
}

/// All blocks of a channel.
///
/// # Safety
/// As [`slide`].
#[inline(always)]
unsafe fn each_block<V: Vector, const STEP: usize>(call: &Channel<'_, V::Lane>) {
    let (rows, width, l) = (call.out.rows, call.out.width, V::LANES);
    // SAFETY: every block lies within the plane, or is narrower than a register and told so.
    unsafe {
        if rows < 4 {
            for y in 0..rows {
                line::<V, STEP>(call, y);
            }
            return;
        }
        let (mut tail, mut asking) = (0, call.ahead.asking());
        // With every block of two registers.
        let each = asking.left.div_ceil(rows.div_ceil(4) * width.div_ceil(2 * l));
        for y in (0..rows).step_by(4) {
            tail = strip::<V, STEP>(call, y.min(rows - 4), (&mut asking, each));
        }
        // One register of columns: as many rows as it takes to hide a multiply-add's latency.
        while tail < width {
            let x = if tail + l <= width { tail } else { width.saturating_sub(l) };
            let count = l.min(width - x);
            if V::REAL && const { STEP == 1 } && rows >= 7 {
                for y in (0..rows).step_by(7) {
                    block::<V, 7, 1, STEP>(call, [y.min(rows - 7), x], count, false);
                }
            } else {
                for y in (0..rows).step_by(4) {
                    block::<V, 4, 1, STEP>(call, [y.min(rows - 4), x], count, false);
                }
            }
            tail += l;
        }
    }
}

/// Four rows from `y` on, but for a last register of columns that is left over; says where that begins. With every block so
/// many lines are asked for.
///
/// # Safety
/// As [`slide`]; there are such rows.
#[inline(always)]
unsafe fn strip<V: Vector, const STEP: usize>(
    call: &Channel<'_, V::Lane>,
    y: usize,
    (asking, each): (&mut Asking, usize),
) -> usize {
    // Every second sample takes two registers.
    let (width, l, most) = (call.out.width, V::LANES, if V::MANY && V::REAL && STEP == 1 { 4 } else { 2 });
    let mut x = 0;
    // SAFETY: every block lies within the plane.
    unsafe {
        // What precedes the first whole line is less than that, which is two registers at the most.
        let lead = call.lead.unwrap_or(0);
        while x < lead {
            let (at, count) = if lead <= l { (0, lead) } else { (x.min(lead - l), l) };
            block::<V, 4, 1, STEP>(call, [y, at], count, false);
            x = at + count;
        }
        while x + l < width {
            let left = width - x;
            let n = match left.div_ceil(l).min(most) {
                n if n * l <= width => n,
                // Two blocks, the second of which is shifted back.
                n => n.div_ceil(2),
            };
            if n < 2 {
                break;
            }
            // What does not fill a block is computed by one that is shifted back.
            let at = x.min(width - n * l);
            let stream = call.lead.is_some() && at == x;
            if !V::MANY && call.columns.len() >= MANY {
                next_rows(call, y, at, STEP);
            }
            if each > 0 {
                asking.ask(each);
            }
            match n {
                4 if V::MANY && V::REAL && const { STEP == 1 } => block::<V, 4, 4, STEP>(call, [y, at], 4 * l, stream),
                3 if V::MANY && V::REAL && const { STEP == 1 } => block::<V, 4, 3, STEP>(call, [y, at], 3 * l, stream),
                _ => block::<V, 4, 2, STEP>(call, [y, at], 2 * l, stream),
            }
            x = at + n * l;
        }
    }
    x
}

/// Columns of taps from which on a block takes longer than to ask for what those below it read and write.
const MANY: usize = 9;

/// Asks for what four rows below those from (`y`, `x`) on read of the last of the columns' planes, of every `step`th sample,
/// and write.
#[inline(always)]
fn next_rows<T: Copy>(call: &Channel<'_, T>, y: usize, x: usize, step: usize) {
    let (Some(last), Some(_)) = (call.columns.last(), call.inside) else { return };
    let low = y as isize + 4;
    let plane = last.place - last.at[0] * call.row - last.at[1];
    let (down, across) = (call.first[0] + low * call.step + call.high[0], call.first[1] + (x * step) as isize);
    for m in 0..4 {
        prefetch_line(call.source.wrapping_offset(plane + (down + m * call.step) * call.row + across).cast());
        prefetch_line(call.out.data().wrapping_offset((low + m) * call.out.pitch + x as isize).cast());
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
            if V::REAL && const { STEP == 1 } && width >= 8 * l && left > l {
                block::<V, 1, 8, STEP>(call, [y, x.min(width - 8 * l)], 8 * l, false);
                x += 8 * l;
            } else if width >= 2 * l && left > l {
                block::<V, 1, 2, STEP>(call, [y, x.min(width - 2 * l)], 2 * l, false);
                x += 2 * l;
            } else {
                block::<V, 1, 1, STEP>(call, [y, x.min(width.saturating_sub(l))], l.min(width), false);
                x += l;
            }
        }
    }
}

/// The block of `M` rows and `N` registers from (`y`, `x`) on, of which `count` columns are results, written past the
/// caches if they `stream`.
///
/// # Safety
/// As [`slide`]; the rows lie within the plane and so do the `count` columns, which are `N` registers, or fewer if `N` is
/// 1. To be streamed, they are `N` registers and begin where a line does in every row.
#[inline(always)]
unsafe fn block<V: Vector, const M: usize, const N: usize, const STEP: usize>(
    call: &Channel<'_, V::Lane>,
    [y, x]: [usize; 2],
    count: usize,
    stream: bool,
) {
    let (pitch, wide) = (call.pitch, (N * V::LANES * STEP) as isize);
    let [down, across] = [call.first[0] + y as isize * call.step, call.first[1] + (x * STEP) as isize];
    // Whether all that rows from (`y`, `x`) on meet, from the sample `low` to `high`, lies inside.
    let within = |low: [isize; 2], high: [isize; 2], [rows, samples]: [isize; 2]| {
        low[0] + down >= 0
            && low[1] + across >= 0
            && high[0] + down + (M as isize - 1) * call.step < rows
            && high[1] + across + wide <= samples
    };
    let all = call.inside.is_none_or(|inside| within(call.low, call.high, inside));
    // SAFETY: `check` has seen that of every column, all that is inside lies within the source, or all that it meets from
    // the plane's first row to its last and a register's width at least; and that there are as many weights as taps.
    unsafe {
        let mut weights = call.weights;
        let mut sums = [[V::zero(); N]; M];
        let source = call.source.wrapping_offset(down * call.row + across);
        for &Column { place, at, height } in call.columns {
            let from = source.wrapping_offset(place);
            if let (false, Some(inside)) = (all, call.inside) {
                let last = at[0] + (height as isize - 1) * call.step;
                if !within(at, [last, at[1]], inside) {
                    let at = [at[0] + down, at[1] + across];
                    let edge = Edge { from, row: call.row, step: call.step, at, inside };
                    edge.column::<V, M, N, STEP>(weights, height, &mut sums);
                    weights = weights.add(height);
                    continue;
                }
            }
            match height {
                // One row is no more than a loop over the taps.
                _ if const { M == 1 } => tall::<V, M, N, STEP>(from, pitch, weights, height, &mut sums),
                1 => short::<V, M, N, STEP, 1>(from, pitch, weights, &mut sums),
                2 => short::<V, M, N, STEP, 2>(from, pitch, weights, &mut sums),
                3 => short::<V, M, N, STEP, 3>(from, pitch, weights, &mut sums),
                // Below its number of rows, a block never meets them all at once.
                4 if const { M > 5 } => short::<V, M, N, STEP, 4>(from, pitch, weights, &mut sums),
                5 if const { M > 6 } => short::<V, M, N, STEP, 5>(from, pitch, weights, &mut sums),
                _ => tall::<V, M, N, STEP>(from, pitch, weights, height, &mut sums),
            }
            weights = weights.add(height);
        }
        if const { STEP == 2 } {
            for m in 0..M {
                for n in 0..N {
                    sums[m][n] = sums[m][n].in_order();
                }
            }
        }
        for m in 0..M {
            let to = call.out.row(y + m).add(x);
            if stream && (N * size_of::<V>()).is_multiple_of(Line::BYTES) {
                for n in 0..N {
                    sums[m][n].stream(to.add(n * V::LANES));
                }
            } else if count == N * V::LANES {
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
            let samples = row::<V, N, STEP>(from, pitch);
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
            let samples = row::<V, N, STEP>(from, pitch);
            for m in 0..M {
                if m <= r {
                    meet(&samples, *weights.add(r - m), &mut sums[m]);
                }
            }
            from = from.wrapping_add(pitch);
        }
        for r in M - 1..height {
            let samples = row::<V, N, STEP>(from, pitch);
            for m in 0..M {
                meet(&samples, *weights.add(r - m), &mut sums[m]);
            }
            from = from.wrapping_add(pitch);
        }
        for r in 0..M - 1 {
            let samples = row::<V, N, STEP>(from, pitch);
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
unsafe fn row<V: Vector, const N: usize, const STEP: usize>(from: *const V::Lane, pitch: usize) -> [V; N] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut samples = [V::zero(); N];
        for n in 0..N {
            let from = from.add(n * STEP * V::LANES);
            samples[n] = V::load(from);
            if const { STEP == 2 } {
                ask::<V>(from, pitch as isize);
                samples[n] = samples[n].every_second_mixed(V::load(from.add(V::LANES)));
            }
        }
        samples
    }
}

/// Rows of results further down, whose samples are asked for: of every second sample more is read than the machine's own
/// foresight keeps up with.
const AHEAD: isize = 8;

/// Asks for two registers' samples [ahead](AHEAD), rows of results being so far apart in the source.
#[inline(always)]
fn ask<V: Vector>(from: *const V::Lane, pitch: isize) {
    let next = from.wrapping_offset(AHEAD * pitch);
    prefetch_line(next.cast());
    prefetch_line(next.wrapping_add(V::LANES).cast());
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
mod tests;
