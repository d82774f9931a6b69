//! Why a driver directory cannot be used. The rest of this folder returns these errors, and the user who starts the
//! driver sees them.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use gannet::cnc::{CNC_FILE_NAME, CNC_VERSION, CncOpenError};
use gannet::time::EpochMillis;
use gannet::types::SemanticVersion;

use crate::io::existing::ExistingDriver;
use crate::io::moment::utc;

/// Why a directory cannot be used, and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// A driver is running in it.
    #[error(
        "an active media driver has {}: process {pid}, started {}, last heartbeat {heartbeat_age_ms} ms ago; stop it, or \
         choose another directory with --dir{}", path.display(), utc(*started), if_killed(*.holds_lock)
    )]
    Active {
        /// The directory.
        path: PathBuf,
        /// The driver's process id in its own namespace.
        pid: i64,
        /// When the driver was started.
        started: EpochMillis,
        /// The age of its heartbeat in milliseconds.
        heartbeat_age_ms: i64,
        /// Whether it holds the lock, as only a gannet-driver does that still runs.
        holds_lock: bool,
    },
    /// A gannet-driver has locked the directory, although its heartbeat is missing or old.
    #[error(
        "a gannet-driver holds {}, {}; {}", path.display(), held_by(*.pid, *.heartbeat_age_ms),
        "if it is starting or stopping, try again in a moment; if it is stuck, end it first, or choose another directory \
         with --dir"
    )]
    Held {
        /// The directory.
        path: PathBuf,
        /// The process id in its command file, if there is one.
        pid: Option<i64>,
        /// The age of the heartbeat in milliseconds, if there is one.
        heartbeat_age_ms: Option<i64>,
    },
    /// Its command file has an unsupported version.
    #[error(
        "{} was made by a driver of another version: its command file is version {version}, this driver's is {CNC_VERSION}; \
         if no such driver runs any more, remove the directory or start with --delete-dir-on-start, otherwise choose another \
         directory with --dir", path.display()
    )]
    OtherVersion {
        /// The directory.
        path: PathBuf,
        /// The version found.
        version: SemanticVersion,
    },
    /// Its command file is invalid.
    #[error(
        "whether a driver of {} is alive cannot be told: {source}; if none runs there, remove the directory or start with \
         --delete-dir-on-start", path.display()
    )]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        source: CncOpenError,
    },
    /// The path is not a directory.
    #[error("{} is not a directory; choose another with --dir", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// It is a directory of something else.
    #[error(
        "{} is not a driver's directory: it has {}, and no {CNC_FILE_NAME}; choose a directory of its own with --dir, or \
         empty this one", path.display(), entries_in(entry, *.entries)
    )]
    NotADrivers {
        /// The directory.
        path: PathBuf,
        /// The first of its entries by name.
        entry: OsString,
        /// The number of entries.
        entries: usize,
    },
    /// It belongs to another user.
    #[error(
        "{} belongs to user {owner} and this driver runs as user {user}; run it as the directory's owner, or choose another \
         directory with --dir", path.display()
    )]
    NotOwned {
        /// The directory.
        path: PathBuf,
        /// The user id that owns it.
        owner: u32,
        /// The user id that the driver runs as.
        user: u32,
    },
    /// The user has no permission.
    #[error(
        "no permission to {action} {}; run the driver as a user who may, or choose another directory with --dir",
        path.display()
    )]
    NoPermission {
        /// What was attempted.
        action: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// Its path is too long for clients.
    #[error(
        "{} is {length} bytes long, and clients take {longest} at most for a driver directory; choose a shorter one with \
         --dir", path.display()
    )]
    TooLong {
        /// The directory.
        path: PathBuf,
        /// The length of its path in bytes.
        length: usize,
        /// The maximum length in bytes.
        longest: usize,
    },
    /// Other processes keep replacing it.
    #[error("{} is replaced again and again by others; give each driver a directory of its own", path.display())]
    Contended {
        /// The directory.
        path: PathBuf,
    },
    /// The operating system reported an error.
    #[error("cannot {action} {}: {source}; mend that, or choose another directory with --dir", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

impl DirectoryError {
    /// The error for a driver that is alive.
    pub(super) fn active(path: &Path, driver: &ExistingDriver, heartbeat_age_ms: i64, holds_lock: bool) -> Self {
        let (pid, started) = (driver.pid(), driver.started());
        Self::Active { path: path.to_owned(), pid, started, heartbeat_age_ms, holds_lock }
    }
}

/// Converts an error of the operating system.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DirectoryError {
    move |source| {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied => DirectoryError::NoPermission { action, path },
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => DirectoryError::NotADirectory { path },
            _ => DirectoryError::Io { action, path, source },
        }
    }
}

fn entries_in(first: &OsStr, entries: usize) -> String {
    let others = match entries.saturating_sub(1) {
        0 => return first.display().to_string(),
        1 => "another entry".to_owned(),
        others => format!("{others} others"),
    };
    format!("{} and {others}", first.display())
}

/// What to do about a driver whose heartbeat alone tells that it is alive.
fn if_killed(holds_lock: bool) -> &'static str {
    if holds_lock {
        return "";
    }
    "; if it was killed, wait until that is longer ago than aeron.driver.timeout, or start with --delete-dir-on-start"
}

fn held_by(pid: Option<i64>, heartbeat_age_ms: Option<i64>) -> String {
    match (pid, heartbeat_age_ms) {
        (Some(pid), Some(age_ms)) => format!("process {pid}, which has not shown itself for {age_ms} ms"),
        (Some(pid), None) => format!("process {pid}, which is stopping"),
        (None, _) => "which is starting".to_owned(),
    }
}
