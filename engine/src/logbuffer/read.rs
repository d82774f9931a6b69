//! Reading an image: the handler sees each committed frame in the log itself, and the position moves once per call. Images call
//! this, from one thread at a time; it never waits and never allocates.
//!
//! A poll stays within one term: at its end it returns, and the next one goes on in the next term.

use crate::memory::OwnedWord;
use crate::types::{Position, SessionId, TermId};

use super::LogBuffers;
use super::fragment::Fragment;
use super::frame::{self, FRAME_ALIGNMENT};
use super::scan::{Consume, Scan};

/// Reads a log from a subscriber's position on.
#[derive(Debug)]
pub struct ImageReader {
    log: LogBuffers,
    position: OwnedWord<i64>,
}

/// What the handler of a controlled poll wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlledAction {
    /// Go on.
    Continue,
    /// This fragment is done with; return after it.
    Break,
    /// This fragment is not done with: return before it, and hand it over again.
    Abort,
    /// Everything up to and with this fragment is done with, and publishers may know it now; go on.
    Commit,
}

/// A run of whole frames, headers included, lent for the length of a call.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// The frames, as they stand in the log.
    pub bytes: &'a [u8],
    /// The session of the first frame.
    pub session_id: SessionId,
    /// The term of the first frame.
    pub term_id: TermId,
    /// The position of the first frame.
    pub position: Position,
}

/// A place in the log where a frame should be, and what is there cannot be one. Reading does not get past it: somebody who may
/// write the log has broken it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log is broken at position {position}: a frame of {length} bytes cannot be there; close the image")]
pub struct MalformedFrame {
    /// Where.
    pub position: Position,
    /// The length that the frame claims to have, header included; 0 when no frame can start at the position.
    pub length: i32,
}

impl ImageReader {
    /// A reader of `log` whose place is `position`, the subscriber's position counter.
    pub fn new(log: LogBuffers, position: OwnedWord<i64>) -> Self {
        Self { log, position }
    }

    /// Hands at most `limit` fragments to `handler` and returns how many.
    ///
    /// When the handler panics, the fragment it was given counts as consumed; so it does in every other poll.
    #[inline]
    pub fn poll(&mut self, handler: impl FnMut(Fragment<'_>), limit: usize) -> usize {
        self.poll_within(handler, i64::MAX, limit)
    }

    /// As [`Self::poll`], but hands over no fragment that starts at `bound` or later. One that starts below is whole, even if it
    /// ends beyond.
    #[inline]
    pub fn bounded_poll(&mut self, handler: impl FnMut(Fragment<'_>), bound: Position, limit: usize) -> usize {
        self.poll_within(handler, bound.get(), limit)
    }

    /// As [`Self::poll`], but the handler says how to go on after each fragment.
    #[inline]
    pub fn controlled_poll(&mut self, handler: impl FnMut(Fragment<'_>) -> ControlledAction, limit: usize) -> usize {
        self.controlled_poll_within(handler, i64::MAX, limit)
    }

    /// Both [`Self::bounded_poll`] and [`Self::controlled_poll`].
    #[inline]
    pub fn bounded_controlled_poll(
        &mut self,
        handler: impl FnMut(Fragment<'_>) -> ControlledAction,
        bound: Position,
        limit: usize,
    ) -> usize {
        self.controlled_poll_within(handler, bound.get(), limit)
    }

    /// Hands over whole frames, headers included, as one block of at most `limit` bytes, and returns its length. Nothing is
    /// handed over when there is no frame or the first is longer than the limit. A block stops before padding; padding that
    /// comes first is a block of its own.
    pub fn block_poll(&mut self, handler: impl FnOnce(Block<'_>), limit: usize) -> usize {
        let Some(mut consume) = Consume::new(&self.log, &self.position) else { return 0 };
        let start = consume.scan.clone();
        let within = start.position().saturating_add(i64::try_from(limit).unwrap_or(i64::MAX));
        let mut first = None;
        loop {
            let before = consume.scan.clone();
            let Some(frame) = consume.scan.next() else { break };
            let padding = frame::is_padding(&frame);
            if consume.scan.position() > within || padding && first.is_some() {
                consume.scan = before;
                break;
            }
            first.get_or_insert(frame);
            if padding {
                break;
            }
        }
        let Some(first) = first else { return 0 };
        let length = consume.scan.position().wrapping_sub(start.position()) as usize;
        let fragment = Fragment::new(first.header(), first.payload(), consume.scan.position().into());
        handler(Block {
            bytes: start.cursor().block(length),
            session_id: fragment.session_id(),
            term_id: fragment.term_id(),
            position: start.position().into(),
        });
        length
    }

    /// Looks at the fragments from `from` to `bound` without consuming any, and returns the position after the last one that the
    /// handler was done with: where the next look may start. [`ControlledAction::Commit`] is the same as `Continue` here.
    ///
    /// Only what is ahead of this subscriber, by a term at most, can be looked at; elsewhere there is nothing.
    pub fn peek(
        &self,
        from: Position,
        mut handler: impl FnMut(Fragment<'_>) -> ControlledAction,
        bound: Position,
    ) -> Position {
        let ahead = from.get().wrapping_sub(self.position().get());
        if !(0..=i64::from(self.log.term_length().get())).contains(&ahead) {
            return from;
        }
        let Some(mut scan) = Scan::new(&self.log, from.get()) else { return from };
        let term_id = self.log.term_length().term_id(from, self.log.initial_term_id());
        let mut done = from;
        while scan.position() < bound.get()
            && let Some(frame) = scan.next()
        {
            let fragment = Fragment::new(frame.header(), frame.payload(), scan.position().into());
            // The partition may still hold a term of three terms ago that the driver is about to clean.
            if fragment.term_id() != term_id {
                break;
            }
            if !frame::is_padding(&frame) {
                match handler(fragment) {
                    ControlledAction::Continue | ControlledAction::Commit => {}
                    ControlledAction::Break => return scan.position().into(),
                    ControlledAction::Abort => break,
                }
            }
            done = scan.position().into();
        }
        done
    }

    /// Whether there is something to read: a fragment, or padding to pass over.
    pub fn is_ready(&self) -> bool {
        Scan::new(&self.log, self.position.load_relaxed()).is_some_and(|scan| scan.peek_length() > 0)
    }

    /// Where reading has got to.
    #[inline]
    pub fn position(&self) -> Position {
        Position::new(self.position.load_relaxed())
    }

    /// What keeps reading from going on for ever, if anything does: polls treat an impossible frame as one that is not there yet.
    /// To be asked now and then, not for every poll.
    ///
    /// # Errors
    ///
    /// [`MalformedFrame`].
    pub fn check(&self) -> Result<(), MalformedFrame> {
        let position = self.position();
        let none = MalformedFrame { position, length: 0 };
        if position.get() < 0 || position.get() % FRAME_ALIGNMENT as i64 != 0 {
            return Err(none);
        }
        let mut scan = Scan::new(&self.log, position.get()).ok_or(none)?;
        let length = scan.peek_length();
        if length > 0 && scan.next().is_none() { Err(MalformedFrame { position, length }) } else { Ok(()) }
    }

    /// The log.
    pub fn log(&self) -> &LogBuffers {
        &self.log
    }

    #[inline(always)]
    fn poll_within(&mut self, mut handler: impl FnMut(Fragment<'_>), bound: i64, limit: usize) -> usize {
        let Some(mut consume) = Consume::new(&self.log, &self.position) else { return 0 };
        let stop = consume.scan.remaining_at(bound);
        let mut fragments = 0;
        while fragments < limit
            && consume.scan.remaining() > stop
            && let Some(frame) = consume.scan.next()
        {
            if !frame::is_padding(&frame) {
                fragments += 1;
                handler(Fragment::new(frame.header(), frame.payload(), consume.scan.position().into()));
            }
        }
        fragments
    }

    #[inline(always)]
    fn controlled_poll_within(
        &mut self,
        mut handler: impl FnMut(Fragment<'_>) -> ControlledAction,
        bound: i64,
        limit: usize,
    ) -> usize {
        let Some(mut consume) = Consume::new(&self.log, &self.position) else { return 0 };
        let stop = consume.scan.remaining_at(bound);
        let mut fragments = 0;
        while fragments < limit && consume.scan.remaining() > stop {
            let before = consume.scan.clone();
            let Some(frame) = consume.scan.next() else { break };
            if frame::is_padding(&frame) {
                continue;
            }
            let fragment = Fragment::new(frame.header(), frame.payload(), consume.scan.position().into());
            match handler(fragment) {
                ControlledAction::Abort => {
                    consume.scan = before;
                    break;
                }
                ControlledAction::Break => {
                    fragments += 1;
                    break;
                }
                ControlledAction::Commit => consume.publish(),
                ControlledAction::Continue => {}
            }
            fragments += 1;
        }
        fragments
    }
}
