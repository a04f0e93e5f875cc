//! Columns of taps that meet what is not there.

use super::block::{ask, meet};
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
        let (l, at) = ((V::LANES * STEP) as isize, self.at[1]);
        // Registers at each end that may be masked: with many in a row one at least, which are few.
        let least = if N < 3 { 0 } else { l };
        let whole = at + least >= 0 && at + N as isize * l - least <= self.inside[1];
        // SAFETY: the caller's promise.
        unsafe {
            match whole {
                true => self.rows::<V, M, N, STEP, true>(weights, height, sums),
                false => self.rows::<V, M, N, STEP, false>(weights, height, sums),
            }
        }
    }

    /// # Safety
    /// As [`column`](Self::column); if they are `WHOLE`, all registers but the first and the last of three or more are
    /// inside.
    #[inline(always)]
    unsafe fn rows<V: Vector<Lane = T>, const M: usize, const N: usize, const STEP: usize, const WHOLE: bool>(
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
            [first as usize, (self.inside[1] - at).clamp(first, l) as usize]
        };
        let mut lanes = [[[0, V::LANES]; STEP]; N];
        for n in 0..N {
            for s in 0..STEP {
                if !WHOLE || N > 2 && (n == 0 || n + 1 == N) {
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
                        match !WHOLE || N > 2 && (n == 0 || n + 1 == N) {
                            true => V::load_range(from, lanes[n][s][0], lanes[n][s][1]),
                            false => V::load(from),
                        }
                    };
                    samples[n] = load(0);
                    if const { STEP == 2 } {
                        ask::<V>(from.wrapping_add(n * STEP * V::LANES), self.step * self.row);
                        samples[n] = samples[n].every_second_mixed(load(1));
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
