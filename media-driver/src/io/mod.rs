//! The driver's access to the operating system. `runtime` and `main.rs` use it, never an agent.
#![expect(clippy::disallowed_methods, reason = "an edge: files are its business, and it waits for them")]

pub mod directory;
pub mod endpoints;
mod existing;
pub mod interfaces;
pub mod log_files;
mod moment;
pub mod resolver;
pub mod socket_defaults;
pub mod transport;
