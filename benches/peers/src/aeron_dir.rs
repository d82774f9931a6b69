//! Directories for drivers: unique, in memory, and removed when dropped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

/// A path for one driver's files in `/dev/shm`, or elsewhere in the directory for temporary files. The driver creates
/// the directory itself. It is removed on drop.
#[derive(Debug)]
pub struct AeronDir {
    path: PathBuf,
}

impl AeronDir {
    /// A path that no other test on this machine uses, and at which nothing is. `purpose` is part of the name.
    pub fn unique(purpose: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let shared_memory = Path::new("/dev/shm");
        let parent = if shared_memory.is_dir() { shared_memory.to_owned() } else { env::temp_dir() };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("gannet-peers-{purpose}-{}-{number}", process::id()));
        // A process that had this id before may have been killed. Its driver's files look ready.
        let _ = fs::remove_dir_all(&path);
        Self { path }
    }

    /// The path of the driver's files.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for AeronDir {
    fn drop(&mut self) {
        // The directory does not exist if no driver was started. Other errors cannot be reported from here.
        let _ = fs::remove_dir_all(&self.path);
    }
}
