//! Short-time power spectra.

use std::fmt;
use std::sync::Arc;

use ndarray::{Array1, Array2, ArrayRef, Ix1};
use realfft::{RealFftPlanner, RealToComplex};

use crate::error::{Error, Result};
use crate::filter::fir::Window;
use crate::problem::Boundary;

/// The longest transform: 16 Mi samples, minutes of sound.
const MOST: usize = 1 << 24;

/// The settings of a short-time Fourier transform, of which the power is kept: `|librosa.stft(…)| ** 2`, and
/// `torchaudio.transforms.Spectrogram` up to its boundary.
///
/// Frame `t` is the sound from sample `t * hop` on, half a frame earlier where frames are [centred](Self::centre),
/// times the window, as it is used in `scipy.signal.get_window`: periodic. Windows shorter than the transform stand in
/// its middle.
///
/// | setting | unless set | in torchaudio |
/// |---|---|---|
/// | [`hop`](Self::hop) | a quarter of the window | half of it |
/// | [`window`](Self::window), [`window_length`](Self::window_length) | Hann, the whole transform | the same |
/// | [`centre`](Self::centre) | yes | yes |
/// | [`boundary`](Self::boundary) | zero | mirror |
///
/// The transforms are realfft's. The library's own serve products of spectra: the frequencies lie in an order of their
/// own, and real blocks are transformed with a sign at the wrap, which is no spectrum of the block.
///
/// ```
/// use faltung::audio::Stft;
/// use faltung::ndarray::Array1;
///
/// let hum = Array1::from_shape_fn(8000, |i| (i as f32 * 1000.0 / 8000.0 * std::f32::consts::TAU).sin());
/// let power = Stft::new(256).hop(80).prepare()?.power(&hum)?;
/// assert_eq!(power.dim(), (129, 101)); // bins, frames
/// let loudest = |frame: usize| (0..129).max_by(|&a, &b| power[[a, frame]].total_cmp(&power[[b, frame]]));
/// assert_eq!(loudest(50), Some(32)); // 32 / 256 of 8 kHz
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Stft {
    length: usize,
    hop: Option<usize>,
    window: Window,
    window_length: Option<usize>,
    centre: bool,
    boundary: Boundary,
}

impl Stft {
    /// Transforms of so many samples (`n_fft`).
    ///
    /// ```
    /// use faltung::audio::Stft;
    /// assert_eq!(Stft::new(512).prepare()?.bins(), 257);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(length: usize) -> Self {
        Self { length, hop: None, window: Window::Hann, window_length: None, centre: true, boundary: Boundary::Zero }
    }

    /// Samples from one frame to the next (`hop_length`).
    ///
    /// ```
    /// # use faltung::audio::Stft;
    /// assert_eq!(Stft::new(400).hop(160).prepare()?.frames(16_000), 101);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn hop(mut self, samples: usize) -> Self {
        self.hop = Some(samples);
        self
    }

    /// The window.
    ///
    /// ```
    /// # use faltung::audio::Stft;
    /// let stft = Stft::new(400).window("kaiser:8.6".parse()?);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// The window's length in samples (`win_length`), at most the transform's.
    ///
    /// ```
    /// # use faltung::audio::Stft;
    /// let speech = Stft::new(512).window_length(400).hop(160); // 25 ms each 10 ms, at 16 kHz
    /// ```
    pub fn window_length(mut self, samples: usize) -> Self {
        self.window_length = Some(samples);
        self
    }

    /// Whether frames have their middle at `t * hop` and the sound is extended by half a frame at both ends; otherwise
    /// they begin there, and the last samples may have no frame.
    ///
    /// ```
    /// # use faltung::audio::Stft;
    /// assert_eq!(Stft::new(400).hop(160).centre(false).prepare()?.frames(16_000), 98);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn centre(mut self, centre: bool) -> Self {
        self.centre = centre;
        self
    }

    /// What centred frames find beyond the ends.
    ///
    /// ```
    /// # use faltung::audio::Stft;
    /// let torchaudio = Stft::new(400).hop(200).boundary(faltung::Boundary::Mirror);
    /// ```
    pub fn boundary(mut self, boundary: Boundary) -> Self {
        self.boundary = boundary;
        self
    }

    /// Samples of a transform.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Computes the window and plans the transform.
    ///
    /// # Errors
    /// [`Error::Argument`] for a transform of no or more than 2²⁴ samples, a hop of 0, a window of length 0 or longer
    /// than the transform, or one whose parameters make no sense.
    ///
    /// ```
    /// # use faltung::audio::Stft;
    /// assert!(Stft::new(400).hop(0).prepare().is_err());
    /// ```
    pub fn prepare(&self) -> Result<PreparedStft> {
        if self.length == 0 || self.length > MOST {
            return Err(Error::argument("length", format!("1 to {MOST} samples"), self.length));
        }
        let used = self.window_length.unwrap_or(self.length);
        if used == 0 || used > self.length {
            return Err(Error::argument(
                "window_length",
                format!("1 to {}, the transform's length", self.length),
                used,
            ));
        }
        let hop = self.hop.unwrap_or((used / 4).max(1));
        if hop == 0 {
            return Err(Error::argument("hop", "at least 1 sample", 0));
        }
        let mut window = vec![0.0; self.length];
        let taps = self.window.periodic(used)?;
        window.iter_mut().skip((self.length - used) / 2).zip(&taps).for_each(|(to, &tap)| *to = tap as f32);
        let transform = RealFftPlanner::new().plan_fft_forward(self.length);
        Ok(PreparedStft { window: window.into(), hop, centre: self.centre, boundary: self.boundary, transform })
    }
}

/// A short-time Fourier transform made ready; immutable, and shared freely among threads.
#[derive(Clone)]
pub struct PreparedStft {
    window: Array1<f32>,
    hop: usize,
    centre: bool,
    boundary: Boundary,
    transform: Arc<dyn RealToComplex<f32>>,
}

impl fmt::Debug for PreparedStft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedStft")
            .field("length", &self.window.len())
            .field("hop", &self.hop)
            .field("centre", &self.centre)
            .field("boundary", &self.boundary)
            .finish()
    }
}

impl PreparedStft {
    /// Frequencies: half the transform's length and one. Bin `k` lies at `k / length` of the sampling rate.
    ///
    /// ```
    /// # use faltung::audio::Stft;
    /// assert_eq!(Stft::new(256).prepare()?.bins(), 129);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn bins(&self) -> usize {
        self.window.len() / 2 + 1
    }

    /// The frames of a sound of so many samples.
    ///
    /// ```
    /// # use faltung::audio::Stft;
    /// let stft = Stft::new(4).hop(2).centre(false).prepare()?;
    /// assert_eq!([3, 4, 5, 6].map(|samples| stft.frames(samples)), [0, 1, 1, 2]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn frames(&self, samples: usize) -> usize {
        // Half a frame at both ends; of an odd length one sample is missing.
        let around = if self.centre { 2 * (self.window.len() / 2) } else { 0 };
        samples.saturating_add(around).checked_sub(self.window.len()).map_or(0, |last| last / self.hop + 1)
    }

    /// The squared magnitudes, (bins, frames), of a sound of any length.
    ///
    /// # Errors
    /// [`Error::Overflow`] and [`Error::Other`] where the result does not fit the memory.
    ///
    /// ```
    /// # use faltung::audio::Stft;
    /// # use faltung::ndarray::{Array1, array};
    /// // An impulse has all frequencies alike.
    /// let stft = Stft::new(4).hop(4).window("boxcar".parse()?).prepare()?;
    /// assert_eq!(stft.power(&array![2.0])?, array![[4.0], [4.0], [4.0]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn power(&self, sound: &ArrayRef<f32, Ix1>) -> Result<Array2<f32>> {
        let (bins, frames) = (self.bins(), self.frames(sound.len()));
        let mut power = Array2::from_shape_vec((bins, frames), super::sound::reserve(bins, frames)?)
            .map_err(|e| Error::other("laying out a spectrogram", e))?;
        self.each_frame(sound, |t, frame| power.column_mut(t).iter_mut().zip(frame).for_each(|(to, &p)| *to = p))?;
        Ok(power)
    }

    /// Computes the power of one frame after the other.
    pub(super) fn each_frame(&self, sound: &ArrayRef<f32, Ix1>, mut take: impl FnMut(usize, &[f32])) -> Result<()> {
        let length = self.window.len();
        let (mut frame, mut spectrum) = (self.transform.make_input_vec(), self.transform.make_output_vec());
        let mut scratch = self.transform.make_scratch_vec();
        let mut power = vec![0.0; self.bins()];
        let beyond = match self.boundary {
            Boundary::Constant(value) => value as f32,
            _ => 0.0,
        };
        let before = if self.centre { length / 2 } else { 0 };
        for t in 0..self.frames(sound.len()) {
            let start = (t * self.hop) as isize - before as isize;
            for (position, (to, &weight)) in (start..).zip(frame.iter_mut().zip(&self.window)) {
                let inside = usize::try_from(position).ok().and_then(|position| sound.get(position));
                let value = inside.copied().unwrap_or_else(|| {
                    let source = self.boundary.source(position, sound.len());
                    source.and_then(|source| sound.get(source)).copied().unwrap_or(beyond)
                });
                *to = value * weight;
            }
            self.transform
                .process_with_scratch(&mut frame, &mut spectrum, &mut scratch)
                .map_err(|e| Error::other("transforming a frame", e))?;
            power.iter_mut().zip(&spectrum).for_each(|(to, bin)| *to = bin.norm_sqr());
            take(t, &power);
        }
        Ok(())
    }
}

/// How frequencies become mel, the pitch as it is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MelScale {
    /// Slaney's Auditory Toolbox: linear up to 1 kHz, logarithmic above. librosa's default, and so here.
    #[default]
    Slaney,
    /// HTK: `2595 log10(1 + f / 700)`. torchaudio's default.
    Htk,
}

impl MelScale {
    /// The mel of a frequency in Hz.
    ///
    /// ```
    /// use faltung::audio::MelScale;
    /// assert_eq!(MelScale::Slaney.of(200.0), 3.0);
    /// assert!((MelScale::Htk.of(1000.0) - 999.9855).abs() < 1e-4);
    /// ```
    pub fn of(self, hertz: f64) -> f64 {
        match self {
            Self::Htk => 2595.0 * (1.0 + hertz / 700.0).log10(),
            Self::Slaney if hertz < 1000.0 => hertz * 3.0 / 200.0,
            Self::Slaney => 15.0 + (hertz / 1000.0).ln() / STEP,
        }
    }

    /// The frequency in Hz of a mel.
    ///
    /// ```
    /// use faltung::audio::MelScale;
    /// assert_eq!(MelScale::Slaney.hertz(15.0), 1000.0);
    /// assert!((MelScale::Htk.hertz(MelScale::Htk.of(440.0)) - 440.0).abs() < 1e-9);
    /// ```
    pub fn hertz(self, mel: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
            Self::Slaney if mel < 15.0 => mel * 200.0 / 3.0,
            Self::Slaney => 1000.0 * (STEP * (mel - 15.0)).exp(),
        }
    }
}

/// A mel of Slaney's above 1 kHz, as the logarithm of a ratio: `ln(6.4) / 27`.
const STEP: f64 = 0.068_751_777_420_949_12;

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    #[test]
    fn a_sum_over_the_definition_is_the_transform() {
        let sound = Array1::from_shape_fn(50, |i| (i as f32 * 0.7).sin() + 0.01 * i as f32);
        for (length, used, centre) in [(16, 16, false), (15, 11, true), (16, 9, true), (1, 1, false)] {
            let stft = Stft::new(length).window_length(used).hop(7).centre(centre).boundary(Boundary::Mirror);
            let power = stft.prepare().expect("a transform").power(&sound).expect("a spectrogram");
            let window = Window::Hann.periodic(used).expect("a window");
            for ((k, t), &p) in power.indexed_iter() {
                let (mut re, mut im) = (0.0, 0.0);
                for (i, weight) in window.iter().enumerate() {
                    let n = (length - used) / 2 + i;
                    let position = (7 * t + n) as isize - if centre { length as isize / 2 } else { 0 };
                    let mirrored = if position < 0 { -position } else { position.min(98 - position) };
                    let angle = 2.0 * PI * (k * n) as f64 / length as f64;
                    let value = f64::from(sound[mirrored as usize]) * weight;
                    (re, im) = (re + value * angle.cos(), im - value * angle.sin());
                }
                assert!((f64::from(p) - (re * re + im * im)).abs() < 1e-4, "{length} {k} {t}");
            }
        }
    }

    #[test]
    fn slaneys_step() {
        assert_eq!(STEP, 6.4f64.ln() / 27.0);
    }
}
