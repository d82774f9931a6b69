//! SBE codecs: schemas compiled and compared, messages read and written, with or without generated code.
//!
//! This crate knows nothing of the engine: it reads from any `&[u8]` and writes into any `&mut [u8]`.

pub mod build;
pub mod dynamic;
pub mod gate;
pub mod generate;
mod json;
pub mod schema;

pub use gannet_codecs_runtime as runtime;
pub use gannet_codecs_runtime::{HeaderError, MessageHeader};
