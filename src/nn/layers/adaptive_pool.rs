//! Average pooling to an output of a given size.

use ndarray::{ArrayViewD, ArrayViewMutD};

use super::Extents;
use super::pool::Kind;
use super::window::Walk;
use crate::error::{Error, Result};
use crate::nn::{Backward, Context, Design, Float, Layer, Random};

/// The average of windows that cover an input of any size, as many of them as are asked for: number `i` of `m` along an
/// axis of `n` samples reaches from `⌊i n / m⌋` to `⌈(i + 1) n / m⌉`, PyTorch's rule.
///
/// Input (batch, channels, spatial …), output (batch, channels, the extents asked for).
///
/// ```
/// use faltung::nn::{AdaptiveAvgPool2d, Sequential};
/// let network = Sequential::<f32>::new().layer(AdaptiveAvgPool2d::new(7)).build(0)?;
/// assert_eq!(network.output_shape(&[1, 512, 10, 13])?, [1, 512, 7, 7]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptiveAvgPool<const N: usize> {
    output: Extents,
}

/// Average pooling of signals to a given length.
pub type AdaptiveAvgPool1d = AdaptiveAvgPool<1>;
/// Average pooling of images to a given height and width.
pub type AdaptiveAvgPool2d = AdaptiveAvgPool<2>;
/// Average pooling of volumes to given extents.
pub type AdaptiveAvgPool3d = AdaptiveAvgPool<3>;

impl<const N: usize> AdaptiveAvgPool<N> {
    /// Pooling to an output of these extents, `7` or one an axis.
    pub fn new(output: impl Into<Extents>) -> Self {
        Self { output: output.into() }
    }
}

impl<T: Float, const N: usize> Design<T> for AdaptiveAvgPool<N> {
    fn build(self: Box<Self>, _: &mut Random) -> Result<Box<dyn Layer<T>>> {
        let output = self.output.over("output", N)?;
        if !(1..=3).contains(&N) {
            return Err(Error::argument("spatial axes", "1 to 3", N));
        }
        if output.contains(&0) {
            return Err(Error::argument("output", "at least 1 on each axis", format!("{output:?}")));
        }
        Ok(Box::new(AdaptivePoolLayer { output }))
    }
}

struct AdaptivePoolLayer {
    output: Vec<usize>,
}

impl AdaptivePoolLayer {
    fn walk(&self, input: &[usize]) -> Result<Walk> {
        match input {
            [_, _, spatial @ ..] if spatial.len() == self.output.len() && !spatial.contains(&0) => {
                for (&n, &m) in spatial.iter().zip(&self.output) {
                    n.checked_mul(m.saturating_add(1)).ok_or_else(|| Error::overflow("the windows' places"))?;
                }
                Ok(Walk::covering(spatial, &self.output))
            }
            _ => {
                let expected = format!("(batch, channels) and {} spatial axes of at least 1", self.output.len());
                Err(Error::argument("input", expected, format!("shape {input:?}")))
            }
        }
    }
}

impl<T: Float> Layer<T> for AdaptivePoolLayer {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        self.walk(input)?;
        Ok(input.iter().take(2).chain(&self.output).copied().collect())
    }

    fn forward(&mut self, x: ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, _: &mut Context<T>) -> Result<()> {
        Kind::Average { padding_counts: false }.forward(self.walk(x.shape())?, &x, y)
    }

    fn backward(&mut self, pass: Backward<'_, T>, _: &mut Context<T>) -> Result<()> {
        Kind::Average { padding_counts: false }.backward(self.walk(pass.x.shape())?, pass)
    }
}
