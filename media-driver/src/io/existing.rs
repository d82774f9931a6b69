//! Inspects the command file of an existing directory: its driver, and whether that driver is alive. Used when a
//! directory is taken. It never writes to the directory.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gannet::cnc::{CNC_FILE_NAME, CncFile, CncOpenError, DriverState};
use gannet::memory::{FileAccess, MapError};
use gannet::time::EpochMillis;
use gannet::types::SemanticVersion;

use super::moment::utc;

/// The state of a directory's command file.
#[derive(Debug)]
pub(super) enum Existing {
    /// There is no command file.
    Absent,
    /// The file is empty or too short, or has no version or heartbeat yet: a driver is starting, or died while
    /// starting.
    NotReady {
        /// When it was last changed.
        changed: EpochMillis,
    },
    /// The file has another major version, whose layout is unknown.
    OtherVersion(SemanticVersion),
    /// The version is known, but lengths are invalid.
    Damaged(CncOpenError),
    /// The file belongs to a driver.
    Driver(ExistingDriver),
}

/// A driver according to its command file.
#[derive(Debug)]
pub(super) struct ExistingDriver {
    cnc: CncFile,
}

impl ExistingDriver {
    /// The process id in its own namespace. Does not show whether it is alive.
    pub(super) fn pid(&self) -> i64 {
        self.cnc.pid()
    }

    /// When the driver was started.
    pub(super) fn started(&self) -> EpochMillis {
        self.cnc.start_timestamp()
    }

    /// Whether the driver is alive, by one look at its heartbeat.
    pub(super) fn state(&self, now: EpochMillis, timeout: Duration) -> DriverState {
        self.cnc.driver_state(now, timeout)
    }

    /// Its last heartbeat.
    pub(super) fn heartbeat(&self) -> EpochMillis {
        self.cnc.heartbeat()
    }

    /// Saves the errors in its error log, if there are any, to a file with these permission bits beside its directory, at
    /// the same place as the reference.
    ///
    /// # Errors
    ///
    /// The file that could not be written, and the error.
    pub(super) fn save_errors(
        &self,
        directory: &Path,
        mode: u32,
        now: EpochMillis,
    ) -> Result<Option<PathBuf>, (PathBuf, io::Error)> {
        let mut text = String::new();
        let mut count = 0;
        let damage = self.cnc.errors().for_each(EpochMillis::new(i64::MIN), |error| {
            count += 1;
            let (first, last) = (utc(error.first), utc(error.last));
            let _ = writeln!(text, "{} observations from {first} to {last} for:\n {}\n", error.count, error.text);
        });
        if let Err(damage) = damage {
            let _ = writeln!(text, "{damage}");
            count += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        let _ = writeln!(text, "{count} distinct errors observed.");
        let name = format!("{}-{}+0000-error.log", directory.display(), utc(now).replace(':', "-"));
        let path = PathBuf::from(name);
        // A new file: others may create files and links there.
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
        match file.and_then(|mut file| file.write_all(text.as_bytes())) {
            Ok(()) => Ok(Some(path)),
            Err(error) => Err((path, error)),
        }
    }
}

/// Inspects the command file in `directory`.
///
/// # Errors
///
/// An error of the operating system, except that the file does not exist.
pub(super) fn look(directory: &Path) -> io::Result<Existing> {
    Ok(match CncFile::open(directory, FileAccess::ReadOnly) {
        Ok(cnc) => Existing::Driver(ExistingDriver { cnc }),
        Err(CncOpenError::Absent { .. }) => Existing::Absent,
        Err(CncOpenError::TooShort { .. } | CncOpenError::NotReady { .. }) => not_ready(directory)?,
        Err(CncOpenError::Incompatible { found, .. }) => Existing::OtherVersion(found),
        Err(CncOpenError::Map(MapError::Io { source, .. })) => return Err(source),
        Err(error) => Existing::Damaged(error),
    })
}

/// When the file was last changed, according to the file system. Stores through a mapping may not count.
pub(super) fn not_ready(directory: &Path) -> io::Result<Existing> {
    let changed = match fs::metadata(directory.join(CNC_FILE_NAME)) {
        Ok(file) => file.modified()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Existing::Absent),
        Err(error) => return Err(error),
    };
    let since_epoch = changed.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let changed = EpochMillis::new(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX));
    Ok(Existing::NotReady { changed })
}
