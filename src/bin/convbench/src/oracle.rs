//! What results should be: elements of them by the definition, in double precision.

use faltung::reference::Elements;
use faltung::{Boundary, Element, Error, Layout, Pass, Problem};
use rayon::prelude::*;

use crate::sample::{Operands, Random, Sample, magnitude, reads_at_once, widen};

/// How many elements of a result are computed. The definition takes some nanoseconds a product, so sums of millions of
/// terms are sampled more thinly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Products up to which every element is computed.
    pub(crate) wholly: f64,
    /// Random elements beyond that.
    pub(crate) random: usize,
    /// Products that the sample may cost, its corners aside.
    pub(crate) products: f64,
}

impl Effort {
    /// For a figure in a table.
    pub(crate) const GLANCE: Self = Self { wholly: 1e5, random: 512, products: 1e7 };
    /// For a verdict.
    pub(crate) const VERDICT: Self = Self { wholly: 2e7, random: 4096, products: 2e8 };
    /// For the largest of many errors.
    pub(crate) const ERRORS: Self = Self { wholly: 1e8, random: 65536, products: 1e9 };
}

/// Elements of a problem's result, computed by the definition.
pub(crate) struct Expected<W> {
    shape: Vec<usize>,
    layout: Layout,
    /// The elements' indices, one behind the other.
    indices: Vec<usize>,
    values: Vec<W>,
}

impl<W: Element<Real = f64>> Expected<W> {
    /// Computes a sample of the result: every element of a small one; else the corners, elements along the edges, and
    /// random ones.
    pub(crate) fn new<T: Sample<Wide = W>>(
        problem: &Problem,
        operands: &Operands<T>,
        effort: Effort,
    ) -> Result<Self, Error> {
        let [_, _, shape] = problem.operands();
        let indices = choose(&shape, problem.terms().max(1) as f64, effort);
        let first: Vec<W> = operands.first.par_iter().map(|&v| widen(v)).collect();
        let second: Vec<W> = operands.second.par_iter().map(|&v| widen(v)).collect();
        // Fails here where the operands do not fit, so that the parallel loop has no error but this one.
        Elements::new(problem, &first, &second)?;
        let values = indices
            .par_chunks(shape.len())
            .map(|index| Elements::new(problem, &first, &second)?.at(index))
            .collect::<Result<_, _>>()?;
        let layout = if problem.pass() == Pass::WeightGradient { Layout::ChannelsFirst } else { problem.layout() };
        Ok(Self { shape, layout, indices, values })
    }

    /// The sampled elements: index, what is in `result` there, what should be.
    pub(crate) fn against<'a, T: Sample<Wide = W>>(
        &'a self,
        result: &'a [T],
    ) -> impl Iterator<Item = (&'a [usize], W, W)> + 'a {
        let indices = self.indices.chunks(self.shape.len());
        indices.zip(&self.values).map(|(i, &value)| (i, widen(result[offset(&self.shape, self.layout, i)]), value))
    }

    /// The largest error of the sample, relative to the root mean square of the sample.
    pub(crate) fn relative_error<T: Sample<Wide = W>>(&self, result: &[T]) -> f64 {
        let (mut largest, mut squares) = (0.0f64, 0.0f64);
        for (_, got, want) in self.against(result) {
            let error = magnitude(got - want);
            if error.is_nan() {
                return f64::NAN;
            }
            largest = largest.max(error);
            squares += magnitude(want).powi(2);
        }
        let rms = (squares / self.values.len().max(1) as f64).sqrt();
        if rms > 0.0 { largest / rms } else { largest }
    }

    /// What should be, of each element sampled.
    pub(crate) fn values(&self) -> impl Iterator<Item = W> + '_ {
        self.values.iter().copied()
    }

    /// How many elements are sampled.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }
}

/// Where the element at `index`, (batch, channel, spatial …), lies in a dense array.
fn offset(shape: &[usize], layout: Layout, index: &[usize]) -> usize {
    let join = |at: usize, a: usize| at * shape[a] + index[a];
    match layout {
        Layout::ChannelsFirst => (0..shape.len()).fold(0, join),
        Layout::ChannelsLast => std::iter::once(0).chain(2..shape.len()).chain([1]).fold(0, join),
    }
}

/// The indices of the elements to compute, one behind the other.
fn choose(shape: &[usize], terms: f64, effort: Effort) -> Vec<usize> {
    let total: usize = shape.iter().product();
    let mut indices = Vec::new();
    if total == 0 {
        return indices;
    }
    if total as f64 * terms <= effort.wholly {
        for mut linear in 0..total {
            let start = indices.len();
            indices.resize(start + shape.len(), 0);
            for a in (0..shape.len()).rev() {
                indices[start + a] = linear % shape[a];
                linear /= shape[a];
            }
        }
        return indices;
    }
    let wide: Vec<usize> = (0..shape.len()).filter(|&a| shape[a] > 1).collect();
    for corner in 0..1usize << wide.len() {
        let start = indices.len();
        indices.resize(start + shape.len(), 0);
        for (bit, &a) in wide.iter().enumerate() {
            indices[start + a] = (corner >> bit & 1) * (shape[a] - 1);
        }
    }
    let mut random = Random::new(3);
    let most = ((effort.products / terms) as usize).clamp(16, effort.random);
    for i in 0..most + most / 4 {
        let start = indices.len();
        indices.extend(shape.iter().map(|&n| random.below(n)));
        // Beyond the random ones come those along the edges: one coordinate is the first or the last.
        if i >= most && !wide.is_empty() {
            let a = wide[random.below(wide.len())];
            indices[start + a] = random.below(2) * (shape[a] - 1);
        }
    }
    indices
}

/// The error of the definition itself in double precision, as a multiple of what a plan's bound is one of.
pub(crate) fn own_error(problem: &Problem) -> f64 {
    f64::EPSILON * (2.0 + 2.0 * (problem.terms() as f64).sqrt())
}

/// What [`Plan::error_bound`](faltung::Plan::error_bound) is a multiple of, a channel of the result.
pub(crate) struct Scales {
    values: Vec<f64>,
    /// The axis of the result's index that they are told along.
    axis: usize,
}

impl Scales {
    pub(crate) fn new<T: Sample>(problem: &Problem, operands: &Operands<T>) -> Self {
        let axis = if problem.pass() == Pass::WeightGradient { 0 } else { 1 };
        Self { values: scales(problem, operands), axis }
    }

    /// That of the element at `index`.
    pub(crate) fn at(&self, index: &[usize]) -> f64 {
        self.values[index[self.axis]]
    }
}

/// The largest magnitude in the first operand times the 2-norm of those elements of the second that enter a channel's
/// sums.
fn scales<T: Sample>(problem: &Problem, operands: &Operands<T>) -> Vec<f64> {
    let mut largest = operands.first.par_iter().map(|&v| magnitude(v)).reduce(|| 0.0, f64::max);
    if let Boundary::Constant(v) = problem.boundary() {
        largest = largest.max(v.abs());
    }
    let kernel = problem.kernel_shape();
    let (outs, ins, groups) = (problem.out_channels(), kernel[1], problem.groups());
    let taps: usize = kernel[2..].iter().product();
    let square = |v: &T| magnitude(*v).powi(2);
    let second = &operands.second;
    let sums: Vec<f64> = match problem.pass() {
        Pass::Forward => second.chunks((ins * taps).max(1)).map(|w| w.iter().map(square).sum()).collect(),
        Pass::InputGradient => {
            let mut sums = vec![0.0; problem.in_channels()];
            for (i, w) in second.chunks(taps.max(1)).enumerate() {
                let (co, ci) = (i / ins, i % ins);
                sums[co / (outs / groups) * ins + ci] += w.iter().map(square).sum::<f64>();
            }
            sums
        }
        Pass::WeightGradient => {
            let mut sums = vec![0.0; outs];
            match problem.layout() {
                Layout::ChannelsLast => {
                    for pixel in second.chunks(outs) {
                        sums.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += square(v));
                    }
                }
                Layout::ChannelsFirst => {
                    let plane: usize = problem.output_shape()[2..].iter().product();
                    for (i, g) in second.chunks(plane.max(1)).enumerate() {
                        sums[i % outs] += g.iter().map(square).sum::<f64>();
                    }
                }
            }
            sums
        }
    };
    let repeated = reads_at_once(problem);
    sums.into_iter().map(|sum| largest * (sum * repeated).sqrt()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Kind;

    #[test]
    fn a_small_result_is_taken_wholly_and_a_large_one_with_its_corners() {
        let whole = choose(&[2, 3, 4], 10.0, Effort::VERDICT);
        assert_eq!(whole.len(), 24 * 3);
        assert_eq!(whole[whole.len() - 3..], [1, 2, 3]);
        let part = choose(&[2, 1, 1_000_000], 1e6, Effort::VERDICT);
        for corner in [[0, 0, 0], [1, 0, 0], [0, 0, 999_999], [1, 0, 999_999]] {
            assert!(part.chunks(3).any(|i| i == corner));
        }
        assert!(part.len() / 3 < 300);
        assert!(choose(&[0, 3, 4], 10.0, Effort::VERDICT).is_empty());
    }

    /// The scale of an element bounds it, up to the root of the number of terms, whatever the layout and the pass.
    #[test]
    fn scales_belong_to_their_channels() {
        for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
            for pass in Pass::ALL {
                let problem = Problem::layer(2, 4, 6, &[5, 7], &[3, 2]).groups(2).layout(layout).pass(pass);
                let problem = problem.build().unwrap();
                let mut operands: Operands<f64> = Operands::random(&problem, Kind::Normal).unwrap();
                operands.first.fill(1.0);
                // One element of the second operand: every channel whose scale is not zero must be reached by it.
                operands.second.fill(0.0);
                let middle = operands.second.len() / 2 + 3;
                operands.second[middle] = 5.0;
                let scales = Scales::new(&problem, &operands);
                assert_eq!(scales.values.iter().filter(|&&s| s == 5.0).count(), 1, "{pass} {layout}");
                let result = faltung::reference::compute(&problem, &operands.first, &operands.second).unwrap();
                let expected = Expected::new(&problem, &operands, Effort::VERDICT).unwrap();
                for (index, got, want) in expected.against(&result) {
                    assert_eq!(got, want);
                    let scale = scales.at(index);
                    assert!(want.abs() <= scale, "{pass} {layout} {index:?}: {want} beyond {scale}");
                }
            }
        }
    }
}
