//! Weights in panels, as the product's leaf reads them, and how rows and columns are cut for it.

use super::cost::{Costs, multiply_adds};
use crate::element::Element;
use crate::problem::{MAX_RANK, Pass, Problem};
use crate::simd::{Interleave, Isa, Kernels, Workers};
use crate::view::{View, ViewMut, advance};

use super::lower::{Lowered, Phase};

/// The rows of a tile for `outer` channels: as many as fit without too many idle ones. A tile of few rows spends more
/// on its columns' loads than on its sums.
pub(crate) fn rows(isa: Isa, outer: usize) -> usize {
    let one = |m: usize| if m == 0 { 0.0 } else { m as f64 + 0.6 };
    // Of the last tile no more rows are computed than half of one that has six or eight.
    let last = |m: usize, left: usize| one(if left > 4 { m } else { m.min(left.next_power_of_two()) });
    let cost = |m: usize| (outer / m) as f64 * one(m) + if outer.is_multiple_of(m) { 0.0 } else { last(m, outer % m) };
    isa.tiles().iter().map(|&[m, _]| m).min_by(|&a, &b| cost(a).total_cmp(&cost(b))).unwrap_or(1)
}

/// The columns of a panel: as many as the leaf keeps in registers at once with so many rows.
pub(crate) fn width<T: Kernels>(isa: Isa, rows: usize) -> usize {
    isa.tiles().iter().find(|&&[m, _]| m == rows).map_or(1, |&[_, n]| n) * T::lanes(isa)
}

/// `value` of every combination of taps, the last axis fastest.
pub(crate) fn each_tap<U>(phase: &Phase, value: impl Fn(&[super::lower::Tap]) -> U) -> Vec<U> {
    let counts: Vec<usize> = phase.iter().map(|a| a.taps.len()).collect();
    let mut index = vec![0; counts.len()];
    let mut taps: Vec<_> = phase.iter().map(|a| a.taps[0]).collect();
    (0..counts.iter().product())
        .map(|_| {
            for (a, &i) in index.iter().enumerate() {
                taps[a] = phase[a].taps[i];
            }
            advance(&mut index, &counts);
            value(&taps)
        })
        .collect()
}

/// Elements of a phase's packed weights.
fn packed_len(lowered: &Lowered, terms: usize, rows: usize) -> usize {
    (lowered.groups * lowered.outer.div_ceil(rows) * rows).saturating_mul(terms)
}

/// From where the packed weights of a phase of so many terms begin to where those of the next do.
pub(crate) fn packed_step(lowered: &Lowered, terms: usize, rows: usize) -> usize {
    packed_len(lowered, terms, rows).next_multiple_of(64)
}

/// A matrix among the elements of a slice.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    pub(crate) data: &'a [T],
    /// Where the first element lies.
    pub(crate) base: isize,
    /// From one term of the sum to the next.
    pub(crate) term: isize,
    /// From one row of the panel to the next.
    pub(crate) row: isize,
    pub(crate) conjugate: bool,
}

impl<T: Element> Matrix<'_, T> {
    /// Packs a panel of `width` rows, of which `present` are there and the others zero: row by row for every term, as
    /// many as `out` has room for.
    pub(crate) fn pack(&self, isa: Isa, present: usize, width: usize, out: &mut [T]) {
        let terms = out.len() / width;
        if self.term == 1 && self.row >= 0 && terms > 0 {
            let source = &self.data[self.base as usize..];
            let call =
                Interleave { source, stride: self.row as usize, rows: present, columns: terms, out, pitch: width };
            T::interleave(isa, call);
        } else {
            for (k, panel) in out.chunks_exact_mut(width).enumerate() {
                let base = self.base + k as isize * self.term;
                self.column(base, &mut panel[..present]);
                panel[present..].fill(T::default());
            }
        }
        if self.conjugate {
            out.iter_mut().for_each(|x| *x = x.conj());
        }
    }

    /// Copies one element a row from `base` on.
    fn column(&self, base: isize, out: &mut [T]) {
        if self.row == 1 {
            out.copy_from_slice(&self.data[base as usize..base as usize + out.len()]);
        } else {
            for (r, y) in out.iter_mut().enumerate() {
                *y = self.data[(base + r as isize * self.row) as usize];
            }
        }
    }
}

/// Seconds to pack a problem's weights: in registers where the terms of a channel lie side by side.
pub(crate) fn seconds_to_pack(costs: &Costs, problem: &Problem) -> f64 {
    let weights = problem.kernel_shape().iter().map(|&n| n as f64).product::<f64>();
    weights * if problem.pass == Pass::Forward && !problem.flip { costs.pack } else { costs.pack_apart }
}

/// Seconds of one call of the product's leaf: `rows` rows, a line of so many columns and so many terms, whose sums are
/// written, or read and written, so many times.
pub(crate) fn seconds_of_product<T: Element>(
    costs: &Costs,
    (isa, rows): (Isa, usize),
    columns: usize,
    terms: f64,
    passes: f64,
) -> f64 {
    let lanes = T::lanes(isa);
    let registers = columns.div_ceil(lanes);
    let tiles = registers.div_ceil(width::<T>(isa, rows) / lanes);
    let sums = (rows * registers) as f64;
    let term = sums * costs.product_fma * multiply_adds::<T>()
        + registers as f64 * costs.product_load
        + tiles as f64 * costs.product_step;
    terms * term + passes * sums * costs.product_end
}

/// Packs the weights of all phases, one [behind](packed_step) the other.
pub(crate) fn pack<T: Element>(
    isa: Isa,
    lowered: &Lowered,
    rows: usize,
    kernel: View<'_, T>,
    packed: &mut [T],
    workers: &mut Workers<'_>,
) {
    let mut from = 0;
    for phase in &lowered.phases {
        let terms = phase.iter().fold(lowered.inner, |n, axis| n * axis.taps.len());
        let packed = &mut packed[from..from + packed_len(lowered, terms, rows)];
        pack_phase(isa, lowered, phase, rows, kernel, packed, workers);
        from += packed_step(lowered, terms, rows);
    }
}

/// Packs the weights of one phase: for every group and panel of `rows` outer channels, for every (inner channel, tap),
/// `rows` weights, zero where there are no more channels.
fn pack_phase<T: Element>(
    isa: Isa,
    lowered: &Lowered,
    phase: &Phase,
    rows: usize,
    kernel: View<'_, T>,
    packed: &mut [T],
    workers: &mut Workers<'_>,
) {
    let packing = Packing::new(isa, lowered, phase, rows, kernel);
    let panels = lowered.outer.div_ceil(rows);
    let length = packing.length();
    let shape = [lowered.groups * panels, length];
    let Ok(out) = ViewMut::new(packed, &shape, &[length as isize, 1], 0) else { return };
    workers.tiles(out, &[1, length], |mut tile, _| {
        let (group, panel) = (tile.start()[0] / panels, tile.start()[0] % panels);
        packing.panel(group, panel, tile.row(&[0, 0], length));
    });
}

/// How the weights of a phase are packed, panel by panel.
pub(crate) struct Packing<'a, T> {
    isa: Isa,
    lowered: &'a Lowered,
    phase: &'a Phase,
    rows: usize,
    kernel: View<'a, T>,
    taps: usize,
    /// Whether all terms of a channel lie one behind the other, in the order in which they are summed.
    dense: bool,
}

impl<'a, T: Element> Packing<'a, T> {
    pub(crate) fn new(isa: Isa, lowered: &'a Lowered, phase: &'a Phase, rows: usize, kernel: View<'a, T>) -> Self {
        let taps = phase.iter().map(|axis| axis.taps.len()).product();
        let mut this = Self { isa, lowered, phase, rows, kernel, taps, dense: false };
        let (mut tap, counts) = ([0; MAX_RANK], this.counts());
        this.dense = (this.inner_stride() == taps as isize || lowered.inner == 1)
            && (0..taps).all(|t| {
                let at = this.offset_of(&tap);
                advance(&mut tap[..phase.len()], &counts[..phase.len()]);
                at == t as isize
            });
        this
    }

    /// Weights of a panel.
    fn length(&self) -> usize {
        self.lowered.inner * self.taps * self.rows
    }

    fn counts(&self) -> [usize; MAX_RANK] {
        std::array::from_fn(|a| self.phase.get(a).map_or(1, |axis| axis.taps.len()))
    }

    fn inner_stride(&self) -> isize {
        self.kernel.at.strides()[usize::from(!self.lowered.transposed)]
    }

    /// From the first tap of a channel to another.
    fn offset_of(&self, tap: &[usize; MAX_RANK]) -> isize {
        self.phase.iter().enumerate().map(|(a, axis)| self.kernel.at.step(a, axis.taps[tap[a]].index)).sum()
    }

    /// Packs one of the panels of a group.
    pub(crate) fn panel(&self, group: usize, panel: usize, out: &mut [T]) {
        let Self { isa, lowered, phase, rows, kernel, taps, dense } = *self;
        let (rank, first) = (phase.len(), panel * rows);
        // Channels of the axes (first, second) of the kernel that this panel begins at.
        let base = if lowered.transposed {
            kernel.at.channel(group * lowered.inner, first)
        } else {
            kernel.at.channel(group * lowered.outer + first, 0)
        };
        let present = rows.min(lowered.outer - first);
        let conjugate = lowered.conjugate && T::DTYPE.is_complex();
        let row = kernel.at.strides()[usize::from(lowered.transposed)];
        let channel = Matrix { data: kernel.data, base, term: 1, row, conjugate };
        if dense {
            return channel.pack(isa, present, rows, out);
        }
        if taps == 1 {
            let base = base + self.offset_of(&[0; MAX_RANK]);
            return Matrix { base, term: self.inner_stride(), ..channel }.pack(isa, present, rows, out);
        }
        let last = &phase[rank - 1].taps;
        let (mut tap, counts) = ([0; MAX_RANK], self.counts());
        for (k, row) in out.chunks_exact_mut(last.len() * rows).enumerate() {
            let first = base + (k * last.len() / taps) as isize * self.inner_stride() + self.offset_of(&tap);
            advance(&mut tap[..rank - 1], &counts[..rank - 1]);
            for (weights, t) in row.chunks_exact_mut(rows).zip(last) {
                let at = first + kernel.at.step(rank - 1, t.index) - kernel.at.step(rank - 1, last[0].index);
                channel.column(at, &mut weights[..present]);
                weights[present..].fill(T::default());
            }
        }
        if conjugate {
            out.iter_mut().for_each(|w| *w = w.conj());
        }
    }
}

/// A multiple of `rows` that cuts `outer` channels evenly into blocks of about `most`. Of several groups, one that divides
/// them and is at most `most`, lest a block lie in two; `outer` where there is none.
pub(crate) fn channel_block(groups: usize, outer: usize, rows: usize, most: usize) -> usize {
    if groups == 1 {
        return outer.div_ceil(outer.div_ceil(most.max(1)).max(1)).next_multiple_of(rows).min(outer);
    }
    if outer > 1 << 20 {
        // No layer has so many; the search would take long.
        return outer;
    }
    (1..=outer.min(most) / rows).rev().map(|n| n * rows).find(|&b| outer.is_multiple_of(b)).unwrap_or(outer)
}
