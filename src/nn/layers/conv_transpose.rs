//! Transposed convolution layers.

use ndarray::{ArrayViewD, ArrayViewMutD};

use super::conv::group;
use super::epilogue::Epilogue;
use super::options::conv_setters;
use super::passes::Planned;
use super::{Activation, ConvOptions, Extents};
use crate::error::{Error, Result};
use crate::nn::layer::{dense, input, output, volume};
use crate::nn::{Backward, Context, Design, Float, Init, Layer, Parameter, Random, Visitor};
use crate::problem::{Pass, Problem};

/// A transposed convolution over `N` spatial axes: the input gradient of a convolution with the same options, as a
/// layer. With a stride it enlarges its input.
///
/// Input (batch, channels, spatial …), output (batch, output channels, spatial …), of extent
/// `(n - 1) stride - 2 padding + dilation (taps - 1) + output_padding + 1`. Its arrays are `weight`
/// (channels, output channels a group, taps …) and `bias` (output channels), as in PyTorch.
///
/// ```
/// use faltung::nn::{ConvTranspose2d, Sequential};
/// let up = ConvTranspose2d::new(64, 32, 3).stride(2).padding(1).output_padding(1);
/// assert_eq!(Sequential::<f32>::new().layer(up).build(1)?.output_shape(&[8, 64, 14, 14])?, [8, 32, 28, 28]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ConvTranspose<const N: usize> {
    in_channels: usize,
    out_channels: usize,
    kernel: Extents,
    options: ConvOptions,
    output_padding: Extents,
    bias: bool,
    init: (Init, Init),
}

/// A transposed convolution over signals: (batch, channels, length).
pub type ConvTranspose1d = ConvTranspose<1>;
/// A transposed convolution over images: (batch, channels, height, width).
pub type ConvTranspose2d = ConvTranspose<2>;
/// A transposed convolution over volumes: (batch, channels, depth, height, width).
pub type ConvTranspose3d = ConvTranspose<3>;

impl<const N: usize> ConvTranspose<N> {
    /// A transposed convolution of so many channels to so many.
    pub fn new(in_channels: usize, out_channels: usize, kernel: impl Into<Extents>) -> Self {
        let (options, init) = (ConvOptions::new(), (Init::default(), Init::default()));
        Self { in_channels, out_channels, kernel: kernel.into(), options, output_padding: 0.into(), bias: true, init }
    }

    /// Outputs added at the end of each axis, fewer than the stride: the convolution rounds several extents to one,
    /// and this says which of them is meant. 0 unless set.
    #[must_use]
    pub fn output_padding(mut self, more: impl Into<Extents>) -> Self {
        self.output_padding = more.into();
        self
    }

    conv_setters!();
}

impl<T: Float, const N: usize> Design<T> for ConvTranspose<N> {
    fn build(self: Box<Self>, random: &mut Random) -> Result<Box<dyn Layer<T>>> {
        let kernel = self.kernel.over("kernel", N)?;
        let groups = self.options.group_count();
        let inputs = group(self.in_channels, groups, "in_channels")?;
        let outputs = group(self.out_channels, groups, "out_channels")?;
        let taps = volume(&kernel);
        // The fan-in is counted along the weight's second axis, as PyTorch does.
        let fans = (outputs.saturating_mul(taps), inputs.saturating_mul(taps));
        let shape: Vec<usize> = [self.in_channels, outputs].into_iter().chain(kernel).collect();
        let weight = self.init.0.parameter(&shape, fans, random)?;
        let bias = self.bias.then(|| self.init.1.parameter(&[self.out_channels], fans, random)).transpose()?;
        let geometry = Geometry { channels: self.out_channels, options: self.options, more: self.output_padding };
        Ok(Box::new(ConvTransposeLayer { geometry, weight, epilogue: Epilogue::new(bias), planned: Planned::new() }))
    }
}

/// What a transposed convolution is but for its weights.
pub(in crate::nn) struct Geometry {
    /// Of the output.
    pub(in crate::nn) channels: usize,
    pub(in crate::nn) options: ConvOptions,
    /// Outputs added at the end of each axis.
    pub(in crate::nn) more: Extents,
}

impl Geometry {
    /// The convolution that this one is the transpose of: from this one's output to its input.
    pub(in crate::nn) fn problem(&self, input: &[usize], weight: &[usize]) -> Result<Problem> {
        let ([batch, given, spatial @ ..], [channels, _, kernel @ ..]) = (input, weight) else {
            return Err(Error::argument("input", "(batch, channels, …)", format!("shape {input:?}")));
        };
        if given != channels {
            return Err(Error::argument("input", format!("(batch, {channels}, …)"), format!("shape {input:?}")));
        }
        let spatial = self.options.transposed(spatial, kernel, &self.more)?;
        let output: Vec<usize> = [*batch, self.channels].into_iter().chain(spatial).collect();
        self.options.problem(&output, *channels, kernel)?.build()
    }
}

struct ConvTransposeLayer<T> {
    geometry: Geometry,
    weight: Parameter<T>,
    epilogue: Epilogue<T>,
    planned: Planned<T>,
}

impl<T: Float> Layer<T> for ConvTransposeLayer<T> {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(self.geometry.problem(input, self.weight.value.shape())?.input_shape())
    }

    fn forward(&mut self, x: ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, context: &mut Context<T>) -> Result<()> {
        let Self { geometry, weight, epilogue, planned } = self;
        let passes = planned.of(x.shape(), || geometry.problem(x.shape(), weight.value.shape()))?;
        let (x, y) = (input(&x)?, output(y)?);
        passes.run(Pass::InputGradient, x, weight.values()?, y, context)?;
        let (channels, plane) = (passes.problem().in_channels(), plane(passes.problem()));
        epilogue.forward(y, channels, plane)
    }

    fn backward(&mut self, pass: Backward<'_, T>, context: &mut Context<T>) -> Result<()> {
        let Self { geometry, weight, epilogue, planned } = self;
        let passes = planned.of(pass.x.shape(), || geometry.problem(pass.x.shape(), weight.value.shape()))?;
        let dy = dense("output gradient", pass.dy.into_slice())?;
        epilogue.backward(input(&pass.y)?, dy, plane(passes.problem()), context)?;
        if weight.trainable {
            passes.run(Pass::WeightGradient, dy, input(&pass.x)?, weight.slices_mut()?.1, context)?;
        }
        match pass.dx {
            Some(dx) => passes.run(Pass::Forward, dy, weight.values()?, output(dx)?, context),
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

/// Outputs of a channel.
fn plane(problem: &Problem) -> usize {
    problem.axes().iter().map(|axis| axis.input()).product()
}
