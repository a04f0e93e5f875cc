//! Kernels as sums of products of vectors: a singular value decomposition, axis after axis.
//!
//! A kernel that is a product of vectors is found from the lines through one of its elements, which keeps the digits of
//! one that has few. All others are unfolded to a matrix, the first axis against the rest, whose rows are turned
//! until they are orthogonal: one-sided Jacobi. Each row that is left is a kernel of one axis less.
//!
//! What is needed beside the kernel is the caller's: a run allocates nothing.

use crate::view::advance;

/// The most axes of a kernel, and its longest axis.
const AXES: usize = crate::problem::MAX_RANK;
pub(super) const LONGEST: usize = 128;

/// Sweeps of rotations at the most; a handful is usual.
const SWEEPS: usize = 40;

/// Numbers of room for [`split`].
pub(super) fn room(extents: &[usize]) -> usize {
    match extents {
        [first, rest @ ..] if !rest.is_empty() => first * first + extents.iter().product::<usize>() + room(rest),
        _ => 0,
    }
}

/// Products that suffice for every kernel.
pub(super) fn most(extents: &[usize]) -> usize {
    match extents {
        [first, rest @ ..] if !rest.is_empty() => rest.iter().product::<usize>().min(*first) * most(rest),
        _ => 1,
    }
}

/// Where products of vectors are written: each of `width` numbers, of which this kernel's are those from `offset` on, one
/// axis after the other.
pub(super) struct Products<'a> {
    pub(super) out: &'a mut [f64],
    pub(super) width: usize,
    pub(super) offset: usize,
}

/// Splits a kernel into products whose sum is as near as `budget` to it in the 2-norm, and tells how many they are;
/// `None` where there is no room for as many. The kernel is used up.
pub(super) fn split(
    kernel: &mut [f64],
    extents: &[usize],
    budget: f64,
    room: &mut [f64],
    products: Products<'_>,
) -> Option<usize> {
    let Products { out, width, offset } = products;
    let (&m, rest) = extents.split_first()?;
    let own: usize = extents.iter().sum();
    if out.len() < width {
        return None;
    }
    if rest.is_empty() || product(kernel, extents, budget, &mut out[offset..offset + own]) {
        if rest.is_empty() {
            out[offset..offset + m].copy_from_slice(kernel);
        }
        return Some(1);
    }
    let n = kernel.len() / m;
    let (turned, room) = room.split_at_mut(m * m);
    let (copy, room) = room.split_at_mut(m * n);
    copy.copy_from_slice(kernel);
    // Elimination is quicker than rotations, but its products are not the shortest sum.
    let places = out.len() / width;
    if places < m.min(n) && left_after(copy, n, places, 0.0).1 > 10.0 * budget {
        return None;
    }
    orthogonal(kernel, turned, n);
    let mut order: [usize; LONGEST] = std::array::from_fn(|i| i);
    let order = &mut order[..m];
    let square = |i: usize| kernel[i * n..][..n].iter().map(|x| x * x).sum::<f64>();
    order.sort_unstable_by(|&a, &b| square(b).total_cmp(&square(a)));
    let (mut kept, mut dropped) = (m, 0.0);
    while kept > 1 && dropped + square(order[kept - 1]) <= 0.5 * budget * budget {
        kept -= 1;
        dropped += square(order[kept]);
    }
    // Rows are orthogonal: so are the errors of their splits.
    let each = budget * (0.5 / kept as f64).sqrt();
    let mut count = 0;
    for &i in &order[..kept] {
        let below = Products { out: out.get_mut(count * width..)?, width, offset: offset + m };
        let row = &mut kernel[i * n..][..n];
        let some = split(row, rest, each, room, below)?;
        for product in out[count * width..].chunks_exact_mut(width).take(some) {
            for (k, x) in product[offset..offset + m].iter_mut().enumerate() {
                *x = turned[k * m + i];
            }
        }
        count += some;
    }
    Some(count)
}

/// Writes vectors whose product is the kernel, and tells whether there are any: the lines through the smallest element
/// that is not zero where that gives every digit, and else those through the largest.
fn product(kernel: &[f64], extents: &[usize], budget: f64, out: &mut [f64]) -> bool {
    let places = || (0..kernel.len()).filter(|&i| kernel[i] != 0.0);
    let by_size = |a: &usize, b: &usize| kernel[*a].abs().total_cmp(&kernel[*b].abs());
    let (Some(smallest), Some(largest)) = (places().min_by(by_size), places().max_by(by_size)) else {
        out.fill(0.0);
        return true;
    };
    lines_through(kernel, extents, smallest, out) == 0.0 || lines_through(kernel, extents, largest, out) <= budget
}

/// Writes the lines through an element, all but the first divided by it, and tells how far their product is from the
/// kernel, in the 2-norm.
fn lines_through(kernel: &[f64], extents: &[usize], place: usize, out: &mut [f64]) -> f64 {
    let (mut step, mut begin, mut begins) = (kernel.len(), 0, [0; AXES]);
    for (a, &extent) in extents.iter().enumerate() {
        step /= extent;
        let first = place - place / step % extent * step;
        begins[a] = begin;
        for (i, x) in out[begin..begin + extent].iter_mut().enumerate() {
            *x = kernel[first + i * step] / if a == 0 { 1.0 } else { kernel[place] };
        }
        begin += extent;
    }
    let (mut index, mut squares) = ([0; AXES], 0.0);
    for &element in kernel {
        let error = element - (0..extents.len()).map(|a| out[begins[a] + index[a]]).product::<f64>();
        squares += error * error;
        advance(&mut index[..extents.len()], extents);
    }
    squares.sqrt()
}

/// Takes products off a matrix of `n` columns, each the row and the column through its largest element, until what is
/// left is at most `enough` in the 2-norm; `most` at the most. Tells how many, and what is left.
pub(super) fn left_after(matrix: &mut [f64], n: usize, most: usize, enough: f64) -> (usize, f64) {
    let norm = |matrix: &[f64]| matrix.iter().map(|x| x * x).sum::<f64>().sqrt();
    for count in 0..most {
        let left = norm(matrix);
        let largest = (0..matrix.len()).max_by(|&a, &b| matrix[a].abs().total_cmp(&matrix[b].abs())).unwrap_or(0);
        if left <= enough || matrix[largest] == 0.0 {
            return (count, left);
        }
        let (row, column) = (largest / n * n, largest % n);
        let value = matrix[largest];
        for other in (0..matrix.len()).step_by(n).filter(|&other| other != row) {
            let factor = matrix[other + column] / value;
            for j in 0..n {
                matrix[other + j] -= factor * matrix[row + j];
            }
        }
        matrix[row..row + n].fill(0.0);
    }
    (most, norm(matrix))
}

/// Turns a matrix of `n` columns until its rows are orthogonal. `turned` times the result is the matrix that was.
fn orthogonal(matrix: &mut [f64], turned: &mut [f64], n: usize) {
    let m = matrix.len() / n;
    turned.fill(0.0);
    (0..m).for_each(|i| turned[i * m + i] = 1.0);
    for _ in 0..SWEEPS {
        let mut still = true;
        for i in 0..m {
            for j in i + 1..m {
                let (front, back) = matrix.split_at_mut(j * n);
                let (x, y) = (&mut front[i * n..][..n], &mut back[..n]);
                let [mut xx, mut yy, mut xy] = [0.0; 3];
                for (x, y) in x.iter().zip(y.iter()) {
                    xx += x * x;
                    yy += y * y;
                    xy += x * y;
                }
                if xy.abs() <= 1e-15 * (xx * yy).sqrt() {
                    continue;
                }
                still = false;
                // The angle at which their product vanishes, the smaller of the two.
                let zeta = (yy - xx) / (2.0 * xy);
                let tangent = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let sine = cosine * tangent;
                let turn = |x: &mut f64, y: &mut f64| (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
                x.iter_mut().zip(y).for_each(|(x, y)| turn(x, y));
                for row in turned.chunks_exact_mut(m) {
                    let (front, back) = row.split_at_mut(j);
                    turn(&mut front[i], &mut back[0]);
                }
            }
        }
        if still {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kernel: &[f64], extents: &[usize], tolerance: f64, places: usize) -> Option<Vec<Vec<f64>>> {
        let width = extents.iter().sum();
        let mut out = vec![f64::NAN; width * places];
        let norm = kernel.iter().map(|x| x * x).sum::<f64>().sqrt();
        let products = Products { out: &mut out, width, offset: 0 };
        let mut room = vec![f64::NAN; room(extents)];
        let count = split(&mut kernel.to_vec(), extents, tolerance * norm, &mut room, products)?;
        // They sum up to the kernel.
        let (mut index, mut error) = ([0; AXES], 0.0);
        for &element in kernel {
            let sum: f64 = out[..count * width]
                .chunks_exact(width)
                .map(|product| {
                    let mut begin = 0;
                    let of = |(a, extent): (usize, &usize)| {
                        begin += extent;
                        product[begin - extent + index[a]]
                    };
                    extents.iter().enumerate().map(of).product::<f64>()
                })
                .sum();
            error += (sum - element) * (sum - element);
            advance(&mut index[..extents.len()], extents);
        }
        assert!(error.sqrt() <= tolerance.max(1e-13) * norm, "{extents:?}: {error}");
        Some(out[..count * width].chunks_exact(width).map(<[f64]>::to_vec).collect())
    }

    fn noise(count: usize) -> Vec<f64> {
        let mut state = 1u64;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
            })
            .collect()
    }

    #[test]
    fn a_product_is_split_in_its_own_numbers() {
        let sobel = [1.0, 0.0, -1.0, 2.0, 0.0, -2.0, 1.0, 0.0, -1.0];
        assert_eq!(of(&sobel, &[3, 3], 0.0, 1).unwrap(), [[1.0, 2.0, 1.0, 1.0, 0.0, -1.0]]);
        assert_eq!(of(&[2.0; 12], &[2, 3, 2], 0.0, 1).unwrap(), [[2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0]]);
        assert_eq!(of(&[0.0; 6], &[2, 3], 0.0, 1).unwrap().len(), 1);
    }

    #[test]
    fn any_kernel_is_split_and_no_further_than_asked() {
        for extents in [&[5, 7][..], &[9, 4], &[3, 4, 5], &[2, 3, 2, 3], &[1, 6, 6], &[6, 1, 5]] {
            let kernel = noise(extents.iter().product());
            let count = of(&kernel, extents, 1e-15, most(extents)).expect("room").len();
            assert!(count > 1);
            assert!(of(&kernel, extents, 1e-6, 1).is_none());
        }
        let kernel = noise(35);
        assert_eq!(of(&kernel, &[5, 7], 1e-15, 5).expect("room").len(), 5);
        assert!(of(&kernel, &[5, 7], 1e-15, 4).is_none());
    }

    #[test]
    fn a_sum_of_two_products_has_rank_two() {
        let [a, b, c, d] = [0, 9, 18, 29].map(|from| noise(40)[from..from + 9].to_vec());
        let kernel: Vec<f64> = (0..81).map(|i| a[i / 9] * b[i % 9] + c[i / 9] * d[i % 9]).collect();
        assert_eq!(of(&kernel, &[9, 9], 1e-12, 2).expect("two").len(), 2);
        assert!(of(&kernel, &[9, 9], 1e-12, 1).is_none());
        assert_eq!(left_after(&mut kernel.clone(), 9, 9, 1e-12).0, 2);
        // In single precision, still.
        let single: Vec<f64> = kernel.iter().map(|&x| f64::from(x as f32)).collect();
        assert_eq!(of(&single, &[9, 9], 2.0 * f64::from(f32::EPSILON), 2).expect("two").len(), 2);
    }
}
