//! The log mappings of one client. A log is mapped once, however many publications and IPC images share it. It is kept
//! for a while after its last user has released it.
//!
//! The key is the *original* registration id, which denotes one file as long as one driver runs (trap 26). Only the
//! conductor calls this. It does not decide whether memory may be touched: every handle keeps its own reference to the
//! mapping, so a log that is released here is unmapped with the last handle.
//!
//! A publication that any thread may be using keeps its bindings of earlier session epochs, because nobody can tell
//! when the last of those threads has finished (`epochs.rs`). Their addresses must stay valid, but their files need not
//! stay in memory: they are vacated. See `docs/decisions/0003-session-epochs.md`.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use super::fetch::{Fetch, Pages};
use super::let_go::{Unused, Work, let_go, on_a_thread};
use crate::logbuffer::{LogBuffers, LogOpenError};
use crate::memory::AtomicBuffer;
use crate::time::MonotonicNanos;

/// Maps a log file by its path. In production, from the file system.
pub(super) type OpenLog = Box<dyn FnMut(&Path) -> Result<LogBuffers, LogOpenError> + Send>;

/// All logs that the client has mapped.
pub(super) struct Logs {
    open: OpenLog,
    linger_ns: i64,
    /// Whether all pages of a log are fetched when it is mapped, rather than gradually.
    pre_touch: bool,
    mapped: HashMap<i64, Mapped>,
    /// The logs whose pages are still to be fetched, in order.
    fetched: VecDeque<i64>,
    /// Logs of a past driver or session epoch. Their keys have no meaning any more.
    orphans: Vec<Orphan>,
    /// Runs work on a new thread. Returns false if the thread cannot be started.
    start: Box<dyn FnMut(Work) -> bool + Send>,
}

/// Held by a handle that may lend parts of a log for reading or writing. The log is not vacated as long as it is held.
pub(super) type Lending = Arc<()>;

struct Orphan {
    expires: MonotonicNanos,
    memory: Memory,
    lending: Lending,
}

enum Memory {
    Log(LogBuffers),
    /// A part of a CnC file.
    Cnc(AtomicBuffer),
}

struct Mapped {
    log: LogBuffers,
    users: usize,
    lending: Lending,
    fetch: Fetch,
    /// When to free the log. Set while it has no users.
    expires: MonotonicNanos,
}

impl Logs {
    /// No logs. A log without users is kept for `linger_ns`. With `pre_touch`, all pages of a log are fetched when it
    /// is mapped.
    pub(super) fn new(open: OpenLog, linger_ns: i64, pre_touch: bool) -> Self {
        Self {
            open,
            linger_ns,
            pre_touch,
            mapped: HashMap::new(),
            fetched: VecDeque::new(),
            orphans: Vec::new(),
            start: Box::new(on_a_thread),
        }
    }

    /// The log with this key, and the token that handles hold while they lend parts of it. Maps the log if necessary.
    /// To be returned with [`Self::release`].
    pub(super) fn acquire(&mut self, key: i64, path: &Path) -> Result<(LogBuffers, Lending), LogOpenError> {
        if let Some(mapped) = self.mapped.get_mut(&key) {
            mapped.users += 1;
            return Ok((mapped.log.clone(), Arc::clone(&mapped.lending)));
        }
        let log = (self.open)(path)?;
        let lending = Lending::default();
        // If the pages cannot be fetched now, they are fetched on first use.
        let fetch = if self.pre_touch && log.populate() { Fetch::nothing() } else { Fetch::of(&log) };
        let expires = MonotonicNanos::NEVER;
        let mapped = Mapped { log: log.clone(), users: 1, lending: Arc::clone(&lending), fetch, expires };
        self.mapped.insert(key, mapped);
        self.fetched.push_back(key);
        Ok((log, lending))
    }

    /// How many publications and images use the log with this key.
    pub(super) fn users(&self, key: i64) -> usize {
        self.mapped.get(&key).map_or(0, |mapped| mapped.users)
    }

    /// The next pages to fetch: those of the log that was mapped first and is not fetched completely.
    pub(super) fn next_pages(&mut self) -> Option<Pages> {
        while let Some(key) = self.fetched.front() {
            let used = self.mapped.get_mut(key).filter(|mapped| mapped.users > 0);
            let pages = used.and_then(|mapped| mapped.fetch.next(&mapped.log));
            if pages.is_some() {
                return pages;
            }
            self.fetched.pop_front();
        }
        None
    }

    /// Returns one use of a log.
    pub(super) fn release(&mut self, key: i64, now: MonotonicNanos) {
        if let Some(mapped) = self.mapped.get_mut(&key) {
            mapped.users = mapped.users.saturating_sub(1);
            if mapped.users == 0 {
                mapped.expires = now.saturating_add_ns(self.linger_ns);
            }
        }
    }

    /// Returns all uses of all logs, because the driver is gone or the client is no longer registered with it. The same
    /// keys may denote other files from now on.
    pub(super) fn orphan_all(&mut self, now: MonotonicNanos) {
        let expires = now.saturating_add_ns(self.linger_ns);
        self.orphans.extend(self.mapped.drain().map(|(_, mapped)| {
            let Mapped { log, lending, .. } = mapped;
            Orphan { expires, memory: Memory::Log(log), lending }
        }));
    }

    /// Takes over a part of a CnC file that the client does not use any more.
    pub(super) fn orphan_cnc(&mut self, part: AtomicBuffer, now: MonotonicNanos) {
        let expires = now.saturating_add_ns(self.linger_ns);
        self.orphans.push(Orphan { expires, memory: Memory::Cnc(part), lending: Lending::default() });
    }

    /// Frees the mappings whose linger is over. Returns how many.
    pub(super) fn expire(&mut self, now: MonotonicNanos) -> usize {
        let is_over = |_: &i64, mapped: &mut Mapped| mapped.users == 0 && now >= mapped.expires;
        let mut unused: Vec<_> = self.mapped.extract_if(is_over).map(|(_, mapped)| Unused::Log(mapped.log)).collect();
        let past = self.orphans.extract_if(.., |orphan| {
            if now < orphan.expires {
                return false;
            }
            // In one step: a handle that does not hold the token now will never lend.
            match Arc::try_unwrap(std::mem::take(&mut orphan.lending)) {
                Ok(()) => true,
                Err(lent) => {
                    orphan.lending = lent;
                    false
                }
            }
        });
        unused.extend(past.map(|orphan| match orphan.memory {
            Memory::Log(log) => Unused::PastLog(log),
            Memory::Cnc(part) => Unused::PastCnc(part),
        }));
        let count = unused.len();
        if count > 0 {
            let_go(unused, &mut self.start);
        }
        count
    }

    /// Frees everything at once.
    pub(super) fn clear(&mut self) {
        self.mapped.clear();
        self.orphans.clear();
    }

    /// How many logs are held, lingering ones included.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.mapped.len() + self.orphans.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::testing::resident;
    use super::*;
    use crate::logbuffer::{LogKind, LogParameters};
    use crate::memory::{FileAccess, RawAccess, Reserve};
    use crate::types::{SessionId, StreamId, TermId, TermLength};

    /// Work that waits until the test does it.
    type Waiting = Arc<Mutex<Vec<Work>>>;

    /// One log with terms of this length, and whoever lets go of it on a thread.
    fn logs(term_length: i32, grants_threads: bool) -> (Logs, tempfile::TempDir, Waiting) {
        let dir = tempfile::tempdir().unwrap();
        let term_length = TermLength::new(term_length.into()).unwrap();
        let (session_id, stream_id) = (SessionId::new(1), StreamId::new(2));
        let parameters = LogParameters::ipc(LogKind::Exclusive, term_length, session_id, stream_id, TermId::new(3));
        let path = dir.path().join("1.logbuffer");
        LogBuffers::create(&path, &parameters, 0o600, Reserve::Space, RawAccess::ENGINE).unwrap();
        let open = |path: &Path| LogBuffers::open(path, FileAccess::ReadWrite, RawAccess::ENGINE);
        let mut logs = Logs::new(Box::new(open), 5, false);
        let waiting = Waiting::default();
        let started = Arc::clone(&waiting);
        logs.start = Box::new(move |work| {
            if grants_threads {
                started.lock().unwrap().push(work);
            }
            grants_threads
        });
        drop(logs.acquire(1, &path).unwrap());
        (logs, dir, waiting)
    }

    fn is_mapped(dir: &tempfile::TempDir) -> bool {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        maps.contains(dir.path().to_str().unwrap())
    }

    fn at(ns: i64) -> MonotonicNanos {
        MonotonicNanos::new(ns)
    }

    /// Whoever runs the conductor does not wait for the kernel to free a large log.
    #[test]
    fn a_large_log_is_let_go_elsewhere() {
        for is_past in [false, true] {
            let (mut logs, dir, waiting) = logs(4 << 20, true);
            if is_past {
                logs.orphan_all(at(0));
            } else {
                logs.release(1, at(0));
            }
            assert_eq!((logs.expire(at(4)), logs.expire(at(5)), logs.len()), (0, 1, 0));
            assert!(is_mapped(&dir), "until the thread has run");
            let work: Vec<_> = std::mem::take(&mut *waiting.lock().unwrap());
            assert_eq!(work.len(), 1);
            drop(logs);
            work.into_iter().for_each(|work| work());
            assert!(!is_mapped(&dir));
        }
    }

    #[test]
    fn a_small_log_is_let_go_at_once_and_a_large_one_without_a_thread() {
        for (term_length, grants_threads) in [(64 << 10, true), (4 << 20, false)] {
            let (mut logs, dir, waiting) = logs(term_length, grants_threads);
            logs.release(1, at(0));
            assert!(is_mapped(&dir));
            assert_eq!(logs.expire(at(5)), 1);
            assert!(!is_mapped(&dir) && waiting.lock().unwrap().is_empty());
        }
    }

    /// Trap 6: others write to these pages meanwhile, so nothing is stored to them.
    #[test]
    fn trap_06_pages_of_a_log_are_there_beforehand_if_that_is_wanted() {
        let (mut logs, dir, _) = logs(64 << 10, true);
        logs.clear();
        let path = dir.path().join("1.logbuffer");
        let length = std::fs::metadata(&path).unwrap().len() as usize;
        let (before, _) = logs.acquire(1, &path).unwrap();
        before.term(1).word_at::<i64>(4096).store_relaxed(42);
        assert!(resident(&path) < length);
        let can_be = before.populate();
        drop(before);
        logs.clear();
        logs.pre_touch = true;
        let (touched, _) = logs.acquire(1, &path).unwrap();
        assert_eq!(touched.term(1).word_at::<i64>(4096).load_relaxed(), 42, "no byte is changed");
        assert!(!can_be || resident(&path) == length, "{} of {length}", resident(&path));
        assert!(!can_be || logs.next_pages().is_none(), "nothing is left to be fetched by and by");
    }

    #[test]
    fn pages_of_a_log_are_fetched_while_somebody_uses_it() {
        const TERM: usize = 256 << 10;
        let (mut logs, dir, _) = logs(TERM as i32, true);
        let path = dir.path().join("1.logbuffer");
        let can_be = LogBuffers::open(&path, FileAccess::ReadWrite, RawAccess::ENGINE).unwrap().populate();
        assert!(resident(&path) < TERM);
        let mut steps = 0;
        while let Some(pages) = logs.next_pages() {
            pages.fetch();
            steps += 1;
        }
        assert_eq!(steps, 3 * TERM / (64 << 10));
        assert!(!can_be || resident(&path) >= 3 * TERM, "{}", resident(&path));

        let (mut logs, ..) = self::logs(TERM as i32, true);
        assert!(logs.next_pages().is_some());
        logs.release(1, at(0));
        assert!(logs.next_pages().is_none());
    }
}
