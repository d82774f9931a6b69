//! What every subcommand shares: flags, output, exit codes, and the wish to stop. A subcommand parses nothing itself and
//! never ends the process.

mod connection;
mod exit;
mod output;
mod stop;
mod values;

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

pub(crate) use connection::{Connection, DriverPatience};
pub(crate) use exit::{Outcome, Unsuccessful, Usage, exit};
pub(crate) use output::{Output, seconds, seconds_since, tell, with_separators};
pub(crate) use stop::Stop;
pub(crate) use values::{
    Repeat, bytes, bytes_in, count, count_in, counter_type, duration, mtu, position, positive_count, positive_duration,
    power_of_two, profile, recording_id, sequence, session_id, stream_id, utc,
};

use crate::commands::{
    bench, completions, demo, errors, journal, loss, man, publish, record, replay, sbe, stat, streams, subscribe,
    terminate, why,
};

/// Publish, subscribe, record and replay, work with journals and SBE schemas, and see what a media driver is doing, or end it.
///
/// Exit codes: 0 when all is well, 1 when what was asked for failed, 2 for a command line that makes no sense.
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

/// Parses the command line and runs what it asks for.
pub(crate) fn run() -> Outcome {
    let command = Cli::parse().command;
    let out = &mut Output::stdout();
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
    // What was written before a failure is still wanted.
    let flushed = out.flush();
    outcome.and(flushed)
}

/// Which driver to talk to.
#[derive(Debug, Clone, Args)]
pub(crate) struct DriverDir {
    /// The driver's directory [default: $AERON_DIR, or /dev/shm/aeron-USER]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl DriverDir {
    /// The directory asked for, or the usual one.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| gannet::Context::new().get_dir().to_owned())
    }
}

/// Which stream to publish or subscribe to.
#[derive(Debug, Clone, Args)]
pub(crate) struct Stream {
    /// Channel to use
    #[arg(long, value_name = "URI", default_value = "aeron:ipc")]
    pub(crate) channel: String,
    /// Stream id to use
    #[arg(long, value_name = "ID", default_value_t = 1001, value_parser = stream_id, allow_negative_numbers = true)]
    pub(crate) stream: i32,
}

impl Stream {
    /// Refuses a channel that is none before a driver is asked, and warns of what has no effect in it.
    pub(crate) fn check(&self) -> Outcome {
        match self.channel.parse::<gannet::channel_uri::ChannelUri>() {
            Ok(channel) => {
                channel.ignored().for_each(|ignored| {
                    crate::cli::tell(format_args!("warning: --channel {}: {ignored}", self.channel))
                });
                Ok(())
            }
            Err(error) => Err(Usage(format!("--channel {}: {error}", self.channel)).into()),
        }
    }
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
