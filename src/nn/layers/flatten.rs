//! Another shape for the same elements.

use ndarray::{ArrayViewD, ArrayViewMutD};

use crate::error::Result;
use crate::nn::layer::{input, output, volume};
use crate::nn::{Backward, Context, Design, Float, Layer, Random};

/// Makes (batch, features) of (batch, …). Nothing is moved.
///
/// ```
/// use faltung::nn::{Flatten, Sequential};
/// let network = Sequential::<f32>::new().layer(Flatten).build(1)?;
/// assert_eq!(network.output_shape(&[8, 16, 5, 5])?, [8, 400]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flatten;

impl<T: Float> Design<T> for Flatten {
    fn build(self: Box<Self>, _: &mut Random) -> Result<Box<dyn Layer<T>>> {
        Ok(self)
    }
}

impl<T: Float> Layer<T> for Flatten {
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        match input {
            [batch, rest @ ..] => Ok(vec![*batch, volume(rest)]),
            [] => Ok(vec![1, 1]),
        }
    }

    fn forward(&mut self, x: ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, _: &mut Context<T>) -> Result<()> {
        output(y)?.copy_from_slice(input(&x)?);
        Ok(())
    }

    fn backward(&mut self, pass: Backward<'_, T>, _: &mut Context<T>) -> Result<()> {
        if let Some(mut dx) = pass.dx {
            dx.iter_mut().zip(&pass.dy).for_each(|(dx, &dy)| *dx = dy);
        }
        Ok(())
    }

    fn is_reshape(&self) -> bool {
        true
    }
}
