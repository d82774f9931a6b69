//! `gannet errors`: the driver's distinct error log.

use gannet::reports::ErrorObservation;
use gannet::time::{Clock, EpochMillis, SystemClock};
use serde::Serialize;

use crate::cli::{DriverDir, Outcome, Output, times, utc};
use crate::inspect::Driver;

/// Show the distinct errors that a driver has logged
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    dir: DriverDir,
    /// Print one JSON object per error: count, first_ms, last_ms, text
    #[arg(long)]
    json: bool,
    /// Show only errors seen in this last span of time, such as 10m
    #[arg(long, value_name = "DURATION", value_parser = crate::cli::positive_duration)]
    since: Option<std::time::Duration>,
}

/// An error as a JSON line.
#[derive(Serialize)]
struct Line {
    /// How often it was observed.
    count: i32,
    /// When it was first observed, in milliseconds since 1970.
    first_ms: i64,
    /// When it was last observed, in milliseconds since 1970.
    last_ms: i64,
    /// The text of the error.
    text: String,
}

impl From<&ErrorObservation> for Line {
    fn from(error: &ErrorObservation) -> Self {
        Self { count: error.count, first_ms: error.first.get(), last_ms: error.last.get(), text: error.text.clone() }
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    let driver = Driver::open(&args.dir.path())?;
    let since = args.since.map_or(EpochMillis::new(0), |since| {
        let since_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        SystemClock.epoch().saturating_add_ms(-since_ms)
    });
    let mut lines = Vec::new();
    let end = driver.error_log().for_each(since, |error| lines.push(Line::from(error)));
    if args.json {
        for line in &lines {
            out.json(line)?;
        }
    } else {
        out.foreign_line(driver.identify())?;
        if lines.is_empty() {
            out.line("no errors")?;
        }
        for line in &lines {
            out.foreign_lines(&show(line))?;
        }
    }
    // What could be read is shown; an error in the rest of the log still fails the command.
    end?;
    Ok(())
}

fn show(line: &Line) -> String {
    let times = times(line.count);
    let span = if line.count == 1 {
        format!("at {}", utc(line.first_ms))
    } else {
        format!("from {} to {}", utc(line.first_ms), utc(line.last_ms))
    };
    // Further lines of a long text are indented, to set them apart from the next error.
    format!("{times}, {span}: {}", line.text.trim_end().replace('\n', "\n    "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_how_often_and_when() {
        let line = Line { count: 1, first_ms: 0, last_ms: 0, text: "(11) bad\n  cause\n".to_owned() };
        assert_eq!(show(&line), "once, at 1970-01-01T00:00:00.000Z: (11) bad\n      cause");
        let line = Line { count: 2, first_ms: 0, last_ms: 1_500, text: "x".to_owned() };
        assert_eq!(show(&line), "2 times, from 1970-01-01T00:00:00.000Z to 1970-01-01T00:00:01.500Z: x");
        assert_eq!(utc(i64::MAX), "9223372036854775807 ms since 1970");
    }
}
