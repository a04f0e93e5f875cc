//! Samples changed at random as they are read.

mod draws;
mod signal;
mod tone;
mod warp;

use std::fmt;

use ndarray::ArrayViewMutD;

pub use self::draws::Draws;
pub use self::signal::{SpecMask, TimeShift};
pub use self::tone::{Noise, Tone};
pub use self::warp::Warp;
use super::{Dataset, Targets};
use crate::error::{Error, Result};
use crate::nn::Float;

/// A change of samples by random numbers: [`Warp`], [`Tone`], [`Noise`], [`TimeShift`], [`SpecMask`], or one's own.
///
/// ```
/// use faltung::ndarray::{ArrayViewMutD, Array2};
/// use faltung::nn::Float;
/// use faltung::nn::data::{Arrays, Augment, Augmented, Draws, Targets};
///
/// /// Takes the sample's negative, half of the time.
/// struct Negate;
///
/// impl<T: Float> Augment<T> for Negate {
///     fn apply(&self, mut sample: ArrayViewMutD<'_, T>, draws: &mut Draws) -> Result<(), faltung::Error> {
///         if draws.chance(0.5) {
///             sample.mapv_inplace(|v| -v);
///         }
///         Ok(())
///     }
/// }
///
/// let data = Arrays::new(Array2::<f32>::ones((8, 3)).into_dyn(), Targets::Classes(vec![0; 8]))?;
/// let data = Augmented::new(data).then(Negate)?;
/// # Ok::<(), faltung::Error>(())
/// ```
pub trait Augment<T: Float>: Send + Sync {
    /// Makes itself ready for samples of this shape; called once, before any sample.
    ///
    /// # Errors
    /// [`Error::Argument`] where the settings make no sense, or none for this shape.
    fn prepare(&mut self, shape: &[usize]) -> Result<()> {
        let _ = shape;
        Ok(())
    }

    /// Changes a sample in place. What becomes of it may depend on it and on the draws alone.
    ///
    /// # Errors
    /// [`Error`] where the sample cannot be changed.
    fn apply(&self, sample: ArrayViewMutD<'_, T>, draws: &mut Draws) -> Result<()>;
}

/// A data set whose samples are changed at random as they are read for training, and remain as they are for evaluation.
///
/// The random numbers are those of [`Draws`]: which they are depends on the seed, the draw (of the epoch) and the
/// sample's number alone, so that any number of threads read the same bits in any order.
///
/// ```
/// use faltung::ndarray::ArrayD;
/// use faltung::nn::data::{Augmented, Dataset, Mnist, Tone, Warp};
///
/// let mnist = Mnist::<f32>::open(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/digits"))?;
/// let warp = Warp::new().shift(2.0).rotate(10.0).scale(0.9, 1.1).elastic(34.0, 4.0);
/// let train = Augmented::new(&mnist.train).then(warp)?.then(Tone::new().contrast(0.8, 1.2))?;
///
/// let mut samples = [Some(1), Some(1), Some(2), None].map(|draw| {
///     let mut sample = ArrayD::zeros(train.sample_shape());
///     train.read(0, draw, sample.view_mut()).map(|()| sample)
/// });
/// let [a, again, b, plain] = samples.each_mut().map(|sample| sample.as_ref().unwrap());
/// assert!(a == again && a != b && a != plain);
/// # Ok::<(), faltung::Error>(())
/// ```
pub struct Augmented<T, D> {
    data: D,
    steps: Vec<Box<dyn Augment<T>>>,
    seed: u64,
}

impl<T: Float, D: Dataset<T>> Augmented<T, D> {
    /// A data set that is not changed yet.
    ///
    /// ```
    /// # use faltung::ndarray::Array2;
    /// # use faltung::nn::data::{Arrays, Augmented, Dataset, Targets};
    /// let data = Arrays::new(Array2::<f32>::ones((8, 3)).into_dyn(), Targets::Classes(vec![0; 8]))?;
    /// assert_eq!(Augmented::new(&data).len(), 8);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(data: D) -> Self {
        Self { data, steps: Vec::new(), seed: 0 }
    }

    /// Changes what the steps before it have made of a sample.
    ///
    /// # Errors
    /// As [`Augment::prepare`].
    ///
    /// ```
    /// # use faltung::ndarray::Array2;
    /// # use faltung::nn::data::{Arrays, Augmented, Noise, Targets, Warp};
    /// let data = Arrays::new(Array2::<f32>::ones((8, 3)).into_dyn(), Targets::Classes(vec![0; 8]))?;
    /// assert!(Augmented::new(&data).then(Noise::new(0.1)).is_ok());
    /// assert!(Augmented::new(&data).then(Warp::new().shift(1.0)).is_err()); // no pictures
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn then(mut self, mut step: impl Augment<T> + 'static) -> Result<Self> {
        step.prepare(self.data.sample_shape())?;
        self.steps.push(Box::new(step));
        Ok(self)
    }

    /// Other random numbers; the seed is 0 unless set. Where an augmented data set is augmented again, two seeds keep
    /// the two from drawing the same numbers.
    ///
    /// ```
    /// # use faltung::ndarray::Array2;
    /// # use faltung::nn::data::{Arrays, Augmented, Noise, Targets};
    /// let data = Arrays::new(Array2::<f32>::ones((8, 3)).into_dyn(), Targets::Classes(vec![0; 8]))?;
    /// let noisy = Augmented::new(data).then(Noise::new(0.1))?.seed(7);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The data set within.
    ///
    /// ```
    /// # use faltung::ndarray::Array2;
    /// # use faltung::nn::data::{Arrays, Augmented, Targets};
    /// let data = Arrays::new(Array2::<f32>::ones((8, 3)).into_dyn(), Targets::Classes(vec![0; 8]))?;
    /// assert_eq!(Augmented::new(data).inner().samples().shape(), [8, 3]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn inner(&self) -> &D {
        &self.data
    }
}

impl<T: Float, D: Dataset<T>> Dataset<T> for Augmented<T, D> {
    fn sample_shape(&self) -> &[usize] {
        self.data.sample_shape()
    }

    fn targets(&self) -> &Targets<T> {
        self.data.targets()
    }

    fn read(&self, index: usize, draw: Option<u64>, mut sample: ArrayViewMutD<'_, T>) -> Result<()> {
        self.data.read(index, draw, sample.view_mut())?;
        let Some(draw) = draw else { return Ok(()) };
        let mut draws = Draws::new(self.seed, draw, index);
        self.steps.iter().try_for_each(|step| step.apply(sample.view_mut(), &mut draws))
    }
}

impl<T, D: fmt::Debug> fmt::Debug for Augmented<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Augmented")
            .field("data", &self.data)
            .field("steps", &self.steps.len())
            .field("seed", &self.seed)
            .finish()
    }
}

/// Refuses a bound of random numbers that is negative, infinite or no number.
fn bound(name: &'static str, value: f64, most: f64) -> Result<f64> {
    if (0.0..=most).contains(&value) {
        return Ok(value);
    }
    Err(Error::argument(name, format!("0 to {most}"), value))
}

/// Refuses a range of factors that is empty, or not above 0.
fn factors(name: &'static str, low: f64, high: f64) -> Result<()> {
    if low > 0.0 && low <= high && high <= 1e6 {
        return Ok(());
    }
    Err(Error::argument(name, "0 < low <= high <= 1000000", format!("{low} to {high}")))
}
