//! The destinations of a send endpoint's datagrams: its one address, or several that applications add or receivers
//! register. The sender owns one list per endpoint, and passes it every status message.

use std::net::SocketAddr;

use gannet::time::MonotonicNanos;
use gannet::types::RegistrationId;

use crate::mailbox::{DestinationRules, MAX_DESTINATIONS, NamedPlace};

/// How long a registered receiver may be silent before it is removed, in nanoseconds.
const RECEIVER_TIMEOUT_NS: i64 = 5_000_000_000;

/// The destinations of an endpoint.
#[derive(Debug)]
pub struct Destinations {
    kind: Kind,
    all: Vec<Destination>,
    /// The number of destinations with a known address.
    located: usize,
    /// The destination to which the next datagram goes first, so that none is always last.
    first: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A single address of a receiver or a group.
    Fixed,
    /// Applications add and remove destinations.
    Manual,
    /// Receivers register with status messages.
    Dynamic,
}

#[derive(Clone, Copy, Debug)]
struct Destination {
    /// `None` until its name is resolved.
    address: Option<SocketAddr>,
    registration_id: RegistrationId,
    receiver_id: Option<i64>,
    last_activity: MonotonicNanos,
}

impl Destination {
    /// Whether this receiver is at the destination. Trap 37: a known receiver is identified by its id and port,
    /// whatever its address.
    fn is_of(&self, from: SocketAddr, receiver_id: i64) -> bool {
        match self.receiver_id {
            Some(known) => known == receiver_id && self.address.is_some_and(|address| address.port() == from.port()),
            None => self.address == Some(from),
        }
    }

    fn is_at(&self, place: NamedPlace) -> bool {
        match place {
            NamedPlace::Endpoint(_) => self.registration_id == NOBODY,
            NamedPlace::Destination(_, registration_id) => self.registration_id == registration_id,
            NamedPlace::Transport(..) => false,
        }
    }
}

/// The id of destinations that no application has added.
const NOBODY: RegistrationId = RegistrationId::new(-1);

impl Destinations {
    /// The initial destinations according to the rules: one or none.
    pub fn new(now: MonotonicNanos, rules: DestinationRules) -> Self {
        match rules {
            DestinationRules::Fixed(address) => Self::fixed(now, address),
            DestinationRules::Manual => Self::manual(),
            DestinationRules::Dynamic => Self::dynamic(),
        }
    }

    /// A single fixed address.
    pub fn fixed(now: MonotonicNanos, address: SocketAddr) -> Self {
        let address = Some(address);
        let only = Destination { address, registration_id: NOBODY, receiver_id: None, last_activity: now };
        Self { kind: Kind::Fixed, all: vec![only], located: 1, first: 0 }
    }

    /// None yet. Applications add them.
    pub fn manual() -> Self {
        Self { kind: Kind::Manual, all: Vec::with_capacity(MAX_DESTINATIONS), located: 0, first: 0 }
    }

    /// None yet. Receivers register.
    pub fn dynamic() -> Self {
        Self { kind: Kind::Dynamic, all: Vec::with_capacity(MAX_DESTINATIONS), located: 0, first: 0 }
    }

    /// The number of destinations with a known address.
    #[inline]
    pub fn len(&self) -> usize {
        self.located
    }

    /// Updates the number. Called whenever a destination was added, removed or moved.
    fn count_located(&mut self) {
        self.located = self.all.iter().filter(|destination| destination.address.is_some()).count();
    }

    /// The number of destinations, with or without an address.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none. Data is then sent nowhere, and counts as sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a destination of an application. Returns false if there is no space.
    pub fn add(&mut self, now: MonotonicNanos, registration_id: RegistrationId, address: Option<SocketAddr>) -> bool {
        let fits = self.all.len() < MAX_DESTINATIONS && self.kind == Kind::Manual;
        if fits {
            self.all.push(Destination { address, registration_id, receiver_id: None, last_activity: now });
            self.count_located();
        }
        fits
    }

    /// Removes a destination of an application.
    pub fn remove(&mut self, registration_id: RegistrationId) {
        if self.kind == Kind::Manual {
            self.all.retain(|destination| destination.registration_id != registration_id);
            self.count_located();
        }
    }

    /// Handles a status message, for any stream and session (trap 23). Returns false if its receiver would register but
    /// there is no space.
    pub fn on_status_message(&mut self, now: MonotonicNanos, from: SocketAddr, receiver_id: i64) -> bool {
        if self.kind == Kind::Fixed {
            self.all.iter_mut().for_each(|only| only.last_activity = now);
            return true;
        }
        if let Some(known) = self.position_of(from, receiver_id).and_then(|index| self.all.get_mut(index)) {
            known.receiver_id = Some(receiver_id);
            known.last_activity = now;
        } else if self.kind == Kind::Dynamic {
            if self.all.len() >= MAX_DESTINATIONS {
                return false;
            }
            self.all.push(Destination {
                address: Some(from),
                registration_id: NOBODY,
                receiver_id: Some(receiver_id),
                last_activity: now,
            });
            self.count_located();
        }
        true
    }

    /// The registration id of this receiver's destination, if a command added it.
    pub fn added_for(&self, from: SocketAddr, receiver_id: i64) -> Option<RegistrationId> {
        let known = self.position_of(from, receiver_id).and_then(|index| self.all.get(index));
        let added = known.map(|destination| destination.registration_id);
        added.filter(|registration_id| *registration_id != NOBODY)
    }

    /// The index of a receiver's destination. An application's destination may get another receiver. Registered
    /// receivers are distinguished, because several may have the same address.
    fn position_of(&self, from: SocketAddr, receiver_id: i64) -> Option<usize> {
        let known = self.all.iter().position(|destination| destination.is_of(from, receiver_id));
        let is_there = |destination: &Destination| self.kind == Kind::Manual && destination.address == Some(from);
        known.or_else(|| self.all.iter().position(is_there))
    }

    /// Whether nothing was received from there for a while, or its address is unknown.
    pub fn is_silent(&self, now: MonotonicNanos, place: NamedPlace) -> bool {
        self.all.iter().filter(|destination| destination.is_at(place)).any(|destination| {
            destination.address.is_none() || now > destination.last_activity.saturating_add_ns(RECEIVER_TIMEOUT_NS)
        })
    }

    /// Changes the address of a destination. It is another receiver from now on.
    pub fn move_to(&mut self, now: MonotonicNanos, place: NamedPlace, address: SocketAddr) {
        for destination in self.all.iter_mut().filter(|destination| destination.is_at(place)) {
            let registration_id = destination.registration_id;
            *destination =
                Destination { address: Some(address), registration_id, receiver_id: None, last_activity: now };
        }
        self.count_located();
    }

    /// Whether there may be several destinations.
    pub fn may_be_several(&self) -> bool {
        self.kind != Kind::Fixed
    }

    /// Whether silent destinations are removed.
    pub fn expires(&self) -> bool {
        self.kind == Kind::Dynamic
    }

    /// Handles that nothing was received for so long because the sender did not run. That is no silence of others.
    pub fn on_standstill(&mut self, now: MonotonicNanos, duration_ns: i64) {
        for destination in &mut self.all {
            destination.last_activity = destination.last_activity.saturating_add_ns(duration_ns).min(now);
        }
    }

    /// Removes registered receivers that are silent.
    pub fn expire(&mut self, now: MonotonicNanos) {
        if self.kind == Kind::Dynamic {
            self.all.retain(|destination| now <= destination.last_activity.saturating_add_ns(RECEIVER_TIMEOUT_NS));
            self.count_located();
        }
    }

    /// All addresses, starting with another one each time.
    pub fn next_round(&mut self) -> impl Iterator<Item = SocketAddr> + '_ {
        let count = self.all.len();
        self.first = if self.first + 1 < count { self.first + 1 } else { 0 };
        let (before, from) = self.all.split_at(self.first.min(count));
        from.iter().chain(before).filter_map(|destination| destination.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::EndpointId;

    fn at(ns: i64) -> MonotonicNanos {
        MonotonicNanos::new(ns)
    }

    fn address(host: u8, port: u16) -> SocketAddr {
        ([10, 0, 0, host], port).into()
    }

    fn addresses(destinations: &mut Destinations) -> Vec<SocketAddr> {
        let mut all: Vec<_> = destinations.next_round().collect();
        all.sort();
        all
    }

    /// Trap 37: a registered receiver is known by its id and port; its address is not compared.
    #[test]
    fn wire_trap_37_receivers_are_known_by_id_and_port() {
        let mut destinations = Destinations::dynamic();
        destinations.on_status_message(at(0), address(1, 100), 7);
        destinations.on_status_message(at(0), address(2, 100), 7);
        assert_eq!(addresses(&mut destinations), [address(1, 100)], "the same, behind another address");
        destinations.on_status_message(at(0), address(1, 101), 7);
        destinations.on_status_message(at(0), address(1, 100), 8);
        assert_eq!(destinations.len(), 3);
    }

    #[test]
    fn there_is_room_for_so_many_receivers() {
        let mut destinations = Destinations::dynamic();
        let mut register = |port: usize| destinations.on_status_message(at(0), address(1, port as u16), 7);
        assert!((1..=MAX_DESTINATIONS).all(&mut register), "for each of these");
        assert!(!register(MAX_DESTINATIONS + 1));
        assert!(register(1), "one that is registered");
        assert_eq!(destinations.count(), MAX_DESTINATIONS);
    }

    /// Forgotten five seconds after its last status message.
    #[test]
    fn registered_receivers_are_forgotten_when_silent() {
        let mut destinations = Destinations::dynamic();
        destinations.on_status_message(at(0), address(1, 100), 7);
        destinations.on_status_message(at(10), address(2, 100), 8);
        destinations.expire(at(RECEIVER_TIMEOUT_NS));
        assert_eq!(destinations.len(), 2);
        destinations.expire(at(RECEIVER_TIMEOUT_NS + 1));
        assert_eq!(addresses(&mut destinations), [address(2, 100)]);
    }

    #[test]
    fn applications_add_and_remove() {
        let mut destinations = Destinations::manual();
        destinations.on_status_message(at(0), address(9, 9), 1);
        assert!(destinations.is_empty(), "nobody registers by itself");
        assert!(destinations.add(at(0), RegistrationId::new(1), Some(address(1, 1))));
        assert!(destinations.add(at(0), RegistrationId::new(2), Some(address(2, 2))));
        destinations.expire(at(i64::MAX));
        destinations.remove(RegistrationId::new(1));
        assert_eq!(addresses(&mut destinations), [address(2, 2)]);
        destinations.remove(RegistrationId::new(2));
        assert!(destinations.is_empty());
        for port in 0..MAX_DESTINATIONS as u16 {
            assert!(destinations.add(at(0), RegistrationId::new(3), Some(address(1, port))));
        }
        assert!(!destinations.add(at(0), RegistrationId::new(3), Some(address(1, 9999))));
    }

    #[test]
    fn receivers_are_found_behind_what_was_added() {
        let mut destinations = Destinations::manual();
        destinations.add(at(0), RegistrationId::new(1), None);
        destinations.add(at(0), RegistrationId::new(2), Some(address(2, 2)));
        let added = |destinations: &Destinations, from| destinations.added_for(from, 7).map(RegistrationId::get);
        assert_eq!(added(&destinations, address(2, 2)), Some(2), "by its address");
        assert_eq!(added(&destinations, address(3, 2)), None);
        destinations.on_status_message(at(0), address(2, 2), 7);
        assert_eq!(added(&destinations, address(3, 2)), Some(2), "by its id");
        let mut dynamic = Destinations::dynamic();
        dynamic.on_status_message(at(0), address(2, 2), 7);
        assert_eq!(added(&dynamic, address(2, 2)), None, "nobody has added it");
        assert_eq!(added(&Destinations::fixed(at(0), address(2, 2)), address(2, 2)), None);
    }

    /// Another receiver at the place of one that was there, as after a restart, is who is there now.
    #[test]
    fn a_receiver_may_follow_another_at_a_place_that_was_added() {
        let mut destinations = Destinations::manual();
        destinations.add(at(0), RegistrationId::new(1), Some(address(1, 100)));
        destinations.on_status_message(at(0), address(1, 100), 7);
        let later = RECEIVER_TIMEOUT_NS + 1;
        destinations.on_status_message(at(later), address(1, 100), 8);
        let place = NamedPlace::Destination(EndpointId::new(1), RegistrationId::new(1));
        assert!(!destinations.is_silent(at(later), place));
        assert_eq!(destinations.added_for(address(1, 100), 8), Some(RegistrationId::new(1)));
        // The same behind another address, and not the one before any more.
        assert_eq!(destinations.added_for(address(2, 100), 8), Some(RegistrationId::new(1)));
        assert_eq!(destinations.added_for(address(2, 100), 7), None);
        assert_eq!(destinations.count(), 1);
    }

    #[test]
    fn each_round_begins_with_another() {
        let mut destinations = Destinations::manual();
        for host in 0..3 {
            destinations.add(at(0), RegistrationId::new(host.into()), Some(address(host, 1)));
        }
        let mut firsts: Vec<_> = (0..3).map(|_| destinations.next_round().next().unwrap()).collect();
        firsts.sort();
        assert_eq!(firsts, [address(0, 1), address(1, 1), address(2, 1)]);
        assert_eq!(destinations.next_round().count(), 3);
        let mut fixed = Destinations::fixed(at(0), address(7, 7));
        assert_eq!(fixed.next_round().collect::<Vec<_>>(), [address(7, 7)]);
    }

    /// One that is silent for five seconds is looked up again, and one that is nowhere at once; whoever is where its name
    /// leads then is somebody else.
    #[test]
    fn names_that_are_silent_may_lead_elsewhere() {
        let mut destinations = Destinations::manual();
        let place = |id| NamedPlace::Destination(EndpointId::new(1), RegistrationId::new(id));
        assert!(destinations.add(at(0), RegistrationId::new(1), Some(address(1, 1))));
        assert!(destinations.add(at(0), RegistrationId::new(2), None));
        assert_eq!((destinations.len(), addresses(&mut destinations)), (1, vec![address(1, 1)]), "one is nowhere");
        assert!(destinations.is_silent(at(0), place(2)) && !destinations.is_silent(at(0), place(1)));
        destinations.on_status_message(at(10), address(1, 1), 7);
        assert!(!destinations.is_silent(at(RECEIVER_TIMEOUT_NS + 10), place(1)));
        assert!(destinations.is_silent(at(RECEIVER_TIMEOUT_NS + 11), place(1)));
        destinations.move_to(at(20), place(1), address(3, 1));
        destinations.move_to(at(20), place(2), address(4, 1));
        assert_eq!(addresses(&mut destinations), [address(3, 1), address(4, 1)]);
        destinations.on_status_message(at(30), address(3, 1), 8);
        assert!(!destinations.is_silent(at(RECEIVER_TIMEOUT_NS + 30), place(1)), "another receiver");
        let endpoint = NamedPlace::Endpoint(EndpointId::new(1));
        let mut fixed = Destinations::fixed(at(0), address(7, 7));
        fixed.on_status_message(at(10), address(8, 8), 1);
        assert!(!fixed.is_silent(at(RECEIVER_TIMEOUT_NS + 10), endpoint), "whoever it was");
        assert!(fixed.is_silent(at(RECEIVER_TIMEOUT_NS + 11), endpoint));
        fixed.move_to(at(20), endpoint, address(9, 9));
        assert_eq!(fixed.next_round().collect::<Vec<_>>(), [address(9, 9)]);
    }
}
