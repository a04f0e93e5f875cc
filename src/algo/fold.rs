//! The input gradient under a boundary that reads data: the gradient of the extended input, folded back.

use std::sync::Arc;

use super::{Call, Costs, Estimate, Execute, Needs};
use crate::element::Element;
use crate::problem::{Boundary, Layout, MAX_RANK, Pass, Problem, SpatialAxis};
use crate::simd::{self, Line, Workers};
use crate::view::{MAX_AXES, Strided, View, ViewMut, advance};

/// The problem whose result is folded: zero outside, and every position that a tap reads part of the input. `None`
/// where nothing needs folding.
pub(crate) fn extended(problem: &Problem) -> Option<Problem> {
    if problem.pass != Pass::InputGradient || !problem.boundary.reads_data() {
        return None;
    }
    let mut wide = Problem { boundary: Boundary::Zero, layout: Layout::ChannelsFirst, ..problem.clone() };
    for axis in &mut wide.axes {
        axis.input = (axis.output - 1) * axis.stride + axis.span();
        axis.padding = 0;
    }
    Some(wide)
}

/// The estimate of the folded problem from that of the extended one.
pub(crate) fn estimate(costs: &Costs, wide: &Problem, inner: Estimate) -> Estimate {
    let elements = wide.input_shape().iter().fold(1usize, |a, &n| a.saturating_mul(n));
    let lines = elements.saturating_mul(wide.dtype.size()).div_ceil(Line::BYTES);
    Estimate {
        seconds: inner.seconds + elements as f64 * costs.fold,
        needs: Needs { shared: inner.needs.shared.saturating_add(lines), ..inner.needs },
        error: inner.error,
    }
}

/// An algorithm for the extended problem, and where its results belong.
#[derive(Debug)]
pub(crate) struct Fold<T> {
    inner: Arc<dyn Execute<T>>,
    wide: Strided,
    readers: Vec<Readers>,
    needs: Needs,
}

/// For every sample of an axis, the extended positions that read it: those of sample `i` are
/// `positions[starts[i]..starts[i + 1]]`.
#[derive(Debug)]
struct Readers {
    starts: Vec<usize>,
    positions: Vec<usize>,
}

impl Readers {
    fn new(axis: &SpatialAxis, wide: usize, boundary: Boundary) -> Self {
        let source = |e: usize| boundary.source(e as isize - axis.padding, axis.input);
        let mut starts = vec![0; axis.input + 1];
        for i in (0..wide).filter_map(source) {
            starts[i + 1] += 1;
        }
        for i in 0..axis.input {
            starts[i + 1] += starts[i];
        }
        let (mut next, mut positions) = (starts.clone(), vec![0; starts[axis.input]]);
        for e in 0..wide {
            if let Some(i) = source(e) {
                positions[next[i]] = e;
                next[i] += 1;
            }
        }
        Self { starts, positions }
    }

    fn of(&self, i: usize) -> &[usize] {
        &self.positions[self.starts[i]..self.starts[i + 1]]
    }
}

impl<T: Element> Fold<T> {
    pub(crate) fn new(problem: &Problem, wide: &Problem, inner: Arc<dyn Execute<T>>) -> Self {
        let readers =
            problem.axes.iter().zip(&wide.axes).map(|(a, w)| Readers::new(a, w.input, problem.boundary)).collect();
        let shape = wide.input_shape();
        let own = Line::holding::<T>(shape.iter().product());
        let row = Line::holding::<T>(problem.axes.last().map_or(1, |a| a.input));
        let needs = inner.needs();
        let needs = Needs { shared: needs.shared + own, worker: needs.worker.max(row), ..needs };
        Self { wide: Strided::dense(&shape, Layout::ChannelsFirst), inner, readers, needs }
    }
}

impl<T: Element> Execute<T> for Fold<T> {
    fn needs(&self) -> Needs {
        self.needs
    }

    fn takes_non_finite(&self) -> bool {
        self.inner.takes_non_finite()
    }

    fn packs_within(&self) -> bool {
        self.inner.packs_within()
    }

    fn pack(&self, kernel: View<'_, T>, packed: &mut [Line], workers: &mut Workers<'_>) {
        self.inner.pack(kernel, packed, workers);
    }

    fn run(&self, call: Call<'_, '_, T>) {
        let mut shared = call.shared;
        let gradient = simd::split::<T>(&mut shared, self.wide.elements());
        let out = ViewMut { data: &mut *gradient, at: self.wide };
        self.inner.run(Call { first: call.first, second: call.second, out, shared, workers: &mut *call.workers });
        let rank = self.readers.len();
        let mut tile = [1; MAX_AXES];
        tile[1 + rank] = usize::MAX;
        let gradient = &*gradient;
        call.workers.tiles(call.out, &tile[..2 + rank], |mut tile, mut scratch| {
            let row = simd::split::<T>(&mut scratch, tile.shape()[1 + rank]);
            row.fill(T::default());
            let last = &self.readers[rank - 1];
            let outer: [&[usize]; MAX_RANK] =
                std::array::from_fn(|a| if a + 1 < rank { self.readers[a].of(tile.start()[2 + a]) } else { &[0] });
            let counts: [usize; MAX_RANK] = std::array::from_fn(|a| outer[a].len());
            let mut choice = [0; MAX_RANK];
            for _ in 0..counts.iter().product() {
                let mut at = self.wide.channel(tile.start()[0], tile.start()[1]) as usize;
                for a in 0..rank - 1 {
                    at += self.wide.step(a, outer[a][choice[a]]) as usize;
                }
                for (i, y) in row.iter_mut().enumerate() {
                    for &e in last.of(i) {
                        *y += gradient[at + e];
                    }
                }
                advance(&mut choice, &counts);
            }
            tile.write(&[0; MAX_AXES][..2 + rank], row);
        });
    }
}
