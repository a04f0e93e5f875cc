//! Sums in an order that depends on nothing but the length.

use super::Float;

/// Running sums that stand side by side: as many as the widest registers and their latency ask for.
const LANES: usize = 32;

/// The sum of `term` over a slice.
#[inline(always)]
pub(super) fn sum_of<T: Float>(values: &[T], term: impl Fn(T) -> T) -> T {
    let mut lanes = [T::ZERO; LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for chunk in whole {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += term(value);
        }
    }
    fold(lanes, rest.iter().map(|&v| term(v)))
}

/// The sums of both of `terms` over two slices, element by element.
#[inline(always)]
pub(super) fn two_sums<T: Float>(a: &[T], b: &[T], terms: impl Fn(T, T) -> [T; 2]) -> [T; 2] {
    let (mut first, mut second) = ([T::ZERO; LANES], [T::ZERO; LANES]);
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            let [one, other] = terms(a[i], b[i]);
            first[i] += one;
            second[i] += other;
        }
    }
    let rest = || a_rest.iter().zip(b_rest).map(|(&a, &b)| terms(a, b));
    [fold(first, rest().map(|[one, _]| one)), fold(second, rest().map(|[_, other]| other))]
}

/// The lanes pairwise, then what is left.
#[inline(always)]
fn fold<T: Float>(mut lanes: [T; LANES], rest: impl Iterator<Item = T>) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            let other = lanes[i + half];
            lanes[i] += other;
        }
        half /= 2;
    }
    rest.fold(lanes[0], |sum, value| sum + value)
}
