//! Gannet's engine: shared memory, log buffers, and the client that publishes and subscribes without copying.
//!
//! An application connects a [`Client`] to a driver: `gannet-driver`, Aeron's own, or one that is embedded as here.
//!
//! ```
//! use gannet::{Client, Context, OfferError};
//! use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
//!
//! let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
//! let client = Client::connect(Context::new().dir(driver.dir()))?;
//!
//! let mut subscription = client.add_subscription("aeron:ipc", 1001)?;
//! let mut publication = client.add_exclusive_publication("aeron:ipc?term-length=64k", 1001)?;
//! while let Err(error) = publication.offer(b"hello") {
//!     assert!(matches!(error, OfferError::NotConnected | OfferError::BackPressured), "{error}");
//!     std::thread::yield_now();
//! }
//!
//! let mut greetings = Vec::new();
//! while greetings.is_empty() {
//!     subscription.poll(|fragment| greetings.push(fragment.payload().to_vec()), 10);
//! }
//! assert_eq!(greetings, [b"hello"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | to | use |
//! | --- | --- |
//! | publish | [`Publication`], which threads can share, or [`ExclusivePublication`], which is faster |
//! | subscribe | [`Subscription`], whose `poll` hands over [`Fragment`]s; [`FragmentAssembler`] for messages longer than one |
//! | pace a loop | [`IdleStrategy`], or [`Subscription::poll_wait`]; [`agent::AgentRunner`] for a thread that runs one |
//! | learn of a lost driver, of images, of errors | the handlers of [`Context`] |
//! | write a channel, or take one apart | [`channel_uri`] |
//! | keep messages, record streams and replay them | [`journal`] |
//! | look at a driver from outside | [`cnc::CncFile`], [`counters`], [`reports`] |
//!
//! The other modules are the parts of which client and driver are made.

#[cfg(not(target_endian = "little"))]
compile_error!("Gannet's files and frames are little-endian, and so must the machine be");

pub mod agent;
pub mod broadcast;
pub mod channel_uri;
#[cfg(all(feature = "client", not(engine_loom)))]
pub mod client;
#[cfg(not(engine_loom))]
pub mod cnc;
pub mod command;
pub mod counters;
#[cfg(all(feature = "journal", not(engine_loom)))]
pub mod journal;
// In model builds, only the parts that have models. The rest of the journal works on files.
#[cfg(all(feature = "journal", engine_loom))]
#[path = "journal/model.rs"]
pub mod journal;
pub mod logbuffer;
pub mod memory;
pub mod nearest;
pub mod protocol;
pub mod quantity;
mod record;
pub mod reports;
pub mod ringbuffer;
mod sync;
pub mod time;
pub mod types;
#[cfg(engine_loom)]
pub mod weaken;

pub use agent::{Backoff, IdleStrategy};
#[cfg(all(feature = "client", not(engine_loom)))]
pub use client::{
    AddError, BatchClaim, Claim, Client, ClientError, ClientEvent, ConnectError, Context, Counter, CounterClosed,
    CounterEvent, DriverLoss, EnvironmentError, ExclusivePublication, Image, ImageHandlers, ImageInfo, MessageError,
    Pending, PendingDestination, Publication, PublicationErrorFrame, Request, SendError, Subscription,
    TerminationError, UnreadableVariable, request_driver_termination,
};
pub use counters::ChannelStatus;
#[cfg(all(feature = "client", not(engine_loom)))]
pub use logbuffer::{
    Block, ClaimLost, ControlledAction, ControlledFragmentAssembler, Fragment, FragmentAssembler, OfferError,
};
pub use types::{CounterId, Position, RegistrationId, SessionId, StreamId};

/// Compiles the code in the repository's README together with the doc tests.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../../README.md")]
struct Readme;
