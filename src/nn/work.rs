//! Elementwise work, shared among threads: the same pieces and the same bits whatever their number.

use std::sync::{Mutex, PoisonError};

use crate::error::Result;

/// Elements below which a piece of work is not divided further.
pub(super) const GRAIN: usize = 1 << 14;

/// Something that falls into two at any of its items.
pub(super) trait Split: Sized + Send {
    /// Items.
    fn items(&self) -> usize;
    /// The first `at` items, and the others.
    fn split(self, at: usize) -> (Self, Self);
}

impl<T: Sync> Split for &[T] {
    fn items(&self) -> usize {
        self.len()
    }

    fn split(self, at: usize) -> (Self, Self) {
        self.split_at(at)
    }
}

impl<T: Send> Split for &mut [T] {
    fn items(&self) -> usize {
        self.len()
    }

    fn split(self, at: usize) -> (Self, Self) {
        self.split_at_mut(at)
    }
}

/// A slice of items of so many elements each; the last may have fewer.
pub(super) struct Rows<S> {
    pub(super) data: S,
    pub(super) width: usize,
}

/// Rows of `width` elements.
pub(super) fn rows<S: Split>(data: S, width: usize) -> Rows<S> {
    Rows { data, width }
}

impl<S: Split> Split for Rows<S> {
    fn items(&self) -> usize {
        self.data.items().div_ceil(self.width.max(1))
    }

    fn split(self, at: usize) -> (Self, Self) {
        let end = self.data.items().min(at * self.width);
        let (a, b) = self.data.split(end);
        (rows(a, self.width), rows(b, self.width))
    }
}

/// A stretch of `width` elements for each `grain` items of the others, the last of which may be fewer.
pub(super) struct Blocks<S> {
    pub(super) data: S,
    pub(super) width: usize,
    pub(super) grain: usize,
}

impl<S: Split> Split for Blocks<S> {
    fn items(&self) -> usize {
        self.data.items().checked_div(self.width).unwrap_or(0) * self.grain
    }

    fn split(self, at: usize) -> (Self, Self) {
        let Self { data, width, grain } = self;
        let (a, b) = data.split(at / grain * width);
        (Self { data: a, width, grain }, Self { data: b, width, grain })
    }
}

macro_rules! tuple {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Split),*> Split for ($($name,)*) {
            fn items(&self) -> usize {
                self.0.items()
            }

            fn split(self, at: usize) -> (Self, Self) {
                let halves = ($(self.$index.split(at),)*);
                (($(halves.$index.0,)*), ($(halves.$index.1,)*))
            }
        }
    };
}
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);

/// Runs `work` on pieces of no more than `grain` items, which it is told the first of.
pub(super) fn share<S: Split>(all: S, grain: usize, work: &(impl Fn(usize, S) + Sync)) {
    divide(0, all, grain.max(1), work);
}

/// As [`share`], for work that may fail: one of the errors, where there are several.
pub(super) fn try_share<S: Split>(all: S, grain: usize, work: &(impl Fn(usize, S) -> Result<()> + Sync)) -> Result<()> {
    let failed = Mutex::new(None);
    share(all, grain, &|first, piece| {
        if let Err(error) = work(first, piece) {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

fn divide<S: Split>(first: usize, piece: S, grain: usize, work: &(impl Fn(usize, S) + Sync)) {
    let items = piece.items();
    if items <= grain {
        work(first, piece);
        return;
    }
    // Whole grains on the left, so that the pieces do not depend on who runs them.
    let left = items.div_ceil(grain).div_ceil(2) * grain;
    let (a, b) = piece.split(left);
    both(|| divide(first, a, grain, work), || divide(first + left, b, grain, work));
}

/// Runs `work` on one of the threads that share its pieces: asked from outside, each piece of work that is shared would
/// wake them and wait.
#[cfg(feature = "parallel")]
pub(super) fn among_threads<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if rayon::current_num_threads() > 1 { rayon::scope(|_| work()) } else { work() }
}

#[cfg(not(feature = "parallel"))]
pub(super) fn among_threads<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(feature = "parallel")]
fn both(a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
    if rayon::current_num_threads() > 1 {
        rayon::join(a, b);
    } else {
        a();
        b();
    }
}

#[cfg(not(feature = "parallel"))]
fn both(a: impl FnOnce(), b: impl FnOnce()) {
    a();
    b();
}

/// Evaluates an expression whose loops are compiled for the widest registers of the machine, however long it is.
macro_rules! wide {
    ($work:expr) => {
        crate::simd::vectorised(
            #[inline(always)]
            || $work,
        )
    };
}
pub(super) use wide;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_met_once_and_knows_its_place() {
        for (items, grain) in [(0, 4), (1, 4), (4, 4), (5, 4), (1000, 7), (1000, 1), (3, 0)] {
            let (source, mut target) = ((0..2 * items).collect::<Vec<usize>>(), vec![0; items]);
            let pieces = Mutex::new(Vec::new());
            share((rows(&source[..], 2), &mut target[..]), grain, &|first, (pairs, out)| {
                pieces.lock().expect("no panics").push(first);
                assert_eq!(pairs.items(), out.len());
                for (i, (pair, o)) in pairs.data.chunks(2).zip(out).enumerate() {
                    assert_eq!(pair[0], 2 * (first + i));
                    *o = pair[1];
                }
            });
            assert!(target.iter().enumerate().all(|(i, &v)| v == 2 * i + 1));
            let mut pieces = pieces.into_inner().expect("no panics");
            pieces.sort_unstable();
            let expected: Vec<usize> = (0..items.max(1)).step_by(grain.max(1)).collect();
            assert_eq!(pieces, expected);
        }
    }
}
