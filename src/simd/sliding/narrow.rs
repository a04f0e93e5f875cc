//! Planes of a few registers a row: down the rows of the source.
//!
//! A row of the source is loaded once for each column of taps and added to all rows of results that it meets, as many as
//! the kernel is high. Their sums stay in registers until the last row that they meet has come by: nothing is loaded twice,
//! no block is cut off at the ends of a row, and of rows outside nothing is computed.

use super::super::memory::prefetch_line;
use super::{Channel, Channels, Column};
use crate::simd::vector::Vector;

/// Heights of kernels that there is a loop for.
const HEIGHTS: [usize; 3] = [3, 5, 7];

/// Channels between the one that is computed and the one that is asked for meanwhile.
const AHEAD: isize = 2;

/// Columns of taps, at the most.
const COLUMNS: usize = 16;

/// The registers of a row of so many results, if there is a loop for them and such columns: there is room for the sums, a
/// row's samples and a weight.
pub(super) fn registers<V: Vector>(width: usize, columns: &[Column]) -> Option<usize> {
    let (registers, height) = (width.div_ceil(V::LANES), columns.first()?.height);
    let alike = columns.iter().all(|column| column.height == height && column.at[0] == columns[0].at[0]);
    let most = if V::MANY { 4 } else { 15 / (height + 1) };
    let known = HEIGHTS.contains(&height) && (1..=most).contains(&registers) && columns.len() <= COLUMNS;
    (V::NATIVE && V::REAL && alike && known).then_some(registers)
}

/// How the channels of a call are computed so.
pub(super) struct Narrow {
    /// Of the columns, which are all alike.
    pub(super) height: usize,
    /// Of a row.
    pub(super) registers: usize,
    /// Of each column, the lanes of a row's first register and of its last that are there.
    lanes: [[u32; 2]; COLUMNS],
}

impl Narrow {
    /// If they can be.
    #[inline(always)]
    pub(super) fn of<V: Vector>(call: &Channel<'_, V::Lane>) -> Option<Self> {
        let (l, across) = (V::LANES as isize, call.first[1]);
        let registers = registers::<V>(call.out.width, call.columns)?;
        let height = call.columns.first()?.height;
        let last = (registers as isize - 1) * l;
        let mut lanes = [[0; 2]; COLUMNS];
        for (lanes, column) in lanes.iter_mut().zip(call.columns) {
            for (lanes, n) in lanes.iter_mut().zip([0, last]) {
                // Where every sample is there, no more than the results ask for.
                let (at, wide) = match call.inside {
                    Some([_, wide]) => (column.at[1] + across + n, wide),
                    None => (n, call.out.width as isize),
                };
                let first = (-at).clamp(0, l);
                *lanes = V::lanes(first as usize, (wide - at).clamp(first, l) as usize);
            }
        }
        // Registers that are neither the first nor the last of a row are whole.
        let whole = call.inside.is_none_or(|[_, wide]| {
            registers <= 2 || l + call.low[1] + across >= 0 && last + call.high[1] + across <= wide
        });
        (call.step == 1 && whole).then_some(Self { height, registers, lanes })
    }

    /// All channels, whose columns are `K` high, and whose rows are `N` registers. The weights of the first `C` columns
    /// stay in registers, the others are loaded for each row.
    ///
    /// # Safety
    /// As [`slide`](super::slide), for a step of 1; this has been made of one of the channels, whose columns are `K` high
    /// and `C` or more, and whose rows are `N` registers.
    #[inline(always)]
    pub(super) unsafe fn channels<V: Vector, const K: usize, const N: usize, const C: usize>(
        &self,
        all: &Channels<'_, V::Lane>,
    ) {
        for channel in 0..all.call.out.count {
            // SAFETY: the caller's promise.
            unsafe {
                self.channel::<V, K, N, C>(&all.get::<V>(channel), [all.call.channel as isize, all.call.out.step])
            }
        }
    }

    /// One of the [channels](Self::channels).
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    unsafe fn channel<V: Vector, const K: usize, const N: usize, const C: usize>(
        &self,
        call: &Channel<'_, V::Lane>,
        apart: [isize; 2],
    ) {
        let high = call.inside.map_or(isize::MAX, |[high, _]| high);
        let (rows, last) = (call.out.rows, call.out.width - (N - 1) * V::LANES);
        let [down, across] = call.first;
        let (first_columns, columns) = call.columns.split_at(C);
        let (first_lanes, lanes) = self.lanes.split_at(C);
        // SAFETY: `check` has seen that all that is inside the plane lies within the source, or all that is met: rows
        // outside are left out, registers at the ends are masked, and the others are whole. There is a weight for each tap.
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
                if call.inside.is_none() || (0..high).contains(&(y + call.low[0])) {
                    let source = call.source.wrapping_offset(y * call.row + across);
                    if !V::MANY {
                        prefetch_line(source.wrapping_offset(AHEAD * apart[0]).cast());
                    }
                    for c in 0..C {
                        let samples = row::<V, N>(source.wrapping_offset(first_columns[c].place), first_lanes[c]);
                        for k in 0..K {
                            for n in 0..N {
                                sums[K - 1 - k][n] = samples[n].mul_add(kept[c][k], sums[K - 1 - k][n]);
                            }
                        }
                    }
                    let mut weights = call.weights.add(C * K);
                    for (column, &lanes) in columns.iter().zip(lanes) {
                        let samples = row::<V, N>(source.wrapping_offset(column.place), lanes);
                        for k in 0..K {
                            let weight = V::splat(*weights.add(k));
                            for n in 0..N {
                                sums[K - 1 - k][n] = samples[n].mul_add(weight, sums[K - 1 - k][n]);
                            }
                        }
                        weights = weights.add(K);
                    }
                }
                if t + 1 >= K {
                    let to = call.out.row(t + 1 - K);
                    if !V::MANY {
                        prefetch_line(to.wrapping_offset(AHEAD * apart[1]).cast());
                    }
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
}

/// A row's samples.
///
/// # Safety
/// Those `lanes` of the first register and of the last are there to read, and the registers between them.
#[inline(always)]
unsafe fn row<V: Vector, const N: usize>(from: *const V::Lane, lanes: [u32; 2]) -> [V; N] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut samples = [V::load_lanes(from, lanes[0]); N];
        for n in 1..N {
            let from = from.wrapping_add(n * V::LANES);
            samples[n] = if n + 1 == N { V::load_lanes(from, lanes[1]) } else { V::load(from) };
        }
        samples
    }
}
