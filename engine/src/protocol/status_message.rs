//! Status messages: a receiver reports its position and its window, or asks for a setup. The receiver writes them, the
//! sender parses them.
//!
//! ```text
//!  0        8            12          16                    20                        24                28            36
//! | header | session id | stream id | consumption term id | consumption term offset | receiver window | receiver id | group tag
//! ```

use super::header::{FrameHeader, i32_at, i64_at, put_i32, put_i64, room};
use super::{DATA_HEADER_LENGTH, FrameError, FrameType};
use crate::types::{Position, SessionId, StreamId, TermId, TermLength};

/// The group tag in a status message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupTag {
    /// The receiver has no group tag.
    None,
    /// The receiver has this group tag.
    Tag(i64),
    /// The frame is neither 36 nor 44 bytes long, so its group tag is invalid. Matches no group.
    Malformed,
}

impl GroupTag {
    /// Whether the receiver has the group tag `tag`.
    #[inline]
    pub const fn matches(self, tag: i64) -> bool {
        matches!(self, Self::Tag(found) if found == tag)
    }
}

/// A receiver's position and window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusMessage {
    /// The session id. 0 if a receiver registers at a publication's control address and asks for any stream.
    pub session_id: SessionId,
    /// The stream id. 0 as for the session id.
    pub stream_id: StreamId,
    /// The term id of the consumption position. Ignored, like the next two fields, if the message asks for a setup.
    pub consumption_term_id: TermId,
    /// The term offset of the consumption position, in bytes.
    pub consumption_term_offset: i32,
    /// The receiver window: the number of bytes that the receiver accepts from there on.
    pub receiver_window: i32,
    /// The id of the receiver's endpoint.
    pub receiver_id: i64,
    /// The receiver's group tag.
    pub group_tag: GroupTag,
    /// Whether the receiver asks for a setup and has no position.
    pub asks_for_setup: bool,
    /// Whether the receiver is leaving.
    pub end_of_stream: bool,
}

impl StatusMessage {
    /// The length of the frame without a group tag, in bytes.
    pub const LENGTH: usize = 36;
    /// The length of the frame with a group tag, in bytes.
    pub const LENGTH_WITH_TAG: usize = 44;

    const SEND_SETUP: u8 = 0x80;
    const EOS: u8 = 0x40;

    /// A status message that asks for a setup.
    pub const fn setup_request(
        session_id: SessionId,
        stream_id: StreamId,
        receiver_id: i64,
        group_tag: Option<i64>,
    ) -> Self {
        Self {
            session_id,
            stream_id,
            consumption_term_id: TermId::new(0),
            consumption_term_offset: 0,
            receiver_window: 0,
            receiver_id,
            group_tag: match group_tag {
                Some(tag) => GroupTag::Tag(tag),
                None => GroupTag::None,
            },
            asks_for_setup: true,
            end_of_stream: false,
        }
    }

    /// Parses a status message.
    ///
    /// # Errors
    ///
    /// [`FrameError`].
    pub fn parse(datagram: &[u8]) -> Result<Self, FrameError> {
        let header = FrameHeader::parse_as(datagram, FrameType::StatusMessage)?;
        // The frame length was checked against the datagram.
        let group_tag = match header.frame_length as usize {
            Self::LENGTH => GroupTag::None,
            Self::LENGTH_WITH_TAG => GroupTag::Tag(i64_at(datagram, 36)),
            _ => GroupTag::Malformed,
        };
        Ok(Self {
            session_id: SessionId::new(i32_at(datagram, 8)),
            stream_id: StreamId::new(i32_at(datagram, 12)),
            consumption_term_id: TermId::new(i32_at(datagram, 16)),
            consumption_term_offset: i32_at(datagram, 20),
            receiver_window: i32_at(datagram, 24),
            receiver_id: i64_at(datagram, 28),
            group_tag,
            asks_for_setup: header.flags & Self::SEND_SETUP != 0,
            end_of_stream: header.flags & Self::EOS != 0,
        })
    }

    /// Checks offset and window against the stream's term length. For an unknown stream, use the maximum term length.
    ///
    /// # Errors
    ///
    /// [`FrameError::OutOfRange`]: the datagram is invalid.
    pub fn check(&self, term_length: TermLength) -> Result<(), FrameError> {
        let (term, offset) = (term_length.get(), self.consumption_term_offset);
        if offset < 0 || offset >= term || offset % DATA_HEADER_LENGTH as i32 != 0 {
            return Err(FrameError::OutOfRange { field: "consumption term offset", found: offset.into() });
        }
        if self.receiver_window < 0 || self.receiver_window > term / 2 {
            return Err(FrameError::OutOfRange { field: "receiver window", found: self.receiver_window.into() });
        }
        Ok(())
    }

    /// The consumption position in a stream with initial term id `initial`. Any number, even a negative one, if the
    /// message does not belong to that stream.
    pub const fn position(&self, term_length: TermLength, initial: TermId) -> Position {
        term_length.stated_position(self.consumption_term_id, initial, self.consumption_term_offset)
    }

    /// Writes the frame. Returns its length.
    ///
    /// # Panics
    ///
    /// If the buffer is too short. [`StatusMessage::LENGTH_WITH_TAG`] is always enough.
    pub fn write(&self, buffer: &mut [u8]) -> usize {
        let length = match self.group_tag {
            GroupTag::Tag(_) => Self::LENGTH_WITH_TAG,
            GroupTag::None | GroupTag::Malformed => Self::LENGTH,
        };
        let buffer = room(buffer, length);
        let flags =
            if self.asks_for_setup { Self::SEND_SETUP } else { 0 } | if self.end_of_stream { Self::EOS } else { 0 };
        FrameHeader { frame_length: length as i32, flags, frame_type: FrameType::StatusMessage }.put(buffer);
        put_i32(buffer, 8, self.session_id.get());
        put_i32(buffer, 12, self.stream_id.get());
        put_i32(buffer, 16, self.consumption_term_id.get());
        put_i32(buffer, 20, self.consumption_term_offset);
        put_i32(buffer, 24, self.receiver_window);
        put_i64(buffer, 28, self.receiver_id);
        if let GroupTag::Tag(tag) = self.group_tag {
            put_i64(buffer, 36, tag);
        }
        length
    }
}
