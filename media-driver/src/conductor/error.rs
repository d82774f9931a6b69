//! Why a command is refused, and the error code for its client.

use std::io;

use crate::channel::{ChannelError, PortsExhausted};
use crate::mailbox::EndpointError;
use gannet::channel_uri::ChannelUriError;
use gannet::command::{ErrorCode, MalformedCommand};
use gannet::counters::CountersFull;
use gannet::memory::MapError;
use gannet::types::{CorrelationId, Position, RegistrationId, SessionId, StreamId};

/// A refused command. The client and the error log get the text, so it says what was requested and what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    #[error(transparent)]
    Malformed(#[from] MalformedCommand),
    #[error(transparent)]
    Channel(#[from] ChannelUriError),
    #[error("a UDP channel needs an endpoint, as in aeron:udp?endpoint=host:port")]
    MissingEndpoint,
    #[error("a destination of a publication is a UDP channel with an endpoint, as in aeron:udp?endpoint=host:port")]
    NoDestination,
    #[error("{key} has port 0, which nobody can send to; state the port")]
    WildcardPort { key: &'static str },
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("the channel's endpoint is being closed; try again")]
    Closing,
    #[error("as many {what} as may be wait for names that are looked up; try again")]
    ManyWait { what: &'static str },
    #[error("a subscription of the same endpoint and stream differs in {key}")]
    SubscriptionClash { key: &'static str },
    #[error(transparent)]
    UdpChannel(#[from] ChannelError),
    #[error(transparent)]
    NoPort(#[from] PortsExhausted),
    #[error("nothing can be published to an aeron-spy: channel, which only reads")]
    SpyPublication,
    #[error("no endpoint has its channel tag: state an address, or add the channel that it names first")]
    UnknownTag,
    #[error("control-mode=response needs response-correlation-id, the correlation id of the request's image")]
    MissingResponseCorrelation,
    #[error("response-correlation-id=prototype needs control-mode=response")]
    StrayPrototype,
    #[error("image {image} did not ask for a response")]
    NoResponseWanted { image: i64 },
    #[error(
        "response-correlation-id={subscription} names no subscription with control-mode=response; a response publication, which names an image, needs control-mode=response itself, also beside a tag"
    )]
    UnknownResponseSubscription { subscription: i64 },
    #[error("subscription {registration_id} does not have control-mode=manual")]
    OnePlace { registration_id: RegistrationId },
    #[error("publication {registration_id} does not have control-mode=manual")]
    NotManual { registration_id: RegistrationId },
    #[error(
        "its MTU of {mtu} bytes is more than the socket's send buffer of {buffer}: set mtu lower, or so-sndbuf higher"
    )]
    SendBuffer { mtu: u64, buffer: u64 },
    #[error(
        "its window of {window} bytes is more than the socket's receive buffer of {buffer}: set rcv-wnd lower, or so-rcvbuf higher"
    )]
    ReceiveBuffer { window: u64, buffer: u64 },
    #[error("its MTU of {mtu} bytes is more than the receiver window of {window}, or no more than a header")]
    ImageMtu { mtu: i32, window: i32 },
    #[error("the channel's endpoint is there, with another {key}")]
    EndpointClash { key: &'static str },
    #[error("nobody wants it any more")]
    UnwantedImage,
    #[error("session-id=tag:{tag} names no network publication")]
    UnknownSessionTag { tag: i64 },
    #[error("a publication cannot start at position {position}, where the stream ends")]
    StartAtEnd { position: Position },
    #[error("existing publication has clashing session id {session_id} on stream {stream_id}")]
    SessionClash { session_id: SessionId, stream_id: StreamId },
    #[error("{key} is stated as {stated}, and the existing publication has {existing}")]
    Mismatch { key: &'static str, stated: i64, existing: i64 },
    #[error("response subscription {subscription} has the answer to its request already")]
    ResponseTaken { subscription: RegistrationId },
    #[error("unknown publication {registration_id}")]
    UnknownPublication { registration_id: RegistrationId },
    #[error("unknown subscription {registration_id}")]
    UnknownSubscription { registration_id: RegistrationId },
    #[error("unknown counter {registration_id}")]
    UnknownCounter { registration_id: RegistrationId },
    #[error("a counter of type {type_id} with registration id {registration_id} exists and is not static")]
    NotStatic { type_id: i32, registration_id: RegistrationId },
    #[error("unable to resolve image {image}")]
    UnknownImage { image: CorrelationId },
    #[error("the reason has {length} bytes, at most {most} are passed on")]
    ReasonTooLong { length: usize, most: usize },
    #[error("registration id {registration_id} is in use; draw a new correlation id for each command")]
    InUse { registration_id: RegistrationId },
    #[error("the driver is full: it cannot hold more {what} than {capacity}")]
    Full { what: &'static str, capacity: usize },
    #[error(transparent)]
    NoCounter(#[from] CountersFull),
    #[error(transparent)]
    Log(#[from] MapError),
}

impl CommandError {
    /// The error code for the client.
    pub(super) fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(malformed) => malformed.error_code(),
            Self::UdpChannel(error) => error.error_code(),
            Self::Channel(error) => error.error_code(),
            Self::SessionClash { .. }
            | Self::MissingEndpoint
            | Self::SpyPublication
            | Self::OnePlace { .. }
            | Self::Endpoint(EndpointError::Channel(_)) => ErrorCode::InvalidChannel,
            Self::Endpoint(EndpointError::UnknownHost(_)) => ErrorCode::UnknownHost,
            Self::Closing | Self::ManyWait { .. } => ErrorCode::ResourceTemporarilyUnavailable,
            Self::UnknownPublication { .. } => ErrorCode::UnknownPublication,
            Self::UnknownSubscription { .. } => ErrorCode::UnknownSubscription,
            Self::UnknownCounter { .. } => ErrorCode::UnknownCounter,
            Self::Log(MapError::NoSpace { .. }) => ErrorCode::StorageSpace,
            Self::Log(error) if error.io_kind() == Some(io::ErrorKind::StorageFull) => ErrorCode::StorageSpace,
            Self::UnknownSessionTag { .. }
            | Self::NoDestination
            | Self::WildcardPort { .. }
            | Self::NoPort(_)
            | Self::UnknownTag
            | Self::MissingResponseCorrelation
            | Self::StrayPrototype
            | Self::NoResponseWanted { .. }
            | Self::UnknownResponseSubscription { .. }
            | Self::Endpoint(EndpointError::System(_))
            | Self::SubscriptionClash { .. }
            | Self::NotManual { .. }
            | Self::ImageMtu { .. }
            | Self::SendBuffer { .. }
            | Self::ReceiveBuffer { .. }
            | Self::UnwantedImage
            | Self::EndpointClash { .. }
            | Self::StartAtEnd { .. }
            | Self::Mismatch { .. }
            | Self::ResponseTaken { .. }
            | Self::NotStatic { .. }
            | Self::UnknownImage { .. }
            | Self::ReasonTooLong { .. }
            | Self::InUse { .. }
            | Self::Full { .. }
            | Self::NoCounter(_)
            | Self::Log(_) => ErrorCode::Generic,
        }
    }
}
