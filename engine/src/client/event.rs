//! Events of a client as a whole, as typed data for its event handler. The conductor makes them, and the thread that
//! runs it hands them over.

use core::fmt;
use core::time::Duration;
use std::net::SocketAddr;

use super::error::AddError;
use crate::command::ErrorCode;
use crate::types::{ClientId, CounterId, RegistrationId, SessionId, StreamId};

/// Something that happened to the client as a whole. See [`Context::on_event`](super::Context::on_event).
///
/// After each of the first four all handles of the client are closed: offers answer
/// [`Closed`](crate::logbuffer::OfferError::Closed), polls deliver nothing. With
/// [`Context::reconnect_in_place`](super::Context::reconnect_in_place), or after a call of
/// [`Client::reconnect`](super::Client::reconnect), the client then looks for the driver, adds everything again under a
/// new session epoch and says [`ClientEvent::Reconnected`]; from then on the same handles work.
///
/// ```
/// use std::sync::mpsc::channel;
/// use gannet::{Client, ClientEvent, Context, DriverLoss, OfferError};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
///
/// let (events, told) = channel();
/// let context = Context::new().dir(driver.dir()).on_event(move |event| {
///     if let ClientEvent::DriverLost { cause, .. } = event {
///         let _ = events.send(*cause);
///     }
/// });
/// let client = Client::connect(context)?;
/// let publication = client.add_publication("aeron:ipc?term-length=64k", 1001)?;
///
/// driver.close()?;
/// assert_eq!(told.recv()?, DriverLoss::ShutDown);
/// assert_eq!(publication.offer(b"to nobody"), Err(OfferError::Closed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The client itself was not running: its process was stopped, or nobody invoked its conductor. Its driver has given
    /// it up, or is about to.
    Paused {
        /// For how long nothing ran.
        lasted: Duration,
        /// How long the driver lets a client be silent.
        allowed: Duration,
    },
    /// The driver gave the client up although its conductor ran: the wall clock jumped, or heartbeats did not arrive.
    TimedOut {
        /// Which of the driver's clients this one was.
        client_id: ClientId,
    },
    /// The driver is gone.
    DriverLost {
        /// How it was lost.
        cause: DriverLoss,
        /// How long it had been silent when that was noticed.
        silent_for: Duration,
    },
    /// Another driver serves the directory: the one that this client knew was stopped or killed, and started again.
    DriverRestarted {
        /// How long the old driver had been silent when the new one was found.
        down_for: Duration,
        /// The new driver's process id, as it stated it.
        pid: i64,
    },
    /// Everything that could be added again was; handles work.
    Reconnected {
        /// The session epoch that began: 1 after the first reconnection.
        epoch: u32,
        /// How long the client had no driver, or was given up by it.
        after: Duration,
        /// How many publications, subscriptions, counters and destinations were added again.
        restored: usize,
        /// How many could not be; a [`ClientEvent::NotRestored`] was given for each.
        failed: usize,
    },
    /// One publication, subscription or counter could not be added again, and its handle stays closed; or one destination, and its
    /// publication or subscription is without it.
    NotRestored {
        /// Its registration id in the epoch that ended; of a destination, the id that it was added under.
        was: RegistrationId,
        /// Why.
        error: AddError,
    },
    /// The client closed, and stays so.
    Closed,
}

/// How a driver was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DriverLoss {
    /// It was shut down cleanly.
    ShutDown,
    /// It has given no sign of life for longer than the driver timeout: it was killed, or it hangs.
    Silent,
}

impl fmt::Display for DriverLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ShutDown => "it was shut down",
            Self::Silent => "it gives no sign of life",
        })
    }
}

impl fmt::Display for ClientEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused { lasted, allowed } => {
                write!(f, "the client did not run for {lasted:?}; the driver allows {allowed:?}")
            }
            Self::TimedOut { client_id } => write!(f, "the driver has given up client {client_id}"),
            Self::DriverLost { cause, silent_for } => {
                write!(f, "the driver is gone, silent for {silent_for:?}: {cause}")
            }
            Self::DriverRestarted { down_for, pid } => {
                write!(f, "the driver was started again, as process {pid}, after {down_for:?}")
            }
            Self::Reconnected { epoch, after, restored, failed } => write!(
                f,
                "reconnected after {after:?}, session epoch {epoch}: {restored} resources restored, {failed} not"
            ),
            Self::NotRestored { was, error } => write!(f, "registration {was} was not restored: {error}"),
            Self::Closed => f.write_str("the client is closed"),
        }
    }
}

/// A subscriber's complaint about a publication of this client: an image was rejected. See
/// [`Context::on_publication_error`](super::Context::on_publication_error).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicationErrorFrame {
    /// This client's publication.
    pub registration_id: RegistrationId,
    /// The destination that the complaint came through, for a publication with several, by the id that it was added under; -1 where
    /// there is none.
    pub destination_registration_id: RegistrationId,
    /// The publication's session.
    pub session_id: SessionId,
    /// The publication's stream.
    pub stream_id: StreamId,
    /// Which receiver complains.
    pub receiver_id: i64,
    /// The receiver's group tag; -1 when it has none.
    pub group_tag: i64,
    /// Where the complaint came from.
    pub source: Option<SocketAddr>,
    /// What kind of complaint: [`ErrorCode::ImageRejected`] so far.
    pub code: ErrorCode,
    /// The subscriber's reason.
    pub message: String,
}

/// A counter that some client was given, or that is about to be freed. See
/// [`Context::on_available_counter`](super::Context::on_available_counter).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterEvent {
    /// Its registration.
    pub registration_id: RegistrationId,
    /// Its record in the counters.
    pub counter_id: CounterId,
}
