//! Who reads what: joins subscriptions with the publications that they want, and takes images away again. The order of each
//! step is what clients rely on: the counter holds the join position before the event that names it (trap 40), and the event
//! that takes an image away comes before its counter is freed.

use gannet::command::{Event, OnAvailableImage, OnUnavailableImage, Text};
use gannet::types::{CorrelationId, CounterId, RegistrationId};
use std::os::unix::ffi::OsStrExt;

use super::counters::{Counters, SubscriberCounter};
use super::error::CommandError;
use super::events::Events;
use super::subscriptions::SubscriptionLink;
use super::{Core, Now};
use crate::ipc::IpcPublication;
use crate::shared::{LinkId, Subscriber, Tether, Turn};

/// What events name as the source of IPC images, and as their channel when they go, whatever their subscribers' channels are.
const IPC: &str = "aeron:ipc";

impl Core {
    /// Gives a new subscription the images of all publications that it wants, oldest first.
    pub(super) fn link_subscription(&mut self, link: LinkId) {
        let Some(link) = self.subscriptions.get(link) else { return };
        let mut failed = None;
        for publication in self.publications.of_stream(link.stream_id) {
            if let Err(error) = self::link(self.now, &mut self.counters, &mut self.events, publication, link) {
                failed = Some(error);
            }
        }
        self.report_unlinked(failed);
    }

    /// Gives a publication to all subscriptions that want it and do not have it, oldest first.
    pub(super) fn link_publication(&mut self, registration_id: RegistrationId) {
        let Some(publication) = self.publications.get_mut(registration_id) else { return };
        let mut failed = None;
        for link in self.subscriptions.iter() {
            if let Err(error) = self::link(self.now, &mut self.counters, &mut self.events, publication, link) {
                failed = Some(error);
            }
        }
        self.report_unlinked(failed);
    }

    /// Tells all who have the image that it is gone.
    pub(super) fn take_image_from_all(&mut self, registration_id: RegistrationId) {
        let Some(publication) = self.publications.get(registration_id) else { return };
        for subscriber in publication.subscribers().iter().filter(|subscriber| !subscriber.tether.is_closed()) {
            if let Some(link) = self.subscriptions.get(subscriber.link) {
                send_unavailable(&mut self.events, publication, link);
            }
        }
    }

    /// Takes all subscribers out of the publication and frees their counters.
    pub(super) fn free_subscribers(&mut self, registration_id: RegistrationId) {
        let Some(publication) = self.publications.get_mut(registration_id) else { return };
        for subscriber in publication.take_subscribers() {
            free_position(self.now, &mut self.counters, &subscriber);
        }
    }

    /// Lets time work on the untethered subscribers of the publication in this place.
    pub(super) fn check_untethered(&mut self, index: usize) {
        let now = self.now;
        let Some(publication) = self.publications.at_mut(index) else { return };
        let mut place = 0;
        while place < publication.subscribers().len() {
            let Some((turn, link, position)) = publication.due_turn(place, now.monotonic) else {
                place += 1;
                continue;
            };
            let link = self.subscriptions.get(link);
            match turn {
                Turn::LoseImage => {
                    if let Some(link) = link {
                        send_unavailable(&mut self.events, publication, link);
                    }
                }
                Turn::Rest => {}
                Turn::Close => self.counters.free(now.epoch, position.id),
                Turn::Rejoin => {
                    let join = publication.join_position();
                    position.value.store_release(join.get());
                    if let Some(link) = link {
                        send_available(&mut self.events, publication, link, position.id);
                    }
                }
            }
            publication.take_turn(place, turn, now.monotonic);
            place += 1;
        }
    }

    fn report_unlinked(&mut self, failed: Option<CommandError>) {
        if let Some(error) = failed {
            let text = format!("(11) a subscription was not linked to its publication: {error}");
            self.report(&text);
        }
    }
}

/// Frees the counter of a subscriber that was taken out; that of a closed one was freed when it was closed.
pub(super) fn free_position(now: Now, counters: &mut Counters, subscriber: &Subscriber) {
    if !subscriber.tether.is_closed() {
        counters.free(now.epoch, subscriber.position.id);
    }
}

/// Gives the subscription the publication's image, if it wants it and may have it.
fn link(
    now: Now,
    counters: &mut Counters,
    events: &mut Events,
    publication: &mut IpcPublication,
    link: &SubscriptionLink,
) -> Result<(), CommandError> {
    if !link.wants(publication.stream_id(), publication.session_id())
        || publication.subscribers().contains(link.id)
        || !publication.admits_subscribers()
    {
        return Ok(());
    }
    let join_position = publication.join_position();
    let position = counters.allocate_for_subscriber(
        now.epoch,
        &SubscriberCounter {
            registration_id: link.registration_id,
            session_id: publication.session_id(),
            stream_id: publication.stream_id(),
            channel: &link.channel,
            client_id: link.client_id,
            image: publication.registration_id(),
            join_position,
        },
    )?;
    let position_id = position.id;
    let tether = if link.tether { Tether::TETHERED } else { Tether::untethered(now.monotonic, link.rejoin) };
    publication.add_subscriber(Subscriber { link: link.id, position, tether });
    send_available(events, publication, link, position_id);
    Ok(())
}

fn send_available(
    events: &mut Events,
    publication: &IpcPublication,
    link: &SubscriptionLink,
    subscriber_position_id: CounterId,
) {
    events.send(&Event::AvailableImage(OnAvailableImage {
        // Trap 26: clients share the mapping of one file by this id, so it is the publication's own.
        image_correlation_id: CorrelationId::new(publication.registration_id().get()),
        session_id: publication.session_id(),
        stream_id: publication.stream_id(),
        subscription_registration_id: link.registration_id,
        subscriber_position_id,
        log_file: Text::new(publication.log_path().as_os_str().as_bytes()),
        source_identity: Text::from(IPC),
    }));
}

fn send_unavailable(events: &mut Events, publication: &IpcPublication, link: &SubscriptionLink) {
    events.send(&Event::UnavailableImage(OnUnavailableImage {
        image_correlation_id: CorrelationId::new(publication.registration_id().get()),
        subscription_registration_id: link.registration_id,
        stream_id: publication.stream_id(),
        channel: Text::from(IPC),
    }));
}
