//! Passes over data that look for something.

use super::Isa;
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

    /// Those of other samples too.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            loudest: if other.loudest > self.loudest { other.loudest } else { self.loudest },
            quietest: if other.quietest < self.quietest { other.quietest } else { self.quietest },
            finite: self.finite && other.finite,
        }
    }
}

/// Samples that are looked at together.
const LANES: usize = 16;
/// Vectors of them, the loudest of which stands for them all.
const STRETCH: usize = 8;

/// The levels of all samples of some rows.
pub(crate) fn levels<'a, R: Element<Real = R> + PartialOrd>(
    isa: Isa,
    rows: impl Iterator<Item = &'a [R]>,
) -> Levels<R> {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    unsafe fn with_avx512<'a, R: Element<Real = R> + PartialOrd>(rows: impl Iterator<Item = &'a [R]>) -> Levels<R> {
        levels_of(rows)
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn with_avx2<'a, R: Element<Real = R> + PartialOrd>(rows: impl Iterator<Item = &'a [R]>) -> Levels<R> {
        levels_of(rows)
    }
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` exists only where the machine has it.
        Isa::Avx512 => unsafe { with_avx512(rows) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { with_avx2(rows) },
        Isa::Portable => levels_of(rows),
    }
}

#[inline(always)]
fn levels_of<'a, R: Element<Real = R> + PartialOrd>(rows: impl Iterator<Item = &'a [R]>) -> Levels<R> {
    let (zero, infinity) = (R::default(), <R as Scalar>::from_f64(f64::INFINITY));
    let (mut loudest, mut quietest, mut taint) = ([zero; LANES], [infinity; LANES], [zero; LANES]);
    let mut most = [zero; LANES];
    let mut vectors = 0;
    for row in rows {
        for vector in row.chunks(LANES) {
            match <&[R; LANES]>::try_from(vector) {
                Ok(vector) => look(vector, &mut most, &mut taint),
                Err(_) => {
                    let mut padded = [zero; LANES];
                    padded[..vector.len()].copy_from_slice(vector);
                    look(&padded, &mut most, &mut taint);
                }
            }
            vectors += 1;
            if vectors == STRETCH {
                end_stretch(&mut most, &mut loudest, &mut quietest);
                vectors = 0;
            }
        }
    }
    end_stretch(&mut most, &mut loudest, &mut quietest);
    let mut levels = Levels { loudest: zero, quietest: infinity, finite: true };
    for i in 0..LANES {
        levels.loudest = if loudest[i] > levels.loudest { loudest[i] } else { levels.loudest };
        levels.quietest = if quietest[i] < levels.quietest { quietest[i] } else { levels.quietest };
        levels.finite &= taint[i] == zero;
    }
    levels
}

#[inline(always)]
fn look<R: Element<Real = R> + PartialOrd>(vector: &[R; LANES], most: &mut [R; LANES], taint: &mut [R; LANES]) {
    let zero = R::default();
    for i in 0..LANES {
        let x = vector[i];
        let size = if x < zero { -x } else { x };
        most[i] = if size > most[i] { size } else { most[i] };
        taint[i] += x * zero;
    }
}

#[inline(always)]
fn end_stretch<R: Element<Real = R> + PartialOrd>(
    most: &mut [R; LANES],
    loudest: &mut [R; LANES],
    quietest: &mut [R; LANES],
) {
    let zero = R::default();
    for i in 0..LANES {
        loudest[i] = if most[i] > loudest[i] { most[i] } else { loudest[i] };
        quietest[i] = if most[i] > zero && most[i] < quietest[i] { most[i] } else { quietest[i] };
    }
    *most = [zero; LANES];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loudest_and_the_quietest_are_found_in_rows_of_any_length() {
        for isa in Isa::all() {
            for len in (1..70).chain([127, 128, 129, 500]) {
                for at in [0, len / 2, len - 1] {
                    let mut row = vec![-2.0f32; len];
                    row[at] = -8.0;
                    let silence = vec![0.0; 300];
                    let Levels { loudest, quietest, finite } = levels(isa, [&row[..], &silence].into_iter());
                    assert_eq!((loudest, finite), (8.0, true), "{isa:?} {len} {at}");
                    // A stretch is every sixteenth of 128 samples: the loud one's is one of sixteen.
                    assert_eq!(quietest, if len == 1 { 8.0 } else { 2.0 }, "{isa:?} {len} {at}");
                    for taint in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                        row[at] = taint;
                        assert!(!levels(isa, [&row[..]].into_iter()).finite, "{isa:?} {len} {at} {taint}");
                        assert!(!finite_row(&row), "{len} {at} {taint}");
                    }
                }
            }
        }
    }
}
