//! The conductor's half of a network publication: its limit, whether it is connected, and its state. The conductor
//! calls it on its turn in a duty cycle and on every timer tick. The sender has the other half.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gannet::logbuffer::{LogBuffers, sendable, unblock, unblock_abandoned};
use gannet::time::MonotonicNanos;
use gannet::types::{CounterId, Position, RegistrationId, SessionId, StreamId};

use super::rejections::Rejections;
use super::state::{PublicationEvent as Event, PublicationState as State};
use crate::channel::UdpChannel;
use crate::conductor::linking::{IPC, Readable};
use crate::conductor::streams::Named;
use crate::conductor::subscription_link::SubscriptionLink;
use crate::mailbox::EndpointId;
use crate::shared::{
    BlockedWatch, Cleaning, Counter, DueTurn, FRAME_STEP, LinkId, PublicationWords, Receivers, ShownPosition,
    Subscriber, Subscribers, Turn, UntetheredTimeouts, is_clean_for,
};

/// The properties of a new publication.
#[derive(Debug)]
pub(in crate::conductor) struct NewPublication {
    pub(in crate::conductor) registration_id: RegistrationId,
    pub(in crate::conductor) session_id: SessionId,
    pub(in crate::conductor) stream_id: StreamId,
    pub(in crate::conductor) exclusive: bool,
    pub(in crate::conductor) endpoint: EndpointId,
    /// Its endpoint's channel, for spies.
    pub(in crate::conductor) channel: Arc<UdpChannel>,
    /// Its entity tag, or -1.
    pub(in crate::conductor) entity_tag: i64,
    /// The request to which it responds. -1 for none, -2 for a prototype.
    pub(in crate::conductor) response_correlation_id: i64,
    pub(in crate::conductor) start_position: Position,
    /// The publication window in bytes, at most half a term.
    pub(in crate::conductor) window: i32,
    pub(in crate::conductor) linger_timeout_ns: i64,
    pub(in crate::conductor) unblock_timeout_ns: i64,
    /// The timeouts of untethered spies.
    pub(in crate::conductor) untethered: UntetheredTimeouts,
    pub(in crate::conductor) spies_simulate_connection: bool,
    pub(in crate::conductor) log: LogBuffers,
    pub(in crate::conductor) log_path: PathBuf,
    pub(in crate::conductor) words: PublicationWords,
    pub(in crate::conductor) position: Counter,
    pub(in crate::conductor) limit: Counter,
    /// The counters that the sender stores.
    pub(in crate::conductor) others: Vec<CounterId>,
    /// The counter that shows which receiver holds it back, once allocated.
    pub(in crate::conductor) held_by: Option<Counter>,
}

/// A network publication.
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
    spies: Subscribers,
    /// The reported rejections.
    pub(super) rejections: Rejections,
    /// Whether it is a response that has had its receivers.
    pub(super) was_heard: bool,
    /// The position up to which the sender and all spies have consumed.
    consumed: i64,
    /// While it drains: the position up to which everything is committed.
    committed: i64,
    /// The highest position of a spy, if the sender was told.
    spied: Option<i64>,
    /// The sender's state at the last update that found no work. `None` while there are spies.
    settled: Option<(Receivers, i64)>,
    /// The publisher's position that was last stored, and when.
    shown: ShownPosition,
}

/// What a timer tick requires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::conductor) struct PublicationTick {
    /// Tell the sender that the stream ends at this position, and whether it was revoked.
    pub(in crate::conductor) end: Option<(i64, bool)>,
    /// Tell the sender to release the publication.
    pub(in crate::conductor) done: bool,
    /// Whether the claim of a dead publisher was padded.
    pub(in crate::conductor) unblocked: bool,
    /// Tell the spies that the publication is gone.
    pub(in crate::conductor) lose_spies: bool,
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
            blocked: BlockedWatch::new(made_of.unblock_timeout_ns),
            spies: Subscribers::default(),
            rejections: Rejections::default(),
            was_heard: false,
            consumed: start,
            committed: start,
            spied: None,
            settled: None,
            shown: ShownPosition::new(made_of.position.value.clone(), start, now),
            made_of,
        }
    }

    /// Whether another client may share it.
    pub(in crate::conductor) fn is_shareable(&self) -> bool {
        self.is_open() && !self.made_of.exclusive
    }

    /// Whether clients may publish.
    pub(super) fn is_open(&self) -> bool {
        self.state == State::Active && !self.revoked
    }

    /// Whether its session id is not available to others on the stream of its endpoint.
    pub(in crate::conductor) fn occupies_session(&self) -> bool {
        self.state != State::Done
    }

    /// Adds a client's handle.
    pub(in crate::conductor) fn add_reference(&mut self) {
        self.references += 1;
    }

    /// Removes a client's handle. If it was the last, returns the end-of-stream position.
    pub(in crate::conductor) fn remove_reference(&mut self, now: MonotonicNanos) -> Option<i64> {
        self.references = self.references.saturating_sub(1);
        if self.references > 0 || self.state != State::Active || self.revoked {
            return None;
        }
        let end = self.end_stream();
        self.step(Event::Released, now);
        Some(end)
    }

    /// Revokes the publication. The next timer tick announces it.
    pub(in crate::conductor) fn revoke(&mut self) {
        if self.state == State::Active {
            self.revoked = true;
            self.made_of.log.metadata().revoke();
        }
    }

    /// Advances the position limit behind the sender, cleans the log, and updates the connection status. Returns
    /// whether there was work.
    pub(in crate::conductor) fn update(&mut self, now: MonotonicNanos) -> bool {
        if self.state != State::Active {
            return false;
        }
        let receivers = self.made_of.words.receivers();
        let sent = self.made_of.words.sender_position();
        if self.settled == Some((receivers, sent)) && self.spies.is_empty() {
            if self.shown.is_due(now) {
                self.show_position(now);
            }
            return false;
        }
        let worked = self.follow(now, receivers, sent);
        self.settled = (!worked && self.spies.is_empty()).then_some((receivers, sent));
        worked
    }

    /// As above, after a change.
    #[inline(never)]
    fn follow(&mut self, now: MonotonicNanos, receivers: Receivers, sent: i64) -> bool {
        let has_spies = self.observe_spies(sent);
        let is_connected = receivers.enough || self.made_of.spies_simulate_connection && has_spies;
        let mut worked = is_connected != self.is_connected;
        if worked {
            self.is_connected = is_connected;
            self.made_of.log.metadata().set_connected(is_connected);
        }
        // A term is kept for retransmits.
        let cleaned = self.cleaning.go_towards(self.consumed - self.term_length, &self.made_of.log);
        worked |= cleaned;
        let next = if is_connected { self.consumed + i64::from(self.made_of.window) } else { sent };
        let may_rise = next > self.limit && is_clean_for(next, self.cleaning.position(), self.term_length);
        if may_rise || !is_connected && next < self.limit {
            self.limit = next;
            // ORDERING(pos.publisher-limit): Release. Pairs with the Acquire load at the start of an offer; what lies
            // below the limit was cleaned before.
            self.made_of.limit.value.store_release(next);
            worked = true;
            self.show_position(now);
        } else if self.shown.is_due(now) {
            self.show_position(now);
        }
        worked
    }

    /// Handles a timer tick. `attended` is the time for which the conductor has watched the publishers.
    pub(in crate::conductor) fn on_tick(&mut self, now: MonotonicNanos, attended: MonotonicNanos) -> PublicationTick {
        let mut tick = PublicationTick::default();
        let producer = self.show_position(now);
        let sent = self.made_of.words.sender_position();
        match self.state {
            State::Active if self.revoked => {
                tick.end = Some((self.end_stream(), true));
                tick.lose_spies = true;
                self.step(Event::RevokeSeen, now);
            }
            State::Active => {
                tick.unblocked = !self.made_of.exclusive
                    && self.blocked.is_overdue(attended, sent, producer > sent)
                    && unblock(&self.made_of.log, Position::new(sent));
            }
            State::Draining => {
                if producer > sent {
                    tick.unblocked = self.unblock_spies(sent, producer);
                    if tick.unblocked || self.made_of.words.receivers().alive {
                        return tick;
                    }
                }
                // Spies still read the rest.
                if !self.spies.have_read_to(producer, |found| found) {
                    return tick;
                }
                tick.lose_spies = true;
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

    /// Unblocks a log without publishers where its spies wait: behind what is committed, of which the sender may not have
    /// sent all. Returns whether it did. Clients can store any frame, so nothing beyond the publishers' position counts.
    fn unblock_spies(&mut self, sent: i64, producer: i64) -> bool {
        self.committed = self.committed.max(sent);
        while self.committed < producer {
            let at = Position::new(self.committed);
            match sendable(&self.made_of.log, at, usize::MAX).advance {
                0 => return unblock_abandoned(&self.made_of.log, at),
                advance => self.committed += advance as i64,
            }
        }
        false
    }

    /// Removes spies. Returns them, so that their counters can be freed.
    pub(in crate::conductor) fn remove_spies(&mut self, links: &HashSet<LinkId>) -> Vec<Subscriber> {
        self.spies.remove(links)
    }

    /// Removes all spies, so that their counters can be freed.
    pub(in crate::conductor) fn take_spies(&mut self) -> Vec<Subscriber> {
        self.spies.take()
    }

    /// Loads the positions of the spies, and tells the sender if necessary. Returns whether any spy counts.
    fn observe_spies(&mut self, sent: i64) -> bool {
        let Some(span) = self.spies.working_span() else {
            self.consumed = self.consumed.max(sent);
            self.tell_of_spies(None);
            return false;
        };
        // Clients store these positions. They are limited to what was published, and never go back. The producer
        // position is loaded after them, so that no valid position is beyond it.
        let producer = self.producer_position();
        let bound = |found: i64| (found & -FRAME_STEP).min(producer);
        self.consumed = self.consumed.max(bound(span.min).min(sent));
        if self.made_of.spies_simulate_connection {
            self.tell_of_spies(Some(bound(span.max).max(self.spied.unwrap_or(sent))));
        }
        true
    }

    fn tell_of_spies(&mut self, furthest: Option<i64>) {
        if furthest != self.spied {
            self.spied = furthest;
            self.made_of.words.set_spy_position(furthest);
        }
    }

    /// Sets the position limit to the end of the stream, so that nothing more is published. Returns that position.
    fn end_stream(&mut self) -> i64 {
        let producer = self.producer_position();
        self.limit = self.limit.min(producer);
        self.made_of.limit.value.store_release(self.limit);
        let metadata = self.made_of.log.metadata();
        metadata.set_end_of_stream_position(Position::new(producer));
        metadata.set_connected(false);
        producer
    }

    /// The publishers' position. Clients can store any tail, so it is limited to the valid range: no message begins
    /// beyond the position limit, and the longest ends within a term of it.
    fn producer_position(&self) -> i64 {
        let found = self.made_of.log.producer_position().get() & -FRAME_STEP;
        let sent = self.made_of.words.sender_position();
        found.clamp(sent, sent.max(self.limit + self.term_length))
    }

    /// As [`Self::producer_position`], and stores it in the counter.
    fn show_position(&mut self, now: MonotonicNanos) -> i64 {
        let producer = self.producer_position();
        self.shown.show(now, producer);
        producer
    }

    fn step(&mut self, event: Event, now: MonotonicNanos) {
        if let Some(next) = self.state.on(event) {
            self.state = next;
            self.since = now;
        }
    }
}

impl Named for NetworkPublication {
    fn registration_id(&self) -> RegistrationId {
        self.made_of.registration_id
    }

    fn session_id(&self) -> SessionId {
        self.made_of.session_id
    }

    fn stream_id(&self) -> StreamId {
        self.made_of.stream_id
    }
}

impl Readable for NetworkPublication {
    fn log_path(&self) -> &Path {
        &self.made_of.log_path
    }

    fn source_identity(&self) -> Cow<'_, str> {
        IPC.into()
    }

    fn lost_channel<'a>(&self, link: &'a SubscriptionLink) -> &'a str {
        &link.channel
    }

    fn is_wanted_by(&self, link: &SubscriptionLink) -> bool {
        link.wants_to_spy(&self.made_of.channel, self.made_of.stream_id, self.made_of.session_id)
    }

    fn admits_subscribers(&self) -> bool {
        match self.state {
            State::Active => !self.revoked,
            State::Draining => {
                !self.spies.is_empty() && self.producer_position() > self.made_of.words.sender_position()
            }
            State::Linger | State::Done => false,
        }
    }

    fn join_position(&mut self) -> Position {
        Position::new(self.made_of.words.sender_position())
    }

    fn subscribers(&self) -> &Subscribers {
        &self.spies
    }

    fn add_subscriber(&mut self, subscriber: Subscriber) {
        self.spies.add(subscriber);
    }

    fn due_turn(&mut self, from: usize, attended: MonotonicNanos) -> Option<DueTurn> {
        if self.state != State::Active || self.revoked {
            return None;
        }
        let window = i64::from(self.made_of.window);
        let line = self.made_of.words.sender_position() - window + window / 4;
        self.spies.due_turn(from, attended, &self.made_of.untethered, |position| position > line)
    }

    fn take_turn(&mut self, place: usize, turn: Turn, attended: MonotonicNanos) {
        self.spies.take_turn(place, turn, attended);
    }
}
