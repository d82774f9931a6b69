//! Detects a publisher that died, or sleeps, between claim and commit, while subscribers wait in front of its claim and
//! other publishers are beyond it. The conductor passes in positions on each timer tick; this decides when the timeout
//! has passed.

use gannet::time::MonotonicNanos;

/// Tracks how long the consumers of a log have not moved.
#[derive(Debug)]
pub struct BlockedWatch {
    timeout_ns: i64,
    consumer: i64,
    since: MonotonicNanos,
}

impl BlockedWatch {
    /// A watch for a log whose consumers are at `consumer`. They may stay there for `timeout_ns` nanoseconds.
    pub fn new(timeout_ns: i64, consumer: i64, now: MonotonicNanos) -> Self {
        Self { timeout_ns, consumer, since: now }
    }

    /// Whether the stream should be unblocked now: there is something to read, and the consumers have not moved for
    /// longer than the timeout.
    pub fn is_overdue(&mut self, now: MonotonicNanos, consumer: i64, possibly_blocked: bool) -> bool {
        if possibly_blocked && consumer == self.consumer {
            return now.since(self.since) > self.timeout_ns;
        }
        self.consumer = consumer;
        self.since = now;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_standing_still_with_something_to_read_counts() {
        let at = MonotonicNanos::new;
        let mut watch = BlockedWatch::new(15, 0, at(0));
        assert!(!watch.is_overdue(at(15), 0, true), "the timeout has to pass");
        assert!(watch.is_overdue(at(16), 0, true));
        assert!(watch.is_overdue(at(17), 0, true), "it is tried again for as long as nothing moves");
        assert!(!watch.is_overdue(at(18), 64, true), "somebody moved");
        assert!(!watch.is_overdue(at(33), 64, true));
        assert!(!watch.is_overdue(at(34), 64, false), "nothing to read: the time starts anew");
        assert!(!watch.is_overdue(at(49), 64, true));
        assert!(watch.is_overdue(at(50), 64, true));
    }
}
