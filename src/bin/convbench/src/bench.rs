//! Timing one problem with one algorithm or several.

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::time::Instant;

use faltung::{
    Algorithm, Candidate, Costs, Error, Explanation, Pass, Plan, Planner, Problem, Recipe, Threads, Workspace,
};

use crate::machine::Clock;
use crate::oracle::{Effort, Expected};
use crate::sample::{Operands, Sample, array_bytes, check_memory, number, zeros};

/// A call slower than this, in seconds, is timed once.
const ONCE: f64 = 6.0;
/// A call longer than this, in seconds, is timed by the thread's clock where that is asked for.
const SHORT: f64 = 1e-4;
/// The definition is not raced on problems of more floating-point operations: it would take longer than all the others.
const REFERENCE_FLOPS: f64 = 1e8;
/// An algorithm that is predicted to take so many times as long as the best, and longer than [`PATIENCE`], is left out.
const HOPELESS: f64 = 20.0;
/// In seconds on one thread.
const PATIENCE: f64 = 2.0;

/// One entry of `--algo`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Choice {
    /// Every algorithm that serves the problem.
    All,
    /// This one, or `auto`.
    Named(Algorithm),
    /// Just so.
    Recipe(Recipe),
}

impl FromStr for Choice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "all" => Ok(Self::All),
            recipe if recipe.contains(':') => recipe.parse().map(Self::Recipe),
            name => name.parse().map(Self::Named),
        }
    }
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.pad("all"),
            Self::Named(algorithm) => f.pad(algorithm.name()),
            Self::Recipe(recipe) => f.pad(&recipe.to_string()),
        }
    }
}

/// What one call comprises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// A run from plain arrays: plan, workspace and output are reused, the kernel is packed or transformed in it.
    Reused,
    /// A run with a kernel that was packed or transformed beforehand.
    Prepared,
    /// Planning by a planner that knows the problem, allocating output and workspace, and the run.
    Fresh,
}

/// How problems are timed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings<'a> {
    pub(crate) threads: usize,
    /// Seconds that a call is repeated for.
    pub(crate) budget: f64,
    pub(crate) call: Call,
    /// Whether the results are compared with the definition's.
    pub(crate) check: bool,
    /// What calls are timed by: the thread's clock only where they use one thread.
    pub(crate) clock: Clock,
    /// What predictions are made of.
    pub(crate) costs: &'a Costs,
}

impl Settings<'_> {
    pub(crate) fn planner(&self) -> Planner {
        let threads = if self.threads == 1 { Threads::Serial } else { Threads::Pool };
        Planner::new().with_costs(self.costs.clone()).threads(threads)
    }
}

/// What was measured of one algorithm. Times are in seconds.
#[derive(Clone, Debug)]
pub(crate) struct Measurement {
    pub(crate) recipe: Recipe,
    /// Whether the kernel was packed or transformed beforehand.
    pub(crate) prepared: bool,
    pub(crate) median: f64,
    pub(crate) min: f64,
    /// Planning, and preparing the kernel where that is not part of the call.
    pub(crate) setup: f64,
    pub(crate) workspace_bytes: usize,
    /// The largest error of a sample of the result, relative to its root mean square.
    pub(crate) error: Option<f64>,
}

/// What became of one entry of `--algo`.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Measured(Measurement),
    /// Part of `all`, but it cannot serve the problem or would take too long.
    Skipped(String),
    Failed(String),
}

/// A problem's outcomes, each with the name that it was asked for by, and what the planner says to it.
pub(crate) struct Report {
    pub(crate) explanation: Explanation,
    pub(crate) outcomes: Vec<(String, Outcome)>,
}

/// Times every choice on `problem`; `note` is told what is being done.
pub(crate) fn bench<T: Sample>(
    problem: &Problem,
    choices: &[Choice],
    operands: impl FnOnce() -> Result<Operands<T>, Error>,
    settings: Settings<'_>,
    note: &dyn Fn(&str),
) -> Result<Report, Error> {
    check_memory(array_bytes(problem, settings.check))?;
    note("planning");
    let explanation = settings.planner().explain(problem)?;
    note("making data");
    let operands = operands()?;
    let expected = if settings.check {
        note("computing a sample by the definition");
        Some(Expected::new(problem, &operands, Effort::GLANCE)?)
    } else {
        None
    };
    let mut outcomes = Vec::new();
    let mut one = |name: String, choice: &Choice| {
        note(&name);
        let measured = guarded(|| measure(problem, choice, &operands, expected.as_ref(), settings));
        let outcome = match measured {
            Ok(measurement) => Outcome::Measured(measurement),
            Err(error) => Outcome::Failed(error.to_string()),
        };
        outcomes.push((name, outcome));
    };
    let mut skipped = Vec::new();
    for choice in choices {
        if *choice != Choice::All {
            one(choice.to_string(), choice);
            continue;
        }
        for candidate in &explanation.candidates {
            let name = candidate.algorithm.to_string();
            match why_skip(problem, candidate, explanation.chosen()) {
                Some(reason) => skipped.push((name, Outcome::Skipped(reason))),
                None => one(name, &Choice::Named(candidate.algorithm)),
            }
        }
    }
    outcomes.append(&mut skipped);
    Ok(Report { explanation, outcomes })
}

/// Why a candidate has no place in a race, if so.
fn why_skip(problem: &Problem, candidate: &Candidate, best: &Candidate) -> Option<String> {
    if candidate.recipe.is_none() {
        return Some(candidate.why_not.clone().unwrap_or_else(|| "it cannot serve this problem".into()));
    }
    // Auto's choice is always in the race.
    if candidate == best {
        return None;
    }
    if candidate.algorithm == Algorithm::Reference && problem.flops() > REFERENCE_FLOPS {
        return Some("the definition is raced on small problems only".into());
    }
    if candidate.predicted > PATIENCE && candidate.predicted > HOPELESS * best.predicted {
        let times = candidate.predicted / best.predicted;
        return Some(format!("predicted {:.1} s, {times:.0} times {}", candidate.predicted, best.algorithm));
    }
    None
}

/// `work`, with a panic in it as an error: whatever an algorithm does wrong, the others are still heard.
pub(crate) fn guarded<R>(work: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(Error::Other { doing: "panicked".into(), source: text.into() })
    })
}

/// The plan that a choice asks for, and the planner that it has from then on.
pub(crate) fn plan<T: Sample>(
    planner: Planner,
    problem: &Problem,
    choice: &Choice,
) -> Result<(Planner, Plan<T>), Error> {
    match choice {
        Choice::All => planner.plan(problem).map(|plan| (planner, plan)),
        Choice::Named(algorithm) => {
            let planner = planner.algorithm(*algorithm);
            planner.plan(problem).map(|plan| (planner, plan))
        }
        Choice::Recipe(recipe) => planner.plan_with(problem, recipe).map(|plan| (planner, plan)),
    }
}

fn measure<T: Sample>(
    problem: &Problem,
    choice: &Choice,
    operands: &Operands<T>,
    expected: Option<&Expected<T::Wide>>,
    settings: Settings<'_>,
) -> Result<Measurement, Error> {
    let [_, _, shape] = problem.operands();
    let Operands { first, second } = operands;
    let begun = Instant::now();
    let (planner, plan) = plan::<T>(settings.planner(), problem, choice)?;
    let planned = begun.elapsed().as_secs_f64();
    check_memory(plan.workspace_bytes() as f64)?;

    let mut setup = planned;
    // A weight gradient has no kernel to prepare.
    let prepared = if settings.call == Call::Prepared && problem.pass() != Pass::WeightGradient {
        let begun = Instant::now();
        let prepared = plan.prepare(second)?;
        setup += begun.elapsed().as_secs_f64();
        Some(prepared)
    } else {
        None
    };

    let mut result = zeros::<T>(shape.iter().product())?;
    if expected.is_some() {
        result.fill(number(f64::NAN, f64::NAN));
    }
    let mut workspace = Workspace::new();
    // The call that warms up is also the one whose result is looked at.
    let mut run = |result: &mut [T]| match &prepared {
        Some(prepared) => prepared.run(first, result, &mut workspace),
        None => plan.run(first, second, result, &mut workspace),
    };
    let warm = Instant::now();
    run(&mut result)?;
    let warm = warm.elapsed().as_secs_f64();
    let error = expected.map(|expected| expected.relative_error(&result));
    if error.is_some_and(f64::is_nan) {
        let given = "NaN where the definition has a number".into();
        return Err(Error::Argument { argument: "result".into(), expected: "finite numbers".into(), given });
    }

    let times = match settings.call {
        Call::Reused | Call::Prepared => timed(warm, settings, || run(black_box(&mut result)))?,
        Call::Fresh => {
            drop(result);
            timed(warm, settings, || {
                let plan = match choice {
                    Choice::Recipe(recipe) => planner.plan_with::<T>(problem, recipe)?,
                    _ => planner.plan::<T>(problem)?,
                };
                let mut result = zeros::<T>(shape.iter().product())?;
                plan.run(first, second, &mut result, &mut Workspace::new())?;
                black_box(&result);
                Ok(())
            })?
        }
    };
    Ok(Measurement {
        recipe: plan.recipe().clone(),
        prepared: prepared.is_some(),
        median: times[times.len() / 2],
        min: times[0],
        setup,
        workspace_bytes: workspace.bytes(),
        error,
    })
}

/// The sorted times of calls repeated until the budget is spent, three at least; `warm` alone where that took too long
/// to be repeated.
fn timed(warm: f64, settings: Settings<'_>, mut call: impl FnMut() -> Result<(), Error>) -> Result<Vec<f64>, Error> {
    if warm > ONCE {
        return Ok(vec![warm]);
    }
    let begun = Instant::now();
    let mut once = |clock: Clock| {
        let start = clock.now();
        call()?;
        Ok::<_, Error>(clock.now() - start)
    };
    let second = once(Clock::Wall)?;
    let clock = clock(warm, second, settings.clock);
    let mut times = if clock == Clock::Wall { vec![second] } else { Vec::new() };
    while times.len() < 3 || begun.elapsed().as_secs_f64() < settings.budget {
        times.push(once(clock)?);
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// The clock for calls of which the first two took so long, where `wanted` is asked for. What takes little is seldom
/// interrupted, and asking for the thread's time would count; one of the two may have been.
fn clock(first: f64, second: f64, wanted: Clock) -> Clock {
    if first.min(second) > SHORT { wanted } else { Clock::Wall }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_an_algorithm_a_recipe_or_all() {
        assert_eq!("all".parse::<Choice>().unwrap(), Choice::All);
        assert_eq!("auto".parse::<Choice>().unwrap(), Choice::Named(Algorithm::Auto));
        assert_eq!("fft:64x64".parse::<Choice>().unwrap().to_string(), "fft:64x64");
        assert!("fastest".parse::<Choice>().is_err());
    }

    #[test]
    fn a_slow_call_is_timed_once_and_a_quick_one_three_times() {
        let costs = Costs::default();
        let settings =
            Settings { threads: 1, budget: 0.0, call: Call::Reused, check: false, clock: Clock::Thread, costs: &costs };
        assert_eq!(timed(10.0, settings, || panic!("called again")).unwrap(), [10.0]);
        assert_eq!(timed(0.0, settings, || Ok(())).unwrap().len(), 3);
        assert_eq!(timed(0.1, settings, || Ok(())).unwrap().len(), 3);
    }

    #[test]
    fn a_clock_is_chosen_by_the_shorter_of_two_calls() {
        assert_eq!(clock(1e-2, 1e-2, Clock::Thread), Clock::Thread);
        assert_eq!(clock(1e-2, 1e-6, Clock::Thread), Clock::Wall);
        assert_eq!(clock(1e-6, 1e-2, Clock::Thread), Clock::Wall);
        assert_eq!(clock(1e-2, 1e-2, Clock::Wall), Clock::Wall);
    }

    #[test]
    fn a_panic_is_an_error() {
        let error = guarded::<()>(|| panic!("tile {} is odd", 3)).unwrap_err();
        assert_eq!(error.to_string(), "panicked: tile 3 is odd");
    }
}
