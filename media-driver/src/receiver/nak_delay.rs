//! The delay before a receiver reports a loss, and before it repeats the report. For a single receiver it is nearly
//! zero. In a group it is random, mostly long and seldom short, so that few members send a NAK, and the retransmit
//! serves the others too. The loss detector calls this; randomness is passed in.

use fastrand::Rng;

use crate::mailbox::LossRules;

/// The minimum delay with a single receiver in nanoseconds, as in the reference.
const LEAST_DELAY_NS: i64 = 1_000;

/// The NAK delays of an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NakDelay {
    /// Fixed delays.
    Fixed {
        /// The delay of the first NAK for a gap in nanoseconds.
        first_ns: i64,
        /// The delay of further NAKs in nanoseconds.
        retry_ns: i64,
    },
    /// Random delays.
    Group(GroupBackoff),
}

impl NakDelay {
    /// The delays according to the rules.
    pub fn new(rules: LossRules) -> Self {
        match rules {
            LossRules::Fill => Self::NONE,
            LossRules::Unicast { delay_ns, retry_ratio } => Self::unicast(delay_ns, retry_ratio),
            LossRules::Group { size, max_backoff_ns } => Self::Group(GroupBackoff::new(size, max_backoff_ns)),
        }
    }

    /// No delay: gaps are filled at once and not reported.
    pub const NONE: Self = Self::Fixed { first_ns: 0, retry_ns: 0 };

    /// With a single receiver: `delay_ns`, and `retry_ratio` times as long for further NAKs. Without any delay every
    /// duty cycle would repeat the NAK, so a repetition waits at least `retry_ratio` microseconds.
    pub const fn unicast(delay_ns: i64, retry_ratio: i64) -> Self {
        let base = if delay_ns < LEAST_DELAY_NS { LEAST_DELAY_NS } else { delay_ns };
        Self::Fixed { first_ns: delay_ns, retry_ns: base.saturating_mul(retry_ratio) }
    }

    /// Whether these are the delays of a single receiver, whose NAKs no other receiver sees.
    pub const fn is_between_two(&self) -> bool {
        matches!(self, Self::Fixed { retry_ns, .. } if *retry_ns > 0)
    }

    /// The delay of the first NAK for a gap in nanoseconds.
    pub fn first_ns(&self, random: &mut Rng) -> i64 {
        match self {
            Self::Fixed { first_ns, .. } => *first_ns,
            Self::Group(backoff) => backoff.draw_ns(random),
        }
    }

    /// The delay of a further NAK in nanoseconds.
    pub fn retry_ns(&self, random: &mut Rng) -> i64 {
        match self {
            Self::Fixed { retry_ns, .. } => *retry_ns,
            Self::Group(backoff) => backoff.draw_ns(random),
        }
    }
}

/// The random delay of receivers that see each other's retransmits: exponentially more likely towards its maximum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupBackoff {
    /// T / λ: the scale of the delay in nanoseconds.
    scale_ns: f64,
    /// e^λ − 1.
    spread: f64,
}

impl GroupBackoff {
    /// For groups of about `group_size` receivers. No receiver waits for longer than `max_backoff_ns`.
    pub fn new(group_size: i32, max_backoff_ns: i64) -> Self {
        let lambda = f64::from(group_size.max(1)).ln() + 1.0;
        Self { scale_ns: max_backoff_ns as f64 / lambda, spread: lambda.exp_m1() }
    }

    fn draw_ns(&self, random: &mut Rng) -> i64 {
        self.delay_ns(random.f64())
    }

    /// The delay for the random number `u`, from 0 to 1.
    fn delay_ns(&self, u: f64) -> i64 {
        (self.scale_ns * (u * self.spread).ln_1p()) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: f64 = 1_000_000.0;

    /// The table of draws and delays.
    #[test]
    fn group_delays_are_those_of_the_reference() {
        let backoff = GroupBackoff::new(10, 10_000_000);
        for (u, delay_ms) in
            [(0.0, 0.0), (0.1, 3.89), (0.25, 6.12), (0.5, 8.01), (0.75, 9.17), (0.9, 9.69), (1.0, 10.0)]
        {
            let found_ms = backoff.delay_ns(u) as f64 / MS;
            assert!((found_ms - delay_ms).abs() < 0.01, "{u}: {found_ms} instead of {delay_ms}");
        }
    }

    #[test]
    fn group_delays_average_as_the_reference_says() {
        let delay = NakDelay::Group(GroupBackoff::new(10, 10_000_000));
        let mut random = Rng::with_seed(7);
        let draws = 20_000;
        let sum: i64 = (0..draws).map(|_| delay.first_ns(&mut random)).sum();
        let mean_ms = sum as f64 / f64::from(draws) / MS;
        assert!((7.25..7.45).contains(&mean_ms), "{mean_ms}");
        assert!((0..1000).all(|_| (0..=10_000_000).contains(&delay.retry_ns(&mut random))));
    }

    #[test]
    fn the_same_seed_gives_the_same_delays() {
        let delay = NakDelay::Group(GroupBackoff::new(3, 1_000_000));
        let draw = |seed| {
            let mut random = Rng::with_seed(seed);
            [delay.first_ns(&mut random), delay.retry_ns(&mut random)]
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    /// 1 µs and 100 µs by default; `nak-delay=20ms` repeats after 2 s.
    #[test]
    fn unicast_delays_are_fixed() {
        let mut random = Rng::with_seed(0);
        for (delay_ns, first, retry) in
            [(1_000, 1_000, 100_000), (20_000_000, 20_000_000, 2_000_000_000), (0, 0, 100_000)]
        {
            let delay = NakDelay::unicast(delay_ns, 100);
            assert_eq!((delay.first_ns(&mut random), delay.retry_ns(&mut random)), (first, retry));
        }
        assert_eq!(NakDelay::NONE.first_ns(&mut random), 0);
    }

    #[test]
    fn a_group_of_one_or_none_still_has_delays() {
        for size in [i32::MIN, 0, 1] {
            let backoff = GroupBackoff::new(size, 1_000_000);
            assert_eq!((backoff.delay_ns(0.0), backoff.delay_ns(1.0)), (0, 1_000_000));
        }
    }
}
