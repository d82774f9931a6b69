//! The parameters of a request for a driver directory.

use std::path::PathBuf;
use std::time::Duration;

use gannet::cnc::default_directory;

use crate::config::{DirectoryAccess, DriverConfig};

/// A request for a driver directory.
#[derive(Clone, Debug)]
pub struct DirectoryRequest {
    /// The path. Relative paths start at the working directory.
    pub path: PathBuf,
    /// Whether to remove its content without checking the heartbeat.
    pub delete_on_start: bool,
    /// Which users may use it.
    pub access: DirectoryAccess,
    /// The maximum age of a live driver's heartbeat.
    pub driver_timeout: Duration,
}

impl DirectoryRequest {
    /// The request according to a configuration.
    pub fn of(config: &DriverConfig) -> Self {
        let directory = &config.directory;
        Self {
            path: directory.dir.clone().unwrap_or_else(default_directory),
            delete_on_start: directory.delete_on_start,
            access: directory.access,
            driver_timeout: Duration::from_millis(directory.driver_timeout.get()),
        }
    }
}

/// The permission bits of directories.
pub fn directory_mode(access: DirectoryAccess) -> u32 {
    match access {
        DirectoryAccess::Private => 0o700,
        DirectoryAccess::Group => 0o750,
    }
}

/// The permission bits of files.
pub fn file_mode(access: DirectoryAccess) -> u32 {
    match access {
        DirectoryAccess::Private => 0o600,
        DirectoryAccess::Group => 0o660,
    }
}
