//! The consumer's side of the ring: the driver's conductor takes commands out, one private copy at a time. It never
//! waits. It checks every length from shared memory before that decides where it reads, zeroes or continues.

use super::ManyToOneRingBuffer;
use super::layout::RingBufferError;
use crate::memory::AtomicBuffer;
use crate::record::{HEADER_LENGTH, PADDING_TYPE, is_record_start, occupied, type_offset};

/// The only consumer of a ring.
#[derive(Debug)]
pub struct RingConsumer {
    pub(super) ring: ManyToOneRingBuffer,
    /// The position of the next record. The word in shared memory is a copy of it, and is never read back.
    pub(super) position: i64,
    /// A private copy of the message for handlers, because producers can change the original at any time.
    scratch: Vec<u8>,
    /// The tail at the last search for a valid record after a damaged one.
    pub(super) searched_to: Option<i64>,
    pub(super) repairs: u64,
}

/// What the consumer does after a record, as returned by the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadAction {
    /// Continue with the next record.
    Continue,
    /// Consume the record, and stop reading for now.
    Break,
    /// Leave the record in the ring, to be read again, and stop reading for now.
    Abort,
    /// Free the space of all records so far, this one included, and continue.
    Commit,
}

/// The record at the consumer's position.
pub(super) enum Record {
    /// There is no record, or its producer is still writing it.
    Incomplete,
    /// A complete record.
    Complete {
        type_id: i32,
        /// Header included.
        length: usize,
    },
    /// A record with an invalid length.
    Damaged,
}

impl RingConsumer {
    /// Creates the consumer of the ring in `buffer`. There must be no other consumer, because two would take each
    /// other's messages.
    ///
    /// # Errors
    ///
    /// [`RingBufferError`] unless the space for records is a power of two from 64 bytes to 1 GiB.
    pub fn new(buffer: &AtomicBuffer) -> Result<Self, RingBufferError> {
        let ring = ManyToOneRingBuffer::new(buffer)?;
        let found = ring.consumer_position();
        // A driver creates its ring anew, so this is normally 0. Any other value is untrusted.
        let position = if is_record_start(found) && found < i64::MAX / 2 { found } else { 0 };
        let scratch = vec![0; ring.max_message_length()];
        Ok(Self { ring, position, scratch, searched_to: None, repairs: 0 })
    }

    /// The ring as its producers use it.
    pub fn ring(&self) -> &ManyToOneRingBuffer {
        &self.ring
    }

    /// The position up to which everything was consumed, in bytes since the ring was created.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// The number of damaged records and tails that this consumer has skipped or repaired.
    pub fn repairs(&self) -> u64 {
        self.repairs
    }

    /// Reads up to `limit` messages. Returns how many. Handlers get the type and a private copy of the message. A call
    /// stops at the end of the ring; the next one continues at its start.
    #[inline]
    pub fn read(&mut self, limit: usize, mut handler: impl FnMut(i32, &[u8])) -> usize {
        self.controlled_read(limit, |type_id, message| {
            handler(type_id, message);
            ReadAction::Continue
        })
    }

    /// As [`Self::read`], but the handler's return value says how to continue.
    #[inline]
    pub fn controlled_read(&mut self, limit: usize, handler: impl FnMut(i32, &[u8]) -> ReadAction) -> usize {
        if self.has_record() { self.read_records(limit, handler) } else { 0 }
    }

    /// Whether there may be a record, checked in every duty cycle.
    #[inline]
    fn has_record(&self) -> bool {
        let ring = self.ring.ring();
        // Only a reason to look. The look itself has acquire ordering.
        ring.data.word_at::<i32>(ring.index(self.position)).load_relaxed() > 0
    }

    #[inline(never)]
    fn read_records(&mut self, limit: usize, mut handler: impl FnMut(i32, &[u8]) -> ReadAction) -> usize {
        let end = self.position + (self.ring.capacity() - self.ring.ring().index(self.position)) as i64;
        let mut reached = self.position;
        let mut messages = 0;
        while messages < limit && reached < end {
            let (type_id, length) = match self.record_at(reached) {
                Record::Incomplete => break,
                Record::Complete { type_id, length } => (type_id, length),
                // Everything before it is published, so only a search can move the consumer past it.
                Record::Damaged if reached == self.position => {
                    self.search_for_sound_record();
                    return messages;
                }
                Record::Damaged => break,
            };
            let next = reached + occupied(length) as i64;
            if type_id == PADDING_TYPE {
                reached = next;
                continue;
            }
            let message = &mut self.scratch[..length - HEADER_LENGTH];
            self.ring.ring().data.get_bytes(self.ring.ring().index(reached) + HEADER_LENGTH, message);
            match handler(type_id, message) {
                ReadAction::Abort => break,
                ReadAction::Continue => reached = next,
                ReadAction::Break => {
                    self.publish(next);
                    return messages + 1;
                }
                ReadAction::Commit => {
                    reached = next;
                    self.publish(reached);
                }
            }
            messages += 1;
        }
        self.publish(reached);
        messages
    }

    /// The record at `position`, which is the consumer's own position, or follows it by whole records.
    pub(super) fn record_at(&self, position: i64) -> Record {
        let ring = self.ring.ring();
        let index = ring.index(position);
        // ORDERING(rb.record-committed): Acquire. Pairs with the Release store in `commit_length`; type and payload are as
        // their producer left them.
        let length = ring.data.word_at::<i32>(index).load_acquire();
        if length <= 0 {
            return Record::Incomplete;
        }
        let type_id = ring.data.word_at::<i32>(type_offset(index)).load_relaxed();
        // The record's producer moved the tail past it before it stored the length that was loaded above, so this is no
        // older.
        let tail = ring.tail.load_relaxed();
        match (ring.claimed(self.position, tail), self.checked_length(index, length, type_id)) {
            (Some(_), Some(length)) if occupied(length) as i64 <= tail - position => {
                Record::Complete { type_id, length }
            }
            _ => Record::Damaged,
        }
    }

    /// The length, if it is valid for a record of this type at this index.
    pub(super) fn checked_length(&self, index: usize, length: i32, type_id: i32) -> Option<usize> {
        let to_end = self.ring.capacity() - index;
        let length = usize::try_from(length).ok().filter(|length| (HEADER_LENGTH..=to_end).contains(length))?;
        (type_id == PADDING_TYPE || length - HEADER_LENGTH <= self.scratch.len()).then_some(length)
    }

    /// Frees everything below `position` for the producers. Zeroes all of it first, headers, payload and padding,
    /// because producers rely on zeroes where the length of a record will be.
    pub(super) fn publish(&mut self, position: i64) {
        let ring = self.ring.ring();
        let consumed = position - self.position;
        if consumed == 0 {
            return;
        }
        ring.data.zero(ring.index(self.position), consumed as usize);
        self.position = position;
        // ORDERING(rb.head): Release. Pairs with the Acquire load in `refresh_head`; publishes the zeroes.
        ring.head.store_release(position);
    }
}
