//! MNIST and the sets that come in its files.

use std::path::{Path, PathBuf};

#[cfg(feature = "download")]
use super::download::{Download, RemoteFile};
use super::images::ImageClasses;
use crate::error::{Error, Result};
use crate::nn::Float;

/// The names of the four files, without `.gz`.
const FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// The published files' lengths in bytes and their SHA-256, compressed.
#[cfg(feature = "download")]
const PUBLISHED: [(u64, &str); 4] = [
    (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
];

/// Where the four files are, byte for byte as they were published.
#[cfg(feature = "download")]
const MIRRORS: [&str; 2] =
    ["https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist"];

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// The classes of Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017), whose files are named as MNIST's.
pub const FASHION: [&str; 10] =
    ["T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

/// Training and test pictures in MNIST's four files: MNIST itself (LeCun, Cortes and Burges: 60,000 and 10,000
/// handwritten digits of 28 x 28 grey values), or another set that comes so.
///
/// ```
/// use faltung::nn::data::{Dataset, Mnist};
///
/// let digits = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/digits"); // a fortieth of MNIST
/// let mnist = Mnist::<f32>::open(digits)?;
/// assert_eq!((mnist.train.len(), mnist.test.len()), (1000, 500));
/// assert_eq!(mnist.train.sample_shape(), [1, 28, 28]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Mnist<T = f32> {
    /// The pictures to learn from.
    pub train: ImageClasses<T>,
    /// The pictures to be judged by.
    pub test: ImageClasses<T>,
}

impl<T: Float> Mnist<T> {
    /// Reads the four files of a folder, compressed (`train-images-idx3-ubyte.gz` and so on) or not, with a point for
    /// the second hyphen too, as some archives have it.
    ///
    /// # Errors
    /// [`Error::Other`], with the path, for files that are missing, broken or contradict each other, and labels above
    /// 9.
    ///
    /// ```
    /// use faltung::nn::data::Mnist;
    /// let refused = Mnist::<f32>::open("/no/such/folder").unwrap_err();
    /// assert!(refused.to_string().contains("/no/such/folder"));
    /// ```
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let read = |pictures, labels| {
            let (pictures, labels) = (find(folder, pictures)?, find(folder, labels)?);
            let doing = format!("reading {}", labels.display());
            ImageClasses::from_idx(pictures, labels)?.with_names(&DIGITS).map_err(|e| Error::other(doing, e))
        };
        let [train_pictures, train_labels, test_pictures, test_labels] = FILES;
        let (train, test) = (read(train_pictures, train_labels)?, read(test_pictures, test_labels)?);
        let size = |set: &ImageClasses<T>| set.pictures().shape()[1..].to_vec();
        if size(&train) != size(&test) {
            let wrong = Error::shape("the test pictures", &size(&train), &size(&test));
            return Err(Error::other(format!("reading {}", folder.display()), wrong));
        }
        Ok(Self { train, test })
    }

    /// Reads the files of this folder; with no folder given, those of the user's cache folder, to which they are
    /// fetched from the mirrors first if need be (with the feature `download`).
    ///
    /// [`MnistSource`] has the progress, other cache folders and other mirrors.
    ///
    /// # Errors
    /// As [`open`](Self::open) and [`MnistSource::open`]; the message says what was tried and what helps.
    ///
    /// ```no_run
    /// use faltung::nn::data::Mnist;
    /// let mnist = Mnist::<f32>::find(None)?;
    /// assert_eq!(mnist.train.labels()[..3], [5, 0, 4]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn find(folder: Option<&Path>) -> Result<Self> {
        match folder {
            Some(folder) => Self::open(folder),
            #[cfg(feature = "download")]
            None => MnistSource::new().open(|_, _, _| ()),
            #[cfg(not(feature = "download"))]
            None => {
                let help = format!("a folder with {}.gz, or faltung's feature `download`", FILES.join(".gz, "));
                Err(Error::argument("folder", help, "neither"))
            }
        }
    }
}

/// The file of this name.
fn find(folder: &Path, name: &str) -> Result<PathBuf> {
    let pointed = name.replacen("-idx", ".idx", 1);
    let names = [format!("{name}.gz"), name.to_string(), format!("{pointed}.gz"), pointed];
    names.iter().map(|name| folder.join(name)).find(|path| path.is_file()).ok_or_else(|| {
        let expected = format!("a folder with {} (or without .gz)", FILES.map(|name| format!("{name}.gz")).join(", "));
        Error::argument("folder", expected, format!("{}, which has no {name}", folder.display()))
    })
}

/// Where MNIST's files are looked for if no folder is named: in a cache folder, and by download to it.
///
/// ```no_run
/// use faltung::nn::data::MnistSource;
///
/// let mnist = MnistSource::new().open::<f32>(|name, done, total| eprint!("\r{name}: {done} of {total} bytes"))?;
/// # Ok::<(), faltung::Error>(())
/// ```
#[cfg(feature = "download")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MnistSource {
    cache: Option<PathBuf>,
    download: Option<Download>,
}

#[cfg(feature = "download")]
impl Default for MnistSource {
    fn default() -> Self {
        let cache = dirs::cache_dir().map(|folder| folder.join("faltung").join("mnist"));
        Self { cache, download: Some(Download::from(MIRRORS)) }
    }
}

#[cfg(feature = "download")]
impl MnistSource {
    /// The folder `faltung/mnist` in the user's cache folder (`$XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches`,
    /// `%LOCALAPPDATA%`), and two mirrors: PyTorch's and that of the Common Visual Data Foundation.
    ///
    /// ```
    /// use faltung::nn::data::MnistSource;
    /// assert_eq!(MnistSource::new(), MnistSource::default());
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Another cache folder.
    ///
    /// ```
    /// # use faltung::nn::data::MnistSource;
    /// let source = MnistSource::new().cache("/var/cache/mnist");
    /// assert_eq!(source.folder().unwrap(), std::path::Path::new("/var/cache/mnist"));
    /// ```
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// Other mirrors or time-outs; `None` for no download.
    ///
    /// ```
    /// # use faltung::nn::data::{Download, MnistSource};
    /// let source = MnistSource::new().download(Download::from(["http://localhost:8000/mnist"]));
    /// let offline = MnistSource::new().download(None);
    /// ```
    pub fn download(mut self, download: impl Into<Option<Download>>) -> Self {
        self.download = download.into();
        self
    }

    /// The cache folder; none where the user has none.
    ///
    /// ```
    /// # use faltung::nn::data::MnistSource;
    /// assert!(MnistSource::new().cache("mnist").folder().is_some());
    /// ```
    pub fn folder(&self) -> Option<&Path> {
        self.cache.as_deref()
    }

    /// Reads the cache folder's files, after it fetched those that are missing there or have other bytes than the
    /// published ones. `progress` is called as [`Download::fetch`] does, if there is something to fetch.
    ///
    /// # Errors
    /// [`Error::Other`] where the files are neither there nor to be had, with what was tried and what helps, and as
    /// [`Mnist::open`].
    ///
    /// ```
    /// use faltung::nn::data::MnistSource;
    /// let refused = MnistSource::new().cache("/no/such/folder").download(None).open::<f32>(|_, _, _| ());
    /// assert!(refused.unwrap_err().to_string().contains("train-images-idx3-ubyte.gz"));
    /// ```
    pub fn open<T: Float>(&self, progress: impl FnMut(&str, u64, u64)) -> Result<Mnist<T>> {
        let help = |doing: String, e: Error| {
            let files = FILES.map(|name| format!("{name}.gz")).join(", ");
            Error::other(format!("{doing} (a folder with {files} can be named instead)"), e)
        };
        let Some(folder) = self.cache.as_deref() else {
            return Err(help("looking for MNIST".into(), Error::argument("cache", "a cache folder", "none")));
        };
        let doing = || format!("looking for MNIST in {}", folder.display());
        match &self.download {
            None => Mnist::open(folder).map_err(|e| help(doing(), e)),
            Some(download) => {
                download.fetch(&published()?, folder, progress).map_err(|e| help(doing(), e))?;
                Mnist::open(folder)
            }
        }
    }
}

/// The four files as they were published.
#[cfg(feature = "download")]
fn published() -> Result<Vec<RemoteFile>> {
    FILES.iter().zip(PUBLISHED).map(|(name, (bytes, sum))| RemoteFile::new(&format!("{name}.gz"), bytes, sum)).collect()
}
