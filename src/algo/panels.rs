//! Weights in panels, as the product's leaf reads them, and how rows and columns are cut for it.

use crate::element::Element;
use crate::problem::MAX_RANK;
use crate::simd::{Isa, Kernels, Workers};
use crate::view::{View, ViewMut, advance};

use super::lower::{Lowered, Phase};

/// The rows of a tile for `outer` channels: as many as fit without too many idle ones. A tile of few rows spends more
/// on its columns' loads than on its sums.
pub(crate) fn rows(isa: Isa, outer: usize) -> usize {
    let cost = |m: usize| outer.div_ceil(m) as f64 * (m as f64 + 0.6);
    [8, 4, 2, 1].into_iter().filter(|&m| m <= isa.rows()).min_by(|&a, &b| cost(a).total_cmp(&cost(b))).unwrap_or(1)
}

/// The columns of a panel: as many as the leaf keeps in registers at once with so many rows.
pub(crate) fn width<T: Kernels>(isa: Isa, rows: usize) -> usize {
    let registers = match (isa.rows(), rows) {
        (8, 8) => 3,
        (8, 4) => 6,
        (_, 4) => 3,
        _ => 8,
    };
    registers * T::lanes(isa)
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
pub(crate) fn packed_len(lowered: &Lowered, terms: usize, rows: usize) -> usize {
    (lowered.groups * lowered.outer.div_ceil(rows) * rows).saturating_mul(terms)
}

/// Packs the weights of one phase: for every group and panel of `rows` outer channels, for every (inner channel, tap),
/// `rows` weights, zero where there are no more channels.
pub(crate) fn pack<T: Element>(
    lowered: &Lowered,
    phase: &Phase,
    rows: usize,
    kernel: View<'_, T>,
    packed: &mut [T],
    workers: &mut Workers<'_>,
) {
    let rank = phase.len();
    let counts: [usize; MAX_RANK] = std::array::from_fn(|a| phase.get(a).map_or(1, |axis| axis.taps.len()));
    let taps: usize = counts.iter().product();
    let panels = lowered.outer.div_ceil(rows);
    let length = lowered.inner * taps * rows;
    let shape = [lowered.groups * panels, length];
    let Ok(out) = ViewMut::new(packed, &shape, &[length as isize, 1], 0) else { return };
    let inner_stride = kernel.at.strides()[usize::from(!lowered.transposed)];
    let outer_stride = kernel.at.strides()[usize::from(lowered.transposed)];
    workers.tiles(out, &[1, length], |mut tile, _| {
        let (group, panel) = (tile.start()[0] / panels, tile.start()[0] % panels);
        let first = panel * rows;
        // Channels of the axes (first, second) of the kernel that this panel begins at.
        let base = if lowered.transposed {
            kernel.at.channel(group * lowered.inner, first)
        } else {
            kernel.at.channel(group * lowered.outer + first, 0)
        };
        let present = rows.min(lowered.outer - first);
        let mut tap = [0; MAX_RANK];
        for (k, weights) in tile.row(&[0, 0], length).chunks_exact_mut(rows).enumerate() {
            let mut at = base + (k / taps) as isize * inner_stride;
            for a in 0..rank {
                at += kernel.at.step(a, phase[a].taps[tap[a]].index);
            }
            advance(&mut tap[..rank], &counts[..rank]);
            for weight in &mut weights[..present] {
                let w = kernel.data[at as usize];
                *weight = if lowered.conjugate { w.conj() } else { w };
                at += outer_stride;
            }
            weights[present..].fill(T::default());
        }
    });
}

/// The largest divisor of `outer` that is a multiple of `rows` and at most `most`; `outer` where there is none.
pub(crate) fn channel_block(outer: usize, rows: usize, most: usize) -> usize {
    if outer > 1 << 20 {
        // No layer has so many; the search would take long.
        return outer;
    }
    (1..=outer.min(most) / rows).rev().map(|n| n * rows).find(|&b| outer.is_multiple_of(b)).unwrap_or(outer)
}
