//! Gaussians and differences of them.

use super::design::Design;
use super::kernels::{self, at_least};
use super::operator::{Linear, Operator, Pass, Term, scaled};
use super::parameters::{Parameters, Writer};
use crate::error::{Error, Result};
use crate::filter::settings::per_axis;
use crate::problem::Boundary;

/// A Gaussian, or its derivatives of any order: `scipy.ndimage.gaussian_filter`, with OpenCV's sizes on request.
///
/// The taps are those of the continuous function at whole distances, cut off at a radius and divided by their sum:
///
/// | made by | radius | sigma | default boundary |
/// |---|---|---|---|
/// | [`new`](Self::new) | `int(4 * sigma + 0.5)`, or [another multiple](Self::truncate), or [as told](Self::radius) | as told | symmetric |
/// | [`opencv`](Self::opencv) | half of `round(8 * sigma + 1) \| 1` taps | as told | mirror |
/// | [`opencv_8bit`](Self::opencv_8bit) | half of `round(6 * sigma + 1) \| 1` taps, as OpenCV has it for 8-bit pictures | as told | mirror |
/// | [`opencv_taps`](Self::opencv_taps) | half of so many taps | `0.3 * ((taps - 1) * 0.5 - 1) + 0.8`, and fixed taps up to 9 | mirror |
///
/// Sigma is in samples; 0 leaves the axis alone.
///
/// ```
/// use faltung::filter::named::{Design, Gaussian};
/// use faltung::ndarray::array;
///
/// // scipy.ndimage.gaussian_filter([0, 0, 1, 0, 0], 1)
/// let y = Gaussian::new(1.0).apply(&array![0.0f64, 0.0, 1.0, 0.0, 0.0])?;
/// assert!((y[2] - 0.39894346935609776).abs() < 1e-14);
///
/// // The slope of a parabola, smoothed.
/// let slope = Gaussian::new(1.0).order(1).apply(&array![0.0f64, 1.0, 4.0, 9.0, 16.0, 25.0, 36.0, 49.0, 64.0])?;
/// assert!((slope[4] - 8.0).abs() < 0.05);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    sigma: Vec<f64>,
    order: Vec<usize>,
    extent: Extent,
}

/// Where the taps end.
#[derive(Clone, Debug, PartialEq)]
enum Extent {
    Truncate(f64),
    Radius(Vec<usize>),
    /// Taps for 8-bit pictures or for others.
    OpenCv {
        eight_bit: bool,
    },
    OpenCvTaps(Vec<usize>),
}

/// SciPy's `truncate`, unless told otherwise.
const TRUNCATE: f64 = 4.0;

/// What OpenCV uses where it is told 1, 3, 5, 7 or 9 taps and no sigma.
const OPENCV_SMALL: [&[f64]; 5] = [
    &[1.0],
    &[0.25, 0.5, 0.25],
    &[0.0625, 0.25, 0.375, 0.25, 0.0625],
    &[0.03125, 0.109375, 0.21875, 0.28125, 0.21875, 0.109375, 0.03125],
    &[0.015625, 0.05078125, 0.1171875, 0.19921875, 0.234375, 0.19921875, 0.1171875, 0.05078125, 0.015625],
];

impl Gaussian {
    /// A Gaussian of one sigma along all axes, in SciPy's size.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Gaussian};
    /// assert_eq!(Gaussian::new(2.0).operator(1)?.kernel()?.taps.len(), 17);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(sigma: f64) -> Self {
        Self::per_axis(&[sigma])
    }

    /// A Gaussian with a sigma for each filtered axis.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Gaussian};
    /// assert_eq!(Gaussian::per_axis(&[1.0, 0.0]).operator(2)?.kernel()?.taps.shape(), [9, 1]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn per_axis(sigma: &[f64]) -> Self {
        Self { sigma: sigma.to_vec(), order: vec![0], extent: Extent::Truncate(TRUNCATE) }
    }

    /// OpenCV's Gaussian of this sigma for pictures of more than 8 bits or floats.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Gaussian};
    /// assert_eq!(Gaussian::opencv(2.0).operator(1)?.kernel()?.taps.len(), 17);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn opencv(sigma: f64) -> Self {
        Self { extent: Extent::OpenCv { eight_bit: false }, ..Self::new(sigma) }
    }

    /// OpenCV's Gaussian of this sigma for pictures of 8 bits.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Gaussian};
    /// assert_eq!(Gaussian::opencv_8bit(2.0).operator(1)?.kernel()?.taps.len(), 13);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn opencv_8bit(sigma: f64) -> Self {
        Self { extent: Extent::OpenCv { eight_bit: true }, ..Self::new(sigma) }
    }

    /// OpenCV's Gaussian of so many taps, an odd number (`ksize`, with a sigma of 0): sigma follows from it.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Gaussian};
    /// assert_eq!(Gaussian::opencv_taps(3).operator(1)?.kernel()?.taps.as_slice(), Some(&[0.25, 0.5, 0.25][..]));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn opencv_taps(taps: usize) -> Self {
        Self { sigma: Vec::new(), extent: Extent::OpenCvTaps(vec![taps]), ..Self::new(0.0) }
    }

    /// Takes derivatives of this order along every axis.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Gaussian};
    /// assert!(Gaussian::new(2.0).order(1).operator(1)?.is_derivative());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn order(self, order: usize) -> Self {
        self.orders(&[order])
    }

    /// Takes a derivative of its own order along each filtered axis.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Gaussian};
    /// assert!(Gaussian::new(2.0).orders(&[0, 1]).operator(2)?.is_signed());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn orders(mut self, orders: &[usize]) -> Self {
        self.order = orders.to_vec();
        self
    }

    /// Ends the kernel this many sigmas from its middle; 4 unless set.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Gaussian};
    /// assert_eq!(Gaussian::new(2.0).truncate(3.0).operator(1)?.kernel()?.taps.len(), 13);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn truncate(mut self, sigmas: f64) -> Self {
        self.extent = Extent::Truncate(sigmas);
        self
    }

    /// Ends the kernel this many samples from its middle.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Gaussian};
    /// assert_eq!(Gaussian::new(2.0).radius(3).operator(1)?.kernel()?.taps.len(), 7);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn radius(mut self, radius: usize) -> Self {
        self.extent = Extent::Radius(vec![radius]);
        self
    }

    /// The passes with these orders, one an axis, in place of the filter's own.
    pub(super) fn term(&self, orders: impl Fn(usize) -> usize, axes: usize) -> Result<Term> {
        kernels::filtered(axes)?.map(|axis| Ok(Pass::centred(axis, self.taps(orders(axis), axes, axis)?))).collect()
    }

    fn taps(&self, order: usize, axes: usize, axis: usize) -> Result<Vec<f64>> {
        let sigma = || Ok(per_axis("sigma", &self.sigma, axes, axis)?.unwrap_or(0.0));
        let odd = |multiple: f64, sigma: f64| {
            let taps = (multiple * sigma + 1.0).round_ties_even();
            if taps % 2.0 == 0.0 { taps / 2.0 } else { (taps - 1.0) / 2.0 }
        };
        match &self.extent {
            Extent::Truncate(sigmas) => {
                let (sigma, sigmas) = (at_least("sigma", 0.0, sigma()?)?, at_least("truncate", 0.0, *sigmas)?);
                kernels::gaussian(sigma, order, (sigmas * sigma + 0.5).floor())
            }
            Extent::Radius(radius) => {
                let radius = per_axis("radius", radius, axes, axis)?.unwrap_or(0);
                kernels::gaussian(sigma()?, order, radius as f64)
            }
            Extent::OpenCv { eight_bit } => {
                let sigma = sigma()?;
                kernels::gaussian(sigma, order, odd(if *eight_bit { 6.0 } else { 8.0 }, sigma))
            }
            Extent::OpenCvTaps(taps) => {
                let taps = per_axis("taps", taps, axes, axis)?.unwrap_or(1);
                if taps.is_multiple_of(2) {
                    return Err(Error::argument("taps", "an odd number of taps", taps));
                }
                match OPENCV_SMALL.get(taps / 2) {
                    Some(small) if order == 0 => Ok(small.to_vec()),
                    _ => kernels::gaussian(0.3 * ((taps as f64 - 1.0) * 0.5 - 1.0) + 0.8, order, (taps / 2) as f64),
                }
            }
        }
    }

    pub(super) fn boundary(&self) -> Boundary {
        match self.extent {
            Extent::Truncate(_) | Extent::Radius(_) => Boundary::Symmetric,
            Extent::OpenCv { .. } | Extent::OpenCvTaps(_) => Boundary::Mirror,
        }
    }

    pub(super) fn read(from: &mut Parameters<'_>) -> Result<Self> {
        let taps = from.list("taps")?;
        let mut this = match (from.list("sigma")?, taps) {
            (Some(_), Some(_)) => return Err(from.wrong("taps", "either taps or sigma", "both")),
            (sigma, None) => Self::per_axis(&sigma.unwrap_or(vec![1.0])),
            (None, Some(taps)) => Self { sigma: Vec::new(), extent: Extent::OpenCvTaps(taps), ..Self::per_axis(&[]) },
        };
        this.order = from.list("order")?.unwrap_or(vec![0]);
        let sizes = [from.one("truncate")?.map(Extent::Truncate), from.list("radius")?.map(Extent::Radius)];
        let preset = match from.text("size") {
            None => None,
            Some("opencv") => Some(Extent::OpenCv { eight_bit: false }),
            Some("opencv8") => Some(Extent::OpenCv { eight_bit: true }),
            Some(other) => return Err(from.wrong("size", "opencv or opencv8", other)),
        };
        let mut sizes = sizes.into_iter().flatten().chain(preset);
        if let Some(extent) = sizes.next() {
            if sizes.next().is_some() || matches!(this.extent, Extent::OpenCvTaps(_)) {
                return Err(from.wrong("size", "one of taps, truncate, radius and size", "several"));
            }
            this.extent = extent;
        }
        Ok(this)
    }

    pub(super) fn write(&self, to: &mut Writer<'_, '_>) -> std::fmt::Result {
        if !self.sigma.is_empty() {
            to.list("sigma", &self.sigma)?;
        }
        if self.order != [0] {
            to.list("order", &self.order)?;
        }
        match &self.extent {
            Extent::Truncate(TRUNCATE) => Ok(()),
            Extent::Truncate(sigmas) => to.list("truncate", &[*sigmas]),
            Extent::Radius(radius) => to.list("radius", radius),
            Extent::OpenCv { eight_bit } => to.text("size", if *eight_bit { "opencv8" } else { "opencv" }),
            Extent::OpenCvTaps(taps) => to.list("taps", taps),
        }
    }
}

impl Design for Gaussian {
    fn operator(&self, axes: usize) -> Result<Operator> {
        let mut orders = Vec::new();
        for axis in kernels::filtered(axes)? {
            orders.push(per_axis("order", &self.order, axes, axis)?.unwrap_or(0));
        }
        let operator = Operator::linear(axes, vec![self.term(|axis| orders[axis], axes)?], self.boundary());
        Ok(if orders.iter().any(|&order| order > 0) { operator.into_derivative() } else { operator })
    }
}

/// The difference of two Gaussians, a bandpass that approximates the Laplacian of one:
/// `skimage.filters.difference_of_gaussians`.
///
/// ```
/// use faltung::filter::named::{Design, DifferenceOfGaussians};
/// use faltung::ndarray::array;
///
/// let y = DifferenceOfGaussians::new(1.0, 1.6).apply(&array![0.0, 0.0, 1.0, 0.0, 0.0])?;
/// assert!(y[2] > 0.1 && y[0] < 0.0);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct DifferenceOfGaussians {
    low: f64,
    high: f64,
}

impl DifferenceOfGaussians {
    /// The Gaussian of sigma `low` less that of sigma `high`, in samples; 1.6 times `low` comes near the Laplacian.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, DifferenceOfGaussians};
    /// assert!(DifferenceOfGaussians::new(1.0, 1.6).operator(2)?.is_derivative());
    /// assert!(DifferenceOfGaussians::new(1.6, 1.0).operator(2).is_err());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(low: f64, high: f64) -> Self {
        Self { low, high }
    }

    pub(super) fn read(from: &mut Parameters<'_>) -> Result<Self> {
        let low = from.one("low")?.unwrap_or(1.0);
        Ok(Self { low, high: from.one("high")?.unwrap_or(1.6 * low) })
    }

    pub(super) fn write(&self, to: &mut Writer<'_, '_>) -> std::fmt::Result {
        to.list("low", &[self.low])?;
        to.list("high", &[self.high])
    }
}

impl Design for DifferenceOfGaussians {
    fn operator(&self, axes: usize) -> Result<Operator> {
        if self.high < self.low {
            return Err(Error::argument("high", format!("a sigma of at least low, {}", self.low), self.high));
        }
        let low = Gaussian::new(self.low).term(|_| 0, axes)?;
        let high = Gaussian::new(self.high).term(|_| 0, axes)?;
        let terms: Linear = vec![low, scaled(high, -1.0)];
        // scikit-image extends by the nearest sample.
        Ok(Operator::linear(axes, terms, Boundary::Nearest))
    }
}
