//! First weights.

use ndarray::{ArrayD, IxDyn};

use super::{Float, Parameter, Random};
use crate::error::{Error, Result};

/// How first weights are drawn. A weight (outputs, inputs, taps …) has fan-in inputs x taps, and fan-out
/// outputs x taps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// Uniform within ±1/√(fan-in), as PyTorch draws by default (`kaiming_uniform_(a=√5)`).
    #[default]
    FanIn,
    /// Normal of variance 2/(fan-in): He et al. 2015, for ReLU.
    HeNormal,
    /// Uniform of variance 2/(fan-in).
    HeUniform,
    /// Normal of variance 2/(fan-out): as torchvision begins its residual networks.
    HeFanOut,
    /// Normal of variance 2/(fan-in + fan-out): Glorot and Bengio 2010.
    GlorotNormal,
    /// Uniform of that variance: Keras's default.
    GlorotUniform,
    /// Normal of mean 0 and this standard deviation.
    Normal(f64),
    /// Uniform within ± this.
    Uniform(f64),
    /// All the same.
    Constant(f64),
}

impl Init {
    /// Draws a number.
    fn draw(self, random: &mut Random, fan_in: f64, fan_out: f64) -> f64 {
        let mut uniform = |limit: f64| limit * (2.0 * random.uniform() - 1.0);
        match self {
            Self::FanIn => uniform(1.0 / fan_in.sqrt()),
            Self::HeUniform => uniform((6.0 / fan_in).sqrt()),
            Self::GlorotUniform => uniform((6.0 / (fan_in + fan_out)).sqrt()),
            Self::Uniform(limit) => uniform(limit),
            Self::HeNormal => random.normal() * (2.0 / fan_in).sqrt(),
            Self::HeFanOut => random.normal() * (2.0 / fan_out).sqrt(),
            Self::GlorotNormal => random.normal() * (2.0 / (fan_in + fan_out)).sqrt(),
            Self::Normal(deviation) => random.normal() * deviation,
            Self::Constant(value) => value,
        }
    }

    /// A parameter of a shape, drawn with these fans.
    pub(super) fn parameter<T: Float>(
        self,
        shape: &[usize],
        (fan_in, fan_out): (usize, usize),
        random: &mut Random,
    ) -> Result<Parameter<T>> {
        let (fan_in, fan_out) = (fan_in.max(1) as f64, fan_out.max(1) as f64);
        let count = shape.iter().try_fold(1usize, |count, &extent| count.checked_mul(extent));
        let count = count.ok_or_else(|| Error::overflow(format!("the weights' size {shape:?}")))?;
        let mut values = Vec::new();
        values.try_reserve_exact(count).map_err(|e| Error::other("allocating weights", e))?;
        values.extend((0..count).map(|_| T::from_f64(self.draw(random, fan_in, fan_out))));
        let value = ArrayD::from_shape_vec(IxDyn(shape), values).map_err(|e| Error::other("shaping weights", e))?;
        Ok(Parameter::new(value))
    }
}
