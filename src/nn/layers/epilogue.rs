//! What follows the sums of a layer: its bias and its activation, and their gradients.

use super::Activation;
use crate::error::Result;
use crate::nn::sums::sum_of;
use crate::nn::work::{GRAIN, rows, share};
use crate::nn::{Context, Float, Parameter, Visitor};
use crate::simd::vectorised;

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

    /// Takes the gradient `dy` back to the sums, in place, and writes the bias's own.
    pub(super) fn backward(&mut self, y: &[T], dy: &mut [T], plane: usize, context: &mut Context<T>) -> Result<()> {
        unfinish(y, dy, self.activation);
        match self.bias.as_mut().filter(|bias| bias.trainable) {
            Some(bias) => bias_gradient(dy, bias, plane, context),
            None => Ok(()),
        }
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
    // One channel after the other, or all of a row at once where each is one number.
    let width = if plane == 1 { channels } else { plane };
    share(rows(y, width), GRAIN.div_ceil(width), &|first, y| {
        if plane == 1 {
            finish_rows(y.data, width, bias, activation);
        } else {
            finish_planes(y.data, width, first, bias, activation);
        }
    });
}

vectorised! {
    /// Rows of one number a channel.
    fn finish_rows<T: Float>(y: &mut [T], width: usize, bias: Option<&[T]>, activation: Option<Activation>) {
        for y in y.chunks_exact_mut(width) {
            if let Some(bias) = bias {
                for (y, &b) in y.iter_mut().zip(bias) {
                    *y += b;
                }
            }
            apply(y, activation);
        }
    }
}

vectorised! {
    /// Planes of one channel each, beginning with plane `first` of all.
    fn finish_planes<T: Float>(y: &mut [T], width: usize, first: usize, bias: Option<&[T]>, activation: Option<Activation>) {
        for (i, y) in y.chunks_exact_mut(width).enumerate() {
            match (bias, activation) {
                (Some(bias), Some(Activation::Relu)) => {
                    let bias = bias[(first + i) % bias.len()];
                    for y in y {
                        *y = Activation::Relu.value(*y + bias);
                    }
                }
                (Some(bias), activation) => {
                    let bias = bias[(first + i) % bias.len()];
                    for y in &mut *y {
                        *y += bias;
                    }
                    apply(y, activation);
                }
                (None, activation) => apply(y, activation),
            }
        }
    }
}

/// Applies an activation in place.
#[inline(always)]
pub(super) fn apply<T: Float>(y: &mut [T], activation: Option<Activation>) {
    match activation {
        Some(Activation::Relu) => {
            for y in y {
                *y = Activation::Relu.value(*y);
            }
        }
        Some(function) => {
            for y in y {
                *y = function.value(*y);
            }
        }
        None => {}
    }
}

/// Takes gradients back through the activation, in place.
fn unfinish<T: Float>(y: &[T], dy: &mut [T], activation: Option<Activation>) {
    if activation.is_some() {
        share((y, dy), GRAIN, &|_, (y, dy)| unfinish_part(y, dy, activation));
    }
}

vectorised! {
    fn unfinish_part<T: Float>(y: &[T], dy: &mut [T], activation: Option<Activation>) {
        unapply(y, dy, activation);
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
        Some(function) => {
            for (dy, &y) in dy.iter_mut().zip(y) {
                *dy *= function.slope(y, y);
            }
        }
        None => {}
    }
}

/// The gradient of a bias: the sums of `dy`, (batch, channels, `plane`), over everything but the channels.
fn bias_gradient<T: Float>(dy: &[T], bias: &mut Parameter<T>, plane: usize, context: &mut Context<T>) -> Result<()> {
    let (_, gradient) = bias.slices_mut()?;
    let channels = gradient.len();
    if plane == 1 {
        share(gradient, 64, &|first, gradient| sum_columns(dy, channels, first, gradient));
        return Ok(());
    }
    if plane == 0 || dy.is_empty() {
        gradient.fill(T::ZERO);
        return Ok(());
    }
    let mut sums = context.take(dy.len() / plane);
    let grain = GRAIN.div_ceil(plane);
    share((rows(dy, plane), &mut sums[..]), grain, &|_, (planes, sums)| sum_planes(planes.data, plane, sums));
    for (channel, gradient) in gradient.iter_mut().enumerate() {
        *gradient = sums.iter().skip(channel).step_by(channels).copied().sum();
    }
    context.give(sums);
    Ok(())
}

vectorised! {
    /// The sums of some columns, from column `first`, of rows of `width`.
    fn sum_columns<T: Float>(data: &[T], width: usize, first: usize, sums: &mut [T]) {
        sums.fill(T::ZERO);
        for row in data.chunks_exact(width) {
            for (sum, &value) in sums.iter_mut().zip(&row[first..]) {
                *sum += value;
            }
        }
    }
}

vectorised! {
    fn sum_planes<T: Float>(planes: &[T], width: usize, sums: &mut [T]) {
        for (sum, plane) in sums.iter_mut().zip(planes.chunks_exact(width)) {
            *sum = sum_of(plane, |value| value);
        }
    }
}
