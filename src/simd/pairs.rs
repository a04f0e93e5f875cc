//! Max pooling of two by two samples, and its way back.
//!
//! A register of windows is two registers of each of two rows, taken apart into left and right samples; which of a
//! window's four is the largest is kept in a byte. On the way back a gradient goes to the sample chosen: two registers
//! for each of the two rows, put together from left and right.
//!
//! Rows are short, so that their last registers go beyond them as long as there is room: what is written there is
//! written again, since rows follow one another.

use super::Isa;
use super::fourier::Arithmetic;
use super::leaves::Kernels;
use super::pooled::{self, PooledGradient, PooledSums};
use super::vector::{Vector, portable};
#[cfg(target_arch = "x86_64")]
use super::vector::{avx2, avx512};

/// Planes one behind the other, and the windows of two by two in each.
#[derive(Clone, Copy, Debug)]
pub struct PairWindows {
    /// Samples of a plane, and from one row to the next.
    pub(crate) plane: usize,
    pub(crate) pitch: usize,
    /// Rows of windows, and windows of a row; at least one of both.
    pub(crate) count: [usize; 2],
}

/// The arguments of a choice: the largest sample of each window, the first of several, NaN before numbers; and its place
/// in the window, row by row.
pub struct Choose<'a, T> {
    pub(crate) windows: PairWindows,
    pub(crate) source: &'a [T],
    pub(crate) out: &'a mut [T],
    pub(crate) choices: &'a mut [u8],
}

/// The arguments of the way back: each window's gradient where its choice was, zero in all other samples.
pub struct Unchoose<'a, T> {
    pub(crate) windows: PairWindows,
    pub(crate) gradient: &'a [T],
    pub(crate) choices: &'a [u8],
    pub(crate) out: &'a mut [T],
}

/// Element types of which the larger can be chosen.
pub trait Pairs: Kernels {
    /// Chooses. Panics where a slice has not the length that the windows say.
    fn choose(isa: Isa, call: Choose<'_, Self>);
    /// Goes back. Panics where a slice has not the length that the windows say.
    fn unchoose(isa: Isa, call: Unchoose<'_, Self>);
    /// Convolves and chooses. Panics where a slice has not the length that the windows say.
    fn pooled_sums(isa: Isa, call: PooledSums<'_, Self>);
    /// Adds the weights' gradient. Panics where a slice has not the length that the windows say.
    fn pooled_gradient(isa: Isa, call: PooledGradient<'_, Self>);
}

macro_rules! pairs {
    ($($t:ident: $avx512:ident, $avx2:ident, $lanes:expr;)*) => {$(
        impl Pairs for $t {
            fn choose(isa: Isa, call: Choose<'_, Self>) {
                call.windows.check(call.source.len(), [call.out.len(), call.choices.len()]);
                dispatch!(isa, call, Choose<$t> => choose, $avx512, $avx2, $lanes)
            }

            fn unchoose(isa: Isa, call: Unchoose<'_, Self>) {
                call.windows.check(call.out.len(), [call.gradient.len(), call.choices.len()]);
                dispatch!(isa, call, Unchoose<$t> => unchoose, $avx512, $avx2, $lanes)
            }

            fn pooled_sums(isa: Isa, call: PooledSums<'_, Self>) {
                let windows = [call.out.len(), call.choices.len()];
                call.windows.check($t::lanes(isa), call.source.len(), call.weights.len(), windows);
                dispatch!(isa, call, PooledSums<$t> => pooled::sums, $avx512, $avx2, $lanes)
            }

            fn pooled_gradient(isa: Isa, call: PooledGradient<'_, Self>) {
                let (lanes, windows) = ($t::lanes(isa), [call.gradient.len(), call.choices.len()]);
                assert!(call.lanes.len().is_multiple_of(lanes), "a register of lanes for each weight");
                call.windows.check(lanes, call.source.len(), call.lanes.len() / lanes, windows);
                dispatch!(isa, call, PooledGradient<$t> => pooled::gradient, $avx512, $avx2, $lanes)
            }
        }
    )*};
}
pairs! {
    f32: F32, F32, 4;
    f64: F64, F64, 2;
}

impl PairWindows {
    /// Everything that the loops take on trust.
    fn check(&self, samples: usize, windows: [usize; 2]) {
        let Self { plane, pitch, count: [high, wide] } = *self;
        assert!(high > 0 && wide > 0 && 2 * wide <= pitch, "rows hold their windows");
        assert!((2 * high - 1) * pitch + 2 * wide <= plane, "planes hold their rows");
        let planes = samples / plane;
        assert!(samples == planes * plane && windows == [planes * high * wide; 2], "as many planes of each");
    }
}

/// A register of samples that can be compared.
///
/// # Safety
/// As [`Vector`].
pub(super) trait Choosing: Arithmetic<Lane: PartialOrd + Default> {
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

/// # Safety
/// The call has been [checked](PairWindows::check), and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn choose<V: Choosing>(call: Choose<'_, V::Lane>) {
    let Choose { windows: PairWindows { plane, pitch, count: [high, wide] }, source, out, choices } = call;
    for plane_index in 0..source.len() / plane {
        for line in 0..high {
            let (row, above) = (plane_index * high + line, plane_index * plane + 2 * line * pitch);
            for first in (0..wide).step_by(V::LANES) {
                let (at, count) = (row * wide + first, V::LANES.min(wide - first));
                // SAFETY: `check` has seen that the source holds the rows of all windows, and that there is a result
                // and a choice for each; more than `count` are written only where there are more behind them.
                unsafe {
                    let (a, b) = pairs_at::<V>(source, above + 2 * first, count);
                    let (c, d) = pairs_at::<V>(source, above + pitch + 2 * first, count);
                    let (most, places) = largest([a, b, c, d]);
                    let room = V::LANES.min(out.len() - at);
                    if room == V::LANES {
                        most.store(out.as_mut_ptr().add(at));
                    } else {
                        most.store_first(out.as_mut_ptr().add(at), room);
                    }
                    V::store_places(places, choices.as_mut_ptr().add(at), room);
                }
            }
        }
    }
}

/// The largest of a window's samples, row by row, with its place: the first of several, NaN before numbers.
///
/// # Safety
/// The machine has `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn largest<V: Choosing>([a, b, c, d]: [V; 4]) -> (V, V::Places) {
    // SAFETY: the caller's promise.
    unsafe {
        let ((upper, above), (under, below)) = (a.larger(b), c.larger(d));
        let (most, lower) = upper.larger(under);
        (most, V::places(above, below, lower))
    }
}

/// The left and the right samples of `count` pairs, at most a register of each, from an element on; anything in the
/// other lanes.
///
/// # Safety
/// There are so many, and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn pairs_at<V: Choosing>(source: &[V::Lane], at: usize, count: usize) -> (V, V) {
    let samples = 2 * count;
    // SAFETY: the caller's promise; more are read only where there are more behind them.
    unsafe {
        let from = source.as_ptr().add(at);
        if source.len() - at >= 2 * V::LANES {
            return V::load(from).unzip(V::load(from.add(V::LANES)));
        }
        let rest = samples.saturating_sub(V::LANES);
        let high = if rest > 0 { V::load_first(from.add(V::LANES), rest) } else { V::zero() };
        V::load_first(from, samples.min(V::LANES)).unzip(high)
    }
}

/// # Safety
/// The call has been [checked](PairWindows::check), and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn unchoose<V: Choosing>(call: Unchoose<'_, V::Lane>) {
    let Unchoose { windows: PairWindows { plane, pitch, count: [high, wide] }, gradient, choices, out } = call;
    for start in (0..out.len()).step_by(plane) {
        for line in 0..high {
            let (row, upper) = (start / plane * high + line, start + 2 * line * pitch);
            for first in (0..wide).step_by(V::LANES) {
                let (at, count) = (row * wide + first, V::LANES.min(wide - first));
                // SAFETY: `check` has seen that there is a gradient and a choice for each window, and that the planes
                // hold the rows of all windows.
                unsafe {
                    let given = gradient.as_ptr().add(at);
                    let given = if count == V::LANES { V::load(given) } else { V::load_first(given, count) };
                    let places = V::load_places(choices.as_ptr().add(at), V::LANES.min(choices.len() - at));
                    let above = given.chosen(places, 0).zip(given.chosen(places, 1));
                    let below = given.chosen(places, 2).zip(given.chosen(places, 3));
                    // What lies behind the upper row is written next, unless its beginning has been.
                    put_pairs(above, &mut out[upper + 2 * first..], count, first == 0);
                    put_pairs(below, &mut out[upper + pitch + 2 * first..], count, true);
                }
            }
            if pitch > 2 * wide {
                for begin in [upper, upper + pitch] {
                    let end = (start + plane).min(begin + pitch);
                    out[begin + 2 * wide..end].fill(V::Lane::default());
                }
            }
        }
        if plane > 2 * high * pitch {
            out[start + 2 * high * pitch..start + plane].fill(V::Lane::default());
        }
    }
}

/// Writes `count` pairs, and zeros behind them if there is room and they may be written.
///
/// # Safety
/// The slice holds the pairs, and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn put_pairs<V: Vector>((low, high): (V, V), to: &mut [V::Lane], count: usize, beyond: bool) {
    let (whole, to) = (to.len() >= 2 * V::LANES && (beyond || count == V::LANES), to.as_mut_ptr());
    // SAFETY: the caller's promise, and the length just seen.
    unsafe {
        if whole {
            low.store(to);
            high.store(to.add(V::LANES));
            return;
        }
        let samples = 2 * count;
        low.store_first(to, samples.min(V::LANES));
        if samples > V::LANES {
            high.store_first(to.add(V::LANES), samples - V::LANES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place of the first of the largest, NaN before numbers, by the definition.
    fn best(values: [f64; 4]) -> usize {
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let nan = values.iter().position(|v| v.is_nan());
        nan.or(values.iter().position(|&v| v == most)).expect("four values")
    }

    fn agree<T: Pairs + Default + PartialEq + std::fmt::Debug + Into<f64>>(isa: Isa, number: impl Fn(f64) -> T) {
        let widths = (1..=20).chain([31, 32, 33, 40]);
        for (high, wide, odd) in widths.flat_map(|wide| [(1, wide, [0, 0]), (3, wide, [1, 0]), (2, wide, [2, 1])]) {
            let (pitch, rows, planes) = (2 * wide + odd[0], 2 * high + odd[1], 3);
            let windows = PairWindows { plane: pitch * rows, pitch, count: [high, wide] };
            // Many equal values, and some that are none.
            let value = |i: usize| if i % 53 == 11 { f64::NAN } else { ((i * 7919) % 101 % 4) as f64 - 2.0 };
            let source: Vec<T> = (0..planes * windows.plane).map(|i| number(value(i))).collect();
            let count = planes * high * wide;
            let (mut out, mut choices) = (vec![number(77.0); count], vec![9; count]);
            T::choose(isa, Choose { windows, source: &source, out: &mut out, choices: &mut choices });
            let gradient: Vec<T> = (0..count).map(|i| number(i as f64 + 1.0)).collect();
            let (mut back, mut expected) = (vec![number(77.0); source.len()], vec![T::default(); source.len()]);
            for (i, (y, &choice)) in out.iter().zip(&choices).enumerate() {
                let (plane, line, column) = (i / (high * wide), i / wide % high, i % wide);
                let at = |place: usize| plane * windows.plane + (2 * line + place / 2) * pitch + 2 * column + place % 2;
                let place = best([0, 1, 2, 3].map(|place| value(at(place))));
                assert_eq!(usize::from(choice), place, "{isa:?} {high}x{wide}+{odd:?}: choice {i}");
                let (y, wanted): (f64, f64) = ((*y).into(), value(at(place)));
                assert!(y == wanted || y.is_nan() && wanted.is_nan(), "{isa:?} {high}x{wide}+{odd:?}: {i} is {y}");
                expected[at(place)] = gradient[i];
            }
            T::unchoose(isa, Unchoose { windows, gradient: &gradient, choices: &choices, out: &mut back });
            assert_eq!(back, expected, "{isa:?} {high}x{wide}+{odd:?}");
        }
    }

    #[test]
    fn the_first_of_the_largest_is_chosen_and_found_again() {
        for isa in Isa::all() {
            agree::<f32>(isa, |v| v as f32);
            agree::<f64>(isa, |v| v);
        }
    }

    #[test]
    #[should_panic(expected = "as many planes of each")]
    fn a_short_result_is_refused() {
        let windows = PairWindows { plane: 4, pitch: 2, count: [1, 1] };
        let call = Choose { windows, source: &[0.0f32; 8], out: &mut [0.0; 1], choices: &mut [0; 2] };
        f32::choose(Isa::Portable, call);
    }
}
