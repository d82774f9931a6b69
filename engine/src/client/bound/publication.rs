//! The conductor's half of a concurrent publication.

use std::sync::{Arc, OnceLock, Weak};

use super::ids::PublicationIds;
use crate::client::epochs::Epochs;
use crate::client::logs::Lending;
use crate::logbuffer::{AppenderError, ConcurrentAppender, Doorbell, LogBuffers, OfferError};
use crate::memory::{AtomicBuffer, OwnedWord};
use crate::types::StreamId;

/// The half of a publication that the conductor holds too.
#[derive(Debug)]
pub(crate) struct PublicationShared {
    pub(crate) bindings: Epochs<PublicationBinding>,
    pub(crate) channel: String,
    pub(crate) stream_id: StreamId,
}

/// What a publication is for one session epoch.
#[derive(Debug)]
pub(crate) struct PublicationBinding {
    pub(crate) appender: ConcurrentAppender,
    pub(crate) doorbell: Doorbell,
    pub(crate) ids: PublicationIds,
    /// Held from the first claim on, since nobody can tell when the last one ends; until then, where it is to be had.
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

    /// To be called before a claim is made: a claim is a slice of the log, under which the log must stay as it is.
    #[inline]
    pub(crate) fn lend(&self) -> Result<(), OfferError> {
        if self.lending.get().is_some() { Ok(()) } else { self.begin_to_lend() }
    }

    #[cold]
    fn begin_to_lend(&self) -> Result<(), OfferError> {
        // None if the log has been given up: the call has slept since the publication was closed.
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
