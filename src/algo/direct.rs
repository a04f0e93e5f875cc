//! The direct sum: a block of the input is gathered once, then every tap reads it where it lies.
//!
//! A block holds, for each channel that is summed over, the samples that a tile of results needs, boundary included.
//! Where the step is larger than one, the samples are sorted by their residue on each axis, so that a tap's samples for
//! consecutive results lie side by side. The product's leaf then reads a tap's samples at an offset; no sample is
//! stored twice. Rows are either computed one by one or, where they are short, in one run over the gaps between them.

use super::block::{Block, BlockAxis};
use super::cost::{Costs, Estimate, running_sum_error, wide};
use super::gather::Source;
use super::lower::{Lowered, Phase, PhaseAxis, tiles};
use super::panels::{channel_block, each_tap, pack, packed_len, rows, seconds_of_product, seconds_to_pack};
use super::{Call, Execute, Needs};
use crate::element::Element;
use crate::problem::{Layout, MAX_RANK, Pass, Problem};
use crate::simd::{self, Ahead, Caches, Isa, Line, Offsets, Plane, Product, Rows, Workers};
use crate::view::{MAX_AXES, Strided, View, advance};

/// Columns that are computed for all channels before the next: their sums stay in the first cache.
const CHUNK: usize = 768;

/// Terms that take as long to sum as it takes to part a result from a run of several rows, and how many times as long
/// as to write it.
const PARTED: usize = 8;
const PARTING: f64 = 3.0;

/// Terms that are summed for all channels before the next, of a source that is read where it lies, and of results that
/// no cache holds, which would have to be read again.
const DEPTH: usize = 256;
const LARGE_DEPTH: usize = 2048;

/// Channels whose rows may lie anywhere: more would displace one another in the first cache where the distance from
/// one to the next is a multiple of a large power of two.
const SCATTERED: usize = 8;

/// Bytes of a block that the design aims at: beside it in the second cache lie the weights and the results.
fn block_bytes() -> usize {
    Caches::detect().second / 16 * 7
}

/// Results and the zeros between them for each result, at the most, that are put together before they are written.
const MOST_SPREAD: usize = 4;

/// How the samples that a tile of one phase's results needs lie in a block.
#[derive(Debug)]
pub(super) struct PhaseBlock {
    pub(super) block: Block,
    offsets: Offsets,
    /// As the offsets, of a dense source that is read where it lies.
    lying: Option<Offsets>,
    /// Where the phase's packed weights begin.
    packed: usize,
}

/// The direct sum for one problem: forward pass or input gradient.
#[derive(Debug)]
pub(crate) struct Direct {
    lowered: Lowered,
    isa: Isa,
    rows: usize,
    channels: usize,
    phases: Vec<PhaseBlock>,
    /// Whether the results are more than caches hold.
    large: bool,
    /// Elements of the lines of a channel that a chunk of results lies in, where the zeros between them are written too.
    spread: usize,
    needs: Needs,
}

/// Results a tile, an axis.
pub(crate) fn design(problem: &Problem) -> Result<Vec<usize>, String> {
    let lowered = Lowered::new(problem)?;
    let outer = lowered.outer;
    // The phases are alike; the one with the most taps decides.
    let phase = lowered.phases.iter().max_by_key(|p| p.iter().map(|a| a.taps.len()).product::<usize>());
    let Some(phase) = phase else { return Ok(vec![1; problem.rank()]) };
    let full: Vec<usize> = phase.iter().map(|a| a.count).collect();
    let mut tile = full.clone();
    let block = |tile: &[usize]| {
        phase
            .iter()
            .zip(tile)
            .map(|(a, &n)| BlockAxis::of(a).map_or(n as f64, |b| (b.residues.len() * (n + b.extra)) as f64))
            .product::<f64>()
            * lowered.inner as f64
            * problem.dtype.size() as f64
    };
    let rank = tile.len();
    if lies(phase, &tile, &sources(problem), problem.dtype.size(), lowered.inner) {
        // No block: enough tiles for many threads, each as wide as its sums are kept.
        let columns = |tile: &[usize]| tile.iter().product::<usize>() as f64;
        let items = |tile: &[usize]| columns(&full) / columns(tile) * (problem.batch * lowered.groups) as f64;
        while items(&tile) < 16.0 && tile[0] > 1 && columns(&tile) > 2.0 * CHUNK as f64 {
            tile[0] = tile[0].div_ceil(2);
        }
        return Ok(tile);
    }
    let results: f64 = tile.iter().map(|&n| n as f64).product();
    let items = |tile: &[usize]| {
        let tiles: f64 = phase.iter().zip(tile).map(|(a, &n)| a.count.div_ceil(n) as f64).product();
        tiles * (problem.batch * lowered.groups) as f64
    };
    let most = block_bytes() as f64;
    // Cut the outermost axes first, the last one no shorter than a few registers.
    for a in 0..rank {
        let least = if a + 1 == rank { 512.min(tile[a]) } else { 1 };
        // No thinner than what the taps reach beyond it, lest most of the block be gathered twice.
        let thick = BlockAxis::of(&phase[a]).map_or(1, |b| b.extra.div_ceil(2)).clamp(least, tile[a].max(least));
        while tile[a] > thick && block(&tile) > most {
            tile[a] = tile[a].div_ceil(2).max(thick);
        }
    }
    while block(&tile) > 32.0 * most {
        let Some(a) = (0..rank).find(|&a| tile[a] > if a + 1 == rank { 64 } else { 1 }) else { break };
        tile[a] = tile[a].div_ceil(2);
    }
    if results * problem.terms() as f64 * outer as f64 > 1e5 {
        // Enough tiles for many threads, as far as they do not get thin.
        for a in 0..rank.saturating_sub(1) {
            let thick = BlockAxis::of(&phase[a]).map_or(1, |b| 2 * b.extra).max(4);
            while items(&tile) < 16.0 && tile[a] > thick {
                tile[a] = tile[a].div_ceil(2);
            }
        }
        while items(&tile) < 8.0 && tile[rank - 1] > 4096 {
            tile[rank - 1] = tile[rank - 1].div_ceil(2);
        }
    }
    Ok(tile)
}

/// The extents of what a problem's results are sums of.
fn sources(problem: &Problem) -> Vec<usize> {
    let gradient = problem.pass == Pass::InputGradient;
    problem.axes.iter().map(|a| if gradient { a.output } else { a.input }).collect()
}

/// Whether the tiles of a phase can read a dense source where it lies: no sample is missing, and the source's rows are
/// those that a block would have.
fn lies(phase: &Phase, tile: &[usize], source: &[usize], bytes: usize, channels: usize) -> bool {
    let fits = phase.iter().zip(tile).zip(source).enumerate().all(|(a, ((axis, &tile), &extent))| {
        let Some(block) = BlockAxis::of(axis) else { return false };
        let inside = block.low >= 0 && axis.count + block.low as usize + block.extra <= extent;
        axis.step == 1 && inside && (a == 0 || tile == axis.count && axis.count + block.extra == extent)
    });
    let apart = source.iter().fold(bytes, |n, &extent| n.saturating_mul(extent));
    fits && (channels <= SCATTERED || apart.trailing_zeros() <= 8)
}

impl PhaseBlock {
    pub(super) fn new(phase: &Phase, tile: &[usize], inner: usize, packed: usize) -> Result<Self, String> {
        Self::of(phase, Block::new(phase, tile, inner)?, inner, packed)
    }

    fn of(phase: &Phase, block: Block, inner: usize, packed: usize) -> Result<Self, String> {
        let taps = each_tap(phase, |taps| block.place(phase, taps.iter().map(|t| t.offset)));
        let offsets = (0..inner).flat_map(|c| taps.iter().map(move |t| c * block.channel + t)).collect();
        Ok(Self { offsets: Offsets::new(offsets), lying: None, packed, block })
    }

    /// With a copy of the rows for every tap of the last axis, each no longer than the results': such rows leave no gaps
    /// between them. Where the result's rows leave none either, that is worth it if more is saved of the sums for `outer`
    /// channels than is copied.
    fn without_gaps(self, phase: &Phase, [inner, outer]: [usize; 2], lanes: usize) -> Result<Self, String> {
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

    /// With the offsets in a dense source, if it [lies](lies) well.
    fn of_source<T: Element>(mut self, phase: &Phase, source: &[usize], inner: usize) -> Self {
        if self.block.leaves_gaps() && lies(phase, &self.block.tile, source, size_of::<T>(), inner) {
            let (apart, taps) = (source.iter().product::<usize>(), self.offsets.len() / inner);
            let offsets = (0..inner).flat_map(|c| self.offsets.as_slice()[..taps].iter().map(move |t| c * apart + t));
            self.lying = Some(Offsets::new(offsets.collect()));
        }
        self
    }

    /// Elements of one channel.
    pub(super) fn len(&self) -> usize {
        self.block.channel
    }

    /// Where each tap's samples lie, for one channel after the other.
    pub(super) fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    pub(super) fn taps(&self) -> usize {
        self.offsets.len()
    }

    /// From one result to the next along `axis`.
    pub(super) fn pitch(&self, axis: usize) -> usize {
        self.block.axes[axis].pitch
    }
}

impl Direct {
    pub(crate) fn new<T: Element>(problem: &Problem, tile: &[usize]) -> Result<Self, String> {
        check_tile(problem, tile)?;
        let lowered = Lowered::new(problem)?;
        let isa = Isa::detect();
        let rows = rows(isa, lowered.outer);
        let mut phases = Vec::new();
        let (mut packed, mut block) = (0usize, 0usize);
        for phase in &lowered.phases {
            let made = PhaseBlock::new(phase, tile, lowered.inner, packed)?;
            let made = made.without_gaps(phase, [lowered.inner, lowered.outer], T::lanes(isa))?;
            let made = made.of_source::<T>(phase, &sources(problem), lowered.inner);
            packed = packed.saturating_add(packed_len(&lowered, made.offsets.len(), rows).next_multiple_of(64));
            block = block.max(made.block.channel * lowered.inner);
            phases.push(made);
        }
        let tiles = lowered.phases.first().zip(phases.first()).map_or(1.0, |(phase, made)| {
            phase.iter().zip(&made.block.tile).map(|(a, &n)| a.count.div_ceil(n) as f64).product()
        });
        let channels = share_channels(problem, lowered.outer, rows, tiles * (problem.batch * lowered.groups) as f64);
        let lanes = T::lanes(isa);
        let large = is_large::<T>(problem);
        let alone = !lowered.complete && phases.len() == 1 && problem.rank() <= 2;
        let every = if alone { lowered.phases[0].iter().fold(1, |n: usize, a| n.saturating_mul(a.every)) } else { 0 };
        // A row and a column more at the far ends.
        let spread = if every <= MOST_SPREAD { every * 2 * (CHUNK + 1) } else { 0 };
        let needs = Needs {
            packed: Line::holding::<T>(packed),
            shared: 0,
            worker: Line::holding::<T>(block.saturating_add(lanes))
                + Line::holding::<T>(rows * CHUNK)
                + Line::holding::<T>(rows * spread),
        };
        Ok(Self { lowered, isa, rows, channels, phases, large, spread, needs })
    }

    pub(crate) fn estimate<T: Element>(costs: &Costs, problem: &Problem, tile: &[usize]) -> Result<Estimate, String> {
        let this = Self::new::<T>(problem, tile)?;
        let lowered = &this.lowered;
        let mut seconds = costs.run + seconds_to_pack(costs, problem);
        let lanes = T::lanes(this.isa);
        for (phase, made) in lowered.phases.iter().zip(&this.phases) {
            let (tiles, filled) = tiles(phase, &made.block.tile);
            let items = tiles * (problem.batch * lowered.groups) as f64;
            let blocks = lowered.outer.div_ceil(this.channels) as f64;
            let runs = made.runs(&made.block.tile, lanes);
            let terms = made.offsets.len() as f64;
            let passes = match &made.lying {
                _ if runs.joined => PARTING,
                Some(_) => (terms / DEPTH as f64).ceil(),
                None => 1.0,
            };
            let line = seconds_of_product::<T>(costs, (this.isa, this.rows), runs.columns, terms, passes);
            let panels = lowered.outer.div_ceil(this.rows) as f64;
            seconds += items * blocks * costs.item;
            let items = items * filled;
            seconds += items * runs.lines as f64 * panels * line;
            if made.lying.is_none() {
                seconds += items * blocks * made.block.seconds_to_gather::<T>(costs, phase, lowered.inner);
            }
            // What does not lie side by side is copied.
            if phase.iter().any(|a| a.every > 1) {
                let results = made.block.tile.iter().product::<usize>() as f64 * lowered.outer as f64;
                seconds += items * results * costs.copy_apart * wide::<T>();
            }
        }
        Ok(Estimate { seconds, needs: this.needs, error: running_sum_error(problem) })
    }
}

/// Whether the results are more than caches hold: written, they are gone before they are read.
fn is_large<T>(problem: &Problem) -> bool {
    let results = problem.operands()[2].iter().fold(size_of::<T>(), |n, &extent| n.saturating_mul(extent));
    results > Caches::detect().last / 2
}

/// Refuses a tile that is not an extent an axis.
pub(super) fn check_tile(problem: &Problem, tile: &[usize]) -> Result<(), String> {
    if tile.len() != problem.rank() || tile.contains(&0) {
        return Err(format!("its tile is {} extents, none of them 0; given {tile:?}", problem.rank()));
    }
    Ok(())
}

/// Channels of a work item: all of a group's, or blocks of them where there are fewer than eight `items` to share among
/// threads.
pub(super) fn share_channels(problem: &Problem, outer: usize, rows: usize, items: f64) -> usize {
    if items >= 8.0 || problem.flops() < 1e6 {
        return outer;
    }
    let parts = (8.0 / items.max(1.0)).ceil() as usize;
    channel_block(problem.groups, outer, rows, (outer / parts).max(rows))
}

impl PhaseBlock {
    /// The source from the first sample of some channels on that a tile of `count` results from `start` on reads, and the
    /// offsets there, if it can be read where it lies.
    fn in_place<'a, T: Element>(
        &'a self,
        source: &Source<'a, T>,
        (n, channel): (usize, usize),
        start: &[usize],
        count: &[usize],
    ) -> Option<(&'a [T], &'a Offsets)> {
        let (offsets, view) = (self.lying.as_ref()?, &source.view);
        let dense = Strided::dense(view.shape(), Layout::ChannelsFirst);
        let first = start[0] as isize + self.block.axes[0].low;
        let from = view.at.channel(n, channel) + view.at.step(0, first as usize);
        let samples = view.data.get(usize::try_from(from).ok()?..)?;
        let last: usize = self.block.axes.iter().zip(count).map(|(axis, &n)| (n - 1) * axis.pitch).sum();
        let inside = offsets.largest() + last < samples.len();
        (inside && dense.strides()[1..] == view.at.strides()[1..]).then_some((samples, offsets))
    }

    /// How a plane of a tile of `count` results is computed: in one run over all its rows and the gaps between them,
    /// where that is less work than a run for every row.
    fn runs(&self, count: &[usize], lanes: usize) -> Runs {
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
struct Runs {
    /// Whether a run goes over all rows of a plane.
    joined: bool,
    /// Runs, and the columns of one.
    lines: usize,
    columns: usize,
}

impl<T: Element> Execute<T> for Direct {
    fn needs(&self) -> Needs {
        self.needs
    }

    fn takes_non_finite(&self) -> bool {
        // A tap outside the data would be multiplied with a zero.
        false
    }

    fn pack(&self, kernel: View<'_, T>, packed: &mut [Line], workers: &mut Workers<'_>) {
        let packed: &mut [T] = simd::elements_mut(packed);
        for (phase, made) in self.lowered.phases.iter().zip(&self.phases) {
            let len = packed_len(&self.lowered, made.offsets.len(), self.rows);
            pack(
                self.isa,
                &self.lowered,
                phase,
                self.rows,
                kernel,
                &mut packed[made.packed..made.packed + len],
                workers,
            );
        }
    }

    fn run(&self, mut call: Call<'_, '_, T>) {
        let source = Source { view: call.first, boundary: self.lowered.boundary };
        let packed: &[T] = simd::elements(call.second.packed());
        let all = self.lowered.phases.iter().zip(&self.phases);
        let alone = !self.lowered.complete && self.phases.len() == 1;
        if !self.lowered.complete && !alone {
            super::zero(&mut call);
        }
        for (phase, made) in all {
            let packed = &packed[made.packed..];
            let (mut tile, axes) = ([1; MAX_AXES], 2 + phase.len());
            tile[1] = self.channels;
            tile[2..axes].copy_from_slice(&made.block.tile);
            if alone {
                // The zeros between the results are written with them, while their lines are near.
                for (n, axis) in tile[2..].iter_mut().zip(phase) {
                    *n = n.saturating_mul(axis.every);
                }
                call.workers.tiles(call.out.reborrow(), &tile[..axes], |mut tile, scratch| {
                    let part = |a: usize, axis: &PhaseAxis| tile.shape()[2 + a].saturating_sub(axis.first);
                    let some = phase.iter().enumerate().all(|(a, axis)| part(a, axis) > 0);
                    if self.spread > 0 && some && tile.plane(&[0; MAX_AXES][..axes], 1, 1).is_some() {
                        return self.tile(phase, made, &source, packed, (tile, true), scratch);
                    }
                    tile.fill(T::default());
                    if let Some(tile) = tile.every(phase.iter().map(|a| (a.first, a.every))) {
                        self.tile(phase, made, &source, packed, (tile, false), scratch);
                    }
                });
                continue;
            }
            let out = call.out.every(phase.iter().map(|a| (a.first, a.every, a.count)));
            call.workers.tiles(out, &tile[..axes], |tile, scratch| {
                self.tile(phase, made, &source, packed, (tile, false), scratch);
            });
        }
    }
}

/// A cut of the columns, or of the rows, into parts of about `most`, the last no longer than the others: how long they
/// are. Parts are multiples of `unit`, as far as that is less than `most`.
fn even(total: usize, most: usize, unit: usize) -> usize {
    total.div_ceil(total.div_ceil(most.max(1)).max(1)).next_multiple_of(unit).min(most.max(1))
}

/// How many rows of a run, `pitch` apart, are computed at once, at most so many: as many as leave the fewest registers in
/// part empty.
fn high(rows: usize, most: usize, pitch: usize, lanes: usize) -> usize {
    let registers = |rows: usize| (rows * pitch).div_ceil(lanes);
    let all = |high: usize| rows / high * registers(high) + registers(rows % high);
    (most.div_ceil(2)..=most).rev().min_by_key(|&high| all(high)).unwrap_or(1)
}

impl Direct {
    /// Computes a tile of a phase's results. Where it is `spread`, it is a box of all results, zeros between the phase's
    /// included.
    fn tile<T: Element>(
        &self,
        phase: &Phase,
        made: &PhaseBlock,
        source: &Source<'_, T>,
        packed: &[T],
        (mut tile, spread): (simd::TileMut<'_, T>, bool),
        mut scratch: &mut [Line],
    ) {
        let Self { lowered, rows, isa, large, .. } = self;
        let (rank, large) = (phase.len(), *large);
        let lanes = T::lanes(*isa);
        let block = simd::split::<T>(&mut scratch, made.block.channel * lowered.inner + lanes);
        let sums = simd::split::<T>(&mut scratch, rows * CHUNK);
        let lines = simd::split::<T>(&mut scratch, rows * self.spread);
        let (n, channel) = (tile.start()[0], tile.start()[1]);
        let (group, first) = (channel / lowered.outer, channel % lowered.outer);
        let (mut start, mut count, mut next) = ([0; MAX_RANK], [1; MAX_RANK], None);
        start[..rank].copy_from_slice(&tile.start()[2..]);
        count[..rank].copy_from_slice(&tile.shape()[2..]);
        if let Some(then) = tile.next() {
            let mut start = [0; MAX_RANK];
            start[..rank].copy_from_slice(&then[2..]);
            next = Some(((then[0], then[1] / lowered.outer * lowered.inner), start));
        }
        if spread {
            for (a, axis) in phase.iter().enumerate() {
                (start[a], count[a]) = (start[a] / axis.every, (count[a] - axis.first).div_ceil(axis.every));
                if let Some((_, start)) = &mut next {
                    start[a] /= axis.every;
                }
            }
        }
        let (here, count) = ((n, group * lowered.inner), &count[..rank]);
        // What this tile reads is here already.
        let next = next.filter(|next| *next != (here, start));
        let terms = made.offsets.len();
        let (panels, channels) = (lowered.outer.div_ceil(*rows), tile.shape()[1]);
        let written = !spread && tile.lines(&[0; MAX_AXES][..2 + rank], [1, 1, count[rank - 1]]).is_some();
        // Where the next tile begins that is read where it lies, or all that is gathered for it.
        let (source, offsets, chunk, depth, following) = match made.in_place(source, here, &start[..rank], count) {
            Some((lying, offsets)) => {
                // As many columns as stay in the second cache with as many terms, and the next as well.
                let most = if large { LARGE_DEPTH } else { DEPTH };
                let some = if written { (most * lowered.inner / terms).max(1) } else { lowered.inner };
                let channels = lowered.inner.min(some);
                let unit = if written { 48 } else { lanes };
                let chunk = |bytes: usize| (bytes / size_of::<T>() / channels / unit * unit).clamp(48, CHUNK);
                // All of a small image at once: else the weights would be read again for every part of it.
                let small = count.iter().product::<usize>() <= chunk(block_bytes()) || !written;
                let chunk = chunk(block_bytes() / if small { 1 } else { 2 });
                let next = next.and_then(|(at, start)| made.in_place(source, at, &start[..rank], count));
                (lying, offsets, chunk, channels * terms / lowered.inner, Err(next.map(|(samples, _)| samples)))
            }
            None => {
                let at = |(n, c)| (n, c, lowered.inner);
                made.block.gather(*isa, source, phase, at(here), [&start[..rank], count], block, false);
                let ahead =
                    next.map(|(then, start)| made.block.ahead(source, phase, at(then), [&start[..rank], count]));
                (&*block, &made.offsets, CHUNK, terms, Ok(ahead.unwrap_or_else(Ahead::nothing)))
            }
        };
        // The axes outside a plane, and its rows.
        let (outer, width) = (rank.saturating_sub(2), count[rank - 1]);
        let (mut height, mut wide, pitch) = match rank.checked_sub(2) {
            Some(a) => (count[a], width, made.block.axes[a].pitch),
            None => (1, width, width),
        };
        // Rows that leave no gaps, in the source as in the result, are one.
        let dense =
            |tile: &mut simd::TileMut<'_, T>, columns| tile.runs(&[0; MAX_AXES][..2 + rank], 1, columns).is_some();
        if height > 1 && pitch == width && written && dense(&mut tile, height * width) {
            (height, wide) = (1, height * width);
        }
        let joined = height > 1 && made.runs(count, lanes).joined;
        // Whole rows at once where they fit, a part of one where they do not.
        let most = if wide <= chunk { (chunk / pitch).clamp(1, height) } else { 1 };
        let rows_at_once = if joined { high(height, most, pitch, lanes) } else { most };
        let chunk = even(wide, chunk, 48);
        let planes: usize = count[..outer].iter().product();
        // Every call of the leaf asks for its part of what follows.
        let calls = channels.div_ceil(*rows) * if written && !joined { terms.div_ceil(depth) } else { 1 };
        let parts = planes * height.div_ceil(rows_at_once) * wide.div_ceil(chunk) * calls;
        let mut done = 0;
        let reach = offsets.as_slice()[..terms / lowered.inner].iter().copied().max().unwrap_or(0);
        let apart = offsets.as_slice().get(terms / lowered.inner).map_or(0, |&second| second - offsets.as_slice()[0]);
        let mut index = [0; MAX_AXES];
        for plane in 0..planes {
            let base: usize = (0..outer).map(|a| index[2 + a] * made.block.axes[a].pitch).sum();
            let (mut row, mut column) = (0, 0);
            while row < height {
                // A column may lie in another row of the result, where rows leave no gaps.
                if rank > 1 {
                    index[rank] = row + column / width;
                }
                index[1 + rank] = column % width;
                let at = &mut index[..2 + rank];
                // Long rows are cut where lines begin.
                let lead = if large && written && column == 0 && wide > chunk { tile.lead(at) } else { 0 };
                let (high, columns) = (rows_at_once.min(height - row), (chunk + lead).min(wide - column));
                // Into the result, or where its rows are not contiguous, to where they are copied from.
                let joined = joined && high > 1;
                let depth = if written && !joined { depth } else { terms };
                let first_sample = base + row * pitch + column;
                let run = (high - 1) * pitch + columns;
                let (then_row, then_column) =
                    if column + columns < wide { (row, column + columns) } else { (row + high, 0) };
                let ahead = match &following {
                    Ok(ahead) => *ahead,
                    Err(_) if then_row < height => {
                        let from = base + then_row * pitch + then_column + reach;
                        Ahead::new(source.get(from..).unwrap_or(&[]), [lowered.inner, 1], [apart, 0], run)
                    }
                    Err(Some(next)) if plane + 1 == planes => {
                        Ahead::new(next, [lowered.inner, 1], [apart, 0], run + reach)
                    }
                    Err(_) => Ahead::nothing(),
                };
                let (mut part, parts) = if following.is_ok() { (done, parts) } else { (0, calls) };
                for from in (0..terms).step_by(depth) {
                    let depth = depth.min(terms - from);
                    for panel in (0..channels).step_by(*rows) {
                        let weights = ((group * panels + (first + panel) / rows) * terms + from) * rows;
                        let present = (*rows).min(channels - panel);
                        at[1] = panel;
                        let out = if written { tile.lines(at, [high, present, columns]) } else { None };
                        let call = Product {
                            rows: *rows,
                            weights: &packed[weights..weights + depth * rows],
                            source: &source[first_sample..],
                            pitch,
                            offsets,
                            first: from,
                            terms: depth,
                            out: out.unwrap_or_else(|| Plane::of(sums, CHUNK, present, run).into()),
                            add: from > 0,
                            joined,
                            large: large && written,
                            ahead: ahead.part(part, parts),
                        };
                        part += 1;
                        T::product(*isa, call);
                        if spread {
                            let place = [[row, high], [column, columns]];
                            self.spread(phase, &mut tile, (panel, present), place, (sums, pitch), lines);
                        } else if !written {
                            write(*isa, &mut tile, at, (present, high, columns), sums, pitch);
                        }
                    }
                }
                done += calls;
                at[1] = 0;
                (row, column) = (then_row, then_column);
            }
            index[2 + outer..2 + rank].fill(0);
            advance(&mut index[2..2 + outer], &count[..outer]);
        }
    }

    /// Writes the lines that some channels' results lie in, `high` rows and `wide` columns from a row and a column on, with
    /// the zeros between them; `tile` is a box of all results, of rank 1 or 2.
    fn spread<T: Element>(
        &self,
        phase: &Phase,
        tile: &mut simd::TileMut<'_, T>,
        (channel, channels): (usize, usize),
        [rows, columns]: [[usize; 2]; 2],
        (sums, pitch): (&[T], usize),
        lines: &mut [T],
    ) {
        let rank = phase.len();
        // From where on, and how many: those after the last result belong to it.
        let cut = |axis: Option<usize>, [from, count]: [usize; 2]| {
            let Some(a) = axis else { return (0, 1, 0, 1) };
            let (axis, extent) = (&phase[a], tile.shape()[2 + a]);
            let end = match (extent - axis.first).div_ceil(axis.every) == from + count {
                true => extent,
                false => (from + count) * axis.every,
            };
            (from * axis.every, end - from * axis.every, axis.first, axis.every)
        };
        let (y, height, first, down) = cut(rank.checked_sub(2), rows);
        let (x, width, begin, right) = cut(Some(rank - 1), columns);
        if channel == 0 {
            // The zeros stay where they are for all channels.
            lines.chunks_mut(self.spread).for_each(|lines| lines[..height * width].fill(T::default()));
        }
        let mut at = [0; MAX_AXES];
        if rank > 1 {
            at[rank] = y;
        }
        at[1 + rank] = x;
        // All channels first: what has just been written element by element cannot be read by the register yet.
        for (sums, lines) in sums.chunks(CHUNK).zip(lines.chunks_mut(self.spread)).take(channels) {
            for (row, sums) in sums.chunks(pitch).take(rows[1]).enumerate() {
                let line = &mut lines[(first + row * down) * width + begin..][..(columns[1] - 1) * right + 1];
                if right == 2 {
                    // A step that the compiler knows.
                    let (pairs, last) = line.as_chunks_mut::<2>();
                    pairs.iter_mut().zip(sums).for_each(|(pair, &sum)| *pair = [sum, T::default()]);
                    last.iter_mut().for_each(|y| *y = sums[columns[1] - 1]);
                } else {
                    line.iter_mut().step_by(right).zip(sums).for_each(|(y, &sum)| *y = sum);
                }
            }
        }
        for (m, lines) in lines.chunks(self.spread).enumerate().take(channels) {
            at[1] = channel + m;
            let at = &at[..2 + rank];
            let run = tile.runs(at, 1, height * width).is_some();
            let columns = if run { height * width } else { width };
            let out = if run { tile.runs(at, 1, columns) } else { tile.plane(at, height, columns) };
            if let Some(out) = out {
                let steps = [0, columns, 1];
                T::copy_rows(self.isa, Rows { source: lines, steps, out: out.into(), apart: 1, large: self.large });
            }
        }
    }
}

/// Writes so many channels of so many rows, `pitch` apart, from `index` on.
fn write<T: Element>(
    isa: Isa,
    tile: &mut simd::TileMut<'_, T>,
    index: &[usize],
    (channels, high, wide): (usize, usize, usize),
    sums: &[T],
    pitch: usize,
) {
    let axes = index.len();
    let mut at = [0; MAX_AXES];
    at[..axes].copy_from_slice(index);
    for (m, sums) in sums.chunks(CHUNK).take(channels).enumerate() {
        at[1] = index[1] + m;
        if axes > 3
            && let Some((out, apart)) = tile.apart(&at[..axes], high, wide)
        {
            T::copy_rows(isa, Rows { source: sums, steps: [0, pitch, 1], out: out.into(), apart, large: false });
            continue;
        }
        for (y, row) in sums.chunks(pitch).take(high).enumerate() {
            if axes > 3 {
                at[axes - 2] = index[axes - 2] + y;
            }
            tile.write(&at[..axes], &row[..wide]);
        }
    }
}
