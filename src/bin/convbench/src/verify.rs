//! `convbench verify`: every algorithm against the definition.

use std::io::Write;
use std::time::Instant;

use faltung::{Algorithm, Error, Pass, Plan, Planner, Problem, Threads, Workspace};
use indicatif::ProgressBar;
use rayon::prelude::*;

use crate::bench::{Choice, guarded, plan};
use crate::builtin;
use crate::failure::Failure;
use crate::machine;
use crate::oracle::{Effort, Expected, Scales, own_error};
use crate::sample::{Kind, Operands, Run, Sample, array_bytes, check_memory, for_element, magnitude, number, zeros};
use crate::suite::{Item, Problems};
use crate::table::{BAD, DIM, GOOD, paint};

/// The definition is itself tried up to this predicted time, in seconds: beyond, it is what the others are held to.
const REFERENCE_LIMIT: f64 = 0.5;

/// Holds algorithms to the definition.
///
/// Integer data must give exactly the definition's result where the algorithm is exact, and normally distributed data a
/// result within the plan's own error bound; output and workspace are filled with NaN before each run. Small results
/// are compared wholly, large ones at their corners, along their edges and at 4,096 random elements, fewer where sums
/// are very long. Without problems, a built-in list of every rank, pass, boundary and element type is tried.
///
/// Ends with status 1 where anything fails, and tells the command that repeats it.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    problems: Problems,
    /// all, or names or recipes joined by commas: direct,fft or fft:256x256
    #[arg(long, value_delimiter = ',', default_value = "all", value_name = "NAME")]
    algo: Vec<Choice>,
    /// Threads that an algorithm may use; all processors unless given
    #[arg(long, value_name = "N", value_parser = machine::count)]
    threads: Option<std::num::NonZeroUsize>,
    /// Leaves out an algorithm of `all` that is predicted to take longer than so many seconds on one thread
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    #[arg(value_parser = machine::seconds, default_value = "30")]
    limit: f64,
}

/// What became of one algorithm on one problem.
enum Verdict {
    Passed,
    LeftOut(String),
    Failed(String),
}

/// The totals.
#[derive(Default)]
struct Tally {
    problems: usize,
    passed: usize,
    failed: usize,
    left_out: usize,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let threads = machine::threads(args.threads);
    let begun = Instant::now();
    machine::pool(threads)?.install(|| {
        let mut out = anstream::stdout();
        let progress = machine::progress(None);
        let mut tally = Tally::default();
        let mut visit = |item: Item, total: Option<usize>| {
            if let Some(total) = total {
                progress.set_length(total as u64);
            }
            let verdicts = match &item.problem {
                Ok(problem) => judge(problem, args, threads, &progress),
                Err(error) => Err(Error::Other { doing: "reading it".into(), source: error.to_string().into() }),
            };
            progress.inc(1);
            progress.suspend(|| tell(&mut out, &item, verdicts, args, &mut tally))
        };
        if args.problems.is_empty() {
            let problems = builtin::problems().map_err(|error| Failure::Usage(error.to_string()))?;
            let total = problems.len();
            for problem in problems {
                visit(Item { text: problem.to_string(), problem: Ok(problem) }, Some(total))?;
            }
        } else {
            args.problems.each(visit)?;
        }
        progress.finish_and_clear();
        let Tally { problems, passed, failed, left_out } = tally;
        let style = if failed == 0 { GOOD } else { BAD };
        let checks = paint(style, format!("{passed} passed, {failed} failed"));
        let time = begun.elapsed().as_secs_f64();
        writeln!(out, "{problems} problems: {checks}, {left_out} left out, {time:.0} s")?;
        out.flush()?;
        if failed > 0 { Err(Failure::Reported) } else { Ok(()) }
    })
}

/// A line a problem, and one more a failure.
fn tell(
    out: &mut dyn Write,
    item: &Item,
    verdicts: Result<Vec<(String, Verdict)>, Error>,
    args: &Args,
    tally: &mut Tally,
) -> Result<(), Failure> {
    tally.problems += 1;
    let verdicts = match verdicts {
        Ok(verdicts) => verdicts,
        Err(error) => {
            tally.failed += 1;
            writeln!(out, "{}  {}: {error}", paint(BAD, "FAILED"), item.text)?;
            return Ok(out.flush()?);
        }
    };
    let failed = verdicts.iter().any(|(_, v)| matches!(v, Verdict::Failed(_)));
    let names: Vec<_> =
        verdicts.iter().filter(|(_, v)| matches!(v, Verdict::Passed)).map(|(n, _)| n.as_str()).collect();
    let mark = if failed { paint(BAD, "FAILED") } else { paint(GOOD, "ok    ") };
    let mut line = format!("{mark}  {}  {}", item.text, names.join(" "));
    for (name, verdict) in &verdicts {
        if let Verdict::LeftOut(reason) = verdict {
            line.push_str(&paint(DIM, format!("  ({name} left out: {reason})")));
        }
    }
    writeln!(out, "{line}")?;
    for (name, verdict) in verdicts {
        match verdict {
            Verdict::Passed => tally.passed += 1,
            Verdict::LeftOut(_) => tally.left_out += 1,
            Verdict::Failed(reason) => {
                tally.failed += 1;
                // The problem's own text: it holds the layout that an option may have set.
                let text = item.problem.as_ref().map_or_else(|_| item.text.clone(), ToString::to_string);
                let threads = args.threads.map_or_else(String::new, |n| format!(" --threads {n}"));
                writeln!(out, "        {name}: {}", paint(BAD, reason))?;
                writeln!(out, "        convbench verify '{text}' --algo {name}{threads}")?;
            }
        }
    }
    Ok(out.flush()?)
}

fn judge(
    problem: &Problem,
    args: &Args,
    threads: usize,
    progress: &ProgressBar,
) -> Result<Vec<(String, Verdict)>, Error> {
    check_memory(array_bytes(problem, true))?;
    let mut entries = Vec::new();
    for choice in &args.algo {
        if *choice != Choice::All {
            entries.push((choice.to_string(), choice.clone(), None));
            continue;
        }
        for candidate in &Planner::new().explain(problem)?.candidates {
            let limit = match candidate.algorithm {
                Algorithm::Reference => REFERENCE_LIMIT.min(args.limit),
                _ => args.limit,
            };
            let why = match &candidate.recipe {
                None => Some(candidate.why_not.clone().unwrap_or_else(|| "it cannot serve this problem".into())),
                Some(_) if candidate.predicted > limit => Some(format!("predicted {:.1} s", candidate.predicted)),
                Some(_) => None,
            };
            entries.push((candidate.algorithm.to_string(), Choice::Named(candidate.algorithm), why));
        }
    }
    let threads = if threads == 1 { Threads::Serial } else { Threads::Pool };
    let text = problem.to_string();
    let note = |what: &str| progress.set_message(format!("{text}: {what}"));
    for_element!(problem, trials(problem, entries, threads, &note))
}

/// Tries every entry that is not left out on integers and on normal data.
fn trials<T: Sample>(
    problem: &Problem,
    entries: Vec<(String, Choice, Option<String>)>,
    threads: Threads,
    note: &dyn Fn(&str),
) -> Result<Vec<(String, Verdict)>, Error> {
    let mut verdicts: Vec<_> = entries
        .iter()
        .map(|(name, _, why)| (name.clone(), why.clone().map_or(Verdict::Passed, Verdict::LeftOut)))
        .collect();
    for kind in Kind::exact(problem).into_iter().chain([Kind::Normal]) {
        if !verdicts.iter().any(|(_, v)| matches!(v, Verdict::Passed)) {
            break;
        }
        note("computing by the definition");
        let operands = Operands::<T>::random(problem, kind)?;
        let trial = Trial {
            problem,
            kind,
            expected: Expected::new(problem, &operands, Effort::VERDICT)?,
            scales: Scales::new(problem, &operands),
            operands,
            threads,
        };
        for ((name, choice, _), (_, verdict)) in entries.iter().zip(&mut verdicts) {
            if matches!(verdict, Verdict::Passed) {
                note(name);
                match guarded(|| trial.run(choice)) {
                    Ok(None) => {}
                    Ok(Some(reason)) => *verdict = Verdict::Failed(reason),
                    Err(Error::Unsupported { reason, .. }) => *verdict = Verdict::LeftOut(reason.into()),
                    Err(error) => *verdict = Verdict::Failed(error.to_string()),
                }
            }
        }
    }
    Ok(verdicts)
}

/// One problem with data and what should come of them.
struct Trial<'a, T: Sample> {
    problem: &'a Problem,
    kind: Kind,
    operands: Operands<T>,
    expected: Expected<T::Wide>,
    scales: Scales,
    threads: Threads,
}

impl<T: Sample> Trial<'_, T> {
    /// What is wrong with the result of `choice`, if anything.
    fn run(&self, choice: &Choice) -> Result<Option<String>, Error> {
        let (_, plan) = plan::<T>(Planner::new().threads(self.threads), self.problem, choice)?;
        check_memory(plan.workspace_bytes() as f64)?;
        let result = self.result(
            |result, workspace| plan.run(&self.operands.first, &self.operands.second, result, workspace),
            plan.workspace_bytes(),
        )?;
        if let Some(missing) = result.par_iter().position_first(|v| !v.is_finite()) {
            return Ok(Some(format!("{}: element {missing} of the array is {:?}", self.data(), result[missing])));
        }
        if let Some(wrong) = self.compare(&plan, &result) {
            return Ok(Some(wrong));
        }
        self.repeat(&plan, &result)
    }

    /// A result from `run` with output and workspace poisoned.
    fn result(
        &self,
        run: impl FnOnce(&mut [T], &mut Workspace) -> Result<(), Error>,
        workspace_bytes: usize,
    ) -> Result<Run<T>, Error> {
        let [_, _, shape] = self.problem.operands();
        let mut result = zeros::<T>(shape.iter().product())?;
        result.fill(number(f64::NAN, f64::NAN));
        let mut workspace = Workspace::with_bytes(workspace_bytes);
        workspace.poison();
        run(&mut result, &mut workspace)?;
        Ok(result)
    }

    fn compare(&self, plan: &Plan<T>, result: &[T]) -> Option<String> {
        let exact = self.kind != Kind::Normal && is_exact(plan.recipe().algorithm());
        let bound = if exact { 0.0 } else { plan.error_bound() + own_error(self.problem) };
        let mut worst: Option<(f64, String)> = None;
        for (index, got, want) in self.expected.against(result) {
            let allowed = bound * self.scales.at(index);
            let error = magnitude(got - want);
            if error <= allowed {
                continue;
            }
            let excess = if exact { error } else { error / allowed };
            if worst.as_ref().is_none_or(|(most, _)| excess > *most) {
                let beyond =
                    if exact { "not exact".into() } else { format!("an error of {error:.2e}, bound {allowed:.2e}") };
                let elements = self.expected.len();
                let text = format!(
                    "{} of {elements} elements compared: {beyond}: at {index:?} expected {want:?}, got {got:?} by {}",
                    self.data(),
                    plan.recipe()
                );
                worst = Some((excess, text));
            }
        }
        worst.map(|(_, text)| text)
    }

    /// A small problem again, prepared and on one thread: the bits must be the same.
    fn repeat(&self, plan: &Plan<T>, result: &[T]) -> Result<Option<String>, Error> {
        if self.problem.flops() > 2.0 * Effort::VERDICT.wholly {
            return Ok(None);
        }
        let Operands { first, second } = &self.operands;
        let alone = plan.with_threads(Threads::Serial);
        let again = self.result(|result, ws| alone.run(first, second, result, ws), alone.workspace_bytes())?;
        if !same_bits(&again, result) {
            return Ok(Some(format!("{}: one thread gives other bits than several", self.data())));
        }
        if self.problem.pass() != Pass::WeightGradient {
            let prepared = plan.prepare(second)?;
            let again = self.result(|result, ws| prepared.run(first, result, ws), plan.workspace_bytes())?;
            if !same_bits(&again, result) {
                return Ok(Some(format!("{}: the prepared plan gives other bits than the plan", self.data())));
            }
        }
        Ok(None)
    }

    fn data(&self) -> String {
        match self.kind {
            Kind::Normal => "normal data".into(),
            Kind::Positive => "positive data".into(),
            Kind::Integers(largest) => format!("integers up to {largest}"),
        }
    }
}

/// Whether the algorithm's sums of small integers are exact.
fn is_exact(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::Reference | Algorithm::Direct | Algorithm::Im2col)
}

fn same_bits<T: Sample>(a: &[T], b: &[T]) -> bool {
    // Widening keeps every number, and the sign of zero, apart.
    let bits = |v: &T| (v.to_f64().0.to_bits(), v.to_f64().1.to_bits());
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| bits(a) == bits(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(problem: &Problem, kind: Kind) -> Trial<'_, f32> {
        let operands = Operands::random(problem, kind).unwrap();
        let expected = Expected::new(problem, &operands, Effort::VERDICT).unwrap();
        Trial { problem, kind, expected, scales: Scales::new(problem, &operands), operands, threads: Threads::Serial }
    }

    #[test]
    fn a_wrong_element_is_found() {
        let problem: Problem = "20x30*3x5:same".parse().unwrap();
        let plan = Planner::new().algorithm(Algorithm::Reference).plan::<f32>(&problem).unwrap();
        for (kind, error, found) in
            [(Kind::Integers(4), 1.0, true), (Kind::Normal, 1e-3, true), (Kind::Normal, 1e-7, false)]
        {
            let trial = trial(&problem, kind);
            let mut workspace = Workspace::new();
            let mut result = vec![0.0; 600];
            plan.run(&trial.operands.first, &trial.operands.second, &mut result, &mut workspace).unwrap();
            assert_eq!(trial.compare(&plan, &result), None);
            result[321] += error;
            assert_eq!(trial.compare(&plan, &result).is_some_and(|text| text.contains("[0, 0, 10, 21]")), found);
        }
    }

    #[test]
    fn an_element_that_is_not_written_is_found() {
        let problem: Problem = "20*3".parse().unwrap();
        let trial = trial(&problem, Kind::Normal);
        let result = trial.result(|_, _| Ok(()), 0).unwrap();
        assert!(result.iter().all(|v| v.is_nan()));
        assert_eq!(trial.run(&Choice::Named(Algorithm::Reference)).unwrap(), None);
    }

    #[test]
    fn a_failure_tells_the_command_that_repeats_it() {
        let args = Args {
            problems: Problems::default(),
            algo: vec![Choice::All],
            threads: std::num::NonZeroUsize::new(3),
            limit: 1.0,
        };
        let item = Item { text: "mb1ic1ih3oc1n\"first\"".into(), problem: "20*3:same".parse() };
        let verdicts = vec![("direct".into(), Verdict::Failed("wrong".into())), ("fft".into(), Verdict::Passed)];
        let (mut out, mut tally) = (Vec::new(), Tally::default());
        tell(&mut out, &item, Ok(verdicts), &args, &mut tally).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.ends_with("convbench verify '20*3:same' --algo direct --threads 3\n"), "{out}");
        assert_eq!((tally.failed, tally.passed), (1, 1));
    }
}
