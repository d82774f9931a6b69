//! Events of a client as a whole, as typed data for its event handler. The conductor makes them, and the thread that
//! runs it hands them over.

use core::fmt;
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use super::error::AddError;
use crate::command::ErrorCode;
use crate::types::{ClientId, CounterId, RegistrationId, SessionId, StreamId};

/// An event that concerns the client as a whole. See [`Context::on_event`](super::Context::on_event).
///
/// After each of the first four events all handles of the client are closed: offers return
/// [`Closed`](crate::logbuffer::OfferError::Closed), and polls deliver nothing. With
/// [`Context::reconnect_in_place`](super::Context::reconnect_in_place), or after a call of
/// [`Client::reconnect`](super::Client::reconnect), the client looks for the driver, adds everything again in a new
/// session epoch, and reports [`ClientEvent::Reconnected`]. The same handles work again from then on.
///
/// ```
/// use std::sync::mpsc::channel;
/// use gannet::{Client, ClientEvent, Context, DriverLoss, OfferError};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
///
/// let (events, told) = channel();
/// // The client's thread calls the handler. What takes longer is for another thread.
/// let context = Context::new().dir(driver.dir()).on_event(move |event| drop(events.send(event.clone())));
/// let client = Client::connect(context)?;
/// let publication = client.add_publication("aeron:ipc?term-length=64k", 1001)?;
///
/// driver.close()?;
/// assert!(matches!(told.recv()?, ClientEvent::DriverLost { cause: DriverLoss::ShutDown, .. }));
/// assert_eq!(publication.offer(b"to nobody"), Err(OfferError::Closed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The client itself did not run: its process was stopped, or nobody invoked its conductor. The driver has timed
    /// the client out, or is about to.
    Paused {
        /// How long the client did not run.
        lasted: Duration,
        /// The driver's client liveness timeout.
        allowed: Duration,
    },
    /// The driver timed the client out although its conductor ran: the wall clock jumped, or heartbeats did not arrive.
    TimedOut {
        /// This client's id at the driver.
        client_id: ClientId,
    },
    /// The driver is gone.
    DriverLost {
        /// How it was lost.
        cause: DriverLoss,
        /// How long the driver had been silent when the client noticed.
        silent_for: Duration,
    },
    /// Another driver serves the directory. The previous driver was stopped or killed.
    DriverRestarted {
        /// How long the previous driver had been silent when the client found the new one.
        down_for: Duration,
        /// The new driver's process id, from its files.
        pid: i64,
    },
    /// The client has reconnected, and the handles of everything that it could add again work.
    Reconnected {
        /// The new session epoch: 1 after the first reconnection.
        epoch: u32,
        /// How long the client was without a driver, or timed out by it.
        after: Duration,
        /// The number of publications, subscriptions, counters and destinations that were added again.
        restored: usize,
        /// The number that could not be added again. The client reported [`ClientEvent::NotRestored`] for each.
        failed: usize,
    },
    /// A publication, subscription, counter or destination could not be added again. The handle stays closed. A missing
    /// destination does not close its publication or subscription.
    NotRestored {
        /// The registration id in the previous epoch. For a destination, the id that it was added under.
        was: RegistrationId,
        /// Why it could not be added.
        error: Arc<AddError>,
    },
    /// The client is closed for good.
    Closed,
}

/// How a driver was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DriverLoss {
    /// It was shut down cleanly.
    ShutDown,
    /// Its heartbeat is older than the driver timeout: it was killed, or it hangs.
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

/// A subscriber has rejected an image of a publication of this client. See
/// [`Context::on_publication_error`](super::Context::on_publication_error).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicationErrorFrame {
    /// The publication's registration id.
    pub registration_id: RegistrationId,
    /// For a publication with several destinations, the id of the destination that the error came through. Otherwise
    /// -1.
    pub destination_registration_id: RegistrationId,
    /// The publication's session.
    pub session_id: SessionId,
    /// The publication's stream.
    pub stream_id: StreamId,
    /// The id of the receiver that sent the error.
    pub receiver_id: i64,
    /// The receiver's group tag, or -1 if it has none.
    pub group_tag: i64,
    /// The address that the error came from.
    pub source: Option<SocketAddr>,
    /// The error code. At present always [`ErrorCode::ImageRejected`].
    pub code: ErrorCode,
    /// The subscriber's reason.
    pub message: String,
}

/// A counter that the driver has allocated for a client, or is about to free. See
/// [`Context::on_available_counter`](super::Context::on_available_counter).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterEvent {
    /// The counter's registration id.
    pub registration_id: RegistrationId,
    /// The counter's id.
    pub counter_id: CounterId,
}
