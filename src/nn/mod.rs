//! Networks that learn: layers with both their passes, losses, optimisers, training and data, on the library's own
//! convolutions.

mod context;
pub mod data;
mod float;
pub mod functional;
mod init;
mod layer;
mod layers;
mod loss;
pub mod models;
mod network;
mod optim;
mod parameter;
mod random;
mod sequential;
mod sums;
mod train;
mod weights;
mod work;

pub use context::{Buffer, Context, Mode};
pub use float::Float;
pub use init::Init;
pub use layer::{Backward, Built, Design, Layer};
pub use layers::*;
pub use loss::{BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError};
pub use network::Network;
pub use optim::{Adam, AdamW, Clip, Optimizer, RmsProp, Rule, Schedule, Sgd, Update};
pub use parameter::{Each, Item, Parameter, Visitor};
pub use random::Random;
pub use sequential::Sequential;
pub use train::*;
pub use weights::{Comparison, read_metadata};
