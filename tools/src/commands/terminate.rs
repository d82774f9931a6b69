//! `gannet terminate`: asks a driver to end, and reports the outcome. A driver does not answer such a request, so the
//! command watches the driver.

use std::time::{Duration, Instant};

use gannet::cnc::DriverState;
use gannet::time::{Clock, EpochMillis, SystemClock};
use serde::Serialize;

use crate::cli::{DriverDir, Outcome, Output, Stop, Unsuccessful, positive_duration};
use crate::inspect::Driver;

use super::watch::pause;

/// How often the driver is checked.
const INTERVAL: Duration = Duration::from_millis(10);
/// The environment variable with the token. Unlike an argument, it is not shown to other users.
const TOKEN: &str = "GANNET_TERMINATION_TOKEN";
/// The property that decides about the request. A gannet-driver names it in its error log when it refuses.
const VALIDATOR: &str = "aeron.driver.termination.validator";

/// Ask a driver to end, and wait until it has
///
/// By default a driver refuses. It grants the request if its setting aeron.driver.termination.validator is 'allow', or
/// if that is 'token' and the token is right. Exit code 0 if the driver has ended; another can then be started in its
/// directory.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    dir: DriverDir,
    /// The token, if the driver requires one [default: $GANNET_TERMINATION_TOKEN, or none]
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// How long to wait for the driver to end
    #[arg(long, value_name = "DURATION", value_parser = positive_duration, default_value = "10s")]
    timeout: Duration,
    /// Print one JSON object: dir, pid, outcome (ended, refused, not_ended or not_read), reason
    #[arg(long)]
    json: bool,
}

/// The outcome, as JSON.
#[derive(Debug, Serialize)]
struct Line {
    dir: String,
    pid: i64,
    outcome: Is,
    /// Why the driver has not ended, if known.
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Is {
    Ended,
    /// The driver recorded the refusal in its error log.
    Refused,
    /// The driver has read the request but has not ended.
    NotEnded,
    NotRead,
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    let stop = Stop::listen()?;
    let dir = args.dir.path();
    let driver = Driver::open(&dir)?;
    let before = refusals(&driver).0;
    let token = args.token.clone().map_or_else(|| std::env::var_os(TOKEN).unwrap_or_default(), Into::into);
    gannet::request_driver_termination(&dir, token.as_encoded_bytes())?;
    let asked = driver.cnc().commands().producer_position();
    let start = Instant::now();
    let (outcome, reason) = loop {
        if driver.cnc().driver_state(SystemClock.epoch(), Duration::MAX) == DriverState::ShutDown {
            break (Is::Ended, None);
        }
        let (times, reason) = refusals(&driver);
        if times > before {
            break (Is::Refused, reason);
        }
        if start.elapsed() >= args.timeout || !pause(INTERVAL, &stop) {
            let has_read = driver.cnc().commands().consumer_position() >= asked;
            break (if has_read { Is::NotEnded } else { Is::NotRead }, None);
        }
    };
    let line = Line { dir: dir.display().to_string(), pid: driver.cnc().pid(), outcome, reason };
    if args.json {
        out.json(&line)?;
    } else {
        out.foreign_line(line.describe(start.elapsed()))?;
    }
    if outcome == Is::Ended { Ok(()) } else { Err(Unsuccessful.into()) }
}

impl Line {
    /// The outcome after a time, in words.
    fn describe(&self, time: Duration) -> String {
        let time = format!("{:.1} s", time.as_secs_f64());
        let driver = format!("the driver in {}, process {},", self.dir, self.pid);
        match self.outcome {
            Is::Ended => format!("{driver} has ended"),
            Is::Refused => {
                let reason = self.reason.as_deref().unwrap_or_default();
                format!("{driver} goes on: {reason}; or send its process SIGTERM")
            }
            Is::NotEnded => format!(
                "{driver} has read the request and not ended within {time}: either it takes long, or its setting {VALIDATOR} does \
                 not allow it ('allow' would); or send its process SIGTERM"
            ),
            Is::NotRead => format!(
                "{driver} has not read the request within {time}: is it stopped, very busy or gone? It may still end when it goes on"
            ),
        }
    }
}

/// How often the driver has logged a refusal, and the text of the last one.
fn refusals(driver: &Driver) -> (i64, Option<String>) {
    let (mut times, mut last) = (0, None::<(EpochMillis, String)>);
    // Damage in the log hides later entries. The command then waits for the driver to end, as with a driver that logs
    // nothing.
    let _ = driver.error_log().for_each(EpochMillis::new(0), |error| {
        if error.text.contains("TERMINATE_DRIVER: refused") && error.text.contains(VALIDATOR) {
            // An entry that is still being written counts as one.
            times += i64::from(error.count.max(1));
            if last.as_ref().is_none_or(|(at, _)| *at <= error.last) {
                let words = error.text.split_once("TERMINATE_DRIVER: ").map_or(error.text.as_str(), |(_, words)| words);
                last = Some((error.last, words.to_owned()));
            }
        }
    });
    (times, last.map(|(_, words)| words))
}
