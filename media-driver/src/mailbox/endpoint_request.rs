//! Endpoints as the conductor asks for them, and as it is told of them: names and addresses, never a socket. Whoever opens the
//! sockets gives them to the transport that serves the endpoint's agent.

use std::net::SocketAddr;

use gannet::channel_uri::ChannelUri;

use super::EndpointId;

/// Which agent an endpoint serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The sender.
    Send,
    /// The receiver.
    Receive,
}

/// An endpoint to be opened: names resolved, sockets bound, groups joined.
#[derive(Clone, Debug)]
pub struct OpenEndpoint {
    /// Its name.
    pub id: EndpointId,
    /// Whom it serves.
    pub side: Side,
    /// Its channel.
    pub channel: Box<ChannelUri>,
}

/// An endpoint that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointAddresses {
    /// What its socket is bound to.
    pub local: SocketAddr,
    /// Where a publication's data goes, if its channel states one address or group.
    pub data: Option<SocketAddr>,
    /// Where all that a receiver says goes, if not to where data comes from.
    pub control: Option<SocketAddr>,
    /// Whether data goes to a group.
    pub multicast: bool,
}

/// Why an endpoint could not be opened. The text names what was attempted, on what, and what to do.
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
