//! The builder of filters.

use std::fmt;

use ndarray::{Array, ArrayRef, DimMax, Dimension, IntoDimension};

use super::convention::Convention;
use super::exact;
use super::geometry::Geometry;
use super::integer::Integer;
use super::plan::{Filter, Options};
use super::settings::Settings;
use crate::element::Element;
use crate::error::Result;
use crate::plan::{Algorithm, Threads};
use crate::problem::{Boundary, Mode};

/// The dimension of the result of data of dimension `D` with a kernel of dimension `K`.
type Larger<D, K> = <D as DimMax<K>>::Output;
type Planned<T, D, K> = Filter<T, D, Larger<D, K>>;

/// A convolution with the kernel `h`, option by option; ended by [`plan`](Self::plan).
///
/// Settings of filtered axes take one value an axis, in the order of the kernel's axes, or a single one for all of
/// them. What is not said is as in SciPy: a flipped kernel, [`Mode::Full`], zeros outside; another
/// [`convention`](Self::convention) changes that.
///
/// ```
/// use faltung::ndarray::{array, Array2};
/// use faltung::{Boundary, Convolution, Mode};
///
/// let laplacian = array![[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0f32]];
/// let x = Array2::from_shape_fn((100, 80), |(i, j)| (i * i + j) as f32);
/// let filter = Convolution::new(&laplacian).mode(Mode::Same).boundary(Boundary::Nearest).plan(x.raw_dim())?;
/// assert_eq!(filter.apply(&x)?[[50, 40]], 2.0);
/// # Ok::<(), faltung::Error>(())
/// ```
pub struct Convolution<'a, H, K> {
    h: &'a ArrayRef<H, K>,
    settings: Settings,
    options: Options,
}

impl<H, K> Clone for Convolution<'_, H, K> {
    fn clone(&self) -> Self {
        Self { h: self.h, settings: self.settings.clone(), options: self.options }
    }
}

impl<H, K: Dimension> fmt::Debug for Convolution<'_, H, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Convolution")
            .field("kernel", &self.h.shape())
            .field("settings", &self.settings)
            .field("options", &self.options)
            .finish()
    }
}

impl<'a, H, K: Dimension> Convolution<'a, H, K> {
    /// A convolution with the kernel `h`.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::Convolution;
    ///
    /// let h = array![1.0, 1.0];
    /// assert_eq!(Convolution::new(&h).plan(2)?.apply(&array![1.0, 2.0])?, array![1.0, 3.0, 2.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(h: &'a ArrayRef<H, K>) -> Self {
        Self { h, settings: Settings::default(), options: Options::default() }
    }

    /// How much of the output is wanted; [`Mode::Full`] unless set, or the convention's.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::{Convolution, Mode};
    ///
    /// let h = array![1.0, 1.0];
    /// assert_eq!(Convolution::new(&h).mode(Mode::Same).plan(2)?.apply(&array![1.0, 2.0])?, array![1.0, 3.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn mode(mut self, mode: Mode) -> Self {
        self.settings.mode = Some(mode);
        self
    }

    /// What lies outside the data; [`Boundary::Zero`] unless set, or the convention's.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::{Boundary, Convolution};
    ///
    /// let h = array![1.0, 1.0];
    /// let wrapped = Convolution::new(&h).boundary(Boundary::Wrap).plan(2)?;
    /// assert_eq!(wrapped.apply(&array![1.0, 2.0])?, array![3.0, 3.0, 3.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn boundary(mut self, boundary: Boundary) -> Self {
        self.settings.boundary = Some(boundary);
        self
    }

    /// Correlates instead: the kernel is not flipped, and it is conjugated, as in SciPy (but in the conventions of
    /// MATLAB, OpenCV and PyTorch it is not).
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::{Convolution, Mode};
    ///
    /// let h = array![1.0, 2.0];
    /// let y = Convolution::new(&h).correlate().mode(Mode::Valid).plan(3)?.apply(&array![1.0, 10.0, 100.0])?;
    /// assert_eq!(y, array![21.0, 210.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn correlate(mut self) -> Self {
        self.settings.correlate = true;
        self
    }

    /// Whether the kernel is reversed along every filtered axis, whatever else was said.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::{Convention, Convolution, Mode};
    ///
    /// let h = array![1.0, 10.0];
    /// let torch = Convolution::new(&h).convention(Convention::PyTorch);
    /// assert_eq!(torch.clone().plan(2)?.apply(&array![1.0, 2.0])?, array![21.0]);
    /// assert_eq!(torch.flip(true).plan(2)?.apply(&array![1.0, 2.0])?, array![12.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn flip(mut self, flip: bool) -> Self {
        self.settings.flip = Some(flip);
        self
    }

    /// Whether the kernel is conjugated, whatever else was said.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::{Complex, Convolution};
    ///
    /// let h = array![Complex::new(0.0, 1.0)];
    /// let y = Convolution::new(&h).conjugate(true).plan(1)?.apply(&array![Complex::new(2.0, 0.0)])?;
    /// assert_eq!(y, array![Complex::new(0.0, -2.0)]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn conjugate(mut self, conjugate: bool) -> Self {
        self.settings.conjugate = Some(conjugate);
        self
    }

    /// Data samples from one output to the next; 1 unless set. Of what the mode gives, every so many-th output is
    /// computed, the first one always.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::{Convolution, Mode};
    ///
    /// let h = array![1.0, 1.0];
    /// let y = Convolution::new(&h).mode(Mode::Valid).stride(&[2]).plan(4)?.apply(&array![1.0, 2.0, 3.0, 4.0])?;
    /// assert_eq!(y, array![3.0, 7.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn stride(mut self, stride: &[usize]) -> Self {
        self.settings.stride = stride.to_vec();
        self
    }

    /// Data samples from one tap to the next; 1, dense, unless set.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::{Convolution, Mode};
    ///
    /// let h = array![1.0, -1.0];
    /// let y = Convolution::new(&h).mode(Mode::Valid).dilation(&[2]).plan(4)?.apply(&array![1.0, 2.0, 5.0, 4.0])?;
    /// assert_eq!(y, array![4.0, 2.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn dilation(mut self, dilation: &[usize]) -> Self {
        self.settings.dilation = dilation.to_vec();
        self
    }

    /// In [`Mode::Same`], the tap that lies over the output's own sample, counted in the kernel as it is given; unless
    /// set, the middle one, of the two that an even kernel has the one that the [convention](Convention) says. It is
    /// OpenCV's `anchor`, and SciPy's `origin` plus `k / 2`.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::{Convolution, Mode};
    ///
    /// // The first tap over the output's own sample: a convolution that is causal.
    /// let h = array![1.0, 10.0];
    /// let y = Convolution::new(&h).mode(Mode::Same).anchor(&[0]).plan(3)?.apply(&array![1.0, 2.0, 3.0])?;
    /// assert_eq!(y, array![1.0, 12.0, 23.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn anchor(mut self, anchor: &[usize]) -> Self {
        self.settings.anchor = anchor.to_vec();
        self
    }

    /// Samples (before, behind) the data that outputs may read, in place of a mode; negative ones crop.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::Convolution;
    ///
    /// let h = array![1.0, 1.0];
    /// let y = Convolution::new(&h).padding(&[(1, -1)]).plan(3)?.apply(&array![1.0, 2.0, 3.0])?;
    /// assert_eq!(y, array![1.0, 3.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn padding(mut self, padding: &[(isize, isize)]) -> Self {
        self.settings.padding = padding.to_vec();
        self
    }

    /// Computes only the outputs from `start` on, `length` of them, of what the mode or the padding gives: one `(start,
    /// length)` an axis.
    ///
    /// ```
    /// use faltung::ndarray::Array1;
    /// use faltung::Convolution;
    ///
    /// let (x, h) = (Array1::<f32>::ones(100), Array1::ones(20));
    /// let y = Convolution::new(&h).window(&[(30, 5)]).plan(100)?.apply(&x)?;
    /// assert_eq!(y, Array1::from_elem(5, 20.0));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn window(mut self, window: &[(usize, usize)]) -> Self {
        self.settings.window = window.to_vec();
        self
    }

    /// The choices of another library wherever nothing else is said, before or after.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::{Convention, Convolution};
    ///
    /// // numpy.convolve([1, 2], [1, 10, 100], 'valid') swaps its arguments.
    /// let h = array![1.0, 10.0, 100.0];
    /// let numpy = Convolution::new(&h).convention(Convention::NumPy).mode(faltung::Mode::Valid);
    /// assert_eq!(numpy.plan(2)?.apply(&array![1.0, 2.0])?, array![12.0, 120.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn convention(mut self, convention: Convention) -> Self {
        self.settings.convention = Some(convention);
        self
    }

    /// The axes of the data that the kernel's axes are laid along; all other axes are not filtered.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::{Convolution, Mode};
    ///
    /// let x = array![[1.0, 2.0], [3.0, 5.0], [7.0, 11.0]];
    /// let difference = array![1.0, -1.0];
    /// let y = Convolution::new(&difference).axes(&[0]).mode(Mode::Valid).plan(x.raw_dim())?.apply(&x)?;
    /// assert_eq!(y, array![[2.0, 3.0], [4.0, 6.0]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn axes(mut self, axes: &[usize]) -> Self {
        self.settings.axes = Some(axes.to_vec());
        self
    }

    /// So many leading axes are not filtered but broadcast, as NumPy's do: counted in data or kernel, whichever has
    /// more axes; the other may lack some of them or have extent 1.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::{Convolution, Mode};
    ///
    /// // Two filters on one signal.
    /// let (x, bank) = (array![1.0, 2.0, 4.0], array![[1.0, -1.0], [0.5, 0.5]]);
    /// let y = Convolution::new(&bank).batch_axes(1).mode(Mode::Valid).plan(x.raw_dim())?.apply(&x)?;
    /// assert_eq!(y, array![[1.0, 2.0], [1.5, 3.0]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn batch_axes(mut self, count: usize) -> Self {
        self.settings.batch_axes = count;
        self
    }

    /// Only this algorithm; [`Algorithm::Auto`], all of them, unless set.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::{Algorithm, Convolution};
    ///
    /// let h = array![1.0, 1.0];
    /// let filter = Convolution::new(&h).algorithm(Algorithm::Reference).plan(100)?;
    /// assert_eq!(filter.plan().recipe().algorithm(), Algorithm::Reference);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.options.algorithm = algorithm;
        self
    }

    /// The threads that runs use; [`Threads::Pool`] unless set.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::{Convolution, Threads};
    ///
    /// let h = array![1.0, 1.0];
    /// let alone = Convolution::new(&h).threads(Threads::Serial).plan(2)?;
    /// assert_eq!(alone.apply(&array![1.0, 2.0])?, array![1.0, 3.0, 2.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn threads(mut self, threads: Threads) -> Self {
        self.options.threads = threads;
        self
    }

    /// Only recipes whose [error bound](crate::Plan::error_bound) is at most this.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::{Convolution, Error};
    ///
    /// let h = array![1.0, 1.0];
    /// assert!(Convolution::new(&h).tolerance(1e-12).plan(100)?.plan().error_bound() <= 1e-12);
    /// assert!(matches!(Convolution::new(&h).tolerance(1e-30).plan(100), Err(Error::NoCandidate { .. })));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn tolerance(mut self, bound: f64) -> Self {
        self.options.tolerance = Some(bound);
        self
    }

    /// Only recipes that need no more bytes of workspace than this on one thread.
    ///
    /// ```
    /// use faltung::ndarray::array;
    /// use faltung::Convolution;
    ///
    /// let h = array![1.0, 1.0];
    /// let filter = Convolution::new(&h).max_workspace(1 << 16).plan(1000)?;
    /// assert!(filter.plan().candidate().workspace_bytes <= 1 << 16);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn max_workspace(mut self, bytes: usize) -> Self {
        self.options.max_workspace = Some(bytes);
        self
    }
}

impl<T: Element, K: Dimension> Convolution<'_, T, K> {
    /// Chooses an algorithm for data of this shape, and packs or transforms the kernel for it.
    ///
    /// The result has as many axes as the larger of data and kernel.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for an empty array, more than eight axes or more than six filtered
    /// ones, ranks or batch axes that do not go together, a zero stride or dilation, an anchor, axis or window that
    /// does not exist; [`Error::KernelTooLong`](crate::Error::KernelTooLong) where no output exists;
    /// [`Error::Overflow`](crate::Error::Overflow) where sizes do not fit;
    /// [`Error::Unsupported`](crate::Error::Unsupported) where the algorithm that was asked for cannot serve;
    /// [`Error::NoCandidate`](crate::Error::NoCandidate) where none meets the bounds.
    ///
    /// ```
    /// use faltung::ndarray::Array1;
    /// use faltung::{Convolution, Error, Mode};
    ///
    /// let h = Array1::<f64>::ones(9);
    /// let none = Convolution::new(&h).mode(Mode::Valid).plan(3);
    /// assert!(matches!(none, Err(Error::KernelTooLong { axis: 0, kernel: 9, input: 3 })));
    /// assert_eq!(Convolution::new(&h).mode(Mode::Same).plan(3)?.output_dim()[0], 3);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn plan<S: IntoDimension>(&self, shape: S) -> Result<Planned<T, S::Dim, K>>
    where
        S::Dim: DimMax<K>,
    {
        let dim = shape.into_dimension();
        let geometry = Geometry::new(dim.slice(), self.h.shape(), &self.settings, T::DTYPE)?;
        Filter::new(geometry, self.options, self.h, dim)
    }
}

impl<H: Integer, K: Dimension> Convolution<'_, H, K> {
    /// Filters integers, exactly: the result is that of unbounded integers, or an error.
    ///
    /// The algorithm is one that computes sums exactly in `f32` or `f64`; asking for [`Algorithm::Fft`] is an error.
    /// The kernel's type, the data's and the result's may differ: 8-bit images and signed kernels, say.
    ///
    /// # Errors
    /// [`Error::NotRepresentable`](crate::Error::NotRepresentable) where a sum does not fit `O`;
    /// [`Error::Overflow`](crate::Error::Overflow) where sums may not fit 128 bits;
    /// [`Error::Argument`](crate::Error::Argument) for a [`Boundary::Constant`] that is no integer; and as
    /// [`plan`](Self::plan).
    ///
    /// ```
    /// use faltung::ndarray::{Array1, array};
    /// use faltung::{Boundary, Convolution, Mode};
    ///
    /// let difference = array![1i8, 0, -1];
    /// let image = array![0u8, 100, 250, 250];
    /// let edges = Convolution::new(&difference).correlate().mode(Mode::Same).boundary(Boundary::Nearest);
    /// let y: Array1<i16> = edges.apply_exact(&image)?;
    /// assert_eq!(y, array![-100, -250, -150, 0]);
    /// assert!(edges.apply_exact::<u8, i8, _>(&image).is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn apply_exact<I: Integer, O: Integer, D>(&self, x: &ArrayRef<I, D>) -> Result<Array<O, Larger<D, K>>>
    where
        D: Dimension + DimMax<K>,
    {
        exact::compute(x, self.h, &self.settings, self.options)
    }
}
