//! The client: what an application uses to publish and subscribe.
//!
//! ```text
//!   Client ──────────────┐                           ┌── conductor ── commands ─▶ driver
//!   Publication ─────────┤                           │       ▲
//!   ExclusivePublication ┼── ClientCore (one lock) ──┤       └────── events ──── driver
//!   Subscription ────────┤                           └── handlers
//!   Counter ─────────────┘
//!        │
//!        └── offer, poll, get, set: straight to the shared memory, past all of the above
//! ```
//!
//! A handle has two halves: the application owns one, and shares the other with the conductor, which closes and rebinds
//! the handle through it. The hot paths read one word of the shared half and never wait for it.

mod bound;
mod claim;
mod client_core;
mod conductor;
mod context;
mod counter;
mod driver_link;
mod endpoint;
mod environment;
mod epochs;
mod error;
mod event;
mod exclusive_publication;
mod facade;
mod fetch;
mod find_driver;
mod hand_over;
mod image;
mod image_info;
mod let_go;
mod logs;
mod notice;
#[cfg(feature = "journal")]
mod patient;
mod pending;
mod pending_destination;
mod publication;
mod subscription;
mod termination;
#[cfg(test)]
mod testing;
mod typed;

pub use claim::{BatchClaim, Claim};
pub use context::Context;
pub use counter::{Counter, CounterClosed};
pub use environment::{EnvironmentError, UnreadableVariable};
pub use error::{AddError, ClientError, ConnectError, Request};
pub use event::{ClientEvent, CounterEvent, DriverLoss, PublicationErrorFrame};
pub use exclusive_publication::ExclusivePublication;
pub use facade::{Client, ImageHandlers};
pub use image::Image;
pub use image_info::ImageInfo;
#[cfg(feature = "journal")]
pub(crate) use patient::Patient;
pub use pending::Pending;
pub use pending_destination::PendingDestination;
pub use publication::Publication;
pub use subscription::Subscription;
pub use termination::{TerminationError, request_driver_termination};
pub use typed::{MessageError, SendError};
