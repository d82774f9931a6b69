//! Files in memory, with a separate copy of what would be on stable storage, so that a test can simulate a loss of
//! power: unsynced data is lost, page by page, as the test chooses. Only tests and simulations use it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{FileInfo, Lock, PAGE, Share, Storage, Stored, SyncTarget};
use crate::journal::error::JournalError;
use crate::memory::{AtomicBuffer, FileAccess, MapError, RawAccess, Reserve};

/// A directory in memory. Clones share it.
#[derive(Clone, Debug)]
pub struct MemoryStorage {
    inner: Arc<Mutex<Inner>>,
}

/// What remains after a loss of power of a page that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The last synced content.
    Lost,
    /// The last stored content.
    Kept,
    /// This many bytes of the last stored content, then the last synced content.
    Torn(usize),
}

#[derive(Debug)]
struct Inner {
    files: BTreeMap<String, MemoryFile>,
    /// The file names that would be found after a loss of power.
    kept_names: BTreeMap<String, MemoryFile>,
    locks: BTreeMap<String, Vec<(u64, Share)>>,
    next_lock: u64,
    boot: i64,
    /// The number of bytes that can still be reserved.
    space: u64,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            files: BTreeMap::new(),
            kept_names: BTreeMap::new(),
            locks: BTreeMap::new(),
            next_lock: 0,
            boot: 1,
            space: u64::MAX,
        }
    }
}

#[derive(Clone, Debug)]
struct MemoryFile {
    view: AtomicBuffer,
    kept: Arc<Kept>,
}

/// The content on stable storage.
#[derive(Debug)]
struct Kept {
    bytes: Mutex<Vec<u8>>,
    /// Whether syncs fail.
    fails: Mutex<bool>,
    /// The pages that a failed sync could not write, with their content. Like Linux, later syncs take them for written,
    /// unless they were stored to since.
    dropped: Mutex<BTreeMap<usize, Vec<u8>>>,
    /// How often parts of it were stored again.
    #[cfg(test)]
    again: Mutex<usize>,
}

impl Kept {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fails(&self) -> MutexGuard<'_, bool> {
        self.fails.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes: Mutex::new(bytes),
            fails: Mutex::default(),
            dropped: Mutex::default(),
            #[cfg(test)]
            again: Mutex::default(),
        }
    }

    fn dropped(&self) -> MutexGuard<'_, BTreeMap<usize, Vec<u8>>> {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SyncTarget for Kept {
    fn sync(&self, view: &AtomicBuffer, offset: usize, len: usize) -> io::Result<()> {
        let fails = *self.fails();
        let _power = power();
        // Syncs whole pages, as a mapping does.
        for start in (offset / PAGE * PAGE..(offset + len).min(view.len())).step_by(PAGE) {
            let mut now = vec![0; PAGE.min(view.len() - start)];
            view.get_bytes(start, &mut now);
            let mut dropped = self.dropped();
            let is_clean = dropped.get(&start).is_some_and(|then| *then == now);
            let kept = &mut self.bytes()[start..start + now.len()];
            if fails && kept != now {
                dropped.insert(start, now);
            } else if !fails && !is_clean {
                kept.copy_from_slice(&now);
                dropped.remove(&start);
            }
        }
        if fails { Err(io::Error::other("the disk fails")) } else { Ok(()) }
    }

    fn store_again(&self, offset: usize, len: usize) {
        #[cfg(test)]
        {
            *self.again.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }
        self.dropped().retain(|&page, _| page + PAGE <= offset || page >= offset + len);
    }
}

/// A lock that is released when dropped.
#[derive(Debug)]
struct Held {
    inner: Arc<Mutex<Inner>>,
    name: String,
    number: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(holders) = inner.locks.get_mut(&self.name) {
            holders.retain(|&(number, _)| number != self.number);
        }
    }
}

impl MemoryStorage {
    /// An empty directory. Unlike with a mapped file, everybody who opens a file gets the same memory. A sync copies
    /// whole pages as plain bytes.
    pub fn new(_: RawAccess) -> Self {
        Self { inner: Arc::default() }
    }

    /// Allows this many more bytes to be reserved.
    pub fn limit_space(&self, bytes: u64) {
        self.inner().space = bytes;
    }

    /// How often parts of a file were stored again for a sync.
    #[cfg(test)]
    pub(crate) fn stored_again(&self, name: &str) -> usize {
        self.inner().files.get(name).map_or(0, |file| *file.kept.again.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes syncs of an existing file fail from now on, or work again. What a sync failed to write stays unwritten until it
    /// is stored to again, whatever later syncs say, as with Linux.
    pub fn fail_syncs(&self, name: &str, fails: bool) {
        if let Some(file) = self.inner().files.get(name) {
            *file.kept.fails() = fails;
        }
    }

    /// The directory as it would be found after a loss of power now. `choose` decides about each unsynced page, given
    /// its file's name and its offset in bytes. `names` decides whether the directory has its present names or the last
    /// synced ones.
    pub fn after_power_loss(&self, mut choose: impl FnMut(&str, usize) -> Crash, names: Crash) -> Self {
        let _power = power();
        let inner = self.inner();
        let found = if names == Crash::Kept { &inner.files } else { &inner.kept_names };
        let files: BTreeMap<String, MemoryFile> = found
            .iter()
            .map(|(name, file)| (name.clone(), MemoryFile::of(&after_crash(name, file, &mut choose))))
            .collect();
        let boot = inner.boot + 1;
        Self { inner: Arc::new(Mutex::new(Inner { kept_names: files.clone(), files, boot, ..Inner::default() })) }
    }

    /// The directory as the next process finds it after all processes were killed: everything that was stored.
    pub fn after_kill(&self) -> Self {
        let inner = self.inner();
        let copy = |file: &MemoryFile| {
            let mut bytes = vec![0; file.view.len()];
            file.view.get_bytes(0, &mut bytes);
            let kept =
                Kept { dropped: Mutex::new(file.kept.dropped().clone()), ..Kept::new(file.kept.bytes().clone()) };
            MemoryFile { kept: Arc::new(kept), ..MemoryFile::of(&bytes) }
        };
        let files: BTreeMap<_, _> = inner.files.iter().map(|(name, file)| (name.clone(), copy(file))).collect();
        let kept_names = inner.kept_names.keys();
        let kept_names = kept_names.filter_map(|name| Some((name.clone(), files.get(name)?.clone()))).collect();
        Self { inner: Arc::new(Mutex::new(Inner { files, kept_names, boot: inner.boot, ..Inner::default() })) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn missing(&self, action: &'static str, name: &str) -> JournalError {
        MapError::Io { action, path: self.path(name), source: io::ErrorKind::NotFound.into() }.into()
    }
}

/// Held while data becomes stable, and during a loss of power, so that the loss hits all files at the same moment.
/// There is one for all storages. It is only held for a short time.
fn power() -> MutexGuard<'static, ()> {
    static POWER: Mutex<()> = Mutex::new(());
    POWER.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryFile {
    fn of(bytes: &[u8]) -> Self {
        let view = AtomicBuffer::heap(bytes.len().max(1)).slice(0, bytes.len());
        view.put_bytes(0, bytes);
        Self { view, kept: Arc::new(Kept::new(bytes.to_vec())) }
    }

    fn stored(&self) -> Stored {
        let target: Arc<dyn SyncTarget> = Arc::clone(&self.kept) as _;
        Stored { view: self.view.clone(), syncs: Some(target) }
    }
}

fn after_crash(name: &str, file: &MemoryFile, choose: &mut impl FnMut(&str, usize) -> Crash) -> Vec<u8> {
    let mut bytes = file.kept.bytes().clone();
    for start in (0..bytes.len()).step_by(PAGE) {
        let end = (start + PAGE).min(bytes.len());
        let mut now = vec![0; end - start];
        file.view.get_bytes(start, &mut now);
        if now == bytes[start..end] {
            continue;
        }
        let survives = match choose(name, start) {
            Crash::Lost => 0,
            Crash::Kept => now.len(),
            Crash::Torn(length) => length.min(now.len()),
        };
        bytes[start..start + survives].copy_from_slice(&now[..survives]);
    }
    bytes
}

// SAFETY: memory is shared, which is why a storage is only made with a promise. Each lock is in a list until it is dropped.
unsafe impl Storage for MemoryStorage {
    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("memory").join(name)
    }

    fn names(&self) -> Result<Vec<String>, JournalError> {
        Ok(self.inner().files.keys().cloned().collect())
    }

    fn create(&self, name: &str, length: u64, _reserve: Reserve) -> Result<Stored, JournalError> {
        let mut inner = self.inner();
        if inner.files.contains_key(name) {
            let source = io::ErrorKind::AlreadyExists.into();
            return Err(MapError::Io { action: "create", path: self.path(name), source }.into());
        }
        let Some(left) = inner.space.checked_sub(length) else {
            return Err(MapError::NoSpace { path: self.path(name), needed: length, available: inner.space }.into());
        };
        inner.space = left;
        let file = MemoryFile::of(&vec![0; usize::try_from(length).expect("a 64-bit address space")]);
        let stored = file.stored();
        inner.files.insert(name.to_owned(), file);
        Ok(stored)
    }

    fn open(&self, name: &str, least: u64, _access: FileAccess) -> Result<Stored, JournalError> {
        let inner = self.inner();
        let Some(file) = inner.files.get(name) else { return Err(self.missing("open", name)) };
        let found = file.view.len() as u64;
        if found < least.max(1) {
            return Err(MapError::TooShort { path: self.path(name), found, expected: least.max(1) }.into());
        }
        Ok(file.stored())
    }

    fn publish(&self, from: &str, to: &str) -> Result<bool, JournalError> {
        let mut inner = self.inner();
        let Some(file) = inner.files.remove(from) else { return Ok(false) };
        let is_new = !inner.files.contains_key(to);
        if is_new {
            inner.files.insert(to.to_owned(), file);
        }
        Ok(is_new)
    }

    fn rename(&self, from: &str, to: &str) -> Result<bool, JournalError> {
        let mut inner = self.inner();
        let Some(file) = inner.files.remove(from) else { return Ok(false) };
        inner.files.insert(to.to_owned(), file);
        Ok(true)
    }

    fn remove(&self, name: &str) -> Result<bool, JournalError> {
        let mut inner = self.inner();
        let Some(file) = inner.files.remove(name) else { return Ok(false) };
        inner.space = inner.space.saturating_add(file.view.len() as u64);
        Ok(true)
    }

    fn sync_names(&self) -> Result<(), JournalError> {
        let mut inner = self.inner();
        inner.kept_names = inner.files.clone();
        Ok(())
    }

    fn try_lock(&self, name: &str, share: Share) -> Result<Option<Lock>, JournalError> {
        let mut inner = self.inner();
        let number = inner.next_lock;
        let holders = inner.locks.entry(name.to_owned()).or_default();
        if holders.iter().any(|&(_, held)| held == Share::Exclusive || share == Share::Exclusive) {
            return Ok(None);
        }
        holders.push((number, share));
        inner.next_lock += 1;
        Ok(Some(Lock::new(Held { inner: Arc::clone(&self.inner), name: name.to_owned(), number })))
    }

    fn info(&self, name: &str) -> Result<Option<FileInfo>, JournalError> {
        let info = |file: &MemoryFile| FileInfo {
            bytes: file.view.len() as u64,
            modified: None,
            identity: [0, Arc::as_ptr(&file.kept) as u64],
        };
        Ok(self.inner().files.get(name).map(info))
    }

    fn free_space(&self) -> Result<Option<u64>, JournalError> {
        Ok(Some(self.inner().space))
    }

    fn boot_id(&self) -> [i64; 2] {
        [self.inner().boot, 0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_loss_leaves_what_was_synced_and_what_chance_kept() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let file = storage.create("file", 3 * PAGE as u64, Reserve::Space).unwrap();
        storage.sync_names().unwrap();
        for page in 0..3 {
            file.view().put_bytes(page * PAGE, &[1; 100]);
        }
        file.sync(10, 1).unwrap();
        file.view().put_bytes(0, &[2; 100]);
        let choose = |_: &str, offset: usize| match offset / PAGE {
            0 => Crash::Lost,
            1 => Crash::Torn(50),
            _ => Crash::Kept,
        };
        storage.create("unsynced", 1, Reserve::Space).unwrap();
        let found = storage.after_power_loss(choose, Crash::Lost);
        assert_eq!(found.names().unwrap(), ["file"]);
        assert_ne!(found.boot_id(), storage.boot_id());
        let mut bytes = vec![0; 3 * PAGE];
        found.open("file", 1, FileAccess::ReadOnly).unwrap().view().get_bytes(0, &mut bytes);
        let ones = |page: usize| bytes[page * PAGE..(page + 1) * PAGE].iter().filter(|&&byte| byte == 1).count();
        assert_eq!([ones(0), ones(1), ones(2)], [100, 50, 100]);
        assert_eq!(storage.after_kill().names().unwrap().len(), 2);
    }

    #[test]
    fn space_and_locks_are_limited() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        storage.limit_space(100);
        storage.create("a", 60, Reserve::Space).unwrap();
        let error = storage.create("b", 60, Reserve::Space).unwrap_err();
        assert!(matches!(error, JournalError::Map(MapError::NoSpace { needed: 60, available: 40, .. })), "{error}");
        let lock = storage.try_lock("l", Share::Shared).unwrap();
        assert!(storage.try_lock("l", Share::Exclusive).unwrap().is_none());
        drop(lock);
        assert!(storage.try_lock("l", Share::Exclusive).unwrap().is_some());
    }
}
