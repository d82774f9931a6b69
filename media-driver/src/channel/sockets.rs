//! The sockets that an endpoint needs, as plain data. The conductor specifies them, `io` opens them, and a transport
//! uses them.

use std::net::{IpAddr, SocketAddr};

/// The local interface for multicast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LocalInterface {
    /// The interface's address.
    pub address: IpAddr,
    /// The interface's index. 0 leaves the choice to the operating system. Required for IPv6.
    pub index: u32,
}

/// A multicast group that an endpoint joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// The group's address, and the port of its datagrams.
    pub address: SocketAddr,
    /// The interface on which the group is joined and data is sent.
    pub interface: LocalInterface,
    /// The time to live of datagrams that are sent. 0 leaves it to the operating system.
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
    /// The local address. With a group, a receiving socket is bound to the group's port on all addresses instead.
    pub bind: SocketAddr,
    /// The address to which the socket is connected: it sends only there, and with unicast it receives only from there.
    pub connect: Option<SocketAddr>,
    /// The group to join.
    pub group: Option<Group>,
    /// The send buffer in bytes. 0 leaves it to the operating system.
    pub send_buffer: usize,
    /// The receive buffer in bytes. 0 leaves it to the operating system.
    pub receive_buffer: usize,
    /// The type of service of datagrams that are sent. `None` leaves it to the operating system.
    pub type_of_service: Option<u8>,
    /// Whether the operating system is asked for the receive time of each datagram.
    pub receive_timestamps: bool,
}

impl EndpointSpec {
    /// Unicast at `bind`, with the operating system's defaults.
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

/// The properties of an endpoint's open sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedEndpoint {
    /// The address on which datagrams are received, with the port that the operating system chose if it was 0.
    pub local: SocketAddr,
    /// The actual send buffer in bytes.
    pub send_buffer: usize,
    /// The actual receive buffer in bytes.
    pub receive_buffer: usize,
}
