//! What the leaves ask of a register.

use super::Line;

/// A register of lanes of one element type.
///
/// Every method is `inline(always)`, so that it is compiled for the instruction set of the entry point that it ends up
/// in; see [`leaves`](super::leaves).
///
/// # Safety
/// All methods ask that the machine has the implementor's instruction set; those that take pointers, that they are
/// valid for [`LANES`](Self::LANES) elements, aligned as an element is.
pub(super) trait Vector: Copy {
    /// A lane.
    type Lane: Copy;
    /// A weight, in the form in which a register of lanes is multiplied with it.
    type Weight: Copy;
    /// Lanes in the register.
    const LANES: usize;
    /// Whether the instruction set has thirty-two registers; else it has sixteen.
    const MANY: bool = false;
    /// Whether lanes are real numbers. Loops over complex ones, which few ask for and which are bound by arithmetic, come in
    /// fewer shapes: each is compiled for every type and instruction set.
    const REAL: bool = true;
    /// Whether a register is a whole cache line.
    const LINE: bool = Self::LANES * size_of::<Self::Lane>() == Line::BYTES;
    /// Whether the machine itself masks lanes and [streams](Self::stream) registers.
    const NATIVE: bool = false;

    unsafe fn zero() -> Self;
    unsafe fn load(from: *const Self::Lane) -> Self;
    unsafe fn store(self, to: *mut Self::Lane);
    /// The first `count` lanes, at most all; zeros in the others. Only those are read.
    #[inline(always)]
    unsafe fn load_first(from: *const Self::Lane, count: usize) -> Self {
        // SAFETY: `LANES` is at most 16, and the array is read whole after its first lanes have been written; the
        // rest is the caller's promise.
        unsafe {
            let mut lanes = [std::mem::MaybeUninit::<Self::Lane>::zeroed(); 16];
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr().cast(), count);
            Self::load(lanes.as_ptr().cast())
        }
    }
    /// The lanes `first..end` of a register at `from`; zeros in the others. Only those are read, and `from` itself need not
    /// be valid.
    #[inline(always)]
    unsafe fn load_range(from: *const Self::Lane, first: usize, end: usize) -> Self {
        // SAFETY: `LANES` is at most 16, and the array is read whole; the rest is the caller's promise.
        unsafe {
            let mut lanes = [std::mem::MaybeUninit::<Self::Lane>::zeroed(); 16];
            for i in 0..Self::LANES {
                if first <= i && i < end {
                    lanes[i].write(from.wrapping_add(i).read());
                }
            }
            Self::load(lanes.as_ptr().cast())
        }
    }
    /// The lanes `first..end`, as [`load_lanes`](Self::load_lanes) is told them.
    #[inline(always)]
    fn lanes(first: usize, end: usize) -> u32 {
        (1 << end) - (1 << first)
    }
    /// As [`load_range`](Self::load_range), of lanes that have been [told](Self::lanes) before: in AVX-512 at no cost.
    #[inline(always)]
    unsafe fn load_lanes(from: *const Self::Lane, lanes: u32) -> Self {
        let end = (u32::BITS - lanes.leading_zeros()) as usize;
        // SAFETY: the caller's promise.
        unsafe { Self::load_range(from, end.min(lanes.trailing_zeros() as usize), end) }
    }
    /// Stores the first `count` lanes, at most all, and writes nothing else.
    #[inline(always)]
    unsafe fn store_first(self, to: *mut Self::Lane, count: usize) {
        // SAFETY: `LANES` is at most 16; the rest is the caller's promise.
        unsafe {
            let mut lanes = [std::mem::MaybeUninit::<Self::Lane>::uninit(); 16];
            self.store(lanes.as_mut_ptr().cast());
            std::ptr::copy_nonoverlapping(lanes.as_ptr().cast(), to, count);
        }
    }
    /// Stores the lanes `first..end` where they are in a register at `to`, and writes nothing else.
    #[inline(always)]
    unsafe fn store_range(self, to: *mut Self::Lane, first: usize, end: usize) {
        // SAFETY: `LANES` is at most 16; the rest is the caller's promise.
        unsafe {
            let mut lanes = [std::mem::MaybeUninit::<Self::Lane>::uninit(); 16];
            self.store(lanes.as_mut_ptr().cast());
            std::ptr::copy_nonoverlapping(lanes.as_ptr().add(first).cast(), to.wrapping_add(first), end - first);
        }
    }
    /// As [`store`](Self::store), past the caches where the machine can: for whole lines that nobody reads soon, all of their
    /// registers one after the other. `to` is aligned as a register is. Other threads see it after a
    /// [`fence`](super::memory::fence), with which [`Workers`](super::Workers) end.
    #[inline(always)]
    unsafe fn stream(self, to: *mut Self::Lane) {
        // SAFETY: the caller's promise is more than what a store asks.
        unsafe { self.store(to) }
    }
    /// Every second lane of both, from the first on.
    #[inline(always)]
    unsafe fn every_second(self, other: Self) -> Self {
        // SAFETY: `LANES` is at most 16, so that the array holds the lanes of both; the instruction set is the caller's
        // promise.
        unsafe {
            let mut lanes = [std::mem::MaybeUninit::<Self::Lane>::uninit(); 32];
            self.store(lanes.as_mut_ptr().cast());
            other.store(lanes.as_mut_ptr().add(Self::LANES).cast());
            for i in 1..Self::LANES {
                lanes[i] = lanes[2 * i];
            }
            Self::load(lanes.as_ptr().cast())
        }
    }
    /// The same weight for every lane.
    unsafe fn splat(weight: Self::Lane) -> Self::Weight;
    /// A weight of its own for every lane.
    unsafe fn weights(self) -> Self::Weight;
    /// `weight * self + sum`
    unsafe fn mul_add(self, weight: Self::Weight, sum: Self) -> Self;
    /// The sum of the lanes, always in the same order.
    unsafe fn sum(self) -> Self::Lane;
}

/// The lanes of a register, read back in order.
macro_rules! sum_by_lane {
    ($lane:ty) => {
        #[inline(always)]
        unsafe fn sum(self) -> $lane {
            let mut lanes = [<$lane>::default(); Self::LANES];
            // SAFETY: the array holds as many lanes; the instruction set is the caller's promise.
            unsafe { self.store(lanes.as_mut_ptr()) };
            lanes.iter().fold(<$lane>::default(), |total, &x| total + x)
        }
    };
}

/// Registers of one x86 instruction set: real lanes, and complex ones whose parts alternate.
macro_rules! x86_vectors {
    ($real:ident, $complex:ident, $t:ty, $register:ty, $lanes:expr, $many:expr, $zero:ident, $load:ident, $store:ident, $stream:ident, $splat:ident,
     $fma:ident, $mul:ident, $add:ident, $fmaddsub:ident, $swap:expr, $even:expr, $odd:expr, $second:expr,
     $second_pair:expr $(, $mask_load:ident, $mask_store:ident, $mask:ty)?) => {
        #[derive(Clone, Copy)]
        pub(in crate::simd) struct $real(pub(in crate::simd) $register);

        impl Vector for $real {
            type Lane = $t;
            type Weight = $register;
            const LANES: usize = $lanes;
            const MANY: bool = $many;
            const NATIVE: bool = true;

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the instruction set is the caller's promise.
                Self(unsafe { $zero() })
            }
            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                // SAFETY: validity and the instruction set are the caller's promise; the load needs no alignment.
                Self(unsafe { $load(from) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                // SAFETY: as for `load`.
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            unsafe fn stream(self, to: *mut $t) {
                // SAFETY: as for `load`; `to` is aligned by the caller's promise.
                unsafe { $stream(to, self.0) }
            }
            #[inline(always)]
            unsafe fn splat(weight: $t) -> $register {
                // SAFETY: the instruction set is the caller's promise.
                unsafe { $splat(weight) }
            }
            #[inline(always)]
            unsafe fn weights(self) -> $register {
                self.0
            }
            #[inline(always)]
            unsafe fn mul_add(self, weight: $register, sum: Self) -> Self {
                // SAFETY: the instruction set is the caller's promise.
                Self(unsafe { $fma(weight, self.0, sum.0) })
            }
            #[inline(always)]
            unsafe fn every_second(self, other: Self) -> Self {
                // SAFETY: the instruction set is the caller's promise.
                Self(unsafe { $second(self.0, other.0) })
            }
            $(
                #[inline(always)]
                unsafe fn load_first(from: *const $t, count: usize) -> Self {
                    // SAFETY: a lane that is masked out is not read; the rest is the caller's promise.
                    Self(unsafe { $mask_load(((1u32 << count) - 1) as $mask, from) })
                }
                #[inline(always)]
                unsafe fn load_range(from: *const $t, first: usize, end: usize) -> Self {
                    // SAFETY: as for `load_first`.
                    unsafe { Self::load_lanes(from, Self::lanes(first, end)) }
                }
                #[inline(always)]
                unsafe fn load_lanes(from: *const $t, lanes: u32) -> Self {
                    // SAFETY: as for `load_first`.
                    Self(unsafe { $mask_load(lanes as $mask, from) })
                }
                #[inline(always)]
                unsafe fn store_first(self, to: *mut $t, count: usize) {
                    // SAFETY: a lane that is masked out is not written; the rest is the caller's promise.
                    unsafe { $mask_store(to, ((1u32 << count) - 1) as $mask, self.0) }
                }
                #[inline(always)]
                unsafe fn store_range(self, to: *mut $t, first: usize, end: usize) {
                    // SAFETY: as for `store_first`.
                    unsafe { $mask_store(to, ((1u32 << end) - (1u32 << first)) as $mask, self.0) }
                }
            )?
            sum_by_lane!($t);
        }

        #[derive(Clone, Copy)]
        pub(in crate::simd) struct $complex($register);

        impl Vector for $complex {
            type Lane = Complex<$t>;
            /// The real parts and the imaginary parts, each twice.
            type Weight = ($register, $register);
            const LANES: usize = $lanes / 2;
            const MANY: bool = $many;
            const REAL: bool = false;
            const NATIVE: bool = true;

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the instruction set is the caller's promise.
                Self(unsafe { $zero() })
            }
            #[inline(always)]
            unsafe fn load(from: *const Complex<$t>) -> Self {
                // SAFETY: as for the real lanes: a complex number is its two parts in order.
                Self(unsafe { $load(from.cast()) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut Complex<$t>) {
                // SAFETY: as for `load`.
                unsafe { $store(to.cast(), self.0) }
            }
            #[inline(always)]
            unsafe fn stream(self, to: *mut Complex<$t>) {
                // SAFETY: as for `load`; `to` is aligned by the caller's promise.
                unsafe { $stream(to.cast(), self.0) }
            }
            #[inline(always)]
            unsafe fn splat(weight: Complex<$t>) -> Self::Weight {
                // SAFETY: the instruction set is the caller's promise.
                unsafe { ($splat(weight.re), $splat(weight.im)) }
            }
            #[inline(always)]
            unsafe fn weights(self) -> Self::Weight {
                // SAFETY: the instruction set is the caller's promise.
                unsafe { ($even(self.0), $odd(self.0)) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, (re, im): Self::Weight, sum: Self) -> Self {
                // SAFETY: the instruction set is the caller's promise.
                unsafe { Self($add($fmaddsub(self.0, re, $mul($swap(self.0), im)), sum.0)) }
            }
            #[inline(always)]
            unsafe fn every_second(self, other: Self) -> Self {
                // SAFETY: the instruction set is the caller's promise.
                Self(unsafe { $second_pair(self.0, other.0) })
            }
            $(
                #[inline(always)]
                unsafe fn load_first(from: *const Complex<$t>, count: usize) -> Self {
                    // SAFETY: a lane that is masked out is not read; the rest is the caller's promise.
                    Self(unsafe { $mask_load(((1u32 << (2 * count)) - 1) as $mask, from.cast()) })
                }
                #[inline(always)]
                unsafe fn load_range(from: *const Complex<$t>, first: usize, end: usize) -> Self {
                    // SAFETY: as for `load_first`.
                    unsafe { Self::load_lanes(from, Self::lanes(first, end)) }
                }
                #[inline(always)]
                fn lanes(first: usize, end: usize) -> u32 {
                    (1 << (2 * end)) - (1 << (2 * first))
                }
                #[inline(always)]
                unsafe fn load_lanes(from: *const Complex<$t>, lanes: u32) -> Self {
                    // SAFETY: as for `load_first`.
                    Self(unsafe { $mask_load(lanes as $mask, from.cast()) })
                }
                #[inline(always)]
                unsafe fn store_first(self, to: *mut Complex<$t>, count: usize) {
                    // SAFETY: a lane that is masked out is not written; the rest is the caller's promise.
                    unsafe { $mask_store(to.cast(), ((1u32 << (2 * count)) - 1) as $mask, self.0) }
                }
                #[inline(always)]
                unsafe fn store_range(self, to: *mut Complex<$t>, first: usize, end: usize) {
                    // SAFETY: as for `store_first`.
                    unsafe { $mask_store(to.cast(), ((1u32 << (2 * end)) - (1u32 << (2 * first))) as $mask, self.0) }
                }
            )?
            sum_by_lane!(Complex<$t>);
        }
    };
}

#[cfg(target_arch = "x86_64")]
pub(super) mod avx512 {
    use core::arch::x86_64::*;

    use num_complex::Complex;

    use super::Vector;

    x86_vectors!(
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
}

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2 {
    use core::arch::x86_64::*;

    use num_complex::Complex;

    use super::Vector;

    x86_vectors!(
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
        |a, b| {
            let pairs = _mm256_castps_pd(_mm256_shuffle_ps::<0x88>(a, b));
            _mm256_castpd_ps(_mm256_permute4x64_pd::<0xd8>(pairs))
        },
        |a, b| {
            let pairs = _mm256_unpacklo_pd(_mm256_castps_pd(a), _mm256_castps_pd(b));
            _mm256_castpd_ps(_mm256_permute4x64_pd::<0xd8>(pairs))
        },
        mask_load_ps,
        mask_store_ps,
        u8
    );
    x86_vectors!(
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
        |a, b| _mm256_permute4x64_pd::<0xd8>(_mm256_unpacklo_pd(a, b)),
        |a, b| _mm256_permute2f128_pd::<0x20>(a, b),
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
}

/// Lanes as an array, which the compiler vectorises for the target's baseline: NEON on AArch64, SSE2 on x86-64.
pub(super) mod portable {
    use num_complex::Complex;

    use super::Vector;

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
}
