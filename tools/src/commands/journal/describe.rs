//! `gannet journal describe`: shows everything about a recording that is known without reading its messages.

use gannet::time::EpochNanos;
use serde::Serialize;

use super::{Source, disk_usage};
use crate::cli::{Outcome, Output, counted, show_moment, with_separators};

/// Describe a recording: its parameters, its positions, its segments and its cursors
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Print one JSON object: recording_id, start_ms, stop_ms, start_position, stop_position, recorded_position, durable_position,
    /// indexed_position, initial_term_id, term_length, segment_length, mtu, session_id, stream_id, stamps, channel, source_identity,
    /// disk_bytes, retention (max_age_ns, max_bytes, min_free_bytes), held_by (null, or cursor, position, segments), pruned
    /// (segments, disk_bytes, last_ms), roll_period_s, and lists: cycles (number, start_ms, position, segments), segments
    /// (file, position, indexed_position, crc32c), cursors (name, position, behind, moved_ms)
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Description {
    recording_id: i64,
    start_ms: i64,
    stop_ms: Option<i64>,
    start_position: i64,
    stop_position: Option<i64>,
    recorded_position: Option<i64>,
    durable_position: Option<i64>,
    indexed_position: Option<i64>,
    initial_term_id: i32,
    term_length: i32,
    segment_length: i32,
    mtu: i32,
    session_id: i32,
    stream_id: i32,
    stamps: String,
    channel: String,
    source_identity: String,
    disk_bytes: u64,
    retention: Kept,
    /// The cursor that prevents segments from being pruned.
    held_by: Option<Held>,
    pruned: Gone,
    roll_period_s: Option<u64>,
    cycles: Vec<Cycle>,
    segments: Vec<Segment>,
    cursors: Vec<CursorLine>,
}

/// What the helper threads of the journal keep; null for no limit.
#[derive(Serialize)]
struct Kept {
    max_age_ns: Option<u64>,
    max_bytes: Option<u64>,
    min_free_bytes: Option<u64>,
}

/// A cursor, and how many segments it and other cursors keep from being pruned.
#[derive(Serialize)]
struct Held {
    cursor: String,
    position: i64,
    segments: usize,
}

/// A cycle that has messages, in a recording that rolls by time.
#[derive(Serialize)]
struct Cycle {
    number: i64,
    start_ms: i64,
    position: i64,
    segments: usize,
}

/// What has been pruned so far.
#[derive(Serialize)]
struct Gone {
    segments: u64,
    disk_bytes: u64,
    last_ms: Option<i64>,
}

#[derive(Serialize)]
struct Segment {
    file: String,
    position: i64,
    /// The position up to which the sidecar is complete; null without a sidecar.
    indexed_position: Option<i64>,
    /// The CRC-32C of the whole file, once the segment is full.
    crc32c: Option<String>,
}

#[derive(Serialize)]
struct CursorLine {
    name: String,
    position: i64,
    /// Bytes from the cursor to the recorded end.
    behind: Option<i64>,
    moved_ms: i64,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut Output) -> Outcome {
    let recording = args.source.open()?;
    let descriptor = recording.descriptor();
    let (retention, totals) = (recording.retention()?, recording.prune_totals()?);
    let recorded = recording.recorded_hint().map(|position| position.get());
    let description = Description {
        recording_id: descriptor.recording_id.get(),
        start_ms: descriptor.start_timestamp.get(),
        stop_ms: descriptor.stop_timestamp.map(|time| time.get()),
        start_position: recording.start_position().get(),
        stop_position: recording.stop_position().map(|position| position.get()),
        recorded_position: recorded,
        durable_position: recording.durable().map(|position| position.get()),
        indexed_position: recording.indexed().map(|position| position.get()),
        initial_term_id: descriptor.initial_term_id.get(),
        term_length: descriptor.term_length.get(),
        segment_length: descriptor.segment_length.get(),
        mtu: descriptor.mtu.get(),
        session_id: descriptor.session_id.get(),
        stream_id: descriptor.stream_id.get(),
        stamps: format!("{:?}", recording.stamps()).to_lowercase(),
        channel: descriptor.original_channel.clone(),
        source_identity: descriptor.source_identity.clone(),
        disk_bytes: disk_usage(&args.source, descriptor.recording_id)?,
        retention: Kept {
            max_age_ns: retention.age().map(|age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)),
            max_bytes: retention.bytes(),
            min_free_bytes: retention.free_bytes(),
        },
        held_by: recording.held_back()?.map(|held| Held {
            cursor: held.cursor,
            position: held.position.get(),
            segments: held.segments,
        }),
        pruned: Gone {
            segments: totals.segments,
            disk_bytes: totals.bytes,
            last_ms: totals.last.map(|time| time.get()),
        },
        roll_period_s: recording.roll_cycle()?.map(|roll| roll.period().as_secs()),
        cycles: recording
            .cycles()?
            .into_iter()
            .map(|cycle| Cycle {
                number: cycle.number,
                start_ms: cycle.start.get() / 1_000_000,
                position: cycle.position.get(),
                segments: cycle.segments,
            })
            .collect(),
        segments: recording
            .segments()?
            .into_iter()
            .map(|segment| Segment {
                file: segment.name,
                position: segment.base.get(),
                indexed_position: segment.indexed.map(|position| position.get()),
                crc32c: segment.checksum.map(|checksum| format!("{checksum:08x}")),
            })
            .collect(),
        cursors: recording
            .cursors()?
            .into_iter()
            .map(|cursor| CursorLine {
                name: cursor.name,
                position: cursor.position.get(),
                behind: recorded.map(|recorded| recorded.saturating_sub(cursor.position.get())),
                moved_ms: cursor.moved.get(),
            })
            .collect(),
    };
    if args.json { out.json(&description) } else { show(&description, out) }
}

fn show(description: &Description, out: &mut Output) -> Outcome {
    let time = |ms: i64| show_moment(EpochNanos::new(ms.saturating_mul(1_000_000)));
    let position = |position: Option<i64>| position.map_or_else(|| "-".to_owned(), with_separators);
    let rows = [
        ("recording", description.recording_id.to_string()),
        ("channel", description.channel.clone()),
        ("source", description.source_identity.clone()),
        ("stream, session", format!("{}, {}", description.stream_id, description.session_id)),
        ("started", time(description.start_ms)),
        ("stopped", description.stop_ms.map_or_else(|| "-".to_owned(), time)),
        ("start position", with_separators(description.start_position)),
        ("stop position", position(description.stop_position)),
        ("recorded up to", position(description.recorded_position)),
        ("durable up to", position(description.durable_position)),
        ("indexed up to", position(description.indexed_position)),
        ("initial term id", description.initial_term_id.to_string()),
        ("term length", with_separators(description.term_length)),
        ("segment length", with_separators(description.segment_length)),
        ("longest frame", with_separators(description.mtu)),
        ("stamps", description.stamps.clone()),
        ("bytes on disk", with_separators(description.disk_bytes)),
    ];
    for (name, value) in rows {
        out.foreign_line(format_args!("{name:<16} {value}"))?;
    }
    let Kept { max_age_ns, max_bytes, min_free_bytes } = description.retention;
    let limits = [
        max_age_ns.map(|age| format!("{:?} at most", std::time::Duration::from_nanos(age))),
        max_bytes.map(|bytes| format!("{} at most", counted(bytes, "byte"))),
        min_free_bytes.map(|bytes| format!("{} free at least", counted(bytes, "byte"))),
    ];
    let limits: Vec<String> = limits.into_iter().flatten().collect();
    if !limits.is_empty() {
        out.line(format_args!("{:<16} {}", "kept", limits.join(", ")))?;
    }
    if let Some(Held { cursor, position, segments }) = &description.held_by {
        let position = with_separators(*position);
        out.line(format_args!(
            "{:<16} {}, by the cursor {cursor:?} at {position}",
            "held back",
            counted(*segments, "more segment")
        ))?;
    }
    if description.pruned.segments > 0 {
        let Gone { segments, disk_bytes, last_ms } = description.pruned;
        let last = last_ms.map_or_else(|| "-".to_owned(), time);
        out.line(format_args!(
            "{:<16} {}, {}, last {last}",
            "pruned",
            counted(segments, "segment"),
            counted(disk_bytes, "byte")
        ))?;
    }
    if let Some(period) = description.roll_period_s {
        out.line(format_args!("{:<16} every {:?}", "rolls", std::time::Duration::from_secs(period)))?;
    }
    for cycle in &description.cycles {
        out.line(format_args!(
            "cycle            {} from {}  at {}, {}",
            cycle.number,
            time(cycle.start_ms),
            with_separators(cycle.position),
            counted(cycle.segments, "segment")
        ))?;
    }
    for segment in &description.segments {
        let checksum = segment.crc32c.as_deref().unwrap_or("-");
        out.line(format_args!(
            "segment          {}  indexed up to {}  crc32c {checksum}",
            segment.file,
            position(segment.indexed_position)
        ))?;
    }
    for cursor in &description.cursors {
        out.line(format_args!(
            "cursor           {:?} at {}  {}, moved {}",
            cursor.name,
            with_separators(cursor.position),
            cursor.behind.map_or_else(|| "-".to_owned(), |behind| counted(behind, "byte") + " behind"),
            time(cursor.moved_ms)
        ))?;
    }
    Ok(())
}
