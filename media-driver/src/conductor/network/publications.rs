//! Adding and removing publications of UDP channels. Adding one takes steps that others carry out, as in `pending`: its
//! channel, its endpoint, its log, then everything else.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;

use gannet::channel_uri::{ChannelUri, ResponseCorrelation, SessionSelector};
use gannet::command::{AddPublication, Event, OnPublicationReady, Text};
use gannet::counters::Stream;
use gannet::logbuffer::LogBuffers;
use gannet::types::{ClientId, CorrelationId, Mtu, RegistrationId, SessionId, StreamId, TermLength};

use super::pending::{Pending, PendingNetwork};
use super::publication::{NetworkPublication, NewPublication};
use super::{Network, params};
use crate::channel::UdpChannel;
use crate::conductor::Core;
use crate::conductor::awaiting_logs::AwaitingLog;
use crate::conductor::config::PublicationDefaults;
use crate::conductor::counters::{NetworkStreamCounters, PublicationCounters as CounterRequest};
use crate::conductor::error::CommandError;
use crate::conductor::linking::Linker;
use crate::conductor::log_requests::{PublicationLog, StatedBuffers};
use crate::conductor::params::{IpcPublicationParams, NONE, Shared, Start};
use crate::ipc::RESPONSE_PROTOTYPE;
use crate::mailbox::{
    EndpointId, FlowControlRules, NewNetworkPublication, PublicationCounters, ReceiverCommand, SenderCommand,
};
use crate::shared::PublicationWords;

impl Core {
    /// Adds a publication of a UDP channel for a client.
    pub(in crate::conductor) fn add_network_publication(
        &mut self,
        command: &AddPublication<'_>,
        exclusive: bool,
        uri: &ChannelUri,
    ) -> Result<(), CommandError> {
        params::check_publication(uri.params())?;
        let mut stated = uri.params().clone();
        if let Some(SessionSelector::Tag(tag)) = stated.session_id {
            let tagged = self.network.publications.iter().find(|found| tag != NONE && found.made_of.entity_tag == tag);
            let tagged = shared(tagged.ok_or(CommandError::UnknownSessionTag { tag })?);
            stated.session_id = Some(SessionSelector::Id(tagged.session_id));
            stated.mtu = stated.mtu.or(Mtu::new(tagged.mtu).ok());
            stated.term_length = stated.term_length.or(Some(tagged.term_length));
        }
        if stated.response_correlation_id == Some(ResponseCorrelation::Prototype) {
            // A prototype carries no messages.
            stated.term_length = Some(TermLength::MIN);
        }
        let common = IpcPublicationParams::read(&stated, &self.network_publication_defaults())?;
        self.check_unused(command.correlation_id.registration())?;
        self.check_room_for_hold()?;
        let what = Pending::Publication { stream_id: command.stream_id, exclusive, common: Box::new(common) };
        self.wait_for_channel((command.client_id, command.correlation_id), uri, what)
    }

    /// The existing publication to share, if there is one and the channel does not conflict with it.
    pub(super) fn shared_publication(
        &self,
        endpoint: EndpointId,
        stream_id: StreamId,
        common: &IpcPublicationParams,
    ) -> Result<Option<RegistrationId>, CommandError> {
        let existing = self.network.publications.of_stream(stream_id).find(|publication| {
            publication.made_of.endpoint == endpoint
                && publication.made_of.response_correlation_id == common.response_correlation_id
                && publication.is_shareable()
        });
        let Some(existing) = existing else { return Ok(None) };
        common.check_shareable(&shared(existing))?;
        let (stated, existing_ssc) = (common.spies_simulate_connection, existing.made_of.spies_simulate_connection);
        if stated != existing_ssc {
            let (stated, existing) = (stated.into(), existing_ssc.into());
            return Err(CommandError::Mismatch { key: "ssc", stated, existing });
        }
        Ok(Some(existing.made_of.registration_id))
    }

    /// Checks that the request or the response subscription in the channel exists.
    pub(super) fn check_response(
        &self,
        channel: &UdpChannel,
        common: &IpcPublicationParams,
    ) -> Result<(), CommandError> {
        let id = common.response_correlation_id;
        if channel.is_response() {
            return match id {
                NONE => Err(CommandError::MissingResponseCorrelation),
                RESPONSE_PROTOTYPE => Ok(()),
                // Nobody would hear of the response to a request that has ended.
                _ => match self.network.images.get(RegistrationId::new(id)).filter(|image| image.is_answered()) {
                    Some(image) if image.made_of.asks_for_response => Ok(()),
                    Some(_) => Err(CommandError::NoResponseWanted { image: id }),
                    None => Err(CommandError::UnknownImage { image: CorrelationId::new(id) }),
                },
            };
        }
        if id == RESPONSE_PROTOTYPE {
            return Err(CommandError::StrayPrototype);
        }
        let is_there = || {
            let mut links = self.subscriptions.of_registration(RegistrationId::new(id));
            links.any(|link| link.is_response && link.network().is_some())
        };
        if id >= 0 && !is_there() {
            return Err(CommandError::UnknownResponseSubscription { subscription: id });
        }
        Ok(())
    }

    /// Chooses a session id and an initial term id, and requests the log of a publication.
    pub(super) fn ask_for_log(&mut self, pending: PendingNetwork) -> Result<(), CommandError> {
        let Some(channel) = self.network.endpoint(pending.endpoint).map(|endpoint| endpoint.channel.clone()) else {
            return Err(CommandError::Closing);
        };
        let group = params::publication_rules(pending.uri.params(), &channel, &self.config.network).group;
        let Pending::Publication { stream_id, exclusive, common } = pending.what else { return Ok(()) };
        self.check_room_for_log("publications")?;
        let endpoint = pending.endpoint;
        let clashes = |session_id: SessionId, network: &super::Network| {
            let mut others = network.publications.of_session(stream_id, session_id);
            others.any(|other| other.made_of.endpoint == endpoint && other.occupies_session())
        };
        let session_id = match common.session_id {
            Some(session_id) if clashes(session_id, &self.network) => {
                return Err(CommandError::SessionClash { session_id, stream_id });
            }
            Some(session_id) => session_id,
            None => self.session_ids.peek(|id| self.network.is_taken(stream_id, id) || self.awaiting_logs.is_taken(id)),
        };
        let start = self.start_of(&common);
        let request = self.config.logs.of_publication(&PublicationLog {
            registration_id: pending.correlation_id.registration(),
            session_id,
            stream_id,
            exclusive,
            start,
            params: &common,
            max_resend: i32::from(pending.uri.params().max_resend.unwrap_or(self.config.network.max_resend)),
            group,
            is_response: channel.is_response(),
            buffers: StatedBuffers::of(&channel),
        });
        self.awaiting_logs.push(AwaitingLog {
            client_id: pending.client_id,
            correlation_id: pending.correlation_id,
            stream_id,
            exclusive,
            uri: pending.uri,
            params: common,
            endpoint: Some(endpoint),
            session_id,
            start,
            path: request.path.clone(),
            is_wanted: true,
        });
        self.logs.create(request);
        Ok(())
    }

    /// Creates and announces the publication for a log. An error leaves nothing behind but the log.
    pub(in crate::conductor) fn finish_network_publication(
        &mut self,
        made: &AwaitingLog,
        endpoint: EndpointId,
        log: &LogBuffers,
    ) -> Result<(), CommandError> {
        let AwaitingLog { stream_id, exclusive, params: common, .. } = made;
        let stream_id = *stream_id;
        let now = self.now;
        let registration_id = made.registration_id();
        let Some(channel) = self.network.endpoint(endpoint).map(|endpoint| endpoint.channel.clone()) else {
            return Err(CommandError::Closing);
        };
        let rules = params::publication_rules(made.uri.params(), &channel, &self.config.network);
        // The request may be gone meanwhile.
        self.check_response(&channel, common)?;
        let (answers, asks) = (channel.is_response(), common.response_correlation_id >= 0);
        let has_receivers = matches!(rules.flow_control, FlowControlRules::Min(_) | FlowControlRules::Tagged(..));
        let NetworkStreamCounters { position, limit, sender, receivers } =
            self.counters.allocate_for_network_publication(
                now.epoch,
                &CounterRequest {
                    stream: Stream {
                        registration_id,
                        session_id: made.session_id,
                        stream_id,
                        channel: made.uri.text(),
                    },
                    exclusive: *exclusive,
                    client_id: made.client_id,
                    start: made.start.position,
                },
                has_receivers,
            )?;
        let ids: Vec<_> = sender.iter().chain(&receivers).map(|counter| counter.id).collect();
        if let Err(error) = self.client(made.client_id) {
            for id in ids.into_iter().chain([position.id, limit.id]) {
                self.counters.free(now.epoch, id);
            }
            return Err(error);
        }
        self.take_session_id(made);
        let words = PublicationWords::new(made.start.position.get());
        let [sender_position, sender_limit, back_pressure, naks_received] = sender.map(|counter| counter.value);
        let network = &self.config.network;
        self.network.to_sender.push_back(SenderCommand::AddPublication(
            endpoint,
            Box::new(NewNetworkPublication {
                registration_id,
                session_id: made.session_id,
                stream_id,
                log: log.clone(),
                start_position: made.start.position,
                flow_control: rules.flow_control,
                retransmit: rules.retransmit,
                retransmit_windows: rules.retransmit_windows,
                initial_window: network.initial_window,
                connection_timeout_ns: network.connection_timeout_ns,
                max_datagrams_per_cycle: network.max_datagrams_per_cycle,
                group: rules.group,
                ttl: made.uri.params().ttl.map_or(0, i32::from),
                signal_eos: common.signal_eos,
                spies_simulate_connection: common.spies_simulate_connection,
                asks_for_response: asks && !answers,
                answers,
                words: words.clone(),
                counters: PublicationCounters {
                    position: sender_position,
                    limit: sender_limit,
                    back_pressure,
                    naks_received,
                    receivers: receivers.map(|counter| counter.value),
                },
            }),
        ));
        self.network.publications.push(NetworkPublication::new(
            NewPublication {
                registration_id,
                session_id: made.session_id,
                stream_id,
                exclusive: *exclusive,
                endpoint,
                channel,
                entity_tag: common.entity_tag,
                response_correlation_id: common.response_correlation_id,
                untethered: common.untethered,
                start_position: made.start.position,
                window: common.window,
                linger_timeout_ns: common.linger_timeout_ns,
                unblock_timeout_ns: self.config.publications.unblock_timeout_ns,
                spies_simulate_connection: common.spies_simulate_connection,
                log: log.clone(),
                log_path: made.path.clone(),
                words,
                position,
                limit,
                others: ids,
                held_by: None,
            },
            now.monotonic,
        ));
        self.hold_network_publication(made.client_id, made.correlation_id, registration_id);
        if answers && asks {
            let request = RegistrationId::new(common.response_correlation_id);
            self.announce_response(request, Some((registration_id, made.session_id)));
        }
        self.link_spies(registration_id);
        Ok(())
    }

    /// Links the new publication with all spies of its channel.
    fn link_spies(&mut self, registration_id: RegistrationId) {
        let Some(publication) = self.network.publications.get_mut(registration_id) else { return };
        let mut linker = Linker { now: self.now, counters: &mut self.counters, events: &mut self.events };
        let linked = linker.link_all(publication, &self.subscriptions);
        self.report_unlinked(linked);
    }

    /// Adds a handle for the client, and tells the client.
    pub(super) fn hold_network_publication(
        &mut self,
        client_id: ClientId,
        correlation_id: CorrelationId,
        original: RegistrationId,
    ) {
        let Some(client) = self.clients.get(client_id) else { return };
        let endpoints = &self.network.endpoints;
        let Some(publication) = self.network.publications.get_mut(original) else { return };
        client.publications.insert(correlation_id.registration(), original);
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

    /// Removes a client's handle of a publication, if it is a network publication.
    pub(in crate::conductor) fn release_network_publication(&mut self, registration_id: RegistrationId, revoke: bool) {
        let now = self.now.monotonic;
        let Some(publication) = self.network.publications.get_mut(registration_id) else { return };
        if revoke {
            publication.revoke();
        }
        if let Some(position) = publication.remove_reference(now) {
            let end = SenderCommand::EndPublication { registration_id, position, revoked: false };
            self.network.to_sender.push_back(end);
        }
    }

    /// Removes this many handles of each of these publications, for a client that is gone.
    pub(in crate::conductor) fn release_network_publications(&mut self, holds: &HashMap<RegistrationId, usize>) {
        let Network { publications, to_sender, .. } = &mut self.network;
        for publication in publications.iter_mut() {
            let registration_id = publication.made_of.registration_id;
            for _ in 0..holds.get(&registration_id).copied().unwrap_or(0) {
                if let Some(position) = publication.remove_reference(self.now.monotonic) {
                    to_sender.push_back(SenderCommand::EndPublication { registration_id, position, revoked: false });
                }
            }
        }
    }

    /// Has the receiver tell the sender of a request which publication responds, with its session, or tell nothing any
    /// more.
    pub(super) fn announce_response(&mut self, request: RegistrationId, response: Option<(RegistrationId, SessionId)>) {
        if let Some(image) = self.network.images.get_mut(request) {
            image.response = response.map(|(registration_id, _)| registration_id);
            let session_id = response.map(|(_, session_id)| session_id);
            self.network.to_receiver.push_back(ReceiverCommand::SetResponseSession(request, session_id));
        }
    }

    /// Withdraws responses that have ended before their first receiver. Otherwise a subscription would wait for them for
    /// ever, because it keeps the first session that it is told. Another response to the same request takes their place,
    /// if it still waits for its receiver.
    pub(super) fn check_responses(&mut self) {
        let Network { images, publications, .. } = &self.network;
        let is_over = |response| !publications.get(response).is_some_and(NetworkPublication::is_open);
        let over = images.iter().filter(|image| image.response.is_some_and(is_over));
        let over: Vec<_> = over.map(|image| image.made_of.registration_id).collect();
        for request in over {
            let waits = |other: &&NetworkPublication| {
                let responds = other.made_of.channel.is_response();
                responds
                    && other.made_of.response_correlation_id == request.get()
                    && other.is_open()
                    && !other.was_heard
            };
            let other = self.network.publications.iter().find(waits);
            let other = other.map(|other| (other.made_of.registration_id, other.made_of.session_id));
            self.announce_response(request, other);
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
}

/// The properties of an existing publication, for comparison with a new channel.
fn shared(publication: &NetworkPublication) -> Shared {
    let log = &publication.made_of.log;
    Shared {
        session_id: publication.made_of.session_id,
        mtu: log.mtu() as i64,
        term_length: log.term_length(),
        start: Start { initial_term_id: log.initial_term_id(), position: publication.made_of.start_position },
    }
}
