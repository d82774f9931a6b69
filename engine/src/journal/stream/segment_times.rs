//! The recording times of one segment, in any order. A tailer has one for the segment that it reads, and its records
//! use it. Files are opened on first use.

use std::sync::{Arc, Mutex, PoisonError};

use crate::memory::FileAccess;
use crate::time::EpochNanos;
use crate::types::{Position, RecordingId};

use super::super::recording::Recording;
use super::super::storage::Storage;
use super::times::{CAPACITY, TimesFile};

/// The recording times of one segment.
#[derive(Debug)]
pub(crate) struct SegmentTimes {
    storage: Arc<dyn Storage>,
    recording_id: RecordingId,
    base: Position,
    /// Whether no further files will be added.
    is_over: bool,
    opened: Mutex<Opened>,
}

/// The open files: the segment's first ones, in order.
#[derive(Debug, Default)]
struct Opened {
    files: Vec<TimesFile>,
    is_all: bool,
}

impl SegmentTimes {
    /// The times of the segment at `base`.
    pub(crate) fn new(recording: &Recording, base: Position) -> Self {
        Self {
            storage: Arc::clone(&recording.storage),
            recording_id: recording.descriptor().recording_id,
            base,
            is_over: recording.stop_position().is_some(),
            opened: Mutex::default(),
        }
    }

    /// When the frame at `position` was recorded, if known.
    pub(crate) fn at(&self, position: Position) -> Option<EpochNanos> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        self.open_more(&mut opened, position);
        let begins = |file: &TimesFile| file.first_intact().map_or(i64::MAX, |(begins, _)| begins);
        let number = opened.files.partition_point(|file| begins(file) <= position.get()).checked_sub(1)?;
        let file = opened.files.get(number)?;
        let entries = file.entries();
        let (mut below, mut above) = (0, entries);
        let mut found = None;
        while below < above {
            let middle = below + (above - below) / 2;
            // A damaged entry says nothing, but those before it do.
            match (below..=middle).rev().find_map(|index| Some((index, file.entry(index)?))) {
                Some((index, (begins, _))) if begins > position.get() => above = index,
                told => {
                    found = told.or(found);
                    below = middle + 1;
                }
            }
        }
        let (index, (begins, time_ns)) = found?;
        // The frame may be that of the next entry, if that one is damaged.
        let is_last = index + 1 == entries;
        let next = if is_last { opened.files.get(number + 1).map(|next| (next, 0)) } else { Some((file, index + 1)) };
        let is_certain = begins == position.get() || next.is_none_or(|(file, index)| file.entry(index).is_some());
        is_certain.then_some(EpochNanos::new(time_ns))
    }

    /// Opens files as long as the next file may contain `position`.
    fn open_more(&self, opened: &mut Opened, position: Position) {
        while !opened.is_all {
            let last = opened.files.last();
            let is_before = |entry: Option<(i64, i64)>| entry.is_none_or(|(last, _)| last <= position.get());
            if last.is_some_and(|file| file.entries() < CAPACITY || !is_before(file.entry(CAPACITY - 1))) {
                return;
            }
            let number = opened.files.len() as i32;
            let (storage, id) = (&*self.storage, self.recording_id);
            match TimesFile::open(storage, id, self.base, number, FileAccess::ReadOnly) {
                Some(file) => opened.files.push(file),
                None => {
                    opened.is_all = self.is_over;
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::times::TimesWriter;
    use super::*;
    use crate::journal::storage::MemoryStorage;
    use crate::journal::{Journal, JournalOptions, Stamps};
    use crate::memory::RawAccess;

    #[test]
    fn times_are_told_in_any_order_however_many_files_they_are_in() {
        const FRAMES: i64 = 2 * CAPACITY as i64 + 10;
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(RawAccess::ENGINE));
        let options = JournalOptions::new().segment_length(16 << 20).stamps(Stamps::None);
        let journal = Journal::create_in(Arc::clone(&storage), &options).unwrap();
        let (base, id) = (Position::new(0), journal.descriptor().recording_id);
        let times = SegmentTimes::new(&journal.recording().unwrap(), base);
        let mut writer = TimesWriter::new(Arc::clone(&storage), id);
        let time = |frame: i64| 1_000_000_000 + frame * 1_000_000;
        // Asked while it is recorded, too: there are no times yet, then the last ones, in the last file.
        for frame in 0..FRAMES {
            let position = Position::new(64 + frame * 64);
            let before = (frame > 0).then(|| EpochNanos::new(time(frame - 1)));
            assert_eq!(times.at(position), before, "frame {frame} is not there yet");
            writer.note(base, position, time(frame));
            assert_eq!(times.at(position), Some(EpochNanos::new(time(frame))));
        }
        for frame in (0..FRAMES).rev().chain([5, CAPACITY as i64, 7]) {
            let found = times.at(Position::new(64 + frame * 64 + 32));
            assert_eq!(found, Some(EpochNanos::new(time(frame))), "behind the beginning of frame {frame}");
        }
        assert_eq!(times.at(base), None, "nobody knows of what is in front of the first");
    }

    #[test]
    fn times_go_on_when_the_clock_is_set_back() {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(RawAccess::ENGINE));
        let options = JournalOptions::new().segment_length(16 << 20).stamps(Stamps::None);
        let journal = Journal::create_in(Arc::clone(&storage), &options).unwrap();
        let base = Position::new(0);
        let times = SegmentTimes::new(&journal.recording().unwrap(), base);
        let mut writer = TimesWriter::new(Arc::clone(&storage), journal.descriptor().recording_id);
        for (frame, time) in (0..).zip([9_000_000_000, 9_000_050_000, 5_000_000_000, 5_000_050_000, 5_001_000_000]) {
            writer.note(base, Position::new(frame * 64), time);
        }
        let found: Vec<_> = (0..5).map(|frame| times.at(Position::new(frame * 64)).unwrap().get()).collect();
        assert_eq!(found, [9_000_000_000, 9_000_000_000, 5_000_000_000, 5_000_000_000, 5_001_000_000]);
    }
}
