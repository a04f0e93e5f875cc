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
mod tables;

pub(super) use lanes::Arithmetic;
use tables::GROUP;
pub(crate) use tables::{Ends, Levels};

use super::Isa;

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
}

/// Transforms the columns of a block: `levels.rows()` rows of `width` numbers, a multiple of the lanes.
pub struct Columns<'a, R> {
    pub(crate) planes: Planes<'a, R>,
    pub(crate) levels: &'a Levels<R>,
    pub(crate) width: usize,
    /// Numbers from one row to the next.
    pub(crate) pitch: usize,
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
    /// Where the [`ROOM`] for registers beyond the last row begins. It is part of the transformed rows.
    pub(crate) room: usize,
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

/// Adds up products number by number: `sum += first · second`, of `second` the conjugate if asked for.
pub struct Products<'a, R> {
    pub(crate) sum: Planes<'a, R>,
    pub(crate) first: [&'a [R]; 2],
    pub(crate) second: [&'a [R]; 2],
    pub(crate) conjugate: bool,
    /// Whether `sum` holds something to add to.
    pub(crate) add: bool,
}

/// The transforms of a real type.
pub trait Transforms: Copy + 'static {
    /// Transforms columns. Panics where a slice is too short for what the call says.
    fn columns(isa: Isa, call: Columns<'_, Self>);
    /// Transforms rows. Panics where a slice is too short for what the call says.
    fn rows(isa: Isa, call: Rows<'_, Self>);
    /// Adds up products. Panics where lengths differ or are not a multiple of the lanes.
    fn products(isa: Isa, call: Products<'_, Self>);
}

macro_rules! entry {
    ($t:ty, $vector:ident, $lanes:expr, $name:ident, $call:ident) => {
        fn $name(isa: Isa, call: $call<'_, Self>) {
            call.check(<$t as super::Kernels>::lanes(isa));
            dispatch!(isa, call, $call<$t> => passes::$name, $vector, $vector, $lanes)
        }
    };
}

macro_rules! transforms {
    ($t:ty, $vector:ident, $lanes:expr) => {
        impl Transforms for $t {
            entry!($t, $vector, $lanes, columns, Columns);
            entry!($t, $vector, $lanes, rows, Rows);
            entry!($t, $vector, $lanes, products, Products);
        }
    };
}
transforms!(f32, F32, 4);
transforms!(f64, F64, 2);

impl<R> Columns<'_, R> {
    /// Everything that the loops take on trust.
    fn check(&self, lanes: usize) {
        let Self { width, pitch, .. } = *self;
        let rows = self.levels.rows();
        assert!(width > 0 && width.is_multiple_of(lanes) && width <= pitch, "columns are whole registers");
        let end = (rows - 1) * pitch + width;
        assert!(end <= self.planes.re.len() && end <= self.planes.im.len(), "the planes hold all rows");
    }
}

impl<R> Rows<'_, R> {
    /// Everything that the loops take on trust.
    fn check(&self, lanes: usize) {
        let registers = self.levels.rows();
        assert!(self.ends.fits(lanes, registers), "the ends are those of the levels");
        let last = self.starts.iter().max().map_or(0, |start| start + registers * lanes);
        let end = last.max(self.room + GROUP * lanes);
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
