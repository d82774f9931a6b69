//! The buffer through which the driver sends events to its clients: one transmitter, any number of receivers, and no
//! flow control. A receiver that falls a whole lap behind loses events and is told so.
//!
//! ```text
//!  positions  ──────────────────────────────────────────────────────────────▶
//!        │ overwritten │ what a receiver may still read        │ being written │
//!        └─────────────┴──────────────────────────▲────────────▲───────────────▲
//!                      intent - capacity          latest       tail            intent
//! ```
//!
//! The transmitter announces the range that it is about to overwrite (the intent) before it writes. A receiver copies a
//! record first and then checks whether the intent has reached it. Both sides move the bytes as relaxed words, so a
//! copy that races with an overwrite contains garbage but is not undefined behaviour. See
//! `docs/decisions/0001-racing-reads.md`.

mod layout;
mod receiver;
mod transmitter;

pub use layout::{BROADCAST_TRAILER_LENGTH, BroadcastBufferError};
pub use receiver::{ReceiveError, Receiver};
pub use transmitter::{TransmitError, Transmitter};

#[cfg(all(test, not(engine_loom)))]
mod tests;
