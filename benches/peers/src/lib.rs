//! Gannet compared with Aeron's own C client and C driver.
//!
//! The C code comes from the crates `rusteron-client` and `rusteron-media-driver`. Only their raw bindings are used, so
//! that tests exercise Aeron's own interface and nothing else. This crate serves tests and measurements only.
//!
//! - [`client`]: Aeron's C client behind a small wrapper, which is safe as long as its documentation is followed.
//! - [`driver`]: Aeron's C media driver, as a child process or inside this process.
//! - [`aeron_ipc`]: Aeron's C client on Aeron's C driver, as a system for the measuring rig.
//! - [`aeron_udp`]: the same over UDP, with a driver at each end.
//! - [`aeron_dir`]: directories for drivers, removed when dropped.
//! - [`endpoint`]: one interface for every client library, so that a scenario runs with any of them at either end.
//! - [`process`]: child processes that a test starts, communicates with and ends.
//! - [`records`]: the form in which `peer-sub` prints messages and `peer-pub` reads them.
//! - [`reference_files`]: files as the C driver writes them, for comparing layouts.

pub mod aeron_dir;
pub mod aeron_ipc;
pub mod aeron_udp;
pub mod client;
pub mod driver;
pub mod endpoint;
mod error;
pub mod process;
pub mod records;
pub mod reference_files;

pub use error::PeerError;
