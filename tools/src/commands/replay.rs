//! `gannet replay`: publishes a range of a recording again, at a chosen speed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use gannet::agent::{Backoff, IdleStrategy};
use gannet::journal::{ReplayEnd, ReplayError, ReplayOptions, ReplayState, Replayer, Speed, Start};
use serde::Serialize;

use super::checking::{Checking, advise};
use super::recorded::{open, place};
use crate::cli::{
    Connection, DriverDir, DriverPatience, Outcome, Output, Progress, Stop, Stream, Usage, counted, duration,
    recording_id,
};

/// Publish a range of a recording again
///
/// First waits for a subscriber. The frames are those of the recording, at the same positions; session id and stream id
/// are those of the new publication. A stream has no gaps: the replay ends before the first frame that does not match
/// its checksum, or is damaged in another way, and the exit code is then 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The journal's directory, or an archive's
    #[arg(long, value_name = "DIR")]
    journal: PathBuf,
    /// The recording [default: the last one]
    #[arg(long, value_name = "ID", value_parser = recording_id)]
    recording: Option<i64>,
    #[command(flatten)]
    stream: Stream,
    #[command(flatten)]
    dir: DriverDir,
    #[command(flatten)]
    patience: DriverPatience,
    /// Where to begin: start, end, a position, seq:NUMBER, cycle:NUMBER, time:NANOS, or a time such as
    /// 2026-01-31T08:30:00Z
    #[arg(long, value_name = "PLACE", default_value = "start", value_parser = place)]
    from: Start,
    /// Where to end, in the same form; a message that begins there is not replayed [default: where the recording ends
    /// now]
    #[arg(long, value_name = "PLACE", value_parser = place, conflicts_with = "follow")]
    to: Option<Start>,
    /// Follow a recording that is still growing, until the recording stops
    #[arg(long)]
    follow: bool,
    /// How fast: 'full' speed, the 'recorded' pace, or a multiple of it, such as 2x
    #[arg(long, value_name = "SPEED", default_value = "full", value_parser = speed)]
    speed: Speed,
    #[command(flatten)]
    checking: Checking,
    /// How long to wait for a subscriber
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    wait: Duration,
    /// Print one JSON object at the end: recording_id, session_id, from_position, position, bytes, seconds
    #[arg(long)]
    json: bool,
}

/// The result, as JSON.
#[derive(Debug, Serialize)]
struct Summary {
    recording_id: i64,
    session_id: Option<i32>,
    from_position: i64,
    /// The position up to which it was published.
    position: i64,
    /// The bytes published, headers and padding included.
    bytes: i64,
    seconds: f64,
}

impl Summary {
    /// The summary of a replay that was stopped before it had a driver.
    fn of_nothing(recording_id: i64, position: i64) -> Self {
        Self { recording_id, session_id: None, from_position: position, position, bytes: 0, seconds: 0.0 }
    }
}

fn speed(text: &str) -> Result<Speed, String> {
    match text {
        "full" => Ok(Speed::Full),
        "recorded" => Ok(Speed::RECORDED),
        _ => match text.strip_suffix('x').and_then(|scale| scale.parse::<f64>().ok()) {
            Some(scale) if scale.is_finite() && scale > 0.0 => Ok(Speed::Scaled(scale)),
            _ => Err("expected 'full', 'recorded', or a factor such as 2x or 0.5x".to_owned()),
        },
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    args.stream.check()?;
    if args.to == Some(Start::Begin) {
        bail!(Usage("--to start leaves nothing to replay".to_owned()));
    }
    let stop = Stop::listen()?;
    // Opened before the command connects to a driver, and so is the place to start from.
    let recording = open(&args.journal, args.recording)?;
    let from = recording.tailer(args.from)?.position().get();
    let recording_id = recording.descriptor().recording_id.get();
    let end = match args.to {
        Some(Start::End) => ReplayEnd::Recorded,
        Some(place) => ReplayEnd::Before(place),
        None if args.follow => ReplayEnd::Follow,
        None => ReplayEnd::Recorded,
    };
    let opened = Connection::open(&args.dir.path(), &args.patience, "gannet replay", &stop, |_| Ok(()));
    let Some((connection, ())) = opened.context("cannot publish")? else {
        return report(args, out, &Summary::of_nothing(recording_id, from));
    };
    let options = ReplayOptions::new().from(args.from).end(end).speed(args.speed).verify(args.checking.is_wanted());
    let mut replayer =
        Replayer::new(connection.client(), recording, &args.stream.channel, args.stream.stream, options)?;
    let from = replayer.position().get();
    let began = replay(args, &connection, &mut replayer, &stop)?;
    let summary = Summary {
        recording_id,
        session_id: replayer.session_id().map(gannet::types::SessionId::get),
        from_position: from,
        position: replayer.position().get(),
        bytes: replayer.position().get() - from,
        seconds: began.map_or(0.0, |began| began.elapsed().as_secs_f64()),
    };
    report(args, out, &summary)
}

/// Tells what was replayed.
fn report(args: &Args, out: &mut Output, summary: &Summary) -> Outcome {
    if args.json {
        out.json(summary)
    } else {
        let Summary { recording_id, from_position, position, bytes, seconds, .. } = summary;
        out.line(format_args!(
            "replayed recording {recording_id} from {from_position} to {position}: {} in {seconds:.2} s",
            counted(*bytes, "byte")
        ))
    }
}

/// Replays to the end. Returns when the replay began.
fn replay(
    args: &Args,
    connection: &Connection,
    replayer: &mut Replayer,
    stop: &Stop,
) -> anyhow::Result<Option<Instant>> {
    let start = Instant::now();
    let mut began = None;
    let mut idle = IdleStrategy::Backoff(Backoff::new(100, 1_000, 1_000, 100_000));
    let mut progress = Progress::new("replayed");
    let mut shown = start;
    while !stop.is_wanted() {
        let work = replayer.do_work().map_err(|error| {
            connection.explain(match error {
                ReplayError::Journal(error) => advise(error, replayer.recording()),
                error => error.into(),
            })
        })?;
        match replayer.state() {
            ReplayState::Done => break,
            ReplayState::Replaying => {
                began.get_or_insert_with(Instant::now);
            }
            _ if start.elapsed() >= args.wait => bail!(
                "nobody subscribes to {} stream {} after {:?}; {}",
                args.stream.channel,
                args.stream.stream,
                args.wait,
                args.dir.advise_on_nobody()
            ),
            _ => {}
        }
        if work == 0
            && let Some(lost) = connection.lost()
        {
            bail!("{lost}; replayed up to position {}", replayer.position());
        }
        if shown.elapsed() > Duration::from_millis(200) {
            shown = Instant::now();
            progress.at(replayer.position());
        }
        idle.idle(work);
    }
    Ok(began)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_words_or_factors() {
        assert_eq!(speed("full"), Ok(Speed::Full));
        assert_eq!(speed("recorded"), Ok(Speed::Scaled(1.0)));
        assert_eq!(speed("0.5x"), Ok(Speed::Scaled(0.5)));
        for text in ["", "fast", "2", "0x", "-1x", "NaNx", "infx"] {
            assert!(speed(text).is_err(), "{text}");
        }
    }
}
