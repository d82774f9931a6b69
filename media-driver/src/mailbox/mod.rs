//! The conductor's requests to the outside, and the replies: plain data, moved by the runtime. The conductor never
//! waits for the file system, so carrying out a request may take any time.

mod endpoint_request;
mod receiving;
mod sending;
mod wire;

pub use crate::channel::{EndpointSpec, Group, LocalInterface, OpenedEndpoint};
pub use endpoint_request::{
    EndpointError, Lead, LookupId, NamedPlace, OpenEndpoint, ResolveChannel, ResolveHost, Side,
};
pub use receiving::{
    CongestionRules, CubicConfig, ImageCounters, Loss, LossRules, MAX_RECEIVE_TRANSPORTS, NewImage, NewReceiveEndpoint,
    NewReceiveTransport, ReceiveStamps, ReceiverCommand, ReceiverEvent,
};
pub use sending::{
    DestinationRules, FlowControlRules, GroupRules, Holder, MAX_DESTINATIONS, MAX_RECEIVERS, NewNetworkPublication,
    PublicationCounters, RetransmitRules, SenderCommand, SenderEvent,
};

pub use wire::{Completion, Content, EndpointId, InlineFrame, Outcome, Transmit, TransmitBatch, TransmitTag};

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use gannet::logbuffer::{LogBuffers, LogParameters};
use gannet::memory::{MapError, Reserve};
use gannet::types::RegistrationId;

use crate::channel::UdpChannel;

/// The maximum number of unanswered requests. A mailbox of this capacity is never full in either direction.
pub const IN_FLIGHT_LIMIT: usize = 16;
/// The maximum number of requests that ask the operating system for names, because a name server may not answer for a
/// long time.
pub const LOOKUP_LIMIT: usize = 8;
/// The maximum number of requests for logs of publications. There is one more for the log of an image.
pub const LOGS_LIMIT: usize = 4;
/// The maximum number of requests to delete logs, for which nobody waits.
pub const DELETIONS_LIMIT: usize = 2;
const _: () = assert!(
    LOOKUP_LIMIT + LOGS_LIMIT + 1 + DELETIONS_LIMIT < IN_FLIGHT_LIMIT,
    "whoever waits for a socket waits for no name server and no log"
);

/// Slow work for the helper. Each request gets one [`Reply`] with the same id.
#[derive(Debug)]
pub enum Request {
    /// Create a log.
    CreateLog(CreateLog),
    /// Unmap a log and delete its file.
    DeleteLog(DeleteLog),
    /// Resolve a channel.
    ResolveChannel(ResolveChannel),
    /// Resolve the host of a bootstrap neighbor.
    ResolveHost(ResolveHost),
    /// Open an endpoint, and pass its sockets to its agent's transport.
    OpenEndpoint(OpenEndpoint),
    /// Connect an endpoint to another address.
    Reconnect(Side, EndpointId, SocketAddr),
    /// Close an endpoint.
    CloseEndpoint(Side, EndpointId),
}

impl Request {
    /// Whether the operating system is asked for names, which may take very long.
    pub fn asks_system(&self) -> bool {
        match self {
            Self::ResolveChannel(request) => request.asks_system(),
            Self::ResolveHost(_) => true,
            _ => false,
        }
    }
}

/// A request to create a log: a mapped new file with reserved space and initialised metadata.
#[derive(Debug)]
pub struct CreateLog {
    /// The registration id of its publication or image.
    pub registration_id: RegistrationId,
    /// The file's path.
    pub path: PathBuf,
    /// The content of its metadata.
    pub parameters: LogParameters,
    /// The file's permission bits.
    pub mode: u32,
    /// Whether its pages are mapped as well.
    pub reserve: Reserve,
}

/// A request to delete a log.
#[derive(Debug)]
pub struct DeleteLog {
    /// The registration id of its publication or image.
    pub registration_id: RegistrationId,
    /// The file's path.
    pub path: PathBuf,
    /// The mapping, which is dropped first. `None` if an earlier attempt has dropped it and then failed to remove the
    /// file.
    pub log: Option<LogBuffers>,
}

/// The reply to a [`Request`].
#[derive(Debug)]
pub enum Reply {
    /// A channel was resolved, or could not be.
    ChannelResolved {
        /// The id of the request.
        id: LookupId,
        /// The channel with its addresses.
        channel: Result<Box<UdpChannel>, EndpointError>,
        /// How long the operating system took for each name, in nanoseconds.
        lookups_ns: Vec<i64>,
    },
    /// The host of a bootstrap neighbor was resolved.
    HostResolved {
        /// The index of the bootstrap neighbor.
        index: usize,
        /// Its address, if it has one.
        address: Option<IpAddr>,
        /// How long the lookup took, in nanoseconds.
        lookup_ns: i64,
    },
    /// The endpoint is open and in use by its transport.
    EndpointOpened {
        /// The endpoint.
        id: EndpointId,
        /// The address to which its socket is bound.
        local: SocketAddr,
    },
    /// The endpoint could not be opened.
    EndpointNotOpened {
        /// The endpoint.
        id: EndpointId,
        /// The error.
        error: EndpointError,
    },
    /// The endpoint is connected to the new address.
    Reconnected {
        /// The endpoint.
        id: EndpointId,
    },
    /// The endpoint could not be connected. It sends to the new address, but does not receive from there.
    NotReconnected {
        /// The endpoint.
        id: EndpointId,
        /// The new address.
        to: SocketAddr,
    },
    /// The endpoint is closed.
    EndpointClosed {
        /// The endpoint.
        id: EndpointId,
    },
    /// The log was created.
    LogCreated {
        /// The registration id of its publication or image.
        registration_id: RegistrationId,
        /// The log.
        log: LogBuffers,
        /// The free space of its file system in bytes, if known.
        space_left: Option<u64>,
    },
    /// The log could not be created. Nothing is left of it.
    LogNotCreated {
        /// The registration id of its publication or image.
        registration_id: RegistrationId,
        /// The error.
        error: MapError,
    },
    /// The log was deleted.
    LogDeleted {
        /// The registration id of its publication or image.
        registration_id: RegistrationId,
    },
    /// The log was unmapped, but its file could not be removed.
    LogNotDeleted {
        /// The registration id of its publication or image.
        registration_id: RegistrationId,
        /// The file's path.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
}
