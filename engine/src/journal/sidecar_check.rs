//! Compares sidecars with their segments, for `verify` and `repair`: whether each entry and each checksum is what
//! indexing the segment again would store. It reads both and changes nothing.

use crate::logbuffer::{FRAME_HEADER_LENGTH, frame};
use crate::memory::{CommittedFrame, FileAccess, Frames};
use crate::types::Position;

use super::descriptor::RecordingDescriptor;
use super::error::{Damage, Fault, JournalError};
use super::first_entry::first_entry;
use super::indexer::Indexer;
use super::recovery::last_byte;
use super::segment::{At, Identity};
use super::sidecar::{Begins, COVERED_AT, INDEX_SPACING, SEAL_AT, Seal, Sidecar, Slot, frame_checksum};
use super::storage::{Storage, Stored};

/// The maximum number of faults that are listed of one sidecar.
const MOST_FAULTS: usize = 1_000;

/// Compares the sidecars of a recording with its segments, one after the other.
pub(crate) struct SidecarCheck<'a> {
    storage: &'a dyn Storage,
    descriptor: &'a RecordingDescriptor,
    identity: Identity,
    start: Position,
    stamped: bool,
    /// The number of the next segment's first message and the latest time before it, if known.
    next: Option<Indexer>,
}

/// What is known of a segment before its sidecar is compared with it.
pub(crate) struct Segment<'a> {
    pub(crate) base: Position,
    pub(crate) stored: &'a Stored,
    /// Whether the segment matches its own checksum. Then all of its frames are intact.
    pub(crate) is_sealed: bool,
    /// Loads the position up to which sidecars are complete. Called before the sidecar is read, which may be written
    /// meanwhile.
    pub(crate) indexed: &'a dyn Fn() -> Option<Position>,
    /// Loads the position up to which the recording is recorded. Called after the sidecar was read.
    pub(crate) recorded: &'a dyn Fn() -> Option<Position>,
}

impl<'a> SidecarCheck<'a> {
    /// Starts with the first segment. `stamped` tells whether the frames' reserved values are times.
    pub(crate) fn new(
        storage: &'a dyn Storage,
        descriptor: &'a RecordingDescriptor,
        start: Position,
        stamped: bool,
    ) -> Result<Self, JournalError> {
        let next = Some(Indexer::at(first_entry(storage, descriptor, start)?, stamped));
        Ok(Self { storage, descriptor, identity: descriptor.identity(), start, stamped, next })
    }

    /// What is wrong with the sidecar of the next segment, if it has one.
    pub(crate) fn faults(&mut self, segment: &Segment<'_>) -> Result<Vec<Damage>, JournalError> {
        let known = self.next.take().filter(|next| next.position == segment.base.max(self.start));
        let (mut faults, mut next) = self.look(segment, known)?;
        if !faults.is_empty() {
            // Whoever recovers the recording or opens it takes back what sidecars cover, and the position up to which they
            // are complete before that. If that came between the two loads, the second look finds both.
            (faults, next) = self.look(segment, known)?;
        }
        self.next = next;
        Ok(faults)
    }

    /// Compares the sidecar of a segment with it. `known` is what an entry for the segment's first frame says. Returns
    /// the faults, and the same for the next segment.
    fn look(
        &self,
        segment: &Segment<'_>,
        mut known: Option<Indexer>,
    ) -> Result<(Vec<Damage>, Option<Indexer>), JournalError> {
        let base = segment.base;
        let layout = self.identity.layout;
        let indexed = (segment.indexed)();
        let sidecar = Sidecar::open(self.storage, self.descriptor, base, FileAccess::ReadOnly)?;
        let name = Sidecar::name(self.descriptor.recording_id, base);
        let mut faults = Faults { path: self.storage.path(&name), found: Vec::new() };
        let (covered, told) = match &sidecar {
            Some(sidecar) => (sidecar.covered(), sidecar.covered_as_told()),
            None => (layout.next_base(base), 0),
        };
        let recorded = (segment.recorded)();
        let most = recorded.unwrap_or(covered).clamp(base, layout.next_base(base));
        match &sidecar {
            Some(sidecar) => {
                let least = indexed.unwrap_or(base).clamp(base, most);
                if told < least.get() || told > most.get() {
                    let expected = if told < least.get() { least } else { most };
                    faults.note(base, COVERED_AT, "the position that the index covers", told, expected.get());
                }
                let is_over = indexed.is_some_and(|indexed| indexed >= layout.next_base(base));
                match sidecar.segment_seal() {
                    Seal::Broken { found, expected } => {
                        faults.note(base, SEAL_AT, "the seal of the segment's CRC-32C", found.into(), expected.into());
                    }
                    Seal::Open if is_over => faults.note(base, SEAL_AT, "the mark of a full segment", 0, 1),
                    Seal::Open | Seal::Sealed(_) => {}
                }
            }
            None => {
                if self.storage.find_whole(&name, 1, FileAccess::ReadOnly)?.is_some() {
                    faults.note(base, 0, "the mark of an index of this segment, in its first 32 bytes,", 0, 1);
                }
            }
        }
        let length = segment.stored.view().len().min(self.descriptor.segment_length.get() as usize);
        let frames = Frames::new(&segment.stored.view().slice(0, length));
        let limit = covered.min(most);
        let mut position = base.max(self.start);
        let mut slot = 0;
        let mut cursor = frames.cursor((position.get() - base.get()) as usize);
        while position < limit
            && let Some(At::Frame(frame)) = cursor.as_mut().map(|cursor| self.identity.look(cursor, position))
        {
            let offset = (position.get() - base.get()) as usize;
            let mut is_intact = true;
            if let Some(sidecar) = &sidecar {
                while slot <= offset / INDEX_SPACING {
                    self.compare_entry(sidecar, slot, position, &mut known, &mut faults);
                    slot += 1;
                }
                is_intact = compare_checksum(sidecar, offset, position, &frame.frame, segment.is_sealed, &mut faults);
            }
            position = Position::new(position.get() + frame.occupied as i64);
            // What a damaged frame says does not count, and the next entry is believed.
            known = known.filter(|_| is_intact);
            if let Some(known) = &mut known {
                known.pass(Begins::of(&frame.frame));
                known.position = position;
            }
        }
        // Damage, behind which the numbers are not known.
        let next = known.filter(|_| position >= limit);
        // What was read of a file that was cut short meanwhile says nothing.
        let is_intact = segment.stored.is_intact() && sidecar.as_ref().is_none_or(Sidecar::is_intact);
        Ok((if is_intact { faults.found } else { Vec::new() }, next))
    }

    /// Compares an entry with the frame at `position`, which is the first that begins in its part of the segment. `known`
    /// is what an entry for it says. If that is not known, it is what the entry says.
    fn compare_entry(
        &self,
        sidecar: &Sidecar,
        slot: usize,
        position: Position,
        known: &mut Option<Indexer>,
        faults: &mut Faults,
    ) {
        let at = Sidecar::entry_at(slot);
        let entry = match sidecar.slot(slot) {
            Slot::Entry(entry) => entry,
            Slot::Broken { found, expected } => {
                return faults.note(position, at, "the CRC-32C of an index entry", found.into(), expected.into());
            }
            Slot::Empty => return faults.note(position, at, "the position of an index entry", 0, position.get()),
        };
        if entry.position != position {
            let (found, expected) = (entry.position.get(), position.get());
            return faults.note(position, at, "the position of an index entry", found, expected);
        }
        let Some(known) = known else {
            *known = Some(Indexer::at(entry, self.stamped));
            return;
        };
        if entry.sequence != known.sequence {
            faults.note(position, at + 8, "the message number of an index entry", entry.sequence, known.sequence);
        } else if entry.time_before < known.latest {
            // A later time may be that of a message that was pruned or damaged.
            faults.note(position, at + 16, "the time of an index entry", entry.time_before, known.latest);
        }
    }

    /// The frame of a segment behind whose bytes, or in whose body if it is padding, something was written. `None` if
    /// there is none, or not all of the segment is frames.
    pub(crate) fn written_behind(&self, base: Position, stored: &Stored) -> Option<Position> {
        let length = (self.descriptor.segment_length.get() as usize).min(stored.view().len());
        let frames = Frames::new(&stored.view().slice(0, length));
        let mut position = base.max(self.start);
        let mut cursor = frames.cursor((position.get() - base.get()) as usize)?;
        while let At::Frame(found) = self.identity.look(&mut cursor, position) {
            let at = (position.get() - base.get()) as usize;
            let is_padding = frame::is_padding(&found.frame);
            let written = if is_padding { FRAME_HEADER_LENGTH } else { found.frame.bytes().len() };
            if last_byte(&stored.first(at + found.occupied), at + written).is_some() {
                return Some(position);
            }
            position = Position::new(position.get() + found.occupied as i64);
        }
        None
    }
}

/// Compares a frame with its checksum. Returns false if it is the frame that is damaged.
fn compare_checksum(
    sidecar: &Sidecar,
    offset: usize,
    position: Position,
    frame: &CommittedFrame<'_>,
    is_sealed: bool,
    faults: &mut Faults,
) -> bool {
    let expected = frame_checksum(frame);
    let kept = sidecar.kept(offset, frame);
    if kept.refutes(expected) && !is_sealed {
        return false;
    }
    let at = sidecar.checksum_offset(offset);
    let copy = kept.copy.filter(|&copy| copy != 0 || sidecar.has_copies());
    if kept.checksum != expected {
        faults.note(position, at, "the CRC-32C of a frame", kept.checksum.into(), expected.into());
    } else if let Some(copy) = copy.filter(|&copy| copy != !expected) {
        faults.note(position, at + 4, "the inverted CRC-32C of a frame", copy.into(), (!expected).into());
    }
    true
}

/// The faults of one sidecar.
struct Faults {
    path: std::path::PathBuf,
    found: Vec<Damage>,
}

impl Faults {
    fn note(&mut self, position: Position, offset: u64, what: &'static str, found: i64, expected: i64) {
        if self.found.len() < MOST_FAULTS {
            let fault = Fault::Sidecar { what, found, expected };
            self.found.push(Damage { path: self.path.clone(), position, offset, fault });
        }
    }
}
