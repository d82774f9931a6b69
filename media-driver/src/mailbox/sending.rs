//! Messages between the conductor and the sender, and the parts of a network publication: plain data.

use std::net::SocketAddr;

use gannet::channel_uri::TimestampOffset;
use gannet::logbuffer::LogBuffers;
use gannet::memory::OwnedWord;
use gannet::time::MonotonicNanos;
use gannet::types::{Position, RegistrationId, SessionId, StreamId};

use super::{EndpointId, NamedPlace};
use crate::shared::PublicationWords;

/// The maximum number of destinations of an endpoint.
pub const MAX_DESTINATIONS: usize = 256;
/// The maximum number of receivers that a flow control follows. Status messages of further ones are ignored until another
/// receiver has left, and are counted.
pub const MAX_RECEIVERS: usize = 1024;

/// The flow control of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowControlRules {
    /// By its only receiver.
    Unicast,
    /// By the fastest receiver of a group.
    Max,
    /// By the slowest receiver of a group.
    Min(GroupRules),
    /// By the slowest receiver with this group tag.
    Tagged(GroupRules, i64),
}

/// The flow control parameters of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupRules {
    /// How long a silent receiver still counts, in nanoseconds.
    pub receiver_timeout_ns: i64,
    /// The number of receivers that must be present before anything is sent.
    pub min_size: i32,
}

/// The handling of NAKs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetransmitRules {
    /// The delay of a retransmit in nanoseconds, so that one serves several receivers.
    pub delay_ns: i64,
    /// How long NAKs for a range are ignored after its retransmit, in nanoseconds.
    pub linger_ns: i64,
    /// The number of pending retransmits in a group, from 1 to 256. With a single receiver there is one, which is
    /// reused at once.
    pub group_slots: Option<u16>,
}

/// The destinations of a send endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationRules {
    /// This address, of a receiver or a group.
    Fixed(SocketAddr),
    /// The destinations that applications add.
    Manual,
    /// The receivers that register.
    Dynamic,
}

/// The properties of a new network publication.
#[derive(Debug)]
pub struct NewNetworkPublication {
    /// The registration id: the correlation id of the command that first added it.
    pub registration_id: RegistrationId,
    /// The session id.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// Its log.
    pub log: LogBuffers,
    /// The start position.
    pub start_position: Position,
    /// The flow control.
    pub flow_control: FlowControlRules,
    /// The handling of NAKs.
    pub retransmit: RetransmitRules,
    /// The maximum length of a retransmit per NAK, in receiver windows.
    pub retransmit_windows: i64,
    /// The initial receiver window of this driver in bytes.
    pub initial_window: i32,
    /// How long receivers may be silent before they count as gone, in nanoseconds.
    pub connection_timeout_ns: i64,
    /// The maximum number of datagrams per duty cycle.
    pub max_datagrams_per_cycle: usize,
    /// Whether it has group semantics: multicast, or several destinations.
    pub group: bool,
    /// The TTL of its channel. 0 if not stated.
    pub ttl: i32,
    /// Whether it signals the end of the stream to receivers.
    pub signal_eos: bool,
    /// Whether spies alone count as a connection.
    pub spies_simulate_connection: bool,
    /// Whether it asks for a response channel.
    pub asks_for_response: bool,
    /// Whether it responds to a request. It sends to the receivers that ask it for a setup.
    pub answers: bool,
    /// The words that it shares with the conductor.
    pub words: PublicationWords,
    /// Its counters.
    pub counters: PublicationCounters,
}

/// The counters of a network publication that the sender stores.
#[derive(Clone, Debug)]
pub struct PublicationCounters {
    /// `snd-pos`.
    pub position: OwnedWord<i64>,
    /// `snd-lmt`.
    pub limit: OwnedWord<i64>,
    /// `snd-bpe`: how often the limit stopped it.
    pub back_pressure: OwnedWord<i64>,
    /// `snd-naks-received`.
    pub naks_received: OwnedWord<i64>,
    /// `fc-receivers`, if flow control tracks several receivers.
    pub receivers: Option<OwnedWord<i64>>,
}

/// A command of the conductor to the sender.
#[derive(Debug)]
pub enum SenderCommand {
    /// Adds an open endpoint.
    AddEndpoint(EndpointId, DestinationRules),
    /// Sets the place for the send timestamp in the first frame of each datagram of an endpoint.
    Stamp(EndpointId, TimestampOffset),
    /// Sets the counter of an endpoint's destinations (`mdc-num-dest`).
    ShowDestinations(EndpointId, OwnedWord<i64>),
    /// Removes an endpoint.
    RemoveEndpoint(EndpointId),
    /// Adds a publication.
    AddPublication(EndpointId, Box<NewNetworkPublication>),
    /// Ends a publication at this position.
    EndPublication {
        /// The registration id of the publication.
        registration_id: RegistrationId,
        /// The end-of-stream position.
        position: i64,
        /// Whether it was revoked.
        revoked: bool,
    },
    /// Removes a publication.
    RemovePublication(RegistrationId),
    /// Adds a destination of an application. It is skipped as long as its address is unknown.
    AddDestination(EndpointId, RegistrationId, Option<SocketAddr>),
    /// Changes an address that came from a name.
    MoveDestination(NamedPlace, SocketAddr),
    /// Asks for an event if nothing was received from there for a while.
    TellIfSilent(NamedPlace),
    /// Removes a destination of an application.
    RemoveDestination(EndpointId, RegistrationId),
}

/// The receiver whose window holds back a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The receiver id.
    pub receiver_id: i64,
    /// The source address of its status messages.
    pub address: SocketAddr,
    /// Since when it holds back the publication.
    pub since: MonotonicNanos,
}

/// An event of the sender for the conductor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderEvent {
    /// A publication was removed from the sender, which no longer refers to it.
    PublicationRemoved(RegistrationId),
    /// The receiver of a request has reported the session that responds to it.
    ResponseSetup(RegistrationId, SessionId),
    /// Nothing was received from there for a while.
    Silent(NamedPlace),
    /// A response has its receivers.
    ResponseConnected(RegistrationId),
    /// Sending or receiving fails for a permanent reason.
    Fault(Box<str>),
    /// This receiver's window holds back a publication. `None` if none does any more.
    Held(RegistrationId, Option<Holder>),
    /// More receivers register with an endpoint than it can send to.
    TooManyReceivers(EndpointId),
    /// The group of a publication has more receivers than its flow control follows.
    TooManyFollowed(RegistrationId),
    /// A receiver has rejected a publication.
    Rejected {
        /// The registration id of the publication.
        registration_id: RegistrationId,
        /// The destination of the receiver, by its registration id, if a command added it.
        destination: Option<RegistrationId>,
        /// The address of the receiver.
        source: SocketAddr,
        /// The receiver id.
        receiver_id: i64,
        /// The receiver's group tag.
        group_tag: Option<i64>,
        /// The error code.
        error_code: i32,
        /// The reason.
        text: Box<[u8]>,
    },
}
