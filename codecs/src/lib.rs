//! SBE codecs: what stands in front of every message. The schema compiler will grow beside it.
//!
//! This crate knows nothing of the engine: it reads from any `&[u8]` and writes into any `&mut [u8]`.

mod message_header;

pub use message_header::{HeaderError, MessageHeader};
