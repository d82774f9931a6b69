//! The endpoints that the conductor knows of: which channel each is of, who uses it, and its counters. Publications share a send
//! endpoint and subscriptions a receive endpoint when their channels are spelled alike.

use gannet::channel_uri::{ChannelParams, ControlMode};
use gannet::types::CounterId;

use crate::mailbox::{EndpointAddresses, EndpointId, Side};

/// What makes two channels the same endpoint: how their addresses are spelled. One that leaves its port to the system is its own,
/// unless a tag names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::conductor) struct ChannelKey {
    side: Side,
    endpoint: Option<Box<str>>,
    control: Option<Box<str>>,
    interface: Option<Box<str>>,
    control_mode: Option<ControlMode>,
    tag: Option<i64>,
    /// Different for each channel that cannot be shared.
    own: Option<EndpointId>,
}

impl ChannelKey {
    /// The key of a channel. `id` is the name that its endpoint would get.
    pub(in crate::conductor) fn new(side: Side, params: &ChannelParams, id: EndpointId) -> Self {
        let address = |address: &Option<gannet::channel_uri::HostAndPort>| {
            address.as_ref().map(|address| Box::from(address.text()))
        };
        let tag = params.tags.and_then(|tags| tags.channel);
        let ports = [&params.endpoint, &params.control].map(|address| address.as_ref().map(|found| found.port()));
        let is_wildcard = ports.contains(&Some(0)) || ports == [None, None];
        Self {
            side,
            endpoint: address(&params.endpoint),
            control: address(&params.control),
            interface: params.interface.as_ref().map(|interface| Box::from(interface.text())),
            control_mode: params.control_mode.clone(),
            tag,
            own: (is_wildcard && tag.is_none()).then_some(id),
        }
    }
}

/// One endpoint.
#[derive(Debug)]
pub(in crate::conductor) struct Endpoint {
    pub(in crate::conductor) id: EndpointId,
    pub(in crate::conductor) side: Side,
    pub(in crate::conductor) key: ChannelKey,
    pub(in crate::conductor) addresses: EndpointAddresses,
    /// Its name among all receivers of a stream; 0 for the sender's.
    pub(in crate::conductor) receiver_id: i64,
    /// `snd-channel` or `rcv-channel`.
    pub(in crate::conductor) status: CounterId,
    /// `snd-local-sockaddr` or `rcv-local-sockaddr`.
    pub(in crate::conductor) local: CounterId,
}

#[cfg(test)]
mod tests {
    use super::*;
    use gannet::channel_uri::ChannelUri;

    fn key(side: Side, channel: &str, id: u32) -> ChannelKey {
        ChannelKey::new(side, ChannelUri::parse(channel).unwrap().params(), EndpointId::new(id))
    }

    #[test]
    fn channels_that_are_spelled_alike_share() {
        let send = |channel: &str, id| key(Side::Send, channel, id);
        let one = send("aeron:udp?endpoint=localhost:9090", 1);
        assert_eq!(one, send("aeron:udp?endpoint=localhost:9090|mtu=8k|alias=x", 2));
        assert_ne!(one, send("aeron:udp?endpoint=127.0.0.1:9090", 2), "another spelling is another channel");
        assert_ne!(one, key(Side::Receive, "aeron:udp?endpoint=localhost:9090", 1));
        let wildcard = "aeron:udp?endpoint=localhost:0";
        assert_ne!(send(wildcard, 1), send(wildcard, 2));
        let tagged = "aeron:udp?endpoint=localhost:0|tags=7";
        assert_eq!(send(tagged, 1), send(tagged, 2));
    }
}
