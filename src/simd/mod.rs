//! The instruction sets: which of them runs, the leaves that are written for them, and every `unsafe` of the crate.

mod memory;
mod scan;
mod tiles;

pub(crate) use memory::{Line, elements, split};
pub(crate) use scan::{all_finite, finite_row};
pub(crate) use tiles::{TileMut, Workers};

/// The leaves of an element type.
pub trait Kernels: Copy + 'static {}
impl Kernels for f32 {}
impl Kernels for f64 {}
impl Kernels for num_complex::Complex<f32> {}
impl Kernels for num_complex::Complex<f64> {}
