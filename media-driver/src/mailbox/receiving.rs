//! Messages between the conductor and the receiver, and the parts of an image: plain data.

use std::net::SocketAddr;

use gannet::channel_uri::TimestampOffset;
use gannet::logbuffer::LogBuffers;
use gannet::memory::OwnedWord;
use gannet::protocol::Setup;
use gannet::types::{Position, RegistrationId, SessionId, StreamId};

use super::{EndpointId, NamedPlace};
use crate::shared::ImageWords;

/// How large a receiver's window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CongestionRules {
    /// This many bytes, or half a term.
    Static(i32),
    /// As CUBIC has it, and at most that.
    Cubic(CubicConfig, i32),
}

/// The settings that all images of a driver share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CubicConfig {
    /// What the round trip is taken for until it is measured, in nanoseconds; also how often the window is looked at.
    pub initial_rtt_ns: i64,
    /// Whether the round trip is measured.
    pub measure_rtt: bool,
    /// Whether the window is at least what TCP would have.
    pub tcp_mode: bool,
}

impl Default for CubicConfig {
    fn default() -> Self {
        Self { initial_rtt_ns: 100_000, measure_rtt: false, tcp_mode: false }
    }
}

/// What becomes of bytes that are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossRules {
    /// They are skipped.
    Fill,
    /// They are asked for.
    Unicast {
        /// After this long, in nanoseconds.
        delay_ns: i64,
        /// And again after so many times that.
        retry_ratio: i64,
    },
    /// They are asked for by whoever of a group is first.
    Group {
        /// About how many receivers it has.
        size: i32,
        /// How long any of them waits at most, in nanoseconds.
        max_backoff_ns: i64,
    },
}

/// What an image is made of.
#[derive(Debug)]
pub struct NewImage {
    /// Its name.
    pub registration_id: RegistrationId,
    /// Its session.
    pub session_id: SessionId,
    /// Its stream.
    pub stream_id: StreamId,
    /// Its log.
    pub log: LogBuffers,
    /// Where it joins the stream.
    pub join_position: Position,
    /// How large its window is.
    pub congestion_control: CongestionRules,
    /// What becomes of what is missing.
    pub loss: LossRules,
    /// Which transport its setup came from, and where answers go.
    pub transport: EndpointId,
    /// As above.
    pub control_address: SocketAddr,
    /// The endpoint's name among all receivers of the stream.
    pub receiver_id: i64,
    /// The endpoint's group.
    pub group_tag: Option<i64>,
    /// After how long without data it is given up, in nanoseconds.
    pub liveness_timeout_ns: i64,
    /// How often it reports when nothing else makes it, in nanoseconds.
    pub status_message_timeout_ns: i64,
    /// What the conductor and it tell each other.
    pub words: ImageWords,
    /// The counters that people see.
    pub counters: ImageCounters,
}

/// The counters of an image that the receiver stores.
#[derive(Clone, Debug)]
pub struct ImageCounters {
    /// `rcv-hwm`.
    pub highest: OwnedWord<i64>,
    /// `rcv-pos`.
    pub position: OwnedWord<i64>,
    /// `rcv-naks-sent`.
    pub naks_sent: OwnedWord<i64>,
    /// `rcv-cc-cubic-rtt` and `rcv-cc-cubic-wnd`, where the window goes by them.
    pub cubic: Option<[OwnedWord<i64>; 2]>,
}

/// What was found to be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The image.
    pub registration_id: RegistrationId,
    /// How many bytes are missing.
    pub length: i32,
}

/// What an endpoint is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewReceiveEndpoint {
    /// Its name.
    pub id: EndpointId,
    /// Its name among all receivers of a stream: not 0, and no other's (trap 58).
    pub receiver_id: i64,
    /// Its group.
    pub group_tag: Option<i64>,
    /// How many images one stream may have.
    pub session_limit: usize,
}

/// Where in each message the time is written when it is received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiveStamps {
    /// When the operating system had it.
    pub media: Option<TimestampOffset>,
    /// When the receiver had it.
    pub channel: Option<TimestampOffset>,
}

/// How many sockets one endpoint listens at, at most.
pub const MAX_RECEIVE_TRANSPORTS: usize = 16;

/// One of the sockets that an endpoint listens at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewReceiveTransport {
    /// Its name; the endpoint's, if it is the only one.
    pub id: EndpointId,
    /// Where everything that is said through it goes, if not to where data came from: a group's control address, or one that was
    /// stated.
    pub control: Option<SocketAddr>,
    /// Whether that address is one that a publication is registered with.
    pub registers: bool,
}

/// What the conductor tells the receiver.
#[derive(Debug)]
pub enum ReceiverCommand {
    /// An endpoint is open.
    AddEndpoint(NewReceiveEndpoint),
    /// An endpoint is not used any more.
    RemoveEndpoint(EndpointId),
    /// Where times are written into what an endpoint receives.
    Stamp(EndpointId, ReceiveStamps),
    /// A socket of an endpoint is open.
    AddTransport(EndpointId, NewReceiveTransport),
    /// A socket of an endpoint is not used any more.
    RemoveTransport(EndpointId, EndpointId),
    /// What is said through a socket goes here now.
    MoveControl(EndpointId, SocketAddr),
    /// Has nothing come in there?
    TellIfSilent(NamedPlace),
    /// A session presents itself to nobody who waits for it: it is asked to, where it is known to be.
    AskForSetup(EndpointId, StreamId, SessionId),
    /// Which session answers the request that an image is; none once the answer has its receivers.
    SetResponseSession(RegistrationId, Option<SessionId>),
    /// All sessions of a stream are wanted.
    AddStream(EndpointId, StreamId),
    /// Not all are wanted any more.
    RemoveStream(EndpointId, StreamId),
    /// One session is wanted.
    AddSession(EndpointId, StreamId, SessionId),
    /// One session is not wanted any more.
    RemoveSession(EndpointId, StreamId, SessionId),
    /// The image that was asked for is made.
    AddImage(EndpointId, Box<NewImage>),
    /// The image that was asked for will not be.
    RefuseImage(EndpointId, StreamId, SessionId),
    /// Nobody reads an image any more, or its sender is gone: it says so.
    LeaveImage(RegistrationId),
    /// An application rejects an image.
    RejectImage(RegistrationId, Box<[u8]>),
    /// An image is gone.
    RemoveImage(RegistrationId),
    /// A session whose image vanished may come again.
    EndCoolDown(EndpointId, StreamId, SessionId),
}

/// What the receiver tells the conductor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverEvent {
    /// A session presents itself that is wanted: make an image of it.
    CreateImage {
        /// Where it came in.
        endpoint: EndpointId,
        /// Through which of its sockets.
        transport: EndpointId,
        /// What it says of itself.
        setup: Setup,
        /// Where it came from.
        source: SocketAddr,
        /// Where what it is told goes.
        control: SocketAddr,
    },
    /// An image has left the receiver: nothing refers to it any more.
    ImageRemoved(RegistrationId),
    /// Something was lost.
    Loss(Loss),
    /// An endpoint hears of more sessions, or a stream of it has more images, than there may be.
    TooManySessions(EndpointId),
    /// Nothing has come in there for a while.
    Silent(NamedPlace),
    /// The system does not send or receive, for a reason that does not pass by itself.
    Fault(Box<str>),
}
