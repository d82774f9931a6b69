//! Commands about the client itself, and how a client becomes known.

use gannet::command::{ErrorCode, Event, OnCounter};
use gannet::types::{ClientId, RegistrationId};

use crate::conductor::Core;
use crate::conductor::error::CommandError;

impl Core {
    /// Registers a client that creates a resource for the first time: allocates its heartbeat counter, and monitors it
    /// from now on (trap 29).
    pub(super) fn register_client(&mut self, id: ClientId) -> Result<(), CommandError> {
        if self.clients.is_full() {
            return Err(CommandError::Full { what: "clients", capacity: self.config.capacity.clients });
        }
        let heartbeat = self.counters.allocate_heartbeat(self.now.epoch, id)?;
        self.events.send(&Event::CounterReady(OnCounter {
            registration_id: RegistrationId::new(id.get()),
            counter_id: heartbeat.id,
        }));
        self.clients.add(self.now.monotonic, id, heartbeat);
        Ok(())
    }

    /// Older clients send this instead of storing their heartbeat.
    pub(super) fn on_client_keepalive(&mut self, id: ClientId) {
        let now = self.now.epoch.get();
        if let Some(client) = self.clients.get(id) {
            client.heartbeat.value.store_release(now);
        }
    }

    /// The client closes. The next timer tick releases its resources. There is no response (trap 30), not even to
    /// waiting commands.
    pub(super) fn on_client_close(&mut self, id: ClientId) {
        self.forget_waiting(id);
        if let Some(client) = self.clients.get(id) {
            client.closed = true;
            client.heartbeat.value.store_release(0);
        }
    }

    /// Drops a client's command that waits for a name or a log, and the commands behind it.
    pub(in crate::conductor) fn forget_waiting(&mut self, id: ClientId) {
        self.network.forget_waiting(id);
        self.awaiting_logs.forget(id);
        self.deferred.forget(id);
    }

    /// A client asks the driver to stop. There is no response (trap 30); a refusal is recorded in the error log.
    pub(super) fn on_terminate(&mut self, token: &[u8]) {
        if self.config.termination.permits(token) {
            self.termination_requested = true;
        } else {
            let reason = self.config.termination.refusal();
            self.report(&format!("({}) TERMINATE_DRIVER: {reason}", ErrorCode::Generic.get()));
        }
    }
}
