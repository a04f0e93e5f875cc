//! What is to be computed: shapes, geometry and conventions, checked once and trusted by everything behind.

mod boundary;
mod builder;
mod notation;
mod suite;

use std::fmt;

pub use boundary::Boundary;
pub use builder::{Mode, ProblemBuilder};
pub use suite::read_suite;

use crate::element::DType;

/// The largest number of spatial axes.
pub const MAX_RANK: usize = 6;

/// Which of the three computations of a layer.
///
/// With input `x`, kernel `w` and output `y`, the forward pass is a linear map of each of `x` and `w`; the gradients
/// are its adjoints: for every `g`, `⟨y, g⟩ = ⟨x, gx⟩` and, where the kernel is not conjugated, `⟨y, g⟩ = ⟨w, gw⟩`,
/// with
/// `⟨a, b⟩ = Σ a·conj(b)`. They are what PyTorch calls `grad_input` and `grad_weight`.
///
/// ```
/// use faltung::{Pass, Problem};
/// let problem: Problem = "bwd_w:ic3ih8oc4kh3".parse()?;
/// assert_eq!(problem.pass(), Pass::WeightGradient);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pass {
    /// `(input, kernel) -> output`
    #[default]
    Forward,
    /// `(output gradient, kernel) -> input gradient`
    InputGradient,
    /// `(input, output gradient) -> kernel gradient`
    WeightGradient,
}

impl Pass {
    /// The three passes.
    pub const ALL: [Self; 3] = [Self::Forward, Self::InputGradient, Self::WeightGradient];
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Forward => "fwd",
            Self::InputGradient => "bwd_d",
            Self::WeightGradient => "bwd_w",
        })
    }
}

/// The order of an array's axes in memory. Shapes are told as (batch, channels, spatial …) in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Batch, channels, spatial axes: NCHW.
    #[default]
    ChannelsFirst,
    /// Batch, spatial axes, channels: NHWC.
    ChannelsLast,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ChannelsFirst => "nchw",
            Self::ChannelsLast => "nhwc",
        })
    }
}

/// The geometry of one spatial axis: tap `t` of output `o` reads position `o * stride - padding + t * dilation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpatialAxis {
    pub(crate) input: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    pub(crate) padding: isize,
    pub(crate) output: usize,
}

impl SpatialAxis {
    /// Samples of the input.
    ///
    /// ```
    /// let p: faltung::Problem = "ic1iw56oc1kw3sw2dw1pw1".parse()?;
    /// assert_eq!(p.axes()[0].input(), 56);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn input(&self) -> usize {
        self.input
    }

    /// Taps of the kernel.
    ///
    /// ```
    /// let p: faltung::Problem = "ic1iw56oc1kw3sw2dw1pw1".parse()?;
    /// assert_eq!(p.axes()[0].kernel(), 3);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn kernel(&self) -> usize {
        self.kernel
    }

    /// Input samples from one output to the next.
    ///
    /// ```
    /// let p: faltung::Problem = "ic1iw56oc1kw3sw2dw1pw1".parse()?;
    /// assert_eq!(p.axes()[0].stride(), 2);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Input samples from one tap to the next; 1 is dense.
    ///
    /// ```
    /// let p: faltung::Problem = "ic1iw56oc1kw3sw2dw1pw1".parse()?;
    /// assert_eq!(p.axes()[0].dilation(), 2);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn dilation(&self) -> usize {
        self.dilation
    }

    /// Samples before the data that the first output reads; negative where the first samples are not used.
    ///
    /// ```
    /// let p: faltung::Problem = "ic1iw56oc1kw3sw2dw1pw1".parse()?;
    /// assert_eq!(p.axes()[0].padding(), 1);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn padding(&self) -> isize {
        self.padding
    }

    /// Samples of the output.
    ///
    /// ```
    /// let p: faltung::Problem = "ic1iw56oc1kw3sw2dw1pw1".parse()?;
    /// assert_eq!(p.axes()[0].output(), 27);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn output(&self) -> usize {
        self.output
    }

    /// The kernel's extent with its dilation: `dilation * (kernel - 1) + 1`.
    ///
    /// ```
    /// let p: faltung::Problem = "ic1iw56oc1kw3sw2dw1pw1".parse()?;
    /// assert_eq!(p.axes()[0].span(), 5);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn span(&self) -> usize {
        self.dilation * (self.kernel - 1) + 1
    }

    /// Samples behind the data that the last output reads; negative where the last samples are not used.
    ///
    /// ```
    /// let p: faltung::Problem = "ic1iw56oc1kw3sw2dw1pw1".parse()?;
    /// assert_eq!(p.axes()[0].padding_after(), 0);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn padding_after(&self) -> isize {
        (self.output.max(1) - 1) as isize * self.stride as isize + self.span() as isize
            - self.input as isize
            - self.padding
    }

    /// Whether any tap of any output falls outside the data.
    ///
    /// ```
    /// let p: faltung::Problem = "ic1iw56oc1kw3sw2dw1pw1".parse()?;
    /// assert!(p.axes()[0].reads_outside());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn reads_outside(&self) -> bool {
        self.padding > 0 || self.padding_after() > 0
    }
}

/// What is to be computed: one convolution or correlation, or one of its gradients, in every particular but the data.
///
/// For output `o`, batch entry `n` and channels `c`, the forward pass is
///
/// ```text
/// y[n, co, o] = Σ_{ci in group, t} w[co, ci, t] · x[n, ci, o * stride - padding + t * dilation]
/// ```
///
/// with the kernel reversed along every spatial axis where [`is_flipped`](Self::is_flipped) (a convolution in the sense
/// of signal processing; a CNN layer is not flipped) and conjugated where [`is_conjugated`](Self::is_conjugated).
/// Positions outside the data are read as the [`Boundary`] says. One type serves everything: a filtered image is a
/// problem with one channel, a flipped kernel and a boundary; a gradient is the same problem with another [`Pass`].
///
/// Problems are built by [`field`](Self::field) and [`layer`](Self::layer), or read from the
/// [notation](#impl-FromStr-for-Problem) that suites, tests and bug reports share:
///
/// ```
/// use faltung::{Boundary, Mode, Problem};
///
/// let text: Problem = "2048x2048*31x31:same:symmetric".parse()?;
/// let built = Problem::field(&[2048, 2048], &[31, 31]).mode(Mode::Same).boundary(Boundary::Symmetric).build()?;
/// assert_eq!(text, built);
/// assert_eq!(built.to_string(), "2048x2048*31x31:same:symmetric");
///
/// let layer: Problem = r#"mb16ic64ih56oc64kh3ph1n"resnet50 2b 3x3""#.parse()?;
/// assert_eq!(layer.output_shape(), [16, 64, 56, 56]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Problem {
    pub(crate) pass: Pass,
    pub(crate) batch: usize,
    pub(crate) in_channels: usize,
    pub(crate) out_channels: usize,
    pub(crate) groups: usize,
    pub(crate) axes: Vec<SpatialAxis>,
    pub(crate) boundary: Boundary,
    pub(crate) flip: bool,
    pub(crate) conjugate: bool,
    pub(crate) layout: Layout,
    pub(crate) dtype: DType,
}

impl Problem {
    /// Which computation.
    ///
    /// ```
    /// let p: faltung::Problem = "mb16ic64ih56oc128kh3sh2ph1".parse()?;
    /// assert_eq!(p.pass(), faltung::Pass::Forward);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn pass(&self) -> Pass {
        self.pass
    }

    /// Entries of the batch.
    ///
    /// ```
    /// let p: faltung::Problem = "mb16ic64ih56oc128kh3sh2ph1".parse()?;
    /// assert_eq!(p.batch(), 16);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Channels of the input.
    ///
    /// ```
    /// let p: faltung::Problem = "mb16ic64ih56oc128kh3sh2ph1".parse()?;
    /// assert_eq!(p.in_channels(), 64);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn in_channels(&self) -> usize {
        self.in_channels
    }

    /// Channels of the output.
    ///
    /// ```
    /// let p: faltung::Problem = "mb16ic64ih56oc128kh3sh2ph1".parse()?;
    /// assert_eq!(p.out_channels(), 128);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn out_channels(&self) -> usize {
        self.out_channels
    }

    /// Groups that the channels are divided in; each output channel sees the input channels of its own group.
    ///
    /// ```
    /// let p: faltung::Problem = "g8mb2ic16ih20oc16kh5ph2".parse()?;
    /// assert_eq!(p.groups(), 8);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// The spatial axes, outermost first.
    ///
    /// ```
    /// let p: faltung::Problem = "mb16ic64ih56oc128kh3sh2ph1".parse()?;
    /// assert_eq!(p.axes()[1].stride(), 2);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn axes(&self) -> &[SpatialAxis] {
        &self.axes
    }

    /// The number of spatial axes.
    ///
    /// ```
    /// let p: faltung::Problem = "mb16ic64ih56oc128kh3sh2ph1".parse()?;
    /// assert_eq!(p.rank(), 2);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn rank(&self) -> usize {
        self.axes.len()
    }

    /// What lies outside the data.
    ///
    /// ```
    /// let p: faltung::Problem = "mb16ic64ih56oc128kh3sh2ph1".parse()?;
    /// assert_eq!(p.boundary(), faltung::Boundary::Zero);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn boundary(&self) -> Boundary {
        self.boundary
    }

    /// Whether the kernel is reversed: a convolution rather than a correlation.
    ///
    /// ```
    /// let p: faltung::Problem = "mb16ic64ih56oc128kh3sh2ph1".parse()?;
    /// assert!(!p.is_flipped()); // a layer correlates
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn is_flipped(&self) -> bool {
        self.flip
    }

    /// Whether the kernel is conjugated, as in SciPy's complex `correlate`.
    ///
    /// ```
    /// let p: faltung::Problem = "100*7:same:c32".parse()?;
    /// assert!(!p.is_conjugated());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn is_conjugated(&self) -> bool {
        self.conjugate
    }

    /// The order of the axes in memory.
    ///
    /// ```
    /// let p: faltung::Problem = "mb16ic64ih56oc128kh3sh2ph1".parse()?;
    /// assert_eq!(p.layout(), faltung::Layout::ChannelsFirst);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The element type.
    ///
    /// ```
    /// let p: faltung::Problem = "mb16ic64ih56oc128kh3sh2ph1".parse()?;
    /// assert_eq!(p.dtype(), faltung::DType::F32);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The same problem as another pass.
    ///
    /// ```
    /// use faltung::{Pass, Problem};
    /// let forward: Problem = "ic3ih8oc4kh3".parse()?;
    /// assert_eq!(forward.with_pass(Pass::InputGradient).to_string(), "bwd_d:ic3ih8oc4kh3");
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn with_pass(&self, pass: Pass) -> Self {
        Self { pass, ..self.clone() }
    }

    /// The same problem with arrays in another order.
    ///
    /// ```
    /// use faltung::{Layout, Problem};
    /// let p: Problem = "ic3ih8oc4kh3".parse()?;
    /// assert_eq!(p.with_layout(Layout::ChannelsLast).to_string(), "ic3ih8oc4kh3:nhwc");
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn with_layout(&self, layout: Layout) -> Self {
        Self { layout, ..self.clone() }
    }

    /// The same problem on another element type.
    ///
    /// # Errors
    /// [`Error::Overflow`](crate::Error::Overflow) where an array would not fit in memory.
    ///
    /// ```
    /// use faltung::{DType, Problem};
    /// let p: Problem = "100*7:same".parse()?;
    /// assert_eq!(p.with_dtype(DType::F64)?.to_string(), "100*7:same:f64");
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn with_dtype(&self, dtype: DType) -> crate::Result<Self> {
        let problem = Self { dtype, ..self.clone() };
        problem.check_sizes()?;
        Ok(problem)
    }

    /// (batch, input channels, input extents)
    ///
    /// ```
    /// let p: faltung::Problem = "mb2ic3ih8oc4kh3".parse()?;
    /// assert_eq!(p.input_shape(), [2, 3, 8, 8]);
    /// assert_eq!(p.kernel_shape(), [4, 3, 3, 3]);
    /// assert_eq!(p.output_shape(), [2, 4, 6, 6]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn input_shape(&self) -> Vec<usize> {
        self.shape(self.batch, self.in_channels, |a| a.input)
    }

    /// (output channels, input channels a group, kernel extents)
    ///
    /// ```
    /// let p: faltung::Problem = "mb16ic64ih56oc128kh3sh2ph1".parse()?;
    /// assert_eq!(p.kernel_shape(), [128, 64, 3, 3]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn kernel_shape(&self) -> Vec<usize> {
        self.shape(self.out_channels, self.in_channels / self.groups, |a| a.kernel)
    }

    /// (batch, output channels, output extents)
    ///
    /// ```
    /// let p: faltung::Problem = "mb16ic64ih56oc128kh3sh2ph1".parse()?;
    /// assert_eq!(p.output_shape(), [16, 128, 28, 28]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn output_shape(&self) -> Vec<usize> {
        self.shape(self.batch, self.out_channels, |a| a.output)
    }

    fn shape(&self, first: usize, second: usize, extent: impl Fn(&SpatialAxis) -> usize) -> Vec<usize> {
        [first, second].into_iter().chain(self.axes.iter().map(extent)).collect()
    }

    /// The shapes of what the pass reads and writes: its first and second operand and its result.
    ///
    /// ```
    /// let p: faltung::Problem = "bwd_w:mb2ic3ih8oc4kh3".parse()?;
    /// let [input, gradient, result] = p.operands();
    /// assert_eq!(result, p.kernel_shape());
    /// # assert_eq!((input, gradient), (p.input_shape(), p.output_shape()));
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn operands(&self) -> [Vec<usize>; 3] {
        let (x, w, y) = (self.input_shape(), self.kernel_shape(), self.output_shape());
        match self.pass {
            Pass::Forward => [x, w, y],
            Pass::InputGradient => [y, w, x],
            Pass::WeightGradient => [x, y, w],
        }
    }

    /// The layouts of the [`operands`](Self::operands): kernels and their gradients are (output channel, input channel,
    /// tap …) in memory whatever the problem's layout.
    ///
    /// ```
    /// use faltung::{Layout, Problem};
    /// let p: Problem = "bwd_w:ic3ih8oc4kh3:nhwc".parse()?;
    /// assert_eq!(p.layouts(), [Layout::ChannelsLast, Layout::ChannelsLast, Layout::ChannelsFirst]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn layouts(&self) -> [Layout; 3] {
        let (data, kernel) = (self.layout, Layout::ChannelsFirst);
        match self.pass {
            Pass::Forward | Pass::InputGradient => [data, kernel, data],
            Pass::WeightGradient => [data, data, kernel],
        }
    }

    /// Floating-point operations of the direct sum of real numbers, two a product: the usual yardstick of GFLOP/s.
    ///
    /// ```
    /// let p: faltung::Problem = "1000*10:full".parse()?;
    /// assert_eq!(p.flops(), 2.0 * 1009.0 * 10.0);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn flops(&self) -> f64 {
        let per_output: f64 = self.kernel_shape()[1..].iter().map(|&n| n as f64).product();
        2.0 * per_output * self.output_shape().iter().map(|&n| n as f64).product::<f64>()
    }

    /// Products in the sum of one element of the result, at the most.
    ///
    /// ```
    /// let p: faltung::Problem = "mb2ic3ih8oc4kh3".parse()?;
    /// assert_eq!(p.terms(), 27);
    /// assert_eq!(p.with_pass(faltung::Pass::WeightGradient).terms(), 72);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn terms(&self) -> usize {
        let taps: usize = self.axes.iter().map(|a| a.kernel).product();
        match self.pass {
            Pass::Forward => taps.saturating_mul(self.in_channels / self.groups),
            Pass::InputGradient => taps.saturating_mul(self.out_channels / self.groups),
            Pass::WeightGradient => {
                self.axes.iter().map(|a| a.output).fold(self.batch, |n, extent| n.saturating_mul(extent))
            }
        }
    }

    /// Of the [terms](Self::terms), as many as meet data at the most: where zeros are around it, kernels reach further than
    /// short data do, and of an input gradient's taps every `stride`th meets an output.
    pub(crate) fn met_terms(&self) -> usize {
        if self.boundary != Boundary::Zero {
            return self.terms();
        }
        let met = |axis: &SpatialAxis| {
            let common = gcd(axis.stride, axis.dilation);
            match self.pass {
                Pass::Forward => axis.kernel.min(axis.input.div_ceil(axis.dilation)),
                Pass::InputGradient => {
                    axis.kernel.div_ceil(axis.stride / common).min(axis.output.div_ceil(axis.dilation / common))
                }
                Pass::WeightGradient => axis.output.min(axis.input.div_ceil(axis.stride)),
            }
        };
        let outer = match self.pass {
            Pass::Forward => self.in_channels / self.groups,
            Pass::InputGradient => self.out_channels / self.groups,
            Pass::WeightGradient => self.batch,
        };
        self.axes.iter().map(met).fold(outer, usize::saturating_mul)
    }

    /// Whether any tap of any output falls outside the data.
    ///
    /// ```
    /// let p: faltung::Problem = "mb16ic64ih56oc128kh3sh2ph1".parse()?;
    /// assert!(p.reads_outside());
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn reads_outside(&self) -> bool {
        self.axes.iter().any(SpatialAxis::reads_outside)
    }
}

/// The greatest common divisor.
pub(crate) fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;

    #[test]
    fn no_sum_meets_more_terms_than_it_is_said_to_and_the_longest_as_many() {
        // Kernels longer than the data, padding beyond them, steps that divide the dilation and that do not, groups.
        let layers = [
            "ic1iw10oc1kw3",
            "mb2ic4iw10oc6kw3pw1",
            "g2ic4iw5oc6kw40pw39",
            "ic1iw9oc1kw7sw3pw6",
            "ic1iw9oc1kw7sw2dw1pw8",
            "ic1iw9oc1kw5sw4dw1pw8",
            "ic1iw30oc1kw9sw2dw5pw20",
            "mb3ic1iw7oc1kw2sw5",
            "ic2ih5iw31oc2kh9kw3sh2sw3ph12dh2",
        ];
        for (layer, pass) in layers.iter().flat_map(|layer| Pass::ALL.map(|pass| (layer, pass))) {
            let problem: Problem = layer.parse().expect("a layer");
            let problem = problem.with_pass(pass);
            let [first, second] = [0, 1].map(|i| vec![1.0; problem.operands()[i].iter().product()]);
            let sums = reference::compute::<f64>(&problem, &first, &second).expect("operands of its shapes");
            let most = sums.into_iter().fold(0.0, f64::max);
            assert_eq!(most, problem.met_terms() as f64, "{pass:?} of {layer}, of {} terms", problem.terms());
        }
    }
}
