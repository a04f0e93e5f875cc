//! What a sum over sliding windows is told.

use crate::simd::ahead::Ahead;
use crate::simd::tiles::Planes;

/// Taps of the kernel in rows one below the other, which share everything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Column {
    /// Where the sample lies that the first tap reads for the first result, from the channel's first sample on.
    pub(crate) place: isize,
    /// Its row and column in its plane, which may lie outside.
    pub(crate) at: [isize; 2],
    /// Taps.
    pub(crate) height: usize,
}

// SAFETY: four fields of one size without padding, for which every bit pattern is valid.
unsafe impl bytemuck::Zeroable for Column {}
// SAFETY: as above; the type is Copy and 'static and holds no pointer.
unsafe impl bytemuck::Pod for Column {}

impl Column {
    /// Taps that leaves keep in registers, at the most: each is loaded once then for all rows of a block. Columns of up to
    /// twice as many are better cut in two; in higher ones, the rows that are loaded again for every part are as much work.
    pub(crate) const TAPS: usize = 7;

    /// So many taps, the first of which meets the sample at `place` first.
    pub(crate) fn of(place: usize, height: usize) -> Self {
        Self { place: place as isize, at: [0, 0], height }
    }
}

/// The arguments of a sum over sliding windows; see the [module](self).
pub struct Sliding<'a, T> {
    pub(crate) source: &'a [T],
    /// From one channel of the source to the next.
    pub(crate) channel: usize,
    /// From one row of the source to the next.
    pub(crate) pitch: usize,
    /// Rows and columns of a plane; beyond them are zeros, whatever the source holds there. `None` where every sample that
    /// is met is there: register loads may go on behind a row then, one register far at least from its first sample, and
    /// of every second sample, two.
    pub(crate) inside: Option<[usize; 2]>,
    /// Rows and samples of the source from one result to the next; of samples, 1 or 2.
    pub(crate) steps: [usize; 2],
    /// The row and the sample of the plane that the first result begins with.
    pub(crate) first: [usize; 2],
    pub(crate) columns: &'a [Column],
    /// The weights of one column after the other, for one channel after the other.
    pub(crate) weights: &'a [T],
    /// Whether narrow planes are computed down the rows of the source, if they can be: each result's sum then goes by the
    /// rows of its window, and else by its columns.
    pub(crate) down: bool,
    /// A plane for each channel.
    pub(crate) out: Planes<'a, T>,
    /// Whether the results are written past the caches.
    pub(crate) stream: bool,
    /// What will be read after this call, and is asked for meanwhile.
    pub(crate) ahead: Ahead<'a, T>,
}

impl<T> Sliding<'_, T> {
    /// Everything that the loops take on trust.
    pub(super) fn check(&self, lanes: usize) {
        let ([rows, width], channels) = (self.out.shape(), self.out.count);
        assert!(channels > 0 && rows > 0 && width > 0, "there are results");
        assert!(matches!(self.steps[1], 1 | 2), "a step of 1 or 2");
        let far = (channels - 1).saturating_mul(self.channel);
        // How far anything is at the most, first, so that nothing behind that overflows: there may be more columns than results.
        let most = isize::MAX.unsigned_abs() >> 8;
        let (mut least, mut high, mut apart, mut weights) = (usize::MAX, 0, [0; 3], 0usize);
        for &Column { place, at, height } in self.columns {
            (least, high, weights) = (least.min(height), high.max(height), weights.saturating_add(height));
            apart = [
                apart[0].max(at[0].unsigned_abs()),
                apart[1].max(at[1].unsigned_abs()),
                apart[2].max(place.unsigned_abs()),
            ];
        }
        assert!(least > 0, "a column has taps");
        let near = |at: usize, first: usize, n: usize, step: usize| {
            at.max(first) < most && n.saturating_add(high).saturating_mul(step) < most
        };
        let near = [rows, width].into_iter().enumerate().all(|(i, n)| near(apart[i], self.first[i], n, self.steps[i]));
        assert!(near && apart[2] < most, "places that can be added to");
        assert!(weights.saturating_mul(channels) == self.weights.len(), "a weight for each tap");
        if self.columns.is_empty() {
            return;
        }
        // Where the first sample of the lowest column's plane lies that is read without a look, and behind the last of the
        // highest's.
        let (low, end) = match self.inside {
            Some([high, wide]) => {
                assert!(apart[0] < most >> 31 && self.pitch < most >> 31, "rows that can be counted");
                let pitch = self.pitch as isize;
                let (mut last, mut first) = (isize::MIN, isize::MAX);
                for &Column { place, at, .. } in self.columns {
                    let base = place - at[0] * pitch - at[1];
                    (first, last) = (first.min(base), last.max(base));
                }
                let plane = if high == 0 { 0 } else { (high - 1).saturating_mul(self.pitch).saturating_add(wide) };
                (first, last.saturating_add_unsigned(plane))
            }
            None => {
                let down = self.steps[0].saturating_mul(self.pitch);
                let first = self.first[0].saturating_mul(self.pitch).saturating_add(self.first[1]);
                let all = (rows + high).saturating_mul(down).saturating_add(first).saturating_add(width.max(lanes) * 2);
                assert!(all < most, "rows that can be counted");
                let (mut last, mut least) = (isize::MIN, isize::MAX);
                for &Column { place, height, .. } in self.columns {
                    (least, last) = (least.min(place), last.max(place + ((height - 1) * down) as isize));
                }
                let plane = (rows - 1) * down + width.max(lanes) * self.steps[1] + first;
                (least + first as isize, last + plane as isize)
            }
        };
        assert!(low >= 0, "a column's plane lies within the source");
        assert!(
            end.saturating_add_unsigned(far) <= self.source.len() as isize,
            "the source reaches as far as the columns"
        );
    }
}
