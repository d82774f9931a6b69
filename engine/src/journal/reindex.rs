//! Rebuilds sidecars from segments: the index, and the checksums of the present content. It needs the keeper's lock, so
//! it is refused while a journal's helper thread writes them.

use std::path::PathBuf;
use std::sync::Arc;

use crate::logbuffer::FRAME_ALIGNMENT;
use crate::memory::{FileAccess, Frames};
use crate::types::{Position, RecordingId};

use super::control::Control;
use super::error::{Damage, Fault, JournalError};
use super::first_entry::first_entry;
use super::indexer::{Indexer, file_checksum};
use super::locks::{keeper_lock_name, prune_lock_name, wait_for_lock};
use super::options::Stamps;
use super::recording::Recording;
use super::segment::{At, segment_name};
use super::sidecar::Sidecar;
use super::storage::{Directory, Share, Storage};

/// The result of rebuilding sidecars.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reindexed {
    /// The number of segments with new sidecars.
    pub segments: u64,
    /// The number of messages in the index.
    pub messages: u64,
    /// The position up to which the segments were read.
    pub end: Position,
    /// Places without a valid frame although the recording continues after them. They are skipped and not changed.
    pub damages: Vec<Damage>,
}

/// Rebuilds the sidecars of a recording from its segments: the recording with this id, or the last one of the
/// directory. Calls `progress` with the position after each segment.
///
/// The new checksums are computed from the current content of the segments. If there are checksums, verify them first.
///
/// # Errors
///
/// [`JournalError::Io`] while a process has the journal open for writing. [`JournalError::NotRecovered`] after a loss of
/// power, until somebody opens the journal for writing or repairs it. Otherwise what is wrong with the files.
pub fn reindex(
    dir: impl Into<PathBuf>,
    recording_id: Option<RecordingId>,
    mut progress: impl FnMut(Position),
) -> Result<Reindexed, JournalError> {
    let storage: Arc<dyn Storage> = Arc::new(Directory::at(dir));
    reindex_in(&storage, recording_id, &mut progress)
}

/// As [`reindex`], in any storage.
pub(crate) fn reindex_in(
    storage: &Arc<dyn Storage>,
    recording_id: Option<RecordingId>,
    progress: &mut dyn FnMut(Position),
) -> Result<Reindexed, JournalError> {
    let recording = Recording::open_in(Arc::clone(storage), recording_id)?;
    let descriptor = recording.descriptor();
    let identity = descriptor.identity();
    let layout = identity.layout;
    let name = keeper_lock_name(descriptor.recording_id);
    let Some(_keeper) = storage.try_lock(&name, Share::Exclusive)? else {
        let source = std::io::Error::other("somebody has the journal open, and its helper thread writes the sidecars");
        return Err(JournalError::Io { action: "lock", path: storage.path(&name), source });
    };
    recording.check_recovered()?;
    let mut done = Reindexed::default();
    // Nothing is pruned while it is being read.
    let _pruning = wait_for_lock(&**storage, &prune_lock_name(descriptor.recording_id))?;
    let start = recording.start_position();
    let first = first_entry(&**storage, descriptor, start)?;
    let mut indexer = Indexer::at(first, recording.stamps() != Stamps::None);
    let end = recording.stop_position().unwrap_or(layout.end());
    for base in recording.segment_bases()? {
        let segment_end = layout.next_base(base).min(end);
        indexer.position = indexer.position.max(base.max(start));
        let name = segment_name(descriptor.recording_id, base);
        let stored = storage.open(&name, 1, FileAccess::ReadOnly)?;
        let length = stored.view().len().min(layout.segment_length.get() as usize);
        let frames = Frames::new(&stored.view().slice(0, length));
        let sidecar = Sidecar::create(&**storage, descriptor, base)?;
        loop {
            let outcome = indexer.walk(&identity, base, &frames, Some(&sidecar), segment_end, usize::MAX);
            if indexer.position >= segment_end {
                break;
            }
            // The kind of fault does not matter here, only whether the recording continues after it.
            let places =
                (indexer.position.get() + 1..segment_end.get()).filter(|place| place % FRAME_ALIGNMENT as i64 == 0);
            let next = places.map(Position::new).find(|&place| {
                let cursor = frames.cursor((place.get() - base.get()) as usize);
                cursor.is_some_and(|mut cursor| matches!(identity.look(&mut cursor, place), At::Frame(_)))
            });
            let Some(next) = next else { break };
            let fault = outcome.err().unwrap_or(Fault::Hole);
            done.damages.push(Damage::in_segment(storage.path(&name), base, indexer.position, fault));
            indexer.position = next;
        }
        let whole = stored.is_intact();
        if !whole {
            done.damages.push(Damage::in_segment(storage.path(&name), base, indexer.position, Fault::CUT_SHORT));
        }
        if whole && indexer.position == layout.next_base(base) && length == layout.segment_length.get() as usize {
            sidecar.seal(file_checksum(&stored, length));
        }
        let failed = |source| JournalError::Io { action: "sync", path: storage.path(&name), source };
        sidecar.sync(0, layout.segment_length.get() as usize).map_err(failed)?;
        done.segments += 1;
        done.end = indexer.position;
        progress(indexer.position);
    }
    storage.sync_names()?;
    done.messages = (indexer.sequence - first.sequence).unsigned_abs();
    if let Some(control) = Control::open(&**storage, descriptor, FileAccess::ReadWrite)? {
        control.rewind_indexed(done.end.min(control.recorded_position()).max(start));
    }
    Ok(done)
}
