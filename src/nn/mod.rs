//! Networks that learn, on the library's own convolutions.
//!
//! | what | names |
//! |---|---|
//! | designs of layers, plain data | [`Sequential`], [`Conv2d`] and its kin, [`ConvTranspose2d`], [`Dense`], [`MaxPool2d`], [`AvgPool2d`], [`GlobalAvgPool`], [`BatchNorm`], [`LayerNorm`], [`Dropout`], [`Embedding`], [`Flatten`], [`Activation`], [`Residual`], [`Parallel`] |
//! | what they are built to | [`Network`], of [`Layer`]s with [`Parameter`]s |
//! | losses | [`CrossEntropy`], [`BinaryCrossEntropy`], [`MeanSquaredError`], or a [`Loss`] of one's own |
//! | what follows gradients | [`Optimizer`] by [`Sgd`], [`Adam`], [`AdamW`], [`RmsProp`] or a [`Rule`] of one's own, with a [`Schedule`] and [`Clip`] |
//! | training | [`Trainer`], with [`CsvLog`], `ProgressBar` and `Curves` (feature `report`) or a [`Callback`] of one's own |
//! | samples | [`data`] |
//! | networks of the field, by name | [`models`] |
//! | the same arithmetic as functions of arrays | [`functional`] |
//!
//! A tensor is an [`ndarray`] array of `f32` or `f64` with the batch along its first axis. There is no tape: layers have a
//! backward pass beside the forward one, and blocks run their layers backwards in order. `docs/training.md` tells more.
//!
//! ```
//! use faltung::nn::data::Mnist;
//! use faltung::nn::{Adam, CrossEntropy, Optimizer, Trainer, models};
//!
//! let digits: Mnist = Mnist::open(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/digits"))?;
//! let network = models::lenet5().build(1)?;
//! let mut trainer = Trainer::new(network, Optimizer::new(Adam::new(2e-3)), CrossEntropy::new()).epochs(2).batch(32);
//! trainer.fit(&digits.train, None)?;
//! assert!(trainer.evaluate(&digits.test)?.accuracy() > Some(0.6));
//! # Ok::<(), faltung::Error>(())
//! ```

mod context;
pub mod data;
mod elementary;
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
