//! The one-line calls.

use std::ops::Range;

use ndarray::{Array, ArrayRef, Axis, DimMax, Dimension, Ix1};

use super::arrays::{self, with_workspace};
use super::geometry::Geometry;
use super::plan::{Kernel, Options, lay_kernel, run};
use super::settings::Settings;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::problem::Mode;

/// Convolves an array with a kernel of the same rank, zeros outside, as `scipy.signal.convolve` does.
///
/// `y[o] = Σ_t h[t] · x[o - t]`, of which the mode tells the part. Any rank up to six; any strides. The thread keeps a
/// workspace, 64 MiB at the most, for its next call.
///
/// # Errors
/// [`Error::Argument`] for an empty array or differing ranks; [`Error::KernelTooLong`] in [`Mode::Valid`] where the
/// kernel is longer than the data on any axis ([`Convention::Scipy`](crate::Convention::Scipy) swaps the two where it
/// is on every axis).
///
/// ```
/// use faltung::ndarray::{Array2, array};
/// use faltung::{Mode, convolve};
///
/// let x = Array2::from_shape_fn((5, 5), |(i, j)| (5 * i + j + 1) as f32); // 1 … 25
/// let h = array![[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]];
/// let y = convolve(&x, &h, Mode::Valid)?;
/// assert_eq!(y, array![[28.0, 32.0, 36.0], [48.0, 52.0, 56.0], [68.0, 72.0, 76.0]]);
///
/// // Views of any strides: the transposed image, from its last column to its first.
/// use faltung::ndarray::s;
/// let z = convolve(&x.t().slice(s![.., ..;-1]), &h, Mode::Valid)?;
/// assert_eq!(z, y.t().slice(s![.., ..;-1]));
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn convolve<T: Element, D: Dimension>(x: &ArrayRef<T, D>, h: &ArrayRef<T, D>, mode: Mode) -> Result<Array<T, D>> {
    fresh(x, h, &Settings::of(mode, false))
}

/// Correlates an array with a kernel of the same rank, zeros outside, as `scipy.signal.correlate` does: the kernel is
/// not flipped, and a complex one is conjugated.
///
/// `y[o] = Σ_t conj(h[t]) · x[o + t - (k - 1)]`, of which the mode tells the part as it does of a convolution.
///
/// # Errors
/// As [`convolve`].
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::{Mode, correlate};
///
/// let (x, h) = (array![0.0, 1.0, 0.0, 0.0], array![1.0, 2.0, 3.0]);
/// assert_eq!(correlate(&x, &h, Mode::Same)?, array![3.0, 2.0, 1.0, 0.0]);
/// assert_eq!(correlate(&x, &h, Mode::Full)?, array![0.0, 3.0, 2.0, 1.0, 0.0, 0.0]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn correlate<T: Element, D: Dimension>(x: &ArrayRef<T, D>, h: &ArrayRef<T, D>, mode: Mode) -> Result<Array<T, D>> {
    fresh(x, h, &Settings::of(mode, true))
}

/// The lag of every sample of [`correlate`]'s result, of data of `n1` and a kernel of `n2` samples: how many samples
/// later than in the kernel the same is found in the data. As `scipy.signal.correlation_lags`, but that for odd `n1` and
/// even `n2` the lags of [`Mode::Same`] are those of the samples that SciPy's `correlate` returns as well (SciPy 1.17
/// names them one too large).
///
/// In [`Mode::Valid`] with `n2 > n1` they are those of [`Convention::Scipy`](crate::Convention::Scipy), which swaps the
/// two.
///
/// # Errors
/// [`Error::Argument`] for lengths of 0; [`Error::Overflow`] for lengths beyond `isize`.
///
/// ```
/// use faltung::filter::correlation_lags;
/// use faltung::ndarray::array;
/// use faltung::{Mode, correlate};
///
/// // The pattern lies two samples later in the data.
/// let (x, h) = (array![0.0, 0.0, 1.0, 2.0, 0.0], array![1.0f64, 2.0]);
/// let y = correlate(&x, &h, Mode::Full)?;
/// let found = correlation_lags(5, 2, Mode::Full)?.zip(y).max_by(|a, b| a.1.total_cmp(&b.1));
/// assert_eq!(found, Some((2, 5.0)));
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn correlation_lags(n1: usize, n2: usize, mode: Mode) -> Result<Range<isize>> {
    let mut lengths = [0; 2];
    for (length, (name, n)) in lengths.iter_mut().zip([("n1", n1), ("n2", n2)]) {
        *length = match isize::try_from(n) {
            Ok(0) => return Err(Error::argument(name, "at least 1 sample", 0)),
            Ok(n) if n <= isize::MAX / 2 => n,
            _ => return Err(Error::overflow(name)),
        };
    }
    let [n, k] = lengths;
    Ok(match mode {
        Mode::Full => 1 - k..n,
        Mode::Same => -(k / 2)..n - k / 2,
        Mode::Causal => 1 - k..n + 1 - k,
        Mode::Valid if k <= n => 0..n - k + 1,
        Mode::Valid => n - k..1,
    })
}

/// As [`convolve`], into an array of the caller's, of any strides.
///
/// # Errors
/// As [`convolve`], and [`Error::Shape`] where `y` has not the result's shape.
///
/// ```
/// use faltung::ndarray::{Array1, array};
/// use faltung::{Mode, convolve_into};
///
/// let mut y = Array1::zeros(3);
/// convolve_into(&array![1.0, 2.0, 3.0], &array![1.0, 1.0], Mode::Causal, &mut y)?;
/// assert_eq!(y, array![1.0, 3.0, 5.0]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn convolve_into<T: Element, D: Dimension>(
    x: &ArrayRef<T, D>,
    h: &ArrayRef<T, D>,
    mode: Mode,
    y: &mut ArrayRef<T, D>,
) -> Result<()> {
    into(x, h, &Settings::of(mode, false), y)
}

/// As [`correlate`], into an array of the caller's, of any strides.
///
/// # Errors
/// As [`convolve_into`].
///
/// ```
/// use faltung::ndarray::{Array1, array};
/// use faltung::{Mode, correlate_into};
///
/// let mut y = Array1::zeros(2);
/// correlate_into(&array![1.0, 2.0, 3.0], &array![1.0, 10.0], Mode::Valid, &mut y)?;
/// assert_eq!(y, array![21.0, 32.0]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn correlate_into<T: Element, D: Dimension>(
    x: &ArrayRef<T, D>,
    h: &ArrayRef<T, D>,
    mode: Mode,
    y: &mut ArrayRef<T, D>,
) -> Result<()> {
    into(x, h, &Settings::of(mode, true), y)
}

/// Convolves every line along one axis with a one-dimensional kernel.
///
/// # Errors
/// As [`convolve`], and [`Error::Argument`] where the array has no such axis.
///
/// ```
/// use faltung::ndarray::{Axis, array};
/// use faltung::{Mode, convolve_axis};
///
/// let x = array![[1.0, 2.0], [3.0, 5.0], [7.0, 11.0]];
/// let y = convolve_axis(&x, &array![1.0, -1.0], Axis(0), Mode::Valid)?;
/// assert_eq!(y, array![[2.0, 3.0], [4.0, 6.0]]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn convolve_axis<T: Element, D: Dimension>(
    x: &ArrayRef<T, D>,
    h: &ArrayRef<T, Ix1>,
    axis: Axis,
    mode: Mode,
) -> Result<Array<T, D>> {
    fresh(x, h, &Settings { axes: Some(vec![axis.index()]), ..Settings::of(mode, false) })
}

/// Correlates every line along one axis with a one-dimensional kernel.
///
/// # Errors
/// As [`convolve_axis`].
///
/// ```
/// use faltung::ndarray::{Axis, array};
/// use faltung::{Mode, correlate_axis};
///
/// let x = array![[1.0, 2.0, 4.0], [3.0, 5.0, 7.0]];
/// let y = correlate_axis(&x, &array![1.0, 10.0], Axis(1), Mode::Valid)?;
/// assert_eq!(y, array![[21.0, 42.0], [53.0, 75.0]]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn correlate_axis<T: Element, D: Dimension>(
    x: &ArrayRef<T, D>,
    h: &ArrayRef<T, Ix1>,
    axis: Axis,
    mode: Mode,
) -> Result<Array<T, D>> {
    fresh(x, h, &Settings { axes: Some(vec![axis.index()]), ..Settings::of(mode, true) })
}

/// Convolves with a one-dimensional kernel along each of several axes in turn: with the kernel's outer product with
/// itself, at a fraction of the cost.
///
/// # Errors
/// As [`convolve_axis`], and [`Error::Argument`] where no axis is given.
///
/// ```
/// use faltung::ndarray::{Axis, array};
/// use faltung::{Mode, convolve_axes};
///
/// let x = array![[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]];
/// let y = convolve_axes(&x, &array![1.0, 2.0, 1.0], &[Axis(0), Axis(1)], Mode::Same)?;
/// assert_eq!(y, array![[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn convolve_axes<T: Element, D: Dimension>(
    x: &ArrayRef<T, D>,
    h: &ArrayRef<T, Ix1>,
    axes: &[Axis],
    mode: Mode,
) -> Result<Array<T, D>> {
    in_turn(x, axes, |x, axis| convolve_axis(x, h, axis, mode))
}

/// Correlates with a one-dimensional kernel along each of several axes in turn.
///
/// # Errors
/// As [`convolve_axes`].
///
/// ```
/// use faltung::ndarray::{Axis, array};
/// use faltung::{Mode, correlate_axes};
///
/// let x = array![[1.0, 2.0], [3.0, 4.0]];
/// let y = correlate_axes(&x, &array![1.0, 10.0], &[Axis(0), Axis(1)], Mode::Valid)?;
/// assert_eq!(y, array![[451.0]]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn correlate_axes<T: Element, D: Dimension>(
    x: &ArrayRef<T, D>,
    h: &ArrayRef<T, Ix1>,
    axes: &[Axis],
    mode: Mode,
) -> Result<Array<T, D>> {
    in_turn(x, axes, |x, axis| correlate_axis(x, h, axis, mode))
}

fn in_turn<T: Element, D: Dimension>(
    x: &ArrayRef<T, D>,
    axes: &[Axis],
    filter: impl Fn(&ArrayRef<T, D>, Axis) -> Result<Array<T, D>>,
) -> Result<Array<T, D>> {
    let (first, rest) = axes.split_first().ok_or_else(|| Error::argument("axes", "at least one axis", "none"))?;
    rest.iter().try_fold(filter(x, *first)?, |y, &axis| filter(&y, axis))
}

/// Convolves with leading axes that are not filtered but broadcast, as NumPy's do: `batch_axes` of them, counted in
/// data or kernel, whichever has more axes.
///
/// # Errors
/// As [`convolve`], and [`Error::Argument`] where the batch axes do not broadcast.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::{Mode, convolve_batch};
///
/// let x = array![[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]];
/// // One kernel for both rows, and a kernel for each.
/// assert_eq!(convolve_batch(&x, &array![1.0, -1.0], 1, Mode::Valid)?, array![[1.0, 1.0], [1.0, 2.0]]);
/// let each = array![[1.0, -1.0], [1.0, 0.0]];
/// assert_eq!(convolve_batch(&x, &each, 1, Mode::Valid)?, array![[1.0, 1.0], [5.0, 7.0]]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn convolve_batch<T: Element, D: Dimension + DimMax<K>, K: Dimension>(
    x: &ArrayRef<T, D>,
    h: &ArrayRef<T, K>,
    batch_axes: usize,
    mode: Mode,
) -> Result<Array<T, <D as DimMax<K>>::Output>> {
    fresh(x, h, &Settings { batch_axes, ..Settings::of(mode, false) })
}

/// Correlates with leading axes that are not filtered but broadcast; see [`convolve_batch`].
///
/// # Errors
/// As [`convolve_batch`].
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::{Mode, correlate_batch};
///
/// // Two templates sought in one signal.
/// let (x, templates) = (array![1.0, 2.0, 3.0], array![[1.0, -1.0], [1.0, 10.0]]);
/// assert_eq!(correlate_batch(&x, &templates, 1, Mode::Valid)?, array![[-1.0, -1.0], [21.0, 32.0]]);
/// # Ok::<(), faltung::Error>(())
/// ```
pub fn correlate_batch<T: Element, D: Dimension + DimMax<K>, K: Dimension>(
    x: &ArrayRef<T, D>,
    h: &ArrayRef<T, K>,
    batch_axes: usize,
    mode: Mode,
) -> Result<Array<T, <D as DimMax<K>>::Output>> {
    fresh(x, h, &Settings { batch_axes, ..Settings::of(mode, true) })
}

/// Plans, allocates the result and runs.
pub(super) fn fresh<T: Element, D: Dimension, K: Dimension, E: Dimension>(
    x: &ArrayRef<T, D>,
    h: &ArrayRef<T, K>,
    settings: &Settings,
) -> Result<Array<T, E>> {
    let geometry = Geometry::new(x.shape(), h.shape(), settings, T::DTYPE)?;
    let mut y = Array::from_elem(arrays::dimension::<E>(&geometry.output), T::default());
    once(&geometry, Options::default(), x, h, &mut y)?;
    Ok(y)
}

/// Plans and runs, into an array of the caller's.
pub(super) fn into<T: Element, D: Dimension, K: Dimension>(
    x: &ArrayRef<T, D>,
    h: &ArrayRef<T, K>,
    settings: &Settings,
    y: &mut ArrayRef<T, D>,
) -> Result<()> {
    let geometry = Geometry::new(x.shape(), h.shape(), settings, T::DTYPE)?;
    once(&geometry, Options::default(), x, h, y)
}

/// Plans and runs once, with the kernel packed on the way.
fn once<T: Element, D: Dimension, K: Dimension, E: Dimension>(
    geometry: &Geometry,
    options: Options,
    x: &ArrayRef<T, D>,
    h: &ArrayRef<T, K>,
    y: &mut ArrayRef<T, E>,
) -> Result<()> {
    let plan = options.plan(&geometry.problem)?;
    let mut room = Vec::new();
    let kernel = Kernel::Plain(&plan, lay_kernel(geometry, h, &mut room));
    with_workspace(|workspace| run(geometry, x, kernel, y, workspace))
}
