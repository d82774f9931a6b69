//! The first bytes of every sidecar file: the version of its layout, and its recording. The code that owns the file
//! writes and checks them; the rest of the file is its own.
//!
//! ```text
//!  0  version | length | recording id
//! ```

use crate::memory::{AtomicBuffer, Field};
use crate::types::{RecordingId, SemanticVersion};

const VERSION: Field<i32> = Field::at(0);
const LENGTH: Field<i32> = Field::at(4);
const RECORDING_ID: Field<i64> = Field::at(8);

/// The number of bytes before the file's own content.
pub(super) const PREAMBLE_LENGTH: usize = RECORDING_ID.end();

const _: () = assert!(VERSION.end() == LENGTH.start() && LENGTH.end() == RECORDING_ID.start());

/// The version and length in the files of one kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preamble {
    version: SemanticVersion,
    length: i32,
}

impl Preamble {
    /// For files with that version of their layout. `length` is the length of their header, or of the whole file if
    /// that is fixed.
    pub(super) const fn new(version: SemanticVersion, length: usize) -> Self {
        Self { version, length: length as i32 }
    }

    /// Marks the file as one of these. Written last, because a file without a version is ignored.
    pub(super) fn write(self, view: &AtomicBuffer, recording_id: RecordingId) {
        view.word(LENGTH).store_relaxed(self.length);
        view.word(RECORDING_ID).store_relaxed(recording_id.get());
        self.write_version(view);
    }

    /// Marks a file of an earlier version as upgraded to this one.
    pub(super) fn write_version(self, view: &AtomicBuffer) {
        view.word(VERSION).store_relaxed(self.version.bits());
    }

    /// Whether the file is of this kind and recording, in a version with the same major number.
    pub(super) fn is_in(self, view: &AtomicBuffer, recording_id: RecordingId) -> bool {
        version(view).major() == self.version.major()
            && view.word(LENGTH).load_relaxed() == self.length
            && view.word(RECORDING_ID).load_relaxed() == recording_id.get()
    }
}

/// The version in a file.
pub(super) fn version(view: &AtomicBuffer) -> SemanticVersion {
    SemanticVersion::from_bits(view.word(VERSION).load_relaxed())
}
