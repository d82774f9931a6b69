//! The catalog: the list of a directory's recordings, in the layout of an Aeron archive's. Everybody opens it. Only a
//! process that begins or ends a recording writes it, under the journal's lock. Its content is untrusted, so every
//! length in it is checked before use.
//!
//! ```text
//!  0         4        8                   16          20                      32
//!  | version | length | next recording id | alignment | reserved .......... 0 |  header
//!  | length  | state  | checksum          | reserved ..................... 0 |  entry: its header
//!  | descriptor: 80 bytes, then three texts, each with its length before it ... | zeroes up to the alignment
//!  | next entry ...
//! ```
//!
//! The blocks are those of the archive's SBE schema, messages 20, 21 and 22, without message headers.

use std::path::{Path, PathBuf};

use crate::memory::{AtomicBuffer, Field, FileAccess, MapError, Reserve, align_up};
use crate::time::EpochMillis;
use crate::types::{Position, RecordingId, SemanticVersion, SessionId};

use super::descriptor::{NULL_VALUE, RecordingDescriptor, decode_descriptor, encode_descriptor, field};
use super::error::{CatalogFault, JournalError};
use super::segment::{SegmentKind, parse_segment_name};
use super::storage::{PAGE, Storage, Stored};
use super::unlisted::unlisted_file;

/// The name of the catalog's file.
pub const CATALOG_NAME: &str = "archive.catalog";

/// The version of the format that is written. An archive refuses catalogs with another major version.
pub const CATALOG_VERSION: SemanticVersion = SemanticVersion::new(3, 1, 0);

/// The space that a new file reserves, in bytes.
const CAPACITY: u64 = 64 << 10;

const HEADER_LENGTH: usize = 32;
/// The alignment of the entries in new files.
const ALIGNMENT: i32 = 64;
/// The alignment of entries, and the offset of the first one, in files that name no alignment.
const OLD_ALIGNMENT: usize = 1024;

mod header {
    pub(super) const VERSION: usize = 0;
    pub(super) const LENGTH: usize = 4;
    pub(super) const NEXT_RECORDING_ID: usize = 8;
    pub(super) const ALIGNMENT: usize = 16;
}

/// Offsets within an entry.
mod entry {
    pub(super) const LENGTH: usize = 0;
    pub(super) const STATE: usize = 4;
    pub(super) const CHECKSUM: usize = 8;
    pub(super) const HEADER_LENGTH: usize = 32;
}

/// The state of a catalog entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingState {
    /// The recording was found damaged.
    Invalid,
    /// The entry is valid.
    Valid,
    /// The recording was deleted.
    Deleted,
    /// A number without a meaning.
    Unknown(i32),
}

impl RecordingState {
    const fn of(number: i32) -> Self {
        match number {
            0 => Self::Invalid,
            1 => Self::Valid,
            2 => Self::Deleted,
            other => Self::Unknown(other),
        }
    }

    const fn number(self) -> i32 {
        match self {
            Self::Invalid => 0,
            Self::Valid => 1,
            Self::Deleted => 2,
            Self::Unknown(other) => other,
        }
    }
}

/// An entry of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    /// The entry's state.
    pub state: RecordingState,
    /// The checksum of the descriptor. 0 if none is kept.
    pub checksum: i32,
    /// The recording's descriptor.
    pub descriptor: RecordingDescriptor,
    /// See [`Self::offset`].
    pub(super) offset: usize,
}

impl CatalogEntry {
    /// The offset of the entry in the file, in bytes.
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

/// The catalog, a mapped file.
#[derive(Debug)]
pub struct Catalog {
    path: PathBuf,
    stored: Stored,
    /// The offset of the first entry, and the alignment of entries.
    first: usize,
    alignment: usize,
}

impl Catalog {
    /// Creates an empty catalog.
    ///
    /// # Errors
    ///
    /// [`JournalError::Exists`] if there is one already, or the error of creating the file.
    pub fn create(storage: &dyn Storage) -> Result<Self, JournalError> {
        Self::create_filled(storage, |_| Ok(()))
    }

    /// Creates a catalog with one recording. The file appears complete.
    pub(crate) fn create_with(storage: &dyn Storage, first: &RecordingDescriptor) -> Result<Self, JournalError> {
        Self::create_filled(storage, |catalog| catalog.add(first).map(drop))
    }

    fn create_filled(
        storage: &dyn Storage,
        fill: impl FnOnce(&mut Self) -> Result<(), JournalError>,
    ) -> Result<Self, JournalError> {
        const NEW_NAME: &str = "archive.catalog.new";
        let path = storage.path(CATALOG_NAME);
        // A killed process may have left this file.
        storage.remove(NEW_NAME)?;
        let stored = storage.create(NEW_NAME, CAPACITY, Reserve::Space)?;
        let mut catalog = Self::empty(path, stored);
        fill(&mut catalog)?;
        catalog.sync()?;
        if !storage.publish(NEW_NAME, CATALOG_NAME)? {
            return Err(JournalError::Exists { path: storage.path("") });
        }
        storage.sync_names()?;
        Ok(catalog)
    }

    /// Creates a catalog of these entries, and replaces an existing one.
    pub(crate) fn replace(
        storage: &dyn Storage,
        entries: &[CatalogEntry],
        next_id: RecordingId,
    ) -> Result<(), JournalError> {
        let length = |entry: &CatalogEntry| {
            align_up(entry::HEADER_LENGTH + encode_descriptor(&entry.descriptor).len(), ALIGNMENT as usize) as u64
        };
        // Space for further entries.
        let capacity = CAPACITY + entries.iter().map(length).sum::<u64>().next_multiple_of(CAPACITY);
        storage.make(CATALOG_NAME, capacity, Reserve::Space, |stored| {
            let catalog = Self::empty(storage.path(CATALOG_NAME), stored.clone());
            for entry in entries {
                catalog.put(&entry.descriptor, entry.state, entry.checksum)?;
            }
            put_i64(catalog.view(), header::NEXT_RECORDING_ID, next_id.get());
            catalog.sync()
        })?;
        storage.sync_names()
    }

    /// Writes the header of a catalog without entries to a file of zeroes.
    fn empty(path: PathBuf, stored: Stored) -> Self {
        let view = stored.view();
        put_i32(view, header::VERSION, CATALOG_VERSION.bits());
        put_i32(view, header::LENGTH, HEADER_LENGTH as i32);
        put_i64(view, header::NEXT_RECORDING_ID, 0);
        put_i32(view, header::ALIGNMENT, ALIGNMENT);
        Self { path, stored, first: HEADER_LENGTH, alignment: ALIGNMENT as usize }
    }

    /// The catalog, and the valid entry of a recording or the last valid entry.
    pub(crate) fn open_entry(
        storage: &dyn Storage,
        access: FileAccess,
        recording_id: Option<RecordingId>,
    ) -> Result<(Self, CatalogEntry), JournalError> {
        let catalog = Self::open(storage, access)?;
        match catalog.choose(recording_id) {
            Ok(entry) => Ok((catalog, entry)),
            Err(error @ JournalError::UnknownRecording { .. }) => {
                let is_known = |entry: &CatalogEntry| !matches!(entry.state, RecordingState::Unknown(_));
                let listed = catalog.entries().flatten().filter(is_known);
                let listed: Vec<_> = listed.map(|entry| entry.descriptor.recording_id).collect();
                let is_lost = |name: &String| {
                    parse_segment_name(name).is_some_and(|(id, _, kind)| {
                        let is_asked = recording_id.is_none_or(|asked| asked == id);
                        is_asked && kind == SegmentKind::Recorded && !listed.contains(&id)
                    })
                };
                let lost = storage.names()?.into_iter().find(is_lost);
                Err(lost.map_or(error, |file| storage.unlisted(&file)))
            }
            Err(error) => Err(error),
        }
    }

    /// Maps the catalog of a directory.
    ///
    /// # Errors
    ///
    /// [`JournalError::NotAJournal`] if there is no catalog, or [`JournalError::Unlisted`] if there are segments but no
    /// catalog. [`JournalError::Catalog`] if the catalog cannot be read.
    pub fn open(storage: &dyn Storage, access: FileAccess) -> Result<Self, JournalError> {
        let path = storage.path(CATALOG_NAME);
        let found = match storage.find(CATALOG_NAME, HEADER_LENGTH as u64, access) {
            Err(JournalError::Map(MapError::TooShort { found, expected, .. })) => {
                let text = format!("the catalog has {found} bytes, expected {expected} at least");
                return Err(malformed(&path, found, text));
            }
            found => found?,
        };
        let Some(stored) = found else {
            let file = unlisted_file(storage, RecordingId::new(0))?;
            let none = || JournalError::NotAJournal { path: storage.path("") };
            return Err(file.map_or_else(none, |file| storage.unlisted(&file)));
        };
        let malformed = |offset, found: String| Err(malformed(&path, offset, found));
        let view = stored.view();
        let version = SemanticVersion::from_bits(get_i32(view, header::VERSION));
        if version.major() != CATALOG_VERSION.major() {
            return malformed(0, format!("the catalog has version {version}, expected {}.x", CATALOG_VERSION.major()));
        }
        let (first, alignment) = match get_i32(view, header::ALIGNMENT) {
            0 => (OLD_ALIGNMENT, OLD_ALIGNMENT),
            found => {
                // A multiple of 8, so that no field of an entry is misaligned.
                let alignment = usize::try_from(found).unwrap_or(0);
                if !alignment.is_power_of_two() || !(8..=1 << 20).contains(&alignment) {
                    let at = header::ALIGNMENT as u64;
                    return malformed(at, format!("entries cannot be aligned to {found} bytes"));
                }
                (HEADER_LENGTH, alignment)
            }
        };
        Ok(Self { path, stored, first, alignment })
    }

    /// The id that the next new recording gets.
    pub fn next_recording_id(&self) -> RecordingId {
        let last = self.entries().filter_map(Result::ok).map(|entry| entry.descriptor.recording_id.get() + 1).max();
        self.told_next_id().max(RecordingId::new(last.unwrap_or(0).min(i64::MAX - 1)))
    }

    /// The id that the header names for the next new recording, even if an entry has it.
    pub(crate) fn told_next_id(&self) -> RecordingId {
        RecordingId::new(get_i64(self.view(), header::NEXT_RECORDING_ID).clamp(0, i64::MAX - 1))
    }

    /// All entries, in the order of the file. An unreadable entry yields an error, and the entries after it follow.
    pub fn entries(&self) -> Entries<'_> {
        Entries { catalog: self, offset: self.first, is_lost: false }
    }

    /// The valid entry of a recording.
    ///
    /// # Errors
    ///
    /// [`JournalError::UnknownRecording`]. If no readable entry has this id, the error of an unreadable one.
    pub fn find(&self, recording_id: RecordingId) -> Result<CatalogEntry, JournalError> {
        let mut failure = None;
        for entry in self.entries() {
            match entry {
                Ok(entry) if entry.descriptor.recording_id == recording_id && entry.state == RecordingState::Valid => {
                    return Ok(entry);
                }
                Ok(_) => {}
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| JournalError::UnknownRecording { path: self.directory(), recording_id }))
    }

    /// The valid entry of this recording, or the last valid entry if `recording_id` is `None`.
    ///
    /// # Errors
    ///
    /// As [`Self::find`]. If `recording_id` is `None` and there is no valid entry, the error names recording 0.
    pub fn choose(&self, recording_id: Option<RecordingId>) -> Result<CatalogEntry, JournalError> {
        let Some(recording_id) = recording_id else {
            let last =
                self.entries().filter_map(Result::ok).filter(|entry| entry.state == RecordingState::Valid).last();
            return last.map_or_else(|| self.find(RecordingId::new(0)), Ok);
        };
        self.find(recording_id)
    }

    /// Adds a recording with the next id. The file's length does not change.
    ///
    /// # Errors
    ///
    /// [`JournalError::Options`] if the catalog is full. [`JournalError::Catalog`] if it is damaged so that nobody would
    /// find the entry. Otherwise the error of syncing it.
    pub fn add(&mut self, new: &RecordingDescriptor) -> Result<RecordingId, JournalError> {
        let new = RecordingDescriptor { recording_id: self.next_recording_id(), ..new.clone() };
        let (offset, length) = self.write(&new, RecordingState::Valid, 0)?;
        // A loss of power leaves no entry, or a whole one, though it lies in two pages.
        self.store_again(offset + entry::HEADER_LENGTH);
        let (next_page, end) = (offset.next_multiple_of(PAGE), offset + length);
        self.stored.store_again(next_page, end.saturating_sub(next_page));
        self.sync()?;
        self.commit(offset, length);
        put_i64(self.view(), header::NEXT_RECORDING_ID, new.recording_id.get() + 1);
        self.sync()?;
        Ok(new.recording_id)
    }

    /// Ensures that there is space for another recording, and extends the file if necessary, as an archive does. The
    /// caller holds the journal's lock.
    pub(crate) fn make_room(&mut self, storage: &dyn Storage, new: &RecordingDescriptor) -> Result<(), JournalError> {
        let needed = (self.entries_end()? + self.length_of(&encode_descriptor(new))) as u64;
        let length = self.view().len() as u64;
        if needed > length {
            let longer = needed.max(length + (length / 2).max(CAPACITY));
            if storage.extend(CATALOG_NAME, longer)? {
                self.stored = storage.open(CATALOG_NAME, longer, FileAccess::ReadWrite)?;
            }
        }
        Ok(())
    }

    /// The offset after the last entry. An error if that is not known, because a length is damaged.
    fn entries_end(&self) -> Result<usize, JournalError> {
        let mut entries = self.entries();
        while let Some(entry) = entries.next() {
            if entries.is_lost {
                entry?;
            }
        }
        Ok(entries.offset)
    }

    /// The length of an entry, header included.
    fn length_of(&self, descriptor: &[u8]) -> usize {
        align_up(entry::HEADER_LENGTH + descriptor.len(), self.alignment)
    }

    /// Adds an entry without changing it.
    fn put(&self, new: &RecordingDescriptor, state: RecordingState, checksum: i32) -> Result<(), JournalError> {
        let (offset, length) = self.write(new, state, checksum)?;
        self.commit(offset, length);
        Ok(())
    }

    /// Writes an entry behind the last one, except its length. Returns its offset, and its length with the header.
    fn write(
        &self,
        new: &RecordingDescriptor,
        state: RecordingState,
        checksum: i32,
    ) -> Result<(usize, usize), JournalError> {
        let offset = self.entries_end()?;
        let bytes = encode_descriptor(new);
        let length = self.length_of(&bytes);
        let view = self.view();
        if length > view.len().saturating_sub(offset) {
            let what = format!("another recording in {}, which is full", self.path.display());
            return Err(JournalError::Options { what, expected: "begin it in another directory" });
        }
        view.zero(offset, length);
        view.put_bytes(offset + entry::HEADER_LENGTH, &bytes);
        put_i32(view, offset + entry::CHECKSUM, checksum);
        put_i32(view, offset + entry::STATE, state.number());
        Ok((offset, length))
    }

    /// Stores the length of an entry that was written. From here on the entry exists.
    fn commit(&self, offset: usize, length: usize) {
        let word = self.view().word_at::<i32>(offset + entry::LENGTH);
        word.store_release((length - entry::HEADER_LENGTH) as i32);
    }

    /// Checks that the mapping still shows the file's content.
    pub(crate) fn check_intact(&self) -> Result<(), JournalError> {
        if self.stored.is_intact() {
            return Ok(());
        }
        let found = super::error::Fault::CUT_SHORT.to_string();
        Err(JournalError::Malformed { path: self.path.clone(), offset: 0, found })
    }

    /// The current stop position of a recording. `None` while the recording is active, for an impossible position, and
    /// if the entry is no longer where it was.
    pub fn stop_position(&self, entry: &CatalogEntry) -> Option<Position> {
        let at = self.descriptor_at(entry)? + field::STOP_POSITION;
        let stop = self.view().word_at::<i64>(at).load_acquire();
        (stop >= entry.descriptor.start_position.get() && stop % 32 == 0).then_some(Position::new(stop))
    }

    /// The current start position of a recording. Pruning moves it forward, segment by segment. If the entry is no
    /// longer where it was, the start position of then.
    pub fn start_position(&self, entry: &CatalogEntry) -> Position {
        let was = entry.descriptor.start_position;
        let Some(at) = self.descriptor_at(entry) else { return was };
        let start = Position::new(self.view().word_at::<i64>(at + field::START_POSITION).load_acquire());
        if start > was && entry.descriptor.layout().is_base(start) { start } else { was }
    }

    /// The session id of a recording, which changes when another session continues it. If the entry is no longer where
    /// it was, the session id of then.
    pub(crate) fn session_id(&self, entry: &CatalogEntry) -> SessionId {
        let Some(at) = self.descriptor_at(entry) else { return entry.descriptor.session_id };
        SessionId::new(get_i32(self.view(), at + field::SESSION_ID))
    }

    /// The offset of an entry's descriptor. `None` if this catalog has another entry there, or none: the entry may be
    /// another catalog's, and an archive moves entries when one before them becomes longer.
    pub(crate) fn descriptor_at(&self, entry: &CatalogEntry) -> Option<usize> {
        let at = entry.offset.checked_add(entry::HEADER_LENGTH)?;
        if self.view().len().checked_sub(at)? < field::BLOCK_LENGTH {
            return None;
        }
        let id = self.view().word_at::<i64>(at + field::RECORDING_ID).load_relaxed();
        (id == entry.descriptor.recording_id.get()).then_some(at)
    }

    /// As [`Self::descriptor_at`], for an entry to be changed.
    fn descriptor_of(&self, entry: &CatalogEntry) -> Result<usize, JournalError> {
        let recording_id = entry.descriptor.recording_id;
        self.descriptor_at(entry).ok_or_else(|| JournalError::UnknownRecording { path: self.directory(), recording_id })
    }

    /// The directory, for errors.
    fn directory(&self) -> PathBuf {
        self.path.parent().map(Into::into).unwrap_or_default()
    }

    /// Sets the start position of a recording. Segments below it are no longer part of the recording.
    ///
    /// # Errors
    ///
    /// [`JournalError::UnknownRecording`] for an entry that is not in this catalog, or the error of syncing the file.
    pub fn set_start(&self, entry: &CatalogEntry, start: Position) -> Result<(), JournalError> {
        let at = self.descriptor_of(entry)? + field::START_POSITION;
        // A single store, because readers may load it at any time.
        self.view().word_at::<i64>(at).store_release(start.get());
        self.assure(entry)
    }

    /// Sets the position and time at which a recording stopped. `None` marks it as active.
    ///
    /// # Errors
    ///
    /// As [`Self::set_start`].
    pub fn set_stop(&self, entry: &CatalogEntry, stop: Option<(Position, EpochMillis)>) -> Result<(), JournalError> {
        let at = self.descriptor_of(entry)?;
        let view = self.view();
        put_i64(view, at + field::STOP_TIMESTAMP, stop.map_or(NULL_VALUE, |(_, time)| time.get()));
        // The position last, in a single store, because readers may load it at any time.
        let position = stop.map_or(NULL_VALUE, |(position, _)| position.get());
        view.word_at::<i64>(at + field::STOP_POSITION).store_release(position);
        self.assure(entry)
    }

    /// Sets the session id with which a recording continues.
    ///
    /// # Errors
    ///
    /// As [`Self::set_start`].
    pub(crate) fn set_session(&self, entry: &CatalogEntry, session_id: SessionId) -> Result<(), JournalError> {
        put_i32(self.view(), self.descriptor_of(entry)? + field::SESSION_ID, session_id.get());
        self.assure(entry)
    }

    /// Waits until what the catalog says of a recording is on stable storage. Whoever stored it may have been killed before
    /// it was synced, or that may have failed.
    pub(crate) fn assure(&self, entry: &CatalogEntry) -> Result<(), JournalError> {
        self.store_again(self.descriptor_of(entry)?);
        self.sync()
    }

    /// Stores a descriptor again for the next sync, and nothing else: the catalog can be long, and have holes if an archive
    /// made it. The descriptor may lie in two pages.
    fn store_again(&self, at: usize) {
        for field in [field::RECORDING_ID, field::STOP_POSITION] {
            self.stored.store_word_again(Field::at(at + field));
        }
    }

    fn sync(&self) -> Result<(), JournalError> {
        let failed = |source| JournalError::Io { action: "sync", path: self.path.clone(), source };
        self.stored.sync(0, self.view().len()).map_err(failed)
    }

    fn view(&self) -> &AtomicBuffer {
        self.stored.view()
    }

    /// The entry at `offset`. Its length has been checked.
    fn entry_at(&self, offset: usize, length: usize) -> Result<CatalogEntry, JournalError> {
        let view = self.view().slice(offset + entry::HEADER_LENGTH, length);
        let at = offset + entry::HEADER_LENGTH;
        let descriptor = decode_descriptor(&view, |field, found| malformed(&self.path, (at + field) as u64, found))?;
        let state = RecordingState::of(get_i32(self.view(), offset + entry::STATE));
        let checksum = get_i32(self.view(), offset + entry::CHECKSUM);
        Ok(CatalogEntry { state, checksum, descriptor, offset })
    }
}

/// The error for a malformed catalog.
fn malformed(path: &Path, offset: u64, found: String) -> JournalError {
    let dir = path.parent().unwrap_or(path).to_owned();
    JournalError::Catalog { dir, fault: CatalogFault { path: path.to_owned(), offset, found } }
}

/// What is wrong with a catalog, without the remedy: for the repair, which is that.
pub(super) fn fault_of(error: &JournalError) -> String {
    match error {
        JournalError::Unlisted { file, .. } => format!("it is missing, and {} is there", file.display()),
        JournalError::Catalog { fault, .. } => fault.to_string(),
        other => other.to_string(),
    }
}

/// The entries of a catalog.
#[derive(Debug)]
pub struct Entries<'a> {
    catalog: &'a Catalog,
    offset: usize,
    /// Whether a length is damaged, so that no further entry can be found.
    is_lost: bool,
}

impl Iterator for Entries<'_> {
    type Item = Result<CatalogEntry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let view = self.catalog.view();
        let offset = self.offset;
        let rest = view.len().checked_sub(offset + entry::HEADER_LENGTH)?;
        let length = view.word_at::<i32>(offset + entry::LENGTH).load_acquire();
        if length <= 0 {
            return None;
        }
        let length = length as usize;
        if length > rest || !(length + entry::HEADER_LENGTH).is_multiple_of(8) {
            self.is_lost = true;
            self.offset = view.len();
            let found = format!("an entry cannot be {length} bytes long with {rest} left");
            return Some(Err(malformed(&self.catalog.path, offset as u64, found)));
        }
        self.offset = offset + entry::HEADER_LENGTH + length;
        Some(self.catalog.entry_at(offset, length))
    }
}

// Fields are accessed as whole words, never as bytes, because the catalog is changed through a shared reference while
// others read it. Two parts are bytes: the new entry while `add` writes it, when no other process may have the catalog,
// and its texts, which never change afterwards.

fn get_i32(view: &AtomicBuffer, offset: usize) -> i32 {
    view.word_at::<i32>(offset).load_relaxed()
}

fn get_i64(view: &AtomicBuffer, offset: usize) -> i64 {
    view.word_at::<i64>(offset).load_relaxed()
}

fn put_i32(view: &AtomicBuffer, offset: usize, value: i32) {
    view.word_at::<i32>(offset).store_relaxed(value);
}

fn put_i64(view: &AtomicBuffer, offset: usize, value: i64) {
    view.word_at::<i64>(offset).store_relaxed(value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::journal::segment::SegmentLength;
    use crate::journal::storage::{Directory, MemoryStorage};
    use crate::memory::RawAccess;
    use crate::types::{Mtu, StreamId, TermId, TermLength};

    fn example() -> RecordingDescriptor {
        let term_length = TermLength::MIN;
        RecordingDescriptor {
            control_session_id: 0x1111,
            correlation_id: 0x2222,
            recording_id: RecordingId::new(0),
            start_timestamp: EpochMillis::new(0x3333),
            stop_timestamp: None,
            start_position: Position::new(70_016),
            stop_position: None,
            initial_term_id: TermId::new(-7),
            segment_length: SegmentLength::new(128 << 10, term_length).unwrap(),
            term_length,
            mtu: Mtu::DEFAULT,
            session_id: SessionId::new(-8),
            stream_id: StreamId::new(1001),
            stripped_channel: "aeron:ipc".into(),
            original_channel: "aeron:ipc?term-length=64k".into(),
            source_identity: "here".into(),
        }
    }

    fn bytes(storage: &MemoryStorage, at: usize, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        storage.open(CATALOG_NAME, 1, FileAccess::ReadOnly).unwrap().view().get_bytes(at, &mut bytes);
        bytes
    }

    /// Each field of the header, the entry and the descriptor, byte for byte.
    #[test]
    fn every_field_is_where_an_archive_has_it() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let mut catalog = Catalog::create(&storage).unwrap();
        assert_eq!(catalog.add(&example()).unwrap().get(), 0);
        let entry = catalog.find(RecordingId::new(0)).unwrap();
        catalog.set_stop(&entry, Some((Position::new(200_000), EpochMillis::new(0x4444)))).unwrap();

        let mut expected = Vec::new();
        let mut words = |values: &[(i64, usize)]| {
            values.iter().for_each(|(value, width)| expected.extend_from_slice(&value.to_le_bytes()[..*width]));
        };
        // The header: version 3.1.0, its length, the next id, the alignment.
        words(&[(196_864, 4), (32, 4), (1, 8), (64, 4), (0, 8), (0, 4)]);
        // The entry: 32 + 80 + 12 + 9 + 25 + 4 bytes of it, aligned to 64, without its own header; valid; no checksum.
        words(&[(192 - 32, 4), (1, 4), (0, 4), (0, 8), (0, 8), (0, 4)]);
        words(&[0x1111, 0x2222, 0, 0x3333, 0x4444, 70_016, 200_000].map(|value| (value, 8)));
        words(&[-7, 128 << 10, 64 << 10, 1408, -8, 1001].map(|value| (value, 4)));
        for text in ["aeron:ipc", "aeron:ipc?term-length=64k", "here"] {
            expected.extend_from_slice(&(text.len() as u32).to_le_bytes());
            expected.extend_from_slice(text.as_bytes());
        }
        expected.resize(HEADER_LENGTH + 192, 0);
        assert_eq!(bytes(&storage, 0, expected.len()), expected);
        assert_eq!(bytes(&storage, expected.len(), 64), [0; 64], "no other entry");
    }

    /// Each time that a journal is opened, closed or pruned.
    #[test]
    fn what_is_said_of_one_recording_costs_nothing_of_the_rest_of_a_long_catalog() {
        const LONG: u64 = 8 << 20;
        let dir = tempfile::tempdir().unwrap();
        let storage = Directory::at(dir.path());
        drop(Catalog::create_with(&storage, &example()).unwrap());
        let file = std::fs::OpenOptions::new().write(true).open(dir.path().join(CATALOG_NAME)).unwrap();
        file.set_len(LONG).unwrap();
        let catalog = Catalog::open(&storage, FileAccess::ReadWrite).unwrap();
        let entry = catalog.find(RecordingId::new(0)).unwrap();
        catalog.set_stop(&entry, Some((Position::new(200_000), EpochMillis::new(1)))).unwrap();
        catalog.set_start(&entry, Position::new(128 << 10)).unwrap();
        let bytes = storage.info(CATALOG_NAME).unwrap().unwrap().bytes;
        assert!(bytes < LONG / 8, "{bytes} bytes of its holes are filled");
    }

    #[test]
    fn what_was_added_is_found_by_whoever_opens_it() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let mut catalog = Catalog::create(&storage).unwrap();
        let error = Catalog::create(&storage).unwrap_err();
        assert!(matches!(error, JournalError::Exists { .. }), "{error}");
        for id in 0..3 {
            assert_eq!(catalog.add(&example()).unwrap().get(), id);
        }
        let opened = Catalog::open(&storage, FileAccess::ReadOnly).unwrap();
        assert_eq!((opened.next_recording_id().get(), opened.entries().count()), (3, 3));
        let mut found = opened.find(RecordingId::new(2)).unwrap();
        assert_eq!((found.state, found.checksum), (RecordingState::Valid, 0));
        found.descriptor.recording_id = RecordingId::new(0);
        assert_eq!(found.descriptor, example());
        found.descriptor.recording_id = RecordingId::new(2);
        let stop = (Position::new(70_016), EpochMillis::new(5));
        catalog.set_stop(&found, Some(stop)).unwrap();
        let stopped = opened.find(RecordingId::new(2)).unwrap().descriptor;
        assert_eq!(stopped.stop_position.zip(stopped.stop_timestamp), Some(stop));
        let error = opened.find(RecordingId::new(3)).unwrap_err();
        assert!(matches!(error, JournalError::UnknownRecording { .. }), "{error}");
        while catalog.add(&example()).is_ok() {}
        let entries: Vec<_> = catalog.entries().collect::<Result<_, _>>().unwrap();
        assert_eq!(entries.len(), ((CAPACITY as usize) - HEADER_LENGTH) / 192, "full, and no entry too many");
    }

    /// From a longer catalog, from one with other entries, or with an id of its own.
    #[test]
    fn an_entry_that_is_not_in_the_catalog_is_neither_read_nor_changed() {
        let longer = MemoryStorage::new(RawAccess::ENGINE);
        let mut catalog = Catalog::create(&longer).unwrap();
        while catalog.add(&example()).is_ok() {}
        let stop = Some((Position::new(200_000), EpochMillis::new(1)));
        let last = catalog.entries().last().unwrap().unwrap();
        catalog.set_stop(&last, stop).unwrap();
        let mut made_up = catalog.find(RecordingId::new(0)).unwrap();
        made_up.descriptor.recording_id = RecordingId::new(7);

        let storage = MemoryStorage::new(RawAccess::ENGINE);
        storage.create(CATALOG_NAME, 512, Reserve::Space).unwrap().view().put_bytes(0, &bytes(&longer, 0, 512));
        let shorter = Catalog::open(&storage, FileAccess::ReadWrite).unwrap();
        let second = shorter.entries().nth(1).unwrap().unwrap();
        let moved = CatalogEntry { offset: second.offset() + 64, ..second };
        let before = bytes(&storage, 0, 512);
        for entry in [&last, &made_up, &moved] {
            assert_eq!((shorter.stop_position(entry), shorter.start_position(entry).get()), (None, 70_016));
            let outcomes = [
                shorter.set_start(entry, Position::new(196_608)),
                shorter.set_stop(entry, stop),
                shorter.set_session(entry, SessionId::new(5)),
            ];
            for outcome in outcomes {
                assert!(matches!(outcome, Err(JournalError::UnknownRecording { .. })), "{outcome:?}");
            }
        }
        assert!(bytes(&storage, 0, 512) == before);
    }

    /// Some lie in two pages, of which the power may take either.
    #[test]
    fn a_loss_of_power_leaves_whole_entries() {
        use crate::journal::storage::Crash;
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let mut catalog = Catalog::create(&storage).unwrap();
        let mut torn = 0;
        for count in 0..100 {
            let (offset, length) = catalog.write(&example(), RecordingState::Valid, 0).unwrap();
            let second = (offset + length) / 4096 * 4096;
            storage.fail_syncs(CATALOG_NAME, true);
            catalog.add(&example()).unwrap_err();
            storage.fail_syncs(CATALOG_NAME, false);
            for lost in [0, second] {
                let choose = |_: &str, at| if at == lost { Crash::Lost } else { Crash::Kept };
                let found = storage.after_power_loss(choose, Crash::Kept);
                let found = Catalog::open(&found, FileAccess::ReadOnly).unwrap();
                assert!(found.entries().all(|entry| entry.is_ok()) && found.entries().count() == count, "{count}");
            }
            torn += usize::from(second > offset);
            catalog.add(&example()).unwrap();
        }
        assert!(torn > 2);
    }

    #[test]
    fn files_of_old_archives_have_their_own_alignment() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let view = storage.create(CATALOG_NAME, 8192, Reserve::Space).unwrap().view().clone();
        put_i32(&view, header::VERSION, CATALOG_VERSION.bits());
        let mut catalog = Catalog::open(&storage, FileAccess::ReadWrite).unwrap();
        catalog.add(&example()).unwrap();
        catalog.add(&example()).unwrap();
        let offsets: Vec<_> = catalog.entries().map(|entry| entry.unwrap().offset()).collect();
        assert_eq!(offsets, [1024, 2048]);
    }

    #[test]
    fn what_cannot_be_is_refused_where_it_is() {
        let fields: [(usize, i64, usize); 9] = [
            (field::RECORDING_ID, -1, 8),
            (field::START_POSITION, 33, 8),
            (field::START_POSITION, -32, 8),
            (field::STOP_POSITION, 32, 8),
            (field::STOP_POSITION, -2, 8),
            (field::TERM_BUFFER_LENGTH, 3, 4),
            (field::SEGMENT_FILE_LENGTH, 1 << 15, 4),
            (field::MTU_LENGTH, 100, 4),
            (field::BLOCK_LENGTH, 1 << 20, 4),
        ];
        for (field, value, width) in fields {
            let storage = MemoryStorage::new(RawAccess::ENGINE);
            let mut catalog = Catalog::create(&storage).unwrap();
            catalog.add(&example()).unwrap();
            catalog.add(&example()).unwrap();
            let at = HEADER_LENGTH + entry::HEADER_LENGTH + field;
            catalog.view().put_bytes(at, &value.to_le_bytes()[..width]);
            let entries: Vec<_> = catalog.entries().collect();
            assert!(
                matches!(&entries[0], Err(JournalError::Catalog { fault, .. }) if fault.offset == at as u64),
                "{field}: {:?}",
                entries[0]
            );
            assert!(entries[1].is_ok(), "the one behind it is read all the same");
        }
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let error = Catalog::open(&storage, FileAccess::ReadOnly).unwrap_err();
        assert!(matches!(error, JournalError::NotAJournal { .. }), "{error}");
        let view = storage.create(CATALOG_NAME, 8192, Reserve::Space).unwrap().view().clone();
        let error = Catalog::open(&storage, FileAccess::ReadOnly).unwrap_err();
        assert!(error.to_string().contains("version 0.0.0"), "{error}");
        put_i32(&view, header::VERSION, CATALOG_VERSION.bits());
        for alignment in [-64, 7, 12, 1 << 30] {
            put_i32(&view, header::ALIGNMENT, alignment);
            assert!(Catalog::open(&storage, FileAccess::ReadOnly).is_err(), "{alignment}");
        }
    }

    proptest! {
        /// Whatever is in the file, reading it ends, and leaves nothing but entries and errors.
        #[test]
        fn any_bytes_are_read_without_harm(
            noise in proptest::collection::vec((0_usize..600, any::<u8>()), 0..40),
            length in 32_usize..2048,
        ) {
            let storage = MemoryStorage::new(RawAccess::ENGINE);
            let mut catalog = Catalog::create(&storage).unwrap();
            catalog.add(&example()).unwrap();
            catalog.add(&example()).unwrap();
            let mut bytes = vec![0; length.max(600)];
            catalog.view().get_bytes(0, &mut bytes);
            noise.iter().for_each(|&(at, byte)| bytes[at] = byte);
            bytes.truncate(length);
            storage.remove(CATALOG_NAME).unwrap();
            storage.create(CATALOG_NAME, length as u64, Reserve::Space).unwrap().view().put_bytes(0, &bytes);
            if let Ok(catalog) = Catalog::open(&storage, FileAccess::ReadOnly) {
                prop_assert!(catalog.entries().count() <= length / 8);
                let _ = catalog.next_recording_id();
            }
        }
    }
}
