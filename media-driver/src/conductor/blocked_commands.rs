//! Watches for a client that died while it wrote a command: the commands behind it wait. Told of the ring's positions on each
//! timer tick; decides when it has been too long.

use gannet::time::MonotonicNanos;

/// Since when the ring's head stands still.
#[derive(Debug)]
pub(super) struct BlockedCommands {
    timeout_ns: i64,
    head: i64,
    since: MonotonicNanos,
}

impl BlockedCommands {
    pub(super) fn new(timeout_ns: i64) -> Self {
        Self { timeout_ns, head: 0, since: MonotonicNanos::new(0) }
    }

    /// Whether the ring should be unblocked now. A tail that no producer can have stored counts as one that is ahead.
    pub(super) fn is_overdue(&mut self, now: MonotonicNanos, head: i64, tail: i64) -> bool {
        if head == self.head && tail != head {
            return now.since(self.since) > self.timeout_ns;
        }
        self.head = head;
        self.since = now;
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
}
