//! The sockets that a channel needs, for sending and for receiving.

use std::net::SocketAddr;

use super::UdpChannel;
use super::sockets::{EndpointSpec, Group};

/// The driver's default socket settings, for channels that do not state them. 0 leaves a setting to the operating
/// system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketDefaults {
    /// The send buffer, in bytes.
    pub send_buffer: usize,
    /// The receive buffer, in bytes.
    pub receive_buffer: usize,
    /// The type of service. `None` leaves it to the operating system.
    pub type_of_service: Option<u8>,
    /// The time to live of multicast datagrams.
    pub multicast_ttl: u8,
    /// Whether a publication with a single endpoint address connects its socket to it.
    pub connect: bool,
}

impl UdpChannel {
    /// The sockets of a publication's endpoint. They are bound to `bind`: the publication's local address, with a port
    /// of the managed range if it had port 0.
    ///
    /// The socket of a publication with one receiver or one group is connected to it. The kernel then drops datagrams
    /// from elsewhere, and looks up the route only once. A publication with several destinations, or one that responds
    /// to requests, sends to addresses that it learns.
    pub fn send_endpoint(&self, bind: SocketAddr, defaults: &SocketDefaults) -> EndpointSpec {
        let has_one_target = !self.is_multi_destination() && !self.is_response() && self.params().endpoint.is_some();
        EndpointSpec {
            bind,
            connect: (has_one_target && defaults.connect).then_some(self.remote_data),
            group: self.group(self.remote_control, defaults),
            ..self.socket_options(defaults)
        }
    }

    /// The sockets of a subscription's endpoint, or of one of its destinations. They are bound to `bind`: the address
    /// for data, with a port of the managed range if it had port 0. See [`UdpChannel::remote_data`].
    pub fn receive_endpoint(&self, bind: SocketAddr, defaults: &SocketDefaults) -> EndpointSpec {
        EndpointSpec {
            bind,
            connect: None,
            group: self.group(self.remote_data, defaults),
            receive_timestamps: self.params().media_rcv_ts_offset.is_some(),
            ..self.socket_options(defaults)
        }
    }

    fn group(&self, joined: SocketAddr, defaults: &SocketDefaults) -> Option<Group> {
        let ttl = self.params().ttl.unwrap_or(defaults.multicast_ttl);
        self.is_multicast.then_some(Group { address: joined, interface: self.interface, ttl })
    }

    /// The channel's socket settings, completed by the defaults.
    pub fn socket_options(&self, defaults: &SocketDefaults) -> EndpointSpec {
        let bytes = |stated: Option<u64>, default| match stated {
            Some(bytes) if bytes > 0 => usize::try_from(bytes).unwrap_or(usize::MAX),
            _ => default,
        };
        EndpointSpec {
            send_buffer: bytes(self.params().so_sndbuf, defaults.send_buffer),
            receive_buffer: bytes(self.params().so_rcvbuf, defaults.receive_buffer),
            type_of_service: self.params().so_tos.or(defaults.type_of_service),
            ..EndpointSpec::unicast(self.local)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Usage;
    use crate::channel::udp_channel::tests::{channel, publication};

    const DEFAULTS: SocketDefaults = SocketDefaults {
        send_buffer: 0,
        receive_buffer: 131_072,
        type_of_service: None,
        multicast_ttl: 0,
        connect: true,
    };

    fn sends(text: &str) -> EndpointSpec {
        let channel = publication(text);
        channel.send_endpoint(channel.local(), &DEFAULTS)
    }

    fn receives(text: &str) -> EndpointSpec {
        let channel = channel(Usage::Subscription, text).unwrap();
        channel.receive_endpoint(channel.remote_data(), &DEFAULTS)
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn publications() {
        let unicast = sends("aeron:udp?endpoint=localhost:9");
        assert_eq!((unicast.bind, unicast.connect, unicast.group), (at("0.0.0.0:0"), Some(at("127.0.0.1:9")), None));
        let from = sends("aeron:udp?endpoint=localhost:9|control=localhost:8");
        assert_eq!((from.bind, from.connect), (at("127.0.0.1:8"), Some(at("127.0.0.1:9"))));
        let dynamic = sends("aeron:udp?control=localhost:8|control-mode=dynamic");
        assert_eq!((dynamic.bind, dynamic.connect), (at("127.0.0.1:8"), None));
        let manual = sends("aeron:udp?control-mode=manual");
        assert_eq!((manual.bind, manual.connect), (at("0.0.0.0:0"), None));
        let response = sends("aeron:udp?control=localhost:8|control-mode=response|response-correlation-id=1");
        assert_eq!((response.bind, response.connect), (at("127.0.0.1:8"), None));
        let multicast = sends("aeron:udp?endpoint=224.20.30.39:21300|ttl=4|interface=localhost");
        let group = multicast.group.unwrap();
        assert_eq!(multicast.connect, Some(at("224.20.30.39:21300")));
        assert_eq!((group.address, group.ttl), (at("224.20.30.40:21300"), 4));
        assert_eq!(group.interface.address.to_string(), "127.0.0.1");
        let channel = publication("aeron:udp?endpoint=localhost:9");
        let unconnected = channel.send_endpoint(channel.local(), &SocketDefaults { connect: false, ..DEFAULTS });
        assert_eq!(unconnected.connect, None);
    }

    #[test]
    fn subscriptions() {
        let unicast = receives("aeron:udp?endpoint=localhost:9");
        assert_eq!((unicast.bind, unicast.connect, unicast.group), (at("127.0.0.1:9"), None, None));
        let registering = receives("aeron:udp?endpoint=localhost:0|control=localhost:8");
        assert_eq!(registering.bind, at("127.0.0.1:0"));
        let multicast = receives("aeron:udp?endpoint=224.20.30.39:21300");
        assert_eq!(multicast.group.unwrap().address, at("224.20.30.39:21300"));
        assert_eq!(multicast.connect, None);
        assert!(receives("aeron:udp?endpoint=localhost:9|media-rcv-ts-offset=reserved").receive_timestamps);
    }

    #[test]
    fn buffers_are_the_channels_or_the_drivers() {
        let default = sends("aeron:udp?endpoint=localhost:9");
        assert_eq!((default.send_buffer, default.receive_buffer), (0, 131_072));
        let stated = sends("aeron:udp?endpoint=localhost:9|so-sndbuf=64k|so-rcvbuf=2m|so-tos=184");
        assert_eq!((default.type_of_service, stated.type_of_service), (None, Some(184)));
        assert_eq!((stated.send_buffer, stated.receive_buffer), (65_536, 2 << 20));
    }
}
