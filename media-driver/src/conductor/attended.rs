//! The time for which the conductor has watched others: from tick to tick, but for each tick at most one interval. A
//! process that was stopped, or a machine that stood still, has watched nobody meanwhile. So a claim that was made just
//! before is not taken for abandoned at the first tick after it, nor a subscriber left behind that could not read on.
//! Claims and commands that are never finished are judged by this time, and subscribers that fall behind.

use gannet::time::MonotonicNanos;

/// The watched time.
#[derive(Debug)]
pub(super) struct Attended {
    interval_ns: i64,
    last_tick: Option<MonotonicNanos>,
    watched: MonotonicNanos,
}

impl Attended {
    /// Nothing was watched yet. Ticks follow each other at this interval.
    pub(super) fn new(interval_ns: i64) -> Self {
        Self { interval_ns, last_tick: None, watched: MonotonicNanos::default() }
    }

    /// Counts a timer tick.
    pub(super) fn on_tick(&mut self, now: MonotonicNanos) {
        if let Some(last) = self.last_tick.replace(now) {
            self.watched = self.watched.saturating_add_ns(now.since(last).clamp(0, self.interval_ns));
        }
    }

    /// The watched time at the last tick. Only comparable with other times of this watch.
    pub(super) fn time(&self) -> MonotonicNanos {
        self.watched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_that_comes_late_counts_as_one_interval() {
        let mut attended = Attended::new(10);
        let mut tick = |at| {
            attended.on_tick(MonotonicNanos::new(at));
            attended.time().get()
        };
        assert_eq!([1_000, 1_010, 1_017].map(&mut tick), [0, 10, 17]);
        assert_eq!(tick(900_000), 27);
        assert_eq!([900_010, 900_021].map(&mut tick), [37, 47]);
        assert_eq!([900_000, i64::MAX].map(&mut tick), [47, 57], "however clocks behave");
    }
}
