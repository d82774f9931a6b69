//! The loss report: one entry per image that ever missed data, with the amount and the number of losses. The driver
//! writes it for its images; tools read it. Entries are never overwritten, and the file never grows. Images that come
//! when it is full get no entry.

#[cfg(not(engine_loom))]
use std::path::Path;

use super::{DamagedReport, read_text};
use crate::memory::{AtomicBuffer, Field, OwnedWord, align_up};
#[cfg(not(engine_loom))]
use crate::memory::{FileAccess, MapError, MappedFile, RawAccess, Reserve};
use crate::time::EpochMillis;
use crate::types::{SessionId, StreamId};

/// The file's name within the driver's directory. Readers must handle that it does not exist yet.
pub const LOSS_REPORT_FILE_NAME: &str = "loss-report.dat";

const COUNT: Field<i64> = Field::at(0);
const BYTES_LOST: Field<i64> = Field::at(8);
const FIRST_OBSERVATION: Field<i64> = Field::at(16);
const LAST_OBSERVATION: Field<i64> = Field::at(24);
const SESSION_ID: Field<i32> = Field::at(32);
const STREAM_ID: Field<i32> = Field::at(36);
const CHANNEL_LENGTH: Field<i32> = Field::at(40);
const CHANNEL: usize = CHANNEL_LENGTH.end();
const _: () = assert!(CHANNEL == 44);
const ALIGNMENT: usize = 64;

/// The only writer of a loss report.
#[derive(Debug)]
pub struct LossReport {
    buffer: AtomicBuffer,
    /// The offset of the next entry. Not loaded from the report, because others may map it writable.
    next: usize,
}

/// The entry of one image.
#[derive(Debug)]
pub struct LossEntry {
    count: OwnedWord<i64>,
    bytes_lost: OwnedWord<i64>,
    last: OwnedWord<i64>,
}

impl LossReport {
    /// Creates the report's file of `length` bytes. The file must not exist. `mode` is its permission bits.
    ///
    /// # Errors
    ///
    /// As [`MappedFile::create`].
    #[cfg(not(engine_loom))]
    pub fn create(path: &Path, length: u64, mode: u32) -> Result<Self, MapError> {
        Ok(Self::new(MappedFile::create(path, length, mode, Reserve::Space)?.into_view(RawAccess::ENGINE)))
    }

    /// Creates the writer of a zeroed region.
    pub fn new(buffer: AtomicBuffer) -> Self {
        Self { buffer, next: 0 }
    }

    /// Creates the entry of an image that has lost `bytes_lost` bytes for the first time. `None` if there is no space.
    pub fn create_entry(
        &mut self,
        now: EpochMillis,
        bytes_lost: i64,
        (session_id, stream_id): (SessionId, StreamId),
        channel: &str,
        source: &str,
    ) -> Option<LossEntry> {
        let offset = self.next;
        let source_at = CHANNEL + align_up(channel.len(), 4);
        // One reader aligns the channel's end before it looks for the next entry, another does not. Spaces after the
        // source bring both to the same place.
        let mut spaces = 0;
        let (rounded, plain) = (source_at + 4 + source.len(), CHANNEL + channel.len() + 4 + source.len());
        while align_up(rounded + spaces, ALIGNMENT) != align_up(plain + spaces, ALIGNMENT) {
            spaces += 1;
        }
        let length = rounded + spaces;
        if offset.checked_add(length).is_none_or(|end| end > self.buffer.len()) {
            return None;
        }
        let buffer = &self.buffer;
        buffer.word(BYTES_LOST.from(offset)).store_relaxed(bytes_lost);
        buffer.word(FIRST_OBSERVATION.from(offset)).store_relaxed(now.get());
        buffer.word(LAST_OBSERVATION.from(offset)).store_relaxed(now.get());
        buffer.word(SESSION_ID.from(offset)).store_relaxed(session_id.get());
        buffer.word(STREAM_ID.from(offset)).store_relaxed(stream_id.get());
        buffer.word(CHANNEL_LENGTH.from(offset)).store_relaxed(channel.len() as i32);
        buffer.put_bytes(offset + CHANNEL, channel.as_bytes());
        buffer.word_at::<i32>(offset + source_at).store_relaxed((source.len() + spaces) as i32);
        buffer.put_bytes(offset + source_at + 4, source.as_bytes());
        buffer.put_bytes(offset + source_at + 4 + source.len(), &[b' '; 3][..spaces]);
        // ORDERING(loss.entry): Release. Pairs with the Acquire load in `LossReportReader::for_each`; publishes the entry.
        buffer.word(COUNT.from(offset)).store_release(1);
        self.next = align_up(offset + length, ALIGNMENT);
        Some(LossEntry {
            count: buffer.own(COUNT.from(offset)),
            bytes_lost: buffer.own(BYTES_LOST.from(offset)),
            last: buffer.own(LAST_OBSERVATION.from(offset)),
        })
    }
}

impl LossEntry {
    /// Records that the image has lost another `bytes_lost` bytes, none of which were recorded before.
    pub fn record(&self, now: EpochMillis, bytes_lost: i64) {
        self.last.store_release(now.get());
        self.bytes_lost.fetch_add(bytes_lost);
        self.count.fetch_add(1);
    }
}

/// Reads a loss report, at any time and without affecting it.
#[derive(Clone, Debug)]
pub struct LossReportReader {
    buffer: AtomicBuffer,
}

/// The losses of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossObservation {
    /// The number of losses.
    pub count: i64,
    /// The total number of lost bytes.
    pub bytes_lost: i64,
    /// When the first loss occurred.
    pub first: EpochMillis,
    /// When the last loss occurred.
    pub last: EpochMillis,
    /// The image's session id.
    pub session_id: SessionId,
    /// The image's stream id.
    pub stream_id: StreamId,
    /// The subscription's channel.
    pub channel: String,
    /// The source of the image: address and port.
    pub source: String,
}

impl LossReportReader {
    /// A reader of the report in this file.
    ///
    /// # Errors
    ///
    /// As [`MappedFile::open`].
    #[cfg(not(engine_loom))]
    pub fn open(path: &Path) -> Result<Self, MapError> {
        Ok(Self::new(MappedFile::open(path, 1, FileAccess::ReadOnly)?.into_view(RawAccess::ENGINE)))
    }

    /// A reader of this region.
    pub fn new(buffer: AtomicBuffer) -> Self {
        Self { buffer }
    }

    /// Calls `action` for every entry, oldest first. Returns how many there are.
    ///
    /// # Errors
    ///
    /// [`DamagedReport`] at the first invalid entry. The entries before it have been reported.
    pub fn for_each(&self, mut action: impl FnMut(&LossObservation)) -> Result<usize, DamagedReport> {
        let mut shown = 0;
        let mut offset = 0;
        while offset + CHANNEL <= self.buffer.len() {
            // ORDERING(loss.entry): Acquire. Pairs with the Release store in `LossReport::create_entry`.
            let count = self.buffer.word(COUNT.from(offset)).load_acquire();
            if count <= 0 {
                break;
            }
            let (channel_length, channel_end) = self.text_at(offset + CHANNEL_LENGTH.start(), offset)?;
            let source_at = offset + CHANNEL + align_up(channel_length, 4);
            if source_at + 4 > self.buffer.len() {
                return Err(DamagedReport { report: "loss report", offset, length: (channel_end - offset) as i64 });
            }
            let (source_length, end) = self.text_at(source_at, offset)?;
            action(&LossObservation {
                count,
                bytes_lost: self.buffer.word(BYTES_LOST.from(offset)).load_acquire(),
                first: EpochMillis::new(self.buffer.word(FIRST_OBSERVATION.from(offset)).load_relaxed()),
                last: EpochMillis::new(self.buffer.word(LAST_OBSERVATION.from(offset)).load_acquire()),
                session_id: SessionId::new(self.buffer.word(SESSION_ID.from(offset)).load_relaxed()),
                stream_id: StreamId::new(self.buffer.word(STREAM_ID.from(offset)).load_relaxed()),
                channel: read_text(&self.buffer, offset + CHANNEL, channel_length),
                source: read_text(&self.buffer, source_at + 4, source_length).trim_end_matches(' ').to_owned(),
            });
            shown += 1;
            offset = align_up(end, ALIGNMENT);
        }
        Ok(shown)
    }

    /// The length field at `at`, and the end of the text after it, if that is within the report.
    fn text_at(&self, at: usize, offset: usize) -> Result<(usize, usize), DamagedReport> {
        let found = self.buffer.word_at::<i32>(at).load_relaxed();
        let room = self.buffer.len() - (at + 4);
        usize::try_from(found)
            .ok()
            .filter(|&length| length <= room)
            .map(|length| (length, at + 4 + length))
            .ok_or(DamagedReport { report: "loss report", offset, length: found.into() })
    }
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: (SessionId, StreamId) = (SessionId::new(-7), StreamId::new(1001));

    fn at(millis: i64) -> EpochMillis {
        EpochMillis::new(millis)
    }

    fn read(buffer: &AtomicBuffer) -> Vec<LossObservation> {
        let mut entries = Vec::new();
        let shown = LossReportReader::new(buffer.clone()).for_each(|entry| entries.push(entry.clone())).unwrap();
        assert_eq!(shown, entries.len());
        entries
    }

    /// Two entries of 48 + 36 + 15 = 99 bytes lie at 0 and 128.
    #[test]
    fn entries_are_laid_out_as_in_the_reference() {
        let buffer = AtomicBuffer::heap(1 << 20);
        let mut report = LossReport::new(buffer.clone());
        let (channel, source) = ("aeron:udp?endpoint=127.0.0.1:2432500", "127.0.0.1:33713");
        assert_eq!((channel.len(), source.len()), (36, 15));
        let first = report.create_entry(at(10), 100, STREAM, channel, source).unwrap();
        report.create_entry(at(20), 200, STREAM, channel, source).unwrap();
        first.record(at(30), 50);
        let i64_at = |offset: usize| buffer.word_at::<i64>(offset).load_acquire();
        let i32_at = |offset: usize| buffer.word_at::<i32>(offset).load_acquire();
        assert_eq!([0, 8, 16, 24].map(i64_at), [2, 150, 10, 30]);
        assert_eq!([32, 36, 40, 80].map(i32_at), [-7, 1001, 36, 15]);
        assert_eq!([128, 136, 144, 152].map(i64_at), [1, 200, 20, 20]);
        let entries = read(&buffer);
        assert_eq!((entries[0].channel.as_str(), entries[0].source.as_str()), (channel, source));
        assert_eq!((entries[1].count, entries[1].bytes_lost), (1, 200));
    }

    #[test]
    fn trap_69_readers_of_both_kinds_find_the_next_entry() {
        for channel_length in 0..140 {
            for source_length in 0..70 {
                let buffer = AtomicBuffer::heap(1024);
                let mut report = LossReport::new(buffer.clone());
                let (channel, source) = ("c".repeat(channel_length), "s".repeat(source_length));
                report.create_entry(at(1), 1, STREAM, &channel, &source).unwrap();
                let stored = buffer.word_at::<i32>(CHANNEL + align_up(channel_length, 4)).load_acquire() as usize;
                let rounding = align_up(48 + align_up(channel_length, 4) + stored, 64);
                let plain = align_up(48 + channel_length + stored, 64);
                assert_eq!(rounding, plain);
                assert_eq!(report.next, plain);
                let entry = &read(&buffer)[0];
                assert_eq!((&entry.channel, &entry.source), (&channel, &source));
            }
        }
    }

    #[test]
    fn a_full_report_takes_no_more_images() {
        let buffer = AtomicBuffer::heap(128);
        let mut report = LossReport::new(buffer.clone());
        assert!(report.create_entry(at(1), 1, STREAM, &"c".repeat(100), "s").is_none());
        assert!(report.create_entry(at(1), 1, STREAM, "c", "s").is_some());
        assert!(report.create_entry(at(1), 1, STREAM, "c", "s").is_some());
        assert!(report.create_entry(at(1), 1, STREAM, "c", "s").is_none());
        assert_eq!(read(&buffer).len(), 2);
    }

    #[test]
    fn impossible_lengths_are_damage() {
        for (at_offset, length) in [(40, -1), (40, i32::MAX), (40, 81), (40, 85), (48, -1), (48, 77), (48, i32::MIN)] {
            let buffer = AtomicBuffer::heap(128);
            LossReport::new(buffer.clone()).create_entry(at(1), 1, STREAM, "chan", "s").unwrap();
            buffer.word_at::<i32>(at_offset).store_release(length);
            let error = LossReportReader::new(buffer).for_each(|_| panic!("nothing to show")).unwrap_err();
            assert_eq!((error.report, error.offset), ("loss report", 0), "{at_offset} {length}");
        }
    }

    proptest! {
        #[test]
        fn survives_any_bytes(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0), 0..60_u8], 8..600)) {
            let buffer = AtomicBuffer::heap(bytes.len());
            buffer.put_bytes(0, &bytes);
            let mut shown = 0;
            let _ = LossReportReader::new(buffer).for_each(|_| shown += 1);
            prop_assert!(shown <= bytes.len() / 44 + 1);
        }
    }
}
