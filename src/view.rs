//! Plain views of a slice with a shape and strides: what arrays of any library become below the surface.

use crate::error::{Error, Result};
use crate::problem::{Layout, MAX_RANK};

/// The largest number of axes of a view: batch, channels and the spatial ones.
pub(crate) const MAX_AXES: usize = MAX_RANK + 2;

/// Shape and strides, in elements, of up to [`MAX_AXES`] axes, and where the first element lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Strided {
    axes: usize,
    shape: [usize; MAX_AXES],
    strides: [isize; MAX_AXES],
    offset: usize,
}

impl Strided {
    /// Checks that every element lies within a slice of `len` elements.
    fn new(len: usize, shape: &[usize], strides: &[isize], offset: usize) -> Result<Self> {
        if shape.len() > MAX_AXES {
            return Err(Error::argument("shape", format!("at most {MAX_AXES} axes"), shape.len()));
        }
        if shape.len() != strides.len() {
            return Err(Error::argument("strides", format!("{} strides, one an axis", shape.len()), strides.len()));
        }
        let mut view = Self { axes: shape.len(), shape: [1; MAX_AXES], strides: [0; MAX_AXES], offset };
        view.shape[..shape.len()].copy_from_slice(shape);
        view.strides[..shape.len()].copy_from_slice(strides);
        if shape.contains(&0) {
            return Ok(view);
        }
        let (mut low, mut high) = (offset as i128, offset as i128);
        for (&n, &s) in shape.iter().zip(strides) {
            let reach = (n as i128 - 1).saturating_mul(s as i128);
            let end = if reach < 0 { &mut low } else { &mut high };
            *end = end.saturating_add(reach);
        }
        if low < 0 || high >= len as i128 {
            let expected = format!("shape and strides that stay within the slice's {len} elements");
            return Err(Error::argument("strides", expected, format!("elements {low} to {high}")));
        }
        Ok(view)
    }

    /// The strides of an array of this shape, dense in the order of `layout`.
    pub(crate) fn dense(shape: &[usize], layout: Layout) -> Self {
        let mut view = Self { axes: shape.len(), shape: [1; MAX_AXES], strides: [0; MAX_AXES], offset: 0 };
        view.shape[..shape.len()].copy_from_slice(shape);
        let mut step = 1usize;
        let mut lay = |axis: usize| {
            view.strides[axis] = step as isize;
            step = step.saturating_mul(shape[axis]);
        };
        match layout {
            Layout::ChannelsLast if shape.len() > 1 => {
                lay(1);
                (2..shape.len()).rev().for_each(&mut lay);
                lay(0);
            }
            _ => (0..shape.len()).rev().for_each(&mut lay),
        }
        view
    }

    /// The same with so many elements from one channel to the next; of a dense array.
    pub(crate) fn apart(mut self, channel: usize) -> Self {
        self.strides[..2].copy_from_slice(&[(channel * self.shape[1]) as isize, channel as isize]);
        self
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape[..self.axes]
    }
    pub(crate) fn strides(&self) -> &[isize] {
        &self.strides[..self.axes]
    }
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }
    pub(crate) fn elements(&self) -> usize {
        self.shape().iter().product()
    }

    /// Where the element at `index`, which must lie within the shape, is in the slice.
    pub(crate) fn element(&self, index: &[usize]) -> usize {
        let steps: isize = index.iter().zip(self.strides()).map(|(&i, &s)| i as isize * s).sum();
        (self.offset as isize + steps) as usize
    }

    /// Where the element at the first two indices and zeros lies.
    pub(crate) fn channel(&self, first: usize, second: usize) -> isize {
        self.offset as isize + first as isize * self.strides[0] + second as isize * self.strides[1]
    }

    /// How far index `i` of the spatial axis `axis` lies from index 0.
    pub(crate) fn step(&self, axis: usize, i: usize) -> isize {
        i as isize * self.strides[2 + axis]
    }

    /// Whether two indices may share an element. Sufficient for soundness: every stride steps over all that the
    /// smaller ones reach.
    fn may_overlap(&self) -> bool {
        if self.shape().contains(&0) {
            return false;
        }
        let mut order = [(0, 0); MAX_AXES];
        let mut axes = 0;
        for (&n, &s) in self.shape().iter().zip(self.strides()).filter(|&(&n, _)| n > 1) {
            order[axes] = (s.unsigned_abs(), n);
            axes += 1;
        }
        let order = &mut order[..axes];
        order.sort_unstable();
        let mut reach = 0usize;
        order.iter().any(|&(step, n)| {
            let overlaps = step <= reach;
            reach = reach.saturating_add(step.saturating_mul(n - 1));
            overlaps
        })
    }
}

/// A read-only array of up to eight axes over a slice: shape and strides of any sign, also zero.
///
/// ```
/// use faltung::View;
/// // The columns of a 2 x 3 array, from the last to the first.
/// let data = [1, 2, 3, 4, 5, 6];
/// let view = View::new(&data, &[3, 2], &[-1, 3], 2)?;
/// assert_eq!(view.shape(), [3, 2]);
/// assert!(View::new(&data, &[3, 2], &[-1, 3], 1).is_err());
/// # Ok::<(), faltung::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) at: Strided,
}

impl<'a, T> View<'a, T> {
    /// A view of `data` whose first element lies at `offset`.
    ///
    /// # Errors
    /// [`Error::Argument`] where an element would lie outside the slice, or the axes are more than eight.
    ///
    /// ```
    /// use faltung::View;
    /// // One sample, seen as a thousand.
    /// let view = View::new(&[1.0], &[1, 1, 1000], &[0, 0, 0], 0)?;
    /// assert_eq!(view.shape(), [1, 1, 1000]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn new(data: &'a [T], shape: &[usize], strides: &[isize], offset: usize) -> Result<Self> {
        Ok(Self { at: Strided::new(data.len(), shape, strides, offset)?, data })
    }

    /// A dense array in C order.
    ///
    /// # Errors
    /// [`Error::Argument`] where the slice is shorter than the shape says.
    ///
    /// ```
    /// let data = [1.0f32; 6];
    /// assert!(faltung::View::dense(&data, &[2, 3]).is_ok());
    /// assert!(faltung::View::dense(&data, &[3, 3]).is_err());
    /// ```
    pub fn dense(data: &'a [T], shape: &[usize]) -> Result<Self> {
        if shape.len() > MAX_AXES {
            return Err(Error::argument("shape", format!("at most {MAX_AXES} axes"), shape.len()));
        }
        let at = Strided::dense(shape, Layout::ChannelsFirst);
        Self::new(data, shape, at.strides(), 0)
    }

    /// A dense array whose length must be the shape's.
    pub(crate) fn of_operand(name: &'static str, data: &'a [T], shape: &[usize], layout: Layout) -> Result<Self> {
        Self::laid(name, data, Strided::dense(shape, layout))
    }

    /// An array that lies as `at`, which is dense, says; its length must be the shape's.
    pub(crate) fn laid(name: &'static str, data: &'a [T], at: Strided) -> Result<Self> {
        if data.len() != at.elements() {
            return Err(Error::shape(name, at.shape(), &[data.len()]));
        }
        Ok(Self { data, at })
    }

    /// The extent of each axis.
    ///
    /// ```
    /// let data = [0.0; 6];
    /// assert_eq!(faltung::View::dense(&data, &[2, 3])?.shape(), [2, 3]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn shape(&self) -> &[usize] {
        self.at.shape()
    }
}

impl<T: Copy> View<'_, T> {
    /// What lies at the first two indices.
    pub(crate) fn plane(&self, first: usize, second: usize) -> Self {
        let mut at = self.at;
        at.offset = at.channel(first, second) as usize;
        at.shape[..2].fill(1);
        View { data: self.data, at }
    }

    /// Copies every element, in C order, to a slice as long as the view.
    pub(crate) fn copy_to(&self, out: &mut [T]) {
        let (shape, strides) = (self.at.shape(), self.at.strides());
        if out.is_empty() {
            return;
        }
        let last = shape.len() - 1;
        let mut index = [0; MAX_AXES];
        for row in out.chunks_exact_mut(shape[last]) {
            let start = self.at.element(&index[..=last]);
            if strides[last] == 1 {
                row.copy_from_slice(&self.data[start..start + shape[last]]);
            } else {
                for (i, y) in row.iter_mut().enumerate() {
                    *y = self.data[(start as isize + i as isize * strides[last]) as usize];
                }
            }
            advance(&mut index[..last], &shape[..last]);
        }
    }
}

/// A writable array over a slice: shape and strides of any sign, no two indices on one element.
///
/// ```
/// use faltung::ViewMut;
/// let mut data = [0.0f32; 6];
/// assert!(ViewMut::new(&mut data, &[2, 3], &[3, -1], 2).is_ok());
/// assert!(ViewMut::new(&mut data, &[2, 3], &[0, 1], 0).is_err());
/// ```
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    pub(crate) data: &'a mut [T],
    pub(crate) at: Strided,
}

impl<'a, T> ViewMut<'a, T> {
    /// A view of `data` whose first element lies at `offset`.
    ///
    /// # Errors
    /// [`Error::Argument`] where an element would lie outside the slice, two indices might share one, or the axes are
    /// more than eight.
    ///
    /// ```
    /// use faltung::ViewMut;
    /// let mut data = [0.0; 6];
    /// // The second of three interleaved channels; two rows of which the second begins within the first.
    /// assert!(ViewMut::new(&mut data, &[2], &[3], 1).is_ok());
    /// assert!(ViewMut::new(&mut data, &[2, 3], &[2, 1], 0).is_err());
    /// ```
    pub fn new(data: &'a mut [T], shape: &[usize], strides: &[isize], offset: usize) -> Result<Self> {
        let at = Strided::new(data.len(), shape, strides, offset)?;
        if at.may_overlap() {
            let expected = "strides by which no two indices share an element";
            return Err(Error::argument("strides", expected, format!("{strides:?} for shape {shape:?}")));
        }
        Ok(Self { data, at })
    }

    /// The extent of each axis.
    ///
    /// ```
    /// let mut data = [0.0; 6];
    /// assert_eq!(faltung::ViewMut::new(&mut data, &[2, 3], &[3, 1], 0)?.shape(), [2, 3]);
    /// # Ok::<(), faltung::Error>(())
    /// ```
    pub fn shape(&self) -> &[usize] {
        self.at.shape()
    }

    /// The same elements, for a shorter time.
    pub(crate) fn reborrow(&mut self) -> ViewMut<'_, T> {
        ViewMut { data: &mut *self.data, at: self.at }
    }

    /// The elements `first + j * every` of each spatial axis, `j < count`.
    pub(crate) fn every(&mut self, axes: impl Iterator<Item = (usize, usize, usize)>) -> ViewMut<'_, T> {
        let mut at = self.at;
        for (a, (first, every, count)) in axes.enumerate() {
            at.offset = (at.offset as isize + self.at.step(a, first)) as usize;
            at.strides[2 + a] *= every as isize;
            at.shape[2 + a] = count;
        }
        ViewMut { data: &mut *self.data, at }
    }

    /// The box of these extents that begins at `start`.
    pub(crate) fn part(&mut self, start: &[usize], shape: &[usize]) -> ViewMut<'_, T> {
        let whole = self.at.shape().iter();
        assert!(start.iter().zip(shape).zip(whole).all(|((s, n), whole)| s + n <= *whole), "a box within the array");
        let mut at = self.at;
        at.offset = at.element(start);
        at.shape[..shape.len()].copy_from_slice(shape);
        ViewMut { data: &mut *self.data, at }
    }

    /// An array that lies as `at`, which is dense, says; its length must be the shape's.
    pub(crate) fn laid(name: &'static str, data: &'a mut [T], at: Strided) -> Result<Self> {
        if data.len() != at.elements() {
            return Err(Error::shape(name, at.shape(), &[data.len()]));
        }
        Ok(Self { data, at })
    }
}

/// Goes on to the next index in C order; wraps to zeros behind the last.
pub(crate) fn advance(index: &mut [usize], shape: &[usize]) {
    for (i, &n) in index.iter_mut().zip(shape).rev() {
        *i += 1;
        if *i < n {
            return;
        }
        *i = 0;
    }
}
