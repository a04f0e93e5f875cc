//! The fixed kernels of `PIL.ImageFilter`.

use ndarray::Array2;

use super::design::Design;
use super::operator::{Operator, Taps};
use crate::error::{Error, Result};
use crate::problem::Boundary;

/// The 3 x 3 and 5 x 5 kernels of `PIL.ImageFilter`, for two filtered axes: rows and columns.
///
/// Pillow copies the samples at the edges that its kernel does not fit around; here the [boundary](Boundary) stands
/// there, the nearest sample unless told otherwise. What Pillow adds to 8-bit results is the operator's
/// [offset](Operator::offset).
///
/// ```
/// use faltung::filter::named::{Design, Stencil};
/// use faltung::ndarray::array;
///
/// let y = Stencil::Sharpen.apply(&array![[0.0, 0.0, 0.0], [0.0, 16.0, 0.0], [0.0, 0.0, 0.0]])?;
/// assert_eq!(y, array![[-2.0, -2.0, -2.0], [-2.0, 32.0, -2.0], [-2.0, -2.0, -2.0]]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stencil {
    /// `BLUR`: the mean over a 5 x 5 ring.
    Blur,
    /// `CONTOUR`: eight times the sample less its neighbours, on white.
    Contour,
    /// `DETAIL`: sharpens by the four nearest neighbours.
    Detail,
    /// `EDGE_ENHANCE`: sharpens by all eight neighbours.
    EdgeEnhance,
    /// `EDGE_ENHANCE_MORE`: the same, twice as strong.
    EdgeEnhanceMore,
    /// `EMBOSS`: the sample less its neighbour below to the left, on grey.
    Emboss,
    /// `FIND_EDGES`: eight times the sample less its neighbours.
    FindEdges,
    /// `SHARPEN`: sharpens softly by all eight neighbours.
    Sharpen,
    /// `SMOOTH`: a mean over 3 x 3 samples, the middle five times.
    Smooth,
    /// `SMOOTH_MORE`: a mean over 5 x 5 samples that falls off.
    SmoothMore,
}

impl Stencil {
    /// Every one of them.
    ///
    /// ```
    /// use faltung::filter::named::{Design, Stencil};
    /// for stencil in Stencil::ALL {
    ///     let operator = stencil.operator(2)?;
    ///     assert!(operator.is_normalised() || operator.is_derivative());
    /// }
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub const ALL: [Self; 10] = [
        Self::Blur,
        Self::Contour,
        Self::Detail,
        Self::EdgeEnhance,
        Self::EdgeEnhanceMore,
        Self::Emboss,
        Self::FindEdges,
        Self::Sharpen,
        Self::Smooth,
        Self::SmoothMore,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Blur => "blur",
            Self::Contour => "contour",
            Self::Detail => "detail",
            Self::EdgeEnhance => "edge_enhance",
            Self::EdgeEnhanceMore => "edge_enhance_more",
            Self::Emboss => "emboss",
            Self::FindEdges => "find_edges",
            Self::Sharpen => "sharpen",
            Self::Smooth => "smooth",
            Self::SmoothMore => "smooth_more",
        }
    }

    /// The kernel before it is divided by a scale, by rings from the middle: the middle, the four nearest, the four at
    /// the corners, and the ring around them.
    fn rings(self) -> ([f64; 4], f64) {
        match self {
            Self::Blur => ([0.0, 0.0, 0.0, 1.0], 16.0),
            Self::Contour | Self::FindEdges => ([8.0, -1.0, -1.0, 0.0], 1.0),
            Self::Detail => ([10.0, -1.0, 0.0, 0.0], 6.0),
            Self::EdgeEnhance => ([10.0, -1.0, -1.0, 0.0], 2.0),
            Self::EdgeEnhanceMore => ([9.0, -1.0, -1.0, 0.0], 1.0),
            Self::Emboss => ([1.0, 0.0, 0.0, 0.0], 1.0),
            Self::Sharpen => ([32.0, -2.0, -2.0, 0.0], 16.0),
            Self::Smooth => ([5.0, 1.0, 1.0, 0.0], 13.0),
            Self::SmoothMore => ([44.0, 5.0, 5.0, 1.0], 100.0),
        }
    }
}

impl Design for Stencil {
    fn operator(&self, axes: usize) -> Result<Operator> {
        if axes != 2 {
            return Err(Error::argument("axes", "two filtered axes, rows and columns", axes));
        }
        let (rings, scale) = self.rings();
        let reach = if rings[3] == 0.0 { 1 } else { 2 };
        let mut taps = Array2::from_shape_fn((2 * reach + 1, 2 * reach + 1), |(i, j)| {
            let ring = match (i.abs_diff(reach), j.abs_diff(reach)) {
                (0, 0) => 0,
                (0, 1) | (1, 0) => 1,
                (1, 1) => 2,
                _ => 3,
            };
            rings[ring] / scale
        });
        if *self == Self::Emboss {
            // Pillow lays the first row of a kernel over the row below.
            taps[[2, 0]] = -1.0;
        }
        let offset = match self {
            Self::Emboss => 128.0,
            Self::Contour => 255.0,
            _ => 0.0,
        };
        let operator = Operator::dense(Taps { taps: taps.into_dyn(), anchor: vec![reach; 2] })?;
        Ok(Operator { boundary: Boundary::Nearest, offset, ..operator })
    }
}
