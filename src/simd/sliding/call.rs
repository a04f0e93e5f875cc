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
        let mut weights = 0usize;
        for &Column { place, at, height } in self.columns {
            assert!(height > 0, "a column has taps");
            weights += height;
            let most = isize::MAX >> 8;
            // Rows and samples of the plane that are read without a look, and where its first sample is.
            let ([high, wide], base) = match self.inside {
                Some(inside) => {
                    assert!(at[0].abs() < most >> 31 && (self.pitch as isize) < most >> 31, "rows that can be counted");
                    (inside, place - at[0] * self.pitch as isize - at[1])
                }
                None => {
                    let high = (rows - 1).saturating_add(height - 1).saturating_mul(self.steps[0]).saturating_add(1);
                    let first = self.first[0].saturating_mul(self.pitch).saturating_add(self.first[1]);
                    ([high, width.max(lanes).saturating_mul(self.steps[1])], place.saturating_add_unsigned(first))
                }
            };
            let base = usize::try_from(base).expect("a column's plane lies within the source");
            let end = match high {
                0 => 0,
                _ => (high - 1).saturating_mul(self.pitch).saturating_add(wide),
            };
            assert!(
                end.saturating_add(base).saturating_add(far) <= self.source.len(),
                "the source reaches as far as the columns"
            );
            let most = most as usize;
            let near = |at: isize, first: usize, n: usize, step: usize| {
                at.unsigned_abs().max(first) < most && n.saturating_add(height).saturating_mul(step) < most
            };
            let near = [rows, width].into_iter().enumerate().all(|(i, n)| near(at[i], self.first[i], n, self.steps[i]));
            assert!(near, "places that can be added to");
        }
        assert!(weights * channels == self.weights.len(), "a weight for each tap");
    }
}
