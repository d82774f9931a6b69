//! `gannet bench journal`: what an append costs.

use std::path::PathBuf;

use gannet::journal::Stamps;
use gannet_benches::rig::cores::Cores;
use gannet_benches::rig::environment::Environment;
use gannet_benches::rig::measurement::Measurement;
use gannet_benches::scenarios::journal;

use super::{Reporting, latencies, progress};
use crate::cli::{Outcome, Output};

/// What an append to a journal costs, beside a bare copy into a mapped file
///
/// Rounds alternate, and each goes through segments. The median is that of batches of appends; the other fractions are those of
/// appends timed one by one, which has the cost of reading the clock in it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    reporting: Reporting,
    /// Where to make the files; they are removed again [default: the system's temporary directory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Bytes per message
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_472))]
    size: u32,
    /// Rounds of each kind
    #[arg(long, value_name = "COUNT", default_value_t = journal::Options::default().rounds, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// What messages are stamped with
    #[arg(long, value_enum, default_value_t = StampArg::Coarse)]
    stamps: StampArg,
}

/// What messages are stamped with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum StampArg {
    /// Nothing
    None,
    /// The time of the kernel's last tick
    Coarse,
    /// The time
    Precise,
}

/// Runs the scenario.
pub(super) fn run(args: &Args, out: &mut Output) -> Outcome {
    let defaults = journal::Options::default();
    let options = journal::Options {
        dir: args.dir.clone().unwrap_or_else(|| defaults.dir.clone()),
        size: args.size as usize,
        rounds: args.rounds,
        stamps: match args.stamps {
            StampArg::None => Stamps::None,
            StampArg::Coarse => Stamps::Coarse,
            StampArg::Precise => Stamps::Precise,
        },
        cores: Cores::choose(),
        ..defaults
    };
    let environment = Environment::read(options.cores);
    let notes = [format!(
        "{} appends a round in {}, segments of {} MiB, stamps {:?}",
        options.appends,
        options.dir.display(),
        options.segment_length >> 20,
        options.stamps
    )];
    args.reporting.begin(&environment, &notes, out)?;
    let results = journal::run(&options, progress)?;
    args.reporting.end(&environment, &notes, &results, out, describe)
}

fn describe(result: &Measurement) -> String {
    let ratio = result.ratio_to_floor.map(|ratio| format!("   {ratio:.2} x floor")).unwrap_or_default();
    format!("{:>6} B  {:<8} {}{ratio}", result.size, result.system, latencies(result))
}
