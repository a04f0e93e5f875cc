//! faltung convolves: signals, images, volumes and CNN layers, by direct sums, im2col and the FFT, behind one planner
//! that picks the fastest way and says why.
//!
//! ```text
//! what                 which               how               with what
//! Problem       ->     Planner     ->      algorithm   ->    SIMD leaf
//! (shapes)             (Recipe, Plan)      (loops, tiles)    (intrinsics, the only unsafe)
//! ```
//!
//! | room | for |
//! |---|---|
//! | [`filter`] | arrays of any rank: convolution, [filters by name](filter::named), [by design](filter::fir), [resampling](filter::resample) |
//! | `audio`, `image`, `text` | sounds, pictures and sentences to arrays and back; a feature each |
//! | `nn` | networks: layers with their gradients, losses, optimisers, training, data, models; a feature |
//! | [`Problem`], [`Planner`], [`Plan`] | what all of them become: any convolution, layer or gradient |
//! | [`mod@reference`] | the definition |
//!
//! Arrays of any rank, strides and memory order are filtered in one line ([`filter`] tells what else there is):
//!
//! ```
//! use faltung::ndarray::{Array2, array};
//! use faltung::{Mode, convolve};
//!
//! let image = Array2::from_shape_fn((5, 5), |(i, j)| (5 * i + j + 1) as f32); // 1 … 25
//! let kernel = array![[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]];
//! let y = convolve(&image, &kernel, Mode::Valid)?;
//! assert_eq!(y, array![[28.0, 32.0, 36.0], [48.0, 52.0, 56.0], [68.0, 72.0, 76.0]]);
//! # Ok::<(), faltung::Error>(())
//! ```
//!
//! The layer of a network and its gradients are the same problem in three passes, here with a ReLU behind:
//!
//! ```
//! use faltung::{Pass, Planner, Problem, Workspace};
//!
//! let layer = Problem::layer(1, 1, 1, &[2, 2], &[2, 2]).build()?; // batch, channels in and out, image, kernel
//! let (planner, mut workspace) = (Planner::new(), Workspace::new());
//! let (x, w) = ([1.0f32, 2.0, 3.0, 4.0], [0.0, 1.0, 1.0, 0.0]);
//!
//! let mut y = [0.0];
//! planner.plan(&layer)?.run(&x, &w, &mut y, &mut workspace)?;
//! y[0] = y[0].max(0.0);
//! assert_eq!(y, [5.0]);
//!
//! let gradient = [if y[0] > 0.0 { 1.0 } else { 0.0 }]; // of the loss, 1 at the output, through the ReLU
//! let (mut to_x, mut to_w) = ([0.0; 4], [0.0; 4]);
//! planner.plan(&layer.with_pass(Pass::InputGradient))?.run(&gradient, &w, &mut to_x, &mut workspace)?;
//! planner.plan(&layer.with_pass(Pass::WeightGradient))?.run(&x, &gradient, &mut to_w, &mut workspace)?;
//! assert_eq!(to_x, [0.0, 1.0, 1.0, 0.0]);
//! assert_eq!(to_w, [1.0, 2.0, 3.0, 4.0]);
//! # Ok::<(), faltung::Error>(())
//! ```

/// The README's code runs as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// So does the guide's.
#[cfg(doctest)]
#[doc = include_str!("../docs/guide.md")]
mod guide {}

/// And the page on the planner.
#[cfg(doctest)]
#[doc = include_str!("../docs/planner.md")]
mod planner {}

/// And the page on training.
#[cfg(doctest)]
#[doc = include_str!("../docs/training.md")]
mod training {}

mod algo;
mod aligned;
#[cfg(feature = "audio")]
pub mod audio;
mod element;
mod error;
#[cfg(any(feature = "audio", feature = "image", feature = "nn", feature = "text"))]
mod file;
pub mod filter;
#[cfg(feature = "image")]
pub mod image;
#[cfg(feature = "nn")]
pub mod nn;
mod plan;
mod problem;
pub mod reference;
mod simd;
#[cfg(feature = "text")]
pub mod text;
mod transform;
mod view;

pub use aligned::aligned_zeros;
pub use element::{DType, Element, Scalar};
pub use error::{Error, Result};
pub use filter::fir::{Fir, FirDesign};
pub use filter::{
    Convention, Convolution, Filter, Integer, convolve, convolve_axes, convolve_axis, convolve_batch, convolve_exact,
    convolve_into, correlate, correlate_axes, correlate_axis, correlate_batch, correlate_exact, correlate_into,
};
pub use plan::{Algorithm, Candidate, Costs, Explanation, Plan, Planner, Prepared, Recipe, Threads, Workspace};
pub use problem::{Boundary, Layout, MAX_RANK, Mode, Pass, Problem, ProblemBuilder, SpatialAxis, read_suite};
pub use view::{View, ViewMut};

pub use ndarray;
pub use num_complex::Complex;
