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
        let name = appenders_lock_name(descriptor.recording_id);
        let Some(shared) = writer.storage.try_lock(&name, share)? else { return Ok(None) };
        for index in 0..MAX_APPENDERS {
            let lock =
                writer.storage.try_lock(&appender_lock_name(descriptor.recording_id, index), Share::Exclusive)?;
            let Some(alive) = lock else { continue };
            let slot = writer.control.slot(index);
            // The previous owner of the slot is dead. Its claim has been handled, and nobody claims that range any
            // more.
            slot.clear();
            let pid = writer.control.slot_pid(index);
            pid.store_relaxed(0);
            return Ok(Some(Self { slot, pid, _alive: alive, _share: shared }));
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
