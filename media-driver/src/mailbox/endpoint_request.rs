//! Channels and endpoints as the conductor asks for them, and as it is told of them: names and addresses, never a socket. Whoever
//! opens the sockets gives them to the transport that serves the endpoint's agent.

use std::net::SocketAddr;
use std::sync::Arc;

use gannet::channel_uri::ChannelUri;
use gannet::command::ErrorCode;
use gannet::types::RegistrationId;

use super::EndpointId;
use crate::channel::{ChannelError, UdpChannel, Usage};

/// Which agent an endpoint serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The sender.
    Send,
    /// The receiver.
    Receive,
}

/// Something that is known by a name, which may lead elsewhere one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NamedPlace {
    /// Where a publication's endpoint sends.
    Endpoint(EndpointId),
    /// One of the places that a publication's endpoint sends to, by the command that added it.
    Destination(EndpointId, RegistrationId),
    /// Where what is said through one of an endpoint's sockets goes: the endpoint, and the socket.
    Transport(EndpointId, EndpointId),
}

impl NamedPlace {
    /// The endpoint that it belongs to.
    pub const fn endpoint(&self) -> EndpointId {
        match self {
            Self::Endpoint(endpoint) | Self::Destination(endpoint, _) | Self::Transport(endpoint, _) => *endpoint,
        }
    }
}

/// A channel whose meaning is to be found out: names resolved, interfaces looked through.
#[derive(Clone, Debug)]
pub struct ResolveChannel {
    /// What the answer is for: the command that waits for it, or what is looked at again.
    pub id: RegistrationId,
    /// The channel.
    pub uri: Box<ChannelUri>,
    /// What it is to be used for.
    pub usage: Usage,
    /// A number that no channel has had: see [`Surroundings::unique`](crate::channel::Surroundings::unique).
    pub unique: u64,
}

/// An endpoint, or one transport of an endpoint, to be opened: sockets bound, groups joined.
#[derive(Clone, Debug)]
pub struct OpenEndpoint {
    /// Its name.
    pub id: EndpointId,
    /// Whom it serves.
    pub side: Side,
    /// Its channel.
    pub channel: Box<UdpChannel>,
    /// What it is bound to.
    pub bind: SocketAddr,
    /// The channel of its subscription, if it is one of several places where that listens: what sockets are like is the subscription's to say.
    pub subscription: Option<Arc<UdpChannel>>,
}

/// Why a channel means nothing, or an endpoint could not be opened. The text names what was attempted, on what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Its channel is not one that can be opened.
    #[error("{0}")]
    Channel(String),
    /// A name in it is not known.
    #[error("{0}")]
    UnknownHost(String),
    /// The operating system refused it.
    #[error("{0}")]
    System(String),
}

impl From<ChannelError> for EndpointError {
    fn from(error: ChannelError) -> Self {
        match error.error_code() {
            ErrorCode::UnknownHost => Self::UnknownHost(error.to_string()),
            ErrorCode::InvalidChannel => Self::Channel(error.to_string()),
            _ => Self::System(error.to_string()),
        }
    }
}
