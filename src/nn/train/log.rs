//! A log for other programs to read.

use std::io::Write;
use std::path::PathBuf;

use super::{Callback, Epoch, Flow, Metrics, Outline};
use crate::error::{Error, Result};
use crate::file;
use crate::nn::{Float, Network};

/// Writes a table of all epochs as CSV, anew behind each epoch: a reader never sees half of it.
///
/// Its columns: epoch, rate, loss, accuracy, validation_loss, validation_accuracy, seconds. What there is not is empty.
///
/// ```
/// use faltung::nn::CsvLog;
/// let log = CsvLog::new("training.csv");
/// ```
#[derive(Clone, Debug)]
pub struct CsvLog {
    path: PathBuf,
    rows: Vec<String>,
}

impl CsvLog {
    /// A log in this file, which is written first when an epoch is over. A training that is resumed begins with the
    /// rows of the epochs that it goes on from.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), rows: Vec::new() }
    }

    fn write(&self) -> Result<()> {
        let table = |file: &mut dyn Write| {
            writeln!(file, "{HEAD}")?;
            self.rows.iter().try_for_each(|row| writeln!(file, "{row}"))
        };
        file::replace(&self.path, |file| {
            table(file).map_err(|e| Error::other(format!("writing {}", self.path.display()), e))
        })
    }
}

const HEAD: &str = "epoch,rate,loss,accuracy,validation_loss,validation_accuracy,seconds";

fn row(epoch: &Epoch) -> String {
    let text = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
    let validation = epoch.validation.as_ref();
    [
        epoch.number.to_string(),
        epoch.rate.to_string(),
        epoch.training.loss().to_string(),
        text(epoch.training.accuracy()),
        text(validation.map(Metrics::loss)),
        text(validation.and_then(Metrics::accuracy)),
        format!("{:.3}", epoch.seconds),
    ]
    .join(",")
}

impl<T: Float> Callback<T> for CsvLog {
    fn started(&mut self, outline: &Outline) -> Result<()> {
        self.rows = outline.history.iter().map(row).collect();
        Ok(())
    }

    fn epoch(&mut self, epoch: &Epoch, _: &mut Network<T>) -> Result<Flow> {
        self.rows.push(row(epoch));
        self.write()?;
        Ok(Flow::Continue)
    }
}
