//! `gannet journal prune`: removes segments from the start of a recording.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use gannet::journal::storage::Directory;
use gannet::journal::{KeepReason, Prune, PruneReason, Retention, Start, prune};
use gannet::time::EpochNanos;
use gannet::types::Position;
use serde::Serialize;

use super::Source;
use crate::cli::{
    Outcome, Output, Progress, Usage, bytes, counted, moment, position, positive_duration, show_moment, with_separators,
};
use crate::commands::recorded::existing;

/// Remove segments from the start of a recording, by age, size, free space, position or time
///
/// Removes whole segments, the oldest first, until none of the given limits asks for more. The current segment stays,
/// and so does what a named cursor has not read yet. Safe while the journal is in use. Without limits, those of the
/// journal's own retention policy apply.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Remove segments whose newest message is older than this, such as 7d or 12h
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
    /// Remove segments while the recording takes up more than this many bytes, such as 500M or 10G
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    larger_than: Option<u64>,
    /// Remove segments while the file system has less than this many bytes free
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    free: Option<u64>,
    /// Remove segments that end at or before this position
    #[arg(long, value_name = "POSITION", value_parser = position)]
    before_position: Option<i64>,
    /// Remove segments whose messages are all from before this time: RFC 3339, or nanoseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = moment)]
    before_time: Option<EpochNanos>,
    /// Change nothing; say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Also remove what named cursors have not read yet
    #[arg(long)]
    force: bool,
    /// Print one JSON object: dry_run, start_position_before, start_position, disk_bytes, segments (a list: file, position,
    /// disk_bytes, newest_ns, reason), held_by (null, or cursor, position, segments), rest (null, or the first segment that
    /// is kept: file, position, newest_ns, reason)
    #[arg(long)]
    json: bool,
}

/// Parses an age: a duration that may also be in days and weeks. The unit is required: `7` could be meant as days, and
/// removed segments cannot be restored.
fn age(text: &str) -> Result<Duration, String> {
    const DAY: u64 = 24 * 3600;
    if text.parse::<f64>().is_ok() {
        return Err("expected an age with its unit, such as 7d or 12h".to_owned());
    }
    let days = [("d", DAY), ("w", 7 * DAY)].into_iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(seconds)
    });
    days.map_or_else(|| positive_duration(text), |seconds| positive_duration(&seconds.to_string()))
}

#[derive(Serialize)]
struct Line {
    dry_run: bool,
    start_position_before: i64,
    start_position: i64,
    disk_bytes: u64,
    segments: Vec<Segment>,
    /// The cursor that keeps further segments from being removed.
    held_by: Option<Held>,
    /// The first segment that is kept.
    rest: Option<Rest>,
}

#[derive(Serialize)]
struct Segment {
    file: String,
    position: i64,
    disk_bytes: u64,
    newest_ns: Option<i64>,
    reason: &'static str,
}

#[derive(Serialize)]
struct Rest {
    file: String,
    position: i64,
    newest_ns: Option<i64>,
    reason: &'static str,
}

#[derive(Serialize)]
struct Held {
    cursor: String,
    position: i64,
    segments: usize,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut Output) -> Outcome {
    let mut retention = Retention::new();
    if let Some(age) = args.older_than {
        retention = retention.max_age(age);
    }
    if let Some(bytes) = args.larger_than {
        retention = retention.max_bytes(bytes);
    }
    if let Some(bytes) = args.free {
        retention = retention.min_free_bytes(bytes);
    }
    existing(&args.source.dir)?;
    let is_before = args.before_position.is_some() || args.before_time.is_some();
    if retention.keeps_everything() && !is_before {
        retention = args.source.open()?.retention()?;
        if retention.keeps_everything() {
            let what = "the journal has no policy of its own: say --older-than, --larger-than, --free, \
                        --before-position or --before-time";
            return Err(Usage(what.to_owned()).into());
        }
    }
    let mut request = Prune::by(&retention);
    if let Some(position) = args.before_position.map(Position::new) {
        let end = args.source.open()?.tailer(Start::End)?.position();
        if position > end {
            bail!("the recording ends at {end}, in front of position {position}: for a time, say --before-time");
        }
        request = request.before_position(position);
    }
    if let Some(time) = args.before_time {
        request = request.before_time(time);
    }
    if args.force {
        request = request.force();
    }
    if args.dry_run {
        request = request.dry_run();
    }
    let mut progress = Progress::new("processed");
    let storage = Arc::new(Directory::at(&args.source.dir));
    let done = prune(storage, args.source.id(), &request, |position| progress.at(position))?;
    drop(progress);
    let line = Line {
        dry_run: args.dry_run,
        start_position_before: done.start_before.get(),
        start_position: done.start.get(),
        disk_bytes: done.bytes,
        segments: done
            .segments
            .into_iter()
            .map(|segment| Segment {
                file: segment.name,
                position: segment.base.get(),
                disk_bytes: segment.bytes,
                newest_ns: segment.newest.map(EpochNanos::get),
                reason: reason(segment.reason),
            })
            .collect(),
        held_by: done.held.map(|held| Held {
            cursor: held.cursor,
            position: held.position.get(),
            segments: held.segments,
        }),
        rest: done.rest.map(|rest| Rest {
            file: rest.name,
            position: rest.base.get(),
            newest_ns: rest.newest.map(EpochNanos::get),
            reason: kept(rest.reason),
        }),
    };
    if args.json { out.json(&line) } else { show(&line, out) }
}

fn reason(reason: PruneReason) -> &'static str {
    match reason {
        PruneReason::Unfinished => "unfinished",
        PruneReason::Position => "position",
        PruneReason::Time => "time",
        PruneReason::Age => "age",
        PruneReason::Size => "size",
        PruneReason::FreeSpace => "free space",
        _ => "other",
    }
}

fn kept(reason: KeepReason) -> &'static str {
    match reason {
        KeepReason::InUse => "in use",
        KeepReason::Limits => "within limits",
        KeepReason::Undated => "undated",
        KeepReason::Cursor => "cursor",
        KeepReason::AtMost => "enough",
        _ => "other",
    }
}

fn show(line: &Line, out: &mut Output) -> Outcome {
    let verb = if line.dry_run { "would remove" } else { "removed" };
    for segment in &line.segments {
        out.line(format_args!(
            "{verb} {}  {}, because of its {}",
            segment.file,
            counted(segment.disk_bytes, "byte"),
            segment.reason
        ))?;
    }
    out.line(format_args!(
        "{verb} {}, {}; the recording {} at {}",
        counted(line.segments.len(), "segment"),
        counted(line.disk_bytes, "byte"),
        if line.dry_run { "would begin" } else { "begins" },
        with_separators(line.start_position)
    ))?;
    if let Some(rest) = &line.rest {
        let newest =
            rest.newest_ns.map(|newest| format!(", with messages of {}", show_moment(EpochNanos::new(newest))));
        out.line(format_args!("kept from {} on: {}{}", rest.file, rest.reason, newest.unwrap_or_default()))?;
    }
    if let Some(held) = &line.held_by {
        out.line(format_args!(
            "the cursor {:?} at {} keeps {}; --force removes what it keeps all the same",
            held.cursor,
            with_separators(held.position),
            counted(held.segments, "more segment")
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_may_be_in_days() {
        let ages = ["7d", "2w", "12h", "90s"].map(|text| age(text).expect("an age").as_secs());
        assert_eq!(ages, [7 * 86_400, 14 * 86_400, 12 * 3600, 90]);
        for bad in ["0d", "d", "-1d", "99999999d", "soon", "90", "0.5", "0s"] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }
}
