//! Fourier transforms of blocks of any rank, on the rows of rustfft.

use std::sync::Arc;

use num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use crate::element::{Element, sealed};

/// Columns that are transformed at once along an axis that is not the last.
pub(crate) const COLUMNS: usize = 16;

/// Elements between the columns of a group: they must not all fall into one set of the cache where extents are powers
/// of two.
const PAD: usize = 8;

/// The forward and the inverse transform of a contiguous block, neither of them normalised.
pub(crate) struct Transform<R> {
    shape: Vec<usize>,
    forward: Vec<Arc<dyn Fft<R>>>,
    inverse: Vec<Arc<dyn Fft<R>>>,
    /// Elements of scratch for rustfft itself.
    inner: usize,
    columns: usize,
}

impl<R> std::fmt::Debug for Transform<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Transform").field(&self.shape).finish()
    }
}

impl<R: Element<Real = R> + sealed::Real> Transform<R> {
    pub(crate) fn new(shape: &[usize]) -> Self {
        let mut planner = FftPlanner::new();
        let forward: Vec<_> = shape.iter().map(|&n| planner.plan_fft_forward(n)).collect();
        let inverse: Vec<_> = shape.iter().map(|&n| planner.plan_fft_inverse(n)).collect();
        let inner = forward.iter().chain(&inverse).map(|fft| fft.get_inplace_scratch_len()).max().unwrap_or(0);
        Self { shape: shape.to_vec(), forward, inverse, inner, columns: columns(shape) }
    }

    /// Elements of scratch that a transform takes.
    pub(crate) fn scratch(&self) -> usize {
        self.inner + self.columns
    }

    pub(crate) fn forward(&self, block: &mut [Complex<R>], scratch: &mut [Complex<R>]) {
        self.passes(&self.forward, block, scratch);
    }

    pub(crate) fn inverse(&self, block: &mut [Complex<R>], scratch: &mut [Complex<R>]) {
        self.passes(&self.inverse, block, scratch);
    }

    fn passes(&self, rows: &[Arc<dyn Fft<R>>], block: &mut [Complex<R>], scratch: &mut [Complex<R>]) {
        let (scratch, columns) = scratch[..self.scratch()].split_at_mut(self.inner);
        let last = self.shape.len() - 1;
        if self.shape[last] > 1 {
            rows[last].process_with_scratch(block, scratch);
        }
        let mut inner = self.shape[last];
        for a in (0..last).rev() {
            let n = self.shape[a];
            if n > 1 {
                for slab in block.chunks_exact_mut(n * inner) {
                    along_columns(&*rows[a], slab, inner, columns, scratch);
                }
            }
            inner *= n;
        }
    }
}

/// Elements that a group of columns takes, on the longest axis but the last.
pub(crate) fn columns(shape: &[usize]) -> usize {
    let longest = shape[..shape.len() - 1].iter().max().copied().unwrap_or(0);
    if longest > 1 { longest.saturating_add(PAD).saturating_mul(COLUMNS) } else { 0 }
}

/// Transforms every column of a slab, the rows of which have `width` elements.
fn along_columns<R: Element<Real = R> + sealed::Real>(
    fft: &dyn Fft<R>,
    slab: &mut [Complex<R>],
    width: usize,
    columns: &mut [Complex<R>],
    scratch: &mut [Complex<R>],
) {
    let n = slab.len() / width;
    let pitch = n + PAD;
    for start in (0..width).step_by(COLUMNS) {
        let count = COLUMNS.min(width - start);
        for i in 0..n {
            let row = &slab[i * width + start..][..count];
            for (column, &v) in columns.chunks_exact_mut(pitch).zip(row) {
                column[i] = v;
            }
        }
        for column in columns.chunks_exact_mut(pitch).take(count) {
            fft.process_with_scratch(&mut column[..n], scratch);
        }
        for i in 0..n {
            let row = &mut slab[i * width + start..][..count];
            for (column, v) in columns.chunks_exact(pitch).zip(row) {
                *v = column[i];
            }
        }
    }
}

/// The smallest number from `n` on with no prime factor above 5; `n` itself where that is beyond any memory.
pub(crate) fn good_size(n: usize) -> usize {
    if n > 1 << 48 {
        return n;
    }
    let mut best = n.next_power_of_two();
    let mut fives = 1;
    while fives < best {
        let mut odd = fives;
        while odd < best {
            let size = odd * n.div_ceil(odd).next_power_of_two();
            best = best.min(size);
            odd *= 3;
        }
        fives *= 5;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_sizes_are_the_next_smooth_numbers() {
        let smooth = |mut n: usize| {
            for p in [2, 3, 5] {
                while n.is_multiple_of(p) {
                    n /= p;
                }
            }
            n == 1
        };
        for n in 1..3000 {
            let expected = (n..).find(|&m| smooth(m)).expect("powers of two never end");
            assert_eq!(good_size(n), expected);
        }
    }

    #[test]
    fn there_and_back_again() {
        for shape in [&[12][..], &[5, 7], &[3, 20, 4], &[1, 6, 1, 9]] {
            let transform = Transform::<f64>::new(shape);
            let block: Vec<_> =
                (0..shape.iter().product::<usize>()).map(|i| Complex::new(i as f64, (i * i % 11) as f64)).collect();
            let (mut there, mut scratch) = (block.clone(), vec![Complex::new(f64::NAN, 0.0); transform.scratch()]);
            transform.forward(&mut there, &mut scratch);
            let sum: Complex<f64> = block.iter().sum();
            assert!((there[0] - sum).norm() < 1e-9);
            transform.inverse(&mut there, &mut scratch);
            let n = block.len() as f64;
            assert!(there.iter().zip(&block).all(|(a, b)| (a / n - b).norm() < 1e-9));
        }
    }
}
