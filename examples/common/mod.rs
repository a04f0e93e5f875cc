//! What the training examples share.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use faltung::nn::{CsvLog, Curves, Float, Metrics, ProgressBar, Trainer};

/// Says what went wrong, if anything did.
pub fn end(name: &str, run: Result<(), Box<dyn Error>>) -> ExitCode {
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Sets how many threads learn; as many as there are cores unless told. Where each core has its thread, it keeps it: a
/// layer is done in less time than it takes the system to notice that two of them wait for the same core.
pub fn use_threads(count: Option<usize>) -> Result<(), Box<dyn Error>> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let count = count.unwrap_or(cores.len());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count);
    let pool = if count > 1 && count == cores.len() {
        pool.start_handler(move |thread| {
            core_affinity::set_for_current(cores[thread]);
        })
    } else {
        pool
    };
    Ok(pool.build_global()?)
}

/// Where a training's log and curves go.
pub struct Report {
    log: PathBuf,
    curves: PathBuf,
}

impl Report {
    /// Files of that name, but for the ending.
    pub fn new(path: &Path) -> Self {
        Self { log: path.with_extension("csv"), curves: path.with_extension("svg") }
    }

    /// A training that is seen as it goes, and leaves log and curves behind.
    pub fn of<'a, T: Float>(&self, trainer: Trainer<'a, T>) -> Trainer<'a, T> {
        trainer.callback(ProgressBar::new()).callback(CsvLog::new(&self.log)).callback(Curves::new(&self.curves))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log: {}, curves: {}", self.log.display(), self.curves.display())
    }
}

/// How well a network does.
pub fn told(metrics: &Metrics) -> String {
    let (correct, share) = (metrics.correct().unwrap_or(0), metrics.accuracy().unwrap_or(f64::NAN));
    format!("loss {:.4}, {correct} right ({:.2}%)", metrics.loss(), 100.0 * share)
}

/// What is written into a file beside the weights: what `predict` must know.
pub fn metadata<const N: usize>(texts: [(&str, String); N]) -> BTreeMap<String, String> {
    texts.into_iter().map(|(key, text)| (key.to_string(), text)).collect()
}
