//! Frequency responses.

use std::f64::consts::PI;

use ndarray::Array1;
use num_complex::Complex;
use realfft::RealFftPlanner;

use super::check;
use crate::error::{Error, Result};

/// Where a frequency response is evaluated.
///
/// ```
/// use faltung::filter::fir::{Frequencies, freqz};
/// let (w, _) = freqz(&[1.0], Frequencies::Half(4), Some(8000.0))?;
/// assert_eq!(w.to_vec(), [0.0, 1000.0, 2000.0, 3000.0]);
/// let (w, _) = freqz(&[1.0], Frequencies::HalfWithNyquist(5), None)?;
/// assert_eq!(w.to_vec(), [0.0, 0.25, 0.5, 0.75, 1.0]);
/// let (w, _) = freqz(&[1.0], Frequencies::Whole(4), None)?;
/// assert_eq!(w.to_vec(), [0.0, 0.5, 1.0, 1.5]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Frequencies<'a> {
    /// So many, evenly from 0 to before the Nyquist frequency.
    Half(usize),
    /// So many, evenly from 0 to the Nyquist frequency: `include_nyquist` of SciPy.
    HalfWithNyquist(usize),
    /// So many, evenly from 0 to before the sampling rate: `whole` of SciPy.
    Whole(usize),
    /// These.
    At(&'a [f64]),
}

impl<'a> From<&'a [f64]> for Frequencies<'a> {
    fn from(frequencies: &'a [f64]) -> Self {
        Self::At(frequencies)
    }
}

impl Frequencies<'_> {
    /// How many there are.
    fn len(&self) -> usize {
        match *self {
            Self::Half(n) | Self::HalfWithNyquist(n) | Self::Whole(n) => n,
            Self::At(frequencies) => frequencies.len(),
        }
    }

    /// Points of the whole circle of which these are the first; none where they are no grid.
    fn circle(&self) -> Option<usize> {
        match *self {
            Self::Half(n) => Some(2 * n),
            // A single point is 0, whatever grid it belongs to.
            Self::HalfWithNyquist(n) => Some((2 * (n - 1)).max(1)),
            Self::Whole(n) => Some(n),
            Self::At(_) => None,
        }
    }
}

/// The frequency response of a filter of finite length, `H(f) = Σ_n h[n] · exp(-2πi · n · f / fs)`, as
/// (frequencies, response). SciPy's `freqz` with `a = 1`.
///
/// Frequencies are parts of the Nyquist frequency, 0 … 1, or in the units of the sampling rate `fs` if one is given
/// (SciPy's default, radians a sample, is `fs = 2π`). Grids are computed by the FFT, single frequencies by Horner's
/// scheme.
///
/// # Errors
/// [`Error::Argument`] for no taps, taps or frequencies that are not finite, no frequencies or more than 2²⁵, or a
/// sampling rate that is not positive.
///
/// ```
/// use faltung::filter::fir::{Frequencies, freqz};
/// // The mean of two samples passes 0 and stops the Nyquist frequency.
/// let (_, response) = freqz(&[0.5, 0.5], Frequencies::HalfWithNyquist(3), None)?;
/// assert!((response[0].norm() - 1.0).abs() < 1e-15);
/// assert!((response[1].norm() - 0.5f64.sqrt()).abs() < 1e-15);
/// assert!(response[2].norm() < 1e-15);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn freqz<'a>(
    h: &[f64],
    frequencies: impl Into<Frequencies<'a>>,
    fs: Option<f64>,
) -> Result<(Array1<f64>, Array1<Complex<f64>>)> {
    let frequencies = frequencies.into();
    let (points, nyquist) = checked(h, &frequencies, fs)?;
    let response = match frequencies.circle() {
        Some(circle) => on_circle(h, circle, points.len())?,
        None => points.iter().map(|f| horner(h, f / nyquist)).collect(),
    };
    Ok((points, response))
}

/// The delay of a filter of finite length, in samples, at each frequency: `-dφ/dω` of its response's phase, as
/// (frequencies, delays). Units are those of [`freqz`].
///
/// Filters that are symmetric or antisymmetric about their middle have their middle's position everywhere. Of others
/// the delay is NaN where the response is zero, to rounding, as it has no phase there.
///
/// # Errors
/// As [`freqz`].
///
/// ```
/// use faltung::filter::fir::{Frequencies, group_delay};
/// let (_, delay) = group_delay(&[1.0, 2.0, 1.0], Frequencies::Half(8), None)?;
/// assert!(delay.iter().all(|&d| d == 1.0));
/// // Minimum phase: at 0, the mean position of the taps.
/// let (_, delay) = group_delay(&[3.0, 1.0], Frequencies::Half(8), None)?;
/// assert!((delay[0] - 0.25).abs() < 1e-15);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn group_delay<'a>(
    h: &[f64],
    frequencies: impl Into<Frequencies<'a>>,
    fs: Option<f64>,
) -> Result<(Array1<f64>, Array1<f64>)> {
    let frequencies = frequencies.into();
    let (points, response) = freqz(h, frequencies, fs)?;
    if symmetry(h).is_some() {
        let middle = (h.len() as f64 - 1.0) / 2.0;
        let delay = Array1::from_elem(points.len(), middle);
        return Ok((points, delay));
    }
    // The derivative of Σ h[n] z^-n brings down n.
    let ramped: Vec<f64> = h.iter().enumerate().map(|(n, tap)| n as f64 * tap).collect();
    let (_, derivative) = freqz(&ramped, frequencies, fs)?;
    let nothing = 10.0 * f64::EPSILON * h.iter().map(|tap| tap.abs()).sum::<f64>();
    let delay = derivative.iter().zip(&response);
    let delay = delay.map(|(d, r)| if r.norm() <= nothing { f64::NAN } else { (d / r).re }).collect();
    Ok((points, delay))
}

/// Whether taps are symmetric (1) or antisymmetric (-1) about their middle.
pub(super) fn symmetry(h: &[f64]) -> Option<f64> {
    let (largest, half) = (h.iter().fold(0.0f64, |a, v| a.max(v.abs())), h.len().div_ceil(2));
    // Designs are symmetric to rounding.
    let same =
        |sign: f64| h.iter().zip(h.iter().rev()).take(half).all(|(a, b)| (a - sign * b).abs() <= 1e-14 * largest);
    [1.0, -1.0].into_iter().find(|&sign| same(sign))
}

/// The frequencies in their units, and the Nyquist frequency.
fn checked(h: &[f64], frequencies: &Frequencies<'_>, fs: Option<f64>) -> Result<(Array1<f64>, f64)> {
    check::taps("h", h.len())?;
    check::finite("h", h)?;
    let nyquist = check::nyquist(fs)?;
    let n = frequencies.len();
    if n == 0 || n > 2 * check::MAX_TAPS {
        return Err(Error::argument("frequencies", format!("1 to {} frequencies", 2 * check::MAX_TAPS), n));
    }
    let points = match (frequencies, frequencies.circle()) {
        (Frequencies::At(points), _) => points.to_vec().into(),
        (_, Some(circle)) => Array1::from_shape_fn(n, |k| 2.0 * nyquist * k as f64 / circle as f64),
        (_, None) => Array1::zeros(n),
    };
    if let Some(bad) = points.iter().find(|v| !v.is_finite()) {
        return Err(Error::argument("frequencies", "finite numbers", bad));
    }
    Ok((points, nyquist))
}

/// The first `n` of `circle` points, evenly around the unit circle. Taps a whole circle apart are turned alike there,
/// so they are added up.
fn on_circle(h: &[f64], circle: usize, n: usize) -> Result<Array1<Complex<f64>>> {
    let fft = RealFftPlanner::new().plan_fft_forward(circle);
    let (mut folded, mut half) = (fft.make_input_vec(), fft.make_output_vec());
    for turn in h.chunks(circle) {
        for (sum, &tap) in folded.iter_mut().zip(turn) {
            *sum += tap;
        }
    }
    fft.process(&mut folded, &mut half).map_err(|e| Error::other("transforming the taps", e))?;
    // The lower half of the circle mirrors the upper one.
    Ok((0..n).map(|k| if k < half.len() { half[k] } else { half[circle - k].conj() }).collect())
}

/// The response at a part of the Nyquist frequency.
fn horner(h: &[f64], part: f64) -> Complex<f64> {
    // Whole turns are taken away before they cost digits.
    let z = Complex::from_polar(1.0, -PI * (part % 2.0));
    h.iter().rev().fold(Complex::new(0.0, 0.0), |sum, &tap| sum * z + tap)
}
