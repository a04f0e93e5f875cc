//! Convolution layers.

use ndarray::{ArrayViewD, ArrayViewMutD};

use super::conv_pool::{Pooling, Written};
use super::epilogue::Epilogue;
use super::options::conv_setters;
use super::passes::Planned;
use super::{Activation, ConvOptions, Extents, Window};
use crate::error::{Error, Result};
use crate::nn::layer::{dense, input, output, volume};
use crate::nn::{Backward, Context, Design, Float, Init, Layer, Parameter, Random, Visitor};
use crate::problem::{Pass, Problem};

/// A convolution over `N` spatial axes, with a bias for each output channel.
///
/// Input (batch, channels, spatial …), output (batch, output channels, spatial …). Its arrays are `weight`
/// (output channels, channels a group, taps …) and `bias` (output channels), as in PyTorch. As in every neural network,
/// the kernel is not flipped.
///
/// ```
/// use faltung::nn::{Conv2d, Sequential};
/// let design = Sequential::<f32>::new().layer(Conv2d::new(3, 64, [7, 7]).stride(2).padding(3).without_bias());
/// assert_eq!(design.build(1)?.output_shape(&[8, 3, 224, 224])?, [8, 64, 112, 112]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Conv<const N: usize> {
    in_channels: usize,
    out_channels: usize,
    kernel: Extents,
    options: ConvOptions,
    bias: bool,
    init: (Init, Init),
}

/// A convolution over signals: (batch, channels, length).
pub type Conv1d = Conv<1>;
/// A convolution over images: (batch, channels, height, width).
pub type Conv2d = Conv<2>;
/// A convolution over volumes: (batch, channels, depth, height, width).
pub type Conv3d = Conv<3>;

impl<const N: usize> Conv<N> {
    /// A convolution of so many channels to so many.
    pub fn new(in_channels: usize, out_channels: usize, kernel: impl Into<Extents>) -> Self {
        let (options, init) = (ConvOptions::new(), (Init::default(), Init::default()));
        Self { in_channels, out_channels, kernel: kernel.into(), options, bias: true, init }
    }

    /// As much padding as gives an output for every `stride`-th input.
    #[must_use]
    pub fn same(mut self) -> Self {
        self.options = self.options.same();
        self
    }

    conv_setters!();
}

impl<T: Float, const N: usize> Design<T> for Conv<N> {
    fn build(self: Box<Self>, random: &mut Random) -> Result<Box<dyn Layer<T>>> {
        let kernel = self.kernel.over("kernel", N)?;
        let groups = self.options.group_count();
        let inputs = group(self.in_channels, groups, "in_channels")?;
        let outputs = group(self.out_channels, groups, "out_channels")?;
        if let Some(axis) = kernel.iter().position(|&k| k == 0) {
            return Err(Error::argument("kernel", "at least one tap on each axis", format!("none on axis {axis}")));
        }
        let taps = volume(&kernel);
        let fans = (inputs.saturating_mul(taps), outputs.saturating_mul(taps));
        let shape: Vec<usize> = [self.out_channels, inputs].into_iter().chain(kernel.iter().copied()).collect();
        let weight = self.init.0.parameter(&shape, fans, random)?;
        let bias = self.bias.then(|| self.init.1.parameter(&[self.out_channels], fans, random)).transpose()?;
        let (options, in_channels) = (self.options, self.in_channels);
        Ok(Box::new(ConvLayer {
            in_channels,
            kernel,
            options,
            weight,
            epilogue: Epilogue::new(bias),
            pooling: None,
            planned: Planned::new(),
        }))
    }
}

/// The channels of a group.
pub(super) fn group(channels: usize, groups: usize, name: &'static str) -> Result<usize> {
    if groups == 0 {
        return Err(Error::argument("groups", "at least 1", 0));
    }
    if channels == 0 || !channels.is_multiple_of(groups) {
        return Err(Error::argument(name, format!("a multiple of groups = {groups}, above 0"), channels));
    }
    Ok(channels / groups)
}

struct ConvLayer<T> {
    in_channels: usize,
    kernel: Vec<usize>,
    options: ConvOptions,
    weight: Parameter<T>,
    epilogue: Epilogue<T>,
    pooling: Option<Pooling<T>>,
    planned: Planned<T>,
}

/// The problem of an input, which is to have so many channels, and a weight.
pub(in crate::nn) fn problem(
    input: &[usize],
    channels: usize,
    weight: &[usize],
    options: &ConvOptions,
) -> Result<Problem> {
    match (input, weight) {
        ([_, given, ..], [outputs, _, kernel @ ..]) if *given == channels => {
            options.problem(input, *outputs, kernel)?.build()
        }
        _ => Err(Error::argument("input", format!("(batch, {channels}, …)"), format!("shape {input:?}"))),
    }
}

impl<T: Float> Layer<T> for ConvLayer<T> {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        if input.len() != self.kernel.len() + 2 {
            let expected = format!("(batch, {}) and {} spatial axes", self.in_channels, self.kernel.len());
            return Err(Error::argument("input", expected, format!("shape {input:?}")));
        }
        let sums = problem(input, self.in_channels, self.weight.value.shape(), &self.options)?.output_shape();
        self.pooling.as_ref().map_or(Ok(sums.clone()), |pooling| pooling.output_shape(&sums))
    }

    fn forward(&mut self, x: ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, context: &mut Context<T>) -> Result<()> {
        let Self { in_channels, options, weight, epilogue, pooling, planned, .. } = self;
        let make = |shape: &[usize]| problem(shape, *in_channels, weight.value.shape(), options);
        let (channels, plane) = (y.shape()[1], volume(&y.shape()[2..]));
        let (shape, y) = (x.shape(), output(y)?);
        let x = input(&x)?;
        match pooling {
            Some(pooling) => {
                let finish = epilogue.finisher(channels)?;
                return pooling.forward(planned, make, (shape, x), weight.values()?, y, &finish, context);
            }
            None => planned.of(shape, || make(shape))?.run(Pass::Forward, x, weight.values()?, y, context)?,
        }
        epilogue.forward(y, channels, plane)
    }

    fn backward(&mut self, pass: Backward<'_, T>, context: &mut Context<T>) -> Result<()> {
        let Self { in_channels, kernel, options, weight, epilogue, pooling, planned } = self;
        let (shape, plane) = (pass.x.shape(), volume(&pass.y.shape()[2..]));
        let (x, dx) = (input(&pass.x)?, pass.dx.map(output).transpose()?);
        let dy = dense("output gradient", pass.dy.into_slice())?;
        let y = input(&pass.y)?;
        // The problem needs the weight's shape only, which is had beside its slices.
        let [outputs, inputs] = [0, 1].map(|axis| weight.value.shape()[axis]);
        let make = |shape: &[usize]| {
            let weight: Vec<usize> = [outputs, inputs].into_iter().chain(kernel.iter().copied()).collect();
            problem(shape, *in_channels, &weight, options)
        };
        let trainable = weight.trainable;
        let (weight, gradient) = weight.slices_mut()?;
        let gradient = trainable.then_some(gradient);
        if let Some(pooling) = pooling {
            let written = Written { weight: gradient, input: dx };
            return pooling.backward(planned, make, (shape, x), weight, (y, dy), epilogue, written, context);
        }
        epilogue.backward(y, dy, plane, context)?;
        let passes = planned.of(shape, || make(shape))?;
        if let Some(gradient) = gradient {
            passes.run(Pass::WeightGradient, x, dy, gradient, context)?;
        }
        match dx {
            Some(dx) => passes.run(Pass::InputGradient, dy, weight, dx, context),
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

    fn fuse_max_pool(&mut self, window: &Window) -> bool {
        if self.pooling.is_none() && window.rank() == self.kernel.len() {
            self.pooling = Pooling::new(window);
            return self.pooling.is_some();
        }
        false
    }
}
