//! One face for every client library, so that a scenario is written once and run with any library at either end.
//!
//! A [`Stack`] is a client library. The traits cover what the libraries have in common; what only one of them has is
//! tested on its own type. Dynamic calls cost what no test notices; measurements use the libraries directly.

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
    /// Its name in messages of tests.
    fn name(&self) -> &'static str;

    /// Connects to the driver in `dir`.
    fn connect(&self, dir: &Path, settings: &EndpointSettings) -> Result<Box<dyn Endpoint>, EndpointError>;
}

/// What a scenario sets on a client; `None` is the library's default.
#[derive(Clone, Copy, Debug, Default)]
pub struct EndpointSettings {
    /// How old the driver's heartbeat may be.
    pub driver_timeout: Option<Duration>,
    /// How often the client stores its own.
    pub keepalive_interval: Option<Duration>,
}

/// Why a library refused what a scenario asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (code {code:?})")]
pub struct EndpointError {
    /// The driver's error code, positive as in the control protocol; `None` if the driver was not what refused.
    pub code: Option<i32>,
    /// The library's own words.
    pub message: String,
}

/// How a publication is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Between threads and processes.
    Concurrent,
    /// With nobody.
    Exclusive,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Concurrent, Self::Exclusive];
}

/// What a library reported by itself, in the words that all have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// An image became available.
    ImageAvailable {
        /// The publisher's session.
        session_id: i32,
        /// The image's correlation id.
        correlation_id: i64,
        /// Where the subscriber joined.
        join_position: i64,
        /// Where the stream comes from.
        source_identity: String,
    },
    /// An image became unavailable.
    ImageUnavailable {
        /// The publisher's session.
        session_id: i32,
        /// The image's correlation id.
        correlation_id: i64,
    },
    /// A counter became available, anybody's.
    CounterAvailable {
        /// Its registration id.
        registration_id: i64,
        /// Its counter id.
        counter_id: i32,
    },
    /// A counter became unavailable, anybody's.
    CounterUnavailable {
        /// Its registration id.
        registration_id: i64,
        /// Its counter id.
        counter_id: i32,
    },
    /// A receiver reported an error about one of this client's publications.
    PublicationError {
        /// The publication's session.
        session_id: i32,
        /// The error code.
        code: i32,
        /// The receiver's words.
        message: String,
    },
    /// The driver is gone, or has not shown itself for too long.
    DriverTimeout,
    /// The driver gave this client up, or the client found that it was paused for too long.
    ClientTimeout,
    /// Any other error.
    Error {
        /// The library's own words.
        message: String,
    },
    /// The client is closed.
    Closed,
}

/// A counter as a library shows it.
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
    /// The owner: a client id or -1.
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
    /// The id that the driver knows this client by.
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

    /// Adds, or finds, a static counter and waits for the driver's answer.
    fn add_static_counter(
        &self,
        type_id: i32,
        key: &[u8],
        label: &str,
        registration_id: i64,
    ) -> Result<Box<dyn CounterEnd>, EndpointError>;

    /// All allocated counters.
    fn counters(&self) -> Vec<CounterView>;

    /// What the library reported so far, oldest first.
    fn reports(&self) -> Vec<Report>;

    /// Whether the client is closed.
    fn is_closed(&self) -> bool;
}

/// What is done with a claim once it is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimEnd {
    /// Publish it.
    Commit,
    /// Give it up.
    Abort,
    /// Forget it, as a publisher that dies does.
    Abandon,
}

/// What identifies a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicationIdentity {
    /// The session.
    pub session_id: i32,
    /// The registration id of this handle.
    pub registration_id: i64,
    /// The registration id of the first handle on the same log.
    pub original_registration_id: i64,
    /// The length of a term in bytes.
    pub term_length: usize,
    /// The longest message in bytes.
    pub max_message_length: usize,
    /// The longest payload of one frame in bytes.
    pub max_payload_length: usize,
}

/// A publication. Closed when dropped.
pub trait PublicationEnd: Debug + Send {
    /// Offers one message; the position after it.
    fn offer(&mut self, message: &[u8]) -> Result<i64, OfferError>;

    /// Offers one message gathered from several parts.
    fn offer_vectored(&mut self, parts: &[&[u8]]) -> Result<i64, OfferError>;

    /// Claims space for `message`, fills it, and ends the claim; the position after it.
    fn claim(&mut self, message: &[u8], end: ClaimEnd) -> Result<i64, OfferError>;

    /// What identifies the publication.
    fn identity(&self) -> PublicationIdentity;

    /// The position after the last message.
    fn position(&self) -> Result<i64, OfferError>;

    /// The position up to which the driver lets this publication write.
    fn position_limit(&self) -> Result<i64, OfferError>;

    /// Whether the stream has a subscriber.
    fn is_connected(&mut self) -> bool;

    /// Whether the publication is closed.
    fn is_closed(&self) -> bool;

    /// Ends the stream at once. Only exclusive publications can in every library.
    fn revoke(self: Box<Self>);
}

/// A delivered fragment or message, header and all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The bytes.
    pub payload: Vec<u8>,
    /// The stream position after it.
    pub position: i64,
    /// The header's flags.
    pub flags: u8,
    /// The header's term offset.
    pub term_offset: i32,
    /// The header's term.
    pub term_id: i32,
    /// The header's session.
    pub session_id: i32,
    /// The header's stream.
    pub stream_id: i32,
    /// The header's reserved value.
    pub reserved_value: i64,
}

/// What a subscription shows of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageView {
    /// The publisher's session.
    pub session_id: i32,
    /// The image's correlation id.
    pub correlation_id: i64,
    /// Where the subscriber joined.
    pub join_position: i64,
    /// Up to where it is read.
    pub position: i64,
    /// Whether the stream has ended and everything is read.
    pub is_end_of_stream: bool,
    /// Whether the publisher revoked the stream.
    pub is_revoked: bool,
    /// Where the stream comes from.
    pub source_identity: String,
}

/// A subscription. Closed when dropped.
pub trait SubscriptionEnd: Debug + Send {
    /// Delivers at most `limit` fragments; returns how many.
    fn poll(&mut self, handler: &mut dyn FnMut(Delivery), limit: usize) -> usize;

    /// Delivers whole messages out of at most `limit` fragments; returns how many fragments.
    fn poll_messages(&mut self, handler: &mut dyn FnMut(Delivery), limit: usize) -> usize;

    /// Delivers at most `limit` fragments, with the handler deciding how to go on; returns how many.
    fn controlled_poll(&mut self, handler: &mut dyn FnMut(Delivery) -> Action, limit: usize) -> usize;

    /// Delivers fragments of the first image that start below `limit_position`; returns how many.
    fn bounded_poll(&mut self, handler: &mut dyn FnMut(Delivery), limit_position: i64, limit: usize) -> usize;

    /// Delivers blocks of whole frames of the first image, at most `limit` bytes; returns the bytes.
    fn block_poll(&mut self, handler: &mut dyn FnMut(&[u8]), limit: usize) -> usize;

    /// The images there are now.
    fn images(&mut self) -> Vec<ImageView>;

    /// The registration id.
    fn registration_id(&self) -> i64;

    /// Whether there is an image that is not closed.
    fn is_connected(&self) -> bool;

    /// Whether the subscription is closed.
    fn is_closed(&self) -> bool;

    /// Asks the driver to cut off the image of a session, with a reason for the publisher.
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
