//! The ring through which any number of clients send commands to one driver: many producers, one consumer, no lock.
//!
//! ```text
//! ┌────────────────────────────── capacity, a power of two ──────────────────────────────┐┌──── trailer, 768 bytes ────┐
//! │ free (all zero) │ record │ record │ in flight │ record │ free (all zero) │ padding ... ││ tail, head cache, head,    │
//! └─────────────────┴────────┴────────┴───────────┴────────┴─────────────────────────────┘│ correlation ids, heartbeat │
//!                   ▲ head: the consumer                    ▲ tail: the producers          └────────────────────────────┘
//! ```
//!
//! Clients hold a [`ManyToOneRingBuffer`]; the driver's conductor holds the only [`RingConsumer`]. Every process that
//! maps the file can store anything anywhere in it, so neither side uses a position or a length without checking it.

mod consumer;
mod layout;
mod many_to_one;
mod unblock;

pub use consumer::{ReadAction, RingConsumer};
pub use layout::{RING_TRAILER_LENGTH, RingBufferError};
pub use many_to_one::{ManyToOneRingBuffer, RingClaim, RingWriteError};

#[cfg(all(test, not(engine_loom)))]
mod tests;
