//! The three passes of a convolution, planned for the shapes that come.

use crate::error::Result;
use crate::nn::{Context, Float};
use crate::plan::Plan;
use crate::problem::{Pass, Problem};

/// Shapes of input that a layer keeps its plans for: a batch, the last batch, those of evaluation, and parts of all of
/// them.
const KEPT: usize = 8;

/// The plans of a layer, for one shape of input.
#[derive(Debug)]
pub(super) struct Passes<T> {
    input: Vec<usize>,
    problem: Problem,
    forward: Option<Plan<T>>,
    input_gradient: Option<Plan<T>>,
    weight_gradient: Option<Plan<T>>,
}

impl<T: Float> Passes<T> {
    /// The problem of the forward pass.
    pub(super) fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Runs one of the passes.
    pub(super) fn run(
        &mut self,
        pass: Pass,
        first: &[T],
        second: &[T],
        result: &mut [T],
        context: &mut Context<T>,
    ) -> Result<()> {
        self.plan(pass, context)?.run(first, second, result, context.workspace())
    }

    /// The plan of one of the passes.
    pub(super) fn plan(&mut self, pass: Pass, context: &mut Context<T>) -> Result<&Plan<T>> {
        let slot = match pass {
            Pass::Forward => &mut self.forward,
            Pass::InputGradient => &mut self.input_gradient,
            Pass::WeightGradient => &mut self.weight_gradient,
        };
        match slot {
            Some(plan) => Ok(plan),
            None => Ok(slot.insert(context.plan(&self.problem.with_pass(pass))?)),
        }
    }
}

/// The plans of a layer.
#[derive(Debug)]
pub(super) struct Planned<T>(Vec<Passes<T>>);

impl<T: Float> Planned<T> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// Those for a shape of input, whose problem `problem` says where it is a new one.
    pub(super) fn of(&mut self, input: &[usize], problem: impl FnOnce() -> Result<Problem>) -> Result<&mut Passes<T>> {
        let found = match self.0.iter().position(|passes| passes.input == input) {
            Some(found) => found,
            None => {
                let problem = problem()?.with_dtype(T::DTYPE)?;
                // The oldest goes: a steady training comes by with few shapes.
                if self.0.len() >= KEPT {
                    self.0.remove(0);
                }
                let (forward, input_gradient, weight_gradient) = (None, None, None);
                self.0.push(Passes { input: input.to_vec(), problem, forward, input_gradient, weight_gradient });
                self.0.len() - 1
            }
        };
        Ok(&mut self.0[found])
    }
}
