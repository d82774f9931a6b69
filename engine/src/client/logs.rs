//! The log mappings of one client. A log is mapped once, however many publications and IPC images share it, and is kept
//! for a while after its last user let it go.
//!
//! The key is the *original* registration id, which denotes one file for as long as one driver runs (trap 26). Called by
//! the conductor alone. Nothing here decides whether memory may be touched: every handle keeps its own reference to the
//! mapping, so what is let go here is unmapped when the last handle is.
//!
//! A publication that any thread may be using keeps what it was bound to in earlier session epochs, because nobody can tell
//! when the last of those threads is done (`epochs.rs`). The addresses must stay good, but the files need not stay in
//! memory: they are vacated. See `docs/decisions/0003-session-epochs.md`.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::logbuffer::{LogBuffers, LogOpenError};
use crate::memory::AtomicBuffer;
use crate::time::MonotonicNanos;

/// Maps a log by its path: the file system's in production.
pub(super) type OpenLog = Box<dyn FnMut(&Path) -> Result<LogBuffers, LogOpenError> + Send>;

/// Every log that the client has mapped.
pub(super) struct Logs {
    open: OpenLog,
    linger_ns: i64,
    mapped: HashMap<i64, Mapped>,
    /// What belongs to a driver, or a session epoch, that is gone: its key means nothing any more.
    orphans: Vec<Orphan>,
}

/// Held by whoever may lend parts of a log, to be read or to be written: for as long as it is, the log stays as it is.
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
    /// When to let it go; set while there is no user.
    expires: MonotonicNanos,
}

impl Logs {
    /// No logs yet. One without users is kept for `linger_ns`.
    pub(super) fn new(open: OpenLog, linger_ns: i64) -> Self {
        Self { open, linger_ns, mapped: HashMap::new(), orphans: Vec::new() }
    }

    /// The log with this key, mapped now if it is not yet, and what whoever lends parts of it must hold. To be given back with
    /// [`Self::release`].
    pub(super) fn acquire(&mut self, key: i64, path: &Path) -> Result<(LogBuffers, Lending), LogOpenError> {
        if let Some(mapped) = self.mapped.get_mut(&key) {
            mapped.users += 1;
            return Ok((mapped.log.clone(), Arc::clone(&mapped.lending)));
        }
        let log = (self.open)(path)?;
        let lending = Lending::default();
        let mapped =
            Mapped { log: log.clone(), users: 1, lending: Arc::clone(&lending), expires: MonotonicNanos::NEVER };
        self.mapped.insert(key, mapped);
        Ok((log, lending))
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

    /// Gives back every use of every log, because the driver that named them is gone, or this client is none of its clients
    /// any more: the same keys may come to denote other files.
    pub(super) fn orphan_all(&mut self, now: MonotonicNanos) {
        let expires = now.saturating_add_ns(self.linger_ns);
        self.orphans.extend(self.mapped.drain().map(|(_, mapped)| {
            let Mapped { log, lending, .. } = mapped;
            Orphan { expires, memory: Memory::Log(log), lending }
        }));
    }

    /// Takes over what is left of a CnC file that the client does not use any more.
    pub(super) fn orphan_cnc(&mut self, part: AtomicBuffer, now: MonotonicNanos) {
        let expires = now.saturating_add_ns(self.linger_ns);
        self.orphans.push(Orphan { expires, memory: Memory::Cnc(part), lending: Lending::default() });
    }

    /// Lets go of what has lingered long enough, and returns how much that was.
    pub(super) fn expire(&mut self, now: MonotonicNanos) -> usize {
        let before = self.len();
        self.mapped.retain(|_, mapped| mapped.users > 0 || now < mapped.expires);
        self.orphans.retain_mut(|orphan| {
            if now < orphan.expires {
                return true;
            }
            // In one step: whoever has not begun to lend by now never will.
            if let Err(lent) = Arc::try_unwrap(std::mem::take(&mut orphan.lending)) {
                orphan.lending = lent;
                return true;
            }
            match &orphan.memory {
                Memory::Log(log) => log.vacate(),
                Memory::Cnc(part) => part.vacate(),
            }
            false
        });
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
