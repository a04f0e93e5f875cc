//! CIFAR-10's binary batches.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use ndarray::Array4;

use super::images::ImageClasses;
use crate::error::{Error, Result};
use crate::nn::Float;

/// A label, and 32 x 32 pixels of red, of green and of blue.
const RECORD: usize = 1 + 3 * 32 * 32;

/// The most records of one call: 1 GiB, six times CIFAR-10.
const MOST: usize = (1 << 30) / RECORD;

const CLASSES: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// CIFAR-10 (Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009): 50,000 and 10,000 pictures of
/// ten classes, 32 x 32 pixels of three channels, in its
/// [binary version](https://www.cs.toronto.edu/~kriz/cifar.html).
///
/// ```no_run
/// use faltung::nn::data::{Cifar, Dataset};
/// let cifar = Cifar::<f32>::open("cifar-10-batches-bin")?;
/// assert_eq!((cifar.train.len(), cifar.train.sample_shape()), (50_000, &[3, 32, 32][..]));
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Cifar<T = f32> {
    /// The pictures to learn from.
    pub train: ImageClasses<T>,
    /// The pictures to be judged by.
    pub test: ImageClasses<T>,
}

impl<T: Float> Cifar<T> {
    /// Reads `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin` of a folder.
    ///
    /// # Errors
    /// As [`ImageClasses::from_cifar`].
    ///
    /// ```
    /// use faltung::nn::data::Cifar;
    /// assert!(Cifar::<f32>::open("/no/such/folder").unwrap_err().to_string().contains("data_batch_1.bin"));
    /// ```
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let batches: Vec<PathBuf> = (1..=5).map(|i| folder.join(format!("data_batch_{i}.bin"))).collect();
        Ok(Self {
            train: ImageClasses::from_cifar(&batches)?,
            test: ImageClasses::from_cifar(&[folder.join("test_batch.bin")])?,
        })
    }
}

impl<T: Float> ImageClasses<T> {
    /// Reads CIFAR-10's binary batches, of any number of records, one after the other.
    ///
    /// # Errors
    /// [`Error::Other`], with the path, around what was wrong: a file cannot be read, ends within a record, has a label
    /// above 9, or there are more than 1 GiB.
    ///
    /// ```
    /// use faltung::nn::data::ImageClasses;
    ///
    /// let folder = tempfile::tempdir().unwrap();
    /// let batch = folder.path().join("batch.bin");
    /// std::fs::write(&batch, [&[8][..], &[255; 3072]].concat()).unwrap();
    /// let ship = ImageClasses::<f32>::from_cifar(&[batch])?;
    /// assert_eq!((ship.pictures().dim(), &*ship.names()[ship.labels()[0]]), ((1, 3, 32, 32), "ship"));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn from_cifar<P: AsRef<Path>>(batches: &[P]) -> Result<Self> {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for path in batches {
            let path = path.as_ref();
            let doing = || format!("reading {}", path.display());
            let file = File::open(path).map_err(|e| Error::other(doing(), e))?;
            records(BufReader::new(file), &mut pixels, &mut labels).map_err(|e| Error::other(doing(), e))?;
        }
        finish(pixels, labels)
    }

    /// Reads a batch from a reader, to its end. A reader that is slow by the byte should be buffered.
    ///
    /// # Errors
    /// As [`from_cifar`](Self::from_cifar).
    ///
    /// ```
    /// use faltung::nn::data::ImageClasses;
    /// assert!(ImageClasses::<f32>::from_cifar_reader(&[10; 3073][..]).is_err());
    /// ```
    pub fn from_cifar_reader(reader: impl Read) -> Result<Self> {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        records(reader, &mut pixels, &mut labels)?;
        finish(pixels, labels)
    }
}

fn finish<T: Float>(pixels: Vec<u8>, labels: Vec<usize>) -> Result<ImageClasses<T>> {
    let pictures = Array4::from_shape_vec((labels.len(), 3, 32, 32), pixels)
        .map_err(|e| Error::other("shaping CIFAR's pictures", e))?;
    ImageClasses::new(pictures, labels, CLASSES.map(str::to_string).to_vec())
}

/// Appends a batch, record by record.
fn records(mut reader: impl Read, pixels: &mut Vec<u8>, labels: &mut Vec<usize>) -> Result<()> {
    let mut record = Vec::with_capacity(RECORD);
    loop {
        record.clear();
        let read = (&mut reader).take(RECORD as u64).read_to_end(&mut record);
        match read.map_err(|e| Error::other("reading a CIFAR batch", e))? {
            0 => return Ok(()),
            RECORD if labels.len() == MOST => {
                return Err(Error::argument("CIFAR batch", format!("at most {MOST} records"), "more"));
            }
            RECORD => {}
            n => {
                let expected = format!("records of {RECORD} bytes");
                return Err(Error::argument("CIFAR batch", expected, format!("{n} bytes in record {}", labels.len())));
            }
        }
        let Some((&label, picture)) = record.split_first().filter(|(label, _)| usize::from(**label) < CLASSES.len())
        else {
            let given = format!("{:?} in record {}", record.first(), labels.len());
            return Err(Error::argument("CIFAR batch", "labels from 0 to 9", given));
        };
        pixels.try_reserve(picture.len()).map_err(|e| Error::other("allocating CIFAR's pictures", e))?;
        pixels.extend_from_slice(picture);
        labels.push(label.into());
    }
}
