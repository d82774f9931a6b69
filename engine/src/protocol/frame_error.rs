//! Why a datagram is invalid. The values are small and need no allocation, because the hot path counts them and drops
//! the datagram.

use super::extension::ReservedType;
use super::frame_type::FrameType;

/// Why a datagram was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// It is shorter than a frame of its type can be.
    #[error("the datagram has {found} bytes, and a frame of its type has at least {least}")]
    TooShort {
        /// Its length in bytes.
        found: usize,
        /// The least length.
        least: usize,
    },
    /// The frame's length is negative.
    #[error("the frame's length is {found}")]
    NegativeLength {
        /// The length that it states.
        found: i32,
    },
    /// The frame claims to be longer than the datagram.
    #[error("the frame's length is {found}, and the datagram's {datagram}")]
    LongerThanDatagram {
        /// The length that it states.
        found: i32,
        /// The datagram's length in bytes.
        datagram: usize,
    },
    /// It is of another version of the protocol.
    #[error("the frame is of version {found}, expected 0")]
    Version {
        /// The version that it states.
        found: u8,
    },
    /// A datagram of data whose length is no multiple of 32.
    #[error("a datagram of data has {found} bytes, which is no multiple of 32")]
    Misaligned {
        /// Its length in bytes.
        found: usize,
    },
    /// The protocol has no such type.
    #[error("there is no frame type {code:#06x}")]
    UnknownType {
        /// The type's code.
        code: u16,
    },
    /// The protocol reserves the type for what no driver does.
    #[error("{0} is reserved")]
    ReservedType(ReservedType),
    /// The frame is one, and not of the type that its caller wanted.
    #[error("the frame is of type {found:?}")]
    OtherType {
        /// Its type.
        found: FrameType,
    },
    /// A field has a value that it cannot have.
    #[error("the frame's {field} is {found}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// Its value.
        found: i64,
    },
    /// Frames of data that do not add up to the datagram, or leave the term.
    #[error("the frames of the datagram end {walked} bytes after its start, and it has {datagram}")]
    Extent {
        /// Where the last frame ends, in bytes from the datagram's start.
        walked: usize,
        /// The datagram's length in bytes.
        datagram: usize,
    },
}

impl FrameError {
    /// What is wrong with a type that is none.
    #[cold]
    pub(super) const fn of_code(code: u16) -> Self {
        match ReservedType::of_code(code) {
            Some(reserved) => Self::ReservedType(reserved),
            None => Self::UnknownType { code },
        }
    }
}
