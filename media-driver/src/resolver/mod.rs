//! Name resolution between drivers. The conductor owns one resolver and asks it before a channel's names go to the
//! operating system; the conductor's runner carries its datagrams. Like an agent it does no I/O and reads no clock.
//!
//! | file | contents |
//! | --- | --- |
//! | `config` | its configuration |
//! | `gossip` | drivers that tell each other their names: what to tell to whom, and when |
//! | `cache`, `neighbors` | names heard, and from which drivers: both bounded, and both forget silent drivers |
//! | `bootstrap` | the drivers to ask first |
//! | `round` | datagrams that go to all neighbors, a few at a time |

mod bootstrap;
mod cache;
mod config;
mod gossip;
mod neighbors;
mod round;
#[cfg(test)]
mod tests;

pub use bootstrap::{Bootstrap, Lookup};
pub use config::{GossipConfig, ResolverConfig, TableRow};
pub use gossip::{Gossip, Heard, Trouble};

/// The minimum interval between two turns of a gossiping resolver, in nanoseconds.
pub const WORK_INTERVAL_NS: i64 = 10_000_000;
