//! What a caller says of a convolution, and what follows for each filtered axis.

use super::convention::{Centre, Convention, Defaults};
use crate::error::{Error, Result};
use crate::problem::{Boundary, Mode};

/// What the caller said of a convolution; what was left open is `None` or empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) convention: Option<Convention>,
    pub(super) mode: Option<Mode>,
    pub(super) boundary: Option<Boundary>,
    pub(super) correlate: bool,
    pub(super) flip: Option<bool>,
    pub(super) conjugate: Option<bool>,
    pub(super) stride: Vec<usize>,
    pub(super) dilation: Vec<usize>,
    pub(super) anchor: Vec<usize>,
    pub(super) padding: Vec<(isize, isize)>,
    pub(super) window: Vec<(usize, usize)>,
    pub(super) axes: Option<Vec<usize>>,
    pub(super) batch_axes: usize,
}

impl Settings {
    /// Those of a one-line call.
    pub(super) fn of(mode: Mode, correlate: bool) -> Self {
        Self { mode: Some(mode), correlate, ..Self::default() }
    }

    pub(super) fn flips(&self) -> bool {
        self.flip.unwrap_or(!self.correlate && Defaults::of(self.convention).flip)
    }

    pub(super) fn conjugates(&self) -> bool {
        self.conjugate.unwrap_or(self.correlate && Defaults::of(self.convention).conjugate)
    }

    pub(super) fn boundary(&self) -> Boundary {
        self.boundary.unwrap_or(Defaults::of(self.convention).boundary)
    }

    /// What is computed along each filtered axis, of (data, kernel) samples, and what lies outside the data.
    ///
    /// # Errors
    /// As [`Convolution::plan`](crate::Convolution::plan) says of the kernel, the mode and values an axis.
    pub(super) fn filtered(&self, extents: &[(usize, usize)]) -> Result<(Vec<Filtered>, Boundary)> {
        let rank = extents.len();
        let mut axes = Vec::with_capacity(rank);
        for (a, &(input, kernel)) in extents.iter().enumerate() {
            let stride = positive("stride", &self.stride, rank, a)?;
            let dilation = positive("dilation", &self.dilation, rank, a)?;
            axes.push(Filtered { input, kernel, stride, dilation, padding: 0, output: 0 });
        }
        let defaults = Defaults::of(self.convention);
        let mode = self.mode.unwrap_or(defaults.mode);
        if !self.padding.is_empty() && self.mode.is_some() {
            return Err(Error::argument("padding", "either a padding or a mode", format!("both, with mode {mode}")));
        }
        if !self.anchor.is_empty() && (mode != Mode::Same || !self.padding.is_empty()) {
            let given = if self.padding.is_empty() { format!("mode {mode}") } else { "a padding".into() };
            return Err(Error::argument("anchor", "an anchor in mode same only", given));
        }
        if self.convention == Some(Convention::NumPy) && rank != 1 {
            return Err(Error::argument("convention", "one filtered axis in NumPy's", format!("{rank} axes")));
        }
        let leads = self.padding.is_empty() && self.kernel_leads(mode, &axes);
        for (a, axis) in axes.iter_mut().enumerate() {
            (axis.padding, axis.output) = if let Some(padding) = per_axis("padding", &self.padding, rank, a)? {
                axis.by_padding(a, padding)?
            } else {
                match mode {
                    Mode::Full => (axis.span() - 1, axis.strided(axis.input as i128 + axis.span() - 1)),
                    Mode::Causal => (axis.span() - 1, axis.strided(axis.input as i128)),
                    Mode::Valid if leads => {
                        let n = axis.input as i128;
                        (axis.span() - n, axis.strided(axis.span() - n + 1))
                    }
                    Mode::Valid => axis.by_padding(a, (0, 0))?,
                    Mode::Same if leads => {
                        // The kernel's place is the data's: the middle of `full` that is as long as the kernel.
                        let n = axis.input as i128;
                        let start = if self.flips() { (n - 1) / 2 } else { n / 2 };
                        (axis.span() - 1 - start, axis.strided(axis.span()))
                    }
                    Mode::Same => (self.before(axis, a, rank)?, axis.strided(axis.input as i128)),
                }
            };
            if let Some((start, length)) = per_axis("window", &self.window, rank, a)? {
                if length == 0 || start.checked_add(length).is_none_or(|end| end as i128 > axis.output) {
                    let expected = format!("a window (start, length) within the {} outputs of axis {a}", axis.output);
                    return Err(Error::argument("window", expected, format!("({start}, {length})")));
                }
                axis.padding -= start as i128 * axis.stride as i128;
                axis.output = length as i128;
            }
        }
        // A swapped `valid` never leaves the kernel, so what the data's boundary is does not matter.
        let boundary = if leads && mode == Mode::Valid { Boundary::Zero } else { self.boundary() };
        Ok((axes, boundary))
    }

    /// Whether the convention puts the kernel in the data's place.
    fn kernel_leads(&self, mode: Mode, axes: &[Filtered]) -> bool {
        let swaps = match self.convention {
            Some(Convention::Scipy) => mode == Mode::Valid,
            Some(Convention::NumPy) => matches!(mode, Mode::Valid | Mode::Same),
            _ => false,
        };
        let longer = axes.iter().any(|f| f.span() > f.input as i128);
        swaps && longer && axes.iter().all(|f| f.span() >= f.input as i128)
    }

    /// The samples before the data that the first output of `same` reads.
    fn before(&self, axis: &Filtered, a: usize, rank: usize) -> Result<i128> {
        if let Some(anchor) = per_axis("anchor", &self.anchor, rank, a)? {
            if anchor >= axis.kernel {
                return Err(Error::argument("anchor", format!("one of the {} taps of axis {a}", axis.kernel), anchor));
            }
            let tap = if self.flips() { axis.kernel - 1 - anchor } else { anchor };
            return Ok(tap as i128 * axis.dilation as i128);
        }
        let [correlation, convolution] = Defaults::of(self.convention).centre;
        Ok(match if self.flips() { convolution } else { correlation } {
            Centre::Before => axis.span() / 2,
            Centre::Behind => (axis.span() - 1) / 2,
        })
    }
}

/// The value for one axis: of one value an axis, of one for all of them, or of none.
pub(super) fn per_axis<T: Copy + std::fmt::Debug>(
    name: &'static str,
    given: &[T],
    rank: usize,
    axis: usize,
) -> Result<Option<T>> {
    match given {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        many if many.len() == rank => Ok(Some(many[axis])),
        _ => Err(Error::argument(name, format!("1 or {rank} values, one a filtered axis"), format!("{given:?}"))),
    }
}

fn positive(name: &'static str, values: &[usize], rank: usize, axis: usize) -> Result<usize> {
    match per_axis(name, values, rank, axis)?.unwrap_or(1) {
        0 => Err(Error::argument(name, format!("at least 1 on axis {axis}"), 0)),
        n => Ok(n),
    }
}

/// One filtered axis: what is computed along it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filtered {
    pub(super) input: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) dilation: usize,
    /// Samples before the data that the first output reads.
    padding: i128,
    /// Number of outputs.
    output: i128,
}

impl Filtered {
    /// An axis that is not filtered: a kernel of one tap.
    pub(super) fn passive(n: usize) -> Self {
        Self { input: n, kernel: 1, stride: 1, dilation: 1, padding: 0, output: n as i128 }
    }

    /// (samples before the data that the first output reads, number of outputs)
    pub(super) fn output(&self) -> Result<(isize, usize)> {
        match (isize::try_from(self.padding), usize::try_from(self.output)) {
            (Ok(padding), Ok(output)) => Ok((padding, output)),
            _ => Err(Error::overflow("the positions that the kernel reaches")),
        }
    }

    fn span(&self) -> i128 {
        self.dilation as i128 * (self.kernel as i128 - 1) + 1
    }

    /// Every `stride`-th of so many outputs.
    fn strided(&self, dense: i128) -> i128 {
        (dense - 1) / self.stride as i128 + 1
    }

    fn by_padding(&self, axis: usize, (before, after): (isize, isize)) -> Result<(i128, i128)> {
        let padded = self.input as i128 + before as i128 + after as i128;
        if padded < self.span() {
            return Err(Error::KernelTooLong {
                axis,
                kernel: usize::try_from(self.span()).unwrap_or(usize::MAX),
                input: usize::try_from(padded.max(0)).unwrap_or(usize::MAX),
            });
        }
        Ok((before as i128, self.strided(padded - self.span() + 1)))
    }
}
