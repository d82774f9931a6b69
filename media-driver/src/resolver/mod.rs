//! Names of drivers. The conductor owns one of these values and asks it before a channel's names go to
//! the operating system; whoever runs the conductor carries its datagrams. Like an agent it does no I/O and reads no clock.
//!
//! | file | what it is about |
//! | --- | --- |
//! | `config` | what it is told |
//! | `gossip` | drivers that tell each other their names: who is told what, and when |
//! | `cache`, `neighbors` | what was heard, and from whom: both bounded, both forgetting what is silent |
//! | `bootstrap` | whom to ask first |
//! | `round` | datagrams that go to everybody, a few at a time |

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
pub use gossip::{Full, Gossip, Heard};

/// How often a resolver that gossips is run at most, in nanoseconds.
pub const WORK_INTERVAL_NS: i64 = 10_000_000;
