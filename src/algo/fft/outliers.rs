//! What must not go through a transform: a sample that is infinite or NaN, or so loud that its rounding errors drown
//! others.

use crate::element::{Element, Scalar, sealed};

/// How much louder than the rest of its tile a sample is taken out.
const LOUD_SINGLE: f64 = (1u64 << 18) as f64;
const LOUD_DOUBLE: f64 = (1u64 << 40) as f64;

const LANES: usize = 16;
/// Vectors whose loudest sample stands for them all.
const STRETCH: usize = 8;

/// The levels of the two (of complex data, one) tiles of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels<R> {
    pub(super) loudest: [R; 2],
    /// The quietest stretch that is not silent.
    quietest: [R; 2],
    pub(super) finite: [bool; 2],
}

impl<R: Element<Real = R> + sealed::Real> Levels<R> {
    pub(super) fn silent() -> Self {
        Self { loudest: [R::default(); 2], quietest: [<R as Scalar>::from_f64(f64::INFINITY); 2], finite: [true; 2] }
    }

    /// Looks through a block, in which the two tiles' samples alternate, or both parts belong to the one tile.
    pub(super) fn add(&mut self, block: &[R], lanes: usize) {
        let zero = R::default();
        let mut loudest = [zero; LANES];
        let mut quietest = [<R as Scalar>::from_f64(f64::INFINITY); LANES];
        let mut taint = [zero; LANES];
        let mut stretch = |vectors: &[R]| {
            let mut most = [zero; LANES];
            for vector in vectors.chunks(LANES) {
                for ((m, t), &x) in most.iter_mut().zip(&mut taint).zip(vector) {
                    let size = if x < zero { -x } else { x };
                    *m = if size > *m { size } else { *m };
                    *t += x * zero;
                }
            }
            for ((l, q), &m) in loudest.iter_mut().zip(&mut quietest).zip(&most) {
                *l = if m > *l { m } else { *l };
                *q = if m > zero && m < *q { m } else { *q };
            }
        };
        block.chunks(LANES * STRETCH).for_each(&mut stretch);
        for i in 0..LANES {
            let lane = i % lanes;
            if loudest[i] > self.loudest[lane] {
                self.loudest[lane] = loudest[i];
            }
            if quietest[i] < self.quietest[lane] {
                self.quietest[lane] = quietest[i];
            }
            self.finite[lane] &= taint[i] == zero;
        }
    }

    /// The magnitude from which on samples of this tile are outliers; `None` where there are none.
    pub(super) fn threshold(&self, lane: usize) -> Option<R> {
        let limit = self.quietest[lane] * <R as Scalar>::from_f64(loud::<R>());
        let loud = self.loudest[lane] > limit;
        if loud {
            Some(limit)
        } else if !self.finite[lane] {
            // Nothing finite is above it.
            Some(<R as Scalar>::from_f64(f64::INFINITY))
        } else {
            None
        }
    }
}

fn loud<R: Element>() -> f64 {
    if R::DTYPE.epsilon() > 1e-10 { LOUD_SINGLE } else { LOUD_DOUBLE }
}

/// Whether a sample is one: not finite, or with a part above the limit.
pub(super) fn is_outlier<T: Element>(value: T, limit: T::Real) -> bool {
    let (re, im) = value.parts();
    let zero = <T::Real as Default>::default();
    let size = |x: T::Real| if x < zero { -x } else { x };
    !(size(re) <= limit && size(im) <= limit && value.is_finite())
}

/// The binary exponent of a magnitude, 0 of zero, never so far out that a power of two of it would not be a normal
/// number.
pub(super) fn exponent<R: Element<Real = R>>(magnitude: R) -> i32 {
    let value = magnitude.to_f64().0;
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    let most = if R::DTYPE.epsilon() > 1e-10 { 120.0 } else { 1000.0 };
    value.log2().floor().clamp(-most, most) as i32
}

/// Two factors whose product is 2 to this power: neither overflows before the product does.
pub(super) fn power<R: Scalar>(exponent: i32) -> [R; 2] {
    let half = exponent / 2;
    [<R as Scalar>::from_f64(2f64.powi(half)), <R as Scalar>::from_f64(2f64.powi(exponent - half))]
}
