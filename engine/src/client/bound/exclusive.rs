//! The conductor's half of an exclusive publication.

use std::sync::{Mutex, PoisonError};

use super::ids::PublicationIds;
use crate::client::logs::Lending;
use crate::logbuffer::{AppenderError, Doorbell, ExclusiveAppender, LogBuffers};
use crate::memory::{AtomicBuffer, OwnedWord};
use crate::sync::{AtomicI32, Ordering};

/// The half of an exclusive publication that the handle shares with the conductor.
#[derive(Debug)]
pub(crate) struct ExclusiveShared {
    /// The generation of the current binding. [`CLOSED`] if there is none.
    generation: AtomicI32,
    /// The binding that the owner has not picked up yet, and its generation.
    next: Mutex<(i32, Option<ExclusiveBinding>)>,
}

/// The generation without a binding.
pub(crate) const CLOSED: i32 = 0;

/// An exclusive publication's binding in one session epoch.
#[derive(Debug)]
pub(crate) struct ExclusiveBinding {
    pub(crate) appender: ExclusiveAppender,
    pub(crate) doorbell: Doorbell,
    pub(crate) ids: PublicationIds,
    /// Held for claims.
    _lending: Lending,
}

impl ExclusiveBinding {
    pub(crate) fn new(
        ids: PublicationIds,
        log: &LogBuffers,
        lending: Lending,
        limit: OwnedWord<i64>,
        bells: &AtomicBuffer,
    ) -> Result<Self, AppenderError> {
        let doorbell = Doorbell::of_log(log, bells);
        let appender = ExclusiveAppender::new(log, limit)?;
        doorbell.promise_to_ring(log.kind());
        Ok(Self { appender, doorbell, ids, _lending: lending })
    }
}

impl ExclusiveShared {
    pub(crate) fn new(binding: ExclusiveBinding) -> Self {
        Self { generation: AtomicI32::new(1), next: Mutex::new((1, Some(binding))) }
    }

    pub(crate) fn renew(&self, binding: ExclusiveBinding) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        // From 1 on, so that it never equals `CLOSED`, even after wrapping.
        next.0 = next.0.checked_add(1).unwrap_or(1);
        next.1 = Some(binding);
        // ORDERING(client.exclusive-generation): Release. Pairs with the Acquire load in `is_bound`; the lock publishes the
        // binding itself.
        self.generation.store(next.0, Ordering::Release);
    }

    pub(crate) fn close(&self) {
        // ORDERING(client.exclusive-generation): Release. Pairs with the Acquire load in `is_bound`.
        self.generation.store(CLOSED, Ordering::Release);
    }

    #[inline]
    pub(crate) fn is_bound(&self, generation: i32) -> bool {
        // ORDERING(client.exclusive-generation): Acquire. Pairs with the Release stores of `renew` and `close`.
        self.generation.load(Ordering::Acquire) == generation
    }

    /// Calls `look` with the appender that the owner has not picked up yet. `None` if closed.
    #[cold]
    pub(crate) fn look_at_next<T>(&self, look: impl FnOnce(&ExclusiveAppender) -> T) -> Option<T> {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let binding = next.1.as_ref().filter(|_| !self.is_bound(CLOSED))?;
        Some(look(&binding.appender))
    }

    /// Calls `look` with the binding that the owner has not picked up yet. If there is none, with the owner's.
    #[cold]
    pub(crate) fn newest<T>(&self, owners: &ExclusiveBinding, look: impl FnOnce(&ExclusiveBinding) -> T) -> T {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        look(next.1.as_ref().unwrap_or(owners))
    }

    pub(crate) fn take(&self) -> Option<(i32, ExclusiveBinding)> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let binding = next.1.take()?;
        Some((next.0, binding))
    }
}
