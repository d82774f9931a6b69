//! The formats of parameter values: one per kind of value, each with a description that an error quotes.

use super::ChannelUriError;
use crate::quantity::{DURATION_FORM, SIZE_FORM, parse_duration_ns, parse_size};

/// The format of a value.
pub(super) trait Form {
    /// The parsed value.
    type Value;
    /// The description of the format.
    const EXPECTED: &'static str;
    /// Parses the text, if it has this format.
    fn read(text: &str) -> Option<Self::Value>;

    /// The error for a text that does not have this format.
    fn refusal(key: &'static str, text: &str) -> ChannelUriError {
        ChannelUriError::Value { key, found: text.to_owned(), expected: Self::EXPECTED }
    }
}

/// Declares formats that consist of a description and a parsing function.
macro_rules! forms {
    ($($(#[$doc:meta])* $name:ident -> $value:ty, $expected:expr, $read:expr;)+) => {
        $(
            $(#[$doc])*
            pub(super) enum $name {}

            impl Form for $name {
                type Value = $value;
                const EXPECTED: &'static str = $expected;

                fn read(text: &str) -> Option<$value> {
                    $read(text)
                }
            }
        )+
    };
}

pub(super) use forms;

forms! {
    /// A duration in nanoseconds.
    Duration -> i64, DURATION_FORM, |text| parse_duration_ns(text).ok();
    /// A size in bytes.
    Size -> u64, SIZE_FORM, |text| parse_size(text).ok();
    /// A boolean.
    Bool -> bool, "true or false", |text| match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    /// A 64-bit integer.
    Int64 -> i64, "a whole number of 64 bits", integer;
    /// A byte of an IP header.
    Byte -> u8, "a whole number from 0 to 255", |text| integer(text).and_then(|number| u8::try_from(number).ok());
    /// A time to live. A larger value is replaced by the maximum of an IP header.
    TimeToLive -> u8, "a whole number from 0 up", |text| {
        integer(text).filter(|&number| number >= 0).map(|number| number.min(255) as u8)
    };
    /// Any text.
    Free -> String, "a text", |text: &str| Some(text.to_owned());
}

/// Parses an integer like the reference's C driver: decimal, hexadecimal after `0x`, or octal after `0`.
pub(super) fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        None => (10, digits),
    };
    // Otherwise the standard library's parser would accept a second sign.
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(digits, radix).ok()?);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// Parses an integer that is decimal even if it starts with 0.
pub(super) fn decimal(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit()).then(|| text.parse().ok())?
}

/// As [`integer`], for 32 bits.
pub(super) fn integer32(text: &str) -> Option<i32> {
    integer(text).and_then(|number| i32::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_c_reads_them() {
        for (text, expected) in [
            ("0", 0),
            ("-1", -1),
            ("+7", 7),
            ("0x1f", 31),
            ("-0X10", -16),
            ("010", 8),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(integer(text), Some(expected), "{text}");
        }
        for text in ["", "-", "+-1", "--1", "0x", "0x-1", "08", "1 ", " 1", "1.0", "9223372036854775808", "1k", "٣"] {
            assert_eq!(integer(text), None, "{text}");
        }
        assert_eq!((decimal("010"), decimal("-5"), decimal("0x1"), decimal("+-1")), (Some(10), Some(-5), None, None));
        assert_eq!((integer32("2147483647"), integer32("2147483648")), (Some(i32::MAX), None));
    }
}
