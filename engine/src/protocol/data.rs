//! Data frames: the header that they share with padding and heartbeats, and the total length of a datagram's frames.
//! The receiver calls this for received datagrams. The sender sends such frames as they are in its log.
//!
//! ```text
//!  0        8             12           16          20        24               32
//! | header | term offset | session id | stream id | term id | reserved value | payload, up to a multiple of 32
//! ```

use super::header::{FrameHeader, i32_at, i64_at, put_i32, put_i64, room};
use super::{FrameError, FrameType};
use crate::types::{Position, SessionId, StreamId, TermId, TermLength};

/// The length of the header of a data or padding frame in bytes, and what such frames are aligned to.
pub const DATA_HEADER_LENGTH: usize = 32;

/// The flags of data frames, padding and heartbeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct DataFlags(u8);

impl DataFlags {
    /// The frame begins a message.
    pub const BEGIN: Self = Self(0x80);
    /// The frame ends a message.
    pub const END: Self = Self(0x40);
    /// The frame is a whole message; so are padding and heartbeats.
    pub const UNFRAGMENTED: Self = Self(0xC0);
    /// The stream has ended. Of meaning in heartbeats only, except that data of an unknown session with it elicits no setup.
    pub const END_OF_STREAM: Self = Self(0x20);
    /// The publication was revoked. Of meaning in heartbeats that say that the stream has ended.
    pub const REVOKED: Self = Self(0x10);

    /// The flags of this byte. An application may set any; none is refused.
    #[inline]
    pub const fn new(bits: u8) -> Self {
        Self(bits)
    }

    /// The byte on the wire.
    #[inline]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `flags` are set.
    #[inline]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These and those.
    #[inline]
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }
}

/// The header of a data frame, a padding frame or a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataHeader {
    /// The frame's length in bytes, header included and not aligned; what padding covers; 0 in a heartbeat. Never negative when parsed.
    pub frame_length: i32,
    /// The flags.
    pub flags: DataFlags,
    /// Whether it is padding, and not data.
    pub is_padding: bool,
    /// Where the frame is in its term, in bytes. Not checked by parsing: [`extent`] does.
    pub term_offset: i32,
    /// Whose it is.
    pub session_id: SessionId,
    /// What it belongs to.
    pub stream_id: StreamId,
    /// Its term.
    pub term_id: TermId,
    /// The application's, or a timestamp.
    pub reserved_value: i64,
}

impl DataHeader {
    /// Reads the first header of a datagram of data or padding.
    ///
    /// # Errors
    ///
    /// [`FrameError`].
    #[inline]
    pub fn parse(datagram: &[u8]) -> Result<Self, FrameError> {
        let header = FrameHeader::parse(datagram)?;
        let is_padding = match header.frame_type {
            FrameType::Data => false,
            FrameType::Padding => true,
            found => return Err(FrameError::OtherType { found }),
        };
        let Some((bytes, _)) = datagram.split_first_chunk::<DATA_HEADER_LENGTH>() else {
            return Err(FrameError::TooShort { found: datagram.len(), least: DATA_HEADER_LENGTH });
        };
        Ok(Self {
            frame_length: header.frame_length,
            flags: DataFlags(header.flags),
            is_padding,
            term_offset: i32_at(bytes, 8),
            session_id: SessionId::new(i32_at(bytes, 12)),
            stream_id: StreamId::new(i32_at(bytes, 16)),
            term_id: TermId::new(i32_at(bytes, 20)),
            reserved_value: i64_at(bytes, 24),
        })
    }

    /// Writes the header, 32 bytes, and returns that number.
    ///
    /// # Panics
    ///
    /// When the buffer is shorter.
    #[inline]
    pub fn write(&self, buffer: &mut [u8]) -> usize {
        let buffer = room(buffer, DATA_HEADER_LENGTH);
        let frame_type = if self.is_padding { FrameType::Padding } else { FrameType::Data };
        FrameHeader { frame_length: self.frame_length, flags: self.flags.bits(), frame_type }.put(buffer);
        put_i32(buffer, 8, self.term_offset);
        put_i32(buffer, 12, self.session_id.get());
        put_i32(buffer, 16, self.stream_id.get());
        put_i32(buffer, 20, self.term_id.get());
        put_i64(buffer, 24, self.reserved_value);
        DATA_HEADER_LENGTH
    }

    /// Whether the datagram that starts with this header, and is `datagram_length` bytes long, is a heartbeat.
    #[inline]
    pub const fn is_heartbeat(&self, datagram_length: usize) -> bool {
        !self.is_padding && self.frame_length == 0 && datagram_length == DATA_HEADER_LENGTH
    }

    /// The frame's position in a stream that began with `initial`. None when its term is not of that stream, or is 2^31 terms and more
    /// after the first.
    #[inline]
    pub const fn position(&self, term_length: TermLength, initial: TermId) -> Option<Position> {
        let term_count = self.term_id.wrapping_count_since(initial);
        if term_count < 0 { None } else { Some(term_length.position(term_count, self.term_offset)) }
    }
}

/// What the frames of a datagram cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Nothing: it is a heartbeat.
    Heartbeat,
    /// This many bytes of the term from the first frame's offset on: a multiple of 32, and within the term. With padding that is more
    /// than the datagram has.
    Frames(usize),
}

impl Extent {
    /// The number of bytes of the term; 0 for a heartbeat.
    #[inline]
    pub const fn length(self) -> usize {
        match self {
            Self::Heartbeat => 0,
            Self::Frames(length) => length,
        }
    }
}

/// Walks the frames of a datagram of data and says what they cover.
///
/// Beyond the reference's rules a frame must be as long as its header: a shorter one would end the stream for every reader, as none
/// gets past it, and no publication has such frames.
///
/// # Errors
///
/// [`FrameError`] when a frame is malformed, is not where it says it is, leaves the term, or is cut short, and when bytes follow the
/// last one.
#[inline]
pub fn extent(datagram: &[u8], term_length: TermLength) -> Result<Extent, FrameError> {
    let first = DataHeader::parse(datagram)?;
    let term = term_length.get();
    let begin = first.term_offset;
    if begin < 0 || begin >= term || begin % DATA_HEADER_LENGTH as i32 != 0 {
        return Err(FrameError::OutOfRange { field: "term offset", found: begin.into() });
    }
    if first.is_heartbeat(datagram.len()) {
        return Ok(Extent::Heartbeat);
    }
    let (begin, room) = (begin as usize, (term - begin) as usize);
    let mut walked = 0;
    let mut last_is_padding = false;
    while let Some(frame) = datagram.get(walked..).filter(|rest| rest.len() >= DATA_HEADER_LENGTH) {
        let frame_length = i32_at(frame, 0);
        if frame_length < DATA_HEADER_LENGTH as i32 {
            return Err(FrameError::OutOfRange { field: "length", found: frame_length.into() });
        }
        let code = u16::from_le_bytes([frame[6], frame[7]]);
        last_is_padding = code == FrameType::Padding.code();
        if !last_is_padding && code != FrameType::Data.code() {
            return Err(FrameError::UnknownType { code });
        }
        let term_offset = i32_at(frame, 8);
        if term_offset as u32 as usize != begin + walked {
            return Err(FrameError::OutOfRange { field: "term offset", found: term_offset.into() });
        }
        walked += (frame_length as usize).next_multiple_of(DATA_HEADER_LENGTH);
        if walked > room {
            return Err(FrameError::OutOfRange { field: "length", found: frame_length.into() });
        }
    }
    if walked == datagram.len() || walked > datagram.len() && last_is_padding {
        Ok(Extent::Frames(walked))
    } else {
        Err(FrameError::Extent { walked, datagram: datagram.len() })
    }
}
