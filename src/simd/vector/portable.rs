//! Lanes as an array, which the compiler vectorises for the target's baseline: NEON on AArch64, SSE2 on x86-64.

use num_complex::Complex;

use super::{Inner, Vector};

/// Sixteen bytes.
#[derive(Clone, Copy)]
pub(in crate::simd) struct Lanes<T, const N: usize>(pub(in crate::simd) [T; N]);

macro_rules! portable_vector {
    ($t:ty, $lanes:expr, $real:expr, |$w:ident, $x:ident, $s:ident| $mul_add:expr) => {
        impl Vector for Lanes<$t, $lanes> {
            type Lane = $t;
            type Weight = [$t; $lanes];
            const LANES: usize = $lanes;
            const REAL: bool = $real;

            #[inline(never)]
            unsafe fn apart(inner: impl Inner) {
                // SAFETY: the caller's promise.
                unsafe { inner.run() }
            }
            #[inline(always)]
            unsafe fn zero() -> Self {
                Self([<$t>::default(); $lanes])
            }
            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                // SAFETY: valid for the lanes and aligned as one by the caller's promise.
                Self(unsafe { from.cast::<[$t; $lanes]>().read() })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                // SAFETY: as for `load`.
                unsafe { to.cast::<[$t; $lanes]>().write(self.0) }
            }
            #[inline(always)]
            unsafe fn splat(weight: $t) -> Self::Weight {
                [weight; $lanes]
            }
            #[inline(always)]
            unsafe fn weights(self) -> Self::Weight {
                self.0
            }
            #[inline(always)]
            unsafe fn mul_add(self, weight: Self::Weight, sum: Self) -> Self {
                let mut sums = sum;
                for i in 0..$lanes {
                    let ($w, $x, $s) = (weight[i], self.0[i], sum.0[i]);
                    sums.0[i] = $mul_add;
                }
                sums
            }
            sum_by_lane!($t);
        }
    };
}

// Where the baseline has a fused multiply-add it is the faster one; elsewhere it would be a library call.
const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

portable_vector!(f32, 4, true, |w, x, s| if FUSED { w.mul_add(x, s) } else { w * x + s });
portable_vector!(f64, 2, true, |w, x, s| if FUSED { w.mul_add(x, s) } else { w * x + s });
portable_vector!(Complex<f32>, 2, false, |w, x, s| w * x + s);
portable_vector!(Complex<f64>, 1, false, |w, x, s| w * x + s);
