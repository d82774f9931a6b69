//! One interface for every client library, so that a scenario is written once and run with any library at either end.
//!
//! A [`Stack`] is a client library. The traits cover what the libraries have in common; a feature of only one of them
//! is tested on its own type. Dynamic calls do not matter for tests; measurements use the libraries directly.

mod c_stack;
mod gannet_stack;

use crate::client::{Action, OfferError};
use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

pub use c_stack::CStack;
pub use gannet_stack::GannetStack;

/// A client library.
pub trait Stack: Debug + Sync {
    /// The library's name in test messages.
    fn name(&self) -> &'static str;

    /// Connects to the driver in `dir`.
    fn connect(&self, dir: &Path, settings: &EndpointSettings) -> Result<Box<dyn Endpoint>, EndpointError>;
}

/// The settings of a client that a scenario uses; `None` is the library's default.
#[derive(Clone, Copy, Debug, Default)]
pub struct EndpointSettings {
    /// The greatest age of the driver's heartbeat.
    pub driver_timeout: Option<Duration>,
    /// The interval of the client's own heartbeat.
    pub keepalive_interval: Option<Duration>,
}

/// Why a library refused a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (code {code:?})")]
pub struct EndpointError {
    /// The driver's error code, positive as in the control protocol; `None` if the driver did not refuse the request.
    pub code: Option<i32>,
    /// The library's error text.
    pub message: String,
}

/// How a publication can be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Between threads and processes.
    Concurrent,
    /// Not at all.
    Exclusive,
}

impl Kind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Concurrent, Self::Exclusive];
}

/// An event that a library reported, in a form that all libraries share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// An image became available.
    ImageAvailable {
        /// The publisher's session id.
        session_id: i32,
        /// The image's correlation id.
        correlation_id: i64,
        /// The position at which the subscriber joined.
        join_position: i64,
        /// The source of the stream.
        source_identity: String,
    },
    /// An image became unavailable.
    ImageUnavailable {
        /// The publisher's session id.
        session_id: i32,
        /// The image's correlation id.
        correlation_id: i64,
    },
    /// A counter of any client became available.
    CounterAvailable {
        /// Its registration id.
        registration_id: i64,
        /// Its counter id.
        counter_id: i32,
    },
    /// A counter of any client became unavailable.
    CounterUnavailable {
        /// Its registration id.
        registration_id: i64,
        /// Its counter id.
        counter_id: i32,
    },
    /// A receiver reported an error about one of this client's publications.
    PublicationError {
        /// The publication's session id.
        session_id: i32,
        /// The error code.
        code: i32,
        /// The receiver's text.
        message: String,
    },
    /// The driver is gone, or its heartbeat is too old.
    DriverTimeout,
    /// The driver timed this client out, or the client found that it was paused for too long.
    ClientTimeout,
    /// Any other error.
    Error {
        /// The library's error text.
        message: String,
    },
    /// The client is closed.
    Closed,
}

/// A counter as a library reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterView {
    /// The counter id.
    pub id: i32,
    /// The type id.
    pub type_id: i32,
    /// The value.
    pub value: i64,
    /// The registration id.
    pub registration_id: i64,
    /// The owner's client id, or -1.
    pub owner_id: i64,
    /// The reference id.
    pub reference_id: i64,
    /// The key, all 112 bytes of it.
    pub key: Vec<u8>,
    /// The label.
    pub label: String,
}

/// A connected client.
pub trait Endpoint: Debug {
    /// The client id that identifies this client to the driver.
    fn client_id(&self) -> i64;

    /// Adds a publication and waits for the driver's answer.
    fn add_publication(
        &self,
        kind: Kind,
        channel: &str,
        stream_id: i32,
    ) -> Result<Box<dyn PublicationEnd>, EndpointError>;

    /// Adds a subscription and waits for the driver's answer.
    fn add_subscription(&self, channel: &str, stream_id: i32) -> Result<Box<dyn SubscriptionEnd>, EndpointError>;

    /// Adds a counter and waits for the driver's answer.
    fn add_counter(&self, type_id: i32, key: &[u8], label: &str) -> Result<Box<dyn CounterEnd>, EndpointError>;

    /// Adds or finds a static counter, and waits for the driver's answer.
    fn add_static_counter(
        &self,
        type_id: i32,
        key: &[u8],
        label: &str,
        registration_id: i64,
    ) -> Result<Box<dyn CounterEnd>, EndpointError>;

    /// All allocated counters.
    fn counters(&self) -> Vec<CounterView>;

    /// The events that the library has reported so far, oldest first.
    fn reports(&self) -> Vec<Report>;

    /// Whether the client is closed.
    fn is_closed(&self) -> bool;
}

/// How a filled claim is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimEnd {
    /// It is committed.
    Commit,
    /// It is aborted.
    Abort,
    /// It is abandoned, as by a publisher that dies.
    Abandon,
}

/// The identity of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicationIdentity {
    /// The session id.
    pub session_id: i32,
    /// The registration id of this handle.
    pub registration_id: i64,
    /// The registration id of the first handle on the same log.
    pub original_registration_id: i64,
    /// The length of a term in bytes.
    pub term_length: usize,
    /// The greatest length of a message in bytes.
    pub max_message_length: usize,
    /// The greatest payload of one frame in bytes.
    pub max_payload_length: usize,
}

/// A publication. Closed when dropped.
pub trait PublicationEnd: Debug + Send {
    /// Offers one message. Returns the position after it.
    fn offer(&mut self, message: &[u8]) -> Result<i64, OfferError>;

    /// Offers one message made of several parts.
    fn offer_vectored(&mut self, parts: &[&[u8]]) -> Result<i64, OfferError>;

    /// Claims space for `message`, fills it, and ends the claim. Returns the position after it.
    fn claim(&mut self, message: &[u8], end: ClaimEnd) -> Result<i64, OfferError>;

    /// The identity of the publication.
    fn identity(&self) -> PublicationIdentity;

    /// The position after the last message.
    fn position(&self) -> Result<i64, OfferError>;

    /// The position up to which the driver allows this publication to write.
    fn position_limit(&self) -> Result<i64, OfferError>;

    /// Whether the stream has a subscriber.
    fn is_connected(&mut self) -> bool;

    /// Whether the publication is closed.
    fn is_closed(&self) -> bool;

    /// Adds a destination and waits for the driver's answer.
    fn add_destination(&mut self, channel: &str) -> Result<(), EndpointError>;

    /// Removes a destination and waits for the driver's answer.
    fn remove_destination(&mut self, channel: &str) -> Result<(), EndpointError>;

    /// Ends the stream at once. In every library, only exclusive publications can do this.
    fn revoke(self: Box<Self>);
}

/// A delivered fragment or message with its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The payload.
    pub payload: Vec<u8>,
    /// The stream position after it.
    pub position: i64,
    /// The header's flags.
    pub flags: u8,
    /// The header's term offset.
    pub term_offset: i32,
    /// The header's term id.
    pub term_id: i32,
    /// The header's session id.
    pub session_id: i32,
    /// The header's stream id.
    pub stream_id: i32,
    /// The header's reserved value.
    pub reserved_value: i64,
}

/// The state of an image, as a subscription reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageView {
    /// The publisher's session id.
    pub session_id: i32,
    /// The image's correlation id.
    pub correlation_id: i64,
    /// The position at which the subscriber joined.
    pub join_position: i64,
    /// The position up to which it is read.
    pub position: i64,
    /// Whether the stream has ended and everything is read.
    pub is_end_of_stream: bool,
    /// Whether the publisher revoked the stream.
    pub is_revoked: bool,
    /// The source of the stream.
    pub source_identity: String,
}

/// A subscription. Closed when dropped.
pub trait SubscriptionEnd: Debug + Send {
    /// Delivers at most `limit` fragments. Returns how many.
    fn poll(&mut self, handler: &mut dyn FnMut(Delivery), limit: usize) -> usize;

    /// Delivers whole messages from at most `limit` fragments. Returns the number of fragments.
    fn poll_messages(&mut self, handler: &mut dyn FnMut(Delivery), limit: usize) -> usize;

    /// Delivers at most `limit` fragments, with the handler deciding how to continue. Returns how many.
    fn controlled_poll(&mut self, handler: &mut dyn FnMut(Delivery) -> Action, limit: usize) -> usize;

    /// Delivers fragments of the first image that start before `limit_position`. Returns how many.
    fn bounded_poll(&mut self, handler: &mut dyn FnMut(Delivery), limit_position: i64, limit: usize) -> usize;

    /// Delivers blocks of whole frames of the first image, of at most `limit` bytes. Returns the number of bytes.
    fn block_poll(&mut self, handler: &mut dyn FnMut(&[u8]), limit: usize) -> usize;

    /// The current images.
    fn images(&mut self) -> Vec<ImageView>;

    /// The registration id.
    fn registration_id(&self) -> i64;

    /// Whether there is an image that is not closed.
    fn is_connected(&self) -> bool;

    /// Whether the subscription is closed.
    fn is_closed(&self) -> bool;

    /// Adds a destination and waits for the driver's answer.
    fn add_destination(&mut self, channel: &str) -> Result<(), EndpointError>;

    /// Removes a destination and waits for the driver's answer.
    fn remove_destination(&mut self, channel: &str) -> Result<(), EndpointError>;

    /// Asks the driver to reject the image of a session, with a reason for the publisher.
    fn reject(&mut self, session_id: i32, reason: &str) -> Result<(), EndpointError>;
}

/// A counter that this client added. Closed when dropped.
pub trait CounterEnd: Debug {
    /// The counter id.
    fn id(&self) -> i32;

    /// The registration id.
    fn registration_id(&self) -> i64;

    /// The value.
    fn get(&self) -> i64;

    /// Stores a value.
    fn set(&self, value: i64);

    /// Whether the counter is closed.
    fn is_closed(&self) -> bool;
}
