//! Files that the catalog should list but does not, because the catalog was lost or the files were put there.

use crate::types::RecordingId;

use super::control::Control;
use super::error::JournalError;
use super::segment::parse_segment_name;
use super::storage::Storage;

/// A file of a recording whose id the catalog has not assigned yet: a segment, or the control page of a recording with
/// appends.
pub(crate) fn unlisted_file(storage: &dyn Storage, next_id: RecordingId) -> Result<Option<String>, JournalError> {
    for name in storage.names()? {
        let is_unlisted = match (parse_segment_name(&name), Control::parse_name(&name)) {
            (Some((id, ..)), _) => id >= next_id,
            // The page of a process that was killed in `begin` has no appends.
            (None, Some(id)) => id >= next_id && !Control::is_unused(storage, id)?,
            (None, None) => false,
        };
        if is_unlisted {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
