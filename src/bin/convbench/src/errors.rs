//! `convbench errors`: how large rounding errors are, and how near the bounds that plans state.

use std::collections::BTreeMap;
use std::io::Write;

use faltung::{Algorithm, Error, Planner, Problem, Recipe, Threads, Workspace};
use indicatif::ProgressBar;

use crate::bench::{Choice, guarded, plan};
use crate::draw;
use crate::failure::Failure;
use crate::machine;
use crate::oracle::{Effort, Expected, Scales, own_error};
use crate::sample::{Kind, Operands, Random, Sample, array_bytes, check_memory, for_element, magnitude, number, zeros};
use crate::suite::{Item, Problems};
use crate::table::{BAD, DIM, GOOD, paint};

/// Algorithms that are predicted to take longer than so many seconds are left out.
const SLOW: f64 = 5.0;
/// The slowest way that the definition is tried itself.
const SLOW_REFERENCE: f64 = 0.02;
/// Results of fewer elements say little of how large errors may become.
const MANY: usize = 1000;

/// Compares the errors of every algorithm with the bounds that their plans state.
///
/// Told of each algorithm are the largest error and its root mean square, relative to the root mean square of the
/// result, and how many times the largest error the bound is. The exit status is 1 where an error exceeds its bound, or
/// one of the figures its limit.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    problems: Problems,
    /// So many small problems drawn at random, of every rank, pass, boundary and element type
    #[arg(long, default_value_t = 0, value_name = "N")]
    drawn: usize,
    /// What is drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only what the planner chooses
    #[arg(long)]
    auto: bool,
    /// Positive numbers, whose sums do not cancel, in place of normal ones
    #[arg(long)]
    positive: bool,
    /// The limit of the root mean square of the errors
    #[arg(long, value_name = "ERROR")]
    max_rms: Option<f64>,
    /// The limit of the largest error
    #[arg(long, value_name = "ERROR")]
    max_error: Option<f64>,
    /// The limit of the bound over the largest error, in results of a thousand elements and more
    #[arg(long, value_name = "RATIO")]
    max_slack: Option<f64>,
    /// Threads that an algorithm may use; all processors unless given
    #[arg(long, value_name = "N", value_parser = machine::count)]
    threads: Option<std::num::NonZeroUsize>,
}

/// What was seen of one recipe on one problem.
struct Seen {
    recipe: Recipe,
    /// Relative to the root mean square of the result.
    rms: f64,
    largest: f64,
    /// The bound over the largest error; infinite where there is none, as where nothing meets the data.
    slack: f64,
    /// Elements compared.
    elements: usize,
}

/// What was seen of one algorithm.
#[derive(Default)]
struct Tally {
    rms: f64,
    largest: f64,
    /// Of all results, and of those of many elements.
    slacks: Vec<f64>,
    wide: Vec<f64>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if args.problems.is_empty() && args.drawn == 0 {
        return Err(Failure::Usage("no problem given: name one, a file by --suite, or --drawn".into()));
    }
    let threads = machine::threads(args.threads);
    let mut errors = Errors {
        args,
        kind: if args.positive { Kind::Positive } else { Kind::Normal },
        threads: if threads == 1 { Threads::Serial } else { Threads::Pool },
        tallies: BTreeMap::new(),
        failures: 0,
        progress: machine::progress(None),
    };
    machine::pool(threads)?.install(|| {
        args.problems.each(|item, total| {
            if let Some(total) = total {
                errors.progress.set_length((total + args.drawn) as u64);
            }
            errors.one(&item, true)
        })?;
        let mut random = Random::new(args.seed);
        for _ in 0..args.drawn {
            let problem = draw::any(&mut random);
            errors.one(&Item { text: problem.to_string(), problem: Ok(problem) }, false)?;
        }
        errors.progress.finish_and_clear();
        errors.tell()
    })
}

/// A comparison under way.
struct Errors<'a> {
    args: &'a Args,
    kind: Kind,
    threads: Threads,
    tallies: BTreeMap<String, Tally>,
    failures: usize,
    progress: ProgressBar,
}

impl Errors<'_> {
    /// One problem; `told`, with a line for each algorithm.
    fn one(&mut self, item: &Item, told: bool) -> Result<(), Failure> {
        let note = |what: &str| self.progress.set_message(format!("{}: {what}", item.text));
        let seen = item.problem.as_ref().map_err(ToString::to_string).and_then(|problem| {
            let seen = guarded(|| for_element!(problem, seen(problem, self.args.auto, self.kind, self.threads, &note)));
            seen.map_err(|error| error.to_string())
        });
        self.progress.inc(1);
        let progress = self.progress.clone();
        progress.suspend(|| {
            let mut out = anstream::stdout();
            let seen = match seen {
                Ok(seen) => seen,
                Err(error) => {
                    self.failures += 1;
                    return Ok(writeln!(out, "{}  {}: {error}", paint(BAD, "FAILED"), item.text)?);
                }
            };
            for Seen { recipe, rms, largest, slack, elements } in seen {
                let pass = item.problem.as_ref().map_or_else(|_| String::new(), |problem| problem.pass().to_string());
                let tally = self.tallies.entry(format!("{} {pass}", recipe.algorithm())).or_default();
                tally.rms = tally.rms.max(rms);
                tally.largest = tally.largest.max(largest);
                tally.slacks.push(slack);
                if elements >= MANY && slack.is_finite() {
                    tally.wide.push(slack);
                }
                let above = |figure: f64, limit: Option<f64>| limit.is_some_and(|limit| figure > limit);
                let loose = elements >= MANY && slack.is_finite() && above(slack, self.args.max_slack);
                let fails =
                    slack < 1.0 || above(rms, self.args.max_rms) || above(largest, self.args.max_error) || loose;
                self.failures += usize::from(fails);
                if told || fails {
                    let mark = if fails { paint(BAD, "FAILED") } else { paint(GOOD, "ok    ") };
                    let figures =
                        format!("rms {rms:.1e}, largest {largest:.1e}, bound {slack:.1} times the error seen");
                    writeln!(out, "{mark}  {}  {recipe}  {}", item.text, paint(DIM, figures))?;
                }
            }
            Ok(out.flush()?)
        })
    }

    fn tell(mut self) -> Result<(), Failure> {
        let mut out = anstream::stdout();
        writeln!(out, "{:26}{:>7}{:>9}{:>9}   bound over error: least, median, most", "", "runs", "rms", "largest")?;
        for (name, tally) in &mut self.tallies {
            let (rms, largest) = (format!("{:.1e}", tally.rms), format!("{:.1e}", tally.largest));
            let sorted = |slacks: &mut Vec<f64>| {
                slacks.sort_by(f64::total_cmp);
                [0, slacks.len() / 2, slacks.len().saturating_sub(1)]
                    .map(|i| slacks.get(i).copied().unwrap_or(f64::NAN))
            };
            let ([least, median, _], [_, _, most]) = (sorted(&mut tally.slacks), sorted(&mut tally.wide));
            let runs = tally.slacks.len();
            writeln!(out, "{name:26}{runs:>7}{rms:>9}{largest:>9}   {least:8.1} {median:8.1} {most:8.1}")?;
        }
        out.flush()?;
        if self.failures > 0 { Err(Failure::Reported) } else { Ok(()) }
    }
}

/// What may compute the problem: every algorithm, Winograd's in tiles of every size; or the planner's choice alone.
fn choices(problem: &Problem, auto: bool) -> Result<Vec<Choice>, Error> {
    if auto {
        return Ok(vec![Choice::Named(Algorithm::Auto)]);
    }
    let mut choices = Vec::new();
    for candidate in Planner::new().explain(problem)?.candidates {
        let limit = if candidate.algorithm == Algorithm::Reference { SLOW_REFERENCE } else { SLOW };
        // In double precision the definition is what the others are compared with.
        let itself = candidate.algorithm == Algorithm::Reference && problem.dtype().epsilon() < 1e-10;
        match candidate.recipe {
            Some(_) if itself => {}
            Some(_) if candidate.predicted > limit => {}
            Some(Recipe::Winograd { tile }) => choices.extend([2, 4, 6].map(|m| {
                let tile = vec![m; tile.len()];
                Choice::Recipe(Recipe::Winograd { tile })
            })),
            Some(recipe) => choices.push(Choice::Recipe(recipe)),
            None => {}
        }
    }
    Ok(choices)
}

fn seen<T: Sample>(
    problem: &Problem,
    auto: bool,
    kind: Kind,
    threads: Threads,
    note: &dyn Fn(&str),
) -> Result<Vec<Seen>, Error> {
    check_memory(array_bytes(problem, true))?;
    let operands = Operands::<T>::random(problem, kind)?;
    note("computing by the definition");
    let expected = Expected::new(problem, &operands, Effort::ERRORS)?;
    let scales = Scales::new(problem, &operands);
    let squares: f64 = expected.values().map(|want| magnitude(want).powi(2)).sum();
    let root = |squares: f64| (squares / expected.len().max(1) as f64).sqrt();
    let [_, _, shape] = problem.operands();
    let mut result = zeros::<T>(shape.iter().product())?;
    let mut all = Vec::new();
    for choice in choices(problem, auto)? {
        note(&choice.to_string());
        let plan = match plan::<T>(Planner::new().threads(threads), problem, &choice) {
            Ok((_, plan)) => plan,
            Err(Error::Unsupported { .. }) => continue,
            Err(error) => return Err(error),
        };
        check_memory(plan.workspace_bytes() as f64)?;
        result.fill(number(f64::NAN, f64::NAN));
        plan.run(&operands.first, &operands.second, &mut result, &mut Workspace::new())?;
        let (mut sum, mut largest, mut slack) = (0.0, 0.0f64, f64::INFINITY);
        for (index, got, want) in expected.against(&result) {
            let error = magnitude(got - want);
            // The sum of same signs is larger than its scale, and what is rounded in it with it.
            let scale = if kind == Kind::Positive { scales.at(index).max(magnitude(want)) } else { scales.at(index) };
            sum += error.powi(2);
            largest = largest.max(error);
            if error != 0.0 {
                let room = (plan.error_bound() + own_error(problem)) * scale / error;
                slack = if room.is_nan() { 0.0 } else { slack.min(room) };
            }
        }
        let relative = |error: f64| if squares > 0.0 { error / root(squares) } else { error };
        let (rms, largest, elements) = (relative(root(sum)), relative(largest), expected.len());
        all.push(Seen { recipe: plan.recipe().clone(), rms, largest, slack, elements });
    }
    Ok(all)
}
