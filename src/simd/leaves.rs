//! The innermost loops, written once over [`Vector`] and entered once for each instruction set.
//!
//! # The product
//!
//! One loop serves the direct sum and the matrix product alike: a tile of `M` output channels by `N` registers of
//! columns, kept in registers over the whole sum,
//!
//! ```text
//! out[m][j] (+)= Σ_i weights[i][m] · source[offsets[i] + j]         m < M, j < N · LANES
//! ```
//!
//! In the direct sum the offsets say where tap `i` of input channel `c` finds its samples in a block of the input; in
//! the matrix product they are multiples of the width of a packed panel. A column costs one load for every `M`
//! multiply-adds and a weight one broadcast for every `N`.
//!
//! # The dot products
//!
//! `out[i] += Σ_j gradient[j] · source[offsets[i] + j]`, several offsets at once, so that a load of the gradient serves
//! them all.

use num_complex::Complex;

use super::Isa;
use super::interleave::Interleaved;
use super::outer::Outers;
use super::vector::Vector;
#[cfg(target_arch = "x86_64")]
use super::vector::{avx2, avx512};
use super::winograd::Passes;

/// Offsets into a source, their largest known: what bounds are checked by, once a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offsets {
    values: Vec<usize>,
    largest: usize,
}

impl Offsets {
    pub(crate) fn new(values: Vec<usize>) -> Self {
        let largest = values.iter().copied().max().unwrap_or(0);
        Self { values, largest }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn as_slice(&self) -> &[usize] {
        &self.values
    }
}

/// The arguments of a product; see the [module](self).
pub struct Product<'a, T> {
    /// `M`: a power of two, at most [`Isa::rows`].
    pub(crate) rows: usize,
    /// `rows` weights for each term.
    pub(crate) weights: &'a [T],
    pub(crate) source: &'a [T],
    pub(crate) offsets: &'a Offsets,
    /// How many of the offsets are summed over.
    pub(crate) terms: usize,
    /// Columns, a multiple of the lanes.
    pub(crate) columns: usize,
    pub(crate) out: &'a mut [T],
    /// From one row of `out` to the next.
    pub(crate) pitch: usize,
    /// Whether `out` holds the beginning of the sums already.
    pub(crate) add: bool,
}

/// The arguments of some dot products; see the [module](self).
pub struct Dots<'a, T> {
    /// A multiple of the lanes long.
    pub(crate) gradient: &'a [T],
    pub(crate) source: &'a [T],
    pub(crate) offsets: &'a Offsets,
    /// One sum for each offset, added to.
    pub(crate) out: &'a mut [T],
}

/// The leaves of an element type.
pub trait Kernels: super::Slide + Interleaved + Outers + Passes {
    /// Elements in a register.
    fn lanes(isa: Isa) -> usize;
    /// Computes a product. Panics where a slice is too short for what the call says.
    fn product(isa: Isa, call: Product<'_, Self>);
    /// Computes some dot products. Panics where a slice is too short for what the call says.
    fn dots(isa: Isa, call: Dots<'_, Self>);
}

macro_rules! kernels {
    ($($t:ty: $avx512:ident, $avx2:ident, $lanes:expr;)*) => {$(
        impl Kernels for $t {
            fn lanes(isa: Isa) -> usize {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => avx512::$avx512::LANES,
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => avx2::$avx2::LANES,
                    Isa::Portable => $lanes,
                }
            }

            fn product(isa: Isa, call: Product<'_, Self>) {
                call.check(Self::lanes(isa));
                dispatch!(isa, call, Product<$t> => product, $avx512, $avx2, $lanes; 32, 16)
            }

            fn dots(isa: Isa, call: Dots<'_, Self>) {
                call.check(Self::lanes(isa));
                dispatch!(isa, call, Dots<$t> => dots, $avx512, $avx2, $lanes)
            }
        }
    )*};
}
kernels! {
    f32: F32, F32, 4;
    f64: F64, F64, 2;
    Complex<f32>: C32, C32, 2;
    Complex<f64>: C64, C64, 1;
}

impl<T> Product<'_, T> {
    /// Everything that the loops take on trust.
    fn check(&self, lanes: usize) {
        let Self { rows, columns, pitch, .. } = *self;
        assert!(matches!(rows, 1 | 2 | 4 | 8), "rows are a power of two up to 8");
        assert!(columns > 0 && columns.is_multiple_of(lanes), "columns are whole registers");
        assert!(self.terms <= self.offsets.len(), "an offset for each term");
        assert!(self.weights.len() == rows * self.terms, "as many weights as rows and terms");
        assert!(self.offsets.largest + columns <= self.source.len(), "the source reaches as far as the offsets");
        assert!(columns <= pitch && (rows - 1) * pitch + columns <= self.out.len(), "the rows fit the output");
    }
}

impl<T> Dots<'_, T> {
    /// Everything that the loops take on trust.
    fn check(&self, lanes: usize) {
        assert!(self.gradient.len().is_multiple_of(lanes), "the gradient is whole registers");
        assert!(
            self.offsets.largest + self.gradient.len() <= self.source.len(),
            "the source reaches as far as the offsets"
        );
        assert!(self.out.len() == self.offsets.len(), "a sum for each offset");
    }
}

/// All tiles of a product on a machine with `REGISTERS` of them. The more rows, the fewer columns: the sums, a register
/// for each of the columns and one weight must find room.
///
/// # Safety
/// The call has been [checked](Product::check), and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn product<V: Vector, const REGISTERS: usize>(call: Product<'_, V::Lane>) {
    let total = call.columns / V::LANES;
    let mut done = 0;
    while done < total {
        let left = total - done;
        let at = done * V::LANES;
        // SAFETY: each tile lies within the columns that have been checked.
        done += unsafe {
            match (call.rows, REGISTERS) {
                // Four registers are two and two: a single one waits for its weights.
                (8, 32) if left >= 3 && left != 4 => tile::<V, 8, 3>(&call, at),
                (8, _) if left >= 2 => tile::<V, 8, 2>(&call, at),
                (8, _) => tile::<V, 8, 1>(&call, at),
                (4, 32) if left >= 6 => tile::<V, 4, 6>(&call, at),
                (4, _) if left >= 3 => tile::<V, 4, 3>(&call, at),
                (4, _) if left >= 2 => tile::<V, 4, 2>(&call, at),
                (4, _) => tile::<V, 4, 1>(&call, at),
                (2, 32) if left >= 8 => tile::<V, 2, 8>(&call, at),
                (2, _) if left >= 4 => tile::<V, 2, 4>(&call, at),
                (2, _) => tile::<V, 2, 1>(&call, at),
                (_, _) if left >= 8 => tile::<V, 1, 8>(&call, at),
                (_, _) if left >= 4 => tile::<V, 1, 4>(&call, at),
                (_, _) => tile::<V, 1, 1>(&call, at),
            }
        };
    }
}

/// One tile of `M` rows and `N` registers from column `at` on; returns `N`.
///
/// # Safety
/// As [`product`]; the tile lies within the columns.
#[inline(always)]
unsafe fn tile<V: Vector, const M: usize, const N: usize>(call: &Product<'_, V::Lane>, at: usize) -> usize {
    // SAFETY: `check` has seen that the largest offset and all columns lie within the source, that
    // there are M weights for each offset, and that M rows of all columns lie within the output, which nothing else
    // borrows.
    unsafe {
        let out = call.out.as_ptr().cast_mut().add(at);
        let source = call.source.as_ptr().add(at);
        let mut weights = call.weights.as_ptr();
        let mut sums = [[V::zero(); N]; M];
        if call.add {
            for m in 0..M {
                for n in 0..N {
                    sums[m][n] = V::load(out.add(m * call.pitch + n * V::LANES));
                }
            }
        }
        for &offset in &call.offsets.values[..call.terms] {
            let from = source.add(offset);
            let mut columns = [V::zero(); N];
            for n in 0..N {
                columns[n] = V::load(from.add(n * V::LANES));
            }
            for m in 0..M {
                let weight = V::splat(*weights.add(m));
                for n in 0..N {
                    sums[m][n] = columns[n].mul_add(weight, sums[m][n]);
                }
            }
            weights = weights.add(M);
        }
        for m in 0..M {
            for n in 0..N {
                sums[m][n].store(out.add(m * call.pitch + n * V::LANES));
            }
        }
    }
    N
}

/// # Safety
/// The call has been [checked](Dots::check), and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn dots<V: Vector>(call: Dots<'_, V::Lane>)
where
    V::Lane: std::ops::AddAssign,
{
    let mut done = 0;
    while done < call.offsets.len() {
        // SAFETY: as many offsets are left.
        done += unsafe {
            match call.offsets.len() - done {
                8.. => some_dots::<V, 8>(&call, done),
                4.. => some_dots::<V, 4>(&call, done),
                _ => some_dots::<V, 1>(&call, done),
            }
        };
    }
}

/// The dot products of `N` offsets from the `first` on; returns `N`.
///
/// # Safety
/// As [`dots`]; there are as many offsets.
#[inline(always)]
unsafe fn some_dots<V: Vector, const N: usize>(call: &Dots<'_, V::Lane>, first: usize) -> usize
where
    V::Lane: std::ops::AddAssign,
{
    // SAFETY: `check` has seen that the gradient's length from the largest offset on lies within the
    // source, that the gradient is whole registers, and that there is a sum for each offset, which nothing else
    // borrows.
    unsafe {
        let (gradient, out) = (call.gradient.as_ptr(), call.out.as_ptr().cast_mut().add(first));
        let mut from = [call.source.as_ptr(); N];
        for n in 0..N {
            from[n] = from[n].add(call.offsets.values[first + n]);
        }
        let mut sums = [V::zero(); N];
        for j in (0..call.gradient.len()).step_by(V::LANES) {
            let weight = V::load(gradient.add(j)).weights();
            for n in 0..N {
                sums[n] = V::load(from[n].add(j)).mul_add(weight, sums[n]);
            }
        }
        for n in 0..N {
            *out.add(n) += sums[n].sum();
        }
    }
    N
}
