//! The sidecar of a segment: a sparse index of positions, sequence numbers and times, and a CRC-32C for every frame and
//! for the whole segment. The keeper writes it behind the appenders; tailers, recovery and `verify` read it. It can be
//! lost at any time, and rebuilt from the segment. Its content is untrusted: it is checked before use, and used only
//! where a false value does no harm.
//!
//! ```text
//!     0  version | header length | recording id | base | segment length | spacing | covered | sealed | segment's CRC-32C
//!  4096  entries of 32 bytes, one for each 64 KiB of the segment: position | sequence number | time | 0
//!     ?  CRC-32C of the frame that begins at each multiple of 32 bytes of the segment; 0 where none begins
//! ```

use crate::logbuffer::{FRAME_ALIGNMENT, flags, frame, frame_type};
use crate::memory::{CommittedFrame, Field, FileAccess, Reserve};
use crate::types::{Position, RecordingId, SemanticVersion};

use super::checksum::crc32c;
use super::descriptor::RecordingDescriptor;
use super::error::{Fault, JournalError};
use super::preamble::{PREAMBLE_LENGTH, Preamble};
use super::storage::{Storage, Stored};

/// The version of the sidecar's layout.
pub const SIDECAR_VERSION: SemanticVersion = SemanticVersion::new(1, 0, 0);

/// The number of segment bytes per index entry.
pub const INDEX_SPACING: usize = 64 << 10;

const HEADER_LENGTH: usize = 4096;
const PREAMBLE: Preamble = Preamble::new(SIDECAR_VERSION, HEADER_LENGTH);
const ENTRY_LENGTH: usize = 32;
const CHECKSUM_LENGTH: usize = 4;

const BASE: Field<i64> = Field::at(16);
const SEGMENT_LENGTH: Field<i32> = Field::at(24);
const SPACING: Field<i32> = Field::at(28);
const COVERED: Field<i64> = Field::at(32);
const SEALED: Field<i32> = Field::at(40);
const SEGMENT_CHECKSUM: Field<i32> = Field::at(44);

const _: () = assert!(PREAMBLE_LENGTH == BASE.start() && SEGMENT_CHECKSUM.end() <= HEADER_LENGTH);

const ENTRY_POSITION: Field<i64> = Field::at(0);
const ENTRY_SEQUENCE: Field<i64> = Field::at(8);
const ENTRY_TIME: Field<i64> = Field::at(16);

/// An index entry. `sequence` is the number of the first message that begins at `position` or later. No message before
/// `position` has a later time than `time_before`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) position: Position,
    pub(crate) sequence: i64,
    /// The latest time of any earlier message, in nanoseconds since 1970. 0 if none had a time.
    pub(crate) time_before: i64,
}

/// The sidecar, a mapped file.
#[derive(Clone, Debug)]
pub(crate) struct Sidecar {
    stored: Stored,
    base: Position,
    segment_length: usize,
}

impl Sidecar {
    /// The name of a segment's sidecar.
    pub(crate) fn name(recording_id: RecordingId, base: Position) -> String {
        format!("{recording_id}-{base}.index")
    }

    fn file_length(segment_length: usize) -> usize {
        HEADER_LENGTH
            + segment_length / INDEX_SPACING * ENTRY_LENGTH
            + segment_length / FRAME_ALIGNMENT * CHECKSUM_LENGTH
    }

    /// Creates an empty sidecar, and replaces an existing one.
    pub(crate) fn create(
        storage: &dyn Storage,
        descriptor: &RecordingDescriptor,
        base: Position,
    ) -> Result<Self, JournalError> {
        let name = Self::name(descriptor.recording_id, base);
        let segment_length = descriptor.segment_length.get() as usize;
        let stored = storage.make(&name, Self::file_length(segment_length) as u64, Reserve::Space, |stored| {
            let view = stored.view();
            view.word(BASE).store_relaxed(base.get());
            view.word(SEGMENT_LENGTH).store_relaxed(segment_length as i32);
            view.word(SPACING).store_relaxed(INDEX_SPACING as i32);
            view.word(COVERED).store_relaxed(base.get());
            PREAMBLE.write(view, descriptor.recording_id);
            Ok(())
        })?;
        Ok(Self { stored, base, segment_length })
    }

    /// Maps the sidecar of a segment. `None` if there is no sidecar, or if it belongs to another segment.
    pub(crate) fn open(
        storage: &dyn Storage,
        descriptor: &RecordingDescriptor,
        base: Position,
        access: FileAccess,
    ) -> Result<Option<Self>, JournalError> {
        let segment_length = descriptor.segment_length.get() as usize;
        let name = Self::name(descriptor.recording_id, base);
        let Some(stored) = storage.find_whole(&name, Self::file_length(segment_length) as u64, access)? else {
            return Ok(None);
        };
        let view = stored.view();
        let speaks_of_it = PREAMBLE.is_in(view, descriptor.recording_id)
            && view.word(BASE).load_relaxed() == base.get()
            && view.word(SEGMENT_LENGTH).load_relaxed() == segment_length as i32
            && view.word(SPACING).load_relaxed() == INDEX_SPACING as i32;
        Ok(speaks_of_it.then_some(Self { stored, base, segment_length }))
    }

    /// Whether the mapping still shows the file; see [`Stored::is_intact`].
    pub(crate) fn is_intact(&self) -> bool {
        self.stored.is_intact()
    }

    /// The position up to which the sidecar is complete.
    pub(crate) fn covered(&self) -> Position {
        // ORDERING(journal.covered): Acquire. Pairs with the Release store in `set_covered`; the entries and checksums
        // below the position are there.
        let covered = self.stored.view().word(COVERED).load_acquire();
        let end = self.base.get() + self.segment_length as i64;
        Position::new(covered.clamp(self.base.get(), end))
    }

    /// Sets the position up to which the sidecar is complete.
    pub(crate) fn set_covered(&self, position: Position) {
        // ORDERING(journal.covered): Release. Pairs with the Acquire load in `covered`.
        self.stored.view().word(COVERED).store_release(position.get());
    }

    /// The entry for the `slot`-th 64 KiB of the segment, if it is there and plausible. Entries beyond the covered
    /// frames may belong to frames that were lost with the power. If the sidecar covers nothing, that is true even of
    /// the first entry, although its position is correct.
    pub(crate) fn entry(&self, slot: usize) -> Option<IndexEntry> {
        if slot >= self.slots() {
            return None;
        }
        // Loaded before the entry, because a covered entry is complete and never changes.
        let covered = self.covered();
        let at = HEADER_LENGTH + slot * ENTRY_LENGTH;
        let view = self.stored.view();
        let position = view.word(ENTRY_POSITION.from(at)).load_relaxed();
        let sequence = view.word(ENTRY_SEQUENCE.from(at)).load_relaxed();
        let time_before = view.word(ENTRY_TIME.from(at)).load_relaxed();
        let least = self.base.get() + (slot * INDEX_SPACING) as i64;
        // A frame has at least 32 bytes, which limits the number of messages.
        let can_be = position >= least
            && position < covered.get()
            && position % 32 == 0
            && (0..=position / 32).contains(&sequence);
        can_be.then_some(IndexEntry { position: Position::new(position), sequence, time_before })
    }

    /// Stores an entry.
    pub(crate) fn set_entry(&self, slot: usize, entry: IndexEntry) {
        let at = HEADER_LENGTH + slot * ENTRY_LENGTH;
        let view = self.stored.view();
        view.word(ENTRY_POSITION.from(at)).store_relaxed(entry.position.get());
        view.word(ENTRY_SEQUENCE.from(at)).store_relaxed(entry.sequence);
        view.word(ENTRY_TIME.from(at)).store_relaxed(entry.time_before);
    }

    /// The number of entries that a sidecar can have.
    pub(crate) fn slots(&self) -> usize {
        self.segment_length / INDEX_SPACING
    }

    /// The last entry for which `holds` returns true. It must be true for the first entries and false for all after
    /// them.
    pub(crate) fn last_entry(&self, holds: impl Fn(&IndexEntry) -> bool) -> Option<IndexEntry> {
        let (mut below, mut above) = (0, self.slots());
        let mut found = None;
        while below < above {
            let middle = below + (above - below) / 2;
            match self.entry(middle).filter(|entry| holds(entry)) {
                Some(entry) => {
                    found = Some(entry);
                    below = middle + 1;
                }
                None => above = middle,
            }
        }
        found
    }

    /// The checksum of the frame at `offset` of the segment, if there is one.
    pub(crate) fn checksum(&self, offset: usize) -> Option<u32> {
        let at = self.checksum_at(offset)?;
        let kept = self.stored.view().word_at::<i32>(at).load_relaxed().cast_unsigned();
        (kept != 0).then_some(kept)
    }

    /// Stores the checksum of the frame at `offset` of the segment.
    pub(crate) fn set_checksum(&self, offset: usize, checksum: u32) {
        if let Some(at) = self.checksum_at(offset) {
            self.stored.view().word_at::<i32>(at).store_relaxed(checksum.cast_signed());
        }
    }

    /// Clears all checksums and entries from `offset` of the segment on.
    pub(crate) fn clear_from(&self, offset: usize) {
        let view = self.stored.view();
        let slot = offset.div_ceil(INDEX_SPACING).min(self.slots());
        let entries = HEADER_LENGTH + slot * ENTRY_LENGTH;
        view.zero(entries, (self.slots() - slot) * ENTRY_LENGTH);
        let checksums = HEADER_LENGTH + self.slots() * ENTRY_LENGTH + offset / FRAME_ALIGNMENT * CHECKSUM_LENGTH;
        view.zero(checksums, Self::file_length(self.segment_length).saturating_sub(checksums));
        view.word(SEALED).store_relaxed(0);
        self.set_covered(Position::new(self.base.get() + offset as i64).min(self.covered()));
    }

    /// Limits the covered position of all sidecars of a recording to `position`, because what they contain beyond it
    /// may belong to lost frames. The checksums stay, because recovery needs them if it has to run again.
    pub(crate) fn uncover(
        storage: &dyn Storage,
        descriptor: &RecordingDescriptor,
        position: Position,
    ) -> Result<(), JournalError> {
        let prefix = format!("{}-", descriptor.recording_id);
        for name in storage.names()? {
            let base = name.strip_prefix(&prefix).and_then(|name| name.strip_suffix(".index"));
            let Some(base) = base.and_then(|base| base.parse().ok()).map(Position::new) else { continue };
            if base.get() + i64::from(descriptor.segment_length.get()) <= position.get() {
                continue;
            }
            if let Some(sidecar) = Self::open(storage, descriptor, base, FileAccess::ReadWrite)? {
                sidecar.stored.view().word(SEALED).store_relaxed(0);
                sidecar.set_covered(position.clamp(base, sidecar.covered()));
            }
        }
        Ok(())
    }

    /// Compares a frame with its checksum. Returns the fault, if there is one. A missing checksum is a fault only if
    /// `must` is set.
    pub(crate) fn fault(&self, offset: usize, frame: &CommittedFrame<'_>, must: bool) -> Option<Fault> {
        let found = frame_checksum(frame);
        match self.checksum(offset) {
            Some(expected) => (found != expected).then_some(Fault::Checksum { found, expected }),
            None => must.then_some(Fault::Checksum { found, expected: 0 }),
        }
    }

    /// The checksum of the whole segment, if the segment is full.
    pub(crate) fn segment_checksum(&self) -> Option<u32> {
        // ORDERING(journal.covered): Acquire. Pairs with `seal`; the checksum is there.
        let sealed = self.stored.view().word(SEALED).load_acquire() == 1;
        sealed.then(|| self.stored.view().word(SEGMENT_CHECKSUM).load_relaxed().cast_unsigned())
    }

    /// Stores the checksum of the whole segment, which is never written again.
    pub(crate) fn seal(&self, checksum: u32) {
        self.stored.view().word(SEGMENT_CHECKSUM).store_relaxed(checksum.cast_signed());
        // ORDERING(journal.covered): Release. Pairs with the Acquire load in `segment_checksum`.
        self.stored.view().word(SEALED).store_release(1);
    }

    /// Syncs the entries and checksums of the segment between these offsets to stable storage.
    pub(crate) fn sync(&self, from: usize, to: usize) -> std::io::Result<()> {
        let checksums = HEADER_LENGTH + self.slots() * ENTRY_LENGTH;
        self.stored.sync(0, checksums)?;
        let at = |offset: usize| checksums + offset / FRAME_ALIGNMENT * CHECKSUM_LENGTH;
        self.stored.sync(at(from), at(to) - at(from))
    }

    fn checksum_at(&self, offset: usize) -> Option<usize> {
        let start = HEADER_LENGTH + self.slots() * ENTRY_LENGTH;
        (offset < self.segment_length).then_some(start + offset / FRAME_ALIGNMENT * CHECKSUM_LENGTH)
    }
}

/// The CRC-32C of a frame's header and payload. For padding, only of the header, because nobody writes the body. Never
/// 0, which means that there is no checksum.
pub(crate) fn frame_checksum(frame: &CommittedFrame<'_>) -> u32 {
    let checksum = crc32c(if frame::is_padding(frame) { frame.header() } else { frame.bytes() });
    if checksum == 0 { u32::MAX } else { checksum }
}

/// What the index needs to know about a frame: whether a message begins with it, and when the message was appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begins {
    pub(crate) message: bool,
    pub(crate) time: i64,
}

impl Begins {
    #[inline]
    pub(crate) fn of(frame: &CommittedFrame<'_>) -> Self {
        let kind = frame.word(frame::VERSION_FLAGS_TYPE).load_relaxed();
        let begins = (kind >> 8) as u8 & flags::BEGIN != 0 && (kind >> 16) as u16 == frame_type::DATA;
        Self { message: begins, time: if begins { frame.word(frame::RESERVED_VALUE).load_relaxed() } else { 0 } }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::journal::storage::MemoryStorage;
    use crate::journal::{Journal, JournalOptions};
    use crate::memory::RawAccess;

    #[test]
    fn what_is_not_covered_is_not_believed_not_even_where_it_begins_as_the_segment_does() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let journal = Journal::create_in(Arc::new(storage.clone()), &JournalOptions::new()).unwrap();
        let descriptor = journal.descriptor().clone();
        let base = Position::new(descriptor.segment_length.get().into());
        let sidecar = Sidecar::create(&storage, &descriptor, base).unwrap();
        assert_eq!(sidecar.entry(0), None);

        let first = IndexEntry { position: base, sequence: 314, time_before: 7 };
        sidecar.set_entry(0, first);
        assert_eq!(sidecar.entry(0), None, "nobody has said that it is whole");
        sidecar.set_covered(Position::new(base.get() + 96));
        assert_eq!(sidecar.entry(0), Some(first));
        // As after a loss of power that took the frames.
        Sidecar::uncover(&storage, &descriptor, Position::new(0)).unwrap();
        assert_eq!(sidecar.entry(0), None);
    }
}
