//! Why a driver stops, and how those who wait for that learn it. Signals, embedders, the driver's own agents and
//! authorised clients report the reason here; the first one counts.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Why a driver stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// The owner asked for it, by a signal or a call.
    Requested,
    /// A client asked for it, and was permitted to.
    TerminatedByClient,
    /// An agent failed. Closing the driver returns the error.
    AgentFailed,
}

/// A handle that asks a driver to stop, from any thread and any number of times. Does not keep any part of the driver
/// alive.
#[derive(Clone, Debug, Default)]
pub struct StopHandle(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    reason: Mutex<Option<StopReason>>,
    stated: Condvar,
}

impl StopHandle {
    /// Asks the driver to stop. Its owner, who waits or checks for that, then closes it.
    pub fn stop(&self) {
        self.state(StopReason::Requested);
    }

    /// The reason to stop, if there is one.
    pub fn reason(&self) -> Option<StopReason> {
        *self.lock()
    }

    /// Sets the reason, unless there is one.
    pub(crate) fn state(&self, reason: StopReason) {
        self.lock().get_or_insert(reason);
        self.0.stated.notify_all();
    }

    /// Waits until there is a reason to stop.
    pub(crate) fn wait(&self) -> StopReason {
        let mut reason = self.lock();
        loop {
            if let Some(reason) = *reason {
                return reason;
            }
            reason = self.0.stated.wait(reason).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<StopReason>> {
        // A single word cannot be left in an inconsistent state.
        self.0.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stands_and_wakes_who_waits() {
        let handle = StopHandle::default();
        assert_eq!(handle.reason(), None);
        let waiter = std::thread::spawn({
            let handle = handle.clone();
            move || handle.wait()
        });
        handle.state(StopReason::TerminatedByClient);
        handle.stop();
        assert_eq!(waiter.join().unwrap(), StopReason::TerminatedByClient);
        assert_eq!(handle.wait(), StopReason::TerminatedByClient);
    }
}
