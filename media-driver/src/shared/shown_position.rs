//! The position counter of a publication's publishers, which operators watch. Finding that position takes words that
//! publishers change all the time, so the counter is updated when the position is found anyway, and from time to time
//! besides. The publication keeps one, and is the counter's only writer.

use gannet::memory::OwnedWord;
use gannet::time::MonotonicNanos;

/// How often it is looked up when nothing else needs it, in nanoseconds.
const INTERVAL_NS: i64 = 100_000;

/// What the counter shows, and since when.
#[derive(Debug)]
pub struct ShownPosition {
    counter: OwnedWord<i64>,
    position: i64,
    at: MonotonicNanos,
}

impl ShownPosition {
    /// A counter that shows `position` already.
    pub fn new(counter: OwnedWord<i64>, position: i64, now: MonotonicNanos) -> Self {
        Self { counter, position, at: now }
    }

    /// Whether it has not been shown for so long that it is to be looked up.
    #[inline]
    pub fn is_due(&self, now: MonotonicNanos) -> bool {
        now.since(self.at) >= INTERVAL_NS
    }

    /// Shows where publishers are now.
    #[inline]
    pub fn show(&mut self, now: MonotonicNanos, position: i64) {
        self.at = now;
        if position != self.position {
            self.position = position;
            self.counter.store_release(position);
        }
    }
}
