//! The mark file of an Aeron archive, `archive-mark.dat`: whether an archive runs in the directory. Asked by whoever is about to write
//! there; the file is only read.
//!
//! ```text
//!  0                                        8         16                   24 ...
//!  | SBE header: template 200, schema 100 | version | ... | activity, ms at 16 | start, ms | pid at 32
//! ```
//!
//! An archive refreshes its activity each second, writes -1 when it ends, and is taken for dead after ten seconds. Old files have no
//! SBE header.

use crate::memory::FileAccess;
use crate::time::{Clock, SystemClock};
use crate::types::SemanticVersion;

use super::error::JournalError;
use super::storage::Storage;

/// The name of the file.
const MARK_NAME: &str = "archive-mark.dat";

/// What an archive has of it at least.
const LEAST_LENGTH: u64 = 136;
/// How long an archive may say nothing.
const LIVENESS_MS: i64 = 10_000;
/// While an archive is starting.
const ACTIVATING: i64 = i64::MAX;

/// Refuses a directory that an archive is running in: it and a journal do not know of each other's writers.
pub(crate) fn refuse_archive(storage: &dyn Storage) -> Result<(), JournalError> {
    // A file that is none, or cannot be read, says nothing of an archive.
    let Ok(stored) = storage.open(MARK_NAME, LEAST_LENGTH, FileAccess::ReadOnly) else { return Ok(()) };
    let view = stored.view();
    let mut bytes = [0; LEAST_LENGTH as usize];
    view.get_bytes(0, &mut bytes);
    let short = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let block = if (short(2), short(4)) == (200, 100) { 8 } else { 0 };
    let long = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[block + at..block + at + 8]);
        i64::from_le_bytes(word)
    };
    let version = SemanticVersion::from_bits(long(0) as i32);
    let activity_ms = long(8);
    let age_ms = SystemClock.epoch().get().saturating_sub(activity_ms);
    let is_running = activity_ms == ACTIVATING || (activity_ms > 0 && age_ms < LIVENESS_MS);
    if version.major() == 3 && is_running {
        return Err(JournalError::ArchiveRunning { path: storage.path(MARK_NAME), pid: long(24) });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::storage::MemoryStorage;
    use crate::memory::Reserve;

    #[test]
    fn an_archive_that_runs_is_told_from_one_that_does_not() {
        let now = SystemClock.epoch().get();
        let version = i64::from(SemanticVersion::new(3, 1, 0).bits());
        let cases = [
            (version, now, true),
            (version, now + 3_600_000, true),
            (version, i64::MAX, true),
            (version, -1, false),
            (version, now - 60_000, false),
            (version, 0, false),
            (0, now, false),
            (i64::from(SemanticVersion::new(2, 0, 0).bits()), now, false),
        ];
        for (header, (version, activity, runs)) in [true, false].into_iter().flat_map(|h| cases.map(|case| (h, case))) {
            let storage = MemoryStorage::new();
            let stored = storage.create(MARK_NAME, 8192, Reserve::Space).unwrap();
            let block = if header {
                for (at, value) in [(0, 128_u16), (2, 200), (4, 100), (6, 2)] {
                    stored.view().put_bytes(at, &value.to_le_bytes());
                }
                8
            } else {
                0
            };
            for (at, value) in [(0, version), (8, activity), (24, 4711)] {
                stored.view().put_bytes(block + at, &value.to_le_bytes());
            }
            let outcome = refuse_archive(&storage);
            let refused = matches!(outcome, Err(JournalError::ArchiveRunning { pid: 4711, .. }));
            assert_eq!((refused, outcome.is_ok()), (runs, !runs), "{header} {version} {activity}");
        }
        let storage = MemoryStorage::new();
        assert!(refuse_archive(&storage).is_ok());
        storage.create(MARK_NAME, 10, Reserve::Space).unwrap();
        assert!(refuse_archive(&storage).is_ok(), "too short to be one");
    }
}
