//! Fourier transforms for convolution: planes of real and imaginary parts, frequencies in whatever order they fall.
//!
//! # Reduction
//!
//! A transform is the reduction of a polynomial `a₀ + a₁X + …` modulo the factors of `Xⁿ - ρ`, step by step. With `s` an
//! `r`-th root of `ρ`,
//!
//! ```text
//! Xⁿ - ρ = Π_k (X^(n/r) - s·ω^k)        ω = e^(2πi/r), k < r
//! ```
//!
//! and what is left of a block modulo each factor is the small transform of its `r` parts, part `m` times `s^m`:
//!
//! ```text
//! block[k][j] = Σ_m s^m · block[m][j] · ω^(mk)        j < n/r
//! ```
//!
//! The factors are the same for a whole block, so no table is read along with the data, and no number is moved: the
//! frequencies end up in the order of the factors. Convolution does not care, as the product is taken number by number
//! and the inverse runs the same steps backwards.
//!
//! Any root `ρ` will do, and `ρ = i` makes a real transform out of a complex one of half the size: real numbers modulo
//! `X²ⁿ + 1` are complex ones modulo `Xⁿ - i`, the first half being the real parts and the second the imaginary ones,
//! with no step to take them apart (the right-angle convolution of R. Crandall and B. Fagin, "Discrete weighted
//! transforms and large-integer arithmetic", 1994). What wraps around changes its sign, nothing else.
//!
//! # Lanes
//!
//! Along every axis but the last, a register holds neighbouring columns ([`Transforms::columns`]). Along the last axis
//! ([`Transforms::rows`]) the numbers of a row are taken as polynomials in `X^L`, `L` the lanes, until blocks of `L`
//! numbers remain: one register each, each with a root of its own. Four such registers are finished together ([`Ends`]):
//! their pieces of 16 bytes are exchanged, so that the high bits of a number's place become the register's, and reduced;
//! then the numbers within the pieces are. What order they end up in is nobody's concern.
//!
//! The turns of an end differ from lane to lane and are read from a table. Where that would be longer than what stays
//! near, the registers are first multiplied by powers of one root for each four, `X = v·Y`, and then share their turns.
//!
//! Rows that are longer than what stays in the nearest cache are reduced depth first, shorter ones many at a time. A
//! product with a spectrum is taken between the way forth and the way back of one such piece ([`What::Product`]).

mod butterflies;
mod lanes;
mod passes;
mod sums;
mod tables;

pub(super) use lanes::Arithmetic;
pub(crate) use tables::{Ends, GROUP, Levels};

use super::{Isa, Plane};

/// The most lanes that a register has; the last axis of a transform is a multiple of it.
pub(crate) const MOST_LANES: usize = 16;

/// Numbers of the room behind transformed rows.
pub(crate) const ROOM: usize = GROUP * MOST_LANES;

/// Real and imaginary parts.
#[derive(Debug)]
pub struct Planes<'a, R> {
    pub(crate) re: &'a mut [R],
    pub(crate) im: &'a mut [R],
}

impl<R> Planes<'_, R> {
    /// The numbers from `start` on.
    pub(crate) fn from(&mut self, start: usize) -> Planes<'_, R> {
        Planes { re: &mut self.re[start..], im: &mut self.im[start..] }
    }

    /// The first of so many rows and their distance, as the planes that columns have.
    pub(crate) fn rows(&mut self, [rows, width, pitch]: [usize; 3]) -> [Plane<'_, R>; 2] {
        [&mut *self.re, &mut *self.im].map(|plane| Plane::of(plane, pitch, rows, width))
    }
}

/// Transforms the columns of a block.
pub struct Columns<'a, R> {
    /// Real and imaginary parts: `levels.rows()` rows at one distance, of a multiple of the lanes.
    pub(crate) planes: [Plane<'a, R>; 2],
    pub(crate) levels: &'a Levels<R>,
    /// Whether it is the inverse, times the number of rows.
    pub(crate) back: bool,
}

/// Transforms rows of numbers.
pub struct Rows<'a, R> {
    pub(crate) planes: Planes<'a, R>,
    /// Of registers.
    pub(crate) levels: &'a Levels<R>,
    pub(crate) ends: &'a Ends<R>,
    /// Where rows begin.
    pub(crate) starts: &'a [usize],
    /// Where the [`ROOM`] for registers beyond the last row begins. It is part of the transformed rows, unless each of
    /// them is a multiple of four registers.
    pub(crate) room: usize,
    /// The number of a piece, and how many pieces there are: the rows are those pieces of longer rows, which the first
    /// levels have cut already.
    pub(crate) piece: [usize; 2],
    pub(crate) what: What<'a, R>,
}

/// What becomes of rows.
#[derive(Clone, Copy)]
pub(crate) enum What<'a, R> {
    Forward,
    /// Times the length of a row.
    Inverse,
    /// Transformed, multiplied number by number by two such planes, and transformed back, a piece at a time.
    Product([&'a [R]; 2]),
}

impl<'a, R> What<'a, R> {
    /// The same of numbers from `start` on.
    pub(crate) fn from(self, start: usize) -> Self {
        match self {
            Self::Product(factor) => Self::Product(factor.map(|plane| &plane[start..])),
            what => what,
        }
    }
}

/// Adds up products number by number: `sum += first · second`, of `second` the conjugate if asked for.
pub struct Products<'a, R> {
    pub(crate) sum: Planes<'a, R>,
    pub(crate) first: [&'a [R]; 2],
    pub(crate) second: [&'a [R]; 2],
    pub(crate) conjugate: bool,
    /// Whether `sum` holds something to add to.
    pub(crate) add: bool,
}

/// Replaces the numbers of rows by sums of products, `x[c] = Σ_k taps[k] · x[c + k·step]`.
pub struct Sums<'a, R> {
    pub(crate) planes: Planes<'a, R>,
    /// Where rows begin.
    pub(crate) starts: &'a [usize],
    /// Numbers of a row that are replaced, up to whole registers: what follows them may hold anything.
    pub(crate) results: usize,
    pub(crate) taps: [&'a [R]; 2],
    /// Where the taps of each row begin, how many they are, and how many numbers apart what they are taken of.
    pub(crate) from: &'a [usize],
    pub(crate) count: usize,
    pub(crate) step: usize,
}

/// The transforms of a real type.
pub trait Transforms: Copy + 'static {
    /// Transforms columns. Panics where a slice is too short for what the call says.
    fn columns(isa: Isa, call: Columns<'_, Self>);
    /// Transforms rows. Panics where a slice is too short for what the call says.
    fn rows(isa: Isa, call: Rows<'_, Self>);
    /// Adds up products. Panics where lengths differ or are not a multiple of the lanes.
    fn products(isa: Isa, call: Products<'_, Self>);
    /// Sums along rows. Panics where a slice is too short for what the call says.
    fn sums(isa: Isa, call: Sums<'_, Self>);
}

macro_rules! entry {
    ($t:ty, $vector:ident, $lanes:expr, $module:ident, $name:ident, $call:ident) => {
        fn $name(isa: Isa, call: $call<'_, Self>) {
            call.check(<$t as super::Kernels>::lanes(isa));
            dispatch!(isa, call, $call<$t> => $module::$name, $vector, $vector, $lanes)
        }
    };
}

macro_rules! transforms {
    ($t:ty, $vector:ident, $lanes:expr) => {
        impl Transforms for $t {
            entry!($t, $vector, $lanes, passes, columns, Columns);
            entry!($t, $vector, $lanes, passes, rows, Rows);
            entry!($t, $vector, $lanes, passes, products, Products);
            entry!($t, $vector, $lanes, sums, sums, Sums);
        }
    };
}
transforms!(f32, F32, 4);
transforms!(f64, F64, 2);

impl<R> Columns<'_, R> {
    /// Everything that the loops take on trust.
    fn check(&self, lanes: usize) {
        let [rows, width, pitch] = self.shape();
        assert!(
            self.planes.iter().all(|p| (p.rows, p.width, p.pitch) == (rows, width, pitch as isize)),
            "planes alike"
        );
        assert!(width > 0 && width.is_multiple_of(lanes) && width <= pitch, "columns are whole registers");
    }

    /// Rows, width, and numbers from one row to the next.
    fn shape(&self) -> [usize; 3] {
        [self.levels.rows(), self.planes[0].width, self.planes[0].pitch as usize]
    }
}

impl<R> Rows<'_, R> {
    /// Everything that the loops take on trust.
    fn check(&self, lanes: usize) {
        let [number, count] = self.piece;
        assert!(self.ends.fits(lanes, self.levels.rows()), "the ends are those of the levels");
        assert!(number < count && self.levels.cut(count).is_some(), "a piece that levels cut");
        let registers = self.levels.rows() / count;
        assert!(count == 1 || registers.is_multiple_of(GROUP), "pieces are whole groups");
        let last = self.starts.iter().max().map_or(0, |start| start + registers * lanes);
        let end = if (self.starts.len() * registers).is_multiple_of(GROUP) {
            last
        } else {
            last.max(self.room + GROUP * lanes)
        };
        assert!(end <= self.planes.re.len() && end <= self.planes.im.len(), "the planes hold all rows and the room");
        if let What::Product(factor) = self.what {
            assert!(factor.iter().all(|plane| end <= plane.len()), "the factor has them too");
        }
    }
}

impl<R> Products<'_, R> {
    /// Everything that the loops take on trust.
    fn check(&self, lanes: usize) {
        let len = self.sum.re.len();
        assert!(len.is_multiple_of(lanes) && self.sum.im.len() == len, "sums are whole registers");
        let same = |planes: &[&[R]; 2]| planes.iter().all(|plane| plane.len() == len);
        assert!(same(&self.first) && same(&self.second), "planes of one length");
    }
}

impl<R> Sums<'_, R> {
    /// Everything that the loops take on trust.
    fn check(&self, lanes: usize) {
        assert!(self.starts.len() == self.from.len() && self.count > 0, "every row has taps");
        let reach = (self.count - 1).saturating_mul(self.step).saturating_add(self.results.next_multiple_of(lanes));
        let end = self.starts.iter().max().map_or(0, |start| start.saturating_add(reach));
        assert!(end <= self.planes.re.len() && end <= self.planes.im.len(), "the planes hold all that rows meet");
        let end = self.from.iter().max().map_or(0, |from| from.saturating_add(self.count));
        assert!(self.taps.iter().all(|plane| end <= plane.len()), "the kernel has all taps");
    }
}

#[cfg(test)]
mod tests {
    use super::super::guarded::{End, Guarded};
    use super::*;
    use crate::element::{Element, Scalar, sealed};

    trait Part: Element<Real = Self> + sealed::Real {}
    impl Part for f32 {}
    impl Part for f64 {}

    fn number<R: Part>(i: usize) -> R {
        <R as Scalar>::from_f64(((i * 7919 + 13) % 23) as f64 / 4.0 - 2.75)
    }

    /// Both planes, and what they hold.
    fn planes<R: Part>(end: End, len: usize) -> ([Guarded<R>; 2], [Vec<R>; 2]) {
        let before = [0, 5].map(|seed| (0..len).map(|i| number(i + seed)).collect::<Vec<R>>());
        (before.clone().map(|plane| end.guard(plane)), before)
    }

    /// What `part` says is transformed is `gain` times as much after the way there and back, and the rest as it was.
    fn returned<R: Part>(after: &[Guarded<R>; 2], before: &[Vec<R>; 2], gain: usize, part: impl Fn(usize) -> bool) {
        for (i, (y, x)) in after.iter().flat_map(|plane| plane.iter()).zip(before.iter().flatten()).enumerate() {
            let [y, x] = [y, x].map(|v| v.to_f64().0);
            let i = i % before[0].len();
            let x = if part(i) { gain as f64 * x } else { x };
            assert!((y - x).abs() < 1e3 * gain as f64 * R::DTYPE.epsilon(), "{i}: {y} for {x}, gain {gain}");
        }
    }

    fn columns_return<R: Part>(isa: Isa, end: End, rows: usize, registers: usize) {
        let (levels, _) = Levels::new(rows, 0.0, <R as Scalar>::from_f64).expect("small factors");
        let width = registers * R::lanes(isa);
        let pitch = width + 3;
        let ([mut re, mut im], before) = planes::<R>(end, (rows - 1) * pitch + width);
        for back in [false, true] {
            let mut both = Planes { re: &mut re, im: &mut im };
            R::columns(isa, Columns { planes: both.rows([rows, width, pitch]), levels: &levels, back });
        }
        returned(&[re, im], &before, rows, |i| i % pitch < width);
    }

    fn rows_return<R: Part>(isa: Isa, end: End, registers: usize, count: usize) {
        let (levels, turns) = Levels::new(registers, 0.25, <R as Scalar>::from_f64).expect("small factors");
        let ends = Ends::new(isa, &turns, <R as Scalar>::from_f64);
        let row = registers * R::lanes(isa);
        let pitch = row + 3;
        let starts: Vec<usize> = (0..count).map(|i| i * pitch).collect();
        let room = (count - 1) * pitch + row;
        let ([mut re, mut im], before) = planes::<R>(end, room + MOST_LANES * R::lanes(isa));
        for what in [What::Forward, What::Inverse] {
            let planes = Planes { re: &mut re, im: &mut im };
            R::rows(isa, Rows { planes, levels: &levels, ends: &ends, starts: &starts, room, piece: [0, 1], what });
        }
        // The room holds anything.
        let cut = |mut plane: Vec<R>| {
            plane.truncate(room);
            plane
        };
        let after = [re, im].map(|plane| end.guard(&plane[..room]));
        returned(&after, &before.map(cut), row, |i| i % pitch < row);
    }

    fn products_agree<R: Part>(isa: Isa, end: End, registers: usize) {
        let len = registers * R::lanes(isa);
        for (conjugate, add) in [(false, false), (false, true), (true, false), (true, true)] {
            let ([mut re, mut im], before) = planes::<R>(end, len);
            let (first, second) = (planes::<R>(end, len).0, planes::<R>(end, len).0);
            let sum = Planes { re: &mut re, im: &mut im };
            let [a, b] = [&first, &second].map(|[re, im]| [&**re, &**im]);
            R::products(isa, Products { sum, first: a, second: b, conjugate, add });
            for i in 0..len {
                let sign = if conjugate { -1.0 } else { 1.0 };
                let [[ar, ai], [br, bi]] = [a, b].map(|[re, im]| [re[i], im[i]].map(|v| v.to_f64().0));
                let product = [ar * br - sign * ai * bi, ai * br + sign * ar * bi];
                for (k, y) in [re[i], im[i]].into_iter().enumerate() {
                    let from = if add { before[k][i].to_f64().0 } else { 0.0 };
                    // Numbers of few bits: the sum is exact.
                    assert_eq!(y.to_f64().0, from + product[k], "{isa:?} {i} of {len}, {conjugate} {add}");
                }
            }
        }
    }

    fn sums_agree<R: Part>(isa: Isa, end: End, results: usize, [count, step]: [usize; 2]) {
        let lanes = R::lanes(isa);
        let (reach, pitch) = (results.next_multiple_of(lanes) + (count - 1) * step, count + 2);
        let starts = [1, 1 + reach];
        let ([mut re, mut im], before) = planes::<R>(end, 1 + 2 * reach);
        let taps = planes::<R>(end, pitch + count).0;
        let taps = [&*taps[0], &*taps[1]];
        let planes = Planes { re: &mut re, im: &mut im };
        R::sums(isa, Sums { planes, starts: &starts, results, taps, from: &[0, pitch], count, step });
        for (row, start) in starts.into_iter().enumerate() {
            for i in 0..reach {
                let value = |plane: &[R], i: usize| plane[i].to_f64().0;
                let mut expected = [0, 1].map(|part| value(&before[part], start + i));
                if i < results {
                    expected = [0.0; 2];
                    for tap in 0..count {
                        let [w, x] = [(taps, row * pitch + tap), ([&*before[0], &*before[1]], start + i + tap * step)]
                            .map(|(planes, i)| planes.map(|plane| value(plane, i)));
                        expected[0] += w[0] * x[0] - w[1] * x[1];
                        expected[1] += w[0] * x[1] + w[1] * x[0];
                    }
                } else if i < results.next_multiple_of(lanes) {
                    continue;
                }
                // Numbers of few bits: the sum is exact.
                assert_eq!(
                    [value(&re, start + i), value(&im, start + i)],
                    expected,
                    "{isa:?} {results} {count} {step}"
                );
            }
        }
    }

    #[test]
    fn sums_along_rows_are_those_of_their_definition() {
        for (isa, end) in Isa::all().into_iter().flat_map(|isa| End::BOTH.map(|end| (isa, end))) {
            for results in 1..=70 {
                for taps in [[1, 1], [2, 3], [5, 1], [9, 2], [31, 1]] {
                    sums_agree::<f32>(isa, end, results, taps);
                    sums_agree::<f64>(isa, end, results, taps);
                }
            }
        }
    }

    #[test]
    fn there_and_back_is_where_it_was_and_nothing_beside_it() {
        for (isa, end) in Isa::all().into_iter().flat_map(|isa| End::BOTH.map(|end| (isa, end))) {
            for rows in [1, 2, 3, 4, 5, 6, 7, 8, 12, 14, 15, 16, 20, 35, 49, 64, 420, 1200] {
                for count in 1..=6 {
                    columns_return::<f32>(isa, end, rows, count);
                    columns_return::<f64>(isa, end, rows, count);
                    rows_return::<f32>(isa, end, rows, count);
                    rows_return::<f64>(isa, end, rows, count);
                }
            }
            for registers in 1..=5 {
                products_agree::<f32>(isa, end, registers);
                products_agree::<f64>(isa, end, registers);
            }
        }
    }
}
