//! Error frames: a receiver refuses a stream and gives a reason. The receiver writes them, the sender parses them.
//!
//! ```text
//!  0        8            12          16            24          32           36            40
//! | header | session id | stream id | receiver id | group tag | error code | text length | text, not padded
//! ```

use super::header::{FrameHeader, i32_at, i64_at, put_i32, put_i64, room};
use super::{FrameError, FrameType};
use crate::types::{SessionId, StreamId};

/// The maximum length of the reason in bytes.
pub const MAX_ERROR_TEXT_LENGTH: usize = 1_023;

/// An error that a receiver reports to the sender of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorFrame<'a> {
    /// The session id.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// The id of the receiver's endpoint.
    pub receiver_id: i64,
    /// The receiver's group tag.
    pub group_tag: Option<i64>,
    /// The error code: 13 if an application rejected the image. No other code is sent.
    pub error_code: i32,
    /// The reason. ASCII, unless a faulty peer sent something else.
    pub text: &'a [u8],
}

impl<'a> ErrorFrame<'a> {
    /// The length of the frame without the reason, in bytes.
    pub const LENGTH: usize = 40;
    /// The maximum length of the frame in bytes.
    pub const MAX_LENGTH: usize = Self::LENGTH + MAX_ERROR_TEXT_LENGTH;

    const HAS_GROUP_TAG: u8 = 0x08;
    /// The value that stands for no tag.
    const NO_TAG: i64 = -1;

    /// Parses an error frame.
    ///
    /// # Errors
    ///
    /// [`FrameError`], also if the reason exceeds its maximum length or the frame.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, FrameError> {
        let header = FrameHeader::parse_as(datagram, FrameType::Error)?;
        let text_length = i32_at(datagram, 36);
        let text = usize::try_from(text_length)
            .ok()
            .filter(|&length| length <= MAX_ERROR_TEXT_LENGTH && Self::LENGTH + length <= header.frame_length as usize)
            .and_then(|length| datagram.get(Self::LENGTH..Self::LENGTH + length))
            .ok_or(FrameError::OutOfRange { field: "text's length", found: text_length.into() })?;
        Ok(Self {
            session_id: SessionId::new(i32_at(datagram, 8)),
            stream_id: StreamId::new(i32_at(datagram, 12)),
            receiver_id: i64_at(datagram, 16),
            group_tag: (header.flags & Self::HAS_GROUP_TAG != 0).then(|| i64_at(datagram, 24)),
            error_code: i32_at(datagram, 32),
            text,
        })
    }

    /// Writes the frame. Returns its length. A reason that is too long is truncated.
    ///
    /// # Panics
    ///
    /// If the buffer is too short. [`ErrorFrame::MAX_LENGTH`] is always enough.
    pub fn write(&self, buffer: &mut [u8]) -> usize {
        let text = &self.text[..self.text.len().min(MAX_ERROR_TEXT_LENGTH)];
        let length = Self::LENGTH + text.len();
        let buffer = room(buffer, length);
        let flags = if self.group_tag.is_some() { Self::HAS_GROUP_TAG } else { 0 };
        FrameHeader { frame_length: length as i32, flags, frame_type: FrameType::Error }.put(buffer);
        put_i32(buffer, 8, self.session_id.get());
        put_i32(buffer, 12, self.stream_id.get());
        put_i64(buffer, 16, self.receiver_id);
        put_i64(buffer, 24, self.group_tag.unwrap_or(Self::NO_TAG));
        put_i32(buffer, 32, self.error_code);
        put_i32(buffer, 36, text.len() as i32);
        buffer[Self::LENGTH..].copy_from_slice(text);
        length
    }
}
