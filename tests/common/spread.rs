//! Arrays laid out in memory in any way.

use faltung::{Element, Layout, View, ViewMut};

use super::data::Random;

/// The strides of a dense array of this shape, its axes told as (batch, channels, spatial …) in both layouts.
pub fn dense_strides(shape: &[usize], layout: Layout) -> Vec<isize> {
    let mut order: Vec<usize> = (0..shape.len()).collect();
    if layout == Layout::ChannelsLast {
        order.remove(1);
        order.push(1);
    }
    let mut strides = vec![0; shape.len()];
    let mut step = 1;
    for &axis in order.iter().rev() {
        strides[axis] = step;
        step *= shape[axis] as isize;
    }
    strides
}

/// Calls `visit` with every index of the shape, in C order.
pub fn each_index(shape: &[usize], mut visit: impl FnMut(&[usize])) {
    let total: usize = shape.iter().product();
    let mut index = vec![0; shape.len()];
    for _ in 0..total {
        visit(&index);
        for a in (0..shape.len()).rev() {
            index[a] += 1;
            if index[a] < shape[a] {
                break;
            }
            index[a] = 0;
        }
    }
}

/// Where the element at `index` lies.
pub fn locate(index: &[usize], strides: &[isize], offset: usize) -> usize {
    let steps: isize = index.iter().zip(strides).map(|(&i, &s)| i as isize * s).sum();
    (offset as isize + steps) as usize
}

/// A dense array in the order of another layout.
pub fn relayout<T: Copy + Default>(data: &[T], shape: &[usize], from: Layout, to: Layout) -> Vec<T> {
    let (from, to) = (dense_strides(shape, from), dense_strides(shape, to));
    let mut out = vec![T::default(); data.len()];
    each_index(shape, |i| out[locate(i, &to, 0)] = data[locate(i, &from, 0)]);
    out
}

/// An array with its axes in any order and direction in memory, and gaps between its elements.
#[derive(Debug)]
pub struct Spread<T> {
    pub data: Vec<T>,
    pub shape: Vec<usize>,
    pub strides: Vec<isize>,
    pub offset: usize,
}

impl<T: Element> Spread<T> {
    /// An array whose elements and gaps all hold `fill`.
    pub fn filled(shape: &[usize], random: &mut Random, fill: T) -> Self {
        let mut order: Vec<usize> = (0..shape.len()).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, random.below(i + 1));
        }
        let mut strides = vec![0; shape.len()];
        let (mut step, mut offset) = (random.between(1, 3), random.below(3));
        for &axis in &order {
            strides[axis] = step;
            step = step * shape[axis].max(1) as isize + random.between(0, 2);
            if random.once_in(2) {
                strides[axis] = -strides[axis];
                offset += shape[axis].saturating_sub(1) * strides[axis].unsigned_abs();
            }
        }
        let lowest: isize =
            shape.iter().zip(&strides).map(|(&n, &s)| n.saturating_sub(1) as isize * s.min(0)).sum::<isize>();
        let reach: usize = shape.iter().zip(&strides).map(|(&n, &s)| n.saturating_sub(1) * s.unsigned_abs()).sum();
        let len = (offset as isize + lowest) as usize + reach + 1 + random.below(3);
        Self { data: vec![fill; len], shape: shape.to_vec(), strides, offset }
    }

    /// A copy of a dense array; the gaps hold `fill`.
    pub fn of(dense: &[T], shape: &[usize], layout: Layout, random: &mut Random, fill: T) -> Self {
        let mut this = Self::filled(shape, random, fill);
        let from = dense_strides(shape, layout);
        each_index(shape, |i| this.data[locate(i, &this.strides, this.offset)] = dense[locate(i, &from, 0)]);
        this
    }

    pub fn view(&self) -> View<'_, T> {
        View::new(&self.data, &self.shape, &self.strides, self.offset).expect("a view of the test's own making")
    }

    pub fn view_mut(&mut self) -> ViewMut<'_, T> {
        ViewMut::new(&mut self.data, &self.shape, &self.strides, self.offset).expect("a view of the test's own making")
    }

    /// The array as a dense one, and what its gaps hold.
    pub fn gather(&self, layout: Layout) -> (Vec<T>, Vec<T>) {
        let to = dense_strides(&self.shape, layout);
        let mut dense = vec![T::default(); self.shape.iter().product()];
        let mut used = vec![false; self.data.len()];
        each_index(&self.shape, |i| {
            let at = locate(i, &self.strides, self.offset);
            used[at] = true;
            dense[locate(i, &to, 0)] = self.data[at];
        });
        let gaps = self.data.iter().zip(used).filter(|(_, used)| !used).map(|(&v, _)| v).collect();
        (dense, gaps)
    }
}
