//! `gannet record`: records what a subscription receives into a directory, in the format of an Aeron archive.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use gannet::Client;
use gannet::agent::{Backoff, IdleStrategy};
use gannet::journal::{RecordedStream, Recorder, RecorderOptions, StopReason, SyncPolicy};
use gannet::types::RecordingId;
use serde::Serialize;

use crate::cli::{
    Connection, DriverDir, DriverPatience, Outcome, Output, Progress, Stop, Stream, counted, positive_count,
    positive_duration, power_of_two, recording_id,
};

/// Record a stream into a directory
///
/// Each publication of the stream becomes a recording of its own, until the command is stopped or has recorded what it
/// was asked for. The files are those of an Aeron archive. `gannet journal` reads them, also while they are written.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    stream: Stream,
    /// The directory to record into; made if it does not exist
    #[arg(long, value_name = "DIR")]
    journal: PathBuf,
    #[command(flatten)]
    dir: DriverDir,
    #[command(flatten)]
    patience: DriverPatience,
    /// Stop as soon as this many messages are recorded
    #[arg(long, value_name = "MESSAGES", value_parser = positive_count)]
    count: Option<u64>,
    /// Stop after this long; the exit code is 1 if --count asked for more
    #[arg(long = "for", value_name = "DURATION", value_parser = positive_duration)]
    duration: Option<Duration>,
    /// Stop when every publication of the stream has ended
    #[arg(long)]
    until_end: bool,
    /// Continue this recording with the first publication of the stream, which must start where the recording ends
    #[arg(long, value_name = "ID", value_parser = recording_id)]
    extend: Option<i64>,
    /// The length of a segment's file in bytes: a power of two, at least a term's
    #[arg(long, value_name = "BYTES", default_value = "64m", value_parser = power_of_two::<i64>)]
    segment_length: i64,
    /// When to put what is recorded on stable storage: 'none' for never, 'every' for after every block, or an interval
    /// such as 10ms
    #[arg(long, value_name = "WHEN", default_value = "none", value_parser = sync_policy)]
    sync: SyncPolicy,
    /// Print one JSON object per recording at the end: recording_id, session_id, stream_id, source, start_position, stop_position,
    /// reason
    #[arg(long)]
    json: bool,
}

/// A recording, as a JSON line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    recording_id: Option<i64>,
    session_id: i32,
    stream_id: i32,
    source: &'a str,
    start_position: i64,
    stop_position: i64,
    reason: String,
}

fn sync_policy(text: &str) -> Result<SyncPolicy, String> {
    match text {
        "none" => Ok(SyncPolicy::None),
        "every" => Ok(SyncPolicy::EveryAppend),
        _ => positive_duration(text).map(SyncPolicy::Every).map_err(|error| format!("{error}, 'none' or 'every'")),
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    args.stream.check()?;
    let stop = Stop::listen()?;
    let (channel, stream_id) = (args.stream.channel.clone(), args.stream.stream);
    let add = move |client: &Client| Ok(client.add_subscription(&channel, stream_id)?);
    let opened = Connection::open(&args.dir.path(), &args.patience, "gannet record", &stop, add);
    let Some((connection, subscription)) = opened.context("cannot subscribe")? else { return Ok(()) };
    let mut options = RecorderOptions::new().segment_length(args.segment_length).sync(args.sync);
    if let Some(recording_id) = args.extend {
        options = options.extend(RecordingId::new(recording_id));
    }
    let mut recorder = Recorder::new(&args.journal, subscription, options)?;
    let recorded = record(args, &connection, &mut recorder, &stop);
    let messages = recorder.messages();
    let streams = recorder.close();
    let mut failed = 0;
    for stream in &streams {
        failed += u64::from(show(stream, args.json, out)?);
    }
    // What was recorded until then is told, too.
    recorded?;
    if failed > 0 {
        bail!("{failed} of {} could not be recorded to the end", counted(streams.len(), "stream"));
    }
    match args.count {
        Some(count) if messages < count && !stop.is_wanted() => {
            bail!("only {messages} of {} recorded", counted(count, "message"))
        }
        _ => {}
    }
    if streams.is_empty() {
        crate::cli::tell("nothing was recorded: the stream had no publication");
    }
    Ok(())
}

/// Records until the requested amount is reached, or can no longer be reached.
fn record(args: &Args, connection: &Connection, recorder: &mut Recorder, stop: &Stop) -> Outcome {
    let status = recorder.status();
    let start = Instant::now();
    let mut idle = IdleStrategy::Backoff(Backoff::default());
    let mut progress = Progress::new("recorded");
    let mut shown = start;
    loop {
        let work = recorder.do_work();
        if args.count.is_some_and(|count| recorder.messages() >= count) || stop.is_wanted() {
            return Ok(());
        }
        if args.duration.is_some_and(|duration| start.elapsed() >= duration) {
            return Ok(());
        }
        if work == 0 {
            let streams = status.streams();
            let has_ended = !streams.is_empty() && streams.iter().all(|stream| stream.stopped.is_some());
            // A stream none of whose publications is being recorded any more counts as over.
            let is_over = has_ended
                && (streams.iter().all(has_failed) || args.until_end && recorder.subscription().image_count() == 0);
            let lost = if is_over { connection.loss_behind_an_end() } else { connection.lost() };
            if let Some(lost) = lost {
                bail!("{lost}; recorded until then: {}", counted(recorder.messages(), "message"));
            }
            if is_over {
                return Ok(());
            }
        }
        if shown.elapsed() > Duration::from_millis(200) {
            shown = Instant::now();
            if let Some(stream) = status.streams().last() {
                progress.at(stream.recorded());
            }
            if let Some(trouble) = recorder.trouble() {
                crate::cli::tell(format_args!("warning: {trouble}"));
            }
        }
        idle.idle(work);
    }
}

fn has_failed(stream: &RecordedStream) -> bool {
    matches!(stream.stopped, Some((_, StopReason::Failed(_))))
}

/// Prints a recording. Returns whether it failed.
fn show(stream: &RecordedStream, json: bool, out: &mut Output) -> anyhow::Result<bool> {
    let reason = match &stream.stopped {
        Some((_, StopReason::EndOfStream)) => "end of stream".to_owned(),
        Some((_, StopReason::ImageGone)) => "the publisher is gone".to_owned(),
        Some((_, StopReason::Failed(reason))) => reason.clone(),
        _ => "asked".to_owned(),
    };
    let line = Line {
        recording_id: stream.recording_id.map(RecordingId::get),
        session_id: stream.session_id.get(),
        stream_id: stream.stream_id.get(),
        source: &stream.source_identity,
        start_position: stream.start_position.get(),
        stop_position: stream.recorded().get(),
        reason,
    };
    if json {
        out.json(&line)?;
    } else {
        let id = line.recording_id.map_or_else(|| "nothing".to_owned(), |id| format!("recording {id}"));
        out.foreign_line(format_args!(
            "{id}: session {} of {} from {} to {}, {}",
            line.session_id, line.source, line.start_position, line.stop_position, line.reason
        ))?;
    }
    Ok(has_failed(stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syncs_are_none_every_or_so_often() {
        assert_eq!(sync_policy("none"), Ok(SyncPolicy::None));
        assert_eq!(sync_policy("every"), Ok(SyncPolicy::EveryAppend));
        assert_eq!(sync_policy("5ms"), Ok(SyncPolicy::Every(Duration::from_millis(5))));
        assert!(sync_policy("often").is_err() && sync_policy("0").is_err());
    }
}
