//! A fragment: the payload and the header of one frame, as a reader hands it to the application.

use crate::types::{Position, SessionId, StreamId, TermId};

use super::frame::{FRAME_HEADER_LENGTH, flags};

/// A message, or a fragment of one, lent for the length of a call: once the handler has returned, its memory is reused.
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

    /// The message's bytes, or this fragment's.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The position after the fragment: where the next frame starts.
    #[inline]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The header as it stands in the log; for a reassembled message, that of its first fragment with the length and the flags of
    /// the whole.
    #[inline]
    pub fn header(&self) -> &'a [u8; FRAME_HEADER_LENGTH] {
        self.header
    }

    /// The frame's length in bytes, header included.
    #[inline]
    pub fn frame_length(&self) -> usize {
        FRAME_HEADER_LENGTH + self.payload.len()
    }

    /// The frame's flags; see [`flags`].
    #[inline]
    pub fn flags(&self) -> u8 {
        self.header[5]
    }

    /// The frame's type; see [`frame_type`](super::frame_type). Never padding.
    #[inline]
    pub fn frame_type(&self) -> u16 {
        u16::from_le_bytes(self.bytes(6))
    }

    /// Whether this is a whole message.
    #[inline]
    pub fn is_unfragmented(&self) -> bool {
        self.flags() & flags::UNFRAGMENTED == flags::UNFRAGMENTED
    }

    /// Where the frame starts in its term, in bytes.
    #[inline]
    pub fn term_offset(&self) -> i32 {
        i32::from_le_bytes(self.bytes(8))
    }

    /// The publisher's session.
    #[inline]
    pub fn session_id(&self) -> SessionId {
        SessionId::new(i32::from_le_bytes(self.bytes(12)))
    }

    /// The stream.
    #[inline]
    pub fn stream_id(&self) -> StreamId {
        StreamId::new(i32::from_le_bytes(self.bytes(16)))
    }

    /// The term that the frame is in.
    #[inline]
    pub fn term_id(&self) -> TermId {
        TermId::new(i32::from_le_bytes(self.bytes(20)))
    }

    /// The reserved value: eight bytes of the header that belong to the application, 0 unless the publisher set them.
    #[inline]
    pub fn reserved_value(&self) -> i64 {
        i64::from_le_bytes(self.bytes(24))
    }

    #[inline(always)]
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        self.header[at..at + N].try_into().expect("a field of the header")
    }
}
