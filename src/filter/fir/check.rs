//! What designs refuse.

use crate::error::{Error, Result};

/// The largest number of taps that is designed: some seconds' work, and 128 MiB.
///
/// ```
/// use faltung::filter::fir::{Fir, MAX_TAPS};
/// assert!(Fir::lowpass(0.5, MAX_TAPS + 1).is_err());
/// ```
pub const MAX_TAPS: usize = 1 << 24;

pub(super) fn taps(name: &'static str, n: usize) -> Result<()> {
    if n == 0 || n > MAX_TAPS {
        return Err(Error::argument(name, format!("1 to {MAX_TAPS} taps"), n));
    }
    Ok(())
}

/// Refuses what is not in `low ..= high`, NaN included.
pub(super) fn within(name: &'static str, value: f64, low: f64, high: f64, expected: &'static str) -> Result<()> {
    if value >= low && value <= high { Ok(()) } else { Err(Error::argument(name, expected, value)) }
}

pub(super) fn finite(name: &'static str, values: &[f64]) -> Result<()> {
    match values.iter().find(|v| !v.is_finite()) {
        Some(bad) => Err(Error::argument(name, "finite numbers", bad)),
        None => Ok(()),
    }
}

/// Half the sampling rate: 1 unless a rate is given.
pub(super) fn nyquist(fs: Option<f64>) -> Result<f64> {
    let fs = fs.unwrap_or(2.0);
    within("fs", fs, f64::MIN_POSITIVE, f64::MAX, "a positive sampling rate")?;
    Ok(0.5 * fs)
}
