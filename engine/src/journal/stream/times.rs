//! Recording times: a sidecar of a recorded stream, whose frames have no time on which a journal could rely. The
//! recorder writes it; replays at the recorded pace read it. It can be lost, and its content is checked before use.
//!
//! ```text
//!   0  version | length of this header | recording id | base | number of the file | entries
//!  64  entries of 16 bytes: position | time
//! ```
//!
//! The frame at `position`, and those behind it up to the next entry, were recorded at `time`. A segment has as many
//! files as its entries need, each of 64 KiB.

use std::sync::Arc;

use crate::memory::{Field, FileAccess, Reserve};
use crate::time::EpochNanos;
use crate::types::{Position, RecordingId, SemanticVersion};

use super::super::descriptor::RecordingDescriptor;
use super::super::error::JournalError;
use super::super::preamble::{PREAMBLE_LENGTH, Preamble};
use super::super::recording::Recording;
use super::super::storage::{Storage, Stored};

/// The version of the layout.
pub const TIMES_VERSION: SemanticVersion = SemanticVersion::new(1, 0, 0);

/// The minimum interval between two entries, in nanoseconds.
const RESOLUTION_NS: i64 = 100_000;

const FILE_LENGTH: usize = 64 << 10;
const HEADER_LENGTH: usize = 64;
const PREAMBLE: Preamble = Preamble::new(TIMES_VERSION, HEADER_LENGTH);
const ENTRY_LENGTH: usize = 16;
pub(super) const CAPACITY: usize = (FILE_LENGTH - HEADER_LENGTH) / ENTRY_LENGTH;

const BASE: Field<i64> = Field::at(16);
const NUMBER: Field<i32> = Field::at(24);
const ENTRIES: Field<i32> = Field::at(28);

const _: () = assert!(PREAMBLE_LENGTH == BASE.start() && ENTRIES.end() <= HEADER_LENGTH);

/// One file with a part of a segment's times.
#[derive(Debug)]
pub(super) struct TimesFile {
    stored: Stored,
    base: Position,
    number: i32,
}

fn name(recording_id: RecordingId, base: Position, number: i32) -> String {
    if number == 0 { format!("{recording_id}-{base}.times") } else { format!("{recording_id}-{base}.times.{number}") }
}

impl TimesFile {
    fn create(
        storage: &dyn Storage,
        recording_id: RecordingId,
        base: Position,
        number: i32,
    ) -> Result<Self, JournalError> {
        let name = name(recording_id, base, number);
        let stored = storage.make(&name, FILE_LENGTH as u64, Reserve::Space, |stored| {
            let view = stored.view();
            view.word(BASE).store_relaxed(base.get());
            view.word(NUMBER).store_relaxed(number);
            PREAMBLE.write(view, recording_id);
            Ok(())
        })?;
        Ok(Self { stored, base, number })
    }

    /// Opens the file, if it exists and is valid.
    pub(super) fn open(
        storage: &dyn Storage,
        recording_id: RecordingId,
        base: Position,
        number: i32,
        access: FileAccess,
    ) -> Option<Self> {
        let stored = storage.open(&name(recording_id, base, number), FILE_LENGTH as u64, access).ok()?;
        let view = stored.view();
        let speaks_of_it = PREAMBLE.is_in(view, recording_id)
            && view.word(BASE).load_relaxed() == base.get()
            && view.word(NUMBER).load_relaxed() == number;
        speaks_of_it.then_some(Self { stored, base, number })
    }

    pub(super) fn entries(&self) -> usize {
        // ORDERING(journal.times): Acquire. Pairs with the Release store in `set_entries`; the entries are there.
        usize::try_from(self.stored.view().word(ENTRIES).load_acquire()).map_or(0, |entries| entries.min(CAPACITY))
    }

    fn set_entries(&self, entries: usize) {
        // ORDERING(journal.times): Release. Pairs with the Acquire load in `entries`; publishes the entries.
        self.stored.view().word(ENTRIES).store_release(entries as i32);
    }

    pub(super) fn entry(&self, index: usize) -> (i64, i64) {
        let view = self.stored.view();
        let at = HEADER_LENGTH + index * ENTRY_LENGTH;
        (view.word_at::<i64>(at).load_relaxed(), view.word_at::<i64>(at + 8).load_relaxed())
    }

    fn set_entry(&self, index: usize, position: Position, time_ns: i64) {
        let view = self.stored.view();
        let at = HEADER_LENGTH + index * ENTRY_LENGTH;
        view.word_at::<i64>(at).store_relaxed(position.get());
        view.word_at::<i64>(at + 8).store_relaxed(time_ns);
    }
}

/// Writes the times of an active recording.
#[derive(Debug)]
pub(super) struct TimesWriter {
    storage: Arc<dyn Storage>,
    recording_id: RecordingId,
    file: Option<TimesFile>,
    /// The segment whose times could not be written. The next segment is tried again.
    failed: Option<Position>,
    last_ns: i64,
}

impl TimesWriter {
    pub(super) fn new(storage: Arc<dyn Storage>, recording_id: RecordingId) -> Self {
        Self { storage, recording_id, file: None, failed: None, last_ns: i64::MIN }
    }

    /// Stores that the frames from `position` on, in the segment at `base`, are recorded at this time.
    pub(super) fn note(&mut self, base: Position, position: Position, time_ns: i64) {
        let is_current = self.file.as_ref().is_some_and(|file| file.base == base);
        // A time before the last one is stored as well, since a clock that was set back may take long to reach the last
        // time again.
        let is_known = is_current && (0..RESOLUTION_NS).contains(&time_ns.saturating_sub(self.last_ns));
        if is_known || self.failed == Some(base) {
            return;
        }
        // A recording without times is complete nevertheless.
        if self.try_note(base, position, time_ns).is_err() {
            self.file = None;
            self.failed = Some(base);
        }
    }

    fn try_note(&mut self, base: Position, position: Position, time_ns: i64) -> Result<(), JournalError> {
        let (storage, id) = (&*self.storage, self.recording_id);
        let file = match self.file.take().filter(|file| file.base == base) {
            Some(file) => file,
            None => match Self::last(storage, id, base, position) {
                Some(file) => file,
                None => TimesFile::create(storage, id, base, 0)?,
            },
        };
        let file =
            if file.entries() < CAPACITY { file } else { TimesFile::create(storage, id, base, file.number + 1)? };
        let entries = file.entries();
        file.set_entry(entries, position, time_ns);
        file.set_entries(entries + 1);
        self.file = Some(file);
        self.last_ns = time_ns;
        Ok(())
    }

    /// The last file of a segment in which the recording continues at `position`. Removes entries of lost frames.
    fn last(storage: &dyn Storage, id: RecordingId, base: Position, position: Position) -> Option<TimesFile> {
        let files = (0..).map_while(|number| TimesFile::open(storage, id, base, number, FileAccess::ReadWrite));
        let file = files.take_while(|file| file.number == 0 || file.entry(0).0 < position.get()).last()?;
        let entries = (0..file.entries()).take_while(|&index| file.entry(index).0 < position.get()).count();
        file.set_entries(entries);
        Some(file)
    }
}

/// Reads the recording times of a recorded stream, in forward order.
#[derive(Debug)]
pub struct Times {
    storage: Arc<dyn Storage>,
    descriptor: RecordingDescriptor,
    file: Option<TimesFile>,
    /// The index of the next entry in the file.
    index: usize,
    /// The time of the last entry that was passed.
    passed: Option<i64>,
}

impl Times {
    /// Starts at the beginning of a recording.
    pub fn new(recording: &Recording) -> Self {
        let (storage, descriptor) = (Arc::clone(&recording.storage), recording.descriptor().clone());
        Self { storage, descriptor, file: None, index: 0, passed: None }
    }

    /// Whether the segment that contains a position has times.
    pub(super) fn has(&self, position: Position) -> bool {
        let base = self.descriptor.layout().base(position);
        self.open(base, 0).is_some_and(|file| file.entries() > 0)
    }

    /// When the frame at `position` was recorded, if known. Frames that were recorded within a tenth of a millisecond
    /// have the same time, the first frame's. A paced replay has a frame due by this time. Positions must not decrease
    /// from call to call.
    pub fn at(&mut self, position: Position) -> Option<EpochNanos> {
        let layout = self.descriptor.layout();
        let base = layout.base(position);
        if self.file.as_ref().is_none_or(|file| file.base != base) {
            self.file = self.open(base, 0);
            self.index = 0;
        }
        while let Some(file) = &self.file {
            if self.index < file.entries() {
                let (entry, time) = file.entry(self.index);
                if entry > position.get() {
                    break;
                }
                self.passed = Some(time);
                self.index += 1;
            } else if self.index == CAPACITY
                && let Some(next) = self.open(base, file.number + 1)
            {
                self.file = Some(next);
                self.index = 0;
            } else {
                break;
            }
        }
        self.passed.map(EpochNanos::new)
    }

    /// The first entry of a segment.
    fn first(&self, base: Position) -> Option<(Position, i64)> {
        let file = self.open(base, 0).filter(|file| file.entries() > 0)?;
        let (position, time) = file.entry(0);
        Some((Position::new(position), time))
    }

    /// The first position of a segment that was recorded at a time or later.
    fn search(&self, base: Position, time_ns: i64) -> Option<Position> {
        let files = (0..).map_while(|number| self.open(base, number));
        for file in files {
            let entries = file.entries();
            let found = (0..entries).map(|index| file.entry(index)).find(|entry| entry.1 >= time_ns);
            if let Some((position, _)) = found {
                return Some(Position::new(position));
            }
            if entries < CAPACITY {
                break;
            }
        }
        None
    }

    fn open(&self, base: Position, number: i32) -> Option<TimesFile> {
        TimesFile::open(&*self.storage, self.descriptor.recording_id, base, number, FileAccess::ReadOnly)
    }
}

/// The result of a search for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The first position that was recorded at that time or later.
    At(Position),
    /// Everything was recorded earlier.
    Behind,
    /// No segment has times.
    Nothing,
}

/// Finds a time in a recorded stream.
pub(crate) fn find_time(recording: &Recording, time: EpochNanos) -> Result<Found, JournalError> {
    let times = Times::new(recording);
    let search = |base: Position| times.search(base, time.get());
    let mut before = None;
    for base in recording.segment_bases()? {
        let Some((position, first)) = times.first(base) else { continue };
        if first >= time.get() {
            // The position is in the previous segment, unless everything there is earlier.
            return Ok(Found::At(before.and_then(search).unwrap_or(position)));
        }
        before = Some(base);
    }
    Ok(before.map_or(Found::Nothing, |base| search(base).map_or(Found::Behind, Found::At)))
}
