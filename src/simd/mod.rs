//! The instruction sets: which of them runs, the leaves that are written for them, and every `unsafe` of the crate.

/// The body of an entry: `leaf` on the registers of the instruction set that runs, one function for each of them. The
/// call has been checked; `leaf` is unsafe and asks for no more than that.
macro_rules! dispatch {
    ($isa:expr, $call:expr, $name:ident<$t:ty> => $($leaf:ident)::+,
     $avx512:ident, $avx2:ident, $lanes:expr) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f")]
        unsafe fn with_avx512(call: $name<'_, $t>) {
            // SAFETY: the caller has checked the call and the instruction set.
            unsafe { $($leaf)::+::<$crate::simd::vector::avx512::$avx512>(call) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn with_avx2(call: $name<'_, $t>) {
            // SAFETY: the caller has checked the call and the instruction set.
            unsafe { $($leaf)::+::<$crate::simd::vector::avx2::$avx2>(call) }
        }
        match $isa {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the call has been checked; an `Isa` exists only where the machine has it.
            $crate::simd::Isa::Avx512 => unsafe { with_avx512($call) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            $crate::simd::Isa::Avx2 => unsafe { with_avx2($call) },
            // SAFETY: the call has been checked; the baseline is always there.
            $crate::simd::Isa::Portable => unsafe {
                $($leaf)::+::<$crate::simd::vector::portable::Lanes<$t, $lanes>>($call)
            },
        }
    }};
}

mod ahead;
mod caches;
mod dots;
pub(crate) mod fourier;
#[cfg(test)]
pub(crate) mod guarded;
mod interleave;
mod leaves;
mod memory;
mod outer;
#[cfg(feature = "nn")]
mod pairs;
#[cfg(feature = "nn")]
mod pooled;
mod product;
mod rows;
mod scan;
mod sliding;
mod tiles;
mod vector;
mod vectorised;
mod winograd;

pub(crate) use ahead::Ahead;
pub(crate) use caches::Caches;
pub(crate) use dots::Dots;
pub(crate) use interleave::{Interleave, LaneSums};
pub use leaves::Kernels;
pub(crate) use memory::{Line, elements, elements_mut, prefer_large_pages, prefetch, split, zeros};
pub(crate) use outer::Outer;
#[cfg(feature = "nn")]
pub use pairs::Pairs;
#[cfg(feature = "nn")]
pub(crate) use pairs::{Choose, PairWindows, Unchoose};
#[cfg(feature = "nn")]
pub(crate) use pooled::{PartedWindows, PooledGradient, PooledSums};
pub(crate) use product::{Offsets, Product};
pub(crate) use rows::{Far, Rows};
pub(crate) use scan::{Levels, Look, all_finite};
pub use sliding::Slide;
pub(crate) use sliding::{Column, Sliding};
pub(crate) use tiles::{Plane, Planes, TileMut, Workers};
#[cfg(feature = "nn")]
pub(crate) use vectorised::vectorised;
pub(crate) use winograd::{Map, Pass};

use std::sync::OnceLock;

/// An instruction set that this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// The target's baseline, vectorised by the compiler.
    Portable,
    /// AVX2 with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512F.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// The widest that the machine has; a narrower one where the environment variable `FALTUNG_ISA` names it
    /// (`portable`,
    /// `avx2`, `avx512`), which is how tests reach them all. Looked up once.
    pub(crate) fn detect() -> Self {
        static FOUND: OnceLock<Isa> = OnceLock::new();
        *FOUND.get_or_init(|| {
            let most = std::env::var("FALTUNG_ISA").unwrap_or_default();
            #[cfg(target_arch = "x86_64")]
            {
                let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
                if avx2 && is_x86_feature_detected!("avx512f") && !matches!(most.as_str(), "portable" | "avx2") {
                    return Self::Avx512;
                }
                if avx2 && most != "portable" {
                    return Self::Avx2;
                }
            }
            let _ = most;
            Self::Portable
        })
    }

    /// All that the machine has.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(Self::Avx2);
            }
            if is_x86_feature_detected!("avx512f") {
                all.push(Self::Avx512);
            }
        }
        all
    }

    /// The rows of a product's tiles, with the registers of columns that go with each.
    pub(crate) fn tiles(self) -> &'static [[usize; 2]] {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => &[[8, 3], [4, 6], [2, 8], [1, 8]],
            // Four by three, which would take all sixteen registers, is beyond the compiler: it keeps a sum in memory, and
            // every term waits for it.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => &[[6, 2], [4, 2], [2, 8], [1, 8]],
            // Without a fused multiply-add a product takes a register more.
            Self::Portable => &[[4, 2], [2, 8], [1, 8]],
        }
    }
}
