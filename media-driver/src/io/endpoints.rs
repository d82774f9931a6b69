//! Carries out the conductor's requests for endpoints: names are resolved, interfaces are searched, sockets are opened.
//! The helper calls this, never an agent, because all of it may take long.

use std::net::IpAddr;

use super::interfaces::network_interfaces;
use super::transport::{self, Sockets};
use crate::channel::{SocketDefaults, Surroundings, UdpChannel};
use crate::mailbox::{EndpointError, EndpointSpec, OpenEndpoint, ResolveChannel, Side};

/// Resolves a channel on this machine at this time. Calls `system` for names that the driver's own resolver does not
/// know.
///
/// # Errors
///
/// [`EndpointError`].
pub fn resolve(request: &ResolveChannel, system: impl Fn(&str) -> Option<IpAddr>) -> Result<UdpChannel, EndpointError> {
    let interfaces = network_interfaces()
        .map_err(|error| EndpointError::System(format!("cannot list the machine's interfaces: {error}")))?;
    let resolve = |name: &str| -> Option<IpAddr> { request.address_of(name, &system) };
    let surroundings = Surroundings { interfaces: &interfaces, resolve: &resolve, unique: request.unique };
    Ok(UdpChannel::new(&request.uri, request.usage, &surroundings)?)
}

/// Opens the sockets of an endpoint.
///
/// # Errors
///
/// [`EndpointError`]. No socket stays open.
pub fn open(request: &OpenEndpoint, defaults: &SocketDefaults) -> Result<Sockets, EndpointError> {
    let spec = plan(request, defaults);
    let sockets = transport::open(&spec).map_err(|error| EndpointError::System(error.to_string()))?;
    let buffer = sockets.opened().receive_buffer as u64;
    let window = options_of(request).params().rcv_wnd;
    if request.side == Side::Receive && window.is_some_and(|window| window > buffer) {
        return Err(EndpointError::System(format!(
            "rcv-wnd is more than the socket's receive buffer of {buffer} bytes: set so-rcvbuf, and net.core.rmem_max"
        )));
    }
    Ok(sockets)
}

/// The sockets of an endpoint. Also used by a simulation.
pub(crate) fn plan(request: &OpenEndpoint, defaults: &SocketDefaults) -> EndpointSpec {
    let spec = match request.side {
        Side::Send => request.channel.send_endpoint(request.bind, defaults),
        Side::Receive => request.channel.receive_endpoint(request.bind, defaults),
    };
    let subscribed = options_of(request);
    let EndpointSpec { send_buffer, receive_buffer, type_of_service, .. } = subscribed.socket_options(defaults);
    let receive_timestamps = request.side == Side::Receive && subscribed.params().media_rcv_ts_offset.is_some();
    EndpointSpec { send_buffer, receive_buffer, type_of_service, receive_timestamps, ..spec }
}

/// The channel with the socket settings.
fn options_of(request: &OpenEndpoint) -> &UdpChannel {
    request.subscription.as_deref().unwrap_or(&request.channel)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Usage;
    use crate::io::resolver;
    use crate::mailbox::{EndpointId, Lead, LookupId};
    use gannet::channel_uri::ChannelUri;
    use std::cell::RefCell;
    use std::net::SocketAddr;
    use std::sync::Arc;

    fn resolved(side: Side, channel: &str) -> Result<UdpChannel, EndpointError> {
        let uri = Box::new(ChannelUri::parse(channel).unwrap());
        let usage = if side == Side::Send { Usage::Publication } else { Usage::Subscription };
        let request = ResolveChannel { id: LookupId::new(1), uri, usage, unique: 1, leads: Vec::new() };
        resolve(&request, |name| resolver::timed(name).0)
    }

    fn planned(side: Side, channel: &str) -> (EndpointSpec, UdpChannel) {
        let channel = Box::new(resolved(side, channel).unwrap());
        let bind = channel.bind_address();
        let request = OpenEndpoint { id: EndpointId::new(1), side, channel, bind, subscription: None };
        let spec = plan(&request, &SocketDefaults { connect: true, ..SocketDefaults::default() });
        (spec, *request.channel)
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_unicast_publication_is_connected_to_its_endpoint() {
        let (spec, _) = planned(Side::Send, "aeron:udp?endpoint=127.0.0.1:40123|so-sndbuf=64k");
        assert_eq!((spec.connect, spec.send_buffer), (Some(address("127.0.0.1:40123")), 65_536));
        let (spec, _) = planned(Side::Send, "aeron:udp?control=127.0.0.1:9|control-mode=dynamic");
        assert_eq!((spec.bind, spec.connect), (address("127.0.0.1:9"), None));
    }

    #[test]
    fn a_subscription_is_bound_to_its_endpoint() {
        let (spec, channel) = planned(Side::Receive, "aeron:udp?endpoint=127.0.0.1:40123");
        assert_eq!((spec.bind, spec.connect), (address("127.0.0.1:40123"), None));
        assert_eq!(channel.answer_address(), None);
        let (_, channel) = planned(Side::Receive, "aeron:udp?endpoint=127.0.0.1:0|control=127.0.0.1:9");
        assert_eq!(channel.answer_address(), Some(address("127.0.0.1:9")));
    }

    /// Trap 61: a socket that cannot hold the window that its channel states is not opened.
    #[test]
    fn wire_trap_61_a_window_must_fit_into_the_sockets_buffer() {
        let opened = |rcv_wnd| {
            let channel = format!("aeron:udp?endpoint=127.0.0.1:0|so-rcvbuf=64k|rcv-wnd={rcv_wnd}");
            let channel = Box::new(resolved(Side::Receive, &channel).unwrap());
            let bind = channel.bind_address();
            let request =
                OpenEndpoint { id: EndpointId::new(1), side: Side::Receive, channel, bind, subscription: None };
            open(&request, &SocketDefaults { connect: true, ..SocketDefaults::default() })
        };
        assert!(opened("64k").is_ok());
        let refusal = opened("128k").unwrap_err().to_string();
        assert!(refusal.contains("65536") && refusal.contains("so-rcvbuf"), "{refusal}");
    }

    /// The sockets of a subscription's places are as the subscription says.
    #[test]
    fn places_have_their_subscriptions_options() {
        let stated = "so-rcvbuf=64k|so-tos=184|rcv-wnd=64k|media-rcv-ts-offset=0";
        let subscription = resolved(Side::Receive, &format!("aeron:udp?control-mode=manual|{stated}")).unwrap();
        let channel = Box::new(resolved(Side::Receive, "aeron:udp?endpoint=127.0.0.1:0").unwrap());
        let bind = channel.bind_address();
        let id = EndpointId::new(1);
        let subscription = Some(Arc::new(subscription));
        let request = OpenEndpoint { id, side: Side::Receive, channel, bind, subscription };
        let spec = plan(&request, &SocketDefaults::default());
        assert_eq!((spec.bind, spec.receive_buffer), (address("127.0.0.1:0"), 65_536));
        assert_eq!((spec.type_of_service, spec.receive_timestamps), (Some(184), true));
    }

    /// Trap 57: a multicast receiver says what it says to the control group.
    #[test]
    fn wire_trap_57_multicast_receivers_answer_to_the_control_group() {
        let channel = "aeron:udp?endpoint=224.20.30.39:21300|interface=127.0.0.1";
        let (spec, found) = planned(Side::Receive, channel);
        assert_eq!(spec.group.map(|group| group.address), Some(address("224.20.30.39:21300")));
        assert_eq!((found.answer_address(), found.is_multicast()), (Some(address("224.20.30.40:21300")), true));
        let (spec, found) = planned(Side::Send, channel);
        assert_eq!(spec.group.map(|group| group.address), Some(address("224.20.30.40:21300")));
        assert_eq!(found.remote_data(), address("224.20.30.39:21300"));
    }

    #[test]
    fn the_system_is_asked_for_what_else_is_not_known() {
        let uri = Box::new(ChannelUri::parse("aeron:udp?endpoint=localhost:9|control=known:8").unwrap());
        let leads = vec![("known".to_owned(), Lead::Address([127, 0, 0, 1].into()))];
        let id = LookupId::new(1);
        let asked = RefCell::new(Vec::new());
        let request = ResolveChannel { id, uri, usage: Usage::Publication, unique: 1, leads };
        assert!(request.asks_system());
        let channel = resolve(&request, |name| {
            asked.borrow_mut().push(name.to_owned());
            resolver::timed(name).0
        })
        .unwrap();
        assert_eq!((channel.remote_data(), channel.local()), (address("127.0.0.1:9"), address("127.0.0.1:8")));
        assert_eq!(asked.into_inner(), ["localhost"]);
    }

    #[test]
    fn what_means_nothing_is_refused_with_its_reason() {
        for (channel, reason) in [
            ("aeron:udp?endpoint=224.0.1.2:40123", "odd"),
            ("aeron:udp?endpoint=127.0.0.1:1|interface={no-such-0}", "no-such-0"),
            ("aeron:udp?endpoint=no.such.host.invalid:1", "no.such.host.invalid"),
        ] {
            let error = resolved(Side::Send, channel).unwrap_err();
            assert!(error.to_string().contains(reason), "{channel}: {error}");
        }
    }
}
