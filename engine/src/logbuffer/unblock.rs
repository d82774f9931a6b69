//! Unblocks a stream whose publisher died between claim and commit. The driver's conductor calls this when readers have
//! been stuck at a claimed frame for longer than the unblock timeout. It never does so for an exclusive publication
//! that is active: its publisher keeps its position privately and would overwrite the padding.

use crate::memory::Partition;
use crate::types::{Position, TermId};

use super::LogBuffers;
use super::frame::{self, FRAME_ALIGNMENT};
use super::metadata::{tail_offset, tail_term_id};
use super::rotate::rotate;

/// Unblocks the log at `blocked`, a position that readers cannot pass. Returns whether it did; then readers can
/// continue, or publishers find the next term.
///
/// Turns a claim that was begun into padding. Turns a range in which nothing was written into padding as well, up to
/// the next frame, or to the end of the term if that is full. Rotates a full log in place of a publisher that died
/// before it could. Does nothing at a committed frame, or if nothing is claimed at `blocked`.
pub fn unblock(log: &LogBuffers, blocked: Position) -> bool {
    let term_length = log.term_length();
    if blocked.get() < 0 || blocked >= term_length.max_position() {
        return false;
    }
    let metadata = log.metadata();
    let blocked_count = term_length.term_count(blocked);
    let blocked_offset = term_length.offset(blocked) as usize;
    // ORDERING(log.active-term): Acquire. Pairs with the compare-and-exchange of `rotate`; the tail of that term is set.
    let active_count = metadata.active_term_count().load_acquire();
    if blocked_offset == 0 && active_count == blocked_count.wrapping_sub(1) {
        return rotate(metadata, active_count, log.initial_term_id().wrapping_add(active_count));
    }
    let Some(stuck) = Stuck::at(log, blocked) else { return false };
    let length = stuck.length_at(stuck.offset);
    match length {
        ..0 => stuck.pad_begun(length),
        0 => stuck.pad_gap() || stuck.pad_to_end(active_count == blocked_count),
        _ => false,
    }
}

/// As [`unblock`], for a log without publishers. Also pads a range in which nothing was written and that no frame
/// follows, because none will.
pub fn unblock_abandoned(log: &LogBuffers, blocked: Position) -> bool {
    unblock(log, blocked) || Stuck::at(log, blocked).is_some_and(|stuck| stuck.pad(0, stuck.claimed - stuck.offset))
}

/// A place in a term that readers cannot pass, and the end of the claimed range.
struct Stuck<'a> {
    log: &'a LogBuffers,
    partition: Partition,
    term_id: TermId,
    offset: usize,
    claimed: usize,
}

impl<'a> Stuck<'a> {
    /// The place at `blocked`. `None` if nothing is claimed there.
    fn at(log: &'a LogBuffers, blocked: Position) -> Option<Self> {
        let term_length = log.term_length();
        if blocked.get() < 0 || blocked >= term_length.max_position() {
            return None;
        }
        let partition = Partition::of_term_count(term_length.term_count(blocked));
        // ORDERING(log.tail): Acquire. Pairs with the publishers' adds and stores; what is below the tail has been claimed.
        let raw = log.metadata().raw_tail(partition).load_acquire();
        let stuck = Self {
            log,
            partition,
            term_id: term_length.term_id(blocked, log.initial_term_id()),
            offset: term_length.offset(blocked) as usize,
            // No publisher leaves a tail unaligned. If one did, its claim would still be whole frames.
            claimed: (tail_offset(raw, term_length) as usize).next_multiple_of(FRAME_ALIGNMENT),
        };
        // If the tail belongs to another term, nothing is claimed in this one.
        let is_claimed = tail_term_id(raw) == stuck.term_id && stuck.offset < stuck.claimed;
        (is_claimed && stuck.offset.is_multiple_of(FRAME_ALIGNMENT)).then_some(stuck)
    }

    /// The length of the frame that readers wait for. A frame starts at `offset`.
    fn length_at(&self, offset: usize) -> i32 {
        // ORDERING(log.frame-committed): Acquire. Pairs with the Release store of `commit` in `frame`.
        self.log.term(self.partition.index()).word_at::<i32>(offset).load_acquire()
    }

    /// Whether the word at `offset`, which may be a length or part of a payload, is zero.
    fn is_zero_at(&self, offset: usize) -> bool {
        // ORDERING(log.frame-started): Acquire. Pairs with the Release fence of `begin` in `frame`; if this word is
        // part of a frame, the second look sees that frame's length.
        self.log.term(self.partition.index()).probe_acquire(offset) == 0
    }

    /// Pads a claim that was begun. Its length is known, unless it was overwritten.
    fn pad_begun(&self, found: i32) -> bool {
        let most = self.claimed - self.offset;
        self.pad(found, (found.unsigned_abs() as usize).clamp(FRAME_ALIGNMENT, most))
    }

    /// Pads a claim that was not begun. It ends where the next frame begins.
    fn pad_gap(&self) -> bool {
        let places = |from| (from..self.claimed).step_by(FRAME_ALIGNMENT);
        let Some(next) = places(self.offset + FRAME_ALIGNMENT).find(|&offset| !self.is_zero_at(offset)) else {
            return false;
        };
        // The word that was found may be part of the payload of this very claim, begun meanwhile. Then its length is
        // visible by now.
        let still_zero = (self.offset..next).step_by(FRAME_ALIGNMENT).rev().all(|offset| self.is_zero_at(offset));
        still_zero && self.pad(0, next - self.offset)
    }

    /// Pads the rest of a term whose tail was moved beyond its end by a publisher that died before it could pad it.
    fn pad_to_end(&self, rotates: bool) -> bool {
        let metadata = self.log.metadata();
        let full = self.claimed == self.log.term_length().get() as usize;
        if !full || !self.pad(0, self.claimed - self.offset) {
            return false;
        }
        let term_count = self.term_id.wrapping_count_since(self.log.initial_term_id());
        if rotates && term_count != i32::MAX {
            rotate(metadata, term_count, self.term_id);
        }
        true
    }

    /// Pads `length` bytes, if the length field still has the value `found`.
    fn pad(&self, found: i32, length: usize) -> bool {
        let aligned = length.next_multiple_of(FRAME_ALIGNMENT);
        let Some(space) = self.log.terms().space(self.partition, self.offset, aligned) else { return false };
        let place = self.log.origin().at(self.term_id, self.offset as i32);
        frame::take_over(&space, place, found, length as i32)
    }
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;
    use crate::logbuffer::testing::{TERM_LENGTH, TestLog};
    use crate::logbuffer::{LogKind, OfferError};

    const LENGTH: i64 = TERM_LENGTH.get() as i64;

    fn log() -> TestLog {
        let test = TestLog::new(LogKind::Concurrent);
        test.set_limit(LENGTH * 2);
        test
    }

    fn header(test: &TestLog, offset: usize) -> [u8; 32] {
        let mut bytes = [0; 32];
        test.log.term(0).get_bytes(offset, &mut bytes);
        bytes
    }

    /// Adds to the tail of the initial term as a publisher does that dies before it writes anything.
    fn claim_and_die(test: &TestLog, length: i64) {
        test.log.metadata().raw_tail(Partition::of_term_count(0)).fetch_add(length);
    }

    /// A dead claim becomes padding of its own length, type 0, flags 0xC0.
    #[test]
    fn a_claim_whose_publisher_died_becomes_padding() {
        let test = log();
        let appender = test.concurrent();
        core::mem::forget(appender.try_claim(48).unwrap());
        let last = appender.offer(b"alive").unwrap();
        assert!(test.drain().is_empty());
        assert!(unblock(&test.log, Position::new(0)));
        let header = header(&test, 0);
        assert_eq!(header[..8], [80, 0, 0, 0, 0, 0xC0, 0, 0]);
        assert_eq!(test.drain(), [(b"alive".to_vec(), last)]);
        assert!(!unblock(&test.log, last), "nothing is claimed there");
    }

    #[test]
    fn a_batch_whose_publisher_died_becomes_one_padding_frame() {
        let test = log();
        let appender = test.concurrent();
        let mut batch = appender.claim_batch(&[10, 20, 30]).unwrap();
        batch.for_each(|_, payload| payload.fill(0xAA));
        core::mem::forget(batch);
        let last = appender.offer(b"alive").unwrap();
        assert!(unblock(&test.log, Position::new(0)));
        assert_eq!(test.drain(), [(b"alive".to_vec(), last)]);
    }

    #[test]
    fn a_range_that_was_never_begun_becomes_padding() {
        let test = log();
        claim_and_die(&test, 96);
        assert!(!unblock(&test.log, Position::new(0)), "who knows whether the publisher is about to write");
        let last = test.concurrent().offer(b"alive").unwrap();
        assert!(unblock(&test.log, Position::new(0)));
        assert_eq!(header(&test, 0)[..4], 96_i32.to_le_bytes());
        assert_eq!(test.drain(), [(b"alive".to_vec(), last)]);
    }

    #[test]
    fn what_was_claimed_last_and_never_begun_is_padded_once_nobody_publishes() {
        let test = log();
        let first = test.concurrent().offer(b"first").unwrap();
        claim_and_die(&test, 96);
        assert_eq!(test.drain().len(), 1);
        assert!(!unblock(&test.log, first));
        assert!(unblock_abandoned(&test.log, first));
        assert!(test.drain().is_empty());
        let end = first.get() + 96;
        assert_eq!(test.subscriber.load_relaxed(), end);
        assert!(!unblock_abandoned(&test.log, Position::new(end)), "nothing is claimed there");
    }

    #[test]
    fn a_full_term_that_nobody_filled_up_is_padded_and_left() {
        let test = log();
        let first = test.concurrent().offer(b"first").unwrap();
        claim_and_die(&test, LENGTH);
        assert_eq!(test.drain().len(), 1);
        assert!(unblock(&test.log, first));
        assert!(test.drain().is_empty());
        assert_eq!(test.subscriber.load_relaxed(), LENGTH);
        let next = test.concurrent().offer(b"next").unwrap();
        assert_eq!(test.drain(), [(b"next".to_vec(), next)]);
        assert_eq!(next.get(), LENGTH + 64);
    }

    /// Trap 52: what looks like the next frame may be the payload of the blocked claim, begun since; then nothing is padded. Here
    /// the publisher comes back to life between the look ahead and the look back.
    #[test]
    fn trap_52_gap_is_verified_before_padding() {
        let test = log();
        claim_and_die(&test, 96);
        let stuck = Stuck {
            log: &test.log,
            partition: Partition::of_term_count(0),
            term_id: test.log.initial_term_id(),
            offset: 0,
            claimed: 96,
        };
        let claimed = test.log.terms().space(stuck.partition, 0, 96).unwrap();
        frame::begin(&claimed, test.log.origin().at(stuck.term_id, 0), -96, frame::DATA_UNFRAGMENTED, 0);
        claimed.put_payload(0, &[1; 64]);
        assert!(!stuck.is_zero_at(32), "the payload is where a next frame could be");
        assert!(!stuck.pad_gap());
        assert_eq!(header(&test, 0)[..4], (-96_i32).to_le_bytes());
    }

    /// Trap 53: a publisher filled the term up and died before it moved the log on.
    #[test]
    fn trap_53_dead_before_rotation() {
        let test = log();
        let appender = test.concurrent();
        while appender.offer(&[7; 992]).is_ok_and(|position| position.get() < LENGTH) {}
        claim_and_die(&test, 64);
        while !test.drain().is_empty() {}
        assert_eq!(test.subscriber.load_relaxed(), LENGTH);
        assert!(unblock(&test.log, Position::new(LENGTH)));
        assert_eq!(test.log.producer_position().get(), LENGTH);
        assert_eq!(appender.offer(b"next").map(Position::get), Ok(LENGTH + 64));
        assert!(!unblock(&test.log, Position::new(LENGTH)), "a committed frame blocks nobody");
    }

    /// The last term is padded, and no further one begun.
    #[test]
    fn the_last_term_is_not_left() {
        let mut parameters = crate::logbuffer::testing::parameters(LogKind::Concurrent);
        parameters.start_position = Position::new(TERM_LENGTH.max_position().get() - 128);
        let test = TestLog::with(&parameters);
        test.set_limit(i64::MAX);
        let last = Partition::of_term_count(i32::MAX);
        test.log.metadata().raw_tail(last).fetch_add(256);
        let tails = test.log.metadata().raw_tails();
        assert!(unblock(&test.log, parameters.start_position));
        assert!(test.drain().is_empty());
        assert_eq!(test.subscriber.load_relaxed(), TERM_LENGTH.max_position().get());
        assert_eq!(test.log.metadata().raw_tails(), tails);
        assert_eq!(test.concurrent().offer(b"no"), Err(OfferError::MaxPositionExceeded));
        assert!(!unblock(&test.log, TERM_LENGTH.max_position()));
    }

    /// Whatever the log and the position hold, the call returns, and within the log.
    #[test]
    fn garbage_is_survived() {
        for tail in [0, 7, 33, 96, LENGTH - 1, LENGTH, i64::from(u32::MAX), -1, i64::MIN] {
            for length in [0, 1, -1, -31, -33, -70_000, i32::MIN, i32::MAX] {
                for blocked in [0, 1, 32, 33, LENGTH - 32, LENGTH, LENGTH * 3, i64::MAX, -1, -32, i64::MIN] {
                    let test = log();
                    let metadata = test.log.metadata();
                    let raw = metadata.raw_tail(Partition::of_term_count(0));
                    raw.store_relaxed(i64::from(test.log.initial_term_id().get()) << 32 | tail);
                    let blocked = Position::new(blocked);
                    let offset = TERM_LENGTH.offset(blocked) as usize & !31;
                    (0..3).for_each(|index| test.log.term(index).word_at::<i32>(offset).store_relaxed(length));
                    unblock(&test.log, blocked);
                }
            }
        }
    }
}
