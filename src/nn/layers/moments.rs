//! Mean and variance, precise whatever the mean.

use crate::nn::Float;
use crate::nn::sums::{sum_of, two_sums};

/// Numbers that single precision adds up without harm, and that stay in the nearest cache for the second look.
const BLOCK: usize = 4096;

/// Count, mean, and the sum of squared deviations from it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moments {
    pub(super) count: f64,
    pub(super) mean: f64,
    pub(super) squares: f64,
}

impl Moments {
    /// Those of a slice: block by block, in each around a mean that is near, then put right.
    #[inline(always)]
    pub(super) fn of<T: Float>(values: &[T]) -> Self {
        let mut all = Self::default();
        for block in values.chunks(BLOCK) {
            let count = block.len() as f64;
            let near = T::from_f64(Float::as_f64(sum_of(block, |value| value)) / count);
            let apart = two_sums(block, block, |value, _| [value - near, (value - near) * (value - near)]);
            let [off, squares] = [Float::as_f64(apart[0]) / count, Float::as_f64(apart[1])];
            let mean = Float::as_f64(near) + off;
            // Rounding may leave a trace below 0 where all numbers are the same.
            let squares = squares - count * off * off;
            all = all.with(Self { count, mean, squares: if squares < 0.0 { 0.0 } else { squares } });
        }
        all
    }

    /// Those of two sets together (Chan, Golub and LeVeque 1983).
    #[inline(always)]
    pub(super) fn with(self, other: Self) -> Self {
        if self.count == 0.0 {
            return other;
        }
        let count = self.count + other.count;
        let apart = other.mean - self.mean;
        let mean = self.mean + apart * (other.count / count);
        let squares = self.squares + other.squares + apart * apart * (self.count * other.count / count);
        Self { count, mean, squares }
    }

    /// The variance of these numbers: their sum of squares by their count.
    #[inline(always)]
    pub(super) fn variance(self) -> f64 {
        self.squares / self.count
    }
}

/// The sums of both of `terms` over two slices of one length, block by block in double precision.
#[inline(always)]
pub(super) fn long_sums<T: Float>(a: &[T], b: &[T], terms: impl Fn(T, T) -> [T; 2]) -> [f64; 2] {
    a.chunks(BLOCK).zip(b.chunks(BLOCK)).fold([0.0; 2], |all, (a, b)| {
        let block = two_sums(a, b, &terms);
        [0, 1].map(|i| all[i] + Float::as_f64(block[i]))
    })
}

/// Columns of a matrix that are summed side by side.
pub(super) const COLUMNS: usize = 64;

/// For `count` columns of two matrices from column `first` on, the sums of `term` over the rows. It is told the row,
/// the column less `first`, and both numbers.
#[inline(always)]
pub(super) fn column_sums<T: Float>(
    (a, b): (&[T], &[T]),
    width: usize,
    first: usize,
    count: usize,
    term: impl Fn(usize, usize, T, T) -> f64,
) -> [f64; COLUMNS] {
    let mut sums = [0.0; COLUMNS];
    for (row, (a, b)) in a.chunks_exact(width).zip(b.chunks_exact(width)).enumerate() {
        let both = a[first..first + count].iter().zip(&b[first..first + count]);
        for (column, (sum, (&a, &b))) in sums.iter_mut().zip(both).enumerate() {
            *sum += term(row, column, a, b);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_mean_harms_nothing() {
        for length in [1, 2, 31, 4096, 10_000] {
            let values: Vec<f32> = (0..length).map(|i| 1e6 + (i % 5) as f32).collect();
            let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / length as f64;
            let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / length as f64;
            let moments = Moments::of(&values);
            assert!((moments.mean - mean).abs() < 1e-6, "{length}: {moments:?}, {mean}");
            assert!((moments.variance() - variance).abs() < 1e-6, "{length}: {moments:?}, {variance}");
        }
    }
}
