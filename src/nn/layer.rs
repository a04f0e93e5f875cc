//! What a layer is.

use ndarray::{ArrayViewD, ArrayViewMutD};

use super::{Activation, Context, Float, Random, Visitor, Window};
use crate::error::{Error, Result};

/// The arrays of a backward pass. All are in standard layout: `as_slice` gives them whole.
#[derive(Debug)]
pub struct Backward<'a, T> {
    /// What went into the forward pass.
    pub x: ArrayViewD<'a, T>,
    /// What came out of it.
    pub y: ArrayViewD<'a, T>,
    /// The loss's gradient by `y`. A layer may overwrite it.
    pub dy: ArrayViewMutD<'a, T>,
    /// The loss's gradient by `x`, to be written, holding anything; `None` where nobody asks for it.
    pub dx: Option<ArrayViewMutD<'a, T>>,
}

/// A layer: a function with parameters, and its gradients.
///
/// Arrays have the batch along their first axis. Whoever runs the layer owns them, and hands those of the forward pass
/// to the backward pass again, so that a layer keeps what it has learnt and little else. There is no tape: blocks run
/// their layers backwards in order.
///
/// A layer of one's own is one screen; here each feature times a learnt gain:
///
/// ```
/// use faltung::ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, Axis, Zip};
/// use faltung::nn::{Backward, Built, Context, Dense, Layer, Parameter, Sequential, Visitor};
/// use faltung::Result;
///
/// struct Gain(Parameter<f32>);
///
/// impl Layer<f32> for Gain {
///     fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
///         Ok(input.to_vec())
///     }
///
///     fn forward(&mut self, x: ArrayViewD<f32>, mut y: ArrayViewMutD<f32>, _: &mut Context<f32>) -> Result<()> {
///         y.assign(&(&x * &self.0.value));
///         Ok(())
///     }
///
///     fn backward(&mut self, pass: Backward<f32>, _: &mut Context<f32>) -> Result<()> {
///         self.0.gradient = (&pass.x * &pass.dy).sum_axis(Axis(0));
///         if let Some(mut dx) = pass.dx {
///             dx.assign(&(&pass.dy * &self.0.value));
///         }
///         Ok(())
///     }
///
///     fn visit(&mut self, visitor: &mut Visitor<f32>) -> Result<()> {
///         visitor.parameter("gain", &mut self.0)
///     }
/// }
///
/// let gain = Gain(Parameter::new(ArrayD::ones(vec![16])));
/// let mut network = Sequential::new().layer(Dense::new(4, 16)).layer(Built(gain)).layer(Dense::new(16, 2)).build(1)?;
/// assert_eq!(network.forward(ArrayD::zeros(vec![5, 4]).view())?.shape(), [5, 2]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub trait Layer<T: Float>: Send {
    /// The output's shape for an input's, the batch's axis included.
    ///
    /// # Errors
    /// [`Error`] where the layer does not take inputs of this shape.
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>>;

    /// Writes the output `y`, which has the shape that [`output_shape`](Self::output_shape) says and holds anything.
    /// Both arrays are in standard layout.
    ///
    /// # Errors
    /// [`Error`] where an input cannot be taken.
    fn forward(&mut self, x: ArrayViewD<'_, T>, y: ArrayViewMutD<'_, T>, context: &mut Context<T>) -> Result<()>;

    /// Writes the gradients of the parameters that are trained, and of the input where it is asked for, after a
    /// forward pass in [`Mode::Train`](super::Mode::Train) on the same arrays.
    ///
    /// # Errors
    /// [`Error`] where there was no such forward pass.
    fn backward(&mut self, pass: Backward<'_, T>, context: &mut Context<T>) -> Result<()>;

    /// Shows what the layer has learnt, by name. Layers without parameters need not say anything.
    ///
    /// # Errors
    /// Those of the visitor.
    fn visit(&mut self, visitor: &mut Visitor<'_, T>) -> Result<()> {
        let _ = visitor;
        Ok(())
    }

    /// Takes the activation that follows into the layer, and says whether it has; a layer may refuse.
    fn fuse(&mut self, activation: Activation) -> bool {
        let _ = activation;
        false
    }

    /// The activation that the layer is, which the layer before may [take in](Self::fuse).
    fn activation(&self) -> Option<Activation> {
        None
    }

    /// Takes the max pooling that follows into the layer, and says whether it has; a layer may refuse.
    fn fuse_max_pool(&mut self, window: &Window) -> bool {
        let _ = window;
        false
    }

    /// The windows of the max pooling that the layer is, which the layer before may
    /// [take in](Self::fuse_max_pool).
    fn max_pool(&self) -> Option<&Window> {
        None
    }

    /// Whether the output is the input, element by element, in another shape: such a layer is never run.
    fn is_reshape(&self) -> bool {
        false
    }
}

/// What a layer is built from: plain data, until random numbers make weights of it.
pub trait Design<T: Float> {
    /// Builds the layer.
    ///
    /// # Errors
    /// [`Error`] for a design that makes no sense, by name of the argument.
    fn build(self: Box<Self>, random: &mut Random) -> Result<Box<dyn Layer<T>>>;
}

/// The design of a layer that exists already, one's own for instance.
///
/// ```
/// use faltung::nn::{Built, Flatten, Sequential};
/// let network = Sequential::<f32>::new().layer(Built(Flatten)).build(1)?;
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Built<L>(pub L);

impl<T: Float, L: Layer<T> + 'static> Design<T> for Built<L> {
    fn build(self: Box<Self>, _: &mut Random) -> Result<Box<dyn Layer<T>>> {
        Ok(Box::new(self.0))
    }
}

/// An array's elements in the order of its axes, or an error that says that it lies otherwise.
pub(super) fn dense<S>(name: &'static str, slice: Option<S>) -> Result<S> {
    slice.ok_or_else(|| Error::argument(name, "an array in standard layout", "one in another memory order"))
}

/// The elements of an input.
pub(super) fn input<'a, T>(x: &ArrayViewD<'a, T>) -> Result<&'a [T]> {
    dense("input", x.to_slice())
}

/// The elements of an array to be written.
pub(super) fn output<'a, T>(y: ArrayViewMutD<'a, T>) -> Result<&'a mut [T]> {
    dense("output", y.into_slice())
}

/// The product of extents.
pub(super) fn volume(extents: &[usize]) -> usize {
    extents.iter().product()
}

/// An input's extents (batch, channels, spatial …), where there are at least two.
pub(super) fn channels(layer: &str, input: &[usize]) -> Result<(usize, usize, usize)> {
    match input {
        [batch, channels, spatial @ ..] => Ok((*batch, *channels, volume(spatial))),
        _ => Err(Error::argument(format!("input of {layer}"), "(batch, channels, …)", format!("shape {input:?}"))),
    }
}
