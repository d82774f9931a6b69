//! How often a journal rolls by time of day, and the cycle of a given time.

use core::time::Duration;

use crate::time::EpochNanos;

const SECOND_NS: i64 = 1_000_000_000;

/// How often a new cycle begins, in whole seconds of UTC.
///
/// ```
/// use core::time::Duration;
/// use gannet::journal::RollCycle;
/// use gannet::time::EpochNanos;
///
/// // Days that end at 17:00 UTC.
/// let trading_day = RollCycle::DAILY.offset(Duration::from_secs(17 * 3600));
/// let noon = EpochNanos::new(1_700_049_600_000_000_000); // 2023-11-15, 12:00
/// assert_eq!(trading_day.number(noon), trading_day.number(EpochNanos::new(noon.get() - 18 * 3600 * 1_000_000_000)));
/// assert!(trading_day.start_of(trading_day.number(noon)) <= noon);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollCycle {
    period_s: i64,
    offset_s: i64,
}

impl RollCycle {
    /// A cycle per minute.
    pub const MINUTELY: Self = Self { period_s: 60, offset_s: 0 };
    /// A cycle per hour.
    pub const HOURLY: Self = Self { period_s: 3600, offset_s: 0 };
    /// A cycle per day, from midnight UTC.
    pub const DAILY: Self = Self { period_s: 24 * 3600, offset_s: 0 };
    /// A cycle per week, from Monday midnight UTC.
    pub const WEEKLY: Self = Self { period_s: 7 * 24 * 3600, offset_s: 4 * 24 * 3600 };

    /// Cycles of this length, counted from 1970. The length is in whole seconds, from one second to 366 days. A length
    /// outside this range is replaced by the nearest limit.
    pub fn every(period: Duration) -> Self {
        let seconds = i64::try_from(period.as_secs()).unwrap_or(i64::MAX);
        Self { period_s: seconds.clamp(1, 366 * 24 * 3600), offset_s: 0 }
    }

    /// Makes cycles begin this much later, in whole seconds, for a time zone or a time of day.
    #[must_use]
    pub fn offset(mut self, offset: Duration) -> Self {
        let seconds = i64::try_from(offset.as_secs()).unwrap_or(i64::MAX);
        self.offset_s = seconds.rem_euclid(self.period_s);
        self
    }

    /// The length of a cycle.
    pub fn period(&self) -> Duration {
        Duration::from_secs(self.period_s.unsigned_abs())
    }

    /// The number of the cycle that contains a time, counted from 1970.
    pub fn number(&self, time: EpochNanos) -> i64 {
        (time.get().div_euclid(SECOND_NS) - self.offset_s).div_euclid(self.period_s)
    }

    /// The time at which a cycle begins.
    pub fn start_of(&self, number: i64) -> EpochNanos {
        let seconds = number.saturating_mul(self.period_s).saturating_add(self.offset_s);
        EpochNanos::new(seconds.saturating_mul(SECOND_NS))
    }

    /// Reads the values of the control page. `None` if they are invalid.
    pub(crate) fn of_seconds(period_s: i64, offset_s: i64) -> Option<Self> {
        let can_be = (1..=366 * 24 * 3600).contains(&period_s) && (0..period_s).contains(&offset_s);
        can_be.then_some(Self { period_s, offset_s })
    }

    pub(crate) fn seconds(&self) -> (i64, i64) {
        (self.period_s, self.offset_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_begin_where_the_calendar_says() {
        let at = |seconds: i64| EpochNanos::new(seconds * SECOND_NS);
        // 2026-01-31T08:30:00Z, a Saturday.
        let time = at(1_769_848_200);
        let start = |roll: RollCycle| roll.start_of(roll.number(time)).get() / SECOND_NS;
        assert_eq!(start(RollCycle::MINUTELY), 1_769_848_200);
        assert_eq!(start(RollCycle::HOURLY), 1_769_846_400);
        assert_eq!(start(RollCycle::DAILY), 1_769_817_600);
        assert_eq!(start(RollCycle::WEEKLY), 1_769_385_600, "Monday the 26th");
        assert_eq!(
            start(RollCycle::DAILY.offset(Duration::from_secs(17 * 3600))),
            1_769_792_400,
            "17:00 the day before"
        );
        let daily = RollCycle::DAILY;
        assert_eq!(daily.number(at(-1)), -1);
        assert_eq!(daily.number(daily.start_of(7)), 7);
        assert_eq!(daily.number(EpochNanos::new(daily.start_of(7).get() - 1)), 6);
    }

    #[test]
    fn a_period_is_from_a_second_to_a_year() {
        assert_eq!(RollCycle::every(Duration::ZERO).period(), Duration::from_secs(1));
        assert_eq!(RollCycle::every(Duration::MAX).period(), Duration::from_secs(366 * 24 * 3600));
        for (period, offset) in [(0, 0), (-1, 0), (60, 60), (60, -1), (i64::MAX, 0)] {
            assert_eq!(RollCycle::of_seconds(period, offset), None);
        }
    }
}
