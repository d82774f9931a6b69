//! A storage whose calls are recorded, heard or made to fail.
#![allow(unsafe_code, reason = "UNSAFE FENCE: promises of a storage what the one behind it keeps")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use gannet::journal::JournalError;
use gannet::journal::storage::{FileInfo, Lock, MemoryStorage, Share, Storage, Stored};
use gannet::memory::{FileAccess, Reserve};

/// A storage that records which files were opened. Its calls fail from a certain one on, as if the process had been
/// killed, or are heard before they are made.
#[derive(Debug)]
pub(crate) struct Watched {
    inner: Arc<dyn Storage>,
    left: AtomicI64,
    opened: Mutex<BTreeSet<String>>,
    meanwhile: Mutex<Option<Meanwhile>>,
    hearer: Option<Hearer>,
}

/// What another process does.
struct Meanwhile(Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meanwhile")
    }
}

/// Who hears the calls: which one it is, and the file's name.
struct Hearer(Box<Hear>);

pub(crate) type Hear = dyn Fn(&str, &str) + Send + Sync;

impl std::fmt::Debug for Hearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hearer")
    }
}

impl Watched {
    /// A storage that does nothing any more after `calls` calls.
    pub(crate) fn failing(inner: &MemoryStorage, calls: i64) -> Self {
        Self::over(Arc::new(inner.clone()), calls)
    }

    pub(crate) fn new(inner: &MemoryStorage) -> Self {
        Self::failing(inner, i64::MAX)
    }

    /// A storage of which another process does something just before the journal is locked.
    pub(crate) fn outrun(inner: &MemoryStorage, meanwhile: impl FnOnce() + Send + 'static) -> Self {
        let watched = Self::new(inner);
        *watched.meanwhile.lock().unwrap() = Some(Meanwhile(Box::new(meanwhile)));
        watched
    }

    /// A storage whose calls are heard before they are made, by name and with the file's name. They wait for the
    /// hearer.
    pub(crate) fn heard(inner: Arc<dyn Storage>, hearer: impl Fn(&str, &str) + Send + Sync + 'static) -> Self {
        Self { hearer: Some(Hearer(Box::new(hearer))), ..Self::over(inner, i64::MAX) }
    }

    fn over(inner: Arc<dyn Storage>, calls: i64) -> Self {
        let (opened, meanwhile) = (Mutex::default(), Mutex::default());
        Self { inner, left: AtomicI64::new(calls), opened, meanwhile, hearer: None }
    }

    /// The files that were opened.
    pub(crate) fn opened(&self) -> BTreeSet<String> {
        self.opened.lock().unwrap().clone()
    }

    fn call(&self, call: &str, name: &str) -> Result<(), JournalError> {
        if let Some(Hearer(hear)) = &self.hearer {
            hear(call, name);
        }
        if self.left.fetch_sub(1, Ordering::Relaxed) > 0 {
            return Ok(());
        }
        Err(JournalError::Io { action: "reach", path: self.path(name), source: std::io::Error::other("killed") })
    }
}

// SAFETY: passes on what another storage returns, files and locks.
unsafe impl Storage for Watched {
    fn path(&self, name: &str) -> PathBuf {
        self.inner.path(name)
    }
    fn names(&self) -> Result<Vec<String>, JournalError> {
        self.call("names", "").and_then(|()| self.inner.names())
    }
    fn create(&self, name: &str, length: u64, reserve: Reserve) -> Result<Stored, JournalError> {
        self.call("create", name).and_then(|()| self.inner.create(name, length, reserve))
    }
    fn open(&self, name: &str, least: u64, access: FileAccess) -> Result<Stored, JournalError> {
        self.opened.lock().unwrap().insert(name.to_owned());
        self.call("open", name).and_then(|()| self.inner.open(name, least, access))
    }
    fn publish(&self, from: &str, to: &str) -> Result<bool, JournalError> {
        self.call("publish", from).and_then(|()| self.inner.publish(from, to))
    }
    fn rename(&self, from: &str, to: &str) -> Result<bool, JournalError> {
        self.call("rename", from).and_then(|()| self.inner.rename(from, to))
    }
    fn remove(&self, name: &str) -> Result<bool, JournalError> {
        self.call("remove", name).and_then(|()| self.inner.remove(name))
    }
    fn extend(&self, name: &str, length: u64) -> Result<bool, JournalError> {
        self.call("extend", name).and_then(|()| self.inner.extend(name, length))
    }
    fn sync_names(&self) -> Result<(), JournalError> {
        self.call("sync_names", "").and_then(|()| self.inner.sync_names())
    }
    fn try_lock(&self, name: &str, share: Share) -> Result<Option<Lock>, JournalError> {
        let meanwhile = if name == "journal.lock" { self.meanwhile.lock().unwrap().take() } else { None };
        if let Some(Meanwhile(act)) = meanwhile {
            act();
        }
        self.call("try_lock", name).and_then(|()| self.inner.try_lock(name, share))
    }
    fn info(&self, name: &str) -> Result<Option<FileInfo>, JournalError> {
        self.call("info", name).and_then(|()| self.inner.info(name))
    }
    fn free_space(&self) -> Result<Option<u64>, JournalError> {
        self.call("free_space", "").and_then(|()| self.inner.free_space())
    }
    fn boot_id(&self) -> [i64; 2] {
        self.inner.boot_id()
    }
}
