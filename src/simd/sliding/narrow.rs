//! Planes of a few registers a row, with zeros around them: down the rows of the source.
//!
//! A row of the source is loaded once for each column of taps and added to all rows of results that it meets, as many as
//! the kernel is high. Their sums stay in registers until the last row that they meet has come by: nothing is loaded twice,
//! no block is cut off at the ends of a row, and of rows outside nothing is computed.

use super::{Channel, Column};
use crate::simd::vector::Vector;

/// Heights of kernels that there is a loop for.
pub(super) const HEIGHTS: [usize; 3] = [3, 5, 7];

/// Registers of sums, at the most: of 32, beside the samples of a row and a weight.
const SUMS: usize = 28;

/// Columns of taps, at the most.
const COLUMNS: usize = 16;

/// The registers of a row of so many results, if there is a loop for them and a kernel so high.
pub(super) fn registers(lanes: usize, width: usize, height: usize) -> Option<usize> {
    let registers = width.div_ceil(lanes);
    let known = HEIGHTS.contains(&height) && matches!(registers, 1 | 2 | 4);
    (known && height * registers <= SUMS).then_some(registers)
}

/// The height of the columns, and the registers of a row, if a channel can be computed so.
pub(super) fn fits<T>(call: &Channel<'_, T>, lanes: usize) -> Option<(usize, usize)> {
    let [high, wide] = call.inside?;
    let (rows, width, l) = (call.out.rows as isize, call.out.width, lanes as isize);
    let &Column { height, .. } = call.columns.first()?;
    let registers = registers(lanes, width, height)?;
    let alike = call.columns.iter().all(|column| column.height == height && column.at[0] == call.low[0]);
    // Registers that are neither the first nor the last of a row are whole.
    let [low, high_end] = [call.low, call.high].map(|at| at[1] + call.first[1]);
    let whole = registers <= 2 || l + low >= 0 && (registers as isize - 1) * l + high_end <= wide;
    // Rows that results outside the part would meet as well.
    let top = call.first[0] + call.low[0];
    let met = (top + rows + height as isize - 1).min(high) - top.max(0);
    let known = call.step == 1 && call.columns.len() <= COLUMNS;
    (known && alike && whole && 4 * met <= 5 * rows).then_some((height, registers))
}

/// One channel whose columns are `K` high, and whose rows are `N` registers. `C` columns' weights stay in registers, where
/// as many and no more are known to be there; with `C` 0 they are loaded for each row.
///
/// # Safety
/// As [`slide`](super::slide), for a step of 1; the channel [fits](fits) so, and has `C` columns if that is not 0.
#[inline(always)]
pub(super) unsafe fn narrow<V: Vector, const K: usize, const N: usize, const C: usize>(call: &Channel<'_, V::Lane>) {
    let Some([high, wide]) = call.inside else { return };
    let (l, rows, last) = (V::LANES as isize, call.out.rows, call.out.width - (N - 1) * V::LANES);
    let [down, across] = call.first;
    // Of each column, the lanes of a row's first register and of its last that are there.
    let mut lanes = [[0; 2]; COLUMNS];
    for (lanes, column) in lanes.iter_mut().zip(call.columns) {
        *lanes = [0, N as isize - 1].map(|n| {
            let at = column.at[1] + across + n * l;
            let first = (-at).clamp(0, l);
            V::lanes(first as usize, (wide - at).clamp(first, l) as usize)
        });
    }
    // SAFETY: `check` has seen that all that is inside the plane lies within the source: rows outside are left out,
    // registers at the ends are masked, and the others are whole. There is a weight for each tap.
    unsafe {
        let mut kept = [[V::zero().weights(); K]; C];
        for c in 0..C {
            for k in 0..K {
                kept[c][k] = V::splat(*call.weights.add(c * K + k));
            }
        }
        // Of the rows of results that a row of the source meets, the one that it completes first.
        let mut sums = [[V::zero(); N]; K];
        for t in 0..rows + K - 1 {
            let y = down + t as isize;
            if (0..high).contains(&(y + call.low[0])) {
                let (source, mut weights) = (call.source.wrapping_offset(y * call.row + across), call.weights);
                let count = if C > 0 { C } else { COLUMNS };
                for (c, column) in call.columns.iter().take(count).enumerate() {
                    let from = source.wrapping_offset(column.place);
                    let mut samples = [V::load_lanes(from, lanes[c][0]); N];
                    for n in 1..N {
                        let from = from.wrapping_add(n * V::LANES);
                        samples[n] = if n + 1 == N { V::load_lanes(from, lanes[c][1]) } else { V::load(from) };
                    }
                    for k in 0..K {
                        let weight = if C > 0 { kept[c][k] } else { V::splat(*weights.add(k)) };
                        for n in 0..N {
                            sums[K - 1 - k][n] = samples[n].mul_add(weight, sums[K - 1 - k][n]);
                        }
                    }
                    weights = weights.add(K);
                }
            }
            if t + 1 >= K {
                let to = call.out.row(t + 1 - K);
                for n in 0..N - 1 {
                    sums[0][n].store(to.add(n * V::LANES));
                }
                match last == V::LANES {
                    true => sums[0][N - 1].store(to.add((N - 1) * V::LANES)),
                    false => sums[0][N - 1].store_first(to.add((N - 1) * V::LANES), last),
                }
            }
            for k in 1..K {
                sums[k - 1] = sums[k];
            }
            sums[K - 1] = [V::zero(); N];
        }
    }
}
