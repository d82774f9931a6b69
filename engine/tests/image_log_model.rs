//! Compares an image's log with a simple model: the list of the publication's frames, and which of them have arrived.
//! Datagrams arrive in any order, some never, some twice and cut at other frames the second time. Every scan must find
//! what the model says, and at the end the image must equal the publication byte for byte.

#[path = "support/raw_access.rs"]
mod raw_access;

use std::collections::BTreeMap;

use gannet::logbuffer::{
    ExclusiveAppender, ImageReader, LogBuffers, LogKind, LogParameters, committed, gap_fill, gap_scan, rebuild,
    sendable,
};
use gannet::memory::CacheLines;
use gannet::protocol::{Extent, extent};
use gannet::types::{Position, SessionId, StreamId, TermId, TermLength};
use proptest::prelude::*;

use raw_access::RAW;

const TERM: i64 = 65_536;
const MTU: usize = 1408;

fn log(kind: LogKind) -> LogBuffers {
    let initial = TermId::new(i32::MAX);
    LogBuffers::heap(&LogParameters::ipc(kind, TermLength::MIN, SessionId::new(-3), StreamId::new(7), initial), RAW)
}

/// A publication with these messages, of at most three terms.
fn publication(messages: &[usize]) -> LogBuffers {
    let log = log(LogKind::Exclusive);
    let limit = CacheLines::new(1).word(0, 0);
    limit.store_release(3 * TERM - 16_384);
    let mut appender = ExclusiveAppender::new(&log, limit).unwrap();
    for (index, &length) in messages.iter().enumerate() {
        let message = vec![index as u8 + 1; length];
        while appender.offer(&message).is_err_and(|error| error == gannet::OfferError::AdminAction) {}
    }
    log
}

/// The publication's frames: the start and the end of each.
fn frames(log: &LogBuffers) -> BTreeMap<i64, i64> {
    let mut frames = BTreeMap::new();
    let mut at = 0;
    loop {
        let one = (1..=MTU / 32).map(|slots| sendable(log, Position::new(at), slots * 32)).find(|one| one.wire > 0);
        let Some(one) = one else { return frames };
        frames.insert(at, at + one.advance as i64);
        at += one.advance as i64;
    }
}

struct Model<'a> {
    frames: &'a BTreeMap<i64, i64>,
    arrived: BTreeMap<i64, i64>,
    rebuilt: i64,
    highest: i64,
}

impl Model<'_> {
    /// Inserts a datagram whose frames cover this range.
    fn arrive(&mut self, begin: i64, end: i64) -> bool {
        self.highest = self.highest.max(end);
        let is_new = !self.arrived.contains_key(&begin);
        if is_new {
            self.arrived.extend(self.frames.range(begin..end));
        }
        is_new
    }

    fn scan(&mut self) -> (i64, Option<(i64, i32)>) {
        let term_end = (self.rebuilt / TERM + 1) * TERM;
        while self.rebuilt < self.highest.min(term_end)
            && let Some(&end) = self.arrived.get(&self.rebuilt)
        {
            self.rebuilt = end;
        }
        let limit = self.highest.min(term_end);
        if self.rebuilt >= limit {
            return (self.rebuilt, None);
        }
        let end = self.arrived.range(self.rebuilt..limit).next().map_or(limit, |(&begin, _)| begin);
        (self.rebuilt, Some((self.rebuilt, (end - self.rebuilt) as i32)))
    }
}

/// A datagram: the index of its first frame in the publication, its maximum length, and whether the gap is filled after
/// it.
type Arrival = (prop::sample::Index, usize, bool);

fn arrivals() -> impl Strategy<Value = Vec<Arrival>> {
    let most = prop_oneof![3 => Just(MTU), 1 => (1..=MTU / 32).prop_map(|slots| slots * 32)];
    prop::collection::vec((any::<prop::sample::Index>(), most, prop::bool::weighted(0.1)), 0..80)
}

fn messages() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![4 => 0..200_usize, 2 => 0..=1376_usize, 1 => 0..=8192_usize], 1..60)
}

fn scan(image: &LogBuffers, model: &Model<'_>) -> (i64, Option<(i64, i32)>) {
    let found = gap_scan(image, Position::new(model.rebuilt), Position::new(model.highest));
    (found.rebuilt.get(), found.gap.map(|(at, length)| (at.get(), length)))
}

fn read_all(image: &LogBuffers) -> Vec<Vec<u8>> {
    let position = CacheLines::new(1).word(0, 0);
    let mut reader = ImageReader::new(image.clone(), position);
    let mut found = Vec::new();
    while reader.poll(|fragment| found.push(fragment.payload().to_vec()), usize::MAX) > 0 || reader.is_ready() {}
    found
}

fn bytes(log: &LogBuffers) -> Vec<u8> {
    let mut bytes = vec![0; 3 * TERM as usize];
    bytes.chunks_mut(TERM as usize).enumerate().for_each(|(term, bytes)| log.term(term).get_bytes(0, bytes));
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_lossy_network_is_repaired(messages in messages(), arrivals in arrivals(), reliable in any::<bool>()) {
        let publication = publication(&messages);
        let frames = frames(&publication);
        let starts: Vec<i64> = frames.keys().copied().collect();
        let image = log(LogKind::Image);
        let mut model = Model { frames: &frames, arrived: BTreeMap::new(), rebuilt: 0, highest: 0 };
        let send = |model: &mut Model<'_>, from: i64, most: usize| {
            let found = sendable(&publication, Position::new(from), most);
            let Some(datagram) = committed(&publication, Position::new(from), found.wire) else { return true };
            assert_eq!(extent(datagram, TermLength::MIN), Ok(Extent::Frames(found.advance)));
            if from < model.rebuilt {
                return true;
            }
            let inserted = rebuild(&image, Position::new(from), datagram);
            inserted == model.arrive(from, from + found.advance as i64)
        };
        let mut filled = false;
        for (start, most, fill) in arrivals {
            prop_assert!(send(&mut model, *start.get(&starts), most));
            let found = scan(&image, &model);
            let expected = model.scan();
            prop_assert_eq!(found, expected);
            if let Some((at, length)) = expected.1 && fill && !reliable {
                prop_assert!(gap_fill(&image, Position::new(at), length));
                model.arrived.insert(at, at + i64::from(length));
                filled = true;
            }
        }
        // A heartbeat gives the end of the stream. From then on missing data is sent until nothing is missing.
        model.highest = *frames.values().last().unwrap();
        while model.rebuilt < model.highest {
            let found = scan(&image, &model);
            let expected = model.scan();
            prop_assert_eq!(found, expected);
            if let Some((at, length)) = expected.1 {
                prop_assert!(send(&mut model, at, MTU.min((length as usize).max(32))));
            }
        }
        let (sent, received) = (read_all(&publication), read_all(&image));
        if filled {
            let mut rest = sent.iter();
            prop_assert!(received.iter().all(|message| rest.any(|other| other == message)), "in order, and nothing made up");
        } else {
            prop_assert!(sent == received);
            prop_assert!(bytes(&publication) == bytes(&image));
        }
    }
}
