//! Taps from specifications, by the formulas of SciPy.

use std::f64::consts::PI;

use ndarray::Array1;
use num_complex::Complex;
use realfft::RealFftPlanner;

use super::check;
use super::window::{Window, mirrored, sinc};
use crate::error::{Error, Result};

/// The shape of the Kaiser window for stop bands (and pass bands' ripple) `attenuation` dB down: Kaiser's formula, as
/// in Oppenheim and Schafer, "Discrete-Time Signal Processing". SciPy's function of this name.
///
/// ```
/// use faltung::filter::fir::kaiser_beta;
/// assert!((kaiser_beta(65.0) - 6.20426).abs() < 1e-12);
/// assert_eq!(kaiser_beta(20.0), 0.0);
/// ```
pub fn kaiser_beta(attenuation: f64) -> f64 {
    let a = attenuation;
    if a > 50.0 {
        0.1102 * (a - 8.7)
    } else if a > 21.0 {
        0.5842 * (a - 21.0).powf(0.4) + 0.07886 * (a - 21.0)
    } else {
        0.0
    }
}

/// The attenuation, in dB, of a filter of `numtaps` taps designed with a Kaiser window for a transition of `width`, a
/// part of the Nyquist frequency: Kaiser's formula. SciPy's function of this name.
///
/// ```
/// use faltung::filter::fir::kaiser_atten;
/// assert!((kaiser_atten(211, 0.0375) - 64.48099630593983).abs() < 1e-10);
/// ```
pub fn kaiser_atten(numtaps: usize, width: f64) -> f64 {
    2.285 * (numtaps as f64 - 1.0) * PI * width + 7.95
}

/// The number of taps, and the Kaiser window's shape, for a ripple of at most `ripple` dB (a positive attenuation) and
/// a transition of `width`, a part of the Nyquist frequency: Kaiser's formula. SciPy's function of this name.
///
/// # Errors
/// [`Error::Argument`] for a ripple below 8 dB, where the formula does not hold, a width that is not in 0 … 1, or one
/// that asks for more than [`MAX_TAPS`](super::MAX_TAPS).
///
/// ```
/// use faltung::filter::fir::kaiserord;
/// let (numtaps, beta) = kaiserord(65.0, 24.0 / 500.0)?;
/// assert_eq!(numtaps, 167);
/// assert!((beta - 6.20426).abs() < 1e-12);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn kaiserord(ripple: f64, width: f64) -> Result<(usize, f64)> {
    let ripple = ripple.abs();
    check::within("ripple", ripple, 8.0, 1000.0, "8 to 1000 dB")?;
    check::within("width", width, f64::MIN_POSITIVE, 1.0, "a width above 0, at most the Nyquist frequency")?;
    let numtaps = ((ripple - 7.95) / 2.285 / (PI * width) + 1.0).ceil();
    if numtaps > check::MAX_TAPS as f64 {
        let expected = format!("a width that at most {} taps can have", check::MAX_TAPS);
        return Err(Error::argument("width", expected, width));
    }
    Ok((numtaps as usize, kaiser_beta(ripple)))
}

/// Taps by the window method: the ideal response of one or more bands, faded out by a window. SciPy's function of this
/// name.
///
/// `cutoff` are the bands' edges, strictly increasing between 0 and the Nyquist frequency: in parts of it, 0 … 1, or
/// in the units of the sampling rate `fs` if one is given. With `pass_zero` the frequencies from 0 to the first edge
/// pass, without it they are stopped; from edge to edge the two take turns. With `scale` the gain is exactly 1 in the
/// middle of the first pass band (at 0 or at the Nyquist frequency where it reaches there).
///
/// # Errors
/// [`Error::Argument`] for no taps or more than [`MAX_TAPS`](super::MAX_TAPS), edges that are not as told, an even number of taps where
/// the Nyquist frequency is to pass (the response of such a filter is zero there), or a sampling rate that is not
/// positive.
///
/// ```
/// use faltung::filter::fir::{Window, firwin};
/// // Stop below 60 Hz and above 400 Hz, of 1000 Hz.
/// let h = firwin(5, &[60.0, 400.0], false, Window::Hamming, true, Some(1000.0))?;
/// assert!((h[2] - 0.93175425).abs() < 1e-8 && (h[0] - h[4]).abs() < 1e-16);
/// assert!(firwin(4, &[0.5], false, Window::Hamming, true, None).is_err()); // a high-pass of even length
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn firwin(
    numtaps: usize,
    cutoff: &[f64],
    pass_zero: bool,
    window: Window,
    scale: bool,
    fs: Option<f64>,
) -> Result<Array1<f64>> {
    check::taps("numtaps", numtaps)?;
    let nyquist = check::nyquist(fs)?;
    check_edges(cutoff, nyquist)?;
    let pass_nyquist = cutoff.len().is_multiple_of(2) == pass_zero;
    if pass_nyquist && numtaps.is_multiple_of(2) {
        return Err(Error::argument(
            "numtaps",
            "an odd number where the Nyquist frequency passes, since it cannot pass a filter of even length",
            numtaps,
        ));
    }
    // The edges of the pass bands, in pairs.
    let mut edges = Vec::with_capacity(cutoff.len() + 2);
    edges.extend(pass_zero.then_some(0.0));
    edges.extend(cutoff.iter().map(|c| c / nyquist));
    edges.extend(pass_nyquist.then_some(1.0));
    let middle = 0.5 * (numtaps as f64 - 1.0);
    let ideal = |m: f64| -> f64 {
        edges.chunks_exact(2).map(|band| band[1] * sinc(band[1] * m) - band[0] * sinc(band[0] * m)).sum()
    };
    let mut h = window.symmetric(numtaps)?;
    h *= &Array1::from(mirrored(numtaps, &ideal));
    if scale {
        let at = match edges[..] {
            [0.0, ..] => 0.0,
            [_, 1.0, ..] => 1.0,
            [left, right, ..] => 0.5 * (left + right),
            _ => 0.0,
        };
        let gain: f64 = h.iter().enumerate().map(|(i, tap)| tap * (PI * (i as f64 - middle) * at).cos()).sum();
        // A band that the window smears away has no gain to speak of.
        if !(gain.is_normal() && (1.0 / gain).is_finite()) {
            return Err(Error::argument(
                "numtaps",
                "enough taps that the first pass band has a gain to scale",
                numtaps,
            ));
        }
        h.mapv_inplace(|tap| tap / gain);
    }
    Ok(h)
}

/// Refuses edges that are not strictly increasing within 0 and the Nyquist frequency.
fn check_edges(cutoff: &[f64], nyquist: f64) -> Result<()> {
    if cutoff.is_empty() {
        return Err(Error::argument("cutoff", "at least one frequency", "none"));
    }
    let mut last = 0.0;
    for &c in cutoff {
        if !(c > last && c < nyquist) {
            let expected = format!("strictly increasing frequencies between 0 and {nyquist}, the Nyquist frequency");
            return Err(Error::argument("cutoff", expected, format!("{cutoff:?}")));
        }
        last = c;
    }
    Ok(())
}

/// Taps by the frequency-sampling method: any gains at any frequencies, with straight lines between them. SciPy's
/// function of this name.
///
/// `freq` begins with 0, ends with the Nyquist frequency (1, or half of `fs`), and does not decrease; a frequency
/// given twice is a step. The response is sampled at `nfreqs` points, more than `numtaps` (of a power of two and one,
/// unless given), and its impulse response faded out by the window ([`Window::Boxcar`] for none).
///
/// | `antisymmetric` | taps | type | gain is to be zero at |
/// |---|---|---|---|
/// | no | odd | I | – |
/// | no | even | II | the Nyquist frequency |
/// | yes | odd | III | 0 and the Nyquist frequency |
/// | yes | even | IV | 0 |
///
/// # Errors
/// [`Error::Argument`] for no taps or more than [`MAX_TAPS`](super::MAX_TAPS), frequencies or gains that are not as told, too few
/// points.
///
/// ```
/// use faltung::filter::fir::{Window, firwin2};
/// let h = firwin2(150, &[0.0, 0.5, 1.0], &[1.0, 1.0, 0.0], None, Window::Hamming, false, None)?;
/// assert!((h[72] - -0.02286961).abs() < 1e-8);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn firwin2(
    numtaps: usize,
    freq: &[f64],
    gain: &[f64],
    nfreqs: Option<usize>,
    window: Window,
    antisymmetric: bool,
    fs: Option<f64>,
) -> Result<Array1<f64>> {
    check::taps("numtaps", numtaps)?;
    let nyquist = check::nyquist(fs)?;
    check_response(freq, gain, nyquist)?;
    let refuse = |at: f64, place: &str| {
        let expected = format!("a gain of zero at {place}, for {numtaps} taps of this symmetry");
        if at == 0.0 { Ok(()) } else { Err(Error::argument("gain", expected, at)) }
    };
    let (first, last) = (gain.first().copied().unwrap_or(0.0), gain.last().copied().unwrap_or(0.0));
    if antisymmetric {
        refuse(first, "frequency 0")?;
    }
    if antisymmetric == (numtaps % 2 == 1) {
        refuse(last, "the Nyquist frequency")?;
    }
    let nfreqs = nfreqs.unwrap_or_else(|| 1 + numtaps.next_power_of_two());
    if nfreqs <= numtaps || nfreqs > 2 * check::MAX_TAPS {
        let expected = format!("more points than the {numtaps} taps, at most {}", 2 * check::MAX_TAPS);
        return Err(Error::argument("nfreqs", expected, nfreqs));
    }
    let freq = apart(freq, nyquist)?;
    // The samples of the response, turned by half the filter's length, and their inverse transform's real part.
    let period = 2 * (nfreqs - 1);
    let delay = (numtaps as f64 - 1.0) / 2.0;
    let fft = RealFftPlanner::new().plan_fft_inverse(period);
    let (mut spectrum, mut response) = (fft.make_input_vec(), fft.make_output_vec());
    for (k, value) in spectrum.iter_mut().enumerate() {
        let at = k as f64 / (nfreqs as f64 - 1.0);
        let turn = if antisymmetric { 0.5 * PI } else { 0.0 };
        *value = Complex::from_polar(1.0, turn - delay * PI * at) * interpolate(at * nyquist, &freq, gain);
    }
    // The ends of a real signal's spectrum are real.
    for end in [0, nfreqs - 1] {
        spectrum[end].im = 0.0;
    }
    fft.process(&mut spectrum, &mut response).map_err(|e| Error::other("transforming the response", e))?;
    let mut h = window.symmetric(numtaps)?;
    for (tap, value) in h.iter_mut().zip(&response) {
        *tap *= value / period as f64;
    }
    if antisymmetric && numtaps % 2 == 1 {
        h[numtaps / 2] = 0.0;
    }
    Ok(h)
}

fn check_response(freq: &[f64], gain: &[f64], nyquist: f64) -> Result<()> {
    if freq.len() != gain.len() {
        return Err(Error::argument("gain", format!("{} gains, one a frequency", freq.len()), gain.len()));
    }
    check::finite("gain", gain)?;
    let wrong = |expected: String| Err(Error::argument("freq", expected, format!("{freq:?}")));
    let [first, second, ..] = *freq else { return wrong("at least two frequencies".into()) };
    let [.., before, last] = *freq else { return wrong("at least two frequencies".into()) };
    if first != 0.0 || last != nyquist {
        return wrong(format!("frequencies from 0 to {nyquist}, the Nyquist frequency"));
    }
    if freq.windows(2).any(|w| w[0].partial_cmp(&w[1]).is_none_or(|order| order.is_gt())) {
        return wrong("frequencies that do not decrease".into());
    }
    if freq.windows(3).any(|w| w[0] == w[2]) || second == 0.0 || before == nyquist {
        return wrong("frequencies at most twice each, the first and the last once".into());
    }
    Ok(())
}

/// Frequencies that are given twice are moved apart by a hair, so that lines lead from each to the next.
fn apart(freq: &[f64], nyquist: f64) -> Result<Vec<f64>> {
    let mut freq = freq.to_vec();
    let hair = f64::EPSILON * nyquist;
    for k in 1..freq.len() {
        if freq[k - 1] == freq[k] {
            freq[k - 1] -= hair;
            freq[k] += hair;
        }
    }
    if freq.windows(2).any(|w| w[0] >= w[1]) {
        return Err(Error::argument(
            "freq",
            "frequencies not within a rounding of one given twice",
            format!("{freq:?}"),
        ));
    }
    Ok(freq)
}

/// The straight line through the neighbours of `at`, which lies within the increasing frequencies.
fn interpolate(at: f64, freq: &[f64], gain: &[f64]) -> f64 {
    let right = freq.partition_point(|&f| f <= at).clamp(1, freq.len() - 1);
    let (f0, f1, g0, g1) = (freq[right - 1], freq[right], gain[right - 1], gain[right]);
    g0 + (g1 - g0) / (f1 - f0) * (at - f0)
}
