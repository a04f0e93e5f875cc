//! Forward pass and input gradient as one: a correlation of a source at unit or larger steps.
//!
//! Both are sums `result[first + j·every] = Σ_{c, tap} weight[tap] · source[j·step + offset(tap)]` along every axis. In
//! the forward pass the step is the stride. In the input gradient the source is the output gradient, and the results
//! fall into as many phases as the stride has residues: `gx[i]` reads those taps for which `i + padding - tap·dilation`
//! is a multiple of the stride, at unit steps. No zeros are multiplied.

use std::collections::HashMap;

use crate::problem::{Boundary, Pass, Problem, SpatialAxis};

/// One tap: which kernel element, and where its sample lies from the position of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tap {
    pub(crate) index: usize,
    pub(crate) offset: isize,
}

/// Along one axis, results `first + j·every` for `j < count`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PhaseAxis {
    pub(crate) taps: Vec<Tap>,
    pub(crate) step: usize,
    pub(crate) first: usize,
    pub(crate) every: usize,
    pub(crate) count: usize,
}

/// The results of one residue on every axis.
pub(crate) type Phase = Vec<PhaseAxis>;

/// A forward pass or an input gradient in those terms.
#[derive(Clone, Debug)]
pub(crate) struct Lowered {
    pub(crate) groups: usize,
    /// Channels of a group that are summed over.
    pub(crate) inner: usize,
    /// Channels of a group that the result has.
    pub(crate) outer: usize,
    /// Whether the kernel's axes are (inner, outer, …) rather than (outer, inner, …).
    pub(crate) transposed: bool,
    pub(crate) conjugate: bool,
    pub(crate) boundary: Boundary,
    /// The phases that have taps. The results of the others are zero.
    pub(crate) phases: Vec<Phase>,
    /// Whether every result belongs to one of the phases.
    pub(crate) complete: bool,
}

/// Tiles that cover a phase's results, and the share of them that the results fill.
pub(crate) fn tiles(phase: &[PhaseAxis], tile: &[usize]) -> (f64, f64) {
    let tiles: f64 = phase.iter().zip(tile).map(|(a, &n)| a.count.div_ceil(n.max(1)) as f64).product();
    let results: f64 = phase.iter().map(|a| a.count as f64).product();
    (tiles, results / (tiles * tile.iter().map(|&n| n as f64).product::<f64>()).max(1.0))
}

/// Kernel elements beyond which tables of taps would be too large to keep.
pub(crate) const MOST_TAPS: usize = 1 << 27;

impl Lowered {
    /// Not for weight gradients, nor for input gradients under a boundary that reads data.
    pub(crate) fn new(problem: &Problem) -> Result<Self, String> {
        let (inputs, outputs) = (problem.in_channels / problem.groups, problem.out_channels / problem.groups);
        let transposed = problem.pass == Pass::InputGradient;
        let (inner, outer) = if transposed { (outputs, inputs) } else { (inputs, outputs) };
        if problem.terms() > MOST_TAPS {
            return Err(format!("a table of {} taps would be too large", problem.terms()));
        }
        let axes: Vec<Vec<PhaseAxis>> = problem.axes.iter().map(|a| phases(problem, a)).collect();
        let covered = |axis: &SpatialAxis, phases: &[PhaseAxis]| {
            phases.iter().map(|p| p.count).sum::<usize>() == if transposed { axis.input } else { axis.output }
        };
        let complete = problem.axes.iter().zip(&axes).all(|(a, p)| covered(a, p));
        let mut combined: Vec<Phase> = vec![Vec::new()];
        for choices in &axes {
            combined = combined
                .iter()
                .flat_map(|done| choices.iter().map(|c| [&done[..], std::slice::from_ref(c)].concat()))
                .collect();
        }
        Ok(Self {
            groups: problem.groups,
            inner,
            outer,
            transposed,
            conjugate: problem.conjugate != transposed,
            boundary: if transposed { Boundary::Zero } else { problem.boundary },
            phases: combined,
            complete,
        })
    }
}

/// The phases of one axis that have taps.
fn phases(problem: &Problem, axis: &SpatialAxis) -> Vec<PhaseAxis> {
    let (stride, dilation) = (axis.stride as isize, axis.dilation as isize);
    let taps = (0..axis.kernel).map(|t| (t as isize, if problem.flip { axis.kernel - 1 - t } else { t }));
    if problem.pass != Pass::InputGradient {
        let taps = taps.map(|(t, index)| Tap { index, offset: t * dilation - axis.padding }).collect();
        return vec![PhaseAxis { taps, step: axis.stride, first: 0, every: 1, count: axis.output }];
    }
    let mut phases: Vec<PhaseAxis> = Vec::new();
    let mut of_residue = HashMap::new();
    for (t, index) in taps {
        // Results i = first + j·stride with (i + padding - t·dilation) a multiple of the stride.
        let shift = axis.padding - t * dilation;
        let first = (-shift).rem_euclid(stride);
        let offset = (first + shift) / stride;
        let tap = Tap { index, offset };
        let first = first as usize;
        if first >= axis.input {
            continue;
        }
        let phase = *of_residue.entry(first).or_insert_with(|| {
            let count = (axis.input - first).div_ceil(axis.stride);
            phases.push(PhaseAxis { taps: Vec::new(), step: 1, first, every: axis.stride, count });
            phases.len() - 1
        });
        phases[phase].taps.push(tap);
    }
    phases
}
