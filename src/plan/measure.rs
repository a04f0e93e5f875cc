//! Measuring: data of the planner's own, and a sample of the result by the definition.

use std::hint::black_box;
use std::time::Instant;

use super::{Plan, Workspace};
use crate::algo::{Costs, Definition};
use crate::element::{Element, Scalar};
use crate::error::{Error, Result};
use crate::problem::{Boundary, Problem};
use crate::reference::Elements;
use crate::view::Strided;

/// Seconds that runs are repeated for, after the one that warms up.
const BUDGET: f64 = 0.05;
/// Runs at the most.
const RUNS: usize = 25;
/// Elements of the result that are compared, at the most, and at the least.
const SAMPLE: (usize, usize) = (4, 64);
/// Products that the sample may have.
const PRODUCTS: usize = 1 << 22;

/// One problem's data, and what a sample of its result must be.
pub(super) struct Bench<T> {
    first: Vec<T>,
    second: Vec<T>,
    length: usize,
    sample: Vec<Sample<T>>,
    /// The error bound of the definition.
    own_error: f64,
}

/// One element of the result.
struct Sample<T> {
    /// Where it is in memory.
    at: usize,
    expected: T,
    /// What error bounds are multiples of.
    scale: f64,
}

impl<T: Element> Bench<T> {
    pub(super) fn new(problem: &Problem) -> Result<Self> {
        let [a, b, c] = problem.operands();
        let [_, _, layout] = problem.layouts();
        let mut random = Random(0x5eed);
        let first = random.numbers(a.iter().product())?;
        let second = random.numbers(b.iter().product())?;
        let dense = Strided::dense(&c, layout);
        let length = dense.elements();

        let count = (PRODUCTS / problem.terms().max(1)).clamp(SAMPLE.0, SAMPLE.1).min(length);
        let mut elements = Elements::new(problem, &first, &second)?;
        let outside = match problem.boundary() {
            Boundary::Constant(v) if v.is_finite() => v.abs().max(1.0),
            _ => 1.0,
        };
        let mut sample = Vec::with_capacity(count);
        for i in 0..count {
            // The first and the last element, and others anywhere.
            let index: Vec<usize> = match i {
                0 => vec![0; c.len()],
                1 => c.iter().map(|n| n - 1).collect(),
                _ => c.iter().map(|&n| random.below(n)).collect(),
            };
            let products = elements.magnitude(&index, |_| 1.0)?;
            // No number is larger than 1, in either operand.
            let scale = outside * products.max(problem.terms() as f64).sqrt();
            sample.push(Sample { at: dense.element(&index), expected: elements.at(&index)?, scale });
        }
        Ok(Self { first, second, length, sample, own_error: Definition::estimate(&Costs::default(), problem).error })
    }

    /// The least time of a run, in seconds; or why the plan's result is not to be trusted.
    pub(super) fn measure(&self, plan: &Plan<T>) -> Result<Result<f64, String>> {
        let mut result = allocated(self.length)?;
        result.resize(self.length, T::from_f64(f64::NAN));
        let mut workspace = Workspace::with_bytes(plan.workspace_bytes());
        workspace.poison();
        plan.run(&self.first, &self.second, &mut result, &mut workspace)?;
        if let Some(wrong) = self.sample.iter().find(|s| !self.agrees(s, result[s.at], plan.error_bound())) {
            let (given, expected) = (result[wrong.at], wrong.expected);
            return Ok(Err(format!("its result disagrees with the definition: {given:?} for {expected:?}")));
        }
        let (mut least, begun) = (f64::INFINITY, Instant::now());
        for _ in 0..RUNS {
            let start = Instant::now();
            plan.run(&self.first, &self.second, black_box(&mut result), &mut workspace)?;
            least = least.min(start.elapsed().as_secs_f64());
            if begun.elapsed().as_secs_f64() > BUDGET {
                break;
            }
        }
        Ok(Ok(least))
    }

    fn agrees(&self, sample: &Sample<T>, given: T, bound: f64) -> bool {
        if !sample.expected.is_finite() {
            return !given.is_finite();
        }
        let (re, im) = (given - sample.expected).to_f64();
        re.hypot(im) <= (bound + self.own_error) * sample.scale
    }
}

/// Room for `count` numbers.
fn allocated<T>(count: usize) -> Result<Vec<T>> {
    let mut room = Vec::new();
    room.try_reserve_exact(count).map_err(|e| Error::Other {
        doing: format!("allocating {count} numbers to measure on").into(),
        source: e.into(),
    })?;
    Ok(room)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Numbers of absolute values up to 1.
    fn numbers<T: Element>(&mut self, count: usize) -> Result<Vec<T>> {
        let largest = if T::DTYPE.is_complex() { std::f64::consts::FRAC_1_SQRT_2 } else { 1.0 };
        let mut numbers = allocated(count)?;
        numbers.extend((0..count).map(|_| {
            let mut part = || T::Real::from_f64(largest * ((self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0));
            T::from_parts(part(), part())
        }));
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, Pass, Planner};

    /// A plan that computes something else is told from one that computes the problem, whichever algorithm it is, and
    /// before it is timed.
    #[test]
    fn a_wrong_result_is_not_timed() {
        let problem = |text: &str, flip: bool, pass: Pass| {
            let problem: Problem = text.parse().expect("a problem");
            Problem { flip, pass, ..problem }
        };
        for text in ["500*31:same", "40x30*3x5:same", "mb2ic3ih12oc4kh3ph1", "mb2g4ic4ih12oc4kh3ph1"] {
            for pass in Pass::ALL {
                let (right, wrong) = (problem(text, false, pass), problem(text, true, pass));
                let bench = Bench::<f32>::new(&right).expect("it fits");
                let mut served = 0;
                for algorithm in Algorithm::ALL {
                    let planner = Planner::new().algorithm(algorithm);
                    let (Ok(good), Ok(bad)) = (planner.plan(&right), planner.plan(&wrong)) else { continue };
                    let seconds = bench.measure(&good).expect("a run").expect("it agrees");
                    assert!(seconds > 0.0, "{text} {pass} by {algorithm}");
                    let reason = bench.measure(&bad).expect("a run").expect_err("it disagrees");
                    assert!(reason.contains("disagrees"), "{text} {pass} by {algorithm}: {reason}");
                    served += 1;
                }
                assert!(served >= 4, "{text} {pass}");
            }
        }
    }
}
