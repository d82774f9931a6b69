//! Rebuilds sidecars from segments: the index, and the checksums of the present content. It needs the keeper's lock, so
//! it is refused while a journal's helper thread writes them.

use std::path::PathBuf;
use std::sync::Arc;

use crate::logbuffer::FRAME_ALIGNMENT;
use crate::memory::{FileAccess, Frames};
use crate::types::{Position, RecordingId};

use super::control::Control;
use super::descriptor::RecordingDescriptor;
use super::error::{Damage, Fault, JournalError};
use super::first_entry::first_entry;
use super::indexer::{Indexer, file_checksum};
use super::locks::{keeper_lock_name, prune_lock_name, wait_for_lock};
use super::making::find_segment;
use super::options::Stamps;
use super::recording::Recording;
use super::recovery::known_positions;
use super::segment::{At, segment_name};
use super::sidecar::Sidecar;
use super::storage::{Directory, Share, Storage, Stored};

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
    let name = keeper_lock_name(descriptor.recording_id);
    let Some(_keeper) = storage.try_lock(&name, Share::Exclusive)? else {
        let source = std::io::Error::other("somebody has the journal open, and its helper thread writes the sidecars");
        return Err(JournalError::Io { action: "lock", path: storage.path(&name), source });
    };
    recording.check_recovered()?;
    // Nothing is pruned while it is being read.
    let _pruning = wait_for_lock(&**storage, &prune_lock_name(descriptor.recording_id))?;
    let start = recording.start_position();
    let first = first_entry(&**storage, descriptor, start)?;
    // Behind what is recorded, killed appenders may have left claims without frames. Recovery makes padding of those, and
    // what follows is indexed when it is recorded.
    let known = known_positions(&**storage, descriptor, recording.control())?;
    let end = recording.stop_position().or(known.map(|known| known.recorded));
    let mut rebuild = Rebuild {
        storage: &**storage,
        descriptor,
        start,
        end,
        indexer: Indexer::at(first, recording.stamps() != Stamps::None),
        gap: None,
        damages: Vec::new(),
    };
    let mut segments = 0;
    for base in recording.segment_bases_to(end.unwrap_or(start))? {
        rebuild.segment(base)?;
        segments += 1;
        progress(rebuild.indexer.position);
    }
    if end.is_some_and(|end| rebuild.indexer.position < end) {
        rebuild.open_gap(Fault::MISSING);
        rebuild.note_gap();
    }
    storage.sync_names()?;
    let Rebuild { indexer, damages, .. } = rebuild;
    if let Some(control) = Control::open(&**storage, descriptor, FileAccess::ReadWrite)? {
        control.rewind_indexed(indexer.position.min(control.recorded_position()).max(start));
    }
    let messages = (indexer.sequence - first.sequence).unsigned_abs();
    Ok(Reindexed { segments, messages, end: indexer.position, damages })
}

/// The state of a rebuild, which goes from segment to segment.
struct Rebuild<'a> {
    storage: &'a dyn Storage,
    descriptor: &'a RecordingDescriptor,
    start: Position,
    /// The position up to which everything is recorded. `None` if nobody knows.
    end: Option<Position>,
    indexer: Indexer,
    /// Where there is no frame. It is damage if the recording goes on behind it.
    gap: Option<Damage>,
    damages: Vec<Damage>,
}

impl Rebuild<'_> {
    /// Makes the sidecar of the next segment.
    fn segment(&mut self, base: Position) -> Result<(), JournalError> {
        let name = segment_name(self.descriptor.recording_id, base);
        let stored = match find_segment(self.storage, self.descriptor.recording_id, base, 1, FileAccess::ReadOnly)? {
            Some(stored) => stored,
            None => self.storage.open(&name, 1, FileAccess::ReadOnly)?,
        };
        // It replaces the old one when it is complete: readers never see half of it, and a kill loses none.
        Sidecar::make(self.storage, self.descriptor, base, |sidecar| {
            if self.end.is_none_or(|end| base < end) {
                self.walk(base, &stored, sidecar);
            }
            let failed = |source| JournalError::Io { action: "sync", path: self.storage.path(&name), source };
            sidecar.sync(0, self.descriptor.segment_length.get() as usize).map_err(failed)
        })?;
        Ok(())
    }

    /// Walks the frames of a segment, and skips damage.
    fn walk(&mut self, base: Position, stored: &Stored, sidecar: &Sidecar) {
        let identity = self.descriptor.identity();
        let next_base = identity.layout.next_base(base);
        let segment_end = self.end.map_or(next_base, |end| end.min(next_base));
        let segment_length = identity.layout.segment_length.get() as usize;
        let length = stored.view().len().min(segment_length);
        let frames = Frames::new(&stored.view().slice(0, length));
        let begin = base.max(self.start);
        if self.indexer.position < begin {
            self.open_gap(Fault::MISSING);
            self.indexer.position = begin;
        }
        loop {
            let from = self.indexer.position;
            let outcome = self.indexer.walk(&identity, base, &frames, Some(sidecar), segment_end, usize::MAX);
            if self.indexer.position > from {
                self.note_gap();
            }
            if self.indexer.position >= segment_end {
                break;
            }
            // The kind of fault does not matter here, only whether the recording continues after it.
            self.open_gap(outcome.err().unwrap_or(Fault::Hole));
            let places = (self.indexer.position.get()..segment_end.get()).step_by(FRAME_ALIGNMENT).skip(1);
            let next = places.map(Position::new).find(|&place| {
                let cursor = frames.cursor((place.get() - base.get()) as usize);
                cursor.is_some_and(|mut cursor| matches!(identity.look(&mut cursor, place), At::Frame(_)))
            });
            match (next, self.end) {
                (Some(next), _) => self.indexer.position = next,
                (None, None) => break,
                // The rest of the segment is damage.
                (None, Some(_)) => {
                    self.note_gap();
                    self.indexer.position = segment_end;
                    sidecar.set_covered(segment_end);
                    break;
                }
            }
        }
        if !stored.is_intact() {
            self.damages.push(self.damage(Fault::CUT_SHORT));
        } else if self.indexer.position == next_base && length == segment_length {
            sidecar.seal(file_checksum(stored, segment_length));
        }
    }

    /// Remembers that there is no frame at the present position.
    fn open_gap(&mut self, fault: Fault) {
        if self.gap.is_none() {
            self.gap = Some(self.damage(fault));
        }
    }

    /// The recording continues behind the gap, if there is one.
    fn note_gap(&mut self) {
        self.damages.extend(self.gap.take());
    }

    fn damage(&self, fault: Fault) -> Damage {
        let base = self.descriptor.layout().base(self.indexer.position);
        let path = self.storage.path(&segment_name(self.descriptor.recording_id, base));
        Damage::in_segment(path, base, self.indexer.position, fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::appender::Appender;
    use crate::journal::catalog::Catalog;
    use crate::journal::storage::MemoryStorage;
    use crate::journal::writer::Writer;
    use crate::journal::{Journal, JournalOptions};
    use crate::memory::RawAccess;

    /// Nobody may have given the segment of the tail its final name when all are killed.
    #[test]
    fn what_is_recorded_in_a_segment_without_its_final_name_is_there() {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(RawAccess::ENGINE));
        let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10).mtu(1408);
        let journal = Journal::create_in(Arc::clone(&storage), &options).unwrap();
        let descriptor = journal.descriptor().clone();
        journal.close().unwrap();
        let catalog = Catalog::open(&*storage, FileAccess::ReadWrite).unwrap();
        catalog.set_stop(&catalog.find(descriptor.recording_id).unwrap(), None).unwrap();
        let control = Control::open(&*storage, &descriptor, FileAccess::ReadWrite).unwrap().unwrap();
        let writer = Arc::new(Writer::new(Arc::clone(&storage), descriptor, control));
        let mut appender = Appender::new(&writer).unwrap();
        let mut messages = 0;
        while writer.advance().unwrap().get() < 100_000 {
            appender.append(&[7; 1000]).unwrap();
            messages += 1;
        }
        let done = reindex_in(&storage, None, &mut |_| ()).unwrap();
        assert_eq!((done.messages, done.end, done.damages), (messages, writer.advance().unwrap(), Vec::new()));
    }
}
