//! Gannet's engine: shared memory, log buffers, and the client that publishes and subscribes without copying.

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
pub mod logbuffer;
pub mod memory;
pub mod quantity;
pub mod reports;
pub mod ringbuffer;
mod sync;
pub mod time;
pub mod types;
#[cfg(engine_loom)]
pub mod weaken;

#[cfg(all(feature = "client", not(engine_loom)))]
pub use client::{
    AddError, BatchClaim, Claim, Client, ClientError, ClientEvent, ConnectError, Context, Counter, CounterClosed,
    CounterEvent, DriverLoss, ExclusivePublication, Image, ImageHandlers, ImageInfo, Pending, Publication,
    PublicationErrorFrame, Request, Subscription,
};
#[cfg(all(feature = "client", not(engine_loom)))]
pub use logbuffer::{
    Block, ClaimLost, ControlledAction, ControlledFragmentAssembler, Fragment, FragmentAssembler, OfferError,
};
