//! Closures, compiled for the widest registers of the machine.

use super::{Isa, has_small_lanes};

/// As the macro, for a closure: only where the compiler inlines it, which it does with short ones.
#[inline]
pub(crate) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
    fn with_avx512<R>(work: impl FnOnce() -> R) -> R {
        work()
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn with_avx2<R>(work: impl FnOnce() -> R) -> R {
        work()
    }
    match Isa::detect() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` exists only where the machine has it, and the other parts have just been asked for.
        Isa::Avx512 if has_small_lanes() => unsafe { with_avx512(work) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` exists only where the machine has it, and a machine with AVX-512 has AVX2.
        Isa::Avx512 | Isa::Avx2 => unsafe { with_avx2(work) },
        Isa::Portable => work(),
    }
}
