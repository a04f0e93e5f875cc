//! The definition itself, proved on results known by hand and on identities, before anything is tested against it.

mod common;

use common::*;
use faltung::reference::{Elements, compute};
use faltung::{Boundary, Complex, DType, Element, Layout, Mode, Pass, Problem, ProblemBuilder};

fn answer(builder: ProblemBuilder, first: &[f64], second: &[f64]) -> Vec<f64> {
    compute(&builder.build().expect("a valid problem"), first, second).expect("operands of its lengths")
}

const ABC: [f64; 3] = [1.0, 2.0, 3.0];

#[test]
fn modes_of_a_convolution() {
    let field = || Problem::field(&[4], &[3]);
    let (x, h) = ([1.0, 2.0, 3.0, 4.0], [1.0, 10.0, 100.0]);
    assert_eq!(answer(field(), &x, &h), [1.0, 12.0, 123.0, 234.0, 340.0, 400.0]);
    assert_eq!(answer(field().mode(Mode::Same), &x, &h), [12.0, 123.0, 234.0, 340.0]);
    assert_eq!(answer(field().mode(Mode::Valid), &x, &h), [123.0, 234.0]);
    assert_eq!(answer(field().mode(Mode::Causal), &x, &h), [1.0, 12.0, 123.0, 234.0]);
}

#[test]
fn modes_of_a_correlation() {
    let field = || Problem::field(&[4], &[3]).flip(false);
    let (x, h) = ([1.0, 2.0, 3.0, 4.0], [1.0, 10.0, 100.0]);
    assert_eq!(answer(field(), &x, &h), [100.0, 210.0, 321.0, 432.0, 43.0, 4.0]);
    assert_eq!(answer(field().mode(Mode::Same), &x, &h), [210.0, 321.0, 432.0, 43.0]);
    assert_eq!(answer(field().mode(Mode::Valid), &x, &h), [321.0, 432.0]);
}

/// `scipy.signal.convolve([1, 2, 3], [1, 10], "same")` begins at the first output, of four taps at the second.
#[test]
fn even_kernels_in_same_begin_where_scipy_does() {
    assert_eq!(answer(Problem::field(&[3], &[2]).mode(Mode::Same), &ABC, &[1.0, 10.0]), [1.0, 12.0, 23.0]);
    let four = Problem::field(&[3], &[4]).mode(Mode::Same);
    assert_eq!(answer(four, &ABC, &[1.0, 10.0, 100.0, 1000.0]), [12.0, 123.0, 1230.0]);
}

/// `[1, 2, 3]` extended by four on either side, read off with a single tap.
#[test]
fn boundaries_extend_as_their_names_say() {
    let table: [(Boundary, [f64; 11]); 6] = [
        (Boundary::Zero, [0., 0., 0., 0., 1., 2., 3., 0., 0., 0., 0.]),
        (Boundary::Constant(7.5), [7.5, 7.5, 7.5, 7.5, 1., 2., 3., 7.5, 7.5, 7.5, 7.5]),
        (Boundary::Symmetric, [3., 3., 2., 1., 1., 2., 3., 3., 2., 1., 1.]),
        (Boundary::Mirror, [1., 2., 3., 2., 1., 2., 3., 2., 1., 2., 3.]),
        (Boundary::Nearest, [1., 1., 1., 1., 1., 2., 3., 3., 3., 3., 3.]),
        (Boundary::Wrap, [3., 1., 2., 3., 1., 2., 3., 1., 2., 3., 1.]),
    ];
    for (boundary, expected) in table {
        let tap = Problem::field(&[3], &[1]).padding(&[(4, 4)]).boundary(boundary);
        assert_eq!(answer(tap, &ABC, &[1.0]), expected, "{boundary}");
    }
}

#[test]
fn a_mirrored_single_sample_repeats() {
    for boundary in [Boundary::Mirror, Boundary::Symmetric, Boundary::Nearest, Boundary::Wrap] {
        let field = Problem::field(&[1], &[6]).mode(Mode::Same).boundary(boundary);
        assert_eq!(answer(field, &[2.0], &[1.0; 6]), [12.0], "{boundary}");
    }
}

/// Far positions, by going step by step from the data outwards.
#[test]
fn boundaries_go_on_as_they_began() {
    for n in 1..6isize {
        for position in -40..40isize {
            let mut at = position;
            let symmetric = loop {
                at = if at < 0 { -1 - at } else { at };
                if at < n {
                    break at;
                }
                at = 2 * n - 1 - at;
            };
            let mut at = position;
            let mirror = loop {
                at = at.abs();
                if n == 1 {
                    break 0;
                }
                if at < n {
                    break at;
                }
                at = 2 * n - 2 - at;
            };
            let table = [
                (Boundary::Symmetric, symmetric),
                (Boundary::Mirror, mirror),
                (Boundary::Nearest, position.clamp(0, n - 1)),
                (Boundary::Wrap, ((position % n) + n) % n),
            ];
            for (boundary, expected) in table {
                let source = boundary.source(position, n as usize);
                assert_eq!(source, Some(expected as usize), "{boundary}, position {position} of {n}");
            }
        }
    }
}

/// No position and no extent may overflow.
#[test]
fn boundaries_of_extreme_positions() {
    for boundary in BOUNDARIES {
        for extent in [0, 1, 2, 3, usize::MAX / 4, isize::MAX as usize, usize::MAX] {
            for position in [isize::MIN, isize::MIN + 1, -1, 0, 1, isize::MAX - 1, isize::MAX] {
                let source = boundary.source(position, extent);
                assert!(source.is_none_or(|i| i < extent), "{boundary}, position {position} of {extent}: {source:?}");
                let inside = usize::try_from(position).is_ok_and(|p| p < extent);
                let expected = inside || (extent > 0 && boundary.reads_data());
                assert_eq!(source.is_some(), expected, "{boundary}, position {position} of {extent}");
            }
        }
    }
}

#[test]
fn the_image_of_1_to_25() {
    let image: Vec<f64> = (1..=25).map(f64::from).collect();
    let cross = [0., 1., 0., 1., 0., 1., 0., 1., 0.];
    let field = Problem::field(&[5, 5], &[3, 3]).mode(Mode::Valid);
    assert_eq!(answer(field, &image, &cross), [28., 32., 36., 48., 52., 56., 68., 72., 76.]);
}

#[test]
fn the_layer_of_2_by_2_and_its_gradients() {
    let layer = |pass| Problem::layer(1, 1, 1, &[2, 2], &[2, 2]).pass(pass);
    let (x, w) = ([1., 2., 3., 4.], [0., 1., 1., 0.]);
    assert_eq!(answer(layer(Pass::Forward), &x, &w), [5.]);
    assert_eq!(answer(layer(Pass::InputGradient), &[1.], &w), w);
    assert_eq!(answer(layer(Pass::WeightGradient), &x, &[1.]), x);
}

#[test]
fn flip_reverses_every_axis() {
    let x: Vec<f64> = (1..=6).map(f64::from).collect();
    let w = [1., 10., 100., 1000.];
    let field = |flip| Problem::field(&[2, 3], &[2, 2]).mode(Mode::Valid).flip(flip);
    assert_eq!(answer(field(false), &x, &w), [1. + 20. + 400. + 5000., 2. + 30. + 500. + 6000.]);
    assert_eq!(answer(field(true), &x, &w), [5. + 40. + 200. + 1000., 6. + 50. + 300. + 2000.]);
    let backwards: Vec<f64> = w.iter().rev().copied().collect();
    assert_eq!(answer(field(true), &x, &w), answer(field(false), &x, &backwards));
}

#[test]
fn strides_dilations_and_windows() {
    let x: Vec<f64> = (1..=9).map(f64::from).collect();
    let w = [1., 100.];
    let layer = || Problem::layer(1, 1, 1, &[9], &[2]);
    assert_eq!(answer(layer().stride(&[3]), &x, &w), [201., 504., 807.]);
    assert_eq!(answer(layer().dilation(&[4]), &x, &w), [501., 602., 703., 804., 905.]);
    assert_eq!(answer(layer().dilation(&[4]).stride(&[3]), &x, &w), [501., 804.]);
    assert_eq!(answer(layer().padding(&[(1, 0)]).stride(&[4]), &x, &w), [100., 504., 908.]);
    assert_eq!(answer(layer().padding(&[(-2, -3)]), &x, &w), [403., 504., 605.]);
    assert_eq!(answer(layer().window(&[(3, 2)]), &x, &w), [504., 605.]);
    assert_eq!(answer(layer().stride(&[3]).window(&[(1, 2)]), &x, &w), [504., 807.]);
    assert_eq!(answer(layer().output(&[(-8, 3)]), &x, &w), [9., 0., 0.]);
    assert_eq!(answer(layer().output(&[(3, 3)]), &x, &w), [0., 0., 100.]);
}

#[test]
fn channels_and_groups() {
    let x = [1., 2., 3., 4.];
    let w = [1., 10., 100., 1000.];
    let layer = |groups| Problem::layer(1, 2, 2, &[2], &[1]).groups(groups);
    assert_eq!(answer(layer(1), &x, &w), [31., 42., 3100., 4200.]);
    assert_eq!(answer(layer(2), &x, &[1., 10.]), [1., 2., 30., 40.]);
    // The same numbers, channels last.
    let last = [1., 3., 2., 4.];
    assert_eq!(answer(layer(1).layout(Layout::ChannelsLast), &last, &w), [31., 3100., 42., 4200.]);
    let multiplied = Problem::layer(1, 2, 4, &[1], &[1]).groups(2);
    assert_eq!(answer(multiplied, &[1., 2.], &[1., 10., 100., 1000.]), [1., 10., 200., 2000.]);
}

#[test]
fn batches() {
    let layer = |pass| Problem::layer(2, 1, 1, &[2], &[2]).pass(pass);
    assert_eq!(answer(layer(Pass::Forward), &[1., 2., 3., 4.], &[1., 10.]), [21., 43.]);
    assert_eq!(answer(layer(Pass::InputGradient), &[1., 2.], &[1., 10.]), [1., 10., 2., 20.]);
    assert_eq!(answer(layer(Pass::WeightGradient), &[1., 2., 3., 4.], &[1., 10.]), [31., 42.]);
}

/// `scipy.signal.correlate` conjugates its second argument, `convolve` does not.
#[test]
fn conjugation() {
    let (i, one) = (Complex::new(0.0, 1.0), Complex::new(1.0, 0.0));
    let (x, h) = ([i, one], [i, one * 2.0]);
    let field = |flip, conjugate| {
        let field = Problem::field(&[2], &[2]).mode(Mode::Valid).flip(flip).conjugate(conjugate).dtype(DType::C64);
        compute(&field.build().expect("a valid problem"), &x, &h).expect("operands of its lengths")
    };
    assert_eq!(field(true, false), [i * 2.0 + i]);
    assert_eq!(field(false, true), [one + 2.0]);
}

#[test]
fn gradients_of_strides_and_boundaries() {
    let layer = |pass| Problem::layer(1, 1, 1, &[5], &[2]).stride(&[2]).padding(&[(1, 1)]).pass(pass);
    let (x, w, g) = ([1., 2., 3., 4., 5.], [1., 10.], [1., 2., 3.]);
    // Outputs read (outside, 1), (2, 3), (4, 5).
    assert_eq!(answer(layer(Pass::Forward), &x, &w), [10., 32., 54.]);
    assert_eq!(answer(layer(Pass::InputGradient), &g, &w), [10., 2., 20., 3., 30.]);
    assert_eq!(answer(layer(Pass::WeightGradient), &x, &g), [16., 22.]);
    // With the last sample repeated outside, it takes part more than once: outputs read (1, 1), (1, 2), (2, 3), (3, 3).
    let near = |pass| Problem::field(&[3], &[2]).flip(false).boundary(Boundary::Nearest).pass(pass);
    assert_eq!(answer(near(Pass::Forward), &ABC, &w), [11., 21., 32., 33.]);
    assert_eq!(answer(near(Pass::InputGradient), &[1., 2., 3., 4.], &w), [11. + 2., 20. + 3., 30. + 44.]);
    assert_eq!(answer(near(Pass::WeightGradient), &ABC, &[1., 2., 3., 4.]), [21., 26.]);
}

/// Under `Zero` what lies outside contributes nothing at all; inside, 0 x infinity is NaN.
#[test]
fn nothing_outside_contributes() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let field = || Problem::field(&[2], &[3]).mode(Mode::Same);
    assert_eq!(answer(field(), &[1., 2.], &[0., 1., inf])[..1], [1.]);
    assert_eq!(answer(field(), &[1., 2.], &[nan, 1., 5.])[1..], [7.]);
    assert!(answer(field(), &[0., 2.], &[0., 1., inf])[1].is_nan());
    assert!(answer(field().boundary(Boundary::Constant(0.0)), &[1., 2.], &[0., 1., inf])[0].is_nan());
}

#[test]
fn single_elements_are_those_of_the_whole() {
    let mut random = Random::new(30);
    for i in 0..100 {
        let problem = any_problem(&mut random, 1 + i % 4, 2e4);
        by_dtype!(problem, T => {
            let case = Case::<T>::integers(&problem, &mut random);
            let [_, _, shape] = problem.operands();
            let strides = dense_strides(&shape, layouts(&problem)[2]);
            let mut elements = Elements::new(&problem, &case.first, &case.second).expect("the right lengths");
            each_index(&shape, |index| {
                let expected = case.expected[locate(index, &strides, 0)];
                let got = elements.at(index).expect("an index within the shape");
                assert_eq!(got, expected, "{problem:?} at {index:?}");
                let most = elements.magnitude(index, magnitude).expect("an index within the shape");
                assert!(most >= magnitude(expected) * (1.0 - 1e-6), "{problem:?} at {index:?}");
            });
            assert!(elements.at(&shape).is_err() && elements.at(&shape[1..]).is_err());
        });
    }
}

fn dot<T: Element>(a: &[T], b: &[T]) -> Complex<f64> {
    let complex = |v: T| Complex::new(v.to_f64().0, v.to_f64().1);
    a.iter().zip(b).map(|(&a, &b)| complex(a) * complex(b).conj()).sum()
}

/// ⟨conv x, g⟩ = ⟨x, gx⟩ = ⟨w, gw⟩, exactly on whole numbers.
#[test]
fn gradients_are_adjoints() {
    let mut random = Random::new(31);
    for i in 0..600 {
        let problem = any_problem(&mut random, 1 + i % 5, 2e4);
        let forward = problem.with_pass(Pass::Forward);
        type C = Complex<f64>;
        let case = Case::<C>::integers(&forward, &mut random);
        let g = integers::<C>(&mut random, case.expected.len(), 5);
        let (x, w) = (&case.first, &case.second);
        let by = |pass, a: &[C], b: &[C]| compute(&forward.with_pass(pass), a, b).expect("the right lengths");
        let gx = by(Pass::InputGradient, &g, w);
        let gw = by(Pass::WeightGradient, x, &g);
        let whole = dot(&case.expected, &g);
        let by_weights = dot(w, &gw);
        let expected = if forward.is_conjugated() { whole.conj() } else { whole };
        assert_eq!(by_weights, expected, "the weights' gradient of {forward:?}");
        // A constant outside adds to the output what does not depend on the input.
        let silence = vec![C::default(); x.len()];
        let rest = by(Pass::Forward, &silence, w);
        assert_eq!(dot(x, &gx), whole - dot(&rest, &g), "the input's gradient of {forward:?}");
    }
}

/// Real numbers stand for complex ones without imaginary part, and exact integers for both.
#[test]
fn all_element_types_give_the_same() {
    let mut random = Random::new(32);
    for i in 0..100 {
        let problem = any_problem(&mut random, 1 + i % 3, 2e4);
        let [a, b, _] = lengths(&problem);
        let whole: Vec<i128> = (0..a.max(b)).map(|_| random.between(-9, 9) as i128).collect();
        let (first, second) = (&whole[..a], &whole[whole.len() - b..]);
        let exact = compute(&problem, first, second).expect("the right lengths");
        fn same<T: Element>(problem: &Problem, first: &[i128], second: &[i128], exact: &[i128]) {
            let of = |v: &[i128]| -> Vec<T> { v.iter().map(|&v| T::from_f64(v as f64)).collect() };
            let got = compute(problem, &of(first), &of(second)).expect("the right lengths");
            assert_eq!(got, of(exact), "{problem:?}");
        }
        same::<f32>(&problem, first, second, &exact);
        same::<f64>(&problem, first, second, &exact);
        same::<Complex<f32>>(&problem, first, second, &exact);
        same::<Complex<f64>>(&problem, first, second, &exact);
    }
}

#[test]
fn operands_of_other_lengths_are_refused() {
    let p = Problem::field(&[4], &[3]).build().expect("a valid problem");
    for (a, b) in [(3, 3), (5, 3), (4, 2), (4, 4), (0, 3), (4, 0)] {
        assert!(matches!(compute(&p, &vec![0.0; a], &vec![0.0; b]), Err(faltung::Error::Shape { .. })), "{a}, {b}");
    }
}
