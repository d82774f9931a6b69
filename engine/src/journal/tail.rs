//! The tail: how appenders of any number of threads and processes claim ranges of a recording, and how the range of a
//! dead appender is found. Appenders and the keeper call this; it never waits, and never touches a file.
//!
//! ```text
//!   slot of appender A:  128        tail: 512
//!   slot of appender B:  320          │
//!  0        128        320            ▼
//!  ├─ done ──┼─ A writes ┼─ B writes ─┼─ nothing yet
//! ```
//!
//! An appender stores in its slot what it is about to claim, then moves the tail by compare-and-exchange. So each range
//! below the tail that is not committed yet is in a slot. Whether the slot's owner is alive is certain, because it
//! holds a lock that ends with its process. A range that no living appender has in its slot belongs to a dead one, and
//! becomes padding. A living appender's range is never taken from it, however slow it is.
//!
//! An exclusive appender stores in its slot that everything from its first claim on is its own, as long as it lives.
//! Nobody else moves the tail, so the appender knows it, and moves it by a plain store. Locks ensure that it is alone:
//! see `seat`.

use core::ops::Range;

use crate::logbuffer::{FRAME_ALIGNMENT, frame};
use crate::memory::{Frames, OwnedWord};
use crate::types::Position;

use super::segment::Identity;

/// How an appender claims ranges of the recording.
pub(crate) trait Claims {
    /// The position of the next claim.
    fn tail(&self) -> Position;

    /// Whether the tail can be at this position. It is never below what this appender knows to be appended.
    fn is_possible(&self, position: Position) -> bool;

    /// Announces claims from `position` on, and gives up all below. Must be called before the first claim in a term,
    /// and before the first claim after [`Self::give_up`].
    fn announce(&mut self, position: Position);

    /// Claims `length` bytes at `position`. Returns false if another appender was faster.
    fn claim(&mut self, position: Position, length: usize) -> bool;

    /// Declares that nothing more will be written to the current claim.
    fn give_up(&mut self);
}

/// An appender that shares the tail with others.
#[derive(Debug)]
pub(crate) struct Claimant {
    tail: OwnedWord<i64>,
    slot: Slot,
    /// The end of this appender's last claim.
    least: Position,
    /// The length in the slot.
    length: usize,
}

/// The slot with an appender's present or last claim. For an exclusive appender, the start of its range.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) position: OwnedWord<i64>,
    pub(crate) length: OwnedWord<i64>,
}

/// An exclusive appender's claims.
#[derive(Debug)]
pub(crate) struct SoleClaimant {
    tail: OwnedWord<i64>,
    slot: Slot,
    /// The position up to which everything was appended when this appender was created.
    least: Position,
    /// The tail.
    next: Position,
}

/// The position in the slot of an appender without a claim.
pub(crate) const NO_CLAIM: i64 = -1;

impl Slot {
    /// Stores that the slot's owner has no claim.
    pub(crate) fn clear(&self) {
        // ORDERING(journal.slot): Release. Pairs with the Acquire loads in `release_dead`: whoever sees the slot empty
        // sees the previous claim committed, as with a later claim.
        self.position.store_release(NO_CLAIM);
    }
}

impl Claimant {
    /// For an appender that knows everything below `least` to be appended.
    pub(crate) fn new(tail: OwnedWord<i64>, slot: Slot, least: Position) -> Self {
        Self { tail, slot, least, length: 0 }
    }
}

impl SoleClaimant {
    /// For an appender that is alone and stays alone, and knows everything below `least` to be appended.
    pub(crate) fn new(tail: OwnedWord<i64>, slot: Slot, least: Position) -> Self {
        let next = Position::new(tail.load_acquire());
        Self { tail, slot, least, next }
    }
}

impl Claims for SoleClaimant {
    #[inline(always)]
    fn tail(&self) -> Position {
        self.next
    }

    fn is_possible(&self, position: Position) -> bool {
        position >= self.least
    }

    fn announce(&mut self, position: Position) {
        self.slot.length.store_relaxed(i64::MAX);
        // ORDERING(journal.slot): Release. Pairs with the Acquire loads in `release_dead`, as in `Claimant::claim`.
        self.slot.position.store_release(position.get());
    }

    #[inline(always)]
    fn claim(&mut self, position: Position, length: usize) -> bool {
        self.next = Position::new(position.get() + length as i64);
        // ORDERING(journal.tail): Release. Pairs with the Acquire load in `release_dead`: whoever sees the tail moved
        // sees the slot of its owner.
        self.tail.store_release(self.next.get());
        true
    }

    fn give_up(&mut self) {
        self.slot.clear();
    }
}

impl Claims for Claimant {
    #[inline(always)]
    fn tail(&self) -> Position {
        Position::new(self.tail.load_relaxed())
    }

    #[inline(always)]
    fn is_possible(&self, position: Position) -> bool {
        position >= self.least
    }

    fn announce(&mut self, _: Position) {}

    #[inline(always)]
    fn claim(&mut self, position: Position, length: usize) -> bool {
        if !self.is_possible(position) {
            return false;
        }
        let end = position.get() + length as i64;
        // Most messages have the length of the previous one.
        if length != self.length {
            self.slot.length.store_relaxed(length as i64);
            self.length = length;
        }
        // ORDERING(journal.slot): Release. Pairs with the Acquire loads in `release_dead`: whoever sees this claim sees
        // this appender's earlier frames committed, and the length of this claim or of a later one.
        self.slot.position.store_release(position.get());
        // ORDERING(journal.tail): AcqRel exchange. Pairs with the Acquire load in `release_dead`: whoever sees the tail
        // moved sees the slot with the claim.
        let is_claimed = self.tail.compare_exchange(position.get(), end).is_ok();
        if is_claimed {
            self.least = Position::new(end);
        }
        is_claimed
    }

    fn give_up(&mut self) {
        self.slot.clear();
    }
}

/// The state of a place without a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// Not claimed yet.
    Unclaimed,
    /// Claimed by a living appender.
    InUse,
    /// Committed or begun by its appender meanwhile, or released by another process. The place must be read again.
    Changed,
    /// Claimed by a dead appender. It is now padding of this many bytes.
    Released(usize),
}

/// Finds ranges of dead appenders.
#[derive(Debug)]
pub(crate) struct Slots {
    pub(crate) tail: OwnedWord<i64>,
    pub(crate) slots: Vec<Slot>,
}

impl Slots {
    /// Handles the place at `position`, which is at `offset` of its segment, where no frame was found. If an appender
    /// claimed it that `lives` reports as dead, pads it up to the next frame, and up to `known` at most: the tail is
    /// known to have been there.
    pub(crate) fn release_dead(
        &self,
        frames: &Frames,
        offset: usize,
        Range { start: position, end: known }: Range<Position>,
        identity: &Identity,
        mut lives: impl FnMut(usize) -> bool,
    ) -> Gap {
        // ORDERING(journal.tail): Acquire. Pairs with the exchange in `claim`; the slots of all claims below are visible.
        let tail = self.tail.load_acquire().min(known.get());
        if tail <= position.get() {
            return Gap::Unclaimed;
        }
        let term_rest = identity.layout.term_length.get() - identity.layout.term_length.offset(position);
        let mut end = tail.min(position.get() + i64::from(term_rest));
        for (index, slot) in self.slots.iter().enumerate() {
            // ORDERING(journal.slot): Acquire. Pairs with the Release store in `claim`; if the owner has a later claim,
            // its frame here is committed, and the load below sees it.
            let claim = slot.position.load_acquire();
            if claim == NO_CLAIM {
                continue;
            }
            // If the length belongs to a later claim, this claim is committed.
            let claimed = claim..claim.saturating_add(slot.length.load_relaxed());
            if claimed.contains(&position.get()) && lives(index) {
                return Gap::InUse;
            }
            // The next claim belongs to another appender, dead or alive. No claim begins where no frame can.
            if (position.get() + 1..end).contains(&claim) && claim % FRAME_ALIGNMENT as i64 == 0 {
                end = claim;
            }
        }
        let length_at = |offset| {
            let cursor = frames.cursor(offset)?;
            // ORDERING(log.frame-committed): Acquire. Pairs with the Release store of `commit` in `frame`.
            Some(cursor.length_word()?.load_acquire())
        };
        let Some(found) = length_at(offset) else { return Gap::InUse };
        let most = usize::try_from(end - position.get()).unwrap_or(0);
        let length = match found {
            1.. => return Gap::Changed,
            // The frame was begun, so its length is known.
            ..0 => (found.unsigned_abs() as usize).next_multiple_of(FRAME_ALIGNMENT).min(most),
            // The frame was not begun, so its range is zero. It ends where the next frame begins.
            0 => (FRAME_ALIGNMENT..most)
                .step_by(FRAME_ALIGNMENT)
                .find(|step| length_at(offset + step).is_none_or(|length| length != 0))
                .unwrap_or(most),
        };
        let Some(space) = frames.space(offset, length) else { return Gap::InUse };
        if frame::take_over(&space, identity.place(position), found, length as i32) {
            Gap::Released(length)
        } else {
            Gap::Changed
        }
    }
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;
    use crate::memory::{AtomicBuffer, Field};

    #[test]
    fn a_slot_says_what_was_claimed_last_whoever_had_it_before() {
        let page = AtomicBuffer::heap(64);
        let word = |at| page.own(Field::<i64>::at(at));
        let slot = || Slot { position: word(8), length: word(16) };
        word(16).store_relaxed(64);
        for _ in 0..2 {
            let mut claimant = Claimant::new(word(0), slot(), Position::new(0));
            for length in [96, 96, 32, 96, 160, 160] {
                let position = claimant.tail();
                assert!(claimant.claim(position, length));
                assert_eq!([word(8), word(16)].map(|word| word.load_relaxed()), [position.get(), length as i64]);
            }
            claimant.give_up();
            assert!(word(8).load_relaxed() == NO_CLAIM);
            word(16).store_relaxed(96);
        }
    }
}
