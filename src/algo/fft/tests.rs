//! Tiles whose passes are shared among threads.

use num_complex::Complex;

use super::{Last, build, estimate};
use crate::algo::cost::sum_error;
use crate::algo::{Call, Costs, Second};
use crate::element::{Element, Scalar};
use crate::problem::{Layout, Problem};
use crate::reference::Terms;
use crate::simd::{Line, Workers};
use crate::view::{View, ViewMut, advance};

/// Drawn from a generator: the bound is one of chance, which data of a period do not keep to.
fn numbers<T: Element>(count: usize, seed: u64) -> Vec<T> {
    let mut state = seed;
    let mut number = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        <T::Real as Scalar>::from_f64((state >> 40) as f64 / (1 << 23) as f64 - 1.0)
    };
    (0..count).map(|_| T::from_parts(number(), number())).collect()
}

fn operand<'a, T: Scalar>(name: &'static str, data: &'a [T], shape: &[usize]) -> View<'a, T> {
    View::of_operand(name, data, shape, Layout::ChannelsFirst).expect("its shape")
}

/// One, two and three threads come to the same bits, which are the definition's numbers. `spoil` may change the input.
fn check<T: Element>(problem: &str, transform: &[usize], last: Last, spoil: impl Fn(&mut [T])) {
    let problem: Problem = problem.parse().expect("a problem");
    let problem = problem.with_dtype(T::DTYPE).expect("a size that fits");
    let execute = build::<T>(&problem, transform, last).expect("sizes that fit");
    let needs = execute.needs();
    assert!(needs.shared > 0, "{problem}: the tile is shared");
    let [shape, kernel_shape, output] = [problem.input_shape(), problem.kernel_shape(), problem.output_shape()];
    let mut x = numbers::<T>(shape.iter().product(), 1);
    spoil(&mut x);
    let w = numbers::<T>(kernel_shape.iter().product(), 2);
    let first = operand("input", &x, &shape);
    let kernel = operand("kernel", &w, &kernel_shape);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let mut y = vec![T::default(); output.iter().product()];
        let [mut packed, mut shared, mut scratch] =
            [needs.packed, needs.shared, needs.worker * threads].map(|lines| vec![Line::POISON; lines]);
        pool.install(|| {
            let mut workers = Workers::new(&mut scratch, needs.worker, threads);
            execute.pack(kernel, &mut packed, &mut workers);
            let at = crate::view::Strided::dense(&output, Layout::ChannelsFirst);
            let out = ViewMut { data: &mut y[..], at };
            let second = Second::Packed(&packed);
            execute.run(Call { first, second, out, shared: &mut shared, workers: &mut workers });
        });
        y
    };
    let bits =
        |y: &[T]| y.iter().map(|y| [y.parts().0, y.parts().1].map(|v| v.to_f64().0.to_bits())).collect::<Vec<_>>();
    let alone = run(1);
    for threads in [2, 3] {
        assert!(bits(&run(threads)) == bits(&alone), "{problem} of {:?}: {threads} threads", T::DTYPE);
    }
    // In double precision: a running sum of so many terms is the worse one of the two otherwise.
    let wide = |all: &[T]| {
        let parts = all.iter().map(|v| Complex::new(v.parts().0.to_f64().0, v.parts().1.to_f64().0));
        parts.collect::<Vec<_>>()
    };
    let (wide_x, wide_w) = (wide(&x), wide(&w));
    let terms = Terms::new(&problem, operand("input", &wide_x, &shape), operand("kernel", &wide_w, &kernel_shape));
    // As a plan states it.
    let modulus = |x: &T| x.parts().0.to_f64().0.hypot(x.parts().1.to_f64().0);
    let largest = x.iter().map(modulus).filter(|x| x.is_finite()).fold(0.0, f64::max);
    let norm = w.iter().map(|w| modulus(w).powi(2)).sum::<f64>().sqrt();
    let error = estimate(&Costs::default(), &problem, transform, last).expect("sizes that fit").error;
    let limit = (error + sum_error(w.len(), f64::EPSILON)) * largest * norm;
    let mut index = vec![0; output.len()];
    let step = alone.len() / 61 + 1;
    for (i, y) in alone.iter().enumerate() {
        if i % step == 0 || i + 1 == alone.len() {
            let expected = terms.sum(&index);
            let (got, wanted) = ([y.parts().0, y.parts().1].map(|v| v.to_f64().0), [expected.re, expected.im]);
            let same = |a: f64, b: f64| (a - b).abs() <= limit || !b.is_finite() && !a.is_finite();
            let same = same(got[0], wanted[0]) && (!T::DTYPE.is_complex() || same(got[1], wanted[1]));
            assert!(same, "{problem} {index:?}: {got:?}, not {wanted:?}");
        }
        advance(&mut index, &output);
    }
}

fn all_types(problem: &str, transform: &[usize], last: Last) {
    check::<f32>(problem, transform, last, |_| {});
    check::<f64>(problem, transform, last, |_| {});
    check::<Complex<f32>>(problem, transform, last, |_| {});
    check::<Complex<f64>>(problem, transform, last, |_| {});
}

#[test]
fn threads_share_a_tile_to_the_same_bits() {
    all_types("70001*61001:full", &[131072], Last::Transformed);
    all_types("200003*31:same:mirror", &[230400], Last::Transformed);
    all_types("251x301*261x203:full", &[540, 512], Last::Transformed);
    all_types("700x301*31x17:same:wrap", &[750, 384], Last::Transformed);
    // Short rows, and planes whose registers are no multiple of four.
    all_types("5003x20*97x5:full", &[5120, 32], Last::Transformed);
    all_types("31x41x50*33x31x29:full", &[64, 75, 96], Last::Transformed);
    all_types("3x5x7x3000*2x3x4x1001:full", &[4, 7, 10, 4096], Last::Transformed);
}

#[test]
fn threads_share_a_tile_whose_rows_are_summed_along() {
    all_types("700x301*31x17:same:wrap", &[750, 301], Last::Summed);
    all_types("300x2003*31x5:full", &[336, 2007], Last::Summed);
    all_types("31x41x150*33x31x9:full", &[64, 75, 158], Last::Summed);
}

#[test]
fn threads_share_a_tile_with_outliers() {
    for (problem, transform) in [("70001*61001:full", &[131072][..]), ("251x301*261x203:full", &[540, 512])] {
        let last = Last::Transformed;
        check::<f32>(problem, transform, last, |x| x[1234] = f32::INFINITY);
        check::<f32>(problem, transform, last, |x| x.fill(0.0));
        check::<f64>(problem, transform, last, |x| x[777] = f64::NAN);
    }
}
