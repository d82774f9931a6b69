//! SBE codecs: schemas compiled and compared, messages read and written, with or without generated code.
//!
//! This crate knows nothing of the engine: it reads from any `&[u8]` and writes into any `&mut [u8]`.

pub mod dynamic;
mod json;
mod message_header;
pub mod schema;

pub use message_header::{HeaderError, MessageHeader};
