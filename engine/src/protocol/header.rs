//! The header that starts every frame, and the integers of all frames. Every other file of `protocol` calls this.
//!
//! ```text
//!  0              4         5       6      8
//! | frame length | version | flags | type | ...
//! ```

use super::frame_error::FrameError;
use super::frame_type::FrameType;

/// The length of the header that all frames share, in bytes.
pub const HEADER_LENGTH: usize = 8;

/// The maximum length of a datagram in bytes: the largest UDP payload that is a multiple of 32.
pub const MAX_DATAGRAM_LENGTH: usize = 65_504;

/// The alignment of the length of a datagram of data or padding, in bytes.
const DATA_ALIGNMENT: usize = 32;

/// The protocol version.
const VERSION: u8 = 0;

/// The header that all frames share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The frame's length in bytes, header included, without alignment. Never negative. 0 in a heartbeat. Control
    /// frames may be longer than this.
    pub frame_length: i32,
    /// The flags. Each frame type has its own.
    pub flags: u8,
    /// The frame type.
    pub frame_type: FrameType,
}

impl FrameHeader {
    /// Parses the first header of a datagram, and checks the datagram's length against it.
    ///
    /// # Errors
    ///
    /// [`FrameError`].
    #[inline]
    pub fn parse(datagram: &[u8]) -> Result<Self, FrameError> {
        let found = datagram.len();
        let Some((header, _)) = datagram.split_first_chunk::<HEADER_LENGTH>() else {
            return Err(FrameError::TooShort { found, least: HEADER_LENGTH });
        };
        let frame_length = i32_at(header, 0);
        if frame_length < 0 {
            return Err(FrameError::NegativeLength { found: frame_length });
        }
        if header[4] != VERSION {
            return Err(FrameError::Version { found: header[4] });
        }
        let code = u16::from_le_bytes([header[6], header[7]]);
        let Some(frame_type) = FrameType::of_code(code) else { return Err(FrameError::of_code(code)) };
        let least = frame_type.least_length();
        if found < least {
            return Err(FrameError::TooShort { found, least });
        }
        match frame_type {
            // Padding covers more than is sent, and a heartbeat has length 0. `extent` checks the lengths.
            FrameType::Data | FrameType::Padding if found.is_multiple_of(DATA_ALIGNMENT) => {}
            FrameType::Data | FrameType::Padding => return Err(FrameError::Misaligned { found }),
            _ if frame_length as usize <= found => {}
            _ => return Err(FrameError::LongerThanDatagram { found: frame_length, datagram: found }),
        }
        Ok(Self { frame_length, flags: header[5], frame_type })
    }

    /// As [`FrameHeader::parse`], for a frame of a given type.
    #[inline]
    pub(super) fn parse_as(datagram: &[u8], wanted: FrameType) -> Result<Self, FrameError> {
        let header = Self::parse(datagram)?;
        if header.frame_type != wanted {
            return Err(FrameError::OtherType { found: header.frame_type });
        }
        Ok(header)
    }

    /// Writes the header.
    #[inline]
    pub(super) fn put(self, buffer: &mut [u8]) {
        put_i32(buffer, 0, self.frame_length);
        buffer[4] = VERSION;
        buffer[5] = self.flags;
        buffer[6..8].copy_from_slice(&self.frame_type.code().to_le_bytes());
    }
}

/// The part of `buffer` for a frame of `length` bytes.
///
/// # Panics
///
/// If the buffer is too short, which is a bug of the caller.
#[inline]
pub(super) fn room(buffer: &mut [u8], length: usize) -> &mut [u8] {
    assert!(buffer.len() >= length, "a frame of {length} bytes does not fit into {}", buffer.len());
    &mut buffer[..length]
}

/// The integer at `offset`, which must be within the bytes. All parsers check the datagram against its type's minimum
/// length first.
#[inline]
pub(super) fn i32_at(bytes: &[u8], offset: usize) -> i32 {
    i32::from_le_bytes(array_at(bytes, offset))
}

/// The 64-bit integer at `offset`, which must be within the bytes.
#[inline]
pub(super) fn i64_at(bytes: &[u8], offset: usize) -> i64 {
    i64::from_le_bytes(array_at(bytes, offset))
}

#[inline]
fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    bytes[offset..offset + N].try_into().expect("a range of that length")
}

#[inline]
pub(super) fn put_i32(buffer: &mut [u8], offset: usize, value: i32) {
    buffer[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
}

#[inline]
pub(super) fn put_i64(buffer: &mut [u8], offset: usize, value: i64) {
    buffer[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
}
