//! How a command ends other than well.

use std::io;

/// Why a command stops, and with it the exit status.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for cannot be done: status 2.
    Usage(String),
    /// Something failed and has been reported: status 1.
    Reported,
    /// The output cannot be written: status 1, or a quiet end where the reader has gone.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Output(error.into())
    }
}
