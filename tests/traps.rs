//! What convolutions elsewhere have got wrong, a test each, on every algorithm.

mod common;

use common::*;
use faltung::{
    Algorithm, Boundary, DType, Element, Layout, Mode, Pass, Plan, Planner, Problem, ProblemBuilder, Workspace,
};

fn build(builder: ProblemBuilder) -> Problem {
    builder.build().expect("a problem of the test's own making")
}

/// Runs a case known by hand through every algorithm and every element type.
fn known(builder: ProblemBuilder, first: &[f64], second: &[f64], expected: &[f64]) {
    battery(|b| {
        for dtype in DType::ALL {
            let problem = build(builder.clone().dtype(dtype));
            by_dtype!(problem, T => {
                let of = |v: &[f64]| -> Vec<T> { v.iter().map(|&v| number(v, 0.0)).collect() };
                let case = Case::<T>::new(&problem, of(first), of(second));
                assert_eq!(case.expected, of(expected), "the definition on {problem:?}");
                b.run(&case);
            });
        }
    });
}

/// Finite, NaN, infinite or negatively infinite.
fn class<T: Element>(value: T) -> [u8; 2] {
    let of = |v: f64| match v {
        v if v.is_nan() => 1,
        f64::INFINITY => 2,
        f64::NEG_INFINITY => 3,
        _ => 0,
    };
    let (re, im) = value.to_f64();
    [of(re), of(im)]
}

/// What is not finite in the expected result must be so in the same way, and the rest as near as ever.
fn same_classes<T: Element>(what: &str, plan: &Plan<T>, case: &Case<T>, got: &[T]) -> Outcome {
    let alike = |i: &usize| class(got[*i]) == class(case.expected[*i]);
    differing(what, case, got.len(), alike, |i| format!("expected {:?}, got {:?}", case.expected[i], got[i]))?;
    let bound = if is_exact(plan.recipe().algorithm()) { 0.0 } else { plan.error_bound() };
    let near = |i: &usize| class(got[*i]) != [0, 0] || distance(got[*i], case.expected[*i]) <= bound * case.scale[*i];
    differing(what, case, got.len(), near, |i| {
        format!("expected {:?}, got {:?}, tolerance {:.3e}", case.expected[i], got[i], bound * case.scale[i])
    })
}

fn keeps_the_rule<T: Element>(b: &mut Battery, case: &Case<T>) {
    for algorithm in algorithms().into_iter().chain([Algorithm::Auto]) {
        b.planned(algorithm, case, |plan| {
            same_classes("unprepared", plan, case, &run_dirty(plan, case)?)?;
            if case.problem.pass() == Pass::WeightGradient {
                return Ok(());
            }
            let prepared = plan.prepare(&case.second).map_err(|e| e.to_string())?;
            let mut got = vec![nan(); case.expected.len()];
            prepared.run(&case.first, &mut got, &mut Workspace::new()).map_err(|e| e.to_string())?;
            same_classes("prepared", plan, case, &got)
        });
    }
}

/// Puts up to three numbers that are not finite somewhere.
fn disturb<T: Element>(values: &mut [T], random: &mut Random) {
    let specials = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    for _ in 0..1 + random.below(3) {
        let at = random.below(values.len());
        values[at] = match random.below(3) {
            0 => number(random.pick(&specials), random.pick(&specials)),
            1 => number(random.pick(&specials), 2.0),
            _ => number(3.0, random.pick(&specials)),
        };
    }
}

fn non_finite_problems(random: &mut Random) -> Vec<Problem> {
    let builders = [
        Problem::field(&[200], &[5]),
        Problem::field(&[700], &[31]).mode(Mode::Same),
        Problem::field(&[700], &[31]).mode(Mode::Same).boundary(Boundary::Mirror),
        Problem::field(&[40, 37], &[5, 6]).mode(Mode::Same).boundary(Boundary::Wrap),
        Problem::field(&[20, 40], &[7, 3]).boundary(Boundary::Constant(2.0)),
        Problem::layer(2, 5, 4, &[9, 11], &[3, 3]).padding(&[(1, 1)]),
        Problem::layer(2, 17, 16, &[7, 6], &[3, 3]).padding(&[(1, 1)]).layout(Layout::ChannelsLast),
        Problem::layer(1, 8, 8, &[12, 10], &[5, 5]).groups(8).padding(&[(2, 2)]),
        Problem::layer(2, 3, 4, &[15, 14], &[3, 3]).stride(&[2]).dilation(&[2]).padding(&[(2, 2)]),
        Problem::layer(3, 6, 6, &[4, 5], &[1, 1]),
    ];
    let mut problems: Vec<Problem> = Vec::new();
    for builder in builders {
        for pass in Pass::ALL {
            problems.push(build(builder.clone().pass(pass).dtype(random.pick(&DType::ALL))));
        }
    }
    problems.extend((0..300).map(|i| any_problem(random, 1 + i % 4, 2e4)));
    problems
}

fn non_finite(seed: u64, disturb_first: bool, disturb_second: bool) {
    battery(|b| {
        let mut random = Random::new(seed);
        for problem in non_finite_problems(&mut random) {
            by_dtype!(problem, T => {
                let Case { mut first, mut second, .. } = Case::<T>::integers(&problem, &mut random);
                if disturb_first {
                    disturb(&mut first, &mut random);
                }
                if disturb_second {
                    disturb(&mut second, &mut random);
                }
                keeps_the_rule(b, &Case::new(&problem, first, second));
            });
        }
    });
}

#[test]
fn non_finite_data_touch_what_they_touch() {
    non_finite(40, true, false);
}

#[test]
fn non_finite_kernels_and_output_gradients_touch_what_they_touch() {
    non_finite(41, false, true);
}

#[test]
fn non_finite_operands_meet() {
    non_finite(42, true, true);
}

/// A NaN in a signal spoils as many outputs as there are taps, also where the signal is long enough for transforms.
#[test]
fn one_nan_spoils_as_many_outputs_as_there_are_taps() {
    battery(|b| {
        for (n, k) in [(200, 5), (1000, 64), (20_000, 500)] {
            let problem = build(Problem::field(&[n], &[k]));
            let mut random = Random::new(43);
            let (mut x, h) = (integers::<f32>(&mut random, n, 9), integers::<f32>(&mut random, k, 9));
            x[n / 2] = f32::NAN;
            for algorithm in algorithms().into_iter().chain([Algorithm::Auto]) {
                b.attempt(algorithm, &problem, || {
                    let planned = Planner::new().algorithm(algorithm).plan(&problem);
                    if planned.is_err() && !must_support(algorithm, &problem) {
                        return Ok(());
                    }
                    let plan = planned.map_err(|e| e.to_string())?;
                    let mut y = vec![0.0; n + k - 1];
                    plan.run(&x, &h, &mut y, &mut Workspace::new()).map_err(|e| e.to_string())?;
                    let wrong: Vec<usize> =
                        (0..y.len()).filter(|&i| y[i].is_nan() != (n / 2..n / 2 + k).contains(&i)).collect();
                    if wrong.is_empty() { Ok(()) } else { Err(format!("NaN, or not, at {wrong:?}")) }
                });
            }
        }
    });
}

/// Outside the data under `Zero` there is nothing: an infinite tap that falls there does no harm.
#[test]
fn taps_outside_contribute_nothing_whatever_they_are() {
    battery(|b| {
        let mut random = Random::new(44);
        for tap in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for builder in [
                Problem::field(&[40], &[9]).mode(Mode::Same),
                Problem::field(&[3], &[9]),
                Problem::field(&[12, 13], &[3, 3]).mode(Mode::Same),
                Problem::layer(1, 3, 3, &[10], &[3]).padding(&[(1, 1)]),
                Problem::layer(1, 2, 3, &[9, 8], &[3, 3]).padding(&[(2, 1)]).stride(&[2]),
            ] {
                for pass in [Pass::Forward, Pass::InputGradient] {
                    let problem = build(builder.clone().pass(pass));
                    let Case { first, mut second, .. } = Case::<f32>::integers(&problem, &mut random);
                    second[0] = tap as f32;
                    keeps_the_rule(b, &Case::new(&problem, first, second));
                }
            }
        }
    });
}

/// Inside, 0 x infinity is NaN, and in a weight gradient too.
#[test]
fn zero_times_infinity_is_nan() {
    battery(|b| {
        for pass in Pass::ALL {
            let problem = build(Problem::layer(1, 2, 2, &[9, 9], &[3, 3]).padding(&[(1, 1)]).pass(pass));
            let [na, nb, _] = lengths(&problem);
            let mut first = vec![1.0f32; na];
            first[na / 2] = f32::INFINITY;
            let case = Case::new(&problem, first, vec![0.0; nb]);
            assert!(case.expected.iter().any(|v| v.is_nan()));
            keeps_the_rule(b, &case);
            let mut second = vec![1.0f32; nb];
            second[nb / 2] = f32::INFINITY;
            let case = Case::new(&problem, vec![0.0; na], second);
            assert!(case.expected.iter().any(|v| v.is_nan()));
            keeps_the_rule(b, &case);
        }
    });
}

/// A convolution of positive numbers, summed in double precision: the part of the full one from `from` on.
fn truth(
    x: &[f32],
    [h, w]: [usize; 2],
    taps: &[f32],
    [kh, kw]: [usize; 2],
    from: [usize; 2],
    out: [usize; 2],
) -> Vec<f64> {
    let full = [h + kh - 1, w + kw - 1];
    let mut sums = vec![0.0f64; full[0] * full[1]];
    for (i, j) in (0..h).flat_map(|i| (0..kh).map(move |j| (i, j))) {
        for (l, &tap) in taps[j * kw..][..kw].iter().enumerate() {
            let row = &mut sums[(i + j) * full[1] + l..][..w];
            row.iter_mut().zip(&x[i * w..][..w]).for_each(|(y, &x)| *y += x as f64 * tap as f64);
        }
    }
    let rows = (0..out[0]).map(|i| &sums[(i + from[0]) * full[1] + from[1]..][..out[1]]);
    rows.flatten().copied().collect()
}

/// One loud sample must not drown what it does not touch. Winograd's algorithm, asked for by name, keeps to its bound,
/// which is relative to the loudest sample.
#[test]
fn a_loud_sample_does_not_drown_the_others() {
    let mut random = Random::new(45);
    let mut failures = String::new();
    for ([h, w], [kh, kw]) in [
        ([1, 200], [1, 5]),
        ([1, 60_000], [1, 2000]),
        ([1, 9000], [1, 4000]),
        ([200, 210], [41, 40]),
        ([90, 300], [15, 15]),
    ] {
        let problem = match h {
            1 => build(Problem::field(&[w], &[kw]).mode(Mode::Same)),
            _ => build(Problem::field(&[h, w], &[kh, kw]).mode(Mode::Same)),
        };
        let mut positive = |n: usize| -> Vec<f32> { (0..n).map(|_| 0.5 + random.unit() as f32).collect() };
        let (quiet, taps) = (positive(h * w), positive(kh * kw));
        for loud in [1e8, 1e30] {
            for at in [0, h / 2 * w + w / 3, h * w - 1] {
                let mut x = quiet.clone();
                x[at] = loud;
                let expected = truth(&x, [h, w], &taps, [kh, kw], [(kh - 1) / 2, (kw - 1) / 2], [h, w]);
                for algorithm in algorithms().into_iter().chain([Algorithm::Auto]) {
                    if algorithm == Algorithm::Reference && problem.flops() > 1e7 {
                        continue;
                    }
                    let plan = match Planner::new().algorithm(algorithm).plan::<f32>(&problem) {
                        Err(_) if !must_support(algorithm, &problem) => continue,
                        plan => plan.expect("a plan"),
                    };
                    let mut y = vec![f32::NAN; h * w];
                    plan.run(&x, &taps, &mut y, &mut Workspace::new()).expect("operands of its lengths");
                    let norm = taps.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
                    let bound = match algorithm {
                        Algorithm::Winograd => plan.error_bound() * f64::from(loud) * norm,
                        _ => 0.0,
                    };
                    let fine = |i: usize| (y[i] as f64 - expected[i]).abs() <= 1e-3 * expected[i] + bound;
                    let wrong: Vec<usize> = (0..h * w).filter(|&i| !fine(i)).collect();
                    if let Some(&i) = wrong.first() {
                        failures += &format!(
                            "\n{} by {algorithm} ({}), {loud:e} at {at}: {} of {} wrong, {} not {} at {i}",
                            tell(&problem),
                            plan.recipe(),
                            wrong.len(),
                            h * w,
                            y[i],
                            expected[i]
                        );
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

/// A loud batch entry or channel must not drown another.
#[test]
fn a_loud_channel_does_not_drown_the_others() {
    let mut random = Random::new(46);
    let mut failures = String::new();
    let builders = [
        Problem::layer(2, 1, 1, &[3000], &[300]),
        Problem::layer(2, 4, 4, &[90, 90], &[31, 31]).groups(4),
        Problem::layer(2, 4, 4, &[40, 40], &[15, 15]).groups(4).layout(Layout::ChannelsLast),
    ];
    for problem in builders.map(build) {
        let [na, nb, nc] = lengths(&problem);
        let mut positive = |n: usize| -> Vec<f32> { (0..n).map(|_| 0.5 + random.unit() as f32).collect() };
        let (mut x, w) = (positive(na), positive(nb));
        let run = |x: &[f32]| {
            let plan = Planner::new().plan::<f32>(&problem).expect("a plan");
            let mut y = vec![f32::NAN; nc];
            plan.run(x, &w, &mut y, &mut Workspace::new()).expect("operands of its lengths");
            (y, plan.recipe().to_string())
        };
        let (quiet, _) = run(&x);
        x[na / 2 + 7] = 1e30;
        let (loud, recipe) = run(&x);
        // What the loud sample adds is far above anything else, and what it does not touch is as it was.
        let fine = |i: usize| loud[i] > 1e28 || (loud[i] - quiet[i]).abs() <= 1e-3 * quiet[i];
        let count = (0..nc).filter(|&i| !fine(i)).count();
        if count > 0 {
            failures += &format!("\n{} by {recipe}: {count} of {nc} wrong", tell(&problem));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

/// No dust where the answer is zero by every product.
#[test]
fn zero_kernels_and_silence_give_exact_zeros() {
    let mut random = Random::new(47);
    let mut problems: Vec<Problem> = (0..100).map(|i| any_problem(&mut random, 1 + i % 3, 2e4)).collect();
    problems.push(build(Problem::field(&[3000], &[200])));
    problems.push(build(Problem::field(&[60, 50], &[9, 9]).mode(Mode::Same)));
    battery(|b| {
        for problem in problems {
            by_dtype!(problem, T => {
                let Case { first, second, .. } = Case::<T>::integers(&problem, &mut random);
                let silent = |v: &[T]| vec![T::default(); v.len()];
                let quiet_outside = !matches!(problem.boundary(), Boundary::Constant(_));
                let mut cases = vec![Case::new(&problem, first.clone(), silent(&second))];
                if quiet_outside {
                    cases.push(Case::new(&problem, silent(&first), second.clone()));
                }
                for case in cases {
                    for algorithm in algorithms() {
                        b.planned(algorithm, &case, |plan| within("silence", &case, &run_dirty(plan, &case)?, |_| 0.0));
                    }
                }
            });
        }
    });
}

/// Where no product is but zero, the answer is zero, and sums of positive products are not negative: an algorithm that
/// is exact on whole numbers shows neither dust nor a sign, and of the others' dust there is no more than they say.
#[test]
fn there_is_no_dust_between_the_grains() {
    battery(|b| {
        let mut random = Random::new(52);
        for builder in [
            Problem::field(&[20_000], &[300]),
            Problem::field(&[300, 280], &[20, 21]).mode(Mode::Same),
            Problem::field(&[40, 41, 42], &[5, 6, 7]),
            Problem::layer(2, 5, 6, &[40, 41], &[3, 3]).padding(&[(1, 1)]),
            Problem::layer(2, 6, 6, &[40, 41], &[5, 5]).groups(6),
        ] {
            for pass in Pass::ALL {
                let problem = build(builder.clone().pass(pass));
                let [na, nb, _] = lengths(&problem);
                // Whole numbers, few of them.
                let mut grains = |len: usize, every: usize| -> Vec<f32> {
                    (0..len).map(|_| if random.once_in(every) { 1.0 + random.below(5) as f32 } else { 0.0 }).collect()
                };
                let case = Case::new(&problem, grains(na, 2000), grains(nb, 3));
                // A weight of a field's one kernel sees all grains, of which some meet another.
                assert!(pass == Pass::WeightGradient || case.expected.contains(&0.0), "{}", tell(&problem));
                assert!(case.expected.iter().all(|&v| v >= 0.0));
                b.run(&case);
                // Auto, too, where nothing but what is exact on whole numbers meets its tolerance.
                let exact = Planner::new().algorithm(Algorithm::Direct).plan::<f32>(&problem).expect("a plan");
                let strict = Planner::new().tolerance(exact.error_bound()).plan::<f32>(&problem).expect("a plan");
                let got = run_dirty(&strict, &case).expect("a run");
                let name = strict.recipe().algorithm();
                assert!(!is_exact(name) || got == case.expected, "{} by {name}", tell(&problem));
            }
        }
    });
}

/// What a run leaves in the workspace must not sound in the next.
#[test]
fn silence_after_a_loud_run_is_silent() {
    let mut random = Random::new(48);
    battery(|b| {
        for i in 0..100 {
            let problem = any_problem(&mut random, 1 + i % 3, 2e4);
            if matches!(problem.boundary(), Boundary::Constant(_)) {
                continue;
            }
            by_dtype!(problem, T => {
                let case = Case::<T>::integers(&problem, &mut random);
                for algorithm in algorithms() {
                    b.planned(algorithm, &case, |plan| {
                        let mut workspace = Workspace::new();
                        let mut result = vec![nan(); case.expected.len()];
                        let mut run = |x: &[T]| {
                            plan.run(x, &case.second, &mut result, &mut workspace).map_err(|e| e.to_string())?;
                            Ok::<_, String>(result.clone())
                        };
                        compare("loud", plan, &case, &run(&case.first)?)?;
                        let silence = run(&vec![T::default(); case.first.len()])?;
                        let silent = |i: &usize| silence[*i] == T::default();
                        differing("silent", &case, silence.len(), silent, |i| format!("{:?}", silence[i]))
                    });
                }
            });
        }
    });
}

#[test]
fn even_kernels_in_same_follow_scipy() {
    let x = [1., 2., 3., 4., 5.];
    known(Problem::field(&[5], &[2]).mode(Mode::Same), &x, &[1., 10.], &[1., 12., 23., 34., 45.]);
    known(Problem::field(&[5], &[4]).mode(Mode::Same), &x, &[1., 10., 100., 1000.], &[12., 123., 1234., 2345., 3450.]);
    known(Problem::field(&[5], &[2]).mode(Mode::Same).flip(false), &x, &[1., 10.], &[10., 21., 32., 43., 54.]);
}

#[test]
fn a_mirror_of_three_samples_wraps_several_times() {
    let nine = Problem::field(&[3], &[9]).mode(Mode::Same).boundary(Boundary::Mirror).flip(false);
    // 1 2 3 2 | 1 2 3 | 2 1 2 3 under taps of which only the outermost count.
    known(nine, &[1., 2., 3.], &[1., 0., 0., 0., 0., 0., 0., 0., 10.], &[11., 22., 33.]);
    let symmetric = Problem::field(&[3], &[9]).mode(Mode::Same).boundary(Boundary::Symmetric).flip(false);
    // 3 3 2 1 | 1 2 3 | 3 2 1 1
    known(symmetric, &[1., 2., 3.], &[1., 0., 0., 0., 0., 0., 0., 0., 10.], &[3. + 20., 3. + 10., 2. + 10.]);
}

#[test]
fn extents_of_one() {
    known(Problem::field(&[1], &[1]), &[3.], &[-7.], &[-21.]);
    known(Problem::field(&[1], &[4]), &[3.], &[1., 2., 3., 4.], &[3., 6., 9., 12.]);
    known(Problem::field(&[4], &[1]), &[1., 2., 3., 4.], &[3.], &[3., 6., 9., 12.]);
    known(Problem::field(&[1], &[5]).mode(Mode::Same), &[3.], &[1., 2., 4., 8., 16.], &[12.]);
    known(Problem::field(&[1; 6], &[1; 6]), &[3.], &[5.], &[15.]);
    known(
        Problem::layer(1, 1, 1, &[1, 1], &[1, 1]).padding(&[(1, 1)]),
        &[3.],
        &[2.],
        &[0., 0., 0., 0., 6., 0., 0., 0., 0.],
    );
}

#[test]
fn kernels_longer_than_the_data() {
    known(Problem::field(&[2], &[5]), &[1., 10.], &[1., 2., 3., 4., 5.], &[1., 12., 23., 34., 45., 50.]);
    known(Problem::field(&[2], &[5]).mode(Mode::Same), &[1., 10.], &[1., 2., 3., 4., 5.], &[23., 34.]);
    known(Problem::field(&[2], &[5]).mode(Mode::Causal), &[1., 10.], &[1., 2., 3., 4., 5.], &[1., 12.]);
}

/// A path that has the orientation wrong shows it on asymmetric kernels only.
#[test]
fn orientation() {
    let x = [0., 0., 1., 0., 0., 0.];
    known(Problem::field(&[2, 3], &[2, 2]), &x, &[1., 2., 3., 4.], &[0., 0., 1., 2., 0., 0., 3., 4., 0., 0., 0., 0.]);
    let correlation = Problem::field(&[2, 3], &[2, 2]).flip(false);
    known(correlation, &x, &[1., 2., 3., 4.], &[0., 0., 4., 3., 0., 0., 2., 1., 0., 0., 0., 0.]);
}

/// Sums that use every bit of the significand.
#[test]
fn whole_numbers_stay_whole() {
    battery(|b| {
        let mut random = Random::new(49);
        for builder in [
            Problem::field(&[900], &[30]),
            Problem::field(&[60, 41], &[5, 6]).mode(Mode::Same).boundary(Boundary::Nearest),
            Problem::layer(1, 20, 18, &[8, 9], &[3, 3]).padding(&[(1, 1)]),
            Problem::layer(2, 20, 18, &[8, 9], &[3, 3]).padding(&[(1, 1)]).layout(Layout::ChannelsLast),
            Problem::layer(2, 12, 12, &[8, 9], &[5, 5]).groups(12),
        ] {
            for (pass, dtype) in Pass::ALL.into_iter().flat_map(|p| DType::ALL.map(|d| (p, d))) {
                let problem = build(builder.clone().pass(pass).dtype(dtype));
                by_dtype!(problem, T => {
                    let [na, nb, _] = lengths(&problem);
                    // Two real products and `terms` of them must stay below the significand's largest whole number.
                    let room = 1.0 / (dtype.epsilon() * problem.terms() as f64);
                    let most = room.sqrt().min(30_000.0) as isize;
                    let (first, second) = (integers::<T>(&mut random, na, most), integers::<T>(&mut random, nb, most));
                    b.run(&Case::new(&problem, first, second));
                });
            }
        }
    });
}

/// Near the largest number: what does not overflow in any order of summation must not overflow.
#[test]
fn values_near_the_largest_number() {
    battery(|b| {
        let mut random = Random::new(50);
        for builder in [
            Problem::field(&[300], &[3]).mode(Mode::Same),
            Problem::field(&[2000], &[100]),
            Problem::field(&[40, 50], &[5, 4]),
            Problem::layer(2, 3, 4, &[9, 10], &[3, 3]),
        ] {
            for pass in [Pass::Forward, Pass::InputGradient] {
                let problem = build(builder.clone().pass(pass));
                let [na, nb, _] = lengths(&problem);
                let share = 0.9 / problem.terms() as f64;
                let first: Vec<f32> = (0..na).map(|_| random.pick(&[3.0e38, -3.0e38, 2.9e38])).collect();
                let second: Vec<f32> = (0..nb).map(|_| (share * (random.unit() - 0.2)) as f32).collect();
                let case = Case::new(&problem, first, second);
                assert!(case.expected.iter().all(|v| v.is_finite()));
                for algorithm in algorithms() {
                    b.planned(algorithm, &case, |plan| {
                        let own = problem.terms() as f64 * f32::EPSILON as f64;
                        let bound = plan.error_bound().max(own);
                        within("near the largest", &case, &run_dirty(plan, &case)?, |i| bound * case.scale[i])
                    });
                }
            }
        }
    });
}

/// What overflows does so at its own place only.
#[test]
fn overflow_stays_where_it_is() {
    battery(|b| {
        for builder in
            [Problem::field(&[300], &[3]), Problem::field(&[1000], &[80]), Problem::field(&[30, 31], &[4, 5])]
        {
            let problem = build(builder);
            let [na, nb, _] = lengths(&problem);
            let mut first = vec![1.0f32; na];
            (first[na / 2], first[na / 2 + 1]) = (3e38, 3e38);
            let case = Case::new(&problem, first, vec![3.0; nb]);
            assert!(case.expected.contains(&f32::INFINITY) && case.expected[0] == 3.0);
            keeps_the_rule(b, &case);
        }
    });
}

/// Denormal numbers are numbers: they neither vanish nor trap.
#[test]
fn denormal_data() {
    let smallest = f32::from_bits(1);
    battery(|b| {
        let mut random = Random::new(51);
        for builder in [
            Problem::field(&[300], &[5]).mode(Mode::Same),
            Problem::field(&[2000], &[100]),
            Problem::layer(1, 8, 9, &[9, 10], &[3, 3]),
        ] {
            for pass in Pass::ALL {
                let problem = build(builder.clone().pass(pass));
                let [na, nb, _] = lengths(&problem);
                let first: Vec<f32> = integers::<f32>(&mut random, na, 90_000).iter().map(|v| v * smallest).collect();
                let case = Case::new(&problem, first, integers::<f32>(&mut random, nb, 3));
                let sum: f64 = case.second.iter().map(|v| v.abs() as f64).sum();
                for algorithm in algorithms() {
                    b.planned(algorithm, &case, |plan| {
                        let bound = if is_exact(algorithm) { 0.0 } else { plan.error_bound() };
                        // A transform that does not scale them rounds to whole multiples of the smallest number.
                        let steps = if is_exact(algorithm) { 0.0 } else { 64.0 * smallest as f64 * sum.max(1.0) };
                        within("denormal", &case, &run_dirty(plan, &case)?, |i| bound * case.scale[i] + steps)
                    });
                }
            }
        }
    });
}
