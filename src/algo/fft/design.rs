//! The choice of transform sizes, and what a design costs.

use super::geometry::{Axis, Geometry, boundary};
use super::{forward, weight};
use crate::algo::cost::near;
use crate::algo::{Costs, Estimate, Needs};
use crate::problem::{Pass, Problem};
use crate::simd::fourier::{GROUP, MOST_LANES};
use crate::simd::{Caches, Isa, Kernels};
use crate::transform::{Last, Samples, good_size, unit};

/// Bytes of transformed kernels beyond which a design is refused.
const MOST_PACKED: f64 = 4.0 * (1u64 << 30) as f64;

/// The sizes of the cheapest transform; where the last axis is summed along, results of a tile there.
pub(crate) fn design(costs: &Costs, problem: &Problem, last: Last) -> Result<Vec<usize>, String> {
    let rank = problem.axes.len();
    let samples = if problem.dtype.is_complex() { Samples::Complex } else { Samples::Real };
    let unit = |a: usize| unit(samples, a, rank);
    let axes = problem.axes.iter().map(|axis| Axis::new(problem, axis)).enumerate();
    let lists: Vec<Vec<usize>> = axes
        .map(|(a, axis)| match last {
            Last::Summed if a + 1 == rank => columns(&axis),
            _ => candidates(&axis, axis.whole(boundary(problem)), unit(a)),
        })
        .collect();
    let mut best: Option<(f64, Vec<usize>)> = None;
    let try_one = |choice: &[usize], best: &mut Option<(f64, Vec<usize>)>| {
        let transform: Vec<usize> = choice.iter().zip(&lists).map(|(&i, list)| list[i]).collect();
        let Ok(cost) = seconds(costs, problem, &transform, last) else { return };
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
    estimate(costs, problem, &transform, last)?;
    Ok(transform)
}

/// Sizes worth trying along one axis, from the shortest that holds the kernel to the whole.
fn candidates(axis: &Axis, whole: usize, unit: usize) -> Vec<usize> {
    let rounded = |n| rounded(n, unit);
    let (span, whole) = (axis.span, rounded(whole));
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
        let good = rounded(axis.dense().div_ceil(parts).saturating_add(span - 1));
        if good < whole {
            sizes.push(good);
        }
    }
    sizes.push(whole);
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// Results worth trying along an axis that is summed along: windows of whole cache lines, and all of it.
fn columns(axis: &Axis) -> Vec<usize> {
    let (mut sizes, mut window) = (Vec::new(), 64);
    while window < axis.dense().saturating_add(axis.span - 1) && sizes.len() < 12 {
        if window >= 2 * axis.span {
            sizes.push((window - axis.span) / axis.every + 1);
        }
        window = (window * 3 / 2).next_multiple_of(MOST_LANES);
    }
    sizes.push(axis.results.max(1));
    sizes
}

/// A multiple of `unit` that has a transform. Long rows are a multiple of 16 registers: they can be finished a piece at
/// a time.
fn rounded(n: usize, unit: usize) -> usize {
    let unit = if unit >= MOST_LANES && n >= 64 * unit { 16 * unit } else { unit };
    good_size(n.div_ceil(unit)).saturating_mul(unit)
}

/// What this design costs and takes, or why it does not fit the problem.
pub(crate) fn estimate(costs: &Costs, problem: &Problem, transform: &[usize], last: Last) -> Result<Estimate, String> {
    let (geometry, needs) = fits(problem, transform, last)?;
    Ok(Estimate { seconds: seconds(costs, problem, transform, last)?, needs, error: error(problem, &geometry) })
}

/// The geometry of this design and what it takes, or why it does not fit the problem.
pub(super) fn fits(problem: &Problem, transform: &[usize], last: Last) -> Result<(Geometry, Needs), String> {
    let geometry = Geometry::new(problem, transform, last)?;
    let (element, part) = (problem.dtype.size(), part(problem));
    let needs = match problem.pass {
        Pass::WeightGradient => weight::Division::new(&geometry, part).needs(&geometry, part),
        _ => forward::Division::new(&geometry, part).needs(&geometry, element, part),
    };
    let packed = geometry.kernels() as f64 * geometry.kernel_block() as f64 * part as f64;
    if packed > MOST_PACKED {
        return Err(format!("its transformed kernels would take {:.1} GiB", packed / (1u64 << 30) as f64));
    }
    Ok((geometry, needs))
}

/// Bytes of a part of an element.
fn part(problem: &Problem) -> usize {
    problem.dtype.size() / if problem.dtype.is_complex() { 2 } else { 1 }
}

/// Parts of so many bytes in a register.
fn lanes(part: usize) -> usize {
    let isa = Isa::detect();
    if part == 4 { f32::lanes(isa) } else { f64::lanes(isa) }
}

/// Rounding errors of the transforms are relative to the root mean square of the spectra, and grow with their
/// logarithm. Measured on normal and on positive numbers, they stay below a third of this.
fn error(problem: &Problem, geometry: &Geometry) -> f64 {
    let depth = (geometry.samples().max(2) as f64).log2();
    let terms = match problem.pass {
        Pass::WeightGradient => problem.terms() as f64 / geometry.samples() as f64,
        _ => geometry.summed() as f64,
    };
    problem.dtype.epsilon() * (4.0 + 2.0 * depth) * error_growth(terms)
}

/// The sums over channels, taps or tiles are running sums.
fn error_growth(terms: f64) -> f64 {
    1.0 + 0.2 * terms.max(1.0).sqrt()
}

/// How much more the ends of rows cost whose groups of registers reach from one row into the next.
const ACROSS: f64 = 1.2;

/// The levels of a transform of `n` numbers, each by what it costs beside one of radix 2 that is part of one of 4.
fn levels(mut n: usize) -> f64 {
    let mut levels = 0.0;
    for (radix, cost) in [(7, 5.0), (5, 3.2), (3, 2.1), (4, 2.0), (2, 1.8)] {
        while n > 1 && n.is_multiple_of(radix) {
            n /= radix;
            levels += cost;
        }
    }
    levels
}

fn seconds(costs: &Costs, problem: &Problem, transform: &[usize], last: Last) -> Result<f64, String> {
    let g = Geometry::new(problem, transform, last)?;
    let part = part(problem);
    if last == Last::Summed {
        return Ok(summed_seconds(costs, problem, &g));
    }
    let double = if part == 4 { 1.0 } else { 2.0 };
    let complex = if problem.dtype.is_complex() { 2.0 } else { 1.0 };
    // Complex numbers of a block.
    let block = g.block() as f64 / 2.0;
    let spectrum = block * (2 * part) as f64;
    // Every axis goes through the block once. It is not alone: its product and the kernel's spectrum are there too.
    let far = if near(2.0 * spectrum) { 0.0 } else { costs.fft_far };
    let beyond = (2.0 * spectrum - 0.5 * Caches::detect().last as f64).max(0.0) * costs.stream;
    let lanes = lanes(part);
    let mut one = costs.fft_transform
        + transform.len() as f64 * (block * (costs.fft_pass + far) + beyond)
        + calls(&g.layout.numbers()[..transform.len() - 1]) * costs.call();
    for (a, &n) in g.layout.numbers().iter().enumerate() {
        let cost = if a + 1 == transform.len() {
            costs.fft_row * if n.is_multiple_of(GROUP * lanes) { 1.0 } else { ACROSS }
        } else {
            costs.fft_column
        };
        one += 5.0 * block * levels(n) * cost;
    }
    let line = g.axes().last().map_or(1, |a| a.size).max(1) as f64;
    let gather = g.samples() as f64 * complex * (costs.fft_copy + costs.fft_line / line);
    let tiles = g.axes().iter().fold(g.batch as f64, |n, a| n * a.tiles() as f64);
    let kernels = g.kernels() as f64;
    let taps: f64 = g.axes().iter().map(|a| a.kernel as f64).product();
    let lines = taps / g.axes().last().map_or(1, |a| a.kernel).max(1) as f64;
    let taken = taps * complex * costs.fft_copy + lines * costs.fft_line;
    let total = match g.pass {
        Pass::WeightGradient => {
            let d = weight::Division::new(&g, part);
            let transforms = kernels * (1.0 / d.outputs as f64 + 1.0 / d.inputs as f64);
            let held = spectrum * (d.inputs * d.outputs) as f64;
            let product = costs.fft_product + if near(held) { 0.0 } else { 2.0 * costs.fft_fetch };
            tiles * (transforms * (one + gather) + kernels * block * product)
                + kernels * one * (1.0 + 0.3 * d.chunks as f64)
        }
        _ => {
            let d = forward::Division::new(&g, part);
            let (results, sources) = g.channels();
            let groups = g.groups as f64;
            let repeats = (results / d.channels) as f64;
            let forward = tiles * groups * sources as f64 * repeats * (one + 2.0 * gather);
            let back = tiles * groups * results as f64 * (one + gather);
            let far = if near(kernels * spectrum) { 0.0 } else { costs.fft_fetch / d.count as f64 };
            let items = tiles * groups * repeats / d.count as f64;
            // The product streams the kernels once an item.
            let products = tiles * kernels * block * (costs.fft_product + far);
            shared(forward + back + products + items * costs.fft_item, items)
                + kernels * (one + taken + block * costs.fft_pack)
        }
    };
    Ok(costs.run + total * double)
}

/// Seconds that pass before the threads of a machine have found one another: shorter work is one thread's.
const ALONE: f64 = 3e-5;

/// What work of so many `seconds` counts as if it is shared out in so many `items`: few of them leave threads idle.
fn shared(seconds: f64, items: f64) -> f64 {
    seconds * if items < 8.0 && seconds > ALONE { 1.2 } else { 1.0 }
}

/// Calls of the leaf for transforms along axes of so many numbers, each of all that lie behind it: one for every index of
/// those before.
fn calls(numbers: &[usize]) -> f64 {
    (0..numbers.len()).map(|a| numbers[..a].iter().product::<usize>() as f64).sum()
}

/// What transforms of all axes but the last cost with sums along that.
fn summed_seconds(costs: &Costs, problem: &Problem, g: &Geometry) -> f64 {
    let part = part(problem);
    let wide = part as f64 / 4.0;
    let lanes = lanes(part);
    let last = g.rank - 1;
    let (numbers, axis) = (g.layout.numbers(), &g.axes[last]);
    let rows = numbers[..last].iter().product::<usize>() as f64;
    let results = ((axis.tile - 1) * axis.every + 1).next_multiple_of(lanes) as f64;
    let bytes = ((g.block() + g.kernel_block()) * part) as f64;
    let far = if near(bytes) { 0.0 } else { costs.fft_far };
    // Every axis goes through the block, forth and back, and the last one once.
    let beyond = (bytes - 0.5 * Caches::detect().last as f64).max(0.0) * costs.stream * (2 * last + 1) as f64;
    // Forth all columns of the window, back those of results.
    let size = axis.size.next_multiple_of(lanes) as f64;
    let columns = rows * (size + results);
    // A butterfly's factors are fetched for all columns beside one another, which are few before a short last axis.
    let beside = |a: usize| numbers[a + 1..last].iter().product::<usize>() as f64 * (size / lanes as f64).max(1.0);
    let narrow: f64 = numbers[..last].iter().enumerate().map(|(a, &n)| levels(n) / beside(a)).sum();
    let levels: f64 = numbers[..last].iter().map(|&n| levels(n)).sum();
    let calls = calls(&numbers[..last]) * costs.call();
    let transforms =
        columns * (5.0 * (levels + narrow) * costs.fft_column + last as f64 * (costs.fft_pass + far)) + 2.0 * calls;
    let sums = rows * (results / lanes as f64) * (4 * axis.kernel) as f64 * costs.fft_sum;
    let copies = 3.0 * rows * size * 2.0 * costs.fft_copy;
    // Samples and results come and go row by row.
    let lines = 2.0 * rows * costs.fft_line;
    let tiles = g.axes().iter().fold(g.batch as f64, |n, a| n * a.tiles() as f64) * g.groups as f64;
    let tile = 2.0 * costs.fft_transform + transforms * wide + sums + copies * wide + lines + beyond + costs.fft_item;
    let kernel = g.kernel_block() as f64 / 2.0 * (5.0 * levels * costs.fft_column + costs.fft_pack) + calls;
    costs.run + shared(tiles * tile, tiles) + g.kernels() as f64 * (kernel * wide + costs.fft_transform)
}
