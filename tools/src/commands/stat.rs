//! `gannet stat`: shows every counter of a driver.

use super::watch::Watch;
use crate::cli::{DriverDir, Outcome, Output, Unsuccessful, counter_type, session_id, stream_id, with_separators};
use crate::inspect::{CounterLine, Driver};

/// Show a driver's counters, once or repeatedly
///
/// With --json, prints one object per counter, each on its line: id, type_id, label, value, and what the counter's key
/// has of registration_id, session_id, stream_id, channel, client_id, address and channel_status_id (the counter with the
/// status of the address's channel). For status counters, status says what the value means.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    dir: DriverDir,
    /// Print one JSON object per counter
    #[arg(long)]
    json: bool,
    /// Show only which driver this is, without counters, and fail unless it is alive. With --json, prints one object:
    /// dir, state (starting, alive, ahead, silent or shut_down), pid, heartbeat_age_ms, started_ms, cnc_version, and, if the
    /// driver publishes them, version, commit, profile and transport
    #[arg(long, conflicts_with_all = ["watch", "types", "stream", "session", "label"])]
    check: bool,
    #[command(flatten)]
    watch: Watch,
    /// Show only counters of these types
    #[arg(long = "type", value_name = "ID", value_delimiter = ',', allow_negative_numbers = true, value_parser = counter_type)]
    types: Vec<i32>,
    /// Show only counters of this stream
    #[arg(long, value_name = "ID", allow_negative_numbers = true, value_parser = stream_id)]
    stream: Option<i32>,
    /// Show only counters of this session
    #[arg(long, value_name = "ID", allow_negative_numbers = true, value_parser = session_id)]
    session: Option<i32>,
    /// Show only counters whose label contains this text
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
}

impl Args {
    fn wants(&self, line: &CounterLine) -> bool {
        (self.types.is_empty() || self.types.contains(&line.type_id))
            && self.stream.is_none_or(|stream| line.stream_id == Some(stream))
            && self.session.is_none_or(|session| line.session_id == Some(session))
            && self.label.as_ref().is_none_or(|text| line.label.contains(text))
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    if args.check {
        return check(args, out);
    }
    args.watch.show(&args.dir.path(), out, |driver, out| show(args, driver, out))
}

fn check(args: &Args, out: &mut Output) -> Outcome {
    let driver = Driver::open(&args.dir.path())?.identify_for_sure();
    if args.json {
        out.json(&driver)?;
    } else {
        out.foreign_line(&driver)?;
    }
    if driver.is_alive() { Ok(()) } else { Err(Unsuccessful.into()) }
}

fn show(args: &Args, driver: &Driver, out: &mut Output) -> Outcome {
    let counters = driver.counters();
    let lines = counters.iter().map(CounterLine::new).filter(|line| args.wants(line));
    if args.json {
        for line in lines {
            out.json(&line)?;
        }
        return Ok(());
    }
    out.foreign_line(driver.identify())?;
    out.line(format_args!("{:>5} {:>5} {:>26}  label", "id", "type", "value"))?;
    for line in lines {
        out.foreign_line(format_args!(
            "{:>5} {:>5} {:>26}  {}",
            line.id,
            line.type_id,
            line.status.unwrap_or_else(|| with_separators(line.value)),
            line.label
        ))?;
    }
    Ok(())
}
