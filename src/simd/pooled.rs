//! A convolution by unit steps with max pooling of two by two behind it, as one: the largest of each window's four sums
//! and its place; and the weights' gradient, of which each window's gradient has a single term a tap.
//!
//! The source lies parted: each of its rows as its samples of even place, and behind them those of odd place. Then the
//! samples that neighbouring windows read of a row for the same tap lie side by side, and a window is a lane:
//!
//! ```text
//! sums[p][j] = Σ_t weights[t] · source[offset(t, p) + j]        p = 0 … 3, the places of a window
//! ```
//!
//! The four sums stay in registers, and so does the choice between them. Backward, the sample that a tap meets is picked
//! from the four by the place that was chosen: a fraction of the work of four sums, three of which would be zeros.

use super::pairs::{Choosing, largest};

/// How a parted source lies, and the windows over it.
#[derive(Clone, Copy, Debug)]
pub struct PartedWindows {
    /// From the samples of even place of a row to those of odd place, and on to the next row; the samples that lie
    /// between are finite. At least [`half`](Self::half_for) what the windows ask for.
    pub(crate) half: usize,
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
    /// The least that [`half`](Self::half) may be for so many windows in a row, a kernel so wide and registers of so
    /// many lanes.
    pub(crate) fn half_for(windows: usize, wide: usize, lanes: usize) -> usize {
        windows.next_multiple_of(lanes) + wide / 2
    }

    /// The rows of a source.
    pub(crate) fn rows(&self) -> usize {
        2 * self.count[0] + self.taps[0] - 1
    }

    /// The weights of an output channel.
    fn terms(&self) -> usize {
        self.channels * self.taps[0] * self.taps[1]
    }

    /// Everything that the loops take on trust; gives the output channels.
    pub(super) fn check(&self, lanes: usize, source: usize, weights: usize, windows: [usize; 2]) -> usize {
        let Self { half, channels, channel, taps, count } = *self;
        assert!(count[0] > 0 && count[1] > 0 && channels > 0 && taps[0] > 0 && taps[1] > 0, "something to sum");
        assert!(half >= Self::half_for(count[1], taps[1], lanes), "rows hold what the windows read");
        let rows = self.rows().checked_mul(2 * half).expect("rows that lie in memory");
        assert!(channels == 1 || channel >= rows, "channels hold their rows");
        assert!((channels - 1).saturating_mul(channel).saturating_add(rows) <= source, "the source holds all channels");
        let outputs = weights / self.terms();
        assert!(weights == outputs * self.terms(), "as many weights for each output channel");
        assert!(windows == [outputs * count[0] * count[1]; 2], "a plane of windows for each output channel");
        outputs
    }
}

/// `MANY` output channels at a time share what is loaded: 4 with 32 registers, 2 with 16.
///
/// # Safety
/// The call has been [checked](PartedWindows::check), and the machine has `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn sums<V: Choosing, const MANY: usize>(mut call: PooledSums<'_, V::Lane>) {
    let [high, wide] = call.windows.count;
    let outputs = call.out.len() / (high * wide);
    for line in 0..high {
        for first in (0..wide).step_by(V::LANES) {
            let whole = outputs / MANY * MANY;
            // SAFETY: as many output channels, rows of windows and windows are there.
            unsafe {
                for output in (0..whole).step_by(MANY) {
                    some_sums::<V, MANY>(&mut call, output, line, first);
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
    let PartedWindows { half, channels, channel, taps: [tall, across], count: [high, wide] } = call.windows;
    let (terms, row) = (call.windows.terms(), 2 * half);
    // SAFETY: `check` has seen that the source holds all channels' rows, each as far as a register of windows and all taps
    // reach; that there are weights for each output channel, and results and choices for its windows.
    unsafe {
        let mut sums = [[V::zero(); 4]; M];
        let mut weights = call.weights.as_ptr().add(output * terms);
        for c in 0..channels {
            let mut upper = call.source.as_ptr().add(c * channel + 2 * line * row + first);
            for _ in 0..tall {
                // Even and odd columns in turn: the right sample of one tap is the left one of the next.
                let (mut at, mut odd) = (upper, false);
                let (mut above, mut below) = (V::load(at), V::load(at.add(row)));
                for _ in 0..across {
                    at = if odd { at.add(1).sub(half) } else { at.add(half) };
                    odd = !odd;
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
            if room == V::LANES { most.store(out) } else { most.store_first(out, room) }
            V::store_places(places, call.choices.as_mut_ptr().add(at), room);
        }
    }
}

/// `MANY` output channels at a time share what is loaded: 2 with 32 registers, 1 with 16.
///
/// # Safety
/// The call has been [checked](PartedWindows::check), with lanes for each weight, and the machine has `V`'s instruction
/// set.
#[inline(always)]
pub(super) unsafe fn gradient<V: Choosing, const MANY: usize>(mut call: PooledGradient<'_, V::Lane>) {
    let PartedWindows { channels, taps: [tall, across], count: [high, wide], .. } = call.windows;
    let outputs = call.gradient.len() / (high * wide);
    let mut output = 0;
    while output < outputs {
        let many = if outputs - output >= MANY { MANY } else { 1 };
        for (c, y, x) in (0..channels).flat_map(|c| {
            (0..tall).step_by(3).flat_map(move |y| (0..across).step_by(3).map(move |x| (c, y, x)))
        }) {
            let at = [output, c, y, x];
            // SAFETY: as many output channels and taps are there.
            unsafe {
                macro_rules! some {
                    ($($y:literal $x:literal),*) => {
                        match (many == MANY, (tall - y).min(3), (across - x).min(3)) {
                            $((true, $y, $x) => some_gradient::<V, MANY, $y, $x>(&mut call, at),
                            (false, $y, $x) => some_gradient::<V, 1, $y, $x>(&mut call, at),)*
                            _ => {}
                        }
                    };
                }
                some!(1 1, 1 2, 1 3, 2 1, 2 2, 2 3, 3 1, 3 2, 3 3);
            }
        }
        output += many;
    }
}

/// The gradient of `Y` by `X` taps of `M` output channels, from those `at` which it is on.
///
/// # Safety
/// As [`gradient`]; there are as many.
#[inline(always)]
unsafe fn some_gradient<V: Choosing, const M: usize, const Y: usize, const X: usize>(
    call: &mut PooledGradient<'_, V::Lane>,
    [output, c, y, x]: [usize; 4],
) {
    let PartedWindows { half, channel, taps: [_, across], count: [high, wide], .. } = call.windows;
    let (terms, row) = (call.windows.terms(), 2 * half);
    let tap = (c * call.windows.taps[0] + y) * across + x;
    // Where the columns of the taps and the one behind them lie in a row.
    let column = |i: usize| (x + i) % 2 * half + (x + i) / 2;
    // SAFETY: `check` has seen that the source holds all channels' rows, each as far as a register of windows and all taps
    // reach; that there are gradients and choices for each window, and lanes for each weight.
    unsafe {
        let mut sums = [[[V::zero(); X]; Y]; M];
        let out = call.lanes.as_mut_ptr().add((output * terms + tap) * V::LANES);
        for m in 0..M {
            for i in 0..Y {
                for j in 0..X {
                    sums[m][i][j] = V::load(out.add((m * terms + i * across + j) * V::LANES));
                }
            }
        }
        for line in 0..high {
            let source = call.source.as_ptr().add(c * channel + (2 * line + y) * row);
            for first in (0..wide).step_by(V::LANES) {
                let count = V::LANES.min(wide - first);
                let mut gradients = [V::zero().weights(); M];
                let mut sides = [None; M];
                for m in 0..M {
                    let at = (output + m) * high * wide + line * wide + first;
                    let given = call.gradient.as_ptr().add(at);
                    // No gradient, where there is no window.
                    let given = if count == V::LANES { V::load(given) } else { V::load_first(given, count) };
                    gradients[m] = given.weights();
                    let room = V::LANES.min(call.choices.len() - at);
                    let places = V::load_places(call.choices.as_ptr().add(at), room);
                    sides[m] = Some((V::right(places), V::below(places)));
                }
                let mut above = [V::zero(); 4];
                for j in 0..X + 1 {
                    above[j] = V::load(source.add(first + column(j)));
                }
                for i in 0..Y {
                    let mut below = [V::zero(); 4];
                    for j in 0..X + 1 {
                        below[j] = V::load(source.add((i + 1) * row + first + column(j)));
                    }
                    for m in 0..M {
                        let Some((right, lower)) = sides[m] else { continue };
                        let mut left = V::pick(lower, above[0], below[0]);
                        for j in 0..X {
                            let next = V::pick(lower, above[j + 1], below[j + 1]);
                            sums[m][i][j] = V::pick(right, left, next).mul_add(gradients[m], sums[m][i][j]);
                            left = next;
                        }
                    }
                    above = below;
                }
            }
        }
        for m in 0..M {
            for i in 0..Y {
                for j in 0..X {
                    sums[m][i][j].store(out.add((m * terms + i * across + j) * V::LANES));
                }
            }
        }
    }
}
