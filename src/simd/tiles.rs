//! One array written by several threads at the same time, each in boxes of its own.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::memory::{Line, fence};
use super::vector::Vector;
use crate::view::{MAX_AXES, ViewMut, advance};

/// The threads of one run, each with scratch of its own.
pub(crate) struct Workers<'a> {
    scratch: &'a mut [Line],
    lines: usize,
    count: usize,
}

impl<'a> Workers<'a> {
    /// `count` workers with `lines` each; `scratch` holds as many.
    pub(crate) fn new(scratch: &'a mut [Line], lines: usize, count: usize) -> Self {
        assert!(count > 0 && lines > 0 && scratch.len() >= lines * count, "every worker has its scratch");
        Self { scratch, lines, count }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Cuts `out` into boxes of `tile`, smaller at the far ends, and calls `work` once for each, with scratch that
    /// holds anything. Neither the boxes nor what is written in them may depend on the number of workers or on the
    /// order in which they come: then the bits do not either.
    pub(crate) fn tiles<T: Copy + Send>(
        &mut self,
        out: ViewMut<'_, T>,
        tile: &[usize],
        work: impl Fn(TileMut<'_, T>, &mut [Line]) + Sync,
    ) {
        let tiles = TiledMut::new(out, tile);
        self.each(tiles.len(), &|index, behind, scratch| {
            // SAFETY: every index is handed out once, so no box is taken twice.
            let mut tile = unsafe { tiles.tile(index) };
            tile.next = (index + 1 < behind).then(|| tiles.place(index + 1).0);
            work(tile, scratch);
        });
    }

    /// Calls `work` once for every index below `total`, which it is told with the end of the range that it is one of.
    ///
    /// Each worker has a range of its own, and helps the others when it is through: neighbouring boxes, which share
    /// cache lines at their seams and samples around them, are seldom two workers' at the same time.
    ///
    /// `work` is called through a table: the pool's code is then compiled once, not for every caller again.
    fn each(&mut self, total: usize, work: &(dyn Fn(usize, usize, &mut [Line]) + Sync)) {
        let count = self.count.min(total);
        let ranges = count.min(RANGES);
        let range = |i: usize| (total * i / ranges, total * (i + 1) / ranges);
        let next: [AtomicUsize; RANGES] =
            std::array::from_fn(|i| AtomicUsize::new(if i < ranges { range(i).0 } else { 0 }));
        let drain = |(worker, scratch): (usize, &mut [Line])| {
            for i in (0..ranges).map(|i| (worker + i) % ranges) {
                loop {
                    let (index, end) = (next[i].fetch_add(1, Ordering::Relaxed), range(i).1);
                    if index >= end {
                        break;
                    }
                    work(index, end, scratch);
                }
            }
            fence();
        };
        #[cfg(feature = "parallel")]
        if count > 1 {
            use rayon::prelude::*;
            return self.scratch.par_chunks_mut(self.lines).take(count).enumerate().with_max_len(1).for_each(drain);
        }
        if count > 0 {
            drain((0, &mut self.scratch[..self.lines]));
        }
    }
}

/// Ranges that boxes are handed out from, at the most.
const RANGES: usize = 64;

/// An array cut into boxes of one shape, which threads write at the same time.
struct TiledMut<'a, T> {
    data: *mut T,
    axes: usize,
    shape: [usize; MAX_AXES],
    strides: [isize; MAX_AXES],
    tile: [usize; MAX_AXES],
    counts: [usize; MAX_AXES],
    lifetime: PhantomData<&'a mut [T]>,
}

// SAFETY: the pointer stands for a `&mut [T]`, which may be shared among threads as boxes that do not overlap: `tile`
// is unsafe and asks its caller to take no box twice.
unsafe impl<T: Send> Sync for TiledMut<'_, T> {}

impl<'a, T: Copy> TiledMut<'a, T> {
    /// Cuts `out` into boxes of `tile`; those at the far ends may be smaller.
    fn new(out: ViewMut<'a, T>, tile: &[usize]) -> Self {
        let axes = out.shape().len();
        assert_eq!(axes, tile.len(), "a tile has the rank of its array");
        let mut this = Self {
            // An empty array has no element to point at.
            data: if out.at.elements() == 0 { std::ptr::null_mut() } else { &raw mut out.data[out.at.offset()] },
            axes,
            shape: [1; MAX_AXES],
            strides: [0; MAX_AXES],
            tile: [1; MAX_AXES],
            counts: [1; MAX_AXES],
            lifetime: PhantomData,
        };
        this.shape[..axes].copy_from_slice(out.shape());
        this.strides[..axes].copy_from_slice(out.at.strides());
        for a in 0..axes {
            this.tile[a] = tile[a].clamp(1, this.shape[a].max(1));
            this.counts[a] = this.shape[a].div_ceil(this.tile[a]);
        }
        this
    }

    /// The number of boxes.
    fn len(&self) -> usize {
        self.counts[..self.axes].iter().product()
    }

    /// Where the box numbered `index` in C order begins, and its extents.
    fn place(&self, index: usize) -> ([usize; MAX_AXES], [usize; MAX_AXES]) {
        let (mut rest, mut start, mut shape) = (index, [0; MAX_AXES], [1; MAX_AXES]);
        for a in (0..self.axes).rev() {
            start[a] = rest % self.counts[a] * self.tile[a];
            rest /= self.counts[a];
            shape[a] = self.tile[a].min(self.shape[a] - start[a]);
        }
        (start, shape)
    }

    /// The box numbered `index` in C order.
    ///
    /// # Safety
    /// While the box lives, no other call may take the same one.
    unsafe fn tile(&self, index: usize) -> TileMut<'_, T> {
        assert!(index < self.len());
        let (start, shape) = self.place(index);
        let offset: isize = (0..self.axes).map(|a| start[a] as isize * self.strides[a]).sum();
        TileMut {
            // SAFETY: `start` lies within the array's shape, whose every element the view has checked to lie in its
            // slice.
            data: unsafe { self.data.offset(offset) },
            axes: self.axes,
            start,
            next: None,
            shape,
            strides: self.strides,
            lifetime: PhantomData,
        }
    }
}

/// One box of an array: the only one who writes there.
pub(crate) struct TileMut<'a, T> {
    data: *mut T,
    axes: usize,
    start: [usize; MAX_AXES],
    next: Option<[usize; MAX_AXES]>,
    shape: [usize; MAX_AXES],
    strides: [isize; MAX_AXES],
    lifetime: PhantomData<&'a mut T>,
}

impl<'a, T: Copy> TileMut<'a, T> {
    /// Both rows of a box of two.
    pub(crate) fn pair(self) -> [&'a mut [T]; 2] {
        assert!(self.axes == 2 && self.shape[0] == 2 && self.strides[1] == 1, "two contiguous rows");
        // SAFETY: both rows lie in this box, which nobody else reads or writes, and no element in both of them.
        [0, 1].map(|i| unsafe { std::slice::from_raw_parts_mut(self.at(&[i, 0], self.shape[1]), self.shape[1]) })
    }

    /// Where the box begins in its array.
    pub(crate) fn start(&self) -> &[usize] {
        &self.start[..self.axes]
    }

    /// Where the box begins that this worker is likely to take next: nothing but what is asked for may depend on it.
    pub(crate) fn next(&self) -> Option<&[usize]> {
        self.next.as_ref().map(|start| &start[..self.axes])
    }

    /// Elements from `index` on to the first that begins a cache line; 0 where none does.
    pub(crate) fn lead(&self, index: &[usize]) -> usize {
        match self.at(index, 1).align_offset(Line::BYTES) {
            usize::MAX => 0,
            lead => lead,
        }
    }

    /// The box's extents.
    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape[..self.axes]
    }

    /// Of a box that begins at a multiple of `every` on each spatial axis, the elements `first + j * every` of it; `None`
    /// where it has none.
    pub(crate) fn every(mut self, axes: impl Iterator<Item = (usize, usize)>) -> Option<Self> {
        for (a, (first, every)) in axes.enumerate().map(|(a, axis)| (2 + a, axis)) {
            assert!(self.start[a].is_multiple_of(every), "a box of whole periods");
            let left = self.shape[a].checked_sub(first).filter(|&left| left > 0)?;
            // SAFETY: the element `first` lies within the box.
            self.data = unsafe { self.data.offset(first as isize * self.strides[a]) };
            (self.start[a], self.shape[a]) = (self.start[a] / every, left.div_ceil(every));
            if let Some(next) = &mut self.next {
                next[a] /= every;
            }
            self.strides[a] *= every as isize;
        }
        Some(self)
    }

    /// The pointer to element `index` of the box, `len` elements of the last axis from there on being within it.
    fn at(&self, index: &[usize], len: usize) -> *mut T {
        assert!(index.len() == self.axes && len > 0);
        let mut offset = 0;
        for a in 0..self.axes {
            let end = if a + 1 == self.axes { index[a] + len - 1 } else { index[a] };
            assert!(end < self.shape[a], "an index outside its tile");
            offset += index[a] as isize * self.strides[a];
        }
        // SAFETY: the index lies within the box by the assertions above, and the box within the array's slice.
        unsafe { self.data.offset(offset) }
    }

    /// The `len` elements from `index` on along the last axis, whose stride must be 1.
    pub(crate) fn row(&mut self, index: &[usize], len: usize) -> &mut [T] {
        assert!(self.strides[self.axes - 1] == 1, "the last axis is contiguous");
        // SAFETY: `at` has checked that `len` elements from there on lie in this box, which nobody else reads or writes
        // while the borrow lives.
        unsafe { std::slice::from_raw_parts_mut(self.at(index, len), len) }
    }

    /// The `rows` of the last axis but one and `width` of the last from `index` on; `None` where the last axis is not
    /// contiguous.
    pub(crate) fn plane(&mut self, index: &[usize], rows: usize, width: usize) -> Option<Plane<'_, T>> {
        self.apart(index, rows, width).filter(|&(_, apart)| apart == 1).map(|(plane, _)| plane)
    }

    /// As [`plane`](Self::plane), of elements that may lie apart: how far comes second. `None` where they run backwards.
    pub(crate) fn apart(&mut self, index: &[usize], rows: usize, width: usize) -> Option<(Plane<'_, T>, usize)> {
        let axes = self.axes;
        let apart = usize::try_from(self.strides[axes - 1]).ok()?;
        let data = self.at(index, width);
        assert!(rows > 0 && index[axes - 2] + rows <= self.shape[axes - 2], "rows outside their tile");
        Some((Plane { data, pitch: self.strides[axes - 2], rows, width, lifetime: PhantomData }, apart))
    }

    /// As [`plane`](Self::plane), of `count` channels from the index' on.
    pub(crate) fn planes(&mut self, index: &[usize], [count, rows, width]: [usize; 3]) -> Option<Planes<'_, T>> {
        assert!(count > 0 && index[1] + count <= self.shape[1], "channels outside their tile");
        let step = self.strides[1];
        Some(Planes { first: self.plane(index, rows, width)?, step, count })
    }

    /// Lines of the last axis from `index` on, each a plane of as many channels as rows.
    pub(crate) fn lines(&mut self, index: &[usize], [lines, count, width]: [usize; 3]) -> Option<Planes<'_, T>> {
        let axes = self.axes;
        let inside = |axis: usize, count: usize| index[axis] + count <= self.shape[axis];
        assert!(
            lines == 1 || axes > 3 && inside(axes - 2, lines) && inside(axes - 1, width),
            "lines outside their tile"
        );
        let step = self.strides[axes - 2];
        Some(Planes { first: self.runs(index, count, width)?, step, count: lines })
    }

    /// The first `width` of the second axis at `count` places of the last from `index` on, as rows; `None` where the
    /// second axis is not contiguous, or the last runs backwards.
    pub(crate) fn pixels(&mut self, index: &[usize], count: usize, width: usize) -> Option<Plane<'_, T>> {
        let pitch = self.strides[self.axes - 1];
        if self.strides[1] != 1 || (pitch as usize) < width || pitch < 0 {
            return None;
        }
        let data = self.at(index, count);
        assert!(index[1] + width <= self.shape[1], "channels outside their tile");
        Some(Plane { data, pitch, rows: count, width, lifetime: PhantomData })
    }

    /// `len` elements from `index` on, of that many of the second axis as rows; they may go on over the ends of axes as
    /// long as all lie one behind the other. `None` where they do not.
    pub(crate) fn runs(&mut self, index: &[usize], count: usize, len: usize) -> Option<Plane<'_, T>> {
        // The last axes that are one run, and where in it the index is.
        let (mut extent, mut place) = (1, 0);
        for a in (2..self.axes).rev() {
            if self.shape[a] > 1 && self.strides[a] != extent as isize {
                break;
            }
            place += index[a] * extent;
            extent *= self.shape[a];
        }
        if place + len > extent {
            return None;
        }
        let data = self.at(index, 1);
        assert!(count > 0 && index[1] + count <= self.shape[1], "channels outside their tile");
        Some(Plane { data, pitch: self.strides[1], rows: count, width: len, lifetime: PhantomData })
    }

    /// Writes `row` along the last axis from `index` on.
    pub(crate) fn write(&mut self, index: &[usize], row: &[T]) {
        if self.strides[self.axes - 1] == 1 && !row.is_empty() {
            self.row(index, row.len()).copy_from_slice(row);
        } else {
            self.write_with(index, row.len(), |i| row[i]);
        }
    }

    /// Writes `value(0)`, …, `value(len - 1)` along the last axis from `index` on.
    #[inline(always)]
    pub(crate) fn write_with(&mut self, index: &[usize], len: usize, value: impl Fn(usize) -> T) {
        if len == 0 {
            return;
        }
        let (at, stride) = (self.at(index, len), self.strides[self.axes - 1]);
        if stride == 1 {
            // SAFETY: `at` has checked that `len` elements from there on, at stride 1, lie in this box, which nobody
            // else reads or writes while it lives.
            let row = unsafe { std::slice::from_raw_parts_mut(at, len) };
            row.iter_mut().enumerate().for_each(|(i, y)| *y = value(i));
        } else {
            for i in 0..len {
                // SAFETY: `at` has checked all `len` elements at the axis' stride.
                unsafe { *at.offset(i as isize * stride) = value(i) };
            }
        }
    }

    /// Sets every element.
    pub(crate) fn fill(&mut self, value: T) {
        let (axes, shape) = (self.axes, self.shape);
        let mut index = [0; MAX_AXES];
        let rows: usize = shape[..axes - 1].iter().product();
        for _ in 0..rows {
            self.write_with(&index[..axes], shape[axes - 1], |_| value);
            advance(&mut index[..axes - 1], &shape[..axes - 1]);
        }
    }
}

/// Contiguous rows at equal distances, which nobody else reads or writes.
pub(crate) struct Plane<'a, T> {
    data: *mut T,
    pub(super) pitch: isize,
    pub(super) rows: usize,
    pub(super) width: usize,
    lifetime: PhantomData<&'a mut T>,
}

/// Planes of one shape at equal distances, which nobody else reads or writes.
pub(crate) struct Planes<'a, T> {
    first: Plane<'a, T>,
    pub(super) step: isize,
    pub(super) count: usize,
}

impl<'a, T> From<Plane<'a, T>> for Planes<'a, T> {
    fn from(first: Plane<'a, T>) -> Self {
        Self { first, step: 0, count: 1 }
    }
}

impl<'a, T> Planes<'a, T> {
    /// `count` planes of a slice, `step` apart, of as many `rows`, `pitch` apart.
    pub(crate) fn of(data: &'a mut [T], [count, rows, width]: [usize; 3], [step, pitch]: [usize; 2]) -> Self {
        let end = rows.saturating_sub(1).saturating_mul(pitch).saturating_add(width);
        assert!(count <= 1 || end <= step, "planes do not overlap");
        assert!(count.saturating_sub(1).saturating_mul(step).saturating_add(end) <= data.len(), "the slice holds all");
        Self { first: Plane::of(data, pitch, rows, width), step: step as isize, count }
    }

    /// Lines of a slice, `step` apart, each a plane of as many `rows`, `pitch` apart, which all lines of one precede.
    #[cfg(test)]
    pub(super) fn lines(data: &'a mut [T], [count, rows, width]: [usize; 3], [step, pitch]: [usize; 2]) -> Self {
        assert!(width <= step && (count - 1) * step + width <= pitch && (rows - 1) * pitch < data.len());
        Self { first: Plane::of(data, pitch, rows, width), step: step as isize, count }
    }

    /// As [`of`](Self::of), of rows whose elements are to lie `apart`.
    #[cfg(test)]
    pub(super) fn apart(data: &'a mut [T], shape: [usize; 3], [step, pitch]: [usize; 2], apart: usize) -> Self {
        let [count, rows, width] = shape;
        assert!((count - 1) * step + (rows - 1) * pitch + (width - 1) * apart < data.len(), "the slice holds all");
        let first = Plane { data: data.as_mut_ptr(), pitch: pitch as isize, rows, width, lifetime: PhantomData };
        Self { first, step: step as isize, count }
    }

    /// The same elements of planes of one row in rows of `width`, if that divides them.
    pub(crate) fn folded(self, width: usize) -> Option<Self> {
        let Plane { data, rows, width: all, lifetime, .. } = self.first;
        (rows == 1 && all.is_multiple_of(width)).then_some(Self {
            first: Plane { data, pitch: width as isize, rows: all / width, width, lifetime },
            ..self
        })
    }

    /// Both of two.
    pub(crate) fn pair(self) -> [Plane<'a, T>; 2] {
        assert_eq!(self.count, 2, "a pair of planes");
        let Self { first: Plane { data, pitch, rows, width, .. }, step, .. } = self;
        let second = data.wrapping_offset(step);
        [data, second].map(|data| Plane { data, pitch, rows, width, lifetime: PhantomData })
    }

    /// Rows and width of each.
    pub(super) fn shape(&self) -> [usize; 2] {
        [self.first.rows, self.first.width]
    }

    /// # Safety
    /// There is such a plane.
    #[inline(always)]
    pub(super) unsafe fn plane(&self, i: usize) -> Plane<'_, T> {
        let Plane { pitch, rows, width, .. } = self.first;
        // SAFETY: the plane lies within the array, as who made the planes has checked.
        let data = unsafe { self.first.data.offset(i as isize * self.step) };
        Plane { data, pitch, rows, width, lifetime: PhantomData }
    }
}

impl<'a, T> Plane<'a, T> {
    /// The rows of a slice, `pitch` apart.
    pub(crate) fn of(data: &'a mut [T], pitch: usize, rows: usize, width: usize) -> Self {
        let end = rows.saturating_sub(1).saturating_mul(pitch).saturating_add(width);
        assert!(width <= pitch && end <= data.len(), "the slice holds all rows");
        Self { data: data.as_mut_ptr(), pitch: pitch as isize, rows, width, lifetime: PhantomData }
    }

    /// So many rows and elements of them, from a row and an element on.
    pub(crate) fn part(&mut self, [row, column]: [usize; 2], [rows, width]: [usize; 2]) -> Plane<'_, T> {
        assert!(row + rows <= self.rows && column + width <= self.width, "a part of the plane");
        // A part without elements may begin behind the plane.
        let data = self.data.wrapping_offset(row as isize * self.pitch + column as isize);
        Plane { data, pitch: self.pitch, rows, width, lifetime: PhantomData }
    }

    /// The same rows from a column on.
    ///
    /// # Safety
    /// There is such a column.
    #[inline(always)]
    pub(super) unsafe fn from(self, column: usize) -> Self {
        // SAFETY: the column lies within the first row, as who made the plane has checked.
        Self { data: unsafe { self.data.add(column) }, width: self.width - column, ..self }
    }

    /// The columns that precede the first whole cache line, where they are as many in every row and a register of `V` is a
    /// line.
    #[inline(always)]
    pub(super) fn lead<V: Vector<Lane = T>>(&self) -> Option<usize> {
        let (pitch, before) = (self.pitch.unsigned_abs() * size_of::<T>(), self.data.align_offset(Line::BYTES));
        (V::NATIVE && (self.rows == 1 || pitch.is_multiple_of(Line::BYTES)) && before < self.width).then_some(before)
    }

    /// Where the first row begins.
    #[inline(always)]
    pub(super) fn data(&self) -> *const T {
        self.data
    }

    /// Where a row begins.
    ///
    /// # Safety
    /// There is such a row.
    #[inline(always)]
    pub(super) unsafe fn row(&self, y: usize) -> *mut T {
        // SAFETY: the row lies within the array, as who made the plane has checked.
        unsafe { self.data.offset(y as isize * self.pitch) }
    }
}
