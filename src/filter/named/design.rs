//! What every named filter can do.

use ndarray::{Array, ArrayRef, Dimension};

use super::operator::Operator;
use super::planned::NamedFilter;
use crate::element::Element;
use crate::error::Result;
use crate::problem::Boundary;

/// The parameters of a filter, from which an [`Operator`] is made for any number of axes.
///
/// Whoever implements [`operator`](Self::operator) gets the rest:
///
/// ```
/// use faltung::filter::named::{BoxBlur, Design, Operator};
/// use faltung::ndarray::array;
///
/// /// The mean of a sample and its successor along every axis.
/// struct Pairs;
///
/// impl Design for Pairs {
///     fn operator(&self, axes: usize) -> faltung::Result<Operator> {
///         BoxBlur::new(2).origin(-1).operator(axes)
///     }
/// }
/// assert_eq!(Pairs.apply(&array![1.0, 3.0, 9.0])?, array![2.0, 6.0, 9.0]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub trait Design {
    /// The filter for so many filtered axes. Parameters that are axes count among the filtered ones: with an array of
    /// channels, rows and columns filtered along its axes 1 and 2, axis 0 of the operator is the rows'.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for parameters that make no filter.
    fn operator(&self, axes: usize) -> Result<Operator>;

    /// Filters along all axes, with the filter's own [boundary](Operator::boundary). The result has the data's shape.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for an empty array, and as [`operator`](Self::operator).
    ///
    /// ```
    /// use faltung::filter::named::{BoxBlur, Design};
    /// use faltung::ndarray::array;
    /// assert_eq!(BoxBlur::new(3).apply(&array![3.0, 6.0, 0.0])?, array![4.0, 3.0, 2.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    fn apply<T: Element, D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<Array<T, D>> {
        let operator = self.operator(x.ndim())?;
        let axes: Vec<usize> = (0..x.ndim()).collect();
        operator.plan(x.raw_dim(), &axes, operator.boundary())?.apply(x)
    }

    /// Filters along some axes of an array.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    ///
    /// ```
    /// use faltung::Boundary;
    /// use faltung::filter::named::{BoxBlur, Design};
    /// use faltung::ndarray::array;
    ///
    /// let x = array![[3.0, 6.0, 0.0], [9.0, 0.0, 0.0]];
    /// let y = BoxBlur::new(3).apply_along(&x, &[1], Boundary::Zero)?;
    /// assert_eq!(y, array![[3.0, 3.0, 2.0], [3.0, 3.0, 0.0]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    fn apply_along<T: Element, D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
        axes: &[usize],
        boundary: Boundary,
    ) -> Result<Array<T, D>> {
        self.plan(x.raw_dim(), axes, boundary)?.apply(x)
    }

    /// Plans the filter for arrays of one shape, along some of their axes.
    ///
    /// # Errors
    /// As [`operator`](Self::operator) and [`Operator::plan`].
    ///
    /// ```
    /// use faltung::Boundary;
    /// use faltung::filter::named::{Design, Gaussian};
    /// use faltung::ndarray::{Array2, Ix2};
    ///
    /// let blur = Gaussian::new(2.0).plan::<f32, _>(Ix2(48, 64), &[0, 1], Boundary::Mirror)?;
    /// for frame in 0..3 {
    ///     let x = Array2::from_elem((48, 64), frame as f32);
    ///     assert!((blur.apply(&x)?[[20, 20]] - frame as f32).abs() < 1e-5);
    /// }
    /// # Ok::<(), faltung::Error>(())
    /// ```
    fn plan<T: Element, D: Dimension>(
        &self,
        shape: D,
        axes: &[usize],
        boundary: Boundary,
    ) -> Result<NamedFilter<T, D>> {
        self.operator(axes.len())?.plan(shape, axes, boundary)
    }
}
