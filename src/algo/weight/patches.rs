//! The matrix product: rows are output channels, columns the (input channel, tap) of the kernel, the sum goes over
//! pixels.

use super::{Boxes, in_parts};
use crate::algo::cost::{Estimate, running_sum_error};
use crate::algo::direct::slower;
use crate::algo::gather::{Source, Span, dense_pitches};
use crate::algo::im2col::{check_block, cut};
use crate::algo::lower::MOST_TAPS;
use crate::algo::panels::{rows, width};
use crate::algo::{Call, Execute, Needs};
use crate::element::Element;
use crate::problem::{MAX_RANK, Problem};
use crate::simd::{self, Isa, Line, Offsets, Product, Workers};
use crate::view::{View, advance};

/// Pixels of a box that the design aims at.
const PIXELS: usize = 256;

/// Output channels and columns of a work item, at the most.
const CHANNELS: usize = 128;
const COLUMNS: usize = 640;

/// Seconds a floating-point operation of single precision in 16 lanes, and to pack one element pixel by pixel.
const SECONDS_A_FLOP: f64 = 8e-12;
const SECONDS_A_PACKED_ELEMENT: f64 = 1.1e-9;

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
    offsets: Offsets,
    needs: Needs,
}

pub(crate) fn design(_: &Problem) -> usize {
    PIXELS
}

impl WeightPatches {
    pub(crate) fn new<T: Element>(problem: &Problem, block: usize) -> Result<Self, String> {
        check_block(block)?;
        let taps = problem.axes.iter().fold(1usize, |n, a| n.saturating_mul(a.kernel));
        let (inputs, outputs) = (problem.in_channels / problem.groups, problem.out_channels / problem.groups);
        if taps.saturating_mul(inputs) > MOST_TAPS {
            return Err(format!("a table of {} taps would be too large", taps.saturating_mul(inputs)));
        }
        let isa = Isa::detect();
        let rows = rows(isa, outputs);
        let width = width::<T>(isa, rows);
        // Blocks that divide their channels, so that none straddles a group.
        let divisor =
            |n: usize, most: usize| (1..=n.min(most.max(1))).rev().find(|&d| n.is_multiple_of(d)).unwrap_or(1);
        let outer = divisor(outputs, CHANNELS);
        let inner = divisor(inputs, COLUMNS / taps);
        let items = problem.groups * (outputs / outer) * (inputs / inner);
        let extent = cut(problem.axes.iter().map(|a| a.output), block.min(1 << 16));
        let pixels: usize = extent.iter().product();
        let boxes = Boxes::new(problem, &extent, items);
        let columns = (inner * taps).next_multiple_of(width);
        let result = problem.kernel_shape().iter().product::<usize>();
        let lines = |a: usize, b: usize| Line::holding::<T>(a.saturating_mul(b));
        let needs = Needs {
            packed: 0,
            shared: lines(boxes.parts, result),
            worker: lines(outer.next_multiple_of(rows), pixels)
                + lines(columns, pixels)
                + lines(outer.next_multiple_of(rows), columns)
                + lines(1, pixels),
        };
        let offsets = Offsets::new((0..pixels).map(|k| k * width).collect());
        Ok(Self { problem: problem.clone(), isa, rows, width, boxes, outer, inner, taps, offsets, needs })
    }

    pub(crate) fn estimate<T: Element>(problem: &Problem, block: usize) -> Result<Estimate, String> {
        let this = Self::new::<T>(problem, block)?;
        let (inputs, outputs) = (problem.in_channels / problem.groups, problem.out_channels / problem.groups);
        let pixels = problem.axes.iter().map(|a| a.output as f64).product::<f64>() * problem.batch as f64;
        let columns = (this.inner * this.taps).next_multiple_of(T::lanes(this.isa)) as f64;
        let items = (problem.groups * (outputs / this.outer) * (inputs / this.inner)) as f64;
        let padded = this.outer.next_multiple_of(this.rows) as f64;
        let few = 1.0 + 1.5 / this.rows as f64;
        Ok(Estimate {
            seconds: 2e-6
                + items * pixels * columns * padded * 2.0 * SECONDS_A_FLOP * few * slower::<T>(this.isa)
                + items * pixels * ((this.inner * this.taps) as f64 + padded) * SECONDS_A_PACKED_ELEMENT,
            needs: this.needs,
            error: running_sum_error(problem.terms(), problem.dtype.epsilon()),
        })
    }
}

impl<T: Element> Execute<T> for WeightPatches {
    fn needs(&self) -> Needs {
        self.needs
    }

    fn takes_non_finite(&self) -> bool {
        // A gradient would be multiplied with zeros outside the input.
        false
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
    fn tile<T: Element>(
        &self,
        input: &Source<'_, T>,
        gradient: &Source<'_, T>,
        mut tile: simd::TileMut<'_, T>,
        mut scratch: &mut [Line],
    ) {
        let Self { problem: p, rows, width, taps, .. } = self;
        let rank = p.rank();
        let full: usize = self.boxes.extent.iter().product();
        let channels = self.outer.next_multiple_of(*rows);
        let pitch = (self.inner * taps).next_multiple_of(*width);
        let gradients = simd::split::<T>(&mut scratch, channels * full);
        let patches = simd::split::<T>(&mut scratch, pitch * full);
        let sums = simd::split::<T>(&mut scratch, channels * pitch);
        let row = simd::split::<T>(&mut scratch, full);
        let [part, outer, inner, _] = *tile.start() else { return };
        let group = outer / (p.out_channels / p.groups);
        let lanes = T::lanes(self.isa);
        let used = (self.inner * taps).next_multiple_of(lanes);
        // Rows and columns that belong to no channel hold zeros throughout.
        gradients.fill(T::default());
        patches.fill(T::default());
        sums.fill(T::default());
        let kernel: [usize; MAX_RANK] = std::array::from_fn(|a| p.axes.get(a).map_or(1, |x| x.kernel));
        for index in self.boxes.part(part) {
            let at = self.boxes.get(index);
            let pixels: usize = at.count.iter().product();
            let pitches = dense_pitches(&at.count[..rank]);
            let spans: [Span; MAX_RANK] = std::array::from_fn(|a| Span {
                start: at.start[a] as isize,
                step: 1,
                count: at.count[a],
                pitch: pitches[a],
            });
            for m in 0..self.outer {
                gradient.gather((at.n, outer + m), &spans[..rank], row, |g| if p.conjugate { g.conj() } else { g });
                let panel = &mut gradients[m / rows * rows * full..];
                for (k, &g) in row[..pixels].iter().enumerate() {
                    panel[k * rows + m % rows] = g;
                }
            }
            for c in 0..self.inner {
                let channel = group * (p.in_channels / p.groups) + inner + c;
                let mut tap = [0; MAX_RANK];
                for t in 0..*taps {
                    let spans: [Span; MAX_RANK] = std::array::from_fn(|a| {
                        let Some(axis) = p.axes.get(a) else { return Span::default() };
                        let t = if p.flip { axis.kernel - 1 - tap[a] } else { tap[a] };
                        let start = (at.start[a] * axis.stride + t * axis.dilation) as isize - axis.padding;
                        Span { start, step: axis.stride, count: at.count[a], pitch: pitches[a] }
                    });
                    input.gather((at.n, channel), &spans[..rank], row, |x| if p.conjugate { x } else { x.conj() });
                    let column = c * taps + t;
                    let panel = &mut patches[column / width * width * full..];
                    for (k, &x) in row[..pixels].iter().enumerate() {
                        panel[k * width + column % width] = x;
                    }
                    advance(&mut tap[..rank], &kernel[..rank]);
                }
            }
            for m in (0..channels).step_by(*rows) {
                for column in (0..used).step_by(*width) {
                    T::product(
                        self.isa,
                        Product {
                            rows: *rows,
                            weights: &gradients[m * full..][..pixels * rows],
                            source: &patches[column * full..],
                            offsets: &self.offsets,
                            terms: pixels,
                            columns: (used - column).min(*width),
                            out: &mut sums[m * pitch + column..],
                            pitch,
                            add: true,
                        },
                    );
                }
            }
        }
        for m in 0..tile.shape()[1] {
            for c in 0..tile.shape()[2] {
                let from = m * pitch + c * taps;
                tile.write(&[0, m, c, 0], &sums[from..from + taps]);
            }
        }
    }
}
