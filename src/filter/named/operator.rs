//! Linear filters as sums of separable products, and what is made of several of them.

use ndarray::{Array1, ArrayD, IxDyn, Slice};

use super::kernels::MAX_TAPS;
use crate::error::{Error, Result};
use crate::filter::Convolution;
use crate::plan::Algorithm;
use crate::problem::{Boundary, Mode};

/// A dense kernel with its anchor.
///
/// It is correlated: `y[o] = Σ_t taps[t] · x[o + t - anchor]`.
///
/// ```
/// use faltung::filter::named::{Design, Derivative};
///
/// let kernel = Derivative::sobel(1).operator(2)?.kernel()?;
/// assert_eq!(kernel.taps.as_slice(), Some(&[-1.0, 0.0, 1.0, -2.0, 0.0, 2.0, -1.0, 0.0, 1.0][..]));
/// assert_eq!(kernel.anchor, [1, 1]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Taps {
    /// The taps.
    pub taps: ArrayD<f64>,
    /// The tap that lies over the output's own sample: an index an axis.
    pub anchor: Vec<usize>,
}

/// One correlation, along one axis or several at once.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pass {
    /// Counted among the filtered axes.
    pub(super) axes: Vec<usize>,
    pub(super) kernel: Taps,
}

/// A product of correlations: one after the other. An empty one is the identity.
pub(super) type Term = Vec<Pass>;

/// A linear filter: the sum of its terms.
pub(super) type Linear = Vec<Term>;

/// What is made of the results of the linear filters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Combination {
    /// There is one, and its result stands.
    Alone,
    /// The root of the sum of their squares.
    Magnitude,
    /// There is one, a blur; what it takes away is added `amount` times where it exceeds the threshold.
    Unsharp { amount: f64, threshold: f64 },
}

/// A filter made up for so many filtered axes: linear filters, each a sum of separable products, and what is made of
/// their results.
///
/// Every [`Design`](super::Design) makes one; [`dense`](Self::dense) makes one of any kernel.
///
/// ```
/// use faltung::filter::named::{Design, Gaussian};
///
/// let blur = Gaussian::new(1.0).operator(2)?;
/// assert!(blur.is_normalised() && blur.is_linear());
/// assert_eq!(blur.kernel()?.taps.shape(), [9, 9]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Operator {
    pub(super) axes: usize,
    pub(super) parts: Vec<Linear>,
    pub(super) combination: Combination,
    pub(super) boundary: Boundary,
    pub(super) offset: f64,
    /// Whether constants vanish but for what a kernel's cut-off leaves of them.
    pub(super) derivative: bool,
}

impl Pass {
    /// A one-dimensional kernel with a factor.
    pub(super) fn new(axis: usize, taps: Vec<f64>, anchor: usize) -> Self {
        Self { axes: vec![axis], kernel: Taps { taps: Array1::from(taps).into_dyn(), anchor: vec![anchor] } }
    }

    /// A one-dimensional kernel of an odd number of taps around its middle.
    pub(super) fn centred(axis: usize, taps: Vec<f64>) -> Self {
        let anchor = taps.len() / 2;
        Self::new(axis, taps, anchor)
    }

    fn scaled(mut self, factor: f64) -> Self {
        self.kernel.taps.mapv_inplace(|tap| tap * factor);
        self
    }

    fn is_identity(&self) -> bool {
        self.kernel.taps.len() == 1 && self.kernel.taps.iter().all(|&tap| tap == 1.0)
    }

    fn gain(&self) -> f64 {
        self.kernel.taps.sum()
    }
}

/// The term with a factor in front.
pub(super) fn scaled(term: Term, factor: f64) -> Term {
    let mut passes = term.into_iter();
    let first = passes.next().unwrap_or_else(|| Pass::new(0, vec![1.0], 0)).scaled(factor);
    std::iter::once(first).chain(passes).collect()
}

impl Operator {
    pub(super) fn new(axes: usize, parts: Vec<Linear>, combination: Combination, boundary: Boundary) -> Self {
        let without_identities = |term: Term| term.into_iter().filter(|pass| !pass.is_identity()).collect();
        let parts = parts.into_iter().map(|terms| terms.into_iter().map(without_identities).collect()).collect();
        let mut this = Self { axes, parts, combination, boundary, offset: 0.0, derivative: false };
        let size =
            |linear: &Linear| -> f64 { linear.iter().map(|term| term.iter().map(magnitude).product::<f64>()).sum() };
        this.derivative = this.gain().abs() <= 1e-9 * this.parts.iter().map(size).sum::<f64>();
        this
    }

    /// The same filter, known for a derivative whatever its taps sum to.
    pub(super) fn into_derivative(self) -> Self {
        Self { derivative: true, ..self }
    }

    /// A sum of separable products.
    pub(super) fn linear(axes: usize, terms: Linear, boundary: Boundary) -> Self {
        Self::new(axes, vec![terms], Combination::Alone, boundary)
    }

    /// The same linear filter, in another combination.
    pub(super) fn combined(self, combination: Combination) -> Self {
        Self { combination, ..self }
    }

    /// The correlation with a dense kernel, along as many axes as it has. The default boundary is OpenCV's,
    /// [`Boundary::Mirror`].
    ///
    /// # Errors
    /// [`Error::Argument`] for an empty kernel, taps that are not finite, and an anchor outside the kernel.
    ///
    /// ```
    /// use faltung::Boundary;
    /// use faltung::filter::named::{Operator, Taps};
    /// use faltung::ndarray::array;
    ///
    /// let taps = array![[1.0, 10.0], [100.0, 1000.0]].into_dyn();
    /// let operator = Operator::dense(Taps { taps, anchor: vec![0, 0] })?;
    /// let x = array![[1.0, 2.0], [3.0, 4.0]];
    /// let y = operator.plan(x.raw_dim(), &[0, 1], Boundary::Zero)?.apply(&x)?;
    /// assert_eq!(y, array![[4321.0, 402.0], [43.0, 4.0]]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn dense(kernel: Taps) -> Result<Self> {
        let Taps { taps, anchor } = &kernel;
        if taps.is_empty() || taps.ndim() == 0 {
            return Err(Error::argument(
                "taps",
                "at least one tap along at least one axis",
                format!("{:?}", taps.shape()),
            ));
        }
        if let Some(tap) = taps.iter().find(|tap| !tap.is_finite()) {
            return Err(Error::argument("taps", "finite numbers", tap));
        }
        if anchor.len() != taps.ndim() || anchor.iter().zip(taps.shape()).any(|(a, n)| a >= n) {
            let expected = format!("an index into a kernel of shape {:?}", taps.shape());
            return Err(Error::argument("anchor", expected, format!("{anchor:?}")));
        }
        let axes = taps.ndim();
        Ok(Self::linear(axes, vec![vec![Pass { axes: (0..axes).collect(), kernel }]], Boundary::Mirror))
    }

    /// The number of axes that are filtered.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Laplace};
    /// assert_eq!(Laplace::new().operator(3)?.axes(), 3);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn axes(&self) -> usize {
        self.axes
    }

    /// Whether the result is linear in the data: one kernel says all.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, GradientMagnitude, Laplace};
    /// assert!(Laplace::new().operator(2)?.is_linear());
    /// assert!(!GradientMagnitude::sobel().operator(2)?.is_linear());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn is_linear(&self) -> bool {
        match self.combination {
            Combination::Alone => true,
            Combination::Magnitude => false,
            Combination::Unsharp { threshold, .. } => threshold == 0.0,
        }
    }

    /// What a field of ones becomes, away from its edges: the sum of a linear filter's taps.
    ///
    /// ```
    /// # use faltung::filter::named::{BoxBlur, Derivative, Design};
    /// assert!((BoxBlur::new(3).operator(2)?.gain() - 1.0).abs() < 1e-15);
    /// assert_eq!(Derivative::sobel(0).operator(2)?.gain(), 0.0);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn gain(&self) -> f64 {
        let gain =
            |linear: &Linear| -> f64 { linear.iter().map(|term| term.iter().map(Pass::gain).product::<f64>()).sum() };
        match self.combination {
            Combination::Alone => self.parts.iter().map(gain).sum(),
            Combination::Magnitude => self.parts.iter().map(|part| gain(part).powi(2)).sum::<f64>().sqrt(),
            Combination::Unsharp { .. } => 1.0,
        }
    }

    /// Whether a constant stays what it is: smoothing and sharpening.
    ///
    /// Sums are rounded: a constant comes back to some three times the element type's
    /// [epsilon](crate::DType::epsilon), not bit for bit.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Unsharp};
    /// assert!(Unsharp::new(2.0, 1.5).operator(2)?.is_normalised());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn is_normalised(&self) -> bool {
        (self.gain() - 1.0).abs() <= 1e-9
    }

    /// Whether a constant vanishes: derivatives, Laplacians and the magnitudes of gradients. Derivatives of a Gaussian
    /// are among them, though those of even order leave some of it where the kernel is cut off, as SciPy's do.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, GradientMagnitude};
    /// assert!(GradientMagnitude::sobel().operator(2)?.is_derivative());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn is_derivative(&self) -> bool {
        self.derivative
    }

    /// Whether results are as often negative as positive, whatever the data: derivatives, but not magnitudes.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Derivative, GradientMagnitude};
    /// assert!(Derivative::sobel(0).operator(2)?.is_signed());
    /// assert!(!GradientMagnitude::sobel().operator(2)?.is_signed());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn is_signed(&self) -> bool {
        self.is_derivative() && self.combination == Combination::Alone
    }

    /// The boundary that the library uses whose filter this is, unless told otherwise: SciPy
    /// [`Boundary::Symmetric`], OpenCV [`Boundary::Mirror`], Pillow [`Boundary::Nearest`].
    ///
    /// ```
    /// # use faltung::{Boundary, filter::named::{Design, Gaussian}};
    /// assert_eq!(Gaussian::new(1.0).operator(1)?.boundary(), Boundary::Symmetric);
    /// assert_eq!(Gaussian::opencv(1.0).operator(1)?.boundary(), Boundary::Mirror);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn boundary(&self) -> Boundary {
        self.boundary
    }

    /// What Pillow adds to results for 8-bit pictures, so that derivatives show: 128 for its `EMBOSS`, 255 for its
    /// `CONTOUR`, else 0. It is not added to arrays, which have no depth.
    ///
    /// ```
    /// # use faltung::filter::named::{Design, Stencil};
    /// assert_eq!(Stencil::Emboss.operator(2)?.offset(), 128.0);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn offset(&self) -> f64 {
        self.offset
    }

    /// The one kernel that a linear filter is, dense. A filter that smooths twice along an axis is it away from the
    /// edges only, where the boundary acts twice.
    ///
    /// # Errors
    /// [`Error::Argument`] where the filter is not linear, and where the kernel has more than 2²² taps.
    ///
    /// ```
    /// use faltung::filter::named::{Design, Laplace};
    /// use faltung::ndarray::array;
    ///
    /// let kernel = Laplace::new().operator(2)?.kernel()?;
    /// assert_eq!(kernel.taps, array![[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]].into_dyn());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn kernel(&self) -> Result<Taps> {
        if !self.is_linear() {
            return Err(Error::argument("filter", "a linear one", format!("one with {:?}", self.combination)));
        }
        let Some(linear) = self.parts.first() else {
            return Err(Error::argument("filter", "at least one linear part", "none"));
        };
        let blur = self.sum_of(linear)?;
        match self.combination {
            Combination::Unsharp { amount, .. } => {
                let scaled = |kernel: Taps, factor: f64| Taps { taps: kernel.taps * factor, ..kernel };
                sum(self.axes, &[scaled(self.product(&[])?, 1.0 + amount), scaled(blur, -amount)])
            }
            _ => Ok(blur),
        }
    }

    /// The kernel of a sum of terms.
    pub(super) fn sum_of(&self, linear: &Linear) -> Result<Taps> {
        let terms = linear.iter().map(|term| self.product(term)).collect::<Result<Vec<_>>>()?;
        sum(self.axes, &terms)
    }

    /// The kernel of a term: kernels that follow each other convolve, and their anchors add up.
    fn product(&self, term: &[Pass]) -> Result<Taps> {
        let mut all = Taps { taps: ArrayD::ones(IxDyn(&vec![1; self.axes])), anchor: vec![0; self.axes] };
        for Pass { axes, kernel } in term {
            let mut shape = all.taps.shape().to_vec();
            for ((&axis, &n), &anchor) in axes.iter().zip(kernel.taps.shape()).zip(&kernel.anchor) {
                shape[axis] += n - 1;
                all.anchor[axis] += anchor;
            }
            check_size(&shape)?;
            let convolution = Convolution::new(&kernel.taps).axes(axes).mode(Mode::Full).algorithm(Algorithm::Direct);
            all.taps = convolution.plan(all.taps.raw_dim())?.apply(&all.taps)?;
        }
        Ok(all)
    }
}

/// The sum of a pass's taps without their signs.
fn magnitude(pass: &Pass) -> f64 {
    pass.kernel.taps.iter().map(|tap| tap.abs()).sum()
}

fn check_size(shape: &[usize]) -> Result<()> {
    match shape.iter().try_fold(1usize, |n, &m| n.checked_mul(m)) {
        Some(n) if n <= MAX_TAPS => Ok(()),
        _ => Err(Error::argument("filter", format!("a dense kernel of at most {MAX_TAPS} taps"), format!("{shape:?}"))),
    }
}

/// The sum of kernels, anchor upon anchor.
fn sum(axes: usize, kernels: &[Taps]) -> Result<Taps> {
    let most = |of: fn(&Taps, usize) -> usize| -> Vec<usize> {
        (0..axes).map(|a| kernels.iter().map(|k| of(k, a)).max().unwrap_or(0)).collect()
    };
    let anchor = most(|k, a| k.anchor[a]);
    let behind = most(|k, a| k.taps.shape()[a] - k.anchor[a]);
    let shape: Vec<usize> = anchor.iter().zip(&behind).map(|(a, b)| a + b).collect();
    check_size(&shape)?;
    let mut taps = ArrayD::zeros(IxDyn(&shape));
    for kernel in kernels {
        let mut place = taps.slice_each_axis_mut(|axis| {
            let a = axis.axis.index();
            let start = anchor[a] - kernel.anchor[a];
            Slice::from(start..start + kernel.taps.shape()[a])
        });
        place += &kernel.taps;
    }
    Ok(Taps { taps, anchor })
}
