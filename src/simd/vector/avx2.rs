//! Registers of AVX2, with FMA.

use core::arch::x86_64::*;

use num_complex::Complex;

use super::{Inner, Vector};

x86_vectors!(
    "avx2,fma",
    F32,
    C32,
    f32,
    __m256,
    8,
    false,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_stream_ps,
    _mm256_set1_ps,
    _mm256_fmadd_ps,
    _mm256_mul_ps,
    _mm256_add_ps,
    _mm256_fmaddsub_ps,
    _mm256_permute_ps::<0xb1>,
    _mm256_moveldup_ps,
    _mm256_movehdup_ps,
    _mm256_shuffle_ps::<0x88> => |pairs| _mm256_castpd_ps(_mm256_permute4x64_pd::<0xd8>(_mm256_castps_pd(pairs))),
    |a, b| _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)))
        => |pairs| _mm256_castpd_ps(_mm256_permute4x64_pd::<0xd8>(_mm256_castps_pd(pairs))),
    mask_load_ps,
    mask_store_ps,
    u8
);
x86_vectors!(
    "avx2,fma",
    F64,
    C64,
    f64,
    __m256d,
    4,
    false,
    _mm256_setzero_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_stream_pd,
    _mm256_set1_pd,
    _mm256_fmadd_pd,
    _mm256_mul_pd,
    _mm256_add_pd,
    _mm256_fmaddsub_pd,
    _mm256_permute_pd::<0x5>,
    _mm256_movedup_pd,
    _mm256_permute_pd::<0xf>,
    _mm256_unpacklo_pd => _mm256_permute4x64_pd::<0xd8>,
    _mm256_permute2f128_pd::<0x20>,
    mask_load_pd,
    mask_store_pd,
    u8
);

/// Loads by a bit a lane, as AVX-512 has them.
macro_rules! masked {
    ($load:ident, $t:ty, $register:ty, $lanes:ident, $by_lanes:ident) => {
        /// # Safety
        /// The machine has AVX2, and the lanes of `mask` are valid.
        #[inline(always)]
        unsafe fn $load(mask: u8, from: *const $t) -> $register {
            // SAFETY: the caller's promise.
            unsafe { $by_lanes(from, $lanes(mask)) }
        }
    };
}
masked!(mask_load_ps, f32, __m256, eight, _mm256_maskload_ps);
masked!(mask_load_pd, f64, __m256d, four, _mm256_maskload_pd);

/// Stores the lanes whose bits are set, which are neighbours: in up to three pieces, since the instruction for any lanes
/// takes as long as dozens of stores on some machines.
///
/// # Safety
/// The machine has AVX2, and the lanes of `mask` are valid.
#[inline(always)]
unsafe fn mask_store_ps(to: *mut f32, mask: u8, value: __m256) {
    let (first, count) = (mask.trailing_zeros() as usize & 7, mask.count_ones());
    // SAFETY: the pieces make up the lanes that are valid by the caller's promise.
    unsafe {
        let mut to = to.wrapping_add(first);
        let mut value = value;
        if first > 0 {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            value = _mm256_permutevar8x32_ps(value, _mm256_add_epi32(lanes, _mm256_set1_epi32(first as i32)));
        }
        if count == 8 {
            return _mm256_storeu_ps(to, value);
        }
        let mut left = _mm256_castps256_ps128(value);
        if count & 4 != 0 {
            _mm_storeu_ps(to, left);
            (left, to) = (_mm256_extractf128_ps::<1>(value), to.wrapping_add(4));
        }
        if count & 2 != 0 {
            _mm_storel_pd(to.cast(), _mm_castps_pd(left));
            (left, to) = (_mm_movehl_ps(left, left), to.wrapping_add(2));
        }
        if count & 1 != 0 {
            _mm_store_ss(to, left);
        }
    }
}

/// As [`mask_store_ps`].
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn mask_store_pd(to: *mut f64, mask: u8, value: __m256d) {
    // Each lane is two.
    let (first, count) = (mask.trailing_zeros() & 3, mask.count_ones());
    let mask = ((1u32 << (2 * (first + count))) - (1 << (2 * first))) as u8;
    // SAFETY: the caller's promise.
    unsafe { mask_store_ps(to.cast(), mask, _mm256_castpd_ps(value)) }
}

/// All bits of the lanes whose bit is set.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn eight(mask: u8) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe {
        let bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
        _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(mask.into()), bits), bits)
    }
}

/// All bits of the lanes whose bit is set.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn four(mask: u8) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe {
        let bits = _mm256_setr_epi64x(1, 2, 4, 8);
        _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(mask.into()), bits), bits)
    }
}
