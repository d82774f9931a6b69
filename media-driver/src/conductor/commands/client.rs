//! Commands about the client itself, and how a client becomes known.

use gannet::command::{ErrorCode, Event, OnCounter};
use gannet::types::{ClientId, RegistrationId};

use crate::conductor::Core;
use crate::conductor::error::CommandError;

impl Core {
    /// The client creates something for the first time: it gets a heartbeat counter, and is watched from now on (trap 29).
    pub(super) fn register_client(&mut self, id: ClientId) -> Result<(), CommandError> {
        if self.clients.is_full() {
            return Err(CommandError::Full { what: "clients", capacity: self.config.capacity.clients });
        }
        let heartbeat = self.counters.allocate_heartbeat(self.now.epoch, id)?;
        self.events.send(&Event::CounterReady(OnCounter {
            registration_id: RegistrationId::new(id.get()),
            counter_id: heartbeat.id,
        }));
        self.clients.add(id, heartbeat);
        Ok(())
    }

    /// Older clients say so instead of storing it.
    pub(super) fn on_client_keepalive(&mut self, id: ClientId) {
        let now = self.now.epoch.get();
        if let Some(client) = self.clients.get(id) {
            client.heartbeat.value.store_release(now);
        }
    }

    /// The client goes. The next tick takes back what it holds; nothing is answered (trap 30), nor is what it waits for.
    pub(super) fn on_client_close(&mut self, id: ClientId) {
        self.forget_waiting(id);
        if let Some(client) = self.clients.get(id) {
            client.closed = true;
            client.heartbeat.value.store_release(0);
        }
    }

    /// The client is gone: its command that waits for a name or a log is carried out no more, nor are those behind it.
    pub(in crate::conductor) fn forget_waiting(&mut self, id: ClientId) {
        self.network.forget_waiting(id);
        self.awaiting_logs.forget(id);
        self.deferred.forget(id);
    }

    /// A client wants the driver to stop. Nothing is answered (trap 30): why it goes on is told in the error log.
    pub(super) fn on_terminate(&mut self, token: &[u8]) {
        if self.config.termination.permits(token) {
            self.termination_requested = true;
        } else {
            let reason = self.config.termination.refusal();
            self.report(&format!("({}) TERMINATE_DRIVER: {reason}", ErrorCode::Generic.get()));
        }
    }
}
