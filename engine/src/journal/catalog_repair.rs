//! Rebuilds a catalog that is lost or damaged: from entries that can be read, from the copies of entries, and where
//! there is no copy, from the control page and the first frame of a recording. `repair` calls this while nobody has any
//! of the recordings open. The old catalog is kept as it was.

use std::collections::BTreeSet;

use crate::memory::{FileAccess, Reserve};
use crate::types::{Mtu, Position, RecordingId, SessionId, StreamId};

use super::catalog::{CATALOG_NAME, Catalog, CatalogEntry, RecordingState, fault_of};
use super::control::Control;
use super::descriptor::RecordingDescriptor;
use super::entry_copy::kept_entry;
use super::error::JournalError;
use super::locks::{lock_writing, open_lock_name, unless_forbidden};
use super::making::find_segment;
use super::recovery::stop_by_frames;
use super::segment::{SegmentKind, SegmentLayout, parse_segment_name};
use super::storage::{Share, Storage};

/// How a catalog was rebuilt, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairedCatalog {
    /// What was wrong with the catalog.
    pub fault: String,
    /// The recordings whose entries were rebuilt.
    pub recordings: Vec<RecordingId>,
    /// The file that holds the previous catalog. `None` if there was no catalog.
    pub kept_in: Option<String>,
}

/// What the examination of a catalog found: its fault, and the content that it should have.
struct Found {
    repaired: RepairedCatalog,
    entries: Vec<CatalogEntry>,
    next_id: RecordingId,
}

/// Rebuilds the catalog if it is damaged, and returns the report and the entries. Returns `None` if the catalog is
/// whole. With `dry_run`, writes nothing.
pub(crate) fn repair_catalog(
    storage: &dyn Storage,
    dry_run: bool,
) -> Result<Option<(RepairedCatalog, Vec<CatalogEntry>)>, JournalError> {
    // Examine first, so that nothing is created in a directory without a journal.
    if examine(storage)?.is_none() {
        return Ok(None);
    }
    let _opening = unless_forbidden(lock_writing(storage), dry_run)?;
    let Some(mut found) = examine(storage)? else { return Ok(None) };
    let mut alone = Vec::new();
    for entry in &found.entries {
        let recording_id = entry.descriptor.recording_id;
        let in_use = || JournalError::InUse { recording_id, path: storage.path("") };
        let lock = storage.try_lock(&open_lock_name(recording_id), Share::Exclusive);
        if let Some(lock) = unless_forbidden(lock, dry_run)? {
            alone.push(lock.ok_or_else(in_use)?);
        }
    }
    if !dry_run {
        found.repaired.kept_in = keep_as_it_is(storage)?;
        Catalog::replace(storage, &found.entries, found.next_id)?;
    }
    Ok(Some((found.repaired, found.entries)))
}

fn examine(storage: &dyn Storage) -> Result<Option<Found>, JournalError> {
    let (mut entries, mut next_id, mut fault) = (Vec::new(), RecordingId::new(0), None);
    match Catalog::open(storage, FileAccess::ReadOnly) {
        Ok(catalog) => {
            next_id = catalog.told_next_id();
            for entry in catalog.entries() {
                match entry {
                    Ok(entry) => entries.push(entry),
                    Err(error) => fault = fault.or(Some(fault_of(&error))),
                }
            }
        }
        Err(error @ (JournalError::Unlisted { .. } | JournalError::Catalog { .. })) => fault = Some(fault_of(&error)),
        Err(error) => return Err(error),
    }
    let ids: BTreeSet<RecordingId> = segments(storage)?.into_iter().map(|(id, _)| id).collect();
    // An entry that cannot be read may be the one that is missed.
    let mut recordings = if fault.is_none() { put_ids_right(storage, &ids, &mut entries)? } else { Vec::new() };
    if let Some(id) = recordings.first() {
        fault = fault.or_else(|| Some(format!("the entry of recording {id} has another id")));
    }
    for entry in &mut entries {
        if let Some((whom, right)) = contradicted(storage, entry)? {
            let id = right.descriptor.recording_id;
            fault = fault.or_else(|| Some(format!("the catalog says otherwise of recording {id} than {whom}")));
            if !recordings.contains(&id) {
                recordings.push(id);
            }
            *entry = right;
        }
    }
    let listed = ids_of(&entries);
    for &id in ids.difference(&listed) {
        let Some(descriptor) = told(storage, id)? else {
            if fault.is_none() && id < next_id {
                // An archive has dropped the recording from its catalog and left the files.
                continue;
            }
            let found = format!(
                "it does not tell of recording {id}, whose segments are there, and neither do {id}.entry and {id}.control: it cannot be made again"
            );
            return Err(JournalError::Malformed { path: storage.path(CATALOG_NAME), offset: 0, found });
        };
        entries.push(CatalogEntry { state: RecordingState::Valid, checksum: 0, descriptor, offset: 0 });
        recordings.push(id);
    }
    entries.sort_by_key(|entry| entry.descriptor.recording_id);
    let last = entries.last().map_or(0, |entry| entry.descriptor.recording_id.get() + 1);
    let next_id = next_id.max(RecordingId::new(last));
    let fault =
        fault.or_else(|| (!recordings.is_empty()).then(|| "the catalog does not name all recordings".to_owned()));
    Ok(fault.map(|fault| Found { repaired: RepairedCatalog { fault, recordings, kept_in: None }, entries, next_id }))
}

fn ids_of(entries: &[CatalogEntry]) -> BTreeSet<RecordingId> {
    entries.iter().map(|entry| entry.descriptor.recording_id).collect()
}

/// Finds entries whose id is wrong, puts it right, and returns these ids. No entry names a recording whose segments are there;
/// one begins when that recording did, is where its entry belongs in the order of ids, and has an id without segments or
/// with another entry. Of entries that still have the same id, the first valid one stays.
fn put_ids_right(
    storage: &dyn Storage,
    recorded: &BTreeSet<RecordingId>,
    entries: &mut Vec<CatalogEntry>,
) -> Result<Vec<RecordingId>, JournalError> {
    let mut right = Vec::new();
    for &id in recorded.difference(&ids_of(entries)) {
        let Some(copy) = kept_entry(storage, id)? else { continue };
        let id_at = |at: usize| entries[at].descriptor.recording_id;
        let is_its_own = |at: usize| {
            let others = (0..entries.len()).filter(|&other| other != at);
            let is_in_order = others.clone().all(|other| (other < at) == (id_at(other) < id));
            let is_doubtful = !recorded.contains(&id_at(at)) || others.clone().any(|other| id_at(other) == id_at(at));
            is_in_order && is_doubtful && entries[at].descriptor.start_timestamp == copy.start_timestamp
        };
        if let Some(at) = (0..entries.len()).find(|&at| is_its_own(at)) {
            entries[at].descriptor.recording_id = id;
            right.push(id);
        }
    }
    // A stable sort: of the same id, a valid entry comes first.
    entries.sort_by_key(|entry| (entry.descriptor.recording_id, entry.state != RecordingState::Valid));
    entries.dedup_by_key(|entry| entry.descriptor.recording_id);
    Ok(right)
}

/// The recorded segments of all recordings, in order.
fn segments(storage: &dyn Storage) -> Result<Vec<(RecordingId, Position)>, JournalError> {
    let names = storage.names()?;
    let parsed = names.iter().filter_map(|name| parse_segment_name(name));
    let mut segments: Vec<_> =
        parsed.filter(|&(.., kind)| kind == SegmentKind::Recorded).map(|(id, base, _)| (id, base)).collect();
    segments.sort_unstable();
    Ok(segments)
}

/// What says otherwise of a recording than its entry, if there is something, and the entry as it should be. Repair makes the
/// catalog again then.
///
/// The copy of the entry counts if it belongs to the same recording. Only the start position, which pruning moves by whole
/// segments, the stop position and the session may differ from it. The stop position is compared with the frames.
pub(crate) fn contradicted(
    storage: &dyn Storage,
    entry: &CatalogEntry,
) -> Result<Option<(&'static str, CatalogEntry)>, JournalError> {
    let found = &entry.descriptor;
    let id = found.recording_id;
    let copy = kept_entry(storage, id)?.filter(|copy| copy.start_timestamp == found.start_timestamp);
    let is_valid = match entry.state {
        RecordingState::Valid => true,
        RecordingState::Unknown(_) => copy.is_some(),
        RecordingState::Invalid | RecordingState::Deleted => false,
    };
    if !is_valid {
        return Ok(None);
    }
    let mut right = CatalogEntry { state: RecordingState::Valid, ..entry.clone() };
    if let Some(copy) = copy {
        let was = copy.layout();
        let from_base = found.start_position.get() - was.base(was.start_position).get();
        let can_start =
            found.start_position == was.start_position || from_base % i64::from(was.segment_length.get()) == 0;
        let start_position = if can_start { found.start_position } else { start_now(storage, id, &was)? };
        right.descriptor = RecordingDescriptor {
            control_session_id: found.control_session_id,
            correlation_id: found.correlation_id,
            stop_timestamp: found.stop_timestamp,
            start_position,
            stop_position: found.stop_position,
            session_id: found.session_id,
            ..copy
        };
    }
    let contradicts_copy = right != *entry;
    let stop = stop_by_frames(storage, &right.descriptor)?;
    if stop != right.descriptor.stop_position {
        let stop_timestamp = right.descriptor.stop_timestamp.filter(|_| stop.is_some());
        right.descriptor = RecordingDescriptor { stop_position: stop, stop_timestamp, ..right.descriptor };
    }
    let whom = if contradicts_copy { "the copy of its entry" } else { "its frames, which end elsewhere" };
    Ok((right != *entry).then_some((whom, right)))
}

/// Where a recording that began with this layout starts now: at its beginning, or where it was pruned to, as the control page or
/// the first segment tells.
fn start_now(storage: &dyn Storage, id: RecordingId, was: &SegmentLayout) -> Result<Position, JournalError> {
    let told = Control::layout_of(storage, id)?.map(|layout| layout.start_position);
    let first = segments(storage)?.into_iter().find(|&(found, base)| found == id && was.is_base(base));
    let first = first.map(|(_, base)| base);
    let start = [told, first].into_iter().flatten();
    let start = start.filter(|&start| start > was.start_position && was.is_base(start)).max();
    Ok(start.unwrap_or(was.start_position))
}

/// The descriptor of a recording without an entry, reconstructed from its other files. Recovery finds its end.
fn told(storage: &dyn Storage, id: RecordingId) -> Result<Option<RecordingDescriptor>, JournalError> {
    let layout = Control::layout_of(storage, id)?;
    let descriptor = match (kept_entry(storage, id)?, layout) {
        (Some(copy), _) => copy,
        (None, Some(layout)) => {
            let (session_id, stream_id) =
                first_ids(storage, id, layout.base(layout.start_position), layout.start_position)?;
            RecordingDescriptor {
                control_session_id: 0,
                correlation_id: 0,
                recording_id: id,
                start_timestamp: crate::time::EpochMillis::new(0),
                stop_timestamp: None,
                start_position: layout.start_position,
                stop_position: None,
                initial_term_id: layout.initial_term_id,
                segment_length: layout.segment_length,
                term_length: layout.term_length,
                mtu: Mtu::MAX,
                session_id,
                stream_id,
                stripped_channel: "aeron:ipc".to_owned(),
                original_channel: "aeron:ipc".to_owned(),
                source_identity: "gannet-journal".to_owned(),
            }
        }
        (None, None) => return Ok(None),
    };
    let start_position = start_now(storage, id, &descriptor.layout())?;
    Ok(Some(RecordingDescriptor { start_position, stop_timestamp: None, stop_position: None, ..descriptor }))
}

/// The ids in the first frame of a recording. The default ids of a journal if there is no frame.
fn first_ids(
    storage: &dyn Storage,
    id: RecordingId,
    base: Position,
    start: Position,
) -> Result<(SessionId, StreamId), JournalError> {
    let offset = (start.get() - base.get()) as usize;
    let stored = find_segment(storage, id, base, (offset + 32) as u64, FileAccess::ReadOnly)?;
    let word = |at: usize| stored.as_ref().map_or(0, |stored| stored.view().word_at::<i32>(offset + at).load_relaxed());
    if word(0) <= 0 {
        return Ok((SessionId::new(1), StreamId::new(1)));
    }
    Ok((SessionId::new(word(12)), StreamId::new(word(16))))
}

/// Keeps a copy of the present catalog.
fn keep_as_it_is(storage: &dyn Storage) -> Result<Option<String>, JournalError> {
    let Some(stored) = storage.find_whole(CATALOG_NAME, 1, FileAccess::ReadOnly)? else { return Ok(None) };
    let name = storage.free_name(format!("{CATALOG_NAME}.quarantine"))?;
    let length = stored.view().len();
    let kept = storage.create(&name, length as u64, Reserve::Space)?;
    kept.view().copy_from(0, stored.view(), 0, length);
    let failed = |source| JournalError::Io { action: "sync", path: storage.path(&name), source };
    kept.sync(0, length).map_err(failed)?;
    storage.sync_names()?;
    Ok(Some(name))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::journal::control::Chosen;
    use crate::journal::creation;
    use crate::journal::repair::repair;
    use crate::journal::storage::MemoryStorage;
    use crate::journal::{Journal, JournalOptions, Recording, Retention, Start};
    use crate::memory::RawAccess;

    const ENTRY: usize = 32;
    const RECORDING_ID: usize = 16;

    /// Three recordings, of which each has a message with its id, and the offsets of their entries.
    fn three() -> (MemoryStorage, Vec<usize>) {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10);
        let journal = Journal::create_in(Arc::new(storage.clone()), &options).unwrap();
        let descriptor = journal.descriptor().clone();
        drop(journal);
        for _ in 1..3 {
            let catalog = Catalog::open(&storage, FileAccess::ReadWrite).unwrap();
            creation::begin(&storage, Some(catalog), descriptor.clone(), &Chosen::NOTHING, &Retention::new()).unwrap();
        }
        for id in 0..3_i64 {
            let journal = Journal::open_in(Arc::new(storage.clone()), Some(RecordingId::new(id))).unwrap();
            journal.appender().unwrap().append(&id.to_le_bytes()).unwrap();
            journal.close().unwrap();
        }
        let catalog = Catalog::open(&storage, FileAccess::ReadOnly).unwrap();
        let offsets = catalog.entries().map(|entry| entry.unwrap().offset()).collect();
        (storage, offsets)
    }

    /// One flipped bit of each of these makes it another recording's id, another that is not there, or no state.
    #[test]
    fn an_entry_with_a_flipped_bit_in_its_id_or_its_state_is_its_recording_s_again() {
        let (whole, offsets) = three();
        let places = offsets.iter().flat_map(|&at| [(at + ENTRY + RECORDING_ID, 0..62), (at + 4, 1..32)]);
        for (at, bit) in places.flat_map(|(at, bits)| bits.map(move |bit| (at, bit))) {
            let storage = whole.after_kill();
            let stored = storage.open(CATALOG_NAME, 1, FileAccess::ReadWrite).unwrap();
            let mut byte = [0];
            stored.view().get_bytes(at + bit / 8, &mut byte);
            stored.view().put_bytes(at + bit / 8, &[byte[0] ^ 1 << (bit % 8)]);
            let what = format!("bit {bit} at {at}");
            if byte[0] ^ 1 << (bit % 8) == 2 {
                // The state of a deleted recording, which it may be.
                continue;
            }
            let storage: Arc<dyn Storage> = Arc::new(storage);
            let done =
                repair(Arc::clone(&storage), None, false, |_| {}).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(done.catalog.as_ref().map(|catalog| catalog.recordings.len()), Some(1), "{what}: {done:?}");
            let catalog = Catalog::open(&*storage, FileAccess::ReadOnly).unwrap();
            let before = Catalog::open(&whole, FileAccess::ReadOnly).unwrap();
            assert!(catalog.entries().map(Result::unwrap).eq(before.entries().map(Result::unwrap)), "{what}");
            assert_eq!(catalog.next_recording_id().get(), 3, "{what}");
            for id in 0..3_i64 {
                let recording = Recording::open_in(Arc::clone(&storage), Some(RecordingId::new(id))).unwrap();
                let mut tailer = recording.tailer(Start::Begin).unwrap();
                assert_eq!(
                    tailer.next().unwrap().map(|record| record.payload().to_vec()),
                    Some(id.to_le_bytes().into())
                );
            }
        }
    }
}
