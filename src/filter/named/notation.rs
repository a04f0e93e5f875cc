//! Filters by name.

use std::fmt;
use std::str::FromStr;

use super::derivative::{Derivative, GradientMagnitude, Laplace};
use super::design::Design;
use super::gabor::Gabor;
use super::gaussian::{DifferenceOfGaussians, Gaussian};
use super::operator::Operator;
use super::parameters::{Parameters, Writer};
use super::sharpen::Unsharp;
use super::smooth::{BoxBlur, ExtendedBox};
use super::stencil::Stencil;
use crate::error::{Error, Result};

/// Any of the named filters, written as `name` or `name:key=value,…`; values for each axis have an `x` between them.
///
/// ```
/// use faltung::filter::named::{Design, Named};
/// use faltung::ndarray::Array2;
///
/// let filter: Named = "gaussian:sigma=2x0.5,truncate=3".parse()?;
/// assert_eq!(filter.to_string(), "gaussian:sigma=2x0.5,truncate=3");
/// assert_eq!(filter.operator(2)?.kernel()?.taps.shape(), [13, 5]);
///
/// let edges: Named = "sobel_magnitude".parse()?;
/// assert_eq!(edges.apply(&Array2::<f32>::ones((8, 8)))?, Array2::<f32>::zeros((8, 8)));
///
/// for filter in Named::all() {
///     println!("{:<28} {}", filter.name(), filter.description());
/// }
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Named {
    /// `gaussian`
    Gaussian(Gaussian),
    /// `box`
    Box(BoxBlur),
    /// `extended_box`, `extended_box_gaussian`
    ExtendedBox(ExtendedBox),
    /// `sobel`, `prewitt`, `scharr`
    Derivative(Derivative),
    /// `sobel_magnitude`, `prewitt_magnitude`, `scharr_magnitude`, `gaussian_gradient_magnitude`
    GradientMagnitude(GradientMagnitude),
    /// `laplace`, `gaussian_laplace`
    Laplace(Laplace),
    /// `difference_of_gaussians`
    DifferenceOfGaussians(DifferenceOfGaussians),
    /// `unsharp`, `pillow_unsharp`
    Unsharp(Unsharp),
    /// `gabor`
    Gabor(Gabor),
    /// `blur`, `sharpen`, `emboss` and Pillow's other ones
    Stencil(Stencil),
}

/// What is known of a name.
struct Entry {
    name: &'static str,
    description: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    read: fn(&mut Parameters<'_>) -> Result<Named>,
}

const GAUSSIAN: &[(&str, &str)] = &[
    ("sigma", "in samples, one or one an axis (1)"),
    ("order", "of the derivative, one or one an axis (0)"),
    ("truncate", "where the kernel ends, in sigmas (4)"),
    ("radius", "where the kernel ends, in samples, one or one an axis"),
    ("size", "opencv or opencv8: where OpenCV's kernel for floats or for 8 bits ends"),
    ("taps", "OpenCV's ksize, in place of sigma"),
];
const SMOOTHED: &[(&str, &str)] = &[
    ("sigma", "in samples, one or one an axis (1)"),
    ("truncate", "where the kernel ends, in sigmas (4)"),
    ("radius", "where the kernel ends, in samples, one or one an axis"),
    ("size", "opencv or opencv8: where OpenCV's kernel for floats or for 8 bits ends"),
    ("taps", "OpenCV's ksize, in place of sigma"),
];
const AXIS: &[(&str, &str)] = &[("axis", "among the filtered ones, from 0 on (0)")];

/// The entry of a Pillow kernel.
macro_rules! stencil {
    ($stencil:ident, $name:literal, $description:literal) => {
        Entry {
            name: $name,
            description: $description,
            parameters: &[],
            read: |_| Ok(Named::Stencil(Stencil::$stencil)),
        }
    };
}

const CATALOGUE: &[Entry] = &[
    Entry {
        name: "gaussian",
        description: "Gaussian, or its derivatives (SciPy, OpenCV)",
        parameters: GAUSSIAN,
        read: |from| Gaussian::read(from).map(Named::Gaussian),
    },
    Entry {
        name: "box",
        description: "mean over a box (SciPy's uniform_filter, OpenCV's blur)",
        parameters: &[
            ("size", "in samples, one or one an axis (3)"),
            ("origin", "shift of the window against the axes (0)"),
        ],
        read: |from| BoxBlur::read(from).map(Named::Box),
    },
    Entry {
        name: "extended_box",
        description: "mean over a box of a fractional radius (Pillow's BoxBlur)",
        parameters: &[("radius", "in samples (1)"), ("passes", "repetitions (1)")],
        read: |from| ExtendedBox::read_box(from).map(Named::ExtendedBox),
    },
    Entry {
        name: "extended_box_gaussian",
        description: "repeated boxes with a Gaussian's variance (Pillow's GaussianBlur)",
        parameters: &[("sigma", "in samples, which Pillow calls radius (1)"), ("passes", "repetitions (3)")],
        read: |from| ExtendedBox::read_gaussian(from).map(Named::ExtendedBox),
    },
    Entry {
        name: "sobel",
        description: "Sobel's derivative along an axis (SciPy, OpenCV)",
        parameters: &[
            ("axis", "among the filtered ones, from 0 on (0)"),
            ("order", "of the derivative, one or one an axis, in place of an axis"),
            ("ksize", "taps, an odd number up to 31 (3)"),
        ],
        read: |from| Derivative::read_sobel(from).map(Named::Derivative),
    },
    Entry {
        name: "prewitt",
        description: "Prewitt's derivative along an axis (SciPy)",
        parameters: AXIS,
        read: |from| Derivative::read_prewitt(from).map(Named::Derivative),
    },
    Entry {
        name: "scharr",
        description: "Scharr's derivative along an axis (OpenCV)",
        parameters: AXIS,
        read: |from| Derivative::read_scharr(from).map(Named::Derivative),
    },
    Entry {
        name: "sobel_magnitude",
        description: "length of the gradient by Sobel's derivatives (SciPy)",
        parameters: &[],
        read: |_| Ok(Named::GradientMagnitude(GradientMagnitude::sobel())),
    },
    Entry {
        name: "prewitt_magnitude",
        description: "length of the gradient by Prewitt's derivatives (SciPy)",
        parameters: &[],
        read: |_| Ok(Named::GradientMagnitude(GradientMagnitude::prewitt())),
    },
    Entry {
        name: "scharr_magnitude",
        description: "length of the gradient by Scharr's derivatives",
        parameters: &[],
        read: |_| Ok(Named::GradientMagnitude(GradientMagnitude::scharr())),
    },
    Entry {
        name: "gaussian_gradient_magnitude",
        description: "length of the gradient of a Gaussian blur (SciPy)",
        parameters: SMOOTHED,
        read: |from| Gaussian::read(from).map(|by| Named::GradientMagnitude(GradientMagnitude::gaussian(by))),
    },
    Entry {
        name: "laplace",
        description: "Laplacian (SciPy, OpenCV)",
        parameters: &[("ksize", "taps, an odd number up to 31 (1)")],
        read: |from| Laplace::read(from).map(Named::Laplace),
    },
    Entry {
        name: "gaussian_laplace",
        description: "Laplacian of a Gaussian blur (SciPy)",
        parameters: SMOOTHED,
        read: |from| Gaussian::read(from).map(|by| Named::Laplace(Laplace::gaussian(by))),
    },
    Entry {
        name: "difference_of_gaussians",
        description: "a Gaussian less a wider one, a bandpass (scikit-image)",
        parameters: &[("low", "sigma of the narrow one, in samples (1)"), ("high", "of the wide one (1.6 times low)")],
        read: |from| DifferenceOfGaussians::read(from).map(Named::DifferenceOfGaussians),
    },
    Entry {
        name: "unsharp",
        description: "sharpens by what a Gaussian takes away (scikit-image)",
        parameters: &[
            ("sigma", "of the Gaussian, in samples (1)"),
            ("amount", "of what is added (1)"),
            ("threshold", "differences up to it are left alone (0)"),
        ],
        read: |from| Unsharp::read(from).map(Named::Unsharp),
    },
    Entry {
        name: "pillow_unsharp",
        description: "sharpens by what repeated boxes take away (Pillow's UnsharpMask)",
        parameters: &[
            ("radius", "sigma of the blur, in samples (2)"),
            ("amount", "of what is added, Pillow's percent / 100 (1.5)"),
            ("threshold", "differences up to it are left alone (0)"),
        ],
        read: |from| Unsharp::read_pillow(from).map(Named::Unsharp),
    },
    Entry {
        name: "gabor",
        description: "oriented ripple (OpenCV's getGaborKernel)",
        parameters: &[
            ("sigma", "of the Gaussian, in samples (3)"),
            ("angle", "in degrees, 0 for vertical stripes (0)"),
            ("wavelength", "in samples (8)"),
            ("aspect", "of the Gaussian, width along the wave to that across it (1)"),
            ("phase", "in degrees (0)"),
        ],
        read: |from| Gabor::read(from).map(Named::Gabor),
    },
    stencil!(Blur, "blur", "mean over a 5 x 5 ring (Pillow's BLUR)"),
    stencil!(Contour, "contour", "second differences, shown on white (Pillow's CONTOUR)"),
    stencil!(Detail, "detail", "sharpens by four neighbours (Pillow's DETAIL)"),
    stencil!(EdgeEnhance, "edge_enhance", "sharpens by eight neighbours (Pillow's EDGE_ENHANCE)"),
    stencil!(EdgeEnhanceMore, "edge_enhance_more", "the same, stronger (Pillow's EDGE_ENHANCE_MORE)"),
    stencil!(Emboss, "emboss", "diagonal difference, shown on grey (Pillow's EMBOSS)"),
    stencil!(FindEdges, "find_edges", "second differences (Pillow's FIND_EDGES)"),
    stencil!(Sharpen, "sharpen", "sharpens softly by eight neighbours (Pillow's SHARPEN)"),
    stencil!(Smooth, "smooth", "weighted mean over 3 x 3 (Pillow's SMOOTH)"),
    stencil!(SmoothMore, "smooth_more", "weighted mean over 5 x 5 (Pillow's SMOOTH_MORE)"),
];

impl Named {
    /// Every named filter with the parameters that it has unless told otherwise.
    ///
    /// ```
    /// use faltung::filter::named::Named;
    /// assert!(Named::all().any(|filter| filter.name() == "sobel"));
    /// ```
    pub fn all() -> impl Iterator<Item = Self> {
        CATALOGUE.iter().filter_map(|entry| entry.name.parse().ok())
    }

    /// The name, without parameters.
    ///
    /// ```
    /// # use faltung::filter::named::Named;
    /// assert_eq!("box:size=5".parse::<Named>()?.name(), "box");
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn name(&self) -> &'static str {
        match self {
            Self::Gaussian(_) => "gaussian",
            Self::Box(_) => "box",
            Self::ExtendedBox(filter) => filter.name(),
            Self::Derivative(filter) => filter.name(),
            Self::GradientMagnitude(filter) => filter.name(),
            Self::Laplace(filter) => filter.name(),
            Self::DifferenceOfGaussians(_) => "difference_of_gaussians",
            Self::Unsharp(filter) => filter.name(),
            Self::Gabor(_) => "gabor",
            Self::Stencil(filter) => filter.name(),
        }
    }

    /// What it does, in a line.
    ///
    /// ```
    /// # use faltung::filter::named::Named;
    /// assert_eq!("laplace".parse::<Named>()?.description(), "Laplacian (SciPy, OpenCV)");
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn description(&self) -> &'static str {
        self.entry().map_or("", |entry| entry.description)
    }

    /// The keys of its parameters, each with its meaning and, in parentheses, its value unless given.
    ///
    /// ```
    /// # use faltung::filter::named::Named;
    /// let parameters = "laplace".parse::<Named>()?.parameters();
    /// assert_eq!(parameters, [("ksize", "taps, an odd number up to 31 (1)")]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn parameters(&self) -> &'static [(&'static str, &'static str)] {
        self.entry().map_or(&[], |entry| entry.parameters)
    }

    fn entry(&self) -> Option<&'static Entry> {
        CATALOGUE.iter().find(|entry| entry.name == self.name())
    }
}

impl FromStr for Named {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, list) = text.trim().split_once(':').unwrap_or((text.trim(), ""));
        let Some(entry) = CATALOGUE.iter().find(|entry| entry.name == name.trim()) else {
            let names: Vec<&str> = CATALOGUE.iter().map(|entry| entry.name).collect();
            return Err(Error::parse(text, format!("no filter of that name; there are {}", names.join(", "))));
        };
        (entry.read)(&mut Parameters::read(text, list, entry.parameters)?)
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let mut to = Writer::new(f);
        match self {
            Self::Gaussian(filter) => filter.write(&mut to),
            Self::Box(filter) => filter.write(&mut to),
            Self::ExtendedBox(filter) => filter.write(&mut to),
            Self::Derivative(filter) => filter.write(&mut to),
            Self::GradientMagnitude(filter) => filter.write(&mut to),
            Self::Laplace(filter) => filter.write(&mut to),
            Self::DifferenceOfGaussians(filter) => filter.write(&mut to),
            Self::Unsharp(filter) => filter.write(&mut to),
            Self::Gabor(filter) => filter.write(&mut to),
            Self::Stencil(_) => Ok(()),
        }
    }
}

impl Design for Named {
    fn operator(&self, axes: usize) -> Result<Operator> {
        match self {
            Self::Gaussian(filter) => filter.operator(axes),
            Self::Box(filter) => filter.operator(axes),
            Self::ExtendedBox(filter) => filter.operator(axes),
            Self::Derivative(filter) => filter.operator(axes),
            Self::GradientMagnitude(filter) => filter.operator(axes),
            Self::Laplace(filter) => filter.operator(axes),
            Self::DifferenceOfGaussians(filter) => filter.operator(axes),
            Self::Unsharp(filter) => filter.operator(axes),
            Self::Gabor(filter) => filter.operator(axes),
            Self::Stencil(filter) => filter.operator(axes),
        }
    }
}
