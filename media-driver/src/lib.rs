//! Gannet's media driver: the process, and the same driver embedded in an application. [`MediaDriver`] starts it,
//! [`config`] says how.
//!
//! ```
//! use gannet::{Client, Context};
//! use gannet_driver::MediaDriver;
//! use gannet_driver::config::{DriverConfig, Profile};
//!
//! let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
//! let client = Client::connect(Context::new().dir(driver.dir()))?;
//! // Publish and subscribe. Other processes use this driver by its directory.
//! drop(client);
//! driver.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Features: `cli`, on by default, is for the programs (their command line, signals and log). Of it, the library has
//! only [`signals`], which is also a feature by itself. `sim` has the simulation.

pub mod config;
mod raw_access;
mod runtime;
#[cfg(feature = "signals")]
pub mod signals;
#[cfg(feature = "sim")]
pub mod sim;

// The driver's parts. They are public for its own tests, fuzz targets and benchmarks, are no part of its interface, and
// change without notice.
#[doc(hidden)]
pub mod channel;
#[doc(hidden)]
pub mod conductor;
#[doc(hidden)]
pub mod io;
#[doc(hidden)]
pub mod ipc;
#[doc(hidden)]
pub mod mailbox;
#[doc(hidden)]
pub mod receiver;
#[doc(hidden)]
pub mod resolver;
#[doc(hidden)]
pub mod sender;
#[doc(hidden)]
pub mod shared;

pub use io::directory::DirectoryError;
pub use io::transport::{OpenError, TransportCounts, TransportUnavailable};
pub use runtime::{
    AffinityError, CloseError, LaunchError, MediaDriver, ResolverError, Role, SharedMemoryError, StopHandle, StopReason,
};

/// The commit that this was built from: the environment variable `GANNET_COMMIT` of the build if it was set, else git's
/// answer in a release build, else `unknown`.
pub const COMMIT: &str = env!("GANNET_COMMIT");

/// Version and commit as printed by `--version`.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " git ", env!("GANNET_COMMIT"));
