//! The distinct error log: each different error once, with its count and the times of its first and last observation.
//! The driver's conductor writes it for all agents; tools read it. Entries are never overwritten, and the log never
//! grows. When it is full, new errors are dropped, and its last entry says so and counts them.

use std::collections::HashMap;

use super::{DamagedReport, read_text};
use crate::memory::{AtomicBuffer, Field, align_up};
use crate::time::EpochMillis;

const LENGTH: Field<i32> = Field::at(0);
const COUNT: Field<i32> = Field::at(4);
const LAST_OBSERVATION: Field<i64> = Field::at(8);
const FIRST_OBSERVATION: Field<i64> = Field::at(16);
const HEADER_LENGTH: usize = FIRST_OBSERVATION.end();
const _: () = assert!(HEADER_LENGTH == 24);
const ALIGNMENT: usize = 8;

/// The text of the last entry of a full log. Its count is the number of dropped errors.
const FULL: &str = "(0) the error log is full: errors that it does not have yet are only counted here, until the driver is started anew";
/// The space reserved for that entry, in bytes.
const RESERVED: usize = align_up(HEADER_LENGTH + FULL.len(), ALIGNMENT);

/// The maximum length of a text in an entry, in bytes.
const MAX_TEXT_LENGTH: usize = 8192;

/// The only writer of an error log.
///
/// ```
/// use gannet::memory::{AtomicBuffer, RawAccess};
/// use gannet::reports::{ErrorLog, ErrorLogReader};
/// use gannet::time::EpochMillis;
///
/// // SAFETY: the log has one writer, and nobody else knows the buffer.
/// let buffer = AtomicBuffer::zeroed(4096, unsafe { RawAccess::promised() });
/// let mut log = ErrorLog::new(buffer.clone());
/// for second in [1, 5] {
///     log.record(EpochMillis::new(second * 1000), "(11) no such channel");
/// }
/// let mut seen = Vec::new();
/// ErrorLogReader::new(buffer).for_each(EpochMillis::new(0), |error| seen.push((error.count, error.text.clone())))?;
/// assert_eq!(seen, [(2, "(11) no such channel".to_string())]);
/// # Ok::<(), gannet::reports::DamagedReport>(())
/// ```
#[derive(Debug)]
pub struct ErrorLog {
    buffer: AtomicBuffer,
    /// The offset of the next entry. Not loaded from the log, because others map it writable.
    next: usize,
    /// The offset of the entry of each text. Bounded like the log, which contains all texts.
    known: HashMap<String, usize>,
}

/// The result of recording an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// The error has a new entry.
    New,
    /// The error was counted in its existing entry.
    Again,
    /// The log is full. The error was counted in the last entry, which reports dropped errors.
    Dropped,
}

impl ErrorLog {
    /// Creates the writer of a zeroed region.
    pub fn new(buffer: AtomicBuffer) -> Self {
        Self { buffer, next: 0, known: HashMap::new() }
    }

    /// Records an error that occurred at `now`. Two errors are the same if their texts are equal. A text begins with
    /// its code in parentheses, and is truncated to 8192 bytes.
    pub fn record(&mut self, now: EpochMillis, text: &str) -> Recorded {
        let text = clip(text);
        if let Some(&offset) = self.known.get(text) {
            self.observe(offset, now);
            return Recorded::Again;
        }
        let room = self.buffer.len().saturating_sub(RESERVED);
        if let Some(offset) = self.append(now, text, room) {
            self.observe(offset, now);
            return Recorded::New;
        }
        let full = self.known.get(FULL).copied().or_else(|| self.append(now, FULL, self.buffer.len()));
        if let Some(offset) = full {
            self.observe(offset, now);
        }
        Recorded::Dropped
    }

    /// Counts another occurrence in an existing entry.
    fn observe(&self, offset: usize, now: EpochMillis) {
        self.buffer.word(COUNT.from(offset)).fetch_add(1);
        self.buffer.word(LAST_OBSERVATION.from(offset)).store_release(now.get());
    }

    /// Adds an entry with no occurrences yet, if it ends within `room`.
    fn append(&mut self, now: EpochMillis, text: &str, room: usize) -> Option<usize> {
        let offset = self.next;
        let length = HEADER_LENGTH + text.len();
        if offset + length > room {
            return None;
        }
        self.buffer.put_bytes(offset + HEADER_LENGTH, text.as_bytes());
        self.buffer.word(FIRST_OBSERVATION.from(offset)).store_relaxed(now.get());
        self.buffer.word(COUNT.from(offset)).store_relaxed(0);
        // ORDERING(errors.entry): Release. Pairs with the Acquire load in `ErrorLogReader::for_each`; publishes text and first
        // observation.
        self.buffer.word(LENGTH.from(offset)).store_release(length as i32);
        self.next = align_up(offset + length, ALIGNMENT);
        self.known.insert(text.to_owned(), offset);
        Some(offset)
    }
}

/// The part of the text that fits into an entry, up to a character boundary.
fn clip(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT_LENGTH);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Reads an error log, at any time and without affecting it.
#[derive(Clone, Debug)]
pub struct ErrorLogReader {
    buffer: AtomicBuffer,
}

/// One error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorObservation {
    /// The number of occurrences. 0 for a moment after the error was first logged.
    pub count: i32,
    /// When the error first occurred.
    pub first: EpochMillis,
    /// When the error last occurred. 0 for a moment after it was first logged.
    pub last: EpochMillis,
    /// The error: a code in parentheses and a message, or a stack trace.
    pub text: String,
}

impl ErrorLogReader {
    /// A reader of this region.
    pub fn new(buffer: AtomicBuffer) -> Self {
        Self { buffer }
    }

    /// Calls the function for every error that last occurred at or after `since`, oldest entry first. Returns how many.
    ///
    /// # Errors
    ///
    /// [`DamagedReport`] at the first invalid entry. The entries before it have been reported.
    pub fn for_each(
        &self,
        since: EpochMillis,
        mut action: impl FnMut(&ErrorObservation),
    ) -> Result<usize, DamagedReport> {
        let mut shown = 0;
        let mut offset = 0;
        while offset + HEADER_LENGTH <= self.buffer.len() {
            // ORDERING(errors.entry): Acquire. Pairs with the Release store in `ErrorLog::append`.
            let found = self.buffer.word(LENGTH.from(offset)).load_acquire();
            if found == 0 {
                break;
            }
            let length = usize::try_from(found)
                .ok()
                .filter(|length| (HEADER_LENGTH..=self.buffer.len() - offset).contains(length))
                .ok_or(DamagedReport { report: "error log", offset, length: found.into() })?;
            let last = EpochMillis::new(self.buffer.word(LAST_OBSERVATION.from(offset)).load_acquire());
            if last >= since {
                action(&ErrorObservation {
                    count: self.buffer.word(COUNT.from(offset)).load_acquire(),
                    first: EpochMillis::new(self.buffer.word(FIRST_OBSERVATION.from(offset)).load_relaxed()),
                    last,
                    text: read_text(&self.buffer, offset + HEADER_LENGTH, length - HEADER_LENGTH),
                });
                shown += 1;
            }
            offset += align_up(length, ALIGNMENT);
        }
        Ok(shown)
    }
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> EpochMillis {
        EpochMillis::new(millis)
    }

    fn read(buffer: &AtomicBuffer, since: i64) -> Vec<(i32, i64, i64, String)> {
        let mut errors = Vec::new();
        let shown = ErrorLogReader::new(buffer.clone())
            .for_each(at(since), |error| {
                errors.push((error.count, error.first.get(), error.last.get(), error.text.clone()));
            })
            .unwrap();
        assert_eq!(shown, errors.len());
        errors
    }

    #[test]
    fn entries_are_laid_out_as_in_the_reference() {
        let buffer = AtomicBuffer::heap(256);
        let mut log = ErrorLog::new(buffer.clone());
        assert_eq!(log.record(at(100), "(1) abcdef"), Recorded::New);
        assert_eq!(log.record(at(200), "(2)"), Recorded::New);
        assert_eq!(log.record(at(300), "(1) abcdef"), Recorded::Again);
        let (i32_at, i64_at) = (
            |offset: usize| buffer.word_at::<i32>(offset).load_acquire(),
            |offset: usize| buffer.word_at::<i64>(offset).load_acquire(),
        );
        assert_eq!((i32_at(0), i32_at(4), i64_at(8), i64_at(16)), (34, 2, 300, 100));
        assert_eq!((i32_at(40), i32_at(44), i64_at(48), i64_at(56)), (27, 1, 200, 200));
        assert_eq!(read(&buffer, 0), [(2, 100, 300, "(1) abcdef".to_string()), (1, 200, 200, "(2)".to_string())]);
        assert_eq!(read(&buffer, 201).len(), 1, "only what was seen since");
    }

    #[test]
    fn trap_68_a_reader_takes_an_entry_that_was_not_yet_counted() {
        let buffer = AtomicBuffer::heap(256);
        let mut log = ErrorLog::new(buffer.clone());
        log.append(at(100), "(1) just logged", 256).unwrap();
        assert_eq!(read(&buffer, 0), [(0, 100, 0, "(1) just logged".to_string())]);
        assert_eq!(log.record(at(100), "(1) just logged"), Recorded::Again);
        assert_eq!(read(&buffer, 100).len(), 1);
    }

    #[test]
    fn a_full_log_drops_new_errors_and_counts_known_ones() {
        let buffer = AtomicBuffer::heap(64 + RESERVED);
        let mut log = ErrorLog::new(buffer.clone());
        assert_eq!(log.record(at(1), "(1) fits"), Recorded::New);
        assert_eq!(log.record(at(2), "(2) nine"), Recorded::New);
        assert_eq!(read(&buffer, 0).len(), 2);
        assert_eq!(log.record(at(3), "(3)"), Recorded::Dropped);
        assert_eq!(log.record(at(4), "(1) fits"), Recorded::Again);
        assert_eq!(log.record(at(5), "(4)"), Recorded::Dropped);
        let seen = read(&buffer, 0);
        assert_eq!(seen[2], (2, 3, 5, FULL.to_string()));
        assert_eq!((seen.len(), seen[0].0), (3, 2));
    }

    #[test]
    fn a_log_without_room_for_anything_drops_everything() {
        let buffer = AtomicBuffer::heap(RESERVED - 8);
        assert_eq!(ErrorLog::new(buffer.clone()).record(at(1), "(1)"), Recorded::Dropped);
        assert!(read(&buffer, 0).is_empty());
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let buffer = AtomicBuffer::heap(1 << 16);
        let mut log = ErrorLog::new(buffer.clone());
        let text = format!("x{}", "é".repeat(8000));
        log.record(at(1), &text);
        assert_eq!(log.record(at(1), &format!("{text} and more")), Recorded::Again);
        assert_eq!(read(&buffer, 0)[0].3, format!("x{}", "é".repeat(4095)));
    }

    #[test]
    fn what_others_store_does_not_move_the_writer() {
        let buffer = AtomicBuffer::heap(256);
        let mut log = ErrorLog::new(buffer.clone());
        log.record(at(1), "(1) first");
        for length in [-1, 23, 257, i32::MAX, i32::MIN] {
            buffer.word_at::<i32>(0).store_release(length);
            let error = ErrorLogReader::new(buffer.clone()).for_each(at(0), |_| panic!("nothing to show")).unwrap_err();
            assert_eq!(error, DamagedReport { report: "error log", offset: 0, length: length.into() });
        }
        assert_eq!(log.record(at(2), "(1) first"), Recorded::Again);
        assert_eq!(log.record(at(2), "(2) second"), Recorded::New);
        buffer.word_at::<i32>(0).store_release(33);
        assert_eq!(read(&buffer, 0).len(), 2);
    }

    proptest! {
        #[test]
        fn survives_any_bytes(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0), 0..60_u8], 8..600)) {
            let buffer = AtomicBuffer::heap(bytes.len());
            buffer.put_bytes(0, &bytes);
            let mut shown = 0;
            let _ = ErrorLogReader::new(buffer).for_each(at(i64::MIN), |error| shown += 24 + error.text.chars().count().min(1));
            prop_assert!(shown <= bytes.len());
        }

        #[test]
        fn counts_each_text(texts in prop::collection::vec(0..12_u8, 0..200)) {
            let buffer = AtomicBuffer::heap(4096);
            let mut log = ErrorLog::new(buffer.clone());
            let mut model: Vec<(i32, i64, i64, String)> = Vec::new();
            for (now, text) in (1..).zip(texts) {
                let text = format!("({text}) {}", "m".repeat(text.into()));
                log.record(at(now), &text);
                match model.iter_mut().find(|known| known.3 == text) {
                    Some(known) => (known.0, known.2) = (known.0 + 1, now),
                    None => model.push((1, now, now, text)),
                }
            }
            prop_assert_eq!(read(&buffer, 0), model);
        }
    }
}
