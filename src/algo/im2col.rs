//! A matrix product of the weights with patches of the input, which are packed straight into the product's panels.
//!
//! The matrix of patches, a row for every tap of every channel and a column for every result, is never built: a block
//! of some rows by some columns of it is packed at a time, in panels as wide as the product's leaf keeps in registers.

use super::cost::{Costs, Estimate, running_sum_error, wide};
use super::direct::share_channels;
use super::gather::{Source, Span, dense_pitches};
use super::lower::{Lowered, Phase, tiles};
use super::panels::{channel_block, each_tap, pack, packed_step, rows, seconds_of_product, seconds_to_pack, width};
use super::{Call, Execute, Needs};
use crate::element::Element;
use crate::problem::{MAX_RANK, Pass, Problem};
use crate::simd::{self, Ahead, Isa, Line, Offsets, Plane, Product, Workers};
use crate::view::{MAX_AXES, View, advance};

/// Where it is predicted to take as long as the direct sum, it mostly takes longer: of 600 layers and fields, but for those of
/// a microsecond, it was faster four times, by a third at the most.
const DOUBT: f64 = 1.2;

/// Rows of patches that are packed at once: with the columns of the design's block, half a second cache.
const DEPTH: usize = 384;

/// Columns of a block that the design aims at.
const COLUMNS: usize = 288;

/// Channels of a block, at the most: their sums are kept until the last rows have been packed.
const CHANNELS: usize = 256;

#[derive(Debug)]
struct PhasePatches {
    /// For every combination of taps, the source's position for result 0, an axis.
    taps: Vec<[isize; MAX_RANK]>,
    packed: usize,
    tile: Vec<usize>,
}

/// The matrix product for one problem: forward pass or input gradient.
#[derive(Debug)]
pub(crate) struct Im2col {
    lowered: Lowered,
    isa: Isa,
    rows: usize,
    width: usize,
    channels: usize,
    /// Entries of the batch whose results are columns of one block.
    batch: usize,
    phases: Vec<PhasePatches>,
    /// Columns of the widest block, whole panels.
    columns: usize,
    depth: usize,
    /// The offsets of a block's rows in a panel.
    offsets: Offsets,
    needs: Needs,
}

/// The number of results, an axis, of a block of about `block` columns: whole rows where they fit.
pub(super) fn cut(counts: impl DoubleEndedIterator<Item = usize>, block: usize) -> Vec<usize> {
    let mut left = block.max(1);
    let mut tile: Vec<usize> = counts
        .rev()
        .map(|n| {
            let take = n.min(left).max(1);
            // Equal parts rather than a full one and a remainder.
            let take = n.div_ceil(n.div_ceil(take).max(1)).max(1);
            left = if take == n { left / n.max(1) } else { 1 };
            take
        })
        .collect();
    tile.reverse();
    tile
}

/// Refuses a block without columns.
pub(super) fn check_block(block: usize) -> Result<(), String> {
    if block == 0 { Err("its block has no columns".into()) } else { Ok(()) }
}

/// The columns of a block.
pub(crate) fn design(problem: &Problem) -> Result<usize, String> {
    Lowered::new(problem)?;
    // As many results as there are, and enough blocks for many threads.
    let results = problem.operands()[2].iter().skip(2).fold(problem.batch.max(1), |a, &n| a.saturating_mul(n));
    let flops = problem.flops();
    Ok(if flops > 1e6 { COLUMNS.min(results.div_ceil(8).max(48)) } else { COLUMNS })
}

impl Im2col {
    pub(crate) fn new<T: Element>(problem: &Problem, block: usize) -> Result<Self, String> {
        check_block(block)?;
        let lowered = Lowered::new(problem)?;
        let isa = Isa::detect();
        let rows = rows(isa, lowered.outer);
        let width = width::<T>(isa, rows);
        // A block no larger than the results are, nor than its sums can be kept.
        let block = block.min(1 << 20);
        let (mut packed, mut columns, mut batch) = (0usize, 0usize, 1);
        let mut phases = Vec::new();
        for phase in &lowered.phases {
            let tile = cut(phase.iter().map(|a| a.count), block);
            let one: usize = tile.iter().product();
            if lowered.phases.len() == 1 && phase.iter().zip(&tile).all(|(a, &n)| a.count == n) {
                batch = (block / one).clamp(1, problem.batch.max(1));
            }
            columns = columns.max((one * batch).next_multiple_of(width));
            let taps = each_tap(phase, |taps| std::array::from_fn(|a| taps.get(a).map_or(0, |t| t.offset)));
            let terms = lowered.inner.saturating_mul(taps.len());
            phases.push(PhasePatches { taps, packed, tile });
            packed = packed.saturating_add(packed_step(&lowered, terms, rows));
        }
        let terms = phases.iter().map(|p| p.taps.len() * lowered.inner).max().unwrap_or(1);
        let depth = terms.min(DEPTH);
        let offsets = Offsets::new((0..depth).map(|k| k * width).collect());
        let tiles = lowered.phases.first().zip(phases.first()).map_or(1.0, |(phase, made)| {
            phase.iter().zip(&made.tile).map(|(a, &n)| a.count.div_ceil(n) as f64).product()
        });
        let items = tiles * (problem.batch.div_ceil(batch) * lowered.groups) as f64;
        let channels = share_channels(problem, lowered.outer, rows, items);
        let channels = channel_block(lowered.groups, lowered.outer, rows, CHANNELS.min(channels));
        let sums = channels.next_multiple_of(rows).saturating_mul(columns);
        let needs = Needs {
            packed: Line::holding::<T>(packed),
            shared: 0,
            worker: Line::holding::<T>(depth.saturating_mul(columns))
                + Line::holding::<T>(columns)
                + Line::holding::<T>(sums),
        };
        Ok(Self { lowered, isa, rows, width, channels, batch, phases, columns, depth, offsets, needs })
    }

    pub(crate) fn estimate<T: Element>(costs: &Costs, problem: &Problem, block: usize) -> Result<Estimate, String> {
        let this = Self::new::<T>(problem, block)?;
        let lowered = &this.lowered;
        let mut seconds = costs.run + seconds_to_pack(costs, problem);
        for (phase, made) in lowered.phases.iter().zip(&this.phases) {
            let (tiles, filled) = tiles(phase, &made.tile);
            let entries = problem.batch as f64 / this.batch as f64;
            let items = tiles * entries.ceil() * lowered.groups as f64;
            let filled = filled * entries / entries.ceil().max(1.0);
            let one: usize = made.tile.iter().product();
            let columns = one * this.batch;
            let terms = (made.taps.len() * lowered.inner) as f64;
            let blocks = lowered.outer.div_ceil(this.channels) as f64;
            let passes = (terms / this.depth as f64).ceil();
            let panel = seconds_of_product::<T>(costs, (this.isa, this.rows), columns, terms, passes);
            let sample = if phase.last().is_none_or(|a| a.step == 1) { costs.patch_copy } else { costs.patch_apart };
            let rows = (one / made.tile.last().copied().unwrap_or(1).max(1)) as f64 * this.batch as f64;
            let gathered = terms
                * (this.batch as f64 * costs.patch + columns as f64 * sample * wide::<T>() + rows * costs.copy_row);
            let results = columns as f64 * lowered.outer as f64 * costs.copy * wide::<T>();
            let panels = lowered.outer.div_ceil(this.rows) as f64;
            seconds += items * (filled * (panels * panel + blocks * gathered + results) + blocks * costs.item);
        }
        if problem.pass != Pass::WeightGradient {
            seconds *= DOUBT;
        }
        Ok(Estimate { seconds, needs: this.needs, error: running_sum_error(problem) })
    }
}

impl<T: Element> Execute<T> for Im2col {
    fn needs(&self) -> Needs {
        self.needs
    }

    fn takes_non_finite(&self) -> bool {
        // A tap outside the data would be multiplied with a zero.
        false
    }

    fn pack(&self, kernel: View<'_, T>, packed: &mut [Line], workers: &mut Workers<'_>) {
        pack(self.isa, &self.lowered, self.rows, kernel, simd::elements_mut(packed), workers);
    }

    fn run(&self, mut call: Call<'_, '_, T>) {
        if !self.lowered.complete {
            super::zero(&mut call);
        }
        let source = Source { view: call.first, boundary: self.lowered.boundary };
        let packed: &[T] = simd::elements(call.second.packed());
        for (phase, made) in self.lowered.phases.iter().zip(&self.phases) {
            let out = call.out.every(phase.iter().map(|a| (a.first, a.every, a.count)));
            let mut tile = [1; MAX_AXES];
            (tile[0], tile[1]) = (self.batch, self.channels);
            tile[2..2 + phase.len()].copy_from_slice(&made.tile);
            let packed = &packed[made.packed..];
            call.workers.tiles(out, &tile[..2 + phase.len()], |tile, scratch| {
                self.tile(phase, made, &source, packed, tile, scratch);
            });
        }
    }
}

impl Im2col {
    fn tile<T: Element>(
        &self,
        phase: &Phase,
        made: &PhasePatches,
        source: &Source<'_, T>,
        packed: &[T],
        mut tile: simd::TileMut<'_, T>,
        mut scratch: &mut [Line],
    ) {
        let Self { lowered, rows, width, isa, .. } = self;
        let rank = phase.len();
        let patches = simd::split::<T>(&mut scratch, self.depth * self.columns);
        let row = simd::split::<T>(&mut scratch, self.columns);
        let sums = simd::split::<T>(&mut scratch, self.channels.next_multiple_of(*rows) * self.columns);
        let (batch, channel) = (tile.start()[0], tile.start()[1]);
        let (entries, channels) = (tile.shape()[0], tile.shape()[1]);
        let (group, first) = (channel / lowered.outer, channel % lowered.outer);
        let mut start = [0; MAX_RANK];
        start[..rank].copy_from_slice(&tile.start()[2..]);
        let mut count = [1; MAX_RANK];
        count[..rank].copy_from_slice(&tile.shape()[2..]);
        let one: usize = count[..rank].iter().product();
        let columns = one * entries;
        let pitches = dense_pitches(&count[..rank]);
        let taps = made.taps.len();
        let terms = lowered.inner * taps;
        let panels = lowered.outer.div_ceil(*rows);
        // Where the results of a channel are one run, they are written where they belong.
        let run = if entries == 1 { tile.runs(&[0; MAX_AXES][..2 + rank], channels, columns) } else { None };
        let in_place = run.is_some();
        let mut out = run.unwrap_or_else(|| Plane::of(sums, self.columns, channels, columns));
        for from in (0..terms).step_by(self.depth) {
            let depth = self.depth.min(terms - from);
            for k in 0..depth {
                let (c, tap) = ((from + k) / taps, &made.taps[(from + k) % taps]);
                let spans: [Span; MAX_RANK] = std::array::from_fn(|a| {
                    let step = phase.get(a).map_or(1, |p| p.step);
                    Span { start: (start[a] * step) as isize + tap[a], step, count: count[a], pitch: pitches[a] }
                });
                for (n, part) in row[..columns].chunks_exact_mut(one).enumerate() {
                    let at = (batch + n, group * lowered.inner + c, 1);
                    source.copy(*isa, at, &spans[..rank], (part, one), false);
                }
                for (p, part) in row[..columns.next_multiple_of(*width)].chunks_exact(*width).enumerate() {
                    patches[(p * self.depth + k) * width..][..*width].copy_from_slice(part);
                }
            }
            for channel in (0..channels).step_by(*rows) {
                let weights = (group * panels + (first + channel) / rows) * terms * rows + from * rows;
                for at in (0..columns).step_by(*width) {
                    let (present, used) = ((*rows).min(channels - channel), (columns - at).min(*width));
                    T::product(
                        *isa,
                        Product {
                            rows: *rows,
                            weights: &packed[weights..weights + depth * rows],
                            source: &patches[at * self.depth..],
                            offsets: &self.offsets,
                            pitch: 0,
                            first: 0,
                            terms: depth,
                            out: out.part([channel, at], [present, used]).into(),
                            add: from > 0,
                            joined: false,
                            large: false,
                            ahead: Ahead::nothing(),
                        },
                    );
                }
            }
        }
        if in_place {
            return;
        }
        let mut index = [0; MAX_AXES];
        let last = count[rank - 1];
        for channel in 0..channels {
            let mut from = channel * self.columns;
            for n in 0..entries {
                (index[0], index[1]) = (n, channel);
                for _ in 0..one / last {
                    tile.write(&index[..2 + rank], &sums[from..from + last]);
                    from += last;
                    advance(&mut index[2..1 + rank], &count[..rank - 1]);
                }
            }
        }
    }
}
