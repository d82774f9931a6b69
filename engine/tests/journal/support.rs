//! What the journal's tests share: small journals, messages that say what they are, and patience.

use gannet::agent::IdleStrategy;
use gannet::journal::{Journal, JournalOptions, Recording, Start, Tailer};
use gannet::time::{Clock, SystemClock};
use gannet::types::Position;
use tempfile::TempDir;

/// Four terms to a segment, and segments that are soon full.
pub(crate) fn small() -> JournalOptions {
    JournalOptions::new().term_length(64 << 10).segment_length(256 << 10).mtu(1408)
}

/// A new journal in a directory of its own.
pub(crate) fn journal(options: &JournalOptions) -> (TempDir, Journal) {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::create(dir.path(), options).unwrap();
    (dir, journal)
}

/// The `number`-th message of an appender: it says so, and has a length that goes with it.
pub(crate) fn message(appender: u64, number: u64) -> Vec<u8> {
    let length = 16 + (number * 37 + appender * 11) % 300;
    let mut message: Vec<u8> = (0..length).map(|index| (index ^ number) as u8).collect();
    message[..8].copy_from_slice(&appender.to_le_bytes());
    message[8..16].copy_from_slice(&number.to_le_bytes());
    message
}

/// Whose message it is and which, if it is whole.
pub(crate) fn read(payload: &[u8]) -> Option<(u64, u64)> {
    let number = |at: usize| Some(u64::from_le_bytes(payload.get(at..at + 8)?.try_into().ok()?));
    let (appender, number) = (number(0)?, number(8)?);
    (payload == message(appender, number)).then_some((appender, number))
}

/// Every message from a position on.
pub(crate) fn rest(tailer: &mut Tailer) -> Vec<(Position, Vec<u8>)> {
    let mut messages = Vec::new();
    while let Some(record) = tailer.next().unwrap() {
        messages.push((record.position(), record.payload().to_vec()));
    }
    messages
}

/// Every message of a recording.
pub(crate) fn all(recording: &Recording) -> Vec<(Position, Vec<u8>)> {
    rest(&mut recording.tailer(Start::Begin).unwrap())
}

/// Waits for a condition that another thread or process brings about.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = SystemClock.monotonic().saturating_add_ns(180_000_000_000);
    let mut idle = IdleStrategy::Sleep { period_ns: 1_000_000 };
    while !holds() {
        assert!(SystemClock.monotonic() < deadline, "{what}, even after three minutes");
        idle.idle_once();
    }
}
