//! The matrix product: rows are output channels, columns the (input channel, tap) of the kernel, the sum goes over
//! pixels.
//!
//! Both factors are packed pixel by pixel, through registers. Where a work item has input channels enough to fill
//! them, its columns are the channels alone: a block of the input is packed once, with the margin that the taps reach,
//! and every tap reads it at an offset. With few channels, the columns are the patches themselves.

use super::{Boxes, OutputBox, in_parts};
use crate::algo::cost::{Costs, Estimate, running_sum_error, wide};
use crate::algo::direct::PhaseBlock;
use crate::algo::gather::{Source, Span, dense_pitches};
use crate::algo::im2col::{check_block, cut};
use crate::algo::lower::{Lowered, MOST_TAPS, Phase};
use crate::algo::panels::{rows, seconds_of_product, width};
use crate::algo::{Call, Execute, Needs};
use crate::element::Element;
use crate::problem::{MAX_RANK, Pass, Problem};
use crate::simd::{self, Ahead, Interleave, Isa, Line, Offsets, Plane, Product, Workers};
use crate::view::{View, advance};

/// Pixels of a box that the design aims at.
const PIXELS: usize = 256;

/// Output channels and columns of a work item, at the most, but input channels that a block is packed for once.
const CHANNELS: usize = 512;
const COLUMNS: usize = 640;
const INNER: usize = 64;

/// Elements of a work item's sums, at the most.
const SUMS: usize = 1 << 17;

/// What a work item's columns are.
#[derive(Debug)]
enum Columns {
    /// The (input channel, tap) of the kernel.
    Patches,
    /// The input channels, of a block that every tap reads at an offset.
    Shifted { phase: Phase, block: Box<PhaseBlock> },
}

#[derive(Debug)]
pub(crate) struct WeightPatches {
    problem: Problem,
    isa: Isa,
    rows: usize,
    width: usize,
    boxes: Boxes,
    /// Output and input channels of a work item.
    outer: usize,
    inner: usize,
    taps: usize,
    columns: Columns,
    /// Positions of a channel's block, or pixels.
    positions: usize,
    /// Where the pixels of a box lie in a panel of columns, for every extent that boxes have.
    offsets: Vec<([usize; MAX_RANK], Offsets)>,
    needs: Needs,
}

pub(crate) fn design(_: &Problem) -> usize {
    PIXELS
}

impl WeightPatches {
    pub(crate) fn new<T: Element>(problem: &Problem, block: usize) -> Result<Self, String> {
        check_block(block)?;
        let rank = problem.rank();
        let taps = problem.axes.iter().fold(1usize, |n, a| n.saturating_mul(a.kernel));
        let (inputs, outputs) = (problem.in_channels / problem.groups, problem.out_channels / problem.groups);
        if taps.saturating_mul(inputs) > MOST_TAPS {
            return Err(format!("a table of {} taps would be too large", taps.saturating_mul(inputs)));
        }
        let isa = Isa::detect();
        let rows = rows(isa, outputs);
        let lanes = T::lanes(isa);
        // Blocks that divide their channels, so that none straddles a group.
        let divisor =
            |n: usize, most: usize| (1..=n.min(most.max(1))).rev().find(|&d| n.is_multiple_of(d)).unwrap_or(1);
        let extent = cut(problem.axes.iter().map(|a| a.output), block.min(1 << 16));
        let shared = divisor(inputs, INNER.max(COLUMNS / taps));
        let columns = Columns::of(problem, &extent, [shared, taps, lanes])?;
        let inner = match columns {
            Columns::Patches => divisor(inputs, COLUMNS / taps),
            Columns::Shifted { .. } => shared,
        };
        let outer = divisor(outputs, CHANNELS.min(SUMS / (inner * taps).next_multiple_of(lanes)));
        let items = problem.groups * (outputs / outer) * (inputs / inner);
        let pixels: usize = extent.iter().product();
        let boxes = Boxes::new(problem, &extent, items);
        let (one, positions) = match &columns {
            Columns::Patches => (inner * taps, pixels),
            Columns::Shifted { block, .. } => (inner, block.len()),
        };
        let width = even_width(width::<T>(isa, rows), one, lanes);
        let padded = one.next_multiple_of(width);
        let blocks = inner * taps / one;
        let channels = outer.next_multiple_of(rows);
        let lines = |a: usize, b: usize| Line::holding::<T>(a.saturating_mul(b));
        let result = problem.kernel_shape().iter().product::<usize>();
        let needs = Needs {
            packed: 0,
            shared: lines(boxes.parts, result),
            worker: lines(rows, pixels)
                + lines(padded, positions)
                + lines(channels, padded * blocks)
                + lines(width.max(rows), positions)
                + lines(1, inner * taps),
        };
        let offsets = extents(problem, &boxes)
            .into_iter()
            .map(|count| {
                let pitches = dense_pitches(&count[..rank]);
                let pitch = |a: usize| match &columns {
                    Columns::Patches => pitches[a],
                    Columns::Shifted { block, .. } => block.pitch(a),
                };
                let mut index = [0; MAX_RANK];
                let offsets = (0..count[..rank].iter().product()).map(|_| {
                    let at: usize = (0..rank).map(|a| index[a] * pitch(a)).sum();
                    advance(&mut index[..rank], &count[..rank]);
                    at * width
                });
                (count, Offsets::new(offsets.collect()))
            })
            .collect();
        let problem = problem.clone();
        Ok(Self { problem, isa, rows, width, boxes, outer, inner, taps, columns, positions, offsets, needs })
    }

    pub(crate) fn estimate<T: Element>(costs: &Costs, problem: &Problem, block: usize) -> Result<Estimate, String> {
        let this = Self::new::<T>(problem, block)?;
        let (inputs, outputs) = (problem.in_channels / problem.groups, problem.out_channels / problem.groups);
        let boxes = this.boxes.total as f64;
        let full = this.boxes.extent.iter().product::<usize>() as f64;
        // On average: the last boxes are smaller.
        let pixels =
            problem.axes.iter().map(|a| a.output as f64).product::<f64>() * problem.batch as f64 / boxes.max(1.0);
        let (columns, repeated) = match this.columns {
            Columns::Patches => (this.inner * this.taps, 1),
            Columns::Shifted { .. } => (this.inner, this.taps),
        };
        let rows = if matches!(this.columns, Columns::Patches) && this.taps > 1 { columns } else { 0 };
        let packed = columns as f64 * this.positions as f64 * pixels / full + this.outer as f64 * pixels;
        let items = (problem.groups * (outputs / this.outer) * (inputs / this.inner)) as f64;
        // The sums of a box are added to those before.
        let panel = seconds_of_product::<T>(costs, (this.isa, this.rows), columns, pixels, 2.0);
        let sums = (this.outer.div_ceil(this.rows) * repeated) as f64 * panel;
        let packing = packed * costs.interleave * wide::<T>() + rows as f64 * costs.weight_row;
        let result = problem.kernel_shape().iter().map(|&n| n as f64).product::<f64>();
        Ok(Estimate {
            seconds: costs.run
                + items * boxes * (sums + packing + costs.weight_box)
                + result * this.boxes.parts as f64 * costs.weight_part,
            needs: this.needs,
            error: running_sum_error(problem),
        })
    }
}

impl Columns {
    /// Channels where they fill registers about as well as patches do, and a block of them is no larger.
    fn of(problem: &Problem, extent: &[usize], [inner, taps, lanes]: [usize; 3]) -> Result<Self, String> {
        let shifted = inner.next_multiple_of(lanes) * taps;
        if taps == 1 || shifted * 8 > (inner * taps).next_multiple_of(lanes) * 9 {
            return Ok(Self::Patches);
        }
        // The samples that a box of outputs reads are those that the forward pass gathers for it.
        let mut lowered = Lowered::new(&Problem { pass: Pass::Forward, ..problem.clone() })?;
        let mut phase = lowered.phases.swap_remove(0);
        for axis in &mut phase {
            // In the order of the kernel's own elements, which is that of the sums.
            if problem.flip {
                axis.taps.reverse();
            }
        }
        let pixels: usize = extent.iter().product();
        Ok(match PhaseBlock::new(&phase, extent, 1, 0) {
            Ok(block) if block.len() <= pixels.saturating_mul(taps) => Self::Shifted { phase, block: Box::new(block) },
            _ => Self::Patches,
        })
    }
}

/// The width of panels for `columns`: a panel of a single register would wait for its weights.
fn even_width(most: usize, columns: usize, lanes: usize) -> usize {
    let registers = columns.div_ceil(lanes);
    registers.div_ceil(registers.div_ceil(most / lanes)) * lanes
}

/// The extents that boxes have: the full ones, and what is left at the far ends.
fn extents(problem: &Problem, boxes: &Boxes) -> Vec<[usize; MAX_RANK]> {
    let mut all = vec![boxes.extent];
    for a in 0..problem.rank() {
        let left = boxes.output[a] % boxes.extent[a].max(1);
        if left > 0 {
            let shorter = all.clone().into_iter().map(|mut count| {
                count[a] = left;
                count
            });
            all.extend(shorter);
        }
    }
    all
}

impl<T: Element> Execute<T> for WeightPatches {
    fn needs(&self) -> Needs {
        self.needs
    }

    fn takes_non_finite(&self) -> bool {
        // Outside the input a gradient would be multiplied with zeros.
        !self.problem.reads_outside()
    }

    fn pack(&self, _: View<'_, T>, _: &mut [Line], _: &mut Workers<'_>) {}

    fn run(&self, call: Call<'_, '_, T>) {
        let blocks = [self.outer, self.inner, self.taps];
        in_parts(&self.problem, &self.boxes, call, blocks, |input, gradient, tile, scratch| {
            self.tile(input, gradient, tile, scratch);
        });
    }
}

impl WeightPatches {
    /// The spans of a box's pixels in the output, or of what tap `tap` reads for them in the input.
    fn spans(&self, start: &[usize], count: &[usize], tap: Option<&[usize]>) -> [Span; MAX_RANK] {
        let p = &self.problem;
        let pitches = dense_pitches(&count[..p.rank()]);
        std::array::from_fn(|a| {
            let Some(axis) = p.axes.get(a) else { return Span::default() };
            let (start, step) = match tap {
                None => (start[a] as isize, 1),
                Some(tap) => {
                    let t = if p.flip { axis.kernel - 1 - tap[a] } else { tap[a] };
                    ((start[a] * axis.stride + t * axis.dilation) as isize - axis.padding, axis.stride)
                }
            };
            Span { start, step, count: count[a], pitch: pitches[a] }
        })
    }

    /// What a box reads of the gradient from an output channel on, and of the input from an input channel on.
    fn ahead<'a, T: Element>(
        &self,
        input: &Source<'a, T>,
        gradient: &Source<'a, T>,
        [outer, inner]: [usize; 2],
        at: &OutputBox,
    ) -> [Ahead<'a, T>; 2] {
        let rank = self.problem.rank();
        let gradient = gradient.ahead((at.n, outer, self.outer), &self.spans(&at.start, &at.count, None)[..rank]);
        let from = (at.n, inner, self.inner);
        let input = match &self.columns {
            Columns::Shifted { phase, block } => {
                block.block.ahead(input, phase, from, [&at.start[..rank], &at.count[..rank]])
            }
            Columns::Patches => input.ahead(from, &self.spans(&at.start, &at.count, Some(&[0; MAX_RANK]))[..rank]),
        };
        [gradient, input]
    }

    fn tile<T: Element>(
        &self,
        input: &Source<'_, T>,
        gradient: &Source<'_, T>,
        mut tile: simd::TileMut<'_, T>,
        mut scratch: &mut [Line],
    ) {
        let Self { problem: p, isa, rows, width, taps, positions, .. } = self;
        let rank = p.rank();
        let full: usize = self.boxes.extent.iter().product();
        let channels = self.outer.next_multiple_of(*rows);
        let (columns, shifts): (usize, &[usize]) = match &self.columns {
            Columns::Patches => (self.inner * taps, &[0]),
            Columns::Shifted { block, .. } => (self.inner, block.offsets().as_slice()),
        };
        let padded = columns.next_multiple_of(*width);
        let pitch = padded * shifts.len();
        let packed = simd::split::<T>(&mut scratch, rows * full);
        let inputs = simd::split::<T>(&mut scratch, padded * positions);
        let sums = simd::split::<T>(&mut scratch, channels * pitch);
        let gathered = simd::split::<T>(&mut scratch, width.max(rows) * positions);
        let weights = simd::split::<T>(&mut scratch, self.inner * taps);
        let [part, outer, column] = *tile.start() else { return };
        let first = outer / (p.out_channels / p.groups) * (p.in_channels / p.groups) + column / taps;
        let kernel: [usize; MAX_RANK] = std::array::from_fn(|a| p.axes.get(a).map_or(1, |x| x.kernel));
        // Of complex elements, one of the two is conjugated.
        let conjugate = |row: &mut [T], which: bool| {
            if which && T::DTYPE.is_complex() {
                row.iter_mut().for_each(|x| *x = x.conj());
            }
        };
        sums.fill(T::default());
        for index in self.boxes.part(part) {
            let at = self.boxes.get(index);
            let Some((_, offsets)) = self.offsets.iter().find(|(count, _)| *count == at.count) else { continue };
            let pixels = offsets.len();
            let spans = self.spans(&at.start, &at.count, None);
            let length = if matches!(self.columns, Columns::Patches) { pixels } else { *positions };
            for column in (0..columns).step_by(*width) {
                let present = (*width).min(columns - column);
                let panel = &mut inputs[column * positions..][..length * width];
                match &self.columns {
                    Columns::Shifted { phase, block } => {
                        let from = (at.n, first + column, present);
                        let place = [&at.start[..rank], &at.count[..rank]];
                        block.block.gather(*isa, input, phase, from, place, gathered, false);
                    }
                    Columns::Patches if *taps == 1 => {
                        let spans = self.spans(&at.start, &at.count, Some(&[0; MAX_RANK]));
                        let run = input.run((at.n, first + column), &spans[..rank]);
                        if let Some((from, stride)) = run.filter(|_| !T::DTYPE.is_complex()) {
                            interleave(*isa, panel, *width, present, &input.view.data[from..], stride);
                            continue;
                        }
                        let from = (at.n, first + column, present);
                        input.copy(*isa, from, &spans[..rank], (&mut *gathered, length), false);
                    }
                    Columns::Patches => {
                        for (r, row) in gathered.chunks_exact_mut(length).take(present).enumerate() {
                            let (c, mut t) = ((column + r) / taps, (column + r) % taps);
                            let mut tap = [0; MAX_RANK];
                            for a in (0..rank).rev() {
                                (tap[a], t) = (t % kernel[a], t / kernel[a]);
                            }
                            let spans = self.spans(&at.start, &at.count, Some(&tap));
                            input.copy(*isa, (at.n, first + c, 1), &spans[..rank], (row, length), false);
                        }
                    }
                }
                conjugate(&mut gathered[..present * length], !p.conjugate);
                interleave(*isa, panel, *width, present, gathered, length);
            }
            // The next box is asked for meanwhile: of the calls, as many for the gradient as it has of the channels.
            let boxes = self.boxes.part(part);
            let [gradients_ahead, inputs_ahead] = match index + 1 < boxes.end {
                true => self.ahead(input, gradient, [outer, first], &self.boxes.get(index + 1)),
                false => [Ahead::nothing(); 2],
            };
            let calls = columns.div_ceil(*width) * channels.div_ceil(*rows) * shifts.len();
            let of_gradient = calls * self.outer / (self.outer + self.inner);
            let mut done = 0;
            // A panel of the gradient is packed where the first cache holds it, and used for all columns.
            for m in (0..self.outer).step_by(*rows) {
                let present = (*rows).min(self.outer - m);
                let panel = &mut packed[..pixels * rows];
                let run = gradient.run((at.n, outer + m), &spans[..rank]).filter(|_| !T::DTYPE.is_complex());
                if let Some((from, stride)) = run {
                    interleave(*isa, panel, *rows, present, &gradient.view.data[from..], stride);
                } else {
                    let from = (at.n, outer + m, present);
                    gradient.copy(*isa, from, &spans[..rank], (&mut *gathered, pixels), false);
                    conjugate(&mut gathered[..present * pixels], p.conjugate);
                    interleave(*isa, panel, *rows, present, gathered, pixels);
                }
                for column in (0..columns).step_by(*width) {
                    let used = (columns - column).min(*width);
                    let panel = &inputs[column * positions..][..length * width];
                    for (t, &shift) in shifts.iter().enumerate() {
                        let ahead = match done < of_gradient {
                            true => gradients_ahead.part(done, of_gradient),
                            false => inputs_ahead.part(done - of_gradient, calls - of_gradient),
                        };
                        done += 1;
                        T::product(
                            *isa,
                            Product {
                                rows: *rows,
                                weights: &packed[..pixels * rows],
                                source: &panel[shift * width..],
                                offsets,
                                pitch: 0,
                                first: 0,
                                terms: pixels,
                                out: Plane::of(&mut sums[m * pitch + t * padded + column..], pitch, *rows, used).into(),
                                add: true,
                                joined: false,
                                large: false,
                                ahead,
                            },
                        );
                    }
                }
            }
        }
        for m in 0..tile.shape()[1] {
            let row = &sums[m * pitch..][..pitch];
            let row = if shifts.len() == 1 {
                &row[..columns]
            } else {
                // From (tap, channel) to (channel, tap).
                let call = Interleave {
                    source: row,
                    stride: padded,
                    rows: shifts.len(),
                    columns,
                    out: &mut *weights,
                    pitch: shifts.len(),
                };
                T::interleave(*isa, call);
                &*weights
            };
            tile.write(&[0, m, 0], row);
        }
    }
}

/// Packs a panel of rows that lie `stride` apart.
fn interleave<T: Element>(isa: Isa, panel: &mut [T], width: usize, present: usize, source: &[T], stride: usize) {
    let columns = panel.len() / width;
    T::interleave(isa, Interleave { source, stride, rows: present, columns, out: panel, pitch: width });
}
