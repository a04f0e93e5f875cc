//! A progress bar.

use indicatif::{ProgressBar as Bar, ProgressStyle};

use super::{Batch, Callback, Epoch, Flow, Outline};
use crate::error::{Error, Result};
use crate::nn::{Float, Network};

/// Shows on the terminal how far an epoch is, the loss so far, samples a second and the time left, and a line for each
/// epoch behind. Where standard error is no terminal there are the lines alone.
///
/// ```
/// use faltung::nn::ProgressBar;
/// let bar = ProgressBar::new();
/// ```
#[derive(Debug, Default)]
pub struct ProgressBar {
    bar: Option<Bar>,
    outline: Option<Outline>,
    epoch: usize,
}

impl ProgressBar {
    /// A bar that appears with the first batch.
    pub fn new() -> Self {
        Self::default()
    }
}

const STYLE: &str = "{prefix} {bar:30} {pos}/{len} {per_sec} eta {eta} {msg}";

fn percent(accuracy: Option<f64>) -> String {
    accuracy.map_or_else(String::new, |a| format!(" accuracy {:.2}%", 100.0 * a))
}

impl<T: Float> Callback<T> for ProgressBar {
    fn started(&mut self, outline: &Outline) -> Result<()> {
        self.outline = Some(outline.clone());
        Ok(())
    }

    fn batch(&mut self, batch: &Batch) -> Result<()> {
        let Some(outline) = &self.outline else { return Ok(()) };
        if self.bar.is_none() || self.epoch != batch.epoch {
            let style = ProgressStyle::with_template(STYLE).map_err(|e| Error::other("drawing a progress bar", e))?;
            let bar = Bar::new(outline.samples as u64).with_style(style);
            bar.set_prefix(format!("epoch {}/{}", batch.epoch, outline.epochs));
            (self.bar, self.epoch) = (Some(bar), batch.epoch);
        }
        if let Some(bar) = &self.bar {
            bar.inc(batch.samples as u64);
            // Text is made as often as it is seen: a fast training has a thousand batches a second.
            if batch.number.is_multiple_of(16) || batch.number == outline.batches {
                bar.set_message(format!("loss {:.4}{}", batch.loss, percent(batch.accuracy)));
            }
        }
        Ok(())
    }

    fn epoch(&mut self, epoch: &Epoch, _: &mut Network<T>) -> Result<Flow> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let of = self.outline.as_ref().map_or(epoch.number, |outline| outline.epochs);
        let validation = epoch.validation.as_ref().map_or_else(String::new, |metrics| {
            format!(", validation loss {:.4}{}", metrics.loss(), percent(metrics.accuracy()))
        });
        let (loss, accuracy) = (epoch.training.loss(), percent(epoch.training.accuracy()));
        let speed = epoch.training.samples() as f64 / epoch.seconds.max(1e-9);
        eprintln!(
            "epoch {}/{of}: loss {loss:.4}{accuracy}{validation}, {:.2} s, {speed:.0} samples/s",
            epoch.number, epoch.seconds
        );
        Ok(Flow::Continue)
    }
}
