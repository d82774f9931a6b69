//! Endpoints as the conductor asks for them: names resolved, interfaces looked through, sockets opened. Called by the helper, never by
//! an agent: all of it may take long.

use std::net::IpAddr;

use gannet::command::ErrorCode;

use super::interfaces::network_interfaces;
use super::resolver;
use super::transport::{self, Sockets};
use crate::channel::{ChannelError, SocketDefaults, Surroundings, UdpChannel, Usage};
use crate::mailbox::{EndpointAddresses, EndpointError, EndpointSpec, OpenEndpoint, Side};

/// Opens an endpoint: its sockets, and what they are bound to.
///
/// # Errors
///
/// [`EndpointError`]; nothing stays open then.
pub fn open(request: &OpenEndpoint, defaults: &SocketDefaults) -> Result<(Sockets, EndpointAddresses), EndpointError> {
    let (spec, mut addresses) = plan(request, defaults)?;
    let sockets = transport::open(&spec).map_err(|error| EndpointError::System(error.to_string()))?;
    addresses.local = sockets.opened().local;
    let buffer = sockets.opened().receive_buffer as u64;
    if request.side == Side::Receive && request.channel.params().rcv_wnd.is_some_and(|window| window > buffer) {
        return Err(EndpointError::System(format!(
            "rcv-wnd is more than the socket's receive buffer of {buffer} bytes: set so-rcvbuf, and net.core.rmem_max"
        )));
    }
    Ok((sockets, addresses))
}

/// Which sockets a channel takes, and the addresses that it leads to.
fn plan(request: &OpenEndpoint, defaults: &SocketDefaults) -> Result<(EndpointSpec, EndpointAddresses), EndpointError> {
    let interfaces = network_interfaces()
        .map_err(|error| EndpointError::System(format!("cannot list the machine's interfaces: {error}")))?;
    let resolve = |name: &str| -> Option<IpAddr> { resolver::resolve(name).ok().flatten() };
    let surroundings = Surroundings {
        interfaces: &interfaces,
        resolve: &resolve,
        // The conductor tells endpoints apart by their names.
        unique: request.id.get().into(),
    };
    let usage = match request.side {
        Side::Send => Usage::Publication,
        Side::Receive => Usage::Subscription,
    };
    let channel = UdpChannel::new(&request.channel, usage, &surroundings).map_err(|error| refusal(&error))?;
    let multicast = channel.is_multicast();
    Ok(match request.side {
        Side::Send => {
            let data = (!channel.is_multi_destination()).then_some(channel.remote_data());
            let local = channel.local();
            (channel.send_endpoint(local, defaults), EndpointAddresses { local, data, control: None, multicast })
        }
        Side::Receive => {
            let local = channel.remote_data();
            let control = if multicast { Some(channel.remote_control()) } else { channel.explicit_control() };
            (channel.receive_endpoint(local, defaults), EndpointAddresses { local, data: None, control, multicast })
        }
    })
}

fn refusal(error: &ChannelError) -> EndpointError {
    match error.error_code() {
        ErrorCode::UnknownHost => EndpointError::UnknownHost(error.to_string()),
        ErrorCode::InvalidChannel => EndpointError::Channel(error.to_string()),
        _ => EndpointError::System(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::EndpointId;
    use gannet::channel_uri::ChannelUri;
    use std::net::SocketAddr;

    fn planned(side: Side, channel: &str) -> Result<(EndpointSpec, EndpointAddresses), EndpointError> {
        let channel = Box::new(ChannelUri::parse(channel).unwrap());
        let request = OpenEndpoint { id: EndpointId::new(1), side, channel };
        plan(&request, &SocketDefaults { connect: true, ..SocketDefaults::default() })
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_unicast_publication_is_connected_to_its_endpoint() {
        let (spec, addresses) = planned(Side::Send, "aeron:udp?endpoint=127.0.0.1:40123|so-sndbuf=64k").unwrap();
        assert_eq!((spec.connect, spec.send_buffer), (Some(address("127.0.0.1:40123")), 65_536));
        assert_eq!((addresses.data, addresses.multicast), (spec.connect, false));
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

    /// Trap 57: a multicast receiver says what it says to the control group.
    #[test]
    fn trap_57_multicast_receivers_answer_to_the_control_group() {
        let channel = "aeron:udp?endpoint=224.20.30.39:21300|interface=127.0.0.1";
        let (spec, addresses) = planned(Side::Receive, channel).unwrap();
        assert_eq!(spec.group.map(|group| group.address), Some(address("224.20.30.39:21300")));
        assert_eq!((addresses.control, addresses.multicast), (Some(address("224.20.30.40:21300")), true));
        let (spec, addresses) = planned(Side::Send, channel).unwrap();
        assert_eq!(spec.group.map(|group| group.address), Some(address("224.20.30.40:21300")));
        assert_eq!(addresses.data, Some(address("224.20.30.39:21300")));
    }

    #[test]
    fn what_cannot_be_opened_is_refused_with_its_reason() {
        for (channel, reason) in [
            ("aeron:udp?endpoint=224.0.1.2:40123", "odd"),
            ("aeron:udp?endpoint=127.0.0.1:1|interface={no-such-0}", "no-such-0"),
            ("aeron:udp?endpoint=no.such.host.invalid:1", "no.such.host.invalid"),
        ] {
            let error = planned(Side::Send, channel).unwrap_err();
            assert!(error.to_string().contains(reason), "{channel}: {error}");
        }
    }
}
