//! The CnC ("command and control") file `cnc.dat`, through which clients and tools find a driver. It contains the
//! command ring, the event broadcast, the counters and the error log, one behind the other.
//!
//! ```text
//! │ header, 128 bytes │ to-driver ring │ to-clients broadcast │ counter metadata │ counter values │ error log │ to a whole page
//! ```
//!
//! The driver creates the file, sets everything up, and stores the version last; until then the file must not be used.
//! Clients and tools open it, and check every length in it before they use it.

mod driver_state;
mod driver_watch;
mod file;
mod layout;
mod place;

pub use driver_state::DriverState;
pub use driver_watch::DriverWatch;
pub use file::{CNC_FILE_NAME, CncCreateError, CncFile, CncOpenError};
pub use layout::{CNC_HEADER_LENGTH, CNC_VERSION, CncLayout, CncLayoutError, CncParameters};
pub use place::default_directory;

#[cfg(test)]
mod tests;
