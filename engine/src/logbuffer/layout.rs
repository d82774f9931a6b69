//! The places of a log file's terms and of its metadata.

use crate::memory::align_up;
use crate::types::TermLength;

/// How many terms a log keeps.
pub const PARTITION_COUNT: usize = 3;

/// The metadata section's length in bytes.
pub const LOG_METADATA_LENGTH: usize = 4096;

/// Where things are in a log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLayout {
    /// The length of each of the three terms.
    pub term_length: TermLength,
    /// What the file's length is a multiple of, in bytes: a power of two.
    pub page_size: i32,
}

impl LogLayout {
    /// The file's length in bytes.
    pub const fn file_length(self) -> usize {
        align_up(PARTITION_COUNT * self.term_length.get() as usize + LOG_METADATA_LENGTH, self.page_size as usize)
    }

    /// Where the metadata starts: at the end of the file, not behind the last term.
    pub const fn metadata_offset(self) -> usize {
        self.file_length() - LOG_METADATA_LENGTH
    }
}
