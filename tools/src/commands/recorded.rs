//! Recordings by directory and id, and places in them as written on the command line. Shared by `journal`, `replay` and
//! `sub`.

use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use gannet::journal::storage::Directory;
use gannet::journal::{JournalError, Recording, Start};
use gannet::types::{Position, RecordingId};

use crate::cli::{Outcome, from_zero, moment, position};

/// Opens the recording with that id in a directory, or the last one.
pub(super) fn open(dir: &Path, recording: Option<i64>) -> anyhow::Result<Recording> {
    existing(dir)?;
    match Recording::open_in(Arc::new(Directory::at(dir)), recording.map(RecordingId::new)) {
        Err(JournalError::UnknownRecording { .. }) if recording.is_none() => {
            bail!("{} has no recordings yet", dir.display())
        }
        opened => Ok(opened?),
    }
}

/// Tells a directory that does not exist from one that is not a journal.
pub(super) fn existing(dir: &Path) -> Outcome {
    match dir.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("there is no directory {}: name that of the journal, or make a journal there first", dir.display())
        }
        _ => Ok(()),
    }
}

/// Parses a place: `start`, `end`, a position, `seq:NUMBER` for a sequence number, `cycle:NUMBER` for a cycle of a
/// journal that rolls by time of day, `time:NANOS`, or a time in RFC 3339.
pub(super) fn place(text: &str) -> Result<Start, String> {
    if let Some(number) = text.strip_prefix("seq:") {
        return from_zero(number, "expected a message's number, from 0, behind 'seq:'").map(Start::Sequence);
    }
    if let Some(number) = text.strip_prefix("cycle:") {
        return number.parse().map(Start::Cycle).map_err(|_| "expected a number behind 'cycle:'".to_owned());
    }
    match text {
        "start" => Ok(Start::Begin),
        "end" => Ok(Start::End),
        _ => match text.parse::<i64>() {
            Ok(_) => position(text).map(|at| Start::Position(Position::new(at))),
            Err(_) => moment(text.strip_prefix("time:").unwrap_or(text)).map(Start::Time).map_err(|_| {
                "expected start, end, a position, seq:NUMBER, cycle:NUMBER, time:NANOS, or a time such as \
                 2026-01-31T08:30:00Z"
                    .to_owned()
            }),
        },
    }
}

/// The position to end at for a place. One that is stated may be within a message.
pub(super) fn end_of(recording: &Recording, place: Start) -> anyhow::Result<Position> {
    match place {
        Start::Position(position) => Ok(position),
        place => Ok(recording.tailer(place)?.position()),
    }
}

#[cfg(test)]
mod tests {
    use gannet::time::EpochNanos;

    use super::*;

    #[test]
    fn places_are_read_as_people_write_them() {
        assert_eq!(place("start"), Ok(Start::Begin));
        assert_eq!(place("end"), Ok(Start::End));
        assert_eq!(place("4096"), Ok(Start::Position(Position::new(4096))));
        assert_eq!(place("seq:7"), Ok(Start::Sequence(7)));
        assert!(place("seq:-1").is_err(), "messages are counted from 0");
        assert_eq!(place("cycle:-3"), Ok(Start::Cycle(-3)));
        assert_eq!(place("time:42"), Ok(Start::Time(EpochNanos::new(42))));
        assert_eq!(place("1970-01-01T00:00:01Z"), Ok(Start::Time(EpochNanos::new(1_000_000_000))));
        for text in ["", "soon", "-64", "seq:", "seq:x", "cycle:", "cycle:now", "time:"] {
            assert!(place(text).is_err(), "{text}");
        }
    }
}
