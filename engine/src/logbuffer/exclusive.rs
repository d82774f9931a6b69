//! Appending to an exclusive publication's log. One publisher owns the log and keeps its position privately, so a claim
//! is a plain addition. Publications call this from one thread at a time; it never waits and never allocates.

use std::io::IoSlice;

use crate::memory::{OwnedWord, Partition, TermRest};
use crate::types::{Position, TermId};

use super::appender_parts::AppenderParts;
use super::batch::BatchClaim;
use super::claim::Claim;
use super::error::{AppenderError, OfferError};
use super::frame::{self, FRAME_HEADER_LENGTH, Origin, Place, aligned, occupied};
use super::log_buffers::{Hold, LogBuffers};
use super::message::{self, Claimed, Gather, Payload};
use super::metadata::{pack_tail, tail_offset, tail_term_id};

/// Appends to a log as its only publisher.
#[derive(Debug)]
pub struct ExclusiveAppender {
    shared: AppenderParts,
    term: ActiveTerm,
}

/// The active term. The values for the next frame are computed from the distance to the term's end, so that an append
/// changes a single number.
#[derive(Debug)]
struct ActiveTerm {
    rest: TermRest,
    /// The tail word in the metadata, and its value at the term's end.
    tail: OwnedWord<i64>,
    tail_at_end: i64,
    position_at_end: i64,
    /// The header words of a frame at the term's start.
    start: Place,
    term_id: TermId,
    term_count: i32,
}

impl ExclusiveAppender {
    /// An appender to `log`. It stays below `limit`, the publication's position limit counter. It continues at the tail
    /// in the metadata.
    ///
    /// # Errors
    ///
    /// [`AppenderError`] if this process has another appender for the log, if the log is an image's, or if its tail is
    /// invalid.
    pub fn new(log: &LogBuffers, limit: OwnedWord<i64>) -> Result<Self, AppenderError> {
        let hold = Hold::exclusive(log)?;
        let (metadata, term_length) = (log.metadata(), log.term_length());
        // ORDERING(log.active-term): Acquire. Pairs with the Release store of `Place::rotate`, by the publisher before this one.
        let term_count = metadata.active_term_count().load_acquire();
        let partition = Partition::of_term_count(term_count);
        let tail = metadata.raw_tail(partition).load_relaxed();
        let term_id = tail_term_id(tail);
        let term_offset = tail_offset(tail, term_length) as usize;
        if term_count < 0 || term_id.wrapping_count_since(log.initial_term_id()) != term_count {
            return Err(AppenderError::Malformed { tail, term_count });
        }
        let shared = AppenderParts::new(hold, limit);
        let term = ActiveTerm::new(&shared, term_id, term_count, term_offset);
        Ok(Self { term: term.ok_or(AppenderError::Malformed { tail, term_count })?, shared })
    }

    /// Appends a message. Returns the position after it.
    ///
    /// # Errors
    ///
    /// [`OfferError`]. Nothing was appended.
    #[inline]
    pub fn offer(&mut self, message: &[u8]) -> Result<Position, OfferError> {
        self.offer_with(message, 0)
    }

    /// Appends a message with a reserved value: eight bytes in the header of each of its frames, for the application's
    /// use.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    #[inline]
    pub fn offer_with(&mut self, message: &[u8], reserved: i64) -> Result<Position, OfferError> {
        self.append(message, message.len(), reserved)
    }

    /// Appends a message that is gathered from several slices.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    pub fn offer_vectored(&mut self, parts: &[IoSlice<'_>], reserved: i64) -> Result<Position, OfferError> {
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
    pub fn try_claim(&mut self, length: usize) -> Result<Claim<'_>, OfferError> {
        let required = self.shared.claimable(length)?;
        let (claimed, end) = self.term.claim_range(&self.shared, required)?;
        Ok(Claim::begin(claimed, length, end))
    }

    /// Claims space for messages of the given lengths with a single update of the tail. Write the messages there, then
    /// commit them together. With their headers they may occupy as many bytes as the longest message has.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`]. [`OfferError::EmptyBatch`] if there are no lengths.
    pub fn claim_batch<'a>(&'a mut self, lengths: &'a [usize]) -> Result<BatchClaim<'a>, OfferError> {
        let required = self.shared.batchable(lengths)?;
        let (claimed, end) = self.term.claim_range(&self.shared, required)?;
        Ok(BatchClaim::begin(claimed, lengths, end, 0))
    }

    /// Appends padding that occupies the space of a message of `length` bytes. Readers skip it.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`]. The length is limited like a message's.
    pub fn append_padding(&mut self, length: usize) -> Result<Position, OfferError> {
        if length > self.shared.max_message {
            return Err(OfferError::MessageTooLong { length, max: self.shared.max_message });
        }
        let (claimed, end) = self.term.claim_range(&self.shared, occupied(length))?;
        message::write_padding(&claimed, (FRAME_HEADER_LENGTH + length) as i32);
        Ok(end)
    }

    /// Appends formatted frames. All of them become visible at once. Returns the position after them.
    ///
    /// The block must consist of whole, aligned frames and fit into the rest of the term. To skip the rest of a term,
    /// use [`Self::append_padding`]. The first frame must be a data frame at this publication's position: with its
    /// term, term offset, session and stream. Those of the others are set accordingly. If other processes write to the block
    /// meanwhile, frames that cannot be told apart any more become padding.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`]. [`OfferError::MisplacedBlock`] for any other block.
    pub fn offer_block(&mut self, block: &[u8]) -> Result<Position, OfferError> {
        let Self { shared, term } = self;
        if term.position() >= shared.limit() {
            return Err(shared.back_pressure(term.position(), block.len()));
        }
        if term.rest.remaining() == 0 {
            if term.position() >= shared.terms.length().max_position().get() {
                return Err(OfferError::MaxPositionExceeded);
            }
            term.rotate(shared);
        }
        let Some(first) = term.continued_by(shared, block).filter(|_| block.len() <= term.rest.remaining()) else {
            return Err(OfferError::MisplacedBlock);
        };
        let (claimed, end) = term.claim_range(shared, block.len())?;
        message::write_frames(claimed, block, first);
        Ok(end)
    }

    /// Appends frames of a recording. All of them become visible at once. Returns the position after them. The term and
    /// the term offset of the first frame must be those of this publication's position. Session and stream are replaced
    /// by this publication's.
    ///
    /// `frames` consists of whole, aligned frames that occupy `length` bytes and fit into the rest of the term. For
    /// padding it is only the header, and `length` is more.
    ///
    /// # Errors
    ///
    /// As [`Self::offer_block`].
    #[cfg(all(feature = "journal", not(engine_loom)))]
    pub(crate) fn replay(&mut self, frames: &[u8], length: usize) -> Result<Position, OfferError> {
        let Self { shared, term } = self;
        if term.position() >= shared.limit() {
            return Err(shared.back_pressure(term.position(), length));
        }
        if term.rest.remaining() == 0 {
            if term.position() >= shared.terms.length().max_position().get() {
                return Err(OfferError::MaxPositionExceeded);
            }
            term.rotate(shared);
        }
        let word =
            |at: usize| frames.get(at..at + 4).map(|word| i32::from_le_bytes(word.try_into().expect("four bytes")));
        let (first, second) = (word(0).unwrap_or(0), word(4).unwrap_or(0));
        let is_next = word(8) == Some(term.offset()) && word(20) == Some(term.term_id.get());
        if !is_next
            || first < FRAME_HEADER_LENGTH as i32
            || aligned(first) > length
            || length > term.rest.remaining()
            || !(FRAME_HEADER_LENGTH..=length).contains(&frames.len())
        {
            return Err(OfferError::MisplacedBlock);
        }
        let (claimed, end) = term.claim_range(shared, length)?;
        message::write_frames(claimed, frames, (first, second));
        Ok(end)
    }

    /// The position after the last message.
    #[inline]
    pub fn position(&self) -> Position {
        Position::new(self.term.position())
    }

    /// The position limit: messages can be published up to here at the moment.
    #[inline]
    pub fn position_limit(&self) -> Position {
        Position::new(self.shared.limit())
    }

    /// The number of bytes that can be published at the moment, frame headers included.
    #[inline]
    pub fn available_window(&self) -> i64 {
        self.shared.window(self.position())
    }

    /// The log.
    pub fn log(&self) -> &LogBuffers {
        self.shared.log()
    }

    #[inline(always)]
    fn append(&mut self, payload: impl Payload, length: usize, reserved: i64) -> Result<Position, OfferError> {
        if length > self.shared.max_whole {
            return self.append_fragments(payload, length, reserved);
        }
        let (claimed, end) = self.term.claim_range(&self.shared, occupied(length))?;
        message::write_whole(&claimed, payload, length, frame::DATA_UNFRAGMENTED, reserved);
        Ok(end)
    }

    #[cold]
    fn append_fragments(
        &mut self,
        payload: impl Payload,
        length: usize,
        reserved: i64,
    ) -> Result<Position, OfferError> {
        let required = self.shared.fragmented(length)?;
        let (claimed, end) = self.term.claim_range(&self.shared, required)?;
        message::write_fragments(claimed, payload, length, self.shared.max_payload, reserved);
        Ok(end)
    }
}

impl ActiveTerm {
    /// The term of this id and count, from `term_offset` on. `None` if no frame can start there.
    fn new(parts: &AppenderParts, term_id: TermId, term_count: i32, term_offset: usize) -> Option<Self> {
        let partition = Partition::of_term_count(term_count);
        let length = parts.terms.length();
        Some(Self {
            rest: parts.terms.rest(partition, term_offset)?,
            tail: parts.tails[partition.index()].clone(),
            tail_at_end: pack_tail(term_id, length.get()),
            position_at_end: length.position(term_count, length.get()).get(),
            start: parts.origin.at(term_id, 0),
            term_id,
            term_count,
        })
    }

    #[inline]
    fn position(&self) -> i64 {
        self.position_at_end - self.rest.remaining() as i64
    }

    /// From 0 to the term's length.
    #[inline]
    fn offset(&self) -> i32 {
        // The low half of the tail.
        (self.tail_at_end - self.rest.remaining() as i64) as i32
    }

    /// The first two words of the block, if it consists of whole frames, the first of which belongs at the present
    /// position.
    fn continued_by(&self, parts: &AppenderParts, block: &[u8]) -> Option<(i32, i32)> {
        let word = |at: usize| i32::from_le_bytes(block[at..at + 4].try_into().expect("four bytes"));
        let mut first = None;
        let mut at = 0;
        while at < block.len() {
            let length = if block.len() - at < FRAME_HEADER_LENGTH { 0 } else { word(at) };
            if length < FRAME_HEADER_LENGTH as i32 || aligned(length) > block.len() - at {
                return None;
            }
            first.get_or_insert(length);
            at += aligned(length);
        }
        let first = (first?, word(4));
        let Origin { session_id, stream_id } = parts.origin;
        let is_next = first.1 >> 16 == i32::from(frame::frame_type::DATA)
            && word(8) == self.offset()
            && word(12) == session_id.get()
            && word(16) == stream_id.get()
            && word(20) == self.term_id.get();
        is_next.then_some(first)
    }

    /// Claims `required` bytes in the term. Returns the claim and the position at its end.
    #[inline(always)]
    fn claim_range(&mut self, parts: &AppenderParts, required: usize) -> Result<(Claimed<'_>, Position), OfferError> {
        let remaining = self.rest.remaining() as i64;
        let position = self.position_at_end - remaining;
        if position >= parts.limit() {
            return Err(parts.back_pressure(position, required));
        }
        let tail = self.tail_at_end - remaining;
        // ORDERING(log.tail): Release. Pairs with the Acquire loads of the conductor. Stored before the frame is
        // written, and before it is known whether it fits. The tail distinguishes a claimed range from one that was
        // never used.
        self.tail.store_release(tail + required as i64);
        if required as i64 > remaining {
            return Err(self.trip(parts));
        }
        // Always succeeds: the required length fits and is aligned.
        let Some(space) = self.rest.split_off(required) else { return Err(OfferError::MisplacedBlock) };
        let place = self.start.beyond(tail as u32 as usize);
        Ok((Claimed { space, place }, Position::new(position + required as i64)))
    }

    /// Handles a claim that does not fit into the rest of the term: pads the rest, and rotates the log.
    #[cold]
    fn trip(&mut self, parts: &AppenderParts) -> OfferError {
        let place = self.start.beyond(self.offset() as usize);
        let rest = self.rest.remaining();
        if let Some(space) = self.rest.split_off(rest) {
            message::write_padding(&Claimed { space, place }, rest as i32);
        }
        if self.position() >= parts.terms.length().max_position().get() {
            return OfferError::MaxPositionExceeded;
        }
        self.rotate(parts);
        OfferError::AdminAction
    }

    /// Rotates to the next term. There is only one writer, so no compare-and-exchange is needed.
    fn rotate(&mut self, parts: &AppenderParts) {
        let (term_id, term_count) = (self.term_id.wrapping_add(1), self.term_count.wrapping_add(1));
        // A frame can always start at a term's beginning.
        let Some(next) = Self::new(parts, term_id, term_count, 0) else { return };
        *self = next;
        self.tail.store_relaxed(pack_tail(term_id, 0));
        // ORDERING(log.active-term): Release. Pairs with the Acquire loads of the count; publishes the tail stored above.
        parts.active_term_count.store_release(term_count);
    }
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;
    use crate::logbuffer::testing::TestLog;
    use crate::logbuffer::{ConcurrentAppender, LogKind};

    #[test]
    fn what_is_offered_is_polled() {
        let test = TestLog::new(LogKind::Exclusive);
        let mut appender = test.exclusive();
        assert_eq!(appender.offer(b"early"), Err(OfferError::NotConnected));
        test.log.metadata().set_connected(true);
        assert_eq!(appender.offer(b"early"), Err(OfferError::BackPressured));
        test.set_limit(1 << 15);
        let first = appender.offer(b"hello").unwrap();
        let second = appender.offer_with(&[], 42).unwrap();
        assert_eq!((first.get(), second.get()), (64, 96));
        assert_eq!(appender.position(), second);
        assert_eq!(test.drain(), [(b"hello".to_vec(), first), (Vec::new(), second)]);
        assert_eq!(test.subscriber.load_relaxed(), 96);
    }

    #[test]
    fn a_claim_is_sent_or_skipped() {
        let test = TestLog::new(LogKind::Exclusive);
        test.set_limit(1 << 15);
        let mut appender = test.exclusive();
        let mut claim = appender.try_claim(3).unwrap();
        claim.copy_from_slice(b"abc");
        claim.set_reserved_value(-1);
        assert!(test.drain().is_empty());
        let position = claim.commit().unwrap();
        drop(appender.try_claim(100).unwrap());
        let last = appender.offer(b"z").unwrap();
        assert_eq!(test.drain(), [(b"abc".to_vec(), position), (b"z".to_vec(), last)]);
    }

    #[test]
    fn a_log_has_one_exclusive_appender_and_nothing_beside_it() {
        let test = TestLog::new(LogKind::Exclusive);
        let appender = test.exclusive();
        let refused = ExclusiveAppender::new(&test.log, test.limit.clone()).unwrap_err();
        assert_eq!(refused, AppenderError::Exclusive);
        let refused = ConcurrentAppender::new(&test.log, test.limit.clone()).unwrap_err();
        assert_eq!(refused, AppenderError::Exclusive);
        drop(appender);
        let shared = [test.concurrent(), test.concurrent()];
        let refused = ExclusiveAppender::new(&test.log, test.limit.clone()).unwrap_err();
        assert_eq!(refused, AppenderError::InUse);
        drop(shared);
        test.exclusive();
    }

    /// Trap 45: the tail is advanced before it is known whether the message fits, as everybody who reads it expects.
    #[test]
    fn trap_45_tail_is_advanced_past_the_term() {
        let mut parameters = crate::logbuffer::testing::parameters(LogKind::Exclusive);
        parameters.start_position = Position::new(65_536 - 96);
        let test = TestLog::with(&parameters);
        test.set_limit(1 << 17);
        let mut appender = test.exclusive();
        assert_eq!(appender.offer(&[0; 1000]), Err(OfferError::AdminAction));
        let initial = i64::from(parameters.initial_term_id.get());
        let next = i64::from(parameters.initial_term_id.wrapping_add(1).get());
        let tails = test.log.metadata().raw_tails();
        assert_eq!(tails[..2], [initial << 32 | (65_536 - 96 + 1056), next << 32]);
        assert!(test.drain().is_empty());
        assert_eq!(test.subscriber.load_relaxed(), 65_536, "the rest of the term is padding");
    }

    /// A block must continue the log where it is, in whole frames; then it is read like messages that were offered one by one.
    #[test]
    fn a_block_of_frames_becomes_visible_at_once() {
        let source = TestLog::new(LogKind::Exclusive);
        source.set_limit(1 << 15);
        let mut appender = source.exclusive();
        let sent: Vec<_> = [10, 2000, 0].map(|length| appender.offer(&vec![length as u8; length]).unwrap()).into();
        let mut block = vec![0; sent[2].get() as usize];
        source.log.term(0).get_bytes(0, &mut block);

        let copy = TestLog::new(LogKind::Exclusive);
        let mut appender = copy.exclusive();
        assert_eq!(appender.offer_block(&block), Err(OfferError::NotConnected));
        copy.set_limit(1);
        let misplaced = |at: usize, value: u8| {
            let mut block = block.clone();
            block[at] = value;
            block
        };
        let wrong = [
            block[..block.len() - 16].to_vec(),
            block[..40].to_vec(),
            Vec::new(),
            misplaced(0, 31),
            misplaced(3, 0x80),
            misplaced(6, 0),
            misplaced(8, 32),
            misplaced(12, 1),
            misplaced(16, 1),
            misplaced(20, 1),
        ];
        for wrong in wrong {
            assert_eq!(appender.offer_block(&wrong), Err(OfferError::MisplacedBlock));
        }
        assert!(copy.drain().is_empty());
        assert_eq!(appender.offer_block(&block), Ok(sent[2]));
        assert_eq!(copy.drain(), source.drain());
        assert_eq!(appender.offer_block(&block), Err(OfferError::NotConnected));
        copy.set_limit(1 << 15);
        assert_eq!(appender.offer_block(&block), Err(OfferError::MisplacedBlock), "it belongs to the term's start");
    }

    /// A block may lie in a log, where another process can write to it between the check and the copy.
    #[test]
    fn a_block_that_is_written_over_while_it_is_copied_leads_nobody_out_of_it() {
        let source = TestLog::new(LogKind::Exclusive);
        source.set_limit(1 << 15);
        let mut appender = source.exclusive();
        let sent: Vec<_> = [10, 200, 0].map(|length| appender.offer(&vec![7; length]).unwrap().get() as usize).into();
        let mut block = vec![0; sent[2]];
        source.log.term(0).get_bytes(0, &mut block);
        for (start, delivered) in [(0, 3), (sent[0], 1), (sent[1], 2)] {
            for length in [0, 1, 31, -42, i32::MIN, sent[2] as i32 + 1, i32::MAX] {
                let copy = TestLog::new(LogKind::Exclusive);
                copy.set_limit(1 << 15);
                let mut appender = copy.exclusive();
                let checked = appender.term.continued_by(&appender.shared, &block).expect("a block of whole frames");
                let mut spoilt = block.clone();
                spoilt[start..start + 4].copy_from_slice(&length.to_le_bytes());
                spoilt[start + 6..start + 24].fill(0xFF);
                let (claimed, _) = appender.term.claim_range(&appender.shared, spoilt.len()).unwrap();
                message::write_frames(claimed, &spoilt, checked);
                let end = appender.offer(b"next").unwrap();
                assert_eq!(end.get() as usize, sent[2] + 64);
                let mut found = Vec::new();
                copy.reader().poll(|fragment| found.push((fragment.payload().len(), fragment.term_offset())), 10);
                let expected = [(10, 0), (200, sent[0] as i32), (0, sent[1] as i32)];
                assert_eq!(found.pop(), Some((4, sent[2] as i32)), "{length} at {start}");
                assert_eq!(found, expected[..delivered], "{length} at {start}");
                assert_eq!(copy.reader().position(), end);
            }
        }
    }

    /// A bug that a peer shipped: a block went to the start of its term, whatever offset its frames state.
    #[test]
    fn peer_bug_a_block_goes_to_its_term_offset() {
        let source = TestLog::new(LogKind::Exclusive);
        source.set_limit(1 << 15);
        let mut appender = source.exclusive();
        let sent = [b"first", b"other"].map(|message| appender.offer(message).unwrap().get() as usize);
        let mut block = vec![0; sent[1] - sent[0]];
        source.log.term(0).get_bytes(sent[0], &mut block);

        let copy = TestLog::new(LogKind::Exclusive);
        copy.set_limit(1 << 15);
        let mut appender = copy.exclusive();
        assert_eq!(appender.offer_block(&block), Err(OfferError::MisplacedBlock), "there is nothing before it");
        appender.offer(b"first").unwrap();
        assert_eq!(appender.offer_block(&block).map(Position::get), Ok(sent[1] as i64));
        assert_eq!(copy.drain(), source.drain());
    }

    /// Frames of a recording become those of this publication, whoever's they were. What was written over meanwhile becomes padding:
    /// nobody is handed a frame that leads out of its block.
    #[cfg(feature = "journal")]
    #[test]
    fn frames_of_a_recording_get_this_publication_s_session_and_stream() {
        let source = TestLog::new(LogKind::Exclusive);
        source.set_limit(1 << 15);
        let mut appender = source.exclusive();
        let sent: Vec<_> = [10, 2000, 0].map(|length| appender.offer(&vec![length as u8; length]).unwrap()).into();
        let length = sent[2].get() as usize;
        let mut frames = vec![0; length];
        source.log.term(0).get_bytes(0, &mut frames);
        for start in [0, sent[0].get() as usize, sent[1].get() as usize] {
            frames[start + 12..start + 20].fill(0x7e);
        }
        let copied = |frames: &[u8], length: usize| {
            let copy = TestLog::new(LogKind::Exclusive);
            copy.set_limit(1 << 15);
            let outcome = copy.exclusive().replay(frames, length);
            (copy, outcome)
        };
        let (copy, outcome) = copied(&frames, length);
        assert_eq!(outcome, Ok(sent[2]));
        let mut bytes = [vec![0; length], vec![0; length]];
        for (log, bytes) in [&source, &copy].into_iter().zip(&mut bytes) {
            log.log.term(0).get_bytes(0, bytes);
        }
        assert_eq!(bytes[0], bytes[1]);

        let second = sent[0].get() as usize;
        for wrong in [0_i32, -1, 31, 1 << 20, i32::MIN] {
            let mut frames = frames.clone();
            frames[second..second + 4].copy_from_slice(&wrong.to_le_bytes());
            let (copy, outcome) = copied(&frames, length);
            assert_eq!(outcome, Ok(sent[2]), "{wrong}");
            assert_eq!(copy.drain().len(), 1, "{wrong}");
            assert_eq!(copy.subscriber.load_relaxed(), sent[2].get(), "{wrong}");
        }
        // Padding is its header, and takes up what it says.
        let mut padding = frames[..32].to_vec();
        padding[..4].copy_from_slice(&4000_i32.to_le_bytes());
        padding[6] = 0;
        let (copy, outcome) = copied(&padding, 4000);
        assert_eq!((outcome.map(Position::get), copy.drain().len()), (Ok(4000), 0));
        assert_eq!(copy.subscriber.load_relaxed(), 4000);
        for (frames, length) in [(&frames[..16], length), (&frames[..], length - 32), (&frames[64..], length - 64)] {
            assert_eq!(copied(frames, length).1, Err(OfferError::MisplacedBlock));
        }
    }

    /// A block that comes when the term is exactly full starts the next one.
    #[test]
    fn a_block_may_start_a_term() {
        let mut parameters = crate::logbuffer::testing::parameters(LogKind::Exclusive);
        parameters.start_position = Position::new(65_536 - 32);
        let test = TestLog::with(&parameters);
        test.set_limit(1 << 17);
        let mut appender = test.exclusive();
        appender.offer(&[]).unwrap();
        let source = TestLog::with(&crate::logbuffer::LogParameters {
            initial_term_id: parameters.initial_term_id.wrapping_add(1),
            start_position: Position::new(0),
            ..parameters
        });
        source.set_limit(1);
        source.exclusive().offer(b"first").unwrap();
        let mut block = [0; 64];
        source.log.term(0).get_bytes(0, &mut block);
        assert_eq!(appender.offer_block(&block).map(Position::get), Ok(65_536 + 64));
        assert_eq!(test.drain().len(), 1);
        assert_eq!(test.drain(), [(b"first".to_vec(), Position::new(65_536 + 64))]);
    }
}
