//! Why bytes are not a message, and why a message does not become bytes: small values, made on the hot path.

use core::fmt;

/// Why bytes are not the message that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end inside `what`.
    Truncated {
        /// The header, message, group or data that is not whole.
        what: &'static str,
        /// Bytes that it takes.
        needed: usize,
        /// Bytes that are left.
        found: usize,
    },
    /// The writer's block is shorter than what every version of it holds.
    ShortBlock {
        /// The message or group.
        what: &'static str,
        /// Bytes that every version has.
        needed: usize,
        /// Bytes in the block.
        found: usize,
    },
    /// A group claims more entries than the message has bytes.
    TooManyEntries {
        /// The group.
        what: &'static str,
        /// The claim.
        count: usize,
    },
    /// The header names another schema.
    OtherSchema {
        /// The id in the header.
        found: u32,
        /// The schema's.
        expected: u32,
    },
    /// The header names another message.
    OtherTemplate {
        /// The id in the header.
        found: u32,
        /// The message's.
        expected: u32,
    },
    /// The header names a version of the schema that did not have the message yet.
    OlderVersion {
        /// The version in the header.
        found: u32,
        /// The first that has the message.
        since: u32,
    },
}

/// Why a message does not become bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The buffer ends inside `what`.
    BufferTooShort {
        /// The header, message, group or data that does not fit.
        what: &'static str,
        /// Bytes that it takes.
        needed: usize,
        /// Bytes that are left.
        found: usize,
    },
    /// A group has fewer or more entries than its schema allows.
    EntryCount {
        /// The group.
        what: &'static str,
        /// The fewest allowed.
        least: usize,
        /// The most allowed.
        most: usize,
    },
    /// A text or data is longer than its schema allows.
    TooLong {
        /// The field.
        what: &'static str,
        /// The most bytes allowed.
        most: usize,
        /// Its bytes.
        found: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { what, needed, found } => {
                write!(f, "the message is cut off inside {what}, which takes {needed} bytes where {found} are left")
            }
            Self::ShortBlock { what, needed, found } => {
                write!(f, "the block of {what} has {found} bytes, and its oldest fields take {needed}")
            }
            Self::TooManyEntries { what, count } => {
                write!(f, "group {what} claims {count} entries, more than the message has bytes")
            }
            Self::OtherSchema { found, expected } => {
                write!(f, "the message is of schema {found}, and schema {expected} was expected")
            }
            Self::OtherTemplate { found, expected } => {
                write!(f, "the message has template id {found}, and {expected} was expected")
            }
            Self::OlderVersion { found, since } => {
                write!(f, "the message claims version {found} of its schema, which has it only since version {since}")
            }
        }
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferTooShort { what, needed, found } => {
                write!(f, "the buffer ends inside {what}, which takes {needed} bytes where {found} are left")
            }
            Self::EntryCount { what, least, most } => write!(f, "group {what} takes {least} to {most} entries"),
            Self::TooLong { what, most, found } => write!(f, "{what} takes at most {most} bytes, and got {found}"),
        }
    }
}

impl core::error::Error for DecodeError {}
impl core::error::Error for EncodeError {}
