//! A block of the input: the samples that a tile of results needs, boundary included, one channel after the other.
//!
//! Where the step is larger than one, the samples are sorted by their residue on each axis, so that a tap's samples for
//! consecutive results lie side by side.

use super::cost::{Costs, wide};
use super::gather::{Source, Span};
use super::lower::{Phase, PhaseAxis};
use crate::element::Element;
use crate::problem::MAX_RANK;
use crate::simd::{Ahead, Isa};
use crate::view::advance;

/// One axis of a phase's block.
#[derive(Clone, Debug)]
pub(super) struct BlockAxis {
    /// The residues of the taps' offsets modulo the step.
    pub(super) residues: Vec<isize>,
    /// The smallest quotient of an offset.
    pub(super) low: isize,
    /// Samples of a residue beyond the results'.
    pub(super) extra: usize,
    /// From one sample to the next in the block.
    pub(super) pitch: usize,
}

/// How the samples that a tile of one phase's results needs lie in a block.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) axes: Vec<BlockAxis>,
    /// Elements of one residue's samples, and of one channel's.
    dense: usize,
    pub(super) channel: usize,
    /// Results a tile, an axis.
    pub(super) tile: Vec<usize>,
    /// Whether every tap of the last axis has rows of its own.
    copied: bool,
}

impl BlockAxis {
    /// Without its pitch. `None` where the phase has no taps.
    pub(super) fn of(axis: &PhaseAxis) -> Option<Self> {
        let step = axis.step as isize;
        let mut residues: Vec<isize> = axis.taps.iter().map(|t| t.offset.rem_euclid(step)).collect();
        residues.sort_unstable();
        residues.dedup();
        let low = axis.taps.iter().map(|t| t.offset.div_euclid(step)).min()?;
        let high = axis.taps.iter().map(|t| t.offset.div_euclid(step)).max()?;
        Some(Self { residues, low, extra: (high - low) as usize, pitch: 0 })
    }
}

impl Block {
    pub(super) fn new(phase: &Phase, tile: &[usize], inner: usize) -> Result<Self, String> {
        Self::of(phase, tile, inner, false)
    }

    /// With rows of its own for every tap of the last axis, as long as the results': they leave no gaps between them.
    pub(super) fn without_gaps(phase: &Phase, tile: &[usize], inner: usize) -> Result<Self, String> {
        Self::of(phase, tile, inner, true)
    }

    /// Whether rows are longer than the results', by what the taps reach.
    pub(super) fn leaves_gaps(&self) -> bool {
        !self.copied
    }

    fn of(phase: &Phase, tile: &[usize], inner: usize, copied: bool) -> Result<Self, String> {
        let tile: Vec<usize> = phase.iter().zip(tile).map(|(a, &n)| n.min(a.count)).collect();
        let mut axes: Vec<BlockAxis> = phase.iter().filter_map(BlockAxis::of).collect();
        if let (true, Some(last), Some(axis)) = (copied, axes.last_mut(), phase.last()) {
            // The offsets themselves take the residues' place.
            last.residues = axis.taps.iter().map(|t| t.offset).collect();
            last.residues.sort_unstable();
            last.residues.dedup();
            (last.low, last.extra) = (0, 0);
        }
        let mut dense = 1usize;
        let too_large = || "a block of the input would be too large".to_string();
        for (axis, &n) in axes.iter_mut().zip(&tile).rev() {
            axis.pitch = dense;
            dense = dense.checked_mul(n + axis.extra).ok_or_else(too_large)?;
        }
        let combinations = axes.iter().map(|a| a.residues.len()).product::<usize>();
        let channel = dense.checked_mul(combinations).ok_or_else(too_large)?;
        if channel.checked_mul(inner).is_none_or(|n| n > isize::MAX as usize >> 6) {
            return Err(too_large());
        }
        Ok(Self { axes, dense, channel, tile, copied })
    }

    /// Where the samples of the tap with these offsets, one an axis, lie in a channel's block.
    pub(super) fn place(&self, phase: &Phase, offsets: impl Iterator<Item = isize>) -> usize {
        let (mut residue, mut place) = (0, 0);
        for (a, ((offset, axis), block)) in offsets.zip(phase).zip(&self.axes).enumerate() {
            let step = axis.step as isize;
            if self.copied && a + 1 == phase.len() {
                residue = residue * block.residues.len() + block.residues.binary_search(&offset).unwrap_or(0);
                continue;
            }
            let r = block.residues.binary_search(&offset.rem_euclid(step)).unwrap_or(0);
            residue = residue * block.residues.len() + r;
            place += (offset.div_euclid(step) - block.low) as usize * block.pitch;
        }
        residue * self.dense + place
    }

    /// Seconds to gather a tile's samples of so many channels.
    pub(super) fn seconds_to_gather<T: Element>(&self, costs: &Costs, phase: &Phase, channels: usize) -> f64 {
        let last = phase.len() - 1;
        let sample = if phase[last].step == 1 { costs.copy } else { costs.copy_apart };
        let row = (self.tile[last] + self.axes.last().map_or(0, |axis| axis.extra)).max(1);
        let one = self.channel as f64 * sample * wide::<T>() + (self.channel / row) as f64 * costs.copy_row;
        channels as f64 * one
    }

    /// Gathers the samples of so many channels from a batch entry's first that the results from `start` on, `count` of
    /// them, read. Where the blocks `hold_outside` values since some of the same place in other channels have been
    /// gathered, those are left.
    pub(super) fn gather<T: Element>(
        &self,
        isa: Isa,
        source: &Source<'_, T>,
        phase: &Phase,
        at: (usize, usize, usize),
        [start, count]: [&[usize]; 2],
        blocks: &mut [T],
        hold_outside: bool,
    ) {
        let rank = phase.len();
        let counts: [usize; MAX_RANK] = std::array::from_fn(|a| self.axes.get(a).map_or(1, |b| b.residues.len()));
        let mut residue = [0; MAX_RANK];
        let blocks = &mut blocks[..at.2 * self.channel];
        for from in (0..self.channel).step_by(self.dense.max(1)) {
            let spans: [Span; MAX_RANK] = std::array::from_fn(|a| match self.axes.get(a) {
                None => Span::default(),
                Some(b) => Span {
                    start: (start[a] as isize + b.low) * phase[a].step as isize + b.residues[residue[a]],
                    step: phase[a].step,
                    count: count[a] + b.extra,
                    pitch: b.pitch,
                },
            });
            source.copy(isa, at, &spans[..rank], (&mut blocks[from..], self.channel), hold_outside);
            advance(&mut residue[..rank], &counts[..rank]);
        }
    }
    /// What [`gather`](Self::gather) will read, to be asked for.
    pub(super) fn ahead<'a, T: Element>(
        &self,
        source: &Source<'a, T>,
        phase: &Phase,
        at: (usize, usize, usize),
        [start, count]: [&[usize]; 2],
    ) -> Ahead<'a, T> {
        let spans: [Span; MAX_RANK] = std::array::from_fn(|a| match self.axes.get(a) {
            None => Span::default(),
            Some(b) => {
                let (step, first) = (phase[a].step, b.residues.first().copied().unwrap_or(0));
                let start = (start[a] as isize + b.low) * step as isize + first;
                // The samples of several residues are all that there are.
                let reach = b.residues.last().map_or(0, |&last| (last - first) as usize);
                match reach {
                    0 => Span { start, step, count: count[a] + b.extra, pitch: 1 },
                    _ => Span { start, step: 1, count: (count[a] + b.extra - 1) * step + reach + 1, pitch: 1 },
                }
            }
        });
        source.ahead(at, &spans[..phase.len()])
    }
}
