//! Opens a CnC file whose header, queues and counters were written by another process. It is refused, or opened with
//! regions that fit the file and can be read to their ends.
#![no_main]

use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use gannet::cnc::{CNC_FILE_NAME, CNC_HEADER_LENGTH, CncFile};
use gannet::memory::FileAccess;
use gannet::time::EpochMillis;
use libfuzzer_sys::fuzz_target;

/// The header and five small regions: a ring of 1 KiB, a broadcast of 1 KiB, four counters and 4 KiB of errors, in a
/// little more than two pages.
const REGIONS: [i32; 5] = [1024 + 768, 1024 + 128, 2048, 512, 4096];
const FILE_LENGTH: usize = 12_288;

struct Scratch {
    directory: tempfile::TempDir,
    file: std::fs::File,
}

impl Scratch {
    fn new() -> Self {
        let directory = tempfile::Builder::new().tempdir_in("/dev/shm").expect("a directory in memory");
        let file = std::fs::File::create_new(directory.path().join(CNC_FILE_NAME)).expect("a new file");
        Self { directory, file }
    }
}

thread_local! {
    /// A thread-local of the main thread, which runs every input. Unlike a static it is dropped when the process exits,
    /// which removes its directory.
    static SCRATCH: Scratch = Scratch::new();
}

fuzz_target!(|bytes: &[u8]| SCRATCH.with(|scratch| check(scratch, bytes)));

fn check(scratch: &Scratch, bytes: &[u8]) {
    let mut content = vec![0_u8; FILE_LENGTH];
    // Values that would make most inputs fail early are valid unless the input changes them.
    content[0..4].copy_from_slice(&512_i32.to_le_bytes());
    for (at, length) in content[4..24].chunks_exact_mut(4).zip(REGIONS) {
        at.copy_from_slice(&length.to_le_bytes());
    }
    content[48..52].copy_from_slice(&4096_i32.to_le_bytes());
    for (at, byte) in content.iter_mut().zip(bytes) {
        *at ^= byte;
    }
    scratch.file.write_all_at(&content, 0).expect("a write within the file");
    let Ok(cnc) = CncFile::open(scratch.directory.path(), FileAccess::ReadOnly) else { return };
    assert!(CNC_HEADER_LENGTH < cnc.length());
    let _ = cnc.driver_state(EpochMillis::new(1), Duration::from_secs(10));
    cnc.counters().for_each(|counter| assert!(counter.label.to_string().len() <= 3 * 380));
    let mut events = cnc.events();
    for _ in 0..8 {
        let _ = events.receive(|_, message| assert!(message.len() <= FILE_LENGTH));
    }
    let commands = cnc.commands();
    let _ = commands.write(1, b"a command");
    let _ = commands.next_correlation_id();
}
