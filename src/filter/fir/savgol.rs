//! Savitzky–Golay filters.

use ndarray::Array1;

use super::check;
use crate::error::{Error, Result};

/// The taps that fit a polynomial of degree `polyorder` to each stretch of `window_length` samples by least squares,
/// and give its value, or its derivative number `deriv`, in the middle (Savitzky and Golay, Anal. Chem. 36, 1964), for
/// samples `delta` apart. To be convolved with, as SciPy's function of this name has them by default.
///
/// # Errors
/// [`Error::Argument`] for no taps or more than [`MAX_TAPS`](super::MAX_TAPS), a degree that is not below the length or
/// above 100, or a distance that is not positive.
///
/// ```
/// use faltung::filter::fir::savgol_coeffs;
/// let h = savgol_coeffs(5, 2, 0, 1.0)?;
/// let expected = [-3.0, 12.0, 17.0, 12.0, -3.0].map(|v| v / 35.0);
/// assert!(h.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15));
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn savgol_coeffs(window_length: usize, polyorder: usize, deriv: usize, delta: f64) -> Result<Array1<f64>> {
    check::taps("window_length", window_length)?;
    check::within("delta", delta, f64::MIN_POSITIVE, f64::MAX, "a positive distance")?;
    if polyorder >= window_length || polyorder > 100 {
        return Err(Error::argument("polyorder", format!("below {}", window_length.min(101)), polyorder));
    }
    let mut h = Array1::zeros(window_length);
    if deriv > polyorder {
        return Ok(h);
    }
    // Orthogonal polynomials on the samples' places, by their recurrence p' = x p - b p_before (the places are
    // symmetric about 0, so no other term comes in), with their derivatives at 0. Places within -1 … 1, lest powers
    // grow out of all bounds; convolution reads them backwards.
    let half = (window_length as f64 - 1.0).max(1.0) / 2.0;
    let places = Array1::from_shape_fn(window_length, |i| ((window_length as f64 - 1.0) / 2.0 - i as f64) / half);
    let (mut before, mut now) = (Array1::zeros(window_length), Array1::ones(window_length));
    let (mut at_before, mut at_now) = (vec![0.0; deriv + 1], vec![0.0; deriv + 1]);
    at_now[0] = 1.0;
    let mut norm_before = 1.0;
    for degree in 0..=polyorder {
        let norm = now.dot(&now);
        h.scaled_add(at_now[deriv] / norm, &now);
        let b = if degree == 0 { 0.0 } else { norm / norm_before };
        let next = &places * &now - &before * b;
        let at_next = (0..=deriv).map(|d| if d == 0 { 0.0 } else { d as f64 * at_now[d - 1] } - b * at_before[d]);
        let at_next: Vec<f64> = at_next.collect();
        (before, now) = (now, next);
        (at_before, at_now) = (at_now, at_next);
        norm_before = norm;
    }
    h /= (half * delta).powi(deriv as i32);
    Ok(h)
}
