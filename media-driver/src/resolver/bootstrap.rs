//! The bootstrap neighbors: the drivers that a resolver tells its name first. They are configured by names of the
//! operating system, which others look up; the gossip says when.

use std::net::{IpAddr, SocketAddr};

use gannet::channel_uri::{Host, HostAndPort};

/// A bootstrap neighbor.
#[derive(Debug)]
pub struct Bootstrap {
    place: HostAndPort,
    address: Option<SocketAddr>,
    is_asked: bool,
    is_due: bool,
}

/// A host to resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The index of the bootstrap neighbor.
    pub index: usize,
    /// The host.
    pub host: String,
}

impl Bootstrap {
    pub(super) fn new(place: HostAndPort) -> Self {
        let address = match place.host() {
            Host::V4(address) => Some(IpAddr::from(*address)),
            Host::V6(address) => Some(IpAddr::from(*address)),
            Host::Name(_) => None,
        };
        let address = address.map(|address| SocketAddr::new(address, place.port()));
        Self { place, address, is_asked: false, is_due: false }
    }

    /// The name in the settings.
    pub fn name(&self) -> &str {
        self.place.text()
    }

    /// Its address, if known.
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Makes the lookup of its name due, if it has a name.
    pub(super) const fn make_due(&mut self) {
        self.is_due = !self.is_asked;
    }

    /// The host to resolve now.
    pub(super) fn take_due(&mut self) -> Option<&str> {
        let is_due = std::mem::take(&mut self.is_due);
        let Host::Name(name) = self.place.host() else { return None };
        self.is_asked |= is_due;
        is_due.then_some(name)
    }

    /// Sets the resolved address. It keeps the previous one if its name does not resolve any more, because a name server
    /// that does not answer says nothing about the driver.
    pub(super) fn on_address(&mut self, address: Option<IpAddr>) {
        self.is_asked = false;
        if let Some(address) = address {
            self.address = Some(SocketAddr::new(address, self.place.port()));
        }
    }
}
