//! Liveness of client and driver: the client's heartbeat, the check of the driver's, and the way back after either was
//! lost.
//!
//! ```text
//!                 paused, timed out, driver lost or restarted
//!   Connected ───────────────────────────────────────────────▶ Down ──▶ looks for a driver: tells of a new one;
//!       ▲                                                        │       if it may, connects and asks for everything
//!       └────────────── a driver is there, and may be used ──────┘       again under the next session epoch
//! ```
//!
//! While the client is Down, every handle is closed. So it never stores to a counter that the driver may have given to
//! another client.

use core::time::Duration;

use super::resource::{Gone, Phase, Resource, ResourceKey, Wanted};
use super::{Answer, Conductor, State};
use crate::client::driver_link::{DriverIdentity, DriverLink};
use crate::client::error::{AddError, ClientError};
use crate::client::event::{ClientEvent, DriverLoss};
use crate::client::find_driver::{Found, Missing};
use crate::client::notice::Notice;
use crate::cnc::DriverState;
use crate::command::{ClientClose, Command};
use crate::memory::OwnedWord;
use crate::time::{EpochMillis, MonotonicNanos};
use crate::types::CounterId;

/// The minimum number of times that a client checks its driver and updates its heartbeat within the driver's client
/// liveness timeout.
const CHECKS_PER_LIVENESS_TIMEOUT: i64 = 4;
/// The minimum time that the conductor's thread may sleep.
const LEAST_IDLE: Duration = Duration::from_micros(100);
/// The interval at which a client without a driver looks for one, in nanoseconds.
const SEEK_INTERVAL_NS: i64 = 100_000_000;
/// How old the driver's heartbeat must be before the client looks for another driver in the directory, in nanoseconds.
/// Drivers update it once a second.
const SUSPICION_NS: i64 = 2_500_000_000;

/// Why a client has no driver.
pub(super) enum Loss {
    /// The conductor was not run for this long.
    Paused { lasted_ns: i64 },
    /// The driver has timed out the client.
    TimedOut,
    /// The driver is gone.
    Driver { cause: DriverLoss, silent_ns: i64 },
    /// Another driver has replaced it.
    Restarted { silent_ns: i64, found: Box<DriverLink> },
}

/// The state of a client without a driver.
pub(super) struct Down {
    since: MonotonicNanos,
    /// Whether the client connects to a driver that it finds, or only reports it.
    reconnect: bool,
    next_look: MonotonicNanos,
    /// The previous driver.
    previous: DriverIdentity,
    /// Whether the application was told about another driver.
    told_of_restart: bool,
    /// Whether the application was told about the loss of the driver.
    told_of_loss: bool,
}

/// The client's heartbeat counter, once the driver has allocated it.
pub(super) struct HeartbeatCounter {
    id: CounterId,
    value: OwnedWord<i64>,
}

impl Conductor {
    /// Detects that the conductor was not run for longer than the driver's client liveness timeout (1002 in the
    /// reference). The client must then not store to its counters, because they may belong to others by now.
    pub(super) fn check_service_interval(&mut self, now: MonotonicNanos) -> usize {
        let lasted_ns = now.since(self.last_check);
        if lasted_ns <= self.link.liveness_timeout_ns() {
            return 0;
        }
        self.last_check = now;
        self.lose(Loss::Paused { lasted_ns }, now);
        1
    }

    /// The interval at which timeouts are checked: as configured, but often enough for the driver's client liveness
    /// timeout.
    pub(super) fn check_interval_ns(&self) -> i64 {
        self.settings.check_interval_ns.min(self.link.liveness_timeout_ns() / CHECKS_PER_LIVENESS_TIMEOUT)
    }

    fn keepalive_interval_ns(&self) -> i64 {
        self.settings.keepalive_interval_ns.min(self.link.liveness_timeout_ns() / CHECKS_PER_LIVENESS_TIMEOUT)
    }

    /// The longest time that the conductor's thread may sleep.
    pub(crate) fn longest_idle(&self) -> Duration {
        nanos(self.check_interval_ns()).max(LEAST_IDLE)
    }

    /// Does the periodic work. Returns the work count.
    pub(super) fn check_timeouts(&mut self, now: MonotonicNanos, now_ms: EpochMillis) -> usize {
        if now.since(self.last_check) < self.check_interval_ns() {
            return 0;
        }
        self.last_check = now;
        let mut work = 0;
        if self.is_connected() {
            if now.since(self.last_keepalive) >= self.keepalive_interval_ns() {
                self.last_keepalive = now;
                work += self.watch_driver(now, now_ms);
                work += self.show_life(now, now_ms);
            } else if self.heartbeat.is_none() {
                work += self.find_heartbeat_counter(now_ms);
            }
            work += self.retry_restores(now);
        }
        work += self.expire_requests(now);
        work + self.logs.expire(now)
    }

    /// Checks whether the driver is alive. Compares its heartbeat with the last one seen, not with the wall clock, so
    /// that a step of the clock does not look like a dead driver.
    fn watch_driver(&mut self, now: MonotonicNanos, now_ms: EpochMillis) -> usize {
        let heartbeat = self.link.heartbeat();
        let shut_down = heartbeat == DriverState::SHUT_DOWN_HEARTBEAT;
        if !shut_down && heartbeat != self.driver_seen.0 {
            self.driver_seen = (heartbeat, now);
        }
        let silent_ns = now.since(self.driver_seen.1);
        if shut_down {
            self.lose(Loss::Driver { cause: DriverLoss::ShutDown, silent_ns }, now);
            return 1;
        }
        if silent_ns >= SUSPICION_NS.min(self.settings.driver_timeout_ns)
            && let Ok(Found::Driver(found)) = self.finder.find(now, now_ms)
            && found.identity() != self.link.identity()
        {
            self.lose(Loss::Restarted { silent_ns, found }, now);
            return 1;
        }
        if silent_ns > self.settings.driver_timeout_ns {
            self.lose(Loss::Driver { cause: DriverLoss::Silent, silent_ns }, now);
            return 1;
        }
        0
    }

    /// Stores the client's heartbeat, if the driver has allocated a counter for it.
    fn show_life(&mut self, now: MonotonicNanos, now_ms: EpochMillis) -> usize {
        if !self.is_connected() {
            return 0;
        }
        let Some(heartbeat) = &self.heartbeat else { return self.find_heartbeat_counter(now_ms) };
        if !self.link.is_own_heartbeat(heartbeat.id) {
            self.lose(Loss::TimedOut, now);
            return 1;
        }
        // ORDERING(client.heartbeat): Release, as the layout has it; the driver acts on the value alone.
        heartbeat.value.store_release(now_ms.get());
        0
    }

    /// Finds the heartbeat counter. The driver allocates it when it executes the client's first command that creates
    /// something.
    fn find_heartbeat_counter(&mut self, now_ms: EpochMillis) -> usize {
        let Some((id, value)) = self.link.find_own_heartbeat() else { return 0 };
        value.store_release(now_ms.get());
        let version = env!("CARGO_PKG_VERSION");
        let suffix = format!(" name={} version={version} commit=", self.settings.client_name);
        self.link.counters.append_label(id, &suffix);
        self.heartbeat = Some(HeartbeatCounter { id, value });
        1
    }

    fn expire_requests(&mut self, now: MonotonicNanos) -> usize {
        let waited = Duration::from_nanos(self.settings.driver_timeout_ns.unsigned_abs());
        let mut expired = 0;
        let late: Vec<_> = self
            .questions
            .iter()
            .filter(|(_, question)| question.answer.is_none() && now >= question.deadline)
            .map(|(id, question)| (*id, question.request.clone()))
            .collect();
        for (id, request) in late {
            expired += 1;
            self.answer(id, Err(AddError::NoAnswer { request, waited }), now);
        }
        let late: Vec<ResourceKey> = self
            .resources
            .iter()
            .filter(|(_, resource)| matches!(resource.phase, Phase::Adding { deadline, .. } if now >= deadline))
            .map(|(key, _)| *key)
            .collect();
        for key in late {
            expired += 1;
            let resource = &self.resources[&key];
            if let Phase::Adding { correlation_id, deadline, .. } = resource.phase {
                self.abandon(correlation_id, deadline, resource.wanted.undo());
            }
            let error = AddError::NoAnswer { request: self.describe(key), waited };
            self.fail(key, error, now);
        }
        expired
    }

    /// Closes all handles, because the client has no driver or is no longer registered with it.
    pub(super) fn lose(&mut self, loss: Loss, now: MonotonicNanos) {
        if !self.is_connected() {
            return;
        }
        let mut told_of_loss = true;
        let mut found_driver = None;
        let event = match loss {
            Loss::Paused { lasted_ns } => {
                told_of_loss = false;
                ClientEvent::Paused { lasted: nanos(lasted_ns), allowed: nanos(self.link.liveness_timeout_ns()) }
            }
            Loss::TimedOut => {
                told_of_loss = false;
                ClientEvent::TimedOut { client_id: self.link.client_id() }
            }
            Loss::Driver { cause, silent_ns } => ClientEvent::DriverLost { cause, silent_for: nanos(silent_ns) },
            Loss::Restarted { silent_ns, found } => {
                let pid = found.identity().pid;
                found_driver = Some(found);
                ClientEvent::DriverRestarted { down_for: nanos(silent_ns), pid }
            }
        };
        // The driver may not have noticed yet, also one that was only stopped for a while. It should not wait for a client
        // that will return with another id. If this fails, the driver finds out by its timeout. If it is gone, nobody
        // reads this.
        let _ = self.link.send(&Command::ClientClose(ClientClose::new(self.link.client_id())));
        self.notices.push_back(Notice::Event(event));
        self.down_all(now);
        let told_of_restart = found_driver.is_some();
        self.state = State::Down(Down {
            since: now,
            reconnect: self.settings.reconnect_in_place,
            next_look: now,
            previous: self.link.identity(),
            told_of_restart,
            told_of_loss,
        });
        if let Some(found) = found_driver
            && self.settings.reconnect_in_place
        {
            self.adopt(*found, now);
        }
    }

    /// Moves all handles and requests to the state after a loss.
    fn down_all(&mut self, now: MonotonicNanos) {
        self.heartbeat = None;
        self.restoring = None;
        self.by_registration.clear();
        self.abandoned.clear();
        self.unsent.clear();
        self.questions.retain(|_, question| question.wanted);
        for question in self.questions.values_mut() {
            question.answer.get_or_insert_with(|| Err(AddError::NoDriver { request: question.request.clone() }));
        }
        for resource in self.resources.values_mut() {
            let Resource { wanted, phase, bound, destinations, .. } = resource;
            destinations.lose(now);
            if let Some(bound) = bound {
                Self::close_bound(bound, wanted.handlers(), &mut self.notices);
            }
            *phase = match std::mem::replace(phase, Phase::Failed(None)) {
                Phase::Live { registration_id, .. } => Phase::Down { was: registration_id, retry_at: now },
                Phase::Adding { was: Some(was), .. } => Phase::Down { was, retry_at: now },
                Phase::Adding { was: None, .. } => {
                    Phase::Failed(Some(AddError::NoDriver { request: wanted.describe() }))
                }
                phase @ (Phase::Down { .. } | Phase::Failed(_)) => phase,
            };
        }
        self.logs.orphan_all(now);
    }

    /// Requests a reconnection, if the client has no driver. Returns whether it has none.
    pub(crate) fn reconnect(&mut self) -> bool {
        match &mut self.state {
            State::Down(down) => {
                down.reconnect = true;
                down.next_look = MonotonicNanos::new(i64::MIN);
                true
            }
            State::Connected | State::Closed => false,
        }
    }

    /// Looks for a driver. Connects to it if reconnecting is allowed.
    pub(super) fn seek_driver(&mut self, now: MonotonicNanos, now_ms: EpochMillis) -> usize {
        let State::Down(down) = &mut self.state else { return 0 };
        if now < down.next_look {
            return 0;
        }
        down.next_look = now.saturating_add_ns(SEEK_INTERVAL_NS);
        let (heartbeat, first_seen) = self.driver_seen;
        let silent_ns = now.since(first_seen);
        let is_silent = |found: &DriverLink| {
            silent_ns > self.settings.driver_timeout_ns
                && (found.identity(), found.heartbeat()) == (down.previous, heartbeat)
        };
        let found = match self.finder.find(now, now_ms) {
            // The wall clock was set back, which makes its heartbeat look younger than this client knows it to be.
            Ok(Found::Driver(found)) if is_silent(&found) => {
                Ok(Found::NotYet(Missing::Heartbeat(Some(silent_ns / 1_000_000))))
            }
            found => found,
        };
        match found {
            Ok(Found::Driver(found)) => {
                let identity = found.identity();
                if identity != down.previous && !down.told_of_restart {
                    down.told_of_restart = true;
                    let down_for = nanos(now.since(self.driver_seen.1));
                    let event = ClientEvent::DriverRestarted { down_for, pid: identity.pid };
                    self.notices.push_back(Notice::Event(event));
                }
                if down.reconnect {
                    self.adopt(*found, now);
                    return 1;
                }
            }
            Ok(Found::NotYet(_)) => {
                // After a pause the driver may just wake up more slowly than this process.
                if !down.told_of_loss && now.since(down.since) >= SUSPICION_NS {
                    down.told_of_loss = true;
                    let shut_down = self.link.heartbeat() == DriverState::SHUT_DOWN_HEARTBEAT;
                    let cause = if shut_down { DriverLoss::ShutDown } else { DriverLoss::Silent };
                    let silent_for = nanos(now.since(self.driver_seen.1));
                    self.notices.push_back(Notice::Event(ClientEvent::DriverLost { cause, silent_for }));
                }
            }
            Err(error) => {
                if down.reconnect {
                    down.reconnect = false;
                    self.report(ClientError::Connect(error));
                }
            }
        }
        0
    }

    /// Connects to a driver that was found, and adds everything again.
    fn adopt(&mut self, link: DriverLink, now: MonotonicNanos) {
        let since = match &self.state {
            State::Down(down) => down.since,
            State::Connected | State::Closed => now,
        };
        let past = std::mem::replace(&mut self.link, link);
        let other_driver = past.identity() != self.link.identity();
        self.logs.orphan_cnc(past.bells, now);
        self.state = State::Connected;
        self.epoch = self.epoch.wrapping_add(1);
        self.last_check = now;
        self.last_keepalive = now;
        self.driver_seen = (self.link.heartbeat(), now);
        self.begin_restoring(since, other_driver, now);
    }

    /// Closes the client for good: closes all handles and tells the driver. Handlers of subscriptions are not called
    /// any more; they are returned.
    pub(crate) fn close(&mut self, now: MonotonicNanos) -> Gone {
        let mut gone = Gone::default();
        if self.is_closed() {
            return gone;
        }
        // No heartbeat after this, or the driver would consider the client alive (trap 72).
        self.heartbeat = None;
        if self.is_connected() {
            let live: Vec<_> = self
                .resources
                .values()
                .filter_map(|resource| match resource.phase {
                    Phase::Live { registration_id, .. } => Some((registration_id, resource.wanted.undo())),
                    _ => None,
                })
                .collect();
            for (registration_id, undo) in live {
                self.undo(registration_id, undo);
            }
            // If the ring is full, the driver finds out by its timeout.
            let _ = self.link.send(&Command::ClientClose(ClientClose::new(self.link.client_id())));
        }
        self.down_all(now);
        for resource in self.resources.values_mut() {
            if let Phase::Failed(Some(error)) = &mut resource.phase {
                *error = AddError::Closed { request: resource.wanted.describe() };
            }
            if let Wanted::Subscription { handlers, .. } = &mut resource.wanted {
                gone.add(std::mem::take(handlers));
            }
        }
        for question in self.questions.values_mut() {
            if let Some(Err(AddError::NoDriver { .. })) = question.answer {
                question.answer = Some(Err::<Answer, _>(AddError::Closed { request: question.request.clone() }));
            }
        }
        self.logs.clear();
        self.state = State::Closed;
        self.notices.push_back(Notice::Closed);
        gone
    }
}

fn nanos(duration_ns: i64) -> Duration {
    Duration::from_nanos(duration_ns.max(0).unsigned_abs())
}
