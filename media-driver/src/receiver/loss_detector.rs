//! When a gap in an image is to be reported: once when it is found and its delay has passed, then again and again for as long as
//! it stays. The receiver owns one per image and tells it of the first gap that each scan meets; it never looks at the log.

use fastrand::Rng;
use gannet::time::MonotonicNanos;

use super::nak_delay::NakDelay;

/// Bytes that are missing, within one term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The position of the first of them.
    pub position: i64,
    /// How many there are.
    pub length: i32,
}

/// What a scan came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detection {
    /// The gap is another one than before: something was lost.
    pub found: bool,
    /// The gap is to be reported, or filled, now.
    pub report: Option<Gap>,
}

/// The one gap of an image that is being waited for, and until when.
#[derive(Debug)]
pub struct LossDetector {
    delay: NakDelay,
    active: Option<Gap>,
    expiry: MonotonicNanos,
}

impl LossDetector {
    /// Nothing is missing.
    pub const fn new(delay: NakDelay) -> Self {
        Self { delay, active: None, expiry: MonotonicNanos::NEVER }
    }

    /// A scan met this gap first, or none. A gap that has shrunk or grown is another gap (trap 49).
    pub fn on_scan(&mut self, now: MonotonicNanos, scanned: Option<Gap>, random: &mut Rng) -> Detection {
        let Some(gap) = scanned else { return Detection::default() };
        let found = self.active != Some(gap);
        if found {
            self.active = Some(gap);
            self.expiry = now.saturating_add_ns(self.delay.first_ns(random));
        }
        let is_due = now >= self.expiry;
        if is_due {
            self.expiry = now.saturating_add_ns(self.delay.retry_ns(random));
        }
        Detection { found, report: is_due.then_some(gap) }
    }

    /// When the gap is due to be reported.
    pub fn next_deadline(&self) -> Option<MonotonicNanos> {
        self.active.is_some().then_some(self.expiry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ns: i64) -> MonotonicNanos {
        MonotonicNanos::new(ns)
    }

    fn gap(position: i64, length: i32) -> Option<Gap> {
        Some(Gap { position, length })
    }

    /// Scans the same gap at each moment, and tells at which it was reported.
    fn reports(detector: &mut LossDetector, moments: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let mut random = Rng::with_seed(0);
        let reported = |&now: &i64| detector.on_scan(at(now), gap(1408, 2816), &mut random).report.is_some();
        moments.into_iter().filter(reported).collect()
    }

    #[test]
    fn a_gap_is_reported_after_its_delay_and_then_again() {
        let mut detector = LossDetector::new(NakDelay::unicast(1_000, 100));
        assert_eq!(reports(&mut detector, (0..=202_000).step_by(500)), [1_000, 101_000, 201_000]);
    }

    /// Trap 51: however long nobody looked, a gap is reported once.
    #[test]
    fn trap_51_a_stall_causes_no_burst() {
        let mut detector = LossDetector::new(NakDelay::unicast(1_000, 100));
        assert_eq!(reports(&mut detector, [0, 50_000_000, 50_000_001, 50_099_999]), [50_000_000]);
    }

    /// Trap 49: one gap, one timer; another position or length is another gap, with the first delay.
    #[test]
    fn trap_49_a_changed_gap_starts_anew() {
        let mut detector = LossDetector::new(NakDelay::unicast(1_000, 100));
        let mut random = Rng::with_seed(0);
        let mut scan = |now, gap| detector.on_scan(at(now), gap, &mut random);
        assert_eq!(scan(0, gap(0, 128)), Detection { found: true, report: None });
        assert_eq!(scan(1_000, gap(0, 128)), Detection { found: false, report: gap(0, 128) });
        assert_eq!(scan(1_100, gap(0, 96)), Detection { found: true, report: None }, "shorter");
        assert_eq!(scan(2_100, gap(0, 96)), Detection { found: false, report: gap(0, 96) });
        assert_eq!(scan(2_200, gap(32, 64)), Detection { found: true, report: None }, "elsewhere");
        assert_eq!(scan(2_300, None), Detection::default());
        assert_eq!(scan(3_200, gap(32, 64)), Detection { found: false, report: gap(32, 64) }, "not found twice");
    }

    #[test]
    fn without_delay_a_gap_is_reported_at_once() {
        let mut detector = LossDetector::new(NakDelay::NONE);
        assert_eq!(reports(&mut detector, [5, 5, 6]), [5, 5, 6]);
    }
}
