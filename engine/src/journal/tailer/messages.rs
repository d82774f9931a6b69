//! The message at a tailer's position: one frame, or several that are reassembled.

use crate::logbuffer::{FRAME_HEADER_LENGTH, Fragment, flags};
use crate::memory::faults;
use crate::types::Position;

use super::super::error::JournalError;
use super::frames::Step;
use super::{READ_AHEAD, Record, Tailer};

/// The properties of a message that was found.
#[derive(Clone, Copy)]
pub(super) struct Message {
    pub(super) start: Position,
    pub(super) end: Position,
    pub(super) sequence: Option<i64>,
    /// Whether the message is in the reassembly buffer rather than in the segment.
    pub(super) assembled: bool,
}

/// The result of reassembling a message.
enum Assembled {
    Whole(Message),
    /// The end of the message is not there yet.
    NotYet,
    /// The message was never completed, or is too long. The tailer is after the part that was read, or where something
    /// else may begin.
    Never,
}

impl Tailer {
    /// The fast path: the next message, if it is a single frame without any problem. [`Self::find_next`] handles
    /// everything else.
    #[inline(always)]
    pub(super) fn find_whole(&self) -> Option<Message> {
        let current = self.current.as_ref().filter(|_| !self.checks() && self.behind.is_empty())?;
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

    /// Finds the next message and the position after it. The tailer moves past padding, and past fragments without a
    /// beginning, but not past the message.
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

    /// The message at the tailer's position, if it is complete.
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

    /// Reassembles the message that begins with the frame `first`, if all its frames are there.
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
            // The frame was there a moment ago.
            let Some(frame) = taken else { return Ok(Assembled::NotYet) };
            if self.assembly.is_empty() {
                self.assembly.extend_from_slice(frame.header());
            }
            self.position = Position::new(self.position.get() + step.occupied as i64);
            // No publisher creates such a message. The limit bounds the memory that a hostile file can use.
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
                // The message was never completed. Another message or padding follows.
                Ok(Some(_)) => return Ok(Assembled::Never),
                outcome => {
                    self.position = start;
                    return outcome.map(|_| Assembled::NotYet);
                }
            }
        }
        let end = self.position;
        self.position = start;
        // The header is the first frame's, with the length and the flags of the whole message.
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
