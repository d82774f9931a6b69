//! The locks of a journal, by which processes that share it keep out of each other's way: files beside its own that are locked and
//! never read. A process that is killed gives back what it holds.
//!
//! | file | held by |
//! | --- | --- |
//! | `journal.lock` | whoever opens or closes a journal of the directory, for that long |
//! | `ID.open.lock` | everybody who has the journal open, together; alone who changes what nobody may have open |
//! | `ID.keeper.lock` | the helper thread that keeps the index and the durable position, or whoever makes the index again |
//! | `ID.appenders.lock` | all appenders, together; an exclusive one alone |
//! | `ID.appender-N.lock` | the appender of that slot |
//! | `ID.makers.lock` | everybody who makes a segment, together; alone who takes away what makers left |
//! | `ID.cursors.lock` | whoever makes or removes a cursor, or moves the recording's start |
//! | `ID.prune.lock` | whoever prunes, or needs what would be pruned to stay |

use crate::agent::IdleStrategy;
use crate::time::{Clock, SystemClock};
use crate::types::RecordingId;

use super::error::JournalError;
use super::mark::refuse_archive;
use super::storage::{Lock, Share, Storage};

/// How long a lock is waited for that nobody holds for long, in nanoseconds.
const LOCK_PATIENCE_NS: i64 = 30_000_000_000;

/// Waits for the lock under which a journal is opened and closed.
pub(crate) fn lock_opening(storage: &dyn Storage) -> Result<Lock, JournalError> {
    wait_for_lock(storage, "journal.lock")
}

/// The same for whoever is about to write, unless an archive runs in the directory.
pub(crate) fn lock_writing(storage: &dyn Storage) -> Result<Lock, JournalError> {
    // Before anything is made there.
    refuse_archive(storage)?;
    lock_opening(storage)
}

/// What became of a lock, for whoever means to change nothing if `only_looks`: none then where nothing may be written, so that nobody
/// can be kept out.
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

/// Waits for a lock that nobody holds for long.
pub(crate) fn wait_for_lock(storage: &dyn Storage, name: &str) -> Result<Lock, JournalError> {
    let deadline = SystemClock.monotonic().saturating_add_ns(LOCK_PATIENCE_NS);
    let mut idle = IdleStrategy::default();
    loop {
        if let Some(lock) = storage.try_lock(name, Share::Exclusive)? {
            return Ok(lock);
        }
        if SystemClock.monotonic() > deadline {
            let source = std::io::Error::other("somebody else has held the lock for 30 seconds");
            return Err(JournalError::Io { action: "lock", path: storage.path(name), source });
        }
        idle.idle_once();
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
