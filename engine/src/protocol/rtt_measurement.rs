//! Round-trip measurements: one side asks, and the other returns its timestamp. Sender and receiver write and parse
//! them.
//!
//! ```text
//!  0        8            12          16               24                32            40
//! | header | session id | stream id | echo timestamp | reception delta | receiver id |
//! ```

use super::header::{FrameHeader, i32_at, i64_at, put_i32, put_i64, room};
use super::{FrameError, FrameType};
use crate::types::{SessionId, StreamId};

/// A question or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RttMeasurement {
    /// Whose stream.
    pub session_id: SessionId,
    /// Which stream.
    pub stream_id: StreamId,
    /// The asking side's clock when it asked, in nanoseconds; of no meaning to the other.
    pub echo_timestamp_ns: i64,
    /// How long the answering side held the question, in nanoseconds. Always written as 0.
    pub reception_delta_ns: i64,
    /// The receiver that asks or is asked; 0 for any.
    pub receiver_id: i64,
    /// Whether it wants an answer. The protocol calls the flag REPLY, and it marks the question.
    pub wants_answer: bool,
}

impl RttMeasurement {
    /// The length of the frame in bytes.
    pub const LENGTH: usize = 40;

    const REPLY: u8 = 0x80;

    /// Reads a measurement.
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

    /// The answer to this question, from the receiver `receiver_id`; a sender repeats the one that it was asked by.
    #[must_use]
    pub const fn answer(&self, receiver_id: i64) -> Self {
        Self { reception_delta_ns: 0, receiver_id, wants_answer: false, ..*self }
    }

    /// Writes the frame and returns its length.
    ///
    /// # Panics
    ///
    /// When the buffer is shorter than [`RttMeasurement::LENGTH`].
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
