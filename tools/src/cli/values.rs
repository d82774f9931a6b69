//! Values of flags that clap does not know how to read.

use std::str::FromStr;
use std::time::Duration;

use gannet_driver::config::Profile;

/// The longest duration that is taken, a hundred years: what is due then can still be told in time.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Reads a duration as people write it: `500ms`, `1.5s`, `2m`, or a plain number of seconds; at most a hundred years.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| "not a duration")?,
        Err(_) => {
            let parsed =
                text.parse::<jiff::SignedDuration>().map_err(|_| "expected a duration such as 500ms, 1.5s or 2m")?;
            Duration::try_from(parsed).map_err(|_| "a duration cannot be negative")?
        }
    };
    if duration > LONGEST { Err("longer than a hundred years".to_owned()) } else { Ok(duration) }
}

/// Reads a duration that is not zero.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be more than zero".to_owned()),
        duration => Ok(duration),
    }
}

/// Reads the name of a driver's profile.
pub(crate) fn profile(text: &str) -> Result<Profile, String> {
    let found = Profile::ALL.iter().find(|profile| profile.as_str() == text);
    let names = || Profile::ALL.iter().map(|profile| profile.as_str()).collect::<Vec<_>>().join(", ");
    found.copied().ok_or_else(|| format!("expected one of {}", names()))
}

/// How often to go over an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// So many times.
    Times(u64),
    /// Until stopped.
    Forever,
}

impl Repeat {
    /// Whether to go over the input again after `done` times.
    pub(crate) fn wants_another(self, done: u64) -> bool {
        match self {
            Self::Times(times) => done < times,
            Self::Forever => true,
        }
    }
}

impl FromStr for Repeat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "forever" => Ok(Self::Forever),
            _ => match text.parse() {
                Ok(times @ 1..) => Ok(Self::Times(times)),
                _ => Err("expected a number of times, at least 1, or 'forever'".to_owned()),
            },
        }
    }
}

/// A moment in UTC, as ISO 8601 writes it.
pub(crate) fn utc(epoch_ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(epoch_ms) {
        Ok(timestamp) => format!("{timestamp:.3}"),
        Err(_) => format!("{epoch_ms} ms since 1970"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for text in ["", "soon", "-1", "-5s", "1e19", "1e300", "NaN", "9000000000000000h"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(positive_duration("0").is_err());
    }

    #[test]
    fn profiles_are_named_as_the_driver_names_them() {
        assert_eq!(profile("frugal"), Ok(Profile::Frugal));
        assert_eq!(profile("Frugal"), Err("expected one of low-latency, balanced, frugal".to_owned()));
    }

    #[test]
    fn repeats_are_a_number_or_for_ever() {
        assert_eq!("3".parse(), Ok(Repeat::Times(3)));
        assert_eq!("forever".parse(), Ok(Repeat::Forever));
        for text in ["0", "-1", "", "always"] {
            assert!(text.parse::<Repeat>().is_err(), "{text}");
        }
        assert!(Repeat::Times(1).wants_another(0) && !Repeat::Times(1).wants_another(1));
        assert!(Repeat::Forever.wants_another(u64::MAX));
    }
}
