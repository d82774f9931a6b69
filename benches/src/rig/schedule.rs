//! An open-loop schedule: when each message should be sent, at even intervals. Called by the loops of the rig. The
//! schedule never moves: a stall makes messages late, and each is charged with its whole delay.

use gannet::time::{Clock, SystemClock};

/// The monotonic clock in nanoseconds. The rig is at the edge of the system, so it reads the clock itself.
#[inline]
pub fn now_ns() -> i64 {
    SystemClock.monotonic().get()
}

/// An open-loop schedule: message `n` is due at `start + n * interval`.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    start_ns: i64,
    interval_ns: f64,
}

impl Schedule {
    /// Creates a schedule whose message 0 is due at `start_ns`, with `rate_per_s` messages per second.
    ///
    /// # Panics
    ///
    /// If the rate is 0.
    pub fn new(start_ns: i64, rate_per_s: u64) -> Self {
        assert!(rate_per_s > 0, "a schedule needs a rate");
        Self { start_ns, interval_ns: 1e9 / rate_per_s as f64 }
    }

    /// When message `index` is due.
    #[inline]
    pub fn due_ns(&self, index: u64) -> i64 {
        // The product is rounded and not the interval, since fractions of a nanosecond per message would add up.
        self.start_ns + (index as f64 * self.interval_ns) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_at_even_intervals_without_drift() {
        let schedule = Schedule::new(1_000, 3);
        assert_eq!(schedule.due_ns(0), 1_000);
        assert_eq!(schedule.due_ns(1), 1_000 + 333_333_333);
        assert_eq!(schedule.due_ns(3_000_000), 1_000 + 1_000_000_000_000_000);
    }
}
