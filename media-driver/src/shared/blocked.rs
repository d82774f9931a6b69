//! Detects who died, or sleeps, between claim and commit, while a consumer waits in front of the claim and others are
//! beyond it: a publisher of a stream, or a client that wrote a command. The conductor passes in positions on each timer
//! tick; this decides when the timeout has passed.

use gannet::time::MonotonicNanos;

/// Tracks for how long a consumer was seen not to move.
#[derive(Debug)]
pub struct BlockedWatch {
    timeout_ns: i64,
    /// The consumer's position, and when it was first seen there. `None` before the first look.
    seen: Option<(i64, MonotonicNanos)>,
}

impl BlockedWatch {
    /// A watch for a consumer that may stay in one place for `timeout_ns` nanoseconds.
    pub fn new(timeout_ns: i64) -> Self {
        Self { timeout_ns, seen: None }
    }

    /// Whether the consumer should be unblocked now: there is something to read, and it was seen not to move for longer
    /// than the timeout. `at` is the time for which the conductor has watched, which does not pass while it does not run.
    pub fn is_overdue(&mut self, at: MonotonicNanos, consumer: i64, possibly_blocked: bool) -> bool {
        if let Some((seen, since)) = self.seen
            && possibly_blocked
            && consumer == seen
        {
            return at.since(since) > self.timeout_ns;
        }
        self.seen = Some((consumer, at));
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_standing_still_with_something_to_read_counts() {
        let at = MonotonicNanos::new;
        let mut watch = BlockedWatch::new(15);
        assert!(!watch.is_overdue(at(100), 0, false), "nothing is there");
        assert!(!watch.is_overdue(at(115), 0, true), "the timeout has to pass");
        assert!(watch.is_overdue(at(116), 0, true));
        assert!(watch.is_overdue(at(117), 0, true), "it is tried again for as long as nothing moves");
        assert!(!watch.is_overdue(at(118), 64, true), "somebody moved");
        assert!(!watch.is_overdue(at(133), 64, true));
        assert!(!watch.is_overdue(at(134), 64, false), "nothing to read: the time starts anew");
        assert!(!watch.is_overdue(at(149), 64, true));
        assert!(watch.is_overdue(at(150), 64, true));
    }

    /// A client may be writing its command when the driver looks for the first time, long after its machine was started.
    #[test]
    fn the_first_look_blames_nobody() {
        let mut watch = BlockedWatch::new(10);
        assert!(!watch.is_overdue(MonotonicNanos::new(1_000), 0, true));
        assert!(watch.is_overdue(MonotonicNanos::new(1_011), 0, true));
    }
}
