//! Padding on the wire: a header that says how much of the term has no message. The sender sends such headers as they
//! are in its log; gap filling and tests write them.

use super::{DataFlags, DataHeader};
use crate::types::{SessionId, StreamId, TermId};

/// A padding frame. What it covers is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding {
    /// How much of the term it covers, its header included, in bytes; at least a header.
    pub length: i32,
    /// Where it is in its term, in bytes.
    pub term_offset: i32,
    /// Whose it is.
    pub session_id: SessionId,
    /// What it belongs to.
    pub stream_id: StreamId,
    /// Its term.
    pub term_id: TermId,
}

impl Padding {
    /// The frame's header.
    pub const fn header(&self) -> DataHeader {
        DataHeader {
            frame_length: self.length,
            flags: DataFlags::UNFRAGMENTED,
            is_padding: true,
            term_offset: self.term_offset,
            session_id: self.session_id,
            stream_id: self.stream_id,
            term_id: self.term_id,
            reserved_value: 0,
        }
    }

    /// Writes the frame, 32 bytes, and returns that number.
    ///
    /// # Panics
    ///
    /// When the buffer is shorter.
    pub fn write(&self, buffer: &mut [u8]) -> usize {
        self.header().write(buffer)
    }
}
