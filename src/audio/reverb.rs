//! Rooms, by their impulse responses.

use ndarray::Array2;

use super::prepared::PreparedReverb;
use super::sound::Audio;
use crate::error::{Error, Result};

/// Seconds beyond which a pre-delay is a mistake.
const LONGEST_PREDELAY: f64 = 60.0;

/// Convolution reverb: a sound as it would be heard through what a response was recorded in, a room, a spring or a
/// loudspeaker, option by option.
///
/// The result is `dry * sound + wet * (sound convolved with the response)`. Which channels are convolved with which:
///
/// | response | sound | result | |
/// |---|---|---|---|
/// | 1 channel | `n` channels | `n` channels | the response over each channel |
/// | 2 channels | mono | stereo | the sound through each channel of the response |
/// | 2 channels | stereo | stereo | left through left, right through right |
/// | 4 channels, true stereo | mono | stereo | as a stereo sound with that channel left and right |
/// | 4 channels, true stereo | stereo | stereo | left = left * LL + right * RL, right = left * LR + right * RR |
/// | `n` channels, not 4 | mono | `n` channels | the sound through each channel of the response |
/// | `n` channels | `n` channels, more than 2 | `n` channels | channel by channel |
///
/// The channels of a true-stereo response are LL, LR, RL, RR, in this order: from the left loudspeaker to the left and to
/// the right microphone, then from the right one. The dry sound goes to the channel that it came from, a mono sound to
/// every one.
///
/// Sums are of `f64` and rounded once, to `f32`. Unless set otherwise a reverb is the plain convolution: dry 0, wet 1,
/// no pre-delay, the tail kept, not normalised.
///
/// ```
/// use faltung::audio::{Audio, Reverb};
/// use faltung::ndarray::array;
///
/// let sound = Audio::new(array![[1.0, 0.5]], 8000)?;
/// let echo = Audio::new(array![[1.0, 0.0, 0.25], [0.5, 0.0, 0.0]], 8000)?;
/// let heard = Reverb::new(&echo).apply(&sound)?;
/// assert_eq!(heard.samples(), array![[1.0, 0.5, 0.25, 0.125], [0.5, 0.25, 0.0, 0.0]]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reverb<'a> {
    pub(super) response: &'a Audio,
    pub(super) dry: f64,
    pub(super) wet: f64,
    pub(super) predelay: f64,
    pub(super) tail: bool,
    pub(super) peak: Option<f64>,
    pub(super) resample: bool,
}

impl<'a> Reverb<'a> {
    /// A reverb with this impulse response.
    ///
    /// ```
    /// use faltung::audio::{Audio, Reverb};
    /// let halved = Audio::from_interleaved(&[0.5], 1, 8000)?;
    /// let sound = Audio::from_interleaved(&[1.0, -1.0], 1, 8000)?;
    /// assert_eq!(Reverb::new(&halved).apply(&sound)?.to_interleaved(), [0.5, -0.5]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(response: &'a Audio) -> Self {
        Self { response, dry: 0.0, wet: 1.0, predelay: 0.0, tail: true, peak: None, resample: false }
    }

    /// The factor of the sound itself; 0 unless set. [`decibels`] makes factors of levels.
    ///
    /// ```
    /// use faltung::audio::{Audio, Reverb};
    /// let echo = Audio::from_interleaved(&[0.0, 0.5], 1, 8000)?;
    /// let sound = Audio::from_interleaved(&[1.0], 1, 8000)?;
    /// assert_eq!(Reverb::new(&echo).dry(0.25).apply(&sound)?.to_interleaved(), [0.25, 0.5]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn dry(mut self, gain: f64) -> Self {
        self.dry = gain;
        self
    }

    /// The factor of the convolved sound; 1 unless set.
    ///
    /// ```
    /// use faltung::audio::{Audio, Reverb};
    /// let echo = Audio::from_interleaved(&[0.0, 0.5], 1, 8000)?;
    /// let sound = Audio::from_interleaved(&[1.0], 1, 8000)?;
    /// assert_eq!(Reverb::new(&echo).wet(2.0).apply(&sound)?.to_interleaved(), [0.0, 1.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn wet(mut self, gain: f64) -> Self {
        self.wet = gain;
        self
    }

    /// Seconds, at most 60 and rounded to frames, by which the convolved sound comes late; 0 unless set.
    ///
    /// ```
    /// use faltung::audio::{Audio, Reverb};
    /// let room = Audio::from_interleaved(&[0.5], 1, 8000)?;
    /// let sound = Audio::from_interleaved(&[1.0], 1, 8000)?;
    /// let late = Reverb::new(&room).dry(1.0).predelay(2.0 / 8000.0).apply(&sound)?;
    /// assert_eq!(late.to_interleaved(), [1.0, 0.0, 0.5]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn predelay(mut self, seconds: f64) -> Self {
        self.predelay = seconds;
        self
    }

    /// Whether the result goes on until the room is silent, longer than the sound by the response less one frame and the
    /// pre-delay, or ends with the sound; kept unless set.
    ///
    /// ```
    /// use faltung::audio::{Audio, Reverb};
    /// let echo = Audio::from_interleaved(&[1.0, 0.5], 1, 8000)?;
    /// let sound = Audio::from_interleaved(&[1.0], 1, 8000)?;
    /// assert_eq!(Reverb::new(&echo).tail(false).apply(&sound)?.to_interleaved(), [1.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn tail(mut self, keep: bool) -> Self {
        self.tail = keep;
        self
    }

    /// Scales the result so that its largest magnitude, of all channels, is `peak`; not done unless set. Silence stays
    /// silent.
    ///
    /// ```
    /// use faltung::audio::{Audio, Reverb};
    /// let room = Audio::from_interleaved(&[4.0], 1, 8000)?;
    /// let sound = Audio::from_interleaved(&[0.5, -1.0], 1, 8000)?;
    /// assert_eq!(Reverb::new(&room).normalize(0.5).apply(&sound)?.to_interleaved(), [0.25, -0.5]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn normalize(mut self, peak: f64) -> Self {
        self.peak = Some(peak);
        self
    }

    /// Whether a response of another rate than the sound's is [resampled](Audio::resampled), and scaled by the rates'
    /// ratio so that the room is as loud as before; unless set, another rate is an error.
    ///
    /// ```
    /// use faltung::audio::{Audio, Reverb};
    /// let room = Audio::from_interleaved(&[0.01; 882], 1, 44_100)?;
    /// let sound = Audio::from_interleaved(&[0.5; 100], 1, 16_000)?;
    /// assert!(Reverb::new(&room).apply(&sound).is_err());
    /// assert_eq!(Reverb::new(&room).resample(true).apply(&sound)?.frames(), 100 + 320 - 1);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn resample(mut self, resample: bool) -> Self {
        self.resample = resample;
        self
    }

    /// Makes the response ready for many sounds of so many channels and of this rate, of any length.
    ///
    /// # Errors
    /// [`Error::Argument`] for a response that is empty or not finite, a gain, pre-delay or peak that makes no sense,
    /// channels that do not go with the response's, or another rate, where it is not to be resampled.
    ///
    /// ```
    /// use faltung::audio::{Audio, Reverb};
    ///
    /// let room = Audio::from_interleaved(&[1.0, 0.5], 1, 8000)?;
    /// let room = Reverb::new(&room).prepare(2, 8000)?;
    /// for frames in [1, 10, 100] {
    ///     let sound = Audio::from_interleaved(&vec![0.5; 2 * frames], 2, 8000)?;
    ///     assert_eq!(room.apply(&sound)?.frames(), frames + 1);
    /// }
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn prepare(&self, channels: usize, rate: u32) -> Result<PreparedReverb> {
        PreparedReverb::new(self, channels, rate, None)
    }

    /// The sound in the room. Its tail, dry and wet parts are as set; format and rate are the sound's.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare) and [`PreparedReverb::apply`].
    ///
    /// ```
    /// use faltung::audio::{Audio, Reverb};
    /// let echo = Audio::from_interleaved(&[1.0, 0.5], 1, 8000)?;
    /// let sound = Audio::from_interleaved(&[1.0, 1.0], 1, 8000)?;
    /// assert_eq!(Reverb::new(&echo).apply(&sound)?.to_interleaved(), [1.0, 1.5, 0.5]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply(&self, sound: &Audio) -> Result<Audio> {
        self.fitting(sound)?.apply(sound)
    }

    /// The samples of [`apply`](Self::apply), channels x frames, before they are rounded to `f32`.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    ///
    /// ```
    /// use faltung::audio::{Audio, Reverb};
    /// let room = Audio::from_interleaved(&[1.0, 1e-9], 1, 8000)?;
    /// let sound = Audio::from_interleaved(&[1.0, 1.0], 1, 8000)?;
    /// assert!((Reverb::new(&room).render(&sound)?[[0, 1]] - (1.0 + 1e-9)).abs() < 1e-15);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn render(&self, sound: &Audio) -> Result<Array2<f64>> {
        self.fitting(sound)?.render(sound)
    }

    fn fitting(&self, sound: &Audio) -> Result<PreparedReverb> {
        PreparedReverb::new(self, sound.channels(), sound.rate(), Some(sound.frames()))
    }

    /// # Errors
    /// [`Error::Argument`] where an option makes no sense.
    pub(super) fn check(&self) -> Result<()> {
        let check = |name, expected, value: f64, holds: bool| match holds && value.is_finite() {
            true => Ok(()),
            false => Err(Error::argument(name, expected, value)),
        };
        check("dry", "a finite factor", self.dry, true)?;
        check("wet", "a finite factor", self.wet, true)?;
        check("predelay", "0 to 60 seconds", self.predelay, (0.0..=LONGEST_PREDELAY).contains(&self.predelay))?;
        self.peak.map_or(Ok(()), |peak| check("peak", "a positive number", peak, peak > 0.0))
    }
}

/// The factor of a level in dB: `10^(level / 20)`.
///
/// ```
/// use faltung::audio::decibels;
/// assert_eq!(decibels(0.0), 1.0);
/// assert_eq!(decibels(-20.0), 0.1);
/// assert_eq!(decibels(f64::NEG_INFINITY), 0.0);
/// ```
pub fn decibels(level: f64) -> f64 {
    10f64.powf(level / 20.0)
}
