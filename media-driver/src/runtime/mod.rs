//! Connects agents, threads, clocks, `io` and the configuration: the only part of the driver that knows all of them. A
//! threading mode is wiring: which agents a thread runs, what it does when idle, and where it is pinned. What the
//! agents do does not matter here.

mod affinity;
mod conductor_agent;
mod conductor_config;
mod feed;
mod helper;
mod launch;
mod network_agents;
mod queue;
mod reply_to;
mod resolver_port;
mod shared_memory;
mod socket_orders;
mod stop;

pub use affinity::AffinityError;
pub use launch::{CloseError, LaunchError, MediaDriver};
pub use resolver_port::ResolverError;
pub use shared_memory::SharedMemoryError;
pub use stop::{StopHandle, StopReason};

use std::fmt;

use crate::config::{ThreadNaming, ThreadingMode};

/// The role of a thread of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Runs the conductor, and in mode `SHARED` all agents.
    Conductor,
    /// Runs the sender, and in mode `SHARED_NETWORK` the receiver as well.
    Sender,
    /// Runs the receiver.
    Receiver,
    /// Creates and deletes logs, and opens sockets.
    Helper,
}

impl Role {
    /// The name of its thread, as in the reference.
    fn thread_name(self, mode: ThreadingMode, naming: ThreadNaming) -> &'static str {
        match (self, naming, mode) {
            (Self::Helper, ..) => "aeron-md-nra",
            (Self::Conductor, ThreadNaming::Classic, ThreadingMode::Shared) => "[conductor, sender, receiver]",
            (Self::Conductor, ThreadNaming::Classic, _) => "conductor",
            (Self::Sender, ThreadNaming::Classic, ThreadingMode::SharedNetwork) => "[sender, receiver]",
            (Self::Sender, ThreadNaming::Classic, _) => "sender",
            (Self::Sender, ThreadNaming::New, ThreadingMode::SharedNetwork) => "aeron-md-net",
            (Self::Sender, ThreadNaming::New, _) => "aeron-md-snd",
            (Self::Receiver, ThreadNaming::Classic, _) => "receiver",
            (Self::Receiver, ThreadNaming::New, _) => "aeron-md-rcv",
            (Self::Conductor, ThreadNaming::New, ThreadingMode::Shared) => "aeron-md-shd",
            (Self::Conductor, ThreadNaming::New, _) => "aeron-md-cnd",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conductor => "conductor",
            Self::Sender => "sender",
            Self::Receiver => "receiver",
            Self::Helper => "helper",
        })
    }
}
