//! What cannot be computed is refused, with a reason and without a panic.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use common::*;
use faltung::{
    Algorithm, Boundary, DType, Element, Error, Layout, Mode, Pass, Plan, Planner, Problem, ProblemBuilder, Recipe,
    Result, View, ViewMut, Workspace,
};

const HUGE: usize = usize::MAX;

/// The error of what must neither succeed nor panic.
fn refusal<V>(what: &str, attempt: impl FnOnce() -> Result<V>) -> Error {
    match catch_unwind(AssertUnwindSafe(attempt)) {
        Ok(Err(e)) => {
            assert!(e.to_string().len() > 8, "{what}: {e}");
            e
        }
        Ok(Ok(_)) => panic!("{what} was accepted"),
        Err(_) => panic!("{what} panicked"),
    }
}

fn argument(builder: ProblemBuilder, name: &str) {
    match refusal(name, || builder.build()) {
        Error::Argument { argument, .. } => assert_eq!(argument, name),
        other => panic!("{name}: {other:?}"),
    }
}

fn layer() -> ProblemBuilder {
    Problem::layer(1, 2, 2, &[5, 5], &[3, 3])
}

#[test]
fn zero_extents_strides_and_dilations() {
    argument(layer().stride(&[0]), "stride");
    argument(layer().stride(&[1, 0]), "stride");
    argument(layer().dilation(&[0, 1]), "dilation");
    argument(Problem::field(&[0], &[3]), "input");
    argument(Problem::field(&[3, 0], &[3, 3]), "input");
    argument(Problem::field(&[3], &[0]), "kernel");
    argument(layer().channels(0, 2), "in_channels");
    argument(layer().channels(2, 0), "out_channels");
    argument(layer().groups(0), "groups");
    argument(layer().output(&[(0, 0)]), "output");
    argument(layer().window(&[(0, 0)]), "window");
}

#[test]
fn ranks_and_lists_that_do_not_fit() {
    argument(Problem::field(&[], &[]), "input");
    argument(Problem::field(&[2; 7], &[1; 7]), "input");
    argument(Problem::field(&[3, 3], &[3]), "kernel");
    argument(Problem::field(&[3], &[3, 3]), "kernel");
    argument(layer().stride(&[]), "stride");
    argument(layer().stride(&[1, 1, 1]), "stride");
    argument(layer().dilation(&[1, 1, 1]), "dilation");
    argument(layer().padding(&[]), "padding");
    argument(layer().padding(&[(0, 0); 3]), "padding");
    argument(layer().output(&[(0, 1); 3]), "output");
    argument(layer().window(&[(0, 1); 3]), "window");
}

#[test]
fn groups_that_do_not_divide() {
    argument(layer().channels(3, 4).groups(2), "in_channels");
    argument(layer().channels(4, 3).groups(2), "out_channels");
    argument(layer().groups(HUGE), "in_channels");
}

#[test]
fn windows_outside_the_outputs() {
    for window in [(0, 4), (3, 1), (2, 2), (HUGE, 1), (1, HUGE), (HUGE, HUGE)] {
        argument(layer().window(&[window]), "window");
    }
    assert!(layer().window(&[(2, 1)]).build().is_ok());
}

#[test]
fn kernels_longer_than_the_data() {
    let too_long =
        |builder: ProblemBuilder, expected: (usize, usize, usize)| match refusal("kernel", || builder.build()) {
            Error::KernelTooLong { axis, kernel, input } => assert_eq!((axis, kernel, input), expected),
            other => panic!("{other:?}"),
        };
    too_long(Problem::field(&[3], &[9]).mode(Mode::Valid), (0, 9, 3));
    too_long(Problem::field(&[9, 3], &[2, 4]).mode(Mode::Valid), (1, 4, 3));
    too_long(Problem::layer(1, 1, 1, &[5], &[3]).dilation(&[3]), (0, 7, 5));
    too_long(Problem::layer(1, 1, 1, &[5], &[3]).padding(&[(-2, -1)]), (0, 3, 2));
    too_long(Problem::layer(1, 1, 1, &[5], &[1]).padding(&[(-9, -1)]), (0, 1, 0));
    too_long(Problem::layer(1, 1, 1, &[5], &[1]).padding(&[(isize::MIN, isize::MIN)]), (0, 1, 0));
    assert!(Problem::layer(1, 1, 1, &[5], &[3]).padding(&[(-1, -1)]).build().is_ok());
}

#[test]
fn sizes_that_overflow() {
    let overflow = |what: &str, builder: ProblemBuilder| {
        let e = refusal(what, || builder.build());
        assert!(matches!(e, Error::Overflow { .. }), "{what}: {e:?}");
    };
    let small = || Problem::layer(1, 1, 1, &[5], &[3]).padding(&[(1, 1)]);
    overflow("batch", layer().batch(HUGE));
    overflow("batch and channels", layer().batch(1 << 40).channels(1 << 30, 1));
    overflow("channels", layer().channels(HUGE, 1));
    overflow("both channels", layer().channels(1 << 32, 1 << 32));
    overflow("an empty batch does not hide it", layer().batch(0).channels(1 << 62, 1 << 62));
    overflow("input", Problem::field(&[HUGE], &[1]));
    overflow("input and kernel", Problem::field(&[HUGE], &[HUGE]));
    overflow("all of input and kernel", Problem::field(&[HUGE, HUGE], &[HUGE, HUGE]));
    overflow("the product of extents", Problem::field(&[1 << 32, 1 << 32], &[1, 1]));
    overflow("kernel", Problem::field(&[5], &[HUGE]));
    overflow("kernel, dilated", Problem::field(&[5], &[HUGE]).dilation(&[HUGE]));
    overflow("dilation", small().mode(Mode::Full).dilation(&[HUGE]));
    overflow("stride", small().stride(&[HUGE]));
    overflow("everything", Problem::field(&[HUGE], &[HUGE]).dilation(&[HUGE]).stride(&[HUGE]));
    overflow("padding", small().padding(&[(isize::MAX, isize::MAX)]));
    overflow("cropping", small().padding(&[(isize::MIN, isize::MAX)]).window(&[(0, 1)]).output(&[(isize::MIN, 1)]));
    overflow("output", small().output(&[(0, HUGE)]));
    overflow("output, strided", small().stride(&[HUGE]).output(&[(0, HUGE)]));
    overflow("output and padding", small().output(&[(isize::MIN, HUGE)]));
    overflow("bytes", Problem::field(&[1 << 59], &[1]).dtype(DType::C64));
    let wide = Problem::field(&[1 << 58], &[1]).build().expect("2^60 bytes are thinkable");
    assert!(wide.with_dtype(DType::C32).is_ok());
    let layer = Problem::layer(1 << 30, 1 << 20, 1, &[1 << 10], &[1]).build().expect("2^62 bytes are thinkable");
    assert!(matches!(layer.with_dtype(DType::F64), Err(Error::Overflow { .. })));
}

/// Problems that no machine holds are planned, or refused, without a panic and without much memory.
#[test]
fn thinkable_problems_of_any_size_are_planned() {
    let builders = [
        Problem::field(&[1 << 58], &[1]),
        Problem::field(&[1 << 58], &[1 << 57]),
        Problem::field(&[1 << 28, 1 << 28], &[1 << 20, 1 << 20]),
        Problem::field(&[3], &[1 << 50]),
        Problem::field(&[3], &[3]).dilation(&[1 << 55]),
        Problem::field(&[3], &[3]).stride(&[1 << 55]),
        Problem::field(&[3], &[3]).output(&[(-(1 << 58), 1 << 50)]),
        Problem::layer(1 << 40, 3, 5, &[64], &[7]),
        Problem::layer(0, 1 << 29, 1 << 29, &[1], &[1]),
        Problem::layer(1, 1 << 28, 1 << 28, &[7, 7], &[3, 1]),
        Problem::layer(1 << 10, 1 << 25, 1 << 25, &[7, 7], &[3, 3]).groups(1 << 25),
        Problem::field(&[1 << 9; 6], &[1 << 8; 6]).mode(Mode::Same).boundary(Boundary::Wrap),
    ];
    let mut failures = Vec::new();
    for problem in builders.map(|b| b.build().expect("it fits in an address space")) {
        for (pass, layout) in Pass::ALL.into_iter().flat_map(|p| LAYOUTS.map(|l| (p, l))) {
            let problem = problem.with_pass(pass).with_layout(layout);
            for algorithm in algorithms().into_iter().chain([Algorithm::Auto]) {
                let planner = Planner::new().algorithm(algorithm);
                match catch_unwind(AssertUnwindSafe(|| planner.explain(&problem).map(|e| e.to_string()))) {
                    Err(_) => failures.push(format!("{algorithm} panicked on {problem:?}")),
                    Ok(Err(Error::Unsupported { .. } | Error::NoCandidate { .. } | Error::Overflow { .. }))
                    | Ok(Ok(_)) => {}
                    Ok(Err(e)) => failures.push(format!("{algorithm}: {e} on {problem:?}")),
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A plan by each algorithm, but for those that do not serve the problem.
fn plan(algorithm: Algorithm, problem: &Problem) -> Option<Plan<f32>> {
    match Planner::new().algorithm(algorithm).plan(problem) {
        Err(Error::Unsupported { .. }) if !must_support(algorithm, problem) => None,
        plan => Some(plan.expect("a plan")),
    }
}

#[test]
fn slices_of_other_lengths() {
    for pass in Pass::ALL {
        let problem = layer().pass(pass).build().expect("a valid problem");
        let [na, nb, nc] = lengths(&problem);
        for algorithm in algorithms() {
            let Some(plan) = plan(algorithm, &problem) else { continue };
            let run = |a: usize, b: usize, c: usize| {
                plan.run(&vec![0.0; a], &vec![0.0; b], &mut vec![0.0; c], &mut Workspace::new())
            };
            run(na, nb, nc).expect("the right lengths");
            let wrong = [
                (na - 1, nb, nc),
                (na + 1, nb, nc),
                (0, nb, nc),
                (na, nb - 1, nc),
                (na, nb + 1, nc),
                (na, 0, nc),
                (na, nb, nc - 1),
                (na, nb, nc + 1),
                (na, nb, 0),
            ];
            for (a, b, c) in wrong {
                let e = refusal("a slice of another length", || run(a, b, c));
                assert!(matches!(e, Error::Shape { .. }), "{algorithm}: {e:?}");
            }
            if pass == Pass::WeightGradient {
                let e = refusal("preparing a weight gradient", || plan.prepare(&vec![0.0; nb]));
                assert!(matches!(e, Error::Argument { .. }), "{e:?}");
                continue;
            }
            assert!(matches!(refusal("a short kernel", || plan.prepare(&vec![0.0; nb - 1])), Error::Shape { .. }));
            let prepared = plan.prepare(&vec![0.0; nb]).expect("the right length");
            for (a, c) in [(na - 1, nc), (na + 1, nc), (na, nc - 1), (na, nc + 1)] {
                let e = refusal("a slice of another length", || {
                    prepared.run(&vec![0.0; a], &mut vec![0.0; c], &mut Workspace::new())
                });
                assert!(matches!(e, Error::Shape { .. }), "{algorithm}: {e:?}");
            }
        }
    }
}

#[test]
fn views_outside_their_slice() {
    let data = [0.0f32; 12];
    let cases: [(&[usize], &[isize], usize); 14] = [
        (&[13], &[1], 0),
        (&[12], &[1], 1),
        (&[12], &[-1], 10),
        (&[2], &[-1], 0),
        (&[3, 4], &[4, 1], 1),
        (&[3, 4], &[5, 1], 0),
        (&[1], &[1], 12),
        (&[1], &[1], HUGE),
        (&[2], &[isize::MAX], 0),
        (&[2], &[isize::MIN], 0),
        (&[HUGE], &[1], 0),
        (&[HUGE, HUGE], &[isize::MAX, isize::MAX], 0),
        (&[HUGE, HUGE], &[isize::MIN, isize::MIN], 0),
        (&[HUGE; 8], &[isize::MIN; 8], HUGE),
    ];
    for (shape, strides, offset) in cases {
        let what = format!("shape {shape:?}, strides {strides:?}, offset {offset}");
        assert!(matches!(refusal(&what, || View::new(&data, shape, strides, offset)), Error::Argument { .. }));
        let mut data = data;
        assert!(matches!(refusal(&what, || ViewMut::new(&mut data, shape, strides, offset)), Error::Argument { .. }));
    }
    for (shape, strides) in [(&[1; 9][..], &[1; 9][..]), (&[2, 3], &[1]), (&[2], &[3, 1])] {
        refusal("other ranks", || View::new(&data, shape, strides, 0));
    }
    refusal("too many axes", || View::dense(&data, &[1; 9]));
    refusal("a shape beyond the slice", || View::dense(&data, &[3, 5]));
    refusal("a shape that overflows", || View::dense(&data, &[HUGE, 3, HUGE, 2]));
    refusal("a shape that overflows", || View::dense(&data, &[2, 1 << 62, 2]));
    assert!(View::dense(&data, &[]).is_ok() && View::dense(&data, &[HUGE, 0, HUGE]).is_ok());
}

#[test]
fn writable_views_that_overlap() {
    let cases: [(&[usize], &[isize]); 6] = [
        (&[2], &[0]),
        (&[2, 3], &[1, 1]),
        (&[2, 3], &[2, 1]),
        (&[2, 3], &[-1, 1]),
        (&[3, 2], &[1, -2]),
        (&[HUGE, 1], &[0, 1]),
    ];
    for (shape, strides) in cases {
        let mut data = [0.0f32; 12];
        let what = format!("shape {shape:?}, strides {strides:?}");
        refusal(&what, || ViewMut::new(&mut data, shape, strides, 3));
        let data = [0.0f32; 12];
        assert!(View::new(&data, shape, strides, 3).is_ok(), "{what} may be read");
    }
    let mut data = [0.0f32; 12];
    for (shape, strides) in
        [(&[1, 1][..], &[0, 0][..]), (&[0, 5], &[0, 0]), (&[5, 0], &[0, 0]), (&[1, 4], &[1, -3]), (&[], &[])]
    {
        let offset = if shape == [1, 4] { 11 } else { 0 };
        assert!(ViewMut::new(&mut data, shape, strides, offset).is_ok(), "{shape:?} {strides:?}");
    }
}

#[test]
fn views_of_other_shapes() {
    let problem = Problem::layer(1, 2, 3, &[4], &[3]).build().expect("a valid problem");
    let [a, b, c] = problem.operands();
    let (x, w) = ([0.0f32; 24], [0.0f32; 24]);
    for algorithm in algorithms() {
        let Some(plan) = plan(algorithm, &problem) else { continue };
        let run = |a: &[usize], b: &[usize], c: &[usize]| {
            let mut y = [0.0f32; 24];
            let strides = dense_strides(c, Layout::ChannelsFirst);
            let out = ViewMut::new(&mut y, c, &strides, 0)?;
            plan.run_views(View::dense(&x, a)?, View::dense(&w, b)?, out, &mut Workspace::new())
        };
        run(&a, &b, &c).expect("the right shapes");
        let others: [&[usize]; 5] = [&[], &[8], &[1, 4, 2], &[1, 2, 4, 1], &[1, 2, 0]];
        for other in others {
            for (a, b, c) in [(other, &b[..], &c[..]), (&a, other, &c), (&a, &b, other)] {
                let e = refusal("a view of another shape", || run(a, b, c));
                assert!(matches!(e, Error::Shape { .. }), "{e:?}");
            }
        }
    }
}

/// A batch of none has an empty result, and a weight gradient of zeros.
#[test]
fn an_empty_batch() {
    battery(|b| {
        for (pass, layout) in Pass::ALL.into_iter().flat_map(|p| LAYOUTS.map(|l| (p, l))) {
            for dtype in DType::ALL {
                let builder = Problem::layer(0, 2, 3, &[6, 5], &[3, 2]).pass(pass).layout(layout).dtype(dtype);
                let problem = builder.padding(&[(1, 1)]).build().expect("an empty batch is allowed");
                by_dtype!(problem, T => {
                    let case = Case::<T>::integers(&problem, &mut Random::new(60));
                    assert_eq!(case.expected.len(), if pass == Pass::WeightGradient { 36 } else { 0 });
                    assert!(case.expected.iter().all(|&v| v == T::default()));
                    b.run(&case);
                });
            }
        }
    });
}

#[test]
fn recipes_that_do_not_fit() {
    let problem = Problem::field(&[30, 40], &[5, 6]).build().expect("a valid problem");
    let layer = Problem::layer(2, 3, 4, &[9, 8], &[3, 3]).dilation(&[2]).build().expect("a valid problem");
    let lists: [&[usize]; 4] = [&[], &[64], &[64; 3], &[64; 9]];
    let mut failures = Vec::new();
    for problem in [problem, layer].iter().flat_map(|p| Pass::ALL.map(|pass| p.with_pass(pass))) {
        let mut recipes: Vec<Recipe> = Vec::new();
        for list in lists {
            recipes.push(Recipe::Fft { transform: list.to_vec() });
            recipes.push(Recipe::Direct { tile: list.to_vec() });
            recipes.push(Recipe::Mixed { tile: list.to_vec() });
        }
        for tile in [[0, 64], [64, 0], [1, 64], [4, 64], [63, 64], [22, 64], [HUGE, 8], [1 << 62, 64]] {
            recipes.push(Recipe::Mixed { tile: tile.to_vec() });
        }
        for transform in [[0, 0], [64, 0], [0, 64], [1, 1], [4, 64], [64, 4], [4, 4]] {
            recipes.push(Recipe::Fft { transform: transform.to_vec() });
        }
        recipes.push(Recipe::Fft { transform: vec![HUGE, HUGE] });
        recipes.push(Recipe::Fft { transform: vec![1 << 62, 64] });
        recipes.push(Recipe::Direct { tile: vec![0, 0] });
        recipes.push(Recipe::Direct { tile: vec![0, 8] });
        recipes.push(Recipe::Im2col { block: 0 });
        for recipe in recipes.into_iter().filter(|r| algorithms().contains(&r.algorithm())) {
            match catch_unwind(AssertUnwindSafe(|| Planner::new().plan_with::<f32>(&problem, &recipe).map(drop))) {
                Ok(Err(_)) => {}
                Ok(Ok(())) => failures.push(format!("recipe {recipe:?} was accepted by {problem:?}")),
                Err(_) => failures.push(format!("recipe {recipe:?} panicked on {problem:?}")),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Tiles and blocks beyond the result are as good as its own size, or refused; they ask for no memory of their own.
#[test]
fn recipes_of_any_size_are_harmless() {
    let problem = Problem::layer(2, 3, 4, &[9, 8], &[3, 3]).build().expect("a valid problem");
    let mut failures = Vec::new();
    for problem in Pass::ALL.map(|pass| problem.with_pass(pass)) {
        let case = Case::<f32>::integers(&problem, &mut Random::new(61));
        for size in [1 << 20, 1 << 40, 1 << 60, isize::MAX as usize, HUGE] {
            for recipe in [Recipe::Direct { tile: vec![size; 2] }, Recipe::Im2col { block: size }] {
                if !algorithms().contains(&recipe.algorithm()) {
                    continue;
                }
                let outcome =
                    catch_unwind(AssertUnwindSafe(|| match Planner::new().plan_with::<f32>(&problem, &recipe) {
                        Ok(plan) if plan.workspace_bytes() > 1 << 30 => {
                            Err(format!("a workspace of {} bytes", plan.workspace_bytes()))
                        }
                        Ok(plan) => dense(&plan, &case),
                        Err(_) => Ok(()),
                    }));
                match outcome {
                    Ok(Ok(())) => {}
                    Ok(Err(e)) => failures.push(format!("{recipe:?}: {e}")),
                    Err(_) => failures.push(format!("{recipe:?} panicked on {problem:?}")),
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn bounds_that_nothing_meets() {
    let problem = Problem::field(&[100, 90], &[5, 3]).build().expect("a valid problem");
    for planner in
        [|| Planner::new().max_workspace(0), || Planner::new().max_workspace(1), || Planner::new().tolerance(0.0)]
    {
        for algorithm in algorithms().into_iter().chain([Algorithm::Auto]) {
            let planner = planner().algorithm(algorithm);
            let attempts = [
                refusal("recipe", || planner.recipe(&problem)),
                refusal("plan", || planner.plan::<f32>(&problem)),
                refusal("explain", || planner.explain(&problem)),
            ];
            for e in attempts {
                assert!(matches!(e, Error::NoCandidate { .. }), "{algorithm}: {e:?}");
            }
        }
    }
    let odd = [f64::NAN, f64::NEG_INFINITY, -1.0];
    for tolerance in odd {
        let e = refusal("a tolerance that is none", || Planner::new().tolerance(tolerance).recipe(&problem));
        assert!(matches!(e, Error::NoCandidate { .. }), "{tolerance}: {e:?}");
    }
}

#[test]
fn plans_for_another_element_type() {
    fn check<T: Element>(problem: &Problem) {
        for algorithm in algorithms().into_iter().chain([Algorithm::Auto]) {
            let planner = Planner::new().algorithm(algorithm);
            let e = refusal("another element type", || planner.plan::<T>(problem));
            assert!(matches!(&e, Error::Argument { argument, .. } if argument == "T"), "{e:?}");
            let e = refusal("another element type", || planner.plan_with::<T>(problem, &Recipe::Reference));
            assert!(matches!(&e, Error::Argument { argument, .. } if argument == "T"), "{e:?}");
        }
    }
    for given in DType::ALL {
        let problem = layer().dtype(given).build().expect("a valid problem");
        for other in DType::ALL.into_iter().filter(|&d| d != given) {
            by_dtype!(layer().dtype(other).build().expect("a valid problem"), T => check::<T>(&problem));
        }
    }
}

#[test]
fn names_and_recipes_that_are_none() {
    for text in ["", "Direct", "winograd3", "fft ", "auto:3"] {
        refusal(text, || text.parse::<Algorithm>());
    }
    let texts = [
        "",
        "fft",
        "fft:",
        "fft:0",
        "fft:3x0",
        "fft:x",
        "fft:-3",
        "fft:3y4",
        "direct",
        "im2col",
        "im2col:3x4",
        "auto",
        "reference:3",
        "fft:99999999999999999999999",
        "fft:3:4",
        "nothing:3",
    ];
    for text in texts {
        refusal(text, || text.parse::<Recipe>());
    }
}

#[test]
fn errors_travel() {
    fn travels<E: std::error::Error + Send + Sync + 'static>() {}
    travels::<Error>();
}
