//! `gannet bench`: the latency and throughput rig. One file per scenario; this file has what they share.

mod idle;
mod ipc;
mod journal;
mod replay;
mod stall;
mod udp;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use gannet_benches::rig::RigError;
use gannet_benches::rig::environment::Environment;
use gannet_benches::rig::histogram::show_ns;
use gannet_benches::rig::html;
use gannet_benches::rig::measurement::{Kind, Measurement};

use crate::cli::{Outcome, Output, Stop, can_erase, with_separators};

/// Measure latency and throughput, compared with the machine's own floor in the same run
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, clap::Subcommand)]
enum Scenario {
    Ipc(ipc::Args),
    Udp(udp::Args),
    Stall(stall::Args),
    Idle(idle::Args),
    Journal(journal::Args),
    Replay(replay::Args),
}

/// How results are given out.
#[derive(Debug, clap::Args)]
struct Reporting {
    /// Print one JSON object per result
    #[arg(long)]
    json: bool,
    /// Write a report to this HTML file, and the latencies as HdrHistogram logs beside it
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    // Called before anything is created that has to be removed again.
    let stop = &Stop::listen()?;
    match &args.scenario {
        Scenario::Ipc(args) => ipc::run(args, stop, out),
        Scenario::Udp(args) => udp::run(args, stop, out),
        Scenario::Stall(args) => stall::run(args, stop, out),
        Scenario::Idle(args) => idle::run(args, stop, out),
        Scenario::Journal(args) => journal::run(args, stop, out),
        Scenario::Replay(args) => replay::run(args, stop, out),
    }
}

impl Reporting {
    /// Prints what is measured and where before the measurement starts, and checks that the report can be written.
    fn begin(&self, environment: &Environment, notes: &[String], out: &mut Output) -> Outcome {
        if let Some(path) = &self.report {
            File::create(path).with_context(|| format!("cannot write the report {}", path.display()))?;
        }
        if !self.json {
            out.line(environment.describe())?;
            for note in notes {
                out.line(note)?;
            }
            out.flush()?;
        }
        Ok(())
    }

    /// Prints the results in the requested form.
    fn end(
        &self,
        environment: &Environment,
        notes: &[String],
        results: &[Measurement],
        out: &mut Output,
        describe: impl Fn(&Measurement) -> String,
    ) -> Outcome {
        clear_progress();
        for result in results {
            if self.json {
                out.json(result)?;
            } else {
                out.line(describe(result))?;
            }
        }
        if let Some(path) = &self.report {
            write_report(path, environment, notes, results)?;
        }
        Ok(())
    }
}

fn write_report(path: &Path, environment: &Environment, notes: &[String], results: &[Measurement]) -> Outcome {
    Ok(html::write(path, environment, notes, results)?)
}

/// The figures of a result as text: a rate, or latencies.
fn figures(result: &Measurement) -> String {
    if result.kind != Kind::Throughput {
        return latencies(result);
    }
    let whole = |value: Option<f64>| with_separators(value.unwrap_or(0.0) as i64);
    format!("{:>12} messages/s  {:>15} bytes/s", whole(result.msgs_per_s), whole(result.bytes_per_s))
}

/// The latencies of a result as text.
fn latencies(result: &Measurement) -> String {
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

/// The check that a scenario makes before each round, and during long ones: it ends the scenario when the user wants to
/// stop.
fn on_round(stop: &Stop) -> impl FnMut(&str) -> Result<(), RigError> + Send {
    move |round| {
        if stop.is_wanted() {
            clear_progress();
            return Err(RigError::Stopped);
        }
        progress(round);
        Ok(())
    }
}

/// Shows on a terminal that can erase it again which round is running.
fn progress(round: &str) {
    let mut stderr = io::stderr();
    if stderr.is_terminal() && can_erase() {
        let _ = write!(stderr, "\r\x1b[K{round}");
        let _ = stderr.flush();
    }
}

fn clear_progress() {
    progress("");
}
