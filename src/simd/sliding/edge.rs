//! Columns of taps that meet what is not there.

use super::meet;
use crate::simd::vector::Vector;

/// What a column of taps meets of a plane where some of it lies outside.
pub(super) struct Edge<T> {
    /// Where the first tap's first sample would be.
    pub(super) from: *const T,
    /// From one row of it to the next, and rows from one row of results to the next.
    pub(super) row: isize,
    pub(super) step: isize,
    /// Its row and column.
    pub(super) at: [isize; 2],
    pub(super) inside: [isize; 2],
}

/// Which of a block's registers may be masked: none, if rows are missing only; the first, the last, or all.
const NONE: usize = 0;
const FIRST: usize = 1;
const LAST: usize = 2;
const ANY: usize = 3;

impl<T: Copy> Edge<T> {
    /// A column of any height; what lies outside adds nothing.
    ///
    /// # Safety
    /// All that is `inside` of the plane is there to read, and there are `height` weights.
    #[inline(always)]
    pub(super) unsafe fn column<V: Vector<Lane = T>, const M: usize, const N: usize, const STEP: usize>(
        &self,
        weights: *const T,
        height: usize,
        sums: &mut [[V; N]; M],
    ) {
        let (l, at, end) = ((V::LANES * STEP) as isize, self.at[1], self.inside[1]);
        let before = at >= 0;
        let behind = at + N as isize * l <= end;
        // SAFETY: the caller's promise.
        unsafe {
            match (before, behind) {
                (true, true) => self.rows::<V, M, N, STEP, NONE>(weights, height, sums),
                (false, true) if N > 1 && at + l >= 0 => self.rows::<V, M, N, STEP, FIRST>(weights, height, sums),
                (true, false) if N > 1 && at + (N as isize - 1) * l <= end => {
                    self.rows::<V, M, N, STEP, LAST>(weights, height, sums)
                }
                _ => self.rows::<V, M, N, STEP, ANY>(weights, height, sums),
            }
        }
    }

    /// # Safety
    /// As [`column`](Self::column); registers that may not be masked are inside.
    #[inline(always)]
    unsafe fn rows<V: Vector<Lane = T>, const M: usize, const N: usize, const STEP: usize, const MASKED: usize>(
        &self,
        weights: *const T,
        height: usize,
        sums: &mut [[V; N]; M],
    ) {
        let l = V::LANES as isize;
        // Of the rows that the block meets, those that are there.
        let first = (-self.at[0]).max(0).unsigned_abs().div_ceil(self.step.unsigned_abs());
        let left = (self.inside[0] - self.at[0]).max(0).unsigned_abs().div_ceil(self.step.unsigned_abs());
        let end = left.min(height + M - 1);
        // The lanes of each register that are there, and where the first of them lies in a row.
        let range = |at: isize| {
            let first = (-at).clamp(0, l);
            [first, (self.inside[1] - at).clamp(first, l)].map(|n| n as usize)
        };
        let mut lanes = [[[0, V::LANES]; STEP]; N];
        for n in 0..N {
            for s in 0..STEP {
                if MASKED == ANY || MASKED == FIRST && n == 0 || MASKED == LAST && n + 1 == N {
                    lanes[n][s] = range(self.at[1] + (n * STEP + s) as isize * l);
                }
            }
        }
        for r in first..end {
            let from = self.from.wrapping_offset(r as isize * self.step * self.row);
            // SAFETY: the row is there, and no lanes but those inside it are read; there is a weight for each tap.
            unsafe {
                let mut samples = [V::zero(); N];
                for n in 0..N {
                    let load = |s: usize| {
                        let from = from.wrapping_add((n * STEP + s) * V::LANES);
                        match MASKED == ANY || MASKED == FIRST && n == 0 || MASKED == LAST && n + 1 == N {
                            true => V::load_range(from, lanes[n][s][0], lanes[n][s][1]),
                            false => V::load(from),
                        }
                    };
                    samples[n] = load(0);
                    if STEP == 2 {
                        samples[n] = samples[n].every_second(load(1));
                    }
                }
                for m in 0..M {
                    if m <= r && r - m < height {
                        meet(&samples, *weights.add(r - m), &mut sums[m]);
                    }
                }
            }
        }
    }
}
