//! Latencies in nanoseconds, with three significant digits over the whole range. Wraps HdrHistogram, so that its tools
//! can read the rig's logs. Recording never allocates.

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

/// The longest latency recorded, an hour. Longer ones are counted as this.
const MAX_NS: u64 = 3_600_000_000_000;

/// The quantiles that reports show.
const QUOTED_QUANTILES: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 0.9999];

/// A histogram of latencies.
#[derive(Clone, Debug)]
pub struct LatencyHistogram {
    inner: Histogram<u64>,
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self { inner: Histogram::new_with_bounds(1, MAX_NS, 3).expect("the bounds are sound") }
    }
}

impl LatencyHistogram {
    /// Records one latency. A negative one, from a clock read before the message was due, counts as 0.
    #[inline]
    pub fn record(&mut self, latency_ns: i64) {
        self.inner.saturating_record(u64::try_from(latency_ns).unwrap_or(0));
    }

    /// Adds all latencies of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.inner.add(&other.inner).expect("all histograms have the same bounds");
    }

    /// Removes all latencies.
    pub fn clear(&mut self) {
        self.inner.reset();
    }

    /// The number of latencies recorded.
    pub fn samples(&self) -> u64 {
        self.inner.len()
    }

    /// The latency in nanoseconds that the fraction `quantile` of all did not exceed. `None` for an empty histogram.
    pub fn quantile_ns(&self, quantile: f64) -> Option<u64> {
        (!self.inner.is_empty()).then(|| self.inner.value_at_quantile(quantile))
    }

    /// The longest latency, in nanoseconds.
    pub fn max_ns(&self) -> Option<u64> {
        (!self.inner.is_empty()).then(|| self.inner.max())
    }

    /// Points of the distribution as (quantile, nanoseconds), denser towards the tail.
    pub fn curve(&self) -> Vec<(f64, u64)> {
        self.inner.iter_quantiles(5).map(|step| (step.quantile(), step.value_iterated_to())).collect()
    }

    /// Writes the histogram as a log for HdrHistogram's tools, tagged with the system's name.
    ///
    /// # Errors
    ///
    /// Writing to `out` failed.
    pub fn write_log(&self, out: &mut impl Write, tag: &str, comment: &str) -> io::Result<()> {
        let started = SystemTime::now();
        let mut serializer = V2DeflateSerializer::new();
        let mut log = IntervalLogWriterBuilder::new()
            .add_comment(comment)
            .with_start_time(started)
            .begin_log_with(out, &mut serializer)?;
        let offset = started.duration_since(UNIX_EPOCH).unwrap_or_default();
        log.write_histogram(&self.inner, offset, Duration::from_secs(1), Tag::new(tag))
            .map_err(|error| io::Error::other(format!("{error:?}")))
    }

    /// A table of the distribution for a terminal, one line per quoted quantile, with a bar for its shape.
    pub fn describe(&self) -> String {
        let max = self.max_ns().unwrap_or(0);
        let mut text = String::new();
        let rows = QUOTED_QUANTILES
            .iter()
            .map(|&quantile| (format!("p{}", percent(quantile)), self.quantile_ns(quantile)))
            .chain([("max".to_owned(), self.max_ns())]);
        for (name, value_ns) in rows {
            if let Some(value_ns) = value_ns {
                // The bar is logarithmic, since latencies span orders of magnitude.
                let width = 40.0 * ((value_ns.max(1) as f64).ln() / (max.max(2) as f64).ln());
                text.push_str(&format!("  {name:<7} {:>12}  {}\n", show_ns(value_ns), "▇".repeat(width as usize)));
            }
        }
        text
    }
}

/// Formats a quantile in percent, such as `99.9` for 0.999.
fn percent(quantile: f64) -> String {
    format!("{}", (quantile * 1e6).round() / 1e4)
}

/// Formats a duration with a suitable unit: `318 ns`, `4.20 µs`, `1.25 ms`.
pub fn show_ns(value_ns: u64) -> String {
    match value_ns {
        0..1_000 => format!("{value_ns} ns"),
        1_000..1_000_000 => format!("{:.2} µs", value_ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} ms", value_ns as f64 / 1e6),
        _ => format!("{:.2} s", value_ns as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    fn thousand() -> LatencyHistogram {
        let mut histogram = LatencyHistogram::default();
        (1..=1000).for_each(|latency_ns| histogram.record(latency_ns));
        histogram
    }

    #[test]
    fn quantiles_are_of_what_was_recorded() {
        let mut histogram = thousand();
        assert_eq!(histogram.quantile_ns(0.5), Some(500));
        assert_eq!(histogram.max_ns(), Some(1000));
        histogram.merge(&thousand());
        assert_eq!(histogram.samples(), 2000);
        histogram.clear();
        assert_eq!(histogram.quantile_ns(0.5), None);
    }

    #[test]
    fn what_is_out_of_range_is_counted_at_the_edge() {
        let mut histogram = LatencyHistogram::default();
        histogram.record(-5);
        histogram.record(i64::MAX);
        assert_eq!(histogram.samples(), 2);
        assert!(histogram.max_ns() >= Some(MAX_NS));
    }

    #[test]
    fn the_log_can_be_read_back() {
        let mut log = Vec::new();
        thousand().write_log(&mut log, "gannet", "a comment").expect("a vector takes it");
        let entries = IntervalLogIterator::new(&log).collect::<Result<Vec<_>, _>>().expect("a sound log");
        let histograms = entries.iter().filter(|entry| matches!(entry, LogEntry::Interval(_))).count();
        assert_eq!(histograms, 1);
    }

    #[test]
    fn durations_have_the_unit_that_suits_them() {
        assert_eq!([1, 1_500, 2_000_000, 3_000_000_000].map(show_ns), ["1 ns", "1.50 µs", "2.00 ms", "3.00 s"]);
    }

    #[test]
    fn quantiles_are_named_as_percentages() {
        assert_eq!(QUOTED_QUANTILES.map(percent), ["50", "90", "99", "99.9", "99.99"]);
    }
}
