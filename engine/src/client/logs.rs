//! The log mappings of one client. A log is mapped once, however many publications and IPC images share it, and is kept
//! for a while after its last user let it go.
//!
//! The key is the *original* registration id, which denotes one file for as long as one driver runs (trap 26). Called by
//! the conductor alone. Nothing here decides whether memory may be touched: every handle keeps its own reference to the
//! mapping, so what is let go here is unmapped when the last handle is.

use std::collections::HashMap;
use std::path::Path;

use crate::logbuffer::{LogBuffers, LogOpenError};
use crate::time::MonotonicNanos;

/// Maps a log by its path: the file system's in production.
pub(super) type OpenLog = Box<dyn FnMut(&Path) -> Result<LogBuffers, LogOpenError> + Send>;

/// Every log that the client has mapped.
pub(super) struct Logs {
    open: OpenLog,
    linger_ns: i64,
    mapped: HashMap<i64, Mapped>,
    /// Logs of a driver that is gone: their keys mean nothing any more.
    orphans: Vec<(MonotonicNanos, LogBuffers)>,
}

struct Mapped {
    log: LogBuffers,
    users: usize,
    /// When to let it go; set while there is no user.
    expires: MonotonicNanos,
}

impl Logs {
    /// No logs yet. One without users is kept for `linger_ns`.
    pub(super) fn new(open: OpenLog, linger_ns: i64) -> Self {
        Self { open, linger_ns, mapped: HashMap::new(), orphans: Vec::new() }
    }

    /// The log with this key, mapped now if it is not yet. To be given back with [`Self::release`].
    pub(super) fn acquire(&mut self, key: i64, path: &Path) -> Result<LogBuffers, LogOpenError> {
        if let Some(mapped) = self.mapped.get_mut(&key) {
            mapped.users += 1;
            return Ok(mapped.log.clone());
        }
        let log = (self.open)(path)?;
        self.mapped.insert(key, Mapped { log: log.clone(), users: 1, expires: MonotonicNanos::NEVER });
        Ok(log)
    }

    /// Gives back one use of a log.
    pub(super) fn release(&mut self, key: i64, now: MonotonicNanos) {
        if let Some(mapped) = self.mapped.get_mut(&key) {
            mapped.users = mapped.users.saturating_sub(1);
            if mapped.users == 0 {
                mapped.expires = now.saturating_add_ns(self.linger_ns);
            }
        }
    }

    /// Gives back every use of every log, because the driver that named them is gone: another driver may give the same
    /// keys to other files.
    pub(super) fn orphan_all(&mut self, now: MonotonicNanos) {
        let expires = now.saturating_add_ns(self.linger_ns);
        self.orphans.extend(self.mapped.drain().map(|(_, mapped)| (expires, mapped.log)));
    }

    /// Lets go of what has lingered long enough, and returns how many logs that were.
    pub(super) fn expire(&mut self, now: MonotonicNanos) -> usize {
        let before = self.len();
        self.mapped.retain(|_, mapped| mapped.users > 0 || now < mapped.expires);
        self.orphans.retain(|(expires, _)| now < *expires);
        before - self.len()
    }

    /// Lets go of everything at once.
    pub(super) fn clear(&mut self) {
        self.mapped.clear();
        self.orphans.clear();
    }

    /// How many logs are held, lingering ones included.
    pub(super) fn len(&self) -> usize {
        self.mapped.len() + self.orphans.len()
    }
}
