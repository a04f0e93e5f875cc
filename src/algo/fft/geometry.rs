//! How a problem's axes are cut into tiles, and who meets whom.

use super::blocks::Window;
use crate::algo::gather::Span;
use crate::problem::{Boundary, MAX_RANK, Pass, Problem};
use crate::transform::{Layout, Samples};

/// One axis of a sliding sum over dense positions: `y[q] = Σ_k w[k] · u[q + e(k)]`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Axis {
    /// The transform's size.
    pub(super) size: usize,
    pub(super) span: usize,
    pub(super) kernel: usize,
    pub(super) dilation: usize,
    /// Results of one tile.
    pub(super) tile: usize,
    /// Dense positions from one result to the next.
    pub(super) every: usize,
    /// Dense positions from one sample of the source to the next.
    pub(super) up: usize,
    /// Where, in dense positions of the source, the window of result 0 begins.
    pub(super) base: isize,
    /// Results in all; of a weight gradient, positions of the output gradient.
    pub(super) results: usize,
    flip: bool,
    backward: bool,
}

impl Axis {
    /// Tiles that cover the axis.
    pub(super) fn tiles(&self) -> usize {
        self.results.div_ceil(self.tile.max(1))
    }

    /// The offset `e` of the kernel's element `i`, in the order of memory.
    pub(super) fn offset(&self, i: usize) -> usize {
        let tap = if self.flip { self.kernel - 1 - i } else { i } * self.dilation;
        if self.backward { self.span - 1 - tap } else { tap }
    }

    /// The window of the tile that begins at result `start`.
    pub(super) fn window(&self, start: usize) -> Window {
        let from = self.base + (start * self.every) as isize;
        let up = self.up as isize;
        let skip = (-from).rem_euclid(up);
        let count = self.size.saturating_sub(skip as usize).div_ceil(self.up);
        Window { span: Span { start: (from + skip) / up, step: 1, count, pitch: self.up }, at: skip as usize }
    }
}

/// The tiling of a problem.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    pub(super) axes: [Axis; MAX_RANK],
    pub(super) rank: usize,
    /// How a tile lies in a block.
    pub(super) layout: Layout,
    pub(super) pass: Pass,
    pub(super) groups: usize,
    /// Channels a group of the input and of the output.
    pub(super) group_in: usize,
    pub(super) group_out: usize,
    pub(super) batch: usize,
    /// What the source is where it ends.
    pub(super) boundary: Boundary,
    pub(super) conjugate: bool,
}

impl Geometry {
    pub(super) fn new(problem: &Problem, transform: &[usize]) -> Result<Self, String> {
        let rank = problem.axes.len();
        if transform.len() != rank {
            return Err(format!("its transform has {} axes, the problem {rank}", transform.len()));
        }
        let mut axes = [Axis::default(); MAX_RANK];
        for (a, axis) in problem.axes.iter().enumerate() {
            let (size, span) = (transform[a], axis.span());
            if size < span {
                return Err(format!("its transform of {size} is shorter than the kernel's span of {span}"));
            }
            let (stride, dense) = (axis.stride, size - span + 1);
            let backward = problem.pass == Pass::InputGradient;
            let results = match problem.pass {
                Pass::InputGradient => axis.input,
                _ => axis.output,
            };
            let every = if backward { 1 } else { stride };
            // A stride beyond the tile leaves one result in it.
            let tile = ((dense - 1) / every + 1).min(results.max(1));
            axes[a] = Axis {
                size,
                span,
                kernel: axis.kernel,
                dilation: axis.dilation,
                tile,
                every,
                up: if backward { stride } else { 1 },
                base: if backward { axis.padding - (span as isize - 1) } else { -axis.padding },
                results,
                flip: problem.flip,
                backward,
            };
        }
        let (samples, bytes) = match problem.dtype.is_complex() {
            true => (Samples::Complex, problem.dtype.size() / 2),
            false => (Samples::Real, problem.dtype.size()),
        };
        let layout = Layout::new(transform, samples, bytes)?;
        let boundary = if problem.pass == Pass::InputGradient { Boundary::Zero } else { problem.boundary };
        Ok(Self {
            axes,
            rank,
            layout,
            pass: problem.pass,
            groups: problem.groups,
            group_in: problem.in_channels / problem.groups,
            group_out: problem.out_channels / problem.groups,
            batch: problem.batch,
            boundary,
            conjugate: problem.conjugate != (problem.pass == Pass::InputGradient),
        })
    }

    pub(super) fn axes(&self) -> &[Axis] {
        &self.axes[..self.rank]
    }

    /// Result channels and source channels a group.
    pub(super) fn channels(&self) -> (usize, usize) {
        match self.pass {
            Pass::InputGradient => (self.group_in, self.group_out),
            _ => (self.group_out, self.group_in),
        }
    }

    /// Which kernel, in the order of memory, joins result channel `result` and the `source`th source channel of its
    /// group.
    pub(super) fn kernel(&self, result: usize, source: usize) -> usize {
        match self.pass {
            Pass::InputGradient => {
                let group = result / self.group_in;
                (group * self.group_out + source) * self.group_in + result % self.group_in
            }
            _ => result * self.group_in + source,
        }
    }

    pub(super) fn kernels(&self) -> usize {
        self.groups * self.group_in * self.group_out
    }

    /// Elements of one kernel.
    pub(super) fn taps(&self) -> usize {
        self.axes().iter().map(|a| a.kernel).product()
    }

    pub(super) fn kernel_shape(&self) -> [usize; MAX_RANK] {
        self.axes.map(|a| a.kernel)
    }

    /// Numbers of a block: of its real parts and its imaginary ones.
    pub(super) fn block(&self) -> usize {
        self.layout.block()
    }

    /// Samples of a tile.
    pub(super) fn samples(&self) -> usize {
        self.axes().iter().map(|a| a.size).product()
    }
}
