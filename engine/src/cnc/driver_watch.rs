//! Whether a driver is alive, judged by several looks at its heartbeat. One look cannot judge a heartbeat that lies in
//! the future: it was stored before the wall clock was set back, by a driver that is alive or by one that is not. A
//! living driver soon stores another. Until it does, its heartbeat says nothing, also when the clock has come past it.
//! Directories, clients and tools all decide here; nothing here waits.

use core::time::Duration;

use super::driver_state::DriverState;
use crate::time::{EpochMillis, MonotonicNanos};

/// How far apart looks may be that follow each other, however short the driver timeout is.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How far in the future a heartbeat may be without a doubt, in milliseconds. A driver may store one after the time of the
/// look was taken, and clocks are corrected a little all the time.
const LITTLE_MS: i64 = 1_000;

/// What somebody has seen of the heartbeats in one directory.
///
/// ```
/// use core::time::Duration;
/// use gannet::cnc::{DriverState, DriverWatch};
/// use gannet::time::{EpochMillis, MonotonicNanos};
///
/// let mut watch = DriverWatch::new(Duration::from_secs(10));
/// let (now, an_hour_ahead) = (EpochMillis::new(5_000), EpochMillis::new(3_605_000));
/// let second = |seconds: i64| MonotonicNanos::new(seconds * 1_000_000_000);
/// let ahead = DriverState::Ahead { ahead_ms: 3_600_000 };
/// assert_eq!(watch.judge(an_hour_ahead, now, second(0)), ahead);
/// assert_eq!(watch.judge(an_hour_ahead, now, second(10)), ahead);
/// assert_eq!(watch.judge(an_hour_ahead, now, second(11)), DriverState::Silent { age_ms: 11_000 });
/// ```
#[derive(Clone, Debug)]
pub struct DriverWatch {
    driver_timeout: Duration,
    seen: Option<Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    heartbeat: EpochMillis,
    /// When this heartbeat was first seen.
    first: MonotonicNanos,
    /// When this heartbeat was last seen.
    last: MonotonicNanos,
    /// Whether another heartbeat was seen at the look before.
    is_new: bool,
    /// How far it was in the future at most, in milliseconds, if that was far enough to leave a doubt.
    ahead_ms: Option<i64>,
}

impl DriverWatch {
    /// Begins to watch. A driver may be silent for `driver_timeout`.
    pub const fn new(driver_timeout: Duration) -> Self {
        Self { driver_timeout, seen: None }
    }

    /// Determines the state from a heartbeat that was loaded at this time. As [`DriverState::judge`], except that
    ///
    /// - a heartbeat that is, or was when it was first seen, more than a second in the future means that the driver is
    ///   alive only if it has changed since the look before; otherwise that is open;
    /// - a heartbeat that has not changed for longer than the driver timeout means that it is silent. The age is then
    ///   the time for which it was watched.
    ///
    /// Looks that are further apart than the driver timeout, and than a second, say nothing about each other: perhaps
    /// nobody ran meanwhile.
    pub fn judge(&mut self, heartbeat: EpochMillis, now: EpochMillis, at: MonotonicNanos) -> DriverState {
        let state = DriverState::judge(heartbeat, now, self.driver_timeout);
        let age_ms = match state {
            DriverState::Alive { age_ms } => age_ms,
            DriverState::Ahead { ahead_ms } => -ahead_ms,
            DriverState::Starting | DriverState::Silent { .. } | DriverState::ShutDown => 0,
        };
        let is_ahead = matches!(state, DriverState::Ahead { .. }) || age_ms < -LITTLE_MS;
        let ahead_ms = is_ahead.then_some(-age_ms);
        let furthest = self.driver_timeout.max(LONGEST_PAUSE);
        let before = self.seen.filter(|seen| !is_longer(at.since(seen.last), furthest));
        let seen = match before {
            Some(seen) if seen.heartbeat == heartbeat => {
                Seen { last: at, ahead_ms: seen.ahead_ms.max(ahead_ms), ..seen }
            }
            _ => Seen { heartbeat, first: at, last: at, is_new: before.is_some(), ahead_ms },
        };
        self.seen = Some(seen);
        let watched_ns = at.since(seen.first);
        match (state, seen.ahead_ms) {
            (DriverState::Starting | DriverState::Silent { .. } | DriverState::ShutDown, _) => state,
            _ if is_longer(watched_ns, self.driver_timeout) => DriverState::Silent { age_ms: watched_ns / 1_000_000 },
            (_, Some(ahead_ms)) if !seen.is_new => DriverState::Ahead { ahead_ms },
            _ => DriverState::Alive { age_ms },
        }
    }
}

fn is_longer(duration_ns: i64, than: Duration) -> bool {
    u128::try_from(duration_ns).is_ok_and(|duration| duration > than.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A watch whose looks are given in seconds: heartbeat, wall clock, monotonic clock.
    struct Looks(DriverWatch);

    impl Looks {
        fn new() -> Self {
            Self(DriverWatch::new(Duration::from_secs(10)))
        }

        fn at(&mut self, heartbeat: i64, now: i64, at: i64) -> DriverState {
            let epoch = |seconds: i64| EpochMillis::new(seconds * 1_000);
            self.0.judge(epoch(heartbeat), epoch(now), MonotonicNanos::new(at * 1_000_000_000))
        }
    }

    const AHEAD: DriverState = DriverState::Ahead { ahead_ms: 3_600_000 };

    #[test]
    fn a_heartbeat_in_the_future_lives_if_it_changes() {
        let mut looks = Looks::new();
        assert_eq!(looks.at(4_600, 1_000, 0), AHEAD);
        assert_eq!(looks.at(4_602, 1_002, 2), DriverState::Alive { age_ms: -3_600_000 });
        assert_eq!(looks.at(4_602, 1_012, 12), DriverState::Alive { age_ms: -3_590_000 }, "it may be silent that long");
        assert_eq!(looks.at(4_602, 1_013, 13), DriverState::Silent { age_ms: 11_000 });
        assert_eq!(looks.at(4_614, 1_014, 14), DriverState::Alive { age_ms: -3_600_000 }, "it goes on");
        assert_eq!(looks.at(1_015, 1_015, 15), DriverState::Alive { age_ms: 0 });
    }

    #[test]
    fn a_heartbeat_that_was_seen_to_be_silent_stays_so_when_the_clock_comes_past_it() {
        let mut looks = Looks::new();
        assert_eq!(looks.at(1_015, 1_000, 0), DriverState::Ahead { ahead_ms: 15_000 });
        assert_eq!(looks.at(1_015, 1_005, 5), DriverState::Ahead { ahead_ms: 15_000 });
        assert_eq!(looks.at(1_015, 1_011, 11), DriverState::Silent { age_ms: 11_000 });
        assert_eq!(looks.at(1_015, 1_015, 15), DriverState::Silent { age_ms: 15_000 });
        assert_eq!(looks.at(1_015, 1_026, 24), DriverState::Silent { age_ms: 11_000 }, "by the wall clock, too");
    }

    /// A dead driver's is not younger because the clock was set back a little.
    #[test]
    fn a_heartbeat_a_little_in_the_future_also_lives_only_if_it_changes() {
        let mut looks = Looks::new();
        assert_eq!(looks.at(1_001, 1_000, 0), DriverState::Alive { age_ms: -1_000 }, "as any driver's may be");
        let mut looks = Looks::new();
        assert_eq!(looks.at(1_005, 1_000, 0), DriverState::Ahead { ahead_ms: 5_000 });
        assert_eq!(
            looks.at(1_005, 1_008, 8),
            DriverState::Ahead { ahead_ms: 5_000 },
            "the clock came past it, but no other came"
        );
        assert_eq!(looks.at(1_005, 1_011, 11), DriverState::Silent { age_ms: 11_000 });
        let mut looks = Looks::new();
        assert_eq!(looks.at(1_005, 1_000, 0), DriverState::Ahead { ahead_ms: 5_000 });
        assert_eq!(looks.at(1_006, 1_001, 1), DriverState::Alive { age_ms: -5_000 });
        assert_eq!(looks.at(1_006, 1_007, 7), DriverState::Alive { age_ms: 1_000 });
    }

    #[test]
    fn what_happened_while_nobody_looked_says_nothing() {
        let mut looks = Looks::new();
        assert_eq!(looks.at(4_600, 1_000, 0), AHEAD);
        assert_eq!(looks.at(4_600, 1_011, 11), DriverState::Ahead { ahead_ms: 3_589_000 }, "both may have been frozen");
        assert_eq!(looks.at(4_622, 1_022, 22), AHEAD, "it may have died since");
        assert_eq!(looks.at(4_623, 1_023, 23), DriverState::Alive { age_ms: -3_600_000 });
    }

    #[test]
    fn what_one_look_can_tell_needs_no_other() {
        let mut looks = Looks::new();
        assert_eq!(looks.at(1_000, 1_001, 0), DriverState::Alive { age_ms: 1_000 });
        assert_eq!(looks.at(1_000, 1_011, 1), DriverState::Silent { age_ms: 11_000 });
        assert_eq!(looks.at(0, 1_011, 2), DriverState::Starting);
        let shut_down = DriverState::SHUT_DOWN_HEARTBEAT;
        let (now, at) = (EpochMillis::new(1), MonotonicNanos::new(i64::MAX));
        assert_eq!(looks.0.judge(shut_down, now, at), DriverState::ShutDown);
        let mut watch = DriverWatch::new(Duration::from_secs(10));
        assert_eq!(watch.judge(EpochMillis::new(i64::MAX), now, at), DriverState::Ahead { ahead_ms: i64::MAX - 1 });
    }

    #[test]
    fn a_short_timeout_also_comes_to_an_end() {
        let mut watch = DriverWatch::new(Duration::from_millis(1));
        let mut look =
            |at_ms: i64| watch.judge(EpochMillis::new(9), EpochMillis::new(1), MonotonicNanos::new(at_ms * 1_000_000));
        assert_eq!(look(0), DriverState::Ahead { ahead_ms: 8 });
        assert_eq!(look(5), DriverState::Silent { age_ms: 5 });
    }
}
