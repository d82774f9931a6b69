//! Condenses samples of publications, and describes them in words.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::holder::Holder;
use crate::cli::{counted, seconds, with_separators};
use crate::inspect::{Publication, Streams};

/// What a publication has been doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It was below its limit in every sample.
    Flowing,
    /// It was at its limit in some samples or in all.
    Held,
    /// It has no subscribers, so nothing can be published.
    NotConnected,
}

/// The findings about a publication.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Finding {
    registration_id: i64,
    session_id: i32,
    stream_id: i32,
    channel: String,
    state: State,
    position: i64,
    limit: i64,
    /// What determines the limit. For a publication that is not held back, what would hold it back first.
    holder: Option<Holder>,
    /// The number of samples, and of samples in which the publication was connected and at its limit.
    samples: u64,
    pub(super) samples_at_limit: u64,
    watched_ms: u64,
    /// How long it has been at its limit without interruption, until now; null if it is not. A value equal to
    /// `watched_ms` means since the first sample, so it may have been longer.
    held_for_ms: Option<u64>,
    /// How long it has had no subscribers, until now; null if it has some. May be longer if equal to `watched_ms`.
    not_connected_for_ms: Option<u64>,
    /// How long the holder has not moved, until now. May be longer if equal to `watched_ms`.
    holder_still_for_ms: Option<u64>,
    /// How long the message at the holder's position has been claimed without being published, until now; null if it is
    /// published, or if there is none. May be longer if equal to `watched_ms`.
    claim_open_for_ms: Option<u64>,
    #[serde(skip)]
    pub(super) description: String,
}

/// Condensed samples of a driver's publications.
#[derive(Debug, Default)]
pub(super) struct Watch {
    publications: BTreeMap<i64, Watched>,
    last: Duration,
}

/// One publication since it was first sampled.
#[derive(Debug)]
struct Watched {
    now: Publication,
    first_seen: Duration,
    samples: u64,
    samples_at_limit: u64,
    /// Since when it has been at its limit.
    held_since: Option<Duration>,
    /// Since when it has had no subscribers.
    not_connected_since: Option<Duration>,
    holder: Option<Holder>,
    /// Since when the holder and its position have not changed.
    still_since: Duration,
    /// Since when a claim at that position is known to be open.
    open_since: Option<Duration>,
}

impl Watch {
    /// Adds a sample. `is_open` tells whether a publication's log has an open claim at a position below that of its
    /// publishers.
    pub(super) fn sample(&mut self, at: Duration, streams: &Streams, is_open: impl Fn(i64, i64) -> bool) {
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
                open_since: None,
            });
            watched.sample(at, publication, |position| is_open(id, position));
        }
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        self.publications.values().map(|watched| watched.finding(self.last)).collect()
    }
}

impl Watched {
    fn sample(&mut self, at: Duration, publication: &Publication, is_open: impl Fn(i64) -> bool) {
        self.samples += 1;
        let holder = Holder::of(publication);
        if holder.is_some() {
            self.not_connected_since = None;
        } else {
            self.not_connected_since.get_or_insert(at);
        }
        // A publication without subscribers has no room, but nothing holds it back.
        let is_held = holder.is_some() && publication.position >= publication.limit;
        if is_held {
            self.samples_at_limit += 1;
            self.held_since.get_or_insert(at);
        } else {
            self.held_since = None;
        }
        let has_moved = holder.as_ref().map(Holder::place) != self.holder.as_ref().map(Holder::place);
        if has_moved {
            self.still_since = at;
        }
        // Who has just moved does not wait. That of the first sample may have been there for long.
        let waits = |holder: &Holder| {
            let (position, behind) = holder.progress();
            behind > 0 && (self.samples == 1 || !has_moved) && is_open(position)
        };
        if holder.as_ref().is_some_and(waits) {
            self.open_since.get_or_insert(at);
        } else {
            self.open_since = None;
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
            claim_open_for_ms: self.open_since.map(millis),
            description: publication.describe(),
        }
    }
}

impl Finding {
    /// The finding as a few lines of text.
    pub(super) fn explain(&self) -> Vec<String> {
        let watched = seconds(self.watched_ms);
        let room = counted(self.limit.saturating_sub(self.position).max(0), "byte");
        // A value that spans the whole watch may be longer than the watch.
        let span = |for_ms: u64| {
            let at_least = if for_ms >= self.watched_ms { "at least " } else { "" };
            format!("{at_least}{}", seconds(for_ms))
        };
        let Some(holder) = &self.holder else {
            let since = self.not_connected_for_ms.filter(|&for_ms| for_ms > 0);
            let since = since.map_or_else(String::new, |for_ms| format!(" for {}", span(for_ms)));
            return vec![format!("not connected{since}: nobody reads it, so nothing can be published")];
        };
        // One that is open in a single sample may be committed in the next moment.
        let claim = self.claim_open_for_ms.filter(|&for_ms| for_ms > 0).map(|for_ms| {
            format!(
                "the message there is claimed, and not published for {}: readers wait for its publisher",
                span(for_ms)
            )
        });
        if self.state == State::Flowing {
            let mut lines = vec![
                format!("flowing: never at its limit in {watched}, now {room} below it"),
                format!("slowest: {}", holder.describe()),
            ];
            lines.extend(claim);
            return lines;
        }
        let mut lines = Vec::new();
        match self.held_for_ms {
            Some(held_ms) => {
                lines.push(format!("held at its limit {} for {}", with_separators(self.limit), span(held_ms)))
            }
            None => lines.push(format!("not held now ({room} below its limit)")),
        }
        lines.push(format!(
            "at its limit in {} of {} over {watched}",
            self.samples_at_limit,
            counted(self.samples, "sample")
        ));
        lines.push(format!("held by {}", holder.describe()));
        if let Some(still_ms) = self.holder_still_for_ms.filter(|&still_ms| still_ms > 0) {
            lines.push(format!("which has not moved for {}", span(still_ms)));
        }
        lines.extend(claim);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::stream_tests::records;

    /// Where the log of the publications here has an open claim.
    const OPEN_AT: i64 = 1_500;

    fn watch(samples: &[(u64, i64, i64, &[i64])]) -> Finding {
        let mut watch = Watch::default();
        for &(at_ms, position, limit, subscribers) in samples {
            let streams = Streams::new(&records(position, limit, subscribers));
            watch.sample(Duration::from_millis(at_ms), &streams, |_, position| position == OPEN_AT);
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
    fn a_reader_that_waits_for_a_publisher_is_told_from_one_that_does_not_read() {
        let waits: &[i64] = &[OPEN_AT, 1_600];
        let finding = watch(&[(0, 1_600, 3_000, waits), (100, 1_600, 3_000, waits), (200, 1_700, 3_000, waits)]);
        assert_eq!((finding.state, finding.claim_open_for_ms), (State::Flowing, Some(200)));
        let text = finding.explain().join("\n");
        assert!(text.contains("the message there is claimed, and not published for at least 0.20 s"), "{text}");
        // The publication fills up behind it.
        let finding = watch(&[
            (0, 1_000, 3_000, &[1_000]),
            (100, 1_600, 3_000, &[OPEN_AT]),
            (200, 3_000, 3_000, waits),
            (300, 3_000, 3_000, waits),
        ]);
        assert_eq!((finding.state, finding.claim_open_for_ms), (State::Held, Some(100)));
        let text = finding.explain().join("\n");
        assert!(text.contains("not published for 0.10 s: readers wait for its publisher"), "{text}");
        // It reads on, has come to the end of what is claimed, or was just found there.
        for samples in [
            &[(0, 1_600, 3_000, waits), (100, 1_700, 3_000, &[1_600][..])][..],
            &[(0, 1_500, 3_000, waits), (100, 1_500, 3_000, waits)],
            &[(0, 1_600, 3_000, &[1_000]), (100, 1_600, 3_000, waits)],
        ] {
            let finding = watch(samples);
            assert_eq!(finding.claim_open_for_ms, None);
            assert!(!finding.explain().join("\n").contains("is claimed"));
        }
    }

    #[test]
    fn a_publication_with_room_flows() {
        let finding = watch(&[(0, 0, 1000, &[0]), (10, 500, 1500, &[500])]);
        assert_eq!(finding.state, State::Flowing);
    }

    #[test]
    fn a_publication_that_is_gone_is_not_reported() {
        let mut watch = Watch::default();
        watch.sample(Duration::ZERO, &Streams::new(&records(0, 0, &[])), |_, _| false);
        watch.sample(Duration::from_millis(1), &Streams::default(), |_, _| false);
        assert!(watch.findings().is_empty());
    }
}
