//! The kernel's values at the points, in panels as wide as the product's leaf keeps in registers.

use std::ops::Range;

use super::geometry::Axis;
use crate::algo::lower::Lowered;
use crate::element::Element;
use crate::problem::MAX_RANK;
use crate::simd::{self, Interleave, Isa, Line, Map, Pass};
use crate::view::{View, advance};

/// Registers of channels that are transformed at a time, so that what lies between the axes stays in the first cache.
const CHUNK: usize = 16;

/// Where the weights of a panel come from.
#[derive(Clone, Copy)]
pub(super) enum Weights<'a, T> {
    /// The kernel as it is.
    Plain(View<'a, T>),
    /// Those of the panel, [gathered](Panels::gather_panel).
    Gathered(&'a [T]),
}

/// What is transformed at a time: some registers of a panel's columns from `strip` on, for `count` inner channels from
/// `channel` on.
#[derive(Clone, Copy)]
struct Part {
    strip: usize,
    registers: usize,
    channel: usize,
    count: usize,
}

/// How panels of `width` outer channels and `piece` inner ones lie: for every frequency, for every strip of them, for every
/// inner channel, the strip's channels.
#[derive(Clone, Debug)]
pub(super) struct Panels {
    isa: Isa,
    lanes: usize,
    inner: usize,
    outer: usize,
    pub(super) piece: usize,
    pub(super) width: usize,
    /// As many as the leaf takes at once.
    pub(super) strip: usize,
    pub(super) frequencies: usize,
    /// From one frequency to the next.
    pub(super) step: usize,
}

/// Elements from one frequency to the next: an odd number of registers, so that the frequencies of one place do not all
/// fall into the same set of the cache.
pub(super) fn odd_step(elements: usize, lanes: usize) -> usize {
    (elements.div_ceil(lanes) | 1) * lanes
}

/// Registers of a panel. Where the leaf takes two, three times as many, which the samples are read for at once; where it
/// takes three, those, unless one too many is left.
fn registers(isa: Isa, total: usize) -> usize {
    let [_, most] = isa.tiles()[0];
    if most == 2 {
        return total.div_ceil(total.div_ceil(3 * most)).next_multiple_of(most).min(total);
    }
    let cost = |n: usize| match n {
        0 => 0.0,
        1 => 1.3,
        2 => 2.1,
        _ => 3.0,
    };
    let of = |n: usize| (total / n) as f64 * cost(n) + cost(total % n);
    if of(2) < of(3) { 2 } else { 3 }
}

impl Panels {
    /// With whole pieces: all inner channels in each.
    pub(super) fn new<T: Element>(isa: Isa, lowered: &Lowered, axes: &[Axis]) -> Self {
        let lanes = T::lanes(isa);
        let width = registers(isa, lowered.outer.div_ceil(lanes)).min(lowered.outer.div_ceil(lanes)) * lanes;
        let strip = width.min(isa.tiles()[0][1] * lanes);
        let frequencies = axes.iter().map(Axis::size).product();
        let (inner, outer) = (lowered.inner, lowered.outer);
        Self { isa, lanes, inner, outer, piece: 0, width, strip, frequencies, step: 0 }.cut(inner)
    }

    /// In pieces of so many inner channels, about.
    pub(super) fn cut(mut self, piece: usize) -> Self {
        let pieces = self.inner.div_ceil(piece.max(1)).max(1);
        self.piece = self.inner.div_ceil(pieces);
        if pieces > 1 {
            self.piece = self.piece.next_multiple_of(self.chunk());
        }
        self.step = odd_step(self.piece.saturating_mul(self.width.next_multiple_of(self.strip)), self.lanes);
        self
    }

    /// Panels of one group side by side, and pieces of each.
    pub(super) fn counts(&self) -> [usize; 2] {
        [self.outer.div_ceil(self.width), self.inner.div_ceil(self.piece.max(1))]
    }

    /// All of a group.
    pub(super) fn count(&self) -> usize {
        self.counts().iter().product()
    }

    /// The inner channels of a piece.
    pub(super) fn channels(&self, piece: usize) -> Range<usize> {
        piece * self.piece..((piece + 1) * self.piece).min(self.inner)
    }

    /// Elements of one.
    pub(super) fn len(&self) -> usize {
        self.frequencies.saturating_mul(self.step)
    }

    /// The columns of a panel that are used, whole registers.
    pub(super) fn columns(&self, panel: usize) -> usize {
        self.width.min(self.outer - panel * self.width).next_multiple_of(self.lanes)
    }

    /// Inner channels that are transformed at a time.
    fn chunk(&self) -> usize {
        (CHUNK * self.lanes / self.strip.max(self.lanes)).next_multiple_of(2)
    }

    /// Elements of scratch, for each of the chunk's stages.
    fn stages(&self, axes: &[Axis]) -> [usize; 3] {
        let mut stages = [self.chunk() * self.strip; 3];
        for (i, stage) in stages.iter_mut().enumerate() {
            *stage *=
                axes.iter().enumerate().map(|(a, x)| if a < i { x.size() } else { x.taps.len() }).product::<usize>();
        }
        stages
    }

    pub(super) fn scratch<T: Element>(&self, axes: &[Axis]) -> usize {
        self.stages(axes).iter().map(|&n| Line::holding::<T>(n)).sum()
    }

    /// Elements of a panel's weights, gathered for a whole group.
    pub(super) fn gathered_len(&self, axes: &[Axis]) -> usize {
        axes.iter().fold(self.width.next_multiple_of(self.strip).saturating_mul(self.inner), |n, axis| {
            n.saturating_mul(axis.taps.len())
        })
    }

    /// The parts that some inner channels of a panel are transformed in.
    fn parts(&self, panel: usize, channels: Range<usize>) -> impl Iterator<Item = Part> + '_ {
        let (columns, chunk) = (self.columns(panel), self.chunk());
        (0..columns).step_by(self.strip).flat_map(move |strip| {
            let (end, registers) = (channels.end, (columns - strip).min(self.strip) / self.lanes);
            let part = move |channel| Part { strip, registers, channel, count: chunk.min(end - channel) };
            channels.clone().step_by(chunk).map(part)
        })
    }

    /// Where the weights of a part lie among those of its panel.
    fn place(&self, part: &Part, taps: usize) -> Range<usize> {
        let each = part.registers * self.lanes * taps;
        let first = part.strip * self.inner * taps + part.channel * each;
        first..first + part.count * each
    }

    /// Gathers the weights of a group's panel as they are transformed.
    pub(super) fn gather_panel<T: Element>(
        &self,
        lowered: &Lowered,
        axes: &[Axis],
        kernel: View<'_, T>,
        (group, panel): (usize, usize),
        out: &mut [T],
    ) {
        let taps = axes.iter().map(|a| a.taps.len()).product();
        for part in self.parts(panel, 0..self.inner) {
            self.gather_part(lowered, axes, kernel, (group, panel), &part, &mut out[self.place(&part, taps)]);
        }
    }

    fn gather_part<T: Element>(
        &self,
        lowered: &Lowered,
        axes: &[Axis],
        kernel: View<'_, T>,
        (group, panel): (usize, usize),
        part: &Part,
        out: &mut [T],
    ) {
        for (n, out) in out.chunks_exact_mut(out.len() / part.registers).enumerate() {
            let from = panel * self.width + part.strip + n * self.lanes;
            self.gather(lowered, axes, kernel, (group, part.channel, from), out);
        }
    }

    /// Writes one piece of a group's panel.
    pub(super) fn make<T: Element>(
        &self,
        lowered: &Lowered,
        axes: &[Axis],
        weights: Weights<'_, T>,
        (group, panel, piece): (usize, usize, usize),
        out: &mut [T],
        mut scratch: &mut [Line],
    ) {
        let l = self.lanes;
        let [raw, first, second] = self.stages(axes).map(|n| simd::split::<T>(&mut scratch, n));
        let rank = axes.len();
        let taps: usize = axes.iter().map(|a| a.taps.len()).product();
        let channels = self.channels(piece);
        for part in self.parts(panel, channels.clone()) {
            let (Part { strip, registers, channel, count }, place) = (part, self.place(&part, taps));
            let raw = match weights {
                Weights::Gathered(all) => &all[place],
                Weights::Plain(kernel) => {
                    let raw = &mut raw[..place.len()];
                    self.gather_part(lowered, axes, kernel, (group, panel), &part, raw);
                    &*raw
                }
            };
            let mut lead = 1;
            for (a, axis) in axes[..rank - 1].iter().enumerate() {
                let (r, size) = (axis.taps.len(), axis.size());
                let rest = axes[a + 1..].iter().map(|x| x.taps.len()).product::<usize>() * l;
                let (source, out) = if a == 0 { (raw, &mut *first) } else { (&*first, &mut *second) };
                let lines = [[1, 0, 0], [registers * count * lead, r * rest, size * rest], [rest / l, l, l]];
                let map = Map::Kernel(r);
                T::pass(self.isa, Pass { map, size, source, out, steps: [rest; 2], lines, finite: None });
                lead *= size;
            }
            let last = &axes[rank - 1];
            let (r, size) = (last.taps.len(), last.size());
            let source = match rank {
                1 => raw,
                2 => &*first,
                _ => &*second,
            };
            // The registers of a strip one soon after the other, for they share lines.
            let each = lead * r * l;
            let lines = [[lead, r * l, size * self.step], [registers, count * each, l], [count, each, self.strip]];
            let out = &mut out[strip * self.piece + (channel - channels.start) * self.strip..];
            let map = Map::Kernel(r);
            T::pass(self.isa, Pass { map, size, source, out, steps: [l, self.step], lines, finite: None });
        }
    }

    /// The weights of the inner channels from `channel` on and a register of outer ones: for every inner channel, for
    /// every tap in the order of its samples.
    fn gather<T: Element>(
        &self,
        lowered: &Lowered,
        axes: &[Axis],
        kernel: View<'_, T>,
        (group, channel, from): (usize, usize, usize),
        raw: &mut [T],
    ) {
        let l = self.lanes;
        let present = l.min(self.outer - from);
        let strides = kernel.at.strides();
        let (base, inner, outer) = if lowered.transposed {
            (kernel.at.channel(group * self.inner + channel, from), strides[0], strides[1])
        } else {
            (kernel.at.channel(group * self.outer + from, channel), strides[1], strides[0])
        };
        let counts: [usize; MAX_RANK] = std::array::from_fn(|a| axes.get(a).map_or(1, |x| x.taps.len()));
        let taps: usize = counts.iter().product();
        let place = |tap: &[usize; MAX_RANK]| -> isize {
            axes.iter().enumerate().map(|(a, x)| kernel.at.step(a, x.taps[tap[a]])).sum()
        };
        let mut tap = [0; MAX_RANK];
        let dense = outer >= 0
            && inner == taps as isize
            && (0..taps).all(|t| {
                let at = place(&tap);
                advance(&mut tap[..axes.len()], &counts[..axes.len()]);
                at == t as isize
            });
        if dense {
            let (source, columns) = (&kernel.data[base as usize..], raw.len() / l);
            let call = Interleave { source, stride: outer as usize, rows: present, columns, out: &mut *raw, pitch: l };
            T::interleave(self.isa, call);
            // What comes next of these rows, while the maps are made.
            for row in 0..present {
                let next = row * outer as usize + columns;
                simd::prefetch(source.get(next..next + columns).unwrap_or_default());
            }
        } else {
            tap = [0; MAX_RANK];
            for t in 0..taps {
                let first = base + place(&tap);
                advance(&mut tap[..axes.len()], &counts[..axes.len()]);
                for (c, weights) in raw.chunks_exact_mut(taps * l).enumerate() {
                    let first = first + c as isize * inner;
                    let weights = &mut weights[t * l..][..l];
                    for (k, w) in weights[..present].iter_mut().enumerate() {
                        *w = kernel.data[(first + k as isize * outer) as usize];
                    }
                    weights[present..].fill(T::default());
                }
            }
        }
        if lowered.conjugate && T::DTYPE.is_complex() {
            raw.iter_mut().for_each(|w| *w = w.conj());
        }
    }
}
