//! The state that a client shares with all its handles: the conductor and the handlers, each behind a lock, and the
//! clock. All threads that run the conductor use it: the client's own thread, a thread that waits in a call, and the
//! application's invoker.
//!
//! The conductor's lock is held for one step at a time and never while a handler runs, so a handler may call the
//! client. The handlers' lock is only ever tried. A thread that needs both takes the handlers' lock first.

use core::fmt;
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};

use super::bound::Bound;
use super::conductor::{Answer, Conductor, DestinationChange, ResourceKey, Wanted};
use super::context::{DriverInvoker, Handlers};
use super::endpoint;
use super::error::{AddError, Request};
use crate::command::{Command, GetNextAvailableSessionId};
use crate::counters::{ChannelStatus, CountersReader};
use crate::time::{Clock, MonotonicNanos};
use crate::types::{ClientId, CorrelationId, CounterId, RegistrationId, SessionId, StreamId};

/// The longest sleep between two checks in a call that waits for the driver.
const LONGEST_WAIT: Duration = Duration::from_millis(1);
/// The shortest such sleep.
const SHORTEST_WAIT: Duration = Duration::from_micros(20);

/// The number of such sleeps before a request is repeated that the driver could not grant yet.
const RETRY_TURNS: usize = 20;
/// The longest sleep of a thread that must run the conductor.
const LONGEST_INVOKED_SLEEP: Duration = Duration::from_millis(1);

pub(super) struct ClientCore {
    conductor: Mutex<Conductor>,
    handlers: Mutex<Handlers>,
    clock: Box<dyn Clock + Send + Sync>,
    /// Wakes the conductor's thread and waiting calls.
    wake: Condvar,
    /// Whether the application runs the conductor.
    invoked: bool,
    /// Runs the driver, if waiting calls must do that.
    driver: Option<Mutex<DriverInvoker>>,
}

impl fmt::Debug for ClientCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCore").finish_non_exhaustive()
    }
}

impl ClientCore {
    pub(super) fn new(
        conductor: Conductor,
        handlers: Handlers,
        clock: Box<dyn Clock + Send + Sync>,
        invoked: bool,
        driver: Option<DriverInvoker>,
    ) -> Self {
        let (conductor, handlers, wake) = (Mutex::new(conductor), Mutex::new(handlers), Condvar::new());
        Self { conductor, handlers, clock, wake, invoked, driver: driver.map(Mutex::new) }
    }

    pub(super) fn conductor(&self) -> MutexGuard<'_, Conductor> {
        // A panic while the lock is held is a bug in this crate. Handles must still be able to close.
        self.conductor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> MonotonicNanos {
        self.clock.monotonic()
    }

    /// Runs one duty cycle of the conductor, and then the handlers. Returns the work count.
    pub(super) fn service(&self) -> usize {
        let mut conductor = self.conductor();
        // Loaded under the lock, so that the time never goes backwards between two duty cycles.
        let work = conductor.do_work(self.clock.monotonic(), self.clock.epoch());
        let (notices, pages) = (conductor.has_notices(), conductor.next_pages());
        drop(conductor);
        if notices {
            self.notify_handlers();
        }
        match pages {
            Some(pages) => {
                pages.fetch();
                work + 1
            }
            None => work,
        }
    }

    /// Runs one duty cycle of the driver and of the conductor, if waiting calls must do that.
    pub(super) fn service_if_invoked(&self) {
        self.invoke_driver();
        if self.invoked {
            self.service();
        }
    }

    /// Runs the driver once, if waiting calls must do that. Does nothing if another thread is running it, or if this is
    /// a call from within it.
    fn invoke_driver(&self) -> usize {
        let driver = self.driver.as_ref().and_then(lock_if_free);
        driver.map_or(0, |mut invoke| invoke())
    }

    /// The longest time that a thread may sleep. Shorter for a thread that must run the driver or the conductor.
    pub(super) fn longest_sleep(&self) -> Duration {
        if self.invoked || self.driver.is_some() { LONGEST_INVOKED_SLEEP } else { Duration::MAX }
    }

    /// Calls the handlers for all pending notices. If another thread is doing that, or if this is a call from within a
    /// handler, that thread also delivers the new notices.
    fn notify_handlers(&self) {
        loop {
            let Some(mut handlers) = lock_if_free(&self.handlers) else { return };
            while let Some(notice) = self.next_notice() {
                notice.deliver(&mut handlers);
            }
            drop(handlers);
            // Another thread may have found the lock taken after the last check above.
            if !self.conductor().has_notices() {
                return;
            }
        }
    }

    fn next_notice(&self) -> Option<super::notice::Notice> {
        self.conductor().next_notice()
    }

    /// Sleeps until there may be work, at most for `longest`, unless the client is closed. For the conductor's thread.
    pub(super) fn idle(&self, longest: Duration) {
        let conductor = self.conductor();
        if !conductor.is_closed() {
            let longest = longest.min(conductor.longest_idle());
            // A spurious or late wake-up does not matter.
            let _ = self.wake.wait_timeout(conductor, longest);
        }
    }

    /// Closes the client for good.
    pub(super) fn close(&self) {
        let gone = self.conductor().close(self.now());
        self.wake.notify_all();
        drop(gone);
        self.notify_handlers();
    }

    /// As [`Self::close`], but calls no handler, now or later, and lets go of them.
    pub(super) fn close_quietly(&self) {
        let mut conductor = self.conductor();
        let gone = conductor.close(self.now());
        // No further notices follow.
        let notices: Vec<_> = std::iter::from_fn(|| conductor.next_notice()).collect();
        drop(conductor);
        self.wake.notify_all();
        // They may own handles, whose drop takes the client's lock.
        drop((gone, notices));
        let handlers = lock_if_free(&self.handlers).map(|mut handlers| std::mem::take(&mut *handlers));
        drop(handlers);
    }

    /// Releases a resource whose handle is gone.
    pub(super) fn release(&self, key: ResourceKey, revoke: bool) {
        let mut conductor = self.conductor();
        let gone = conductor.remove(key, revoke, self.now());
        let notices = conductor.has_notices();
        drop(conductor);
        drop(gone);
        if notices {
            self.notify_handlers();
        }
    }

    /// Adds a resource without waiting for the driver's answer.
    pub(super) fn add(&self, wanted: Wanted) -> Result<ResourceKey, AddError> {
        // If that fails, they are dropped here, outside the lock: see `Gone`.
        let handlers = wanted.handlers().cloned();
        let added = self.conductor().add(wanted, self.now());
        drop(handlers);
        added
    }

    /// The deadline of a request that is made now.
    pub(super) fn deadline(&self) -> MonotonicNanos {
        self.conductor().deadline(self.now())
    }

    /// Adds a resource, and waits for space in the command ring until the deadline.
    pub(super) fn add_when_there_is_room(
        &self,
        wanted: impl Fn() -> Wanted,
        deadline: MonotonicNanos,
    ) -> Result<ResourceKey, AddError> {
        self.wait_for(|conductor| {
            let now = self.now();
            match conductor.add(wanted(), now) {
                Err(AddError::RingFull { .. }) if now < deadline => None,
                outcome => Some(outcome),
            }
        })
    }

    /// Waits for a moment and runs the conductor.
    pub(super) fn pass_time(&self) {
        let mut turns = 0;
        self.wait_for(|_| {
            turns += 1;
            (turns > RETRY_TURNS).then_some(())
        });
    }

    pub(super) fn is_closed(&self) -> bool {
        self.conductor().is_closed()
    }

    /// Requests a reconnection; see the conductor's method.
    pub(super) fn reconnect(&self) -> bool {
        let down = self.conductor().reconnect();
        self.wake.notify_all();
        down
    }

    /// The added resource, once the driver has answered.
    pub(super) fn added(&self, key: ResourceKey) -> Option<Result<Bound, AddError>> {
        let added = self.conductor().added(key);
        added.map(|added| added.map_err(|(error, _)| error))
    }

    /// Waits until `done` returns a result. Runs the conductor meanwhile, and the driver if necessary. The conductor's
    /// own timeouts limit the wait.
    pub(super) fn wait_for<T>(&self, mut done: impl FnMut(&mut Conductor) -> Option<T>) -> T {
        /// A handler may panic during the wait.
        struct Waiting<'a>(&'a ClientCore);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.conductor().end_waiting();
            }
        }
        self.conductor().begin_to_wait();
        let _waiting = Waiting(self);
        let mut pause = SHORTEST_WAIT;
        loop {
            let work = self.invoke_driver() + self.service();
            let mut conductor = self.conductor();
            if let Some(outcome) = done(&mut conductor) {
                return outcome;
            }
            pause = if work > 0 { SHORTEST_WAIT } else { (pause * 2).min(LONGEST_WAIT) };
            let _ = self.wake.wait_timeout(conductor, pause);
        }
    }

    /// Sends a command that creates no resource, and waits for the answer.
    pub(super) fn ask<'a>(
        &self,
        request: Request,
        command: impl FnOnce(ClientId, CorrelationId) -> Command<'a>,
    ) -> Result<Answer, AddError> {
        let id = self.conductor().ask(request, self.now(), command)?;
        self.wait_for_answer(id)
    }

    /// Adds or removes a destination of a publication or subscription, and waits until the driver has done so. Returns
    /// the id of the change.
    pub(super) fn change_destination(
        &self,
        key: ResourceKey,
        change: DestinationChange,
    ) -> Result<RegistrationId, AddError> {
        let id = self.conductor().change_destination(key, change, self.now())?;
        self.wait_for_answer(id)?;
        Ok(id.registration())
    }

    fn wait_for_answer(&self, id: CorrelationId) -> Result<Answer, AddError> {
        /// If a handler panics during the wait, the answer is not taken. This drops it.
        struct Forget<'a>(&'a ClientCore, CorrelationId);
        impl Drop for Forget<'_> {
            fn drop(&mut self) {
                self.0.conductor().forget(self.1);
            }
        }
        let _forget = Forget(self, id);
        self.wait_for(|conductor| conductor.answer_to(id))
    }

    /// A session id that no publication on the stream uses.
    pub(super) fn next_session_id(&self, stream_id: StreamId) -> Result<SessionId, AddError> {
        let (knows_the_command, id) = {
            let conductor = self.conductor();
            (conductor.link().answers_for_session_ids(), conductor.link().next_correlation_id())
        };
        if !knows_the_command {
            return Ok(SessionId::new(scramble(self.now().get() ^ id.get().rotate_left(32)) as i32));
        }
        let answer = self.ask(Request::SessionId { stream_id }, |client_id, correlation_id| {
            Command::GetNextAvailableSessionId(GetNextAvailableSessionId { client_id, correlation_id, stream_id })
        })?;
        match answer {
            Answer::SessionId(session_id) => Ok(session_id),
            Answer::Done => Err(AddError::NoSessionId { stream_id }),
        }
    }

    /// The status of a channel's endpoint, given its counter. [`ChannelStatus::Active`] if there is no endpoint.
    pub(super) fn channel_status(&self, id: CounterId) -> ChannelStatus {
        if id == CounterId::NONE {
            return ChannelStatus::Active;
        }
        endpoint::channel_status(&self.counters(), id)
    }

    /// The addresses to which the sockets of a channel's endpoint are bound, given its status counter. Empty unless the
    /// status is active.
    pub(super) fn local_socket_addresses(&self, status: CounterId) -> Vec<SocketAddr> {
        if status == CounterId::NONE || self.channel_status(status) != ChannelStatus::Active {
            return Vec::new();
        }
        endpoint::local_socket_addresses(&self.counters(), status)
    }

    /// The counters of the present driver, or of the last one.
    pub(super) fn counters(&self) -> CountersReader {
        self.conductor().link().counters.clone()
    }

    pub(super) fn channel_of(&self, key: ResourceKey) -> Option<(String, StreamId)> {
        self.conductor().channel_of(key)
    }
}

/// Locks without waiting, also after a panic. `None` if another thread has the lock, or a caller of this one.
fn lock_if_free<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Mixes the bits of a seed: the final steps of splitmix64.
fn scramble(seed: i64) -> u64 {
    let mut bits = seed.cast_unsigned().wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
