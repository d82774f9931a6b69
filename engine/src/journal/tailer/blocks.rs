//! Reading a recording as runs of whole frames, as they lie in its segments: what a replay publishes. Replayers call this; it reads
//! the frames where they are, and copies nothing.

use crate::logbuffer::{FRAME_HEADER_LENGTH, frame};
use crate::types::Position;

use super::super::error::JournalError;
use super::super::segment::At;
use super::super::sidecar::Begins;
use super::Tailer;

/// A run of frames, lent until its tailer is used again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    /// The frames, headers included; of padding the header alone.
    pub(crate) bytes: &'a [u8],
    /// How many bytes of the recording they take up.
    pub(crate) length: usize,
    /// The position after them.
    pub(crate) end: Position,
    /// Whether this is padding.
    pub(crate) is_padding: bool,
}

impl Tailer {
    /// The frames from where the tailer is: whole ones that end at `end` at the latest, of one term, `limit` bytes at the most unless
    /// the first is longer, and none for which `is_due` says no, nor any behind it. Padding comes by itself. None if there are
    /// none. The tailer stays where it is; [`Self::pass`] gets past them.
    pub(crate) fn frames(
        &mut self,
        limit: usize,
        end: Position,
        mut is_due: impl FnMut(Position, Begins) -> bool,
    ) -> Result<Option<Run<'_>>, JournalError> {
        // Maps the segment, and tells what is wrong if there is no frame where one should be.
        if self.peek()?.is_none() {
            return Ok(None);
        }
        let Some(current) = &self.current else { return Ok(None) };
        let start = self.position;
        let Some(mut cursor) = current.frames.cursor((start.get() - current.base.get()) as usize) else {
            return Ok(None);
        };
        let first = cursor.clone();
        let term_length = self.identity.layout.term_length;
        let length_to = |position: Position| (position.get() - start.get()) as usize;
        let mut position = start;
        // What is no frame is told when it is the first.
        while let At::Frame(found) = self.identity.look(&mut cursor, position) {
            let next = Position::new(position.get() + found.occupied as i64);
            let is_first = position == start;
            if next > end || !is_first && length_to(next) > limit || !is_due(position, Begins::of(&found.frame)) {
                break;
            }
            if frame::is_padding(&found.frame) {
                if !is_first {
                    break;
                }
                let bytes = first.block(FRAME_HEADER_LENGTH);
                return Ok(Some(Run { bytes, length: found.occupied, end: next, is_padding: true }));
            }
            position = next;
            if term_length.offset(position) == 0 {
                break;
            }
        }
        let length = length_to(position);
        let run = Run { bytes: first.block(length), length, end: position, is_padding: false };
        Ok((length > 0).then_some(run))
    }

    /// Goes on behind a run.
    pub(crate) fn pass(&mut self, end: Position) {
        self.position = end;
        self.sequence = None;
        self.behind.clear();
    }
}
