//! Test data: the element types, a seeded generator, and the operands of a problem.

use std::ops::{Deref, DerefMut};

use faltung::ndarray::Array1;
use faltung::{Boundary, Complex, Element, Error, Pass, Problem, Scalar};
use rayon::prelude::*;

/// An element type with the double-precision type that its results are checked in.
pub(crate) trait Sample: Element {
    /// `f64` or `Complex<f64>`.
    type Wide: Element<Real = f64>;
}

impl Sample for f32 {
    type Wide = f64;
}
impl Sample for f64 {
    type Wide = f64;
}
impl Sample for Complex<f32> {
    type Wide = Complex<f64>;
}
impl Sample for Complex<f64> {
    type Wide = Complex<f64>;
}

/// Calls a function that is generic in its element type for the type that a problem names.
macro_rules! for_element {
    ($problem:expr, $function:ident($($argument:expr),* $(,)?)) => {
        match $problem.dtype() {
            faltung::DType::F32 => $function::<f32>($($argument),*),
            faltung::DType::F64 => $function::<f64>($($argument),*),
            faltung::DType::C32 => $function::<faltung::Complex<f32>>($($argument),*),
            faltung::DType::C64 => $function::<faltung::Complex<f64>>($($argument),*),
            other => Err(faltung::Error::Argument {
                argument: "element type".into(),
                expected: "f32, f64, c32 or c64".into(),
                given: other.to_string(),
            }),
        }
    };
}
pub(crate) use for_element;

/// The number with these parts, rounded to `T`.
pub(crate) fn number<T: Element>(re: f64, im: f64) -> T {
    T::from_parts(<T::Real as Scalar>::from_f64(re), <T::Real as Scalar>::from_f64(im))
}

/// The same number in double precision.
pub(crate) fn widen<T: Sample>(value: T) -> T::Wide {
    let (re, im) = value.to_f64();
    T::Wide::from_parts(re, im)
}

/// The absolute value.
pub(crate) fn magnitude<T: Element>(value: T) -> f64 {
    let (re, im) = value.to_f64();
    if im == 0.0 { re.abs() } else { re.hypot(im) }
}

/// A generator of random numbers that gives the same ones everywhere: SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..n`; `n` must not be 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.next() as u128 * n as u128) >> 64) as usize
    }

    /// Two independent normal numbers, by Box and Muller.
    pub(crate) fn normal(&mut self) -> (f64, f64) {
        let uniform = |bits: u64| ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let radius = (-2.0 * uniform(self.next()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * uniform(self.next())).sin_cos();
        (radius * cos, radius * sin)
    }
}

/// What the numbers of an operand are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Normally distributed, of variance 1 a part.
    Normal,
    /// Integers of at most this magnitude a part.
    Integers(usize),
    /// Spread evenly from 0 to 1, with no imaginary part.
    Positive,
}

impl Kind {
    /// Integers so small that every sum of the problem is exact in single precision in whatever order; `None` where
    /// there are none.
    pub(crate) fn exact(problem: &Problem) -> Option<Self> {
        let parts = if problem.dtype().is_complex() { 2 } else { 1 };
        let reads = reads_at_once(problem).clamp(1.0, f64::MAX);
        let largest = ((1u64 << 24) as f64 / (problem.terms() as f64 * parts as f64 * reads)).sqrt().floor().min(8.0);
        let outside = match problem.boundary() {
            Boundary::Constant(v) if problem.reads_outside() => v,
            _ => 0.0,
        };
        (largest >= 1.0 && outside.fract() == 0.0 && outside.abs() <= largest)
            .then_some(Self::Integers(largest as usize))
    }

    fn draw<T: Element>(self, random: &mut Random) -> T {
        let (re, im) = match self {
            Self::Normal => random.normal(),
            Self::Positive => (random.below(1 << 24) as f64 / (1 << 24) as f64, 0.0),
            Self::Integers(largest) => {
                let mut one = || random.below(2 * largest + 1) as f64 - largest as f64;
                (one(), one())
            }
        };
        number(re, im)
    }
}

/// How many products of one tap may enter the same element at the most: more than one only in the input gradient of
/// a boundary that reads the data again.
pub(crate) fn reads_at_once(problem: &Problem) -> f64 {
    if problem.pass() != Pass::InputGradient || !problem.boundary().reads_data() {
        return 1.0;
    }
    let axis = |a: &faltung::SpatialAxis| {
        let outside = a.padding().max(0) as f64 + a.padding_after().max(0) as f64;
        match problem.boundary() {
            Boundary::Nearest => 1.0 + outside / a.stride() as f64,
            _ => 1.0 + (outside / a.input() as f64).ceil(),
        }
    };
    problem.axes().iter().map(axis).product()
}

/// The two operands of a problem, dense in its layout.
pub(crate) struct Operands<T> {
    pub(crate) first: Run<T>,
    pub(crate) second: Run<T>,
}

impl<T: Element> Operands<T> {
    /// Random ones, the same on every machine and with any number of threads.
    pub(crate) fn random(problem: &Problem, kind: Kind) -> Result<Self, Error> {
        let [first, second, _] = problem.operands();
        Ok(Self { first: draw(&first, kind, 1)?, second: draw(&second, kind, 2)? })
    }
}

fn draw<T: Element>(shape: &[usize], kind: Kind, seed: u64) -> Result<Run<T>, Error> {
    const CHUNK: usize = 4096;
    let mut values = zeros(shape.iter().product())?;
    values.par_chunks_mut(CHUNK).enumerate().for_each(|(i, chunk)| {
        let mut random = Random::new(seed + 16 * i as u64);
        chunk.fill_with(|| kind.draw(&mut random));
    });
    Ok(values)
}

/// Elements that begin a cache line, as those of the peers' arrays do.
pub(crate) struct Run<T>(Array1<T>);

impl<T: Element> Run<T> {
    pub(crate) fn of(elements: &[T]) -> Result<Self, Error> {
        let mut run = zeros(elements.len())?;
        run.copy_from_slice(elements);
        Ok(run)
    }
}

impl<T> Deref for Run<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_slice().unwrap_or(&[])
    }
}

impl<T> DerefMut for Run<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.0.as_slice_mut().unwrap_or(&mut [])
    }
}

/// `len` zeros, or an error where there is no room for them.
pub(crate) fn zeros<T: Element>(len: usize) -> Result<Run<T>, Error> {
    faltung::aligned_zeros(len).map(Run)
}

/// Bytes of a problem's operands and result; `checked`, also of their copies in double precision.
pub(crate) fn array_bytes(problem: &Problem, checked: bool) -> f64 {
    let elements: f64 = problem.operands().iter().map(|s| s.iter().map(|&n| n as f64).product::<f64>()).sum();
    let wide = if problem.dtype().is_complex() { 16 } else { 8 };
    elements * (problem.dtype().size() + if checked { wide } else { 0 }) as f64
}

/// Refuses to go on where so many bytes more do not fit: an allocation that fails would end the whole program.
pub(crate) fn check_memory(needed: f64) -> Result<(), Error> {
    let Some(available) = available_memory() else { return Ok(()) };
    if needed <= available {
        return Ok(());
    }
    Err(Error::Argument {
        argument: "problem".into(),
        expected: format!("arrays and a workspace that fit in the {:.1} GiB of free memory", available / GIB).into(),
        given: format!("{:.1} GiB", needed / GIB),
    })
}

const GIB: f64 = (1u64 << 30) as f64;

/// Bytes that can be allocated without swapping, where the system tells.
fn available_memory() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_zero_and_variance_one() {
        let values = draw::<f64>(&[100, 1000], Kind::Normal, 7).unwrap();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn integers_keep_to_their_magnitude() {
        let values = draw::<f32>(&[10_000], Kind::Integers(3), 7).unwrap();
        assert!(values.iter().all(|v| v.fract() == 0.0 && v.abs() <= 3.0));
        assert!((-3..=3).all(|n| values.contains(&(n as f32))));
    }

    #[test]
    fn exact_integers_stay_below_the_mantissa() {
        let problem = Problem::field(&[1 << 21], &[1 << 20]).build().unwrap();
        let Some(Kind::Integers(largest)) = Kind::exact(&problem) else { panic!("no exact integers") };
        assert!(largest * largest * problem.terms() <= 1 << 24);
        let wide = Problem::field(&[1 << 26], &[1 << 25]).build().unwrap();
        assert_eq!(Kind::exact(&wide), None);
    }

    #[test]
    fn a_problem_larger_than_memory_is_refused() {
        let problem = Problem::field(&[1 << 44], &[3]).build().unwrap();
        assert!(available_memory().is_none() || check_memory(array_bytes(&problem, false)).is_err());
        assert!(zeros::<f64>(isize::MAX as usize).is_err());
    }
}
