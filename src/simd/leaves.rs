//! The leaves of an element type: innermost loops, written once over [`Vector`] and entered once for each instruction set.

use num_complex::Complex;

use super::Isa;
use super::dots::{self, Dots};
use super::interleave::Interleaved;
use super::outer::Outers;
use super::product::{self, Product};
use super::rows::CopyRows;
use super::vector::Vector;
#[cfg(target_arch = "x86_64")]
use super::vector::{avx2, avx512};
use super::winograd::Passes;

/// The leaves of an element type.
pub trait Kernels: super::Slide + CopyRows + Interleaved + Outers + Passes {
    /// Elements in a register.
    fn lanes(isa: Isa) -> usize;
    /// Computes a product. Panics where a slice is too short for what the call says.
    fn product(isa: Isa, call: Product<'_, Self>);
    /// Computes some dot products. Panics where a slice is too short for what the call says.
    fn dots(isa: Isa, call: Dots<'_, Self>);
}

macro_rules! kernels {
    ($($t:ty: $avx512:ident, $avx2:ident, $lanes:expr;)*) => {$(
        impl Kernels for $t {
            fn lanes(isa: Isa) -> usize {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => avx512::$avx512::LANES,
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => avx2::$avx2::LANES,
                    Isa::Portable => $lanes,
                }
            }

            fn product(isa: Isa, call: Product<'_, Self>) {
                call.check(isa);
                dispatch!(isa, call, Product<$t> => product::product, $avx512, $avx2, $lanes)
            }

            fn dots(isa: Isa, call: Dots<'_, Self>) {
                call.check(Self::lanes(isa));
                dispatch!(isa, call, Dots<$t> => dots::dots, $avx512, $avx2, $lanes)
            }
        }
    )*};
}
kernels! {
    f32: F32, F32, 4;
    f64: F64, F64, 2;
    Complex<f32>: C32, C32, 2;
    Complex<f64>: C64, C64, 1;
}
