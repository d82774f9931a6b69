//! Names whose addresses change: the name of a peer that has been silent for five seconds is looked up again, off the
//! agents. Sender and receiver are asked from time to time which named peers are silent. If a name has a new address,
//! the agent uses that from then on.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use gannet::channel_uri::ChannelUri;
use gannet::command::ErrorCode;
use gannet::time::MonotonicNanos;

use super::Network;
use crate::channel::{UdpChannel, Usage, names};
use crate::conductor::Core;
use crate::conductor::events::clip;
use crate::conductor::reporting::MAX_REPORTED_CHANNEL;
use crate::mailbox::{
    EndpointError, EndpointId, LookupId, NamedPlace, ReceiverCommand, Request, ResolveChannel, SenderCommand, Side,
};

/// The endpoints and destinations whose addresses came from names.
#[derive(Debug, Default)]
pub(super) struct Names {
    all: HashMap<NamedPlace, Named>,
    /// The pending lookups.
    asked: HashMap<LookupId, NamedPlace>,
    next_check: Option<MonotonicNanos>,
}

#[derive(Debug)]
struct Named {
    uri: Box<ChannelUri>,
    usage: Usage,
    address: Option<SocketAddr>,
}

impl Names {
    /// Adds a place, if its channel has a name. `address` is the resolved address.
    pub(super) fn add(&mut self, place: NamedPlace, uri: &ChannelUri, usage: Usage, address: Option<SocketAddr>) {
        if names(uri).next().is_some() {
            self.all.insert(place, Named { uri: Box::new(uri.clone()), usage, address });
        }
    }

    /// Removes these places.
    pub(super) fn remove(&mut self, which: impl Fn(&NamedPlace) -> bool) {
        self.all.retain(|place, _| !which(place));
    }
}

/// The address of a channel that is resolved again: the one to which it sends, or at which it registers.
fn address_of(channel: &UdpChannel) -> Option<SocketAddr> {
    match channel.usage() {
        Usage::Publication | Usage::SendDestination => Some(channel.remote_data()),
        Usage::Subscription | Usage::ReceiveDestination => channel.explicit_control(),
    }
}

impl Core {
    /// Adds an endpoint or one of its sockets, if its address came from a name that may change.
    pub(super) fn remember_name(&mut self, side: Side, endpoint: EndpointId, socket: EndpointId, channel: &UdpChannel) {
        let place = match side {
            Side::Send if channel.has_group_semantics() || channel.is_response() => return,
            Side::Send => NamedPlace::Endpoint(endpoint),
            Side::Receive if channel.explicit_control().is_none() => return,
            Side::Receive => NamedPlace::Transport(endpoint, socket),
        };
        self.network.names.add(place, channel.uri(), channel.usage(), address_of(channel));
    }

    /// Periodically asks the agents which named peers are silent.
    pub(super) fn check_names(&mut self) {
        let interval_ns = self.config.network.re_resolution_interval_ns;
        let now = self.now.monotonic;
        let names = &mut self.network.names;
        if interval_ns == 0 || names.next_check.is_some_and(|due| now < due) {
            return;
        }
        names.next_check = Some(now.saturating_add_ns(interval_ns));
        for place in names.all.keys() {
            match place {
                NamedPlace::Endpoint(_) | NamedPlace::Destination(..) => {
                    self.network.to_sender.push_back(SenderCommand::TellIfSilent(*place));
                }
                NamedPlace::Transport(..) => {
                    self.network.to_receiver.push_back(ReceiverCommand::TellIfSilent(*place));
                }
            }
        }
    }

    /// Handles a silent peer.
    pub(super) fn on_silent(&mut self, place: NamedPlace) {
        if self.network.names.asked.values().any(|asked| *asked == place) {
            return;
        }
        let id = self.network.new_lookup_id();
        let Network { names, lookups, .. } = &mut self.network;
        let Some(named) = names.all.get(&place) else { return };
        names.asked.insert(id, place);
        let (uri, usage, leads) = (named.uri.clone(), named.usage, self.resolution.leads(&named.uri));
        lookups.ask(Request::ResolveChannel(ResolveChannel { id, uri, usage, unique: 0, leads }));
    }

    /// Handles the result of a repeated lookup. Returns whether it was one.
    pub(super) fn on_name_resolved(&mut self, id: LookupId, channel: &Result<Box<UdpChannel>, EndpointError>) -> bool {
        let Some(place) = self.network.names.asked.remove(&id) else { return false };
        self.network.lookups.on_other_answer();
        // The place may be gone meanwhile.
        let Some(named) = self.network.names.all.get_mut(&place) else { return true };
        let channel = match channel {
            Ok(channel) => channel,
            Err(error) => {
                let uri = named.uri.clone();
                self.report_unresolved(&uri, error);
                return true;
            }
        };
        let Some(address) = address_of(channel).filter(|address| named.address != Some(*address)) else { return true };
        named.address = Some(address);
        self.counters.on_resolution_change();
        // Channels that are resolved from now on are compared with it.
        if let NamedPlace::Endpoint(id) | NamedPlace::Transport(id, _) = place
            && let Some(found) = self.network.endpoint_mut(id)
            && found.channel.uri().text() == channel.uri().text()
        {
            found.channel = Arc::new(found.channel.resolved_again(channel));
        }
        match place {
            NamedPlace::Endpoint(endpoint) => {
                self.network.requests.push_back(Request::Reconnect(Side::Send, endpoint, address));
                self.network.to_sender.push_back(SenderCommand::MoveDestination(place, address));
            }
            NamedPlace::Destination(endpoint, id) => {
                if let Some(found) = self.network.endpoint_mut(endpoint) {
                    found
                        .added
                        .iter_mut()
                        .filter(|added| added.id == id)
                        .for_each(|added| added.address = Some(address));
                }
                self.network.to_sender.push_back(SenderCommand::MoveDestination(place, address));
            }
            NamedPlace::Transport(_, socket) => {
                self.network.to_receiver.push_back(ReceiverCommand::MoveControl(socket, address));
            }
        }
        true
    }

    /// Reports a name that does not resolve, and is looked up again until it does.
    pub(super) fn report_unresolved(&mut self, uri: &ChannelUri, error: &EndpointError) {
        let (code, channel) = (ErrorCode::UnknownHost.get(), clip(uri.text(), MAX_REPORTED_CHANNEL));
        self.report(&format!("({code}) {channel}: {error}; it is looked up again"));
    }

    /// Handles a failure to connect an endpoint to the new address of its name. Reports it if the endpoint still
    /// exists.
    pub(in crate::conductor) fn on_not_reconnected(&mut self, id: EndpointId, to: SocketAddr) {
        let channel = self.network.endpoint(id).map(|endpoint| endpoint.channel.uri().text().to_owned());
        if let Some(channel) = channel {
            self.report(&format!(
                "(11) {channel}: its name leads to {to} now, and the system does not connect its socket there: receivers are \
                 sent to, and not heard; add the publication anew"
            ));
        }
    }
}
