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

/// The length of the header of a data or padding frame in bytes, and the alignment of such frames.
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
    /// The frame is a complete message. Also set in padding and heartbeats.
    pub const UNFRAGMENTED: Self = Self(0xC0);
    /// The stream has ended. Only used in heartbeats, except that a receiver does not request a setup for data of an
    /// unknown session with this flag.
    pub const END_OF_STREAM: Self = Self(0x20);
    /// The publication was revoked. Only used in heartbeats at the end of the stream.
    pub const REVOKED: Self = Self(0x10);

    /// The flags in this byte. All values are valid, because applications may set any flags.
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

    /// The union of both sets of flags.
    #[inline]
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }
}

/// The header of a data frame, a padding frame or a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataHeader {
    /// The frame's length in bytes, header included and not aligned. For padding, the length that it covers. 0 in a
    /// heartbeat. Never negative after parsing.
    pub frame_length: i32,
    /// The flags.
    pub flags: DataFlags,
    /// Whether this is a padding frame rather than a data frame.
    pub is_padding: bool,
    /// The offset of the frame in its term, in bytes. Checked by [`extent`], not by parsing.
    pub term_offset: i32,
    /// The session id.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// The term id.
    pub term_id: TermId,
    /// The application's reserved value, or a timestamp.
    pub reserved_value: i64,
}

impl DataHeader {
    /// Parses the first header of a datagram of data or padding.
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

    /// Writes the header. Returns its length, 32 bytes.
    ///
    /// # Panics
    ///
    /// If the buffer is shorter.
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

    /// Whether a datagram that starts with this header and has `datagram_length` bytes is a heartbeat.
    #[inline]
    pub const fn is_heartbeat(&self, datagram_length: usize) -> bool {
        !self.is_padding && self.frame_length == 0 && datagram_length == DATA_HEADER_LENGTH
    }

    /// The frame's position in a stream with initial term id `initial`. `None` if the term does not belong to the
    /// stream, or is 2^31 or more terms after the first. Only a heartbeat may be at the end of the last term.
    #[inline]
    pub const fn position(&self, term_length: TermLength, initial: TermId) -> Option<Position> {
        let term_count = self.term_id.wrapping_count_since(initial);
        if term_count >= 0 {
            return Some(term_length.position(term_count, self.term_offset));
        }
        let stated = term_length.stated_position(self.term_id, initial, self.term_offset);
        if self.frame_length == 0 && stated.get() >= 0 { Some(stated) } else { None }
    }
}

/// The range of the term that the frames of a datagram cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// None: the datagram is a heartbeat.
    Heartbeat,
    /// This many bytes of the term from the first frame's offset: a multiple of 32, within the term. With padding, this
    /// is more than the datagram contains.
    Frames(usize),
}

impl Extent {
    /// The number of bytes in the term. 0 for a heartbeat.
    #[inline]
    pub const fn length(self) -> usize {
        match self {
            Self::Heartbeat => 0,
            Self::Frames(length) => length,
        }
    }
}

/// Walks the frames of a datagram of data. Returns the range that they cover.
///
/// Stricter than the reference: a frame must be at least as long as its header. A shorter one would end the stream for
/// all readers, because none can pass it, and no publication creates such frames.
///
/// # Errors
///
/// [`FrameError`] if a frame is malformed, has a wrong offset, leaves the term, or is truncated, and if bytes follow
/// the last one.
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
