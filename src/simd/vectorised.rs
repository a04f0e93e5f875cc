//! Plain loops, compiled for the widest registers of the machine.

/// Defines a function whose plain loops the compiler vectorises for the instruction set that runs. What it computes is
/// the same on each: the compiler neither reorders sums nor fuses products. Functions that it calls must be
/// `#[inline(always)]`: others are compiled for the baseline.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident<$t:ident: $bound:path>($($argument:ident: $type:ty),* $(,)?)
     $(-> $output:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name<$t: $bound>($($argument: $type),*) $(-> $output)? {
            #[inline(always)]
            fn body<$t: $bound>($($argument: $type),*) $(-> $output)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
            fn avx512<$t: $bound>($($argument: $type),*) $(-> $output)? {
                body::<$t>($($argument),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2<$t: $bound>($($argument: $type),*) $(-> $output)? {
                body::<$t>($($argument),*)
            }

            match $crate::simd::Isa::detect() {
                // SAFETY: an `Isa` exists only where the machine has it, and the other parts have just been asked for.
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Isa::Avx512 if $crate::simd::has_small_lanes() => unsafe { avx512::<$t>($($argument),*) },
                // SAFETY: an `Isa` exists only where the machine has it, and a machine with AVX-512 has AVX2.
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Isa::Avx512 | $crate::simd::Isa::Avx2 => unsafe { avx2::<$t>($($argument),*) },
                $crate::simd::Isa::Portable => body::<$t>($($argument),*),
            }
        }
    };
}
pub(crate) use vectorised;

/// Whether there are AVX-512's instructions for shorter registers and smaller elements, which every machine has that
/// has AVX-512F, but for the first two.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_small_lanes() -> bool {
    // The answers are cached by the standard library: three loads.
    is_x86_feature_detected!("avx512vl") && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512dq")
}
