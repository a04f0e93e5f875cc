//! Samples to their places in the blocks of transforms.

use super::geometry::Axis;
use super::outliers::is_outlier;
use crate::algo::gather::{Source, Span};
use crate::element::Element;
use crate::problem::{Boundary, MAX_RANK};
use crate::simd::Isa;
use crate::transform::{Layout, Samples};

/// Rows that are copied at a time.
const ROWS: usize = 8;

/// Along one axis: samples of a source, and where in a tile they go.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// Its pitch is in samples of the tile.
    pub(super) span: Span,
    /// The tile's sample that the first one goes to.
    pub(super) at: usize,
}

impl Window {
    /// Whether every one of so many samples of a tile is written.
    fn fills(&self, size: usize) -> bool {
        self.at == 0 && self.span.pitch == 1 && self.span.count == size
    }

    /// The part that lies within so many samples of the source.
    fn inside(&self, extent: usize) -> Self {
        let (low, high) = self.span.inside(extent);
        let start = self.span.start + (low * self.span.step) as isize;
        let span = Span { start, count: high - low, ..self.span };
        Self { span, at: self.at + low * self.span.pitch }
    }

    /// The part that falls on `n` samples of the tile from `first` on, and where among them the first one goes.
    fn within(&self, first: usize, n: usize) -> (Span, usize) {
        let pitch = self.span.pitch;
        let index = |position: usize| position.saturating_sub(self.at).div_ceil(pitch).min(self.span.count);
        let (low, high) = (index(first), index(first + n));
        let start = self.span.start + (low * self.span.step) as isize;
        (Span { start, count: high - low, ..self.span }, self.at + low * pitch - if low < high { first } else { 0 })
    }
}

/// Copies the samples of a channel that the windows tell, one window an axis, to a block. The tile's other samples are
/// zero.
pub(super) fn gather<T: Element>(
    source: &Source<'_, T>,
    channel: (usize, usize),
    windows: &[Window],
    layout: &Layout,
    block: &mut [T::Real],
) {
    let (last, extents) = (windows.len() - 1, &source.view.shape()[2..]);
    let mut inside = [Window::default(); MAX_RANK];
    inside[..=last].copy_from_slice(windows);
    let windows = &mut inside[..=last];
    if matches!(source.boundary, Boundary::Zero) {
        windows.iter_mut().zip(extents).for_each(|(window, &extent)| *window = window.inside(extent));
    }
    if !windows.iter().zip(layout.extents()).all(|(window, &n)| window.fills(n)) {
        block.fill(Default::default());
    }
    if windows.iter().any(|window| window.span.count == 0) {
        return;
    }
    // Rows that lie within the data are copied as they are.
    let whole = windows.iter().zip(extents).all(|(w, &extent)| w.span.inside(extent) == (0, w.span.count));
    let rows = whole && windows[last].span.pitch == 1 && source.view.at.strides()[2..].iter().all(|&s| s >= 0);
    let mut spans = [Span::default(); MAX_RANK];
    let mut to = 0;
    for a in 0..last {
        let (window, pitch) = (windows[a], layout.pitch(a));
        spans[a] = Span { pitch: window.span.pitch * pitch, ..window.span };
        to += window.at * pitch;
    }
    for (part, (first, n, place)) in layout.stretches().into_iter().enumerate() {
        let (span, at) = windows[last].within(first, n);
        if span.count == 0 {
            continue;
        }
        spans[last] = span;
        let (spans, destination) = (&spans[..=last], &mut block[place + to + at..]);
        match (layout.samples(), part) {
            (Samples::Real, _) if rows => copy_rows(source, channel, spans, bytemuck::cast_slice_mut(destination)),
            (Samples::Complex, 1) => source.gather(channel, spans, destination, |v| v.parts().1),
            _ => source.gather(channel, spans, destination, |v| v.parts().0),
        }
    }
}

/// Copies rows that lie within the data, some at a time, and asks for the next beforehand: they lie too far apart for the
/// machine to see what comes.
fn copy_rows<T: Element>(source: &Source<'_, T>, channel: (usize, usize), spans: &[Span], destination: &mut [T]) {
    let mut band = [Span::default(); MAX_RANK];
    let band = &mut band[..spans.len()];
    band.copy_from_slice(spans);
    let outer = spans[0];
    let rows: usize = spans[1..].iter().rev().skip(1).map(|span| span.count).product();
    let step = if spans.len() > 1 { (ROWS / rows.max(1)).max(1) } else { outer.count };
    let part = |first: usize| Span {
        start: outer.start + (first * outer.step) as isize,
        count: step.min(outer.count - first),
        ..outer
    };
    for first in (0..outer.count).step_by(step) {
        if first + step < outer.count {
            band[0] = part(first + step);
            source.prefetch(channel, band);
        }
        band[0] = part(first);
        let (n, c) = channel;
        source.copy_inside(Isa::detect(), (n, c, 1), band, (&mut destination[first * outer.pitch..], 0));
    }
}

/// Writes one row of a kernel's taps to the row of a block that begins at `row`: backwards from its beginning, and so
/// behind its end. `value` tells a tap's real or imaginary part.
pub(super) fn backwards<T: Element>(
    axis: &Axis,
    taps: &[T],
    layout: &Layout,
    row: usize,
    block: &mut [T::Real],
    value: impl Fn(T, bool) -> T::Real + Copy,
) {
    let (step, rising) = (axis.dilation, axis.offset(0) == 0);
    let (&zero, rest) = if rising { taps.split_first() } else { taps.split_last() }.expect("kernels have taps");
    let first = axis.size - rest.len() * step;
    for (part, (begin, n, place)) in layout.stretches().into_iter().enumerate() {
        let imaginary = part == 1 && layout.samples() == Samples::Complex;
        if begin == 0 {
            block[row + place] = value(zero, imaginary);
        }
        // The taps `low..high` in the order of their columns, which are `first`, `first + step`, …
        let index = |column: usize| column.saturating_sub(first).div_ceil(step).min(rest.len());
        let (low, high) = (index(begin), index(begin + n));
        if low == high {
            continue;
        }
        // What has wrapped around has changed its sign.
        let real = layout.samples() == Samples::Real;
        let put = |(y, &w): (&mut T::Real, &T)| *y = if real { -value(w, imaginary) } else { value(w, imaginary) };
        let row = &mut block[row + place + first + low * step - begin..];
        match (rising, step) {
            (true, 1) => row.iter_mut().zip(rest[rest.len() - high..rest.len() - low].iter().rev()).for_each(put),
            (true, _) => {
                row.iter_mut().step_by(step).zip(rest[rest.len() - high..rest.len() - low].iter().rev()).for_each(put)
            }
            (false, 1) => row.iter_mut().zip(&rest[low..high]).for_each(put),
            (false, _) => row.iter_mut().step_by(step).zip(&rest[low..high]).for_each(put),
        }
    }
}

/// The samples of some blocks one by one, for the few tiles that need it.
#[derive(Clone, Copy)]
pub(super) struct Each<'a> {
    pub(super) layout: &'a Layout,
    /// Where the rows of a plane begin.
    pub(super) starts: &'a [usize],
}

impl<'a> Each<'a> {
    /// Where the samples that are outliers beyond the limit lie, of complex ones their real parts.
    pub(super) fn loud<'b, T: Element>(
        self,
        blocks: &'b [T::Real],
        limit: T::Real,
    ) -> impl Iterator<Item = usize> + use<'a, 'b, T> {
        self.places(blocks.len()).filter(move |&at| is_outlier(self.read::<T>(blocks, at), limit))
    }

    /// Where the samples of blocks of `len` numbers lie, of complex ones their real parts.
    fn places(self, len: usize) -> impl Iterator<Item = usize> + 'a {
        let (row, plane) = (self.layout.row(), self.layout.plane());
        let planes = if self.layout.samples() == Samples::Real { 2 } else { 1 };
        let blocks = (0..len).step_by(self.layout.block());
        let planes = blocks.flat_map(move |block| (0..planes).map(move |p| block + p * plane));
        planes.flat_map(move |plane| self.starts.iter().flat_map(move |start| (0..row).map(move |i| plane + start + i)))
    }

    pub(super) fn read<T: Element>(self, blocks: &[T::Real], place: usize) -> T {
        T::from_parts(blocks[place], blocks[self.imaginary(place)])
    }

    /// Makes a sample zero.
    pub(super) fn clear<T: Element>(self, blocks: &mut [T::Real], place: usize) {
        blocks[place] = Default::default();
        blocks[self.imaginary(place)] = Default::default();
    }

    /// Where the imaginary part is, of a real sample the sample itself.
    fn imaginary(self, place: usize) -> usize {
        place + if self.layout.samples() == Samples::Complex { self.layout.plane() } else { 0 }
    }
}
