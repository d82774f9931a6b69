//! Publications whose logs are being made. That takes time in proportion to the log's length, a second for terms of 1
//! GiB, so commands of other clients continue meanwhile. Two kinds of commands stay behind:
//!
//! - Later commands of the same client. They may refer to the publication, and a client is answered in the order of its
//!   commands. Other clients learn of the publication from the answer at the earliest, so for them there is no order to
//!   keep.
//! - Commands that add a publication on the same stream, from any client. It may be the same publication, to be shared,
//!   or name the same session id, which only one publication may have.
//!
//! The conductor calls this. It makes no requests itself, and has room for the logs that may be under way at once, and
//! no more.

use std::path::PathBuf;

use gannet::channel_uri::ChannelUri;
use gannet::command::Command;
use gannet::types::{ClientId, CorrelationId, RegistrationId, SessionId, StreamId};

use super::params::{IpcPublicationParams, Start};
use crate::mailbox::{EndpointId, LOGS_LIMIT};

/// A publication that waits for its log.
#[derive(Debug)]
pub(super) struct AwaitingLog {
    pub(super) client_id: ClientId,
    pub(super) correlation_id: CorrelationId,
    pub(super) stream_id: StreamId,
    pub(super) exclusive: bool,
    pub(super) uri: Box<ChannelUri>,
    pub(super) params: Box<IpcPublicationParams>,
    /// The endpoint of a network publication. `None` for IPC.
    pub(super) endpoint: Option<EndpointId>,
    pub(super) session_id: SessionId,
    pub(super) start: Start,
    pub(super) path: PathBuf,
    /// Whether its client still exists.
    pub(super) is_wanted: bool,
}

impl AwaitingLog {
    pub(super) fn registration_id(&self) -> RegistrationId {
        self.correlation_id.registration()
    }

    /// The name of the command that adds it.
    pub(super) fn command(&self) -> &'static str {
        if self.exclusive { "ADD_EXCLUSIVE_PUBLICATION" } else { "ADD_PUBLICATION" }
    }
}

/// All publications that wait for their logs.
#[derive(Debug, Default)]
pub(super) struct AwaitingLogs {
    all: Vec<AwaitingLog>,
}

impl AwaitingLogs {
    pub(super) fn push(&mut self, awaiting: AwaitingLog) {
        self.all.push(awaiting);
    }

    /// Removes the publication whose log was created or failed.
    pub(super) fn take(&mut self, registration_id: RegistrationId) -> Option<AwaitingLog> {
        let index = self.all.iter().position(|awaiting| awaiting.registration_id() == registration_id)?;
        Some(self.all.swap_remove(index))
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether the limit of waiting publications is reached.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.all.len() >= LOGS_LIMIT
    }

    /// Whether a publication with this id is waiting.
    pub(super) fn holds(&self, registration_id: RegistrationId) -> bool {
        self.all.iter().any(|awaiting| awaiting.registration_id() == registration_id)
    }

    /// Whether a waiting publication uses this endpoint.
    pub(super) fn uses(&self, endpoint: EndpointId) -> bool {
        self.all.iter().any(|awaiting| awaiting.endpoint == Some(endpoint))
    }

    /// Whether a waiting publication has this session id, on any stream.
    pub(super) fn is_taken(&self, session_id: SessionId) -> bool {
        self.all.iter().any(|awaiting| awaiting.session_id == session_id)
    }

    /// Whether a publication of this client is waiting.
    pub(super) fn is_waiting(&self, client_id: ClientId) -> bool {
        self.all.iter().any(|awaiting| awaiting.is_wanted && awaiting.client_id == client_id)
    }

    /// Whether a publication of this stream is waiting. Others on the stream must then wait, too.
    pub(super) fn is_of_stream(&self, stream_id: StreamId) -> bool {
        self.all.iter().any(|awaiting| awaiting.is_wanted && awaiting.stream_id == stream_id)
    }

    /// Whether a command must wait for one of them, whoever sends it.
    pub(super) fn holds_back(&self, command: &Command<'_>) -> bool {
        match command {
            Command::AddPublication(add) | Command::AddExclusivePublication(add) => self.is_of_stream(add.stream_id),
            _ => false,
        }
    }

    /// The client is gone. Its logs are discarded when they have been created.
    pub(super) fn forget(&mut self, client_id: ClientId) {
        for awaiting in self.all.iter_mut().filter(|awaiting| awaiting.client_id == client_id) {
            awaiting.is_wanted = false;
        }
    }
}
