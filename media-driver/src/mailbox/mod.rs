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
    DestinationRules, FlowControlRules, GroupRules, Holder, MAX_DESTINATIONS, NewNetworkPublication,
    PublicationCounters, RetransmitRules, SenderCommand, SenderEvent,
};

pub use wire::{
    Completion, Content, EndpointId, InlineFrame, MAX_INLINE_FRAME, Outcome, Transmit, TransmitBatch, TransmitTag,
};

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use gannet::logbuffer::{LogBuffers, LogParameters};
use gannet::memory::{MapError, Reserve};
use gannet::types::RegistrationId;

use crate::channel::UdpChannel;

/// How many requests the conductor leaves unanswered at most. A mailbox of this capacity, either way, is never full.
pub const IN_FLIGHT_LIMIT: usize = 16;
/// How many of these ask the operating system for names at most: a name server may leave them unanswered for long.
pub const LOOKUP_LIMIT: usize = 8;
/// How many ask for the logs of publications at most, and one for that of an image.
pub const LOGS_LIMIT: usize = 4;
/// How many have logs deleted at most, which nobody waits for.
pub const DELETIONS_LIMIT: usize = 2;
const _: () = assert!(
    LOOKUP_LIMIT + LOGS_LIMIT + 1 + DELETIONS_LIMIT < IN_FLIGHT_LIMIT,
    "whoever waits for a socket waits for no name server and no log"
);

/// Slow work that the conductor wants done. Each request is answered by one [`Reply`] with the same id.
#[derive(Debug)]
pub enum Request {
    /// Create a log.
    CreateLog(CreateLog),
    /// Unmap a log and delete its file.
    DeleteLog(DeleteLog),
    /// Find out what a channel means.
    ResolveChannel(ResolveChannel),
    /// Look up where a driver is that name resolution tells its name first.
    ResolveHost(ResolveHost),
    /// Open an endpoint, and give its sockets to the transport that serves its agent.
    OpenEndpoint(OpenEndpoint),
    /// Have the transport connect an endpoint to another address.
    Reconnect(Side, EndpointId, SocketAddr),
    /// Have the transport close an endpoint.
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

/// A log to be created: a new file with its space reserved, mapped, and its metadata filled in.
#[derive(Debug)]
pub struct CreateLog {
    /// The publication whose log it will be.
    pub registration_id: RegistrationId,
    /// The file.
    pub path: PathBuf,
    /// What its metadata will say.
    pub parameters: LogParameters,
    /// The file's permission bits, before the umask.
    pub mode: u32,
    /// Whether its pages are faulted in as well.
    pub reserve: Reserve,
}

/// A log to be deleted.
#[derive(Debug)]
pub struct DeleteLog {
    /// The publication whose log it was.
    pub registration_id: RegistrationId,
    /// The file.
    pub path: PathBuf,
    /// The mapping to be given up first; none when an earlier attempt has done so and then failed to remove the file.
    pub log: Option<LogBuffers>,
}

/// The answer to a [`Request`].
#[derive(Debug)]
pub enum Reply {
    /// What a channel means, or why it means nothing.
    ChannelResolved {
        /// Which request this answers.
        id: LookupId,
        /// The channel, with all addresses found.
        channel: Result<Box<UdpChannel>, EndpointError>,
        /// How long the operating system took for each name that it was asked for, in nanoseconds.
        lookups_ns: Vec<i64>,
    },
    /// A driver's host was looked up.
    HostResolved {
        /// Which.
        index: usize,
        /// Its address, if there is one.
        address: Option<IpAddr>,
        /// How long that took, in nanoseconds.
        lookup_ns: i64,
    },
    /// The endpoint is open, and its transport serves it.
    EndpointOpened {
        /// Which.
        id: EndpointId,
        /// What its socket is bound to.
        local: SocketAddr,
    },
    /// The endpoint could not be opened.
    EndpointNotOpened {
        /// Which.
        id: EndpointId,
        /// Why.
        error: EndpointError,
    },
    /// The endpoint is connected to where it was to be.
    Reconnected {
        /// Which.
        id: EndpointId,
    },
    /// The endpoint could not be connected: it sends there, and does not hear what comes from there.
    NotReconnected {
        /// Which.
        id: EndpointId,
        /// Where to.
        to: SocketAddr,
    },
    /// The endpoint is closed.
    EndpointClosed {
        /// Which.
        id: EndpointId,
    },
    /// The log is there.
    LogCreated {
        /// Whose log it is.
        registration_id: RegistrationId,
        /// The log.
        log: LogBuffers,
        /// What its file system has left, in bytes, if that can be told.
        space_left: Option<u64>,
    },
    /// The log could not be created, and nothing of it is left.
    LogNotCreated {
        /// Whose log it was to be.
        registration_id: RegistrationId,
        /// Why.
        error: MapError,
    },
    /// The log is gone.
    LogDeleted {
        /// Whose log it was.
        registration_id: RegistrationId,
    },
    /// The log is unmapped, and its file could not be removed.
    LogNotDeleted {
        /// Whose log it was.
        registration_id: RegistrationId,
        /// The file that is still there.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}
