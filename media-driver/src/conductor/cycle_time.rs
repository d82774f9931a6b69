//! How long the conductor's duty cycles take, for people to see: the longest so far, and how many took too long.

use gannet::time::MonotonicNanos;

use super::counters::Counters;

/// The time from one duty cycle to the next.
#[derive(Debug)]
pub(super) struct CycleTime {
    threshold_ns: i64,
    last: Option<MonotonicNanos>,
    longest_ns: i64,
}

impl CycleTime {
    pub(super) fn new(threshold_ns: i64) -> Self {
        Self { threshold_ns, last: None, longest_ns: 0 }
    }

    /// A duty cycle begins.
    pub(super) fn on_cycle(&mut self, now: MonotonicNanos, counters: &Counters) {
        let Some(last) = self.last.replace(now) else { return };
        let took_ns = now.since(last);
        if took_ns > self.longest_ns {
            self.longest_ns = took_ns;
            counters.set_longest_cycle(took_ns);
        }
        if took_ns > self.threshold_ns {
            counters.on_long_cycle();
        }
    }
}
