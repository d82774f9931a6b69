//! `gannet journal reindex`: rebuilds the sidecars of a recording from its segments.

use gannet::journal::reindex;
use serde::Serialize;

use super::Source;
use crate::cli::{Outcome, Output, Progress, Unsuccessful, counted, with_separators};
use crate::commands::recorded::existing;

/// Rebuild the index and the checksums of a recording from its segments
///
/// Refused while somebody has the journal open for writing, and after a loss of power until the journal was opened for
/// writing or repaired. The new checksums are those of the bytes that are there now, so run verify first. Exit code 1
/// if a segment is damaged.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Print one JSON object: segments, messages, end_position, damaged
    #[arg(long)]
    json: bool,
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
