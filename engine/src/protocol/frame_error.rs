//! Why a datagram is invalid. The values are small and need no allocation, because the hot path counts them and drops
//! the datagram.

use super::extension::ReservedType;
use super::frame_type::FrameType;

/// Why a datagram is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The datagram is too short for its frame type.
    #[error("the datagram has {found} bytes, and a frame of its type has at least {least}")]
    TooShort {
        /// The datagram's length in bytes.
        found: usize,
        /// The minimum length.
        least: usize,
    },
    /// The frame's length is negative.
    #[error("the frame's length is {found}")]
    NegativeLength {
        /// The length field.
        found: i32,
    },
    /// The frame's length exceeds the datagram.
    #[error("the frame's length is {found}, and the datagram's {datagram}")]
    LongerThanDatagram {
        /// The length field.
        found: i32,
        /// The datagram's length in bytes.
        datagram: usize,
    },
    /// The frame has another protocol version.
    #[error("the frame is of version {found}, expected 0")]
    Version {
        /// The version field.
        found: u8,
    },
    /// The length of a datagram of data is not a multiple of 32.
    #[error("a datagram of data has {found} bytes, which is no multiple of 32")]
    Misaligned {
        /// The datagram's length in bytes.
        found: usize,
    },
    /// The frame type is unknown.
    #[error("there is no frame type {code:#06x}")]
    UnknownType {
        /// The code of the type.
        code: u16,
    },
    /// The frame type is reserved, and no driver supports it.
    #[error("{0} is reserved")]
    ReservedType(ReservedType),
    /// The frame has another type than the caller expected.
    #[error("the frame is of type {found:?}")]
    OtherType {
        /// The frame's type.
        found: FrameType,
    },
    /// A field has an invalid value.
    #[error("the frame's {field} is {found}")]
    OutOfRange {
        /// The field's name.
        field: &'static str,
        /// The field's value.
        found: i64,
    },
    /// The frames of data do not cover the datagram exactly, or leave the term.
    #[error("the frames of the datagram end {walked} bytes after its start, and it has {datagram}")]
    Extent {
        /// The end of the last frame, in bytes from the start of the datagram.
        walked: usize,
        /// The datagram's length in bytes.
        datagram: usize,
    },
}

impl FrameError {
    /// The error for a code that is not a known type.
    #[cold]
    pub(super) const fn of_code(code: u16) -> Self {
        match ReservedType::of_code(code) {
            Some(reserved) => Self::ReservedType(reserved),
            None => Self::UnknownType { code },
        }
    }
}
