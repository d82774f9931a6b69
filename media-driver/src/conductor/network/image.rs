//! The conductor's half of an image: its subscribers, the consumed position, and its state. The conductor calls it on
//! its turn in a duty cycle and on every timer tick. The receiver has the other half.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use gannet::logbuffer::{FRAME_ALIGNMENT, FRAME_HEADER_LENGTH, LogBuffers};
use gannet::reports::LossEntry;
use gannet::time::MonotonicNanos;
use gannet::types::{CounterId, Position, RegistrationId, SessionId, StreamId};

use super::state::{ImageEvent as Event, ImageState as State};
use crate::conductor::linking::Readable;
use crate::conductor::streams::Named;
use crate::conductor::subscription_link::SubscriptionLink;
use crate::mailbox::EndpointId;
use crate::shared::{
    Cleaning, Condition, DueTurn, FRAME_STEP, ImageWords, LinkId, Subscriber, Subscribers, Turn, UntetheredTimeouts,
};

/// The properties of a new image.
#[derive(Debug)]
pub(in crate::conductor) struct NewImageHalf {
    pub(in crate::conductor) registration_id: RegistrationId,
    pub(in crate::conductor) session_id: SessionId,
    pub(in crate::conductor) stream_id: StreamId,
    pub(in crate::conductor) endpoint: EndpointId,
    pub(in crate::conductor) source: SocketAddr,
    pub(in crate::conductor) join_position: Position,
    /// The maximum receiver window in bytes.
    pub(in crate::conductor) window: i32,
    pub(in crate::conductor) rejoin: bool,
    /// Whether its sender expects a response.
    pub(in crate::conductor) asks_for_response: bool,
    pub(in crate::conductor) liveness_timeout_ns: i64,
    pub(in crate::conductor) status_message_timeout_ns: i64,
    pub(in crate::conductor) untethered: UntetheredTimeouts,
    pub(in crate::conductor) log: LogBuffers,
    pub(in crate::conductor) log_path: PathBuf,
    pub(in crate::conductor) words: ImageWords,
    /// All its counters except those of subscribers.
    pub(in crate::conductor) counters: Vec<CounterId>,
}

/// An image.
#[derive(Debug)]
pub(in crate::conductor) struct Image {
    pub(in crate::conductor) made_of: NewImageHalf,
    /// Whether the receiver has released it.
    pub(in crate::conductor) is_released: bool,
    /// Its entry in the loss report, once it had a loss.
    pub(in crate::conductor) losses: Option<LossEntry>,
    /// The publication that its sender is told to be the response.
    pub(super) response: Option<RegistrationId>,
    subscribers: Subscribers,
    /// Whether it was announced to any subscriber.
    was_given: bool,
    state: State,
    since: MonotonicNanos,
    term_length: i64,
    cleaning: Cleaning,
    /// The consumed position that the receiver was told.
    consumed: i64,
}

/// What a timer tick requires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::conductor) struct ImageTick {
    /// Tell the receiver that the image is leaving.
    pub(in crate::conductor) leave: bool,
    /// Tell the subscribers that the image is gone, and tell the receiver to release it.
    pub(in crate::conductor) gone: bool,
    /// Free the image.
    pub(in crate::conductor) done: bool,
}

impl Image {
    pub(in crate::conductor) fn new(made_of: NewImageHalf, now: MonotonicNanos) -> Self {
        let join = made_of.join_position.get();
        Self {
            is_released: false,
            losses: None,
            response: None,
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

    /// Whether its sender is still told anything.
    pub(super) fn is_answered(&self) -> bool {
        matches!(self.state, State::Active | State::Draining)
    }

    /// Removes subscribers. Returns them, so that their counters can be freed.
    pub(in crate::conductor) fn remove_subscribers(&mut self, links: &HashSet<LinkId>) -> Vec<Subscriber> {
        self.subscribers.remove(links)
    }

    /// Removes all subscribers, so that their counters can be freed.
    pub(in crate::conductor) fn take_subscribers(&mut self) -> Vec<Subscriber> {
        self.subscribers.take()
    }

    /// Cleans the log behind the slowest subscriber, and tells the receiver the consumed position. Returns whether
    /// there was work.
    pub(in crate::conductor) fn update(&mut self) -> bool {
        // If all subscribers are resting, the position does not advance.
        let Some(span) = self.subscribers.working_span() else { return false };
        let slowest = self.bound(span.min);
        if slowest == self.consumed {
            return false;
        }
        self.cleaning.go_towards(slowest - self.term_length, &self.made_of.log);
        // Trap 18: only a cleaned range is announced.
        let consumed = slowest.min(self.cleaning.position().max(self.made_of.join_position.get()) + self.term_length);
        let moved = consumed > self.consumed;
        if moved {
            self.consumed = consumed;
            self.made_of.words.set_consumed(consumed);
        }
        moved
    }

    /// Handles a timer tick, after the steps of the subscribers.
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

    /// Whether all subscribers that still read have read everything that was received.
    fn is_drained(&self) -> bool {
        self.subscribers.have_read_to(self.made_of.words.rebuilt(), |found| self.bound(found))
    }

    /// Limits a subscriber's position: at most what was received, and never less than before.
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

impl Named for Image {
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

impl Readable for Image {
    fn log_path(&self) -> &Path {
        &self.made_of.log_path
    }

    fn source_identity(&self) -> Cow<'_, str> {
        self.made_of.source.to_string().into()
    }

    fn lost_channel<'a>(&self, link: &'a SubscriptionLink) -> &'a str {
        &link.channel
    }

    fn is_wanted_by(&self, link: &SubscriptionLink) -> bool {
        link.wants_image(self.made_of.endpoint, self.made_of.stream_id, self.made_of.session_id)
    }

    fn admits_subscribers(&self) -> bool {
        // No subscriber may join an image without subscribers, because the receiver drops sessions that no subscription
        // wants. Later subscribers get another image.
        let is_read = !self.was_given || self.subscribers.any_working();
        let is_revoked = matches!(self.made_of.words.condition(), Condition::Ended { revoked: true, .. });
        is_read
            && !is_revoked
            && match self.state {
                State::Active => true,
                // New subscribers may still read the rest.
                State::Draining => !self.is_drained(),
                State::Linger | State::Done => false,
            }
    }

    fn join_position(&mut self) -> Position {
        // That of the slowest subscriber, or the position up to which everything was received.
        let rebuilt = self.made_of.words.rebuilt();
        let slowest = self.subscribers.working_span().map_or(rebuilt, |span| self.bound(span.min).min(rebuilt));
        Position::new(slowest)
    }

    fn subscribers(&self) -> &Subscribers {
        &self.subscribers
    }

    fn add_subscriber(&mut self, subscriber: Subscriber) {
        self.was_given = true;
        self.subscribers.add(subscriber);
    }

    fn due_turn(&mut self, from: usize, attended: MonotonicNanos) -> Option<DueTurn> {
        if self.state != State::Active {
            return None;
        }
        let fastest = self.subscribers.working_span().map_or(self.consumed, |span| self.bound(span.max));
        let window = self.made_of.words.window().unwrap_or(self.made_of.window.into());
        // A sender waits until a whole datagram fits. Where that is more than a quarter of the window, as with a new
        // CUBIC window, a subscriber that leaves less than that would hold the stream up for ever.
        let room = (window / 4).max(longest_datagram(&self.made_of.log, window) - 1);
        let line = fastest - window + room;
        self.subscribers.due_turn(from, attended, &self.made_of.untethered, |found| found.min(fastest) > line)
    }

    fn take_turn(&mut self, place: usize, turn: Turn, attended: MonotonicNanos) {
        self.subscribers.take_turn(place, turn, attended);
    }
}

/// The length of the longest datagram that a sender may wait to send. An MTU that is longer than the window leaves only
/// datagrams of a message.
fn longest_datagram(log: &LogBuffers, window: i64) -> i64 {
    let mtu = log.mtu() as i64;
    if mtu <= window {
        mtu
    } else {
        (log.max_whole_length() + FRAME_HEADER_LENGTH).next_multiple_of(FRAME_ALIGNMENT) as i64
    }
}
