//! The client's conductor. It sends commands to the driver, receives its events, sends the client's heartbeat, checks
//! the driver's, and reconnects to the driver after a loss.
//!
//! The conductor is a value behind the client's lock. The client's own thread runs it, or a thread that waits for an
//! answer, or the application's invoker. It reads no clock and calls no handler; messages for handlers wait as notices.
//! It accesses the file system (mapping logs, looking for a driver) only through the functions that it was given.
//!
//! | file | contents |
//! | --- | --- |
//! | this | the parts, and the duty cycle |
//! | `requests` | requests of handles and the client |
//! | `events` | the driver's events |
//! | `liveness` | heartbeats, timeouts, losing the driver and reconnecting |
//! | `restoring` | adding everything again after a reconnection |
//! | `resource` | the resources that were added |
//! | `destinations` | the destinations of a publication or subscription |
//! | `destination_requests` | changing and restoring them at the driver |
//! | `sharing` | the handles of one publication, which share them |
//! | `responses` | channels that name other resources by the driver's ids |

mod destination_requests;
mod destinations;
mod events;
mod liveness;
mod requests;
mod resource;
mod responses;
mod restoring;
mod sharing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::bound::Bound;
use super::driver_link::{DriverLink, SendError};
use super::error::{AddError, ClientError, Request};
use super::fetch::Pages;
use super::find_driver::FindDriver;
use super::logs::{Logs, OpenLog};
use super::notice::Notice;
use crate::broadcast::ReceiveError;
use crate::command::Command;
use crate::time::{EpochMillis, MonotonicNanos};
use crate::types::{ClientId, CorrelationId, RegistrationId, SessionId};

pub(crate) use destinations::DestinationChange;
use liveness::{Down, HeartbeatCounter};
pub(crate) use resource::{ImageHandlers, ResourceKey, Wanted};
use resource::{Resource, Undo};
use restoring::Restoring;

/// The maximum number of events per duty cycle, so that timeouts are checked in between.
const EVENTS_PER_CYCLE: usize = 16;
/// The maximum number of pending notices. Beyond that, events stay in the broadcast buffer, unless somebody waits for an
/// answer, which may be behind them.
const MAX_NOTICES: usize = 4096;

/// The conductor's settings, from the context. Times are in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct ConductorSettings {
    pub(crate) driver_timeout_ns: i64,
    pub(crate) keepalive_interval_ns: i64,
    /// The minimum time between two checks of timeouts.
    pub(crate) check_interval_ns: i64,
    pub(crate) resource_linger_ns: i64,
    pub(crate) client_name: String,
    pub(crate) reconnect_in_place: bool,
    pub(crate) pre_touch_mapped_memory: bool,
}

/// The client's conductor. See the module's documentation.
pub(crate) struct Conductor {
    settings: ConductorSettings,
    finder: Box<dyn FindDriver>,
    /// The present connection, or the last one while there is none.
    link: DriverLink,
    state: State,
    /// The number of reconnections.
    epoch: u32,
    /// Ordered by creation, which is also the order of restoration.
    resources: BTreeMap<ResourceKey, Resource>,
    next_key: u64,
    /// Resources that are live or being added, by the driver's id.
    by_registration: HashMap<i64, ResourceKey>,
    /// Commands that create no resource and whose answer may be wanted, by correlation id.
    questions: HashMap<i64, Question>,
    /// Adds that were abandoned before the driver answered. They are undone when it does.
    abandoned: HashMap<i64, Undo>,
    /// Removals for which the ring had no space, oldest first. At most one per resource.
    unsent: VecDeque<(RegistrationId, Undo)>,
    logs: Logs,
    notices: VecDeque<Notice>,
    /// The number of calls that wait for the driver's answer.
    waiting: usize,
    restoring: Option<Restoring>,
    heartbeat: Option<HeartbeatCounter>,
    last_check: MonotonicNanos,
    last_keepalive: MonotonicNanos,
    /// The driver's last heartbeat, and when the client first saw it.
    driver_seen: (EpochMillis, MonotonicNanos),
    /// The event being handled.
    event: Vec<u8>,
    /// When events were last lost.
    events_lost: Option<MonotonicNanos>,
    /// Whether an announcement of an image may have been lost. Checked after all remaining events were received.
    may_miss_images: bool,
}

enum State {
    Connected,
    Down(Down),
    Closed,
}

/// A command that creates no resource.
struct Question {
    request: Request,
    deadline: MonotonicNanos,
    answer: Option<Result<Answer, AddError>>,
    purpose: Purpose,
    /// Whether the answer will be taken.
    wanted: bool,
}

/// What to do with an answer, apart from returning it.
#[derive(Clone)]
enum Purpose {
    /// Nothing.
    Answer,
    /// If the command succeeded, change the destinations of this resource.
    Change(ResourceKey, DestinationChange),
    /// A destination of this resource was restored, or refused.
    Restore(ResourceKey),
}

/// The driver's answer to a command that creates no resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    SessionId(SessionId),
}

impl Conductor {
    /// A conductor with a connection to a driver.
    pub(crate) fn new(
        settings: ConductorSettings,
        link: DriverLink,
        finder: Box<dyn FindDriver>,
        open_log: OpenLog,
        now: MonotonicNanos,
    ) -> Self {
        Self {
            logs: Logs::new(open_log, settings.resource_linger_ns, settings.pre_touch_mapped_memory),
            driver_seen: (link.heartbeat(), now),
            settings,
            finder,
            link,
            state: State::Connected,
            epoch: 0,
            resources: BTreeMap::new(),
            next_key: 0,
            by_registration: HashMap::new(),
            questions: HashMap::new(),
            abandoned: HashMap::new(),
            unsent: VecDeque::new(),
            notices: VecDeque::new(),
            waiting: 0,
            restoring: None,
            heartbeat: None,
            last_check: now,
            last_keepalive: now,
            event: Vec::with_capacity(4096),
            events_lost: None,
            may_miss_images: false,
        }
    }

    /// Runs one duty cycle. Returns the work count.
    pub(crate) fn do_work(&mut self, now: MonotonicNanos, now_ms: EpochMillis) -> usize {
        let mut work = 0;
        match self.state {
            State::Connected => {
                work += self.check_service_interval(now);
                work += self.send_unsent();
                work += self.receive_events(now);
                self.finish_restoring(now);
            }
            State::Down(_) => work += self.seek_driver(now, now_ms),
            State::Closed => {}
        }
        work + self.check_timeouts(now, now_ms)
    }

    /// The client's id at its driver.
    pub(crate) fn client_id(&self) -> ClientId {
        self.link.client_id()
    }

    /// The number of reconnections.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The present connection, or the last one.
    pub(crate) fn link(&self) -> &DriverLink {
        &self.link
    }

    /// Whether the client is closed for good.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether the client has a driver.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected)
    }

    /// A call waits for the driver's answer from here on. It is one of a handler, perhaps, and no notice is delivered
    /// before it returns.
    pub(crate) fn begin_to_wait(&mut self) {
        self.waiting += 1;
    }

    /// The call waits no more.
    pub(crate) fn end_waiting(&mut self) {
        self.waiting -= 1;
    }

    /// Takes the oldest pending notice.
    pub(crate) fn next_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Whether there are pending notices.
    pub(crate) fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    /// The next pages of a log to fetch. The caller fetches them without holding the client's lock.
    pub(crate) fn next_pages(&mut self) -> Option<Pages> {
        self.logs.next_pages()
    }

    fn receive_events(&mut self, now: MonotonicNanos) -> usize {
        let mut received = 0;
        let has_room = |this: &Self| this.notices.len() < MAX_NOTICES || this.waiting > 0;
        while received < EVENTS_PER_CYCLE && has_room(self) && self.is_connected() {
            let mut event = std::mem::take(&mut self.event);
            event.clear();
            let mut type_id = 0;
            let outcome = self.link.events.receive(|id, bytes| {
                type_id = id;
                event.extend_from_slice(bytes);
            });
            let is_event = matches!(outcome, Ok(1..));
            match outcome {
                Ok(0) => self.tell_of_missed_images(),
                Ok(_) => self.on_event(type_id, &event, now),
                Err(ReceiveError::Lapped | ReceiveError::Damaged) => {
                    self.report(ClientError::EventsLost);
                    self.drop_vanished_images(now);
                    self.give_back_abandoned(now);
                    self.may_miss_images = true;
                }
            }
            self.event = event;
            if !is_event {
                break;
            }
            received += 1;
        }
        received
    }

    /// Answers to abandoned adds may be lost. This removes what those adds created, or will create: the driver executes
    /// commands in order.
    fn give_back_abandoned(&mut self, now: MonotonicNanos) {
        self.events_lost = Some(now);
        for (id, undo) in std::mem::take(&mut self.abandoned) {
            self.undo(RegistrationId::new(id), undo);
        }
    }

    /// Gives up an add that the driver has not answered, and that had until `deadline`. What it creates is removed: when
    /// the answer comes, or at once if events were lost since the add, because the answer may be among them.
    fn abandon(&mut self, id: CorrelationId, deadline: MonotonicNanos, undo: Undo) {
        let asked = deadline.saturating_add_ns(-self.settings.driver_timeout_ns);
        if self.events_lost.is_some_and(|lost| lost >= asked) {
            self.undo(id.registration(), undo);
        } else {
            self.abandoned.insert(id.get(), undo);
        }
    }

    /// Sends postponed removals. Returns the number sent.
    fn send_unsent(&mut self) -> usize {
        let mut sent = 0;
        while let Some((registration_id, undo)) = self.unsent.pop_front() {
            if !self.try_undo(registration_id, undo) {
                self.unsent.push_front((registration_id, undo));
                break;
            }
            sent += 1;
        }
        sent
    }

    /// Releases a resource at the driver, now or as soon as the ring has space.
    fn undo(&mut self, registration_id: RegistrationId, undo: Undo) {
        if undo != Undo::Nothing && self.is_connected() && !self.try_undo(registration_id, undo) {
            self.unsent.push_back((registration_id, undo));
        }
    }

    fn try_undo(&mut self, registration_id: RegistrationId, undo: Undo) -> bool {
        use crate::command::{RemoveCounter, RemovePublication, RemoveSubscription};
        let client_id = self.link.client_id();
        let correlation_id = self.link.next_correlation_id();
        let command = match undo {
            Undo::RemovePublication { revoke } => {
                Command::RemovePublication(RemovePublication { client_id, correlation_id, registration_id, revoke })
            }
            Undo::RemoveSubscription => {
                Command::RemoveSubscription(RemoveSubscription { client_id, correlation_id, registration_id })
            }
            Undo::RemoveCounter => Command::RemoveCounter(RemoveCounter { client_id, correlation_id, registration_id }),
            Undo::Nothing => return true,
        };
        match self.link.send(&command) {
            Ok(()) => true,
            Err(SendError::Full) => false,
            Err(error) => {
                self.report(ClientError::NotSent(format!("{}: {error}", command.name())));
                true
            }
        }
    }

    fn report(&mut self, error: ClientError) {
        self.notices.push_back(Notice::Error(error));
    }

    /// Closes a handle's shared half. The images of a subscription are closed as well, and its handlers are notified.
    fn close_bound(bound: &Bound, handlers: Option<&ImageHandlers>, notices: &mut VecDeque<Notice>) {
        match bound {
            Bound::Publication(publication) => publication.close(),
            Bound::Exclusive(publication) => publication.close(),
            Bound::Counter(counter) => counter.close(),
            Bound::Subscription(subscription) => {
                for image in subscription.close() {
                    let handler = handlers.and_then(|handlers| handlers.unavailable.clone());
                    notices.push_back(Notice::UnavailableImage(handler, image));
                }
            }
        }
    }

    fn resource_of(&mut self, registration_id: i64) -> Option<(ResourceKey, &mut Resource)> {
        let key = *self.by_registration.get(&registration_id)?;
        self.resources.get_mut(&key).map(|resource| (key, resource))
    }
}

impl Wanted {
    pub(crate) fn handlers(&self) -> Option<&ImageHandlers> {
        match self {
            Self::Subscription { handlers, .. } => Some(handlers),
            _ => None,
        }
    }
}
