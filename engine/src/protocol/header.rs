//! The header that starts every frame, and the integers of all frames. Every other file of `protocol` calls this.
//!
//! ```text
//!  0              4         5       6      8
//! | frame length | version | flags | type | ...
//! ```

use super::frame_error::FrameError;
use super::frame_type::FrameType;

/// The length of the header that all frames have, in bytes.
pub const HEADER_LENGTH: usize = 8;

/// The longest datagram: the greatest UDP payload that is a multiple of 32, in bytes.
pub const MAX_DATAGRAM_LENGTH: usize = 65_504;

/// What the length of a datagram of data or padding is a multiple of, in bytes.
const DATA_ALIGNMENT: usize = 32;

/// The version of the protocol.
const VERSION: u8 = 0;

/// What every frame starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The frame's length in bytes, header included and padding for alignment excluded; never negative. 0 in a heartbeat. Frames of
    /// control may state less than they have.
    pub frame_length: i32,
    /// The flags, of which each type has its own.
    pub flags: u8,
    /// What the frame is for.
    pub frame_type: FrameType,
}

impl FrameHeader {
    /// Reads a datagram's first header, and checks the datagram's length against it.
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
            // Padding covers more than is sent, and a heartbeat states less: `extent` compares lengths.
            FrameType::Data | FrameType::Padding if found.is_multiple_of(DATA_ALIGNMENT) => {}
            FrameType::Data | FrameType::Padding => return Err(FrameError::Misaligned { found }),
            _ if frame_length as usize <= found => {}
            _ => return Err(FrameError::LongerThanDatagram { found: frame_length, datagram: found }),
        }
        Ok(Self { frame_length, flags: header[5], frame_type })
    }

    /// As [`FrameHeader::parse`], for a frame of one type.
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

/// Splits off the part of `buffer` that a frame of `length` bytes goes into.
///
/// # Panics
///
/// When it is too short, which is the caller's mistake.
#[inline]
pub(super) fn room(buffer: &mut [u8], length: usize) -> &mut [u8] {
    assert!(buffer.len() >= length, "a frame of {length} bytes does not fit into {}", buffer.len());
    &mut buffer[..length]
}

/// The integer at `offset`, which lies within the bytes: every parser has checked the datagram against its type's least length.
#[inline]
pub(super) fn i32_at(bytes: &[u8], offset: usize) -> i32 {
    i32::from_le_bytes(array_at(bytes, offset))
}

/// The wide integer at `offset`, which lies within the bytes.
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
