//! What a layer learns, and the walk over it.

use ndarray::ArrayD;

use super::Float;
use crate::aligned::aligned_zeros;
use crate::error::Result;

/// Weights, and the gradient that the last backward pass has left for them.
///
/// A backward pass writes the gradient: it does not add to what was there. Nothing need be set to zero before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter<T> {
    /// The weights.
    pub value: ArrayD<T>,
    /// The loss's gradient by them, of the same shape.
    pub gradient: ArrayD<T>,
    /// Whether they are trained. A layer need not compute the gradient of those that are not.
    pub trainable: bool,
}

impl<T: Float> Parameter<T> {
    /// Weights that are trained.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::nn::Parameter;
    /// let gain = Parameter::new(array![1.0f32, 1.0].into_dyn());
    /// assert!(gain.trainable && gain.gradient.iter().all(|&g| g == 0.0));
    /// ```
    pub fn new(value: ArrayD<T>) -> Self {
        let plain = || ArrayD::from_elem(value.raw_dim(), T::ZERO);
        let zeros = || aligned_zeros(value.raw_dim()).unwrap_or_else(|_| plain());
        let mut aligned = zeros();
        aligned.assign(&value);
        Self { gradient: zeros(), value: aligned, trainable: true }
    }

    /// The weights as a slice, in the order of their axes.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) where `value` has been replaced by an array in another memory order.
    pub fn values(&self) -> Result<&[T]> {
        super::layer::dense("parameter", self.value.as_slice())
    }

    /// The weights, and the gradient to be written, as slices.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) where one of the two has been replaced by an array in another
    /// memory order, or by one of another length.
    pub fn slices_mut(&mut self) -> Result<(&mut [T], &mut [T])> {
        if self.value.shape() != self.gradient.shape() {
            return Err(crate::Error::shape("gradient", self.value.shape(), self.gradient.shape()));
        }
        let value = super::layer::dense("parameter", self.value.as_slice_mut())?;
        Ok((value, super::layer::dense("gradient", self.gradient.as_slice_mut())?))
    }
}

/// One of a network's arrays, on a walk.
#[derive(Debug)]
#[non_exhaustive]
pub enum Item<'a, T> {
    /// Something learnt by gradients.
    Parameter(&'a mut Parameter<T>),
    /// Something kept beside: the running statistics of a batch norm.
    Buffer(&'a mut ArrayD<T>),
    /// A number kept beside: the batches that a batch norm has seen.
    Count(&'a mut u64),
}

/// What is called for each array of a network, with its path (`features.0.weight`).
pub type Each<'a, T> = dyn FnMut(&str, Item<'_, T>) -> Result<()> + 'a;

/// A walk over the arrays of a network, which a layer is shown in [`Layer::visit`](super::Layer::visit) and shows its
/// own to.
pub struct Visitor<'a, T> {
    /// Where nobody asks for names there are none.
    path: Option<&'a mut String>,
    each: &'a mut Each<'a, T>,
}

impl<'a, T: Float> Visitor<'a, T> {
    /// A walk that calls `each`; `path` is room for names, and left empty.
    pub(super) fn new(path: &'a mut String, each: &'a mut Each<'a, T>) -> Self {
        path.clear();
        Self { path: Some(path), each }
    }

    /// A walk that calls `each` with empty names.
    pub(super) fn nameless(each: &'a mut Each<'a, T>) -> Self {
        Self { path: None, each }
    }

    fn item(&mut self, name: &str, item: Item<'_, T>) -> Result<()> {
        let length = self.enter(name);
        let done = (self.each)(self.path.as_deref().map_or("", |path| path), item);
        self.leave(length);
        done
    }

    fn enter(&mut self, name: &str) -> usize {
        let Some(path) = self.path.as_deref_mut() else { return 0 };
        let length = path.len();
        if length > 0 && !name.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        length
    }

    fn leave(&mut self, length: usize) {
        if let Some(path) = self.path.as_deref_mut() {
            path.truncate(length);
        }
    }

    /// Shows a parameter.
    ///
    /// # Errors
    /// Those of whoever walks.
    pub fn parameter(&mut self, name: &str, parameter: &mut Parameter<T>) -> Result<()> {
        self.item(name, Item::Parameter(parameter))
    }

    /// Shows an array that is not learnt by gradients.
    ///
    /// # Errors
    /// Those of whoever walks.
    pub fn buffer(&mut self, name: &str, buffer: &mut ArrayD<T>) -> Result<()> {
        self.item(name, Item::Buffer(buffer))
    }

    /// Shows a number.
    ///
    /// # Errors
    /// Those of whoever walks.
    pub fn count(&mut self, name: &str, count: &mut u64) -> Result<()> {
        self.item(name, Item::Count(count))
    }

    /// Shows a layer within this one, whose names follow `name` and a dot; an empty name adds nothing.
    ///
    /// # Errors
    /// Those of whoever walks.
    pub fn layer(&mut self, name: &str, layer: &mut dyn super::Layer<T>) -> Result<()> {
        let length = self.enter(name);
        let done = layer.visit(self);
        self.leave(length);
        done
    }
}
