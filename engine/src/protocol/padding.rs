//! Padding on the wire: a header with the length of a part of the term that contains no message. The sender sends such
//! headers as they are in its log. Gap filling and tests write them.

use super::{DataFlags, DataHeader};
use crate::types::{SessionId, StreamId, TermId};

/// A padding frame. Only its header is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding {
    /// The length that it covers in the term, header included, in bytes. At least a header.
    pub length: i32,
    /// The offset of the frame in its term, in bytes.
    pub term_offset: i32,
    /// The session id.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// The term id.
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

    /// Writes the frame. Returns its length, 32 bytes.
    ///
    /// # Panics
    ///
    /// If the buffer is shorter.
    pub fn write(&self, buffer: &mut [u8]) -> usize {
        self.header().write(buffer)
    }
}
