//! What time does on its own, once per timer interval: clients die, publications drain and go, deletions are tried again. In
//! the order that clients can observe.

use gannet::command::{Event, OnClientTimeout, OnCounter};
use gannet::types::RegistrationId;

use super::Core;
use super::clients::Client;
use super::linking::free_position;
use crate::ipc::Change;

/// How many counters' states are looked at on each tick: all that a driver usually has, and a fraction of a millisecond at most.
const STATES_PER_TICK: usize = 1024;

impl Core {
    pub(super) fn on_tick(&mut self) {
        while let Some(client) = self.clients.take_gone(self.now) {
            self.bury(client);
        }
        if self.counters.restore_states(STATES_PER_TICK) > 0 {
            self.report("(11) a client stored over the state of a counter, which was restored");
        }
        self.check_publications();
        self.check_network();
        self.logs.retry();
    }

    /// Takes back what a client held that has closed or died.
    fn bury(&mut self, client: Client) {
        self.forget_waiting(client.id);
        if !client.closed {
            self.counters.on_client_timeout();
            self.events.send(&Event::ClientTimeout(OnClientTimeout { client_id: client.id }));
        }
        self.events.send(&Event::UnavailableCounter(OnCounter {
            registration_id: RegistrationId::new(client.id.get()),
            counter_id: client.heartbeat.id,
        }));
        for link in client.publications {
            if let Some(publication) = self.publications.get_mut(link.original_registration_id) {
                publication.remove_reference();
            } else {
                self.release_network_publication(link.original_registration_id, false);
            }
        }
        for counter in client.counters {
            self.release_counter(counter);
        }
        let links = self.subscriptions.remove_client(client.id);
        self.unlink(&links);
        self.counters.free(self.now.epoch, client.heartbeat.id);
    }

    fn check_publications(&mut self) {
        let mut index = 0;
        while index < self.publications.len() {
            self.check_untethered(index);
            let Some(publication) = self.publications.at_mut(index) else { return };
            let registration_id = publication.registration_id();
            let tick = publication.on_tick(self.now.monotonic);
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
                Some(Change::Done) => {
                    self.dismantle(index);
                    // The next one is in this place now.
                    continue;
                }
                None => {}
            }
            index += 1;
        }
    }

    /// Frees the counters of a publication that has come to its end, and has its log deleted.
    fn dismantle(&mut self, index: usize) {
        let mut publication = self.publications.remove_at(index);
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
