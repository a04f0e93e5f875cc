//! One-dimensional kernels, as they are correlated.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::view::MAX_AXES;

/// The most taps that a kernel has along one axis: 32 MiB of them.
pub(super) const MAX_TAPS: usize = 1 << 22;

/// The highest order of a Gaussian's derivative; the taps of higher ones may leave the range of `f64`.
pub(super) const MAX_ORDER: usize = 64;

/// Room for so many taps.
fn room(argument: &'static str, taps: f64) -> Result<Vec<f64>> {
    let expected = || format!("a kernel of at most {MAX_TAPS} taps an axis");
    if taps.is_nan() || taps > MAX_TAPS as f64 {
        return Err(Error::argument(argument, expected(), format!("one of {taps}")));
    }
    let mut room = Vec::new();
    room.try_reserve_exact(taps as usize).map_err(|e| Error::other("making room for a kernel", e))?;
    Ok(room)
}

/// So many filtered axes, if arrays have as many.
pub(super) fn filtered(axes: usize) -> Result<Range<usize>> {
    if (1..=MAX_AXES).contains(&axes) {
        Ok(0..axes)
    } else {
        Err(Error::argument("axes", format!("1 to {MAX_AXES} filtered axes"), axes))
    }
}

/// A number that must be finite and at least `least`.
pub(super) fn at_least(argument: &'static str, least: f64, value: f64) -> Result<f64> {
    if value.is_finite() && value >= least {
        Ok(value)
    } else {
        Err(Error::argument(argument, format!("a finite number of at least {least}"), value))
    }
}

/// The `order`-th derivative of a Gaussian, cut off `radius` samples from its middle, as
/// `scipy.ndimage.gaussian_filter1d` has it: the taps of order 0 sum to 1, those of higher order are that kernel times
/// the Hermite polynomial which the derivative brings with it.
///
/// A `sigma` of 0 is the identity, as for `scipy.ndimage.gaussian_filter`, and has no derivatives.
pub(super) fn gaussian(sigma: f64, order: usize, radius: f64) -> Result<Vec<f64>> {
    at_least("sigma", 0.0, sigma)?;
    if order > MAX_ORDER {
        return Err(Error::argument("order", format!("a derivative of order 0 to {MAX_ORDER}"), order));
    }
    // SciPy's bound, below which a Gaussian is no wider than rounding.
    if sigma <= 1e-15 {
        return match order {
            0 => Ok(vec![1.0]),
            _ => Err(Error::argument("sigma", "more than 0 for a derivative", sigma)),
        };
    }
    let mut taps = room("sigma", 2.0 * radius + 1.0)?;
    let places = || (0..=2 * radius as usize).map(|i| (i as f64 - radius) / sigma);
    taps.extend(places().map(|x| (-0.5 * x * x).exp()));
    let sum: f64 = taps.iter().sum();
    for (tap, x) in taps.iter_mut().zip(places()) {
        // φ⁽ⁿ⁾(x) = (-1/σ)ⁿ Heₙ(x/σ) φ(x), reflected as correlation asks for: Heₙ(-u) = (-1)ⁿ Heₙ(u).
        *tap *= hermite(order, x) / sum / sigma.powi(order as i32);
    }
    if taps.iter().any(|tap| !tap.is_finite()) {
        return Err(Error::argument("sigma", format!("a derivative of order {order} within f64's range"), sigma));
    }
    Ok(taps)
}

/// The probabilists' Hermite polynomial, by its recurrence.
fn hermite(order: usize, x: f64) -> f64 {
    let (mut last, mut value) = (0.0, 1.0);
    for n in 0..order {
        (last, value) = (value, x * value - n as f64 * last);
    }
    value
}

/// The mean over `size` samples.
pub(super) fn mean(size: usize) -> Result<Vec<f64>> {
    if size == 0 {
        return Err(Error::argument("size", "at least 1 sample", size));
    }
    let mut taps = room("size", size as f64)?;
    taps.resize(size, 1.0 / size as f64);
    Ok(taps)
}

/// The mean over `2 * radius + 1` samples, where the two at the ends count as much as is left of the radius: the
/// extended box filter of Gwosdek, Grewenig, Bruhn and Weickert (2011), and `PIL.ImageFilter.BoxBlur`.
pub(super) fn extended_box(radius: f64) -> Result<Vec<f64>> {
    at_least("radius", 0.0, radius)?;
    let whole = radius.floor();
    let mut taps = room("radius", 2.0 * whole + 3.0)?;
    let weight = 1.0 / (2.0 * radius + 1.0);
    taps.resize(2 * whole as usize + 1, weight);
    if radius > whole {
        let end = (radius - whole) * weight;
        taps.insert(0, end);
        taps.push(end);
    }
    Ok(taps)
}

/// The radius of the extended box whose `passes` repetitions have the variance `sigma²`.
pub(super) fn extended_radius(sigma: f64, passes: usize) -> f64 {
    let variance = sigma * sigma / passes as f64;
    let whole = ((12.0 * variance + 1.0).sqrt() / 2.0 - 0.5).floor();
    let fraction = (2.0 * whole + 1.0) * (whole * (whole + 1.0) - 3.0 * variance)
        / (6.0 * (variance - (whole + 1.0) * (whole + 1.0)));
    whole + fraction
}

/// The derivative of order `order`, smoothed over `size` taps: that many binomial sums and differences, as
/// `cv2.getDerivKernels` has them for Sobel. A size of 1 stands for no smoothing.
pub(super) fn binomial(order: usize, size: usize) -> Result<Vec<f64>> {
    // The largest size that OpenCV takes; beyond some 50 the binomials are no longer exact.
    if size.is_multiple_of(2) || size > 31 {
        return Err(Error::argument("ksize", "an odd number from 1 to 31", size));
    }
    let taps = if size == 1 && order > 0 { 3 } else { size };
    if order >= taps {
        return Err(Error::argument("order", format!("a derivative of an order below the {taps} taps"), order));
    }
    let mut kernel = vec![1.0];
    for i in 1..taps {
        let sign = if i <= order { -1.0 } else { 1.0 };
        kernel.push(0.0);
        for j in (0..kernel.len()).rev() {
            let before = if j == 0 { 0.0 } else { kernel[j - 1] };
            kernel[j] = before + sign * kernel[j];
        }
    }
    Ok(kernel)
}
