//! The conductor's view of an IPC publication: its log, its counters, its subscribers, and its state. The conductor
//! calls it on its turn in a duty cycle and on every timer tick, and tells clients the results. It allocates and frees
//! no counter, opens and deletes no file, and sends no event.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use gannet::logbuffer::{LogBuffers, clean_to, unblock, unblock_abandoned};
use gannet::time::MonotonicNanos;
use gannet::types::{Position, RegistrationId, SessionId, StreamId};

use super::State;
use super::limits::Limits;
use super::state::Event;
use crate::shared::{
    BlockedWatch, Counter, DueTurn, LinkId, ShownPosition, Subscriber, Subscribers, Turn, UntetheredTimeouts,
};

/// The response correlation id of `response-correlation-id=prototype`.
pub const RESPONSE_PROTOTYPE: i64 = -2;

/// The properties of a new publication.
#[derive(Debug)]
pub struct NewIpcPublication {
    /// The correlation id of the command that first added it.
    pub registration_id: RegistrationId,
    /// The session id.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// Whether it is exclusive.
    pub exclusive: bool,
    /// The `response-correlation-id` of its channel. -1 for none, -2 for a prototype.
    pub response_correlation_id: i64,
    /// The start position.
    pub start_position: Position,
    /// The publication window in bytes, at most half a term.
    pub window: i32,
    /// How long a claim may be open before it is unblocked, in nanoseconds.
    pub unblock_timeout_ns: i64,
    /// The timeouts of untethered subscribers.
    pub untethered: UntetheredTimeouts,
    /// Its log.
    pub log: LogBuffers,
    /// The path of its log file.
    pub log_path: PathBuf,
    /// The counter of the producer position, at the start position.
    pub position: Counter,
    /// The counter of the position limit, at the start position.
    pub limit: Counter,
}

/// An IPC publication.
#[derive(Debug)]
pub struct IpcPublication {
    made_of: NewIpcPublication,
    state: State,
    /// The number of clients' handles.
    references: usize,
    revoked: bool,
    limits: Limits,
    subscribers: Subscribers,
    blocked: BlockedWatch,
    /// Until when no subscriber is admitted, after a rejection.
    closed_until: Option<MonotonicNanos>,
    /// The producer position that was last stored in the counter.
    shown: ShownPosition,
}

/// The result of a timer tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// A change that the conductor must handle.
    pub change: Option<Change>,
    /// Whether the claim of a dead publisher was padded.
    pub unblocked: bool,
}

/// A change of a publication's state that concerns others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was revoked, and its subscribers have lost it.
    Revoked,
    /// Everything was read after the last handle was removed, and its subscribers have lost it.
    Drained,
    /// It admits subscribers again after a rejection.
    Reopened,
    /// Its counters and its log are to be freed.
    Done,
}

impl IpcPublication {
    /// A publication without handles.
    pub fn new(made_of: NewIpcPublication, now: MonotonicNanos) -> Self {
        let start = made_of.start_position;
        Self {
            state: State::Active,
            references: 0,
            revoked: false,
            limits: Limits::new(start, made_of.window, made_of.log.term_length()),
            subscribers: Subscribers::default(),
            blocked: BlockedWatch::new(made_of.unblock_timeout_ns),
            closed_until: None,
            shown: ShownPosition::new(made_of.position.value.clone(), start.get(), now),
            made_of,
        }
    }

    /// Its original registration id: that of the first client that added it.
    pub fn registration_id(&self) -> RegistrationId {
        self.made_of.registration_id
    }

    /// The session id.
    pub fn session_id(&self) -> SessionId {
        self.made_of.session_id
    }

    /// The stream id.
    pub fn stream_id(&self) -> StreamId {
        self.made_of.stream_id
    }

    /// Whether it is exclusive.
    pub fn is_exclusive(&self) -> bool {
        self.made_of.exclusive
    }

    /// The `response-correlation-id` of its channel.
    pub fn response_correlation_id(&self) -> i64 {
        self.made_of.response_correlation_id
    }

    /// Whether it is a prototype of publications that will respond to requests.
    pub fn is_prototype(&self) -> bool {
        self.made_of.response_correlation_id == RESPONSE_PROTOTYPE
    }

    /// The start position.
    pub fn start_position(&self) -> Position {
        self.made_of.start_position
    }

    /// Its log.
    pub fn log(&self) -> &LogBuffers {
        &self.made_of.log
    }

    /// The path of its log file.
    pub fn log_path(&self) -> &Path {
        &self.made_of.log_path
    }

    /// The counter of the position limit.
    pub fn limit_counter(&self) -> &Counter {
        &self.made_of.limit
    }

    /// Its state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Its subscribers.
    pub fn subscribers(&self) -> &Subscribers {
        &self.subscribers
    }

    /// Whether another client may share it.
    pub fn is_shareable(&self) -> bool {
        self.state == State::Active && !self.revoked && !self.made_of.exclusive
    }

    /// Whether its session id is not available to others on the stream.
    pub fn occupies_session(&self) -> bool {
        matches!(self.state, State::Active | State::Draining)
    }

    /// Whether a subscriber may join.
    pub fn admits_subscribers(&self) -> bool {
        match self.state {
            State::Active => !self.revoked && self.closed_until.is_none(),
            // Trap 64: new subscribers may still read the rest.
            State::Draining => self.closed_until.is_none() && !self.is_drained(self.producer_position()),
            State::Linger | State::Done => false,
        }
    }

    /// The join position of a new subscriber: that of the slowest subscriber, or of the last one that left.
    pub fn join_position(&mut self) -> Position {
        let producer = self.producer_position();
        let consumer = self.limits.consumer(producer);
        let slowest = self.subscribers.working_span().map(|span| self.limits.bound_subscriber(span.min, producer));
        Position::new(slowest.map_or(consumer, |slowest| slowest.min(consumer)))
    }

    /// Adds a subscriber. Its position counter has the join position.
    pub fn add_subscriber(&mut self, subscriber: Subscriber) {
        self.subscribers.add(subscriber);
        if self.occupies_session() {
            self.made_of.log.metadata().set_connected(true);
        }
    }

    /// Removes subscribers. Returns them, so that their counters can be freed.
    pub fn remove_subscribers(&mut self, links: &HashSet<LinkId>) -> Vec<Subscriber> {
        let gone = self.subscribers.remove(links);
        self.sample(&gone);
        if !gone.is_empty() && !self.subscribers.any_working() {
            self.made_of.log.metadata().set_connected(false);
        }
        gone
    }

    /// Adds a client's handle.
    pub fn add_reference(&mut self) {
        self.references += 1;
    }

    /// Removes a client's handle. The last one ends the stream here.
    pub fn remove_reference(&mut self) {
        self.references = self.references.saturating_sub(1);
        if self.references > 0 {
            return;
        }
        if self.state == State::Active {
            let producer = self.producer_position();
            self.store_limit_at_end(producer);
            self.made_of.log.metadata().set_end_of_stream_position(Position::new(producer));
        }
        self.step(if self.revoked { Event::ReleasedRevoked } else { Event::Released });
    }

    /// Revokes the publication. The next timer tick tells the subscribers.
    pub fn revoke(&mut self) {
        if self.state == State::Active {
            self.revoked = true;
            self.made_of.log.metadata().revoke();
        }
    }

    /// Rejects the stream for a subscriber: no subscriber is admitted until `until`. Returns whether its subscribers
    /// lose it. They do unless it was rejected before and is still closed, or has ended.
    pub fn reject(&mut self, until: MonotonicNanos) -> bool {
        if !self.occupies_session() {
            return false;
        }
        let was_open = self.closed_until.replace(until).is_none();
        if was_open {
            self.made_of.log.metadata().set_connected(false);
        }
        was_open
    }

    /// Removes all subscribers, so that their counters can be freed.
    pub fn take_subscribers(&mut self) -> Vec<Subscriber> {
        let gone = self.subscribers.take();
        self.sample(&gone);
        gone
    }

    /// Advances the position limit behind the subscribers and cleans the log. Called on its turn in a duty cycle, after
    /// the commands. Returns whether there was work.
    #[inline]
    pub fn update(&mut self, now: MonotonicNanos) -> bool {
        if self.state != State::Active {
            return false;
        }
        let mut worked = false;
        let working = self.subscribers.working_span();
        if self.limits.observe(working) {
            // Loaded after the subscribers' positions, so it is not behind them.
            let producer = self.show_position(now);
            if let Some(limit) = self.limits.advance(working, producer) {
                // ORDERING(pos.publisher-limit): Release. Pairs with the Acquire load at the start of an offer; what lies
                // below the limit was cleaned before.
                self.made_of.limit.value.store_release(limit);
                worked = true;
            }
        } else if self.shown.is_due(now) {
            self.show_position(now);
        }
        if let Some((from, length)) = self.limits.next_to_clean() {
            let clean = clean_to(&self.made_of.log, Position::new(from), Position::new(from + length));
            self.limits.on_cleaned(clean.get() - from);
            worked = true;
        }
        worked
    }

    /// The step that is due for the first of the subscribers from this index on. The conductor executes it, then calls
    /// [`IpcPublication::take_turn`]. `attended` is the time for which the conductor has watched the subscribers.
    pub fn due_turn(&mut self, from: usize, attended: MonotonicNanos) -> Option<DueTurn> {
        if self.state != State::Active || self.revoked {
            return None;
        }
        let producer = self.producer_position();
        let consumer = self.limits.consumer(producer);
        let window = self.limits.window();
        let line = consumer - window + window / 4;
        let within_window = |found| self.limits.bound_subscriber(found, producer) > line;
        self.subscribers.due_turn(from, attended, &self.made_of.untethered, within_window)
    }

    /// Records that the step was executed.
    pub fn take_turn(&mut self, index: usize, turn: Turn, attended: MonotonicNanos) {
        self.subscribers.take_turn(index, turn, attended);
    }

    /// Handles a timer tick, after the steps of the subscribers. `attended` is the time for which the conductor has
    /// watched the publishers.
    pub fn on_tick(&mut self, now: MonotonicNanos, attended: MonotonicNanos) -> Tick {
        match self.state {
            State::Active if self.revoked => {
                let producer = self.show_position(now);
                self.store_limit_at_end(producer);
                let metadata = self.made_of.log.metadata();
                metadata.set_end_of_stream_position(Position::new(producer));
                metadata.set_connected(false);
                self.step(Event::RevokeSeen);
                Tick { change: Some(Change::Revoked), unblocked: false }
            }
            State::Active => {
                let producer = self.show_position(now);
                let is_open = self.closed_until.is_none();
                self.made_of.log.metadata().set_connected(is_open && self.subscribers.any_working());
                let reopens = self.closed_until.is_some_and(|until| now > until);
                if reopens {
                    self.closed_until = None;
                }
                Tick {
                    change: reopens.then_some(Change::Reopened),
                    unblocked: !self.made_of.exclusive && self.unblock_if_overdue(attended, producer),
                }
            }
            State::Draining => {
                let producer = self.show_position(now);
                if self.is_drained(producer) {
                    self.step(Event::Drained);
                    return Tick { change: Some(Change::Drained), unblocked: false };
                }
                // There are no publishers any more to wait for.
                let blocked = self.blocked_at(producer);
                Tick { change: None, unblocked: unblock_abandoned(&self.made_of.log, blocked) }
            }
            State::Linger if self.references == 0 => {
                self.step(Event::Unheld);
                Tick { change: Some(Change::Done), unblocked: false }
            }
            State::Linger | State::Done => Tick::default(),
        }
    }

    /// The log, to be deleted, and the counters, to be freed: producer position and position limit.
    pub fn into_parts(self) -> (LogBuffers, PathBuf, Counter, Counter) {
        let NewIpcPublication { log, log_path, position, limit, .. } = self.made_of;
        (log, log_path, position, limit)
    }

    fn step(&mut self, event: Event) {
        if let Some(next) = self.state.on(event) {
            self.state = next;
        }
    }

    /// The producer position, limited to the valid range.
    fn producer_position(&self) -> i64 {
        self.limits.bound_producer(self.made_of.log.producer_position().get())
    }

    /// As [`Self::producer_position`], and stores it in the counter.
    fn show_position(&mut self, now: MonotonicNanos) -> i64 {
        let producer = self.producer_position();
        self.shown.show(now, producer);
        producer
    }

    fn store_limit_at_end(&mut self, producer: i64) {
        let limit = self.limits.end_at(producer);
        self.made_of.limit.value.store_release(limit);
    }

    /// Records how far leaving subscribers have read (trap 75).
    fn sample(&mut self, leaving: &[Subscriber]) {
        for subscriber in leaving.iter().filter(|subscriber| subscriber.tether.is_working()) {
            // ORDERING(pos.subscriber): Acquire, as in `working_span`.
            let position = subscriber.position.value.load_acquire();
            let producer = self.producer_position();
            self.limits.on_left(position, producer);
        }
    }

    fn is_drained(&self, producer: i64) -> bool {
        self.subscribers.have_read_to(producer, |found| self.limits.bound_subscriber(found, producer))
    }

    fn unblock_if_overdue(&mut self, attended: MonotonicNanos, producer: i64) -> bool {
        // Loaded once: where the subscribers have come meanwhile, a publisher may have begun just now.
        let blocked = self.blocked_at(producer);
        let log = &self.made_of.log;
        let in_another_term = log.active_term_count() != log.term_length().term_count(blocked);
        let is_possible = in_another_term || producer > blocked.get();
        self.blocked.is_overdue(attended, blocked.get(), is_possible) && unblock(log, blocked)
    }

    /// The position of the furthest subscriber.
    fn blocked_at(&mut self, producer: i64) -> Position {
        if let Some(span) = self.subscribers.working_span() {
            self.limits.observe(Some(span));
        }
        Position::new(self.limits.consumer(producer))
    }
}
