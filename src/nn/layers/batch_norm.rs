//! Batch normalisation.

use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD};

use super::Activation;
use super::moments::{COLUMNS, Moments, column_sums, long_sums};
use super::norm::{Affine, check_epsilon};
use crate::error::{Error, Result};
use crate::nn::layer::{channels, dense, input, output};
use crate::nn::work::{GRAIN, rows, share, wide};
use crate::nn::{Backward, Context, Design, Float, Init, Layer, Random, Visitor};

/// Batch normalisation (Ioffe and Szegedy 2015): each channel less its mean and by its deviation, then times a weight
/// plus a bias.
///
/// Input and output (batch, channels, …). In training mean and variance are those of the batch, and running averages
/// of them are kept, which evaluation takes. Its arrays are `weight`, `bias`, `running_mean`, `running_var` (the
/// unbiased one) and the number `num_batches_tracked`, as in PyTorch.
///
/// A batch norm whose weight and bias are both [frozen](crate::nn::Network::freeze) takes its running statistics in
/// training too, and leaves them as they are.
///
/// A ReLU right behind it is computed within it.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::nn::{BatchNorm, Sequential};
/// let mut network = Sequential::new().layer(BatchNorm::new(2).epsilon(0.0)).build(0)?;
/// let batch = array![[1.0f64, 10.0], [3.0, 30.0]].into_dyn();
/// assert_eq!(network.train(batch.view())?, array![[-1.0, -1.0], [1.0, 1.0]].into_dyn());
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    channels: usize,
    epsilon: f64,
    momentum: f64,
    affine: bool,
    weight: f64,
}

impl BatchNorm {
    /// A batch norm of so many channels, with PyTorch's numbers: epsilon 1e-5, momentum 0.1.
    pub fn new(channels: usize) -> Self {
        Self { channels, epsilon: 1e-5, momentum: 0.1, affine: true, weight: 1.0 }
    }

    /// What is added to the variance, so that a channel that is the same everywhere is not divided by 0.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// The part of the running averages that each batch replaces.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Without weight and bias.
    #[must_use]
    pub fn without_affine(mut self) -> Self {
        self.affine = false;
        self
    }

    /// The first weight; 1 unless set. With 0 for the last one of a residual block the block begins as the identity
    /// (Goyal et al. 2017).
    #[must_use]
    pub fn first_weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }
}

impl<T: Float> Design<T> for BatchNorm {
    fn build(self: Box<Self>, random: &mut Random) -> Result<Box<dyn Layer<T>>> {
        if self.channels == 0 {
            return Err(Error::argument("channels", "at least 1", 0));
        }
        check_epsilon(self.epsilon)?;
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(Error::argument("momentum", "from 0 to 1", self.momentum));
        }
        let mut all = |value| -> Result<ArrayD<T>> {
            Ok(Init::Constant(value).parameter(&[self.channels], (1, 1), random)?.value)
        };
        let (running_mean, running_var) = (all(0.0)?, all(1.0)?);
        let affine = self.affine.then(|| Affine::new(&[self.channels], self.weight, random)).transpose()?;
        Ok(Box::new(BatchNormLayer {
            design: *self,
            affine,
            running_mean,
            running_var,
            batches: 0,
            relu: false,
            of_batch: false,
            moments: Vec::new(),
            partial: Vec::new(),
            sums: Vec::new(),
            map: Map::default(),
            slope: Slope::default(),
        }))
    }
}

struct BatchNormLayer<T> {
    design: BatchNorm,
    affine: Option<Affine<T>>,
    running_mean: ArrayD<T>,
    running_var: ArrayD<T>,
    batches: u64,
    relu: bool,
    /// Whether the last forward pass took the batch's own statistics.
    of_batch: bool,
    /// Mean and variance of each channel in the last forward pass.
    moments: Vec<Moments>,
    /// The planes' own, before they are put together.
    partial: Vec<Moments>,
    sums: Vec<Sums>,
    map: Map<T>,
    slope: Slope<T>,
}

/// What happens to a channel: `(x - centre) scale + shift`. The centre is the mean, rounded; `shift` makes up for the
/// rounding.
#[derive(Debug, Default)]
struct Map<T> {
    centre: Vec<T>,
    scale: Vec<T>,
    shift: Vec<T>,
}

/// What happens to a channel's gradient: `scale dy - tilt (x - centre) - level`.
#[derive(Debug, Default)]
struct Slope<T> {
    tilt: Vec<T>,
    level: Vec<T>,
}

/// The sums over a channel of `dy`, and of `dy (x - centre)`.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    level: f64,
    tilt: f64,
}

impl<T: Float> Map<T> {
    /// What happens to channel `c`. By value: of numbers in memory the compiler would think that they change with each
    /// result that is written.
    #[inline(always)]
    fn channel(&self, c: usize) -> Channel<T> {
        Channel { centre: self.centre[c], scale: self.scale[c], shift: self.shift[c] }
    }
}

/// What happens to one channel, as in [`Map`].
#[derive(Clone, Copy)]
struct Channel<T> {
    centre: T,
    scale: T,
    shift: T,
}

impl<T: Float> Channel<T> {
    /// The value for an `x`, before the ReLU.
    #[inline(always)]
    fn value(self, x: T) -> T {
        (x - self.centre) * self.scale + self.shift
    }

    /// The gradient before the ReLU. Whether it was open is computed again as it was: the output need not be read.
    #[inline(always)]
    fn gate(self, relu: bool, x: T, dy: T) -> T {
        if !relu || self.value(x) > T::ZERO { dy } else { T::ZERO }
    }
}

/// How an array falls into channels.
#[derive(Clone, Copy, Debug)]
struct Planes {
    batch: usize,
    channels: usize,
    plane: usize,
}

impl Planes {
    /// Elements that are worked on at a time: a channel's of one sample, or all channels' where each has one.
    fn width(self) -> usize {
        if self.plane == 1 { self.channels } else { self.plane }
    }

    fn grain(self) -> usize {
        GRAIN.div_ceil(self.width().max(1))
    }

    fn is_empty(self) -> bool {
        self.batch * self.plane == 0
    }
}

impl<T: Float> BatchNormLayer<T> {
    fn planes(&self, shape: &[usize]) -> Result<Planes> {
        let (batch, channels, plane) = channels("batch norm", shape)?;
        if channels != self.design.channels {
            let expected = format!("(batch, {}, …)", self.design.channels);
            return Err(Error::argument("input", expected, format!("shape {shape:?}")));
        }
        Ok(Planes { batch, channels, plane })
    }

    /// Whether there are parameters, and none is trained.
    fn is_frozen(&self) -> bool {
        self.affine.as_ref().is_some_and(|affine| !affine.weight.trainable && !affine.bias.trainable)
    }

    /// Mean and variance of each channel of a batch.
    fn measure(&mut self, x: &[T], planes: Planes) {
        let Planes { batch, channels, plane } = planes;
        if plane == 1 {
            share(&mut self.moments[..], COLUMNS, &|first, moments| {
                wide!({
                    let (count, of) = (moments.len(), batch as f64);
                    let sums = column_sums((x, x), channels, first, count, |_, _, x, _| Float::as_f64(x));
                    let means = sums.map(|sum| sum / of);
                    let squares = column_sums((x, x), channels, first, count, |_, i, x, _| {
                        (Float::as_f64(x) - means[i]) * (Float::as_f64(x) - means[i])
                    });
                    for (moments, (mean, squares)) in moments.iter_mut().zip(means.into_iter().zip(squares)) {
                        *moments = Moments { count: of, mean, squares };
                    }
                });
            });
            return;
        }
        self.partial.clear();
        self.partial.resize(batch * channels, Moments::default());
        share((rows(x, plane), &mut self.partial[..]), planes.grain(), &|_, (x, moments)| {
            wide!({
                for (moments, x) in moments.iter_mut().zip(x.data.chunks_exact(plane)) {
                    *moments = Moments::of(x);
                }
            });
        });
        for (c, moments) in self.moments.iter_mut().enumerate() {
            let planes = self.partial.iter().skip(c).step_by(channels);
            *moments = planes.fold(Moments::default(), |all, &plane| all.with(plane));
        }
    }

    /// Takes a batch's statistics into the running ones.
    fn track(&mut self) -> Result<()> {
        let momentum = self.design.momentum;
        let blend = |running: &mut T, new: f64| {
            *running = T::from_f64((1.0 - momentum) * Float::as_f64(*running) + momentum * new);
        };
        let mean = dense("running_mean", self.running_mean.as_slice_mut())?;
        mean.iter_mut().zip(&self.moments).for_each(|(running, of)| blend(running, of.mean));
        let variance = dense("running_var", self.running_var.as_slice_mut())?;
        let unbiased = |of: &Moments| of.squares / (of.count - 1.0);
        variance.iter_mut().zip(&self.moments).for_each(|(running, of)| blend(running, unbiased(of)));
        self.batches += 1;
        Ok(())
    }

    /// Takes the running statistics.
    fn recall(&mut self) -> Result<()> {
        for (name, running) in [("running_mean", &self.running_mean), ("running_var", &self.running_var)] {
            if running.len() != self.design.channels {
                return Err(Error::shape(name, &[self.design.channels], running.shape()));
            }
        }
        for ((of, &mean), &variance) in self.moments.iter_mut().zip(&self.running_mean).zip(&self.running_var) {
            *of = Moments { count: 1.0, mean: Float::as_f64(mean), squares: Float::as_f64(variance) };
        }
        Ok(())
    }

    /// What to do to each channel.
    fn set_map(&mut self) -> Result<()> {
        let Self { affine, moments, map, design, .. } = self;
        let affine = affine.as_ref().map(|affine| affine.values()).transpose()?;
        for all in [&mut map.centre, &mut map.scale, &mut map.shift] {
            all.resize(design.channels, T::ZERO);
        }
        for (c, of) in moments.iter().enumerate() {
            let (weight, bias) = affine.map_or((1.0, 0.0), |(w, b)| (Float::as_f64(w[c]), Float::as_f64(b[c])));
            let scale = weight * inverse(*of, design.epsilon);
            map.centre[c] = T::from_f64(of.mean);
            map.scale[c] = T::from_f64(scale);
            map.shift[c] = T::from_f64(bias - (of.mean - Float::as_f64(map.centre[c])) * scale);
        }
        Ok(())
    }

    /// The sums of the gradients over each channel.
    fn sum_gradients(&mut self, x: &[T], dy: &[T], planes: Planes) {
        let Planes { batch, channels, plane } = planes;
        let Self { map, sums, relu, .. } = self;
        let (map, relu) = (&*map, *relu);
        sums.clear();
        if plane == 1 {
            sums.resize(channels, Sums::default());
            share(&mut sums[..], COLUMNS, &|first, sums| {
                wide!({
                    let count = sums.len();
                    let gate = |i, x, dy| map.channel(first + i).gate(relu, x, dy);
                    let level =
                        column_sums((x, dy), channels, first, count, |_, i, x, dy| Float::as_f64(gate(i, x, dy)));
                    let tilt = column_sums((x, dy), channels, first, count, |_, i, x, dy| {
                        Float::as_f64(gate(i, x, dy) * (x - map.centre[first + i]))
                    });
                    for (sums, (level, tilt)) in sums.iter_mut().zip(level.into_iter().zip(tilt)) {
                        *sums = Sums { level, tilt };
                    }
                });
            });
            return;
        }
        sums.resize(batch * channels, Sums::default());
        share((rows(x, plane), rows(dy, plane), &mut sums[..]), planes.grain(), &|first, (x, dy, sums)| {
            wide!({
                let given = x.data.chunks_exact(plane).zip(dy.data.chunks_exact(plane));
                for (i, (sums, (x, dy))) in sums.iter_mut().zip(given).enumerate() {
                    let channel = map.channel((first + i) % channels);
                    let [level, tilt] = long_sums(x, dy, |x, dy| {
                        let dy = channel.gate(relu, x, dy);
                        [dy, dy * (x - channel.centre)]
                    });
                    *sums = Sums { level, tilt };
                }
            });
        });
        for c in 0..channels {
            let (mut level, mut tilt) = (0.0, 0.0);
            for plane in sums.iter().skip(c).step_by(channels) {
                level += plane.level;
                tilt += plane.tilt;
            }
            sums[c] = Sums { level, tilt };
        }
        sums.truncate(channels);
    }

    /// Writes the gradients of weight and bias, and what to do to that of each channel.
    fn set_slope(&mut self, planes: Planes) -> Result<()> {
        let Self { design, affine, moments, map, slope, sums, .. } = self;
        slope.tilt.resize(design.channels, T::ZERO);
        slope.level.resize(design.channels, T::ZERO);
        let count = (planes.batch * planes.plane) as f64;
        let mut written = affine.as_mut().map(Affine::gradients).transpose()?;
        for (c, (of, sums)) in moments.iter().zip(sums.iter()).enumerate() {
            let inverse = inverse(*of, design.epsilon);
            let scale = Float::as_f64(map.scale[c]);
            let off = of.mean - Float::as_f64(map.centre[c]);
            let weight = (sums.tilt - off * sums.level) * inverse;
            if let Some((weights, biases)) = &mut written {
                weights[c] = T::from_f64(weight);
                biases[c] = T::from_f64(sums.level);
            }
            // Where the statistics are not the batch's they do not move with it.
            let (tilt, level) = match self.of_batch {
                true => (scale * weight * inverse / count, scale * sums.level / count),
                false => (0.0, 0.0),
            };
            slope.tilt[c] = T::from_f64(tilt);
            slope.level[c] = T::from_f64(level - tilt * off);
        }
        Ok(())
    }
}

/// One by the deviation.
fn inverse(of: Moments, epsilon: f64) -> f64 {
    1.0 / (of.variance() + epsilon).sqrt()
}

impl<T: Float> Layer<T> for BatchNormLayer<T> {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.planes(input)?;
        Ok(input.to_vec())
    }

    fn forward(&mut self, x: ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, context: &mut Context<T>) -> Result<()> {
        let planes = self.planes(x.shape())?;
        let (x, y) = (input(&x)?, output(y)?);
        if planes.is_empty() {
            return Ok(());
        }
        self.of_batch = context.is_training() && !self.is_frozen();
        self.moments.resize(planes.channels, Moments::default());
        if self.of_batch {
            if planes.batch * planes.plane == 1 {
                let expected = "more than one number of each channel, to learn from their variance";
                return Err(Error::argument("input", expected, "one"));
            }
            self.measure(x, planes);
            self.track()?;
        } else {
            self.recall()?;
        }
        self.set_map()?;
        let (map, relu, width) = (&self.map, self.relu, planes.width());
        share((rows(x, width), rows(y, width)), planes.grain(), &|first, (x, y)| {
            wide!({
                let finish = |value: T| if relu { Activation::Relu.value(value) } else { value };
                for (i, (x, y)) in x.data.chunks_exact(width).zip(y.data.chunks_exact_mut(width)).enumerate() {
                    let all = y.iter_mut().zip(x);
                    match planes.plane {
                        1 => all.enumerate().for_each(|(c, (y, &x))| *y = finish(map.channel(c).value(x))),
                        _ => {
                            let channel = map.channel((first + i) % planes.channels);
                            all.for_each(|(y, &x)| *y = finish(channel.value(x)));
                        }
                    }
                }
            });
        });
        Ok(())
    }

    fn backward(&mut self, pass: Backward<'_, T>, _: &mut Context<T>) -> Result<()> {
        let planes = self.planes(pass.x.shape())?;
        let (x, dy) = (input(&pass.x)?, dense("output gradient", pass.dy.as_slice())?);
        if planes.is_empty() {
            return self.affine.as_mut().map_or(Ok(()), Affine::clear);
        }
        if self.map.scale.len() != planes.channels {
            return Err(Error::argument("backward", "a forward pass before it", "none"));
        }
        if self.of_batch || !self.is_frozen() {
            self.sum_gradients(x, dy, planes);
        } else {
            self.sums.clear();
            self.sums.resize(planes.channels, Sums::default());
        }
        self.set_slope(planes)?;
        let Some(dx) = pass.dx else { return Ok(()) };
        let (map, slope, relu, width) = (&self.map, &self.slope, self.relu, planes.width());
        share((rows(x, width), rows(dy, width), rows(output(dx)?, width)), planes.grain(), &|first, (x, dy, dx)| {
            wide!({
                let of = |c: usize| (map.channel(c), slope.tilt[c], slope.level[c]);
                let back = |(channel, tilt, level): (Channel<T>, T, T), x: T, dy: T| {
                    channel.scale * channel.gate(relu, x, dy) - tilt * (x - channel.centre) - level
                };
                let given = x.data.chunks_exact(width).zip(dy.data.chunks_exact(width));
                for (i, (dx, (x, dy))) in dx.data.chunks_exact_mut(width).zip(given).enumerate() {
                    let all = dx.iter_mut().zip(x.iter().zip(dy));
                    match planes.plane {
                        1 => all.enumerate().for_each(|(c, (dx, (&x, &dy)))| *dx = back(of(c), x, dy)),
                        _ => {
                            let of = of((first + i) % planes.channels);
                            all.for_each(|(dx, (&x, &dy))| *dx = back(of, x, dy));
                        }
                    }
                }
            });
        });
        Ok(())
    }

    fn visit(&mut self, visitor: &mut Visitor<'_, T>) -> Result<()> {
        if let Some(affine) = &mut self.affine {
            affine.visit(visitor)?;
        }
        visitor.buffer("running_mean", &mut self.running_mean)?;
        visitor.buffer("running_var", &mut self.running_var)?;
        visitor.count("num_batches_tracked", &mut self.batches)
    }

    fn fuse(&mut self, activation: Activation) -> bool {
        let fused = !self.relu && activation == Activation::Relu;
        self.relu |= fused;
        fused
    }
}
