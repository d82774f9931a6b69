//! What a thread does when its agent found no work. It is called once per duty cycle, on the thread that runs the
//! agent. It is an enum, so the choice costs a predictable branch and no virtual call.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use crate::quantity::{format_duration_ns, parse_duration_ns};

/// What a thread does when its agent found no work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdleStrategy {
    /// Does nothing. The next duty cycle starts at once. For a core that no other thread needs.
    Noop,
    /// Executes the processor's spin hint, which saves power and leaves more of the core to its other hyper-thread.
    Spin,
    /// Yields to another thread that is ready to run.
    Yield,
    /// Spins, then yields, then sleeps for increasing times.
    Backoff(Backoff),
    /// Sleeps for a fixed time.
    Sleep {
        /// The time in nanoseconds. A negative time counts as 0. The kernel rounds up by about 50 µs, unless its timer
        /// slack is set lower.
        period_ns: i64,
    },
}

/// The state and the limits of [`IdleStrategy::Backoff`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    max_spins: u64,
    max_yields: u64,
    min_park_ns: i64,
    max_park_ns: i64,
    spins: u64,
    yields: u64,
    /// The length of the next sleep.
    park_ns: i64,
}

/// One step of backing off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    Spin,
    Yield,
    Park { duration_ns: i64 },
}

/// Why a text is not a valid idle strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdleStrategyError {
    /// The name is unknown.
    #[error("{found:?} is no idle strategy: expected noop, spin, yield, backoff or sleep-ns")]
    UnknownName {
        /// The name found.
        found: String,
    },
    /// The strategy does not accept these arguments.
    #[error("{name} cannot be set to {found:?}: expected {expected}")]
    Args {
        /// The strategy's name.
        name: &'static str,
        /// The arguments found.
        found: String,
        /// The expected form.
        expected: &'static str,
    },
}

impl IdleStrategy {
    /// Returns the strategy with this name and these initial arguments, in the form of Aeron's configuration:
    ///
    /// | name | arguments | if there are none |
    /// | --- | --- | --- |
    /// | `noop`, `spin`, `yield` | ignored | |
    /// | `backoff` | `spins-yields-min park-max park`, such as `10-20-1us-1ms` | `10-20-1us-1ms` |
    /// | `sleep-ns`, `sleeping`, `sleep` | a duration, such as `4ms` | 1 ns |
    ///
    /// # Errors
    ///
    /// [`IdleStrategyError`] for an unknown name or invalid arguments.
    pub fn named(name: &str, args: Option<&str>) -> Result<Self, IdleStrategyError> {
        match name {
            "noop" => Ok(Self::Noop),
            "spin" => Ok(Self::Spin),
            "yield" => Ok(Self::Yield),
            "backoff" => args.map_or_else(|| Ok(Backoff::default()), str::parse).map(Self::Backoff),
            "sleep-ns" | "sleeping" | "sleep" => {
                let period_ns = args.map_or(Ok(1), parse_duration_ns).map_err(|error| IdleStrategyError::Args {
                    name: "sleep-ns",
                    found: error.found,
                    expected: error.expected,
                })?;
                Ok(Self::Sleep { period_ns })
            }
            _ => Err(IdleStrategyError::UnknownName { found: name.to_owned() }),
        }
    }

    /// The strategy's name in Aeron's configuration.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Noop => "noop",
            Self::Spin => "spin",
            Self::Yield => "yield",
            Self::Backoff(_) => "backoff",
            Self::Sleep { .. } => "sleep-ns",
        }
    }

    /// Idles if `work_count` is 0. Otherwise resets the strategy, so that the next idle is short.
    #[inline]
    pub fn idle(&mut self, work_count: usize) {
        if work_count > 0 {
            self.reset();
        } else {
            self.idle_once();
        }
    }

    /// Idles once.
    #[inline]
    pub fn idle_once(&mut self) {
        match self.next_step() {
            Step::Nothing => {}
            Step::Spin => core::hint::spin_loop(),
            Step::Yield => std::thread::yield_now(),
            Step::Park { duration_ns } => park(duration_ns),
        }
    }

    /// Resets the strategy, because there was work.
    #[inline]
    pub fn reset(&mut self) {
        if let Self::Backoff(backoff) = self {
            backoff.reset();
        }
    }

    #[inline]
    fn next_step(&mut self) -> Step {
        match self {
            Self::Noop => Step::Nothing,
            Self::Spin => Step::Spin,
            Self::Yield => Step::Yield,
            Self::Backoff(backoff) => backoff.next_step(),
            Self::Sleep { period_ns } => Step::Park { duration_ns: (*period_ns).max(0) },
        }
    }
}

impl Default for IdleStrategy {
    /// [`Self::Backoff`] with its defaults, as in Aeron.
    fn default() -> Self {
        Self::Backoff(Backoff::default())
    }
}

impl Backoff {
    /// Spins `max_spins` times, then yields `max_yields` times, then sleeps. The first sleep takes `min_park_ns`. Each
    /// further sleep takes twice as long, up to `max_park_ns`.
    ///
    /// A minimum of 0 is replaced by 1 ns, because doubling 0 would never lead to a sleep. A maximum below the minimum
    /// is replaced by the minimum.
    pub const fn new(max_spins: u64, max_yields: u64, min_park_ns: i64, max_park_ns: i64) -> Self {
        let min_park_ns = if min_park_ns < 1 { 1 } else { min_park_ns };
        let max_park_ns = if max_park_ns < min_park_ns { min_park_ns } else { max_park_ns };
        Self { max_spins, max_yields, min_park_ns, max_park_ns, spins: 0, yields: 0, park_ns: min_park_ns }
    }

    #[inline]
    const fn reset(&mut self) {
        self.spins = 0;
        self.yields = 0;
        self.park_ns = self.min_park_ns;
    }

    #[inline]
    fn next_step(&mut self) -> Step {
        if self.spins < self.max_spins {
            self.spins += 1;
            return Step::Spin;
        }
        if self.yields < self.max_yields {
            self.yields += 1;
            return Step::Yield;
        }
        let duration_ns = self.park_ns;
        self.park_ns = duration_ns.saturating_mul(2).min(self.max_park_ns);
        Step::Park { duration_ns }
    }
}

impl Default for Backoff {
    /// Aeron's defaults: 10 spins, 20 yields, sleeps of 1 µs to 1 ms.
    fn default() -> Self {
        Self::new(10, 20, 1_000, 1_000_000)
    }
}

impl FromStr for Backoff {
    type Err = IdleStrategyError;

    /// Parses `spins-yields-min park-max park`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || IdleStrategyError::Args {
            name: "backoff",
            found: text.to_owned(),
            expected: "spins-yields-min park-max park, such as 10-20-1us-1ms",
        };
        let parts: Vec<_> = text.split('-').collect();
        let [spins, yields, min_park, max_park] = parts[..] else { return Err(error()) };
        let count = |text: &str| {
            let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { text.parse().map_err(|_| error()) } else { Err(error()) }
        };
        let duration_ns = |text| parse_duration_ns(text).map_err(|_| error());
        let (min_park_ns, max_park_ns) = (duration_ns(min_park)?, duration_ns(max_park)?);
        if min_park_ns > max_park_ns {
            return Err(error());
        }
        Ok(Self::new(count(spins)?, count(yields)?, min_park_ns, max_park_ns))
    }
}

impl FromStr for IdleStrategy {
    type Err = IdleStrategyError;

    /// Parses a name, or a name and its arguments separated by a colon: `spin`, `sleep-ns:4ms`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((name, args)) => Self::named(name, Some(args)),
            None => Self::named(text, None),
        }
    }
}

impl fmt::Display for IdleStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Noop | Self::Spin | Self::Yield => Ok(()),
            Self::Backoff(backoff) => write!(
                f,
                ":{}-{}-{}-{}",
                backoff.max_spins,
                backoff.max_yields,
                format_duration_ns(backoff.min_park_ns),
                format_duration_ns(backoff.max_park_ns)
            ),
            Self::Sleep { period_ns } => write!(f, ":{}", format_duration_ns(*period_ns)),
        }
    }
}

/// Sleeps until the time is over or the thread is unparked, for example by a runner that is being closed.
#[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
fn park(duration_ns: i64) {
    std::thread::park_timeout(Duration::from_nanos(duration_ns.unsigned_abs()));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn backing_off_spins_then_yields_then_sleeps_longer_and_longer() {
        let mut strategy: IdleStrategy = "backoff:2-1-300ns-1us".parse().unwrap();
        let parks = [300, 600, 1000, 1000].map(|duration_ns| Step::Park { duration_ns });
        let expected: Vec<_> = [Step::Spin, Step::Spin, Step::Yield].into_iter().chain(parks).collect();
        for round in 0..2 {
            let steps: Vec<_> = expected.iter().map(|_| strategy.next_step()).collect();
            assert_eq!(steps, expected, "round {round}");
            strategy.idle(1);
        }
    }

    #[test]
    fn the_others_do_the_same_each_time() {
        for (text, step) in [
            ("noop", Step::Nothing),
            ("spin", Step::Spin),
            ("yield", Step::Yield),
            ("sleep-ns:4ms", Step::Park { duration_ns: 4_000_000 }),
            ("sleeping", Step::Park { duration_ns: 1 }),
        ] {
            let mut strategy: IdleStrategy = text.parse().unwrap();
            assert_eq!([(); 3].map(|()| strategy.next_step()), [step; 3], "{text}");
            strategy.idle(0);
            strategy.idle(7);
            assert_eq!(strategy.next_step(), step, "{text}");
        }
    }

    #[test]
    fn a_negative_sleep_is_none() {
        for period_ns in [i64::MIN, -3_600_000_000_000, -1, 0] {
            assert_eq!(IdleStrategy::Sleep { period_ns }.next_step(), Step::Park { duration_ns: 0 });
        }
    }

    #[test]
    fn names_and_arguments_of_the_reference() {
        for (name, args, expected) in [
            ("noop", None, "noop"),
            ("spin", Some("ignored"), "spin"),
            ("yield", None, "yield"),
            ("backoff", None, "backoff:10-20-1us-1ms"),
            ("backoff", Some("1-2-3-4"), "backoff:1-2-3ns-4ns"),
            ("backoff", Some("0-0-0-0"), "backoff:0-0-1ns-1ns"),
            ("sleep-ns", None, "sleep-ns:1ns"),
            ("sleep", Some("16ms"), "sleep-ns:16ms"),
            ("sleeping", Some("1000"), "sleep-ns:1us"),
        ] {
            let strategy = IdleStrategy::named(name, args).unwrap();
            assert_eq!(strategy.to_string(), expected);
            assert_eq!(expected.parse(), Ok(strategy));
        }
        assert_eq!(IdleStrategy::default().to_string(), "backoff:10-20-1us-1ms");
        for text in [
            "",
            "Spin",
            "busy",
            "sleep-ns:",
            "sleep-ns:fast",
            "backoff:1-2-3",
            "backoff:1-2-3-4-5",
            "backoff:+1-2-3-4",
            "backoff:a-2-3-4",
            "backoff:1-2-2us-1us",
            "backoff:-1-2-3-4",
        ] {
            assert!(text.parse::<IdleStrategy>().is_err(), "{text}");
        }
        let message = "backoff:1-2".parse::<IdleStrategy>().unwrap_err().to_string();
        assert_eq!(
            message,
            "backoff cannot be set to \"1-2\": expected spins-yields-min park-max park, such as 10-20-1us-1ms"
        );
    }

    #[test]
    fn a_sleep_takes_at_least_its_time_or_ends_with_an_unpark() {
        // Unparked in advance, so an hour takes no time at all.
        std::thread::current().unpark();
        IdleStrategy::Sleep { period_ns: 3_600_000_000_000 }.idle(0);
    }

    proptest! {
        #[test]
        fn sleeps_never_leave_their_bounds(
            spins in 0..5_u64, yields in 0..5_u64, least in any::<i64>(), longest in any::<i64>(), calls in 0..200_u64,
        ) {
            let mut backoff = Backoff::new(spins, yields, least, longest);
            let mut last_ns = 0;
            for call in 0..calls {
                match backoff.next_step() {
                    Step::Spin => prop_assert!(call < spins),
                    Step::Yield => prop_assert!((spins..spins + yields).contains(&call)),
                    Step::Park { duration_ns } => {
                        prop_assert!(call >= spins + yields);
                        prop_assert!(duration_ns >= last_ns.max(least.max(1)));
                        prop_assert!(duration_ns <= longest.max(least).max(1));
                        last_ns = duration_ns;
                    }
                    Step::Nothing => prop_assert!(false, "backing off always does something"),
                }
            }
        }

        #[test]
        fn arbitrary_text_never_panics(text in any::<String>()) {
            let _ = text.parse::<IdleStrategy>();
            let _ = IdleStrategy::named("backoff", Some(&text));
        }
    }
}
