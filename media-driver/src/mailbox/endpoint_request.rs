//! The conductor's requests for channels and endpoints, and the replies: names and addresses, never a socket. The
//! helper that opens the sockets gives them to the transport of the endpoint's agent.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use gannet::channel_uri::ChannelUri;
use gannet::command::ErrorCode;
use gannet::types::RegistrationId;

use super::EndpointId;
use crate::channel::{ChannelError, UdpChannel, Usage, names};

/// The agent that uses an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The sender.
    Send,
    /// The receiver.
    Receive,
}

/// An address that came from a name, and may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NamedPlace {
    /// The destination of a publication's endpoint.
    Endpoint(EndpointId),
    /// A destination of a publication's endpoint, with the registration id of the command that added it.
    Destination(EndpointId, RegistrationId),
    /// The control address of one of an endpoint's sockets: the endpoint, and the socket.
    Transport(EndpointId, EndpointId),
}

impl NamedPlace {
    /// The endpoint.
    pub const fn endpoint(&self) -> EndpointId {
        match self {
            Self::Endpoint(endpoint) | Self::Destination(endpoint, _) | Self::Transport(endpoint, _) => *endpoint,
        }
    }
}

/// The id of a channel lookup, assigned by the driver.
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

/// A request to resolve a channel: its names and its interface.
#[derive(Clone, Debug)]
pub struct ResolveChannel {
    /// The lookup's id.
    pub id: LookupId,
    /// The channel.
    pub uri: Box<ChannelUri>,
    /// The use of the channel.
    pub usage: Usage,
    /// A number that no other channel has had. See [`Surroundings::unique`](crate::channel::Surroundings::unique).
    pub unique: u64,
    /// The results of the driver's own resolver for its names. The operating system resolves all others.
    pub leads: Vec<(String, Lead)>,
}

/// The result of the driver's own resolver for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lead {
    /// This address.
    Address(IpAddr),
    /// The address of this host, which is an address or a name for the operating system.
    Host(String),
    /// No address, on purpose.
    Nowhere,
}

impl ResolveChannel {
    /// The address of one of the channel's names. `system` resolves a name with the operating system.
    pub fn address_of(&self, name: &str, system: impl FnOnce(&str) -> Option<IpAddr>) -> Option<IpAddr> {
        self.known(name).unwrap_or_else(system)
    }

    /// Whether the operating system is needed for any of the channel's names.
    pub fn asks_system(&self) -> bool {
        names(&self.uri).any(|name| self.known(name).is_err())
    }

    /// The address of a name without the operating system, or the name to ask it for.
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

/// A request to resolve the host of a bootstrap neighbor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveHost {
    /// The index of the bootstrap neighbor.
    pub index: usize,
    /// The host.
    pub host: String,
}

/// A request to open an endpoint, or one socket of an endpoint.
#[derive(Clone, Debug)]
pub struct OpenEndpoint {
    /// Its id.
    pub id: EndpointId,
    /// The agent that uses it.
    pub side: Side,
    /// Its channel.
    pub channel: Box<UdpChannel>,
    /// The address to bind.
    pub bind: SocketAddr,
    /// The subscription's channel, if this is one of its destinations. It has the socket settings.
    pub subscription: Option<Arc<UdpChannel>>,
}

/// Why a channel could not be resolved, or an endpoint could not be opened. The text says what was attempted on what,
/// and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The channel is not usable.
    #[error("{0}")]
    Channel(String),
    /// A name cannot be resolved.
    #[error("{0}")]
    UnknownHost(String),
    /// The operating system reported an error.
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
