//! The position counter of a publication's publishers, which operators watch. Finding that position takes words that
//! publishers change all the time, so the counter is updated when the position is found anyway, and from time to time
//! besides. The publication keeps one, and is the counter's only writer.

use gannet::memory::OwnedWord;
use gannet::time::MonotonicNanos;

/// The interval at which the position is looked up if nothing else needs it, in nanoseconds.
const INTERVAL_NS: i64 = 100_000;

/// The value of the counter, and when it was stored.
#[derive(Debug)]
pub struct ShownPosition {
    counter: OwnedWord<i64>,
    position: i64,
    at: MonotonicNanos,
}

impl ShownPosition {
    /// For a counter that has the value `position`.
    pub fn new(counter: OwnedWord<i64>, position: i64, now: MonotonicNanos) -> Self {
        Self { counter, position, at: now }
    }

    /// Whether the counter is so old that the position is to be looked up.
    #[inline]
    pub fn is_due(&self, now: MonotonicNanos) -> bool {
        now.since(self.at) >= INTERVAL_NS
    }

    /// Stores the publishers' position.
    #[inline]
    pub fn show(&mut self, now: MonotonicNanos, position: i64) {
        self.at = now;
        if position != self.position {
            self.position = position;
            self.counter.store_release(position);
        }
    }
}
