//! `gannet journal repair`: recovers a journal that is not open anywhere, and quarantines damage.

use std::sync::Arc;

use gannet::journal::storage::Directory;
use gannet::journal::{LeftBy, repair};
use serde::Serialize;

use super::Source;
use super::reading::Place;
use crate::cli::{Outcome, Output, Progress, Unsuccessful, counted, with_separators};
use crate::commands::recorded::existing;

/// Repair a recording that nobody has open
///
/// Rebuilds a lost or damaged catalog, cuts off a torn end, completes what was left unfinished, and rebuilds missing or
/// damaged sidecar files. Damaged bytes are moved to a file of their own, and padding takes their place, so that the rest can
/// be read by anybody. Refused while the journal is in use. Exit code 0 if the recording is in order now; with
/// --dry-run, 1 if there is something to do.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Change nothing; say what would be done. Needs no permission to write; without it, cannot tell whether anybody has
    /// the journal open, and says so
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object: recording_id, dry_run, unlocked, was_whole, catalog (null, or fault, recordings, kept_in), left_by,
    /// end_position, cut (null, or file, position, offset, fault, bytes, kept_in), reindexed, and lists: padded (position,
    /// length), rewound (cursor, position), removed, quarantined (file, position, offset, fault, until_position, kept_in),
    /// sidecars (file, position, offset, fault)
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    recording_id: i64,
    dry_run: bool,
    /// Whether the journal could not be locked. It is then unknown whether a process has it open, and others may change
    /// it meanwhile.
    unlocked: bool,
    was_whole: bool,
    /// How the catalog was rebuilt, if it was.
    catalog: Option<MadeAgain>,
    left_by: &'static str,
    end_position: i64,
    /// Ranges left by appenders that died, which became padding.
    padded: Vec<Range>,
    cut: Option<Cut>,
    /// Cursors that were beyond the end, and were moved to it.
    rewound: Vec<Rewound>,
    removed: Vec<String>,
    quarantined: Vec<Quarantined>,
    /// What was wrong with index files. No message is lost with them.
    sidecars: Vec<Place>,
    /// Whether sidecars were rebuilt.
    reindexed: bool,
}

#[derive(Serialize)]
struct MadeAgain {
    fault: String,
    recordings: Vec<i64>,
    kept_in: Option<String>,
}

#[derive(Serialize)]
struct Range {
    position: i64,
    length: usize,
}

#[derive(Serialize)]
struct Cut {
    #[serde(flatten)]
    place: Place,
    bytes: u64,
    kept_in: Vec<String>,
}

#[derive(Serialize)]
struct Rewound {
    cursor: String,
    position: i64,
}

#[derive(Serialize)]
struct Quarantined {
    #[serde(flatten)]
    place: Place,
    until_position: i64,
    kept_in: Option<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut Output) -> Outcome {
    let mut progress = Progress::new("repaired");
    existing(&args.source.dir)?;
    let storage = Arc::new(Directory::at(&args.source.dir));
    let done = repair(storage, args.source.id(), args.dry_run, |position| progress.at(position))?;
    drop(progress);
    let line = Line {
        recording_id: done.recording_id.get(),
        dry_run: args.dry_run,
        unlocked: done.unlocked,
        was_whole: done.was_whole(),
        catalog: done.catalog.as_ref().map(|catalog| MadeAgain {
            fault: catalog.fault.clone(),
            recordings: catalog.recordings.iter().map(|id| id.get()).collect(),
            kept_in: catalog.kept_in.clone(),
        }),
        left_by: match done.left_by {
            LeftBy::Close => "close",
            LeftBy::Kill => "kill",
            LeftBy::PowerLoss => "power loss",
            LeftBy::Stranger => "stranger",
            _ => "other",
        },
        end_position: done.end.get(),
        padded: done.padded.iter().map(|&(position, length)| Range { position: position.get(), length }).collect(),
        cut: done.cut.as_ref().map(|cut| Cut {
            place: Place::of(&cut.damage),
            bytes: cut.bytes,
            kept_in: cut.kept_in.clone(),
        }),
        rewound: done
            .rewound
            .iter()
            .map(|found| Rewound { cursor: found.name.clone(), position: found.from.get() })
            .collect(),
        removed: done.removed.clone(),
        quarantined: done
            .quarantined
            .iter()
            .map(|found| Quarantined {
                place: Place::of(&found.damage),
                until_position: found.until.get(),
                kept_in: found.kept_in.clone(),
            })
            .collect(),
        sidecars: done.sidecars.iter().map(Place::of).collect(),
        reindexed: done.unindexed > 0,
    };
    if args.json {
        out.json(&line)?
    } else {
        show(&line, out)?
    }
    if args.dry_run && !line.was_whole { Err(Unsuccessful.into()) } else { Ok(()) }
}

fn show(line: &Line, out: &mut Output) -> Outcome {
    let would = if line.dry_run { "would be " } else { "" };
    if line.unlocked {
        out.line(
            "nothing may be written to this journal, so it cannot be told whether anybody has it open; if somebody has, what follows may \
             not be true any more, and a repair would be refused",
        )?;
    }
    if let Some(MadeAgain { fault, kept_in, .. }) = &line.catalog {
        let kept = kept_in.as_ref().map_or_else(String::new, |name| format!("; what was there is kept in {name}"));
        out.line(format_args!("{would}made again: the catalog: {fault}{kept}"))?;
    }
    for name in &line.removed {
        out.line(format_args!("{would}removed: {name}, which was left unfinished"))?;
    }
    for found in &line.quarantined {
        let Place { file, position, offset, fault } = &found.place;
        out.line(format_args!(
            "{would}put aside: {file} at position {position} (byte {offset}), up to {}: {fault}{}",
            found.until_position,
            found.kept_in.as_ref().map_or_else(String::new, |name| format!("; kept in {name}"))
        ))?;
    }
    for range in &line.padded {
        out.line(format_args!(
            "made padding: {} at {}, whose appender died",
            counted(range.length, "byte"),
            range.position
        ))?;
    }
    if let Some(cut) = &line.cut {
        let Place { file, position, fault, .. } = &cut.place;
        out.line(format_args!(
            "{would}cut off: {} at position {position} of {file}: {fault}; kept in {}",
            counted(cut.bytes, "byte"),
            if cut.kept_in.is_empty() { "files of their own".to_owned() } else { cut.kept_in.join(", ") }
        ))?;
    }
    for Rewound { cursor, position } in &line.rewound {
        out.line(format_args!(
            "taken back: the cursor {cursor:?}, which was at {position}, behind the end; its consumer goes on at the end"
        ))?;
    }
    for Place { file, offset, fault, .. } in &line.sidecars {
        out.line(format_args!("not as it was written: {file}, byte {offset}: {fault}"))?;
    }
    if line.reindexed {
        out.line(format_args!("{would}made again: index and checksums"))?;
    }
    let state = match (line.was_whole, line.dry_run) {
        (true, _) => "was in order",
        (false, true) => "needs repair",
        (false, false) => "is in order now",
    };
    let end = with_separators(line.end_position);
    out.line(format_args!(
        "recording {} {state}; it was left by {}, and ends at {end}",
        line.recording_id, line.left_by
    ))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn whether_anybody_has_it_open_is_said_not_to_be_known() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("told");
        for unlocked in [true, false] {
            let line = Line {
                recording_id: 0,
                dry_run: true,
                unlocked,
                was_whole: true,
                catalog: None,
                left_by: "kill",
                end_position: 0,
                padded: Vec::new(),
                cut: None,
                rewound: Vec::new(),
                removed: Vec::new(),
                quarantined: Vec::new(),
                sidecars: Vec::new(),
                reindexed: false,
            };
            let mut out = Output::to(File::create(&path).expect("a file"));
            show(&line, &mut out).expect("there is room");
            let told = std::fs::read_to_string(&path).expect("it is there");
            assert_eq!(told.contains("it cannot be told whether anybody has it open"), unlocked, "{told}");
        }
    }
}
