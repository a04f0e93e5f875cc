//! The instruction sets: which of them runs, the leaves that are written for them, and every `unsafe` of the crate.

pub(crate) mod fourier;
mod interleave;
mod leaves;
mod memory;
mod scan;
mod sliding;
mod tiles;
mod vector;

pub(crate) use interleave::Interleave;
pub use leaves::Kernels;
pub(crate) use leaves::{Dots, Offsets, Product};
pub(crate) use memory::{Line, elements, elements_mut, split};
pub(crate) use scan::{Levels, all_finite, levels};
pub use sliding::Slide;
pub(crate) use sliding::{Column, Rows, Sliding};
pub(crate) use tiles::{Plane, TileMut, Workers};

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

    /// Rows of a product's tile, at the most.
    pub(crate) fn rows(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => 8,
            _ => 4,
        }
    }
}
