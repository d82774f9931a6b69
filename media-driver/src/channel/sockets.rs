//! The sockets that an endpoint needs, as plain data. The conductor specifies them, `io` opens them, and a transport
//! uses them.

use std::net::{IpAddr, SocketAddr};

/// The local interface that multicast uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LocalInterface {
    /// Its address.
    pub address: IpAddr,
    /// Its number; 0 when it is left to the operating system. IPv6 needs it.
    pub index: u32,
}

/// A multicast group that an endpoint joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// The group's address, and the port that its datagrams are taken from.
    pub address: SocketAddr,
    /// Through which interface it is joined, and data sent.
    pub interface: LocalInterface,
    /// The time to live of what is sent; 0 leaves it to the operating system.
    pub ttl: u8,
}

/// The sockets of one endpoint.
///
/// ```text
///                      bind        connect     group
/// unicast publication  local       endpoint
/// MDC publication      control
/// multicast publ.      local       data group  control group      two sockets: one sends, one receives
/// unicast subscription endpoint
/// multicast subscr.    (any)                   data group
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointSpec {
    /// The local address. With a group, a socket that receives is bound to the group's port on every address instead.
    pub bind: SocketAddr,
    /// The only address that is sent to, and for unicast the only one that is heard.
    pub connect: Option<SocketAddr>,
    /// The group that is joined.
    pub group: Option<Group>,
    /// The send buffer, in bytes; 0 leaves it to the operating system.
    pub send_buffer: usize,
    /// The receive buffer, in bytes; 0 leaves it to the operating system.
    pub receive_buffer: usize,
    /// The type of service of what is sent; none leaves it to the operating system.
    pub type_of_service: Option<u8>,
    /// Whether the operating system is asked when each datagram came.
    pub receive_timestamps: bool,
}

impl EndpointSpec {
    /// Unicast at `bind`, and nothing else asked for.
    pub const fn unicast(bind: SocketAddr) -> Self {
        Self {
            bind,
            connect: None,
            group: None,
            send_buffer: 0,
            receive_buffer: 0,
            type_of_service: None,
            receive_timestamps: false,
        }
    }
}

/// What the sockets of an endpoint have become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedEndpoint {
    /// The address that datagrams are received at, with the port that the operating system chose, if it did.
    pub local: SocketAddr,
    /// The send buffer that it gave, in bytes.
    pub send_buffer: usize,
    /// The receive buffer that it gave, in bytes.
    pub receive_buffer: usize,
}
