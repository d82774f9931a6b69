//! Adding and removing subscriptions.

use std::collections::HashSet;

use gannet::channel_uri::Media;
use gannet::command::{AddSubscription, Event, OnSubscriptionReady, RemoveSubscription};
use gannet::types::CounterId;

use crate::conductor::Core;
use crate::conductor::error::CommandError;
use crate::conductor::linking::free_position;
use crate::conductor::params::IpcSubscriptionParams;
use crate::conductor::subscription_link::{Source, SubscriptionLink};
use crate::conductor::subscriptions::{NewLink, streams_of};
use crate::shared::LinkId;

impl Core {
    pub(super) fn add_subscription(&mut self, command: &AddSubscription<'_>) -> Result<(), CommandError> {
        let uri = self.read_channel(command.channel)?;
        if uri.is_spy() {
            return self.add_spy_subscription(command, &uri);
        }
        if uri.media() == Media::Udp {
            return self.add_network_subscription(command, &uri);
        }
        let params = IpcSubscriptionParams::read(uri.params(), &self.config.subscriptions)?;
        let registration_id = command.correlation_id.registration();
        self.check_new_subscription(registration_id)?;
        self.client(command.client_id)?;
        let link = self.subscriptions.add(&NewLink {
            registration_id,
            client_id: command.client_id,
            stream_id: command.stream_id,
            channel: uri.text(),
            session: params.session,
            is_response: params.is_response,
            tether: params.tether,
            rejoin: params.rejoin,
            source: Source::Ipc,
        });
        // Trap 24: before any image is announced.
        self.events.send(&Event::SubscriptionReady(OnSubscriptionReady {
            correlation_id: command.correlation_id,
            channel_status_id: CounterId::NONE,
        }));
        self.link_subscription(link);
        Ok(())
    }

    pub(super) fn remove_subscription(&mut self, command: &RemoveSubscription) -> Result<(), CommandError> {
        let registration_id = command.registration_id;
        let links = self.subscriptions.remove(command.client_id, registration_id);
        if links.is_empty() {
            return Err(CommandError::UnknownSubscription { registration_id });
        }
        self.unlink(&links);
        self.succeed(command.correlation_id);
        Ok(())
    }

    /// Removes images from the links. Nothing is announced, because the client knows that it removed its subscription
    /// (trap 25).
    pub(in crate::conductor) fn unlink(&mut self, links: &[SubscriptionLink]) {
        // Together, because a client may have very many when it dies.
        let ids: HashSet<LinkId> = links.iter().map(|link| link.id).collect();
        for stream_id in streams_of(links) {
            self.publications.change_of_stream(stream_id, |publication| {
                for subscriber in publication.remove_subscribers(&ids) {
                    free_position(self.now, &mut self.counters, &subscriber);
                }
            });
        }
        self.unlink_images(links);
    }
}
