//! Times in a form that people read, for messages about other drivers.

use gannet::time::EpochMillis;

/// A time in UTC: `2026-11-21 02:59:29.484`. A time outside the calendar, as in a damaged file, is shown as a number.
pub(super) fn utc(moment: EpochMillis) -> String {
    match jiff::Timestamp::from_millisecond(moment.get()) {
        Ok(timestamp) => timestamp.strftime("%Y-%m-%d %H:%M:%S.%3f").to_string(),
        Err(_) => format!("{} ms since 1970", moment.get()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_people_read_them() {
        for (ms, text) in [
            (0, "1970-01-01 00:00:00.000"),
            (1_795_229_969_484, "2026-11-21 02:59:29.484"),
            (951_782_400_000, "2000-02-29 00:00:00.000"),
            (4_107_542_399_999, "2100-02-28 23:59:59.999"),
            (-1, "1969-12-31 23:59:59.999"),
            (i64::MAX, "9223372036854775807 ms since 1970"),
        ] {
            assert_eq!(utc(EpochMillis::new(ms)), text);
        }
    }
}
