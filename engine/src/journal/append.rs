//! Appending: claims a range, writes a frame into the mapped segment, and commits it. This runs on the application's
//! thread. It makes no system call and allocates nothing, unless the next segment was not made ahead in time.

use crate::logbuffer::frame::{DATA_UNFRAGMENTED, Place, occupied};
use crate::logbuffer::message::{self, Claimed, Payload};
use crate::memory::{FittedSpace, Frames, faults};
use crate::types::Position;

use super::segment::Identity;
use super::tail::Claims;

/// The length in bytes of the longest padding frame that fills up a segment before it is full. A verifier of an
/// archive's segments reads each frame into a buffer of this length.
const MOST_PADDING: usize = 1 << 20;

/// The source of an appender's segments.
pub(crate) trait SegmentSource {
    /// Why there is no segment.
    type Error;

    /// Returns the frames of the segment at `base`. `left` is the segment that the appender leaves.
    fn enter(&mut self, base: Position, left: Option<(Position, Frames)>) -> Result<Frames, Self::Error>;

    /// Checks that the shared control page, and these frames of the segment at `base`, are still backed by their files.
    /// Called when a page of some mapped file of this process was replaced.
    fn check_intact(&mut self, frames: &Frames, base: Position, position: Position) -> Result<(), Self::Error>;
}

/// Why a claim failed.
#[derive(Debug)]
pub(crate) enum ClaimError<E> {
    /// The next segment could not be provided.
    Segment(E),
    /// The recording has no positions left.
    MaxPosition,
    /// The tail has an impossible value.
    Tail(Position),
}

/// Appends to a recording.
#[derive(Debug)]
pub(crate) struct Append<S, C> {
    source: S,
    claimant: C,
    identity: Identity,
    ground: Ground,
    max_payload: usize,
    /// The value of [`faults`], the number of replaced pages in this process, at the last check of the files.
    faults: i64,
}

/// The segment and the term to which this appender appends. Most appends need nothing else, because they are in the
/// same term as the previous one.
#[derive(Debug)]
struct Ground {
    /// The segment that was entered last: its begin and its end. `end` equals `base` while there is no segment.
    base: Position,
    end: Position,
    frames: Option<Frames>,
    /// The term of the last claim and its begin. `None` if no claim can be made from it.
    term: Option<Frames>,
    term_begin: Position,
    /// The header words of a frame at the term's beginning.
    place: Place,
}

/// Why the fast path did not append a message, or cannot tell whether it did.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unusual {
    /// Nothing was written.
    Case,
    /// The message was written up to this position, but a page of some mapped file of this process was replaced. It
    /// must be checked whether the message is in the file.
    Page(Position),
}

impl<S: SegmentSource, C: Claims> Append<S, C> {
    pub(crate) fn new(source: S, claimant: C, identity: Identity, max_payload: usize) -> Self {
        let none = Position::new(0);
        let place = identity.place(none);
        let ground = Ground { base: none, end: none, frames: None, term: None, term_begin: none, place };
        Self { source, claimant, identity, ground, max_payload, faults: faults() }
    }

    /// Appends a message to the current term, the fast path. Returns the position after it. [`Self::append`] and
    /// [`Self::see_to_page`] handle all other cases. Stores limit the speed of an append. So this stores nothing
    /// needless, and makes no call for a short message: a call saves as many registers as it takes stores.
    #[inline(always)]
    pub(crate) fn append_as_usual(&mut self, message: &[u8], reserved: i64) -> Result<Position, Unusual> {
        let position = self.claimant.tail();
        if message.len() <= self.max_payload
            && let Some((space, place)) = self.ground.space_for(position, message)
            && self.claimant.claim(position, space.length())
        {
            let end = Position::new(position.get() + space.length() as i64);
            message::write_fitted(&space, place, DATA_UNFRAGMENTED, reserved);
            // Checked once, after the stores. A page that was replaced before them shows here as well.
            return if faults() == self.faults { Ok(end) } else { Err(Unusual::Page(end)) };
        }
        Err(Unusual::Case)
    }

    /// Appends a message in one frame or several. Returns the position after it. Handles the end of a term, a new
    /// segment, and competing claims.
    pub(crate) fn append(
        &mut self,
        payload: impl Payload,
        length: usize,
        reserved: i64,
    ) -> Result<Position, ClaimError<S::Error>> {
        let max_payload = self.max_payload;
        let end = if length <= max_payload {
            let (claimed, end, _) = self.claim(occupied(length))?;
            message::write_whole(&claimed, payload, length, DATA_UNFRAGMENTED, reserved);
            end
        } else {
            let (claimed, end, _) = self.claim(message::fragmented_length(length, max_payload))?;
            message::write_at_once(claimed, payload, length, max_payload, reserved);
            end
        };
        self.see_to_page(end)
    }

    /// The value of [`faults`] at the last check of the files.
    #[inline]
    pub(crate) fn faults(&self) -> i64 {
        self.faults
    }

    /// Checks that a message that was written up to `end` is in the file.
    pub(crate) fn see_to_page(&mut self, end: Position) -> Result<Position, ClaimError<S::Error>> {
        let outcome = self.look_at_files(end).map(|()| end);
        self.or_give_up(outcome)
    }

    /// If a page of some mapped file of this process was replaced, checks whether it is one of the files that are
    /// appended to.
    fn look_at_files(&mut self, position: Position) -> Result<(), ClaimError<S::Error>> {
        let now = faults();
        if now == self.faults {
            return Ok(());
        }
        let Some(frames) = &self.ground.frames else { return Ok(()) };
        let outcome = self.source.check_intact(frames, self.ground.base, position);
        match outcome {
            Ok(()) => self.faults = now,
            // The next append looks the segment up again.
            Err(_) => (self.ground.frames, self.ground.term, self.ground.end) = (None, None, self.ground.base),
        }
        outcome.map_err(ClaimError::Segment)
    }

    /// Claims `required` bytes for frames, at most the length of a term. Returns the claim, the position at its end,
    /// and its segment.
    #[inline]
    pub(crate) fn claim(&mut self, required: usize) -> Result<(Claimed<'_>, Position, &Frames), ClaimError<S::Error>> {
        let position = self.claimant.tail();
        // From here on no appender owns an earlier claim that was not written.
        self.claimant.announce(position);
        let is_claimed = faults() == self.faults
            && self.ground.space(position, required).is_some()
            && self.claimant.claim(position, required);
        let position = if is_claimed { position } else { self.claim_slowly(required)? };
        let end = Position::new(position.get() + required as i64);
        match (self.ground.space(position, required), &self.ground.frames) {
            (Some(claimed), Some(frames)) => Ok((claimed, end, frames)),
            _ => Err(ClaimError::Tail(position)),
        }
    }

    /// Claims `required` bytes at the end of a term, in a new segment, or against competing claims.
    #[inline(never)]
    fn claim_slowly(&mut self, required: usize) -> Result<Position, ClaimError<S::Error>> {
        let outcome = self.try_claim_slowly(required);
        self.or_give_up(outcome)
    }

    fn try_claim_slowly(&mut self, required: usize) -> Result<Position, ClaimError<S::Error>> {
        loop {
            let position = self.tail_within_segment()?;
            let rest = self.rest_of_term(position);
            if required > rest {
                self.fill_term(position, rest, required)?;
            } else if self.claimant.claim(position, required) {
                let term_length = self.identity.layout.term_length.get() as usize;
                let ground = &mut self.ground;
                ground.term_begin = Position::new(position.get() + rest as i64 - term_length as i64);
                ground.place = self.identity.place(ground.term_begin);
                let offset = (ground.term_begin.get() - ground.base.get()) as usize;
                ground.term = ground.frames.as_ref().and_then(|frames| frames.part(offset, term_length));
                let is_there = ground.space(position, required).is_some();
                return if is_there { Ok(position) } else { Err(ClaimError::Tail(position)) };
            }
        }
    }

    /// The tail, after the segment that contains it was entered and found writable.
    fn tail_within_segment(&mut self) -> Result<Position, ClaimError<S::Error>> {
        let position = self.claimant.tail();
        // If the tail moved back, frames would be overwritten.
        if !self.claimant.is_possible(position) {
            return Err(ClaimError::Tail(position));
        }
        if position < self.ground.base || position >= self.ground.end {
            self.enter(position)?;
        }
        self.look_at_files(position)?;
        self.claimant.announce(position);
        Ok(position)
    }

    fn rest_of_term(&self, position: Position) -> usize {
        let term_length = self.identity.layout.term_length;
        (term_length.get() - term_length.offset(position)) as usize
    }

    /// On an error, gives up the current claim. The next claim starts anew.
    fn or_give_up<T>(&mut self, outcome: Result<T, ClaimError<S::Error>>) -> Result<T, ClaimError<S::Error>> {
        if outcome.is_err() {
            self.claimant.give_up();
            self.ground.term = None;
        }
        outcome
    }

    /// Fills up the segment that contains the tail, unless the segment is empty or the last possible one. Returns the
    /// lowest position at which the next append can go.
    pub(crate) fn fill_segment(&mut self) -> Result<Position, ClaimError<S::Error>> {
        let outcome = self.try_fill_segment();
        self.or_give_up(outcome)
    }

    fn try_fill_segment(&mut self) -> Result<Position, ClaimError<S::Error>> {
        let layout = self.identity.layout;
        let tail = self.claimant.tail();
        let (base, next) = (layout.base(tail), layout.next_base(layout.base(tail)));
        if tail == base || tail == layout.start_position || next >= layout.end() {
            return Ok(tail);
        }
        loop {
            if self.claimant.tail() >= next {
                return Ok(next);
            }
            let position = self.tail_within_segment()?;
            let rest = self.rest_of_term(position);
            self.fill_term(position, rest.min(MOST_PADDING), 0)?;
        }
    }

    /// Enters the segment that contains the tail.
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
        let ground = &mut self.ground;
        let left = ground.frames.take().map(|frames| (ground.base, frames));
        (ground.end, ground.term) = (ground.base, None);
        ground.frames = Some(self.source.enter(base, left).map_err(ClaimError::Segment)?);
        (ground.base, ground.end) = (base, layout.next_base(base).min(layout.end()));
        Ok(())
    }

    /// Fills up the rest of a term that is too short for the message, unless another appender has claimed it.
    #[cold]
    fn fill_term(&mut self, position: Position, rest: usize, required: usize) -> Result<(), ClaimError<S::Error>> {
        if position.get() + (rest + required) as i64 > self.identity.layout.end().get() {
            return Err(ClaimError::MaxPosition);
        }
        if self.claimant.claim(position, rest) {
            let offset = (position.get() - self.ground.base.get()) as usize;
            let space = self.ground.frames.as_ref().and_then(|frames| frames.space(offset, rest));
            let claimed =
                Claimed { space: space.ok_or(ClaimError::Tail(position))?, place: self.identity.place(position) };
            message::write_padding(&claimed, rest as i32);
        }
        Ok(())
    }
}

impl Ground {
    /// The space for frames of `required` bytes at `position`, if it lies in the current term and they fit.
    #[inline]
    fn space(&self, position: Position, required: usize) -> Option<Claimed<'_>> {
        let in_term = self.in_term(position);
        let space = self.term.as_ref()?.space(in_term, required)?;
        Some(Claimed { space, place: self.place.beyond(in_term) })
    }

    /// As [`Self::space`], for a message in one frame.
    #[inline(always)]
    fn space_for<'p>(&self, position: Position, message: &'p [u8]) -> Option<(FittedSpace<'_, 'p>, Place)> {
        let in_term = self.in_term(position);
        let space = self.term.as_ref()?.space_for(in_term, message)?;
        Some((space, self.place.beyond(in_term)))
    }

    /// The offset of a position in the term. For a position before the term, a number outside it.
    #[inline(always)]
    fn in_term(&self, position: Position) -> usize {
        position.get().wrapping_sub(self.term_begin.get()) as usize
    }
}
