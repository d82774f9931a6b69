//! Looks at a command file that was there before the driver: whose it is, and whether that driver is alive. Called when a
//! directory is taken. It reads with plain reads and maps nothing, so that a file that shrinks meanwhile is an error and no
//! fault, and it never writes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use gannet::time::EpochMillis;

/// What a directory's command file tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    /// There is none.
    Absent,
    /// It is empty, too short, or its version is not stored yet: a driver is starting, or died while it did.
    NotReady {
        /// When it was last changed.
        changed: EpochMillis,
    },
    /// Another major version, whose layout is not known.
    OtherVersion {
        /// The version as stored.
        version: i32,
    },
    /// A version that is known, and lengths that cannot be.
    Malformed {
        /// The length of the to-driver ring as stored.
        to_driver_length: i32,
    },
    /// A driver's.
    Driver(ExistingDriver),
}

/// A driver as its command file shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExistingDriver {
    pub(super) pid: i64,
    pub(super) started: EpochMillis,
    /// -1 after a clean stop.
    pub(super) heartbeat: EpochMillis,
}

impl ExistingDriver {
    /// The reference's rule: alive while its heartbeat is no older than the timeout. The process id has no say, since ids
    /// are reused and mean nothing across containers.
    pub(super) fn is_active(&self, now: EpochMillis, timeout_ms: i64) -> bool {
        now.since(self.heartbeat) <= timeout_ms
    }
}

// Offsets of the command file's first section, and how its first region ends (shared-memory.md, sections 2.1 and 3.1).
const VERSION_AT: u64 = 0;
const TO_DRIVER_LENGTH_AT: u64 = 4;
const STARTED_AT: u64 = 32;
const PID_AT: u64 = 40;
const HEADER_LENGTH: u64 = 128;
const RING_TRAILER_LENGTH: i32 = 768;
const HEARTBEAT_BEFORE_RING_END: u64 = 128;
const MAJOR_VERSION: i32 = 0;

/// The major version within a packed one.
pub(super) fn major_version(version: i32) -> i32 {
    (version >> 16) & 0xff
}

/// Looks at the command file `path`.
///
/// # Errors
///
/// What the operating system says, except that the file is not there.
pub(super) fn look(path: &Path) -> io::Result<Existing> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Existing::Absent),
        Err(error) => return Err(error),
    };
    match read(&file) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => not_ready(&file),
        outcome => outcome,
    }
}

fn read(file: &File) -> io::Result<Existing> {
    // The version is stored last, so it is read first.
    let version = i32_at(file, VERSION_AT)?;
    if version == 0 {
        return not_ready(file);
    }
    if major_version(version) != MAJOR_VERSION {
        return Ok(Existing::OtherVersion { version });
    }
    let to_driver_length = i32_at(file, TO_DRIVER_LENGTH_AT)?;
    let capacity = to_driver_length.saturating_sub(RING_TRAILER_LENGTH);
    let fits = HEADER_LENGTH + u64::from(to_driver_length.unsigned_abs()) <= file.metadata()?.len();
    if capacity <= 0 || capacity.count_ones() != 1 || !fits {
        return Ok(Existing::Malformed { to_driver_length });
    }
    let heartbeat_at = HEADER_LENGTH + u64::from(to_driver_length.unsigned_abs()) - HEARTBEAT_BEFORE_RING_END;
    Ok(Existing::Driver(ExistingDriver {
        pid: i64_at(file, PID_AT)?,
        started: EpochMillis::new(i64_at(file, STARTED_AT)?),
        heartbeat: EpochMillis::new(i64_at(file, heartbeat_at)?),
    }))
}

fn not_ready(file: &File) -> io::Result<Existing> {
    let changed = file.metadata()?.modified()?;
    let since_epoch = changed.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let changed = EpochMillis::new(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX));
    Ok(Existing::NotReady { changed })
}

fn i32_at(file: &File, offset: u64) -> io::Result<i32> {
    let mut bytes = [0; 4];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(i32::from_le_bytes(bytes))
}

fn i64_at(file: &File, offset: u64) -> io::Result<i64> {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(i64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_decides_and_a_clean_stop_has_none() {
        let driver =
            |heartbeat| ExistingDriver { pid: 1, started: EpochMillis::new(0), heartbeat: EpochMillis::new(heartbeat) };
        let now = EpochMillis::new(1_000_000);
        assert!(driver(990_000).is_active(now, 10_000));
        assert!(!driver(989_999).is_active(now, 10_000));
        assert!(driver(1_000_500).is_active(now, 10_000), "the clock was set back: rather refuse than destroy");
        assert!(!driver(-1).is_active(now, 10_000));
        assert!(!driver(0).is_active(now, 10_000));
    }
}
