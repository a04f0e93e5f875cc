//! The conventions of other libraries.

use crate::problem::{Boundary, Mode};

/// The choices of another library: what a [`Convolution`](crate::Convolution) does where it is not told.
///
/// | | SciPy `signal` | SciPy `ndimage` | NumPy | MATLAB | OpenCV | PyTorch |
/// |---|---|---|---|---|---|---|
/// | function | `convolve` | `convolve` | `convolve` | `conv`, `conv2`, `convn` | `filter2D` | `conv1d` … `conv3d` |
/// | kernel | flipped | flipped | flipped | flipped | as it is | as it is |
/// | mode | full | same | full | full | same | valid |
/// | boundary | zero | symmetric | zero | zero | mirror | zero |
/// | `same`, even kernel: anchor | `(k-1)/2` | `k/2` | `(k-1)/2` | `k/2` | `k/2` | `(k-1)/2` |
/// | kernel longer than the data | `valid` swaps them | – | `valid` and `same` swap them | – | – | – |
///
/// The anchor is the tap that lies over the output's own sample, counted in the kernel as it is given; the kernels have
/// `k` taps. With [`correlate`](crate::Convolution::correlate) the presets do as the same library's correlation:
///
/// | | SciPy `signal` | SciPy `ndimage` | NumPy | MATLAB | OpenCV | PyTorch |
/// |---|---|---|---|---|---|---|
/// | function | `correlate` | `correlate` | `correlate` | `imfilter` | `filter2D` | `conv1d` … `conv3d` |
/// | complex kernel | conjugated | conjugated | conjugated | – | – | – |
/// | `same`, even kernel: anchor | `k/2` | `k/2` | `k/2` | `(k-1)/2` | `k/2` | `(k-1)/2` |
///
/// Any of these can still be said otherwise, before the convention is named or after it.
///
/// ```
/// use faltung::ndarray::array;
/// use faltung::{Convention, Convolution};
///
/// let (x, h) = (array![1.0, 2.0, 3.0, 4.0], array![1.0, 0.0, 0.0, 0.0]);
/// let y = Convolution::new(&h).convention(Convention::OpenCv).plan(x.raw_dim())?.apply(&x)?;
/// assert_eq!(y, array![3.0, 2.0, 1.0, 2.0]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Convention {
    /// `scipy.signal.convolve` and `correlate`. In `valid`, data and kernel are swapped where the kernel is at least as
    /// long on every axis.
    Scipy,
    /// `scipy.ndimage.convolve` and `correlate`.
    ScipyNdimage,
    /// `numpy.convolve` and `correlate`, of one dimension. In `valid` and `same`, the longer of data and kernel takes
    /// the data's place, so that `same` gives as many samples as the longer has.
    NumPy,
    /// `conv`, `conv2` and `convn`; `imfilter` for correlations. In `valid` MATLAB gives an empty array where the
    /// kernel is longer than the data; here that is an error.
    Matlab,
    /// `filter2D`, of any rank.
    OpenCv,
    /// `torch.nn.functional.conv1d` … `conv3d` on single channels; `Mode::Same` is its `padding='same'`.
    PyTorch,
}

/// Which sample of `full` is the first of `same`, for kernels of even span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Centre {
    /// Reads `span / 2` samples before the data.
    Before,
    /// Reads `(span - 1) / 2` samples before the data.
    Behind,
}

/// What a convention says of everything that the caller may leave open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defaults {
    pub(super) flip: bool,
    /// Whether a correlation conjugates its kernel.
    pub(super) conjugate: bool,
    pub(super) mode: Mode,
    pub(super) boundary: Boundary,
    /// Where `same` begins, for correlations and for convolutions.
    pub(super) centre: [Centre; 2],
}

impl Defaults {
    pub(super) fn of(convention: Option<Convention>) -> Self {
        use Centre::{Before, Behind};
        let scipy =
            Self { flip: true, conjugate: true, mode: Mode::Full, boundary: Boundary::Zero, centre: [Before, Before] };
        match convention {
            None | Some(Convention::Scipy | Convention::NumPy) => scipy,
            Some(Convention::ScipyNdimage) => {
                Self { mode: Mode::Same, boundary: Boundary::Symmetric, centre: [Before, Behind], ..scipy }
            }
            Some(Convention::Matlab) => Self { conjugate: false, centre: [Behind, Behind], ..scipy },
            Some(Convention::OpenCv) => Self {
                flip: false,
                conjugate: false,
                mode: Mode::Same,
                boundary: Boundary::Mirror,
                centre: [Before, Behind],
            },
            Some(Convention::PyTorch) => {
                Self { flip: false, conjugate: false, mode: Mode::Valid, centre: [Behind, Behind], ..scipy }
            }
        }
    }
}
