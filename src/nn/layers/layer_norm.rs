//! Layer normalisation.

use ndarray::{ArrayViewD, ArrayViewMutD};

use super::Extents;
use super::moments::{Moments, long_sums};
use super::norm::{Affine, check_epsilon};
use crate::error::{Error, Result};
use crate::nn::layer::{dense, input, output, volume};
use crate::nn::work::{GRAIN, rows, share, wide};
use crate::nn::{Backward, Context, Design, Float, Layer, Random, Visitor};

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
}

/// Blocks of rows, each with sums of its own of the gradients of weight and bias: as many at the most, so that they
/// take little memory, whatever the number of threads.
const BLOCKS: usize = 64;
/// Rows of a block at the least.
const ROWS: usize = 16;

/// Takes gradients back through some rows: writes those by the input, if asked for, and adds to those by weight and
/// bias.
#[inline(always)]
fn back<T: Float>(
    maps: &[Map<T>],
    weight: Option<&[T]>,
    (x, dy): (&[T], &mut [T]),
    mut dx: Option<&mut [T]>,
    (weights, biases): (&mut [T], &mut [T]),
    width: usize,
) {
    for (row, (&map, (x, dy))) in maps.iter().zip(x.chunks_exact(width).zip(dy.chunks_exact_mut(width))).enumerate() {
        if let Some(weight) = weight {
            let sums = weights.iter_mut().zip(biases.iter_mut());
            for ((weights, biases), (&x, (dy, &weight))) in sums.zip(x.iter().zip(dy.iter_mut().zip(weight))) {
                *weights += *dy * map.value(x);
                *biases += *dy;
                *dy *= weight;
            }
        }
        let Some(dx) = dx.as_mut().and_then(|dx| dx.get_mut(row * width..(row + 1) * width)) else { continue };
        let [level, tilt] =
            long_sums(x, dy, |x, dy| [dy, map.value(x) * dy]).map(|sum| T::from_f64(sum / width as f64));
        for (dx, (&x, &dy)) in dx.iter_mut().zip(x.iter().zip(&*dy)) {
            *dx = map.scale * (dy - level - map.value(x) * tilt);
        }
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
            wide!({
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

    fn backward(&mut self, pass: Backward<'_, T>, context: &mut Context<T>) -> Result<()> {
        let width = self.width(pass.x.shape())?;
        let (x, dy) = (input(&pass.x)?, dense("output gradient", pass.dy.into_slice())?);
        if self.maps.len() * width != x.len() {
            return Err(Error::argument("backward", "a forward pass on the same shape before it", "another"));
        }
        let weight = self.affine.as_ref().map(|affine| affine.values()).transpose()?.map(|(weight, _)| weight);
        let block = self.maps.len().div_ceil(BLOCKS).max(ROWS);
        let blocks = self.maps.len().div_ceil(block);
        let mut sums = context.take(2 * blocks * width);
        sums.fill(T::ZERO);
        let (x, dy, elements) = (rows(x, block * width), rows(dy, block * width), block * width);
        let (maps, sums_by_block) = (rows(&self.maps[..], block), rows(&mut sums[..], 2 * width));
        match pass.dx {
            Some(dx) => {
                let dx = rows(output(dx)?, elements);
                share((x, dy, maps, sums_by_block, dx), 1, &|_, (x, dy, maps, sums, dx)| {
                    let Some(sums) = sums.data.split_at_mut_checked(width) else { return };
                    wide!(back(maps.data, weight, (x.data, dy.data), Some(dx.data), sums, width));
                });
            }
            None => share((x, dy, maps, sums_by_block), 1, &|_, (x, dy, maps, sums)| {
                let Some(sums) = sums.data.split_at_mut_checked(width) else { return };
                wide!(back(maps.data, weight, (x.data, dy.data), None, sums, width));
            }),
        }
        if let Some(affine) = &mut self.affine {
            let (weight, bias) = affine.gradients()?;
            weight.iter_mut().chain(bias).enumerate().for_each(|(place, gradient)| {
                let sum: f64 = sums.iter().skip(place).step_by(2 * width).map(|&sum| Float::as_f64(sum)).sum();
                *gradient = T::from_f64(sum);
            });
        }
        context.give(sums);
        Ok(())
    }

    fn visit(&mut self, visitor: &mut Visitor<'_, T>) -> Result<()> {
        self.affine.as_mut().map_or(Ok(()), |affine| affine.visit(visitor))
    }
}
