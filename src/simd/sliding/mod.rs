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

mod block;
mod call;
mod edge;
mod narrow;

pub use call::{Column, Sliding};

use num_complex::Complex;

use block::{block, blocks};
use narrow::Narrow;

use super::Isa;
use super::ahead::{Ahead, Asking};
use super::memory::Line;
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
    let heights = call.columns.iter().map(|column| column.height);
    let heights = [heights.clone().min().unwrap_or(0), heights.max().unwrap_or(0)];
    let channels = Channels { call, heights, low, high };
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
    /// Of the lowest of the columns and of the highest.
    heights: [usize; 2],
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
        let Self { call, heights, low, high } = self;
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
                heights: *heights,
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
    /// Of the lowest of them and of the highest.
    heights: [usize; 2],
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
            let whole = if n == most { whole_blocks::<V, STEP>(call, [y, x], most) } else { 0 };
            if whole > 0 {
                let (asking, stream) = ((&mut *asking, each), call.lead.is_some());
                match n {
                    4 if V::MANY && V::REAL && const { STEP == 1 } => {
                        blocks::<V, 4, 4, STEP>(call, [y, x], whole, stream, asking);
                    }
                    _ => blocks::<V, 4, 2, STEP>(call, [y, x], whole, stream, asking),
                }
                x += whole * n * l;
                continue;
            }
            // What does not fill a block is computed by one that is shifted back.
            let at = x.min(width - n * l);
            let stream = call.lead.is_some() && at == x;
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

/// How many blocks of four rows and so many registers from (`y`, `x`) on neither reach beyond the plane nor meet what lies
/// outside.
#[inline(always)]
fn whole_blocks<V: Vector, const STEP: usize>(
    call: &Channel<'_, V::Lane>,
    [y, x]: [usize; 2],
    registers: usize,
) -> usize {
    let wide = registers * V::LANES;
    let all = (call.out.width - x) / wide;
    let Some([rows, samples]) = call.inside else { return all };
    let (down, across) = (call.first[0] + y as isize * call.step, call.first[1] + (x * STEP) as isize);
    if call.low[0] + down < 0 || call.high[0] + down + 3 * call.step >= rows || call.low[1] + across < 0 {
        return 0;
    }
    let left = (samples - call.high[1] - across).max(0).unsigned_abs();
    all.min(left / (wide * STEP))
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

#[cfg(test)]
mod tests;
