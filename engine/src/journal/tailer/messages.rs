//! The message at a tailer's position: one frame, or several that are reassembled.

use crate::logbuffer::{FRAME_HEADER_LENGTH, Fragment, flags};
use crate::memory::faults;
use crate::types::Position;

use super::super::error::JournalError;
use super::frames::Step;
use super::{READ_AHEAD, Record, Tailer};

/// A message that was found, in numbers.
#[derive(Clone, Copy)]
pub(super) struct Message {
    pub(super) start: Position,
    pub(super) end: Position,
    pub(super) sequence: Option<i64>,
    /// Whether it is in the assembly, rather than where it lies.
    pub(super) assembled: bool,
}

/// What came of putting a message together.
enum Assembled {
    Whole(Message),
    /// Its end is not there yet.
    NotYet,
    /// It was never completed, or is longer than any message: the tailer is where something else may begin, or behind what of it was
    /// looked at.
    Never,
}

impl Tailer {
    /// The next message if it is one frame, and nothing is the matter; [`Self::find_next`] finds all others.
    #[inline(always)]
    pub(super) fn find_whole(&self) -> Option<Message> {
        let current = self.current.as_ref().filter(|_| !self.verify && self.behind.is_empty())?;
        let start = self.position;
        let mut cursor = current.cursor_at(start)?;
        let frame = self.identity.look_for_whole(&mut cursor, start)?;
        cursor.expect(READ_AHEAD);
        frame.touch();
        if faults() != self.faults {
            return None;
        }
        let end = Position::new(start.get() + frame.occupied() as i64);
        Some(Message { start, end, sequence: self.sequence, assembled: false })
    }

    /// Finds the next message, and what follows it. The tailer moves over padding and fragments without a beginning, not over
    /// the message.
    pub(super) fn find_next(&mut self) -> Result<Option<Message>, JournalError> {
        if !self.behind.is_empty() {
            self.behind.clear();
        }
        loop {
            let Some(step) = self.peek()? else { return Ok(None) };
            let start = self.position;
            let end = Position::new(start.get() + step.occupied as i64);
            if step.is_data && step.flags & flags::UNFRAGMENTED == flags::UNFRAGMENTED {
                return Ok(Some(Message { start, end, sequence: self.sequence, assembled: false }));
            }
            if !step.begins.message {
                self.position = end;
                continue;
            }
            match self.assemble(step)? {
                Assembled::Whole(message) => return Ok(Some(message)),
                Assembled::NotYet => return Ok(None),
                Assembled::Never => self.sequence = self.sequence.map(|sequence| sequence + 1),
            }
        }
    }

    /// The message that begins where the tailer is, if all of it is there.
    pub(super) fn find_here(&mut self) -> Result<Option<Message>, JournalError> {
        let Some(step) = self.peek()? else { return Ok(None) };
        if step.flags & flags::UNFRAGMENTED == flags::UNFRAGMENTED {
            let (start, end) = (self.position, Position::new(self.position.get() + step.occupied as i64));
            return Ok(Some(Message { start, end, sequence: self.sequence, assembled: false }));
        }
        Ok(match self.assemble(step)? {
            Assembled::Whole(message) => Some(message),
            Assembled::NotYet | Assembled::Never => None,
        })
    }

    /// Puts together the message that begins with the frame `first`, if all of it is there.
    #[cold]
    fn assemble(&mut self, first: Step) -> Result<Assembled, JournalError> {
        let start = self.position;
        let most = FRAME_HEADER_LENGTH + self.identity.layout.term_length.max_message_length();
        self.assembly.clear();
        let mut step = first;
        loop {
            let length = step.frame_length;
            let taken = self.current.as_ref().and_then(|current| {
                let mut cursor = current.cursor_at(self.position)?;
                cursor.take(i32::try_from(length).ok()?)
            });
            // It was there a moment ago.
            let Some(frame) = taken else { return Ok(Assembled::NotYet) };
            if self.assembly.is_empty() {
                self.assembly.extend_from_slice(frame.header());
            }
            self.position = Position::new(self.position.get() + step.occupied as i64);
            // No publisher has such a message: one that goes on for as long as somebody likes takes no more memory than others.
            if self.assembly.len() + frame.payload().len() > most {
                return Ok(Assembled::Never);
            }
            self.assembly.extend_from_slice(frame.payload());
            if step.flags & flags::END != 0 {
                break;
            }
            let next = self.peek();
            match next {
                Ok(Some(next)) if next.is_data && !next.begins.message => step = next,
                // A message that was never completed: what follows is another one, or padding.
                Ok(Some(_)) => return Ok(Assembled::Never),
                outcome => {
                    self.position = start;
                    return outcome.map(|_| Assembled::NotYet);
                }
            }
        }
        let end = self.position;
        self.position = start;
        // The header is that of the first frame, with the length and the flags of the whole.
        let whole = i32::try_from(self.assembly.len()).unwrap_or(i32::MAX);
        self.assembly[..4].copy_from_slice(&whole.to_le_bytes());
        self.assembly[5] |= flags::UNFRAGMENTED;
        Ok(Assembled::Whole(Message { start, end, sequence: self.sequence, assembled: true }))
    }

    #[inline]
    pub(super) fn record(&self, message: Message) -> Option<Record<'_>> {
        let Message { start, end, sequence, assembled } = message;
        let current = self.current.as_ref()?;
        let fragment = if assembled {
            let (header, payload) = self.assembly.split_first_chunk::<FRAME_HEADER_LENGTH>()?;
            Fragment::new(header, payload, end)
        } else {
            let mut cursor = current.cursor_at(start)?;
            let length = cursor.length_word()?.load_relaxed();
            let frame = cursor.take(length)?;
            Fragment::new(frame.header(), frame.payload(), end)
        };
        Some(Record { fragment, start, sequence, times: current.times.as_ref() })
    }
}
