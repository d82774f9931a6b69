//! The states of a subscriber that falls behind. A tethered subscriber holds the stream back for as long as it takes.
//! An untethered one loses its image, is waited for a little longer, rests, and then gets the image again at the
//! position of the others. Pure state: the conductor passes in the time for which it has watched, on each timer tick, and
//! does what this answers.

use gannet::time::MonotonicNanos;

/// The durations of the states of an untethered subscriber, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UntetheredTimeouts {
    /// How long it may be behind before it loses its image.
    pub window_limit_ns: i64,
    /// How long it still counts after that, so that it notices before the range it reads is overwritten.
    pub linger_ns: i64,
    /// How long it rests.
    pub resting_ns: i64,
}

/// The tether state of a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tether {
    state: State,
    /// When an active one was last within the window, or when the present state began.
    since: MonotonicNanos,
    rejoin: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Tethered,
    Active,
    Linger,
    Resting,
    Closed,
}

/// A step that is due. The state only changes when [`Tether::take`] is called with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It was behind for too long: it loses its image, but still counts.
    LoseImage,
    /// It stops counting, and rests.
    Rest,
    /// It stops counting, and does not return.
    Close,
    /// It has rested: it gets its image again.
    Rejoin,
}

impl Tether {
    /// A subscriber that exerts back pressure.
    pub const TETHERED: Self = Self { state: State::Tethered, since: MonotonicNanos::new(0), rejoin: false };

    /// A subscriber that loses its image when it falls behind. With `rejoin` it gets it again later.
    pub const fn untethered(now: MonotonicNanos, rejoin: bool) -> Self {
        Self { state: State::Active, since: now, rejoin }
    }

    /// Whether its position counts: for the limit, for joining, and for the connection status.
    pub const fn is_working(&self) -> bool {
        !matches!(self.state, State::Resting | State::Closed)
    }

    /// Whether it has the image, and may still read.
    pub const fn has_image(&self) -> bool {
        matches!(self.state, State::Tethered | State::Active)
    }

    /// Whether it is closed for good, and its counter freed.
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// The step that is due now. `within_window` tells whether its position is beyond the line behind which it is too
    /// slow.
    pub fn due(&mut self, now: MonotonicNanos, within_window: bool, timeouts: &UntetheredTimeouts) -> Option<Turn> {
        let passed = |timeout_ns| now.since(self.since) > timeout_ns;
        match self.state {
            State::Tethered | State::Closed => None,
            State::Active if within_window => {
                self.since = now;
                None
            }
            State::Active => passed(timeouts.window_limit_ns).then_some(Turn::LoseImage),
            State::Linger if self.rejoin => passed(timeouts.linger_ns).then_some(Turn::Rest),
            State::Linger => passed(timeouts.linger_ns).then_some(Turn::Close),
            State::Resting => passed(timeouts.resting_ns).then_some(Turn::Rejoin),
        }
    }

    /// Records that the step was executed.
    pub const fn take(&mut self, turn: Turn, now: MonotonicNanos) {
        self.since = now;
        self.state = match turn {
            Turn::LoseImage => State::Linger,
            Turn::Rest => State::Resting,
            Turn::Close => State::Closed,
            Turn::Rejoin => State::Active,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: UntetheredTimeouts = UntetheredTimeouts { window_limit_ns: 50, linger_ns: 70, resting_ns: 90 };

    fn at(ns: i64) -> MonotonicNanos {
        MonotonicNanos::new(ns)
    }

    /// Ticks every 10 ns from 0 to `end_ns`, taking every turn, and tells when each came and whether the position counted.
    fn run(mut tether: Tether, end_ns: i64, within_window: impl Fn(i64) -> bool) -> String {
        let mut story = String::new();
        for now in (0..=end_ns).step_by(10) {
            if let Some(turn) = tether.due(at(now), within_window(now), &TIMEOUTS) {
                tether.take(turn, at(now));
                let counts = if tether.is_working() { "counts" } else { "does not count" };
                story.push_str(&format!("{now:>4} {turn:?}, {counts}\n"));
            }
        }
        story
    }

    /// Trap 61: a lingering position still holds back the limit, a resting one does not.
    #[test]
    fn trap_61_lingering_counts_and_resting_does_not() {
        let story = run(Tether::untethered(at(0), true), 300, |_| false);
        assert_eq!(
            story,
            "  60 LoseImage, counts\n 140 Rest, does not count\n 240 Rejoin, counts\n 300 LoseImage, counts\n"
        );
    }

    #[test]
    fn without_rejoin_it_is_closed_for_good() {
        let story = run(Tether::untethered(at(0), false), 1000, |_| false);
        assert_eq!(story, "  60 LoseImage, counts\n 140 Close, does not count\n");
    }

    #[test]
    fn time_within_the_window_does_not_count_against_it() {
        assert_eq!(run(Tether::untethered(at(0), true), 1000, |now| now % 50 == 0), "");
        let story = run(Tether::untethered(at(0), true), 160, |now| now <= 100);
        assert_eq!(story, " 160 LoseImage, counts\n");
    }

    #[test]
    fn a_tethered_one_stays_for_ever() {
        assert_eq!(run(Tether::TETHERED, 10_000, |_| false), "");
        assert!(Tether::TETHERED.is_working());
    }

    #[test]
    fn coming_back_in_time_does_not_undo_a_lost_image() {
        let story = run(Tether::untethered(at(0), true), 250, |now| now > 60);
        assert_eq!(story, "  60 LoseImage, counts\n 140 Rest, does not count\n 240 Rejoin, counts\n");
    }
}
