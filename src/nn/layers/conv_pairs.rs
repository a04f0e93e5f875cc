//! A convolution by unit steps with max pooling by pairs behind it, computed as one: no sum is written that is not the
//! largest of its window, and of the weights' gradient no term is computed that is zero.

use super::window::{Choice, Walk};
use crate::nn::Float;
use crate::nn::layer::volume;
use crate::problem::{Boundary, Layout, Problem};
use crate::simd::{self, Isa, LaneSums, Line, PartedWindows, Planes, PooledGradient, PooledSums, Rows};

/// The two as one, for one batch entry after the other.
pub(super) struct Paired {
    isa: Isa,
    lanes: usize,
    windows: PartedWindows,
    groups: usize,
    /// Rows and columns of the input, and of the padding before them.
    input: [usize; 2],
    padding: [usize; 2],
    /// Weights of all groups.
    weights: usize,
}

impl Paired {
    /// `None` where they cannot be one, or where too little of the registers would be filled.
    pub(super) fn new<T: Float>(problem: &Problem, walk: &Walk) -> Option<Self> {
        let ([rows, columns], [high, wide]) = (<&[_; 2]>::try_from(&problem.axes[..]).ok()?, walk.pairs()?.count);
        let (isa, axes) = (Isa::detect(), [rows, columns]);
        let lanes = T::lanes(isa);
        let padding = [usize::try_from(rows.padding).ok()?, usize::try_from(columns.padding).ok()?];
        let plain = problem.boundary == Boundary::Zero && problem.layout == Layout::ChannelsFirst && !problem.flip;
        let by_one = axes.iter().all(|axis| axis.stride == 1 && axis.dilation == 1);
        let filled = 4 * wide >= 3 * wide.next_multiple_of(lanes);
        if !plain || !by_one || !filled || high == 0 || problem.batch == 0 {
            return None;
        }
        let taps = axes.map(|axis| axis.kernel);
        // Whole registers, so that the columns of the first taps begin with a line.
        let half = PartedWindows::half_for(wide, taps[1], lanes).next_multiple_of(lanes);
        let (groups, count) = (problem.groups, [high, wide]);
        let mut windows = PartedWindows { half, channels: problem.in_channels / groups, channel: 0, taps, count };
        windows.channel = windows.rows() * 2 * half;
        let (input, weights) = (axes.map(|axis| axis.input), volume(&problem.kernel_shape()));
        Some(Self { isa, lanes, windows, groups, input, padding, weights })
    }

    fn parted(&self) -> usize {
        self.groups * self.windows.channels * self.windows.channel
    }

    /// The scratch of a thread.
    pub(super) fn lines<T>(&self, backward: bool) -> usize {
        let lanes = if backward { self.weights * self.lanes } else { 0 };
        Line::holding::<T>(self.parted()) + Line::holding::<T>(lanes)
    }

    /// Parts the rows of an entry into samples of even and of odd place. What else lies between them stays.
    fn part<T: Float>(&self, x: &[T], parted: &mut [T]) {
        let PartedWindows { half, channel, taps, count: [_, wide], channels } = self.windows;
        let [height, width] = self.input;
        let rows = self.windows.rows().saturating_sub(self.padding[0]).min(height);
        let columns = (2 * wide + taps[1] - 1).saturating_sub(self.padding[1]).min(width);
        for odd in 0..2 {
            let first = (odd + self.padding[1]) % 2;
            if rows == 0 || first >= columns {
                continue;
            }
            let (to, count) = ((first + self.padding[1]) / 2, (columns - first).div_ceil(2));
            let shape = [self.groups * channels, rows, count];
            let out = &mut parted[self.padding[0] * 2 * half + odd * half + to..];
            let call = Rows {
                source: &x[first..],
                steps: [height * width, width, 2],
                out: Planes::of(out, shape, [channel, 2 * half]),
                apart: 1,
                large: false,
            };
            T::copy_rows(self.isa, call);
        }
    }

    /// Elements of an entry's input, of a group's in the parted source, of its weights, and of its output.
    fn sizes(&self, outputs: usize) -> [usize; 4] {
        let PartedWindows { channels, channel, count: [high, wide], .. } = self.windows;
        let input = self.groups * channels * self.input[0] * self.input[1];
        [input, channels * channel, self.weights / self.groups, outputs / self.groups * high * wide]
    }

    /// Writes the largest sums of some entries, and which they are.
    pub(super) fn forward<T: Float>(
        &self,
        (x, weight): (&[T], &[T]),
        outputs: usize,
        (y, choices): (&mut [T], &mut [Choice]),
        mut lines: &mut [Line],
    ) {
        let ([input, source, weights, output], windows) = (self.sizes(outputs), self.windows);
        let parted = simd::split::<T>(&mut lines, self.parted());
        parted.fill(T::ZERO);
        let written = y.chunks_exact_mut(self.groups * output).zip(choices.chunks_exact_mut(self.groups * output));
        for (x, (y, choices)) in x.chunks_exact(input).zip(written) {
            self.part(x, parted);
            let written = y.chunks_exact_mut(output).zip(choices.chunks_exact_mut(output));
            let read = parted.chunks_exact(source).zip(weight.chunks_exact(weights));
            for ((source, weights), (out, choices)) in read.zip(written) {
                T::pooled_sums(self.isa, PooledSums { windows, source, weights, out, choices });
            }
        }
    }

    /// Writes the gradient of the weights from those of some entries' windows and their choices.
    pub(super) fn gradient<T: Float>(
        &self,
        x: &[T],
        outputs: usize,
        (dy, choices): (&[T], &[Choice]),
        gradient: &mut [T],
        mut lines: &mut [Line],
    ) {
        let ([input, source, weights, output], windows) = (self.sizes(outputs), self.windows);
        let parted = simd::split::<T>(&mut lines, self.parted());
        let sums = simd::split::<T>(&mut lines, self.weights * self.lanes);
        parted.fill(T::ZERO);
        sums.fill(T::ZERO);
        let given = dy.chunks_exact(self.groups * output).zip(choices.chunks_exact(self.groups * output));
        for (x, (dy, choices)) in x.chunks_exact(input).zip(given) {
            self.part(x, parted);
            let given = dy.chunks_exact(output).zip(choices.chunks_exact(output));
            let groups = parted.chunks_exact(source).zip(sums.chunks_exact_mut(weights * self.lanes));
            for ((source, lanes), (gradient, choices)) in groups.zip(given) {
                T::pooled_gradient(self.isa, PooledGradient { windows, source, gradient, choices, lanes });
            }
        }
        T::lane_sums(self.isa, LaneSums { lanes: sums, out: gradient });
    }
}
