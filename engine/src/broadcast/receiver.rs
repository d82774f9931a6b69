//! The receiving side of the broadcast buffer. Each client's conductor takes events out, one private copy at a time. It
//! never hands out an event before it knows that the copy is whole, and never stores to the buffer.

use super::layout::{Broadcast, BroadcastBufferError};
use crate::memory::AtomicBuffer;
use crate::record::{HEADER_LENGTH, PADDING_TYPE, occupied, type_offset};
use crate::sync::{Ordering, fence};

/// A receiver of a broadcast buffer. It starts at the newest event in the buffer, so the first event that it receives
/// may not be meant for it.
#[derive(Debug)]
pub struct Receiver {
    buffer: Broadcast,
    /// The position of the next record.
    next: i64,
    scratch: Vec<u8>,
}

/// Why no event was received although some were transmitted. The receiver has moved on and can be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveError {
    /// The transmitter has overwritten events before they were received. The receiver continues with the newest event.
    #[error("events were lost: the receiver fell a whole broadcast buffer behind the driver")]
    Lapped,
    /// The buffer has invalid content. The receiver continues with the events that are transmitted from now on.
    #[error("events were lost: the broadcast buffer is damaged")]
    Damaged,
}

impl Receiver {
    /// A receiver over `buffer`: records, then a trailer of
    /// [`BROADCAST_TRAILER_LENGTH`](super::BROADCAST_TRAILER_LENGTH) bytes.
    ///
    /// # Errors
    ///
    /// [`BroadcastBufferError`] unless the space for records is a power of two from 64 bytes to 1 GiB.
    pub fn new(buffer: &AtomicBuffer) -> Result<Self, BroadcastBufferError> {
        let buffer = Broadcast::new(buffer)?;
        let scratch = vec![0; buffer.max_message_length()];
        // ORDERING(bc.latest): Acquire. Pairs with the Release store in `Transmitter::transmit`.
        let next = Broadcast::position(buffer.latest.load_acquire()).unwrap_or(0);
        Ok(Self { buffer, next, scratch })
    }

    /// Receives the next event, if there is one. Passes a private copy of it to `handler` and returns 1, or returns 0.
    ///
    /// # Errors
    ///
    /// [`ReceiveError`] if events were lost. `handler` was not called.
    pub fn receive(&mut self, handler: impl FnOnce(i32, &[u8])) -> Result<usize, ReceiveError> {
        // ORDERING(bc.tail): Acquire. Pairs with the Release store in `Transmitter::transmit`; every record below it is whole, or
        // being overwritten.
        let tail = self.buffer.tail.load_acquire();
        // The tail may be older than `latest`, the start of the latest event. That start is then beyond the tail by at
        // most the padding between them. No transmitter stores a tail that is further back.
        let padding_at_most = occupied(HEADER_LENGTH + self.buffer.max_message_length()) as i64;
        if (0..padding_at_most).contains(&self.next.saturating_sub(tail)) {
            return Ok(0);
        }
        // The bytes that were copied may have been overwritten meanwhile. `validate` decides.
        let copied = self.copy_record(self.next, tail);
        // ORDERING(bc.tail-intent): Acquire fence. Pairs with the Release fence in `Transmitter::transmit`; if any word
        // of the copy belongs to a later lap, the intent loaded below is past it.
        fence(Ordering::Acquire);
        let intent = self.buffer.tail_intent.load_relaxed();
        if self.next.saturating_add(self.buffer.capacity() as i64) <= intent {
            // ORDERING(bc.latest): Acquire. Pairs with the Release store in `Transmitter::transmit`.
            let latest = self.buffer.latest.load_acquire();
            self.next = Broadcast::position(latest).unwrap_or(self.next);
            return Err(ReceiveError::Lapped);
        }
        match copied {
            Some((type_id, length, next)) => {
                self.next = next;
                handler(type_id, &self.scratch[..length]);
                Ok(1)
            }
            None => {
                self.next = Broadcast::position(tail).unwrap_or(self.next);
                Err(ReceiveError::Damaged)
            }
        }
    }

    /// Copies the payload of the record at `position`, or of the one at the front of the buffer if that is padding.
    /// Returns its type, its length and the position of the next record. `None` if it is not a valid record.
    fn copy_record(&mut self, position: i64, tail: i64) -> Option<(i32, usize, i64)> {
        let mut start = position;
        let (mut type_id, mut length) = self.header(start, tail)?;
        if type_id == PADDING_TYPE {
            // The transmitter advanced the tail past both at once, so the record after the padding is there, too.
            start += occupied(length) as i64;
            if self.buffer.index(start) != 0 {
                return None;
            }
            (type_id, length) = self.header(start, tail)?;
        }
        let payload = self.scratch.get_mut(..length - HEADER_LENGTH)?;
        self.buffer.data.load_words_relaxed(self.buffer.index(start) + HEADER_LENGTH, payload);
        (type_id > 0).then_some((type_id, payload.len(), start + occupied(length) as i64))
    }

    /// The type and the length of the record at `position`, if the record ends at or before the tail and within the
    /// buffer.
    fn header(&self, position: i64, tail: i64) -> Option<(i32, usize)> {
        let index = self.buffer.index(position);
        let available = tail.checked_sub(position).and_then(|bytes| usize::try_from(bytes).ok())?;
        let to_end = self.buffer.capacity() - index;
        if available < HEADER_LENGTH {
            return None;
        }
        let length = usize::try_from(self.buffer.data.word_at::<i32>(index).load_relaxed()).ok()?;
        let type_id = self.buffer.data.word_at::<i32>(type_offset(index)).load_relaxed();
        (length >= HEADER_LENGTH && occupied(length) <= to_end.min(available)).then_some((type_id, length))
    }
}
