//! The conductor's side of network streams: endpoints, its halves of publications and images, and its commands to the
//! sender and the receiver. The conductor's commands, timers and duty cycle call this.
//!
//! | file | contents |
//! | --- | --- |
//! | `pending`, `steps` | the command that waits for its channel and its socket; its steps |
//! | `publications`, `subscriptions` | adding them, and their responses |
//! | `destinations` | the destinations of publications and subscriptions with manual control |
//! | `lookups` | commands that wait for names, and other lookups |
//! | `refusals` | reports of sessions that get no image |
//! | `rejections` | reports of receivers that reject a publication |
//! | `images` | the receiver's requests for images, and linking |
//! | `names` | names whose addresses change |
//! | `lifecycle` | duty cycle, timer ticks, the end |
//! | `agents` | the events of the sender and the receiver |
//! | `publication`, `image`, `state` | the conductor's halves |
//! | `endpoints`, `params` | shared endpoints and their sockets; the parameters of channels |

mod agents;
mod destinations;
mod endpoints;
mod image;
mod images;
mod lifecycle;
mod lookups;
mod names;
mod params;
mod pending;
mod publication;
mod publications;
mod refusals;
mod rejections;
mod state;
mod steps;
mod subscriptions;

pub(super) use images::NewSession;

use std::collections::{BTreeMap, VecDeque};
use std::{iter, mem};

use gannet::reports::LossReport;
use gannet::types::{ClientId, RegistrationId, SessionId, StreamId};

use self::endpoints::{Endpoint, EndpointIds, Socket};
use self::image::Image;
use self::images::PendingImage;
use self::lookups::Lookups;
use self::names::Names;
use self::pending::PendingNetwork;
use self::publication::NetworkPublication;
use self::refusals::Refusals;
use super::config::NetworkDefaults;
use super::streams::Streams;
use crate::channel::PortManager;
use crate::mailbox::{EndpointId, LookupId, ReceiverCommand, Request, SenderCommand, Side};

/// The conductor's state for the network.
#[derive(Debug)]
pub(super) struct Network {
    endpoints: Vec<Endpoint>,
    /// Endpoints without users whose sockets the transport has not closed yet.
    closing: Vec<Endpoint>,
    /// Single sockets that are not used, but that the transport has not closed yet: former ones of receive endpoints, and
    /// those that could not be registered.
    closing_sockets: Vec<(Side, Socket)>,
    publications: Streams<NetworkPublication>,
    /// Publications that the sender was told to release.
    leaving: BTreeMap<RegistrationId, NetworkPublication>,
    images: Streams<Image>,
    /// Images that the receiver was told to release.
    vanishing: Vec<Image>,
    /// Images whose logs are being created.
    coming: Vec<PendingImage>,
    refusals: Refusals,
    /// The command that waits for its endpoint.
    pending: Option<PendingNetwork>,
    lookups: Lookups,
    next_lookup: u64,
    endpoint_ids: EndpointIds,
    next_receiver_id: i64,
    /// Requests for the helper.
    requests: VecDeque<Request>,
    sender_ports: PortManager,
    receiver_ports: PortManager,
    to_sender: VecDeque<SenderCommand>,
    to_receiver: VecDeque<ReceiverCommand>,
    names: Names,
    losses: LossReport,
}

impl Network {
    /// An empty state. `first_receiver_id` is the receiver id of the first receive endpoint.
    pub(super) fn new(config: &NetworkDefaults, first_receiver_id: i64, losses: LossReport) -> Self {
        Self {
            endpoints: Vec::new(),
            closing: Vec::new(),
            closing_sockets: Vec::new(),
            publications: Streams::default(),
            leaving: BTreeMap::new(),
            images: Streams::default(),
            vanishing: Vec::new(),
            coming: Vec::new(),
            refusals: Refusals::default(),
            pending: None,
            lookups: Lookups::default(),
            next_lookup: 0,
            endpoint_ids: EndpointIds::default(),
            next_receiver_id: first_receiver_id,
            requests: VecDeque::new(),
            sender_ports: PortManager::new(config.sender_ports.0, config.sender_ports.1),
            receiver_ports: PortManager::new(config.receiver_ports.0, config.receiver_ports.1),
            to_sender: VecDeque::new(),
            to_receiver: VecDeque::new(),
            names: Names::default(),
            losses,
        }
    }

    /// Whether a command waits for its endpoint.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether a command of this client waits for a name.
    pub(super) fn is_waiting(&self, client_id: ClientId) -> bool {
        self.lookups.is_waiting(client_id)
    }

    /// Drops the waiting commands of a client that is gone.
    pub(super) fn forget_waiting(&mut self, client_id: ClientId) {
        self.lookups.forget(client_id);
        if let Some(pending) = self.pending.as_mut().filter(|pending| pending.client_id == client_id) {
            pending.is_wanted = false;
        }
    }

    /// Requests a lookup for which no command waits.
    pub(super) fn look_up(&mut self, request: Request) {
        self.lookups.ask(request);
    }

    /// Handles the result of a lookup for which no command waits.
    pub(super) fn on_other_lookup(&mut self) {
        self.lookups.on_other_answer();
    }

    /// Whether any command waits for a name.
    #[inline]
    pub(super) fn has_waiting(&self) -> bool {
        self.lookups.has_waiting()
    }

    /// Whether there may be requests for the helper.
    #[inline]
    pub(super) fn has_requests(&self) -> bool {
        self.lookups.has_requests() || !self.requests.is_empty()
    }

    /// Whether there are commands for the sender or the receiver.
    #[inline]
    pub(super) fn has_commands(&self) -> bool {
        !(self.to_sender.is_empty() && self.to_receiver.is_empty())
    }

    /// Takes the next request for the helper. A socket is opened once conflicting ones are closed.
    pub(super) fn take_request(&mut self) -> Option<Request> {
        let may_go = |request: &Request| match request {
            Request::OpenEndpoint(open) => !self.closing_sockets().any(|closing| closing.is_in_the_way_of(open)),
            _ => true,
        };
        let next = self.requests.iter().position(may_go);
        self.lookups.take_request().or_else(|| self.requests.remove(next?))
    }

    /// The sockets that are not used any more but still open.
    fn closing_sockets(&self) -> impl Iterator<Item = &Socket> {
        self.closing
            .iter()
            .flat_map(|endpoint| &endpoint.sockets)
            .chain(self.closing_sockets.iter().map(|(_, socket)| socket))
    }

    /// Takes the next command for the sender.
    pub(super) fn poll_sender_command(&mut self) -> Option<SenderCommand> {
        self.to_sender.pop_front()
    }

    /// Takes the next command for the receiver.
    pub(super) fn poll_receiver_command(&mut self) -> Option<ReceiverCommand> {
        self.to_receiver.pop_front()
    }

    /// The number of logs, including those that are being created.
    pub(super) fn logs(&self) -> usize {
        self.publications.len() + self.leaving.len() + self.images.len() + self.vanishing.len() + self.coming.len()
    }

    /// Whether a publication, an image, a pending one, or a waiting command has this registration id.
    pub(super) fn holds(&self, registration_id: RegistrationId) -> bool {
        self.publications.get(registration_id).is_some()
            || self.leaving.contains_key(&registration_id)
            || self.images.get(registration_id).is_some()
            || self.vanishing.iter().any(|image| image.made_of.registration_id == registration_id)
            || self.coming.iter().any(|image| image.registration_id == registration_id)
            || self.pending.as_ref().is_some_and(|pending| pending.correlation_id.registration() == registration_id)
            || self.lookups.holds(registration_id)
    }

    /// Whether a session id is in use on a stream of any endpoint.
    pub(super) fn is_taken(&self, stream_id: StreamId, session_id: SessionId) -> bool {
        self.publications.of_session(stream_id, session_id).next().is_some()
    }

    fn endpoint(&self, id: EndpointId) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.id == id)
    }

    fn endpoint_mut(&mut self, id: EndpointId) -> Option<&mut Endpoint> {
        self.endpoints.iter_mut().find(|endpoint| endpoint.id == id)
    }

    fn ports_mut(&mut self, side: Side) -> &mut PortManager {
        match side {
            Side::Send => &mut self.sender_ports,
            Side::Receive => &mut self.receiver_ports,
        }
    }

    fn new_lookup_id(&mut self) -> LookupId {
        self.next_lookup += 1;
        LookupId::new(self.next_lookup)
    }

    fn new_endpoint_id(&mut self) -> EndpointId {
        let mut ids = mem::take(&mut self.endpoint_ids);
        let id = ids.draw(|id| self.is_named(id));
        self.endpoint_ids = ids;
        id
    }

    /// Whether an endpoint or a socket has this id, or will have it.
    fn is_named(&self, id: EndpointId) -> bool {
        let endpoints = self.endpoints.iter().chain(&self.closing);
        endpoints
            .flat_map(|endpoint| iter::once(endpoint.id).chain(endpoint.sockets.iter().map(|socket| socket.id)))
            .chain(self.closing_sockets.iter().map(|(_, socket)| socket.id))
            .chain(self.pending.iter().chain(self.lookups.waiting()).map(|pending| pending.endpoint))
            .any(|named| named == id)
    }

    fn new_receiver_id(&mut self) -> i64 {
        let id = self.next_receiver_id;
        // Trap 58: never 0, and never another endpoint's.
        self.next_receiver_id = match id.wrapping_add(1) {
            0 => 1,
            next => next,
        };
        id
    }

    /// Whether publications or images use the endpoint.
    fn is_used(&self, id: EndpointId) -> bool {
        // Those that go first: if very many go together, they have an endpoint in common.
        self.leaving.values().chain(self.publications.iter()).any(|publication| publication.made_of.endpoint == id)
            || self.vanishing.iter().chain(self.images.iter()).any(|image| image.made_of.endpoint == id)
            || self.coming.iter().any(|image| image.endpoint == id)
    }
}
