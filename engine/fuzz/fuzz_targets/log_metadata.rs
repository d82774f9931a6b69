//! Opens a log file with arbitrary metadata. It is refused, or opened with values that fit the file, and can be used
//! without access outside it.
#![no_main]

#[path = "../../tests/support/raw_access.rs"]
mod raw_access;

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::OnceLock;

use gannet::logbuffer::{ExclusiveAppender, ImageReader, LOG_METADATA_LENGTH, LogBuffers};
use gannet::memory::{CacheLines, FileAccess};
use libfuzzer_sys::fuzz_target;
use raw_access::RAW;

/// Three terms of 64 KiB and the metadata.
const FILE_LENGTH: usize = 3 * 65_536 + LOG_METADATA_LENGTH;
/// The length of the used part of the metadata; the rest is zero in every log.
const USED: usize = 512;

struct Scratch {
    file: File,
    path: PathBuf,
}

fn scratch() -> &'static Scratch {
    static SCRATCH: OnceLock<Scratch> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        // A file without a name, so that it is removed when the process ends in any way.
        let file = tempfile::tempfile_in("/dev/shm").expect("a file in memory");
        file.set_len(FILE_LENGTH as u64).expect("room for a small log");
        let path = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
        Scratch { file, path }
    })
}

fuzz_target!(|input: (i64, &[u8])| {
    let (position, bytes) = input;
    let scratch = scratch();
    let mut metadata = [0_u8; USED];
    // Values that would make most inputs fail early are valid unless the input changes them.
    metadata[268..272].copy_from_slice(&32_i32.to_le_bytes());
    metadata[272..276].copy_from_slice(&1408_i32.to_le_bytes());
    metadata[276..280].copy_from_slice(&65_536_i32.to_le_bytes());
    metadata[280..284].copy_from_slice(&4096_i32.to_le_bytes());
    for (at, byte) in metadata.iter_mut().zip(bytes) {
        *at ^= byte;
    }
    let start = (FILE_LENGTH - LOG_METADATA_LENGTH) as u64;
    scratch.file.write_all_at(&metadata, start).expect("a write within the file");
    // A private mapping, so that what is published here does not reach the file.
    let Ok(log) = LogBuffers::open(&scratch.path, FileAccess::ReadOnly, RAW) else { return };
    let words = CacheLines::new(1);
    let (limit, subscriber) = (words.word(0, 0), words.word(0, 1));
    limit.store_release(i64::MAX);
    subscriber.store_release(position);
    if let Ok(mut appender) = ExclusiveAppender::new(&log, limit) {
        for length in [0, 100, 8000] {
            let _ = appender.offer(&[1; 8192][..length]);
        }
    }
    let mut reader = ImageReader::new(log, subscriber);
    while reader.poll(|fragment| assert!(fragment.payload().len() <= 65_536), 100) > 0 {}
    let _ = reader.check();
});
