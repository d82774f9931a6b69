//! Files that the catalog should list but does not, because it was lost or somebody put them there.

use crate::types::RecordingId;

use super::control::Control;
use super::error::JournalError;
use super::segment::parse_segment_name;
use super::storage::Storage;

/// A file of a recording whose id the catalog has not given yet: a segment, or the control page of a recording that was appended to.
pub(crate) fn unlisted_file(storage: &dyn Storage, next_id: RecordingId) -> Result<Option<String>, JournalError> {
    for name in storage.names()? {
        let is_unlisted = match (parse_segment_name(&name), Control::parse_name(&name)) {
            (Some((id, ..)), _) => id >= next_id,
            // That of somebody who was killed in `begin` says nothing.
            (None, Some(id)) => id >= next_id && !Control::is_unused(storage, id)?,
            (None, None) => false,
        };
        if is_unlisted {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
