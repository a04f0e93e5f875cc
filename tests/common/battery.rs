//! What every algorithm is put through: dirty workspaces, results full of NaN, prepared kernels, any strides.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use faltung::{Algorithm, Element, Pass, Plan, Planner, Problem, Recipe, Workspace};

use super::case::{Case, layouts};
use super::data::{Random, distance, nan};
use super::spread::Spread;

/// The algorithms under test.
pub fn algorithms() -> Vec<Algorithm> {
    let only = std::env::var("FALTUNG_ALGORITHMS").ok();
    let wanted = |a: &Algorithm| only.as_ref().is_none_or(|names| names.split(',').any(|name| name == a.name()));
    Algorithm::ALL.into_iter().filter(wanted).collect()
}

/// Whether the algorithm must serve the problem.
pub fn must_support(algorithm: Algorithm, problem: &Problem) -> bool {
    let small = problem.axes().iter().all(|a| a.stride() == 1 && a.dilation() == 1 && matches!(a.kernel(), 3 | 5));
    let folded = problem.boundary().reads_data();
    let one = problem.in_channels() == problem.groups() && problem.out_channels() == problem.groups();
    let weights = problem.pass() == Pass::WeightGradient;
    match algorithm {
        Algorithm::Winograd => small && !folded && problem.rank() <= 3,
        Algorithm::Separable => {
            let taps = problem.axes().iter().map(|a| a.kernel());
            let plain = problem.axes().iter().all(|a| a.stride() == 1) && taps.clone().filter(|&k| k > 1).count() > 1;
            // Any two of its axes leave few products.
            let few = problem.rank() <= 3 && taps.clone().all(|k| k <= 5);
            !weights && !problem.dtype().is_complex() && one && plain && few
        }
        Algorithm::Mixed => !weights && one && problem.rank() > 1,
        _ => true,
    }
}

/// Whether the algorithm computes sums of whole numbers exactly.
pub fn is_exact(algorithm: Algorithm) -> bool {
    !matches!(algorithm, Algorithm::Fft | Algorithm::Winograd | Algorithm::Separable | Algorithm::Mixed)
}

/// Runs many cases through many algorithms, and fails at the end with the first failures of each.
pub struct Battery {
    ran: BTreeMap<&'static str, usize>,
    failed: BTreeMap<&'static str, (usize, Vec<String>)>,
}

/// Calls `body` with a battery, and fails if any case did or if an algorithm under test never ran.
pub fn battery(body: impl FnOnce(&mut Battery)) {
    let mut this = Battery { ran: BTreeMap::new(), failed: BTreeMap::new() };
    body(&mut this);
    let mut report = String::new();
    for (name, (count, texts)) in &this.failed {
        let total = this.ran.get(name).unwrap_or(&0);
        report += &format!("\n=== {name}: {count} failures in {total} runs; the first are\n{}", texts.join("\n"));
    }
    assert!(report.is_empty(), "{report}");
    for algorithm in algorithms() {
        assert!(this.ran.contains_key(algorithm.name()), "{algorithm} never ran");
    }
}

/// The outcome of one check: what is wrong where something is.
pub type Outcome = Result<(), String>;

impl Battery {
    /// Every algorithm: from a poisoned workspace of the size told to a result full of NaN, and again with the kernel
    /// prepared, which must give the same bits.
    pub fn run<T: Element>(&mut self, case: &Case<T>) {
        for algorithm in algorithms() {
            self.planned(algorithm, case, |plan| dense(plan, case));
        }
    }

    /// As [`run`](Self::run), and on arrays with strides of all sorts, whose gaps must be neither read nor written.
    pub fn run_all<T: Element>(&mut self, case: &Case<T>, random: &mut Random) {
        self.run(case);
        for algorithm in algorithms() {
            self.planned(algorithm, case, |plan| strided(plan, case, random));
        }
    }

    /// One recipe, which the problem's algorithm must accept.
    pub fn recipe<T: Element>(&mut self, case: &Case<T>, recipe: &Recipe) {
        if !algorithms().contains(&recipe.algorithm()) {
            return;
        }
        self.attempt(recipe.algorithm(), &case.problem, || {
            let plan = Planner::new().plan_with::<T>(&case.problem, recipe);
            let plan = plan.map_err(|e| format!("recipe {recipe} refused: {e}"))?;
            dense(&plan, case)
        });
    }

    /// Plans the case by the algorithm and calls `check` with the plan.
    pub fn planned<T: Element>(
        &mut self,
        algorithm: Algorithm,
        case: &Case<T>,
        check: impl FnOnce(&Plan<T>) -> Outcome,
    ) {
        self.attempt(algorithm, &case.problem, || match Planner::new().algorithm(algorithm).plan::<T>(&case.problem) {
            Ok(plan) => check(&plan).map_err(|e| format!("recipe {}, {e}", plan.recipe())),
            Err(faltung::Error::Unsupported { .. }) if !must_support(algorithm, &case.problem) => Ok(()),
            Err(e) => Err(format!("no plan: {e}")),
        });
    }

    /// Counts a run of `body`, and what it or its panic says.
    pub fn attempt(&mut self, algorithm: Algorithm, problem: &Problem, body: impl FnOnce() -> Outcome) {
        let name = algorithm.name();
        *self.ran.entry(name).or_default() += 1;
        let outcome = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
            let text = payload.downcast_ref::<String>().cloned();
            let text = text.or_else(|| payload.downcast_ref::<&str>().map(|s| s.to_string()));
            Err(format!("panicked: {}", text.unwrap_or_default()))
        });
        if let Err(what) = outcome {
            let (count, texts) = self.failed.entry(name).or_default();
            *count += 1;
            if texts.len() < 4 {
                texts.push(format!("--- {} by {algorithm}: {what}", tell(problem)));
            }
        }
    }
}

/// The problem as a text from which it can be built again.
pub fn tell(problem: &Problem) -> String {
    let text = problem.to_string();
    let same = text.parse::<Problem>().is_ok_and(|p| p == *problem);
    if same { text } else { format!("{problem:?}") }
}

/// Runs a plan on dense arrays, unprepared and prepared.
pub fn dense<T: Element>(plan: &Plan<T>, case: &Case<T>) -> Outcome {
    let got = run_dirty(plan, case)?;
    compare("unprepared", plan, case, &got)?;
    if case.problem.pass() == Pass::WeightGradient {
        return Ok(());
    }
    let prepared = plan.prepare(&case.second).map_err(|e| format!("not prepared: {e}"))?;
    let mut workspace = Workspace::with_bytes(plan.workspace_bytes());
    workspace.poison();
    let mut again = vec![nan(); case.expected.len()];
    prepared.run(&case.first, &mut again, &mut workspace).map_err(|e| format!("prepared: {e}"))?;
    same_bits("prepared", case, &again, "unprepared", &got)
}

/// What lies before and behind the slices of a run: an odd number, so that nothing is aligned.
const MARGIN: usize = 37;

/// The result of a run from a poisoned workspace, which must suffice, to an array of NaN. The operands lie amid
/// NaN, and what lies around the result must stay as it is.
pub fn run_dirty<T: Element>(plan: &Plan<T>, case: &Case<T>) -> Result<Vec<T>, String> {
    let mut workspace = Workspace::with_bytes(plan.workspace_bytes());
    workspace.poison();
    let before = workspace.bytes();
    let amid = |values: &[T]| [&[nan(); MARGIN][..], values, &[nan(); MARGIN]].concat();
    let (first, second) = (amid(&case.first), amid(&case.second));
    let outside = T::from_f64(-77.0);
    let inside = MARGIN..MARGIN + case.expected.len();
    let mut got = vec![outside; case.expected.len() + 2 * MARGIN];
    got[inside.clone()].fill(nan());
    plan.run(
        &first[MARGIN..first.len() - MARGIN],
        &second[MARGIN..second.len() - MARGIN],
        &mut got[inside.clone()],
        &mut workspace,
    )
    .map_err(|e| e.to_string())?;
    if workspace.bytes() != before {
        return Err(format!("the workspace grew from {before} bytes to {}", workspace.bytes()));
    }
    if got[..MARGIN].iter().chain(&got[inside.end..]).any(|&v| v != outside) {
        return Err("memory around the result was written".into());
    }
    got.truncate(inside.end);
    Ok(got.split_off(MARGIN))
}

/// Runs a plan on arrays with axes in any order and direction and NaN in their gaps.
pub fn strided<T: Element>(plan: &Plan<T>, case: &Case<T>, random: &mut Random) -> Outcome {
    let [a, b, c] = case.problem.operands();
    let [la, lb, lc] = layouts(&case.problem);
    let first = Spread::of(&case.first, &a, la, random, nan());
    let second = Spread::of(&case.second, &b, lb, random, nan());
    let gap = T::from_f64(-77.0);
    let what =
        |out: &Spread<T>| format!("views of strides {:?}, {:?} -> {:?}", first.strides, second.strides, out.strides);
    let check = |out: Spread<T>| -> Outcome {
        let (got, gaps) = out.gather(lc);
        if gaps.iter().any(|&v| v != gap) {
            return Err(format!("{}: the result's gaps were written", what(&out)));
        }
        compare(&what(&out), plan, case, &got)
    };
    let mut workspace = Workspace::with_bytes(plan.workspace_bytes());
    workspace.poison();
    let mut out = Spread::filled(&c, random, gap);
    plan.run_views(first.view(), second.view(), out.view_mut(), &mut workspace).map_err(|e| e.to_string())?;
    check(out)?;
    if case.problem.pass() != Pass::WeightGradient {
        let prepared = plan.prepare_view(second.view()).map_err(|e| format!("not prepared: {e}"))?;
        workspace.poison();
        let mut out = Spread::filled(&c, random, gap);
        prepared.run_views(first.view(), out.view_mut(), &mut workspace).map_err(|e| e.to_string())?;
        check(out)?;
    }
    Ok(())
}

/// Holds a result of whole numbers to equality, or to the error bound where the algorithm is not exact.
pub fn compare<T: Element>(what: &str, plan: &Plan<T>, case: &Case<T>, got: &[T]) -> Outcome {
    let bound = if is_exact(plan.recipe().algorithm()) { 0.0 } else { plan.error_bound() };
    within(what, case, got, |i| bound * case.scale[i])
}

/// Holds a result to a tolerance for each element.
pub fn within<T: Element>(what: &str, case: &Case<T>, got: &[T], tolerance: impl Fn(usize) -> f64) -> Outcome {
    let near = |i: &usize| distance(got[*i], case.expected[*i]) <= tolerance(*i) + case.slack[*i];
    differing(what, case, got.len(), near, |i| {
        format!("expected {:?}, got {:?}, tolerance {:.3e}", case.expected[i], got[i], tolerance(i) + case.slack[i])
    })
}

/// Holds two results to the same bits.
pub fn same_bits<T: Element>(what: &str, case: &Case<T>, a: &[T], than: &str, b: &[T]) -> Outcome {
    let same = |i: &usize| bytemuck::bytes_of(&a[*i]) == bytemuck::bytes_of(&b[*i]);
    differing(what, case, a.len(), same, |i| format!("{:?}, but {than} {:?}", a[i], b[i]))
}

/// Reports the elements of a result that are not as they should be.
pub fn differing<T>(
    what: &str,
    case: &Case<T>,
    len: usize,
    fine: impl Fn(&usize) -> bool,
    tell: impl Fn(usize) -> String,
) -> Outcome {
    let wrong: Vec<usize> = (0..len).filter(|i| !fine(i)).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let worst = wrong.iter().take(3).map(|&i| format!("at {:?} {}", index_of(i, case), tell(i)));
    let worst: Vec<String> = worst.collect();
    Err(format!("{what}: {} of {len} elements differ: {}", wrong.len(), worst.join("; ")))
}

/// The index (batch, channel, spatial …) of element `i` of the result.
fn index_of<T>(i: usize, case: &Case<T>) -> Vec<usize> {
    let [_, _, shape] = case.problem.operands();
    let [_, _, layout] = layouts(&case.problem);
    let strides = super::spread::dense_strides(&shape, layout);
    (0..shape.len()).map(|a| i / strides[a].max(1) as usize % shape[a]).collect()
}
