//! `gannet journal ls`: lists the recordings of a directory.

use std::path::PathBuf;

use gannet::journal::storage::Directory;
use gannet::journal::{Catalog, RecordingState};
use gannet::memory::FileAccess;
use serde::Serialize;

use super::{Source, disk_usage};
use crate::cli::{Outcome, Output, Unsuccessful, with_separators};
use crate::commands::recorded::existing;

/// List the recordings of a journal or an archive
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The journal's directory, or an archive's
    #[arg(long, visible_alias = "journal", value_name = "DIR")]
    dir: PathBuf,
    /// Print one JSON object per recording: recording_id, state, start_position, stop_position, recorded_position, segments,
    /// disk_bytes, stream_id, session_id, channel, start_ms, stop_ms
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    recording_id: i64,
    state: String,
    start_position: i64,
    /// Null while the recording goes on.
    stop_position: Option<i64>,
    /// The position up to which its writers have recorded it.
    recorded_position: Option<i64>,
    segments: usize,
    disk_bytes: u64,
    stream_id: i32,
    session_id: i32,
    channel: String,
    start_ms: i64,
    stop_ms: Option<i64>,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut Output) -> Outcome {
    existing(&args.dir)?;
    let catalog = Catalog::open(&Directory::at(&args.dir), FileAccess::ReadOnly)?;
    let mut failed = false;
    if !args.json {
        out.line(format_args!(
            "{:>4} {:<8} {:>16} {:>16} {:>16} {:>8} {:>8} {:>15}  channel",
            "id", "state", "start", "stop", "recorded", "segments", "stream", "disk bytes"
        ))?;
    }
    for entry in catalog.entries() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                crate::cli::tell(format_args!("{error}"));
                failed = true;
                continue;
            }
        };
        let descriptor = &entry.descriptor;
        let source = Source { dir: args.dir.clone(), recording: Some(descriptor.recording_id.get()) };
        let recording = if entry.state == RecordingState::Valid { Some(source.open()?) } else { None };
        let line = Line {
            recording_id: descriptor.recording_id.get(),
            state: match entry.state {
                RecordingState::Valid => "valid".to_owned(),
                RecordingState::Invalid => "invalid".to_owned(),
                RecordingState::Deleted => "deleted".to_owned(),
                RecordingState::Unknown(number) => number.to_string(),
            },
            start_position: descriptor.start_position.get(),
            stop_position: descriptor.stop_position.map(|stop| stop.get()),
            recorded_position: recording.as_ref().and_then(|recording| recording.recorded_hint()).map(|at| at.get()),
            segments: recording.as_ref().map_or(Ok(0), |recording| recording.segments().map(|found| found.len()))?,
            disk_bytes: disk_usage(&source, descriptor.recording_id)?,
            stream_id: descriptor.stream_id.get(),
            session_id: descriptor.session_id.get(),
            channel: descriptor.original_channel.clone(),
            start_ms: descriptor.start_timestamp.get(),
            stop_ms: descriptor.stop_timestamp.map(|time| time.get()),
        };
        if args.json {
            out.json(&line)?;
            continue;
        }
        let position = |position: Option<i64>| position.map_or_else(|| "-".to_owned(), with_separators);
        out.foreign_line(format_args!(
            "{:>4} {:<8} {:>16} {:>16} {:>16} {:>8} {:>8} {:>15}  {}",
            line.recording_id,
            line.state,
            with_separators(line.start_position),
            position(line.stop_position),
            position(line.recorded_position),
            line.segments,
            line.stream_id,
            with_separators(line.disk_bytes),
            line.channel
        ))?;
    }
    if failed { Err(Unsuccessful.into()) } else { Ok(()) }
}
