//! Pictures strip by strip, so that what a filter works on stays in the cache.

use std::ops::Range;

/// Samples of a strip's plane, so that a few of them fit into a core's cache.
const SAMPLES: usize = 1 << 19;
/// A strip has so many times the rows that a tap reaches over; fewer, and too many rows would be filtered twice.
const REACHES: usize = 8;

/// A picture cut into strips of equally many rows, which overlap: of each, those rows are kept that no tap reaches from
/// behind a cut. The picture's own edges are edges of strips, so that the boundary does there what it does to the
/// whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strips {
    height: usize,
    rows: usize,
    reach: usize,
}

/// The rows of a strip, and those of them that are kept, counted in the picture.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Strip {
    pub(super) rows: Range<usize>,
    pub(super) kept: Range<usize>,
}

impl Strips {
    /// Strips of a picture for a filter that reaches over so many rows; one, if it reaches over all.
    pub(super) fn new((height, width): (usize, usize), reach: Option<usize>) -> Self {
        Self::of(height, reach, |reach| (SAMPLES / width.max(1)).max(REACHES.saturating_mul(reach)).max(1))
    }

    fn of(height: usize, reach: Option<usize>, rows: impl Fn(usize) -> usize) -> Self {
        match reach.map(|reach| (reach, rows(reach))) {
            Some((reach, rows)) if rows < height => Self { height, rows, reach },
            _ => Self { height, rows: height, reach: 0 },
        }
    }

    /// The rows of every strip.
    pub(super) fn rows(self) -> usize {
        self.rows
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Strip> {
        let Self { height, rows, reach } = self;
        let mut next = 0;
        std::iter::from_fn(move || {
            let start = next;
            (start < height).then(|| {
                let first = start.saturating_sub(reach).min(height - rows);
                let last = first + rows;
                next = if last == height { height } else { last - reach };
                Strip { rows: first..last, kept: start..next }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_keep_every_row_once_and_out_of_reach_of_the_cuts() {
        for height in 1..60 {
            for reach in 0..5 {
                for rows in 2 * reach + 1..30 {
                    let strips = Strips::of(height, Some(reach), |_| rows);
                    let mut next = 0;
                    for Strip { rows, kept } in strips.iter() {
                        assert_eq!((rows.len(), kept.start), (strips.rows(), next));
                        assert!(kept.start < kept.end && rows.start <= kept.start && kept.end <= rows.end);
                        assert!(rows.start == 0 || kept.start - rows.start >= reach, "{height} {reach} {rows:?}");
                        assert!(rows.end == height || rows.end - kept.end >= reach, "{height} {reach} {rows:?}");
                        next = kept.end;
                    }
                    assert_eq!(next, height);
                }
            }
        }
    }

    #[test]
    fn a_filter_that_reaches_over_all_takes_the_whole() {
        let all: Vec<_> = Strips::new((5000, 5000), None).iter().collect();
        assert_eq!(all, [Strip { rows: 0..5000, kept: 0..5000 }]);
    }
}
