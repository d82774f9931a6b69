//! `gannet demo`: runs the whole engine once, with a driver embedded in the process and no set-up.
//!
//! Each leg sends the same feed of SBE messages in another way and checks everything that arrives. Latencies are
//! measured from the moment when a message was due. A leg is a file and a line of [`LEGS`].

mod exchange;
mod feed;
mod ipc;
mod journal;
mod replay;
mod udp;

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use gannet_benches::rig::histogram::LatencyHistogram;
use gannet_driver::MediaDriver;
use gannet_driver::config::{DriverConfig, Profile};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::cli::{Outcome, Output, Stop, Unsuccessful, count_in, counted, with_separators};

/// Run the whole engine once, with an embedded driver and nothing to set up
///
/// Publishes made-up market data as SBE messages over IPC, over UDP, into a journal and in a replay of it. Checks each
/// message that arrives, and prints the latencies. Exits with 1 if a message was lost or differed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object at the end, with published, received, lost, differed, p50_ns and p99_ns for each leg
    #[arg(long)]
    json: bool,
    /// Messages per leg (IPC, UDP, journal, replay)
    #[arg(long, value_name = "COUNT", default_value_t = 60_000, value_parser = count_in::<u64>(1..=100_000_000))]
    messages: u64,
    /// Messages per second
    #[arg(long, value_name = "PER_SECOND", default_value_t = 20_000, value_parser = count_in::<u64>(1..=10_000_000))]
    rate: u64,
}

/// How long a leg may take beyond its schedule before its remaining messages count as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long driver and clients may be silent to each other. They are one process: if it stands still, for example in a
/// laptop that sleeps, all of them do, and none is gone.
const SILENCE: Duration = Duration::from_secs(24 * 3600);

/// Runs a leg.
type RunLeg = fn(&Setting<'_>) -> anyhow::Result<Leg>;

/// The legs, in the order in which they run.
const LEGS: &[(&str, RunLeg)] =
    &[("ipc", ipc::run), ("udp", udp::run), ("journal", journal::run), ("replay", replay::run)];

/// What a leg sends.
#[derive(Debug, Clone, Copy)]
struct Plan {
    messages: u64,
    rate_per_s: u64,
}

impl Plan {
    /// The duration of the schedule.
    fn length(&self) -> Duration {
        Duration::from_secs_f64(self.messages as f64 / self.rate_per_s as f64)
    }
}

/// The environment of a leg.
struct Setting<'a> {
    /// The directory of the embedded driver.
    driver_dir: &'a Path,
    plan: Plan,
    /// The user's request to stop.
    stop: &'a Stop,
    /// The directory that the leg `journal` records into, and what it recorded.
    journal_dir: &'a Path,
    recorded: Cell<Option<Recorded>>,
}

/// What was recorded.
#[derive(Debug, Clone, Copy)]
struct Recorded {
    messages: u64,
    /// When the first message was due.
    start_ns: i64,
}

/// The result of a leg.
#[derive(Debug, Default)]
struct Leg {
    published: u64,
    received: u64,
    /// Messages that differed from what was sent, or arrived out of order.
    differed: u64,
    bytes: u64,
    latencies: LatencyHistogram,
}

/// The result of a leg as JSON.
#[derive(Debug, Serialize)]
struct LegSummary {
    published: u64,
    received: u64,
    lost: u64,
    differed: u64,
    p50_ns: Option<u64>,
    p99_ns: Option<u64>,
}

/// The results of all legs as one JSON object, in the order in which they ran.
struct Summary(Vec<(&'static str, LegSummary)>);

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut legs = serializer.serialize_map(Some(self.0.len()))?;
        for (name, leg) in &self.0 {
            legs.serialize_entry(name, leg)?;
        }
        legs.end()
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    let stop = Stop::listen()?;
    let plan = Plan { messages: args.messages, rate_per_s: args.rate };
    let driver = MediaDriver::launch_embedded(driver_config()).context("cannot start the embedded driver")?;
    if !args.json {
        out.line(format_args!("embedded driver in {}", driver.dir().display()))?;
        out.line(format_args!(
            "each leg: {} of market data at {} per second, {:.1} s",
            counted(args.messages, "message"),
            with_separators(args.rate),
            plan.length().as_secs_f64()
        ))?;
    }
    let journal = tempfile::Builder::new().prefix("gannet-demo-").tempdir().context("no room for the recording")?;
    let setting =
        Setting { driver_dir: driver.dir(), plan, stop: &stop, journal_dir: journal.path(), recorded: Cell::new(None) };
    let mut legs = Vec::with_capacity(LEGS.len());
    let mut is_perfect = true;
    for (name, run_leg) in LEGS {
        if !args.json {
            out.line(format_args!("{name}:"))?;
            out.flush()?;
        }
        let leg = run_leg(&setting)?;
        if stop.is_wanted() {
            bail!(
                "stopped in {name}, with {} of {} received; what comes after was not tried",
                with_separators(leg.received),
                counted(args.messages, "message")
            );
        }
        is_perfect &= leg.is_perfect();
        if !args.json {
            show(&leg, out)?;
        }
        legs.push((*name, leg.summary()));
    }
    driver.close().context("the embedded driver did not close in good order")?;
    if args.json {
        out.json(&Summary(legs))?;
    }
    if is_perfect { Ok(()) } else { Err(Unsuccessful.into()) }
}

fn driver_config() -> DriverConfig {
    let mut config = DriverConfig::for_profile(Profile::Balanced);
    config.timeouts.client_liveness = SILENCE;
    config.timeouts.publication_unblock = 2 * SILENCE;
    config.timeouts.image_liveness = SILENCE;
    config.timeouts.publication_connection = SILENCE;
    config
}

impl Leg {
    fn summary(&self) -> LegSummary {
        LegSummary {
            published: self.published,
            received: self.received,
            lost: self.lost(),
            differed: self.differed,
            p50_ns: self.latencies.quantile_ns(0.5),
            p99_ns: self.latencies.quantile_ns(0.99),
        }
    }

    fn lost(&self) -> u64 {
        self.published.saturating_sub(self.received)
    }

    fn is_perfect(&self) -> bool {
        self.published > 0 && self.lost() == 0 && self.differed == 0
    }
}

fn show(leg: &Leg, out: &mut Output) -> Outcome {
    out.line(format_args!(
        "  published {}, received {} ({}), lost {}, differed {}",
        with_separators(leg.published),
        with_separators(leg.received),
        counted(leg.bytes, "byte"),
        with_separators(leg.lost()),
        with_separators(leg.differed)
    ))?;
    out.line("  latency, each message from the moment when it was due:")?;
    out.bytes(leg.latencies.describe().as_bytes())?;
    out.line(if leg.is_perfect() {
        "  every message arrived as it was sent"
    } else {
        "  THE STREAM IS NOT WHAT WAS SENT"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_given_up_because_the_process_stood_still() {
        let timeouts = driver_config().timeouts;
        let all = [timeouts.client_liveness, timeouts.image_liveness, timeouts.publication_connection];
        assert_eq!(all, [SILENCE; 3]);
        assert!(timeouts.publication_unblock > SILENCE && SILENCE > 100 * PATIENCE);
    }

    #[test]
    fn a_leg_with_a_flaw_is_not_perfect() {
        let whole = || Leg { published: 10, received: 10, ..Leg::default() };
        assert!(whole().is_perfect());
        assert!(!Leg { received: 9, ..whole() }.is_perfect());
        assert!(!Leg { differed: 1, ..whole() }.is_perfect());
        assert!(!Leg::default().is_perfect(), "nothing published proves nothing");
    }

    #[test]
    fn the_summary_has_the_contracts_keys() {
        let leg = Leg { published: 3, received: 2, ..Leg::default() };
        let summary = Summary(vec![("ipc", leg.summary())]);
        let json = serde_json::to_value(&summary).expect("plain data");
        let expected = serde_json::json!({
            "ipc": { "published": 3, "received": 2, "lost": 1, "differed": 0, "p50_ns": null, "p99_ns": null }
        });
        assert_eq!(json, expected);
    }
}
