//! The conductor's requests for channels and endpoints, and the replies: names and addresses, never a socket. The
//! helper that opens the sockets gives them to the transport of the endpoint's agent.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use gannet::channel_uri::ChannelUri;
use gannet::command::ErrorCode;
use gannet::types::RegistrationId;

use super::EndpointId;
use crate::channel::{ChannelError, UdpChannel, Usage, names};

/// Which agent an endpoint serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The sender.
    Send,
    /// The receiver.
    Receive,
}

/// Something that is known by a name, which may lead elsewhere one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NamedPlace {
    /// Where a publication's endpoint sends.
    Endpoint(EndpointId),
    /// One of the places that a publication's endpoint sends to, by the command that added it.
    Destination(EndpointId, RegistrationId),
    /// Where what is said through one of an endpoint's sockets goes: the endpoint, and the socket.
    Transport(EndpointId, EndpointId),
}

impl NamedPlace {
    /// The endpoint that it belongs to.
    pub const fn endpoint(&self) -> EndpointId {
        match self {
            Self::Endpoint(endpoint) | Self::Destination(endpoint, _) | Self::Transport(endpoint, _) => *endpoint,
        }
    }
}

/// Names one channel that is looked into. The driver gives these names, where clients give ids of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LookupId(u64);

impl LookupId {
    /// Wraps a number that no other lookup of this driver has had.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A channel whose meaning is to be found out: names resolved, interfaces looked through.
#[derive(Clone, Debug)]
pub struct ResolveChannel {
    /// Its name.
    pub id: LookupId,
    /// The channel.
    pub uri: Box<ChannelUri>,
    /// What it is to be used for.
    pub usage: Usage,
    /// A number that no channel has had: see [`Surroundings::unique`](crate::channel::Surroundings::unique).
    pub unique: u64,
    /// What the driver's own resolver knows of its names; the operating system is asked for all others.
    pub leads: Vec<(String, Lead)>,
}

/// Where a name leads, as the driver's own resolver has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lead {
    /// To this address.
    Address(IpAddr),
    /// To where this host is: an address, or a name of the operating system.
    Host(String),
    /// Nowhere, on purpose.
    Nowhere,
}

impl ResolveChannel {
    /// The address of one of the channel's names. `system` is how the operating system resolves one.
    pub fn address_of(&self, name: &str, system: impl FnOnce(&str) -> Option<IpAddr>) -> Option<IpAddr> {
        self.known(name).unwrap_or_else(system)
    }

    /// Whether the operating system is asked for any of the channel's names.
    pub fn asks_system(&self) -> bool {
        names(&self.uri).any(|name| self.known(name).is_err())
    }

    /// Where a name leads without asking the operating system, or what that is to be asked for.
    fn known<'a>(&'a self, name: &'a str) -> Result<Option<IpAddr>, &'a str> {
        match self.leads.iter().find(|(known, _)| known == name) {
            None => Err(name),
            Some((_, Lead::Address(address))) => Ok(Some(*address)),
            Some((_, Lead::Host(host))) => {
                let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
                address.parse().map(Some).map_err(|_| host.as_str())
            }
            Some((_, Lead::Nowhere)) => Ok(None),
        }
    }
}

/// A driver's host that is to be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveHost {
    /// Which of those that are looked up.
    pub index: usize,
    /// The host.
    pub host: String,
}

/// An endpoint, or one transport of an endpoint, to be opened: sockets bound, groups joined.
#[derive(Clone, Debug)]
pub struct OpenEndpoint {
    /// Its name.
    pub id: EndpointId,
    /// Whom it serves.
    pub side: Side,
    /// Its channel.
    pub channel: Box<UdpChannel>,
    /// What it is bound to.
    pub bind: SocketAddr,
    /// The channel of its subscription, if it is one of several places where that listens: what sockets are like is the
    /// subscription's to say.
    pub subscription: Option<Arc<UdpChannel>>,
}

/// Why a channel means nothing, or an endpoint could not be opened. The text names what was attempted, on what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Its channel is not one that can be opened.
    #[error("{0}")]
    Channel(String),
    /// A name in it is not known.
    #[error("{0}")]
    UnknownHost(String),
    /// The operating system refused it.
    #[error("{0}")]
    System(String),
}

impl From<ChannelError> for EndpointError {
    fn from(error: ChannelError) -> Self {
        match error.error_code() {
            ErrorCode::UnknownHost => Self::UnknownHost(error.to_string()),
            ErrorCode::InvalidChannel => Self::Channel(error.to_string()),
            _ => Self::System(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_name_goes_before_the_system() {
        let leads = vec![
            ("driver".to_owned(), Lead::Address([10, 0, 0, 1].into())),
            ("four".to_owned(), Lead::Host("10.0.0.2".to_owned())),
            ("six".to_owned(), Lead::Host("[::1]".to_owned())),
            ("other".to_owned(), Lead::Host("localhost".to_owned())),
            ("nobody".to_owned(), Lead::Nowhere),
        ];
        let uri = Box::new(ChannelUri::parse("aeron:udp?endpoint=driver:1").unwrap());
        let id = LookupId::new(1);
        let request = ResolveChannel { id, uri, usage: Usage::Publication, unique: 1, leads };
        let asked = |name| {
            let mut asked = None;
            let found = request.address_of(name, |name| {
                asked = Some(name.to_owned());
                Some([127, 0, 0, 1].into())
            });
            (found.map(|address| address.to_string()), asked)
        };
        assert_eq!(asked("driver"), (Some("10.0.0.1".into()), None));
        assert_eq!(asked("four"), (Some("10.0.0.2".into()), None));
        assert_eq!(asked("six"), (Some("::1".into()), None));
        assert_eq!(asked("other"), (Some("127.0.0.1".into()), Some("localhost".into())));
        assert_eq!(asked("nobody"), (None, None));
        assert_eq!(asked("elsewhere"), (Some("127.0.0.1".into()), Some("elsewhere".into())));
    }
}
