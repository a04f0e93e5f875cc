//! Folders of WAV files with a class each, and their spectrograms.

use std::fs;
use std::path::{Path, PathBuf};

use ndarray::{Array1, ArrayD, ArrayViewMutD, Ix2, IxDyn};

use super::{Dataset, Targets};
use crate::audio::{Audio, PreparedLogMel};
use crate::error::{Error, Result};
use crate::nn::Float;

/// A WAV file of a folder, and what its name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The file.
    pub path: PathBuf,
    /// Its class.
    pub label: String,
    /// Who speaks, where the name tells.
    pub speaker: Option<String>,
    /// Which of a speaker's recordings it is, where the name tells.
    pub index: Option<usize>,
}

/// The WAV files of a folder, in the order of their paths, and their classes, in alphabetical order.
///
/// The Free Spoken Digit Dataset, whose names are `{digit}_{speaker}_{index}.wav` and whose test recordings are those
/// with an index below 5:
///
/// ```no_run
/// use faltung::audio::{LogMel, Stft};
/// use faltung::nn::data::{SoundClasses, Spectra, WavFolder};
///
/// let recordings = WavFolder::named("free-spoken-digit-dataset/recordings")?;
/// let (test, train) = recordings.partition(|recording| recording.index.is_some_and(|index| index < 5));
/// let train: SoundClasses<f32> = train.read(8000, 8000)?; // a second at 8 kHz
/// let mel = LogMel::new(8000).stft(Stft::new(256).hop(80)).bands(40).prepare()?;
/// let train = Spectra::new(train, mel)?; // samples of (1, 40, 101)
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WavFolder {
    recordings: Vec<Recording>,
    names: Vec<String>,
}

impl WavFolder {
    /// The files of a folder that are named `{label}_{speaker}_{index}.wav`, or less: `{label}_{index}.wav`, and
    /// `{label}_{anything}.wav`. What has no underscore is refused.
    ///
    /// # Errors
    /// [`Error::Other`] where the folder cannot be read; [`Error::Argument`] where there is no WAV file, or a name of
    /// another form.
    ///
    /// ```
    /// use faltung::audio::{Audio, WavFormat};
    /// use faltung::nn::data::WavFolder;
    ///
    /// let folder = tempfile::tempdir().unwrap();
    /// Audio::from_interleaved(&[0.5], 1, 8000)?.write(folder.path().join("7_jackson_32.wav"), WavFormat::Pcm16)?;
    /// let found = WavFolder::named(folder.path())?;
    /// let recording = &found.recordings()[0];
    /// assert_eq!((&*recording.label, recording.index), ("7", Some(32)));
    /// assert_eq!(recording.speaker.as_deref(), Some("jackson"));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn named(folder: impl AsRef<Path>) -> Result<Self> {
        Self::of(wav_files(folder.as_ref())?, folder.as_ref(), |path| {
            let mut parts = stem(path).split('_');
            let (label, mut rest) = (parts.next()?.to_string(), parts.collect::<Vec<_>>());
            let last = rest.last()?;
            let index = last.parse().ok();
            if index.is_some() {
                rest.pop();
            }
            let speaker = (!rest.is_empty()).then(|| rest.join("_"));
            Some(Recording { path: path.to_path_buf(), label, speaker, index })
        })
    }

    /// The files of a folder's folders, each of which is a class.
    ///
    /// # Errors
    /// [`Error::Other`] where a folder cannot be read; [`Error::Argument`] where there is no WAV file.
    ///
    /// ```
    /// use faltung::audio::{Audio, WavFormat};
    /// use faltung::nn::data::WavFolder;
    ///
    /// let folder = tempfile::tempdir().unwrap();
    /// for class in ["yes", "no"] {
    ///     std::fs::create_dir(folder.path().join(class)).unwrap();
    ///     Audio::from_interleaved(&[0.5], 1, 8000)?.write(folder.path().join(class).join("1.wav"), WavFormat::Pcm16)?;
    /// }
    /// assert_eq!(WavFolder::classes(folder.path())?.names(), ["no", "yes"]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn classes(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let mut files = Vec::new();
        for class in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
            files.extend(wav_files(&class)?);
        }
        Self::of(files, folder, |path| {
            let label = path.parent()?.file_name()?.to_string_lossy().into_owned();
            Some(Recording { path: path.to_path_buf(), label, speaker: None, index: None })
        })
    }

    /// The files of a folder, with what `describe` makes of their paths; those for which it gives `None` are left out.
    ///
    /// # Errors
    /// [`Error::Other`] where the folder cannot be read; [`Error::Argument`] where no WAV file is left.
    ///
    /// ```no_run
    /// use faltung::nn::data::{Recording, WavFolder};
    ///
    /// let by_speaker = WavFolder::described("recordings", |path| {
    ///     let speaker = path.file_stem()?.to_str()?.split('_').nth(1)?;
    ///     Some(Recording { path: path.into(), label: speaker.into(), speaker: None, index: None })
    /// })?;
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn described(folder: impl AsRef<Path>, describe: impl Fn(&Path) -> Option<Recording>) -> Result<Self> {
        let described: Vec<Recording> = wav_files(folder.as_ref())?.iter().filter_map(|path| describe(path)).collect();
        Self::sorted(described, folder.as_ref())
    }

    fn of(files: Vec<PathBuf>, folder: &Path, describe: impl Fn(&Path) -> Option<Recording>) -> Result<Self> {
        let described = files.iter().map(|path| {
            describe(path)
                .ok_or_else(|| Error::argument("folder", "files named {label}_{speaker}_{index}.wav", path.display()))
        });
        Self::sorted(described.collect::<Result<_>>()?, folder)
    }

    fn sorted(recordings: Vec<Recording>, folder: &Path) -> Result<Self> {
        if recordings.is_empty() {
            return Err(Error::argument("folder", "a folder with WAV files", folder.display()));
        }
        let mut names: Vec<String> = recordings.iter().map(|recording| recording.label.clone()).collect();
        names.sort();
        names.dedup();
        Ok(Self { recordings, names })
    }

    /// The recordings.
    ///
    /// ```
    /// # use faltung::audio::{Audio, WavFormat};
    /// # use faltung::nn::data::WavFolder;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # Audio::from_interleaved(&[0.5; 6], 1, 8000)?.write(folder.path().join("7_jackson_32.wav"), WavFormat::Pcm16)?;
    /// assert_eq!(WavFolder::named(folder.path())?.recordings()[0].index, Some(32));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn recordings(&self) -> &[Recording] {
        &self.recordings
    }

    /// The names of the classes.
    ///
    /// ```
    /// # use faltung::audio::{Audio, WavFormat};
    /// # use faltung::nn::data::WavFolder;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # Audio::from_interleaved(&[0.5; 6], 1, 8000)?.write(folder.path().join("7_jackson_32.wav"), WavFormat::Pcm16)?;
    /// assert_eq!(WavFolder::named(folder.path())?.names(), ["7"]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The recordings that are chosen and those that are not, with the same classes.
    ///
    /// ```no_run
    /// # use faltung::nn::data::WavFolder;
    /// let (theo, others) = WavFolder::named("recordings")?.partition(|r| r.speaker.as_deref() == Some("theo"));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn partition(self, chosen: impl Fn(&Recording) -> bool) -> (Self, Self) {
        let (yes, no) = self.recordings.into_iter().partition(|recording| chosen(recording));
        (Self { recordings: yes, names: self.names.clone() }, Self { recordings: no, names: self.names })
    }

    /// Reads the files: their channels are averaged, sounds of other rates are resampled to `rate`, in Hz, and samples
    /// are `length` long, cut there or filled up with zeros.
    ///
    /// # Errors
    /// [`Error::Argument`] for a rate or a length of 0; as [`Audio::read`] and [`Audio::resampled`], with the path.
    ///
    /// ```
    /// use faltung::audio::{Audio, WavFormat};
    /// use faltung::nn::data::{Dataset, SoundClasses, WavFolder};
    ///
    /// let folder = tempfile::tempdir().unwrap();
    /// Audio::from_interleaved(&[0.5; 600], 2, 44_100)?.write(folder.path().join("a_0.wav"), WavFormat::Pcm16)?;
    /// let sounds: SoundClasses<f32> = WavFolder::named(folder.path())?.read(22_050, 1000)?;
    /// assert_eq!((sounds.sample_shape(), sounds.frames(0)), (&[1, 1000][..], Some(150)));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn read<T: Float>(&self, rate: u32, length: usize) -> Result<SoundClasses<T>> {
        if rate == 0 {
            return Err(Error::argument("rate", "one frame a second or more", 0));
        }
        if length == 0 {
            return Err(Error::argument("length", "at least 1 sample", 0));
        }
        let read = |recording: &Recording| {
            let sound = Audio::read(&recording.path)?.mono();
            let sound = if sound.rate() == rate || sound.frames() == 0 {
                sound
            } else {
                let doing = || format!("resampling {}", recording.path.display());
                sound.resampled(rate).map_err(|e| Error::other(doing(), e))?
            };
            let mut samples = sound.into_samples().into_raw_vec_and_offset().0;
            samples.truncate(length);
            samples.shrink_to_fit();
            Ok(samples)
        };
        let label = |recording: &Recording| self.names.binary_search(&recording.label).unwrap_or_default();
        Ok(SoundClasses {
            sounds: self.recordings.iter().map(read).collect::<Result<_>>()?,
            shape: [1, length],
            rate,
            targets: Targets::Classes(self.recordings.iter().map(label).collect()),
            names: self.names.clone(),
        })
    }
}

/// Sounds of one rate with a class each; made by [`WavFolder::read`].
///
/// A sample is (1, samples), full scale being -1 to 1. In memory sounds remain as long as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct SoundClasses<T> {
    sounds: Vec<Vec<f32>>,
    shape: [usize; 2],
    rate: u32,
    targets: Targets<T>,
    names: Vec<String>,
}

impl<T: Float> SoundClasses<T> {
    /// Samples a second.
    ///
    /// ```
    /// # use faltung::audio::{Audio, WavFormat};
    /// # use faltung::nn::data::{SoundClasses, WavFolder};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # Audio::from_interleaved(&[0.5; 6], 1, 8000)?.write(folder.path().join("7_jackson_32.wav"), WavFormat::Pcm16)?;
    /// let sounds: SoundClasses<f32> = WavFolder::named(folder.path())?.read(8000, 100)?;
    /// assert_eq!(sounds.rate(), 8000);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// The samples of a sound before it is filled up.
    ///
    /// ```
    /// # use faltung::audio::{Audio, WavFormat};
    /// # use faltung::nn::data::{SoundClasses, WavFolder};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # Audio::from_interleaved(&[0.5; 6], 1, 8000)?.write(folder.path().join("7_jackson_32.wav"), WavFormat::Pcm16)?;
    /// let sounds: SoundClasses<f32> = WavFolder::named(folder.path())?.read(8000, 100)?;
    /// assert_eq!((sounds.frames(0), sounds.frames(1)), (Some(6), None));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn frames(&self, index: usize) -> Option<usize> {
        self.sounds.get(index).map(Vec::len)
    }

    /// The names of the classes.
    ///
    /// ```
    /// # use faltung::audio::{Audio, WavFormat};
    /// # use faltung::nn::data::{SoundClasses, WavFolder};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # Audio::from_interleaved(&[0.5; 6], 1, 8000)?.write(folder.path().join("7_jackson_32.wav"), WavFormat::Pcm16)?;
    /// let sounds: SoundClasses<f32> = WavFolder::named(folder.path())?.read(8000, 100)?;
    /// assert_eq!(sounds.names(), ["7"]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl<T: Float> Dataset<T> for SoundClasses<T> {
    fn sample_shape(&self) -> &[usize] {
        &self.shape
    }

    fn targets(&self) -> &Targets<T> {
        &self.targets
    }

    fn read(&self, index: usize, _: Option<u64>, mut sample: ArrayViewMutD<'_, T>) -> Result<()> {
        super::check_sample(self, index, &sample)?;
        let sound = self.sounds.get(index).map_or(&[][..], Vec::as_slice);
        let filled = sound.iter().copied().chain(std::iter::repeat(0.0));
        sample.iter_mut().zip(filled).for_each(|(to, value)| *to = T::from_f64(value.into()));
        Ok(())
    }
}

/// The log-mel spectrograms of a data set of sounds: from samples (channels, samples) to samples (channels, bands,
/// frames). They are computed as they are read, after what augmentation the sounds have;
/// [`Arrays::collect`](super::Arrays::collect) computes them once.
///
/// ```
/// use faltung::audio::{LogMel, Stft};
/// use faltung::ndarray::Array3;
/// use faltung::nn::data::{Arrays, Dataset, Spectra, Targets};
///
/// let sounds = Arrays::new(Array3::<f32>::zeros((2, 1, 8000)).into_dyn(), Targets::Classes(vec![0, 1]))?;
/// let spectra = Spectra::new(sounds, LogMel::new(8000).stft(Stft::new(256).hop(80)).bands(40).prepare()?)?;
/// assert_eq!(Dataset::<f32>::sample_shape(&spectra), [1, 40, 101]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Spectra<T, D> {
    sounds: D,
    mel: PreparedLogMel,
    shape: [usize; 3],
    element: std::marker::PhantomData<T>,
}

impl<T: Float, D: Dataset<T>> Spectra<T, D> {
    /// The spectrograms of these sounds.
    ///
    /// # Errors
    /// [`Error::Argument`] where samples are not (channels, samples).
    ///
    /// ```
    /// # use faltung::audio::LogMel;
    /// # use faltung::ndarray::Array2;
    /// # use faltung::nn::data::{Arrays, Spectra, Targets};
    /// let flat = Arrays::new(Array2::<f32>::zeros((2, 8000)).into_dyn(), Targets::Classes(vec![0, 1]))?;
    /// assert!(Spectra::new(flat, LogMel::new(8000).prepare()?).is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(sounds: D, mel: PreparedLogMel) -> Result<Self> {
        let &[channels, samples] = sounds.sample_shape() else {
            let given = format!("shape {:?}", sounds.sample_shape());
            return Err(Error::argument("sounds", "samples (channels, samples)", given));
        };
        let shape = [channels, mel.bands(), mel.frames(samples)];
        Ok(Self { sounds, mel, shape, element: std::marker::PhantomData })
    }
}

impl<T: Float, D: Dataset<T>> Dataset<T> for Spectra<T, D> {
    fn sample_shape(&self) -> &[usize] {
        &self.shape
    }

    fn targets(&self) -> &Targets<T> {
        self.sounds.targets()
    }

    fn read(&self, index: usize, draw: Option<u64>, mut sample: ArrayViewMutD<'_, T>) -> Result<()> {
        super::check_sample(self, index, &sample)?;
        let mut sound = ArrayD::from_elem(IxDyn(self.sounds.sample_shape()), T::ZERO);
        self.sounds.read(index, draw, sound.view_mut())?;
        for (channel, mut to) in sound.outer_iter().zip(sample.outer_iter_mut()) {
            let channel: Array1<f32> = channel.iter().map(|&v| Float::as_f64(v) as f32).collect();
            let levels = self.mel.apply(&channel)?;
            let mut to =
                to.view_mut().into_dimensionality::<Ix2>().map_err(|e| Error::other("shaping a spectrogram", e))?;
            to.zip_mut_with(&levels, |to, &level| *to = T::from_f64(level.into()));
        }
        Ok(())
    }
}

/// The WAV files of a folder, sorted.
fn wav_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let is_wav = |path: &PathBuf| path.is_file() && path.extension().is_some_and(|e| e.eq_ignore_ascii_case("wav"));
    Ok(entries(folder)?.into_iter().filter(is_wav).collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| Error::other(format!("reading the folder {}", folder.display()), e);
    let found = fs::read_dir(folder).map_err(failed)?;
    let mut paths: Vec<PathBuf> = found.map(|entry| Ok(entry.map_err(failed)?.path())).collect::<Result<_>>()?;
    paths.sort();
    Ok(paths)
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}
