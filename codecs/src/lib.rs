//! SBE codecs: schemas compiled and compared, messages read and written, with or without generated code.
//!
//! This crate knows nothing of the engine: it reads from any `&[u8]` and writes into any `&mut [u8]`.
//!
//! There are three ways in:
//!
//! - [`build::Schema`] in a build script, for code that is generated whenever the schema changes; the package in
//!   `codecs/examples/build-script` shows it.
//! - The command `gannet sbe generate`, for code that is generated once and checked in; the package in
//!   `codecs/examples/checked-in` shows it.
//! - [`open()`] and [`dynamic::Found`], for programs that meet a schema only when they run.

pub mod build;
pub mod dynamic;
pub mod gate;
pub mod generate;
pub mod ir;
mod json;
mod open;
pub mod schema;

pub use gannet_codecs_runtime as runtime;
pub use gannet_codecs_runtime::{HeaderError, MessageHeader};
pub use open::{OpenError, is_compiled, open};
