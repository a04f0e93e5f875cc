//! Pooling of whole planes.

use ndarray::{ArrayViewD, ArrayViewMutD};

use super::window::larger;
use crate::error::{Error, Result};
use crate::nn::layer::{channels, dense, input, output};
use crate::nn::sums::sum_of;
use crate::nn::work::{GRAIN, rows, share, wide};
use crate::nn::{Backward, Context, Design, Float, Layer, Random};

/// The average of each channel: (batch, channels, …) becomes (batch, channels).
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::nn::{GlobalAvgPool, Sequential};
/// let mut network = Sequential::new().layer(GlobalAvgPool).build(0)?;
/// let image = array![[[[1.0f32, 2.0], [3.0, 6.0]]]].into_dyn();
/// assert_eq!(network.forward(image.view())?, array![[3.0f32]].into_dyn());
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GlobalAvgPool;

/// The largest number of each channel: (batch, channels, …) becomes (batch, channels). NaN is larger than any number;
/// the gradient goes to the first of the largest.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::nn::{GlobalMaxPool, Sequential};
/// let mut network = Sequential::new().layer(GlobalMaxPool).build(0)?; // "max over time" of a text network
/// let text = array![[[1.0f32, 7.0, 3.0], [-4.0, -2.0, -9.0]]].into_dyn();
/// assert_eq!(network.forward(text.view())?, array![[7.0f32, -2.0]].into_dyn());
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GlobalMaxPool;

/// Numbers of a channel, where there are any.
fn plane(shape: &[usize]) -> Result<usize> {
    match channels("global pooling", shape)? {
        (_, _, 0) => Err(Error::argument("input", "at least one number of each channel", format!("shape {shape:?}"))),
        (_, _, plane) => Ok(plane),
    }
}

/// The first place of the largest number.
#[inline(always)]
fn peak<T: Float>(x: &[T]) -> usize {
    let most = most(x);
    x.iter().position(|&x| x == most || x.is_nan()).unwrap_or(0)
}

#[inline(always)]
fn most<T: Float>(x: &[T]) -> T {
    let mut lanes = [T::NEG_INFINITY; 16];
    let (whole, rest) = x.as_chunks::<16>();
    for x in whole {
        for (most, &x) in lanes.iter_mut().zip(x) {
            *most = larger(*most, x);
        }
    }
    lanes.iter().chain(rest).fold(T::NEG_INFINITY, |most, &x| larger(most, x))
}

/// Writes a number for each channel.
fn pool<T: Float>(x: &ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, of: impl Fn(&[T]) -> T + Copy + Sync) -> Result<()> {
    let plane = plane(x.shape())?;
    share((rows(input(x)?, plane), output(y)?), GRAIN.div_ceil(plane), &|_, (x, y)| {
        wide!(x.data.chunks_exact(plane).zip(y).for_each(|(x, y)| *y = of(x)));
    });
    Ok(())
}

/// Writes the gradient of each channel's numbers from that of the one that they became.
fn back<T: Float>(pass: Backward<'_, T>, of: impl Fn(&[T], T, &mut [T]) + Copy + Sync) -> Result<()> {
    let Some(dx) = pass.dx else { return Ok(()) };
    let plane = plane(pass.x.shape())?;
    let dy = dense("output gradient", pass.dy.as_slice())?;
    let arrays = (rows(input(&pass.x)?, plane), dy, rows(output(dx)?, plane));
    share(arrays, GRAIN.div_ceil(plane), &|_, (x, dy, dx)| {
        let planes = x.data.chunks_exact(plane).zip(dx.data.chunks_exact_mut(plane));
        wide!(planes.zip(dy).for_each(|((x, dx), &dy)| of(x, dy, dx)));
    });
    Ok(())
}

macro_rules! global {
    ($name:ident, $pool:expr, $back:expr) => {
        impl<T: Float> Design<T> for $name {
            fn build(self: Box<Self>, _: &mut Random) -> Result<Box<dyn Layer<T>>> {
                Ok(self)
            }
        }

        impl<T: Float> Layer<T> for $name {
            fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
                plane(input)?;
                Ok(input[..2].to_vec())
            }

            fn forward(&mut self, x: ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, _: &mut Context<T>) -> Result<()> {
                pool(&x, y, $pool)
            }

            fn backward(&mut self, pass: Backward<'_, T>, _: &mut Context<T>) -> Result<()> {
                back(pass, $back)
            }
        }
    };
}

global!(
    GlobalAvgPool,
    #[inline(always)]
    |x| sum_of(x, |x| x) / T::from_f64(x.len() as f64),
    #[inline(always)]
    |x, dy, dx| dx.fill(dy / T::from_f64(x.len() as f64))
);
global!(
    GlobalMaxPool,
    #[inline(always)]
    |x| most(x),
    #[inline(always)]
    |x, dy, dx| {
        dx.fill(T::ZERO);
        dx[peak(x)] = dy;
    }
);
