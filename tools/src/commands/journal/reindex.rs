//! `gannet journal reindex`: rebuilds the sidecars of a recording from its segments.

use anyhow::bail;
use gannet::journal::{Fault, Recording, reindex};
use serde::Serialize;

use super::Source;
use crate::cli::{Outcome, Output, Progress, Unsuccessful, counted, with_separators};
use crate::commands::checking::Checking;
use crate::commands::recorded::existing;

/// Rebuild the index and the checksums of a recording from its segments
///
/// Refused while somebody has the journal open for writing, and after a loss of power until the journal was opened for
/// writing or repaired. The new checksums are those of the bytes that are there now, so it is also refused while a frame
/// does not match the checksum that it has. Exit code 1 if a segment is damaged.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Print one JSON object: segments, messages, end_position, damaged
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    checking: Checking,
}

#[derive(Serialize)]
struct Line {
    segments: u64,
    messages: u64,
    end_position: i64,
    damaged: usize,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut Output) -> Outcome {
    existing(&args.source.dir)?;
    if args.checking.is_wanted() {
        refuse_damage(&args.source.open()?)?;
    }
    let mut progress = Progress::new("indexed");
    let done = reindex(&args.source.dir, args.source.id(), |position| progress.at(position))?;
    drop(progress);
    for damage in &done.damages {
        crate::cli::tell(format_args!("{damage}"));
    }
    let line = Line {
        segments: done.segments,
        messages: done.messages,
        end_position: done.end.get(),
        damaged: done.damages.len(),
    };
    if args.json {
        out.json(&line)?;
    } else {
        out.line(format_args!(
            "{} in {}, up to position {}",
            counted(line.messages, "message"),
            counted(line.segments, "segment"),
            with_separators(line.end_position)
        ))?;
    }
    if done.damages.is_empty() { Ok(()) } else { Err(Unsuccessful.into()) }
}

/// Refuses a recording with frames that do not match their checksums. With new ones nobody would notice any more.
fn refuse_damage(recording: &Recording) -> Outcome {
    let mut progress = Progress::new("verified");
    let verified = recording.verify(|position| progress.at(position))?;
    drop(progress);
    let frames = || verified.damages.iter().filter(|damage| matches!(damage.fault, Fault::Checksum { .. }));
    for damage in frames() {
        crate::cli::tell(format_args!("{damage}"));
    }
    match frames().count() {
        0 => Ok(()),
        damaged => bail!(
            "new checksums would hide the damage in {}: `gannet journal repair` puts padding there, and --no-verify takes it as it is",
            counted(damaged, "place")
        ),
    }
}
