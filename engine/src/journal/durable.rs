//! The end of an append: waits until the message is on stable storage, if the sync policy requires it. Appenders and
//! their claims call this.

use crate::memory::OwnedWord;
use crate::time::{Clock, SystemClock};
use crate::types::Position;

use super::control::waits_for_sync;
use super::error::{AppendError, JournalError};
use super::idle::idle_strategy;
use super::writer::Writer;

/// How long a durable append waits for earlier claims, in nanoseconds.
const CLAIM_PATIENCE_NS: i64 = 30_000_000_000;

/// Finishes an append: waits for the sync if the policy requires it.
#[inline]
pub(crate) fn done(writer: &Writer, sync: &OwnedWord<i64>, position: Position) -> Result<Position, AppendError> {
    if waits_for_sync(sync.load_relaxed()) { make_durable(writer, position) } else { Ok(position) }
}

#[cold]
fn make_durable(writer: &Writer, position: Position) -> Result<Position, AppendError> {
    let done = sync_appended(writer, position);
    done.map_err(|source| AppendError::NotDurable { position, source: Box::new(source) })
}

/// Waits until everything up to `position`, which was appended, is on stable storage.
pub(crate) fn sync_appended(writer: &Writer, position: Position) -> Result<Position, JournalError> {
    sync_within(writer, position, CLAIM_PATIENCE_NS)
}

fn sync_within(writer: &Writer, position: Position, patience_ns: i64) -> Result<Position, JournalError> {
    let mut idle = idle_strategy();
    let mut deadline = None;
    // The claims before this one may still be open, and the durable range has no gaps.
    loop {
        let recorded = writer.advance()?;
        if recorded >= position {
            break;
        }
        let now = SystemClock.monotonic();
        // One of the open claims may belong to this thread.
        if now >= *deadline.get_or_insert(now.saturating_add_ns(patience_ns)) {
            let recording_id = writer.descriptor.recording_id;
            return Err(JournalError::Uncommitted { recording_id, position: recorded });
        }
        idle.idle_once();
    }
    writer.sync_to(position)?;
    Ok(position)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::journal::storage::MemoryStorage;
    use crate::journal::{Journal, JournalOptions, SyncPolicy};
    use crate::memory::RawAccess;

    /// A thread that holds a claim and appends by another appender would otherwise wait for itself.
    #[test]
    fn an_append_waits_for_claims_before_it_for_so_long_and_no_longer() {
        let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10).mtu(1408);
        let journal = Journal::create_in(Arc::new(MemoryStorage::new(RawAccess::ENGINE)), &options).unwrap();
        let (mut one, mut other) = (journal.appender().unwrap(), journal.appender().unwrap());
        let before = one.append(b"before").unwrap();
        let claim = one.claim(5).unwrap();
        let end = other.append(b"behind").unwrap();
        let error = sync_within(journal.writer(), end, 0).unwrap_err();
        assert!(matches!(error, JournalError::Uncommitted { position, .. } if position == before), "{error}");
        claim.abort();
        journal.set_sync_policy(SyncPolicy::EveryAppend);
        assert_eq!(sync_within(journal.writer(), end, 0).unwrap(), end);
        assert!(journal.durable() >= end);
    }
}
