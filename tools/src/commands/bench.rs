//! `gannet bench`: the latency and throughput rig.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use gannet_benches::rig::cores::Cores;
use gannet_benches::rig::environment::Environment;
use gannet_benches::rig::histogram::show_ns;
use gannet_benches::rig::html;
use gannet_benches::rig::measurement::{Kind, Measurement};
use gannet_benches::scenarios::ipc;
use gannet_benches::systems::System;
use gannet_benches::systems::floor::Floor;
use gannet_benches::systems::gannet::Gannet;

use crate::cli::{Outcome, Output, with_separators};

/// Measure latency and throughput, with the machine's own floor in the same run
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, clap::Subcommand)]
enum Scenario {
    Ipc(IpcArgs),
}

/// Round trips and throughput over shared memory between two threads, each on its core
///
/// Rounds alternate between the systems. A round trip counts from the moment when its message was due, so that a stall is
/// charged to every message that it delays.
#[derive(Debug, clap::Args)]
struct IpcArgs {
    /// Print one JSON object per result
    #[arg(long)]
    json: bool,
    /// Write a report to this HTML file, and the latencies as HdrHistogram logs beside it
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Rounds per system and measurement
    #[arg(long, value_name = "COUNT", default_value_t = ipc::Options::default().rounds, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Round trips per second
    #[arg(long, value_name = "PER_SECOND", default_value_t = ipc::Options::default().echo_rate_per_s, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: u64,
    /// Length of a term in bytes, a power of two from 64 KiB
    #[arg(long, value_name = "BYTES", default_value_t = ipc::Options::default().term_length)]
    term_length: usize,
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    match &args.scenario {
        Scenario::Ipc(args) => run_ipc(args, out),
    }
}

fn run_ipc(args: &IpcArgs, out: &mut Output) -> Outcome {
    let options = ipc::Options {
        rounds: args.rounds,
        echo_rate_per_s: args.rate,
        term_length: args.term_length,
        cores: Cores::choose(),
        ..ipc::Options::default()
    };
    let mut systems: [Box<dyn System>; 2] =
        [Box::new(Floor::new(options.log_length())), Box::new(Gannet::open(options.term_length)?)];
    let environment = Environment::read(options.cores);
    let notes: Vec<_> = systems.iter().map(|system| format!("{}: {}", system.name(), system.describe())).collect();
    if !args.json {
        out.line(environment.describe())?;
        for note in &notes {
            out.line(note)?;
        }
        out.flush()?;
    }
    let results = ipc::run(&mut systems, &options, progress)?;
    clear_progress();
    for result in &results {
        if args.json {
            out.json(result)?;
        } else {
            out.line(describe(result))?;
        }
    }
    if let Some(path) = &args.report {
        html::write(path, &environment, &notes, &results)?;
    }
    Ok(())
}

fn describe(result: &Measurement) -> String {
    let what =
        format!("{:>10} {:>6} B  {:<8}", format!("{:?}", result.kind).to_lowercase(), result.size, result.system);
    let ratio = result.ratio_to_floor.map(|ratio| format!("   {ratio:.2} x floor")).unwrap_or_default();
    let figures = match result.kind {
        Kind::Echo => {
            let at = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), show_ns);
            format!(
                "p50 {:>9}  p99 {:>9}  p99.9 {:>9}  p99.99 {:>9}  max {:>9}",
                at(result.p50_ns),
                at(result.p99_ns),
                at(result.p999_ns),
                at(result.p9999_ns),
                at(result.max_ns)
            )
        }
        Kind::Throughput => {
            let whole = |value: Option<f64>| with_separators(value.unwrap_or(0.0) as i64);
            format!("{:>12} messages/s  {:>15} bytes/s", whole(result.msgs_per_s), whole(result.bytes_per_s))
        }
    };
    format!("{what} {figures}{ratio}   lost {}", result.lost)
}

/// Says on a terminal which round is running.
fn progress(round: &str) {
    let mut stderr = io::stderr();
    if stderr.is_terminal() {
        let _ = write!(stderr, "\r\x1b[K{round}");
        let _ = stderr.flush();
    }
}

fn clear_progress() {
    let mut stderr = io::stderr();
    if stderr.is_terminal() {
        let _ = write!(stderr, "\r\x1b[K");
    }
}
