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
use crate::shared::{BlockedWatch, Counter, LinkId, ShownPosition, Subscriber, Subscribers, Turn, UntetheredTimeouts};

/// The response correlation id of `response-correlation-id=prototype`.
pub const RESPONSE_PROTOTYPE: i64 = -2;

/// What a publication is made of.
#[derive(Debug)]
pub struct NewIpcPublication {
    /// The command that asked for it first.
    pub registration_id: RegistrationId,
    /// Its session.
    pub session_id: SessionId,
    /// Its stream.
    pub stream_id: StreamId,
    /// Whether one publisher owns it.
    pub exclusive: bool,
    /// What its channel gives as `response-correlation-id`; -1 for nothing, -2 for a prototype.
    pub response_correlation_id: i64,
    /// Where it starts.
    pub start_position: Position,
    /// How far publishers may run ahead, in bytes; at most half a term.
    pub window: i32,
    /// After how long a dead publisher's claim is given up, in nanoseconds.
    pub unblock_timeout_ns: i64,
    /// What becomes of untethered subscribers.
    pub untethered: UntetheredTimeouts,
    /// Its log.
    pub log: LogBuffers,
    /// Its log's file.
    pub log_path: PathBuf,
    /// The counter for the producer's position, at the start position.
    pub position: Counter,
    /// The counter for the limit, at the start position.
    pub limit: Counter,
}

/// One IPC publication.
#[derive(Debug)]
pub struct IpcPublication {
    made_of: NewIpcPublication,
    state: State,
    /// How many holds clients have on it.
    references: usize,
    revoked: bool,
    limits: Limits,
    subscribers: Subscribers,
    blocked: BlockedWatch,
    /// Until when no subscriber is admitted, after a rejection.
    closed_until: Option<MonotonicNanos>,
    /// The last producer's position that was stored for people to see.
    shown: ShownPosition,
}

/// What a timer tick did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// What the conductor must tell or do.
    pub change: Option<Change>,
    /// Whether a dead publisher's claim was turned to padding.
    pub unblocked: bool,
}

/// A step in a publication's life that concerns others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was revoked: its subscribers have lost it.
    Revoked,
    /// All was read after its last publisher went: its subscribers have lost it.
    Drained,
    /// It admits subscribers again after a rejection.
    Reopened,
    /// Its counters and its log are to go.
    Done,
}

impl IpcPublication {
    /// A publication that no client holds yet.
    pub fn new(made_of: NewIpcPublication, now: MonotonicNanos) -> Self {
        let start = made_of.start_position;
        Self {
            state: State::Active,
            references: 0,
            revoked: false,
            limits: Limits::new(start, made_of.window, made_of.log.term_length()),
            subscribers: Subscribers::default(),
            blocked: BlockedWatch::new(made_of.unblock_timeout_ns, start.get(), now),
            closed_until: None,
            shown: ShownPosition::new(made_of.position.value.clone(), start.get(), now),
            made_of,
        }
    }

    /// Its original registration id: that of whoever added it first.
    pub fn registration_id(&self) -> RegistrationId {
        self.made_of.registration_id
    }

    /// Its session.
    pub fn session_id(&self) -> SessionId {
        self.made_of.session_id
    }

    /// Its stream.
    pub fn stream_id(&self) -> StreamId {
        self.made_of.stream_id
    }

    /// Whether one publisher owns it.
    pub fn is_exclusive(&self) -> bool {
        self.made_of.exclusive
    }

    /// What its channel gives as `response-correlation-id`.
    pub fn response_correlation_id(&self) -> i64 {
        self.made_of.response_correlation_id
    }

    /// Whether it only holds the place of publications that will answer requests.
    pub fn is_prototype(&self) -> bool {
        self.made_of.response_correlation_id == RESPONSE_PROTOTYPE
    }

    /// Where it started.
    pub fn start_position(&self) -> Position {
        self.made_of.start_position
    }

    /// Its log.
    pub fn log(&self) -> &LogBuffers {
        &self.made_of.log
    }

    /// Its log's file.
    pub fn log_path(&self) -> &Path {
        &self.made_of.log_path
    }

    /// The counter for its limit.
    pub fn limit_counter(&self) -> &Counter {
        &self.made_of.limit
    }

    /// Where it is in its life.
    pub fn state(&self) -> State {
        self.state
    }

    /// Its subscribers.
    pub fn subscribers(&self) -> &Subscribers {
        &self.subscribers
    }

    /// Whether another client may hold it too.
    pub fn is_shareable(&self) -> bool {
        self.state == State::Active && !self.revoked && !self.made_of.exclusive
    }

    /// Whether its session is taken for others on the stream.
    pub fn occupies_session(&self) -> bool {
        matches!(self.state, State::Active | State::Draining)
    }

    /// Whether a subscriber may join.
    pub fn admits_subscribers(&self) -> bool {
        match self.state {
            State::Active => !self.revoked && self.closed_until.is_none(),
            // Trap 64: what is left may still be read by whoever comes.
            State::Draining => self.closed_until.is_none() && !self.is_drained(self.producer_position()),
            State::Linger | State::Done => false,
        }
    }

    /// Where a subscriber joins that comes now: with the slowest, or where the last one was.
    pub fn join_position(&mut self) -> Position {
        let producer = self.producer_position();
        let consumer = self.limits.consumer(producer);
        let slowest = self.subscribers.working_span().map(|span| self.limits.bound_subscriber(span.min, producer));
        Position::new(slowest.map_or(consumer, |slowest| slowest.min(consumer)))
    }

    /// A subscriber joins. Its position counter holds the join position.
    pub fn add_subscriber(&mut self, subscriber: Subscriber) {
        self.subscribers.add(subscriber);
        if self.occupies_session() {
            self.made_of.log.metadata().set_connected(true);
        }
    }

    /// Subscribers leave; returns them for their counters to be freed.
    pub fn remove_subscribers(&mut self, links: &HashSet<LinkId>) -> Vec<Subscriber> {
        let gone = self.subscribers.remove(links);
        self.sample(&gone);
        if !gone.is_empty() && !self.subscribers.any_working() {
            self.made_of.log.metadata().set_connected(false);
        }
        gone
    }

    /// A client holds it.
    pub fn add_reference(&mut self) {
        self.references += 1;
    }

    /// A client gives it back; the last one ends the stream here.
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

    /// A client takes back all that was not read yet. Subscribers hear of it on the next tick.
    pub fn revoke(&mut self) {
        if self.state == State::Active {
            self.revoked = true;
            self.made_of.log.metadata().revoke();
        }
    }

    /// A subscriber rejects the stream: nobody is admitted until `until`. Returns whether its subscribers are to lose it, as
    /// they are unless it was rejected before and is still closed, or has ended.
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

    /// Takes all subscribers out, for their counters to be freed.
    pub fn take_subscribers(&mut self) -> Vec<Subscriber> {
        let gone = self.subscribers.take();
        self.sample(&gone);
        gone
    }

    /// Moves the limit after the subscribers and cleans behind them. Called when it has its turn in a duty cycle, after commands; returns
    /// whether there was anything to do.
    #[inline]
    pub fn update(&mut self, now: MonotonicNanos) -> bool {
        if self.state != State::Active {
            return false;
        }
        let mut worked = false;
        let working = self.subscribers.working_span();
        if self.limits.observe(working) {
            // Read after the subscribers' positions, which it cannot be behind then.
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

    /// What time asks of one subscriber, by its place among them. The conductor does it, then calls
    /// [`IpcPublication::take_turn`].
    pub fn due_turn(&mut self, index: usize, now: MonotonicNanos) -> Option<(Turn, LinkId, Counter)> {
        if self.state != State::Active || self.revoked {
            return None;
        }
        let producer = self.producer_position();
        let consumer = self.limits.consumer(producer);
        let window = self.limits.window();
        let line = consumer - window + window / 4;
        let subscriber = self.subscribers.get_mut(index)?;
        // ORDERING(pos.subscriber): Acquire, as in `working_span`.
        let position = self.limits.bound_subscriber(subscriber.position.value.load_acquire(), producer);
        let turn = subscriber.tether.due(now, position > line, &self.made_of.untethered)?;
        Some((turn, subscriber.link, subscriber.position.clone()))
    }

    /// The turn was carried out.
    pub fn take_turn(&mut self, index: usize, turn: Turn, now: MonotonicNanos) {
        if let Some(subscriber) = self.subscribers.get_mut(index) {
            subscriber.tether.take(turn, now);
        }
    }

    /// Time has passed. Called on each timer tick, after the subscribers' turns.
    pub fn on_tick(&mut self, now: MonotonicNanos) -> Tick {
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
                    unblocked: !self.made_of.exclusive && self.unblock_if_overdue(now, producer),
                }
            }
            State::Draining => {
                let producer = self.show_position(now);
                if self.is_drained(producer) {
                    self.step(Event::Drained);
                    return Tick { change: Some(Change::Drained), unblocked: false };
                }
                // Nobody publishes any more, so there is nobody to wait for.
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

    /// The log, to be deleted, and the counters, to be freed: producer's position, limit, and those of remaining subscribers.
    pub fn into_parts(self) -> (LogBuffers, PathBuf, Counter, Counter) {
        let NewIpcPublication { log, log_path, position, limit, .. } = self.made_of;
        (log, log_path, position, limit)
    }

    fn step(&mut self, event: Event) {
        if let Some(next) = self.state.on(event) {
            self.state = next;
        }
    }

    /// Where publishing has got to, bounded.
    fn producer_position(&self) -> i64 {
        self.limits.bound_producer(self.made_of.log.producer_position().get())
    }

    /// The same, stored for people to see.
    fn show_position(&mut self, now: MonotonicNanos) -> i64 {
        let producer = self.producer_position();
        self.shown.show(now, producer);
        producer
    }

    fn store_limit_at_end(&mut self, producer: i64) {
        let limit = self.limits.end_at(producer);
        self.made_of.limit.value.store_release(limit);
    }

    /// Remembers how far subscribers that leave have read (trap 75).
    fn sample(&mut self, leaving: &[Subscriber]) {
        for subscriber in leaving.iter().filter(|subscriber| subscriber.tether.is_working()) {
            // ORDERING(pos.subscriber): Acquire, as in `working_span`.
            let position = subscriber.position.value.load_acquire();
            let producer = self.producer_position();
            self.limits.on_left(position, producer);
        }
    }

    fn is_drained(&self, producer: i64) -> bool {
        self.subscribers.working_span().is_none_or(|span| self.limits.bound_subscriber(span.min, producer) >= producer)
    }

    fn unblock_if_overdue(&mut self, now: MonotonicNanos, producer: i64) -> bool {
        let consumer = self.limits.consumer(producer);
        let log = &self.made_of.log;
        let in_another_term = log.active_term_count() != log.term_length().term_count(Position::new(consumer));
        self.blocked.is_overdue(now, consumer, in_another_term || producer > consumer) && self.unblock(producer)
    }

    fn unblock(&mut self, producer: i64) -> bool {
        let blocked = self.blocked_at(producer);
        unblock(&self.made_of.log, blocked)
    }

    /// Where the slowest subscriber is.
    fn blocked_at(&mut self, producer: i64) -> Position {
        if let Some(span) = self.subscribers.working_span() {
            self.limits.observe(Some(span));
        }
        Position::new(self.limits.consumer(producer))
    }
}
