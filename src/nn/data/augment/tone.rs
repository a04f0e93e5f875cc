//! Values changed where they are.

use ndarray::ArrayViewMutD;

use super::{Augment, Draws, bound, factors};
use crate::error::Result;
use crate::nn::Float;

/// Random brightness and contrast: every value's distance from the sample's mean is multiplied by one random factor,
/// and one random number is added to all values. Nothing is clipped.
///
/// ```
/// use faltung::ndarray::{Array2, ArrayD};
/// use faltung::nn::data::{Arrays, Augmented, Dataset, Targets, Tone};
///
/// let data = Arrays::new(Array2::<f32>::eye(4).into_dyn(), Targets::Classes(vec![0; 4]))?;
/// let data = Augmented::new(data).then(Tone::new().brightness(0.1).contrast(0.8, 1.25))?;
/// let mut sample = ArrayD::zeros(data.sample_shape());
/// data.read(0, Some(1), sample.view_mut())?;
/// assert!((0.8..=1.25).contains(&(sample[[0]] - sample[[1]])));
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Tone {
    brightness: f64,
    contrast: (f64, f64),
}

impl Default for Tone {
    fn default() -> Self {
        Self { brightness: 0.0, contrast: (1.0, 1.0) }
    }
}

impl Tone {
    /// No change.
    ///
    /// ```
    /// # use faltung::nn::data::Tone;
    /// let tone = Tone::new().brightness(0.1);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a number of up to this magnitude.
    ///
    /// ```
    /// # use faltung::nn::data::Tone;
    /// let tone = Tone::new().brightness(0.1);
    /// ```
    pub fn brightness(mut self, most: f64) -> Self {
        self.brightness = most;
        self
    }

    /// Multiplies the distances from the mean by a factor from `low` to `high`.
    ///
    /// ```
    /// # use faltung::nn::data::Tone;
    /// let tone = Tone::new().contrast(0.8, 1.25);
    /// ```
    pub fn contrast(mut self, low: f64, high: f64) -> Self {
        self.contrast = (low, high);
        self
    }
}

impl<T: Float> Augment<T> for Tone {
    fn prepare(&mut self, _: &[usize]) -> Result<()> {
        factors("contrast", self.contrast.0, self.contrast.1)?;
        bound("brightness", self.brightness, 1e6).map(drop)
    }

    fn apply(&self, mut sample: ArrayViewMutD<'_, T>, draws: &mut Draws) -> Result<()> {
        let factor = draws.between(self.contrast.0, self.contrast.1);
        let offset = mean(&sample) * (1.0 - factor) + draws.between(-self.brightness, self.brightness);
        let (factor, offset) = (T::from_f64(factor), T::from_f64(offset));
        sample.mapv_inplace(|v| v * factor + offset);
        Ok(())
    }
}

/// The mean of a sample; 0 of none.
pub(super) fn mean<T: Float>(sample: &ArrayViewMutD<'_, T>) -> f64 {
    sample.iter().map(|&v| Float::as_f64(v)).sum::<f64>() / sample.len().max(1) as f64
}

/// Normally distributed noise, added to every value of a sample of any shape.
///
/// ```
/// use faltung::ndarray::{Array2, ArrayD};
/// use faltung::nn::data::{Arrays, Augmented, Dataset, Noise, Targets};
///
/// let data = Arrays::new(Array2::<f32>::zeros((1, 1000)).into_dyn(), Targets::Classes(vec![0]))?;
/// let data = Augmented::new(data).then(Noise::new(0.5))?;
/// let mut sample = ArrayD::zeros(data.sample_shape());
/// data.read(0, Some(1), sample.view_mut())?;
/// assert!((sample.std(0.0) - 0.5).abs() < 0.05);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    deviation: f64,
}

impl Noise {
    /// Noise of this standard deviation, in the samples' unit.
    ///
    /// ```
    /// # use faltung::nn::data::Noise;
    /// let quiet = Noise::new(0.01);
    /// ```
    pub fn new(deviation: f64) -> Self {
        Self { deviation }
    }
}

impl<T: Float> Augment<T> for Noise {
    fn prepare(&mut self, _: &[usize]) -> Result<()> {
        bound("deviation", self.deviation, 1e6).map(drop)
    }

    fn apply(&self, mut sample: ArrayViewMutD<'_, T>, draws: &mut Draws) -> Result<()> {
        sample.mapv_inplace(|v| v + T::from_f64(self.deviation * draws.normal()));
        Ok(())
    }
}
