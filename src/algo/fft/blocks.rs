//! Samples to their places in the blocks of transforms.

use std::ops::Range;

use super::geometry::Axis;
use super::outliers::is_outlier;
use crate::algo::gather::{Source, Span};
use crate::element::Element;
use crate::problem::{Boundary, MAX_RANK};
use crate::simd::{Levels, Look};
use crate::transform::{Layout, Planes, Samples};

/// Along one axis: samples of a source, and where in a tile they go.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// Its pitch is in samples of the tile.
    pub(super) span: Span,
    /// The tile's sample that the first one goes to.
    pub(super) at: usize,
}

impl Window {
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

/// A block to be filled with the samples of a channel that windows tell, one window an axis. Its other samples are zero.
pub(super) struct Fill<'a, T> {
    source: Source<'a, T>,
    channel: (usize, usize),
    windows: [Window; MAX_RANK],
    layout: &'a Layout,
    /// Whether what is read of a row lies there as it does in the block.
    rows: bool,
    /// Whether all windows have samples.
    any: bool,
}

impl<'a, T: Element> Fill<'a, T> {
    pub(super) fn new(source: Source<'a, T>, channel: (usize, usize), windows: &[Window], layout: &'a Layout) -> Self {
        let (last, extents) = (windows.len() - 1, &source.view.shape()[2..]);
        let mut inside = [Window::default(); MAX_RANK];
        inside[..=last].copy_from_slice(windows);
        let windows = &mut inside[..=last];
        if matches!(source.boundary, Boundary::Zero) {
            windows.iter_mut().zip(extents).for_each(|(window, &extent)| *window = window.inside(extent));
        }
        let any = windows.iter().all(|window| window.span.count > 0);
        let Span { step, pitch, .. } = windows[last].span;
        let rows = layout.samples() == Samples::Real && (step, pitch) == (1, 1) && source.view.at.step(last, 1) == 1;
        Self { source, channel, windows: inside, layout, rows, any }
    }

    /// Fills one [band](Layout::bands) of the block, and tells the levels of what it holds if it has looked.
    pub(super) fn band(&self, band: &Range<usize>, planes: Planes<'_, T::Real>) -> Option<Levels<T::Real>> {
        let (layout, extents) = (self.layout, self.layout.extents());
        let last = extents.len() - 1;
        let first = if layout.parted() { band.clone() } else { 0..extents[0] };
        let (mut spans, mut to, mut fills) = (self.spans(first), 0, true);
        let (mut any, mut filled) = (self.any, [true; 2]);
        for a in 0..last {
            let n = if a == 0 && layout.parted() { band.len() } else { extents[a] };
            let (span, at) = spans[a];
            fills &= at == 0 && span.pitch == 1 && span.count == n;
            any &= span.count > 0;
            spans[a].0.pitch *= layout.pitch(a);
            to += at * layout.pitch(a);
        }
        let mut spans = spans.map(|(span, _)| span);
        let mut look = Look::new();
        for (part, plane) in [planes.re, planes.im].into_iter().enumerate() {
            let (first, n, _) = layout.stretches()[part];
            let (first, n) = if last == 0 { (first + band.start, band.len()) } else { (first, n) };
            let (span, at) = self.windows[last].within(first, n);
            if !(fills && at == 0 && span.pitch == 1 && span.count == n) {
                plane.fill(Default::default());
            }
            filled[part] = any && span.count > 0;
            if !filled[part] {
                continue;
            }
            spans[last] = span;
            let (source, channel, spans, to) = (&self.source, self.channel, &spans[..=last], &mut plane[to + at..]);
            match (layout.samples(), part) {
                _ if self.rows => source.copy_looking(channel, spans, to, &mut look),
                (Samples::Complex, 1) => source.gather(channel, spans, to, |v| v.parts().1),
                _ => source.gather(channel, spans, to, |v| v.parts().0),
            }
        }
        // All else is zeros.
        (self.rows || filled == [false; 2]).then(|| look.levels())
    }

    /// The samples of all axes, those of the first that fall on these places of the block, and where among them they begin.
    fn spans(&self, first: Range<usize>) -> [(Span, usize); MAX_RANK] {
        let mut spans = self.windows.map(|window| (window.span, window.at));
        spans[0] = self.windows[0].within(first.start, first.len());
        spans
    }
}

/// Writes one row of a kernel's taps to a row of a block, or to what of it lies in these `columns` of both planes:
/// backwards from its beginning, and so behind its end. `value` tells a tap's real or imaginary part.
pub(super) fn backwards<T: Element>(
    axis: &Axis,
    taps: &[T],
    layout: &Layout,
    columns: Range<usize>,
    planes: Planes<'_, T::Real>,
    value: impl Fn(T, bool) -> T::Real + Copy,
) {
    let (step, rising) = (axis.dilation, axis.offset(0) == 0);
    let (&zero, rest) = if rising { taps.split_first() } else { taps.split_last() }.expect("kernels have taps");
    let first = axis.size - rest.len() * step;
    for (part, row) in [planes.re, planes.im].into_iter().enumerate() {
        let begin = layout.stretches()[part].0 + columns.start;
        let imaginary = part == 1 && layout.samples() == Samples::Complex;
        if begin == 0 {
            row[0] = value(zero, imaginary);
        }
        // The taps `low..high` in the order of their columns, which are `first`, `first + step`, …
        let index = |column: usize| column.saturating_sub(first).div_ceil(step).min(rest.len());
        let (low, high) = (index(begin), index(begin + columns.len()));
        if low == high {
            continue;
        }
        // What has wrapped around has changed its sign.
        let real = layout.samples() == Samples::Real;
        let put = |(y, &w): (&mut T::Real, &T)| *y = if real { -value(w, imaginary) } else { value(w, imaginary) };
        let row = &mut row[first + low * step - begin..];
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
