//! Filters by what they are to do.

use ndarray::Array1;
use num_complex::Complex;

use super::check;
use super::design::{firwin, firwin2, kaiserord};
use super::prepared::PreparedFir;
use super::response::{self, Frequencies};
use super::window::Window;
use crate::element::Element;
use crate::error::Result;

/// A filter of finite impulse response: its taps, real, in double precision.
///
/// Cutoffs are parts of the Nyquist frequency, 0 … 1; [`FirDesign`] takes them in Hz, and other windows than Hamming's.
///
/// ```
/// use faltung::filter::fir::Fir;
/// use faltung::ndarray::{Array2, Axis};
///
/// let lowpass = Fir::lowpass(0.2, 127)?.prepare()?;
/// // A constant and the fastest oscillation, in each of two lines.
/// let x = Array2::from_shape_fn((2, 1000), |(_, i)| if i % 2 == 0 { 3.0f32 } else { 1.0 });
/// let y = lowpass.apply(&x, Axis(1))?;
/// assert!((y[[1, 500]] - 2.0).abs() < 1e-2);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Fir {
    taps: Array1<f64>,
    fs: Option<f64>,
}

impl Fir {
    /// Passes what lies below `cutoff`, with so many taps; the window method with a Hamming window ([`firwin`]).
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for a cutoff that is not between 0 and 1, no taps or more than
    /// [`MAX_TAPS`](super::MAX_TAPS).
    ///
    /// ```
    /// use faltung::filter::fir::Fir;
    /// let h = Fir::lowpass(0.5, 3)?;
    /// assert!((h.taps().sum() - 1.0).abs() < 1e-15);
    /// assert!(Fir::lowpass(1.5, 3).is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn lowpass(cutoff: f64, taps: usize) -> Result<Self> {
        FirDesign::new(taps).lowpass(cutoff)
    }

    /// Passes what lies above `cutoff`. The number of taps must be odd.
    ///
    /// # Errors
    /// As [`lowpass`](Self::lowpass), and for an even number of taps.
    ///
    /// ```
    /// use faltung::filter::fir::Fir;
    /// assert!(Fir::highpass(0.5, 31)?.taps().sum().abs() < 1e-2);
    /// assert!(Fir::highpass(0.5, 32).is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn highpass(cutoff: f64, taps: usize) -> Result<Self> {
        FirDesign::new(taps).highpass(cutoff)
    }

    /// Passes what lies between `low` and `high`.
    ///
    /// # Errors
    /// As [`lowpass`](Self::lowpass), and for edges that do not increase.
    ///
    /// ```
    /// use faltung::filter::fir::Fir;
    /// let (_, response) = Fir::bandpass(0.2, 0.4, 101)?.freqz(10)?;
    /// assert!((response[3].norm() - 1.0).abs() < 1e-3 && response[6].norm() < 1e-2);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn bandpass(low: f64, high: f64, taps: usize) -> Result<Self> {
        FirDesign::new(taps).bandpass(low, high)
    }

    /// Stops what lies between `low` and `high`. The number of taps must be odd.
    ///
    /// # Errors
    /// As [`bandpass`](Self::bandpass), and for an even number of taps.
    ///
    /// ```
    /// use faltung::filter::fir::Fir;
    /// let (_, response) = Fir::bandstop(0.2, 0.4, 101)?.freqz(10)?;
    /// assert!(response[3].norm() < 1e-2 && (response[6].norm() - 1.0).abs() < 1e-2);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn bandstop(low: f64, high: f64, taps: usize) -> Result<Self> {
        FirDesign::new(taps).bandstop(low, high)
    }

    /// The gains at these frequencies, which go from 0 to 1, with straight lines between them ([`firwin2`]).
    ///
    /// # Errors
    /// As [`firwin2`].
    ///
    /// ```
    /// use faltung::filter::fir::Fir;
    /// let slope = Fir::from_response(&[0.0, 1.0], &[1.0, 0.5], 51)?;
    /// assert!((slope.freqz(4)?.1[2].norm() - 0.75).abs() < 1e-2);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn from_response(freqs: &[f64], gains: &[f64], taps: usize) -> Result<Self> {
        FirDesign::new(taps).from_response(freqs, gains)
    }

    /// Taps of one's own.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for none, more than [`MAX_TAPS`](super::MAX_TAPS), or numbers that
    /// are not finite.
    ///
    /// ```
    /// use faltung::filter::fir::Fir;
    /// assert_eq!(Fir::from_taps(vec![0.25, 0.5, 0.25])?.delay(), Some(1.0));
    /// assert!(Fir::from_taps(vec![f64::NAN]).is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn from_taps(taps: impl Into<Array1<f64>>) -> Result<Self> {
        Self::new(taps.into(), None)
    }

    fn new(taps: Array1<f64>, fs: Option<f64>) -> Result<Self> {
        check::taps("taps", taps.len())?;
        // Dense and forwards, so that the slice below is the taps.
        let taps = Array1::from_vec(taps.to_vec());
        check::finite("taps", taps.as_slice().unwrap_or_default())?;
        Ok(Self { taps, fs })
    }

    /// The impulse response.
    ///
    /// ```
    /// use faltung::filter::fir::Fir;
    /// assert_eq!(Fir::from_taps(vec![1.0, 2.0])?.taps().to_vec(), [1.0, 2.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn taps(&self) -> &Array1<f64> {
        &self.taps
    }

    /// The sampling rate that the design was told.
    ///
    /// ```
    /// use faltung::filter::fir::{Fir, FirDesign};
    /// assert_eq!(FirDesign::new(5).fs(8000.0).lowpass(900.0)?.fs(), Some(8000.0));
    /// assert_eq!(Fir::lowpass(0.5, 5)?.fs(), None);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn fs(&self) -> Option<f64> {
        self.fs
    }

    /// By how many samples it delays every frequency, where that is one number: of taps that are symmetric or
    /// antisymmetric.
    ///
    /// ```
    /// use faltung::filter::fir::Fir;
    /// assert_eq!(Fir::lowpass(0.5, 10)?.delay(), Some(4.5));
    /// assert_eq!(Fir::from_taps(vec![2.0, 1.0])?.delay(), None);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn delay(&self) -> Option<f64> {
        response::symmetry(self.slice()).map(|_| (self.taps.len() as f64 - 1.0) / 2.0)
    }

    /// (frequencies, response) at `n` frequencies, evenly from 0 to before the Nyquist frequency; in Hz where the design
    /// was told the sampling rate. [`freqz`](super::freqz) has other frequencies.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for no frequencies or more than 2²⁵.
    ///
    /// ```
    /// use faltung::filter::fir::FirDesign;
    /// let (hz, response) = FirDesign::new(101).fs(8000.0).lowpass(1000.0)?.freqz(4)?;
    /// assert_eq!(hz.to_vec(), [0.0, 1000.0, 2000.0, 3000.0]);
    /// assert!((response[1].norm() - 0.5).abs() < 1e-3); // the cutoff is at -6 dB
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn freqz(&self, n: usize) -> Result<(Array1<f64>, Array1<Complex<f64>>)> {
        response::freqz(self.slice(), Frequencies::Half(n), self.fs)
    }

    /// (frequencies, delays in samples), as [`freqz`](Self::freqz) has frequencies; see [`group_delay`](super::group_delay).
    ///
    /// # Errors
    /// As [`freqz`](Self::freqz).
    ///
    /// ```
    /// use faltung::filter::fir::Fir;
    /// let (_, delay) = Fir::lowpass(0.5, 11)?.group_delay(16)?;
    /// assert!(delay.iter().all(|&d| d == 5.0));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn group_delay(&self, n: usize) -> Result<(Array1<f64>, Array1<f64>)> {
        response::group_delay(self.slice(), Frequencies::Half(n), self.fs)
    }

    /// The filter for signals of an element type.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) where a tap is too large for the type.
    ///
    /// ```
    /// use faltung::filter::fir::Fir;
    /// use faltung::ndarray::{Axis, array};
    /// let mean = Fir::from_taps(vec![0.25, 0.5, 0.25])?.prepare()?;
    /// assert_eq!(mean.apply(&array![0.0f32, 4.0, 0.0], Axis(0))?, array![1.0, 2.0, 1.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn prepare<T: Element>(&self) -> Result<PreparedFir<T>> {
        PreparedFir::new(&self.taps)
    }

    fn slice(&self) -> &[f64] {
        // Made dense in `new`.
        self.taps.as_slice().unwrap_or_default()
    }
}

/// How many taps.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Length {
    Taps(usize),
    Kaiser { ripple: f64, width: f64 },
}

/// The design of a filter, option by option; ended by its kind.
///
/// Cutoffs are parts of the Nyquist frequency, or in the units of the sampling rate if one is given, as in SciPy.
///
/// ```
/// use faltung::filter::fir::{FirDesign, Window};
///
/// // 60 dB down within 200 Hz of 1 kHz.
/// let filter = FirDesign::kaiser(60.0, 200.0).fs(44100.0).lowpass(1000.0)?;
/// let (hz, response) = filter.freqz(22050)?;
/// let largest = hz.iter().zip(&response).filter(|(f, _)| **f >= 1100.0).map(|(_, r)| r.norm()).fold(0.0, f64::max);
/// assert!(20.0 * largest.log10() < -59.5);
///
/// let blackman = FirDesign::new(63).window(Window::Blackman).fs(44100.0).bandpass(300.0, 3400.0)?;
/// assert_eq!(blackman.taps().len(), 63);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FirDesign {
    length: Length,
    window: Window,
    fs: Option<f64>,
    scale: bool,
}

impl FirDesign {
    /// A filter of so many taps, under a Hamming window unless another is set.
    ///
    /// ```
    /// use faltung::filter::fir::FirDesign;
    /// assert_eq!(FirDesign::new(7).lowpass(0.5)?.taps().len(), 7);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(taps: usize) -> Self {
        Self { length: Length::Taps(taps), window: Window::default(), fs: None, scale: true }
    }

    /// A filter whose ripple is at most `ripple` dB and whose transitions are `width` wide, in the units of the cutoffs:
    /// under a Kaiser window, with as many taps as Kaiser's formula asks for ([`kaiserord`]), or one more, so that they
    /// are an odd number and the delay is one of whole samples.
    ///
    /// ```
    /// use faltung::filter::fir::FirDesign;
    /// assert_eq!(FirDesign::kaiser(65.0, 24.0).fs(1000.0).highpass(100.0)?.taps().len(), 167);
    /// assert!(FirDesign::kaiser(65.0, 0.0).lowpass(0.1).is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn kaiser(ripple: f64, width: f64) -> Self {
        Self { length: Length::Kaiser { ripple, width }, ..Self::new(1) }
    }

    /// The window; Hamming's unless set, and a Kaiser window for a design by [`kaiser`](Self::kaiser), whatever is set.
    ///
    /// ```
    /// use faltung::filter::fir::{FirDesign, Window};
    /// let ideal = FirDesign::new(3).window(Window::Boxcar).scale(false).lowpass(0.5)?;
    /// assert_eq!(ideal.taps()[1], 0.5);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Samples a second; cutoffs are then in Hz.
    ///
    /// ```
    /// use faltung::filter::fir::{Fir, FirDesign};
    /// assert_eq!(FirDesign::new(9).fs(8000.0).lowpass(1000.0)?.taps(), Fir::lowpass(0.25, 9)?.taps());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn fs(mut self, hz: f64) -> Self {
        self.fs = Some(hz);
        self
    }

    /// Whether the gain is made exactly 1 in the middle of the first pass band; so unless set.
    ///
    /// ```
    /// use faltung::filter::fir::FirDesign;
    /// assert_ne!(FirDesign::new(9).scale(false).lowpass(0.25)?.taps().sum(), 1.0);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn scale(mut self, scale: bool) -> Self {
        self.scale = scale;
        self
    }

    /// Passes what lies below `cutoff`.
    ///
    /// # Errors
    /// As [`multiband`](Self::multiband).
    ///
    /// ```
    /// use faltung::filter::fir::FirDesign;
    /// let (hz, response) = FirDesign::new(101).fs(8000.0).lowpass(1000.0)?.freqz(100)?;
    /// let mut passing = hz.iter().zip(&response).filter(|&(&f, _)| f < 800.0);
    /// assert!(passing.all(|(_, gain)| (gain.norm() - 1.0).abs() < 0.01));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn lowpass(&self, cutoff: f64) -> Result<Fir> {
        self.multiband(&[cutoff], true)
    }

    /// Passes what lies above `cutoff`.
    ///
    /// # Errors
    /// As [`multiband`](Self::multiband).
    ///
    /// ```
    /// use faltung::filter::fir::FirDesign;
    /// let (hz, response) = FirDesign::new(101).fs(8000.0).highpass(1000.0)?.freqz(100)?;
    /// let mut passing = hz.iter().zip(&response).filter(|&(&f, _)| f > 1200.0);
    /// assert!(passing.all(|(_, gain)| (gain.norm() - 1.0).abs() < 0.01));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn highpass(&self, cutoff: f64) -> Result<Fir> {
        self.multiband(&[cutoff], false)
    }

    /// Passes what lies between `low` and `high`.
    ///
    /// # Errors
    /// As [`multiband`](Self::multiband).
    ///
    /// ```
    /// use faltung::filter::fir::FirDesign;
    /// let (hz, response) = FirDesign::new(101).fs(8000.0).bandpass(1000.0, 2000.0)?.freqz(100)?;
    /// let mut passing = hz.iter().zip(&response).filter(|&(&f, _)| f > 1200.0 && f < 1800.0);
    /// assert!(passing.all(|(_, gain)| (gain.norm() - 1.0).abs() < 0.01));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn bandpass(&self, low: f64, high: f64) -> Result<Fir> {
        self.multiband(&[low, high], false)
    }

    /// Stops what lies between `low` and `high`.
    ///
    /// # Errors
    /// As [`multiband`](Self::multiband).
    ///
    /// ```
    /// use faltung::filter::fir::FirDesign;
    /// let (hz, response) = FirDesign::new(101).fs(8000.0).bandstop(1000.0, 2000.0)?.freqz(100)?;
    /// let mut passing = hz.iter().zip(&response).filter(|&(&f, _)| f < 800.0 || f > 2200.0);
    /// assert!(passing.all(|(_, gain)| (gain.norm() - 1.0).abs() < 0.01));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn bandstop(&self, low: f64, high: f64) -> Result<Fir> {
        self.multiband(&[low, high], true)
    }

    /// Passes and stops in turn from edge to edge, beginning with a pass band if `pass_zero`; by [`firwin`].
    ///
    /// # Errors
    /// As [`firwin`] and, for a design by [`kaiser`](Self::kaiser), [`kaiserord`].
    ///
    /// ```
    /// use faltung::filter::fir::FirDesign;
    /// let two_bands = FirDesign::new(201).multiband(&[0.1, 0.3, 0.6, 0.8], false)?;
    /// let (_, response) = two_bands.freqz(20)?;
    /// assert!([4, 14].iter().all(|&k| (response[k].norm() - 1.0).abs() < 1e-2) && response[9].norm() < 1e-2);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn multiband(&self, cutoff: &[f64], pass_zero: bool) -> Result<Fir> {
        let (taps, window) = self.length()?;
        Fir::new(firwin(taps, cutoff, pass_zero, window, self.scale, self.fs)?, self.fs)
    }

    /// The gains at these frequencies, from 0 to the Nyquist frequency, with straight lines between them; by
    /// [`firwin2`].
    ///
    /// # Errors
    /// As [`firwin2`] and, for a design by [`kaiser`](Self::kaiser), [`kaiserord`].
    ///
    /// ```
    /// use faltung::filter::fir::FirDesign;
    /// let tilt = FirDesign::new(99).fs(48000.0).from_response(&[0.0, 24000.0], &[2.0, 1.0])?;
    /// assert!((tilt.freqz(2)?.1[1].norm() - 1.5).abs() < 1e-2);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn from_response(&self, freqs: &[f64], gains: &[f64]) -> Result<Fir> {
        let (taps, window) = self.length()?;
        Fir::new(firwin2(taps, freqs, gains, None, window, false, self.fs)?, self.fs)
    }

    fn length(&self) -> Result<(usize, Window)> {
        match self.length {
            Length::Taps(taps) => Ok((taps, self.window)),
            Length::Kaiser { ripple, width } => {
                let (taps, beta) = kaiserord(ripple, width / check::nyquist(self.fs)?)?;
                Ok((taps | 1, Window::Kaiser { beta }))
            }
        }
    }
}
