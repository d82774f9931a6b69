//! Gannet beside Aeron's own C client and C driver.
//!
//! The C code is the one of the crates `rusteron-client` and `rusteron-media-driver`; only their raw bindings are used,
//! so that what the tests exercise is Aeron's own interface and nothing else. Everything here serves tests and
//! measurements; nothing here is a product.
//!
//! - [`client`]: Aeron's C client behind a small wrapper, safe as long as its documentation is followed.
//! - [`driver`]: Aeron's C media driver, as a child process or inside this process.
//! - [`aeron_ipc`]: Aeron's C client on Aeron's C driver, as a system for the measuring rig.
//! - [`aeron_udp`]: the same over UDP, with a driver at each end.
//! - [`aeron_dir`]: directories for drivers, removed when dropped.
//! - [`endpoint`]: one face for every client library, so that a scenario runs with any of them at either end.
//! - [`process`]: child processes that a test starts, talks to and ends, by their own id.
//! - [`records`]: how `peer-sub` prints messages and `peer-pub` reads them.
//! - [`reference_files`]: files as the C driver writes them, for comparing layouts with.

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
