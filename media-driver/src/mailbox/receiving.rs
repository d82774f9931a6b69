//! Messages between the conductor and the receiver, and the parts of an image: plain data.

use std::net::SocketAddr;

use gannet::channel_uri::TimestampOffset;
use gannet::logbuffer::LogBuffers;
use gannet::memory::OwnedWord;
use gannet::protocol::Setup;
use gannet::types::{Position, RegistrationId, SessionId, StreamId};

use super::{EndpointId, NamedPlace};
use crate::shared::ImageWords;

/// The congestion control of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CongestionRules {
    /// A fixed window of this many bytes, or half a term if that is less.
    Static(i32),
    /// CUBIC, with at most this window.
    Cubic(CubicConfig, i32),
}

/// The CUBIC settings that all images of a driver share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CubicConfig {
    /// The assumed round-trip time until it is measured, in nanoseconds. Also the interval between updates of the
    /// window.
    pub initial_rtt_ns: i64,
    /// Whether the round-trip time is measured.
    pub measure_rtt: bool,
    /// Whether the window is at least TCP's.
    pub tcp_mode: bool,
}

impl Default for CubicConfig {
    fn default() -> Self {
        Self { initial_rtt_ns: 100_000, measure_rtt: false, tcp_mode: false }
    }
}

/// The handling of lost data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossRules {
    /// Gaps are filled with padding.
    Fill,
    /// A single receiver requests a retransmit.
    Unicast {
        /// The delay of the first NAK in nanoseconds.
        delay_ns: i64,
        /// The delay of further NAKs, as a multiple of the first.
        retry_ratio: i64,
    },
    /// One of the receivers of a group requests a retransmit.
    Group {
        /// The estimated number of receivers.
        size: i32,
        /// The maximum delay of a NAK in nanoseconds.
        max_backoff_ns: i64,
    },
}

/// The properties of a new image.
#[derive(Debug)]
pub struct NewImage {
    /// The registration id.
    pub registration_id: RegistrationId,
    /// The session id.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// Its log.
    pub log: LogBuffers,
    /// The join position.
    pub join_position: Position,
    /// The congestion control.
    pub congestion_control: CongestionRules,
    /// The handling of lost data.
    pub loss: LossRules,
    /// The socket that received its setup, and the address for control frames.
    pub transport: EndpointId,
    /// As above.
    pub control_address: SocketAddr,
    /// The receiver id of the endpoint.
    pub receiver_id: i64,
    /// The endpoint's group tag.
    pub group_tag: Option<i64>,
    /// How long it may receive nothing before it is closed, in nanoseconds.
    pub liveness_timeout_ns: i64,
    /// The maximum interval between status messages in nanoseconds.
    pub status_message_timeout_ns: i64,
    /// The words that it shares with the conductor.
    pub words: ImageWords,
    /// Its counters.
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
    /// `rcv-cc-cubic-rtt` and `rcv-cc-cubic-wnd`, with CUBIC congestion control.
    pub cubic: Option<[OwnedWord<i64>; 2]>,
}

/// A loss that was detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The registration id of the image.
    pub registration_id: RegistrationId,
    /// The number of missing bytes.
    pub length: i32,
}

/// The properties of a new receive endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewReceiveEndpoint {
    /// Its id.
    pub id: EndpointId,
    /// Its receiver id: not 0, and different from all others (trap 58).
    pub receiver_id: i64,
    /// Its group tag.
    pub group_tag: Option<i64>,
    /// The maximum number of images per stream.
    pub session_limit: usize,
}

/// The places in each message at which receive timestamps are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiveStamps {
    /// For the time at which the operating system received it.
    pub media: Option<TimestampOffset>,
    /// For the time at which the receiver received it.
    pub channel: Option<TimestampOffset>,
}

/// The maximum number of sockets per endpoint.
pub const MAX_RECEIVE_TRANSPORTS: usize = 16;

/// A socket of a receive endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewReceiveTransport {
    /// Its id. Equal to the endpoint's if it is the only one.
    pub id: EndpointId,
    /// The address for all control frames, if it is not the source of the data: a group's control address, or one that
    /// the channel states.
    pub control: Option<SocketAddr>,
    /// Whether it registers with a publication at that address.
    pub registers: bool,
}

/// A command of the conductor to the receiver.
#[derive(Debug)]
pub enum ReceiverCommand {
    /// Adds an open endpoint.
    AddEndpoint(NewReceiveEndpoint),
    /// Removes an endpoint.
    RemoveEndpoint(EndpointId),
    /// Sets the places for timestamps in what an endpoint receives.
    Stamp(EndpointId, ReceiveStamps),
    /// Adds an open socket to an endpoint.
    AddTransport(EndpointId, NewReceiveTransport),
    /// Removes a socket from an endpoint.
    RemoveTransport(EndpointId, EndpointId),
    /// Changes the control address of a socket.
    MoveControl(EndpointId, SocketAddr),
    /// Asks for an event if nothing was received there for a while.
    TellIfSilent(NamedPlace),
    /// Asks a session for a setup, where its sender is known. Needed if it has sent one before it was wanted.
    AskForSetup(EndpointId, StreamId, SessionId),
    /// Sets the session that responds to the request that is this image. `None` once the response has its receivers, or
    /// has ended.
    SetResponseSession(RegistrationId, Option<SessionId>),
    /// All sessions of a stream are wanted.
    AddStream(EndpointId, StreamId),
    /// Not all sessions of a stream are wanted any more.
    RemoveStream(EndpointId, StreamId),
    /// A session is wanted.
    AddSession(EndpointId, StreamId, SessionId),
    /// A session is not wanted any more.
    RemoveSession(EndpointId, StreamId, SessionId),
    /// Adds the image that the receiver requested.
    AddImage(EndpointId, Box<NewImage>),
    /// The image that the receiver requested is refused.
    RefuseImage(EndpointId, StreamId, SessionId),
    /// An image leaves, because it has no subscribers or its sender is gone. It then says so to its sender.
    LeaveImage(RegistrationId),
    /// Rejects an image.
    RejectImage(RegistrationId, Box<[u8]>),
    /// Removes an image.
    RemoveImage(RegistrationId),
    /// A session whose image was removed may return.
    EndCoolDown(EndpointId, StreamId, SessionId),
}

/// An event of the receiver for the conductor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverEvent {
    /// A wanted session has sent a setup and needs an image.
    CreateImage {
        /// The endpoint.
        endpoint: EndpointId,
        /// The socket that received the setup.
        transport: EndpointId,
        /// The setup.
        setup: Setup,
        /// The sender's address.
        source: SocketAddr,
        /// The address for control frames.
        control: SocketAddr,
    },
    /// An image was removed from the receiver, which no longer refers to it.
    ImageRemoved(RegistrationId),
    /// A loss was detected.
    Loss(Loss),
    /// An endpoint receives more sessions, or a stream of it has more images, than permitted.
    TooManySessions(EndpointId),
    /// Nothing was received there for a while.
    Silent(NamedPlace),
    /// Sending or receiving fails for a permanent reason.
    Fault(Box<str>),
}
