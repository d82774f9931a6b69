//! Response setups: a server's driver tells a client's driver which session carries the response. The receiver writes
//! them, the sender parses them.
//!
//! ```text
//!  0        8            12          16                    20
//! | header | session id | stream id | response session id |
//! ```

use super::header::{FrameHeader, i32_at, put_i32, room};
use super::{FrameError, FrameType};
use crate::types::{SessionId, StreamId};

/// The session that responds to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseSetup {
    /// The session id of the request stream.
    pub session_id: SessionId,
    /// The stream id of the request stream.
    pub stream_id: StreamId,
    /// The session id of the responding publication.
    pub response_session_id: SessionId,
}

impl ResponseSetup {
    /// The length of the frame in bytes.
    pub const LENGTH: usize = 20;

    /// Parses a response setup.
    ///
    /// # Errors
    ///
    /// [`FrameError`].
    pub fn parse(datagram: &[u8]) -> Result<Self, FrameError> {
        FrameHeader::parse_as(datagram, FrameType::ResponseSetup)?;
        Ok(Self {
            session_id: SessionId::new(i32_at(datagram, 8)),
            stream_id: StreamId::new(i32_at(datagram, 12)),
            response_session_id: SessionId::new(i32_at(datagram, 16)),
        })
    }

    /// Writes the frame. Returns its length.
    ///
    /// # Panics
    ///
    /// If the buffer is shorter than [`ResponseSetup::LENGTH`].
    pub fn write(&self, buffer: &mut [u8]) -> usize {
        let buffer = room(buffer, Self::LENGTH);
        FrameHeader { frame_length: Self::LENGTH as i32, flags: 0, frame_type: FrameType::ResponseSetup }.put(buffer);
        put_i32(buffer, 8, self.session_id.get());
        put_i32(buffer, 12, self.stream_id.get());
        put_i32(buffer, 16, self.response_session_id.get());
        Self::LENGTH
    }
}
