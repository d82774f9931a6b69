//! Adding subscriptions of UDP channels: those that read from the network, and spies on this driver's own publications.
//! Adding one takes steps that others carry out, as in `pending`. Removing is the same for all subscriptions.

use std::sync::Arc;

use gannet::channel_uri::ChannelUri;
use gannet::command::{AddSubscription, Event, OnSubscriptionReady};
use gannet::types::{CounterId, RegistrationId, SessionId, StreamId};

use super::pending::{Pending, PendingNetwork};
use crate::channel::UdpChannel;
use crate::conductor::Core;
use crate::conductor::error::CommandError;
use crate::conductor::linking::Linker;
use crate::conductor::params::{IpcSubscriptionParams, untethered};
use crate::conductor::subscription_link::{NetworkLink, NetworkSubscription, SessionChoice, Source};
use crate::conductor::subscriptions::NewLink;
use crate::mailbox::{EndpointId, ReceiverCommand};
use crate::shared::LinkId;

impl Core {
    /// Adds a subscription of a UDP channel for a client.
    pub(in crate::conductor) fn add_network_subscription(
        &mut self,
        command: &AddSubscription<'_>,
        uri: &ChannelUri,
    ) -> Result<(), CommandError> {
        let subscription = NetworkSubscription::read(uri.params(), &self.config.network)?;
        let common = IpcSubscriptionParams::read(uri.params(), &self.config.subscriptions)?;
        self.check_new_subscription(command.correlation_id.registration())?;
        let what = Pending::Subscription { stream_id: command.stream_id, common, subscription };
        self.wait_for_channel((command.client_id, command.correlation_id), uri, what)
    }

    /// Adds a spy subscription on this driver's publications to a channel.
    pub(in crate::conductor) fn add_spy_subscription(
        &mut self,
        command: &AddSubscription<'_>,
        uri: &ChannelUri,
    ) -> Result<(), CommandError> {
        let common = IpcSubscriptionParams::read(uri.params(), &self.config.subscriptions)?;
        let registration_id = command.correlation_id.registration();
        self.check_new_subscription(registration_id)?;
        let what = Pending::Spy { registration_id, stream_id: command.stream_id, common };
        self.wait_for_channel((command.client_id, command.correlation_id), uri, what)
    }

    pub(in crate::conductor) fn check_new_subscription(
        &self,
        registration_id: RegistrationId,
    ) -> Result<(), CommandError> {
        self.check_unused(registration_id)?;
        self.check_room_for_link()
    }

    /// Checks the channel against the endpoint's other subscriptions of the stream, because they share images and their
    /// properties.
    pub(super) fn check_subscription(
        &self,
        endpoint: EndpointId,
        stream_id: StreamId,
        common: &IpcSubscriptionParams,
        subscription: &NetworkSubscription,
    ) -> Result<(), CommandError> {
        for other in self.subscriptions.of_endpoint(endpoint, stream_id).filter(|link| link.session == common.session) {
            let reliable = other.network().is_none_or(|network| network.subscription.reliable == subscription.reliable);
            let clash = [
                ("reliable", reliable),
                ("rejoin", other.rejoin == common.rejoin),
                ("control-mode=response", other.is_response == common.is_response),
            ];
            if let Some((key, _)) = clash.into_iter().find(|(_, is_same)| !is_same) {
                return Err(CommandError::SubscriptionClash { key });
            }
        }
        Ok(())
    }

    /// Continues after the endpoint was opened.
    pub(super) fn finish_subscription(&mut self, pending: &PendingNetwork) -> Result<(), CommandError> {
        let Pending::Subscription { stream_id, common, subscription } = pending.what else { return Ok(()) };
        let id = pending.endpoint;
        let Some(status) = self.network.endpoint(id).map(|endpoint| endpoint.status) else {
            return Err(CommandError::Closing);
        };
        self.client(pending.client_id)?;
        // A subscription that waits for a response receives nothing before it knows the session.
        let is_first = !common.is_response && !self.is_stream_wanted(id, stream_id, common.session);
        let link = self.subscriptions.add(&NewLink {
            registration_id: pending.correlation_id.registration(),
            client_id: pending.client_id,
            stream_id,
            channel: pending.uri.text(),
            session: common.session,
            is_response: common.is_response,
            tether: common.tether,
            rejoin: common.rejoin,
            source: Source::Network(NetworkLink {
                endpoint: id,
                subscription,
                sparse: pending.uri.params().sparse.unwrap_or(self.config.publications.sparse),
                untethered: untethered(pending.uri.params(), &self.config.publications),
            }),
        });
        if is_first {
            self.network.to_receiver.extend(common.session.gains(id, stream_id));
        }
        // Before any image is announced.
        self.events.send(&Event::SubscriptionReady(OnSubscriptionReady {
            correlation_id: pending.correlation_id,
            channel_status_id: status,
        }));
        self.link_network_subscription(link);
        Ok(())
    }

    /// Whether any subscription of the endpoint wants these sessions of the stream.
    pub(super) fn is_stream_wanted(&self, id: EndpointId, stream_id: StreamId, session: SessionChoice) -> bool {
        self.subscriptions.of_endpoint(id, stream_id).any(|link| link.session == session)
    }

    /// Continues after a spy's channel was resolved. A spy may be one of the sources of a subscription.
    pub(super) fn finish_spy(
        &mut self,
        pending: &PendingNetwork,
        registration_id: RegistrationId,
        stream_id: StreamId,
        common: IpcSubscriptionParams,
        channel: Arc<UdpChannel>,
    ) -> Result<(), CommandError> {
        self.client(pending.client_id)?;
        let link = self.subscriptions.add(&NewLink {
            registration_id,
            client_id: pending.client_id,
            stream_id,
            channel: pending.uri.text(),
            session: common.session,
            is_response: false,
            tether: common.tether,
            rejoin: common.rejoin,
            source: Source::Spy(channel),
        });
        // Before any image is announced.
        if registration_id == pending.correlation_id.registration() {
            self.events.send(&Event::SubscriptionReady(OnSubscriptionReady {
                correlation_id: pending.correlation_id,
                channel_status_id: CounterId::NONE,
            }));
        } else {
            self.succeed(pending.correlation_id);
        }
        self.link_spy(link);
        Ok(())
    }

    /// Links a spy with the publications that it wants.
    pub(super) fn link_spy(&mut self, link: LinkId) {
        let Some(link) = self.subscriptions.get(link) else { return };
        let mut linker = Linker { now: self.now, counters: &mut self.counters, events: &mut self.events };
        let linked = linker.link_stream(&mut self.network.publications, link);
        self.report_unlinked(linked);
    }

    /// Handles the session id of a response, as reported by the receiver of the request.
    pub(super) fn on_response_setup(&mut self, request: RegistrationId, session_id: SessionId) {
        let publication = self.network.publications.get(request);
        let Some(subscription) = publication.map(|found| found.made_of.response_correlation_id) else { return };
        let subscription = RegistrationId::new(subscription);
        let of_it: Vec<_> = self
            .subscriptions
            .of_registration(subscription)
            .filter(|link| link.is_response)
            .filter_map(|link| Some((link.network()?.endpoint, link.stream_id, link.session, link.is_bound)))
            .collect();
        for (endpoint, stream_id, session, is_bound) in of_it {
            let clash = match session {
                SessionChoice::Only(known) if is_bound => {
                    // The first session stays. Its sender may not know this receiver yet.
                    self.network.to_receiver.push_back(ReceiverCommand::AskForSetup(endpoint, stream_id, known));
                    return;
                }
                SessionChoice::Only(stated) => stated != session_id,
                SessionChoice::Any | SessionChoice::Response => false,
            };
            if clash {
                // The text leaves out the response's session id: anyone who can send to the request chooses it, and
                // each new text takes space.
                self.report(&format!(
                    "(11) response subscription {subscription} states another session-id than its answer has"
                ));
                return;
            }
            let bound = SessionChoice::Only(session_id);
            let is_first = !self.is_stream_wanted(endpoint, stream_id, bound);
            self.subscriptions.bind_response(subscription, session_id);
            if is_first || session == bound {
                self.network.to_receiver.extend(bound.gains(endpoint, stream_id));
            }
        }
    }
}
