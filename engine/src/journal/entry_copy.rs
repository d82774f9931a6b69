//! A sidecar of a recording: a copy of its entry in the catalog, with a checksum. The catalog has the format of an
//! archive's, without checksums, and lists all recordings of the directory. The copy is written when the recording
//! begins, and by a process that opens a recording without a copy. Only `repair` reads it. Later changes of the start
//! position, the stop position and the session are in the catalog alone.
//!
//! ```text
//!   0  version | header length | recording id | CRC-32C of the descriptor | its length
//!  64  the descriptor, as in the catalog
//! ```

use crate::memory::{Field, FileAccess, Reserve};
use crate::types::{RecordingId, SemanticVersion};

use super::checksum::crc32c;
use super::descriptor::{RecordingDescriptor, decode_descriptor, encode_descriptor};
use super::error::JournalError;
use super::preamble::{PREAMBLE_LENGTH, Preamble};
use super::storage::Storage;

/// The version of the entry copy's layout.
pub const ENTRY_COPY_VERSION: SemanticVersion = SemanticVersion::new(1, 0, 0);

const HEADER_LENGTH: usize = 64;
const PREAMBLE: Preamble = Preamble::new(ENTRY_COPY_VERSION, HEADER_LENGTH);
const CHECKSUM: Field<i32> = Field::at(16);
const DESCRIPTOR_LENGTH: Field<i32> = Field::at(20);

const _: () = assert!(
    PREAMBLE_LENGTH == CHECKSUM.start()
        && CHECKSUM.end() == DESCRIPTOR_LENGTH.start()
        && DESCRIPTOR_LENGTH.end() <= HEADER_LENGTH
);

/// The name of a recording's entry copy.
pub(crate) fn entry_copy_name(recording_id: RecordingId) -> String {
    format!("{recording_id}.entry")
}

/// Writes the copy of an entry, and replaces an existing copy.
pub(crate) fn keep_entry(storage: &dyn Storage, descriptor: &RecordingDescriptor) -> Result<(), JournalError> {
    let bytes = encode_descriptor(descriptor);
    let name = entry_copy_name(descriptor.recording_id);
    let length = HEADER_LENGTH + bytes.len();
    storage.make(&name, length as u64, Reserve::Space, |stored| {
        let view = stored.view();
        view.word(CHECKSUM).store_relaxed(crc32c(&bytes).cast_signed());
        view.word(DESCRIPTOR_LENGTH).store_relaxed(bytes.len() as i32);
        view.put_bytes(HEADER_LENGTH, &bytes);
        PREAMBLE.write(view, descriptor.recording_id);
        let failed = |source| JournalError::Io { action: "sync", path: storage.path(&name), source };
        stored.sync(0, length).map_err(failed)
    })?;
    Ok(())
}

/// The copy of a recording's entry. `None` if there is no copy, or no complete one.
pub(crate) fn kept_entry(
    storage: &dyn Storage,
    recording_id: RecordingId,
) -> Result<Option<RecordingDescriptor>, JournalError> {
    let name = entry_copy_name(recording_id);
    let Some(stored) = storage.find_whole(&name, HEADER_LENGTH as u64, FileAccess::ReadOnly)? else { return Ok(None) };
    let view = stored.view();
    let length = usize::try_from(view.word(DESCRIPTOR_LENGTH).load_relaxed()).unwrap_or(usize::MAX);
    if !PREAMBLE.is_in(view, recording_id) || length > view.len() - HEADER_LENGTH {
        return Ok(None);
    }
    let mut bytes = vec![0; length];
    view.get_bytes(HEADER_LENGTH, &mut bytes);
    if crc32c(&bytes).cast_signed() != view.word(CHECKSUM).load_relaxed() {
        return Ok(None);
    }
    let malformed = |offset, found| JournalError::Malformed { path: storage.path(&name), offset: offset as u64, found };
    let descriptor = decode_descriptor(&view.slice(HEADER_LENGTH, length), malformed).ok();
    Ok(descriptor.filter(|found| found.recording_id == recording_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::storage::MemoryStorage;
    use crate::journal::{Journal, JournalOptions};
    use crate::memory::RawAccess;

    #[test]
    fn a_copy_is_what_was_kept_or_none() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let options = JournalOptions::new().segment_length(64 << 10).term_length(64 << 10).channel("aeron:ipc?alias=x");
        let journal = Journal::create_in(std::sync::Arc::new(storage.clone()), &options).unwrap();
        let descriptor = journal.descriptor().clone();
        let id = descriptor.recording_id;
        let kept = || kept_entry(&storage, id).unwrap();
        assert_eq!(kept().as_ref(), Some(&descriptor));
        let stored = storage.open(&entry_copy_name(id), 1, FileAccess::ReadWrite).unwrap();
        for at in (0..24).chain(HEADER_LENGTH..stored.view().len()) {
            let mut byte = [0];
            stored.view().get_bytes(at, &mut byte);
            // In a version, the major number alone says that it is not known.
            let flipped = if at < 4 { [byte[0] ^ 0x40, 2][usize::from(at == 2)] } else { byte[0] ^ 0x40 };
            stored.view().put_bytes(at, &[flipped]);
            assert!(at < 2 || at == 3 || kept().is_none(), "byte {at}");
            stored.view().put_bytes(at, &byte);
        }
        keep_entry(&storage, &descriptor).unwrap();
        assert_eq!(kept().as_ref(), Some(&descriptor));
        storage.remove(&entry_copy_name(id)).unwrap();
        assert_eq!(kept(), None);
        storage.create(&entry_copy_name(id), 63, Reserve::Space).unwrap();
        assert_eq!(kept(), None, "too short");
    }
}
