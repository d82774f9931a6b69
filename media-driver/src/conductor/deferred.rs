//! Commands of clients that wait for an earlier one of theirs, whose name is being looked up. They stay in order behind it, and leave
//! the way to the commands of others.

use std::collections::VecDeque;

use gannet::types::ClientId;

/// So many bytes of commands may wait, as many as a ring of the usual size has room for; then no more are read.
const BYTES_LIMIT: usize = 1 << 20;

/// All such commands.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    clients: Vec<(ClientId, VecDeque<Record>)>,
    bytes: usize,
}

/// A command as it lay in the ring.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) type_id: i32,
    pub(super) bytes: Box<[u8]>,
}

impl Deferred {
    /// Keeps a command of this client, behind those that are there.
    pub(super) fn push(&mut self, client_id: ClientId, type_id: i32, bytes: &[u8]) {
        self.bytes += bytes.len();
        let record = Record { type_id, bytes: bytes.into() };
        match self.clients.iter_mut().find(|(id, _)| *id == client_id) {
            Some((_, records)) => records.push_back(record),
            None => self.clients.push((client_id, VecDeque::from([record]))),
        }
    }

    /// The next command of a client that does not wait any more.
    pub(super) fn take(&mut self, is_waiting: impl Fn(ClientId) -> bool) -> Option<Record> {
        let index = self.clients.iter().position(|(client_id, _)| !is_waiting(*client_id))?;
        let (_, records) = &mut self.clients[index];
        let record = records.pop_front();
        if records.is_empty() {
            self.clients.remove(index);
        }
        self.bytes -= record.as_ref().map_or(0, |record| record.bytes.len());
        record
    }

    /// Whether no more should be kept.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= BYTES_LIMIT
    }

    /// The client is gone, and its commands with it.
    pub(super) fn forget(&mut self, client_id: ClientId) {
        for (_, records) in self.clients.extract_if(.., |(id, _)| *id == client_id) {
            self.bytes -= records.iter().map(|record| record.bytes.len()).sum::<usize>();
        }
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
            deferred.push(ClientId::new(client_id), type_id, &[0; BYTES_LIMIT / 4]);
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
    fn what_is_kept_is_bounded() {
        let mut deferred = filled();
        assert!(deferred.is_full());
        taken(&mut deferred, &[1, 2]);
        assert!(!deferred.is_full());
        deferred.forget(ClientId::new(1));
        assert_eq!((taken(&mut deferred, &[]), deferred.bytes), (vec![20], 0));
    }
}
