//! The numbers that can be convolved.

use std::fmt::{self, Debug};
use std::ops::{Add, AddAssign, Mul, Neg, Sub};

use num_complex::Complex;

use crate::simd::Kernels;

pub(crate) mod sealed {
    /// Keeps the element traits closed, so that no type without kernels can ask for a plan.
    pub trait Sealed {}

    /// A real number with transforms.
    pub trait Real: PartialOrd + crate::simd::fourier::Transforms {}
    impl Real for f32 {}
    impl Real for f64 {}
}

/// The element type of a problem's arrays, as a value.
///
/// ```
/// use faltung::{DType, Element};
/// assert_eq!(<f32 as Element>::DTYPE, DType::F32);
/// assert_eq!(DType::C64.to_string(), "c64");
/// assert_eq!(DType::C32.size(), 8);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum DType {
    /// `f32`
    #[default]
    F32,
    /// `f64`
    F64,
    /// `Complex<f32>`
    C32,
    /// `Complex<f64>`
    C64,
}

impl DType {
    /// Every element type.
    pub const ALL: [Self; 4] = [Self::F32, Self::F64, Self::C32, Self::C64];

    /// Bytes an element.
    ///
    /// ```
    /// assert_eq!(faltung::DType::C64.size(), 16);
    /// ```
    pub const fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 | Self::C32 => 8,
            Self::C64 => 16,
        }
    }

    /// Whether the elements are complex.
    ///
    /// ```
    /// assert!(faltung::DType::C32.is_complex() && !faltung::DType::F64.is_complex());
    /// ```
    pub const fn is_complex(self) -> bool {
        matches!(self, Self::C32 | Self::C64)
    }

    /// The spacing of the real numbers at 1: 2⁻²³ for single, 2⁻⁵² for double precision.
    ///
    /// ```
    /// assert_eq!(faltung::DType::C32.epsilon(), f64::from(f32::EPSILON));
    /// ```
    pub const fn epsilon(self) -> f64 {
        match self {
            Self::F32 | Self::C32 => f32::EPSILON as f64,
            Self::F64 | Self::C64 => f64::EPSILON,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::C32 => "c32",
            Self::C64 => "c64",
        })
    }
}

/// A number that the definition of convolution can be evaluated with: the elements, and `i128` for exact integers.
///
/// The trait is sealed.
pub trait Scalar:
    sealed::Sealed
    + Copy
    + Default
    + PartialEq
    + Debug
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + AddAssign
{
    /// The complex conjugate; a real number is its own.
    ///
    /// ```
    /// use faltung::{Complex, Scalar};
    /// assert_eq!(Scalar::conj(Complex::new(1.0f32, 2.0)), Complex::new(1.0, -2.0));
    /// ```
    fn conj(self) -> Self;
    /// Whether the number, or both its parts, are neither infinite nor NaN.
    ///
    /// ```
    /// use faltung::{Complex, Scalar};
    /// assert!(!Scalar::is_finite(Complex::new(1.0, f64::NAN)));
    /// ```
    fn is_finite(self) -> bool;
    /// The nearest number to a real `f64`.
    ///
    /// ```
    /// use faltung::Scalar;
    /// assert_eq!(f32::from_f64(0.1), 0.1f32);
    /// ```
    fn from_f64(value: f64) -> Self;
}

/// An element type of arrays that plans run on: `f32`, `f64`, `Complex<f32>` and `Complex<f64>`.
///
/// The trait is sealed.
pub trait Element: Scalar + bytemuck::Pod + Kernels {
    /// The type of the real and the imaginary part; a real type's own.
    type Real: Element<Real = Self::Real> + sealed::Real;
    /// The type as a value.
    const DTYPE: DType;

    /// The number with these parts, rounded; a real type drops the imaginary one.
    ///
    /// ```
    /// use faltung::{Complex, Element};
    /// assert_eq!(Complex::<f32>::from_parts(1.0, 2.0), Complex::new(1.0, 2.0));
    /// assert_eq!(f32::from_parts(1.0, 2.0), 1.0);
    /// ```
    fn from_parts(re: Self::Real, im: Self::Real) -> Self;
    /// The real and the imaginary part.
    ///
    /// ```
    /// use faltung::{Complex, Element};
    /// assert_eq!(Complex::new(1.0f32, 2.0).parts(), (1.0, 2.0));
    /// ```
    fn parts(self) -> (Self::Real, Self::Real);
    /// The number in double precision, as (real, imaginary).
    ///
    /// ```
    /// use faltung::Element;
    /// assert_eq!(0.5f32.to_f64(), (0.5, 0.0));
    /// ```
    fn to_f64(self) -> (f64, f64);
}

macro_rules! real_element {
    ($t:ty, $dtype:expr) => {
        impl sealed::Sealed for $t {}
        impl Scalar for $t {
            #[inline(always)]
            fn conj(self) -> Self {
                self
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                <$t>::is_finite(self)
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $t
            }
        }
        impl Element for $t {
            type Real = $t;
            const DTYPE: DType = $dtype;
            #[inline(always)]
            fn from_parts(re: $t, _: $t) -> Self {
                re
            }
            #[inline(always)]
            fn parts(self) -> ($t, $t) {
                (self, 0.0)
            }
            #[inline(always)]
            fn to_f64(self) -> (f64, f64) {
                (self as f64, 0.0)
            }
        }
        impl sealed::Sealed for Complex<$t> {}
        impl Scalar for Complex<$t> {
            #[inline(always)]
            fn conj(self) -> Self {
                Complex::conj(&self)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                self.re.is_finite() && self.im.is_finite()
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                Complex::new(value as $t, 0.0)
            }
        }
    };
}
real_element!(f32, DType::F32);
real_element!(f64, DType::F64);

macro_rules! complex_element {
    ($t:ty, $dtype:expr) => {
        impl Element for Complex<$t> {
            type Real = $t;
            const DTYPE: DType = $dtype;
            #[inline(always)]
            fn from_parts(re: $t, im: $t) -> Self {
                Complex::new(re, im)
            }
            #[inline(always)]
            fn parts(self) -> ($t, $t) {
                (self.re, self.im)
            }
            #[inline(always)]
            fn to_f64(self) -> (f64, f64) {
                (self.re as f64, self.im as f64)
            }
        }
    };
}
complex_element!(f32, DType::C32);
complex_element!(f64, DType::C64);

impl sealed::Sealed for i128 {}
impl Scalar for i128 {
    fn conj(self) -> Self {
        self
    }
    fn is_finite(self) -> bool {
        true
    }
    fn from_f64(value: f64) -> Self {
        value as i128
    }
}
