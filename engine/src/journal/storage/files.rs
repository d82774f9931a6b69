//! A journal's files in a directory of a file system.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};

use super::{FileInfo, Lock, Share, Storage, Stored};
use crate::journal::error::JournalError;
use crate::memory::{FileAccess, MappedFile, Region, Reserve, extend_file};
use crate::time::EpochNanos;

/// Only the user has access to the files and to the directory.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// The files of a directory.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The directory at `path`. It need not exist for reading; it then has no files.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The directory at `path`. Creates it if it does not exist, with access for this user only.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    pub fn make(path: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let path = path.into();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(&path)
            .map_err(|source| JournalError::Io { action: "make", path: path.clone(), source })?;
        Ok(Self { path })
    }

    fn failed(&self, action: &'static str, name: &str) -> impl FnOnce(io::Error) -> JournalError {
        let path = self.path(name);
        move |source| JournalError::Io { action, path, source }
    }
}

/// Returns false if there is no such file.
fn found(outcome: io::Result<()>) -> io::Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn stored(file: MappedFile) -> Stored {
    // Other processes can truncate any of these files at any time. That must not kill a process that has one open.
    Stored { view: Region::mapped(file.guarded()).view(), syncs: None }
}

// SAFETY: each file is mapped anew each time. A lock is that of a file that was opened for it alone, which excludes other
// threads as it does other processes.
unsafe impl Storage for Directory {
    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.path.clone() } else { self.path.join(name) }
    }

    fn names(&self) -> Result<Vec<String>, JournalError> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed("list", "")(error)),
        };
        let names = entries.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect::<io::Result<_>>().map_err(self.failed("list", ""))
    }

    fn create(&self, name: &str, length: u64, reserve: Reserve) -> Result<Stored, JournalError> {
        Ok(stored(MappedFile::create(&self.path(name), length, FILE_MODE, reserve)?))
    }

    fn open(&self, name: &str, least: u64, access: FileAccess) -> Result<Stored, JournalError> {
        Ok(stored(MappedFile::open(&self.path(name), least, access)?))
    }

    fn publish(&self, from: &str, to: &str) -> Result<bool, JournalError> {
        // A hard link fails if the name exists, whereas a rename would replace the file.
        let published = match fs::hard_link(self.path(from), self.path(to)) {
            Ok(()) => true,
            // A file that appeared meanwhile is not the one to be named.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(self.failed("name", to)(error)),
        };
        self.remove(from)?;
        Ok(published)
    }

    fn rename(&self, from: &str, to: &str) -> Result<bool, JournalError> {
        found(fs::rename(self.path(from), self.path(to))).map_err(self.failed("rename", from))
    }

    fn remove(&self, name: &str) -> Result<bool, JournalError> {
        found(fs::remove_file(self.path(name))).map_err(self.failed("remove", name))
    }

    fn extend(&self, name: &str, length: u64) -> Result<bool, JournalError> {
        extend_file(&self.path(name), length)?;
        Ok(true)
    }

    fn sync_names(&self) -> Result<(), JournalError> {
        File::open(&self.path).and_then(|directory| directory.sync_all()).map_err(self.failed("sync", ""))
    }

    fn try_lock(&self, name: &str, share: Share) -> Result<Option<Lock>, JournalError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
        let file = options.open(self.path(name)).map_err(self.failed("open", name))?;
        let operation = match share {
            Share::Shared => FlockOperation::NonBlockingLockShared,
            Share::Exclusive => FlockOperation::NonBlockingLockExclusive,
        };
        match flock(&file, operation) {
            Ok(()) => Ok(Some(Lock::new(Held(file)))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(self.failed("lock", name)(error.into())),
        }
    }

    fn info(&self, name: &str) -> Result<Option<FileInfo>, JournalError> {
        match fs::metadata(self.path(name)) {
            Ok(found) => {
                let modified =
                    found.mtime().checked_mul(1_000_000_000).map(|time| time.saturating_add(found.mtime_nsec()));
                Ok(Some(FileInfo {
                    bytes: found.blocks() * 512,
                    modified: modified.map(EpochNanos::new),
                    identity: [found.dev(), found.ino()],
                }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("look at", name)(error)),
        }
    }

    fn free_space(&self) -> Result<Option<u64>, JournalError> {
        let found = rustix::fs::statvfs(&self.path).map_err(|error| self.failed("look at", "")(error.into()))?;
        Ok(Some(found.f_bavail.saturating_mul(found.f_frsize)))
    }

    fn boot_id(&self) -> [i64; 2] {
        // An unknown boot id never equals another, not even itself: see `control`.
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        let half = |range| digits.get(range).and_then(|half| u64::from_str_radix(half, 16).ok()).unwrap_or(0);
        [half(0..16).cast_signed(), half(16..32).cast_signed()]
    }
}

/// A locked file.
#[derive(Debug)]
struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that another thread is just starting also has it open, until it
        // runs its program. If unlocking fails, the lock ends when that process closes the file.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gets_its_name_once() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Directory::make(dir.path().join("deep/er")).unwrap();
        storage.create("a.new", 64, Reserve::Space).unwrap();
        storage.create("b.new", 128, Reserve::Space).unwrap();
        assert!(storage.publish("a.new", "a").unwrap());
        assert!(!storage.publish("b.new", "a").unwrap());
        assert_eq!(storage.names().unwrap(), ["a"]);
        assert_eq!(storage.open("a", 1, FileAccess::ReadOnly).unwrap().view().len(), 64, "the first one");
        assert!(!storage.publish("b.new", "d").unwrap());
        assert!(!storage.rename("b.new", "c").unwrap() && !storage.remove("b.new").unwrap());
        storage.sync_names().unwrap();
    }

    #[test]
    fn locks_are_shared_or_not_and_end_with_their_holder() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Directory::at(dir.path());
        let lock = |share| storage.try_lock("lock", share).unwrap();
        let one = lock(Share::Shared);
        let other = lock(Share::Shared);
        assert!(one.is_some() && other.is_some() && lock(Share::Exclusive).is_none());
        drop((one, other));
        let alone = lock(Share::Exclusive);
        assert!(alone.is_some() && lock(Share::Shared).is_none());
    }

    /// A process that is being started has the same open file for a while.
    #[test]
    fn a_lock_ends_though_its_file_is_open_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Directory::at(dir.path());
        let file = File::create(dir.path().join("lock")).unwrap();
        flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        let elsewhere = file.try_clone().unwrap();
        assert!(storage.try_lock("lock", Share::Shared).unwrap().is_none());
        drop(Held(file));
        assert!(storage.try_lock("lock", Share::Shared).unwrap().is_some());
        drop(elsewhere);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("0-0.rec")).unwrap();
        let storage = Directory::at(dir.path());
        let error = storage.open("0-0.rec", 1, FileAccess::ReadOnly).unwrap_err();
        assert!(error.to_string().ends_with("0-0.rec: not a regular file"), "{error}");
        assert!(Directory::at(dir.path().join("missing")).names().unwrap().is_empty());
        assert_ne!(storage.boot_id(), [0, 0], "every Linux has one");
    }
}
