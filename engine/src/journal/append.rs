//! Appending: claims a range, writes a frame into the mapped segment, and commits it. This runs on the application's
//! thread. It makes no system call and allocates nothing, unless the next segment was not made ahead in time.

use crate::logbuffer::frame::{DATA_UNFRAGMENTED, Place, occupied};
use crate::logbuffer::message::{self, Claimed, Payload};
use crate::memory::{FittedSpace, Frames, faults};
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
    ground: Ground,
    max_payload: usize,
    /// How many pages had been replaced in this process when the files were looked at last; see [`faults`].
    faults: i64,
}

/// Where this appender is: all there is to know for most appends, which are in the term of the one before.
#[derive(Debug)]
struct Ground {
    /// The segment that was entered last: where it begins and ends; nothing is within it while there is none.
    base: Position,
    end: Position,
    frames: Option<Frames>,
    /// The term in it that was claimed from last, if claims are to be made from it, and where it begins.
    term: Option<Frames>,
    term_begin: Position,
    /// What the header of a frame at the term's beginning says.
    place: Place,
}

/// Why a message is not appended, or not for certain, in the usual way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unusual {
    /// Nothing was written.
    Case,
    /// It was written up to there, and a page of some file of this process had to be replaced: whether it is in the file is to be
    /// seen.
    Page(Position),
}

impl<S: SegmentSource, C: Claims> Append<S, C> {
    pub(crate) fn new(source: S, claimant: C, identity: Identity, max_payload: usize) -> Self {
        let none = Position::new(0);
        let place = identity.place(none);
        let ground = Ground { base: none, end: none, frames: None, term: None, term_begin: none, place };
        Self { source, claimant, identity, ground, max_payload, faults: faults() }
    }

    /// Appends a message to the term of the one before, and returns the position after it; whatever is not that usual is for
    /// [`Self::append`] and [`Self::see_to_page`]. Nothing is stored here that need not be, and nothing is called if the message is
    /// known to be short: what limits an append is how many stores a processor makes, and a call in the midst of it takes as many as
    /// there are registers to save.
    #[inline(always)]
    pub(crate) fn append_as_usual(&mut self, message: &[u8], reserved: i64) -> Result<Position, Unusual> {
        let position = self.claimant.tail();
        if message.len() <= self.max_payload
            && let Some((space, place)) = self.ground.space_for(position, message)
            && self.claimant.claim(position, space.length())
        {
            let end = Position::new(position.get() + space.length() as i64);
            message::write_fitted(&space, place, DATA_UNFRAGMENTED, reserved);
            // Asked once, behind the stores: what was replaced before shows here as well.
            return if faults() == self.faults { Ok(end) } else { Err(Unusual::Page(end)) };
        }
        Err(Unusual::Case)
    }

    /// Appends a message, in one frame or several, and returns the position after it. Also where the term ends before, another segment
    /// begins, or others claim as well.
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

    /// What [`faults`] said when the files were looked at last.
    #[inline]
    pub(crate) fn faults(&self) -> i64 {
        self.faults
    }

    /// Says that a message that was written up to `end` is in the file.
    pub(crate) fn see_to_page(&mut self, end: Position) -> Result<Position, ClaimError<S::Error>> {
        let outcome = self.look_at_files(end).map(|()| end);
        self.or_give_up(outcome)
    }

    /// If a page of some file of this process had to be replaced, sees whether it was one of those that are appended to.
    fn look_at_files(&mut self, position: Position) -> Result<(), ClaimError<S::Error>> {
        let now = faults();
        if now == self.faults {
            return Ok(());
        }
        let Some(frames) = &self.ground.frames else { return Ok(()) };
        let outcome = self.source.check_intact(frames, self.ground.base, position);
        match outcome {
            Ok(()) => self.faults = now,
            // Looked for anew by the next append.
            Err(_) => (self.ground.frames, self.ground.term, self.ground.end) = (None, None, self.ground.base),
        }
        outcome.map_err(ClaimError::Segment)
    }

    /// Claims `required` bytes for frames, at most a term's, and says at which position they end, and in which segment they are.
    #[inline]
    pub(crate) fn claim(&mut self, required: usize) -> Result<(Claimed<'_>, Position, &Frames), ClaimError<S::Error>> {
        let position = self.claimant.tail();
        // Whatever was claimed before and not written is nobody's from here on.
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

    /// Claims `required` bytes where the term ends before, another segment begins, or others claim as well.
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

    /// The tail, in a segment that was entered and may be written to.
    fn tail_within_segment(&mut self) -> Result<Position, ClaimError<S::Error>> {
        let position = self.claimant.tail();
        // Where the tail went back, frames would be written over.
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

    /// If that failed, nothing more is written to what was claimed, and the next claim begins anew.
    fn or_give_up<T>(&mut self, outcome: Result<T, ClaimError<S::Error>>) -> Result<T, ClaimError<S::Error>> {
        if outcome.is_err() {
            self.claimant.give_up();
            self.ground.term = None;
        }
        outcome
    }

    /// Fills up the segment that the tail is in, unless nothing is in it yet, or it is the last that there can be. Says where what is
    /// appended next goes, at the least.
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
        let ground = &mut self.ground;
        let left = ground.frames.take().map(|frames| (ground.base, frames));
        (ground.end, ground.term) = (ground.base, None);
        ground.frames = Some(self.source.enter(base, left).map_err(ClaimError::Segment)?);
        (ground.base, ground.end) = (base, layout.next_base(base).min(layout.end()));
        Ok(())
    }

    /// The message does not fit into the rest of the term: fills that up, if nobody else has it.
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
    /// The space for frames of `required` bytes at `position`, if that is in the term that was claimed from last and they fit into it.
    #[inline]
    fn space(&self, position: Position, required: usize) -> Option<Claimed<'_>> {
        let in_term = self.in_term(position);
        let space = self.term.as_ref()?.space(in_term, required)?;
        Some(Claimed { space, place: self.place.beyond(in_term) })
    }

    /// The same for a message in one frame.
    #[inline(always)]
    fn space_for<'p>(&self, position: Position, message: &'p [u8]) -> Option<(FittedSpace<'_, 'p>, Place)> {
        let in_term = self.in_term(position);
        let space = self.term.as_ref()?.space_for(in_term, message)?;
        Some((space, self.place.beyond(in_term)))
    }

    /// How far behind the term's beginning that is: no number that is in a term for what is before it.
    #[inline(always)]
    fn in_term(&self, position: Position) -> usize {
        position.get().wrapping_sub(self.term_begin.get()) as usize
    }
}
