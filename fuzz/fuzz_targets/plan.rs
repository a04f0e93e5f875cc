//! Plans and runs small problems by every algorithm; the results must agree with the definition's.

#![no_main]

use faltung::{
    Algorithm, Boundary, Complex, DType, Element, Error, Plan, Planner, Problem, Scalar, Threads, Workspace, reference,
};
use libfuzzer_sys::fuzz_target;

/// Elements of the largest array, and products in all, of a problem that is worth a fuzzer's time.
const ELEMENTS: usize = 4096;
const PRODUCTS: usize = 1 << 18;
const WORKSPACE: usize = 64 << 20;

fuzz_target!(|text: &str| {
    let Ok(problem) = text.parse::<Problem>() else { return };
    let sizes = problem.operands().map(|shape| shape.iter().product::<usize>());
    if sizes.iter().any(|&n| n > ELEMENTS) || sizes[2].saturating_mul(problem.terms()) > PRODUCTS {
        return;
    }
    match problem.dtype() {
        DType::F32 => check::<f32>(&problem, sizes),
        DType::F64 => check::<f64>(&problem, sizes),
        DType::C32 => check::<Complex<f32>>(&problem, sizes),
        DType::C64 => check::<Complex<f64>>(&problem, sizes),
        other => unreachable!("{other}"),
    }
});

fn check<T: Element>(problem: &Problem, sizes: [usize; 3]) {
    let mut seed = sizes[0] as u64 * 31 + sizes[1] as u64;
    let first: Vec<T> = integers(sizes[0], &mut seed);
    let second: Vec<T> = integers(sizes[1], &mut seed);
    let expected = reference::compute(problem, &first, &second).expect("the operands are the problem's");

    let norm = second.iter().map(|v| abs(*v).powi(2)).sum::<f64>().sqrt();
    let outside = match problem.boundary() {
        Boundary::Constant(v) => v.abs(),
        _ => 0.0,
    };
    let scale = norm * first.iter().map(|v| abs(*v)).fold(outside, f64::max);
    // Sums of integers are exact in every order, of other constants they are not.
    let comparable = outside <= 8.0 && outside.fract() == 0.0;

    for algorithm in Algorithm::ALL.into_iter().chain([Algorithm::Auto]) {
        let planner = Planner::new().algorithm(algorithm).threads(Threads::Serial).max_workspace(WORKSPACE);
        let plan: Plan<T> = match planner.plan(problem) {
            Ok(plan) => plan,
            Err(Error::Unsupported { .. } | Error::NoCandidate { .. }) => continue,
            Err(e) => panic!("{problem}: {algorithm}: {e}"),
        };
        let mut workspace = Workspace::with_bytes(plan.workspace_bytes());
        workspace.poison();
        let mut result = vec![T::from_f64(f64::NAN); sizes[2]];
        plan.run(&first, &second, &mut result, &mut workspace).expect("the arrays are the problem's");
        if !comparable {
            continue;
        }
        let allowed = scale * plan.error_bound();
        for (i, (&got, &want)) in result.iter().zip(&expected).enumerate() {
            let error = abs(got - want);
            assert!(
                error <= allowed,
                "{problem}: {}: element {i} is {got:?}, expected {want:?}: off by {error:e}, allowed {allowed:e}",
                plan.recipe()
            );
        }
    }
}

fn abs<T: Element>(value: T) -> f64 {
    let (re, im) = value.to_f64();
    re.hypot(im)
}

/// Pseudo-random integers from -4 to 4.
fn integers<T: Element>(n: usize, seed: &mut u64) -> Vec<T> {
    let mut next = || {
        *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        T::Real::from_f64(((*seed >> 33) % 9) as f64 - 4.0)
    };
    (0..n).map(|_| T::from_parts(next(), next())).collect()
}
