//! Plain loops, compiled for the widest registers of the machine.

use super::Isa;

/// Runs `work`, whose loops the compiler vectorises for the instruction set that runs. What it computes is the same on
/// each: the compiler neither reorders sums nor fuses products. The closure is to be `#[inline(always)]`, and so is what
/// it calls: anything else is compiled for the baseline.
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

/// Whether there are AVX-512's instructions for shorter registers and smaller elements, which every machine has that
/// has AVX-512F, but for the first two.
#[cfg(target_arch = "x86_64")]
fn has_small_lanes() -> bool {
    // The answers are cached by the standard library: three loads.
    is_x86_feature_detected!("avx512vl") && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512dq")
}
