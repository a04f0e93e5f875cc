//! Registers of AVX-512.

use core::arch::x86_64::*;

use num_complex::Complex;

use super::{Inner, Vector};

x86_vectors!(
    "avx512f",
    F32,
    C32,
    f32,
    __m512,
    16,
    true,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_stream_ps,
    _mm512_set1_ps,
    _mm512_fmadd_ps,
    _mm512_mul_ps,
    _mm512_add_ps,
    _mm512_fmaddsub_ps,
    _mm512_permute_ps::<0xb1>,
    _mm512_moveldup_ps,
    _mm512_movehdup_ps,
    |a, b| {
        let lanes = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        _mm512_permutex2var_ps(a, lanes, b)
    },
    |a, b| {
        let lanes = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
        _mm512_castpd_ps(_mm512_permutex2var_pd(_mm512_castps_pd(a), lanes, _mm512_castps_pd(b)))
    },
    _mm512_maskz_loadu_ps,
    _mm512_mask_storeu_ps,
    __mmask16
);
x86_vectors!(
    "avx512f",
    F64,
    C64,
    f64,
    __m512d,
    8,
    true,
    _mm512_setzero_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_stream_pd,
    _mm512_set1_pd,
    _mm512_fmadd_pd,
    _mm512_mul_pd,
    _mm512_add_pd,
    _mm512_fmaddsub_pd,
    _mm512_permute_pd::<0x55>,
    _mm512_movedup_pd,
    _mm512_permute_pd::<0xff>,
    |a, b| _mm512_permutex2var_pd(a, _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), b),
    |a, b| _mm512_permutex2var_pd(a, _mm512_setr_epi64(0, 1, 4, 5, 8, 9, 12, 13), b),
    _mm512_maskz_loadu_pd,
    _mm512_mask_storeu_pd,
    __mmask8
);
