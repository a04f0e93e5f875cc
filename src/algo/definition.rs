//! The definition itself as an algorithm: slow, but it serves every problem and keeps every rule.

use super::cost::{Costs, Estimate, running_sum_error};
use super::{Call, Execute, Needs, Second};
use crate::element::Element;
use crate::problem::{Pass, Problem};
use crate::reference::Terms;
use crate::simd::{self, Line, Workers};
use crate::view::{MAX_AXES, Strided, View};

/// Elements of the result that one thread computes at a time.
const TILE: usize = 64;

#[derive(Debug)]
pub(crate) struct Definition {
    problem: Problem,
    /// How the packed kernel lies.
    kernel: Strided,
}

impl Definition {
    pub(crate) fn new(problem: &Problem) -> Self {
        Self { problem: problem.clone(), kernel: Strided::dense(&problem.kernel_shape(), Default::default()) }
    }

    pub(crate) fn estimate(costs: &Costs, problem: &Problem) -> Estimate {
        let results: f64 = problem.operands()[2].iter().map(|&n| n as f64).product();
        Estimate {
            // Index arithmetic and a test of every tap, and of a result as much as of two.
            seconds: costs.run + (problem.flops() / 2.0 + 2.0 * results) * costs.definition,
            needs: Self::memory(problem, problem.dtype.size()),
            error: running_sum_error(problem),
        }
    }

    fn memory(problem: &Problem, element: usize) -> Needs {
        let kernel: usize = problem.kernel_shape().iter().product();
        let packed = if problem.pass == Pass::WeightGradient { 0 } else { kernel };
        let lines = |count: usize| count.saturating_mul(element).div_ceil(Line::BYTES);
        Needs { packed: lines(packed), shared: 0, worker: lines(TILE) }
    }
}

impl<T: Element> Execute<T> for Definition {
    fn needs(&self) -> Needs {
        Self::memory(&self.problem, size_of::<T>())
    }

    fn takes_non_finite(&self) -> bool {
        true
    }

    fn pack(&self, kernel: View<'_, T>, mut packed: &mut [Line], _: &mut Workers<'_>) {
        kernel.copy_to(simd::split(&mut packed, kernel.at.elements()));
    }

    fn run(&self, call: Call<'_, '_, T>) {
        let second = match call.second {
            Second::Plain(view) => view,
            Second::Packed(lines) => View { data: simd::elements(lines), at: self.kernel },
        };
        let terms = Terms::new(&self.problem, call.first, second);
        let axes = call.out.shape().len();
        let mut tile = [1; MAX_AXES];
        tile[axes - 1] = TILE;
        call.workers.tiles(call.out, &tile[..axes], |mut tile, mut scratch| {
            let mut index = [0; MAX_AXES];
            index[..axes].copy_from_slice(tile.start());
            let row = simd::split::<T>(&mut scratch, tile.shape()[axes - 1]);
            for y in row.iter_mut() {
                *y = terms.sum(&index[..axes]);
                index[axes - 1] += 1;
            }
            tile.write(&[0; MAX_AXES][..axes], row);
        });
    }
}
