//! How the samples of a block lie.

use std::ops::Range;

use super::shares::{Crew, cut};
use super::{Planes, planes};
use crate::element::Element;
use crate::problem::MAX_RANK;
use crate::simd::fourier::{MOST_LANES, ROOM};
use crate::simd::{Caches, Line};

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Samples {
    /// Real numbers: along the first axis the first half in the plane of real parts, the second in that of imaginary
    /// ones. What wraps around along that axis changes its sign.
    Real,
    Complex,
}

/// What becomes of the last axis of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    Transformed,
    /// Sums along it are taken as they are, and it may have any length.
    Summed,
}

/// How the samples of a block lie in its two planes.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(super) samples: Samples,
    pub(super) last: Last,
    pub(super) rank: usize,
    /// Samples along each axis.
    pub(super) extents: [usize; MAX_RANK],
    /// Numbers along each axis of a plane.
    pub(super) numbers: [usize; MAX_RANK],
    /// Numbers from one index of an axis to the next, in a plane.
    pub(super) pitches: [usize; MAX_RANK],
    pub(super) parted: bool,
    /// Numbers of a slab in a plane, without and with the room for registers beyond its last row.
    pub(super) slab: [usize; 2],
    /// Numbers that the axes take of a plane.
    used: usize,
}

impl Layout {
    /// That of so many samples along each axis, of elements of so many bytes a part; or why there is none.
    pub(crate) fn new(extents: &[usize], last: Last, samples: Samples, bytes: usize) -> Result<Self, String> {
        let rank = extents.len();
        let transformed = if last == Last::Summed { rank - 1 } else { rank };
        for (a, &n) in extents[..transformed].iter().enumerate() {
            let unit = unit(samples, a, rank);
            if n == 0 || !is_good(n / unit) || !n.is_multiple_of(unit) {
                return Err(format!(
                    "its transform of {n} along axis {a} is not {unit} times factors of 2, 3, 5 and 7"
                ));
            }
        }
        let mut this = Self {
            samples,
            last,
            rank,
            extents: [1; MAX_RANK],
            numbers: [1; MAX_RANK],
            pitches: [1; MAX_RANK],
            parted: false,
            slab: [0; 2],
            used: 0,
        };
        this.extents[..rank].copy_from_slice(extents);
        this.numbers[..rank].copy_from_slice(extents);
        if samples == Samples::Real {
            this.numbers[0] /= 2;
        }
        let line = Line::BYTES / bytes;
        let too_large = || "its transform is larger than any memory".to_string();
        let mut used = this.row();
        // Slabs of single short rows would each want room for more registers.
        this.parted = this.numbers[0] > 1 && (rank > 2 || rank == 2 && used.is_multiple_of(ROOM));
        if last == Last::Summed {
            // Registers of results reach beyond the row, and so do those that their last ones meet.
            used = used.checked_next_multiple_of(MOST_LANES).ok_or_else(too_large)?.saturating_add(MOST_LANES);
            this.parted = true;
        }
        for a in (0..rank - 1).rev() {
            if a == 0 && this.parted {
                let rows = this.numbers[1..rank - 1].iter().product::<usize>();
                let room = if last == Last::Summed || (rows * this.row()).is_multiple_of(ROOM) { 0 } else { ROOM };
                this.slab = [used, used + room];
                used += room;
            }
            // An odd number of cache lines, so that the column does not fall into a few sets of the cache.
            this.pitches[a] = if (used / line).is_multiple_of(2) { used + line } else { used };
            used += this.pitches[a].checked_mul(this.numbers[a] - 1).filter(|&n| n <= LARGEST).ok_or_else(too_large)?;
        }
        this.used = used;
        if !this.parted {
            this.slab = [used; 2];
        }
        if used > LARGEST {
            return Err(too_large());
        }
        Ok(this)
    }

    /// Numbers of a row in each plane.
    pub(crate) fn row(&self) -> usize {
        self.numbers[self.rank - 1]
    }

    /// Numbers of a plane: the samples, gaps between them, and room behind.
    pub(crate) fn plane(&self) -> usize {
        self.used + ROOM
    }

    /// Numbers of a block: two planes.
    pub(crate) fn block(&self) -> usize {
        2 * self.plane()
    }

    /// How many axes are transformed.
    pub(super) fn transformed(&self) -> usize {
        if self.last == Last::Summed { self.rank - 1 } else { self.rank }
    }

    /// Samples along each axis.
    pub(crate) fn extents(&self) -> &[usize] {
        &self.extents[..self.rank]
    }

    /// Numbers along each axis of a plane.
    pub(crate) fn numbers(&self) -> &[usize] {
        &self.numbers[..self.rank]
    }

    /// Numbers from one index of axis `a` to the next.
    pub(crate) fn pitch(&self, a: usize) -> usize {
        self.pitches[a]
    }

    /// Where in a block index `i` of axis `a` lies, from where index 0 does: of complex samples the real parts.
    pub(crate) fn place(&self, a: usize, i: usize) -> usize {
        if a > 0 || i < self.numbers[0] {
            return i * self.pitches[a];
        }
        (i - self.numbers[0]) * self.pitches[0] + self.plane()
    }

    /// The samples of the first axis that each plane holds, of complex ones either part of all.
    pub(crate) fn halves(&self) -> [Range<usize>; 2] {
        [0..self.numbers[0], self.extents[0] - self.numbers[0]..self.extents[0]]
    }

    /// Numbers of the columns of axis `a` that are transformed together, of rows of `row` numbers: gaps are columns too,
    /// of anything.
    pub(super) fn columns(&self, a: usize, row: usize) -> usize {
        let inner = a + 1..self.rank - 1;
        inner.map(|a| (self.numbers[a] - 1) * self.pitches[a]).sum::<usize>() + row.next_multiple_of(MOST_LANES)
    }

    /// How the samples lie.
    pub(crate) fn samples(&self) -> Samples {
        self.samples
    }

    /// The index along each axis of the number at `place` of a block, of complex samples of either part.
    pub(crate) fn index(&self, place: usize) -> [usize; MAX_RANK] {
        let (mut index, mut rest) = ([0; MAX_RANK], place % self.plane());
        for a in 0..self.rank {
            index[a] = rest / self.pitches[a];
            rest %= self.pitches[a];
        }
        index[0] += self.halves()[place / self.plane()].start;
        index
    }

    /// What a block is filled and read by: bands of so many slabs, or of so many numbers of a single row, or the whole
    /// as one.
    pub(crate) fn band<R>(&self) -> usize {
        match (self.parted, self.rank) {
            (true, _) => (Caches::detect().first / 4 / size_of::<R>() / self.pitches[0]).clamp(1, self.numbers[0]),
            (_, 1) => ROW.min(self.row()),
            _ => 1,
        }
    }

    /// Calls `work` for all bands of a block, each by what it has of the first axis of both planes.
    pub(crate) fn bands<R: Element>(
        &self,
        block: &mut [R],
        crew: Crew<'_, '_>,
        work: impl Fn(Range<usize>, Planes<'_, R>) + Sync,
    ) {
        let count = self.numbers[0];
        if !self.parted && self.rank > 1 {
            return work(0..count, planes(block));
        }
        let (each, band) = (self.pitches[0], self.band::<R>());
        cut(block, [count * each, band * each], crew, |start, planes| {
            let first = start / each;
            work(first..(first + band).min(count), planes);
        });
    }

    /// Where the rows of a plane begin.
    pub(super) fn starts(&self) -> Vec<usize> {
        let mut starts = vec![0];
        for a in 0..self.rank - 1 {
            let pitch = self.pitches[a];
            starts = starts.iter().flat_map(|s| (0..self.numbers[a]).map(move |i| s + i * pitch)).collect();
        }
        starts
    }
}

/// Numbers of a row that a band of it has.
const ROW: usize = 1 << 16;

/// Transforms larger than this are refused: no machine holds them.
const LARGEST: usize = 1 << 36;

/// What axis `a` of so many is a multiple of.
pub(crate) fn unit(samples: Samples, a: usize, rank: usize) -> usize {
    let halves = if a == 0 && samples == Samples::Real { 2 } else { 1 };
    halves * if a + 1 == rank { MOST_LANES } else { 1 }
}

/// Whether there are transforms along an axis of this many rows.
fn is_good(mut n: usize) -> bool {
    for prime in [2, 3, 5, 7] {
        while n.is_multiple_of(prime) && n > 1 {
            n /= prime;
        }
    }
    n == 1
}

/// The smallest number from `n` on with no prime factor above 7; `n` itself where that is beyond any memory.
pub(crate) fn good_size(n: usize) -> usize {
    if n > 1 << 48 {
        return n;
    }
    let mut best = n.next_power_of_two();
    let mut sevens = 1;
    while sevens < best {
        let mut fives = sevens;
        while fives < best {
            let mut odd = fives;
            while odd < best {
                best = best.min(odd * n.div_ceil(odd).next_power_of_two());
                odd *= 3;
            }
            fives *= 5;
        }
        sevens *= 7;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_sizes_are_the_next_smooth_numbers() {
        for n in 1..3000 {
            let expected = (n..).find(|&m| is_good(m)).expect("powers of two never end");
            assert_eq!(good_size(n), expected);
        }
    }

    #[test]
    fn sizes_without_transforms_are_refused() {
        for extents in [&[0][..], &[16], &[48], &[22, 32], &[3, 32], &[4, 24], &[352], &[1 << 30, 1 << 30, 32]] {
            assert!(Layout::new(extents, Last::Transformed, Samples::Real, 4).is_err(), "{extents:?}");
        }
    }
}
