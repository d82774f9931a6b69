//! Why sockets could not be opened, with advice, and why a datagram could not be sent or received.

use std::io;
use std::net::SocketAddr;

use crate::mailbox::EndpointId;

/// Why the sockets of an endpoint could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot {attempt} {address}: {source}{}", remedy(attempt, address, source))]
pub struct OpenError {
    /// What was attempted.
    pub attempt: &'static str,
    /// The address.
    pub address: SocketAddr,
    /// The operating system's error.
    pub source: io::Error,
}

fn remedy(attempt: &str, address: &SocketAddr, source: &io::Error) -> &'static str {
    let is_of_a_link = matches!(address, SocketAddr::V6(address) if address.ip().is_unicast_link_local());
    match (attempt, source.raw_os_error()) {
        ("connect to", Some(libc::EAFNOSUPPORT)) => {
            return "; its socket has an address of the other family: state all addresses as IPv4, or all as IPv6";
        }
        (_, Some(libc::EINVAL)) if is_of_a_link => {
            return "; an address of a link needs its scope, which channels do not keep: use another address of that host";
        }
        _ => {}
    }
    match (attempt, source.kind()) {
        (_, io::ErrorKind::AddrInUse) => {
            "; another socket has this port: choose another one, or 0 to have one chosen, and see `ss -lunp` for whose it is"
        }
        (_, io::ErrorKind::AddrNotAvailable) => "; no interface of this machine has this address: see `ip address`",
        ("connect to", io::ErrorKind::PermissionDenied) => "; is it a broadcast address? Use a multicast group",
        (_, io::ErrorKind::PermissionDenied) => "; ports below 1024 need a capability, CAP_NET_BIND_SERVICE",
        ("join", _) => "; is the interface up, and can it do multicast? See `ip link`",
        _ => "",
    }
}

/// A permanent failure of sending or receiving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A failed send.
    Send(SendFault),
    /// A failed receive.
    Receive(ReceiveFault),
}

impl Fault {
    /// The operating system's error number.
    pub const fn errno(&self) -> i32 {
        match self {
            Self::Send(fault) => fault.errno,
            Self::Receive(fault) => fault.errno,
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Send(fault) => fault.fmt(f),
            Self::Receive(fault) => fault.fmt(f),
        }
    }
}

/// An endpoint for which io_uring does not receive. Its datagrams are received with system calls meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveFault {
    /// The endpoint. `None` if nothing can be submitted for any endpoint.
    pub on: Option<(EndpointId, SocketAddr)>,
    /// The operating system's error number.
    pub errno: i32,
}

impl std::fmt::Display for ReceiveFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("io_uring does not receive")?;
        if let Some((_, local)) = self.on {
            write!(f, " on {local}")?;
        }
        let reason = io::Error::from_raw_os_error(self.errno);
        write!(f, ": {reason}; it is tried again now and then. With gannet.transport=sockets the driver does without")
    }
}

/// A datagram that was not sent, for a permanent reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendFault {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The destination.
    pub to: SocketAddr,
    /// The length in bytes.
    pub length: usize,
    /// The operating system's error number.
    pub errno: i32,
}

impl std::fmt::Display for SendFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reason = io::Error::from_raw_os_error(self.errno);
        write!(f, "cannot send {} bytes to {}: {reason}", self.length, self.to)?;
        if self.errno == libc::EMSGSIZE {
            f.write_str("; the path takes no datagram of that length: set a smaller mtu on the channel")?;
        }
        Ok(())
    }
}
