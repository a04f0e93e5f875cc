//! The notation of problems, shared by suites, tests, benchmarks and bug reports.

use std::fmt;
use std::str::FromStr;

use super::Problem;
use crate::error::{Error, Result};

impl FromStr for Problem {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Err(Error::parse(text, "not there yet"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("problem")
    }
}
