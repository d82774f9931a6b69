//! The bootstrap neighbors: the drivers that a resolver tells its name first. They are configured by names of the
//! operating system, which others look up; the gossip says when.

use std::net::{IpAddr, SocketAddr};

use gannet::channel_uri::{Host, HostAndPort};

/// One of them.
#[derive(Debug)]
pub struct Bootstrap {
    place: HostAndPort,
    address: Option<SocketAddr>,
    is_asked: bool,
    is_due: bool,
}

/// A host that is to be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Which of the drivers that are told first it is about.
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

    /// What the settings call it.
    pub fn name(&self) -> &str {
        self.place.text()
    }

    /// Where it is, as far as that is known.
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// It is time to look its name up, if it has one.
    pub(super) const fn make_due(&mut self) {
        self.is_due = !self.is_asked;
    }

    /// The host that is to be looked up now.
    pub(super) fn take_due(&mut self) -> Option<&str> {
        let is_due = std::mem::take(&mut self.is_due);
        let Host::Name(name) = self.place.host() else { return None };
        self.is_asked |= is_due;
        is_due.then_some(name)
    }

    /// Its host was looked up.
    pub(super) fn on_address(&mut self, address: Option<IpAddr>) {
        self.is_asked = false;
        self.address = address.map(|address| SocketAddr::new(address, self.place.port()));
    }
}
