//! Dot products of rows of the output gradient, where they lie, with rows of a gathered block of the input, one for
//! every tap.
//!
//! Of a layer with one output channel a group, no other gradient shares the loads of the input. Instead, a row of the
//! block meets as many rows of the gradient as the kernel is high: those to which it stands in the relation of one of
//! the kernel's rows each.

use super::{Boxes, OutputBox, in_parts};
use crate::algo::cost::{Costs, Estimate, multiply_adds, running_sum_error};
use crate::algo::direct::{PhaseBlock, check_tile};
use crate::algo::gather::{Source, Span, dense_pitches};
use crate::algo::lower::{Lowered, Phase};
use crate::algo::{Call, Execute, Needs};
use crate::element::Element;
use crate::problem::{Boundary, MAX_RANK, Pass, Problem};
use crate::simd::{self, Dots, Isa, LaneSums, Line, Offsets, Workers};
use crate::view::{View, advance};

/// Bytes of the input's and the gradient's blocks that the design aims at.
const BLOCK_BYTES: usize = 160 << 10;

/// Output channels of a work item, at the most: they share the input's block.
const CHANNELS: usize = 32;

/// Output channels that are gathered at once where they cannot be read in place.
const GATHERED: usize = 4;

#[derive(Debug)]
pub(crate) struct WeightDots {
    problem: Problem,
    isa: Isa,
    phase: Phase,
    block: PhaseBlock,
    boxes: Boxes,
    outer: usize,
    /// The offsets of the taps of one row of the kernel from the first sample on, where rows of the gradient share those of the block.
    row: Option<Offsets>,
    needs: Needs,
}

/// Rows of the input that a box of the gradient meets.
struct Found<'a, T> {
    data: &'a [T],
    pitch: usize,
    /// Where they may be left; see [`Dots`].
    ends: Option<(usize, isize)>,
    /// Those of them that are there.
    rows: std::ops::Range<usize>,
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
        let (lanes, taps) = (T::lanes(isa), block.taps());
        let row = match problem.rank().checked_sub(2).map(|a| &phase[a..]) {
            Some([rows, last]) if outer == 1 && rows.step == 1 && rows.taps.len() > 1 && !problem.flip => {
                let offsets = &block.offsets().as_slice()[..last.taps.len()];
                let least = offsets.iter().copied().min().unwrap_or(0);
                Some(Offsets::new(offsets.iter().map(|offset| offset - least).collect()))
            }
            _ => None,
        };
        let result = problem.kernel_shape().iter().product::<usize>();
        let outputs: usize = boxes.extent[..problem.rank()].iter().product();
        let lines = |a: usize, b: usize| Line::holding::<T>(a.saturating_mul(b));
        let needs = Needs {
            packed: 0,
            shared: lines(boxes.parts, result),
            worker: lines(block.len(), 1) + lines(outputs, GATHERED) + lines(taps * outer, lanes) + lines(taps, 1),
        };
        Ok(Self { problem: problem.clone(), isa, phase, block, boxes, outer, row, needs })
    }

    pub(crate) fn estimate<T: Element>(costs: &Costs, problem: &Problem, extent: &[usize]) -> Result<Estimate, String> {
        let this = Self::new::<T>(problem, extent)?;
        let pairs = (problem.out_channels * (problem.in_channels / problem.groups)) as f64;
        let (boxes, taps) = (this.boxes.total as f64, this.block.taps());
        let extent = &this.boxes.extent[..problem.rank()];
        let width = extent.last().copied().unwrap_or(1);
        // On average: the last boxes are smaller.
        let outputs = problem.axes.iter().map(|a| a.output as f64).product::<f64>() * problem.batch as f64;
        let filled = outputs / (boxes * extent.iter().product::<usize>() as f64).max(1.0);
        let rows = filled * (extent.iter().product::<usize>() / width) as f64;
        // Gradients and offsets of a tile of sums.
        let gradients = match &this.row {
            Some(row) => (taps / row.len()).clamp(1, 7),
            None => this.outer.min(7),
        };
        let most = match gradients {
            1 => 9,
            2..5 => 6,
            _ => 3,
        };
        let offsets = this.row.as_ref().map_or(taps, Offsets::len).min(most);
        let tile = (gradients * offsets) as f64;
        let step = multiply_adds::<T>() * costs.dots_fma + (gradients + offsets) as f64 / tile * costs.dots_load;
        let registers = width.div_ceil(T::lanes(this.isa)) as f64;
        let sums = rows * taps as f64 * (registers * step + costs.dots_row / tile);
        let outer = this.outer as f64;
        let gathered = match this.row_in_place::<T>() {
            Some(_) => 0.0,
            None => filled * this.block.block.seconds_to_gather::<T>(costs, &this.phase, 1) / outer,
        };
        // The sums are loaded and stored for each box, and added up lane by lane for each part.
        let ends = taps as f64 * (costs.dots_tap + costs.dots_sum * this.boxes.parts as f64 / boxes);
        let result = problem.kernel_shape().iter().map(|&n| n as f64).product::<f64>();
        Ok(Estimate {
            seconds: costs.run
                + pairs * boxes * (sums + gathered + ends + costs.weight_box / outer)
                + result * this.boxes.parts as f64 * costs.weight_part,
            needs: this.needs,
            error: running_sum_error(problem),
        })
    }
}

impl<T: Element> Execute<T> for WeightDots {
    fn needs(&self) -> Needs {
        self.needs
    }

    fn takes_non_finite(&self) -> bool {
        // Outside the input a gradient would be multiplied with zeros.
        !self.problem.reads_outside()
    }

    fn pack(&self, _: View<'_, T>, _: &mut [Line], _: &mut Workers<'_>) {}

    fn run(&self, call: Call<'_, '_, T>) {
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
        let (rank, taps, lanes) = (p.rank(), self.block.taps(), T::lanes(self.isa));
        let block = simd::split::<T>(&mut scratch, self.block.len());
        let outputs: usize = self.boxes.extent[..rank].iter().product();
        let gathered = simd::split::<T>(&mut scratch, outputs * GATHERED);
        let sums = simd::split::<T>(&mut scratch, taps * self.outer * lanes);
        let row = simd::split::<T>(&mut scratch, taps);
        let [part, outer, column] = *tile.start() else { return };
        let channel = outer / (p.out_channels / p.groups) * (p.in_channels / p.groups) + column / taps;
        let channels = tile.shape()[1];
        sums.fill(T::default());
        let mut before = None;
        for index in self.boxes.part(part) {
            let at = self.boxes.get(index);
            let count = &at.count[..rank];
            let place = [&at.start[..rank], count];
            if let Some((row, found)) = self.lying(input, &at)
                && let Some((from, steps)) = in_place(gradient, &at, outer, rank)
            {
                let place = |index: &[usize], plane: usize| self.place(input, &at, channel, index, plane);
                self.rows_by_rows(row, &gradient.view.data[from..], &steps, count, &found, place, sums);
                continue;
            }
            // The same place of another batch entry has the same samples outside the data.
            let again = before.replace((at.start, at.count)) == Some((at.start, at.count));
            self.block.block.gather(self.isa, input, &self.phase, (at.n, channel, 1), place, block, again);
            if !p.conjugate && T::DTYPE.is_complex() {
                block.iter_mut().for_each(|x| *x = x.conj());
            }
            if let Some((from, steps)) = in_place(gradient, &at, outer, rank).filter(|_| !p.conjugate) {
                self.rows(&gradient.view.data[from..], channels, &steps, count, block, sums);
                continue;
            }
            let pitches = dense_pitches(count);
            let spans: [Span; MAX_RANK] = std::array::from_fn(|a| Span {
                start: at.start[a] as isize,
                step: 1,
                count: at.count[a],
                pitch: pitches[a],
            });
            let outputs: usize = count.iter().product();
            let steps: [usize; MAX_RANK + 1] = std::array::from_fn(|a| if a == 0 { outputs } else { pitches[a - 1] });
            for first in (0..channels).step_by(GATHERED) {
                let present = GATHERED.min(channels - first);
                for (m, to) in gathered.chunks_exact_mut(outputs).take(present).enumerate() {
                    let from = (at.n, outer + first + m, 1);
                    gradient.copy(self.isa, from, &spans[..rank], (&mut *to, outputs), false);
                    if p.conjugate && T::DTYPE.is_complex() {
                        to.iter_mut().for_each(|g| *g = g.conj());
                    }
                }
                let sums = &mut sums[first * taps * lanes..][..present * taps * lanes];
                self.rows(gathered, present, &steps, count, block, sums);
            }
        }
        for m in 0..channels {
            T::lane_sums(self.isa, LaneSums { lanes: &sums[m * taps * lanes..][..taps * lanes], out: &mut *row });
            if self.row.is_some() {
                self.in_order(row);
            }
            tile.write(&[0, m, 0], row);
        }
    }

    /// Adds the dot products of some channels of a box. `steps` lie between channels, and between outputs on each axis;
    /// on the last axis there is none.
    fn rows<T: Element>(
        &self,
        gradient: &[T],
        channels: usize,
        steps: &[usize; MAX_RANK + 1],
        count: &[usize],
        block: &[T],
        sums: &mut [T],
    ) {
        let rank = count.len();
        if let Some(row) = &self.row {
            let offsets = self.block.offsets().as_slice();
            let each = self.phase[rank - 2].taps.len() * row.len();
            let place = |index: &[usize], plane: usize| {
                let base: usize = index.iter().enumerate().map(|(a, &i)| i * self.block.pitch(a)).sum();
                // Samples of a larger step are sorted by residue: the first tap's need not come first.
                Some((base + offsets[plane * each..][..row.len()].iter().copied().min().unwrap_or(0)) as isize)
            };
            let found = Found { data: block, pitch: self.block.pitch(rank - 2), ends: None, rows: 0..usize::MAX };
            return self.rows_by_rows(row, gradient, steps, count, &found, place, sums);
        }
        let lanes = T::lanes(self.isa);
        let (width, outer) = (count[rank - 1], rank.saturating_sub(2));
        let (rows, pitches) = match rank.checked_sub(2) {
            Some(a) => (count[a], [steps[a + 1], self.block.pitch(a)]),
            None => (1, [0, 0]),
        };
        let mut index = [0; MAX_RANK];
        for _ in 0..count[..outer].iter().product() {
            let from: usize = (0..outer).map(|a| index[a] * steps[a + 1]).sum();
            let source: usize = (0..outer).map(|a| index[a] * self.block.pitch(a)).sum();
            let call = Dots {
                gradient: &gradient[from..],
                channels,
                channel: steps[0],
                source: &block[source..],
                ends: None,
                offsets: self.block.offsets(),
                rows,
                pitches,
                width,
                out: &mut sums[..channels * self.block.taps() * lanes],
            };
            T::dots(self.isa, call);
            advance(&mut index[..outer], &count[..outer]);
        }
    }

    /// As [`rows`](Self::rows), of one channel: each row of the input with all rows of the gradient that it meets. The
    /// sums of the kernel's rows are in reverse order, as those of the gradient are met. `place` says where the first row
    /// of a block lies, given where the results are on the outer axes and the number of their taps there; nowhere where
    /// that is outside the data.
    fn rows_by_rows<T: Element>(
        &self,
        row: &Offsets,
        gradient: &[T],
        steps: &[usize; MAX_RANK + 1],
        count: &[usize],
        found: &Found<'_, T>,
        place: impl Fn(&[usize], usize) -> Option<isize>,
        sums: &mut [T],
    ) {
        let (rank, lanes) = (count.len(), T::lanes(self.isa));
        let (outer, height, width) = (rank - 2, count[rank - 2], count[rank - 1]);
        let pitch = steps[rank - 1];
        let (high, wide) = (self.phase[rank - 2].taps.len(), row.len());
        let offsets = self.block.offsets().as_slice();
        let apart = (offsets[wide] - offsets[0]) / self.block.pitch(rank - 2);
        let mut index = [0; MAX_RANK];
        for _ in 0..count[..outer].iter().product() {
            let from: usize = (0..outer).map(|a| index[a] * steps[a + 1]).sum();
            for (plane, sums) in sums.chunks_exact_mut(high * wide * lanes).enumerate() {
                let Some(base) = place(&index[..outer], plane) else { continue };
                // Rows of the block that meet the same rows of the kernel, from `first` to `last`, are one call.
                let met = |y: usize| [(y + 1).saturating_sub(height).div_ceil(apart), (high - 1).min(y / apart)];
                let rows = (height + (high - 1) * apart).min(found.rows.end);
                let mut y = found.rows.start;
                while y < rows {
                    let [first, last] = met(y);
                    let alike = (y..rows).take_while(|&y| met(y) == [first, last]).count();
                    if first <= last {
                        let channels = last + 1 - first;
                        let call = Dots {
                            gradient: &gradient[from + (y - last * apart) * pitch..],
                            channels,
                            channel: apart * pitch,
                            source: &found.data[(base + (y * found.pitch) as isize) as usize..],
                            ends: found.ends,
                            offsets: row,
                            rows: alike,
                            pitches: [pitch, found.pitch],
                            width,
                            out: &mut sums[(high - 1 - last) * wide * lanes..][..channels * wide * lanes],
                        };
                        T::dots(self.isa, call);
                    }
                    y += alike;
                }
            }
            advance(&mut index[..outer], &count[..outer]);
        }
    }

    /// The offsets of the taps of a row, if contiguous rows of the input can be read where they lie.
    fn row_in_place<T: Element>(&self) -> Option<&Offsets> {
        let zeros = self.problem.boundary == Boundary::Zero && !T::DTYPE.is_complex();
        self.row.as_ref().filter(|_| zeros && self.phase.last().is_some_and(|last| last.step == 1))
    }

    /// The rows of a box of the input, if they can be read where they lie, and the offsets of the taps of a row.
    fn lying<'a, T: Element>(&self, input: &Source<'a, T>, at: &OutputBox) -> Option<(&Offsets, Found<'a, T>)> {
        let row = self.row_in_place::<T>()?;
        let (rank, view) = (self.phase.len(), &input.view);
        let low = |a: usize| self.phase[a].taps.iter().map(|tap| tap.offset).min().unwrap_or(0);
        if view.at.strides()[1 + rank] != 1 {
            return None;
        }
        let first = at.start[rank - 2] as isize + low(rank - 2);
        let end = view.shape()[rank] as isize - first;
        Some((
            row,
            Found {
                data: view.data,
                pitch: usize::try_from(view.at.strides()[rank]).ok()?,
                ends: Some((view.shape()[1 + rank], at.start[rank - 1] as isize + low(rank - 1))),
                rows: (-first).max(0) as usize..end.max(0) as usize,
            },
        ))
    }

    /// Where the first row of a box would lie of a channel of the input.
    fn place<T: Element>(
        &self,
        input: &Source<'_, T>,
        at: &OutputBox,
        channel: usize,
        index: &[usize],
        mut plane: usize,
    ) -> Option<isize> {
        let (view, outer) = (&input.view, index.len());
        let mut base = view.at.channel(at.n, channel);
        for (a, &i) in index.iter().enumerate().rev() {
            let axis = &self.phase[a];
            let tap = axis.taps[plane % axis.taps.len()];
            plane /= axis.taps.len();
            let position = ((at.start[a] + i) * axis.step) as isize + tap.offset;
            let inside = usize::try_from(position).ok().filter(|&i| i < view.shape()[2 + a])?;
            base += view.at.step(a, inside);
        }
        let low = self.phase[outer].taps.iter().map(|tap| tap.offset).min().unwrap_or(0);
        Some(base + (at.start[outer] as isize + low) * view.at.strides()[2 + outer])
    }

    /// Puts the kernel's rows in order.
    fn in_order<T: Element>(&self, taps: &mut [T]) {
        let [.., rows, last] = &self.phase[..] else { return };
        let (high, wide) = (rows.taps.len(), last.taps.len());
        for plane in taps.chunks_exact_mut(high * wide) {
            for y in 0..high / 2 {
                let (front, back) = plane.split_at_mut((high - 1 - y) * wide);
                front[y * wide..][..wide].swap_with_slice(&mut back[..wide]);
            }
        }
    }
}

/// Where a box of channel `channel` begins in the gradient's slice, and the steps to the next channel and on each axis,
/// if its rows can be read where they lie.
fn in_place<T: Element>(
    gradient: &Source<'_, T>,
    at: &OutputBox,
    channel: usize,
    rank: usize,
) -> Option<(usize, [usize; MAX_RANK + 1])> {
    let view = &gradient.view.at;
    let mut steps = [0; MAX_RANK + 1];
    for (step, &stride) in steps.iter_mut().zip(&view.strides()[1..]) {
        *step = usize::try_from(stride).ok()?;
    }
    let from = view.channel(at.n, channel) + (0..rank).map(|a| view.step(a, at.start[a])).sum::<isize>();
    (steps[rank] == 1 || at.count[rank - 1] == 1).then_some((usize::try_from(from).ok()?, steps))
}
