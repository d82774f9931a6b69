//! How long an agent did not run, beyond what a duty cycle may take. In that time it could hear nobody, and what others
//! have sent meanwhile is still in its sockets. So it does not count when the agent judges who is silent.

use gannet::time::MonotonicNanos;

/// The maximum time between two duty cycles that counts, in nanoseconds. After a longer one, not everything that waits
/// in the sockets is received in the next cycle.
const LONGEST_CYCLE_NS: i64 = 1_000_000_000;

/// Watches the duty cycles of an agent.
#[derive(Debug, Default)]
pub struct StandstillWatch {
    last_cycle: Option<MonotonicNanos>,
}

impl StandstillWatch {
    /// Records the start of a duty cycle. Returns the time in nanoseconds that does not count since the previous one, if
    /// that took too long.
    #[inline]
    pub fn on_cycle(&mut self, now: MonotonicNanos) -> Option<i64> {
        let passed_ns = now.since(self.last_cycle.replace(now)?);
        (passed_ns > LONGEST_CYCLE_NS).then(|| passed_ns - LONGEST_CYCLE_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_longest_cycle_does_not_count() {
        let mut watch = StandstillWatch::default();
        let mut on_cycle = |ns| watch.on_cycle(MonotonicNanos::new(ns));
        assert_eq!([7, 8, 8 + LONGEST_CYCLE_NS].map(&mut on_cycle), [None; 3]);
        assert_eq!(on_cycle(20 + 3 * LONGEST_CYCLE_NS), Some(LONGEST_CYCLE_NS + 12));
        assert_eq!([0, 1].map(&mut on_cycle), [None; 2], "however clocks behave");
    }
}
