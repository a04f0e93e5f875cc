//! Pictures of bytes with a class each.

use std::path::Path;

use ndarray::{Array4, ArrayViewMutD, Axis, Ix3};

use super::{Dataset, Idx, Targets};
use crate::error::{Error, Result};
use crate::nn::Float;

/// Pictures, 8 bits a channel, of one size, with a class each: MNIST, Fashion-MNIST, CIFAR and their like.
///
/// A sample is (channels, height, width) of `T`: bytes over 255, so 0 to 1, and, where [`normalize`](Self::normalize)
/// was called, less a mean and over a deviation. In memory pictures remain bytes.
///
/// ```
/// use faltung::ndarray::Array4;
/// use faltung::nn::data::{Dataset, ImageClasses};
///
/// let pictures = Array4::from_shape_fn((2, 1, 28, 28), |(i, ..)| 255 * i as u8);
/// let names = ["black", "white"].map(str::to_string);
/// let data = ImageClasses::<f32>::new(pictures, vec![0, 1], names.to_vec())?;
/// let mut sample = faltung::ndarray::ArrayD::zeros(data.sample_shape());
/// data.read(1, None, sample.view_mut())?;
/// assert_eq!((sample.shape(), sample[[0, 14, 14]]), (&[1, 28, 28][..], 1.0));
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ImageClasses<T> {
    pictures: Array4<u8>,
    shape: [usize; 3],
    targets: Targets<T>,
    names: Vec<String>,
    /// What each byte becomes, a table a channel.
    values: Vec<[T; 256]>,
}

impl<T: Float> ImageClasses<T> {
    /// Pictures, (number, channels, height, width), with a class each, counted from 0, and the classes' names.
    ///
    /// # Errors
    /// [`Error::Argument`] where pictures and labels differ in number, pictures have no pixels, or a label has no name.
    ///
    /// ```
    /// use faltung::ndarray::Array4;
    /// use faltung::nn::data::ImageClasses;
    /// let names = vec!["only".to_string()];
    /// assert!(ImageClasses::<f32>::new(Array4::zeros((1, 1, 2, 2)), vec![1], names).is_err());
    /// ```
    pub fn new(pictures: Array4<u8>, labels: Vec<usize>, names: Vec<String>) -> Result<Self> {
        let (count, channels, height, width) = pictures.dim();
        if labels.len() != count {
            return Err(Error::argument("labels", format!("{count}, one for each picture"), labels.len()));
        }
        if channels == 0 || height == 0 || width == 0 {
            let given = format!("{channels} x {height} x {width}");
            return Err(Error::argument("pictures", "one channel, row and column or more", given));
        }
        check_classes(&labels, names.len())?;
        let values = vec![std::array::from_fn(|byte| T::from_f64(byte as f64 / 255.0)); channels];
        // Samples lie one after the other, whatever order the array came in.
        let pictures =
            if pictures.is_standard_layout() { pictures } else { pictures.as_standard_layout().into_owned() };
        Ok(Self { pictures, shape: [channels, height, width], targets: Targets::Classes(labels), names, values })
    }

    /// Reads pictures (number, height, width) or (number, channels, height, width) and labels (number) from two IDX
    /// files. Classes are named by their numbers, from 0 to the largest that occurs; [`with_names`](Self::with_names)
    /// knows better.
    ///
    /// # Errors
    /// As [`Idx::read`] and [`new`](Self::new); with the path.
    ///
    /// ```
    /// use faltung::nn::data::ImageClasses;
    ///
    /// let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/digits");
    /// let digits = ImageClasses::<f32>::from_idx(
    ///     folder.join("t10k-images-idx3-ubyte.gz"),
    ///     folder.join("t10k-labels-idx1-ubyte.gz"),
    /// )?;
    /// assert_eq!(digits.pictures().dim(), (500, 1, 28, 28));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn from_idx(pictures: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<Self> {
        let (picture_path, label_path) = (pictures.as_ref(), labels.as_ref());
        let at = |path: &Path| {
            let doing = format!("reading {}", path.display());
            move |e: Error| Error::other(doing, e)
        };
        let mut pictures = Idx::read(picture_path)?.into_bytes().map_err(at(picture_path))?;
        if pictures.ndim() == 3 {
            pictures.insert_axis_inplace(Axis(1));
        }
        let shape = pictures.shape().to_vec();
        let pictures = pictures.into_dimensionality().map_err(|_| {
            let expected = "pictures (number, height, width) or (number, channels, height, width)";
            at(picture_path)(Error::argument("IDX file", expected, format!("shape {shape:?}")))
        })?;
        let labels = Idx::read(label_path)?.to_classes().map_err(at(label_path))?;
        let classes = labels.iter().max().map_or(0, |&last| last.saturating_add(1));
        // More classes than labels of 16 bits are no classes, and their names would fill the memory.
        if classes > 1 << 16 {
            return Err(at(label_path)(Error::argument("labels", "classes below 65536", classes - 1)));
        }
        Self::new(pictures, labels, (0..classes).map(|class| class.to_string()).collect()).map_err(at(label_path))
    }

    /// Names the classes.
    ///
    /// # Errors
    /// [`Error::Argument`] where a label has no name.
    ///
    /// ```
    /// use faltung::ndarray::Array4;
    /// use faltung::nn::data::{FASHION, ImageClasses};
    ///
    /// let boot = ImageClasses::<f32>::new(Array4::zeros((1, 1, 28, 28)), vec![0], vec!["0".to_string()])?;
    /// assert_eq!(boot.with_names(&FASHION)?.names()[9], "ankle boot");
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn with_names(mut self, names: &[&str]) -> Result<Self> {
        check_classes(self.labels(), names.len())?;
        self.names = names.iter().map(|name| name.to_string()).collect();
        Ok(self)
    }

    /// Takes a mean from the pixels, which are 0 to 1, and divides by a deviation: one of each for all channels, or one
    /// a channel. For MNIST's training pictures 0.1307 and 0.3081.
    ///
    /// # Errors
    /// [`Error::Argument`] for another number of them, for numbers that are not finite, and a deviation of 0 or less.
    ///
    /// ```
    /// use faltung::ndarray::{Array4, ArrayD};
    /// use faltung::nn::data::{Dataset, ImageClasses};
    ///
    /// let black = ImageClasses::<f64>::new(Array4::zeros((1, 1, 1, 1)), vec![0], vec!["black".to_string()])?;
    /// let black = black.normalize(&[0.1307], &[0.3081])?;
    /// let mut sample = ArrayD::zeros(black.sample_shape());
    /// black.read(0, None, sample.view_mut())?;
    /// assert_eq!(sample[[0, 0, 0]], -0.1307 / 0.3081);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn normalize(mut self, mean: &[f64], deviation: &[f64]) -> Result<Self> {
        let channels = self.values.len();
        for (what, numbers) in [("mean", mean), ("deviation", deviation)] {
            if numbers.len() != 1 && numbers.len() != channels {
                return Err(Error::argument(
                    what,
                    format!("one, or one for each of {channels} channels"),
                    numbers.len(),
                ));
            }
        }
        if let Some(bad) = mean.iter().find(|v| !v.is_finite()) {
            return Err(Error::argument("mean", "finite numbers", bad));
        }
        if let Some(bad) = deviation.iter().find(|&&v| !(v.is_finite() && v > 0.0)) {
            return Err(Error::argument("deviation", "finite numbers above 0", bad));
        }
        let (means, deviations) = (mean.iter().cycle(), deviation.iter().cycle());
        for ((table, mean), deviation) in self.values.iter_mut().zip(means).zip(deviations) {
            *table = std::array::from_fn(|byte| T::from_f64((byte as f64 / 255.0 - mean) / deviation));
        }
        Ok(self)
    }

    /// The mean and the deviation of each channel over all pictures, of pixels from 0 to 1: what
    /// [`normalize`](Self::normalize) takes for pictures of its kind. Of no pictures, 0 and 1; a deviation of 0 is 1.
    ///
    /// ```
    /// use faltung::ndarray::Array4;
    /// use faltung::nn::data::ImageClasses;
    ///
    /// let pictures = Array4::from_shape_fn((2, 1, 1, 1), |(i, ..)| 255 * i as u8);
    /// let data = ImageClasses::<f32>::new(pictures, vec![0, 0], vec!["grey".to_string()])?;
    /// assert_eq!(data.statistics(), (vec![0.5], vec![0.5]));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn statistics(&self) -> (Vec<f64>, Vec<f64>) {
        let moments = |channel: usize| {
            let mut counts = [0u64; 256];
            for &byte in self.pictures.index_axis(Axis(1), channel) {
                counts[usize::from(byte)] += 1;
            }
            let total = counts.iter().sum::<u64>().max(1) as f64;
            let average = |f: &dyn Fn(f64) -> f64| {
                counts.iter().enumerate().map(|(byte, &count)| count as f64 * f(byte as f64 / 255.0)).sum::<f64>()
                    / total
            };
            let mean = average(&|v| v);
            let deviation = average(&|v| (v - mean).powi(2)).sqrt();
            (mean, if deviation > 0.0 { deviation } else { 1.0 })
        };
        (0..self.values.len()).map(moments).unzip()
    }

    /// The pictures, (number, channels, height, width).
    ///
    /// ```
    /// # use faltung::nn::data::Mnist;
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/digits");
    /// assert_eq!(Mnist::<f32>::open(folder)?.train.pictures().dim(), (1000, 1, 28, 28));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn pictures(&self) -> &Array4<u8> {
        &self.pictures
    }

    /// The class of each picture, counted from 0.
    ///
    /// ```
    /// # use faltung::nn::data::Mnist;
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/digits");
    /// assert_eq!(Mnist::<f32>::open(folder)?.train.labels()[..3], [5, 0, 4]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn labels(&self) -> &[usize] {
        match &self.targets {
            Targets::Classes(labels) => labels,
            Targets::Values(_) => &[],
        }
    }

    /// The names of the classes.
    ///
    /// ```
    /// # use faltung::nn::data::Mnist;
    /// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/digits");
    /// assert_eq!(Mnist::<f32>::open(folder)?.train.names().len(), 10);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl<T: Float> Dataset<T> for ImageClasses<T> {
    fn sample_shape(&self) -> &[usize] {
        &self.shape
    }

    fn targets(&self) -> &Targets<T> {
        &self.targets
    }

    fn read(&self, index: usize, _: Option<u64>, mut sample: ArrayViewMutD<'_, T>) -> Result<()> {
        super::check_sample(self, index, &sample)?;
        let picture = self.pictures.index_axis(Axis(0), index);
        let mut sample =
            sample.view_mut().into_dimensionality::<Ix3>().map_err(|e| Error::other("reading a picture", e))?;
        for ((mut to, from), table) in sample.outer_iter_mut().zip(picture.outer_iter()).zip(&self.values) {
            to.zip_mut_with(&from, |to, &byte| *to = table[usize::from(byte)]);
        }
        Ok(())
    }
}

/// Refuses labels beyond the classes.
pub(super) fn check_classes(labels: &[usize], classes: usize) -> Result<()> {
    match labels.iter().position(|&label| label >= classes) {
        Some(i) => {
            let expected = format!("classes below {classes}, the number of names");
            Err(Error::argument("labels", expected, format!("{} at sample {i}", labels[i])))
        }
        None => Ok(()),
    }
}
