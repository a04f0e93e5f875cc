//! Registers of samples that can be compared, for each instruction set.

use crate::simd::fourier::Arithmetic;
use crate::simd::vector::{Vector, portable};
#[cfg(target_arch = "x86_64")]
use crate::simd::vector::{avx2, avx512};

/// A register of samples that can be compared.
///
/// # Safety
/// As [`Vector`].
pub(in crate::simd) trait Choosing: Arithmetic<Lane: PartialOrd + Default> {
    /// A place for each lane.
    type Places: Copy;
    /// Whether a lane's larger one is the second.
    type Second: Copy;
    /// Yes or no for each lane, to pick by.
    type Lanes: Copy;

    /// The lanes of even number of both, and those of odd number.
    unsafe fn unzip(self, other: Self) -> (Self, Self);
    /// The larger of two, the first of equals, NaN before numbers, and the lanes where it is the second.
    unsafe fn larger(self, other: Self) -> (Self, Self::Second);
    /// The lanes where a place was chosen, zero in the others.
    unsafe fn chosen(self, places: Self::Places, place: u8) -> Self;
    /// The lanes whose place is on the right, 1 or 3.
    unsafe fn right(places: Self::Places) -> Self::Lanes;
    /// The lanes whose place is in the lower row, 2 or 3.
    unsafe fn below(places: Self::Places) -> Self::Lanes;
    /// The lanes of `yes` where they are picked, those of `no` elsewhere.
    unsafe fn pick(lanes: Self::Lanes, no: Self, yes: Self) -> Self;
    /// The places of lanes whose choice is on the right in the upper row, or in the lower one, and where it is below.
    unsafe fn places(above: Self::Second, below: Self::Second, lower: Self::Second) -> Self::Places;
    /// The first `count` places, at most one for each lane, as bytes.
    unsafe fn store_places(places: Self::Places, to: *mut u8, count: usize);
    /// The first `count` places, at most one for each lane; any in the others.
    unsafe fn load_places(from: *const u8, count: usize) -> Self::Places;
}

/// The first `count` bytes, at most 16; any behind them. No call: one would send all registers to memory.
///
/// # Safety
/// There are so many.
#[inline(always)]
unsafe fn bytes(from: *const u8, count: usize) -> [u8; 16] {
    // SAFETY: the caller's promise. Two words that overlap hold the same where they do.
    let all = unsafe {
        if count >= 8 {
            let last = u64::from_le(from.add(count - 8).cast::<u64>().read_unaligned());
            u128::from(u64::from_le(from.cast::<u64>().read_unaligned())) | u128::from(last) << (8 * (count - 8))
        } else if count >= 4 {
            let last = u32::from_le(from.add(count - 4).cast::<u32>().read_unaligned());
            u128::from(u32::from_le(from.cast::<u32>().read_unaligned())) | u128::from(last) << (8 * (count - 4))
        } else {
            let byte = |i: usize| if i < count { u128::from(from.add(i).read()) << (8 * i) } else { 0 };
            byte(0) | byte(1) | byte(2)
        }
    };
    all.to_le_bytes()
}

/// Writes the first `count` bytes, at most 16; as [`bytes`], without a call.
///
/// # Safety
/// There are so many.
#[inline(always)]
unsafe fn put_bytes(all: [u8; 16], to: *mut u8, count: usize) {
    let all = u128::from_le_bytes(all);
    // SAFETY: the caller's promise. Two words that overlap hold the same where they do.
    unsafe {
        if count >= 8 {
            to.add(count - 8).cast::<u64>().write_unaligned(((all >> (8 * (count - 8))) as u64).to_le());
            to.cast::<u64>().write_unaligned((all as u64).to_le());
        } else if count >= 4 {
            to.add(count - 4).cast::<u32>().write_unaligned(((all >> (8 * (count - 4))) as u32).to_le());
            to.cast::<u32>().write_unaligned((all as u32).to_le());
        } else {
            for i in 0..3 {
                if i < count {
                    to.add(i).write((all >> (8 * i)) as u8);
                }
            }
        }
    }
}

/// By arrays of lanes, for the compiler to vectorise.
macro_rules! by_lane {
    ($($vector:ty, $t:ty, $lanes:expr;)*) => {$(
        impl Choosing for $vector {
            type Places = [u8; $lanes];
            type Second = [bool; $lanes];
            type Lanes = [bool; $lanes];

            #[inline(always)]
            unsafe fn unzip(self, other: Self) -> (Self, Self) {
                let mut lanes: [[$t; $lanes]; 2] = [[0.0; $lanes]; 2];
                let (mut even, mut odd): ([$t; $lanes], [$t; $lanes]) = ([0.0; $lanes], [0.0; $lanes]);
                // SAFETY: the arrays hold a register each; the instruction set is the caller's promise.
                unsafe {
                    self.store(lanes[0].as_mut_ptr());
                    other.store(lanes[1].as_mut_ptr());
                    let lanes = lanes.as_flattened();
                    for i in 0..$lanes {
                        (even[i], odd[i]) = (lanes[2 * i], lanes[2 * i + 1]);
                    }
                    (Self::load(even.as_ptr()), Self::load(odd.as_ptr()))
                }
            }
            #[inline(always)]
            unsafe fn larger(self, other: Self) -> (Self, Self::Second) {
                let (mut most, mut others): ([$t; $lanes], [$t; $lanes]) = ([0.0; $lanes], [0.0; $lanes]);
                let mut second = [false; $lanes];
                // SAFETY: as above.
                unsafe {
                    self.store(most.as_mut_ptr());
                    other.store(others.as_mut_ptr());
                    for i in 0..$lanes {
                        second[i] = (others[i] > most[i]) | (others[i].is_nan() & !most[i].is_nan());
                        most[i] = if second[i] { others[i] } else { most[i] };
                    }
                    (Self::load(most.as_ptr()), second)
                }
            }
            #[inline(always)]
            unsafe fn places(above: Self::Second, below: Self::Second, lower: Self::Second) -> Self::Places {
                std::array::from_fn(|i| if lower[i] { 2 + u8::from(below[i]) } else { u8::from(above[i]) })
            }
            #[inline(always)]
            unsafe fn chosen(self, places: Self::Places, place: u8) -> Self {
                let mut lanes: [$t; $lanes] = [0.0; $lanes];
                // SAFETY: as above.
                unsafe {
                    self.store(lanes.as_mut_ptr());
                    for i in 0..$lanes {
                        lanes[i] = if places[i] == place { lanes[i] } else { 0.0 };
                    }
                    Self::load(lanes.as_ptr())
                }
            }
            #[inline(always)]
            unsafe fn right(places: Self::Places) -> Self::Lanes {
                places.map(|place| place % 2 == 1)
            }
            #[inline(always)]
            unsafe fn below(places: Self::Places) -> Self::Lanes {
                places.map(|place| place >= 2)
            }
            #[inline(always)]
            unsafe fn pick(lanes: Self::Lanes, no: Self, yes: Self) -> Self {
                let (mut picked, mut others): ([$t; $lanes], [$t; $lanes]) = ([0.0; $lanes], [0.0; $lanes]);
                // SAFETY: as above.
                unsafe {
                    yes.store(picked.as_mut_ptr());
                    no.store(others.as_mut_ptr());
                    for i in 0..$lanes {
                        picked[i] = if lanes[i] { picked[i] } else { others[i] };
                    }
                    Self::load(picked.as_ptr())
                }
            }
            #[inline(always)]
            unsafe fn store_places(places: Self::Places, to: *mut u8, count: usize) {
                // SAFETY: the caller's promise.
                unsafe {
                    if count == $lanes {
                        return to.cast::<Self::Places>().write(places);
                    }
                    let mut all = [0; 16];
                    all[..$lanes].copy_from_slice(&places);
                    put_bytes(all, to, count);
                }
            }
            #[inline(always)]
            unsafe fn load_places(from: *const u8, count: usize) -> Self::Places {
                let mut places = [0; $lanes];
                // SAFETY: the caller's promise.
                unsafe {
                    if count == $lanes {
                        return from.cast::<Self::Places>().read();
                    }
                    places.copy_from_slice(&bytes(from, count)[..$lanes]);
                }
                places
            }
        }
    )*};
}
by_lane! {
    portable::Lanes<f32, 4>, f32, 4;
    portable::Lanes<f64, 2>, f64, 2;
}
#[cfg(target_arch = "x86_64")]
by_lane! {
    avx512::F64, f64, 8;
    avx2::F64, f64, 4;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64::*;

    use super::*;

    impl Choosing for avx512::F32 {
        type Places = __m512i;
        type Second = __mmask16;
        /// All bits of the lanes: what is picked by bits finds more places in the machine than what is picked by masks.
        type Lanes = __m512i;

        #[inline(always)]
        unsafe fn unzip(self, other: Self) -> (Self, Self) {
            // SAFETY: the instruction set is the caller's promise.
            unsafe {
                let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
                let odd = _mm512_or_epi32(even, _mm512_set1_epi32(1));
                (
                    Self(_mm512_permutex2var_ps(self.0, even, other.0)),
                    Self(_mm512_permutex2var_ps(self.0, odd, other.0)),
                )
            }
        }
        #[inline(always)]
        unsafe fn larger(self, other: Self) -> (Self, __mmask16) {
            // SAFETY: as above.
            unsafe {
                // Neither below nor equal: above, or one of the two is NaN, which must not be the first.
                let number = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(self.0, self.0);
                let second = _mm512_mask_cmp_ps_mask::<_CMP_NLE_UQ>(number, other.0, self.0);
                (Self(_mm512_mask_mov_ps(self.0, second, other.0)), second)
            }
        }
        #[inline(always)]
        unsafe fn places(above: __mmask16, below: __mmask16, lower: __mmask16) -> __m512i {
            // SAFETY: as above.
            unsafe {
                let upper = _mm512_maskz_mov_epi32(above, _mm512_set1_epi32(1));
                let under = _mm512_mask_mov_epi32(_mm512_set1_epi32(2), below, _mm512_set1_epi32(3));
                _mm512_mask_mov_epi32(upper, lower, under)
            }
        }
        #[inline(always)]
        unsafe fn chosen(self, places: __m512i, place: u8) -> Self {
            // SAFETY: as above.
            unsafe {
                let here = _mm512_cmpeq_epi32_mask(places, _mm512_set1_epi32(i32::from(place)));
                Self(_mm512_maskz_mov_ps(here, self.0))
            }
        }
        #[inline(always)]
        unsafe fn right(places: __m512i) -> __m512i {
            // SAFETY: as above. The lowest bit, all over its lane.
            unsafe { _mm512_srai_epi32::<31>(_mm512_slli_epi32::<31>(places)) }
        }
        #[inline(always)]
        unsafe fn below(places: __m512i) -> __m512i {
            // SAFETY: as above. The bit above it.
            unsafe { _mm512_srai_epi32::<31>(_mm512_slli_epi32::<30>(places)) }
        }
        #[inline(always)]
        unsafe fn pick(lanes: __m512i, no: Self, yes: Self) -> Self {
            // SAFETY: as above. Each bit of `yes` where that of `lanes` is set, of `no` elsewhere.
            unsafe {
                let (yes, no) = (_mm512_castps_si512(yes.0), _mm512_castps_si512(no.0));
                Self(_mm512_castsi512_ps(_mm512_ternarylogic_epi32::<0xca>(lanes, yes, no)))
            }
        }
        #[inline(always)]
        unsafe fn store_places(places: __m512i, to: *mut u8, count: usize) {
            // SAFETY: as above, and the caller's promise of so many bytes.
            unsafe {
                // Masked, or the compiler would choose byte by byte, which takes longer.
                let all = _mm512_maskz_cvtepi32_epi8(u16::MAX, places);
                if count == 16 {
                    return _mm_storeu_si128(to.cast(), all);
                }
                let mut lanes = [0; 16];
                _mm_storeu_si128(lanes.as_mut_ptr().cast(), all);
                put_bytes(lanes, to, count);
            }
        }
        #[inline(always)]
        unsafe fn load_places(from: *const u8, count: usize) -> __m512i {
            // SAFETY: as above.
            unsafe {
                if count == 16 {
                    return _mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()));
                }
                _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes(from, count).as_ptr().cast()))
            }
        }
    }

    impl Choosing for avx2::F32 {
        /// As numbers, to be compared and mixed as the samples are.
        type Places = __m256;
        type Second = __m256;
        /// All bits of the lanes.
        type Lanes = __m256;

        #[inline(always)]
        unsafe fn unzip(self, other: Self) -> (Self, Self) {
            // SAFETY: the instruction set is the caller's promise.
            unsafe {
                let low = _mm256_permute2f128_ps::<0x20>(self.0, other.0);
                let high = _mm256_permute2f128_ps::<0x31>(self.0, other.0);
                // The halves of both: (0 1 2 3 | 8 9 …) and (4 5 6 7 | 12 13 …).
                let even = _mm256_shuffle_ps::<0b10_00_10_00>(low, high);
                let odd = _mm256_shuffle_ps::<0b11_01_11_01>(low, high);
                (Self(even), Self(odd))
            }
        }
        #[inline(always)]
        unsafe fn larger(self, other: Self) -> (Self, __m256) {
            // SAFETY: as above.
            unsafe {
                let number = _mm256_cmp_ps::<_CMP_ORD_Q>(self.0, self.0);
                let second = _mm256_and_ps(number, _mm256_cmp_ps::<_CMP_NLE_UQ>(other.0, self.0));
                (Self(_mm256_blendv_ps(self.0, other.0, second)), second)
            }
        }
        #[inline(always)]
        unsafe fn places(above: __m256, below: __m256, lower: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe {
                let upper = _mm256_and_ps(above, _mm256_set1_ps(1.0));
                let under = _mm256_add_ps(_mm256_set1_ps(2.0), _mm256_and_ps(below, _mm256_set1_ps(1.0)));
                _mm256_blendv_ps(upper, under, lower)
            }
        }
        #[inline(always)]
        unsafe fn chosen(self, places: __m256, place: u8) -> Self {
            // SAFETY: as above.
            unsafe {
                let here = _mm256_cmp_ps::<_CMP_EQ_OQ>(places, _mm256_set1_ps(f32::from(place)));
                Self(_mm256_and_ps(here, self.0))
            }
        }
        #[inline(always)]
        unsafe fn right(places: __m256) -> __m256 {
            // SAFETY: as above. The lowest bit, all over its lane.
            unsafe {
                let odd = _mm256_slli_epi32::<31>(_mm256_cvtps_epi32(places));
                _mm256_castsi256_ps(_mm256_srai_epi32::<31>(odd))
            }
        }
        #[inline(always)]
        unsafe fn below(places: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_cmp_ps::<_CMP_GE_OQ>(places, _mm256_set1_ps(2.0)) }
        }
        #[inline(always)]
        unsafe fn pick(lanes: __m256, no: Self, yes: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { _mm256_blendv_ps(no.0, yes.0, lanes) })
        }
        #[inline(always)]
        unsafe fn store_places(places: __m256, to: *mut u8, count: usize) {
            // SAFETY: as above, and the caller's promise of so many bytes.
            unsafe {
                let whole = _mm256_cvtps_epi32(places);
                let short = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256::<1>(whole));
                let all = _mm_packus_epi16(short, short);
                if count == 8 {
                    return _mm_storel_epi64(to.cast(), all);
                }
                let mut lanes = [0; 16];
                _mm_storeu_si128(lanes.as_mut_ptr().cast(), all);
                put_bytes(lanes, to, count);
            }
        }
        #[inline(always)]
        unsafe fn load_places(from: *const u8, count: usize) -> __m256 {
            // SAFETY: as above.
            unsafe {
                if count == 8 {
                    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast())));
                }
                let mut all = [0; 16];
                std::ptr::copy_nonoverlapping(from, all.as_mut_ptr(), count);
                _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(all.as_ptr().cast())))
            }
        }
    }
}
