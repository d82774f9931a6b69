//! Why a client could not connect, add a resource or do what it was asked. Each error says what was attempted on what,
//! what was found instead, and what to do about it.

use core::fmt;
use core::time::Duration;
use std::path::PathBuf;

use crate::cnc::CncOpenError;
use crate::command::ErrorCode;
use crate::logbuffer::{AppenderError, LogOpenError};
use crate::ringbuffer::RingWriteError;
use crate::types::{CorrelationId, CounterId, RegistrationId, SessionId, StreamId};

/// Why [`Client::connect`](super::Client::connect) failed.
///
/// ```
/// use std::time::Duration;
/// use gannet::{Client, ConnectError, Context};
///
/// let context = Context::new().dir("/nonexistent").driver_timeout(Duration::from_millis(20));
/// let error = Client::connect(context).unwrap_err();
/// assert!(matches!(error, ConnectError::NoDriver { .. }));
/// assert!(error.to_string().contains("gannet-driver --dir /nonexistent"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No driver has created its files in the directory.
    #[error(
        "no driver has started in {} within {waited:?}: {found}; start `gannet-driver --dir {}`, or point the client \
         at the right directory",
        dir.display(), dir.display()
    )]
    NoDriver {
        /// The directory.
        dir: PathBuf,
        /// How long the client waited: the driver timeout.
        waited: Duration,
        /// What the client found instead of a driver's files.
        found: String,
    },
    /// A driver was running in the directory, but is not any more.
    #[error(
        "the driver of {} {}, and no other has started within {waited:?}; start it again, or remove the directory",
        dir.display(), Gone(*age_ms)
    )]
    NoHeartbeat {
        /// The directory.
        dir: PathBuf,
        /// How long the client waited: the driver timeout.
        waited: Duration,
        /// The age of the driver's last heartbeat in milliseconds, negative if it is in the future. `None` when the driver
        /// was shut down.
        age_ms: Option<i64>,
    },
    /// The driver's files cannot be opened, or this client cannot read them.
    #[error(transparent)]
    Cnc(#[from] CncOpenError),
    /// The operating system could not start the conductor's thread.
    #[error("cannot start the client's conductor thread: {0}; use the conductor invoker, or raise the thread limit")]
    Thread(#[source] std::io::Error),
}

/// What became of a driver, by the age of its last heartbeat.
struct Gone(Option<i64>);

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(age_ms @ ..0) => write!(
                f,
                "has given no sign of life: its last heartbeat is {} ms in the future, because the clock was set back",
                age_ms.unsigned_abs()
            ),
            Some(age_ms) => write!(f, "has given no sign of life for {age_ms} ms"),
            None => f.write_str("was shut down"),
        }
    }
}

/// The request that failed, as errors name it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// A concurrent publication.
    Publication {
        /// The publication's channel.
        channel: String,
        /// The publication's stream id.
        stream_id: StreamId,
    },
    /// An exclusive publication.
    ExclusivePublication {
        /// The publication's channel.
        channel: String,
        /// The publication's stream id.
        stream_id: StreamId,
    },
    /// A subscription.
    Subscription {
        /// The subscription's channel.
        channel: String,
        /// The subscription's stream id.
        stream_id: StreamId,
    },
    /// A counter.
    Counter {
        /// The counter's type id.
        type_id: i32,
        /// The counter's label.
        label: String,
    },
    /// A destination of a publication or subscription.
    Destination {
        /// The destination's channel.
        channel: String,
    },
    /// A destination of a publication, given by its id.
    DestinationById {
        /// The id that the destination was added under.
        id: RegistrationId,
    },
    /// A session id that no publication on the stream uses.
    SessionId {
        /// The stream id.
        stream_id: StreamId,
    },
    /// The rejection of an image.
    Rejection {
        /// The image's correlation id.
        image: CorrelationId,
    },
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publication { channel, stream_id } => write!(f, "publication on {channel}, stream {stream_id}"),
            Self::ExclusivePublication { channel, stream_id } => {
                write!(f, "exclusive publication on {channel}, stream {stream_id}")
            }
            Self::Subscription { channel, stream_id } => write!(f, "subscription to {channel}, stream {stream_id}"),
            Self::Counter { type_id, label } => write!(f, "counter \"{label}\" of type {type_id}"),
            Self::Destination { channel } => write!(f, "destination {channel}"),
            Self::DestinationById { id } => write!(f, "destination with id {id}"),
            Self::SessionId { stream_id } => write!(f, "session id for stream {stream_id}"),
            Self::Rejection { image } => write!(f, "rejection of image {image}"),
        }
    }
}

/// Why a request to the driver failed.
///
/// ```
/// use gannet::{AddError, Client, Context, command::ErrorCode};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
/// # let client = Client::connect(Context::new().dir(driver.dir()))?;
///
/// let error = client.add_publication("aeron:ipc?term-length=100", 1001).unwrap_err();
/// assert!(matches!(error, AddError::Refused { code: ErrorCode::Generic, .. }), "{error}");
/// assert!(error.to_string().contains("aeron:ipc?term-length=100"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// The driver refused.
    #[error("the driver refused the {request}: {code}: {message}{}", remedy(*code))]
    Refused {
        /// The request.
        request: Request,
        /// The driver's error code.
        code: ErrorCode,
        /// The driver's error message.
        message: String,
    },
    /// The driver did not answer.
    #[error(
        "the driver has not answered within {waited:?} about the {request}; it may be stalled, or may not know the \
         command: see its error log (`gannet errors`)"
    )]
    NoAnswer {
        /// The request.
        request: Request,
        /// How long the client waited: the driver timeout.
        waited: Duration,
    },
    /// The ring to the driver is full: the driver is stalled, or clients send commands faster than it reads them.
    #[error("no room in the ring to the driver for the {request}; the driver is stalled or flooded: try again")]
    RingFull {
        /// The request.
        request: Request,
    },
    /// The request does not fit into a command: a channel, key or label is too long.
    #[error("the {request} takes a command of {length} bytes, more than the ring's {most}: shorten it")]
    TooLong {
        /// The request.
        request: Request,
        /// The command's length in bytes.
        length: usize,
        /// The longest command in bytes.
        most: usize,
    },
    /// The driver answered with a log that cannot be used.
    #[error("cannot use the log of the {request}: {source}")]
    Log {
        /// The request.
        request: Request,
        /// What is wrong with the log.
        source: LogOpenError,
    },
    /// The driver's answer names a counter that does not exist.
    #[error("the driver answered the {request} with counter {counter_id}, which does not exist; restart the driver")]
    NoSuchCounter {
        /// The request.
        request: Request,
        /// The counter id in the answer.
        counter_id: CounterId,
    },
    /// The driver answered with a log that no publisher can use.
    #[error("cannot publish through the log of the {request}: {source}")]
    Appender {
        /// The request.
        request: Request,
        /// Why a publisher cannot use the log.
        source: AppenderError,
    },
    /// The ring to the driver is damaged.
    #[error("cannot ask for the {request}: {source}; restart the driver")]
    Ring {
        /// The request.
        request: Request,
        /// What is wrong with the ring.
        source: RingWriteError,
    },
    /// The driver was asked for a session id, and its answer has none.
    #[error("the driver has no session id for stream {stream_id}")]
    NoSessionId {
        /// The stream id.
        stream_id: StreamId,
    },
    /// The client has no driver at the moment. The last [`ClientEvent`](super::ClientEvent) says why.
    #[error("cannot add the {request}: the client has no driver; wait for it to reconnect, or call `reconnect`")]
    NoDriver {
        /// The request.
        request: Request,
    },
    /// The publication or subscription that the destination belongs to was not restored when the client reconnected.
    #[error("cannot change the {request}: what it is for was not restored when the client reconnected; add that again")]
    NotRestored {
        /// The request.
        request: Request,
    },
    /// The image that was to be rejected is closed. The driver may have given its id to another stream by now.
    #[error("the {request} is not asked for: the image is closed")]
    ImageClosed {
        /// The request.
        request: Request,
    },
    /// The channel's `response-correlation-id` belongs to a driver that is gone, or to something that was not restored
    /// when the client reconnected.
    #[error(
        "the {request} is not added again: what its response-correlation-id names is gone; add it anew, with the id that the \
         subscription or image which it belongs to has now"
    )]
    StaleResponse {
        /// The request.
        request: Request,
    },
    /// The client is closed.
    #[error("cannot add the {request}: the client is closed")]
    Closed {
        /// The request.
        request: Request,
    },
}

impl AddError {
    /// Whether the driver has refused it only because something is still going away, so that asking again may help (trap
    /// 28).
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Refused { code: ErrorCode::ResourceTemporarilyUnavailable, .. })
    }
}

/// What a user can do about a refusal, where the code says so.
fn remedy(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::ResourceTemporarilyUnavailable => " (try again: an endpoint is still closing)",
        ErrorCode::StorageSpace => " (free space in the driver's directory, or use a smaller term-length)",
        ErrorCode::NotSupported => " (this driver does not offer it)",
        _ => "",
    }
}

/// An error inside the client that no call can return. The client passes it to the error handler and continues. See
/// [`Context::on_error`](super::Context::on_error).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The driver sent events faster than this client read them, and some were lost. A command may stay unanswered, and
    /// the client may not know of some images.
    #[error(
        "events of the driver were lost: they came faster than the client's conductor ran; run it more often, or raise \
         the driver's to-clients buffer length"
    )]
    EventsLost,
    /// An image was announced while events were lost. Nobody reads it, and it holds its publisher back.
    #[error(
        "the {request} has an image of session {session_id} that came while events were lost, and is not read: drop the \
         subscription and add it again"
    )]
    MissedImage {
        /// The image's subscription.
        request: Request,
        /// The image's session.
        session_id: SessionId,
    },
    /// The client cannot decode an event of the driver. It skipped the event.
    #[error("skipped an event of the driver: {0}")]
    Event(#[from] crate::command::MalformedCommand),
    /// An announced image cannot be used, and was skipped. It holds its publisher back unless the subscription is
    /// untethered.
    #[error(
        "cannot use an image of the {request}: {source}; nobody reads it, so its publisher may wait: once that is mended, \
         drop the subscription and add it again"
    )]
    Image {
        /// The image's subscription.
        request: Request,
        /// What is wrong with the image's log.
        source: LogOpenError,
    },
    /// An announced image names a position counter that does not exist. It was skipped.
    #[error("cannot use an image of the {request}: its position counter {counter_id} does not exist")]
    ImagePosition {
        /// The image's subscription.
        request: Request,
        /// The counter id in the announcement.
        counter_id: CounterId,
    },
    /// A channel endpoint failed after its resources had been added.
    #[error("the channel endpoint with status counter {channel_status_id} failed: {message}")]
    ChannelEndpoint {
        /// The endpoint's status counter.
        channel_status_id: CounterId,
        /// The driver's error message.
        message: String,
    },
    /// A command whose answer nobody waits for could not be sent.
    #[error("cannot send a command to the driver: {0}")]
    NotSent(String),
    /// The client was looking for a driver, and could not read the driver's directory.
    #[error("cannot reconnect: {0}")]
    Connect(#[source] ConnectError),
}
