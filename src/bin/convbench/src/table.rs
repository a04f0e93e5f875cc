//! Tables for people: columns, units and colour.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use faltung::{Algorithm, Problem};

use crate::bench::{Outcome, Report};

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

/// `text` in a style, where the output is a terminal that shows it.
pub(crate) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// A time in seconds with its unit.
pub(crate) fn seconds(t: f64) -> String {
    match t {
        t if t < 1e-3 => format!("{:.2} µs", t * 1e6),
        t if t < 1.0 => format!("{:.3} ms", t * 1e3),
        t => format!("{t:.3} s"),
    }
}

/// A size in bytes with its unit.
pub(crate) fn bytes(n: usize) -> String {
    match n as f64 {
        n if n < 1e4 => format!("{n} B"),
        n if n < 1e7 => format!("{:.0} KiB", n / 1024.0),
        n => format!("{:.0} MiB", n / 1024.0 / 1024.0),
    }
}

/// The problem in words: what the direct sum costs.
pub(crate) fn heading(title: &str, problem: &Problem) -> String {
    let flops = problem.flops();
    let cost = match flops {
        f if f < 1e6 => format!("{:.1} kFLOP", f * 1e-3),
        f if f < 1e9 => format!("{:.1} MFLOP", f * 1e-6),
        f => format!("{:.1} GFLOP", f * 1e-9),
    };
    format!("{}  {}", paint(BOLD, title), paint(DIM, format!("{cost} in the direct sum")))
}

/// A table of a problem's outcomes, auto's choice marked, the fastest in green, and a line why.
pub(crate) fn write(out: &mut dyn Write, problem: &Problem, report: &Report) -> io::Result<()> {
    let measured =
        || report.outcomes.iter().filter_map(|(_, o)| if let Outcome::Measured(m) = o { Some(m) } else { None });
    let best = measured().map(|m| m.median).fold(f64::INFINITY, f64::min);
    let errors = measured().any(|m| m.error.is_some());
    let chosen = report.explanation.chosen().recipe.as_ref();
    if measured().next().is_some() {
        let head = format!("  {:24} {:>11} {:>7} {:>9} {:>10}", "algorithm", "median", "ratio", "GFLOP/s", "workspace");
        writeln!(out, "{}", paint(DIM, format!("{head}{}", if errors { "      error" } else { "" })))?;
    }
    for (name, outcome) in &report.outcomes {
        match outcome {
            Outcome::Measured(m) => {
                let mark = if chosen == Some(&m.recipe) { '*' } else { ' ' };
                let mut line = format!(
                    "{mark} {:24} {:>11} {:>7.2} {:>9.1} {:>10}",
                    m.recipe.to_string(),
                    seconds(m.median),
                    m.median / best,
                    problem.flops() / m.median * 1e-9,
                    bytes(m.workspace_bytes),
                );
                if let Some(error) = m.error {
                    line.push_str(&format!(" {error:>10.1e}"));
                }
                writeln!(out, "{}", if m.median == best { paint(GOOD, line) } else { line })?;
            }
            Outcome::Skipped(reason) => writeln!(out, "{}", paint(DIM, format!("  {name:24} left out: {reason}")))?,
            Outcome::Failed(reason) => writeln!(out, "  {name:24} {}", paint(BAD, reason))?,
        }
    }
    if measured().next().is_some() {
        writeln!(out, "{}", paint(DIM, format!("  auto: {}", why(report))))?;
    }
    Ok(())
}

/// Why the planner chose as it did, in a line.
fn why(report: &Report) -> String {
    let chosen = report.explanation.chosen();
    let mut parts = vec![format!("{}, predicted {} on one thread", chosen.algorithm, seconds(chosen.predicted))];
    for candidate in &report.explanation.candidates {
        if let (Some(_), Some(why)) = (&candidate.recipe, &candidate.why_not) {
            // That the definition is slow surprises nobody.
            if candidate.algorithm != Algorithm::Reference {
                parts.push(format!("{}: {why}", candidate.algorithm));
            }
        }
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_their_units() {
        assert_eq!(seconds(1.5e-6), "1.50 µs");
        assert_eq!(seconds(0.25), "250.000 ms");
        assert_eq!(seconds(2.0), "2.000 s");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(64 << 10), "64 KiB");
        assert_eq!(bytes(64 << 20), "64 MiB");
    }
}
