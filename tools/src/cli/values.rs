//! Parsers for values of flags that clap does not parse itself.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use gannet::types::Mtu;

/// The longest duration accepted, a hundred years. Deadlines computed from it do not overflow.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Parses a duration: `500ms`, `1.5s`, `2m`, or a plain number of seconds; at most a hundred years.
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

/// Parses a duration greater than zero.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be more than zero".to_owned()),
        duration => Ok(duration),
    }
}

/// Parses a number of bytes: `1500`, `64k`, `500M`, `10G`, `2T`, in powers of 1024.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    const EXPECTED: &str = "expected a number of bytes such as 1500, 64k or 10G";
    let (number, unit) = with_unit(text).ok_or(EXPECTED)?;
    let shift = match unit.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(EXPECTED.to_owned()),
    };
    number.checked_mul(1 << shift).ok_or_else(|| "out of range".to_owned())
}

/// Parses a number of bytes within a range.
pub(crate) fn bytes_in<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| within(bytes(text)?, &range)
}

/// Parses the length of a term or of a segment's file: a power of two from 64 KiB to 1 GiB.
pub(crate) fn power_of_two<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let expected = "expected a power of two from 64k to 1g bytes";
    let length = bytes(text)?;
    let fits = length.is_power_of_two() && (64 << 10..=1 << 30).contains(&length);
    T::try_from(length).ok().filter(|_| fits).ok_or_else(|| expected.to_owned())
}

/// Parses the MTU.
pub(crate) fn mtu(text: &str) -> Result<usize, String> {
    let length = i64::try_from(bytes(text)?).unwrap_or(i64::MAX);
    let mtu = Mtu::new(length).map_err(|error| error.to_string())?;
    usize::try_from(mtu.get()).map_err(|_| "out of range".to_owned())
}

/// Parses a count within a range: `1000`, or `20k`, `5M` or `1G` for thousands, millions or thousands of millions.
pub(crate) fn count_in<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        const EXPECTED: &str = "expected a whole number such as 1000, 20k or 5M";
        let (number, unit) = with_unit(text).ok_or(EXPECTED)?;
        let thousands = match unit.as_str() {
            "" => 1,
            "k" => 1_000,
            "m" => 1_000_000,
            "g" => 1_000_000_000,
            _ => return Err(EXPECTED.to_owned()),
        };
        within(number.saturating_mul(thousands), &range)
    }
}

/// Parses a count, zero included.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    count_in(0..=u64::MAX)(text)
}

/// Parses a count of at least one.
pub(crate) fn positive_count(text: &str) -> Result<u64, String> {
    count_in(1..=u64::MAX)(text)
}

/// Splits text into a whole number and the letters behind it, in lower case.
fn with_unit(text: &str) -> Option<(u64, String)> {
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    Some((digits.parse().ok()?, text[digits.len()..].to_ascii_lowercase()))
}

fn within<T: TryFrom<u64>>(number: u64, range: &RangeInclusive<u64>) -> Result<T, String> {
    if number < *range.start() {
        return Err(format!("must be at least {}", range.start()));
    }
    T::try_from(number).ok().filter(|_| range.contains(&number)).ok_or_else(|| {
        if *range.end() == u64::MAX { "too many".to_owned() } else { format!("must be at most {}", range.end()) }
    })
}

/// Parses a stream id.
pub(crate) fn stream_id(text: &str) -> Result<i32, String> {
    id(text, "expected a 32-bit stream id such as 1001")
}

/// Parses a session id.
pub(crate) fn session_id(text: &str) -> Result<i32, String> {
    id(text, "expected a 32-bit session id such as -1234567")
}

/// Parses the type id of a counter.
pub(crate) fn counter_type(text: &str) -> Result<i32, String> {
    id(text, "expected the number of a counter's type such as 0 or 1")
}

/// Parses a recording id.
pub(crate) fn recording_id(text: &str) -> Result<i64, String> {
    from_zero(text, "expected the id of a recording such as 0: `gannet journal ls` lists them")
}

/// Parses a position in a stream.
pub(crate) fn position(text: &str) -> Result<i64, String> {
    from_zero(text, "expected a position in bytes such as 65536")
}

fn id(text: &str, expected: &str) -> Result<i32, String> {
    text.parse().map_err(|_| expected.to_owned())
}

/// Parses a number from 0. `expected` is the error.
pub(crate) fn from_zero(text: &str, expected: &str) -> Result<i64, String> {
    text.parse().ok().filter(|number| *number >= 0).ok_or_else(|| expected.to_owned())
}

/// How many times to read an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// This many times.
    Times(u64),
    /// Until stopped.
    Forever,
}

impl Repeat {
    /// Whether to read the input again after `done` times.
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
    fn bytes_are_in_powers_of_1024() {
        let sizes = ["0", "1500", "64k", "3MiB", "10G", "2tb"].map(|text| bytes(text).expect("a size"));
        assert_eq!(sizes, [0, 1_500, 64 << 10, 3 << 20, 10 << 30, 2 << 40]);
        for bad in ["", "G", "-1", "1.5G", "10X", "99999999999G"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        assert_eq!(bytes_in::<u32>(1..=65_536)("64k"), Ok(65_536));
        assert_eq!(bytes_in::<u32>(1..=65_536)("65k"), Err("must be at most 65536".to_owned()));
        assert_eq!(bytes_in::<u32>(1..=65_536)("0"), Err("must be at least 1".to_owned()));
    }

    #[test]
    fn lengths_of_terms_and_datagrams_are_those_that_there_can_be() {
        assert_eq!(power_of_two::<usize>("64k"), Ok(64 << 10));
        assert_eq!(power_of_two::<i64>("1g"), Ok(1 << 30));
        for bad in ["100", "65k", "32k", "2g", "abc"] {
            assert!(power_of_two::<usize>(bad).is_err(), "{bad}");
        }
        assert_eq!(mtu("1408"), Ok(1408));
        assert!(mtu("1400").is_err() && mtu("64k").is_err() && mtu("x").is_err());
    }

    #[test]
    fn counts_are_in_powers_of_1000() {
        let counts = ["1000", "20k", "5M", "1g"].map(|text| positive_count(text).expect("a count"));
        assert_eq!(counts, [1_000, 20_000, 5_000_000, 1_000_000_000]);
        for bad in ["", "k", "0", "-1", "1.5k", "1kk", "99999999999999999999"] {
            assert!(positive_count(bad).is_err(), "{bad}");
        }
        assert_eq!(count_in::<u32>(1..=u64::MAX)("5g"), Err("too many".to_owned()));
        assert_eq!(count_in::<u64>(1..=10)("11"), Err("must be at most 10".to_owned()));
    }

    #[test]
    fn ids_say_what_they_are_of() {
        assert_eq!((stream_id("-7"), session_id("-7"), counter_type("10")), (Ok(-7), Ok(-7), Ok(10)));
        assert_eq!(stream_id("abc"), Err("expected a 32-bit stream id such as 1001".to_owned()));
        assert!(session_id("3000000000").is_err() && counter_type("x").is_err());
        assert_eq!((recording_id("0"), position("64")), (Ok(0), Ok(64)));
        assert!(recording_id("-1").is_err() && position("x").is_err());
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
