//! The steps of a command for a network stream: its channel is resolved, its socket opened, and then the publication,
//! subscription or destination made. A failure leaves nothing behind.

use std::net::SocketAddr;
use std::sync::Arc;

use gannet::channel_uri::ChannelUri;
use gannet::command::Text;
use gannet::types::{ClientId, CorrelationId};

use super::endpoints::{self, Endpoint, Socket};
use super::lookups::Answer;
use super::params;
use super::pending::{Pending, PendingNetwork};
use crate::channel::UdpChannel;
use crate::conductor::Core;
use crate::conductor::error::CommandError;
use crate::mailbox::{
    EndpointError, EndpointId, LookupId, NewReceiveEndpoint, ReceiveStamps, ReceiverCommand, Request, ResolveChannel,
    SenderCommand, Side,
};

impl Core {
    /// Starts waiting for a channel to be resolved. Refused if too many commands wait for names.
    pub(super) fn wait_for_channel(
        &mut self,
        (client_id, correlation_id): (ClientId, CorrelationId),
        uri: &ChannelUri,
        what: Pending,
    ) -> Result<(), CommandError> {
        let (endpoint, lookup) = (self.network.new_endpoint_id(), self.network.new_lookup_id());
        let uri = Box::new(uri.clone());
        let request = ResolveChannel {
            id: lookup,
            leads: self.resolution.leads(&uri),
            uri: uri.clone(),
            usage: what.usage(),
            unique: lookup.get(),
        };
        let (channel, port, is_wanted) = (None, None, true);
        let pending =
            PendingNetwork { client_id, correlation_id, lookup, uri, what, channel, endpoint, port, is_wanted };
        if request.asks_system() {
            if self.network.lookups.is_full() {
                return Err(CommandError::ManyWait { what: "commands" });
            }
            self.network.lookups.wait(pending, request);
        } else {
            self.network.requests.push_back(Request::ResolveChannel(request));
            self.network.pending = Some(pending);
        }
        Ok(())
    }

    /// Handles the result of resolving a channel.
    pub(in crate::conductor) fn on_channel_resolved(&mut self, id: LookupId, channel: Answer) {
        if self.on_name_resolved(id, &channel) {
            return;
        }
        let is_it = |pending: &mut PendingNetwork| pending.lookup == id && pending.channel.is_none();
        let Some(channel) = self.network.lookups.on_answer(id, channel) else { return };
        if let Some(pending) = self.network.pending.take_if(is_it).filter(|pending| pending.is_wanted) {
            self.on_channel(pending, channel);
        }
    }

    /// Continues with a command whose channel was resolved. Returns whether there was one.
    pub(in crate::conductor) fn go_on_with_channel(&mut self) -> bool {
        let Self { network, awaiting_logs, .. } = self;
        let is_held_back =
            |what: &Pending| what.new_publication().is_some_and(|stream| awaiting_logs.is_of_stream(stream));
        let Some((pending, channel)) = network.lookups.take_answered(is_held_back) else { return false };
        self.on_channel(pending, channel);
        true
    }

    fn on_channel(&mut self, mut pending: PendingNetwork, channel: Answer) {
        match channel {
            Ok(channel) => {
                pending.channel = Some(Arc::from(channel));
                self.carry_on(pending, Self::use_channel);
            }
            Err(error @ EndpointError::UnknownHost(_)) => match pending.what {
                // As in the reference, the destination is skipped until its name can be resolved.
                Pending::AddDestination { publication } => {
                    self.report_unresolved(&pending.uri, &error);
                    self.carry_on(pending, |core, pending| core.finish_destination(&pending, publication, None));
                }
                Pending::RemoveDestination { publication } => {
                    self.carry_on(pending, |core, pending| core.finish_removal(&pending, publication, Err(error)));
                }
                Pending::RemoveReceiveDestination { subscription, endpoint } => {
                    self.carry_on(pending, |core, pending| {
                        core.remove_socket(&pending, subscription, endpoint, Err(error))
                    });
                }
                _ => self.refuse_network(&pending, &error.into()),
            },
            Err(error) => self.refuse_network(&pending, &error.into()),
        }
    }

    /// Handles the open socket of the waiting command.
    pub(in crate::conductor) fn on_endpoint_opened(&mut self, id: EndpointId, local: SocketAddr) {
        let Some(pending) = self.network.pending.take_if(|pending| pending.endpoint == id) else { return };
        if pending.is_wanted {
            self.carry_on(pending, |core, pending| core.use_socket(pending, local));
        } else {
            self.give_socket_up(pending, local);
        }
    }

    /// Handles a socket of the waiting command that could not be opened.
    pub(in crate::conductor) fn on_endpoint_not_opened(&mut self, id: EndpointId, error: EndpointError) {
        if let Some(mut pending) = self.network.pending.take_if(|pending| pending.endpoint == id) {
            self.give_port_back(&mut pending);
            if pending.is_wanted {
                self.refuse_network(&pending, &error.into());
            }
        }
    }

    /// Executes the next step of a command, and refuses the command if that fails.
    fn carry_on(
        &mut self,
        pending: PendingNetwork,
        step: impl FnOnce(&mut Self, PendingNetwork) -> Result<(), CommandError>,
    ) {
        let (command, correlation_id, endpoint) = (pending.what.command(), pending.correlation_id, pending.endpoint);
        let channel = pending.uri.text().to_owned();
        if let Err(error) = step(self, pending) {
            self.refuse(command, correlation_id, Some(Text::from(&*channel)), &error);
            self.close_endpoint_if_unused(endpoint);
        }
    }

    /// Continues after the channel was resolved.
    fn use_channel(&mut self, mut pending: PendingNetwork) -> Result<(), CommandError> {
        let Some(channel) = pending.channel.clone() else { return Ok(()) };
        // Other commands may have been executed while this one waited for a name.
        match &pending.what {
            Pending::Publication { stream_id, exclusive, common, .. } => {
                self.check_room_for_hold()?;
                self.check_response(&channel, common)?;
                let endpoint = self.find_endpoint(Side::Send, &channel)?;
                params::check_original(&channel, endpoint.is_some())?;
                self.check_send_buffer(common.mtu, &channel, endpoint)?;
                if let Some(endpoint) = endpoint {
                    if !exclusive && let Some(original) = self.shared_publication(endpoint, *stream_id, common)? {
                        self.client(pending.client_id)?;
                        self.hold_network_publication(pending.client_id, pending.correlation_id, original);
                        return Ok(());
                    }
                    pending.endpoint = endpoint;
                    return self.ask_for_log(pending);
                }
            }
            Pending::Subscription { stream_id, common, subscription } => {
                self.check_room_for_link()?;
                let endpoint = self.find_endpoint(Side::Receive, &channel)?;
                params::check_original(&channel, endpoint.is_some())?;
                self.check_receive_buffer(subscription.window, &channel, endpoint)?;
                if let Some(endpoint) = endpoint {
                    self.check_subscription(endpoint, *stream_id, common, subscription)?;
                    pending.endpoint = endpoint;
                    return self.finish_subscription(&pending);
                }
                if endpoints::is_manual(&channel) {
                    self.add_endpoint(&mut pending, &channel, None)?;
                    return self.finish_subscription(&pending);
                }
            }
            Pending::Spy { registration_id, stream_id, common } => {
                self.check_room_for_link()?;
                return self.finish_spy(&pending, *registration_id, *stream_id, *common, channel);
            }
            Pending::AddDestination { publication } => {
                return self.finish_destination(&pending, *publication, Some(channel.remote_data()));
            }
            Pending::RemoveDestination { publication } => {
                return self.finish_removal(&pending, *publication, Ok(channel.remote_data()));
            }
            Pending::AddReceiveDestination { endpoint, .. } => self.check_room_for_socket(*endpoint)?,
            Pending::RemoveReceiveDestination { subscription, endpoint } => {
                return self.remove_socket(&pending, *subscription, *endpoint, Ok(&channel));
            }
        }
        let subscription = match pending.what {
            Pending::AddReceiveDestination { endpoint, .. } => {
                self.network.endpoint(endpoint).map(|found| Arc::clone(&found.channel))
            }
            _ => None,
        };
        pending.port = self.ask_for_socket(pending.endpoint, pending.what.side(), &channel, subscription)?;
        self.network.pending = Some(pending);
        Ok(())
    }

    /// Continues after the socket was opened.
    fn use_socket(&mut self, mut pending: PendingNetwork, local: SocketAddr) -> Result<(), CommandError> {
        let Some(channel) = pending.channel.clone() else { return Ok(()) };
        let added = match pending.what {
            Pending::AddReceiveDestination { subscription, endpoint } => {
                self.add_socket(&mut pending, subscription, endpoint, &channel, local)
            }
            _ => self.add_endpoint(&mut pending, &channel, Some(local)),
        };
        if let Err(error) = added {
            self.give_socket_up(pending, local);
            return Err(error);
        }
        match &pending.what {
            Pending::Publication { .. } => self.ask_for_log(pending),
            Pending::Subscription { .. } => self.finish_subscription(&pending),
            _ => Ok(()),
        }
    }

    /// Registers an endpoint: its counters, and the agent that uses it. An error leaves nothing behind.
    fn add_endpoint(
        &mut self,
        pending: &mut PendingNetwork,
        channel: &Arc<UdpChannel>,
        local: Option<SocketAddr>,
    ) -> Result<(), CommandError> {
        let (id, side) = (pending.endpoint, pending.what.side());
        let registration_id = pending.correlation_id.registration();
        let status = self.allocate_status(side, pending.uri.text(), registration_id, local)?;
        let destinations = if side == Side::Send && channel.is_multi_destination() {
            match self.counters.allocate_for_destinations(self.now.epoch, pending.uri.text(), registration_id) {
                Ok(counter) => Some(counter),
                Err(error) => {
                    self.counters.free(self.now.epoch, status);
                    return Err(error);
                }
            }
        } else {
            None
        };
        let mut sockets = Vec::new();
        if let Some(local) = local {
            match self.allocate_local(side, status, registration_id, local) {
                Ok(counter) => sockets.push(Socket {
                    id,
                    channel: channel.clone(),
                    bound: local,
                    port: pending.port.take(),
                    local: Some(counter),
                }),
                Err(error) => {
                    for id in destinations.iter().map(|counter| counter.id).chain([status]) {
                        self.counters.free(self.now.epoch, id);
                    }
                    return Err(error);
                }
            }
        }
        let receiver_id = if side == Side::Receive { self.network.new_receiver_id() } else { 0 };
        match &pending.what {
            Pending::Subscription { subscription, .. } => {
                self.network.to_receiver.push_back(ReceiverCommand::AddEndpoint(NewReceiveEndpoint {
                    id,
                    receiver_id,
                    group_tag: subscription.group_tag,
                    session_limit: self.config.network.session_limit,
                }));
                let params = channel.params();
                let stamps = ReceiveStamps { media: params.media_rcv_ts_offset, channel: params.channel_rcv_ts_offset };
                if stamps != ReceiveStamps::default() {
                    self.network.to_receiver.push_back(ReceiverCommand::Stamp(id, stamps));
                }
                if local.is_some() {
                    self.add_transport(id, id, channel);
                }
            }
            _ => {
                self.network.to_sender.push_back(SenderCommand::AddEndpoint(id, params::destinations(channel)));
                let offset = channel.params().channel_snd_ts_offset;
                self.network.to_sender.extend(offset.map(|offset| SenderCommand::Stamp(id, offset)));
            }
        }
        let destinations = destinations.map(|counter| {
            self.network.to_sender.push_back(SenderCommand::ShowDestinations(id, counter.value));
            counter.id
        });
        if local.is_some() {
            self.remember_name(side, id, id, channel);
        }
        self.network.endpoints.push(Endpoint {
            id,
            side,
            channel: channel.clone(),
            receiver_id,
            status,
            destinations,
            added: Vec::new(),
            sockets,
        });
        Ok(())
    }

    /// Closes an open socket that is not registered. Its port is free only when it is closed.
    fn give_socket_up(&mut self, pending: PendingNetwork, bound: SocketAddr) {
        let PendingNetwork { endpoint: id, channel, port, what, .. } = pending;
        self.close_socket(what.side(), id);
        if let Some(channel) = channel {
            self.network.closing_sockets.push((what.side(), Socket { id, channel, bound, port, local: None }));
        }
    }

    fn give_port_back(&mut self, pending: &mut PendingNetwork) {
        if let Some(port) = pending.port.take() {
            self.network.ports_mut(pending.what.side()).give_back(port);
        }
    }

    pub(super) fn refuse_network(&mut self, pending: &PendingNetwork, error: &CommandError) {
        let channel = Some(Text::from(pending.uri.text()));
        self.refuse(pending.what.command(), pending.correlation_id, channel, error);
    }
}
