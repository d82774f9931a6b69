//! The consumer's side of the ring: the driver's conductor takes commands out, one private copy at a time. It never
//! waits. It checks every length from shared memory before that decides where it reads, zeroes or continues.

use super::ManyToOneRingBuffer;
use super::layout::RingBufferError;
use crate::memory::AtomicBuffer;
use crate::record::{HEADER_LENGTH, PADDING_TYPE, is_record_start, occupied, type_offset};

/// The one consumer of a ring.
#[derive(Debug)]
pub struct RingConsumer {
    pub(super) ring: ManyToOneRingBuffer,
    /// Where the next record starts. The truth; the word in shared memory is its publication.
    pub(super) position: i64,
    /// What handlers are shown: producers can change the original at any time.
    scratch: Vec<u8>,
    /// The tail at the last search for a sound record behind a damaged one.
    pub(super) searched_to: Option<i64>,
    pub(super) repairs: u64,
}

/// What a handler wants done after a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadAction {
    /// Go on.
    Continue,
    /// The record is done with; read no more for now.
    Break,
    /// Leave the record where it is, to be read again, and read no more for now.
    Abort,
    /// Give producers the space of everything so far, this record included, and go on.
    Commit,
}

/// A record at the consumer's position, or why there is none.
pub(super) enum Record {
    /// Nothing is there, or its producer is still writing.
    Incomplete,
    /// A whole record.
    Complete {
        type_id: i32,
        /// Header included.
        length: usize,
    },
    /// A length that no producer stores.
    Damaged,
}

impl RingConsumer {
    /// Takes the consumer's place on the ring over `buffer`. There must be no other consumer; two would take each
    /// other's messages.
    ///
    /// # Errors
    ///
    /// [`RingBufferError`] unless the space for records is a power of two from 64 bytes to 1 GiB.
    pub fn new(buffer: &AtomicBuffer) -> Result<Self, RingBufferError> {
        let ring = ManyToOneRingBuffer::new(buffer)?;
        let found = ring.consumer_position();
        // A driver makes its ring anew, so this is 0; anything else is checked as little as it is trusted.
        let position = if is_record_start(found) && found < i64::MAX / 2 { found } else { 0 };
        let scratch = vec![0; ring.max_message_length()];
        Ok(Self { ring, position, scratch, searched_to: None, repairs: 0 })
    }

    /// The same ring as its producers see it.
    pub fn ring(&self) -> &ManyToOneRingBuffer {
        &self.ring
    }

    /// The position up to which everything has been consumed, in bytes since the ring was made.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// How often a damaged record or tail was skipped or repaired since this consumer was made.
    pub fn repairs(&self) -> u64 {
        self.repairs
    }

    /// Reads up to `limit` messages and returns how many it read. Handlers get the type and a private copy of the message.
    /// A call stops at the end of the ring; the next one goes on at its front.
    #[inline]
    pub fn read(&mut self, limit: usize, mut handler: impl FnMut(i32, &[u8])) -> usize {
        self.controlled_read(limit, |type_id, message| {
            handler(type_id, message);
            ReadAction::Continue
        })
    }

    /// As [`Self::read`], with a handler that says how to go on.
    #[inline]
    pub fn controlled_read(&mut self, limit: usize, handler: impl FnMut(i32, &[u8]) -> ReadAction) -> usize {
        if self.has_record() { self.read_records(limit, handler) } else { 0 }
    }

    /// Whether there is anything at all to be read: what a consumer finds out in each of its turns.
    #[inline]
    fn has_record(&self) -> bool {
        let ring = self.ring.ring();
        // No more than a reason to look: whoever looks acquires.
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
                // Once all before it is published, it is the search that moves the consumer.
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

    /// The record at `position`, which is the consumer's own or follows from it by whole records.
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
        // The record's producer moved the tail past it before it stored the length that was read above, so this is no older.
        let tail = ring.tail.load_relaxed();
        match (ring.claimed(self.position, tail), self.checked_length(index, length, type_id)) {
            (Some(_), Some(length)) if occupied(length) as i64 <= tail - position => {
                Record::Complete { type_id, length }
            }
            _ => Record::Damaged,
        }
    }

    /// The length, when a record of this type may have it at this index.
    pub(super) fn checked_length(&self, index: usize, length: i32, type_id: i32) -> Option<usize> {
        let to_end = self.ring.capacity() - index;
        let length = usize::try_from(length).ok().filter(|length| (HEADER_LENGTH..=to_end).contains(length))?;
        (type_id == PADDING_TYPE || length - HEADER_LENGTH <= self.scratch.len()).then_some(length)
    }

    /// Gives everything below `position` back to the producers. All of it is zeroed first, headers, payload and padding:
    /// producers rely on finding zero where the length of a record that nobody has started yet would be.
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
