//! The conductor's endpoints: the channel of each, its sockets, its users and its counters. Publications share a send
//! endpoint, and subscriptions a receive endpoint. The endpoint of a subscription that listens at several places has
//! one socket for each, and none at first.

use std::net::SocketAddr;
use std::sync::Arc;

use gannet::channel_uri::{ChannelParams, ControlMode, HostAndPort};
use gannet::counters::{ChannelCounter, SockaddrCounter};
use gannet::types::{CounterId, Mtu, RegistrationId};

use crate::channel::{TakenPort, UdpChannel};
use crate::conductor::Core;
use crate::conductor::error::CommandError;
use crate::mailbox::{EndpointId, NewReceiveTransport, OpenEndpoint, ReceiverCommand, Request, SenderCommand, Side};

/// An endpoint.
#[derive(Debug)]
pub(in crate::conductor) struct Endpoint {
    pub(in crate::conductor) id: EndpointId,
    pub(in crate::conductor) side: Side,
    pub(in crate::conductor) channel: Arc<UdpChannel>,
    /// Its receiver id. 0 for a send endpoint.
    pub(in crate::conductor) receiver_id: i64,
    /// `snd-channel` or `rcv-channel`.
    pub(in crate::conductor) status: CounterId,
    /// `mdc-num-dest`, if it has several destinations.
    pub(in crate::conductor) destinations: Option<CounterId>,
    /// The destinations that were added.
    pub(in crate::conductor) added: Vec<AddedDestination>,
    pub(in crate::conductor) sockets: Vec<Socket>,
}

/// A destination that was added to an endpoint.
#[derive(Debug)]
pub(in crate::conductor) struct AddedDestination {
    /// The registration id: the correlation id of the command that added it.
    pub(in crate::conductor) id: RegistrationId,
    /// The address in the command.
    pub(in crate::conductor) stated: Option<HostAndPort>,
    /// The resolved address, once known.
    pub(in crate::conductor) address: Option<SocketAddr>,
}

/// One of an endpoint's sockets. An only socket has the endpoint's id and channel.
#[derive(Debug)]
pub(in crate::conductor) struct Socket {
    pub(in crate::conductor) id: EndpointId,
    pub(in crate::conductor) channel: Arc<UdpChannel>,
    /// The address to which it is bound.
    pub(in crate::conductor) bound: SocketAddr,
    /// The managed port, if it has one.
    pub(in crate::conductor) port: Option<TakenPort>,
    /// `snd-local-sockaddr` or `rcv-local-sockaddr`. `None` if the socket could not be registered.
    pub(in crate::conductor) local: Option<CounterId>,
}

impl Socket {
    /// Whether it occupies the port that another socket needs. Sockets of groups share their port, and are bound to all
    /// addresses.
    pub(super) fn is_in_the_way_of(&self, other: &OpenEndpoint) -> bool {
        let (bound, wanted, is_group) = (self.bound, other.bind, other.channel.is_multicast());
        bound.port() == wanted.port()
            && (bound.ip() == wanted.ip() || bound.ip().is_unspecified() || wanted.ip().is_unspecified() || is_group)
            && !(self.channel.is_multicast() && is_group)
    }
}

/// Assigns the ids of endpoints and sockets.
#[derive(Debug, Default)]
pub(in crate::conductor) struct EndpointIds {
    last: u32,
    /// Whether all ids were used once.
    come_again: bool,
}

impl EndpointIds {
    /// An unused id. Ids repeat after four billion, and existing endpoints keep theirs.
    pub(super) fn draw(&mut self, is_taken: impl Fn(EndpointId) -> bool) -> EndpointId {
        loop {
            // The endpoint for name resolution has id 0.
            self.come_again |= self.last == u32::MAX;
            self.last = self.last.wrapping_add(1).max(1);
            let id = EndpointId::new(self.last);
            if !self.come_again || !is_taken(id) {
                return id;
            }
        }
    }
}

impl Endpoint {
    /// Whether one of its sockets receives a multicast group.
    pub(in crate::conductor) fn is_multicast(&self, socket: EndpointId) -> bool {
        self.sockets.iter().any(|found| found.id == socket && found.channel.is_multicast())
    }

    /// The TTL of datagrams from one of its sockets. 0 if not stated.
    pub(in crate::conductor) fn ttl(&self, socket: EndpointId) -> i32 {
        let found = self.sockets.iter().find(|found| found.id == socket);
        found.and_then(|found| found.channel.params().ttl).map_or(0, i32::from)
    }
}

/// Checks that the channel has the endpoint's control mode, which decides where a publication sends and whether a
/// subscription has a socket. A tag may stand for any mode, and is compared where it is looked up.
fn check_mode(side: Side, new: &UdpChannel, old: &UdpChannel) -> Result<(), CommandError> {
    let mode = |channel: &UdpChannel| match channel.control_mode() {
        // Subscriptions register at a control address whatever the mode.
        Some(ControlMode::Dynamic | ControlMode::Response) if side == Side::Receive => None,
        mode => mode.cloned(),
    };
    let is_by_tag = new.tag().is_some() && new.tag() == old.tag();
    if is_by_tag || mode(new) == mode(old) { Ok(()) } else { Err(CommandError::EndpointClash { key: "control-mode" }) }
}

/// Checks that the channel's timestamp offsets are those of the endpoint, which writes the times into all messages that
/// it sends or receives. So a channel that states none does not match an endpoint that has one.
fn check_stamps(side: Side, new: &ChannelParams, old: &ChannelParams) -> Result<(), CommandError> {
    let sent = ("channel-snd-ts-offset", new.channel_snd_ts_offset, old.channel_snd_ts_offset);
    let received = [
        ("media-rcv-ts-offset", new.media_rcv_ts_offset, old.media_rcv_ts_offset),
        ("channel-rcv-ts-offset", new.channel_rcv_ts_offset, old.channel_rcv_ts_offset),
    ];
    let keys = match side {
        Side::Send => &[sent][..],
        Side::Receive => &received,
    };
    match keys.iter().find(|(_, stated, existing)| stated != existing) {
        Some((key, ..)) => Err(CommandError::EndpointClash { key }),
        None => Ok(()),
    }
}

/// Whether this is the channel of a subscription whose destinations are added one by one.
pub(super) fn is_manual(channel: &UdpChannel) -> bool {
    channel.params().control_mode == Some(ControlMode::Manual)
}

/// The first length that is not 0. 0 means that the next one applies.
fn first_of(lengths: impl IntoIterator<Item = u64>) -> Option<u64> {
    lengths.into_iter().find(|bytes| *bytes > 0)
}

impl Core {
    /// The existing endpoint for a channel, if there is one: that with its tag, or else one with its canonical form.
    pub(super) fn find_endpoint(&self, side: Side, channel: &UdpChannel) -> Result<Option<EndpointId>, CommandError> {
        let open = self.network.endpoints.iter().map(|endpoint| (endpoint, false));
        let closing = self.network.closing.iter().map(|endpoint| (endpoint, true));
        let all = open.chain(closing).filter(|(endpoint, _)| endpoint.side == side);
        let has_tag = |endpoint: &Endpoint| channel.tag().is_some() && endpoint.channel.tag() == channel.tag();
        let tagged = all.clone().filter(|(endpoint, _)| has_tag(endpoint));
        for (endpoint, is_closing) in tagged.chain(all.filter(|(endpoint, _)| !has_tag(endpoint))) {
            let is_shared = channel.shares_endpoint_with(&endpoint.channel);
            if is_closing {
                if matches!(is_shared, Ok(true)) {
                    return Err(CommandError::Closing);
                }
            } else if is_shared? {
                check_mode(side, channel, &endpoint.channel)?;
                self.check_buffers(channel, &endpoint.channel)?;
                check_stamps(side, channel.params(), endpoint.channel.params())?;
                return Ok(Some(endpoint.id));
            }
        }
        Ok(None)
    }

    /// Checks that the channel's socket settings are those with which the endpoint was opened.
    fn check_buffers(&self, channel: &UdpChannel, existing: &UdpChannel) -> Result<(), CommandError> {
        let (new, old) = (channel.params(), existing.params());
        let keys = [("so-sndbuf", new.so_sndbuf, old.so_sndbuf), ("so-rcvbuf", new.so_rcvbuf, old.so_rcvbuf)];
        let keys = keys.map(|(key, stated, existing)| (key, stated.filter(|stated| *stated > 0), existing));
        let tos = ("so-tos", new.so_tos.map(u64::from), old.so_tos.map(u64::from));
        for (key, stated, existing) in keys.into_iter().chain([tos]) {
            if stated.is_some() && stated != existing {
                let show = |value: Option<u64>| value.map_or(0, |value| i64::try_from(value).unwrap_or(i64::MAX));
                return Err(CommandError::Mismatch { key, stated: show(stated), existing: show(existing) });
            }
        }
        Ok(())
    }

    /// Refuses an MTU that exceeds the send buffer. As in the reference, the requested size counts, not the actual one:
    /// the endpoint's if it exists, else the channel's, else the driver's default, else the operating system's default
    /// if known.
    pub(super) fn check_send_buffer(
        &self,
        mtu: Mtu,
        channel: &UdpChannel,
        existing: Option<EndpointId>,
    ) -> Result<(), CommandError> {
        let asked = self.asked_buffer(channel, existing, |params| params.so_sndbuf);
        let system = u64::try_from(self.config.logs.default_socket_sndbuf).unwrap_or(0);
        let mtu = u64::from(mtu.get().unsigned_abs());
        match asked.or_else(|| first_of([self.config.network.send_buffer, system])) {
            Some(buffer) if mtu > buffer => Err(CommandError::SendBuffer { mtu, buffer }),
            _ => Ok(()),
        }
    }

    /// Refuses a window that exceeds the receive buffer (trap 61), as above.
    pub(super) fn check_receive_buffer(
        &self,
        window: i32,
        channel: &UdpChannel,
        existing: Option<EndpointId>,
    ) -> Result<(), CommandError> {
        let asked = self.asked_buffer(channel, existing, |params| params.so_rcvbuf);
        let system = u64::try_from(self.config.logs.default_socket_rcvbuf).unwrap_or(0);
        let window = u64::from(window.unsigned_abs());
        match asked.or_else(|| first_of([self.config.network.receive_buffer, system])) {
            Some(buffer) if window > buffer => Err(CommandError::ReceiveBuffer { window, buffer }),
            _ => Ok(()),
        }
    }

    /// The requested socket buffer: the endpoint's if it exists, else the channel's.
    fn asked_buffer(
        &self,
        channel: &UdpChannel,
        existing: Option<EndpointId>,
        stated: impl Fn(&ChannelParams) -> Option<u64>,
    ) -> Option<u64> {
        let existing = existing.and_then(|id| self.network.endpoint(id)).map(|endpoint| &*endpoint.channel);
        let channels = existing.into_iter().chain([channel]);
        first_of(channels.filter_map(|channel| stated(channel.params())))
    }

    /// Requests a socket. If the channel has port 0, the port is managed. Returns the port that was taken, if there is
    /// one.
    pub(super) fn ask_for_socket(
        &mut self,
        id: EndpointId,
        side: Side,
        channel: &Arc<UdpChannel>,
        subscription: Option<Arc<UdpChannel>>,
    ) -> Result<Option<TakenPort>, CommandError> {
        let wanted = channel.bind_address();
        // As in the reference, a socket that only sends uses a port of the operating system's choice, unless the
        // channel has a control address.
        let is_managed = side == Side::Receive || channel.has_explicit_control();
        let (bind, port) = if is_managed { self.network.ports_mut(side).take(wanted)? } else { (wanted, None) };
        let channel = Box::new(UdpChannel::clone(channel));
        self.network.requests.push_back(Request::OpenEndpoint(OpenEndpoint { id, side, channel, bind, subscription }));
        Ok(port)
    }

    /// Closes a socket that is not used any more.
    pub(super) fn close_socket(&mut self, side: Side, id: EndpointId) {
        self.network.requests.push_back(Request::CloseEndpoint(side, id));
    }

    /// Allocates the counter of a socket's local address.
    pub(super) fn allocate_local(
        &mut self,
        side: Side,
        status: CounterId,
        registration_id: RegistrationId,
        local: SocketAddr,
    ) -> Result<CounterId, CommandError> {
        let kind = match side {
            Side::Send => SockaddrCounter::Send,
            Side::Receive => SockaddrCounter::Receive,
        };
        self.counters.allocate_for_socket(self.now.epoch, kind, status, registration_id, local)
    }

    /// Allocates the status counter of an endpoint. `local` is the address of its only socket.
    pub(super) fn allocate_status(
        &mut self,
        side: Side,
        channel: &str,
        registration_id: RegistrationId,
        local: Option<SocketAddr>,
    ) -> Result<CounterId, CommandError> {
        let kind = match side {
            Side::Send => ChannelCounter::SendStatus,
            Side::Receive => ChannelCounter::ReceiveStatus,
        };
        self.counters.allocate_for_endpoint(self.now.epoch, kind, channel, registration_id, local)
    }

    /// Registers a socket of a receive endpoint with the receiver.
    pub(super) fn add_transport(&mut self, endpoint: EndpointId, socket: EndpointId, channel: &UdpChannel) {
        self.network.to_receiver.push_back(ReceiverCommand::AddTransport(
            endpoint,
            NewReceiveTransport {
                id: socket,
                control: channel.answer_address(),
                registers: channel.explicit_control().is_some(),
            },
        ));
    }

    /// Closes an endpoint without users.
    pub(in crate::conductor) fn close_endpoint_if_unused(&mut self, id: EndpointId) {
        if self.subscriptions.uses(id) || self.awaiting_logs.uses(id) || self.network.is_used(id) {
            return;
        }
        let Some(index) = self.network.endpoints.iter().position(|endpoint| endpoint.id == id) else { return };
        let endpoint = self.network.endpoints.remove(index);
        self.network.names.remove(|place| place.endpoint() == id);
        self.network.refusals.forget(id);
        match endpoint.side {
            Side::Send => self.network.to_sender.push_back(SenderCommand::RemoveEndpoint(id)),
            Side::Receive => self.network.to_receiver.push_back(ReceiverCommand::RemoveEndpoint(id)),
        }
        self.counters.show_closing(endpoint.status);
        for socket in &endpoint.sockets {
            socket.local.into_iter().for_each(|local| self.counters.show_closing(local));
            self.close_socket(endpoint.side, socket.id);
        }
        if let Some(destinations) = endpoint.destinations {
            self.counters.free(self.now.epoch, destinations);
        }
        if endpoint.sockets.is_empty() {
            self.counters.free(self.now.epoch, endpoint.status);
        } else {
            self.network.closing.push(endpoint);
        }
    }

    /// Handles a socket that the transport has closed.
    pub(in crate::conductor) fn on_endpoint_closed(&mut self, id: EndpointId) {
        let network = &mut self.network;
        let mut gone = Vec::new();
        for endpoint in &mut network.closing {
            let side = endpoint.side;
            gone.extend(endpoint.sockets.extract_if(.., |socket| socket.id == id).map(|socket| (side, socket)));
        }
        gone.extend(network.closing_sockets.extract_if(.., |(_, socket)| socket.id == id));
        for (side, socket) in gone {
            if let Some(port) = socket.port {
                network.ports_mut(side).give_back(port);
            }
            socket.local.into_iter().for_each(|local| self.counters.free(self.now.epoch, local));
        }
        for endpoint in network.closing.extract_if(.., |endpoint| endpoint.sockets.is_empty()) {
            self.counters.free(self.now.epoch, endpoint.status);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_come_round_again_pass_over_those_that_are_taken() {
        let mut ids = EndpointIds { last: u32::MAX - 1, come_again: false };
        let drawn: Vec<_> = (0..4).map(|_| ids.draw(|id| [1, 3].contains(&id.get())).get()).collect();
        assert_eq!(drawn, [u32::MAX, 2, 4, 5]);
    }
}
