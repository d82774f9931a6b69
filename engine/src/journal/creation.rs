//! How a recording begins. All files that its entry in the catalog refers to are made first, and the entry is added
//! last. So a recording in the catalog has everything that was chosen for it. If a process is killed before that, the
//! next one makes the same files again. Called under the journal's lock.

use crate::memory::FileAccess;
use crate::types::RecordingId;

use super::catalog::{Catalog, CatalogEntry};
use super::control::{Chosen, Control};
use super::descriptor::RecordingDescriptor;
use super::entry_copy::keep_entry;
use super::error::JournalError;
use super::retention::{Retention, RetentionFile};
use super::storage::Storage;
use super::unlisted::unlisted_file;

/// The catalog of a directory without a journal: `None`, or a catalog without entries.
///
/// # Errors
///
/// [`JournalError::Exists`] if the catalog has entries, or what is wrong with the catalog.
pub(crate) fn empty_catalog(storage: &dyn Storage) -> Result<Option<Catalog>, JournalError> {
    match Catalog::open(storage, FileAccess::ReadWrite) {
        Ok(catalog) if catalog.entries().next().is_none() => Ok(Some(catalog)),
        Ok(_) => Err(JournalError::Exists { path: storage.path("") }),
        Err(JournalError::NotAJournal { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Begins a recording with the next id of the catalog. Creates the catalog if there is none.
///
/// # Errors
///
/// [`JournalError::Unlisted`] if there are files that the recording would use as its own. Otherwise an error of the
/// operating system.
pub(crate) fn begin(
    storage: &dyn Storage,
    mut catalog: Option<Catalog>,
    mut descriptor: RecordingDescriptor,
    chosen: &Chosen,
    retention: &Retention,
) -> Result<CatalogEntry, JournalError> {
    let recording_id = catalog.as_ref().map_or(RecordingId::new(0), Catalog::next_recording_id);
    if let Some(file) = unlisted_file(storage, recording_id)? {
        return Err(storage.unlisted(&file));
    }
    descriptor.recording_id = recording_id;
    if let Some(catalog) = &mut catalog {
        catalog.make_room(storage, &descriptor)?;
    }
    Control::create(storage, &descriptor, chosen, descriptor.start_position)?;
    // Made in any case, because pruning is what helps when there is no space for it any more. A file left by a killed
    // process has no meaning.
    let file = RetentionFile::create(storage, recording_id)?;
    if !retention.keeps_everything() {
        file.set_policy(storage, retention)?;
    }
    keep_entry(storage, &descriptor)?;
    storage.sync_names()?;
    let catalog = match catalog {
        Some(mut catalog) => {
            catalog.add(&descriptor)?;
            catalog
        }
        None => Catalog::create_with(storage, &descriptor)?,
    };
    catalog.find(recording_id)
}

#[cfg(test)]
mod tests {
    use crate::journal::catalog::CATALOG_NAME;
    use crate::journal::storage::Directory;
    use crate::journal::{Journal, JournalOptions};
    use crate::types::Position;

    use super::*;

    /// Where the entries end is not known. The file would become longer each time, and the new entry would not be found.
    #[test]
    fn a_catalog_that_has_to_be_repaired_gets_no_entry_and_does_not_grow() {
        let dir = tempfile::tempdir().unwrap();
        let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10);
        let journal = Journal::create(dir.path(), &options).unwrap();
        let descriptor = journal.descriptor().clone();
        journal.close().unwrap();
        let path = dir.path().join(CATALOG_NAME);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[32..36].copy_from_slice(&i32::MAX.to_le_bytes());
        std::fs::write(&path, &bytes).unwrap();
        let storage = Directory::at(dir.path());
        let files = storage.names().unwrap();
        let catalog = Catalog::open(&storage, FileAccess::ReadWrite).unwrap();
        let error =
            begin(&storage, Some(catalog), descriptor.clone(), &Chosen::NOTHING, &Retention::new()).unwrap_err();
        assert!(matches!(&error, JournalError::Catalog { fault, .. } if fault.offset == 32), "{error}");
        let error = Catalog::open(&storage, FileAccess::ReadWrite).unwrap().add(&descriptor).unwrap_err();
        assert!(error.to_string().contains("gannet journal repair"), "{error}");
        assert!(std::fs::read(&path).unwrap() == bytes);
        assert_eq!(storage.names().unwrap(), files);
    }

    #[test]
    fn a_catalog_that_is_full_grows_under_those_who_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10);
        let journal = Journal::create(dir.path(), &options).unwrap();
        let (first, descriptor) = (journal.recording().unwrap(), journal.descriptor().clone());
        let storage = Directory::at(dir.path());
        let open = || Catalog::open(&storage, FileAccess::ReadWrite).unwrap();
        let mut filled = open();
        let error = loop {
            if let Err(error) = filled.add(&descriptor) {
                break error;
            }
        };
        assert!(error.to_string().contains("archive.catalog, which is full: begin it in another directory"), "{error}");
        let count = filled.entries().count() as i64;
        for number in 0..3 {
            let nothing = Retention::new();
            let begun = begin(&storage, Some(open()), descriptor.clone(), &Chosen::NOTHING, &nothing).unwrap();
            assert_eq!(begun.descriptor.recording_id.get(), count + number);
        }
        let ids = open().entries().map(|entry| entry.unwrap().descriptor.recording_id.get()).collect::<Vec<_>>();
        assert_eq!(ids, (0..count + 3).collect::<Vec<_>>());
        // Whoever had it open before sees what becomes of its recording.
        let end = journal.appender().unwrap().append(b"message").unwrap();
        assert_eq!((first.stop_position(), end), (None, Position::new(64)));
        journal.close().unwrap();
        assert_eq!(first.stop_position(), Some(end));
    }
}
