//! Arithmetic on registers of real lanes.

use crate::simd::vector::Vector;
use crate::simd::vector::portable::Lanes;

/// A register of real lanes that butterflies are made of.
///
/// # Safety
/// All methods ask that the machine has the implementor's instruction set.
pub(in crate::simd) trait Arithmetic: Vector {
    /// The same number in every lane.
    unsafe fn all(number: Self::Lane) -> Self;
    /// A constant, rounded, in every lane.
    unsafe fn constant(number: f64) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// `self * factor + sum`
    unsafe fn times_plus(self, factor: Self, sum: Self) -> Self;
    /// `from - self * factor`
    unsafe fn minus_times(self, factor: Self, from: Self) -> Self;
    /// The lanes of both in turn: `self[0], other[0], self[1], …`, a register full and the rest.
    unsafe fn zip(self, other: Self) -> (Self, Self);
    /// Exchanges a lane's high bits and a register's: with `B` lanes in 16 bytes, `A` times as many in a register and `q`
    /// of `4 / A`, lane `B·a + b` of register `q·m + j` and lane `B·m + b` of register `q·a + j`, for all `a` and `m`
    /// below `A`. Twice is not at all.
    unsafe fn exchange_high(registers: [Self; 4]) -> [Self; 4];
    /// Exchanges a lane's low bits and a register's: lane `B·a + b` of register `B·j + m` and lane `B·a + m` of register
    /// `B·j + b`. Twice is not at all.
    unsafe fn exchange_low(registers: [Self; 4]) -> [Self; 4];
}

/// Arithmetic by the intrinsics of one x86 instruction set.
#[cfg(target_arch = "x86_64")]
macro_rules! x86_arithmetic {
    ($vector:ty, $t:ty, $splat:ident, $add:ident, $sub:ident, $mul:ident, $fma:ident, $fnma:ident, $zip:expr,
     |$high:ident| $exchange_high:expr, |$low:ident| $exchange_low:expr) => {
        impl Arithmetic for $vector {
            #[inline(always)]
            unsafe fn all(number: $t) -> Self {
                // SAFETY: the instruction set is the caller's promise.
                Self(unsafe { $splat(number) })
            }
            #[inline(always)]
            unsafe fn constant(number: f64) -> Self {
                // SAFETY: as above.
                Self(unsafe { $splat(number as $t) })
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $add(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $sub(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $mul(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn times_plus(self, factor: Self, sum: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $fma(self.0, factor.0, sum.0) })
            }
            #[inline(always)]
            unsafe fn minus_times(self, factor: Self, from: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $fnma(self.0, factor.0, from.0) })
            }
            #[inline(always)]
            unsafe fn zip(self, other: Self) -> (Self, Self) {
                // SAFETY: as above.
                let (low, high) = unsafe { $zip(self.0, other.0) };
                (Self(low), Self(high))
            }
            #[inline(always)]
            unsafe fn exchange_high(registers: [Self; 4]) -> [Self; 4] {
                // SAFETY: as above.
                unsafe {
                    let $high = [registers[0].0, registers[1].0, registers[2].0, registers[3].0];
                    let [a, b, c, d] = $exchange_high;
                    [Self(a), Self(b), Self(c), Self(d)]
                }
            }
            #[inline(always)]
            unsafe fn exchange_low(registers: [Self; 4]) -> [Self; 4] {
                // SAFETY: as above.
                unsafe {
                    let $low = [registers[0].0, registers[1].0, registers[2].0, registers[3].0];
                    let [a, b, c, d] = $exchange_low;
                    [Self(a), Self(b), Self(c), Self(d)]
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64::*;

    use super::Arithmetic;
    use crate::simd::vector::{avx2, avx512};

    // No closures: functions without the instruction set cannot be relied on to be inlined.

    /// Four by four, by two shuffles of pairs.
    macro_rules! square {
        ($x:ident, $low:expr, $high:expr => $even:expr, $odd:expr) => {{
            let (a, b) = ($low($x[0], $x[1]), $high($x[0], $x[1]));
            let (c, d) = ($low($x[2], $x[3]), $high($x[2], $x[3]));
            [$even(a, c), $odd(a, c), $even(b, d), $odd(b, d)]
        }};
    }

    /// The same within every 16 bytes.
    macro_rules! square_of_singles {
        ($x:ident, $low:ident, $high:ident, $double:ident => $even:ident, $odd:ident, $single:ident) => {{
            let (a, b) = ($double($low($x[0], $x[1])), $double($high($x[0], $x[1])));
            let (c, d) = ($double($low($x[2], $x[3])), $double($high($x[2], $x[3])));
            [$single($even(a, c)), $single($odd(a, c)), $single($even(b, d)), $single($odd(b, d))]
        }};
    }

    x86_arithmetic!(
        avx512::F32,
        f32,
        _mm512_set1_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_fmadd_ps,
        _mm512_fnmadd_ps,
        |a, b| {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
            (_mm512_permutex2var_ps(a, low, b), _mm512_permutex2var_ps(a, high, b))
        },
        |x| square!(
            x,
            _mm512_shuffle_f32x4::<0x44>, _mm512_shuffle_f32x4::<0xee> => _mm512_shuffle_f32x4::<0x88>, _mm512_shuffle_f32x4::<0xdd>
        ),
        |x| square_of_singles!(
            x, _mm512_unpacklo_ps, _mm512_unpackhi_ps, _mm512_castps_pd
            => _mm512_unpacklo_pd, _mm512_unpackhi_pd, _mm512_castpd_ps
        )
    );
    x86_arithmetic!(
        avx512::F64,
        f64,
        _mm512_set1_pd,
        _mm512_add_pd,
        _mm512_sub_pd,
        _mm512_mul_pd,
        _mm512_fmadd_pd,
        _mm512_fnmadd_pd,
        |a, b| {
            let low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
            let high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
            (_mm512_permutex2var_pd(a, low, b), _mm512_permutex2var_pd(a, high, b))
        },
        |x| square!(
            x,
            _mm512_shuffle_f64x2::<0x44>, _mm512_shuffle_f64x2::<0xee> => _mm512_shuffle_f64x2::<0x88>, _mm512_shuffle_f64x2::<0xdd>
        ),
        |x| [
            _mm512_unpacklo_pd(x[0], x[1]),
            _mm512_unpackhi_pd(x[0], x[1]),
            _mm512_unpacklo_pd(x[2], x[3]),
            _mm512_unpackhi_pd(x[2], x[3]),
        ]
    );
    x86_arithmetic!(
        avx2::F32,
        f32,
        _mm256_set1_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_fmadd_ps,
        _mm256_fnmadd_ps,
        |a, b| {
            // Within each half; then the halves.
            let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            (_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high))
        },
        |x| [
            _mm256_permute2f128_ps::<0x20>(x[0], x[2]),
            _mm256_permute2f128_ps::<0x20>(x[1], x[3]),
            _mm256_permute2f128_ps::<0x31>(x[0], x[2]),
            _mm256_permute2f128_ps::<0x31>(x[1], x[3]),
        ],
        |x| square_of_singles!(
            x, _mm256_unpacklo_ps, _mm256_unpackhi_ps, _mm256_castps_pd
            => _mm256_unpacklo_pd, _mm256_unpackhi_pd, _mm256_castpd_ps
        )
    );
    x86_arithmetic!(
        avx2::F64,
        f64,
        _mm256_set1_pd,
        _mm256_add_pd,
        _mm256_sub_pd,
        _mm256_mul_pd,
        _mm256_fmadd_pd,
        _mm256_fnmadd_pd,
        |a, b| {
            let (low, high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
            (_mm256_permute2f128_pd::<0x20>(low, high), _mm256_permute2f128_pd::<0x31>(low, high))
        },
        |x| [
            _mm256_permute2f128_pd::<0x20>(x[0], x[2]),
            _mm256_permute2f128_pd::<0x20>(x[1], x[3]),
            _mm256_permute2f128_pd::<0x31>(x[0], x[2]),
            _mm256_permute2f128_pd::<0x31>(x[1], x[3]),
        ],
        |x| [
            _mm256_unpacklo_pd(x[0], x[1]),
            _mm256_unpackhi_pd(x[0], x[1]),
            _mm256_unpacklo_pd(x[2], x[3]),
            _mm256_unpackhi_pd(x[2], x[3]),
        ]
    );
}

macro_rules! portable_arithmetic {
    ($t:ty, $lanes:expr) => {
        impl Arithmetic for Lanes<$t, $lanes> {
            #[inline(always)]
            unsafe fn all(number: $t) -> Self {
                Self([number; $lanes])
            }
            #[inline(always)]
            unsafe fn constant(number: f64) -> Self {
                Self([number as $t; $lanes])
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                Self(std::array::from_fn(|i| self.0[i] - other.0[i]))
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                Self(std::array::from_fn(|i| self.0[i] * other.0[i]))
            }
            #[inline(always)]
            unsafe fn times_plus(self, factor: Self, sum: Self) -> Self {
                // SAFETY: the baseline is always there.
                unsafe { self.mul_add(factor.0, sum) }
            }
            #[inline(always)]
            unsafe fn minus_times(self, factor: Self, from: Self) -> Self {
                // SAFETY: the caller's promise.
                unsafe { self.mul_add(factor.0.map(|x| -x), from) }
            }
            #[inline(always)]
            unsafe fn zip(self, other: Self) -> (Self, Self) {
                let at = |i: usize| if i % 2 == 0 { self.0[i / 2] } else { other.0[i / 2] };
                (Self(std::array::from_fn(at)), Self(std::array::from_fn(|i| at(i + $lanes))))
            }
            /// A register is 16 bytes.
            #[inline(always)]
            unsafe fn exchange_high(registers: [Self; 4]) -> [Self; 4] {
                registers
            }
            #[inline(always)]
            unsafe fn exchange_low(registers: [Self; 4]) -> [Self; 4] {
                let at = |r: usize, lane: usize| registers[r / $lanes * $lanes + lane].0[r % $lanes];
                std::array::from_fn(|r| Self(std::array::from_fn(|lane| at(r, lane))))
            }
        }
    };
}
portable_arithmetic!(f32, 4);
portable_arithmetic!(f64, 2);
