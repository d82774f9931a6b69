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

/// One endpoint.
#[derive(Debug)]
pub(in crate::conductor) struct Endpoint {
    pub(in crate::conductor) id: EndpointId,
    pub(in crate::conductor) side: Side,
    pub(in crate::conductor) channel: Arc<UdpChannel>,
    /// Its name among all receivers of a stream; 0 for the sender's.
    pub(in crate::conductor) receiver_id: i64,
    /// `snd-channel` or `rcv-channel`.
    pub(in crate::conductor) status: CounterId,
    /// `mdc-num-dest`, if it has many.
    pub(in crate::conductor) destinations: Option<CounterId>,
    /// Those that were added.
    pub(in crate::conductor) added: Vec<AddedDestination>,
    pub(in crate::conductor) sockets: Vec<Socket>,
}

/// A destination that was added to an endpoint.
#[derive(Debug)]
pub(in crate::conductor) struct AddedDestination {
    /// The command that added it.
    pub(in crate::conductor) id: RegistrationId,
    /// Where it is, as the command says.
    pub(in crate::conductor) stated: Option<HostAndPort>,
    /// Where that is, once it is known.
    pub(in crate::conductor) address: Option<SocketAddr>,
}

/// One of an endpoint's sockets: the only one has the endpoint's name and channel.
#[derive(Debug)]
pub(in crate::conductor) struct Socket {
    pub(in crate::conductor) id: EndpointId,
    pub(in crate::conductor) channel: Arc<UdpChannel>,
    /// What it is bound to.
    pub(in crate::conductor) bound: SocketAddr,
    /// The port that the manager of ports gave, if it did.
    pub(in crate::conductor) port: Option<TakenPort>,
    /// `snd-local-sockaddr` or `rcv-local-sockaddr`.
    pub(in crate::conductor) local: CounterId,
}

impl Socket {
    /// Whether it has the port that another is to have: groups share theirs, and are bound to every address.
    pub(super) fn is_in_the_way_of(&self, other: &OpenEndpoint) -> bool {
        let (bound, wanted, is_group) = (self.bound, other.bind, other.channel.is_multicast());
        bound.port() == wanted.port()
            && (bound.ip() == wanted.ip() || bound.ip().is_unspecified() || wanted.ip().is_unspecified() || is_group)
            && !(self.channel.is_multicast() && is_group)
    }
}

/// The names of endpoints and of sockets, given one after the other.
#[derive(Debug, Default)]
pub(in crate::conductor) struct EndpointIds {
    last: u32,
    /// Whether all were given once.
    come_again: bool,
}

impl EndpointIds {
    /// One that is not taken. After four billion they come round again, and what is still there has kept its own.
    pub(super) fn draw(&mut self, is_taken: impl Fn(EndpointId) -> bool) -> EndpointId {
        loop {
            // What the driver gossips through is number 0.
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
    /// Whether what comes through one of its sockets is sent to a group.
    pub(in crate::conductor) fn is_multicast(&self, socket: EndpointId) -> bool {
        self.sockets.iter().any(|found| found.id == socket && found.channel.is_multicast())
    }

    /// How far what leaves through one of its sockets may go, in hops; 0 where that is not stated.
    pub(in crate::conductor) fn ttl(&self, socket: EndpointId) -> i32 {
        let found = self.sockets.iter().find(|found| found.id == socket);
        found.and_then(|found| found.channel.params().ttl).map_or(0, i32::from)
    }
}

/// What is stated of times in frames must be what the endpoint has.
fn check_stamps(new: &ChannelParams, old: &ChannelParams) -> Result<(), CommandError> {
    let keys = [
        ("media-rcv-ts-offset", new.media_rcv_ts_offset, old.media_rcv_ts_offset),
        ("channel-rcv-ts-offset", new.channel_rcv_ts_offset, old.channel_rcv_ts_offset),
        ("channel-snd-ts-offset", new.channel_snd_ts_offset, old.channel_snd_ts_offset),
    ];
    match keys.into_iter().find(|(_, stated, existing)| stated.is_some() && stated != existing) {
        Some((key, ..)) => Err(CommandError::StampClash { key }),
        None => Ok(()),
    }
}

/// Whether a channel of a subscription is one of many places, which are added one by one.
pub(super) fn is_manual(channel: &UdpChannel) -> bool {
    channel.params().control_mode == Some(ControlMode::Manual)
}

/// The first length that says anything: 0 leaves it to whoever comes next.
fn first_of(lengths: impl IntoIterator<Item = u64>) -> Option<u64> {
    lengths.into_iter().find(|bytes| *bytes > 0)
}

impl Core {
    /// The endpoint that is there for a channel, if any.
    pub(super) fn find_endpoint(&self, side: Side, channel: &UdpChannel) -> Result<Option<EndpointId>, CommandError> {
        for endpoint in self.network.endpoints.iter().filter(|endpoint| endpoint.side == side) {
            if channel.shares_endpoint_with(&endpoint.channel)? {
                self.check_buffers(channel, &endpoint.channel)?;
                check_stamps(channel.params(), endpoint.channel.params())?;
                return Ok(Some(endpoint.id));
            }
        }
        for endpoint in self.network.closing.iter().filter(|endpoint| endpoint.side == side) {
            if matches!(channel.shares_endpoint_with(&endpoint.channel), Ok(true)) {
                return Err(CommandError::Closing);
            }
        }
        Ok(None)
    }

    /// What is stated of sockets must be what the endpoint was opened with.
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

    /// Refuses datagrams that the send buffer has no room for. As in the reference what counts is what was asked for, not what the
    /// system gave: by the endpoint that is there, else by the channel, else by the driver; else it is the system's default, if known.
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

    /// Refuses windows that the receive buffer has no room for (trap 61), as above.
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

    /// What is asked for a socket's buffer by the endpoint that is there, else by the channel.
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

    /// Asks for a socket, whose port is managed where the channel leaves it open. Returns the port that was
    /// taken for it, if one was.
    pub(super) fn ask_for_socket(
        &mut self,
        id: EndpointId,
        side: Side,
        channel: &Arc<UdpChannel>,
        subscription: Option<Arc<UdpChannel>>,
    ) -> Result<Option<TakenPort>, CommandError> {
        let wanted = channel.bind_address();
        // As in the reference: what only sends has a port of the system's choice, unless it states where it is controlled.
        let is_managed = side == Side::Receive || channel.has_explicit_control();
        let (bind, port) = if is_managed { self.network.ports_mut(side).take(wanted)? } else { (wanted, None) };
        let channel = Box::new(UdpChannel::clone(channel));
        self.network.requests.push_back(Request::OpenEndpoint(OpenEndpoint { id, side, channel, bind, subscription }));
        Ok(port)
    }

    /// A socket is not used any more, or could not be made known.
    pub(super) fn close_socket(&mut self, side: Side, id: EndpointId) {
        self.network.requests.push_back(Request::CloseEndpoint(side, id));
    }

    /// The counter of a socket's local address.
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

    /// The counter of an endpoint's status; `local` is what its only socket is bound to.
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

    /// Makes a socket of a receive endpoint known to the receiver.
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

    /// Closes an endpoint that nobody uses any more.
    pub(in crate::conductor) fn close_endpoint_if_unused(&mut self, id: EndpointId) {
        if self.network.is_used(id, self.subscriptions.iter()) || self.awaiting_logs.uses(id) {
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
            self.counters.show_closing(socket.local);
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

    /// The transport has let go of a socket.
    pub(in crate::conductor) fn on_endpoint_closed(&mut self, id: EndpointId) {
        let network = &mut self.network;
        let mut gone = Vec::new();
        for endpoint in &mut network.closing {
            let side = endpoint.side;
            gone.extend(endpoint.sockets.extract_if(.., |socket| socket.id == id).map(|socket| (side, socket)));
        }
        gone.extend(network.closing_sockets.extract_if(.., |socket| socket.id == id).map(|it| (Side::Receive, it)));
        for (side, socket) in gone {
            if let Some(port) = socket.port {
                network.ports_mut(side).give_back(port);
            }
            self.counters.free(self.now.epoch, socket.local);
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
