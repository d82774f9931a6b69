//! Adds everything again after a reconnection: resources in the order in which they were made, then their destinations.
//! The application hears when all are there, and of each that cannot be had.

use core::time::Duration;
use std::collections::HashMap;

use super::Conductor;
use super::resource::{Named, Phase, ResourceKey};
use super::responses::Renamed;
use crate::client::driver_link::SendError;
use crate::client::error::AddError;
use crate::client::event::ClientEvent;
use crate::client::notice::Notice;
use crate::command::ErrorCode;
use crate::time::MonotonicNanos;
use crate::types::RegistrationId;

/// How long to wait before a refused restoration is tried again, in nanoseconds. The driver may still be closing the
/// previous resource.
pub(super) const RETRY_NS: i64 = 200_000_000;

/// The progress of restoring resources after a reconnection.
pub(super) struct Restoring {
    /// When the client lost its driver.
    since: MonotonicNanos,
    /// Until when a refusal is attributed to a previous resource that is still closing.
    retry_until: MonotonicNanos,
    outstanding: usize,
    restored: usize,
    failed: usize,
    /// Whether the driver is another one than before.
    pub(super) other_driver: bool,
}

impl Conductor {
    /// Begins to add everything again, for a client that had lost its driver at `since`.
    pub(super) fn begin_restoring(&mut self, since: MonotonicNanos, other_driver: bool, now: MonotonicNanos) {
        let outstanding =
            self.resources.values().filter(|resource| matches!(resource.phase, Phase::Down { .. })).count();
        self.restoring = Some(Restoring {
            since,
            retry_until: now.saturating_add_ns(self.settings.driver_timeout_ns),
            outstanding,
            restored: 0,
            failed: 0,
            other_driver,
        });
        self.retry_restores(now);
        self.finish_restoring(now);
    }

    /// Adds again the resources that are due.
    pub(super) fn retry_restores(&mut self, now: MonotonicNanos) -> usize {
        if self.restoring.is_none() {
            return 0;
        }
        let deadline = now.saturating_add_ns(self.settings.driver_timeout_ns);
        let mut sent = 0;
        let mut failed = Vec::new();
        let naming = self.resources.iter().filter(|(_, resource)| resource.named != Named::Nothing);
        let renamed: HashMap<_, _> = naming.map(|(key, resource)| (*key, self.renamed(resource.named))).collect();
        let mut stale = Vec::new();
        for (key, resource) in &mut self.resources {
            let Phase::Down { was, retry_at } = resource.phase else { continue };
            if now < retry_at {
                continue;
            }
            match renamed.get(key) {
                None | Some(Renamed::AsItIs) => {}
                Some(Renamed::To(id)) => resource.wanted.rename(*id),
                Some(Renamed::Later) => continue,
                Some(Renamed::Gone) => {
                    stale.push(*key);
                    continue;
                }
            }
            let correlation_id = self.link.next_correlation_id();
            let command = resource.wanted.command(self.link.client_id(), correlation_id);
            let outcome = self.link.send(&command);
            if outcome == Err(SendError::Full) {
                break;
            }
            resource.phase = Phase::Adding { correlation_id, deadline, was: Some(was) };
            self.by_registration.insert(correlation_id.get(), *key);
            sent += 1;
            if let Err(error) = outcome {
                failed.push((*key, error));
            }
        }
        for (key, error) in failed {
            let error = self.cannot_send(key, error);
            self.fail(key, error, now);
        }
        for key in stale {
            self.fail(key, AddError::StaleResponse { request: self.describe(key) }, now);
        }
        sent += self.restore_destinations(now);
        self.finish_restoring(now);
        sent
    }

    /// Postpones a refused restoration, if the previous resource may still be closing. Returns whether it did.
    pub(super) fn retry_restore(
        &mut self,
        key: ResourceKey,
        was: RegistrationId,
        code: ErrorCode,
        now: MonotonicNanos,
    ) -> bool {
        // This client's previous session may still occupy a session id, an endpoint or the space for a log.
        let may_pass = matches!(
            code,
            ErrorCode::InvalidChannel | ErrorCode::ResourceTemporarilyUnavailable | ErrorCode::StorageSpace
        );
        if !may_pass || !self.may_still_be_restored(now) {
            return false;
        }
        let Some(resource) = self.resources.get_mut(&key) else { return false };
        if let Phase::Adding { correlation_id, .. } = resource.phase {
            self.by_registration.remove(&correlation_id.get());
        }
        resource.phase = Phase::Down { was, retry_at: now.saturating_add_ns(RETRY_NS) };
        // The publication may have gone with the handle from which it has inherited them.
        resource.destinations.lose(now);
        true
    }

    /// Whether a refusal of a restoration may be due to a previous resource that is still closing.
    pub(super) fn may_still_be_restored(&self, now: MonotonicNanos) -> bool {
        self.restoring.as_ref().is_some_and(|restoring| now < restoring.retry_until)
    }

    /// Counts further resources to restore.
    pub(super) fn await_restored(&mut self, count: usize) {
        if let Some(restoring) = &mut self.restoring {
            restoring.outstanding += count;
        }
    }

    /// Counts one resource that was restored, or that could not be.
    pub(super) fn restored(&mut self, successfully: bool) {
        if let Some(restoring) = &mut self.restoring {
            restoring.outstanding = restoring.outstanding.saturating_sub(1);
            if successfully {
                restoring.restored += 1;
            } else {
                restoring.failed += 1;
            }
        }
    }

    /// Counts one resource that need not be restored any more.
    pub(super) fn not_to_be_restored(&mut self) {
        if let Some(restoring) = &mut self.restoring {
            restoring.outstanding = restoring.outstanding.saturating_sub(1);
        }
    }

    /// Reports when all resources are restored.
    pub(super) fn finish_restoring(&mut self, now: MonotonicNanos) {
        let Some(Restoring { since, outstanding: 0, restored, failed, .. }) = self.restoring else { return };
        self.restoring = None;
        let after = Duration::from_nanos(now.since(since).max(0).unsigned_abs());
        let event = ClientEvent::Reconnected { epoch: self.epoch, after, restored, failed };
        self.notices.push_back(Notice::Event(event));
    }
}
