//! The work of timer ticks: clients time out, publications drain and end, deletions are repeated, in the order that
//! clients can observe.

use std::collections::HashMap;

use gannet::command::{Event, OnClientTimeout, OnCounter};
use gannet::types::RegistrationId;

use super::Core;
use super::clients::Client;
use super::linking::free_position;
use crate::ipc::{Change, IpcPublication};

/// The number of counters whose states are checked per timer tick: all that a driver usually has. Takes a fraction of a
/// millisecond at most.
const STATES_PER_TICK: usize = 1024;

impl Core {
    pub(super) fn on_tick(&mut self) {
        while let Some(client) = self.clients.take_gone(self.now.monotonic) {
            self.bury(client);
        }
        if self.counters.restore_states(STATES_PER_TICK) > 0 {
            self.report("(11) a client stored over the state of a counter, which was restored");
        }
        self.check_publications();
        self.check_network();
        self.logs.retry();
    }

    /// Releases the resources of a client that has closed or died.
    fn bury(&mut self, client: Client) {
        self.forget_waiting(client.id);
        self.hoarders.on_gone(client.id);
        if !client.closed {
            self.counters.on_client_timeout();
            self.events.send(&Event::ClientTimeout(OnClientTimeout { client_id: client.id }));
        }
        self.events.send(&Event::UnavailableCounter(OnCounter {
            registration_id: RegistrationId::new(client.id.get()),
            counter_id: client.heartbeat.id,
        }));
        self.release_publications(client.publications.values());
        for (registration_id, counter) in client.counters {
            self.release_counter(registration_id, counter);
        }
        let links = self.subscriptions.remove_client(client.id);
        self.unlink(&links);
        self.counters.free(self.now.epoch, client.heartbeat.id);
    }

    /// Removes all publication handles of a client. Each publication is handled once, because a client may die with
    /// very many while others wait.
    fn release_publications<'a>(&mut self, originals: impl Iterator<Item = &'a RegistrationId>) {
        let mut holds: HashMap<RegistrationId, usize> = HashMap::new();
        for original in originals {
            *holds.entry(*original).or_default() += 1;
        }
        for publication in self.publications.iter_mut() {
            for _ in 0..holds.remove(&publication.registration_id()).unwrap_or(0) {
                publication.remove_reference();
            }
        }
        self.release_network_publications(&holds);
    }

    fn check_publications(&mut self) {
        for index in 0..self.publications.len() {
            self.check_untethered(index);
            let Some(publication) = self.publications.at_mut(index) else { return };
            let registration_id = publication.registration_id();
            let tick = publication.on_tick(self.now.monotonic, self.now.attended);
            if tick.unblocked {
                self.counters.on_unblocked_publication();
            }
            match tick.change {
                Some(Change::Revoked) => {
                    self.counters.on_publication_revoked();
                    self.take_image_from_all(registration_id);
                }
                Some(Change::Drained) => self.take_image_from_all(registration_id),
                Some(Change::Reopened) => self.link_publication(registration_id),
                // Removed below, together.
                Some(Change::Done) | None => {}
            }
        }
        for publication in self.publications.take_done() {
            self.dismantle(publication);
        }
    }

    /// Frees the counters of a publication that has ended, and requests the deletion of its log.
    fn dismantle(&mut self, mut publication: IpcPublication) {
        let registration_id = publication.registration_id();
        let subscribers = publication.take_subscribers();
        let (log, path, position, limit) = publication.into_parts();
        for counter in [limit.id, position.id] {
            self.counters.free(self.now.epoch, counter);
        }
        for subscriber in &subscribers {
            free_position(self.now, &mut self.counters, subscriber);
        }
        self.give_up_log(registration_id, path, log);
    }
}
