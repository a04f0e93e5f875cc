//! The numbers that networks compute in.

use std::ops::{Div, DivAssign, MulAssign, SubAssign};

use super::elementary;
use crate::element::Element;
use crate::simd::Pairs;

/// A number that a network computes in: `f32` or `f64`.
///
/// The trait is sealed.
///
/// ```
/// use faltung::nn::Float;
/// fn softplus<T: Float>(x: T) -> T {
///     x.exp().ln_1p()
/// }
/// assert_eq!(softplus(0.0f64), 2f64.ln());
/// ```
pub trait Float:
    Element<Real = Self> + Pairs + PartialOrd + Div<Output = Self> + SubAssign + MulAssign + DivAssign + std::iter::Sum
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// -infinity.
    const NEG_INFINITY: Self;
    /// The number in double precision.
    fn as_f64(self) -> f64;
    /// eˣ
    fn exp(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// ln(1 + x), precise near 0.
    fn ln_1p(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The error function.
    fn erf(self) -> Self;
    /// The magnitude.
    fn abs(self) -> Self;
    /// Whether the number is none.
    fn is_nan(self) -> bool;
    /// The larger of two; the other one where one is NaN.
    fn max(self, other: Self) -> Self;
    /// The smaller of two; the other one where one is NaN.
    fn min(self, other: Self) -> Self;
}

macro_rules! float {
    ($t:ident, $exp:path, $tanh:path, $erf:path) => {
        impl Float for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const NEG_INFINITY: Self = $t::NEG_INFINITY;

            #[inline(always)]
            fn as_f64(self) -> f64 {
                self as f64
            }

            #[inline(always)]
            fn exp(self) -> Self {
                $exp(self)
            }

            #[inline(always)]
            fn ln(self) -> Self {
                $t::ln(self)
            }

            #[inline(always)]
            fn ln_1p(self) -> Self {
                $t::ln_1p(self)
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }

            #[inline(always)]
            fn tanh(self) -> Self {
                $tanh(self)
            }

            #[inline(always)]
            fn erf(self) -> Self {
                $erf(self)
            }

            #[inline(always)]
            fn abs(self) -> Self {
                $t::abs(self)
            }

            #[inline(always)]
            fn is_nan(self) -> bool {
                $t::is_nan(self)
            }

            #[inline(always)]
            fn max(self, other: Self) -> Self {
                $t::max(self, other)
            }

            #[inline(always)]
            fn min(self, other: Self) -> Self {
                $t::min(self, other)
            }
        }
    };
}

float!(f32, elementary::exp, elementary::tanh, elementary::erf);
float!(f64, f64::exp, f64::tanh, libm::erf);
