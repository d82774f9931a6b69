//! The layout of the ring, for its producers and its consumer only. Nothing here stores.

use crate::memory::{AtomicBuffer, Field, OwnedWord};
use crate::record::{self, GREATEST_CAPACITY, LEAST_CAPACITY, is_record_start};

/// The length of the trailer after the records: five words, each on its own pair of cache lines.
pub const RING_TRAILER_LENGTH: usize = 768;

const TAIL: Field<i64> = Field::at(128);
const HEAD_CACHE: Field<i64> = Field::at(256);
const HEAD: Field<i64> = Field::at(384);
const CORRELATION: Field<i64> = Field::at(512);
const HEARTBEAT: Field<i64> = Field::at(640);
const _: () = assert!(HEARTBEAT.start() + 128 == RING_TRAILER_LENGTH, "the last slot ends the trailer");

/// The length of the buffer is not valid for a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a ring of {length} bytes is impossible: less its trailer of {RING_TRAILER_LENGTH} bytes it must be a power of two \
     from {LEAST_CAPACITY} to {GREATEST_CAPACITY}"
)]
pub struct RingBufferError {
    /// The buffer's length in bytes, trailer included.
    pub length: usize,
}

/// The ring's words and bytes.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    pub(super) data: AtomicBuffer,
    pub(super) tail: OwnedWord<i64>,
    pub(super) head_cache: OwnedWord<i64>,
    pub(super) head: OwnedWord<i64>,
    pub(super) correlation: OwnedWord<i64>,
    pub(super) heartbeat: OwnedWord<i64>,
}

impl Ring {
    pub(super) fn new(buffer: &AtomicBuffer) -> Result<Self, RingBufferError> {
        let length = buffer.len();
        let capacity = record::capacity(length, RING_TRAILER_LENGTH).ok_or(RingBufferError { length })?;
        Ok(Self {
            data: buffer.slice(0, capacity),
            tail: buffer.own(TAIL.from(capacity)),
            head_cache: buffer.own(HEAD_CACHE.from(capacity)),
            head: buffer.own(HEAD.from(capacity)),
            correlation: buffer.own(CORRELATION.from(capacity)),
            heartbeat: buffer.own(HEARTBEAT.from(capacity)),
        })
    }

    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.data.len()
    }

    #[inline]
    pub(super) fn max_message_length(&self) -> usize {
        record::max_message_length(self.capacity())
    }

    /// The index of a position in the ring. Below the capacity for every position.
    #[inline]
    pub(super) fn index(&self, position: i64) -> usize {
        record::index(position, self.capacity())
    }

    /// The number of bytes between two positions, if it is at most the capacity and records can start at both.
    pub(super) fn claimed(&self, head: i64, tail: i64) -> Option<usize> {
        let claimed = usize::try_from(tail.wrapping_sub(head)).ok()?;
        (claimed <= self.capacity() && is_record_start(head) && is_record_start(tail)).then_some(claimed)
    }
}
