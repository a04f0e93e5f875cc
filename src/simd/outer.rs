//! A product of two matrices that lie as they were written: rows of weights by rows of columns.
//!
//! ```text
//! out[m][j] (+)= Σ_k weights[m · row + k · term] · source[k · pitch + j]
//! ```
//!
//! As in the [product](super::product), a tile of `M` rows by `N` registers of columns stays in registers over the whole
//! sum. Rows are cut evenly: 49 of them are seven times seven rather than six times eight and one.

use num_complex::Complex;

use super::Isa;
use super::vector::Vector;

/// The arguments of a product; see the [module](self).
pub struct Outer<'a, T> {
    pub(crate) rows: usize,
    /// A multiple of the lanes.
    pub(crate) columns: usize,
    pub(crate) terms: usize,
    pub(crate) weights: &'a [T],
    /// From the weight of one row to that of the next, and from one term to the next.
    pub(crate) steps: [usize; 2],
    pub(crate) source: &'a [T],
    /// From one term of the source to the next.
    pub(crate) pitch: usize,
    pub(crate) out: &'a mut [T],
    /// From one row of the output to the next.
    pub(crate) out_pitch: usize,
    /// Whether `out` holds the beginning of the sums already.
    pub(crate) add: bool,
}

/// Element types with such products.
pub trait Outers: Copy + 'static {
    /// Computes a product. Panics where a slice is too short for what the call says.
    fn outer(isa: Isa, call: Outer<'_, Self>);
}

macro_rules! outers {
    ($($t:ty: $avx512:ident, $avx2:ident, $lanes:expr;)*) => {$(
        impl Outers for $t {
            fn outer(isa: Isa, call: Outer<'_, Self>) {
                call.check(<$t as super::Kernels>::lanes(isa));
                dispatch!(isa, call, Outer<$t> => outer, $avx512, $avx2, $lanes)
            }
        }
    )*};
}
outers! {
    f32: F32, F32, 4;
    f64: F64, F64, 2;
    Complex<f32>: C32, C32, 2;
    Complex<f64>: C64, C64, 1;
}

impl<T> Outer<'_, T> {
    /// Everything that the loops take on trust.
    fn check(&self, lanes: usize) {
        let Self { rows, columns, terms, steps: [row, term], pitch, out_pitch, .. } = *self;
        assert!(rows > 0 && columns > 0 && terms > 0, "there is something to sum");
        assert!(
            columns.is_multiple_of(lanes) && columns <= pitch && columns <= out_pitch,
            "columns are whole registers"
        );
        let last = |n: usize, step: usize| (n - 1).saturating_mul(step);
        let weights = last(rows, row).saturating_add(last(terms, term));
        assert!(weights < self.weights.len(), "a weight for each row and term");
        assert!(last(terms, pitch).saturating_add(columns) <= self.source.len(), "the source holds all terms");
        assert!(last(rows, out_pitch).saturating_add(columns) <= self.out.len(), "the output holds all rows");
    }
}

/// # Safety
/// The call has been [checked](Outer::check), and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn outer<V: Vector>(call: Outer<'_, V::Lane>) {
    let most = if V::MANY { 8 } else { 6 };
    let (total, parts) = (call.columns / V::LANES, call.rows.div_ceil(most));
    let mut done = 0;
    while done < total {
        // Four registers are two and two: a single one waits for its weights.
        let take = match total - done {
            1 => 1,
            3 | 5.. if V::MANY => 3,
            _ => 2,
        };
        for part in 0..parts {
            let (first, end) = (call.rows * part / parts, call.rows * (part + 1) / parts);
            // SAFETY: rows and columns lie within those that have been checked.
            unsafe {
                match take {
                    3 if V::MANY => some_rows::<V, 3>(&call, first, end - first, done * V::LANES),
                    2 => some_rows::<V, 2>(&call, first, end - first, done * V::LANES),
                    _ => some_rows::<V, 1>(&call, first, end - first, done * V::LANES),
                }
            }
        }
        done += take;
    }
}

/// # Safety
/// As [`outer`]; the rows, at most eight, and the columns lie within the output.
#[inline(always)]
unsafe fn some_rows<V: Vector, const N: usize>(call: &Outer<'_, V::Lane>, first: usize, rows: usize, at: usize) {
    // SAFETY: the caller's promise is the callee's.
    unsafe {
        match rows {
            8 if V::MANY => tile::<V, 8, N>(call, first, at),
            7 if V::MANY => tile::<V, 7, N>(call, first, at),
            6 => tile::<V, 6, N>(call, first, at),
            5 => tile::<V, 5, N>(call, first, at),
            4 => tile::<V, 4, N>(call, first, at),
            3 => tile::<V, 3, N>(call, first, at),
            2 => tile::<V, 2, N>(call, first, at),
            _ => tile::<V, 1, N>(call, first, at),
        }
    }
}

/// One tile of `M` rows from the `first` and `N` registers from column `at` on.
///
/// # Safety
/// As [`outer`]; the tile lies within the output.
#[inline(always)]
unsafe fn tile<V: Vector, const M: usize, const N: usize>(call: &Outer<'_, V::Lane>, first: usize, at: usize) {
    // SAFETY: `check` has seen that all rows and terms have weights, that the source holds all columns of every term,
    // and the output those of every row, which nothing else borrows.
    unsafe {
        let [row, term] = call.steps;
        let out = call.out.as_ptr().cast_mut().add(first * call.out_pitch + at);
        let mut source = call.source.as_ptr().add(at);
        let mut weights = call.weights.as_ptr().add(first * row);
        let mut sums = [[V::zero(); N]; M];
        if call.add {
            for m in 0..M {
                for n in 0..N {
                    sums[m][n] = V::load(out.add(m * call.out_pitch + n * V::LANES));
                }
            }
        }
        for _ in 0..call.terms {
            let mut columns = [V::zero(); N];
            for n in 0..N {
                columns[n] = V::load(source.add(n * V::LANES));
            }
            for m in 0..M {
                let weight = V::splat(*weights.add(m * row));
                for n in 0..N {
                    sums[m][n] = columns[n].mul_add(weight, sums[m][n]);
                }
            }
            source = source.wrapping_add(call.pitch);
            weights = weights.wrapping_add(term);
        }
        for m in 0..M {
            for n in 0..N {
                sums[m][n].store(out.add(m * call.out_pitch + n * V::LANES));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::guarded::End;
    use super::*;
    use crate::element::Element;

    fn agree<T: Element>(isa: Isa, end: End) {
        let lanes = T::lanes(isa);
        let number = |i: usize| T::from_f64(((i * 31 + 7) % 17) as f64 - 8.0);
        for rows in 1..20 {
            for registers in 1..8 {
                for (terms, add) in [(1, false), (2, true), (5, false), (5, true)] {
                    let columns = registers * lanes;
                    let (steps, pitch, out_pitch) = ([terms + 1, 1], columns + 3, columns + 1);
                    let weights = end.guard((0..rows * steps[0] - 1).map(number).collect::<Vec<T>>());
                    let source = (0..(terms - 1) * pitch + columns).map(|i| number(i + 5));
                    let source = end.guard(source.collect::<Vec<T>>());
                    let before: Vec<T> = (0..rows * out_pitch - 1).map(|i| number(i + 11)).collect();
                    let mut out = end.guard(&before);
                    let call = Outer {
                        rows,
                        columns,
                        terms,
                        weights: &weights,
                        steps,
                        source: &source,
                        pitch,
                        out: &mut out,
                        out_pitch,
                        add,
                    };
                    T::outer(isa, call);
                    for (i, y) in out.iter().enumerate() {
                        let (m, j) = (i / out_pitch, i % out_pitch);
                        let first = if add || j >= columns { before[i] } else { T::default() };
                        let terms = if j < columns { 0..terms } else { 0..0 };
                        let sum = terms.fold(first, |s, k| s + weights[m * steps[0] + k] * source[k * pitch + j]);
                        assert_eq!(*y, sum, "{rows} rows, {registers} registers, ({m}, {j})");
                    }
                }
            }
        }
    }

    #[test]
    fn every_tile_is_the_product() {
        for (isa, end) in Isa::all().into_iter().flat_map(|isa| End::BOTH.map(|end| (isa, end))) {
            agree::<f32>(isa, end);
            agree::<f64>(isa, end);
            agree::<Complex<f32>>(isa, end);
            agree::<Complex<f64>>(isa, end);
        }
    }

    #[test]
    #[should_panic(expected = "the source holds all terms")]
    fn a_short_source_is_refused() {
        let (weights, source, out) = ([0.0f64; 3], [0.0; 5], &mut [0.0; 2]);
        let call = Outer {
            rows: 1,
            columns: 2,
            terms: 3,
            weights: &weights,
            steps: [3, 1],
            source: &source,
            pitch: 2,
            out,
            out_pitch: 2,
            add: false,
        };
        f64::outer(Isa::Portable, call);
    }
}
