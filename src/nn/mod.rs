//! Networks that learn: layers with both their passes, losses, optimisers, training and data, on the library's own
//! convolutions.

pub mod data;
mod float;

pub use float::Float;
