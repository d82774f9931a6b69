//! The layout of the broadcast buffer, for its transmitter and its receivers only.

use crate::memory::{AtomicBuffer, Field, OwnedWord};
use crate::record::{self, GREATEST_CAPACITY, LEAST_CAPACITY, is_record_start};

/// The length of the trailer after the records: three words, padded to two cache lines.
pub const BROADCAST_TRAILER_LENGTH: usize = 128;

const TAIL_INTENT: Field<i64> = Field::at(0);
const TAIL: Field<i64> = Field::at(8);
const LATEST: Field<i64> = Field::at(16);
const _: () = assert!(TAIL_INTENT.end() == TAIL.start() && TAIL.end() == LATEST.start(), "packed, as in the reference");

/// The length of the buffer is not valid for a broadcast buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a broadcast buffer of {length} bytes is impossible: less its trailer of {BROADCAST_TRAILER_LENGTH} bytes it must be a \
     power of two from {LEAST_CAPACITY} to {GREATEST_CAPACITY}"
)]
pub struct BroadcastBufferError {
    /// The buffer's length in bytes, trailer included.
    pub length: usize,
}

/// The buffer's words and bytes.
#[derive(Clone, Debug)]
pub(super) struct Broadcast {
    pub(super) data: AtomicBuffer,
    pub(super) tail_intent: OwnedWord<i64>,
    pub(super) tail: OwnedWord<i64>,
    pub(super) latest: OwnedWord<i64>,
}

impl Broadcast {
    pub(super) fn new(buffer: &AtomicBuffer) -> Result<Self, BroadcastBufferError> {
        let length = buffer.len();
        let capacity = record::capacity(length, BROADCAST_TRAILER_LENGTH).ok_or(BroadcastBufferError { length })?;
        Ok(Self {
            data: buffer.slice(0, capacity),
            tail_intent: buffer.own(TAIL_INTENT.from(capacity)),
            tail: buffer.own(TAIL.from(capacity)),
            latest: buffer.own(LATEST.from(capacity)),
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

    /// The index of a position in the buffer. Below the capacity for every position.
    #[inline]
    pub(super) fn index(&self, position: i64) -> usize {
        record::index(position, self.capacity())
    }

    /// The number as a position, if a record can start or end there. Limited to far below `i64::MAX`, so that adding a
    /// few capacities to a position never overflows.
    pub(super) fn position(found: i64) -> Option<i64> {
        (found < i64::MAX / 2 && is_record_start(found)).then_some(found)
    }
}
