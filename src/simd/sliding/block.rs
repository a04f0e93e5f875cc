//! Blocks of results that stay in registers over the whole sum.

use super::edge::Edge;
use super::{Channel, Column};
use crate::simd::ahead::Asking;
use crate::simd::memory::{Line, prefetch_line};
use crate::simd::vector::{Inner, Vector};

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

/// The block of `M` rows and `N` registers from (`y`, `x`) on, of which `count` columns are results, written past the
/// caches if they `stream`.
///
/// # Safety
/// As [`slide`](super::slide); the rows lie within the plane and so do the `count` columns, which are `N` registers, or
/// fewer if `N` is 1. To be streamed, they are `N` registers and begin where a line does in every row.
#[inline(always)]
pub(super) unsafe fn block<V: Vector, const M: usize, const N: usize, const STEP: usize>(
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
        let mut sums = [[V::zero(); N]; M];
        let source = call.source.wrapping_offset(down * call.row + across);
        let mut weights = call.weights;
        for &Column { place, at, height } in call.columns {
            let from = source.wrapping_offset(place);
            let last = [at[0] + (height as isize - 1) * call.step, at[1]];
            match (call.inside, height) {
                (Some(inside), _) if !all && !within(at, last, inside) => {
                    let at = [at[0] + down, at[1] + across];
                    let edge = Edge { from, row: call.row, step: call.step, at, inside };
                    edge.column::<V, M, N, STEP>(weights, height, &mut sums);
                }
                // One row is no more than a loop over the taps.
                _ if const { M == 1 } => tall::<V, M, N, STEP>(from, pitch, weights, height, &mut sums),
                (_, 1) => taps::<V, M, N, STEP, 1>(from, pitch, weights, &mut sums),
                (_, 2) => taps::<V, M, N, STEP, 2>(from, pitch, weights, &mut sums),
                (_, 3) => taps::<V, M, N, STEP, 3>(from, pitch, weights, &mut sums),
                // Complex ones take two registers each.
                (_, 4) if const { V::REAL } => taps::<V, M, N, STEP, 4>(from, pitch, weights, &mut sums),
                (_, 5) if const { V::REAL } => taps::<V, M, N, STEP, 5>(from, pitch, weights, &mut sums),
                (_, 6) if const { V::REAL } => taps::<V, M, N, STEP, 6>(from, pitch, weights, &mut sums),
                (_, 7) if const { V::REAL } => taps::<V, M, N, STEP, 7>(from, pitch, weights, &mut sums),
                _ => tall::<V, M, N, STEP>(from, pitch, weights, height, &mut sums),
            }
            weights = weights.add(height);
        }
        let mut rows = [call.out.row(y).add(x); M];
        for m in 1..M {
            rows[m] = call.out.row(y + m).add(x);
        }
        put::<V, M, N, STEP>(rows, count, stream, sums);
    }
}

/// Writes a block's sums to where its rows begin.
///
/// # Safety
/// As [`block`].
#[inline(always)]
unsafe fn put<V: Vector, const M: usize, const N: usize, const STEP: usize>(
    rows: [*mut V::Lane; M],
    count: usize,
    stream: bool,
    mut sums: [[V; N]; M],
) {
    // SAFETY: the caller's promise.
    unsafe {
        if const { STEP == 2 } {
            for m in 0..M {
                for n in 0..N {
                    sums[m][n] = sums[m][n].in_order();
                }
            }
        }
        for m in 0..M {
            let to = rows[m];
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

/// As many blocks of `M` rows and `N` registers side by side, all of whose samples are there. With each, so many lines are
/// asked for.
///
/// # Safety
/// As [`block`], for each of them.
#[inline(always)]
pub(super) unsafe fn blocks<V: Vector, const M: usize, const N: usize, const STEP: usize>(
    call: &Channel<'_, V::Lane>,
    at: [usize; 2],
    count: usize,
    stream: bool,
    asking: (&mut Asking, usize),
) {
    // SAFETY: the caller's promise.
    unsafe {
        macro_rules! alike {
            ($low:literal, $high:literal) => {
                V::apart(Alike::<V, M, N, STEP, $low, $high> { call, at, count, stream, asking })
            };
        }
        match call.heights {
            [_, 1] if const { V::REAL } => alike!(1, 1),
            [2, 2] if const { V::REAL } => alike!(2, 2),
            [3, 3] if const { V::REAL } => alike!(3, 3),
            // Of steps of two, columns are half as high as the kernel.
            [1, 2] if const { V::REAL && STEP == 2 } => alike!(1, 2),
            [2, 3] if const { V::REAL && STEP == 2 } => alike!(2, 3),
            [3, 4] if const { V::REAL && STEP == 2 } => alike!(3, 4),
            [4, 4] if const { V::REAL && STEP == 1 } => alike!(4, 4),
            [5, 5] if const { V::REAL && STEP == 1 } => alike!(5, 5),
            [6, 6] if const { V::REAL && STEP == 1 } => alike!(6, 6),
            [7, 7] if const { V::REAL && STEP == 1 } => alike!(7, 7),
            [4, 5] if const { V::REAL && STEP == 1 } => alike!(4, 5),
            [5, 6] if const { V::REAL && STEP == 1 } => alike!(5, 6),
            [6, 7] if const { V::REAL && STEP == 1 } => alike!(6, 7),
            [low, _] if V::REAL && STEP == 1 && low > Column::TAPS => alike!(0, 0),
            _ => {
                for i in 0..count {
                    if asking.1 > 0 {
                        asking.0.ask(asking.1);
                    }
                    block::<V, M, N, STEP>(call, [at[0], at[1] + i * N * V::LANES], N * V::LANES, stream);
                }
            }
        }
    }
}

/// The [`blocks`] of columns that are all `LOW` or `HIGH`, or if both are 0, higher than there are loops for. How high they are is asked
/// once and not for each: a jump that is not foreseen takes longer than a column.
struct Alike<'a, 'b, V: Vector, const M: usize, const N: usize, const STEP: usize, const LOW: usize, const HIGH: usize>
{
    call: &'a Channel<'b, V::Lane>,
    at: [usize; 2],
    count: usize,
    stream: bool,
    asking: (&'a mut Asking, usize),
}

/// Blocks side by side of which every second one comes first, then the others. What is read beside results that have just
/// been written lies, a multiple of 4 KiB away, at addresses that the machine takes for theirs: it would wait for them.
const GROUP: usize = 8;

impl<V: Vector, const M: usize, const N: usize, const STEP: usize, const LOW: usize, const HIGH: usize> Inner
    for Alike<'_, '_, V, M, N, STEP, LOW, HIGH>
{
    #[inline(always)]
    unsafe fn run(self) {
        let Self { call, at: [y, x], count, stream, asking: (asking, each) } = self;
        let (down, wide) = (call.first[0] + y as isize * call.step, N * V::LANES);
        let source = call.source.wrapping_offset(down * call.row + call.first[1] + (x * STEP) as isize);
        // Copies, since what is written could be the call for all that the compiler knows.
        // SAFETY: the caller's promise.
        let mut rows = [unsafe { call.out.row(y).add(x) }; M];
        for m in 1..M {
            // SAFETY: as above.
            rows[m] = unsafe { call.out.row(y + m).add(x) };
        }
        let (first_weight, columns, many, pitch) =
            (call.weights, call.columns, !V::MANY && call.columns.len() >= MANY, call.pitch);
        for group in (0..count).step_by(GROUP) {
            let (end, mut i, mut second) = ((group + GROUP).min(count), group, group + 1);
            while i < end {
                // SAFETY: the caller's promise.
                unsafe {
                    if each > 0 {
                        asking.ask(each);
                    }
                    if many {
                        next_rows(call, y, x + i * wide, STEP);
                    }
                    let source = source.wrapping_add(i * wide * STEP);
                    let (mut sums, mut weights) = ([[V::zero(); N]; M], first_weight);
                    for column in columns {
                        let from = source.wrapping_offset(column.place);
                        if HIGH == 0 {
                            tall::<V, M, N, STEP>(from, pitch, weights, column.height, &mut sums);
                            weights = weights.add(column.height);
                        } else if LOW == HIGH || column.height == HIGH {
                            taps::<V, M, N, STEP, HIGH>(from, pitch, weights, &mut sums);
                            weights = weights.add(HIGH);
                        } else {
                            taps::<V, M, N, STEP, LOW>(from, pitch, weights, &mut sums);
                            weights = weights.add(LOW);
                        }
                    }
                    put::<V, M, N, STEP>(rows.map(|row| row.wrapping_add(i * wide)), wide, stream, sums);
                }
                i += 2;
                if i >= end {
                    (i, second) = (second, end);
                }
            }
        }
    }
}

/// `H` taps of a column.
///
/// # Safety
/// `H + M - 1` rows of `STEP` times `N` registers are there to read, and `H` weights.
#[inline(always)]
unsafe fn taps<V: Vector, const M: usize, const N: usize, const STEP: usize, const H: usize>(
    mut from: *const V::Lane,
    pitch: usize,
    weights: *const V::Lane,
    sums: &mut [[V; N]; M],
) {
    // SAFETY: the caller's promise; row `r` of the source meets row `m` of the block by weight `r - m`.
    unsafe {
        let mut kept = [V::splat(*weights); H];
        for k in 1..H {
            kept[k] = V::splat(*weights.add(k));
        }
        for r in 0..H + M - 1 {
            let samples = row::<V, N, STEP>(from, pitch);
            for m in 0..M {
                if m <= r && r - m < H {
                    for n in 0..N {
                        sums[m][n] = samples[n].mul_add(kept[r - m], sums[m][n]);
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
pub(super) fn ask<V: Vector>(from: *const V::Lane, pitch: isize) {
    let next = from.wrapping_offset(AHEAD * pitch);
    prefetch_line(next.cast());
    prefetch_line(next.wrapping_add(V::LANES).cast());
}

/// # Safety
/// The machine has `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn meet<V: Vector, const N: usize>(samples: &[V; N], weight: V::Lane, sums: &mut [V; N]) {
    // SAFETY: the caller's promise.
    unsafe {
        let weight = V::splat(weight);
        for n in 0..N {
            sums[n] = samples[n].mul_add(weight, sums[n]);
        }
    }
}
