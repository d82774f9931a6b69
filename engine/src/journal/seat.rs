//! An appender's seat: its slot in the control page, and the locks that show others that it is alive, and whether it is
//! exclusive. It is taken when an appender is made and held as long as that lives. Nothing here is on the path of an
//! append.
//!
//! ```text
//!  ID.appenders.lock     shared by appenders, or an exclusive appender's alone
//!  ID.appender-N.lock    the owner's of slot N
//! ```
//!
//! Both locks end with the process that holds them, however it ends. So no lock of an appender outlives its process.
//!
//! The locks are files, which anybody who may write to the directory can remove. Then others lock files of the same names.
//! But the appenders of one open journal share its mappings, and two that both considered a range their own would lend
//! the same memory for writing twice. So an open journal also keeps account of its own seats.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::memory::OwnedWord;

use super::control::MAX_APPENDERS;
use super::error::JournalError;
use super::idle::idle_strategy;
use super::locks::{appender_lock_name, appenders_lock_name};
use super::storage::{Lock, Share};
use super::tail::Slot;
use super::writer::Writer;

/// The number of attempts to find out which process is in the way, before the error is returned without a process id.
/// The lock's holder may be about to take or release its slot.
const LOOKS: usize = 20;

/// A slot that an appender holds.
#[derive(Debug)]
pub(crate) struct Seat {
    slot: Slot,
    pid: OwnedWord<i64>,
    // Declared in this order, so that whoever gets the second lock finds the first one free.
    _alive: Lock,
    _share: Lock,
    _account: Account,
}

/// The account of an open journal's own appenders.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seats(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    appenders: usize,
    /// Whether the only one is exclusive.
    exclusively: bool,
    /// A bit for each slot.
    slots: u64,
}

const _: () = assert!(MAX_APPENDERS == u64::BITS as usize, "a bit for each slot");

/// An appender that is accounted for, until this is dropped.
#[derive(Debug)]
struct Account {
    seats: Seats,
    /// The bit of its slot, once it has one.
    slot: u64,
}

impl Seats {
    /// Whether one of the appenders has the slot.
    pub(crate) fn has(&self, index: usize) -> bool {
        self.taken().slots & 1 << index != 0
    }

    /// Accounts for a further appender. `None` if an appender that is there or this one is exclusive.
    fn admit(&self, share: Share) -> Option<Account> {
        let mut taken = self.taken();
        let exclusively = share == Share::Exclusive;
        if taken.exclusively || exclusively && taken.appenders > 0 {
            return None;
        }
        taken.appenders += 1;
        taken.exclusively = exclusively;
        Some(Account { seats: self.clone(), slot: 0 })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // A panic cannot leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// Takes a slot for the appender, which has none yet. Returns false if another has it.
    fn take(&mut self, index: usize) -> bool {
        let mut taken = self.seats.taken();
        let bit = 1 << index;
        let is_free = taken.slots & bit == 0;
        if is_free {
            taken.slots |= bit;
            self.slot = bit;
        }
        is_free
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.appenders -= 1;
        taken.exclusively = false;
        taken.slots &= !self.slot;
    }
}

impl Seat {
    /// Takes a seat, shared or exclusive.
    ///
    /// # Errors
    ///
    /// [`JournalError::AppendedTo`] if there is an exclusive appender, or if `share` is exclusive and there is any
    /// appender.
    pub(crate) fn take(writer: &Writer, share: Share) -> Result<Self, JournalError> {
        let mut idle = idle_strategy();
        for look in 1.. {
            if let Some(seat) = Self::try_take(writer, share)? {
                seat.pid.store_relaxed(std::process::id().into());
                return Ok(seat);
            }
            if let Some(pid) = holder(writer).or((look == LOOKS).then_some(0)) {
                let recording_id = writer.descriptor.recording_id;
                return Err(JournalError::AppendedTo { recording_id, pid, exclusively: share == Share::Shared });
            }
            idle.idle_once();
        }
        unreachable!("so many looks are taken and no more")
    }

    /// As [`Self::take`], to use for a short time. `None` if another appender is in the way.
    pub(crate) fn try_take(writer: &Writer, share: Share) -> Result<Option<Self>, JournalError> {
        let descriptor = &writer.descriptor;
        let Some(mut account) = writer.seats.admit(share) else { return Ok(None) };
        let name = appenders_lock_name(descriptor.recording_id);
        let Some(shared) = writer.storage.try_lock(&name, share)? else { return Ok(None) };
        for index in 0..MAX_APPENDERS {
            let lock =
                writer.storage.try_lock(&appender_lock_name(descriptor.recording_id, index), Share::Exclusive)?;
            let Some(alive) = lock.filter(|_| account.take(index)) else { continue };
            let slot = writer.control.slot(index);
            // The previous owner of the slot is dead. Its claim has been handled, and nobody claims that range any
            // more.
            slot.clear();
            let pid = writer.control.slot_pid(index);
            pid.store_relaxed(0);
            return Ok(Some(Self { slot, pid, _alive: alive, _share: shared, _account: account }));
        }
        Err(JournalError::TooManyAppenders { recording_id: descriptor.recording_id, limit: MAX_APPENDERS })
    }

    /// The slot with the owner's claim.
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.slot.clear();
        self.pid.store_relaxed(0);
    }
}

/// The process id of a living appender, if it has stored one.
fn holder(writer: &Writer) -> Option<i64> {
    let said = (0..MAX_APPENDERS).map(|index| (index, writer.control.slot_pid(index).load_relaxed()));
    let lives = |&(index, pid): &(usize, i64)| pid != 0 && writer.is_alive(index);
    said.filter(lives).map(|(_, pid)| pid).next()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::journal::{Journal, JournalOptions};

    fn journal_whose_locks_can_be_removed() -> (tempfile::TempDir, Journal, impl Fn()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let journal = Journal::create(&path, &JournalOptions::new().term_length(64 << 10).segment_length(64 << 10));
        let remove = move || {
            let names = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            names.filter(|name| name.extension().is_some_and(|found| found == "lock")).for_each(|name| {
                fs::remove_file(name).unwrap();
            });
        };
        (dir, journal.unwrap(), remove)
    }

    /// Two that lent the same memory for writing would be undefined behaviour.
    #[test]
    fn an_exclusive_appender_is_alone_in_its_process_though_its_locks_are_gone() {
        let (_dir, journal, remove_locks) = journal_whose_locks_can_be_removed();
        let mut appender = journal.exclusive_appender().unwrap();
        let mut claim = appender.claim(8).unwrap();
        remove_locks();
        let pid = i64::from(std::process::id());
        for error in [journal.exclusive_appender().map(drop).unwrap_err(), journal.appender().map(drop).unwrap_err()] {
            assert!(matches!(error, JournalError::AppendedTo { pid: found, .. } if found == pid), "{error}");
        }
        claim.payload_mut().copy_from_slice(b"my claim");
        claim.commit().unwrap();
        drop(appender);
        let shared = journal.appender().unwrap();
        remove_locks();
        assert!(journal.exclusive_appender().is_err());
        drop(shared);
        journal.exclusive_appender().unwrap();
    }

    #[test]
    fn an_appender_lives_and_keeps_its_slot_though_its_locks_are_gone() {
        let (_dir, journal, remove_locks) = journal_whose_locks_can_be_removed();
        let mut appender = journal.appender().unwrap();
        let before = appender.append(b"before").unwrap();
        let claim = appender.claim(8).unwrap();
        remove_locks();
        let mut other = journal.appender().unwrap();
        let end = other.append(b"behind").unwrap();
        assert_eq!(journal.writer().advance().unwrap(), before, "nobody has taken the claim over");
        claim.commit().unwrap();
        assert_eq!(journal.writer().advance().unwrap(), end);
    }
}
