//! One result, as a line of JSON that scripts rely on: names and meanings must not change.

use serde::Serialize;

use super::histogram::LatencyHistogram;

/// The kind of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Round trips. Latencies apply.
    Echo,
    /// The highest rate reached. Rates apply.
    Throughput,
    /// CPU use without work.
    Idle,
    /// Appends. Latencies apply.
    Append,
    /// Messages to another process. Latencies apply.
    OneWay,
    /// An operation such as finding a message or opening a journal. Latencies apply.
    Operation,
}

/// Results of one scenario only. Their names are beside the others in a line of JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Details {
    /// A stream while logs are added and removed beside it.
    Stall {
        /// Logs that were added and removed meanwhile.
        logs_added: u64,
        /// Bytes of each of those logs.
        log_length: u64,
        /// The longest time to add one of them, from the call to the publication, in nanoseconds.
        longest_add_ns: u64,
        /// The longest time between two duty cycles of the driver's conductor so far, in nanoseconds.
        longest_cycle_ns: u64,
        /// The p99.9 of the median slice, in nanoseconds.
        p999_ns_of_median_slice: Option<u64>,
        /// The p99.9 of the median slice divided by that of the undisturbed stream in the same run.
        p999_to_undisturbed: Option<f64>,
        /// The range that holds nine tenths of the ratios that other slices of the same kind would have given.
        p999_to_undisturbed_range: Option<[f64; 2]>,
    },
    /// Streams over UDP.
    Udp {
        /// The transport: `io_uring` or `sockets`.
        transport: String,
        /// Whether runs of datagrams of equal length are passed to the kernel in one piece.
        offload: bool,
        /// The MTU: the length of the longest datagram in bytes.
        mtu: usize,
        /// Bytes of the receiver's window.
        window: usize,
        /// The number of streams that share the messages.
        streams: usize,
        /// Datagrams lost on purpose, per million.
        loss_ppm: u32,
        /// System calls per message of the sending end. Calls that found nothing to receive are included.
        near_calls_per_msg: Option<f64>,
        /// System calls per message of the receiving end, counted likewise.
        far_calls_per_msg: Option<f64>,
        /// Messages per second, divided by those of one stream without loss over the same transport in the same rounds.
        ratio_to_plain: Option<f64>,
    },
    /// Idle streams over UDP, and the thread that sends or receives for them.
    IdleStreams {
        /// The end that the thread belongs to: `publishing` or `subscribing`.
        side: String,
        /// The driver's profile.
        profile: String,
        /// The number of streams.
        streams: usize,
        /// How long they were watched, in seconds.
        watched_s: f64,
        /// CPU time per second of the thread that runs that end's sender and receiver, as a fraction of one core.
        cpu_share: f64,
        /// How often per second the thread was put on a CPU.
        wake_ups_per_s: f64,
    },
    /// Appends across several segments.
    Rolls {
        /// How often the appender continued in the next segment.
        rolls: u64,
        /// The p50 with decimals, from batches.
        p50_exact_ns: Option<f64>,
        /// The p99.99 divided by the p50.
        p9999_to_p50: Option<f64>,
        /// The 5th percentile of batches, per append. It shows the cost without disturbance by others on the machine.
        p5_exact_ns: Option<f64>,
        /// The 5th percentile divided by that of the floor.
        p5_ratio_to_floor: Option<f64>,
    },
    /// A replay.
    Replay {
        /// Messages per second, divided by those of a publisher that reads as much memory as the recording takes, in
        /// the same rounds.
        ratio_to_memory: Option<f64>,
    },
    /// Several processes that append to one journal.
    Processes {
        /// The number of processes.
        processes: u32,
        /// Messages per claim.
        batch: u32,
        /// Messages per second of all processes together, divided by those of one process in the same run.
        ratio_to_one: Option<f64>,
    },
    /// An operation on a whole journal.
    Journal {
        /// Its length in bytes: messages, headers and padding.
        journal_bytes: u64,
        /// The operation: `sequence`, `time`, `after_kill` or `after_power_loss`.
        by: String,
        /// The p50 divided by that of a journal a sixteenth as large in the same run.
        ratio_to_sixteenth: Option<f64>,
    },
    /// A process without work.
    Idle {
        /// The driver's profile.
        profile: String,
        /// How long it was watched, in seconds.
        watched_s: f64,
        /// CPU time per second, as a fraction of one core; all threads of the process together.
        cpu_share: f64,
        /// How often per second a thread of the process was put on a CPU.
        wake_ups_per_s: f64,
    },
}

/// One result. Figures that do not apply are null.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// The scenario: `ipc`, `udp`, `stall`, `idle`, `replay`, `journal`, or a part of one such as `journal-read`.
    pub scenario: String,
    /// The system: `gannet`, `floor`, or a peer's name.
    pub system: String,
    /// The kind, which decides which figures apply.
    pub kind: Kind,
    /// Bytes per message.
    pub size: usize,
    /// Messages per second of the schedule; null without a schedule.
    pub rate: Option<u64>,
    /// Messages measured.
    pub samples: u64,
    /// Messages that were sent but did not arrive.
    pub lost: u64,
    /// The p50 in nanoseconds: the latency that half of the messages did not exceed.
    pub p50_ns: Option<u64>,
    /// The p90 in nanoseconds.
    pub p90_ns: Option<u64>,
    /// The p99 in nanoseconds.
    pub p99_ns: Option<u64>,
    /// The p99.9 in nanoseconds.
    pub p999_ns: Option<u64>,
    /// The p99.99 in nanoseconds.
    pub p9999_ns: Option<u64>,
    /// The longest latency in nanoseconds.
    pub max_ns: Option<u64>,
    /// Messages per second: the median of the rounds.
    pub msgs_per_s: Option<f64>,
    /// Bytes of payload per second.
    pub bytes_per_s: Option<f64>,
    /// The floor's p50 in the same run.
    pub floor_p50_ns: Option<u64>,
    /// This system's figure divided by the floor's. For an echo or an append it is the p50 (1 is the floor, more is
    /// slower); for throughput it is messages per second (1 is the floor, less is slower).
    pub ratio_to_floor: Option<f64>,
    /// The results of this scenario only.
    #[serde(flatten)]
    pub details: Option<Details>,
    /// The whole distribution, for reports.
    #[serde(skip)]
    pub latencies: Option<LatencyHistogram>,
}

impl Measurement {
    /// A result of round trips at `rate` messages per second.
    pub fn echo(scenario: &str, system: &str, size: usize, rate: u64, latencies: LatencyHistogram, lost: u64) -> Self {
        Self {
            samples: latencies.samples(),
            lost,
            rate: Some(rate),
            p50_ns: latencies.quantile_ns(0.5),
            p90_ns: latencies.quantile_ns(0.9),
            p99_ns: latencies.quantile_ns(0.99),
            p999_ns: latencies.quantile_ns(0.999),
            p9999_ns: latencies.quantile_ns(0.9999),
            max_ns: latencies.max_ns(),
            latencies: Some(latencies),
            ..Self::blank(scenario, system, Kind::Echo, size)
        }
    }

    /// A result of throughput.
    pub fn throughput(scenario: &str, system: &str, size: usize, samples: u64, lost: u64, rate_per_s: f64) -> Self {
        Self {
            samples,
            lost,
            msgs_per_s: Some(rate_per_s.round()),
            bytes_per_s: Some((rate_per_s * size as f64).round()),
            ..Self::blank(scenario, system, Kind::Throughput, size)
        }
    }

    /// A result of appends.
    pub fn append(scenario: &str, system: &str, size: usize, latencies: LatencyHistogram) -> Self {
        Self { kind: Kind::Append, rate: None, ..Self::echo(scenario, system, size, 0, latencies, 0) }
    }

    /// A result of messages to another process, sent at `rate` per second.
    pub fn one_way(
        scenario: &str,
        system: &str,
        size: usize,
        rate: u64,
        latencies: LatencyHistogram,
        lost: u64,
    ) -> Self {
        Self { kind: Kind::OneWay, ..Self::echo(scenario, system, size, rate, latencies, lost) }
    }

    /// A result of repeating an operation.
    pub fn operation(scenario: &str, system: &str, latencies: LatencyHistogram, details: Details) -> Self {
        let details = Some(details);
        Self { kind: Kind::Operation, rate: None, details, ..Self::echo(scenario, system, 0, 0, latencies, 0) }
    }

    /// A result of watching an idle process.
    pub fn idle(scenario: &str, system: &str, details: Details) -> Self {
        Self { details: Some(details), ..Self::blank(scenario, system, Kind::Idle, 0) }
    }

    fn blank(scenario: &str, system: &str, kind: Kind, size: usize) -> Self {
        Self {
            scenario: scenario.to_owned(),
            system: system.to_owned(),
            kind,
            size,
            rate: None,
            samples: 0,
            lost: 0,
            p50_ns: None,
            p90_ns: None,
            p99_ns: None,
            p999_ns: None,
            p9999_ns: None,
            max_ns: None,
            msgs_per_s: None,
            bytes_per_s: None,
            floor_p50_ns: None,
            ratio_to_floor: None,
            details: None,
            latencies: None,
        }
    }

    /// Computes the figures relative to the floor's result of the same kind and size.
    pub fn compare_with(&mut self, floor: &Self) {
        self.floor_p50_ns = floor.p50_ns;
        let (ours, theirs) = match self.kind {
            Kind::Echo | Kind::Append | Kind::OneWay | Kind::Operation => {
                (self.p50_ns.map(|ns| ns as f64), floor.p50_ns.map(|ns| ns as f64))
            }
            Kind::Throughput => (self.msgs_per_s, floor.msgs_per_s),
            Kind::Idle => (None, None),
        };
        self.ratio_to_floor =
            ours.zip(theirs).filter(|(_, floor)| *floor > 0.0).map(|(ours, floor)| (ours / floor * 1e4).round() / 1e4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(system: &str, latency_ns: i64) -> Measurement {
        let mut latencies = LatencyHistogram::default();
        (0..100).for_each(|_| latencies.record(latency_ns));
        Measurement::echo("ipc", system, 32, 50_000, latencies, 0)
    }

    #[test]
    fn a_line_has_every_key_and_null_for_what_does_not_apply() {
        let mut ours = echo("gannet", 330);
        ours.compare_with(&echo("floor", 300));
        let line = serde_json::to_value(&ours).expect("plain data");
        assert_eq!(
            line,
            serde_json::json!({
                "scenario": "ipc", "system": "gannet", "kind": "echo", "size": 32, "rate": 50_000, "samples": 100, "lost": 0,
                "p50_ns": 330, "p90_ns": 330, "p99_ns": 330, "p999_ns": 330, "p9999_ns": 330, "max_ns": 330,
                "msgs_per_s": null, "bytes_per_s": null, "floor_p50_ns": 300, "ratio_to_floor": 1.1,
            })
        );
    }

    #[test]
    fn what_only_one_scenario_measures_stands_beside_the_rest() {
        let details = Details::Stall {
            logs_added: 7,
            log_length: 100,
            longest_add_ns: 50,
            longest_cycle_ns: 40,
            p999_ns_of_median_slice: Some(900),
            p999_to_undisturbed: Some(1.5),
            p999_to_undisturbed_range: Some([1.25, 2.0]),
        };
        let line =
            serde_json::to_value(Measurement { details: Some(details), ..echo("gannet", 1) }).expect("plain data");
        assert_eq!((&line["logs_added"], &line["p999_to_undisturbed"]), (&7.into(), &1.5.into()));
        assert_eq!((&line["scenario"], &line["samples"]), (&"ipc".into(), &100.into()));
    }

    #[test]
    fn throughput_compares_rates() {
        let mut ours = Measurement::throughput("ipc", "gannet", 1024, 10, 0, 750.0);
        ours.compare_with(&Measurement::throughput("ipc", "floor", 1024, 10, 0, 1000.0));
        assert_eq!((ours.ratio_to_floor, ours.floor_p50_ns), (Some(0.75), None));
        assert_eq!(ours.bytes_per_s, Some(768_000.0));
    }
}
