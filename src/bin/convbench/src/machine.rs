//! Threads, time, costs, and the progress of long work.

use std::io::{self, IsTerminal};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Instant;

use faltung::Costs;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::Failure;

/// The arguments that say how much of the machine is used.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Machine {
    /// Threads that an algorithm may use; all processors unless given
    #[arg(long, value_name = "N", value_parser = count)]
    threads: Option<NonZeroUsize>,
    /// Seconds that each algorithm's calls are repeated for
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    budget: Option<f64>,
}

/// What time is taken by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The time that passes.
    Wall,
    /// That in which the calling thread runs, where the system tells: others on the machine do not count. Asking takes a
    /// part of a microsecond.
    Thread,
}

impl Clock {
    /// Seconds since some time.
    pub(crate) fn now(self) -> f64 {
        static BEGUN: OnceLock<Instant> = OnceLock::new();
        let wall = || BEGUN.get_or_init(Instant::now).elapsed().as_secs_f64();
        #[cfg(unix)]
        let thread = || {
            let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
            time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
        };
        #[cfg(not(unix))]
        let thread = wall;
        match self {
            Self::Wall => wall(),
            Self::Thread => thread(),
        }
    }
}

/// The argument that says what predictions are made of.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Constants {
    /// Predicts by the constants in this file, as `convbench calibrate` has written it
    #[arg(long, value_name = "FILE", env = "FALTUNG_COSTS")]
    costs: Option<PathBuf>,
}

impl Constants {
    /// Those of the file, or those that are built in.
    pub(crate) fn read(&self) -> Result<Costs, Failure> {
        let Some(path) = &self.costs else { return Ok(Costs::default()) };
        let failure = |why: &dyn std::fmt::Display| Failure::Usage(format!("costs of {}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| failure(&error))?;
        text.parse().map_err(|error| failure(&error))
    }
}

/// A time that can be waited for.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(seconds),
        _ => Err("not a number of seconds".into()),
    }
}

/// More threads than this are a slip of the hand, and starting them would take minutes.
const MOST_THREADS: usize = 1024;

/// A number of threads that can be started.
pub(crate) fn count(text: &str) -> Result<NonZeroUsize, String> {
    let count = text.parse().ok().filter(|n: &NonZeroUsize| n.get() <= MOST_THREADS);
    count.ok_or_else(|| format!("not a number from 1 to {MOST_THREADS}"))
}

impl Machine {
    pub(crate) fn threads(&self) -> usize {
        threads(self.threads)
    }

    pub(crate) fn budget(&self, default: f64) -> f64 {
        self.budget.unwrap_or(default)
    }
}

/// The number asked for, or that of the processors.
pub(crate) fn threads(asked: Option<NonZeroUsize>) -> usize {
    asked.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
}

/// The pool that a command runs in: algorithms use the pool of their caller.
pub(crate) fn pool(threads: usize) -> Result<rayon::ThreadPool, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| Failure::Usage(format!("cannot start {threads} threads: {error}")))
}

/// A line on standard error that tells how far the work is; nothing where that is no terminal.
///
/// It is drawn only when told something new: a thread that redraws it would disturb what is being timed.
pub(crate) fn progress(total: Option<usize>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(total.map(|n| n as u64), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("[{elapsed}] {pos}/{len} {wide_msg}") {
        bar.set_style(style);
    }
    bar
}
