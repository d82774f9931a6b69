//! `gannet journal cursors`: lists, moves and removes the named cursors of a recording.

use gannet::journal::{CursorInfo, Start};
use serde::Serialize;

use super::Source;
use crate::cli::{Outcome, Output, utc, with_separators};
use crate::commands::recorded::place;

/// List, move and remove the named cursors of a recording
///
/// A cursor says which messages its consumer is done with, and keeps later ones from being pruned. Stop the consumer
/// before you move or remove its cursor: a consumer that runs may undo the change.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the cursors, where they are, and how many bytes their consumers still have to read
    Ls(LsArgs),
    /// Move a cursor
    Move(MoveArgs),
    /// Remove a cursor, so that nothing is kept for it any more
    Rm(RmArgs),
}

#[derive(Debug, clap::Args)]
struct LsArgs {
    #[command(flatten)]
    source: Source,
    /// Print one JSON object per cursor: name, position, behind, moved_ms
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct MoveArgs {
    /// The cursor's name
    name: String,
    #[command(flatten)]
    source: Source,
    /// Where to move it: start, end, a position, seq:NUMBER, cycle:NUMBER, time:NANOS, or a time such as
    /// 2026-01-31T08:30:00Z
    #[arg(long, value_name = "PLACE", value_parser = place)]
    to: Start,
    /// Print one JSON object: name, position_before, position
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct RmArgs {
    /// The cursor's name
    name: String,
    #[command(flatten)]
    source: Source,
    /// Print one JSON object: name
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    name: String,
    position: i64,
    /// Bytes from the cursor to the end of the recording; null if nothing records that end.
    behind: Option<i64>,
    moved_ms: i64,
}

#[derive(Serialize)]
struct Moved<'a> {
    name: &'a str,
    /// Null if it could not be read.
    position_before: Option<i64>,
    position: i64,
}

#[derive(Serialize)]
struct Removed<'a> {
    name: &'a str,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut Output) -> Outcome {
    match &args.command {
        Command::Ls(args) => list(args, out),
        Command::Move(args) => move_one(args, out),
        Command::Rm(args) => remove(args, out),
    }
}

fn list(args: &LsArgs, out: &mut Output) -> Outcome {
    let recording = args.source.open()?;
    let mut cursors = recording.cursors()?;
    cursors.sort_by(|one, other| one.name.cmp(&other.name));
    let end = recording.recorded_hint();
    if !args.json {
        out.line(format_args!("{:>16} {:>16} {:<24} name", "position", "behind", "moved"))?;
    }
    for CursorInfo { name, position, moved } in cursors {
        let behind = end.map(|end| end.get().saturating_sub(position.get()).max(0));
        let line = Line { name, position: position.get(), behind, moved_ms: moved.get() };
        if args.json {
            out.json(&line)?;
            continue;
        }
        let behind = behind.map_or_else(|| "-".to_owned(), with_separators);
        let moved = utc(line.moved_ms);
        out.line(format_args!("{:>16} {behind:>16} {moved:<24} {:?}", with_separators(line.position), line.name))?;
    }
    Ok(())
}

fn move_one(args: &MoveArgs, out: &mut Output) -> Outcome {
    let recording = args.source.open()?;
    // A damaged cursor is moved to mend it.
    let before = recording.cursors().unwrap_or_default().into_iter().find(|cursor| cursor.name == args.name);
    let position = recording.move_cursor(&args.name, args.to)?.get();
    let position_before = before.map(|cursor| cursor.position.get());
    if args.json {
        return out.json(&Moved { name: &args.name, position_before, position });
    }
    let from = position_before.map_or_else(|| "a position that cannot be read".to_owned(), with_separators);
    out.line(format_args!("moved the cursor {:?} from {from} to {}", args.name, with_separators(position)))
}

fn remove(args: &RmArgs, out: &mut Output) -> Outcome {
    args.source.open()?.remove_cursor(&args.name)?;
    if args.json {
        return out.json(&Removed { name: &args.name });
    }
    out.line(format_args!("removed the cursor {:?}", args.name))
}
