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

/// How often it is asked who is in the way before that is told without a name: whoever has the lock may be about to take a slot, or to
/// go.
const LOOKS: usize = 20;

/// A slot that is somebody's.
#[derive(Debug)]
pub(crate) struct Seat {
    slot: Slot,
    pid: OwnedWord<i64>,
    // In this order: whoever gets the second finds that the first is free.
    _alive: Lock,
    _share: Lock,
}

impl Seat {
    /// A seat among others, or the only one.
    ///
    /// # Errors
    ///
    /// [`JournalError::AppendedTo`] when there is an exclusive appender, or one of any kind and this is to be the only one.
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

    /// The same for a moment, for which nobody is named who is in the way of an exclusive appender; none where somebody is.
    pub(crate) fn try_take(writer: &Writer, share: Share) -> Result<Option<Self>, JournalError> {
        let descriptor = &writer.descriptor;
        let name = appenders_lock_name(descriptor.recording_id);
        let Some(shared) = writer.storage.try_lock(&name, share)? else { return Ok(None) };
        for index in 0..MAX_APPENDERS {
            let lock =
                writer.storage.try_lock(&appender_lock_name(descriptor.recording_id, index), Share::Exclusive)?;
            let Some(alive) = lock else { continue };
            let slot = writer.control.slot(index);
            // Whoever had it is dead, and so is what it claimed: nobody claims that any more.
            slot.clear();
            let pid = writer.control.slot_pid(index);
            pid.store_relaxed(0);
            return Ok(Some(Self { slot, pid, _alive: alive, _share: shared }));
        }
        Err(JournalError::TooManyAppenders { recording_id: descriptor.recording_id, limit: MAX_APPENDERS })
    }

    /// What its owner claims.
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

/// The process of an appender that lives, as far as it has said so.
fn holder(writer: &Writer) -> Option<i64> {
    let said = (0..MAX_APPENDERS).map(|index| (index, writer.control.slot_pid(index).load_relaxed()));
    let lives = |&(index, pid): &(usize, i64)| pid != 0 && writer.is_alive(index);
    said.filter(lives).map(|(_, pid)| pid).next()
}
