//! Copies blocks of a source, whatever its strides and boundary, to where an algorithm wants them.

use crate::element::Element;
use crate::problem::{Boundary, MAX_RANK};
use crate::simd::{self, Ahead, Far, Isa, Look, Plane, Planes, Rows};
use crate::view::{View, advance};

/// Along one axis: the positions `start`, `start + step`, … of the source, and how far apart they go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: isize,
    pub(crate) step: usize,
    pub(crate) count: usize,
    /// Elements of the destination from one position to the next.
    pub(crate) pitch: usize,
}

impl Span {
    /// The indices `low..high` whose positions lie within `extent` samples.
    pub(crate) fn inside(&self, extent: usize) -> (usize, usize) {
        let step = self.step as isize;
        let low = if self.start < 0 { (-self.start + step - 1) / step } else { 0 };
        let high = (extent as isize - self.start + step - 1).div_euclid(step).max(0);
        let high = (high as usize).min(self.count);
        ((low as usize).min(high), high)
    }
}

/// The pitches of a block of these extents without gaps, the last axis fastest.
pub(crate) fn dense_pitches(extents: &[usize]) -> [usize; MAX_RANK] {
    let mut pitches = [1; MAX_RANK];
    for a in (1..extents.len()).rev() {
        pitches[a - 1] = pitches[a] * extents[a];
    }
    pitches
}

/// Samples at the ends of rows whose places are looked up once for all rows.
const ENDS: usize = 32;

/// Rows that are asked for before they are copied.
const AHEAD: usize = 4;

/// Where a block is copied to.
trait Target<T> {
    /// So many rows of such a width, with elements from one row to the next, go to a place and below it.
    fn rows(&mut self, shape: [usize; 2], from: (&[T], usize), to: usize, pitch: usize);
    /// An element from elsewhere.
    fn set(&mut self, to: usize, element: T);
    /// A row of so many elements, or a part of one, has been set.
    fn also(&mut self, to: usize, count: usize);
}

/// Elements that lie some steps apart.
struct Plain<'a, T> {
    isa: Isa,
    step: usize,
    out: &'a mut [T],
}

impl<T: Element> Target<T> for Plain<'_, T> {
    fn rows(&mut self, [rows, width]: [usize; 2], (source, step): (&[T], usize), to: usize, pitch: usize) {
        let out = Plane::of(&mut self.out[to..], pitch.max(width), rows, width).into();
        T::copy_rows(self.isa, Rows { source, steps: [0, step, self.step], out, apart: 1, far: Far::Source });
    }

    fn set(&mut self, to: usize, element: T) {
        self.out[to] = element;
    }

    fn also(&mut self, _: usize, _: usize) {}
}

/// Real elements, or either part of complex ones, that are looked at.
struct Looking<'a, R, const PARTS: usize> {
    look: &'a mut Look<R>,
    out: [&'a mut [R]; PARTS],
}

impl<T: Element, const PARTS: usize> Target<T> for Looking<'_, T::Real, PARTS> {
    fn rows(&mut self, shape: [usize; 2], (source, step): (&[T], usize), to: usize, pitch: usize) {
        let out = self.out.each_mut().map(|out| &mut out[to..]);
        self.look.copy(shape, (bytemuck::cast_slice(source), step), (out, pitch));
    }

    fn set(&mut self, to: usize, element: T) {
        let (re, im) = element.parts();
        self.out.iter_mut().zip([re, im]).for_each(|(out, part)| out[to] = part);
    }

    fn also(&mut self, to: usize, count: usize) {
        self.look.at(self.out.iter().map(|out| &out[to..][..count]));
    }
}

/// A source with what lies outside it.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a, T> {
    pub(crate) view: View<'a, T>,
    pub(crate) boundary: Boundary,
}

/// Where the samples of a span that lie outside the data come from, by the boundary's rule: from the place of a row's
/// first sample on.
struct Ends {
    /// Those inside.
    low: usize,
    high: usize,
    places: [Option<isize>; ENDS],
}

impl Ends {
    fn of<T: Element>(source: &Source<'_, T>, axis: usize, span: &Span) -> Self {
        let (low, high) = span.inside(source.view.shape()[2 + axis]);
        let mut this = Self { low, high, places: [None; ENDS] };
        let outside = (0..low).chain(high..span.count);
        this.places.iter_mut().zip(outside).for_each(|(place, i)| *place = source.place(axis, span, i));
        this
    }

    /// That of the sample numbered `i`, which lies outside; `None` where it is a constant.
    #[inline(always)]
    fn place<T: Element>(&self, source: &Source<'_, T>, axis: usize, span: &Span, i: usize) -> Option<isize> {
        let number = if i < self.low { i } else { self.low + i - self.high };
        self.places.get(number).copied().unwrap_or_else(|| source.place(axis, span, i))
    }
}

impl<'a, T: Element> Source<'a, T> {
    /// Where the sample numbered `i` of a span along an axis lies, from the first one of that axis on.
    fn place(&self, axis: usize, span: &Span, i: usize) -> Option<isize> {
        let position = span.start + (i * span.step) as isize;
        let index = self.boundary.source(position, self.view.shape()[2 + axis])?;
        Some(self.view.at.step(axis, index))
    }

    /// Whether every sample outside the data is [`outside`](Self::outside).
    pub(crate) fn outside_is_constant(&self) -> bool {
        matches!(self.boundary, Boundary::Zero | Boundary::Constant(_))
    }

    /// What lies outside under a boundary that does not read the data.
    pub(crate) fn outside(&self) -> T {
        match self.boundary {
            Boundary::Constant(value) => T::from_f64(value),
            _ => T::default(),
        }
    }

    /// Whether blocks are rows that [`copy_inside`](Self::copy_inside) copies, and nothing else but one constant.
    pub(crate) fn lies_in_rows(&self) -> bool {
        self.outside_is_constant() && self.view.at.strides()[2..].iter().all(|&stride| stride >= 0)
    }

    /// What a copy of the blocks that `spans` tell will read, to be asked for. On axes before the last two, only the first
    /// position is.
    pub(crate) fn ahead(&self, (n, c, channels): (usize, usize, usize), spans: &[Span]) -> Ahead<'a, T> {
        let (at, rank) = (&self.view.at, spans.len());
        let (mut from, mut shape) = (at.channel(n, c), [[1, 0]; 2]);
        for (a, span) in spans.iter().enumerate() {
            let (low, high) = span.inside(self.view.shape()[2 + a]);
            if low >= high {
                return Ahead::nothing();
            }
            from += at.step(a, (span.start + (low * span.step) as isize) as usize);
            if a + 2 >= rank {
                shape[a + 2 - rank] = [high - low, at.step(a, span.step).unsigned_abs()];
            }
        }
        let [[rows, pitch], [width, apart]] = shape;
        let Some(data) = usize::try_from(from).ok().and_then(|from| self.view.data.get(from..)) else {
            return Ahead::nothing();
        };
        let (step, width) = (at.strides()[1].unsigned_abs(), width.saturating_mul(apart.max(1)));
        // Channels that lie side by side share their lines.
        Ahead::new(data, [if step < width { 1 } else { channels }, rows], [step, pitch], width)
    }

    /// Copies the blocks that `spans` tell of so many channels from a batch entry's `c` on, `pitch` apart in the
    /// destination; the last span's pitch is 1. Where the destination `holds_outside` values at all places that lie
    /// outside the data, they are not written again.
    pub(crate) fn copy(
        &self,
        isa: Isa,
        (n, c, channels): (usize, usize, usize),
        spans: &[Span],
        (destination, pitch): (&mut [T], usize),
        holds_outside: bool,
    ) {
        if !self.lies_in_rows() {
            let forwards = self.view.at.step(spans.len() - 1, 1) >= 0;
            for (i, block) in destination.chunks_mut(pitch.max(1)).take(channels).enumerate() {
                match forwards {
                    true => {
                        let step = self.view.at.step(spans.len() - 1, spans[spans.len() - 1].step) as usize;
                        self.copy_to((n, c + i), spans, &mut Plain { isa, step, out: block });
                    }
                    false => self.gather((n, c + i), spans, block, |x| x),
                }
            }
            return;
        }
        let extents = &self.view.shape()[2..];
        if !holds_outside && spans.iter().zip(extents).any(|(span, &extent)| span.inside(extent) != (0, span.count)) {
            let end = spans.iter().map(|span| span.count.saturating_sub(1) * span.pitch).sum::<usize>() + 1;
            for block in destination.chunks_mut(pitch.max(1)).take(channels) {
                block[..end].fill(self.outside());
            }
        }
        self.copy_inside(isa, (n, c, channels), spans, (destination, pitch));
    }

    /// Copies, of the blocks that `spans` tell of so many channels, `pitch` apart in the destination, what lies inside
    /// the data and leaves the rest as it is. The last axis' pitch is 1, no stride is negative.
    pub(crate) fn copy_inside(
        &self,
        isa: Isa,
        (n, c, channels): (usize, usize, usize),
        spans: &[Span],
        (destination, pitch): (&mut [T], usize),
    ) {
        // Channels first, then the spans' axes: counts, steps in the source, pitches in the destination.
        let (mut from, mut to) = (self.view.at.channel(n, c), 0);
        let mut axes = [[1, 0, 0]; MAX_RANK + 1];
        let backwards = self.view.at.strides()[1] < 0;
        axes[0] = [channels, self.view.at.strides()[1].max(0) as usize, pitch];
        for (a, span) in spans.iter().enumerate() {
            let (low, high) = span.inside(self.view.shape()[2 + a]);
            if low >= high {
                return;
            }
            axes[a + 1] = [high - low, self.view.at.step(a, span.step) as usize, span.pitch];
            from += self.view.at.step(a, (span.start + (low * span.step) as isize) as usize);
            to += low * span.pitch;
        }
        if backwards && channels > 1 {
            for i in 0..channels {
                self.copy_inside(isa, (n, c + i, 1), spans, (&mut destination[i * pitch..], pitch));
            }
            return;
        }
        // Axes that leave no gaps between them are one.
        let mut count = 1;
        for a in 1..=spans.len() {
            let ([outer, steps @ ..], [inner, others @ ..]) = (axes[count - 1], axes[a]);
            if outer == 1 || steps == others.map(|step| step * inner) {
                axes[count - 1] = [outer * inner, others[0], others[1]];
            } else {
                axes[count] = axes[a];
                count += 1;
            }
        }
        let axes = &axes[..count];
        let counts: [usize; MAX_RANK + 1] = std::array::from_fn(|a| axes.get(a).map_or(1, |axis| axis[0]));
        // A leaf's planes, rows and elements.
        let [planes, rows, elements] = [3, 2, 1].map(|back| match count.checked_sub(back) {
            Some(a) => axes[a],
            None => [1, 0, 0],
        });
        let outer = count.saturating_sub(3);
        let mut index = [0; MAX_RANK + 1];
        for _ in 0..counts[..outer].iter().product() {
            let place = |which: usize| (0..outer).map(|a| index[a] * axes[a][which]).sum::<usize>();
            let (source, place) = (from as usize + place(1), to + place(2));
            let shape = [planes[0], rows[0], elements[0]];
            let pitch = if rows[0] > 1 { rows[2] } else { elements[0] };
            let out = Planes::of(&mut destination[place..], shape, [planes[2], pitch]);
            T::copy_rows(
                isa,
                Rows {
                    source: &self.view.data[source..],
                    steps: [planes[1], rows[1], elements[1]],
                    out,
                    apart: 1,
                    far: Far::Source,
                },
            );
            advance(&mut index[..outer], &counts[..outer]);
        }
    }

    /// As [`copy_inside`](Self::copy_inside), `present` channels at once from the first, which lie one behind the other,
    /// and at `pitch` in the destination from one position to the next. No stride is negative.
    pub(crate) fn copy_pixels(
        &self,
        isa: Isa,
        (n, c, present): (usize, usize, usize),
        spans: &[Span],
        pitch: usize,
        destination: &mut [T],
    ) {
        let (at, extents, rank) = (&self.view.at, &self.view.shape()[2..], spans.len());
        let inside: [(usize, usize); MAX_RANK] =
            std::array::from_fn(|a| if a < rank { spans[a].inside(extents[a]) } else { (0, 1) });
        if inside.iter().any(|(low, high)| low >= high) {
            return;
        }
        let counts = inside.map(|(low, high)| high - low);
        let mut index = [0; MAX_RANK];
        for _ in 0..counts[..rank - 1].iter().product() {
            let (mut from, mut to) = (at.channel(n, c), 0);
            for a in 0..rank {
                let i = inside[a].0 + index[a];
                from += at.step(a, (spans[a].start + i as isize) as usize);
                to += i * spans[a].pitch;
            }
            let (rows, stride) = (counts[rank - 1], at.step(rank - 1, 1) as usize);
            let out = Plane::of(&mut destination[to * pitch..], pitch, rows, present);
            T::copy_rows(
                isa,
                Rows {
                    source: &self.view.data[from as usize..],
                    steps: [0, stride, 1],
                    out: out.into(),
                    apart: 1,
                    far: Far::Source,
                },
            );
            advance(&mut index[..rank - 1], &counts[..rank - 1]);
        }
    }

    /// Calls `visit` for the rows of the block of channel `(n, c)` that `spans` tell, those at equal distances in the source
    /// together: where they begin in the source, how many and how far apart they are there, and where they go in the
    /// destination. A row that lies outside the data, and is all one constant, begins nowhere.
    fn each_rows(
        &self,
        (n, c): (usize, usize),
        spans: &[Span],
        mut visit: impl FnMut(Option<isize>, [usize; 2], usize),
    ) {
        let (at, last) = (&self.view.at, spans.len() - 1);
        let Some(outer) = last.checked_sub(1) else { return visit(Some(at.channel(n, c)), [1, 0], 0) };
        let counts: [usize; MAX_RANK] = std::array::from_fn(|a| if a < outer { spans[a].count } else { 1 });
        let (low, high) = spans[outer].inside(self.view.shape()[2 + outer]);
        let (step, pitch) = (at.step(outer, spans[outer].step), spans[outer].pitch);
        let mut index = [0; MAX_RANK];
        for _ in 0..counts[..outer].iter().product() {
            let to = (0..outer).map(|a| index[a] * spans[a].pitch).sum::<usize>();
            let from =
                (0..outer).try_fold(at.channel(n, c), |from, a| Some(from + self.place(a, &spans[a], index[a])?));
            advance(&mut index[..outer], &counts[..outer]);
            let mut y = 0;
            while y < spans[outer].count {
                let row = from.and_then(|from| Some(from + self.place(outer, &spans[outer], y)?));
                let alike = if row.is_some() && (low..high).contains(&y) && step >= 0 { high - y } else { 1 };
                visit(row, [alike, step.unsigned_abs()], to + y * pitch);
                y += alike;
            }
        }
    }

    /// Copies the block of channel `(n, c)` that `spans` tell. The last axis' pitch is 1, and its stride not negative.
    fn copy_to(&self, channel: (usize, usize), spans: &[Span], target: &mut impl Target<T>) {
        let (at, axis) = (&self.view.at, spans.len() - 1);
        let last = &spans[axis];
        let (ends, pitch) = (Ends::of(self, axis, last), axis.checked_sub(1).map_or(0, |a| spans[a].pitch));
        let (low, high, count) = (ends.low, ends.high, last.count);
        self.each_rows(channel, spans, |from, [rows, step], to| {
            let Some(from) = from else {
                (to..to + count).for_each(|to| target.set(to, self.outside()));
                return target.also(to, count);
            };
            if low < high {
                let first = from + at.step(axis, (last.start + (low * last.step) as isize) as usize);
                target.rows([rows, high - low], (&self.view.data[first as usize..], step), to + low, pitch);
            }
            for i in (0..low).chain(high..count) {
                let place = ends.place(self, axis, last, i).map(|place| (from + place) as usize);
                for y in 0..rows {
                    let element = place.map_or_else(|| self.outside(), |place| self.view.data[place + y * step]);
                    target.set(to + y * pitch + i, element);
                }
            }
            for end in [0..low, high..count].into_iter().filter(|end| !end.is_empty()) {
                (0..rows).for_each(|y| target.also(to + y * pitch + end.start, end.len()));
            }
        });
    }

    /// As [`copy`](Self::copy), of one channel's real elements, or of either part of complex ones, which lie behind one
    /// another: looks at what it copies.
    pub(crate) fn copy_looking<const PARTS: usize>(
        &self,
        channel: (usize, usize),
        spans: &[Span],
        out: [&mut [T::Real]; PARTS],
        look: &mut Look<T::Real>,
    ) {
        self.copy_to(channel, spans, &mut Looking { look, out });
    }

    /// Asks for what lies inside the data of the block that `spans` tell to be brought near. Only where the last axis is
    /// contiguous, and steps are 1.
    pub(crate) fn prefetch(&self, (n, c): (usize, usize), spans: &[Span]) {
        let (at, extents, rank) = (&self.view.at, &self.view.shape()[2..], spans.len());
        let inside: [(usize, usize); MAX_RANK] =
            std::array::from_fn(|a| if a < rank { spans[a].inside(extents[a]) } else { (0, 1) });
        if at.strides()[1 + rank] != 1 || inside.iter().any(|(low, high)| low >= high) {
            return;
        }
        let counts = inside.map(|(low, high)| high - low);
        let mut index = [0; MAX_RANK];
        for _ in 0..counts[..rank - 1].iter().product() {
            let from = (0..rank).fold(at.channel(n, c), |from, a| {
                let first = (spans[a].start + (inside[a].0 + index[a]) as isize) as usize;
                from + at.step(a, first)
            });
            simd::prefetch(&self.view.data[from as usize..from as usize + counts[rank - 1]]);
            advance(&mut index[..rank - 1], &counts[..rank - 1]);
        }
    }

    /// Where the block of channel `(n, c)` that `spans` tell lies in the slice, if it is one run there, and those of the
    /// channels behind it lie further on at a constant distance, which comes second.
    pub(crate) fn run(&self, (n, c): (usize, usize), spans: &[Span]) -> Option<(usize, usize)> {
        let (at, extents) = (&self.view.at, &self.view.shape()[2..]);
        let mut from = at.channel(n, c);
        for (a, span) in spans.iter().enumerate() {
            let start = usize::try_from(span.start).ok()?;
            let inside = start + span.count.saturating_sub(1) * span.step < extents[a];
            let dense = span.count == 1 || at.step(a, span.step) == span.pitch as isize;
            if !inside || !dense {
                return None;
            }
            from += at.step(a, start);
        }
        Some((from as usize, usize::try_from(at.strides()[1]).ok()?))
    }

    /// Copies the block of channel `(n, c)` that `spans` tell, one an axis, each value through `map`. Outside the data
    /// zeros or the boundary's constant are written, through `map` too.
    pub(crate) fn gather<U: Copy>(
        &self,
        (n, c): (usize, usize),
        spans: &[Span],
        destination: &mut [U],
        map: impl Fn(T) -> U + Copy,
    ) {
        let rank = spans.len();
        let at = &self.view.at;
        let outside = map(self.outside());
        let last = spans[rank - 1];
        let ends = Ends::of(self, rank - 1, &last);
        let (low, high) = (ends.low, ends.high);
        let counts: [usize; MAX_RANK] = std::array::from_fn(|a| if a + 1 < rank { spans[a].count } else { 1 });
        let mut index = [0; MAX_RANK];
        if last.count == 0 {
            return;
        }
        for _ in 0..counts.iter().product() {
            let (mut from, mut to, mut within) = (at.channel(n, c), 0, true);
            for a in 0..rank - 1 {
                match self.place(a, &spans[a], index[a]) {
                    Some(place) => from += place,
                    None => within = false,
                }
                to += index[a] * spans[a].pitch;
            }
            advance(&mut index[..rank - 1], &counts[..rank - 1]);
            let row = &mut destination[to..to + (last.count - 1) * last.pitch + 1];
            if !within {
                row.iter_mut().step_by(last.pitch).for_each(|y| *y = outside);
                continue;
            }
            for i in (0..low).chain(high..last.count) {
                row[i * last.pitch] = match ends.place(self, rank - 1, &last, i) {
                    Some(place) => map(self.view.data[(from + place) as usize]),
                    None => outside,
                };
            }
            if low == high {
                continue;
            }
            let stride = at.strides()[rank + 1] * last.step as isize;
            let first =
                from + at.step(rank - 1, 0) + (last.start + (low * last.step) as isize) * at.strides()[rank + 1];
            if stride == 1 && last.pitch == 1 {
                // Rows lie too far apart for the machine to see what comes next.
                if rank > 1 && index[rank - 2] + AHEAD < counts[rank - 2] {
                    let next = first + at.strides()[rank] * (AHEAD * spans[rank - 2].step) as isize;
                    let next = usize::try_from(next).ok().and_then(|next| self.view.data.get(next..next + high - low));
                    next.into_iter().for_each(simd::prefetch);
                }
                let source = &self.view.data[first as usize..first as usize + high - low];
                row[low..high].iter_mut().zip(source).for_each(|(y, &x)| *y = map(x));
            } else if stride > 0 {
                let source = self.view.data[first as usize..].iter().step_by(stride as usize);
                row[low * last.pitch..]
                    .iter_mut()
                    .step_by(last.pitch)
                    .take(high - low)
                    .zip(source)
                    .for_each(|(y, &x)| *y = map(x));
            } else {
                for i in low..high {
                    row[i * last.pitch] = map(self.view.data[(first + (i - low) as isize * stride) as usize]);
                }
            }
        }
    }
}
