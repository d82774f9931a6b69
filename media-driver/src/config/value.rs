//! Conversion of a setting's text to a value and back: sizes, durations, numbers. The table uses it for every source, so
//! a spelling means the same everywhere. It reads nothing but its input.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use gannet::quantity::{checked_duration_ns, format_duration_ns, format_size, parse_size};
use gannet::types::{Mtu, SessionId, TermLength};

/// The form of a setting's text, for errors and the reference page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `true`, `on`, `1` or `false`, `off`, `0`.
    Flag,
    /// Bytes, with an optional suffix `k`, `m` or `g` in powers of 1024.
    Size,
    /// Nanoseconds, or a whole number with suffix `s`, `ms`, `us` or `ns`.
    Duration,
    /// Milliseconds, also with suffix `s`, `ms`, `us` or `ns`.
    Milliseconds,
    /// A whole number.
    Number,
    /// Free text.
    Text,
    /// A path.
    Path,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A CPU number, `-1` for none, or `auto`.
    Cpu,
    /// Two port numbers separated by a space.
    Ports,
}

impl Form {
    /// Formats a limit like a value of this form.
    pub(super) fn show_limit(self, limit: i128) -> String {
        match (self, u64::try_from(limit)) {
            (Self::Size, Ok(bytes)) => format_size(bytes),
            (Self::Duration | Self::Milliseconds, Ok(ns)) => show_duration(Duration::from_nanos(ns)),
            _ => limit.to_string(),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("true, on, 1 or false, off, 0"),
            Self::Size => f.write_str("a whole number of bytes, or one with suffix k, m or g"),
            Self::Duration => f.write_str("a whole number of nanoseconds, or one with suffix s, ms, us or ns"),
            Self::Milliseconds => {
                f.write_str("a whole number of milliseconds, which may have a suffix s, ms, us or ns")
            }
            Self::Number => f.write_str("a whole number"),
            Self::Text => f.write_str("text"),
            Self::Path => f.write_str("a path"),
            Self::Word(words) => write!(f, "one of {}", words.join(", ")),
            Self::Cpu => f.write_str("a CPU number, -1 for none, or auto"),
            Self::Ports => {
                f.write_str("two ports from 1 to 65535 separated by a space, the lower first, or 0 0 for any")
            }
        }
    }
}

/// A type of a setting.
pub(super) trait Value: Sized {
    /// The form of its text.
    const FORM: Form;

    /// Parses the text. `None` if it is invalid.
    fn parse(text: &str) -> Option<Self>;

    /// Formats the value so that `parse` accepts it.
    fn show(&self) -> String;

    /// The number to which a setting's limits apply. `None` if they do not apply.
    fn magnitude(&self) -> Option<i128> {
        None
    }
}

/// A length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteLength(u64);

impl ByteLength {
    /// A length in bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The length in bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The length in bytes, as `usize`.
    pub const fn as_usize(self) -> usize {
        const _: () = assert!(size_of::<usize>() == size_of::<u64>(), "a 64-bit address space");
        self.0 as usize
    }
}

impl fmt::Display for ByteLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_size(self.0))
    }
}

/// A duration in milliseconds, in the configuration a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Milliseconds(u64);

impl Milliseconds {
    /// A number of milliseconds.
    pub const fn new(ms: u64) -> Self {
        Self(ms)
    }

    /// The number of milliseconds.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The ports for endpoints with port 0, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortRange {
    /// The lowest port.
    pub low: u16,
    /// The highest port.
    pub high: u16,
}

/// The CPU of an agent's thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cpu {
    /// Not pinned.
    #[default]
    Any,
    /// A CPU of its own, chosen at start from those that this process may use. Not pinned if there are too few.
    Auto,
    /// This CPU.
    Number(u16),
}

impl Value for bool {
    const FORM: Form = Form::Flag;

    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "on" | "1" => Some(true),
            "false" | "off" | "0" => Some(false),
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for ByteLength {
    const FORM: Form = Form::Size;

    fn parse(text: &str) -> Option<Self> {
        parse_size(text).ok().map(Self)
    }

    fn show(&self) -> String {
        format_size(self.0)
    }

    fn magnitude(&self) -> Option<i128> {
        Some(self.0.into())
    }
}

/// A length for which 0 means "not stated".
impl Value for Option<ByteLength> {
    const FORM: Form = Form::Size;

    fn parse(text: &str) -> Option<Self> {
        ByteLength::parse(text).map(|length| (length.get() != 0).then_some(length))
    }

    fn show(&self) -> String {
        self.map_or_else(|| "0".to_owned(), |length| length.show())
    }

    fn magnitude(&self) -> Option<i128> {
        Some(self.map_or(0, ByteLength::get).into())
    }
}

/// Sizes whose types have limits.
macro_rules! bounded_sizes {
    ($($size:ty)*) => {$(
        impl Value for $size {
            const FORM: Form = Form::Size;

            fn parse(text: &str) -> Option<Self> {
                Self::new(parse_size(text).ok()?.try_into().ok()?).ok()
            }

            fn show(&self) -> String {
                format_size(self.get().unsigned_abs().into())
            }

            fn magnitude(&self) -> Option<i128> {
                Some(self.get().into())
            }
        }
    )*};
}

bounded_sizes! { TermLength Mtu }

impl Value for Duration {
    const FORM: Form = Form::Duration;

    fn parse(text: &str) -> Option<Self> {
        checked_duration_ns(text).ok()?.map(|ns| Self::from_nanos(ns.unsigned_abs()))
    }

    fn show(&self) -> String {
        show_duration(*self)
    }

    fn magnitude(&self) -> Option<i128> {
        i128::try_from(self.as_nanos()).ok()
    }
}

/// An optional duration. An empty text or `-1` means none.
impl Value for Option<Duration> {
    const FORM: Form = Form::Duration;

    fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "-1" => Some(None),
            _ => Duration::parse(text).map(Some),
        }
    }

    fn show(&self) -> String {
        self.map_or_else(|| "-1".to_owned(), |duration| duration.show())
    }

    fn magnitude(&self) -> Option<i128> {
        self.as_ref().and_then(Value::magnitude)
    }
}

impl Value for Milliseconds {
    const FORM: Form = Form::Milliseconds;

    fn parse(text: &str) -> Option<Self> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok().map(Self);
        }
        // It is read as a whole number of milliseconds, or not at all.
        let duration = Duration::parse(text)?;
        let ms = u64::try_from(duration.as_millis()).ok().map(Self)?;
        (Duration::from_millis(ms.get()) == duration).then_some(ms)
    }

    fn show(&self) -> String {
        self.0.to_string()
    }

    fn magnitude(&self) -> Option<i128> {
        Some(i128::from(self.0) * 1_000_000)
    }
}

macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl Value for $number {
            const FORM: Form = Form::Number;

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn show(&self) -> String {
                self.to_string()
            }

            fn magnitude(&self) -> Option<i128> {
                Some((*self).into())
            }
        }
    )+};
}
numbers!(i32, u32, i64, u64);

impl Value for SessionId {
    const FORM: Form = Form::Number;

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self::new)
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn magnitude(&self) -> Option<i128> {
        Some(self.get().into())
    }
}

/// An optional number. An empty text means none.
impl Value for Option<i64> {
    const FORM: Form = Form::Number;

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
    }

    fn show(&self) -> String {
        self.map_or_else(String::new, |number| number.to_string())
    }

    fn magnitude(&self) -> Option<i128> {
        self.map(Into::into)
    }
}

/// A text. Empty if not set.
impl Value for String {
    const FORM: Form = Form::Text;

    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Value for Option<PathBuf> {
    const FORM: Form = Form::Path;

    fn parse(text: &str) -> Option<Self> {
        Some((!text.is_empty()).then(|| PathBuf::from(text)))
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(String::new, |path| path.display().to_string())
    }
}

impl Value for Cpu {
    const FORM: Form = Form::Cpu;

    fn parse(text: &str) -> Option<Self> {
        match text {
            "-1" => Some(Self::Any),
            "auto" => Some(Self::Auto),
            _ => text.parse().ok().map(Self::Number),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Any => "-1".to_owned(),
            Self::Auto => "auto".to_owned(),
            Self::Number(number) => number.to_string(),
        }
    }

    fn magnitude(&self) -> Option<i128> {
        match self {
            Self::Number(number) => Some((*number).into()),
            Self::Any | Self::Auto => None,
        }
    }
}

impl Value for Option<PortRange> {
    const FORM: Form = Form::Ports;

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(None);
        }
        let (low, high) = text.split_once(' ')?;
        let range = PortRange { low: low.trim().parse().ok()?, high: high.trim().parse().ok()? };
        // 0 alone is no port that could be taken. Two of them are the reference's default.
        match (range.low, range.high) {
            (0, 0) => Some(None),
            (low, high) => (low > 0 && low <= high).then_some(Some(range)),
        }
    }

    fn show(&self) -> String {
        self.map_or_else(String::new, |range| format!("{} {}", range.low, range.high))
    }
}

/// Formats a duration with the largest unit that divides it.
pub(super) fn show_duration(duration: Duration) -> String {
    format_duration_ns(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ThreadingMode;

    #[test]
    fn plain_numbers_count_the_unit_of_their_form() {
        assert_eq!(Duration::parse("1500"), Some(Duration::from_nanos(1500)));
        assert_eq!(Milliseconds::parse("10000"), Some(Milliseconds::new(10_000)));
        assert_eq!(Milliseconds::parse("10s"), Some(Milliseconds::new(10_000)));
        assert_eq!(ByteLength::parse("64K"), Some(ByteLength::new(65_536)));
        for text in ["", "-1", "1.5", "ten", "1 s"] {
            assert_eq!(Duration::parse(text), None, "{text}");
            assert_eq!(Milliseconds::parse(text), None, "{text}");
            assert_eq!(ByteLength::parse(text), None, "{text}");
        }
        assert_eq!(Milliseconds::parse("2000us"), Some(Milliseconds::new(2)));
        for text in ["1500us", "999999ns", "18446744073709551616"] {
            assert_eq!(
                Milliseconds::parse(text),
                None,
                "{text} is no whole number of milliseconds that can be counted"
            );
        }
    }

    #[test]
    fn a_range_of_ports_has_two_ends_that_are_ports() {
        let read = <Option<PortRange> as Value>::parse;
        assert_eq!(read("20000 20100"), Some(Some(PortRange { low: 20_000, high: 20_100 })));
        assert_eq!((read(""), read("0 0")), (Some(None), Some(None)), "any, the latter as in the reference");
        for text in ["0 1000", "2 1", "20000", "20000-20100", "1 65536"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        fn both_ways<T: Value + PartialEq + std::fmt::Debug>(values: &[T]) {
            for value in values {
                assert_eq!(T::parse(&value.show()).as_ref(), Some(value), "{}", value.show());
            }
        }
        both_ways(&[Cpu::Any, Cpu::Auto, Cpu::Number(3)]);
        both_ways(&[None, Some(PortRange { low: 20_000, high: 20_100 })]);
        both_ways(&[None, Some(Duration::from_millis(1500))]);
        both_ways(&[None, Some(ByteLength::new(128 << 10))]);
        both_ways(&[None, Some(-7_i64)]);
        both_ways(&[ThreadingMode::Dedicated, ThreadingMode::Invoker]);
        both_ways(&[TermLength::MIN, TermLength::MAX]);
    }
}
