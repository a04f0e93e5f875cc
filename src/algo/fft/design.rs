//! The choice of transform sizes, and what a design costs.

use super::geometry::Geometry;
use super::{forward, weight};
use crate::algo::Estimate;
use crate::problem::{Pass, Problem};
use crate::transform::{self, good_size};

/// Seconds a butterfly operation of a row that stays in the cache, single precision.
const ROW: f64 = 1.0 / 75e9;
/// The same of rows that do not.
const LONG_ROW: f64 = 1.0 / 40e9;
/// Rows that count as long.
const LONG: f64 = 300_000.0;
/// Seconds an element of the passes through scratch of axes that are not the last.
const COLUMN: f64 = 0.9e-9;
/// Seconds a sample that is gathered, and looked through.
const GATHER: f64 = 0.5e-9;
/// Seconds an element of a kernel's spectrum that is written.
const PACK: f64 = 2.5e-9;
/// Seconds a complex product that is added up where the spectra stay in the cache.
const PRODUCT: f64 = 0.35e-9;
/// Seconds an element of a spectrum that comes from further away.
const FETCH: f64 = 0.9e-9;
/// Bytes of spectra that count as far away.
const NEAR: f64 = 1.5e6;
/// Seconds an item of work.
const ITEM: f64 = 1e-6;

/// Bytes of transformed kernels beyond which a design is refused.
const MOST_PACKED: f64 = 4.0 * (1u64 << 30) as f64;

/// The sizes of the cheapest transform.
pub(crate) fn design(problem: &Problem) -> Result<Vec<usize>, String> {
    let lists: Vec<Vec<usize>> = problem.axes.iter().map(|axis| candidates(axis, problem.pass)).collect();
    let rank = lists.len();
    let mut best: Option<(f64, Vec<usize>)> = None;
    let try_one = |choice: &[usize], best: &mut Option<(f64, Vec<usize>)>| {
        let transform: Vec<usize> = choice.iter().zip(&lists).map(|(&i, list)| list[i]).collect();
        let Ok(cost) = seconds(problem, &transform) else { return };
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            *best = Some((cost, choice.to_vec()));
        }
    };
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    for i in 0..longest {
        let choice: Vec<usize> = lists.iter().map(|list| i.min(list.len() - 1)).collect();
        try_one(&choice, &mut best);
    }
    for a in (0..rank).chain(0..rank).filter(|_| rank > 1) {
        let Some((_, from)) = best.clone() else { break };
        for i in 0..lists[a].len() {
            let mut choice = from.clone();
            choice[a] = i;
            try_one(&choice, &mut best);
        }
    }
    let choice = match best {
        Some((_, choice)) => choice,
        // The smallest tells why nothing goes.
        None => vec![0; rank],
    };
    let transform: Vec<usize> = choice.iter().zip(&lists).map(|(&i, list)| list[i]).collect();
    estimate(problem, &transform)?;
    Ok(transform)
}

/// Sizes worth trying along one axis, from the shortest that holds the kernel to the whole.
fn candidates(axis: &crate::problem::SpatialAxis, pass: Pass) -> Vec<usize> {
    let span = axis.span();
    let dense = match pass {
        Pass::InputGradient => axis.input,
        _ => axis.output.max(1).saturating_sub(1).saturating_mul(axis.stride).saturating_add(1),
    };
    let whole = rounded(dense.max(1).saturating_add(span - 1));
    let mut sizes = Vec::new();
    let mut size = span;
    while size < whole && sizes.len() < 40 {
        let good = rounded(size);
        if good < whole && sizes.last() != Some(&good) {
            sizes.push(good);
        }
        size = good + (good / 5).max(1);
    }
    // One and a half tiles are two: sizes that divide the whole evenly.
    for parts in [2, 3, 4] {
        let good = rounded(dense.div_ceil(parts).saturating_add(span - 1));
        if good < whole {
            sizes.push(good);
        }
    }
    sizes.push(whole);
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// A good size that has, unless it is small, eight as a factor.
fn rounded(n: usize) -> usize {
    if n > 40 { good_size(n.div_ceil(8)).saturating_mul(8) } else { good_size(n) }
}

/// What this design costs and takes, or why it does not fit the problem.
pub(crate) fn estimate(problem: &Problem, transform: &[usize]) -> Result<Estimate, String> {
    let geometry = Geometry::new(problem, transform)?;
    let (element, real) = (problem.dtype.size(), if problem.dtype.is_complex() { 1 } else { 2 });
    let complex = element * real;
    let scratch = scratch(transform);
    let needs = match problem.pass {
        Pass::WeightGradient => weight::Division::new(&geometry, real, complex).needs(&geometry, scratch, complex),
        _ => forward::Division::new(&geometry, real, complex).needs(&geometry, scratch, element, complex),
    };
    let packed = geometry.kernels() as f64 * geometry.block as f64 * complex as f64;
    if packed > MOST_PACKED {
        return Err(format!("its transformed kernels would take {:.1} GiB", packed / (1u64 << 30) as f64));
    }
    Ok(Estimate { seconds: seconds(problem, transform)?, needs, error: error(problem, &geometry) })
}

/// Elements of scratch of a transform, as nearly as can be told without planning it.
fn scratch(transform: &[usize]) -> usize {
    let longest = transform.iter().max().copied().unwrap_or(1);
    let smooth = good_size(longest) == longest;
    longest.saturating_mul(if smooth { 2 } else { 6 }).saturating_add(transform::columns(transform))
}

/// Rounding errors of the transforms are relative to the root mean square of the spectra, and grow with their
/// logarithm.
fn error(problem: &Problem, geometry: &Geometry) -> f64 {
    let depth = (geometry.block.max(2) as f64).log2();
    let terms = match problem.pass {
        Pass::WeightGradient => problem.terms() as f64 / geometry.block as f64,
        _ => geometry.channels().1 as f64,
    };
    problem.dtype.epsilon() * (8.0 + 3.0 * depth) * error_growth(terms)
}

/// The sums over channels or tiles are running sums.
fn error_growth(terms: f64) -> f64 {
    1.0 + 0.2 * terms.max(1.0).sqrt()
}

/// How much longer rows of this size take than those of powers of two do: rustfft's fast butterflies want several
/// factors of two and few others.
fn roughness(n: usize) -> f64 {
    let odd = n >> n.trailing_zeros().min(usize::BITS - 1);
    let few_twos = if n.is_multiple_of(8) { 1.0 } else { 1.5 };
    few_twos * if odd > 15 { 1.2 } else { 1.0 }
}

fn seconds(problem: &Problem, transform: &[usize]) -> Result<f64, String> {
    let g = Geometry::new(problem, transform)?;
    let double = if problem.dtype.epsilon() > 1e-10 { 1.0 } else { 2.0 };
    let (lanes, complex) =
        if problem.dtype.is_complex() { (1, problem.dtype.size()) } else { (2, 2 * problem.dtype.size()) };
    let block = g.block as f64;
    let mut one = 0.0;
    for (a, &n) in transform.iter().enumerate() {
        let n = n as f64;
        let rate = if n > LONG { LONG_ROW } else { ROW };
        one += 5.0 * block * n.log2() * rate * roughness(transform[a]);
        if a + 1 < transform.len() && n > 1.0 {
            one += block * COLUMN;
        }
    }
    let gather = block * GATHER * lanes as f64;
    let tiles = g.axes().iter().fold(g.batch as f64, |n, a| n * a.tiles() as f64);
    let kernels = g.kernels() as f64;
    let total = match g.pass {
        Pass::WeightGradient => {
            let d = weight::Division::new(&g, lanes, complex);
            let pairs = d.pairs as f64;
            let transforms = kernels * (1.0 / d.outputs as f64 + 1.0 / d.inputs as f64);
            let held = block * (d.inputs * d.outputs) as f64 * complex as f64;
            let near = PRODUCT + if held > NEAR { 2.0 * FETCH } else { 0.25e-9 };
            pairs * (transforms * (one + gather) + kernels * block * near)
                + kernels * one * (1.0 + 0.3 * d.chunks as f64)
        }
        _ => {
            let d = forward::Division::new(&g, lanes, complex);
            let (results, sources) = g.channels();
            let pairs = (tiles / lanes as f64).ceil();
            let groups = g.groups as f64;
            let repeats = (results / d.channels) as f64;
            let forward = pairs * groups * sources as f64 * repeats * (one + gather);
            let back = pairs * groups * results as f64 * (one + gather * 0.5);
            let far = kernels * block * complex as f64 > NEAR;
            let near = PRODUCT + if far { FETCH / d.pairs as f64 } else { 0.0 };
            let items = pairs * groups * repeats / d.pairs as f64;
            // The product streams the kernels once an item.
            let products = pairs * kernels * block * near;
            let balance = if items < 8.0 { 1.2 } else { 1.0 };
            (forward + back + products + items * ITEM) * balance + kernels * (one + block * PACK)
        }
    };
    Ok(total * double)
}
