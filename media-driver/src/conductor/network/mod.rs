//! Streams on the network, as the conductor has them: endpoints, its halves of publications and images, and what it has to tell the
//! sender and the receiver. Called by the conductor's commands, timers and duty cycle.
//!
//! | file | what it is about |
//! | --- | --- |
//! | `commands` | adding: endpoint, then log, then everything else; removing |
//! | `destinations` | destinations of publications with manual control |
//! | `images` | what the receiver asks for, and linking |
//! | `lifecycle` | duty cycle, timer ticks, what the agents say |
//! | `publication`, `image`, `state` | the conductor's halves |
//! | `endpoints`, `params` | which channels are one; what they state |

mod commands;
mod destinations;
mod endpoints;
mod image;
mod images;
mod lifecycle;
mod params;
mod publication;
mod state;

use self::commands::PendingNetwork;
pub(super) use images::NewSession;
pub(super) use params::NetworkSubscription;

use std::collections::{HashSet, VecDeque};

use gannet::reports::LossReport;
use gannet::types::{RegistrationId, SessionId, StreamId};

use self::endpoints::{ChannelKey, Endpoint};
use self::image::Image;
use self::images::PendingImage;
use self::publication::NetworkPublication;
use super::subscriptions::SubscriptionLink;
use crate::mailbox::{EndpointId, OpenEndpoint, ReceiverCommand, SenderCommand, Side};

/// What a subscription of a UDP channel reads from, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NetworkLink {
    /// Its endpoint.
    pub(super) endpoint: EndpointId,
    /// What its channel states.
    pub(super) subscription: NetworkSubscription,
}

/// All that concerns the network.
#[derive(Debug)]
pub(super) struct Network {
    endpoints: Vec<Endpoint>,
    /// Endpoints that are not used any more, until their transport has let go.
    closing: Vec<Endpoint>,
    publications: Vec<NetworkPublication>,
    /// Publications that the sender was told to let go of.
    leaving: Vec<NetworkPublication>,
    images: Vec<Image>,
    /// Images that the receiver was told to let go of.
    vanishing: Vec<Image>,
    /// Images whose logs are being made.
    coming: Vec<PendingImage>,
    /// The command that waits for its endpoint or its log.
    pending: Option<PendingNetwork>,
    next_endpoint: u32,
    next_receiver_id: i64,
    open_request: Option<OpenEndpoint>,
    close_requests: VecDeque<(Side, EndpointId)>,
    to_sender: VecDeque<SenderCommand>,
    to_receiver: VecDeque<ReceiverCommand>,
    losses: LossReport,
}

impl Network {
    /// Nothing yet. `first_receiver_id` is the name that the first receive endpoint has among all receivers of a stream.
    pub(super) fn new(first_receiver_id: i64, losses: LossReport) -> Self {
        Self {
            endpoints: Vec::new(),
            closing: Vec::new(),
            publications: Vec::new(),
            leaving: Vec::new(),
            images: Vec::new(),
            vanishing: Vec::new(),
            coming: Vec::new(),
            pending: None,
            next_endpoint: 0,
            next_receiver_id: first_receiver_id,
            open_request: None,
            close_requests: VecDeque::new(),
            to_sender: VecDeque::new(),
            to_receiver: VecDeque::new(),
            losses,
        }
    }

    /// Whether a command waits.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// An endpoint that is to be opened.
    pub(super) fn take_open_request(&mut self) -> Option<OpenEndpoint> {
        self.open_request.take()
    }

    /// An endpoint that is to be closed.
    pub(super) fn take_close_request(&mut self) -> Option<(Side, EndpointId)> {
        self.close_requests.pop_front()
    }

    /// What the sender is to be told next.
    pub(super) fn poll_sender_command(&mut self) -> Option<SenderCommand> {
        self.to_sender.pop_front()
    }

    /// What the receiver is to be told next.
    pub(super) fn poll_receiver_command(&mut self) -> Option<ReceiverCommand> {
        self.to_receiver.pop_front()
    }

    /// How many logs it has or is getting.
    pub(super) fn logs(&self) -> usize {
        self.publications.len() + self.leaving.len() + self.images.len() + self.vanishing.len() + self.coming.len()
    }

    /// Whether a publication or an image has this registration id.
    pub(super) fn holds(&self, registration_id: RegistrationId) -> bool {
        let publications = self.publications.iter().chain(&self.leaving);
        publications.map(|publication| publication.made_of.registration_id).any(|id| id == registration_id)
            || self.images.iter().chain(&self.vanishing).any(|image| image.made_of.registration_id == registration_id)
    }

    /// The sessions that are taken on the stream, by any endpoint.
    pub(super) fn sessions_of(&self, stream_id: StreamId) -> HashSet<SessionId> {
        let of_stream = self.publications.iter().filter(|publication| publication.made_of.stream_id == stream_id);
        of_stream.map(|publication| publication.made_of.session_id).collect()
    }

    fn publication_mut(&mut self, registration_id: RegistrationId) -> Option<&mut NetworkPublication> {
        self.publications.iter_mut().find(|publication| publication.made_of.registration_id == registration_id)
    }

    fn endpoint(&self, id: EndpointId) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.id == id)
    }

    fn endpoint_of(&self, key: &ChannelKey) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.key == *key)
    }

    fn is_closing(&self, key: &ChannelKey) -> bool {
        self.closing.iter().any(|endpoint| endpoint.key == *key)
    }

    fn new_endpoint_id(&mut self) -> EndpointId {
        self.next_endpoint += 1;
        EndpointId::new(self.next_endpoint)
    }

    fn new_receiver_id(&mut self) -> i64 {
        let id = self.next_receiver_id;
        // Trap 58: never 0, and no other's.
        self.next_receiver_id = match id.wrapping_add(1) {
            0 => 1,
            next => next,
        };
        id
    }

    /// Whether publications, images or subscriptions use the endpoint.
    fn is_used<'a>(&self, id: EndpointId, mut links: impl Iterator<Item = &'a SubscriptionLink>) -> bool {
        self.publications.iter().chain(&self.leaving).any(|publication| publication.made_of.endpoint == id)
            || self.images.iter().chain(&self.vanishing).any(|image| image.made_of.endpoint == id)
            || self.coming.iter().any(|image| image.endpoint == id)
            || links.any(|link| link.network.is_some_and(|network| network.endpoint == id))
    }
}
