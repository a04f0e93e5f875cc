//! What happens beside a training.

use super::Epoch;
use crate::error::Result;
use crate::nn::{Float, Network};

/// A training's size, told before it begins.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Outline {
    /// Epochs, unless it stops before.
    pub epochs: usize,
    /// Batches an epoch.
    pub batches: usize,
    /// Training samples.
    pub samples: usize,
    /// The epochs behind it already, where it was resumed.
    pub history: Vec<Epoch>,
    /// Batches of the next epoch behind it already.
    pub batches_done: usize,
}

/// A batch behind.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Batch {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Its number in the epoch, from 1.
    pub number: usize,
    /// Its samples.
    pub samples: usize,
    /// The mean loss of the epoch so far.
    pub loss: f64,
    /// The share of the epoch's samples so far whose class was guessed, where there are classes.
    pub accuracy: Option<f64>,
}

/// Whether a training goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    #[default]
    Continue,
    /// It ends here, as if this had been the last epoch.
    Stop,
}

/// Something that is told how a training goes, and may end it: a progress bar, a log, a rule of one's own.
///
/// ```
/// use faltung::Result;
/// use faltung::nn::{Callback, Epoch, Flow, Network};
///
/// /// Ends a training that is good enough.
/// struct GoodEnough(f64);
///
/// impl Callback<f32> for GoodEnough {
///     fn epoch(&mut self, epoch: &Epoch, _: &mut Network<f32>) -> Result<Flow> {
///         let accuracy = epoch.validation.as_ref().and_then(|metrics| metrics.accuracy());
///         Ok(if accuracy >= Some(self.0) { Flow::Stop } else { Flow::Continue })
///     }
/// }
/// ```
pub trait Callback<T: Float> {
    /// A training begins.
    ///
    /// # Errors
    /// Those that should end it.
    fn started(&mut self, outline: &Outline) -> Result<()> {
        let _ = outline;
        Ok(())
    }

    /// A batch has been learnt from.
    ///
    /// # Errors
    /// Those that should end the training.
    fn batch(&mut self, batch: &Batch) -> Result<()> {
        let _ = batch;
        Ok(())
    }

    /// An epoch is over, validation included.
    ///
    /// # Errors
    /// Those that should end the training.
    fn epoch(&mut self, epoch: &Epoch, network: &mut Network<T>) -> Result<Flow> {
        let _ = (epoch, network);
        Ok(Flow::Continue)
    }

    /// The training is over.
    ///
    /// # Errors
    /// Those that the caller should hear of.
    fn finished(&mut self, history: &[Epoch]) -> Result<()> {
        let _ = history;
        Ok(())
    }
}
