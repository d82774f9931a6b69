//! A recording in model memory: the shipped code of appenders, of readers of segments, and of the release of dead
//! claims, on tiny segments. Only model builds have this, in place of the rest of the journal; loom-tests call it.
#![allow(dead_code, unreachable_pub, reason = "what needs files is not here")]

#[path = "append.rs"]
mod append;
#[path = "fault.rs"]
mod fault;
#[path = "segment.rs"]
mod segment;
#[path = "tail.rs"]
mod tail;

use crate::logbuffer::FRAME_ALIGNMENT;
use crate::memory::{AtomicBuffer, Field, Frames};
use crate::types::{Position, SessionId, StreamId, TermId, TermLength};

use self::append::{Append, SegmentSource, Unusual};
use self::segment::{At, Identity, SegmentLayout, SegmentLength};
use self::tail::{Claimant, Claims, Gap, Slot, Slots, SoleClaimant};

const TAIL: usize = 0;
/// The offset of an appender's slot.
const fn slot_at(slot: usize) -> usize {
    (slot + 1) * 16
}

/// A recording whose segments have one tiny term each.
#[derive(Clone, Debug)]
pub struct ModelRecording {
    control: AtomicBuffer,
    segments: Vec<Frames>,
    identity: Identity,
    slots: usize,
}

/// An appender of the recording, shared or exclusive.
pub struct ModelAppender(Box<dyn Appends + Send>);

#[derive(Debug)]
struct Segments(Vec<Frames>);

impl SegmentSource for Segments {
    type Error = ();

    fn enter(&mut self, base: Position, left: Option<(Position, Frames)>) -> Result<Frames, ()> {
        let length = self.0[0].length() as i64;
        drop(left);
        self.0.get((base.get() / length) as usize).cloned().ok_or(())
    }

    fn check_intact(&mut self, _: &Frames, _: Position, _: Position) -> Result<(), ()> {
        Ok(())
    }
}

impl ModelRecording {
    /// An empty recording. Must be called within a model.
    pub fn new(term: i32, segments: usize, slots: usize) -> Self {
        let term_length = TermLength::tiny(term);
        let wide: Vec<usize> = (0..slot_at(slots)).step_by(8).collect();
        let control = AtomicBuffer::model(slot_at(slots), &wide);
        for slot in 0..slots {
            control.own(Field::<i64>::at(slot_at(slot))).store_relaxed(-1);
        }
        // All of a frame header except its first eight bytes consists of 64-bit words, and a header can be at any
        // multiple of 32.
        let wide: Vec<usize> = (0..term as usize).step_by(8).filter(|at| at % FRAME_ALIGNMENT != 0).collect();
        let segments = (0..segments).map(|_| Frames::new(&AtomicBuffer::model(term as usize, &wide))).collect();
        let layout = SegmentLayout {
            term_length,
            segment_length: SegmentLength::tiny(term_length),
            start_position: Position::new(0),
            initial_term_id: TermId::new(5),
        };
        let identity = Identity { layout, stream_id: StreamId::new(2), session_id: SessionId::new(1) };
        Self { control, segments, identity, slots }
    }

    /// The appender of this slot.
    pub fn appender(&self, slot: usize) -> ModelAppender {
        self.append(Claimant::new(self.control.own(Field::at(TAIL)), self.slot(slot), Position::new(0)))
    }

    /// The exclusive appender of this slot. No other living appender may claim anything.
    pub fn exclusive_appender(&self, slot: usize) -> ModelAppender {
        self.append(SoleClaimant::new(self.control.own(Field::at(TAIL)), self.slot(slot), Position::new(0)))
    }

    fn append(&self, claimant: impl Claims + Send + 'static) -> ModelAppender {
        ModelAppender(Box::new(Append::new(Segments(self.segments.clone()), claimant, self.identity, 32)))
    }

    /// The first payload byte of each message from `position` on, up to the first place without a frame. Moves
    /// `position` there.
    pub fn read(&self, position: &mut i64) -> Vec<u8> {
        let mut found = Vec::new();
        let length = i64::from(self.identity.layout.segment_length.get());
        while let Some(frames) = self.segments.get((*position / length) as usize) {
            let mut cursor = frames.cursor((*position % length) as usize).expect("where a frame begins");
            match self.identity.look(&mut cursor, Position::new(*position)) {
                At::Frame(frame) => {
                    if !crate::logbuffer::frame::is_padding(&frame.frame) {
                        found.extend(frame.frame.payload().first());
                    }
                    *position += frame.occupied as i64;
                }
                At::Nothing { .. } => break,
                At::Fault(fault) => panic!("{fault} at {position}"),
            }
        }
        found
    }

    /// Handles the place at `position` of the first segment as the helper thread does when it finds no frame. Returns
    /// how many bytes were taken from an appender that `lives` reports as dead.
    pub fn release_dead(&self, position: i64, lives: impl FnMut(usize) -> bool) -> Option<usize> {
        let slots = (0..self.slots).map(|slot| self.slot(slot)).collect();
        let slots = Slots { tail: self.control.own(Field::at(TAIL)), slots };
        let claimed = Position::new(position)..Position::new(i64::MAX);
        let released = slots.release_dead(&self.segments[0], position as usize, claimed, &self.identity, lives);
        match released {
            Gap::Released(length) => Some(length),
            Gap::Unclaimed | Gap::InUse | Gap::Changed => None,
        }
    }

    fn slot(&self, slot: usize) -> Slot {
        let at = slot_at(slot);
        Slot { position: self.control.own(Field::at(at)), length: self.control.own(Field::at(at + 8)) }
    }
}

impl ModelAppender {
    /// Appends a message. Returns the position after it.
    pub fn append(&mut self, message: &[u8]) -> i64 {
        self.0.append_message(message)
    }

    /// Claims space for a message of `length` bytes, and dies.
    pub fn claim_and_die(&mut self, length: usize) {
        self.0.claim_for(length);
    }
}

/// What models do with an appender.
trait Appends {
    fn append_message(&mut self, message: &[u8]) -> i64;
    fn claim_for(&mut self, length: usize);
}

impl<C: Claims> Appends for Append<Segments, C> {
    fn append_message(&mut self, message: &[u8]) -> i64 {
        // As the appenders of a journal do.
        let end = match self.append_as_usual(message, 0) {
            Ok(end) => Ok(end),
            Err(Unusual::Page(end)) => self.see_to_page(end),
            Err(Unusual::Case) => self.append(message, message.len(), 0),
        };
        end.expect("there are segments").get()
    }

    fn claim_for(&mut self, length: usize) {
        assert!(self.claim(crate::logbuffer::frame::occupied(length)).is_ok(), "there are segments");
    }
}
