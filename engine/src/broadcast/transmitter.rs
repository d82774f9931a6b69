//! The sending side of the broadcast buffer, for the driver's conductor. It never waits for a receiver, and never reads
//! back what it wrote, because receivers map the buffer writable.

use super::layout::{Broadcast, BroadcastBufferError};
use crate::memory::AtomicBuffer;
use crate::record::{HEADER_LENGTH, PADDING_TYPE, occupied, type_offset};
use crate::sync::{Ordering, fence};

/// The only transmitter of a broadcast buffer.
///
/// ```
/// use gannet::broadcast::{BROADCAST_TRAILER_LENGTH, Receiver, Transmitter};
/// use gannet::memory::{AtomicBuffer, RawAccess};
///
/// // SAFETY: there is one transmitter, and nobody else knows the buffer.
/// let raw = unsafe { RawAccess::promised() };
/// let buffer = AtomicBuffer::zeroed(1024 + BROADCAST_TRAILER_LENGTH, raw);
/// let mut transmitter = Transmitter::new(&buffer)?;
/// let mut receiver = Receiver::new(&buffer)?;
///
/// transmitter.transmit(7, b"event")?;
/// assert_eq!(receiver.receive(|type_id, event| assert_eq!((type_id, event), (7, &b"event"[..]))), Ok(1));
/// assert_eq!(receiver.receive(|_, _| ()), Ok(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Transmitter {
    buffer: Broadcast,
    /// The position of the next record. The words in shared memory are copies of it, and are never read back.
    tail: i64,
}

/// Why an event was not transmitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransmitError {
    /// The event can never be transmitted.
    #[error("an event of {length} bytes is longer than the {max} bytes that this broadcast buffer carries")]
    TooLong {
        /// The event's length in bytes.
        length: usize,
        /// The maximum length in bytes.
        max: usize,
    },
    /// Event types below 1 are reserved.
    #[error("event type {found} is reserved: types are at least 1")]
    InvalidType {
        /// The event type given.
        found: i32,
    },
}

impl Transmitter {
    /// Creates the transmitter of `buffer`: records, then a trailer of
    /// [`BROADCAST_TRAILER_LENGTH`](super::BROADCAST_TRAILER_LENGTH) bytes. There must be no other transmitter.
    ///
    /// # Errors
    ///
    /// [`BroadcastBufferError`] unless the space for records is a power of two from 64 bytes to 1 GiB.
    pub fn new(buffer: &AtomicBuffer) -> Result<Self, BroadcastBufferError> {
        let buffer = Broadcast::new(buffer)?;
        let tail = Broadcast::position(buffer.tail.load_relaxed()).unwrap_or(0);
        Ok(Self { buffer, tail })
    }

    /// The space for records, in bytes.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// The maximum length of an event in bytes: an eighth of the capacity. The sender of an event must clip longer
    /// texts.
    pub fn max_message_length(&self) -> usize {
        self.buffer.max_message_length()
    }

    /// Transmits one event. Receivers that are a lap behind lose events.
    ///
    /// # Errors
    ///
    /// [`TransmitError`]. Nothing was transmitted.
    pub fn transmit(&mut self, type_id: i32, event: &[u8]) -> Result<(), TransmitError> {
        if type_id < 1 {
            return Err(TransmitError::InvalidType { found: type_id });
        }
        let max = self.max_message_length();
        if event.len() > max {
            return Err(TransmitError::TooLong { length: event.len(), max });
        }
        let record_length = HEADER_LENGTH + event.len();
        let required = occupied(record_length);
        let index = self.buffer.index(self.tail);
        let to_end = self.capacity() - index;
        let padding = if required <= to_end { 0 } else { to_end };
        let start = self.tail + padding as i64;
        let end = start + required as i64;

        self.buffer.tail_intent.store_relaxed(end);
        // ORDERING(bc.tail-intent): Release fence. Pairs with the Acquire fence in `Receiver::receive`; a receiver that copies any
        // word stored below also sees the intent stored above, and drops its copy.
        fence(Ordering::Release);

        if padding > 0 {
            self.put_header(index, padding, PADDING_TYPE);
        }
        let index = self.buffer.index(start);
        self.put_header(index, record_length, type_id);
        self.buffer.data.store_words_relaxed(index + HEADER_LENGTH, event);

        // ORDERING(bc.latest): Release. Pairs with the Acquire loads in the receiver; publishes the record that starts
        // there. Aeron's receivers read it without another look at the tail after they were lapped.
        self.buffer.latest.store_release(start);
        // ORDERING(bc.tail): Release. Pairs with the Acquire load in `Receiver::receive`; publishes everything below.
        self.buffer.tail.store_release(end);
        self.tail = end;
        Ok(())
    }

    fn put_header(&self, index: usize, length: usize, type_id: i32) {
        let data = &self.buffer.data;
        data.word_at::<i32>(index).store_relaxed(length as i32);
        data.word_at::<i32>(type_offset(index)).store_relaxed(type_id);
    }
}
