//! Tracks the duration of something that should be short, for operators: the longest duration so far, and the number of
//! those that were too long. The code that is measured keeps one, and is the only writer of its words.

use gannet::memory::OwnedWord;
use gannet::time::MonotonicNanos;

/// Tracks durations of one kind.
#[derive(Debug)]
pub struct StallTracker {
    longest: OwnedWord<i64>,
    too_long: OwnedWord<i64>,
    threshold_ns: i64,
    longest_ns: i64,
    last_cycle: Option<MonotonicNanos>,
}

impl StallTracker {
    /// Stores the longest duration in `longest`, in nanoseconds, and counts those above the threshold in `too_long`.
    pub fn new(longest: OwnedWord<i64>, too_long: OwnedWord<i64>, threshold_ns: i64) -> Self {
        Self { longest, too_long, threshold_ns, longest_ns: 0, last_cycle: None }
    }

    /// Records a duration in nanoseconds.
    #[inline]
    pub fn on_time(&mut self, took_ns: i64) {
        if took_ns > self.longest_ns {
            self.longest_ns = took_ns;
            self.longest.store_release(took_ns);
        }
        if took_ns > self.threshold_ns {
            self.too_long.store_release(self.too_long.load_relaxed().wrapping_add(1));
        }
    }

    /// Records the start of a duty cycle. The duration is the time since the previous start, because that is how long
    /// clients and streams wait.
    #[inline]
    pub fn on_cycle(&mut self, now: MonotonicNanos) {
        if let Some(last) = self.last_cycle.replace(now) {
            self.on_time(now.since(last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::NetworkCounters;
    use gannet::counters::SystemCounter;

    #[test]
    fn the_longest_is_shown_and_those_above_the_threshold_are_counted() {
        const LONGEST: SystemCounter = SystemCounter::SenderMaxCycleTime;
        const TOO_LONG: SystemCounter = SystemCounter::SenderCycleTimeThresholdExceeded;
        let counters = NetworkCounters::heap();
        let mut tracker = StallTracker::new(counters.word(LONGEST), counters.word(TOO_LONG), 100);
        for (now, longest, too_long) in
            [(1_000, 0, 0), (1_050, 50, 0), (1_150, 100, 0), (1_251, 101, 1), (1_400, 149, 2)]
        {
            tracker.on_cycle(MonotonicNanos::new(now));
            assert_eq!((counters.get(LONGEST), counters.get(TOO_LONG)), (longest, too_long));
        }
        tracker.on_time(120);
        assert_eq!((counters.get(LONGEST), counters.get(TOO_LONG)), (149, 3));
    }
}
