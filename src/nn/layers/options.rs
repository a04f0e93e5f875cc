//! How kernels and windows step over their input.

use crate::error::{Error, Result};
use crate::problem::{Boundary, Problem, ProblemBuilder};

/// A number for each spatial axis, or one for all of them: `3`, `[3, 5]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Extents(pub(in crate::nn) Vec<usize>);

impl From<usize> for Extents {
    fn from(extent: usize) -> Self {
        Self(vec![extent])
    }
}

impl<const N: usize> From<[usize; N]> for Extents {
    fn from(extents: [usize; N]) -> Self {
        Self(extents.to_vec())
    }
}

impl From<&[usize]> for Extents {
    fn from(extents: &[usize]) -> Self {
        Self(extents.to_vec())
    }
}

impl Extents {
    /// One for each of `rank` axes.
    pub(in crate::nn) fn over(&self, name: &'static str, rank: usize) -> Result<Vec<usize>> {
        match self.0[..] {
            [extent] => Ok(vec![extent; rank]),
            _ if self.0.len() == rank => Ok(self.0.clone()),
            _ => Err(Error::argument(name, format!("one number or {rank}"), format!("{:?}", self.0))),
        }
    }
}

/// Padding of an axis as signed numbers.
pub(in crate::nn) fn signed(name: &'static str, padding: usize) -> Result<isize> {
    isize::try_from(padding).map_err(|_| Error::overflow(name))
}

/// How a convolution steps over its input. The same for one, two and three spatial axes: a single number stands for
/// all of them.
///
/// ```
/// use faltung::nn::ConvOptions;
/// let options = ConvOptions::new().stride(2).padding([1, 2]);
/// assert_eq!(options, ConvOptions::new().groups(1).padding([1, 2]).stride(2));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ConvOptions {
    stride: Extents,
    dilation: Extents,
    padding: Padding,
    groups: usize,
    boundary: Boundary,
}

#[derive(Clone, Debug, PartialEq)]
enum Padding {
    Both(Extents),
    Each(Vec<(usize, usize)>),
    Same,
}

impl Default for ConvOptions {
    fn default() -> Self {
        let (stride, dilation, padding) = (1.into(), 1.into(), Padding::Both(0.into()));
        Self { stride, dilation, padding, groups: 1, boundary: Boundary::Zero }
    }
}

impl ConvOptions {
    /// Steps of 1, no padding, one group.
    pub fn new() -> Self {
        Self::default()
    }

    /// Steps between outputs, in samples of the input; 1 unless set.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Extents>) -> Self {
        self.stride = stride.into();
        self
    }

    /// Steps between taps, in samples of the input; 1 unless set.
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<Extents>) -> Self {
        self.dilation = dilation.into();
        self
    }

    /// Positions added on both sides of each axis; 0 unless set.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Extents>) -> Self {
        self.padding = Padding::Both(padding.into());
        self
    }

    /// Positions added (before, after) each axis.
    #[must_use]
    pub fn padding_each(mut self, padding: &[(usize, usize)]) -> Self {
        self.padding = Padding::Each(padding.to_vec());
        self
    }

    /// As much padding as gives an output for every `stride`-th input; an odd position goes behind, as in PyTorch and
    /// TensorFlow.
    #[must_use]
    pub fn same(mut self) -> Self {
        self.padding = Padding::Same;
        self
    }

    /// Groups that both channel counts are divided in; 1 unless set. With as many as channels the convolution is
    /// depthwise.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// What is read in the padding: zeros unless set.
    #[must_use]
    pub fn boundary(mut self, boundary: Boundary) -> Self {
        self.boundary = boundary;
        self
    }

    pub(in crate::nn) fn group_count(&self) -> usize {
        self.groups
    }

    fn pairs(&self, spatial: &[usize], kernel: &[usize]) -> Result<Vec<(isize, isize)>> {
        let rank = spatial.len();
        let signed = |(before, after)| -> Result<_> { Ok((signed("padding", before)?, signed("padding", after)?)) };
        match &self.padding {
            Padding::Both(padding) => padding.over("padding", rank)?.into_iter().map(|p| signed((p, p))).collect(),
            Padding::Each(padding) if padding.len() == rank || padding.len() == 1 => {
                (0..rank).map(|axis| signed(padding.get(axis).or(padding.first()).copied().unwrap_or((0, 0)))).collect()
            }
            Padding::Each(padding) => {
                Err(Error::argument("padding", format!("one pair or {rank}"), format!("{padding:?}")))
            }
            Padding::Same => {
                let (stride, dilation) = (self.stride.over("stride", rank)?, self.dilation.over("dilation", rank)?);
                let total = |axis: usize| {
                    let (n, k, s, d) = (spatial[axis], kernel[axis], stride[axis].max(1), dilation[axis]);
                    let span = d.saturating_mul(k.saturating_sub(1)).saturating_add(1);
                    (n.div_ceil(s).saturating_sub(1) * s).saturating_add(span).saturating_sub(n)
                };
                (0..rank).map(|axis| signed((total(axis) / 2, total(axis).div_ceil(2)))).collect()
            }
        }
    }

    /// The problem of an input (batch, channels, spatial …) and a kernel.
    pub(in crate::nn) fn problem(&self, input: &[usize], outputs: usize, kernel: &[usize]) -> Result<ProblemBuilder> {
        let [batch, channels, spatial @ ..] = input else {
            let expected = format!("(batch, channels) and {} spatial axes", kernel.len());
            return Err(Error::argument("input", expected, format!("shape {input:?}")));
        };
        let rank = kernel.len();
        if spatial.len() != rank {
            let expected = format!("(batch, channels) and {rank} spatial axes");
            return Err(Error::argument("input", expected, format!("shape {input:?}")));
        }
        Ok(Problem::layer(*batch, *channels, outputs, spatial, kernel)
            .groups(self.groups)
            .stride(&self.stride.over("stride", rank)?)
            .dilation(&self.dilation.over("dilation", rank)?)
            .padding(&self.pairs(spatial, kernel)?)
            .boundary(self.boundary))
    }

    /// The extents of a transposed convolution's output: those of an input that a convolution with these options makes
    /// `spatial` of.
    pub(in crate::nn) fn transposed(&self, spatial: &[usize], kernel: &[usize], more: &Extents) -> Result<Vec<usize>> {
        let rank = kernel.len();
        if spatial.len() != rank {
            return Err(Error::argument("input", format!("{rank} spatial axes"), spatial.len()));
        }
        if self.padding == Padding::Same {
            return Err(Error::argument("padding", "numbers, for a transposed convolution", "same"));
        }
        let (stride, dilation) = (self.stride.over("stride", rank)?, self.dilation.over("dilation", rank)?);
        let (padding, more) = (self.pairs(spatial, kernel)?, more.over("output_padding", rank)?);
        (0..rank)
            .map(|a| {
                if more[a] >= stride[a] {
                    return Err(Error::argument("output_padding", format!("below the stride, {}", stride[a]), more[a]));
                }
                let wide = |n: usize| n as i128;
                let extent = (wide(spatial[a]) - 1) * wide(stride[a])
                    + wide(dilation[a]) * (wide(kernel[a]) - 1)
                    + 1
                    + wide(more[a])
                    - padding[a].0 as i128
                    - padding[a].1 as i128;
                usize::try_from(extent).ok().filter(|&n| n > 0).ok_or_else(|| {
                    Error::argument(
                        "padding",
                        format!("less than leaves an output on axis {a}"),
                        format!("{padding:?}"),
                    )
                })
            })
            .collect()
    }
}

/// The setters of [`ConvOptions`] on a design that holds some.
macro_rules! conv_setters {
    () => {
        /// Steps between outputs, in samples of the input; 1 unless set.
        #[must_use]
        pub fn stride(mut self, stride: impl Into<Extents>) -> Self {
            self.options = self.options.stride(stride);
            self
        }

        /// Steps between taps; 1 unless set.
        #[must_use]
        pub fn dilation(mut self, dilation: impl Into<Extents>) -> Self {
            self.options = self.options.dilation(dilation);
            self
        }

        /// Positions added on both sides of each axis; 0 unless set.
        #[must_use]
        pub fn padding(mut self, padding: impl Into<Extents>) -> Self {
            self.options = self.options.padding(padding);
            self
        }

        /// Groups that both channel counts are divided in; 1 unless set.
        #[must_use]
        pub fn groups(mut self, groups: usize) -> Self {
            self.options = self.options.groups(groups);
            self
        }

        /// All the options at once.
        #[must_use]
        pub fn options(mut self, options: ConvOptions) -> Self {
            self.options = options;
            self
        }

        /// Without a bias.
        #[must_use]
        pub fn without_bias(mut self) -> Self {
            self.bias = false;
            self
        }

        /// How the first weights are drawn, and the bias; PyTorch's default unless set.
        #[must_use]
        pub fn init(mut self, weight: Init, bias: Init) -> Self {
            self.init = (weight, bias);
            self
        }
    };
}
pub(super) use conv_setters;
