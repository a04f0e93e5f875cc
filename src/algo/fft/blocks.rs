//! Samples to their places in the blocks of transforms.

use super::outliers::is_outlier;
use crate::algo::gather::{Source, Span};
use crate::element::Element;
use crate::problem::MAX_RANK;
use crate::transform::{Layout, Samples};

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
    if !windows.iter().zip(layout.extents()).all(|(window, &n)| window.fills(n)) {
        block.fill(Default::default());
    }
    if windows.iter().any(|window| window.span.count == 0) {
        return;
    }
    let last = windows.len() - 1;
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
            (Samples::Complex, 1) => source.gather(channel, spans, destination, |v| v.parts().1),
            _ => source.gather(channel, spans, destination, |v| v.parts().0),
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
