//! Arrays that begin where a cache line does.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array, Array1, Dimension, IntoDimension, s};

use crate::element::Element;
use crate::error::{Error, Result};
use crate::simd::{Line, prefer_large_pages};

/// An array of zeros whose first element begins a cache line.
///
/// Every array is computed with, wherever it begins. But registers as wide as a line are loaded and stored at half the
/// speed where they lie across two, results that outgrow the caches are written past them only as whole lines, and two
/// threads that write to one line wait for each other. Arrays that are used again and again are worth it: where the rows
/// are whole lines too, some layers run a third faster.
///
/// Large arrays begin at different places of their pages, one after the other: rows of a picture are often whole pages, and
/// those of the result, as far into their pages, would displace the picture's in the cache. From 4 MiB on they are laid in large
/// pages where the system has them and leaves the choice (`madvise`), as NumPy's are.
///
/// ```
/// use faltung::ndarray::Array4;
/// let x: Array4<f32> = faltung::aligned_zeros((16, 32, 56, 56))?;
/// assert!(x.as_ptr().align_offset(64) == 0 && x.is_standard_layout());
/// # Ok::<(), faltung::Error>(())
/// ```
///
/// # Errors
/// [`Error::Overflow`] where there are more elements than can be counted, and [`Error::Other`] where there is no room for
/// them.
pub fn aligned_zeros<T: Element, D: Dimension>(shape: impl IntoDimension<Dim = D>) -> Result<Array<T, D>> {
    let shape = shape.into_dimension();
    let count = shape.slice().iter().try_fold(1usize, |all, &n| all.checked_mul(n));
    let room = count.and_then(|count| count.checked_add(spare::<T>(count)));
    let (count, room) = count.zip(room).ok_or_else(|| Error::overflow("the elements of an array"))?;
    let mut data = Vec::new();
    let doing = || format!("allocating {count} elements of {}", T::DTYPE);
    data.try_reserve_exact(room).map_err(|e| Error::other(doing(), e))?;
    prefer_large_pages(data.spare_capacity_mut());
    data.resize(room, T::default());
    let Aligned { data, first, length } = Aligned::within(data, count);
    let run = Array1::from_vec(data).slice_move(s![first..first + length]);
    run.into_shape_with_order(shape).map_err(|e| Error::other("shaping an array", e))
}

/// Bytes of a page: of addresses a multiple of it from one another, the first cache holds few at a time, and what is read
/// from one waits for what is written to another.
const PAGE: usize = 4096;

/// Pages from which on an array begins at another place of its page than the one before: the rows of a picture and of its
/// results would be whole pages apart else.
const MANY: usize = 16;

/// The places in turn.
const PLACES: [usize; 4] = [0, PAGE / 2, PAGE / 4, 3 * PAGE / 4];

/// Whether so many elements are [many](MANY) pages.
fn is_large<T>(length: usize) -> bool {
    length >= MANY * PAGE / size_of::<T>()
}

/// Elements that may have to be left before the first of so many.
fn spare<T>(length: usize) -> usize {
    if is_large::<T>(length) { PAGE / size_of::<T>() } else { Line::BYTES / size_of::<T>() - 1 }
}

/// Elements of which the first begins a cache line.
#[derive(Debug)]
pub(crate) struct Aligned<T> {
    /// Longer than asked for by what lies before that.
    data: Vec<T>,
    first: usize,
    length: usize,
}

impl<T: Element> Aligned<T> {
    /// So many zeros.
    pub(crate) fn zeros(length: usize) -> Self {
        let data = vec![T::default(); length + spare::<T>(length)];
        prefer_large_pages(&data);
        Self::within(data, length)
    }

    fn within(data: Vec<T>, length: usize) -> Self {
        static TURN: AtomicUsize = AtomicUsize::new(0);
        let (start, page) = (data.as_ptr(), PAGE / size_of::<T>());
        let first = match is_large::<T>(length) {
            true => {
                let place = PLACES[TURN.fetch_add(1, Ordering::Relaxed) % PLACES.len()] / size_of::<T>();
                start.align_offset(PAGE).checked_add(place).map_or(0, |first| first % page)
            }
            false => start.align_offset(Line::BYTES).min(spare::<T>(length)),
        };
        Self { data, first, length }
    }

    /// Holds so many elements from now on, any values; in the same memory if there is as much.
    #[cfg(feature = "nn")]
    pub(crate) fn hold(&mut self, length: usize) {
        if length <= self.data.len() - self.first {
            self.length = length;
        } else {
            // What was there is of no use to anyone: it goes before the larger one comes.
            *self = Self::default();
            *self = Self::zeros(length);
        }
    }
}

impl<T> Default for Aligned<T> {
    fn default() -> Self {
        Self { data: Vec::new(), first: 0, length: 0 }
    }
}

impl<T: Element> From<&[T]> for Aligned<T> {
    fn from(elements: &[T]) -> Self {
        let mut copy = Self::zeros(elements.len());
        copy.copy_from_slice(elements);
        copy
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.data[self.first..self.first + self.length]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.data[self.first..self.first + self.length]
    }
}

#[cfg(test)]
mod tests {
    use num_complex::Complex;

    use super::*;

    fn begins_line<T>(run: &[T]) -> bool {
        (run.as_ptr() as usize).is_multiple_of(Line::BYTES)
    }

    fn begins_a_line<T: Element>() {
        for count in (0..70).chain([1 << 15, 1 << 20]) {
            let mut run = Aligned::<T>::zeros(count);
            assert!(run.len() == count && begins_line(&run), "{:?} {count}", T::DTYPE);
            run.fill(T::from_f64(1.0));
            #[cfg(feature = "nn")]
            for other in [count / 2, count, 2 * count + 1] {
                run.hold(other);
                assert!(run.len() == other && begins_line(&run));
            }
            let copy = Aligned::from(&run[..]);
            assert!(copy[..] == run[..] && begins_line(&copy));
        }
    }

    #[test]
    fn large_runs_begin_at_different_places_of_their_pages() {
        let place = |run: &Aligned<f32>| run.as_ptr() as usize % PAGE;
        let runs = [(); 4].map(|()| Aligned::<f32>::zeros(1 << 20));
        // Other tests take turns meanwhile.
        assert!(runs.iter().all(|run| PLACES.contains(&place(run))));
        assert!((0..100).any(|_| place(&Aligned::zeros(1 << 14)) != place(&runs[0])));
    }

    #[test]
    fn runs_begin_a_line() {
        begins_a_line::<f32>();
        begins_a_line::<f64>();
        begins_a_line::<Complex<f32>>();
        begins_a_line::<Complex<f64>>();
    }

    #[test]
    fn arrays_have_their_shape_and_refuse_what_cannot_be_addressed() {
        let array = aligned_zeros::<f32, _>((3, 0, 2)).expect("an empty array");
        assert_eq!(array.shape(), [3, 0, 2]);
        let array = aligned_zeros::<f64, _>((5, 7)).expect("a small array");
        assert!(array.shape() == [5, 7] && array.iter().all(|&x| x == 0.0) && array.clone() == array);
        assert!(aligned_zeros::<f32, _>((usize::MAX, 2)).is_err());
        assert!(aligned_zeros::<f32, _>(usize::MAX / 4).is_err());
    }
}
