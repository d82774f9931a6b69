//! Whole drivers and their clients in one thread, under a clock that is a number, on a network that is a table: the conductor, the
//! sender and the receiver run unchanged, and everything that they ask of the outside is answered from a seed. For tests, and for
//! whoever looks for a seed that breaks something.
//!
//! ```text
//!  client ── ring, broadcast, logs ── driver ─┐
//!                                             ├── network: loses, repeats, delays, reorders, corrupts, is cut in two
//!  client ── ring, broadcast, logs ── driver ─┘
//! ```
//!
//! [`run`] plays one seed: what the network does is drawn from it, and so is everything else: how many drivers and streams there are and
//! of which kinds, who is slow, whose clock is wrong, who is cut off from whom and for how long. Its checks stand outside and know nothing
//! of how streams work:
//!
//! - each subscriber has each message of a reliable stream once and in order;
//! - positions never go back;
//! - nobody is sent more than it takes;
//! - no driver holds more than its streams need;
//! - after everything was closed nothing is left;
//! - within a stated time after the last trouble everybody hears again.

mod client;
mod driver;
mod network;
mod parts;
mod scenario;
mod transport;

pub use client::{SimClient, SimImage, SimPublication};
pub use driver::{Awake, SimDriver};
pub use network::{SimNetwork, Tapped, Weather};
pub use parts::{SimMemory, parts};
pub use scenario::{Failure, MESSAGES, Summary, describe, run};
pub use transport::{SimSockets, SimTransport};
