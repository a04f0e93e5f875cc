//! Networks that the field knows, by name.

mod digits;

pub use digits::{lenet5, mnist};
