//! `gannet bench ipc`: round trips and throughput over shared memory.

use gannet_benches::rig::cores::Cores;
use gannet_benches::rig::environment::Environment;
use gannet_benches::rig::measurement::Measurement;
use gannet_benches::scenarios::ipc;
use gannet_benches::systems::System;
use gannet_benches::systems::floor::Floor;
use gannet_benches::systems::gannet::Gannet;
use gannet_benches::systems::handover::Handover;

use super::{Reporting, figures, on_round};
use crate::cli::{Outcome, Output, Stop, count_in, power_of_two};

/// Round trips and throughput over shared memory between two threads, each on its own core
///
/// Rounds alternate between the systems that are compared. A round trip counts from the moment when its message was
/// due, so a stall is charged to every message that it delays.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    reporting: Reporting,
    /// Rounds per system and measurement
    #[arg(long, value_name = "COUNT", default_value_t = ipc::Options::default().rounds, value_parser = count_in::<u32>(1..=u64::MAX))]
    rounds: u32,
    /// Round trips per second
    #[arg(long, value_name = "PER_SECOND", default_value_t = ipc::Options::default().echo_rate_per_s, value_parser = count_in::<u64>(1..=10_000_000))]
    rate: u64,
    /// Length of a term in bytes, a power of two from 64 KiB
    #[arg(long, value_name = "BYTES", default_value_t = ipc::Options::default().term_length, value_parser = power_of_two::<usize>)]
    term_length: usize,
}

/// Runs the scenario.
pub(super) fn run(args: &Args, stop: &Stop, out: &mut Output) -> Outcome {
    let options = ipc::Options {
        rounds: args.rounds,
        echo_rate_per_s: args.rate,
        term_length: args.term_length,
        cores: Cores::choose(),
        ..ipc::Options::default()
    };
    let mut systems: [Box<dyn System>; 3] = [
        Box::new(Floor::new(options.log_length())),
        Box::new(Handover::new(options.log_length())),
        Box::new(Gannet::open(options.term_length)?),
    ];
    let environment = Environment::read(options.cores);
    let notes: Vec<_> = systems.iter().map(|system| format!("{}: {}", system.name(), system.describe())).collect();
    args.reporting.begin(&environment, &notes, out)?;
    let results = ipc::run(&mut systems, &options, on_round(stop))?;
    args.reporting.end(&environment, &notes, &results, out, describe)
}

fn describe(result: &Measurement) -> String {
    let what =
        format!("{:>10} {:>6} B  {:<8}", format!("{:?}", result.kind).to_lowercase(), result.size, result.system);
    let ratio = result.ratio_to_floor.map(|ratio| format!("   {ratio:.2} x floor")).unwrap_or_default();
    let figures = figures(result);
    format!("{what} {figures}{ratio}   lost {}", result.lost)
}
