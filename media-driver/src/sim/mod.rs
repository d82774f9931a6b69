//! Whole drivers and their clients in one thread, on simulated time and a simulated network. Conductor, sender and
//! receiver run unchanged, and a seed determines everything that they ask of the outside. It is for tests, and for
//! finding seeds that break something.
//!
//! ```text
//!  client ── ring, broadcast, logs ── driver ─┐
//!                                             ├── network: loses, repeats, delays, reorders, corrupts, is cut in two
//!  client ── ring, broadcast, logs ── driver ─┘
//! ```
//!
//! [`run`] plays one seed. The seed determines the behaviour of the network and everything else: the number and kinds
//! of drivers and streams, which parties are slow, whose clock is wrong, and who is cut off from whom and for how long.
//! Most seeds name a kind of run: by their remainder to 32, spies simulate connections (4), groups have members by tag and
//! others (12), term ids wrap (20), or all of that (28).
//!
//! The checks are outside the drivers and know nothing of how streams work:
//!
//! - Each subscriber gets each message of a reliable stream once and in order, of each of those that publish into one log.
//! - Positions never go back.
//! - No receiver is sent more than it accepts, except those for which their stream does not wait. These never hold it up.
//! - Nobody may publish more than a window beyond the spies of a stream.
//! - No driver holds more than its streams need.
//! - After everything was closed, nothing is left.
//! - Within a stated time after the last fault, every subscriber receives again.

mod client;
mod driver;
mod network;
mod parts;
mod scenario;
mod transport;

pub use client::{SimAppender, SimClient, SimImage, SimPublication};
pub use driver::{Awake, SimDriver};
pub use network::{SimNetwork, Tapped, Weather};
pub use parts::{SimMemory, parts};
pub use scenario::{Failure, MESSAGES, Summary, describe, run};
pub use transport::{SimSockets, SimTransport};
