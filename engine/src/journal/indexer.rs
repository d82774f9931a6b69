//! Indexing: walks recorded frames and writes their sidecars. The keeper calls it behind the appenders, and so does the
//! code that rebuilds sidecars from segments.

use crate::memory::Frames;
use crate::types::Position;

use super::checksum::Crc32c;
use super::error::Fault;
use super::segment::{At, Identity};
use super::sidecar::{Begins, INDEX_SPACING, IndexEntry, Sidecar};
use super::storage::Stored;

/// The position that indexing has reached, and the message number and time there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Indexer {
    /// The next frame.
    pub(crate) position: Position,
    /// The number of the next message.
    pub(crate) sequence: i64,
    /// The latest time of a message so far.
    pub(crate) latest: i64,
    /// Whether the frames' reserved values are times.
    pub(crate) stamped: bool,
}

impl Indexer {
    /// Starts at an index entry.
    pub(crate) fn at(entry: IndexEntry, stamped: bool) -> Self {
        Self { position: entry.position, sequence: entry.sequence, latest: entry.time_before, stamped }
    }

    /// The index entry for the current position.
    pub(crate) fn entry(&self) -> IndexEntry {
        IndexEntry { position: self.position, sequence: self.sequence, time_before: self.latest }
    }

    /// Walks the frames of a segment from the current position up to `end`, at most `most` bytes. Writes entries and
    /// checksums to `sidecar`, if given. Stops where there is no frame.
    pub(crate) fn walk(
        &mut self,
        identity: &Identity,
        base: Position,
        frames: &Frames,
        sidecar: Option<&Sidecar>,
        end: Position,
        most: usize,
    ) -> Result<(), Fault> {
        let from = self.position;
        let offset_of = |position: Position| (position.get() - base.get()) as usize;
        let Some(mut cursor) = frames.cursor(offset_of(from)) else {
            return Err(Fault::File("is shorter than a segment"));
        };
        let mut slot = sidecar.map_or(0, |sidecar| next_slot(sidecar, offset_of(from)));
        let outcome = loop {
            if self.position >= end || (self.position.get() - from.get()) as usize >= most {
                break Ok(());
            }
            let found = match identity.look(&mut cursor, self.position) {
                At::Frame(found) => found,
                At::Nothing { .. } => break Ok(()),
                At::Fault(fault) => break Err(fault),
            };
            let offset = offset_of(self.position);
            let begins = Begins::of(&found.frame);
            if let Some(sidecar) = sidecar {
                while slot <= offset / INDEX_SPACING {
                    sidecar.set_entry(slot, self.entry());
                    slot += 1;
                }
                sidecar.set_checksum(offset, &found.frame);
            }
            self.pass(begins);
            self.position = Position::new(self.position.get() + found.occupied as i64);
        };
        // Also in front of a fault. Otherwise the walk that goes on behind it would take all entries for missing.
        if let Some(sidecar) = sidecar {
            sidecar.set_covered(self.position);
        }
        outcome
    }

    /// Counts a frame.
    #[inline]
    pub(crate) fn pass(&mut self, begins: Begins) {
        if begins.message {
            self.sequence += 1;
            if self.stamped {
                self.latest = self.latest.max(begins.time);
            }
        }
    }
}

/// The first index slot to fill when a frame is indexed at `offset`: the one after the last filled slot.
fn next_slot(sidecar: &Sidecar, offset: usize) -> usize {
    let slots = 0..=offset / INDEX_SPACING;
    slots.rev().find(|&slot| sidecar.entry(slot).is_some()).map_or(0, |slot| slot + 1)
}

/// The CRC-32C of the first `length` bytes of a file.
pub(crate) fn file_checksum(stored: &Stored, length: usize) -> u32 {
    const CHUNK: usize = 64 << 10;
    let mut bytes = vec![0; CHUNK];
    let mut checksum = Crc32c::new();
    for start in (0..length).step_by(CHUNK) {
        let bytes = &mut bytes[..CHUNK.min(length - start)];
        stored.view().get_bytes(start, bytes);
        checksum.append(bytes);
    }
    checksum.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::journal::storage::{MemoryStorage, Storage};
    use crate::journal::{Journal, JournalOptions, segment_name};
    use crate::memory::{FileAccess, RawAccess};

    /// Where little is appended, each look finds a frame or two, and may begin with the one that begins a slot.
    #[test]
    fn an_index_is_the_same_in_however_many_steps_it_is_made() {
        const SEGMENT: i64 = 4 << 20;
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(RawAccess::ENGINE));
        let options = JournalOptions::new().term_length(SEGMENT).segment_length(SEGMENT).start_position(100_032.into());
        let journal = Journal::create_in(Arc::clone(&storage), &options).unwrap();
        let mut appender = journal.appender().unwrap();
        // No frame begins where a slot does.
        while journal.tail().get() < 1 << 20 {
            appender.append(&[7; 100]).unwrap();
        }
        // Padding, in which many slots begin.
        appender.fill_segment().unwrap();
        let descriptor = journal.descriptor().clone();
        drop(appender);
        journal.close().unwrap();
        let base = Position::new(0);
        let stored = storage.open(&segment_name(descriptor.recording_id, base), 1, FileAccess::ReadOnly).unwrap();
        let frames = Frames::new(stored.view());
        let entries = |step: usize| {
            let sidecar = Sidecar::create(&*storage, &descriptor, base).unwrap();
            let first = IndexEntry { position: descriptor.start_position, sequence: 0, time_before: 0 };
            let mut indexer = Indexer::at(first, true);
            for end in (first.position.get()..=SEGMENT).rev().step_by(step).collect::<Vec<_>>().into_iter().rev() {
                indexer.walk(&descriptor.identity(), base, &frames, Some(&sidecar), end.into(), usize::MAX).unwrap();
            }
            assert_eq!(indexer.position.get(), SEGMENT);
            (0..sidecar.slots()).map(|slot| sidecar.entry(slot)).collect::<Vec<_>>()
        };
        let at_once = entries(usize::MAX);
        assert_eq!(at_once.iter().flatten().count(), 49, "all but those in the last padding");
        assert_eq!(entries(160), at_once);
    }
}
