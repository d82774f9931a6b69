//! The storage of a journal's files: a directory, or the memory of a simulation that can lose unsynced data. Everything
//! that the journal asks of an operating system goes through here; nothing here knows the content of the files.

mod files;
mod memory;

use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, io};

pub use files::Directory;
pub use memory::{Crash, MemoryStorage};

use super::error::JournalError;
use crate::memory::{AtomicBuffer, FileAccess, MapError, RawAccess, Reserve};
use crate::time::EpochNanos;

/// The files of one directory, by name.
pub trait Storage: fmt::Debug + Send + Sync {
    /// The path of a file, for messages; of the directory for an empty name.
    fn path(&self, name: &str) -> PathBuf;

    /// The names of all files, in no order. Names that are no text are left out.
    ///
    /// # Errors
    ///
    /// What the operating system says of the directory.
    fn names(&self) -> Result<Vec<String>, JournalError>;

    /// Makes a file of `length` zero bytes whose space is promised, and maps it. The file must not exist.
    ///
    /// # Errors
    ///
    /// As [`MappedFile::create`](crate::memory::MappedFile::create).
    fn create(&self, name: &str, length: u64, reserve: Reserve) -> Result<Stored, JournalError>;

    /// Maps a file of at least `least` bytes, whole.
    ///
    /// # Errors
    ///
    /// As [`MappedFile::open`](crate::memory::MappedFile::open).
    fn open(&self, name: &str, least: u64, access: FileAccess) -> Result<Stored, JournalError>;

    /// Gives a file its final name, unless there is a file of that name, or none of the first: then false. The first name is gone in
    /// every case.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    fn publish(&self, from: &str, to: &str) -> Result<bool, JournalError>;

    /// Renames a file. False if there is none of that name.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    fn rename(&self, from: &str, to: &str) -> Result<bool, JournalError>;

    /// Removes a file. False if there is none of that name.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    fn remove(&self, name: &str) -> Result<bool, JournalError>;

    /// Makes a file longer, where it is: its new bytes are zero and their space is promised, and whoever has it mapped goes on with what
    /// was there. False where every file stays as long as it was made.
    ///
    /// # Errors
    ///
    /// As [`Self::create`].
    fn extend(&self, name: &str, length: u64) -> Result<bool, JournalError> {
        let _ = (name, length);
        Ok(false)
    }

    /// Waits until the names of the files are on stable storage.
    ///
    /// # Errors
    ///
    /// What the operating system says of the directory.
    fn sync_names(&self) -> Result<(), JournalError>;

    /// Takes a lock that ends with the process at the latest, without waiting for it. None if somebody has it who does not share.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    fn try_lock(&self, name: &str, share: Share) -> Result<Option<Lock>, JournalError>;

    /// What the file system says of a file. None for one that is not there, and where nobody keeps that.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    fn info(&self, name: &str) -> Result<Option<FileInfo>, JournalError> {
        let _ = name;
        Ok(None)
    }

    /// How many bytes there is room for. None where nobody knows.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    fn free_space(&self) -> Result<Option<u64>, JournalError> {
        Ok(None)
    }

    /// What changes when the machine is started again: until then, what was stored in a mapping is there, synced or not.
    fn boot_id(&self) -> [i64; 2];
}

impl dyn Storage + '_ {
    /// As [`Storage::open`]; None if there is no such file.
    pub(crate) fn find(&self, name: &str, least: u64, access: FileAccess) -> Result<Option<Stored>, JournalError> {
        match self.open(name, least, access) {
            Ok(stored) => Ok(Some(stored)),
            Err(JournalError::Map(error)) if error.io_kind() == Some(io::ErrorKind::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same of a file that can be made again: none, too, if it is too short to be one.
    pub(crate) fn find_whole(
        &self,
        name: &str,
        least: u64,
        access: FileAccess,
    ) -> Result<Option<Stored>, JournalError> {
        match self.find(name, least, access) {
            Err(JournalError::Map(MapError::TooShort { .. })) => Ok(None),
            found => found,
        }
    }

    /// Makes a file in the place of any that there is: under a name of its own until `fill` has filled it, so that nobody meets it
    /// half done, and whatever somebody left who was killed here is gone.
    pub(crate) fn make(
        &self,
        name: &str,
        length: u64,
        reserve: Reserve,
        fill: impl FnOnce(&Stored) -> Result<(), JournalError>,
    ) -> Result<Stored, JournalError> {
        let (new_name, stored) = self.make_beside(name, length, reserve, fill)?;
        self.rename(&new_name, name)?;
        Ok(stored)
    }

    /// Makes a file that is to have a name, under one of its own, which is returned.
    pub(crate) fn make_beside(
        &self,
        name: &str,
        length: u64,
        reserve: Reserve,
        fill: impl FnOnce(&Stored) -> Result<(), JournalError>,
    ) -> Result<(String, Stored), JournalError> {
        let new_name = format!("{name}.new");
        self.remove(&new_name)?;
        let stored = self.create(&new_name, length, reserve)?;
        fill(&stored)?;
        Ok((new_name, stored))
    }

    /// That no catalog tells of a file's recording.
    pub(crate) fn unlisted(&self, name: &str) -> JournalError {
        JournalError::Unlisted { file: self.path(name), dir: self.path("") }
    }
}

/// What a file system says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// How many bytes of the disk it takes up.
    pub bytes: u64,
    /// When it was written last, if that is known.
    pub modified: Option<EpochNanos>,
}

/// Whether a lock can be held by several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// By others who share it.
    Shared,
    /// By one.
    Exclusive,
}

/// A lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _held: Box<dyn fmt::Debug + Send + Sync>,
}

impl Lock {
    /// A lock that is held for as long as `held` lives.
    pub fn new(held: impl fmt::Debug + Send + Sync + 'static) -> Self {
        Self { _held: Box::new(held) }
    }
}

/// A mapped file.
#[derive(Clone, Debug)]
pub struct Stored {
    view: AtomicBuffer,
    syncs: Option<Arc<dyn SyncTarget>>,
}

/// What has to be told that a range is to be kept.
pub(crate) trait SyncTarget: fmt::Debug + Send + Sync {
    /// Keeps what is there now.
    fn sync(&self, view: &AtomicBuffer, offset: usize, len: usize) -> io::Result<()>;
}

impl Stored {
    /// The file's bytes.
    #[inline]
    pub(crate) fn view(&self) -> &AtomicBuffer {
        &self.view
    }

    /// The file's bytes, for tests that look at them or damage them.
    pub fn bytes(&self, _: RawAccess) -> &AtomicBuffer {
        &self.view
    }

    /// Whether all that was read was the file, and all that was stored went there. Not so once it was cut short, or its disk could not
    /// give it back, and somebody touched what is missing: zeroes are there then.
    pub(crate) fn is_intact(&self) -> bool {
        self.view.is_intact()
    }

    /// The first `length` bytes of it.
    pub(crate) fn first(&self, length: usize) -> Self {
        Self { view: self.view.slice(0, length), syncs: self.syncs.clone() }
    }

    /// Waits until a range is on stable storage.
    pub(crate) fn sync(&self, offset: usize, len: usize) -> std::io::Result<()> {
        if let Some(target) = &self.syncs {
            target.sync(&self.view, offset, len)?;
        }
        self.view.sync(offset, len)
    }
}
