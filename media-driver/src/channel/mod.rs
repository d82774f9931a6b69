//! The meaning of a channel URI for the driver: its addresses, its interface, its sockets, and the other URIs with the
//! same meaning. The conductor calls this. Nothing here asks the operating system. Interfaces and resolved names are
//! passed in as data; `io` finds out both, off the agents.
//!
//! | question | file |
//! | --- | --- |
//! | which addresses have which role | `udp_channel`, `multicast` |
//! | which local interface | `interface` |
//! | which parameters a use may have | `usage` |
//! | which URIs share an endpoint | `sharing` |
//! | which sockets a channel needs | `endpoint` and `sockets`, with `ports` |

mod endpoint;
mod error;
mod interface;
mod multicast;
mod ports;
mod sharing;
mod sockets;
mod udp_channel;
mod usage;

pub use endpoint::SocketDefaults;
pub use error::ChannelError;
pub use interface::NetworkInterface;
pub use ports::{PortManager, PortsExhausted, TakenPort};
pub use sockets::{EndpointSpec, Group, LocalInterface, OpenedEndpoint};
pub use udp_channel::{Surroundings, UdpChannel, names};
pub use usage::Usage;
