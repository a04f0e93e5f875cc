//! Means over boxes.

use super::design::Design;
use super::kernels::{self, at_least};
use super::operator::{Operator, Pass};
use super::parameters::{Parameters, Writer};
use crate::error::{Error, Result};
use crate::filter::settings::per_axis;
use crate::problem::Boundary;

/// The mean over a box: `scipy.ndimage.uniform_filter`, `cv2.blur`.
///
/// Of an even size the window reaches one sample further before than behind, in both libraries. The default boundary
/// is SciPy's, symmetric.
///
/// ```
/// use faltung::filter::named::{BoxBlur, Design};
/// use faltung::ndarray::array;
///
/// let x = array![[9.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 18.0]];
/// assert_eq!(BoxBlur::new(3).apply(&x)?[[1, 1]], 3.0);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BoxBlur {
    size: Vec<usize>,
    origin: Vec<isize>,
}

impl BoxBlur {
    /// The mean over `size` samples along every axis.
    ///
    /// ```
    /// # use faltung::filter::named::{BoxBlur, Design};
    /// assert_eq!(BoxBlur::new(5).operator(2)?.kernel()?.taps.shape(), [5, 5]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(size: usize) -> Self {
        Self::per_axis(&[size])
    }

    /// The mean over a box with an extent for each filtered axis.
    ///
    /// ```
    /// # use faltung::filter::named::{BoxBlur, Design};
    /// assert_eq!(BoxBlur::per_axis(&[3, 5]).operator(2)?.kernel()?.taps.shape(), [3, 5]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn per_axis(size: &[usize]) -> Self {
        Self { size: size.to_vec(), origin: vec![0] }
    }

    /// Moves the window against the axes by so many samples, as SciPy's `origin`.
    ///
    /// ```
    /// use faltung::filter::named::{BoxBlur, Design};
    /// use faltung::ndarray::array;
    /// // The sample itself and the two behind it.
    /// assert_eq!(BoxBlur::new(3).origin(-1).apply(&array![3.0, 6.0, 9.0, 0.0])?[0], 6.0);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn origin(mut self, origin: isize) -> Self {
        self.origin = vec![origin];
        self
    }

    pub(super) fn read(from: &mut Parameters<'_>) -> Result<Self> {
        Ok(Self { size: from.list("size")?.unwrap_or(vec![3]), origin: from.list("origin")?.unwrap_or(vec![0]) })
    }

    pub(super) fn write(&self, to: &mut Writer<'_, '_>) -> std::fmt::Result {
        to.list("size", &self.size)?;
        if self.origin != [0] { to.list("origin", &self.origin) } else { Ok(()) }
    }
}

impl Design for BoxBlur {
    fn operator(&self, axes: usize) -> Result<Operator> {
        let mut term = Vec::new();
        for axis in kernels::filtered(axes)? {
            let size = per_axis("size", &self.size, axes, axis)?.unwrap_or(1);
            let origin = per_axis("origin", &self.origin, axes, axis)?.unwrap_or(0);
            let taps = kernels::mean(size)?;
            let anchor = (size / 2).checked_add_signed(origin).filter(|&anchor| anchor < size);
            let Some(anchor) = anchor else {
                let expected = format!("a window of {size} samples that holds the output's own");
                return Err(Error::argument("origin", expected, origin));
            };
            term.push(Pass::new(axis, taps, anchor));
        }
        Ok(Operator::linear(axes, vec![term], Boundary::Symmetric))
    }
}

/// A box of a fractional radius, repeated: Pillow's `BoxBlur` and its `GaussianBlur`.
///
/// The samples at the two ends of the box count in part, so that the variance can be any. Three such boxes come close
/// to a Gaussian (P. Gwosdek, S. Grewenig, A. Bruhn, J. Weickert, *Theoretical foundations of Gaussian convolution by
/// extended box filtering*, 2011). The default boundary is Pillow's, the nearest sample, which extends the data anew
/// before each box. Pillow rounds to 8 bits after each box; here nothing is rounded.
///
/// ```
/// use faltung::filter::named::{Design, ExtendedBox};
/// use faltung::ndarray::array;
///
/// // ImageFilter.BoxBlur(0.5): half of each neighbour.
/// assert_eq!(ExtendedBox::new(0.5).apply(&array![0.0, 4.0, 0.0])?, array![1.0, 2.0, 1.0]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ExtendedBox {
    width: Width,
    passes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Width {
    Radius(f64),
    Sigma(f64),
}

/// More boxes than this are no closer to a Gaussian.
const MAX_PASSES: usize = 64;

impl ExtendedBox {
    /// The mean over `2 * radius + 1` samples along every axis; `PIL.ImageFilter.BoxBlur`.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, ExtendedBox};
    /// assert_eq!(ExtendedBox::new(1.0).operator(2)?.kernel()?.taps.shape(), [3, 3]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(radius: f64) -> Self {
        Self { width: Width::Radius(radius), passes: 1 }
    }

    /// Three boxes with the variance of a Gaussian of this sigma, which Pillow calls a radius;
    /// `PIL.ImageFilter.GaussianBlur`.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, ExtendedBox};
    /// let kernel = ExtendedBox::gaussian(2.0).operator(1)?.kernel()?.taps;
    /// let variance: f64 = kernel.iter().zip(-6i32..).map(|(tap, x)| tap * f64::from(x * x)).sum();
    /// assert!((variance - 4.0).abs() < 1e-12);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn gaussian(sigma: f64) -> Self {
        Self { width: Width::Sigma(sigma), passes: 3 }
    }

    /// Repeats the box so many times.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, ExtendedBox};
    /// assert_eq!(ExtendedBox::new(1.0).passes(2).operator(1)?.kernel()?.taps.len(), 5);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn passes(mut self, passes: usize) -> Self {
        self.passes = passes;
        self
    }

    pub(super) fn read_box(from: &mut Parameters<'_>) -> Result<Self> {
        let this = Self::new(from.one("radius")?.unwrap_or(1.0));
        Ok(this.passes(from.one("passes")?.unwrap_or(1)))
    }

    pub(super) fn read_gaussian(from: &mut Parameters<'_>) -> Result<Self> {
        let this = Self::gaussian(from.one("sigma")?.unwrap_or(1.0));
        Ok(this.passes(from.one("passes")?.unwrap_or(3)))
    }

    /// The name in the notation, which tells a radius from a sigma.
    pub(super) fn name(&self) -> &'static str {
        match self.width {
            Width::Radius(_) => "extended_box",
            Width::Sigma(_) => "extended_box_gaussian",
        }
    }

    pub(super) fn write(&self, to: &mut Writer<'_, '_>) -> std::fmt::Result {
        let passes = match self.width {
            Width::Radius(radius) => to.list("radius", &[radius]).map(|()| 1),
            Width::Sigma(sigma) => to.list("sigma", &[sigma]).map(|()| 3),
        }?;
        if self.passes != passes { to.list("passes", &[self.passes]) } else { Ok(()) }
    }
}

impl Design for ExtendedBox {
    fn operator(&self, axes: usize) -> Result<Operator> {
        if self.passes == 0 || self.passes > MAX_PASSES {
            return Err(Error::argument("passes", format!("1 to {MAX_PASSES}"), self.passes));
        }
        let radius = match self.width {
            Width::Radius(radius) => radius,
            Width::Sigma(sigma) => kernels::extended_radius(at_least("sigma", 0.0, sigma)?, self.passes),
        };
        let taps = kernels::extended_box(radius)?;
        if taps.len() * self.passes > kernels::MAX_TAPS {
            let expected = format!("repetitions of a box with at most {} taps in all", kernels::MAX_TAPS);
            return Err(Error::argument("passes", expected, self.passes));
        }
        let passes = kernels::filtered(axes)?.flat_map(|axis| (0..self.passes).map(move |_| axis));
        let term = passes.map(|axis| Pass::centred(axis, taps.clone())).collect();
        Ok(Operator::linear(axes, vec![term], Boundary::Nearest))
    }
}
