//! Signals through filters.

use ndarray::{Array, Array1, ArrayRef, Axis, Dimension, IntoDimension, Slice};

use super::super::arrays;
use super::super::calls::{fresh, into};
use super::super::extension::Extension;
use super::super::geometry::Geometry;
use super::super::plan::{Filter, Options};
use super::super::settings::Settings;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::problem::{Boundary, Mode};

/// A filter for signals of an element type, of any length, along any axis of arrays of any rank: immutable, shared
/// freely among threads. Made by [`Fir::prepare`](super::Fir::prepare).
///
/// Unless set otherwise the result is as long as the signal and not delayed ([`Mode::Same`]; a linear-phase filter of
/// odd length then has no delay at all), with zeros outside. How a length is computed is chosen once and remembered by
/// the library; [`plan`](Self::plan) prepares the taps too, for many signals of one shape.
///
/// ```
/// use faltung::Mode;
/// use faltung::filter::fir::Fir;
/// use faltung::ndarray::{Axis, array};
///
/// let x = array![1.0, 2.0, 4.0];
/// let sum = Fir::from_taps(vec![1.0, 1.0, 1.0])?.prepare()?;
/// assert_eq!(sum.apply(&x, Axis(0))?, array![3.0, 7.0, 6.0]);
/// // As scipy.signal.lfilter([1, 1, 1], 1, x).
/// assert_eq!(sum.mode(Mode::Causal).apply(&x, Axis(0))?, array![1.0, 3.0, 7.0]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PreparedFir<T> {
    taps: Array1<T>,
    mode: Mode,
    boundary: Boundary,
}

impl<T: Element> PreparedFir<T> {
    pub(super) fn new(taps: &Array1<f64>) -> Result<Self> {
        let rounded = taps.mapv(T::from_f64);
        if let Some((tap, _)) = taps.iter().zip(&rounded).find(|(_, v)| !v.is_finite()) {
            return Err(Error::argument("taps", format!("numbers that fit {}", T::DTYPE), tap));
        }
        Ok(Self { taps: rounded, mode: Mode::Same, boundary: Boundary::Zero })
    }

    /// How much of the result is wanted; [`Mode::Same`] unless set. [`Mode::Causal`] is `scipy.signal.lfilter`.
    ///
    /// ```
    /// use faltung::{Mode, filter::fir::Fir};
    /// use faltung::ndarray::{Axis, array};
    /// let sum = Fir::from_taps(vec![1.0, 1.0])?.prepare()?.mode(Mode::Valid);
    /// assert_eq!(sum.apply(&array![1.0f32, 2.0, 4.0], Axis(0))?, array![3.0, 6.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// What lies outside the signal; [`Boundary::Zero`] unless set.
    ///
    /// ```
    /// use faltung::{Boundary, filter::fir::Fir};
    /// use faltung::ndarray::{Axis, array};
    /// let mean = Fir::from_taps(vec![0.25, 0.5, 0.25])?.prepare()?.boundary(Boundary::Nearest);
    /// assert_eq!(mean.apply(&array![4.0f32, 4.0, 8.0], Axis(0))?, array![4.0, 5.0, 7.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn boundary(mut self, boundary: Boundary) -> Self {
        self.boundary = boundary;
        self
    }

    /// The taps, in the element type.
    ///
    /// ```
    /// use faltung::filter::fir::Fir;
    /// assert_eq!(Fir::from_taps(vec![0.1])?.prepare::<f32>()?.taps()[0], 0.1f32);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn taps(&self) -> &Array1<T> {
        &self.taps
    }

    /// Filters every line along an axis.
    ///
    /// # Errors
    /// [`Error::Argument`] for an empty array or an axis that is not there; [`Error::KernelTooLong`] in
    /// [`Mode::Valid`] for lines shorter than the filter.
    ///
    /// ```
    /// use faltung::filter::fir::Fir;
    /// use faltung::ndarray::{Axis, array};
    /// let difference = Fir::from_taps(vec![1.0, -1.0])?.prepare()?;
    /// let x = array![[1.0, 2.0], [3.0, 5.0]];
    /// assert_eq!(difference.apply(&x, Axis(0))?, array![[1.0, 2.0], [2.0, 3.0]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply<D: Dimension>(&self, x: &ArrayRef<T, D>, axis: Axis) -> Result<Array<T, D>> {
        arrays::check_axis(x, axis)?;
        fresh(x, &self.taps, &self.settings(axis, self.mode, self.boundary))
    }

    /// As [`apply`](Self::apply), into an array of the caller's, of any strides.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), and [`Error::Shape`] where `y` has not the result's shape.
    ///
    /// ```
    /// use faltung::filter::fir::Fir;
    /// use faltung::ndarray::{Array1, Axis, array};
    /// let difference = Fir::from_taps(vec![1.0, -1.0])?.prepare()?;
    /// let mut y = Array1::zeros(3);
    /// difference.apply_into(&array![1.0, 2.0, 4.0], Axis(0), &mut y)?;
    /// assert_eq!(y, array![1.0, 1.0, 2.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply_into<D: Dimension>(&self, x: &ArrayRef<T, D>, axis: Axis, y: &mut ArrayRef<T, D>) -> Result<()> {
        arrays::check_axis(x, axis)?;
        into(x, &self.taps, &self.settings(axis, self.mode, self.boundary), y)
    }

    /// The filter for arrays of one shape, with its taps packed or transformed: many runs, without allocation.
    ///
    /// # Errors
    /// As [`Convolution::plan`](crate::Convolution::plan).
    ///
    /// ```
    /// use faltung::filter::fir::Fir;
    /// use faltung::ndarray::{Array2, Axis};
    /// let filter = Fir::lowpass(0.1, 1001)?.prepare::<f32>()?.plan((2, 48000), Axis(1))?;
    /// println!("{}", filter.explain());
    /// assert_eq!(filter.apply(&Array2::zeros((2, 48000)))?.shape(), [2, 48000]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn plan<S: IntoDimension>(&self, shape: S, axis: Axis) -> Result<Filter<T, S::Dim>> {
        let dim = shape.into_dimension();
        let settings = self.settings(axis, self.mode, self.boundary);
        let geometry = Geometry::new(dim.slice(), self.taps.shape(), &settings, T::DTYPE)?;
        Filter::new(geometry, Options::default(), &self.taps, dim)
    }

    /// Filters forwards and then backwards, which has no delay and the square of the gain, as `scipy.signal.filtfilt`
    /// does with its defaults: lines are extended by three filters' lengths on either side, turned by half a circle
    /// about their ends ([`Extension::Antireflect`]), and held before the first sample of either pass. The mode and the
    /// boundary that were set do not matter.
    ///
    /// # Errors
    /// [`Error::Argument`] for an empty array, an axis that is not there, or lines that are not longer than three times
    /// the filter.
    ///
    /// ```
    /// use faltung::filter::fir::Fir;
    /// use faltung::ndarray::{Array1, Axis};
    /// // A straight line passes unchanged, to its very ends, even a filter that delays.
    /// let line = Array1::from_shape_fn(50, |i| 0.5 * i as f64);
    /// let y = Fir::from_taps(vec![0.75, 0.25])?.prepare()?.filtfilt(&line, Axis(0))?;
    /// assert!(y.iter().zip(&line).all(|(a, b)| (a - b).abs() < 1e-12));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn filtfilt<D: Dimension>(&self, x: &ArrayRef<T, D>, axis: Axis) -> Result<Array<T, D>> {
        arrays::check_axis(x, axis)?;
        let (n, edge) = (x.len_of(axis), 3 * self.taps.len());
        if n <= edge {
            return Err(Error::argument("x", format!("more than {edge} samples along axis {}", axis.index()), n));
        }
        let wide = Extension::Antireflect.extend(x, axis, -(edge as isize), (n + edge) as isize)?;
        let settings = self.settings(axis, Mode::Causal, Boundary::Nearest);
        let mut y: Array<T, D> = fresh(&wide, &self.taps, &settings)?;
        y.invert_axis(axis);
        let mut y: Array<T, D> = fresh(&y, &self.taps, &settings)?;
        y.invert_axis(axis);
        Ok(y.slice_axis(axis, Slice::from(edge..edge + n)).to_owned())
    }

    fn settings(&self, axis: Axis, mode: Mode, boundary: Boundary) -> Settings {
        Settings { axes: Some(vec![axis.index()]), boundary: Some(boundary), ..Settings::of(mode, false) }
    }
}
