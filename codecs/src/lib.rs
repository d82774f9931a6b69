//! SBE codecs: compiles and compares schemas, and reads and writes messages with or without generated code.
//!
//! This crate is independent of the engine: it reads from any `&[u8]` and writes to any `&mut [u8]`.
//!
//! There are three entry points:
//!
//! - [`build::Schema`] in a build script, for code that is generated whenever the schema changes. The package in
//!   `codecs/examples/build-script` shows it.
//! - The command `gannet sbe generate`, for code that is generated once and checked in. The package in
//!   `codecs/examples/checked-in` shows it.
//! - [`open()`] and [`dynamic::Found`], for programs that load a schema at run time.

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
