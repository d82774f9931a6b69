//! Shared by the journal's tests: small journals, messages that identify themselves, and waiting.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use gannet::agent::IdleStrategy;
use gannet::journal::{Journal, JournalOptions, Recording, Start, Tailer};
use gannet::time::{Clock, SystemClock};
use gannet::types::Position;
use tempfile::TempDir;

/// Segments of four terms, which are full soon.
pub(crate) fn small() -> JournalOptions {
    JournalOptions::new().term_length(64 << 10).segment_length(256 << 10).mtu(1408)
}

/// A new journal in a directory of its own.
pub(crate) fn journal(options: &JournalOptions) -> (TempDir, Journal) {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::create(dir.path(), options).unwrap();
    (dir, journal)
}

/// Message `number` of an appender. It contains both numbers, and its length follows from them.
pub(crate) fn message(appender: u64, number: u64) -> Vec<u8> {
    let length = 16 + (number * 37 + appender * 11) % 300;
    let mut message: Vec<u8> = (0..length).map(|index| (index ^ number) as u8).collect();
    message[..8].copy_from_slice(&appender.to_le_bytes());
    message[8..16].copy_from_slice(&number.to_le_bytes());
    message
}

/// The appender and the number of a message, if it is intact.
pub(crate) fn read(payload: &[u8]) -> Option<(u64, u64)> {
    let number = |at: usize| Some(u64::from_le_bytes(payload.get(at..at + 8)?.try_into().ok()?));
    let (appender, number) = (number(0)?, number(8)?);
    (payload == message(appender, number)).then_some((appender, number))
}

/// Every message from the tailer's position on.
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

/// Waits for a condition that another thread or process fulfils.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = SystemClock.monotonic().saturating_add_ns(180_000_000_000);
    let mut idle = IdleStrategy::Sleep { period_ns: 1_000_000 };
    while !holds() {
        assert!(SystemClock.monotonic() < deadline, "{what}, even after three minutes");
        idle.idle_once();
    }
}

/// Waits until the helper thread of a journal to which nobody appends has nothing left to do: everything is indexed, and
/// the next segment is made. From then on it neither makes files nor gives them other names.
pub(crate) fn settled(journal: &Journal) {
    let segment = i64::from(journal.descriptor().segment_length.get());
    eventually("it is indexed, and the next segment is made", || {
        let tail = journal.tail();
        journal.indexed() == tail && journal.prepared().get() > tail.get() + segment
    });
}

/// Copies the files of a journal to which nobody appends, as if all of its processes were killed now. Its helper may
/// still be at work, and gives files other names.
pub(crate) fn copy_files(from: &Path, to: &Path) {
    let names = || {
        let entries = std::fs::read_dir(from).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<BTreeSet<_>>()
    };
    eventually("no file gets another name while all are copied", || {
        let before = names();
        let is_copied = |name: &OsString| std::fs::copy(from.join(name), to.join(name)).is_ok();
        let is_whole = before.iter().all(is_copied) && names() == before;
        if !is_whole {
            std::fs::read_dir(to).unwrap().for_each(|entry| std::fs::remove_file(entry.unwrap().path()).unwrap());
        }
        is_whole
    });
}
