//! What can be wrong with the frames of a recording, and where. All readers of segments report damage in these terms.

use std::path::PathBuf;

use crate::types::Position;

/// Bytes in the middle of a recording that are no frame of it, or are not those that were written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is damaged at position {position} (byte {offset}): {fault}", path.display())]
pub struct Damage {
    /// The segment file.
    pub path: PathBuf,
    /// Where in the recording.
    pub position: Position,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// There is no frame, although there is more of the recording behind it.
    #[error("no frame is there, and the recording goes on behind it")]
    Hole,
    /// The length is none that a frame can have there.
    #[error("a frame cannot be {length} bytes long there")]
    Length {
        /// The length found, in bytes.
        length: i32,
    },
    /// A header field names another place, stream, version or kind of frame.
    #[error("the frame's {field} is {found}, expected {expected}")]
    Header {
        /// The field.
        field: &'static str,
        /// What it is.
        found: i64,
        /// What it should be.
        expected: i64,
    },
    /// The bytes are not those that were written.
    #[error("the frame's CRC-32C is {found:#010x}, expected {expected:#010x}")]
    Checksum {
        /// That of the bytes.
        found: u32,
        /// That which was kept when they were written.
        expected: u32,
    },
    /// The segment's file is missing, or shorter than it must be.
    #[error("the file {0}")]
    File(&'static str),
}

impl Fault {
    /// The file was whole when it was opened, and is not any more.
    pub(crate) const CUT_SHORT: Self = Self::File("was cut short, or its disk cannot be read, while it was in use");
}
