//! Up-sampling, filtering and down-sampling in one, without a product with the zeros between the samples.
//!
//! With a step up `p`, a step down `q` and `offset` in the up-sampled domain, `y[o] = Σ_j x[j] · h[offset + o·q - j·p]`.
//! Outputs whose position is of one residue modulo `p` read the same taps, every `p`-th of `h`, so they are one strided
//! correlation with this *phase* of the filter. Phases repeat after `p / gcd(p, q)` outputs. Neighbouring ones read
//! nearly the same samples: a few of them are the output channels of one layer, whose kernels are as long as the
//! samples that any of them reads.

use ndarray::{Array, ArrayRef, Axis, Dimension};

use super::super::arrays::{self, with_workspace};
use super::super::extension::Extension;
use super::super::plan::Options;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::plan::Workspace;
use crate::problem::Problem;
use crate::view::{View, ViewMut};

/// Phases of one problem, at the most: as many output channels as the product's widest tile has.
const GROUP: usize = 8;

/// Which outputs of an up-sampled, filtered and down-sampled signal are computed: `count` of them, `down` apart in the
/// up-sampled domain, from `offset` on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) up: usize,
    pub(super) down: usize,
    pub(super) offset: usize,
    pub(super) count: usize,
}

pub(super) fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Rate {
    /// The sample that output `o` ends with, and its phase of the filter.
    fn at(&self, o: usize) -> (usize, usize) {
        let position = self.offset + o * self.down;
        (position / self.up, position % self.up)
    }

    /// # Errors
    /// [`Error::Overflow`] where positions do not fit; [`Error::Other`] where there is no memory for the result.
    pub(super) fn run<T: Element, D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
        axis: Axis,
        taps: &[T],
        extension: Extension,
    ) -> Result<Array<T, D>> {
        let mut dim = x.raw_dim();
        dim[axis.index()] = self.count;
        let far = self.count.checked_mul(self.down).and_then(|n| n.checked_add(self.offset));
        if far.is_none_or(|n| n > isize::MAX as usize / 4) {
            return Err(Error::overflow("the length of the up-sampled signal"));
        }
        let mut y = arrays::zeros("the result", dim)?;
        let length = taps.len().div_ceil(self.up);
        let low = self.at(0).0 as isize + 1 - length as isize;
        let high = self.at(self.count - 1).0 as isize + 1;
        let wide = extension.extend(x, axis, low, high)?;
        let lines = Lines {
            outer: x.shape()[..axis.index()].iter().product(),
            inner: x.shape()[axis.index() + 1..].iter().product(),
            input: wide.len_of(axis),
            output: self.count,
        };
        let (Some(wide), Some(out)) = (wide.as_slice(), y.as_slice_mut()) else {
            return Err(Error::argument("x", "an array in C order", "another"));
        };
        with_workspace(|workspace| self.run_groups(&lines, wide, taps, out, workspace))?;
        Ok(y)
    }

    /// Every group of phases; `wide` begins with the first sample that output 0 reads.
    fn run_groups<T: Element>(
        &self,
        lines: &Lines,
        wide: &[T],
        taps: &[T],
        out: &mut [T],
        workspace: &mut Workspace,
    ) -> Result<()> {
        let common = gcd(self.up, self.down);
        let (phases, step) = (self.up / common, self.down / common);
        let length = taps.len().div_ceil(self.up);
        let origin = self.at(0).0;
        let rows = |phase: usize| (self.count - phase).div_ceil(phases);
        let mut kernel = Vec::new();
        let mut first = 0;
        while first < phases.min(self.count) {
            let start = self.at(first).0;
            let joins = |phase: &usize| {
                // No more than half as many taps again, and as many results.
                rows(*phase) == rows(first) && (self.at(*phase).0 - start) * 2 <= length
            };
            let group = (first..phases.min(self.count)).take(GROUP).take_while(joins).count();
            let span = self.at(first + group - 1).0 - start + length;
            kernel.clear();
            kernel.resize(group * span, T::default());
            for (channel, row) in kernel.chunks_exact_mut(span).enumerate() {
                let (end, phase) = self.at(first + channel);
                for (t, &tap) in taps.iter().skip(phase).step_by(self.up).enumerate() {
                    row[end - start + length - 1 - t] = tap;
                }
            }
            let rows = rows(first);
            let part = Part { group, span, rows, step, every: phases, from: start - origin, to: first };
            part.run(lines, wide, &kernel, out, workspace)?;
            first += group;
        }
        Ok(())
    }
}

/// The lines along one axis of two arrays in C order.
struct Lines {
    outer: usize,
    inner: usize,
    input: usize,
    output: usize,
}

/// A group of phases: a layer of one input channel and as many output channels.
struct Part {
    group: usize,
    span: usize,
    rows: usize,
    step: usize,
    /// Outputs from one row to the next.
    every: usize,
    /// The first sample that is read, and the first output.
    from: usize,
    to: usize,
}

impl Part {
    fn run<T: Element>(
        &self,
        lines: &Lines,
        wide: &[T],
        kernel: &[T],
        out: &mut [T],
        workspace: &mut Workspace,
    ) -> Result<()> {
        let &Lines { outer, inner, input, output } = lines;
        let reach = (self.rows - 1) * self.step + self.span;
        // One spatial axis, and the axes behind the filtered one as a second with a kernel of one tap.
        let axes = if inner == 1 { 1 } else { 2 };
        let problem = Problem::layer(outer, 1, self.group, &[reach, inner][..axes], &[self.span, 1][..axes])
            .stride(&[self.step, 1][..axes])
            .dtype(T::DTYPE)
            .build()?;
        let plan = Options::default().plan::<T>(&problem)?;
        let signed = |n: usize| n as isize;
        let x_strides = [signed(input * inner), 0, signed(inner), 1];
        let y_strides = [signed(output * inner), signed(inner), signed(self.every * inner), 1];
        let x_shape = [outer, 1, reach, inner];
        let y_shape = [outer, self.group, self.rows, inner];
        let x = View::new(wide, &x_shape[..2 + axes], &x_strides[..2 + axes], self.from * inner)?;
        let h = View::dense(kernel, &[self.group, 1, self.span, 1][..2 + axes])?;
        let y = ViewMut::new(out, &y_shape[..2 + axes], &y_strides[..2 + axes], self.to * inner)?;
        plan.run_views(x, h, y, workspace)
    }
}
