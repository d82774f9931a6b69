//! Why a driver directory cannot be taken. The rest of this folder makes these errors; the user who starts the driver
//! sees them.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use gannet::cnc::{CNC_FILE_NAME, CNC_VERSION, CncOpenError};
use gannet::time::EpochMillis;
use gannet::types::SemanticVersion;

use crate::io::existing::ExistingDriver;
use crate::io::moment::utc;

/// Why a directory cannot be had, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Its driver is alive.
    #[error(
        "an active media driver has {}: process {pid}, started {}, last heartbeat {heartbeat_age_ms} ms ago; stop it, or \
         choose another directory with --dir", path.display(), utc(*started)
    )]
    Active {
        /// The directory.
        path: PathBuf,
        /// The driver's process, as its own process namespace numbers it.
        pid: i64,
        /// When it was started.
        started: EpochMillis,
        /// The age of its heartbeat in milliseconds.
        heartbeat_age_ms: i64,
    },
    /// A gannet-driver holds it though its heartbeat is not there or old.
    #[error(
        "a gannet-driver holds {}, {}; {}", path.display(), held_by(*.pid, *.heartbeat_age_ms),
        "if it is starting or stopping, try again in a moment; if it is stuck, end it first, or choose another directory \
         with --dir"
    )]
    Held {
        /// The directory.
        path: PathBuf,
        /// The process that its command file names, if there is one.
        pid: Option<i64>,
        /// The age of the heartbeat in milliseconds, if there is one.
        heartbeat_age_ms: Option<i64>,
    },
    /// Its command file has another layout.
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
    /// Its command file cannot be one.
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
    /// Something else is there.
    #[error("{} is not a directory; choose another with --dir", path.display())]
    NotADirectory {
        /// What was to be the directory.
        path: PathBuf,
    },
    /// A directory of something else.
    #[error(
        "{} is not a driver's directory: it has {}, and no {CNC_FILE_NAME}; choose a directory of its own with --dir, or \
         empty this one", path.display(), entries_in(entry, *.entries)
    )]
    NotADrivers {
        /// The directory.
        path: PathBuf,
        /// The first of its entries by name.
        entry: OsString,
        /// How many there are.
        entries: usize,
    },
    /// Another user's.
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
    /// Not allowed.
    #[error(
        "no permission to {action} {}; run the driver as a user who may, or choose another directory with --dir",
        path.display()
    )]
    NoPermission {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
    },
    /// Longer than clients can take.
    #[error(
        "{} is {length} bytes long, and clients take {longest} at most for a driver directory; choose a shorter one with \
         --dir", path.display()
    )]
    TooLong {
        /// The directory.
        path: PathBuf,
        /// The length of its path in bytes.
        length: usize,
        /// The greatest length in bytes.
        longest: usize,
    },
    /// Replaced again and again while it was being taken.
    #[error("{} is replaced again and again by others; give each driver a directory of its own", path.display())]
    Contended {
        /// The directory.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}; mend that, or choose another directory with --dir", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
}

impl DirectoryError {
    /// Its driver is alive.
    pub(super) fn active(path: &Path, driver: &ExistingDriver, heartbeat_age_ms: i64) -> Self {
        Self::Active { path: path.to_owned(), pid: driver.pid(), started: driver.started(), heartbeat_age_ms }
    }
}

/// Turns an answer of the operating system into an error that says what was attempted on what.
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

fn held_by(pid: Option<i64>, heartbeat_age_ms: Option<i64>) -> String {
    match (pid, heartbeat_age_ms) {
        (Some(pid), Some(age_ms)) => format!("process {pid}, which has not shown itself for {age_ms} ms"),
        (Some(pid), None) => format!("process {pid}, which is stopping"),
        (None, _) => "which is starting".to_owned(),
    }
}
