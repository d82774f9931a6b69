//! `gannet bench replay`: whether a replay at full speed keeps up with a publisher.

use std::path::PathBuf;

use gannet_benches::rig::cores::Cores;
use gannet_benches::rig::environment::Environment;
use gannet_benches::rig::measurement::{Details, Measurement};
use gannet_benches::scenarios::replay;

use super::{Reporting, figures, on_round};
use crate::cli::{Outcome, Output, Stop, count_in};

/// The throughput of a replay at full speed, compared with a publisher over shared memory
///
/// The floor is a publisher that sends the same few messages again and again. A second publisher reads its messages
/// from as much memory as a recording takes, as a replay has to. A replay is measured twice: without comparing frames
/// with their checksums, and as it does by default (verifying). Rounds alternate between the four, with messages and
/// terms of the same lengths.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    reporting: Reporting,
    /// Where to make the recordings, 256 MiB for each size; they are removed again [default: the system's temporary directory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Rounds of each kind
    #[arg(long, value_name = "COUNT", default_value_t = replay::Options::default().rounds, value_parser = count_in::<u32>(1..=u64::MAX))]
    rounds: u32,
}

/// Runs the scenario.
pub(super) fn run(args: &Args, stop: &Stop, out: &mut Output) -> Outcome {
    let defaults = replay::Options::default();
    let options = replay::Options {
        dir: args.dir.clone().unwrap_or_else(|| defaults.dir.clone()),
        rounds: args.rounds,
        cores: Cores::choose(),
        ..defaults
    };
    let environment = Environment::read(options.cores);
    let notes = [format!(
        "recordings of {} MiB in {}, terms of {} bytes; the driver is invoked by the subscriber's thread",
        options.recorded_bytes >> 20,
        options.dir.display(),
        options.term_length
    )];
    args.reporting.begin(&environment, &notes, out)?;
    let results = replay::run(&options, on_round(stop))?;
    args.reporting.end(&environment, &notes, &results, out, describe)
}

fn describe(result: &Measurement) -> String {
    let ratio = result.ratio_to_floor.map(|ratio| format!("   {ratio:.2} x floor")).unwrap_or_default();
    let memory = match result.details {
        Some(Details::Replay { ratio_to_memory: Some(ratio) }) => format!("   {ratio:.2} x from memory"),
        _ => String::new(),
    };
    format!("{:>6} B  {:<11} {}{ratio}{memory}", result.size, result.system, figures(result))
}
