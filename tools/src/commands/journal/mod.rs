//! `gannet journal`: journals and archives' recordings, from the outside. One file per subcommand; here is what they share. None
//! but `append`, `cursors`, `reindex`, `prune` and `repair` writes anything, and each is safe on a journal in use, or refuses.

mod append;
mod cat;
mod cursors;
mod describe;
mod export;
mod field;
mod find;
mod ls;
mod messages;
mod prune;
mod reading;
mod reindex;
mod repair;
mod verify;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use gannet::journal::{JournalError, Recording, RollCycle, Start, storage::Directory};
use gannet::time::EpochNanos;
use gannet::types::{Position, RecordingId};

use crate::cli::{Outcome, Output, recording_id};

/// Read, search, check, append to and tidy up journals and recordings of archives
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Ls(ls::Args),
    Describe(describe::Args),
    Cat(cat::CatArgs),
    Tail(cat::TailArgs),
    Find(find::Args),
    Export(export::Args),
    Append(append::Args),
    Cursors(cursors::Args),
    Verify(verify::Args),
    Repair(repair::Args),
    Prune(prune::Args),
    Reindex(reindex::Args),
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    match &args.command {
        Command::Ls(args) => ls::run(args, out),
        Command::Describe(args) => describe::run(args, out),
        Command::Cat(args) => cat::cat(args, out),
        Command::Tail(args) => cat::tail(args, out),
        Command::Find(args) => find::run(args, out),
        Command::Export(args) => export::run(args, out),
        Command::Append(args) => append::run(args, out),
        Command::Cursors(args) => cursors::run(args, out),
        Command::Verify(args) => verify::run(args, out),
        Command::Repair(args) => repair::run(args, out),
        Command::Prune(args) => prune::run(args, out),
        Command::Reindex(args) => reindex::run(args, out),
    }
}

/// Which recording to look at.
#[derive(Debug, Clone, clap::Args)]
struct Source {
    /// The journal's directory, or an archive's
    #[arg(long, visible_alias = "journal", value_name = "DIR")]
    dir: PathBuf,
    /// The recording [default: the last one]
    #[arg(long, value_name = "ID", value_parser = recording_id)]
    recording: Option<i64>,
}

impl Source {
    fn id(&self) -> Option<RecordingId> {
        self.recording.map(RecordingId::new)
    }

    fn open(&self) -> anyhow::Result<Recording> {
        existing(&self.dir)?;
        Ok(Recording::open_in(std::sync::Arc::new(Directory::at(&self.dir)), self.id())?)
    }
}

/// Tells a directory that is not there from one that is no journal.
pub(crate) fn existing(dir: &Path) -> Outcome {
    match dir.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!("there is no directory {}", dir.display()),
        _ => Ok(()),
    }
}

/// Reads a moment: RFC 3339, or nanoseconds since 1970.
pub(super) fn moment(text: &str) -> Result<EpochNanos, String> {
    if let Ok(nanos) = text.parse() {
        return Ok(EpochNanos::new(nanos));
    }
    let moment: jiff::Timestamp =
        text.parse().map_err(|_| "expected a time such as 2026-01-31T08:30:00Z, or nanoseconds since 1970")?;
    i64::try_from(moment.as_nanosecond()).map(EpochNanos::new).map_err(|_| "out of range".to_owned())
}

/// A cycle of a journal that rolls by time of day, as people name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CycleName {
    /// By its number.
    Number(i64),
    /// By a moment in it.
    At(EpochNanos),
    /// The last that there are messages of.
    Last,
}

/// Reads a cycle: its number as `describe` has it, a moment or a day (UTC) in it, or `last`.
fn cycle(text: &str) -> Result<CycleName, String> {
    if text == "last" {
        return Ok(CycleName::Last);
    }
    if let Ok(number) = text.parse() {
        return Ok(CycleName::Number(number));
    }
    let day = text.parse().ok().and_then(|day: jiff::civil::Date| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let moment = day.map(|day| day.timestamp()).or_else(|| text.parse().ok());
    let expected =
        "expected 'last', a cycle's number, a day such as 2026-01-31, or a time such as 2026-01-31T08:30:00Z";
    let nanos = moment.ok_or(expected)?.as_nanosecond();
    i64::try_from(nanos).map(|nanos| CycleName::At(EpochNanos::new(nanos))).map_err(|_| "out of range".to_owned())
}

impl CycleName {
    /// Which cycle that is, and how often they begin.
    fn find(self, recording: &Recording) -> anyhow::Result<(i64, RollCycle)> {
        let recording_id = recording.descriptor().recording_id;
        let roll = recording.roll_cycle()?.ok_or(JournalError::NoCycles { recording_id })?;
        let number = match self {
            Self::Number(number) => number,
            Self::At(time) => roll.number(time),
            Self::Last => {
                let mut tailer = recording.tailer(Start::End)?;
                let mut damages = reading::Damages::default();
                let mut time = None;
                while reading::backward(&mut tailer, &mut damages, |record| {
                    time = record.time();
                    Ok(())
                })? && time.is_none()
                {}
                roll.number(time.context("the recording has no message with a time, and so no last cycle")?)
            }
        };
        Ok((number, roll))
    }
}

/// A moment as RFC 3339 has it.
fn show_moment(time: EpochNanos) -> String {
    jiff::Timestamp::from_nanosecond(time.get().into()).map_or_else(|_| time.get().to_string(), |time| time.to_string())
}

/// Says on a terminal how far long work has come, and nothing anywhere else.
pub(super) struct Progress<W: Write = io::Stderr> {
    what: &'static str,
    /// None where nobody watches.
    terminal: Option<W>,
    shown: bool,
}

impl Progress {
    pub(super) fn new(what: &'static str) -> Self {
        let stderr = io::stderr();
        Self::on(stderr.is_terminal().then_some(stderr), what)
    }
}

impl<W: Write> Progress<W> {
    fn on(terminal: Option<W>, what: &'static str) -> Self {
        Self { what, terminal, shown: false }
    }

    pub(super) fn at(&mut self, position: Position) {
        if let Some(terminal) = &mut self.terminal {
            let _ = write!(terminal, "\r\x1b[K{} up to {position}", self.what);
            let _ = terminal.flush();
            self.shown = true;
        }
    }
}

impl<W: Write> Drop for Progress<W> {
    fn drop(&mut self) {
        if let Some(terminal) = self.terminal.as_mut().filter(|_| self.shown) {
            let _ = write!(terminal, "\r\x1b[K");
        }
    }
}

/// How many bytes a directory's files of a recording take up on the disk.
fn disk_usage(source: &Source, id: RecordingId) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    let entries = std::fs::read_dir(&source.dir).with_context(|| format!("cannot list {}", source.dir.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(&format!("{id}-")) || name.starts_with(&format!("{id}.")) {
            // One that is gone by now takes up nothing.
            bytes += entry.metadata().map_or(0, |metadata| metadata.blocks() * 512);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_shown_in_one_line_and_gone_at_the_end() {
        let mut shown = Vec::new();
        let mut progress = Progress::on(Some(&mut shown), "verified");
        progress.at(Position::new(64));
        progress.at(Position::new(4096));
        drop(progress);
        assert_eq!(shown, b"\r\x1b[Kverified up to 64\r\x1b[Kverified up to 4096\r\x1b[K");
        // Nothing was long enough to be told of.
        let mut shown = Vec::new();
        drop(Progress::on(Some(&mut shown), "verified"));
        assert!(shown.is_empty());
        let mut nobody = Progress::on(None::<Vec<u8>>, "verified");
        nobody.at(Position::new(64));
        assert!(!nobody.shown);
    }

    #[test]
    fn moments_are_read_as_they_are_shown() {
        let time = EpochNanos::new(1_700_000_000_123_456_789);
        assert_eq!(moment(&show_moment(time)), Ok(time));
        assert_eq!(moment("42"), Ok(EpochNanos::new(42)));
        assert!(moment("yesterday").is_err());
    }

    #[test]
    fn cycles_are_named_by_number_day_or_moment() {
        let at = |seconds: i64| Ok(CycleName::At(EpochNanos::new(seconds * 1_000_000_000)));
        assert_eq!(cycle("20484"), Ok(CycleName::Number(20_484)));
        assert_eq!(cycle("last"), Ok(CycleName::Last));
        assert_eq!(cycle("2026-01-31"), at(1_769_817_600));
        assert_eq!(cycle("2026-01-31T08:30:00Z"), at(1_769_848_200));
        for bad in ["", "today", "2026-13-01", "1.5"] {
            assert!(cycle(bad).is_err(), "{bad}");
        }
    }
}
