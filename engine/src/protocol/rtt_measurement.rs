//! Round-trip measurements: one side sends a request, and the other returns its timestamp. Sender and receiver write
//! and parse them.
//!
//! ```text
//!  0        8            12          16               24                32            40
//! | header | session id | stream id | echo timestamp | reception delta | receiver id |
//! ```

use super::header::{FrameHeader, i32_at, i64_at, put_i32, put_i64, room};
use super::{FrameError, FrameType};
use crate::types::{SessionId, StreamId};

/// A request or a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RttMeasurement {
    /// The session id.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// The time of the request by the requester's clock, in nanoseconds. Without a meaning for the other side.
    pub echo_timestamp_ns: i64,
    /// How long the responder held the request, in nanoseconds. Always written as 0.
    pub reception_delta_ns: i64,
    /// The id of the receiver that sends or gets the request. 0 for any.
    pub receiver_id: i64,
    /// Whether this is a request. The protocol calls the flag REPLY.
    pub wants_answer: bool,
}

impl RttMeasurement {
    /// The length of the frame in bytes.
    pub const LENGTH: usize = 40;

    const REPLY: u8 = 0x80;

    /// Parses a measurement.
    ///
    /// # Errors
    ///
    /// [`FrameError`].
    pub fn parse(datagram: &[u8]) -> Result<Self, FrameError> {
        let header = FrameHeader::parse_as(datagram, FrameType::RttMeasurement)?;
        Ok(Self {
            session_id: SessionId::new(i32_at(datagram, 8)),
            stream_id: StreamId::new(i32_at(datagram, 12)),
            echo_timestamp_ns: i64_at(datagram, 16),
            reception_delta_ns: i64_at(datagram, 24),
            receiver_id: i64_at(datagram, 32),
            wants_answer: header.flags & Self::REPLY != 0,
        })
    }

    /// The response to this request, from the receiver `receiver_id`. A sender repeats the id in the request.
    #[must_use]
    pub const fn answer(&self, receiver_id: i64) -> Self {
        Self { reception_delta_ns: 0, receiver_id, wants_answer: false, ..*self }
    }

    /// Writes the frame. Returns its length.
    ///
    /// # Panics
    ///
    /// If the buffer is shorter than [`RttMeasurement::LENGTH`].
    pub fn write(&self, buffer: &mut [u8]) -> usize {
        let buffer = room(buffer, Self::LENGTH);
        let flags = if self.wants_answer { Self::REPLY } else { 0 };
        FrameHeader { frame_length: Self::LENGTH as i32, flags, frame_type: FrameType::RttMeasurement }.put(buffer);
        put_i32(buffer, 8, self.session_id.get());
        put_i32(buffer, 12, self.stream_id.get());
        put_i64(buffer, 16, self.echo_timestamp_ns);
        put_i64(buffer, 24, self.reception_delta_ns);
        put_i64(buffer, 32, self.receiver_id);
        Self::LENGTH
    }
}
