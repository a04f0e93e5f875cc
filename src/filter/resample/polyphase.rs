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
use crate::problem::{Problem, gcd};
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
        let far = (self.count - 1).checked_mul(self.down).and_then(|n| n.checked_add(self.offset));
        if far.is_none_or(|n| n > isize::MAX as usize / 4) {
            return Err(Error::overflow("the length of the up-sampled signal"));
        }
        // Lines lie one behind the other while they are computed: the extension copies them anyway.
        let last = x.ndim() - 1;
        let mut x = x.view();
        x.swap_axes(axis.index(), last);
        let mut dim = x.raw_dim();
        dim[last] = self.count;
        let mut y = arrays::zeros("the result", dim)?;
        let length = taps.len().div_ceil(self.up);
        let low = self.at(0).0 as isize + 1 - length as isize;
        let high = self.at(self.count - 1).0 as isize + 1;
        let wide = extension.extend(&x, Axis(last), low, high)?;
        let lines =
            Lines { number: x.shape()[..last].iter().product(), input: wide.len_of(Axis(last)), output: self.count };
        let (Some(samples), Some(out)) = (wide.as_slice(), y.as_slice_mut()) else {
            return Err(Error::argument("x", "an array in C order", "another"));
        };
        with_workspace(|workspace| self.run_groups(&lines, samples, taps, out, workspace))?;
        drop(wide);
        y.swap_axes(axis.index(), last);
        Ok(if y.is_standard_layout() { y } else { y.as_standard_layout().into_owned() })
    }

    /// Every group of phases; `samples` begin with the first one that output 0 reads.
    fn run_groups<T: Element>(
        &self,
        lines: &Lines,
        samples: &[T],
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
            part.run(lines, samples, &kernel, out, workspace)?;
            first += group;
        }
        Ok(())
    }
}

/// The lines of two arrays in C order.
struct Lines {
    number: usize,
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
        samples: &[T],
        kernel: &[T],
        out: &mut [T],
        workspace: &mut Workspace,
    ) -> Result<()> {
        let &Lines { number, input, output } = lines;
        let reach = (self.rows - 1) * self.step + self.span;
        let problem = Problem::layer(number, 1, self.group, &[reach], &[self.span])
            .stride(&[if self.rows == 1 { 1 } else { self.step }])
            .dtype(T::DTYPE)
            .build()?;
        let plan = Options::default().plan::<T>(&problem)?;
        let x = View::new(samples, &[number, 1, reach], &[input as isize, 0, 1], self.from)?;
        let h = View::dense(kernel, &[self.group, 1, self.span])?;
        let strides = [output as isize, 1, self.every as isize];
        let y = ViewMut::new(out, &[number, self.group, self.rows], &strides, self.to)?;
        plan.run_views(x, h, y, workspace)
    }
}
