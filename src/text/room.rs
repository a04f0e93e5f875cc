//! Arrays whose size a caller or a file says.

use ndarray::{Array, Dimension};

use crate::error::{Error, Result};

/// An array of zeros, or an error where there is no memory for it.
pub(super) fn zeros<T: Clone + Default, D: Dimension>(what: &'static str, shape: D) -> Result<Array<T, D>> {
    let count = shape.slice().iter().try_fold(1usize, |count, &extent| count.checked_mul(extent));
    let count = count.ok_or_else(|| Error::overflow(format!("{what}'s size {:?}", shape.slice())))?;
    let mut values = Vec::new();
    grow(what, &mut values, count)?;
    Array::from_shape_vec(shape, values).map_err(|e| Error::other(format!("shaping {what}"), e))
}

/// Appends so many zeros, or says that there is no memory for them.
pub(super) fn grow<T: Clone + Default>(what: &'static str, values: &mut Vec<T>, more: usize) -> Result<()> {
    values.try_reserve(more).map_err(|e| Error::other(format!("allocating {what}"), e))?;
    values.resize(values.len() + more, T::default());
    Ok(())
}
