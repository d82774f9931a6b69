//! Heartbeats: a data header of length 0 at the sender's position. The sender writes one when it has sent nothing for a
//! while. A receiver learns from it how far the stream goes, and that it has ended.

use super::{DataFlags, DataHeader};
use crate::types::{SessionId, StreamId, TermId};

/// A heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The offset of the sender's position in its term, in bytes.
    pub term_offset: i32,
    /// The session id.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// The term id of the sender's position.
    pub term_id: TermId,
    /// Whether the stream has ended at this position, and the publication signals that.
    pub end_of_stream: bool,
    /// Whether the publication was revoked. The stream has then also ended.
    pub revoked: bool,
}

impl Heartbeat {
    /// The heartbeat's header.
    pub const fn header(&self) -> DataHeader {
        let mut flags = DataFlags::UNFRAGMENTED;
        if self.end_of_stream || self.revoked {
            flags = flags.with(DataFlags::END_OF_STREAM);
        }
        if self.revoked {
            flags = flags.with(DataFlags::REVOKED);
        }
        DataHeader {
            frame_length: 0,
            flags,
            is_padding: false,
            term_offset: self.term_offset,
            session_id: self.session_id,
            stream_id: self.stream_id,
            term_id: self.term_id,
            reserved_value: 0,
        }
    }

    /// Writes the heartbeat. Returns its length, 32 bytes.
    ///
    /// # Panics
    ///
    /// If the buffer is shorter.
    pub fn write(&self, buffer: &mut [u8]) -> usize {
        self.header().write(buffer)
    }
}
