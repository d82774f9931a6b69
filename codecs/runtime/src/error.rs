//! Errors of decoding and of encoding. They are small values, since they are made on the hot path.

use core::fmt;

/// Why bytes could not be decoded as the requested message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end inside `what`.
    Truncated {
        /// The header, message, group or data that is incomplete.
        what: &'static str,
        /// How many bytes it takes.
        needed: usize,
        /// How many bytes are left.
        found: usize,
    },
    /// The writer's block is shorter than the part of it that every version has.
    ShortBlock {
        /// The message or group.
        what: &'static str,
        /// How many bytes every version has.
        needed: usize,
        /// How many bytes the block has.
        found: usize,
    },
    /// A group claims more entries than the message has bytes.
    TooManyEntries {
        /// The group's name.
        what: &'static str,
        /// The number of entries that the group claims.
        count: usize,
    },
    /// The header names another schema.
    OtherSchema {
        /// The schema id in the header.
        found: u32,
        /// The id of the decoder's schema.
        expected: u32,
    },
    /// The header names another message.
    OtherTemplate {
        /// The template id in the header.
        found: u32,
        /// The template id of the decoder's message.
        expected: u32,
    },
    /// The header names a version of the schema that did not have the message yet.
    OlderVersion {
        /// The version in the header.
        found: u32,
        /// The first version that has the message.
        since: u32,
    },
}

/// Why a message could not be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The buffer ends inside `what`.
    BufferTooShort {
        /// The header, message, group or data that does not fit.
        what: &'static str,
        /// How many bytes it takes.
        needed: usize,
        /// How many bytes are left.
        found: usize,
    },
    /// A group has fewer or more entries than its schema allows.
    EntryCount {
        /// The group's name.
        what: &'static str,
        /// The least number of entries allowed.
        least: usize,
        /// The greatest number of entries allowed.
        most: usize,
    },
    /// A text or data is longer than its schema allows.
    TooLong {
        /// The field's name.
        what: &'static str,
        /// The greatest length allowed, in bytes.
        most: usize,
        /// The length of the value, in bytes.
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
