//! `gannet journal verify`: reads a recording and compares it with its checksums, and its index with it.

use gannet::journal::JournalError;
use serde::Serialize;

use super::Source;
use super::reading::Place;
use crate::cli::{Outcome, Output, Progress, Unsuccessful, counted, with_separators};

/// Read a whole recording and compare it with its checksums
///
/// Changes nothing. Exit code 1 if anything is damaged, or was lost with the power.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Print one JSON object: messages, payload_bytes, end_position, checked_position, damaged, skipped_bytes, damages (a list:
    /// file, position, offset, fault), lost (null, or the same)
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    messages: u64,
    payload_bytes: u64,
    end_position: i64,
    /// The position up to which there were checksums to compare with.
    checked_position: i64,
    damaged: u64,
    skipped_bytes: u64,
    damages: Vec<Place>,
    /// Where the recording ends because the rest was lost with the power; null if nothing was.
    lost: Option<Place>,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut Output) -> Outcome {
    let recording = args.source.open()?;
    let mut progress = Progress::new("verified");
    let found = recording.verify(|position| progress.at(position))?;
    drop(progress);
    let line = Line {
        messages: found.messages,
        payload_bytes: found.payload_bytes,
        end_position: found.end.get(),
        checked_position: found.checked.get(),
        damaged: found.damaged,
        skipped_bytes: found.skipped_bytes,
        damages: found.damages.iter().map(Place::of).collect(),
        lost: found.lost.as_ref().map(Place::of),
    };
    if args.json {
        out.json(&line)?;
    } else {
        for damage in &found.damages {
            out.line(damage)?;
        }
        if let Some(lost) = &found.lost {
            let recording_id = recording.descriptor().recording_id;
            out.line(JournalError::NotDurable { recording_id, lost: lost.clone() })?;
        }
        out.line(format_args!(
            "{}, {}, up to position {}; compared with checksums up to {}; {} damaged",
            counted(found.messages, "message"),
            counted(found.payload_bytes, "byte"),
            with_separators(line.end_position),
            with_separators(line.checked_position),
            counted(found.damaged, "place")
        ))?;
    }
    if found.is_whole() { Ok(()) } else { Err(Unsuccessful.into()) }
}
