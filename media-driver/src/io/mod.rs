//! Where the driver touches the operating system. Used by `runtime` and `main.rs`, never by an agent.
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
