//! What a training is judged by.

use ndarray::{Array2, ArrayViewD};

use crate::error::Result;
use crate::nn::Float;
use crate::nn::data::Targets;
use crate::nn::weights::is_count;

/// How well a network does on some samples.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::nn::Metrics;
/// use faltung::nn::data::Targets;
///
/// let mut metrics = Metrics::new();
/// let logits = array![[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]].into_dyn();
/// metrics.add(0.5, logits.view(), &Targets::Classes(vec![1, 0, 0]))?;
/// assert_eq!(metrics.accuracy(), Some(2.0 / 3.0));
/// assert_eq!(metrics.confusion().unwrap(), array![[1, 1], [0, 1]]); // truth by row, guess by column
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    samples: u64,
    /// The sum of the samples' losses.
    loss: f64,
    /// Counts by (truth, guess), row by row, where there are classes.
    counts: Vec<u64>,
    classes: usize,
}

impl Metrics {
    /// No samples yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a batch: its mean loss, and its outputs (batch, classes) where the targets are classes. A sample's guess is
    /// the class with the largest output, the first of several.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for a class that the outputs do not have.
    pub fn add<T: Float>(&mut self, loss: f64, outputs: ArrayViewD<'_, T>, targets: &Targets<T>) -> Result<()> {
        self.samples += targets.len() as u64;
        self.loss += loss * targets.len() as f64;
        let (Targets::Classes(truths), &[_, classes]) = (targets, outputs.shape()) else { return Ok(()) };
        if self.classes != classes {
            (self.classes, self.counts) = (classes, vec![0; classes * classes]);
        }
        for (row, &truth) in outputs.outer_iter().zip(truths) {
            let guess = row
                .iter()
                .enumerate()
                .fold((0, T::NEG_INFINITY), |best, (class, &value)| if value > best.1 { (class, value) } else { best });
            match self.counts.get_mut(truth * classes + guess.0) {
                Some(count) if truth < classes => *count += 1,
                _ => return Err(crate::Error::argument("targets", format!("classes below {classes}"), truth)),
            }
        }
        Ok(())
    }

    /// Samples counted.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The mean loss; NaN where there were no samples.
    pub fn loss(&self) -> f64 {
        self.loss / self.samples as f64
    }

    /// Samples whose class was guessed, where there are classes.
    pub fn correct(&self) -> Option<u64> {
        (self.classes > 0).then(|| self.counts.iter().step_by(self.classes + 1).sum())
    }

    /// The share of samples whose class was guessed, where there are classes.
    pub fn accuracy(&self) -> Option<f64> {
        self.correct().map(|correct| correct as f64 / self.samples as f64)
    }

    /// How often each class, by row, was taken for each class, by column; where there are classes.
    pub fn confusion(&self) -> Option<Array2<u64>> {
        let shape = (self.classes, self.classes);
        (self.classes > 0).then(|| Array2::from_shape_fn(shape, |(t, g)| self.counts[t * self.classes + g]))
    }

    /// All of it as text, bit by bit, from which [`from_state`](Self::from_state) goes on.
    pub(super) fn state(&self) -> String {
        let counts: Vec<_> = self.counts.iter().map(u64::to_string).collect();
        format!("{} {} {} {}", self.samples, self.loss.to_bits(), self.classes, counts.join(","))
    }

    pub(super) fn from_state(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let samples = parts.next()?.parse().ok()?;
        let loss = f64::from_bits(parts.next()?.parse().ok()?);
        let classes: usize = parts.next()?.parse().ok()?;
        let counts =
            parts.next()?.split(',').filter(|t| !t.is_empty()).map(|t| t.parse().ok()).collect::<Option<Vec<_>>>()?;
        // Each sample of classes is counted once: sums of the counts do not overflow.
        let counted = counts.iter().try_fold(0u64, |sum, &count| sum.checked_add(count))?;
        let fits = Some(counts.len()) == classes.checked_mul(classes) && (classes == 0 || counted == samples);
        (fits && is_count(samples)).then_some(Self { samples, loss, counts, classes })
    }
}

/// What became of one epoch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Epoch {
    /// Its number, from 1.
    pub number: usize,
    /// The learning rate of its last step.
    pub rate: f64,
    /// On the training samples, while the network was learning from them.
    pub training: Metrics,
    /// On the validation samples, behind it.
    pub validation: Option<Metrics>,
    /// Seconds that learning took, without validation.
    pub seconds: f64,
}

impl Epoch {
    pub(super) fn state(&self) -> String {
        let validation = self.validation.as_ref().map_or_else(|| "-".to_owned(), Metrics::state);
        let (rate, seconds) = (self.rate.to_bits(), self.seconds.to_bits());
        format!("{};{rate};{seconds};{};{validation}", self.number, self.training.state())
    }

    pub(super) fn from_state(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let number = parts.next()?.parse().ok()?;
        let mut bits = || parts.next()?.parse().ok().map(f64::from_bits);
        let (rate, seconds) = (bits()?, bits()?);
        let training = Metrics::from_state(parts.next()?)?;
        let validation = match parts.next()? {
            "-" => None,
            text => Some(Metrics::from_state(text)?),
        };
        Some(Self { number, rate, training, validation, seconds })
    }
}
