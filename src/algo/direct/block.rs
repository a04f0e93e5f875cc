//! How the samples that a tile of results needs lie.

use super::super::block::{Block, BlockAxis};
use super::super::gather::Source;
use super::super::lower::Phase;
use super::super::panels::each_tap;
use super::{PARTED, aligned};
use crate::element::Element;
use crate::problem::Layout;
use crate::simd::Offsets;
use crate::view::Strided;

/// Channels whose rows may lie anywhere: more would displace one another in the first cache where the distance from
/// one to the next is a multiple of a large power of two.
const SCATTERED: usize = 8;

/// How the samples that a tile of one phase's results needs lie in a block.
#[derive(Debug)]
pub(in crate::algo) struct PhaseBlock {
    pub(in crate::algo) block: Block,
    offsets: Offsets,
    /// As the offsets, of a source that is read where it lies.
    pub(super) lying: Option<Offsets>,
    /// From one channel of that to the next.
    apart: usize,
    /// How some channels of such a source are copied, if that is worth it.
    pub(super) copied: Option<Copied>,
    /// Where the phase's packed weights begin.
    pub(super) packed: usize,
}

/// Rows of a dense source, one a channel, that begin cache lines in a copy of them.
#[derive(Debug)]
pub(in crate::algo) struct Copied {
    /// From one row to the next, which is the most that one may hold.
    pub(super) pitch: usize,
    pub(super) offsets: Offsets,
}

impl Copied {
    /// Elements of the copy.
    pub(super) fn len(&self) -> usize {
        self.offsets.len() * self.pitch
    }
}

/// Whether the tiles of a phase can read a source of these extents where it lies, a channel so many bytes `apart` from the
/// next: no sample is missing, and the source's rows are those that a block would have.
pub(super) fn lies(phase: &Phase, tile: &[usize], source: &[usize], apart: usize, channels: usize) -> bool {
    let fits = phase.iter().zip(tile).zip(source).enumerate().all(|(a, ((axis, &tile), &extent))| {
        let Some(block) = BlockAxis::of(axis) else { return false };
        let inside = block.low >= 0 && axis.count + block.low as usize + block.extra <= extent;
        axis.step == 1 && inside && (a == 0 || tile == axis.count && axis.count + block.extra == extent)
    });
    fits && (channels <= SCATTERED || apart.trailing_zeros() <= 8)
}

impl PhaseBlock {
    pub(in crate::algo) fn new(phase: &Phase, tile: &[usize], inner: usize, packed: usize) -> Result<Self, String> {
        Self::of(phase, Block::new(phase, tile, inner)?, inner, packed)
    }

    fn of(phase: &Phase, block: Block, inner: usize, packed: usize) -> Result<Self, String> {
        let taps = each_tap(phase, |taps| block.place(phase, taps.iter().map(|t| t.offset)));
        let offsets = (0..inner).flat_map(|c| taps.iter().map(move |t| c * block.channel + t)).collect();
        Ok(Self { offsets: Offsets::new(offsets), lying: None, apart: 0, copied: None, packed, block })
    }

    /// With a copy of the rows for every tap of the last axis, each no longer than the results': such rows leave no gaps
    /// between them. Where the result's rows leave none either, that is worth it if more is saved of the sums for `outer`
    /// channels than is copied.
    pub(super) fn without_gaps(self, phase: &Phase, [inner, outer]: [usize; 2], lanes: usize) -> Result<Self, String> {
        let (rank, tile) = (phase.len(), &self.block.tile);
        let last = &phase[rank - 1];
        if rank < 2 || last.taps.len() < 2 || last.every > 1 || tile[rank - 1] < last.count {
            return Ok(self);
        }
        let runs = self.runs(tile, lanes);
        let (planes, rows) = (tile[..rank - 2].iter().product::<usize>(), tile[rank - 2]);
        let registers = runs.lines * runs.columns.div_ceil(lanes);
        let dense = planes * (rows * tile[rank - 1]).div_ceil(lanes);
        let widened = Block::without_gaps(phase, tile, inner)?;
        // Of a register: a multiply-add for each term; to part it, and to copy it.
        let saved = registers.saturating_sub(dense) * self.offsets.len() * outer;
        let parted = if runs.joined { planes * rows * outer * PARTED } else { 0 };
        let copied = widened.channel.saturating_sub(self.block.channel) * inner / lanes * PARTED * last.step;
        if registers <= dense || saved + parted <= copied {
            Ok(self)
        } else {
            Self::of(phase, widened, inner, self.packed)
        }
    }

    /// With the offsets in a source whose channels are dense and so far `apart`, if it [lies](lies) well.
    pub(super) fn of_source<T: Element>(mut self, phase: &Phase, source: &[usize], inner: usize, apart: usize) -> Self {
        let bytes = apart.saturating_mul(size_of::<T>());
        if self.block.leaves_gaps() && lies(phase, &self.block.tile, source, bytes, inner) {
            let taps = self.offsets.len() / inner;
            let offsets = (0..inner).flat_map(|c| self.offsets.as_slice()[..taps].iter().map(move |t| c * apart + t));
            self.lying = Some(Offsets::new(offsets.collect()));
            self.apart = apart;
        }
        self
    }

    /// With room for a copy of some columns of some channels, for a single tap of a source that lies well but for its rows,
    /// which begin anywhere in a cache line: what a tile reads for a term would be a line more than it has to be.
    pub(super) fn copied<T: Element>(mut self, [columns, channels]: [usize; 2]) -> Self {
        if self.lying.is_some() {
            let pitch = aligned::<T>(&[columns]);
            self.copied = Some(Copied { pitch, offsets: Offsets::new((0..channels).map(|c| c * pitch).collect()) });
        }
        self
    }

    /// Elements of one channel.
    pub(in crate::algo) fn len(&self) -> usize {
        self.block.channel
    }

    /// Where each tap's samples lie, for one channel after the other.
    pub(in crate::algo) fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    pub(in crate::algo) fn taps(&self) -> usize {
        self.offsets.len()
    }

    /// From one result to the next along `axis`.
    pub(in crate::algo) fn pitch(&self, axis: usize) -> usize {
        self.block.axes[axis].pitch
    }
}

impl PhaseBlock {
    /// The source from the first sample of some channels on that a tile of `count` results from `start` on reads, and the
    /// offsets there, if it can be read where it lies.
    pub(super) fn in_place<'a, T: Element>(
        &'a self,
        source: &Source<'a, T>,
        (n, channel): (usize, usize),
        start: &[usize],
        count: &[usize],
    ) -> Option<(&'a [T], &'a Offsets)> {
        let (offsets, view) = (self.lying.as_ref()?, &source.view);
        let at = Strided::dense(view.shape(), Layout::ChannelsFirst).apart(self.apart);
        let first = start[0] as isize + self.block.axes[0].low;
        let from = view.at.channel(n, channel) + view.at.step(0, first as usize);
        let samples = view.data.get(usize::try_from(from).ok()?..)?;
        let last: usize = self.block.axes.iter().zip(count).map(|(axis, &n)| (n - 1) * axis.pitch).sum();
        let inside = offsets.largest() + last < samples.len();
        (inside && at.strides()[1..] == view.at.strides()[1..]).then_some((samples, offsets))
    }

    /// How a plane of a tile of `count` results is computed: in one run over all its rows and the gaps between them,
    /// where that is less work than a run for every row.
    pub(super) fn runs(&self, count: &[usize], lanes: usize) -> Runs {
        let rank = count.len();
        let (last, terms) = (count[rank - 1], self.offsets.len());
        let (rows, pitch) = match rank.checked_sub(2) {
            Some(a) => (count[a], self.block.axes[a].pitch),
            None => (1, last),
        };
        let by_row = rows * last.next_multiple_of(lanes);
        let in_one = ((rows - 1) * pitch + last).next_multiple_of(lanes);
        let joined = rows > 1 && in_one * terms + rows * last * PARTED < by_row * terms;
        let planes: usize = count[..rank.saturating_sub(2)].iter().product();
        let (lines, columns) = if joined { (planes, in_one) } else { (planes * rows, last) };
        Runs { joined, lines, columns }
    }
}

/// The runs of a tile.
pub(super) struct Runs {
    /// Whether a run goes over all rows of a plane.
    pub(super) joined: bool,
    /// Runs, and the columns of one.
    pub(super) lines: usize,
    pub(super) columns: usize,
}
