//! Commands of clients that wait for an earlier one of theirs, whose name is being looked up. They stay in order behind it, and leave
//! the way to the commands of others. A client has so much room for them and no more, so that none can take it from others.

use std::collections::VecDeque;

use gannet::types::ClientId;

/// So many bytes of commands of one client may wait, as many as a ring of the usual size has room for. What is more is refused.
const BYTES_LIMIT: usize = 1 << 20;

/// All such commands.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    clients: Vec<Waiting>,
}

/// Those of one client.
#[derive(Debug)]
struct Waiting {
    client_id: ClientId,
    records: VecDeque<Record>,
    bytes: usize,
}

/// A command as it lay in the ring.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) type_id: i32,
    pub(super) bytes: Box<[u8]>,
}

impl Deferred {
    /// Keeps a command of this client, behind those that are there. Returns whether there was room.
    pub(super) fn push(&mut self, client_id: ClientId, type_id: i32, bytes: &[u8]) -> bool {
        let index = self.clients.iter().position(|waiting| waiting.client_id == client_id).unwrap_or_else(|| {
            self.clients.push(Waiting { client_id, records: VecDeque::new(), bytes: 0 });
            self.clients.len() - 1
        });
        let waiting = &mut self.clients[index];
        let fits = waiting.bytes + bytes.len() <= BYTES_LIMIT;
        if fits {
            waiting.bytes += bytes.len();
            waiting.records.push_back(Record { type_id, bytes: bytes.into() });
        }
        fits
    }

    /// Whether there is none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// The next command of a client that does not wait any more.
    pub(super) fn take(&mut self, is_waiting: impl Fn(ClientId) -> bool) -> Option<Record> {
        let index = self.clients.iter().position(|waiting| !is_waiting(waiting.client_id))?;
        let waiting = &mut self.clients[index];
        let record = waiting.records.pop_front();
        waiting.bytes -= record.as_ref().map_or(0, |record| record.bytes.len());
        if waiting.records.is_empty() {
            self.clients.remove(index);
        }
        record
    }

    /// The client is gone, and its commands with it.
    pub(super) fn forget(&mut self, client_id: ClientId) {
        self.clients.retain(|waiting| waiting.client_id != client_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(deferred: &mut Deferred, waiting: &[i64]) -> Vec<i32> {
        let is_waiting = |client_id: ClientId| waiting.contains(&client_id.get());
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
    fn what_is_kept_of_each_client_is_bounded() {
        let mut deferred = filled();
        let [full, other] = [1, 2].map(ClientId::new);
        assert!(!deferred.push(full, 12, &[0]), "it has no more room");
        assert!(deferred.push(other, 21, &[0]), "others have");
        deferred.forget(full);
        assert_eq!(taken(&mut deferred, &[]), [20, 21, 30]);
        assert!(deferred.push(full, 12, &[0; BYTES_LIMIT]) && deferred.clients.len() == 1);
    }
}
