//! Log-mel spectrograms.

use ndarray::{Array2, ArrayRef, Ix1};

use super::spectrum::{MelScale, PreparedStft, Stft};
use crate::error::{Error, Result};

/// The most bands.
const MOST_BANDS: usize = 1 << 16;

/// The settings of a log-mel spectrogram: power spectra, summed by triangles that overlap by half along the mel scale,
/// and their logarithm. `librosa.feature.melspectrogram` and `librosa.power_to_db` without `top_db`, or
/// `torchaudio.transforms.MelSpectrogram`.
///
/// | setting | unless set | in torchaudio |
/// |---|---|---|
/// | [`stft`](Self::stft) | 2048 samples, a hop of 512, zeros beyond | 400, 200, mirror |
/// | [`bands`](Self::bands) | 128 | 128 |
/// | [`range`](Self::range) | 0 to half the rate | the same |
/// | [`scale`](Self::scale) | Slaney | HTK |
/// | [`area`](Self::area) | triangles of one area | of one height |
/// | [`level`](Self::level) | decibels, `10 log10(max(power, 1e-10))` | as it is |
///
/// ```
/// use faltung::audio::{Audio, LogMel, Stft};
///
/// let tabla = Audio::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/tabla.wav"))?;
/// let mel = LogMel::new(tabla.rate()).stft(Stft::new(1024).hop(441)).bands(40).prepare()?;
/// let levels = mel.apply(&tabla.samples().row(0))?;
/// assert_eq!(levels.dim(), (40, 501)); // bands, frames
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LogMel {
    rate: u32,
    stft: Stft,
    bands: usize,
    range: (f64, Option<f64>),
    scale: MelScale,
    area: bool,
    level: Level,
}

/// What is made of the power in a band.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Level {
    /// The power as it is.
    Power,
    /// `10 log10(max(power, floor))`.
    Decibels {
        /// The least power that is told from none.
        floor: f64,
    },
    /// `ln(max(power, floor))`.
    Natural {
        /// The least power that is told from none.
        floor: f64,
    },
}

impl LogMel {
    /// librosa's spectrogram of sounds of this rate, in Hz.
    ///
    /// ```
    /// use faltung::audio::LogMel;
    /// assert_eq!(LogMel::new(22_050).prepare()?.bands(), 128);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(rate: u32) -> Self {
        Self {
            rate,
            stft: Stft::new(2048),
            bands: 128,
            range: (0.0, None),
            scale: MelScale::default(),
            area: true,
            level: Level::Decibels { floor: 1e-10 },
        }
    }

    /// The short-time Fourier transform.
    ///
    /// ```
    /// # use faltung::audio::{LogMel, Stft};
    /// let speech = LogMel::new(16_000).stft(Stft::new(512).window_length(400).hop(160));
    /// ```
    pub fn stft(mut self, stft: Stft) -> Self {
        self.stft = stft;
        self
    }

    /// Bands (`n_mels`). With more of them than the transform tells apart, some are empty.
    ///
    /// ```
    /// # use faltung::audio::LogMel;
    /// let mel = LogMel::new(16_000).bands(80);
    /// ```
    pub fn bands(mut self, bands: usize) -> Self {
        self.bands = bands;
        self
    }

    /// The frequencies in Hz where the first triangle begins and the last one ends (`fmin`, `fmax`).
    ///
    /// ```
    /// # use faltung::audio::LogMel;
    /// let telephone = LogMel::new(8000).range(300.0, 3400.0);
    /// ```
    pub fn range(mut self, low: f64, high: f64) -> Self {
        self.range = (low, Some(high));
        self
    }

    /// The mel scale.
    ///
    /// ```
    /// # use faltung::audio::{LogMel, MelScale};
    /// let htk = LogMel::new(16_000).scale(MelScale::Htk);
    /// ```
    pub fn scale(mut self, scale: MelScale) -> Self {
        self.scale = scale;
        self
    }

    /// Whether triangles are of one area (`norm="slaney"`) and not of one height (`norm=None`).
    ///
    /// ```
    /// # use faltung::audio::LogMel;
    /// let peaks = LogMel::new(16_000).area(false);
    /// ```
    pub fn area(mut self, area: bool) -> Self {
        self.area = area;
        self
    }

    /// What is made of the power in a band.
    ///
    /// ```
    /// # use faltung::audio::{Level, LogMel};
    /// let natural = LogMel::new(16_000).level(Level::Natural { floor: 1e-6 });
    /// ```
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// The triangles, (bands, bins): `librosa.filters.mel`.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    ///
    /// ```
    /// # use faltung::audio::{LogMel, Stft};
    /// let triangles = LogMel::new(8000).stft(Stft::new(64)).bands(4).area(false).triangles()?;
    /// assert_eq!(triangles.dim(), (4, 33));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn triangles(&self) -> Result<Array2<f64>> {
        let bins = self.stft.prepare()?.bins();
        let mut triangles = Array2::from_shape_vec((self.bands, bins), super::sound::reserve(self.bands, bins)?)
            .map_err(|e| Error::other("laying out the bands", e))?;
        for (mut row, band) in triangles.outer_iter_mut().zip(self.weights()?) {
            row.iter_mut().skip(band.first).zip(band.weights).for_each(|(to, weight)| *to = weight);
        }
        Ok(triangles)
    }

    /// Computes the triangles and plans the transform.
    ///
    /// # Errors
    /// As [`Stft::prepare`]; [`Error::Argument`] for a rate of 0, no or more than 65536 bands, a range that is empty,
    /// negative or above half the rate, and a floor that is not above 0.
    ///
    /// ```
    /// # use faltung::audio::LogMel;
    /// assert!(LogMel::new(8000).range(300.0, 8000.0).prepare().is_err());
    /// ```
    pub fn prepare(&self) -> Result<PreparedLogMel> {
        if let Level::Decibels { floor } | Level::Natural { floor } = self.level
            && !(f64::from(f32::MIN_POSITIVE)..=f64::from(f32::MAX)).contains(&floor)
        {
            return Err(Error::argument("floor", "a number above 0 in f32", floor));
        }
        let bands = self.weights()?.into_iter().map(|band| Band {
            first: band.first,
            weights: band.weights.into_iter().map(|weight| weight as f32).collect(),
        });
        Ok(PreparedLogMel { stft: self.stft.prepare()?, bands: bands.collect(), level: self.level })
    }

    /// The weights of each band.
    fn weights(&self) -> Result<Vec<Band<f64>>> {
        let bins = self.stft.prepare()?.bins();
        let nyquist = f64::from(self.rate) / 2.0;
        let (low, high) = (self.range.0, self.range.1.unwrap_or(nyquist));
        if self.rate == 0 {
            return Err(Error::argument("rate", "one frame a second or more", 0));
        }
        if !(0.0 <= low && low < high && high <= nyquist) {
            let expected = format!("0 <= low < high <= {nyquist} Hz, half the rate");
            return Err(Error::argument("range", expected, format!("{low} to {high}")));
        }
        if self.bands == 0 || self.bands > MOST_BANDS {
            return Err(Error::argument("bands", format!("1 to {MOST_BANDS}"), self.bands));
        }
        // As many points as triangles have corners, evenly along the mel scale.
        let (from, to) = (self.scale.of(low), self.scale.of(high));
        let corner = |i: usize| self.scale.hertz(from + (to - from) * i as f64 / (self.bands + 1) as f64);
        let spacing = f64::from(self.rate) / self.stft.length() as f64;
        let band = |i: usize| {
            let [left, peak, right] = [corner(i), corner(i + 1), corner(i + 2)];
            let height = if self.area { 2.0 / (right - left) } else { 1.0 };
            let first = ((left / spacing).ceil().max(0.0) as usize).min(bins);
            let weight = |bin: usize| {
                let f = bin as f64 * spacing;
                height * ((f - left) / (peak - left)).min((right - f) / (right - peak)).max(0.0)
            };
            let last = ((right / spacing).floor().max(0.0) as usize + 1).clamp(first, bins);
            Band { first, weights: (first..last).map(weight).collect() }
        };
        Ok((0..self.bands).map(band).collect())
    }
}

/// The bins that have a part in a band: the first, and the weights from it on.
#[derive(Clone, Debug)]
struct Band<R> {
    first: usize,
    weights: Vec<R>,
}

/// A log-mel spectrogram made ready; immutable, and shared freely among threads. Made by [`LogMel::prepare`].
#[derive(Clone, Debug)]
pub struct PreparedLogMel {
    stft: PreparedStft,
    bands: Vec<Band<f32>>,
    level: Level,
}

impl PreparedLogMel {
    /// Bands.
    ///
    /// ```
    /// # use faltung::audio::LogMel;
    /// assert_eq!(LogMel::new(16_000).bands(80).prepare()?.bands(), 80);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn bands(&self) -> usize {
        self.bands.len()
    }

    /// The frames of a sound of so many samples.
    ///
    /// ```
    /// # use faltung::audio::{LogMel, Stft};
    /// assert_eq!(LogMel::new(8000).stft(Stft::new(256).hop(80)).bands(40).prepare()?.frames(8000), 101);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn frames(&self, samples: usize) -> usize {
        self.stft.frames(samples)
    }

    /// The levels, (bands, frames), of a sound of any length.
    ///
    /// # Errors
    /// [`Error::Overflow`] and [`Error::Other`] where the result does not fit the memory.
    ///
    /// ```
    /// # use faltung::audio::{LogMel, Stft};
    /// # use faltung::ndarray::Array1;
    /// let silence = LogMel::new(8000).stft(Stft::new(256)).bands(4).prepare()?.apply(&Array1::zeros(800))?;
    /// assert!(silence.iter().all(|&level| level == -100.0));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply(&self, sound: &ArrayRef<f32, Ix1>) -> Result<Array2<f32>> {
        let (bands, frames) = (self.bands(), self.frames(sound.len()));
        let mut levels = Array2::from_shape_vec((bands, frames), super::sound::reserve(bands, frames)?)
            .map_err(|e| Error::other("laying out a spectrogram", e))?;
        // A NaN remains one.
        let above = |floor: f64, power: f32| if power < floor as f32 { floor as f32 } else { power };
        let level = |power: f32| match self.level {
            Level::Power => power,
            Level::Decibels { floor } => 10.0 * above(floor, power).log10(),
            Level::Natural { floor } => above(floor, power).ln(),
        };
        self.stft.each_frame(sound, |t, power| {
            for (to, band) in levels.column_mut(t).iter_mut().zip(&self.bands) {
                let part = power.iter().skip(band.first).zip(&band.weights);
                *to = level(part.map(|(power, weight)| power * weight).sum());
            }
        })?;
        Ok(levels)
    }
}
