//! The locks by which processes that share a journal exclude each other: separate files, which are locked and never
//! read. A process that is killed releases its locks.
//!
//! | file | held by |
//! | --- | --- |
//! | `journal.lock` | a process that opens or closes a journal of the directory, for that time |
//! | `ID.open.lock` | all processes that have the journal open, shared; exclusively, a process that needs nobody else to have it open |
//! | `ID.keeper.lock` | the helper thread that keeps the index and the durable position, or a rebuild of the index |
//! | `ID.appenders.lock` | all appenders, shared; an exclusive appender, exclusively |
//! | `ID.appender-N.lock` | the appender of that slot |
//! | `ID.makers.lock` | all makers of segments, shared; exclusively for removing what dead makers left |
//! | `ID.cursors.lock` | a process that makes or removes a cursor, or moves the recording's start |
//! | `ID.prune.lock` | a process that prunes, or that needs what would be pruned |

use crate::agent::IdleStrategy;
use crate::time::{Clock, MonotonicNanos, SystemClock};
use crate::types::RecordingId;

use super::error::JournalError;
use super::mark::refuse_archive;
use super::storage::{Lock, Share, Storage};

/// How long to wait for a lock that is never held for long, in nanoseconds.
const LOCK_PATIENCE_NS: i64 = 30_000_000_000;

const OPENING: &str = "journal.lock";

/// Waits for the lock that is held while a journal is opened or closed.
pub(crate) fn lock_opening(storage: &dyn Storage) -> Result<Lock, JournalError> {
    wait_for_lock(storage, OPENING)
}

/// As [`lock_opening`], without waiting.
pub(crate) fn try_lock_opening(storage: &dyn Storage) -> Result<Option<Lock>, JournalError> {
    storage.try_lock(OPENING, Share::Exclusive)
}

/// As [`lock_opening`], for a caller that will write. Fails if an archive runs in the directory.
pub(crate) fn lock_writing(storage: &dyn Storage) -> Result<Lock, JournalError> {
    // Checked before anything is created there.
    refuse_archive(storage)?;
    lock_opening(storage)
}

/// The lock, or `None` if `only_looks` is set and the storage is read-only. Without write permission a lock cannot be
/// taken, and no other process is kept out.
pub(crate) fn unless_forbidden<T>(lock: Result<T, JournalError>, only_looks: bool) -> Result<Option<T>, JournalError> {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match lock {
        Err(JournalError::Io { source, .. })
            if only_looks && matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem) =>
        {
            Ok(None)
        }
        lock => lock.map(Some),
    }
}

/// Waits for a lock that is never held for long.
pub(crate) fn wait_for_lock(storage: &dyn Storage, name: &str) -> Result<Lock, JournalError> {
    let mut waiting = Waiting::default();
    let mut idle = IdleStrategy::default();
    loop {
        if let Some(lock) = waiting.poll(storage, name)? {
            return Ok(lock);
        }
        idle.idle_once();
    }
}

/// The wait for a lock that is never held for long. Between two polls, its user does other things.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// When it has taken too long. `None` before the first poll in vain.
    deadline: Option<MonotonicNanos>,
}

impl Waiting {
    /// The lock. `None` while somebody else has it.
    pub(crate) fn poll(&mut self, storage: &dyn Storage, name: &str) -> Result<Option<Lock>, JournalError> {
        let lock = storage.try_lock(name, Share::Exclusive)?;
        if lock.is_some() {
            return Ok(lock);
        }
        let now = SystemClock.monotonic();
        if now > *self.deadline.get_or_insert(now.saturating_add_ns(LOCK_PATIENCE_NS)) {
            let source = std::io::Error::other("somebody else has held the lock for 30 seconds");
            return Err(JournalError::Io { action: "lock", path: storage.path(name), source });
        }
        Ok(None)
    }

    /// As [`Self::poll`], for the lock that is held while a journal is opened or closed.
    pub(crate) fn poll_opening(&mut self, storage: &dyn Storage) -> Result<Option<Lock>, JournalError> {
        self.poll(storage, OPENING)
    }
}

pub(crate) fn open_lock_name(id: RecordingId) -> String {
    format!("{id}.open.lock")
}

pub(crate) fn keeper_lock_name(id: RecordingId) -> String {
    format!("{id}.keeper.lock")
}

pub(crate) fn appenders_lock_name(id: RecordingId) -> String {
    format!("{id}.appenders.lock")
}

pub(crate) fn appender_lock_name(id: RecordingId, slot: usize) -> String {
    format!("{id}.appender-{slot}.lock")
}

pub(crate) fn makers_lock_name(id: RecordingId) -> String {
    format!("{id}.makers.lock")
}

pub(crate) fn cursors_lock_name(id: RecordingId) -> String {
    format!("{id}.cursors.lock")
}

pub(crate) fn prune_lock_name(id: RecordingId) -> String {
    format!("{id}.prune.lock")
}
