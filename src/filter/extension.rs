//! Samples outside the data, written out.

use ndarray::{Array, ArrayRef, Axis, Dimension, Slice};

use super::arrays;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::problem::Boundary;

/// What lies outside a signal: a [`Boundary`], or one of the continuations that SciPy's `upfirdn` has beside them.
///
/// | here | extension of `a b c d` | SciPy |
/// |---|---|---|
/// | [`Boundary`] | as its table says | `constant`, `symmetric`, `reflect`, `edge`, `wrap` |
/// | `Line` | the line through `a` and `d` | `line` |
/// | `Smooth` | the lines through `a` and `b`, through `c` and `d` | `smooth` |
/// | `Antisymmetric` | `-c -b -a` before, `-d -c -b` behind | `antisymmetric` |
/// | `Antireflect` | `2a-d 2a-c 2a-b` before, `2d-c 2d-b 2d-a` behind | `antireflect`; `odd` of `filtfilt` |
///
/// ```
/// use faltung::Boundary;
/// use faltung::filter::Extension;
/// assert_eq!(Extension::from(Boundary::Nearest), Extension::Boundary(Boundary::Nearest));
/// assert_eq!(Extension::default(), Boundary::Zero.into());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Extension {
    /// A constant, or the data themselves.
    Boundary(Boundary),
    /// The line through the first and the last sample.
    Line,
    /// The lines through the first two samples and through the last two.
    Smooth,
    /// The data mirrored about their edge, with the other sign.
    Antisymmetric,
    /// The data turned by half a circle about their first and last sample.
    Antireflect,
}

impl Default for Extension {
    fn default() -> Self {
        Self::Boundary(Boundary::Zero)
    }
}

impl From<Boundary> for Extension {
    fn from(boundary: Boundary) -> Self {
        Self::Boundary(boundary)
    }
}

/// A sample outside the data.
enum Outside {
    Value(f64),
    Sample(usize),
    /// A sum of multiples of samples.
    Sum([(f64, usize); 3]),
}

impl Extension {
    /// What lies at a position outside of `n` samples.
    fn outside(self, position: isize, n: usize) -> Outside {
        let last = n - 1;
        let line = |from: usize, to: usize, base: isize| {
            let t = if from == to { 0.0 } else { (position - base) as f64 / (to - from) as f64 };
            Outside::Sum([(1.0 - t, from), (t, to), (0.0, from)])
        };
        match self {
            Self::Boundary(Boundary::Constant(value)) => Outside::Value(value),
            Self::Boundary(boundary) => boundary.source(position, n).map_or(Outside::Value(0.0), Outside::Sample),
            Self::Line => line(0, last, 0),
            Self::Smooth if position < 0 => line(0, last.min(1), 0),
            Self::Smooth => line(last.saturating_sub(1), last, last.saturating_sub(1) as isize),
            Self::Antisymmetric => {
                let (turn, rest) = (position.div_euclid(n as isize), position.rem_euclid(n as isize) as usize);
                match turn % 2 {
                    0 => Outside::Sample(rest),
                    _ => Outside::Sum([(-1.0, last - rest), (0.0, 0), (0.0, 0)]),
                }
            }
            Self::Antireflect if n == 1 => Outside::Sample(0),
            Self::Antireflect => {
                // Two turns make a step: what the last sample is above the first, twice.
                let (turn, rest) = (position.div_euclid(last as isize), position.rem_euclid(last as isize) as usize);
                match turn % 2 {
                    0 => Outside::Sum([(1.0, rest), (turn as f64, last), (-turn as f64, 0)]),
                    _ => Outside::Sum([(-1.0, last - rest), (turn as f64 + 1.0, last), (1.0 - turn as f64, 0)]),
                }
            }
        }
    }

    /// The samples from position `low` to before `high` along an axis, dense in C order. The axis must not be empty.
    pub(super) fn extend<T: Element, D: Dimension>(
        self,
        x: &ArrayRef<T, D>,
        axis: Axis,
        low: isize,
        high: isize,
    ) -> Result<Array<T, D>> {
        let n = x.len_of(axis) as isize;
        let mut dim = x.raw_dim();
        dim[axis.index()] = usize::try_from(high - low).map_err(|_| Error::overflow("the extension of the data"))?;
        let mut wide = arrays::zeros("the extended data", dim)?;
        let (from, to) = (low.clamp(0, n), high.clamp(0, n));
        if from < to {
            let mut inside = wide.slice_axis_mut(axis, Slice::from(from - low..to - low));
            inside.assign(&x.slice_axis(axis, Slice::from(from..to)));
        }
        let sample = |i: usize| x.slice_axis(axis, Slice::from(i..i + 1));
        for position in (low..high.min(0)).chain(low.max(n)..high) {
            let mut place = wide.slice_axis_mut(axis, Slice::from(position - low..position - low + 1));
            match self.outside(position, n as usize) {
                Outside::Value(value) => place.fill(T::from_f64(value)),
                Outside::Sample(i) => place.assign(&sample(i)),
                Outside::Sum(terms) => {
                    for (factor, i) in terms.into_iter().filter(|t| t.0 != 0.0) {
                        place.zip_mut_with(&sample(i), |y, &v| *y += T::from_f64(factor) * v);
                    }
                }
            }
        }
        Ok(wide)
    }
}
