//! Files mapped into memory. Their space is reserved before use, so a full file system is an error at creation and
//! never a SIGBUS later.
#![allow(unsafe_code, reason = "UNSAFE FENCE: maps files")]

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{FallocateFlags, OFlags, fallocate, fstatvfs};
use rustix::io::Errno;
use rustix::mm::{Advice, madvise};
#[cfg(feature = "client")]
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
use rustix::thread::sched_yield;

use super::{AtomicBuffer, RawAccess, Region};

/// The maximum number of steps in which a file is created, and the minimum length of a step in bytes.
const MOST_STEPS: u64 = 256;
const LEAST_STEP: u64 = 1 << 20;
/// The minimum length of a step in bytes, if signals interrupt longer ones.
const LEAST_INTERRUPTED_STEP: u64 = 64 << 10;

/// A mapping of a whole file, shared with every other process that maps it.
#[derive(Debug)]
pub struct MappedFile {
    /// Declared before the mapping, so that it is dropped first.
    #[cfg(feature = "journal")]
    guard: Option<super::fault_guard::Guard>,
    map: MmapRaw,
    path: PathBuf,
}

/// How an existing file is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileAccess {
    /// Read-only, for tools. Needs no write permission. Stores through the mapping stay private to it.
    ReadOnly,
    /// Read and write, for clients and drivers.
    ReadWrite,
}

/// Whether the pages of a new file are mapped at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// Reserves the space in the file system. Pages are mapped on first use.
    Space,
    /// Reserves the space and maps all pages, so that no first use causes a page fault.
    SpaceAndPages,
}

/// Why a file could not be created or mapped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// The file system has too little space for the file.
    #[error(
        "cannot reserve {needed} bytes for {}: its file system has {available} bytes left; free some space or place \
         the directory elsewhere",
        path.display()
    )]
    NoSpace {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        needed: u64,
        /// The available space in bytes.
        available: u64,
    },
    /// The file is too short.
    #[error("cannot map {}: it is {found} bytes long, at least {expected} are needed", path.display())]
    TooShort {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        found: u64,
        /// The minimum length in bytes.
        expected: u64,
    },
    /// The operating system reported an error.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

impl MapError {
    /// The kind of the operating system's error, if there is one.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}

impl MappedFile {
    /// Creates a file of `length` zero bytes, reserves its space and maps it. The file must not exist. `mode` is its
    /// permission bits, whatever the umask. A file that cannot be completed is removed again.
    ///
    /// # Errors
    ///
    /// [`MapError::NoSpace`] with the required and the available space. [`MapError::Io`] for other errors of the
    /// operating system, including an existing file.
    pub fn create(path: &Path, length: u64, mode: u32, reserve: Reserve) -> Result<Self, MapError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)
            .map_err(|source| MapError::Io { action: "create", path: path.to_owned(), source })?;
        // The umask may have withheld some. A file system that cannot grant them leaves the file to fewer users.
        let _ = file.set_permissions(Permissions::from_mode(mode));
        Self::reserve_and_map(&file, path, length, reserve).inspect_err(|_| {
            // The error that is returned matters more. The next start finds a leftover file.
            let _ = std::fs::remove_file(path);
        })
    }

    /// Maps an existing file with its full length at the time.
    ///
    /// # Errors
    ///
    /// [`MapError::TooShort`] if the file has fewer than `least` bytes (at least 1). [`MapError::Io`] for an error of
    /// the operating system.
    pub fn open(path: &Path, least: u64, access: FileAccess) -> Result<Self, MapError> {
        let failed = |action| move |source| MapError::Io { action, path: path.to_owned(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(access == FileAccess::ReadWrite)
            // Otherwise opening a FIFO of that name would block. It makes no difference for a file.
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(path)
            .map_err(failed("open"))?;
        let metadata = file.metadata().map_err(failed("read the length of"))?;
        if !metadata.is_file() {
            return Err(failed("open")(io::Error::other("not a regular file")));
        }
        let found = metadata.len();
        let expected = least.max(1);
        if found < expected {
            return Err(MapError::TooShort { path: path.to_owned(), found, expected });
        }
        let mut options = MmapOptions::new();
        // The length that was measured, because the file may grow or shrink before the call.
        options.len(usize::try_from(found).expect("a 64-bit address space"));
        let map = match access {
            // A private mapping, not a read-only one: views can store, and a store must not be a fault. Linux shows such a
            // mapping every change that others make to pages that it has not itself stored to.
            // SAFETY: the mapping is only ever reached through its raw pointer, so that changes by other processes break no
            // reference.
            FileAccess::ReadOnly => unsafe { options.no_reserve_swap().map_copy(&file) }.map(MmapRaw::from),
            FileAccess::ReadWrite => options.map_raw(&file),
        }
        .map_err(failed("map"))?;
        Ok(Self::of(map, path))
    }

    /// Guards the mapping: if the file is truncated or its disk fails, missing pages read as zeroes and stores to them
    /// are lost. Without the guard, the process would end. [`Self::is_intact`] shows whether that happened.
    ///
    /// The first call in a process installs a handler for SIGBUS, which passes all other cases on to the previous
    /// handler.
    #[cfg(feature = "journal")]
    #[must_use]
    pub fn guarded(mut self) -> Self {
        self.guard = Some(super::fault_guard::Guard::new(self.start().addr().get(), self.len()));
        self
    }

    /// Whether all loads and stores so far have reached the file. Always true if the mapping is not guarded.
    #[cfg(feature = "journal")]
    pub fn is_intact(&self) -> bool {
        self.guard.as_ref().is_none_or(super::fault_guard::Guard::is_intact)
    }

    fn of(map: MmapRaw, path: &Path) -> Self {
        Self {
            #[cfg(feature = "journal")]
            guard: None,
            map,
            path: path.to_owned(),
        }
    }

    /// The mapping's length in bytes.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Always false: an empty file is not mapped.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's bytes.
    pub fn into_view(self, _: RawAccess) -> AtomicBuffer {
        Region::mapped(self).view()
    }

    /// Replaces the file's pages by private zero pages. The memory of the file's pages is freed, and addresses into the
    /// mapping stay valid. The file is unchanged. Does nothing if the operating system refuses.
    #[cfg(feature = "client")]
    pub(super) fn vacate(&self) {
        // SAFETY: the range is this mapping, which nobody else manages, and stays mapped, readable and writable throughout:
        // the kernel replaces it in one step. What lies there are words and bytes, for which every value is good.
        let vacated = unsafe {
            mmap_anonymous(
                self.map.as_mut_ptr().cast(),
                self.map.len(),
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
            )
        };
        // If it fails, the old pages stay. That costs memory but is safe.
        let _ = vacated;
    }

    /// Waits until a range is on stable storage.
    #[cfg(feature = "journal")]
    pub(super) fn sync(&self, offset: usize, len: usize) -> io::Result<()> {
        self.map.flush_range(offset, len)
    }

    /// Prepares the pages of a range for stores, so that they do not wait for the kernel, which otherwise handles the
    /// first store to each page that is new or was written out. Changes no byte. Does nothing if the operating system
    /// does not support it, or if the file is too short.
    #[cfg(feature = "journal")]
    pub(super) fn expect_stores(&self, offset: usize, len: usize) {
        // If it fails, the first stores take longer.
        let _ = self.populate_range(offset, len);
    }

    /// Maps all pages, so that neither loads nor stores wait for the kernel. Changes no byte, even while others store.
    /// Returns false if the operating system does not support it or refuses.
    pub(super) fn populate(&self) -> bool {
        let step = step_of(self.len() as u64) as usize;
        (0..self.len()).step_by(step).all(|start| {
            let is_there = self.populate_range(start, step).is_ok();
            sched_yield();
            is_there
        })
    }

    /// Maps the pages of a range that are in memory, by reading them. For a file in memory the kernel maps sixteen at a
    /// time in this way, for stores as well, which is a quarter of the work of [`Self::populate`]. Changes no byte.
    /// Allocates the missing pages of a sparse file. Does nothing if the operating system does not support it.
    #[cfg(feature = "client")]
    pub(super) fn fetch(&self, offset: usize, len: usize) {
        // If it fails, each page is mapped on first use.
        let _ = self.advise(offset, len, Advice::LinuxPopulateRead);
    }

    fn populate_range(&self, offset: usize, len: usize) -> rustix::io::Result<()> {
        self.advise(offset, len, Advice::LinuxPopulateWrite)
    }

    fn advise(&self, offset: usize, len: usize, advice: Advice) -> rustix::io::Result<()> {
        const PAGE: usize = 4096;
        let start = offset / PAGE * PAGE;
        let end = (offset + len).min(self.len());
        if start >= end {
            return Ok(());
        }
        // SAFETY: the range begins with a page and ends within this mapping, and for either advice that this is called with the kernel
        // does no more than a load from each page, or a store of what it holds, would.
        unsafe { madvise(self.map.as_mut_ptr().add(start).cast(), end - start, advice) }
    }

    /// The start of the bytes: page-aligned, valid until the mapping is dropped.
    pub(super) fn start(&self) -> NonNull<u8> {
        NonNull::new(self.map.as_mut_ptr()).expect("a mapping is never at address zero")
    }

    /// In steps, between which other threads on this core can run. The kernel cannot be interrupted within a step, and
    /// takes 60 ms for a log of 192 MiB. Without steps, an agent on the same core would be delayed for that long.
    fn reserve_and_map(file: &File, path: &Path, length: u64, reserve: Reserve) -> Result<Self, MapError> {
        reserve_space(file, path, 0, length)?;
        let mut options = MmapOptions::new();
        options.len(usize::try_from(length).expect("a 64-bit address space"));
        let map =
            options.map_raw(file).map_err(|source| MapError::Io { action: "map", path: path.to_owned(), source })?;
        let mapped = Self::of(map, path);
        if reserve == Reserve::SpaceAndPages {
            // If it fails, each page is mapped on first use.
            let _ = mapped.populate();
        }
        Ok(mapped)
    }
}

/// Extends an existing file with zero bytes, and reserves their space. Existing mappings stay valid.
#[cfg(feature = "journal")]
pub(crate) fn extend_file(path: &Path, length: u64) -> Result<(), MapError> {
    let failed = |action| move |source| MapError::Io { action, path: path.to_owned(), source };
    let file = OpenOptions::new().write(true).open(path).map_err(failed("open"))?;
    let found = file.metadata().map_err(failed("read the length of"))?.len();
    reserve_space(&file, path, found, length)
}

/// Reserves the space of a file between two offsets.
fn reserve_space(file: &File, path: &Path, from: u64, to: u64) -> Result<(), MapError> {
    let reserve = |start, length| fallocate(file, FallocateFlags::empty(), start, length);
    in_steps(from, to, reserve).map_err(|(start, error)| {
        let source = io::Error::from(error);
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                // The space that the file has by now will be returned with it.
                let available = available_space(file) + (start - from);
                MapError::NoSpace { path: path.to_owned(), needed: to - from, available }
            }
            _ => MapError::Io { action: "reserve space for", path: path.to_owned(), source },
        }
    })
}

/// Calls `reserve` with the start and the length of one step after another. Returns the start of the step that failed,
/// and the error.
fn in_steps(from: u64, to: u64, mut reserve: impl FnMut(u64, u64) -> Result<(), Errno>) -> Result<(), (u64, Errno)> {
    let mut step = step_of(to);
    let mut start = from;
    while start < to {
        match reserve(start, step.min(to - start)) {
            Ok(()) => start += step.min(to - start),
            // Some file systems give up on a signal, and undo the step. Signals that come regularly, as from a profiler,
            // may interrupt every step of this length.
            Err(Errno::INTR) => step = (step / 2).max(LEAST_INTERRUPTED_STEP),
            Err(error) => return Err((start, error)),
        }
        sched_yield();
    }
    Ok(())
}

/// The length of the steps in which a file of this length is created.
fn step_of(length: u64) -> u64 {
    (length / MOST_STEPS).next_multiple_of(LEAST_STEP).max(LEAST_STEP)
}

/// The free space of the file's file system for an unprivileged user, in bytes. 0 if unknown.
fn available_space(file: &File) -> u64 {
    fstatvfs(file).map_or(0, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "client")]
    use crate::memory::{Field, Region};
    use rustix::fs::{CWD, Mode, mkfifoat};

    #[test]
    fn a_new_file_has_its_space_and_reads_zero() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        let file = MappedFile::create(&path, 8192, 0o600, Reserve::SpaceAndPages).unwrap();
        assert_eq!(file.len(), 8192);
        assert_eq!(std::fs::read(&path).unwrap(), vec![0; 8192]);
        let again = MappedFile::create(&path, 8192, 0o600, Reserve::Space).unwrap_err();
        assert_eq!(again.io_kind(), Some(io::ErrorKind::AlreadyExists), "{again}");
        assert!(path.exists(), "a file that was there before is left alone");
    }

    #[test]
    fn a_new_file_is_for_those_it_is_meant_for_whatever_the_umask() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        let before = rustix::process::umask(Mode::RWXG | Mode::RWXO);
        let created = MappedFile::create(&path, 4096, 0o660, Reserve::Space);
        rustix::process::umask(before);
        created.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    }

    #[cfg(feature = "client")]
    #[test]
    fn a_vacated_mapping_reads_zero_and_leaves_the_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let file = Region::mapped(MappedFile::create(&path, 8192, 0o600, Reserve::Space).unwrap()).view();
        let other = Region::mapped(MappedFile::open(&path, 8192, FileAccess::ReadWrite).unwrap()).view();
        let word = file.own(Field::<i64>::at(4096));
        word.store_release(7);
        file.vacate();
        assert_eq!((word.load_acquire(), other.word_at::<i64>(4096).load_acquire()), (0, 7));
        word.store_release(8);
        assert_eq!((word.load_acquire(), other.word_at::<i64>(4096).load_acquire()), (8, 7));
    }

    #[cfg(feature = "journal")]
    #[test]
    fn pages_that_are_at_hand_hold_what_they_held() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = MappedFile::create(&path, 64 << 10, 0o600, Reserve::Space).unwrap().guarded();
        let view = Region::mapped(file).view();
        view.put_bytes(5000, b"bytes");
        view.expect_stores(100, 60_000);
        let mut bytes = [0; 7];
        view.get_bytes(4999, &mut bytes);
        assert_eq!(&bytes, b"\0bytes\0");
        // No fault of whoever stores, if the file is not that long any more.
        OpenOptions::new().write(true).open(&path).unwrap().set_len(8192).unwrap();
        view.expect_stores(0, 64 << 10);
        assert!(view.is_intact());
    }

    #[test]
    fn a_file_that_is_too_short_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("short");
        std::fs::write(&path, [0; 16]).unwrap();
        let error = MappedFile::open(&path, 128, FileAccess::ReadWrite).unwrap_err();
        assert!(matches!(error, MapError::TooShort { found: 16, expected: 128, .. }), "{error}");
        std::fs::write(&path, []).unwrap();
        let error = MappedFile::open(&path, 0, FileAccess::ReadOnly).unwrap_err();
        assert!(matches!(error, MapError::TooShort { found: 0, expected: 1, .. }), "{error}");
    }

    /// Some kernels give up on a signal when they reserve space in memory.
    #[test]
    fn signals_delay_a_file_and_do_not_fail_it() {
        const LENGTH: u64 = 5_000_001;
        for longest in [100 << 10, 1 << 20, 1 << 30] {
            let (mut reserved, mut interrupted) = (4096, 0);
            let done = in_steps(reserved, LENGTH, |start, length| {
                assert_eq!(start, reserved);
                if length > longest || interrupted == 0 {
                    interrupted += 1;
                    return Err(Errno::INTR);
                }
                reserved += length;
                Ok(())
            });
            assert_eq!((done, reserved), (Ok(()), LENGTH));
            assert!(interrupted < 6, "{interrupted}");
        }
        let failed = in_steps(0, LENGTH, |start, _| if start == 0 { Ok(()) } else { Err(Errno::NOSPC) });
        assert_eq!(failed, Err((LEAST_STEP, Errno::NOSPC)));
    }

    /// Nobody writes to the pipe: to wait for that would be to wait for ever.
    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        for access in [FileAccess::ReadOnly, FileAccess::ReadWrite] {
            let error = MappedFile::open(&pipe, 1, access).unwrap_err();
            assert_eq!(error.to_string(), format!("cannot open {}: not a regular file", pipe.display()));
        }
        let error = MappedFile::open(dir.path(), 1, FileAccess::ReadOnly).unwrap_err();
        assert!(error.to_string().ends_with(": not a regular file"), "{error}");
        let error = MappedFile::open(Path::new("/dev/zero"), 1, FileAccess::ReadOnly).unwrap_err();
        assert_eq!(error.to_string(), "cannot open /dev/zero: not a regular file");
    }
}
