//! Adding and removing destinations of publications with manual control and of subscriptions that listen at several
//! places. The sender keeps the destinations of a publication. A destination of a subscription is a socket of its
//! endpoint, or a link with publications of this driver.

use std::net::SocketAddr;
use std::sync::Arc;

use gannet::channel_uri::{ChannelUri, Media};
use gannet::command::{Destination, RemoveDestinationById};
use gannet::types::{ClientId, RegistrationId, StreamId};

use super::endpoints::{AddedDestination, Socket, is_manual};
use super::pending::{Pending, PendingNetwork};
use crate::channel::{UdpChannel, Usage};
use crate::conductor::Core;
use crate::conductor::error::CommandError;
use crate::conductor::linking::Linker;
use crate::conductor::params::IpcSubscriptionParams;
use crate::conductor::subscription_link::Source;
use crate::conductor::subscriptions::NewLink;
use crate::mailbox::{
    EndpointError, EndpointId, MAX_DESTINATIONS, MAX_RECEIVE_TRANSPORTS, NamedPlace, ReceiverCommand, SenderCommand,
    Side,
};

impl Core {
    /// ADD_DESTINATION.
    pub(in crate::conductor) fn add_destination(&mut self, command: &Destination<'_>) -> Result<(), CommandError> {
        let publication = command.registration_id;
        self.change_destination(command, Pending::AddDestination { publication })
    }

    /// REMOVE_DESTINATION. Removing an unknown destination succeeds.
    pub(in crate::conductor) fn remove_destination(&mut self, command: &Destination<'_>) -> Result<(), CommandError> {
        let publication = command.registration_id;
        self.change_destination(command, Pending::RemoveDestination { publication })
    }

    /// REMOVE_DESTINATION_BY_ID.
    pub(in crate::conductor) fn remove_destination_by_id(
        &mut self,
        command: &RemoveDestinationById,
    ) -> Result<(), CommandError> {
        let id = command.destination_registration_id;
        self.remove_destinations(command.registration_id, |added| added.id == id)?;
        self.succeed(command.correlation_id);
        Ok(())
    }

    /// Removes these destinations of a publication. Returns whether there were any.
    fn remove_destinations(
        &mut self,
        publication: RegistrationId,
        is_meant: impl Fn(&AddedDestination) -> bool,
    ) -> Result<bool, CommandError> {
        let endpoint = self.manual_endpoint(publication)?;
        let Some(found) = self.network.endpoint_mut(endpoint) else { return Ok(false) };
        let gone: Vec<_> = found.added.extract_if(.., |added| is_meant(added)).map(|added| added.id).collect();
        for id in &gone {
            self.network.names.remove(|place| *place == NamedPlace::Destination(endpoint, *id));
            self.network.to_sender.push_back(SenderCommand::RemoveDestination(endpoint, *id));
        }
        Ok(!gone.is_empty())
    }

    fn change_destination(&mut self, command: &Destination<'_>, what: Pending) -> Result<(), CommandError> {
        self.manual_endpoint(command.registration_id)?;
        let uri = self.read_channel(command.channel)?;
        if uri.params().endpoint.is_none() || uri.media() != Media::Udp {
            return Err(CommandError::NoDestination);
        }
        self.wait_for_channel((command.client_id, command.correlation_id), &uri, what)
    }

    /// Adds a publication's destination whose address was resolved. `None` until its name can be resolved.
    pub(super) fn finish_destination(
        &mut self,
        pending: &PendingNetwork,
        publication: RegistrationId,
        address: Option<SocketAddr>,
    ) -> Result<(), CommandError> {
        let endpoint = self.manual_endpoint(publication)?;
        let id = pending.correlation_id.registration();
        let Some(found) = self.network.endpoint_mut(endpoint) else { return Err(CommandError::Closing) };
        if found.added.len() >= MAX_DESTINATIONS {
            let what = "destinations of one publication";
            return Err(CommandError::Full { what, capacity: MAX_DESTINATIONS });
        }
        found.added.push(AddedDestination { id, stated: pending.uri.params().endpoint.clone(), address });
        let place = NamedPlace::Destination(endpoint, id);
        self.network.names.add(place, &pending.uri, Usage::SendDestination, address);
        self.network.to_sender.push_back(SenderCommand::AddDestination(endpoint, id, address));
        self.succeed(pending.correlation_id);
        Ok(())
    }

    /// Removes a publication's destination whose address was resolved, or could not be. Also removes a destination that
    /// was added with the same text, because its name may have another address by now, or none.
    pub(super) fn finish_removal(
        &mut self,
        pending: &PendingNetwork,
        publication: RegistrationId,
        address: Result<SocketAddr, EndpointError>,
    ) -> Result<(), CommandError> {
        let stated = &pending.uri.params().endpoint;
        let known = address.as_ref().ok().copied();
        let is_meant = |added: &AddedDestination| added.stated == *stated || known.is_some() && added.address == known;
        if !self.remove_destinations(publication, is_meant)? {
            address?;
        }
        self.succeed(pending.correlation_id);
        Ok(())
    }

    fn manual_endpoint(&self, registration_id: RegistrationId) -> Result<EndpointId, CommandError> {
        let Some(publication) = self.network.publications.get(registration_id) else {
            return Err(CommandError::UnknownPublication { registration_id });
        };
        if !is_manual(&publication.made_of.channel) {
            return Err(CommandError::NotManual { registration_id });
        }
        Ok(publication.made_of.endpoint)
    }

    /// ADD_RCV_DESTINATION.
    pub(in crate::conductor) fn add_receive_destination(
        &mut self,
        command: &Destination<'_>,
    ) -> Result<(), CommandError> {
        let uri = self.read_channel(command.channel)?;
        let (endpoint, stream_id) = self.many_places(command.client_id, command.registration_id)?;
        let ids = (command.client_id, command.correlation_id);
        if uri.is_spy() || uri.media() == Media::Ipc {
            let common = IpcSubscriptionParams::read(uri.params(), &self.config.subscriptions)?;
            self.check_room_for_link()?;
            let registration_id = command.registration_id;
            if uri.is_spy() {
                return self.wait_for_channel(ids, &uri, Pending::Spy { registration_id, stream_id, common });
            }
            self.add_ipc_place(command, &uri, stream_id, common);
            return Ok(());
        }
        self.check_room_for_socket(endpoint)?;
        let subscription = command.registration_id;
        self.wait_for_channel(ids, &uri, Pending::AddReceiveDestination { subscription, endpoint })
    }

    /// REMOVE_RCV_DESTINATION.
    pub(in crate::conductor) fn remove_receive_destination(
        &mut self,
        command: &Destination<'_>,
    ) -> Result<(), CommandError> {
        let uri = self.read_channel(command.channel)?;
        let (subscription, ids) = (command.registration_id, (command.client_id, command.correlation_id));
        if uri.is_spy() || uri.media() == Media::Ipc {
            return self.remove_local_place(command);
        }
        let (endpoint, _) = self.many_places(command.client_id, subscription)?;
        self.wait_for_channel(ids, &uri, Pending::RemoveReceiveDestination { subscription, endpoint })
    }

    /// Adds IPC as a source of a subscription with several sources.
    fn add_ipc_place(
        &mut self,
        command: &Destination<'_>,
        uri: &ChannelUri,
        stream_id: StreamId,
        common: IpcSubscriptionParams,
    ) {
        let link = self.subscriptions.add(&NewLink {
            registration_id: command.registration_id,
            client_id: command.client_id,
            stream_id,
            channel: uri.text(),
            session: common.session,
            is_response: false,
            tether: common.tether,
            rejoin: common.rejoin,
            source: Source::Ipc,
        });
        self.succeed(command.correlation_id);
        self.link_subscription(link);
    }

    /// Removes this driver's publications on that channel as a source of a subscription with several sources.
    fn remove_local_place(&mut self, command: &Destination<'_>) -> Result<(), CommandError> {
        let registration_id = command.registration_id;
        let channel = command.channel.to_string();
        let Some(link) = self.subscriptions.remove_place(command.client_id, registration_id, &channel) else {
            return Err(CommandError::UnknownSubscription { registration_id });
        };
        self.succeed(command.correlation_id);
        // The command does not say which images came from the removed source.
        let mut linker = Linker { now: self.now, counters: &mut self.counters, events: &mut self.events };
        for publication in self.publications.of_stream(link.stream_id) {
            linker.send_unavailable_if_linked(publication, &link);
        }
        for publication in self.network.publications.of_stream(link.stream_id) {
            linker.send_unavailable_if_linked(publication, &link);
        }
        self.unlink(&[link]);
        // What another source leads to as well comes from that one now.
        let others = self.subscriptions.of_registration(registration_id).map(|other| other.id);
        for other in others.collect::<Vec<_>>() {
            self.link_subscription(other);
            self.link_spy(other);
        }
        Ok(())
    }

    /// Adds the open socket of a destination.
    pub(super) fn add_socket(
        &mut self,
        pending: &mut PendingNetwork,
        subscription: RegistrationId,
        endpoint: EndpointId,
        channel: &Arc<UdpChannel>,
        bound: SocketAddr,
    ) -> Result<(), CommandError> {
        // The endpoint may have been closed meanwhile.
        let Some(status) = self.network.endpoint(endpoint).map(|found| found.status) else {
            return Err(CommandError::UnknownSubscription { registration_id: subscription });
        };
        let id = pending.endpoint;
        let local = self.allocate_local(Side::Receive, status, subscription, bound)?;
        if let Some(found) = self.network.endpoint_mut(endpoint) {
            found.sockets.push(Socket {
                id,
                channel: channel.clone(),
                bound,
                port: pending.port.take(),
                local: Some(local),
            });
        }
        self.add_transport(endpoint, id, channel);
        self.remember_name(Side::Receive, endpoint, id, channel);
        self.succeed(pending.correlation_id);
        Ok(())
    }

    /// Removes a destination of a subscription: the one that was added with the same text, because its names may have
    /// other addresses by now, or none; otherwise one with the same addresses. Removing an unknown destination
    /// succeeds.
    pub(super) fn remove_socket(
        &mut self,
        pending: &PendingNetwork,
        subscription: RegistrationId,
        endpoint: EndpointId,
        channel: Result<&UdpChannel, EndpointError>,
    ) -> Result<(), CommandError> {
        let Some(found) = self.network.endpoint_mut(endpoint) else {
            return Err(CommandError::UnknownSubscription { registration_id: subscription });
        };
        let stated = pending.uri.params();
        let is_stated = |socket: &Socket| {
            let params = socket.channel.params();
            (&params.endpoint, &params.control, &params.interface)
                == (&stated.endpoint, &stated.control, &stated.interface)
        };
        // There may be several of one group, on different interfaces.
        let is_there = |socket: &Socket| {
            let addresses = |channel: &UdpChannel| (channel.remote_data(), channel.local());
            channel.as_ref().is_ok_and(|channel| addresses(&socket.channel) == addresses(channel))
        };
        let index = found.sockets.iter().position(is_stated).or_else(|| found.sockets.iter().position(is_there));
        if index.is_none() {
            channel?;
        }
        if let Some(index) = index {
            let socket = found.sockets.remove(index);
            self.network.names.remove(|place| *place == NamedPlace::Transport(endpoint, socket.id));
            self.network.to_receiver.push_back(ReceiverCommand::RemoveTransport(endpoint, socket.id));
            socket.local.into_iter().for_each(|local| self.counters.show_closing(local));
            self.close_socket(Side::Receive, socket.id);
            self.network.closing_sockets.push((Side::Receive, socket));
        }
        self.succeed(pending.correlation_id);
        Ok(())
    }

    /// The endpoint and the stream of a subscription with several sources.
    fn many_places(
        &self,
        client_id: ClientId,
        registration_id: RegistrationId,
    ) -> Result<(EndpointId, StreamId), CommandError> {
        let mut links = self.subscriptions.of_registration(registration_id);
        let link = links.find(|link| link.client_id == client_id && link.network().is_some());
        let unknown = CommandError::UnknownSubscription { registration_id };
        let Some((endpoint, stream_id)) = link.and_then(|link| Some((link.network()?.endpoint, link.stream_id))) else {
            return Err(unknown);
        };
        match self.network.endpoint(endpoint) {
            Some(found) if is_manual(&found.channel) => Ok((endpoint, stream_id)),
            Some(_) => Err(CommandError::OnePlace { registration_id }),
            None => Err(unknown),
        }
    }

    /// Refuses the command if the endpoint has the maximum number of sockets.
    pub(super) fn check_room_for_socket(&self, endpoint: EndpointId) -> Result<(), CommandError> {
        let sockets = self.network.endpoint(endpoint).map_or(0, |found| found.sockets.len());
        if sockets >= MAX_RECEIVE_TRANSPORTS {
            let what = "destinations of one subscription";
            return Err(CommandError::Full { what, capacity: MAX_RECEIVE_TRANSPORTS });
        }
        Ok(())
    }

    /// Refuses the command if the maximum number of links is reached.
    pub(in crate::conductor) fn check_room_for_link(&self) -> Result<(), CommandError> {
        if self.subscriptions.is_full() {
            let capacity = self.config.capacity.subscriptions;
            return Err(CommandError::Full { what: "subscriptions", capacity });
        }
        Ok(())
    }
}
