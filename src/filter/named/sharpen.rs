//! Unsharp masks.

use super::design::Design;
use super::gaussian::Gaussian;
use super::kernels::at_least;
use super::operator::{Combination, Operator};
use super::parameters::{Parameters, Writer};
use super::smooth::ExtendedBox;
use crate::error::{Error, Result};

/// An unsharp mask: `x + amount * (x - blur(x))`, where the difference exceeds a threshold, else `x`.
///
/// [`new`](Self::new) is `skimage.filters.unsharp_mask` without its clipping, [`pillow`](Self::pillow)
/// `PIL.ImageFilter.UnsharpMask` without its rounding to 8 bits. With a threshold of 0 the filter is linear.
///
/// ```
/// use faltung::filter::named::{Design, Unsharp};
/// use faltung::ndarray::array;
///
/// let y = Unsharp::new(1.0, 1.0).apply(&array![0.0, 0.0, 0.0, 1.0, 1.0, 1.0])?;
/// assert!(y[2] < 0.0 && y[3] > 1.0);
/// // Differences of up to a half are left alone.
/// let y = Unsharp::new(1.0, 1.0).threshold(0.5).apply(&array![0.0, 0.0, 0.0, 1.0, 1.0, 1.0])?;
/// assert_eq!(y, array![0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Unsharp {
    blur: Blur,
    amount: f64,
    threshold: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Blur {
    Gaussian(f64),
    Boxes(f64),
}

impl Unsharp {
    /// The mask of a Gaussian of this sigma, in samples, and an amount of 1 or so.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Unsharp};
    /// assert!(Unsharp::new(1.0, 1.5).operator(2)?.kernel()?.taps[[4, 4]] > 1.0);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(sigma: f64, amount: f64) -> Self {
        Self { blur: Blur::Gaussian(sigma), amount, threshold: 0.0 }
    }

    /// Pillow's mask: three boxes of this sigma, which Pillow calls a radius, and an amount in percent.
    ///
    /// ```
    /// # use faltung::{Boundary, filter::named::{Design, Unsharp}};
    /// assert_eq!(Unsharp::pillow(2.0, 150.0).operator(2)?.boundary(), Boundary::Nearest);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn pillow(radius: f64, percent: f64) -> Self {
        Self { blur: Blur::Boxes(radius), amount: percent / 100.0, threshold: 0.0 }
    }

    /// The largest difference from the blur that is left alone, in units of the data; 0 unless set.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Unsharp};
    /// assert!(!Unsharp::new(1.0, 1.5).threshold(3.0).operator(2)?.is_linear());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// The name in the notation.
    pub(super) fn name(&self) -> &'static str {
        match self.blur {
            Blur::Gaussian(_) => "unsharp",
            Blur::Boxes(_) => "pillow_unsharp",
        }
    }

    pub(super) fn read(from: &mut Parameters<'_>) -> Result<Self> {
        let this = Self::new(from.one("sigma")?.unwrap_or(1.0), from.one("amount")?.unwrap_or(1.0));
        Ok(this.threshold(from.one("threshold")?.unwrap_or(0.0)))
    }

    pub(super) fn read_pillow(from: &mut Parameters<'_>) -> Result<Self> {
        let (radius, amount) = (from.one("radius")?.unwrap_or(2.0), from.one("amount")?.unwrap_or(1.5));
        Ok(Self { blur: Blur::Boxes(radius), amount, threshold: from.one("threshold")?.unwrap_or(0.0) })
    }

    pub(super) fn write(&self, to: &mut Writer<'_, '_>) -> std::fmt::Result {
        match self.blur {
            Blur::Gaussian(sigma) => to.list("sigma", &[sigma])?,
            Blur::Boxes(radius) => to.list("radius", &[radius])?,
        }
        to.list("amount", &[self.amount])?;
        if self.threshold != 0.0 { to.list("threshold", &[self.threshold]) } else { Ok(()) }
    }
}

impl Design for Unsharp {
    fn operator(&self, axes: usize) -> Result<Operator> {
        if !self.amount.is_finite() {
            return Err(Error::argument("amount", "a finite number", self.amount));
        }
        let blur = match self.blur {
            Blur::Gaussian(sigma) => Gaussian::new(sigma).operator(axes)?,
            Blur::Boxes(radius) => ExtendedBox::gaussian(radius).operator(axes)?,
        };
        let threshold = at_least("threshold", 0.0, self.threshold)?;
        Ok(blur.combined(Combination::Unsharp { amount: self.amount, threshold }))
    }
}
