//! The checks that must hold at any moment of a run, made from outside: no position goes back, no receiver is sent more
//! than it accepts, and no driver holds more than its streams need.

use std::collections::HashMap;

use gannet::logbuffer::{FRAME_ALIGNMENT, LogBuffers, PARTITION_COUNT, frame_type};
use gannet::types::{Position, RegistrationId, SessionId};

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
    turns: u32,
    /// Whether clients come and go all the time.
    is_lively: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Sent,
    Rebuilt,
    Announced,
}

impl Checks {
    pub(super) fn new(is_lively: bool) -> Self {
        Self { is_lively, ..Self::default() }
    }

    /// Checks all drivers.
    pub(super) fn look(&mut self, drivers: &[&SimDriver], streams: usize) -> Result<(), String> {
        for (host, driver) in drivers.iter().enumerate() {
            for publication in driver.sender().publications() {
                let id = publication.registration_id();
                let limit = driver.highest_limit(id);
                let before = self.seen.get(&(host, id, What::Sent)).copied().unwrap_or(i64::MIN);
                let sent = publication.sent();
                self.advance(host, id, What::Sent, sent)?;
                if sent > before && sent > limit && !ends_with_padding(publication.log(), before, sent) {
                    return Err(format!("{sent} was sent, and {limit} allowed"));
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
                let times = if self.is_lively { LIVELY_TIMES * streams } else { streams };
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
