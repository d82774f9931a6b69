//! Deferred commands. They wait for an earlier command of the same client, whose name is being looked up or whose log
//! is being made, or for another client's log. They stay in order, and commands of other clients pass them. Each client
//! has limited room for them, so none can take it from others.

use std::collections::VecDeque;

use gannet::types::ClientId;

/// The maximum number of bytes of deferred commands per client, as many as fit into a ring of the usual size. Further
/// commands are refused.
const BYTES_LIMIT: usize = 1 << 20;
/// Of a client that does not wait for a name, this many bytes and one more command are deferred. The rest stays in the
/// ring.
const CROWDED_BYTES: usize = BYTES_LIMIT / 2;
/// The maximum number of such clients with deferred commands.
const CROWDED_CLIENTS: usize = 64;

/// All deferred commands.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    clients: Vec<Waiting>,
}

/// The deferred commands of one client.
#[derive(Debug)]
struct Waiting {
    client_id: ClientId,
    records: VecDeque<Record>,
    bytes: usize,
}

/// A command as it was in the ring.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) type_id: i32,
    pub(super) bytes: Box<[u8]>,
}

impl Deferred {
    /// Defers a command of this client, after its earlier ones. Returns false if there is no space.
    pub(super) fn push(&mut self, client_id: ClientId, type_id: i32, bytes: &[u8]) -> bool {
        let index = self.clients.iter().position(|waiting| waiting.client_id == client_id);
        if index.map_or(0, |index| self.clients[index].bytes) + bytes.len() > BYTES_LIMIT {
            return false;
        }
        let index = index.unwrap_or_else(|| {
            self.clients.push(Waiting { client_id, records: VecDeque::new(), bytes: 0 });
            self.clients.len() - 1
        });
        let waiting = &mut self.clients[index];
        waiting.bytes += bytes.len();
        waiting.records.push_back(Record { type_id, bytes: bytes.into() });
        true
    }

    /// Whether there are deferred commands of this client.
    pub(super) fn holds(&self, client_id: ClientId) -> bool {
        self.clients.iter().any(|waiting| waiting.client_id == client_id)
    }

    /// Whether no further commands should be deferred for clients that do not wait for a name, because what they wait
    /// for comes soon.
    pub(super) fn is_crowded(&self, awaits_name: impl Fn(ClientId) -> bool) -> bool {
        let others = || self.clients.iter().filter(|waiting| !awaits_name(waiting.client_id));
        others().any(|waiting| waiting.bytes >= CROWDED_BYTES) || others().count() >= CROWDED_CLIENTS
    }

    /// Whether there are no deferred commands.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Takes the next command of a client that need not wait any more, as determined by `is_waiting` from a client and
    /// its next command. The next call starts with other clients.
    pub(super) fn take(&mut self, is_waiting: impl Fn(ClientId, &Record) -> bool) -> Option<Record> {
        let may_go_on =
            |client: &Waiting| client.records.front().is_some_and(|next| !is_waiting(client.client_id, next));
        let index = self.clients.iter().position(may_go_on)?;
        let mut client = self.clients.remove(index);
        let record = client.records.pop_front()?;
        client.bytes -= record.bytes.len();
        if !client.records.is_empty() {
            self.clients.push(client);
        }
        Some(record)
    }

    /// Drops the commands of a client that is gone.
    pub(super) fn forget(&mut self, client_id: ClientId) {
        self.clients.retain(|waiting| waiting.client_id != client_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(deferred: &mut Deferred, waiting: &[i64]) -> Vec<i32> {
        let is_waiting = |client_id: ClientId, _: &Record| waiting.contains(&client_id.get());
        std::iter::from_fn(|| deferred.take(is_waiting)).map(|record| record.type_id).collect()
    }

    fn filled() -> Deferred {
        let mut deferred = Deferred::default();
        for (client_id, type_id) in [(1, 10), (2, 20), (1, 11), (3, 30)] {
            assert!(deferred.push(ClientId::new(client_id), type_id, &[0; BYTES_LIMIT / 2]));
        }
        deferred
    }

    #[test]
    fn each_client_s_commands_stay_in_order() {
        let mut deferred = filled();
        assert_eq!(taken(&mut deferred, &[1, 2, 3]), []);
        assert_eq!(taken(&mut deferred, &[2, 3]), [10, 11]);
        assert_eq!(taken(&mut deferred, &[]), [20, 30]);
        assert_eq!(taken(&mut deferred, &[]), []);
    }

    #[test]
    fn many_and_much_are_a_crowd_unless_they_wait_for_names() {
        let mut deferred = filled();
        assert!(deferred.is_crowded(|_| false) && !deferred.is_crowded(|_| true));
        assert_eq!(taken(&mut deferred, &[]).len(), 4);
        assert!(!deferred.is_crowded(|_| false));
        for client_id in 0..CROWDED_CLIENTS as i64 {
            assert!(!deferred.is_crowded(|_| false));
            assert!(deferred.push(ClientId::new(client_id), 10, &[0]));
        }
        assert!(deferred.is_crowded(|_| false) && !deferred.is_crowded(|client_id| client_id.get() == 0));
    }

    #[test]
    fn what_is_kept_of_each_client_is_bounded() {
        let mut deferred = filled();
        let [full, other] = [1, 2].map(ClientId::new);
        assert!(!deferred.push(full, 12, &[0]), "it has no more room");
        assert!(deferred.push(other, 21, &[0]), "others have");
        deferred.forget(full);
        assert_eq!(taken(&mut deferred, &[]), [20, 30, 21], "in turn");
        assert!(deferred.push(full, 12, &[0; BYTES_LIMIT]) && deferred.clients.len() == 1);
    }

    /// A long ring takes commands that are longer than what is kept of a client.
    #[test]
    fn a_client_whose_only_command_is_too_long_waits_for_nothing() {
        let mut deferred = Deferred::default();
        for client_id in 0..=CROWDED_CLIENTS as i64 {
            assert!(!deferred.push(ClientId::new(client_id), 10, &[0; BYTES_LIMIT + 1]));
        }
        assert!(deferred.is_empty() && !deferred.holds(ClientId::new(0)) && !deferred.is_crowded(|_| false));
    }
}
