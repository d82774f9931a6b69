//! The checks that must hold at any moment of a run, made from outside: no position goes back, no receiver is sent more
//! than it accepts, and no driver holds more than its streams need.

use std::collections::HashMap;

use gannet::logbuffer::{FRAME_ALIGNMENT, LogBuffers, PARTITION_COUNT, frame_type};
use gannet::types::{Position, RegistrationId, SessionId};

use super::plan::{Plan, StreamPlan};
use crate::receiver::publication_image::PublicationImage;
use crate::sender::network_publication::NetworkPublication;
use crate::sim::SimDriver;

/// The maximum number of logs and sockets per stream in a driver: publications, images, and those that linger.
const HELD_PER_STREAM: usize = 16;
/// The maximum number of counters per stream in a driver.
const COUNTERS_PER_STREAM: usize = 128;
/// In lively runs it is so many times as much.
const LIVELY_TIMES: usize = 8;
/// Counting takes long, and unlimited growth is also found if it is only done every this many turns.
const TURNS_BETWEEN_COUNTS: u32 = 256;

/// The observations so far.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// Positions by host, registration id and kind.
    seen: HashMap<(usize, RegistrationId, What), i64>,
    /// The sessions of publishers, by index.
    sessions: HashMap<usize, SessionId>,
    /// The number of messages that all have received.
    pub(super) heard: u64,
    /// The number of messages that spies have received.
    pub(super) heard_by_spies: u64,
    /// The number of frames that were received after term ids had wrapped.
    pub(super) wrapped: u64,
    /// The position up to which any spy has read, by host and session.
    spied: HashMap<(usize, SessionId), i64>,
    turns: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Sent,
    Rebuilt,
    Announced,
}

impl Checks {
    /// Checks all drivers.
    pub(super) fn look(&mut self, drivers: &[&SimDriver], plan: &Plan) -> Result<(), String> {
        for (host, driver) in drivers.iter().enumerate() {
            for publication in driver.sender().publications() {
                let id = publication.registration_id();
                let limit = driver.highest_limit(id);
                let before = self.seen.get(&(host, id, What::Sent)).copied().unwrap_or(i64::MIN);
                let sent = publication.sent();
                self.advance(host, id, What::Sent, sent)?;
                if sent == before || ends_with_padding(publication.log(), before, sent) {
                    continue;
                }
                // Without receivers, the sender's position follows the spies that simulate a connection.
                let spied = self.spied.get(&(host, publication.session_id())).copied().unwrap_or(i64::MIN);
                if sent > limit.max(spied) {
                    return Err(format!("{sent} was sent, and {limit} allowed"));
                }
                if let Some(stream) = plan.streams.iter().find(|stream| stream.stream_id == publication.stream_id())
                    && !plan.may_lose
                {
                    is_heeded(drivers, stream, publication)?;
                }
            }
            for image in driver.receiver().images() {
                let id = image.registration_id();
                self.advance(host, id, What::Rebuilt, image.rebuilt())?;
                self.advance(host, id, What::Announced, image.announced())?;
            }
        }
        self.turns += 1;
        if self.turns.is_multiple_of(TURNS_BETWEEN_COUNTS) {
            for driver in drivers {
                let (logs, sockets) = driver.held();
                let streams = plan.streams.len();
                let times = if plan.kind.is_lively { LIVELY_TIMES * streams } else { streams };
                let most = HELD_PER_STREAM * times;
                if logs > most || sockets > most || driver.counters_in_use() > COUNTERS_PER_STREAM * times {
                    let counters = driver.counters_in_use();
                    return Err(format!("{logs} logs, {sockets} sockets, {counters} counters for {streams} streams"));
                }
            }
        }
        Ok(())
    }

    fn advance(&mut self, host: usize, id: RegistrationId, what: What, found: i64) -> Result<(), String> {
        let seen = self.seen.entry((host, id, what)).or_insert(found);
        if found < *seen {
            return Err(format!("{what:?} of {id} on host {host} went back from {seen} to {found}"));
        }
        *seen = found;
        Ok(())
    }

    /// Remembers how far a spy on this host has read.
    pub(super) fn on_spied(&mut self, host: usize, session_id: SessionId, position: i64) {
        let furthest = self.spied.entry((host, session_id)).or_insert(position);
        *furthest = position.max(*furthest);
    }

    /// Remembers a publisher's session after it has left.
    pub(super) fn session(&mut self, publisher: usize, known: Option<SessionId>) -> Option<SessionId> {
        if let Some(known) = known {
            self.sessions.insert(publisher, known);
        }
        self.known_session(publisher)
    }

    pub(super) fn known_session(&self, publisher: usize) -> Option<SessionId> {
        self.sessions.get(&publisher).copied()
    }
}

/// Checks that nothing was sent that a receiver drops for which the stream waits: one that it has had from the start.
fn is_heeded(drivers: &[&SimDriver], stream: &StreamPlan, publication: &NetworkPublication) -> Result<(), String> {
    let most_ahead = i64::from(stream.term_length / 2);
    let heeded = stream.subscribers.iter().filter(|one| !one.is_spy() && !one.is_late && !one.may_be_outrun);
    for subscriber in heeded {
        let mut images = drivers[subscriber.place.host].receiver().images();
        let is_its = |image: &&PublicationImage| {
            (image.session_id(), image.stream_id()) == (publication.session_id(), publication.stream_id())
        };
        let Some(image) = images.find(is_its) else { continue };
        let (sent, announced) = (publication.sent(), image.announced());
        if sent > announced + most_ahead {
            let host = subscriber.place.host;
            return Err(format!("{sent} was sent, and a receiver on host {host} is at {announced}"));
        }
    }
    Ok(())
}

/// Whether the last frame of this range is padding, which may exceed the limit, because only its header is sent.
fn ends_with_padding(log: &LogBuffers, from: i64, to: i64) -> bool {
    let term_length = log.term_length();
    let (mut at, mut kind) = (from, frame_type::DATA);
    while at < to {
        let position = Position::new(at);
        let term = log.term(term_length.term_count(position) as usize % PARTITION_COUNT);
        let mut header = [0; 8];
        term.get_bytes(term_length.offset(position) as usize, &mut header);
        let [a, b, c, d, _, _, low, high] = header;
        let length = i64::from(i32::from_le_bytes([a, b, c, d]));
        if length <= 0 {
            return false;
        }
        kind = u16::from_le_bytes([low, high]);
        at += (length as usize).next_multiple_of(FRAME_ALIGNMENT) as i64;
    }
    at == to && kind == frame_type::PADDING
}
