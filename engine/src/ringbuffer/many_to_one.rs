//! The producers' side of the ring: clients write commands and draw correlation ids. It never waits, and never stores
//! outside the space that it has claimed.

use super::layout::{Ring, RingBufferError};
use crate::memory::AtomicBuffer;
use crate::record::{HEADER_LENGTH, PADDING_TYPE, is_record_start, occupied, type_offset};
use crate::sync::{Ordering, fence};
use crate::time::EpochMillis;
use crate::types::CorrelationId;

/// The ring for clients and observers. Any number of these can exist, in any number of processes.
///
/// ```
/// use gannet::memory::{AtomicBuffer, RawAccess};
/// use gannet::ringbuffer::{ManyToOneRingBuffer, RING_TRAILER_LENGTH, RingConsumer};
///
/// // SAFETY: there is one consumer, and nobody else knows the buffer.
/// let raw = unsafe { RawAccess::promised() };
/// let buffer = AtomicBuffer::zeroed(1024 + RING_TRAILER_LENGTH, raw);
/// let ring = ManyToOneRingBuffer::new(&buffer)?;
/// let mut consumer = RingConsumer::new(&buffer)?;
///
/// ring.write(7, b"command")?;
/// let read = consumer.read(10, |type_id, command| assert_eq!((type_id, command), (7, &b"command"[..])));
/// assert_eq!(read, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ManyToOneRingBuffer {
    ring: Ring,
}

/// Why a message was not written. Nothing was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingWriteError {
    /// The consumer has not freed enough space yet. Try again later.
    #[error("the command ring is full: the driver has not consumed what is in it")]
    Full,
    /// The message is too long for this ring.
    #[error("a message of {length} bytes is longer than the {max} bytes that this command ring carries")]
    TooLong {
        /// The message's length in bytes.
        length: usize,
        /// The maximum length in bytes.
        max: usize,
    },
    /// Message types below 1 are reserved.
    #[error("message type {found} is reserved: types are at least 1")]
    InvalidType {
        /// The message type given.
        found: i32,
    },
    /// The tail has an invalid value. The consumer repairs the ring when it notices.
    #[error("the command ring is damaged: its tail is {tail}, which is no position of a record")]
    Damaged {
        /// The tail.
        tail: i64,
    },
}

impl ManyToOneRingBuffer {
    /// A ring over `buffer`: records, then a trailer of [`RING_TRAILER_LENGTH`](super::RING_TRAILER_LENGTH) bytes.
    ///
    /// # Errors
    ///
    /// [`RingBufferError`] unless the space for records is a power of two from 64 bytes to 1 GiB.
    pub fn new(buffer: &AtomicBuffer) -> Result<Self, RingBufferError> {
        Ok(Self { ring: Ring::new(buffer)? })
    }

    pub(super) fn ring(&self) -> &Ring {
        &self.ring
    }

    /// The space for records, in bytes.
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// The longest message, in bytes: an eighth of the capacity.
    pub fn max_message_length(&self) -> usize {
        self.ring.max_message_length()
    }

    /// Writes one message.
    ///
    /// # Errors
    ///
    /// [`RingWriteError`]. Nothing was written.
    pub fn write(&self, type_id: i32, message: &[u8]) -> Result<(), RingWriteError> {
        let mut claim = self.try_claim(type_id, message.len())?;
        claim.put_bytes(0, message);
        claim.commit();
        Ok(())
    }

    /// Claims space for a message of `length` bytes. Write the message there. The consumer waits for the claim, so
    /// commit or abort it soon.
    ///
    /// # Errors
    ///
    /// [`RingWriteError`]. Nothing was claimed.
    pub fn try_claim(&self, type_id: i32, length: usize) -> Result<RingClaim<'_>, RingWriteError> {
        if type_id < 1 {
            return Err(RingWriteError::InvalidType { found: type_id });
        }
        let max = self.max_message_length();
        if length > max {
            return Err(RingWriteError::TooLong { length, max });
        }
        let record_length = HEADER_LENGTH + length;
        let index = self.claim_space(occupied(record_length))?;
        let claim = RingClaim { ring: &self.ring, index, length: record_length as i32 };
        start_record(&self.ring, index, claim.length);
        self.ring.data.word_at::<i32>(type_offset(index)).store_relaxed(type_id);
        Ok(claim)
    }

    /// Returns an identifier that neither the driver nor another of its clients gets.
    pub fn next_correlation_id(&self) -> CorrelationId {
        CorrelationId::new(self.ring.correlation.fetch_add(1))
    }

    /// The driver's last heartbeat, by the wall clock. 0 before the driver is ready, -1 once it is closed.
    pub fn consumer_heartbeat(&self) -> EpochMillis {
        // ORDERING(rb.heartbeat): Acquire. Pairs with the Release store in `set_consumer_heartbeat`.
        EpochMillis::new(self.ring.heartbeat.load_acquire())
    }

    /// Stores the driver's heartbeat. Only the driver calls this.
    pub fn set_consumer_heartbeat(&self, now: EpochMillis) {
        // ORDERING(rb.heartbeat): Release. Pairs with the Acquire load in `consumer_heartbeat`; publishes what the
        // driver set up before its first heartbeat.
        self.ring.heartbeat.store_release(now.get());
    }

    /// The position up to which everything was consumed, in bytes since the ring was created.
    pub fn consumer_position(&self) -> i64 {
        // ORDERING(rb.head): Acquire. Pairs with the Release store in the consumer's `publish`.
        self.ring.head.load_acquire()
    }

    /// The position up to which space was claimed, in bytes since the ring was created.
    pub fn producer_position(&self) -> i64 {
        self.ring.tail.load_relaxed()
    }

    /// Claims `required` bytes, a multiple of the alignment. Returns the index at which they start. If they do not fit
    /// before the end of the ring, the rest becomes padding and the claim starts at index 0.
    fn claim_space(&self, required: usize) -> Result<usize, RingWriteError> {
        let Ring { tail, head_cache, head, .. } = &self.ring;
        let required_bytes = required as i64;
        // ORDERING(rb.head-cache): Acquire. Pairs with the Release stores below, by any producer; what is below that
        // head was zeroed by the consumer before it published it.
        let mut known_head = head_cache.load_acquire();
        loop {
            // No ordering is needed: with an old tail, the exchange below fails.
            let claimed_to = tail.load_relaxed();
            if !is_record_start(claimed_to) || claimed_to > i64::MAX - self.ring.capacity() as i64 * 2 {
                return Err(RingWriteError::Damaged { tail: claimed_to });
            }
            let fits_behind = |head: i64| required_bytes <= self.free_space(head, claimed_to);
            // No producer passes on a head beyond the tail. If another process stored one, relying on it would overwrite
            // what the consumer has yet to read.
            if known_head > claimed_to || !fits_behind(known_head) {
                known_head = self.refresh_head(head, head_cache, fits_behind)?;
            }
            let index = self.ring.index(claimed_to);
            let to_end = self.ring.capacity() - index;
            let padding = if required <= to_end {
                0
            } else {
                // The padding occupies all of the space at the end, so the space before the head counts, not the total
                // free space.
                let fits_in_front = |head: i64| required <= self.ring.index(head);
                if !fits_in_front(known_head) {
                    known_head = self.refresh_head(head, head_cache, fits_in_front)?;
                }
                to_end
            };
            // It only matters that one producer succeeds, which then owns the bytes between the two positions. From the
            // head it knows that they are zero.
            if tail.compare_exchange(claimed_to, claimed_to + required_bytes + padding as i64).is_err() {
                continue;
            }
            if padding == 0 {
                return Ok(index);
            }
            start_record(&self.ring, index, padding as i32);
            finish_record(&self.ring, index, PADDING_TYPE, padding as i32);
            return Ok(0);
        }
    }

    /// The free space with the consumer at `head` and the producers at `tail`, in bytes. Negative if the head is so old
    /// that more than a lap is between the two.
    fn free_space(&self, head: i64, tail: i64) -> i64 {
        (self.ring.capacity() as i64).saturating_sub(tail.saturating_sub(head))
    }

    /// Loads the consumer's position, and stores it for the other producers if it is far enough.
    fn refresh_head(
        &self,
        head: &crate::memory::OwnedWord<i64>,
        head_cache: &crate::memory::OwnedWord<i64>,
        is_enough: impl Fn(i64) -> bool,
    ) -> Result<i64, RingWriteError> {
        // ORDERING(rb.head): Acquire. Pairs with the Release store in the consumer's `publish`; everything below that
        // position is zero.
        let head = head.load_acquire();
        if !is_enough(head) {
            return Err(RingWriteError::Full);
        }
        // ORDERING(rb.head-cache): Release. Pairs with the Acquire load in `claim_space`; passes on what `rb.head`
        // published. An older head may overwrite a newer one. Both are safe; the older one only costs a producer
        // another look.
        head_cache.store_release(head);
        Ok(head)
    }
}

/// Claimed space in the ring. Dropping it aborts the claim, and the consumer skips the space.
#[derive(Debug)]
#[must_use = "a claim that is dropped is aborted"]
pub struct RingClaim<'a> {
    ring: &'a Ring,
    index: usize,
    /// Header included; positive.
    length: i32,
}

impl RingClaim<'_> {
    /// The message's length in bytes.
    #[allow(clippy::len_without_is_empty, reason = "nothing asks whether a claim is empty")]
    pub fn len(&self) -> usize {
        self.length as usize - HEADER_LENGTH
    }

    /// Writes `bytes` at `offset` of the message.
    ///
    /// # Panics
    ///
    /// If they exceed the claimed length.
    pub fn put_bytes(&mut self, offset: usize, bytes: &[u8]) {
        assert!(
            offset <= self.len() && bytes.len() <= self.len() - offset,
            "{} bytes at {offset} leave a claim of {} bytes",
            bytes.len(),
            self.len()
        );
        self.ring.data.put_bytes(self.index + HEADER_LENGTH + offset, bytes);
    }

    /// Publishes the message to the consumer.
    pub fn commit(self) {
        commit_length(self.ring, self.index, self.length);
        core::mem::forget(self);
    }

    /// Aborts the claim. The consumer skips the space.
    pub fn abort(self) {
        drop(self);
    }
}

impl Drop for RingClaim<'_> {
    fn drop(&mut self) {
        // A failed model is being unwound, and executes no more operations.
        if cfg!(engine_loom) && std::thread::panicking() {
            return;
        }
        finish_record(self.ring, self.index, PADDING_TYPE, self.length);
    }
}

/// Marks claimed space as being written before anything else is stored there, so that whoever finds a byte of it also
/// finds the mark.
fn start_record(ring: &Ring, index: usize, length: i32) {
    ring.data.word_at::<i32>(index).store_relaxed(-length);
    // ORDERING(rb.record-started): Release fence. Pairs with the Acquire probes in `unblock`; a scan that sees any of
    // the stores after it also sees the negative length before it, and leaves the record to its producer.
    fence(Ordering::Release);
}

/// Commits a padding record.
pub(super) fn finish_record(ring: &Ring, index: usize, type_id: i32, length: i32) {
    ring.data.word_at::<i32>(type_offset(index)).store_relaxed(type_id);
    commit_length(ring, index, length);
}

fn commit_length(ring: &Ring, index: usize, length: i32) {
    // ORDERING(rb.record-committed): Release. Pairs with the Acquire load in the consumer's `read`; publishes type and payload.
    ring.data.word_at::<i32>(index).store_release(length);
}
