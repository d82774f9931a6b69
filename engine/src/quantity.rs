//! Durations and sizes as people write them in channels, configuration and flags: `10s`, `5ms`, `64k`, `1g`. All of
//! these use the same parser, so a text has the same meaning everywhere. The formatters return the shortest such text.

/// A text is not a valid quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {expected}")]
pub struct QuantityError {
    /// The text.
    pub found: String,
    /// The expected form.
    pub expected: &'static str,
}

/// The form of a duration, for messages.
pub const DURATION_FORM: &str = "a duration: a whole number followed by ns, us, ms or s (none means ns)";
/// The form of a size, for messages.
pub const SIZE_FORM: &str = "a size below 2^63: a whole number of bytes, optionally followed by k, m or g (1024-based)";

/// Parses a duration. Returns nanoseconds, never negative. A longer duration than fits, about 292 years, becomes
/// `i64::MAX`.
///
/// ```
/// # use gannet::quantity::parse_duration_ns;
/// assert_eq!(parse_duration_ns("5ms").unwrap(), 5_000_000);
/// assert_eq!(parse_duration_ns("1000").unwrap(), 1_000);
/// assert!(parse_duration_ns("5 minutes").is_err());
/// ```
///
/// # Errors
///
/// [`QuantityError`] unless the text consists of digits and at most one of the suffixes `ns`, `us`, `ms` and `s`, in
/// upper or lower case.
pub fn parse_duration_ns(text: &str) -> Result<i64, QuantityError> {
    checked_duration_ns(text).map(|duration_ns| duration_ns.unwrap_or(i64::MAX))
}

/// As [`parse_duration_ns`]. `None` for a longer duration than fits.
///
/// # Errors
///
/// As [`parse_duration_ns`].
pub fn checked_duration_ns(text: &str) -> Result<Option<i64>, QuantityError> {
    let error = || QuantityError { found: text.to_owned(), expected: DURATION_FORM };
    let (digits, suffix) = split(text).ok_or_else(error)?;
    let nanos_per_unit = match suffix.to_ascii_lowercase().as_str() {
        "" | "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return Err(error()),
    };
    // `split` left only digits, so a number that cannot be parsed is too large.
    Ok(digits.parse::<i64>().ok().and_then(|units| units.checked_mul(nanos_per_unit)))
}

/// Parses a size in bytes.
///
/// ```
/// # use gannet::quantity::parse_size;
/// assert_eq!(parse_size("64k").unwrap(), 65_536);
/// assert!(parse_size("-1").is_err());
/// ```
///
/// # Errors
///
/// [`QuantityError`] unless the text consists of digits and at most one of the suffixes `k`, `m` and `g`, in upper or
/// lower case, and the size is below 2^63.
pub fn parse_size(text: &str) -> Result<u64, QuantityError> {
    checked_size(text)?.ok_or_else(|| QuantityError { found: text.to_owned(), expected: SIZE_FORM })
}

/// As [`parse_size`], but `None` for a size that is not below 2^63.
///
/// # Errors
///
/// [`QuantityError`] unless the text has the form that [`parse_size`] takes.
pub fn checked_size(text: &str) -> Result<Option<u64>, QuantityError> {
    let error = || QuantityError { found: text.to_owned(), expected: SIZE_FORM };
    let (digits, suffix) = split(text).ok_or_else(error)?;
    let bytes_per_unit = match suffix.to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return Err(error()),
    };
    // As with durations: a number that cannot be parsed is too large.
    let bytes = digits.parse::<i64>().ok().and_then(|units| units.checked_mul(bytes_per_unit));
    Ok(bytes.map(i64::unsigned_abs))
}

/// Formats a duration with the largest unit that yields a whole number: `1500us`, `10s`, and `0ns`.
pub fn format_duration_ns(duration_ns: i64) -> String {
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
    match units.into_iter().find(|(nanos, _)| duration_ns != 0 && duration_ns % nanos == 0) {
        Some((nanos, suffix)) => format!("{}{suffix}", duration_ns / nanos),
        None => format!("{duration_ns}ns"),
    }
}

/// Formats a size with the largest unit that yields a whole number: `64k`, `1g`, and `0`.
pub fn format_size(bytes: u64) -> String {
    let units = [(1 << 30, "g"), (1 << 20, "m"), (1 << 10, "k")];
    match units.into_iter().find(|(unit, _)| bytes != 0 && bytes.is_multiple_of(*unit)) {
        Some((unit, suffix)) => format!("{}{suffix}", bytes / unit),
        None => bytes.to_string(),
    }
}

/// Splits the text after its leading digits.
fn split(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations() {
        for (text, expected) in [
            ("0", 0),
            ("1", 1),
            ("7ns", 7),
            ("3us", 3_000),
            ("5ms", 5_000_000),
            ("10s", 10_000_000_000),
            ("10S", 10_000_000_000),
            ("2Ms", 2_000_000),
            ("9223372037s", i64::MAX),
            ("99999999999999999999999999", i64::MAX),
        ] {
            assert_eq!(parse_duration_ns(text), Ok(expected), "{text}");
        }
        assert_eq!(checked_duration_ns("9223372036854775807"), Ok(Some(i64::MAX)));
        for text in ["9223372036854775808", "9223372037s", "99999999999999999999999999"] {
            assert_eq!(checked_duration_ns(text), Ok(None), "{text}");
        }
        for text in ["", "s", "-1s", "+1s", "1.5s", " 1s", "1 s", "1m", "1u", "1sec", "1h", "0x10", "١s"] {
            assert!(parse_duration_ns(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("0", 0),
            ("1408", 1408),
            ("64k", 65_536),
            ("64K", 65_536),
            ("16m", 16 << 20),
            ("1G", 1 << 30),
            ("9223372036854775807", i64::MAX as u64),
            ("8589934591g", 8_589_934_591 << 30),
        ] {
            assert_eq!(parse_size(text), Ok(expected), "{text}");
        }
        for text in ["", "k", "-1", "1.5m", "64kb", "1t", "9223372036854775808", "8589934592g", "64 k"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        for text in ["9223372036854775808", "8589934592g", "99999999999999999999999999k"] {
            assert_eq!(checked_size(text), Ok(None), "{text}");
            assert!(parse_size(text).is_err(), "{text}");
        }
        assert_eq!(checked_size("9223372036854775807"), Ok(Some(i64::MAX.unsigned_abs())));
        assert!(checked_size("64kb").is_err());
        let message = parse_size("64kb").unwrap_err().to_string();
        assert!(message.starts_with("\"64kb\" is not a size"), "{message}");
    }

    #[test]
    fn the_largest_whole_unit_is_written() {
        assert_eq!(format_duration_ns(10_000_000_000), "10s");
        assert_eq!(format_duration_ns(1_500_000), "1500us");
        assert_eq!(format_duration_ns(0), "0ns");
        assert_eq!(format_size(65_536), "64k");
        assert_eq!(format_size(1 << 30), "1g");
        assert_eq!(format_size(1025), "1025");
        assert_eq!(format_size(0), "0");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(duration_ns in 0..=i64::MAX, bytes in 0..=i64::MAX as u64, shift in 0..40) {
            prop_assert_eq!(parse_duration_ns(&format_duration_ns(duration_ns)), Ok(duration_ns));
            let round = bytes >> shift << shift;
            prop_assert_eq!(parse_size(&format_size(round)), Ok(round));
        }

        #[test]
        fn arbitrary_text_never_panics(text in any::<String>()) {
            let _ = parse_duration_ns(&text);
            let _ = parse_size(&text);
        }
    }
}
