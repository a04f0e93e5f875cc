//! Dot products of the output gradient with the input, both gathered with the same pitch, one for every tap.
//!
//! The gaps between the gradient's rows hold zeros, so that a whole box is one run.

use super::{Boxes, in_parts};
use crate::algo::cost::{Estimate, running_sum_error};
use crate::algo::definition::Definition;
use crate::algo::direct::{PhaseBlock, SECONDS_AN_ELEMENT, check_tile, slower};
use crate::algo::gather::{Source, Span};
use crate::algo::lower::{Lowered, Phase};
use crate::algo::{Call, Execute, Needs};
use crate::element::Element;
use crate::problem::{MAX_RANK, Pass, Problem};
use crate::simd::{self, Dots, Isa, Line, Workers};
use crate::view::View;

/// Bytes of the input's and the gradient's blocks that the design aims at.
const BLOCK_BYTES: usize = 160 << 10;

/// Seconds a floating-point operation of single precision in 16 lanes: a load for every multiply-add.
const SECONDS_A_FLOP: f64 = 8.5e-12;

/// Output channels of a work item, at the most: they share the input's block.
const CHANNELS: usize = 16;

#[derive(Debug)]
pub(crate) struct WeightDots {
    problem: Problem,
    isa: Isa,
    phase: Phase,
    block: PhaseBlock,
    boxes: Boxes,
    outer: usize,
    /// Elements of a box of the gradient at the input's pitch, whole registers.
    run: usize,
    definition: Definition,
    needs: Needs,
}

/// Outputs of a box, an axis.
pub(crate) fn design(problem: &Problem) -> Vec<usize> {
    let mut extent: Vec<usize> = problem.axes.iter().map(|a| a.output).collect();
    let bytes = |extent: &[usize]| {
        let positions =
            problem.axes.iter().zip(extent).map(|(a, &n)| ((n - 1) * a.stride + a.span()) as f64 + n as f64);
        positions.product::<f64>() * problem.dtype.size() as f64
    };
    for a in 0..extent.len() {
        let last = a + 1 == extent.len();
        let least = if last { 1024 } else { 1 }.min(extent[a]);
        let thick = (problem.axes[a].span() / problem.axes[a].stride).clamp(least, extent[a].max(least));
        while extent[a] > thick && bytes(&extent) > BLOCK_BYTES as f64 {
            extent[a] = extent[a].div_ceil(2).max(thick);
        }
    }
    extent
}

impl WeightDots {
    pub(crate) fn new<T: Element>(problem: &Problem, extent: &[usize]) -> Result<Self, String> {
        check_tile(problem, extent)?;
        // The samples that a box of outputs reads are those that the forward pass gathers for it.
        let mut lowered = Lowered::new(&Problem { pass: Pass::Forward, ..problem.clone() })?;
        let mut phase = lowered.phases.swap_remove(0);
        for (axis, x) in phase.iter_mut().zip(&problem.axes) {
            // In the order of the kernel's own elements, which is that of the sums.
            if problem.flip {
                axis.taps.reverse();
            }
            debug_assert_eq!(axis.taps.len(), x.kernel);
        }
        let isa = Isa::detect();
        let outputs = problem.out_channels / problem.groups;
        let outer = (1..=outputs.min(CHANNELS)).rev().find(|&d| outputs.is_multiple_of(d)).unwrap_or(1);
        let items = problem.groups * (outputs / outer) * (problem.in_channels / problem.groups);
        let boxes = Boxes::new(problem, extent, items);
        let block = PhaseBlock::new(&phase, &boxes.extent[..problem.rank()], 1, 0)?;
        let lanes = T::lanes(isa);
        let run = block.extent_of(&boxes.extent[..problem.rank()]).next_multiple_of(lanes);
        let definition = Definition::new(problem);
        let result = problem.kernel_shape().iter().product::<usize>();
        let taps = block.taps();
        let by_definition: Needs = Execute::<T>::needs(&definition);
        let needs = Needs {
            packed: 0,
            shared: Line::holding::<T>(boxes.parts.saturating_mul(result)).max(by_definition.shared),
            worker: (Line::holding::<T>(block.len() + lanes)
                + Line::holding::<T>(run)
                + Line::holding::<T>(taps.saturating_mul(outer)))
            .max(by_definition.worker),
        };
        Ok(Self { problem: problem.clone(), isa, phase, block, boxes, outer, run, definition, needs })
    }

    pub(crate) fn estimate<T: Element>(problem: &Problem, extent: &[usize]) -> Result<Estimate, String> {
        let this = Self::new::<T>(problem, extent)?;
        let pairs = (problem.out_channels * (problem.in_channels / problem.groups)) as f64;
        let boxes = this.boxes.total as f64;
        let gathered = this.block.len() as f64 / this.outer as f64 + 2.0 * this.run as f64;
        let sums = (this.run * this.block.taps()) as f64 * 2.0 * SECONDS_A_FLOP * slower::<T>(this.isa);
        let ends = this.block.taps() as f64 * 8e-9;
        Ok(Estimate {
            seconds: 2e-6 + pairs * boxes * (sums + gathered * SECONDS_AN_ELEMENT + ends),
            needs: this.needs,
            error: running_sum_error(problem.terms(), problem.dtype.epsilon()),
        })
    }
}

impl<T: Element> Execute<T> for WeightDots {
    fn needs(&self) -> Needs {
        self.needs
    }

    fn takes_non_finite(&self) -> bool {
        // A gradient would be multiplied with zeros outside the input.
        false
    }

    fn pack(&self, _: View<'_, T>, _: &mut [Line], _: &mut Workers<'_>) {}

    fn run(&self, call: Call<'_, '_, T>) {
        // The zeros between the gradient's rows would be multiplied with what is not finite.
        if !simd::all_finite(call.first) {
            return self.definition.run(call);
        }
        let blocks = [self.outer, 1, self.block.taps()];
        in_parts(&self.problem, &self.boxes, call, blocks, |input, gradient, tile, scratch| {
            self.tile(input, gradient, tile, scratch);
        });
    }
}

impl WeightDots {
    fn tile<T: Element>(
        &self,
        input: &Source<'_, T>,
        gradient: &Source<'_, T>,
        mut tile: simd::TileMut<'_, T>,
        mut scratch: &mut [Line],
    ) {
        let p = &self.problem;
        let (rank, taps) = (p.rank(), self.block.taps());
        let block = simd::split::<T>(&mut scratch, self.block.len() + T::lanes(self.isa));
        let row = simd::split::<T>(&mut scratch, self.run);
        let sums = simd::split::<T>(&mut scratch, taps * self.outer);
        let [part, outer, column] = *tile.start() else { return };
        let channel = outer / (p.out_channels / p.groups) * (p.in_channels / p.groups) + column / taps;
        // What a box does not reach is multiplied with zeros all the same, and must be finite.
        block.fill(T::default());
        sums.fill(T::default());
        for index in self.boxes.part(part) {
            let at = self.boxes.get(index);
            let count = &at.count[..rank];
            let len = self.block.len();
            self.block.block.gather(input, &self.phase, (at.n, channel), &at.start, count, &mut block[..len], |x| {
                if p.conjugate { x } else { x.conj() }
            });
            let spans: [Span; MAX_RANK] = std::array::from_fn(|a| Span {
                start: at.start[a] as isize,
                step: 1,
                count: at.count[a],
                pitch: if a < rank { self.block.pitch(a) } else { 1 },
            });
            let run = self.block.extent_of(count).next_multiple_of(T::lanes(self.isa));
            for m in 0..tile.shape()[1] {
                row[..run].fill(T::default());
                gradient.gather((at.n, outer + m), &spans[..rank], row, |g| if p.conjugate { g.conj() } else { g });
                T::dots(
                    self.isa,
                    Dots {
                        gradient: &row[..run],
                        source: block,
                        offsets: self.block.offsets(),
                        out: &mut sums[m * taps..(m + 1) * taps],
                    },
                );
            }
        }
        for m in 0..tile.shape()[1] {
            tile.write(&[0, m, 0], &sums[m * taps..(m + 1) * taps]);
        }
    }
}
