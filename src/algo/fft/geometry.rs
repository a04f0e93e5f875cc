//! How a problem's axes are cut into tiles, and who meets whom.

use super::blocks::Window;
use crate::algo::gather::Span;
use crate::problem::{Boundary, MAX_RANK, Pass, Problem, SpatialAxis};
use crate::transform::{Last, Layout, Samples};

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
    /// Samples of the source.
    source: usize,
    flip: bool,
    backward: bool,
}

/// What the source of a problem is where it ends.
pub(super) fn boundary(problem: &Problem) -> Boundary {
    if problem.pass == Pass::InputGradient { Boundary::Zero } else { problem.boundary }
}

impl Axis {
    /// An axis without a transform.
    pub(super) fn new(problem: &Problem, axis: &SpatialAxis) -> Self {
        let (span, backward) = (axis.span(), problem.pass == Pass::InputGradient);
        Self {
            size: 0,
            span,
            kernel: axis.kernel,
            dilation: axis.dilation,
            tile: 0,
            every: if backward { 1 } else { axis.stride },
            up: if backward { axis.stride } else { 1 },
            base: if backward { axis.padding - (span as isize - 1) } else { -axis.padding },
            results: if backward { axis.input } else { axis.output },
            source: if backward { axis.output } else { axis.input },
            flip: problem.flip,
            backward,
        }
    }

    /// Dense positions from the first result to the last of them all.
    pub(super) fn dense(&self) -> usize {
        self.results.max(1).saturating_sub(1).saturating_mul(self.every).saturating_add(1)
    }

    /// The shortest transform that gives all results at once. Where zeros surround the data, the end of the window may
    /// wrap around to its beginning: no result sees more than zeros there.
    pub(super) fn whole(&self, boundary: Boundary) -> usize {
        let window = self.dense().saturating_add(self.span - 1);
        if boundary != Boundary::Zero || self.source == 0 {
            return window;
        }
        // The data's place in the window.
        let first = self.base.min(0).unsigned_abs();
        let end = (self.source - 1).saturating_mul(self.up).saturating_add(1).saturating_add_signed(-self.base);
        end.min(window).max(window.saturating_sub(first)).max(self.dense()).max(self.span)
    }

    /// Tiles that cover the axis.
    pub(super) fn tiles(&self) -> usize {
        self.results.div_ceil(self.tile.max(1))
    }

    /// The offset `e` of the kernel's element `i`, in the order of memory.
    pub(super) fn offset(&self, i: usize) -> usize {
        let tap = if self.flip { self.kernel - 1 - i } else { i } * self.dilation;
        if self.backward { self.span - 1 - tap } else { tap }
    }

    /// The kernel's element whose offset goes backwards to this place of a block.
    pub(super) fn tap(&self, place: usize) -> Option<usize> {
        let offset = (self.size - place) % self.size;
        let i = Some(offset / self.dilation).filter(|i| i * self.dilation == offset && *i < self.kernel)?;
        Some(if self.offset(i) == offset { i } else { self.kernel - 1 - i })
    }

    /// What of the window of the tile that begins at result `start` its `results` see.
    pub(super) fn window(&self, start: usize, results: usize) -> Window {
        let from = self.base + (start * self.every) as isize;
        let up = self.up as isize;
        let skip = (-from).rem_euclid(up);
        let seen = self.size.min(results.saturating_sub(1) * self.every + self.span);
        let count = seen.saturating_sub(skip as usize).div_ceil(self.up);
        Window { span: Span { start: (from + skip) / up, step: 1, count, pitch: self.up }, at: skip as usize }
    }
}

/// Whether sums along the last axis may be taken directly, or why not.
fn summable(problem: &Problem) -> Result<(), String> {
    if problem.pass == Pass::WeightGradient {
        return Err("a weight gradient sums along all axes".into());
    }
    if problem.axes.len() < 2 {
        return Err("it transforms all axes but the last, and there is one".into());
    }
    if (problem.in_channels, problem.out_channels) != (problem.groups, problem.groups) {
        return Err("it takes one channel a group".into());
    }
    Ok(())
}

/// The tiling of a problem.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    pub(super) axes: [Axis; MAX_RANK],
    pub(super) rank: usize,
    /// How a tile lies in a block.
    pub(super) layout: Layout,
    /// How a kernel does.
    pub(super) kernel_layout: Layout,
    pub(super) last: Last,
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
    /// With these sizes of the transform on each axis; where the last is summed along, results of a tile there.
    pub(super) fn new(problem: &Problem, transform: &[usize], last: Last) -> Result<Self, String> {
        let rank = problem.axes.len();
        if transform.len() != rank {
            return Err(format!("its transform has {} axes, the problem {rank}", transform.len()));
        }
        if last == Last::Summed {
            summable(problem)?;
        }
        let boundary = boundary(problem);
        let mut axes = [Axis::default(); MAX_RANK];
        for (a, axis) in problem.axes.iter().enumerate() {
            let (size, span) = (transform[a], axis.span());
            if last == Last::Summed && a + 1 == rank {
                if size == 0 {
                    return Err("its tile has no results along the last axis".into());
                }
                let mut this = Axis::new(problem, axis);
                this.tile = size.clamp(1, this.results.max(1));
                this.size = ((this.tile - 1).saturating_mul(this.every)).saturating_add(span);
                axes[a] = this;
                continue;
            }
            if size < span {
                return Err(format!("its transform of {size} is shorter than the kernel's span of {span}"));
            }
            let mut this = Axis::new(problem, axis);
            this.size = size;
            this.tile = if size >= this.whole(boundary) {
                this.results
            } else {
                // A stride beyond the tile leaves one result in it.
                ((size - span) / this.every + 1).min(this.results.max(1))
            };
            axes[a] = this;
        }
        let (samples, bytes) = match problem.dtype.is_complex() {
            true => (Samples::Complex, problem.dtype.size() / 2),
            false => (Samples::Real, problem.dtype.size()),
        };
        let mut extents = axes.map(|axis| axis.size);
        let layout = Layout::new(&extents[..rank], last, samples, bytes)?;
        let mut kernel_layout = layout.clone();
        if last == Last::Summed {
            extents[rank - 1] = axes[rank - 1].kernel;
            kernel_layout = Layout::new(&extents[..rank], last, samples, bytes)?;
        }
        Ok(Self {
            axes,
            rank,
            layout,
            kernel_layout,
            last,
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

    /// Numbers of a kernel's block.
    pub(super) fn kernel_block(&self) -> usize {
        self.kernel_layout.block()
    }

    /// Terms of the sums that are taken directly.
    pub(super) fn summed(&self) -> usize {
        let along = if self.last == Last::Summed { self.axes[self.rank - 1].kernel } else { 1 };
        along * self.channels().1
    }

    /// Samples of a tile.
    pub(super) fn samples(&self) -> usize {
        self.axes().iter().map(|a| a.size).product()
    }
}
