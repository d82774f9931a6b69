//! The driver's shared memory as a process sees it that follows no protocol: words at offsets.

use std::path::{Path, PathBuf};

use gannet::memory::{AtomicBuffer, FileAccess, MappedFile};
use gannet::types::RegistrationId;

use crate::raw_access::RAW;

/// The offsets of words in the trailer of the command ring.
pub(crate) const RING_TRAILER: usize = 768;
pub(crate) const RING_TAIL: usize = 128;
pub(crate) const RING_HEAD_CACHE: usize = 256;
pub(crate) const RING_HEAD: usize = 384;
/// The offset of the active term count in the metadata of a log. The tails are before it.
pub(crate) const LOG_ACTIVE_TERM_COUNT: usize = 24;
/// The metadata section of a log is at the end of its file.
pub(crate) const LOG_METADATA: usize = 4096;

/// A whole file, mapped for arbitrary writes.
pub(crate) fn map(path: &Path) -> AtomicBuffer {
    let file = MappedFile::open(path, 1, FileAccess::ReadWrite).unwrap_or_else(|error| panic!("{error}"));
    file.into_view(RAW)
}

/// The file of a publication's log.
pub(crate) fn log_path(dir: &Path, original_registration_id: RegistrationId) -> PathBuf {
    dir.join("publications").join(format!("{original_registration_id}.logbuffer"))
}

/// The metadata of a log in its file.
pub(crate) fn log_metadata(log: &AtomicBuffer) -> AtomicBuffer {
    log.slice(log.len() - LOG_METADATA, LOG_METADATA)
}
