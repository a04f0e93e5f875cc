//! Forward passes and input gradients.

use super::axes::{self, Frequencies, RANK};
use super::design::transform;
use super::geometry::{self, Ahead, Axis, Block, Blocks, Dims, Extent, stage};
use super::kernels::{Panels, Weights, odd_step};
use crate::algo::cost::{Costs, multiply_adds, near};
use crate::algo::gather::Source;
use crate::algo::lower::Lowered;
use crate::algo::{Call, Execute, Needs, Second};
use crate::element::Element;
use crate::problem::Problem;
use crate::reference::Terms;
use crate::simd::{self, Caches, Far, Interleave, Isa, Line, Map, Outer, Rows, TileMut, Workers};
use crate::view::{MAX_AXES, Strided, View, ViewMut, advance};

/// Bytes of the kernel's values beyond which all the samples' are made first where there are up to so many tiles, and
/// the kernel's where they are used.
const MANY: usize = 1 << 20;
const FEW: usize = 96;

/// Tiles up to which the kernel's values are of so little use that what they cost is to be written and read. They are made
/// in pieces that stay in the second cache then.
const SCARCE: usize = 12;

/// Tiles of a block, times frequencies.
const TILES: usize = 48 * 36;

/// Winograd's algorithm for one problem: forward pass or input gradient.
#[derive(Debug)]
pub(crate) struct Forward {
    problem: Problem,
    /// How the plain kernel lies among what is packed.
    kernel: Strided,
    lowered: Lowered,
    pub(super) axes: Vec<Axis>,
    isa: Isa,
    lanes: usize,
    /// Inner channels, whole registers.
    padded: usize,
    pub(super) panels: Panels,
    pub(super) blocks: Blocks,
    /// Whether all tiles are transformed before the first is multiplied, and the kernel panel by panel, where it is used.
    /// Prepared, its weights are gathered only: there are fewer of them than of their values.
    pub(super) first: bool,
    needs: Needs,
}

/// What the work of one run looks at.
struct Run<'a, T: Element> {
    forward: &'a Forward,
    source: Source<'a, T>,
    terms: Terms<'a, T>,
}

impl Forward {
    pub(crate) fn new<T: Element>(problem: &Problem, tile: &[usize]) -> Result<Self, String> {
        let (lowered, axes) = geometry::axes(problem, tile)?;
        if lowered.inner == 0 {
            return Err("it has nothing to sum".into());
        }
        let isa = Isa::detect();
        let lanes = T::lanes(isa);
        let padded = lowered.inner.next_multiple_of(lanes);
        let mut panels = Panels::new::<T>(isa, &lowered, &axes);
        let all = geometry::all_tiles(problem, &axes);
        let bytes = |elements: usize| elements.saturating_mul(size_of::<T>());
        let kernels = bytes(panels.len().saturating_mul(panels.count()));
        let first = lowered.groups == 1 && kernels > MANY && all.count() <= FEW;
        if first && all.count() <= SCARCE {
            let channel = bytes(panels.frequencies.saturating_mul(panels.width));
            panels = panels.cut(Caches::detect().second * 5 / 8 / channel.max(1));
        }
        let blocks = Blocks { all, each: extent(all, tiles_of_block(all, panels.frequencies)) };
        let mut this = Self {
            problem: problem.clone(),
            kernel: Strided::dense(&problem.kernel_shape(), Default::default()),
            lowered,
            axes,
            isa,
            lanes,
            padded,
            panels,
            blocks,
            first,
            needs: Needs::default(),
        };
        this.needs = this.memory::<T>();
        Ok(this)
    }

    /// Terms of the sums between the transforms.
    pub(super) fn terms(&self) -> usize {
        self.lowered.inner
    }

    /// Predicted, of a run on one thread.
    pub(super) fn seconds<T: Element>(&self, costs: &Costs) -> f64 {
        let Self { lowered, panels, blocks, lanes, padded, .. } = self;
        let (tiles, frequencies) = (blocks.all.count() as f64, panels.frequencies as f64);
        // Registers of channels.
        let [outer, padded] = [lowered.outer.div_ceil(*lanes), padded / lanes].map(|n| n as f64);
        let inner = lowered.inner as f64;
        let taps: usize = self.axes.iter().map(|a| a.taps.len()).product();
        let staged = (self.data(blocks.each).positions() * blocks.count() * blocks.each.batch) as f64;
        let written = (self.results(blocks.each).positions() * blocks.count() * blocks.each.batch) as f64;
        let values = frequencies * inner * outer;
        let far = values * (lanes * size_of::<T>()) as f64;
        // Short rows of a block's tiles, each of which costs a call.
        let calls = blocks.count() as f64 * blocks.each.batch as f64 * (padded + outer);
        let again = if self.first || near(far) { 1.0 } else { blocks.count() as f64 };
        let product = inner * costs.winograd_fma * multiply_adds::<T>() + costs.winograd_end;
        costs.run
            + lowered.groups as f64
                * (tiles * frequencies * outer * product
                    + (tiles * frequencies * (padded + outer) + values) * transform(costs, &self.axes)
                    + (staged * padded + written * outer) * costs.winograd_copy
                    + inner * lowered.outer as f64 * taps as f64 * costs.winograd_tap
                    + far * again * costs.fetch
                    + calls * costs.winograd_block)
    }

    fn memory<T: Element>(&self) -> Needs {
        let lines = Line::holding::<T>;
        let panels = match self.first {
            true => self.panels.gathered_len(&self.axes).saturating_mul(self.panels.counts()[0]),
            false => self.panels.len().saturating_mul(self.panels.count()).saturating_mul(self.lowered.groups),
        };
        let block = self.blocks.each;
        let samples = lines(self.samples_len(block));
        let within = if self.first { lines(self.panels.len()) } else { 0 };
        let made = self.panels.scratch::<T>(&self.axes);
        let [staged, positions] = [self.data(block), self.results(block)].map(|d| lines(d.positions() * self.lanes));
        let between = self.between(block) * self.lanes;
        Needs {
            packed: lines(self.kernel.elements()).saturating_add(lines(panels)),
            shared: if self.first { samples.saturating_mul(self.blocks.count()) } else { 0 },
            worker: samples
                + within
                + made
                + lines(self.products_len(block).saturating_mul(self.products_kept()))
                + 2 * (staged + positions)
                + lines(between),
        }
    }

    /// Elements from one frequency of a block's samples to the next, and of all of them.
    fn samples_step(&self, block: Extent) -> usize {
        odd_step(block.count().saturating_mul(self.padded), self.lanes)
    }

    fn samples_len(&self, block: Extent) -> usize {
        self.samples_step(block).saturating_mul(self.panels.frequencies)
    }

    fn products_step(&self, block: Extent) -> usize {
        odd_step(block.count() * self.panels.width, self.lanes)
    }

    fn products_len(&self, block: Extent) -> usize {
        self.products_step(block) * self.panels.frequencies
    }

    /// Blocks whose products are kept at a time: all, where they are summed piece by piece.
    fn products_kept(&self) -> usize {
        if self.panels.counts()[1] > 1 { self.blocks.count() } else { 1 }
    }

    fn data(&self, block: Extent) -> Dims {
        Dims::new(&self.axes, &block.tiles, |_| Map::Data)
    }

    fn results(&self, block: Extent) -> Dims {
        Dims::new(&self.axes, &block.tiles, |axis| Map::Result(axis.tile))
    }

    /// Registers between the axes.
    fn between(&self, block: Extent) -> usize {
        axes::scratch(self.data(block).as_slice()).max(axes::scratch(self.results(block).as_slice()))
    }

    fn panels<'a, T: Element>(&self, packed: &'a [Line]) -> (View<'a, T>, &'a [T]) {
        let (plain, panels) = packed.split_at(Line::holding::<T>(self.kernel.elements()));
        (View { data: &simd::elements(plain)[..self.kernel.elements()], at: self.kernel }, simd::elements(panels))
    }
}

/// Tiles of a block: so many that what is read of the kernel serves them all, and so few that their frequencies stay
/// near and that there are enough blocks for some threads.
pub(super) fn tiles_of_block(all: Extent, frequencies: usize) -> usize {
    (TILES / frequencies).min(all.count() / 6).clamp(14, 128)
}

/// The extent of blocks of about so many tiles: whole rows where they fit, equal parts where not.
pub(super) fn extent(all: Extent, target: usize) -> Extent {
    let mut left = target;
    let mut take = |n: usize| {
        let most = n.min(left).max(1);
        let each = n.div_ceil(n.div_ceil(most).max(1)).max(1);
        left = if each == n { left / n.max(1) } else { 1 };
        each
    };
    let mut tiles = [1; RANK];
    for a in (0..RANK).rev() {
        tiles[a] = take(all.tiles[a]);
    }
    Extent { batch: take(all.batch), tiles }
}

impl<T: Element> Execute<T> for Forward {
    fn needs(&self) -> Needs {
        self.needs
    }

    fn takes_non_finite(&self) -> bool {
        false
    }

    fn packs_within(&self) -> bool {
        self.first
    }

    fn pack(&self, kernel: View<'_, T>, packed: &mut [Line], workers: &mut Workers<'_>) {
        let (plain, panels) = packed.split_at_mut(Line::holding::<T>(self.kernel.elements()));
        let plain = &mut simd::elements_mut(plain)[..self.kernel.elements()];
        if kernel.at.strides() == self.kernel.strides() {
            plain.copy_from_slice(&kernel.data[kernel.at.offset()..][..plain.len()]);
        } else {
            kernel.copy_to(plain);
        }
        let (count, length) = match self.first {
            true => (self.panels.counts()[0], self.panels.gathered_len(&self.axes)),
            false => (self.panels.count(), self.panels.len()),
        };
        let at = Strided::dense(&[self.lowered.groups, count, length], Default::default());
        let panels = &mut simd::elements_mut(panels)[..at.elements()];
        workers.tiles(ViewMut { data: panels, at }, &[1, 1, length], |mut tile, scratch| {
            let (group, panel) = (tile.start()[0], tile.start()[1]);
            let (lowered, axes, out) = (&self.lowered, &self.axes, tile.row(&[0; 3], length));
            if self.first {
                self.panels.gather_panel(lowered, axes, kernel, (group, panel), out);
            } else {
                self.panels.make(lowered, axes, Weights::Plain(kernel), (group, panel, 0), out, scratch);
            }
        });
    }

    fn run(&self, call: Call<'_, '_, T>) {
        let Call { first, second, out, mut shared, workers } = call;
        let (kernel, panels) = match second {
            Second::Plain(view) => (view, None),
            Second::Packed(lines) => {
                let (view, panels) = self.panels::<T>(lines);
                (view, Some(panels))
            }
        };
        let run = Run {
            forward: self,
            source: Source { view: first, boundary: self.lowered.boundary },
            terms: Terms::new(&self.problem, first, kernel),
        };
        let rank = self.axes.len();
        let (each, length) = (self.blocks.each, self.panels.len());
        let mut tile = [1; MAX_AXES];
        if !self.first {
            (tile[0], tile[1]) = (each.batch, self.lowered.outer);
            for (a, axis) in self.axes.iter().enumerate() {
                tile[2 + a] = each.tiles[a] * axis.tile;
            }
            let panels = panels.unwrap_or_default();
            return workers.tiles(out, &tile[..2 + rank], |mut out, mut scratch| {
                let block = self.block(&out);
                let group = out.start()[1] / self.lowered.outer;
                let samples = simd::split::<T>(&mut scratch, self.samples_len(block.extent));
                run.transform(&block, group, samples, scratch);
                let (count, mut next) = (self.panels.count(), run.ahead(&block, group));
                let products = simd::split::<T>(&mut scratch, self.products_len(block.extent));
                for panel in 0..count {
                    let values = &panels[(group * count + panel) * length..][..length];
                    let ahead = next.as_mut().map(|next| (next, count));
                    run.multiply(&block, (panel, 0), samples, values, products, ahead);
                    run.finish(&block, panel, products, &mut out, (0, panel * self.panels.width), scratch);
                }
            });
        }
        let samples = self.samples_len(each);
        let length_of = Line::holding::<T>(samples) * Line::BYTES / size_of::<T>();
        let room = simd::split::<T>(&mut shared, self.blocks.count() * length_of);
        let at = Strided::dense(&[self.blocks.count(), length_of], Default::default());
        workers.tiles(ViewMut { data: &mut *room, at }, &[1, length_of], |mut tile, scratch| {
            let block = self.blocks.get(tile.start()[0]);
            run.transform(&block, 0, tile.row(&[0, 0], samples), scratch);
        });
        let room = &*room;
        (tile[0], tile[1]) = (self.problem.batch, self.panels.width);
        tile[2..2 + rank].fill(usize::MAX);
        workers.tiles(out, &tile[..2 + rank], |mut out, mut scratch| {
            let panel = out.start()[1] / self.panels.width;
            let [_, pieces] = self.panels.counts();
            let values = simd::split::<T>(&mut scratch, length);
            let weights = match panels {
                Some(panels) => Weights::Gathered(&panels[panel * self.panels.gathered_len(&self.axes)..]),
                None => Weights::Plain(kernel),
            };
            let each = self.products_len(self.blocks.each);
            let products = simd::split::<T>(&mut scratch, each * self.products_kept());
            for piece in 0..pieces {
                self.panels.make(&self.lowered, &self.axes, weights, (0, panel, piece), values, scratch);
                for index in 0..self.blocks.count() {
                    let block = self.blocks.get(index);
                    let samples = &room[index * length_of..][..samples];
                    let products = &mut products[index % self.products_kept() * each..][..each];
                    run.multiply(&block, (panel, piece), samples, values, products, None);
                    if piece + 1 == pieces {
                        run.finish(&block, panel, products, &mut out, (block.entry, 0), scratch);
                    }
                }
            }
        });
    }
}

impl Forward {
    /// Where the samples of a block begin.
    fn start(&self, block: &Block) -> [isize; RANK] {
        let of = |a: usize, axis: &Axis| (block.start[a] * axis.tile) as isize + axis.offset;
        std::array::from_fn(|a| self.axes.get(a).map_or(0, |axis| of(a, axis)))
    }

    /// The tiles that a box of the result is made of.
    fn block<T: Copy>(&self, out: &TileMut<'_, T>) -> Block {
        let (mut start, mut tiles) = ([0; RANK], [1; RANK]);
        for (a, axis) in self.axes.iter().enumerate() {
            start[a] = out.start()[2 + a] / axis.tile;
            tiles[a] = out.shape()[2 + a].div_ceil(axis.tile);
        }
        Block { entry: out.start()[0], start, extent: Extent { batch: out.shape()[0], tiles } }
    }
}

impl Forward {
    /// Where a block begins in a box of the result, and how much of it there is.
    fn within<T: Copy>(&self, block: &Block, out: &TileMut<'_, T>) -> ([usize; RANK], [usize; RANK]) {
        let (mut start, mut counts) = ([0; RANK], [1; RANK]);
        for (a, axis) in self.axes.iter().enumerate() {
            start[a] = block.start[a] * axis.tile - out.start()[2 + a];
            counts[a] = (block.extent.tiles[a] * axis.tile).min(out.shape()[2 + a] - start[a]);
        }
        (start, counts)
    }
}

impl<T: Element> Run<'_, T> {
    /// The values at the points of all samples of a block.
    fn transform(&self, block: &Block, group: usize, samples: &mut [T], mut scratch: &mut [Line]) {
        let Forward { lowered, isa, lanes, padded, .. } = self.forward;
        let dims = self.forward.data(block.extent);
        let length = dims.positions() * lanes;
        let staged = simd::split::<T>(&mut scratch, length);
        let rows = simd::split::<T>(&mut scratch, length);
        let between = simd::split::<T>(&mut scratch, self.forward.between(block.extent) * lanes);
        let start = self.forward.start(block);
        let at = Frequencies { step: self.forward.samples_step(block.extent), tile: *padded };
        let tiles = block.extent.count() / block.extent.batch;
        for n in 0..block.extent.batch {
            for channel in (0..lowered.inner).step_by(*lanes) {
                let from = (block.entry + n, group * lowered.inner + channel, (*lanes).min(lowered.inner - channel));
                stage(*isa, &self.source, from, dims.as_slice(), &start, |x| x, staged, rows);
                let out = &mut samples[n * tiles * padded + channel..];
                axes::forth(*isa, dims.as_slice(), staged, out, at, between);
            }
        }
    }

    /// What the next block will read.
    fn ahead(&self, block: &Block, group: usize) -> Option<Ahead<'_, T>> {
        let Forward { lowered, blocks, axes, .. } = self.forward;
        let block = blocks.next(block)?;
        let start = self.forward.start(&block);
        let dims = self.forward.data(block.extent);
        let first = [block.entry, group * lowered.inner];
        let counts = [block.extent.batch, lowered.inner];
        Some(Ahead::new(self.source, dims.as_slice(), &start[..axes.len()], first, counts))
    }

    /// Adds the products of a block with a piece of a panel.
    fn multiply(
        &self,
        block: &Block,
        (panel, piece): (usize, usize),
        samples: &[T],
        values: &[T],
        products: &mut [T],
        mut ahead: Option<(&mut Ahead<'_, T>, usize)>,
    ) {
        let Forward { isa, padded, panels, .. } = self.forward;
        let extent = block.extent;
        let [step, from] = [self.forward.products_step(extent), self.forward.samples_step(extent)];
        let (columns, channels) = (panels.columns(panel), panels.channels(piece));
        for f in 0..panels.frequencies {
            for strip in (0..columns).step_by(panels.strip) {
                T::outer(
                    *isa,
                    Outer {
                        rows: extent.count(),
                        columns: panels.strip.min(columns - strip),
                        terms: channels.len(),
                        weights: &samples[f * from + channels.start..],
                        steps: [*padded, 1],
                        source: &values[f * panels.step + strip * panels.piece..],
                        pitch: panels.strip,
                        out: &mut products[f * step..][strip..step],
                        out_pitch: panels.width,
                        add: piece > 0,
                    },
                );
            }
            if let Some((ahead, count)) = &mut ahead {
                ahead.advance(panel * panels.frequencies + f + 1, *count * panels.frequencies);
            }
        }
    }

    /// Writes the results of a block and a panel, from `(entry, channel)` of `out` on.
    fn finish(
        &self,
        block: &Block,
        panel: usize,
        products: &[T],
        out: &mut TileMut<'_, T>,
        (entry, channel): (usize, usize),
        mut scratch: &mut [Line],
    ) {
        let Forward { lowered, isa, lanes, panels, .. } = self.forward;
        let (extent, columns) = (block.extent, panels.columns(panel));
        let step = self.forward.products_step(extent);
        let dims = self.forward.results(extent);
        let results = simd::split::<T>(&mut scratch, dims.positions() * lanes);
        let rows = simd::split::<T>(&mut scratch, dims.positions() * lanes);
        let between = simd::split::<T>(&mut scratch, self.forward.between(extent) * lanes);
        let at = Frequencies { step, tile: panels.width };
        let tiles = extent.count() / extent.batch;
        for n in 0..extent.batch {
            for column in (0..columns).step_by(*lanes) {
                let present = (*lanes).min(lowered.outer - panel * panels.width - column);
                let from = &products[n * tiles * panels.width + column..];
                let finite = axes::back(*isa, dims.as_slice(), from, at, results, between);
                if finite && self.write_pixels(block, out, (entry + n, channel + column, present), results) {
                    continue;
                }
                let positions = dims.positions();
                let source = &results[..positions * lanes];
                T::interleave(
                    *isa,
                    Interleave {
                        source,
                        stride: *lanes,
                        rows: positions,
                        columns: *lanes,
                        out: rows,
                        pitch: positions,
                    },
                );
                self.write(block, out, (entry + n, channel + column, present), rows, finite);
            }
        }
    }

    /// Writes the results of some channels of one batch entry where those of a pixel belong one behind the other. False
    /// where they do not.
    fn write_pixels(
        &self,
        block: &Block,
        out: &mut TileMut<'_, T>,
        (entry, channel, present): (usize, usize, usize),
        results: &[T],
    ) -> bool {
        let Forward { axes, isa, lanes, .. } = self.forward;
        let rank = axes.len();
        let dims = self.forward.results(block.extent);
        let (start, counts) = self.forward.within(block, out);
        let mut at = [0; RANK];
        for _ in 0..counts[..rank - 1].iter().product() {
            let mut index = [0; MAX_AXES];
            (index[0], index[1]) = (entry, channel);
            let mut from = 0;
            for (a, dim) in dims.as_slice().iter().enumerate() {
                index[2 + a] = start[a] + at[a];
                from = from * dim.positions + at[a];
            }
            let Some(out) = out.pixels(&index[..2 + rank], counts[rank - 1], present) else { return false };
            T::copy_rows(
                *isa,
                Rows {
                    source: &results[from * lanes..],
                    steps: [0, *lanes, 1],
                    out: out.into(),
                    apart: 1,
                    far: Far::Source,
                },
            );
            advance(&mut at[..rank - 1], &counts[..rank - 1]);
        }
        true
    }

    /// Writes the results of some channels of one batch entry, whatever they are.
    fn write(
        &self,
        block: &Block,
        out: &mut TileMut<'_, T>,
        (entry, channel, present): (usize, usize, usize),
        rows: &[T],
        finite: bool,
    ) {
        let rank = self.forward.axes.len();
        let dims = self.forward.results(block.extent);
        let dims = dims.as_slice();
        let (start, counts) = self.forward.within(block, out);
        let positions: usize = dims.iter().map(|d| d.positions).product();
        let mut global = [0; MAX_AXES];
        for (c, row) in rows.chunks_exact(positions).take(present).enumerate() {
            let mut at = [0; RANK];
            for _ in 0..counts[..rank - 1].iter().product() {
                let mut index = [0; MAX_AXES];
                (index[0], index[1]) = (entry, channel + c);
                let mut from = 0;
                for a in 0..rank {
                    index[2 + a] = start[a] + at[a];
                    from = from * dims[a].positions + at[a];
                }
                let row = &row[from..][..counts[rank - 1]];
                if finite {
                    out.write(&index[..2 + rank], row);
                } else {
                    for a in 0..2 + rank {
                        global[a] = out.start()[a] + index[a];
                    }
                    // What is not finite, or has only overflowed on the way here, the definition tells.
                    out.write_with(&index[..2 + rank], row.len(), |i| {
                        if row[i].is_finite() {
                            return row[i];
                        }
                        let mut global = global;
                        global[1 + rank] += i;
                        self.terms.sum(&global[..2 + rank])
                    });
                }
                advance(&mut at[..rank - 1], &counts[..rank - 1]);
            }
        }
    }
}
