//! Passes over data that look for something.

use crate::element::Element;
use crate::view::{MAX_AXES, View, advance};

/// Whether no element is infinite or NaN.
pub(crate) fn all_finite<T: Element>(view: View<'_, T>) -> bool {
    let shape = view.shape();
    if shape.contains(&0) {
        return true;
    }
    if view.data.len() == view.at.elements() {
        // The view covers its slice, in whatever order.
        return finite_row(view.data);
    }
    let last = shape.len() - 1;
    let mut index = [0; MAX_AXES];
    (0..shape[..last].iter().product::<usize>()).all(|_| {
        let start = view.at.element(&index[..=last]) as isize;
        advance(&mut index[..last], &shape[..last]);
        (0..shape[last] as isize).all(|i| view.data[(start + i * view.at.strides()[last]) as usize].is_finite())
    })
}

/// Zero times a finite number is zero, times any other NaN, and NaN stays in a sum: no branch in the loop.
fn finite_row<T: Element>(row: &[T]) -> bool {
    let parts: &[T::Real] = bytemuck::cast_slice(row);
    let zero = <T::Real as Default>::default();
    let mut chunks = parts.chunks_exact(32);
    let mut sums = [zero; 32];
    for chunk in &mut chunks {
        for (s, &x) in sums.iter_mut().zip(chunk) {
            *s += x * zero;
        }
    }
    let total = sums.iter().chain(chunks.remainder()).fold(zero, |t, &x| t + x * zero);
    total == zero
}
