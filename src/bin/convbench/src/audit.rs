//! `convbench audit`: how far the planner's choice is from the fastest algorithm.

use std::io::Write;

use faltung::{Error, Problem};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::bench::{Call, Choice, Measurement, Outcome, Report, Settings, bench};
use crate::draw::Drawn;
use crate::failure::Failure;
use crate::machine::{self, Clock, Constants, Machine};
use crate::sample::{Kind, Operands, Sample, for_element};
use crate::suite::{Item, Problems};
use crate::table;

/// What is predicted to take so many times as long as the planner's choice is not measured.
const LEFT_OUT: f64 = 8.0;

/// Holds the planner's choice to the fastest algorithm.
///
/// Every algorithm is timed on every problem, but those that are predicted to take eight times as long as the planner's
/// choice. Told are the times of the choice over the fastest, and of all problems their geometric mean, their 95th
/// percentile and the worst. The exit status is 1 where one of them is above its limit.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    problems: Problems,
    #[command(flatten)]
    drawn: Drawn,
    /// The limit of the geometric mean
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    max_geomean: Option<f64>,
    /// The limit of the 95th percentile
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    max_p95: Option<f64>,
    /// The limit of the worst
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    max_worst: Option<f64>,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    constants: Constants,
    /// Prints JSON lines: one a problem, then the figures of all
    #[arg(long)]
    json: bool,
}

fn ratio(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|ratio: &f64| *ratio >= 1.0).ok_or_else(|| "not a number of at least 1".into())
}

/// A line of `--json`: a problem.
#[derive(Serialize)]
struct Row<'a> {
    problem: &'a str,
    auto: String,
    auto_ms: f64,
    best: String,
    best_ms: f64,
    ratio: f64,
}

/// The last line of `--json`.
#[derive(Clone, Copy, Serialize)]
struct Figures {
    problems: usize,
    geometric_mean: f64,
    p95: f64,
    worst: f64,
}

impl Figures {
    /// Of at least one ratio.
    fn of(mut ratios: Vec<f64>) -> Option<Self> {
        ratios.sort_by(f64::total_cmp);
        let problems = ratios.len();
        let mean = ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / problems.max(1) as f64;
        let p95 = *ratios.get((problems * 95).div_ceil(100).checked_sub(1)?)?;
        Some(Self { problems, geometric_mean: mean.exp(), p95, worst: *ratios.last()? })
    }

    /// The figures that are above their limits, in words.
    fn above(&self, args: &Args) -> Vec<String> {
        let limits = [
            ("geometric mean", self.geometric_mean, args.max_geomean),
            ("95th percentile", self.p95, args.max_p95),
            ("worst", self.worst, args.max_worst),
        ];
        limits
            .into_iter()
            .filter_map(|(name, figure, limit)| {
                let limit = limit.filter(|&limit| figure > limit)?;
                Some(format!("the {name}, {figure:.3}, is above {limit}"))
            })
            .collect()
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let drawn = args.drawn.problems();
    let costs = args.constants.read()?;
    if args.problems.is_empty() && drawn.is_empty() {
        return Err(Failure::Usage(
            "no problem given: name one, a file by --suite, or --layers, --fields, --grid".into(),
        ));
    }
    let settings = Settings {
        threads: args.machine.threads(),
        budget: args.machine.budget(0.1),
        call: Call::Reused,
        check: false,
        clock: if args.machine.threads() == 1 { Clock::Thread } else { Clock::Wall },
        costs: &costs,
    };
    let mut audit =
        Audit { ratios: Vec::new(), failed: false, json: args.json, settings, progress: machine::progress(None) };
    machine::pool(settings.threads)?.install(|| {
        args.problems.each(|item, total| {
            if let Some(total) = total {
                audit.progress.set_length((total + drawn.len()) as u64);
            }
            audit.one(&item)
        })?;
        for text in &drawn {
            audit.one(&Item { text: text.clone(), problem: text.parse() })?;
        }
        audit.progress.finish_and_clear();
        Ok::<_, Failure>(())
    })?;
    let mut out = anstream::stdout();
    let Some(figures) = Figures::of(audit.ratios) else { return Err(Failure::Reported) };
    if args.json {
        serde_json::to_writer(&mut out, &figures)?;
        writeln!(out)?;
    } else {
        let Figures { problems, geometric_mean, p95, worst } = figures;
        writeln!(
            out,
            "auto's time over the fastest's, {problems} problems: geometric mean {geometric_mean:.3}, 95th percentile \
             {p95:.3}, worst {worst:.3}"
        )?;
    }
    let above = figures.above(args);
    for sentence in &above {
        writeln!(anstream::stderr(), "{} {sentence}", table::paint(table::BAD, "error:"))?;
    }
    if audit.failed || !above.is_empty() { Err(Failure::Reported) } else { Ok(()) }
}

/// An audit under way.
struct Audit<'a> {
    ratios: Vec<f64>,
    failed: bool,
    json: bool,
    settings: Settings<'a>,
    progress: ProgressBar,
}

impl Audit<'_> {
    /// Times a problem's algorithms, and tells.
    fn one(&mut self, item: &Item) -> Result<(), Failure> {
        let report = item.problem.as_ref().map_err(ToString::to_string).and_then(|problem| {
            let note = |what: &str| self.progress.set_message(format!("{}: {what}", item.text));
            let timed: Result<_, Error> = for_element!(problem, timed(problem, self.settings, &note));
            timed.map_err(|error| error.to_string())
        });
        self.progress.inc(1);
        self.progress.suspend(|| {
            let mut out = anstream::stdout();
            let told = report.and_then(|report| told(&item.text, &report));
            match told {
                Ok(row) => {
                    self.ratios.push(row.ratio);
                    if self.json { line(&mut out, &row) } else { text(&mut out, &row) }
                }
                Err(error) => {
                    self.failed = true;
                    Ok(writeln!(out, "{}  {}", table::paint(table::BAD, error), item.text)?)
                }
            }
        })
    }
}

/// The times of what may be the fastest.
fn timed<T: Sample>(problem: &Problem, settings: Settings<'_>, note: &dyn Fn(&str)) -> Result<Report, Error> {
    let explanation = settings.planner().explain(problem)?;
    let most = LEFT_OUT * explanation.chosen().predicted;
    let choices: Vec<Choice> = explanation
        .candidates
        .iter()
        .filter(|candidate| candidate.recipe.is_some() && candidate.predicted <= most)
        .map(|candidate| Choice::Named(candidate.algorithm))
        .collect();
    bench::<T>(problem, &choices, || Operands::random(problem, Kind::Normal), settings, note)
}

/// A problem's row, if auto's choice has been measured and nothing has failed.
fn told<'a>(problem: &'a str, report: &Report) -> Result<Row<'a>, String> {
    let chosen = report.explanation.chosen().recipe.as_ref();
    let mut measured: Vec<&Measurement> = Vec::new();
    for (name, outcome) in &report.outcomes {
        match outcome {
            Outcome::Measured(measurement) => measured.push(measurement),
            Outcome::Failed(reason) => return Err(format!("{name}: {reason}")),
            Outcome::Skipped(_) => {}
        }
    }
    let auto = measured.iter().find(|m| Some(&m.recipe) == chosen).ok_or("auto's choice has not been measured")?;
    // The least time is what the noise of the machine disturbs least.
    let best = measured.iter().min_by(|a, b| a.min.total_cmp(&b.min)).unwrap_or(auto);
    Ok(Row {
        problem,
        auto: auto.recipe.to_string(),
        auto_ms: auto.min * 1e3,
        best: best.recipe.to_string(),
        best_ms: best.min * 1e3,
        ratio: auto.min / best.min,
    })
}

fn line(out: &mut dyn Write, row: &Row<'_>) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, row)?;
    Ok(writeln!(out)?)
}

fn text(out: &mut dyn Write, row: &Row<'_>) -> Result<(), Failure> {
    let Row { problem, auto, auto_ms, best, best_ms, ratio } = row;
    let times = match auto == best {
        true => format!("{auto} {}", table::seconds(auto_ms * 1e-3)),
        false => format!("{auto} {}, {best} {}", table::seconds(auto_ms * 1e-3), table::seconds(best_ms * 1e-3)),
    };
    let style = if *ratio > 1.15 { table::BAD } else { table::GOOD };
    Ok(writeln!(out, "{}  {problem}  {}", table::paint(style, format!("{ratio:.3}")), table::paint(table::DIM, times))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_ratios() {
        let figures = Figures::of((0..100).map(|i| if i < 95 { 1.0 } else { 2.0 }).collect()).unwrap();
        assert_eq!((figures.problems, figures.p95, figures.worst), (100, 1.0, 2.0));
        assert!((figures.geometric_mean - 2f64.powf(0.05)).abs() < 1e-12);
        assert_eq!(Figures::of(vec![1.5]).unwrap().p95, 1.5);
        assert!(Figures::of(Vec::new()).is_none());
    }
}
