//! Limits how often something is reported, however often it happens.

use gannet::time::MonotonicNanos;

/// Remembers when something was last reported.
#[derive(Debug)]
pub struct Seldom {
    interval_ns: i64,
    told: Option<MonotonicNanos>,
}

impl Seldom {
    /// Permits a report at most once in this many nanoseconds.
    pub const fn every(interval_ns: i64) -> Self {
        Self { interval_ns, told: None }
    }

    /// Whether it may be reported now. If so, records the report.
    pub fn may_tell(&mut self, now: MonotonicNanos) -> bool {
        let is_due = self.told.is_none_or(|told| now > told.saturating_add_ns(self.interval_ns));
        if is_due {
            self.told = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_and_again_is_told_once_in_a_while() {
        let mut seldom = Seldom::every(10);
        let told = [5, 5, 15, 16, 17, 26, 27].map(|ns| seldom.may_tell(MonotonicNanos::new(ns)));
        assert_eq!(told, [true, false, false, true, false, false, true]);
    }
}
