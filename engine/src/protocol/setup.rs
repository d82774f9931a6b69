//! Setups: a sender describes its publication, so that receivers can create an image of it. The sender writes them, the
//! receiver parses them.
//!
//! ```text
//!  0        8             12           16          20                24               28            32    36    40
//! | header | term offset | session id | stream id | initial term id | active term id | term length | MTU | TTL |
//! ```

use super::header::{FrameHeader, i32_at, put_i32, room};
use super::{DATA_HEADER_LENGTH, FrameError, FrameType, MAX_DATAGRAM_LENGTH};
use crate::types::{Position, SessionId, StreamId, TermId, TermLength};

/// The description of a publication for its receivers. Offset, term length and MTU are within their ranges after
/// parsing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The term offset of the sender's position, in bytes: a multiple of 32, less than the term length.
    pub term_offset: i32,
    /// The session id.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// The initial term id.
    pub initial_term_id: TermId,
    /// The term id of the sender's position.
    pub active_term_id: TermId,
    /// The length of each term.
    pub term_length: TermLength,
    /// The MTU in bytes: a multiple of 32 from 32 to 65 504. 32 is less than [`Mtu::MIN`](crate::types::Mtu::MIN).
    pub mtu: i32,
    /// The time to live of the publication's multicast datagrams. 0 for the operating system's default. Not checked.
    pub ttl: i32,
    /// Whether the publication expects a response on a response channel.
    pub asks_for_response: bool,
    /// Whether the publication has several receivers, by multicast or by several destinations.
    pub group: bool,
}

impl Setup {
    /// The length of the frame in bytes.
    pub const LENGTH: usize = 40;

    const SEND_RESPONSE: u8 = 0x80;
    const GROUP: u8 = 0x40;

    /// Parses a setup.
    ///
    /// # Errors
    ///
    /// [`FrameError`], also if a field is out of range.
    pub fn parse(datagram: &[u8]) -> Result<Self, FrameError> {
        let header = FrameHeader::parse_as(datagram, FrameType::Setup)?;
        let found = i64::from(i32_at(datagram, 28));
        let term_length = TermLength::new(found).map_err(|_| FrameError::OutOfRange { field: "term length", found })?;
        let term_offset = i32_at(datagram, 8);
        let is_aligned = |value: i32| value % DATA_HEADER_LENGTH as i32 == 0;
        if !(0..term_length.get()).contains(&term_offset) || !is_aligned(term_offset) {
            return Err(FrameError::OutOfRange { field: "term offset", found: term_offset.into() });
        }
        let mtu = i32_at(datagram, 32);
        if !(DATA_HEADER_LENGTH as i32..=MAX_DATAGRAM_LENGTH as i32).contains(&mtu) || !is_aligned(mtu) {
            return Err(FrameError::OutOfRange { field: "MTU", found: mtu.into() });
        }
        Ok(Self {
            term_offset,
            session_id: SessionId::new(i32_at(datagram, 12)),
            stream_id: StreamId::new(i32_at(datagram, 16)),
            initial_term_id: TermId::new(i32_at(datagram, 20)),
            active_term_id: TermId::new(i32_at(datagram, 24)),
            term_length,
            mtu,
            ttl: i32_at(datagram, 36),
            asks_for_response: header.flags & Self::SEND_RESPONSE != 0,
            group: header.flags & Self::GROUP != 0,
        })
    }

    /// The sender's position, at which a receiver joins. `None` if the active term is before the initial one.
    pub const fn position(&self) -> Option<Position> {
        let term_count = self.active_term_id.wrapping_count_since(self.initial_term_id);
        if term_count < 0 { None } else { Some(self.term_length.position(term_count, self.term_offset)) }
    }

    /// Writes the frame. Returns its length.
    ///
    /// # Panics
    ///
    /// If the buffer is shorter than [`Setup::LENGTH`].
    pub fn write(&self, buffer: &mut [u8]) -> usize {
        let buffer = room(buffer, Self::LENGTH);
        let flags =
            if self.asks_for_response { Self::SEND_RESPONSE } else { 0 } | if self.group { Self::GROUP } else { 0 };
        FrameHeader { frame_length: Self::LENGTH as i32, flags, frame_type: FrameType::Setup }.put(buffer);
        put_i32(buffer, 8, self.term_offset);
        put_i32(buffer, 12, self.session_id.get());
        put_i32(buffer, 16, self.stream_id.get());
        put_i32(buffer, 20, self.initial_term_id.get());
        put_i32(buffer, 24, self.active_term_id.get());
        put_i32(buffer, 28, self.term_length.get());
        put_i32(buffer, 32, self.mtu);
        put_i32(buffer, 36, self.ttl);
        Self::LENGTH
    }
}
