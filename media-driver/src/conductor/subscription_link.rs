//! Links of subscriptions with channels: what a subscription wants from a channel, and where that comes from.

use std::sync::Arc;

use gannet::channel_uri::{CongestionControl, Group};
use gannet::types::{ClientId, RegistrationId, SessionId, StreamId};

use crate::channel::UdpChannel;
use crate::mailbox::{EndpointId, ReceiverCommand};
use crate::shared::{LinkId, UntetheredTimeouts};

/// The sessions of its stream that a subscription wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionChoice {
    /// All sessions.
    Any,
    /// This session.
    Only(SessionId),
    /// The session of the response. None until it is known.
    Response,
}

/// A link of a subscription with a channel.
#[derive(Debug)]
pub(super) struct SubscriptionLink {
    /// The link's id.
    pub(super) id: LinkId,
    /// The registration id of the subscription.
    pub(super) registration_id: RegistrationId,
    /// The subscription's client.
    pub(super) client_id: ClientId,
    /// The stream id.
    pub(super) stream_id: StreamId,
    /// The channel, verbatim.
    pub(super) channel: Box<str>,
    /// The sessions that it wants.
    pub(super) session: SessionChoice,
    /// Whether it waits for the response to a request.
    pub(super) is_response: bool,
    /// Whether the session of the response is known.
    pub(super) is_bound: bool,
    /// Whether it exerts back pressure on its publishers.
    pub(super) tether: bool,
    /// Whether an untethered subscription may rejoin.
    pub(super) rejoin: bool,
    /// The source.
    pub(super) source: Source,
}

/// The source of a link.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// Publications of this driver over IPC.
    Ipc,
    /// Images of an endpoint.
    Network(NetworkLink),
    /// Publications of this driver to this channel.
    Spy(Arc<UdpChannel>),
}

/// The source of a subscription of a UDP channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NetworkLink {
    /// Its endpoint.
    pub(super) endpoint: EndpointId,
    /// The parameters of its channel.
    pub(super) subscription: NetworkSubscription,
    /// Whether the pages of its images' logs are mapped on first use.
    pub(super) sparse: bool,
    /// The timeouts of its images' untethered subscribers.
    pub(super) untethered: UntetheredTimeouts,
}

/// The properties in which subscriptions of UDP channels can differ besides stream and session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NetworkSubscription {
    /// Whether lost data is requested again.
    pub(super) reliable: bool,
    /// Whether receivers assume that other receivers report the same loss.
    pub(super) group: Group,
    /// The receiver's window in bytes, before it is clipped to half a term.
    pub(super) window: i32,
    /// The congestion control.
    pub(super) congestion_control: CongestionControl,
    /// The delay of a NAK when there is one receiver, in nanoseconds.
    pub(super) nak_delay_ns: i64,
    /// The receiver's group tag.
    pub(super) group_tag: Option<i64>,
}

impl SubscriptionLink {
    /// Whether it wants this session of this stream over IPC.
    pub(super) fn wants(&self, stream_id: StreamId, session_id: SessionId) -> bool {
        matches!(self.source, Source::Ipc) && self.stream_id == stream_id && self.session.includes(session_id)
    }

    /// Whether it wants this session of this stream from this endpoint.
    pub(super) fn wants_image(&self, endpoint: EndpointId, stream_id: StreamId, session_id: SessionId) -> bool {
        self.is_of(endpoint) && self.stream_id == stream_id && self.session.includes(session_id)
    }

    /// Whether it wants this session of this stream from this driver's publications to that channel. As in the
    /// reference, a spy on a channel's tag wants all sessions.
    pub(super) fn wants_to_spy(&self, channel: &UdpChannel, stream_id: StreamId, session_id: SessionId) -> bool {
        let Source::Spy(spied) = &self.source else { return false };
        let is_same_tag = spied.tag().is_some() && spied.tag() == channel.tag();
        self.stream_id == stream_id
            && (is_same_tag || self.session.includes(session_id) && spied.canonical() == channel.canonical())
    }

    /// The endpoint and its parameters, if the source is the network.
    pub(super) fn network(&self) -> Option<NetworkLink> {
        match self.source {
            Source::Network(link) => Some(link),
            Source::Ipc | Source::Spy(_) => None,
        }
    }

    /// Whether its source is this endpoint.
    pub(super) fn is_of(&self, endpoint: EndpointId) -> bool {
        self.network().is_some_and(|network| network.endpoint == endpoint)
    }
}

impl SessionChoice {
    fn includes(self, session_id: SessionId) -> bool {
        match self {
            Self::Any => true,
            Self::Only(wanted) => wanted == session_id,
            Self::Response => false,
        }
    }

    /// The command for the receiver when the first subscription of an endpoint with this choice is added.
    pub(super) fn gains(self, endpoint: EndpointId, stream_id: StreamId) -> Option<ReceiverCommand> {
        match self {
            Self::Any => Some(ReceiverCommand::AddStream(endpoint, stream_id)),
            Self::Only(session_id) => Some(ReceiverCommand::AddSession(endpoint, stream_id, session_id)),
            Self::Response => None,
        }
    }

    /// The command for the receiver when the last subscription of an endpoint with this choice is removed.
    pub(super) fn loses(self, endpoint: EndpointId, stream_id: StreamId) -> Option<ReceiverCommand> {
        match self {
            Self::Any => Some(ReceiverCommand::RemoveStream(endpoint, stream_id)),
            Self::Only(session_id) => Some(ReceiverCommand::RemoveSession(endpoint, stream_id, session_id)),
            Self::Response => None,
        }
    }
}
