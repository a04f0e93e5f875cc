//! What follows the sums of a layer: its bias and its activation, and their gradients.

use super::Activation;
use crate::error::Result;
use crate::nn::sums::sum_of;
use crate::nn::work::{GRAIN, rows, share, wide};
use crate::nn::{Context, Float, Parameter, Visitor};

/// What follows the sums of a layer.
#[derive(Debug)]
pub(super) struct Epilogue<T> {
    bias: Option<Parameter<T>>,
    activation: Option<Activation>,
}

impl<T: Float> Epilogue<T> {
    pub(super) fn new(bias: Option<Parameter<T>>) -> Self {
        Self { bias, activation: None }
    }

    /// Finishes an output (batch, `channels`, `plane`).
    pub(super) fn forward(&self, y: &mut [T], channels: usize, plane: usize) -> Result<()> {
        finish(y, self.bias.as_ref().map(|bias| bias.values()).transpose()?, channels, plane, self.activation);
        Ok(())
    }

    /// What finishes rows of a plane each, of an output of so many channels, from the row of a number on.
    pub(super) fn finisher(&self, channels: usize) -> Result<impl Fn(usize, &mut [T], usize) + Sync> {
        let bias = self.bias.as_ref().map(|bias| bias.values()).transpose()?;
        Ok(move |first: usize, y: &mut [T], plane: usize| finish_rows(first, y, bias, channels, plane, self.activation))
    }

    /// As [`backward`](Self::backward) for some planes, of which `sums` become those over each of them.
    pub(super) fn unfinish_planes(activation: Option<Activation>, y: &[T], dy: &mut [T], plane: usize, sums: &mut [T]) {
        wide!({
            unapply(y, dy, activation);
            plane_sums(dy, plane, sums);
        });
    }

    /// The activation taken in.
    pub(super) fn activation(&self) -> Option<Activation> {
        self.activation
    }

    /// The gradient of the bias, if it is trained, to be written.
    pub(super) fn bias_gradient(&mut self) -> Result<Option<&mut [T]>> {
        let bias = self.bias.as_mut().filter(|bias| bias.trainable);
        Ok(bias.map(|bias| bias.slices_mut()).transpose()?.map(|(_, gradient)| gradient))
    }

    /// Takes the gradient `dy` back to the sums, in place, and writes the bias's own.
    pub(super) fn backward(&mut self, y: &[T], dy: &mut [T], plane: usize, context: &mut Context<T>) -> Result<()> {
        unfinish(y, dy, self.activation);
        if let Some(gradient) = self.bias_gradient()? {
            bias_gradient(dy, gradient, plane, context);
        }
        Ok(())
    }

    pub(super) fn visit(&mut self, visitor: &mut Visitor<'_, T>) -> Result<()> {
        self.bias.as_mut().map_or(Ok(()), |bias| visitor.parameter("bias", bias))
    }

    /// Takes an activation in whose slope follows from its value: the sums themselves are not kept.
    pub(super) fn fuse(&mut self, activation: Activation) -> bool {
        let fused = self.activation.is_none() && activation.knows_slope_by_value();
        if fused {
            self.activation = Some(activation);
        }
        fused
    }
}

/// Adds a bias to each channel of an output (batch, `channels`, `plane`), and applies an activation.
pub(in crate::nn) fn finish<T: Float>(
    y: &mut [T],
    bias: Option<&[T]>,
    channels: usize,
    plane: usize,
    activation: Option<Activation>,
) {
    if (bias.is_none() && activation.is_none()) || channels * plane == 0 {
        return;
    }
    let width = if plane == 1 { channels } else { plane };
    share(rows(y, width), GRAIN.div_ceil(width), &|first, y| {
        finish_rows(first, y.data, bias, channels, plane, activation);
    });
}

/// As [`finish`] for some rows, from the row of a number on: one channel after the other, or all of them at once where
/// each is one number.
fn finish_rows<T: Float>(
    first: usize,
    y: &mut [T],
    bias: Option<&[T]>,
    channels: usize,
    plane: usize,
    activation: Option<Activation>,
) {
    let width = if plane == 1 { channels } else { plane };
    wide!({
        for (i, y) in y.chunks_exact_mut(width).enumerate() {
            match bias {
                Some(bias) if plane == 1 => y.iter_mut().zip(bias).for_each(|(y, &b)| *y += b),
                Some(bias) => {
                    let bias = bias[(first + i) % channels];
                    y.iter_mut().for_each(|y| *y += bias);
                }
                None => {}
            }
            apply(y, activation);
        }
    });
}

/// Applies an activation in place.
#[inline(always)]
pub(super) fn apply<T: Float>(y: &mut [T], activation: Option<Activation>) {
    match activation {
        Some(Activation::Relu) => y.iter_mut().for_each(|y| *y = Activation::Relu.value(*y)),
        Some(function) => y.iter_mut().for_each(|y| *y = function.value(*y)),
        None => {}
    }
}

/// Takes gradients back through the activation, in place.
fn unfinish<T: Float>(y: &[T], dy: &mut [T], activation: Option<Activation>) {
    if activation.is_some() {
        share((y, dy), GRAIN, &|_, (y, dy)| wide!(unapply(y, dy, activation)));
    }
}

/// Takes gradients back through an activation whose slope follows from its value: only such are fused, and `x` is not
/// there any more.
#[inline(always)]
pub(super) fn unapply<T: Float>(y: &[T], dy: &mut [T], activation: Option<Activation>) {
    match activation {
        Some(Activation::Relu) => {
            for (dy, &y) in dy.iter_mut().zip(y) {
                *dy = if y > T::ZERO { *dy } else { T::ZERO };
            }
        }
        Some(function) => dy.iter_mut().zip(y).for_each(|(dy, &y)| *dy *= function.slope(y, y)),
        None => {}
    }
}

/// The gradient of a bias: the sums of `dy`, (batch, channels, `plane`), over everything but the channels.
fn bias_gradient<T: Float>(dy: &[T], gradient: &mut [T], plane: usize, context: &mut Context<T>) {
    let channels = gradient.len();
    if plane == 1 {
        share(gradient, 64, &|first, gradient| {
            wide!({
                gradient.fill(T::ZERO);
                for row in dy.chunks_exact(channels) {
                    gradient.iter_mut().zip(&row[first..]).for_each(|(sum, &value)| *sum += value);
                }
            });
        });
        return;
    }
    if plane == 0 || dy.is_empty() {
        return gradient.fill(T::ZERO);
    }
    let mut sums = context.take(dy.len() / plane);
    share((rows(dy, plane), &mut sums[..]), GRAIN.div_ceil(plane), &|_, (planes, sums)| {
        wide!(plane_sums(planes.data, plane, sums));
    });
    channel_sums(&sums, gradient);
    context.give(sums);
}

/// The sum of each plane.
#[inline(always)]
fn plane_sums<T: Float>(planes: &[T], plane: usize, sums: &mut [T]) {
    for (sum, plane) in sums.iter_mut().zip(planes.chunks_exact(plane)) {
        *sum = sum_of(plane, |value| value);
    }
}

/// The sums over the batch of what there is of each entry and channel.
pub(super) fn channel_sums<T: Float>(sums: &[T], gradient: &mut [T]) {
    let channels = gradient.len();
    for (channel, gradient) in gradient.iter_mut().enumerate() {
        *gradient = sums.iter().skip(channel).step_by(channels).copied().sum();
    }
}
