//! The places of a log file's terms and of its metadata.

use crate::memory::align_up;
use crate::types::TermLength;

/// The number of terms in a log.
pub const PARTITION_COUNT: usize = 3;

/// The length of the metadata section in bytes.
pub const LOG_METADATA_LENGTH: usize = 4096;

/// The layout of a log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLayout {
    /// The length of each of the three terms.
    pub term_length: TermLength,
    /// The page size in bytes: a power of two. The file's length is a multiple of it.
    pub page_size: i32,
}

impl LogLayout {
    /// The file's length in bytes.
    pub const fn file_length(self) -> usize {
        align_up(PARTITION_COUNT * self.term_length.get() as usize + LOG_METADATA_LENGTH, self.page_size as usize)
    }

    /// The offset of the metadata: at the end of the file, not directly after the last term.
    pub const fn metadata_offset(self) -> usize {
        self.file_length() - LOG_METADATA_LENGTH
    }
}
