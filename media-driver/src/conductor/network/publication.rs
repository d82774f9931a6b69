//! The conductor's half of a publication on the network: how far its publishers may go, whether it is connected, and where it is in
//! its life. The conductor calls it on every duty cycle and on every timer tick. The sender has the other half.

use std::path::PathBuf;

use gannet::logbuffer::{LogBuffers, unblock};
use gannet::time::MonotonicNanos;
use gannet::types::{CounterId, Position, RegistrationId, SessionId, StreamId};

use super::state::{PublicationEvent as Event, PublicationState as State};
use crate::mailbox::EndpointId;
use crate::shared::{BlockedWatch, Cleaning, Counter, FRAME_STEP, PublicationWords, is_clean_for};

/// What a publication is made of.
#[derive(Debug)]
pub(in crate::conductor) struct NewPublication {
    pub(in crate::conductor) registration_id: RegistrationId,
    pub(in crate::conductor) session_id: SessionId,
    pub(in crate::conductor) stream_id: StreamId,
    pub(in crate::conductor) exclusive: bool,
    pub(in crate::conductor) endpoint: EndpointId,
    pub(in crate::conductor) start_position: Position,
    /// At most half a term, in bytes.
    pub(in crate::conductor) window: i32,
    pub(in crate::conductor) linger_timeout_ns: i64,
    pub(in crate::conductor) unblock_timeout_ns: i64,
    pub(in crate::conductor) spies_simulate_connection: bool,
    /// Whether applications say where it goes.
    pub(in crate::conductor) is_manual: bool,
    pub(in crate::conductor) log: LogBuffers,
    pub(in crate::conductor) log_path: PathBuf,
    pub(in crate::conductor) words: PublicationWords,
    pub(in crate::conductor) position: Counter,
    pub(in crate::conductor) limit: Counter,
    /// Those that the sender stores.
    pub(in crate::conductor) others: [CounterId; 4],
}

/// One publication on the network.
#[derive(Debug)]
pub(in crate::conductor) struct NetworkPublication {
    pub(in crate::conductor) made_of: NewPublication,
    state: State,
    since: MonotonicNanos,
    references: usize,
    term_length: i64,
    limit: i64,
    cleaning: Cleaning,
    is_connected: bool,
    revoked: bool,
    blocked: BlockedWatch,
}

/// What a tick asks of the conductor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::conductor) struct PublicationTick {
    /// Tell the sender that the stream ends here, and whether it was revoked.
    pub(in crate::conductor) end: Option<(i64, bool)>,
    /// Tell the sender to let go.
    pub(in crate::conductor) done: bool,
    /// A dead publisher's claim was turned to padding.
    pub(in crate::conductor) unblocked: bool,
}

impl NetworkPublication {
    pub(in crate::conductor) fn new(made_of: NewPublication, now: MonotonicNanos) -> Self {
        let start = made_of.start_position.get();
        Self {
            state: State::Active,
            since: now,
            references: 0,
            term_length: made_of.log.term_length().get().into(),
            limit: start,
            cleaning: Cleaning::new(start),
            is_connected: false,
            revoked: false,
            blocked: BlockedWatch::new(made_of.unblock_timeout_ns, start, now),
            made_of,
        }
    }

    /// Whether another client may hold it too.
    pub(in crate::conductor) fn is_shareable(&self) -> bool {
        self.state == State::Active && !self.revoked && !self.made_of.exclusive
    }

    /// Whether its session is taken for others on the stream of its endpoint.
    pub(in crate::conductor) fn occupies_session(&self) -> bool {
        self.state != State::Done
    }

    /// A client holds it.
    pub(in crate::conductor) fn add_reference(&mut self) {
        self.references += 1;
    }

    /// A client gives it back. If it was the last, returns where the stream ends.
    pub(in crate::conductor) fn remove_reference(&mut self, now: MonotonicNanos) -> Option<i64> {
        self.references = self.references.saturating_sub(1);
        if self.references > 0 || self.state != State::Active || self.revoked {
            return None;
        }
        let end = self.end_stream();
        self.step(Event::Released, now);
        Some(end)
    }

    /// A client takes back what was not read yet. Everybody hears of it on the next tick.
    pub(in crate::conductor) fn revoke(&mut self) {
        if self.state == State::Active {
            self.revoked = true;
            self.made_of.log.metadata().revoke();
        }
    }

    /// Moves the limit after the sender and cleans behind it; says who listens. Returns whether there was anything to do.
    pub(in crate::conductor) fn update(&mut self) -> bool {
        if self.state != State::Active {
            return false;
        }
        let receivers = self.made_of.words.receivers();
        let spies = self.made_of.spies_simulate_connection && self.made_of.words.spy_position().is_some();
        let is_connected = receivers.enough || spies;
        let sent = self.made_of.words.sender_position();
        let mut worked = is_connected != self.is_connected;
        if worked {
            self.is_connected = is_connected;
            self.made_of.log.metadata().set_connected(is_connected);
        }
        // What may be asked for again stays for a term.
        let cleaned = self.cleaning.go_towards(sent - self.term_length, &self.made_of.log);
        worked |= cleaned;
        let next = if is_connected { sent + i64::from(self.made_of.window) } else { sent };
        let may_rise = next > self.limit && is_clean_for(next, self.cleaning.position(), self.term_length);
        if may_rise || !is_connected && next < self.limit {
            self.limit = next;
            // ORDERING(pos.publisher-limit): Release. Pairs with the Acquire load at the start of an offer; what lies below
            // the limit was cleaned before.
            self.made_of.limit.value.store_release(next);
            worked = true;
        }
        worked
    }

    /// Time has passed. Called on each timer tick.
    pub(in crate::conductor) fn on_tick(&mut self, now: MonotonicNanos) -> PublicationTick {
        let mut tick = PublicationTick::default();
        let producer = self.producer_position();
        let sent = self.made_of.words.sender_position();
        self.made_of.position.value.store_release(producer);
        match self.state {
            State::Active if self.revoked => {
                tick.end = Some((self.end_stream(), true));
                self.step(Event::RevokeSeen, now);
            }
            State::Active => {
                tick.unblocked = !self.made_of.exclusive
                    && self.blocked.is_overdue(now, sent, producer > sent)
                    && unblock(&self.made_of.log, Position::new(sent));
            }
            State::Draining => {
                if producer > sent {
                    tick.unblocked = unblock(&self.made_of.log, Position::new(sent));
                    if tick.unblocked || self.made_of.words.receivers().alive {
                        return tick;
                    }
                }
                self.step(Event::Drained, now);
            }
            State::Linger => {
                let is_over = now.since(self.since) > self.made_of.linger_timeout_ns;
                if self.references == 0 && (self.made_of.words.receivers().left || is_over) {
                    self.step(Event::Lingered, now);
                    tick.done = true;
                }
            }
            State::Done => {}
        }
        tick
    }

    /// Nothing may be written past what there is. Returns where that is.
    fn end_stream(&mut self) -> i64 {
        let producer = self.producer_position();
        self.limit = self.limit.min(producer);
        self.made_of.limit.value.store_release(self.limit);
        let metadata = self.made_of.log.metadata();
        metadata.set_end_of_stream_position(Position::new(producer));
        metadata.set_connected(false);
        producer
    }

    /// Where publishing has got to. The tail is a word that clients store, so it is brought into the range of honest ones: no
    /// message begins past the limit, and the longest ends within a term of it.
    fn producer_position(&self) -> i64 {
        let found = self.made_of.log.producer_position().get() & -FRAME_STEP;
        let sent = self.made_of.words.sender_position();
        found.clamp(sent, sent.max(self.limit + self.term_length))
    }

    fn step(&mut self, event: Event, now: MonotonicNanos) {
        if let Some(next) = self.state.on(event) {
            self.state = next;
            self.since = now;
        }
    }
}
