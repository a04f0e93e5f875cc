//! Training: batches, validation, checkpoints, and what is told beside.

mod callback;
mod checkpoint;
#[cfg(feature = "report")]
mod curves;
mod log;
mod metrics;
#[cfg(feature = "report")]
mod progress;
mod trainer;

pub use callback::{Batch, Callback, Flow, Outline};
#[cfg(feature = "report")]
pub use curves::Curves;
pub use log::CsvLog;
pub use metrics::{Epoch, Metrics};
#[cfg(feature = "report")]
pub use progress::ProgressBar;
pub use trainer::{Stopping, Trainer};
