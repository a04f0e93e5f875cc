//! Resamplers: a ratio with its filter.

use ndarray::{Array, ArrayRef, Axis, Dimension};

use super::super::arrays;
use super::super::extension::Extension;
use super::super::fir::{MAX_TAPS, Window, firwin};
use super::check_rates;
use super::polyphase::Rate;
use crate::element::{Element, Scalar};
use crate::error::{Error, Result};
use crate::problem::{Boundary, gcd};

/// Zero crossings of the sinc on either side.
const CROSSINGS: usize = 10;

/// What a resampler takes the data to be outside: `padtype` of `scipy.signal.resample_poly`.
///
/// ```
/// use faltung::Boundary;
/// use faltung::filter::resample::{Padding, Resampler};
/// use faltung::ndarray::{Array1, Axis};
///
/// let x = Array1::from_elem(50, 7.0);
/// let resampler = Resampler::<f64>::new(3, 2)?;
/// let faded = resampler.apply(&x, Axis(0))?;
/// let steady = resampler.padding(Padding::Mean).apply(&x, Axis(0))?;
/// assert!((faded[1] - 7.0).abs() > 0.5 && (steady[1] - 7.0).abs() < 1e-12);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Padding {
    /// An extension of the data; [`Boundary::Zero`] is the default.
    Extend(Extension),
    /// Each line's mean, which is taken away before and added behind, so that zeros are beside it.
    Mean,
    /// The same with the median. Not for complex data.
    Median,
    /// The same with the smallest sample. Not for complex data.
    Minimum,
    /// The same with the largest sample. Not for complex data.
    Maximum,
}

impl Default for Padding {
    fn default() -> Self {
        Self::Extend(Extension::default())
    }
}

impl From<Extension> for Padding {
    fn from(extension: Extension) -> Self {
        Self::Extend(extension)
    }
}

impl From<Boundary> for Padding {
    fn from(boundary: Boundary) -> Self {
        Self::Extend(boundary.into())
    }
}

/// A change of the sampling rate by `up / down`, with its filter: immutable, for signals of any length along any axis.
///
/// The default is that of [`resample_poly`](super::resample_poly).
///
/// ```
/// use faltung::filter::fir::Window;
/// use faltung::filter::resample::Resampler;
/// use faltung::ndarray::{Array2, Axis};
///
/// // From CD to DAT, with stop bands of some 80 dB, both channels.
/// let resampler = Resampler::<f32>::with_window(48000, 44100, Window::Kaiser { beta: 8.0 })?;
/// assert_eq!((resampler.up(), resampler.down()), (160, 147));
/// let y = resampler.apply(&Array2::zeros((2, 4410)), Axis(1))?;
/// assert_eq!(y.shape(), [2, 4800]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Resampler<T> {
    up: usize,
    down: usize,
    taps: Vec<T>,
    padding: Padding,
}

impl<T: Element> Resampler<T> {
    /// A resampler with SciPy's default filter: a sinc up to the lower of the two Nyquist frequencies, with ten zero
    /// crossings on either side, under a Kaiser window of shape 5.
    ///
    /// # Errors
    /// [`Error::Argument`] for a rate of 0, or rates whose ratio in lowest terms needs more than
    /// [`MAX_TAPS`](crate::filter::fir::MAX_TAPS) taps.
    ///
    /// ```
    /// use faltung::filter::resample::Resampler;
    /// assert_eq!(Resampler::<f64>::new(3, 2)?.taps().len(), 61);
    /// assert!(Resampler::<f64>::new(usize::MAX, 2).is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(up: usize, down: usize) -> Result<Self> {
        Self::with_window(up, down, Window::Kaiser { beta: 5.0 })
    }

    /// The same filter under another window.
    ///
    /// # Errors
    /// As [`new`](Self::new), and for a window whose parameters make no sense.
    ///
    /// ```
    /// use faltung::filter::{fir::Window, resample::Resampler};
    /// let resampler = Resampler::<f64>::with_window(1, 4, Window::Hann)?;
    /// assert_eq!(resampler.output_len(1001), 251);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn with_window(up: usize, down: usize, window: Window) -> Result<Self> {
        check_rates(up, down)?;
        let common = gcd(up, down);
        let (up, down) = (up / common, down / common);
        if up == down {
            return Self::with_taps(up, down, &[1.0]);
        }
        let rate = up.max(down);
        if rate > (MAX_TAPS - 1) / (2 * CROSSINGS) {
            let expected = format!("rates whose filter has at most {MAX_TAPS} taps");
            return Err(Error::argument(if up == rate { "up" } else { "down" }, expected, format!("{up} / {down}")));
        }
        let h = firwin(2 * CROSSINGS * rate + 1, &[1.0 / rate as f64], true, window, true, None)?;
        Self::with_taps(up, down, h.as_slice().unwrap_or_default())
    }

    /// Another filter: a low-pass of gain 1, symmetric about its middle, in the up-sampled domain. The taps are
    /// multiplied by `up`, as SciPy does with an array in the place of the window.
    ///
    /// # Errors
    /// [`Error::Argument`] for a rate of 0 or no taps.
    ///
    /// ```
    /// use faltung::filter::resample::Resampler;
    /// use faltung::ndarray::{Axis, array};
    /// // Lines between the samples.
    /// let linear = Resampler::with_taps(2, 1, &[0.25, 0.5, 0.25])?;
    /// assert_eq!(linear.apply(&array![1.0, 3.0, 5.0], Axis(0))?, array![1.0, 2.0, 3.0, 4.0, 5.0, 2.5]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn with_taps(up: usize, down: usize, taps: &[f64]) -> Result<Self> {
        check_rates(up, down)?;
        if taps.is_empty() {
            return Err(Error::argument("taps", "at least 1 tap", 0));
        }
        let common = gcd(up, down);
        let (up, down) = (up / common, down / common);
        let gain = T::from_f64(up as f64);
        let taps = taps.iter().map(|&h| T::from_f64(h) * gain).collect();
        Ok(Self { up, down, taps, padding: Padding::default() })
    }

    /// What lies outside the data; zeros unless set.
    ///
    /// ```
    /// use faltung::filter::{Extension, resample::Resampler};
    /// use faltung::ndarray::{Array1, Axis};
    /// let line = Array1::from_shape_fn(60, |i| i as f64);
    /// let y = Resampler::new(1, 2)?.padding(Extension::Line).apply(&line, Axis(0))?;
    /// assert!((0..30).all(|i| (y[i] - 2.0 * i as f64).abs() < 0.01));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn padding(mut self, padding: impl Into<Padding>) -> Self {
        self.padding = padding.into();
        self
    }

    /// The factor of the up-sampling, in lowest terms.
    ///
    /// ```
    /// # use faltung::filter::resample::Resampler;
    /// assert_eq!(Resampler::<f32>::new(4, 6)?.up(), 2);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn up(&self) -> usize {
        self.up
    }

    /// The factor of the down-sampling, in lowest terms.
    ///
    /// ```
    /// # use faltung::filter::resample::Resampler;
    /// assert_eq!(Resampler::<f32>::new(4, 6)?.down(), 3);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn down(&self) -> usize {
        self.down
    }

    /// The filter in the up-sampled domain, of gain `up`.
    ///
    /// ```
    /// # use faltung::filter::resample::Resampler;
    /// assert_eq!(Resampler::<f64>::with_taps(2, 1, &[0.25, 0.5, 0.25])?.taps(), [0.5, 1.0, 0.5]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn taps(&self) -> &[T] {
        &self.taps
    }

    /// Samples of the result of `n` samples: `⌈n · up / down⌉`, at most [`usize::MAX`].
    ///
    /// ```
    /// # use faltung::filter::resample::Resampler;
    /// assert_eq!(Resampler::<f32>::new(48000, 44100)?.output_len(441_000), 480_000);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn output_len(&self, n: usize) -> usize {
        usize::try_from((n as u128 * self.up as u128).div_ceil(self.down as u128)).unwrap_or(usize::MAX)
    }

    /// Resamples every line along an axis.
    ///
    /// # Errors
    /// [`Error::Argument`] for an empty array, an axis that is not there, or a padding that complex data do not have;
    /// [`Error::Overflow`] and [`Error::Other`] where the result's size does not fit.
    ///
    /// ```
    /// use faltung::filter::resample::Resampler;
    /// use faltung::ndarray::{Array2, Axis};
    /// let y = Resampler::<f32>::new(2, 1)?.apply(&Array2::zeros((100, 2)), Axis(0))?;
    /// assert_eq!(y.shape(), [200, 2]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply<D: Dimension>(&self, x: &ArrayRef<T, D>, axis: Axis) -> Result<Array<T, D>> {
        arrays::check_axis(x, axis)?;
        if self.up == self.down {
            return Ok(x.to_owned());
        }
        let count = self.output_len(x.len_of(axis));
        let rate = Rate { up: self.up, down: self.down, offset: (self.taps.len() - 1) / 2, count };
        let statistic: fn(&[T]) -> T = match self.padding {
            Padding::Extend(extension) => return rate.run(x, axis, &self.taps, extension),
            Padding::Mean => mean,
            _ if T::DTYPE.is_complex() => {
                return Err(Error::argument("padding", "one that complex data have", format!("{:?}", self.padding)));
            }
            Padding::Median => median,
            Padding::Minimum => |line| extreme(line, f64::lt),
            Padding::Maximum => |line| extreme(line, f64::gt),
        };
        let mut level = x.to_owned();
        let mut backgrounds = Vec::new();
        for mut line in level.lanes_mut(axis) {
            let background = statistic(&line.to_vec());
            line.mapv_inplace(|v| v - background);
            backgrounds.push(background);
        }
        let mut y = rate.run(&level, axis, &self.taps, Extension::default())?;
        for (mut line, background) in y.lanes_mut(axis).into_iter().zip(backgrounds) {
            line.mapv_inplace(|v| v + background);
        }
        Ok(y)
    }
}

fn mean<T: Element>(line: &[T]) -> T {
    let (re, im) = line.iter().map(|v| v.to_f64()).fold((0.0, 0.0), |sum, v| (sum.0 + v.0, sum.1 + v.1));
    let part = |sum: f64| T::Real::from_f64(sum / line.len() as f64);
    T::from_parts(part(re), part(im))
}

/// Of real numbers: the middle one, or the mean of the two middle ones; NaN where there is one, as in NumPy.
fn median<T: Element>(line: &[T]) -> T {
    let mut sorted: Vec<f64> = line.iter().map(|v| v.to_f64().0).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = |i: usize| sorted.get(i).copied().unwrap_or(f64::NAN);
    if sorted.iter().any(|v| v.is_nan()) {
        return T::from_f64(f64::NAN);
    }
    T::from_f64(0.5 * (middle((sorted.len() - 1) / 2) + middle(sorted.len() / 2)))
}

/// The number that is `further` than all others; NaN where there is one, as in NumPy.
fn extreme<T: Element>(line: &[T], further: fn(&f64, &f64) -> bool) -> T {
    let numbers = line.iter().map(|v| v.to_f64().0);
    let found = numbers.reduce(|a, b| if a.is_nan() || further(&a, &b) { a } else { b });
    T::from_f64(found.unwrap_or(f64::NAN))
}
