//! Appending: a range is claimed, a frame is written into the mapped segment, and committed. Runs on the application's thread;
//! makes no system call and allocates nothing, unless the next segment was not made ahead in time.

use crate::logbuffer::frame::{Place, occupied};
use crate::logbuffer::message::{self, Claimed, Payload};
use crate::memory::{Frames, faults};
use crate::types::Position;

use super::segment::Identity;
use super::tail::Claims;

/// The longest frame of padding that fills up a segment before it is full, in bytes: whoever verifies an archive's segments reads each
/// frame into a buffer, which is that long.
const MOST_PADDING: usize = 1 << 20;

/// Where an appender gets segments from when it comes to them.
pub(crate) trait SegmentSource {
    /// Why there is none.
    type Error;

    /// The frames of the segment at `base`, instead of those that the appender had before.
    fn enter(&mut self, base: Position, left: Option<(Position, Frames)>) -> Result<Frames, Self::Error>;

    /// Whether what appenders share, and these frames of the segment at `base`, are still what others see; asked when that cannot be
    /// said of some file of this process.
    fn check_intact(&mut self, frames: &Frames, base: Position, position: Position) -> Result<(), Self::Error>;
}

/// Why nothing was claimed.
#[derive(Debug)]
pub(crate) enum ClaimError<E> {
    /// There was no segment.
    Segment(E),
    /// The recording has no positions left.
    MaxPosition,
    /// The tail is not one that the recording can have.
    Tail(Position),
}

/// Appends to a recording.
#[derive(Debug)]
pub(crate) struct Append<S, C> {
    source: S,
    claimant: C,
    identity: Identity,
    /// Where the segment begins and ends; nothing is within it while there is none.
    base: Position,
    end: Position,
    frames: Option<Frames>,
    term: Term,
    max_payload: usize,
    /// The tail is never below: what this appender knows of is appended.
    least: Position,
    /// How many pages had been replaced in this process when the files were looked at last; see [`faults`].
    faults: i64,
}

/// The term that was claimed from last, in a segment that there is: most claims are in the same, and this says all there is to know for
/// one. Nothing is within it while there is none.
#[derive(Debug)]
struct Term {
    begin: Position,
    end: Position,
    /// What the header of a frame at its beginning says.
    place: Place,
}

impl<S: SegmentSource, C: Claims> Append<S, C> {
    /// Appends from `least` on: what is below is known to be appended.
    pub(crate) fn new(source: S, claimant: C, identity: Identity, max_payload: usize, least: Position) -> Self {
        Self {
            source,
            claimant,
            identity,
            base: Position::new(0),
            end: Position::new(0),
            frames: None,
            term: Term { begin: Position::new(0), end: Position::new(0), place: identity.place(Position::new(0)) },
            max_payload,
            least,
            faults: faults(),
        }
    }

    /// Appends a message, in one frame or several, and returns the position after it.
    #[inline(always)]
    pub(crate) fn append(
        &mut self,
        payload: impl Payload,
        length: usize,
        reserved: i64,
    ) -> Result<Position, ClaimError<S::Error>> {
        let max_payload = self.max_payload;
        if length <= max_payload {
            let (claimed, end, _) = self.claim(occupied(length))?;
            message::write_whole(&claimed, payload, length, crate::logbuffer::frame::DATA_UNFRAGMENTED, reserved);
            self.written(end)
        } else {
            self.append_fragmented(payload, length, reserved)
        }
    }

    /// Appends a message that takes more than one frame.
    #[inline(never)]
    fn append_fragmented(
        &mut self,
        payload: impl Payload,
        length: usize,
        reserved: i64,
    ) -> Result<Position, ClaimError<S::Error>> {
        let max_payload = self.max_payload;
        let (claimed, end, _) = self.claim(message::fragmented_length(length, max_payload))?;
        message::write_at_once(claimed, payload, length, max_payload, reserved);
        self.written(end)
    }

    /// What [`faults`] said when the files were looked at last.
    #[inline]
    pub(crate) fn faults(&self) -> i64 {
        self.faults
    }

    /// Says that a message that was written up to `end` is in the file.
    #[inline]
    pub(crate) fn written(&mut self, end: Position) -> Result<Position, ClaimError<S::Error>> {
        if faults() != self.faults {
            self.look_at_files(end)?;
        }
        Ok(end)
    }

    /// A page of some file of this process had to be replaced: sees whether it was one of those that are appended to.
    #[cold]
    fn look_at_files(&mut self, position: Position) -> Result<(), ClaimError<S::Error>> {
        let now = faults();
        let Some(frames) = &self.frames else { return Ok(()) };
        let outcome = self.source.check_intact(frames, self.base, position);
        match outcome {
            Ok(()) => self.faults = now,
            // Looked for anew by the next append.
            Err(_) => {
                (self.frames, self.end) = (None, self.base);
                self.term.end = self.term.begin;
            }
        }
        outcome.map_err(ClaimError::Segment)
    }

    /// Claims `required` bytes for frames, at most a term's, and says at which position they end, and in which segment they are.
    #[inline(always)]
    pub(crate) fn claim(&mut self, required: usize) -> Result<(Claimed<'_>, Position, &Frames), ClaimError<S::Error>> {
        let position = self.claimant.tail();
        let is_within = position >= self.term.begin && position.get() <= self.term.end.get() - required as i64;
        let position =
            if is_within && self.claimant.claim(position, required) { position } else { self.claim_slowly(required)? };
        let end = self.check_claim(position, required)?;
        let offset = (position.get() - self.base.get()) as usize;
        let place = self.term.place.beyond((position.get() - self.term.begin.get()) as usize);
        let Some(frames) = &self.frames else { return Err(ClaimError::Tail(position)) };
        let Some(space) = frames.space(offset, required) else { return Err(ClaimError::Tail(position)) };
        frames.expect_write(offset, required);
        Ok((Claimed { space, place }, end, frames))
    }

    /// Claims `required` bytes where the term ends before, another segment begins, or others claim as well.
    #[inline(never)]
    fn claim_slowly(&mut self, required: usize) -> Result<Position, ClaimError<S::Error>> {
        loop {
            let position = self.claimant.tail();
            if position < self.base || position >= self.end {
                self.enter(position)?;
            }
            let rest = self.rest_of_term(position);
            if required > rest {
                self.fill_term(position, rest, required)?;
            } else if self.claimant.claim(position, required) {
                let begin =
                    Position::new(position.get() - (i64::from(self.identity.layout.term_length.get()) - rest as i64));
                let end = Position::new(position.get() + rest as i64);
                self.term = Term { begin, end, place: self.identity.place(begin) };
                return Ok(position);
            }
        }
    }

    fn rest_of_term(&self, position: Position) -> usize {
        let term_length = self.identity.layout.term_length;
        (term_length.get() - term_length.offset(position)) as usize
    }

    /// Sees that what was claimed may be written to, before it is, and says where it ends.
    #[inline]
    fn check_claim(&mut self, position: Position, length: usize) -> Result<Position, ClaimError<S::Error>> {
        if faults() != self.faults {
            self.look_at_files(position)?;
        }
        // Where the tail went back, frames would be written over.
        if position < self.least {
            return Err(ClaimError::Tail(position));
        }
        self.least = Position::new(position.get() + length as i64);
        Ok(self.least)
    }

    /// Fills up the segment that the tail is in, unless nothing is in it yet, or it is the last that there can be. Says where what is
    /// appended next goes, at the least.
    pub(crate) fn fill_segment(&mut self) -> Result<Position, ClaimError<S::Error>> {
        let layout = self.identity.layout;
        let tail = self.claimant.tail();
        let (base, next) = (layout.base(tail), layout.next_base(layout.base(tail)));
        if tail == base || tail == layout.start_position || next >= layout.end() {
            return Ok(tail);
        }
        loop {
            let position = self.claimant.tail();
            if position >= next {
                return Ok(next);
            }
            if position < self.base || position >= self.end {
                self.enter(position)?;
            }
            let rest = self.rest_of_term(position);
            self.fill_term(position, rest.min(MOST_PADDING), 0)?;
        }
    }

    /// Goes to the segment that the tail is in.
    #[cold]
    fn enter(&mut self, position: Position) -> Result<(), ClaimError<S::Error>> {
        let layout = self.identity.layout;
        if position >= layout.end() {
            return Err(ClaimError::MaxPosition);
        }
        if position < layout.start_position || position.get() % 32 != 0 {
            return Err(ClaimError::Tail(position));
        }
        let base = layout.base(position);
        let left = self.frames.take().map(|frames| (self.base, frames));
        self.end = self.base;
        self.term.end = self.term.begin;
        self.frames = Some(self.source.enter(base, left).map_err(ClaimError::Segment)?);
        self.base = base;
        self.end = layout.next_base(base).min(layout.end());
        Ok(())
    }

    /// The message does not fit into the rest of the term: fills that up, if nobody else has it.
    #[cold]
    fn fill_term(&mut self, position: Position, rest: usize, required: usize) -> Result<(), ClaimError<S::Error>> {
        if position.get() + (rest + required) as i64 > self.identity.layout.end().get() {
            return Err(ClaimError::MaxPosition);
        }
        if self.claimant.claim(position, rest) {
            self.check_claim(position, rest)?;
            let offset = (position.get() - self.base.get()) as usize;
            let space = self.frames.as_ref().and_then(|frames| frames.space(offset, rest));
            let claimed =
                Claimed { space: space.ok_or(ClaimError::Tail(position))?, place: self.identity.place(position) };
            message::write_padding(&claimed, rest as i32);
        }
        Ok(())
    }
}
