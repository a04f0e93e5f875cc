//! From the shapes of data and kernel to one problem, and to the axes of the arrays that it runs on.
//!
//! Axes are counted as those of the result, to which the data's axes are aligned from behind, as NumPy does. They are
//! of three kinds:
//!
//! - *leading* axes are not filtered. Where only the data vary along one it is batch; where only the kernel varies, its
//!   kernels are output channels; where both do, it is groups of one channel each. Neighbours of one kind are merged.
//!   What does not make one problem in this way is looped over, from the outermost axis on.
//! - *filtered* axes are the problem's spatial axes.
//! - *passive* axes, between or behind the filtered ones, are spatial axes with a kernel of one tap.

use std::ops::Range;

use super::arrays::Strides;
use super::settings::{Filtered, Settings};
use crate::element::DType;
use crate::error::{Error, Result};
use crate::problem::{Boundary, MAX_RANK, Problem};
use crate::view::MAX_AXES;

/// A problem, and how the axes of data, kernel and result become its own.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    pub(super) problem: Problem,
    /// The shapes of the problem's operands and its result.
    pub(super) operands: [Vec<usize>; 3],
    /// The shapes of the caller's arrays.
    pub(super) input: Vec<usize>,
    pub(super) kernel: Vec<usize>,
    pub(super) output: Vec<usize>,
    /// The leading axes that are looped over: the first so many.
    pub(super) loops: usize,
    batch: Range<usize>,
    groups: Range<usize>,
    channels: Range<usize>,
    spatial: Vec<Range<usize>>,
    /// The kernel's axis that belongs to each axis of the result.
    kernel_axes: [Option<usize>; MAX_AXES],
    /// Whether the problem's input is the kernel and its kernel the data; for real.
    pub(super) swapped: bool,
    /// Whether a swapped kernel is read from its end.
    reversed: bool,
    /// Whether a swapped kernel is to be conjugated.
    pub(super) conjugated: bool,
}

/// Which of the operands vary along a leading axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Varies {
    Data,
    Kernel,
    Both,
}

impl Geometry {
    /// # Errors
    /// As [`Convolution::plan`](crate::Convolution::plan), the planner's own apart.
    pub(super) fn new(x: &[usize], h: &[usize], settings: &Settings, dtype: DType) -> Result<Self> {
        for (name, shape) in [("x", x), ("h", h)] {
            if shape.is_empty() || shape.len() > MAX_AXES {
                return Err(Error::argument(name, format!("an array of 1 to {MAX_AXES} axes"), shape.len()));
            }
            if let Some(axis) = shape.iter().position(|&n| n == 0) {
                return Err(Error::argument(name, format!("at least 1 sample on axis {axis}"), 0));
            }
        }
        let rank = x.len().max(h.len());
        let (kernel_axes, lead) = match &settings.axes {
            Some(axes) => along(axes, x.len(), h.len(), settings.batch_axes)?,
            None => behind(x.len(), h.len(), settings.batch_axes)?,
        };
        let mut output = vec![1; rank];
        output[rank - x.len()..].copy_from_slice(x);
        let batched = h.len() - (0..rank).filter(|&a| a >= lead && kernel_axes[a].is_some()).count();
        let filtered: Vec<usize> = {
            let mut axes: Vec<usize> = (lead..rank).filter(|&a| kernel_axes[a].is_some()).collect();
            axes.sort_by_key(|&a| kernel_axes[a]);
            axes
        };

        let mut varies = [None; MAX_AXES];
        for a in 0..lead {
            let (n, m) = (output[a], kernel_axes[a].map_or(1, |k| h[k]));
            varies[a] = match (n, m) {
                (1, 1) => None,
                (_, 1) => Some(Varies::Data),
                (1, _) => Some(Varies::Kernel),
                (n, m) if n == m => Some(Varies::Both),
                _ => {
                    let expected = format!("batch axes that broadcast with those of x, {:?}", &output[..lead]);
                    return Err(Error::argument("h", expected, format!("{:?}", &h[..batched])));
                }
            };
            output[a] = n.max(m);
        }

        let extents: Vec<_> = filtered.iter().map(|&a| (output[a], h[kernel_axes[a].unwrap_or(0)])).collect();
        let (along, boundary) = settings.filtered(&extents)?;
        let mut steps: [Option<Filtered>; MAX_AXES] = [None; MAX_AXES];
        for (&a, f) in filtered.iter().zip(along) {
            steps[a] = Some(f);
        }

        let (loops, [batch, both, channels]) = one_problem(&varies[..lead]);
        let mut spatial: Vec<Range<usize>> = Vec::new();
        for a in lead..rank {
            match spatial.last_mut() {
                Some(last) if steps[a].is_none() && steps[last.start].is_none() => last.end = a + 1,
                _ => spatial.push(a..a + 1),
            }
        }
        if spatial.len() > MAX_RANK {
            return Err(Error::argument("x", format!("at most {MAX_RANK} filtered axes"), spatial.len()));
        }
        let merge = |axes: &Range<usize>| -> Result<usize> {
            output[axes.clone()]
                .iter()
                .try_fold(1usize, |n, &m| n.checked_mul(m))
                .ok_or_else(|| Error::overflow(format!("the product of the extents {:?}", &output[axes.clone()])))
        };
        let (b, g) = (merge(&batch)?, merge(&both)?);
        let out = merge(&channels)?
            .checked_mul(g)
            .ok_or_else(|| Error::overflow(format!("the number of kernels in {h:?}")))?;
        let mut axes = Vec::with_capacity(spatial.len());
        for range in &spatial {
            axes.push(match steps[range.start] {
                Some(f) => f,
                None => Filtered::passive(merge(range)?),
            });
        }
        let mut this = Self {
            operands: Default::default(),
            problem: problem([b, g, out], &axes, settings, boundary, dtype)?,
            input: x.to_vec(),
            kernel: h.to_vec(),
            output: Vec::new(),
            loops,
            batch,
            groups: both,
            channels,
            spatial,
            kernel_axes,
            swapped: false,
            reversed: false,
            conjugated: false,
        };
        for (range, axis) in this.spatial.iter().zip(&this.problem.axes) {
            if steps[range.start].is_some() {
                output[range.start] = axis.output();
            }
        }
        let bytes = output.iter().try_fold(dtype.size(), |n, &m| n.checked_mul(m));
        if bytes.is_none_or(|n| n > isize::MAX as usize) {
            return Err(Error::overflow(format!("the result's size {output:?}")));
        }
        this.output = output;
        if this.worth_swapping() {
            this.swap()?;
        }
        this.operands = this.problem.operands();
        Ok(this)
    }
}

/// The kernel's axes laid along chosen axes of the data, and the number of leading axes.
fn along(axes: &[usize], x: usize, h: usize, batch: usize) -> Result<([Option<usize>; MAX_AXES], usize)> {
    if batch != 0 {
        return Err(Error::argument(
            "batch_axes",
            "none where the filtered axes are chosen: all others are batch",
            batch,
        ));
    }
    if h != axes.len() || h > x {
        return Err(Error::argument("h", format!("a kernel with one axis for each of the axes {axes:?}"), h));
    }
    let mut kernel_axes = [None; MAX_AXES];
    for (k, &a) in axes.iter().enumerate() {
        if a >= x || kernel_axes[a].is_some() {
            let expected = format!("different axes of the {x} that x has");
            return Err(Error::argument("axes", expected, format!("{axes:?}")));
        }
        kernel_axes[a] = Some(k);
    }
    Ok((kernel_axes, axes.iter().copied().min().unwrap_or(0)))
}

/// The kernel's axes aligned from behind with those of the data, and the number of leading axes.
fn behind(x: usize, h: usize, batch: usize) -> Result<([Option<usize>; MAX_AXES], usize)> {
    if batch == 0 && x != h {
        let expected = format!("{x} axes, as x has (see axes and batch_axes for kernels of other ranks)");
        return Err(Error::argument("h", expected, h));
    }
    let rank = x.max(h);
    let filtered = rank.saturating_sub(batch);
    if filtered == 0 || filtered > x.min(h) {
        let expected = format!("fewer batch axes than {rank}, with all the others in both x and h");
        return Err(Error::argument("batch_axes", expected, format!("{batch}, with {x} axes of x and {h} of h")));
    }
    let mut kernel_axes = [None; MAX_AXES];
    for k in 0..h {
        kernel_axes[rank - h + k] = Some(k);
    }
    Ok((kernel_axes, batch))
}

/// Divides the leading axes into those that are looped over, the first so many, and the batch, the groups and the
/// output channels of one problem.
fn one_problem(varies: &[Option<Varies>]) -> (usize, [Range<usize>; 3]) {
    let mut segments: Vec<(Varies, Range<usize>)> = Vec::new();
    for (a, &kind) in varies.iter().enumerate() {
        match (kind, segments.last_mut()) {
            (None, _) => {}
            (Some(kind), Some((last, range))) if *last == kind => range.end = a + 1,
            (Some(kind), _) => segments.push((kind, a..a + 1)),
        }
    }
    let fits = |s: &[(Varies, Range<usize>)]| {
        let at = |kind| s.iter().position(|(k, _)| *k == kind);
        let once = s.iter().enumerate().all(|(i, (kind, _))| at(*kind) == Some(i));
        // A group's output channels are its kernels, side by side.
        let adjacent = match (at(Varies::Both), at(Varies::Kernel)) {
            (Some(both), Some(kernel)) => kernel == both + 1,
            _ => true,
        };
        once && adjacent
    };
    let first = (0..=segments.len()).find(|&i| fits(&segments[i..])).unwrap_or(segments.len());
    let loops = if first == 0 { 0 } else { segments[first - 1].1.end };
    let of = |kind| segments[first..].iter().find(|(k, _)| *k == kind).map_or(loops..loops, |(_, range)| range.clone());
    (loops, [of(Varies::Data), of(Varies::Both), of(Varies::Kernel)])
}

/// The problem of so many batch entries, groups and kernels.
fn problem(
    [batch, groups, kernels]: [usize; 3],
    axes: &[Filtered],
    settings: &Settings,
    boundary: Boundary,
    dtype: DType,
) -> Result<Problem> {
    let of = |value: fn(&Filtered) -> usize| -> Vec<usize> { axes.iter().map(value).collect() };
    let output = axes.iter().map(Filtered::output).collect::<Result<Vec<_>>>()?;
    Problem::layer(batch, groups, kernels, &of(|f| f.input), &of(|f| f.kernel))
        .groups(groups)
        .stride(&of(|f| f.stride))
        .dilation(&of(|f| f.dilation))
        .output(&output)
        .boundary(boundary)
        .flip(settings.flips())
        .conjugate(settings.conjugates())
        .dtype(dtype)
        .build()
}

impl Geometry {
    /// Whether the same sum with data and kernel exchanged has fewer products: a short signal through a long response.
    fn worth_swapping(&self) -> bool {
        let p = &self.problem;
        self.loops == 0
            && p.batch == 1
            && p.in_channels == 1
            && p.out_channels == 1
            && p.boundary == Boundary::Zero
            && p.axes.iter().all(|a| a.stride == 1 && a.dilation == 1 && a.kernel >= a.input)
            && p.axes.iter().any(|a| a.kernel > a.input)
    }

    /// Exchanges data and kernel: outputs are the same part of the full convolution.
    fn swap(&mut self) -> Result<()> {
        let p = &self.problem;
        let extents =
            |kernel: bool| -> Vec<usize> { p.axes.iter().map(|a| if kernel { a.kernel } else { a.input }).collect() };
        let output: Vec<(isize, usize)> = p
            .axes
            .iter()
            .map(|a| {
                let start = a.kernel as isize - 1 - a.padding;
                (a.input as isize - 1 - start, a.output)
            })
            .collect();
        let swapped = Problem::field(&extents(true), &extents(false)).output(&output).dtype(p.dtype).build()?;
        (self.reversed, self.conjugated) = (!p.flip, p.conjugate && p.dtype.is_complex());
        (self.problem, self.swapped) = (swapped, true);
        Ok(())
    }

    /// Strides of the data's own axes as those of the result's.
    pub(super) fn align(&self, own: &Strides) -> Strides {
        let shift = self.output.len() - self.input.len();
        let mut strides = [0; MAX_AXES];
        strides[shift..self.output.len()].copy_from_slice(&own[..self.input.len()]);
        strides
    }

    /// Extents of the data along the result's axes.
    fn extents(&self) -> [usize; MAX_AXES] {
        let mut extents = [1; MAX_AXES];
        extents[self.output.len() - self.input.len()..self.output.len()].copy_from_slice(&self.input);
        extents
    }

    /// The strides of the problem's input, where the data's axes merge as the problem's do.
    pub(super) fn input_strides(&self, own: &Strides) -> Option<Strides> {
        let (extents, strides) = (self.extents(), self.align(own));
        let mut merged = [0; MAX_AXES];
        merged[0] = merge(&extents, &strides, self.batch.clone())?;
        merged[1] = merge(&extents, &strides, self.groups.clone())?;
        for (m, range) in merged[2..].iter_mut().zip(&self.spatial) {
            *m = merge(&extents, &strides, range.clone())?;
        }
        Some(merged)
    }

    /// The strides of the problem's output, where the result's axes merge as the problem's do.
    pub(super) fn output_strides(&self, strides: &Strides) -> Option<Strides> {
        let mut extents = [1; MAX_AXES];
        extents[..self.output.len()].copy_from_slice(&self.output);
        let mut merged = [0; MAX_AXES];
        merged[0] = merge(&extents, strides, self.batch.clone())?;
        merged[1] = merge(&extents, strides, self.kernels())?;
        for (m, range) in merged[2..].iter_mut().zip(&self.spatial) {
            *m = merge(&extents, strides, range.clone())?;
        }
        Some(merged)
    }

    /// The strides of the problem's kernel, where the axes of the caller's merge as the problem's do.
    pub(super) fn kernel_strides(&self, own: &Strides) -> Option<Strides> {
        let (mut extents, mut strides) = ([1; MAX_AXES], [0; MAX_AXES]);
        for (a, k) in self.kernel_axes.iter().enumerate() {
            if let Some(k) = *k {
                (extents[a], strides[a]) = (self.kernel[k], own[k]);
            }
        }
        let mut merged = [0; MAX_AXES];
        merged[0] = merge(&extents, &strides, self.kernels())?;
        for (m, range) in merged[2..].iter_mut().zip(&self.spatial) {
            *m = strides[range.start];
        }
        Some(merged)
    }

    /// Strides and offset of a kernel in the place of the data.
    pub(super) fn as_input(&self, own: &Strides, offset: usize) -> (Strides, usize) {
        let (mut strides, mut start) = ([0; MAX_AXES], offset as isize);
        for (axis, range) in self.spatial.iter().enumerate() {
            let Some(k) = self.kernel_axes[range.start] else { continue };
            let sign = if self.reversed { -1 } else { 1 };
            strides[2 + axis] = own[k] * sign;
            start += if self.reversed { own[k] * (self.kernel[k] as isize - 1) } else { 0 };
        }
        (strides, start as usize)
    }

    /// The axes of the problem's output channels.
    fn kernels(&self) -> Range<usize> {
        match (self.groups.is_empty(), self.channels.is_empty()) {
            (true, _) => self.channels.clone(),
            (_, true) => self.groups.clone(),
            _ => self.groups.start..self.channels.end,
        }
    }

    /// How many problems are run, one after the other.
    pub(super) fn runs(&self) -> usize {
        self.output[..self.loops].iter().product()
    }

    /// How many different kernels they have.
    pub(super) fn prepared(&self) -> usize {
        self.kernel_axes[..self.loops].iter().flatten().map(|&k| self.kernel[k]).product()
    }

    /// Of run number `run`: the steps from the first element of data, kernel and result, and the number of the kernel.
    pub(super) fn at(&self, run: usize, x: &Strides, h: &Strides, y: &Strides) -> [isize; 4] {
        let x = self.align(x);
        let (mut rest, mut steps, mut kernels) = (run, [0; 4], 1);
        let extents = self.extents();
        for a in (0..self.loops).rev() {
            let i = (rest % self.output[a]) as isize;
            rest /= self.output[a];
            if extents[a] > 1 {
                steps[0] += i * x[a];
            }
            if let Some(k) = self.kernel_axes[a].filter(|&k| self.kernel[k] > 1) {
                steps[1] += i * h[k];
                steps[3] += i * kernels;
                kernels *= self.kernel[k] as isize;
            }
            steps[2] += i * y[a];
        }
        steps
    }
}

/// The one stride of several axes, if they have one: each steps over all that the next one reaches.
fn merge(extents: &[usize; MAX_AXES], strides: &Strides, axes: Range<usize>) -> Option<isize> {
    let (mut stride, mut next) = (None, 0);
    for a in axes.rev().filter(|&a| extents[a] > 1) {
        match stride {
            None => stride = Some(strides[a]),
            Some(_) if strides[a] != next => return None,
            Some(_) => {}
        }
        next = strides[a] * extents[a] as isize;
    }
    Some(stride.unwrap_or(0))
}
