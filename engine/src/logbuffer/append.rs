//! Appending to a concurrent publication's log. Any number of publishers, in this process and others, claim ranges by
//! adding to the tail. Publications call this from any thread; it never waits and never allocates.

use std::io::IoSlice;

use crate::memory::{OwnedWord, Partition};
use crate::types::{Position, TermId};

use super::appender_parts::AppenderParts;
use super::batch::BatchClaim;
use super::claim::Claim;
use super::error::{AppenderError, OfferError};
use super::frame::{self, occupied};
use super::log_buffers::{Hold, LogBuffers};
use super::message::{self, Claimed, Gather, Payload};
use super::metadata::{tail_offset, tail_term_id};
use super::rotate::rotate;

/// Appends to a log that other publishers may append to at the same time.
#[derive(Debug)]
pub struct ConcurrentAppender {
    shared: AppenderParts,
}

impl ConcurrentAppender {
    /// An appender to `log`. It stays below `limit`, the publication's position limit counter.
    ///
    /// # Errors
    ///
    /// [`AppenderError`] if an exclusive appender of this process has the log, or if the log is an image's.
    pub fn new(log: &LogBuffers, limit: OwnedWord<i64>) -> Result<Self, AppenderError> {
        Ok(Self { shared: AppenderParts::new(Hold::shared(log)?, limit) })
    }

    /// Appends a message. Returns the position after it.
    ///
    /// # Errors
    ///
    /// [`OfferError`]. Nothing was appended.
    #[inline]
    pub fn offer(&self, message: &[u8]) -> Result<Position, OfferError> {
        self.offer_with(message, 0)
    }

    /// Appends a message with a reserved value: eight bytes in the header of each of its frames, for the application's
    /// use.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    #[inline]
    pub fn offer_with(&self, message: &[u8], reserved: i64) -> Result<Position, OfferError> {
        self.append(message, message.len(), reserved)
    }

    /// Appends a message that is gathered from several slices.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    pub fn offer_vectored(&self, parts: &[IoSlice<'_>], reserved: i64) -> Result<Position, OfferError> {
        let gather = Gather::new(parts);
        let length = gather.length();
        self.append(gather, length, reserved)
    }

    /// Claims space for a message of `length` bytes, at most one frame's payload. Write the message there, then commit
    /// the claim.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    #[inline]
    pub fn try_claim(&self, length: usize) -> Result<Claim<'_>, OfferError> {
        let (claimed, end) = self.claim_range(self.shared.claimable(length)?)?;
        Ok(Claim::begin(claimed, length, end))
    }

    /// Claims space for messages of the given lengths with a single update of the tail. Write the messages there, then
    /// commit them together. With their headers they may occupy as many bytes as the longest message has.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`]. [`OfferError::EmptyBatch`] if there are no lengths.
    pub fn claim_batch<'a>(&'a self, lengths: &'a [usize]) -> Result<BatchClaim<'a>, OfferError> {
        let required = self.shared.batchable(lengths)?;
        let (claimed, end) = self.claim_range(required)?;
        Ok(BatchClaim::begin(claimed, lengths, end, 0))
    }

    /// The position after the last claim.
    pub fn position(&self) -> Position {
        self.shared.log().producer_position()
    }

    /// The position limit: messages can be published up to here at the moment.
    #[inline]
    pub fn position_limit(&self) -> Position {
        Position::new(self.shared.limit())
    }

    /// The number of bytes that can be published at the moment, frame headers included.
    pub fn available_window(&self) -> i64 {
        self.shared.window(self.position())
    }

    /// The log.
    pub fn log(&self) -> &LogBuffers {
        self.shared.log()
    }

    #[inline(always)]
    fn append(&self, payload: impl Payload, length: usize, reserved: i64) -> Result<Position, OfferError> {
        if length > self.shared.max_whole {
            return self.append_fragments(payload, length, reserved);
        }
        let (claimed, end) = self.claim_range(occupied(length))?;
        message::write_whole(&claimed, payload, length, frame::DATA_UNFRAGMENTED, reserved);
        Ok(end)
    }

    #[cold]
    fn append_fragments(&self, payload: impl Payload, length: usize, reserved: i64) -> Result<Position, OfferError> {
        let (claimed, end) = self.claim_range(self.shared.fragmented(length)?)?;
        message::write_fragments(claimed, payload, length, self.shared.max_payload, reserved);
        Ok(end)
    }

    /// Claims `required` bytes in the current term. Returns the claim and the position at its end.
    #[inline(always)]
    fn claim_range(&self, required: usize) -> Result<(Claimed<'_>, Position), OfferError> {
        let AppenderParts { tails, active_term_count, terms, initial_term_id, origin, .. } = &self.shared;
        let term_length = terms.length();
        let limit = self.shared.limit();
        // ORDERING(log.active-term): Acquire. Pairs with the compare-and-exchange of `rotate`; the tail of that term is
        // set.
        let term_count = active_term_count.load_acquire();
        let partition = Partition::of_term_count(term_count);
        let tail = &tails[partition.index()];
        // ORDERING(log.tail): Acquire. Pairs with the compare-and-exchange of `rotate`; a tail of this term is not
        // older.
        let raw = tail.load_acquire();
        if tail_term_id(raw).wrapping_count_since(*initial_term_id) != term_count {
            return Err(OfferError::AdminAction);
        }
        let position = term_length.position(term_count, tail_offset(raw, term_length)).get();
        // Usually the limit decides. In a full last term it may not, but nothing may be added to that term's tail: the
        // term never rotates, and 2^32 bytes of refused offers would carry into its term id.
        if position >= limit || position >= term_length.max_position().get() {
            return Err(self.shared.back_pressure(position, required));
        }
        // ORDERING(log.tail): AcqRel. All publishers add here. Each gets a range of its own.
        let raw = tail.fetch_add(required as i64);
        // The term id is that of the add: the log may have moved on by three terms since the load.
        let term_id = tail_term_id(raw);
        // No publisher leaves a tail unaligned. If one did, the frames still go to aligned offsets.
        let term_offset = raw as u32 as usize & !(frame::FRAME_ALIGNMENT - 1);
        match terms.space(partition, term_offset, required) {
            Some(space) => {
                let term_offset = term_offset as i32;
                let term_count = term_id.wrapping_count_since(*initial_term_id);
                let end = term_length.position(term_count, term_offset + required as i32);
                Ok((Claimed { space, place: origin.at(term_id, term_offset) }, end))
            }
            None => Err(self.trip(partition, term_id, term_offset, required)),
        }
    }

    /// Handles a claim that does not fit into the rest of the term: pads the rest if it belongs to this publisher, and
    /// rotates the log.
    #[cold]
    fn trip(&self, partition: Partition, term_id: TermId, term_offset: usize, required: usize) -> OfferError {
        let AppenderParts { terms, initial_term_id, origin, .. } = &self.shared;
        let term_length = terms.length();
        let clipped = term_offset.min(term_length.get() as usize);
        let rest = term_length.get() as usize - clipped;
        if let Some(space) = terms.space(partition, clipped, rest) {
            let place = origin.at(term_id, clipped as i32);
            message::write_padding(&Claimed { space, place }, rest as i32);
        }
        let term_count = term_id.wrapping_count_since(*initial_term_id);
        let end = term_length.position(term_count, clipped as i32).get() + required as i64;
        if end >= term_length.max_position().get() {
            return OfferError::MaxPositionExceeded;
        }
        rotate(self.shared.log().metadata(), term_count, term_id);
        OfferError::AdminAction
    }
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;
    use crate::logbuffer::LogKind;
    use crate::logbuffer::testing::{TERM_LENGTH, TestLog};

    #[test]
    fn publishers_share_a_log_over_several_terms() {
        let test = TestLog::new(LogKind::Concurrent);
        let appenders = [test.concurrent(), test.concurrent()];
        let mut sent = 0_u32;
        for round in 0..10_000_u32 {
            test.set_limit(test.subscriber.load_relaxed() + i64::from(TERM_LENGTH.get() / 2));
            let message = round.to_le_bytes().repeat(10);
            match appenders[round as usize % 2].offer(&message) {
                Ok(position) => {
                    sent += 1;
                    assert_eq!(test.drain(), [(message, position)]);
                }
                Err(OfferError::AdminAction) => assert!(test.drain().is_empty()),
                Err(error) => panic!("{error}"),
            }
            assert_eq!(appenders[0].position().get(), test.subscriber.load_relaxed());
            // What the driver does once all have read it.
            let term = test.log.term(TERM_LENGTH.term_count(test.subscriber.load_relaxed().into()) as usize % 3);
            let offset = TERM_LENGTH.offset(test.subscriber.load_relaxed().into()) as usize;
            if offset == 0 {
                (0..3).for_each(|index| test.log.term(index).zero(0, term.len()));
            }
        }
        assert!(sent > 9_980, "{sent}");
    }

    /// Two publishers and a subscriber on threads of their own, over a rotation: the code that ships, for Miri to look for races
    /// in. Each publisher's messages arrive whole and in its order.
    #[test]
    fn publishers_on_threads_of_their_own() {
        // More than one term and less than two, so that no memory is needed again and nobody has to clean it.
        const EACH: u16 = if cfg!(miri) { 45 } else { 600 };
        let length = if cfg!(miri) { 1300 } else { 64 };
        let test = TestLog::new(LogKind::Concurrent);
        test.set_limit(3 * LENGTH);
        let message = |publisher: u8, number: u16| {
            let mut message = vec![publisher; length];
            message[1..3].copy_from_slice(&number.to_le_bytes());
            message
        };
        std::thread::scope(|scope| {
            for publisher in 0..2 {
                let appender = test.concurrent();
                scope.spawn(move || {
                    for number in 0..EACH {
                        while let Err(error) = appender.offer(&message(publisher, number)) {
                            assert_eq!(error, OfferError::AdminAction);
                        }
                    }
                });
            }
            let mut reader = test.reader();
            let mut expected = [0, 0];
            while expected != [EACH; 2] {
                let read = reader.poll(
                    |fragment| {
                        let publisher = fragment.payload()[0];
                        assert_eq!(fragment.payload(), message(publisher, expected[usize::from(publisher)]));
                        expected[usize::from(publisher)] += 1;
                    },
                    10,
                );
                if read == 0 {
                    std::thread::yield_now();
                }
            }
            assert!(reader.position().get() > LENGTH, "in the second term at least");
        });
    }

    #[test]
    fn messages_up_to_the_limit_are_fragmented() {
        let test = TestLog::new(LogKind::Concurrent);
        let appender = test.concurrent();
        test.set_limit(1 << 15);
        let message: Vec<u8> = (0..3000).map(|byte| byte as u8).collect();
        let position = appender.offer_vectored(&[IoSlice::new(&message[..7]), IoSlice::new(&message[7..])], 5).unwrap();
        assert_eq!(position.get(), 3104, "as a reference publication counts");
        let mut frames = Vec::new();
        let mut whole = Vec::new();
        test.reader().poll(
            |fragment| {
                frames.push((fragment.frame_length(), fragment.flags(), fragment.reserved_value()));
                whole.extend_from_slice(fragment.payload());
            },
            10,
        );
        assert_eq!(frames, [(1408, 0x80, 5), (1408, 0, 5), (280, 0x40, 5)]);
        assert_eq!(whole, message);
        let too_long = vec![0; 8193];
        assert_eq!(appender.offer(&too_long), Err(OfferError::MessageTooLong { length: 8193, max: 8192 }));
        appender.offer(&too_long[1..]).unwrap();
        assert_eq!(appender.try_claim(1377).unwrap_err(), OfferError::MessageTooLong { length: 1377, max: 1376 });
    }

    const LENGTH: i64 = TERM_LENGTH.get() as i64;

    /// Trap 41: publishers that find the term full add to its tail all the same. Clipped, the tail is the term's end; masked, it
    /// would be somewhere in its middle.
    #[test]
    fn trap_41_tail_beyond_the_term() {
        let test = TestLog::new(LogKind::Concurrent);
        test.set_limit(2 * LENGTH);
        let appender = test.concurrent();
        let before = appender.offer(&[1; 32]).unwrap();
        let tail = test.log.metadata().raw_tail(Partition::of_term_count(0));
        tail.fetch_add(LENGTH + 96);
        assert_eq!(appender.position().get(), LENGTH);
        assert_eq!(appender.offer(&[2; 32]), Err(OfferError::AdminAction));
        assert_eq!(test.drain(), [(vec![1; 32], before)]);
        assert_eq!(test.log.term(0).word_at::<i32>(160).load_relaxed(), 0, "nothing is where a mask would lead");
        assert_eq!(appender.offer(&[2; 32]).map(Position::get), Ok(LENGTH + 64));
    }

    /// Trap 47: the limit alone decides whether a message goes out; whether anybody is connected only says why it did not.
    #[test]
    fn trap_47_limit_decides_and_connection_explains() {
        let test = TestLog::new(LogKind::Concurrent);
        let appender = test.concurrent();
        test.set_limit(64);
        assert_eq!(appender.offer(&[0; 32]).map(Position::get), Ok(64), "not connected, but below the limit");
        assert_eq!(appender.offer(&[]), Err(OfferError::NotConnected));
        test.log.metadata().set_connected(true);
        assert_eq!(appender.offer(&[]), Err(OfferError::BackPressured));
        assert_eq!(appender.try_claim(1).unwrap_err(), OfferError::BackPressured);
        assert_eq!(appender.available_window(), 0);
    }

    /// Trap 48: a message may start just below the limit and run past it.
    #[test]
    fn trap_48_last_message_runs_past_the_limit() {
        let test = TestLog::new(LogKind::Concurrent);
        let appender = test.concurrent();
        test.set_limit(1);
        let end = appender.offer(&[3; 8192]).unwrap();
        assert!(end.get() > 8192);
        assert_eq!(appender.offer(&[]), Err(OfferError::NotConnected));
        test.set_limit(end.get());
        assert_eq!(appender.offer(&[]), Err(OfferError::NotConnected), "at the limit is not below it");
    }

    /// Trap 55: the MTU includes the frame header, so a fragment carries 32 bytes less.
    #[test]
    fn trap_55_fragments_fill_the_mtu() {
        for mtu in [64, 96, 1408, 8192, crate::logbuffer::MAX_MTU] {
            let mut parameters = crate::logbuffer::testing::parameters(LogKind::Concurrent);
            parameters.mtu = mtu;
            let test = TestLog::with(&parameters);
            test.set_limit(1 << 15);
            let appender = test.concurrent();
            let mtu = mtu as usize;
            appender.offer(&[9; 8192]).unwrap();
            let mut lengths = Vec::new();
            test.reader().poll(|fragment| lengths.push(fragment.frame_length()), usize::MAX);
            let (last, whole) = lengths.split_last().unwrap();
            assert!(whole.iter().all(|&length| length == mtu), "{lengths:?}");
            assert_eq!(whole.len() * (mtu - 32) + last - 32, 8192);
            assert!(*last <= mtu);
        }
    }

    /// Trap 59: memory that was not cleaned does not show through in a header.
    #[test]
    fn trap_59_reserved_value_is_always_written() {
        let test = TestLog::new(LogKind::Concurrent);
        test.set_limit(1 << 15);
        let appender = test.concurrent();
        test.log.term(0).put_bytes(4, &[0xFF; 3000]);
        appender.offer(&[1]).unwrap();
        appender.try_claim(1).unwrap().commit().unwrap();
        appender.claim_batch(&[1, 1]).unwrap().commit().unwrap();
        appender.offer_vectored(&[IoSlice::new(&[1; 1400])], 0).unwrap();
        let mut reserved = Vec::new();
        test.reader().poll(|fragment| reserved.push(fragment.reserved_value()), usize::MAX);
        assert_eq!(reserved, [0; 6]);
    }

    /// Trap 73, and shared-memory.md, section 14, item 20: at the last position publishers add nothing more to the tail, which
    /// would carry into the term id in the end.
    #[test]
    fn trap_73_tail_rests_at_the_last_position() {
        let mut parameters = crate::logbuffer::testing::parameters(LogKind::Concurrent);
        parameters.start_position = Position::new(TERM_LENGTH.max_position().get() - 64);
        let test = TestLog::with(&parameters);
        test.set_limit(i64::MAX);
        let appender = test.concurrent();
        assert_eq!(appender.offer(&[0; 10]).map(Position::get), Ok(140_737_488_355_328));
        let tails = test.log.metadata().raw_tails();
        for _ in 0..3 {
            assert_eq!(appender.offer(&[0; 10]), Err(OfferError::MaxPositionExceeded));
            assert_eq!(appender.offer(&[0; 5000]), Err(OfferError::MaxPositionExceeded));
            assert_eq!(appender.try_claim(10).unwrap_err(), OfferError::MaxPositionExceeded);
        }
        assert_eq!(test.log.metadata().raw_tails(), tails);
        assert_eq!(test.drain().len(), 1);
    }

    /// A message that does not fit into the rest of the last term leaves padding, and no room for a shorter one.
    #[test]
    fn the_last_term_is_filled_up() {
        let mut parameters = crate::logbuffer::testing::parameters(LogKind::Concurrent);
        parameters.start_position = Position::new(TERM_LENGTH.max_position().get() - 128);
        let test = TestLog::with(&parameters);
        test.set_limit(i64::MAX);
        let appender = test.concurrent();
        assert_eq!(appender.offer(&[0; 1000]), Err(OfferError::MaxPositionExceeded));
        assert_eq!(appender.offer(&[]), Err(OfferError::MaxPositionExceeded));
        assert!(test.drain().is_empty());
        assert_eq!(test.subscriber.load_relaxed(), TERM_LENGTH.max_position().get());
    }
}
