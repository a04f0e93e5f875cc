//! Building problems: the arithmetic of output sizes, checked once.

use super::{Boundary, Layout, MAX_RANK, Pass, Problem, SpatialAxis};
use crate::element::DType;
use crate::error::{Error, Result};

/// How much of the output is wanted.
///
/// With `n` input samples and a kernel of (dilated) length `k`, at stride 1:
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Every output that the data touch: `n + k - 1`. The default.
    #[default]
    Full,
    /// As many outputs as inputs: the middle of `Full`, beginning at its sample `(k - 1) / 2` as in SciPy and NumPy.
    Same,
    /// Only outputs that do not leave the data: `n - k + 1`.
    Valid,
    /// As many outputs as inputs: the beginning of `Full`, so that no output reads a later input.
    Causal,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Full => "full",
            Self::Same => "same",
            Self::Valid => "valid",
            Self::Causal => "causal",
        })
    }
}

/// How the output's extent is told.
#[derive(Clone, Debug)]
enum Extent {
    Mode(Mode),
    Padding(Vec<(isize, isize)>),
    Output(Vec<(isize, usize)>),
}

/// Builds a [`Problem`]; begun by [`Problem::field`] or [`Problem::layer`], ended by [`build`](Self::build).
///
/// Per-axis settings take one value an axis, or a single one for all of them.
///
/// ```
/// use faltung::{DType, Pass, Problem};
///
/// let problem = Problem::layer(16, 64, 128, &[56, 56], &[3, 3])
///     .stride(&[2])
///     .padding(&[(1, 1)])
///     .groups(2)
///     .pass(Pass::InputGradient)
///     .dtype(DType::F64)
///     .build()?;
/// assert_eq!(problem.output_shape(), [16, 128, 28, 28]);
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ProblemBuilder {
    problem: Problem,
    input: Vec<usize>,
    kernel: Vec<usize>,
    stride: Vec<usize>,
    dilation: Vec<usize>,
    extent: Extent,
    window: Option<Vec<(usize, usize)>>,
}

impl Problem {
    /// A filtered signal, image or volume: one channel, a flipped kernel, `Full`, zero outside.
    ///
    /// ```
    /// use faltung::{Mode, Problem};
    /// let p = Problem::field(&[100], &[7]).mode(Mode::Valid).build()?;
    /// assert_eq!(p.to_string(), "100*7:valid");
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn field(input: &[usize], kernel: &[usize]) -> ProblemBuilder {
        ProblemBuilder::new(1, 1, 1, input, kernel, true, Mode::Full)
    }

    /// A CNN layer: channels, no flip, no padding.
    ///
    /// ```
    /// use faltung::Problem;
    /// let p = Problem::layer(1, 3, 64, &[224, 224], &[7, 7]).stride(&[2]).padding(&[(3, 3)]).build()?;
    /// assert_eq!(p.output_shape(), [1, 64, 112, 112]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn layer(
        batch: usize,
        in_channels: usize,
        out_channels: usize,
        input: &[usize],
        kernel: &[usize],
    ) -> ProblemBuilder {
        ProblemBuilder::new(batch, in_channels, out_channels, input, kernel, false, Mode::Valid)
    }

    /// Refuses arrays that no memory could hold.
    pub(crate) fn check_sizes(&self) -> Result<()> {
        let limit = isize::MAX as usize / self.dtype.size();
        for (name, shape) in [
            ("the input", self.input_shape()),
            ("the kernel", self.kernel_shape()),
            ("the output", self.output_shape()),
        ] {
            // A zero among the factors must not hide that the others overflow.
            let size = shape.iter().filter(|&&n| n != 0).try_fold(1usize, |a, &n| a.checked_mul(n));
            if size.is_none_or(|n| n > limit) {
                return Err(Error::overflow(format!("{name}'s size {shape:?}")));
            }
        }
        Ok(())
    }
}

impl ProblemBuilder {
    fn new(
        batch: usize,
        in_channels: usize,
        out_channels: usize,
        input: &[usize],
        kernel: &[usize],
        flip: bool,
        mode: Mode,
    ) -> Self {
        Self {
            problem: Problem {
                pass: Pass::Forward,
                batch,
                in_channels,
                out_channels,
                groups: 1,
                axes: Vec::new(),
                boundary: Boundary::Zero,
                flip,
                conjugate: false,
                layout: Layout::ChannelsFirst,
                dtype: DType::F32,
            },
            input: input.to_vec(),
            kernel: kernel.to_vec(),
            stride: vec![1],
            dilation: vec![1],
            extent: Extent::Mode(mode),
            window: None,
        }
    }

    /// Entries of the batch; 1 unless set. An empty batch is allowed.
    ///
    /// ```
    /// use faltung::Problem;
    /// let p = Problem::field(&[100], &[7]).batch(16).build()?;
    /// assert_eq!(p.output_shape(), [16, 1, 106]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn batch(mut self, batch: usize) -> Self {
        self.problem.batch = batch;
        self
    }

    /// Channels of the input and the output; 1 and 1 unless set.
    ///
    /// ```
    /// use faltung::Problem;
    /// let p = Problem::field(&[100], &[7]).channels(2, 3).build()?;
    /// assert_eq!(p.output_shape(), [1, 3, 106]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn channels(mut self, input: usize, output: usize) -> Self {
        (self.problem.in_channels, self.problem.out_channels) = (input, output);
        self
    }

    /// Groups that both channel counts are divided in; 1 unless set.
    ///
    /// ```
    /// use faltung::Problem;
    /// let depthwise = Problem::layer(1, 8, 8, &[32, 32], &[3, 3]).groups(8).build()?;
    /// assert_eq!(depthwise.kernel_shape(), [8, 1, 3, 3]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn groups(mut self, groups: usize) -> Self {
        self.problem.groups = groups;
        self
    }

    /// Input samples from one output to the next; 1 unless set.
    ///
    /// ```
    /// use faltung::Problem;
    /// let p = Problem::layer(1, 3, 8, &[32, 32], &[3, 3]).stride(&[2, 1]).build()?;
    /// assert_eq!(p.output_shape(), [1, 8, 15, 30]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn stride(mut self, stride: &[usize]) -> Self {
        self.stride = stride.to_vec();
        self
    }

    /// Input samples from one tap to the next; 1, dense, unless set.
    ///
    /// ```
    /// use faltung::Problem;
    /// let p = Problem::layer(1, 3, 8, &[32, 32], &[3, 3]).dilation(&[2]).build()?;
    /// assert_eq!(p.output_shape(), [1, 8, 28, 28]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn dilation(mut self, dilation: &[usize]) -> Self {
        self.dilation = dilation.to_vec();
        self
    }

    /// How much of the output is wanted, in place of a padding.
    ///
    /// ```
    /// use faltung::{Mode, Problem};
    /// let p = Problem::field(&[100], &[7]).mode(Mode::Same).build()?;
    /// assert_eq!(p.output_shape(), [1, 1, 100]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn mode(mut self, mode: Mode) -> Self {
        self.extent = Extent::Mode(mode);
        self
    }

    /// Samples (before, behind) the data that outputs may read; negative ones crop. In place of a mode.
    ///
    /// ```
    /// use faltung::Problem;
    /// let p = Problem::layer(1, 3, 8, &[32], &[3]).padding(&[(0, 1)]).build()?;
    /// assert_eq!(p.output_shape(), [1, 8, 31]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn padding(mut self, padding: &[(isize, isize)]) -> Self {
        self.extent = Extent::Padding(padding.to_vec());
        self
    }

    /// (padding before, output extent), which say everything. In place of a mode.
    ///
    /// ```
    /// use faltung::Problem;
    /// let p = Problem::layer(1, 3, 8, &[32], &[3]).output(&[(1, 10)]).build()?;
    /// assert_eq!(p.output_shape(), [1, 8, 10]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn output(mut self, output: &[(isize, usize)]) -> Self {
        self.extent = Extent::Output(output.to_vec());
        self
    }

    /// Computes the outputs from `start` on, `length` of them, of what the mode or padding gives.
    ///
    /// ```
    /// use faltung::{Mode, Problem};
    /// let part = Problem::field(&[100], &[7]).mode(Mode::Same).window(&[(10, 5)]).build()?;
    /// assert_eq!(part.output_shape(), [1, 1, 5]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn window(mut self, window: &[(usize, usize)]) -> Self {
        self.window = Some(window.to_vec());
        self
    }

    /// What lies outside the data; zero unless set.
    ///
    /// ```
    /// use faltung::{Boundary, Mode, Problem};
    /// let p = Problem::field(&[100], &[7]).mode(Mode::Same).boundary(Boundary::Mirror).build()?;
    /// assert_eq!(p.to_string(), "100*7:same:mirror");
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn boundary(mut self, boundary: Boundary) -> Self {
        self.problem.boundary = boundary;
        self
    }

    /// Whether the kernel is reversed along every axis.
    ///
    /// ```
    /// use faltung::{Problem, reference};
    /// let correlation = Problem::field(&[2], &[2]).flip(false).build()?;
    /// assert_eq!(reference::compute(&correlation, &[1.0, 2.0], &[1.0, 10.0])?, [10.0, 21.0, 2.0]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn flip(mut self, flip: bool) -> Self {
        self.problem.flip = flip;
        self
    }

    /// Whether the kernel is conjugated.
    ///
    /// ```
    /// use faltung::{Complex, DType, Problem, reference};
    /// let p = Problem::field(&[1], &[1]).conjugate(true).dtype(DType::C64).build()?;
    /// let i = Complex::new(0.0, 1.0);
    /// assert_eq!(reference::compute(&p, &[i], &[i])?, [Complex::new(1.0, 0.0)]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn conjugate(mut self, conjugate: bool) -> Self {
        self.problem.conjugate = conjugate;
        self
    }

    /// Which computation; forward unless set.
    ///
    /// ```
    /// use faltung::{Pass, Problem};
    /// let p = Problem::layer(1, 3, 8, &[32, 32], &[3, 3]).pass(Pass::InputGradient).build()?;
    /// let [_, _, result] = p.operands();
    /// assert_eq!(result, [1, 3, 32, 32]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn pass(mut self, pass: Pass) -> Self {
        self.problem.pass = pass;
        self
    }

    /// The order of the axes in memory; channels first unless set.
    ///
    /// ```
    /// use faltung::{Layout, Problem};
    /// let p = Problem::layer(1, 3, 8, &[32, 32], &[3, 3]).layout(Layout::ChannelsLast).build()?;
    /// assert_eq!(p.input_shape(), [1, 3, 32, 32]); // in memory 1 x 32 x 32 x 3
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn layout(mut self, layout: Layout) -> Self {
        self.problem.layout = layout;
        self
    }

    /// The element type; `f32` unless set.
    ///
    /// ```
    /// use faltung::{DType, Problem};
    /// let p = Problem::field(&[100], &[7]).dtype(DType::F64).build()?;
    /// assert_eq!(p.dtype(), DType::F64);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.problem.dtype = dtype;
        self
    }

    /// Checks everything and does the arithmetic.
    ///
    /// # Errors
    /// [`Error::Argument`] for a zero extent, stride, dilation or channel count, groups that do not divide the
    /// channels, no axis or more than [`MAX_RANK`](crate::MAX_RANK), a kernel or a setting of another rank than the
    /// input, and a window that leaves the output; [`Error::KernelTooLong`] where no output exists;
    /// [`Error::Overflow`] where sizes do not fit.
    ///
    /// ```
    /// use faltung::{Error, Mode, Problem};
    /// let none = Problem::field(&[3], &[9]).mode(Mode::Valid).build();
    /// assert!(matches!(none, Err(Error::KernelTooLong { axis: 0, kernel: 9, input: 3 })));
    /// ```
    pub fn build(self) -> Result<Problem> {
        let Self { mut problem, input, kernel, stride, dilation, extent, window } = self;
        let rank = input.len();
        if rank == 0 || rank > MAX_RANK {
            return Err(Error::argument("input", format!("1 to {MAX_RANK} spatial axes"), rank));
        }
        if kernel.len() != rank {
            return Err(Error::argument("kernel", format!("{rank} spatial axes as the input has"), kernel.len()));
        }
        if problem.batch > isize::MAX as usize {
            return Err(Error::overflow("the batch"));
        }
        for (name, n) in
            [("in_channels", problem.in_channels), ("out_channels", problem.out_channels), ("groups", problem.groups)]
        {
            if n == 0 {
                return Err(Error::argument(name, "at least 1", 0));
            }
        }
        for (name, channels) in [("in_channels", problem.in_channels), ("out_channels", problem.out_channels)] {
            if channels % problem.groups != 0 {
                return Err(Error::argument(name, format!("a multiple of groups = {}", problem.groups), channels));
            }
        }
        for a in 0..rank {
            let given = Given {
                axis: a,
                input: positive("input", &input, rank, a)?,
                kernel: positive("kernel", &kernel, rank, a)?,
                stride: positive("stride", &stride, rank, a)?,
                dilation: positive("dilation", &dilation, rank, a)?,
            };
            let (padding, output) = match &extent {
                Extent::Mode(mode) => given.by_mode(*mode)?,
                Extent::Padding(p) => given.by_padding(per_axis("padding", p, rank, a)?)?,
                Extent::Output(o) => given.by_output(per_axis("output", o, rank, a)?)?,
            };
            let (padding, output) = match &window {
                None => (padding, output),
                Some(w) => {
                    let (start, length) = per_axis("window", w, rank, a)?;
                    if length == 0 || start.checked_add(length).is_none_or(|end| end as i128 > output) {
                        let expected = format!("a window (start, length) within the {output} outputs of axis {a}");
                        return Err(Error::argument("window", expected, format!("({start}, {length})")));
                    }
                    (padding - start as i128 * given.stride as i128, length as i128)
                }
            };
            problem.axes.push(given.axis(padding, output)?);
        }
        problem.check_sizes()?;
        Ok(problem)
    }
}

/// The farthest position that an axis may speak of, and its largest extent, stride or dilation: products of two such
/// still fit an `i128` with room for sums.
const LIMIT: i128 = 1 << 60;

fn per_axis<T: Copy + std::fmt::Debug>(name: &'static str, values: &[T], rank: usize, axis: usize) -> Result<T> {
    match values {
        [one] => Ok(*one),
        many if many.len() == rank => Ok(many[axis]),
        _ => Err(Error::argument(name, format!("1 or {rank} values, one an axis"), format!("{values:?}"))),
    }
}

fn positive(name: &'static str, values: &[usize], rank: usize, axis: usize) -> Result<usize> {
    match per_axis(name, values, rank, axis)? {
        0 => Err(Error::argument(name, format!("at least 1 on axis {axis}"), 0)),
        n if n as i128 > LIMIT => Err(Error::overflow(format!("axis {axis}: the {name}"))),
        n => Ok(n),
    }
}

/// What is known of an axis before its output is.
struct Given {
    axis: usize,
    input: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
}

impl Given {
    fn span(&self) -> i128 {
        self.dilation as i128 * (self.kernel as i128 - 1) + 1
    }

    /// (padding before, output extent) of a mode. The kernel's own reversal does not change which outputs `Full` and
    /// `Valid` have; `Same` keeps the same part of `Full` in both, as SciPy does.
    fn by_mode(&self, mode: Mode) -> Result<(i128, i128)> {
        let (span, n) = (self.span(), self.input as i128);
        let strided = |dense: i128| (dense - 1) / self.stride as i128 + 1;
        Ok(match mode {
            Mode::Full => (span - 1, strided(n + span - 1)),
            Mode::Same => (span / 2, strided(n)),
            Mode::Causal => (span - 1, strided(n)),
            Mode::Valid => return self.by_padding((0, 0)),
        })
    }

    fn by_padding(&self, (before, after): (isize, isize)) -> Result<(i128, i128)> {
        let padded = self.input as i128 + before as i128 + after as i128;
        if padded < self.span() {
            return Err(Error::KernelTooLong {
                axis: self.axis,
                kernel: usize::try_from(self.span()).unwrap_or(usize::MAX),
                input: usize::try_from(padded.max(0)).unwrap_or(usize::MAX),
            });
        }
        Ok((before as i128, (padded - self.span()) / self.stride as i128 + 1))
    }

    fn by_output(&self, (padding, output): (isize, usize)) -> Result<(i128, i128)> {
        if output == 0 {
            return Err(Error::argument("output", format!("at least 1 on axis {}", self.axis), 0));
        }
        if output as i128 > LIMIT {
            return Err(Error::overflow(format!("axis {}: the output", self.axis)));
        }
        Ok((padding as i128, output as i128))
    }

    /// The axis, where every position that it speaks of fits with room to spare.
    fn axis(&self, padding: i128, output: i128) -> Result<SpatialAxis> {
        let reach = output * self.stride as i128 + padding.abs() + self.span() + self.input as i128;
        if reach > LIMIT {
            return Err(Error::overflow(format!("axis {}: the positions that the kernel reaches", self.axis)));
        }
        Ok(SpatialAxis {
            input: self.input,
            kernel: self.kernel,
            stride: self.stride,
            dilation: self.dilation,
            padding: padding as isize,
            output: output as usize,
        })
    }
}
