//! First and second derivatives.

use super::design::Design;
use super::gaussian::Gaussian;
use super::kernels;
use super::operator::{Combination, Operator, Pass, Term};
use super::parameters::{Parameters, Writer};
use crate::error::{Error, Result};
use crate::filter::settings::per_axis;
use crate::problem::Boundary;

/// A derivative along some axes, smoothed along the others: Sobel, Prewitt and Scharr.
///
/// | | derivative | smoothing | whose |
/// |---|---|---|---|
/// | [`sobel`](Self::sobel) | -1 0 1 | 1 2 1 | `scipy.ndimage.sobel`, `cv2.Sobel` |
/// | [`prewitt`](Self::prewitt) | -1 0 1 | 1 1 1 | `scipy.ndimage.prewitt` |
/// | [`scharr`](Self::scharr) | -1 0 1 | 3 10 3 | `cv2.Scharr` |
///
/// None of them is scaled: a slope of 1 in a picture becomes 8 with Sobel. The default boundary is symmetric.
///
/// ```
/// use faltung::filter::named::{Derivative, Design};
/// use faltung::ndarray::Array2;
///
/// let ramp = Array2::from_shape_fn((5, 5), |(i, _)| i as f32);
/// assert_eq!(Derivative::sobel(0).apply(&ramp)?[[2, 2]], 8.0);
/// assert_eq!(Derivative::sobel(1).apply(&ramp)?[[2, 2]], 0.0);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Derivative {
    kind: Kind,
    direction: Direction,
    ksize: usize,
}

/// Which kernel smooths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sobel,
    Prewitt,
    Scharr,
}

#[derive(Clone, Debug, PartialEq)]
enum Direction {
    Axis(usize),
    /// Sobel's only.
    Orders(Vec<usize>),
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Sobel => "sobel",
            Self::Prewitt => "prewitt",
            Self::Scharr => "scharr",
        }
    }

    fn smoothing(self, ksize: usize) -> Result<Vec<f64>> {
        match self {
            Self::Sobel => kernels::binomial(0, ksize),
            Self::Prewitt => Ok(vec![1.0; 3]),
            Self::Scharr => Ok(vec![3.0, 10.0, 3.0]),
        }
    }

    /// The derivatives of these orders, one an axis; as in SciPy they come before the smoothing, which tells them apart
    /// where a constant lies outside.
    fn term(self, orders: impl Fn(usize) -> usize, ksize: usize, axes: usize) -> Result<Term> {
        let mut along: Vec<usize> = kernels::filtered(axes)?.collect();
        along.sort_by_key(|&axis| orders(axis) == 0);
        let taps = |axis| match orders(axis) {
            0 => self.smoothing(ksize),
            order => kernels::binomial(order, ksize),
        };
        along.into_iter().map(|axis| Ok(Pass::centred(axis, taps(axis)?))).collect()
    }
}

/// Order 1 along one axis and 0 along all others.
fn first(along: usize) -> impl Fn(usize) -> usize {
    move |axis| usize::from(axis == along)
}

impl Derivative {
    /// Sobel's derivative along one of the filtered axes.
    ///
    /// ```
    /// # use faltung::filter::named::{Derivative, Design};
    /// assert_eq!(Derivative::sobel(0).operator(1)?.kernel()?.taps.as_slice(), Some(&[-1.0, 0.0, 1.0][..]));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn sobel(axis: usize) -> Self {
        Self { kind: Kind::Sobel, direction: Direction::Axis(axis), ksize: 3 }
    }

    /// Sobel's derivatives of an order for each filtered axis, over `ksize` taps: `cv2.Sobel`, whose `dy` and `dx` are
    /// the orders of axes 0 and 1.
    ///
    /// `ksize` is odd, up to 31, and more than the orders; 1 is no smoothing, and three taps along derivatives.
    ///
    /// ```
    /// # use faltung::filter::named::{Derivative, Design};
    /// let second = Derivative::sobel_orders(&[2], 5).operator(1)?.kernel()?;
    /// assert_eq!(second.taps.as_slice(), Some(&[1.0, 0.0, -2.0, 0.0, 1.0][..]));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn sobel_orders(orders: &[usize], ksize: usize) -> Self {
        Self { kind: Kind::Sobel, direction: Direction::Orders(orders.to_vec()), ksize }
    }

    /// Prewitt's derivative along one of the filtered axes.
    ///
    /// ```
    /// # use faltung::filter::named::{Derivative, Design};
    /// assert_eq!(Derivative::prewitt(1).operator(2)?.kernel()?.taps[[1, 0]], -1.0);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn prewitt(axis: usize) -> Self {
        Self { kind: Kind::Prewitt, ..Self::sobel(axis) }
    }

    /// Scharr's derivative along one of the filtered axes.
    ///
    /// ```
    /// # use faltung::filter::named::{Derivative, Design};
    /// assert_eq!(Derivative::scharr(1).operator(2)?.kernel()?.taps[[1, 0]], -10.0);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn scharr(axis: usize) -> Self {
        Self { kind: Kind::Scharr, ..Self::sobel(axis) }
    }

    pub(super) fn name(&self) -> &'static str {
        self.kind.name()
    }

    pub(super) fn read_sobel(from: &mut Parameters<'_>) -> Result<Self> {
        let ksize = from.one("ksize")?.unwrap_or(3);
        let direction = match (from.one("axis")?, from.list("order")?) {
            (Some(_), Some(_)) => return Err(from.wrong("order", "either an axis or orders", "both")),
            (_, Some(orders)) => Direction::Orders(orders),
            (axis, None) => Direction::Axis(axis.unwrap_or(0)),
        };
        Ok(Self { kind: Kind::Sobel, direction, ksize })
    }

    pub(super) fn read_prewitt(from: &mut Parameters<'_>) -> Result<Self> {
        Ok(Self::prewitt(from.one("axis")?.unwrap_or(0)))
    }

    pub(super) fn read_scharr(from: &mut Parameters<'_>) -> Result<Self> {
        Ok(Self::scharr(from.one("axis")?.unwrap_or(0)))
    }

    pub(super) fn write(&self, to: &mut Writer<'_, '_>) -> std::fmt::Result {
        match &self.direction {
            Direction::Axis(axis) => to.list("axis", &[*axis])?,
            Direction::Orders(orders) => to.list("order", orders)?,
        }
        if self.ksize != 3 { to.list("ksize", &[self.ksize]) } else { Ok(()) }
    }
}

impl Design for Derivative {
    fn operator(&self, axes: usize) -> Result<Operator> {
        let term = match &self.direction {
            Direction::Axis(axis) if *axis >= axes => {
                return Err(Error::argument("axis", format!("one of the {axes} filtered axes, from 0 on"), axis));
            }
            Direction::Axis(axis) => self.kind.term(first(*axis), self.ksize, axes)?,
            Direction::Orders(orders) => {
                let mut each = Vec::new();
                for axis in kernels::filtered(axes)? {
                    each.push(per_axis("order", orders, axes, axis)?.unwrap_or(0));
                }
                self.kind.term(|axis| each[axis], self.ksize, axes)?
            }
        };
        Ok(Operator::linear(axes, vec![term], Boundary::Symmetric))
    }
}

/// The length of the gradient: the root of the sum of the squared derivatives along all filtered axes.
///
/// Of complex data, of their moduli. Squares are summed in double precision.
///
/// ```
/// use faltung::filter::named::{Design, GradientMagnitude};
/// use faltung::ndarray::Array2;
///
/// let slope = Array2::from_shape_fn((9, 9), |(i, j)| (3 * i + 4 * j) as f32);
/// assert_eq!(GradientMagnitude::sobel().apply(&slope)?[[4, 4]], 40.0);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GradientMagnitude {
    by: By,
}

#[derive(Clone, Debug, PartialEq)]
enum By {
    Kind(Kind),
    Gaussian(Gaussian),
}

impl GradientMagnitude {
    /// By Sobel's derivatives; `scipy.ndimage.generic_gradient_magnitude(x, sobel)`.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, GradientMagnitude};
    /// assert!(!GradientMagnitude::sobel().operator(2)?.is_linear());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn sobel() -> Self {
        Self { by: By::Kind(Kind::Sobel) }
    }

    /// By Prewitt's derivatives; `scipy.ndimage.generic_gradient_magnitude(x, prewitt)`.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, GradientMagnitude};
    /// assert!(GradientMagnitude::prewitt().operator(2)?.is_derivative());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn prewitt() -> Self {
        Self { by: By::Kind(Kind::Prewitt) }
    }

    /// By Scharr's derivatives.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, GradientMagnitude};
    /// assert!(GradientMagnitude::scharr().operator(2)?.is_derivative());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn scharr() -> Self {
        Self { by: By::Kind(Kind::Scharr) }
    }

    /// By the derivatives of a Gaussian, its own orders left aside; `scipy.ndimage.gaussian_gradient_magnitude`.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Gaussian, GradientMagnitude};
    /// assert!(GradientMagnitude::gaussian(Gaussian::new(2.0)).operator(2)?.is_derivative());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn gaussian(gaussian: Gaussian) -> Self {
        Self { by: By::Gaussian(gaussian.order(0)) }
    }

    pub(super) fn name(&self) -> &'static str {
        match self.by {
            By::Kind(Kind::Sobel) => "sobel_magnitude",
            By::Kind(Kind::Prewitt) => "prewitt_magnitude",
            By::Kind(Kind::Scharr) => "scharr_magnitude",
            By::Gaussian(_) => "gaussian_gradient_magnitude",
        }
    }

    pub(super) fn write(&self, to: &mut Writer<'_, '_>) -> std::fmt::Result {
        match &self.by {
            By::Kind(_) => Ok(()),
            By::Gaussian(gaussian) => gaussian.write(to),
        }
    }
}

impl Design for GradientMagnitude {
    fn operator(&self, axes: usize) -> Result<Operator> {
        let along = |axis| match &self.by {
            By::Kind(kind) => Ok(vec![kind.term(first(axis), 3, axes)?]),
            By::Gaussian(gaussian) => Ok(vec![gaussian.term(first(axis), axes)?]),
        };
        let boundary = match &self.by {
            By::Kind(_) => Boundary::Symmetric,
            By::Gaussian(gaussian) => gaussian.boundary(),
        };
        let parts = kernels::filtered(axes)?.map(along).collect::<Result<_>>()?;
        Ok(Operator::new(axes, parts, Combination::Magnitude, boundary).into_derivative())
    }
}

/// The sum of the second derivatives along all filtered axes.
///
/// ```
/// use faltung::filter::named::{Design, Laplace};
/// use faltung::ndarray::Array2;
///
/// let bowl = Array2::from_shape_fn((5, 5), |(i, j)| (i * i + j * j) as f32);
/// assert_eq!(Laplace::new().apply(&bowl)?[[2, 2]], 4.0);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Laplace {
    by: Second,
}

#[derive(Clone, Debug, PartialEq)]
enum Second {
    Taps(usize),
    Gaussian(Gaussian),
}

impl Default for Laplace {
    fn default() -> Self {
        Self::new()
    }
}

impl Laplace {
    /// By the kernel 1 -2 1: `scipy.ndimage.laplace`, `cv2.Laplacian` with `ksize` 1.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Laplace};
    /// assert_eq!(Laplace::new().operator(1)?.kernel()?.taps.as_slice(), Some(&[1.0, -2.0, 1.0][..]));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new() -> Self {
        Self { by: Second::Taps(1) }
    }

    /// By Sobel's second derivatives over `ksize` taps, an odd number up to 31: `cv2.Laplacian`.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Laplace};
    /// assert_eq!(Laplace::ksize(3).operator(2)?.kernel()?.taps[[1, 1]], -8.0);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn ksize(ksize: usize) -> Self {
        Self { by: Second::Taps(ksize) }
    }

    /// By the second derivatives of a Gaussian, its own orders left aside: `scipy.ndimage.gaussian_laplace`.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Gaussian, Laplace};
    /// assert!(Laplace::gaussian(Gaussian::new(2.0)).operator(2)?.kernel()?.taps[[8, 8]] < 0.0);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn gaussian(gaussian: Gaussian) -> Self {
        Self { by: Second::Gaussian(gaussian.order(0)) }
    }

    pub(super) fn name(&self) -> &'static str {
        match self.by {
            Second::Taps(_) => "laplace",
            Second::Gaussian(_) => "gaussian_laplace",
        }
    }

    pub(super) fn read(from: &mut Parameters<'_>) -> Result<Self> {
        Ok(Self::ksize(from.one("ksize")?.unwrap_or(1)))
    }

    pub(super) fn write(&self, to: &mut Writer<'_, '_>) -> std::fmt::Result {
        match &self.by {
            Second::Taps(1) => Ok(()),
            Second::Taps(ksize) => to.list("ksize", &[*ksize]),
            Second::Gaussian(gaussian) => gaussian.write(to),
        }
    }
}

impl Design for Laplace {
    fn operator(&self, axes: usize) -> Result<Operator> {
        let second = |along: usize| move |axis: usize| 2 * usize::from(axis == along);
        let along = |axis| match &self.by {
            Second::Taps(ksize) => Kind::Sobel.term(second(axis), *ksize, axes),
            Second::Gaussian(gaussian) => gaussian.term(second(axis), axes),
        };
        let boundary = match &self.by {
            Second::Taps(_) => Boundary::Symmetric,
            Second::Gaussian(gaussian) => gaussian.boundary(),
        };
        let terms = kernels::filtered(axes)?.map(along).collect::<Result<_>>()?;
        Ok(Operator::linear(axes, terms, boundary).into_derivative())
    }
}
