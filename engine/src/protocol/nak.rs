//! NAKs: a receiver reports that it misses part of a term. The receiver writes them, the sender parses them.
//!
//! ```text
//!  0        8            12          16        20            24       28
//! | header | session id | stream id | term id | term offset | length |
//! ```

use super::header::{FrameHeader, i32_at, put_i32, room};
use super::{DATA_HEADER_LENGTH, FrameError, FrameType};
use crate::types::{SessionId, StreamId, TermId, TermLength};

/// A gap that a receiver reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nak {
    /// The session id.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// The term id of the gap.
    pub term_id: TermId,
    /// The offset of the gap in its term, in bytes.
    pub term_offset: i32,
    /// The length of the gap in bytes. The gap ends within its term or at its end.
    pub length: i32,
}

impl Nak {
    /// The length of the frame in bytes.
    pub const LENGTH: usize = 28;

    /// Parses a NAK.
    ///
    /// # Errors
    ///
    /// [`FrameError`].
    pub fn parse(datagram: &[u8]) -> Result<Self, FrameError> {
        FrameHeader::parse_as(datagram, FrameType::Nak)?;
        Ok(Self {
            session_id: SessionId::new(i32_at(datagram, 8)),
            stream_id: StreamId::new(i32_at(datagram, 12)),
            term_id: TermId::new(i32_at(datagram, 16)),
            term_offset: i32_at(datagram, 20),
            length: i32_at(datagram, 24),
        })
    }

    /// Checks the gap against the stream's term length. A gap of no bytes is valid and requests nothing.
    ///
    /// # Errors
    ///
    /// [`FrameError::OutOfRange`]: the datagram is invalid.
    pub fn check(&self, term_length: TermLength) -> Result<(), FrameError> {
        let term = term_length.get();
        if self.term_offset < 0 || self.term_offset >= term || self.term_offset % DATA_HEADER_LENGTH as i32 != 0 {
            return Err(FrameError::OutOfRange { field: "term offset", found: self.term_offset.into() });
        }
        if self.length < 0 || self.length > term - self.term_offset {
            return Err(FrameError::OutOfRange { field: "gap's length", found: self.length.into() });
        }
        Ok(())
    }

    /// Writes the frame. Returns its length.
    ///
    /// # Panics
    ///
    /// If the buffer is shorter than [`Nak::LENGTH`].
    pub fn write(&self, buffer: &mut [u8]) -> usize {
        let buffer = room(buffer, Self::LENGTH);
        FrameHeader { frame_length: Self::LENGTH as i32, flags: 0, frame_type: FrameType::Nak }.put(buffer);
        put_i32(buffer, 8, self.session_id.get());
        put_i32(buffer, 12, self.stream_id.get());
        put_i32(buffer, 16, self.term_id.get());
        put_i32(buffer, 20, self.term_offset);
        put_i32(buffer, 24, self.length);
        Self::LENGTH
    }
}
