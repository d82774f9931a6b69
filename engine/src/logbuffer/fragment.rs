//! A fragment: the payload and the header of one frame, as the application sees it.

use crate::types::{Position, SessionId, StreamId, TermId};

use super::frame::{FRAME_HEADER_LENGTH, flags};

/// A message, or a fragment of one. It is only valid during the call of the handler, because its memory is reused.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    header: &'a [u8; FRAME_HEADER_LENGTH],
    payload: &'a [u8],
    position: Position,
}

impl<'a> Fragment<'a> {
    #[inline]
    pub(crate) fn new(header: &'a [u8; FRAME_HEADER_LENGTH], payload: &'a [u8], position: Position) -> Self {
        Self { header, payload, position }
    }

    /// The bytes of the message, or of this fragment of it.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The position after the fragment, where the next frame starts.
    #[inline]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The header in the log. For a reassembled message, the header of its first fragment with the length and the flags
    /// of the whole message.
    #[inline]
    pub fn header(&self) -> &'a [u8; FRAME_HEADER_LENGTH] {
        self.header
    }

    /// The frame's length in bytes, header included.
    #[inline]
    pub fn frame_length(&self) -> usize {
        FRAME_HEADER_LENGTH + self.payload.len()
    }

    /// The frame's flags. See [`flags`].
    #[inline]
    pub fn flags(&self) -> u8 {
        self.header[5]
    }

    /// The frame's type. See [`frame_type`](super::frame_type). Never padding.
    #[inline]
    pub fn frame_type(&self) -> u16 {
        u16::from_le_bytes(self.bytes(6))
    }

    /// Whether this is a complete message.
    #[inline]
    pub fn is_unfragmented(&self) -> bool {
        self.flags() & flags::UNFRAGMENTED == flags::UNFRAGMENTED
    }

    /// The offset of the frame in its term, in bytes.
    #[inline]
    pub fn term_offset(&self) -> i32 {
        i32::from_le_bytes(self.bytes(8))
    }

    /// The publisher's session id.
    #[inline]
    pub fn session_id(&self) -> SessionId {
        SessionId::new(i32::from_le_bytes(self.bytes(12)))
    }

    /// The stream id.
    #[inline]
    pub fn stream_id(&self) -> StreamId {
        StreamId::new(i32::from_le_bytes(self.bytes(16)))
    }

    /// The id of the frame's term.
    #[inline]
    pub fn term_id(&self) -> TermId {
        TermId::new(i32::from_le_bytes(self.bytes(20)))
    }

    /// The reserved value: eight bytes of the header for the application's use. 0 unless the publisher set it.
    #[inline]
    pub fn reserved_value(&self) -> i64 {
        i64::from_le_bytes(self.bytes(24))
    }

    #[inline(always)]
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        self.header[at..at + N].try_into().expect("a field of the header")
    }
}
