//! Reading a recording as runs of whole frames, as they are in its segments, for replays. Replayers call this; it reads
//! the frames in place, and copies nothing.

use crate::logbuffer::{FRAME_HEADER_LENGTH, frame};
use crate::memory::faults;
use crate::types::Position;

use super::super::error::{Fault, JournalError};
use super::super::segment::At;
use super::super::sidecar::Begins;
use super::Tailer;
use super::frames::Checksums;

/// A run of whole frames, borrowed until the tailer is used again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    /// The frames, headers included. For padding, only the header.
    pub(crate) bytes: &'a [u8],
    /// The number of bytes that they occupy in the recording.
    pub(crate) length: usize,
    /// The position after them.
    pub(crate) end: Position,
    /// Whether this is padding.
    pub(crate) is_padding: bool,
}

impl Tailer {
    /// The frames at the tailer's position: whole frames of one term, up to `end`, up to the first for which `is_due`
    /// returns false, and at most `limit` bytes unless the first frame is longer. Padding is a run of its own. `None`
    /// if there are no frames. Damage is reported when it is at the tailer's position, after the frames before it. The
    /// tailer does not move; [`Self::pass`] moves it.
    pub(crate) fn frames(
        &mut self,
        limit: usize,
        end: Position,
        mut is_due: impl FnMut(Position, Begins) -> bool,
    ) -> Result<Option<Run<'_>>, JournalError> {
        // Maps the segment, and reports damage if a frame is missing.
        if self.look()?.is_none() {
            return Ok(None);
        }
        let start = self.position;
        let from = self.unproven_from();
        // A run ends where frames begin that need proof, and then has one frame.
        let must = from.is_some_and(|from| start >= from);
        if must {
            self.check()?;
        }
        let end = from.filter(|&from| from > start).map_or(end, |from| end.min(from));
        let limit = if must { 0 } else { limit };
        let checksums = if self.verify { self.checksums()? } else { None };
        let mut walked = self.walk_run(limit, end, checksums.as_ref(), &mut is_due);
        if matches!(walked, Err(Fault::Checksum { .. })) && self.forget_checksums() {
            let checksums = self.checksums()?;
            walked = self.walk_run(limit, end, checksums.as_ref(), &mut is_due);
        }
        if faults() != self.faults {
            self.look_at_segment()?;
        }
        let (end, is_padding) = walked.map_err(|fault| self.failure(fault))?;
        let first = self.current.as_ref().and_then(|current| current.cursor_at(start));
        let length = (end.get() - start.get()) as usize;
        let Some(first) = first.filter(|_| length > 0) else { return Ok(None) };
        let bytes = first.block(if is_padding { FRAME_HEADER_LENGTH } else { length });
        Ok(Some(Run { bytes, length, end, is_padding }))
    }

    /// Checks that the segment is still backed by its file. Call it after the frames of a run were read, if their
    /// content matters.
    pub(crate) fn check_run(&mut self) -> Result<(), JournalError> {
        if faults() == self.faults { Ok(()) } else { self.look_at_segment() }
    }

    /// Checks that the frame at the tailer's position does not go on behind `end`, where a stream is to end. The end that a
    /// catalog names may be wrong, and no run of whole frames would reach it.
    pub(crate) fn check_end(&mut self, end: Position) -> Result<(), JournalError> {
        let position = self.position;
        match self.look()? {
            Some(step) if position.get() + step.occupied as i64 > end.get() => {
                let reason =
                    format!("it is to end there, in the middle of the frame that begins at {position}; verify it");
                Err(self.no_position(end, reason))
            }
            _ => Ok(()),
        }
    }

    /// The end of the run for [`Self::frames`], and whether it is padding, or the fault of its first frame.
    fn walk_run(
        &self,
        limit: usize,
        end: Position,
        checksums: Option<&Checksums>,
        is_due: &mut impl FnMut(Position, Begins) -> bool,
    ) -> Result<(Position, bool), Fault> {
        let start = self.position;
        let Some(mut cursor) = self.current.as_ref().and_then(|current| current.cursor_at(start)) else {
            return Ok((start, false));
        };
        let term_length = self.identity.layout.term_length;
        let mut position = start;
        // A fault is reported when it is the first frame of a run.
        while let At::Frame(found) = self.identity.look(&mut cursor, position) {
            let next = Position::new(position.get() + found.occupied as i64);
            let is_first = position == start;
            let is_too_long = !is_first && (next.get() - start.get()) as usize > limit;
            if next > end || is_too_long || !is_due(position, Begins::of(&found.frame)) {
                break;
            }
            let is_padding = frame::is_padding(&found.frame);
            if is_padding && !is_first {
                break;
            }
            match checksums.and_then(|checksums| checksums.fault(position, &found.frame, false)) {
                Some(fault) if is_first => return Err(fault),
                Some(_) => break,
                None => {}
            }
            if is_padding {
                return Ok((next, true));
            }
            // Reads the pages here, so that a truncated file is detected here and not when the frames are copied.
            found.frame.touch();
            position = next;
            if term_length.offset(position) == 0 {
                break;
            }
        }
        Ok((position, false))
    }

    /// Moves the tailer to the end of a run.
    pub(crate) fn pass(&mut self, end: Position) {
        self.position = end;
        self.sequence = None;
        self.behind.clear();
    }
}
