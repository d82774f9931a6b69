//! The clients, when each was last alive, and what each holds. A client is known from its first command that creates
//! something; until then it has no heartbeat and cannot time out (trap 29). The conductor calls this. It frees nothing
//! itself, but returns what a dead client held.

use std::collections::BTreeMap;

use gannet::time::MonotonicNanos;
use gannet::types::{ClientId, CounterId, RegistrationId};

use crate::shared::Counter;

/// A client with resources.
#[derive(Debug)]
pub(super) struct Client {
    /// The client's id.
    pub(super) id: ClientId,
    /// The client's heartbeat counter, in milliseconds since 1970.
    pub(super) heartbeat: Counter,
    /// The last value of the heartbeat, and when it was first seen.
    seen: (i64, MonotonicNanos),
    /// Whether the client has sent a close command.
    pub(super) closed: bool,
    /// The client's handles of publications: from the correlation id of each add command to the publication's original
    /// registration id.
    pub(super) publications: BTreeMap<RegistrationId, RegistrationId>,
    /// The client's counters, by the correlation ids of their add commands.
    pub(super) counters: BTreeMap<RegistrationId, CounterId>,
}

impl Client {
    /// Whether the heartbeat has not changed for longer than the timeout. It is compared with the last one seen, not with the
    /// wall clock: when a machine has stood still, or its clock was set, all heartbeats look old, and their clients live.
    fn is_silent(&mut self, now: MonotonicNanos, timeout_ns: i64) -> bool {
        // Stored by the client, so it may have any value.
        let found = self.heartbeat.value.load_acquire();
        if found != self.seen.0 {
            self.seen = (found, now);
        }
        now.since(self.seen.1) > timeout_ns
    }
}

/// All clients, oldest first.
#[derive(Debug)]
pub(super) struct ClientRegistry {
    clients: Vec<Client>,
    capacity: usize,
    liveness_timeout_ns: i64,
}

impl ClientRegistry {
    /// Clients are timed out after this time without a heartbeat. A timeout of less than a millisecond counts as one.
    pub(super) fn new(capacity: usize, liveness_timeout_ns: i64) -> Self {
        Self { clients: Vec::new(), capacity, liveness_timeout_ns: liveness_timeout_ns.max(1_000_000) }
    }

    /// Whether the maximum number of clients is reached.
    pub(super) fn is_full(&self) -> bool {
        self.clients.len() >= self.capacity
    }

    /// The client, if it is known.
    pub(super) fn get(&mut self, id: ClientId) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.id == id)
    }

    /// Adds a new client, alive as of now.
    pub(super) fn add(&mut self, now: MonotonicNanos, id: ClientId, heartbeat: Counter) {
        self.clients.push(Client {
            id,
            seen: (heartbeat.value.load_acquire(), now),
            heartbeat,
            closed: false,
            publications: BTreeMap::new(),
            counters: BTreeMap::new(),
        });
    }

    /// Removes the oldest client that has closed or timed out. `None` if all are alive.
    pub(super) fn take_gone(&mut self, now: MonotonicNanos) -> Option<Client> {
        let timeout_ns = self.liveness_timeout_ns;
        let gone = self.clients.iter_mut().position(|client| client.closed || client.is_silent(now, timeout_ns))?;
        Some(self.clients.remove(gone))
    }

    /// The number of publication handles of all clients together.
    pub(super) fn publication_links(&self) -> usize {
        self.clients.iter().map(|client| client.publications.len()).sum()
    }

    /// Whether any client has a publication or a counter with this id.
    pub(super) fn holds(&self, registration_id: RegistrationId) -> bool {
        self.clients.iter().any(|client| {
            client.publications.contains_key(&registration_id) || client.counters.contains_key(&registration_id)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gannet::memory::CacheLines;

    fn registry_with(heartbeats: &[i64]) -> ClientRegistry {
        let mut registry = ClientRegistry::new(8, 10_000_000_000);
        for (id, heartbeat) in (1..).zip(heartbeats) {
            let value = CacheLines::new(1).word(0, 0);
            value.store_release(*heartbeat);
            registry.add(MonotonicNanos::new(0), ClientId::new(id), Counter { id: CounterId::new(0), value });
        }
        registry
    }

    fn gone(registry: &mut ClientRegistry, now_ms: i64) -> Vec<i64> {
        let now = MonotonicNanos::new(now_ms * 1_000_000);
        std::iter::from_fn(|| registry.take_gone(now)).map(|client| client.id.get()).collect()
    }

    fn beat(registry: &mut ClientRegistry, id: i64, heartbeat: i64) {
        registry.get(ClientId::new(id)).unwrap().heartbeat.value.store_release(heartbeat);
    }

    #[test]
    fn silence_past_the_timeout_ends_a_client() {
        let mut registry = registry_with(&[1_000, 500, 1_000]);
        assert_eq!(gone(&mut registry, 100), []);
        beat(&mut registry, 2, 1_500);
        assert_eq!(gone(&mut registry, 5_000), []);
        assert_eq!(gone(&mut registry, 10_000), [], "the timeout has to pass");
        assert_eq!(gone(&mut registry, 10_001), [1, 3]);
        assert_eq!(gone(&mut registry, 15_000), []);
        assert_eq!(gone(&mut registry, 15_001), [2]);
        assert!(registry.get(ClientId::new(2)).is_none());
    }

    /// Trap 67: heartbeats are wall clock. Wherever it steps, they change as long as their client lives.
    #[test]
    fn trap_67_the_wall_clock_may_step() {
        let mut registry = registry_with(&[100_000, 100_000]);
        for (now, heartbeat) in
            (0..).step_by(1_000).zip([100_000, 3_700_000, 3_701_000, 50_000, i64::MAX, i64::MIN, 0, 1])
        {
            beat(&mut registry, 1, heartbeat);
            assert_eq!(gone(&mut registry, now), []);
        }
        assert_eq!(gone(&mut registry, 10_001), [2], "whatever the clock shows");
        assert_eq!(gone(&mut registry, 17_001), [1]);
    }

    /// Trap 72: a client that said that it goes is gone, even if its heartbeat is stored once more.
    #[test]
    fn trap_72_a_closed_client_is_gone_whatever_it_stores() {
        let mut registry = registry_with(&[1_000]);
        registry.get(ClientId::new(1)).unwrap().closed = true;
        assert_eq!(gone(&mut registry, 1), [1]);
    }
}
