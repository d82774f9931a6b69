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
//! [`run`] plays one seed: what the network does is drawn from it, and so is everything else. Its checks stand outside and know
//! nothing of how streams work: each message arrives once and in order, positions never go back, nobody is sent more than it takes,
//! and when all is closed nothing is left.

mod client;
mod driver;
mod network;
mod scenario;

pub use client::{SimClient, SimImage, SimPublication};
pub use driver::SimDriver;
pub use network::{SimNetwork, Weather};
pub use scenario::{Failure, Summary, run};
