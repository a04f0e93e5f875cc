//! The integers of exact filters.

use std::fmt::{Debug, Display};

/// An integer type of exact filters: `u8` to `u64` and `i8` to `i64`.
///
/// The trait is sealed.
pub trait Integer: cast::Cast + Copy + Debug + Default + Display + PartialEq + Send + Sync + 'static {
    /// The smallest value.
    const LOWEST: i128;
    /// The largest value.
    const HIGHEST: i128;
    /// The type's name.
    const NAME: &'static str;

    /// The value.
    ///
    /// ```
    /// use faltung::Integer;
    /// assert_eq!((-1i8).widen(), -1);
    /// assert_eq!(u64::MAX.widen(), u64::HIGHEST);
    /// ```
    fn widen(self) -> i128;
}

mod cast {
    /// The casts between integers and sums; they also keep [`Integer`](super::Integer) closed.
    pub trait Cast: Sized {
        /// The value, rounded where `f64` cannot hold it.
        fn to_f64(self) -> f64;
        /// The value of a whole number that the type holds.
        fn from_f64(number: f64) -> Self;
        /// The value of a number that the type holds.
        fn narrow(number: i128) -> Self;
    }
}

macro_rules! integer {
    ($($t:ty),*) => {$(
        impl cast::Cast for $t {
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn from_f64(number: f64) -> Self {
                number as $t
            }
            #[inline(always)]
            fn narrow(number: i128) -> Self {
                number as $t
            }
        }
        impl Integer for $t {
            const LOWEST: i128 = <$t>::MIN as i128;
            const HIGHEST: i128 = <$t>::MAX as i128;
            const NAME: &'static str = stringify!($t);
            #[inline(always)]
            fn widen(self) -> i128 {
                self as i128
            }
        }
    )*};
}
integer!(u8, u16, u32, u64, i8, i16, i32, i64);
