//! Where the driver touches the operating system. Used by `runtime` and `main.rs`, never by an agent.

pub mod directory;
mod existing;
pub mod log_files;
pub mod socket_defaults;
