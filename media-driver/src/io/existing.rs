//! Inspects the command file of a directory that existed before the driver: whose it is, and whether that driver is
//! alive. Called when a directory is taken. It never writes to the directory.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use gannet::cnc::{CNC_FILE_NAME, CncFile, CncOpenError, DriverState};
use gannet::memory::{FileAccess, MapError};
use gannet::time::EpochMillis;
use gannet::types::SemanticVersion;

use super::moment::utc;

/// What a directory's command file tells.
#[derive(Debug)]
pub(super) enum Existing {
    /// There is none.
    Absent,
    /// It is empty, too short, or its version or heartbeat is not stored yet: a driver is starting, or died while it did.
    NotReady {
        /// When it was last changed.
        changed: EpochMillis,
    },
    /// Another major version, whose layout is not known.
    OtherVersion(SemanticVersion),
    /// A version that is known, and lengths that cannot be.
    Damaged(CncOpenError),
    /// A driver's.
    Driver(ExistingDriver),
}

/// A driver as its command file shows it.
#[derive(Debug)]
pub(super) struct ExistingDriver {
    cnc: CncFile,
}

impl ExistingDriver {
    /// Its process, as its own process namespace numbers it. Says nothing about whether it lives.
    pub(super) fn pid(&self) -> i64 {
        self.cnc.pid()
    }

    /// When it was started.
    pub(super) fn started(&self) -> EpochMillis {
        self.cnc.start_timestamp()
    }

    /// Whether it lives, by its heartbeat.
    pub(super) fn state(&self, now: EpochMillis, timeout: Duration) -> DriverState {
        self.cnc.driver_state(now, timeout)
    }

    /// Saves the errors that it logged, if there are any, to a file beside its directory; where the reference saves them.
    ///
    /// # Errors
    ///
    /// With the file that could not be written.
    pub(super) fn save_errors(
        &self,
        directory: &Path,
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
        match fs::write(&path, text) {
            Ok(()) => Ok(Some(path)),
            Err(error) => Err((path, error)),
        }
    }
}

/// Looks at the command file in `directory`.
///
/// # Errors
///
/// What the operating system says, except that the file is not there.
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

/// When the file was last changed, as far as its file system knows: stores through a mapping need not count.
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
