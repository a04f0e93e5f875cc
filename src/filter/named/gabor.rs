//! Oriented ripples.

use ndarray::Array2;

use super::design::Design;
use super::kernels::{MAX_TAPS, at_least};
use super::operator::{Operator, Taps};
use super::parameters::{Parameters, Writer};
use crate::error::{Error, Result};

/// A plane wave under a Gaussian, which answers to stripes of its wavelength and direction: `cv2.getGaborKernel` with a
/// kernel that reaches three sigmas.
///
/// `exp(-(u² + γ² v²) / 2σ²) · cos(2π u / λ + ψ)`, where `u` runs at the angle θ against the columns' direction (so that
/// an angle of 0 answers to vertical stripes) and `v` across it. For two filtered axes; the taps are not normalised.
/// The default boundary is OpenCV's, mirror.
///
/// ```
/// use faltung::filter::named::{Design, Gabor};
/// use faltung::ndarray::Array2;
///
/// let stripes = Array2::from_shape_fn((40, 40), |(_, j)| if j % 8 < 4 { 1.0 } else { -1.0 });
/// let (along, across) = (Gabor::new(3.0, 0.0, 8.0), Gabor::new(3.0, 90.0, 8.0));
/// let energy = |gabor: Gabor| Ok::<_, faltung::Error>(gabor.apply(&stripes)?.mapv(|v: f64| v * v).sum());
/// assert!(energy(along)? > 100.0 * energy(across)?);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Gabor {
    sigma: f64,
    angle: f64,
    wavelength: f64,
    aspect: f64,
    phase: f64,
}

impl Gabor {
    /// A ripple of this sigma and wavelength in samples, at an angle in degrees; as wide as it is long (γ = 1), and in
    /// cosine phase (ψ = 0).
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Gabor};
    /// assert_eq!(Gabor::new(2.0, 0.0, 5.0).operator(2)?.kernel()?.taps[[6, 6]], 1.0);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(sigma: f64, angle: f64, wavelength: f64) -> Self {
        Self { sigma, angle, wavelength, aspect: 1.0, phase: 0.0 }
    }

    /// The ratio γ of the Gaussian's width along the wave to that across it; 1 unless set.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Gabor};
    /// assert_eq!(Gabor::new(2.0, 0.0, 5.0).aspect(0.5).operator(2)?.kernel()?.taps.shape(), [25, 13]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn aspect(mut self, aspect: f64) -> Self {
        self.aspect = aspect;
        self
    }

    /// The phase ψ of the wave in its middle, in degrees; 0 unless set, an even kernel, and 90 an odd one.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Gabor};
    /// assert!(Gabor::new(2.0, 0.0, 5.0).phase(90.0).operator(2)?.is_derivative());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn phase(mut self, phase: f64) -> Self {
        self.phase = phase;
        self
    }

    pub(super) fn read(from: &mut Parameters<'_>) -> Result<Self> {
        let (sigma, angle) = (from.one("sigma")?.unwrap_or(3.0), from.one("angle")?.unwrap_or(0.0));
        let this = Self::new(sigma, angle, from.one("wavelength")?.unwrap_or(8.0));
        Ok(this.aspect(from.one("aspect")?.unwrap_or(1.0)).phase(from.one("phase")?.unwrap_or(0.0)))
    }

    pub(super) fn write(&self, to: &mut Writer<'_, '_>) -> std::fmt::Result {
        to.list("sigma", &[self.sigma])?;
        to.list("angle", &[self.angle])?;
        to.list("wavelength", &[self.wavelength])?;
        for (name, value, default) in [("aspect", self.aspect, 1.0), ("phase", self.phase, 0.0)] {
            if value != default {
                to.list(name, &[value])?;
            }
        }
        Ok(())
    }
}

impl Design for Gabor {
    fn operator(&self, axes: usize) -> Result<Operator> {
        if axes != 2 {
            return Err(Error::argument("axes", "two filtered axes, rows and columns", axes));
        }
        for (name, value) in [("sigma", self.sigma), ("wavelength", self.wavelength), ("aspect", self.aspect)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::argument(name, "a finite number above 0", value));
            }
        }
        for (name, degrees) in [("angle", self.angle), ("phase", self.phase)] {
            at_least(name, -360.0, degrees)?;
        }
        let (sin, cos) = self.angle.to_radians().sin_cos();
        // Three sigmas along both diameters, turned.
        let (long, wide) = (3.0 * self.sigma, 3.0 * self.sigma / self.aspect);
        let [rows, columns] =
            [(long * sin).abs().max((wide * cos).abs()), (long * cos).abs().max((wide * sin).abs())].map(f64::round);
        let size = (2.0 * rows + 1.0) * (2.0 * columns + 1.0);
        if size.is_nan() || size > MAX_TAPS as f64 {
            return Err(Error::argument("sigma", format!("a kernel of at most {MAX_TAPS} taps"), self.sigma));
        }
        let taps = Array2::from_shape_fn((2 * rows as usize + 1, 2 * columns as usize + 1), |(i, j)| {
            // OpenCV fills the kernel from its end, so that the wave runs against the axes.
            let (y, x) = (rows - i as f64, columns - j as f64);
            let (u, v) = (x * cos + y * sin, y * cos - x * sin);
            let envelope = (-0.5 * (u * u + (self.aspect * v).powi(2)) / (self.sigma * self.sigma)).exp();
            envelope * (std::f64::consts::TAU * u / self.wavelength + self.phase.to_radians()).cos()
        });
        Operator::dense(Taps { taps: taps.into_dyn(), anchor: vec![rows as usize, columns as usize] })
    }
}
