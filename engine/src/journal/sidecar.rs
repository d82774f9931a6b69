//! The sidecar of a segment: a sparse index of positions, sequence numbers and times, and a CRC-32C for every frame and
//! for the whole segment. The keeper writes it behind the appenders; tailers, recovery and `verify` read it. It can be
//! lost at any time, and rebuilt from the segment. Its content is untrusted: entries and the segment's checksum have a
//! CRC-32C of their own, and do not count without it. `sidecar_check` compares all of it with the segment.
//!
//! ```text
//!     0  version | header length | recording id | base | segment length | spacing | covered
//!    40  sealed | segment's CRC-32C | CRC-32C of that
//!  4096  entries of 32 bytes, one for each 64 KiB of the segment: position | sequence number | time | CRC-32C | 0
//!     ?  CRC-32C of the frame that begins at each multiple of 32 bytes of the segment; behind it, if the frame is longer
//!        than that, the same inverted; 0 elsewhere
//! ```

use std::ops::Range;

use crate::logbuffer::{FRAME_ALIGNMENT, flags, frame, frame_type};
use crate::memory::{AtomicBuffer, CommittedFrame, Field, FileAccess, Reserve};
use crate::types::{Position, RecordingId, SemanticVersion};

use super::checksum::crc32c;
use super::descriptor::RecordingDescriptor;
use super::error::{Fault, JournalError};
use super::preamble::{self, PREAMBLE_LENGTH, Preamble};
use super::segment::parse_number;
use super::storage::{PAGE, Storage, Stored};

/// The version of the sidecar's layout.
pub const SIDECAR_VERSION: SemanticVersion = SemanticVersion::new(1, 2, 0);

/// The minor version that introduced the checksums of entries and of the segment's checksum.
const GUARDED_SINCE: i32 = 1;

/// The minor version that introduced the copies of frames' checksums.
const COPIED_SINCE: i32 = 2;

/// The number of segment bytes per index entry.
pub const INDEX_SPACING: usize = 64 << 10;

const HEADER_LENGTH: usize = 4096;
const PREAMBLE: Preamble = Preamble::new(SIDECAR_VERSION, HEADER_LENGTH);
const ENTRY_LENGTH: usize = 32;
const CHECKSUM_LENGTH: usize = 4;

/// The number of broken entries in a row that a search passes over. Behind more of them, it finds an earlier entry.
const MOST_BROKEN: usize = 64;

const BASE: Field<i64> = Field::at(16);
const SEGMENT_LENGTH: Field<i32> = Field::at(24);
const SPACING: Field<i32> = Field::at(28);
const COVERED: Field<i64> = Field::at(32);
const SEALED: Field<i32> = Field::at(40);
const SEGMENT_CHECKSUM: Field<i32> = Field::at(44);
const SEAL_GUARD: Field<i32> = Field::at(48);

const _: () = assert!(
    PREAMBLE_LENGTH == BASE.start()
        && COVERED.start() == COVERED_AT as usize
        && SEALED.start() == SEAL_AT as usize
        && SEGMENT_CHECKSUM.end() == SEAL_GUARD.start()
        && SEAL_GUARD.end() <= HEADER_LENGTH
);

/// Where the covered position is in the file, and where the seal is: whether there is one, and the segment's checksum.
pub(crate) const COVERED_AT: u64 = 32;
pub(crate) const SEAL_AT: u64 = 40;

const ENTRY_POSITION: Field<i64> = Field::at(0);
const ENTRY_SEQUENCE: Field<i64> = Field::at(8);
const ENTRY_TIME: Field<i64> = Field::at(16);
const ENTRY_GUARD: Field<i32> = Field::at(24);

const _: () = assert!(ENTRY_TIME.end() == ENTRY_GUARD.start() && ENTRY_GUARD.end() <= ENTRY_LENGTH);

/// An index entry. `sequence` is the number of the first message that begins at `position` or later. No message before
/// `position` has a later time than `time_before`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) position: Position,
    pub(crate) sequence: i64,
    /// The latest time of any earlier message, in nanoseconds since 1970. 0 if none had a time.
    pub(crate) time_before: i64,
}

impl IndexEntry {
    /// The entry's CRC-32C. Never 0, which means that there is none.
    fn guard(&self) -> u32 {
        let words = [self.position.get(), self.sequence, self.time_before];
        guard(words.map(i64::to_le_bytes).as_flattened())
    }
}

/// What a sidecar has for a part of its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Entry(IndexEntry),
    /// No entry yet, or none of frames that are covered.
    Empty,
    /// An entry that is not as it was written: its CRC-32C, and that of its words.
    Broken {
        found: u32,
        expected: u32,
    },
}

/// What a sidecar has for the whole segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seal {
    /// The CRC-32C of a full segment.
    Sealed(u32),
    /// None yet.
    Open,
    /// A seal that is not as it was written: the CRC-32C of the checksum, and what it should be.
    Broken { found: u32, expected: u32 },
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
        Self::make(storage, descriptor, base, |_| Ok(()))
    }

    /// Makes a sidecar, which gets its name, and replaces an existing one, when `fill` has written what belongs in it.
    pub(crate) fn make(
        storage: &dyn Storage,
        descriptor: &RecordingDescriptor,
        base: Position,
        fill: impl FnOnce(&Self) -> Result<(), JournalError>,
    ) -> Result<Self, JournalError> {
        let name = Self::name(descriptor.recording_id, base);
        let segment_length = descriptor.segment_length.get() as usize;
        let of = |stored: &Stored| Self { stored: stored.clone(), base, segment_length };
        let stored = storage.make(&name, Self::file_length(segment_length) as u64, Reserve::Space, |stored| {
            let view = stored.view();
            view.word(BASE).store_relaxed(base.get());
            view.word(SEGMENT_LENGTH).store_relaxed(segment_length as i32);
            view.word(SPACING).store_relaxed(INDEX_SPACING as i32);
            view.word(COVERED).store_relaxed(base.get());
            PREAMBLE.write(view, descriptor.recording_id);
            fill(&of(stored))
        })?;
        Ok(of(&stored))
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

    /// The position that the file names as covered, even if no sidecar of this segment can cover that.
    pub(crate) fn covered_as_told(&self) -> i64 {
        self.stored.view().word(COVERED).load_acquire()
    }

    /// The entry for the `slot`-th 64 KiB of the segment, if it is there and as it was written. Entries beyond the
    /// covered frames may belong to frames that were lost with the power. If the sidecar covers nothing, that is true
    /// even of the first entry, although its position is correct.
    pub(crate) fn entry(&self, slot: usize) -> Option<IndexEntry> {
        match self.slot(slot) {
            Slot::Entry(entry) => Some(entry),
            Slot::Empty | Slot::Broken { .. } => None,
        }
    }

    /// As [`Self::entry`], and says whether an entry is missing or broken.
    pub(crate) fn slot(&self, slot: usize) -> Slot {
        if slot >= self.slots() {
            return Slot::Empty;
        }
        // Loaded before the entry, because a covered entry is complete and never changes.
        let covered = self.covered();
        let at = HEADER_LENGTH + slot * ENTRY_LENGTH;
        let view = self.stored.view();
        let position = view.word(ENTRY_POSITION.from(at)).load_relaxed();
        let sequence = view.word(ENTRY_SEQUENCE.from(at)).load_relaxed();
        let time_before = view.word(ENTRY_TIME.from(at)).load_relaxed();
        let guard = view.word(ENTRY_GUARD.from(at)).load_relaxed().cast_unsigned();
        let entry = IndexEntry { position: Position::new(position), sequence, time_before };
        let is_blank = [position, sequence, time_before] == [0; 3] && guard == 0;
        // Without a guard, an entry of zeroes is that of the first frame of a recording, or it is none.
        let least = self.base.get() + (slot * INDEX_SPACING) as i64;
        if (is_blank && (least > 0 || self.is_guarded())) || least >= covered.get() {
            return Slot::Empty;
        }
        let is_as_written = guard == entry.guard() || (guard == 0 && !self.is_guarded());
        // A frame has at least 32 bytes, which limits the number of messages.
        let can_be = position >= least && position % 32 == 0 && (0..=position / 32).contains(&sequence);
        match is_as_written && can_be {
            true if position < covered.get() => Slot::Entry(entry),
            true => Slot::Empty,
            false => Slot::Broken { found: guard, expected: entry.guard() },
        }
    }

    /// Stores an entry.
    pub(crate) fn set_entry(&self, slot: usize, entry: IndexEntry) {
        let at = HEADER_LENGTH + slot * ENTRY_LENGTH;
        let view = self.stored.view();
        view.word(ENTRY_POSITION.from(at)).store_relaxed(entry.position.get());
        view.word(ENTRY_SEQUENCE.from(at)).store_relaxed(entry.sequence);
        view.word(ENTRY_TIME.from(at)).store_relaxed(entry.time_before);
        view.word(ENTRY_GUARD.from(at)).store_relaxed(entry.guard().cast_signed());
    }

    /// The offset of an entry in the file.
    pub(crate) fn entry_at(slot: usize) -> u64 {
        (HEADER_LENGTH + slot * ENTRY_LENGTH) as u64
    }

    /// Whether all entries have a checksum. In a file of an earlier version only those have that were written since.
    pub(crate) fn is_guarded(&self) -> bool {
        preamble::version(self.stored.view()).minor() >= GUARDED_SINCE
    }

    /// The first entry, if there is one near the beginning.
    pub(crate) fn first_entry(&self) -> Option<IndexEntry> {
        (0..self.slots().min(MOST_BROKEN)).find_map(|slot| self.entry(slot))
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
            // A broken entry says nothing, but the ones before it do.
            let told = (below..=middle).rev().map(|slot| (slot, self.slot(slot))).take(MOST_BROKEN);
            match told.into_iter().find(|(_, found)| !matches!(found, Slot::Broken { .. })) {
                Some((_, Slot::Entry(entry))) if holds(&entry) => {
                    found = Some(entry);
                    below = middle + 1;
                }
                Some((slot, _)) => above = slot,
                None => above = middle,
            }
        }
        found
    }

    /// What the sidecar has of the checksum of a frame at `offset` of the segment.
    pub(crate) fn kept(&self, offset: usize, frame: &CommittedFrame<'_>) -> KeptChecksum {
        let word = |offset| self.checksum_at(offset).map(|at| self.stored.view().word_at::<i32>(at).load_relaxed());
        let word = |offset| word(offset).map_or(0, i32::cast_unsigned);
        let has_room = frame.occupied() > FRAME_ALIGNMENT;
        KeptChecksum { checksum: word(offset), copy: has_room.then(|| word(offset + FRAME_ALIGNMENT)) }
    }

    /// Stores the checksum of a frame at `offset` of the segment.
    pub(crate) fn set_checksum(&self, offset: usize, frame: &CommittedFrame<'_>) {
        let checksum = frame_checksum(frame);
        let put = |offset, word: u32| {
            if let Some(at) = self.checksum_at(offset) {
                self.stored.view().word_at::<i32>(at).store_relaxed(word.cast_signed());
            }
        };
        put(offset, checksum);
        if frame.occupied() > FRAME_ALIGNMENT {
            put(offset + FRAME_ALIGNMENT, !checksum);
        }
    }

    /// Clears all checksums and entries from `offset` of the segment on.
    pub(crate) fn clear_from(&self, offset: usize) {
        let view = self.stored.view();
        // First, because readers take what is covered for complete.
        self.set_covered(Position::new(self.base.get() + offset as i64).min(self.covered()));
        view.word(SEALED).store_relaxed(0);
        let slot = offset.div_ceil(INDEX_SPACING).min(self.slots());
        let entries = HEADER_LENGTH + slot * ENTRY_LENGTH;
        zero(view, entries..HEADER_LENGTH + self.slots() * ENTRY_LENGTH);
        let checksums = HEADER_LENGTH + self.slots() * ENTRY_LENGTH + offset / FRAME_ALIGNMENT * CHECKSUM_LENGTH;
        zero(view, checksums..Self::file_length(self.segment_length));
    }

    /// Limits the covered position of all sidecars of a recording to `position`, because what they contain beyond it
    /// may belong to lost frames. The checksums stay, because recovery needs them if it has to run again.
    pub(crate) fn uncover(
        storage: &dyn Storage,
        descriptor: &RecordingDescriptor,
        position: Position,
    ) -> Result<(), JournalError> {
        let layout = descriptor.layout();
        let prefix = format!("{}-", descriptor.recording_id);
        for name in storage.names()? {
            let base = name.strip_prefix(&prefix).and_then(|name| name.strip_suffix(".index"));
            let base = base.and_then(parse_number).map(Position::new);
            let Some(base) = base.filter(|base| layout.is_base(*base)) else { continue };
            if layout.next_base(base) <= position {
                continue;
            }
            if let Some(sidecar) = Self::open(storage, descriptor, base, FileAccess::ReadWrite)? {
                sidecar.stored.view().word(SEALED).store_relaxed(0);
                sidecar.set_covered(position.clamp(base, sidecar.covered()));
            }
        }
        Ok(())
    }

    /// Compares a frame with its checksum. Returns the fault, if there is one. With `must`, a checksum that is missing or
    /// damaged is a fault, too.
    pub(crate) fn fault(&self, offset: usize, frame: &CommittedFrame<'_>, must: bool) -> Option<Fault> {
        let found = frame_checksum(frame);
        let kept = self.kept(offset, frame);
        let is_fault = if must { !kept.proves(found) } else { kept.refutes(found) };
        is_fault.then_some(Fault::Checksum { found, expected: kept.checksum })
    }

    /// Whether all frames with room for it have a copy of their checksum. In a file of an earlier version only those have
    /// that were indexed since.
    pub(crate) fn has_copies(&self) -> bool {
        preamble::version(self.stored.view()).minor() >= COPIED_SINCE
    }

    /// The offset in the file of the checksum of the frame at `offset` of the segment.
    pub(crate) fn checksum_offset(&self, offset: usize) -> u64 {
        self.checksum_at(offset).unwrap_or_default() as u64
    }

    /// The checksum of the whole segment, if the segment is full.
    pub(crate) fn segment_checksum(&self) -> Option<u32> {
        match self.segment_seal() {
            Seal::Sealed(checksum) => Some(checksum),
            Seal::Open | Seal::Broken { .. } => None,
        }
    }

    /// As [`Self::segment_checksum`], and says whether the checksum is missing or broken.
    pub(crate) fn segment_seal(&self) -> Seal {
        let view = self.stored.view();
        // ORDERING(journal.covered): Acquire. Pairs with `seal`; the checksum is there.
        let sealed = view.word(SEALED).load_acquire();
        if sealed == 0 {
            return Seal::Open;
        }
        let checksum = view.word(SEGMENT_CHECKSUM).load_relaxed().cast_unsigned();
        let (found, expected) = (view.word(SEAL_GUARD).load_relaxed().cast_unsigned(), guard(&checksum.to_le_bytes()));
        let is_as_written = sealed == 1 && (found == expected || (found == 0 && !self.is_guarded()));
        if is_as_written { Seal::Sealed(checksum) } else { Seal::Broken { found, expected } }
    }

    /// Stores the checksum of the whole segment, which is never written again.
    pub(crate) fn seal(&self, checksum: u32) {
        self.stored.view().word(SEGMENT_CHECKSUM).store_relaxed(checksum.cast_signed());
        self.stored.view().word(SEAL_GUARD).store_relaxed(guard(&checksum.to_le_bytes()).cast_signed());
        // ORDERING(journal.covered): Release. Pairs with the Acquire load in `segment_checksum`.
        self.stored.view().word(SEALED).store_release(1);
    }

    /// Syncs the entries and checksums of the segment between these offsets to stable storage. After a failure, all that is
    /// stored again, so whoever tries again has it written.
    pub(crate) fn sync(&self, from: usize, to: usize) -> std::io::Result<()> {
        let checksums = HEADER_LENGTH + self.slots() * ENTRY_LENGTH;
        let at = |offset: usize| checksums + offset / FRAME_ALIGNMENT * CHECKSUM_LENGTH;
        let (begin, length) = (at(from), at(to) - at(from));
        let synced = self.stored.sync(0, checksums).and_then(|()| self.stored.sync(begin, length));
        if synced.is_err() {
            self.stored.store_word_again(BASE);
            let entries = (HEADER_LENGTH..checksums).step_by(PAGE);
            entries.for_each(|page| self.stored.store_word_again(ENTRY_POSITION.from(page)));
            let page = checksums.next_multiple_of(PAGE).max(begin);
            self.stored.store_again(page, (begin + length).saturating_sub(page));
        }
        synced
    }

    fn checksum_at(&self, offset: usize) -> Option<usize> {
        let start = HEADER_LENGTH + self.slots() * ENTRY_LENGTH;
        (offset < self.segment_length).then_some(start + offset / FRAME_ALIGNMENT * CHECKSUM_LENGTH)
    }
}

/// Zeroes what is not zero. What a segment has not reached is an eighth of its length, which would have to be written to
/// the disk.
fn zero(view: &AtomicBuffer, range: Range<usize>) {
    let mut bytes = [0; PAGE];
    let mut start = range.start;
    while start < range.end {
        let end = (start + 1).next_multiple_of(PAGE).min(range.end);
        let bytes = &mut bytes[..end - start];
        view.get_bytes(start, bytes);
        if *bytes != [0; PAGE][..bytes.len()] {
            view.zero(start, bytes.len());
        }
        start = end;
    }
}

/// The CRC-32C of a frame's header and payload. For padding, only of the header, because nobody writes the body. Never
/// 0, which means that there is no checksum.
pub(crate) fn frame_checksum(frame: &CommittedFrame<'_>) -> u32 {
    guard(if frame::is_padding(frame) { frame.header() } else { frame.bytes() })
}

/// The CRC-32C of some bytes. Never 0.
fn guard(bytes: &[u8]) -> u32 {
    let checksum = crc32c(bytes);
    if checksum == 0 { u32::MAX } else { checksum }
}

/// What a sidecar has of the checksum of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeptChecksum {
    /// The checksum. 0 if there is none.
    pub(crate) checksum: u32,
    /// The checksum, inverted. 0 if there is none. `None` if the frame leaves no room for it.
    pub(crate) copy: Option<u32>,
}

impl KeptChecksum {
    /// Whether a frame with this checksum is as it was written.
    pub(crate) fn proves(self, found: u32) -> bool {
        self.checksum == found || self.copied() == Some(found)
    }

    /// Whether a frame with this checksum is damaged. It is not if there is no checksum, or if that is what is damaged:
    /// because its copy says otherwise, or without a copy, because it differs in a single bit. No wrong bit in a frame
    /// changes a single bit of its CRC-32C, and of other damage one in 134 million does.
    pub(crate) fn refutes(self, found: u32) -> bool {
        let is_damaged = match self.copied() {
            Some(copied) => copied != self.checksum,
            None => self.checksum == 0 || (found ^ self.checksum).is_power_of_two(),
        };
        !is_damaged && !self.proves(found)
    }

    fn copied(self) -> Option<u32> {
        self.copy.filter(|&copy| copy != 0).map(|copy| !copy)
    }
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
