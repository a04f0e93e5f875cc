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
        let Span { step, pitch, .. } = windows[last].span;
        let rows = (step, pitch) == (1, 1) && source.view.at.step(last, 1) == 1;
        Self { source, channel, windows: inside, layout, rows }
    }

    /// Fills one [band](Layout::bands) of the block, and tells the levels of what it holds if it has looked.
    pub(super) fn band(&self, band: &Range<usize>, planes: Planes<'_, T::Real>) -> Option<Levels<T::Real>> {
        let (layout, rank) = (self.layout, self.layout.extents().len());
        let complex = layout.samples() == Samples::Complex;
        let mut filled = false;
        let mut look = Look::new();
        let mut both = [planes.re, planes.im];
        for (half, part) in layout.halves().into_iter().zip(0..) {
            let mut spans = [Span::default(); MAX_RANK];
            let (mut to, mut fills, mut any) = (0, true, true);
            for (a, window) in self.windows[..rank].iter().enumerate() {
                let (first, n) = if a == 0 { (half.start + band.start, band.len()) } else { (0, layout.extents()[a]) };
                let (span, at) = window.within(first, n);
                fills &= at == 0 && span.pitch == 1 && span.count == n;
                any &= span.count > 0;
                to += at * layout.pitch(a);
                spans[a] = Span { pitch: span.pitch * layout.pitch(a), ..span };
            }
            if !fills {
                both[part].fill(Default::default());
            }
            filled |= any;
            let (source, channel, spans) = (&self.source, self.channel, &spans[..rank]);
            match part {
                _ if !any => {}
                // Both parts of complex samples are copied at once, when both planes have been emptied.
                0 if self.rows && complex => {}
                1 if self.rows && complex => {
                    source.copy_looking(channel, spans, both.each_mut().map(|plane| &mut plane[to..]), &mut look);
                }
                _ if self.rows => source.copy_looking(channel, spans, [&mut both[part][to..]], &mut look),
                1 if complex => source.gather(channel, spans, &mut both[part][to..], |v| v.parts().1),
                _ => source.gather(channel, spans, &mut both[part][to..], |v| v.parts().0),
            }
        }
        // All else is zeros.
        (self.rows || !filled).then(|| look.levels())
    }
}

/// Writes one row of a kernel's taps to what of a row of a block holds these `samples` of it: backwards from its
/// beginning, and so behind its end. `value` makes a number of a tap, and of one behind the end.
pub(super) fn backwards<T: Element>(
    axis: &Axis,
    taps: &[T],
    samples: Range<usize>,
    row: &mut [T::Real],
    value: [impl Fn(T) -> T::Real; 2],
) {
    let (step, rising, [first_value, value]) = (axis.dilation, axis.offset(0) == 0, value);
    let (&zero, rest) = if rising { taps.split_first() } else { taps.split_last() }.expect("kernels have taps");
    if samples.start == 0 {
        row[0] = first_value(zero);
    }
    // The taps `low..high` in the order of their columns, which are `first`, `first + step`, …
    let first = axis.size - rest.len() * step;
    let index = |column: usize| column.saturating_sub(first).div_ceil(step).min(rest.len());
    let (low, high) = (index(samples.start), index(samples.end));
    if low == high {
        return;
    }
    let put = |(y, &w): (&mut T::Real, &T)| *y = value(w);
    let row = &mut row[first + low * step - samples.start..];
    match (rising, step) {
        (true, 1) => row.iter_mut().zip(rest[rest.len() - high..rest.len() - low].iter().rev()).for_each(put),
        (true, _) => {
            row.iter_mut().step_by(step).zip(rest[rest.len() - high..rest.len() - low].iter().rev()).for_each(put)
        }
        (false, 1) => row.iter_mut().zip(&rest[low..high]).for_each(put),
        (false, _) => row.iter_mut().step_by(step).zip(&rest[low..high]).for_each(put),
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
