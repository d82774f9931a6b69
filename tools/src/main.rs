//! The command `gannet`. Parses the command line, runs one subcommand, and converts its outcome to an exit code.

mod capture;
mod cli;
mod commands;
mod inspect;
mod sbe;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::exit(commands::run())
}
