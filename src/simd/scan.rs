//! Passes over data that look for something.

use super::memory::{Line, prefetch_line};
use super::vectorised::vectorised;
use crate::element::{Element, Scalar};
use crate::view::{MAX_AXES, View, advance};

/// Whether no element is infinite or NaN.
pub(crate) fn all_finite<T: Element>(view: View<'_, T>) -> bool {
    let shape = view.shape();
    if shape.contains(&0) {
        return true;
    }
    if view.data.len() == view.at.elements() {
        // The view covers its slice, in whatever order.
        return finite_row(view.data);
    }
    let last = shape.len() - 1;
    let mut index = [0; MAX_AXES];
    (0..shape[..last].iter().product::<usize>()).all(|_| {
        let start = view.at.element(&index[..=last]) as isize;
        advance(&mut index[..last], &shape[..last]);
        (0..shape[last] as isize).all(|i| view.data[(start + i * view.at.strides()[last]) as usize].is_finite())
    })
}

/// Zero times a finite number is zero, times any other NaN, and NaN stays in a sum: no branch in the loop.
fn finite_row<T: Element>(row: &[T]) -> bool {
    let parts: &[T::Real] = bytemuck::cast_slice(row);
    let zero = <T::Real as Default>::default();
    vectorised(
        #[inline(always)]
        || {
            let mut chunks = parts.chunks_exact(64);
            let mut sums = [zero; 64];
            for chunk in &mut chunks {
                for (s, &x) in sums.iter_mut().zip(chunk) {
                    *s += x * zero;
                }
            }
            let total = sums.iter().chain(chunks.remainder()).fold(zero, |t, &x| t + x * zero);
            total == zero
        },
    )
}

/// How loud some samples are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Levels<R> {
    /// The largest magnitude, that of NaN left out.
    pub(crate) loudest: R,
    /// The smallest of the magnitudes that stretches of samples reach, those that are silent left out.
    pub(crate) quietest: R,
    pub(crate) finite: bool,
}

impl<R: Element<Real = R> + PartialOrd> Levels<R> {
    /// Those of no samples.
    pub(crate) fn none() -> Self {
        Self { loudest: R::default(), quietest: <R as Scalar>::from_f64(f64::INFINITY), finite: true }
    }

    /// Those of all samples of some rows.
    pub(crate) fn of<'a>(rows: impl Iterator<Item = &'a [R]>) -> Self {
        let mut look = Look::new();
        look.at(rows);
        look.levels()
    }

    /// Those of other samples too.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            loudest: if other.loudest > self.loudest { other.loudest } else { self.loudest },
            quietest: if other.quietest < self.quietest { other.quietest } else { self.quietest },
            finite: self.finite && other.finite,
        }
    }
}

/// Rows that are asked for before they are copied.
const AHEAD: usize = 2;

/// Samples that are looked at together.
const LANES: usize = 16;
/// Vectors of them, the loudest of which stands for them all.
const STRETCH: usize = 8;

/// A pass over samples that finds their levels; it may go on where it was left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<R> {
    loudest: [R; LANES],
    quietest: [R; LANES],
    /// Zero in each lane that has met finite samples only.
    taint: [R; LANES],
    /// The loudest of this stretch, and how many vectors it has.
    most: [R; LANES],
    vectors: usize,
}

impl<R: Element<Real = R> + PartialOrd> Look<R> {
    /// One that has seen nothing.
    pub(crate) fn new() -> Self {
        let (zero, infinity) = (R::default(), <R as Scalar>::from_f64(f64::INFINITY));
        Self {
            loudest: [zero; LANES],
            quietest: [infinity; LANES],
            taint: [zero; LANES],
            most: [zero; LANES],
            vectors: 0,
        }
    }

    /// Looks at some rows.
    pub(crate) fn at<'a>(&mut self, rows: impl Iterator<Item = &'a [R]>) {
        vectorised(
            #[inline(always)]
            || {
                let mut look = *self;
                rows.for_each(
                    #[inline(always)]
                    |row| look.row(row),
                );
                *self = look;
            },
        );
    }

    /// Copies so many rows of such a width and looks at them; of source and copies with the elements from one row to the
    /// next. Elements of two parts, which lie beside one another in the source, go to a place each. The rows behind are
    /// asked for: a jump from row to row is no stream to the machine.
    pub(crate) fn copy<const PARTS: usize>(
        &mut self,
        [rows, width]: [usize; 2],
        (source, step): (&[R], usize),
        (mut to, pitch): ([&mut [R]; PARTS], usize),
    ) {
        vectorised(
            #[inline(always)]
            || {
                let mut look = *self;
                for y in 0..rows {
                    let from = &source[y * step * PARTS..][..width * PARTS];
                    let ahead = from.as_ptr().wrapping_add(AHEAD * step * PARTS).cast::<u8>();
                    let whole = width / LANES * LANES;
                    for x in (0..whole).step_by(LANES) {
                        let from = &from[x * PARTS..][..LANES * PARTS];
                        let bytes = size_of_val(from);
                        for line in (0..bytes).step_by(Line::BYTES) {
                            prefetch_line(ahead.wrapping_add(x / LANES * bytes + line));
                        }
                        for part in 0..PARTS {
                            let mut vector = [R::default(); LANES];
                            for i in 0..LANES {
                                vector[i] = from[i * PARTS + part];
                            }
                            to[part][y * pitch + x..][..LANES].copy_from_slice(&vector);
                            look.vector(&vector);
                        }
                    }
                    for part in 0..PARTS {
                        let rest = &mut to[part][y * pitch + whole..][..width - whole];
                        for (i, to) in rest.iter_mut().enumerate() {
                            *to = from[(whole + i) * PARTS + part];
                        }
                        look.padded(rest);
                    }
                }
                *self = look;
            },
        );
    }

    /// What has been found.
    pub(crate) fn levels(mut self) -> Levels<R> {
        self.end_stretch();
        let mut levels = Levels::none();
        for i in 0..LANES {
            levels.loudest = if self.loudest[i] > levels.loudest { self.loudest[i] } else { levels.loudest };
            levels.quietest = if self.quietest[i] < levels.quietest { self.quietest[i] } else { levels.quietest };
            levels.finite &= self.taint[i] == R::default();
        }
        levels
    }

    #[inline(always)]
    fn row(&mut self, row: &[R]) {
        let (vectors, rest) = row.as_chunks::<LANES>();
        vectors.iter().for_each(
            #[inline(always)]
            |vector| self.vector(vector),
        );
        self.padded(rest);
    }

    /// Fewer samples than a vector has, or none.
    #[inline(always)]
    fn padded(&mut self, rest: &[R]) {
        if !rest.is_empty() {
            let mut padded = [R::default(); LANES];
            padded[..rest.len()].copy_from_slice(rest);
            self.vector(&padded);
        }
    }

    #[inline(always)]
    fn vector(&mut self, vector: &[R; LANES]) {
        let zero = R::default();
        for i in 0..LANES {
            let x = vector[i];
            let size = if x < zero { -x } else { x };
            self.most[i] = if size > self.most[i] { size } else { self.most[i] };
            self.taint[i] += x * zero;
        }
        self.vectors += 1;
        if self.vectors == STRETCH {
            self.end_stretch();
        }
    }

    #[inline(always)]
    fn end_stretch(&mut self) {
        let zero = R::default();
        for i in 0..LANES {
            let most = self.most[i];
            self.loudest[i] = if most > self.loudest[i] { most } else { self.loudest[i] };
            self.quietest[i] = if most > zero && most < self.quietest[i] { most } else { self.quietest[i] };
        }
        self.most = [zero; LANES];
        self.vectors = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loudest_and_the_quietest_are_found_in_rows_of_any_length() {
        for len in (1..70).chain([127, 128, 129, 500]) {
            for at in [0, len / 2, len - 1] {
                let mut row = vec![-2.0f32; len];
                row[at] = -8.0;
                let silence = vec![0.0; 300];
                let Levels { loudest, quietest, finite } = Levels::of([&row[..], &silence].into_iter());
                assert_eq!((loudest, finite), (8.0, true), "{len} {at}");
                // A stretch is every sixteenth of 128 samples: the loud one's is one of sixteen.
                assert_eq!(quietest, if len == 1 { 8.0 } else { 2.0 }, "{len} {at}");
                for taint in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    row[at] = taint;
                    assert!(!Levels::of([&row[..]].into_iter()).finite, "{len} {at} {taint}");
                    assert!(!finite_row(&row), "{len} {at} {taint}");
                }
            }
        }
    }

    #[test]
    fn rows_are_copied_and_looked_at_alike() {
        for width in (1..70).chain([127, 128, 129, 500]) {
            let (step, pitch, rows) = (width + 3, width + 1, 3);
            let source: Vec<f64> = (0..2 * step + width).map(|i| ((i * 7919) % 101) as f64 - 50.0).collect();
            let mut copy = vec![f64::NAN; 2 * pitch + width];
            let (mut one, mut other) = (Look::new(), Look::new());
            // A stretch goes on from one call to the next.
            for y in 0..rows {
                one.copy([1, width], (&source[y * step..], step), ([&mut copy[y * pitch..]], pitch));
            }
            other.at((0..rows).map(|y| &source[y * step..][..width]));
            let found = [one, other].map(|look| look.levels()).map(|l| (l.loudest, l.quietest, l.finite));
            assert_eq!(found[0], found[1], "{width}");
            for (i, y) in copy.iter().enumerate() {
                let (row, column) = (i / pitch, i % pitch);
                assert!(if column < width { *y == source[row * step + column] } else { y.is_nan() }, "{width} {i}");
            }
            // As elements of two parts.
            let (half, mut look) = (width.div_ceil(2), Look::new());
            let (first, second) = copy.split_at_mut(half);
            look.copy([1, half], (&source, 0), ([first, second], 0));
            let expected = Levels::of([&*first, &second[..half]].into_iter());
            let found = look.levels();
            assert_eq!((found.loudest, found.finite), (expected.loudest, expected.finite), "{width}");
            for i in 0..half {
                assert_eq!([first[i], second[i]], [source[2 * i], source[2 * i + 1]], "{width} {i}");
            }
        }
    }
}
