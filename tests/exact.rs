//! Integer filters against unbounded integers.

use faltung::ndarray::{Array, Array1, Array2, Axis, Dimension, Ix1, Ix2, array};
use faltung::*;

fn numbers<I: TryFrom<i128>, D: Dimension>(shape: D, seed: u64, low: i128, high: i128) -> Array<I, D> {
    let mut state = seed;
    Array::from_shape_simple_fn(shape, || {
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 32) as u128
        };
        let random = next() << 64 | next() << 32 | next();
        let value = low + (random % (high - low + 1) as u128) as i128;
        I::try_from(value).unwrap_or_else(|_| panic!("the type holds {value}"))
    })
}

/// The sum in 128 bits, of correlations and convolutions of two dimensions.
fn expected(x: &Array2<i128>, h: &Array2<i128>, mode: Mode, flip: bool, boundary: Boundary) -> Array2<i128> {
    let problem =
        Problem::field(x.shape(), h.shape()).mode(mode).flip(flip).boundary(boundary).build().expect("a problem");
    let shape = problem.output_shape();
    let (x, h): (Vec<_>, Vec<_>) = (x.iter().copied().collect(), h.iter().copied().collect());
    Array::from_shape_vec((shape[2], shape[3]), reference::compute(&problem, &x, &h).expect("a result"))
        .expect("its shape")
}

fn check<I: Integer + TryFrom<i128>, H: Integer + TryFrom<i128>, O: Integer + PartialEq<O>>(
    x: (i128, i128),
    h: (i128, i128),
    fits: bool,
) {
    let mut some_fit = false;
    for (seed, mode) in [Mode::Full, Mode::Same, Mode::Valid, Mode::Causal].into_iter().enumerate() {
        let x: Array2<I> = numbers(Ix2(9, 11), seed as u64, x.0, x.1);
        let h: Array2<H> = numbers(Ix2(4, 3), seed as u64 + 9, h.0, h.1);
        let (wide_x, wide_h) = (x.map(|v| v.widen()), h.map(|v| v.widen()));
        for boundary in [Boundary::Zero, Boundary::Mirror, Boundary::Constant(-3.0)] {
            for flip in [true, false] {
                let answer: Result<Array2<O>> =
                    Convolution::new(&h).mode(mode).boundary(boundary).flip(flip).apply_exact(&x);
                let expected = expected(&wide_x, &wide_h, mode, flip, boundary);
                let holds = expected.iter().all(|v| (O::LOWEST..=O::HIGHEST).contains(v));
                some_fit |= holds;
                match answer {
                    Ok(y) => assert_eq!(y.map(|v| v.widen()), expected),
                    Err(Error::NotRepresentable { element, .. }) => assert!(!holds && element == O::NAME),
                    Err(e) => panic!("{e}"),
                }
            }
        }
    }
    assert_eq!(some_fit, fits);
}

#[test]
fn every_size_of_integers_is_exact() {
    check::<u8, i8, i32>((0, 255), (-128, 127), true); // in f32
    check::<i8, u8, i16>((-128, 127), (0, 3), true);
    check::<u16, i16, i64>((0, 65535), (-32768, 32767), true); // in f64
    check::<u32, i16, i64>((0, (1 << 32) - 1), (-9, 9), true);
    check::<i64, i8, i64>((-(1 << 58), 1 << 58), (-2, 2), true); // in digits
    check::<u64, u64, u64>((0, u64::MAX as i128), (0, 1 << 58), false);
    check::<i64, i64, i64>((i64::MIN as i128, i64::MAX as i128), (-(1 << 58), 1 << 58), false);
    check::<u8, i16, u8>((0, 255), (-1, 1), false);
}

#[test]
fn digits_reach_the_last_bit() {
    let (x, h) = (array![u64::MAX, u64::MAX - 1], array![1i64, -1]);
    assert_eq!(correlate_exact::<_, u64, _>(&x, &h, Mode::Valid).expect("a result"), array![1]);
    assert_eq!(convolve_exact::<_, i8, _>(&x, &h, Mode::Valid).expect("a result"), array![-1]);
    let y: Array1<i64> = convolve_exact(&array![i64::MIN, i64::MAX], &array![1u8], Mode::Full).expect("a result");
    assert_eq!(y, array![i64::MIN, i64::MAX]);
    // 2^64 does not fit, and three quarters of it do.
    let x = Array1::from_elem(4, 1u64 << 62);
    let refused = convolve_exact::<_, u64, _>(&x, &Array1::from_elem(4, 1u8), Mode::Valid);
    assert!(
        matches!(refused, Err(Error::NotRepresentable { value, element: "u64" }) if value == "18446744073709551616")
    );
    let y: Array1<u64> = convolve_exact(&x, &Array1::from_elem(3, 1u8), Mode::Valid).expect("a result");
    assert_eq!(y, array![3 << 62, 3 << 62]);
}

#[test]
fn sums_beyond_128_bits_are_an_error_and_not_a_wrong_answer() {
    let x = Array1::from_elem(8, u64::MAX);
    assert!(matches!(convolve_exact::<u64, u64, _>(&x, &x, Mode::Full), Err(Error::Overflow { .. })));
    // Huge taps on silence are zero.
    let silence = Array1::from_elem(8, 0u64);
    let y: Array1<u8> = convolve_exact(&silence, &x, Mode::Same).expect("a result");
    assert_eq!(y, Array1::<u8>::zeros(8));
}

#[test]
fn rounding_algorithms_and_broken_constants_are_refused() {
    let (x, h) = (array![1u8, 2], array![1i8]);
    let exact = |c: Convolution<'_, i8, Ix1>| c.apply_exact::<u8, i32, _>(&x);
    assert!(matches!(exact(Convolution::new(&h).algorithm(Algorithm::Fft)), Err(Error::Unsupported { .. })));
    for constant in [0.5, f64::NAN, f64::INFINITY, 1e30] {
        let result = exact(Convolution::new(&h).boundary(Boundary::Constant(constant)));
        assert!(matches!(result, Err(Error::Argument { .. })), "{constant}");
    }
    assert_eq!(exact(Convolution::new(&h).algorithm(Algorithm::Reference)).expect("a result"), array![1, 2]);
}

#[test]
fn integer_filters_take_views_axes_and_batches() {
    let x: Array2<u8> = numbers(Ix2(6, 7), 3, 0, 255);
    let h = array![1i16, 0, -2];
    let y: Array2<i32> = Convolution::new(&h).axes(&[0]).mode(Mode::Same).apply_exact(&x).expect("a result");
    let z: Array2<i32> = Convolution::new(&h).batch_axes(1).mode(Mode::Same).apply_exact(&x.t()).expect("a result");
    assert_eq!(y, z.t());
    for (line, y) in x.lanes(Axis(0)).into_iter().zip(y.lanes(Axis(0))) {
        let line: Array1<i32> = convolve_exact(&line, &h, Mode::Same).expect("a result");
        assert_eq!(line, y);
    }
}
