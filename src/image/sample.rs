//! The numbers that pictures are made of.

use std::ops::Div;

use crate::element::Element;

mod sealed {
    /// Keeps the samples closed: every one has its own rounding.
    pub trait Sealed {}
}

/// A sample of a picture: `u8`, `u16`, `i16`, `f32` or `f64`.
///
/// Integers are rounded to the nearest, ties to even, and clamped to their range, as OpenCV's `saturate_cast` does; NaN
/// becomes 0. The trait is sealed.
pub trait Sample: sealed::Sealed + Copy + Default + Send + Sync + 'static {
    /// What full intensity and full opacity are: the largest value of an integer, 1 for floating point numbers.
    const FULL: f64;
    /// Whether a sample is rounded and clamped.
    const INTEGER: bool;
    /// Whether a sample may be negative.
    const SIGNED: bool;
    /// Whether sums of such samples take `f64`, in which they stay within a thousandth of a level.
    const WIDE: bool;

    /// The sample in single precision.
    ///
    /// ```
    /// use faltung::image::Sample;
    /// assert_eq!(200u8.to_single(), 200.0);
    /// ```
    fn to_single(self) -> f32;

    /// The sample in double precision, exactly.
    ///
    /// ```
    /// use faltung::image::Sample;
    /// assert_eq!((-7i16).to_double(), -7.0);
    /// ```
    fn to_double(self) -> f64;

    /// The sample nearest to a number.
    ///
    /// ```
    /// use faltung::image::Sample;
    /// assert_eq!([0.5, 1.5, 300.0, -3.0, f32::NAN].map(u8::from_single), [0, 2, 255, 0, 0]);
    /// ```
    fn from_single(value: f32) -> Self;

    /// The sample nearest to a number.
    ///
    /// ```
    /// use faltung::image::Sample;
    /// assert_eq!([-2.5, 40_000.0, f64::NAN].map(i16::from_double), [-2, 32_767, 0]);
    /// ```
    fn from_double(value: f64) -> Self;
}

/// Numbers about this are spaced by 1, so that adding this rounds to an integer, ties to even, and leaves it in
/// the last bits. It takes no instruction beyond the oldest, unlike `round_ties_even`.
const SINGLE: f32 = 12_582_912.0; // 1.5 · 2²³
const DOUBLE: f64 = 6_755_399_441_055_744.0; // 1.5 · 2⁵²

macro_rules! integers {
    ($($t:ident $wide:literal)*) => {$(
        impl sealed::Sealed for $t {}

        impl Sample for $t {
            const FULL: f64 = $t::MAX as f64;
            const INTEGER: bool = true;
            const SIGNED: bool = $t::MIN != 0;
            const WIDE: bool = $wide;

            #[inline]
            fn to_single(self) -> f32 {
                f32::from(self)
            }

            #[inline]
            fn to_double(self) -> f64 {
                f64::from(self)
            }

            #[inline]
            fn from_single(value: f32) -> Self {
                let value = if value.is_nan() { 0.0 } else { value };
                (value.max(f32::from($t::MIN)).min(f32::from($t::MAX)) + SINGLE).to_bits() as $t
            }

            #[inline]
            fn from_double(value: f64) -> Self {
                let value = if value.is_nan() { 0.0 } else { value };
                (value.max(f64::from($t::MIN)).min(f64::from($t::MAX)) + DOUBLE).to_bits() as $t
            }
        }
    )*};
}

macro_rules! floats {
    ($($t:ident $wide:literal)*) => {$(
        impl sealed::Sealed for $t {}

        impl Sample for $t {
            const FULL: f64 = 1.0;
            const INTEGER: bool = false;
            const SIGNED: bool = true;
            const WIDE: bool = $wide;

            #[inline]
            fn to_single(self) -> f32 {
                self as f32
            }

            #[inline]
            fn to_double(self) -> f64 {
                f64::from(self)
            }

            #[inline]
            fn from_single(value: f32) -> Self {
                $t::from(value)
            }

            #[inline]
            fn from_double(value: f64) -> Self {
                value as $t
            }
        }
    )*};
}

integers!(u8 false u16 true i16 true);
floats!(f32 false f64 true);

/// The numbers that pictures are filtered in: `f32` and `f64`. No other type can have it, as [`Element`] is sealed.
///
/// ```
/// use faltung::image::Real;
/// assert_eq!(<f32 as Real>::of(7u8), 7.0);
/// assert_eq!(7.6f64.sample::<u8>(), 8);
/// ```
pub trait Real: Element + Div<Output = Self> + PartialOrd {
    /// The number of a sample.
    fn of<S: Sample>(sample: S) -> Self;
    /// The sample nearest to the number.
    fn sample<S: Sample>(self) -> S;
}

impl Real for f32 {
    #[inline]
    fn of<S: Sample>(sample: S) -> Self {
        sample.to_single()
    }

    #[inline]
    fn sample<S: Sample>(self) -> S {
        S::from_single(self)
    }
}

impl Real for f64 {
    #[inline]
    fn of<S: Sample>(sample: S) -> Self {
        sample.to_double()
    }

    #[inline]
    fn sample<S: Sample>(self) -> S {
        S::from_double(self)
    }
}
