//! What things cost: the constants that predictions are made of.

use super::Needs;

/// What an algorithm predicts of a run of its design.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    /// Seconds on one thread, the kernel's packing included.
    pub(crate) seconds: f64,
    /// The memory that it borrows.
    pub(crate) needs: Needs,
    /// The error bound, a multiple of `max|first| · ‖second‖₂`.
    pub(crate) error: f64,
}

/// The probabilistic error bound of a running sum of `terms` products: rounding errors that are independent add up as
/// their root mean square does, and the largest of millions is some five times that.
pub(crate) fn running_sum_error(terms: usize, epsilon: f64) -> f64 {
    epsilon * (2.0 + 2.0 * (terms as f64).sqrt())
}
