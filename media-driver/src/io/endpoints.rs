//! Endpoints as the conductor asks for them: names resolved, sockets opened. Called by the helper, never by an agent: both may take
//! long.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use gannet::channel_uri::{ChannelParams, ControlMode, Host, HostAndPort, InterfaceName};

use super::transport::{self, Sockets};
use crate::mailbox::{EndpointAddresses, EndpointError, EndpointSpec, OpenEndpoint, Side};

/// What the driver's configuration says of sockets, for channels that say nothing. 0 leaves each to the operating system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointDefaults {
    /// The send buffer, in bytes.
    pub send_buffer: usize,
    /// The receive buffer, in bytes.
    pub receive_buffer: usize,
    /// Whether a publication is connected to its endpoint, where it has one alone.
    pub connect: bool,
}

/// Opens an endpoint: its sockets, and what they are bound to.
///
/// # Errors
///
/// [`EndpointError`]; nothing stays open then.
pub fn open(
    request: &OpenEndpoint,
    defaults: &EndpointDefaults,
) -> Result<(Sockets, EndpointAddresses), EndpointError> {
    let params = request.channel.params();
    let (spec, mut addresses) = plan(request.side, params, defaults)?;
    let sockets = transport::open(&spec).map_err(|error| EndpointError::System(error.to_string()))?;
    addresses.local = sockets.opened().local;
    if request.side == Side::Receive && params.rcv_wnd.is_some_and(|window| window > buffer(&sockets)) {
        return Err(EndpointError::System(format!(
            "rcv-wnd is more than the socket's receive buffer of {} bytes: set so-rcvbuf, and net.core.rmem_max",
            buffer(&sockets)
        )));
    }
    Ok((sockets, addresses))
}

fn buffer(sockets: &Sockets) -> u64 {
    sockets.opened().receive_buffer as u64
}

/// Which sockets a channel takes, and the addresses that it leads to.
fn plan(
    side: Side,
    params: &ChannelParams,
    defaults: &EndpointDefaults,
) -> Result<(EndpointSpec, EndpointAddresses), EndpointError> {
    let endpoint = params.endpoint.as_ref().map(resolve).transpose()?;
    let control = params.control.as_ref().map(resolve).transpose()?;
    if endpoint.is_some_and(|address| address.ip().is_multicast()) {
        return Err(EndpointError::Channel("multicast is not supported by this driver yet".to_owned()));
    }
    let local = match side {
        Side::Receive => endpoint,
        Side::Send => control,
    };
    let local = match (local, interface(params)?) {
        (Some(local), _) => local,
        (None, Some(interface)) => interface,
        (None, None) => SocketAddr::new(unspecified(endpoint), 0),
    };
    let is_connected = side == Side::Send
        && defaults.connect
        && !matches!(params.control_mode, Some(ControlMode::Manual | ControlMode::Dynamic));
    let bytes = |stated: Option<u64>, default| match stated {
        Some(bytes) if bytes > 0 => usize::try_from(bytes).unwrap_or(usize::MAX),
        _ => default,
    };
    let spec = EndpointSpec {
        connect: endpoint.filter(|_| is_connected),
        send_buffer: bytes(params.so_sndbuf, defaults.send_buffer),
        receive_buffer: bytes(params.so_rcvbuf, defaults.receive_buffer),
        ..EndpointSpec::unicast(local)
    };
    let (data, control) = match side {
        Side::Send => (endpoint, None),
        Side::Receive => (None, control),
    };
    Ok((spec, EndpointAddresses { local, data, control, multicast: false }))
}

/// The wildcard address of the family of another one.
fn unspecified(other: Option<SocketAddr>) -> IpAddr {
    match other {
        Some(SocketAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    }
}

/// The local address that a channel's interface names.
fn interface(params: &ChannelParams) -> Result<Option<SocketAddr>, EndpointError> {
    let Some(interface) = &params.interface else { return Ok(None) };
    match (interface.name(), interface.prefix_length()) {
        (InterfaceName::Address(Host::V4(address)), None | Some(32)) => Ok(Some((*address, interface.port()).into())),
        (InterfaceName::Address(Host::V6(address)), None | Some(128)) => Ok(Some((*address, interface.port()).into())),
        _ => Err(EndpointError::Channel(format!(
            "interface={} is not supported by this driver yet: state an address of this machine",
            interface.text()
        ))),
    }
}

/// The address of a host, by IPv4 where it has both kinds.
fn resolve(address: &HostAndPort) -> Result<SocketAddr, EndpointError> {
    match address.host() {
        Host::V4(host) => Ok((*host, address.port()).into()),
        Host::V6(host) => Ok((*host, address.port()).into()),
        Host::Name(name) => {
            let unknown = |why: String| EndpointError::UnknownHost(format!("cannot resolve {name}: {why}"));
            let found =
                (name.as_str(), address.port()).to_socket_addrs().map_err(|error| unknown(error.to_string()))?;
            let mut found: Vec<_> = found.collect();
            found.sort_by_key(SocketAddr::is_ipv6);
            found.first().copied().ok_or_else(|| unknown("it has no address".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gannet::channel_uri::ChannelUri;

    fn planned(side: Side, channel: &str) -> Result<(EndpointSpec, EndpointAddresses), EndpointError> {
        let defaults = EndpointDefaults { connect: true, ..EndpointDefaults::default() };
        plan(side, ChannelUri::parse(channel).unwrap().params(), &defaults)
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_unicast_publication_is_connected_to_its_endpoint() {
        let (spec, addresses) = planned(Side::Send, "aeron:udp?endpoint=127.0.0.1:40123|so-sndbuf=64k").unwrap();
        assert_eq!((spec.bind, spec.connect), (address("0.0.0.0:0"), Some(address("127.0.0.1:40123"))));
        assert_eq!((spec.send_buffer, addresses.data), (65_536, spec.connect));
        let (spec, _) =
            planned(Side::Send, "aeron:udp?control=127.0.0.1:40124|endpoint=127.0.0.1:1|interface=127.0.0.2").unwrap();
        assert_eq!(spec.bind, address("127.0.0.1:40124"));
        let (spec, _) = planned(Side::Send, "aeron:udp?endpoint=[::1]:1").unwrap();
        assert_eq!(spec.bind, address("[::]:0"));
        let (spec, addresses) = planned(Side::Send, "aeron:udp?control=127.0.0.1:9|control-mode=dynamic").unwrap();
        assert_eq!((spec.bind, spec.connect, addresses.data), (address("127.0.0.1:9"), None, None));
    }

    #[test]
    fn a_subscription_is_bound_to_its_endpoint() {
        let (spec, addresses) = planned(Side::Receive, "aeron:udp?endpoint=127.0.0.1:40123").unwrap();
        assert_eq!((spec.bind, spec.connect), (address("127.0.0.1:40123"), None));
        assert_eq!((addresses.data, addresses.control), (None, None));
        let (_, addresses) = planned(Side::Receive, "aeron:udp?endpoint=127.0.0.1:0|control=127.0.0.1:9").unwrap();
        assert_eq!(addresses.control, Some(address("127.0.0.1:9")));
    }

    #[test]
    fn what_cannot_be_opened_is_refused_with_its_reason() {
        for (channel, reason) in [
            ("aeron:udp?endpoint=224.0.1.1:40123", "multicast"),
            ("aeron:udp?endpoint=127.0.0.1:1|interface={eth0}", "{eth0}"),
            ("aeron:udp?endpoint=127.0.0.1:1|interface=10.0.0.1/24", "10.0.0.1/24"),
            ("aeron:udp?endpoint=no.such.host.invalid:1", "no.such.host.invalid"),
        ] {
            let error = planned(Side::Send, channel).unwrap_err();
            assert!(error.to_string().contains(reason), "{channel}: {error}");
        }
    }
}
