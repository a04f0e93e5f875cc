//! Windows that step over spatial axes.

use std::ops::Range;

use super::options::signed;
use crate::error::{Error, Result};
use crate::nn::Float;
use crate::nn::layer::volume;
use crate::simd::{Choose, Isa, PairWindows, Unchoose};

/// The windows of a pooling layer: their extents, steps and padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    window: Vec<usize>,
    stride: Vec<usize>,
    padding: Vec<usize>,
}

impl Window {
    pub(super) fn new(window: Vec<usize>, stride: Vec<usize>, padding: Vec<usize>) -> Result<Self> {
        for ((&window, &stride), &padding) in window.iter().zip(&stride).zip(&padding) {
            if window == 0 || stride == 0 {
                return Err(Error::argument("window and stride", "at least 1", window.min(stride)));
            }
            // More, and some windows would hold no sample at all.
            if padding > window / 2 {
                return Err(Error::argument("padding", format!("at most half the window, {}", window / 2), padding));
            }
            signed("window", window.max(stride))?;
        }
        Ok(Self { window, stride, padding })
    }

    /// Spatial axes.
    pub(super) fn rank(&self) -> usize {
        self.window.len()
    }

    /// Positions of a window, the padding's among them.
    pub(super) fn taps(&self) -> usize {
        self.window.iter().fold(1, |taps, &n| taps.saturating_mul(n))
    }

    pub(super) fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        let rank = self.window.len();
        if input.len() != rank + 2 {
            let expected = format!("(batch, channels) and {rank} spatial axes");
            return Err(Error::argument("input", expected, format!("shape {input:?}")));
        }
        let mut output = input.to_vec();
        for (axis, extent) in output[2..].iter_mut().enumerate() {
            *extent = self.windows(axis, *extent)?;
        }
        Ok(output)
    }

    /// Windows along an axis of so many samples.
    fn windows(&self, axis: usize, input: usize) -> Result<usize> {
        if input == 0 {
            return Err(Error::argument("input", format!("at least one sample on axis {axis}"), 0));
        }
        let (window, padding) = (self.window[axis], self.padding[axis]);
        let padded = input.checked_add(2 * padding).ok_or_else(|| Error::overflow("the padded input"))?;
        if padded < window {
            return Err(Error::KernelTooLong { axis, kernel: window, input: padded });
        }
        Ok((padded - window) / self.stride[axis] + 1)
    }

    /// The windows over an input of this shape.
    pub(super) fn over(&self, input: &[usize]) -> Result<Walk> {
        let rank = self.window.len();
        let spatial = input.get(2..).unwrap_or(&[]);
        let mut axes = [Axis::NONE; 3];
        for (axis, (place, &input)) in axes[3 - rank..].iter_mut().zip(spatial).enumerate() {
            let (window, stride, padding) = (self.window[axis], self.stride[axis], self.padding[axis]);
            *place = Axis { input, output: self.windows(axis, input)?, window, stride, padding };
        }
        Ok(Walk { axes })
    }
}

/// An axis of windows; those of stride 0 lie so that they cover the axis.
#[derive(Clone, Copy, Debug)]
struct Axis {
    input: usize,
    output: usize,
    window: usize,
    stride: usize,
    padding: usize,
}

impl Axis {
    /// One that is not there.
    const NONE: Self = Self { input: 1, output: 1, window: 1, stride: 1, padding: 0 };

    /// The samples of a window.
    #[inline(always)]
    fn samples(&self, output: usize) -> Range<usize> {
        if self.stride == 0 {
            return output * self.input / self.output..((output + 1) * self.input).div_ceil(self.output);
        }
        let start = output * self.stride;
        start.saturating_sub(self.padding)..(start + self.window).saturating_sub(self.padding).min(self.input)
    }
}

/// The windows over one plane of known extents: as many axes as there may be, those that are not there of extent 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    axes: [Axis; 3],
}

impl Walk {
    /// As many windows as `output` says, that cover their axes: number `i` of `m` reaches from `i n / m` to
    /// `(i + 1) n / m`, rounded outwards.
    pub(super) fn covering(input: &[usize], output: &[usize]) -> Self {
        let mut axes = [Axis::NONE; 3];
        for ((place, &input), &output) in axes.iter_mut().rev().zip(input.iter().rev()).zip(output.iter().rev()) {
            *place = Axis { input, output, window: 0, stride: 0, padding: 0 };
        }
        Self { axes }
    }

    /// Samples of a plane.
    pub(super) fn inputs(&self) -> usize {
        volume(&self.axes.map(|axis| axis.input))
    }

    /// Windows of a plane.
    pub(super) fn outputs(&self) -> usize {
        volume(&self.axes.map(|axis| axis.output))
    }

    /// Positions of a window, the padding's among them.
    pub(super) fn taps(&self) -> usize {
        volume(&self.axes.map(|axis| axis.window))
    }

    /// Calls `visit` for each window, with the places of its samples in their order.
    #[inline(always)]
    pub(super) fn each(&self, mut visit: impl FnMut(usize, Places)) {
        let [depth, height, width] = self.axes;
        let mut at = 0;
        for d in 0..depth.output {
            for h in 0..height.output {
                for w in 0..width.output {
                    let ranges = [depth.samples(d), height.samples(h), width.samples(w)];
                    visit(at, Places { ranges, height: height.input, width: width.input });
                    at += 1;
                }
            }
        }
    }

    /// Whether neighbouring windows of a row are one sample apart, so that rows can be worked on as a whole.
    pub(super) fn is_sliding(&self) -> bool {
        self.axes[2].stride == 1
    }

    /// Calls `visit` for some neighbouring windows at a time, no more than [`TILE`], with what they read.
    #[inline(always)]
    pub(super) fn each_tile(&self, mut visit: impl FnMut(Range<usize>, Runs)) {
        let [depth, height, width] = self.axes;
        for d in 0..depth.output {
            for h in 0..height.output {
                for first in (0..width.output).step_by(TILE) {
                    let tile = first..width.output.min(first + TILE);
                    let row = (d * height.output + h) * width.output;
                    let planes = [depth.samples(d), height.samples(h)];
                    visit(row + tile.start..row + tile.end, Runs { planes, tile, height: height.input, width });
                }
            }
        }
    }

    /// Whether the windows are pairs of pairs side by side, the shape that networks pool by most.
    pub(super) fn is_pairs(&self) -> bool {
        let [depth, height, width] = self.axes;
        let pair = |axis: Axis| axis.window == 2 && axis.stride == 2 && axis.padding == 0;
        depth.window == 1 && depth.output == depth.input && depth.stride == 1 && pair(height) && pair(width)
    }

    /// The largest of pairs of pairs.
    #[inline(always)]
    pub(super) fn pairs_max<T: Float>(&self, x: &[T], y: &mut [T]) {
        let [_, height, width] = self.axes;
        for (x, y) in planes(x, height, width).zip(y.chunks_exact_mut(height.output * width.output)) {
            for (x, y) in x.chunks_exact(2 * width.input).zip(y.chunks_exact_mut(width.output)) {
                let (upper, lower) = x.split_at(width.input);
                let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
                for (y, (a, b)) in y.iter_mut().zip(pairs) {
                    *y = larger(larger(a[0], a[1]), larger(b[0], b[1]));
                }
            }
        }
    }

    /// Gives each window's gradient to the first of its largest samples, and zero to the others.
    #[inline(always)]
    pub(super) fn pairs_max_back<T: Float>(&self, x: &[T], y: &[T], dy: &[T], dx: &mut [T]) {
        let [_, height, width] = self.axes;
        let outputs = height.output * width.output;
        let written = dx.chunks_exact_mut(height.input * width.input);
        let given = y.chunks_exact(outputs).zip(dy.chunks_exact(outputs));
        for ((x, dx), (y, dy)) in planes(x, height, width).zip(written).zip(given) {
            let pairs = x.chunks_exact(2 * width.input).zip(dx.chunks_exact_mut(2 * width.input));
            let rows = y.chunks_exact(width.output).zip(dy.chunks_exact(width.output));
            for ((x, dx), (y, dy)) in pairs.zip(rows) {
                let ((upper, lower), (to_upper, to_lower)) = (x.split_at(width.input), dx.split_at_mut(width.input));
                let from = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
                let to = to_upper.as_chunks_mut::<2>().0.iter_mut().zip(to_lower.as_chunks_mut::<2>().0);
                for (((a, b), (to_a, to_b)), (&peak, &dy)) in from.zip(to).zip(y.iter().zip(dy)) {
                    let is = |v: T| v == peak || v.is_nan();
                    let [first, second, third] = [is(a[0]), is(a[1]), is(b[0])];
                    let give = |wins: bool| if wins { dy } else { T::ZERO };
                    *to_a = [give(first), give(!first & second)];
                    *to_b = [give(!first & !second & third), give(!(first | second | third))];
                }
                if width.input % 2 == 1 {
                    to_upper[width.input - 1] = T::ZERO;
                    to_lower[width.input - 1] = T::ZERO;
                }
            }
            dx[2 * height.output * width.input..].fill(T::ZERO);
        }
    }
}

/// Windows that are worked on at a time.
pub(super) const TILE: usize = 64;

/// What neighbouring windows read, tap by tap in the taps' order.
#[derive(Clone, Debug)]
pub(super) struct Runs {
    planes: [Range<usize>; 2],
    tile: Range<usize>,
    height: usize,
    width: Axis,
}

impl Runs {
    /// Calls `visit` for each tap with those windows of the tile that have a sample there, counted from the tile's
    /// first, and with the place of the first one's sample.
    #[inline(always)]
    pub(super) fn for_each(&self, mut visit: impl FnMut(Range<usize>, usize)) {
        let Self { planes: [depth, rows], tile, height, width } = self;
        for d in depth.clone() {
            for h in rows.clone() {
                for tap in 0..width.window {
                    let start = tile.start.max(width.padding.saturating_sub(tap));
                    let end = tile.end.min((width.input + width.padding).saturating_sub(tap));
                    if start < end {
                        let from = (d * height + h) * width.input + start + tap - width.padding;
                        visit(start - tile.start..end - tile.start, from);
                    }
                }
            }
        }
    }
}

fn planes<T>(x: &[T], height: Axis, width: Axis) -> impl Iterator<Item = &[T]> {
    x.chunks_exact(height.input * width.input)
}

/// A max pooling's choice: the place of the largest sample among those of its window, in their order.
pub(super) type Choice = u8;

/// Samples of a window that choices can tell apart.
pub(super) const CHOICES: usize = 1 << Choice::BITS;

impl Walk {
    /// The largest of each window of some planes, and which it is.
    #[inline(always)]
    pub(super) fn choose<T: Float>(&self, x: &[T], y: &mut [T], choices: &mut [Choice]) {
        if let Some(windows) = self.pairs() {
            return T::choose(Isa::detect(), Choose { windows, source: x, out: y, choices });
        }
        let written = y.chunks_exact_mut(self.outputs()).zip(choices.chunks_exact_mut(self.outputs()));
        for (x, (y, choices)) in x.chunks_exact(self.inputs()).zip(written) {
            self.each(|at, places| {
                let (mut most, mut choice, mut place): (T, Choice, Choice) = (T::NEG_INFINITY, 0, 0);
                places.for_each(|from| {
                    let value = x[from];
                    // The first of several, NaN before numbers.
                    if (value > most) | (value.is_nan() & !most.is_nan()) {
                        (most, choice) = (value, place);
                    }
                    place = place.wrapping_add(1);
                });
                (y[at], choices[at]) = (most, choice);
            });
        }
    }

    /// Gives each window's gradient to the sample chosen, and zero to the others.
    #[inline(always)]
    pub(super) fn unchoose<T: Float>(&self, choices: &[Choice], dy: &[T], dx: &mut [T]) {
        if let Some(windows) = self.pairs() {
            let call = Unchoose { windows, gradient: dy, choices, out: dx };
            return T::unchoose(Isa::detect(), call);
        }
        let given = choices.chunks_exact(self.outputs()).zip(dy.chunks_exact(self.outputs()));
        for (dx, (choices, dy)) in dx.chunks_exact_mut(self.inputs()).zip(given) {
            dx.fill(T::ZERO);
            self.each(|at, places| {
                let mut place: Choice = 0;
                places.for_each(|from| {
                    if place == choices[at] {
                        dx[from] += dy[at];
                    }
                    place = place.wrapping_add(1);
                });
            });
        }
    }

    /// The windows, where they [are pairs](Self::is_pairs).
    pub(super) fn pairs(&self) -> Option<PairWindows> {
        let [_, height, width] = self.axes;
        let (plane, pitch, count) = (height.input * width.input, width.input, [height.output, width.output]);
        self.is_pairs().then_some(PairWindows { plane, pitch, count })
    }
}

/// The larger of two, and NaN where one is.
#[inline(always)]
pub(in crate::nn) fn larger<T: Float>(most: T, value: T) -> T {
    if (value > most) | value.is_nan() { value } else { most }
}

/// The places of a window's samples within their plane.
#[derive(Clone, Debug)]
pub(super) struct Places {
    ranges: [Range<usize>; 3],
    height: usize,
    width: usize,
}

impl Places {
    /// Samples.
    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        self.ranges.iter().map(ExactSizeIterator::len).product()
    }

    #[inline(always)]
    pub(super) fn for_each(&self, mut visit: impl FnMut(usize)) {
        let [depth, height, width] = &self.ranges;
        for d in depth.clone() {
            for h in height.clone() {
                let row = (d * self.height + h) * self.width;
                for w in width.clone() {
                    visit(row + w);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first of the largest of each window of two by two, NaN before numbers, by the definition.
    fn expected(x: &[f32], height: usize, width: usize) -> Vec<(f32, Choice)> {
        let window = |i: usize, j: usize| [0, 1, width, width + 1].map(|step| x[2 * i * width + 2 * j + step]);
        let best = |values: [f32; 4]| {
            let nan = values.iter().position(|v| v.is_nan());
            let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let place = nan.or(values.iter().position(|&v| v == most)).expect("four values");
            (values[place], place as Choice)
        };
        (0..height / 2).flat_map(|i| (0..width / 2).map(move |j| (i, j))).map(|(i, j)| best(window(i, j))).collect()
    }

    #[test]
    fn pairs_choose_the_first_of_the_largest() {
        for (height, width) in [(2, 2), (3, 2), (5, 7), (26, 26), (27, 26), (4, 33), (40, 9), (3, 600), (7, 1031)] {
            let window = Window::new(vec![2, 2], vec![2, 2], vec![0, 0]).expect("a window");
            let walk = window.over(&[2, 1, height, width]).expect("a shape");
            // Many equal values, and some that are none.
            let x: Vec<f32> = (0..2 * height * width)
                .map(|i| if i % 53 == 11 { f32::NAN } else { ((i * 7919) % 101 % 4) as f32 - 2.0 })
                .collect();
            let (mut y, mut choices): (Vec<f32>, Vec<Choice>) =
                (vec![0.0; 2 * walk.outputs()], vec![9; 2 * walk.outputs()]);
            walk.choose(&x, &mut y, &mut choices);
            let wanted: Vec<_> = x.chunks(height * width).flat_map(|x| expected(x, height, width)).collect();
            for (at, (&(value, choice), (y, &found))) in wanted.iter().zip(y.iter().zip(&choices)).enumerate() {
                assert!(value.to_bits() == y.to_bits() && choice == found, "{height}x{width} at {at}: {found} {y}");
            }
            let dy: Vec<f32> = (0..y.len()).map(|i| i as f32 + 1.0).collect();
            let mut dx = vec![f32::NAN; x.len()];
            walk.unchoose(&choices, &dy, &mut dx);
            let mut sum = vec![0.0; x.len()];
            for (at, &choice) in choices.iter().enumerate() {
                let (plane, i, j) =
                    (at / walk.outputs(), at % walk.outputs() / (width / 2), at % walk.outputs() % (width / 2));
                let (down, right) = (usize::from(choice / 2), usize::from(choice % 2));
                sum[plane * height * width + (2 * i + down) * width + 2 * j + right] = dy[at];
            }
            assert_eq!(dx, sum, "{height}x{width}");
        }
    }
}
