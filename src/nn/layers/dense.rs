//! Dense layers.

use ndarray::{ArrayViewD, ArrayViewMutD};

use super::Activation;
use super::epilogue::Epilogue;
use super::passes::Planned;
use crate::error::{Error, Result};
use crate::nn::layer::{dense, input, output, volume};
use crate::nn::{Backward, Context, Design, Float, Init, Layer, Parameter, Random, Visitor};
use crate::problem::{Pass, Problem};

/// A dense (fully connected, linear) layer: `y = x Wᵀ + b` along the last axis.
///
/// Input (batch, …, inputs), output (batch, …, outputs). Its arrays are `weight` (outputs, inputs) and `bias`
/// (outputs), as those of PyTorch's `nn.Linear`.
///
/// ```
/// use faltung::nn::{Dense, Sequential};
/// let mut network = Sequential::<f32>::new().layer(Dense::new(5408, 128)).build(1)?;
/// assert_eq!(network.parameter_count(), 5408 * 128 + 128);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    inputs: usize,
    outputs: usize,
    bias: bool,
    init: (Init, Init),
}

impl Dense {
    /// A layer of so many inputs to so many outputs.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self { inputs, outputs, bias: true, init: (Init::default(), Init::default()) }
    }

    /// Without a bias.
    #[must_use]
    pub fn without_bias(mut self) -> Self {
        self.bias = false;
        self
    }

    /// How the first weights are drawn, and the bias; PyTorch's default unless set.
    #[must_use]
    pub fn init(mut self, weight: Init, bias: Init) -> Self {
        self.init = (weight, bias);
        self
    }
}

impl<T: Float> Design<T> for Dense {
    fn build(self: Box<Self>, random: &mut Random) -> Result<Box<dyn Layer<T>>> {
        for (name, count) in [("inputs", self.inputs), ("outputs", self.outputs)] {
            if count == 0 {
                return Err(Error::argument(name, "at least 1", 0));
            }
        }
        let fans = (self.inputs, self.outputs);
        let weight = self.init.0.parameter(&[self.outputs, self.inputs], fans, random)?;
        let bias = self.bias.then(|| self.init.1.parameter(&[self.outputs], fans, random)).transpose()?;
        Ok(Box::new(DenseLayer { design: *self, weight, epilogue: Epilogue::new(bias), planned: Planned::new() }))
    }
}

struct DenseLayer<T> {
    design: Dense,
    weight: Parameter<T>,
    epilogue: Epilogue<T>,
    planned: Planned<T>,
}

impl Dense {
    /// A convolution of one sample by one tap.
    pub(in crate::nn) fn problem(&self, input: &[usize]) -> Result<Problem> {
        let [rows @ .., _] = input else { return Err(Error::argument("input", "(batch, inputs)", "no axes")) };
        Problem::layer(volume(rows), self.inputs, self.outputs, &[1], &[1]).build()
    }
}

impl<T: Float> Layer<T> for DenseLayer<T> {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        match input {
            [rows @ .., inputs] if *inputs == self.design.inputs && !rows.is_empty() => {
                self.design.problem(input)?;
                Ok(rows.iter().copied().chain([self.design.outputs]).collect())
            }
            _ => {
                let expected = format!("(batch, {}) or (batch, …, {0})", self.design.inputs);
                Err(Error::argument("input", expected, format!("shape {input:?}")))
            }
        }
    }

    fn forward(&mut self, x: ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, context: &mut Context<T>) -> Result<()> {
        let passes = self.planned.of(x.shape(), || self.design.problem(x.shape()))?;
        let y = output(y)?;
        passes.run(Pass::Forward, input(&x)?, self.weight.values()?, y, context)?;
        self.epilogue.forward(y, self.design.outputs, 1)
    }

    fn backward(&mut self, pass: Backward<'_, T>, context: &mut Context<T>) -> Result<()> {
        let passes = self.planned.of(pass.x.shape(), || self.design.problem(pass.x.shape()))?;
        let dy = dense("output gradient", pass.dy.into_slice())?;
        self.epilogue.backward(input(&pass.y)?, dy, 1, context)?;
        if self.weight.trainable {
            passes.run(Pass::WeightGradient, input(&pass.x)?, dy, self.weight.slices_mut()?.1, context)?;
        }
        match pass.dx {
            Some(dx) => passes.run(Pass::InputGradient, dy, self.weight.values()?, output(dx)?, context),
            None => Ok(()),
        }
    }

    fn visit(&mut self, visitor: &mut Visitor<'_, T>) -> Result<()> {
        visitor.parameter("weight", &mut self.weight)?;
        self.epilogue.visit(visitor)
    }

    fn fuse(&mut self, activation: Activation) -> bool {
        self.epilogue.fuse(activation)
    }
}
