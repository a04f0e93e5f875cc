//! Sounds and spectrograms moved in time and masked.

use std::ops::Range;

use ndarray::{ArrayViewMutD, Axis, Slice};

use super::tone::mean;
use super::{Augment, Draws};
use crate::element::Scalar;
use crate::error::{Error, Result};
use crate::nn::Float;

/// Shifts samples along their last axis, that of time, by up to so many places either way. Places that nothing was
/// shifted to are 0, or [another value](Self::outside).
///
/// ```
/// use faltung::ndarray::{ArrayD, array};
/// use faltung::nn::data::{Arrays, Augmented, Dataset, Targets, TimeShift};
///
/// let data = Arrays::new(array![[0.0f32, 1.0, 0.0]].into_dyn(), Targets::Classes(vec![0]))?;
/// let data = Augmented::new(data).then(TimeShift::new(1))?;
/// let mut sample = ArrayD::zeros(data.sample_shape());
/// data.read(0, Some(1), sample.view_mut())?;
/// assert_eq!(sample.sum(), 1.0);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TimeShift {
    most: usize,
    outside: f64,
}

impl TimeShift {
    /// Shifts by up to so many places of the last axis.
    ///
    /// ```
    /// # use faltung::nn::data::TimeShift;
    /// let tenth = TimeShift::new(800); // at 8 kHz
    /// ```
    pub fn new(most: usize) -> Self {
        Self { most, outside: 0.0 }
    }

    /// What lies before the beginning and behind the end; 0 unless set.
    ///
    /// ```
    /// # use faltung::nn::data::TimeShift;
    /// let silence = TimeShift::new(5).outside(-11.5); // of a log-mel spectrogram
    /// ```
    pub fn outside(mut self, value: f64) -> Self {
        self.outside = value;
        self
    }
}

impl<T: Float> Augment<T> for TimeShift {
    fn prepare(&mut self, shape: &[usize]) -> Result<()> {
        let length = shape.last().copied().unwrap_or(0);
        if self.most > length {
            return Err(Error::argument("most", format!("at most {length}, the last axis' length"), self.most));
        }
        finite("outside", self.outside)
    }

    fn apply(&self, mut sample: ArrayViewMutD<'_, T>, draws: &mut Draws) -> Result<()> {
        let Some(last) = sample.ndim().checked_sub(1) else { return Ok(()) };
        let later = draws.below(2 * self.most + 1) as isize - self.most as isize;
        let outside = T::from_f64(self.outside);
        for mut lane in sample.lanes_mut(Axis(last)) {
            let n = lane.len();
            // Towards the end from there, and towards the beginning from here, so that no value is overwritten unread.
            let mut place = |i: usize| {
                let from = i.checked_add_signed(-later).filter(|&from| from < n);
                lane[i] = from.map_or(outside, |from| lane[from]);
            };
            if later > 0 { (0..n).rev().for_each(place) } else { (0..n).for_each(&mut place) }
        }
        Ok(())
    }
}

/// Masks of bands of frequency and spans of time: the masking of Park et al., "SpecAugment" (2019). A sample is
/// (…, frequency, time).
///
/// Each mask's width is drawn from 0 to its most, and its place then from all that are left. Masked values become the
/// sample's mean, or [another value](Self::value).
///
/// ```
/// use faltung::ndarray::{Array3, ArrayD};
/// use faltung::nn::data::{Arrays, Augmented, Dataset, SpecMask, Targets};
///
/// let data = Arrays::new(Array3::<f32>::ones((1, 40, 100)).into_dyn(), Targets::Classes(vec![0]))?;
/// let data = Augmented::new(data).then(SpecMask::new().frequency(2, 8).time(2, 20).value(0.0))?;
/// let mut sample = ArrayD::zeros(data.sample_shape());
/// data.read(0, Some(1), sample.view_mut())?;
/// assert!(sample.sum() >= (24 * 60) as f32);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpecMask {
    /// Masks, and the most that each is wide: along frequency and along time.
    masks: [(usize, usize); 2],
    value: Option<f64>,
}

impl SpecMask {
    /// No masks.
    ///
    /// ```
    /// # use faltung::nn::data::SpecMask;
    /// let masks = SpecMask::new().time(1, 20);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// So many masks, each over up to so many neighbouring bands.
    ///
    /// ```
    /// # use faltung::nn::data::SpecMask;
    /// let masks = SpecMask::new().frequency(2, 8);
    /// ```
    pub fn frequency(mut self, count: usize, most: usize) -> Self {
        self.masks[0] = (count, most);
        self
    }

    /// So many masks, each over up to so many successive frames.
    ///
    /// ```
    /// # use faltung::nn::data::SpecMask;
    /// let masks = SpecMask::new().time(2, 20);
    /// ```
    pub fn time(mut self, count: usize, most: usize) -> Self {
        self.masks[1] = (count, most);
        self
    }

    /// What masked values become; the sample's mean unless set.
    ///
    /// ```
    /// # use faltung::nn::data::SpecMask;
    /// let masks = SpecMask::new().time(2, 20).value(0.0);
    /// ```
    pub fn value(mut self, value: f64) -> Self {
        self.value = Some(value);
        self
    }
}

impl<T: Float> Augment<T> for SpecMask {
    fn prepare(&mut self, shape: &[usize]) -> Result<()> {
        let [.., bands, frames] = shape else {
            return Err(Error::argument("samples", "spectrograms (…, frequency, time)", format!("shape {shape:?}")));
        };
        for (name, extent, (count, most)) in [("frequency", bands, self.masks[0]), ("time", frames, self.masks[1])] {
            if most > *extent {
                return Err(Error::argument(name, format!("masks of at most {extent}, the axis' length"), most));
            }
            if count > 1000 {
                return Err(Error::argument(name, "at most 1000 masks", count));
            }
        }
        self.value.map_or(Ok(()), |value| finite("value", value))
    }

    fn apply(&self, mut sample: ArrayViewMutD<'_, T>, draws: &mut Draws) -> Result<()> {
        let Some(first) = sample.ndim().checked_sub(2) else { return Ok(()) };
        let value = T::from_f64(self.value.unwrap_or_else(|| mean(&sample)));
        for (axis, (count, most)) in (first..).zip(self.masks) {
            for _ in 0..count {
                let span = span(sample.len_of(Axis(axis)), most, draws);
                sample.slice_axis_mut(Axis(axis), Slice::from(span)).fill(value);
            }
        }
        Ok(())
    }
}

/// A stretch of an axis, of random width up to `most`, at a random place.
fn span(extent: usize, most: usize, draws: &mut Draws) -> Range<usize> {
    let width = draws.below(most.min(extent) + 1);
    let start = draws.below(extent - width + 1);
    start..start + width
}

fn finite(name: &'static str, value: f64) -> Result<()> {
    if Scalar::is_finite(value) { Ok(()) } else { Err(Error::argument(name, "a finite number", value)) }
}
