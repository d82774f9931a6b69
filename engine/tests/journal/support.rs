//! Shared by the journal's tests: small journals, messages that identify themselves, and waiting.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use gannet::agent::IdleStrategy;
use gannet::journal::storage::{FileInfo, Lock, MemoryStorage, Share, Storage, Stored};
use gannet::journal::{Journal, JournalError, JournalOptions, Recording, Start, Tailer};
use gannet::memory::{FileAccess, Reserve};
use gannet::time::{Clock, SystemClock};
use gannet::types::Position;
use tempfile::TempDir;

/// Segments of four terms, which are full soon.
pub(crate) fn small() -> JournalOptions {
    JournalOptions::new().term_length(64 << 10).segment_length(256 << 10).mtu(1408)
}

/// A new journal in a directory of its own.
pub(crate) fn journal(options: &JournalOptions) -> (TempDir, Journal) {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::create(dir.path(), options).unwrap();
    (dir, journal)
}

/// Message `number` of an appender. It contains both numbers, and its length follows from them.
pub(crate) fn message(appender: u64, number: u64) -> Vec<u8> {
    let length = 16 + (number * 37 + appender * 11) % 300;
    let mut message: Vec<u8> = (0..length).map(|index| (index ^ number) as u8).collect();
    message[..8].copy_from_slice(&appender.to_le_bytes());
    message[8..16].copy_from_slice(&number.to_le_bytes());
    message
}

/// The appender and the number of a message, if it is intact.
pub(crate) fn read(payload: &[u8]) -> Option<(u64, u64)> {
    let number = |at: usize| Some(u64::from_le_bytes(payload.get(at..at + 8)?.try_into().ok()?));
    let (appender, number) = (number(0)?, number(8)?);
    (payload == message(appender, number)).then_some((appender, number))
}

/// Every message from the tailer's position on.
pub(crate) fn rest(tailer: &mut Tailer) -> Vec<(Position, Vec<u8>)> {
    let mut messages = Vec::new();
    while let Some(record) = tailer.next().unwrap() {
        messages.push((record.position(), record.payload().to_vec()));
    }
    messages
}

/// Every message of a recording.
pub(crate) fn all(recording: &Recording) -> Vec<(Position, Vec<u8>)> {
    rest(&mut recording.tailer(Start::Begin).unwrap())
}

/// Waits for a condition that another thread or process fulfils.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = SystemClock.monotonic().saturating_add_ns(180_000_000_000);
    let mut idle = IdleStrategy::Sleep { period_ns: 1_000_000 };
    while !holds() {
        assert!(SystemClock.monotonic() < deadline, "{what}, even after three minutes");
        idle.idle_once();
    }
}

/// Waits until the helper thread of a journal to which nobody appends has nothing left to do: everything is indexed, and
/// the next segment is made. From then on it neither makes files nor gives them other names.
pub(crate) fn settled(journal: &Journal) {
    let segment = i64::from(journal.descriptor().segment_length.get());
    eventually("it is indexed, and the next segment is made", || {
        let tail = journal.tail();
        journal.indexed() == tail && journal.prepared().get() > tail.get() + segment
    });
}

/// Copies the files of a journal to which nobody appends, as if all of its processes were killed now. Its helper may
/// still be at work, and gives files other names.
pub(crate) fn copy_files(from: &Path, to: &Path) {
    let names = || {
        let entries = std::fs::read_dir(from).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<BTreeSet<_>>()
    };
    eventually("no file gets another name while all are copied", || {
        let before = names();
        let is_copied = |name: &OsString| std::fs::copy(from.join(name), to.join(name)).is_ok();
        let is_whole = before.iter().all(is_copied) && names() == before;
        if !is_whole {
            std::fs::read_dir(to).unwrap().for_each(|entry| std::fs::remove_file(entry.unwrap().path()).unwrap());
        }
        is_whole
    });
}

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

impl Storage for Watched {
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
