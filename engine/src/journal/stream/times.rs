//! Recording times: a sidecar of a recorded stream, whose frames have no time on which a journal could rely. The
//! recorder writes it; replays at the recorded pace read it. It can be lost, and its content is checked before use.
//!
//! ```text
//!   0  version | length of this header | recording id | base | number of the file | entries
//!  64  entries of 16 bytes: position, check | time
//! ```
//!
//! The low five bits of a position, which it does not need, are 1 + (position / 32 + time) mod 31. A wrong bit anywhere in
//! the entry changes that sum. The number of entries is stored twice in its word, the second time inverted. An entry with
//! a wrong bit does not count: the frames that it speaks of have no time, and a search that needs it is an error.
//!
//! The frame at `position`, and those behind it up to the next entry, were recorded at `time`. A segment has as many
//! files as its entries need, each of 64 KiB.

use std::sync::Arc;

use crate::logbuffer::FRAME_ALIGNMENT;
use crate::memory::{Field, FileAccess, Reserve};
use crate::time::EpochNanos;
use crate::types::{Position, RecordingId, SemanticVersion};

use super::super::descriptor::RecordingDescriptor;
use super::super::error::{Damage, Fault, JournalError};
use super::super::preamble::{PREAMBLE_LENGTH, Preamble};
use super::super::recording::Recording;
use super::super::storage::{Storage, Stored};

/// The version of the layout.
pub const TIMES_VERSION: SemanticVersion = SemanticVersion::new(2, 0, 0);

/// The minimum interval between two entries, in nanoseconds.
const RESOLUTION_NS: i64 = 100_000;

const FILE_LENGTH: usize = 64 << 10;
const HEADER_LENGTH: usize = 64;
const PREAMBLE: Preamble = Preamble::new(TIMES_VERSION, HEADER_LENGTH);
/// The version before, without checks. Its words are those of now without the bits of the check.
const UNCHECKED: Preamble = Preamble::new(SemanticVersion::new(1, 0, 0), HEADER_LENGTH);
const ENTRY_LENGTH: usize = 16;
pub(super) const CAPACITY: usize = (FILE_LENGTH - HEADER_LENGTH) / ENTRY_LENGTH;

const BASE: Field<i64> = Field::at(16);
const NUMBER: Field<i32> = Field::at(24);
const ENTRIES: Field<i32> = Field::at(28);

/// The bits of a position's word that hold its check.
const CHECK: i64 = FRAME_ALIGNMENT as i64 - 1;

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
        let is_unchecked = UNCHECKED.is_in(view, recording_id);
        let speaks_of_it = (is_unchecked || PREAMBLE.is_in(view, recording_id))
            && view.word(BASE).load_relaxed() == base.get()
            && view.word(NUMBER).load_relaxed() == number;
        if speaks_of_it && is_unchecked && access == FileAccess::ReadWrite {
            PREAMBLE.write_version(view);
        }
        speaks_of_it.then_some(Self { stored, base, number })
    }

    pub(super) fn entries(&self) -> usize {
        // ORDERING(journal.times): Acquire. Pairs with the Release store in `set_entries`; the entries are there.
        let word = self.stored.view().word(ENTRIES).load_acquire();
        counted(word).unwrap_or_else(|| {
            // As many as there are. Positions rise, and behind the last entry there are zeroes.
            let positions = (0..CAPACITY).map(|index| self.words(index).0 & !CHECK);
            let mut last = -1;
            positions.take_while(|&position| position > std::mem::replace(&mut last, position)).count()
        })
    }

    fn set_entries(&self, entries: usize) {
        // ORDERING(journal.times): Release. Pairs with the Acquire load in `entries`; publishes the entries.
        self.stored.view().word(ENTRIES).store_release(entries as i32 | !(entries as i32) << 16);
    }

    /// The position and the time of an entry. `None` if it is not as it was written.
    pub(super) fn entry(&self, index: usize) -> Option<(i64, i64)> {
        let (word, time_ns) = self.words(index);
        let (position, found) = (word & !CHECK, word & CHECK);
        // An entry of the version before has no check.
        let is_as_written = (found == 0 && !self.is_blank(index)) || found == check(position, time_ns);
        is_as_written.then_some((position, time_ns))
    }

    /// Whether nothing is where an entry should be. A loss of power may take the entries and leave their number.
    fn is_blank(&self, index: usize) -> bool {
        self.words(index) == (0, 0)
    }

    /// The first entry that is as it was written.
    pub(super) fn first_intact(&self) -> Option<(i64, i64)> {
        (0..self.entries()).find_map(|index| self.entry(index))
    }

    fn words(&self, index: usize) -> (i64, i64) {
        let view = self.stored.view();
        let at = HEADER_LENGTH + index * ENTRY_LENGTH;
        (view.word_at::<i64>(at).load_relaxed(), view.word_at::<i64>(at + 8).load_relaxed())
    }

    fn set_entry(&self, index: usize, position: Position, time_ns: i64) {
        let view = self.stored.view();
        let at = HEADER_LENGTH + index * ENTRY_LENGTH;
        view.word_at::<i64>(at).store_relaxed(position.get() | check(position.get(), time_ns));
        view.word_at::<i64>(at + 8).store_relaxed(time_ns);
    }
}

/// The check of an entry: 1 to 31.
fn check(position: i64, time_ns: i64) -> i64 {
    let rest = |word: u64| (word % 31) as i64;
    1 + (rest(position.cast_unsigned() / FRAME_ALIGNMENT as u64) + rest(time_ns.cast_unsigned())) % 31
}

/// The number of entries that a word tells. `None` if it has a wrong bit.
fn counted(word: i32) -> Option<usize> {
    let (count, inverted) = (word & 0xFFFF, word >> 16 & 0xFFFF);
    // The version before had it once.
    let is_intact = inverted == 0 || inverted == !count & 0xFFFF;
    Some(count as usize).filter(|&count| is_intact && count <= CAPACITY)
}

/// The damaged places of the recording times of a segment.
pub(crate) fn times_faults(recording: &Recording, base: Position) -> Result<Vec<Damage>, JournalError> {
    let (storage, id) = (&*recording.storage, recording.descriptor().recording_id);
    let mut found = Vec::new();
    for number in 0.. {
        let name = name(id, base, number);
        let mut note = |position: i64, offset: usize, what| {
            let (position, offset) = (Position::new(position), offset as u64);
            found.push(Damage { path: storage.path(&name), position, offset, fault: Fault::Times(what) });
        };
        let Some(file) = TimesFile::open(storage, id, base, number, FileAccess::ReadOnly) else {
            if storage.find_whole(&name, 1, FileAccess::ReadOnly)?.is_none() {
                break;
            }
            note(base.get(), 0, "the mark of the recording times of this segment");
            continue;
        };
        // Before the entries, which are complete then.
        let entries = file.entries();
        if counted(file.stored.view().word(ENTRIES).load_relaxed()).is_none() {
            note(base.get(), ENTRIES.start(), "the number of recording times");
        }
        let mut position = base.get();
        let mut was_blank = false;
        for index in 0..entries {
            let is_blank = file.is_blank(index);
            match file.entry(index) {
                Some((next, _)) => position = next,
                // A page that was lost is one damage.
                None if is_blank && was_blank => {}
                None => note(position, HEADER_LENGTH + index * ENTRY_LENGTH, "a recording time"),
            }
            was_blank = is_blank;
        }
    }
    Ok(found)
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

    /// The last file of a segment in which the recording continues at `position`. Removes entries of lost frames, and
    /// files with nothing else.
    fn last(storage: &dyn Storage, id: RecordingId, base: Position, position: Position) -> Option<TimesFile> {
        let files = (0..).map_while(|number| TimesFile::open(storage, id, base, number, FileAccess::ReadWrite));
        let is_before = |entry: Option<(i64, i64)>| entry.is_none_or(|entry| entry.0 < position.get());
        let file = files.take_while(|file| file.number == 0 || is_before(file.first_intact())).last()?;
        let entries = (0..file.entries()).take_while(|&index| is_before(file.entry(index))).count();
        file.set_entries(entries);
        for number in file.number + 1.. {
            if !storage.remove(&name(id, base, number)).is_ok_and(|is_removed| is_removed) {
                break;
            }
        }
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
                // A damaged entry does not count.
                if let Some((entry, time)) = file.entry(self.index) {
                    if entry > position.get() {
                        break;
                    }
                    self.passed = Some(time);
                }
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

    /// The first entry of a segment. If it is damaged, the next one, provided that it is before `time_ns`. Otherwise an
    /// error: the time may be in front of the segment or in it.
    fn first(&self, base: Position, time_ns: i64) -> Result<Option<(Position, i64)>, JournalError> {
        let Some(file) = self.open(base, 0).filter(|file| file.entries() > 0) else { return Ok(None) };
        match file.first_intact() {
            Some((position, time)) if file.entry(0).is_some() || time < time_ns => {
                Ok(Some((Position::new(position), time)))
            }
            _ => Err(self.damaged(base, 0, 0)),
        }
    }

    /// The first position of a segment that was recorded at a time or later. An error if the entry for it is damaged.
    fn search(&self, base: Position, time_ns: i64) -> Result<Option<Position>, JournalError> {
        let files = (0..).map_while(|number| self.open(base, number));
        // The damaged entry behind the last one that is earlier.
        let mut damaged = None;
        for file in files {
            let entries = file.entries();
            for index in 0..entries {
                match file.entry(index) {
                    None => _ = damaged.get_or_insert((file.number, index)),
                    Some((_, time)) if time < time_ns => damaged = None,
                    Some((position, _)) => {
                        let found =
                            damaged.map_or(Ok(position), |(number, index)| Err(self.damaged(base, number, index)));
                        return found.map(|position| Some(Position::new(position)));
                    }
                }
            }
            if entries < CAPACITY {
                break;
            }
        }
        damaged.map_or(Ok(None), |(number, index)| Err(self.damaged(base, number, index)))
    }

    fn damaged(&self, base: Position, number: i32, index: usize) -> JournalError {
        let path = self.storage.path(&name(self.descriptor.recording_id, base, number));
        let offset = (HEADER_LENGTH + index * ENTRY_LENGTH) as u64;
        let found =
            "a recording time is not as it was written, and the time may be there; choose by position or number"
                .to_owned();
        JournalError::Malformed { path, offset, found }
    }

    fn open(&self, base: Position, number: i32) -> Option<TimesFile> {
        TimesFile::open(&*self.storage, self.descriptor.recording_id, base, number, FileAccess::ReadOnly)
    }
}

/// When the newest frame of a segment was recorded. Times after `now` do not count. `None` if there are none, or if one
/// that is damaged or lost could be it.
pub(crate) fn newest_time(
    recording: &Recording,
    base: Position,
    now: EpochNanos,
) -> Result<Option<EpochNanos>, JournalError> {
    let (storage, id) = (&*recording.storage, recording.descriptor().recording_id);
    let mut newest = None;
    for number in 0.. {
        let Some(file) = TimesFile::open(storage, id, base, number, FileAccess::ReadOnly) else {
            let is_damaged = storage.find_whole(&name(id, base, number), 1, FileAccess::ReadOnly)?.is_some();
            return Ok(newest.filter(|_| !is_damaged).map(EpochNanos::new));
        };
        for index in 0..file.entries() {
            let Some((_, time_ns)) = file.entry(index) else { return Ok(None) };
            newest = newest.max(Some(time_ns).filter(|&time_ns| time_ns <= now.get()));
        }
    }
    Ok(None)
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
    let mut before: Option<Position> = None;
    for base in recording.segment_bases()? {
        let Some((position, first)) = times.first(base, time.get())? else { continue };
        if first >= time.get() {
            // The position is in the previous segment, unless everything there is earlier.
            return Ok(Found::At(before.map_or(Ok(None), search)?.unwrap_or(position)));
        }
        before = Some(base);
    }
    let Some(last) = before else { return Ok(Found::Nothing) };
    Ok(search(last)?.map_or(Found::Behind, Found::At))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::storage::{Crash, MemoryStorage};
    use crate::journal::{Journal, JournalOptions, Prune, Retention, Stamps, Start, prune};
    use crate::memory::RawAccess;
    use crate::time::{Clock, SystemClock};

    const MESSAGES: i64 = 40;

    fn time(number: i64) -> i64 {
        1_700_000_000_000_000_000 + number * 1_234_567
    }

    /// A journal whose messages have recording times, as those of a recorded stream do.
    fn recorded() -> (Arc<dyn Storage>, Recording) {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(RawAccess::ENGINE));
        let options = JournalOptions::new().segment_length(64 << 10).term_length(64 << 10).stamps(Stamps::None);
        let journal = Journal::create_in(Arc::clone(&storage), &options).unwrap();
        let mut appender = journal.appender().unwrap();
        let mut writer = TimesWriter::new(Arc::clone(&storage), journal.descriptor().recording_id);
        for number in 0..MESSAGES {
            writer.note(Position::new(0), Position::new(journal.tail().get()), time(number));
            appender.append(&number.to_le_bytes()).unwrap();
        }
        let recording = journal.recording().unwrap();
        (storage, recording)
    }

    #[test]
    fn a_time_with_a_wrong_bit_is_no_time_and_is_named() {
        let (storage, recording) = recorded();
        let name = name(recording.descriptor().recording_id, Position::new(0), 0);
        let stored = storage.open(&name, 1, FileAccess::ReadWrite).unwrap();
        let flip = |at: usize, bit: usize| {
            let mut byte = [0];
            stored.view().get_bytes(at, &mut byte);
            stored.view().put_bytes(at, &[byte[0] ^ 1 << bit]);
        };
        assert!(recording.verify(|_| {}).unwrap().is_whole());
        let entries = [0, 7, MESSAGES as usize - 1].map(|entry| HEADER_LENGTH + entry * ENTRY_LENGTH);
        let entries = entries.into_iter().flat_map(|at| at..at + ENTRY_LENGTH);
        let mut told = 0;
        for (at, bit) in (0..32).chain(entries).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            flip(at, bit);
            let what = format!("bit {bit} of byte {at}");
            let verified = recording.verify(|_| {}).unwrap();
            assert_eq!((verified.messages, verified.damaged <= 1), (MESSAGES as u64, true), "{what}");
            for damage in &verified.damages {
                let place = if at < HEADER_LENGTH { at / 28 * 28 } else { at / ENTRY_LENGTH * ENTRY_LENGTH };
                assert_eq!((&damage.path, damage.offset), (&storage.path(&name), place as u64), "{what}: {damage}");
            }
            let mut tailer = recording.tailer(Start::Begin).unwrap();
            let mut lost = 0;
            for number in 0..MESSAGES {
                let found = tailer.next().unwrap().unwrap().time().map(EpochNanos::get);
                assert!(found.is_none_or(|found| found == time(number)), "{what}: message {number} {found:?}");
                lost += u64::from(found.is_none());
            }
            for number in 0..MESSAGES {
                let Err(error) = tailer.seek(Start::Time(EpochNanos::new(time(number)))) else {
                    assert_eq!(tailer.sequence(), Some(number), "{what}");
                    continue;
                };
                lost += 1;
                let is_named = matches!(&error, JournalError::Malformed { path, .. } if *path == storage.path(&name));
                assert!(is_named || matches!(error, JournalError::NoTimes { .. }), "{what}: {error}");
            }
            assert!(lost == 0 || verified.damaged == 1, "{what}: verify finds it");
            assert!(at < HEADER_LENGTH || lost <= 3, "{what}: all others are there");
            told += verified.damaged;
            flip(at, bit);
        }
        assert!(told > 3 * 8 * ENTRY_LENGTH as u64, "{told}");
        assert!(recording.verify(|_| {}).unwrap().is_whole());
    }

    #[test]
    fn the_newest_time_of_a_segment_is_known_if_all_are() {
        let (storage, recording) = recorded();
        let id = recording.descriptor().recording_id;
        let newest = |now: i64| {
            let found = newest_time(&recording, Position::new(0), EpochNanos::new(now)).unwrap();
            found.map(EpochNanos::get)
        };
        assert_eq!(newest(i64::MAX), Some(time(MESSAGES - 1)));
        assert_eq!(newest(time(3)), Some(time(3)), "later ones are of a clock that is ahead");
        assert_eq!(newest(time(0) - 1), None);
        // Another file, with one entry of an earlier time, as of a clock that was set back.
        let more = TimesFile::create(&*storage, id, Position::new(0), 1).unwrap();
        more.set_entry(0, recording.recorded_hint().unwrap(), time(2));
        more.set_entries(1);
        assert_eq!(newest(i64::MAX), Some(time(MESSAGES - 1)));
        more.set_entry(0, recording.recorded_hint().unwrap(), time(MESSAGES));
        assert_eq!(newest(i64::MAX), Some(time(MESSAGES)));
        more.stored.view().word_at::<i64>(HEADER_LENGTH).store_relaxed(1);
        assert_eq!(newest(i64::MAX), None, "the damaged one may be later");
        more.stored.view().word(NUMBER).store_relaxed(5);
        assert_eq!(newest(i64::MAX), None, "and so may those of a damaged file");
        let other = newest_time(&recording, Position::new(64 << 10), EpochNanos::new(i64::MAX)).unwrap();
        assert_eq!(other, None, "there are none");
    }

    /// The files of a recording that was copied are as young as the copy.
    #[test]
    fn a_recorded_stream_is_as_old_as_its_times() {
        let (storage, _) = recorded();
        let journal = Journal::open_in(Arc::clone(&storage), None).unwrap();
        let mut appender = journal.appender().unwrap();
        while journal.tail().get() <= 64 << 10 {
            appender.append(&[0; 1_000]).unwrap();
        }
        drop(appender);
        journal.close().unwrap();
        let now = SystemClock.epoch().get() * 1_000_000;
        let plan = |age_ns: i64| {
            let age = core::time::Duration::from_nanos(age_ns.cast_unsigned());
            let request = Prune::by(&Retention::new().max_age(age)).dry_run();
            prune(Arc::clone(&storage), None, &request, |_| {}).unwrap()
        };
        let age = now - time(MESSAGES - 1);
        let pruned = plan(age - 3_600_000_000_000);
        assert_eq!(pruned.segments.len(), 1, "{pruned:?}");
        assert_eq!(pruned.segments[0].newest.map(EpochNanos::get), Some(time(MESSAGES - 1)));
        assert!(plan(age + 3_600_000_000_000).segments.is_empty());
    }

    #[test]
    fn times_of_the_version_before_are_read_and_gone_on_with() {
        let (storage, recording) = recorded();
        let (base, id) = (Position::new(0), recording.descriptor().recording_id);
        let stored = storage.open(&name(id, base, 0), 1, FileAccess::ReadWrite).unwrap();
        let view = stored.view();
        UNCHECKED.write_version(view);
        view.word(ENTRIES).store_relaxed(MESSAGES as i32);
        for index in 0..MESSAGES as usize {
            let word = view.word_at::<i64>(HEADER_LENGTH + index * ENTRY_LENGTH);
            word.store_relaxed(word.load_relaxed() & !CHECK);
        }
        let times = || {
            let mut tailer = recording.tailer(Start::Begin).unwrap();
            (0..MESSAGES).map(|_| tailer.next().unwrap().unwrap().time().unwrap().get()).collect::<Vec<_>>()
        };
        let expected: Vec<_> = (0..MESSAGES).map(time).collect();
        assert_eq!(times(), expected);
        let end = recording.recorded_hint().unwrap();
        TimesWriter::new(Arc::clone(&storage), id).note(base, end, time(MESSAGES));
        let file = TimesFile::open(&*storage, id, base, 0, FileAccess::ReadOnly).unwrap();
        assert_eq!(file.entries(), MESSAGES as usize + 1);
        assert_eq!(file.entry(MESSAGES as usize), Some((end.get(), time(MESSAGES))));
        assert!(PREAMBLE.is_in(view, id) && recording.verify(|_| {}).unwrap().is_whole());
        assert_eq!(times(), expected);
    }

    /// Nobody syncs the times of a recording that is active, and pages of a file reach the disk in any order.
    #[test]
    fn times_that_were_lost_with_the_power_are_no_times() {
        const MANY: i64 = 600;
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let options = JournalOptions::new().segment_length(64 << 10).term_length(64 << 10).stamps(Stamps::None);
        let journal = Journal::create_in(Arc::new(storage.clone()), &options).unwrap();
        let mut appender = journal.appender().unwrap();
        let mut writer = TimesWriter::new(Arc::new(storage.clone()), journal.descriptor().recording_id);
        for number in 0..MANY {
            writer.note(Position::new(0), Position::new(journal.tail().get()), time(number));
            appender.append(&number.to_le_bytes()).unwrap();
        }
        drop(appender);
        journal.close().unwrap();
        let lost = |name: &str, at: usize| name.ends_with(".times") && at == 4096;
        let choose = |name: &str, at| if lost(name, at) { Crash::Lost } else { Crash::Kept };
        let storage = storage.after_power_loss(choose, Crash::Kept);
        let recording = Recording::open_in(Arc::new(storage), None).unwrap();
        let mut tailer = recording.tailer(Start::Begin).unwrap();
        let mut times = Times::new(&recording);
        let mut before = 0;
        let mut known = 0;
        for number in 0..MANY {
            let record = tailer.next().unwrap().unwrap();
            assert!(record.time().is_none_or(|found| found.get() == time(number)), "message {number}");
            known += i64::from(record.time().is_some());
            // The last known time, for the pace of a replay.
            let paced = times.at(record.position()).unwrap().get();
            assert!(paced >= before && paced <= time(number), "message {number}: {paced}");
            before = paced;
        }
        let held = (4096 / ENTRY_LENGTH) as i64;
        assert!((MANY - held - 2..MANY - held + 1).contains(&known), "{known}");
        let verified = recording.verify(|_| {}).unwrap();
        assert_eq!(verified.damages.iter().map(|damage| damage.offset).collect::<Vec<_>>(), [4096], "once for all");
    }

    /// What a loss of power took from the end of a recording had times, too, in more files than it has now.
    #[test]
    fn times_of_lost_frames_are_gone() {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(RawAccess::ENGINE));
        let options = JournalOptions::new().segment_length(16 << 20).stamps(Stamps::None);
        let journal = Journal::create_in(Arc::clone(&storage), &options).unwrap();
        let (base, id) = (Position::new(0), journal.descriptor().recording_id);
        let note = |writer: &mut TimesWriter, frames: std::ops::Range<i64>, late: i64| {
            frames.for_each(|frame| writer.note(base, Position::new(frame * 64), time(frame) + late));
        };
        let full = CAPACITY as i64;
        note(&mut TimesWriter::new(Arc::clone(&storage), id), 0..2 * full + 10, 0);
        // It continues behind the hundredth frame, with one that is as long as thousands, and fills the first file.
        let late = 3_600_000_000_000;
        let mut writer = TimesWriter::new(Arc::clone(&storage), id);
        note(&mut writer, 100..101, late);
        note(&mut writer, full..2 * full - 101, late);
        assert_eq!(TimesFile::open(&*storage, id, base, 0, FileAccess::ReadOnly).unwrap().entries(), CAPACITY);
        let mut times = Times::new(&journal.recording().unwrap());
        let last = 2 * full - 102;
        let found = times.at(Position::new((last + 50) * 64)).unwrap().get();
        assert_eq!(found, time(last) + late, "that of the last entry");
        assert!(!storage.names().unwrap().iter().any(|name| name.contains(".times.")));
    }
}
