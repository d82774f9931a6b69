//! Tells a message that is not published yet, although its place in the log was claimed, from one that nobody has read.
//! Counters do not tell, so this reads the length of one frame from the log's file. The file may be as long as 3 GiB,
//! and be cut short by anyone: it is not mapped.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use gannet::logbuffer::{LOG_METADATA_LENGTH, PARTITION_COUNT};
use gannet::types::TermLength;
use rustix::fs::OFlags;

/// Offset of the term length in a log's metadata, which is at the end of the file.
const TERM_LENGTH_AT: u64 = 276;

/// Whether the log of a publication has no published frame at `position`, a place that its publishers have claimed.
/// False also if that cannot be read.
pub(super) fn is_open(driver_dir: &Path, registration_id: i64, position: i64) -> bool {
    let log = driver_dir.join("publications").join(format!("{registration_id}.logbuffer"));
    // The length of a frame is stored when the frame is published. Before that it is zero, or negative.
    frame_length(&log, position).is_ok_and(|length| length.is_some_and(|length| length <= 0))
}

/// The length of the frame at a position. `None` if the file is no log, or the position none of a stream.
fn frame_length(log: &Path, position: i64) -> io::Result<Option<i32>> {
    // Otherwise opening a pipe of that name would wait for a writer.
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(log)?;
    let word = |at: u64| {
        let mut bytes = [0; 4];
        file.read_exact_at(&mut bytes, at).map(|()| i32::from_le_bytes(bytes))
    };
    let (Some(metadata_at), Ok(position)) =
        (file.metadata()?.len().checked_sub(LOG_METADATA_LENGTH as u64), u64::try_from(position))
    else {
        return Ok(None);
    };
    let Ok(term_length) = TermLength::new(word(metadata_at + TERM_LENGTH_AT)?.into()) else { return Ok(None) };
    let term_length = u64::from(term_length.get().unsigned_abs());
    // Terms are kept in three partitions in turn.
    let partition = position / term_length % PARTITION_COUNT as u64;
    word(partition * term_length + position % term_length).map(Some)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn only_a_frame_with_a_length_is_published() {
        const TERM: u64 = 64 << 10;
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("publications")).expect("there is room");
        let log = File::create_new(dir.path().join("publications/5.logbuffer")).expect("there is room");
        let set = |at: u64, value: i32| log.write_all_at(&value.to_le_bytes(), at).expect("there is room");
        let open = |position: u64| is_open(dir.path(), 5, position as i64);
        assert!(!open(0), "an empty file is no log");
        log.set_len(3 * TERM + LOG_METADATA_LENGTH as u64).expect("there is room");
        assert!(!open(0), "a file without a term length is no log");
        set(3 * TERM + TERM_LENGTH_AT, TERM as i32);
        set(0, 64);
        set(64, -32);
        set(TERM + 32, 32);
        assert_eq!([0, 64, 96].map(open), [false, true, true]);
        // The second term, and the fifth, which is in the same place.
        assert_eq!([TERM, TERM + 32, 4 * TERM + 32, 5 * TERM + 32].map(open), [true, false, false, true]);
        assert!(!is_open(dir.path(), 6, 0), "there is no such log");
        assert!(!open(u64::MAX), "a position that is none");
    }
}
