//! Opens the sockets of an endpoint. The helper calls this, never an agent or its transport's thread, because it may
//! take long.
//!
//! A unicast socket is a plain bind. A multicast socket shares its port with others on the machine and hears only the
//! group that it joined, so two groups on one port do not receive each other's streams. A publication that is connected
//! to its group sends from a separate socket, since a connected socket would hear no receiver.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::OpenError;
use crate::mailbox::{EndpointSpec, Group, OpenedEndpoint};

/// The open, unused sockets of an endpoint.
#[derive(Debug)]
pub struct Sockets {
    /// The socket that sends, and also receives unless there is a separate one.
    pub(super) sender: Socket,
    /// The receiving socket of a connected multicast publication.
    pub(super) receiver: Option<Socket>,
    /// The address to which the sending socket is connected.
    pub(super) connected: Option<SocketAddr>,
    /// Whether receive timestamps are requested.
    pub(super) timestamps: bool,
    opened: OpenedEndpoint,
}

impl Sockets {
    /// The properties of the sockets.
    pub const fn opened(&self) -> OpenedEndpoint {
        self.opened
    }

    /// Connects the sending socket to another address. Returns false if the operating system refuses. A socket that is
    /// not connected can send anywhere, so nothing is done.
    pub(super) fn reconnect(&mut self, to: SocketAddr) -> bool {
        let is_done = self.connected.is_none() || self.sender.connect(&to.into()).is_ok();
        if is_done && self.connected.is_some() {
            self.connected = Some(to);
        }
        is_done
    }

    /// The socket that receives.
    pub(super) fn receiving(&self) -> &Socket {
        self.receiver.as_ref().unwrap_or(&self.sender)
    }
}

/// Opens the sockets of an endpoint.
///
/// # Errors
///
/// [`OpenError`]. No socket stays open.
pub fn open(spec: &EndpointSpec) -> Result<Sockets, OpenError> {
    let (sender, receiver) = match (spec.group, spec.connect) {
        (Some(group), Some(_)) => {
            let sender = new_socket(spec.bind)?;
            attempt("bind to", any_of(spec.bind, 0), |address| sender.bind(&address.into()))?;
            send_through(&sender, &group)?;
            (sender, Some(join(&group)?))
        }
        (Some(group), None) => (join(&group)?, None),
        (None, _) => {
            let sender = new_socket(spec.bind)?;
            attempt("bind to", spec.bind, |address| sender.bind(&address.into()))?;
            (sender, None)
        }
    };
    if let Some(to) = spec.connect {
        attempt("connect to", to, |address| sender.connect(&address.into()))?;
    }
    for socket in [Some(&sender), receiver.as_ref()].into_iter().flatten() {
        prepare(socket, spec).map_err(|source| OpenError { attempt: "set up", address: spec.bind, source })?;
    }
    let receiving = receiver.as_ref().unwrap_or(&sender);
    let local = receiving.local_addr().and_then(|address| address.as_socket().ok_or(io::ErrorKind::Unsupported.into()));
    let local = local.map_err(|source| OpenError { attempt: "name", address: spec.bind, source })?;
    let opened = OpenedEndpoint {
        local,
        // The kernel doubles the requested size, and reports the double.
        send_buffer: sender.send_buffer_size().unwrap_or(0) / 2,
        receive_buffer: receiving.recv_buffer_size().unwrap_or(0) / 2,
    };
    Ok(Sockets { sender, receiver, connected: spec.connect, timestamps: spec.receive_timestamps, opened })
}

fn attempt(
    attempt: &'static str,
    address: SocketAddr,
    call: impl FnOnce(SocketAddr) -> io::Result<()>,
) -> Result<(), OpenError> {
    call(address).map_err(|source| OpenError { attempt, address, source })
}

fn new_socket(address: SocketAddr) -> Result<Socket, OpenError> {
    Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP)).map_err(|source| OpenError {
        attempt: "open a socket for",
        address,
        source,
    })
}

/// The wildcard address of this family, at `port`.
fn any_of(family: SocketAddr, port: u16) -> SocketAddr {
    let any = if family.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(any, port)
}

/// A socket that receives a group, and sends on the group's interface.
fn join(group: &Group) -> Result<Socket, OpenError> {
    let socket = new_socket(group.address)?;
    attempt("share", group.address, |_| {
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        // Kernels without this option have no alternative, and the reference also ignores the failure.
        let _ = if group.address.is_ipv4() {
            socket.set_multicast_all_v4(false)
        } else {
            socket.set_multicast_all_v6(false)
        };
        Ok(())
    })?;
    attempt("bind to", any_of(group.address, group.address.port()), |address| socket.bind(&address.into()))?;
    attempt("join", group.address, |address| match (address.ip(), group.interface.address) {
        (IpAddr::V4(address), _) if group.interface.index != 0 => {
            socket.join_multicast_v4_n(&address, &InterfaceIndexOrAddress::Index(group.interface.index))
        }
        (IpAddr::V4(address), IpAddr::V4(interface)) => socket.join_multicast_v4(&address, &interface),
        (IpAddr::V6(address), IpAddr::V6(_)) => socket.join_multicast_v6(&address, group.interface.index),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    })?;
    send_through(&socket, group)?;
    Ok(socket)
}

fn send_through(socket: &Socket, group: &Group) -> Result<(), OpenError> {
    attempt("send to", group.address, |_| {
        match group.interface.address {
            IpAddr::V4(interface) => socket.set_multicast_if_v4(&interface)?,
            IpAddr::V6(_) => socket.set_multicast_if_v6(group.interface.index)?,
        }
        match (group.ttl, group.address) {
            (0, _) => Ok(()),
            (ttl, SocketAddr::V4(_)) => socket.set_multicast_ttl_v4(ttl.into()),
            (ttl, SocketAddr::V6(_)) => socket.set_multicast_hops_v6(ttl.into()),
        }
    })
}

fn prepare(socket: &Socket, spec: &EndpointSpec) -> io::Result<()> {
    if spec.receive_buffer != 0 {
        socket.set_recv_buffer_size(spec.receive_buffer)?;
    }
    if spec.send_buffer != 0 {
        socket.set_send_buffer_size(spec.send_buffer)?;
    }
    if let Some(type_of_service) = spec.type_of_service {
        if spec.bind.is_ipv4() {
            socket.set_tos_v4(type_of_service.into())?;
        } else {
            socket.set_tclass_v6(type_of_service.into())?;
        }
    }
    socket.set_nonblocking(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::interfaces::network_interfaces;
    use crate::io::transport::{ports, skip};
    use crate::mailbox::LocalInterface;

    fn loopback(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn a_port_is_chosen_and_told() {
        let sockets = open(&EndpointSpec::unicast(loopback(0))).unwrap();
        let opened = sockets.opened();
        assert!(opened.local.ip().is_loopback() && opened.local.port() != 0);
        assert!(opened.send_buffer > 0 && opened.receive_buffer > 0);
    }

    #[test]
    fn buffers_are_as_asked_for() {
        let spec = EndpointSpec { send_buffer: 65_536, receive_buffer: 131_072, ..EndpointSpec::unicast(loopback(0)) };
        let opened = open(&spec).unwrap().opened();
        assert_eq!((opened.send_buffer, opened.receive_buffer), (65_536, 131_072));
    }

    #[test]
    fn datagrams_have_the_type_of_service_that_is_asked_for() {
        let spec = EndpointSpec { type_of_service: Some(184), ..EndpointSpec::unicast(loopback(0)) };
        assert_eq!(open(&spec).unwrap().sender.tos_v4().unwrap(), 184);
        let group = "224.20.30.39:0".parse().unwrap();
        let interface = LocalInterface { address: Ipv4Addr::LOCALHOST.into(), index: 0 };
        let group = Some(Group { address: group, interface, ttl: 0 });
        assert_eq!(open(&EndpointSpec { group, ..spec }).unwrap().sender.tos_v4().unwrap(), 184);
        let spec = EndpointSpec { bind: (Ipv6Addr::LOCALHOST, 0).into(), ..spec };
        assert_eq!(open(&spec).unwrap().sender.tclass_v6().unwrap(), 184);
    }

    /// A port in use, and an address that no interface has: refused with the address, the reason and what to do.
    #[test]
    fn what_cannot_be_opened_is_explained() {
        let first = open(&EndpointSpec::unicast(loopback(0))).unwrap();
        let taken = first.opened().local;
        let error = open(&EndpointSpec::unicast(taken)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&taken.to_string()) && text.contains("another socket has this port"), "{text}");
        // An address of the range that is kept for documentation.
        let error = open(&EndpointSpec::unicast(SocketAddr::from(([198, 51, 100, 7], 0)))).unwrap_err();
        assert!(error.to_string().contains("no interface of this machine"), "{error}");
        for (connect, reason) in [
            ("255.255.255.255:9", "Permission denied (os error 13); is it a broadcast address?"),
            ("[::1]:9", "its socket has an address of the other family"),
        ] {
            let connect = Some(connect.parse().unwrap());
            let error = open(&EndpointSpec { connect, ..EndpointSpec::unicast(loopback(0)) }).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn an_address_of_a_link_is_explained() {
        if open(&EndpointSpec::unicast((Ipv6Addr::LOCALHOST, 0).into())).is_err() {
            return skip::report("an_address_of_a_link_is_explained", "the loopback interface has no IPv6");
        }
        let error = open(&EndpointSpec::unicast("[fe80::1]:0".parse().unwrap())).unwrap_err().to_string();
        assert!(error.contains("an address of a link needs its scope"), "{error}");
    }

    #[test]
    fn multicast_shares_its_port_and_a_connected_sender_has_a_socket_of_its_own() {
        let port = ports::free_port().unwrap();
        let group = Group {
            address: SocketAddr::from(([224, 20, 30, 39], port)),
            interface: LocalInterface { address: Ipv4Addr::LOCALHOST.into(), index: 0 },
            ttl: 3,
        };
        let spec = EndpointSpec { group: Some(group), ..EndpointSpec::unicast(loopback(0)) };
        let (first, second) = (open(&spec).unwrap(), open(&spec).unwrap());
        assert_eq!((first.opened().local.port(), second.opened().local.port()), (port, port));
        assert_eq!(first.sender.multicast_ttl_v4().unwrap(), 3);
        let connected = open(&EndpointSpec { connect: Some(group.address), ..spec }).unwrap();
        let sends_from = connected.sender.local_addr().unwrap().as_socket().unwrap();
        assert_ne!(sends_from.port(), port);
        assert_eq!(connected.opened().local.port(), port);
        assert_eq!(connected.sender.multicast_ttl_v4().unwrap(), 3);
    }

    /// The interface is selected by its index, and the hops are those of the channel.
    #[test]
    fn a_group_of_ipv6_has_its_interface_and_hops() {
        let all = network_interfaces().unwrap();
        let Some(interface) = all.iter().find(|one| one.is_loopback && one.address.is_ipv6()) else {
            return skip::report("a_group_of_ipv6_has_its_interface_and_hops", "the loopback interface has no IPv6");
        };
        let address = "[ff15::77:1]:0".parse().unwrap();
        let interface = LocalInterface { address: interface.address, index: interface.index };
        let group = |ttl| Some(Group { address, interface, ttl });
        let spec = EndpointSpec { group: group(7), ..EndpointSpec::unicast((Ipv6Addr::LOCALHOST, 0).into()) };
        let sockets = open(&spec).unwrap();
        assert!(sockets.opened().local.is_ipv6() && sockets.opened().local.port() != 0);
        assert_eq!(sockets.sender.multicast_if_v6().unwrap(), interface.index);
        assert_eq!(sockets.sender.multicast_hops_v6().unwrap(), 7);
        // Without a number, the system's default.
        let sockets = open(&EndpointSpec { group: group(0), ..spec }).unwrap();
        assert_eq!(sockets.sender.multicast_hops_v6().unwrap(), 1);
        let interface = LocalInterface { address: Ipv4Addr::LOCALHOST.into(), ..interface };
        let mixed = Some(Group { address, interface, ttl: 0 });
        let error = open(&EndpointSpec { group: mixed, ..spec }).unwrap_err();
        assert!(error.to_string().contains("ff15::77:1"), "{error}");
    }
}
