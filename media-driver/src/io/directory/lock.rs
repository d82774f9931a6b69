//! The lock that a gannet-driver holds on its directory as long as it runs. Used when a directory is taken.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use gannet::cnc::DriverState;
use gannet::time::Clock;
use rustix::fs::{FlockOperation, flock};

use super::error::{DirectoryError, failed};
use super::request::{DirectoryRequest, directory_mode};
use crate::io::existing::{Existing, look};

/// How long to wait for a driver that is shutting down, in milliseconds.
const LEAVING_TIMEOUT_MS: i64 = 1_000;
/// The interval between two checks of a driver that is starting or shutting down.
const POLL_INTERVAL: Duration = Duration::from_millis(1);
/// How often the directory may be replaced while it is being taken.
const ATTEMPTS: usize = 100;

/// Opens the directory, creates it if necessary, and locks it. The lock is on the directory itself. If it is removed or
/// replaced between opening and locking, tries the new one.
pub(super) fn lock(path: &Path, request: &DirectoryRequest, clock: &dyn Clock) -> Result<(File, bool), DirectoryError> {
    let begun = clock.monotonic();
    for _ in 0..ATTEMPTS {
        let existed = path.exists();
        if !existed {
            match DirBuilder::new().recursive(true).mode(directory_mode(request.access)).create(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(failed("create", path)(error));
                }
                Err(_) if path.is_symlink() && !path.exists() => {
                    return Err(failed("create", path)(io::Error::other("it is a symbolic link that leads nowhere")));
                }
                _ => {}
            }
        }
        let flags = rustix::fs::OFlags::DIRECTORY.bits().cast_signed();
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed("open", path)(error)),
        };
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) => {}
                Err(error) => return Err(failed("lock", path)(error.into())),
            }
            let driver = match look(path) {
                Ok(Existing::Driver(driver)) => Some(driver),
                _ => None,
            };
            let state = driver.as_ref().map(|driver| driver.state(clock.epoch(), request.driver_timeout));
            if let (Some(driver), Some(state)) = (&driver, state)
                && let Some(age_ms) = age_of_active(state)
            {
                return Err(DirectoryError::active(path, driver, age_ms, true));
            }
            if clock.monotonic().since(begun) / 1_000_000 > LEAVING_TIMEOUT_MS {
                return Err(DirectoryError::Held {
                    path: path.to_owned(),
                    pid: driver.map(|driver| driver.pid()),
                    heartbeat_age_ms: match state {
                        Some(DriverState::Silent { age_ms }) => Some(age_ms),
                        _ => None,
                    },
                });
            }
            pause();
        }
        if leads_to(path, &file)? {
            return Ok((file, existed));
        }
    }
    Err(DirectoryError::Contended { path: path.to_owned() })
}

/// Whether the path leads to this open directory, which may have been removed or replaced.
pub(super) fn leads_to(path: &Path, directory: &File) -> Result<bool, DirectoryError> {
    let opened = directory.metadata().map_err(failed("look at", path))?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("look at", path)(error)),
    }
}

/// The age of the heartbeat of a driver that is alive, or may be. Negative if it is in the future.
fn age_of_active(state: DriverState) -> Option<i64> {
    match state {
        DriverState::Alive { age_ms } => Some(age_ms),
        DriverState::Ahead { ahead_ms } => Some(-ahead_ms),
        DriverState::Starting | DriverState::Silent { .. } | DriverState::ShutDown => None,
    }
}

/// Waits for another driver to progress.
pub(super) fn pause() {
    std::thread::sleep(POLL_INTERVAL);
}
