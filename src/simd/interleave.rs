//! Rows to panels: a transposition through registers.
//!
//! `out[c · pitch + r] = source[r · stride + c]`, zero for the rows that are missing. A block of `M` rows by a register
//! of columns is loaded row by row and shuffled `log2 M` times: each time, a row of the first half and its counterpart
//! of the second become two registers that hold the lanes of both in turn. Then element `r` of column `c` lies at
//! `c · M + r`, which is the panel itself where it is narrower than a register, and a square's transpose where `M` rows
//! are as many as the lanes.

use num_complex::Complex;

use super::fourier::Arithmetic;
use super::{Isa, Kernels};

/// The arguments of an interleaving; see the [module](self).
pub struct Interleave<'a, T> {
    pub(crate) source: &'a [T],
    /// From one row of the source to the next.
    pub(crate) stride: usize,
    /// Rows that there are, at least one and at most `pitch`.
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// `columns * pitch` elements.
    pub(crate) out: &'a mut [T],
    /// Rows of the panel.
    pub(crate) pitch: usize,
}

/// The arguments of sums over lanes: `out[i]` becomes the sum of the register of lanes number `i`, always in the same
/// order.
pub struct LaneSums<'a, T> {
    pub(crate) lanes: &'a [T],
    pub(crate) out: &'a mut [T],
}

/// Element types whose rows can be interleaved.
pub trait Interleaved: Copy + Default + 'static {
    /// Interleaves rows. Panics where a slice is too short for what the call says.
    fn interleave(isa: Isa, call: Interleave<'_, Self>);
    /// Adds up lanes. Panics where there is not a register of them for each sum.
    fn lane_sums(isa: Isa, call: LaneSums<'_, Self>);
}

macro_rules! interleaved {
    ($($t:ident: $avx512:ident, $avx2:ident, $lanes:expr;)*) => {$(
        impl Interleaved for $t {
            fn interleave(isa: Isa, call: Interleave<'_, Self>) {
                call.check();
                dispatch!(isa, call, Interleave<$t> => interleave, $avx512, $avx2, $lanes)
            }

            fn lane_sums(isa: Isa, call: LaneSums<'_, Self>) {
                assert!(call.lanes.len() == call.out.len() * $t::lanes(isa), "a register of lanes for each sum");
                dispatch!(isa, call, LaneSums<$t> => lane_sums, $avx512, $avx2, $lanes)
            }
        }
    )*};
}
interleaved! {
    f32: F32, F32, 4;
    f64: F64, F64, 2;
}

macro_rules! one_by_one {
    ($($t:ty)*) => {$(
        impl Interleaved for $t {
            fn interleave(_: Isa, call: Interleave<'_, Self>) {
                call.check();
                let columns = call.columns;
                each(call, 0..columns);
            }

            fn lane_sums(isa: Isa, call: LaneSums<'_, Self>) {
                let lanes = <$t>::lanes(isa);
                assert!(call.lanes.len() == call.out.len() * lanes, "a register of lanes for each sum");
                for (sum, lanes) in call.out.iter_mut().zip(call.lanes.chunks_exact(lanes)) {
                    *sum = lanes.iter().fold(<$t>::default(), |sum, &lane| sum + lane);
                }
            }
        }
    )*};
}
one_by_one!(Complex<f32> Complex<f64>);

impl<T> Interleave<'_, T> {
    /// Everything that the loops take on trust.
    fn check(&self) {
        let Self { stride, rows, columns, pitch, .. } = *self;
        assert!(0 < rows && rows <= pitch, "the rows fit the panel");
        let end = (rows - 1).saturating_mul(stride).saturating_add(columns);
        assert!(end <= self.source.len(), "the source holds all rows");
        assert!(self.out.len() == columns.saturating_mul(pitch), "the panel holds all columns");
    }
}

/// Interleaves some columns element by element.
#[inline(always)]
fn each<T: Copy + Default>(call: Interleave<'_, T>, columns: std::ops::Range<usize>) {
    for (c, column) in columns.clone().zip(call.out.chunks_exact_mut(call.pitch).skip(columns.start)) {
        let (present, missing) = column.split_at_mut(call.rows);
        for (r, y) in present.iter_mut().enumerate() {
            *y = call.source[r * call.stride + c];
        }
        missing.fill(T::default());
    }
}

/// # Safety
/// The call has been [checked](Interleave::check), and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn interleave<V: Arithmetic>(call: Interleave<'_, V::Lane>)
where
    V::Lane: Default,
{
    let Interleave { columns, pitch, .. } = call;
    let block = pitch.min(V::LANES).next_power_of_two();
    if columns < V::LANES || block != V::LANES && block != pitch || !matches!(block, 2 | 4 | 8 | 16) {
        return each(call, 0..columns);
    }
    // The last block overlaps the one before it where the columns are not whole registers. Rows that do not fill a block
    // come first: what it writes of the next column is written again.
    for first in (0..pitch).step_by(block).rev() {
        for from in (0..columns).step_by(V::LANES) {
            let from = from.min(columns - V::LANES);
            // SAFETY: a register of columns is left from there on, and as many rows of the panel.
            unsafe {
                match block {
                    16 => shuffle::<V, 16>(&call, first, from),
                    8 => shuffle::<V, 8>(&call, first, from),
                    4 => shuffle::<V, 4>(&call, first, from),
                    _ => shuffle::<V, 2>(&call, first, from),
                }
            }
        }
    }
}

/// Interleaves `M` rows from the `first` on and a register of columns from `from` on.
///
/// # Safety
/// As [`interleave`]; rows and columns lie within the panel, and `M` is its pitch or the lanes, of which there are less than
/// two for each row of the panel.
#[inline(always)]
unsafe fn shuffle<V: Arithmetic, const M: usize>(call: &Interleave<'_, V::Lane>, first: usize, from: usize) {
    // SAFETY: `check` has seen that the source holds all columns of the rows that there are, and the panel `pitch`
    // elements for each column, which nothing else borrows. Where M is smaller than the lanes, it is the pitch, so that
    // consecutive registers are consecutive columns. Where it is not, lanes beyond the pitch lie in the next column, but
    // those of the last.
    unsafe {
        let source = call.source.as_ptr().add(from);
        let out = call.out.as_ptr().cast_mut().add(from * call.pitch + first);
        let mut rows = [V::zero(); M];
        for m in 0..M {
            if first + m < call.rows {
                rows[m] = V::load(source.add((first + m) * call.stride));
            }
        }
        if const { M == V::LANES && M >= 4 } {
            square(&mut rows);
        } else {
            for _ in 0..M.ilog2() {
                let halves = rows;
                for m in 0..M / 2 {
                    (rows[2 * m], rows[2 * m + 1]) = halves[m].zip(halves[m + M / 2]);
                }
            }
        }
        let left = call.pitch - first;
        for m in 0..M {
            let out = out.add(m * (V::LANES / M) * call.pitch);
            if left < M && from + m + 1 == call.columns {
                rows[m].store_first(out, left);
            } else {
                rows[m].store(out);
            }
        }
    }
}

/// Transposes a square of as many registers as one has lanes, four or more: within 16 bytes of each, then those among one
/// another, which takes half the shuffles that zips do where they are made of both.
///
/// # Safety
/// The machine has `V`'s instruction set.
#[inline(always)]
unsafe fn square<V: Arithmetic, const M: usize>(rows: &mut [V; M]) {
    // SAFETY: the caller's promise.
    unsafe {
        for r in (0..M).step_by(4) {
            [rows[r], rows[r + 1], rows[r + 2], rows[r + 3]] =
                V::exchange_low([rows[r], rows[r + 1], rows[r + 2], rows[r + 3]]);
        }
        // Lanes in 16 bytes, how often those are in a register, and how many neighbours an exchange takes.
        let within = 16 / size_of::<V::Lane>();
        let (parts, each) = (M / within, 4 * within / M);
        if parts == 1 {
            return;
        }
        for r in (0..within).step_by(each) {
            let at = |i: usize| r + i / each * within + i % each;
            let [a, b, c, d] = [at(0), at(1), at(2), at(3)];
            [rows[a], rows[b], rows[c], rows[d]] = V::exchange_high([rows[a], rows[b], rows[c], rows[d]]);
        }
    }
}

/// # Safety
/// There are [as many registers of lanes as sums](Interleaved::lane_sums), and the machine has `V`'s instruction set.
#[inline(always)]
unsafe fn lane_sums<V: Arithmetic>(call: LaneSums<'_, V::Lane>) {
    let LaneSums { lanes, out } = call;
    for (lanes, out) in lanes.chunks(V::LANES * V::LANES).zip(out.chunks_mut(V::LANES)) {
        // SAFETY: there is a register of lanes for each of the sums, which are no more than a register's.
        unsafe {
            match V::LANES {
                16 => some_sums::<V, 16>(lanes, out),
                8 => some_sums::<V, 8>(lanes, out),
                4 => some_sums::<V, 4>(lanes, out),
                _ => some_sums::<V, 2>(lanes, out),
            }
        }
    }
}

/// Some sums, at most `M`, which is the number of lanes.
///
/// # Safety
/// As [`lane_sums`].
#[inline(always)]
unsafe fn some_sums<V: Arithmetic, const M: usize>(lanes: &[V::Lane], out: &mut [V::Lane]) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut rows = [V::zero(); M];
        for m in 0..out.len() {
            rows[m] = V::load(lanes.as_ptr().add(m * M));
        }
        let mut left = M;
        while left > 1 {
            left /= 2;
            for m in 0..left {
                let (low, high) = rows[m].zip(rows[m + left]);
                rows[m] = low.add(high);
            }
        }
        rows[0].store_first(out.as_mut_ptr(), out.len());
    }
}

#[cfg(test)]
mod tests {
    use super::super::guarded::End;
    use super::*;

    fn sums_agree<T: Kernels + PartialEq + std::fmt::Debug + std::ops::Add<Output = T>>(
        isa: Isa,
        number: impl Fn(usize) -> T,
    ) {
        for count in 0..40 {
            let each = T::lanes(isa);
            let lanes: Vec<T> = (0..count * each).map(&number).collect();
            let mut out = vec![number(7777); count];
            T::lane_sums(isa, LaneSums { lanes: &lanes, out: &mut out });
            for (i, (sum, lanes)) in out.iter().zip(lanes.chunks(each)).enumerate() {
                let expected = lanes.iter().fold(T::default(), |sum, &lane| sum + lane);
                assert_eq!(*sum, expected, "{isa:?}: sum {i} of {count}");
            }
        }
    }

    #[test]
    fn lanes_are_added_up_where_they_belong() {
        for isa in Isa::all() {
            sums_agree(isa, |i| (i * 37 % 101) as f32);
            sums_agree(isa, |i| (i * 37 % 101) as f64);
            sums_agree(isa, |i| Complex::new((i * 37 % 101) as f32, 1.0));
            sums_agree(isa, |i| Complex::new((i * 37 % 101) as f64, 1.0));
        }
    }

    fn agree<T: Interleaved + bytemuck::Pod + PartialEq + std::fmt::Debug>(isa: Isa, number: impl Fn(usize) -> T) {
        let pitches = [1usize, 2, 3, 4, 5, 6, 8, 11, 12, 16, 17, 24, 27, 48];
        for (pitch, end) in pitches.into_iter().flat_map(|pitch| End::BOTH.map(|end| (pitch, end))) {
            for columns in (0..20).chain([31, 32, 33, 50]) {
                for rows in [1, pitch / 2, pitch.saturating_sub(1), pitch] {
                    if rows == 0 {
                        continue;
                    }
                    let stride = columns + 3;
                    let source = end.guard((0..(rows - 1) * stride + columns).map(&number).collect::<Vec<T>>());
                    let mut out = end.guard(vec![number(7777); columns * pitch]);
                    T::interleave(isa, Interleave { source: &source, stride, rows, columns, out: &mut out, pitch });
                    for (i, y) in out.iter().enumerate() {
                        let (c, r) = (i / pitch, i % pitch);
                        let expected = if r < rows { source[r * stride + c] } else { T::default() };
                        assert_eq!(*y, expected, "pitch {pitch}, {columns} columns, {rows} rows, ({c}, {r})");
                    }
                }
            }
        }
    }

    #[test]
    fn every_panel_is_the_transpose() {
        for isa in Isa::all() {
            agree(isa, |i| i as f32 + 1.0);
            agree(isa, |i| i as f64 + 1.0);
            agree(isa, |i| Complex::new(i as f32, 1.0));
            agree(isa, |i| Complex::new(i as f64, 1.0));
        }
    }

    #[test]
    #[should_panic(expected = "the source holds all rows")]
    fn a_short_source_is_refused() {
        let call = Interleave { source: &[0.0f32; 5], stride: 3, rows: 2, columns: 3, out: &mut [0.0; 6], pitch: 2 };
        f32::interleave(Isa::Portable, call);
    }
}
