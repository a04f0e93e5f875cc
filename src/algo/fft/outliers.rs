//! What must not go through a transform: a sample that is infinite or NaN, or so loud that its rounding errors drown
//! others.

use crate::element::{Element, Scalar, sealed};
use crate::simd::Levels;

/// How much louder than the rest of its tile a sample is taken out.
const LOUD_SINGLE: f64 = (1u64 << 18) as f64;
const LOUD_DOUBLE: f64 = (1u64 << 40) as f64;

/// Samples further from 1 than this power of two are scaled.
pub(super) const FAR: i32 = 16;

/// The magnitude from which on samples of a tile of these levels are outliers; `None` where there are none.
pub(super) fn threshold<R: Element<Real = R> + sealed::Real>(levels: &Levels<R>) -> Option<R> {
    let limit = levels.quietest * <R as Scalar>::from_f64(loud::<R>());
    if levels.loudest > limit {
        Some(limit)
    } else if !levels.finite {
        // Nothing finite is above it.
        Some(<R as Scalar>::from_f64(f64::INFINITY))
    } else {
        None
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
