//! Changing the sampling rate by a ratio of whole numbers, by polyphase filters.
//!
//! | call | for |
//! |---|---|
//! | [`resample_poly`] | the whole of it in one line, as `scipy.signal.resample_poly` |
//! | [`Resampler`] | other filters and edges, and many signals |
//! | [`upfirdn`] | a filter of one's own between up-sampling and down-sampling, as `scipy.signal.upfirdn` |
//!
//! Only products that reach an output are computed: each output costs some `taps / up` of them, however large the rates
//! are. Signals of any length go in one piece; the result and one extended copy of the data are the memory needed.
//! Neighbouring outputs are computed together, so that a sample which is not finite reaches up to half a filter further
//! than its taps do.

mod polyphase;
mod resampler;

use ndarray::{Array, ArrayRef, Axis, Dimension, Ix1};

use self::polyphase::Rate;
pub use self::resampler::{Padding, Resampler};
use super::arrays;
use super::extension::Extension;
use crate::element::Element;
use crate::error::{Error, Result};

/// Resamples every line along an axis by `up / down`, with a low-pass filter designed for it: a Kaiser window of shape 5
/// and ten zero crossings of the sinc on either side, and zeros outside the data, as `scipy.signal.resample_poly` does.
///
/// A line of `n` samples becomes one of `⌈n · up / down⌉`; sample `o` of the result lies over the data's position
/// `o · down / up`. Taps are rounded to the element type. Where `up = down`, the result is a copy.
///
/// # Errors
/// [`Error::Argument`] for an empty array, an axis that is not there, a rate of 0, or one whose filter has more than
/// [`MAX_TAPS`](crate::filter::fir::MAX_TAPS) taps; [`Error::Overflow`] and [`Error::Other`] where the result's size does not fit.
///
/// ```
/// use faltung::filter::resample::resample_poly;
/// use faltung::ndarray::{Array1, Axis};
///
/// // A slow sine from 44.1 kHz to 48 kHz.
/// let sine = |n: usize, rate: f32| Array1::from_shape_fn(n, |i| (i as f32 / rate * 300.0).sin());
/// let y = resample_poly(&sine(4410, 44100.0), 48000, 44100, Axis(0))?;
/// let expected = sine(4800, 48000.0);
/// assert_eq!(y.len(), 4800);
/// assert!((200..4600).all(|i| (y[i] - expected[i]).abs() < 1e-3));
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn resample_poly<T: Element, D: Dimension>(
    x: &ArrayRef<T, D>,
    up: usize,
    down: usize,
    axis: Axis,
) -> Result<Array<T, D>> {
    Resampler::new(up, down)?.apply(x, axis)
}

/// Puts `up - 1` zeros behind every sample of each line along an axis, convolves with `h` and keeps every `down`-th
/// sample, from the first on: `y[o] = Σ_j x[j] · h[o · down - j · up]`, as `scipy.signal.upfirdn` does.
///
/// A line of `n` samples becomes one of `⌈((n - 1) · up + taps) / down⌉`.
///
/// # Errors
/// [`Error::Argument`] for an empty array or filter, an axis that is not there, or a rate of 0; [`Error::Overflow`] and
/// [`Error::Other`] where the result's size does not fit.
///
/// ```
/// use faltung::Boundary;
/// use faltung::filter::resample::upfirdn;
/// use faltung::ndarray::{Axis, array};
///
/// let (x, h) = (array![1.0, 2.0, 3.0], array![1.0, 1.0, 1.0]);
/// assert_eq!(upfirdn(&h, &x, 3, 1, Axis(0), Boundary::Zero)?, array![1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0]);
/// assert_eq!(upfirdn(&h, &x, 3, 2, Axis(0), Boundary::Zero)?, array![1.0, 1.0, 2.0, 3.0, 3.0]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn upfirdn<T: Element, D: Dimension>(
    h: &ArrayRef<T, Ix1>,
    x: &ArrayRef<T, D>,
    up: usize,
    down: usize,
    axis: Axis,
    extension: impl Into<Extension>,
) -> Result<Array<T, D>> {
    arrays::check_axis(x, axis)?;
    check_rates(up, down)?;
    if h.is_empty() {
        return Err(Error::argument("h", "at least 1 tap", 0));
    }
    let full = (x.len_of(axis) - 1).checked_mul(up).and_then(|n| n.checked_add(h.len()));
    let full = full.ok_or_else(|| Error::overflow("the length of the up-sampled signal"))?;
    let taps: Vec<T> = h.to_vec();
    Rate { up, down, offset: 0, count: full.div_ceil(down) }.run(x, axis, &taps, extension.into())
}

fn check_rates(up: usize, down: usize) -> Result<()> {
    for (name, rate) in [("up", up), ("down", down)] {
        if rate == 0 {
            return Err(Error::argument(name, "at least 1", 0));
        }
    }
    Ok(())
}
