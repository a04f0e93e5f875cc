//! One tile of results.

use super::super::gather::Source;
use super::super::lower::{Lowered, Phase};
use super::super::panels::width;
use super::block::{Copied, PhaseBlock};
use super::{CHUNK, DEPTH, Direct, LARGE_DEPTH, Weights, block_bytes};
use crate::element::Element;
use crate::problem::MAX_RANK;
use crate::simd::{self, Ahead, Far, Isa, Line, Plane, Product, Rows};
use crate::view::{MAX_AXES, advance};

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

/// What is computed at a time of a source that is read where it lies: as many columns as stay in the second cache with as
/// many channels, and the next as well.
pub(super) struct Lying {
    pub(super) columns: usize,
    pub(super) channels: usize,
}

impl Lying {
    /// For so many columns in all, whose sums may be `written` to the result, which may be more than caches hold.
    pub(super) fn new<T: Element>(
        lowered: &Lowered,
        terms: usize,
        all: usize,
        (written, large): (bool, bool),
        unit: usize,
    ) -> Self {
        let most = if large { LARGE_DEPTH } else { DEPTH };
        let some = if written { (most * lowered.inner / terms).max(1) } else { lowered.inner };
        let channels = lowered.inner.min(some);
        let columns = |bytes: usize| (bytes / size_of::<T>() / channels / unit * unit).clamp(48, CHUNK);
        // All of a small image at once: else the weights would be read again for every part of it.
        let small = all <= columns(block_bytes()) || !written;
        Self { columns: columns(block_bytes() / if small { 1 } else { 2 }), channels }
    }
}

impl Direct {
    /// Computes a tile of a phase's results. Where it is `spread`, it is a box of all results, zeros between the phase's
    /// included.
    pub(super) fn tile<T: Element>(
        &self,
        phase: &Phase,
        made: &PhaseBlock,
        source: &Source<'_, T>,
        weights: Weights<'_, T>,
        (mut tile, spread): (simd::TileMut<'_, T>, bool),
        mut scratch: &mut [Line],
    ) {
        let Self { lowered, rows, isa, large, .. } = self;
        let (rank, large) = (phase.len(), *large);
        let (lanes, unit) = (T::lanes(*isa), width::<T>(*isa, *rows));
        let block = simd::split::<T>(&mut scratch, made.block.channel * lowered.inner + lanes);
        let sums = simd::split::<T>(&mut scratch, rows * CHUNK);
        let lines = simd::split::<T>(&mut scratch, rows * self.spread);
        let copy = simd::split::<T>(&mut scratch, made.copied.as_ref().map_or(0, Copied::len));
        let terms = made.taps();
        let packed_here = simd::split::<T>(&mut scratch, if self.within { rows * terms } else { 0 });
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
        let (panels, channels) = (lowered.outer.div_ceil(*rows), tile.shape()[1]);
        let written = !spread && tile.lines(&[0; MAX_AXES][..2 + rank], [1, 1, count[rank - 1]]).is_some();
        // Where the next tile begins that is read where it lies, or all that is gathered for it.
        let (source, offsets, chunk, depth, following) = match made.in_place(source, here, &start[..rank], count) {
            Some((lying, offsets)) => {
                let unit = if written { unit } else { lanes };
                let Lying { columns, channels } =
                    Lying::new::<T>(lowered, terms, count.iter().product(), (written && !self.within, large), unit);
                let next = next.and_then(|(at, start)| made.in_place(source, at, &start[..rank], count));
                (lying, offsets, columns, channels * terms / lowered.inner, Err(next.map(|(samples, _)| samples)))
            }
            None => {
                let at = |(n, c)| (n, c, lowered.inner);
                made.block.gather(*isa, source, phase, at(here), [&start[..rank], count], block, false);
                let ahead =
                    next.map(|(then, start)| made.block.ahead(source, phase, at(then), [&start[..rank], count]));
                (&*block, made.offsets(), CHUNK, terms, Ok(ahead.unwrap_or_else(Ahead::nothing)))
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
        let chunk = even(wide, chunk, unit);
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
                let copied = made.copied.as_ref().filter(|c| written && high == 1 && run <= c.pitch);
                for from in (0..terms).step_by(depth) {
                    let depth = depth.min(terms - from);
                    let (source, offsets, begin) = match copied {
                        Some(Copied { pitch, offsets: copied }) if following.is_err() => {
                            let rows = offsets.as_slice()[from..from + depth].iter().map(|at| first_sample + at);
                            for (row, at) in copy.chunks_mut(*pitch).zip(rows) {
                                row[..run].copy_from_slice(&source[at..at + run]);
                            }
                            (&*copy, copied, 0)
                        }
                        _ => (&source[first_sample..], offsets, from),
                    };
                    for panel in (0..channels).step_by(*rows) {
                        let index = (first + panel) / rows;
                        let weights = match weights {
                            Weights::Packed(packed) => {
                                let first = ((group * panels + index) * terms + from) * rows;
                                &packed[first..first + depth * rows]
                            }
                            Weights::Plain(packing) => {
                                packing.panel(group, index, packed_here);
                                &packed_here[from * rows..][..depth * rows]
                            }
                        };
                        let present = (*rows).min(channels - panel);
                        at[1] = panel;
                        let out = if written { tile.lines(at, [high, present, columns]) } else { None };
                        let call = Product {
                            rows: *rows,
                            weights,
                            source,
                            pitch,
                            offsets,
                            first: begin,
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
                let far = if self.large { Far::Large } else { Far::Source };
                T::copy_rows(self.isa, Rows { source: lines, steps, out: out.into(), apart: 1, far });
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
            T::copy_rows(isa, Rows { source: sums, steps: [0, pitch, 1], out: out.into(), apart, far: Far::Source });
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
