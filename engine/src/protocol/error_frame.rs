//! Error frames: a receiver refuses a stream and gives a reason. The receiver writes them, the sender parses them.
//!
//! ```text
//!  0        8            12          16            24          32           36            40
//! | header | session id | stream id | receiver id | group tag | error code | text length | text, not padded
//! ```

use super::header::{FrameHeader, i32_at, i64_at, put_i32, put_i64, room};
use super::{FrameError, FrameType};
use crate::types::{SessionId, StreamId};

/// The longest reason, in bytes.
pub const MAX_ERROR_TEXT_LENGTH: usize = 1_023;

/// A stream that a receiver refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorFrame<'a> {
    /// Whose stream.
    pub session_id: SessionId,
    /// Which stream.
    pub stream_id: StreamId,
    /// The receiver's endpoint.
    pub receiver_id: i64,
    /// The group that the receiver belongs to.
    pub group_tag: Option<i64>,
    /// Why, as a number: 13 when an application rejected the image, and no other is sent.
    pub error_code: i32,
    /// Why, in words; ASCII, unless the sender of the frame knows no better.
    pub text: &'a [u8],
}

impl<'a> ErrorFrame<'a> {
    /// The length of the frame without its text, in bytes.
    pub const LENGTH: usize = 40;
    /// The length of the longest frame, in bytes.
    pub const MAX_LENGTH: usize = Self::LENGTH + MAX_ERROR_TEXT_LENGTH;

    const HAS_GROUP_TAG: u8 = 0x08;
    /// What is written where there is no tag.
    const NO_TAG: i64 = -1;

    /// Reads an error.
    ///
    /// # Errors
    ///
    /// [`FrameError`], also when the text is longer than it may be, or than the frame.
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

    /// Writes the frame and returns its length. Of a text that is too long, the beginning is written.
    ///
    /// # Panics
    ///
    /// When the buffer is shorter than that: [`ErrorFrame::MAX_LENGTH`] is always enough.
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
