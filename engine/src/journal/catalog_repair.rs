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
use super::segment::{SegmentKind, parse_segment_name};
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
            next_id = catalog.next_recording_id();
            for entry in catalog.entries() {
                match entry {
                    Ok(entry) => entries.push(entry),
                    Err(error) => fault = fault.or(Some(fault_of(&error))),
                }
            }
        }
        Err(error @ (JournalError::Unlisted { .. } | JournalError::Malformed { .. })) => fault = Some(fault_of(&error)),
        Err(error) => return Err(error),
    }
    let mut recordings = Vec::new();
    for entry in &mut entries {
        let descriptor = corrected(storage, entry)?;
        if descriptor != entry.descriptor {
            let id = descriptor.recording_id;
            fault = fault
                .or_else(|| Some(format!("the catalog says otherwise of recording {id} than the copy of its entry")));
            entry.descriptor = descriptor;
            recordings.push(id);
        }
    }
    let segments = segments(storage)?;
    let listed: BTreeSet<RecordingId> = entries.iter().map(|entry| entry.descriptor.recording_id).collect();
    let recorded = segments.iter().filter(|(.., kind)| *kind == SegmentKind::Recorded);
    let ids: BTreeSet<RecordingId> = recorded.map(|&(id, ..)| id).collect();
    for &id in ids.difference(&listed) {
        let bases: Vec<_> =
            segments.iter().filter(|(found, ..)| *found == id).map(|&(_, base, kind)| (base, kind)).collect();
        let Some(descriptor) = told(storage, id, &bases)? else {
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

/// The existing segments of all recordings.
fn segments(storage: &dyn Storage) -> Result<Vec<(RecordingId, Position, SegmentKind)>, JournalError> {
    let mut segments: Vec<_> = storage.names()?.iter().filter_map(|name| parse_segment_name(name)).collect();
    segments.sort_unstable();
    Ok(segments)
}

/// Whether an entry says otherwise than its copy, so that repair would make the catalog again.
pub(crate) fn contradicts_copy(storage: &dyn Storage, entry: &CatalogEntry) -> Result<bool, JournalError> {
    Ok(corrected(storage, entry)? != entry.descriptor)
}

/// The descriptor that an entry should have according to its copy, if the copy belongs to the same recording. Only the
/// start position, the stop position and the session may legitimately differ.
fn corrected(storage: &dyn Storage, entry: &CatalogEntry) -> Result<RecordingDescriptor, JournalError> {
    let descriptor = &entry.descriptor;
    let copy = kept_entry(storage, descriptor.recording_id)?;
    let copy =
        copy.filter(|copy| entry.state == RecordingState::Valid && copy.start_timestamp == descriptor.start_timestamp);
    Ok(copy.map_or_else(
        || descriptor.clone(),
        |copy| RecordingDescriptor {
            control_session_id: descriptor.control_session_id,
            correlation_id: descriptor.correlation_id,
            stop_timestamp: descriptor.stop_timestamp,
            start_position: descriptor.start_position,
            stop_position: descriptor.stop_position,
            session_id: descriptor.session_id,
            ..copy
        },
    ))
}

/// The descriptor of a recording without an entry, reconstructed from its other files. Recovery finds its end.
fn told(
    storage: &dyn Storage,
    id: RecordingId,
    segments: &[(Position, SegmentKind)],
) -> Result<Option<RecordingDescriptor>, JournalError> {
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
    // Pruned since then: the start is in the control page, or follows from the segments.
    let was = descriptor.layout();
    let first = segments.iter().find(|&&(base, kind)| kind == SegmentKind::Recorded && was.is_base(base));
    let start = [layout.map(|layout| layout.start_position), first.map(|&(base, _)| base)].into_iter().flatten();
    let start = start.filter(|&start| start > was.start_position && was.is_base(start)).max();
    let start_position = start.unwrap_or(was.start_position);
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
    let names = storage.names()?;
    let numbered = (2..).map(|number| format!("{CATALOG_NAME}.quarantine-{number}"));
    let name = std::iter::once(format!("{CATALOG_NAME}.quarantine"))
        .chain(numbered)
        .find(|name| !names.contains(name))
        .unwrap_or_default();
    let length = stored.view().len();
    let kept = storage.create(&name, length as u64, Reserve::Space)?;
    kept.view().copy_from(0, stored.view(), 0, length);
    let failed = |source| JournalError::Io { action: "sync", path: storage.path(&name), source };
    kept.sync(0, length).map_err(failed)?;
    storage.sync_names()?;
    Ok(Some(name))
}
