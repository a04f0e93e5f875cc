//! `convbench` races the convolution algorithms of faltung, verifies and explains them.

mod audit;
mod bench;
mod builtin;
mod calibrate;
mod data;
mod draw;
mod errors;
mod explain;
mod failure;
mod fit;
mod machine;
mod oracle;
mod race;
mod run;
mod sample;
mod suite;
mod table;
mod verify;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;

use failure::Failure;

/// What is said of problems in the help.
const NOTATION: &str = "A problem is written [BATCH@]SHAPE*KERNEL[:MODE][:BOUNDARY][:DTYPE] for a filtered signal, image \
or volume, such as 2048x2048*31x31:same:symmetric, or in benchdnn's notation for a layer, such as \
mb16ic64ih56oc64kh3ph1, its gradients with bwd_d: or bwd_w: in front.";

/// Races the convolution algorithms of faltung, verifies and explains them.
///
/// Without a command: the race on real data, a sound with a room's response, a photograph, and layers of networks.
#[derive(Parser, Debug)]
#[command(version, args_conflicts_with_subcommands = true, after_help = NOTATION)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    race: race::Args,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Run(run::Args),
    Verify(verify::Args),
    Explain(explain::Args),
    Audit(audit::Args),
    Calibrate(calibrate::Args),
    Errors(errors::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = match &cli.command {
        None => race::run(&cli.race),
        Some(Command::Run(args)) => run::run(args),
        Some(Command::Verify(args)) => verify::run(args),
        Some(Command::Explain(args)) => explain::run(args),
        Some(Command::Audit(args)) => audit::run(args),
        Some(Command::Calibrate(args)) => calibrate::run(args),
        Some(Command::Errors(args)) => errors::run(args),
    };
    let (message, status) = match ended {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Err(Failure::Reported) => return ExitCode::from(1),
        Err(Failure::Output(error)) => (format!("cannot write the output: {error}"), 1),
        Err(Failure::Usage(message)) => (message, 2),
    };
    // Nothing is left to be done where even this cannot be written.
    let _ = writeln!(anstream::stderr(), "{} {message}", table::paint(table::BAD, "error:"));
    ExitCode::from(status)
}
