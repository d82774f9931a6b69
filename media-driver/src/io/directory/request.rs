//! The parameters of a request for a driver directory.

use std::path::PathBuf;
use std::time::Duration;

use gannet::cnc::default_directory;

use crate::config::{DirectoryAccess, DriverConfig};

/// What is asked of a directory.
#[derive(Clone, Debug)]
pub struct DirectoryRequest {
    /// Where it is; relative paths start at the working directory.
    pub path: PathBuf,
    /// Whether its contents go without looking at the heartbeat.
    pub delete_on_start: bool,
    /// Who may use it.
    pub access: DirectoryAccess,
    /// How old a live driver's heartbeat may be.
    pub driver_timeout: Duration,
}

impl DirectoryRequest {
    /// What a configuration asks for.
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

/// The permission bits of directories for this access.
pub fn directory_mode(access: DirectoryAccess) -> u32 {
    match access {
        DirectoryAccess::Private => 0o700,
        DirectoryAccess::Group => 0o750,
    }
}

/// The permission bits of files for this access.
pub fn file_mode(access: DirectoryAccess) -> u32 {
    match access {
        DirectoryAccess::Private => 0o600,
        DirectoryAccess::Group => 0o660,
    }
}
