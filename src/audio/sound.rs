//! Sounds as arrays.

use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::path::Path;

use ndarray::{Array2, Axis};

use super::format::WavFormat;
use super::wav;
use crate::error::{Error, Result};
use crate::file;
use crate::filter::resample::resample_poly;

/// A sound: samples, channels x frames, of which full scale is -1 … 1, and the frames a second.
///
/// A frame is one sample of every channel. There is one channel at least and the rate is not zero; there may be no
/// frames.
///
/// ```
/// use faltung::audio::{Audio, WavFormat};
///
/// let sound = Audio::from_interleaved(&[0.5, -0.5, 0.25, -0.25], 2, 48_000)?; // left, right, left, right
/// let mut file = std::io::Cursor::new(Vec::new());
/// assert_eq!(sound.to_writer(&mut file, WavFormat::Pcm16)?, 0); // none clipped
///
/// let read = Audio::from_reader(file.get_ref().as_slice())?;
/// assert_eq!((read.channels(), read.frames(), read.rate()), (2, 2, 48_000));
/// assert_eq!(read.samples(), sound.samples());
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Audio {
    samples: Array2<f32>,
    rate: u32,
    format: WavFormat,
}

impl Audio {
    /// A sound of samples, channels x frames, with `rate` frames a second.
    ///
    /// # Errors
    /// [`Error::Argument`] where there is no channel or the rate is zero.
    ///
    /// ```
    /// use faltung::audio::Audio;
    /// use faltung::ndarray::array;
    ///
    /// let stereo = Audio::new(array![[0.5, 0.0, 0.0], [0.0, 0.0, 0.5]], 44_100)?;
    /// assert_eq!((stereo.channels(), stereo.frames()), (2, 3));
    /// assert!(Audio::new(array![[0.5]], 0).is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(samples: Array2<f32>, rate: u32) -> Result<Self> {
        Self::with_format(samples, rate, WavFormat::Float32)
    }

    pub(super) fn with_format(samples: Array2<f32>, rate: u32, format: WavFormat) -> Result<Self> {
        if samples.nrows() == 0 {
            return Err(Error::argument("samples", "one channel or more", "none"));
        }
        check_rate(rate)?;
        Ok(Self { samples, rate, format })
    }

    /// A sound of samples frame by frame: the first of every channel, then the second of every channel.
    ///
    /// # Errors
    /// [`Error::Argument`] where the channels do not divide the samples, or channels or rate are zero.
    ///
    /// ```
    /// use faltung::audio::Audio;
    /// use faltung::ndarray::array;
    ///
    /// let stereo = Audio::from_interleaved(&[0.1, 0.9, 0.2, 0.8], 2, 8000)?;
    /// assert_eq!(stereo.samples(), array![[0.1, 0.2], [0.9, 0.8]]);
    /// assert_eq!(stereo.to_interleaved(), [0.1, 0.9, 0.2, 0.8]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn from_interleaved(samples: &[f32], channels: usize, rate: u32) -> Result<Self> {
        deinterleave(samples, channels, rate, WavFormat::Float32, |v| v)
    }

    /// A sound of 16-bit integers frame by frame, which are divided by 32768.
    ///
    /// # Errors
    /// As [`from_interleaved`](Self::from_interleaved).
    ///
    /// ```
    /// use faltung::audio::Audio;
    /// use faltung::ndarray::array;
    /// assert_eq!(Audio::from_interleaved_i16(&[16384, -32768], 1, 8000)?.samples(), array![[0.5, -1.0]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn from_interleaved_i16(samples: &[i16], channels: usize, rate: u32) -> Result<Self> {
        let scale = (1.0 / WavFormat::Pcm16.full_scale()) as f32;
        deinterleave(samples, channels, rate, WavFormat::Pcm16, |v| f32::from(v) * scale)
    }

    /// Reads a WAV file: integers of 8 (unsigned), 16, 24 or 32 bits or `f32` numbers, with the header of plain PCM,
    /// WAVEFORMATEX or WAVEFORMATEXTENSIBLE, of any rate and any number of channels. Of what a container holds beside
    /// the sound nothing is kept. Infinite and NaN numbers stay what they are.
    ///
    /// A data chunk of the length 2³² - 1 is one whose writer could not go back (a pipe) and reaches to the file's end.
    ///
    /// Where fewer bits are valid than a container has, WAVEFORMATEXTENSIBLE says that they are the highest ones, and so
    /// they are read, as by SciPy and libsndfile. With the plain PCM header, where 24 bits in four bytes break the
    /// rules, they are the lowest ones, as ALSA's `arecord` writes them.
    ///
    /// # Errors
    /// [`Error::Other`], with the path, around what was wrong: the file cannot be read, is no WAV file or one in another
    /// format (mu-law, ADPCM, RF64, RIFX, numbers of 64 bits …), contradicts itself, or ends before its header says.
    ///
    /// ```
    /// use faltung::audio::{Audio, WavFormat};
    ///
    /// let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/tabla.wav");
    /// let tabla = Audio::read(path)?;
    /// assert_eq!((tabla.channels(), tabla.rate(), tabla.seconds()), (1, 44_100, 5.0));
    /// assert_eq!(tabla.format(), WavFormat::Pcm16);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let doing = || format!("reading {}", path.display());
        let file = File::open(path).map_err(|e| Error::other(doing(), e))?;
        Self::from_reader(BufReader::new(file)).map_err(|e| Error::other(doing(), e))
    }

    /// Reads a WAV file, to the end of its samples. A reader that is slow by the byte should be buffered.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// ```
    /// use faltung::audio::Audio;
    /// assert!(Audio::from_reader(&b"RIFX\0\0\0\0WAVE"[..]).unwrap_err().to_string().contains("big-endian"));
    /// ```
    pub fn from_reader(reader: impl Read) -> Result<Self> {
        wav::read(reader)
    }

    /// Writes a WAV file and tells how many samples were clipped. The file is written aside, and in place only once it
    /// is complete.
    ///
    /// Samples become the nearest integers, of two the even one, without dither; those outside -1 … 1 are clipped, and
    /// so is 1 itself, by one step. [`WavFormat::Float32`] rounds and clips nothing.
    ///
    /// # Errors
    /// [`Error::Argument`] where a sample is NaN and the format is one of integers, and where a WAV header cannot hold
    /// the channels, the rate or the length; [`Error::Other`] where the file cannot be written.
    ///
    /// ```
    /// use faltung::audio::{Audio, WavFormat};
    ///
    /// let folder = tempfile::tempdir().unwrap();
    /// let path = folder.path().join("loud.wav");
    /// let loud = Audio::from_interleaved(&[0.5, -2.0], 1, 8000)?;
    /// assert_eq!(loud.write(&path, WavFormat::Pcm24)?, 1);
    /// assert_eq!(Audio::read(&path)?.to_interleaved(), [0.5, -1.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn write(&self, path: impl AsRef<Path>, format: WavFormat) -> Result<usize> {
        file::replace(path.as_ref(), |file| self.to_writer(file, format))
    }

    /// Writes a WAV file from the writer's start on, as [`write`](Self::write) does. A writer that is slow by the byte
    /// should be buffered.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    ///
    /// ```
    /// use faltung::audio::{Audio, WavFormat};
    ///
    /// let mut file = std::io::Cursor::new(Vec::new());
    /// Audio::from_interleaved(&[0.5; 6], 2, 8000)?.to_writer(&mut file, WavFormat::Pcm8)?;
    /// assert_eq!(file.get_ref().len(), 44 + 6);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn to_writer(&self, writer: impl Write + Seek, format: WavFormat) -> Result<usize> {
        wav::write(self.samples.view(), self.rate, format, writer)
    }

    /// The samples, channels x frames.
    ///
    /// ```
    /// # use faltung::audio::Audio;
    /// let sound = Audio::from_interleaved(&[0.5, 0.25], 2, 8000)?;
    /// assert_eq!(sound.samples()[[1, 0]], 0.25);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn samples(&self) -> &Array2<f32> {
        &self.samples
    }

    /// The samples, channels x frames, to keep.
    ///
    /// ```
    /// # use faltung::audio::Audio;
    /// let half = Audio::from_interleaved(&[0.5, 0.25], 1, 8000)?.into_samples() / 2.0;
    /// assert_eq!(Audio::new(half, 8000)?.to_interleaved(), [0.25, 0.125]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn into_samples(self) -> Array2<f32> {
        self.samples
    }

    /// The samples frame by frame.
    ///
    /// ```
    /// # use faltung::audio::Audio;
    /// # use faltung::ndarray::array;
    /// let stereo = Audio::new(array![[0.1, 0.2], [0.9, 0.8]], 8000)?;
    /// assert_eq!(stereo.to_interleaved(), [0.1, 0.9, 0.2, 0.8]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn to_interleaved(&self) -> Vec<f32> {
        self.samples.t().iter().copied().collect()
    }

    /// Channels.
    ///
    /// ```
    /// # use faltung::audio::Audio;
    /// assert_eq!(Audio::from_interleaved(&[0.0; 6], 2, 8000)?.channels(), 2);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn channels(&self) -> usize {
        self.samples.nrows()
    }

    /// Samples a channel.
    ///
    /// ```
    /// # use faltung::audio::Audio;
    /// assert_eq!(Audio::from_interleaved(&[0.0; 6], 2, 8000)?.frames(), 3);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn frames(&self) -> usize {
        self.samples.ncols()
    }

    /// Frames a second.
    ///
    /// ```
    /// # use faltung::audio::Audio;
    /// assert_eq!(Audio::from_interleaved(&[0.0; 6], 2, 8000)?.rate(), 8000);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// The length in seconds.
    ///
    /// ```
    /// # use faltung::audio::Audio;
    /// assert_eq!(Audio::from_interleaved(&[0.0; 6000], 1, 8000)?.seconds(), 0.75);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn seconds(&self) -> f64 {
        self.frames() as f64 / f64::from(self.rate)
    }

    /// The format that the samples were read in, the natural one to write them back in; what is made of a sound keeps
    /// it. [`WavFormat::Float32`] for samples that came as `f32`.
    ///
    /// ```
    /// # use faltung::audio::{Audio, WavFormat};
    /// assert_eq!(Audio::from_interleaved(&[0.0], 1, 8000)?.format(), WavFormat::Float32);
    /// assert_eq!(Audio::from_interleaved_i16(&[0], 1, 8000)?.mono().format(), WavFormat::Pcm16);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn format(&self) -> WavFormat {
        self.format
    }

    /// The largest magnitude of all samples, those that are NaN left out; 0 where there is none.
    ///
    /// ```
    /// # use faltung::audio::Audio;
    /// assert_eq!(Audio::from_interleaved(&[0.5, -0.75], 1, 8000)?.peak(), 0.75);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn peak(&self) -> f32 {
        self.samples.iter().fold(0.0, |peak, v| v.abs().max(peak))
    }

    /// All channels mixed to one, their mean.
    ///
    /// ```
    /// # use faltung::audio::Audio;
    /// let stereo = Audio::from_interleaved(&[0.5, 0.25, -1.0, 1.0], 2, 8000)?;
    /// assert_eq!(stereo.mono().to_interleaved(), [0.375, 0.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn mono(&self) -> Self {
        let share = 1.0 / self.channels() as f64;
        let mean =
            |frame: ndarray::ArrayView1<'_, f32>| (frame.iter().map(|&v| f64::from(v)).sum::<f64>() * share) as f32;
        let samples = self.samples.map_axis(Axis(0), mean).insert_axis(Axis(0));
        Self { samples, ..*self }
    }

    /// The sound at another rate, by [`resample_poly`]: as long in seconds, rounded up to a whole frame.
    ///
    /// # Errors
    /// [`Error::Argument`] where the rate is zero or there are no frames, and as [`resample_poly`].
    ///
    /// ```
    /// # use faltung::audio::Audio;
    /// let sound = Audio::from_interleaved(&[0.5; 441], 1, 44_100)?;
    /// let slower = sound.resampled(16_000)?;
    /// assert_eq!((slower.rate(), slower.frames()), (16_000, 160));
    /// assert!((slower.samples()[[0, 80]] - 0.5).abs() < 1e-3);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn resampled(&self, rate: u32) -> Result<Self> {
        Ok(Self { samples: self.at_rate(rate)?.mapv(|v| v as f32), rate, format: self.format })
    }

    /// The samples at another rate, before they are rounded to `f32`.
    pub(super) fn at_rate(&self, rate: u32) -> Result<Array2<f64>> {
        check_rate(rate)?;
        resample_poly(&self.samples.mapv(f64::from), rate as usize, self.rate as usize, Axis(1))
    }
}

fn check_rate(rate: u32) -> Result<()> {
    match rate {
        0 => Err(Error::argument("rate", "one frame a second or more", rate)),
        _ => Ok(()),
    }
}

/// Zeros for so many channels and frames, or an error where memory does not reach.
pub(super) fn reserve<T: Clone + Default>(channels: usize, frames: usize) -> Result<Vec<T>> {
    let length = channels.checked_mul(frames).ok_or_else(|| Error::overflow("channels x frames"))?;
    let mut samples = Vec::new();
    samples
        .try_reserve_exact(length)
        .map_err(|e| Error::other(format!("holding {channels} channels of {frames} frames"), e))?;
    samples.resize(length, T::default());
    Ok(samples)
}

fn deinterleave<S: Copy>(
    samples: &[S],
    channels: usize,
    rate: u32,
    format: WavFormat,
    convert: impl Fn(S) -> f32,
) -> Result<Audio> {
    if channels == 0 || !samples.len().is_multiple_of(channels) {
        let expected = format!("a divisor of the {} samples", samples.len());
        return Err(Error::argument("channels", expected, channels));
    }
    let frames = samples.len() / channels;
    let planar =
        Array2::from_shape_fn((channels, frames), |(channel, frame)| convert(samples[frame * channels + channel]));
    Audio::with_format(planar, rate, format)
}
