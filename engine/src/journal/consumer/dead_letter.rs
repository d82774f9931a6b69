//! Dead letters: messages that could not be handled, in a journal of their own, each with its origin and the reason.
//!
//! ```text
//!  0       4          8              16         24     32               36      40
//!  | "GDL1" | attempts | recording id | position | time | reason's length | flags | reason | payload
//! ```
//!
//! Flag 1: the payload is included. A payload that does not fit into the journal of dead letters is left out; it is
//! still at its origin.

use std::io::IoSlice;

use crate::journal::appender::Appender;
use crate::journal::error::{AppendError, JournalError};
use crate::journal::journal::Journal;
use crate::journal::tailer::Record;
use crate::time::EpochNanos;
use crate::types::{Position, RecordingId};

const MAGIC: [u8; 4] = *b"GDL1";
const HEADER_LENGTH: usize = 40;
const HAS_PAYLOAD: u32 = 1;
/// The length in bytes at which a reason is cut off.
const LONGEST_REASON: usize = 4096;

/// Appends dead letters to a journal.
#[derive(Debug)]
pub struct DeadLetters {
    appender: Appender,
    /// The end of the last letter. `None` before the first one.
    end: Option<Position>,
}

/// A message that its handler could not process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetter<'a> {
    /// The recording that has the message.
    pub recording_id: RecordingId,
    /// The message's position in that recording.
    pub position: Position,
    /// The time when the message was appended, if known.
    pub time: Option<EpochNanos>,
    /// How often the handler tried.
    pub attempts: u32,
    /// The handler's last error.
    pub reason: &'a str,
    /// The message. `None` if it was too long for the dead letters' journal.
    pub payload: Option<&'a [u8]>,
}

impl DeadLetters {
    /// Appends dead letters to this journal.
    ///
    /// # Errors
    ///
    /// As [`Journal::appender`].
    pub fn to(journal: &Journal) -> Result<Self, JournalError> {
        Ok(Self { appender: journal.appender()?, end: None })
    }

    /// Appends a message that could not be processed. Returns the position after it.
    ///
    /// # Errors
    ///
    /// As [`Appender::append`].
    pub fn append(
        &mut self,
        recording_id: RecordingId,
        record: &Record<'_>,
        attempts: u32,
        reason: &str,
    ) -> Result<Position, AppendError> {
        let room = self.appender.max_message_length().saturating_sub(HEADER_LENGTH);
        let mut end = reason.len().min(LONGEST_REASON).min(room);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let reason = &reason.as_bytes()[..end];
        let payload = record.payload();
        let has_payload = payload.len() <= room - reason.len();
        let mut header = [0; HEADER_LENGTH];
        header[0..4].copy_from_slice(&MAGIC);
        header[4..8].copy_from_slice(&attempts.to_le_bytes());
        header[8..16].copy_from_slice(&recording_id.get().to_le_bytes());
        header[16..24].copy_from_slice(&record.position().get().to_le_bytes());
        header[24..32].copy_from_slice(&record.time().map_or(0, EpochNanos::get).to_le_bytes());
        header[32..36].copy_from_slice(&(reason.len() as u32).to_le_bytes());
        header[36..40].copy_from_slice(&(if has_payload { HAS_PAYLOAD } else { 0 }).to_le_bytes());
        let payload = if has_payload { payload } else { &[] };
        let parts = [IoSlice::new(&header), IoSlice::new(reason), IoSlice::new(payload)];
        let end = self.appender.append_vectored(&parts)?;
        self.end = Some(end);
        Ok(end)
    }

    /// Waits until all letters are on stable storage.
    pub(super) fn sync(&self) -> Result<(), JournalError> {
        self.end.map_or(Ok(()), |end| self.appender.sync_to(end))
    }
}

impl<'a> DeadLetter<'a> {
    /// Reads a message of a dead letters' journal. `None` if the message is not a dead letter.
    pub fn read(message: &'a [u8]) -> Option<Self> {
        let (header, rest) = message.split_first_chunk::<HEADER_LENGTH>()?;
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let long = |at: usize| i64::from(word(at)) | (i64::from(word(at + 4)) << 32);
        let length = usize::try_from(word(32)).ok()?;
        if header[..4] != MAGIC || length > rest.len() {
            return None;
        }
        let (reason, payload) = rest.split_at(length);
        Some(Self {
            recording_id: RecordingId::new(long(8)),
            position: Position::new(long(16)),
            time: Some(long(24)).filter(|&time| time > 0).map(EpochNanos::new),
            attempts: word(4),
            reason: core::str::from_utf8(reason).ok()?,
            payload: (word(36) & HAS_PAYLOAD != 0).then_some(payload),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_dead_letter_is_none() {
        let mut letter = [0_u8; HEADER_LENGTH + 5];
        letter[..4].copy_from_slice(&MAGIC);
        letter[4] = 3;
        letter[16] = 64;
        letter[32] = 2;
        letter[36] = 1;
        letter[40..].copy_from_slice(b"noxyz");
        let read = DeadLetter::read(&letter).unwrap();
        assert_eq!((read.attempts, read.position.get(), read.reason, read.payload), (3, 64, "no", Some(&b"xyz"[..])));
        assert_eq!(read.time, None);
        for (at, byte) in [(0, b'X'), (32, 6), (35, 0xFF), (40, 0xFF)] {
            let mut bad = letter;
            bad[at] = byte;
            assert_eq!(DeadLetter::read(&bad), None, "byte {at}");
        }
        assert_eq!(DeadLetter::read(&letter[..39]), None);
        letter[36] = 0;
        assert_eq!(DeadLetter::read(&letter).unwrap().payload, None);
    }
}
