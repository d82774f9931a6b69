//! The command in progress, which waits for its channel to be resolved and for its socket; `steps` carries it on. There
//! is one such command at a time, and no other is taken until it is done, which does not take long. Slow steps are
//! waited for elsewhere: names in `lookups`, logs in `awaiting_logs`.

use std::sync::Arc;

use gannet::channel_uri::ChannelUri;
use gannet::types::{ClientId, CorrelationId, RegistrationId, StreamId};

use crate::channel::{TakenPort, UdpChannel, Usage};
use crate::conductor::params::{IpcPublicationParams, IpcSubscriptionParams};
use crate::conductor::subscription_link::NetworkSubscription;
use crate::mailbox::{EndpointId, LookupId, Side};

/// The waiting command.
#[derive(Debug)]
pub(in crate::conductor) struct PendingNetwork {
    pub(super) client_id: ClientId,
    pub(super) correlation_id: CorrelationId,
    /// The id of the lookup of its channel.
    pub(super) lookup: LookupId,
    pub(super) uri: Box<ChannelUri>,
    pub(super) what: Pending,
    /// Its resolved channel, once known.
    pub(super) channel: Option<Arc<UdpChannel>>,
    /// The id of its endpoint or socket, once its channel is known.
    pub(super) endpoint: EndpointId,
    /// The port that was taken for its socket, until the socket is registered.
    pub(super) port: Option<TakenPort>,
    /// Whether its client still exists. If not, the command stops at its next step.
    pub(super) is_wanted: bool,
}

/// What the command does.
#[derive(Debug)]
pub(super) enum Pending {
    Publication {
        stream_id: StreamId,
        exclusive: bool,
        common: Box<IpcPublicationParams>,
    },
    Subscription {
        stream_id: StreamId,
        common: IpcSubscriptionParams,
        subscription: NetworkSubscription,
    },
    /// Adds a subscription that is a spy, or a spy as a source of a subscription with several sources.
    Spy {
        /// The subscription, and the stream.
        registration_id: RegistrationId,
        stream_id: StreamId,
        common: IpcSubscriptionParams,
    },
    /// Adds a destination of a publication.
    AddDestination {
        publication: RegistrationId,
    },
    RemoveDestination {
        publication: RegistrationId,
    },
    /// Adds a destination of a subscription.
    AddReceiveDestination {
        subscription: RegistrationId,
        endpoint: EndpointId,
    },
    RemoveReceiveDestination {
        subscription: RegistrationId,
        endpoint: EndpointId,
    },
}

impl Pending {
    /// The command's name.
    pub(super) fn command(&self) -> &'static str {
        match self {
            Self::Publication { exclusive: true, .. } => "ADD_EXCLUSIVE_PUBLICATION",
            Self::Publication { exclusive: false, .. } => "ADD_PUBLICATION",
            Self::Subscription { .. } | Self::Spy { .. } => "ADD_SUBSCRIPTION",
            Self::AddDestination { .. } => "ADD_DESTINATION",
            Self::RemoveDestination { .. } => "REMOVE_DESTINATION",
            Self::AddReceiveDestination { .. } => "ADD_RCV_DESTINATION",
            Self::RemoveReceiveDestination { .. } => "REMOVE_RCV_DESTINATION",
        }
    }

    /// The stream of the new publication, if the command adds one.
    pub(super) fn new_publication(&self) -> Option<StreamId> {
        match self {
            Self::Publication { stream_id, .. } => Some(*stream_id),
            _ => None,
        }
    }

    /// What its channel is for.
    pub(super) fn usage(&self) -> Usage {
        match self {
            Self::Publication { .. } | Self::Spy { .. } => Usage::Publication,
            Self::Subscription { .. } => Usage::Subscription,
            Self::AddDestination { .. } | Self::RemoveDestination { .. } => Usage::SendDestination,
            Self::AddReceiveDestination { .. } | Self::RemoveReceiveDestination { .. } => Usage::ReceiveDestination,
        }
    }

    /// The agent that uses its socket.
    pub(super) fn side(&self) -> Side {
        match self {
            Self::Publication { .. }
            | Self::Spy { .. }
            | Self::AddDestination { .. }
            | Self::RemoveDestination { .. } => Side::Send,
            Self::Subscription { .. } | Self::AddReceiveDestination { .. } | Self::RemoveReceiveDestination { .. } => {
                Side::Receive
            }
        }
    }
}
