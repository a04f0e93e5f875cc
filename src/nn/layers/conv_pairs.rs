//! A convolution by unit steps with max pooling by pairs behind it, computed as one: no sum is written that is not the
//! largest of its window, and of the weights' gradient no term is computed that is zero.

use super::window::{Choice, Walk};
use crate::nn::Float;
use crate::nn::layer::volume;
use crate::problem::{Boundary, Layout, Problem};
use crate::simd::{self, Caches, Far, Isa, LaneSums, Line, PartedWindows, Planes, PooledGradient, PooledSums, Rows};

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
        let (groups, count) = (problem.groups, [high, wide]);
        let mut windows = PartedWindows { channels: problem.in_channels / groups, channel: 0, taps, count };
        windows.channel = windows.rows() * windows.row(lanes);
        let (input, weights) = (axes.map(|axis| axis.input), volume(&problem.kernel_shape()));
        let paired = Self { isa, lanes, windows, groups, input, padding, weights };
        // A sample is there several times, which is to cost no memory that is far.
        (paired.parted() <= Caches::detect().second / size_of::<T>() / 2).then_some(paired)
    }

    fn parted(&self) -> usize {
        self.groups * self.windows.channels * self.windows.channel
    }

    /// The scratch of a thread.
    pub(super) fn lines<T>(&self, backward: bool) -> usize {
        let lanes = if backward { self.weights * self.lanes } else { 0 };
        Line::holding::<T>(self.parted()) + Line::holding::<T>(lanes)
    }

    /// Parts the rows of an entry. What belongs to the padding, or to no window, stays.
    fn part<T: Float>(&self, x: &[T], parted: &mut [T]) {
        let PartedWindows { channels, channel, taps, count: [_, wide] } = self.windows;
        let ([height, width], row) = (self.input, self.windows.row(self.lanes));
        let rows = self.windows.rows().saturating_sub(self.padding[0]).min(height);
        for (window, tap) in (0..wide).step_by(self.lanes).flat_map(|i| (0..taps[1] + 1).map(move |tap| (i, tap))) {
            // The windows of a register, but those whose sample lies in the padding.
            let column = 2 * window + tap;
            let before = self.padding[1].saturating_sub(column).div_ceil(2);
            let first = (column + 2 * before).saturating_sub(self.padding[1]);
            let behind = self.lanes.min(wide - window).min(before + width.saturating_sub(first).div_ceil(2));
            if rows == 0 || before >= behind {
                continue;
            }
            let at = self.padding[0] * row + window * (taps[1] + 1) + tap * self.lanes + before;
            let shape = [self.groups * channels, rows, behind - before];
            let call = Rows {
                source: &x[first..],
                steps: [height * width, width, 2],
                out: Planes::of(&mut parted[at..], shape, [channel, row]),
                apart: 1,
                far: Far::Source,
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

#[cfg(test)]
mod tests {
    use super::super::window::Window;
    use super::*;

    /// Whole numbers, so that sums are exact in any order.
    fn numbers(count: usize, from: usize) -> Vec<f32> {
        (0..count).map(|i| ((i + from) * 7919 % 101 % 7) as f32 - 3.0).collect()
    }

    #[test]
    fn passes_agree_with_the_sums_and_the_pooling_after_them() {
        let mut met = 0;
        for name in [
            "mb3ic1ih28iw28oc5kh3kw3",
            "mb2g2ic4ih9iw31oc6kh3kw3ph1pw1",
            "mb2ic3ih6iw30oc2kh2kw5ph0pw3",
            "mb1ic2ih5iw33oc4kh5kw2ph3pw0",
            "mb1ic1ih8iw63oc1kh3kw7ph2pw5",
            "mb2ic1ih7iw32oc2kh1kw1",
        ] {
            let problem: Problem = name.parse().expect("a problem");
            let sums = problem.output_shape();
            let window = Window::new(vec![2, 2], vec![2, 2], vec![0, 0]).expect("a window");
            let walk = window.over(&sums).expect("a shape");
            let Some(paired) = Paired::new::<f32>(&problem, &walk) else { continue };
            met += 1;
            let [x, w] = [problem.input_shape(), problem.kernel_shape()];
            let (data, weight) = (numbers(volume(&x), 1), numbers(volume(&w), 2));
            let (outputs, [high, wide]) = (sums[1], walk.pairs().expect("pairs").count);
            let planes = sums[0] * outputs * high * wide;
            let (mut y, mut choices) = (vec![77.0f32; planes], vec![9; planes]);
            let mut lines = vec![Line::POISON; paired.lines::<f32>(true)];
            paired.forward((&data, &weight), outputs, (&mut y, &mut choices), &mut lines);
            let dy = numbers(planes, 3);
            let (mut dw, mut expected) = (vec![77.0f32; weight.len()], vec![0.0f32; weight.len()]);
            lines.fill(Line::POISON);
            paired.gradient(&data, outputs, (&dy, &choices), &mut dw, &mut lines);

            let padding = problem.axes.iter().map(|axis| axis.padding).collect::<Vec<isize>>();
            for (i, (&y, &choice)) in y.iter().zip(&choices).enumerate() {
                let (n, o, line, column) =
                    (i / wide / high / outputs, i / wide / high % outputs, i / wide % high, i % wide);
                // The weight's number and the sample that it meets, outside the data 0.
                let terms = |place: usize| {
                    let (x, w, data, padding) = (&x, &w, &data, &padding);
                    (0..w[1] * w[2] * w[3]).map(move |t| {
                        let (c, a, b) = (t / (w[2] * w[3]), t / w[3] % w[2], t % w[3]);
                        let at = [2 * line + place / 2 + a, 2 * column + place % 2 + b];
                        let [h, v] = [0, 1].map(|axis| at[axis] as isize - padding[axis]);
                        let inside = h >= 0 && v >= 0 && h < x[2] as isize && v < x[3] as isize;
                        let c = o / (outputs / (x[1] / w[1])) * w[1] + c;
                        let from = || ((n * x[1] + c) * x[2] + h as usize) * x[3] + v as usize;
                        (o * w[1] * w[2] * w[3] + t, if inside { data[from()] } else { 0.0 })
                    })
                };
                let sum = |place: usize| terms(place).map(|(at, x)| weight[at] * x).sum::<f32>();
                let four: [f32; 4] = [0, 1, 2, 3].map(sum);
                let most = four.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                assert_eq!(y, most, "{name}: {i}");
                assert_eq!(four.iter().position(|&sum| sum == most), Some(usize::from(choice)), "{name}: {i}");
                terms(usize::from(choice)).for_each(|(at, x)| expected[at] += dy[i] * x);
            }
            assert_eq!(dw, expected, "{name}");
        }
        // What fills most of the registers is taken with any of them.
        assert!(met >= 3, "{met} are computed as one");
    }
}
