//! A problem with its data, its answer and what the error is measured by.

use faltung::{Boundary, Element, Layout, Pass, Problem, reference};

use super::data::{Random, integers, magnitude, normals};

/// A problem with its operands and the result that is expected.
#[derive(Clone, Debug)]
pub struct Case<T> {
    pub problem: Problem,
    pub first: Vec<T>,
    pub second: Vec<T>,
    pub expected: Vec<T>,
    /// For each element of the result what [`faltung::Plan::error_bound`] is a multiple of.
    pub scale: Vec<f64>,
    /// For each element of the result, how far the expected value itself may be off.
    pub slack: Vec<f64>,
}

/// The layouts of the first operand, the second and the result; kernels have one only.
pub fn layouts(problem: &Problem) -> [Layout; 3] {
    let (data, kernel) = (problem.layout(), Layout::ChannelsFirst);
    match problem.pass() {
        Pass::WeightGradient => [data, data, kernel],
        _ => [data, kernel, data],
    }
}

/// The lengths of the first operand, the second and the result.
pub fn lengths(problem: &Problem) -> [usize; 3] {
    problem.operands().map(|shape| shape.iter().product())
}

impl<T: Element> Case<T> {
    /// Whole numbers, so small that every sum is exact in every element type.
    pub fn integers(problem: &Problem, random: &mut Random) -> Self {
        let [a, b, _] = lengths(problem);
        let most = if problem.terms() > 1 << 12 { 3 } else { 9 };
        Self::new(problem, integers(random, a, most), integers(random, b, most))
    }

    /// Operands with the answer that the definition gives in their own element type.
    pub fn new(problem: &Problem, first: Vec<T>, second: Vec<T>) -> Self {
        let expected = reference::compute(problem, &first, &second).expect("operands of the problem's lengths");
        let scale = scales(problem, &first, &second);
        let slack = vec![0.0; expected.len()];
        Self { problem: problem.clone(), first, second, expected, scale, slack }
    }
}

impl Case<f32> {
    /// Normal numbers with the answer that the definition gives in double precision.
    pub fn normals(problem: &Problem, random: &mut Random) -> Self {
        let [a, b, _] = lengths(problem);
        let (first, second) = (normals::<f32>(random, a), normals::<f32>(random, b));
        let wide = |v: &[f32]| -> Vec<f64> { v.iter().map(|&v| v as f64).collect() };
        let exact = reference::compute(problem, &wide(&first), &wide(&second)).expect("the same lengths");
        let scale = scales(problem, &first, &second);
        let slack = exact.iter().map(|v| v.abs() * f32::EPSILON as f64).collect();
        let expected = exact.iter().map(|&v| v as f32).collect();
        Self { problem: problem.clone(), first, second, expected, scale, slack }
    }
}

/// For each element of the result, the largest finite magnitude in the first operand times the 2-norm of those elements
/// of the second that enter the sum.
pub fn scales<T: Element>(problem: &Problem, first: &[T], second: &[T]) -> Vec<f64> {
    let finite = |v: &&T| magnitude(**v).is_finite();
    let mut largest = first.iter().filter(finite).map(|&v| magnitude(v)).fold(0.0, f64::max);
    if let (Boundary::Constant(v), false) = (problem.boundary(), problem.pass() == Pass::InputGradient) {
        largest = largest.max(v.abs());
    }
    let [_, b, c] = problem.operands();
    let [_, lb, lc] = layouts(problem);
    let (co, ci) = (problem.out_channels() / problem.groups(), problem.in_channels() / problem.groups());
    let channels = if problem.pass() == Pass::InputGradient { problem.in_channels() } else { problem.out_channels() };
    let mut squares = vec![0.0; channels];
    for (i, v) in second.iter().enumerate().filter(|(_, v)| finite(v)) {
        let square = magnitude(*v) * magnitude(*v);
        let [outer, inner] = pair_of(i, &b, lb);
        match problem.pass() {
            Pass::Forward => squares[outer] += square,
            Pass::InputGradient => squares[outer / co * ci + inner] += square,
            Pass::WeightGradient => squares[inner] += square,
        }
    }
    let times = multiplicity(problem) as f64;
    let total: usize = c.iter().product();
    (0..total)
        .map(|i| {
            let [outer, inner] = pair_of(i, &c, lc);
            let channel = if problem.pass() == Pass::WeightGradient { outer } else { inner };
            largest * (squares[channel] * times).sqrt()
        })
        .collect()
}

/// The first two indices of element `i` of a dense array.
fn pair_of(i: usize, shape: &[usize], layout: Layout) -> [usize; 2] {
    let spatial: usize = shape[2..].iter().product();
    match layout {
        Layout::ChannelsFirst => [i / spatial / shape[1], i / spatial % shape[1]],
        Layout::ChannelsLast => [i / spatial / shape[1], i % shape[1]],
    }
}

/// How often a weight enters the gradient of one input at the most: more than once where the boundary reads the
/// data again.
fn multiplicity(problem: &Problem) -> usize {
    if problem.pass() != Pass::InputGradient || !problem.boundary().reads_data() {
        return 1;
    }
    let most = |axis: &faltung::SpatialAxis| {
        let mut count = vec![0usize; axis.input() * axis.kernel()];
        for o in 0..axis.output() {
            for t in 0..axis.kernel() {
                let position = (o * axis.stride() + t * axis.dilation()) as isize - axis.padding();
                if let Some(i) = problem.boundary().source(position, axis.input()) {
                    count[i * axis.kernel() + t] += 1;
                }
            }
        }
        count.into_iter().max().unwrap_or(1).max(1)
    };
    problem.axes().iter().map(most).product()
}
