//! A stream that is added on behalf of the application by what cannot wait, such as a replay.

use std::sync::Arc;

use super::client_core::ClientCore;
use super::conductor::Wanted;
use super::error::AddError;
use super::exclusive_publication::ExclusivePublication;
use super::pending::{Handle, Pending};
use super::subscription::Subscription;
use crate::time::MonotonicNanos;
use crate::types::StreamId;

/// As [`Pending`], but asks again as long as the driver says that what it needs is only still going away (trap 28).
#[derive(Debug)]
pub(crate) struct Patient<T> {
    pending: Pending<T>,
    channel: String,
    stream_id: StreamId,
    wanted: fn(String, StreamId) -> Wanted,
    /// When it is no longer asked for again.
    deadline: MonotonicNanos,
}

impl<T> Patient<T> {
    pub(super) fn new(
        core: &Arc<ClientCore>,
        channel: &str,
        stream_id: i32,
        wanted: fn(String, StreamId) -> Wanted,
    ) -> Result<Self, AddError> {
        let (deadline, stream_id) = (core.deadline(), StreamId::new(stream_id));
        let key = core.add(wanted(channel.to_owned(), stream_id))?;
        let pending = Pending::new(Arc::clone(core), key);
        Ok(Self { pending, channel: channel.to_owned(), stream_id, wanted, deadline })
    }

    fn poll_handle(&mut self) -> Result<Option<T>, AddError>
    where
        T: Handle,
    {
        let core = Arc::clone(&self.pending.core);
        match self.pending.poll_handle() {
            Err(error) if error.may_pass() && core.now() < self.deadline => {
                let key = core.add((self.wanted)(self.channel.clone(), self.stream_id))?;
                self.pending = Pending::new(core, key);
                Ok(None)
            }
            answer => answer,
        }
    }
}

impl Patient<ExclusivePublication> {
    /// As [`Pending::poll`].
    pub(crate) fn poll(&mut self) -> Result<Option<ExclusivePublication>, AddError> {
        self.poll_handle()
    }
}

impl Patient<Subscription> {
    /// As [`Pending::poll`].
    pub(crate) fn poll(&mut self) -> Result<Option<Subscription>, AddError> {
        self.poll_handle()
    }
}
