//! `gannet sbe`: works with schemas and their messages.

mod check;
mod compile;
mod decode;
mod generate;

use crate::cli::{Outcome, Output};

/// Generate code from SBE schemas, check schemas, and decode messages by schema
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Generate(generate::Args),
    Check(check::Args),
    Decode(decode::Args),
    Ir(compile::Args),
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    match &args.command {
        Command::Generate(args) => generate::run(args, out),
        Command::Check(args) => check::run(args, out),
        Command::Decode(args) => decode::run(args, out),
        Command::Ir(args) => compile::run(args, out),
    }
}
