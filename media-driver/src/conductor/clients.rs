//! Which clients there are, when each was last alive, and what each holds. A client is known from its first command that
//! creates something; until then it has no heartbeat and cannot time out (trap 29). Called by the conductor; frees nothing
//! itself, but hands what a dead client held to whoever does.

use gannet::time::EpochMillis;
use gannet::types::{ClientId, CounterId, RegistrationId};

use crate::shared::Counter;

/// A client that holds something.
#[derive(Debug)]
pub(super) struct Client {
    /// Its name.
    pub(super) id: ClientId,
    /// The counter that it stores the time in, in milliseconds since 1970.
    pub(super) heartbeat: Counter,
    /// Whether it said that it goes.
    pub(super) closed: bool,
    /// Its publications: the id under which it holds each, and the publication's own.
    pub(super) publications: Vec<PublicationLink>,
    /// Its counters, oldest first.
    pub(super) counters: Vec<OwnedCounter>,
}

/// One hold on a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PublicationLink {
    /// The command that asked for it.
    pub(super) registration_id: RegistrationId,
    /// The publication: the command of whoever added it first.
    pub(super) original_registration_id: RegistrationId,
}

/// A counter that a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OwnedCounter {
    /// The command that asked for it.
    pub(super) registration_id: RegistrationId,
    /// The counter.
    pub(super) counter_id: CounterId,
}

/// All clients, oldest first.
#[derive(Debug)]
pub(super) struct ClientRegistry {
    clients: Vec<Client>,
    capacity: usize,
    liveness_timeout_ms: i64,
}

impl ClientRegistry {
    /// A client that was silent for longer than the timeout is given up; less than a millisecond counts as one.
    pub(super) fn new(capacity: usize, liveness_timeout_ns: i64) -> Self {
        Self { clients: Vec::new(), capacity, liveness_timeout_ms: (liveness_timeout_ns / 1_000_000).max(1) }
    }

    /// Whether one more would be too many.
    pub(super) fn is_full(&self) -> bool {
        self.clients.len() >= self.capacity
    }

    /// The client, if it is known.
    pub(super) fn get(&mut self, id: ClientId) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.id == id)
    }

    /// Adds a client that is not known yet, alive now.
    pub(super) fn add(&mut self, id: ClientId, heartbeat: Counter) {
        self.clients.push(Client { id, heartbeat, closed: false, publications: Vec::new(), counters: Vec::new() });
    }

    /// Takes out the oldest client that has closed or was silent for too long. `None` when all live.
    pub(super) fn take_gone(&mut self, now: EpochMillis) -> Option<Client> {
        let timeout = self.liveness_timeout_ms;
        let gone = self.clients.iter().position(|client| {
            // The client stores the time here, or anything at all.
            let heartbeat = EpochMillis::new(client.heartbeat.value.load_acquire());
            client.closed || now > heartbeat.saturating_add_ms(timeout)
        })?;
        Some(self.clients.remove(gone))
    }

    /// How many holds on publications all clients have together.
    pub(super) fn publication_links(&self) -> usize {
        self.clients.iter().map(|client| client.publications.len()).sum()
    }

    /// Whether any client holds a publication or has a counter under this id.
    pub(super) fn holds(&self, registration_id: RegistrationId) -> bool {
        self.clients.iter().any(|client| {
            client.publications.iter().any(|link| link.registration_id == registration_id)
                || client.counters.iter().any(|counter| counter.registration_id == registration_id)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gannet::memory::{AtomicBuffer, Field};

    fn registry_with(heartbeats: &[i64]) -> ClientRegistry {
        let mut registry = ClientRegistry::new(8, 10_000_000_000);
        for (id, heartbeat) in (1..).zip(heartbeats) {
            let value = AtomicBuffer::heap(8).own(Field::<i64>::at(0));
            value.store_release(*heartbeat);
            registry.add(ClientId::new(id), Counter { id: CounterId::new(0), value });
        }
        registry
    }

    fn gone(registry: &mut ClientRegistry, now_ms: i64) -> Vec<i64> {
        std::iter::from_fn(|| registry.take_gone(EpochMillis::new(now_ms))).map(|client| client.id.get()).collect()
    }

    #[test]
    fn silence_past_the_timeout_ends_a_client() {
        let mut registry = registry_with(&[1_000, 500, 1_000]);
        assert_eq!(gone(&mut registry, 10_500), []);
        assert_eq!(gone(&mut registry, 10_501), [2]);
        assert_eq!(gone(&mut registry, 11_001), [1, 3]);
        assert!(registry.get(ClientId::new(1)).is_none());
    }

    /// Trap 67: heartbeats are wall clock; a step back delays the timeout, a step forwards past it kills.
    #[test]
    fn trap_67_the_wall_clock_may_step() {
        let mut registry = registry_with(&[100_000]);
        assert_eq!(gone(&mut registry, 50_000), []);
        assert_eq!(gone(&mut registry, 110_001), [1]);
    }

    /// Trap 72: a client that said that it goes is gone, even if its heartbeat is stored once more.
    #[test]
    fn trap_72_a_closed_client_is_gone_whatever_it_stores() {
        let mut registry = registry_with(&[1_000]);
        registry.get(ClientId::new(1)).unwrap().closed = true;
        assert_eq!(gone(&mut registry, 1_001), [1]);
    }

    #[test]
    fn a_heartbeat_of_any_value_is_harmless() {
        let mut registry = registry_with(&[i64::MIN, i64::MAX, 0]);
        assert_eq!(gone(&mut registry, 20_000), [1, 3]);
    }
}
