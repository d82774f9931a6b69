//! Messages between the conductor and the sender, and the parts of a network publication: plain data.

use std::net::SocketAddr;

use gannet::channel_uri::TimestampOffset;
use gannet::logbuffer::LogBuffers;
use gannet::memory::OwnedWord;
use gannet::time::MonotonicNanos;
use gannet::types::{Position, RegistrationId, SessionId, StreamId};

use super::{EndpointId, NamedPlace};
use crate::shared::PublicationWords;

/// How many destinations one endpoint has at most.
pub const MAX_DESTINATIONS: usize = 256;

/// How a publication is paced by its receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowControlRules {
    /// By its one receiver.
    Unicast,
    /// By the furthest of a group.
    Max,
    /// By the slowest of a group.
    Min(GroupRules),
    /// By the slowest of those that state this tag.
    Tagged(GroupRules, i64),
}

/// What a group asks of its receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupRules {
    /// After how long a silent receiver is forgotten, in nanoseconds.
    pub receiver_timeout_ns: i64,
    /// How many there must be before anything is sent.
    pub min_size: i32,
}

/// How NAKs are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetransmitRules {
    /// How long an answer waits, in nanoseconds, so that one serves several receivers.
    pub delay_ns: i64,
    /// How long NAKs for what was just sent again are ignored, in nanoseconds.
    pub linger_ns: i64,
    /// How many answers may be under way in a group: from 1 to 256. Between two it is one, which is reused at once.
    pub group_slots: Option<u16>,
}

/// Where a send endpoint's datagrams go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationRules {
    /// To this address, of a receiver or of a group.
    Fixed(SocketAddr),
    /// Where applications say.
    Manual,
    /// To the receivers that register.
    Dynamic,
}

/// What a publication is made of.
#[derive(Debug)]
pub struct NewNetworkPublication {
    /// The command that asked for it first.
    pub registration_id: RegistrationId,
    /// Its session.
    pub session_id: SessionId,
    /// Its stream.
    pub stream_id: StreamId,
    /// Its log.
    pub log: LogBuffers,
    /// Where it starts.
    pub start_position: Position,
    /// How receivers pace it.
    pub flow_control: FlowControlRules,
    /// How it answers NAKs.
    pub retransmit: RetransmitRules,
    /// How many receiver windows one NAK is answered with at most.
    pub retransmit_windows: i64,
    /// What this driver's receivers start with, in bytes.
    pub initial_window: i32,
    /// After how long a silent receiver counts as gone, in nanoseconds.
    pub connection_timeout_ns: i64,
    /// How many datagrams it may send in one duty cycle.
    pub max_datagrams_per_cycle: usize,
    /// Whether it has group semantics: multicast, or several destinations.
    pub group: bool,
    /// The time to live of its channel, 0 when none is stated.
    pub ttl: i32,
    /// Whether it tells receivers that the stream has ended.
    pub signal_eos: bool,
    /// Whether spies alone keep it going.
    pub spies_simulate_connection: bool,
    /// Whether it asks for a response channel.
    pub asks_for_response: bool,
    /// Whether it answers a request: it sends to whoever asks it to present itself.
    pub answers: bool,
    /// What the conductor and it tell each other.
    pub words: PublicationWords,
    /// The counters that people see.
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
    /// `fc-receivers`, where flow control goes by several.
    pub receivers: Option<OwnedWord<i64>>,
}

/// What the conductor tells the sender.
#[derive(Debug)]
pub enum SenderCommand {
    /// An endpoint is open.
    AddEndpoint(EndpointId, DestinationRules),
    /// Where the time is written into what an endpoint sends, in the first frame of each datagram.
    Stamp(EndpointId, TimestampOffset),
    /// How many destinations an endpoint has is shown here (`mdc-num-dest`).
    ShowDestinations(EndpointId, OwnedWord<i64>),
    /// An endpoint is not used any more.
    RemoveEndpoint(EndpointId),
    /// A publication begins.
    AddPublication(EndpointId, Box<NewNetworkPublication>),
    /// Nothing will be written past this position.
    EndPublication {
        /// The publication.
        registration_id: RegistrationId,
        /// Where it ends.
        position: i64,
        /// Whether it was revoked.
        revoked: bool,
    },
    /// A publication is gone.
    RemovePublication(RegistrationId),
    /// An application adds a destination; it is skipped for as long as it is not known where it is.
    AddDestination(EndpointId, RegistrationId, Option<SocketAddr>),
    /// A name leads here now.
    MoveDestination(NamedPlace, SocketAddr),
    /// Has nothing been heard from there?
    TellIfSilent(NamedPlace),
    /// An application removes a destination.
    RemoveDestination(EndpointId, RegistrationId),
}

/// The receiver whose window a publication waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Which it is.
    pub receiver_id: i64,
    /// Where its status messages come from.
    pub address: SocketAddr,
    /// Since when.
    pub since: MonotonicNanos,
}

/// What the sender tells the conductor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderEvent {
    /// A publication has left the sender: nothing refers to it any more.
    PublicationRemoved(RegistrationId),
    /// The receiver of a request says which session answers it.
    ResponseSetup(RegistrationId, SessionId),
    /// Nothing has been heard from there for a while.
    Silent(NamedPlace),
    /// An answer has its receivers.
    ResponseConnected(RegistrationId),
    /// The system does not send or receive, for a reason that does not pass by itself.
    Fault(Box<str>),
    /// This receiver's window keeps a publication from being sent; or nobody's does any more.
    Held(RegistrationId, Option<Holder>),
    /// More receivers register with an endpoint than are sent to.
    TooManyReceivers(EndpointId),
    /// A receiver has rejected a publication.
    Rejected {
        /// The publication.
        registration_id: RegistrationId,
        /// The destination behind which the receiver is, by the command that added it, if one did.
        destination: Option<RegistrationId>,
        /// Where the receiver is.
        source: SocketAddr,
        /// Which it is.
        receiver_id: i64,
        /// Its group.
        group_tag: Option<i64>,
        /// The code of its reason.
        error_code: i32,
        /// Its reason.
        text: Box<[u8]>,
    },
}
