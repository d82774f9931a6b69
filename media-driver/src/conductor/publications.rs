//! All IPC publications, oldest first, and queries over all of them. The conductor's commands and timers call this.

use std::ops::{Deref, DerefMut};

use gannet::types::{SessionId, StreamId};

use super::streams::Streams;
use crate::ipc::{IpcPublication, State};

/// The registry.
#[derive(Debug, Default)]
pub(super) struct PublicationRegistry {
    all: Streams<IpcPublication>,
}

impl PublicationRegistry {
    /// Removes the publications that have ended, oldest first. Together, because there may be very many.
    pub(super) fn take_done(&mut self) -> Vec<IpcPublication> {
        self.all.take(|publication| publication.state() == State::Done)
    }

    /// The publication of the stream that another client with the same response correlation id may share.
    pub(super) fn shareable(&self, stream_id: StreamId, response_correlation_id: i64) -> Option<&IpcPublication> {
        self.all.of_stream(stream_id).find(|publication| {
            publication.is_shareable() && publication.response_correlation_id() == response_correlation_id
        })
    }

    /// Whether a session id is in use on a stream.
    pub(super) fn is_taken(&self, stream_id: StreamId, session_id: SessionId) -> bool {
        self.all.of_session(stream_id, session_id).any(IpcPublication::occupies_session)
    }
}

impl Deref for PublicationRegistry {
    type Target = Streams<IpcPublication>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl DerefMut for PublicationRegistry {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.all
    }
}
