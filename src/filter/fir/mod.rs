//! Finite impulse responses: their design, their frequency response, and signals through them.

mod check;
mod design;
mod window;

pub use check::MAX_TAPS;
pub use design::{firwin, firwin2, kaiser_atten, kaiser_beta, kaiserord};
pub use window::Window;
