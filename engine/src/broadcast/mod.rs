//! The buffer through which the driver tells its clients what happened: one transmitter, any number of receivers, and no
//! flow control. A receiver that falls a lap behind has lost events and is told so.
//!
//! ```text
//!  positions  ──────────────────────────────────────────────────────────────▶
//!        │ overwritten │ what a receiver may still read        │ being written │
//!        └─────────────┴──────────────────────────▲────────────▲───────────────▲
//!                      intent - capacity          latest       tail            intent
//! ```
//!
//! The transmitter announces what it is about to overwrite (intent) before it does; a receiver copies first and then looks
//! whether the intent has reached what it copied. Both sides move the bytes as relaxed words, so that a copy that meets an
//! overwrite is garbage, never undefined: `docs/decisions/0001-racing-reads.md`.

mod layout;
mod receiver;
mod transmitter;

pub use layout::{BROADCAST_TRAILER_LENGTH, BroadcastBufferError};
pub use receiver::{ReceiveError, Receiver};
pub use transmitter::{TransmitError, Transmitter};

#[cfg(all(test, not(engine_loom)))]
mod tests;
