//! What must hold for every problem, on problems drawn at random.

mod common;

use common::*;
use faltung::{Algorithm, Boundary, Complex, DType, Element, Mode, Pass, Plan, Planner, Problem, Workspace};
use proptest::prelude::*;

/// Any problem; proptest shrinks neither its rank nor its seed to anything simpler, but prints them.
fn problems(ranks: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = (Problem, Random)> {
    (ranks, any::<u64>()).prop_map(|(rank, seed)| {
        let mut random = Random::new(seed);
        (any_problem(&mut random, rank, 2e4), random)
    })
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn run<T: Element>(plan: &Plan<T>, first: &[T], second: &[T]) -> Vec<T> {
    let [_, _, len] = lengths(plan.problem());
    let mut workspace = Workspace::with_bytes(plan.workspace_bytes());
    workspace.poison();
    let mut result = vec![nan(); len];
    plan.run(first, second, &mut result, &mut workspace).expect("operands of the problem's lengths");
    result
}

/// A plan, or `None` where the algorithm need not serve the problem.
fn plan<T: Element>(problem: &Problem, algorithm: Algorithm) -> Option<Plan<T>> {
    match Planner::new().algorithm(algorithm).plan(problem) {
        Ok(plan) => Some(plan),
        Err(e) if must_support(algorithm, problem) => panic!("{} by {algorithm}: {e}", tell(problem)),
        Err(_) => None,
    }
}

/// What a result may be off by, each element: nothing where the algorithm is exact on whole numbers.
fn tolerance<T: Element>(plan: &Plan<T>, first: &[T], second: &[T]) -> Vec<f64> {
    let bound = if is_exact(plan.recipe().algorithm()) { 0.0 } else { plan.error_bound() };
    scales(plan.problem(), first, second).into_iter().map(|s| s * bound).collect()
}

fn close<T: Element>(
    what: &str,
    plan: &Plan<T>,
    got: &[T],
    expected: &[T],
    tolerance: &[f64],
) -> Result<(), TestCaseError> {
    for (i, (&g, &e)) in got.iter().zip(expected).enumerate() {
        let problem = tell(plan.problem());
        prop_assert!(
            distance(g, e) <= tolerance[i],
            "{what}: {problem} by {}: element {i}: {g:?}, not {e:?} to {:.3e}",
            plan.recipe(),
            tolerance[i]
        );
    }
    Ok(())
}

fn sum<T: Element>(a: &[T], b: &[T], factor: T) -> Vec<T> {
    a.iter().zip(b).map(|(&a, &b)| a + factor * b).collect()
}

/// The pass is linear in its first operand, where nothing constant lies outside, and in its second up to conjugation.
fn linear<T: Element>(problem: &Problem, random: &mut Random) -> Result<(), TestCaseError> {
    let [a, b, _] = lengths(problem);
    let three = T::from_f64(3.0);
    let mut draw = |n| integers::<T>(random, n, 5);
    let (first, other, second, another) = (draw(a), draw(a), draw(b), draw(b));
    for algorithm in algorithms() {
        let Some(plan) = plan::<T>(problem, algorithm) else { continue };
        let whole = run(&plan, &first, &second);
        let mut allowed = tolerance(&plan, &sum(&first, &other, three), &second);
        for (t, more) in allowed.iter_mut().zip(tolerance(&plan, &other, &second)) {
            *t += 3.0 * more;
        }
        for (t, more) in allowed.iter_mut().zip(tolerance(&plan, &first, &second)) {
            *t += more;
        }
        let affine = matches!(problem.boundary(), Boundary::Constant(_)) && problem.pass() != Pass::InputGradient;
        if !affine {
            let expected = sum(&whole, &run(&plan, &other, &second), three);
            let got = run(&plan, &sum(&first, &other, three), &second);
            close("linear in the first operand", &plan, &got, &expected, &allowed)?;
        }
        let expected = sum(&whole, &run(&plan, &first, &another), three);
        let got = run(&plan, &first, &sum(&second, &another, three));
        let mut allowed = tolerance(&plan, &first, &sum(&second, &another, three));
        for (t, more) in allowed.iter_mut().zip(tolerance(&plan, &first, &another)) {
            *t += 3.0 * more;
        }
        for (t, more) in allowed.iter_mut().zip(tolerance(&plan, &first, &second)) {
            *t += more;
        }
        close("linear in the second operand", &plan, &got, &expected, &allowed)?;
    }
    Ok(())
}

fn dot<T: Element>(a: &[T], b: &[T]) -> Complex<f64> {
    let complex = |v: T| Complex::new(v.to_f64().0, v.to_f64().1);
    a.iter().zip(b).map(|(&a, &b)| complex(a) * complex(b).conj()).sum()
}

/// How far ⟨a, b⟩ may be off where each element of `a` is, by its tolerance.
fn leeway<T: Element>(tolerance: &[f64], b: &[T]) -> f64 {
    tolerance.iter().zip(b).map(|(t, &b)| t * magnitude(b)).sum()
}

/// ⟨conv x, g⟩ = ⟨x, gx⟩ = ⟨w, gw⟩.
fn adjoint<T: Element>(problem: &Problem, random: &mut Random) -> Result<(), TestCaseError> {
    let forward = problem.with_pass(Pass::Forward);
    let [nx, nw, ny] = lengths(&forward);
    let mut draw = |n| integers::<T>(random, n, 4);
    let (x, w, g) = (draw(nx), draw(nw), draw(ny));
    for algorithm in algorithms() {
        let by = |pass| plan::<T>(&forward.with_pass(pass), algorithm);
        let (Some(fwd), Some(bwd_d), Some(bwd_w)) =
            (by(Pass::Forward), by(Pass::InputGradient), by(Pass::WeightGradient))
        else {
            continue;
        };
        let (y, gx, gw) = (run(&fwd, &x, &w), run(&bwd_d, &g, &w), run(&bwd_w, &x, &g));
        let off = leeway(&tolerance(&fwd, &x, &w), &g);
        let by_weights = if forward.is_conjugated() { dot(&w, &gw).conj() } else { dot(&w, &gw) };
        let allowed = off + leeway(&tolerance(&bwd_w, &x, &g), &w);
        let difference = (dot(&y, &g) - by_weights).norm();
        prop_assert!(
            difference <= allowed,
            "<y, g> = <w, gw> by {algorithm}: off by {difference} on {}",
            tell(&forward)
        );

        // What a constant outside adds does not depend on the input.
        let rest = match forward.boundary() {
            Boundary::Constant(_) => run(&fwd, &vec![T::default(); nx], &w),
            _ => vec![T::default(); ny],
        };
        let allowed = 2.0 * off + leeway(&tolerance(&bwd_d, &g, &w), &x);
        let difference = (dot(&y, &g) - dot(&rest, &g) - dot(&x, &gx)).norm();
        prop_assert!(
            difference <= allowed,
            "<y, g> = <x, gx> by {algorithm}: off by {difference} on {}",
            tell(&forward)
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(250))]

    #[test]
    fn every_pass_is_linear((problem, mut random) in problems(1..=4)) {
        by_dtype!(problem, T => linear::<T>(&problem, &mut random)?);
    }

    #[test]
    fn gradients_are_adjoints((problem, mut random) in problems(1..=4)) {
        by_dtype!(problem, T => adjoint::<T>(&problem, &mut random)?);
    }

    /// Silence before the data delays the result of a full convolution.
    #[test]
    fn a_shift_of_the_data_shifts_the_result(
        n in 1usize..60, k in 1usize..30, delay in 0usize..40, seed in any::<u64>(),
    ) {
        let mut random = Random::new(seed);
        let (x, h) = (integers::<f32>(&mut random, n, 9), integers::<f32>(&mut random, k, 9));
        let mut late = vec![0.0; delay];
        late.extend(&x);
        for algorithm in algorithms() {
            let field = |n| Problem::field(&[n], &[k]).build().expect("a valid problem");
            let (a, b) = (plan::<f32>(&field(n), algorithm), plan::<f32>(&field(n + delay), algorithm));
            let (Some(a), Some(b)) = (a, b) else { continue };
            let mut expected = vec![0.0; delay];
            expected.extend(run(&a, &x, &h));
            let bound = tolerance(&a, &x, &h)[0] + tolerance(&b, &x, &h)[0];
            let allowed = vec![bound; expected.len()];
            close("delayed", &b, &run(&b, &late, &h), &expected, &allowed)?;
        }
    }

    /// A full convolution does not tell its operands apart.
    #[test]
    fn full_convolution_commutes(
        shapes in prop::collection::vec((1usize..14, 1usize..9), 1..=3), dtype in prop::sample::select(&DType::ALL[..]),
        seed in any::<u64>(),
    ) {
        let mut random = Random::new(seed);
        let (input, kernel): (Vec<_>, Vec<_>) = shapes.into_iter().unzip();
        let field = |a: &[usize], b: &[usize]| Problem::field(a, b).dtype(dtype).build().expect("a valid problem");
        let (there, back) = (field(&input, &kernel), field(&kernel, &input));
        by_dtype!(there, T => {
            let [a, b, _] = lengths(&there);
            let (x, h) = (integers::<T>(&mut random, a, 9), integers::<T>(&mut random, b, 9));
            for algorithm in algorithms() {
                let (Some(p), Some(q)) = (plan::<T>(&there, algorithm), plan::<T>(&back, algorithm)) else { continue };
                let (t, u) = (tolerance(&p, &x, &h), tolerance(&q, &h, &x));
                let allowed: Vec<f64> = t.iter().zip(u).map(|(t, u)| t + u).collect();
                close("operands exchanged", &p, &run(&p, &x, &h), &run(&q, &h, &x), &allowed)?;
            }
        });
    }

    /// Outputs counted one by one.
    #[test]
    fn output_extents_are_what_counting_gives(
        n in 1usize..30, k in 1usize..9, stride in 1usize..5, dilation in 1usize..5,
        before in -6isize..12, after in -6isize..12,
    ) {
        let span = ((k - 1) * dilation + 1) as isize;
        let positions = |from: isize| (0..).map(move |o| from + o * stride as isize);
        let count = |from: isize, to: isize| positions(from).take_while(|p| p + span <= to).count();
        let field = || Problem::field(&[n], &[k]).stride(&[stride]).dilation(&[dilation]);
        let len = n as isize;
        let cases = [
            (field().padding(&[(before, after)]), before, count(-before, len + after)),
            (field().mode(Mode::Valid), 0, count(0, len)),
            (field().mode(Mode::Full), span - 1, count(1 - span, len + span - 1)),
            (field().mode(Mode::Causal), span - 1, (0..n).step_by(stride).count()),
            (field().mode(Mode::Same), (span - 1) - (span - 1) / 2, (0..n).step_by(stride).count()),
        ];
        for (builder, padding, outputs) in cases {
            match builder.clone().build() {
                Ok(p) => {
                    let axis = p.axes()[0];
                    prop_assert_eq!((axis.padding(), axis.output()), (padding, outputs), "{:?}", p);
                    prop_assert_eq!(axis.span(), span as usize);
                    let last = (axis.output() as isize - 1) * stride as isize - padding + span;
                    prop_assert_eq!(axis.padding_after(), last - len);
                    prop_assert_eq!(axis.reads_outside(), padding > 0 || last > len);
                    // The same outputs, told outright or as a window of themselves.
                    let told = field().output(&[(axis.padding(), axis.output())]).build();
                    prop_assert_eq!(told.expect("the same extents"), p.clone());
                    let (start, length) = (axis.output() / 3, axis.output() - axis.output() / 3);
                    let part = builder.window(&[(start, length)]).build().expect("within the outputs");
                    prop_assert_eq!(part.axes()[0].padding(), padding - (start * stride) as isize);
                    prop_assert_eq!(part.axes()[0].output(), length);
                }
                Err(e) => {
                    prop_assert_eq!(outputs, 0, "{}", e);
                    prop_assert!(matches!(e, faltung::Error::KernelTooLong { axis: 0, .. }), "{}", e);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(config(400))]

    /// Shapes, operations and terms are those of the definition.
    #[test]
    fn sizes_are_what_counting_gives((problem, _) in problems(1..=6)) {
        let p = &problem;
        let spatial = |of: fn(&faltung::SpatialAxis) -> usize| p.axes().iter().map(of).product::<usize>();
        let (inputs, taps, outputs) = (spatial(|a| a.input()), spatial(|a| a.kernel()), spatial(|a| a.output()));
        let (ci, co) = (p.in_channels() / p.groups(), p.out_channels() / p.groups());
        let forward = p.with_pass(Pass::Forward);
        let data = [p.batch() * p.in_channels() * inputs, p.batch() * p.out_channels() * outputs];
        prop_assert_eq!(lengths(&forward), [data[0], p.out_channels() * ci * taps, data[1]]);
        let products = p.batch() * p.out_channels() * outputs * ci * taps;
        prop_assert_eq!(p.flops(), 2.0 * products as f64);
        let terms = match p.pass() {
            Pass::Forward => ci * taps,
            Pass::InputGradient => co * taps,
            Pass::WeightGradient => p.batch() * outputs,
        };
        prop_assert_eq!(p.terms(), terms);
        let same = p.with_pass(p.pass()).with_layout(p.layout()).with_dtype(p.dtype());
        prop_assert_eq!(&same.expect("it fits"), p);
    }

    /// One is chosen, it comes first, it is the one that runs, and every other says why not.
    #[test]
    fn explanations_choose_one((problem, _) in problems(1..=6), most in prop::option::of(1usize..100_000)) {
        let mut planner = Planner::new();
        if let Some(bytes) = most {
            planner = planner.max_workspace(bytes);
        }
        match planner.explain(&problem) {
            Ok(explanation) => {
                let chosen: Vec<_> = explanation.candidates.iter().filter(|c| c.why_not.is_none()).collect();
                prop_assert_eq!(chosen.len(), 1);
                prop_assert_eq!(chosen[0], &explanation.candidates[0]);
                prop_assert_eq!(chosen[0], explanation.chosen());
                prop_assert_eq!(chosen[0].recipe.clone(), Some(planner.recipe(&problem).expect("explained")));
                prop_assert!(most.is_none_or(|bytes| chosen[0].workspace_bytes <= bytes));
                let mut names: Vec<_> = explanation.candidates.iter().map(|c| c.algorithm.name()).collect();
                names.sort_unstable();
                let mut all = Algorithm::ALL.map(Algorithm::name);
                all.sort_unstable();
                prop_assert_eq!(names, all);
                for c in &explanation.candidates {
                    prop_assert!(c.recipe.is_none() || (c.predicted.is_finite() && c.predicted > 0.0), "{:?}", c);
                    prop_assert!(c.recipe.is_none() || (c.error_bound > 0.0 && c.error_bound < 1.0), "{:?}", c);
                    prop_assert!(c.why_not.as_ref().is_none_or(|why| !why.is_empty()));
                    prop_assert!(explanation.to_string().contains(c.algorithm.name()));
                }
            }
            Err(e) => prop_assert!(most.is_some() && matches!(e, faltung::Error::NoCandidate { .. }), "{}", e),
        }
    }

    /// Recipes can be written down and read back, and plan to themselves.
    #[test]
    fn recipes_are_plain_data((problem, _) in problems(1..=6)) {
        let problem = problem.with_dtype(DType::F32).expect("it fits");
        for algorithm in algorithms() {
            let Some(plan) = plan::<f32>(&problem, algorithm) else { continue };
            prop_assert_eq!(plan.recipe().algorithm(), algorithm);
            let text = plan.recipe().to_string();
            prop_assert_eq!(&text.parse::<faltung::Recipe>().expect("a recipe's own text"), plan.recipe());
            let twin = Planner::new().plan_with::<f32>(plan.problem(), plan.recipe());
            let twin = twin.expect("the planner's own recipe");
            prop_assert_eq!(twin.candidate(), plan.candidate());
        }
    }

    /// A workspace of the size told never grows, with as many threads as there are.
    #[test]
    fn the_workspace_told_is_enough((problem, mut random) in problems(1..=4), threads in 1usize..5) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        by_dtype!(problem, T => {
            let case = Case::<T>::integers(&problem, &mut random);
            for algorithm in algorithms() {
                let Some(plan) = plan::<T>(&problem, algorithm) else { continue };
                let outcome = pool.install(|| dense(&plan, &case));
                prop_assert!(outcome.is_ok(), "{} by {}: {}", tell(&problem), algorithm, outcome.unwrap_err());
            }
        });
    }
}
