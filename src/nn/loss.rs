//! Losses: how far outputs lie from what was to be learnt.

use ndarray::{ArrayViewD, ArrayViewMutD};

use super::Float;
use super::data::Targets;
use super::layer::{dense, volume};
use crate::error::{Error, Result};

/// A loss: a number that is smaller the better the outputs are, and its gradient.
///
/// A loss of one's own is one function; here the mean absolute error:
///
/// ```
/// use faltung::ndarray::{ArrayViewD, ArrayViewMutD, Zip, array};
/// use faltung::nn::Loss;
/// use faltung::nn::data::Targets;
/// use faltung::Result;
///
/// struct Absolute;
///
/// impl Loss<f64> for Absolute {
///     fn evaluate(&self, y: ArrayViewD<f64>, t: &Targets<f64>, dy: Option<ArrayViewMutD<f64>>) -> Result<f64> {
///         let t = t.values()?;
///         let n = y.len() as f64;
///         if let Some(dy) = dy {
///             Zip::from(dy).and(&y).and(t).for_each(|d, y, t| *d = (y - t).signum() / n);
///         }
///         Ok((&y - t).mapv(f64::abs).sum() / n)
///     }
/// }
///
/// let t = Targets::Values(array![[1.0], [2.0]].into_dyn());
/// assert_eq!(Absolute.evaluate(array![[0.0], [2.0]].into_dyn().view(), &t, None)?, 0.5);
/// # Ok::<(), faltung::Error>(())
/// ```
pub trait Loss<T: Float>: Send + Sync {
    /// The loss of a batch of outputs (batch, …), a mean over the batch, and where it is asked for its gradient by
    /// them, to be written.
    ///
    /// # Errors
    /// [`Error`] where the targets are not those of such outputs.
    fn evaluate(
        &self,
        outputs: ArrayViewD<'_, T>,
        targets: &Targets<T>,
        gradient: Option<ArrayViewMutD<'_, T>>,
    ) -> Result<f64>;
}

/// Softmax and cross-entropy in one: outputs are logits (batch, classes), targets are classes, or (batch, classes)
/// probabilities. The mean over the batch.
///
/// The exponentials are of differences to the row's largest logit, so that huge logits are no trouble.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::nn::data::Targets;
/// use faltung::nn::{CrossEntropy, Loss};
/// let logits = array![[1000.0, -1000.0, 0.0], [2.0, 2.0, 2.0]].into_dyn();
/// let loss = CrossEntropy::new().evaluate(logits.view(), &Targets::Classes(vec![0, 1]), None)?;
/// assert!((loss - 3f64.ln() / 2.0).abs() < 1e-12);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    smoothing: f64,
}

impl CrossEntropy {
    /// Without label smoothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes so much of the target's probability and gives it to all classes alike (Szegedy et al. 2016); 0 unless set.
    ///
    /// # Errors
    /// [`Error::Argument`] for numbers outside 0 … 1.
    pub fn label_smoothing(mut self, smoothing: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&smoothing) {
            return Err(Error::argument("smoothing", "a number from 0 to 1", smoothing));
        }
        self.smoothing = smoothing;
        Ok(self)
    }
}

/// Where probabilities come from, row by row.
enum Wanted<'a, T> {
    Class(usize),
    Row(&'a [T]),
}

impl<T: Float> Loss<T> for CrossEntropy {
    fn evaluate(
        &self,
        outputs: ArrayViewD<'_, T>,
        targets: &Targets<T>,
        gradient: Option<ArrayViewMutD<'_, T>>,
    ) -> Result<f64> {
        let &[batch, classes] = outputs.shape() else {
            return Err(Error::argument("outputs", "(batch, classes)", format!("shape {:?}", outputs.shape())));
        };
        if targets.len() != batch {
            return Err(Error::argument("targets", format!("one for each of {batch} outputs"), targets.len()));
        }
        let logits = dense("outputs", outputs.as_slice())?;
        let rows = match targets {
            Targets::Classes(_) => None,
            Targets::Values(values) if values.shape() == outputs.shape() => Some(dense("targets", values.as_slice())?),
            Targets::Values(values) => return Err(Error::shape("targets", outputs.shape(), values.shape())),
        };
        let mut gradient = written(gradient, outputs.shape())?;
        if batch * classes == 0 {
            return Ok(0.0);
        }
        let (spread, kept) = (self.smoothing / classes as f64, 1.0 - self.smoothing);
        let mut total = 0.0;
        for (i, logits) in logits.chunks_exact(classes).enumerate() {
            let wanted = match (targets, rows) {
                (Targets::Classes(of), _) => Wanted::Class(of[i]),
                (_, Some(rows)) => Wanted::Row(&rows[i * classes..(i + 1) * classes]),
                (_, None) => continue,
            };
            if let Wanted::Class(class) = wanted
                && class >= classes
            {
                return Err(Error::argument("targets", format!("classes below {classes}"), class));
            }
            let probability = |c: usize| match wanted {
                Wanted::Class(class) => spread + if class == c { kept } else { 0.0 },
                Wanted::Row(row) => spread + kept * row[c].as_f64(),
            };
            // NaN is never the largest, and comes through with the sum.
            let most = logits.iter().fold(f64::NEG_INFINITY, |m, v| m.max(v.as_f64()));
            let log_sum = most + logits.iter().map(|v| (v.as_f64() - most).exp()).sum::<f64>().ln();
            let mut mass = 0.0;
            for (c, logit) in logits.iter().enumerate() {
                let p = probability(c);
                mass += p;
                // 0 times an infinite logarithm is nothing: a class that is not wanted costs nothing.
                if p != 0.0 {
                    total += p * (log_sum - logit.as_f64());
                }
            }
            if let Some(gradient) = &mut gradient {
                for (c, (g, logit)) in gradient[i * classes..].iter_mut().zip(logits).enumerate() {
                    let softmax = (logit.as_f64() - log_sum).exp();
                    *g = T::from_f64((mass * softmax - probability(c)) / batch as f64);
                }
            }
        }
        Ok(total / batch as f64)
    }
}

/// The mean squared error: outputs and targets of one shape, the mean over all elements.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::nn::data::Targets;
/// use faltung::nn::{Loss, MeanSquaredError};
/// let (y, t) = (array![[1.0, 4.0]].into_dyn(), Targets::Values(array![[1.0, 2.0]].into_dyn()));
/// assert_eq!(MeanSquaredError.evaluate(y.view(), &t, None)?, 2.0);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeanSquaredError;

impl<T: Float> Loss<T> for MeanSquaredError {
    fn evaluate(
        &self,
        outputs: ArrayViewD<'_, T>,
        targets: &Targets<T>,
        gradient: Option<ArrayViewMutD<'_, T>>,
    ) -> Result<f64> {
        elementwise(outputs, targets, gradient, |y, t| ((y - t) * (y - t), 2.0 * (y - t)))
    }
}

/// Sigmoid and binary cross-entropy in one: outputs are logits, targets probabilities of the same shape. The mean over
/// all elements; huge logits are no trouble.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::nn::data::Targets;
/// use faltung::nn::{BinaryCrossEntropy, Loss};
/// let (y, t) = (array![[0.0, 800.0]].into_dyn(), Targets::Values(array![[1.0, 1.0]].into_dyn()));
/// assert!((BinaryCrossEntropy.evaluate(y.view(), &t, None)? - 2f64.ln() / 2.0).abs() < 1e-12);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BinaryCrossEntropy;

impl<T: Float> Loss<T> for BinaryCrossEntropy {
    fn evaluate(
        &self,
        outputs: ArrayViewD<'_, T>,
        targets: &Targets<T>,
        gradient: Option<ArrayViewMutD<'_, T>>,
    ) -> Result<f64> {
        elementwise(outputs, targets, gradient, |y: f64, t| {
            let e = (-y.abs()).exp();
            let sigmoid = if y < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) };
            // ln(1 + eʸ) - t y, of which neither part overflows.
            ((y.max(0.0) - y * t) + e.ln_1p(), sigmoid - t)
        })
    }
}

/// The mean of a loss of single numbers, which comes with its slope.
fn elementwise<T: Float>(
    outputs: ArrayViewD<'_, T>,
    targets: &Targets<T>,
    gradient: Option<ArrayViewMutD<'_, T>>,
    loss: impl Fn(f64, f64) -> (f64, f64),
) -> Result<f64> {
    let wanted = targets.values()?;
    if wanted.shape() != outputs.shape() {
        return Err(Error::shape("targets", outputs.shape(), wanted.shape()));
    }
    let (y, t) = (dense("outputs", outputs.as_slice())?, dense("targets", wanted.as_slice())?);
    let mut gradient = written(gradient, outputs.shape())?;
    let scale = 1.0 / volume(outputs.shape()).max(1) as f64;
    let mut total = 0.0;
    for (i, (y, t)) in y.iter().zip(t).enumerate() {
        let (value, slope) = loss(y.as_f64(), t.as_f64());
        total += value;
        if let Some(gradient) = &mut gradient {
            gradient[i] = T::from_f64(slope * scale);
        }
    }
    Ok(total * scale)
}

/// A gradient as a slice, of the shape that it should have.
fn written<'a, T: Float>(gradient: Option<ArrayViewMutD<'a, T>>, shape: &[usize]) -> Result<Option<&'a mut [T]>> {
    let Some(gradient) = gradient else { return Ok(None) };
    if gradient.shape() != shape {
        return Err(Error::shape("gradient", shape, gradient.shape()));
    }
    Ok(Some(dense("gradient", gradient.into_slice())?))
}
