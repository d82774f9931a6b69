//! Links subscriptions with the publications and images that they want, and unlinks them. Clients rely on the order of
//! the steps: the counter holds the join position before the event that names it (trap 40), and the event that removes
//! an image comes before its counter is freed.

use std::borrow::Cow;
use std::path::Path;

use gannet::command::{Event, OnAvailableImage, OnUnavailableImage, Text};
use gannet::time::MonotonicNanos;
use gannet::types::{CorrelationId, CounterId, Position, RegistrationId, SessionId, StreamId};
use std::os::unix::ffi::OsStrExt;

use super::counters::{Counters, SubscriberCounter};
use super::error::CommandError;
use super::events::Events;
use super::streams::{Named, Streams};
use super::subscription_link::SubscriptionLink;
use super::subscriptions::SubscriptionRegistry;
use super::{Core, Now};
use crate::ipc::IpcPublication;
use crate::shared::{DueTurn, LinkId, Subscriber, Subscribers, Tether, Turn};

/// The source identity of images of this driver's own publications.
pub(super) const IPC: &str = "aeron:ipc";

/// What a subscription can read: a publication of this driver, over IPC or as a spy, or an image.
pub(super) trait Readable: Named {
    /// The log's file.
    fn log_path(&self) -> &Path;
    /// The source, for people.
    fn source_identity(&self) -> Cow<'_, str>;
    /// The channel in the event that tells a subscriber about the loss.
    fn lost_channel<'a>(&self, link: &'a SubscriptionLink) -> &'a str;
    /// Whether the link wants it.
    fn is_wanted_by(&self, link: &SubscriptionLink) -> bool;
    /// Whether a subscriber may join.
    fn admits_subscribers(&self) -> bool;
    /// The position at which a new subscriber joins.
    fn join_position(&mut self) -> Position;
    /// Its subscribers.
    fn subscribers(&self) -> &Subscribers;
    /// Adds a subscriber. Its position counter has the join position.
    fn add_subscriber(&mut self, subscriber: Subscriber);
    /// The step that is due for the first of the subscribers from this index on. `attended` is the time for which the
    /// conductor has watched the subscribers.
    fn due_turn(&mut self, from: usize, attended: MonotonicNanos) -> Option<DueTurn>;
    /// Records that the step was executed.
    fn take_turn(&mut self, place: usize, turn: Turn, attended: MonotonicNanos);
}

/// The parts of the conductor that linking changes besides the linked objects.
pub(super) struct Linker<'a> {
    pub(super) now: Now,
    pub(super) counters: &'a mut Counters,
    pub(super) events: &'a mut Events,
}

impl Linker<'_> {
    /// Links a subscription, if it wants `what`, may have it, and does not have it yet.
    pub(super) fn link(&mut self, what: &mut impl Readable, link: &SubscriptionLink) -> Result<(), CommandError> {
        if !what.is_wanted_by(link) || what.subscribers().contains(link.registration_id) || !what.admits_subscribers() {
            return Ok(());
        }
        let join_position = what.join_position();
        let position = self.counters.allocate_for_subscriber(
            self.now.epoch,
            &SubscriberCounter {
                registration_id: link.registration_id,
                session_id: what.session_id(),
                stream_id: what.stream_id(),
                channel: &link.channel,
                client_id: link.client_id,
                image: what.registration_id(),
                join_position,
            },
        )?;
        let position_id = position.id;
        let tether = if link.tether { Tether::TETHERED } else { Tether::untethered(self.now.attended, link.rejoin) };
        what.add_subscriber(Subscriber { link: link.id, subscription: link.registration_id, position, tether });
        self.send_available(what, link, position_id);
        Ok(())
    }

    /// Links all subscriptions that want it. Returns the last error.
    pub(super) fn link_all(
        &mut self,
        what: &mut impl Readable,
        links: &SubscriptionRegistry,
    ) -> Result<(), CommandError> {
        links
            .of_stream(what.stream_id())
            .map(|link| self.link(what, link))
            .filter(Result::is_err)
            .last()
            .unwrap_or(Ok(()))
    }

    /// Links a subscription with everything that it wants on its stream, oldest first. Returns the first error.
    pub(super) fn link_stream<T: Readable>(
        &mut self,
        streams: &mut Streams<T>,
        link: &SubscriptionLink,
    ) -> Result<(), CommandError> {
        let mut linked = Ok(());
        streams.change_of_stream(link.stream_id, |what| {
            let done = self.link(what, link);
            if linked.is_ok() {
                linked = done;
            }
        });
        linked
    }

    /// Tells all subscribers that it is gone.
    pub(super) fn take_from_all(&mut self, what: &impl Readable, links: &SubscriptionRegistry) {
        for subscriber in what.subscribers().iter().filter(|subscriber| !subscriber.tether.is_closed()) {
            if let Some(link) = links.get(subscriber.link) {
                self.send_unavailable(what, link);
            }
        }
    }

    /// Executes the steps that are due for untethered subscribers.
    pub(super) fn check_untethered(&mut self, what: &mut impl Readable, links: &SubscriptionRegistry) {
        let mut from = 0;
        while let Some(DueTurn { index, turn, link, position }) = what.due_turn(from, self.now.attended) {
            let link = links.get(link);
            match turn {
                Turn::LoseImage => {
                    if let Some(link) = link {
                        self.send_unavailable(what, link);
                    }
                }
                Turn::Rest => {}
                Turn::Close => self.counters.free(self.now.epoch, position.id),
                Turn::Rejoin => {
                    position.value.store_release(what.join_position().get());
                    if let Some(link) = link {
                        self.send_available(what, link, position.id);
                    }
                }
            }
            what.take_turn(index, turn, self.now.attended);
            from = index + 1;
        }
    }

    /// Tells a subscriber that its image is gone, if it has it.
    pub(super) fn send_unavailable_if_linked(&mut self, what: &impl Readable, link: &SubscriptionLink) {
        let mut subscribers = what.subscribers().iter();
        if subscribers.any(|subscriber| subscriber.link == link.id && !subscriber.tether.is_closed()) {
            self.send_unavailable(what, link);
        }
    }

    fn send_available(&mut self, what: &impl Readable, link: &SubscriptionLink, subscriber_position_id: CounterId) {
        self.events.send(&Event::AvailableImage(OnAvailableImage {
            image_correlation_id: CorrelationId::new(what.registration_id().get()),
            session_id: what.session_id(),
            stream_id: what.stream_id(),
            subscription_registration_id: link.registration_id,
            subscriber_position_id,
            log_file: Text::new(what.log_path().as_os_str().as_bytes()),
            source_identity: Text::from(&*what.source_identity()),
        }));
    }

    /// Tells a subscriber that its image is gone.
    fn send_unavailable(&mut self, what: &impl Readable, link: &SubscriptionLink) {
        self.events.send(&Event::UnavailableImage(OnUnavailableImage {
            image_correlation_id: CorrelationId::new(what.registration_id().get()),
            subscription_registration_id: link.registration_id,
            stream_id: what.stream_id(),
            channel: Text::from(what.lost_channel(link)),
        }));
    }
}

impl Named for IpcPublication {
    fn registration_id(&self) -> RegistrationId {
        self.registration_id()
    }

    fn session_id(&self) -> SessionId {
        self.session_id()
    }

    fn stream_id(&self) -> StreamId {
        self.stream_id()
    }
}

impl Readable for IpcPublication {
    fn log_path(&self) -> &Path {
        self.log_path()
    }

    fn source_identity(&self) -> Cow<'_, str> {
        IPC.into()
    }

    fn lost_channel<'a>(&self, _: &'a SubscriptionLink) -> &'a str {
        // Independent of the subscriber's channel.
        IPC
    }

    fn is_wanted_by(&self, link: &SubscriptionLink) -> bool {
        link.wants(self.stream_id(), self.session_id())
    }

    fn admits_subscribers(&self) -> bool {
        self.admits_subscribers()
    }

    fn join_position(&mut self) -> Position {
        self.join_position()
    }

    fn subscribers(&self) -> &Subscribers {
        self.subscribers()
    }

    fn add_subscriber(&mut self, subscriber: Subscriber) {
        self.add_subscriber(subscriber);
    }

    fn due_turn(&mut self, from: usize, attended: MonotonicNanos) -> Option<DueTurn> {
        self.due_turn(from, attended)
    }

    fn take_turn(&mut self, place: usize, turn: Turn, attended: MonotonicNanos) {
        self.take_turn(place, turn, attended);
    }
}

impl Core {
    /// Links a new subscription with all publications that it wants, oldest first.
    pub(super) fn link_subscription(&mut self, link: LinkId) {
        let Some(link) = self.subscriptions.get(link) else { return };
        let mut linker = Linker { now: self.now, counters: &mut self.counters, events: &mut self.events };
        let linked = linker.link_stream(&mut self.publications, link);
        self.report_unlinked(linked);
    }

    /// Links a publication with all subscriptions that want it and do not have it yet, oldest first.
    pub(super) fn link_publication(&mut self, registration_id: RegistrationId) {
        let Some(publication) = self.publications.get_mut(registration_id) else { return };
        let mut linker = Linker { now: self.now, counters: &mut self.counters, events: &mut self.events };
        let linked = linker.link_all(publication, &self.subscriptions);
        self.report_unlinked(linked);
    }

    /// Tells all subscribers that the image is gone.
    pub(super) fn take_image_from_all(&mut self, registration_id: RegistrationId) {
        let Some(publication) = self.publications.get(registration_id) else { return };
        Linker { now: self.now, counters: &mut self.counters, events: &mut self.events }
            .take_from_all(publication, &self.subscriptions);
    }

    /// Removes all subscribers of the publication, and frees their counters.
    pub(super) fn free_subscribers(&mut self, registration_id: RegistrationId) {
        let Some(publication) = self.publications.get_mut(registration_id) else { return };
        for subscriber in publication.take_subscribers() {
            free_position(self.now, &mut self.counters, &subscriber);
        }
    }

    /// Executes the steps that are due for untethered subscribers of the publication at this index.
    pub(super) fn check_untethered(&mut self, index: usize) {
        let Some(publication) = self.publications.at_mut(index) else { return };
        Linker { now: self.now, counters: &mut self.counters, events: &mut self.events }
            .check_untethered(publication, &self.subscriptions);
    }

    /// Reports that a subscription could not be linked.
    pub(super) fn report_unlinked(&mut self, linked: Result<(), CommandError>) {
        if let Err(error) = linked {
            self.report(&format!("(11) a subscription was not linked to what it wants: {error}"));
        }
    }
}

/// Frees the counter of a removed subscriber. The counter of a closed one was freed when it was closed.
pub(super) fn free_position(now: Now, counters: &mut Counters, subscriber: &Subscriber) {
    if !subscriber.tether.is_closed() {
        counters.free(now.epoch, subscriber.position.id);
    }
}
