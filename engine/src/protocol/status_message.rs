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

/// The group that a receiver says it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupTag {
    /// It says nothing.
    None,
    /// This one.
    Tag(i64),
    /// What follows the message is no group tag: the frame is neither 36 nor 44 bytes long. It matches no group.
    Malformed,
}

impl GroupTag {
    /// Whether the receiver belongs to the group `tag`.
    #[inline]
    pub const fn matches(self, tag: i64) -> bool {
        matches!(self, Self::Tag(found) if found == tag)
    }
}

/// How far a receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusMessage {
    /// Whose stream. 0 when a receiver registers with a publication's control address and asks for whatever there is.
    pub session_id: SessionId,
    /// Which stream; as for the session.
    pub stream_id: StreamId,
    /// The term that the receiver's consumers have come to. To be ignored, as the next two, when a setup is asked for.
    pub consumption_term_id: TermId,
    /// Where in that term they are, in bytes.
    pub consumption_term_offset: i32,
    /// How many bytes the receiver takes from there on.
    pub receiver_window: i32,
    /// The receiver's endpoint.
    pub receiver_id: i64,
    /// The group that the receiver belongs to.
    pub group_tag: GroupTag,
    /// Whether the receiver wants a setup, and has no position to tell.
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

    /// A message that asks for a setup.
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

    /// Reads a status message.
    ///
    /// # Errors
    ///
    /// [`FrameError`].
    pub fn parse(datagram: &[u8]) -> Result<Self, FrameError> {
        let header = FrameHeader::parse_as(datagram, FrameType::StatusMessage)?;
        // Stated lengths are within the datagram: so much was checked.
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

    /// Checks offset and window against the terms of its stream; those of a stream that nobody knows count as the longest there are.
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

    /// The position that consumers have come to, in a stream that began with `initial`. Any number, negative ones included, when the
    /// message is not of that stream.
    pub const fn position(&self, term_length: TermLength, initial: TermId) -> Position {
        term_length.position(self.consumption_term_id.wrapping_count_since(initial), self.consumption_term_offset)
    }

    /// Writes the frame and returns its length.
    ///
    /// # Panics
    ///
    /// When the buffer is shorter than that: [`StatusMessage::LENGTH_WITH_TAG`] is always enough.
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
