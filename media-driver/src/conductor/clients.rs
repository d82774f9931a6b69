//! The clients, when each was last alive, and what each holds. A client is known from its first command that creates
//! something; until then it has no heartbeat and cannot time out (trap 29). The conductor calls this. It frees nothing
//! itself, but returns what a dead client held.

use std::collections::BTreeMap;

use gannet::time::{EpochMillis, MonotonicNanos};
use gannet::types::{ClientId, CounterId, RegistrationId};

use super::Now;
use crate::shared::Counter;

/// A client with resources.
#[derive(Debug)]
pub(super) struct Client {
    /// The client's id.
    pub(super) id: ClientId,
    /// The client's heartbeat counter, in milliseconds since 1970.
    pub(super) heartbeat: Counter,
    /// The last value of the heartbeat, and when it was first seen.
    seen: Option<(i64, MonotonicNanos)>,
    /// Whether the client has sent a close command.
    pub(super) closed: bool,
    /// The client's handles of publications: from the correlation id of each add command to the publication's original
    /// registration id.
    pub(super) publications: BTreeMap<RegistrationId, RegistrationId>,
    /// The client's counters, by the correlation ids of their add commands.
    pub(super) counters: BTreeMap<RegistrationId, CounterId>,
}

impl Client {
    /// Whether the heartbeat has not changed for longer than the timeout.
    fn is_silent(&mut self, now: Now, timeout_ms: i64) -> bool {
        // Stored by the client, so it may have any value.
        let found = self.heartbeat.value.load_acquire();
        let heartbeat = EpochMillis::new(found);
        if now.epoch > heartbeat.saturating_add_ms(timeout_ms) {
            return true;
        }
        // A heartbeat in the future was stored before the wall clock was set back. A living client soon stores another.
        // One that never changes must not keep a dead client forever.
        let (_, since) = self.seen.filter(|seen| seen.0 == found).unwrap_or((found, now.monotonic));
        self.seen = Some((found, since));
        heartbeat > now.epoch.saturating_add_ms(timeout_ms)
            && now.monotonic.since(since) > timeout_ms.saturating_mul(1_000_000)
    }
}

/// All clients, oldest first.
#[derive(Debug)]
pub(super) struct ClientRegistry {
    clients: Vec<Client>,
    capacity: usize,
    liveness_timeout_ms: i64,
}

impl ClientRegistry {
    /// Clients are timed out after this time without a heartbeat. A timeout of less than a millisecond counts as one.
    pub(super) fn new(capacity: usize, liveness_timeout_ns: i64) -> Self {
        Self { clients: Vec::new(), capacity, liveness_timeout_ms: (liveness_timeout_ns / 1_000_000).max(1) }
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
    pub(super) fn add(&mut self, id: ClientId, heartbeat: Counter) {
        self.clients.push(Client {
            id,
            heartbeat,
            seen: None,
            closed: false,
            publications: BTreeMap::new(),
            counters: BTreeMap::new(),
        });
    }

    /// Removes the oldest client that has closed or timed out. `None` if all are alive.
    pub(super) fn take_gone(&mut self, now: Now) -> Option<Client> {
        let timeout_ms = self.liveness_timeout_ms;
        let gone = self.clients.iter_mut().position(|client| client.closed || client.is_silent(now, timeout_ms))?;
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
            registry.add(ClientId::new(id), Counter { id: CounterId::new(0), value });
        }
        registry
    }

    fn gone_at(registry: &mut ClientRegistry, now_ms: i64, monotonic_ms: i64) -> Vec<i64> {
        let monotonic = MonotonicNanos::new(monotonic_ms * 1_000_000);
        let now = Now { monotonic, epoch: EpochMillis::new(now_ms) };
        std::iter::from_fn(|| registry.take_gone(now)).map(|client| client.id.get()).collect()
    }

    fn gone(registry: &mut ClientRegistry, now_ms: i64) -> Vec<i64> {
        gone_at(registry, now_ms, 0)
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

    /// The wall clock was set back, or the client stores anything: what counts is that it still stores.
    #[test]
    fn a_heartbeat_that_stays_in_the_future_is_silence() {
        let mut registry = registry_with(&[i64::MAX, 100_000, 55_000]);
        assert_eq!(gone_at(&mut registry, 50_000, 0), []);
        registry.get(ClientId::new(2)).unwrap().heartbeat.value.store_release(100_500);
        assert_eq!(gone_at(&mut registry, 51_000, 10_000), []);
        assert_eq!(gone_at(&mut registry, 51_001, 10_001), [1]);
        assert_eq!(gone_at(&mut registry, 52_000, 20_001), [2]);
        assert_eq!(gone_at(&mut registry, 65_000, 40_000), [], "not far in the future: the wall clock tells");
        assert_eq!(gone_at(&mut registry, 65_001, 40_001), [3]);
    }

    #[test]
    fn a_heartbeat_of_any_value_is_harmless() {
        let mut registry = registry_with(&[i64::MIN, i64::MAX, 0]);
        assert_eq!(gone(&mut registry, 20_000), [1, 3]);
    }
}
