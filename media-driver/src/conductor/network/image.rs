//! The conductor's half of an image: its subscribers, the consumed position, and its state. The conductor calls it on
//! its turn in a duty cycle and on every timer tick. The receiver has the other half.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use gannet::logbuffer::LogBuffers;
use gannet::reports::LossEntry;
use gannet::time::MonotonicNanos;
use gannet::types::{CounterId, Position, RegistrationId, SessionId, StreamId};

use super::state::{ImageEvent as Event, ImageState as State};
use crate::mailbox::EndpointId;
use crate::shared::{
    Cleaning, Condition, Counter, FRAME_STEP, ImageWords, LinkId, Subscriber, Subscribers, Turn, UntetheredTimeouts,
};

/// What an image is made of.
#[derive(Debug)]
pub(in crate::conductor) struct NewImageHalf {
    pub(in crate::conductor) registration_id: RegistrationId,
    pub(in crate::conductor) session_id: SessionId,
    pub(in crate::conductor) stream_id: StreamId,
    pub(in crate::conductor) endpoint: EndpointId,
    pub(in crate::conductor) source: SocketAddr,
    pub(in crate::conductor) join_position: Position,
    /// The window that it has at most, in bytes.
    pub(in crate::conductor) window: i32,
    pub(in crate::conductor) rejoin: bool,
    /// Whether its sender wants an answer.
    pub(in crate::conductor) asks_for_response: bool,
    pub(in crate::conductor) liveness_timeout_ns: i64,
    pub(in crate::conductor) status_message_timeout_ns: i64,
    pub(in crate::conductor) untethered: UntetheredTimeouts,
    pub(in crate::conductor) log: LogBuffers,
    pub(in crate::conductor) log_path: PathBuf,
    pub(in crate::conductor) words: ImageWords,
    /// All but those of its subscribers.
    pub(in crate::conductor) counters: Vec<CounterId>,
}

/// One image.
#[derive(Debug)]
pub(in crate::conductor) struct Image {
    pub(in crate::conductor) made_of: NewImageHalf,
    /// The receiver has let go of it.
    pub(in crate::conductor) is_released: bool,
    /// Its entry in the loss report, once it has missed something.
    pub(in crate::conductor) losses: Option<LossEntry>,
    subscribers: Subscribers,
    /// Somebody has been given it.
    was_given: bool,
    state: State,
    since: MonotonicNanos,
    term_length: i64,
    cleaning: Cleaning,
    /// What the receiver was told.
    consumed: i64,
}

/// What a tick asks of the conductor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::conductor) struct ImageTick {
    /// Tell the receiver that it leaves.
    pub(in crate::conductor) leave: bool,
    /// Tell its subscribers that it is gone, and the receiver to let go.
    pub(in crate::conductor) gone: bool,
    /// Free everything.
    pub(in crate::conductor) done: bool,
}

impl Image {
    pub(in crate::conductor) fn new(made_of: NewImageHalf, now: MonotonicNanos) -> Self {
        let join = made_of.join_position.get();
        Self {
            is_released: false,
            losses: None,
            subscribers: Subscribers::default(),
            was_given: false,
            state: State::Active,
            since: now,
            term_length: made_of.log.term_length().get().into(),
            cleaning: Cleaning::new(join),
            consumed: join,
            made_of,
        }
    }

    /// Its subscribers.
    pub(in crate::conductor) fn subscribers(&self) -> &Subscribers {
        &self.subscribers
    }

    /// Whether a subscriber may join. Once nobody reads it any more nobody does: the receiver forgets sessions that nobody wants, and
    /// whoever wants them later gets another image.
    pub(in crate::conductor) fn admits_subscribers(&self) -> bool {
        let is_read = !self.was_given || self.subscribers.any_working();
        let is_revoked = matches!(self.made_of.words.condition(), Condition::Ended { revoked: true, .. });
        is_read
            && !is_revoked
            && match self.state {
                State::Active => true,
                // What is left may still be read by whoever comes.
                State::Draining => !self.is_drained(),
                State::Linger | State::Done => false,
            }
    }

    /// Where a subscriber joins that comes now: with the slowest, or where everything has come.
    pub(in crate::conductor) fn join_position(&self) -> Position {
        let rebuilt = self.made_of.words.rebuilt();
        let slowest = self.subscribers.working_span().map_or(rebuilt, |span| self.bound(span.min).min(rebuilt));
        Position::new(slowest)
    }

    /// A subscriber joins. Its position counter holds the join position.
    pub(in crate::conductor) fn add_subscriber(&mut self, subscriber: Subscriber) {
        self.was_given = true;
        self.subscribers.add(subscriber);
    }

    /// Subscribers leave; returns them for their counters to be freed.
    pub(in crate::conductor) fn remove_subscribers(&mut self, links: &HashSet<LinkId>) -> Vec<Subscriber> {
        self.subscribers.remove(links)
    }

    /// Takes all subscribers out, for their counters to be freed.
    pub(in crate::conductor) fn take_subscribers(&mut self) -> Vec<Subscriber> {
        self.subscribers.take()
    }

    /// Cleans behind the slowest subscriber, and tells the receiver how far that is. Returns whether there was anything to do.
    pub(in crate::conductor) fn update(&mut self) -> bool {
        // With everybody resting nobody says how far it may go.
        let Some(span) = self.subscribers.working_span() else { return false };
        let slowest = self.bound(span.min);
        if slowest == self.consumed {
            return false;
        }
        self.cleaning.go_towards(slowest - self.term_length, &self.made_of.log);
        // Trap 18: what is announced was cleaned.
        let consumed = slowest.min(self.cleaning.position().max(self.made_of.join_position.get()) + self.term_length);
        let moved = consumed > self.consumed;
        if moved {
            self.consumed = consumed;
            self.made_of.words.set_consumed(consumed);
        }
        moved
    }

    /// What time asks of one subscriber, by its place among them.
    pub(in crate::conductor) fn due_turn(
        &mut self,
        index: usize,
        now: MonotonicNanos,
    ) -> Option<(Turn, LinkId, Counter)> {
        if self.state != State::Active {
            return None;
        }
        let fastest = self.subscribers.working_span().map_or(self.consumed, |span| self.bound(span.max));
        let window = i64::from(self.made_of.window);
        let line = fastest - window + window / 4;
        let found = self.subscribers.get_mut(index)?;
        // ORDERING(pos.subscriber): Acquire, as in `working_span`.
        let position = found.position.value.load_acquire().min(fastest);
        let turn = found.tether.due(now, position > line, &self.made_of.untethered)?;
        Some((turn, found.link, found.position.clone()))
    }

    /// The turn was carried out.
    pub(in crate::conductor) fn take_turn(&mut self, index: usize, turn: Turn, now: MonotonicNanos) {
        if let Some(subscriber) = self.subscribers.get_mut(index) {
            subscriber.tether.take(turn, now);
        }
    }

    /// Time has passed. Called on each timer tick, after the subscribers' turns.
    pub(in crate::conductor) fn on_tick(&mut self, now: MonotonicNanos) -> ImageTick {
        let mut tick = ImageTick::default();
        let condition = self.made_of.words.condition();
        let revoked = matches!(condition, Condition::Ended { revoked: true, .. });
        match self.state {
            State::Active => {
                let event = match condition {
                    Condition::Ended { position, revoked } => {
                        let metadata = self.made_of.log.metadata();
                        metadata.set_end_of_stream_position(Position::new(position));
                        if revoked {
                            metadata.revoke();
                        }
                        Event::Ended
                    }
                    Condition::Silent => Event::Silent,
                    Condition::Live if !self.subscribers.any_working() => Event::Unread,
                    Condition::Live => return tick,
                };
                tick.leave = true;
                self.step(event, now);
            }
            State::Draining => {
                let is_told = now.since(self.since) > self.made_of.status_message_timeout_ns.saturating_mul(5);
                if revoked || is_told && self.is_drained() {
                    tick.gone = true;
                    self.step(Event::Drained, now);
                }
            }
            State::Linger => {
                let is_over = now.since(self.since) > self.made_of.liveness_timeout_ns;
                if is_over || !self.subscribers.any_working() {
                    tick.done = true;
                    self.step(Event::Lingered, now);
                }
            }
            State::Done => {}
        }
        tick
    }

    /// Whether all who count have read what has come.
    fn is_drained(&self) -> bool {
        let rebuilt = self.made_of.words.rebuilt();
        self.subscribers.working_span().is_none_or(|span| self.bound(span.min) >= rebuilt)
    }

    /// Nobody reads what has not come, and nothing that was read is read again.
    fn bound(&self, found: i64) -> i64 {
        (found & -FRAME_STEP).min(self.made_of.words.rebuilt()).max(self.consumed)
    }

    fn step(&mut self, event: Event, now: MonotonicNanos) {
        if let Some(next) = self.state.on(event) {
            self.state = next;
            self.since = now;
        }
    }
}
