//! `gannet why`: shows what holds each publication back, and since when.
//!
//! Counters have positions but not their history. So the command watches them for a while, and reports only what it has
//! seen.

mod findings;
mod holder;

use std::time::{Duration, Instant};

use self::findings::Watch;
use super::watch::pause;
use crate::cli::{DriverDir, Outcome, Output, Stop, duration, positive_duration};
use crate::inspect::{Driver, Streams};

/// Show what holds each publication back: which subscriber or receiver, at which position, and since when
///
/// Watches the counters for a while (--for). A publication is held back when it has reached its limit, which follows
/// its slowest reader. "At least" means that it was already held back in the first sample. A reader may wait for a
/// message whose publisher has claimed space for it and not committed it; that is told, too.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    dir: DriverDir,
    /// Print one JSON object per publication: registration_id, session_id, stream_id, channel, state (flowing, held or
    /// not_connected), position, limit, holder, samples, samples_at_limit, watched_ms, held_for_ms,
    /// not_connected_for_ms, holder_still_for_ms, claim_open_for_ms. holder is null or has kind (subscriber, receivers or sender), position and
    /// behind; a subscriber also registration_id, client_id, client_name and counter_id, receivers also address,
    /// receiver_id, since_ms, receivers and stops
    #[arg(long)]
    json: bool,
    /// How long to watch before saying anything
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, default_value = "1s")]
    watch_for: Duration,
    /// How often to sample
    #[arg(long, value_name = "INTERVAL", value_parser = positive_duration, default_value = "20ms")]
    every: Duration,
    /// Show only publications that were held back at some time
    #[arg(long)]
    held: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    let stop = Stop::listen()?;
    let mut driver = Driver::open(&args.dir.path())?;
    let start = Instant::now();
    let mut watch = Watch::default();
    loop {
        // Not for a reader who is gone.
        out.flush()?;
        let elapsed = start.elapsed();
        let streams = Streams::new(&driver.counters());
        watch.sample(elapsed, &streams, |id, position| driver.is_claim_open(id, position));
        let left = args.watch_for.saturating_sub(elapsed);
        if left.is_zero() || !pause(args.every.min(left), &stop) {
            break;
        }
        // The publications of a driver that was started anew are others, even where their ids are the same.
        if driver.refresh()? {
            watch = Watch::default();
        }
    }
    let findings = watch.findings();
    let shown = findings.iter().filter(|finding| !args.held || finding.samples_at_limit > 0);
    if args.json {
        for finding in shown {
            out.json(finding)?;
        }
        return Ok(());
    }
    out.foreign_line(driver.identify())?;
    if findings.is_empty() {
        out.line("no publications")?;
    }
    for finding in shown {
        out.foreign_line(&finding.description)?;
        for line in finding.explain() {
            out.foreign_line(format_args!("    {line}"))?;
        }
    }
    Ok(())
}
