//! faltung convolves: signals, images, volumes and CNN layers, by direct sums, im2col and the FFT, behind one planner that picks
//! the fastest way and says why.
//!
//! ```text
//! what                 which               how               with what
//! Problem       ->     Planner     ->      algorithm   ->    SIMD leaf
//! (shapes)             (Recipe, Plan)      (loops, tiles)    (intrinsics, the only unsafe)
//! ```

mod algo;
mod element;
mod error;
pub mod filter;
mod plan;
mod problem;
pub mod reference;
mod simd;
mod view;

pub use element::{DType, Element, Scalar};
pub use error::{Error, Result};
pub use filter::{
    Convention, Convolution, Filter, Integer, convolve, convolve_axes, convolve_axis, convolve_batch, convolve_exact,
    convolve_into, correlate, correlate_axes, correlate_axis, correlate_batch, correlate_exact, correlate_into,
};
pub use plan::{Algorithm, Candidate, Explanation, Plan, Planner, Prepared, Recipe, Threads, Workspace};
pub use problem::{Boundary, Layout, MAX_RANK, Mode, Pass, Problem, ProblemBuilder, SpatialAxis};
pub use view::{View, ViewMut};

pub use ndarray;
pub use num_complex::Complex;
