//! Appending: a range is claimed, a frame is written into the mapped segment, and committed. Runs on the application's thread;
//! makes no system call and allocates nothing, unless the next segment was not made ahead in time.

use crate::logbuffer::frame::occupied;
use crate::logbuffer::message::{self, Claimed, Payload};
use crate::memory::Frames;
use crate::types::Position;

use super::segment::Identity;
use super::tail::Claimant;

/// Where an appender gets segments from when it comes to them.
pub(crate) trait SegmentSource {
    /// Why there is none.
    type Error;

    /// The frames of the segment at `base`, instead of those that the appender had before.
    fn enter(&mut self, base: Position, left: Option<(Position, Frames)>) -> Result<Frames, Self::Error>;
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
pub(crate) struct Append<S> {
    source: S,
    claimant: Claimant,
    identity: Identity,
    /// Where the segment begins and ends; nothing is within it while there is none.
    base: Position,
    end: Position,
    frames: Option<Frames>,
    max_payload: usize,
}

impl<S: SegmentSource> Append<S> {
    pub(crate) fn new(source: S, claimant: Claimant, identity: Identity, max_payload: usize) -> Self {
        Self { source, claimant, identity, base: Position::new(0), end: Position::new(0), frames: None, max_payload }
    }

    /// Appends a message, in one frame or several, and returns the position after it.
    #[inline]
    pub(crate) fn append(
        &mut self,
        payload: impl Payload,
        length: usize,
        reserved: i64,
    ) -> Result<Position, ClaimError<S::Error>> {
        let max_payload = self.max_payload;
        if length <= max_payload {
            let (claimed, end) = self.claim(occupied(length))?;
            message::write_whole(&claimed, payload, length, crate::logbuffer::frame::DATA_UNFRAGMENTED, reserved);
            Ok(end)
        } else {
            let (claimed, end) = self.claim(message::fragmented_length(length, max_payload))?;
            message::write_at_once(claimed, payload, length, max_payload, reserved);
            Ok(end)
        }
    }

    /// Claims `required` bytes for frames, at most a term's, and says at which position they end.
    #[inline]
    pub(crate) fn claim(&mut self, required: usize) -> Result<(Claimed<'_>, Position), ClaimError<S::Error>> {
        let term_length = self.identity.layout.term_length;
        let position = loop {
            let position = self.claimant.tail();
            if position < self.base || position >= self.end {
                self.enter(position)?;
            }
            let rest = (term_length.get() - term_length.offset(position)) as usize;
            if required > rest {
                self.fill_term(position, rest, required)?;
            } else if self.claimant.claim(position, required) {
                break position;
            }
        };
        let offset = (position.get() - self.base.get()) as usize;
        let place = self.identity.place(position);
        let Some(space) = self.frames.as_ref().and_then(|frames| frames.space(offset, required)) else {
            return Err(ClaimError::Tail(position));
        };
        Ok((Claimed { space, place }, Position::new(position.get() + required as i64)))
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
            let offset = (position.get() - self.base.get()) as usize;
            let space = self.frames.as_ref().and_then(|frames| frames.space(offset, rest));
            let claimed =
                Claimed { space: space.ok_or(ClaimError::Tail(position))?, place: self.identity.place(position) };
            message::write_padding(&claimed, rest as i32);
        }
        Ok(())
    }
}
