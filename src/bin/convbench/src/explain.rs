//! `convbench explain`: what the planner weighs, and what it turns out to be.

use std::io::Write;
use std::num::NonZeroUsize;

use faltung::{Error, Explanation, Planner, Problem};

use crate::bench::{Call, Choice, Outcome, Settings, bench};
use crate::failure::Failure;
use crate::machine::{self, Clock, Constants};
use crate::sample::{Kind, Operands, Sample, for_element};

/// Prints every algorithm with its predicted cost, workspace and error bound, the one chosen, and why not each other.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The problem, such as 2048x2048*31x31:same:symmetric or mb16ic64ih56oc64kh3ph1
    problem: String,
    /// Measures each algorithm as well
    #[arg(long)]
    measure: bool,
    /// Threads to measure on; 1 unless given, as predictions are for one
    #[arg(long, value_name = "N", value_parser = machine::count)]
    threads: Option<NonZeroUsize>,
    /// Seconds that each algorithm's calls are repeated for
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    #[arg(value_parser = machine::seconds, default_value = "0.3")]
    budget: f64,
    #[command(flatten)]
    constants: Constants,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let usage = |error: Error| Failure::Usage(error.to_string());
    let problem: Problem = args.problem.parse().map_err(usage)?;
    let costs = args.constants.read()?;
    let mut explanation = Planner::new().with_costs(costs.clone()).explain(&problem).map_err(usage)?;
    if args.measure {
        let threads = args.threads.map_or(1, NonZeroUsize::get);
        let settings = Settings {
            threads,
            budget: args.budget,
            call: Call::Reused,
            check: false,
            clock: Clock::Wall,
            costs: &costs,
        };
        let measured = |explanation: &mut Explanation| for_element!(problem, measure(explanation, settings));
        machine::pool(threads)?.install(|| measured(&mut explanation)).map_err(usage)?;
    }
    let mut out = anstream::stdout();
    write!(out, "{explanation}")?;
    Ok(out.flush()?)
}

/// Fills in the measured times.
fn measure<T: Sample>(explanation: &mut Explanation, settings: Settings<'_>) -> Result<(), Error> {
    let problem = explanation.problem.clone();
    let progress = machine::progress(None);
    let note = |what: &str| progress.set_message(what.to_owned());
    let operands = || Operands::<T>::random(&problem, Kind::Normal);
    let report = bench(&problem, &[Choice::All], operands, settings, &note)?;
    progress.finish_and_clear();
    for (name, outcome) in report.outcomes {
        let Some(candidate) = explanation.candidates.iter_mut().find(|c| c.algorithm.name() == name) else { continue };
        let remark = match outcome {
            Outcome::Measured(m) => {
                candidate.measured = Some(m.median);
                continue;
            }
            Outcome::Skipped(_) if candidate.recipe.is_none() => continue,
            Outcome::Skipped(reason) => format!("not measured: {reason}"),
            Outcome::Failed(reason) => {
                return Err(Error::Other { doing: format!("measuring {name}").into(), source: reason.into() });
            }
        };
        if let Some(why) = &mut candidate.why_not {
            *why = format!("{why}; {remark}");
        }
    }
    Ok(())
}
