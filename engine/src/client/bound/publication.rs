//! The conductor's half of a concurrent publication.

use std::sync::{Arc, OnceLock, Weak};

use super::ids::PublicationIds;
use crate::client::epochs::Epochs;
use crate::client::logs::Lending;
use crate::logbuffer::{AppenderError, ConcurrentAppender, Doorbell, LogBuffers, OfferError};
use crate::memory::{AtomicBuffer, OwnedWord};
use crate::types::StreamId;

/// The half of a publication that the handle shares with the conductor.
#[derive(Debug)]
pub(crate) struct PublicationShared {
    pub(crate) bindings: Epochs<PublicationBinding>,
    pub(crate) channel: String,
    pub(crate) stream_id: StreamId,
}

/// A publication's binding in one session epoch.
#[derive(Debug)]
pub(crate) struct PublicationBinding {
    pub(crate) appender: ConcurrentAppender,
    pub(crate) doorbell: Doorbell,
    pub(crate) ids: PublicationIds,
    /// Held from the first claim on, because the end of the last claim is unknown.
    lending: OnceLock<Lending>,
    to_lend: Weak<()>,
}

impl PublicationBinding {
    pub(crate) fn new(
        ids: PublicationIds,
        log: &LogBuffers,
        lending: &Lending,
        limit: OwnedWord<i64>,
        bells: &AtomicBuffer,
    ) -> Result<Self, AppenderError> {
        let doorbell = Doorbell::of_log(log, bells);
        let (lending, to_lend) = (OnceLock::new(), Arc::downgrade(lending));
        Ok(Self { appender: ConcurrentAppender::new(log, limit)?, doorbell, ids, lending, to_lend })
    }

    /// Must be called before a claim. A claim is a slice of the log, so the log must not be vacated from then on.
    #[inline]
    pub(crate) fn lend(&self) -> Result<(), OfferError> {
        if self.lending.get().is_some() { Ok(()) } else { self.begin_to_lend() }
    }

    #[cold]
    fn begin_to_lend(&self) -> Result<(), OfferError> {
        // `None` if the log was released: this thread was suspended while the publication was closed.
        let lending = self.to_lend.upgrade().ok_or(OfferError::Closed)?;
        self.lending.get_or_init(|| lending);
        Ok(())
    }
}

impl PublicationShared {
    pub(crate) fn new(channel: String, stream_id: StreamId, binding: PublicationBinding) -> Self {
        Self { bindings: Epochs::new(binding), channel, stream_id }
    }

    pub(crate) fn renew(&self, binding: PublicationBinding) {
        self.bindings.renew(binding);
    }

    pub(crate) fn close(&self) {
        self.bindings.close();
    }
}
