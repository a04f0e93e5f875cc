//! A convolution by unit steps with max pooling of two by two behind it, as one: the largest of each window's four sums
//! and its place; and the weights' gradient, of which each window's gradient has a single term a tap.
//!
//! The source lies parted: of each of its rows, for as many neighbouring windows as a register has lanes, the samples that
//! they read for the first column of the kernel, those for the second column, and so on, and for one column more; then
//! the same for the next windows. A window is a lane:
//!
//! ```text
//! sums[p][j] = Σ_t weights[t] · source[offset(t, p) + j]        p = 0 … 3, the places of a window
//! ```
//!
//! The four sums stay in registers, and so does the choice between them. Backward, the sample that a tap meets is picked
//! from the four by the place that was chosen: a fraction of the work of four sums, three of which would be zeros.

use super::pairs::{Choosing, largest};

/// The windows over a parted source. Lanes without a window hold finite samples.
#[derive(Clone, Copy, Debug)]
pub struct PartedWindows {
    /// Channels, and from one to the next.
    pub(crate) channels: usize,
    pub(crate) channel: usize,
    /// Rows and columns of the kernel.
    pub(crate) taps: [usize; 2],
    /// Rows of windows, and windows of a row.
    pub(crate) count: [usize; 2],
}

/// The arguments of a forward pass: the largest sum of each window, the first of several, NaN before numbers; and its
/// place in the window, row by row.
pub struct PooledSums<'a, T> {
    pub(crate) windows: PartedWindows,
    pub(crate) source: &'a [T],
    /// For each output channel those of all input channels and taps.
    pub(crate) weights: &'a [T],
    pub(crate) out: &'a mut [T],
    pub(crate) choices: &'a mut [u8],
}

/// The arguments of the weights' gradient, from each window's gradient and the place that was chosen.
pub struct PooledGradient<'a, T> {
    pub(crate) windows: PartedWindows,
    pub(crate) source: &'a [T],
    pub(crate) gradient: &'a [T],
    pub(crate) choices: &'a [u8],
    /// A register's lanes for each weight, added to.
    pub(crate) lanes: &'a mut [T],
}

impl PartedWindows {
    /// The rows of a source.
    pub(crate) fn rows(&self) -> usize {
        2 * self.count[0] + self.taps[0] - 1
    }

    /// From one row of the source to the next, with registers of so many lanes.
    pub(crate) fn row(&self, lanes: usize) -> usize {
        self.count[1].div_ceil(lanes) * (self.taps[1] + 1) * lanes
    }

    /// The weights of an output channel.
    fn terms(&self) -> usize {
        self.channels * self.taps[0] * self.taps[1]
    }

    /// Everything that the loops take on trust; gives the output channels.
    pub(super) fn check(&self, lanes: usize, source: usize, weights: usize, windows: [usize; 2]) -> usize {
        let Self { channels, channel, taps, count } = *self;
        assert!(count[0] > 0 && count[1] > 0 && channels > 0 && taps[0] > 0 && taps[1] > 0, "something to sum");
        let rows = self.rows().saturating_mul(self.row(lanes));
        assert!(channels == 1 || channel >= rows, "channels hold their rows");
        assert!((channels - 1).saturating_mul(channel).saturating_add(rows) <= source, "the source holds all channels");
        let outputs = weights / self.terms();
        assert!(weights == outputs * self.terms(), "as many weights for each output channel");
        assert!(windows == [outputs * count[0] * count[1]; 2], "a plane of windows for each output channel");
        outputs
    }
}

/// Some output channels at a time share what is loaded.
///
/// # Safety
/// The call has been [checked](PartedWindows::check), and the machine has `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn sums<V: Choosing>(mut call: PooledSums<'_, V::Lane>) {
    let [high, wide] = call.windows.count;
    let outputs = call.out.len() / (high * wide);
    let most = if V::MANY { 4 } else { 2 };
    for line in 0..high {
        for first in (0..wide).step_by(V::LANES) {
            let whole = outputs / most * most;
            // SAFETY: as many output channels, rows of windows and windows are there.
            unsafe {
                for output in (0..whole).step_by(most) {
                    match V::MANY {
                        true => some_sums::<V, 4>(&mut call, output, line, first),
                        false => some_sums::<V, 2>(&mut call, output, line, first),
                    }
                }
                for output in whole..outputs {
                    some_sums::<V, 1>(&mut call, output, line, first);
                }
            }
        }
    }
}

/// A register of windows from `first` on of a row of them, for `M` output channels.
///
/// # Safety
/// As [`sums`]; there are such windows.
#[inline(always)]
unsafe fn some_sums<V: Choosing, const M: usize>(
    call: &mut PooledSums<'_, V::Lane>,
    output: usize,
    line: usize,
    first: usize,
) {
    let PartedWindows { channels, channel, taps: [tall, across], count: [high, wide] } = call.windows;
    let (terms, row) = (call.windows.terms(), call.windows.row(V::LANES));
    // SAFETY: `check` has seen that the source holds all channels' rows, each as far as a register of windows and all taps
    // reach; that there are weights for each output channel, and results and choices for its windows.
    unsafe {
        let mut sums = [[V::zero(); 4]; M];
        let mut weights = call.weights.as_ptr().add(output * terms);
        for c in 0..channels {
            let mut upper = call.source.as_ptr().add(c * channel + 2 * line * row + first * (across + 1));
            for _ in 0..tall {
                let mut at = upper;
                let (mut above, mut below) = (V::load(at), V::load(at.add(row)));
                for _ in 0..across {
                    // The right sample of one tap is the left one of the next.
                    at = at.add(V::LANES);
                    let (right, right_below) = (V::load(at), V::load(at.add(row)));
                    for m in 0..M {
                        let weight = V::splat(*weights.add(m * terms));
                        sums[m][0] = above.mul_add(weight, sums[m][0]);
                        sums[m][1] = right.mul_add(weight, sums[m][1]);
                        sums[m][2] = below.mul_add(weight, sums[m][2]);
                        sums[m][3] = right_below.mul_add(weight, sums[m][3]);
                    }
                    weights = weights.add(1);
                    (above, below) = (right, right_below);
                }
                upper = upper.add(row);
            }
        }
        for m in 0..M {
            let (most, places) = largest(sums[m]);
            // What lies behind in the same plane is written later.
            let (at, end) = ((output + m) * high * wide + line * wide + first, (output + m + 1) * high * wide);
            let room = V::LANES.min(end - at);
            let out = call.out.as_mut_ptr().add(at);
            if room == V::LANES {
                most.store(out)
            } else {
                most.store_first(out, room)
            }
            V::store_places(places, call.choices.as_mut_ptr().add(at), room);
        }
    }
}

/// # Safety
/// The call has been [checked](PartedWindows::check), with lanes for each weight, and the machine has `V`'s instruction
/// set.
#[inline(always)]
pub(super) unsafe fn gradient<V: Choosing>(mut call: PooledGradient<'_, V::Lane>) {
    let PartedWindows { channels, taps: [tall, across], count: [high, wide], .. } = call.windows;
    let outputs = call.gradient.len() / (high * wide);
    for (output, c) in (0..outputs).flat_map(|output| (0..channels).map(move |c| (output, c))) {
        for (y, x) in (0..tall).step_by(3).flat_map(|y| (0..across).step_by(3).map(move |x| (y, x))) {
            let at = [output, c, y, x];
            // SAFETY: as many taps are left.
            unsafe {
                match ((tall - y).min(3), (across - x).min(3)) {
                    (1, 1) => some_gradient::<V, 1, 1>(&mut call, at),
                    (1, 2) => some_gradient::<V, 1, 2>(&mut call, at),
                    (1, _) => some_gradient::<V, 1, 3>(&mut call, at),
                    (2, 1) => some_gradient::<V, 2, 1>(&mut call, at),
                    (2, 2) => some_gradient::<V, 2, 2>(&mut call, at),
                    (2, _) => some_gradient::<V, 2, 3>(&mut call, at),
                    (_, 1) => some_gradient::<V, 3, 1>(&mut call, at),
                    (_, 2) => some_gradient::<V, 3, 2>(&mut call, at),
                    _ => some_gradient::<V, 3, 3>(&mut call, at),
                }
            }
        }
    }
}

/// The gradient of `Y` by `X` taps, at most three each, from those `at` which it is on.
///
/// # Safety
/// As [`gradient`]; there are as many.
#[inline(always)]
unsafe fn some_gradient<V: Choosing, const Y: usize, const X: usize>(
    call: &mut PooledGradient<'_, V::Lane>,
    [output, c, y, x]: [usize; 4],
) {
    let PartedWindows { channel, taps: [_, across], count: [high, wide], .. } = call.windows;
    let (terms, row) = (call.windows.terms(), call.windows.row(V::LANES));
    let tap = (c * call.windows.taps[0] + y) * across + x;
    // SAFETY: `check` has seen that the source holds all channels' rows, each as far as a register of windows and all taps
    // reach; that there are gradients and choices for each window, and lanes for each weight.
    unsafe {
        let mut sums = [[V::zero(); X]; Y];
        let out = call.lanes.as_mut_ptr().add((output * terms + tap) * V::LANES);
        for i in 0..Y {
            for j in 0..X {
                sums[i][j] = V::load(out.add((i * across + j) * V::LANES));
            }
        }
        let whole = wide / V::LANES * V::LANES;
        for line in 0..high {
            let source = call.source.as_ptr().add(c * channel + (2 * line + y) * row + x * V::LANES);
            let begin = (output * high + line) * wide;
            // A macro, since closures are not compiled for the instruction set for certain.
            macro_rules! add {
                ($first:expr, $load:ident $(, $count:expr)?) => {
                    let (at, source) = (begin + $first, source.add($first * (across + 1)));
                    // No gradient, where there is no window.
                    let weight = V::$load(call.gradient.as_ptr().add(at) $(, $count)?).weights();
                    let places = V::load_places(call.choices.as_ptr().add(at), V::LANES.min(call.choices.len() - at));
                    let (right, lower) = (V::right(places), V::below(places));
                    let mut above = [V::zero(); 4];
                    for j in 0..X + 1 {
                        above[j] = V::load(source.add(j * V::LANES));
                    }
                    for i in 0..Y {
                        let mut below = [V::zero(); 4];
                        for j in 0..X + 1 {
                            below[j] = V::load(source.add((i + 1) * row + j * V::LANES));
                        }
                        let mut left = V::pick(lower, above[0], below[0]);
                        for j in 0..X {
                            let next = V::pick(lower, above[j + 1], below[j + 1]);
                            sums[i][j] = V::pick(right, left, next).mul_add(weight, sums[i][j]);
                            left = next;
                        }
                        above = below;
                    }
                };
            }
            for first in (0..whole).step_by(V::LANES) {
                add!(first, load);
            }
            if whole < wide {
                add!(whole, load_first, wide - whole);
            }
        }
        for i in 0..Y {
            for j in 0..X {
                sums[i][j].store(out.add((i * across + j) * V::LANES));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::guarded::End;
    use super::super::{Isa, Pairs};
    use super::*;
    use crate::element::Element;

    fn number(i: usize) -> f64 {
        (i * 7919 % 101 % 7) as f64 - 3.0
    }

    /// All slices end, or begin, with the last element that may be touched.
    fn agree<T: Element<Real = T> + Pairs + Into<f64>>(isa: Isa, end: End, sizes: [usize; 2], windows: PartedWindows) {
        let (lanes, [outputs, gap]) = (T::lanes(isa), sizes);
        let PartedWindows { channels, taps: [tall, across], count: [high, wide], .. } = windows;
        let (row, rows) = (windows.row(lanes), windows.rows());
        let windows = PartedWindows { channel: rows * row + gap, ..windows };
        // The samples, and where they lie: once for each tap that meets them.
        let sample = |c: usize, y: usize, x: usize| number((c * rows + y) * 97 + x);
        let mut source = vec![T::default(); (channels - 1) * windows.channel + rows * row];
        for (c, y, x) in (0..channels).flat_map(|c| (0..rows).flat_map(move |y| (0..wide).map(move |x| (c, y, x)))) {
            for tap in 0..across + 1 {
                let at = y * row + x / lanes * (across + 1) * lanes + tap * lanes + x % lanes;
                source[c * windows.channel + at] = T::from_f64(sample(c, y, 2 * x + tap));
            }
        }
        let source = end.guard(&source);
        let (terms, planes) = (windows.terms(), outputs * high * wide);
        let weights = end.guard((0..outputs * terms).map(|i| T::from_f64(number(i + 5))).collect::<Vec<T>>());
        let (mut out, mut choices) = (end.guard(vec![T::from_f64(77.0); planes]), end.guard(vec![9u8; planes]));
        let call = PooledSums { windows, source: &source, weights: &weights, out: &mut out, choices: &mut choices };
        T::pooled_sums(isa, call);
        let gradient = end.guard((0..planes).map(|i| T::from_f64(number(i + 3))).collect::<Vec<T>>());
        let mut sums = end.guard(vec![T::from_f64(1.0); weights.len() * lanes]);
        let call =
            PooledGradient { windows, source: &source, gradient: &gradient, choices: &choices, lanes: &mut sums };
        T::pooled_gradient(isa, call);

        let mut expected = vec![lanes as f64; weights.len()];
        for (i, (&y, &choice)) in out.iter().zip(choices.iter()).enumerate() {
            let (output, line, column) = (i / (high * wide), i / wide % high, i % wide);
            let met = |term: usize, place: usize| {
                let (c, tap) = (term / (tall * across), [term / across % tall, term % across]);
                sample(c, 2 * line + place / 2 + tap[0], 2 * column + place % 2 + tap[1])
            };
            let weight = |term: usize| weights[output * terms + term].into();
            let sum = |place| (0..terms).map(|term| weight(term) * met(term, place)).sum::<f64>();
            let four: [f64; 4] = [0, 1, 2, 3].map(sum);
            let most = four.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let place = four.iter().position(|&sum| sum == most).expect("four sums");
            assert_eq!((y.into(), usize::from(choice)), (most, place), "{isa:?} {windows:?}: {i}");
            let given: f64 = gradient[i].into();
            for term in 0..terms {
                expected[output * terms + term] += given * met(term, place);
            }
        }
        let totals = sums.chunks(lanes).map(|lanes| lanes.iter().map(|&lane| lane.into()).sum::<f64>());
        assert_eq!(totals.collect::<Vec<f64>>(), expected, "{isa:?} {windows:?}");
    }

    #[test]
    fn the_largest_sums_and_the_gradients_agree_with_the_sums_written_out() {
        for (isa, end) in Isa::all().into_iter().flat_map(|isa| End::BOTH.map(|end| (isa, end))) {
            for (channels, outputs, gap) in [(1, 1, 0), (1, 6, 0), (2, 4, 3), (3, 3, 0)] {
                for taps in [[1, 1], [3, 3], [2, 4], [5, 5], [4, 2], [7, 3], [1, 6]] {
                    for count in [[1, 1], [2, 3], [3, 13], [1, 16], [2, 17], [1, 33]] {
                        let windows = PartedWindows { channels, channel: 0, taps, count };
                        agree::<f32>(isa, end, [outputs, gap], windows);
                        agree::<f64>(isa, end, [outputs, gap], windows);
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "the source holds all channels")]
    fn a_short_source_is_refused() {
        let windows = PartedWindows { channels: 1, channel: 0, taps: [1, 1], count: [1, 1] };
        let (source, weights, mut out, mut choices) = ([0.0f32; 15], [0.0; 1], [0.0; 1], [0; 1]);
        let call = PooledSums { windows, source: &source, weights: &weights, out: &mut out, choices: &mut choices };
        f32::pooled_sums(Isa::Portable, call);
    }
}
