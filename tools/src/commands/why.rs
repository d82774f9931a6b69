//! `gannet why`: who holds each publication back, and since when.
//!
//! Counters say where everyone is, not since when: the command watches for a while, and says only what it has seen.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::watch::pause;
use crate::cli::{
    DriverDir, Outcome, Output, Stop, duration, positive_duration, seconds, seconds_since, with_separators,
};
use crate::inspect::{Driver, Publication, Streams};

/// Show what holds each publication back: which subscriber or receiver, at which position, and since when
///
/// Watches the counters for a while (--for). A publication is held back when it has reached its limit, which follows
/// its slowest reader. "At least" means that it was already held back in the first sample.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    dir: DriverDir,
    /// Print one JSON object per publication
    #[arg(long)]
    json: bool,
    /// How long to watch before saying anything
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, default_value = "1s")]
    watch_for: Duration,
    /// How often to sample
    #[arg(long, value_name = "INTERVAL", value_parser = positive_duration, default_value = "20ms")]
    every: Duration,
    /// Show only publications that were held back at some time
    #[arg(long)]
    held: bool,
}

/// What a publication has been doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It could be published to whenever it was looked at.
    Flowing,
    /// It was at its limit, at some time or all the time.
    Held,
    /// Nobody reads it, so nothing can be published.
    NotConnected,
}

/// Who the limit waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Holder {
    /// A subscriber on this host.
    Subscriber {
        registration_id: i64,
        client_id: i64,
        client_name: Option<String>,
        counter_id: i32,
        position: i64,
        behind: i64,
    },
    /// The receivers on other hosts, through flow control: the sender has reached the limit that they set.
    Receivers {
        /// The address of the one whose window is waited for, as the driver says, or where the channel leads to one.
        address: Option<String>,
        /// Which it is, and since when, in milliseconds since 1970, as the driver says.
        receiver_id: Option<i64>,
        since_ms: Option<i64>,
        /// How many receivers pace it, where it is paced by a group.
        receivers: Option<i64>,
        position: i64,
        behind: i64,
        /// How often their windows have stopped the sender, since there is the publication.
        stops: Option<i64>,
    },
    /// The driver's sender, which is allowed to send more than it has.
    Sender { position: i64, behind: i64 },
}

/// What the watch has found out about a publication.
#[derive(Debug, Clone, Serialize)]
struct Finding {
    registration_id: i64,
    session_id: i32,
    stream_id: i32,
    channel: String,
    state: State,
    position: i64,
    limit: i64,
    /// Who the limit waits for; of a publication that flows, who it would wait for.
    holder: Option<Holder>,
    /// Samples taken, and samples in which the publication was connected and at its limit.
    samples: u64,
    samples_at_limit: u64,
    watched_ms: u64,
    /// How long it has been at its limit without a break, until now; null if it is not. From the first sample on if equal
    /// to `watched_ms`: it may have been longer.
    held_for_ms: Option<u64>,
    /// How long nobody has read it, until now; null if somebody does. Likewise.
    not_connected_for_ms: Option<u64>,
    /// How long the holder has not moved, until now. Likewise.
    holder_still_for_ms: Option<u64>,
    #[serde(skip)]
    description: String,
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    let stop = Stop::listen()?;
    let driver = Driver::open(&args.dir.path())?;
    let start = Instant::now();
    let mut watch = Watch::default();
    loop {
        let elapsed = start.elapsed();
        watch.sample(elapsed, &Streams::new(&driver.counters()));
        let left = args.watch_for.saturating_sub(elapsed);
        if left.is_zero() || !pause(args.every.min(left), &stop) {
            break;
        }
    }
    let findings = watch.findings();
    let shown = findings.iter().filter(|finding| !args.held || finding.samples_at_limit > 0);
    if args.json {
        for finding in shown {
            out.json(finding)?;
        }
        return Ok(());
    }
    out.line(driver.identify())?;
    if findings.is_empty() {
        out.line("no publications")?;
    }
    for finding in shown {
        out.line(&finding.description)?;
        for line in finding.explain() {
            out.line(format_args!("    {line}"))?;
        }
    }
    Ok(())
}

/// Samples of a driver's publications, condensed.
#[derive(Debug, Default)]
struct Watch {
    publications: BTreeMap<i64, Watched>,
    last: Duration,
}

/// One publication since it was first seen.
#[derive(Debug)]
struct Watched {
    now: Publication,
    first_seen: Duration,
    samples: u64,
    samples_at_limit: u64,
    /// Since when it is at its limit.
    held_since: Option<Duration>,
    /// Since when nobody reads it.
    not_connected_since: Option<Duration>,
    holder: Option<Holder>,
    /// Since when the holder is the same and where it is.
    still_since: Duration,
}

impl Watch {
    fn sample(&mut self, at: Duration, streams: &Streams) {
        self.last = at;
        self.publications.retain(|id, _| streams.publications.contains_key(id));
        for (&id, publication) in &streams.publications {
            let watched = self.publications.entry(id).or_insert_with(|| Watched {
                now: publication.clone(),
                first_seen: at,
                samples: 0,
                samples_at_limit: 0,
                held_since: None,
                not_connected_since: None,
                holder: None,
                still_since: at,
            });
            watched.sample(at, publication);
        }
    }

    fn findings(&self) -> Vec<Finding> {
        self.publications.values().map(|watched| watched.finding(self.last)).collect()
    }
}

impl Watched {
    fn sample(&mut self, at: Duration, publication: &Publication) {
        self.samples += 1;
        let holder = Holder::of(publication);
        if holder.is_some() {
            self.not_connected_since = None;
        } else {
            self.not_connected_since.get_or_insert(at);
        }
        // One that nobody reads has no room, and is held by nobody.
        let is_held = holder.is_some() && publication.position >= publication.limit;
        if is_held {
            self.samples_at_limit += 1;
            self.held_since.get_or_insert(at);
        } else {
            self.held_since = None;
        }
        if holder.as_ref().map(Holder::place) != self.holder.as_ref().map(Holder::place) {
            self.still_since = at;
        }
        self.holder = holder;
        self.now = publication.clone();
    }

    fn finding(&self, now: Duration) -> Finding {
        let millis = |since: Duration| u64::try_from(now.saturating_sub(since).as_millis()).unwrap_or(u64::MAX);
        let publication = &self.now;
        let state = match &self.holder {
            None => State::NotConnected,
            Some(_) if self.samples_at_limit > 0 => State::Held,
            Some(_) => State::Flowing,
        };
        Finding {
            registration_id: publication.registration_id,
            session_id: publication.session_id,
            stream_id: publication.stream_id,
            channel: publication.channel.clone(),
            state,
            position: publication.position,
            limit: publication.limit,
            holder: self.holder.clone(),
            samples: self.samples,
            samples_at_limit: self.samples_at_limit,
            watched_ms: millis(self.first_seen),
            held_for_ms: self.held_since.map(millis),
            not_connected_for_ms: self.not_connected_since.map(millis),
            holder_still_for_ms: self.holder.is_some().then(|| millis(self.still_since)),
            description: publication.describe(),
        }
    }
}

impl Holder {
    /// Who the limit of this publication follows. Nobody when nobody reads it.
    fn of(publication: &Publication) -> Option<Self> {
        let slowest = publication.slowest();
        let subscriber = slowest.map(|subscriber| Self::Subscriber {
            registration_id: subscriber.registration_id,
            client_id: subscriber.client_id,
            client_name: subscriber.client_name.clone(),
            counter_id: subscriber.counter_id,
            position: subscriber.position,
            behind: subscriber.behind,
        });
        let Some(position) = publication.sender_position else { return subscriber };
        // A spy holds a network publication only if it is behind the sender.
        if slowest.is_some_and(|slowest| slowest.position < position) {
            return subscriber;
        }
        // Whoever listens opens a window beyond what was sent.
        if publication.position >= publication.limit && publication.limit <= position {
            return None;
        }
        let behind = publication.position.saturating_sub(position).max(0);
        let held_by = publication.held_by.as_ref();
        // A frame goes whole or not at all, so a window with less room than the longest has may be as good as none.
        match publication.sender_limit {
            Some(limit) if limit.saturating_sub(position) >= publication.longest_frame() => {
                Some(Self::Sender { position, behind })
            }
            _ => Some(Self::Receivers {
                address: held_by.map(|held| held.address.clone()).or_else(|| publication.only_receiver()),
                receiver_id: held_by.map(|held| held.receiver_id),
                since_ms: held_by.map(|held| held.since_ms),
                receivers: publication.receivers,
                position,
                behind,
                stops: publication.sender_back_pressure,
            }),
        }
    }

    /// Who and where: equal in two samples when the holder has not moved.
    fn place(&self) -> (i64, i64) {
        match self {
            Self::Subscriber { registration_id, position, .. } => (*registration_id, *position),
            Self::Receivers { position, .. } => (-1, *position),
            Self::Sender { position, .. } => (-2, *position),
        }
    }

    fn describe(&self) -> String {
        let (who, position, behind) = match self {
            Self::Subscriber { registration_id, client_id, client_name, position, behind, .. } => {
                let name = client_name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
                (format!("subscriber {registration_id} of client {client_id}{name}"), position, behind)
            }
            Self::Receivers { address, receivers, since_ms, position, behind, stops, .. } => {
                let stops = stops.map_or_else(String::new, |stops| {
                    format!(" (which has stopped the sender {} times)", with_separators(stops))
                });
                let since = since_ms.map_or_else(String::new, |since_ms| format!(" for {}", seconds_since(since_ms)));
                let who = match (address, receivers) {
                    (Some(address), Some(receivers @ 2..)) => {
                        format!("the window of the receiver at {address}, one of {receivers},{since}{stops}")
                    }
                    (Some(address), _) => format!("the window of the receiver at {address}{since}{stops}"),
                    (None, Some(receivers)) => format!("the window of the slowest of {receivers} receivers{stops}"),
                    (None, None) => format!("the receivers' window{stops}"),
                };
                (who, position, behind)
            }
            Self::Sender { position, behind } => ("the driver's sender".to_owned(), position, behind),
        };
        format!("{who} at {}, {} bytes behind", with_separators(*position), with_separators(*behind))
    }
}

impl Finding {
    /// A few lines for people.
    fn explain(&self) -> Vec<String> {
        let watched = seconds(self.watched_ms);
        let room = with_separators(self.limit.saturating_sub(self.position).max(0));
        // A value that spans the whole watch may be older than the watch.
        let span = |for_ms: u64| {
            let at_least = if for_ms >= self.watched_ms { "at least " } else { "" };
            format!("{at_least}{}", seconds(for_ms))
        };
        let Some(holder) = &self.holder else {
            let since = self.not_connected_for_ms.filter(|&for_ms| for_ms > 0);
            let since = since.map_or_else(String::new, |for_ms| format!(" for {}", span(for_ms)));
            return vec![format!("not connected{since}: nobody reads it, so nothing can be published")];
        };
        if self.state == State::Flowing {
            return vec![
                format!("flowing: never at its limit in {watched}, now {room} bytes below it"),
                format!("slowest: {}", holder.describe()),
            ];
        }
        let mut lines = Vec::new();
        match self.held_for_ms {
            Some(held_ms) => {
                lines.push(format!("held at its limit {} for {}", with_separators(self.limit), span(held_ms)))
            }
            None => lines.push(format!("not held now ({room} bytes below its limit)")),
        }
        lines.push(format!("at its limit in {} of {} samples over {watched}", self.samples_at_limit, self.samples));
        lines.push(format!("held by {}", holder.describe()));
        if let Some(still_ms) = self.holder_still_for_ms.filter(|&still_ms| still_ms > 0) {
            lines.push(format!("which has not moved for {}", span(still_ms)));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::HeldBy;
    use crate::inspect::stream_tests::records;

    fn watch(samples: &[(u64, i64, i64, &[i64])]) -> Finding {
        let mut watch = Watch::default();
        for &(at_ms, position, limit, subscribers) in samples {
            watch.sample(Duration::from_millis(at_ms), &Streams::new(&records(position, limit, subscribers)));
        }
        watch.findings().pop().expect("one publication")
    }

    #[test]
    fn a_stopped_subscriber_is_named_with_how_long_it_was_seen_to_stand() {
        let finding = watch(&[
            (0, 1000, 2000, &[900, 1000]),
            (100, 2000, 2000, &[900, 2000]),
            (200, 2000, 2000, &[900, 2000]),
            (300, 2000, 2000, &[900, 2000]),
        ]);
        assert_eq!(finding.state, State::Held);
        assert_eq!((finding.samples, finding.samples_at_limit), (4, 3));
        assert_eq!((finding.held_for_ms, finding.holder_still_for_ms, finding.watched_ms), (Some(200), Some(300), 300));
        assert!(matches!(finding.holder, Some(Holder::Subscriber { registration_id: 20, behind: 1100, .. })));
        let text = finding.explain().join("\n");
        assert!(text.contains("held at its limit 2,000 for 0.20 s"), "{text}");
        assert!(text.contains("not moved for at least 0.30 s"), "{text}");
    }

    #[test]
    fn a_slow_subscriber_that_moves_is_not_called_still() {
        let finding = watch(&[(0, 2000, 2000, &[900]), (100, 2100, 2100, &[1000]), (150, 2100, 2200, &[1100])]);
        assert_eq!((finding.state, finding.held_for_ms, finding.holder_still_for_ms), (State::Held, None, Some(0)));
        assert!(finding.explain()[0].starts_with("not held now"));
    }

    #[test]
    fn a_publication_that_nobody_reads_is_not_connected() {
        let finding = watch(&[(0, 0, 0, &[]), (200, 0, 0, &[])]);
        assert_eq!((finding.state, finding.holder.clone()), (State::NotConnected, None));
        assert_eq!((finding.samples, finding.samples_at_limit, finding.held_for_ms), (2, 0, None));
        assert_eq!(finding.not_connected_for_ms, Some(200));
        assert!(finding.explain()[0].starts_with("not connected for at least 0.20 s: "), "{:?}", finding.explain());
    }

    #[test]
    fn a_publication_that_is_not_read_any_more_was_held_before_and_says_since_when() {
        let finding = watch(&[(0, 2000, 2000, &[900]), (100, 2000, 2000, &[]), (300, 2000, 2000, &[])]);
        assert_eq!((finding.state, finding.samples_at_limit, finding.held_for_ms), (State::NotConnected, 1, None));
        assert_eq!(finding.not_connected_for_ms, Some(200));
        assert!(finding.explain()[0].starts_with("not connected for 0.20 s: "), "{:?}", finding.explain());
        let finding = watch(&[(0, 2000, 2000, &[]), (100, 2000, 3000, &[2000])]);
        assert_eq!((finding.state, finding.samples_at_limit), (State::Flowing, 0));
        assert_eq!(finding.not_connected_for_ms, None);
    }

    #[test]
    fn a_network_publication_without_receivers_is_held_by_nobody() {
        let mut streams = Streams::new(&records(1000, 1000, &[]));
        let publication = streams.publications.get_mut(&5).expect("it is there");
        (publication.sender_position, publication.sender_limit) = (Some(1000), Some(1000));
        assert_eq!(Holder::of(publication), None);
        publication.limit = 3000;
        assert!(Holder::of(publication).is_some(), "a window is open");
    }

    #[test]
    fn a_publication_with_room_flows() {
        let finding = watch(&[(0, 0, 1000, &[0]), (10, 500, 1500, &[500])]);
        assert_eq!(finding.state, State::Flowing);
    }

    #[test]
    fn a_sender_holds_a_network_publication_or_its_receivers_do() {
        let mut streams = Streams::new(&records(1000, 1000, &[]));
        let publication = streams.publications.get_mut(&5).expect("it is there");
        publication.sender_position = Some(600);
        publication.sender_limit = Some(600);
        let receivers = |address: Option<&str>, receivers| Holder::Receivers {
            address: address.map(str::to_owned),
            receiver_id: None,
            since_ms: None,
            receivers,
            position: 600,
            behind: 400,
            stops: Some(3),
        };
        publication.sender_back_pressure = Some(3);
        publication.channel = "aeron:udp?endpoint=10.0.0.7:40123".to_owned();
        let found = Holder::of(publication).expect("somebody holds it");
        assert_eq!(found, receivers(Some("10.0.0.7:40123"), None));
        assert_eq!(
            found.describe(),
            "the window of the receiver at 10.0.0.7:40123 (which has stopped the sender 3 times) at 600, 400 bytes behind"
        );
        publication.channel = "aeron:udp?endpoint=224.0.1.1:40123|fc=min".to_owned();
        publication.receivers = Some(2);
        let found = Holder::of(publication).expect("somebody holds it");
        assert_eq!(found, receivers(None, Some(2)));
        assert!(found.describe().starts_with("the window of the slowest of 2 receivers"), "{}", found.describe());
        let held_by = HeldBy { address: "10.0.0.8:40123".to_owned(), receiver_id: 77, since_ms: 1_700_000_000_000 };
        publication.held_by = Some(held_by);
        let found = Holder::of(publication).expect("somebody holds it");
        let words = found.describe();
        assert!(words.starts_with("the window of the receiver at 10.0.0.8:40123, one of 2, for "), "{words}");
        let json = serde_json::to_value(found).expect("plain data");
        assert_eq!((&json["receiver_id"], &json["since_ms"]), (&77.into(), &1_700_000_000_000_i64.into()));
        // As much room as the longest frame has. The driver's word is older than that, or its frames are longer than is known here.
        publication.sender_limit = Some(600 + 1408);
        assert!(matches!(Holder::of(publication), Some(Holder::Receivers { receiver_id: Some(77), .. })));
        publication.sender_limit = Some(600 + 65_504);
        assert_eq!(Holder::of(publication), Some(Holder::Sender { position: 600, behind: 400 }));
        publication.held_by = None;
        publication.sender_limit = Some(600 + 1408);
        assert_eq!(Holder::of(publication), Some(Holder::Sender { position: 600, behind: 400 }));
    }

    /// Messages of 6,000 bytes in a window of 32 KiB: five fit, and of the sixth not all.
    #[test]
    fn a_window_without_room_for_the_next_frame_holds_whatever_is_left_of_it() {
        let mut streams = Streams::new(&records(60_480, 60_480, &[]));
        let publication = streams.publications.get_mut(&5).expect("it is there");
        (publication.sender_position, publication.sender_limit) = (Some(30_240), Some(32_768));
        publication.channel = "aeron:udp?endpoint=10.0.0.7:40123|mtu=8k".to_owned();
        assert!(matches!(Holder::of(publication), Some(Holder::Receivers { behind: 30_240, .. })));
        publication.channel = "aeron:udp?endpoint=10.0.0.7:40123".to_owned();
        assert!(matches!(Holder::of(publication), Some(Holder::Sender { .. })), "frames have 1,408 bytes at most");
    }

    #[test]
    fn a_publication_that_is_gone_is_not_reported() {
        let mut watch = Watch::default();
        watch.sample(Duration::ZERO, &Streams::new(&records(0, 0, &[])));
        watch.sample(Duration::from_millis(1), &Streams::default());
        assert!(watch.findings().is_empty());
    }
}
