//! The receiver's endpoints: the sockets of each, its dispatcher, and the setups that it waits for. Each is found by its
//! index, by its id, or by the id of one of its sockets.

use std::net::SocketAddr;

use gannet::time::MonotonicNanos;
use gannet::types::{SessionId, StreamId};

use super::dispatcher::Dispatcher;
use crate::mailbox::{EndpointId, MAX_RECEIVE_TRANSPORTS, NewReceiveEndpoint, NewReceiveTransport, ReceiveStamps};
use crate::shared::{IdMap, Seldom};

/// The maximum number of setups that an endpoint waits for. Further sessions wait for their sender's next setup.
pub(super) const MAX_PENDING_SETUPS: usize = 256;
/// The minimum interval between two reports of too many sessions, in nanoseconds.
const FLOOD_INTERVAL_NS: i64 = 10_000_000_000;

/// All endpoints. They keep their index as long as they exist.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    all: Vec<Option<Endpoint>>,
    /// The indexes, by the ids of endpoints and sockets.
    places: IdMap<EndpointId, usize>,
}

/// An endpoint.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) made_of: NewReceiveEndpoint,
    pub(super) dispatcher: Dispatcher,
    pub(super) pending: Vec<PendingSetup>,
    pub(super) transports: Vec<ReceiveTransport>,
    /// The places of timestamps.
    pub(super) stamps: ReceiveStamps,
    /// Limits the reports of too many sessions.
    pub(super) flood_told: Seldom,
}

/// A socket of an endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceiveTransport {
    pub(super) made_of: NewReceiveTransport,
    /// When the next registration with the control address is due.
    pub(super) registration_due: MonotonicNanos,
    /// When something was last received, or the socket was opened.
    pub(super) last_frame: MonotonicNanos,
}

/// A session whose setup an endpoint waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingSetup {
    pub(super) stream_id: StreamId,
    pub(super) session_id: SessionId,
    pub(super) since: MonotonicNanos,
}

impl Endpoints {
    /// Adds an endpoint without sockets.
    pub(super) fn add(&mut self, made_of: NewReceiveEndpoint) {
        let endpoint = Some(Endpoint {
            dispatcher: Dispatcher::new(made_of.session_limit),
            pending: Vec::with_capacity(MAX_PENDING_SETUPS),
            transports: Vec::with_capacity(MAX_RECEIVE_TRANSPORTS),
            stamps: ReceiveStamps::default(),
            flood_told: Seldom::every(FLOOD_INTERVAL_NS),
            made_of,
        });
        let place = self.all.iter().position(Option::is_none).unwrap_or(self.all.len());
        match self.all.get_mut(place) {
            Some(free) => *free = endpoint,
            None => self.all.push(endpoint),
        }
        self.places.insert(made_of.id, place);
    }

    /// Removes an endpoint and its sockets.
    pub(super) fn remove(&mut self, id: EndpointId) {
        let Some(place) = self.places.remove(&id) else { return };
        if let Some(endpoint) = self.all.get_mut(place).and_then(Option::take) {
            for transport in endpoint.transports {
                self.places.remove(&transport.made_of.id);
            }
        }
    }

    /// Adds a socket to an endpoint. Returns the endpoint's index.
    pub(super) fn add_transport(&mut self, id: EndpointId, transport: ReceiveTransport) -> Option<usize> {
        let (place, endpoint) = self.of(id)?;
        endpoint.transports.push(transport);
        self.places.insert(transport.made_of.id, place);
        Some(place)
    }

    /// Removes a socket from an endpoint. Returns the endpoint's index.
    pub(super) fn remove_transport(&mut self, id: EndpointId, transport: EndpointId) -> Option<usize> {
        let (place, endpoint) = self.of(id)?;
        endpoint.transports.retain(|known| known.made_of.id != transport);
        self.places.remove(&transport);
        Some(place)
    }

    /// An endpoint and its index, by its id or that of one of its sockets.
    #[inline]
    pub(super) fn of(&mut self, id: EndpointId) -> Option<(usize, &mut Endpoint)> {
        let &place = self.places.get(&id)?;
        Some((place, self.get_mut(place)?))
    }

    /// The places of timestamps of the endpoint with this id, or with this socket.
    #[inline]
    pub(super) fn stamps(&self, id: EndpointId) -> Option<ReceiveStamps> {
        let &place = self.places.get(&id)?;
        Some(self.get(place)?.stamps)
    }

    /// The endpoint at this index.
    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<&Endpoint> {
        self.all.get(place)?.as_ref()
    }

    /// The endpoint at this index.
    #[inline]
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Endpoint> {
        self.all.get_mut(place)?.as_mut()
    }

    /// The number of indexes, some of which may be free.
    pub(super) fn places(&self) -> usize {
        self.all.len()
    }

    /// All endpoints.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        self.all.iter().flatten()
    }
}

impl Endpoint {
    /// Records a datagram from this address. Returns the address for control frames.
    #[inline]
    pub(super) fn answers_to(&mut self, now: MonotonicNanos, transport: EndpointId, from: SocketAddr) -> SocketAddr {
        let Some(known) = self.transports.iter_mut().find(|known| known.made_of.id == transport) else { return from };
        known.last_frame = now;
        known.made_of.control.unwrap_or(from)
    }
}
