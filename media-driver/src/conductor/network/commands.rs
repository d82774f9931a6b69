//! Publications and subscriptions of UDP channels come and go. Adding takes steps that others carry out: an endpoint is opened if
//! there is none, then a log is made, then everything else. What fails leaves nothing behind.

use std::path::PathBuf;

use gannet::channel_uri::{ChannelParams, ChannelUri, ControlMode};
use gannet::command::{AddPublication, AddSubscription, Event, OnPublicationReady, OnSubscriptionReady, Text};
use gannet::counters::{ChannelCounter, SockaddrCounter, Stream};
use gannet::logbuffer::LogBuffers;
use gannet::types::{ClientId, CorrelationId, Position, RegistrationId, SessionId, StreamId, TermId};
use std::os::unix::ffi::OsStrExt;

use super::NetworkLink;
use super::endpoints::{ChannelKey, Endpoint};
use super::params::{self, NetworkSubscription};
use super::publication::{NetworkPublication, NewPublication};
use crate::conductor::Core;
use crate::conductor::clients::PublicationLink;
use crate::conductor::config::PublicationDefaults;
use crate::conductor::counters::{NetworkStreamCounters, PublicationCounters as CounterRequest};
use crate::conductor::error::CommandError;
use crate::conductor::log_requests::PublicationLog;
use crate::conductor::params::{IpcPublicationParams, IpcSubscriptionParams, Shared, Start};
use crate::conductor::subscriptions::{NewLink, SessionChoice};
use crate::mailbox::{
    EndpointAddresses, EndpointError, EndpointId, NewNetworkPublication, NewReceiveEndpoint, OpenEndpoint,
    PublicationCounters, ReceiverCommand, SenderCommand, Side,
};
use crate::shared::PublicationWords;

/// A command that waits for its endpoint or its log.
#[derive(Debug)]
pub(in crate::conductor) struct PendingNetwork {
    client_id: ClientId,
    correlation_id: CorrelationId,
    stream_id: StreamId,
    uri: Box<ChannelUri>,
    endpoint: EndpointId,
    key: ChannelKey,
    what: Pending,
}

#[derive(Debug)]
enum Pending {
    Publication {
        exclusive: bool,
        common: Box<IpcPublicationParams>,
        /// Chosen when its log is asked for.
        log: Option<PendingLog>,
    },
    Subscription {
        common: IpcSubscriptionParams,
        subscription: NetworkSubscription,
    },
}

impl Pending {
    fn side(&self) -> Side {
        match self {
            Self::Publication { .. } => Side::Send,
            Self::Subscription { .. } => Side::Receive,
        }
    }
}

#[derive(Clone, Debug)]
struct PendingLog {
    session_id: SessionId,
    start: Start,
    path: PathBuf,
}

impl PendingNetwork {
    fn command(&self) -> &'static str {
        match self.what {
            Pending::Publication { exclusive: true, .. } => "ADD_EXCLUSIVE_PUBLICATION",
            Pending::Publication { exclusive: false, .. } => "ADD_PUBLICATION",
            Pending::Subscription { .. } => "ADD_SUBSCRIPTION",
        }
    }
}

impl Core {
    /// A client adds a publication of a UDP channel.
    pub(in crate::conductor) fn add_network_publication(
        &mut self,
        command: &AddPublication<'_>,
        exclusive: bool,
        uri: &ChannelUri,
    ) -> Result<(), CommandError> {
        let params = uri.params();
        params::check_publication(params)?;
        let common = IpcPublicationParams::read(params, &self.network_publication_defaults())?;
        self.check_unused(command.correlation_id.registration())?;
        let links = self.config.capacity.publication_links;
        if self.clients.publication_links() >= links {
            return Err(CommandError::Full { what: "holds on publications", capacity: links });
        }
        let (key, endpoint) = self.find_endpoint(Side::Send, params)?;
        if let Some(endpoint) = endpoint
            && !exclusive
            && let Some(existing) = self.network.publications.iter().find(|publication| {
                publication.made_of.endpoint == endpoint
                    && publication.made_of.stream_id == command.stream_id
                    && publication.is_shareable()
            })
        {
            common.check_shareable(&shared(existing))?;
            let original = existing.made_of.registration_id;
            self.client(command.client_id)?;
            self.hold_network_publication(command.client_id, command.correlation_id, original);
            return Ok(());
        }
        let what = Pending::Publication { exclusive, common: Box::new(common), log: None };
        self.begin((command.client_id, command.correlation_id, command.stream_id), uri, (key, endpoint), what)
    }

    /// A client adds a subscription of a UDP channel.
    pub(in crate::conductor) fn add_network_subscription(
        &mut self,
        command: &AddSubscription<'_>,
        uri: &ChannelUri,
    ) -> Result<(), CommandError> {
        let params = uri.params();
        let subscription = NetworkSubscription::read(params, &self.config.network)?;
        let common = IpcSubscriptionParams::read(params, &self.config.subscriptions)?;
        self.check_unused(command.correlation_id.registration())?;
        if self.subscriptions.is_full() {
            let capacity = self.config.capacity.subscriptions;
            return Err(CommandError::Full { what: "subscriptions", capacity });
        }
        let (key, endpoint) = self.find_endpoint(Side::Receive, params)?;
        if let Some(endpoint) = endpoint {
            for other in self.subscriptions.iter().filter(|link| {
                link.network.is_some_and(|network| network.endpoint == endpoint)
                    && link.stream_id == command.stream_id
                    && link.session == common.session
            }) {
                if other.network.is_some_and(|network| network.subscription.reliable != subscription.reliable) {
                    return Err(CommandError::SubscriptionClash { key: "reliable" });
                }
                if other.rejoin != common.rejoin {
                    return Err(CommandError::SubscriptionClash { key: "rejoin" });
                }
            }
        }
        let what = Pending::Subscription { common, subscription };
        self.begin((command.client_id, command.correlation_id, command.stream_id), uri, (key, endpoint), what)
    }

    /// The key of a channel, and the endpoint that is there for it, if any.
    fn find_endpoint(
        &mut self,
        side: Side,
        params: &ChannelParams,
    ) -> Result<(ChannelKey, Option<EndpointId>), CommandError> {
        let key = ChannelKey::new(side, params, self.network.new_endpoint_id());
        if self.network.is_closing(&key) {
            return Err(CommandError::Closing);
        }
        let endpoint = self.network.endpoint_of(&key).map(|endpoint| endpoint.id);
        Ok((key, endpoint))
    }

    /// Goes on with the endpoint that is there, or asks for one.
    fn begin(
        &mut self,
        (client_id, correlation_id, stream_id): (ClientId, CorrelationId, StreamId),
        uri: &ChannelUri,
        (key, existing): (ChannelKey, Option<EndpointId>),
        what: Pending,
    ) -> Result<(), CommandError> {
        let endpoint = existing.unwrap_or_else(|| self.network.new_endpoint_id());
        let uri = Box::new(uri.clone());
        let pending = PendingNetwork { client_id, correlation_id, stream_id, uri, endpoint, key, what };
        if existing.is_some() {
            return self.go_on(pending);
        }
        let side = pending.what.side();
        self.network.open_request = Some(OpenEndpoint { id: endpoint, side, channel: pending.uri.clone() });
        self.network.pending = Some(pending);
        Ok(())
    }

    /// The endpoint that a command waits for is open.
    pub(in crate::conductor) fn on_endpoint_opened(&mut self, id: EndpointId, addresses: EndpointAddresses) {
        let Some(pending) = self.network.pending.take_if(|pending| pending.endpoint == id) else { return };
        if let Err(error) = self.add_endpoint(&pending, addresses) {
            self.network.close_requests.push_back((pending.what.side(), id));
            self.refuse_network(&pending, &error);
            return;
        }
        let (command, correlation_id) = (pending.command(), pending.correlation_id);
        let channel = pending.uri.text().to_owned();
        if let Err(error) = self.go_on(pending) {
            self.refuse(command, correlation_id, Some(Text::from(&*channel)), &error);
            self.close_endpoint_if_unused(id);
        }
    }

    /// The endpoint that a command waits for could not be opened.
    pub(in crate::conductor) fn on_endpoint_not_opened(&mut self, id: EndpointId, error: EndpointError) {
        if let Some(pending) = self.network.pending.take_if(|pending| pending.endpoint == id) {
            self.refuse_network(&pending, &error.into());
        }
    }

    /// Makes an endpoint known: its counters, and the agent that it serves. An error leaves nothing behind.
    fn add_endpoint(&mut self, pending: &PendingNetwork, addresses: EndpointAddresses) -> Result<(), CommandError> {
        let id = pending.endpoint;
        let registration_id = pending.correlation_id.registration();
        let (side, status, local) = match pending.what {
            Pending::Publication { .. } => (Side::Send, ChannelCounter::SendStatus, SockaddrCounter::Send),
            Pending::Subscription { .. } => (Side::Receive, ChannelCounter::ReceiveStatus, SockaddrCounter::Receive),
        };
        let destinations = params::destinations(pending.uri.params(), &addresses);
        if side == Side::Send && destinations.is_none() {
            return Err(CommandError::MissingEndpoint);
        }
        let (status, local) = self.counters.allocate_for_endpoint(
            self.now.epoch,
            (status, local),
            pending.uri.text(),
            registration_id,
            addresses.local,
        )?;
        let receiver_id = if side == Side::Receive { self.network.new_receiver_id() } else { 0 };
        match (&pending.what, destinations) {
            (Pending::Publication { .. }, Some(rules)) => {
                self.network.to_sender.push_back(SenderCommand::AddEndpoint(id, rules));
            }
            (Pending::Subscription { subscription, .. }, _) => {
                self.network.to_receiver.push_back(ReceiverCommand::AddEndpoint(NewReceiveEndpoint {
                    id,
                    receiver_id,
                    group_tag: subscription.group_tag,
                    control: addresses.control,
                    registers: pending.uri.params().control.is_some() && !addresses.multicast,
                    session_limit: self.config.network.session_limit,
                }));
            }
            (Pending::Publication { .. }, None) => {}
        }
        let key = pending.key.clone();
        self.network.endpoints.push(Endpoint { id, side, key, addresses, receiver_id, status, local });
        Ok(())
    }

    /// The endpoint is there: a subscription is done, a publication needs its log.
    fn go_on(&mut self, pending: PendingNetwork) -> Result<(), CommandError> {
        match &pending.what {
            Pending::Publication { .. } => self.ask_for_log(pending),
            Pending::Subscription { common, subscription } => {
                let (common, subscription) = (*common, *subscription);
                self.finish_subscription(&pending, common, subscription)
            }
        }
    }

    fn finish_subscription(
        &mut self,
        pending: &PendingNetwork,
        common: IpcSubscriptionParams,
        subscription: NetworkSubscription,
    ) -> Result<(), CommandError> {
        let id = pending.endpoint;
        let Some(status) = self.network.endpoint(id).map(|endpoint| endpoint.status) else {
            return Err(CommandError::Closing);
        };
        self.client(pending.client_id)?;
        let is_first = !self.is_stream_wanted(id, pending.stream_id, common.session);
        let link = self.subscriptions.add(&NewLink {
            registration_id: pending.correlation_id.registration(),
            client_id: pending.client_id,
            stream_id: pending.stream_id,
            channel: pending.uri.text(),
            session: common.session,
            is_response: false,
            tether: common.tether,
            rejoin: common.rejoin,
            network: Some(NetworkLink { endpoint: id, subscription }),
        });
        if is_first {
            self.network.to_receiver.push_back(match common.session {
                SessionChoice::Only(session_id) => ReceiverCommand::AddSession(id, pending.stream_id, session_id),
                SessionChoice::Any | SessionChoice::Response => ReceiverCommand::AddStream(id, pending.stream_id),
            });
        }
        // Before any image.
        self.events.send(&Event::SubscriptionReady(OnSubscriptionReady {
            correlation_id: pending.correlation_id,
            channel_status_id: status,
        }));
        self.link_network_subscription(link);
        Ok(())
    }

    /// Whether any subscription of the endpoint wants these sessions of the stream.
    pub(super) fn is_stream_wanted(&self, id: EndpointId, stream_id: StreamId, session: SessionChoice) -> bool {
        self.subscriptions.iter().any(|link| {
            link.network.is_some_and(|network| network.endpoint == id)
                && link.stream_id == stream_id
                && link.session == session
        })
    }

    /// Chooses a session and a first term, and asks for the log of a publication.
    fn ask_for_log(&mut self, mut pending: PendingNetwork) -> Result<(), CommandError> {
        let stream_id = pending.stream_id;
        let Some(multicast) = self.network.endpoint(pending.endpoint).map(|endpoint| endpoint.addresses.multicast)
        else {
            return Err(CommandError::Closing);
        };
        let group = params::publication_rules(pending.uri.params(), multicast, &self.config.network).group;
        let Pending::Publication { exclusive, common, log } = &mut pending.what else { return Ok(()) };
        let capacity = self.config.capacity.publications;
        if self.publications.len() + self.network.logs() + self.logs.condemned() >= capacity {
            return Err(CommandError::Full { what: "publications", capacity });
        }
        let endpoint = pending.endpoint;
        let clashes = |session_id: SessionId, network: &super::Network| {
            network.publications.iter().any(|publication| {
                let other = &publication.made_of;
                (other.endpoint, other.stream_id, other.session_id) == (endpoint, stream_id, session_id)
                    && publication.occupies_session()
            })
        };
        let session_id = match common.session_id {
            Some(session_id) if clashes(session_id, &self.network) => {
                return Err(CommandError::SessionClash { session_id, stream_id });
            }
            Some(session_id) => session_id,
            None => self.session_ids.peek(&self.network.sessions_of(stream_id)),
        };
        let start = common
            .start
            .unwrap_or_else(|| Start { initial_term_id: TermId::new(self.random.i32(..)), position: Position::new(0) });
        let request = self.config.logs.of_publication(&PublicationLog {
            registration_id: pending.correlation_id.registration(),
            session_id,
            stream_id,
            exclusive: *exclusive,
            start,
            params: common,
            max_resend: i32::from(pending.uri.params().max_resend.unwrap_or(self.config.network.max_resend)),
            group,
        });
        let path = request.path.clone();
        self.logs.create(request);
        *log = Some(PendingLog { session_id, start, path });
        self.network.pending = Some(pending);
        Ok(())
    }

    /// Whether the log with this registration id is that of a publication that waits for it.
    pub(in crate::conductor) fn awaits_network_log(&self, registration_id: RegistrationId) -> bool {
        self.network.pending.as_ref().is_some_and(|pending| pending.correlation_id.registration() == registration_id)
    }

    /// The log that a publication waits for is there.
    pub(in crate::conductor) fn on_network_log(&mut self, log: LogBuffers) {
        let Some(pending) = self.network.pending.take() else { return };
        let Pending::Publication { log: Some(made), .. } = &pending.what else { return };
        let made = made.clone();
        let endpoint = pending.endpoint;
        if let Err(error) = self.finish_network_publication(&pending, &made, &log) {
            self.give_up_log(pending.correlation_id.registration(), made.path, log);
            self.refuse_network(&pending, &error);
            self.close_endpoint_if_unused(endpoint);
        }
    }

    /// The log that a publication waits for could not be made.
    pub(in crate::conductor) fn on_no_network_log(&mut self, error: &CommandError) {
        if let Some(pending) = self.network.pending.take() {
            self.refuse_network(&pending, error);
            self.close_endpoint_if_unused(pending.endpoint);
        }
    }

    fn finish_network_publication(
        &mut self,
        pending: &PendingNetwork,
        made: &PendingLog,
        log: &LogBuffers,
    ) -> Result<(), CommandError> {
        let Pending::Publication { exclusive, common, .. } = &pending.what else { return Ok(()) };
        let now = self.now;
        let registration_id = pending.correlation_id.registration();
        let Some(multicast) = self.network.endpoint(pending.endpoint).map(|endpoint| endpoint.addresses.multicast)
        else {
            return Err(CommandError::Closing);
        };
        let rules = params::publication_rules(pending.uri.params(), multicast, &self.config.network);
        let NetworkStreamCounters { position, limit, sender } = self.counters.allocate_for_network_publication(
            now.epoch,
            &CounterRequest {
                stream: Stream {
                    registration_id,
                    session_id: made.session_id,
                    stream_id: pending.stream_id,
                    channel: pending.uri.text(),
                },
                exclusive: *exclusive,
                client_id: pending.client_id,
                start: made.start.position,
            },
        )?;
        let ids = [sender[0].id, sender[1].id, sender[2].id, sender[3].id];
        if let Err(error) = self.client(pending.client_id) {
            for id in ids.into_iter().chain([position.id, limit.id]) {
                self.counters.free(now.epoch, id);
            }
            return Err(error);
        }
        if common.session_id.is_none() {
            self.session_ids.take(made.session_id);
        }
        let words = PublicationWords::new(made.start.position.get());
        let [sender_position, sender_limit, back_pressure, naks_received] = sender.map(|counter| counter.value);
        let network = &self.config.network;
        self.network.to_sender.push_back(SenderCommand::AddPublication(
            pending.endpoint,
            Box::new(NewNetworkPublication {
                registration_id,
                session_id: made.session_id,
                stream_id: pending.stream_id,
                log: log.clone(),
                start_position: made.start.position,
                flow_control: rules.flow_control,
                retransmit: rules.retransmit,
                retransmit_windows: rules.retransmit_windows,
                initial_window: network.initial_window,
                connection_timeout_ns: network.connection_timeout_ns,
                max_datagrams_per_cycle: network.max_datagrams_per_cycle,
                group: rules.group,
                ttl: pending.uri.params().ttl.map_or(0, i32::from),
                signal_eos: common.signal_eos,
                spies_simulate_connection: common.spies_simulate_connection,
                asks_for_response: false,
                words: words.clone(),
                counters: PublicationCounters {
                    position: sender_position,
                    limit: sender_limit,
                    back_pressure,
                    naks_received,
                },
            }),
        ));
        self.network.publications.push(NetworkPublication::new(
            NewPublication {
                registration_id,
                session_id: made.session_id,
                stream_id: pending.stream_id,
                exclusive: *exclusive,
                endpoint: pending.endpoint,
                start_position: made.start.position,
                window: common.window,
                linger_timeout_ns: common.linger_timeout_ns,
                unblock_timeout_ns: self.config.publications.unblock_timeout_ns,
                spies_simulate_connection: common.spies_simulate_connection,
                is_manual: pending.uri.params().control_mode == Some(ControlMode::Manual),
                log: log.clone(),
                log_path: made.path.clone(),
                words,
                position,
                limit,
                others: ids,
            },
            now.monotonic,
        ));
        self.hold_network_publication(pending.client_id, pending.correlation_id, registration_id);
        Ok(())
    }

    /// The client holds the publication from now on, and is told so.
    fn hold_network_publication(
        &mut self,
        client_id: ClientId,
        correlation_id: CorrelationId,
        original: RegistrationId,
    ) {
        let Some(client) = self.clients.get(client_id) else { return };
        let endpoints = &self.network.endpoints;
        let found = self.network.publications.iter_mut().find(|found| found.made_of.registration_id == original);
        let Some(publication) = found else { return };
        client.publications.push(PublicationLink {
            registration_id: correlation_id.registration(),
            original_registration_id: original,
        });
        publication.add_reference();
        let made_of = &publication.made_of;
        let Some(endpoint) = endpoints.iter().find(|endpoint| endpoint.id == made_of.endpoint) else { return };
        let ready = OnPublicationReady {
            correlation_id,
            registration_id: original,
            session_id: made_of.session_id,
            stream_id: made_of.stream_id,
            limit_id: made_of.limit.id,
            channel_status_id: endpoint.status,
            log_file: Text::new(made_of.log_path.as_os_str().as_bytes()),
        };
        self.events.send(&if made_of.exclusive {
            Event::ExclusivePublicationReady(ready)
        } else {
            Event::PublicationReady(ready)
        });
    }

    /// A client gives a publication back, if it is one of the network.
    pub(in crate::conductor) fn release_network_publication(&mut self, registration_id: RegistrationId, revoke: bool) {
        let now = self.now.monotonic;
        let Some(publication) = self.network.publication_mut(registration_id) else { return };
        if revoke {
            publication.revoke();
        }
        if let Some(position) = publication.remove_reference(now) {
            let end = SenderCommand::EndPublication { registration_id, position, revoked: false };
            self.network.to_sender.push_back(end);
        }
    }

    /// Closes an endpoint that nobody uses any more.
    pub(super) fn close_endpoint_if_unused(&mut self, id: EndpointId) {
        if self.network.is_used(id, self.subscriptions.iter()) {
            return;
        }
        let Some(index) = self.network.endpoints.iter().position(|endpoint| endpoint.id == id) else { return };
        let endpoint = self.network.endpoints.remove(index);
        match endpoint.side {
            Side::Send => self.network.to_sender.push_back(SenderCommand::RemoveEndpoint(id)),
            Side::Receive => self.network.to_receiver.push_back(ReceiverCommand::RemoveEndpoint(id)),
        }
        self.network.close_requests.push_back((endpoint.side, id));
        self.network.closing.push(endpoint);
    }

    /// The transport has let go of an endpoint.
    pub(in crate::conductor) fn on_endpoint_closed(&mut self, id: EndpointId) {
        for endpoint in self.network.closing.extract_if(.., |endpoint| endpoint.id == id) {
            self.counters.free(self.now.epoch, endpoint.local);
            self.counters.free(self.now.epoch, endpoint.status);
        }
    }

    fn network_publication_defaults(&self) -> PublicationDefaults {
        let network = &self.config.network;
        PublicationDefaults {
            ipc_term_length: network.term_length,
            ipc_mtu: network.mtu,
            ipc_window: network.publication_window,
            ..self.config.publications.clone()
        }
    }

    fn refuse_network(&mut self, pending: &PendingNetwork, error: &CommandError) {
        let channel = Some(Text::from(pending.uri.text()));
        self.refuse(pending.command(), pending.correlation_id, channel, error);
    }
}

/// What a live publication is, to be compared with what another one states.
fn shared(publication: &NetworkPublication) -> Shared {
    let log = &publication.made_of.log;
    Shared {
        session_id: publication.made_of.session_id,
        mtu: log.mtu() as i64,
        term_length: log.term_length(),
        start: Start { initial_term_id: log.initial_term_id(), position: publication.made_of.start_position },
    }
}
