//! The direct sum: a block of the input is gathered once, then every tap reads it where it lies.
//!
//! A block holds, for each channel that is summed over, the samples that a tile of results needs, boundary included.
//! Where the step is larger than one, the samples are sorted by their residue on each axis, so that a tap's samples for
//! consecutive results lie side by side. The product's leaf then reads a tap's samples at an offset; no sample is
//! stored twice. Rows are either computed one by one or, where they are short, in one run over the gaps between them.

mod block;
mod tile;

pub(in crate::algo) use block::PhaseBlock;
use block::{Copied, lies};

use super::block::BlockAxis;
use super::cost::{Costs, Estimate, near, running_sum_error, wide};
use super::gather::Source;
use super::lower::{Lowered, PhaseAxis, tiles};
use super::panels::{Packing, channel_block, pack, packed_step, rows, seconds_of_product, seconds_to_pack, width};
use super::{Call, Execute, Needs, Second};
use crate::element::Element;
use crate::problem::{Layout, Pass, Problem};
use crate::simd::{self, Caches, Isa, Line, Workers};
use crate::view::{MAX_AXES, Strided, View, ViewMut};

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

/// Results of a channel up to which many weights are packed panel by panel: they are summed at once.
const FEW: usize = 256;

/// Of the time that it takes to pack weights far away, to pack them where they are used.
const WITHIN: f64 = 0.25;

/// Channels from which on it is worth it to copy what results share so that its planes begin cache lines: as many are summed,
/// and there are as many results.
const DEEP: usize = 128;
const SHARED: usize = 64;

/// Planes that are copied by one thread at a time.
const PLANES: usize = 32;

/// Bytes of a block that the design aims at: beside it in the second cache lie the weights and the results.
fn block_bytes() -> usize {
    Caches::detect().second / 16 * 7
}

/// Results and the zeros between them for each result, at the most, that are put together before they are written.
const MOST_SPREAD: usize = 4;

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
    /// From one channel to the next of a copy of the source whose planes begin cache lines, where several items share it.
    planes: Option<usize>,
    /// Whether a panel of weights is packed where it is used: once, for there is one tile.
    within: bool,
    needs: Needs,
}

/// The weights of a phase.
#[derive(Clone, Copy)]
enum Weights<'a, T> {
    Packed(&'a [T]),
    Plain(&'a Packing<'a, T>),
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
    let extents = sources(problem);
    let apart = extents.iter().fold(problem.dtype.size(), |n, &extent| n.saturating_mul(extent));
    if lies(phase, &tile, &extents, apart, lowered.inner) {
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
    // Many weights for few results are shared out by channels alone, lest they be read again for every tile.
    let heavy = is_heavy(problem, &tile);
    if results * problem.terms() as f64 * outer as f64 > 1e5 && !heavy {
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

/// Elements from one plane of these extents to the next, all of which begin cache lines: an odd number of lines, lest the
/// planes displace one another.
fn aligned<T>(extents: &[usize]) -> usize {
    let (plane, line) = (extents.iter().product::<usize>(), Line::BYTES / size_of::<T>());
    if plane.is_multiple_of(line) { plane } else { (plane.div_ceil(line) | 1) * line }
}

/// The extents of what a problem's results are sums of.
fn sources(problem: &Problem) -> Vec<usize> {
    let gradient = problem.pass == Pass::InputGradient;
    problem.axes.iter().map(|a| if gradient { a.output } else { a.input }).collect()
}

impl Direct {
    pub(crate) fn new<T: Element>(problem: &Problem, tile: &[usize]) -> Result<Self, String> {
        check_tile(problem, tile)?;
        let lowered = Lowered::new(problem)?;
        let isa = Isa::detect();
        let rows = rows(isa, lowered.outer);
        let (mut channels, lanes) = (lowered.outer, T::lanes(isa));
        let large = is_large::<T>(problem);
        let mut phases = Vec::new();
        let (mut packed, mut block, mut copied, mut planes) = (0usize, 0usize, 0usize, None);
        for (i, phase) in lowered.phases.iter().enumerate() {
            let made = PhaseBlock::new(phase, tile, lowered.inner, packed)?;
            let mut made = made.without_gaps(phase, [lowered.inner, lowered.outer], lanes)?;
            if i == 0 {
                let tiles = phase.iter().zip(&made.block.tile).map(|(a, &n)| a.count.div_ceil(n) as f64);
                let items = tiles.product::<f64>() * (problem.batch * lowered.groups) as f64;
                channels = share_channels(problem, lowered.outer, rows, items);
            }
            let extents = &sources(problem);
            let (apart, dense) = (aligned::<T>(extents), extents.iter().product::<usize>());
            let deep = lowered.inner >= DEEP && lowered.outer >= SHARED && made.taps() == lowered.inner;
            // Once for all items that share the planes, or by each for itself.
            let copies = deep && apart != dense;
            let shared = copies && channels < lowered.outer && lowered.phases.len() == 1;
            made = made.of_source::<T>(phase, extents, lowered.inner, if shared { apart } else { dense });
            if shared {
                planes = made.lying.is_some().then_some(apart);
            } else if copies {
                let all = made.block.tile.iter().product();
                let cut = tile::Lying::new::<T>(&lowered, made.taps(), all, (true, large), width::<T>(isa, rows));
                made = made.copied::<T>([cut.columns.min(all), cut.channels]);
            }
            packed = packed.saturating_add(packed_step(&lowered, made.taps(), rows));
            block = block.max(made.block.channel * lowered.inner);
            copied = copied.max(made.copied.as_ref().map_or(0, Copied::len));
            phases.push(made);
        }
        let one_tile = problem.batch * lowered.groups * phases.len() == 1
            && phases[0].block.tile.iter().zip(&lowered.phases[0]).all(|(&n, axis)| n == axis.count);
        let within = one_tile && lowered.complete && is_heavy(problem, &phases[0].block.tile);
        let panel = if within { rows.saturating_mul(phases[0].taps()) } else { 0 };
        let alone = !lowered.complete && phases.len() == 1 && problem.rank() <= 2;
        let every = if alone { lowered.phases[0].iter().fold(1, |n: usize, a| n.saturating_mul(a.every)) } else { 0 };
        // A row and a column more at the far ends.
        let spread = if every <= MOST_SPREAD { every * 2 * (CHUNK + 1) } else { 0 };
        let needs = Needs {
            packed: Line::holding::<T>(packed),
            shared: Line::holding::<T>(
                planes.unwrap_or(0).saturating_mul(problem.batch * lowered.groups * lowered.inner),
            ),
            worker: Line::holding::<T>(block.saturating_add(lanes))
                + Line::holding::<T>(rows * CHUNK)
                + Line::holding::<T>(copied)
                + Line::holding::<T>(rows * spread)
                + Line::holding::<T>(panel),
        };
        Ok(Self { lowered, isa, rows, channels, phases, large, spread, planes, within, needs })
    }

    pub(crate) fn estimate<T: Element>(costs: &Costs, problem: &Problem, tile: &[usize]) -> Result<Estimate, String> {
        let this = Self::new::<T>(problem, tile)?;
        let lowered = &this.lowered;
        let packing = seconds_to_pack(costs, problem) * if this.within { WITHIN } else { 1.0 };
        let mut seconds = costs.run + packing;
        let lanes = T::lanes(this.isa);
        for (phase, made) in lowered.phases.iter().zip(&this.phases) {
            let (tiles, filled) = tiles(phase, &made.block.tile);
            let items = tiles * (problem.batch * lowered.groups) as f64;
            let blocks = lowered.outer.div_ceil(this.channels) as f64;
            let runs = made.runs(&made.block.tile, lanes);
            let terms = made.taps() as f64;
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

/// Whether the weights, for a tile of so few results, would not stay near until they are read, were they packed as a whole.
fn is_heavy(problem: &Problem, tile: &[usize]) -> bool {
    let bytes = problem.kernel_shape().iter().fold(problem.dtype.size(), |n, &extent| n.saturating_mul(extent));
    !near(bytes as f64) && tile.iter().product::<usize>() <= FEW
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

impl<T: Element> Execute<T> for Direct {
    fn needs(&self) -> Needs {
        self.needs
    }

    fn takes_non_finite(&self) -> bool {
        // A tap outside the data would be multiplied with a zero.
        false
    }

    fn packs_within(&self) -> bool {
        self.within
    }

    fn pack(&self, kernel: View<'_, T>, packed: &mut [Line], workers: &mut Workers<'_>) {
        pack(self.isa, &self.lowered, self.rows, kernel, simd::elements_mut(packed), workers);
    }

    fn run(&self, mut call: Call<'_, '_, T>) {
        let mut source = Source { view: call.first, boundary: self.lowered.boundary };
        let shared = std::mem::take(&mut call.shared);
        if let Some(apart) = self.planes {
            source.view = copy_planes(call.first, apart, simd::elements_mut(shared), call.workers);
        }
        let all = self.lowered.phases.iter().zip(&self.phases);
        let alone = !self.lowered.complete && self.phases.len() == 1;
        if !self.lowered.complete && !alone {
            super::zero(&mut call);
        }
        for (phase, made) in all {
            let packing;
            let weights = match call.second {
                Second::Packed(lines) => Weights::Packed(&simd::elements(lines)[made.packed..]),
                Second::Plain(kernel) => {
                    packing = Packing::new(self.isa, &self.lowered, phase, self.rows, kernel);
                    Weights::Plain(&packing)
                }
            };
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
                        return self.tile(phase, made, &source, weights, (tile, true), scratch);
                    }
                    tile.fill(T::default());
                    if let Some(tile) = tile.every(phase.iter().map(|a| (a.first, a.every))) {
                        self.tile(phase, made, &source, weights, (tile, false), scratch);
                    }
                });
                continue;
            }
            let out = call.out.every(phase.iter().map(|a| (a.first, a.every, a.count)));
            call.workers.tiles(out, &tile[..axes], |tile, scratch| {
                self.tile(phase, made, &source, weights, (tile, false), scratch);
            });
        }
    }
}

/// A copy of an array whose planes are so far apart.
fn copy_planes<'a, T: Element>(
    source: View<'_, T>,
    apart: usize,
    out: &'a mut [T],
    workers: &mut Workers<'_>,
) -> View<'a, T> {
    let shape = source.shape();
    let (batch, channels) = (shape[0], shape[1]);
    let plane: usize = shape[2..].iter().product();
    let copy = &mut out[..batch * channels * apart];
    let rows = Strided::dense(&[batch, channels, apart], Layout::ChannelsFirst);
    workers.tiles(ViewMut { data: &mut *copy, at: rows }, &[1, PLANES, apart], |mut tile, _| {
        let [n, first] = [tile.start()[0], tile.start()[1]];
        for c in 0..tile.shape()[1] {
            source.plane(n, first + c).copy_to(tile.row(&[0, c, 0], plane));
        }
    });
    View { data: copy, at: Strided::dense(shape, Layout::ChannelsFirst).apart(apart) }
}
