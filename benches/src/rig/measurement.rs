//! One result, as a line of JSON that scripts rely on: names and meanings stay.

use serde::Serialize;

use super::histogram::LatencyHistogram;

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A round trip: latencies apply.
    Echo,
    /// As fast as it goes: rates apply.
    Throughput,
    /// Nothing to do: what it takes all the same.
    Idle,
    /// An append: latencies apply.
    Append,
    /// A message on its way to another process: latencies apply.
    OneWay,
    /// Something that is done now and then, as finding a message or opening a journal: latencies apply.
    Operation,
}

/// What only one scenario measures; its names stand beside the others in a line of JSON.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Details {
    /// A stream beside which logs come and go.
    Stall {
        /// Logs that were added, and removed again, meanwhile.
        logs_added: u64,
        /// Bytes of each of those logs.
        log_length: u64,
        /// The longest that adding one took, from the call to the publication.
        longest_add_ns: u64,
        /// The longest time between two turns of the driver's conductor so far.
        longest_cycle_ns: u64,
        /// The p99.9 of the median slice, in nanoseconds.
        p999_ns_of_median_slice: Option<u64>,
        /// The same divided by that of the stream while it was undisturbed, in the same run.
        p999_to_undisturbed: Option<f64>,
        /// Between which of those ratios nine in ten lie of what other slices of the same kind would have given.
        p999_to_undisturbed_range: Option<[f64; 2]>,
    },
    /// Streams over UDP.
    Udp {
        /// What datagrams go through: `io_uring` or `sockets`.
        transport: String,
        /// Whether runs of equal datagrams are handed to the kernel in one piece.
        offload: bool,
        /// Bytes of the longest datagram.
        mtu: usize,
        /// Bytes of the receiver's window.
        window: usize,
        /// Streams that share the messages.
        streams: usize,
        /// Of a million datagrams, how many were lost on purpose.
        loss_ppm: u32,
        /// System calls per message, of the end that sends; those that found nothing to receive count as well.
        near_calls_per_msg: Option<f64>,
        /// As above, of the end that receives.
        far_calls_per_msg: Option<f64>,
        /// Messages per second divided by those of one stream without loss over the same transport, in the same rounds.
        ratio_to_plain: Option<f64>,
    },
    /// Streams over UDP that carry nothing, and a thread that sends for them or receives them.
    IdleStreams {
        /// Which end's thread it is: `publishing` or `subscribing`.
        side: String,
        /// The profile that the driver ran with.
        profile: String,
        /// How many there were.
        streams: usize,
        /// How long they were watched, in seconds.
        watched_s: f64,
        /// CPU time per second of the thread that runs that end's sender and receiver, as a fraction of one core.
        cpu_share: f64,
        /// How often per second the thread was put on a CPU.
        wake_ups_per_s: f64,
    },
    /// Appends over several segments.
    Rolls {
        /// How often the appender went on to the next segment.
        rolls: u64,
        /// The p50 with a fraction: it is that of batches.
        p50_exact_ns: Option<f64>,
        /// The p99.99 divided by the p50.
        p9999_to_p50: Option<f64>,
        /// What the fastest twentieth of the batches stayed below, per append: undisturbed by whoever else has the machine.
        p5_exact_ns: Option<f64>,
        /// The same divided by that of what it is measured by.
        p5_ratio_to_floor: Option<f64>,
    },
    /// A replay.
    Replay {
        /// Messages per second divided by those of a publisher that reads as much memory as the recording takes, in the same rounds.
        ratio_to_memory: Option<f64>,
    },
    /// Several processes that append to one journal.
    Processes {
        /// How many.
        processes: u32,
        /// Messages per second of all of them together divided by those of one alone, in the same run.
        ratio_to_one: Option<f64>,
    },
    /// Something that is done with a whole journal.
    Journal {
        /// Its length in bytes: messages, headers and padding.
        journal_bytes: u64,
        /// What is done: `sequence`, `time`, `after_kill`, `after_power_loss`.
        by: String,
        /// The p50 divided by that for a journal a sixteenth as large, in the same run.
        ratio_to_sixteenth: Option<f64>,
    },
    /// A process without work.
    Idle {
        /// The profile that the driver ran with.
        profile: String,
        /// How long it was watched, in seconds.
        watched_s: f64,
        /// CPU time per second, as a fraction of one core; all threads of the process together.
        cpu_share: f64,
        /// How often per second a thread of the process was put on a CPU.
        wake_ups_per_s: f64,
    },
}

/// One result. What does not apply is null.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// The scenario: `ipc`, `udp`, `stall`, `idle`, `journal`, or a part of that, as `journal-read`, or `replay`.
    pub scenario: String,
    /// `gannet`, `floor`, or a peer's name.
    pub system: String,
    /// Which of the columns apply.
    pub kind: Kind,
    /// Bytes per message.
    pub size: usize,
    /// Messages per second that the schedule asked for; null where it is as many as go.
    pub rate: Option<u64>,
    /// Messages measured.
    pub samples: u64,
    /// Messages sent that did not arrive.
    pub lost: u64,
    /// Latency that half of the messages did not exceed, in nanoseconds; and so on for the other fractions.
    pub p50_ns: Option<u64>,
    /// 90 %.
    pub p90_ns: Option<u64>,
    /// 99 %.
    pub p99_ns: Option<u64>,
    /// 99.9 %.
    pub p999_ns: Option<u64>,
    /// 99.99 %.
    pub p9999_ns: Option<u64>,
    /// The longest latency.
    pub max_ns: Option<u64>,
    /// Messages per second that went through: the median of the rounds.
    pub msgs_per_s: Option<f64>,
    /// Bytes of payload per second that went through.
    pub bytes_per_s: Option<f64>,
    /// The floor's p50 in the same run.
    pub floor_p50_ns: Option<u64>,
    /// This system's figure divided by the floor's: p50 for an echo or an append (1 is the floor, more is slower), messages per second
    /// for throughput (1 is the floor, less is slower).
    pub ratio_to_floor: Option<f64>,
    /// What only this scenario measures.
    #[serde(flatten)]
    pub details: Option<Details>,
    /// The whole distribution, for the report.
    #[serde(skip)]
    pub latencies: Option<LatencyHistogram>,
}

impl Measurement {
    /// The result of round trips at `rate` messages per second.
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

    /// The result of as many messages as go.
    pub fn throughput(scenario: &str, system: &str, size: usize, samples: u64, lost: u64, rate_per_s: f64) -> Self {
        Self {
            samples,
            lost,
            msgs_per_s: Some(rate_per_s.round()),
            bytes_per_s: Some((rate_per_s * size as f64).round()),
            ..Self::blank(scenario, system, Kind::Throughput, size)
        }
    }

    /// The result of appends.
    pub fn append(scenario: &str, system: &str, size: usize, latencies: LatencyHistogram) -> Self {
        Self { kind: Kind::Append, rate: None, ..Self::echo(scenario, system, size, 0, latencies, 0) }
    }

    /// The result of messages on their way to another process, sent at `rate` per second.
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

    /// The result of doing something often.
    pub fn operation(scenario: &str, system: &str, latencies: LatencyHistogram, details: Details) -> Self {
        let details = Some(details);
        Self { kind: Kind::Operation, rate: None, details, ..Self::echo(scenario, system, 0, 0, latencies, 0) }
    }

    /// The result of watching a process that has nothing to do.
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

    /// Fills in how this result compares with the floor's of the same kind and size.
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
