//! Detects a client that died while it wrote a command, since the commands behind it wait. It is told the ring's
//! positions on each timer tick, and decides when the timeout has passed.

use gannet::time::MonotonicNanos;

/// Tracks how long the ring's head has not moved.
#[derive(Debug)]
pub(super) struct BlockedCommands {
    timeout_ns: i64,
    /// The head's position, and when it was first seen there. `None` before the first check.
    seen: Option<(i64, MonotonicNanos)>,
}

impl BlockedCommands {
    pub(super) fn new(timeout_ns: i64) -> Self {
        Self { timeout_ns, seen: None }
    }

    /// Whether the ring should be unblocked now. An impossible tail counts as one that is ahead.
    pub(super) fn is_overdue(&mut self, now: MonotonicNanos, head: i64, tail: i64) -> bool {
        if let Some((seen, since)) = self.seen
            && head == seen
            && tail != head
        {
            return now.since(since) > self.timeout_ns;
        }
        self.seen = Some((head, now));
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_head_that_stands_still_before_a_tail_counts() {
        let at = MonotonicNanos::new;
        let mut watch = BlockedCommands::new(10);
        assert!(!watch.is_overdue(at(100), 0, 0), "nothing is there");
        assert!(!watch.is_overdue(at(105), 0, 64));
        assert!(!watch.is_overdue(at(110), 0, 64), "the timeout has to pass");
        assert!(watch.is_overdue(at(111), 0, 64));
        assert!(!watch.is_overdue(at(112), 32, 64), "it moved");
        assert!(!watch.is_overdue(at(122), 32, 64));
        assert!(watch.is_overdue(at(123), 32, 64));
    }

    /// A client may be writing its command when the driver looks for the first time, long after its machine was started.
    #[test]
    fn the_first_look_blames_nobody() {
        let mut watch = BlockedCommands::new(10);
        assert!(!watch.is_overdue(MonotonicNanos::new(1_000), 0, 64));
        assert!(watch.is_overdue(MonotonicNanos::new(1_011), 0, 64));
    }
}
