//! Parses and formats points in time.

use gannet::time::EpochNanos;

/// Parses a time: RFC 3339, or nanoseconds since 1970.
pub(crate) fn moment(text: &str) -> Result<EpochNanos, String> {
    if let Ok(nanos) = text.parse() {
        return Ok(EpochNanos::new(nanos));
    }
    let moment: jiff::Timestamp =
        text.parse().map_err(|_| "expected a time such as 2026-01-31T08:30:00Z, or nanoseconds since 1970")?;
    i64::try_from(moment.as_nanosecond()).map(EpochNanos::new).map_err(|_| "out of range".to_owned())
}

/// Formats a time as in RFC 3339.
pub(crate) fn show_moment(time: EpochNanos) -> String {
    jiff::Timestamp::from_nanosecond(time.get().into()).map_or_else(|_| time.get().to_string(), |time| time.to_string())
}

/// Formats a time in UTC as in ISO 8601.
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
    fn moments_are_read_as_they_are_shown() {
        let time = EpochNanos::new(1_700_000_000_123_456_789);
        assert_eq!(moment(&show_moment(time)), Ok(time));
        assert_eq!(moment("42"), Ok(EpochNanos::new(42)));
        assert!(moment("yesterday").is_err());
    }
}
