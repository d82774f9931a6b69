//! A feed from one agent to another: a bounded queue, and the messages that found no room in it, which are sent first
//! next time. A sender that finds the queue full never waits. The number of such cases is counted where Aeron counts
//! offers that fail.

use std::sync::mpsc::SyncSender;

use gannet::memory::OwnedWord;

use super::queue::{EndGone, Inlet};

/// The sending end of a queue between agents.
#[derive(Debug)]
pub(super) struct Feed<T> {
    queue: Inlet<SyncSender<T>>,
    held: Option<T>,
    refused: OwnedWord<i64>,
}

impl<T> Feed<T> {
    /// A sending end of `queue`. Messages that find the queue full are counted in `refused`, which others may count in,
    /// too.
    pub(super) fn new(queue: Inlet<SyncSender<T>>, refused: OwnedWord<i64>) -> Self {
        Self { queue, held: None, refused }
    }

    /// Whether it holds back messages.
    #[inline]
    pub(super) fn holds_back(&self) -> bool {
        self.held.is_some()
    }

    /// Sends the messages that were held back, and then those that `next` returns. Holds back what does not fit.
    /// Returns the number of messages that it took.
    #[cold]
    pub(super) fn pass_on(&mut self, mut next: impl FnMut() -> Option<T>) -> Result<usize, EndGone> {
        let mut is_counted = self.held.is_some();
        let mut passed = 0;
        while let Some(what) = self.held.take().or_else(&mut next) {
            self.held = self.queue.try_give(what)?;
            if self.held.is_some() {
                // Counted once for each message, however often it is tried again.
                if !is_counted {
                    self.refused.fetch_add(1);
                }
                break;
            }
            is_counted = false;
            passed += 1;
        }
        Ok(passed)
    }
}

#[cfg(test)]
mod tests {
    use gannet::counters::SystemCounter;

    use super::*;
    use crate::runtime::queue::bounded;
    use crate::shared::NetworkCounters;

    #[test]
    fn what_finds_no_room_is_counted_once_and_passed_on_in_order() {
        let refused = NetworkCounters::heap().word(SystemCounter::SenderProxyFails);
        let (queue, mut taken) = bounded(2);
        let mut feed = Feed::new(queue, refused.clone());
        let mut waiting = 1..=4;
        let mut pass = |passed| {
            assert_eq!(feed.pass_on(|| waiting.next()), Ok(passed));
            refused.load_acquire()
        };
        assert_eq!(pass(2), 1, "the third");
        assert_eq!(pass(0), 1, "which finds none still");
        assert_eq!(taken.take(), Ok(Some(1)));
        assert_eq!(pass(1), 2, "the fourth");
        assert_eq!((taken.take(), taken.take()), (Ok(Some(2)), Ok(Some(3))));
        assert_eq!(pass(1), 2);
        assert_eq!(taken.take(), Ok(Some(4)));
        drop(taken);
        waiting = 5..=5;
        assert_eq!(feed.pass_on(|| waiting.next()), Err(EndGone));
    }
}
