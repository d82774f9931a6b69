//! Why a driver stops, and how whoever waits for that learns it. Signals, embedders, the driver's own agents and clients
//! with the right to terminate it all say it here; the first one to speak is believed.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use gannet::time::MonotonicNanos;

/// Why a driver stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// Its owner wants it to: a signal, or a call.
    Requested,
    /// A client asked for it and was granted it.
    TerminatedByClient,
    /// One of its agents failed; closing the driver tells how.
    AgentFailed,
}

/// Asks a driver to stop, from any thread and any number of times. Keeps nothing of the driver alive.
#[derive(Clone, Debug, Default)]
pub struct StopHandle(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    reason: Mutex<Option<StopReason>>,
    stated: Condvar,
}

impl StopHandle {
    /// Asks the driver's owner, who waits or looks for it, to stop the driver.
    pub fn stop(&self) {
        self.state(StopReason::Requested);
    }

    /// Why the driver is to stop, once it is.
    pub fn reason(&self) -> Option<StopReason> {
        *self.lock()
    }

    /// States a reason, unless there is one.
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
        // A single word cannot be left half changed.
        self.0.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Signals that come so soon after the first are one wish with it.
const TOGETHER_NS: i64 = 500_000_000;

/// Tells a second wish to stop, which is not to be put off any longer, from what belongs to the first. What comes within half a
/// second of that is one wish with it: `timeout` sends every signal twice, to the process and to its group.
///
/// ```
/// use gannet::time::MonotonicNanos;
/// use gannet_driver::StopWish;
///
/// let mut wish = StopWish::default();
/// assert!(!wish.is_uttered_again(MonotonicNanos::new(0)));
/// assert!(!wish.is_uttered_again(MonotonicNanos::new(1_000)));
/// assert!(wish.is_uttered_again(MonotonicNanos::new(2_000_000_000)));
/// ```
#[derive(Debug, Default)]
pub struct StopWish(Option<MonotonicNanos>);

impl StopWish {
    /// Notes a signal, and says whether the wish was uttered before.
    pub fn is_uttered_again(&mut self, now: MonotonicNanos) -> bool {
        now.since(*self.0.get_or_insert(now)) >= TOGETHER_NS
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

    #[test]
    fn a_signal_that_is_sent_twice_at_once_is_one_wish() {
        let mut wish = StopWish::default();
        let at = |ns: i64| MonotonicNanos::new(7_000_000_000 + ns);
        let again =
            [0, 0, 1_000, TOGETHER_NS - 1, TOGETHER_NS, 60 * TOGETHER_NS].map(|ns| wish.is_uttered_again(at(ns)));
        assert_eq!(again, [false, false, false, false, true, true]);
    }
}
