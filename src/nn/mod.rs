//! Networks that learn: layers with both their passes, losses, optimisers, training and data, on the library's own
//! convolutions.

mod context;
pub mod data;
mod elementary;
mod float;
pub mod functional;
mod init;
mod layer;
mod layers;
mod network;
mod parameter;
mod random;
mod sequential;
mod sums;
mod work;

pub use context::{Context, Mode};
pub use float::Float;
pub use init::Init;
pub use layer::{Backward, Built, Design, Layer};
pub use layers::*;
pub use network::Network;
pub use parameter::{Each, Item, Parameter, Visitor};
pub use random::Random;
pub use sequential::Sequential;
