//! Kernels that reach around the data.

use std::borrow::Cow;

use ndarray::{ArrayD, Dimension, IxDyn};

use super::operator::Taps;
use crate::problem::Boundary;

/// The same filter for data of these extents with no more than `2 n + 1` taps along an axis of `n` samples, so that a
/// kernel far longer than the data costs no more than one as long as they are.
///
/// Taps that lie over the same sample whatever the output are one: a period apart where the boundary repeats the data,
/// beyond all of the data where it does not.
pub(super) fn within<'a>(kernel: &'a Taps, extents: &[usize], boundary: Boundary) -> Cow<'a, Taps> {
    let folds: Vec<Fold> = (kernel.taps.shape().iter().zip(&kernel.anchor).zip(extents))
        .map(|((&taps, &anchor), &n)| Fold::new(taps, anchor, n, boundary))
        .collect();
    if folds.iter().all(|fold| matches!(fold, Fold::Keep { .. })) {
        return Cow::Borrowed(kernel);
    }
    let mut taps = ArrayD::zeros(IxDyn(&folds.iter().map(Fold::taps).collect::<Vec<_>>()));
    let mut at = taps.raw_dim();
    for (index, tap) in kernel.taps.indexed_iter() {
        for ((place, fold), (&t, &anchor)) in
            at.slice_mut().iter_mut().zip(&folds).zip(index.slice().iter().zip(&kernel.anchor))
        {
            *place = fold.place(t as isize - anchor as isize);
        }
        taps[&at] += tap;
    }
    Cow::Owned(Taps { taps, anchor: folds.iter().map(|fold| fold.place(0)).collect() })
}

/// Where the taps of one axis go.
enum Fold {
    /// They stay: so many, with this anchor.
    Keep { taps: usize, anchor: usize },
    /// Those a period apart fall together.
    Period(usize),
    /// Those further from the anchor than this fall together, on either side.
    Clamp(usize),
}

impl Fold {
    fn new(taps: usize, anchor: usize, n: usize, boundary: Boundary) -> Self {
        if taps <= n.saturating_mul(2).saturating_add(1) {
            return Self::Keep { taps, anchor };
        }
        match boundary {
            Boundary::Wrap => Self::Period(n),
            Boundary::Symmetric => Self::Period(2 * n),
            Boundary::Mirror => Self::Period((2 * n - 2).max(1)),
            Boundary::Zero | Boundary::Constant(_) | Boundary::Nearest => Self::Clamp(n),
        }
    }

    fn taps(&self) -> usize {
        match *self {
            Self::Keep { taps, .. } => taps,
            Self::Period(period) => period,
            Self::Clamp(most) => 2 * most + 1,
        }
    }

    /// The new index of the tap that lies so many samples behind the output's own.
    fn place(&self, distance: isize) -> usize {
        let index = match *self {
            Self::Keep { anchor, .. } => distance + anchor as isize,
            Self::Period(period) => (distance + period as isize / 2).rem_euclid(period as isize),
            Self::Clamp(most) => distance.clamp(-(most as isize), most as isize) + most as isize,
        };
        index as usize
    }
}
