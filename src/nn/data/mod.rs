//! Data sets: samples of one shape with what is to be learnt of them.
//!
//! | what | type | sample |
//! |---|---|---|
//! | arrays in memory | [`Arrays`] | any |
//! | MNIST, Fashion-MNIST, CIFAR-10 | [`Mnist`], [`Cifar`], of [`ImageClasses`]; `MnistSource` fetches MNIST (feature `download`) | (channels, height, width) |
//! | sentence files: TREC, movie reviews, one's own | `Sentences`, `Trec`; `SentenceClasses` (feature `text`) | (tokens), as ids |
//! | folders of WAV files | `WavFolder`; `SoundClasses` (feature `audio`) | (1, samples) |
//! | log-mel spectrograms of sounds | `Spectra` (feature `audio`) | (channels, bands, frames) |
//! | random changes | [`Augmented`] by [`Warp`], [`Tone`], [`Noise`], [`TimeShift`], [`SpecMask`] | as the other's |
//! | a part of another set, validation, folds | [`Subset`], [`Deal`] | as the other's |
//! | IDX files | [`Idx`] | |
//!
//! Readers check what a file declares against what it holds, and allocate no more than that.
//!
//! Any type becomes a data set by [`Dataset`]'s three methods; references and [`Arc`]s of data sets are data sets.

mod augment;
mod cifar;
#[cfg(feature = "download")]
mod download;
mod idx;
mod images;
mod mnist;
#[cfg(feature = "text")]
mod sentences;
#[cfg(feature = "audio")]
mod sounds;
mod subset;

use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewMutD, Axis};

use super::Float;
use crate::error::{Error, Result};

pub use augment::{Augment, Augmented, Draws, Noise, SpecMask, TimeShift, Tone, Warp};
pub use cifar::Cifar;
#[cfg(feature = "download")]
pub use download::{Download, RemoteFile};
pub use idx::Idx;
pub use images::ImageClasses;
#[cfg(feature = "download")]
pub use mnist::MnistSource;
pub use mnist::{FASHION, Mnist};
#[cfg(feature = "text")]
pub use sentences::{SentenceClasses, Sentences, Trec, TrecLabels};
#[cfg(feature = "audio")]
pub use sounds::{Recording, SoundClasses, Spectra, WavFolder};
pub use subset::{Deal, Parts, Subset};

/// What is to be learnt, a value a sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets<T> {
    /// A class each, counted from 0.
    Classes(Vec<usize>),
    /// An array each: the first axis runs over the samples.
    Values(ArrayD<T>),
}

impl<T> Targets<T> {
    /// Samples.
    ///
    /// ```
    /// use faltung::nn::data::Targets;
    /// assert_eq!(Targets::<f32>::Classes(vec![7, 2, 1]).len(), 3);
    /// ```
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(values) => values.shape().first().copied().unwrap_or(0),
        }
    }

    /// The classes.
    ///
    /// # Errors
    /// [`Error::Argument`] where the targets are values.
    pub fn classes(&self) -> Result<&[usize]> {
        match self {
            Self::Classes(classes) => Ok(classes),
            Self::Values(_) => Err(Error::argument("targets", "classes", "values")),
        }
    }

    /// The values, (samples, …).
    ///
    /// # Errors
    /// [`Error::Argument`] where the targets are classes.
    pub fn values(&self) -> Result<&ArrayD<T>> {
        match self {
            Self::Values(values) => Ok(values),
            Self::Classes(_) => Err(Error::argument("targets", "values", "classes")),
        }
    }

    /// Whether there are none.
    ///
    /// ```
    /// use faltung::nn::data::Targets;
    /// assert!(Targets::<f32>::Classes(vec![]).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Samples of one shape, read by their number, with their targets.
///
/// A network reads any number of them at once, on several threads; what a sample is must depend on `index` and `draw`
/// alone, so that a training can be repeated bit by bit.
pub trait Dataset<T: Float>: Send + Sync {
    /// The shape of a sample, without the batch's axis: for MNIST (1, 28, 28).
    fn sample_shape(&self) -> &[usize];

    /// What is to be learnt, and by its length the number of samples.
    fn targets(&self) -> &Targets<T>;

    /// Writes sample `index`. `draw` differs from epoch to epoch: augmentation draws its random numbers from it and
    /// from `index`. Evaluation passes `None`, and means the sample as it is.
    ///
    /// # Errors
    /// [`Error`] where there is no such sample or it cannot be read.
    fn read(&self, index: usize, draw: Option<u64>, sample: ArrayViewMutD<'_, T>) -> Result<()>;

    /// Samples.
    fn len(&self) -> usize {
        self.targets().len()
    }

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A data set that lies in memory as arrays.
///
/// ```
/// use faltung::ndarray::{Array2, array};
/// use faltung::nn::data::{Arrays, Dataset, Targets};
///
/// let xor = Arrays::new(
///     array![[0.0f32, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]].into_dyn(),
///     Targets::Classes(vec![0, 1, 1, 0]),
/// )?;
/// assert_eq!((xor.len(), xor.sample_shape()), (4, &[2][..]));
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Arrays<T> {
    samples: ArrayD<T>,
    targets: Targets<T>,
}

impl<T: Float> Arrays<T> {
    /// Samples along the first axis, and a target for each.
    ///
    /// # Errors
    /// [`Error::Argument`] where samples and targets differ in number, or `samples` has no axes.
    pub fn new(samples: ArrayD<T>, targets: Targets<T>) -> Result<Self> {
        if samples.shape().first() != Some(&targets.len()) {
            let expected = format!("{} targets along the first axis", targets.len());
            return Err(Error::argument("samples", expected, format!("shape {:?}", samples.shape())));
        }
        Ok(Self { samples, targets })
    }

    /// Reads all samples of a data set, as they are for evaluation: what is costly to compute is computed once.
    ///
    /// # Errors
    /// As [`Dataset::read`]; [`Error::Overflow`] and [`Error::Other`] where they do not fit the memory.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::nn::data::{Arrays, Dataset, Subset, Targets};
    ///
    /// let data = Arrays::new(array![[0.0f32], [1.0], [2.0]].into_dyn(), Targets::Classes(vec![0, 1, 0]))?;
    /// let even = Arrays::collect(&Subset::new(&data, vec![2, 0])?)?;
    /// assert_eq!(even.samples(), &array![[2.0], [0.0]].into_dyn());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn collect(data: &impl Dataset<T>) -> Result<Self> {
        let shape = [&[data.targets().len()], data.sample_shape()].concat();
        let count = shape.iter().try_fold(1usize, |count, &extent| count.checked_mul(extent));
        let count = count.ok_or_else(|| Error::overflow(format!("the samples' size {shape:?}")))?;
        let mut values = Vec::new();
        values.try_reserve_exact(count).map_err(|e| Error::other("allocating the samples", e))?;
        values.resize(count, T::ZERO);
        let mut samples = ArrayD::from_shape_vec(shape, values).map_err(|e| Error::other("shaping the samples", e))?;
        let read = |(index, sample)| data.read(index, None, sample);
        #[cfg(feature = "parallel")]
        {
            use rayon::iter::{IntoParallelIterator, ParallelIterator};
            samples.outer_iter_mut().enumerate().collect::<Vec<_>>().into_par_iter().try_for_each(read)?;
        }
        #[cfg(not(feature = "parallel"))]
        samples.outer_iter_mut().enumerate().try_for_each(read)?;
        Self::new(samples, data.targets().clone())
    }

    /// The samples, (number, …).
    pub fn samples(&self) -> &ArrayD<T> {
        &self.samples
    }
}

impl<T: Float> Dataset<T> for Arrays<T> {
    fn sample_shape(&self) -> &[usize] {
        self.samples.shape().get(1..).unwrap_or(&[])
    }

    fn targets(&self) -> &Targets<T> {
        &self.targets
    }

    fn read(&self, index: usize, _: Option<u64>, mut sample: ArrayViewMutD<'_, T>) -> Result<()> {
        check_sample(self, index, &sample)?;
        sample.assign(&self.samples.index_axis(Axis(0), index));
        Ok(())
    }
}

/// What a data set is behind a pointer.
macro_rules! behind {
    ($pointer:ty) => {
        impl<T: Float, D: Dataset<T> + ?Sized> Dataset<T> for $pointer {
            fn sample_shape(&self) -> &[usize] {
                (**self).sample_shape()
            }

            fn targets(&self) -> &Targets<T> {
                (**self).targets()
            }

            fn read(&self, index: usize, draw: Option<u64>, sample: ArrayViewMutD<'_, T>) -> Result<()> {
                (**self).read(index, draw, sample)
            }

            fn len(&self) -> usize {
                (**self).len()
            }
        }
    };
}
behind!(&D);
behind!(Arc<D>);
behind!(Box<D>);

/// Refuses a sample that is not there, and an array that it does not fit.
fn check_sample<T: Float>(data: &impl Dataset<T>, index: usize, sample: &ArrayViewMutD<'_, T>) -> Result<()> {
    let count = data.targets().len();
    if index >= count {
        return Err(Error::argument("index", format!("below {count}, the number of samples"), index));
    }
    if data.sample_shape() != sample.shape() {
        return Err(Error::shape("sample", data.sample_shape(), sample.shape()));
    }
    Ok(())
}
