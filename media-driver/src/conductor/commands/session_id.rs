//! A client asks for a session id that its stream does not use.

use gannet::command::{Event, GetNextAvailableSessionId, OnNextAvailableSessionId};

use crate::conductor::Core;

impl Core {
    pub(super) fn next_available_session_id(&mut self, command: &GetNextAvailableSessionId) {
        let stream_id = command.stream_id;
        let session_id = self.session_ids.peek(|session_id| {
            self.publications.is_taken(stream_id, session_id)
                || self.network.is_taken(stream_id, session_id)
                || self.awaiting_logs.is_taken(session_id)
        });
        self.session_ids.take(session_id);
        let answer = OnNextAvailableSessionId { correlation_id: command.correlation_id, session_id };
        self.events.send(&Event::NextAvailableSessionId(answer));
    }
}
