//! Layer normalisation.

use ndarray::{ArrayViewD, ArrayViewMutD};

use super::Extents;
use super::moments::{COLUMNS, Moments, column_sums, long_sum};
use super::norm::{Affine, check_epsilon};
use crate::error::{Error, Result};
use crate::nn::layer::{dense, input, output, volume};
use crate::nn::work::{GRAIN, rows, share};
use crate::nn::{Backward, Context, Design, Float, Layer, Random, Visitor};
use crate::simd::vectorised;

/// Layer normalisation (Ba et al. 2016): the last axes of each sample less their mean and by their deviation, then
/// times a weight plus a bias for each place.
///
/// Input and output (batch, …, normalised axes). Its arrays are `weight` and `bias`, of the normalised axes' shape, as
/// in PyTorch. Training and evaluation are the same.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::nn::{LayerNorm, Sequential};
/// let mut network = Sequential::new().layer(LayerNorm::new(2).epsilon(0.0)).build(0)?;
/// let batch = array![[1.0f64, 3.0], [30.0, 10.0]].into_dyn();
/// assert_eq!(network.forward(batch.view())?, array![[-1.0, 1.0], [1.0, -1.0]].into_dyn());
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNorm {
    shape: Extents,
    epsilon: f64,
    affine: bool,
}

impl LayerNorm {
    /// Normalises the last axes, which have this shape: `768`, `[12, 64]`. Epsilon is 1e-5.
    pub fn new(shape: impl Into<Extents>) -> Self {
        Self { shape: shape.into(), epsilon: 1e-5, affine: true }
    }

    /// What is added to the variance, so that numbers that are all the same are not divided by 0.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Without weight and bias.
    #[must_use]
    pub fn without_affine(mut self) -> Self {
        self.affine = false;
        self
    }
}

impl<T: Float> Design<T> for LayerNorm {
    fn build(self: Box<Self>, random: &mut Random) -> Result<Box<dyn Layer<T>>> {
        let shape = self.shape.0;
        if shape.is_empty() || shape.contains(&0) {
            return Err(Error::argument("shape", "at least one axis, none of extent 0", format!("{shape:?}")));
        }
        check_epsilon(self.epsilon)?;
        let affine = self.affine.then(|| Affine::new(&shape, 1.0, random)).transpose()?;
        Ok(Box::new(LayerNormLayer { shape, epsilon: self.epsilon, affine, maps: Vec::new() }))
    }
}

struct LayerNormLayer<T> {
    shape: Vec<usize>,
    epsilon: f64,
    affine: Option<Affine<T>>,
    /// What the last forward pass did to each row.
    maps: Vec<Map<T>>,
}

/// What happens to a row: `(x - centre) scale + shift`. The centre is the mean, rounded; `shift` makes up for the
/// rounding.
#[derive(Clone, Copy, Debug)]
struct Map<T> {
    centre: T,
    scale: T,
    shift: T,
}

impl<T: Float> Map<T> {
    #[inline(always)]
    fn of(moments: Moments, epsilon: f64) -> Self {
        let (centre, scale) = (T::from_f64(moments.mean), 1.0 / (moments.variance() + epsilon).sqrt());
        let shift = (Float::as_f64(centre) - moments.mean) * scale;
        Self { centre, scale: T::from_f64(scale), shift: T::from_f64(shift) }
    }

    #[inline(always)]
    fn value(self, x: T) -> T {
        (x - self.centre) * self.scale + self.shift
    }
}

impl<T: Float> LayerNormLayer<T> {
    /// Numbers of a row.
    fn width(&self, input: &[usize]) -> Result<usize> {
        match input.strip_suffix(&self.shape[..]) {
            Some([_, ..]) => Ok(volume(&self.shape)),
            _ => {
                let expected = format!("(batch, …) and then {:?}", self.shape);
                Err(Error::argument("input", expected, format!("shape {input:?}")))
            }
        }
    }

    /// Writes the gradients of weight and bias.
    fn learn(&mut self, x: &[T], dy: &[T], width: usize) -> Result<()> {
        let Some(affine) = self.affine.as_mut().filter(|a| a.weight.trainable || a.bias.trainable) else {
            return Ok(());
        };
        let maps = &self.maps;
        share(affine.gradients()?, COLUMNS, &|first, (weight, bias)| {
            vectorised(|| {
                let count = weight.len();
                let weights =
                    column_sums((x, dy), width, first, count, |row, _, x, dy| Float::as_f64(dy * maps[row].value(x)));
                let biases = column_sums((dy, dy), width, first, count, |_, _, dy, _| Float::as_f64(dy));
                weight.iter_mut().zip(weights).for_each(|(to, sum)| *to = T::from_f64(sum));
                bias.iter_mut().zip(biases).for_each(|(to, sum)| *to = T::from_f64(sum));
            });
        });
        Ok(())
    }
}

impl<T: Float> Layer<T> for LayerNormLayer<T> {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.width(input)?;
        Ok(input.to_vec())
    }

    fn forward(&mut self, x: ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, _: &mut Context<T>) -> Result<()> {
        let width = self.width(x.shape())?;
        let (x, y) = (input(&x)?, output(y)?);
        let affine = self.affine.as_ref().map(|affine| affine.values()).transpose()?;
        let (epsilon, none) = (self.epsilon, Map { centre: T::ZERO, scale: T::ZERO, shift: T::ZERO });
        self.maps.clear();
        self.maps.resize(x.len() / width, none);
        share((rows(x, width), rows(y, width), &mut self.maps[..]), GRAIN.div_ceil(width), &|_, (x, y, maps)| {
            vectorised(|| {
                let both = x.data.chunks_exact(width).zip(y.data.chunks_exact_mut(width));
                for (map, (x, y)) in maps.iter_mut().zip(both) {
                    *map = Map::of(Moments::of(x), epsilon);
                    let (map, values) = (*map, y.iter_mut().zip(x));
                    match affine {
                        Some((weight, bias)) => values
                            .zip(weight.iter().zip(bias))
                            .for_each(|((y, &x), (&weight, &bias))| *y = map.value(x) * weight + bias),
                        None => values.for_each(|(y, &x)| *y = map.value(x)),
                    }
                }
            });
        });
        Ok(())
    }

    fn backward(&mut self, pass: Backward<'_, T>, _: &mut Context<T>) -> Result<()> {
        let width = self.width(pass.x.shape())?;
        let (x, dy) = (input(&pass.x)?, dense("output gradient", pass.dy.into_slice())?);
        if self.maps.len() * width != x.len() {
            return Err(Error::argument("backward", "a forward pass on the same shape before it", "another"));
        }
        self.learn(x, dy, width)?;
        let Some(dx) = pass.dx else { return Ok(()) };
        let weight = self.affine.as_ref().map(|affine| affine.values()).transpose()?.map(|(weight, _)| weight);
        let arrays = (rows(x, width), rows(dy, width), rows(output(dx)?, width), &self.maps[..]);
        share(arrays, GRAIN.div_ceil(width), &|_, (x, dy, dx, maps)| {
            vectorised(|| {
                let given = x.data.chunks_exact(width).zip(dy.data.chunks_exact_mut(width));
                for ((dx, &map), (x, dy)) in dx.data.chunks_exact_mut(width).zip(maps).zip(given) {
                    if let Some(weight) = weight {
                        dy.iter_mut().zip(weight).for_each(|(dy, &weight)| *dy *= weight);
                    }
                    let level = T::from_f64(long_sum(x, dy, |_, dy| dy) / width as f64);
                    let tilt = T::from_f64(long_sum(x, dy, |x, dy| map.value(x) * dy) / width as f64);
                    for (dx, (&x, &dy)) in dx.iter_mut().zip(x.iter().zip(&*dy)) {
                        *dx = map.scale * (dy - level - map.value(x) * tilt);
                    }
                }
            });
        });
        Ok(())
    }

    fn visit(&mut self, visitor: &mut Visitor<'_, T>) -> Result<()> {
        self.affine.as_mut().map_or(Ok(()), |affine| affine.visit(visitor))
    }
}
