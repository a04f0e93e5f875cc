//! What the normalising layers share.

use crate::error::{Error, Result};
use crate::nn::{Float, Init, Parameter, Random, Visitor};

/// The weight and the bias behind a normalisation.
#[derive(Debug)]
pub(super) struct Affine<T> {
    pub(super) weight: Parameter<T>,
    pub(super) bias: Parameter<T>,
}

impl<T: Float> Affine<T> {
    pub(super) fn new(shape: &[usize], weight: f64, random: &mut Random) -> Result<Self> {
        let mut all = |value| Init::Constant(value).parameter(shape, (1, 1), random);
        Ok(Self { weight: all(weight)?, bias: all(0.0)? })
    }

    /// Weights and biases.
    pub(super) fn values(&self) -> Result<(&[T], &[T])> {
        Ok((self.weight.values()?, self.bias.values()?))
    }

    /// The gradients of weights and biases, to be written.
    pub(super) fn gradients(&mut self) -> Result<(&mut [T], &mut [T])> {
        Ok((self.weight.slices_mut()?.1, self.bias.slices_mut()?.1))
    }

    /// Says that nothing depended on them.
    pub(super) fn clear(&mut self) -> Result<()> {
        let (weight, bias) = self.gradients()?;
        weight.fill(T::ZERO);
        bias.fill(T::ZERO);
        Ok(())
    }

    pub(super) fn visit(&mut self, visitor: &mut Visitor<'_, T>) -> Result<()> {
        visitor.parameter("weight", &mut self.weight)?;
        visitor.parameter("bias", &mut self.bias)
    }
}

/// Refuses what is no number to add to a variance.
pub(super) fn check_epsilon(epsilon: f64) -> Result<()> {
    if epsilon.is_finite() && epsilon >= 0.0 {
        return Ok(());
    }
    Err(Error::argument("epsilon", "a number of at least 0", epsilon))
}
