//! What is known about the start of a recording, which pruning may have moved.

use crate::memory::FileAccess;
use crate::types::Position;

use super::descriptor::RecordingDescriptor;
use super::error::JournalError;
use super::retention::RetentionFile;
use super::sidecar::{IndexEntry, Sidecar};
use super::storage::Storage;

/// The index entry for the start of a recording: the number of its first message, and the latest time before it.
pub(crate) fn first_entry(
    storage: &dyn Storage,
    descriptor: &RecordingDescriptor,
    start: Position,
) -> Result<IndexEntry, JournalError> {
    let kept = match RetentionFile::open(storage, descriptor.recording_id, FileAccess::ReadOnly) {
        // It does not keep anybody from reading.
        Err(JournalError::Malformed { .. }) => None,
        kept => kept?,
    };
    if let Some(first) = kept.and_then(|file| file.first(start)) {
        return Ok(first);
    }
    // Another process may have moved the start meanwhile.
    let sidecar = Sidecar::open(storage, descriptor, descriptor.layout().base(start), FileAccess::ReadOnly)?;
    let entry = sidecar.and_then(|sidecar| sidecar.entry(0)).filter(|entry| entry.position == start);
    Ok(entry.unwrap_or(IndexEntry { position: start, sequence: 0, time_before: 0 }))
}
