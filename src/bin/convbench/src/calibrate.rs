//! `convbench calibrate`: the constants of this machine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use faltung::{Costs, Error, Explanation, Planner, Problem, Recipe};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use crate::bench::{Call, Choice, Outcome, Settings, bench};
use crate::draw::Drawn;
use crate::failure::Failure;
use crate::fit::{Observation, Quality, fit};
use crate::machine::{self, Clock, Constants};
use crate::sample::{Kind, Operands, Sample, for_element};
use crate::suite::{Item, Problems};
use crate::table::{BOLD, DIM, paint};

/// What is predicted to take so many times as long as the best is not measured.
const LEFT_OUT: f64 = 8.0;

/// A recipe other than the design is measured where it is predicted to take at most so many times as long as the best.
const ALTERNATIVE: f64 = 2.5;

/// Measures this machine and writes the constants that the planner's predictions are made of.
///
/// Some sixty small problems are timed on one thread by every algorithm that may be the fastest, and the constants are
/// moved to where predictions and times agree best: by least squares on their logarithms, in which what is far off
/// weighs less. A program reads the file and hands it to its planner; `--costs FILE`, or the environment variable
/// FALTUNG_COSTS, makes this one use it.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    problems: Problems,
    #[command(flatten)]
    drawn: Drawn,
    /// Seconds that each algorithm's calls are repeated for
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    #[arg(value_parser = machine::seconds, default_value = "0.03")]
    budget: f64,
    /// Seconds after which no other problem is begun; 45 unless given or problems are
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = machine::seconds)]
    within: Option<f64>,
    #[command(flatten)]
    constants: Constants,
    /// The file to write, instead of faltung/costs in the user's folder for settings
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Keeps what was measured in this file, a JSON line a run
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Takes what was kept in this file for measured
    #[arg(long, value_name = "FILE", conflicts_with = "keep")]
    from: Vec<PathBuf>,
    /// Tells the problems of which the fastest is missed by so many times, before and after
    #[arg(long, value_name = "RATIO")]
    missed: Option<f64>,
}

/// A line of `--keep`.
#[derive(Serialize, Deserialize)]
struct Row {
    problem: String,
    recipe: String,
    seconds: f64,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let old = args.constants.read()?;
    let output = match &args.output {
        Some(path) => path.clone(),
        None => {
            usual().ok_or_else(|| Failure::Usage("there is no folder for settings: name a file by --output".into()))?
        }
    };
    let mut observations = Vec::new();
    for path in &args.from {
        observations.extend(kept(path)?);
    }
    if args.from.is_empty() {
        observations = measured(args, &old)?;
    }
    if let Some(path) = &args.keep {
        let rows = observations.iter().map(|o| {
            let Observation { text, recipe, seconds, .. } = o;
            serde_json::to_string(&Row { problem: text.clone(), recipe: recipe.to_string(), seconds: *seconds })
        });
        let lines: Vec<String> = rows.collect::<Result<_, _>>()?;
        write_whole(path, &(lines.join("\n") + "\n"))?;
    }
    if observations.is_empty() {
        return Err(Failure::Usage("nothing has been measured".into()));
    }
    let new = fit(&old, &observations);
    tell(args, &old, &new, &observations)?;
    write_whole(&output, &new.to_string())?;
    let mut out = anstream::stdout();
    writeln!(out, "written to {}: for convbench, export FALTUNG_COSTS={0}", output.display())?;
    Ok(out.flush()?)
}

/// Where the file goes unless told otherwise.
fn usual() -> Option<PathBuf> {
    dirs::config_dir().map(|folder| folder.join("faltung").join("costs"))
}

/// Writes a file under another name and renames it: a reader sees all of it or none.
fn write_whole(path: &Path, text: &str) -> Result<(), Failure> {
    let failure = |error: std::io::Error| Failure::Usage(format!("cannot write {}: {error}", path.display()));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failure)?;
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}", std::process::id()));
    let written = std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, path));
    written.map_err(|error| {
        // It may never have been made.
        let _ = std::fs::remove_file(&aside);
        failure(error)
    })
}

fn kept(path: &Path) -> Result<Vec<Observation>, Failure> {
    let failure = |why: String| Failure::Usage(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| failure(error.to_string()))?;
    let line = |line: &str| -> Result<Observation, String> {
        let Row { problem: text, recipe, seconds } = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let problem = text.parse().map_err(|error: Error| error.to_string())?;
        let recipe = recipe.parse().map_err(|error: Error| error.to_string())?;
        if !(seconds > 0.0 && f64::is_finite(seconds)) {
            return Err(format!("{seconds} seconds"));
        }
        Ok(Observation { text, problem, recipe, seconds })
    };
    text.lines().map(line).collect::<Result<_, _>>().map_err(failure)
}

fn measured(args: &Args, costs: &Costs) -> Result<Vec<Observation>, Failure> {
    let drawn = args.drawn.problems();
    let own = args.problems.is_empty() && drawn.is_empty();
    let texts: Vec<String> = if own { PROBLEMS.iter().map(ToString::to_string).collect() } else { drawn };
    let within = args.within.unwrap_or(if own { 45.0 } else { f64::INFINITY });
    let settings =
        Settings { threads: 1, budget: args.budget, call: Call::Reused, check: false, clock: Clock::Thread, costs };
    let (progress, begun) = (machine::progress(Some(texts.len())), Instant::now());
    let mut observations = Vec::new();
    machine::pool(1)?.install(|| {
        let mut one = |item: Item| {
            if observations.is_empty() || begun.elapsed().as_secs_f64() < within {
                let problem = item.problem.map_err(|error| Failure::Usage(error.to_string()))?;
                let timed: Result<_, Error> = for_element!(problem, times(&problem, settings, &progress));
                let timed = timed.map_err(|error| Failure::Usage(format!("{}: {error}", item.text)))?;
                observations.extend(timed.into_iter().map(|(recipe, seconds)| {
                    let (text, problem) = (item.text.clone(), problem.clone());
                    Observation { text, problem, recipe, seconds }
                }));
            }
            progress.inc(1);
            Ok::<_, Failure>(())
        };
        args.problems.each(|item, _| one(item))?;
        texts.into_iter().try_for_each(|text| one(Item { problem: text.parse(), text }))
    })?;
    progress.finish_and_clear();
    Ok(observations)
}

/// The times of what may be the fastest.
fn times<T: Sample>(
    problem: &Problem,
    settings: Settings<'_>,
    progress: &ProgressBar,
) -> Result<Vec<(Recipe, f64)>, Error> {
    let planner = settings.planner();
    let choices: Vec<Choice> = recipes(&planner, &planner.explain(problem)?).into_iter().map(Choice::Recipe).collect();
    let note = |what: &str| progress.set_message(format!("{problem}: {what}"));
    let report = bench::<T>(problem, &choices, || Operands::random(problem, Kind::Normal), settings, &note)?;
    let mut times = Vec::new();
    for (name, outcome) in report.outcomes {
        match outcome {
            // The least time is what the noise of the machine disturbs least.
            Outcome::Measured(m) => times.push((m.recipe, m.min)),
            Outcome::Skipped(_) => {}
            Outcome::Failed(why) => {
                return Err(Error::Other { doing: format!("measuring {name}").into(), source: why.into() });
            }
        }
    }
    Ok(times)
}

/// The recipes of a problem that may be the fastest: every algorithm's design, and what it might have been.
fn recipes(planner: &Planner, explanation: &Explanation) -> Vec<Recipe> {
    let best = explanation.chosen().predicted;
    let designs = explanation.candidates.iter().filter(|c| c.predicted <= LEFT_OUT * best);
    let mut recipes: Vec<Recipe> = designs.filter_map(|c| c.recipe.clone()).collect();
    let others: Vec<Recipe> = recipes.iter().flat_map(others).collect();
    for recipe in others {
        let predicted = planner.predict(&explanation.problem, &recipe).map(|c| c.predicted);
        if predicted.is_ok_and(|seconds| seconds <= ALTERNATIVE * best) && !recipes.contains(&recipe) {
            recipes.push(recipe);
        }
    }
    recipes
}

/// Designs of the same algorithm of another size.
fn others(recipe: &Recipe) -> Vec<Recipe> {
    match recipe {
        Recipe::Fft { transform } => {
            let doubled = transform.iter().map(|n| if *n > 1 { 2 * n } else { 1 }).collect();
            let halved = transform.iter().map(|n| if n % 2 == 0 { n / 2 } else { *n }).collect();
            vec![Recipe::Fft { transform: doubled }, Recipe::Fft { transform: halved }]
        }
        Recipe::Winograd { tile } => [2, 4, 6].map(|m| Recipe::Winograd { tile: vec![m; tile.len()] }).into(),
        _ => Vec::new(),
    }
}

/// The constants that have moved, and what they are good for.
fn tell(args: &Args, old: &Costs, new: &Costs, observations: &[Observation]) -> Result<(), Failure> {
    let mut out = anstream::stdout();
    for ((name, before), (_, after)) in old.iter().zip(new.iter()) {
        let factor = after / before;
        let line = format!("{name:22} {before:>10.3e} -> {after:>10.3e}  {factor:>5.2}");
        writeln!(out, "{}", if (0.8..1.25).contains(&factor) { paint(DIM, line) } else { line })?;
    }
    writeln!(out, "{}", paint(BOLD, format!("{} runs", observations.len())))?;
    for (name, costs) in [("before", old), ("after", new)] {
        let Quality { median, p95, mut choices } = Quality::of(costs, observations);
        choices.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mean = choices.iter().map(|choice| choice.1.ln()).sum::<f64>() / choices.len() as f64;
        writeln!(
            out,
            "{name:6}  predictions off by {median:.2} (median), {p95:.2} (95%); choice over the fastest: geometric mean \
             {:.3}, 95% {:.3}, worst {:.3}",
            mean.exp(),
            choices[choices.len() / 20].1,
            choices[0].1,
        )?;
        for (text, ratio) in choices.iter().filter(|choice| args.missed.is_some_and(|least| choice.1 >= least)) {
            writeln!(out, "  {ratio:.3}  {text}")?;
        }
    }
    Ok(())
}

/// Problems that are small, and of which each leaf dominates some.
const PROBLEMS: [&str; 72] = [
    "512x512*3x3:same:symmetric",
    "mb1ic64ih56oc64kh3ph1",
    "100000*31:same",
    "bwd_w:mb2ic64ih28oc64kh3ph1",
    "mb1g96ic96ih56oc96kh7ph3",
    "64x64x64*3x3x3:same",
    "mb1ic64ih56oc64kh1",
    "262144*1024:full",
    "bwd_d:mb2ic32ih28oc64kh3ph1",
    "512x512*21x21:same",
    "mb1ic256ih14oc256kh3ph1",
    "1000*31:same",
    "bwd_w:mb4g64ic64ih28oc64kh3ph1",
    "512x512*7x7:same",
    "mb1g128ic128ih28oc128kh15ph7",
    "mb1ic3ih112oc32kh3sh2ph1",
    "1048576*5:same",
    "64x64x64*7x7x7:same",
    "bwd_w:mb1ic3ih112oc32kh7sh2ph3",
    "mb1ic256ih28oc64kh1",
    "1024x1024*31x31:same:mirror",
    "mb16ic512ih1oc512kh1",
    "mb4g64ic64ih56oc64kh3ph1",
    "4096*4096:full",
    "bwd_d:mb1g96ic96ih28oc96kh7ph3",
    "mb2ic32ih28oc32kh5ph2",
    "256x256*11x11:same",
    "bwd_w:mb2ic128ih14oc128kh1",
    "2048x2048*3x3:same",
    "mb1ic128ih7oc128kh3ph1",
    "100000*127:full",
    "32x32x32*32x32x32:full",
    "mb2g8ic64ih28oc64kh3ph1",
    "bwd_d:mb1ic64ih28oc128kh3sh2ph1",
    "mb1ic24ih29oc40kh3ph1",
    "1048576*4096:full",
    "bwd_w:mb1g64ic64ih28oc64kh7ph3",
    "mb1ic32ih28oc32kh11ph5",
    "64x64*31x31:same",
    "mb1g256ic256iw1024oc256ow1024kw4pw3",
    "mb4ic16ih14oc16kh3ph1",
    "bwd_d:mb1ic512ih7oc512kh1",
    "300x300*300x300:full",
    "mb2ic64ih57oc64kh3sh2ph1",
    "128x128x128*3x3x3:same",
    "mb64ic1ih28oc32kh3",
    "bwd_w:mb1ic32ih28oc32kh5ph2",
    "512x512*15x15:same:f64",
    "mb1g32ic32ih112oc32kh3sh2ph1",
    "bwd_d:mb2ic3ih56oc16kh3ph1",
    "300000*9:same",
    "mb1ic512ih7oc512kh3ph1",
    "40x60x80*9x5x3:same",
    "mb2g64ic64iw4096oc64ow4096kw4096pw4095",
    "bwd_w:mb2g32ic32ih28oc32kh15ph7",
    "mb1ic1024ih1oc1000kh1",
    "1024x1024*5x5:same:nearest",
    "mb1ic8ih28oc8kh7ph3",
    "bwd_d:mb1ic16ih56oc16kh5ph2",
    "200*200:full",
    "mb1ic48ih14oc192kh1",
    "1048576*65536:full",
    "bwd_w:mb1ic256ih7oc256kh3ph1",
    "128x128*63x63:same",
    "mb2ic16ih56oc3kh3ph1",
    "100000*511:full:c32",
    "bwd_w:mb8ic128ih1oc256kh1",
    "mb1ic1ih224oc16kh5ph2",
    "64x64x64*15x15x15:same",
    "bwd_d:mb1g64ic64ih56oc64kh3sh2ph1",
    "10x10*3x3:same",
    "2048x2048*9x9:same:f64",
];
