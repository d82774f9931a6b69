//! The storage of a journal's files: a directory, or the memory of a simulation that can lose unsynced data. Everything
//! that the journal asks of an operating system goes through here; nothing here knows the content of the files.
#![allow(unsafe_code, reason = "UNSAFE FENCE: promises what journals rely on when they lend the bytes of files")]

mod files;
mod memory;

use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, io};

pub use files::Directory;
pub use memory::{Crash, MemoryStorage};

use super::error::JournalError;
use crate::memory::{AtomicBuffer, Field, FileAccess, MapError, RawAccess, Reserve};
use crate::time::EpochNanos;

/// The files of one directory, by name.
///
/// ```compile_fail,E0200
/// use std::{io, path::PathBuf, sync::Arc};
/// use gannet::journal::{JournalError, storage::{Lock, Share, Storage, Stored}};
/// use gannet::memory::{FileAccess, Reserve};
///
/// /// Its locks keep nobody out.
/// #[derive(Debug)]
/// struct Careless(Arc<dyn Storage>);
///
/// impl Storage for Careless {
///     fn path(&self, name: &str) -> PathBuf { self.0.path(name) }
///     fn names(&self) -> Result<Vec<String>, JournalError> { self.0.names() }
///     fn create(&self, name: &str, length: u64, reserve: Reserve) -> Result<Stored, JournalError> {
///         self.0.create(name, length, reserve)
///     }
///     fn open(&self, name: &str, least: u64, access: FileAccess) -> Result<Stored, JournalError> {
///         self.0.open(name, least, access)
///     }
///     fn publish(&self, from: &str, to: &str) -> Result<bool, JournalError> { self.0.publish(from, to) }
///     fn rename(&self, from: &str, to: &str) -> Result<bool, JournalError> { self.0.rename(from, to) }
///     fn remove(&self, name: &str) -> Result<bool, JournalError> { self.0.remove(name) }
///     fn sync_names(&self) -> Result<(), JournalError> { self.0.sync_names() }
///     fn try_lock(&self, _: &str, _: Share) -> Result<Option<Lock>, JournalError> { Ok(Some(Lock::new(()))) }
///     fn boot_id(&self) -> [i64; 2] { self.0.boot_id() }
/// }
/// ```
///
/// # Safety
///
/// Journals copy and lend the bytes of files. What keeps two threads of a process from the same bytes is that they have
/// separate mappings, or that they hold locks. So an implementation must promise:
///
/// - Each [`Stored`] that [`Self::create`] or [`Self::open`] returns is a mapping of its own, whose clones it keeps from
///   others. It is better to pass on what another storage has returned. Only a storage that
///   [`RawAccess`] was needed for may share memory between those who open a file.
/// - [`Self::try_lock`] returns a lock only if no holder has one of that name, unless all of them share it. Whoever
///   removes the files of locks does not count.
pub unsafe trait Storage: fmt::Debug + Send + Sync {
    /// The path of a file, for messages. The path of the directory if the name is empty.
    fn path(&self, name: &str) -> PathBuf;

    /// The names of all files, in no particular order. Names that are not valid text are left out.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    fn names(&self) -> Result<Vec<String>, JournalError>;

    /// Creates a file of `length` zero bytes, reserves its space, and maps it. The file must not exist.
    ///
    /// # Errors
    ///
    /// As [`MappedFile::create`](crate::memory::MappedFile::create).
    fn create(&self, name: &str, length: u64, reserve: Reserve) -> Result<Stored, JournalError>;

    /// Maps a whole file of at least `least` bytes.
    ///
    /// # Errors
    ///
    /// As [`MappedFile::open`](crate::memory::MappedFile::open).
    fn open(&self, name: &str, least: u64, access: FileAccess) -> Result<Stored, JournalError>;

    /// Renames a file to its final name. Returns false if the final name exists already, or if the file does not exist.
    /// The old name is removed in every case.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    fn publish(&self, from: &str, to: &str) -> Result<bool, JournalError>;

    /// Renames a file. Returns false if there is no such file.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    fn rename(&self, from: &str, to: &str) -> Result<bool, JournalError>;

    /// Removes a file. Returns false if there is no such file.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    fn remove(&self, name: &str) -> Result<bool, JournalError>;

    /// Extends a file with zero bytes whose space is reserved. Existing mappings stay valid. Returns false if the
    /// storage cannot extend files.
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
    /// An error of the operating system.
    fn sync_names(&self) -> Result<(), JournalError>;

    /// Tries to take a lock, without waiting. The lock ends with the process at the latest. `None` if another holder
    /// does not share it.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    fn try_lock(&self, name: &str, share: Share) -> Result<Option<Lock>, JournalError>;

    /// The file's size on disk, modification time and identity. `None` if there is no such file, or if the storage does
    /// not know them.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    fn info(&self, name: &str) -> Result<Option<FileInfo>, JournalError> {
        let _ = name;
        Ok(None)
    }

    /// The free space in bytes. `None` if the storage does not know it.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    fn free_space(&self) -> Result<Option<u64>, JournalError> {
        Ok(None)
    }

    /// A number that changes when the machine is restarted. While it is the same, everything that was stored in a
    /// mapping is there, synced or not.
    fn boot_id(&self) -> [i64; 2];
}

impl dyn Storage + '_ {
    /// As [`Storage::open`]. `None` if there is no such file.
    pub(crate) fn find(&self, name: &str, least: u64, access: FileAccess) -> Result<Option<Stored>, JournalError> {
        match self.open(name, least, access) {
            Ok(stored) => Ok(Some(stored)),
            Err(JournalError::Map(error)) if error.io_kind() == Some(io::ErrorKind::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// As [`Self::find`], for a file that can be rebuilt. Also `None` if the file is too short.
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

    /// Creates a file, and replaces an existing one. It has a temporary name until `fill` has filled it, so it never
    /// appears incomplete. Removes a temporary file that a killed process left.
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

    /// Creates a file under a temporary name, and returns that name.
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

    /// The first of `name`, `name-2`, `name-3` and so on that no file has.
    pub(crate) fn free_name(&self, name: String) -> Result<String, JournalError> {
        let names = self.names()?;
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !names.contains(name));
        Ok(free.unwrap_or(name))
    }

    /// The error for a file of a recording that the catalog does not list.
    pub(crate) fn unlisted(&self, name: &str) -> JournalError {
        JournalError::Unlisted { file: self.path(name), dir: self.path("") }
    }
}

/// A file's properties in the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// The number of bytes that the file occupies on disk.
    pub bytes: u64,
    /// When the file was last written, if known.
    pub modified: Option<EpochNanos>,
    /// Two numbers, of the device and of the file, that no other file has as long as this one exists or is mapped.
    pub identity: [u64; 2],
}

/// Whether several holders can share a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Several holders share the lock.
    Shared,
    /// There is one holder.
    Exclusive,
}

/// A lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _held: Box<dyn fmt::Debug + Send + Sync>,
}

impl Lock {
    /// A lock that is held as long as `held` exists.
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

/// The receiver of syncs in a storage without mapped files.
pub(crate) trait SyncTarget: fmt::Debug + Send + Sync {
    /// Makes the range's present content stable.
    fn sync(&self, view: &AtomicBuffer, offset: usize, len: usize) -> io::Result<()>;

    /// Is told that the range is stored again, as it is.
    fn store_again(&self, offset: usize, len: usize);
}

/// The unit in which operating systems write what is stored in mappings. Where it is larger, the same is stored more often.
pub(crate) const PAGE: usize = 4096;

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

    /// Whether the mapping has always shown the file. False once the file was truncated, or its disk failed, and a
    /// missing page was accessed. Such a page shows zeroes.
    pub(crate) fn is_intact(&self) -> bool {
        self.view.is_intact()
    }

    /// The first `length` bytes of the file.
    pub(crate) fn first(&self, length: usize) -> Self {
        Self { view: self.view.slice(0, length), syncs: self.syncs.clone() }
    }

    /// A copy of the first `length` bytes, which no file has.
    pub(crate) fn copy(&self, length: usize) -> Self {
        let view = AtomicBuffer::heap(length);
        view.copy_from(0, &self.view, 0, length);
        Self { view, syncs: None }
    }

    /// Stores a word of each page of a range again, as it is, so that the next sync writes these pages. If a page could not
    /// be written, Linux reports that once, to those who have the file open, and from then on takes the page for written.
    /// Pages that begin with a word of 8 bytes are for [`Self::store_word_again`].
    pub(crate) fn store_again(&self, offset: usize, len: usize) {
        let end = (offset + len).min(self.view.len());
        for page in (offset / PAGE * PAGE..end).step_by(PAGE) {
            if page + size_of::<i32>() <= self.view.len() {
                let word = self.view.word_at::<i32>(page);
                let found = word.load_relaxed();
                // An exchange, because others may store to it. If it fails, they have just done that.
                let _ = word.compare_exchange(found, found);
            }
        }
        if let Some(target) = &self.syncs {
            target.store_again(offset, len);
        }
    }

    /// As [`Self::store_again`], for the page of this word.
    pub(crate) fn store_word_again(&self, field: Field<i64>) {
        let word = self.view.word(field);
        let found = word.load_relaxed();
        let _ = word.compare_exchange(found, found);
        if let Some(target) = &self.syncs {
            target.store_again(field.start(), size_of::<i64>());
        }
    }

    /// Waits until a range is on stable storage. After a failure, see [`Self::store_again`].
    pub(crate) fn sync(&self, offset: usize, len: usize) -> std::io::Result<()> {
        if let Some(target) = &self.syncs {
            target.sync(&self.view, offset, len)?;
        }
        self.view.sync(offset, len)
    }
}
