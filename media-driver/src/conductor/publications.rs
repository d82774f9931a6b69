//! All IPC publications, oldest first, and what can be asked of them together. Called by the conductor's commands and timers.

use std::collections::HashSet;

use gannet::types::{RegistrationId, SessionId, StreamId};

use crate::ipc::{IpcPublication, State};

/// The registry.
#[derive(Debug, Default)]
pub(super) struct PublicationRegistry {
    all: Vec<IpcPublication>,
}

impl PublicationRegistry {
    /// Adds one.
    pub(super) fn add(&mut self, publication: IpcPublication) -> &mut IpcPublication {
        self.all.push(publication);
        self.all.last_mut().expect("it was just added")
    }

    /// How many there are, in whatever state.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The one with this original registration id.
    pub(super) fn get_mut(&mut self, registration_id: RegistrationId) -> Option<&mut IpcPublication> {
        self.all.iter_mut().find(|publication| publication.registration_id() == registration_id)
    }

    /// The same, to look at.
    pub(super) fn get(&self, registration_id: RegistrationId) -> Option<&IpcPublication> {
        self.all.iter().find(|publication| publication.registration_id() == registration_id)
    }

    /// The one in this place.
    pub(super) fn at_mut(&mut self, index: usize) -> Option<&mut IpcPublication> {
        self.all.get_mut(index)
    }

    /// Takes those out that have come to their end, oldest first. All at once: there may be very many.
    pub(super) fn take_done(&mut self) -> Vec<IpcPublication> {
        self.all.extract_if(.., |publication| publication.state() == State::Done).collect()
    }

    /// All of them.
    #[inline]
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut IpcPublication> {
        self.all.iter_mut()
    }

    /// Those of the stream.
    pub(super) fn of_stream(&mut self, stream_id: StreamId) -> impl Iterator<Item = &mut IpcPublication> {
        self.all.iter_mut().filter(move |publication| publication.stream_id() == stream_id)
    }

    /// The publication of the stream that another client with the same response correlation id may hold too.
    pub(super) fn shareable(&self, stream_id: StreamId, response_correlation_id: i64) -> Option<&IpcPublication> {
        self.all.iter().find(|publication| {
            publication.stream_id() == stream_id
                && publication.is_shareable()
                && publication.response_correlation_id() == response_correlation_id
        })
    }

    /// The sessions that are taken on the stream.
    pub(super) fn sessions_of(&self, stream_id: StreamId) -> HashSet<SessionId> {
        self.all
            .iter()
            .filter(|publication| publication.stream_id() == stream_id && publication.occupies_session())
            .map(IpcPublication::session_id)
            .collect()
    }
}
