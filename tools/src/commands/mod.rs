//! The subcommands. Each has a file with its flags and its code; this file lists them.

mod bench;
mod checking;
mod completions;
mod demo;
mod errors;
mod journal;
mod loss;
mod man;
mod publish;
mod record;
mod recorded;
mod replay;
mod sbe;
mod stat;
mod streams;
mod subscribe;
mod terminate;
mod watch;
mod why;

use clap::{CommandFactory, Parser, Subcommand};

use crate::cli::{Outcome, Output};

/// Publish, subscribe, record and replay; inspect a media driver; work with journals and SBE schemas.
///
/// Exit codes: 0 for success, 1 for failure, 2 for a command line that was not understood.
///
/// Durations have a unit, as in 500ms, 1.5s or 2m; a number without one means seconds. Numbers of bytes may have k, m, g
/// or t for powers of 1024, other numbers k, m or g for powers of 1000.
///
/// In JSON, positions and lengths are in bytes, and names say the unit of what else has one, as in held_for_ms and
/// disk_bytes. Moments, such as first_ms, count from 1970.
#[derive(Debug, Parser)]
#[command(name = "gannet", version = gannet_driver::VERSION, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Pub(publish::Args),
    Sub(subscribe::Args),
    Stat(stat::Args),
    Errors(errors::Args),
    Loss(loss::Args),
    Streams(streams::Args),
    Why(why::Args),
    Terminate(terminate::Args),
    Bench(bench::Args),
    Sbe(sbe::Args),
    Journal(journal::Args),
    Record(record::Args),
    Replay(replay::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Parses the command line and runs the subcommand.
pub(crate) fn run() -> Outcome {
    let out = &mut Output::stdout();
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        // The command line was not understood: exit code 2.
        Err(error) if error.use_stderr() => error.exit(),
        Err(help) => return out.print(|| help.print()),
    };
    let outcome = match command {
        Command::Demo(args) => demo::run(&args, out),
        Command::Pub(args) => publish::run(&args, out),
        Command::Sub(args) => subscribe::run(&args, out),
        Command::Stat(args) => stat::run(&args, out),
        Command::Errors(args) => errors::run(&args, out),
        Command::Loss(args) => loss::run(&args, out),
        Command::Streams(args) => streams::run(&args, out),
        Command::Why(args) => why::run(&args, out),
        Command::Terminate(args) => terminate::run(&args, out),
        Command::Bench(args) => bench::run(&args, out),
        Command::Sbe(args) => sbe::run(&args, out),
        Command::Journal(args) => journal::run(&args, out),
        Command::Record(args) => record::run(&args, out),
        Command::Replay(args) => replay::run(&args, out),
        Command::Completions(args) => completions::run(&args, Cli::command(), out),
        Command::Man(args) => man::run(&args, Cli::command(), out),
    };
    // Output written before a failure is still flushed.
    let flushed = out.flush();
    outcome.and(flushed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_subcommand_says_what_it_does() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
        }
    }
}
