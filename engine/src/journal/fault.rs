//! What can be wrong with the frames of a recording, and where. All readers of segments report damage in these terms.

use std::path::PathBuf;

use crate::types::Position;

/// Bytes in the middle of a recording that are no valid frame, or that differ from what was written. Or bytes of a sidecar
/// that are not as they were written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is damaged at position {position} (byte {offset}): {fault}", path.display())]
pub struct Damage {
    /// The segment file, or the sidecar.
    pub path: PathBuf,
    /// The position in the recording.
    pub position: Position,
    /// The offset in the file, in bytes.
    pub offset: u64,
    /// What is wrong there.
    pub fault: Fault,
}

impl Damage {
    /// Damage in the segment file that begins at `base`.
    pub(super) fn in_segment(path: PathBuf, base: Position, position: Position, fault: Fault) -> Self {
        Self { path, position, offset: (position.get() - base.get()).unsigned_abs(), fault }
    }
}

/// What is wrong with a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// There is no frame, but the recording continues after it.
    #[error("no frame is there, and the recording goes on behind it")]
    Hole,
    /// The length field is not valid for a frame at this place.
    #[error("a frame cannot be {length} bytes long there")]
    Length {
        /// The length found, in bytes.
        length: i32,
    },
    /// A header field has the wrong value: another position, stream, version or frame type.
    #[error("the frame's {field} is {found}, expected {expected}")]
    Header {
        /// The field's name.
        field: &'static str,
        /// The value found.
        found: i64,
        /// The value expected.
        expected: i64,
    },
    /// The bytes differ from what was written.
    #[error("the frame's CRC-32C is {found:#010x}, expected {expected:#010x}")]
    Checksum {
        /// The checksum of the bytes.
        found: u32,
        /// The checksum stored when the bytes were written.
        expected: u32,
    },
    /// The sidecar of a segment is not as it was written. The segment itself is intact.
    #[error(
        "{what} is {found:#x}, expected {expected:#x}; no message is lost, and `gannet journal repair` makes the file again"
    )]
    Sidecar {
        /// The field.
        what: &'static str,
        /// The value found.
        found: i64,
        /// The value expected.
        expected: i64,
    },
    /// The recording's entry in the catalog is not as it was written.
    #[error(
        "the recording's entry contradicts its copy in the `.entry` file, or the place where its frames end, and what follows may \
         come of that; `gannet journal repair` makes the catalog again"
    )]
    Entry,
    /// A cursor, or the file of all cursors, is not as it was written.
    #[error("{0}")]
    Cursors(String),
    /// The recording times of a segment are not as they were written.
    #[error("{0} is not as it was written; no message is lost, but the messages from there to the next time have none")]
    Times(&'static str),
    /// The retention policy is not as it was set.
    #[error("{0}")]
    Retention(String),
    /// The segment's file is missing or too short.
    #[error("the file {0}")]
    File(&'static str),
}

impl Fault {
    /// The segment's file does not reach the frame.
    pub(crate) const MISSING: Self = Self::File("is missing, or shorter than it must be");
    /// The file was complete when it was opened, and has been truncated since.
    pub(crate) const CUT_SHORT: Self = Self::File("was cut short, or its disk cannot be read, while it was in use");
}
