//! Names of cycles on the command line, for a journal that rolls by time of day.

use anyhow::Context as _;
use gannet::journal::{JournalError, Recording, RollCycle, Start};
use gannet::time::EpochNanos;

use super::reading;

/// The name of a cycle, for a journal that rolls by time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CycleName {
    /// By its number.
    Number(i64),
    /// By a time within it.
    At(EpochNanos),
    /// The last cycle that has messages.
    Last,
}

/// Parses a cycle: its number as `describe` shows it, a time or a day (UTC) in it, or `last`.
pub(super) fn cycle(text: &str) -> Result<CycleName, String> {
    if text == "last" {
        return Ok(CycleName::Last);
    }
    if let Ok(number) = text.parse() {
        return Ok(CycleName::Number(number));
    }
    let day = text.parse().ok().and_then(|day: jiff::civil::Date| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let moment = day.map(|day| day.timestamp()).or_else(|| text.parse().ok());
    let expected =
        "expected 'last', a cycle's number, a day such as 2026-01-31, or a time such as 2026-01-31T08:30:00Z";
    let nanos = moment.ok_or(expected)?.as_nanosecond();
    i64::try_from(nanos).map(|nanos| CycleName::At(EpochNanos::new(nanos))).map_err(|_| "out of range".to_owned())
}

impl CycleName {
    /// The number of the cycle, and the recording's roll cycle.
    pub(super) fn find(self, recording: &Recording) -> anyhow::Result<(i64, RollCycle)> {
        let recording_id = recording.descriptor().recording_id;
        let roll = recording.roll_cycle()?.ok_or(JournalError::NoCycles { recording_id })?;
        let number = match self {
            Self::Number(number) => number,
            Self::At(time) => roll.number(time),
            Self::Last => {
                let mut tailer = recording.tailer(Start::End)?;
                let mut damages = reading::Damages::default();
                let mut time = None;
                while reading::backward(&mut tailer, &mut damages, |record| {
                    time = record.time();
                    Ok(())
                })? && time.is_none()
                {}
                roll.number(time.context("the recording has no message with a time, and so no last cycle")?)
            }
        };
        Ok((number, roll))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_are_named_by_number_day_or_moment() {
        let at = |seconds: i64| Ok(CycleName::At(EpochNanos::new(seconds * 1_000_000_000)));
        assert_eq!(cycle("20484"), Ok(CycleName::Number(20_484)));
        assert_eq!(cycle("last"), Ok(CycleName::Last));
        assert_eq!(cycle("2026-01-31"), at(1_769_817_600));
        assert_eq!(cycle("2026-01-31T08:30:00Z"), at(1_769_848_200));
        for bad in ["", "today", "2026-13-01", "1.5"] {
            assert!(cycle(bad).is_err(), "{bad}");
        }
    }
}
