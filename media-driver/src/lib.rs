//! Gannet's media driver: the process, and the same driver embedded in an application.
//!
//! Features: `cli`, on by default, is for the programs (their command line, signals and log). Of it, the library has
//! only [`signals`], which is also a feature by itself. `sim` has the simulation.

pub mod channel;
pub mod conductor;
pub mod config;
pub mod io;
pub mod ipc;
pub mod mailbox;
mod raw_access;
pub mod receiver;
pub mod resolver;
pub mod runtime;
pub mod sender;
pub mod shared;
#[cfg(feature = "signals")]
pub mod signals;
#[cfg(feature = "sim")]
pub mod sim;

pub use runtime::{CloseError, LaunchError, MediaDriver, StopHandle, StopReason};

/// The commit that this was built from, or `unknown`: builds for release ask git, others are told by `GANNET_COMMIT`.
pub const COMMIT: &str = env!("GANNET_COMMIT");

/// Version and commit in the words of `--version`.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " git ", env!("GANNET_COMMIT"));
