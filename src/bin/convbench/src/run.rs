//! `convbench run`: times problems of the caller's, for people or as JSON lines.

use std::io::Write;

use faltung::Problem;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::bench::{Call, Choice, Measurement, Outcome, Report, Settings, bench};
use crate::failure::Failure;
use crate::machine::{self, Clock, Constants, Machine};
use crate::sample::{Kind, Operands, Sample, for_element};
use crate::suite::{Item, Problems};
use crate::table;

/// Times problems.
///
/// The time is that of one call from plain arrays, with plan, workspace and output reused and the kernel packed or
/// transformed within it: one call to warm up, then repeated until the budget is spent, three times at least. The data
/// are normally distributed noise, the same every time.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    problems: Problems,
    /// auto, all, or names or recipes joined by commas: direct,fft or fft:256x256
    #[arg(long, value_delimiter = ',', default_value = "auto", value_name = "NAME")]
    algo: Vec<Choice>,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    constants: Constants,
    /// Leaves packing or transforming the kernel out of the time, where the pass has a kernel
    #[arg(long)]
    prepared: bool,
    /// Takes planning from a warm cache and allocating output and workspace into the time
    #[arg(long, conflicts_with = "prepared")]
    fresh: bool,
    /// Compares a sample of each result with the definition in double precision
    #[arg(long)]
    check: bool,
    /// Prints JSON lines: one an algorithm, then {"problem","done":true}
    #[arg(long)]
    json: bool,
}

/// A line of `--json`.
#[derive(Serialize)]
struct Row<'a> {
    problem: &'a str,
    algo: &'static str,
    recipe: String,
    layout: String,
    prepared: bool,
    threads: usize,
    median_ms: f64,
    min_ms: f64,
    gflops: f64,
    setup_ms: f64,
    workspace_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_rel_error: Option<f64>,
}

/// A line of `--json` for what was not measured.
#[derive(Serialize)]
struct Note<'a> {
    problem: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    algo: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<&'a str>,
}

/// The line of `--json` that ends a problem.
#[derive(Serialize)]
struct Done<'a> {
    problem: &'a str,
    done: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if args.problems.is_empty() {
        return Err(Failure::Usage("no problem given: name one, or a file of them by --suite".into()));
    }
    let costs = args.constants.read()?;
    let settings = Settings {
        threads: args.machine.threads(),
        budget: args.machine.budget(0.3),
        call: match (args.prepared, args.fresh) {
            (true, _) => Call::Prepared,
            (_, true) => Call::Fresh,
            _ => Call::Reused,
        },
        check: args.check,
        clock: Clock::Wall,
        costs: &costs,
    };
    machine::pool(settings.threads)?.install(|| {
        let mut out = anstream::stdout();
        let progress = machine::progress(None);
        let mut failed = false;
        args.problems.each(|item, total| {
            if let Some(total) = total {
                progress.set_length(total as u64);
            }
            let report = item.problem.as_ref().map_err(ToString::to_string).and_then(|problem| {
                report(problem, &args.algo, settings, &item.text, &progress).map_err(|error| error.to_string())
            });
            progress.inc(1);
            failed |= match &report {
                Ok(report) => report.outcomes.iter().any(|(_, o)| matches!(o, Outcome::Failed(_))),
                Err(_) => true,
            };
            progress.suspend(|| {
                if args.json { json(&mut out, &item, &report, settings) } else { text(&mut out, &item, &report) }
            })
        })?;
        progress.finish_and_clear();
        if failed { Err(Failure::Reported) } else { Ok(()) }
    })
}

fn report(
    problem: &Problem,
    choices: &[Choice],
    settings: Settings<'_>,
    text: &str,
    progress: &ProgressBar,
) -> Result<Report, faltung::Error> {
    let note = |what: &str| progress.set_message(format!("{text}: {what}"));
    for_element!(problem, noise(problem, choices, settings, &note))
}

fn noise<T: Sample>(
    problem: &Problem,
    choices: &[Choice],
    settings: Settings<'_>,
    note: &dyn Fn(&str),
) -> Result<Report, faltung::Error> {
    bench::<T>(problem, choices, || Operands::random(problem, Kind::Normal), settings, note)
}

fn text(out: &mut dyn Write, item: &Item, report: &Result<Report, String>) -> Result<(), Failure> {
    match (&item.problem, report) {
        (Ok(problem), Ok(report)) => {
            writeln!(out, "{}", table::heading(&item.text, problem))?;
            table::write(out, problem, report)?;
        }
        (_, Err(error)) => {
            let error = table::paint(table::BAD, error);
            writeln!(out, "{}\n  {error}", table::paint(table::BOLD, &item.text))?;
        }
        (Err(_), Ok(_)) => {}
    }
    writeln!(out)?;
    Ok(out.flush()?)
}

fn json(
    out: &mut dyn Write,
    item: &Item,
    report: &Result<Report, String>,
    settings: Settings<'_>,
) -> Result<(), Failure> {
    let problem = item.text.as_str();
    let note = |algo, error, skipped| Note { problem, algo, error, skipped };
    match (&item.problem, report) {
        (Ok(known), Ok(report)) => {
            for (name, outcome) in &report.outcomes {
                match outcome {
                    Outcome::Measured(m) => line(out, &row(problem, known, m, settings))?,
                    Outcome::Skipped(reason) => line(out, &note(Some(name), None, Some(reason)))?,
                    Outcome::Failed(error) => line(out, &note(Some(name), Some(error), None))?,
                }
            }
        }
        (_, Err(error)) => line(out, &note(None, Some(error), None))?,
        (Err(_), Ok(_)) => {}
    }
    line(out, &Done { problem, done: true })?;
    // Whoever feeds standard input waits for this answer.
    Ok(out.flush()?)
}

fn row<'a>(text: &'a str, problem: &Problem, m: &Measurement, settings: Settings<'_>) -> Row<'a> {
    let round = |value: f64, digits: f64| (value * digits).round() / digits;
    let ms = |seconds: f64| round(seconds * 1e3, 1e5);
    Row {
        problem: text,
        algo: m.recipe.algorithm().name(),
        recipe: m.recipe.to_string(),
        layout: problem.layout().to_string(),
        prepared: m.prepared,
        threads: settings.threads,
        median_ms: ms(m.median),
        min_ms: ms(m.min),
        gflops: round(problem.flops() / m.median * 1e-9, 1e3),
        setup_ms: ms(m.setup),
        workspace_bytes: m.workspace_bytes,
        max_rel_error: m.error,
    }
}

fn line(out: &mut dyn Write, row: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, row)?;
    Ok(writeln!(out)?)
}
